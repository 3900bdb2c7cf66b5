/* Who waits for a saga, and what they are told.
 *
 * Each fan who confirms, and whoever has a booking looked at, waits in two lists: of the saga, and of all who wait,
 * oldest first, so that who has waited CASHIER_PATIENCE_MS is found at its head and told what can be said by then. */
#include "runtime/open_saga.h"
#include "base/container.h"
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

static void wait_in(struct waiting_list *list, struct waiting *waiting, int64_t now_ms) {
    *waiting = (struct waiting){.link = list->last, .give_up_ms = now_ms + CASHIER_PATIENCE_MS};
    *list->last = waiting;
    list->last = &waiting->next;
}

static void wait_no_more(struct waiting_list *list, struct waiting *waiting) {
    *waiting->link = waiting->next;
    if (waiting->next)
        waiting->next->link = waiting->link;
    else
        list->last = waiting->link;
}

void open_saga_add_waiter(struct open_saga *open, struct confirm_call *call) {
    call->saga = open;
    call->next_waiter = open->waiters;
    open->waiters = call;
    wait_in(&open->cashier->confirms_waiting, &call->waiting, open->cashier->now_ms);
}

void open_saga_answer_all(struct open_saga *open, const struct confirm_outcome *outcome) {
    while (open->waiters) {
        struct confirm_call *call = open->waiters;
        open->waiters = call->next_waiter;
        wait_no_more(&open->cashier->confirms_waiting, &call->waiting);
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
    wait_no_more(&open->cashier->confirms_waiting, &call->waiting);
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
    wait_no_more(&open->cashier->looks_waiting, &look->waiting);
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
    look->saga = open;
    look->next = open->looks;
    open->looks = look;
    wait_in(&open->cashier->looks_waiting, &look->waiting, open->cashier->now_ms);
}

void open_saga_answer_looks(struct open_saga *open, enum result result) {
    struct look_call *next, *look = open->looks;
    open->looks = NULL;
    for (; look; look = next) {
        next = look->next;
        answer_look(open, look, result);
    }
}

/* The gateway does not say. */
static void answer_silence(struct look_call *look) {
    struct open_saga *open = look->saga;
    struct look_call **at = &open->looks;
    while (*at != look)
        at = &(*at)->next;
    *at = look->next;
    answer_look(open, look, RESULT_GATEWAY_UNAVAILABLE);
}

void cashier_lose_patience(struct cashier *cashier, bool all) {
    struct waiting *first;
    while ((first = cashier->confirms_waiting.first) && (all || first->give_up_ms <= cashier->now_ms))
        confirm_answer_pending(CONTAINER_OF(first, struct confirm_call, waiting));
    /* The gateway gives its hints again, and a human asks again. */
    while ((first = cashier->looks_waiting.first) && (all || first->give_up_ms <= cashier->now_ms))
        answer_silence(CONTAINER_OF(first, struct look_call, waiting));
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
