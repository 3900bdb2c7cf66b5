#include "bookings/saga.h"
#include "base/panic.h"

#include <stdio.h>

#define FIRST_WAIT_MS 100
#define LONGEST_WAIT_MS 30000
/* How often a step may fail, the gateway answering each time, before we stop trying: a payment that was not begun is
 * given up, one that holds money goes to a human. With the waits above the latter is after some hours. */
#define TRIES_BEFORE_GIVING_UP 4
#define TRIES_BEFORE_REVIEW 500

enum saga_event saga_event_of(const struct payment_call *call) {
    switch (call->outcome) {
    case PAYMENT_DECLINED:
        return SAGA_DECLINED;
    case PAYMENT_REFUSED:
        return SAGA_REFUSED;
    case PAYMENT_BUSY:
    case PAYMENT_UNREACHED:
        return SAGA_NOT_SENT;
    case PAYMENT_UNKNOWN:
        return SAGA_UNKNOWN;
    case PAYMENT_DONE:
        break;
    }
    if (call->operation == PAYMENT_CREATE)
        return SAGA_INTENT_CREATED;
    if (call->operation == PAYMENT_REFUND)
        return SAGA_REFUND_MADE;
    switch (call->status) {
    case INTENT_REQUIRES_PAYMENT_METHOD:
    case INTENT_REQUIRES_CONFIRMATION:
        return SAGA_INTENT_UNPAID;
    case INTENT_REQUIRES_ACTION:
        return SAGA_INTENT_NEEDS_FAN;
    case INTENT_PROCESSING:
        return SAGA_INTENT_BUSY;
    case INTENT_REQUIRES_CAPTURE:
        return SAGA_AUTHORIZED;
    case INTENT_SUCCEEDED:
        return SAGA_CAPTURED;
    case INTENT_CANCELED:
        return SAGA_VOIDED;
    case INTENT_NONE:
        break;
    }
    return SAGA_UNKNOWN;
}

/* Exponential, from 100 ms to 30 s, each wait spread over its upper half. */
static enum saga_action wait_for(struct saga *saga, enum saga_action after, int64_t now_ms, uint64_t jitter) {
    int64_t wait_ms = LONGEST_WAIT_MS;
    if (saga->tries < 9)
        wait_ms = FIRST_WAIT_MS << saga->tries;
    if (wait_ms > LONGEST_WAIT_MS)
        wait_ms = LONGEST_WAIT_MS;
    saga->tries++;
    saga->after = after;
    saga->retry_ms = now_ms + wait_ms / 2 + (int64_t)(jitter % (uint64_t)(wait_ms / 2 + 1));
    return SAGA_DO_WAIT;
}

static void set_reason(struct saga *saga, const char *reason) {
    if (saga->booking.reason[0] == '\0')
        snprintf(saga->booking.reason, sizeof saga->booking.reason, "%s", reason);
}

/* Sets what the booking's row is to say, and where it is to stand. */
static enum saga_action write(struct saga *saga, enum saga_state target, const char *reason) {
    struct booking *booking = &saga->booking;
    if (reason)
        set_reason(saga, reason);
    saga->target = target;
    switch (target) {
    case SAGA_OPENED:
        impossible("a booking is opened once");
    case SAGA_CONFIRMING:
    case SAGA_CANCELLING:
    case SAGA_REFUNDING:
        break;
    case SAGA_CAPTURING:
        booking->status = BOOKING_CONFIRMED;
        booking->payment_state = PAYMENT_STATE_AUTHORIZED;
        break;
    case SAGA_DONE:
        booking->payment_state = PAYMENT_STATE_CAPTURED;
        break;
    case SAGA_CANCELLED:
        booking->status = BOOKING_CANCELLED;
        booking->payment_state = booking->saga == SAGA_CANCELLING || booking->saga == SAGA_CAPTURING
                                     ? PAYMENT_STATE_VOIDED
                                     : PAYMENT_STATE_NONE;
        break;
    case SAGA_REFUNDED:
        booking->payment_state = PAYMENT_STATE_REFUNDED;
        break;
    case SAGA_REVIEW:
        booking->payment_state = PAYMENT_STATE_REVIEW;
        break;
    case SAGA_STATE_COUNT:
        impossible("not a state");
    }
    return SAGA_DO_WRITE;
}

static enum saga_action review(struct saga *saga, const char *reason) {
    return write(saga, SAGA_REVIEW, reason);
}

