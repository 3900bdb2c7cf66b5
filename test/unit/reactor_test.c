/* Connections over real sockets: answers, their order and their cost, framing, pressure. */
#include "http_world.h"
#include "net_system.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST(path, length) "POST " path " HTTP/1.1\r\nHost: x\r\nContent-Length: " length "\r\n\r\n"

static struct world *start(void) {
    struct reactor_settings settings = world_settings();
    return world_start(&settings);
}

/* Red when a field that every answer has is left out, or the length is not the body's. */
static void an_answer_has_date_id_and_length(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    client_say(&client, "GET /now HTTP/1.1\r\nHost: x\r\nX-Request-Id: abc-1\r\n\r\n");
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 200);
    assert_true(answer_has(&answer, "\r\nX-Request-Id: abc-1\r\n"));
    assert_true(answer_has(&answer, "\r\nContent-Type: text/plain\r\n"));
    assert_true(answer_has(&answer, "\r\nContent-Length: 3\r\n"));
    assert_false(answer_has(&answer, "Connection"));
    const char *date = strstr(answer.head, "\r\nDate: ");
    assert_non_null(date);
    assert_memory_equal(date + 8 + 25, " GMT\r\n", 6);
    answer_release(&answer);
    char ids[2][64];
    for (int i = 0; i < 2; i++) {
        client_say(&client, "GET /now HTTP/1.1\r\nHost: x\r\nX-Request-Id: no\"t\r\n\r\n");
        answer = client_read(&client, false);
        assert_int_equal(sscanf(strstr(answer.head, "\r\nX-Request-Id: "), "\r\nX-Request-Id: %63s\r\n", ids[i]), 1);
        assert_int_equal(strlen(ids[i]), 16);
        answer_release(&answer);
    }
    assert_string_not_equal(ids[0], ids[1]);
    client_close(&client);
    world_stop(world, 0);
}

/* Red when HEAD gets a body, or 204 or 304 a body or a length. */
static void answers_without_a_body_have_none(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    client_say(&client, "HEAD /now HTTP/1.1\r\nHost: x\r\n\r\n"
                        "HEAD /blob HTTP/1.1\r\nHost: x\r\n\r\n" GET("/empty") GET("/unchanged") GET("/now"));
    struct answer answer = client_read(&client, true);
    assert_true(answer_has(&answer, "\r\nContent-Length: 3\r\n"));
    answer_release(&answer);
    answer = client_read(&client, true);
    assert_true(answer_has(&answer, "\r\nContent-Length: 8388608\r\n"));
    answer_release(&answer);
    answer = client_read(&client, false);
    assert_int_equal(answer.status, 204);
    assert_false(answer_has(&answer, "Content-Length"));
    answer_release(&answer);
    answer = client_read(&client, false);
    assert_int_equal(answer.status, 304);
    assert_true(answer_has(&answer, "\r\nETag: \"a\"\r\n"));
    assert_false(answer_has(&answer, "Content-Length"));
    answer_release(&answer);
    client_expect(&client, 200, "now");
    client_close(&client);
    world_stop(world, 0);
}

/* Red when a partial head or body is lost, doubled or moved between two reads. */
static void a_request_cut_anywhere_is_answered(void **state) {
    (void)state;
    struct world *world = start();
    static const char text[] = "\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5;x\r\nhello\r\n6\r\n world\r\n0\r\nA: b\r\n\r\n" POST("/echo", "3") "abc" GET("/now");
    size_t length = sizeof text - 1;
    struct client client = client_connect(world);
    for (size_t cut = 1; cut < length; cut++) {
        client_send(&client, (struct bytes){text, cut});
        world_wait_for_parked(world, 0); /* the reactor has been round */
        client_send(&client, (struct bytes){text + cut, length - cut});
        client_expect(&client, 200, "hello world");
        client_expect(&client, 200, "abc");
        client_expect(&client, 200, "now");
    }
    for (size_t i = 0; i < length; i++) {
        client_send(&client, (struct bytes){text + i, 1});
        world_wait_for_parked(world, 0);
    }
    client_expect(&client, 200, "hello world");
    client_expect(&client, 200, "abc");
    client_expect(&client, 200, "now");
    client_close(&client);
    world_stop(world, 0);
}

