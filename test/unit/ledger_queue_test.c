/* What the ledger keeps for the waiting room: how far numbers may go, and who was let in. */
#include "ledger_world.h"

struct queue_seen {
    uint32_t ceiling;
    unsigned count, stop_at;
    struct admission admissions[8];
};

static bool see_admission(void *context, const struct admission *admission) {
    struct queue_seen *seen = context;
    seen->admissions[seen->count++] = *admission;
    return seen->count != seen->stop_at;
}

static struct queue_seen look_at(struct world *world, const struct id *show_id, unsigned stop_at) {
    struct queue_seen seen = {.ceiling = 999, .stop_at = stop_at};
    struct ledger_reader *reader;
    assert_int_equal(world->ledger.reader_new(world->ledger.engine, &reader), RESULT_OK);
    assert_int_equal(world->ledger.read_queue(reader, show_id, &seen.ceiling, see_admission, &seen), RESULT_OK);
    world->ledger.reader_free(reader);
    return seen;
}

static enum result do_it(struct world *world, struct ledger_command command) {
    return world_do(world, &command);
}

static void a_show_without_a_queue_has_none(void **state) {
    /* red when: a show whose queue was never raised cannot be read, or has a ceiling */
    (void)state;
    struct world world;
    world_start(&world, LEDGER_OPTIMISTIC);
    struct queue_seen seen = look_at(&world, &world.show, 0);
    assert_int_equal(seen.ceiling, 0);
    assert_int_equal(seen.count, 0);
    world_remove(&world);
}

static void a_ceiling_only_rises(void **state) {
    /* red when: a lower ceiling takes the place of a higher one, or is refused, or the ceiling does not outlive a start
     */
    (void)state;
    struct world world;
    world_start(&world, LEDGER_OPTIMISTIC);
    static const uint32_t asked[] = {1000, 500, 1000, 5000, 0}, kept[] = {1000, 1000, 1000, 5000, 5000};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        assert_int_equal(do_it(&world, command_raise(&world, asked[i])), RESULT_OK);
        assert_int_equal(look_at(&world, &world.show, 0).ceiling, kept[i]);
    }
    assert_int_equal(do_it(&world, command_raise(&world, UINT32_MAX)), RESULT_OK);
    world_close(&world);
    world_open(&world);
    assert_true(look_at(&world, &world.show, 0).ceiling == UINT32_MAX);
    world_remove(&world);
}

static void a_claim_is_kept_as_it_was_granted(void **state) {
    /* red when: a column is written or read in another's place, or the rows do not come by number */
    (void)state;
    struct world world;
    world_start(&world, LEDGER_OPTIMISTIC);
    assert_int_equal(do_it(&world, command_raise(&world, 10)), RESULT_OK);
    assert_int_equal(do_it(&world, command_admit(&world, 7, 70, 5)), RESULT_OK);
    assert_int_equal(do_it(&world, command_admit(&world, 3, 30, 6)), RESULT_OK);
    assert_int_equal(do_it(&world, command_end_pass(&world, 7, NOW + 9000)), RESULT_OK);
    world_close(&world);
    world_open(&world);
    struct queue_seen seen = look_at(&world, &world.show, 0);
    assert_int_equal(seen.ceiling, 10);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.admissions[0].number, 3);
    assert_true(bytes_equal(user_bytes(&seen.admissions[0].user), BYTES("fan-30")));
    assert_int_equal(seen.admissions[0].claimed_ms, NOW + 6000);
    assert_int_equal(seen.admissions[0].expires_ms, NOW + 306000);
    assert_int_equal(seen.admissions[0].ended_ms, 0);
    assert_int_equal(seen.admissions[1].number, 7);
    assert_true(bytes_equal(user_bytes(&seen.admissions[1].user), BYTES("fan-70")));
    assert_int_equal(seen.admissions[1].ended_ms, NOW + 9000);
    assert_int_equal(look_at(&world, &world.show, 1).count, 1);
    world_remove(&world);
}

