/* The door: who was called, came, and found the room full. */
#include "queue_world.h"

/* Fans 1 to `count` are called, and the room has room for `max_active`. */
static struct world called(uint32_t count, uint32_t max_active) {
    struct world world = world_of(6000, count);
    world.settings.pass_seconds = 86400;
    configure(&world);
    join_all(&world, count);
    pass_time(&world, 1000);
    assert_int_equal(counts_of(&world).called, count);
    world.settings.max_active = max_active;
    configure(&world);
    return world;
}

static void who_finds_the_room_full_waits_at_the_door(void **state) {
    /* Red if the fan is not put down, or is put down twice. */
    (void)state;
    struct world world = called(2, 1);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
    assert_true(world.is_new);
    assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
    assert_false(world.is_new);
    assert_int_equal(state_of(&world, 2), PLACE_DOOR);
    assert_int_equal(counts_of(&world).door, 1);
    assert_int_equal(counts_of(&world).called, 0);
    assert_int_equal(counts_of(&world).waiting, 1);
    assert_int_equal(leave(&world, 1), RESULT_OK);
    assert_int_equal(claim(&world, 2), RESULT_OK);
    assert_true(world.is_new);
    assert_int_equal(counts_of(&world).door, 0);
    world_end(&world);
}

static void the_lowest_position_at_the_door_goes_first(void **state) {
    /* Red if is_let_in() does not look who stands before. */
    (void)state;
    struct world world = called(4, 1);
    assert_int_equal(claim(&world, 4), RESULT_OK);
    assert_int_equal(claim(&world, 3), RESULT_AT_THE_DOOR);
    assert_int_equal(claim(&world, 1), RESULT_AT_THE_DOOR);
    assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
    assert_int_equal(leave(&world, 4), RESULT_OK);
    assert_int_equal(claim(&world, 3), RESULT_AT_THE_DOOR);
    assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_int_equal(leave(&world, 1), RESULT_OK);
    assert_int_equal(claim(&world, 3), RESULT_AT_THE_DOOR);
    assert_int_equal(claim(&world, 2), RESULT_OK);
    world_end(&world);
}

static void as_many_go_in_as_there_is_room_for(void **state) {
    /* Red if only the first at the door may go in, or more than fit. */
    (void)state;
    struct world world = called(5, 1);
    assert_int_equal(claim(&world, 5), RESULT_OK);
    for (uint32_t number = 1; number <= 4; number++)
        assert_int_equal(claim(&world, number), RESULT_AT_THE_DOOR);
    world.settings.max_active = 3;
    configure(&world);
    assert_int_equal(claim(&world, 4), RESULT_AT_THE_DOOR);
    assert_int_equal(claim(&world, 3), RESULT_AT_THE_DOOR);
    assert_int_equal(claim(&world, 2), RESULT_OK);
    assert_int_equal(claim(&world, 3), RESULT_AT_THE_DOOR);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_int_equal(claim(&world, 3), RESULT_AT_THE_DOOR);
    world_end(&world);
}

static void who_is_late_to_ask_again_holds_nobody_up(void **state) {
    /* Red if who does not ask when told to still counts as standing before others. */
    (void)state;
    struct world world = called(3, 1);
    assert_int_equal(claim(&world, 3), RESULT_OK);
    assert_int_equal(claim(&world, 1), RESULT_AT_THE_DOOR);
    int64_t told_ms = 1000 * queue_retry_seconds_of(world.queue, 1);
    pass_time(&world, told_ms);
    assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
    assert_int_equal(leave(&world, 3), RESULT_OK);
    pass_time(&world, QUEUE_DOOR_GRACE_MS);
    assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
    pass_time(&world, 1);
    assert_int_equal(claim(&world, 2), RESULT_OK);
    assert_int_equal(state_of(&world, 1), PLACE_DOOR);
    assert_int_equal(leave(&world, 2), RESULT_OK);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    world_end(&world);
}

static void who_has_gone_away_is_not_counted_at_the_door(void **state) {
    /* Red if patience has no end, or ends for who asks. */
    (void)state;
    struct world world = called(3, 1);
    assert_int_equal(claim(&world, 3), RESULT_OK);
    assert_int_equal(claim(&world, 1), RESULT_AT_THE_DOOR);
    assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
    pass_time(&world, QUEUE_DOOR_PATIENCE_MS);
    assert_int_equal(counts_of(&world).door, 2);
    assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
    pass_time(&world, TICK_MS);
    assert_int_equal(counts_of(&world).door, 1);
    assert_int_equal(claim(&world, 1), RESULT_AT_THE_DOOR);
    assert_int_equal(counts_of(&world).door, 2);
    world_end(&world);
}

