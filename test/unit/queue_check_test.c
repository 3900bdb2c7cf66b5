/* Each invariant of a queue (src/waitroom/README.md) refuses an object that breaks it. */
#include "queue_world.h"

/* Numbers 1 … 12, called up to 9 in grains. 1 and 2 are inside, 3 is done, 4 and 5 stand at the door, 6 was left, 7 to
 * 9 have been called, 10 to 12 wait; 11 is nobody's. */
static struct world busy_queue(void) {
    struct world world = world_of(6000, 100);
    for (uint32_t fan = 1; fan <= 12; fan++) {
        if (fan == 11)
            queue_restore_unknown(world.queue, 11);
        else
            assert_int_equal(join(&world, fan), fan);
        if (fan == 6 || fan == 9)
            pass_time(&world, fan == 6 ? CLAIM_MS / 2 : 1000);
    }
    for (uint32_t number = 1; number <= 3; number++)
        assert_int_equal(claim(&world, number), RESULT_OK);
    assert_int_equal(leave(&world, 3), RESULT_OK);
    world.settings.max_active = 2;
    configure(&world);
    assert_int_equal(claim(&world, 4), RESULT_AT_THE_DOOR);
    assert_int_equal(claim(&world, 5), RESULT_AT_THE_DOOR);
    assert_int_equal(leave(&world, 6), RESULT_OK);
    assert_int_equal(counts_of(&world).serving, 9);
    assert_int_equal(counts_of(&world).called, 3);
    assert_true(world.queue->grain_count >= 2 && world.queue->learned_count == 1);
    return world;
}

static void assert_found(const struct world *world, const char *number) {
    char why[200] = "";
    if (queue_check(world->queue, why, sizeof why))
        fail_msg("the corrupted queue passed; invariant %s was to fail", number);
    if (strncmp(why, number, strlen(number)) != 0)
        fail_msg("'%s' is not about invariant %s", why, number);
    assert_false(queue_check(world->queue, NULL, 0));
}

/* Changes a field, expects the invariant to be refused, and puts back what the field is part of. */
#define CORRUPT_IN(world, number, whole, field, value)                                                                 \
    do {                                                                                                               \
        __typeof__(whole) kept = (whole);                                                                              \
        (field) = (value);                                                                                             \
        assert_found((world), (number));                                                                               \
        (whole) = kept;                                                                                                \
        world_check(world);                                                                                            \
    } while (0)
#define CORRUPT(world, number, field, value) CORRUPT_IN(world, number, field, field, value)
#define CORRUPT_PLACE(world, number, place, field, value)                                                              \
    CORRUPT_IN(world, number, (world)->queue->places[(place)-1], (world)->queue->places[(place)-1].field, value)

static void a_number_that_is_not_one_is_found(void **state) {
    /* Red if check_numbers() leaves out the comparison that the line is about. */
    (void)state;
    struct world world = busy_queue();
    struct queue *queue = world.queue;
    CORRUPT(&world, "1: 12 numbers", queue->allowed, 11);
    CORRUPT(&world, "1: 12 numbers", queue->allowed, LIMIT_PLACES + 1);
    CORRUPT_PLACE(&world, "1: place 2", 2, state, PLACE_STATE_COUNT);
    CORRUPT_PLACE(&world, "1: place 10 has nobody", 10, user, 0);
    CORRUPT_PLACE(&world, "1: place 11 is somebody's", 11, user, 5);
    CORRUPT_PLACE(&world, "1: the place that is next", 13, user, 5);
    world_end(&world);
}

static void a_user_who_is_not_in_the_table_is_found(void **state) {
    /* Red if check_buckets() or check_users() leaves out the comparison that the line is about. */
    (void)state;
    struct world world = busy_queue();
    struct queue *queue = world.queue;
    uint32_t bucket = table_bucket(queue, hash_of(12)), free = (bucket + 1) % QUEUE_BUCKETS;
    CORRUPT(&world, "2: 11 users in", queue->bucket_base, QUEUE_BUCKETS / 2);
    CORRUPT(&world, "2: 11 users in", queue->bucket_base, QUEUE_BUCKETS + 1);
    CORRUPT(&world, "2: 11 users in", queue->bucket_split, 5);
    CORRUPT(&world, "2: 11 users in", queue->bucket_split, QUEUE_BUCKETS);
    CORRUPT(&world, "2: the count of users", queue->user_count, 12);
    CORRUPT(&world, "2: the chain", queue->user_count, 10);
    CORRUPT(&world, "2: the count of users", queue->heads[bucket], 0);
    CORRUPT(&world, "2: the chain", queue->heads[bucket], 13);
    CORRUPT(&world, "2: the chain", queue->heads[free], 12);
    CORRUPT_PLACE(&world, "2: the chain", 12, next, 12);
    CORRUPT_PLACE(&world, "2: place 12 is in bucket", 12, user, hash_of(12) + 1);
    world_end(&world);
}

