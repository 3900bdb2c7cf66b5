#include "runtime/cashier.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/metrics.h"
#include "net/reactor.h"
#include "runtime/open_saga.h"

#include <stdlib.h>

#define LONGEST_SLEEP_MS 1000

/* ---- confirm ---- */

/* The prices may have changed since the hold was taken; its amount has not. */
static void split_amount(struct booking *booking, const struct plan *plan, const struct show_settings *settings,
                         const uint32_t *seats) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < booking->seat_count; i++) {
        booking->seat_amounts[i] = settings->price[plan->seat_category[seats[i]]];
        sum += booking->seat_amounts[i];
    }
    if (sum == booking->amount)
        return;
    for (uint32_t i = 0; i < booking->seat_count; i++)
        booking->seat_amounts[i] = booking->amount / booking->seat_count;
    booking->seat_amounts[0] += booking->amount % booking->seat_count;
}

static void fill_booking(struct open_saga *open, const struct hold *hold) {
    const struct plan *plan = open->sale->plan;
    struct booking *booking = &open->saga.booking;
    booking->show_id = open->sale->show_id;
    booking->reservation = hold->reservation;
    booking->user = hold->user;
    booking->seat_count = hold->seat_count;
    booking->fence = hold->fence;
    booking->amount = hold->amount;
    booking->attempt = 1;
    booking->created_ms = booking->updated_ms = open->cashier->now_ms;
    for (uint32_t i = 0; i < hold->seat_count; i++)
        booking->seat_ids[i] = plan->seat_ids[open->seats[i]];
    show_lock(open->sale->show);
    const struct show_settings *settings = show_settings(open->sale->show);
    memcpy(booking->currency, settings->currency, sizeof booking->currency);
    split_amount(booking, plan, settings, open->seats);
    open->attempts_left =
        settings->payment_attempts > hold->payments_begun ? settings->payment_attempts - hold->payments_begun : 0;
    show_unlock(open->sale->show);
}

static void begin_sale(struct open_saga *open) {
    struct saga *saga = &open->saga;
    if (saga->booking.amount == 0) {
        saga->booking.status = BOOKING_CONFIRMED;
        saga->booking.saga = saga->target = SAGA_DONE;
        open_saga_act(open, SAGA_DO_SELL);
        return;
    }
    saga->booking.status = BOOKING_PENDING;
    saga->booking.saga = saga->target = SAGA_OPENED;
    open_saga_prepare(open, LEDGER_OPEN_BOOKING);
    open_saga_submit(open);
}

/* The hold is pinned, or was not to be had. */
static void payment_begun(struct hold_step_call *step) {
    struct open_saga *open = step->context;
    if (step->result != RESULT_OK) {
        open_saga_answer_all(open, &(struct confirm_outcome){.result = step->result});
        open_saga_end(open);
        return;
    }
    memcpy(open->seats, step->seats, step->hold.seat_count * sizeof step->seats[0]);
    open->store_deadline_ms = step->hold.store_deadline_ms;
    fill_booking(open, &step->hold);
    begin_sale(open);
}

static void begin(struct cashier *cashier, struct confirm_call *call) {
    struct open_saga *open = open_saga_new(cashier, call->sale, &call->reservation);
    if (!open) {
        call->outcome = (struct confirm_outcome){.result = RESULT_OVERLOADED};
        confirm_answer(call);
        return;
    }
    open->saga.booking.id = id_new_uuid7(cashier->now_ms);
    open->saga.booking.reservation = call->reservation;
    open->saga.has_token = call->has_token;
    open->token_hash = call->token_hash;
    memcpy(open->token, call->token, sizeof open->token);
    open_saga_add_waiter(open, call);
    open_saga_step_hold(open, HOLD_STEP_BEGIN_PAYMENT, false, payment_begun);
}

/* Somebody confirms what is being paid, was sold a moment ago, or is being given back. */
static void join(struct open_saga *open, struct confirm_call *call) {
    const struct booking *booking = &open->saga.booking;
    if (open->is_look && !open->is_sold) {
        /* What was given up is being looked at: whether the fan has to pay again is about to be known. */
        call->outcome = (struct confirm_outcome){.result = RESULT_PAYMENT_IN_PROGRESS};
        confirm_answer(call);
    } else if (open->is_settled) {
        open_saga_tell_failure(open, call);
    } else if (open->is_sold) {
        bool is_gone = booking->status == BOOKING_CANCELLED;
        call->outcome = (struct confirm_outcome){.result = is_gone ? RESULT_RESERVATION_EXPIRED : RESULT_OK,
                                                 .booking = booking->id};
        confirm_answer(call);
    } else if (!id_equal(&call->token_hash, &open->token_hash)) {
        call->outcome = (struct confirm_outcome){.result = RESULT_PAYMENT_IN_PROGRESS};
        confirm_answer(call);
    } else {
        open_saga_add_waiter(open, call);
    }
}

