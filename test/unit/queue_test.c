/* What a queue promises (waitroom/queue.h), the simple things first. */
#include "queue_world.h"

/* ---- joining ---- */

static void a_fan_who_joins_has_the_next_number(void **state) {
    /* Red if numbers do not begin at 1, or leave holes. */
    (void)state;
    struct world world = world_of(60, 10);
    assert_int_equal(join(&world, 7), 1);
    assert_true(world.is_new);
    assert_int_equal(join(&world, 9), 2);
    assert_int_equal(look(&world, 2).position, 2);
    assert_int_equal(state_of(&world, 2), PLACE_WAITING);
    assert_false(look(&world, 2).is_called);
    assert_int_equal(counts_of(&world).issued, 2);
    assert_int_equal(counts_of(&world).waiting, 2);
    world_end(&world);
}

static void joining_again_gives_the_same_place(void **state) {
    /* Red if queue_join() does not look for the user first. */
    (void)state;
    struct world world = world_of(60, 10);
    join_all(&world, 3);
    assert_int_equal(join(&world, 2), 2);
    assert_false(world.is_new);
    assert_int_equal(counts_of(&world).issued, 3);
    world_end(&world);
}

static void a_user_who_joins_ten_thousand_times_has_one_place(void **state) {
    /* Red if the table loses a user when a bucket is split. */
    (void)state;
    struct world world = world_of(60, 10);
    struct place place;
    bool is_new;
    join_all(&world, 5);
    for (uint64_t fan = 6; fan <= 10000; fan++) {
        assert_int_equal(queue_join(world.queue, hash_of(fan), NOW, &place, &is_new), RESULT_OK);
        assert_true(is_new);
        assert_int_equal(queue_join(world.queue, hash_of(5), NOW, &place, &is_new), RESULT_OK);
        assert_false(is_new);
        assert_int_equal(place.number, 5);
    }
    assert_int_equal(counts_of(&world).issued, 10000);
    world_end(&world);
}

static void users_whose_hashes_collide_keep_their_places(void **state) {
    /* Red if a chain is cut when a place in its middle is taken out, or a bucket is taken for a user. */
    (void)state;
    struct world world = world_of(60, 10);
    struct place place;
    bool is_new;
    for (uint64_t high = 1; high <= 20; high++)
        assert_int_equal(queue_join(world.queue, high << 32, NOW, &place, &is_new), RESULT_OK);
    for (uint32_t number = 2; number <= 20; number += 3) {
        assert_int_equal(leave(&world, number), RESULT_OK);
        assert_int_equal(queue_join(world.queue, (uint64_t)number << 32, NOW, &place, &is_new), RESULT_OK);
        assert_true(is_new);
        world_check(&world);
    }
    for (uint64_t high = 1; high <= 20; high++) {
        assert_int_equal(queue_find(world.queue, high << 32, NOW, &place), RESULT_OK);
        assert_int_equal(place.number > 20, high % 3 == 2);
    }
    world_end(&world);
}

static void no_number_is_given_out_above_the_ceiling(void **state) {
    /* Red if queue_join() or queue_numbers_left() does not look at the ceiling, or the ceiling can fall. */
    (void)state;
    struct queue_settings settings = {60, 10, 120, 600};
    struct place place;
    bool is_new;
    struct queue *queue = queue_new(&settings, NOW);
    assert_int_equal(queue_join(queue, hash_of(1), NOW, &place, &is_new), RESULT_OVERLOADED);
    queue_allow_numbers(queue, 2);
    queue_allow_numbers(queue, 1);
    assert_int_equal(queue_numbers_left(queue), 2);
    assert_int_equal(queue_join(queue, hash_of(1), NOW, &place, &is_new), RESULT_OK);
    assert_int_equal(queue_join(queue, hash_of(2), NOW, &place, &is_new), RESULT_OK);
    assert_int_equal(queue_numbers_left(queue), 0);
    assert_int_equal(queue_join(queue, hash_of(3), NOW, &place, &is_new), RESULT_OVERLOADED);
    assert_int_equal(queue_join(queue, hash_of(1), NOW, &place, &is_new), RESULT_OK);
    assert_int_equal(place.number, 1);
    queue_allow_numbers(queue, UINT32_MAX);
    assert_int_equal(queue_numbers_left(queue), LIMIT_PLACES - 2);
    queue_free(queue);
}

