/* Holds: found, paid, sold, or ended; show.h draws the machine. hold_take.c takes them.
 *
 * The happy path: hold_open() moves seats to a hold and starts its clock, hold_begin_payment() takes it out of the heap
 * of deadlines, hold_sell() books its seats. Whatever has ended is remembered in a list until its slot is needed.
 *
 * What can go wrong: a deadline has passed, a payment is under way, the ledger gave a seat to somebody else.
 */
#include "seats/show.h"
#include "base/container.h"
#include "base/metrics.h"
#include "seats/show_private.h"

/* ---- the machine ---- */

static const char *const state_names[HOLD_STATE_COUNT] = {
    [HOLD_FREE] = "FREE",       [HOLD_HELD] = "HELD",         [HOLD_PAYING] = "PAYING",     [HOLD_SOLD] = "SOLD",
    [HOLD_EXPIRED] = "EXPIRED", [HOLD_RELEASED] = "RELEASED", [HOLD_DECLINED] = "DECLINED",
};

static const struct machine_event events[HOLD_EVENT_COUNT] = {
    [HOLD_TAKE] = {"TAKE", METRIC_HOLDS_TAKEN},
    [HOLD_RESTORE] = {"RESTORE", MACHINE_NOT_COUNTED},
    [HOLD_BEGIN_PAYMENT] = {"BEGIN_PAYMENT", MACHINE_NOT_COUNTED},
    [HOLD_KEEP] = {"KEEP", MACHINE_NOT_COUNTED},
    [HOLD_SELL] = {"SELL", METRIC_HOLDS_SOLD},
    [HOLD_LEARN_SOLD] = {"LEARN_SOLD", MACHINE_NOT_COUNTED},
    [HOLD_DECLINE] = {"DECLINE", METRIC_HOLDS_DECLINED},
    [HOLD_RELEASE] = {"RELEASE", METRIC_HOLDS_RELEASED},
    [HOLD_EXPIRE] = {"EXPIRE", METRIC_HOLDS_EXPIRED},
    [HOLD_LOSE] = {"LOSE", MACHINE_NOT_COUNTED},
    [HOLD_FORGET] = {"FORGET", MACHINE_NOT_COUNTED},
};

/* FREE      the slot names no reservation
 * HELD      its seats are HELD at its fence, its store deadline is in the heap
 * PAYING    its seats are HELD at its fence (less those the ledger gave away), no clock ends it
 * SOLD      its seats were BOOKED at fence + 1 and are its own until refunded
 * others    it has no seats; what became of it is remembered */
static const uint8_t to[HOLD_STATE_COUNT][HOLD_EVENT_COUNT] = {
    [HOLD_FREE] = {[HOLD_TAKE] = MACHINE_TO(HOLD_HELD), [HOLD_RESTORE] = MACHINE_TO(HOLD_HELD)},
    [HOLD_HELD] = {[HOLD_BEGIN_PAYMENT] = MACHINE_TO(HOLD_PAYING),
                   [HOLD_LEARN_SOLD] = MACHINE_TO(HOLD_SOLD),
                   [HOLD_RELEASE] = MACHINE_TO(HOLD_RELEASED),
                   [HOLD_EXPIRE] = MACHINE_TO(HOLD_EXPIRED),
                   [HOLD_LOSE] = MACHINE_TO(HOLD_EXPIRED)},
    [HOLD_PAYING] = {[HOLD_KEEP] = MACHINE_TO(HOLD_HELD),
                     [HOLD_SELL] = MACHINE_TO(HOLD_SOLD),
                     [HOLD_DECLINE] = MACHINE_TO(HOLD_DECLINED),
                     [HOLD_EXPIRE] = MACHINE_TO(HOLD_EXPIRED)},
    [HOLD_SOLD] = {[HOLD_FORGET] = MACHINE_TO(HOLD_FREE)},
    [HOLD_EXPIRED] = {[HOLD_FORGET] = MACHINE_TO(HOLD_FREE)},
    [HOLD_RELEASED] = {[HOLD_FORGET] = MACHINE_TO(HOLD_FREE)},
    [HOLD_DECLINED] = {[HOLD_FORGET] = MACHINE_TO(HOLD_FREE)},
};

const struct machine hold_machine = {"a hold", HOLD_STATE_COUNT, HOLD_EVENT_COUNT, state_names, events, &to[0][0]};

static void hold_move(struct show *show, struct hold *hold, enum hold_event event) {
    assert_locked(show);
    machine_move(&hold_machine, &hold->state, (uint8_t)event);
}

/* ---- slots ---- */

static struct hold *hold_mutable(struct show *show, uint32_t slot) {
    assert_locked(show);
    assert(slot < show->slots_used);
    return &show->holds[slot];
}

