/* Runs and checks the numbered migrations. The first sets an empty file up; the same code later brings an older one
 * forward. All of them share one transaction, PRAGMA user_version and application_id included, so that a crash leaves
 * the old version or the new one.
 *
 * What can go wrong: not a database at all, another program's, damaged, newer than we are, or a migration whose text is
 * not the one that was applied (drift). Each is refused with words that say what to do. */
#include "engines/sqlite/migrations.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/hash.h"

static const struct migration embedded[] = {
#include "engines/sqlite/migrations.inc"
};

const struct migration_list ledger_migrations = {embedded, sizeof embedded / sizeof embedded[0]};

static void checksum_text(const struct migration *migration, char text[33]) {
    struct bytes sql = bytes_of(migration->sql);
    struct id checksum = hash_128(&sql, 1);
    hex_encode(checksum.at, sizeof checksum.at, text);
    text[32] = '\0';
}

/* Compares the recorded migrations with ours, up to `version`. */
static enum result check_history(sqlite3 *db, const char *path, const struct migration_list *list, int64_t version,
                                 const struct detail *detail) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, "SELECT number, checksum FROM migrations ORDER BY number", -1, &statement, NULL) !=
        SQLITE_OK)
        return detail_of_sqlite(detail, db, path, "reading its migrations");
    enum result result = RESULT_OK;
    int64_t seen = 0;
    int code;
    while (result == RESULT_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        char ours[33];
        const char *theirs = (const char *)sqlite3_column_text(statement, 1);
        seen++;
        if (seen > version || sqlite3_column_int64(statement, 0) != seen)
            result = RESULT_CORRUPT;
        else {
            checksum_text(&list->at[seen - 1], ours);
            if (!theirs || strcmp(ours, theirs) != 0)
                result = RESULT_CORRUPT;
        }
    }
    if (result == RESULT_OK && code != SQLITE_DONE)
        result = detail_of_sqlite(detail, db, path, "reading its migrations");
    else if (result != RESULT_OK || seen != version) {
        detail_set(detail,
                   "'%s' was made by migrations that are not those of this program (number %lld differs): use the "
                   "program that wrote it, or put the ledger back from a backup",
                   path, (long long)(result != RESULT_OK ? seen : seen + 1));
        result = RESULT_CORRUPT;
    }
    sqlite3_finalize(statement);
    return result;
}

enum result migrations_check(sqlite3 *db, const char *path, const struct migration_list *list,
                             const struct detail *detail) {
    int64_t application, version, tables;
    enum result result = database_read_int(db, path, "PRAGMA application_id", detail, &application);
    if (result == RESULT_OK)
        result = database_read_int(db, path, "PRAGMA user_version", detail, &version);
    if (result == RESULT_OK)
        result = database_read_int(db, path, "SELECT count(*) FROM sqlite_schema", detail, &tables);
    if (result != RESULT_OK)
        return result;
    if (application == 0 && version == 0 && tables == 0)
        return RESULT_NOT_FOUND;
    if (application != LEDGER_APPLICATION_ID) {
        detail_set(detail, "'%s' is another program's database: give onsale a folder of its own", path);
        return RESULT_CORRUPT;
    }
    if (version > list->count) {
        detail_set(detail,
                   "'%s' was written by a newer onsale (schema %lld, this one knows %d): use that version or a later "
                   "one",
                   path, (long long)version, list->count);
        return RESULT_NEWER_VERSION;
    }
    result = check_history(db, path, list, version, detail);
    if (result == RESULT_OK && version < list->count) {
        const char *slash = strrchr(path, '/');
        detail_set(detail,
                   "'%s' was written by an older onsale (schema %lld, this one needs %d): make a backup, then run "
                   "`onsale migrate --data %.*s`",
                   path, (long long)version, list->count, slash ? (int)(slash - path) : 1, slash ? path : ".");
        return RESULT_OLDER_VERSION;
    }
    return result;
}

static bool apply_one(sqlite3 *db, const struct migration *migration) {
    char checksum[33], now[CLOCK_TEXT_BYTES], version[64];
    checksum_text(migration, checksum);
    clock_format(clock_now_ms(), now);
    (void)snprintf(version, sizeof version, "PRAGMA user_version = %d", migration->number);
    if (!database_run(db, migration->sql) || !database_run(db, version))
        return false;
    sqlite3_stmt *statement = NULL;
    bool ok =
        sqlite3_prepare_v2(db, "INSERT INTO migrations (number, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
                           -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_bind_int(statement, 1, migration->number) == SQLITE_OK &&
        sqlite3_bind_text(statement, 2, migration->name, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_bind_text(statement, 3, checksum, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_bind_text(statement, 4, now, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
    return ok;
}

static bool begin(sqlite3 *db) {
    char claim[96];
    (void)snprintf(claim, sizeof claim, "PRAGMA application_id = %d", LEDGER_APPLICATION_ID);
    return database_run(db, "BEGIN IMMEDIATE") && database_run(db, claim) &&
           database_run(db, "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, "
                            "checksum TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT");
}

static bool apply_from(sqlite3 *db, const struct migration_list *list, int64_t version,
                       void (*line)(void *context, const char *text), void *context) {
    for (int64_t i = version; i < list->count; i++) {
        if (!apply_one(db, &list->at[i]))
            return false;
        if (line)
            line(context, list->at[i].name);
    }
    return true;
}

enum result migrations_apply(sqlite3 *db, const char *path, const struct migration_list *list, bool dry_run,
                             void (*line)(void *context, const char *text), void *context,
                             const struct detail *detail) {
    int64_t version;
    enum result result = database_read_int(db, path, "PRAGMA user_version", detail, &version);
    if (result != RESULT_OK)
        return result;
    if (begin(db) && apply_from(db, list, version, line, context) && database_run(db, dry_run ? "ROLLBACK" : "COMMIT"))
        return RESULT_OK;
    result = detail_of_sqlite(detail, db, path, "applying its migrations");
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return result;
}
