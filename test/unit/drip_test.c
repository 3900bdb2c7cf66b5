/* The drip: a token bucket that adapts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dies.h"
#include "waitroom/drip.h"

#define NOW INT64_C(1800000000000)

static struct drip drip_of(uint32_t rate_per_minute) {
    struct drip drip;
    drip_init(&drip, rate_per_minute, NOW);
    return drip;
}

static void a_new_drip_is_empty(void **state) {
    /* Red if drip_init() gives it a level. */
    (void)state;
    struct drip drip = drip_of(5000);
    assert_int_equal(drip_tokens(&drip), 0);
    drip_fill(&drip, NOW);
    assert_int_equal(drip_tokens(&drip), 0);
}

static void it_fills_in_proportion_to_time(void **state) {
    /* Red if rate, factor or milliseconds are taken wrong, or parts of a token get lost between two fills. */
    (void)state;
    struct drip drip = drip_of(6000);
    drip_fill(&drip, NOW + 9);
    assert_int_equal(drip_tokens(&drip), 0);
    assert_int_equal(drip_wait_ms(&drip), 1);
    drip_fill(&drip, NOW + 10);
    assert_int_equal(drip_tokens(&drip), 1);
    assert_int_equal(drip_wait_ms(&drip), 0);
    for (int64_t ms = 11; ms <= 200; ms++)
        drip_fill(&drip, NOW + ms);
    assert_int_equal(drip_tokens(&drip), 20);
}

static void it_holds_one_seconds_worth(void **state) {
    /* Red if the level is not cut. */
    (void)state;
    struct drip drip = drip_of(6000);
    drip_fill(&drip, NOW + 1000);
    assert_int_equal(drip_tokens(&drip), 100);
    drip_fill(&drip, NOW + 3600 * 1000);
    assert_int_equal(drip_tokens(&drip), 100);
}

static void it_holds_a_whole_token_however_slow(void **state) {
    /* Red if a second's worth of less than a token is all that it holds: then nobody ever gets in. */
    (void)state;
    struct drip drip = drip_of(1);
    drip_fill(&drip, NOW + 59999);
    assert_int_equal(drip_tokens(&drip), 0);
    drip_fill(&drip, NOW + 60000);
    assert_int_equal(drip_tokens(&drip), 1);
    drip_fill(&drip, NOW + 600000);
    assert_int_equal(drip_tokens(&drip), 1);
    drip_take(&drip);
    assert_int_equal(drip_wait_ms(&drip), 60000);
}

static void time_that_goes_back_fills_nothing(void **state) {
    /* Red if a millisecond fills twice when the clock steps back and forth. */
    (void)state;
    struct drip drip = drip_of(6000);
    drip_fill(&drip, NOW + 100);
    for (int i = 0; i < 10; i++) {
        drip_fill(&drip, NOW - 5000);
        drip_fill(&drip, NOW + 100);
    }
    assert_int_equal(drip_tokens(&drip), 10);
}

static void a_leap_of_the_clock_overflows_nothing(void **state) {
    /* Red if the product is taken before it is known to fit (found by the sanitizer build). */
    (void)state;
    struct drip drip = drip_of(LIMIT_RATE_PER_MINUTE);
    drip_fill(&drip, INT64_MAX);
    assert_int_equal(drip_tokens(&drip), LIMIT_RATE_PER_MINUTE / 60);
    drip_init(&drip, 1, INT64_MIN);
    drip_fill(&drip, INT64_MAX);
    assert_int_equal(drip_tokens(&drip), 1);
}

static void another_rate_holds_from_now_on(void **state) {
    /* Red if the time before is filled at the new rate, or more than the new rate's second is kept. */
    (void)state;
    struct drip drip = drip_of(600);
    drip_set_rate(&drip, 6000, NOW + 500);
    assert_int_equal(drip_tokens(&drip), 5);
    drip_fill(&drip, NOW + 1000);
    assert_int_equal(drip_tokens(&drip), 55);
    drip_set_rate(&drip, 60, NOW + 1000);
    assert_int_equal(drip_tokens(&drip), 1);
}

