/* A WebSocket from its handshake to its close, as one client sees it. */
#include "socket_world.h"
#include "base/sha1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define TEXT (WEBSOCKET_FINAL | WEBSOCKET_TEXT)
#define BINARY (WEBSOCKET_FINAL | WEBSOCKET_BINARY)
#define CONTINUATION (WEBSOCKET_FINAL | WEBSOCKET_CONTINUATION)
#define PING (WEBSOCKET_FINAL | WEBSOCKET_PING)
#define PONG (WEBSOCKET_FINAL | WEBSOCKET_PONG)
#define CLOSE (WEBSOCKET_FINAL | WEBSOCKET_CLOSE)

static struct socket_world *world;

static int set_up(void **state) {
    (void)state;
    struct reactor_settings settings = world_settings();
    world = socket_world_start(&settings, 1);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    socket_world_stop(world, 0);
    return 0;
}

static void check_digest(struct bytes text, const char *wanted) {
    uint8_t digest[SHA1_BYTES];
    char hex[2 * SHA1_BYTES + 1] = {0};
    sha1(text, digest);
    hex_encode(digest, sizeof digest, hex);
    assert_string_equal(hex, wanted);
}

/* Red when any step of the digest is wrong. The vectors are NIST's; the lengths around a block's end are compared with
 * what sha1sum says. */
