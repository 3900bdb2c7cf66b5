/* Our reader of a client's frames and wslay's, another author's, on the same bytes: the same pings answered, the same
 * end.
 *
 * Where they differ on purpose:
 *
 * - The close codes 1012 to 1014 are registered since RFC 6455 was written; we take them, wslay says 1002.
 * - A fault is told by us at the first byte that shows it, by wslay once the frame's head is whole: wslay is given
 *   zeros until it says something.
 * - Where a head cannot be read at all (unmasked, a length that is not in its shortest form, a control frame that is
 *   long or cut in parts) wslay closes without a code, and we with 1002.
 * - A close frame of one byte, half a code, is a fault to us (1002), and to wslay a close without a code.
 * - The reason of a close that comes to it byte by byte is not checked by wslay (1007).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "naive_frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <wslay/wslay.h>

#define STREAMS 60000
#define FRAMES_MOST 6
#define ZEROS 70000 /* more than any head and the longest message take */

/* ---- wslay ---- */

struct peer {
    const uint8_t *at;
    size_t left;
    struct buffer sent;
};

static ssize_t feed(wslay_event_context_ptr context, uint8_t *buffer, size_t length, int flags, void *user) {
    (void)flags;
    struct peer *peer = user;
    size_t given = length < peer->left ? length : peer->left;
    if (given == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(buffer, peer->at, given);
    peer->at += given;
    peer->left -= given;
    return (ssize_t)given;
}

static ssize_t keep(wslay_event_context_ptr context, const uint8_t *data, size_t length, int flags, void *user) {
    (void)context, (void)flags;
    struct peer *peer = user;
    buffer_add(&peer->sent, data, length);
    return (ssize_t)length;
}

/* What wslay has answered, in the lines of naive_frames(): pongs are the pings, the close frame is the end. Returns its
 * code, or 0. */
static unsigned tell_sent(struct bytes sent, struct buffer *lines) {
    const uint8_t *at = (const uint8_t *)sent.at;
    while (sent.length >= 2) {
        size_t length = at[1];
        assert_true(length <= 125 && sent.length >= 2 + length);
        if (at[0] == 0x88)
            return length ? at[2] * 256u + at[3] : WEBSOCKET_NO_CODE;
        assert_int_equal(at[0], 0x8a);
        buffer_add_text(lines, "ping ");
        for (size_t i = 0; i < length; i++)
            buffer_printf(lines, "%02x", at[2 + i]);
        buffer_add_char(lines, '\n');
        sent.length -= 2 + length;
        at += 2 + length;
    }
    return 0;
}

/* A stream with where its frames end. */
struct stream {
    struct buffer bytes;
    size_t ends[FRAMES_MOST];
    uint32_t frame_count;
    bool misleads; /* the heads say otherwise */
};

/* Reads what it was given and answers it. True at the end of the connection; *is_broken if it gave up on a head. */
static bool wslay_goes_on(wslay_event_context_ptr context, bool *is_broken) {
    int result = wslay_event_recv(context);
    assert_true(result == 0 || result == WSLAY_ERR_CALLBACK_FAILURE);
    *is_broken = result != 0;
    assert_int_equal(wslay_event_send(context), 0);
    return *is_broken || wslay_event_get_close_sent(context);
}

/* Frame by frame, since it lets its pongs go where a close is to be sent as well. With zeros behind them, if it is to
 * come to an end. */
static unsigned wslay_reads(const struct stream *stream, bool to_its_end, struct buffer *lines) {
    static const uint8_t zeros[ZEROS];
    struct wslay_event_callbacks callbacks = {.recv_callback = feed, .send_callback = keep};
    struct peer peer = {(const uint8_t *)stream->bytes.at, 0, {0}};
    buffer_init(&peer.sent, 1 << 20);
    wslay_event_context_ptr context;
    bool is_broken = false;
    assert_int_equal(wslay_event_context_server_init(&context, &callbacks, &peer), 0);
    wslay_event_config_set_max_recv_msg_length(context, LIMIT_WEBSOCKET_MESSAGE_BYTES);
    bool is_over = false;
    const uint8_t *end = peer.at + stream->bytes.length;
    for (uint32_t i = 0; peer.at < end && !is_over; i++) {
        peer.left = stream->misleads ? 1 : stream->ends[i] - (i ? stream->ends[i - 1] : 0);
        is_over = wslay_goes_on(context, &is_broken);
    }
    if (to_its_end && !is_over) {
        peer.at = zeros;
        peer.left = sizeof zeros;
        (void)wslay_goes_on(context, &is_broken);
    }
    unsigned code = tell_sent(buffer_bytes(&peer.sent), lines);
    if (is_broken && code == WEBSOCKET_NO_CODE)
        code = WEBSOCKET_PROTOCOL_FAULT;
    wslay_event_context_free(context);
    buffer_release(&peer.sent);
    return code;
}

/* ---- ours ---- */

static bool never(void *context, size_t at) {
    (void)context, (void)at;
    return false;
}

/* Takes the last line off, if it is an end. Returns its code, or 0. */
static unsigned take_end(struct buffer *lines, bool *is_fault) {
    char last[40];
    size_t start = lines->length ? lines->length - 1 : 0;
    while (start > 0 && lines->at[start - 1] != '\n')
        start--;
    size_t length = lines->length - start;
    if (length == 0 || length >= sizeof last || lines->at[start] == 'p')
        return 0;
    memcpy(last, lines->at + start, length);
    last[length] = 0;
    unsigned code;
    *is_fault = last[0] == 'f';
    assert_int_equal(sscanf(last, *is_fault ? "fault %u" : "close %u", &code), 1);
    lines->length = start;
    return code;
}

/* ---- streams ---- */

static uint64_t chance;

static uint32_t below(uint32_t limit) {
    chance = chance * 6364136223846793005ull + 1442695040888963407ull; /* Knuth, MMIX */
    return (uint32_t)(chance >> 33) % limit;
}

static bool one_in(uint32_t n) {
    return below(n) == 0;
}

static size_t write_payload(uint8_t opcode, uint8_t payload[static 5000]) {
    static const char *const texts[] = {"hello", "h\xc3\xa9",    "\xe2\x82\xac", "\xf0\x9f\x8e\xab",
                                        "\xc3",  "\xed\xa0\x80", "\xc0\xaf",     "\xf4\x90\x80\x80",
                                        "\x80"};
    static const uint16_t codes[] = {1000, 1001, 1003, 1007, 1011, 1004, 1005, 1006, 1015, 1016,
                                     2999, 3000, 4999, 5000, 0,    999,  1012, 1013, 1014, 65535};
    size_t length = 0;
    if (opcode == WEBSOCKET_CLOSE) {
        if (one_in(4))
            return one_in(3) ? 1 : 0;
        uint16_t code = codes[below(sizeof codes / sizeof codes[0])];
        payload[0] = (uint8_t)(code >> 8);
        payload[1] = (uint8_t)code;
        length = 2;
    }
    bool has_bad_code = opcode == WEBSOCKET_CLOSE && payload[0] * 256 + payload[1] != 1000;
    if (opcode >= 8 || one_in(2)) {
        const char *text = texts[below(one_in(3) && !has_bad_code ? 9 : 4)];
        memcpy(payload + length, text, strlen(text));
        length += strlen(text);
    } else {
        length = one_in(3) ? 4080 + below(30) : below(300);
        memset(payload, 'a' + (int)below(26), length);
    }
    return length;
}

/* A frame, most often a good one that goes on from the one before. */
static void add_frame(struct stream *to, bool *is_open) {
    struct buffer *stream = &to->bytes;
    static const uint8_t controls[] = {WEBSOCKET_PING, WEBSOCKET_PONG, WEBSOCKET_CLOSE};
    uint8_t payload[5000] = {0};
    bool is_control = one_in(3), is_final = is_control || !one_in(3);
    uint8_t opcode = is_control ? controls[one_in(4) ? 2 : below(2)]
                     : *is_open ? WEBSOCKET_CONTINUATION
                                : (uint8_t)(1 + below(2));
    size_t length = write_payload(opcode, payload);
    if (one_in(40)) {
        opcode = (uint8_t)below(16);
        to->misleads = to->misleads || opcode == WEBSOCKET_CLOSE;
    }
    if (one_in(60))
        is_final = !is_final;
    uint8_t reserved = one_in(60) ? (uint8_t)(below(7) + 1) : 0;
    unsigned form = length < 126 ? 0 : 2;
    if (one_in(40))
        form = (unsigned[]){2, 8}[below(2)];
    uint64_t told = one_in(60) ? (uint64_t)below(UINT32_MAX) << below(32) : length;
    bool is_masked = !one_in(60);
    to->misleads = to->misleads || told != length || (form == 0 && length > 125);
    buffer_add_char(stream, (char)((is_final ? 0x80 : 0) | reserved << 4 | opcode));
    buffer_add_char(stream, (char)((is_masked ? 0x80 : 0) | (form == 0 ? told & 127 : form == 2 ? 126 : 127)));
    for (unsigned i = 0; i < form; i++)
        buffer_add_char(stream, (char)(told >> 8 * (form - 1 - i)));
    uint8_t mask[4] = {0};
    for (unsigned i = 0; i < 4 && is_masked; i++) {
        mask[i] = (uint8_t)below(256);
        buffer_add_char(stream, (char)mask[i]);
    }
    for (size_t i = 0; i < length; i++)
        buffer_add_char(stream, (char)(payload[i] ^ mask[i % 4]));
    if (!is_control)
        *is_open = !is_final;
    to->ends[to->frame_count++] = stream->length;
}

static bool may_differ(const struct stream *stream, bool is_fault, unsigned ours, unsigned theirs) {
    if (!is_fault)
        return ours >= 1012 && ours <= 1014 && theirs == 1002;
    return (ours == 1002 && theirs == WEBSOCKET_NO_CODE) || (ours == 1007 && stream->misleads);
}

/* Red when a check of websocket_frames.c is left out, or a ping is answered with something else than it said. */
static void both_answer_the_same(void **state) {
    (void)state;
    unsigned ends = 0;
    for (uint64_t seed = 1; seed <= STREAMS; seed++) {
        struct stream stream = {.frame_count = 0};
        struct buffer ours, theirs;
        buffer_init(&stream.bytes, 1 << 20);
        buffer_init(&ours, 1 << 20);
        buffer_init(&theirs, 1 << 20);
        chance = seed;
        bool is_open = false, is_fault = false;
        for (uint32_t i = 1 + below(FRAMES_MOST); i > 0; i--) {
            add_frame(&stream, &is_open);
        }
        frames_in_parts(buffer_bytes(&stream.bytes), never, NULL, &ours);
        unsigned code = take_end(&ours, &is_fault);
        unsigned other = wslay_reads(&stream, code != 0, &theirs);
        bool is_same = code == other;
        if (!is_same && !may_differ(&stream, is_fault, code, other))
            fail_msg("stream %u: we end with %u (%s), wslay with %u", (unsigned)seed, code,
                     is_fault ? "a fault" : "its close", other);
        if (!bytes_equal(buffer_bytes(&ours), buffer_bytes(&theirs)))
            fail_msg("stream %u: we answer\n%.*swslay\n%.*s", (unsigned)seed, (int)ours.length, ours.at,
                     (int)theirs.length, theirs.at);
        ends += code != 0;
        buffer_release(&stream.bytes);
        buffer_release(&ours);
        buffer_release(&theirs);
    }
    assert_true(ends > STREAMS / 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_answer_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