static void a_place_is_found_by_user_and_by_number(void **state) {
    /* Red if a dead place is no longer found, or one that was never given out is. */
    (void)state;
    struct world world = world_of(60, 10);
    struct place place;
    join_all(&world, 3);
    assert_int_equal(queue_find(world.queue, hash_of(3), NOW, &place), RESULT_OK);
    assert_int_equal(place.number, 3);
    assert_int_equal(leave(&world, 3), RESULT_OK);
    assert_int_equal(queue_find(world.queue, hash_of(3), NOW, &place), RESULT_OK);
    assert_int_equal(place.state, PLACE_LEFT);
    assert_int_equal(queue_find(world.queue, hash_of(4), NOW, &place), RESULT_NOT_FOUND);
    assert_int_equal(queue_look(world.queue, 0, NOW, &place), RESULT_NOT_FOUND);
    assert_int_equal(queue_look(world.queue, 4, NOW, &place), RESULT_NOT_FOUND);
    assert_int_equal(claim(&world, 4), RESULT_NOT_FOUND);
    assert_int_equal(leave(&world, 0), RESULT_NOT_FOUND);
    world_end(&world);
}

/* ---- calls ---- */

static void fans_are_called_at_the_rate(void **state) {
    /* Red if calls are not credited in proportion to time. */
    (void)state;
    struct world world = world_of(600, 1000);
    join_all(&world, 300);
    pass_time(&world, 900);
    assert_in_range(counts_of(&world).serving, 8, 10);
    pass_time(&world, 9100);
    assert_in_range(counts_of(&world).serving, 95, 106);
    assert_true(look(&world, 95).is_called);
    assert_false(look(&world, 107).is_called);
    world_end(&world);
}

static void no_more_are_called_than_fit(void **state) {
    /* Red if has_headroom() leaves out those inside, or those who are expected. */
    (void)state;
    struct world world = world_of(6000, 5);
    join_all(&world, 20);
    pass_time(&world, 2000);
    assert_int_equal(counts_of(&world).serving, 5);
    for (uint32_t number = 1; number <= 5; number++)
        assert_int_equal(claim(&world, number), RESULT_OK);
    pass_time(&world, 2000);
    assert_int_equal(counts_of(&world).serving, 5);
    assert_int_equal(leave(&world, 2), RESULT_OK);
    pass_time(&world, 2000);
    assert_int_equal(counts_of(&world).serving, 6);
    world_end(&world);
}

static void calls_do_not_gather_while_nobody_waits(void **state) {
    /* Red if credit for calls has no end: a whole crowd would be called at once. */
    (void)state;
    struct world world = world_of(6000, 1000);
    pass_time(&world, 60000);
    join_all(&world, 500);
    pass_time(&world, TICK_MS);
    assert_in_range(counts_of(&world).serving, 90, 110);
    world_end(&world);
}

static void nobody_is_called_while_the_show_is_closed_or_sold_out(void **state) {
    /* Red if queue_runs() leaves out one of the conditions. */
    (void)state;
    struct world world = world_of(6000, 100);
    join_all(&world, 20);
    world.conditions.is_open = false;
    pass_time(&world, 5000);
    world.conditions = (struct queue_conditions){.is_open = true};
    pass_time(&world, 5000);
    assert_int_equal(counts_of(&world).serving, 0);
    assert_int_equal(counts_of(&world).open_ms, 0);
    world.conditions.has_seats = true;
    pass_time(&world, 5000);
    assert_int_equal(counts_of(&world).serving, 20);
    world_end(&world);
}

static void dead_places_cost_nobody_a_turn(void **state) {
    /* Red if a place that was left takes a call. */
    (void)state;
    struct world world = world_of(60, 100);
    join_all(&world, 40);
    for (uint32_t number = 1; number <= 38; number++)
        assert_int_equal(leave(&world, number), RESULT_OK);
    pass_time(&world, 2000);
    assert_int_equal(claim(&world, 39), RESULT_OK);
    assert_int_equal(counts_of(&world).left, 38);
    world_end(&world);
}

