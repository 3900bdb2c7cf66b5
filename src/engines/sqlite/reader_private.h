/* A reader, for the files that read. */
#ifndef ONSALE_ENGINES_SQLITE_READER_PRIVATE_H
#define ONSALE_ENGINES_SQLITE_READER_PRIVATE_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "bookings/ledger.h"
#include "engines/sqlite/rows.h"

enum read_statement {
#define STATEMENT(name, sql) READ_##name,
#include "engines/sqlite/read_statements.def"
#undef STATEMENT
    READ_STATEMENT_COUNT
};

struct ledger_reader {
    sqlite3 *db;
    sqlite3_stmt *statements[READ_STATEMENT_COUNT];
    atomic_int *count;
    struct booking booking; /* the row that a callback is shown, and its seats' ids */
    struct buffer storage;
};

/* What a statement that did not give what was asked came to. */
MUST_USE enum result reader_failed(struct ledger_reader *reader);

/* reader_told.c's share of the port. */
void reader_fill_told(struct ledger *ledger);

#endif
