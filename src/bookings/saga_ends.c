/* A saga at its end that is looked at again: because the gateway says that something has changed there, or because a
 * human has looked at what was in REVIEW.
 *
 * Happy path: the gateway is asked, agrees with the ledger, and the saga is at its end again. Else: a payment that was
 * given up holds money (it came late) and gets its seats again, if they are free and it never had them before, or is
 * undone; a booking in REVIEW goes on from what the gateway says. What no rule covers goes to REVIEW.
 *
 * What can go wrong: the gateway does not answer. Then all stays as it is until the next hint. */
#include "bookings/saga_moves.h"
#include "base/panic.h"

#include <string.h>

/* How often an end is asked about; with the waits of saga_moves.c for half a minute. */
#define TRIES_OF_A_LOOK 8

/* Leaves an end. The attempt rises, and with it all keys are others than those of the way to that end: their stored
 * answers tell of another time. */
static enum saga_action leave_end(struct saga *saga, enum saga_state target, const char *reason) {
    struct booking *booking = &saga->booking;
    booking->attempt++;
    if (booking->saga == SAGA_REVIEW) {
        saga->keys_are_new = true;
        saga->doubt_ends_ms = booking->updated_ms + SAGA_DOUBT_MS;
    }
    return saga_write(saga, target, reason);
}

/* A payment that had been given up holds money: it is voided, or given back. */
static enum saga_action undo_late_payment(struct saga *saga, enum payment_state money, const char *reason) {
    if (reason)
        saga->booking.reason[0] = '\0';
    saga->booking.payment_state = money;
    return leave_end(saga, SAGA_CANCELLING, reason);
}

static enum saga_action payment_came_late(struct saga *saga, enum payment_state money) {
    if (saga->booking.confirmed_ms)
        return undo_late_payment(saga, money, NULL);
    saga->booking.payment_state = money;
    return SAGA_DO_TAKE_SEATS;
}

static enum saga_action in_cancelled(struct saga *saga, enum saga_event event) {
    struct booking *booking = &saga->booking;
    switch (event) {
    case SAGA_AUTHORIZED:
        return payment_came_late(saga, PAYMENT_STATE_AUTHORIZED);
    case SAGA_CAPTURED:
        if (saga->already_refunded >= booking->amount)
            return SAGA_DO_END;
        if (saga->already_refunded > 0) /* somebody gives it back there already: all of it goes */
            return undo_late_payment(saga, PAYMENT_STATE_CAPTURED, NULL);
        return payment_came_late(saga, PAYMENT_STATE_CAPTURED);
    case SAGA_SEATS_TAKEN:
        booking->status = BOOKING_PENDING;
        booking->reason[0] = '\0';
        return leave_end(saga, SAGA_CONFIRMING, NULL);
    case SAGA_SEAT_LOST:
        return undo_late_payment(saga, booking->payment_state, "seat_unavailable");
    default:
        return SAGA_DO_END;
    }
}

static enum saga_action in_done(struct saga *saga, enum saga_event event) {
    switch (event) {
    case SAGA_CAPTURED:
        if (saga->already_refunded > saga->booking.refunded)
            return saga_review(saga, "refunded_at_gateway");
        return saga->already_refunded < saga->booking.refunded ? saga_review(saga, "refund_missing") : SAGA_DO_END;
    case SAGA_AUTHORIZED:
    case SAGA_VOIDED:
    case SAGA_INTENT_UNPAID:
    case SAGA_INTENT_NEEDS_FAN:
        return saga_review(saga, "not_captured_at_gateway");
    default:
        return SAGA_DO_END;
    }
}

static enum saga_action in_refunded(struct saga *saga, enum saga_event event) {
    switch (event) {
    case SAGA_CAPTURED:
        return saga->already_refunded < saga->booking.refunded ? saga_review(saga, "refund_missing") : SAGA_DO_END;
    case SAGA_AUTHORIZED:
        return undo_late_payment(saga, PAYMENT_STATE_AUTHORIZED, NULL);
    default:
        return SAGA_DO_END;
    }
}

/* A human has looked: it goes on from what the gateway says. */
static enum saga_action resume_sold(struct saga *saga, enum saga_event event) {
    struct booking *booking = &saga->booking;
    if (event == SAGA_CAPTURED && saga->already_refunded > booking->refunded) {
        bool is_told = strcmp(booking->reason, "refunded_at_gateway") == 0;
        return is_told ? SAGA_DO_END : saga_review(saga, "refunded_at_gateway");
    }
    booking->reason[0] = '\0';
    if (event == SAGA_AUTHORIZED)
        return leave_end(saga, SAGA_CAPTURING, NULL);
    if (event != SAGA_CAPTURED) {
        (void)saga_write(saga, SAGA_CANCELLED, "capture_refused");
        return SAGA_DO_UNSELL;
    }
    booking->payment_state = PAYMENT_STATE_CAPTURED;
    if (booking->refunded > saga->already_refunded)
        return leave_end(saga, SAGA_REFUNDING, NULL);
    return saga_write(saga, SAGA_DONE, NULL);
}

static enum saga_action resume_unsold(struct saga *saga, enum saga_event event) {
    struct booking *booking = &saga->booking;
    bool holds_money = event == SAGA_AUTHORIZED || event == SAGA_CAPTURED;
    if (booking->refunded && (event == SAGA_CAPTURED || event == SAGA_VOIDED)) {
        booking->payment_state = PAYMENT_STATE_CAPTURED;
        return leave_end(saga, SAGA_REFUNDING, NULL);
    }
    booking->refunded = 0;
    booking->payment_state = holds_money ? PAYMENT_STATE_AUTHORIZED : PAYMENT_STATE_NONE;
    return leave_end(saga, SAGA_CANCELLING, NULL);
}

static enum saga_action in_review(struct saga *saga, enum saga_event event) {
    switch (event) {
    case SAGA_CAPTURED:
    case SAGA_AUTHORIZED:
    case SAGA_VOIDED:
    case SAGA_INTENT_UNPAID:
    case SAGA_INTENT_NEEDS_FAN:
        return saga->booking.status == BOOKING_CONFIRMED ? resume_sold(saga, event) : resume_unsold(saga, event);
    default:
        return SAGA_DO_END;
    }
}

/* Nobody can say, for now. The next hint, or the next human, asks again. */
static enum saga_action look_later(struct saga *saga, int64_t now_ms, uint64_t jitter) {
    if (saga->tries >= TRIES_OF_A_LOOK) {
        saga->looked_in_vain = true;
        return SAGA_DO_END;
    }
    return saga_wait(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
}

enum saga_action saga_at_end(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter) {
    if (event == SAGA_NOT_SENT || event == SAGA_UNKNOWN || event == SAGA_INTENT_BUSY)
        return look_later(saga, now_ms, jitter);
    switch (saga->booking.saga) {
    case SAGA_DONE:
        return in_done(saga, event);
    case SAGA_CANCELLED:
        return in_cancelled(saga, event);
    case SAGA_REFUNDED:
        return in_refunded(saga, event);
    case SAGA_REVIEW:
        return in_review(saga, event);
    default:
        impossible("it has ended");
    }
}
