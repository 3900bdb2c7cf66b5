/* The shuffled opening, power loss and restart. */
#include "queue_world.h"

#include "dies.h"

static struct place place_of(const struct world *world, uint64_t fan) {
    struct place place;
    assert_int_equal(queue_find(world->queue, hash_of(fan), world->now_ms, &place), RESULT_OK);
    return place;
}

/* ---- the shuffled opening ---- */

static struct world gathering(uint32_t fans) {
    struct world world = world_of(6000, 100);
    world.conditions = (struct queue_conditions){.has_seats = true, .gathers = true};
    pass_time(&world, TICK_MS);
    join_all(&world, fans);
    return world;
}

static void before_the_shuffle_nobody_knows_a_position(void **state) {
    /* Red if the number is given away as the position, or calls go out. */
    (void)state;
    struct world world = gathering(3);
    assert_int_equal(look(&world, 2).position, 0);
    assert_int_equal(state_of(&world, 2), PLACE_WAITING);
    assert_int_equal(claim(&world, 1), RESULT_NOT_YOUR_TURN);
    world.conditions.is_open = true;
    pass_time(&world, 5000);
    assert_int_equal(counts_of(&world).serving, 0);
    assert_int_equal(leave(&world, 2), RESULT_OK);
    assert_int_equal(join(&world, 2), 4);
    assert_int_equal(look(&world, 4).position, 0);
    world_end(&world);
}

static void calls_follow_the_shuffled_order(void **state) {
    /* Red if positions and numbers are taken for one another, or late comers do not queue behind. */
    (void)state;
    static const uint32_t order[] = {2, 0, 3, 1}; /* numbers 3, 1, 4, 2 */
    struct world world = gathering(4);
    assert_int_equal(leave(&world, 4), RESULT_OK);
    assert_int_equal(queue_freeze(world.queue), 4);
    assert_int_equal(queue_freeze(world.queue), 4);
    assert_int_equal(join(&world, 5), 5);
    assert_int_equal(look(&world, 5).position, 5);
    assert_int_equal(look(&world, 1).position, 0);
    world.conditions.is_open = true;
    queue_place_shuffled(world.queue, 0, 3, order);
    pass_time(&world, 1000);
    assert_int_equal(counts_of(&world).serving, 0);
    queue_place_shuffled(world.queue, 3, 1, order + 3);
    for (uint32_t position = 1; position <= 4; position++)
        assert_int_equal(look(&world, order[position - 1] + 1).position, position);
    world.settings.max_active = 2;
    configure(&world);
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 2), RESULT_NOT_YOUR_TURN);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_int_equal(world.pass.position, 2);
    assert_int_equal(claim(&world, 3), RESULT_OK);
    assert_int_equal(leave(&world, 3), RESULT_OK);
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 5), RESULT_NOT_YOUR_TURN);
    assert_int_equal(claim(&world, 2), RESULT_OK);
    assert_int_equal(leave(&world, 2), RESULT_OK);
    assert_int_equal(look(&world, 2).position, 4);
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 5), RESULT_OK);
    world_end(&world);
}

static void a_pre_queue_that_nobody_joined_opens_too(void **state) {
    /* Red if there has to be something to shuffle. */
    (void)state;
    struct world world = gathering(0);
    assert_int_equal(queue_freeze(world.queue), 0);
    world.conditions.is_open = true;
    assert_int_equal(join(&world, 1), 1);
    assert_int_equal(look(&world, 1).position, 1);
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    world_end(&world);
}

static void who_has_been_called_is_not_shuffled_any_more(void **state) {
    /* Red if a shuffle can take a turn away. */
    (void)state;
    struct world world = world_of(6000, 100);
    join_all(&world, 3);
    pass_time(&world, 1000);
    assert_int_equal(queue_freeze(world.queue), 0);
    assert_int_equal(look(&world, 3).position, 3);
    assert_int_equal(claim(&world, 3), RESULT_OK);
    world_end(&world);
}

