/* The bounds that the check of a queue's record holds the drip and the room to: rate, burst, max_active, and what a
 * clock that steps may do. */
#include "record_world.h"

/* ---- drip ---- */

static void more_than_the_rate_is_found(void **state) {
    // red when: the bucket is not asked
    (void)state;
    for (int64_t early_ms = 0; early_ms < 2; early_ms++)
        for (uint32_t rate = 1; rate <= 60; rate += 59) {
            struct record_world *world = record_world_empty();
            record_start(world, false, BYTES(""));
            record_key(world, &world->key);
            record_terms(world, rate, 100, 60);
            record_joins(world, 3);
            record_of(world, RECORD_CALL, 3);
            record_of(world, RECORD_ADMIT, 1);
            world->now_ms += 60000 / rate;
            record_of(world, RECORD_ADMIT, 2);
            world->now_ms += 60000 / rate - early_ms;
            record_of(world, RECORD_ADMIT, 3);
            if (early_ms)
                is_found_bad(world, "too early");
            else
                is_found_good(world);
        }
}

static void one_seconds_worth_may_come_at_once(void **state) {
    // red when: the burst is another one
    (void)state;
    for (uint32_t more = 0; more < 2; more++) {
        struct record_world *world = record_world_empty();
        record_start(world, false, BYTES(""));
        record_key(world, &world->key);
        record_terms(world, 600, 100, 60);
        record_joins(world, 20);
        record_of(world, RECORD_CALL, 20);
        for (uint32_t i = 1; i <= 10 + more; i++)
            record_of(world, RECORD_ADMIT, i);
        if (more)
            is_found_bad(world, "too early");
        else
            is_found_good(world);
    }
}

static void nobody_is_let_in_without_terms(void **state) {
    // red when: no terms mean no bounds
    (void)state;
    struct record_world *world = record_world_empty();
    record_start(world, false, BYTES(""));
    record_key(world, &world->key);
    record_joins(world, 1);
    record_of(world, RECORD_CALL, 1);
    record_of(world, RECORD_ADMIT, 1);
    is_found_bad(world, "before there are any terms");
}

static void absurd_terms_are_found(void **state) {
    // red when: a rate of zero (or one that overflows) is taken
    (void)state;
    static const uint32_t terms[][3] = {{0, 1, 1},         {LIMIT_RATE_PER_MINUTE + 1, 1, 1}, {UINT32_MAX, 1, 1},
                                        {1, 0, 1},         {1, LIMIT_ACTIVE + 1, 1},          {1, 1, 0},
                                        {1, 1, UINT32_MAX}};
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        struct record_world *world = record_world_new();
        record_terms(world, terms[i][0], terms[i][1], terms[i][2]);
        is_found_bad(world, "terms");
    }
}

/* A naive judge: looks at every window that begins and ends with an admission. */
static bool every_window_is_within(const int64_t *times, int count, uint32_t rate) {
    int64_t second = (int64_t)rate * 1000 * 1000, burst = second > DRIP_TOKEN ? second : DRIP_TOKEN;
    for (int from = 0; from < count; from++)
        for (int to = from; to < count; to++)
            if ((to - from + 1) * DRIP_TOKEN > (times[to] - times[from]) * rate * 1000 + burst)
                return false;
    return true;
}

static void the_verdict_on_the_drip_is_that_of_every_window(void **state) {
    // red when: the bucket's size or its filling is off by one unit
    (void)state;
    uint32_t random = 12345;
    int good = 0, bad = 0;
    for (int round = 0; round < 2000; round++) {
        int64_t times[12];
        struct record_world *world = record_world_empty();
        record_start(world, false, BYTES(""));
        record_key(world, &world->key);
        random = random * 1103515245 + 12345;
        uint32_t rate = 30 + (random >> 16) % 200;
        record_terms(world, rate, LIMIT_ACTIVE, 3600);
        record_joins(world, 12);
        record_of(world, RECORD_CALL, 12);
        for (uint32_t i = 0; i < 12; i++) {
            random = random * 1103515245 + 12345;
            world->now_ms += (random >> 16) % 6 * (60000 / rate) / 2 + (random >> 24) % 3;
            times[i] = world->now_ms;
            record_of(world, RECORD_ADMIT, i + 1);
        }
        record_seal(world);
        struct record_findings findings;
        struct record_fault fault;
        bool is_good = record_check(bytes_of_world(world), NULL, &findings, &fault) == RESULT_OK;
        assert_int_equal(is_good, every_window_is_within(times, 12, rate));
        good += is_good;
        bad += !is_good;
        record_world_free(world);
    }
    assert_true(good > 100 && bad > 100);
}

