/* What the gateway's webhooks say, and who may say it. The signatures were made with Python's hmac. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "payments/webhook.h"

#define NOW_MS INT64_C(1800000000000)
#define BODY "{\"id\":\"evt_1\"}"
/* HMAC-SHA256("whsec_one", "1800000000." BODY), and with "whsec_two". */
#define BY_ONE "1b1175c4f27446431d116ab61cb6ec9bbac7dd5c3be4a273ba6645a112bb4bb4"
#define BY_TWO "877652a8b77a264a5fce7274a3920777ca95613b3ae2ebf74271ad6be3454094"
/* The same at 1799999700 and at 1799999699. */
#define OLD_ENOUGH "13e0d3b086c20638defab7c76b2e3625a12258afdd8004cb9a4b14a7fe5b1e0a"
#define TOO_OLD "d184473f88425572e6e340952a1f753702684ecd66c025e734da1aba33b4f2a4"

static enum result check(const char *header, const char *body, const char *secrets) {
    return webhook_check(bytes_of(header), bytes_of(body), bytes_of(secrets), NOW_MS);
}

static void what_the_gateway_signed_is_taken(void **state) {
    /* Red when the time, the dot or the raw body is left out of what is signed, or only the first v1 or secret counts.
     */
    (void)state;
    assert_int_equal(check("t=1800000000,v1=" BY_ONE, BODY, "whsec_one"), RESULT_OK);
    assert_int_equal(check("t=1800000000,v1=" BY_ONE, BODY, "whsec_two whsec_one"), RESULT_OK);
    assert_int_equal(check("t=1800000000,v1=" BY_TWO ",v1=" BY_ONE, BODY, "whsec_one"), RESULT_OK);
    assert_int_equal(check("v1=" BY_ONE ",t=1800000000,v0=ff", BODY, "whsec_one"), RESULT_OK);
}

static void what_somebody_else_signed_is_refused(void **state) {
    /* Red when a signature is not compared whole, or the other scheme's counts. */
    (void)state;
    char header[200];
    assert_int_equal(check("t=1800000000,v1=" BY_TWO, BODY, "whsec_one"), RESULT_UNAUTHORIZED);
    assert_int_equal(check("t=1800000000,v1=" BY_ONE, BODY " ", "whsec_one"), RESULT_UNAUTHORIZED);
    assert_int_equal(check("t=1800000001,v1=" BY_ONE, BODY, "whsec_one"), RESULT_UNAUTHORIZED);
    assert_int_equal(check("t=1800000000,v0=" BY_ONE, BODY, "whsec_one"), RESULT_UNAUTHORIZED);
    assert_int_equal(check("t=1800000000,v1=" BY_ONE, BODY, ""), RESULT_UNAUTHORIZED);
    for (size_t i = 0; i < strlen(BY_ONE); i++) {
        snprintf(header, sizeof header, "t=1800000000,v1=" BY_ONE);
        char *digit = header + strlen("t=1800000000,v1=") + i;
        *digit = *digit == 'a' ? 'b' : 'a';
        assert_int_equal(check(header, BODY, "whsec_one"), RESULT_UNAUTHORIZED);
    }
}

static void what_is_no_signature_is_refused(void **state) {
    /* Red when one of these is read past its end, or a time that is said twice, or not at all, counts. */
    (void)state;
    static const char *const headers[] = {"",
                                          ",",
                                          "t=",
                                          "t=1800000000",
                                          "v1=" BY_ONE,
                                          "t=1800000000,v1=",
                                          "t=1800000000,v1=" BY_ONE "0",
                                          "t=1800000000,v1=zz",
                                          "t=-1,v1=" BY_ONE,
                                          "t=1800000000,t=1800000000,v1=" BY_ONE,
                                          "t=99999999999999999999,v1=" BY_ONE,
                                          "t = 1800000000, v1 = " BY_ONE};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        assert_int_equal(check(headers[i], BODY, "whsec_one"), RESULT_UNAUTHORIZED);
}

