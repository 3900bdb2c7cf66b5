/* The sandbox's faults: how their rates are read and drawn, and what each does when it hits every call. */
#include "gateway_world.h"
#include "sandbox/faults.h"

#include <unistd.h>

#define CREATE "POST /v1/payment_intents"
#define FORM "amount=5000&currency=eur&capture_method=manual"
#define VISA "payment_method=pm_card_visa"

static void rates_are_read_or_refused_by_name(void **state) {
    /* Red if a rate is rounded, a wrong one taken, or the refusal does not quote it. */
    (void)state;
    struct faults faults;
    char detail[160];
    assert_true(faults_read("lost_reply=0.1,slow=1,cut=0.000000001,error=0", 7, &faults, detail, sizeof detail));
    assert_int_equal(faults.rates[FAULT_lost_reply], 100000000);
    assert_int_equal(faults.rates[FAULT_slow], 1000000000);
    assert_int_equal(faults.rates[FAULT_cut], 1);
    assert_int_equal(faults.rates[FAULT_error], 0);
    static const char *const wrong[] = {"",          "lost",       "lost_reply",      "lost_reply=", "lost_reply=-1",
                                        "hang=1.1",  "hang=2",     "hang=0.1,",       "hang=.5",     "hang=0.",
                                        "hang=1e-1", "hang = 0.1", "cut=0.6,hang=0.5"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(detail, sizeof detail, "-");
        assert_false(faults_read(wrong[i], 7, &faults, detail, sizeof detail));
        assert_non_null(strchr(detail, '\''));
    }
    assert_int_equal(faults.rates[FAULT_cut], 1);
}

static void each_fault_comes_as_often_as_its_rate(void **state) {
    /* Red if a fault takes from another's share, hits a call it does not go with, or `slow` is slower than it says. */
    (void)state;
    enum { CALLS = 100000 };
    static const enum route routes[] = {ROUTE_INTENT_CONFIRM, ROUTE_INTENT_CAPTURE, ROUTE_REFUND_CREATE,
                                        ROUTE_INTENT_RETRIEVE};
    struct faults faults;
    char detail[160];
    assert_true(faults_read("lost_reply=0.1,error=0.1,error_after=0.1,slow=0.3,hang=0.1,decline=0.1,capture_fails=0.1,"
                            "busy=0.1,cut=0.1",
                            42, &faults, detail, sizeof detail));
    for (int r = 0; r < 4; r++) {
        int counts[FAULT_NONE + 1] = {0}, slow = 0, coins = 0;
        for (int i = 0; i < CALLS; i++) {
            struct fault_draw draw = faults_draw(&faults, routes[r]);
            counts[draw.fault]++;
            coins += draw.coin;
            slow += draw.slow_ms > 0;
            assert_true(draw.slow_ms == 0 || (draw.slow_ms >= 200 && draw.slow_ms <= 3000));
        }
        for (int fault = 0; fault < FAULT_NONE; fault++) {
            bool is_get = routes[r] == ROUTE_INTENT_RETRIEVE;
            bool goes = fault == FAULT_decline         ? routes[r] == ROUTE_INTENT_CONFIRM
                        : fault == FAULT_capture_fails ? routes[r] == ROUTE_INTENT_CAPTURE
                        : is_get                       ? fault == FAULT_cut || fault == FAULT_error
                                                       : fault != FAULT_slow;
            assert_in_range(counts[fault], goes ? CALLS * 0.09 : 0, goes ? CALLS * 0.11 : 0);
        }
        assert_in_range(slow, CALLS * 0.28, CALLS * 0.32);
        assert_in_range(coins, CALLS * 0.48, CALLS * 0.52);
    }
}

static void the_same_seed_draws_the_same_faults(void **state) {
    /* Red if anything but the seed and the order of calls decides, or the kind of one call shifts the luck of the next.
     */
    (void)state;
    struct faults one, other;
    char detail[160];
    assert_true(faults_read("lost_reply=0.3,error=0.3,slow=0.5", 5, &one, detail, sizeof detail));
    assert_true(faults_read("lost_reply=0.3,error=0.3,slow=0.5", 5, &other, detail, sizeof detail));
    for (int i = 0; i < 1000; i++) {
        struct fault_draw a = faults_draw(&one, i % 2 ? ROUTE_INTENT_CONFIRM : ROUTE_REFUND_CREATE);
        struct fault_draw b = faults_draw(&other, i % 2 ? ROUTE_INTENT_CONFIRM : ROUTE_INTENT_RETRIEVE);
        assert_int_equal(a.slow_ms, b.slow_ms);
        if (i % 2)
            assert_int_equal(a.fault, b.fault);
    }
}

static void restart(struct gateway *gateway, const char *faults) {
    gateway_kill(gateway);
    gateway->faults = faults;
    gateway_start(gateway);
}

