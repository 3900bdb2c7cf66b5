#include "engines/sqlite/reader.h"

#include <limits.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/panic.h"
#include "engines/sqlite/database.h"
#include "engines/sqlite/reader_private.h"
#include "engines/sqlite/rows.h"

#define READER_CACHE_KIB 1024

static const char *const statement_texts[READ_STATEMENT_COUNT] = {
#define STATEMENT(name, sql) sql,
#include "engines/sqlite/read_statements.def"
#undef STATEMENT
};

static void reader_free(struct ledger_reader *reader) {
    for (int i = 0; i < READ_STATEMENT_COUNT; i++)
        sqlite3_finalize(reader->statements[i]);
    sqlite3_close(reader->db);
    buffer_release(&reader->storage);
    atomic_fetch_sub(reader->count, 1);
    free(reader);
}

enum result reader_failed(struct ledger_reader *reader) {
    log_error("the ledger cannot be read", LOG_STRING("why", sqlite3_errmsg(reader->db)),
              LOG_INT("code", sqlite3_extended_errcode(reader->db)));
    int code = sqlite3_errcode(reader->db) & 0xff;
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? RESULT_CORRUPT : RESULT_LEDGER_UNAVAILABLE;
}

enum result reader_open(const char *path, const char *vfs, int busy_ms, atomic_int *count,
                        struct ledger_reader **reader) {
    char words[512] = "";
    struct detail detail = {words, sizeof words};
    struct ledger_reader *opened = calloc(1, sizeof *opened);
    if (!opened)
        return RESULT_OVERLOADED;
    enum result result = database_open_to_read(path, vfs, busy_ms, READER_CACHE_KIB, &detail, &opened->db);
    if (result != RESULT_OK) {
        log_error("the ledger cannot be opened for reading", LOG_STRING("why", words));
        free(opened);
        return result;
    }
    opened->count = count;
    atomic_fetch_add(count, 1);
    buffer_init(&opened->storage, LIMIT_SEATS_PER_HOLD * LIMIT_SEAT_ID_BYTES);
    for (int i = 0; i < READ_STATEMENT_COUNT; i++) {
        if (sqlite3_prepare_v3(opened->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT, &opened->statements[i],
                               NULL) != SQLITE_OK) {
            result = reader_failed(opened);
            reader_free(opened);
            return result;
        }
    }
    *reader = opened;
    return RESULT_OK;
}

/* ---- shows and seats ---- */

static bool show_of_row(sqlite3_stmt *statement, struct show_record *record) {
    return column_uuid(statement, 0, &record->show_id) && column_time(statement, 2, &record->start_ms) &&
           hex_decode(column_bytes(statement, 3), record->plan_hash.at, sizeof record->plan_hash.at) &&
           column_time(statement, 6, &record->created_ms) && column_time(statement, 7, &record->updated_ms);
}

static enum result read_shows(struct ledger_reader *reader, bool (*row)(void *context, const struct show_record *),
                              void *context) {
    sqlite3_stmt *statement = reader->statements[READ_SHOWS];
    enum result result = RESULT_OK;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct show_record record = {0};
        if (!show_of_row(statement, &record)) {
            result = RESULT_CORRUPT;
            break;
        }
        record.event_name = column_bytes(statement, 1);
        record.plan_json = column_bytes(statement, 4);
        record.settings_json = column_bytes(statement, 5);
        if (!row(context, &record))
            break;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        result = reader_failed(reader);
    sqlite3_reset(statement);
    return result;
}

static enum result read_image(struct ledger_reader *reader, const struct id *hash, struct buffer *content) {
    char text[2 * sizeof hash->at];
    sqlite3_stmt *statement = reader->statements[READ_IMAGE];
    hex_encode(hash->at, sizeof hash->at, text);
    bind_bytes(statement, 1, (struct bytes){text, sizeof text});
    int code = sqlite3_step(statement);
    enum result result = code == SQLITE_ROW    ? RESULT_OK
                         : code == SQLITE_DONE ? RESULT_NOT_FOUND
                                               : reader_failed(reader);
    if (result == RESULT_OK) {
        buffer_clear(content);
        buffer_add_bytes(content, column_bytes(statement, 0));
        result = buffer_ok(content) ? RESULT_OK : RESULT_OVERLOADED;
    }
    sqlite3_reset(statement);
    return result;
}

