/* Who is inside: a slot a fan, and a heap of the ends of their passes. Slots are used again, the last freed first. */
#include "waitroom/queue_private.h"

bool stay_begin(struct queue *queue, uint32_t number, enum place_event event, int64_t claimed_ms, int64_t expires_ms) {
    if (!queue->stay_free && queue->stays_used == LIMIT_ACTIVE)
        return false;
    place_move(queue, number, event);
    struct place_entry *entry = place_entry(queue, number);
    uint32_t slot = queue->stay_free ? queue->stay_free - 1 : queue->stays_used++;
    struct stay *stay = &queue->stays[slot];
    if (queue->stay_free)
        queue->stay_free = stay->number;
    stay->number = number;
    stay->position = entry->at;
    stay->claimed_ms = claimed_ms;
    deadlines_set(&queue->ends, &stay->end, expires_ms);
    entry->at = slot;
    return true;
}

void stay_end(struct queue *queue, uint32_t number) {
    struct place_entry *entry = place_entry(queue, number);
    struct stay *stay = stay_of(queue, entry);
    assert(entry->state == PLACE_INSIDE && stay->number == number);
    place_move(queue, number, PLACE_END);
    deadlines_set(&queue->ends, &stay->end, INT64_MAX);
    uint32_t slot = entry->at;
    entry->at = stay->position;
    stay->number = queue->stay_free;
    queue->stay_free = slot + 1;
}

void stays_end_over(struct queue *queue, int64_t now_ms, uint32_t most) {
    struct deadline *first;
    while (most-- && (first = deadlines_first(&queue->ends)) && first->at_ms <= now_ms)
        stay_end(queue, CONTAINER_OF(first, struct stay, end)->number);
}
