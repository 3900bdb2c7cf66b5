/* The audit finds what it says it checks: a sound ledger with something of everything, damaged in one way at a time. */
#include "ledger_world.h"

#include <stdlib.h>
#include <unistd.h>

#include "engines/sqlite/audit.h"

struct findings {
    unsigned checks, empty_checks, failed_checks, differences;
    char texts[8192];
};

static void note_check(void *context, const char *text) {
    struct findings *findings = context;
    findings->checks++;
    findings->failed_checks += strncmp(text, "NOT SO", 6) == 0;
    findings->empty_checks += strstr(text, "(0 ") != NULL;
    if (strstr(text, "(0 "))
        snprintf(findings->texts + strlen(findings->texts), sizeof findings->texts - strlen(findings->texts),
                 "empty: %s\n", text);
}

static void note_difference(void *context, const char *text) {
    struct findings *findings = context;
    findings->differences++;
    snprintf(findings->texts + strlen(findings->texts), sizeof findings->texts - strlen(findings->texts), "%s\n", text);
}

static enum result audit(const struct world *world, struct findings *findings, char *fault) {
    struct audit_listener listener = {.context = findings, .check = note_check, .difference = note_difference};
    *findings = (struct findings){0};
    fault[0] = '\0';
    return audit_run(world->folder, &listener, fault, 512);
}

static void sell(struct world *world, unsigned number, const char *seats, uint64_t fence) {
    assert_int_equal(world_sell(world, number, seats, fence), RESULT_OK);
}

static void give_back(struct world *world, unsigned number, const char *seats, uint64_t fence, uint64_t version,
                      uint32_t count) {
    static const uint32_t first[] = {0};
    struct booking booking = world_booking(world, number, seats, fence);
    booking.status = BOOKING_CONFIRMED;
    booking.payment_state = PAYMENT_STATE_CAPTURED;
    struct ledger_command command = command_cancel(&booking, SAGA_DONE, version, count, first);
    assert_int_equal(world_do(world, &command), RESULT_OK);
}

static void give_up(struct world *world, unsigned number, const char *seats, uint64_t fence) {
    struct booking booking = world_booking(world, number, seats, fence);
    struct ledger_command command = command_open(&booking);
    assert_int_equal(world_do(world, &command), RESULT_OK);
    booking.saga = SAGA_CANCELLED;
    booking.status = BOOKING_CANCELLED;
    booking.payment_state = PAYMENT_STATE_VOIDED;
    command = command_step(&booking, SAGA_OPENED);
    assert_int_equal(world_do(world, &command), RESULT_OK);
}

static void sell_and_capture(struct world *world, unsigned number, const char *seats, uint64_t fence) {
    struct booking booking = world_booking(world, number, seats, fence);
    struct ledger_command command = command_open(&booking);
    assert_int_equal(world_do(world, &command), RESULT_OK);
    command = command_sell(&booking, SAGA_OPENED, false);
    assert_int_equal(world_do(world, &command), RESULT_OK);
    booking.saga = SAGA_DONE;
    booking.payment_state = PAYMENT_STATE_CAPTURED;
    command = command_step(&booking, SAGA_CAPTURING);
    assert_int_equal(world_do(world, &command), RESULT_OK);
}

#define PICTURE "01930000000070008000000000000005" /* the hash below */

static void put_picture(struct world *world, struct bytes content, struct bytes settings_json) {
    struct show_image image = {.hash = world_id(5), .type = BYTES("image/png"), .bytes = content};
    struct show_record record = {.show_id = world->show,
                                 .event_name = BYTES("An Evening"),
                                 .start_ms = NOW + 86400000,
                                 .settings_json = settings_json,
                                 .updated_ms = NOW};
    struct ledger_command command = {.kind = LEDGER_CHANGE_SHOW};
    command.show.record = &record;
    command.show.image = &image;
    assert_int_equal(world_do(world, &command), RESULT_OK);
}

/* A closed ledger with something of everything in it, all well:
 *   1  A1 A2  sold, its answer kept         2  A3  being paid
 *   3  B1 B2  sold, B1 given back           4  B3  sold, given back whole; then 5  B3  sold
 *   6  A4     never sold, cancelled         7  A5     paid for
 *   A10 off sale; the show has a picture
 * and a queue up to place 100: 1 and 3 are of one fan, 3 when 1 had expired, whose end was written later; 2 left before
 * its time, and its fan came back at once as 4. */
