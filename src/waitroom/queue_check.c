/* Every invariant of a queue, by the numbers of README.md, recomputed from its places. Changes nothing. */
#include "waitroom/queue_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct finding {
    char *why;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static bool broken(struct finding *finding, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (finding->size)
        vsnprintf(finding->why, finding->size, format, arguments);
    va_end(arguments);
    return false;
}

/* As it is written down, but for what is over by `closed`. */
static enum place_state state_of(const struct queue *queue, uint32_t number) {
    const struct place_entry *entry = place_entry(queue, number);
    bool is_over = entry->state == PLACE_WAITING && entry->at <= queue->closed;
    return is_over ? PLACE_MISSED : (enum place_state)entry->state;
}

/* Whatever the shuffle's state; before it is done this is the number. */
static uint32_t position_of(const struct queue *queue, uint32_t number) {
    const struct place_entry *entry = place_entry(queue, number);
    return entry->state == PLACE_INSIDE ? stay_of(queue, entry)->position : entry->at;
}

static bool count_is(struct finding *finding, const char *what, uint64_t is, uint64_t should) {
    return is == should || broken(finding, "%s is %" PRIu64 ", and should be %" PRIu64, what, is, should);
}

/* Invariant 1. */
static bool check_numbers(const struct queue *queue, struct finding *finding) {
    if (queue->issued > queue->allowed || queue->allowed > LIMIT_PLACES)
        return broken(finding, "1: %u numbers are issued and %u allowed", queue->issued, queue->allowed);
    for (uint32_t number = 1; number <= queue->issued; number++) {
        const struct place_entry *entry = place_entry(queue, number);
        if (entry->state >= PLACE_STATE_COUNT)
            return broken(finding, "1: place %u has state %u", number, entry->state);
        if (!entry->user && entry->state != PLACE_UNKNOWN && entry->state != PLACE_INSIDE &&
            entry->state != PLACE_DONE && entry->state != PLACE_LEFT)
            return broken(finding, "1: place %u has nobody and state %u", number, entry->state);
        if (entry->user && entry->state == PLACE_UNKNOWN)
            return broken(finding, "1: place %u is somebody's and UNKNOWN", number);
    }
    static const struct place_entry fresh;
    if (queue->issued < LIMIT_PLACES && memcmp(&queue->places[queue->issued], &fresh, sizeof fresh) != 0)
        return broken(finding, "1: the place that is next was used");
    return true;
}

/* Invariant 2, forwards: what is in a bucket belongs there, once. */
static bool check_buckets(const struct queue *queue, struct finding *finding) {
    uint32_t count = queue->bucket_base + queue->bucket_split, users = 0;
    if (queue->bucket_base < QUEUE_BUCKETS || (queue->bucket_base & (queue->bucket_base - 1)) != 0 ||
        queue->bucket_split >= queue->bucket_base || queue->user_count > count ||
        (count > QUEUE_BUCKETS && queue->user_count < count))
        return broken(finding, "2: %u users in %u + %u buckets", queue->user_count, queue->bucket_base,
                      queue->bucket_split);
    for (uint32_t bucket = 0; bucket < count; bucket++) {
        for (uint32_t number = queue->heads[bucket]; number; number = place_entry(queue, number)->next) {
            if (number > queue->issued || ++users > queue->user_count)
                return broken(finding, "2: the chain of bucket %u goes astray at %u", bucket, number);
            uint64_t user = place_entry(queue, number)->user;
            if (!user || table_bucket(queue, user) != bucket)
                return broken(finding, "2: place %u is in bucket %u", number, bucket);
            if (table_find(queue, user) != number)
                return broken(finding, "2: the user of place %u is in the table twice", number);
        }
    }
    return count_is(finding, "2: the count of users", queue->user_count, users);
}

/* Invariant 2, backwards: every user is in the table, with the live place if there is one. */
static bool check_users(const struct queue *queue, struct finding *finding) {
    for (uint32_t number = 1; number <= queue->issued; number++) {
        const struct place_entry *entry = place_entry(queue, number);
        if (!entry->user)
            continue;
        uint32_t found = table_find(queue, entry->user);
        if (!found)
            return broken(finding, "2: the user of place %u is not in the table", number);
        if (found != number && place_is_live(state_of(queue, number)))
            return broken(finding, "2: place %u is live, and the user's place is %u", number, found);
    }
    return true;
}