static enum result read_seats(struct ledger_reader *reader, const struct id *show_id,
                              bool (*row)(void *context, struct bytes seat_id, enum seat_status status,
                                          uint64_t version, struct bytes owner),
                              void *context) {
    char show[ID_UUID_TEXT];
    sqlite3_stmt *statement = reader->statements[READ_SEATS];
    bind_uuid(statement, 1, show_id, show);
    enum result result = RESULT_OK;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        enum seat_status status;
        if (!seat_status_of(column_bytes(statement, 1), &status)) {
            result = RESULT_CORRUPT;
            break;
        }
        if (sqlite3_column_int(statement, 3) && status != SEAT_BOOKED)
            status = SEAT_BLOCKED;
        struct bytes owner = column_bytes(statement, 4);
        if (!row(context, column_bytes(statement, 0), status, (uint64_t)sqlite3_column_int64(statement, 2), owner))
            break;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        result = reader_failed(reader);
    sqlite3_reset(statement);
    return result;
}

/* ---- bookings ---- */

static enum result read_one(struct ledger_reader *reader, enum read_statement which, struct booking *booking,
                            struct buffer *storage) {
    sqlite3_stmt *statement = reader->statements[which];
    int code = sqlite3_step(statement);
    enum result result = code == SQLITE_ROW    ? booking_of_row(statement, booking, storage)
                         : code == SQLITE_DONE ? RESULT_BOOKING_NOT_FOUND
                                               : reader_failed(reader);
    sqlite3_reset(statement);
    return result;
}

static enum result read_booking(struct ledger_reader *reader, const struct id *booking_id, struct booking *booking,
                                struct buffer *storage) {
    char id[ID_UUID_TEXT];
    bind_uuid(reader->statements[READ_BOOKING], 1, booking_id, id);
    return read_one(reader, READ_BOOKING, booking, storage);
}

static enum result read_booking_of(struct ledger_reader *reader, const struct id *reservation, struct booking *booking,
                                   struct buffer *storage) {
    char id[ID_LETTER_TEXT];
    bind_reservation(reader->statements[READ_BOOKING_OF], 1, reservation, id);
    return read_one(reader, READ_BOOKING_OF, booking, storage);
}

static enum result read_each(struct ledger_reader *reader, enum read_statement which,
                             bool (*row)(void *context, const struct booking *booking), void *context) {
    sqlite3_stmt *statement = reader->statements[which];
    enum result result = RESULT_OK;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        result = booking_of_row(statement, &reader->booking, &reader->storage);
        if (result != RESULT_OK || !row(context, &reader->booking))
            break;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        result = reader_failed(reader);
    sqlite3_reset(statement);
    return result;
}

static enum result read_bookings(struct ledger_reader *reader, const struct booking_filter *filter,
                                 bool (*row)(void *context, const struct booking *booking), void *context) {
    char after[ID_UUID_TEXT], show[ID_UUID_TEXT];
    bool in_review = filter->payment_state && strcmp(filter->payment_state, "REVIEW") == 0;
    enum read_statement which = in_review ? READ_REVIEWS : READ_BOOKINGS;
    sqlite3_stmt *statement = reader->statements[which];
    if (id_is_none(&filter->after))
        bind_text(statement, 1, "g"); /* behind every hex digit */
    else
        bind_uuid(statement, 1, &filter->after, after);
    if (filter->show_id)
        bind_uuid(statement, 2, filter->show_id, show);
    else
        bind_null(statement, 2);
    if (filter->status)
        bind_text(statement, 3, filter->status);
    else
        bind_null(statement, 3);
    bind_int(statement, 4, filter->limit ? (int64_t)filter->limit : -1);
    if (filter->payment_state)
        bind_text(statement, 5, filter->payment_state);
    else
        bind_null(statement, 5);
    return read_each(reader, which, row, context);
}

static enum result read_unfinished(struct ledger_reader *reader,
                                   bool (*row)(void *context, const struct booking *booking), void *context) {
    return read_each(reader, READ_UNFINISHED, row, context);
}

/* Both statements in one snapshot, so that the totals belong together. */
static enum result read_totals(struct ledger_reader *reader, const struct id *show_id, struct ledger_totals *totals) {
    char show[ID_UUID_TEXT];
    sqlite3_stmt *bookings = reader->statements[READ_TOTAL_BOOKINGS];
    sqlite3_stmt *tickets = reader->statements[READ_TOTAL_TICKETS];
    bind_uuid(bookings, 1, show_id, show);
    bind_uuid(tickets, 1, show_id, show);
    enum result result = RESULT_OK;
    /* The first statement, not reset yet, keeps its snapshot open for the second. */
    if (sqlite3_step(bookings) != SQLITE_ROW || sqlite3_step(tickets) != SQLITE_ROW)
        result = reader_failed(reader);
    else
        *totals = (struct ledger_totals){.confirmed = sqlite3_column_int64(bookings, 0),
                                         .cancelled = sqlite3_column_int64(bookings, 1),
                                         .pending = sqlite3_column_int64(bookings, 2),
                                         .refunded = sqlite3_column_int64(bookings, 3),
                                         .tickets = sqlite3_column_int64(tickets, 0),
                                         .revenue = sqlite3_column_int64(bookings, 4)};
    sqlite3_reset(tickets);
    sqlite3_reset(bookings);
    return result;
}

