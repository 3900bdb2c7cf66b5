/* A queue: making one, joining, looking, leaving, the tick, the shuffled opening. queue.h draws the machine.
 *
 * The happy path of a fan: queue_join() issues a number; queue_tick() calls it (calls.c); queue_claim() lets the fan in
 * (door.c); queue_end_pass_of() when they have booked.
 *
 * What can go wrong: numbers run out before the ledger has allowed more; everything else is the fan's answer.
 */
#include "waitroom/queue_private.h"
#include "base/pages.h"

#define PLACES_BYTES (LIMIT_PLACES * sizeof(struct place_entry))
#define NUMBERS_BYTES (LIMIT_PLACES * sizeof(uint32_t))
#define STAYS_BYTES (LIMIT_ACTIVE * sizeof(struct stay))
#define DOOR_BYTES (LIMIT_DOOR * sizeof(struct door_fan))

static_assert(sizeof(struct place_entry) == 16, "a place costs what queue.h says");
static_assert(PLACE_STATE_COUNT <= 16, "a place's state has four bits");

static void check_settings(const struct queue_settings *settings) {
    assert(settings->rate_per_minute >= 1 && settings->rate_per_minute <= LIMIT_RATE_PER_MINUTE);
    assert(settings->max_active >= 1 && settings->max_active <= LIMIT_ACTIVE);
    assert(settings->claim_seconds >= 1 && settings->claim_seconds <= LIMIT_CLAIM_SECONDS);
    assert(settings->pass_seconds >= 1 && settings->pass_seconds <= LIMIT_PASS_SECONDS);
}

struct queue *queue_new(const struct queue_settings *settings, int64_t now_ms) {
    check_settings(settings);
    struct queue *queue = pages_reserve(sizeof *queue);
    if (!queue)
        return NULL;
    enum result heap = deadlines_init(&queue->ends, LIMIT_ACTIVE);
    queue->places = pages_reserve(PLACES_BYTES);
    queue->heads = pages_reserve(NUMBERS_BYTES);
    queue->order = pages_reserve(NUMBERS_BYTES);
    queue->stays = pages_reserve(STAYS_BYTES);
    queue->door = pages_reserve(DOOR_BYTES);
    if (heap != RESULT_OK || !queue->places || !queue->heads || !queue->order || !queue->stays || !queue->door) {
        queue_free(queue);
        return NULL;
    }
    queue->settings = *settings;
    queue->bucket_base = QUEUE_BUCKETS;
    queue->now_ms = queue->ticked_ms = queue->door_walked_ms = now_ms;
    queue->share_called = queue->share_shown = QUEUE_SHARE_FIRST * QUEUE_SHARE_ONE;
    drip_init(&queue->drip, settings->rate_per_minute, now_ms);
    return queue;
}

void queue_free(struct queue *queue) {
    if (!queue)
        return;
    pages_release(queue->places, PLACES_BYTES);
    pages_release(queue->heads, NUMBERS_BYTES);
    pages_release(queue->order, NUMBERS_BYTES);
    pages_release(queue->stays, STAYS_BYTES);
    pages_release(queue->door, DOOR_BYTES);
    deadlines_release(&queue->ends);
    pages_release(queue, sizeof *queue);
}

void queue_configure(struct queue *queue, const struct queue_settings *settings, int64_t now_ms) {
    check_settings(settings);
    queue_see_time(queue, now_ms);
    drip_set_rate(&queue->drip, settings->rate_per_minute, queue->now_ms);
    queue->settings = *settings;
}

const struct queue_settings *queue_settings(const struct queue *queue) {
    return &queue->settings;
}

void queue_allow_numbers(struct queue *queue, uint32_t ceiling) {
    if (ceiling > LIMIT_PLACES)
        ceiling = LIMIT_PLACES;
    if (ceiling > queue->allowed)
        queue->allowed = ceiling;
}

uint32_t queue_numbers_left(const struct queue *queue) {
    return queue->allowed - queue->issued;
}

enum result queue_join(struct queue *queue, uint64_t user, int64_t now_ms, struct place *place, bool *is_new) {
    assert(user);
    queue_see_time(queue, now_ms);
    uint32_t before = table_find(queue, user);
    if (before)
        place_settle(queue, before);
    *is_new = !before || !place_is_live((enum place_state)place_entry(queue, before)->state);
    if (!*is_new) {
        *place = place_view(queue, before, queue->now_ms);
        return RESULT_OK;
    }
    if (queue->issued >= queue->allowed)
        return RESULT_OVERLOADED;
    uint32_t number = place_issue(queue);
    place_entry(queue, number)->user = user;
    place_move(queue, number, PLACE_JOIN);
    table_put(queue, number, before);
    *place = place_view(queue, number, queue->now_ms);
    return RESULT_OK;
}

enum result queue_find(const struct queue *queue, uint64_t user, int64_t now_ms, struct place *place) {
    uint32_t number = user ? table_find(queue, user) : 0;
    return number ? queue_look(queue, number, now_ms, place) : RESULT_NOT_FOUND;
}