static void the_same_claim_again_changes_nothing(void **state) {
    /* red when: a claim that is written twice is refused, or takes its end back */
    (void)state;
    struct world world;
    world_start(&world, LEDGER_OPTIMISTIC);
    assert_int_equal(do_it(&world, command_raise(&world, 10)), RESULT_OK);
    struct ledger_command twice[] = {command_admit(&world, 7, 70, 5), command_admit(&world, 7, 70, 5)};
    world_do_together(&world, twice, 2);
    assert_int_equal(twice[0].result, RESULT_OK);
    assert_int_equal(twice[1].result, RESULT_OK);
    assert_int_equal(do_it(&world, command_end_pass(&world, 7, NOW + 9000)), RESULT_OK);
    assert_int_equal(do_it(&world, command_admit(&world, 7, 70, 5)), RESULT_OK);
    struct queue_seen seen = look_at(&world, &world.show, 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.admissions[0].ended_ms, NOW + 9000);
    world_remove(&world);
}

static void another_claim_of_a_place_is_refused(void **state) {
    /* red when: a place goes to a second user or time, or the refusal takes a neighbour of its commit along */
    (void)state;
    struct world world;
    world_start(&world, LEDGER_OPTIMISTIC);
    assert_int_equal(do_it(&world, command_raise(&world, 10)), RESULT_OK);
    assert_int_equal(do_it(&world, command_admit(&world, 7, 70, 5)), RESULT_OK);
    struct ledger_command commands[] = {command_admit(&world, 7, 71, 5), command_admit(&world, 7, 70, 6),
                                        command_admit(&world, 7, 70, 5), command_admit(&world, 8, 80, 5)};
    commands[2].queue.admission.expires_ms++;
    for (unsigned i = 0; i < 4; i++)
        commands[i].answer = answer_of(50 + 2 * i, "{}");
    world_do_together(&world, commands, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(commands[i].result, i < 3 ? RESULT_CONFLICT : RESULT_OK);
    struct queue_seen seen = look_at(&world, &world.show, 0);
    assert_int_equal(seen.count, 2);
    assert_true(bytes_equal(user_bytes(&seen.admissions[0].user), BYTES("fan-70")));
    assert_int_equal(seen.admissions[0].claimed_ms, NOW + 5000);
    assert_int_equal(seen.admissions[0].expires_ms, NOW + 305000);
    assert_int_equal(world_ask(&world, "SELECT count(*) FROM kept_answers"), 1);
    world_remove(&world);
}

static void a_pass_ends_once(void **state) {
    /* red when: a later end takes the place of the first, or an end before the claim is written as it is */
    (void)state;
    struct world world;
    world_start(&world, LEDGER_OPTIMISTIC);
    assert_int_equal(do_it(&world, command_raise(&world, 10)), RESULT_OK);
    assert_int_equal(do_it(&world, command_end_pass(&world, 1, NOW)), RESULT_CONFLICT); /* nobody was let in */
    assert_int_equal(do_it(&world, command_admit(&world, 1, 10, 5)), RESULT_OK);
    assert_int_equal(do_it(&world, command_admit(&world, 2, 20, 5)), RESULT_OK);
    assert_int_equal(do_it(&world, command_end_pass(&world, 1, NOW + 9000)), RESULT_OK);
    assert_int_equal(do_it(&world, command_end_pass(&world, 1, NOW + 7000)), RESULT_OK);
    assert_int_equal(do_it(&world, command_end_pass(&world, 1, NOW + 10000)), RESULT_OK);
    assert_int_equal(do_it(&world, command_end_pass(&world, 2, NOW + 4000)), RESULT_OK); /* a clock set back */
    struct queue_seen seen = look_at(&world, &world.show, 0);
    assert_int_equal(seen.admissions[0].ended_ms, NOW + 9000);
    assert_int_equal(seen.admissions[1].ended_ms, NOW + 5000);
    world_remove(&world);
}

static void a_show_that_is_not_there_has_no_queue(void **state) {
    /* red when: a row of the queue is written without its show, or its answer is kept */
    (void)state;
    struct world world;
    struct id nowhere = world_id(5);
    world_start(&world, LEDGER_OPTIMISTIC);
    struct ledger_command commands[] = {command_raise(&world, 10), command_admit(&world, 1, 10, 5),
                                        command_end_pass(&world, 1, NOW)};
    for (unsigned i = 0; i < 3; i++) {
        commands[i].queue.show_id = &nowhere;
        commands[i].answer = answer_of(50, "{}");
        assert_int_equal(world_do(&world, &commands[i]), RESULT_SHOW_NOT_FOUND);
    }
    assert_int_equal(world_ask(&world, "SELECT (SELECT count(*) FROM queues) + (SELECT count(*) FROM admissions) + "
                                       "(SELECT count(*) FROM kept_answers)"),
                     0);
    assert_int_equal(look_at(&world, &nowhere, 0).ceiling, 0);
    world_remove(&world);
}

static void each_command_of_the_queue_keeps_its_answer(void **state) {
    /* red when: one of them loses the answer it carries, also where it changes nothing */
    (void)state;
    struct world world;
    world_start(&world, LEDGER_OPTIMISTIC);
    struct ledger_command commands[] = {command_raise(&world, 10),        command_admit(&world, 1, 10, 5),
                                        command_end_pass(&world, 1, NOW), command_raise(&world, 5),
                                        command_admit(&world, 1, 10, 5),  command_end_pass(&world, 1, NOW)};
    for (unsigned i = 0; i < 6; i++)
        commands[i].answer = answer_of(50 + 2 * i, "{}");
    world_do_together(&world, commands, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(commands[i].result, RESULT_OK);
    assert_int_equal(world_ask(&world, "SELECT count(*) FROM kept_answers"), 6);
    world_remove(&world);
}

static void a_queue_that_the_file_does_not_tell_soundly_is_not_read(void **state) {
    /* red when: a damaged row is taken for a claim, or a ceiling is cut to 32 bits */
    (void)state;
    static const char *const damages[] = {
        "UPDATE admissions SET claimed_at = '2027'",
        "UPDATE admissions SET number = 4294967297",
        "UPDATE queues SET number_ceiling = 4294967297",
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct world world;
        struct queue_seen seen = {.ceiling = 999};
        struct ledger_reader *reader;
        world_start(&world, LEDGER_OPTIMISTIC);
        assert_int_equal(do_it(&world, command_raise(&world, 10)), RESULT_OK);
        assert_int_equal(do_it(&world, command_admit(&world, 1, 10, 5)), RESULT_OK);
        world_close(&world);
        world_damage(&world, damages[i]);
        world_open(&world);
        assert_int_equal(world.ledger.reader_new(world.ledger.engine, &reader), RESULT_OK);
        assert_int_equal(world.ledger.read_queue(reader, &world.show, &seen.ceiling, see_admission, &seen),
                         RESULT_CORRUPT);
        assert_int_equal(seen.ceiling, 999);
        world.ledger.reader_free(reader);
        world_remove(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_show_without_a_queue_has_none),
        cmocka_unit_test(a_ceiling_only_rises),
        cmocka_unit_test(a_claim_is_kept_as_it_was_granted),
        cmocka_unit_test(the_same_claim_again_changes_nothing),
        cmocka_unit_test(another_claim_of_a_place_is_refused),
        cmocka_unit_test(a_pass_ends_once),
        cmocka_unit_test(a_show_that_is_not_there_has_no_queue),
        cmocka_unit_test(each_command_of_the_queue_keeps_its_answer),
        cmocka_unit_test(a_queue_that_the_file_does_not_tell_soundly_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
