#include "engines/sqlite/forget.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base64url.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "engines/sqlite/database.h"
#include "engines/sqlite/migrations.h"
#include "engines/sqlite/rows.h"
#include "engines/sqlite/writer_tell.h"

#define BUSY_MS 5000
#define CACHE_KIB (16 * 1024)
#define TICKET_LEAST_BYTES 24 /* of base64url, for it to be looked into */

struct forgetting {
    const char *path;
    sqlite3 *db;
    struct writer writer;
    struct bytes user;
    char pseudonym[sizeof PSEUDONYM_PREFIX + 32];
    const struct detail *detail;
    struct erasure erased;
};

static enum result failed(const struct forgetting *forgetting, const char *what) {
    return detail_of_sqlite(forgetting->detail, forgetting->db, forgetting->path, what);
}

/* Runs a statement with the user as ?1 and the pseudonym as ?2; counts the rows that it touched. */
static enum result run(struct forgetting *forgetting, const char *sql, int64_t *rows) {
    sqlite3_stmt *statement = NULL;
    bool ok = sqlite3_prepare_v2(forgetting->db, sql, -1, &statement, NULL) == SQLITE_OK;
    if (ok) {
        bind_bytes(statement, 1, forgetting->user);
        if (sqlite3_bind_parameter_count(statement) > 1)
            bind_text(statement, 2, forgetting->pseudonym);
        ok = sqlite3_step(statement) == SQLITE_DONE;
    }
    if (ok && rows)
        *rows += sqlite3_changes64(forgetting->db);
    enum result result = ok ? RESULT_OK : failed(forgetting, "erasing");
    sqlite3_finalize(statement);
    return result;
}

/* ---- what must have ended first ---- */

static enum result check_ends(struct forgetting *forgetting) {
    sqlite3_stmt *statement = NULL;
    enum result result = RESULT_OK;
    if (sqlite3_prepare_v2(forgetting->db,
                           "SELECT booking_id, saga FROM bookings WHERE saga <> 'DONE' AND saga <> 'CANCELLED' "
                           "AND saga <> 'REFUNDED' AND user_id = ?1 LIMIT 1",
                           -1, &statement, NULL) != SQLITE_OK)
        return failed(forgetting, "reading its bookings");
    bind_bytes(statement, 1, forgetting->user);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        detail_set(forgetting->detail,
                   "the payment of booking %s is not at its end (%s): start the server and let it end, or settle it "
                   "if it needs a human; nothing was erased",
                   (const char *)sqlite3_column_text(statement, 0), (const char *)sqlite3_column_text(statement, 1));
        result = RESULT_CONFLICT;
    } else if (code != SQLITE_DONE) {
        result = failed(forgetting, "reading its bookings");
    }
    sqlite3_finalize(statement);
    return result;
}

/* ---- answers ---- */

/* SQL: names_user(body, user, user as JSON): whether an answer names the user, as a text of JSON or inside of a ticket
 * or a pass. */
static bool holds(struct bytes text, struct bytes wanted) {
    return wanted.length && text.length >= wanted.length &&
           memmem(text.at, text.length, wanted.at, wanted.length) != NULL;
}

