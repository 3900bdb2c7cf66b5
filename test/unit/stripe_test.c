/* The Stripe engine against the real sandbox: what each token comes to. */
#include "stripe_world.h"

#include <unistd.h>

static struct payment_call created(const struct payments *payments) {
    struct payment_call call = call_of(PAYMENT_CREATE, "");
    assert_int_equal(perform(payments, &call), PAYMENT_DONE);
    assert_int_equal(call.status, INTENT_REQUIRES_PAYMENT_METHOD);
    return call;
}

static struct payment_call authorized(const struct payments *payments, const char *token) {
    struct payment_call call = created(payments);
    struct payment_call confirm = confirm_of(call.result_id, token);
    assert_int_equal(perform(payments, &confirm), PAYMENT_DONE);
    assert_int_equal(confirm.status, INTENT_REQUIRES_CAPTURE);
    return call;
}

static struct payment_call retrieved(const struct payments *payments, const char *intent) {
    struct payment_call call = call_of(PAYMENT_RETRIEVE, intent);
    assert_int_equal(perform(payments, &call), PAYMENT_DONE);
    return call;
}

static void a_payment_goes_all_the_way(void **state) {
    /* Red if an operation is written or read wrongly. */
    const struct gateway *gateway = *state;
    struct payments payments = gateway_with(gateway->url, 5000, 4);
    struct payment_call intent = authorized(&payments, "tok & ü=%");
    struct payment_call capture = call_of(PAYMENT_CAPTURE, intent.result_id);
    assert_int_equal(perform(&payments, &capture), PAYMENT_DONE);
    assert_int_equal(capture.status, INTENT_SUCCEEDED);
    assert_int_equal(capture.amount_received, 5000);
    struct payment_call refund = call_of(PAYMENT_REFUND, intent.result_id);
    refund.amount = 1200;
    assert_int_equal(perform(&payments, &refund), PAYMENT_DONE);
    assert_int_equal(refund.status, INTENT_SUCCEEDED);
    assert_memory_equal(refund.result_id, "re_", 3);
    struct payment_call found = retrieved(&payments, intent.result_id);
    assert_int_equal(found.status, INTENT_SUCCEEDED);
    assert_int_equal(found.amount_received, 5000);
    assert_int_equal(found.amount_refunded, 1200);
    struct payment_call voided = authorized(&payments, "tok_fine");
    struct payment_call cancel = call_of(PAYMENT_CANCEL, voided.result_id);
    assert_int_equal(perform(&payments, &cancel), PAYMENT_DONE);
    assert_int_equal(cancel.status, INTENT_CANCELED);
    payments.free(payments.engine);
}

static void a_declined_card_is_declined_with_its_reason(void **state) {
    /* Red if a 402 is anything else, or the decline code gives way to the error's. */
    static const char *const declines[][2] = {{"tok_declined", "generic_decline"},
                                              {"tok_insufficient_funds", "insufficient_funds"},
                                              {"tok_expired_card", "expired_card"},
                                              {"pm_card_authenticationRequired", "authentication_required"}};
    const struct gateway *gateway = *state;
    struct payments payments = gateway_with(gateway->url, 5000, 4);
    for (int i = 0; i < 4; i++) {
        struct payment_call intent = created(&payments);
        struct payment_call confirm = confirm_of(intent.result_id, declines[i][0]);
        assert_int_equal(perform(&payments, &confirm), PAYMENT_DECLINED);
        assert_string_equal(confirm.code, declines[i][1]);
    }
    payments.free(payments.engine);
}

static void a_card_too_slow_is_unknown_and_asking_tells_the_truth(void **state) {
    /* Red if a time-out after sending is anything but UNKNOWN, or a call is not ended by its time-out. */
    const struct gateway *gateway = *state;
    struct payments payments = gateway_with(gateway->url, 5000, 4);
    struct payments hasty = gateway_with(gateway->url, 200, 4);
    struct payment_call intent = created(&payments);
    struct payment_call confirm = confirm_of(intent.result_id, "tok_slow_2500");
    assert_int_equal(perform(&hasty, &confirm), PAYMENT_UNKNOWN);
    assert_int_equal(retrieved(&payments, intent.result_id).status, INTENT_PROCESSING);
    struct payment_call cancel = call_of(PAYMENT_CANCEL, intent.result_id);
    assert_int_equal(perform(&payments, &cancel), PAYMENT_BUSY);
    struct payment_call again = confirm_of(intent.result_id, "tok_slow_2500");
    memcpy(again.idempotency_key, confirm.idempotency_key, sizeof again.idempotency_key);
    assert_int_equal(perform(&payments, &again), PAYMENT_BUSY);
    for (int i = 0; i < 1000 && retrieved(&payments, intent.result_id).status == INTENT_PROCESSING; i++)
        usleep(10000);
    assert_int_equal(retrieved(&payments, intent.result_id).status, INTENT_REQUIRES_CAPTURE);
    hasty.free(hasty.engine);
    payments.free(payments.engine);
}