/* Asks under a key and wants this status; 0: the connection is cut. */
static void expect(const struct gateway *gateway, int status, bool replayed, const char *key, const char *request,
                   const char *form) {
    struct reply reply = ask(gateway, request, key, form);
    assert_int_equal(reply.status, status);
    assert_int_equal(strstr(reply.head, "\r\nIdempotent-Replayed: true\r\n") != NULL, replayed);
    reply_free(&reply);
}

static void assert_status(const struct gateway *gateway, const char *intent, const char *status) {
    assert_string_equal(ask_for(gateway, 200, "status", on(intent, ""), NULL), status);
}

static void a_lost_reply_is_of_what_was_done(void **state) {
    /* Red if the connection is cut before it is done, or a replay cannot be lost, or is lost for good. */
    struct gateway *gateway = *state;
    const char *intent = fresh_intent(gateway);
    restart(gateway, "lost_reply=1");
    expect(gateway, 0, false, "k", on(intent, "confirm"), VISA);
    expect(gateway, 0, false, "k", on(intent, "confirm"), VISA);
    assert_status(gateway, intent, "requires_capture");
    restart(gateway, NULL);
    expect(gateway, 200, true, "k", on(intent, "confirm"), VISA);
}

static void an_error_does_nothing_and_is_kept(void **state) {
    /* Red if something is done, the key is free again, or a call without a key is kept. */
    struct gateway *gateway = *state;
    const char *intent = fresh_intent(gateway);
    restart(gateway, "error=1");
    expect(gateway, 500, false, "k", on(intent, "confirm"), VISA);
    expect(gateway, 500, false, NULL, on(intent, "confirm"), VISA);
    expect(gateway, 500, false, NULL, on(intent, ""), NULL);
    restart(gateway, NULL);
    assert_status(gateway, intent, "requires_payment_method");
    expect(gateway, 500, true, "k", on(intent, "confirm"), VISA);
    expect(gateway, 200, false, "another", on(intent, "confirm"), VISA);
}

static void an_error_after_is_of_what_was_done(void **state) {
    /* Red if it is not done, the event is missing, or the replay tells the truth that the first answer hid. */
    struct gateway *gateway = *state;
    const char *intent = fresh_intent(gateway);
    restart(gateway, "error_after=1");
    expect(gateway, 500, false, "k", on(intent, "confirm"), VISA);
    assert_status(gateway, intent, "requires_capture");
    expect(gateway, 500, false, "c", on(intent, "capture"), "");
    assert_status(gateway, intent, "succeeded");
    restart(gateway, NULL);
    expect(gateway, 500, true, "k", on(intent, "confirm"), VISA);
    expect(gateway, 500, true, "c", on(intent, "capture"), "");
    assert_string_equal(ask_for(gateway, 200, "data.0.type", "GET /v1/events", NULL), "payment_intent.succeeded");
}

static void a_slow_confirmation_is_processing_and_a_slow_capture_done(void **state) {
    /* Red if slow answers come at once, block the others, or a slow confirmation is done before its time. */
    struct gateway *gateway = *state;
    const char *intent = fresh_intent(gateway), *other = confirmed_intent(gateway, "tok_fine");
    restart(gateway, "slow=1");
    int confirmation = ask_begin(gateway, on(intent, "confirm"), "k", VISA);
    int capture = ask_begin(gateway, on(other, "capture"), "c", "");
    assert_true(is_silent(confirmation, 100));
    assert_true(is_silent(capture, 0));
    gateway_kill(gateway);
    close(confirmation);
    close(capture);
    gateway->faults = NULL;
    gateway_start(gateway);
    assert_status(gateway, intent, "requires_payment_method");
    assert_status(gateway, other, "succeeded");
    restart(gateway, "slow=1");
    confirmation = ask_begin(gateway, on(intent, "confirm"), "k", VISA);
    capture = ask_begin(gateway, on(other, "capture"), "c", "");
    struct reply reply = ask_end(confirmation);
    assert_string_equal(reply_get(&reply, "status"), "requires_capture");
    reply_free(&reply);
    reply = ask_end(capture);
    assert_string_equal(reply_get(&reply, "status"), "succeeded");
    reply_free(&reply);
}

static void what_hangs_was_done_or_not(void **state) {
    /* Red if a hanging call answers, all of them or none are done, or one that was not done keeps its key. */
    enum { CALLS = 16 };
    struct gateway *gateway = *state;
    char keys[CALLS][8];
    int sockets[CALLS], done = 0;
    restart(gateway, "hang=1");
    for (int i = 0; i < CALLS; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        sockets[i] = ask_begin(gateway, CREATE, keys[i], FORM);
    }
    assert_true(is_silent(sockets[CALLS - 1], 100));
    /* Each is through with: only then may the process die. */
    ask_for(gateway, 200, NULL, "GET /v1/payment_intents", NULL);
    restart(gateway, NULL);
    for (int i = 0; i < CALLS; i++) {
        close(sockets[i]);
        struct reply reply = ask(gateway, CREATE, keys[i], FORM);
        assert_int_equal(reply.status, 200);
        done += strstr(reply.head, "\r\nIdempotent-Replayed: true\r\n") != NULL;
        reply_free(&reply);
    }
    assert_in_range(done, 1, CALLS - 1);
}