static void a_user_with_two_places_is_found(void **state) {
    /* Red if a user may be in a chain twice, or a live place is not compared with the one that the table has. */
    (void)state;
    struct world world = world_of(60, 10);
    struct place place;
    for (uint64_t high = 1; high <= 2; high++)
        assert_int_equal(queue_join(world.queue, high << 32, NOW, &place, &world.is_new), RESULT_OK);
    CORRUPT_PLACE(&world, "2: the user of place 1 is in the table twice", 1, user, UINT64_C(2) << 32);
    world_end(&world);

    world = busy_queue();
    world.queue->heads[table_bucket(world.queue, hash_of(12))] = 0;
    world.queue->user_count--;
    assert_found(&world, "2: the user of place 12 is not");
    world.queue->places[11].user = hash_of(10);
    assert_found(&world, "2: place 12 is live");
    queue_free(world.queue);
}

static struct world shuffled_queue(void) {
    static const uint32_t order[] = {2, 0, 1};
    struct world world = world_of(6000, 100);
    world.conditions = (struct queue_conditions){.has_seats = true, .gathers = true};
    pass_time(&world, TICK_MS);
    join_all(&world, 3);
    assert_int_equal(queue_freeze(world.queue), 3);
    queue_place_shuffled(world.queue, 0, 3, order);
    assert_int_equal(join(&world, 4), 4);
    return world;
}

static void a_position_that_two_have_is_found(void **state) {
    /* Red if the order is not compared with the places, or the places with the order. */
    (void)state;
    struct world world = shuffled_queue();
    struct queue *queue = world.queue;
    CORRUPT(&world, "3: position 1", queue->order[0], 0);
    CORRUPT(&world, "3: position 1", queue->order[0], 3);
    CORRUPT_PLACE(&world, "3: position 2", 1, at, 1);
    CORRUPT_PLACE(&world, "3: number 4", 4, at, 3);
    CORRUPT(&world, "3: 4 of 3", queue->placed, 4);
    CORRUPT(&world, "3: 3 of 5", queue->frozen, 5);
    CORRUPT(&world, "3: 3 of 3", queue->is_frozen, false);
    world_end(&world);
}

static void somebody_who_came_uncalled_is_found(void **state) {
    /* Red if check_called() leaves out the comparison that the line is about. */
    (void)state;
    struct world world = busy_queue();
    struct queue *queue = world.queue;
    CORRUPT(&world, "4: 0 are closed, 13", queue->serving, 13);
    CORRUPT(&world, "4: 10 are closed", queue->closed, 10);
    CORRUPT(&world, "4: place 2", queue->serving, 1);
    CORRUPT_PLACE(&world, "4: place 10", 10, state, PLACE_DONE);
    CORRUPT_PLACE(&world, "4: place 10", 10, state, PLACE_DOOR);
    world_end(&world);
    world = shuffled_queue();
    world.queue->serving = 1;
    world.queue->placed = 2;
    assert_found(&world, "4: called before");
    queue_free(world.queue);
}

static void a_grain_that_miscounts_is_found(void **state) {
    /* Red if check_grain() or check_grains() leaves out the comparison that the line is about. */
    (void)state;
    struct world world = busy_queue();
    struct queue *queue = world.queue;
    struct grain *first = grain_at(queue, 0), *last = grain_at(queue, queue->grain_count - 1);
    CORRUPT(&world, "5: grain 0 ends", first->last, 0);
    CORRUPT(&world, "5: grain 0 called", first->last, 7);
    CORRUPT(&world, "5: grain 0 called", first->count.called, first->count.called + 1);
    CORRUPT(&world, "5: grain 0 called", first->count.shown, first->count.shown + 1);
    CORRUPT(&world, "5: grain 0 called", first->count.left, first->count.left + 1);
    CORRUPT_PLACE(&world, "5: grain 0 called", 6, state, PLACE_WAITING);
    CORRUPT(&world, "5: grain 0 is of", first->from_ms, first->open_ms + 1);
    CORRUPT(&world, "5: grain 1 is of", last->open_ms, queue->open_ms + 1);
    CORRUPT(&world, "5: grain 1 is of", last->from_ms, first->open_ms - 1);
    CORRUPT(&world, "5: grain 0 is learned", first->is_learned, false);
    CORRUPT(&world, "5: grain 1 is learned", queue->learned_count, 2);
    CORRUPT(&world, "5: 3 of 2", queue->learned_count, 3);
    CORRUPT(&world, "5: 9 are called", queue->grain_count, queue->grain_count - 1);
    CORRUPT(&world, "5: the sums", queue->young.called, queue->young.called + 1);
    CORRUPT(&world, "5: the sums", queue->young.shown, queue->young.shown + 1);
    CORRUPT(&world, "5: the sums", queue->old.shown, queue->old.shown + 1);
    CORRUPT(&world, "5: the sums", queue->old.left, queue->old.left + 1);
    world_end(&world);
}

