/* The hold store in process, through its port: taking and every step, restarts, the kill, the clock. Two threads at
 * once are in memory_store_race_test.c, the answers kept with holds in kept_answers_test.c, damaged and failing disks
 * in test/faults/journal_faults_test.c.
 */
#include "store_world.h"

#include <signal.h>
#include <sys/wait.h>

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)

/* ---- steps ---- */

static void a_seat_wanted_by_two_is_given_to_the_first(void **state) {
    /* Red when the store takes what seats allow and drops the refusal, or leaves the show locked. */
    (void)state;
    struct store_world *world = store_world_new(2, 20);
    store_world_open(world);
    struct hold_take_call call = {.render = NULL};
    assert_int_equal(store_takes(world, "ada", "A1 A2", &call), RESULT_OK);
    assert_int_equal(call.hold.seat_count, 2);
    assert_int_equal(call.hold.amount, 2000);
    assert_int_equal(call.hold.deadline_ms, NOW + HOLD_MS);
    assert_int_equal(call.seats[1], 1);
    assert_int_equal(id_reservation_tag(&call.hold.reservation), 0xabcd);
    assert_int_equal(store_takes(world, "bob", "A2 A3", &call), RESULT_SEAT_UNAVAILABLE);
    assert_int_equal(call.refusal.seat_count, 1);
    assert_int_equal(call.refusal.seats[0], 1);
    assert_names(world, "A3", SEAT_AVAILABLE);
    store_world_free(world);
}

static void best_available_is_taken_too(void **state) {
    /* Red when the store does not copy the hold before it lets go of the lock that hold_take_best() leaves. */
    (void)state;
    struct store_world *world = store_world_new(2, 10);
    store_world_open(world);
    struct user_id user = user_named("ada");
    int done = 0;
    struct hold_take_call call = {.show = world->show.show,
                                  .wish = {.user = &user, .best_quantity = 4, .best_category = PLAN_NO_SEAT},
                                  .now_ms = NOW,
                                  .context = &done,
                                  .done = nothing_more};
    world->store.take(world->store.engine, &call);
    assert_int_equal(call.result, RESULT_OK);
    assert_int_equal(call.hold.seat_count, 4);
    assert_int_equal(call.seats[3], call.seats[0] + 3);
    call.wish = (struct hold_wish){.user = &user, .best_quantity = 11, .best_category = PLAN_NO_SEAT};
    world->store.take(world->store.engine, &call);
    assert_int_not_equal(call.result, RESULT_OK);
    assert_int_equal(done, 2);
    assert_int_equal(counts_of(world).held, 4);
    store_world_free(world);
}

static void only_an_unpaid_hold_in_time_is_released(void **state) {
    /* Red when a step is taken without asking the show, or an unknown reservation is not said to be one. */
    (void)state;
    struct store_world *world = store_world_new(2, 20);
    store_world_open(world);
    struct id hold = store_took(world, "ada", "A1 A2");
    assert_int_equal(step(world, HOLD_STEP_RELEASE, (struct id){{5}}), RESULT_RESERVATION_NOT_FOUND);
    assert_int_equal(step(world, HOLD_STEP_BEGIN_PAYMENT, hold), RESULT_OK);
    assert_int_equal(step(world, HOLD_STEP_RELEASE, hold), RESULT_PAYMENT_IN_PROGRESS);
    assert_int_equal(step(world, HOLD_STEP_BEGIN_PAYMENT, hold), RESULT_PAYMENT_IN_PROGRESS);
    assert_int_equal(step(world, HOLD_STEP_KEEP, hold), RESULT_OK);
    struct hold_step_call call = {.recovering = false};
    assert_int_equal(store_steps(world, HOLD_STEP_RELEASE, hold, &call), RESULT_OK);
    assert_int_equal(call.hold.state, HOLD_RELEASED);
    assert_int_equal(call.seats[1], 1);
    assert_names(world, "A1 A2", SEAT_AVAILABLE);
    assert_int_equal(step(world, HOLD_STEP_RELEASE, hold), RESULT_RESERVATION_EXPIRED);
    struct id late = store_took(world, "ada", "A1");
    time_passes(world, HOLD_MS + 1);
    assert_int_equal(step(world, HOLD_STEP_RELEASE, late), RESULT_RESERVATION_EXPIRED);
    assert_int_equal(step(world, HOLD_STEP_BEGIN_PAYMENT, late), RESULT_RESERVATION_EXPIRED);
    store_world_free(world);
}

