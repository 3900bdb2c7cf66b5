/* What is pushed to the members of a channel, to many of them and to slow ones. */
#include "net_system.h"
#include "socket_world.h"
#include "base/metrics.h"
#include "net/channel.h"
#include "net/reactor_state.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <cmocka.h>

#define PING (WEBSOCKET_FINAL | WEBSOCKET_PING)
#define PONG (WEBSOCKET_FINAL | WEBSOCKET_PONG)
#define MEMBERS 5
#define HUGE_BYTES (32 * 1024 * 1024) /* no socket takes it at once */

static struct socket_world *world;

static void start(unsigned reactors) {
    struct reactor_settings settings = world_settings();
    world = socket_world_start(&settings, reactors);
}

static void stop(void) {
    socket_world_stop(world, 0);
    world = NULL;
}

/* Red when a reactor or a member is left out, a push costs more than one send a member, or any allocation. */
static void a_push_is_one_send_a_member_and_nothing_else(void **state) {
    (void)state;
    start(2);
    struct client clients[2][MEMBERS];
    for (unsigned i = 0; i < 2 * MEMBERS; i++)
        clients[i % 2][i / 2] = socket_join(world, i % 2);
    assert_int_equal(channel_members(world->channel), 2 * MEMBERS);
    assert_int_equal(metric_value(METRIC_WEBSOCKETS_OPEN), 2 * MEMBERS);
    for (unsigned i = 0; i < 2; i++)
        world_do(&world->at[i], socket_spend_spare_outputs);
    static const char *const texts[] = {"one", "two", "three"};
    for (int i = 0; i < 3; i++) {
        int64_t counted = metric_value(METRIC_WEBSOCKET_FRAMES_SENT);
        unsigned sends = atomic_load(&net_system.sends);
        unsigned allocations = atomic_load(&net_system.allocations);
        socket_world_publish(world, texts[i]);
        socket_world_settle(world);
        assert_int_equal(atomic_load(&net_system.sends) - sends, 2 * MEMBERS);
        assert_int_equal(atomic_load(&net_system.allocations) - allocations, 0);
        assert_int_equal(metric_value(METRIC_WEBSOCKET_FRAMES_SENT) - counted, 2 * MEMBERS);
    }
    for (unsigned i = 0; i < 2 * MEMBERS; i++) {
        for (int j = 0; j < 3; j++)
            socket_expect_text(&clients[i % 2][i / 2], texts[j]);
        client_close(&clients[i % 2][i / 2]);
    }
    socket_world_wait_for_members(world, 0);
    assert_int_equal(metric_value(METRIC_WEBSOCKETS_OPEN), 0);
    stop();
}

/* Red when who joins is told nothing, or something although there is nothing to tell. */
static void who_joins_is_brought_up_to_date(void **state) {
    (void)state;
    start(1);
    struct client early = socket_join(world, 0);
    socket_world_publish(world, "state");
    struct client late = socket_join(world, 0);
    socket_expect_text(&early, "state");
    socket_expect_text(&late, "state");
    socket_world_publish(world, "news");
    socket_expect_text(&early, "news");
    socket_expect_text(&late, "news");
    client_close(&early);
    client_close(&late);
    stop();
}

static void publish_two(struct world *at) {
    (void)at;
    socket_world_publish(world, "old");
    socket_world_publish(world, "new");
}

/* Red when a frame that another has taken the place of is sent, or the newest is not, or twice. */
static void of_two_frames_at_once_the_newest_wins(void **state) {
    (void)state;
    start(1);
    struct client client = socket_join(world, 0);
    unsigned before = atomic_load(&world->catch_ups);
    world_do(&world->at[0], publish_two);
    socket_expect_text(&client, "new");
    assert_int_equal(atomic_load(&world->catch_ups), before + 1);
    socket_world_publish(world, "newer");
    socket_expect_text(&client, "newer");
    assert_int_equal(atomic_load(&world->catch_ups), before + 1);
    client_close(&client);
    stop();
}

/* Red when a member is sent a frame that its version says it knows, or none that it does not. */
static void nobody_is_told_what_they_know(void **state) {
    (void)state;
    start(1);
    socket_world_set_newest(world, text_frame("snapshot 7", 7));
    struct client client = socket_join(world, 0);
    websocket_publish(world->channel, text_frame("delta 6", 6));
    socket_world_settle(world);
    websocket_publish(world->channel, text_frame("delta 7", 7));
    socket_world_settle(world);
    websocket_publish(world->channel, text_frame("delta 8", 8));
    socket_expect_text(&client, "snapshot 7");
    socket_expect_text(&client, "delta 8");
    client_close(&client);
    stop();
}

