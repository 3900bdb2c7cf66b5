/* The chunked coding: content comes out, everything else is dropped, and neither depends on how the bytes were cut. */
#include "net/http_chunks.h"
#include "base/panic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

struct decoded {
    enum http_step step;
    enum result result; /* of a fault */
    size_t consumed;
    char body[4096];
    size_t length;
};

/* Decodes in pieces of the given sizes, each in a buffer of its own exact size. */
static struct decoded decode_cut(struct bytes input, size_t first, uint64_t max_body) {
    struct decoded decoded = {.step = HTTP_STEP_MORE};
    struct http_chunks chunks;
    http_chunks_init(&chunks, max_body);
    while (decoded.step == HTTP_STEP_MORE && decoded.consumed < input.length) {
        size_t part = input.length - decoded.consumed < first ? input.length - decoded.consumed : first;
        char *exact = malloc(part);
        memcpy(exact, input.at + decoded.consumed, part);
        size_t consumed = 0;
        size_t length = 0;
        struct http_fault fault;
        decoded.step = http_chunks_decode(&chunks, exact, part, &consumed, &length, &fault);
        assert_true(decoded.step != HTTP_STEP_MORE || consumed == part);
        assert_true(length <= consumed && decoded.length + length <= sizeof decoded.body);
        memcpy(decoded.body + decoded.length, exact, length);
        free(exact);
        decoded.consumed += consumed;
        decoded.length += length;
        if (decoded.step == HTTP_STEP_FAULT)
            decoded.result = fault.result;
    }
    return decoded;
}

struct accepted {
    struct bytes input;
    const char *body;
    size_t rest; /* bytes of the next request */
};

static const struct accepted accepted[] = {
    {BYTES("0\r\n\r\n"), "", 0},
    {BYTES("5\r\nhello\r\n0\r\n\r\n"), "hello", 0},
    {BYTES("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET"), "hello world", 3},
    {BYTES("00000005\r\nhello\r\n0000\r\n\r\n"), "hello", 0},
    {BYTES("c\r\nhello\r\n0\r\n\r\n\r\n0\r\n\r\n"), "hello\r\n0\r\n\r\n", 0},
    {BYTES("A\r\n0123456789\r\n0\r\n\r\n"), "0123456789", 0},
    {BYTES("1;a\r\nx\r\n0;b=\"c\"; d\r\n\r\n"), "x", 0},
    {BYTES("1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\nrest"), "x", 4},
};

/* Red when content is cut wrongly or anything but content gets through, at any cut. */
static void content_comes_out_however_it_is_cut(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        for (size_t first = 1; first <= accepted[i].input.length; first++) {
            struct decoded decoded = decode_cut(accepted[i].input, first, 1000);
            if (decoded.step != HTTP_STEP_DONE)
                fail_msg("row %zu cut at %zu: step %d", i, first, (int)decoded.step);
            assert_true(bytes_equal((struct bytes){decoded.body, decoded.length}, bytes_of(accepted[i].body)));
            assert_int_equal(decoded.consumed, accepted[i].input.length - accepted[i].rest);
        }
    }
}

static const struct bytes refused[] = {
    BYTES("\r\n"),
    BYTES("g\r\n"),
    BYTES("0x5\r\nhello\r\n0\r\n\r\n"),
    BYTES("-1\r\n"),
    BYTES("+5\r\nhello\r\n"),
    BYTES(" 5\r\nhello\r\n"),
    BYTES("5 \r\nhello\r\n"),
    BYTES("5 ;a\r\nhello\r\n"),
    BYTES("5\nhello\r\n"),
    BYTES("5\rhello\r\n"),
    BYTES("000000005\r\nhello\r\n"),
    BYTES("100000005\r\nhello\r\n"),
    BYTES("5_\r\nhello\r\n"),
    BYTES(";a\r\n"),
    BYTES("5;a\nhello\r\n"),
    BYTES("5;\x01\r\nhello\r\n"),
    BYTES("5\r\nhello0\r\n\r\n"),
    BYTES("5\r\nhello\n0\r\n\r\n"),
    BYTES("5\r\nhello\r0\r\n\r\n"),
    BYTES("4\r\nhello\r\n0\r\n\r\n"),
    BYTES("0\r\n\n"),
    BYTES("0\r\n\rx"),
    BYTES("0\r\n A: b\r\n\r\n"),
    BYTES("0\r\nA : b\r\n\r\n"),
    BYTES("0\r\nA\r\n\r\n"),
    BYTES("0\r\n: b\r\n\r\n"),
    BYTES("0\r\nA: b\r\n c\r\n\r\n"),
    BYTES("0\r\nA: b\n\r\n"),
    BYTES("0\r\nA: b\rc\r\n\r\n"),
    BYTES("0\r\nA: \0\r\n\r\n"),
};