static void make_sound_world(struct world *world) {
    uint64_t base;
    world_make(world);
    world->settings.outbox = true;
    world_open(world);
    assert_int_equal(world_create_show(world), RESULT_OK);
    base = (uint64_t)world->ledger.epoch << 40;
    struct booking booking = world_booking(world, 1, "A1 A2", base + 2);
    struct ledger_command command = command_sell(&booking, SAGA_OPENED, true);
    command.answer = answer_of(70, "{\"booking_id\":\"b01930000000070008000000000000001\",\"status\":\"CONFIRMED\"}");
    assert_int_equal(world_do(world, &command), RESULT_OK);
    booking = world_booking(world, 2, "A3", base + 4);
    command = command_open(&booking);
    command.answer = answer_of(80, "{\"seat_ids\":[\"A3\"]}");
    assert_int_equal(world_do(world, &command), RESULT_OK);
    sell(world, 3, "B1 B2", base + 6);
    give_back(world, 3, "B1 B2", base + 6, base + 20, 1);
    sell(world, 4, "B3", base + 8);
    give_back(world, 4, "B3", base + 8, base + 22, 0);
    sell(world, 5, "B3", base + 24);
    give_up(world, 6, "A4", base + 10);
    sell_and_capture(world, 7, "A5", base + 12);
    struct seat_change block = {world_seat_index(world, "A10"), SEAT_BLOCKED, base + 26};
    command = command_seats(world, LEDGER_BLOCK_SEATS, 1, &block);
    assert_int_equal(world_do(world, &command), RESULT_OK);
    struct ledger_command queue[] = {command_raise(world, 100),       command_admit(world, 1, 1, 0),
                                     command_admit(world, 2, 2, 0),   command_end_pass(world, 2, NOW + 60000),
                                     command_admit(world, 3, 1, 300), command_end_pass(world, 1, NOW + 400000),
                                     command_admit(world, 4, 2, 60)};
    for (size_t i = 0; i < sizeof queue / sizeof queue[0]; i++)
        assert_int_equal(world_do(world, &queue[i]), RESULT_OK);
    put_picture(world, BYTES("one"), BYTES("{\"image\":\"" PICTURE ".png\"}"));
    world_close(world);
}

static void a_sound_ledger_has_no_differences(void **state) {
    /* red when: a check takes something sound for a difference, or looks at nothing */
    (void)state;
    struct world world;
    struct findings findings;
    char fault[512];
    make_sound_world(&world);
    assert_int_equal(audit(&world, &findings, fault), RESULT_OK);
    if (findings.differences || findings.empty_checks)
        fail_msg("%s", findings.texts);
    assert_int_equal(findings.failed_checks, 0);
    assert_int_equal(findings.checks, 30);
    world_remove(&world);
}

#define ONE "01930000-0000-7000-8000-000000000001"
#define THREE "01930000-0000-7000-8000-000000000003"
#define FOUR "01930000-0000-7000-8000-000000000004"
#define FIVE "01930000-0000-7000-8000-000000000005"
#define SIX "01930000-0000-7000-8000-000000000006"
#define TWO "01930000-0000-7000-8000-000000000002"

