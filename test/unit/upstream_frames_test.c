/* What a server's frames are to a client that trusts it with nothing. */
#include "engines/upstream/retry.h"
#include "engines/upstream/server_frames.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#define MOST 70000

/* Everything that the bytes say, as text: "text:hello ping:x close:1000", up to a fault or a close. `piece`: so many
 * bytes a call. */
static void read_in_pieces(struct bytes stream, size_t piece, size_t most, struct buffer *told) {
    struct server_frames frames;
    struct server_said said = {0};
    bool goes_on = true;
    server_frames_init(&frames, most);
    for (size_t at = 0; at < stream.length && goes_on;) {
        size_t length = stream.length - at < piece ? stream.length - at : piece, used = 0;
        enum server_step step = server_frames_read(&frames, (struct bytes){stream.at + at, length}, &used, &said);
        at += used;
        switch (step) {
        case SERVER_STEP_MORE:
            assert_int_equal(used, length);
            continue;
        case SERVER_STEP_MESSAGE:
            buffer_add_text(told, said.is_text ? "text:" : "binary:");
            break;
        case SERVER_STEP_PING:
            buffer_add_text(told, "ping:");
            break;
        case SERVER_STEP_PONG:
            buffer_add_text(told, "pong:");
            break;
        case SERVER_STEP_CLOSE:
        case SERVER_STEP_FAULT:
            buffer_printf(told, "%s:%u", step == SERVER_STEP_CLOSE ? "close" : "fault", said.code);
            goes_on = false;
            continue;
        }
        if (said.payload.length > 100)
            buffer_printf(told, "%zu bytes", said.payload.length);
        else
            buffer_add_bytes(told, said.payload);
        buffer_add_char(told, ' ');
    }
    server_frames_release(&frames);
}

static void says_of(struct bytes stream, size_t most, const char *wanted) {
    static const size_t pieces[] = {SIZE_MAX, 1, 3};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct buffer told;
        buffer_init(&told, 64 * 1024);
        read_in_pieces(stream, pieces[i], most, &told);
        buffer_add_char(&told, '\0');
        assert_string_equal(told.at, wanted);
        buffer_release(&told);
    }
}

#define SAYS(stream, wanted) says_of(BYTES(stream), MOST, wanted)

/* Red without the copy of the payload into the message. */
static void messages_are_told_whole_however_they_are_cut(void **state) {
    (void)state;
    SAYS("\x81\x05hello", "text:hello ");
    SAYS("\x82\x02\x01\x02\x81\x01x", "binary:\x01\x02 text:x ");
    SAYS("\x01\x03hel\x80\x02lo", "text:hello ");
    SAYS("\x81\x00\x82\x00", "text: binary: ");
    SAYS("\x01\x00\x00\x02hi\x80\x00", "text:hi ");
}

/* Red if the message is begun anew by a control frame. */
static void pings_come_between_the_parts_of_a_message(void **state) {
    (void)state;
    SAYS("\x89\x02hi", "ping:hi ");
    SAYS("\x01\x03hel\x89\x01p\x8a\x00\x80\x02lo", "ping:p pong: text:hello ");
}

/* Red if a code that no peer may send is taken, or a reason that is not text. */
static void a_close_tells_its_code(void **state) {
    (void)state;
    SAYS("\x88\x00", "close:1005");
    SAYS("\x88\x02\x03\xe9", "close:1001");
    SAYS("\x88\x06\x03\xe8now!\x81\x01x", "close:1000");
    SAYS("\x88\x02\x03\xed", "fault:1002"); /* 1005 */
    SAYS("\x88\x02\x03\xee", "fault:1002"); /* 1006 */
    SAYS("\x88\x02\x00\x00", "fault:1002");
    SAYS("\x88\x01\x03", "fault:1002");
    SAYS("\x88\x04\x03\xe8\xc3\x28", "fault:1007");
}

