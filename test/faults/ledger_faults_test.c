/* The ledger on a disk that fails: every write, sync and truncation of a whole run, and every read, fails in its turn,
 * once and for good, and at each the power is cut. A failed sync loses what it was to sync, whatever the next one says.
 *
 * After each: the ledger said so and stayed failed, what was acknowledged is there, what was not is whole or absent,
 * the audit finds nothing, and the run can be gone on with to the same end. */
#include "ledger_world.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "engines/sqlite/audit.h"
#include "fault_vfs.h"

/* A step of the run, and the question that tells how much of it is in the ledger: 0 nothing, 1 all, else a part. */
struct step {
    enum result (*run)(struct world *world);
    const char *seen;
};

static struct booking confirming(struct world *world) {
    struct booking booking = world_booking(world, 2, "A3 A4", 200);
    booking.saga = SAGA_CONFIRMING;
    snprintf(booking.intent_id, sizeof booking.intent_id, "pi_2");
    return booking;
}

static enum result sell_first(struct world *world) {
    return world_sell(world, 1, "A1 A2", 100);
}

static enum result open_second(struct world *world) {
    struct booking booking = world_booking(world, 2, "A3 A4", 200);
    struct ledger_command command = command_open(&booking);
    return world_do(world, &command);
}

static enum result step_second(struct world *world) {
    struct booking booking = confirming(world);
    struct ledger_command command = command_step(&booking, SAGA_OPENED);
    return world_do(world, &command);
}

static enum result sell_second(struct world *world) {
    struct booking booking = confirming(world);
    struct ledger_command command = command_sell(&booking, SAGA_CONFIRMING, false);
    command.answer = answer_of(50, "{\"booking_id\":\"b01930000000070008000000000000002\",\"status\":\"CONFIRMED\"}");
    return world_do(world, &command);
}

/* In one commit: one gets both seats, the next loses its second one, the last is not concerned. */
static enum result sell_together(struct world *world) {
    struct booking bookings[] = {world_booking(world, 3, "A5 A6", 300), world_booking(world, 4, "A7 A6", 310),
                                 world_booking(world, 5, "A8", 320)};
    struct ledger_command commands[3];
    for (unsigned i = 0; i < 3; i++)
        commands[i] = command_sell(&bookings[i], SAGA_OPENED, true);
    world_do_together(world, commands, 3);
    if (commands[0].result == RESULT_OK) {
        assert_int_equal(commands[1].result, RESULT_CONFLICT);
        assert_int_equal(commands[2].result, RESULT_OK);
    } else {
        assert_int_equal(commands[2].result, RESULT_LEDGER_UNAVAILABLE);
    }
    return commands[0].result;
}

static enum result cancel_first(struct world *world) {
    struct booking booking = world_booking(world, 1, "A1 A2", 100);
    booking.payment_state = PAYMENT_STATE_CAPTURED;
    struct ledger_command command = command_cancel(&booking, SAGA_DONE, 400, 0, NULL);
    return world_do(world, &command);
}

static enum result sell_again(struct world *world) {
    return world_sell(world, 6, "A2 A1", 500);
}

static enum result block_seat(struct world *world) {
    struct seat_change block = {world_seat_index(world, "A10"), SEAT_BLOCKED, 600};
    struct ledger_command command = command_seats(world, LEDGER_BLOCK_SEATS, 1, &block);
    return world_do(world, &command);
}

static enum result raise_queue(struct world *world) {
    struct ledger_command command = command_raise(world, 100);
    return world_do(world, &command);
}

static enum result admit(struct world *world) {
    struct ledger_command command = command_admit(world, 7, 7, 0);
    command.answer = answer_of(90, "{\"pass\":7}");
    return world_do(world, &command);
}

static enum result end_pass(struct world *world) {
    struct ledger_command command = command_end_pass(world, 7, NOW + 5000);
    return world_do(world, &command);
}