/* Red when an answer that is put off is overtaken, or what stands behind it is forgotten. */
static void pipelined_answers_keep_their_order(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    client_say(&client, GET("/now") GET("/park") GET("/blob") GET("/both") POST("/echo", "2") "hi" GET("/park")
                            GET("/park") GET("/small") GET("/gone") GET("/a/../b") GET("/park") GET("/now"));
    client_expect(&client, 200, "now");
    world_wait_for_parked(world, 1);
    assert_true(world_answer_parked(world));
    client_expect(&client, 200, "parked");
    client_expect_blob(&client, world);
    client_expect(&client, 200, "both");
    client_expect(&client, 200, "hi");
    for (unsigned parked = 2; parked <= 3; parked++) {
        world_wait_for_parked(world, parked);
        assert_true(world_answer_parked(world));
        client_expect(&client, 200, "parked");
    }
    client_expect(&client, 200, "small");
    client_expect(&client, 404, "NOT_FOUND -");
    client_expect(&client, 404, "NOT_FOUND -");
    world_wait_for_parked(world, 4);
    assert_true(world_answer_parked(world));
    client_expect(&client, 200, "parked");
    client_expect(&client, 200, "now");
    client_close(&client);
    world_stop(world, 0);
}

/* Red when an answer costs a system call or an allocation more than it has to: one read, one send, no memory, be it one
 * request or sixteen together. */
static void answers_to_one_event_cost_one_read_and_one_send(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    struct buffer sixteen;
    buffer_init(&sixteen, 4096);
    for (int i = 0; i < 16; i++)
        buffer_add_text(&sixteen, GET("/small"));
    for (int round = 0; round < 11; round++) {
        /* The first round warms up what is kept. */
        if (round == 1) {
            world_wait_for_parked(world, 0);
            atomic_store(&net_system.sends, 0);
            atomic_store(&net_system.receives, 0);
            atomic_store(&net_system.allocations, 0);
        }
        client_send(&client, buffer_bytes(&sixteen));
        for (int i = 0; i < 16; i++)
            client_expect(&client, 200, "small");
        client_say(&client, GET("/now"));
        client_expect(&client, 200, "now");
    }
    buffer_release(&sixteen);
    assert_int_equal(atomic_load(&net_system.sends), 20);
    assert_int_equal(atomic_load(&net_system.receives), 20);
    assert_int_equal(atomic_load(&net_system.allocations), 0);
    client_close(&client);
    world_stop(world, 0);
}

/* Red when an idle connection keeps a buffer, or its struct grows. */
static void an_idle_connection_costs_its_slot_only(void **state) {
    (void)state;
    assert_true(reactor_connection_bytes() <= 256);
    struct world *world = start();
    struct client first = client_connect(world);
    client_say(&first, GET("/now"));
    client_expect(&first, 200, "now");
    world_wait_for_parked(world, 0);
    atomic_store(&net_system.allocations, 0);
    struct client clients[20];
    for (int i = 0; i < 20; i++) {
        clients[i] = client_connect(world);
        client_say(&clients[i], GET("/now"));
        client_expect(&clients[i], 200, "now");
    }
    assert_int_equal(atomic_load(&net_system.allocations), 0);
    for (int i = 0; i < 20; i++)
        client_close(&clients[i]);
    client_close(&first);
    world_stop(world, 0);
}

/* Red when the rest of a send that the socket took in part is sent wrongly. */
static void an_answer_survives_sends_that_take_a_part(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    atomic_store(&net_system.most_of_one_send, 100003);
    client_say(&client, GET("/blob") GET("/now") GET("/blob"));
    client_expect_blob(&client, world);
    client_expect(&client, 200, "now");
    client_expect_blob(&client, world);
    atomic_store(&net_system.most_of_one_send, 7);
    client_say(&client, GET("/now") GET("/now"));
    client_expect(&client, 200, "now");
    client_expect(&client, 200, "now");
    atomic_store(&net_system.most_of_one_send, 0);
    client_close(&client);
    world_stop(world, 0);
}