static void the_window_stands_still_while_the_room_is_full(void **state) {
    /* Red if door_walk() lets the window run for who asks and is not let in. */
    (void)state;
    struct world world = called(2, 1);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    for (int64_t ms = 0; ms < 3 * CLAIM_MS; ms += 5000) {
        assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
        pass_time(&world, 5000);
    }
    assert_int_equal(leave(&world, 1), RESULT_OK);
    assert_int_equal(claim(&world, 2), RESULT_OK);
    world_end(&world);
}

static void the_window_runs_on_where_it_was_when_there_is_room(void **state) {
    /* Red if the window does not run for who may go in and does not ask, or begins anew at the door. */
    (void)state;
    struct world world = called(2, 1);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    pass_time(&world, CLAIM_MS / 2);
    assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
    pass_time(&world, 10000);
    assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
    int64_t told_ms = queue_retry_seconds_of(world.queue, 2) * 1000 + QUEUE_DOOR_GRACE_MS;
    assert_int_equal(leave(&world, 1), RESULT_OK);
    pass_time(&world, CLAIM_MS / 2);
    assert_int_equal(state_of(&world, 2), PLACE_DOOR);
    pass_time(&world, told_ms + 2 * TICK_MS);
    assert_int_equal(state_of(&world, 2), PLACE_MISSED);
    assert_int_equal(claim(&world, 2), RESULT_TURN_MISSED);
    assert_int_equal(counts_of(&world).door, 0);
    assert_int_equal(counts_of(&world).missed, 1);
    world_end(&world);
}

static void who_asks_when_told_to_keeps_the_turn(void **state) {
    /* Red if the window runs while there is room for a fan who has not been told to ask again yet: here the room has
     * some for a second or two, again and again, and none whenever the fan asks. */
    (void)state;
    struct world world = called(2, 1);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    for (int64_t left_ms = 2 * CLAIM_MS; left_ms > 0; left_ms -= 1500) {
        assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
        world.settings.max_active = 2;
        configure(&world);
        pass_time(&world, 1500);
        world.settings.max_active = 1;
        configure(&world);
    }
    world.settings.max_active = 2;
    configure(&world);
    assert_int_equal(claim(&world, 2), RESULT_OK);
    world_end(&world);
}

static void the_window_runs_for_who_has_gone_away(void **state) {
    /* Red if it stands still for who does not ask. */
    (void)state;
    struct world world = called(2, 1);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
    pass_time(&world, QUEUE_DOOR_PATIENCE_MS + CLAIM_MS - 2000);
    assert_int_equal(state_of(&world, 2), PLACE_DOOR);
    pass_time(&world, 3000);
    assert_int_equal(state_of(&world, 2), PLACE_MISSED);
    world_end(&world);
}

static void a_pause_costs_nobody_the_turn(void **state) {
    /* Red if open_ms goes on while the show is closed, or a claim meanwhile is not put down at the door. */
    (void)state;
    struct world world = called(2, 2);
    world.conditions.is_open = false;
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 1), RESULT_AT_THE_DOOR);
    pass_time(&world, 10 * CLAIM_MS);
    assert_int_equal(state_of(&world, 1), PLACE_DOOR);
    assert_int_equal(state_of(&world, 2), PLACE_WAITING);
    world.conditions.is_open = true;
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 2), RESULT_OK);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    world_end(&world);
}

static void a_sold_out_spell_costs_nobody_the_turn(void **state) {
    /* Red if somebody is let in while there is no seat, or the windows run meanwhile. */
    (void)state;
    struct world world = called(2, 2);
    world.conditions.has_seats = false;
    pass_time(&world, 10 * CLAIM_MS);
    assert_int_equal(claim(&world, 2), RESULT_AT_THE_DOOR);
    assert_int_equal(claim(&world, 1), RESULT_AT_THE_DOOR);
    world.conditions.has_seats = true;
    pass_time(&world, TICK_MS);
    assert_int_equal(claim(&world, 2), RESULT_OK);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    world_end(&world);
}

static void who_stands_at_the_door_can_leave(void **state) {
    /* Red if the fan stays at the door, or somebody else is taken from it. */
    (void)state;
    struct world world = called(4, 1);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    for (uint32_t number = 2; number <= 4; number++)
        assert_int_equal(claim(&world, number), RESULT_AT_THE_DOOR);
    assert_int_equal(leave(&world, 3), RESULT_OK);
    assert_int_equal(state_of(&world, 3), PLACE_LEFT);
    assert_int_equal(counts_of(&world).door, 2);
    assert_int_equal(join(&world, 3), 5);
    world_end(&world);
}

