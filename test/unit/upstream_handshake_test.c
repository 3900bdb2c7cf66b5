/* A client's side of the handshake: what is asked, and which answers are believed. */
#include "engines/upstream/handshake.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

/* The key of RFC 6455 1.3, "the sample nonce", and what it is answered with. */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static struct handshake of_the_rfc(void) {
    struct handshake handshake;
    handshake_init(&handshake, (const uint8_t *)"the sample nonce");
    return handshake;
}

#define GOOD                                                                                                           \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT   \
    "\r\n"

static enum handshake_step step_of(struct bytes answer, unsigned *status) {
    struct handshake handshake = of_the_rfc();
    size_t used;
    return handshake_read(&handshake, answer, &used, status);
}

static void is(enum handshake_step wanted, const char *answer) {
    unsigned status = 0;
    if (step_of(bytes_of(answer), &status) != wanted)
        fail_msg("%s", answer);
}

/* Red if a field is missing or the key is not the one drawn. */
static void the_request_asks_for_a_websocket(void **state) {
    (void)state;
    struct handshake handshake = of_the_rfc();
    struct buffer out;
    buffer_init(&out, 2048);
    handshake_write(&handshake, "127.0.0.1:8080", "/live?since=1", &out);
    buffer_add_char(&out, '\0');
    assert_string_equal(out.at, "GET /live?since=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    buffer_release(&out);
}

/* Red if the accept is not what RFC 6455 says, or if what follows the head is taken for a part of it. */
static void an_answer_to_this_request_is_believed(void **state) {
    (void)state;
    struct handshake handshake = of_the_rfc();
    size_t used = 0;
    unsigned status;
    struct bytes answer = BYTES(GOOD "\r\n\x81\x01x");
    assert_int_equal(handshake_read(&handshake, answer, &used, &status), HANDSHAKE_DONE);
    assert_int_equal(used, answer.length - 3);
    is(HANDSHAKE_DONE, "HTTP/1.1 101\r\nuPGRADE:WebSocket  \r\nConnection: keep-alive, Upgrade\r\nServer: any\r\n"
                       "Sec-WebSocket-Accept:\t" ACCEPT "\r\n\r\n");
}

/* Red if a head is judged before it is whole. */
static void a_part_of_a_head_says_nothing_yet(void **state) {
    (void)state;
    static const char good[] = GOOD "\r\n";
    unsigned status;
    for (size_t length = 0; length < sizeof good - 1; length++)
        assert_int_equal(step_of((struct bytes){good, length}, &status), HANDSHAKE_MORE);
}

/* Each line red without its check. */
static void an_answer_that_proves_nothing_is_a_fault(void **state) {
    (void)state;
    is(HANDSHAKE_FAULT, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    is(HANDSHAKE_FAULT, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n");
    is(HANDSHAKE_FAULT,
       "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n");
    is(HANDSHAKE_FAULT,
       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n");
    is(HANDSHAKE_FAULT, GOOD "Upgrade: h2c\r\n\r\n");
    is(HANDSHAKE_FAULT, GOOD "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n");
    is(HANDSHAKE_FAULT, GOOD "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    is(HANDSHAKE_FAULT, GOOD "Sec-WebSocket-Protocol: chat\r\n\r\n");
    is(HANDSHAKE_FAULT, GOOD " folded: x\r\n\r\n");
    is(HANDSHAKE_FAULT, GOOD ": nameless\r\n\r\n");
    is(HANDSHAKE_FAULT, "HTTP/1.0 101 Switching Protocols\r\n\r\n");
    is(HANDSHAKE_FAULT, "HTTP/1.1 1o1 Switching Protocols\r\n\r\n");
    is(HANDSHAKE_FAULT, "SSH-2.0-OpenSSH_9.2p1\r\n\r\n");
    is(HANDSHAKE_FAULT, "\r\n\r\n");
}

/* Red if the status is lost. */
static void another_status_is_a_refusal(void **state) {
    (void)state;
    unsigned status = 0;
    assert_int_equal(step_of(BYTES("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), &status), HANDSHAKE_REFUSED);
    assert_int_equal(status, 404);
    is(HANDSHAKE_REFUSED, "HTTP/1.1 200 OK\r\n\r\n");
}

/* Red without the bound: an endless head would be kept for ever. */
static void a_head_that_does_not_end_is_a_fault(void **state) {
    (void)state;
    static char endless[LIMIT_UPSTREAM_HEAD_BYTES + 1];
    unsigned status;
    memset(endless, 'x', sizeof endless);
    memcpy(endless, GOOD, sizeof GOOD - 1);
    assert_int_equal(step_of((struct bytes){endless, sizeof endless - 1}, &status), HANDSHAKE_MORE);
    assert_int_equal(step_of((struct bytes){endless, sizeof endless}, &status), HANDSHAKE_FAULT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_asks_for_a_websocket),  cmocka_unit_test(an_answer_to_this_request_is_believed),
        cmocka_unit_test(a_part_of_a_head_says_nothing_yet), cmocka_unit_test(an_answer_that_proves_nothing_is_a_fault),
        cmocka_unit_test(another_status_is_a_refusal),       cmocka_unit_test(a_head_that_does_not_end_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
