/* The audit's chain: which acts it tells of, who reads it, and that nothing in it, nor in the bookings that it is
 * about, can be changed without being named. */
#include "ledger_world.h"

#include <stdlib.h>

#include "engines/sqlite/audit.h"
#include "engines/sqlite/chain.h"
#include "engines/sqlite/migrations.h"

#define UNLOCK "DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_cut; "
#define BOOKING(number) "'01930000-0000-7000-8000-00000000000" number "'"

/* ---- verifying ---- */

struct findings {
    unsigned differences;
    char texts[16384];
};

static void note_check(void *context, const char *text) {
    (void)context;
    (void)text;
}

static void note_difference(void *context, const char *text) {
    struct findings *findings = context;
    size_t length = strlen(findings->texts);
    findings->differences++;
    snprintf(findings->texts + length, sizeof findings->texts - length, "%s\n", text);
}

static void verify(const struct world *world, struct findings *findings) {
    struct audit_listener listener = {.context = findings, .check = note_check, .difference = note_difference};
    char fault[512] = "";
    *findings = (struct findings){0};
    if (audit_run(world->folder, &listener, fault, sizeof fault) != RESULT_OK)
        fail_msg("%s", fault);
}

static void assert_sound(const struct world *world) {
    struct findings findings;
    verify(world, &findings);
    if (findings.differences)
        fail_msg("%s", findings.texts);
}

