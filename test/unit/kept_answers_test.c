/* The answers kept with holds: the same bytes until the ledger has them, through restarts and rewritings. */
#include "store_world.h"

static void say_what_was_taken(const struct hold_take_call *call, struct buffer *body) {
    buffer_printf(body, "{\"user\":\"%.*s\",\"seats\":%u,\"first\":%u,\"bytes\":\"\x01\xff\"}", call->hold.user.length,
                  call->hold.user.text, call->hold.seat_count, call->seats[0]);
}

static enum result takes_keyed(struct store_world *world, const char *names, uint8_t key, struct hold_take_call *call) {
    *call = (struct hold_take_call){.answer_key = {{{key}}, {{key, 1}}}, .render = say_what_was_taken};
    return store_takes(world, "ada", names, call);
}

static void assert_answer(struct store_world *world, uint8_t key, const char *wanted) {
    struct kept_answer answer = {.status = 0};
    struct buffer storage;
    buffer_init(&storage, 1000);
    buffer_add_text(&storage, "before");
    enum result result = memory_store_find_answer(&world->store, &(struct id){{key}}, &answer, &storage);
    assert_int_equal(result, wanted ? RESULT_OK : RESULT_NOT_FOUND);
    if (wanted) {
        assert_true(bytes_equal(answer.body, bytes_of(wanted)));
        assert_int_equal(answer.status, 201);
        assert_int_equal(answer.created_ms, NOW);
        assert_int_equal(answer.body_hash.at[1], 1);
    }
    buffer_release(&storage);
}

static void an_answer_is_the_same_bytes_after_a_restart_until_the_ledger_has_it(void **state) {
    /* Red when the answer is not in the hold's record, is dropped with the hold that ends, or is handed out again after
     * the ledger has it. */
    (void)state;
    static const char *const wanted = "{\"user\":\"ada\",\"seats\":2,\"first\":4,\"bytes\":\"\x01\xff\"}";
    struct store_world *world = store_world_new(2, 20);
    store_world_open(world);
    struct hold_take_call call;
    assert_int_equal(takes_keyed(world, "A5 A6", 1, &call), RESULT_OK);
    assert_int_equal(takes_keyed(world, "A6 A7", 2, &call), RESULT_SEAT_UNAVAILABLE);
    assert_int_equal(takes_keyed(world, "A7", 3, &call), RESULT_OK);
    assert_int_equal(step(world, HOLD_STEP_RELEASE, call.hold.reservation), RESULT_OK);
    assert_answer(world, 1, wanted);
    assert_answer(world, 2, NULL);
    struct kept_answer out[4];
    for (int starts = 0; starts < 2; starts++) {
        store_world_restart(world);
        assert_answer(world, 1, wanted);
        assert_answer(world, 2, NULL);
        assert_answer(world, 3, "{\"user\":\"ada\",\"seats\":1,\"first\":6,\"bytes\":\"\x01\xff\"}");
    }
    assert_int_equal(memory_store_pending_answers(&world->store, out, 4), 2);
    assert_int_equal(out[0].key.at[0], 1);
    assert_true(bytes_equal(out[0].body, bytes_of(wanted)));
    assert_int_equal(memory_store_pending_answers(&world->store, out + 2, 2), 0);
    memory_store_answers_kept(&world->store, out, 1, true);
    memory_store_answers_kept(&world->store, out + 1, 1, false);
    assert_answer(world, 1, NULL);
    store_world_restart(world);
    assert_answer(world, 1, NULL);
    assert_int_equal(memory_store_pending_answers(&world->store, out, 4), 1);
    assert_int_equal(out[0].key.at[0], 3);
    memory_store_answers_kept(&world->store, out, 1, true);
    store_world_free(world);
}

static void an_answer_is_handed_out_only_when_its_hold_is_on_disk(void **state) {
    /* Red when the ledger could be given an answer whose hold a crash still forgets. */
    (void)state;
    struct store_world *world = store_world_new(2, 20);
    store_world_open(world);
    synced(world);
    struct hold_take_call call;
    struct kept_answer out[2];
    assert_int_equal(takes_keyed(world, "A1", 1, &call), RESULT_OK); /* within the writer's tenth of a second */
    uint32_t early = memory_store_pending_answers(&world->store, out, 2);
    char path[128];
    struct stat status;
    snprintf(path, sizeof path, "%s/holds/00000001.journal", world->folder);
    assert_int_equal(stat(path, &status), 0);
    assert_true(early == 0 || status.st_size > 300);
    memory_store_answers_kept(&world->store, out, early, false);
    synced(world);
    assert_int_equal(memory_store_pending_answers(&world->store, out, 2), 1);
    store_world_free(world);
}