static void place_out_of_turn(void *queue) {
    static const uint32_t order[] = {1, 0};
    queue_place_shuffled(queue, 1, 1, order + 1);
}

static void place_nobody(void *queue) {
    static const uint32_t order[] = {2};
    queue_place_shuffled(queue, 0, 1, order);
}

static void a_part_of_another_shuffle_is_a_programmers_error(void **state) {
    /* Red if parts are not checked to follow one another, or elements to be among the frozen. */
    (void)state;
    struct world world = gathering(2);
    assert_int_equal(queue_freeze(world.queue), 2);
    assert_dies(place_out_of_turn, world.queue);
    assert_dies(place_nobody, world.queue);
    world_end(&world);
}

/* ---- restart ---- */

static struct world restarted(void) {
    struct world world = world_of(6000, 100);
    world.conditions = (struct queue_conditions){0};
    return world;
}

static void restore_joins(struct world *world, uint32_t fans) {
    for (uint32_t fan = 1; fan <= fans; fan++)
        queue_restore_join(world->queue, hash_of(fan));
    world_check(world);
}

static void restored(struct world *world) {
    queue_end_restore(world->queue, world->now_ms);
    world->conditions = (struct queue_conditions){.is_open = true, .has_seats = true};
    world_check(world);
    queue_tick(world->queue, &world->conditions, world->now_ms);
    world_check(world);
}

static bool restore_admission(struct world *world, uint32_t number, int64_t claimed_ms, bool ended) {
    struct queue_pass pass = {number, 0, claimed_ms, claimed_ms + PASS_MS};
    bool makes_sense = queue_restore_admission(world->queue, &pass, ended);
    world_check(world);
    return makes_sense;
}

static void everybody_has_their_place_again(void **state) {
    /* Red if numbers, users or calls are not brought back. */
    (void)state;
    struct world world = restarted();
    restore_joins(&world, 5);
    queue_restore_left(world.queue, 2);
    queue_restore_call(world.queue, 3, 0);
    restored(&world);
    assert_int_equal(join(&world, 4), 4);
    assert_int_equal(state_of(&world, 2), PLACE_LEFT);
    assert_true(look(&world, 3).is_called);
    assert_int_equal(counts_of(&world).called, 2);
    assert_int_equal(join(&world, 6), 6);
    pass_time(&world, 1000);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_int_equal(claim(&world, 5), RESULT_OK);
    world_end(&world);
}

static void who_was_inside_is_inside(void **state) {
    /* Red if a pass is another after the restart, or who used the turn may use it again. */
    (void)state;
    struct world world = restarted();
    restore_joins(&world, 4);
    queue_restore_call(world.queue, 4, 0);
    assert_true(restore_admission(&world, 1, NOW - 1000, false));
    assert_true(restore_admission(&world, 2, NOW - PASS_MS, false));
    assert_true(restore_admission(&world, 3, NOW - 500, true));
    assert_false(restore_admission(&world, 1, NOW - 400, false));
    assert_false(restore_admission(&world, 3, NOW - 400, false));
    assert_false(restore_admission(&world, 0, NOW, false));
    assert_false(restore_admission(&world, 5, NOW, false));
    restored(&world);
    assert_int_equal(counts_of(&world).active, 1);
    assert_int_equal(counts_of(&world).admitted, 3);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    assert_false(world.is_new);
    assert_int_equal(world.pass.claimed_ms, NOW - 1000);
    assert_int_equal(world.pass.expires_ms, NOW - 1000 + PASS_MS);
    assert_int_equal(claim(&world, 2), RESULT_TURN_MISSED);
    assert_int_equal(claim(&world, 3), RESULT_TURN_MISSED);
    assert_int_equal(queue_check_pass(world.queue, 1, NOW), RESULT_OK);
    world_end(&world);
}