/* Red when requests are read and handled on and on for a client that takes no answer, or when they are forgotten
 * once it does. */
static void a_client_that_reads_nothing_is_not_read_from(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    struct buffer request;
    buffer_init(&request, 65536);
    buffer_add_text(&request, POST("/echo", "30000"));
    while (request.length < sizeof(POST("/echo", "30000")) - 1 + 30000)
        buffer_add_char(&request, 'e');
    size_t sent = 0;
    while (sent < 256 * 1024 * 1024) {
        struct pollfd writable = {.fd = client.fd, .events = POLLOUT};
        if (poll(&writable, 1, 500) == 0)
            break;
        size_t at = sent % request.length;
        ssize_t part = send(client.fd, request.at + at, request.length - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        assert_true(part > 0 || errno == EAGAIN);
        sent += part > 0 ? (size_t)part : 0;
    }
    assert_true(sent < 256 * 1024 * 1024);
    size_t whole = sent / request.length;
    assert_true(whole > 0);
    for (size_t i = 0; i < whole; i++) {
        struct answer answer = client_read(&client, false);
        assert_int_equal(answer.status, 200);
        assert_int_equal(answer.body.length, 30000);
        answer_release(&answer);
    }
    client_send(&client, (struct bytes){request.at + sent % request.length, request.length - sent % request.length});
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.body.length, 30000);
    answer_release(&answer);
    buffer_release(&request);
    client_close(&client);
    world_stop(world, 0);
}

/* Red when the answers to what was read in one piece are all made before the first is sent. */
static void answers_that_nobody_takes_do_not_pile_up(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    enum { REQUESTS = 1500 };
    struct buffer requests;
    buffer_init(&requests, 1 << 20);
    for (int i = 0; i < REQUESTS; i++)
        buffer_add_text(&requests, GET("/large"));
    assert_true(requests.length < LIMIT_INPUT_BYTES);
    client_send(&client, buffer_bytes(&requests));
    buffer_release(&requests);
    for (int i = 0; i < 100; i++)
        world_wait_for_parked(world, 0);
    assert_true(atomic_load(&world->handled_count) < REQUESTS);
    for (int i = 0; i < REQUESTS; i++) {
        struct answer answer = client_read(&client, false);
        assert_int_equal(answer.status, 200);
        assert_int_equal(answer.body.length, LARGE_BYTES);
        answer_release(&answer);
    }
    client_close(&client);
    world_stop(world, 0);
}

static struct client greedy;
static struct client other;

static void send_all_and_end(struct world *world) {
    (void)world;
    for (int i = 0; i < 20; i++)
        client_say(&greedy, GET("/now"));
    assert_int_equal(shutdown(greedy.fd, SHUT_WR), 0);
    client_say(&other, GET("/count"));
    assert_int_equal(shutdown(other.fd, SHUT_WR), 0);
}

/* Red when one connection keeps all others waiting as long as it has something to read, or is not taken up again after
 * its turn (there will be no further event). */
static void connections_take_turns(void **state) {
    (void)state;
    struct world *world = start();
    greedy = client_connect(world);
    client_say(&greedy, GET("/now"));
    client_expect(&greedy, 200, "now");
    other = client_connect(world);
    client_say(&other, GET("/count"));
    client_expect(&other, 200, "1");
    atomic_store(&net_system.most_of_one_receive, 10);
    world_do(world, send_all_and_end);
    for (int i = 0; i < 20; i++)
        client_expect(&greedy, 200, "now");
    client_expect_end(&greedy);
    struct answer answer = client_read(&other, false);
    assert_in_range(strtoul(answer.body.at, NULL, 10), 2, 20);
    answer_release(&answer);
    atomic_store(&net_system.most_of_one_receive, 0);
    client_close(&greedy);
    client_close(&other);
    world_stop(world, 0);
}

