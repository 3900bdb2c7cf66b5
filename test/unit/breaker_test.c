/* The circuit breaker, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "payments/breaker.h"

static struct breaker opened_at(int64_t now_ms) {
    struct breaker breaker;
    breaker_init(&breaker);
    for (int i = 0; i < BREAKER_FAILURES; i++) {
        assert_true(breaker_allows(&breaker, now_ms));
        breaker_failed(&breaker, now_ms, 0);
    }
    return breaker;
}

static void a_gateway_that_fails_now_and_then_is_called_always(void **state) {
    /* Red if failures add up over an answer between them. */
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker);
    for (int i = 0; i < 10 * BREAKER_FAILURES; i++) {
        assert_true(breaker_allows(&breaker, i));
        if (i % BREAKER_FAILURES == 0)
            breaker_answered(&breaker);
        else
            breaker_failed(&breaker, i, 0);
    }
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_int_equal(breaker_wait_ms(&breaker, 0), 0);
}

static void one_that_answers_nothing_is_left_alone(void **state) {
    /* Red if it opens a failure early or late, or its time is not told. */
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker);
    for (int i = 1; i < BREAKER_FAILURES; i++)
        breaker_failed(&breaker, 1000, 0);
    assert_true(breaker_allows(&breaker, 1000));
    breaker_failed(&breaker, 1000, 0);
    assert_false(breaker_allows(&breaker, 1000));
    assert_int_equal(breaker_wait_ms(&breaker, 1000), BREAKER_FIRST_WAIT_MS / 2);
    assert_false(breaker_allows(&breaker, 1000 + BREAKER_FIRST_WAIT_MS / 2 - 1));
    assert_int_equal(breaker_wait_ms(&breaker, 1000 + BREAKER_FIRST_WAIT_MS / 2), 0);
}

static void one_call_tries_and_an_answer_closes_it(void **state) {
    /* Red if more than one call is let through to try, or the next outage begins with the last one's count. */
    (void)state;
    struct breaker breaker = opened_at(1000);
    int64_t then_ms = 1000 + BREAKER_FIRST_WAIT_MS;
    assert_true(breaker_allows(&breaker, then_ms));
    assert_false(breaker_allows(&breaker, then_ms));
    assert_true(breaker_wait_ms(&breaker, then_ms) > 0);
    breaker_answered(&breaker);
    assert_true(breaker_allows(&breaker, then_ms));
    breaker_failed(&breaker, then_ms, 0);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void a_call_that_was_taken_back_lets_another_try(void **state) {
    /* Red if nobody tries ever again. */
    (void)state;
    struct breaker breaker = opened_at(0);
    assert_true(breaker_allows(&breaker, BREAKER_FIRST_WAIT_MS));
    breaker_withdrawn(&breaker);
    assert_true(breaker_allows(&breaker, BREAKER_FIRST_WAIT_MS));
    assert_false(breaker_allows(&breaker, BREAKER_FIRST_WAIT_MS));
}

static void the_wait_doubles_up_to_its_bound(void **state) {
    /* Red if it is not spread over its upper half, not doubled, or grows over the bound. */
    (void)state;
    struct breaker breaker = opened_at(0);
    int64_t now_ms = 0, full_ms = BREAKER_FIRST_WAIT_MS;
    for (uint64_t i = 0; i < 200; i++) {
        int64_t wait_ms = breaker_wait_ms(&breaker, now_ms);
        assert_in_range(wait_ms, full_ms / 2, full_ms);
        now_ms += wait_ms;
        assert_true(breaker_allows(&breaker, now_ms));
        breaker_failed(&breaker, now_ms, i * 0x9E3779B97F4A7C15u);
        full_ms = 2 * full_ms < BREAKER_LONGEST_WAIT_MS ? 2 * full_ms : BREAKER_LONGEST_WAIT_MS;
    }
}

static void calls_of_before_it_opened_prolong_nothing(void **state) {
    /* Red if a herd of calls that time out together opens it for as many waits. */
    (void)state;
    struct breaker breaker = opened_at(0);
    int64_t wait_ms = breaker_wait_ms(&breaker, 0);
    for (int i = 0; i < 100; i++)
        breaker_failed(&breaker, 100, 0);
    assert_int_equal(breaker_wait_ms(&breaker, 0), wait_ms);
}

/* A breaker told by its rules alone: what has happened since the last answer. */
struct naive {
    uint32_t failures, times_opened;
    bool is_open, is_trying;
    int64_t until_ms;
};

static int64_t naive_wait_ms(uint32_t times, uint64_t jitter) {
    static const int64_t full[] = {1000, 2000, 4000, 8000, 16000, 30000};
    int64_t ms = full[times < 6 ? times : 5];
    return ms / 2 + (int64_t)(jitter % (uint64_t)(ms / 2 + 1));
}

static bool naive_allows(struct naive *naive, int64_t now_ms) {
    if (!naive->is_open)
        return true;
    if (now_ms < naive->until_ms || naive->is_trying)
        return false;
    return naive->is_trying = true;
}

static void naive_failed(struct naive *naive, int64_t now_ms, bool is_past_its_time, uint64_t jitter) {
    if (naive->is_open ? !is_past_its_time : ++naive->failures < BREAKER_FAILURES)
        return;
    naive->until_ms = now_ms + naive_wait_ms(naive->times_opened++, jitter);
    naive->is_open = true;
    naive->is_trying = false;
}

static uint64_t draw(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void whatever_happens_it_does_as_its_rules_say(void **state) {
    /* Red if any move differs from the naive one, over calls that are answered late, too. */
    (void)state;
    uint64_t seed = 0x5EED;
    for (int walk = 0; walk < 300; walk++) {
        struct breaker breaker;
        struct naive naive = {0};
        breaker_init(&breaker);
        int64_t now_ms = 0;
        uint32_t under_way = 0, fails_percent = 40 + (uint32_t)(draw(&seed) % 61);
        bool was_asked = false; /* since its time was over */
        for (int step = 0; step < 2000; step++) {
            now_ms += (int64_t)(draw(&seed) % 200);
            if (draw(&seed) % 2) {
                bool allowed = breaker_allows(&breaker, now_ms);
                assert_int_equal(allowed, naive_allows(&naive, now_ms));
                was_asked |= naive.is_open && now_ms >= naive.until_ms;
                under_way += allowed;
            } else if (under_way) {
                under_way--;
                uint64_t jitter = draw(&seed);
                if (draw(&seed) % 100 < fails_percent) {
                    breaker_failed(&breaker, now_ms, jitter);
                    naive_failed(&naive, now_ms, was_asked, jitter);
                } else {
                    breaker_answered(&breaker);
                    naive = (struct naive){0};
                }
                was_asked &= naive.is_open && now_ms >= naive.until_ms;
            }
            bool must_wait = naive.is_open && (now_ms < naive.until_ms || naive.is_trying);
            assert_int_equal(breaker_wait_ms(&breaker, now_ms) > 0, must_wait);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gateway_that_fails_now_and_then_is_called_always),
        cmocka_unit_test(one_that_answers_nothing_is_left_alone),
        cmocka_unit_test(one_call_tries_and_an_answer_closes_it),
        cmocka_unit_test(a_call_that_was_taken_back_lets_another_try),
        cmocka_unit_test(the_wait_doubles_up_to_its_bound),
        cmocka_unit_test(calls_of_before_it_opened_prolong_nothing),
        cmocka_unit_test(whatever_happens_it_does_as_its_rules_say),
    };
    return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
