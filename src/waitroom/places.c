/* Places: their machine and its mover, and the table of who has which.
 *
 * A place is moved in one step together with what is counted of it. Two moves are not written down when they happen,
 * so that they cost nothing: a window that is over (everything WAITING with a position up to `closed` is MISSED), and a
 * pass that is over. place_settle() writes them down when somebody asks for the place.
 *
 * The table by user is a linear hash table (Litwin 1980; Larson, "Dynamic Hash Tables", CACM 1988): it grows by one
 * bucket a join, by splitting one, so that no join waits for the others to be moved. It has a place a user: the live
 * one, or the last; so who leaves and joins again and again does not make the chains longer.
 */
#include "waitroom/queue_private.h"

static const char *const state_names[PLACE_STATE_COUNT] = {
    [PLACE_UNKNOWN] = "UNKNOWN", [PLACE_WAITING] = "WAITING", [PLACE_DOOR] = "DOOR", [PLACE_INSIDE] = "INSIDE",
    [PLACE_DONE] = "DONE",       [PLACE_MISSED] = "MISSED",   [PLACE_LEFT] = "LEFT",
};

static const struct machine_event events[PLACE_EVENT_COUNT] = {
    [PLACE_JOIN] = {"JOIN", MACHINE_NOT_COUNTED},
    [PLACE_COME] = {"COME", MACHINE_NOT_COUNTED},
    [PLACE_ENTER] = {"ENTER", MACHINE_NOT_COUNTED},
    [PLACE_END] = {"END", MACHINE_NOT_COUNTED},
    [PLACE_MISS] = {"MISS", MACHINE_NOT_COUNTED},
    [PLACE_LEAVE] = {"LEAVE", MACHINE_NOT_COUNTED},
    [PLACE_RESTORE_ENTER] = {"RESTORE_ENTER", MACHINE_NOT_COUNTED},
    [PLACE_RESTORE_LEFT] = {"RESTORE_LEFT", MACHINE_NOT_COUNTED},
};

/* UNKNOWN   its user may be unknown
 * WAITING   it is its user's one live place; not over while its position is behind `closed`
 * DOOR      the same, and it is at the door
 * INSIDE    the same, and it has a stay
 * others    dead: its user may have another place */
static const uint8_t to[PLACE_STATE_COUNT][PLACE_EVENT_COUNT] = {
    [PLACE_UNKNOWN] = {[PLACE_JOIN] = MACHINE_TO(PLACE_WAITING),
                       [PLACE_MISS] = MACHINE_TO(PLACE_MISSED),
                       [PLACE_RESTORE_ENTER] = MACHINE_TO(PLACE_INSIDE),
                       [PLACE_RESTORE_LEFT] = MACHINE_TO(PLACE_LEFT)},
    [PLACE_WAITING] = {[PLACE_COME] = MACHINE_TO(PLACE_DOOR),
                       [PLACE_ENTER] = MACHINE_TO(PLACE_INSIDE),
                       [PLACE_MISS] = MACHINE_TO(PLACE_MISSED),
                       [PLACE_LEAVE] = MACHINE_TO(PLACE_LEFT),
                       [PLACE_RESTORE_ENTER] = MACHINE_TO(PLACE_INSIDE),
                       [PLACE_RESTORE_LEFT] = MACHINE_TO(PLACE_LEFT)},
    [PLACE_DOOR] = {[PLACE_ENTER] = MACHINE_TO(PLACE_INSIDE),
                    [PLACE_MISS] = MACHINE_TO(PLACE_MISSED),
                    [PLACE_LEAVE] = MACHINE_TO(PLACE_LEFT),
                    [PLACE_RESTORE_ENTER] = MACHINE_TO(PLACE_INSIDE),
                    [PLACE_RESTORE_LEFT] = MACHINE_TO(PLACE_LEFT)},
    [PLACE_INSIDE] = {[PLACE_END] = MACHINE_TO(PLACE_DONE)},
    [PLACE_MISSED] = {[PLACE_RESTORE_ENTER] = MACHINE_TO(PLACE_INSIDE), [PLACE_RESTORE_LEFT] = MACHINE_TO(PLACE_LEFT)},
};

const struct machine place_machine = {"a place", PLACE_STATE_COUNT, PLACE_EVENT_COUNT, state_names, events, &to[0][0]};

void queue_see_time(struct queue *queue, int64_t now_ms) {
    if (now_ms > queue->now_ms)
        queue->now_ms = now_ms;
}

uint32_t place_position(const struct queue *queue, uint32_t number) {
    const struct place_entry *entry = place_entry(queue, number);
    if (!order_is_known(queue) && !(queue->is_frozen && number > queue->frozen))
        return 0;
    return entry->state == PLACE_INSIDE ? stay_of(queue, entry)->position : entry->at;
}

enum place_state place_state(const struct queue *queue, uint32_t number, int64_t now_ms) {
    const struct place_entry *entry = place_entry(queue, number);
    if (entry->state == PLACE_WAITING && entry->at <= queue->closed)
        return PLACE_MISSED;
    if (now_ms < queue->now_ms)
        now_ms = queue->now_ms;
    if (entry->state == PLACE_INSIDE && stay_of(queue, entry)->end.at_ms <= now_ms)
        return PLACE_DONE;
    return (enum place_state)entry->state;
}

