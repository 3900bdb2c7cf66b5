#include "bookings/saga.h"
#include "base/panic.h"

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