static void a_pass_that_was_ended_is_not_inside_again(void **state) {
    /* Red if queue_restore_left() forgets who is inside. */
    (void)state;
    struct world world = restarted();
    restore_joins(&world, 1);
    queue_restore_call(world.queue, 1, 0);
    assert_true(restore_admission(&world, 1, NOW - 1000, false));
    queue_restore_left(world.queue, 1);
    restored(&world);
    assert_int_equal(state_of(&world, 1), PLACE_DONE);
    world_end(&world);
}

static void the_drip_is_empty_after_a_restart(void **state) {
    /* Red if queue_end_restore() leaves tokens: two processes could give out two seconds' worth at once. */
    (void)state;
    struct world world = restarted();
    pass_time(&world, 5000);
    restore_joins(&world, 1);
    queue_restore_call(world.queue, 1, 0);
    restored(&world);
    assert_int_equal(claim(&world, 1), RESULT_AT_THE_DOOR);
    pass_time(&world, TICK_MS);
    assert_int_equal(claim(&world, 1), RESULT_OK);
    world_end(&world);
}

static void windows_go_on_where_they_were(void **state) {
    /* Red if a restart gives a window more time, or counts the time that we were down. */
    (void)state;
    struct world world = restarted();
    restore_joins(&world, 3);
    queue_restore_call(world.queue, 1, 1000);
    queue_restore_call(world.queue, 2, 61000);
    queue_restore_clock(world.queue, 1000 + CLAIM_MS + 1);
    world.now_ms += 3600 * 1000;
    restored(&world);
    assert_int_equal(state_of(&world, 1), PLACE_MISSED);
    assert_int_equal(counts_of(&world).missed, 1);
    pass_time(&world, 59000);
    assert_int_equal(state_of(&world, 2), PLACE_WAITING);
    pass_time(&world, 2000);
    assert_int_equal(state_of(&world, 2), PLACE_MISSED);
    world_end(&world);
}

static void who_stood_at_the_door_stands_there_again(void **state) {
    /* Red if the door is forgotten: the window, which stood still, would be over. */
    (void)state;
    struct world world = restarted();
    restore_joins(&world, 4);
    queue_restore_call(world.queue, 4, 0);
    for (uint32_t number = 1; number <= 4; number++)
        queue_restore_door(world.queue, number);
    queue_restore_door(world.queue, 4);
    queue_restore_door(world.queue, 5);
    queue_restore_clock(world.queue, 2 * CLAIM_MS);
    queue_restore_left(world.queue, 1);
    assert_true(restore_admission(&world, 2, NOW, false));
    queue_restore_join(world.queue, hash_of(3));
    restored(&world);
    assert_int_equal(state_of(&world, 1), PLACE_LEFT);
    assert_int_equal(state_of(&world, 2), PLACE_INSIDE);
    assert_int_equal(state_of(&world, 3), PLACE_MISSED);
    assert_int_equal(state_of(&world, 4), PLACE_DOOR);
    assert_int_equal(counts_of(&world).door, 0);
    pass_time(&world, CLAIM_MS - 1000);
    assert_int_equal(claim(&world, 4), RESULT_OK);
    world_end(&world);
}

static void who_joined_again_has_the_later_place(void **state) {
    /* Red if the place before, whose end is nowhere written down, comes to life again. */
    (void)state;
    struct world world = restarted();
    restore_joins(&world, 3);
    queue_restore_call(world.queue, 2, 0);
    assert_true(restore_admission(&world, 1, NOW - 1000, false));
    queue_restore_join(world.queue, hash_of(1));
    queue_restore_join(world.queue, hash_of(2));
    queue_restore_join(world.queue, hash_of(3));
    world_check(&world);
    assert_true(restore_admission(&world, 2, NOW - 1000, false));
    restored(&world);
    assert_int_equal(state_of(&world, 1), PLACE_DONE);
    assert_int_equal(state_of(&world, 2), PLACE_DONE);
    assert_int_equal(state_of(&world, 3), PLACE_MISSED);
    for (uint64_t fan = 1; fan <= 3; fan++)
        assert_int_equal(join(&world, fan), 3 + fan);
    world_end(&world);
}

