#include "stripe_world.h"

struct payments gateway_with(const char *url, int call_ms, uint32_t connections) {
    struct stripe_settings settings = {
        .url = url, .secret_key = SECRET, .connect_ms = 300, .call_ms = call_ms, .max_connections = connections};
    struct payments payments;
    assert_int_equal(stripe_gateway_new(&settings, &payments), RESULT_OK);
    return payments;
}

void set_flag(struct payment_call *call) {
    *(bool *)call->context = true;
}

enum payment_outcome perform(const struct payments *payments, struct payment_call *call) {
    bool is_done = false;
    call->context = &is_done;
    call->done = set_flag;
    payments->submit(payments->engine, call);
    payments->run(payments->engine, LONGEST_MS);
    assert_true(is_done);
    return call->outcome;
}

static unsigned keys_made;

struct payment_call call_of(enum payment_operation operation, const char *intent) {
    struct payment_call call = {.operation = operation, .amount = 5000, .currency = "EUR"};
    memset(call.booking.at, 0xab, sizeof call.booking.at);
    snprintf(call.idempotency_key, sizeof call.idempotency_key, "key-%u", keys_made++);
    snprintf(call.intent_id, sizeof call.intent_id, "%s", intent);
    return call;
}

struct payment_call confirm_of(const char *intent, const char *token) {
    struct payment_call call = call_of(PAYMENT_CONFIRM, intent);
    snprintf(call.token, sizeof call.token, "%s", token);
    return call;
}
