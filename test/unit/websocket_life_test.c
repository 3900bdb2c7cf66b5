/* How a member's time ends: by its silence, its deafness, our stop; and what fails on the way. */
#include "net_system.h"
#include "socket_world.h"
#include "base/metrics.h"
#include "net/reactor_state.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <cmocka.h>

#define PING (WEBSOCKET_FINAL | WEBSOCKET_PING)
#define PONG (WEBSOCKET_FINAL | WEBSOCKET_PONG)
#define MEMBERS 5

static struct socket_world *world;

static void start(unsigned reactors) {
    struct reactor_settings settings = world_settings();
    world = socket_world_start(&settings, reactors);
}

static void stop(void) {
    socket_world_stop(world, 0);
    world = NULL;
}

/* Red when a reader that takes nothing is kept, be it for pushes or for the answers to its pings. */
static void a_member_that_takes_nothing_is_cut_off(void **state) {
    (void)state;
    struct reactor_settings settings = world_settings();
    settings.waits.write_ms = 50;
    world = socket_world_start(&settings, 1);
    struct client deaf = socket_join(world, 0);
    (void)socket_world_publish_until_behind(world);
    socket_world_wait_for_members(world, 0);
    client_close(&deaf);

    struct client flooding = socket_join(world, 0);
    struct buffer pings;
    buffer_init(&pings, SIZE_MAX / 4);
    char payload[WEBSOCKET_CONTROL_BYTES] = {0};
    for (int i = 0; i < 1000; i++)
        socket_write(&pings, PING, (struct bytes){payload, sizeof payload});
    size_t at = 0;
    for (ssize_t sent = 0; sent >= 0; at = (at + (size_t)sent) % pings.length)
        sent = send(flooding.fd, pings.at + at, pings.length - at, MSG_NOSIGNAL);
    assert_true(errno == ECONNRESET || errno == EPIPE);
    socket_world_wait_for_members(world, 0);
    buffer_release(&pings);
    client_close(&flooding);
    stop();
}

static void let_time_pass(struct world *at) {
    struct reactor *reactor = at->reactor;
    for (uint32_t slot = 0; slot < reactor->slots_touched; slot++) {
        struct wait *wait = &reactor->connections[slot].wait;
        if (wait->kind == WAIT_SILENT || wait->kind == WAIT_PONG)
            wait->until_us -= 60000000;
    }
}

/* Red when a silent member is not pinged, one that answers is closed, or one that does not is kept. */
static void a_silent_member_is_pinged_and_then_closed(void **state) {
    (void)state;
    start(1);
    struct client alive = socket_join(world, 0);
    struct client dead = socket_join(world, 0);
    int64_t timed_out = metric_value(METRIC_CONNECTIONS_TIMED_OUT);
    for (int i = 0; i < 3; i++) {
        world_do(&world->at[0], let_time_pass);
        socket_expect(&alive, PING, BYTES(""));
        socket_say(&alive, PONG, BYTES(""));
        socket_say(&alive, PING, BYTES("seen"));
        socket_expect(&alive, PONG, BYTES("seen"));
    }
    socket_expect(&dead, PING, BYTES(""));
    socket_expect_close(&dead, WEBSOCKET_GOING_AWAY);
    client_close(&dead);
    socket_world_wait_for_members(world, 1);
    assert_int_equal(metric_value(METRIC_CONNECTIONS_TIMED_OUT), timed_out + 1);
    /* Pushes are no sign of life. */
    world_do(&world->at[0], let_time_pass);
    socket_world_publish(world, "push");
    world_do(&world->at[0], let_time_pass);
    socket_expect(&alive, PING, BYTES(""));
    socket_expect_text(&alive, "push");
    socket_expect_close(&alive, WEBSOCKET_GOING_AWAY);
    client_close(&alive);
    stop();
}

/* Red when a stop does not tell members, does not tell who joins meanwhile, or cuts what they are being sent. */
static struct client joining;

static void join_and_stop(struct world *at) {
    client_say(&joining, JOIN);
    reactor_stop(at->reactor, 20000);
}