/* Red when a body larger than one read is put together wrongly, in either framing. */
static void a_large_body_arrives_whole(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    size_t length = 3 * 1024 * 1024;
    struct bytes body = {world->blob->at, length};
    client_say(&client, POST("/upload", "3145728"));
    client_send(&client, body);
    client_say(&client, "POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < length; at += 32768) {
        client_say(&client, "8000\r\n");
        client_send(&client, (struct bytes){body.at + at, 32768});
        client_say(&client, "\r\n");
    }
    client_say(&client, "0\r\n\r\n" GET("/now"));
    for (int i = 0; i < 2; i++) {
        struct answer answer = client_read(&client, false);
        assert_int_equal(answer.status, 200);
        assert_true(bytes_equal(buffer_bytes(&answer.body), body));
        answer_release(&answer);
    }
    client_expect(&client, 200, "now");
    client_close(&client);
    world_stop(world, 0);
}

static const char *const faults[] = {
    "GET /now HTTP/1.1\nHost: x\n\n",
    "GET /now HTTP/1.1\r\nHost : x\r\n\r\n",
    "GET /now HTTP/1.1\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
};

/* Red when a connection is used on after a fault: the second request must never be seen. */
static void a_framing_fault_gets_one_answer_and_the_end(void **state) {
    (void)state;
    struct world *world = start();
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct client client = client_connect(world);
        client_say(&client, GET("/now"));
        client_say(&client, faults[i]);
        client_say(&client, GET("/now"));
        client_expect(&client, 200, "now");
        struct answer answer = client_read(&client, false);
        assert_int_equal(answer.status, 400);
        assert_true(answer_has(&answer, "\r\nConnection: close\r\n"));
        assert_true(answer_has(&answer, "\r\nX-Request-Id: "));
        assert_true(answer_has(&answer, "\r\nDate: "));
        answer_release(&answer);
        client_expect_end(&client);
        client_close(&client);
    }
    world_wait_for_open(0);
    assert_int_equal(atomic_load(&world->handled_count), sizeof faults / sizeof faults[0]);
    world_stop(world, 0);
}

/* Red when the server closes while the client still sends: the reset would destroy the answer on its way. */
static void an_answer_reaches_a_client_that_is_still_sending(void **state) {
    (void)state;
    struct world *world = start();
    for (int i = 0; i < 20; i++) {
        struct client client = client_connect(world);
        client_say(&client, POST("/echo", "4000000"));
        client_send(&client, (struct bytes){world->blob->at, 4000000});
        client_expect(&client, 413, "BODY_TOO_LARGE -");
        client_expect_end(&client);
        client_close(&client);
    }
    world_wait_for_open(0);
    world_stop(world, 0);
}

/* Red when a body that is not wanted is waited for. */
static void a_body_is_refused_by_its_length_alone(void **state) {
    (void)state;
    struct world *world = start();
    static const char *const requests[][2] = {
        {POST("/tiny", "9"), "BODY_TOO_LARGE -"},
        {POST("/tiny", "9999999999999999999"), "BODY_TOO_LARGE -"},
        {"POST /tiny HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n", "BODY_TOO_LARGE -"},
        {"POST /tiny HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", "BODY_TOO_LARGE -"},
        {"POST /gone HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", "NOT_FOUND -"},
        {"POST /a//b HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", "NOT_FOUND -"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\n\r\n", "LENGTH_REQUIRED -"},
    };
    static const unsigned statuses[] = {413, 413, 413, 413, 404, 404, 411};
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct client client = client_connect(world);
        client_say(&client, requests[i][0]);
        client_expect(&client, statuses[i], requests[i][1]);
        client_expect_end(&client);
        client_close(&client);
    }
    struct client client = client_connect(world);
    client_say(&client, POST("/tiny", "8") "12345678" GET("/now"));
    client_expect(&client, 404, "no such path");
    client_expect(&client, 200, "now");
    client_close(&client);
    world_stop(world, 0);
}