static void a_shuffled_queue_is_shuffled_again(void **state) {
    /* Red if the order is not that of before. */
    (void)state;
    static const uint32_t order[] = {1, 2, 0};
    struct world world = restarted();
    restore_joins(&world, 3);
    assert_int_equal(queue_freeze(world.queue), 3);
    queue_restore_call(world.queue, 1, 0);
    assert_false(restore_admission(&world, 2, NOW, false));
    assert_int_equal(counts_of(&world).serving, 0);
    queue_place_shuffled(world.queue, 0, 3, order);
    queue_restore_join(world.queue, hash_of(4));
    queue_restore_call(world.queue, 1, 0);
    restored(&world);
    assert_true(look(&world, 2).is_called);
    assert_int_equal(look(&world, 1).position, 3);
    assert_int_equal(look(&world, 4).position, 4);
    world_end(&world);
}

static void more_passes_than_fit_at_once_are_brought_back_one_after_the_other(void **state) {
    /* Red if the passes that had ended when another was given are all kept till the end. */
    (void)state;
    const uint32_t all = LIMIT_ACTIVE + 1000;
    struct world world = restarted();
    for (uint32_t fan = 1; fan <= all; fan++)
        queue_restore_join(world.queue, hash_of(fan));
    queue_restore_call(world.queue, all, 0);
    for (uint32_t number = 1; number <= all; number++) {
        struct queue_pass pass = {number, 0, NOW - 2 * PASS_MS + number * 9, NOW - PASS_MS + number * 9};
        assert_true(queue_restore_admission(world.queue, &pass, false));
    }
    restored(&world);
    assert_int_equal(counts_of(&world).active, all - PASS_MS / 9);
    world_end(&world);
}

static void who_was_let_in_when_the_window_was_over_has_come(void **state) {
    /* Red if they count as no-shows for the share: after a restart too many would be called. */
    (void)state;
    struct world world = restarted();
    restore_joins(&world, 100);
    queue_restore_call(world.queue, 100, 0);
    queue_restore_clock(world.queue, 2 * CLAIM_MS);
    assert_int_equal(counts_of(&world).missed, 100);
    assert_true(counts_of(&world).show_permille < 200);
    for (uint32_t number = 1; number <= 90; number++)
        assert_true(restore_admission(&world, number, NOW, false));
    restored(&world);
    assert_int_equal(counts_of(&world).missed, 10);
    assert_true(counts_of(&world).show_permille > 900);
    world_end(&world);
}

static void nonsense_is_left_out(void **state) {
    /* Red if what a damaged file says is trusted. */
    (void)state;
    struct world world = restarted();
    struct queue_pass endless = {1, 0, NOW, INT64_MAX};
    restore_joins(&world, 2);
    queue_restore_call(world.queue, 99, 5000);
    assert_int_equal(counts_of(&world).serving, 2);
    queue_restore_call(world.queue, 1, 10);
    queue_restore_clock(world.queue, -5);
    queue_restore_left(world.queue, 0);
    queue_restore_left(world.queue, 3);
    queue_restore_left(world.queue, 2);
    queue_restore_left(world.queue, 2);
    queue_restore_door(world.queue, 2);
    assert_false(restore_admission(&world, 2, NOW, false));
    assert_false(queue_restore_admission(world.queue, &endless, false));
    queue_restore_unknown(world.queue, 1);
    restored(&world);
    assert_int_equal(counts_of(&world).issued, 2);
    assert_int_equal(counts_of(&world).open_ms, 5000);
    world_end(&world);
}

/* ---- power loss ---- */

