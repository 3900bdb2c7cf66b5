#include "engines/sqlite/database.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "engines/sqlite/log_vfs.h"

/* Files up to this are checked whole at every start: half a second at the worst. Larger ones show their damage when the
 * page is read, which stops the ledger, and `onsale verify` reads everything. */
#define QUICK_CHECK_BYTES (256LL * 1024 * 1024)

void detail_set(const struct detail *detail, const char *format, ...) {
    if (detail->size == 0)
        return;
    va_list list;
    va_start(list, format);
    (void)vsnprintf(detail->text, detail->size, format, list);
    va_end(list);
}

enum result detail_of_sqlite(const struct detail *detail, sqlite3 *db, const char *path, const char *what) {
    int code = sqlite3_errcode(db) & 0xff;
    if (code == SQLITE_NOTADB) {
        detail_set(detail,
                   "'%s' is not an SQLite database: move it away (an empty folder is set up), or put the ledger back "
                   "from a backup",
                   path);
        return RESULT_CORRUPT;
    }
    if (code == SQLITE_CORRUPT) {
        detail_set(detail,
                   "'%s' is damaged (%s: %s): keep a copy of the folder, then put the ledger back from a backup", path,
                   what, sqlite3_errmsg(db));
        return RESULT_CORRUPT;
    }
    const char *advice = "see that the folder can be read and written and that the disk is well";
    if (code == SQLITE_FULL)
        advice = "make room on the disk";
    else if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        advice = "another process uses it: stop that one first";
    detail_set(detail, "cannot use '%s' (%s: %s): %s", path, what, sqlite3_errmsg(db), advice);
    return RESULT_IO_ERROR;
}

bool database_run(sqlite3 *db, const char *sql) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* The library's own counting of memory takes a lock at every allocation. Ignored where SQLite runs already. */
static void configure_library(void) {
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* Before anything else is asked of SQLite. */
static void set_up_library(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure_library);
}

static enum result open_file(const char *path, const char *vfs, int flags, int busy_ms, const struct detail *detail,
                             sqlite3 **db) {
    sqlite3 *opened = NULL;
    set_up_library();
    if (sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, vfs) != SQLITE_OK) {
        if (opened)
            (void)detail_of_sqlite(detail, opened, path, "opening it");
        else
            detail_set(detail, "cannot use '%s': out of memory", path);
        sqlite3_close(opened);
        return RESULT_IO_ERROR;
    }
    sqlite3_extended_result_codes(opened, 1);
    sqlite3_busy_timeout(opened, busy_ms);
    /* What is in the file is data: no SQL in it may do more than SQL, and no statement of ours may damage it. */
    sqlite3_db_config(opened, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(opened, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    *db = opened;
    return RESULT_OK;
}

enum result database_open_to_write(const char *path, const char *vfs, int busy_ms, const struct detail *detail,
                                   sqlite3 **db) {
    set_up_library();
    const char *layer = log_vfs_over(vfs);
    if (!layer) {
        detail_set(detail, "cannot use '%s': SQLite does not start", path);
        return RESULT_IO_ERROR;
    }
    return open_file(path, layer, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, busy_ms, detail, db);
}

/* The first word of what a statement gives. */
static bool answers(sqlite3 *db, const char *sql, const char *expected) {
    sqlite3_stmt *statement = NULL;
    bool same = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0) &&
                strcmp((const char *)sqlite3_column_text(statement, 0), expected) == 0;
    sqlite3_finalize(statement);
    return same;
}

enum result database_use_wal(sqlite3 *db, const char *path, int cache_kib, const struct detail *detail) {
    char cache[48];
    (void)snprintf(cache, sizeof cache, "PRAGMA cache_size = -%d", cache_kib);
    if (!answers(db, "PRAGMA journal_mode = WAL", "wal")) {
        if (sqlite3_errcode(db) != SQLITE_OK && sqlite3_errcode(db) != SQLITE_ROW && sqlite3_errcode(db) != SQLITE_DONE)
            return detail_of_sqlite(detail, db, path, "switching to the write-ahead log");
        detail_set(detail,
                   "'%s' is on a file system that cannot hold a write-ahead log: put the data folder on a local disk",
                   path);
        return RESULT_IO_ERROR;
    }
    if (!database_run(db, "PRAGMA synchronous = FULL") || !answers(db, "PRAGMA synchronous", "2") ||
        !database_run(db, "PRAGMA wal_autocheckpoint = 0") || !database_run(db, "PRAGMA temp_store = MEMORY") ||
        !database_run(db, cache))
        return detail_of_sqlite(detail, db, path, "setting it up");
    return RESULT_OK;
}

enum result database_open_to_read(const char *path, const char *vfs, int busy_ms, int cache_kib,
                                  const struct detail *detail, sqlite3 **db) {
    sqlite3 *opened;
    enum result result = open_file(path, vfs, SQLITE_OPEN_READONLY, busy_ms, detail, &opened);
    if (result != RESULT_OK)
        return result;
    char cache[48];
    (void)snprintf(cache, sizeof cache, "PRAGMA cache_size = -%d", cache_kib);
    sqlite3_db_config(opened, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (!database_run(opened, "PRAGMA query_only = 1") || !database_run(opened, "PRAGMA wal_autocheckpoint = 0") ||
        !database_run(opened, "PRAGMA temp_store = MEMORY") || !database_run(opened, cache)) {
        result = detail_of_sqlite(detail, opened, path, "setting it up for reading");
        sqlite3_close(opened);
        return result;
    }
    *db = opened;
    return RESULT_OK;
}

enum result database_read_int(sqlite3 *db, const char *path, const char *sql, const struct detail *detail,
                              int64_t *value) {
    sqlite3_stmt *statement = NULL;
    enum result result = RESULT_OK;
    int64_t read = 0;
    bool ok = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW;
    if (ok) {
        read = sqlite3_column_int64(statement, 0);
        ok = sqlite3_step(statement) == SQLITE_DONE; /* a write of its own commits here */
    }
    if (ok)
        *value = read;
    else
        result = detail_of_sqlite(detail, db, path, "reading it");
    sqlite3_finalize(statement);
    return result;
}

enum result database_quick_check(sqlite3 *db, const char *path, const struct detail *detail) {
    int64_t pages, page_bytes;
    enum result result = database_read_int(db, path, "PRAGMA page_count", detail, &pages);
    if (result == RESULT_OK)
        result = database_read_int(db, path, "PRAGMA page_size", detail, &page_bytes);
    if (result != RESULT_OK || pages * page_bytes > QUICK_CHECK_BYTES)
        return result;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        result = detail_of_sqlite(detail, db, path, "checking it");
    } else {
        const char *found = (const char *)sqlite3_column_text(statement, 0);
        if (!found || strcmp(found, "ok") != 0) {
            detail_set(detail,
                       "'%s' is damaged (%s): keep a copy of the folder, run `onsale verify` on it, then put the "
                       "ledger back from a backup",
                       path, found ? found : "no answer");
            result = RESULT_CORRUPT;
        }
    }
    sqlite3_finalize(statement);
    return result;
}