static void a_full_door_keeps_the_turn_and_notes_nobody(void **state) {
    /* Red if the door grows beyond its room, or who is not noted loses the turn at once. */
    (void)state;
    const uint32_t all = LIMIT_DOOR + 2;
    struct world world = world_of(LIMIT_RATE_PER_MINUTE, LIMIT_ACTIVE);
    struct place place;
    for (uint32_t fan = 1; fan <= all; fan++)
        assert_int_equal(queue_join(world.queue, hash_of(fan), NOW, &place, &world.is_new), RESULT_OK);
    pass_time(&world, 1000);
    assert_int_equal(counts_of(&world).called, all);
    world.settings.max_active = 1;
    configure(&world);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    for (uint32_t number = 2; number < all; number++)
        assert_int_equal(queue_claim(world.queue, number, world.now_ms, &world.pass, &world.is_new),
                         RESULT_AT_THE_DOOR);
    assert_int_equal(claim(&world, all), RESULT_AT_THE_DOOR);
    assert_false(world.is_new);
    assert_int_equal(state_of(&world, all), PLACE_WAITING);
    assert_int_equal(counts_of(&world).door, LIMIT_DOOR);
    assert_int_equal(leave(&world, 2), RESULT_OK);
    assert_int_equal(claim(&world, all), RESULT_AT_THE_DOOR);
    assert_true(world.is_new);
    /* All at it go away: their windows run, though not everybody is looked at in every tick. */
    pass_time(&world, QUEUE_DOOR_PATIENCE_MS + CLAIM_MS + 2000);
    assert_int_equal(counts_of(&world).missed, LIMIT_DOOR);
    world_end(&world);
}

static void those_at_the_door_take_the_place_of_calls(void **state) {
    /* Red if has_headroom() leaves out those who ask at the door. */
    (void)state;
    struct world world = called(4, 2);
    for (uint32_t number = 1; number <= 4; number++)
        assert_int_equal(claim(&world, number), number <= 2 ? RESULT_OK : RESULT_AT_THE_DOOR);
    assert_int_equal(join(&world, 5), 5);
    assert_int_equal(leave(&world, 1), RESULT_OK);
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 5), RESULT_NOT_YOUR_TURN);
    assert_int_equal(claim(&world, 3), RESULT_OK);
    world_end(&world);
}

static void who_is_refused_is_told_when_to_ask_again(void **state) {
    /* Red if the answer does not depend on the door and the drip, or leaves 1 to 10. */
    (void)state;
    struct world world = world_of(60, 100);
    assert_int_equal(queue_retry_seconds(world.queue), 1);
    world.settings.rate_per_minute = 6000;
    configure(&world);
    join_all(&world, 40);
    pass_time(&world, 1000);
    world.settings.rate_per_minute = 60;
    configure(&world);
    for (uint32_t number = 1; number <= 4; number++)
        (void)claim(&world, number);
    assert_int_equal(counts_of(&world).door, 3);
    assert_int_equal(queue_retry_seconds(world.queue), 4);
    assert_int_equal(queue_retry_seconds_of(world.queue, 2), 1);
    assert_int_equal(queue_retry_seconds_of(world.queue, 4), 3);
    assert_int_equal(queue_retry_seconds_of(world.queue, 5), 4);
    for (uint32_t number = 5; number <= 40; number++)
        (void)claim(&world, number);
    assert_int_equal(queue_retry_seconds(world.queue), 10);
    world_end(&world);
    world = called(1, 1);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_int_equal(queue_retry_seconds(world.queue), 3);
    world.conditions.is_open = false;
    pass_time(&world, TICK_MS);
    assert_int_equal(queue_retry_seconds(world.queue), 10);
    world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_finds_the_room_full_waits_at_the_door),
        cmocka_unit_test(the_lowest_position_at_the_door_goes_first),
        cmocka_unit_test(as_many_go_in_as_there_is_room_for),
        cmocka_unit_test(who_is_late_to_ask_again_holds_nobody_up),
        cmocka_unit_test(who_has_gone_away_is_not_counted_at_the_door),
        cmocka_unit_test(the_window_stands_still_while_the_room_is_full),
        cmocka_unit_test(the_window_runs_on_where_it_was_when_there_is_room),
        cmocka_unit_test(who_asks_when_told_to_keeps_the_turn),
        cmocka_unit_test(the_window_runs_for_who_has_gone_away),
        cmocka_unit_test(a_pause_costs_nobody_the_turn),
        cmocka_unit_test(a_sold_out_spell_costs_nobody_the_turn),
        cmocka_unit_test(who_stands_at_the_door_can_leave),
        cmocka_unit_test(a_full_door_keeps_the_turn_and_notes_nobody),
        cmocka_unit_test(those_at_the_door_take_the_place_of_calls),
        cmocka_unit_test(who_is_refused_is_told_when_to_ask_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