static void numbers_go_on_above_what_may_have_been_given_out(void **state) {
    /* Red if a number can be given out twice, or its place is lost. */
    (void)state;
    struct world world = restarted();
    restore_joins(&world, 2);
    queue_restore_unknown(world.queue, 6);
    restored(&world);
    assert_int_equal(state_of(&world, 4), PLACE_UNKNOWN);
    assert_int_equal(claim(&world, 4), RESULT_NOT_FOUND);
    assert_int_equal(leave(&world, 4), RESULT_NOT_FOUND);
    assert_int_equal(join(&world, 9), 7);
    assert_int_equal(queue_adopt(world.queue, 4, hash_of(4)), RESULT_OK);
    world_check(&world);
    assert_int_equal(queue_adopt(world.queue, 4, hash_of(4)), RESULT_OK);
    assert_int_equal(queue_adopt(world.queue, 4, hash_of(5)), RESULT_NOT_FOUND);
    assert_int_equal(queue_adopt(world.queue, 1, hash_of(5)), RESULT_NOT_FOUND);
    assert_int_equal(queue_adopt(world.queue, 8, hash_of(5)), RESULT_NOT_FOUND);
    assert_int_equal(join(&world, 4), 4);
    pass_time(&world, 1000);
    assert_int_equal(counts_of(&world).serving, 7);
    assert_int_equal(claim(&world, 4), RESULT_OK);
    assert_int_equal(counts_of(&world).called, 3);
    world_end(&world);
}

static void who_comes_back_late_has_a_place_that_was_called(void **state) {
    /* Red if an adopted place is not counted in the grain that passed it, or has a window of its own. */
    (void)state;
    struct world world = restarted();
    queue_restore_unknown(world.queue, 3);
    restored(&world);
    pass_time(&world, 1000);
    assert_int_equal(counts_of(&world).serving, 3);
    assert_int_equal(queue_adopt(world.queue, 2, hash_of(2)), RESULT_OK);
    world_check(&world);
    assert_int_equal(counts_of(&world).called, 1);
    assert_int_equal(claim(&world, 2), RESULT_OK);
    pass_time(&world, CLAIM_MS + 1000);
    assert_int_equal(queue_adopt(world.queue, 3, hash_of(3)), RESULT_OK);
    world_check(&world);
    assert_int_equal(state_of(&world, 3), PLACE_MISSED);
    assert_int_equal(claim(&world, 3), RESULT_TURN_MISSED);
    world_end(&world);
}

static void nobody_gets_a_second_place_by_an_old_ticket(void **state) {
    /* Red if who has a live place can adopt another. */
    (void)state;
    struct world world = restarted();
    queue_restore_unknown(world.queue, 3);
    restored(&world);
    assert_int_equal(join(&world, 1), 4);
    assert_int_equal(queue_adopt(world.queue, 1, hash_of(1)), RESULT_OK);
    world_check(&world);
    assert_int_equal(state_of(&world, 1), PLACE_MISSED);
    assert_int_equal(place_of(&world, 1).number, 4);
    assert_int_equal(leave(&world, 4), RESULT_OK);
    assert_int_equal(queue_adopt(world.queue, 2, hash_of(1)), RESULT_OK);
    world_check(&world);
    assert_int_equal(place_of(&world, 1).number, 2);
    assert_int_equal(state_of(&world, 2), PLACE_WAITING);
    world_end(&world);
}

static void the_ledger_may_know_of_more_than_the_record(void **state) {
    /* Red if an admission is refused because its join or its call was lost. */
    (void)state;
    struct world world = restarted();
    restore_joins(&world, 2);
    queue_restore_unknown(world.queue, 8);
    assert_true(restore_admission(&world, 5, NOW, false));
    assert_int_equal(counts_of(&world).serving, 5);
    restored(&world);
    assert_int_equal(queue_adopt(world.queue, 5, hash_of(5)), RESULT_OK);
    world_check(&world);
    assert_int_equal(claim(&world, 5), RESULT_OK);
    assert_false(world.is_new);
    assert_int_equal(place_of(&world, 5).number, 5);
    assert_int_equal(claim(&world, 1), RESULT_AT_THE_DOOR);
    world_end(&world);
}