static void the_digest_is_that_of_the_standard(void **state) {
    (void)state;
    check_digest(BYTES(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    check_digest(BYTES("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    check_digest(BYTES("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                 "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    char *million = malloc(1000000);
    memset(million, 'a', 1000000);
    check_digest((struct bytes){million, 1000000}, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    check_digest((struct bytes){million, 55}, "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    check_digest((struct bytes){million, 56}, "c2db330f6083854c99d4b5bfb6e8f29f201be699");
    check_digest((struct bytes){million, 63}, "03f09f5b158a7a8cdad920bddc29b81c18a551f5");
    check_digest((struct bytes){million, 64}, "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    check_digest((struct bytes){million, 119}, "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56");
    check_digest((struct bytes){million, 120}, "f34c1488385346a55709ba056ddd08280dd4c6d6");
    free(million);
}

/* Red when the accept value is not that of RFC 6455 1.3, or something is agreed to that nobody speaks. */
static void a_handshake_is_answered_and_nothing_else_agreed_to(void **state) {
    (void)state;
    socket_world_set_newest(world, text_frame("state", 0));
    struct client client = client_connect(&world->at[0]);
    client_say(&client, "GET /live HTTP/1.1\r\nHost: x\r\nUPGRADE: h2c, WebSocket\r\nConnection: keep-alive\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n"
                        "Sec-WebSocket-Extensions: permessage-deflate\r\nX-Request-Id: mine\r\n\r\n");
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 101);
    assert_true(answer_has(&answer, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert_true(answer_has(&answer, "\r\nUpgrade: websocket\r\n"));
    assert_true(answer_has(&answer, "\r\nConnection: Upgrade\r\n"));
    assert_true(answer_has(&answer, "\r\nX-Request-Id: mine\r\n"));
    assert_false(answer_has(&answer, "Content-Length"));
    assert_false(answer_has(&answer, "Sec-WebSocket-Protocol"));
    assert_false(answer_has(&answer, "Sec-WebSocket-Extensions"));
    answer_release(&answer);
    socket_expect_text(&client, "state");
    assert_int_equal(channel_members(world->channel), 1);
    client_close(&client);
    socket_world_wait_for_members(world, 0);
}

#define START "GET /live HTTP/1.1\r\nHost: x\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"

/* Red when a handshake that is not RFC 6455's is accepted, or gets the wrong answer. */
static void a_bad_handshake_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        unsigned status;
    } rows[] = {
        {START "\r\n", 426},
        {START CONNECTION KEY VERSION "\r\n", 426},
        {START UPGRADE KEY VERSION "\r\n", 426},
        {START UPGRADE "Connection: upgrades, x\r\n" KEY VERSION "\r\n", 426},
        {START "Upgrade: websocket2\r\n" CONNECTION KEY VERSION "\r\n", 426},
        {START UPGRADE CONNECTION KEY "\r\n", 426},
        {START UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426},
        {START UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 013\r\n\r\n", 426},
        {START UPGRADE CONNECTION KEY VERSION VERSION "\r\n", 400},
        {START UPGRADE CONNECTION VERSION "\r\n", 400},
        {START UPGRADE CONNECTION KEY KEY VERSION "\r\n", 400},
        {START UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: \r\n\r\n", 400},
        {START UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n\r\n", 400},
        {START UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=a\r\n\r\n", 400},
        {START UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ===\r\n\r\n", 400},
        {START UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQA=\r\n\r\n", 400},
        {START UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub2=jZQ==\r\n\r\n", 400},
        {START UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ====\r\n\r\n", 400},
        {START UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n\r\n", 400},
        {"POST /live HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" UPGRADE CONNECTION KEY VERSION "\r\n", 400},
        {START UPGRADE CONNECTION KEY VERSION "Content-Length: 1\r\n\r\na", 400},
        {"GET /live HTTP/1.0\r\nHost: x\r\n" UPGRADE CONNECTION KEY VERSION "\r\n", 426},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client client = client_connect(&world->at[0]);
        client_say(&client, rows[i].text);
        client_expect(&client, rows[i].status, rows[i].status == 426 ? "UPGRADE_REQUIRED" : "BAD_REQUEST");
        client_close(&client);
    }
    assert_int_equal(channel_members(world->channel), 0);
}

/* Red when what comes in the same read as the handshake is lost, or requests before it are. */
static void what_comes_behind_the_handshake_is_frames(void **state) {
    (void)state;
    struct client client = client_connect(&world->at[0]);
    struct buffer text;
    buffer_init(&text, SIZE_MAX / 4);
    buffer_add_text(&text, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n" JOIN);
    socket_write(&text, PING, BYTES("at once"));
    client_send(&client, buffer_bytes(&text));
    client_expect(&client, 200, "now");
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 101);
    answer_release(&answer);
    socket_expect(&client, PONG, BYTES("at once"));
    client_close(&client);
    buffer_release(&text);
}

/* Red when a message is answered, its end is not found, or its bytes are not counted over all of its frames. */
static void messages_are_read_and_ignored_up_to_the_limit(void **state) {
    (void)state;
    struct client client = socket_join(world, 0);
    char *bytes = calloc(1, LIMIT_WEBSOCKET_MESSAGE_BYTES + 1);
    struct bytes most = {bytes, LIMIT_WEBSOCKET_MESSAGE_BYTES};
    for (int i = 0; i < 3; i++) {
        socket_say(&client, TEXT, most);
        socket_say(&client, BINARY, most);
        socket_say(&client, WEBSOCKET_BINARY, (struct bytes){bytes, most.length - 2});
        socket_say(&client, PING, BYTES("between"));
        socket_say(&client, WEBSOCKET_CONTINUATION, (struct bytes){bytes, 2});
        socket_say(&client, CONTINUATION, BYTES(""));
        socket_say(&client, PONG, BYTES("unasked"));
        socket_expect(&client, PONG, BYTES("between"));
    }
    socket_say(&client, WEBSOCKET_TEXT, most);
    socket_say(&client, WEBSOCKET_CONTINUATION, BYTES(""));
    socket_say(&client, CONTINUATION, BYTES("a"));
    socket_expect_close(&client, WEBSOCKET_TOO_LARGE);
    client_close(&client);

    /* By the head alone: nothing of the payload is sent, not even its mask. */
    client = socket_join(world, 0);
    client_send(&client, (struct bytes){"\x82\xfe\x10\x01", 4});
    socket_expect_close(&client, WEBSOCKET_TOO_LARGE);
    client_close(&client);
    free(bytes);
}

/* Red when a ping is not answered with its own payload, or one that comes byte by byte is not put together. */
static void a_ping_is_answered_with_its_payload(void **state) {
    (void)state;
    struct client client = socket_join(world, 0);
    char payload[WEBSOCKET_CONTROL_BYTES];
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (char)(i * 7);
    struct buffer text;
    buffer_init(&text, SIZE_MAX / 4);
    for (size_t length = 0; length <= sizeof payload; length += 25) {
        buffer_clear(&text);
        socket_write(&text, PING, (struct bytes){payload, length});
        for (size_t i = 0; i < text.length; i++)
            client_send(&client, (struct bytes){text.at + i, 1});
        socket_expect(&client, PONG, (struct bytes){payload, length});
    }
    buffer_release(&text);
    client_close(&client);
}

/* Red when a close is not echoed with its code, TCP goes on after it, or more is said. */
static void a_close_is_echoed_and_then_tcp_ends(void **state) {
    (void)state;
    socket_world_set_newest(world, text_frame("state", 0));
    static const struct {
        struct bytes payload;
        uint16_t code;
    } rows[] = {
        {{"", 0}, WEBSOCKET_NO_CODE}, {{"\x03\xe8", 2}, 1000}, {{"\x03\xe9gone \xe2\x82\xac", 10}, 1001},
        {{"\x03\xeb", 2}, 1003},      {{"\x03\xf6", 2}, 1014}, {{"\x0b\xb8", 2}, 3000},
        {{"\x13\x87", 2}, 4999},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client client = socket_join(world, 0);
        socket_expect_text(&client, "state");
        socket_say(&client, CLOSE, rows[i].payload);
        socket_say(&client, PING, BYTES("too late"));
        socket_expect_close(&client, rows[i].code);
        client_close(&client);
    }
    world_wait_for_open(0);
}

struct fault {
    const char *what;
    struct bytes bytes;
    uint16_t code;
};

#define FAULT(what, code, literal)                                                                                     \
    { what, BYTES(literal), code }
#define MASK "\x00\x00\x00\x00"

static unsigned code_of(const struct heard *close) {
    const uint8_t *payload = (const uint8_t *)close->payload.at;
    return close->payload.length < 2 ? 0 : payload[0] * 256u + payload[1];
}

/* Red when a fault is not seen, or told with another code. */
static void a_fault_closes_with_its_code(void **state) {
    (void)state;
    static const struct fault rows[] = {
        FAULT("RSV1", 1002, "\xc1\x80" MASK),
        FAULT("RSV2", 1002, "\xa1\x80" MASK),
        FAULT("RSV3", 1002, "\x91\x80" MASK),
        FAULT("opcode 3", 1002, "\x83\x80" MASK),
        FAULT("opcode 11", 1002, "\x8b\x80" MASK),
        FAULT("not masked", 1002,
              "\x81\x01"
              "a"),
        FAULT("a control frame in fragments", 1002, "\x09\x80" MASK),
        FAULT("a control frame that is long", 1002, "\x89\xfe\x00\x7e" MASK),
        FAULT("a continuation of nothing", 1002, "\x80\x80" MASK),
        FAULT("a new message inside another", 1002, "\x01\x80" MASK "\x81\x80" MASK),
        FAULT("a length of 125 in two bytes", 1002, "\x81\xfe\x00\x7d" MASK),
        FAULT("a length of 65535 in eight bytes", 1002, "\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff" MASK),
        FAULT("a length with its highest bit set", 1002, "\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00" MASK),
        FAULT("a huge length", 1009, "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" MASK),
        FAULT("4097 bytes", 1009, "\x82\xfe\x10\x01"),
        FAULT("a close with half a code", 1002, "\x88\x81" MASK "\x03"),
        FAULT("close code 999", 1002, "\x88\x82" MASK "\x03\xe7"),
        FAULT("close code 1004", 1002, "\x88\x82" MASK "\x03\xec"),
        FAULT("close code 1005", 1002, "\x88\x82" MASK "\x03\xed"),
        FAULT("close code 1006", 1002, "\x88\x82" MASK "\x03\xee"),
        FAULT("close code 1015", 1002, "\x88\x82" MASK "\x03\xf7"),
        FAULT("close code 2999", 1002, "\x88\x82" MASK "\x0b\xb7"),
        FAULT("close code 5000", 1002, "\x88\x82" MASK "\x13\x88"),
        FAULT("a reason that is not UTF-8", 1007, "\x88\x83" MASK "\x03\xe8\xff"),
        FAULT("a reason cut in a character", 1007, "\x88\x83" MASK "\x03\xe8\xc3"),
        FAULT("a byte that begins nothing", 1007, "\x81\x81" MASK "\x80"),
        FAULT("a text cut in a character", 1007, "\x81\x82" MASK "\xe2\x82"),
        FAULT("a surrogate", 1007, "\x81\x83" MASK "\xed\xa0\x80"),
        FAULT("an overlong form", 1007, "\x81\x82" MASK "\xc0\x80"),
        FAULT("above the last character", 1007, "\x81\x84" MASK "\xf4\x90\x80\x80"),
        FAULT("a character cut by two frames, and wrong", 1007, "\x01\x81" MASK "\xe2\x80\x81" MASK "\x28"),
        FAULT("the first byte that is wrong, the rest to come", 1007, "\x81\xfe\x10\x00" MASK "\xff"),
        FAULT("an empty end of a character that is cut", 1007, "\x01\x81" MASK "\xe2\x80\x80" MASK),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client client = socket_join(world, 0);
        client_send(&client, rows[i].bytes);
        struct heard heard = socket_hear(&client);
        unsigned code = code_of(&heard);
        if (heard.first != CLOSE || code != rows[i].code)
            fail_msg("%s: first byte %02x, code %u", rows[i].what, heard.first, code);
        socket_use(&client, &heard);
        client_expect_end(&client);
        client_close(&client);
    }
}

/* Red when well-formed text is refused: every character that is the first or last of its length, over frames that cut
 * it at every byte. */
static void a_text_may_be_cut_anywhere(void **state) {
    (void)state;
    static const struct bytes text = BYTES("\x00\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
                                           "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
    struct client client = socket_join(world, 0);
    for (size_t cut = 0; cut <= text.length; cut++) {
        socket_say(&client, WEBSOCKET_TEXT, (struct bytes){text.at, cut});
        socket_say(&client, CONTINUATION, (struct bytes){text.at + cut, text.length - cut});
    }
    socket_say(&client, PING, BYTES("still here"));
    socket_expect(&client, PONG, BYTES("still here"));
    client_close(&client);
}

/* Red when a length of the server's own frames is not in its shortest form, or wrong. */
static void a_frame_has_its_length_in_the_shortest_form(void **state) {
    (void)state;
    static const struct {
        size_t length, head;
        const char *start;
    } rows[] = {
        {0, 2, "\x82\x00"},
        {125, 2, "\x82\x7d"},
        {126, 4, "\x82\x7e\x00\x7e"},
        {65535, 4, "\x82\x7e\xff\xff"},
        {65536, 10, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"},
    };
    char *payload = malloc(65536);
    memset(payload, 'p', 65536);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct blob *frame = websocket_frame(false, (struct bytes){payload, rows[i].length});
        assert_int_equal(frame->length, rows[i].head + rows[i].length);
        assert_memory_equal(frame->at, rows[i].start, rows[i].head);
        assert_memory_equal(frame->at + rows[i].head, payload, rows[i].length);
        blob_drop(frame);
    }
    struct blob *text = websocket_frame(true, BYTES("a"));
    assert_memory_equal(text->at,
                        "\x81\x01"
                        "a",
                        3);
    blob_drop(text);
    free(payload);
}

/* Red when a client that ends without a close stays a member. */
static void a_client_that_just_goes_is_no_member_any_more(void **state) {
    (void)state;
    struct client polite = socket_join(world, 0);
    struct client rude = socket_join(world, 0);
    struct client halfway = socket_join(world, 0);
    client_send(&halfway, BYTES("\x81"));
    assert_int_equal(channel_members(world->channel), 3);
    client_close(&polite);
    client_reset(&rude);
    client_close(&halfway);
    socket_world_wait_for_members(world, 0);
    world_wait_for_open(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_is_that_of_the_standard),
        cmocka_unit_test(a_frame_has_its_length_in_the_shortest_form),
        cmocka_unit_test_setup_teardown(a_handshake_is_answered_and_nothing_else_agreed_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_handshake_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_comes_behind_the_handshake_is_frames, set_up, tear_down),
        cmocka_unit_test_setup_teardown(messages_are_read_and_ignored_up_to_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ping_is_answered_with_its_payload, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_close_is_echoed_and_then_tcp_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_fault_closes_with_its_code, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_text_may_be_cut_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_that_just_goes_is_no_member_any_more, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