struct place place_view(const struct queue *queue, uint32_t number, int64_t now_ms) {
    uint32_t position = place_position(queue, number);
    return (struct place){.number = number,
                          .position = position,
                          .state = place_state(queue, number, now_ms),
                          .is_called = position && position <= queue->serving};
}

static void change_state(struct place_entry *entry, enum place_event event) {
    uint8_t state = (uint8_t)entry->state;
    machine_move(&place_machine, &state, (uint8_t)event);
    entry->state = (unsigned)state & 15;
}

void place_settle(struct queue *queue, uint32_t number) {
    struct place_entry *entry = place_entry(queue, number);
    enum place_state state = place_state(queue, number, queue->now_ms);
    if (state == (enum place_state)entry->state)
        return;
    if (state == PLACE_DONE)
        stay_end(queue, number);
    else
        change_state(entry, PLACE_MISS); /* counted when its grain closed */
}

static void count_out(struct queue *queue, enum place_state state) {
    queue->waiting -= state == PLACE_WAITING || state == PLACE_DOOR;
    queue->active -= state == PLACE_INSIDE;
    queue->missed -= state == PLACE_MISSED;
}

static void count_in(struct queue *queue, enum place_state state) {
    queue->waiting += state == PLACE_WAITING || state == PLACE_DOOR;
    queue->active += state == PLACE_INSIDE;
    queue->missed += state == PLACE_MISSED;
    queue->left += state == PLACE_LEFT;
}

/* What the move means for the grain that called the place. */
static void count_called(struct queue *queue, uint32_t position, enum place_state from, enum place_state into) {
    struct grain *grain = position && position <= queue->serving ? grain_of(queue, position) : NULL;
    if (!grain) {
        if (from == PLACE_MISSED && into == PLACE_INSIDE)
            share_count_late(queue);
        return;
    }
    bool has_come = into == PLACE_DOOR || into == PLACE_INSIDE;
    if (from == PLACE_UNKNOWN && (has_come || into == PLACE_WAITING))
        grain_count_called(queue, grain);
    if ((from == PLACE_WAITING || from == PLACE_UNKNOWN) && has_come)
        grain_count_shown(queue, grain);
    if (from == PLACE_WAITING && (into == PLACE_LEFT || into == PLACE_MISSED))
        grain_count_left(queue, grain);
}

void place_move(struct queue *queue, uint32_t number, enum place_event event) {
    struct place_entry *entry = place_entry(queue, number);
    enum place_state from = (enum place_state)entry->state;
    assert(from != PLACE_WAITING || entry->at > queue->closed);
    change_state(entry, event);
    enum place_state into = (enum place_state)entry->state;
    count_out(queue, from);
    count_in(queue, into);
    queue->admitted += into == PLACE_INSIDE;
    /* Who is let in or let go keeps in `at` what is not a position: those were counted when they came. */
    if (from != PLACE_INSIDE)
        count_called(queue, entry->at, from, into);
    if (into == PLACE_WAITING && entry->at <= queue->closed) {
        /* Adopted when its time was over. */
        queue->waiting--;
        queue->missed++;
    }
}

uint32_t place_issue(struct queue *queue) {
    assert(queue->issued < LIMIT_PLACES);
    uint32_t number = ++queue->issued;
    place_entry(queue, number)->at = number;
    return number;
}

/* ---- the table by user ---- */

uint32_t table_bucket(const struct queue *queue, uint64_t user) {
    uint32_t bucket = (uint32_t)(user & (2 * queue->bucket_base - 1));
    return bucket < queue->bucket_base + queue->bucket_split ? bucket : bucket - queue->bucket_base;
}

uint32_t table_find(const struct queue *queue, uint64_t user) {
    uint32_t number = queue->heads[table_bucket(queue, user)];
    while (number && place_entry(queue, number)->user != user)
        number = place_entry(queue, number)->next;
    return number;
}

static void add(struct queue *queue, uint32_t number) {
    struct place_entry *entry = place_entry(queue, number);
    uint32_t *head = &queue->heads[table_bucket(queue, entry->user)];
    entry->next = *head & 0x0fffffff;
    *head = number;
}

static void take_out(struct queue *queue, uint32_t number) {
    struct place_entry *entry = place_entry(queue, number);
    uint32_t *head = &queue->heads[table_bucket(queue, entry->user)];
    if (*head == number) {
        *head = entry->next;
    } else {
        uint32_t before = *head;
        while (place_entry(queue, before)->next != number)
            before = place_entry(queue, before)->next;
        place_entry(queue, before)->next = entry->next;
    }
    entry->next = 0;
}

static void split(struct queue *queue) {
    uint32_t number = queue->heads[queue->bucket_split];
    queue->heads[queue->bucket_split] = 0;
    if (++queue->bucket_split == queue->bucket_base) {
        queue->bucket_base *= 2;
        queue->bucket_split = 0;
    }
    while (number) {
        uint32_t next = place_entry(queue, number)->next;
        add(queue, number);
        number = next;
    }
}

void table_put(struct queue *queue, uint32_t number, uint32_t before) {
    if (before)
        take_out(queue, before);
    else
        queue->user_count++;
    add(queue, number);
    if (queue->user_count > queue->bucket_base + queue->bucket_split)
        split(queue);
}