/* Each line red without its check. */
static void what_breaks_the_protocol_is_a_fault(void **state) {
    (void)state;
    SAYS("\x81\x85\x01\x02\x03\x04hello", "fault:1002"); /* masked */
    SAYS("\xc1\x05hello", "fault:1002");                 /* reserved bits */
    SAYS("\xa1\x05hello", "fault:1002");
    SAYS("\x91\x05hello", "fault:1002");
    SAYS("\x83\x01x", "fault:1002"); /* opcodes that there are not */
    SAYS("\x8b\x01x", "fault:1002");
    SAYS("\x80\x01x", "fault:1002");          /* goes on where nothing began */
    SAYS("\x01\x01x\x81\x01y", "fault:1002"); /* begins in the middle */
    SAYS("\x09\x01x", "fault:1002");          /* a control frame in parts */
    SAYS("\x89\x7e", "fault:1002");           /* and one that is too long */
    SAYS("\x81\x7e\x00\x7d", "fault:1002");   /* a length in more bytes than it takes */
    SAYS("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", "fault:1002");
    SAYS("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "fault:1002"); /* the highest bit */
    SAYS("\x81\x01\xff", "fault:1007");
}

/* Red if a length is believed before it is held against the bound: told by the head alone. */
static void a_message_that_would_be_too_long_is_refused_by_its_head(void **state) {
    (void)state;
    SAYS("\x82\x7f\x00\x00\x00\x00\x00\x01\x11\x71", "fault:1009");
    SAYS("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", "fault:1009");
    says_of(BYTES("\x02\x05hello\x80\x04long"), 8, "fault:1009");
    says_of(BYTES("\x02\x05hello\x80\x03rld"), 8, "binary:hellorld ");
}

/* Red if lengths of 8 bytes are read as something else. */
static void long_messages_come_through(void **state) {
    (void)state;
    static const uint8_t head[] = {0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70}, middle[] = {0x82, 126, 0x01, 0x00};
    struct buffer stream;
    buffer_init(&stream, 1 << 20);
    for (int i = 0; i < 3; i++) {
        buffer_add(&stream, head, sizeof head);
        memset(buffer_reserve(&stream, MOST), 'x', MOST);
        stream.length += MOST;
        buffer_add(&stream, middle, sizeof middle);
        memset(buffer_reserve(&stream, 256), 'y', 256);
        stream.length += 256;
    }
    says_of(buffer_bytes(&stream), MOST,
            "binary:70000 bytes binary:256 bytes binary:70000 bytes binary:256 bytes binary:70000 bytes "
            "binary:256 bytes ");
    buffer_release(&stream);
}

/* Red if memory is taken for what was announced: only what came costs any. */
static void announced_bytes_cost_no_memory(void **state) {
    (void)state;
    struct server_frames frames;
    struct server_said said;
    size_t used;
    server_frames_init(&frames, SIZE_MAX / 4);
    enum server_step step = server_frames_read(&frames,
                                               BYTES("\x82\x7f\x00\x00\x00\x7f\xff\xff\xff\xff"
                                                     "abc"),
                                               &used, &said);
    assert_int_equal(step, SERVER_STEP_MORE);
    assert_true(frames.message.capacity < 4096);
    server_frames_release(&frames);
}

/* Red if something depends on where the bytes are cut, or anything is read behind them (sanitizers). */
static void random_bytes_say_the_same_in_any_pieces(void **state) {
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        char *bytes = malloc(64);
        assert_non_null(bytes);
        random_bytes(bytes, 64);
        for (unsigned i = 0; i < 64; i += 8) { /* mostly heads that could be */
            bytes[i] = (char)(bytes[i] & 0x8b);
            bytes[i + 1] = (char)(bytes[i + 1] & 0x07);
        }
        struct buffer whole, pieces;
        buffer_init(&whole, 64 * 1024);
        buffer_init(&pieces, 64 * 1024);
        read_in_pieces((struct bytes){bytes, 64}, 64, 48, &whole);
        read_in_pieces((struct bytes){bytes, 64}, 1 + round % 5, 48, &pieces);
        assert_true(bytes_equal(buffer_bytes(&whole), buffer_bytes(&pieces)));
        buffer_release(&whole);
        buffer_release(&pieces);
        free(bytes);
    }
}

/* Red without the doubling, the cap, or the chance. */
static void who_fails_again_waits_for_up_to_twice_as_long(void **state) {
    (void)state;
    struct retry retry = {0};
    static const int64_t most[] = {500, 1000, 2000, 4000, 8000, 16000, 20000, 20000};
    for (unsigned i = 0; i < 8; i++) {
        struct retry again = retry;
        assert_int_equal(retry_wait_ms(&again, (uint64_t)most[i]), most[i]);
        assert_int_equal(retry_wait_ms(&retry, (uint64_t)most[i] + 1), 0);
    }
    for (unsigned i = 0; i < 1000; i++) {
        int64_t wait = retry_wait_ms(&retry, random_u64());
        assert_true(wait >= 0 && wait <= RETRY_MOST_MS);
    }
    retry = (struct retry){0};
    assert_int_equal(retry_wait_ms(&retry, 500), 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_told_whole_however_they_are_cut),
        cmocka_unit_test(pings_come_between_the_parts_of_a_message),
        cmocka_unit_test(a_close_tells_its_code),
        cmocka_unit_test(what_breaks_the_protocol_is_a_fault),
        cmocka_unit_test(a_message_that_would_be_too_long_is_refused_by_its_head),
        cmocka_unit_test(long_messages_come_through),
        cmocka_unit_test(announced_bytes_cost_no_memory),
        cmocka_unit_test(random_bytes_say_the_same_in_any_pieces),
        cmocka_unit_test(who_fails_again_waits_for_up_to_twice_as_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