static void a_machine_that_slept_costs_no_turn(void **state) {
    /* Red if queue_tick() lets the windows run for as long as there was no tick. */
    (void)state;
    struct world world = world_of(6000, 5);
    join_all(&world, 1);
    pass_time(&world, 1000);
    world.now_ms += 3600 * 1000;
    pass_time(&world, 100);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    world_end(&world);
}

/* ---- claiming ---- */

static void a_claim_before_the_turn_is_refused(void **state) {
    /* Red if `serving` is not looked at. */
    (void)state;
    struct world world = world_of(60, 10);
    join_all(&world, 2);
    assert_int_equal(claim(&world, 1), RESULT_NOT_YOUR_TURN);
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 2), RESULT_NOT_YOUR_TURN);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_int_equal(world.pass.number, 1);
    assert_int_equal(world.pass.position, 1);
    assert_int_equal(world.pass.claimed_ms, NOW + 1000);
    assert_int_equal(world.pass.expires_ms, NOW + 1000 + PASS_MS);
    assert_int_equal(state_of(&world, 1), PLACE_INSIDE);
    assert_int_equal(counts_of(&world).active, 1);
    assert_int_equal(counts_of(&world).admitted, 1);
    world_end(&world);
}

static void a_turn_claimed_in_two_tabs_gives_one_pass(void **state) {
    /* Red if a claim of who is inside takes another token, or makes another pass. */
    (void)state;
    struct world world = world_of(60, 10);
    join_all(&world, 1);
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_true(world.is_new);
    struct queue_pass first = world.pass;
    pass_time(&world, 5000);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_false(world.is_new);
    assert_memory_equal(&first, &world.pass, sizeof first);
    assert_int_equal(counts_of(&world).active, 1);
    assert_int_equal(counts_of(&world).admitted, 1);
    world_end(&world);
}

static void a_pass_ends_by_time_and_its_turn_is_used(void **state) {
    /* Red if ends are not compared with the clock, in the tick or where a place is looked at. */
    (void)state;
    struct world world = world_of(60, 10);
    join_all(&world, 1);
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    world.now_ms += PASS_MS - 1;
    assert_int_equal(queue_check_pass(world.queue, 1, world.now_ms), RESULT_OK);
    world.now_ms++;
    assert_int_equal(queue_check_pass(world.queue, 1, world.now_ms), RESULT_PASS_EXPIRED);
    assert_int_equal(state_of(&world, 1), PLACE_DONE);
    pass_time(&world, 100);
    assert_int_equal(counts_of(&world).active, 0);
    assert_int_equal(claim(&world, 1), RESULT_TURN_MISSED);
    assert_int_equal(join(&world, 1), 2);
    world_end(&world);
}

static void a_booking_ends_the_pass(void **state) {
    /* Red if queue_end_pass_of() does not end the stay, or ends another user's. */
    (void)state;
    struct world world = world_of(6000, 10);
    uint32_t number = 0;
    join_all(&world, 3);
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 2), RESULT_OK);
    assert_false(queue_end_pass_of(world.queue, hash_of(1), world.now_ms, &number));
    assert_false(queue_end_pass_of(world.queue, hash_of(9), world.now_ms, &number));
    assert_true(queue_end_pass_of(world.queue, hash_of(2), world.now_ms, &number));
    assert_int_equal(number, 2);
    world_check(&world);
    assert_int_equal(queue_check_pass(world.queue, 2, world.now_ms), RESULT_PASS_EXPIRED);
    assert_int_equal(counts_of(&world).active, 0);
    assert_false(queue_end_pass_of(world.queue, hash_of(2), world.now_ms, &number));
    world_end(&world);
}

static void a_place_can_be_left_once(void **state) {
    /* Red if leaving is not refused for what is dead, or who is inside becomes LEFT. */
    (void)state;
    struct world world = world_of(6000, 10);
    join_all(&world, 2);
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_int_equal(leave(&world, 1), RESULT_OK);
    assert_int_equal(state_of(&world, 1), PLACE_DONE);
    assert_int_equal(leave(&world, 1), RESULT_TURN_MISSED);
    assert_int_equal(leave(&world, 2), RESULT_OK);
    assert_int_equal(state_of(&world, 2), PLACE_LEFT);
    assert_int_equal(leave(&world, 2), RESULT_TURN_MISSED);
    assert_int_equal(claim(&world, 2), RESULT_TURN_MISSED);
    world_end(&world);
}

