/* What a reactor bounds: connections and waits; and what fails on the way. */
#include "http_world.h"
#include "net_system.h"
#include "base/metrics.h"
#include "net/reactor_state.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST(path, length) "POST " path " HTTP/1.1\r\nHost: x\r\nContent-Length: " length "\r\n\r\n"

static struct world *start(void) {
    struct reactor_settings settings = world_settings();
    return world_start(&settings);
}

/* Red when a connection over the limit is kept, or one is refused below it. */
static void a_connection_over_the_limit_is_closed_at_once(void **state) {
    (void)state;
    struct reactor_settings settings = world_settings();
    settings.max_connections = 2;
    struct world *world = world_start(&settings);
    int64_t refused = metric_value(METRIC_CONNECTIONS_REFUSED);
    struct client one = client_connect(world);
    struct client two = client_connect(world);
    world_wait_for_open(2);
    struct client three = client_connect(world);
    client_expect_gone(&three);
    assert_int_equal(metric_value(METRIC_CONNECTIONS_REFUSED), refused + 1);
    client_close(&three);
    client_close(&one);
    world_wait_for_open(1);
    three = client_connect(world);
    client_say(&three, GET("/now"));
    client_expect(&three, 200, "now");
    client_say(&two, GET("/now"));
    client_expect(&two, 200, "now");
    client_close(&two);
    client_close(&three);
    world_stop(world, 0);
}

static void let_time_pass_for_the_idle(struct world *world) {
    struct reactor *reactor = world->reactor;
    for (uint32_t slot = 0; slot < reactor->slots_touched; slot++)
        if (reactor->connections[slot].wait.kind == WAIT_IDLE)
            reactor->connections[slot].wait.until_us -= LIMIT_KEPT_IDLE_MS * 1000;
}

/* Red when connections that only sit there keep everybody else out, or the wrong one gives way: who spoke last, or who
 * has just asked something. */
static void at_the_limit_the_longest_idle_gives_way(void **state) {
    (void)state;
    struct reactor_settings settings = world_settings();
    settings.max_connections = 3;
    struct world *world = world_start(&settings);
    struct client silent = client_connect(world);
    world_wait_for_open(1);
    struct client second = client_connect(world);
    world_wait_for_open(2);
    struct client third = client_connect(world);
    world_wait_for_open(3);
    world_do(world, let_time_pass_for_the_idle);
    client_say(&second, GET("/now"));
    client_expect(&second, 200, "now");
    struct client fresh = client_connect(world);
    client_expect_end(&silent);
    client_say(&fresh, GET("/now"));
    client_expect(&fresh, 200, "now");
    struct client fifth = client_connect(world);
    client_say(&fifth, GET("/now"));
    client_expect(&fifth, 200, "now");
    client_expect_end(&third);
    struct client last = client_connect(world);
    client_expect_gone(&last);
    client_say(&second, GET("/now"));
    client_expect(&second, 200, "now");
    client_close(&silent);
    client_close(&second);
    client_close(&third);
    client_close(&fresh);
    client_close(&fifth);
    client_close(&last);
    world_stop(world, 0);
}

/* On the reactor's thread: the request is in the socket before the reactor reads it, and so is the connection that
 * wants the place. */
static struct client asking, coming;

static void ask_and_come(struct world *world) {
    let_time_pass_for_the_idle(world);
    coming = client_connect(world);
    client_say(&asking, GET("/now"));
}

/* Red when the one that gives way had a request under way, which is lost. */
static void who_has_just_asked_does_not_give_way(void **state) {
    (void)state;
    struct reactor_settings settings = world_settings();
    settings.max_connections = 1;
    struct world *world = world_start(&settings);
    asking = client_connect(world);
    world_wait_for_open(1);
    world_do(world, ask_and_come);
    client_expect(&asking, 200, "now");
    client_expect_gone(&coming);
    client_close(&asking);
    client_close(&coming);
    world_stop(world, 0);
}

