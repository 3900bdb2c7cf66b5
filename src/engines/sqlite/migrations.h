/* The ledger's schema, by numbered migrations, and the file that it is in.
 *
 * A migration is a .sql file beside this one, embedded when we are built. What was applied is written in the table
 * `migrations` with a checksum of its text, so that a file whose history is not ours is refused and never guessed at.
 * PRAGMA user_version holds the number of the last one, PRAGMA application_id says that the file is ours.
 */
#ifndef ONSALE_ENGINES_SQLITE_MIGRATIONS_H
#define ONSALE_ENGINES_SQLITE_MIGRATIONS_H

#include "engines/sqlite/database.h"

#define LEDGER_APPLICATION_ID 0x6f6e736c /* "onsl" */

struct migration {
    int number; /* 1, 2, 3 … without a gap */
    const char *name;
    const char *sql;
};

struct migration_list {
    const struct migration *at;
    int count;
};

extern const struct migration_list ledger_migrations;

/* Looks at an open file. OK: it is at the list's last version. NOT_FOUND: it is empty. OLDER_VERSION, NEWER_VERSION,
 * CORRUPT, IO_ERROR with the words. */
MUST_USE enum result migrations_check(sqlite3 *db, const char *path, const struct migration_list *list,
                                      const struct detail *detail);

/* Applies what is missing (all of it, to an empty file), in one transaction, naming each to `line` (may be NULL).
 * `dry_run`: rolls back instead of committing. */
MUST_USE enum result migrations_apply(sqlite3 *db, const char *path, const struct migration_list *list, bool dry_run,
                                      void (*line)(void *context, const char *text), void *context,
                                      const struct detail *detail);

#endif