static uint32_t slot_of(const struct show *show, const struct hold *hold) {
    return (uint32_t)(hold - show->holds);
}

static void remember_ended(struct show *show, struct hold *hold) {
    uint32_t slot = slot_of(show, hold);
    hold->next_ended = HOLD_NO_SLOT;
    if (show->last_ended == HOLD_NO_SLOT)
        show->first_ended = slot;
    else
        show->holds[show->last_ended].next_ended = slot;
    show->last_ended = slot;
}

/* Takes the ended hold behind `before` (HOLD_NO_SLOT: the first) out of the list, and forgets it. */
static uint32_t forget_behind(struct show *show, uint32_t before) {
    uint32_t *link = before == HOLD_NO_SLOT ? &show->first_ended : &show->holds[before].next_ended;
    uint32_t slot = *link;
    struct hold *hold = &show->holds[slot];
    *link = hold->next_ended;
    if (show->last_ended == slot)
        show->last_ended = before;
    id_map_remove(&show->reservations, &hold->reservation);
    hold_move(show, hold, HOLD_FORGET);
    return slot;
}

uint32_t hold_slot_draw(struct show *show) {
    if (show->slots_used < show->slot_count)
        return show->slots_used++;
    return show->first_ended == HOLD_NO_SLOT ? HOLD_NO_SLOT : forget_behind(show, HOLD_NO_SLOT);
}

uint32_t hold_slot_draw_again(struct show *show, uint32_t ended) {
    uint32_t before = HOLD_NO_SLOT;
    for (uint32_t slot = show->first_ended; slot != ended; slot = show->holds[slot].next_ended)
        before = slot;
    return forget_behind(show, before);
}

/* ---- opening ---- */

static void clock_start(struct show *show, struct hold *hold) {
    deadlines_set(&show->deadlines, &hold->deadline, hold->store_deadline_ms);
    show->counts.holds_held++;
}

static void clock_stop(struct show *show, struct hold *hold) {
    deadlines_set(&show->deadlines, &hold->deadline, INT64_MAX);
    show->counts.holds_held--;
}

void hold_open(struct show *show, uint32_t slot, const struct hold *like, uint32_t count, const uint32_t *seats,
               enum hold_event event) {
    struct hold *hold = &show->holds[slot];
    uint64_t user_hash = fans_ask(&show->fans, user_bytes(&like->user));
    *hold = *like;
    hold->state = HOLD_FREE;
    hold->booking = (struct id){{0}};
    hold->seat_count = count;
    hold->first_seat = seats[0];
    hold->lost_count = 0;
    hold->deadline = (struct deadline){0};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t seat = seats[i];
        show->holders[seat] = slot;
        show->next_seats[seat] = i + 1 < count ? seats[i + 1] : PLAN_NO_SEAT;
        bits_put(show->available, seat, true);
        seat_move(show, seat, SEAT_HELD, hold->fence, LEDGER_TO_BE_TOLD);
    }
    hold->fan = fans_add(&show->fans, user_hash, count);
    bool added = id_map_add(&show->reservations, &hold->reservation, hold);
    assert(added);
    hold_move(show, hold, event);
    clock_start(show, hold);
}

/* ---- finding ---- */

uint32_t hold_find(const struct show *show, const struct id *reservation) {
    assert_locked(show);
    if (id_is_none(reservation))
        return HOLD_NO_SLOT;
    const struct hold *hold = id_map_find(&show->reservations, reservation);
    return hold ? slot_of(show, hold) : HOLD_NO_SLOT;
}

const struct hold *hold_at(const struct show *show, uint32_t slot) {
    assert_locked(show);
    assert(slot < show->slots_used);
    return &show->holds[slot];
}

uint32_t hold_seats(const struct show *show, const struct hold *hold, uint32_t *seats, uint32_t room) {
    assert_locked(show);
    bool is_sold = hold->state == HOLD_SOLD;
    if (hold->state != HOLD_HELD && hold->state != HOLD_PAYING && !is_sold)
        return 0;
    uint32_t count = 0;
    for (uint32_t seat = hold->first_seat; count < hold->seat_count; seat = show->next_seats[seat]) {
        /* A seat changed since the sale was given back: it may be another hold's by now. */
        if (is_sold && show->versions[seat] != hold->fence + 1)
            return 0;
        if (count == room)
            break;
        seats[count++] = seat;
    }
    return count;
}

/* ---- ending ---- */