static void a_lost_reply_is_unknown_and_never_sent_twice(void **state) {
    /* Red if curl repeats the request on a fresh connection: it would come back DONE, a replay. */
    const struct gateway *gateway = *state;
    struct payments payments = gateway_with(gateway->url, 5000, 1);
    for (int i = 0; i < 2; i++) {
        struct payment_call intent = created(&payments);
        struct payment_call confirm = confirm_of(intent.result_id, "tok_lost_reply");
        assert_int_equal(perform(&payments, &confirm), PAYMENT_UNKNOWN);
        assert_int_equal(retrieved(&payments, intent.result_id).status, INTENT_REQUIRES_CAPTURE);
        struct payment_call again = confirm_of(intent.result_id, "tok_lost_reply");
        memcpy(again.idempotency_key, confirm.idempotency_key, sizeof again.idempotency_key);
        assert_int_equal(perform(&payments, &again), PAYMENT_DONE);
    }
    payments.free(payments.engine);
}

static void a_stored_500_is_unknown_each_time(void **state) {
    /* Red if a 5xx, or its replay, is taken for an end. */
    const struct gateway *gateway = *state;
    struct payments payments = gateway_with(gateway->url, 5000, 4);
    struct payment_call intent = created(&payments);
    struct payment_call first = confirm_of(intent.result_id, "tok_error_once");
    assert_int_equal(perform(&payments, &first), PAYMENT_UNKNOWN);
    assert_string_equal(first.code, "api_error");
    struct payment_call again = confirm_of(intent.result_id, "tok_error_once");
    memcpy(again.idempotency_key, first.idempotency_key, sizeof again.idempotency_key);
    assert_int_equal(perform(&payments, &again), PAYMENT_UNKNOWN);
    assert_int_equal(retrieved(&payments, intent.result_id).status, INTENT_REQUIRES_PAYMENT_METHOD);
    struct payment_call fresh = confirm_of(intent.result_id, "tok_error_once");
    assert_int_equal(perform(&payments, &fresh), PAYMENT_DONE);

    intent = authorized(&payments, "tok_capture_fails_1");
    struct payment_call capture = call_of(PAYMENT_CAPTURE, intent.result_id);
    assert_int_equal(perform(&payments, &capture), PAYMENT_UNKNOWN);
    assert_int_equal(retrieved(&payments, intent.result_id).status, INTENT_REQUIRES_CAPTURE);
    capture = call_of(PAYMENT_CAPTURE, intent.result_id);
    assert_int_equal(perform(&payments, &capture), PAYMENT_DONE);
    payments.free(payments.engine);
}

static void what_hangs_is_unknown(void **state) {
    /* Red if a call without an answer never ends. */
    const struct gateway *gateway = *state;
    struct payments payments = gateway_with(gateway->url, 5000, 4);
    struct payments hasty = gateway_with(gateway->url, 150, 4);
    struct payment_call intent = created(&payments);
    struct payment_call confirm = confirm_of(intent.result_id, "tok_hang");
    assert_int_equal(perform(&hasty, &confirm), PAYMENT_UNKNOWN);
    enum intent_status status = retrieved(&payments, intent.result_id).status;
    assert_true(status == INTENT_REQUIRES_CAPTURE || status == INTENT_REQUIRES_PAYMENT_METHOD);
    hasty.free(hasty.engine);
    payments.free(payments.engine);
}

static void what_the_gateway_refuses_is_refused(void **state) {
    /* Red if a 4xx is taken for something that may be repeated, or its code is lost. */
    const struct gateway *gateway = *state;
    struct payments payments = gateway_with(gateway->url, 5000, 4);
    struct payment_call intent = created(&payments);
    struct payment_call call = call_of(PAYMENT_CAPTURE, intent.result_id);
    assert_int_equal(perform(&payments, &call), PAYMENT_REFUSED);
    assert_string_equal(call.code, "payment_intent_unexpected_state");
    call = call_of(PAYMENT_CAPTURE, "pi_unheard_of");
    assert_int_equal(perform(&payments, &call), PAYMENT_REFUSED);
    assert_string_equal(call.code, "resource_missing");
    call = call_of(PAYMENT_CREATE, "");
    memcpy(call.idempotency_key, intent.idempotency_key, sizeof call.idempotency_key);
    call.amount = 5001;
    assert_int_equal(perform(&payments, &call), PAYMENT_REFUSED);
    assert_string_equal(call.code, "idempotency_error");
    call = call_of(PAYMENT_CAPTURE, "pi_1/../../v1/refunds");
    assert_int_equal(perform(&payments, &call), PAYMENT_REFUSED);
    assert_string_equal(call.code, "invalid_intent_id");
    payments.free(payments.engine);

    struct stripe_settings settings = {.url = gateway->url, .secret_key = "sk_live_1"};
    assert_int_equal(stripe_gateway_new(&settings, &payments), RESULT_OK);
    call = call_of(PAYMENT_CREATE, "");
    assert_int_equal(perform(&payments, &call), PAYMENT_BUSY); /* our key, not the call */
    payments.free(payments.engine);
}