/* Red when a server out of descriptors spins (it would try thousands of times) or never recovers. */
static void a_server_out_of_descriptors_tries_again_later(void **state) {
    (void)state;
    struct world *world = start();
    atomic_store(&net_system.accepts, 0);
    atomic_store(&net_system.accepts_to_fail, UINT32_MAX);
    struct client client = client_connect(world);
    client_say(&client, GET("/now"));
    nanosleep(&(struct timespec){.tv_nsec = 250000000}, NULL);
    assert_true(atomic_load(&net_system.accepts) < 1000);
    atomic_store(&net_system.accepts_to_fail, 0);
    client_expect(&client, 200, "now");
    client_close(&client);
    world_stop(world, 0);
}

/* Red when the wait of a kind is missing: the test would never see the end. */
static void a_client_that_keeps_us_waiting_is_cut_off(void **state) {
    (void)state;
    struct reactor_settings settings = world_settings();
    settings.waits.head_ms = 30;
    settings.waits.body_ms = 30;
    struct world *world = world_start(&settings);
    int64_t timed_out = metric_value(METRIC_CONNECTIONS_TIMED_OUT);
    struct client client = client_connect(world);
    client_say(&client, GET("/now") "GET /now HTTP/1.1\r\nHost:");
    client_expect(&client, 200, "now");
    client_expect(&client, 408, "REQUEST_TIMEOUT -");
    client_expect_end(&client);
    client_close(&client);
    client = client_connect(world);
    client_say(&client, POST("/echo", "5") "hell");
    client_expect(&client, 408, "REQUEST_TIMEOUT -");
    client_expect_end(&client);
    client_close(&client);
    assert_int_equal(metric_value(METRIC_CONNECTIONS_TIMED_OUT), timed_out + 2);
    world_wait_for_open(0);
    world_stop(world, 0);
}

/* Red when an idle client gets an answer that it did not ask for, or empty lines keep it alive. */
static void an_idle_connection_is_closed_without_a_word(void **state) {
    (void)state;
    struct reactor_settings settings = world_settings();
    settings.waits.idle_ms = 50;
    struct world *world = world_start(&settings);
    struct client silent = client_connect(world);
    struct client polite = client_connect(world);
    struct client bored = client_connect(world);
    client_say(&polite, GET("/now"));
    client_say(&bored, "\r\n");
    client_expect(&polite, 200, "now");
    client_expect_end(&silent);
    client_expect_end(&polite);
    client_expect_end(&bored);
    client_close(&silent);
    client_close(&polite);
    client_close(&bored);
    world_wait_for_open(0);
    world_stop(world, 0);
}

/* Red when empty lines are free without end. */
static void empty_lines_are_counted_over_several_reads(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    for (int i = 0; i < LIMIT_EMPTY_LINES; i++) {
        client_say(&client, "\r\n");
        world_wait_for_parked(world, 0);
    }
    client_say(&client, GET("/now"));
    client_expect(&client, 200, "now");
    for (int i = 0; i < LIMIT_EMPTY_LINES; i++) {
        client_say(&client, "\r\n");
        world_wait_for_parked(world, 0);
    }
    client_say(&client, "\r\n");
    client_expect(&client, 400, "BAD_REQUEST there are too many empty lines before the request");
    client_expect_end(&client);
    client_close(&client);
    world_stop(world, 0);
}

static struct wait wait_of_first;

static void look_at_wait(struct world *world) {
    wait_of_first = world->reactor->connections[0].wait;
}

/* The deadline of the only connection, once it is of that kind. */
static int64_t deadline(struct world *world, enum wait_kind kind) {
    do {
        world_do(world, look_at_wait);
    } while (wait_of_first.kind != kind);
    return wait_of_first.until_us;
}

