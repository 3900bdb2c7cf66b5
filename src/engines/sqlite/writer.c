#include "engines/sqlite/writer.h"

#include "base/log.h"
#include "base/panic.h"

/* All seats of a show as a JSON array, each character escaped. */
#define SCRATCH_BYTES (LIMIT_SEATS_PER_SHOW * (6 * LIMIT_SEAT_ID_BYTES + 3) + 64)

static const char *const statement_texts[WRITE_STATEMENT_COUNT] = {
#define STATEMENT(name, sql) sql,
#include "engines/sqlite/write_statements.def"
#undef STATEMENT
};

enum result writer_init(struct writer *writer, sqlite3 *db, enum ledger_locking locking) {
    *writer = (struct writer){.db = db, .locking = locking};
    buffer_init(&writer->seat_ids, SCRATCH_BYTES);
    buffer_init(&writer->seat_amounts, SCRATCH_BYTES);
    for (int i = 0; i < WRITE_STATEMENT_COUNT; i++) {
        if (sqlite3_prepare_v3(db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT, &writer->statements[i], NULL) !=
            SQLITE_OK) {
            writer_release(writer);
            return RESULT_IO_ERROR;
        }
    }
    sqlite3_stmt *count = writer->statements[WRITE_COUNT_BLOCKS];
    bool counted = sqlite3_step(count) == SQLITE_ROW;
    writer->blocked_seats = sqlite3_column_int64(count, 0);
    sqlite3_reset(count);
    if (!counted)
        writer_release(writer);
    return counted ? RESULT_OK : RESULT_IO_ERROR;
}

void writer_release(struct writer *writer) {
    for (int i = 0; i < WRITE_STATEMENT_COUNT; i++)
        sqlite3_finalize(writer->statements[i]);
    buffer_release(&writer->seat_ids);
    buffer_release(&writer->seat_amounts);
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

/* In a savepoint, so that a refusal takes back whatever was written. */
static enum result apply_saved(struct writer *writer, struct ledger_command *command) {
    if (writer_run(writer, WRITE_SAVE) != RESULT_OK)
        return RESULT_IO_ERROR;
    enum result result = writer_apply(writer, command);
    if (result == RESULT_IO_ERROR || (result != RESULT_OK && writer_run(writer, WRITE_UNDO) != RESULT_OK))
        return RESULT_IO_ERROR;
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
    int64_t blocked_before = writer->blocked_seats;
    if (writer_run(writer, WRITE_BEGIN) != RESULT_OK)
        return RESULT_IO_ERROR;
    enum result result = apply_all(writer, group, count, save, &half_written);
    if (result == RESULT_CONFLICT) {
        writer->groups_repeated++;
        writer->blocked_seats = blocked_before;
        if (writer_run(writer, WRITE_ROLLBACK) != RESULT_OK || writer_run(writer, WRITE_BEGIN) != RESULT_OK)
            return RESULT_IO_ERROR;
        result = apply_all(writer, group, count, true, &half_written);
    }
    writer->careful = half_written;
    if (result != RESULT_OK)
        return result;
    return writer_run(writer, WRITE_COMMIT) == RESULT_OK ? RESULT_OK : RESULT_IO_ERROR;
}