enum result queue_look(const struct queue *queue, uint32_t number, int64_t now_ms, struct place *place) {
    if (!place_is_issued(queue, number))
        return RESULT_NOT_FOUND;
    *place = place_view(queue, number, now_ms);
    return RESULT_OK;
}

enum result queue_adopt(struct queue *queue, uint32_t number, uint64_t user) {
    assert(user);
    if (!place_is_issued(queue, number))
        return RESULT_NOT_FOUND;
    struct place_entry *entry = place_entry(queue, number);
    if (entry->user)
        return entry->user == user ? RESULT_OK : RESULT_NOT_FOUND;
    uint32_t before = table_find(queue, user);
    bool has_another = before && place_is_live(place_state(queue, before, queue->now_ms));
    if (before)
        place_settle(queue, before);
    place_settle(queue, number);
    entry->user = user;
    if (entry->state == PLACE_UNKNOWN)
        place_move(queue, number, has_another ? PLACE_MISS : PLACE_JOIN);
    else if (entry->state == PLACE_INSIDE && has_another)
        stay_end(queue, number);
    if (!has_another)
        table_put(queue, number, before);
    return RESULT_OK;
}

enum result queue_check_pass(const struct queue *queue, uint32_t number, int64_t now_ms) {
    if (!place_is_issued(queue, number) || place_state(queue, number, now_ms) != PLACE_INSIDE)
        return RESULT_PASS_EXPIRED;
    return RESULT_OK;
}

enum result queue_leave(struct queue *queue, uint32_t number, int64_t now_ms) {
    queue_see_time(queue, now_ms);
    if (!place_is_issued(queue, number) || place_entry(queue, number)->state == PLACE_UNKNOWN)
        return RESULT_NOT_FOUND;
    place_settle(queue, number);
    struct place_entry *entry = place_entry(queue, number);
    if (!place_is_live((enum place_state)entry->state))
        return RESULT_TURN_MISSED;
    if (entry->state == PLACE_INSIDE) {
        stay_end(queue, number);
        return RESULT_OK;
    }
    if (entry->state == PLACE_DOOR)
        door_remove(queue, door_index(queue, entry->at));
    place_move(queue, number, PLACE_LEAVE);
    return RESULT_OK;
}

bool queue_end_pass_of(struct queue *queue, uint64_t user, int64_t now_ms, uint32_t *number) {
    queue_see_time(queue, now_ms);
    uint32_t found = user ? table_find(queue, user) : 0;
    if (!found)
        return false;
    place_settle(queue, found);
    if (place_entry(queue, found)->state != PLACE_INSIDE)
        return false;
    stay_end(queue, found);
    *number = found;
    return true;
}

bool queue_tick(struct queue *queue, const struct queue_conditions *conditions, int64_t now_ms) {
    queue_see_time(queue, now_ms);
    bool ran = queue_runs(queue);
    int64_t passed_ms = queue->now_ms - queue->ticked_ms;
    if (passed_ms > QUEUE_TICK_MOST_MS)
        passed_ms = QUEUE_TICK_MOST_MS;
    queue->ticked_ms = queue->now_ms;
    queue->conditions = *conditions;
    drip_fill(&queue->drip, queue->now_ms);
    stays_end_over(queue, queue->now_ms, QUEUE_ENDS_A_TICK);
    /* Time counts only if all of it was open. */
    if (!ran || !queue_runs(queue))
        passed_ms = 0;
    calls_advance(queue, queue->open_ms + passed_ms);
    door_walk(queue);
    uint32_t serving = queue->serving;
    if (queue_runs(queue))
        calls_make(queue, passed_ms);
    return queue->serving != serving;
}

void queue_adapt(struct queue *queue, const struct drip_look *look, uint32_t most_percent, int64_t now_ms) {
    queue_see_time(queue, now_ms);
    drip_adapt(&queue->drip, look, most_percent, queue->now_ms);
}

uint32_t queue_freeze(struct queue *queue) {
    if (!queue->is_frozen) {
        queue->is_frozen = true;
        /* Who has been called keeps the order: there is nothing to shuffle any more. */
        queue->frozen = queue->serving ? 0 : queue->issued;
    }
    return queue->frozen;
}

void queue_place_shuffled(struct queue *queue, uint32_t first, uint32_t count, const uint32_t *order) {
    assert(queue->is_frozen && first == queue->placed && count <= queue->frozen - first);
    for (uint32_t i = 0; i < count; i++) {
        assert(order[i] < queue->frozen);
        queue->order[first + i] = order[i];
        queue->places[order[i]].at = first + i + 1;
    }
    queue->placed += count;
}

void queue_count(const struct queue *queue, struct queue_counts *counts) {
    const struct call_count *young = &queue->young, *old = &queue->old;
    *counts = (struct queue_counts){
        .issued = queue->issued,
        .serving = queue->serving,
        .active = queue->active,
        .waiting = queue->waiting,
        .called = young->called - young->shown - young->left + old->called - old->shown - old->left,
        .door = queue->door_asking,
        .admitted = queue->admitted,
        .missed = queue->missed,
        .left = queue->left,
        .show_permille = share_permille(queue),
        .factor_permille = queue->drip.factor,
        .open_ms = queue->open_ms,
    };
}
