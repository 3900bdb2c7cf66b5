/* The sandbox's lists: pages, filters, and the events, which are its history. */
#include "gateway_world.h"

static void each_change_is_an_event(void **state) {
    /* Red if a change is no event, what changes nothing is one, or an event shows the object as it is now instead of as
     * it was. */
    static const char *const types[] = {"charge.refunded", "payment_intent.succeeded",
                                        "payment_intent.amount_capturable_updated", "payment_intent.payment_failed",
                                        "payment_intent.created"};
    struct gateway *gateway = *state;
    char intent[40], form[96], path[64];
    snprintf(intent, sizeof intent, "%s", fresh_intent(gateway));
    ask_for(gateway, 402, NULL, on(intent, "confirm"), "payment_method=tok_declined");
    ask_for(gateway, 500, NULL, on(intent, "confirm"), "payment_method=tok_error_once");
    ask_for(gateway, 200, NULL, on(intent, "confirm"), "payment_method=tok_fine");
    ask_for(gateway, 200, NULL, on(intent, "capture"), "");
    ask_for(gateway, 400, NULL, on(intent, "capture"), "");
    snprintf(form, sizeof form, "payment_intent=%s", intent);
    ask_for(gateway, 200, NULL, "POST /v1/refunds", form);
    for (int round = 0; round < 2; round++) {
        struct reply list = ask(gateway, "GET /v1/events", NULL, NULL);
        for (int i = 0; i < 5; i++) {
            snprintf(path, sizeof path, "data.%d.type", i);
            assert_string_equal(reply_get(&list, path), types[i]);
        }
        assert_string_equal(reply_get(&list, "data.5.type"), "");
        assert_string_equal(reply_get(&list, "data.4.data.object.status"), "requires_payment_method");
        assert_string_equal(reply_get(&list, "data.0.data.object.amount_refunded"), "5000");
        snprintf(path, sizeof path, "GET /v1/events/%s", reply_get(&list, "data.2.id"));
        assert_string_equal(ask_for(gateway, 200, "data.object.status", path, NULL), "requires_capture");
        reply_free(&list);
        gateway_kill(gateway);
        gateway_start(gateway);
    }
    static const struct {
        const char *filter, *first;
    } filters[] = {
        {"type=payment_intent.created", "payment_intent.created"},
        {"type=payment_intent.*", "payment_intent.succeeded"},
        {"types[]=payment_intent.created&types[]=charge.refunded", "charge.refunded"},
        {"types%5B0%5D=payment_intent.created", "payment_intent.created"},
        {"type=customer.created", ""},
        {"delivery_success=true", "charge.refunded"},
        {"delivery_success=false", ""},
    };
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        snprintf(form, sizeof form, "GET /v1/events?%s", filters[i].filter);
        assert_string_equal(ask_for(gateway, 200, "data.0.type", form, NULL), filters[i].first);
    }
    ask_for(gateway, 400, NULL, "GET /v1/events?type=charge.refunded&types[]=charge.refunded", NULL);
    ask_for(gateway, 400, NULL, "GET /v1/events?delivery_success=perhaps", NULL);
}

static void lists_come_in_pages_newest_first(void **state) {
    /* Red if a page skips, repeats or turns round, or has_more lies. */
    struct gateway *gateway = *state;
    char ids[5][40], request[160];
    for (int i = 0; i < 5; i++)
        snprintf(ids[i], sizeof ids[i], "%s", fresh_intent(gateway));
    struct reply page = ask(gateway, "GET /v1/payment_intents?limit=2", NULL, NULL);
    assert_string_equal(reply_get(&page, "data.0.id"), ids[4]);
    assert_string_equal(reply_get(&page, "data.1.id"), ids[3]);
    assert_string_equal(reply_get(&page, "has_more"), "true");
    reply_free(&page);
    snprintf(request, sizeof request, "GET /v1/payment_intents?limit=3&starting_after=%s", ids[3]);
    page = ask(gateway, request, NULL, NULL);
    assert_string_equal(reply_get(&page, "data.0.id"), ids[2]);
    assert_string_equal(reply_get(&page, "data.2.id"), ids[0]);
    assert_string_equal(reply_get(&page, "has_more"), "false");
    reply_free(&page);
    snprintf(request, sizeof request, "GET /v1/payment_intents?limit=2&ending_before=%s", ids[1]);
    page = ask(gateway, request, NULL, NULL);
    assert_string_equal(reply_get(&page, "data.0.id"), ids[3]);
    assert_string_equal(reply_get(&page, "data.1.id"), ids[2]);
    assert_string_equal(reply_get(&page, "has_more"), "true");
    reply_free(&page);
    assert_string_equal(ask_for(gateway, 200, "data.0.id", "GET /v1/payment_intents?created%5Blt%5D=1000", NULL), "");
    ask_for(gateway, 400, NULL, "GET /v1/payment_intents?limit=0", NULL);
    ask_for(gateway, 404, NULL, "GET /v1/payment_intents?starting_after=pi_1", NULL);
}

static void refunds_are_listed_by_payment_and_by_charge(void **state) {
    /* Red if a filter lets another payment's refunds through, or those of a payment's other charge. */
    const struct gateway *gateway = *state;
    char request[128], captured[40], other[40], failed[40];
    snprintf(captured, sizeof captured, "%s", fresh_intent(gateway));
    snprintf(failed, sizeof failed, "%s",
             ask_for(gateway, 402, "error.charge", on(captured, "confirm"), "payment_method=tok_declined"));
    ask_for(gateway, 200, NULL, on(captured, "confirm"), "payment_method=tok_fine");
    ask_for(gateway, 200, NULL, on(captured, "capture"), "");
    snprintf(other, sizeof other, "%s", confirmed_intent(gateway, "tok_fine"));
    snprintf(request, sizeof request, "payment_intent=%s&amount=700", captured);
    const char *refund = ask_for(gateway, 200, "id", "POST /v1/refunds", request);
    const char *charge = ask_for(gateway, 200, "latest_charge", on(captured, ""), NULL);
    const struct {
        const char *name, *id, *found;
    } filters[] = {{"payment_intent", captured, refund},
                   {"charge", charge, refund},
                   {"payment_intent", other, ""},
                   {"charge", failed, ""}};
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        snprintf(request, sizeof request, "GET /v1/refunds?%s=%s", filters[i].name, filters[i].id);
        assert_string_equal(ask_for(gateway, 200, "data.0.id", request, NULL), filters[i].found);
    }
    ask_for(gateway, 404, NULL, "GET /v1/refunds?charge=ch_1", NULL);
}

int main(int count, char **arguments) {
    gateway_child_main(count, arguments);
#define TEST(name) cmocka_unit_test_setup_teardown(name, gateway_set_up, gateway_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(lists_come_in_pages_newest_first),
        TEST(each_change_is_an_event),
        TEST(refunds_are_listed_by_payment_and_by_charge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
