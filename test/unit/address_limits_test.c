/* Limits by address: what one address may do at once and over time, who is forgotten, and what the client is told. */
#include "api/address_limits.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"

#define NOW INT64_C(1800000000000)
#define BURST 1200
#define TOKEN_MS 100 /* 600 a minute */

static struct client_key address(uint32_t number) {
    return (struct client_key){
        {4, (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}};
}

static struct limit_verdict take_at(struct address_limits *limits, uint32_t number, int64_t now_ms) {
    struct limit_verdict verdict;
    enum result result = address_limits_take(limits, LIMIT_KIND_JOIN, address(number), now_ms, &verdict);
    assert_int_equal(result, verdict.is_allowed ? RESULT_OK : RESULT_RATE_LIMITED);
    return verdict;
}

/* How many of `wanted` calls at one time are allowed. */
static unsigned take_many(struct address_limits *limits, uint32_t number, unsigned wanted, int64_t now_ms) {
    unsigned allowed = 0;
    for (unsigned i = 0; i < wanted; i++)
        allowed += take_at(limits, number, now_ms).is_allowed;
    return allowed;
}

static struct address_limits *new_limits(void) {
    hash_set_up();
    struct address_limits *limits = address_limits_new();
    assert_non_null(limits);
    return limits;
}

static void a_burst_is_allowed_and_no_more(void **state) {
    /* red when: the bucket is smaller or larger than the burst, or another address pays for it */
    (void)state;
    struct address_limits *limits = new_limits();
    assert_int_equal(take_many(limits, 1, BURST + 100, NOW), BURST);
    assert_int_equal(take_many(limits, 2, BURST + 100, NOW), BURST);
    address_limits_free(limits);
}

static void tokens_come_at_the_rate_and_not_beyond_the_burst(void **state) {
    /* red when: the rate is another than 600 a minute, a refusal costs something, or a bucket overflows */
    (void)state;
    struct address_limits *limits = new_limits();
    assert_int_equal(take_many(limits, 1, BURST + 100, NOW), BURST);
    assert_int_equal(take_many(limits, 1, 5, NOW + TOKEN_MS - 1), 0);
    assert_int_equal(take_many(limits, 1, 5, NOW + TOKEN_MS), 1);
    assert_int_equal(take_many(limits, 1, 5000, NOW + TOKEN_MS + 60000), 600);
    assert_int_equal(take_many(limits, 1, 5000, NOW + TOKEN_MS + 60000 + 86400000), BURST);
    address_limits_free(limits);
}

static void no_window_has_more_than_the_rate_and_one_burst(void **state) {
    /* red when: a caller that asks all the time gets more than the bucket and what came into it */
    (void)state;
    struct address_limits *limits = new_limits();
    unsigned allowed = 0;
    for (int64_t at = 0; at < 60000; at += 7)
        allowed += take_many(limits, 1, 3, NOW + at);
    assert_in_range(allowed, BURST + 599, BURST + 600);
    address_limits_free(limits);
}

static void who_is_refused_is_told_when(void **state) {
    /* red when: after the wait that is told the call is refused again, or the wait is more than a second too long */
    (void)state;
    struct address_limits *limits = new_limits();
    address_limits_set_rate(limits, LIMIT_KIND_JOIN, 7); /* a token each 8.6 seconds, 14 at once */
    assert_int_equal(take_many(limits, 1, 100, NOW), 14);
    struct limit_verdict refused = take_at(limits, 1, NOW);
    assert_false(refused.is_allowed);
    assert_int_equal(refused.wait_seconds, 9);
    assert_int_equal(refused.reset_seconds, 9);
    assert_int_equal(refused.remaining, 0);
    assert_int_equal(take_at(limits, 1, NOW + 8500).wait_seconds, 1);
    assert_false(take_at(limits, 1, NOW + 8571).is_allowed);
    struct limit_verdict allowed = take_at(limits, 1, NOW + 9000);
    assert_true(allowed.is_allowed);
    assert_int_equal(allowed.wait_seconds, 0);
    address_limits_free(limits);
}

static void the_numbers_tell_what_is_left(void **state) {
    /* red when: limit, remaining or reset are of another moment than after the call */
    (void)state;
    struct address_limits *limits = new_limits();
    struct limit_verdict first = take_at(limits, 1, NOW);
    assert_int_equal(first.limit, BURST);
    assert_int_equal(first.window_seconds, 120);
    assert_int_equal(first.remaining, BURST - 1);
    assert_int_equal(first.reset_seconds, 1);
    assert_int_equal(take_many(limits, 1, 99, NOW), 99);
    struct limit_verdict later = take_at(limits, 1, NOW);
    assert_int_equal(later.remaining, BURST - 101);
    assert_int_equal(later.reset_seconds, 11); /* 10.1 */
    assert_int_equal(take_at(limits, 1, NOW + 11000).remaining, BURST - 1);
    address_limits_free(limits);
}

static void a_rate_that_is_set_brings_its_burst(void **state) {
    /* red when: a university that raises the rate keeps the old burst, or the lowest rate lets nobody in */
    (void)state;
    struct address_limits *limits = new_limits();
    address_limits_set_rate(limits, LIMIT_KIND_JOIN, 30000);
    assert_int_equal(take_many(limits, 1, 70000, NOW), 60000);
    assert_int_equal(take_many(limits, 1, 70000, NOW + 1000), 500);
    address_limits_set_rate(limits, LIMIT_KIND_JOIN, 1);
    assert_int_equal(take_many(limits, 2, 10, NOW), 2);
    address_limits_set_rate(limits, LIMIT_KIND_JOIN, LIMIT_RATE_PER_MINUTE);
    assert_int_equal(take_many(limits, 3, 100000, NOW), 100000);
    assert_int_equal(take_at(limits, 3, NOW).limit, 2 * LIMIT_RATE_PER_MINUTE);
    address_limits_free(limits);
}

static void a_clock_that_steps_makes_nobody_wait_for_it(void **state) {
    /* red when: after a step back an address has to wait until the clock is where it was */
    (void)state;
    struct address_limits *limits = new_limits();
    assert_int_equal(take_many(limits, 1, BURST + 1, NOW), BURST);
    int64_t back = NOW - 86400000;
    assert_int_equal(take_at(limits, 1, back).wait_seconds, 1);
    assert_int_equal(take_many(limits, 1, 100, back + 1000), 10);
    address_limits_free(limits);
}

static void strangers_in_any_number_do_not_free_who_called_the_most(void **state) {
    /* red when: the bucket that is taken for a new address is another than the fullest of its set */
    (void)state;
    struct address_limits *limits = new_limits();
    assert_int_equal(take_many(limits, 1, BURST, NOW), BURST);
    for (uint32_t stranger = 1000; stranger < 1000 + 8 * LIMIT_ADDRESS_BUCKETS; stranger++)
        assert_true(take_at(limits, stranger, NOW).is_allowed);
    assert_false(take_at(limits, 1, NOW).is_allowed);
    address_limits_free(limits);
}

static void who_was_forgotten_begins_anew(void **state) {
    /* red when: an address inherits what another did, whose bucket it took */
    (void)state;
    struct address_limits *limits = new_limits();
    uint32_t strangers = 2 * LIMIT_ADDRESS_BUCKETS;
    for (uint32_t stranger = 0; stranger < strangers; stranger++)
        for (int i = 0; i < 3; i++)
            assert_true(take_at(limits, stranger, NOW).is_allowed);
    for (uint32_t stranger = strangers; stranger < 2 * strangers; stranger++)
        assert_int_equal(take_at(limits, stranger, NOW).remaining, BURST - 1);
    address_limits_free(limits);
}

#define THREADS 4

struct caller {
    struct address_limits *limits;
    unsigned allowed;
};

static void *call(void *argument) {
    struct caller *caller = argument;
    for (unsigned i = 0; i < BURST; i++) {
        caller->allowed += take_at(caller->limits, 1, NOW).is_allowed;
        (void)take_at(caller->limits, 1000 + i, NOW);
    }
    return NULL;
}

static void threads_share_one_bucket(void **state) {
    /* red when: two threads take the same token, or a bucket is changed without its shard's lock (under TSan) */
    (void)state;
    struct address_limits *limits = new_limits();
    struct caller callers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){.limits = limits};
        assert_int_equal(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
    }
    unsigned allowed = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        allowed += callers[i].allowed;
    }
    assert_int_equal(allowed, BURST);
    address_limits_free(limits);
}

