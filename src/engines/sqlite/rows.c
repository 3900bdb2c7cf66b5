#include "engines/sqlite/rows.h"

#include "base/json.h"
#include "bookings/saga.h"

static const char *const seat_status_texts[] = {"AVAILABLE", "HELD", "BOOKED"};

const char *seat_status_text(enum seat_status status) {
    assert(status <= SEAT_BOOKED);
    return seat_status_texts[status];
}

bool seat_status_of(struct bytes text, enum seat_status *status) {
    for (int i = SEAT_AVAILABLE; i <= SEAT_BOOKED; i++) {
        if (bytes_equal(text, bytes_of(seat_status_texts[i]))) {
            *status = (enum seat_status)i;
            return true;
        }
    }
    return false;
}

void bind_time(sqlite3_stmt *statement, int at, int64_t ms, char text[static CLOCK_TEXT_BYTES]) {
    size_t length = clock_format(ms, text);
    bind_bytes(statement, at, (struct bytes){text, length});
}

void bind_time_or_null(sqlite3_stmt *statement, int at, int64_t ms, char text[static CLOCK_TEXT_BYTES]) {
    if (ms)
        bind_time(statement, at, ms, text);
    else
        bind_null(statement, at);
}

void bind_uuid(sqlite3_stmt *statement, int at, const struct id *id, char text[static ID_UUID_TEXT]) {
    id_format_uuid(id, text);
    bind_bytes(statement, at, (struct bytes){text, ID_UUID_TEXT});
}

void bind_reservation(sqlite3_stmt *statement, int at, const struct id *id, char text[static ID_LETTER_TEXT]) {
    id_format_letter(id, 'r', text);
    bind_bytes(statement, at, (struct bytes){text, ID_LETTER_TEXT});
}

struct bytes column_bytes(sqlite3_stmt *statement, int at) {
    const char *text = sqlite3_column_blob(statement, at);
    return (struct bytes){text, text ? (size_t)sqlite3_column_bytes(statement, at) : 0};
}

bool column_time(sqlite3_stmt *statement, int at, int64_t *ms) {
    if (sqlite3_column_type(statement, at) == SQLITE_NULL) {
        *ms = 0;
        return true;
    }
    return clock_parse(column_bytes(statement, at), ms);
}

bool column_uuid(sqlite3_stmt *statement, int at, struct id *id) {
    return id_parse_uuid(column_bytes(statement, at), id);
}

static bool is_chosen(const struct seat_choice *choice, uint32_t seat) {
    for (uint32_t i = 0; choice && i < choice->count; i++)
        if (choice->at[i] == seat)
            return true;
    return false;
}

void write_seats(const struct booking *booking, const struct seat_choice *skip, struct buffer *ids,
                 struct buffer *amounts) {
    struct json_writer id_writer = json_writer(ids), amount_writer = json_writer(amounts);
    if (ids)
        json_open(&id_writer, '[');
    if (amounts)
        json_open(&amount_writer, '[');
    for (uint32_t i = 0; i < booking->seat_count; i++) {
        if (is_chosen(skip, i))
            continue;
        if (ids)
            json_put_string(&id_writer, booking->seat_ids[i]);
        if (amounts)
            json_put_int(&amount_writer, booking->seat_amounts[i]);
    }
    if (ids)
        json_close(&id_writer, ']');
    if (amounts)
        json_close(&amount_writer, ']');
}

void bind_booking_step(sqlite3_stmt *statement, const struct booking *booking, struct booking_texts *texts) {
    bind_uuid(statement, 1, &booking->id, texts->id);
    bind_text(statement, 2, booking_status_name(booking->status));
    bind_text(statement, 3, payment_state_name(booking->payment_state));
    bind_text(statement, 4, saga_state_name(booking->saga));
    bind_int(statement, 5, booking->attempt);
    bind_text(statement, 6, booking->intent_id);
    bind_text(statement, 7, booking->reason);
    bind_int(statement, 8, booking->refunded);
    bind_time(statement, 9, booking->updated_ms, texts->updated);
}

void bind_booking_row(sqlite3_stmt *statement, const struct booking *booking, struct bytes seat_ids,
                      struct bytes seat_amounts, struct booking_texts *texts) {
    bind_booking_step(statement, booking, texts);
    bind_time_or_null(statement, 10, booking->confirmed_ms, texts->confirmed);
    bind_int(statement, 11, (int64_t)booking->fence);
    bind_bytes(statement, 12, seat_ids);
    bind_bytes(statement, 13, seat_amounts);
    bind_bytes(statement, 14, user_bytes(&booking->user));
    bind_uuid(statement, 15, &booking->show_id, texts->show);
    bind_reservation(statement, 16, &booking->reservation, texts->reservation);
    bind_int(statement, 17, booking->amount);
    bind_text(statement, 18, booking->currency);
    bind_time(statement, 19, booking->created_ms, texts->created);
}