/* Red when a byte now and then keeps a half request alive, or a request done does not make the clock start anew. */
static void a_wait_begins_anew_with_each_request_only(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    client_say(&client, GET("/now"));
    client_expect(&client, 200, "now");
    int64_t idle = deadline(world, WAIT_IDLE);
    client_say(&client, "\r\n");
    assert_int_equal(deadline(world, WAIT_IDLE), idle);
    client_say(&client, GET("/now"));
    client_expect(&client, 200, "now");
    assert_true(deadline(world, WAIT_IDLE) > idle);

    client_say(&client, "GET /now ");
    int64_t head = deadline(world, WAIT_HEAD);
    client_say(&client, "HTTP/1.1\r\nHost:");
    assert_int_equal(deadline(world, WAIT_HEAD), head);
    client_say(&client, "x\r\n\r\nGET /now");
    client_expect(&client, 200, "now");
    assert_true(deadline(world, WAIT_HEAD) > head);
    client_say(&client, " HTTP/1.1\r\nHost: x\r\n\r\n");
    client_expect(&client, 200, "now");

    client_say(&client, POST("/echo", "3") "a");
    int64_t body = deadline(world, WAIT_BODY);
    client_say(&client, "b");
    assert_int_equal(deadline(world, WAIT_BODY), body);
    client_say(&client, "c" POST("/echo", "3") "a");
    client_expect(&client, 200, "abc");
    assert_true(deadline(world, WAIT_BODY) > body);
    client_close(&client);
    world_stop(world, 0);
}

static bool is_writing(struct world *world) {
    world_do(world, look_at_wait);
    return wait_of_first.kind == WAIT_WRITE;
}

/* Red when a reader that takes a little now and then is treated as one that takes nothing. */
static void a_reader_that_takes_something_has_time_again(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    client_say(&client, GET("/blob"));
    while (!is_writing(world))
        continue;
    int64_t first = wait_of_first.until_us;
    world_do(world, look_at_wait);
    assert_int_equal(wait_of_first.until_us, first);
    char taken[65536];
    bool is_later = false;
    for (size_t sum = 0; sum < BLOB_BYTES && !is_later;) {
        ssize_t got = recv(client.fd, taken, sizeof taken, 0);
        assert_true(got > 0);
        sum += (size_t)got;
        is_later = is_writing(world) && wait_of_first.until_us > first;
    }
    assert_true(is_later);
    client_close(&client);
    world_stop(world, 0);
}

/* Red when a parked exchange counts as idle. */
static void a_parked_exchange_is_not_idle(void **state) {
    (void)state;
    struct reactor_settings settings = world_settings();
    settings.waits.idle_ms = settings.waits.head_ms = settings.waits.body_ms = settings.waits.write_ms = 20;
    struct world *world = world_start(&settings);
    struct client parked = client_connect(world);
    client_say(&parked, POST("/park", "2") "ok");
    world_wait_for_parked(world, 1);
    struct client idle = client_connect(world);
    client_expect_end(&idle);
    client_close(&idle);
    assert_true(world_answer_parked(world));
    client_expect(&parked, 200, "parked");
    client_close(&parked);
    world_stop(world, 0);
}

/* Red when a reader that takes nothing is kept. */
static void a_reader_that_takes_nothing_is_cut_off(void **state) {
    (void)state;
    struct reactor_settings settings = world_settings();
    settings.waits.write_ms = 100;
    struct world *world = world_start(&settings);
    struct client client = client_connect(world);
    client_say(&client, GET("/blob"));
    world_wait_for_open(1);
    world_wait_for_open(0);
    client_expect_gone(&client);
    assert_true(client.input.length < BLOB_BYTES);
    client_close(&client);
    world_stop(world, 0);
}

