/* Values between C and SQLite's columns: ids, times and states as the text that the schema promises, a booking's row
 * both ways. */
#ifndef ONSALE_ENGINES_SQLITE_ROWS_H
#define ONSALE_ENGINES_SQLITE_ROWS_H

#include <sqlite3.h>

#include "base/clock.h"
#include "base/panic.h"
#include "bookings/ledger.h"

/* Binding fails only when the statement and the code disagree. What is bound is borrowed until the statement has run.
 */
static inline void bind_int(sqlite3_stmt *statement, int at, int64_t value) {
    int code = sqlite3_bind_int64(statement, at, value);
    assert(code == SQLITE_OK);
}

static inline void bind_bytes(sqlite3_stmt *statement, int at, struct bytes value) {
    int code = sqlite3_bind_text(statement, at, value.length ? value.at : "", (int)value.length, SQLITE_STATIC);
    assert(code == SQLITE_OK);
}

static inline void bind_text(sqlite3_stmt *statement, int at, const char *value) {
    bind_bytes(statement, at, bytes_of(value));
}

static inline void bind_blob(sqlite3_stmt *statement, int at, struct bytes value) {
    int code = sqlite3_bind_blob(statement, at, value.length ? value.at : "", (int)value.length, SQLITE_STATIC);
    assert(code == SQLITE_OK);
}

static inline void bind_null(sqlite3_stmt *statement, int at) {
    int code = sqlite3_bind_null(statement, at);
    assert(code == SQLITE_OK);
}

/* These format into `text`, which has to live until the statement has run. */
void bind_time(sqlite3_stmt *statement, int at, int64_t ms, char text[static CLOCK_TEXT_BYTES]);
void bind_time_or_null(sqlite3_stmt *statement, int at, int64_t ms, char text[static CLOCK_TEXT_BYTES]); /* 0: NULL */
void bind_uuid(sqlite3_stmt *statement, int at, const struct id *id, char text[static ID_UUID_TEXT]);
void bind_reservation(sqlite3_stmt *statement, int at, const struct id *id, char text[static ID_LETTER_TEXT]);

/* Columns. Text and blobs are SQLite's until the statement steps on. The parsers are false where the file says what we
 * never write. */
struct bytes column_bytes(sqlite3_stmt *statement, int at);
MUST_USE bool column_time(sqlite3_stmt *statement, int at, int64_t *ms); /* NULL is 0 */
MUST_USE bool column_uuid(sqlite3_stmt *statement, int at, struct id *id);

const char *seat_status_text(enum seat_status status); /* not SEAT_BLOCKED */
MUST_USE bool seat_status_of(struct bytes text, enum seat_status *status);

/* The seats of a booking as JSON arrays, appended: ["A1","A2"] and [5000,5000]. `skip` (may be NULL) names by index
 * those that are left out; NULL `out` leaves one of the two away. */
struct seat_choice {
    uint32_t count;
    const uint32_t *at;
};
void write_seats(const struct booking *booking, const struct seat_choice *skip, struct buffer *ids,
                 struct buffer *amounts);

/* What a booking's columns are written in, while its statement runs. */
struct booking_texts {
    char id[ID_UUID_TEXT], show[ID_UUID_TEXT], reservation[ID_LETTER_TEXT];
    char created[CLOCK_TEXT_BYTES], updated[CLOCK_TEXT_BYTES], confirmed[CLOCK_TEXT_BYTES];
};

/* ?1 to ?9 of the booking statements (write_statements.def): what every step may change. */
void bind_booking_step(sqlite3_stmt *statement, const struct booking *booking, struct booking_texts *texts);
/* ?10 to ?19 as well: a whole row. */
void bind_booking_row(sqlite3_stmt *statement, const struct booking *booking, struct bytes seat_ids,
                      struct bytes seat_amounts, struct booking_texts *texts);

/* The columns that booking_of_row() reads, in its order. */
#define BOOKING_COLUMNS                                                                                                \
    "booking_id, user_id, seat_ids, status, show_id, reservation_id, seat_amounts, amount, refunded, currency, "       \
    "payment_state, saga, attempt, intent_id, fence, reason, created_at, updated_at, confirmed_at"

/* Reads a row; the seats' ids are put in `storage`, whose earlier content goes. CORRUPT where the row is none of ours,
 * OVERLOADED when memory ran out. */
MUST_USE enum result booking_of_row(sqlite3_stmt *statement, struct booking *booking, struct buffer *storage);

#endif
