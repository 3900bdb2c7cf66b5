/* What the commands on a booking do: opening it, its steps, the sale, what is given back. */
#include "engines/sqlite/writer.h"

#include "base/json.h"
#include "base/panic.h"
#include "base/random.h"
#include "bookings/saga.h"
#include "engines/sqlite/rows.h"
#include "engines/sqlite/writer_tell.h"

/* The booking's arrays into the writer's buffers. False when memory ran out. */
static bool fill_seats(struct writer *writer, const struct booking *booking, const struct seat_choice *skip) {
    buffer_clear(&writer->seat_ids);
    buffer_clear(&writer->seat_amounts);
    write_seats(booking, skip, &writer->seat_ids, &writer->seat_amounts);
    return buffer_ok(&writer->seat_ids) && buffer_ok(&writer->seat_amounts);
}

/* `kept` is what was written. */
static enum result insert_booking(struct writer *writer, const struct booking *booking, struct kept_booking *kept) {
    struct booking_texts texts;
    if (!fill_seats(writer, booking, NULL))
        return RESULT_LEDGER_UNAVAILABLE;
    uint8_t salt[CHAIN_SALT_BYTES];
    random_bytes(salt, sizeof salt);
    buffer_clear(&writer->row);
    buffer_add(&writer->row, salt, sizeof salt);
    if (!buffer_ok(&writer->row))
        return RESULT_LEDGER_UNAVAILABLE;
    *kept = (struct kept_booking){.salt = buffer_bytes(&writer->row),
                                  .user = user_bytes(&booking->user),
                                  .seat_ids = buffer_bytes(&writer->seat_ids),
                                  .seat_amounts = buffer_bytes(&writer->seat_amounts)};
    sqlite3_stmt *insert = writer_statement(writer, WRITE_INSERT_BOOKING);
    bind_booking_row(insert, booking, kept->seat_ids, kept->seat_amounts, &texts);
    bind_blob(insert, 20, kept->salt);
    return writer_run(writer, WRITE_INSERT_BOOKING);
}

enum result writer_open_booking(struct writer *writer, const struct ledger_command *command) {
    struct kept_booking kept;
    return insert_booking(writer, command->booking.booking, &kept);
}

/* What others are told of a booking, out of its row and into the writer's memory, for the row is about to change. */
static bool keep_row(struct writer *writer, sqlite3_stmt *select, struct kept_booking *kept) {
    struct bytes *columns[] = {&kept->salt, &kept->user, &kept->seat_ids, &kept->seat_amounts};
    size_t starts[4];
    buffer_clear(&writer->row);
    for (int i = 0; i < 4; i++) {
        struct bytes column = column_bytes(select, 2 + i);
        starts[i] = writer->row.length;
        buffer_add_bytes(&writer->row, column);
        columns[i]->length = column.length;
    }
    for (int i = 0; i < 4; i++)
        columns[i]->at = columns[i]->length ? writer->row.at + starts[i] : NULL;
    kept->is_pending = sqlite3_column_int(select, 1);
    return buffer_ok(&writer->row);
}

/* Reads a booking that a command is to change. CONFLICT unless it is in the state that the command expects. */
static enum result read_booking(struct writer *writer, const struct ledger_command *command,
                                struct kept_booking *kept) {
    char id[ID_UUID_TEXT];
    bool found = false;
    sqlite3_stmt *select = writer_statement(writer, WRITE_SELECT_BOOKING);
    bind_uuid(select, 1, &command->booking.booking->id, id);
    enum result result = writer_look(writer, WRITE_SELECT_BOOKING, &found);
    if (result == RESULT_OK && !found)
        result = RESULT_BOOKING_NOT_FOUND;
    else if (result == RESULT_OK &&
             !bytes_equal(column_bytes(select, 0), bytes_of(saga_state_name(command->booking.from_saga))))
        result = RESULT_CONFLICT;
    else if (result == RESULT_OK && !keep_row(writer, select, kept))
        result = RESULT_LEDGER_UNAVAILABLE;
    sqlite3_reset(select);
    return result;
}

static enum result update_booking(struct writer *writer, enum write_statement statement,
                                  const struct ledger_command *command) {
    bind_text(writer_statement(writer, statement), 20, saga_state_name(command->booking.from_saga));
    return writer_run_for_one(writer, statement);
}

enum result writer_step_booking(struct writer *writer, const struct ledger_command *command) {
    struct booking_texts texts;
    struct kept_booking kept;
    enum result result = read_booking(writer, command, &kept);
    if (result != RESULT_OK)
        return result;
    sqlite3_stmt *step = writer_statement(writer, WRITE_STEP_BOOKING);
    bind_booking_step(step, command->booking.booking, &texts);
    bind_int(step, 11, (int64_t)command->booking.booking->fence);
    result = update_booking(writer, WRITE_STEP_BOOKING, command);
    return result == RESULT_OK ? writer_tell_step(writer, command, &kept) : result;
}

/* ---- selling ---- */

