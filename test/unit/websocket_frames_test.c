/* The parser of client frames: what it says depends on the bytes alone, and is what a naive one says. */
#include "naive_frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define ROUNDS 30000

static uint64_t random_state;

/* George Marsaglia's xorshift64. */
static uint32_t below(uint32_t bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % bound;
}

static bool never(void *context, size_t at) {
    (void)context, (void)at;
    return false;
}

static bool always(void *context, size_t at) {
    (void)context, (void)at;
    return true;
}

static bool is_there(void *context, size_t at) {
    return *(size_t *)context == at;
}

static bool perhaps(void *context, size_t at) {
    (void)context, (void)at;
    return below(3) == 0;
}

static void add_frame(struct buffer *stream, uint8_t first, struct bytes payload) {
    char mask[4] = {(char)below(256), (char)below(256), (char)below(256), (char)below(256)};
    buffer_add_char(stream, (char)first);
    if (payload.length < 126) {
        buffer_add_char(stream, (char)(0x80 | payload.length));
    } else {
        buffer_add_char(stream, (char)0xfe);
        buffer_add_char(stream, (char)(payload.length >> 8));
        buffer_add_char(stream, (char)payload.length);
    }
    buffer_add(stream, mask, sizeof mask);
    for (size_t i = 0; i < payload.length; i++)
        buffer_add_char(stream, (char)(payload.at[i] ^ mask[i % 4]));
}

static void check(struct bytes stream, bool (*is_cut)(void *context, size_t at), void *context, const char *wanted) {
    struct buffer lines;
    buffer_init(&lines, SIZE_MAX / 4);
    frames_in_parts(stream, is_cut, context, &lines);
    buffer_add_char(&lines, 0);
    if (strcmp(lines.at, wanted) != 0) {
        for (size_t i = 0; i < stream.length; i++)
            (void)fprintf(stderr, "%02x", (uint8_t)stream.at[i]);
        fail_msg("of this stream the parser says '%s', not '%s'", lines.at, wanted);
    }
    buffer_release(&lines);
}

/* Red when anything depends on where a read ends: a frame of each kind, cut once at each byte, and into single bytes.
 */
static void a_stream_means_the_same_however_it_is_cut(void **state) {
    (void)state;
    random_state = 7;
    struct buffer stream;
    buffer_init(&stream, SIZE_MAX / 4);
    char zeros[300] = {0};
    add_frame(&stream, 0x82, (struct bytes){zeros, 300});
    add_frame(&stream, 0x01, BYTES("gr\xc3"));
    add_frame(&stream, 0x89, BYTES("\x01\x02\x03\x04\x05"));
    add_frame(&stream, 0x00, BYTES(""));
    add_frame(&stream, 0x80, BYTES("\xbc\xc3\x9f"));
    add_frame(&stream, 0x8a, BYTES("pong"));
    add_frame(&stream, 0x89, BYTES(""));
    add_frame(&stream, 0x88, BYTES("\x03\xe8why not"));
    static const char wanted[] = "ping 0102030405\nping \nclose 1000\n";
    check(buffer_bytes(&stream), never, NULL, wanted);
    check(buffer_bytes(&stream), always, NULL, wanted);
    for (size_t at = 1; at < stream.length; at++)
        check(buffer_bytes(&stream), is_there, &at, wanted);
    buffer_release(&stream);
}

