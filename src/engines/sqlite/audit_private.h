/* A check of the audit under way: what it found so far, and how it is told. */
#ifndef ONSALE_ENGINES_SQLITE_AUDIT_PRIVATE_H
#define ONSALE_ENGINES_SQLITE_AUDIT_PRIVATE_H

#include <sqlite3.h>

#include "base/bytes.h"
#include "engines/sqlite/audit.h"

struct audit {
    sqlite3 *db;
    const struct audit_listener *listener;
    int64_t found, counted; /* by the check under way */
};

/* One finding; those over AUDIT_DIFFERENCES are counted only. */
void audit_find(struct audit *audit, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The check's end: what was checked, on how much, and whether it is so. */
void audit_conclude(struct audit *audit, const char *words, const char *unit);

/* A check that cannot be made is a finding too: the page that it needs is damaged, or a table is gone. */
void audit_give_up(struct audit *audit, const char *words);

/* audit_chain.c: the chain, whole; who and why stand in it; the shows that it tells of. */
void audit_chain_run(struct audit *audit);

#endif
