#include "bookings/saga.h"
#include "base/panic.h"
#include "bookings/saga_moves.h"

/* How often a payment that holds no money is tried, or asked about, before it is given up. */
#define TRIES_BEFORE_GIVING_UP 4
/* What holds money goes to a human when the gateway refused it for a quarter of an hour, or, answering each time,
 * failed for hours. A gateway that is silent is waited for, however long. */
#define REFUSALS_BEFORE_REVIEW 40
#define ROUNDS_BEFORE_REVIEW 500
/* Hints have the gateway asked at most so often. */
#define HINT_EVERY_MS 1000

static bool has_intent(const struct saga *saga) {
    return saga->booking.intent_id[0] != '\0';
}

static void begin_state(struct saga *saga, bool fresh, int64_t now_ms) {
    saga->tries = 0;
    saga->refusals = 0;
    saga->round = 0;
    saga->era = 0;
    saga->answer_read = false;
    saga->was_busy = false;
    saga->refunded_before = 0;
    saga->since_ms = saga->keys_since_ms = saga->booking.updated_ms ? saga->booking.updated_ms : now_ms;
    if (!fresh) /* who drove it before may have died with a call under way */
        saga->doubt_ends_ms = now_ms + SAGA_DOUBT_MS;
    else if (!saga->keys_are_new)
        saga->doubt_ends_ms = 0;
}

/* The first action in a state that was just written, or in which the saga is taken up. */
static enum saga_action enter(struct saga *saga, bool fresh, int64_t now_ms) {
    begin_state(saga, fresh, now_ms);
    switch (saga->booking.saga) {
    case SAGA_OPENED:
        /* After a restart the token is gone. Nothing was ever confirmed in this state, so giving up needs no call. */
        return saga->has_token ? SAGA_DO_CREATE : saga_write(saga, SAGA_CANCELLED, "interrupted");
    case SAGA_CONFIRMING:
        return saga->has_token ? SAGA_DO_CONFIRM : SAGA_DO_RETRIEVE;
    case SAGA_CAPTURING:
        return fresh ? saga_call(saga, SAGA_DO_CAPTURE, now_ms) : SAGA_DO_RETRIEVE;
    case SAGA_CANCELLING:
        return saga_call(saga, SAGA_DO_CANCEL, now_ms);
    case SAGA_REFUNDING:
        return SAGA_DO_RETRIEVE;
    case SAGA_DONE:
    case SAGA_CANCELLED:
    case SAGA_REFUNDED:
        return !fresh && saga->looks_again && has_intent(saga) ? SAGA_DO_RETRIEVE : SAGA_DO_END;
    case SAGA_REVIEW:
        return !fresh && saga->is_resumed && has_intent(saga) ? SAGA_DO_RETRIEVE : SAGA_DO_END;
    case SAGA_STATE_COUNT:
        break;
    }
    impossible("a saga has a state");
}

static enum saga_action in_opened(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter) {
    switch (event) {
    case SAGA_INTENT_CREATED:
        if (saga->deadline_passed)
            return saga_write(saga, SAGA_CANCELLED, "expired");
        return saga_write(saga, SAGA_CONFIRMING, NULL);
    case SAGA_DECLINED:
        return saga_write(saga, SAGA_CANCELLED, "declined");
    case SAGA_REFUSED:
        return saga_write(saga, SAGA_CANCELLED, "gateway_refused");
    case SAGA_NOT_SENT:
    case SAGA_UNKNOWN:
        /* Creating asks nothing of the fan's card: a second intent that is never confirmed does no harm. */
        if (saga->deadline_passed)
            return saga_write(saga, SAGA_CANCELLED, "expired");
        if (saga->tries >= TRIES_BEFORE_GIVING_UP)
            return saga_write(saga, SAGA_CANCELLED, "gateway_unavailable");
        if (event == SAGA_UNKNOWN)
            saga_next_round_if_answered(saga);
        return saga_wait(saga, SAGA_DO_CREATE, now_ms, jitter);
    default:
        return SAGA_DO_NOTHING;
    }
}

