/* Bookings that the ledger has and nobody drives: those that were unfinished at the start, those that a look through
 * the ledger finds later, those that the gateway or a human says should be looked at again.
 *
 * What can go wrong: the hold of an open payment is gone and somebody else has its seats (the ledger decides who gets
 * them), another attempt on the same reservation is under way (one at a time: later). */
#include "runtime/cashier.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/metrics.h"
#include "runtime/open_saga.h"

#include <stdio.h>
#include <stdlib.h>

#define OVERDUE_MS (15 * 60000LL)
#define UNDRIVEN_MS 30000   /* a booking that was written so lately may just have found its end */
#define UNDRIVEN_AT_ONCE 64 /* taken up in one look */
#define LOOK_STORAGE_BYTES (1024 * 1024)

enum result cashier_adopt(struct cashier *cashier, const struct booking *booking, int64_t now_ms) {
    struct sale *sale = sale_find(cashier->with.sales, &booking->show_id);
    cashier->now_ms = now_ms;
    if (!sale)
        return RESULT_SHOW_NOT_FOUND;
    struct open_saga *open = open_saga_new(cashier, sale, &booking->reservation);
    if (!open)
        return RESULT_OVERLOADED;
    open->saga.booking = *booking;
    metric_add(METRIC_SAGAS_REVIEW, booking->saga == SAGA_REVIEW);
    open->is_sold = booking->status != BOOKING_PENDING;
    if (!open_saga_find_seats(open)) {
        open_saga_end(open);
        return RESULT_UNKNOWN_SEAT;
    }
    if (!open->is_sold)
        open_saga_pin_hold(open);
    if (booking->saga == SAGA_REVIEW && cashier->with.holds->immediate) {
        open_saga_end(open); /* its hold is pinned; a human, or a hint, will open it again */
        return RESULT_OK;
    }
    /* It begins when the thread does. */
    open->resumed = true;
    deadlines_set(&cashier->timers, &open->timer, now_ms);
    return RESULT_OK;
}

/* ---- looking again ---- */

static void answer_look(struct look_call *look, enum result result) {
    look->result = result;
    look->done(look);
}

/* At the booking's end, as open->saga.booking has it: the gateway is asked whether it agrees. */
static void begin_look(struct open_saga *open, bool by_operator) {
    const struct booking *booking = &open->saga.booking;
    open->saga.looks_again = !by_operator;
    open->saga.is_resumed = by_operator;
    open->is_sold = booking->confirmed_ms != 0;
    open->is_settled = booking->status == BOOKING_CANCELLED;
    open->is_look = true;
    open_saga_happen(open, SAGA_STARTED);
}

void open_saga_look_again(struct open_saga *open) {
    struct booking booking = open->saga.booking;
    memset(&open->saga, 0, sizeof open->saga);
    open->saga.booking = booking;
    begin_look(open, false);
}

static void look_at_ended(struct cashier *cashier, struct look_call *look) {
    const struct booking *booking = &look->booking;
    struct sale *sale = sale_find(cashier->with.sales, &booking->show_id);
    struct open_saga *open = sale ? open_saga_new(cashier, sale, &booking->reservation) : NULL;
    if (!open) {
        answer_look(look, sale ? RESULT_OVERLOADED : RESULT_SHOW_NOT_FOUND);
        return;
    }
    open->saga.booking = *booking;
    if (!open_saga_find_seats(open)) {
        answer_look(look, RESULT_UNKNOWN_SEAT);
        open_saga_end(open);
        return;
    }
    open_saga_add_look(open, look);
    if (look->by_operator) {
        open->actor = BYTES("operator");
        snprintf(open->why, sizeof open->why, "%s", look->reason);
    }
    begin_look(open, look->by_operator);
}

/* A hint for a saga that is open. What is under way may have been asked before the gateway's news: so the hint stays
 * until the saga waits, or has ended. */
static void keep_hint(struct open_saga *open, struct look_call *look) {
    open_saga_add_look(open, look);
    if (!open->waiting || open->is_look)
        return;
    open_saga_answer_looks(open, RESULT_OK);
    open_saga_happen(open, SAGA_HINT);
}