static void who_misses_the_turn_waits_at_the_end(void **state) {
    /* Red if windows do not close, or one closes too early. */
    (void)state;
    struct world world = world_of(6000, 10);
    join_all(&world, 2);
    pass_time(&world, TICK_MS);
    assert_true(look(&world, 1).is_called);
    pass_time(&world, CLAIM_MS);
    assert_int_equal(state_of(&world, 1), PLACE_WAITING);
    pass_time(&world, 2 * TICK_MS);
    assert_int_equal(state_of(&world, 1), PLACE_MISSED);
    assert_int_equal(counts_of(&world).missed, 2);
    assert_int_equal(counts_of(&world).waiting, 0);
    assert_int_equal(claim(&world, 1), RESULT_TURN_MISSED);
    assert_int_equal(leave(&world, 2), RESULT_TURN_MISSED);
    assert_int_equal(join(&world, 3), 3);
    assert_int_equal(join(&world, 1), 4);
    assert_true(world.is_new);
    world_end(&world);
}

static void a_claim_in_the_last_moment_is_in_time(void **state) {
    /* Red if a window is shorter than claim_seconds. */
    (void)state;
    struct world world = world_of(6000, 10);
    join_all(&world, 1);
    pass_time(&world, TICK_MS);
    assert_true(look(&world, 1).is_called);
    pass_time(&world, CLAIM_MS);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    world_end(&world);
}

/* ---- settings ---- */

static void lowering_max_active_lets_nobody_in_until_it_fits(void **state) {
    /* Red if door_room() does not compare with the settings of now. */
    (void)state;
    struct world world = world_of(6000, 3);
    join_all(&world, 4);
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_int_equal(claim(&world, 2), RESULT_OK);
    world.settings.max_active = 1;
    configure(&world);
    assert_int_equal(claim(&world, 3), RESULT_AT_THE_DOOR);
    assert_int_equal(leave(&world, 1), RESULT_OK);
    assert_int_equal(claim(&world, 3), RESULT_AT_THE_DOOR);
    assert_int_equal(leave(&world, 2), RESULT_OK);
    assert_int_equal(claim(&world, 3), RESULT_OK);
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 4), RESULT_NOT_YOUR_TURN);
    world_end(&world);
}

static void a_lower_rate_holds_from_now_on(void **state) {
    /* Red if queue_configure() does not tell the drip. */
    (void)state;
    struct world world = world_of(6000, 100);
    join_all(&world, 4);
    pass_time(&world, 1000);
    world.settings.rate_per_minute = 60;
    configure(&world);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
    world.now_ms += 999;
    assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
    world.now_ms += 1;
    assert_int_equal(claim(&world, 2), RESULT_OK);
    world_end(&world);
}

static void a_pass_keeps_its_end_when_pass_seconds_change(void **state) {
    /* Red if ends are worked out from the settings again. */
    (void)state;
    struct world world = world_of(6000, 100);
    join_all(&world, 2);
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    int64_t expires_ms = world.pass.expires_ms;
    world.settings.pass_seconds = 5;
    configure(&world);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_int_equal(world.pass.expires_ms, expires_ms);
    assert_int_equal(claim(&world, 2), RESULT_OK);
    assert_int_equal(world.pass.expires_ms, world.now_ms + 5000);
    pass_time(&world, 5000);
    assert_int_equal(state_of(&world, 1), PLACE_INSIDE);
    assert_int_equal(state_of(&world, 2), PLACE_DONE);
    world_end(&world);
}

static void windows_that_grow_and_grow_close_for_nobody(void **state) {
    /* Red if the ring of grains overflows, or loses a grain when it is full. */
    (void)state;
    struct world world = world_of(60000, LIMIT_ACTIVE);
    struct place place;
    world.settings.claim_seconds = 2;
    configure(&world);
    for (uint64_t fan = 1; fan <= 5000; fan++) {
        assert_int_equal(queue_join(world.queue, hash_of(fan), world.now_ms, &place, &world.is_new), RESULT_OK);
        world.now_ms += TICK_MS;
        queue_tick(world.queue, &world.conditions, world.now_ms);
        if (fan % 10 == 0) {
            world.settings.claim_seconds++;
            queue_configure(world.queue, &world.settings, world.now_ms);
        }
    }
    world_check(&world);
    assert_int_equal(world.queue->grain_count, QUEUE_GRAINS);
    assert_int_equal(counts_of(&world).missed, 0);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_int_equal(claim(&world, 2000), RESULT_OK);
    pass_time(&world, world.settings.claim_seconds * INT64_C(1000) + 5000);
    assert_int_equal(counts_of(&world).missed, 4998);
    world_end(&world);
}