/* What can be said without the ledger. False: the hold is live. */
static bool answer_from_hold(struct cashier *cashier, struct confirm_call *call) {
    struct show *show = call->sale->show;
    struct hold hold = {0};
    show_lock(show);
    uint32_t slot = hold_find(show, &call->reservation);
    if (slot != HOLD_NO_SLOT)
        hold = *hold_at(show, slot);
    show_unlock(show);
    struct confirm_outcome *outcome = &call->outcome;
    *outcome = (struct confirm_outcome){.result = RESULT_OK};
    if (hold.state == HOLD_SOLD)
        outcome->booking = hold.booking;
    else if (slot == HOLD_NO_SLOT)
        outcome->result = RESULT_RESERVATION_NOT_FOUND;
    else if (hold.state != HOLD_HELD && hold.state != HOLD_PAYING)
        outcome->result = RESULT_RESERVATION_EXPIRED;
    else if (hold.amount > 0 && !call->has_token && cashier->now_ms < hold.deadline_ms)
        outcome->result = RESULT_INVALID_FIELD;
    else if (hold.state == HOLD_HELD && hold.amount > 0 && breaker_wait_ms(&cashier->breaker, cashier->now_ms) > 0)
        outcome->result = RESULT_GATEWAY_UNAVAILABLE; /* and the hold is the fan's, to try again */
    else
        return false;
    confirm_answer(call);
    return true;
}

static void open_confirm(struct envelope *envelope, void *receiver) {
    struct cashier *cashier = receiver;
    struct confirm_call *call = CONTAINER_OF(envelope, struct confirm_call, envelope);
    struct open_saga *open = id_map_find(&cashier->by_reservation, &call->reservation);
    if (open)
        join(open, call);
    else if (!answer_from_hold(cashier, call))
        begin(cashier, call);
}

bool cashier_confirm(struct cashier *cashier, struct confirm_call *call) {
    if (atomic_load(&cashier->open) >= LIMIT_OPEN_SAGAS || atomic_load(&cashier->stopping))
        return false;
    if (atomic_fetch_add(&cashier->confirms, 1) >= LIMIT_CONFIRM_CALLS) {
        atomic_fetch_sub(&cashier->confirms, 1);
        return false;
    }
    call->cashier = cashier;
    call->envelope.open = open_confirm;
    mailbox_send(&cashier->mailbox, &call->envelope);
    return true;
}

/* ---- the thread ---- */

static void fire_timers(struct cashier *cashier) {
    struct deadline *first;
    while ((first = deadlines_first(&cashier->timers)) && first->at_ms <= cashier->now_ms) {
        deadlines_set(&cashier->timers, first, INT64_MAX);
        open_saga_fire(CONTAINER_OF(first, struct open_saga, timer));
    }
}

static int next_wait_ms(const struct cashier *cashier) {
    int64_t next = cashier->now_ms + LONGEST_SLEEP_MS;
    const struct deadline *first = deadlines_first(&cashier->timers);
    if (first && first->at_ms < next)
        next = first->at_ms;
    const struct waiting *waiting = cashier->confirms_waiting.first;
    if (waiting && waiting->give_up_ms < next)
        next = waiting->give_up_ms;
    return next > cashier->now_ms ? (int)(next - cashier->now_ms) : 0;
}

static void *work(void *context) {
    struct cashier *cashier = context;
    struct payments *payments = cashier->with.payments;
    while (!atomic_load(&cashier->stopping)) {
        cashier->now_ms = clock_now_ms();
        mailbox_open_all(&cashier->mailbox, cashier);
        fire_timers(cashier);
        cashier_lose_patience(cashier, false);
        cashier_give_up_refunds(cashier, false);
        payments->run(payments->engine, next_wait_ms(cashier));
    }
    mailbox_open_all(&cashier->mailbox, cashier);
    cashier_lose_patience(cashier, true);
    cashier_give_up_refunds(cashier, true);
    return NULL;
}

static void wake(void *context) {
    struct cashier *cashier = context;
    cashier->with.payments->wake(cashier->with.payments->engine);
}

enum result cashier_new(const struct cashier_settings *settings, struct cashier **cashier) {
    struct cashier *made = calloc(1, sizeof *made);
    if (!made)
        return RESULT_OVERLOADED;
    made->with = *settings;
    made->confirms_waiting.last = &made->confirms_waiting.first;
    made->looks_waiting.last = &made->looks_waiting.first;
    made->now_ms = clock_now_ms();
    made->last_refund = &made->first_refund;
    breaker_init(&made->breaker);
    pthread_mutex_init(&made->drives_lock, NULL);
    mailbox_init(&made->mailbox, wake, made);
    enum result result = id_map_init(&made->by_reservation, LIMIT_OPEN_SAGAS);
    if (result == RESULT_OK)
        result = deadlines_init(&made->timers, LIMIT_OPEN_SAGAS);
    if (result != RESULT_OK) {
        id_map_release(&made->by_reservation);
        pthread_mutex_destroy(&made->drives_lock);
        free(made);
        return result;
    }
    *cashier = made;
    return RESULT_OK;
}

enum result cashier_start(struct cashier *cashier) {
    if (pthread_create(&cashier->thread, NULL, work, cashier))
        return RESULT_OVERLOADED;
    pthread_setname_np(cashier->thread, "cashier");
    cashier->started = true;
    return RESULT_OK;
}

void cashier_stop(struct cashier *cashier) {
    if (!cashier)
        return;
    atomic_store(&cashier->stopping, true);
    if (cashier->started) {
        wake(cashier);
        pthread_join(cashier->thread, NULL);
    }
}

void cashier_free(struct cashier *cashier) {
    if (!cashier)
        return;
    for (uint32_t i = 0; i <= cashier->by_reservation.mask; i++) {
        struct open_saga *open = cashier->by_reservation.slots[i].value;
        if (open)
            buffer_release(&open->kept_body);
        free(open);
    }
    while (cashier->free) {
        struct open_saga *next = cashier->free->next_free;
        free(cashier->free);
        cashier->free = next;
    }
    id_map_release(&cashier->by_reservation);
    deadlines_release(&cashier->timers);
    pthread_mutex_destroy(&cashier->drives_lock);
    free(cashier);
}
