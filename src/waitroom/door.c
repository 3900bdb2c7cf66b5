/* The door: who was called, came, and found the room full. And the claim, which is where the bounds are kept.
 *
 * The happy path: queue_claim() finds a token of the drip and a free place, takes both and begins a stay. Otherwise the
 * fan is put down at the door, by position. Whoever claims there is let in if fewer stand before them than the room
 * takes just now; so the lowest position goes first. Only those count who have asked and are not late to ask again: the
 * drip keeps no tokens for long, so who is late would cost everybody time.
 *
 * What can go wrong: the door itself is full. Then the fan is told the same, and the window goes on.
 */
#include "waitroom/queue_private.h"

#include <string.h>

uint32_t door_room(const struct queue *queue) {
    if (!queue_runs(queue) || queue->active >= queue->settings.max_active)
        return 0;
    uint32_t places = queue->settings.max_active - queue->active, tokens = drip_tokens(&queue->drip);
    return places < tokens ? places : tokens;
}

/* For who has so many at the door before them. */
static uint32_t retry_seconds(const struct queue *queue, uint32_t before) {
    if (!queue_runs(queue))
        return 10;
    uint64_t flow = (uint64_t)queue->drip.rate_per_minute * queue->drip.factor;
    uint64_t seconds = 1 + (uint64_t)before * DRIP_TOKEN / (flow * 1000);
    if (seconds < 3 && queue->active >= queue->settings.max_active)
        seconds = 3;
    return seconds < 10 ? (uint32_t)seconds : 10;
}

uint32_t queue_retry_seconds(const struct queue *queue) {
    return retry_seconds(queue, queue->door_asking);
}

uint32_t queue_retry_seconds_of(const struct queue *queue, uint32_t number) {
    if (!place_is_issued(queue, number) || place_entry(queue, number)->state != PLACE_DOOR)
        return queue_retry_seconds(queue);
    return retry_seconds(queue, door_index(queue, place_entry(queue, number)->at));
}

static int32_t hold_ms(const struct queue *queue, uint32_t before) {
    return (int32_t)retry_seconds(queue, before) * 1000 + QUEUE_DOOR_GRACE_MS;
}

static bool is_holding(const struct queue *queue, const struct door_fan *fan) {
    return fan->is_asking && queue->now_ms - fan->asked_ms <= fan->hold_ms;
}