/* Red when any of the refusals is taken out of the decoder. */
static void bad_framing_is_refused_however_it_is_cut(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        for (size_t first = 1; first <= refused[i].length; first++) {
            struct decoded decoded = decode_cut(refused[i], first, 1000);
            if (decoded.step != HTTP_STEP_FAULT || decoded.result != RESULT_BAD_REQUEST)
                fail_msg("row %zu cut at %zu: step %d", i, first, (int)decoded.step);
        }
    }
}

/* Red when the limit is off by one, counts a chunk at a time, or waits for the content itself. */
static void a_body_over_its_limit_is_refused_by_the_size_alone(void **state) {
    (void)state;
    assert_int_equal(decode_cut(BYTES("5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n"), 100, 10).step, HTTP_STEP_DONE);
    struct decoded decoded = decode_cut(BYTES("5\r\nhello\r\n6\r\n"), 100, 10);
    assert_int_equal(decoded.step, HTTP_STEP_FAULT);
    assert_int_equal(decoded.result, RESULT_BODY_TOO_LARGE);
    decoded = decode_cut(BYTES("ffffffff\r\n"), 100, 10);
    assert_int_equal(decoded.result, RESULT_BODY_TOO_LARGE);
    assert_int_equal(decode_cut(BYTES("0\r\n\r\n"), 100, 0).step, HTTP_STEP_DONE);
    assert_int_equal(decode_cut(BYTES("1\r\n"), 100, 0).result, RESULT_BODY_TOO_LARGE);
}

static enum http_step decode_repeated(const char *start, const char *part, size_t times) {
    struct buffer text;
    buffer_init(&text, 1 << 20);
    buffer_add_text(&text, start);
    for (size_t i = 0; i < times; i++)
        buffer_add_text(&text, part);
    enum http_step step = decode_cut(buffer_bytes(&text), text.length, UINT64_MAX).step;
    buffer_release(&text);
    return step;
}

/* Red when extensions or trailers without end are read on and on, be they one long one or many short ones. */
static void what_is_dropped_is_bounded_too(void **state) {
    (void)state;
    assert_int_equal(decode_repeated("1;", "a", LIMIT_CHUNK_EXTENSION_BYTES), HTTP_STEP_MORE);
    assert_int_equal(decode_repeated("1;", "a", LIMIT_CHUNK_EXTENSION_BYTES + 1), HTTP_STEP_FAULT);
    assert_int_equal(decode_repeated("", "1;abcdefgh\r\nx\r\n", LIMIT_CHUNK_EXTENSION_BYTES / 8), HTTP_STEP_MORE);
    assert_int_equal(decode_repeated("", "1;abcdefgh\r\nx\r\n", LIMIT_CHUNK_EXTENSION_BYTES / 8 + 1), HTTP_STEP_FAULT);
    assert_int_equal(decode_repeated("0\r\nA:", "a", LIMIT_TRAILER_BYTES - 2), HTTP_STEP_MORE);
    assert_int_equal(decode_repeated("0\r\nA:", "a", LIMIT_TRAILER_BYTES - 1), HTTP_STEP_FAULT);
    assert_int_equal(decode_repeated("0\r\n", "A:b\r\n", LIMIT_TRAILER_BYTES / 4), HTTP_STEP_MORE);
    assert_int_equal(decode_repeated("0\r\n", "A:b\r\n", LIMIT_TRAILER_BYTES / 4 + 1), HTTP_STEP_FAULT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_comes_out_however_it_is_cut),
        cmocka_unit_test(bad_framing_is_refused_however_it_is_cut),
        cmocka_unit_test(a_body_over_its_limit_is_refused_by_the_size_alone),
        cmocka_unit_test(what_is_dropped_is_bounded_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