static bool is_base64url(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Tickets, and each part of a pass, are base64url. */
static bool ticket_holds(struct bytes body, struct bytes user, struct bytes user_json) {
    static _Thread_local uint8_t data[BASE64URL_DATA(LIMIT_ANSWER_BODY_BYTES)];
    for (size_t i = 0; i < body.length;) {
        size_t start = i, length;
        while (i < body.length && is_base64url(body.at[i]))
            i++;
        struct bytes text = {body.at + start, i - start};
        if (text.length >= TICKET_LEAST_BYTES && base64url_decode(text, sizeof data, data, &length)) {
            struct bytes inside = {(const char *)data, length};
            if (holds(inside, user) || holds(inside, user_json))
                return true;
        }
        if (i == start)
            i++;
    }
    return false;
}

static struct bytes argument(sqlite3_value *value) {
    const char *at = sqlite3_value_blob(value);
    return (struct bytes){at, at ? (size_t)sqlite3_value_bytes(value) : 0};
}

static void names_user(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    struct bytes body = argument(values[0]), user = argument(values[1]), json = argument(values[2]);
    sqlite3_result_int(context, holds(body, json) || ticket_holds(body, user, json));
}

/* Answers of theirs: those that name a booking or a reservation of theirs, and those that name them. */
static enum result erase_answers(struct forgetting *forgetting) {
    struct buffer json;
    sqlite3_stmt *statement = NULL;
    buffer_init(&json, 6 * LIMIT_USER_ID_BYTES + 2);
    struct json_writer writer = json_writer(&json);
    json_put_string(&writer, forgetting->user);
    bool ok = buffer_ok(&json) &&
              sqlite3_create_function_v2(forgetting->db, "names_user", 3, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                         names_user, NULL, NULL, NULL) == SQLITE_OK &&
              sqlite3_prepare_v2(forgetting->db,
                                 "DELETE FROM kept_answers AS k WHERE names_user(k.body, ?1, ?2) OR EXISTS "
                                 "(SELECT 1 FROM bookings AS b WHERE b.user_id = ?1 AND "
                                 "(instr(k.body, CAST('b' || replace(b.booking_id, '-', '') AS BLOB)) > 0 OR "
                                 "instr(k.body, CAST(b.reservation_id AS BLOB)) > 0))",
                                 -1, &statement, NULL) == SQLITE_OK;
    if (ok) {
        bind_bytes(statement, 1, forgetting->user);
        bind_bytes(statement, 2, buffer_bytes(&json));
        ok = sqlite3_step(statement) == SQLITE_DONE;
        forgetting->erased.answers = ok ? sqlite3_changes64(forgetting->db) : 0;
    }
    enum result result = ok ? RESULT_OK : failed(forgetting, "erasing kept answers");
    sqlite3_finalize(statement);
    buffer_release(&json);
    return result;
}

/* ---- the audit ---- */

/* Says of each booking of theirs that its user is erased. */
static enum result tell(struct forgetting *forgetting) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(forgetting->db,
                           "SELECT booking_id, show_id FROM bookings WHERE user_id = ?1 ORDER BY booking_id", -1,
                           &statement, NULL) != SQLITE_OK)
        return failed(forgetting, "reading its bookings");
    bind_bytes(statement, 1, forgetting->user);
    enum result result = RESULT_OK;
    int64_t now_ms = clock_now_ms();
    int code = SQLITE_DONE;
    while (result == RESULT_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct id booking, show;
        if (!column_uuid(statement, 0, &booking) || !column_uuid(statement, 1, &show)) {
            detail_set(forgetting->detail, "'%s' is damaged (a booking's id is none): run `onsale verify`",
                       forgetting->path);
            result = RESULT_CORRUPT;
        } else if (writer_tell_erased(&forgetting->writer, &show, &booking, now_ms) != RESULT_OK) {
            result = failed(forgetting, "writing the audit");
        }
    }
    if (result == RESULT_OK && code != SQLITE_DONE)
        result = failed(forgetting, "reading its bookings");
    sqlite3_finalize(statement);
    if (result == RESULT_OK && writer_tell_ends(&forgetting->writer) != RESULT_OK)
        result = failed(forgetting, "writing the audit");
    return result;
}

/* ---- all of it ---- */

#define THEIRS "(SELECT booking_id FROM bookings WHERE user_id = ?1)"