static void a_payment_is_ended_only_while_it_runs_and_by_its_own_booking(void **state) {
    /* Red when KEEP, DECLINE or SELL come to the show for a hold that is not PAYING (it would panic), or for another
     * booking's payment. */
    (void)state;
    struct store_world *world = store_world_new(2, 20);
    store_world_open(world);
    struct id declined = store_took(world, "ada", "A1"), sold = store_took(world, "ada", "A2 A3");
    static const enum hold_step ends[] = {HOLD_STEP_KEEP, HOLD_STEP_DECLINE, HOLD_STEP_SELL};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(step(world, ends[i], sold), RESULT_CONFLICT);
    assert_int_equal(step(world, HOLD_STEP_BEGIN_PAYMENT, sold), RESULT_OK);
    assert_int_equal(step(world, HOLD_STEP_BEGIN_PAYMENT, declined), RESULT_OK);
    struct hold_step_call call = {.booking = {{78}}};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(store_steps(world, ends[i], sold, &call), RESULT_CONFLICT);
    call.booking = (struct id){{77}};
    assert_int_equal(store_steps(world, HOLD_STEP_SELL, sold, &call), RESULT_OK);
    assert_int_equal(call.hold.state, HOLD_PAYING);
    assert_int_equal(call.hold.seat_count, 2);
    assert_int_equal(call.seats[1], 2);
    assert_names(world, "A2 A3", SEAT_BOOKED);
    assert_int_equal(step(world, HOLD_STEP_DECLINE, declined), RESULT_OK);
    assert_names(world, "A1", SEAT_AVAILABLE);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(step(world, ends[i], sold), RESULT_CONFLICT);
        assert_int_equal(step(world, ends[i], declined), RESULT_CONFLICT);
    }
    store_world_free(world);
}

static void what_is_due_ends_batch_by_batch(void **state) {
    /* Red when expire() says that it is done while something is due, or ends what is paid for. */
    (void)state;
    struct store_world *world = store_world_new(10, 20);
    store_world_open(world);
    for (int i = 0; i < 200; i++) {
        char name[8];
        snprintf(name, sizeof name, "%c%d", 'A' + i / 20, i % 20 + 1);
        struct id hold = store_took(world, "ada", name);
        if (i == 150)
            assert_int_equal(step(world, HOLD_STEP_BEGIN_PAYMENT, hold), RESULT_OK);
    }
    time_passes(world, HOLD_MS + GRACE_MS - 1);
    assert_false(world->store.expire(world->store.engine, world->show.show, world_now(world)));
    assert_int_equal(counts_of(world).held, 200);
    time_passes(world, 1);
    int batches = 1;
    while (world->store.expire(world->store.engine, world->show.show, world_now(world)) && batches < 100)
        batches++;
    assert_in_range(batches, 2, 99);
    assert_int_equal(counts_of(world).held, 1);
    store_world_restart(world);
    assert_int_equal(world->recovery.restored, 1);
    assert_int_equal(world->recovery.ran_out, 0);
    store_world_free(world);
}

/* ---- restarts ---- */

