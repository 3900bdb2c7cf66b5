/* The shuffle: fixed vectors, which test/api/shuffle.test.mjs computes again on its own, and fairness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "waitroom/shuffle.h"

static const struct id show_id = {{0x01, 0x93, 0x5e, 0x2a, 0x10, 0x00, 0x70, 0x01, 0x80, 0x02, 1, 2, 3, 4, 5, 6}};

static void fill(uint8_t bytes[static SHUFFLE_BYTES], uint8_t first) {
    for (int i = 0; i < SHUFFLE_BYTES; i++)
        bytes[i] = (uint8_t)(first + i);
}

static void assert_hex(const uint8_t bytes[static SHUFFLE_BYTES], const char *hex) {
    char text[2 * SHUFFLE_BYTES + 1];
    for (int i = 0; i < SHUFFLE_BYTES; i++)
        snprintf(&text[2 * i], 3, "%02x", bytes[i]);
    assert_string_equal(text, hex);
}

/* The same constants stand in test/api/shuffle.test.mjs. */
#define COMMITMENT "062e31cd30eb38d2a70b52cbda200c83ef22f416009c6784f9b8dd2445468ed7"
#define COMMITMENT_WITHOUT "b170b4055890a0ba21e0c36353d9d31b55eded3c31e67b25f0e18c2a4a27e20c"
#define KEY "bab8fa05aa572300e006b783112433dd4b30ea978c401218368b56e488d27b37"
#define KEY_WITHOUT "e108b912bc6d33855bffe25f20e7870275600264f73111406389ff17d9b4fe10"
static const uint32_t order_of_10[] = {5, 4, 0, 8, 2, 3, 7, 9, 6, 1};
#define ORDER_OF_1000_SUM 0x4ab048ceu

static void commitment_and_key_are_those_that_are_published(void **state) {
    /* Red if a part is left out, is not prefixed by its length, or stands in another order. */
    (void)state;
    uint8_t seed[SHUFFLE_BYTES], head[SHUFFLE_BYTES], out[SHUFFLE_BYTES];
    fill(seed, 0);
    fill(head, 100);
    shuffle_commitment(&show_id, seed, BYTES("drand round 4242"), out);
    assert_hex(out, COMMITMENT);
    shuffle_commitment(&show_id, seed, BYTES(""), out);
    assert_hex(out, COMMITMENT_WITHOUT);
    shuffle_key(&show_id, seed, head, BYTES("8f3a"), out);
    assert_hex(out, KEY);
    shuffle_key(&show_id, seed, head, BYTES(""), out);
    assert_hex(out, KEY_WITHOUT);
}

/* A number that changes with each element and each place. */
static uint32_t sum_of(const uint32_t *order, uint32_t n) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum = sum * 31 + order[i];
    return sum;
}

static void the_order_is_that_of_the_key(void **state) {
    /* Red if the stream, the draws or the swaps are others than shuffle.h says. */
    (void)state;
    uint8_t seed[SHUFFLE_BYTES], head[SHUFFLE_BYTES], key[SHUFFLE_BYTES];
    uint32_t order[1000];
    fill(seed, 0);
    fill(head, 100);
    shuffle_key(&show_id, seed, head, BYTES("8f3a"), key);
    shuffle_order(key, 10, order);
    assert_memory_equal(order, order_of_10, sizeof order_of_10);
    shuffle_order(key, 1000, order);
    assert_int_equal(sum_of(order, 1000), ORDER_OF_1000_SUM);
}

static void every_element_has_one_place(void **state) {
    /* Red if an element is lost, or n of 0 and 1 are not cared for. */
    (void)state;
    static uint32_t order[5000];
    static bool seen[5000];
    uint8_t key[SHUFFLE_BYTES];
    fill(key, 7);
    order[0] = 9;
    shuffle_order(key, 0, order);
    assert_int_equal(order[0], 9);
    shuffle_order(key, 1, order);
    assert_int_equal(order[0], 0);
    shuffle_order(key, 5000, order);
    for (uint32_t i = 0; i < 5000; i++) {
        assert_true(order[i] < 5000 && !seen[order[i]]);
        seen[order[i]] = true;
    }
}

static void key_of_trial(uint32_t trial, uint8_t key[static SHUFFLE_BYTES]) {
    static const uint8_t head[SHUFFLE_BYTES];
    uint8_t seed[SHUFFLE_BYTES] = {0};
    memcpy(seed, &trial, sizeof trial);
    shuffle_key(&show_id, seed, head, BYTES(""), key);
}

static double chi_squared(const uint32_t *counts, size_t n, double expected) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return sum;
}

static void all_orders_of_five_are_equally_likely(void **state) {
    /* Red if j is drawn below i, or below n: the two classic mistakes. Chi-squared with 119 degrees of freedom is above
     * 177 once in 2,000 times; the keys are fixed, so the test is too. */
    (void)state;
    static uint32_t counts[120];
    for (uint32_t trial = 0; trial < 120000; trial++) {
        uint8_t key[SHUFFLE_BYTES];
        uint32_t order[5], rank = 0;
        key_of_trial(trial, key);
        shuffle_order(key, 5, order);
        for (uint32_t i = 0; i < 5; i++) {
            uint32_t smaller = 0;
            for (uint32_t j = i + 1; j < 5; j++)
                smaller += order[j] < order[i];
            rank = rank * (5 - i) + smaller;
        }
        counts[rank]++;
    }
    assert_true(chi_squared(counts, 120, 1000) < 177);
}

static void any_of_a_thousand_may_be_first_or_last(void **state) {
    /* Red if some arrival has a better chance. Chi-squared with 999 degrees of freedom is above 1,150 once in 2,000
     * times. */
    (void)state;
    static uint32_t first[1000], last[1000], place_of_first[1000];
    for (uint32_t trial = 0; trial < 20000; trial++) {
        uint8_t key[SHUFFLE_BYTES];
        uint32_t order[1000];
        key_of_trial(trial, key);
        shuffle_order(key, 1000, order);
        first[order[0]]++;
        last[order[999]]++;
        for (uint32_t i = 0; i < 1000; i++)
            if (order[i] == 0)
                place_of_first[i]++;
    }
    assert_true(chi_squared(first, 1000, 20) < 1150);
    assert_true(chi_squared(last, 1000, 20) < 1150);
    assert_true(chi_squared(place_of_first, 1000, 20) < 1150);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commitment_and_key_are_those_that_are_published),
        cmocka_unit_test(the_order_is_that_of_the_key),
        cmocka_unit_test(every_element_has_one_place),
        cmocka_unit_test(all_orders_of_five_are_equally_likely),
        cmocka_unit_test(any_of_a_thousand_may_be_first_or_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