static void a_decline_is_for_confirmations(void **state) {
    /* Red if the token decides all the same, or calls without a card are hit. */
    struct gateway *gateway = *state;
    restart(gateway, "decline=1");
    const char *intent = fresh_intent(gateway);
    assert_string_equal(ask_for(gateway, 402, "error.decline_code", on(intent, "confirm"), VISA), "generic_decline");
    ask_for(gateway, 402, NULL, CREATE, FORM "&confirm=true&" VISA);
    restart(gateway, NULL);
    ask_for(gateway, 200, NULL, on(intent, "confirm"), VISA);
    restart(gateway, "decline=1");
    ask_for(gateway, 200, NULL, on(intent, "capture"), "");
}

static void a_capture_that_fails_took_nothing(void **state) {
    /* Red if money moves, the failure is not kept, only one of its two forms comes, or other calls are hit. */
    enum { CALLS = 16 };
    struct gateway *gateway = *state;
    const char *intent = confirmed_intent(gateway, "tok_fine");
    char keys[CALLS][8];
    int statuses[CALLS], refused = 0;
    restart(gateway, "capture_fails=1");
    for (int i = 0; i < CALLS; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        struct reply reply = ask(gateway, on(intent, "capture"), keys[i], "");
        statuses[i] = reply.status;
        assert_true(reply.status == 402 || reply.status == 500);
        assert_string_equal(reply_get(&reply, "error.type"), reply.status == 402 ? "card_error" : "api_error");
        assert_string_equal(reply_get(&reply, "error.decline_code"), reply.status == 402 ? "generic_decline" : "");
        refused += reply.status == 402;
        reply_free(&reply);
    }
    assert_in_range(refused, 1, CALLS - 1);
    assert_status(gateway, intent, "requires_capture");
    fresh_intent(gateway);
    restart(gateway, NULL);
    for (int i = 0; i < CALLS; i++)
        expect(gateway, statuses[i], true, keys[i], on(intent, "capture"), "");
    expect(gateway, 200, false, "another", on(intent, "capture"), "");
}

static void who_is_busy_keeps_nothing(void **state) {
    /* Red if a key is used up by a call that was turned away, or the call was done. */
    struct gateway *gateway = *state;
    const char *intent = fresh_intent(gateway);
    bool seen[2] = {false, false};
    restart(gateway, "busy=1");
    for (int i = 0; i < 64 && !(seen[0] && seen[1]); i++) {
        struct reply reply = ask(gateway, on(intent, "confirm"), "k", VISA);
        assert_true(reply.status == 409 || reply.status == 429);
        seen[reply.status == 429] = true;
        reply_free(&reply);
    }
    assert_true(seen[0] && seen[1]);
    assert_status(gateway, intent, "requires_payment_method");
    restart(gateway, NULL);
    expect(gateway, 200, false, "k", on(intent, "confirm"), VISA);
}

static void a_cut_call_was_never_there(void **state) {
    /* Red if it was done, or keeps its key. */
    struct gateway *gateway = *state;
    const char *intent = fresh_intent(gateway);
    restart(gateway, "cut=1");
    expect(gateway, 0, false, "k", on(intent, "confirm"), VISA);
    expect(gateway, 0, false, NULL, on(intent, ""), NULL);
    restart(gateway, NULL);
    assert_status(gateway, intent, "requires_payment_method");
    expect(gateway, 200, false, "k", on(intent, "confirm"), VISA);
}

static void a_wrong_fault_starts_nothing(void **state) {
    /* Red if a typing error leaves a sandbox without the faults that somebody counts on. */
    struct gateway *gateway = *state;
    gateway_stop(gateway);
    gateway->faults = "lost_replies=0.1";
    assert_int_equal(gateway_start_refused(gateway), 1);
}

int main(int count, char **arguments) {
    gateway_child_main(count, arguments);
#define TEST(name) cmocka_unit_test_setup_teardown(name, gateway_set_up, gateway_tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_read_or_refused_by_name),
        cmocka_unit_test(each_fault_comes_as_often_as_its_rate),
        cmocka_unit_test(the_same_seed_draws_the_same_faults),
        TEST(a_lost_reply_is_of_what_was_done),
        TEST(an_error_does_nothing_and_is_kept),
        TEST(an_error_after_is_of_what_was_done),
        TEST(a_slow_confirmation_is_processing_and_a_slow_capture_done),
        TEST(what_hangs_was_done_or_not),
        TEST(a_decline_is_for_confirmations),
        TEST(a_capture_that_fails_took_nothing),
        TEST(who_is_busy_keeps_nothing),
        TEST(a_cut_call_was_never_there),
        TEST(a_wrong_fault_starts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
