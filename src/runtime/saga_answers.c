/* Who waits for a saga, and what they are told.
 *
 * Each fan who confirms waits in two lists: of the saga, and of all who wait, oldest first, so that who has waited
 * CASHIER_PATIENCE_MS is found at its head and told PENDING. */
#include "runtime/open_saga.h"
#include "net/reactor.h"

#include <sodium.h>
#include <stdio.h>

void confirm_answer(struct confirm_call *call) {
    struct cashier *cashier = call->cashier;
    atomic_fetch_sub(&cashier->confirms, 1);
    sodium_memzero(call->token, sizeof call->token);
    call->envelope.open = call->answered;
    reactor_send(call->reactor, &call->envelope);
}

static void unlink_waiter(struct cashier *cashier, struct confirm_call *call) {
    *call->in_time = call->next_in_time;
    if (call->next_in_time)
        call->next_in_time->in_time = call->in_time;
    else
        cashier->last_waiter = call->in_time;
}

void open_saga_add_waiter(struct open_saga *open, struct confirm_call *call) {
    struct cashier *cashier = open->cashier;
    call->saga = open;
    call->next_waiter = open->waiters;
    open->waiters = call;
    call->give_up_ms = cashier->now_ms + CASHIER_PATIENCE_MS;
    call->next_in_time = NULL;
    call->in_time = cashier->last_waiter;
    *cashier->last_waiter = call;
    cashier->last_waiter = &call->next_in_time;
}

void open_saga_answer_all(struct open_saga *open, const struct confirm_outcome *outcome) {
    while (open->waiters) {
        struct confirm_call *call = open->waiters;
        open->waiters = call->next_waiter;
        unlink_waiter(open->cashier, call);
        call->outcome = *outcome;
        call->answer_kept = call == open->keeper;
        confirm_answer(call);
    }
    open->keeper = NULL;
}

void confirm_answer_pending(struct confirm_call *call) {
    struct open_saga *open = call->saga;
    struct confirm_call **at = &open->waiters;
    while (*at != call)
        at = &(*at)->next_waiter;
    *at = call->next_waiter;
    if (open->keeper == call)
        open->keeper = NULL;
    unlink_waiter(open->cashier, call);
    call->outcome = (struct confirm_outcome){.result = RESULT_OK, .pending = true, .booking = open->saga.booking.id};
    confirm_answer(call);
}

/* ---- what they are told ---- */

static void fill_lost_seats(struct open_saga *open, struct confirm_outcome *outcome) {
    struct show *show = open->sale->show;
    show_lock(show);
    for (uint32_t i = 0; i < open->saga.booking.seat_count; i++)
        if (show_seat_status(show, open->seats[i]) == SEAT_BOOKED)
            outcome->lost[outcome->lost_count++] = open->sale->plan->seat_ids[open->seats[i]];
    show_unlock(show);
}

/* Why it came to nothing, in the fan's terms. */
void open_saga_outcome_of_failure(struct open_saga *open, struct confirm_outcome *outcome) {
    const char *reason = open->saga.booking.reason;
    *outcome = (struct confirm_outcome){.attempts_left = open->attempts_left};
    if (strcmp(reason, "seat_unavailable") == 0) {
        outcome->result = RESULT_SEAT_UNAVAILABLE;
        fill_lost_seats(open, outcome);
    } else if (strcmp(reason, "gateway_unavailable") == 0 || strcmp(reason, "interrupted") == 0) {
        outcome->result = RESULT_GATEWAY_UNAVAILABLE;
    } else if (strcmp(reason, "expired") == 0) {
        outcome->result = RESULT_RESERVATION_EXPIRED;
    } else {
        outcome->result = RESULT_PAYMENT_DECLINED;
        snprintf(outcome->reason, sizeof outcome->reason, "%s", reason);
    }
}

void open_saga_tell_failure(struct open_saga *open, struct confirm_call *call) {
    open_saga_outcome_of_failure(open, &call->outcome);
    confirm_answer(call);
}

static void answer_look(struct open_saga *open, struct look_call *look, enum result result) {
    const struct booking *booking = &open->saga.booking;
    *look->in_time = look->next_in_time;
    if (look->next_in_time)
        look->next_in_time->in_time = look->in_time;
    else
        open->cashier->last_look = look->in_time;
    look->result = result;
    look->booking.status = booking->status;
    look->booking.payment_state = booking->payment_state;
    look->booking.saga = booking->saga;
    look->booking.refunded = booking->refunded;
    look->booking.updated_ms = booking->updated_ms;
    memcpy(look->booking.reason, booking->reason, sizeof look->booking.reason);
    look->done(look);
}

void open_saga_add_look(struct open_saga *open, struct look_call *look) {
    struct cashier *cashier = open->cashier;
    look->saga = open;
    look->next = open->looks;
    open->looks = look;
    look->give_up_ms = cashier->now_ms + CASHIER_PATIENCE_MS;
    look->next_in_time = NULL;
    look->in_time = cashier->last_look;
    *cashier->last_look = look;
    cashier->last_look = &look->next_in_time;
}

void open_saga_answer_looks(struct open_saga *open, enum result result) {
    struct look_call *next, *look = open->looks;
    open->looks = NULL;
    for (; look; look = next) {
        next = look->next;
        answer_look(open, look, result);
    }
}

void look_answer_silence(struct look_call *look) {
    struct open_saga *open = look->saga;
    struct look_call **at = &open->looks;
    while (*at != look)
        at = &(*at)->next;
    *at = look->next;
    answer_look(open, look, RESULT_GATEWAY_UNAVAILABLE);
}

void open_saga_answer_refund(struct open_saga *open, enum result result) {
    struct refund_call *refund = open->refund;
    if (!refund)
        return;
    open->refund = NULL;
    refund->result = result;
    refund->envelope.open = refund->answered;
    reactor_send(refund->reactor, &refund->envelope);
}
