/* An event's id and signature, against the example that Standard Webhooks' own libraries are tested with. */
#include "runtime/event_letter.h"
#include "api/event_id.h"
#include "base/json.h"
#include "runtime/courier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OTHER_SECRET "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static void a_signature_is_the_standards_own(void **state) {
    /* Red if anything but "id.timestamp.body" is signed, or the key is not what stands behind whsec_ in base64. */
    (void)state;
    struct signing_keys keys;
    struct buffer out;
    buffer_init(&out, 4096);
    assert_int_equal(signing_keys_read(BYTES(SECRET), &keys), RESULT_OK);
    letter_write_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", BYTES("{\"test\": 2432232314}"), &keys, 1614265330999, &out);
    buffer_add_char(&out, '\0');
    assert_string_equal(out.at, "Content-Type: application/cloudevents+json; charset=utf-8\r\n"
                                "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\nwebhook-timestamp: 1614265330\r\n"
                                "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n");
    buffer_release(&out);
}

static void a_secret_is_whsec_and_bytes_enough(void **state) {
    /* Red if a secret is taken that is too short, malformed, or one of too many; or two good ones are not. */
    (void)state;
    static const char *const bad[] = {"",
                                      " ",
                                      "whsec_",
                                      "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                      "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY=",
                                      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
                                      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_",
                                      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
                                      SECRET " secret",
                                      SECRET " " SECRET " " SECRET " " SECRET " " SECRET};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(courier_check_secrets(bad[i]), RESULT_INVALID_FIELD);
    struct signing_keys keys;
    assert_int_equal(signing_keys_read(BYTES("  " SECRET "  " OTHER_SECRET " "), &keys), RESULT_OK);
    assert_int_equal(keys.count, 2);
    assert_int_equal(keys.keys[0].length, 24);
    assert_int_equal(keys.keys[1].length, 32);
    assert_int_equal(keys.keys[1].at[31], 31);
}

static void an_id_says_whose_event_it_is(void **state) {
    /* Red if another ledger's id, or a second spelling of one of ours, is taken for ours; or the number alone makes the
     * id: a ledger put back from a backup gives numbers again. */
    (void)state;
    static const struct ledger ledger = {.installation = "0b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"};
    char text[EVENT_ID_BYTES];
    uint64_t number;
    struct outbox_event event = {.number = 42, .at_ms = 1700000000123};
    event_id_format(&ledger, &event, text);
    assert_string_equal(text, "evt_ab8dfbbd4bed_42_1700000000123");
    assert_true(event_id_parse(&ledger, bytes_of(text), &number));
    assert_int_equal(number, 42);
    event = (struct outbox_event){.number = UINT64_MAX, .at_ms = INT64_MAX};
    event_id_format(&ledger, &event, text);
    assert_int_equal(strlen(text), EVENT_ID_BYTES - 1);
    static const char *const bad[] = {"evt_ab8dfbbd4bed_042_1", "evt_ab8dfbbd4bed_0_1",
                                      "evt_ab8dfbbd4bed__1",    "evt_ab8dfbbd4bed_42",
                                      "evt_ab8dfbbd4bed_42_",   "evt_ab8dfbbd4bed_42_1_",
                                      "evt_ab8dfbbd4bee_42_1",  "evt_42_1",
                                      "evt_ab8dfbbd4bed_",      ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(event_id_parse(&ledger, bytes_of(bad[i]), &number));
}

static const char *text_at(const json_t *document, const char *key) {
    const char *text = json_string_value(json_object_get(document, key));
    return text ? text : "";
}

static void an_event_becomes_a_cloud_event(void **state) {
    /* Red if a member that CloudEvents requires is missing or wrong, or the data is not the event's. */
    (void)state;
    struct outbox_event event = {.number = 42,
                                 .type = BYTES("booking.confirmed"),
                                 .subject = BYTES("b01a20e3eb9df75229394dd08ee8ec292"),
                                 .at_ms = 1700000000123,
                                 .data = BYTES("{\"seat_ids\":[\"A1\"]}")};
    struct buffer out;
    json_t *document;
    char detail[200];
    buffer_init(&out, 4096);
    letter_write_body(&event, "evt_x", "0b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", &out);
    assert_int_equal(json_parse(buffer_bytes(&out), &document, detail, sizeof detail), RESULT_OK);
    assert_int_equal(json_object_size(document), 9);
    assert_string_equal(text_at(document, "specversion"), "1.0");
    assert_string_equal(text_at(document, "id"), "evt_x");
    assert_string_equal(text_at(document, "source"), "urn:onsale:0b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed");
    assert_string_equal(text_at(document, "type"), "onsale.booking.confirmed");
    assert_string_equal(text_at(document, "subject"), "b01a20e3eb9df75229394dd08ee8ec292");
    assert_string_equal(text_at(document, "time"), "2023-11-14T22:13:20.123Z");
    assert_string_equal(text_at(document, "datacontenttype"), "application/json");
    assert_string_equal(text_at(document, "sequence"), "00000000000000000042");
    assert_int_equal(json_array_size(json_object_get(json_object_get(document, "data"), "seat_ids")), 1);
    json_decref(document);
    buffer_release(&out);
}

static void each_secret_signs(void **state) {
    /* Red if, while a secret is changed, one of the two signs nothing. */
    (void)state;
    struct signing_keys keys;
    struct buffer out;
    buffer_init(&out, 4096);
    assert_int_equal(signing_keys_read(BYTES(OTHER_SECRET " " SECRET), &keys), RESULT_OK);
    letter_write_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", BYTES("{\"test\": 2432232314}"), &keys, 1614265330000, &out);
    buffer_add_char(&out, '\0');
    const char *signatures = strstr(out.at, "webhook-signature: v1,");
    assert_non_null(signatures);
    assert_string_equal(signatures + strlen("webhook-signature: v1,") + 44,
                        " v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n");
    buffer_release(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_is_the_standards_own), cmocka_unit_test(a_secret_is_whsec_and_bytes_enough),
        cmocka_unit_test(an_event_becomes_a_cloud_event),   cmocka_unit_test(each_secret_signs),
        cmocka_unit_test(an_id_says_whose_event_it_is),
    };
    json_set_up();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