/* Invariant 3. */
static bool check_positions(const struct queue *queue, struct finding *finding) {
    if (queue->placed > queue->frozen || queue->frozen > queue->issued || (queue->frozen && !queue->is_frozen))
        return broken(finding, "3: %u of %u are placed", queue->placed, queue->frozen);
    for (uint32_t position = 1; position <= queue->placed; position++) {
        uint32_t number = queue->order[position - 1] + 1;
        if (number > queue->frozen || position_of(queue, number) != position)
            return broken(finding, "3: position %u has number %u, which does not know it", position, number);
    }
    for (uint32_t number = queue->frozen + 1; number <= queue->issued; number++)
        if (position_of(queue, number) != number)
            return broken(finding, "3: number %u has position %u", number, position_of(queue, number));
    return true;
}

/* Invariant 4. */
static bool check_called(const struct queue *queue, struct finding *finding) {
    if (queue->closed > queue->serving || queue->serving > queue->issued)
        return broken(finding, "4: %u are closed, %u called and %u issued", queue->closed, queue->serving,
                      queue->issued);
    if (queue->serving && queue->is_frozen && queue->placed < queue->frozen)
        return broken(finding, "4: called before all are placed");
    for (uint32_t number = 1; number <= queue->issued; number++) {
        enum place_state state = state_of(queue, number);
        if ((state == PLACE_DOOR || state == PLACE_INSIDE || state == PLACE_DONE) &&
            position_of(queue, number) > queue->serving)
            return broken(finding, "4: place %u has state %u and was not called", number, state);
    }
    return true;
}

static const struct grain *grain_of_index(const struct queue *queue, uint32_t index) {
    return &queue->grains[(queue->grain_first + index) % QUEUE_GRAINS];
}

/* Invariant 5, of one grain. */
static bool check_grain(const struct queue *queue, uint32_t index, struct finding *finding) {
    const struct grain *grain = grain_of_index(queue, index);
    const struct grain *before = index ? grain_of_index(queue, index - 1) : NULL;
    uint32_t from = before ? before->last : queue->closed, waiting = 0;
    if (grain->last <= from || grain->last > queue->serving)
        return broken(finding, "5: grain %u ends at %u", index, grain->last);
    if (grain->from_ms > grain->open_ms || grain->open_ms > queue->open_ms ||
        (before && before->open_ms > grain->from_ms))
        return broken(finding, "5: grain %u is of another time", index);
    if (grain->is_learned != (index < queue->learned_count))
        return broken(finding, "5: grain %u is learned, or is not", index);
    for (uint32_t position = from + 1; position <= grain->last; position++)
        waiting += state_of(queue, number_at(queue, position)) == PLACE_WAITING;
    if (grain->count.called - grain->count.shown - grain->count.left != waiting)
        return broken(finding, "5: grain %u called %u; %u have come, %u left, %u are waiting", index,
                      grain->count.called, grain->count.shown, grain->count.left, waiting);
    return true;
}

/* Invariants 5 and 10. */
static bool check_grains(const struct queue *queue, struct finding *finding) {
    struct call_count sums[2] = {0};
    if (queue->grain_count > QUEUE_GRAINS || queue->learned_count > queue->grain_count)
        return broken(finding, "5: %u of %u grains are learned", queue->learned_count, queue->grain_count);
    for (uint32_t index = 0; index < queue->grain_count; index++) {
        if (!check_grain(queue, index, finding))
            return false;
        const struct grain *grain = grain_of_index(queue, index);
        struct call_count *sum = &sums[grain->is_learned];
        sum->called += grain->count.called;
        sum->shown += grain->count.shown;
        sum->left += grain->count.left;
    }
    uint32_t last = queue->grain_count ? grain_of_index(queue, queue->grain_count - 1)->last : queue->closed;
    if (last != queue->serving)
        return broken(finding, "5: %u are called, and the last grain ends at %u", queue->serving, last);
    if (memcmp(&sums[0], &queue->young, sizeof sums[0]) != 0 || memcmp(&sums[1], &queue->old, sizeof sums[1]) != 0)
        return broken(finding, "5: the sums are not those of the grains");
    if (queue->share_called <= 0 || queue->share_called > QUEUE_SHARE_MOST * QUEUE_SHARE_ONE ||
        queue->share_shown < 0 || queue->share_shown > queue->share_called)
        return broken(finding, "10: a share of %" PRIi64 " of %" PRIi64, queue->share_shown, queue->share_called);
    return true;
}

