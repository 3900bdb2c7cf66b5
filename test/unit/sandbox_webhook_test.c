/* What a webhook carries, when it comes again, and what the book remembers of which are owed. */
#include "gateway_world.h"
#include "sandbox/book.h"
#include "sandbox/webhook.h"

#define DAY_MS INT64_C(86400000)

static void a_signature_is_the_hmac_of_stamp_and_body(void **state) {
    /* Red if the stamp or the dot is left out of what is signed, the secret is decoded, or the field is spelt
     * otherwise. The value is openssl's: printf '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test */
    (void)state;
    char text[WEBHOOK_SIGNATURE_BYTES];
    webhook_sign(BYTES("whsec_test"), 1700000000, BYTES("{\"id\":\"evt_1\"}"), text);
    assert_string_equal(text, "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925");
}

static void the_first_retries_are_quick_and_the_later_ones_an_hour_apart(void **state) {
    /* Red if one of the first four waits 25 seconds, a later one comes sooner than its forerunners, any waits for more
     * than an hour, or chance makes no difference. */
    (void)state;
    static const int64_t about_s[] = {1, 3, 8, 20, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600};
    for (uint32_t i = 0; i < sizeof about_s / sizeof *about_s; i++) {
        int64_t least = INT64_MAX, most = 0;
        for (uint64_t chance = 0; chance < 10000; chance++) {
            int64_t wait_ms = webhook_wait_ms(i + 1, chance * UINT64_C(0x9e3779b97f4a7c15));
            least = wait_ms < least ? wait_ms : least;
            most = wait_ms > most ? wait_ms : most;
        }
        assert_in_range(least, about_s[i] * 800, about_s[i] * 850);
        assert_in_range(most, about_s[i] * 950, about_s[i] * 1200);
        assert_in_range(most, 1, i < 4 ? 25000 : 3600000);
    }
    assert_in_range(webhook_wait_ms(UINT32_MAX, UINT64_MAX), 2880000, 3600000);
}

static struct record event_record(uint32_t number, bool owed, int64_t time_ms) {
    return (struct record){
        .head = {.time_ms = time_ms, .event = number + 1, .kind = RECORD_CREATED, .owed = owed, .parts = PART_INTENT},
        .intent = {.number = 0, .status = STATUS_REQUIRES_PAYMENT_METHOD}};
}

static void apply(struct book *book, const struct record *record, uint64_t place) {
    assert_int_equal(book_apply(book, record, place), RESULT_OK);
}

static void a_delivered_event_is_owed_no_more(void **state) {
    /* Red if the mark is put to another event than its own, is an event itself, or a mark whose event has gone stops
     * the reading of a tape. */
    (void)state;
    struct book book;
    book_init(&book);
    for (uint32_t i = 0; i < 3; i++) {
        struct record record = event_record(i, i != 2, 1000);
        apply(&book, &record, i * 100);
    }
    struct record mark = {.head = {.time_ms = 2000, .event = 2, .kind = RECORD_DELIVERED}};
    struct record unknown = {.head = {.time_ms = 2000, .event = 99, .kind = RECORD_DELIVERED}};
    apply(&book, &mark, 300);
    apply(&book, &unknown, 400);
    assert_int_equal(book.event_count, 3);
    assert_int_equal(book.next_event, 3);
    assert_true(book.events[0].owed);
    assert_false(book.events[1].owed);
    assert_false(book.events[2].owed);
    book_release(&book);
}

static void what_is_owed_stays_on_the_tape_for_three_days(void **state) {
    /* Red if writing the tape anew loses an event that its receiver never had, or a mark while its event could still be
     * sent again. */
    (void)state;
    struct book book;
    book_init(&book);
    struct record records[3];
    for (uint32_t i = 0; i < 3; i++) {
        records[i] = event_record(i, true, 0);
        apply(&book, &records[i], i * 100);
    }
    struct record mark = {.head = {.event = 2, .kind = RECORD_DELIVERED}};
    apply(&book, &mark, 300);
    assert_true(book_needs(&book, &records[0], 0, 2 * DAY_MS));    /* owed */
    assert_false(book_needs(&book, &records[1], 100, 2 * DAY_MS)); /* delivered */
    assert_true(book_needs(&book, &mark, 300, 2 * DAY_MS));
    assert_false(book_needs(&book, &records[0], 0, 3 * DAY_MS));
    assert_false(book_needs(&book, &mark, 300, 3 * DAY_MS));
    assert_true(book_needs(&book, &records[2], 200, 3 * DAY_MS)); /* its object's latest */
    book_release(&book);
}

static void a_key_is_forgotten_when_it_is_a_day_old(void **state) {
    /* Red if a key outlives its 24 hours, or dies before. */
    (void)state;
    struct book book;
    struct id key = {.at = {1}};
    book_init(&book);
    assert_int_equal(book_set_key(&book, &key, 0, 1000), RESULT_OK);
    assert_non_null(book_key(&book, &key, 1000 + DAY_MS - 1));
    assert_null(book_key(&book, &key, 1000 + DAY_MS));
    book_release(&book);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_is_the_hmac_of_stamp_and_body),
        cmocka_unit_test(the_first_retries_are_quick_and_the_later_ones_an_hour_apart),
        cmocka_unit_test(a_delivered_event_is_owed_no_more),
        cmocka_unit_test(what_is_owed_stays_on_the_tape_for_three_days),
        cmocka_unit_test(a_key_is_forgotten_when_it_is_a_day_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