static void a_stop_says_that_we_are_going_away(void **state) {
    (void)state;
    start(1);
    struct client quiet = socket_join(world, 0);
    struct client slow = socket_join(world, 0);
    joining = client_connect(&world->at[0]);
    world_wait_for_open(3);
    unsigned count = socket_world_publish_until_behind(world);
    world_do(&world->at[0], join_and_stop);
    struct answer answer = client_read(&joining, false);
    assert_int_equal(answer.status, 101);
    assert_false(answer_has(&answer, "Connection: close"));
    answer_release(&answer);
    socket_expect_text(&joining, socket_large_text(count - 1));
    socket_expect_close(&joining, WEBSOCKET_GOING_AWAY);
    client_close(&joining);
    struct client *others[] = {&quiet, &slow};
    for (int i = 0; i < 2; i++) {
        struct heard heard;
        while ((heard = socket_hear(others[i])).first == (WEBSOCKET_FINAL | WEBSOCKET_TEXT))
            socket_use(others[i], &heard);
        socket_say(others[i], WEBSOCKET_FINAL | WEBSOCKET_CLOSE, BYTES("\x03\xe9"));
        socket_expect_close(others[i], WEBSOCKET_GOING_AWAY);
        client_close(others[i]);
    }
    socket_world_stop(world, 20000);
}

/* Red when the end of one member takes the push from others, in whatever place of the list it stands. */
static void a_member_that_is_gone_takes_nothing_from_the_others(void **state) {
    (void)state;
    for (unsigned gone = 0; gone < MEMBERS; gone++) {
        start(1);
        struct client clients[MEMBERS];
        for (unsigned i = 0; i < MEMBERS; i++)
            clients[i] = socket_join(world, 0);
        client_reset(&clients[gone]);
        socket_world_publish(world, "one");
        socket_world_settle(world);
        socket_world_wait_for_members(world, MEMBERS - 1);
        socket_world_publish(world, "two");
        for (unsigned i = 0; i < MEMBERS; i++) {
            if (i == gone)
                continue;
            socket_expect_text(&clients[i], "one");
            socket_expect_text(&clients[i], "two");
            client_close(&clients[i]);
        }
        stop();
    }
}

/* Red when a send that fails ends more than its own connection, or leaves a member behind that nobody can reach. */
static void every_send_may_fail(void **state) {
    (void)state;
    start(1);
    bool was_hit = true;
    for (int n = 1; was_hit; n++) {
        assert_true(n < 50);
        struct client clients[MEMBERS];
        for (unsigned i = 0; i < MEMBERS; i++)
            clients[i] = socket_join(world, 0);
        atomic_store(&net_system.most_of_one_send, 40000);
        atomic_store(&net_system.send_to_fail, n);
        socket_world_publish(world, socket_large_text(1));
        socket_world_settle(world);
        was_hit = atomic_exchange(&net_system.send_to_fail, 0) == 0;
        atomic_store(&net_system.most_of_one_send, 0);
        assert_int_equal(channel_members(world->channel), MEMBERS - was_hit);
        unsigned reached = 0;
        for (unsigned i = 0; i < MEMBERS; i++) {
            while (clients[i].input.length < LARGE_TEXT_BYTES + 4 && client_more(&clients[i]) > 0)
                continue;
            reached += clients[i].input.length == LARGE_TEXT_BYTES + 4;
            client_close(&clients[i]);
        }
        assert_int_equal(reached, MEMBERS - was_hit);
        socket_world_wait_for_members(world, 0);
        socket_world_set_newest(world, NULL);
    }
    stop();
}