static enum saga_action in_confirming(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter) {
    switch (event) {
    case SAGA_AUTHORIZED:
    case SAGA_CAPTURED:
        (void)saga_write(saga, SAGA_CAPTURING, NULL);
        return SAGA_DO_SELL;
    case SAGA_SEAT_LOST:
        saga->booking.status = BOOKING_PENDING;
        saga->booking.payment_state = PAYMENT_STATE_NONE;
        return saga_write(saga, SAGA_CANCELLING, "seat_unavailable");
    case SAGA_DECLINED:
        return saga_write(saga, SAGA_CANCELLED, "declined");
    case SAGA_VOIDED:
        return saga_write(saga, SAGA_CANCELLED, "cancelled_at_gateway");
    case SAGA_INTENT_NEEDS_FAN:
        return saga_write(saga, SAGA_CANCELLING, "authentication_required");
    case SAGA_REFUSED:
        return saga_write(saga, SAGA_CANCELLING, "gateway_refused");
    case SAGA_INTENT_UNPAID:
        /* The bank has thought about it, and said no. */
        if (saga->was_busy)
            return saga_write(saga, SAGA_CANCELLING, "declined");
        /* Without the token nobody can pay it any more; with it, the last call told that it had failed. */
        if (!saga->has_token)
            return saga_write(saga, SAGA_CANCELLING, "interrupted");
        if (saga->deadline_passed)
            return saga_write(saga, SAGA_CANCELLING, "expired");
        if (saga->tries >= TRIES_BEFORE_GIVING_UP)
            return saga_write(saga, SAGA_CANCELLING, "gateway_unavailable");
        return saga_take_step(saga, SAGA_DO_CONFIRM, now_ms, jitter);
    case SAGA_NOT_SENT:
        if (saga->deadline_passed)
            return saga_write(saga, SAGA_CANCELLING, "expired");
        return saga_send_later(saga, now_ms, jitter);
    case SAGA_UNKNOWN:
    case SAGA_INTENT_BUSY:
        saga->was_busy |= event == SAGA_INTENT_BUSY;
        if (saga->deadline_passed)
            return saga_write(saga, SAGA_CANCELLING, "expired");
        return saga_wait(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
    default:
        return SAGA_DO_NOTHING;
    }
}

static enum saga_action in_capturing(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter) {
    switch (event) {
    case SAGA_CAPTURED:
        return saga_write(saga, SAGA_DONE, NULL);
    case SAGA_AUTHORIZED:
        if (saga->round >= ROUNDS_BEFORE_REVIEW)
            return saga_review(saga, "capture_fails");
        return saga_take_step(saga, SAGA_DO_CAPTURE, now_ms, jitter);
    case SAGA_VOIDED:
    case SAGA_INTENT_UNPAID:
    case SAGA_INTENT_NEEDS_FAN:
        /* The one way back: the authorization is gone for good. */
        (void)saga_write(saga, SAGA_CANCELLED, "capture_refused");
        return SAGA_DO_UNSELL;
    case SAGA_NOT_SENT:
        return saga_send_later(saga, now_ms, jitter);
    case SAGA_REFUSED:
        /* Perhaps an authorization that has ended: the gateway is asked what became of it. */
        if (++saga->refusals > REFUSALS_BEFORE_REVIEW)
            return saga_review(saga, "gateway_refused");
        return saga_wait(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
    case SAGA_DECLINED:
    case SAGA_UNKNOWN:
    case SAGA_INTENT_BUSY:
        return saga_wait(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
    default:
        return SAGA_DO_NOTHING;
    }
}

static enum saga_action in_cancelling(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter) {
    switch (event) {
    case SAGA_VOIDED:
        return saga_write(saga, SAGA_CANCELLED, NULL);
    case SAGA_CAPTURED:
        /* Money was taken for seats that were not sold: all of it goes back. */
        saga->booking.refunded = saga->booking.amount;
        saga->booking.status = BOOKING_CANCELLED;
        saga->booking.payment_state = PAYMENT_STATE_CAPTURED;
        return saga_write(saga, SAGA_REFUNDING, NULL);
    case SAGA_AUTHORIZED:
    case SAGA_INTENT_UNPAID:
    case SAGA_INTENT_NEEDS_FAN:
        if (saga->round >= ROUNDS_BEFORE_REVIEW)
            return saga_review(saga, "cancel_fails");
        return saga_take_step(saga, SAGA_DO_CANCEL, now_ms, jitter);
    case SAGA_NOT_SENT:
        return saga_send_later(saga, now_ms, jitter);
    case SAGA_REFUSED:
    case SAGA_DECLINED:
        if (++saga->refusals > REFUSALS_BEFORE_REVIEW)
            return saga_review(saga, "cancel_fails");
        return saga_wait(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
    case SAGA_UNKNOWN:
    case SAGA_INTENT_BUSY:
        return saga_wait(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
    default:
        return SAGA_DO_NOTHING;
    }
}

/* A refund of the whole ends the saga as REFUNDED, one of a part brings it back to DONE. */
static enum saga_action refund_is_made(struct saga *saga) {
    const struct booking *booking = &saga->booking;
    bool is_whole = booking->refunded >= booking->amount || booking->status != BOOKING_CONFIRMED;
    return saga_write(saga, is_whole ? SAGA_REFUNDED : SAGA_DONE, NULL);
}

static enum saga_action in_refunding(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter) {
    switch (event) {
    case SAGA_CAPTURED:
        if (saga->already_refunded >= saga->booking.refunded)
            return refund_is_made(saga);
        if (saga->round >= ROUNDS_BEFORE_REVIEW)
            return saga_review(saga, "refund_fails");
        return saga_take_step(saga, SAGA_DO_REFUND, now_ms, jitter);
    case SAGA_REFUND_MADE:
        return refund_is_made(saga);
    case SAGA_VOIDED:
    case SAGA_AUTHORIZED:
    case SAGA_INTENT_UNPAID:
    case SAGA_INTENT_NEEDS_FAN:
        if (event == SAGA_VOIDED && saga->booking.status != BOOKING_CONFIRMED)
            return saga_write(saga, SAGA_REFUNDED, NULL);
        return saga_review(saga, "refund_without_capture");
    case SAGA_NOT_SENT:
    case SAGA_UNKNOWN:
    case SAGA_INTENT_BUSY:
        return saga_wait(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
    case SAGA_REFUSED:
    case SAGA_DECLINED:
        /* Perhaps it was made, and only its answer was lost. */
        if (++saga->refusals > REFUSALS_BEFORE_REVIEW)
            return saga_review(saga, "refund_refused");
        return saga_wait(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
    default:
        return SAGA_DO_NOTHING;
    }
}

/* The wait is over. A payment is not begun, or tried again, once the hold's deadline has passed. */
static enum saga_action go_on(struct saga *saga, int64_t now_ms) {
    if (saga->deadline_passed && saga->after == SAGA_DO_CREATE)
        return saga_write(saga, SAGA_CANCELLED, "expired");
    if (saga->deadline_passed && saga->after == SAGA_DO_CONFIRM)
        return saga_write(saga, SAGA_CANCELLING, "expired");
    return saga_has_key(saga->after) ? saga_call(saga, saga->after, now_ms) : saga->after;
}

/* Something has changed, or somebody says so: who waits asks at once, or as soon as that is allowed again. */
static enum saga_action take_hint(struct saga *saga, int64_t now_ms) {
    if (saga->doing != SAGA_DO_WAIT || saga->booking.saga == SAGA_OPENED)
        return SAGA_DO_NOTHING;
    int64_t allowed_ms = saga->hinted_ms + HINT_EVERY_MS;
    if (now_ms >= allowed_ms) {
        saga->hinted_ms = now_ms;
        return SAGA_DO_RETRIEVE;
    }
    if (allowed_ms >= saga->retry_ms)
        return SAGA_DO_NOTHING;
    saga->hinted_ms = allowed_ms;
    return saga_wait_until(saga, SAGA_DO_RETRIEVE, allowed_ms);
}

static enum saga_action decide(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter) {
    switch (event) {
    case SAGA_STARTED:
        return enter(saga, false, now_ms);
    case SAGA_WRITTEN:
        saga->booking.saga = saga->target;
        return enter(saga, true, now_ms);
    case SAGA_WRITE_REFUSED:
        return SAGA_DO_END;
    case SAGA_TIMER:
        return go_on(saga, now_ms);
    case SAGA_DEADLINE:
        /* A call is under way or a wait is: what it brings is judged with the deadline in mind. */
        saga->deadline_passed = true;
        return SAGA_DO_NOTHING;
    case SAGA_HINT:
        return take_hint(saga, now_ms);
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
        return saga_at_end(saga, event, now_ms, jitter);
    case SAGA_STATE_COUNT:
        break;
    }
    impossible("a saga has a state");
}

enum saga_action saga_step(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter) {
    assert((unsigned)event < SAGA_EVENT_COUNT);
    saga_note_key(saga, event, now_ms);
    enum saga_action action = decide(saga, event, now_ms, jitter);
    if (action == SAGA_DO_RETRIEVE)
        saga->asked_ms = now_ms;
    if (action != SAGA_DO_NOTHING)
        saga->doing = action;
    return action;
}