static void copy_ledger(const struct world *from, const struct world *to) {
    char chunk[65536];
    size_t n;
    FILE *in = fopen(from->file, "rb"), *out = fopen(to->file, "wb");
    assert_true(in && out);
    while ((n = fread(chunk, 1, sizeof chunk, in)) > 0)
        assert_int_equal(fwrite(chunk, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* The damage to a copy of the ledger is named. */
static void assert_named(const struct world *sound, const struct world *copy, const char *sql, const char *finding) {
    struct findings findings;
    copy_ledger(sound, copy);
    world_damage(copy, sql);
    verify(copy, &findings);
    if (!strstr(findings.texts, finding))
        fail_msg("%s\nwas to be found as \"%s\"; found:\n%s", sql, finding, findings.texts);
}

/* ---- a world in which everything happened that the audit tells of ---- */

static void step(struct world *world, struct booking *booking, enum saga_state from, enum saga_state to,
                 enum booking_status status, enum payment_state payment) {
    booking->saga = to;
    booking->status = status;
    booking->payment_state = payment;
    struct ledger_command command = command_step(booking, from);
    assert_int_equal(world_do(world, &command), RESULT_OK);
}

static void open_paid(struct world *world, struct booking *booking) {
    struct ledger_command command = command_open(booking);
    assert_int_equal(world_do(world, &command), RESULT_OK);
    step(world, booking, SAGA_OPENED, SAGA_CONFIRMING, BOOKING_PENDING, PAYMENT_STATE_NONE);
}

/* Booking 1: sold, paid, given back in part and then whole, by an operator who says why. */
static void sell_and_take_back(struct world *world) {
    static const uint32_t second[] = {1};
    struct booking booking = world_booking(world, 1, "A1 A2", 100);
    open_paid(world, &booking);
    struct ledger_command command = command_sell(&booking, SAGA_CONFIRMING, false);
    assert_int_equal(world_do(world, &command), RESULT_OK);
    step(world, &booking, SAGA_CAPTURING, SAGA_DONE, BOOKING_CONFIRMED, PAYMENT_STATE_CAPTURED);
    command = command_cancel(&booking, SAGA_DONE, 200, 1, second);
    command.why = BYTES("the fan is ill");
    assert_int_equal(world_do(world, &command), RESULT_OK);
    step(world, &booking, SAGA_REFUNDING, SAGA_DONE, BOOKING_CONFIRMED, PAYMENT_STATE_CAPTURED);
    booking.seat_count = 1;
    command = command_cancel(&booking, SAGA_DONE, 300, 0, NULL);
    command.why = BYTES("the fan stays ill");
    assert_int_equal(world_do(world, &command), RESULT_OK);
    step(world, &booking, SAGA_REFUNDING, SAGA_REFUNDED, BOOKING_CANCELLED, PAYMENT_STATE_REFUNDED);
}

/* Booking 2: given up, then its money came after all; a human had to look; sold in the end. */
static void give_up_and_sell(struct world *world) {
    struct booking booking = world_booking(world, 2, "A3", 102);
    open_paid(world, &booking);
    snprintf(booking.reason, sizeof booking.reason, "expired");
    step(world, &booking, SAGA_CONFIRMING, SAGA_CANCELLED, BOOKING_CANCELLED, PAYMENT_STATE_NONE);
    booking.fence = 400;
    step(world, &booking, SAGA_CANCELLED, SAGA_CONFIRMING, BOOKING_PENDING, PAYMENT_STATE_AUTHORIZED);
    step(world, &booking, SAGA_CONFIRMING, SAGA_REVIEW, BOOKING_PENDING, PAYMENT_STATE_REVIEW);
    step(world, &booking, SAGA_REVIEW, SAGA_CONFIRMING, BOOKING_PENDING, PAYMENT_STATE_AUTHORIZED);
    struct ledger_command command = command_sell(&booking, SAGA_CONFIRMING, false);
    command.booking.late = true;
    assert_int_equal(world_do(world, &command), RESULT_OK);
    step(world, &booking, SAGA_CAPTURING, SAGA_DONE, BOOKING_CONFIRMED, PAYMENT_STATE_CAPTURED);
}

static void change_show(struct world *world) {
    struct show_record record = {.show_id = world->show,
                                 .event_name = BYTES("An Evening"),
                                 .start_ms = NOW + 90000000,
                                 .settings_json = BYTES("{\"hold_seconds\":300}"),
                                 .updated_ms = NOW + 3000};
    struct ledger_command command = {.kind = LEDGER_CHANGE_SHOW, .actor = BYTES("operator")};
    command.show.record = &record;
    command.show.action = BYTES("show.opened");
    assert_int_equal(world_do(world, &command), RESULT_OK);
}

static void block_and_unblock(struct world *world) {
    struct seat_change block = {world_seat_index(world, "A10"), SEAT_BLOCKED, 600};
    struct ledger_command command = command_seats(world, LEDGER_BLOCK_SEATS, 1, &block);
    assert_int_equal(world_do(world, &command), RESULT_OK);
    block.version = 602;
    command = command_seats(world, LEDGER_UNBLOCK_SEATS, 1, &block);
    command.why = (struct bytes){0};
    assert_int_equal(world_do(world, &command), RESULT_OK);
}

static void kill_and_revive_event(struct world *world) {
    struct outbox_outcome outcome = {.number = 1, .dead = true, .next_ms = NOW + 1000000};
    struct ledger_command command = {.kind = LEDGER_SETTLE_OUTBOX};
    command.outbox.count = 1;
    command.outbox.outcomes = &outcome;
    assert_int_equal(world_do(world, &command), RESULT_OK);
    command = (struct ledger_command){.kind = LEDGER_REVIVE_OUTBOX, .actor = BYTES("operator")};
    command.outbox.now_ms = NOW + 5000;
    assert_int_equal(world_do(world, &command), RESULT_OK);
}

static const char *const told[] = {
    "audit.begun by shop",
    "show.created by shop",
    "booking.confirmed by shop",
    "payment.captured by shop",
    "booking.seats_cancelled by operator, for the fan is ill",
    "payment.refunded by shop",
    "booking.cancelled by operator, for the fan stays ill",
    "payment.refunded by shop",
    "booking.cancelled by shop",
    "booking.reopened by shop",
    "payment.review by shop",
    "payment.resumed by shop",
    "booking.confirmed by shop",
    "payment.captured by shop",
    "booking.confirmed by shop",
    "show.opened by operator",
    "seats.blocked by operator, for for the band",
    "seats.unblocked by operator",
    "outbox.revived by operator",
};

#define TOLD (sizeof told / sizeof told[0])

/* Left open. */
static void make_busy_world(struct world *world) {
    world_make(world);
    world->settings.outbox = true;
    world_open(world);
    assert_int_equal(world_create_show(world), RESULT_OK);
    sell_and_take_back(world);
    give_up_and_sell(world);
    assert_int_equal(world_sell(world, 3, "B1 B2", 104), RESULT_OK);
    change_show(world);
    block_and_unblock(world);
    kill_and_revive_event(world);
}

/* ---- reading ---- */

struct reading {
    unsigned count;
    char lines[40][200];
    char details[40][400];
    uint64_t numbers[40];
};

static bool read_row(void *context, const struct audit_row *row) {
    struct reading *reading = context;
    assert_true(reading->count < 40);
    snprintf(reading->lines[reading->count], sizeof reading->lines[0], "%.*s by %.*s%s%.*s", (int)row->action.length,
             row->action.at, (int)row->actor.length, row->actor.at, row->why.length ? ", for " : "",
             (int)row->why.length, row->why.at);
    snprintf(reading->details[reading->count], sizeof reading->details[0], "%.*s", (int)row->detail.length,
             row->detail.at);
    reading->numbers[reading->count++] = row->number;
    return true;
}

static void read_audit(struct world *world, const struct id *show, const struct id *booking, uint64_t before,
                       uint32_t limit, struct reading *reading) {
    struct ledger_reader *reader;
    *reading = (struct reading){0};
    assert_int_equal(world->ledger.reader_new(world->ledger.engine, &reader), RESULT_OK);
    assert_int_equal(world->ledger.read_audit(reader, show, booking, before, limit, read_row, reading), RESULT_OK);
    world->ledger.reader_free(reader);
}

static void each_act_is_told_once_with_who_and_why(void **state) {
    /* red when: an act leaves no row, or two, or another's name or reason */
    (void)state;
    struct world world;
    struct reading reading;
    make_busy_world(&world);
    read_audit(&world, NULL, NULL, 0, 0, &reading);
    assert_int_equal(reading.count, TOLD);
    for (unsigned i = 0; i < TOLD; i++) {
        assert_string_equal(reading.lines[TOLD - 1 - i], told[i]);
        assert_int_equal(reading.numbers[TOLD - 1 - i], i + 1);
    }
    assert_string_equal(reading.details[TOLD - 3], "{\"reservation\":\"r01930000000070008000000000000001\",\"seats\":"
                                                   "[\"A1\",\"A2\"],\"amounts\":[5000,5000],\"amount\":10000,"
                                                   "\"currency\":\"EUR\"}");
    assert_string_equal(reading.details[TOLD - 5],
                        "{\"sold\":true,\"reservation\":\"r01930000000070008000000000000001\",\"seats\":[\"A2\"],"
                        "\"amounts\":[5000],\"refunded\":5000,\"currency\":\"EUR\",\"reason\":null}");
    assert_string_equal(reading.details[TOLD - 9],
                        "{\"sold\":false,\"reservation\":\"r01930000000070008000000000000002\",\"seats\":[\"A3\"],"
                        "\"amounts\":[5000],\"amount\":5000,\"currency\":\"EUR\",\"reason\":\"expired\"}");
    world_close(&world);
    assert_sound(&world);
    world_remove(&world);
}

static void the_audit_is_read_by_show_and_booking_and_page(void **state) {
    /* red when: a filter lets others' rows in, or a page begins with the last one's end */
    (void)state;
    struct world world;
    struct reading reading;
    struct id second = world_id(2), none = world_id(99);
    make_busy_world(&world);
    read_audit(&world, NULL, &second, 0, 0, &reading);
    assert_int_equal(reading.count, 6);
    assert_string_equal(reading.lines[5], "booking.cancelled by shop");
    read_audit(&world, NULL, &second, 13, 2, &reading);
    assert_int_equal(reading.count, 2);
    assert_int_equal(reading.numbers[0], 12);
    read_audit(&world, &world.show, NULL, 0, 0, &reading);
    assert_int_equal(reading.count, TOLD - 2); /* but the beginning and the outbox */
    read_audit(&world, &none, NULL, 0, 0, &reading);
    assert_int_equal(reading.count, 0);
    world_remove(&world);
}

static void the_head_is_the_last_rows_hash(void **state) {
    /* red when: the head that is given out is not the chain's, or is lost in a restart */
    (void)state;
    struct world world;
    struct ledger_reader *reader;
    uint64_t number;
    uint8_t hash[32];
    char text[65] = "", stored[80];
    make_busy_world(&world);
    world_close(&world);
    world_open(&world);
    assert_int_equal(world.ledger.reader_new(world.ledger.engine, &reader), RESULT_OK);
    assert_int_equal(world.ledger.read_audit_head(reader, &number, hash), RESULT_OK);
    world.ledger.reader_free(reader);
    hex_encode(hash, sizeof hash, text);
    world_ask_text(&world, "SELECT lower(hex(hash)) FROM audit ORDER BY number DESC LIMIT 1", stored, sizeof stored);
    assert_int_equal(number, TOLD);
    assert_string_equal(text, stored);
    world_remove(&world);
}

static void a_refused_sale_leaves_the_chain_whole(void **state) {
    /* red when: the chain's end stays where a refused command, or a group that is run again, had moved it */
    (void)state;
    struct world world;
    world_start(&world, LEDGER_OPTIMISTIC);
    for (unsigned round = 0; round < 3; round++) {
        char taken[8], both[16], other[8];
        snprintf(taken, sizeof taken, "A%u", 3 * round + 1);
        snprintf(both, sizeof both, "A%u A%u", 3 * round + 2, 3 * round + 1);
        snprintf(other, sizeof other, "A%u", 3 * round + 3);
        struct booking bookings[] = {world_booking(&world, 10 * round + 1, taken, 100),
                                     world_booking(&world, 10 * round + 2, both, 100),
                                     world_booking(&world, 10 * round + 3, other, 100)};
        struct ledger_command commands[] = {command_sell(&bookings[0], SAGA_OPENED, true),
                                            command_sell(&bookings[1], SAGA_OPENED, true),
                                            command_sell(&bookings[2], SAGA_OPENED, true)};
        world_do_together(&world, commands, 3);
        assert_int_equal(commands[1].result, RESULT_CONFLICT);
        assert_int_equal(commands[2].result, RESULT_OK);
    }
    assert_int_equal(world_sell(&world, 41, "B2", 100), RESULT_OK);
    world_close(&world);
    assert_sound(&world);
    world_remove(&world);
}

/* ---- changing ---- */

/* Each column as somebody might change it. */
static const char *const edits[] = {
    "number = number + 1000",
    "at = '2001-01-01T00:00:00.000Z'",
    "actor = actor || 'x'",
    "action = action || 'x'",
    "show_id = coalesce(show_id, '') || 'x'",
    "show_id = NULL",
    "show_id = coalesce(show_id, '')",
    "booking_id = coalesce(booking_id, '') || 'x'",
    "booking_id = NULL",
    "booking_id = coalesce(booking_id, '')",
    "detail = replace(detail, '}', ' }')",
    "person = zeroblob(32)",
    "person = NULL",
    "person = coalesce(person, x'')",
    "why = zeroblob(32)",
    "why = NULL",
    "why = coalesce(why, x'')",
    "hash = zeroblob(32)",
};

static void a_change_of_any_row_in_any_column_is_named(void **state) {
    /* red when: a column is not in the hash, NULL is as good as nothing, or the finding names another row */
    (void)state;
    struct world sound, copy;
    make_busy_world(&sound);
    world_close(&sound);
    world_make(&copy);
    for (unsigned row = 1; row <= TOLD; row++) {
        for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
            char sql[400], question[200], finding[64];
            const char *assigned = strstr(edits[i], " = ") + 3;
            snprintf(question, sizeof question, "SELECT count(*) FROM audit WHERE number = %u AND %.*s IS NOT %s", row,
                     (int)(assigned - 3 - edits[i]), edits[i], assigned);
            if (!world_ask(&sound, question))
                continue; /* is so already */
            snprintf(sql, sizeof sql, UNLOCK "UPDATE audit SET %s WHERE number = %u", edits[i], row);
            snprintf(finding, sizeof finding, i == 0 ? (row == TOLD ? "row %u" : "rows %u to") : "breaks at row %u ",
                     row);
            if (i == 0 && row == TOLD)
                snprintf(finding, sizeof finding, "rows %u to %u of the audit are missing", row, row + 999);
            assert_named(&sound, &copy, sql, finding);
        }
    }
    world_remove(&copy);
    world_remove(&sound);
}

static void a_row_that_is_gone_or_in_anothers_place_is_named(void **state) {
    /* red when: a gap is not seen, the end may be cut off, or the order does not count */
    (void)state;
    struct world sound, copy;
    make_busy_world(&sound);
    world_close(&sound);
    world_make(&copy);
    for (unsigned row = 1; row <= TOLD; row++) {
        char sql[300], finding[64];
        snprintf(sql, sizeof sql, UNLOCK "DELETE FROM audit WHERE number = %u", row);
        snprintf(finding, sizeof finding, "rows %u to %u of the audit are missing", row, row);
        if (row == TOLD)
            snprintf(finding, sizeof finding, "ends with row %u, but its last one was row %u", row - 1, row);
        assert_named(&sound, &copy, sql, finding);
    }
    assert_named(&sound, &copy, UNLOCK "DELETE FROM audit", "ends with row 0, but its last one was row 19");
    assert_named(&sound, &copy, UNLOCK "DELETE FROM audit; UPDATE meta SET audit_number = 0, audit_hash = zeroblob(32)",
                 "the audit has 0 rows that say so");
    assert_named(&sound, &copy,
                 UNLOCK "UPDATE audit SET number = 100 WHERE number = 4; UPDATE audit SET number = 4 WHERE number = 5; "
                        "UPDATE audit SET number = 5 WHERE number = 100",
                 "breaks at row 4 ");
    assert_named(&sound, &copy,
                 UNLOCK
                 "INSERT INTO audit SELECT 20, at, actor, action, show_id, booking_id, detail, person, why, hash "
                 "FROM audit WHERE number = 19",
                 "breaks at row 20 ");
    assert_named(&sound, &copy, "UPDATE meta SET audit_hash = zeroblob(32)", "is not the one that was written");
    world_remove(&copy);
    world_remove(&sound);
}

static void a_row_changed_with_its_hash_is_named_by_the_next(void **state) {
    /* red when: a row's hash is not over the one before */
    (void)state;
    struct world sound, copy;
    sqlite3 *db;
    sqlite3_stmt *row;
    make_busy_world(&sound);
    world_close(&sound);
    world_make(&copy);
    uint8_t before[CHAIN_HASH_BYTES], hash[CHAIN_HASH_BYTES];
    char sql[300], text[65] = "";
    assert_int_equal(sqlite3_open(sound.file, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT b.hash, a.at, a.action, a.show_id, a.booking_id, a.detail, a.person "
                           "FROM audit AS a JOIN audit AS b ON b.number = a.number - 1 WHERE a.number = 15",
                           -1, &row, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    memcpy(before, sqlite3_column_blob(row, 0), sizeof before);
    struct bytes parts[7];
    for (int i = 1; i < 7; i++)
        parts[i] = (struct bytes){sqlite3_column_blob(row, i), (size_t)sqlite3_column_bytes(row, i)};
    struct chain_row changed = {.number = 15,
                                .at = parts[1],
                                .actor = BYTES("shop"),
                                .action = parts[2],
                                .show_id = parts[3],
                                .booking_id = parts[4],
                                .detail = parts[5],
                                .person = parts[6]};
    chain_hash(before, &changed, hash);
    hex_encode(hash, sizeof hash, text);
    snprintf(sql, sizeof sql, "SELECT lower(hex(hash)) = '%s' FROM audit WHERE number = 15", text);
    assert_int_equal(world_ask(&sound, sql), 1); /* the format, done by hand */
    changed.actor = BYTES("fan");
    chain_hash(before, &changed, hash);
    hex_encode(hash, sizeof hash, text);
    sqlite3_finalize(row);
    sqlite3_close(db);
    snprintf(sql, sizeof sql, UNLOCK "UPDATE audit SET actor = 'fan', hash = x'%s' WHERE number = 15", text);
    assert_named(&sound, &copy, sql, "breaks at row 16 ");
    world_remove(&copy);
    world_remove(&sound);
}

static void the_tables_cannot_say_what_the_audit_does_not(void **state) {
    /* red when: a booking, its seats, its user, a reason or a show is changed and nothing holds it against the audit */
    (void)state;
    static const struct {
        const char *sql, *finding;
    } damages[] = {
        {"UPDATE bookings SET amount = 9000, seat_amounts = '[4500,4500]' WHERE booking_id = " BOOKING(
             "3") ";"
                  "UPDATE tickets SET amount = 4500 WHERE booking_id = " BOOKING("3"),
         "had the seats B1=4500,B2=4500, but row 15 of the audit says B1=5000,B2=5000"},
        {"UPDATE bookings SET amount = 9000 WHERE booking_id = " BOOKING("3"), "but row 15 of the audit says"},
        {"UPDATE bookings SET currency = 'USD' WHERE booking_id = " BOOKING("3"), "but row 15 of the audit says"},
        {"UPDATE bookings SET reservation_id = 'r1' WHERE booking_id = " BOOKING("3"), "but row 15 of the audit says"},
        {"UPDATE bookings SET user_id = 'fan-9' WHERE booking_id = " BOOKING("3"),
         "row 15 of the audit is about somebody else than the user of booking 01930000-0000-7000-8000-000000000003"},
        {"UPDATE bookings SET salt = zeroblob(16) WHERE booking_id = " BOOKING("3"), "row 15 of the audit is about"},
        {"UPDATE bookings SET salt = NULL, user_id = 'fan-9' WHERE booking_id = " BOOKING("3"), "has lost its salt"},
        {"INSERT INTO unaudited VALUES (" BOOKING("3") ")", "row 1, the audit's first, says"},
        {"UPDATE bookings SET refunded = 0, saga = 'DONE' WHERE booking_id = " BOOKING("1"),
         "gave back 0 of 10000 EUR, but the audit says 10000"},
        {"DELETE FROM ticket_history WHERE seat_id = 'A1'", "gave back the seats A2=5000, but the audit says"},
        {"DELETE FROM bookings WHERE booking_id = " BOOKING("3"), "row 15 of the audit confirms booking"},
        {"UPDATE bookings SET confirmed_at = NULL WHERE booking_id = " BOOKING("3"), "which never was"},
        {"UPDATE bookings SET status = 'CONFIRMED' WHERE booking_id = " BOOKING("1"), "row 7 of the audit cancels"},
        {"UPDATE bookings SET status = 'CANCELLED' WHERE booking_id = " BOOKING("3"),
         "is CANCELLED, and the audit does not say so"},
        {"UPDATE audit_reasons SET reason = 'the fan is well' WHERE number = 5", "the reason kept for row 5"},
        {"UPDATE audit_reasons SET salt = zeroblob(16) WHERE number = 5", "the reason kept for row 5"},
        {"UPDATE audit_reasons SET number = 6 WHERE number = 5", "the reason kept for row 6"},
        {"UPDATE shows SET settings = '{}'", "is not as row 16 of the audit says"},
        {"UPDATE shows SET event_name = 'A Morning'", "is not as row 16 of the audit says"},
        {"UPDATE shows SET start_time = NULL", "is not as row 16 of the audit says"},
        {"INSERT INTO shows SELECT 'x', event_name, start_time, plan_hash, settings, created_at, updated_at FROM shows",
         "the audit does not tell of show x"},
        {"UPDATE outbox SET number = 100 WHERE number = 2", "above 10, the last one that was written"},
        {"UPDATE outbox SET data = '{' WHERE number = 2", "event 2 of the outbox is no JSON"},
        {"UPDATE outbox SET subject = 'b2' WHERE type = 'booking.confirmed'", "is about b2, which is not there"},
        {"UPDATE outbox SET subject = 'x' WHERE type = 'seats.released'", "is about x, which is not there"},
        {"UPDATE outbox SET attempts = -1 WHERE number = 2", "was tried -1 times"},
    };
    struct world sound, copy;
    make_busy_world(&sound);
    world_close(&sound);
    world_make(&copy);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++)
        assert_named(&sound, &copy, damages[i].sql, damages[i].finding);
    world_remove(&copy);
    world_remove(&sound);
}

static void nothing_is_changed_in_the_audit_by_mistake(void **state) {
    /* red when: a statement that changes or deletes rows of the audit is let through */
    (void)state;
    struct world world;
    sqlite3 *db;
    make_busy_world(&world);
    world_close(&world);
    assert_int_equal(sqlite3_open(world.file, &db), SQLITE_OK);
    assert_int_not_equal(sqlite3_exec(db, "UPDATE audit SET actor = 'x'", NULL, NULL, NULL), SQLITE_OK);
    assert_int_not_equal(sqlite3_exec(db, "DELETE FROM audit", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_sound(&world);
    world_remove(&world);
}

/* ---- older ledgers ---- */

/* A ledger from before the audit, with booking 1 sold for A1 and booking 2 cancelled, brought forward. */
static void make_older_world(struct world *world) {
    char words[256];
    struct detail detail = {words, sizeof words};
    sqlite3 *db;
    world_make(world);
    assert_int_equal(database_open_to_write(world->file, NULL, 100, &detail, &db), RESULT_OK);
    struct migration_list older = {ledger_migrations.at, 2};
    assert_int_equal(migrations_apply(db, world->file, &older, false, NULL, NULL, &detail), RESULT_OK);
    sqlite3_close(db);
    world_damage(
        world,
        "UPDATE meta SET epoch = 1; INSERT INTO plans VALUES ('0193000000007000800000000000004d', '{}');"
        "INSERT INTO shows VALUES ('01930000-0000-7000-8000-000000000000', 'An Evening', NULL, "
        "'0193000000007000800000000000004d', '{}', '2027-01-15T08:00:00.000Z', '2027-01-15T08:00:00.000Z');"
        "INSERT INTO show_seats SELECT show_id, 'A1', 'BOOKED', 3 FROM shows;"
        "INSERT INTO show_seats SELECT show_id, 'A2', 'AVAILABLE', 0 FROM shows;"
        "INSERT INTO bookings SELECT '01930000-0000-7000-8000-000000000001', 'fan-1', '[\"A1\"]', 'CONFIRMED', "
        "show_id, 'r01930000000070008000000000000001', '[5000]', 5000, 0, 'EUR', 'CAPTURED', 'DONE', 1, '', 2, "
        "'', created_at, created_at, created_at FROM shows;"
        "INSERT INTO bookings SELECT '01930000-0000-7000-8000-000000000002', 'fan-2', '[\"A2\"]', 'CANCELLED', "
        "show_id, 'r01930000000070008000000000000002', '[5000]', 5000, 0, 'EUR', 'NONE', 'CANCELLED', 1, '', 4, "
        "'expired', created_at, created_at, NULL FROM shows;"
        "INSERT INTO audit (at, actor, action, reason) VALUES ('x', 'operator', 'block', 'y');"
        "INSERT INTO tickets SELECT show_id, 'A1', booking_id, 5000, 2 FROM bookings WHERE status = 'CONFIRMED'");
    assert_int_equal(sqlite_ledger_migrate(world->folder, false, NULL, NULL, words, sizeof words), RESULT_OK);
}

static void what_is_older_than_the_audit_is_sound_and_stays_so(void **state) {
    /* red when: an older ledger does not verify, before its first start or after, or what was in it may be changed */
    (void)state;
    struct world world, copy;
    make_older_world(&world);
    assert_sound(&world);
    world_open(&world);
    struct booking booking = world_booking(&world, 1, "A1", 2);
    booking.payment_state = PAYMENT_STATE_CAPTURED;
    struct ledger_command command = command_cancel(&booking, SAGA_DONE, 200, 0, NULL);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    assert_int_equal(world_sell(&world, 3, "A2", 6), RESULT_OK);
    world_close(&world);
    assert_sound(&world);
    world_make(&copy);
    assert_int_equal(world_ask(&world, "SELECT count(*) FROM audit_before WHERE reason = 'y'"), 1);
    assert_named(&world, &copy, "DELETE FROM bookings WHERE status = 'CANCELLED' AND confirmed_at IS NULL",
                 "row 1, the audit's first, says");
    assert_named(&world, &copy, "UPDATE bookings SET reservation_id = 'r3' WHERE booking_id = " BOOKING("2"),
                 "row 1, the audit's first, says");
    assert_named(&world, &copy, "DELETE FROM unaudited", "row 1, the audit's first, says");
    world_remove(&copy);
    world_remove(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_act_is_told_once_with_who_and_why),
        cmocka_unit_test(the_audit_is_read_by_show_and_booking_and_page),
        cmocka_unit_test(the_head_is_the_last_rows_hash),
        cmocka_unit_test(a_refused_sale_leaves_the_chain_whole),
        cmocka_unit_test(a_change_of_any_row_in_any_column_is_named),
        cmocka_unit_test(a_row_that_is_gone_or_in_anothers_place_is_named),
        cmocka_unit_test(a_row_changed_with_its_hash_is_named_by_the_next),
        cmocka_unit_test(the_tables_cannot_say_what_the_audit_does_not),
        cmocka_unit_test(nothing_is_changed_in_the_audit_by_mistake),
        cmocka_unit_test(what_is_older_than_the_audit_is_sound_and_stays_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
