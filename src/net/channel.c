#include "net/channel.h"
#include "net/reactor_state.h"
#include "base/container.h"
#include "base/metrics.h"
#include "base/panic.h"

#include <stdlib.h>
#include <time.h>

#define NS_PER_SECOND 1000000000ll
#define PUSHES_A_TURN 512 /* about 5 ms of sending: then the others get their turn */

static atomic_uint channel_count;
static atomic_ullong cost_ns, cost_sends; /* of all rounds */

static void open_envelope(struct envelope *envelope, void *receiver);

enum result channel_new(struct reactor *const *reactors, unsigned count, const struct channel_service *service,
                        struct channel **channel) {
    assert(count > 0 && count <= LIMIT_REACTORS && service->catch_up);
    if (atomic_fetch_add(&channel_count, 1) >= LIMIT_CHANNELS) {
        atomic_fetch_sub(&channel_count, 1);
        return RESULT_OVERLOADED;
    }
    struct channel *made = calloc(1, sizeof *made + count * sizeof made->parts[0]);
    if (!made) {
        atomic_fetch_sub(&channel_count, 1);
        return RESULT_OVERLOADED;
    }
    made->service = *service;
    made->part_count = count;
    int failed = pthread_mutex_init(&made->lock, NULL);
    assert(!failed);
    for (unsigned i = 0; i < count; i++)
        made->parts[i] = (struct channel_part){.channel = made,
                                               .reactor = reactors[i],
                                               .envelope = {.open = open_envelope},
                                               .first = NO_SLOT,
                                               .last = NO_SLOT,
                                               .cursor = NO_SLOT};
    *channel = made;
    return RESULT_OK;
}

void channel_free(struct channel *channel) {
    if (!channel)
        return;
    for (unsigned i = 0; i < channel->part_count; i++) {
        struct channel_part *part = &channel->parts[i];
        assert(!part->member_count && !part->is_listed && !part->published);
    }
    (void)pthread_mutex_destroy(&channel->lock);
    free(channel);
    atomic_fetch_sub(&channel_count, 1);
}

uint32_t channel_members(const struct channel *channel) {
    return atomic_load_explicit(&channel->member_count, memory_order_relaxed);
}

const struct channel_service *channel_service_of(const struct channel_part *part) {
    return &part->channel->service;
}

struct channel_part *channel_part_on(struct channel *channel, const struct reactor *reactor) {
    for (unsigned i = 0; i < channel->part_count; i++)
        if (channel->parts[i].reactor == reactor)
            return &channel->parts[i];
    impossible("a connection joins a channel that its reactor has no part of");
}

void websocket_publish(struct channel *channel, struct blob *frame) {
    pthread_mutex_lock(&channel->lock);
    for (unsigned i = 0; i < channel->part_count; i++) {
        struct channel_part *part = &channel->parts[i];
        bool is_under_way = part->published != NULL;
        blob_drop(part->published);
        part->published = blob_take(frame);
        part->published_count++;
        if (!is_under_way)
            reactor_send(part->reactor, &part->envelope);
    }
    pthread_mutex_unlock(&channel->lock);
    blob_drop(frame);
}

static struct connection *member_at(const struct channel_part *part, uint32_t slot) {
    return &part->reactor->connections[slot];
}

/* Who comes behind it in the ring. */
static uint32_t behind(const struct channel_part *part, const struct connection *connection) {
    return connection->member.next == NO_SLOT ? part->first : connection->member.next;
}

void channel_join(struct connection *connection) {
    struct member *member = &connection->member;
    struct channel_part *part = member->part;
    member->round = part->round;
    member->previous = part->last;
    member->next = NO_SLOT;
    if (part->last == NO_SLOT)
        part->first = part->cursor = connection->slot;
    else
        member_at(part, part->last)->member.next = connection->slot;
    part->last = connection->slot;
    part->member_count++;
    atomic_fetch_add_explicit(&part->channel->member_count, 1, memory_order_relaxed);
    metric_add(METRIC_WEBSOCKETS_OPEN, 1);
}

void channel_reached(struct connection *connection) {
    struct member *member = &connection->member;
    if (member->round == member->part->round)
        return;
    member->round = member->part->round;
    member->part->left--;
}

void channel_leave(struct connection *connection) {
    const struct member *member = &connection->member;
    struct channel_part *part = member->part;
    channel_reached(connection);
    if (part->cursor == connection->slot)
        part->cursor = behind(part, connection);
    if (member->previous == NO_SLOT)
        part->first = member->next;
    else
        member_at(part, member->previous)->member.next = member->next;
    if (member->next == NO_SLOT)
        part->last = member->previous;
    else
        member_at(part, member->next)->member.previous = member->previous;
    part->member_count--;
    if (part->member_count == 0)
        part->cursor = NO_SLOT;
    atomic_fetch_sub_explicit(&part->channel->member_count, 1, memory_order_relaxed);
    metric_add(METRIC_WEBSOCKETS_OPEN, -1);
}