static void hold_end(struct show *show, struct hold *hold, enum hold_event event) {
    if (hold->state == HOLD_HELD)
        clock_stop(show, hold);
    else
        show->counts.holds_paying--;
    hold_move(show, hold, event);
    uint32_t seat = hold->first_seat;
    for (uint32_t i = 0; i < hold->seat_count; i++) {
        uint32_t next = show->next_seats[seat];
        seat_move(show, seat, SEAT_AVAILABLE, hold->fence + 1, LEDGER_TO_BE_TOLD);
        seat = next;
    }
    fans_remove_from(&show->fans, hold->fan, hold->seat_count);
    hold->first_seat = PLAN_NO_SEAT;
    remember_ended(show, hold);
}

static void hold_book(struct show *show, struct hold *hold, enum hold_event event) {
    hold_move(show, hold, event);
    uint32_t seat = hold->first_seat;
    for (uint32_t i = 0; i < hold->seat_count; i++, seat = show->next_seats[seat]) {
        show->holders[seat] = hold->fan;
        seat_move(show, seat, SEAT_BOOKED, hold->fence + 1, LEDGER_KNOWS);
    }
    remember_ended(show, hold);
}

enum result hold_release(struct show *show, uint32_t slot, int64_t now_ms) {
    struct hold *hold = hold_mutable(show, slot);
    if (hold->state == HOLD_PAYING)
        return RESULT_PAYMENT_IN_PROGRESS;
    if (hold->state != HOLD_HELD || now_ms > hold->deadline_ms)
        return RESULT_RESERVATION_EXPIRED;
    hold_end(show, hold, HOLD_RELEASE);
    return RESULT_OK;
}

enum result hold_begin_payment(struct show *show, uint32_t slot, const struct id *booking, bool recovering,
                               int64_t now_ms) {
    struct hold *hold = hold_mutable(show, slot);
    if (hold->state == HOLD_PAYING)
        return RESULT_PAYMENT_IN_PROGRESS;
    if (hold->state != HOLD_HELD || (now_ms > hold->deadline_ms && !recovering))
        return RESULT_RESERVATION_EXPIRED;
    clock_stop(show, hold);
    show->counts.holds_paying++;
    hold_move(show, hold, HOLD_BEGIN_PAYMENT);
    hold->booking = *booking;
    if (hold->payments_begun < UINT8_MAX)
        hold->payments_begun++;
    return RESULT_OK;
}

void hold_end_payment(struct show *show, uint32_t slot, bool keep, int64_t now_ms) {
    struct hold *hold = hold_mutable(show, slot);
    assert(hold->state == HOLD_PAYING);
    hold->booking = (struct id){{0}};
    if (!keep || hold->lost_count) {
        hold_end(show, hold, HOLD_DECLINE);
    } else if (hold->store_deadline_ms <= now_ms) {
        hold_end(show, hold, HOLD_EXPIRE);
    } else {
        hold_move(show, hold, HOLD_KEEP);
        show->counts.holds_paying--;
        clock_start(show, hold);
    }
}

void hold_sell(struct show *show, uint32_t slot) {
    struct hold *hold = hold_mutable(show, slot);
    assert(hold->state == HOLD_PAYING);
    show->counts.holds_paying--;
    hold_book(show, hold, HOLD_SELL);
}

static struct hold *hold_of_deadline(struct deadline *deadline) {
    return CONTAINER_OF(deadline, struct hold, deadline);
}

uint32_t show_expire(struct show *show, int64_t now_ms, uint32_t batch, struct id *ended) {
    assert_locked(show);
    uint32_t count = 0;
    for (struct deadline *first;
         count < batch && (first = deadlines_first(&show->deadlines)) && first->at_ms <= now_ms;) {
        struct hold *hold = hold_of_deadline(first);
        hold_end(show, hold, HOLD_EXPIRE);
        ended[count++] = hold->reservation;
    }
    assert_deep(show_check(show, NULL, 0));
    return count;
}

int64_t show_next_deadline(const struct show *show) {
    assert_locked(show);
    const struct deadline *first = deadlines_first(&show->deadlines);
    return first ? first->at_ms : INT64_MAX;
}

/* ---- the ledger knows better ---- */

void hold_learn_sold(struct show *show, struct hold *hold) {
    clock_stop(show, hold);
    hold_book(show, hold, HOLD_LEARN_SOLD);
}

static void unlink_seat(struct show *show, struct hold *hold, uint32_t seat) {
    uint32_t *link = &hold->first_seat;
    while (*link != seat)
        link = &show->next_seats[*link];
    *link = show->next_seats[seat];
}

void hold_lose_seat(struct show *show, uint32_t seat) {
    struct hold *hold = &show->holds[show->holders[seat]];
    if (hold->state == HOLD_HELD) {
        hold_end(show, hold, HOLD_LOSE);
        return;
    }
    unlink_seat(show, hold, seat);
    hold->seat_count--;
    hold->lost_count++;
    fans_remove_from(&show->fans, hold->fan, 1);
}