static void a_restart_finds_the_holds_that_live_and_no_others(void **state) {
    /* Red when a step is not journaled, the order of the seats is lost, or a payment that was under way is counted
     * twice. */
    (void)state;
    struct store_world *world = store_world_new(4, 20);
    store_world_open(world);
    struct hold_take_call call = {.render = NULL};
    assert_int_equal(store_takes(world, "ada", "B7 A3 A1", &call), RESULT_OK);
    struct id paying = store_took(world, "bob", "A5"), kept = store_took(world, "bob", "A6"),
              released = store_took(world, "bob", "A7"), declined = store_took(world, "bob", "A8"),
              sold = store_took(world, "bob", "A9");
    step(world, HOLD_STEP_BEGIN_PAYMENT, paying);
    step(world, HOLD_STEP_BEGIN_PAYMENT, kept);
    step(world, HOLD_STEP_KEEP, kept);
    step(world, HOLD_STEP_RELEASE, released);
    step(world, HOLD_STEP_BEGIN_PAYMENT, declined);
    step(world, HOLD_STEP_DECLINE, declined);
    step(world, HOLD_STEP_BEGIN_PAYMENT, sold);
    step(world, HOLD_STEP_SELL, sold);
    time_passes(world, MINUTE);
    for (int starts = 0; starts < 3; starts++) {
        store_world_restart(world);
        assert_int_equal(world->recovery.restored, 3);
        struct hold hold = hold_of(world, call.hold.reservation);
        assert_int_equal(hold.state, HOLD_HELD);
        assert_int_equal(hold.fence, call.hold.fence);
        assert_int_equal(hold.amount, 3000);
        assert_int_equal(hold.taken_ms, NOW);
        assert_int_equal(hold.deadline_ms, NOW + HOLD_MS);
        assert_int_equal(hold.store_deadline_ms, NOW + HOLD_MS + GRACE_MS);
        assert_true(bytes_equal(user_bytes(&hold.user), BYTES("ada")));
        show_lock(world->show.show);
        assert_string_equal(seats_of(&world->show, hold_find(world->show.show, &hold.reservation)), "B7 A3 A1");
        show_unlock(world->show.show);
        assert_int_equal(hold_of(world, kept).payments_begun, 1);
        assert_int_equal(hold_of(world, paying).payments_begun, 0);
        assert_int_equal(counts_of(world).held, 5);
    }
    struct hold_step_call pin = {.booking = {{77}}, .recovering = true};
    assert_int_equal(store_steps(world, HOLD_STEP_BEGIN_PAYMENT, paying, &pin), RESULT_OK);
    assert_int_equal(hold_of(world, paying).payments_begun, 1);
    store_world_free(world);
}

static void a_hold_whose_payment_was_open_comes_back_though_its_time_is_over(void **state) {
    /* Red when recovery judges a PAYING hold by its deadline, or does not judge a HELD one. */
    (void)state;
    struct store_world *world = store_world_new(2, 20);
    store_world_open(world);
    struct id paying = store_took(world, "ada", "A1"), held = store_took(world, "bob", "A2");
    step(world, HOLD_STEP_BEGIN_PAYMENT, paying);
    store_world_close(world);
    time_passes(world, HOLD_MS + GRACE_MS);
    store_world_open(world);
    assert_int_equal(world->recovery.restored, 1);
    assert_int_equal(world->recovery.ran_out, 1);
    assert_int_equal(state_of(world, paying), HOLD_HELD);
    assert_int_equal(state_of(world, held), HOLD_FREE);
    struct hold_step_call pin = {.booking = {{77}}, .recovering = true};
    assert_int_equal(store_steps(world, HOLD_STEP_BEGIN_PAYMENT, paying, &pin), RESULT_OK);
    assert_false(world->store.expire(world->store.engine, world->show.show, world_now(world)));
    assert_int_equal(state_of(world, paying), HOLD_PAYING);
    store_world_free(world);
}

static void the_ledger_wins_over_the_journal(void **state) {
    /* Red when a hold comes back although one of its seats is sold, or stays in the journal for the next start. */
    (void)state;
    struct store_world *world = store_world_new(2, 20);
    store_world_open(world);
    struct id lost = store_took(world, "ada", "A1 A2"), other = store_took(world, "bob", "A3");
    world->sold[world->sold_count++] = 1;
    store_world_restart(world);
    assert_int_equal(world->recovery.lost, 1);
    assert_int_equal(world->recovery.restored, 1);
    assert_names(world, "A1", SEAT_AVAILABLE);
    assert_names(world, "A2", SEAT_BOOKED);
    assert_int_equal(state_of(world, lost), HOLD_FREE);
    assert_int_equal(state_of(world, other), HOLD_HELD);
    store_world_restart(world);
    assert_int_equal(world->recovery.lost, 0);
    store_world_free(world);
}

static void holds_on_another_plan_are_not_put_on_this_one(void **state) {
    /* Red when the plan's hash is not compared: indices would name other seats. */
    (void)state;
    struct store_world *world = store_world_new(2, 20);
    store_world_open(world);
    store_took(world, "ada", "A1 A2");
    store_world_close(world);
    plan_free(world->show.plan);
    world->show.plan = plan_of_json("{\"sections\":[{\"name\":\"N\",\"rows\":2,\"seats_per_row\":20,"
                                    "\"category\":\"Standard\"}]}");
    store_world_open(world);
    assert_int_equal(world->recovery.foreign, 1);
    assert_int_equal(world->recovery.restored, 0);
    store_world_free(world);
}