static void a_lower_rate_takes_what_was_saved(void **state) {
    // red when: the bucket keeps more than one second's worth of the new rate
    (void)state;
    struct record_world *world = called(20, 20);
    record_terms(world, 120, 100, 60);
    for (uint32_t i = 1; i <= 3; i++)
        record_of(world, RECORD_ADMIT, i);
    is_found_bad(world, "number 3 is let in too early");
}

static void a_clock_that_goes_back_is_said_and_forgiven(void **state) {
    // red when: a restart with a corrected clock makes a fault of the drip
    (void)state;
    struct record_world *world = record_world_empty();
    record_start(world, false, BYTES(""));
    record_key(world, &world->key);
    record_terms(world, 60, 100, 60);
    record_joins(world, 3);
    record_of(world, RECORD_CALL, 3);
    world->now_ms += 60000;
    record_of(world, RECORD_ADMIT, 1);
    world->now_ms -= 30000;
    record_of(world, RECORD_ADMIT, 2);
    world->now_ms -= 500; /* a reactor that read the clock and was served later */
    record_joins(world, 1);
    world->now_ms += 1500;
    record_of(world, RECORD_ADMIT, 3);
    record_seal(world);
    struct record_findings findings = found_good(world, NULL);
    assert_int_equal(findings.steps_back, 1);
    assert_int_equal(findings.most_back_ms, 30000);
    assert_int_equal(findings.last_ms, RECORD_BEGAN + 60000);
    record_world_free(world);
}

static void an_admission_that_goes_back_at_all_tells_of_a_restart(void **state) {
    // red when: a quick restart with a clock half a second back makes a fault of the drip
    (void)state;
    struct record_world *world = record_world_empty();
    record_start(world, false, BYTES(""));
    record_key(world, &world->key);
    record_terms(world, 60, 100, 60);
    record_joins(world, 2);
    world->now_ms += 1000;
    record_of(world, RECORD_CALL, 2);
    record_of(world, RECORD_ADMIT, 1);
    world->now_ms -= 500;
    record_of(world, RECORD_ADMIT, 2);
    record_seal(world);
    assert_int_equal(found_good(world, NULL).steps_back, 1);
    record_world_free(world);
}

static void times_that_waver_give_no_tokens(void **state) {
    // red when: time that steps back a little and forward again fills the bucket twice
    (void)state;
    struct record_world *world = record_world_empty();
    record_start(world, false, BYTES(""));
    record_key(world, &world->key);
    record_terms(world, 60, 100, 60);
    record_joins(world, 3);
    record_of(world, RECORD_CALL, 3);
    record_of(world, RECORD_ADMIT, 1);
    for (int i = 0; i < 20; i++) {
        world->now_ms += i % 2 ? -100 : 100;
        record_joins(world, 1);
    }
    world->now_ms += 500;
    record_of(world, RECORD_ADMIT, 2);
    is_found_bad(world, "too early");
}

/* ---- room ---- */

static void more_inside_than_there_is_room_for_is_found(void **state) {
    // red when: max_active is not looked at
    (void)state;
    struct record_world *world = called(5, 5);
    for (uint32_t i = 1; i <= 4; i++)
        record_of(world, RECORD_ADMIT, i);
    is_found_bad(world, "number 4 is let in while 3 are inside");
}