/* The bookings come last: by them the rest is found. Reasons that are codes of ours say nothing of a person. */
static enum result erase_rows(struct forgetting *forgetting) {
    struct erasure *erased = &forgetting->erased;
    const struct {
        const char *sql;
        int64_t *rows;
    } steps[] = {
        {"DELETE FROM audit_reasons WHERE number IN (SELECT number FROM audit WHERE booking_id IN " THEIRS ")",
         &erased->reasons},
        {"UPDATE audit_before SET reason = '' WHERE booking_id IN " THEIRS, NULL},
        {"DELETE FROM outbox WHERE subject IN (SELECT 'b' || replace(booking_id, '-', '') FROM bookings "
         "WHERE user_id = ?1) OR data ->> 'user_id' = ?1",
         &erased->events},
        {"UPDATE admissions SET user_id = ?2 WHERE user_id = ?1", &erased->admissions},
        {"UPDATE bookings SET user_id = ?2, salt = NULL, "
         "reason = iif(reason GLOB '*[^a-z0-9_]*' OR EXISTS (SELECT 1 FROM audit AS a WHERE a.actor = 'operator' "
         "AND a.booking_id = bookings.booking_id), '', reason) "
         "WHERE user_id = ?1",
         &erased->bookings},
    };
    enum result result = erase_answers(forgetting);
    if (result == RESULT_OK)
        result = tell(forgetting);
    for (size_t i = 0; result == RESULT_OK && i < sizeof steps / sizeof steps[0]; i++)
        result = run(forgetting, steps[i].sql, steps[i].rows);
    return result;
}

#undef THEIRS

/* What was deleted is overwritten, and then not even in the file any more, nor in its log. */
static enum result rewrite_file(struct forgetting *forgetting) {
    if (!database_run(forgetting->db, "VACUUM") ||
        sqlite3_wal_checkpoint_v2(forgetting->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) != SQLITE_OK)
        return failed(forgetting, "writing the file anew");
    return RESULT_OK;
}

static enum result erase(struct forgetting *forgetting, bool dry_run) {
    if (!database_run(forgetting->db, "PRAGMA secure_delete = ON") || !database_run(forgetting->db, "BEGIN IMMEDIATE"))
        return failed(forgetting, "opening it");
    enum result result = check_ends(forgetting);
    if (result == RESULT_OK)
        result = erase_rows(forgetting);
    if (result != RESULT_OK || dry_run) {
        sqlite3_exec(forgetting->db, "ROLLBACK", NULL, NULL, NULL);
        return result;
    }
    if (!database_run(forgetting->db, "COMMIT"))
        return failed(forgetting, "writing it");
    return RESULT_OK;
}

static enum result forget(struct forgetting *forgetting, bool dry_run) {
    struct sqlite_ledger_settings settings = {0};
    enum result result = migrations_check(forgetting->db, forgetting->path, &ledger_migrations, forgetting->detail);
    if (result == RESULT_OK)
        result = database_use_wal(forgetting->db, forgetting->path, CACHE_KIB, forgetting->detail);
    if (result != RESULT_OK)
        return result;
    if (writer_init(&forgetting->writer, forgetting->db, &settings) != RESULT_OK)
        return failed(forgetting, "preparing its statements");
    result = erase(forgetting, dry_run);
    writer_release(&forgetting->writer);
    /* Also where nothing was found: a try that was interrupted may have left the file as it was. */
    return result == RESULT_OK && !dry_run ? rewrite_file(forgetting) : result;
}

enum result sqlite_ledger_forget(const char *folder, const struct user_id *user, bool dry_run, struct erasure *erased,
                                 char *fault, size_t fault_size) {
    struct detail detail = {fault, fault_size};
    struct forgetting forgetting = {.user = user_bytes(user), .detail = &detail};
    uint8_t random[16];
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, SQLITE_LEDGER_FILE) >= (int)sizeof path) {
        detail_set(&detail, "the name of the folder '%s' is too long", folder);
        return RESULT_IO_ERROR;
    }
    if (access(path, F_OK) != 0) {
        detail_set(&detail, "there is no ledger in '%s'", folder);
        return RESULT_NOT_FOUND;
    }
    forgetting.path = path;
    memcpy(forgetting.pseudonym, PSEUDONYM_PREFIX, sizeof PSEUDONYM_PREFIX);
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, forgetting.pseudonym + sizeof PSEUDONYM_PREFIX - 1);
    enum result result = database_open_to_write(path, NULL, BUSY_MS, &detail, &forgetting.db);
    if (result != RESULT_OK)
        return result;
    result = forget(&forgetting, dry_run);
    if (sqlite3_close(forgetting.db) != SQLITE_OK && result == RESULT_OK)
        result = RESULT_IO_ERROR;
    if (result == RESULT_OK)
        *erased = forgetting.erased;
    return result;
}