static const struct {
    const char *sql, *finding;
} damages[] = {
    /* the file and its references */
    {"UPDATE bookings SET show_id = 'x' WHERE booking_id = '" TWO "'", "of bookings names a row of shows"},
    {"DELETE FROM show_seats WHERE seat_id = 'A1'", "names a row of show_seats that is not there"},
    {"DELETE FROM plans", "of shows names a row of plans"},
    /* lists */
    {"UPDATE bookings SET seat_ids = '[\"A3\"' WHERE booking_id = '" TWO "'", "no sound list"},
    {"UPDATE bookings SET seat_amounts = '[]' WHERE booking_id = '" TWO "'", "no sound list"},
    {"UPDATE bookings SET seat_ids = '[7]' WHERE booking_id = '" TWO "'", "no sound list"},
    {"UPDATE bookings SET seat_ids = '[]', seat_amounts = '[]' WHERE booking_id = '" TWO "'", "no sound list"},
    {"UPDATE bookings SET seat_ids = '[\"A3\",7]', seat_amounts = '[1,2]' WHERE booking_id = '" TWO "'",
     "no sound list"},
    {"UPDATE bookings SET seat_amounts = '[\"5000\"]' WHERE booking_id = '" TWO "'", "no sound list"},
    /* sold twice */
    {"UPDATE bookings SET seat_ids = '[\"A1\"]', seat_amounts = '[5000]' WHERE booking_id = '" FIVE "'",
     "seat A1 of show 01930000-0000-7000-8000-000000000000 is in 2 confirmed bookings"},
    {"CREATE TABLE t (show_id TEXT, seat_id TEXT, booking_id TEXT, amount INTEGER, fence INTEGER);"
     "INSERT INTO t SELECT * FROM tickets; INSERT INTO t SELECT * FROM tickets WHERE seat_id = 'A2';"
     "DROP TABLE tickets; ALTER TABLE t RENAME TO tickets",
     "seat A2 of show 01930000-0000-7000-8000-000000000000 has 2 tickets"},
    /* tickets and bookings */
    {"UPDATE bookings SET status = 'CANCELLED' WHERE booking_id = '" FIVE "'", "which is CANCELLED"},
    {"UPDATE tickets SET booking_id = '" FIVE "' WHERE seat_id = 'A1'", "does not list that seat"},
    {"UPDATE tickets SET booking_id = 'x' WHERE seat_id = 'A1'", "of booking x, which is not there"},
    {"DELETE FROM tickets WHERE seat_id = 'A2'", "is confirmed and has no ticket for seat A2"},
    /* seats */
    {"UPDATE show_seats SET status = 'HELD' WHERE seat_id = 'A1'", "is HELD, but has a ticket"},
    {"UPDATE show_seats SET status = 'BOOKED' WHERE seat_id = 'A9'", "is BOOKED, but has no ticket"},
    {"UPDATE show_seats SET version = version + 2 WHERE seat_id = 'A1'", "but its ticket was sold under"},
    {"INSERT INTO seat_blocks SELECT show_id, 'A1', 1, '', '' FROM shows", "is off sale and has a ticket"},
    /* money */
    {"UPDATE tickets SET amount = 4999 WHERE seat_id = 'A1'", "cost 10000 EUR, but its tickets 9999"},
    {"UPDATE ticket_history SET amount = 1 WHERE seat_id = 'B1'",
     "cost 10000 EUR, but its tickets 5000 and those given back 1"},
    {"UPDATE bookings SET amount = 1 WHERE booking_id = '" TWO "'", "costs 1 EUR, but its seats 5000"},
    {"UPDATE bookings SET refunded = 0 WHERE booking_id = '" THREE "'", "gave back 0 of 10000"},
    {"UPDATE bookings SET refunded = 5001 WHERE booking_id = '" FOUR "'", "gave back 5001 of 5000"},
    {"UPDATE bookings SET refunded = 1 WHERE booking_id = '" SIX "'", "gave back 1 of 5000"},
    /* pictures */
    {"DELETE FROM media", "has no picture " PICTURE ".png"},
    {"UPDATE media SET hash = '0123'", "has no picture " PICTURE ".png"},
    {"UPDATE shows SET settings = '{}'", "has a picture that its settings do not name"},
    {"UPDATE media SET show_id = 'x'", "of media names a row of shows"},
    /* status, payment and saga */
    {"UPDATE bookings SET payment_state = 'CAPTURED' WHERE booking_id = '" SIX "'",
     "with its payment CAPTURED and its saga CANCELLED"},
    {"UPDATE bookings SET payment_state = 'AUTHORIZED' WHERE booking_id = '" ONE "'",
     "with its payment AUTHORIZED and its saga DONE"},
    {"UPDATE bookings SET saga = 'OPENED' WHERE booking_id = '" ONE "'",
     "is CONFIRMED with its payment CAPTURED and its saga OPENED"},
    {"UPDATE bookings SET saga = 'REFUNDED', payment_state = 'REFUNDED', refunded = 0 WHERE booking_id = '" FOUR "'",
     "is CANCELLED with its payment REFUNDED and its saga REFUNDED"},
    {"UPDATE bookings SET saga = 'CONFIRMING' WHERE booking_id = '" ONE "'", "its saga CONFIRMING"},
    {"UPDATE bookings SET saga = 'CAPTURING' WHERE booking_id = '" ONE "'", "its saga CAPTURING"},
    {"UPDATE bookings SET saga = 'CANCELLING' WHERE booking_id = '" ONE "'", "its saga CANCELLING"},
    {"UPDATE bookings SET saga = 'REFUNDING' WHERE booking_id = '" ONE "'", "its saga REFUNDING"},
    {"UPDATE bookings SET saga = 'REVIEW' WHERE booking_id = '" ONE "'", "its saga REVIEW"},
    {"UPDATE bookings SET saga = 'DREAMING' WHERE booking_id = '" TWO "'", "its saga DREAMING"},
    {"UPDATE bookings SET confirmed_at = NULL WHERE booking_id = '" ONE "'", "nobody wrote when"},
    {"UPDATE bookings SET reservation_id = (SELECT reservation_id FROM bookings WHERE booking_id = '" ONE "') "
     "WHERE booking_id = '" FIVE "'",
     "one reservation was sold in 2 bookings"},
    /* versions */
    {"UPDATE ticket_history SET fence = seat_version WHERE seat_id = 'B1'", "and went free under"},
    {"UPDATE ticket_history SET seat_version = seat_version + 100 WHERE seat_id = 'B3'",
     "went free under 1099511627898, but its ticket was sold under 1099511627800"},
    {"INSERT INTO ticket_history SELECT NULL, show_id, seat_id, booking_id, amount, fence, seat_version, ended_at, "
     "actor "
     "FROM ticket_history WHERE seat_id = 'B1'",
     "and was sold under 1099511627782 after it"},
    {"UPDATE show_seats SET version = 5 WHERE seat_id = 'B1'", "went free under 1099511627796, but is at version 5"},
    {"UPDATE show_seats SET version = 5 WHERE seat_id = 'A10'",
     "taken off sale under 1099511627802, but is at version 5"},
    {"UPDATE meta SET epoch = 0", "the ledger is in epoch 0"},
    {"UPDATE show_seats SET version = -1 WHERE seat_id = 'A9'", "at version -1"},
    /* answers and shows */
    {"UPDATE kept_answers SET body = CAST(replace(CAST(body AS TEXT), '0001\"', '0009\"') AS BLOB)",
     "names booking b01930000000070008000000000000009, which is not there"},
    {"UPDATE kept_answers SET body = CAST(replace(CAST(body AS TEXT), '0001\"', '0002\"') AS BLOB)",
     "which it never was"},
    {"DELETE FROM show_seats", "has no seats"},
    /* the queue */
    {"UPDATE admissions SET show_id = 'x' WHERE number = 1", "of admissions names a row of shows"},
    {"UPDATE queues SET show_id = 'x'", "of queues names a row of shows"},
    {"UPDATE queues SET number_ceiling = 2",
     "place 3 of show 01930000-0000-7000-8000-000000000000 was let in, but its queue gave out no number above 2"},
    {"DELETE FROM queues", "place 1 of show 01930000-0000-7000-8000-000000000000 was let in, but its queue gave out no "
                           "number above 0"},
    {"PRAGMA ignore_check_constraints = 1; UPDATE admissions SET number = 0 WHERE number = 1", "place 0 of show"},
    {"UPDATE admissions SET claimed_at = '2027-01-15T08:04:59.999Z' WHERE number = 3",
     "user fan-1 was let into show 01930000-0000-7000-8000-000000000000 at 2027-01-15T08:04:59.999Z as place 3, while "
     "an earlier pass lasted until 2027-01-15T08:05:00.000Z"},
    {"UPDATE admissions SET user_id = 'fan-1', ended_at = '2027-01-15T09:00:00.000Z' WHERE number = 2",
     "as place 2, while an earlier pass lasted until 2027-01-15T08:05:00.000Z"},
    {"PRAGMA ignore_check_constraints = 1; UPDATE admissions SET expires_at = '2027-01-15T07:59:59.999Z' WHERE number "
     "= 2",
     "place 2 of show 01930000-0000-7000-8000-000000000000 was let in at 2027-01-15T08:00:00.000Z, after its pass had "
     "expired at 2027-01-15T07:59:59.999Z"},
    {"PRAGMA ignore_check_constraints = 1; UPDATE admissions SET ended_at = '2027-01-15T07:59:59.999Z' WHERE number = "
     "2",
     "after its pass had ended at 2027-01-15T07:59:59.999Z"},
    /* what cannot even be asked */
    {"DROP TABLE ticket_history", "it cannot be checked that"},
};

