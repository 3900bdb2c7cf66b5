#include "engines/sqlite/unaudited.h"

#include <sodium.h>

static const char question[] =
    "SELECT b.booking_id IS NOT NULL, u.id, coalesce("
    "b.show_id || ' ' || b.reservation_id || ' ' || b.amount || ' ' || b.currency || ' ' || b.created_at, "
    "s.plan_hash || ' ' || s.created_at, 'gone') FROM unaudited AS u "
    "LEFT JOIN bookings AS b ON b.booking_id = u.id LEFT JOIN shows AS s ON s.show_id = u.id ORDER BY u.id";

enum result unaudited_read(sqlite3 *db, struct unaudited *unaudited) {
    struct unaudited read = {0};
    crypto_generichash_state state;
    uint8_t hash[CHAIN_HASH_BYTES];
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, question, -1, &statement, NULL);
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        if (code != SQLITE_ROW)
            break;
        if (sqlite3_column_int(statement, 0))
            read.bookings++;
        else
            read.shows++;
        for (int i = 1; i <= 2; i++) {
            const uint8_t *text = sqlite3_column_text(statement, i);
            /* The NUL behind the text keeps the columns apart. */
            crypto_generichash_update(&state, text, text ? (size_t)sqlite3_column_bytes(statement, i) + 1 : 0);
        }
    }
    sqlite3_finalize(statement);
    if (code != SQLITE_DONE)
        return RESULT_IO_ERROR;
    crypto_generichash_final(&state, hash, sizeof hash);
    hex_encode(hash, sizeof hash, read.hash);
    *unaudited = read;
    return RESULT_OK;
}