static const struct step steps[] = {
    {world_create_show,
     "SELECT CASE (SELECT count(*) FROM shows) + (SELECT count(*) FROM plans) + (SELECT count(*) FROM show_seats) "
     "WHEN 0 THEN 0 WHEN 42 THEN 1 ELSE 2 END"},
    {sell_first, "SELECT count(*) FROM bookings WHERE booking_id LIKE '%1'"},
    {open_second, "SELECT count(*) FROM bookings WHERE booking_id LIKE '%2'"},
    {step_second, "SELECT count(*) FROM bookings WHERE booking_id LIKE '%2' AND saga <> 'OPENED'"},
    {sell_second, "SELECT CASE (SELECT count(*) FROM bookings WHERE booking_id LIKE '%2' AND status = 'CONFIRMED') + "
                  "(SELECT count(*) FROM kept_answers WHERE CAST(body AS TEXT) LIKE '%CONFIRMED%') WHEN 0 THEN 0 WHEN "
                  "2 THEN 1 ELSE 2 END"},
    {sell_together, "SELECT CASE (SELECT count(*) FROM tickets WHERE seat_id IN ('A5', 'A6', 'A7', 'A8')) WHEN 0 THEN "
                    "0 WHEN 3 THEN 1 ELSE 2 END"},
    {cancel_first, "SELECT CASE (SELECT count(*) FROM ticket_history) + (SELECT count(*) FROM audit WHERE action = "
                   "'booking.cancelled') WHEN 0 THEN 0 WHEN 3 THEN 1 ELSE 2 END"},
    {sell_again, "SELECT count(*) FROM bookings WHERE booking_id LIKE '%6'"},
    {block_seat,
     "SELECT CASE (SELECT count(*) FROM seat_blocks) + (SELECT count(*) FROM audit WHERE action = 'seats.blocked') "
     "WHEN 0 THEN 0 WHEN 2 THEN 1 ELSE 2 END"},
    {raise_queue, "SELECT count(*) FROM queues"},
    {admit, "SELECT CASE (SELECT count(*) FROM admissions) + (SELECT count(*) FROM kept_answers WHERE "
            "CAST(body AS TEXT) LIKE '%pass%') WHEN 0 THEN 0 WHEN 2 THEN 1 ELSE 2 END"},
    {end_pass, "SELECT count(*) FROM admissions WHERE ended_at IS NOT NULL"},
};
#define STEPS (sizeof steps / sizeof steps[0])

/* Runs from step `from` until one is not acknowledged; returns its number. */
static unsigned run_from(struct world *world, unsigned from) {
    unsigned at = from;
    while (at < STEPS && steps[at].run(world) == RESULT_OK)
        at++;
    return at;
}

static void note_check(void *context, const char *text) {
    (void)context;
    (void)text;
}

static void fail_on_difference(void *context, const char *text) {
    fail_msg("%s: %s", (const char *)context, text);
}

static int64_t ask(sqlite3 *db, const char *question) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, question, -1, &statement, NULL) != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW)
        fail_msg("%s: %s", question, sqlite3_errmsg(db));
    int64_t answer = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return answer;
}

