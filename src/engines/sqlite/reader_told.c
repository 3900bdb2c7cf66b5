/* Reads what is told to others: the outbox and the audit. */
#include "engines/sqlite/reader_private.h"

#include "engines/sqlite/chain.h"

static bool event_of_row(sqlite3_stmt *statement, struct outbox_event *event) {
    *event = (struct outbox_event){.number = (uint64_t)sqlite3_column_int64(statement, 0),
                                   .type = column_bytes(statement, 1),
                                   .subject = column_bytes(statement, 2),
                                   .data = column_bytes(statement, 4),
                                   .attempts = (uint32_t)sqlite3_column_int64(statement, 5),
                                   .dead = sqlite3_column_int(statement, 7),
                                   .why = column_bytes(statement, 8)};
    return column_time(statement, 3, &event->at_ms) && column_time(statement, 6, &event->next_ms);
}

static enum result read_outbox(struct ledger_reader *reader, bool dead, uint64_t after, int64_t due_ms, uint32_t limit,
                               bool (*row)(void *context, const struct outbox_event *event), void *context) {
    char due[CLOCK_TEXT_BYTES];
    sqlite3_stmt *statement = reader->statements[dead ? READ_OUTBOX_DEAD : READ_OUTBOX_DUE];
    bind_int(statement, 1, after > INT64_MAX ? INT64_MAX : (int64_t)after);
    if (!dead)
        bind_time(statement, 2, due_ms, due);
    bind_int(statement, 3, limit ? (int64_t)limit : -1);
    enum result result = RESULT_OK;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct outbox_event event;
        if (!event_of_row(statement, &event)) {
            result = RESULT_CORRUPT;
            break;
        }
        if (!row(context, &event))
            break;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        result = reader_failed(reader);
    sqlite3_reset(statement);
    return result;
}

static enum result read_outbox_totals(struct ledger_reader *reader, int64_t *waiting, int64_t *dead,
                                      int64_t *oldest_ms) {
    sqlite3_stmt *statement = reader->statements[READ_OUTBOX_TOTALS];
    int64_t oldest;
    enum result result = RESULT_OK;
    if (sqlite3_step(statement) != SQLITE_ROW) {
        result = reader_failed(reader);
    } else if (!column_time(statement, 2, &oldest)) {
        result = RESULT_CORRUPT;
    } else {
        *waiting = sqlite3_column_int64(statement, 0);
        *dead = sqlite3_column_int64(statement, 1);
        *oldest_ms = oldest;
    }
    sqlite3_reset(statement);
    return result;
}

static bool column_uuid_or_none(sqlite3_stmt *statement, int at, struct id *id) {
    return sqlite3_column_type(statement, at) == SQLITE_NULL || column_uuid(statement, at, id);
}

static bool audit_of_row(sqlite3_stmt *statement, struct audit_row *audit) {
    *audit = (struct audit_row){.number = (uint64_t)sqlite3_column_int64(statement, 0),
                                .actor = column_bytes(statement, 2),
                                .action = column_bytes(statement, 3),
                                .detail = column_bytes(statement, 6),
                                .why = column_bytes(statement, 7)};
    return column_time(statement, 1, &audit->at_ms) && column_uuid_or_none(statement, 4, &audit->show_id) &&
           column_uuid_or_none(statement, 5, &audit->booking_id);
}

static enum result read_audit(struct ledger_reader *reader, const struct id *show_id, const struct id *booking_id,
                              uint64_t before, uint32_t limit, bool (*row)(void *context, const struct audit_row *row),
                              void *context) {
    char id[ID_UUID_TEXT];
    bool of_booking = booking_id && !id_is_none(booking_id), of_show = show_id && !id_is_none(show_id);
    sqlite3_stmt *statement = reader->statements[of_booking ? READ_AUDIT_OF_BOOKING
                                                 : of_show  ? READ_AUDIT_OF_SHOW
                                                            : READ_AUDIT];
    bind_int(statement, 1, before == 0 || before > INT64_MAX ? INT64_MAX : (int64_t)before);
    bind_int(statement, 2, limit ? (int64_t)limit : -1);
    if (of_booking || of_show)
        bind_uuid(statement, 3, of_booking ? booking_id : show_id, id);
    enum result result = RESULT_OK;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct audit_row audit;
        if (!audit_of_row(statement, &audit)) {
            result = RESULT_CORRUPT;
            break;
        }
        if (!row(context, &audit))
            break;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        result = reader_failed(reader);
    sqlite3_reset(statement);
    return result;
}

static enum result read_audit_head(struct ledger_reader *reader, uint64_t *number, uint8_t hash[static 32]) {
    sqlite3_stmt *statement = reader->statements[READ_AUDIT_HEAD];
    _Static_assert(CHAIN_HASH_BYTES == 32, "the port says so");
    enum result result = RESULT_OK;
    if (sqlite3_step(statement) != SQLITE_ROW) {
        result = reader_failed(reader);
    } else if (column_bytes(statement, 1).length != CHAIN_HASH_BYTES) {
        result = RESULT_CORRUPT;
    } else {
        *number = (uint64_t)sqlite3_column_int64(statement, 0);
        memcpy(hash, column_bytes(statement, 1).at, CHAIN_HASH_BYTES);
    }
    sqlite3_reset(statement);
    return result;
}

void reader_fill_told(struct ledger *ledger) {
    ledger->read_outbox = read_outbox;
    ledger->read_outbox_totals = read_outbox_totals;
    ledger->read_audit = read_audit;
    ledger->read_audit_head = read_audit_head;
}
