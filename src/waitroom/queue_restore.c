/* Restart: a queue brought back from what its record and the ledger have.
 *
 * What is not written down is found again from what is: a place whose user joined again had missed its turn or had
 * left the shop; windows that were over when the clock stood where it did are over again. Who stood at the door stands
 * there again, not asking yet: how much of the window was used is not known, so it begins anew. Nothing that a file may
 * hold is trusted to make sense; what does not is left out.
 */
#include "waitroom/queue_private.h"

static void take_from_the_door(struct queue *queue, uint32_t number) {
    const struct place_entry *entry = place_entry(queue, number);
    if (entry->state == PLACE_DOOR)
        door_remove(queue, door_index(queue, entry->at));
}

/* Its user has another place, so it must have ended. */
static void end_superseded(struct queue *queue, uint32_t number) {
    place_settle(queue, number);
    switch ((enum place_state)place_entry(queue, number)->state) {
    case PLACE_INSIDE:
        stay_end(queue, number);
        break;
    case PLACE_WAITING:
    case PLACE_DOOR:
        take_from_the_door(queue, number);
        place_move(queue, number, PLACE_MISS);
        break;
    case PLACE_UNKNOWN:
    case PLACE_DONE:
    case PLACE_MISSED:
    case PLACE_LEFT:
    case PLACE_STATE_COUNT:
        break;
    }
}

void queue_restore_join(struct queue *queue, uint64_t user) {
    if (queue->issued == LIMIT_PLACES)
        return;
    uint32_t number = place_issue(queue);
    queue_allow_numbers(queue, number);
    if (!user)
        return;
    uint32_t before = table_find(queue, user);
    if (before)
        end_superseded(queue, before);
    place_entry(queue, number)->user = user;
    place_move(queue, number, PLACE_JOIN);
    table_put(queue, number, before);
}

void queue_restore_unknown(struct queue *queue, uint32_t ceiling) {
    while (queue->issued < ceiling && queue->issued < LIMIT_PLACES)
        place_issue(queue);
    queue_allow_numbers(queue, queue->issued);
}

void queue_restore_call(struct queue *queue, uint32_t serving, int64_t open_ms) {
    calls_advance(queue, open_ms);
    if (!order_is_known(queue))
        return;
    while (queue->serving < serving && queue->serving < queue->issued)
        calls_next(queue);
}

void queue_restore_left(struct queue *queue, uint32_t number) {
    if (!place_is_issued(queue, number))
        return;
    place_settle(queue, number);
    uint8_t state = (uint8_t)place_entry(queue, number)->state;
    if (state == PLACE_INSIDE) {
        stay_end(queue, number);
    } else if (machine_allows(&place_machine, state, PLACE_RESTORE_LEFT)) {
        take_from_the_door(queue, number);
        place_move(queue, number, PLACE_RESTORE_LEFT);
    }
}

void queue_restore_door(struct queue *queue, uint32_t number) {
    if (!place_is_issued(queue, number))
        return;
    place_settle(queue, number);
    const struct place_entry *entry = place_entry(queue, number);
    if (entry->state != PLACE_WAITING || !order_is_known(queue) || entry->at > queue->serving)
        return;
    /* The door was never fuller: who has been passed over for longest has missed the turn, which is not recorded. */
    if (queue->door_count == LIMIT_DOOR) {
        uint32_t missed = queue->door[0].number;
        door_remove(queue, 0);
        place_move(queue, missed, PLACE_MISS);
    }
    door_add(queue, number);
}

void queue_restore_clock(struct queue *queue, int64_t open_ms) {
    calls_advance(queue, open_ms);
}

bool queue_restore_admission(struct queue *queue, const struct queue_pass *pass, bool ended) {
    uint32_t number = pass->number;
    if (!place_is_issued(queue, number) || !order_is_known(queue) || pass->expires_ms == INT64_MAX)
        return false;
    stays_end_over(queue, pass->claimed_ms, LIMIT_ACTIVE);
    place_settle(queue, number);
    struct place_entry *entry = place_entry(queue, number);
    if (!machine_allows(&place_machine, (uint8_t)entry->state, PLACE_RESTORE_ENTER))
        return false;
    /* The ledger may know of more than the record: then the call is what the record has lost. */
    queue_restore_call(queue, entry->at, queue->open_ms);
    uint32_t position = entry->at;
    bool is_at_the_door = entry->state == PLACE_DOOR;
    if (!stay_begin(queue, number, PLACE_RESTORE_ENTER, pass->claimed_ms, pass->expires_ms))
        return false;
    if (is_at_the_door)
        door_remove(queue, door_index(queue, position));
    if (ended || (entry->user && table_find(queue, entry->user) != number))
        stay_end(queue, number);
    return true;
}

void queue_end_restore(struct queue *queue, int64_t now_ms) {
    queue_see_time(queue, now_ms);
    stays_end_over(queue, queue->now_ms, LIMIT_ACTIVE);
    uint32_t factor = queue->drip.factor;
    drip_init(&queue->drip, queue->settings.rate_per_minute, queue->now_ms);
    queue->drip.factor = factor;
    queue->credit = 0;
    queue->done_seen = queue->admitted - queue->active;
    for (uint32_t i = 0; i < queue->door_count; i++) {
        queue->door[i].is_asking = false;
        queue->door[i].used_ms = 0;
    }
    queue->door_asking = 0;
    queue->ticked_ms = queue->door_walked_ms = queue->now_ms;
    queue->door_walked_open_ms = queue->open_ms;
}