/* The last call is over at the gateway and did not take effect: the next one needs a key of its own. */
static void next_round_if_answered(struct saga *saga) {
    if (saga->answer_read)
        saga->round++;
    saga->answer_read = false;
}

/* The first action in a state that was just written. */
static enum saga_action enter(struct saga *saga, bool fresh) {
    saga->tries = 0;
    saga->refusals = 0;
    saga->round = 0;
    saga->answer_read = false;
    switch (saga->booking.saga) {
    case SAGA_OPENED:
        /* After a restart the token is gone. Nothing was ever confirmed in this state, so giving up needs no call. */
        return saga->has_token ? SAGA_DO_CREATE : write(saga, SAGA_CANCELLED, "interrupted");
    case SAGA_CONFIRMING:
        return saga->has_token ? SAGA_DO_CONFIRM : SAGA_DO_RETRIEVE;
    case SAGA_CAPTURING:
        return fresh ? SAGA_DO_CAPTURE : SAGA_DO_RETRIEVE;
    case SAGA_CANCELLING:
        return SAGA_DO_CANCEL;
    case SAGA_REFUNDING:
        return SAGA_DO_RETRIEVE;
    case SAGA_DONE:
    case SAGA_CANCELLED:
    case SAGA_REFUNDED:
    case SAGA_REVIEW:
        return SAGA_DO_END;
    case SAGA_STATE_COUNT:
        break;
    }
    impossible("a saga has a state");
}

static enum saga_action in_opened(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter) {
    switch (event) {
    case SAGA_INTENT_CREATED:
        if (saga->deadline_passed)
            return write(saga, SAGA_CANCELLED, "expired");
        return write(saga, SAGA_CONFIRMING, NULL);
    case SAGA_DECLINED:
        return write(saga, SAGA_CANCELLED, "declined");
    case SAGA_REFUSED:
        return write(saga, SAGA_CANCELLED, "gateway_refused");
    case SAGA_NOT_SENT:
    case SAGA_UNKNOWN:
        /* Creating asks nothing of the fan's card: a second intent that is never confirmed does no harm. */
        if (saga->deadline_passed)
            return write(saga, SAGA_CANCELLED, "expired");
        if (saga->tries >= TRIES_BEFORE_GIVING_UP)
            return write(saga, SAGA_CANCELLED, "gateway_unavailable");
        if (event == SAGA_UNKNOWN)
            next_round_if_answered(saga);
        return wait_for(saga, SAGA_DO_CREATE, now_ms, jitter);
    default:
        return SAGA_DO_NOTHING;
    }
}

