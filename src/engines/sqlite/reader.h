/* Readers: read-only connections with statements of their own, one thread at a time each. A read sees every command
 * whose `done` was called before it began. */
#ifndef ONSALE_ENGINES_SQLITE_READER_H
#define ONSALE_ENGINES_SQLITE_READER_H

#include <stdatomic.h>

#include "bookings/ledger.h"

/* `count` rises with each open reader and falls when it is freed. Strings are borrowed as long as the reader lives. */
MUST_USE enum result reader_open(const char *path, const char *vfs, int busy_ms, atomic_int *count,
                                 struct ledger_reader **reader);

/* The reading half of the port. */
void reader_fill_port(struct ledger *ledger);

#endif