/* Red when a little now and then is enough to keep, for good, what there is no memory for. */
static void a_reader_that_takes_a_little_is_cut_off_where_memory_is_short(void **state) {
    (void)state;
    struct world *world = start();
    struct blob *others = blob_new(LIMIT_BLOB_BYTES);
    struct client client = client_connect(world);
    assert_non_null(others);
    client_say(&client, GET("/blob"));
    char taken[32768];
    size_t sum = 0;
    ssize_t got;
    while ((got = recv(client.fd, taken, sizeof taken, 0)) > 0) {
        sum += (size_t)got;
        usleep(20000);
    }
    assert_true(got == 0 || errno == ECONNRESET);
    assert_true(sum < BLOB_BYTES);
    client_close(&client);
    blob_drop(others);
    world_stop(world, 0);
}

/* How many whole answers came. They have to be the beginning of what was asked for: the last may be cut, none left out.
 */
static unsigned whole_answers(const struct client *client) {
    static const size_t lengths[] = {BLOB_BYTES, 200000, 3};
    const char *at = client->input.at;
    size_t left = client->input.length;
    for (unsigned i = 0;; i++) {
        const char *body = left ? memmem(at, left, "\r\n\r\n", 4) : NULL;
        if (!body)
            return i;
        const char *field = memmem(at, (size_t)(body - at), "\r\nContent-Length: ", 18);
        assert_non_null(field);
        assert_true(i < 3);
        size_t length = strtoul(field + 18, NULL, 10);
        if (memcmp(at, "HTTP/1.1 503 ", 13) != 0)
            assert_int_equal(length, lengths[i]);
        size_t whole = (size_t)(body - at) + 4 + length;
        if (whole > left)
            return i;
        at += whole;
        left -= whole;
    }
}

/* Red when a failed allocation is not noticed, leaks, or takes more with it than its own connection. */
static void every_allocation_may_fail(void **state) {
    (void)state;
    struct world *world = start();
    bool was_hit = true;
    for (int n = 1; was_hit; n++) {
        assert_true(n < 100);
        struct client client = client_connect(world);
        client_say(&client, GET("/now"));
        client_expect(&client, 200, "now");
        world_wait_for_parked(world, 0);
        atomic_store(&net_system.allocation_to_fail, n);
        client_say(&client, GET("/blob") POST("/upload", "200000"));
        for (int i = 0; i < 200; i++)
            if (send(client.fd, world->blob->at, 1000, MSG_NOSIGNAL) < 0)
                break;
        (void)send(client.fd, GET("/now"), sizeof GET("/now") - 1, MSG_NOSIGNAL);
        ssize_t got = 1;
        while (whole_answers(&client) < 3 && got > 0)
            got = client_more(&client);
        assert_true(got >= 0 || errno == ECONNRESET);
        client_close(&client);
        world_wait_for_open(0);
        was_hit = atomic_exchange(&net_system.allocation_to_fail, 0) == 0;
        client = client_connect(world);
        client_say(&client, GET("/now"));
        client_expect(&client, 200, "now");
        client_close(&client);
        world_wait_for_open(0);
    }
    world_stop(world, 0);
}