static void shows_with_one_tag_keep_apart_and_a_show_that_is_gone_is_forgotten(void **state) {
    /* Red when recovery looks at the reservation's tag, or keeps what no show asked for. */
    (void)state;
    static const struct id twin_id = {{8, [14] = 0xab, [15] = 0xcd}};
    struct store_world *world = store_world_new(2, 20);
    store_world_open(world);
    struct show *first = world->show.show, *twin = new_show(world, &twin_id);
    struct memory_recovery recovery;
    assert_int_equal(memory_store_recover(&world->store, twin, NOW, &recovery), RESULT_OK);
    struct id one = store_took(world, "ada", "A1");
    world->show.show = twin;
    struct id other = store_took(world, "bob", "A1 A2");
    world->show.show = first;
    store_world_close(world);
    show_free(twin);

    store_world_start(world);
    twin = new_show(world, &twin_id);
    assert_int_equal(memory_store_recover(&world->store, twin, NOW, &recovery), RESULT_OK);
    memory_store_end_recovery(&world->store);
    assert_int_equal(world->recovery.restored, 1);
    assert_int_equal(recovery.restored, 1);
    assert_int_equal(state_of(world, one), HOLD_HELD);
    assert_int_equal(state_of(world, other), HOLD_FREE);
    store_world_close(world);
    show_free(twin);

    store_world_open(world); /* the twin is gone */
    store_world_close(world);
    store_world_start(world);
    twin = new_show(world, &twin_id);
    assert_int_equal(memory_store_recover(&world->store, twin, NOW, &recovery), RESULT_OK);
    assert_int_equal(recovery.restored, 0);
    assert_int_equal(world->recovery.restored, 1);
    store_world_free(world);
    show_free(twin);
}

/* ---- the kill ---- */

#define KEPT_HOLDS 30

static void take_until_killed(struct store_world *world, int report) {
    store_world_open(world);
    for (int i = 0; i < KEPT_HOLDS; i++) {
        char names[16];
        snprintf(names, sizeof names, "A%d B%d", i + 1, i + 1);
        struct id hold = store_took(world, "ada", names);
        if (i % 3 == 0)
            step(world, HOLD_STEP_RELEASE, hold);
    }
    if (memory_store_sync(&world->store) != RESULT_OK || write(report, "s", 1) != 1)
        _exit(1);
    for (int i = 0;; i = (i + 1) % 30) {
        char names[16];
        snprintf(names, sizeof names, "C%d D%d", i + 1, i + 1);
        struct hold_take_call call = {.render = NULL};
        if (store_takes(world, "bob", names, &call) == RESULT_OK && i % 2)
            step(world, HOLD_STEP_RELEASE, call.hold.reservation);
    }
}