static void a_shop_that_fails_slows_the_drip(void **state) {
    /* Red if queue_adapt() does not reach the drip, or the factor does not reach the calls. */
    (void)state;
    struct world world = world_of(600, 1000);
    struct drip_look bad = {.answers = 10, .failed = 10};
    join_all(&world, 100);
    for (int i = 0; i < 10; i++)
        queue_adapt(world.queue, &bad, 10, world.now_ms);
    assert_int_equal(counts_of(&world).factor_permille, DRIP_FACTOR_LEAST);
    pass_time(&world, 10000);
    assert_in_range(counts_of(&world).serving, 4, 6);
    world_end(&world);
}

/* ---- the clock ---- */

static void a_clock_that_steps_back_changes_nothing(void **state) {
    /* Red if a time that goes back is taken over. */
    (void)state;
    struct world world = world_of(6000, 10);
    join_all(&world, 2);
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    struct queue_counts before = counts_of(&world);
    world.now_ms -= 3600 * 1000;
    pass_time(&world, 1000);
    assert_int_equal(counts_of(&world).open_ms, before.open_ms);
    assert_int_equal(claim(&world, 2), RESULT_OK);
    assert_int_equal(world.pass.claimed_ms, NOW + 1000);
    assert_int_equal(queue_check_pass(world.queue, 1, world.now_ms), RESULT_OK);
    world_end(&world);
}

static void a_clock_that_leaps_breaks_no_bound(void **state) {
    /* Red if time that passed is multiplied before it is cut. */
    (void)state;
    struct world world = world_of(6000, 100);
    join_all(&world, 3);
    pass_time(&world, 1000);
    world.now_ms = INT64_MAX / 2;
    pass_time(&world, 100);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    pass_time(&world, 1000);
    assert_int_equal(counts_of(&world).active, 1);
    world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fan_who_joins_has_the_next_number),
        cmocka_unit_test(joining_again_gives_the_same_place),
        cmocka_unit_test(a_user_who_joins_ten_thousand_times_has_one_place),
        cmocka_unit_test(users_whose_hashes_collide_keep_their_places),
        cmocka_unit_test(no_number_is_given_out_above_the_ceiling),
        cmocka_unit_test(a_place_is_found_by_user_and_by_number),
        cmocka_unit_test(fans_are_called_at_the_rate),
        cmocka_unit_test(no_more_are_called_than_fit),
        cmocka_unit_test(calls_do_not_gather_while_nobody_waits),
        cmocka_unit_test(nobody_is_called_while_the_show_is_closed_or_sold_out),
        cmocka_unit_test(dead_places_cost_nobody_a_turn),
        cmocka_unit_test(a_machine_that_slept_costs_no_turn),
        cmocka_unit_test(a_claim_before_the_turn_is_refused),
        cmocka_unit_test(a_turn_claimed_in_two_tabs_gives_one_pass),
        cmocka_unit_test(a_pass_ends_by_time_and_its_turn_is_used),
        cmocka_unit_test(a_booking_ends_the_pass),
        cmocka_unit_test(a_place_can_be_left_once),
        cmocka_unit_test(who_misses_the_turn_waits_at_the_end),
        cmocka_unit_test(a_claim_in_the_last_moment_is_in_time),
        cmocka_unit_test(lowering_max_active_lets_nobody_in_until_it_fits),
        cmocka_unit_test(a_lower_rate_holds_from_now_on),
        cmocka_unit_test(a_pass_keeps_its_end_when_pass_seconds_change),
        cmocka_unit_test(windows_that_grow_and_grow_close_for_nobody),
        cmocka_unit_test(a_shop_that_fails_slows_the_drip),
        cmocka_unit_test(a_clock_that_steps_back_changes_nothing),
        cmocka_unit_test(a_clock_that_leaps_breaks_no_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
