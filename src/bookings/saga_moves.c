#include "bookings/saga_moves.h"
#include "base/panic.h"

#include <stdio.h>

#define FIRST_WAIT_MS 100
#define LONGEST_WAIT_MS 30000

enum saga_action saga_wait(struct saga *saga, enum saga_action after, int64_t now_ms, uint64_t jitter) {
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

enum saga_action saga_wait_until(struct saga *saga, enum saga_action after, int64_t at_ms) {
    saga->after = after;
    saga->retry_ms = at_ms;
    return SAGA_DO_WAIT;
}

static void set_reason(struct saga *saga, const char *reason) {
    if (saga->booking.reason[0] == '\0')
        snprintf(saga->booking.reason, sizeof saga->booking.reason, "%s", reason);
}

enum saga_action saga_write(struct saga *saga, enum saga_state target, const char *reason) {
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
        booking->payment_state = booking->saga == SAGA_OPENED || booking->saga == SAGA_CONFIRMING
                                     ? PAYMENT_STATE_NONE
                                     : PAYMENT_STATE_VOIDED;
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

enum saga_action saga_review(struct saga *saga, const char *reason) {
    saga->booking.reason[0] = '\0';
    return saga_write(saga, SAGA_REVIEW, reason);
}
