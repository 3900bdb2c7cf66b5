#include "ledger_world.h"

#include <ftw.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json.h"

struct id world_id(unsigned number) {
    struct id id = {{0x01, 0x93, 0, 0, 0, 0, 0x70, 0, 0x80}};
    for (int i = 0; i < 4; i++)
        id.at[12 + i] = (uint8_t)(number >> (24 - 8 * i));
    return id;
}

static struct plan *two_rows(void) {
    static const char text[] =
        "{\"sections\":[{\"name\":\"\",\"rows\":2,\"seats_per_row\":20,\"category\":\"Stalls\"}],"
        "\"prices\":{\"Stalls\":{\"amount\":5000,\"currency\":\"EUR\"}}}";
    char pointer[256], detail[512];
    json_t *document;
    struct plan *plan;
    assert_int_equal(json_parse(bytes_of(text), &document, detail, sizeof detail), RESULT_OK);
    assert_int_equal(plan_read(document, &plan, pointer, sizeof pointer, detail, sizeof detail), RESULT_OK);
    json_decref(document);
    return plan;
}

void world_make(struct world *world) {
    hash_set_up();
    json_set_up();
    *world = (struct world){.plan = two_rows(), .show = world_id(0)};
    snprintf(world->folder, sizeof world->folder, "/tmp/onsale-ledger-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->file, sizeof world->file, "%s/%s", world->folder, SQLITE_LEDGER_FILE);
}

void world_open(struct world *world) {
    char detail[512] = "";
    if (sqlite_ledger_open(world->folder, &world->settings, &world->ledger, detail, sizeof detail) != RESULT_OK)
        fail_msg("the ledger does not open: %s", detail);
    world->is_open = true;
}

void world_start(struct world *world, enum ledger_locking locking) {
    world_make(world);
    world->settings.locking = locking;
    world_open(world);
    assert_int_equal(world_create_show(world), RESULT_OK);
}

void world_close(struct world *world) {
    world->ledger.close(world->ledger.engine);
    world->is_open = false;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void world_remove(struct world *world) {
    if (world->is_open)
        world_close(world);
    plan_free(world->plan);
    assert_int_equal(nftw(world->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void world_is_refused(struct world *world, enum result expected, const char *words) {
    char detail[512] = "";
    struct ledger ledger = {0};
    enum result result = sqlite_ledger_open(world->folder, &world->settings, &ledger, detail, sizeof detail);
    if (result == RESULT_OK)
        ledger.close(ledger.engine);
    if (result != expected || !strstr(detail, words))
        fail_msg("%s, \"%s\"; wanted %s with \"%s\"", result_name(result), detail, result_name(expected), words);
}

/* ---- bookings and commands ---- */

uint32_t world_seat_index(const struct world *world, const char *seat_id) {
    uint32_t seat = plan_find_seat(world->plan, bytes_of(seat_id));
    assert_int_not_equal(seat, PLAN_NO_SEAT);
    return seat;
}

static struct user_id user_of(unsigned number) {
    struct user_id user;
    user.length = (uint8_t)snprintf(user.text, sizeof user.text, "fan-%u", number);
    return user;
}

struct booking world_booking(const struct world *world, unsigned number, const char *seats, uint64_t fence) {
    struct booking booking = {.id = world_id(number),
                              .show_id = world->show,
                              .reservation = world_id(number),
                              .fence = fence,
                              .currency = "EUR",
                              .status = BOOKING_PENDING,
                              .saga = SAGA_OPENED,
                              .attempt = 1,
                              .created_ms = NOW,
                              .updated_ms = NOW};
    booking.user = user_of(number);
    char copy[256], *rest = copy;
    snprintf(copy, sizeof copy, "%s", seats);
    for (char *seat; (seat = strsep(&rest, " "));) {
        uint32_t i = booking.seat_count++;
        booking.seat_ids[i] = world->plan->seat_ids[world_seat_index(world, seat)];
        booking.seat_amounts[i] = PRICE;
        booking.amount += PRICE;
    }
    return booking;
}

struct ledger_command command_open(struct booking *booking) {
    struct ledger_command command = {.kind = LEDGER_OPEN_BOOKING};
    command.booking.booking = booking;
    return command;
}

struct ledger_command command_step(struct booking *booking, enum saga_state from) {
    struct ledger_command command = {.kind = LEDGER_STEP_BOOKING};
    command.booking.booking = booking;
    command.booking.from_saga = from;
    return command;
}

struct ledger_command command_sell(struct booking *booking, enum saga_state from, bool insert) {
    struct ledger_command command = {.kind = LEDGER_SELL};
    booking->status = BOOKING_CONFIRMED;
    booking->saga = insert ? SAGA_DONE : SAGA_CAPTURING;
    booking->payment_state = insert ? PAYMENT_STATE_CAPTURED : PAYMENT_STATE_AUTHORIZED;
    booking->confirmed_ms = NOW + 1000;
    booking->updated_ms = NOW + 1000;
    command.booking.booking = booking;
    command.booking.from_saga = from;
    command.booking.insert = insert;
    return command;
}

struct ledger_command command_cancel(struct booking *booking, enum saga_state from, uint64_t version, uint32_t count,
                                     const uint32_t *seats) {
    struct ledger_command command = {.kind = LEDGER_CANCEL_SOLD};
    if (count == 0)
        booking->status = BOOKING_CANCELLED;
    booking->saga = SAGA_REFUNDING;
    booking->refunded += PRICE * (int64_t)(count ? count : booking->seat_count);
    booking->updated_ms = NOW + 2000;
    command.booking.booking = booking;
    command.booking.from_saga = from;
    command.booking.seat_version = version;
    command.booking.cancel_count = count;
    command.booking.cancel = seats;
    command.actor = BYTES("operator");
    return command;
}

struct ledger_command command_seats(const struct world *world, enum ledger_kind kind, uint32_t count,
                                    const struct seat_change *changes) {
    struct ledger_command command = {.kind = kind};
    command.seats.show_id = &world->show;
    command.seats.plan = world->plan;
    command.seats.count = count;
    command.seats.changes = changes;
    command.why = BYTES("for the band");
    command.seats.now_ms = NOW;
    return command;
}

struct ledger_command command_raise(const struct world *world, uint32_t ceiling) {
    struct ledger_command command = {.kind = LEDGER_RAISE_QUEUE};
    command.queue.show_id = &world->show;
    command.queue.ceiling = ceiling;
    return command;
}

struct ledger_command command_admit(const struct world *world, uint32_t number, unsigned fan, unsigned seconds) {
    struct ledger_command command = {.kind = LEDGER_ADMIT};
    struct admission *admission = &command.queue.admission;
    command.queue.show_id = &world->show;
    admission->number = number;
    admission->user = user_of(fan);
    admission->claimed_ms = NOW + 1000 * (int64_t)seconds;
    admission->expires_ms = admission->claimed_ms + 300000;
    return command;
}

struct ledger_command command_end_pass(const struct world *world, uint32_t number, int64_t ended_ms) {
    struct ledger_command command = {.kind = LEDGER_END_PASS};
    command.queue.show_id = &world->show;
    command.queue.admission.number = number;
    command.queue.admission.ended_ms = ended_ms;
    return command;
}

struct kept_answer answer_of(unsigned number, const char *body) {
    return (struct kept_answer){.key = world_id(number),
                                .body_hash = world_id(number + 1),
                                .status = 200,
                                .body = bytes_of(body),
                                .created_ms = NOW};
}

/* ---- doing ---- */

static void post(struct ledger_command *command) {
    sem_post(command->context);
}

enum result world_do(struct world *world, struct ledger_command *command) {
    sem_t done;
    sem_init(&done, 0, 0);
    command->context = &done;
    command->done = post;
    if (world->ledger.submit(world->ledger.engine, command))
        sem_wait(&done);
    else
        command->result = RESULT_LEDGER_UNAVAILABLE;
    sem_destroy(&done);
    return command->result;
}

struct plug {
    sem_t reached, released;
};

static void wait_for_release(struct ledger_command *command) {
    struct plug *plug = command->context;
    sem_post(&plug->reached);
    sem_wait(&plug->released);
    sem_post(&plug->reached);
}

/* The ledger's thread is kept busy in an answer until all are submitted, so that they share the next commit. A ledger
 * that has failed takes none. */
void world_do_together(struct world *world, struct ledger_command *commands, unsigned count) {
    struct plug plug;
    sem_t done;
    unsigned taken = 0;
    sem_init(&plug.reached, 0, 0);
    sem_init(&plug.released, 0, 0);
    sem_init(&done, 0, 0);
    struct ledger_command first = {.kind = LEDGER_KEEP_ANSWERS, .context = &plug, .done = wait_for_release};
    bool plugged = world->ledger.submit(world->ledger.engine, &first);
    if (plugged)
        sem_wait(&plug.reached);
    for (unsigned i = 0; i < count; i++) {
        commands[i].context = &done;
        commands[i].done = post;
        if (world->ledger.submit(world->ledger.engine, &commands[i]))
            taken++;
        else
            commands[i].result = RESULT_LEDGER_UNAVAILABLE;
    }
    if (plugged) {
        sem_post(&plug.released);
        sem_wait(&plug.reached);
    }
    while (taken--)
        sem_wait(&done);
}

enum result world_create_show(struct world *world) {
    struct show_record record = {.show_id = world->show,
                                 .event_name = BYTES("An Evening"),
                                 .start_ms = NOW + 86400000,
                                 .plan_hash = world_id(77),
                                 .plan_json = BYTES("{\"plan\":1}"),
                                 .settings_json = BYTES("{\"hold_seconds\":600}"),
                                 .created_ms = NOW,
                                 .updated_ms = NOW};
    struct ledger_command command = {.kind = LEDGER_CREATE_SHOW};
    command.show.record = &record;
    command.show.plan = world->plan;
    return world_do(world, &command);
}

enum result world_sell(struct world *world, unsigned number, const char *seats, uint64_t fence) {
    struct booking booking = world_booking(world, number, seats, fence);
    struct ledger_command command = command_sell(&booking, SAGA_OPENED, true);
    return world_do(world, &command);
}

/* ---- looking ---- */

struct looking {
    const char *seat_id;
    struct seat_seen seen;
};

static bool look_at_seat(void *context, struct bytes seat_id, enum seat_status status, uint64_t version,
                         struct bytes owner) {
    struct looking *looking = context;
    if (!bytes_equal(seat_id, bytes_of(looking->seat_id)))
        return true;
    looking->seen = (struct seat_seen){.status = status, .version = version};
    memcpy(looking->seen.owner, owner.length ? owner.at : "", owner.length);
    return false;
}

struct seat_seen world_seat(struct world *world, const char *seat_id) {
    struct looking looking = {.seat_id = seat_id};
    struct ledger_reader *reader;
    assert_int_equal(world->ledger.reader_new(world->ledger.engine, &reader), RESULT_OK);
    assert_int_equal(world->ledger.read_seats(reader, &world->show, look_at_seat, &looking), RESULT_OK);
    world->ledger.reader_free(reader);
    return looking.seen;
}

enum result world_read(struct world *world, unsigned number, struct booking *booking, char *seats) {
    struct ledger_reader *reader;
    struct buffer storage;
    struct id id = world_id(number);
    buffer_init(&storage, 64 * 1024);
    assert_int_equal(world->ledger.reader_new(world->ledger.engine, &reader), RESULT_OK);
    enum result result = world->ledger.read_booking(reader, &id, booking, &storage);
    world->ledger.reader_free(reader);
    if (result == RESULT_OK && seats) {
        seats[0] = '\0';
        for (uint32_t i = 0; i < booking->seat_count; i++)
            snprintf(seats + strlen(seats), 256 - strlen(seats), "%s%.*s", i ? " " : "",
                     (int)booking->seat_ids[i].length, booking->seat_ids[i].at);
    }
    buffer_release(&storage);
    return result;
}

void world_ask_text(const struct world *world, const char *sql, char *text, size_t size) {
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open_v2(world->file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const char *answer = (const char *)sqlite3_column_text(statement, 0);
    snprintf(text, size, "%s", answer ? answer : "");
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

int64_t world_ask(const struct world *world, const char *sql) {
    char text[64];
    world_ask_text(world, sql, text, sizeof text);
    return strtoll(text, NULL, 10);
}

void world_damage(const struct world *world, const char *sql) {
    sqlite3 *db;
    char *why = NULL;
    assert_int_equal(sqlite3_open_v2(world->file, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    sqlite3_close(db);
}