/* How many members the round under way has not reached. */
static uint32_t left(const struct world *at) {
    return channel_part_on(world->channel, at->reactor)->left;
}

static void catch_up_within_a_round(struct world *at) {
    socket_world_publish(world, "new");
    (void)mailbox_open_all(&at->reactor->mailbox, at->reactor);
    assert(left(at) == 1);
    bool is_there = member_catch_up(&at->reactor->connections[0]);
    assert(is_there && left(at) == 0);
}

/* Red when a round brings its frame to who was told of it, or of a newer one, already. */
static void who_has_caught_up_is_left_out_of_the_round(void **state) {
    (void)state;
    start(1);
    struct client client = socket_join(world, 0);
    world_do(&world->at[0], catch_up_within_a_round);
    socket_world_publish(world, "newer");
    socket_expect_text(&client, "new");
    socket_expect_text(&client, "newer");
    client_close(&client);
    stop();
}

#define CROWD 1300 /* more than two turns' worth */
#define TURN 512

static uint32_t left_after[4];
static unsigned looks;

struct note {
    struct envelope envelope;
};

static struct note note;

/* Opened once a turn: it sends itself again. */
static void look_each_turn(struct envelope *envelope, void *receiver) {
    left_after[looks++] = left(&world->at[0]);
    if (looks == 2)
        socket_world_publish(world, "second");
    if (looks < 4)
        reactor_send(receiver, envelope);
}

static void publish_and_look(struct world *at) {
    socket_world_publish(world, "first");
    looks = 0;
    note.envelope.open = look_each_turn;
    reactor_send(at->reactor, &note.envelope);
}

/* Red when a push keeps the reactor from all others until it is done, when a frame that comes in the middle of it is
 * not what the rest gets, or when the first ones are forgotten in the round that begins then. */
static void a_push_to_a_crowd_goes_in_parts(void **state) {
    (void)state;
    struct reactor_settings settings = world_settings();
    settings.max_connections = CROWD;
    world = socket_world_start(&settings, 1);
    struct client *clients = calloc(CROWD, sizeof *clients);
    for (unsigned i = 0; i < CROWD; i++)
        clients[i] = socket_join(world, 0);
    unsigned caught_up = atomic_load(&world->catch_ups);
    world_do(&world->at[0], publish_and_look);
    socket_world_settle(world);
    assert_int_equal(looks, 4);
    assert_int_equal(left_after[0], CROWD);
    assert_int_equal(left_after[1], CROWD - TURN);
    /* What was published at the second look begins its round at the third. */
    assert_int_equal(left_after[2], CROWD);
    assert_int_equal(left_after[3], CROWD - TURN);
    unsigned first = 0;
    for (unsigned i = 0; i < CROWD; i++) {
        struct heard heard = socket_hear(&clients[i]);
        if (bytes_equal(heard.payload, BYTES("first"))) {
            first++;
            socket_use(&clients[i], &heard);
        }
        socket_expect_text(&clients[i], "second");
        client_close(&clients[i]);
    }
    assert_int_equal(first, 2 * TURN);
    assert_int_equal(atomic_load(&world->catch_ups) - caught_up, CROWD - 2 * TURN);
    free(clients);
    stop();
}

static void push_and_stop(struct world *at) {
    socket_world_publish(world, "first");
    (void)mailbox_open_all(&at->reactor->mailbox, at->reactor);
    reactor_stop(at->reactor, 0);
}

/* Red when a frame that was under way outlives the reactor. */
static void a_stop_in_the_middle_of_a_push_leaves_nothing(void **state) {
    (void)state;
    start(1);
    struct client *clients = calloc(TURN + 1, sizeof *clients);
    for (unsigned i = 0; i <= TURN; i++)
        clients[i] = socket_join(world, 0);
    world_do(&world->at[0], push_and_stop);
    for (unsigned i = 0; i <= TURN; i++) {
        client_expect_gone(&clients[i]);
        client_close(&clients[i]);
    }
    free(clients);
    stop();
}

static struct connection seen;

static void look_at_first(struct world *at) {
    seen = at->reactor->connections[0];
}