static void copy_file(const char *from, const char *to) {
    char chunk[4096];
    size_t n;
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_true(in && out);
    while ((n = fread(chunk, 1, sizeof chunk, in)) > 0)
        assert_int_equal(fwrite(chunk, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void each_damage_is_found_and_named(void **state) {
    /* red when: a check of audit_checks.def is left out or asks the wrong thing */
    (void)state;
    struct world sound, world;
    struct findings findings;
    char fault[512];
    make_sound_world(&sound);
    world_make(&world);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        copy_file(sound.file, world.file);
        world_damage(&world, damages[i].sql);
        assert_int_equal(audit(&world, &findings, fault), RESULT_OK);
        if (!findings.differences || !strstr(findings.texts, damages[i].finding))
            fail_msg("%s\nwas to be found as \"%s\"; found:\n%s", damages[i].sql, damages[i].finding, findings.texts);
    }
    world_remove(&world);
    world_remove(&sound);
}

static void a_damaged_page_is_found(void **state) {
    /* red when: the file itself is not checked */
    (void)state;
    struct world world;
    struct findings findings;
    char fault[512];
    make_sound_world(&world);
    int64_t page = world_ask(&world, "SELECT rootpage FROM sqlite_schema WHERE name = 'bookings_by_reservation'");
    FILE *file = fopen(world.file, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (page - 1) * 4096 + 8, SEEK_SET), 0);
    for (int i = 0; i < 40; i++)
        assert_int_not_equal(fputc(0x5a, file), EOF);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(audit(&world, &findings, fault), RESULT_OK);
    assert_true(findings.differences > 0);
    world_is_refused(&world, RESULT_CORRUPT, "backup");
    world_remove(&world);
}

static void many_differences_are_counted_and_cut_short(void **state) {
    /* red when: a ledger in ruins floods the terminal, or the rest is not counted */
    (void)state;
    struct world world;
    struct findings findings;
    char fault[512];
    make_sound_world(&world);
    world_damage(&world, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
                         "INSERT INTO show_seats SELECT show_id, 'X' || i, 'BOOKED', 1 FROM shows, n");
    assert_int_equal(audit(&world, &findings, fault), RESULT_OK);
    assert_int_equal(findings.differences, AUDIT_DIFFERENCES + 1);
    assert_non_null(strstr(findings.texts, "and 150 more"));
    world_remove(&world);
}

static void an_audit_changes_nothing_and_sees_the_log(void **state) {
    /* red when: the audit writes or checkpoints, or does not read the write-ahead log */
    (void)state;
    struct world world, copy;
    struct findings findings;
    char fault[512], log[128], copied[128];
    world_start(&world, LEDGER_OPTIMISTIC);
    sell(&world, 1, "A1 A2", ((uint64_t)world.ledger.epoch << 40) + 2);
    world_make(&copy); /* as after a kill: the file with its log */
    snprintf(log, sizeof log, "%s-wal", world.file);
    snprintf(copied, sizeof copied, "%s-wal", copy.file);
    copy_file(world.file, copy.file);
    copy_file(log, copied);
    assert_int_equal(audit(&copy, &findings, fault), RESULT_OK);
    assert_int_equal(findings.differences, 0);
    assert_int_equal(access(copied, F_OK), 0);
    assert_int_equal(world_ask(&copy, "SELECT count(*) FROM tickets"), 2);
    world_remove(&copy);
    world_remove(&world);
}

static void what_is_no_ledger_is_said_to_be_none(void **state) {
    /* red when: an audit of nothing is a success */
    (void)state;
    struct world world;
    struct findings findings;
    char fault[512];
    world_make(&world);
    assert_int_equal(audit(&world, &findings, fault), RESULT_NOT_FOUND);
    assert_non_null(strstr(fault, world.folder));
    FILE *file = fopen(world.file, "wb");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("no ledger ", file);
    fclose(file);
    assert_int_equal(audit(&world, &findings, fault), RESULT_CORRUPT);
    assert_non_null(strstr(fault, "not an SQLite database"));
    world_remove(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_ledger_has_no_differences),
        cmocka_unit_test(each_damage_is_found_and_named),
        cmocka_unit_test(a_damaged_page_is_found),
        cmocka_unit_test(many_differences_are_counted_and_cut_short),
        cmocka_unit_test(an_audit_changes_nothing_and_sees_the_log),
        cmocka_unit_test(what_is_no_ledger_is_said_to_be_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
