/* What is pushed to the members of a channel, and how long they stay members. */
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

/* So that every output has to be allocated. */
static void spend_spare_outputs(struct world *at) {
    output_pool_release(&at->reactor->outputs);
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
        world_do(&world->at[i], spend_spare_outputs);
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

#define CROWD 1300 /* more than two turns' worth */
#define TURN 512

static uint32_t left_after[4];
static unsigned looks;

static uint32_t left(const struct world *at) {
    return channel_part_on(world->channel, at->reactor)->left;
}

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

static char large[60001];

static const char *large_text(unsigned number) {
    memset(large, 'x', sizeof large - 1);
    (void)snprintf(large, 12, "%010u", number);
    large[10] = 'x';
    return large;
}

static struct connection seen;

static void look_at_first(struct world *at) {
    seen = at->reactor->connections[0];
}

/* Publishes large frames until the member does not take them any more. Returns how many. */
static unsigned publish_until_behind(void) {
    int64_t before = metric_value(METRIC_WEBSOCKET_BEHIND);
    unsigned count = 0;
    while (metric_value(METRIC_WEBSOCKET_BEHIND) == before) {
        assert_true(count < 2000);
        socket_world_publish(world, large_text(count++));
        socket_world_settle(world);
    }
    return count;
}

/* Reads frames with a rising number until that one comes. */
static void expect_rising_until(struct client *client, unsigned last) {
    unsigned number = 0;
    for (bool is_first = true;; is_first = false) {
        struct heard heard = socket_hear(client);
        assert_int_equal(heard.payload.length, sizeof large - 1);
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
    unsigned count = publish_until_behind();
    int64_t behind = metric_value(METRIC_WEBSOCKET_BEHIND);
    for (int i = 0; i < 50; i++) {
        socket_world_publish(world, large_text(count++));
        socket_world_settle(world);
    }
    assert_int_equal(metric_value(METRIC_WEBSOCKET_BEHIND), behind);
    world_do(&world->at[0], look_at_first);
    assert_true(seen.member.is_behind && seen.wait.kind == WAIT_WRITE && !seen.input.at);
    /* The newest, and one that was sent in part. */
    assert_true(blob_live_bytes() <= 2 * sizeof large + 20);
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
        socket_world_publish(world, large_text(i));
        socket_expect_text(&client, large_text(i));
    }
    atomic_store(&net_system.most_of_one_send, 0);
    client_close(&client);
    stop();
}

/* Red when a reader that takes nothing is kept, be it for pushes or for the answers to its pings. */
static void a_member_that_takes_nothing_is_cut_off(void **state) {
    (void)state;
    struct reactor_settings settings = world_settings();
    settings.waits.write_ms = 50;
    world = socket_world_start(&settings, 1);
    struct client deaf = socket_join(world, 0);
    (void)publish_until_behind();
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
    unsigned count = publish_until_behind();
    world_do(&world->at[0], join_and_stop);
    struct answer answer = client_read(&joining, false);
    assert_int_equal(answer.status, 101);
    answer_release(&answer);
    socket_expect_text(&joining, large_text(count - 1));
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
        world_do(&world->at[0], look_at_first);
        atomic_store(&net_system.most_of_one_send, 40000);
        atomic_store(&net_system.send_to_fail, n);
        socket_world_publish(world, large_text(1));
        socket_world_settle(world);
        was_hit = atomic_exchange(&net_system.send_to_fail, 0) == 0;
        atomic_store(&net_system.most_of_one_send, 0);
        assert_int_equal(channel_members(world->channel), MEMBERS - was_hit);
        unsigned reached = 0;
        for (unsigned i = 0; i < MEMBERS; i++) {
            while (clients[i].input.length < sizeof large + 3 && client_more(&clients[i]) > 0)
                continue;
            reached += clients[i].input.length == sizeof large + 3;
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
        world_do(&world->at[0], spend_spare_outputs);
        atomic_store(&net_system.most_of_one_send, 20000);
        struct client client = client_connect(&world->at[0]);
        socket_world_settle(world);
        atomic_store(&net_system.allocation_to_fail, n);
        client_say(&client, JOIN);
        (void)send(client.fd, "\x89\xfe", 1, MSG_NOSIGNAL);
        socket_world_publish(world, large_text(1));
        socket_world_settle(world);
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
            socket_expect_text(&witness, large_text(1));
            continue;
        }
        socket_expect_text(&witness, large_text(1));
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
    struct channel_service service = {NULL, nothing};
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
        cmocka_unit_test(a_push_is_one_send_a_member_and_nothing_else),
        cmocka_unit_test(who_joins_is_brought_up_to_date),
        cmocka_unit_test(of_two_frames_at_once_the_newest_wins),
        cmocka_unit_test(nobody_is_told_what_they_know),
        cmocka_unit_test(a_push_to_a_crowd_goes_in_parts),
        cmocka_unit_test(a_slow_member_costs_nothing_and_gets_the_newest_later),
        cmocka_unit_test(a_frame_that_is_taken_in_parts_comes_whole),
        cmocka_unit_test(a_frame_never_comes_between_the_parts_of_another),
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