/* A seat that the operator took off sale is not sold either. */
static enum result check_blocks(struct writer *writer, const struct booking *booking, struct bytes show) {
    if (writer->now.blocked_seats == 0)
        return RESULT_OK;
    sqlite3_stmt *select = writer_statement(writer, WRITE_SELECT_BLOCK);
    bind_bytes(select, 1, show);
    for (uint32_t i = 0; i < booking->seat_count; i++) {
        bool found = false;
        bind_bytes(select, 2, booking->seat_ids[i]);
        enum result result = writer_look(writer, WRITE_SELECT_BLOCK, &found);
        sqlite3_reset(select);
        if (result != RESULT_OK || found)
            return result != RESULT_OK ? result : RESULT_CONFLICT;
    }
    return RESULT_OK;
}

/* Pessimistic locking: reads every seat under the transaction's lock, and decides before anything is written. */
static enum result check_seats(struct writer *writer, const struct booking *booking, struct bytes show) {
    sqlite3_stmt *select = writer_statement(writer, WRITE_SELECT_SEAT);
    bind_bytes(select, 1, show);
    for (uint32_t i = 0; i < booking->seat_count; i++) {
        bool found = false;
        bind_bytes(select, 2, booking->seat_ids[i]);
        enum result result = writer_look(writer, WRITE_SELECT_SEAT, &found);
        bool free = found && sqlite3_column_int(select, 0) == 0 &&
                    (uint64_t)sqlite3_column_int64(select, 1) < booking->fence + 1;
        sqlite3_reset(select);
        if (result != RESULT_OK || !free)
            return result != RESULT_OK ? result : RESULT_CONFLICT;
    }
    return RESULT_OK;
}

/* The guarded UPDATEs, whose row counts are the optimistic lock; behind check_seats() they always hit. */
static enum result sell_seats(struct writer *writer, const struct booking *booking, struct bytes show) {
    sqlite3_stmt *sell = writer_statement(writer, WRITE_SELL_SEAT);
    bind_bytes(sell, 1, show);
    bind_int(sell, 3, (int64_t)(booking->fence + 1));
    for (uint32_t i = 0; i < booking->seat_count; i++) {
        bind_bytes(sell, 2, booking->seat_ids[i]);
        enum result result = writer_run_for_one(writer, WRITE_SELL_SEAT);
        if (result != RESULT_OK)
            return result;
    }
    return RESULT_OK;
}

static enum result insert_tickets(struct writer *writer, const struct booking *booking, struct bytes show) {
    char id[ID_UUID_TEXT];
    sqlite3_stmt *insert = writer_statement(writer, WRITE_INSERT_TICKET);
    bind_bytes(insert, 1, show);
    bind_uuid(insert, 3, &booking->id, id);
    bind_int(insert, 5, (int64_t)booking->fence);
    for (uint32_t i = 0; i < booking->seat_count; i++) {
        bind_bytes(insert, 2, booking->seat_ids[i]);
        bind_int(insert, 4, booking->seat_amounts[i]);
        enum result result = writer_run(writer, WRITE_INSERT_TICKET);
        if (result != RESULT_OK)
            return result;
    }
    return RESULT_OK;
}

/* A reservation is sold once, whatever became of the sale. */
static enum result check_reservation(struct writer *writer, const struct booking *booking) {
    char reservation[ID_LETTER_TEXT];
    bool found = false;
    sqlite3_stmt *select = writer_statement(writer, WRITE_SELECT_SALE);
    bind_reservation(select, 1, &booking->reservation, reservation);
    enum result result = writer_look(writer, WRITE_SELECT_SALE, &found);
    sqlite3_reset(select);
    return result == RESULT_OK && found ? RESULT_CONFLICT : result;
}

static enum result sell_booking(struct writer *writer, const struct ledger_command *command,
                                struct kept_booking *kept) {
    const struct booking *booking = command->booking.booking;
    if (command->booking.insert)
        return insert_booking(writer, booking, kept);
    enum result result = read_booking(writer, command, kept);
    if (result == RESULT_OK && command->booking.late)
        result = check_reservation(writer, booking);
    if (result != RESULT_OK)
        return result;
    struct booking_texts texts;
    sqlite3_stmt *sell = writer_statement(writer, WRITE_SELL_BOOKING);
    bind_booking_step(sell, booking, &texts);
    bind_time_or_null(sell, 10, booking->confirmed_ms, texts.confirmed);
    bind_int(sell, 11, (int64_t)booking->fence);
    return update_booking(writer, WRITE_SELL_BOOKING, command);
}

enum result writer_sell(struct writer *writer, const struct ledger_command *command) {
    const struct booking *booking = command->booking.booking;
    struct kept_booking kept;
    char show_text[ID_UUID_TEXT];
    struct bytes show = {show_text, sizeof show_text};
    id_format_uuid(&booking->show_id, show_text);
    assert(booking->status == BOOKING_CONFIRMED && booking->seat_count > 0);
    enum result result = check_blocks(writer, booking, show);
    if (result == RESULT_OK && writer->locking == LEDGER_PESSIMISTIC)
        result = check_seats(writer, booking, show);
    /* The row that is the likeliest to be refused comes first. */
    if (result == RESULT_OK && !command->booking.insert)
        result = sell_booking(writer, command, &kept);
    if (result == RESULT_OK)
        result = sell_seats(writer, booking, show);
    if (result == RESULT_OK)
        result = insert_tickets(writer, booking, show);
    if (result == RESULT_OK && command->booking.insert)
        result = sell_booking(writer, command, &kept);
    return result == RESULT_OK ? writer_tell_sale(writer, command, &kept) : result;
}