static void who_is_inside_unknown_and_joined_again_is_let_go(void **state) {
    /* Red if a user can have a live place and be inside under another. */
    (void)state;
    struct world world = restarted();
    queue_restore_unknown(world.queue, 2);
    assert_true(restore_admission(&world, 1, NOW, false));
    restored(&world);
    assert_int_equal(join(&world, 1), 3);
    assert_int_equal(queue_adopt(world.queue, 1, hash_of(1)), RESULT_OK);
    world_check(&world);
    assert_int_equal(state_of(&world, 1), PLACE_DONE);
    assert_int_equal(place_of(&world, 1).number, 3);
    world_end(&world);
}

static void those_who_missed_at_the_door_take_nobodys_place_at_it(void **state) {
    /* Red if whoever ever stood at the door stands there after a restart, and keeps it full for those who do. */
    (void)state;
    struct world world = world_of(6000, 100);
    world.conditions = (struct queue_conditions){0};
    for (uint32_t fan = 1; fan <= LIMIT_DOOR + 1; fan++)
        queue_restore_join(world.queue, hash_of(fan));
    queue_restore_call(world.queue, LIMIT_DOOR, 0);
    for (uint32_t number = 1; number <= LIMIT_DOOR; number++)
        queue_restore_door(world.queue, number); /* never came again: their windows were over */
    queue_restore_call(world.queue, LIMIT_DOOR + 1, 2 * CLAIM_MS);
    queue_restore_door(world.queue, LIMIT_DOOR + 1);
    queue_restore_clock(world.queue, 4 * CLAIM_MS); /* the room was full all the time */
    queue_end_restore(world.queue, world.now_ms);
    world.conditions = (struct queue_conditions){.is_open = true, .has_seats = true};
    queue_tick(world.queue, &world.conditions, world.now_ms);
    world_check(&world);
    assert_int_equal(state_of(&world, LIMIT_DOOR + 1), PLACE_DOOR);
    world_end(&world);
}
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_shuffle_nobody_knows_a_position),
        cmocka_unit_test(calls_follow_the_shuffled_order),
        cmocka_unit_test(a_pre_queue_that_nobody_joined_opens_too),
        cmocka_unit_test(who_has_been_called_is_not_shuffled_any_more),
        cmocka_unit_test(a_part_of_another_shuffle_is_a_programmers_error),
        cmocka_unit_test(everybody_has_their_place_again),
        cmocka_unit_test(who_was_inside_is_inside),
        cmocka_unit_test(a_pass_that_was_ended_is_not_inside_again),
        cmocka_unit_test(the_drip_is_empty_after_a_restart),
        cmocka_unit_test(windows_go_on_where_they_were),
        cmocka_unit_test(who_stood_at_the_door_stands_there_again),
        cmocka_unit_test(who_joined_again_has_the_later_place),
        cmocka_unit_test(a_shuffled_queue_is_shuffled_again),
        cmocka_unit_test(more_passes_than_fit_at_once_are_brought_back_one_after_the_other),
        cmocka_unit_test(who_was_let_in_when_the_window_was_over_has_come),
        cmocka_unit_test(nonsense_is_left_out),
        cmocka_unit_test(numbers_go_on_above_what_may_have_been_given_out),
        cmocka_unit_test(who_comes_back_late_has_a_place_that_was_called),
        cmocka_unit_test(nobody_gets_a_second_place_by_an_old_ticket),
        cmocka_unit_test(the_ledger_may_know_of_more_than_the_record),
        cmocka_unit_test(who_is_inside_unknown_and_joined_again_is_let_go),
        cmocka_unit_test(those_who_missed_at_the_door_take_nobodys_place_at_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