/* ---- the queue ---- */

static bool admission_of_row(sqlite3_stmt *statement, struct admission *admission) {
    int64_t number = sqlite3_column_int64(statement, 0);
    struct bytes user = column_bytes(statement, 1);
    if (number < 1 || number > UINT32_MAX || user.length > LIMIT_USER_ID_BYTES ||
        !column_time(statement, 2, &admission->claimed_ms) || !column_time(statement, 3, &admission->expires_ms) ||
        !column_time(statement, 4, &admission->ended_ms))
        return false;
    admission->number = (uint32_t)number;
    admission->user.length = (uint8_t)user.length;
    if (user.length)
        memcpy(admission->user.text, user.at, user.length);
    return true;
}

static enum result read_ceiling(struct ledger_reader *reader, uint32_t *ceiling) {
    sqlite3_stmt *statement = reader->statements[READ_CEILING];
    if (sqlite3_step(statement) != SQLITE_ROW)
        return reader_failed(reader);
    int64_t number = sqlite3_column_int64(statement, 0);
    if (number < 0 || number > UINT32_MAX)
        return RESULT_CORRUPT;
    *ceiling = (uint32_t)number;
    return RESULT_OK;
}

static enum result read_admissions(struct ledger_reader *reader,
                                   bool (*row)(void *context, const struct admission *admission), void *context) {
    sqlite3_stmt *statement = reader->statements[READ_ADMISSIONS];
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct admission admission = {0};
        if (!admission_of_row(statement, &admission))
            return RESULT_CORRUPT;
        if (!row(context, &admission))
            return RESULT_OK;
    }
    return code == SQLITE_DONE ? RESULT_OK : reader_failed(reader);
}

/* Ceiling and admissions in one snapshot: the first statement, not reset yet, keeps it open for the second. */
static enum result read_queue(struct ledger_reader *reader, const struct id *show_id, uint32_t *ceiling,
                              bool (*row)(void *context, const struct admission *admission), void *context) {
    char show[ID_UUID_TEXT];
    uint32_t read = 0;
    bind_uuid(reader->statements[READ_CEILING], 1, show_id, show);
    bind_uuid(reader->statements[READ_ADMISSIONS], 1, show_id, show);
    enum result result = read_ceiling(reader, &read);
    if (result == RESULT_OK)
        result = read_admissions(reader, row, context);
    sqlite3_reset(reader->statements[READ_ADMISSIONS]);
    sqlite3_reset(reader->statements[READ_CEILING]);
    if (result == RESULT_OK)
        *ceiling = read;
    return result;
}

/* ---- answers ---- */

static enum result read_answer(struct ledger_reader *reader, const struct id *key, struct kept_answer *answer,
                               struct buffer *storage) {
    sqlite3_stmt *statement = reader->statements[READ_ANSWER];
    bind_blob(statement, 1, (struct bytes){(const char *)key->at, sizeof key->at});
    int code = sqlite3_step(statement);
    enum result result = code == SQLITE_ROW    ? RESULT_OK
                         : code == SQLITE_DONE ? RESULT_NOT_FOUND
                                               : reader_failed(reader);
    if (result == RESULT_OK) {
        struct kept_answer read = {.key = *key, .status = (uint32_t)sqlite3_column_int64(statement, 1)};
        struct bytes hash = column_bytes(statement, 0);
        buffer_clear(storage);
        buffer_add_bytes(storage, column_bytes(statement, 2));
        if (hash.length != sizeof read.body_hash.at || !column_time(statement, 3, &read.created_ms)) {
            result = RESULT_CORRUPT;
        } else if (!buffer_ok(storage)) {
            result = RESULT_OVERLOADED;
        } else {
            memcpy(read.body_hash.at, hash.at, hash.length);
            read.body = buffer_bytes(storage);
            *answer = read;
        }
    }
    sqlite3_reset(statement);
    return result;
}

void reader_fill_port(struct ledger *ledger) {
    ledger->reader_free = reader_free;
    ledger->read_shows = read_shows;
    ledger->read_image = read_image;
    ledger->read_seats = read_seats;
    ledger->read_booking = read_booking;
    ledger->read_booking_of = read_booking_of;
    ledger->read_bookings = read_bookings;
    ledger->read_unfinished = read_unfinished;
    ledger->read_totals = read_totals;
    ledger->read_answer = read_answer;
    ledger->read_queue = read_queue;
    reader_fill_told(ledger);
}