static void bad_looks_halve_the_factor_and_good_ones_mend_it(void **state) {
    /* Red if it is not halved, mended by a twentieth, or kept between its bounds. */
    (void)state;
    struct drip drip = drip_of(6000);
    const struct drip_look slow = {.answers = 20, .slow = 3}, failed = {.answers = 20, .failed = 3},
                           good = {.answers = 9}, quiet = {0};
    drip_adapt(&drip, &good, 10, NOW);
    assert_int_equal(drip.factor, 1000);
    drip_adapt(&drip, &slow, 10, NOW);
    assert_int_equal(drip.factor, 500);
    drip_adapt(&drip, &failed, 10, NOW);
    assert_int_equal(drip.factor, 250);
    drip_adapt(&drip, &good, 10, NOW);
    assert_int_equal(drip.factor, 300);
    drip_adapt(&drip, &quiet, 10, NOW);
    assert_int_equal(drip.factor, 350);
    for (int i = 0; i < 5; i++)
        drip_adapt(&drip, &slow, 10, NOW);
    assert_int_equal(drip.factor, DRIP_FACTOR_LEAST);
    for (int i = 0; i < 19; i++)
        drip_adapt(&drip, &good, 10, NOW);
    assert_int_equal(drip.factor, DRIP_FACTOR_ONE);
}

static void few_bad_answers_are_no_sign(void **state) {
    /* Red if fewer than three count, or as many as allowed. */
    (void)state;
    struct drip drip = drip_of(6000);
    const struct drip_look two = {.answers = 2, .slow = 1, .failed = 1}, just = {.answers = 30, .slow = 3},
                           over = {.answers = 29, .slow = 2, .failed = 1};
    drip_adapt(&drip, &two, 10, NOW);
    drip_adapt(&drip, &just, 10, NOW);
    assert_int_equal(drip.factor, DRIP_FACTOR_ONE);
    drip_adapt(&drip, &over, 10, NOW);
    assert_int_equal(drip.factor, DRIP_FACTOR_ONE / 2);
}

static void a_lower_factor_fills_and_holds_less(void **state) {
    /* Red if the factor changes what was filled before, or a second's worth is the rate's alone. */
    (void)state;
    struct drip drip = drip_of(6000);
    const struct drip_look bad = {.answers = 3, .failed = 3};
    drip_adapt(&drip, &bad, 10, NOW + 200);
    assert_int_equal(drip_tokens(&drip), 20);
    drip_fill(&drip, NOW + 400);
    assert_int_equal(drip_tokens(&drip), 30);
    drip_fill(&drip, NOW + 10000);
    assert_int_equal(drip_tokens(&drip), 50);
    drip_adapt(&drip, &bad, 10, NOW + 10000);
    assert_int_equal(drip_tokens(&drip), 25);
}

static void take_from_empty(void *drip) {
    drip_take(drip);
}

static void taking_what_is_not_there_is_a_programmers_error(void **state) {
    /* Red if drip_take() does not look. */
    (void)state;
    struct drip drip = drip_of(6000);
    assert_dies(take_from_empty, &drip);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_drip_is_empty),
        cmocka_unit_test(it_fills_in_proportion_to_time),
        cmocka_unit_test(it_holds_one_seconds_worth),
        cmocka_unit_test(it_holds_a_whole_token_however_slow),
        cmocka_unit_test(time_that_goes_back_fills_nothing),
        cmocka_unit_test(a_leap_of_the_clock_overflows_nothing),
        cmocka_unit_test(another_rate_holds_from_now_on),
        cmocka_unit_test(bad_looks_halve_the_factor_and_good_ones_mend_it),
        cmocka_unit_test(few_bad_answers_are_no_sign),
        cmocka_unit_test(a_lower_factor_fills_and_holds_less),
        cmocka_unit_test(taking_what_is_not_there_is_a_programmers_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