static bool copy_text(sqlite3_stmt *statement, int at, char *text, size_t size) {
    struct bytes bytes = column_bytes(statement, at);
    if (bytes.length >= size)
        return false;
    if (bytes.length)
        memcpy(text, bytes.at, bytes.length);
    text[bytes.length] = '\0';
    return true;
}

static bool status_of(struct bytes text, enum booking_status *status) {
    for (int i = BOOKING_PENDING; i <= BOOKING_CANCELLED; i++) {
        if (bytes_equal(text, bytes_of(booking_status_name((enum booking_status)i)))) {
            *status = (enum booking_status)i;
            return true;
        }
    }
    return false;
}

static bool payment_state_of(struct bytes text, enum payment_state *state) {
    for (int i = PAYMENT_STATE_NONE; i <= PAYMENT_STATE_REVIEW; i++) {
        if (bytes_equal(text, bytes_of(payment_state_name((enum payment_state)i)))) {
            *state = (enum payment_state)i;
            return true;
        }
    }
    return false;
}

/* The two arrays, into the booking and its storage. */
static enum result read_seats(const json_t *ids, const json_t *amounts, struct booking *booking,
                              struct buffer *storage) {
    size_t count = json_array_size(ids), starts[LIMIT_SEATS_PER_HOLD];
    if (count > LIMIT_SEATS_PER_HOLD || json_array_size(amounts) != count)
        return RESULT_CORRUPT;
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_array_get(ids, i), *amount = json_array_get(amounts, i);
        if (!json_is_string(id) || !json_is_integer(amount))
            return RESULT_CORRUPT;
        starts[i] = storage->length;
        buffer_add(storage, json_string_value(id), json_string_length(id));
        booking->seat_ids[i].length = json_string_length(id);
        booking->seat_amounts[i] = json_integer_value(amount);
    }
    if (!buffer_ok(storage))
        return RESULT_OVERLOADED;
    for (size_t i = 0; i < count; i++)
        booking->seat_ids[i].at = storage->at + starts[i];
    booking->seat_count = (uint32_t)count;
    return RESULT_OK;
}

static enum result parse_seats(struct bytes ids_text, struct bytes amounts_text, struct booking *booking,
                               struct buffer *storage) {
    json_t *ids = NULL, *amounts = NULL;
    char ignored[64];
    enum result result = RESULT_CORRUPT;
    if (json_parse(ids_text, &ids, ignored, sizeof ignored) == RESULT_OK &&
        json_parse(amounts_text, &amounts, ignored, sizeof ignored) == RESULT_OK)
        result = read_seats(ids, amounts, booking, storage);
    json_decref(ids);
    json_decref(amounts);
    return result;
}

enum result booking_of_row(sqlite3_stmt *statement, struct booking *booking, struct buffer *storage) {
    struct booking read = {0};
    struct bytes user = column_bytes(statement, 1);
    if (!column_uuid(statement, 0, &read.id) || user.length > LIMIT_USER_ID_BYTES ||
        !status_of(column_bytes(statement, 3), &read.status) || !column_uuid(statement, 4, &read.show_id) ||
        !id_parse_letter(column_bytes(statement, 5), 'r', &read.reservation) ||
        !copy_text(statement, 9, read.currency, sizeof read.currency) ||
        !payment_state_of(column_bytes(statement, 10), &read.payment_state) ||
        !saga_state_parse(column_bytes(statement, 11), &read.saga) ||
        !copy_text(statement, 13, read.intent_id, sizeof read.intent_id) ||
        !copy_text(statement, 15, read.reason, sizeof read.reason) || !column_time(statement, 16, &read.created_ms) ||
        !column_time(statement, 17, &read.updated_ms) || !column_time(statement, 18, &read.confirmed_ms))
        return RESULT_CORRUPT;
    buffer_clear(storage);
    enum result result = parse_seats(column_bytes(statement, 2), column_bytes(statement, 6), &read, storage);
    if (result != RESULT_OK)
        return result;
    read.user.length = (uint8_t)user.length;
    if (user.length)
        memcpy(read.user.text, user.at, user.length);
    read.amount = sqlite3_column_int64(statement, 7);
    read.refunded = sqlite3_column_int64(statement, 8);
    read.attempt = (uint32_t)sqlite3_column_int64(statement, 12);
    read.fence = (uint64_t)sqlite3_column_int64(statement, 14);
    *booking = read;
    return RESULT_OK;
}