/* Invariant 6. */
static bool check_stays(const struct queue *queue, struct finding *finding) {
    const struct deadlines *heap = &queue->ends;
    uint32_t inside = 0, unused = 0;
    for (uint32_t number = 1; number <= queue->issued; number++) {
        const struct place_entry *entry = place_entry(queue, number);
        if (entry->state != PLACE_INSIDE)
            continue;
        inside++;
        if (entry->at >= queue->stays_used || stay_of(queue, entry)->number != number)
            return broken(finding, "6: place %u is inside without a stay", number);
        const struct deadline *end = &stay_of(queue, entry)->end;
        if (end->place == 0 || end->place > heap->count || heap->heap[end->place] != end)
            return broken(finding, "6: the stay of place %u has no end", number);
    }
    if (queue->active != inside || heap->count != inside || queue->stays_used > LIMIT_ACTIVE)
        return broken(finding, "6: %u are inside, %u counted, %u end", inside, queue->active, heap->count);
    for (uint32_t place = 2; place <= heap->count; place++)
        if (heap->heap[place]->at_ms < heap->heap[place / 2]->at_ms)
            return broken(finding, "6: end %u is earlier than its parent in the heap", place);
    for (uint32_t free = queue->stay_free; free; free = queue->stays[free - 1].number)
        if (free > queue->stays_used || queue->stays[free - 1].end.place || ++unused > queue->stays_used)
            return broken(finding, "6: the list of unused slots goes astray at %u", free);
    return count_is(finding, "6: the number of slots", queue->stays_used, inside + unused);
}

/* Invariant 7. */
static bool check_door(const struct queue *queue, struct finding *finding) {
    uint32_t asking = 0, standing = 0;
    if (queue->door_count > LIMIT_DOOR)
        return broken(finding, "7: %u are at the door", queue->door_count);
    for (uint32_t i = 0; i < queue->door_count; i++) {
        const struct door_fan *fan = &queue->door[i];
        if (i && fan->position <= queue->door[i - 1].position)
            return broken(finding, "7: position %u is out of order at the door", fan->position);
        if (!place_is_issued(queue, fan->number) || place_entry(queue, fan->number)->state != PLACE_DOOR ||
            place_entry(queue, fan->number)->at != fan->position)
            return broken(finding, "7: place %u is at the door and does not know", fan->number);
        asking += fan->is_asking;
    }
    for (uint32_t number = 1; number <= queue->issued; number++)
        standing += place_entry(queue, number)->state == PLACE_DOOR;
    return count_is(finding, "7: the count at the door", queue->door_count, standing) &&
           count_is(finding, "7: the count of those who ask", queue->door_asking, asking);
}

/* Invariant 8. */
static bool check_counts(const struct queue *queue, struct finding *finding) {
    uint64_t in[PLACE_STATE_COUNT] = {0};
    for (uint32_t number = 1; number <= queue->issued; number++)
        in[state_of(queue, number)]++;
    return count_is(finding, "8: waiting", queue->waiting, in[PLACE_WAITING] + in[PLACE_DOOR]) &&
           count_is(finding, "8: admitted", queue->admitted, in[PLACE_INSIDE] + in[PLACE_DONE]) &&
           count_is(finding, "8: missed", queue->missed, in[PLACE_MISSED]) &&
           count_is(finding, "8: left", queue->left, in[PLACE_LEFT]);
}

/* Invariant 9. */
static bool check_time(const struct queue *queue, struct finding *finding) {
    const struct drip *drip = &queue->drip;
    int64_t second = (int64_t)drip->rate_per_minute * drip->factor * 1000;
    int64_t most = second > DRIP_TOKEN ? second : DRIP_TOKEN;
    if (drip->rate_per_minute != queue->settings.rate_per_minute || drip->factor < DRIP_FACTOR_LEAST ||
        drip->factor > DRIP_FACTOR_ONE || drip->level < 0 || drip->level > most)
        return broken(finding, "9: the drip has %" PRIi64 " of %" PRIi64 " at a rate of %u", drip->level, most,
                      drip->rate_per_minute);
    if (drip->filled_ms > queue->now_ms || queue->ticked_ms > queue->now_ms || queue->door_walked_ms > queue->now_ms ||
        queue->door_walked_open_ms > queue->open_ms)
        return broken(finding, "9: something happened later than now");
    return true;
}

bool queue_check(const struct queue *queue, char *why, size_t why_size) {
    struct finding finding = {why, why_size};
    return check_numbers(queue, &finding) && check_buckets(queue, &finding) && check_users(queue, &finding) &&
           check_positions(queue, &finding) && check_called(queue, &finding) && check_grains(queue, &finding) &&
           check_stays(queue, &finding) && check_door(queue, &finding) && check_counts(queue, &finding) &&
           check_time(queue, &finding);
}