static void an_end_makes_room(void **state) {
    // red when: END does not
    (void)state;
    struct record_world *world = called(5, 5);
    for (uint32_t i = 1; i <= 3; i++)
        record_of(world, RECORD_ADMIT, i);
    record_of(world, RECORD_END, 2);
    record_of(world, RECORD_ADMIT, 4);
    is_found_good(world);
}

static void a_pass_ends_by_time_to_the_millisecond(void **state) {
    // red when: passes last a millisecond more or less
    (void)state;
    for (int64_t early_ms = 0; early_ms < 2; early_ms++) {
        struct record_world *world = called(5, 5);
        for (uint32_t i = 1; i <= 3; i++)
            record_of(world, RECORD_ADMIT, i);
        world->now_ms += 60000 - early_ms;
        record_of(world, RECORD_ADMIT, 4);
        if (early_ms)
            is_found_bad(world, "while 3 are inside");
        else
            is_found_good(world);
    }
}

static void a_pass_lasts_as_long_as_was_promised_when_it_was_given(void **state) {
    // red when: new terms shorten passes that are out
    (void)state;
    struct record_world *world = called(5, 5);
    for (uint32_t i = 1; i <= 3; i++)
        record_of(world, RECORD_ADMIT, i);
    record_terms(world, 600, 3, 1);
    world->now_ms += 59999;
    record_of(world, RECORD_ADMIT, 4);
    is_found_bad(world, "while 3 are inside");
}

static void the_count_of_those_inside_is_that_of_a_naive_one(void **state) {
    // red when: the heap loses or swaps one
    (void)state;
    uint32_t random = 99;
    for (int round = 0; round < 40; round++) {
        struct record_world *world = record_world_empty();
        static int64_t ends[401];
        uint32_t most = 0;
        memset(ends, 0, sizeof ends);
        record_start(world, false, BYTES(""));
        record_key(world, &world->key);
        record_terms(world, LIMIT_RATE_PER_MINUTE, LIMIT_ACTIVE, 1);
        record_joins(world, 400);
        record_of(world, RECORD_CALL, 400);
        for (uint32_t i = 1; i <= 400; i++) {
            random = random * 1103515245 + 12345;
            uint32_t pass_seconds = 1 + (random >> 16) % 50;
            record_terms(world, LIMIT_RATE_PER_MINUTE, LIMIT_ACTIVE, pass_seconds);
            world->now_ms += (random >> 8) % 1000;
            record_of(world, RECORD_ADMIT, i);
            ends[i] = world->now_ms + pass_seconds * 1000;
            uint32_t ended = 1 + (random >> 12) % i, inside = 0;
            for (uint32_t k = 1; k <= i; k++)
                inside += ends[k] > world->now_ms;
            most = inside > most ? inside : most;
            if (ends[ended] > world->now_ms && random & 64) {
                record_of(world, RECORD_END, ended);
                ends[ended] = 0;
            }
        }
        record_seal(world);
        assert_int_equal(found_good(world, NULL).most_inside, most);
        record_world_free(world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_than_the_rate_is_found),
        cmocka_unit_test(one_seconds_worth_may_come_at_once),
        cmocka_unit_test(nobody_is_let_in_without_terms),
        cmocka_unit_test(absurd_terms_are_found),
        cmocka_unit_test(the_verdict_on_the_drip_is_that_of_every_window),
        cmocka_unit_test(a_lower_rate_takes_what_was_saved),
        cmocka_unit_test(a_clock_that_goes_back_is_said_and_forgiven),
        cmocka_unit_test(an_admission_that_goes_back_at_all_tells_of_a_restart),
        cmocka_unit_test(times_that_waver_give_no_tokens),
        cmocka_unit_test(more_inside_than_there_is_room_for_is_found),
        cmocka_unit_test(an_end_makes_room),
        cmocka_unit_test(a_pass_ends_by_time_to_the_millisecond),
        cmocka_unit_test(a_pass_lasts_as_long_as_was_promised_when_it_was_given),
        cmocka_unit_test(the_count_of_those_inside_is_that_of_a_naive_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