/* ---- giving back ---- */

/* One seat of a booking: its ticket to history, the seat free at the new version. */
static enum result give_back(struct writer *writer, const struct ledger_command *command, uint32_t seat,
                             struct bytes show, struct bytes booking_id, struct bytes at) {
    static const enum write_statement steps[] = {WRITE_MOVE_TICKET, WRITE_DELETE_TICKET, WRITE_FREE_SEAT};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        sqlite3_stmt *statement = writer_statement(writer, steps[i]);
        bind_bytes(statement, 1, show);
        bind_bytes(statement, 2, command->booking.booking->seat_ids[seat]);
        if (steps[i] == WRITE_FREE_SEAT) {
            bind_int(statement, 3, (int64_t)command->booking.seat_version);
        } else {
            bind_bytes(statement, 3, booking_id);
        }
        if (steps[i] == WRITE_MOVE_TICKET) {
            bind_int(statement, 4, (int64_t)command->booking.seat_version);
            bind_bytes(statement, 5, at);
            bind_bytes(statement, 6, command->actor);
        }
        enum result result = writer_run_for_one(writer, steps[i]);
        if (result != RESULT_OK)
            return result;
    }
    return RESULT_OK;
}

static struct seat_choice cancelled_seats(const struct ledger_command *command) {
    return (struct seat_choice){command->booking.cancel_count, command->booking.cancel};
}

/* What is left of the booking; all of it stays readable in one that is cancelled whole. */
static enum result cancel_booking(struct writer *writer, const struct ledger_command *command) {
    const struct booking *booking = command->booking.booking;
    struct seat_choice cancelled = cancelled_seats(command);
    struct booking_texts texts;
    if (!fill_seats(writer, booking, cancelled.count ? &cancelled : NULL))
        return RESULT_LEDGER_UNAVAILABLE;
    sqlite3_stmt *cancel = writer_statement(writer, WRITE_CANCEL_BOOKING);
    bind_booking_step(cancel, booking, &texts);
    bind_bytes(cancel, 12, buffer_bytes(&writer->seat_ids));
    bind_bytes(cancel, 13, buffer_bytes(&writer->seat_amounts));
    /* A booking only ever loses seats: with as many as when it was read, it is as it was read. */
    bind_int(cancel, 21, booking->seat_count);
    return update_booking(writer, WRITE_CANCEL_BOOKING, command);
}

/* The seats that are given back, as JSON. False when memory ran out. */
static bool fill_cancelled(struct writer *writer, const struct ledger_command *command) {
    const struct booking *booking = command->booking.booking;
    struct seat_choice cancelled = cancelled_seats(command);
    if (!cancelled.count)
        return fill_seats(writer, booking, NULL);
    buffer_clear(&writer->seat_ids);
    buffer_clear(&writer->seat_amounts);
    struct json_writer ids = json_writer(&writer->seat_ids), amounts = json_writer(&writer->seat_amounts);
    json_open(&ids, '[');
    json_open(&amounts, '[');
    for (uint32_t i = 0; i < cancelled.count; i++) {
        json_put_string(&ids, booking->seat_ids[cancelled.at[i]]);
        json_put_int(&amounts, booking->seat_amounts[cancelled.at[i]]);
    }
    json_close(&ids, ']');
    json_close(&amounts, ']');
    return buffer_ok(&writer->seat_ids) && buffer_ok(&writer->seat_amounts);
}

enum result writer_cancel_sold(struct writer *writer, const struct ledger_command *command) {
    const struct booking *booking = command->booking.booking;
    bool whole = command->booking.cancel_count == 0;
    char show[ID_UUID_TEXT], id[ID_UUID_TEXT], at[CLOCK_TEXT_BYTES];
    struct kept_booking kept;
    assert(whole == (booking->status == BOOKING_CANCELLED));
    enum result result = read_booking(writer, command, &kept);
    if (result == RESULT_OK)
        result = cancel_booking(writer, command);
    id_format_uuid(&booking->show_id, show);
    id_format_uuid(&booking->id, id);
    struct bytes at_bytes = {at, clock_format(booking->updated_ms, at)};
    uint32_t count = whole ? booking->seat_count : command->booking.cancel_count;
    for (uint32_t i = 0; result == RESULT_OK && i < count; i++)
        result = give_back(writer, command, whole ? i : command->booking.cancel[i], (struct bytes){show, sizeof show},
                           (struct bytes){id, sizeof id}, at_bytes);
    if (result != RESULT_OK)
        return result;
    if (!fill_cancelled(writer, command))
        return RESULT_LEDGER_UNAVAILABLE;
    return writer_tell_cancel(writer, command, &kept, buffer_bytes(&writer->seat_ids),
                              buffer_bytes(&writer->seat_amounts));
}