static void list_push(struct channel_part *part) {
    struct reactor *reactor = part->reactor;
    part->is_listed = true;
    part->next_push = NULL;
    if (reactor->last_push)
        reactor->last_push->next_push = part;
    else
        reactor->first_push = part;
    reactor->last_push = part;
}

static void unlist_first_push(struct reactor *reactor) {
    struct channel_part *part = reactor->first_push;
    reactor->first_push = part->next_push;
    if (!reactor->first_push)
        reactor->last_push = NULL;
    part->is_listed = false;
}

/* A frame has come: another round begins. */
static void open_envelope(struct envelope *envelope, void *receiver) {
    struct channel_part *part = CONTAINER_OF(envelope, struct channel_part, envelope);
    assert(part->reactor == receiver);
    pthread_mutex_lock(&part->channel->lock);
    struct blob *frame = part->published;
    part->round = part->published_count;
    part->published = NULL;
    pthread_mutex_unlock(&part->channel->lock);
    part->left = part->member_count;
    blob_drop(part->frame);
    part->frame = frame;
    if (part->left == 0) {
        blob_drop(part->frame);
        part->frame = NULL;
    } else if (!part->is_listed) {
        list_push(part);
    }
}

/* The invariant of channel.h, and that the list is one. */
static bool part_is_sound(const struct channel_part *part) {
    uint32_t count = 0, left = 0, previous = NO_SLOT;
    bool has_cursor = part->cursor == NO_SLOT;
    for (uint32_t slot = part->first; slot != NO_SLOT; slot = member_at(part, slot)->member.next) {
        const struct connection *connection = member_at(part, slot);
        if (connection->state != CONNECTION_MEMBER || connection->member.part != part ||
            connection->member.previous != previous || ++count > part->member_count)
            return false;
        left += connection->member.round != part->round;
        has_cursor = has_cursor || slot == part->cursor;
        previous = slot;
    }
    return count == part->member_count && left == part->left && previous == part->last && has_cursor &&
           (part->cursor == NO_SLOT) == (count == 0) && (left == 0 || (part->frame && part->is_listed));
}

/* Brings the frame, or what catch_up() gives to who has missed one, to the member. False if it gets nothing now. */
static bool reach(struct channel_part *part, struct connection *connection) {
    bool has_missed = connection->member.round + 1 != part->round;
    channel_reached(connection);
    if (connection->is_stuck) {
        member_fall_behind(connection);
        return false;
    }
    if (!(has_missed ? member_catch_up(connection) : member_tell(connection, part->frame))) {
        connection_close(connection);
        return false;
    }
    if (connection->is_stuck)
        member_wait(connection);
    assert_deep(connection_is_sound(connection));
    return true;
}

/* Goes on with the part's round. Returns how many more members may be reached in this turn. */
static unsigned go_on(struct channel_part *part, unsigned budget) {
    unsigned sent = 0;
    assert_deep(part_is_sound(part));
    while (part->left && budget) {
        struct connection *connection = member_at(part, part->cursor);
        part->cursor = behind(part, connection);
        __builtin_prefetch(member_at(part, part->cursor));
        budget--;
        if (connection->member.round != part->round)
            sent += reach(part, connection);
    }
    metric_add(METRIC_WEBSOCKET_FRAMES_SENT, sent);
    atomic_fetch_add_explicit(&cost_sends, sent, memory_order_relaxed);
    return budget;
}

struct websocket_cost websocket_cost(void) {
    return (struct websocket_cost){atomic_load_explicit(&cost_ns, memory_order_relaxed),
                                   atomic_load_explicit(&cost_sends, memory_order_relaxed)};
}

static int64_t thread_cpu_ns(void) {
    struct timespec used;
    int failed = clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    assert(!failed);
    return used.tv_sec * NS_PER_SECOND + used.tv_nsec;
}

static void push_some(struct reactor *reactor) {
    unsigned budget = PUSHES_A_TURN;
    while (reactor->first_push && (budget || reactor->first_push->left == 0)) {
        struct channel_part *part = reactor->first_push;
        budget = go_on(part, budget);
        unlist_first_push(reactor);
        if (part->left) {
            list_push(part); /* behind the others */
            continue;
        }
        blob_drop(part->frame);
        part->frame = NULL;
    }
}

void channels_push(struct reactor *reactor) {
    if (!reactor->first_push)
        return;
    int64_t began_ns = thread_cpu_ns();
    push_some(reactor);
    atomic_fetch_add_explicit(&cost_ns, (uint64_t)(thread_cpu_ns() - began_ns), memory_order_relaxed);
}
