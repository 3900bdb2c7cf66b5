#include "engines/sqlite/writer.h"

#include "base/log.h"
#include "base/panic.h"
#include "engines/sqlite/rows.h"
#include "engines/sqlite/writer_tell.h"

/* All seats of a show as a JSON array, each character escaped. */
#define SCRATCH_BYTES (LIMIT_SEATS_PER_SHOW * (6 * LIMIT_SEAT_ID_BYTES + 3) + 64)

static const char *const statement_texts[WRITE_STATEMENT_COUNT] = {
#define STATEMENT(name, sql) sql,
#include "engines/sqlite/write_statements.def"
#undef STATEMENT
};

static bool read_ends(struct writer *writer) {
    struct remembered *now = &writer->now;
    sqlite3_stmt *ends = writer->statements[WRITE_READ_ENDS];
    bool read = sqlite3_step(ends) == SQLITE_ROW && sqlite3_column_bytes(ends, 3) == CHAIN_HASH_BYTES;
    if (read) {
        now->blocked_seats = sqlite3_column_int64(ends, 0);
        now->outbox_number = (uint64_t)sqlite3_column_int64(ends, 1);
        now->audit_number = (uint64_t)sqlite3_column_int64(ends, 2);
        memcpy(now->audit_hash, column_bytes(ends, 3).at, CHAIN_HASH_BYTES);
    }
    sqlite3_reset(ends);
    return read;
}

/* The audit's first row says what there was before it. */
static enum result begin_audit(struct writer *writer) {
    if (writer->now.audit_number > 0)
        return RESULT_OK;
    enum result result = writer_run(writer, WRITE_BEGIN);
    if (result == RESULT_OK)
        result = writer_tell_beginning(writer);
    if (result == RESULT_OK)
        result = writer_tell_ends(writer);
    return result == RESULT_OK ? writer_run(writer, WRITE_COMMIT) : result;
}

enum result writer_init(struct writer *writer, sqlite3 *db, const struct sqlite_ledger_settings *settings) {
    *writer = (struct writer){.db = db, .locking = settings->locking, .has_outbox = settings->outbox};
    struct buffer *buffers[] = {&writer->seat_ids, &writer->seat_amounts, &writer->row, &writer->told};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        buffer_init(buffers[i], SCRATCH_BYTES);
    for (int i = 0; i < WRITE_STATEMENT_COUNT; i++) {
        if (sqlite3_prepare_v3(db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT, &writer->statements[i], NULL) !=
            SQLITE_OK) {
            writer_release(writer);
            return RESULT_IO_ERROR;
        }
    }
    if (read_ends(writer) && begin_audit(writer) == RESULT_OK)
        return RESULT_OK;
    writer_release(writer);
    return RESULT_IO_ERROR;
}

void writer_release(struct writer *writer) {
    for (int i = 0; i < WRITE_STATEMENT_COUNT; i++)
        sqlite3_finalize(writer->statements[i]);
    buffer_release(&writer->seat_ids);
    buffer_release(&writer->seat_amounts);
    buffer_release(&writer->row);
    buffer_release(&writer->told);
    *writer = (struct writer){0};
}

enum result writer_run(struct writer *writer, enum write_statement statement) {
    sqlite3_stmt *prepared = writer->statements[statement];
    int code = sqlite3_step(prepared);
    if (code == SQLITE_DONE) {
        sqlite3_reset(prepared);
        return RESULT_OK;
    }
    int extended = sqlite3_extended_errcode(writer->db);
    if ((code & 0xff) == SQLITE_CONSTRAINT) {
        /* A key that is taken is somebody else's doing; any other constraint is a row that should never have been
         * tried: refused as well, and said. */
        if (extended != SQLITE_CONSTRAINT_PRIMARYKEY && extended != SQLITE_CONSTRAINT_UNIQUE)
            log_error("the ledger's schema refused a row", LOG_STRING("why", sqlite3_errmsg(writer->db)));
        sqlite3_reset(prepared);
        return RESULT_CONFLICT;
    }
    log_error("the ledger's engine failed", LOG_STRING("why", sqlite3_errmsg(writer->db)), LOG_INT("code", extended),
              LOG_STRING("statement", statement_texts[statement]));
    sqlite3_reset(prepared);
    return RESULT_IO_ERROR;
}

enum result writer_run_for_one(struct writer *writer, enum write_statement statement) {
    enum result result = writer_run(writer, statement);
    if (result == RESULT_OK && sqlite3_changes(writer->db) != 1)
        return RESULT_CONFLICT;
    return result;
}

enum result writer_look(struct writer *writer, enum write_statement statement, bool *found) {
    int code = sqlite3_step(writer->statements[statement]);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return writer_run(writer, statement); /* says what is wrong */
    *found = code == SQLITE_ROW;
    return RESULT_OK;
}

/* In a savepoint, so that a refusal takes back whatever was written. */
static enum result apply_saved(struct writer *writer, struct ledger_command *command) {
    struct remembered before = writer->now;
    if (writer_run(writer, WRITE_SAVE) != RESULT_OK)
        return RESULT_IO_ERROR;
    enum result result = writer_apply(writer, command);
    if (result == RESULT_IO_ERROR || (result != RESULT_OK && writer_run(writer, WRITE_UNDO) != RESULT_OK))
        return RESULT_IO_ERROR;
    if (result != RESULT_OK)
        writer->now = before;
    return writer_run(writer, WRITE_KEEP) == RESULT_OK ? result : RESULT_IO_ERROR;
}

/* Applies all. CONFLICT: without savepoints, a command was refused after it had written, and the transaction is of no
 * use. `half_written` is set if there was such a command, either way. */
static enum result apply_all(struct writer *writer, struct ledger_command *const *group, uint32_t count, bool save,
                             bool *half_written) {
    for (uint32_t i = 0; i < count; i++) {
        int64_t changes = sqlite3_total_changes64(writer->db);
        enum result result = save ? apply_saved(writer, group[i]) : writer_apply(writer, group[i]);
        if (result == RESULT_IO_ERROR)
            return result;
        if (result != RESULT_OK && sqlite3_total_changes64(writer->db) != changes) {
            *half_written = true;
            if (!save)
                return RESULT_CONFLICT;
        }
        group[i]->result = result;
    }
    return RESULT_OK;
}

enum result writer_commit(struct writer *writer, struct ledger_command *const *group, uint32_t count) {
    assert(count > 0);
    bool save = writer->careful, half_written = false;
    struct remembered before = writer->now;
    if (writer_run(writer, WRITE_BEGIN) != RESULT_OK)
        return RESULT_IO_ERROR;
    enum result result = apply_all(writer, group, count, save, &half_written);
    if (result == RESULT_CONFLICT) {
        writer->groups_repeated++;
        writer->now = before;
        if (writer_run(writer, WRITE_ROLLBACK) != RESULT_OK || writer_run(writer, WRITE_BEGIN) != RESULT_OK)
            return RESULT_IO_ERROR;
        result = apply_all(writer, group, count, true, &half_written);
    }
    writer->careful = half_written;
    if (result == RESULT_OK &&
        (writer->now.audit_number != before.audit_number || writer->now.outbox_number != before.outbox_number))
        result = writer_tell_ends(writer);
    if (result != RESULT_OK || writer_run(writer, WRITE_COMMIT) != RESULT_OK)
        return RESULT_IO_ERROR;
    writer->outbox_filled = writer->now.outbox_stirred != before.outbox_stirred;
    return RESULT_OK;
}