static void a_message_sent_again_much_later_is_refused(void **state) {
    /* Red when the tolerance is not kept to, to the second and both ways. */
    (void)state;
    assert_int_equal(check("t=1799999700,v1=" OLD_ENOUGH, BODY, "whsec_one"), RESULT_OK);
    assert_int_equal(check("t=1799999699,v1=" TOO_OLD, BODY, "whsec_one"), RESULT_UNAUTHORIZED);
    assert_int_equal(
        webhook_check(BYTES("t=1799999700,v1=" OLD_ENOUGH), BYTES(BODY), BYTES("whsec_one"), INT64_C(1799999399000)),
        RESULT_UNAUTHORIZED);
}

static void an_event_names_its_booking(void **state) {
    /* Red when the booking is looked for elsewhere than in the object's metadata. */
    (void)state;
    struct payment_hint hint;
    char text[40] = "";
    assert_int_equal(webhook_read(BYTES("{\"id\":\"evt_1\",\"type\":\"payment_intent.succeeded\",\"data\":{\"object\":"
                                        "{\"id\":\"pi_1\",\"metadata\":{\"booking_id\":"
                                        "\"b0123456789abcdef0123456789abcdef\"}}}}"),
                                  &hint),
                     RESULT_OK);
    id_format_letter(&hint.booking, 'b', text);
    assert_string_equal(text, "b0123456789abcdef0123456789abcdef");
    assert_string_equal(hint.event_id, "evt_1");
    assert_string_equal(hint.type, "payment_intent.succeeded");
}

static void what_is_none_of_ours_has_no_booking(void **state) {
    /* Red when an event of another kind is an error: it would be sent again for days. */
    (void)state;
    static const char *const events[] = {
        "{\"id\":\"evt_1\",\"type\":\"payout.paid\",\"data\":{\"object\":{}}}",
        "{\"id\":\"evt_1\",\"type\":\"x\",\"data\":{\"object\":{\"metadata\":{}}}}",
        "{\"id\":\"evt_1\",\"type\":\"x\",\"data\":{\"object\":{\"metadata\":{\"booking_id\":7}}}}",
        "{\"id\":\"evt_1\",\"type\":\"x\",\"data\":{\"object\":{\"metadata\":{\"booking_id\":\"order-7\"}}}}"};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        struct payment_hint hint;
        assert_int_equal(webhook_read(bytes_of(events[i]), &hint), RESULT_OK);
        assert_true(id_is_none(&hint.booking));
    }
}

static void what_is_no_event_is_refused_and_changes_nothing(void **state) {
    /* Red when one of these is believed. */
    (void)state;
    struct payment_hint hint = {.type = "as it was"};
    assert_int_equal(webhook_read(BYTES("{"), &hint), RESULT_BAD_JSON);
    assert_int_equal(webhook_read(BYTES("[]"), &hint), RESULT_BAD_REQUEST);
    assert_int_equal(webhook_read(BYTES("{\"id\":\"evt_1\",\"type\":\"x\"}"), &hint), RESULT_BAD_REQUEST);
    assert_int_equal(webhook_read(BYTES("{\"type\":\"x\",\"data\":{\"object\":{}}}"), &hint), RESULT_BAD_REQUEST);
    assert_int_equal(webhook_read(BYTES("{\"id\":7,\"type\":\"x\",\"data\":{\"object\":{}}}"), &hint),
                     RESULT_BAD_REQUEST);
    assert_string_equal(hint.type, "as it was");
}

int main(void) {
    json_set_up();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_gateway_signed_is_taken),
        cmocka_unit_test(what_somebody_else_signed_is_refused),
        cmocka_unit_test(what_is_no_signature_is_refused),
        cmocka_unit_test(a_message_sent_again_much_later_is_refused),
        cmocka_unit_test(an_event_names_its_booking),
        cmocka_unit_test(what_is_none_of_ours_has_no_booking),
        cmocka_unit_test(what_is_no_event_is_refused_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
