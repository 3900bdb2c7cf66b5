/* One SQLite file, opened the one way in which the ledger may be opened, and the words for what went wrong.
 *
 * Writing: WAL, synchronous=FULL, no checkpoint but the one that is asked for. Reading: read-only, never a checkpoint,
 * not at close either (a second connection that checkpoints while another commits meets SQLite's WAL-reset bug of 3.7.0
 * to 3.51.2, and loses commits).
 */
#ifndef ONSALE_ENGINES_SQLITE_DATABASE_H
#define ONSALE_ENGINES_SQLITE_DATABASE_H

#include <sqlite3.h>

#include "base/bytes.h"
#include "base/result.h"

/* Where the words for the user go. */
struct detail {
    char *text;
    size_t size;
};

void detail_set(const struct detail *detail, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What SQLite's last error on this connection means: CORRUPT or IO_ERROR, and the words with what to do. `what` says
 * what was being done. */
enum result detail_of_sqlite(const struct detail *detail, sqlite3 *db, const char *path, const char *what);

/* The connection that writes; makes the file where there is none. It is not in WAL mode until database_use_wal(). */
MUST_USE enum result database_open_to_write(const char *path, const char *vfs, int busy_ms, const struct detail *detail,
                                            sqlite3 **db);
MUST_USE enum result database_use_wal(sqlite3 *db, const char *path, int cache_kib, const struct detail *detail);

/* A connection that reads. `cache_kib`: its page cache. */
MUST_USE enum result database_open_to_read(const char *path, const char *vfs, int busy_ms, int cache_kib,
                                           const struct detail *detail, sqlite3 **db);

/* The single integer that a statement gives; CORRUPT or IO_ERROR with the words. */
MUST_USE enum result database_read_int(sqlite3 *db, const char *path, const char *sql, const struct detail *detail,
                                       int64_t *value);
MUST_USE bool database_run(sqlite3 *db, const char *sql);

/* Every page and row, if the file is small enough to be read in a moment (README.md). CORRUPT with the words. */
MUST_USE enum result database_quick_check(sqlite3 *db, const char *path, const struct detail *detail);

#endif