static void answers_outlive_a_rewriting_of_the_journal(void **state) {
    /* Red when compaction drops the answer of a hold that ended, or keeps one that the ledger has. */
    (void)state;
    struct store_world *world = store_world_new(2, 20);
    world->settings.compact_bytes = 4096;
    store_world_open(world);
    struct hold_take_call call;
    struct kept_answer out[3];
    for (uint8_t key = 1; key <= 3; key++) {
        assert_int_equal(takes_keyed(world, key == 1 ? "A1" : key == 2 ? "A2" : "A3", key, &call), RESULT_OK);
        if (key == 2)
            step(world, HOLD_STEP_RELEASE, call.hold.reservation);
    }
    synced(world);
    assert_int_equal(memory_store_pending_answers(&world->store, out, 3), 3);
    memory_store_answers_kept(&world->store, out + 2, 1, true);
    memory_store_answers_kept(&world->store, out, 2, false);
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < 10; i++)
            step(world, HOLD_STEP_RELEASE, store_took(world, "bob", "B1 B2 B3 B4"));
        synced(world);
    }
    store_world_close(world);
    assert_in_range(journal_bytes(world), 500, 30000);
    store_world_open(world);
    assert_int_equal(world->recovery.restored, 2);
    assert_answer(world, 1, "{\"user\":\"ada\",\"seats\":1,\"first\":0,\"bytes\":\"\x01\xff\"}");
    assert_answer(world, 2, "{\"user\":\"ada\",\"seats\":1,\"first\":1,\"bytes\":\"\x01\xff\"}");
    assert_answer(world, 3, NULL);
    store_world_free(world);
}

static void a_full_table_of_answers_refuses_the_take_and_takes_nothing(void **state) {
    /* Red when the table grows without bound, or the seats are taken though the answer cannot be kept. */
    (void)state;
    struct store_world *world = store_world_new(2, 20);
    world->settings.max_answers = 2;
    store_world_open(world);
    struct hold_take_call call;
    assert_int_equal(takes_keyed(world, "A1", 1, &call), RESULT_OK);
    assert_int_equal(takes_keyed(world, "A1", 9, &call), RESULT_SEAT_UNAVAILABLE);
    assert_int_equal(takes_keyed(world, "A2", 2, &call), RESULT_OK);
    assert_int_equal(takes_keyed(world, "A3", 2, &call), RESULT_IDEMPOTENCY_IN_PROGRESS);
    assert_int_equal(takes_keyed(world, "A3", 3, &call), RESULT_OVERLOADED);
    assert_names(world, "A3", SEAT_AVAILABLE);
    store_took(world, "bob", "A3");
    synced(world);
    struct kept_answer out[2];
    assert_int_equal(memory_store_pending_answers(&world->store, out, 2), 2);
    memory_store_answers_kept(&world->store, out, 2, true);
    assert_int_equal(takes_keyed(world, "A4", 4, &call), RESULT_OK);
    store_world_free(world);
}

static void a_store_without_a_folder_keeps_nothing(void **state) {
    /* Red when something asks a journal that is not there. */
    (void)state;
    struct store_world *world = store_world_new(2, 20);
    world->settings.folder = NULL;
    store_world_open(world);
    struct hold_take_call call;
    assert_int_equal(takes_keyed(world, "A1", 1, &call), RESULT_OK);
    assert_int_equal(step(world, HOLD_STEP_RELEASE, call.hold.reservation), RESULT_OK);
    synced(world);
    struct kept_answer out[1];
    assert_int_equal(memory_store_pending_answers(&world->store, out, 1), 1);
    memory_store_answers_kept(&world->store, out, 1, true);
    store_world_restart(world);
    assert_int_equal(world->recovery.restored, 0);
    store_world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_the_same_bytes_after_a_restart_until_the_ledger_has_it),
        cmocka_unit_test(an_answer_is_handed_out_only_when_its_hold_is_on_disk),
        cmocka_unit_test(answers_outlive_a_rewriting_of_the_journal),
        cmocka_unit_test(a_full_table_of_answers_refuses_the_take_and_takes_nothing),
        cmocka_unit_test(a_store_without_a_folder_keeps_nothing),
    };
    return cmocka_run_group_tests_name("kept_answers", tests, NULL, NULL);
}