static void a_stay_that_nobody_knows_is_found(void **state) {
    /* Red if check_stays() leaves out the comparison that the line is about. */
    (void)state;
    struct world world = busy_queue();
    struct queue *queue = world.queue;
    struct deadlines *ends = &queue->ends;
    uint32_t slot = queue->places[0].at;
    CORRUPT(&world, "6: place 1", queue->stays[slot].number, 2);
    CORRUPT(&world, "6: the stay of place 1", queue->stays[slot].end.place, 0);
    CORRUPT(&world, "6: the stay of place 1", queue->stays[slot].end.place, 2);
    CORRUPT(&world, "6: 2 are inside", queue->active, 3);
    CORRUPT(&world, "6: end 2", ends->heap[1]->at_ms, ends->heap[2]->at_ms + 1);
    CORRUPT(&world, "6: the number of slots", queue->stay_free, 0);
    CORRUPT(&world, "6: the list", queue->stay_free, slot + 1);
    CORRUPT(&world, "6: the list", queue->stay_free, queue->stays_used + 1);
    CORRUPT(&world, "6: the list", queue->stays[queue->stay_free - 1].number, queue->stay_free);
    CORRUPT(&world, "6: the number of slots", queue->stays_used, queue->stays_used + 1);
    world_end(&world);
}

static void a_door_that_is_not_in_order_is_found(void **state) {
    /* Red if check_door() leaves out the comparison that the line is about. */
    (void)state;
    struct world world = busy_queue();
    struct queue *queue = world.queue;
    CORRUPT(&world, "7: place 3 is at", queue->door[0].number, 3);
    CORRUPT(&world, "7: place 0 is at", queue->door[0].number, 0);
    CORRUPT(&world, "7: place 4 is at", queue->door[0].position, 3);
    CORRUPT(&world, "7: position 4", queue->door[1].position, 4);
    CORRUPT(&world, "7: the count at the door", queue->door_count, 1);
    CORRUPT(&world, "7: 16385", queue->door_count, LIMIT_DOOR + 1);
    CORRUPT(&world, "7: the count of those", queue->door_asking, 1);
    CORRUPT(&world, "7: the count of those", queue->door[1].is_asking, false);
    world_end(&world);
}

static void a_wrong_count_is_found(void **state) {
    /* Red if that count is left out. */
    (void)state;
    struct world world = busy_queue();
    struct queue *queue = world.queue;
    CORRUPT(&world, "8: waiting", queue->waiting, queue->waiting + 1);
    CORRUPT(&world, "8: admitted", queue->admitted, queue->admitted + 1);
    CORRUPT(&world, "8: missed", queue->missed, queue->missed + 1);
    CORRUPT(&world, "8: left", queue->left, queue->left - 1);
    world_end(&world);
}

static void a_drip_or_a_clock_out_of_bounds_is_found(void **state) {
    /* Red if check_time() leaves out the comparison that the line is about. */
    (void)state;
    struct world world = busy_queue();
    struct queue *queue = world.queue;
    CORRUPT(&world, "9: the drip", queue->drip.level, -1);
    CORRUPT(&world, "9: the drip", queue->drip.level, 100 * DRIP_TOKEN + 1);
    CORRUPT(&world, "9: the drip", queue->drip.rate_per_minute, 6001);
    CORRUPT(&world, "9: the drip", queue->drip.factor, DRIP_FACTOR_ONE + 1);
    CORRUPT(&world, "9: the drip", queue->drip.factor, DRIP_FACTOR_LEAST - 1);
    CORRUPT(&world, "9: something", queue->drip.filled_ms, queue->now_ms + 1);
    CORRUPT(&world, "9: something", queue->ticked_ms, queue->now_ms + 1);
    CORRUPT(&world, "9: something", queue->door_walked_ms, queue->now_ms + 1);
    CORRUPT(&world, "9: something", queue->door_walked_open_ms, queue->open_ms + 1);
    world_end(&world);
}

static void a_share_that_is_none_is_found(void **state) {
    /* Red if the share is not kept between its bounds. */
    (void)state;
    struct world world = busy_queue();
    struct queue *queue = world.queue;
    CORRUPT(&world, "10: a share", queue->share_called, 0);
    CORRUPT(&world, "10: a share", queue->share_called, 600001);
    CORRUPT(&world, "10: a share", queue->share_shown, -1);
    CORRUPT(&world, "10: a share", queue->share_shown, queue->share_called + 1);
    world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_that_is_not_one_is_found),
        cmocka_unit_test(a_user_who_is_not_in_the_table_is_found),
        cmocka_unit_test(a_user_with_two_places_is_found),
        cmocka_unit_test(a_position_that_two_have_is_found),
        cmocka_unit_test(somebody_who_came_uncalled_is_found),
        cmocka_unit_test(a_grain_that_miscounts_is_found),
        cmocka_unit_test(a_stay_that_nobody_knows_is_found),
        cmocka_unit_test(a_door_that_is_not_in_order_is_found),
        cmocka_unit_test(a_wrong_count_is_found),
        cmocka_unit_test(a_drip_or_a_clock_out_of_bounds_is_found),
        cmocka_unit_test(a_share_that_is_none_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