/* Red when one of the rules of a length is off by one. */
static void a_length_is_taken_in_its_shortest_form_only(void **state) {
    (void)state;
    static const struct {
        struct bytes head;
        const char *wanted;
    } rows[] = {
        {BYTES("\x82\xfd"), ""},
        {BYTES("\x82\xfe\x00\x7d"), "fault 1002\n"},
        {BYTES("\x82\xfe\x00\x7e"), ""},
        {BYTES("\x82\xfe\x10\x00"), ""},
        {BYTES("\x82\xfe\x10\x01"), "fault 1009\n"},
        {BYTES("\x82\xfe\xff\xff"), "fault 1009\n"},
        {BYTES("\x82\xff\x00\x00\x00\x00\x00\x00\x00\x01"), "fault 1002\n"},
        {BYTES("\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff"), "fault 1002\n"},
        {BYTES("\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00"), "fault 1009\n"},
        {BYTES("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff"), "fault 1009\n"},
        {BYTES("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00"), "fault 1002\n"},
        {BYTES("\x82\xff\x80\x00\x00\x00\x00\x00\x00"), ""},
        {BYTES("\x89\xfd"), ""},
        {BYTES("\x89\xfe"), "fault 1002\n"},
        {BYTES("\x89\xff"), "fault 1002\n"},
        {BYTES("\x88\x81"), "fault 1002\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check(rows[i].head, never, NULL, rows[i].wanted);
        check(rows[i].head, always, NULL, rows[i].wanted);
    }
}

/* Red when a close code that stands for something else, or for nothing yet, is taken. */
static void a_close_code_is_one_that_a_client_may_send(void **state) {
    (void)state;
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        bool is_right = (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
                        (code >= 3000 && code <= 4999);
        char bytes[8] = {(char)0x88, (char)0x82, 0, 0, 0, 0, (char)(code >> 8), (char)code};
        char wanted[32];
        (void)snprintf(wanted, sizeof wanted, is_right ? "close %u\n" : "fault 1002\n", code);
        check((struct bytes){bytes, sizeof bytes}, never, NULL, wanted);
    }
}

/* A piece of text, mostly right. */
static void add_text(struct buffer *text) {
    static const char *const pieces[] = {"a",
                                         "\xc2\x80",
                                         "\xdf\xbf",
                                         "\xe0\xa0\x80",
                                         "\xed\x9f\xbf",
                                         "\xee\x80",
                                         "\x80",
                                         "\xf0\x90\x80\x80",
                                         "\xf4\x8f\xbf\xbf",
                                         "\xf0\x9f",
                                         "\xed\xa0",
                                         "\xf4\x90",
                                         "\xc0",
                                         "plain"};
    unsigned count = below(5);
    for (unsigned i = 0; i < count; i++)
        buffer_add_text(text, pieces[below(below(4) ? 5 : sizeof pieces / sizeof pieces[0])]);
}

static void add_random_frame(struct buffer *stream, bool *is_open) {
    static const uint8_t controls[] = {0x89, 0x8a, 0x8a, 0x88};
    struct buffer payload;
    buffer_init(&payload, SIZE_MAX / 4);
    add_text(&payload);
    uint8_t first;
    if (below(4) == 0) {
        first = controls[below(below(3) ? 3 : 4)];
        if (first == 0x88 && below(4)) {
            buffer_clear(&payload);
            buffer_add(&payload, below(5) ? "\x03\xe8" : "\x03\xec", 2);
            add_text(&payload);
        }
    } else {
        bool is_last = below(2);
        first = (uint8_t)((is_last ? 0x80 : 0) | (*is_open ? 0 : 1 + below(2)));
        *is_open = !is_last;
        if (below(20) == 0) {
            char zeros[4000] = {0};
            buffer_add(&payload, zeros, below(sizeof zeros));
        }
    }
    size_t at = stream->length;
    add_frame(stream, first, buffer_bytes(&payload));
    if (below(60) == 0)
        stream->at[at + below(6)] ^= (char)(1 << below(8));
    buffer_release(&payload);
}

/* Red when the parser and the naive one differ on anything: streams of mostly right frames, cut at random, and ending
 * anywhere. */
static void random_streams_mean_what_a_naive_parser_says(void **state) {
    (void)state;
    struct buffer stream, lines;
    buffer_init(&stream, SIZE_MAX / 4);
    buffer_init(&lines, SIZE_MAX / 4);
    unsigned faults = 0, closes = 0;
    for (unsigned round = 1; round <= ROUNDS; round++) {
        random_state = round * 0x9e3779b97f4a7c15u;
        buffer_clear(&stream);
        buffer_clear(&lines);
        bool is_open = false;
        for (unsigned i = 1 + below(6); i > 0; i--)
            add_random_frame(&stream, &is_open);
        if (below(3) == 0)
            stream.length = 1 + below((uint32_t)stream.length);
        naive_frames(buffer_bytes(&stream), &lines);
        buffer_add_char(&lines, 0);
        faults += strstr(lines.at, "fault") != NULL;
        closes += strstr(lines.at, "close") != NULL;
        check(buffer_bytes(&stream), round % 3 ? perhaps : never, NULL, lines.at);
    }
    /* The streams are of every kind. */
    assert_true(faults > ROUNDS / 20 && faults < ROUNDS / 2 && closes > ROUNDS / 50);
    buffer_release(&stream);
    buffer_release(&lines);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_means_the_same_however_it_is_cut),
        cmocka_unit_test(a_length_is_taken_in_its_shortest_form_only),
        cmocka_unit_test(a_close_code_is_one_that_a_client_may_send),
        cmocka_unit_test(random_streams_mean_what_a_naive_parser_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