static void corrupt(struct world *world) {
    assert(world->reactor->open_count == 2);
    const struct connection *idle = &world->reactor->connections[0];
    const struct connection *parked = &world->reactor->connections[1];
    assert(idle->state == CONNECTION_WAITING && connection_is_sound(idle));
    assert(parked->state == CONNECTION_PARKED && connection_is_sound(parked));
    struct output output = {.pending = 1};
    struct output nothing = {.pending = 0};
    char byte = 'a';

#define REFUSES(sound, change)                                                                                         \
    do {                                                                                                               \
        struct connection copy = *(sound);                                                                             \
        copy.change;                                                                                                   \
        assert(!connection_is_sound(&copy));                                                                           \
    } while (0)

    REFUSES(idle, state = CONNECTION_FREE);
    REFUSES(idle, state = CONNECTION_HEAD);
    REFUSES(idle, state = CONNECTION_BODY);
    REFUSES(idle, state = CONNECTION_PARKED);
    REFUSES(idle, state = CONNECTION_CLOSING);
    REFUSES(idle, state = CONNECTION_LINGERING);
    REFUSES(idle, state = CONNECTION_STATE_COUNT);
    REFUSES(idle, exchange.state = EXCHANGE_OPEN);
    REFUSES(idle, wait.kind = WAIT_NONE);
    REFUSES(idle, is_stuck = true);
    REFUSES(idle, output = &nothing);
    REFUSES(idle, output = &output);
    REFUSES(idle, input.at = world->reactor->input);
    REFUSES(idle, input.at = &byte);
    REFUSES(idle, input = ((struct input){&byte, 0, 1, 1}));
    REFUSES(idle, input = ((struct input){&byte, 0, 2, 1}));
    REFUSES(idle, input.end = 1);
    REFUSES(parked, exchange.state = EXCHANGE_NONE);
    REFUSES(parked, exchange.state = EXCHANGE_ANSWERED);
    REFUSES(parked, wait.kind = WAIT_IDLE);
    REFUSES(parked, state = CONNECTION_WAITING);
#undef REFUSES
}

/* Red when the invariant of a state is not checked: each line corrupts one connection in one way. */
static void a_corrupted_connection_is_not_sound(void **state) {
    (void)state;
    struct world *world = start();
    struct client idle = client_connect(world);
    client_say(&idle, GET("/now"));
    client_expect(&idle, 200, "now");
    struct client parked = client_connect(world);
    client_say(&parked, GET("/park"));
    world_wait_for_parked(world, 1);
    world_do(world, corrupt);
    client_close(&idle);
    client_close(&parked);
    world_stop(world, 0);
}

/* Red when an address that is none opens a socket, or one that is taken does. */
static void a_listener_opens_on_an_address_only(void **state) {
    (void)state;
    int fd = -1;
    uint16_t port = 0;
    static const char *const wrong[] = {"",         ":80",          "127.0.0.1", "127.0.0.1:",     "127.0.0.1:65536",
                                        "::1:80x",  "[::1:80",      "[]:80",     "[127.0.0.1]:80", "localhost:80",
                                        "1.2.3:80", "127.0.0.1:+1", "[::1] :80", " 127.0.0.1:80"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(listener_open(wrong[i], &fd, &port), RESULT_INVALID_FIELD);
    assert_int_equal(fd, -1);
    assert_int_equal(listener_open("203.0.113.1:0", &fd, &port), RESULT_IO_ERROR);
    assert_int_equal(listener_open("127.0.0.1:0", &fd, &port), RESULT_OK);
    assert_true(port != 0);
    char again[32];
    (void)snprintf(again, sizeof again, "127.0.0.1:%u", port);
    int second;
    assert_int_equal(listener_open(again, &second, &port), RESULT_OK);
    close(second);
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    (void)snprintf(again, sizeof again, "127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(listener_open(again, &second, &port), RESULT_IN_USE);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_over_the_limit_is_closed_at_once),
        cmocka_unit_test(at_the_limit_the_longest_idle_gives_way),
        cmocka_unit_test(who_has_just_asked_does_not_give_way),
        cmocka_unit_test(a_server_out_of_descriptors_tries_again_later),
        cmocka_unit_test(a_client_that_keeps_us_waiting_is_cut_off),
        cmocka_unit_test(an_idle_connection_is_closed_without_a_word),
        cmocka_unit_test(empty_lines_are_counted_over_several_reads),
        cmocka_unit_test(a_wait_begins_anew_with_each_request_only),
        cmocka_unit_test(a_reader_that_takes_something_has_time_again),
        cmocka_unit_test(a_parked_exchange_is_not_idle),
        cmocka_unit_test(a_reader_that_takes_nothing_is_cut_off),
        cmocka_unit_test(a_reader_that_takes_a_little_is_cut_off_where_memory_is_short),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_listener_opens_on_an_address_only),
        cmocka_unit_test(a_corrupted_connection_is_not_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
