/* How a reactor ends: what is under way is finished, as long as there is time. */
#include "http_world.h"
#include "net/reactor_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST(path, length) "POST " path " HTTP/1.1\r\nHost: x\r\nContent-Length: " length "\r\n\r\n"

static struct world *start(void) {
    struct reactor_settings settings = world_settings();
    return world_start(&settings);
}

/* Red when a stop cuts off an answer under way, or leaves an idle connection open. */
static void a_stop_lets_answers_under_way_finish(void **state) {
    (void)state;
    struct world *world = start();
    struct client idle = client_connect(world);
    struct client parked = client_connect(world);
    struct client sending = client_connect(world);
    struct client slow = client_connect(world);
    struct client half = client_connect(world);
    client_say(&parked, GET("/park") GET("/now"));
    client_say(&sending, POST("/echo", "4") "ab");
    client_say(&slow, GET("/blob"));
    client_say(&half, "GET /now");
    world_wait_for_parked(world, 1);
    world_wait_for_open(5);
    reactor_stop(world->reactor, 20000);
    client_expect_end(&idle);
    client_expect_end(&half);
    client_say(&sending, "cd");
    client_expect(&sending, 200, "abcd");
    client_expect_end(&sending);
    client_close(&sending);
    client_expect_blob(&slow, world);
    client_expect_end(&slow);
    client_close(&slow);
    assert_true(world_answer_parked(world));
    struct answer answer = client_read(&parked, false);
    assert_int_equal(answer.status, 200);
    assert_true(answer_has(&answer, "\r\nConnection: close\r\n"));
    answer_release(&answer);
    client_expect_end(&parked);
    client_close(&parked);
    client_close(&idle);
    client_close(&half);
    world_stop(world, 20000);
}

static struct client known;
static struct client unknown;

static void ask_and_stop(struct world *world) {
    client_say(&known, GET("/now") GET("/now"));
    unknown = client_connect(world);
    client_say(&unknown, GET("/now"));
    reactor_stop(world->reactor, 20000);
}

/* Red when a request that is in the socket, or a connection that waits to be accepted, is dropped by a stop. */
static void a_stop_answers_what_has_arrived(void **state) {
    (void)state;
    struct world *world = start();
    known = client_connect(world);
    world_wait_for_open(1);
    world_do(world, ask_and_stop);
    struct client *clients[] = {&known, &unknown};
    for (int i = 0; i < 2; i++) {
        struct answer answer = client_read(clients[i], false);
        assert_int_equal(answer.status, 200);
        assert_true(answer_has(&answer, "\r\nConnection: close\r\n"));
        answer_release(&answer);
        client_expect_end(clients[i]);
        client_close(clients[i]);
    }
    world_stop(world, 20000);
}

struct late {
    struct envelope envelope;
    bool opened;
    bool was_stale;
    struct exchange_ref ref;
};

static void open_late(struct envelope *envelope, void *receiver) {
    struct late *late = (struct late *)envelope;
    (void)receiver;
    late->opened = true;
    late->was_stale = exchange_resume(late->ref) == NULL;
}

static struct late last_word;

static void stop_and_send(struct world *world) {
    last_word = (struct late){.envelope = {.open = open_late}, .ref = world->parked[0]};
    reactor_stop(world->reactor, 0);
    reactor_send(world->reactor, &last_word.envelope);
}

/* Red when a stop waits for ever for an exchange that nobody answers, or leaves an envelope unopened. */
static void a_stop_ends_when_its_time_is_up(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    client_say(&client, GET("/park"));
    world_wait_for_parked(world, 1);
    world_do(world, stop_and_send);
    assert_int_equal(pthread_join(world->thread, NULL), 0);
    client_expect_gone(&client);
    client_close(&client);
    assert_true(last_word.opened && last_word.was_stale);
    struct late late = {.envelope = {.open = open_late}, .ref = world->parked[0]};
    reactor_send(world->reactor, &late.envelope);
    reactor_free(world->reactor);
    assert_true(late.opened && late.was_stale);
    blob_drop(world->blob);
    blob_drop(world->small);
    free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_lets_answers_under_way_finish),
        cmocka_unit_test(a_stop_answers_what_has_arrived),
        cmocka_unit_test(a_stop_ends_when_its_time_is_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