/* Reads frames with a rising number until that one comes. */
static void expect_rising_until(struct client *client, unsigned last) {
    unsigned number = 0;
    for (bool is_first = true;; is_first = false) {
        struct heard heard = socket_hear(client);
        assert_int_equal(heard.payload.length, LARGE_TEXT_BYTES);
        char digits[11] = {0};
        memcpy(digits, heard.payload.at, 10);
        unsigned next = (unsigned)strtoul(digits, NULL, 10);
        assert_true(is_first || next > number);
        number = next;
        socket_use(client, &heard);
        if (number == last)
            return;
    }
}

/* Red when frames pile up for who does not read them, a frame is cut, or the newest does not come in the end. */
static void a_slow_member_costs_nothing_and_gets_the_newest_later(void **state) {
    (void)state;
    start(1);
    struct client slow = socket_join(world, 0);
    unsigned count = socket_world_publish_until_behind(world);
    int64_t behind = metric_value(METRIC_WEBSOCKET_BEHIND);
    for (int i = 0; i < 50; i++) {
        socket_world_publish(world, socket_large_text(count++));
        socket_world_settle(world);
    }
    assert_int_equal(metric_value(METRIC_WEBSOCKET_BEHIND), behind);
    world_do(&world->at[0], look_at_first);
    assert_true(seen.member.is_behind && seen.wait.kind == WAIT_WRITE && !seen.input.at);
    /* The newest, and one that was sent in part. */
    assert_true(blob_live_bytes() <= 2 * (LARGE_TEXT_BYTES + 10));
    expect_rising_until(&slow, count - 1);
    socket_world_publish(world, "on time again");
    socket_expect_text(&slow, "on time again");
    socket_say(&slow, PING, BYTES("and heard"));
    socket_expect(&slow, PONG, BYTES("and heard"));
    client_close(&slow);
    stop();
}

static struct client reading;

static void read_what_is_there(struct client *client) {
    for (int quiet_ms = 0; quiet_ms < 20;) {
        char *room = buffer_reserve(&client->input, 65536);
        ssize_t got = recv(client->fd, room, 65536, MSG_DONTWAIT);
        if (got > 0) {
            client->input.length += (size_t)got;
            quiet_ms = 0;
        } else {
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
            quiet_ms++;
        }
    }
}

/* The client has read all that was sent, and there is room in the socket, but the reactor has not heard of it. */
static void read_and_push(struct world *at) {
    assert(at->reactor->connections[0].output);
    read_what_is_there(&reading);
    socket_world_publish(world, "new");
    (void)mailbox_open_all(&at->reactor->mailbox, at->reactor);
    channels_push(at->reactor);
    assert(at->reactor->connections[0].member.is_behind);
}

/* Red when a frame is sent while a part of another waits. */
static void a_frame_never_comes_between_the_parts_of_another(void **state) {
    (void)state;
    start(1);
    char *huge = malloc(HUGE_BYTES + 1);
    memset(huge, 'h', HUGE_BYTES);
    huge[HUGE_BYTES] = 0;
    reading = socket_join(world, 0);
    socket_world_publish(world, huge);
    socket_world_settle(world);
    world_do(&world->at[0], read_and_push);
    socket_expect_text(&reading, huge);
    socket_expect_text(&reading, "new");
    client_close(&reading);
    free(huge);
    stop();
}

/* Red when what a socket did not take of a frame is lost or sent twice. */
static void a_frame_that_is_taken_in_parts_comes_whole(void **state) {
    (void)state;
    start(1);
    struct client client = socket_join(world, 0);
    atomic_store(&net_system.most_of_one_send, 7000);
    for (unsigned i = 0; i < 20; i++) {
        socket_world_publish(world, socket_large_text(i));
        socket_expect_text(&client, socket_large_text(i));
    }
    atomic_store(&net_system.most_of_one_send, 0);
    client_close(&client);
    stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_push_is_one_send_a_member_and_nothing_else),
        cmocka_unit_test(who_joins_is_brought_up_to_date),
        cmocka_unit_test(of_two_frames_at_once_the_newest_wins),
        cmocka_unit_test(nobody_is_told_what_they_know),
        cmocka_unit_test(who_has_caught_up_is_left_out_of_the_round),
        cmocka_unit_test(a_push_to_a_crowd_goes_in_parts),
        cmocka_unit_test(a_stop_in_the_middle_of_a_push_leaves_nothing),
        cmocka_unit_test(a_slow_member_costs_nothing_and_gets_the_newest_later),
        cmocka_unit_test(a_frame_that_is_taken_in_parts_comes_whole),
        cmocka_unit_test(a_frame_never_comes_between_the_parts_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