/* Red when 100 does not come at once, comes for a body that is here already, or comes to HTTP/1.0. */
static void a_client_that_asks_is_told_to_continue(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    static const char ask[] = "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    client_say(&client, ask);
    client_expect(&client, 100, "");
    client_say(&client, "abc");
    client_expect(&client, 200, "abc");
    client_say(&client, ask);
    client_expect(&client, 100, "");
    client_say(&client, "a");
    world_wait_for_parked(world, 0);
    client_say(&client, "bc");
    client_expect(&client, 200, "abc");
    struct buffer together;
    buffer_init(&together, 4096);
    buffer_add_text(&together, ask);
    buffer_add_text(&together, "abc");
    client_send(&client, buffer_bytes(&together));
    client_expect(&client, 200, "abc");
    buffer_release(&together);
    client_say(&client, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\na");
    world_wait_for_parked(world, 0);
    client_say(&client, "bc");
    client_expect(&client, 200, "abc");
    client_say(&client, "GET /now HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n");
    client_expect(&client, 200, "now");
    client_say(&client, "POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    world_wait_for_parked(world, 0);
    client_say(&client, "abc");
    client_expect(&client, 200, "abc");
    client_expect_end(&client);
    client_close(&client);
    world_stop(world, 0);
}

/* Red when a request does not say who sent it. */
static void a_client_is_known_by_its_address(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    client_say(&client, GET("/peer"));
    client_expect(&client, 200, "127.0.0.1");
    client_close(&client);
    world_stop(world, 0);
}

/* Red when the client's wish, or the handler's, to close is not followed. */
static void a_connection_ends_when_either_side_says_so(void **state) {
    (void)state;
    struct world *world = start();
    static const char *const requests[] = {
        "GET /now HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" GET("/now"),
        "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GET("/now"),
    };
    for (int i = 0; i < 2; i++) {
        struct client client = client_connect(world);
        client_say(&client, requests[i]);
        struct answer answer = client_read(&client, false);
        assert_int_equal(answer.status, 200);
        assert_true(answer_has(&answer, "\r\nConnection: close\r\n"));
        answer_release(&answer);
        client_expect_end(&client);
        client_close(&client);
    }
    struct client client = client_connect(world);
    client_say(&client, GET("/close") GET("/now"));
    client_expect(&client, 503, "close");
    client_expect_end(&client);
    client_close(&client);
    world_wait_for_open(0);
    world_stop(world, 0);
}

/* Red when bytes of another protocol get an answer. */
static void bytes_that_are_no_http_get_no_answer(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    client_send(&client, BYTES("\x16\x03\x01\x02\x00\x01"));
    client_expect_gone(&client);
    assert_int_equal(client.input.length, 0);
    client_close(&client);
    world_stop(world, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_date_id_and_length),
        cmocka_unit_test(answers_without_a_body_have_none),
        cmocka_unit_test(a_request_cut_anywhere_is_answered),
        cmocka_unit_test(pipelined_answers_keep_their_order),
        cmocka_unit_test(answers_to_one_event_cost_one_read_and_one_send),
        cmocka_unit_test(an_idle_connection_costs_its_slot_only),
        cmocka_unit_test(an_answer_survives_sends_that_take_a_part),
        cmocka_unit_test(a_client_that_reads_nothing_is_not_read_from),
        cmocka_unit_test(answers_that_nobody_takes_do_not_pile_up),
        cmocka_unit_test(connections_take_turns),
        cmocka_unit_test(a_large_body_arrives_whole),
        cmocka_unit_test(a_framing_fault_gets_one_answer_and_the_end),
        cmocka_unit_test(an_answer_reaches_a_client_that_is_still_sending),
        cmocka_unit_test(a_body_is_refused_by_its_length_alone),
        cmocka_unit_test(a_client_that_asks_is_told_to_continue),
        cmocka_unit_test(a_client_is_known_by_its_address),
        cmocka_unit_test(a_connection_ends_when_either_side_says_so),
        cmocka_unit_test(bytes_that_are_no_http_get_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