static void a_list_comes_in_pages_with_all_that_is_known(void **state) {
    /* Red if a page is skipped or told twice, a figure is read from another member, or what is given back is not asked
     * for. */
    enum { COUNT = PAYMENT_PAGE_INTENTS + 3 };
    static struct payment_page page;
    const struct gateway *gateway = *state;
    struct payments payments = gateway_with(gateway->url, 5000, 4);
    struct payment_call paid = authorized(&payments, "tok_fine");
    struct payment_call call = call_of(PAYMENT_CAPTURE, paid.result_id);
    assert_int_equal(perform(&payments, &call), PAYMENT_DONE);
    call = call_of(PAYMENT_REFUND, paid.result_id);
    call.amount = 1200;
    assert_int_equal(perform(&payments, &call), PAYMENT_DONE);
    for (int i = 1; i < COUNT; i++)
        created(&payments);

    uint32_t told = 0, pages = 0;
    char after[PAYMENT_ID_BYTES] = "";
    do {
        call = call_of(PAYMENT_LIST, after);
        call.page = &page;
        assert_int_equal(perform(&payments, &call), PAYMENT_DONE);
        assert_int_equal(page.count, pages ? COUNT - PAYMENT_PAGE_INTENTS : PAYMENT_PAGE_INTENTS);
        memcpy(after, page.intents[page.count - 1].id, sizeof after);
        told += page.count;
        pages++;
    } while (page.has_more);
    assert_int_equal(told, COUNT);
    const struct payment_intent *oldest = &page.intents[page.count - 1];
    assert_string_equal(oldest->id, paid.result_id);
    assert_int_equal(oldest->status, INTENT_SUCCEEDED);
    assert_int_equal(oldest->amount, 5000);
    assert_int_equal(oldest->amount_received, 5000);
    assert_int_equal(oldest->amount_refunded, 1200);
    assert_string_equal(oldest->currency, "EUR");
    assert_true(id_equal(&oldest->booking, &paid.booking));

    call = call_of(PAYMENT_RETRIEVE, paid.result_id);
    call.page = &page;
    memset(&page, 0, sizeof page);
    assert_int_equal(perform(&payments, &call), PAYMENT_DONE);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.intents[0].amount_refunded, 1200);
    payments.free(payments.engine);
}

struct crowd {
    const struct payments *payments;
    unsigned done;
    unsigned confirmed;
};

static void go_on(struct payment_call *call) {
    struct crowd *crowd = call->context;
    assert_int_equal(call->outcome, PAYMENT_DONE);
    crowd->done++;
    if (call->operation == PAYMENT_CONFIRM) {
        crowd->confirmed++;
        return;
    }
    struct payment_call next = confirm_of(call->result_id, "tok_fine");
    next.context = crowd;
    next.done = go_on;
    *call = next;
    crowd->payments->submit(crowd->payments->engine, call);
}

static void many_calls_share_few_connections(void **state) {
    /* Red if a call is lost in the queue, or what `done` submits is not sent. */
    static struct payment_call calls[200];
    const struct gateway *gateway = *state;
    struct payments payments = gateway_with(gateway->url, 5000, 3);
    struct crowd crowd = {.payments = &payments};
    for (int i = 0; i < 200; i++) {
        calls[i] = call_of(PAYMENT_CREATE, "");
        calls[i].context = &crowd;
        calls[i].done = go_on;
        payments.submit(payments.engine, &calls[i]);
    }
    while (crowd.done < 400)
        payments.run(payments.engine, LONGEST_MS);
    assert_int_equal(crowd.confirmed, 200);
    payments.free(payments.engine);
}

int main(int count, char **arguments) {
    gateway_child_main(count, arguments);
#define TEST(name) cmocka_unit_test_setup_teardown(name, gateway_set_up, gateway_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_payment_goes_all_the_way),
        TEST(a_declined_card_is_declined_with_its_reason),
        TEST(a_card_too_slow_is_unknown_and_asking_tells_the_truth),
        TEST(a_lost_reply_is_unknown_and_never_sent_twice),
        TEST(a_stored_500_is_unknown_each_time),
        TEST(what_hangs_is_unknown),
        TEST(what_the_gateway_refuses_is_refused),
        TEST(a_list_comes_in_pages_with_all_that_is_known),
        TEST(many_calls_share_few_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