static enum saga_action in_confirming(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter) {
    switch (event) {
    case SAGA_AUTHORIZED:
    case SAGA_CAPTURED:
        (void)write(saga, SAGA_CAPTURING, NULL);
        return SAGA_DO_SELL;
    case SAGA_SEAT_LOST:
        saga->booking.status = BOOKING_PENDING;
        saga->booking.payment_state = PAYMENT_STATE_NONE;
        return write(saga, SAGA_CANCELLING, "seat_unavailable");
    case SAGA_DECLINED:
        return write(saga, SAGA_CANCELLED, "declined");
    case SAGA_VOIDED:
        return write(saga, SAGA_CANCELLED, "cancelled_at_gateway");
    case SAGA_INTENT_NEEDS_FAN:
        return write(saga, SAGA_CANCELLING, "authentication_required");
    case SAGA_REFUSED:
        return write(saga, SAGA_CANCELLING, "gateway_refused");
    case SAGA_INTENT_UNPAID:
        /* Without the token nobody can pay it any more; with it, the last call told that it had failed. */
        if (!saga->has_token || saga->deadline_passed || saga->tries >= TRIES_BEFORE_GIVING_UP)
            return write(saga, SAGA_CANCELLING, saga->has_token ? "gateway_unavailable" : "interrupted");
        next_round_if_answered(saga);
        return SAGA_DO_CONFIRM;
    case SAGA_NOT_SENT:
        if (saga->deadline_passed)
            return write(saga, SAGA_CANCELLING, "expired");
        return wait_for(saga, saga->has_token ? SAGA_DO_CONFIRM : SAGA_DO_RETRIEVE, now_ms, jitter);
    case SAGA_UNKNOWN:
    case SAGA_INTENT_BUSY:
        if (saga->deadline_passed)
            return write(saga, SAGA_CANCELLING, "expired");
        return wait_for(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
    case SAGA_DEADLINE:
        /* A call is under way or a wait is: what it brings is judged with the deadline in mind. */
        return SAGA_DO_NOTHING;
    default:
        return SAGA_DO_NOTHING;
    }
}

static enum saga_action in_capturing(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter) {
    switch (event) {
    case SAGA_CAPTURED:
        return write(saga, SAGA_DONE, NULL);
    case SAGA_AUTHORIZED:
        if (saga->tries >= TRIES_BEFORE_REVIEW)
            return review(saga, "capture_fails");
        next_round_if_answered(saga);
        return SAGA_DO_CAPTURE;
    case SAGA_VOIDED:
    case SAGA_INTENT_UNPAID:
        /* The one way back: the authorization is gone for good. */
        (void)write(saga, SAGA_CANCELLED, "capture_refused");
        return SAGA_DO_UNSELL;
    case SAGA_NOT_SENT:
        return wait_for(saga, SAGA_DO_CAPTURE, now_ms, jitter);
    case SAGA_REFUSED:
        /* Perhaps an authorization that has ended: the gateway is asked what became of it. */
        if (saga->refusals++ >= TRIES_BEFORE_GIVING_UP)
            return review(saga, "gateway_refused");
        return wait_for(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
    case SAGA_DECLINED:
    case SAGA_UNKNOWN:
    case SAGA_INTENT_BUSY:
    case SAGA_INTENT_NEEDS_FAN:
        return wait_for(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
    default:
        return SAGA_DO_NOTHING;
    }
}

static enum saga_action in_cancelling(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter) {
    switch (event) {
    case SAGA_VOIDED:
        return write(saga, SAGA_CANCELLED, NULL);
    case SAGA_CAPTURED:
        /* Money was taken for seats that were not sold: all of it goes back. */
        saga->booking.refunded = saga->booking.amount;
        saga->booking.status = BOOKING_CANCELLED;
        return write(saga, SAGA_REFUNDING, NULL);
    case SAGA_AUTHORIZED:
    case SAGA_INTENT_UNPAID:
    case SAGA_INTENT_NEEDS_FAN:
        next_round_if_answered(saga);
        return wait_for(saga, SAGA_DO_CANCEL, now_ms, jitter);
    case SAGA_NOT_SENT:
        return wait_for(saga, SAGA_DO_CANCEL, now_ms, jitter);
    case SAGA_REFUSED:
    case SAGA_DECLINED:
        if (saga->tries >= TRIES_BEFORE_REVIEW)
            return review(saga, "cancel_fails");
        return wait_for(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
    case SAGA_UNKNOWN:
    case SAGA_INTENT_BUSY:
        return wait_for(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
    default:
        return SAGA_DO_NOTHING;
    }
}

/* A refund of the whole ends the saga as REFUNDED, one of a part brings it back to DONE. */
static enum saga_action refund_is_made(struct saga *saga) {
    if (saga->booking.refunded >= saga->booking.amount)
        return write(saga, SAGA_REFUNDED, NULL);
    return write(saga, SAGA_DONE, NULL);
}

static enum saga_action in_refunding(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter) {
    switch (event) {
    case SAGA_CAPTURED:
        if (saga->already_refunded >= saga->booking.refunded)
            return refund_is_made(saga);
        next_round_if_answered(saga);
        return SAGA_DO_REFUND;
    case SAGA_REFUND_MADE:
        return refund_is_made(saga);
    case SAGA_VOIDED:
        return write(saga, SAGA_REFUNDED, NULL);
    case SAGA_AUTHORIZED:
    case SAGA_INTENT_UNPAID:
        return review(saga, "refund_without_capture");
    case SAGA_NOT_SENT:
    case SAGA_UNKNOWN:
    case SAGA_INTENT_BUSY:
    case SAGA_INTENT_NEEDS_FAN:
        return wait_for(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
    case SAGA_REFUSED:
    case SAGA_DECLINED:
        /* Perhaps it was made, and only its answer was lost. */
        if (saga->refusals++ >= TRIES_BEFORE_GIVING_UP)
            return review(saga, "refund_refused");
        return wait_for(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
    default:
        return SAGA_DO_NOTHING;
    }
}

/* The wait is over. A payment is not begun, or tried again, once the hold's deadline has passed. */
static enum saga_action go_on(struct saga *saga) {
    if (saga->deadline_passed && saga->after == SAGA_DO_CREATE)
        return write(saga, SAGA_CANCELLED, "expired");
    if (saga->deadline_passed && saga->after == SAGA_DO_CONFIRM)
        return write(saga, SAGA_CANCELLING, "expired");
    return saga->after;
}

enum saga_action saga_step(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter) {
    assert((unsigned)event < SAGA_EVENT_COUNT);
    switch (event) {
    case SAGA_STARTED:
        return enter(saga, false);
    case SAGA_WRITTEN:
        saga->booking.saga = saga->target;
        return enter(saga, true);
    case SAGA_WRITE_REFUSED:
        return SAGA_DO_END;
    case SAGA_TIMER:
        return go_on(saga);
    case SAGA_DEADLINE:
        saga->deadline_passed = true;
        return SAGA_DO_NOTHING;
    default:
        break;
    }
    switch (saga->booking.saga) {
    case SAGA_OPENED:
        return in_opened(saga, event, now_ms, jitter);
    case SAGA_CONFIRMING:
        return in_confirming(saga, event, now_ms, jitter);
    case SAGA_CAPTURING:
        return in_capturing(saga, event, now_ms, jitter);
    case SAGA_CANCELLING:
        return in_cancelling(saga, event, now_ms, jitter);
    case SAGA_REFUNDING:
        return in_refunding(saga, event, now_ms, jitter);
    case SAGA_DONE:
    case SAGA_CANCELLED:
    case SAGA_REFUNDED:
    case SAGA_REVIEW:
    case SAGA_STATE_COUNT:
        break;
    }
    return SAGA_DO_NOTHING;
}

static const char *step_word(enum saga_action action) {
    switch (action) {
    case SAGA_DO_CREATE:
        return "create";
    case SAGA_DO_CONFIRM:
        return "confirm";
    case SAGA_DO_CAPTURE:
        return "capture";
    case SAGA_DO_CANCEL:
        return "cancel";
    case SAGA_DO_REFUND:
        return "refund";
    default:
        return "retrieve";
    }
}

void saga_fill_call(const struct saga *saga, enum saga_action action, struct payment_call *call) {
    static const enum payment_operation operations[] = {
        [SAGA_DO_CREATE] = PAYMENT_CREATE,   [SAGA_DO_CONFIRM] = PAYMENT_CONFIRM, [SAGA_DO_RETRIEVE] = PAYMENT_RETRIEVE,
        [SAGA_DO_CAPTURE] = PAYMENT_CAPTURE, [SAGA_DO_CANCEL] = PAYMENT_CANCEL,   [SAGA_DO_REFUND] = PAYMENT_REFUND,
    };
    assert(action >= SAGA_DO_CREATE && action <= SAGA_DO_REFUND);
    const struct booking *booking = &saga->booking;
    char text[ID_LETTER_TEXT + 1] = "";
    id_format_letter(&booking->id, 'b', text);

    call->operation = operations[action];
    call->booking = booking->id;
    call->amount = action == SAGA_DO_REFUND ? booking->refunded - saga->already_refunded : booking->amount;
    memcpy(call->currency, booking->currency, sizeof call->currency);
    memcpy(call->intent_id, booking->intent_id, sizeof call->intent_id);
    int length =
        snprintf(call->idempotency_key, sizeof call->idempotency_key, "%s:%u:%s:%lld:%u", text, booking->attempt,
                 step_word(action), action == SAGA_DO_REFUND ? (long long)booking->refunded : 0LL, saga->round);
    assert(length > 0 && (size_t)length < sizeof call->idempotency_key);
}

bool saga_state_is_end(enum saga_state state) {
    return state == SAGA_DONE || state == SAGA_CANCELLED || state == SAGA_REFUNDED || state == SAGA_REVIEW;
}

static const char *const state_names[SAGA_STATE_COUNT] = {
#define SAGA_STATE(name, words) #name,
#include "bookings/saga_states.def"
#undef SAGA_STATE
};

const char *saga_state_name(enum saga_state state) {
    assert((unsigned)state < SAGA_STATE_COUNT);
    return state_names[state];
}

bool saga_state_parse(struct bytes name, enum saga_state *state) {
    for (int i = 0; i < SAGA_STATE_COUNT; i++) {
        if (bytes_equal(name, bytes_of(state_names[i]))) {
            *state = (enum saga_state)i;
            return true;
        }
    }
    return false;
}

const char *booking_status_name(enum booking_status status) {
    static const char *const names[] = {"PENDING", "CONFIRMED", "CANCELLED"};
    return names[status];
}

const char *payment_state_name(enum payment_state state) {
    static const char *const names[] = {"NONE", "AUTHORIZED", "CAPTURED", "VOIDED", "REFUNDED", "REVIEW"};
    return names[state];
}