/* What a start finds: all that was acknowledged; the step that was under way whole or not at all; nothing beyond. */
static unsigned look_over(struct world *world, unsigned acknowledged, const char *when) {
    char fault[512];
    unsigned present = 0;
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(world->file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    for (unsigned i = 0; i < STEPS; i++) {
        int64_t seen = ask(db, steps[i].seen);
        if (seen > 1 || (seen == 0 && i < acknowledged) || (seen == 1 && i > acknowledged))
            fail_msg("%s: step %u is %lld, after %u were acknowledged", when, i, (long long)seen, acknowledged);
        present += (unsigned)seen;
    }
    sqlite3_close(db);
    world_close(world);
    struct audit_listener listener = {(void *)(uintptr_t)when, note_check, fail_on_difference};
    if (audit_run(world->folder, &listener, fault, sizeof fault) != RESULT_OK)
        fail_msg("%s: %s", when, fault);
    world_open(world);
    return present;
}

/* One run from step `from`, with one fault; the number of the first step that was not acknowledged. */
static unsigned run_with_fault(struct world *world, const struct fault *fault, unsigned from, const char *when) {
    char detail[512] = "";
    unsigned acknowledged = from;
    fault_vfs_arm(fault);
    enum result result = sqlite_ledger_open(world->folder, &world->settings, &world->ledger, detail, sizeof detail);
    if (result == RESULT_OK) {
        bool met_before = fault_vfs_met(); /* and SQLite made up for it: a journal that was to be deleted is emptied */
        acknowledged = run_from(world, from);
        /* Behind whatever checkpoint is under way; a failure is for good, although a fault that came once is over. */
        enum result after = world_do(world, &(struct ledger_command){.kind = LEDGER_KEEP_ANSWERS});
        bool has_failed = world->ledger.failed(world->ledger.engine);
        if ((acknowledged < STEPS || (fault_vfs_met() && !met_before)) && !has_failed)
            fail_msg("%s: up to step %u, and the ledger says it is well", when, acknowledged);
        if (has_failed && after != RESULT_LEDGER_UNAVAILABLE)
            fail_msg("%s: a failed ledger takes commands", when);
        world->ledger.close(world->ledger.engine);
    } else if (!detail[0] || !fault_vfs_met()) {
        fail_msg("%s: not opened: %s, \"%s\"", when, result_name(result), detail);
    }
    return acknowledged;
}

static void remove_shared_memory(const struct world *world) {
    char path[128];
    snprintf(path, sizeof path, "%s-shm", world->file);
    unlink(path);
}

/* A whole run with a fault at the n-th operation; false once no operation is the n-th any more. */
static bool survives(const struct fault *fault, bool cut_power, uint32_t cache_kib, enum ledger_locking locking) {
    /* What a fresh ledger reads it has just written; one that starts on a used file has to read it. */
    unsigned from = fault->kind == FAULT_READS ? 3 : 0;
    char when[128];
    struct world world;
    snprintf(when, sizeof when, "%s %d fails %s with %d%s", fault->kind == FAULT_READS ? "read" : "write", fault->at,
             fault->once ? "once" : "for good", fault->code, cut_power ? ", power cut" : "");
    world_make(&world);
    world.settings.locking = locking;
    world.settings.vfs = FAULT_VFS; /* to the end: it does not wait for the real disk */
    world.settings.cache_kib = cache_kib;
    world.settings.checkpoint_pages = 12; /* so that checkpoints are among what fails */
    fault_vfs_arm(&(struct fault){0});
    if (from) {
        world_open(&world);
        for (unsigned i = 0; i < from; i++)
            assert_int_equal(steps[i].run(&world), RESULT_OK);
        world_close(&world);
    }
    unsigned acknowledged = run_with_fault(&world, fault, from, when);
    bool met = fault_vfs_met();
    if (cut_power) {
        fault_vfs_cut_power((unsigned)fault->at);
        remove_shared_memory(&world); /* it was memory */
    }
    fault_vfs_arm(&(struct fault){0});
    world_open(&world);
    unsigned present = look_over(&world, acknowledged, when);
    if (run_from(&world, present) != STEPS)
        fail_msg("%s: the run cannot be gone on with", when);
    world_remove(&world);
    return met;
}

/* A cache of next to nothing lets SQLite read and write in the middle of statements. */
#define SMALL_CACHE 1

static void sweep(enum fault_kind kind, bool once, int code, bool cut_power, uint32_t cache_kib, int least) {
    int at = 1;
    fault_vfs_register();
    while (survives(&(struct fault){kind, at, once, code}, cut_power, cache_kib,
                    at % 2 ? LEDGER_OPTIMISTIC : LEDGER_PESSIMISTIC))
        at++;
    if (at < least)
        fail_msg("only %d operations were there to fail", at - 1);
}

static void a_write_that_fails_once_fails_the_ledger(void **state) {
    /* red when: an error of the engine is not passed on, or a command is acknowledged that was not committed */
    (void)state;
    sweep(FAULT_WRITES, true, SQLITE_IOERR, false, SMALL_CACHE, 100);
}

static void a_disk_that_dies_loses_nothing_acknowledged(void **state) {
    /* red when: closing a failed ledger goes on writing, or what was acknowledged was not yet written */
    (void)state;
    sweep(FAULT_WRITES, false, SQLITE_IOERR, false, 0, 100);
}

static void a_full_disk_fails_the_ledger(void **state) {
    /* red when: SQLITE_FULL is taken for a refusal of the command */
    (void)state;
    sweep(FAULT_WRITES, false, SQLITE_FULL, false, 0, 100);
}

static void a_page_that_cannot_be_read_fails_the_ledger(void **state) {
    /* red when: a failed read is taken for an absent row */
    (void)state;
    sweep(FAULT_READS, true, SQLITE_IOERR, false, SMALL_CACHE, 100);
}

static void a_sync_that_failed_is_never_trusted_again(void **state) {
    /* red when: after a failed sync, which may have lost what it was to sync, anything more is acknowledged */
    (void)state;
    sweep(FAULT_WRITES, true, SQLITE_IOERR, true, 0, 100);
}

static void what_was_acknowledged_survives_a_power_cut(void **state) {
    /* red when: synchronous is NORMAL, or `done` comes before the sync */
    (void)state;
    sweep(FAULT_WRITES, false, SQLITE_IOERR, true, 0, 100);
}

int main(void) {
    /* Every run says loudly that it failed, as it should. */
    log_set_level(LOG_LEVEL_ERROR + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_fails_once_fails_the_ledger),
        cmocka_unit_test(a_disk_that_dies_loses_nothing_acknowledged),
        cmocka_unit_test(a_full_disk_fails_the_ledger),
        cmocka_unit_test(a_page_that_cannot_be_read_fails_the_ledger),
        cmocka_unit_test(a_sync_that_failed_is_never_trusted_again),
        cmocka_unit_test(what_was_acknowledged_survives_a_power_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