uint32_t door_index(const struct queue *queue, uint32_t position) {
    uint32_t low = 0, high = queue->door_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (queue->door[middle].position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What is used of the claim window of a place that was called and never came. */
static int64_t window_used_ms(struct queue *queue, uint32_t position) {
    const struct grain *grain = grain_of(queue, position);
    return grain ? queue->open_ms - grain->open_ms : claim_ms(queue);
}

void door_add(struct queue *queue, uint32_t number) {
    assert(queue->door_count < LIMIT_DOOR);
    uint32_t position = place_entry(queue, number)->at;
    uint32_t index = door_index(queue, position);
    struct door_fan *fan = &queue->door[index];
    /* The next walk adds all that has passed since the last one. */
    int64_t walked_ms = queue->open_ms - queue->door_walked_open_ms;
    memmove(fan + 1, fan, (queue->door_count - index) * sizeof *fan);
    *fan = (struct door_fan){.number = number,
                             .position = position,
                             .asked_ms = queue->now_ms,
                             .hold_ms = hold_ms(queue, index),
                             .used_ms = (int32_t)(window_used_ms(queue, position) - walked_ms),
                             .is_asking = true};
    queue->door_count++;
    queue->door_asking++;
    place_move(queue, number, PLACE_COME);
}

void door_remove(struct queue *queue, uint32_t index) {
    assert(index < queue->door_count);
    struct door_fan *fan = &queue->door[index];
    queue->door_asking -= fan->is_asking;
    queue->door_count--;
    memmove(fan, fan + 1, (queue->door_count - index) * sizeof *fan);
}

void door_walk(struct queue *queue) {
    if (queue->door_count > QUEUE_DOOR_WALK && queue->now_ms - queue->door_walked_ms < QUEUE_DOOR_WALK_MS)
        return;
    int64_t passed_ms = queue->open_ms - queue->door_walked_open_ms;
    uint32_t room = door_room(queue), before = 0, kept = 0, asking = 0;
    for (uint32_t i = 0; i < queue->door_count; i++) {
        struct door_fan fan = queue->door[i];
        /* Who has not been told to ask again yet cannot know that there is room: the window stands still until then. */
        bool is_early = is_holding(queue, &fan), was_let_in = before < room && !is_early;
        before += is_early;
        fan.is_asking = fan.is_asking && queue->now_ms - fan.asked_ms <= QUEUE_DOOR_PATIENCE_MS;
        if (was_let_in || !fan.is_asking) {
            int64_t used_ms = fan.used_ms + passed_ms;
            if (used_ms > claim_ms(queue)) {
                place_move(queue, fan.number, PLACE_MISS);
                continue;
            }
            fan.used_ms = (int32_t)used_ms;
        }
        asking += fan.is_asking;
        queue->door[kept++] = fan;
    }
    queue->door_count = kept;
    queue->door_asking = asking;
    queue->door_walked_ms = queue->now_ms;
    queue->door_walked_open_ms = queue->open_ms;
}

/* Whether fewer stand before that position, and are about to ask, than the room takes. */
static bool is_let_in(const struct queue *queue, uint32_t position) {
    uint32_t room = door_room(queue);
    if (room == 0 || queue->door_asking < room)
        return room > 0;
    uint32_t before = 0;
    for (uint32_t i = 0; i < queue->door_count && queue->door[i].position < position; i++) {
        before += is_holding(queue, &queue->door[i]);
        if (before == room)
            return false;
    }
    return true;
}

/* True if the fan has just come. */
static bool wait_at_the_door(struct queue *queue, uint32_t number) {
    struct place_entry *entry = place_entry(queue, number);
    if (entry->state == PLACE_DOOR) {
        uint32_t index = door_index(queue, entry->at);
        struct door_fan *fan = &queue->door[index];
        assert(fan->number == number);
        fan->asked_ms = queue->now_ms;
        fan->hold_ms = hold_ms(queue, index);
        queue->door_asking += !fan->is_asking;
        fan->is_asking = true;
        return false;
    }
    if (queue->door_count == LIMIT_DOOR)
        return false;
    door_add(queue, number);
    return true;
}

static struct queue_pass pass_of(const struct queue *queue, uint32_t number) {
    const struct stay *stay = stay_of(queue, place_entry(queue, number));
    return (struct queue_pass){number, stay->position, stay->claimed_ms, stay->end.at_ms};
}

/* WAITING or DOOR, and called. */
static enum result claim_turn(struct queue *queue, uint32_t number, bool *is_new) {
    struct place_entry *entry = place_entry(queue, number);
    drip_fill(&queue->drip, queue->now_ms);
    stays_end_over(queue, queue->now_ms, QUEUE_ENDS_A_CLAIM);
    bool is_at_the_door = entry->state == PLACE_DOOR;
    uint32_t position = entry->at;
    int64_t expires_ms = queue->now_ms + (int64_t)queue->settings.pass_seconds * 1000;
    if (!is_let_in(queue, position) || !stay_begin(queue, number, PLACE_ENTER, queue->now_ms, expires_ms)) {
        *is_new = wait_at_the_door(queue, number);
        return RESULT_AT_THE_DOOR;
    }
    if (is_at_the_door)
        door_remove(queue, door_index(queue, position));
    drip_take(&queue->drip);
    *is_new = true;
    return RESULT_OK;
}

enum result queue_claim(struct queue *queue, uint32_t number, int64_t now_ms, struct queue_pass *pass, bool *is_new) {
    queue_see_time(queue, now_ms);
    if (!place_is_issued(queue, number))
        return RESULT_NOT_FOUND;
    place_settle(queue, number);
    switch ((enum place_state)place_entry(queue, number)->state) {
    case PLACE_UNKNOWN:
        return RESULT_NOT_FOUND;
    case PLACE_WAITING:
    case PLACE_DOOR: {
        uint32_t position = place_position(queue, number);
        if (!position || position > queue->serving)
            return RESULT_NOT_YOUR_TURN;
        enum result result = claim_turn(queue, number, is_new);
        if (result == RESULT_OK)
            *pass = pass_of(queue, number);
        return result;
    }
    case PLACE_INSIDE:
        *pass = pass_of(queue, number);
        *is_new = false;
        return RESULT_OK;
    case PLACE_DONE:
    case PLACE_MISSED:
    case PLACE_LEFT:
    case PLACE_STATE_COUNT:
        break;
    }
    return RESULT_TURN_MISSED;
}