static void a_kill_forgets_nothing_that_was_synced_and_no_hold_by_halves(void **state) {
    /* Red when sync returns before the batch is on disk, or a step stands before its take in the file. */
    (void)state;
    struct store_world *world = store_world_new(4, 40);
    int report[2];
    assert_int_equal(pipe(report), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        take_until_killed(world, report[1]);
    char byte;
    close(report[1]);
    assert_int_equal(read(report[0], &byte, 1), 1);
    usleep(150 * 1000); /* into the second loop; how far does not matter */
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(report[0]);
    store_world_open(world);
    for (int i = 0; i < KEPT_HOLDS; i++) {
        char names[16];
        snprintf(names, sizeof names, "A%d B%d", i + 1, i + 1);
        assert_names(world, names, i % 3 == 0 ? SEAT_AVAILABLE : SEAT_HELD);
    }
    for (uint32_t i = 0; i < 40; i++) {
        show_lock(world->show.show);
        assert_int_equal(show_seat_status(world->show.show, 80 + i), show_seat_status(world->show.show, 120 + i));
        show_unlock(world->show.show);
    }
    store_world_free(world);
}

/* ---- the clock ---- */

/* What the fan has left after the restart, when there were nine minutes left before it. */
static int64_t left_after(struct store_world *world, int64_t down_ms, int64_t step_ms, bool reboots) {
    store_world_open(world);
    struct id hold = store_took(world, "ada", "A1");
    time_passes(world, MINUTE);
    synced(world);
    store_world_close(world); /* its MARK says how late it was */
    time_passes(world, down_ms);
    atomic_fetch_add(&world->clock.now_ms, step_ms);
    if (reboots) {
        world->clock.boot.at[0]++;
        atomic_store(&world->clock.boot_ms, 5000);
    }
    store_world_open(world);
    struct hold found = hold_of(world, hold);
    int64_t left = found.state == HOLD_HELD ? found.deadline_ms - world_now(world) : -1;
    if (found.state == HOLD_HELD) {
        assert_int_equal(found.store_deadline_ms - found.deadline_ms, GRACE_MS);
        assert_int_equal(found.deadline_ms - found.taken_ms, HOLD_MS);
    }
    store_world_free(world);
    return left;
}

static void the_time_left_outlives_every_step_of_the_wall_clock(void **state) {
    /* Red when deadlines are compared with a wall clock that stepped, a reboot is not noticed, or the cap is left out.
     */
    (void)state;
    const int64_t day = 1440 * MINUTE;
    const struct {
        int64_t down_ms, step_ms;
        bool reboots;
        int64_t left_ms;
    } cases[] = {
        {2 * SECOND, 0, false, 9 * MINUTE - 2 * SECOND},
        {2 * SECOND, 300, false, 9 * MINUTE - 2 * SECOND - 300},
        {2 * SECOND, day, false, 9 * MINUTE - 2 * SECOND},
        {2 * SECOND, -day, false, 9 * MINUTE - 2 * SECOND},
        {10 * MINUTE, -day, false, -1},
        {10 * MINUTE, day, false, -1},
        {2 * SECOND, 0, true, 9 * MINUTE},
        {20 * MINUTE, 0, true, 9 * MINUTE},
        {2 * SECOND, day, true, 9 * MINUTE},
        {2 * SECOND, -30 * SECOND, true, 9 * MINUTE + 28 * SECOND},
        {2 * SECOND, -day, true, 10 * MINUTE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t left = left_after(store_world_new(2, 20), cases[i].down_ms, cases[i].step_ms, cases[i].reboots);
        if (left != cases[i].left_ms)
            fail_msg("case %zu: %lld ms are left, not %lld", i, (long long)left, (long long)cases[i].left_ms);
    }
}

/* ---- compaction ---- */

static void a_rewritten_journal_has_exactly_what_lives(void **state) {
    /* Red when a living hold is not copied (or not as it is now), a dead one is, or the old segment stays. */
    (void)state;
    struct store_world *world = store_world_new(4, 40);
    world->settings.compact_bytes = 4096;
    store_world_open(world);
    struct id held = store_took(world, "ada", "A1 A2 A3"), paying = store_took(world, "ada", "A4"),
              kept = store_took(world, "ada", "A5");
    step(world, HOLD_STEP_BEGIN_PAYMENT, paying);
    step(world, HOLD_STEP_BEGIN_PAYMENT, kept);
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < 10; i++)
            step(world, HOLD_STEP_RELEASE, store_took(world, "bob", "B1 B2 B3 B4"));
        synced(world);
    }
    step(world, HOLD_STEP_KEEP, kept);
    store_world_close(world);
    assert_in_range(journal_bytes(world), 500, 30000); /* of some 200,000 written */
    store_world_open(world);
    assert_int_equal(world->recovery.restored, 3);
    assert_int_equal(state_of(world, held), HOLD_HELD);
    assert_int_equal(hold_of(world, held).seat_count, 3);
    assert_int_equal(hold_of(world, paying).payments_begun, 0);
    assert_int_equal(hold_of(world, kept).payments_begun, 1);
    assert_int_equal(counts_of(world).held, 5);
    store_world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seat_wanted_by_two_is_given_to_the_first),
        cmocka_unit_test(best_available_is_taken_too),
        cmocka_unit_test(only_an_unpaid_hold_in_time_is_released),
        cmocka_unit_test(a_payment_is_ended_only_while_it_runs_and_by_its_own_booking),
        cmocka_unit_test(what_is_due_ends_batch_by_batch),
        cmocka_unit_test(a_restart_finds_the_holds_that_live_and_no_others),
        cmocka_unit_test(a_hold_whose_payment_was_open_comes_back_though_its_time_is_over),
        cmocka_unit_test(the_ledger_wins_over_the_journal),
        cmocka_unit_test(holds_on_another_plan_are_not_put_on_this_one),
        cmocka_unit_test(shows_with_one_tag_keep_apart_and_a_show_that_is_gone_is_forgotten),
        cmocka_unit_test(a_kill_forgets_nothing_that_was_synced_and_no_hold_by_halves),
        cmocka_unit_test(the_time_left_outlives_every_step_of_the_wall_clock),
        cmocka_unit_test(a_rewritten_journal_has_exactly_what_lives),
    };
    return cmocka_run_group_tests_name("memory_store", tests, NULL, NULL);
}
