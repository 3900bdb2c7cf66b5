/* A channel whose frames build on each other: who has something already, and who cannot be brought up to date. */
#include "socket_world.h"
#include "base/metrics.h"
#include "net/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct socket_world *world;

static void start(void) {
    struct reactor_settings settings = world_settings();
    world = socket_world_start(&settings, 1);
}

static void stop(void) {
    socket_world_stop(world, 1000);
}

static struct client join_from(const char *number) {
    struct client client = client_connect(&world->at[0]);
    char request[400];
    snprintf(request, sizeof request, "GET /live?from=%s%s", number, &JOIN[sizeof "GET /live" - 1]);
    client_say(&client, request);
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 101);
    answer_release(&answer);
    return client;
}

/* Red when who has something already is told the newest state instead, or as well. */
static void who_has_something_is_told_what_follows(void **state) {
    (void)state;
    start();
    socket_world_publish(world, "newest");
    unsigned before = atomic_load(&world->catch_ups);
    struct client one = join_from("41"), other = socket_join(world, 0);
    socket_expect_text(&one, "from 41");
    socket_expect_text(&other, "newest");
    assert_int_equal(atomic_load(&world->catch_ups), before + 1);
    socket_world_publish(world, "next");
    socket_expect_text(&one, "next");
    socket_expect_text(&other, "next");
    client_close(&one);
    client_close(&other);
    stop();
}

/* Red when somebody without the state is left in a channel where every frame builds on it. */
static void who_cannot_be_given_the_state_is_closed(void **state) {
    (void)state;
    start();
    world->channel->service.every_frame_counts = true;
    struct client client = socket_join(world, 0);
    socket_expect_close(&client, WEBSOCKET_TRY_AGAIN);
    client_close(&client);
    socket_world_wait_for_members(world, 0);
    stop();
}

static void publish_two(struct world *at) {
    (void)at;
    websocket_publish(world->channel, text_frame("first", 0));
    websocket_publish(world->channel, text_frame("second", 0));
}

/* Red when somebody who has missed a frame, and cannot be given the state, is told the next one all the same. */
static void who_cannot_be_given_what_they_missed_is_cut_off(void **state) {
    (void)state;
    start();
    world->channel->service.every_frame_counts = true;
    socket_world_set_newest(world, text_frame("state", 0));
    struct client client = socket_join(world, 0);
    socket_expect_text(&client, "state");
    socket_world_set_newest(world, NULL);
    world_do(&world->at[0], publish_two);
    socket_world_wait_for_members(world, 0);
    client_expect_gone(&client);
    client_close(&client);
    stop();
}

/* Red when what pushing costs is not known, by which the tick is set. */
static void what_pushing_costs_is_counted(void **state) {
    (void)state;
    start();
    struct client clients[5];
    for (unsigned i = 0; i < 5; i++)
        clients[i] = socket_join(world, 0);
    struct websocket_cost before = websocket_cost();
    for (unsigned i = 0; i < 20; i++) {
        socket_world_publish(world, "news");
        socket_world_settle(world);
    }
    struct websocket_cost after = websocket_cost();
    assert_int_equal(after.sends - before.sends, 100);
    assert_true(after.cpu_ns > before.cpu_ns);
    for (unsigned i = 0; i < 5; i++)
        client_close(&clients[i]);
    stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_something_is_told_what_follows),
        cmocka_unit_test(who_cannot_be_given_the_state_is_closed),
        cmocka_unit_test(who_cannot_be_given_what_they_missed_is_cut_off),
        cmocka_unit_test(what_pushing_costs_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
