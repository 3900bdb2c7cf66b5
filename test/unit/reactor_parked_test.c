/* Exchanges that are put off: answered by others, later, perhaps never; their clients wait, leave, or come back. */
#include "http_world.h"
#include "net/reactor_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <cmocka.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static struct world *start(void) {
    struct reactor_settings settings = world_settings();
    return world_start(&settings);
}

/* Red when a client that has shut its side is taken for gone. */
static void a_half_closed_client_gets_its_answers(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    client_say(&client, GET("/now") GET("/park") GET("/blob") "GET /half");
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    client_expect(&client, 200, "now");
    world_wait_for_parked(world, 1);
    assert_true(world_answer_parked(world));
    client_expect(&client, 200, "parked");
    client_expect_blob(&client, world);
    client_expect_end(&client);
    client_close(&client);
    client = client_connect(world);
    client_say(&client, GET("/blob") GET("/blob") GET("/now") GET("/blob") GET("/now"));
    assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
    client_expect_blob(&client, world);
    client_expect_blob(&client, world);
    client_expect(&client, 200, "now");
    client_expect_blob(&client, world);
    client_expect(&client, 200, "now");
    client_expect_end(&client);
    client_close(&client);
    world_wait_for_open(0);
    world_stop(world, 0);
}

/* Red when an answer is written to a connection whose client has gone, or to the next client in its slot. */
static void a_parked_exchange_is_stale_once_its_client_has_gone(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    client_say(&client, GET("/park"));
    world_wait_for_parked(world, 1);
    client_reset(&client);
    world_wait_for_open(0);
    client = client_connect(world);
    client_say(&client, GET("/park"));
    world_wait_for_parked(world, 2);
    assert_false(world_answer_parked(world));
    assert_true(world_answer_parked(world));
    client_expect(&client, 200, "parked");
    client_say(&client, GET("/now"));
    client_expect(&client, 200, "now");
    client_close(&client);
    world_stop(world, 0);
}

static bool has_buffer;

static void look_at_buffers(struct world *world) {
    has_buffer = world->reactor->connections[0].input.at || world->reactor->connections[0].output;
}

/* Red when a request that came in pieces leaves its buffer behind while its answer is put off. */
static void a_parked_exchange_keeps_no_buffer(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    client_say(&client, "POST /park HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n");
    world_wait_for_open(1);
    do
        world_do(world, look_at_buffers);
    while (!has_buffer);
    client_say(&client, "ok");
    world_wait_for_parked(world, 1);
    world_do(world, look_at_buffers);
    assert_false(has_buffer);
    assert_true(world_answer_parked(world));
    client_expect(&client, 200, "parked");
    client_close(&client);
    world_stop(world, 0);
}

static uint32_t generation_of_slot;
static bool was_stale;

static void look_at_first_slot(struct world *world) {
    generation_of_slot = world->reactor->connections[0].generation;
    was_stale = exchange_resume(world->parked[0]) == NULL;
}

/* Red when the name of an exchange, or what epoll calls a connection, fits the next one in its place. */
static void nothing_is_taken_for_what_was_there_before(void **state) {
    (void)state;
    struct world *world = start();
    struct client client = client_connect(world);
    client_say(&client, GET("/park") GET("/park"));
    world_wait_for_parked(world, 1);
    world_do(world, look_at_first_slot);
    assert_false(was_stale);
    assert_true(world_answer_parked(world));
    client_expect(&client, 200, "parked");
    world_wait_for_parked(world, 2);
    uint32_t generation = generation_of_slot;
    world_do(world, look_at_first_slot);
    assert_true(was_stale);
    assert_int_equal(generation_of_slot, generation);
    client_reset(&client);
    world_wait_for_open(0);
    client = client_connect(world);
    world_wait_for_open(1);
    world_do(world, look_at_first_slot);
    assert_int_not_equal(generation_of_slot, generation);
    client_close(&client);
    world_stop(world, 0);
}

static void answer_all(struct world *world) {
    while (world->answered_count < world->parked_count) {
        struct exchange *exchange = exchange_resume(world->parked[world->answered_count++]);
        if (exchange)
            exchange_reply(exchange, 200, (struct bytes){NULL, 0}, BYTES("parked"));
    }
}

/* Red when answers given in one envelope get mixed up between connections (or never leave). */
static void many_parked_exchanges_are_answered_together(void **state) {
    (void)state;
    struct world *world = start();
    struct client clients[100];
    for (int i = 0; i < 100; i++) {
        clients[i] = client_connect(world);
        client_say(&clients[i], GET("/park") GET("/now"));
    }
    world_wait_for_parked(world, 100);
    for (int i = 0; i < 100; i += 3)
        client_reset(&clients[i]);
    world_wait_for_open(66);
    world_do(world, answer_all);
    for (int i = 0; i < 100; i++) {
        if (i % 3 == 0)
            continue;
        client_expect(&clients[i], 200, "parked");
        client_expect(&clients[i], 200, "now");
        client_close(&clients[i]);
    }
    world_stop(world, 0);
}

static void *answer_in_a_loop(void *context) {
    struct world *world = context;
    for (int i = 0; i < 200; i++) {
        world_wait_for_parked(world, (unsigned)i + 1);
        assert(world_answer_parked(world));
    }
    return NULL;
}

/* Red (under TSan) when a resume from another thread touches what is the reactor's. */
static void another_thread_answers_what_is_parked(void **state) {
    (void)state;
    struct world *world = start();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, answer_in_a_loop, world), 0);
    struct client client = client_connect(world);
    for (int i = 0; i < 200; i++) {
        client_say(&client, GET("/now") GET("/park") GET("/now"));
        client_expect(&client, 200, "now");
        client_expect(&client, 200, "parked");
        client_expect(&client, 200, "now");
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    client_close(&client);
    world_stop(world, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_half_closed_client_gets_its_answers),
        cmocka_unit_test(a_parked_exchange_is_stale_once_its_client_has_gone),
        cmocka_unit_test(a_parked_exchange_keeps_no_buffer),
        cmocka_unit_test(nothing_is_taken_for_what_was_there_before),
        cmocka_unit_test(many_parked_exchanges_are_answered_together),
        cmocka_unit_test(another_thread_answers_what_is_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