/* Red when memory that is not to be had ends more than its own connection. */
static void every_allocation_may_fail(void **state) {
    (void)state;
    start(1);
    struct client witness = socket_join(world, 0);
    bool was_hit = true;
    for (int n = 1; was_hit; n++) {
        assert_true(n < 50);
        world_do(&world->at[0], socket_spend_spare_outputs);
        atomic_store(&net_system.most_of_one_send, 20000);
        struct client client = client_connect(&world->at[0]);
        socket_world_settle(world);
        atomic_store(&net_system.allocation_to_fail, n);
        client_say(&client, JOIN);
        (void)send(client.fd, "\x89\xfe", 1, MSG_NOSIGNAL);
        world_do(&world->at[0], socket_spend_spare_outputs);
        socket_world_publish(world, socket_large_text(1));
        socket_world_settle(world);
        world_do(&world->at[0], socket_spend_spare_outputs);
        (void)send(client.fd,
                   "\x80"
                   "abcd",
                   5, MSG_NOSIGNAL);
        (void)send(client.fd,
                   "\x88\x80"
                   "abcd",
                   6, MSG_NOSIGNAL);
        while (client_more(&client) > 0)
            continue;
        client_close(&client);
        world_wait_for_open(channel_members(world->channel));
        was_hit = atomic_exchange(&net_system.allocation_to_fail, 0) == 0;
        atomic_store(&net_system.most_of_one_send, 0);
        if (channel_members(world->channel) == 0) {
            client_close(&witness);
            witness = socket_join(world, 0);
            socket_expect_text(&witness, socket_large_text(1));
            continue;
        }
        socket_expect_text(&witness, socket_large_text(1));
    }
    client_close(&witness);
    stop();
}

static void corrupt(struct world *at) {
    const struct connection *member = &at->reactor->connections[0];
    assert(member->state == CONNECTION_MEMBER && connection_is_sound(member));
#define REFUSES(change)                                                                                                \
    do {                                                                                                               \
        struct connection copy = *member;                                                                              \
        copy.change;                                                                                                   \
        assert(!connection_is_sound(&copy));                                                                           \
    } while (0)
    REFUSES(member.part = NULL);
    REFUSES(member.is_pinged = true);
    REFUSES(member.is_behind = true);
    REFUSES(is_stuck = true);
    REFUSES(wait.kind = WAIT_IDLE);
    REFUSES(wait.kind = WAIT_NONE);
    REFUSES(wait.kind = WAIT_WRITE);
    REFUSES(wait.kind = WAIT_PONG);
    REFUSES(exchange.state = EXCHANGE_OPEN);
    REFUSES(state = CONNECTION_WAITING);
    REFUSES(state = CONNECTION_CLOSING);
    REFUSES(state = CONNECTION_PARKED);
    REFUSES(state = CONNECTION_FREE);
#undef REFUSES
}

/* Red when the invariant of a member is not checked: each line corrupts it in one way. */
static void a_corrupted_member_is_not_sound(void **state) {
    (void)state;
    start(1);
    struct client client = socket_join(world, 0);
    world_do(&world->at[0], corrupt);
    client_close(&client);
    stop();
}

static struct blob *nothing(void *context) {
    (void)context;
    return NULL;
}

/* Red when channels have no bound, or one that was freed counts on. */
static void there_are_so_many_channels_at_most(void **state) {
    (void)state;
    struct reactor_settings settings = world_settings();
    struct reactor *reactor;
    assert_int_equal(reactor_new(&settings, &reactor), RESULT_OK);
    static struct channel *channels[LIMIT_CHANNELS];
    struct channel_service service = {.catch_up = nothing};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < LIMIT_CHANNELS; i++)
            assert_int_equal(channel_new(&reactor, 1, &service, &channels[i]), RESULT_OK);
        struct channel *one_more = NULL;
        assert_int_equal(channel_new(&reactor, 1, &service, &one_more), RESULT_OVERLOADED);
        assert_null(one_more);
        for (size_t i = 0; i < LIMIT_CHANNELS; i++)
            channel_free(channels[i]);
    }
    reactor_free(reactor);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_that_takes_nothing_is_cut_off),
        cmocka_unit_test(a_silent_member_is_pinged_and_then_closed),
        cmocka_unit_test(a_stop_says_that_we_are_going_away),
        cmocka_unit_test(a_member_that_is_gone_takes_nothing_from_the_others),
        cmocka_unit_test(every_send_may_fail),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_corrupted_member_is_not_sound),
        cmocka_unit_test(there_are_so_many_channels_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
