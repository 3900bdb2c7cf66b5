/* Shows and bookings that are older than the audit: how many there are, and a hash over what never changes of them. The
 * audit's first row says both, so that none of them can be changed, left out or added afterwards.
 *
 * The hash is BLAKE2b-256 over each one's id and its columns, in the order of the ids: of a show its plan's hash and
 * when it was made, of a booking its show, reservation, amount, currency and when it was made. */
#ifndef ONSALE_ENGINES_SQLITE_UNAUDITED_H
#define ONSALE_ENGINES_SQLITE_UNAUDITED_H

#include <sqlite3.h>

#include "base/result.h"
#include "engines/sqlite/chain.h"

struct unaudited {
    int64_t shows, bookings;
    char hash[2 * CHAIN_HASH_BYTES]; /* hexadecimal */
};

/* IO_ERROR, with SQLite's words on the connection. */
MUST_USE enum result unaudited_read(sqlite3 *db, struct unaudited *unaudited);

#endif