static void the_fields_are_as_the_draft_has_them(void **state) {
    /* red when: a name, a quote or a parameter is another */
    (void)state;
    struct address_limits *limits = new_limits();
    struct buffer headers;
    buffer_init(&headers, 1000);
    struct limit_verdict allowed = take_at(limits, 1, NOW);
    limit_verdict_write(&allowed, &headers);
    assert_int_equal(take_many(limits, 1, BURST, NOW), BURST - 1);
    struct limit_verdict refused = take_at(limits, 1, NOW);
    limit_verdict_write(&refused, &headers);
    assert_true(bytes_equal(buffer_bytes(&headers), BYTES("RateLimit-Policy: \"join\";q=1200;w=120\r\n"
                                                          "RateLimit: \"join\";r=1199;t=1\r\n"
                                                          "RateLimit-Policy: \"join\";q=1200;w=120\r\n"
                                                          "RateLimit: \"join\";r=0;t=1\r\n")));
    buffer_release(&headers);
    address_limits_free(limits);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_allowed_and_no_more),
        cmocka_unit_test(tokens_come_at_the_rate_and_not_beyond_the_burst),
        cmocka_unit_test(no_window_has_more_than_the_rate_and_one_burst),
        cmocka_unit_test(who_is_refused_is_told_when),
        cmocka_unit_test(the_numbers_tell_what_is_left),
        cmocka_unit_test(a_rate_that_is_set_brings_its_burst),
        cmocka_unit_test(a_clock_that_steps_makes_nobody_wait_for_it),
        cmocka_unit_test(strangers_in_any_number_do_not_free_who_called_the_most),
        cmocka_unit_test(who_was_forgotten_begins_anew),
        cmocka_unit_test(threads_share_one_bucket),
        cmocka_unit_test(the_fields_are_as_the_draft_has_them),
    };
    return cmocka_run_group_tests_name("address_limits", tests, NULL, NULL);
}
