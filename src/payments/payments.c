/* The words of the payment port, each in one table. */
#include "payments/payments.h"
#include "base/panic.h"

static const char *const operation_names[] = {
    [PAYMENT_CREATE] = "create", [PAYMENT_CONFIRM] = "confirm", [PAYMENT_CAPTURE] = "capture",
    [PAYMENT_CANCEL] = "cancel", [PAYMENT_REFUND] = "refund",   [PAYMENT_RETRIEVE] = "retrieve",
    [PAYMENT_LIST] = "list",
};

static const char *const outcome_names[] = {
    [PAYMENT_DONE] = "done", [PAYMENT_DECLINED] = "declined",   [PAYMENT_REFUSED] = "refused",
    [PAYMENT_BUSY] = "busy", [PAYMENT_UNREACHED] = "unreached", [PAYMENT_UNKNOWN] = "unknown",
};

static const char *const status_names[] = {
    [INTENT_NONE] = "none",
    [INTENT_REQUIRES_PAYMENT_METHOD] = "requires_payment_method",
    [INTENT_REQUIRES_CONFIRMATION] = "requires_confirmation",
    [INTENT_REQUIRES_ACTION] = "requires_action",
    [INTENT_PROCESSING] = "processing",
    [INTENT_REQUIRES_CAPTURE] = "requires_capture",
    [INTENT_SUCCEEDED] = "succeeded",
    [INTENT_CANCELED] = "canceled",
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static_assert(COUNT(operation_names) == PAYMENT_OPERATION_COUNT, "each operation has a name");
static_assert(COUNT(outcome_names) == PAYMENT_UNKNOWN + 1, "each outcome has a name");
static_assert(COUNT(status_names) == INTENT_CANCELED + 1, "each status has a name");

const char *payment_operation_name(enum payment_operation operation) {
    assert((size_t)operation < COUNT(operation_names));
    return operation_names[operation];
}

const char *payment_outcome_name(enum payment_outcome outcome) {
    assert((size_t)outcome < COUNT(outcome_names));
    return outcome_names[outcome];
}

bool payment_operation_is_question(enum payment_operation operation) {
    return operation == PAYMENT_RETRIEVE || operation == PAYMENT_LIST;
}

const char *intent_status_name(enum intent_status status) {
    assert((size_t)status < COUNT(status_names));
    return status_names[status];
}

bool intent_status_parse(struct bytes text, enum intent_status *status) {
    for (size_t i = INTENT_NONE + 1; i < COUNT(status_names); i++) {
        if (bytes_equal(text, bytes_of(status_names[i]))) {
            *status = (enum intent_status)i;
            return true;
        }
    }
    return false;
}