static void open_look(struct envelope *envelope, void *receiver) {
    struct cashier *cashier = receiver;
    struct look_call *look = CONTAINER_OF(envelope, struct look_call, envelope);
    struct booking *booking = &look->booking;
    struct open_saga *open = id_map_find(&cashier->by_reservation, &booking->reservation);
    if (open && (look->by_operator || !id_equal(&open->saga.booking.id, &booking->id)))
        answer_look(look, RESULT_PAYMENT_IN_PROGRESS);
    else if (open)
        keep_hint(open, look);
    else if (look->by_operator && booking->saga != SAGA_REVIEW)
        answer_look(look, RESULT_CONFLICT);
    else if (saga_state_is_end(booking->saga))
        look_at_ended(cashier, look);
    else if (cashier->now_ms - booking->updated_ms < UNDRIVEN_MS) /* it was read before its saga ended: out of date */
        answer_look(look, RESULT_PAYMENT_IN_PROGRESS);
    else
        answer_look(look, cashier_adopt(cashier, booking, cashier->now_ms));
}

bool cashier_look(struct cashier *cashier, struct look_call *look) {
    if (atomic_load(&cashier->open) >= LIMIT_OPEN_SAGAS || atomic_load(&cashier->stopping))
        return false;
    look->envelope.open = open_look;
    mailbox_send(&cashier->mailbox, &look->envelope);
    return true;
}

/* ---- looking through the ledger ---- */

struct unfinished {
    struct cashier *cashier;
    int64_t now_ms;
    uint32_t overdue, count;
    struct id undriven[UNDRIVEN_AT_ONCE];
};

static bool is_driven(struct cashier *cashier, const struct id *reservation) {
    pthread_mutex_lock(&cashier->drives_lock);
    bool driven = id_map_find(&cashier->by_reservation, reservation) != NULL;
    pthread_mutex_unlock(&cashier->drives_lock);
    return driven;
}

static bool see_unfinished(void *context, const struct booking *booking) {
    struct unfinished *unfinished = context;
    int64_t age_ms = unfinished->now_ms - booking->updated_ms;
    if (booking->saga == SAGA_REVIEW)
        return true;
    unfinished->overdue += age_ms > OVERDUE_MS;
    if (age_ms > UNDRIVEN_MS && unfinished->count < UNDRIVEN_AT_ONCE &&
        !is_driven(unfinished->cashier, &booking->reservation))
        unfinished->undriven[unfinished->count++] = booking->id;
    return true;
}

static void look_is_over(struct look_call *look) {
    if (look->result != RESULT_OK)
        log_warn("an unfinished booking cannot be taken up yet", LOG_STRING("result", result_name(look->result)));
    buffer_release(&look->storage);
    free(look);
}

static void take_up(struct cashier *cashier, struct ledger_reader *reader, const struct id *booking) {
    const struct ledger *ledger = cashier->with.ledger;
    struct look_call *look = calloc(1, sizeof *look);
    if (!look)
        return;
    look->done = look_is_over;
    buffer_init(&look->storage, LOOK_STORAGE_BYTES);
    if (ledger->read_booking(reader, booking, &look->booking, &look->storage) == RESULT_OK &&
        cashier_look(cashier, look)) {
        log_warn("an unfinished booking had no driver; it is taken up");
        return;
    }
    buffer_release(&look->storage);
    free(look);
}

void cashier_reconcile(struct cashier *cashier, struct ledger_reader *reader) {
    struct unfinished unfinished = {.cashier = cashier, .now_ms = clock_now_ms()};
    if (cashier->with.ledger->read_unfinished(reader, see_unfinished, &unfinished) != RESULT_OK)
        return; /* the next look will do */
    for (uint32_t i = 0; i < unfinished.count; i++)
        take_up(cashier, reader, &unfinished.undriven[i]);
    if (unfinished.overdue && metric_value(METRIC_SAGAS_OVERDUE) == 0)
        log_error("payments have been under way for more than 15 minutes: their seats stay held until the gateway says "
                  "what became of them",
                  LOG_INT("bookings", unfinished.overdue));
    metric_set(METRIC_SAGAS_OVERDUE, unfinished.overdue);
}
