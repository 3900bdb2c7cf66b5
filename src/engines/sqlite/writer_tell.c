#include "engines/sqlite/writer_tell.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/panic.h"
#include "base/random.h"
#include "bookings/notice.h"
#include "bookings/saga.h"
#include "engines/sqlite/rows.h"
#include "engines/sqlite/unaudited.h"

/* ---- rows of the audit ---- */

struct act {
    const char *action;
    int64_t at_ms;
    struct bytes actor, why;
    const struct id *show_id, *booking_id; /* NULL: none */
    const struct kept_booking *booking;    /* whose booking it is, or NULL */
};

/* Codes are ours; what is no code is somebody's words, which have no place in a row that cannot be erased. */
static bool is_code(const char *reason) {
    return reason[0] && reason[strspn(reason, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static struct act act_of(const struct ledger_command *command, const char *action, int64_t at_ms) {
    return (struct act){.action = action,
                        .at_ms = at_ms,
                        .actor = command->actor.length ? command->actor : BYTES("shop"),
                        .why = command->why};
}

static struct act act_on_booking(const struct ledger_command *command, const char *action,
                                 const struct kept_booking *kept) {
    const struct booking *booking = command->booking.booking;
    struct act act = act_of(command, action, booking->updated_ms);
    act.show_id = &booking->show_id;
    act.booking_id = &booking->id;
    act.booking = kept;
    return act;
}

static struct json_writer begin_detail(struct writer *writer) {
    buffer_clear(&writer->told);
    struct json_writer detail = json_writer(&writer->told);
    json_open(&detail, '{');
    return detail;
}

/* The operator's reason, in its own table. */
static enum result insert_reason(struct writer *writer, uint64_t number, struct bytes salt, struct bytes reason) {
    sqlite3_stmt *insert = writer->statements[WRITE_INSERT_REASON];
    bind_int(insert, 1, (int64_t)number);
    bind_blob(insert, 2, salt);
    bind_bytes(insert, 3, reason);
    return writer_run(writer, WRITE_INSERT_REASON);
}

static void bind_optional_blob(sqlite3_stmt *statement, int at, struct bytes value) {
    if (value.at)
        bind_blob(statement, at, value);
    else
        bind_null(statement, at);
}

static void bind_optional_text(sqlite3_stmt *statement, int at, struct bytes value) {
    if (value.at)
        bind_bytes(statement, at, value);
    else
        bind_null(statement, at);
}

static enum result insert_row(struct writer *writer, const struct chain_row *row, struct bytes hash) {
    sqlite3_stmt *insert = writer->statements[WRITE_INSERT_AUDIT];
    bind_int(insert, 1, (int64_t)row->number);
    bind_bytes(insert, 2, row->at);
    bind_bytes(insert, 3, row->actor);
    bind_bytes(insert, 4, row->action);
    bind_optional_text(insert, 5, row->show_id);
    bind_optional_text(insert, 6, row->booking_id);
    bind_bytes(insert, 7, row->detail);
    bind_optional_blob(insert, 8, row->person);
    bind_optional_blob(insert, 9, row->why);
    bind_blob(insert, 10, hash);
    return writer_run(writer, WRITE_INSERT_AUDIT);
}

/* Closes the detail and appends the row. */
static enum result append(struct writer *writer, struct json_writer *detail, const struct act *act) {
    char at[CLOCK_TEXT_BYTES], show[ID_UUID_TEXT], booking[ID_UUID_TEXT];
    uint8_t person[CHAIN_HASH_BYTES], why[CHAIN_HASH_BYTES], salt_bytes[CHAIN_SALT_BYTES];
    struct bytes salt = {(const char *)salt_bytes, sizeof salt_bytes};
    json_close(detail, '}');
    if (!buffer_ok(&writer->told))
        return RESULT_LEDGER_UNAVAILABLE;
    struct chain_row row = {.number = writer->now.audit_number + 1,
                            .at = {at, clock_format(act->at_ms, at)},
                            .actor = act->actor,
                            .action = bytes_of(act->action),
                            .detail = buffer_bytes(&writer->told)};
    if (act->show_id) {
        id_format_uuid(act->show_id, show);
        row.show_id = (struct bytes){show, sizeof show};
    }
    if (act->booking_id) {
        id_format_uuid(act->booking_id, booking);
        row.booking_id = (struct bytes){booking, sizeof booking};
    }
    if (act->booking && act->booking->salt.at) {
        chain_person(act->booking->salt, act->booking->user, person);
        row.person = (struct bytes){(const char *)person, sizeof person};
    }
    if (act->why.length) {
        random_bytes(salt_bytes, sizeof salt_bytes);
        chain_why(salt, act->why, why);
        row.why = (struct bytes){(const char *)why, sizeof why};
    }
    uint8_t hash[CHAIN_HASH_BYTES];
    chain_hash(writer->now.audit_hash, &row, hash);
    enum result result = insert_row(writer, &row, (struct bytes){(const char *)hash, sizeof hash});
    if (result == RESULT_OK && act->why.length)
        result = insert_reason(writer, row.number, salt, act->why);
    if (result != RESULT_OK)
        return result;
    writer->now.audit_number = row.number;
    memcpy(writer->now.audit_hash, hash, sizeof hash);
    return RESULT_OK;
}

enum result writer_tell_ends(struct writer *writer) {
    sqlite3_stmt *write = writer->statements[WRITE_WRITE_ENDS];
    bind_int(write, 1, (int64_t)writer->now.outbox_number);
    bind_int(write, 2, (int64_t)writer->now.audit_number);
    bind_blob(write, 3, (struct bytes){(const char *)writer->now.audit_hash, CHAIN_HASH_BYTES});
    return writer_run_for_one(writer, WRITE_WRITE_ENDS);
}

enum result writer_tell_beginning(struct writer *writer) {
    struct unaudited unaudited;
    if (unaudited_read(writer->db, &unaudited) != RESULT_OK)
        return RESULT_IO_ERROR;
    struct json_writer detail = begin_detail(writer);
    json_member_int(&detail, "shows", unaudited.shows);
    json_member_int(&detail, "bookings", unaudited.bookings);
    json_member_string(&detail, "hash", (struct bytes){unaudited.hash, sizeof unaudited.hash});
    struct act act = {.action = "audit.begun", .at_ms = clock_now_ms(), .actor = BYTES("shop")};
    return append(writer, &detail, &act);
}

enum result writer_tell_erased(struct writer *writer, const struct id *show_id, const struct id *booking_id,
                               int64_t at_ms) {
    struct json_writer detail = begin_detail(writer);
    struct act act = {.action = "person.erased",
                      .at_ms = at_ms,
                      .actor = BYTES("operator"),
                      .show_id = show_id,
                      .booking_id = booking_id};
    return append(writer, &detail, &act);
}

/* ---- events ---- */

static enum result put_event(struct writer *writer, enum notice notice, struct bytes subject, int64_t at_ms) {
    char at[CLOCK_TEXT_BYTES];
    if (!buffer_ok(&writer->told))
        return RESULT_LEDGER_UNAVAILABLE;
    sqlite3_stmt *insert = writer->statements[WRITE_INSERT_EVENT];
    bind_int(insert, 1, (int64_t)writer->now.outbox_number + 1);
    bind_text(insert, 2, notice_type(notice));
    bind_bytes(insert, 3, subject);
    bind_time(insert, 4, at_ms, at);
    bind_bytes(insert, 5, buffer_bytes(&writer->told));
    enum result result = writer_run(writer, WRITE_INSERT_EVENT);
    if (result == RESULT_OK) {
        writer->now.outbox_number++;
        writer->now.outbox_stirred++;
    }
    return result;
}

static enum result put_booking_event(struct writer *writer, enum notice notice, const struct booking *booking,
                                     const struct kept_booking *kept, struct bytes seat_ids, struct bytes amounts) {
    char subject[ID_LETTER_TEXT];
    if (!writer->has_outbox)
        return RESULT_OK;
    id_format_letter(&booking->id, 'b', subject);
    buffer_clear(&writer->told);
    notice_write_booking(booking, kept->user, seat_ids, amounts, &writer->told);
    return put_event(writer, notice, (struct bytes){subject, sizeof subject}, booking->updated_ms);
}

enum result writer_tell_released(struct writer *writer, const struct id *show_id, struct bytes seat_ids,
                                 const char *cause, int64_t at_ms) {
    char subject[ID_UUID_TEXT];
    if (!writer->has_outbox)
        return RESULT_OK;
    id_format_uuid(show_id, subject);
    buffer_clear(&writer->told);
    notice_write_seats(show_id, seat_ids, cause, at_ms, &writer->told);
    return put_event(writer, NOTICE_SEATS_RELEASED, (struct bytes){subject, sizeof subject}, at_ms);
}

enum result writer_tell_revived(struct writer *writer, const struct ledger_command *command, int64_t count) {
    struct json_writer detail = begin_detail(writer);
    if (command->outbox.number)
        json_member_int(&detail, "event", (int64_t)command->outbox.number);
    json_member_int(&detail, "events", count);
    struct act act = act_of(command, "outbox.revived", command->outbox.now_ms);
    writer->now.outbox_stirred++;
    return append(writer, &detail, &act);
}

/* ---- shows and blocks ---- */

/* The settings are opaque to the ledger, and long: their hash tells whether the row still says what was said. */
enum result writer_tell_show(struct writer *writer, const struct ledger_command *command) {
    const struct show_record *record = command->show.record;
    char hash[32], action[64];
    struct id settings = hash_128(&record->settings_json, 1);
    hex_encode(settings.at, sizeof settings.at, hash);
    struct bytes given = command->show.action;
    if (command->kind == LEDGER_CREATE_SHOW)
        given = BYTES("show.created");
    else if (!given.length || given.length >= sizeof action)
        given = BYTES("show.changed");
    memcpy(action, given.at, given.length);
    action[given.length] = '\0';
    struct json_writer detail = begin_detail(writer);
    json_member_string(&detail, "event_name", record->event_name);
    json_member_time(&detail, "start_time", record->start_ms);
    json_member_string(&detail, "settings", (struct bytes){hash, sizeof hash});
    struct act act = act_of(command, action, record->updated_ms);
    act.show_id = &record->show_id;
    return append(writer, &detail, &act);
}

enum result writer_tell_blocks(struct writer *writer, const struct ledger_command *command, struct bytes seat_ids) {
    struct json_writer detail = begin_detail(writer);
    json_key(&detail, "seats");
    json_put_raw(&detail, seat_ids);
    struct act act = act_of(command, command->kind == LEDGER_BLOCK_SEATS ? "seats.blocked" : "seats.unblocked",
                            command->seats.now_ms);
    if (!command->actor.length)
        act.actor = BYTES("operator");
    act.show_id = command->seats.show_id;
    return append(writer, &detail, &act);
}

/* ---- bookings ---- */

static void put_money(struct json_writer *detail, const char *key, int64_t amount, const struct booking *booking) {
    json_member_int(detail, key, amount);
    json_member_text(detail, "currency", booking->currency);
}

static void put_reason(struct json_writer *detail, const struct booking *booking) {
    json_member_text(detail, "reason", is_code(booking->reason) ? booking->reason : NULL);
}

static void put_seats(struct json_writer *detail, const struct booking *booking, struct bytes seat_ids,
                      struct bytes amounts) {
    json_key(detail, "reservation");
    json_put_letter_id(detail, 'r', &booking->reservation);
    json_key(detail, "seats");
    json_put_raw(detail, seat_ids);
    json_key(detail, "amounts");
    json_put_raw(detail, amounts);
}

/* A human has looked, and the payment goes on. */
static enum result tell_resumed(struct writer *writer, const struct ledger_command *command,
                                const struct kept_booking *before) {
    const struct booking *booking = command->booking.booking;
    if (command->booking.insert || command->booking.from_saga != SAGA_REVIEW || booking->saga == SAGA_REVIEW)
        return RESULT_OK;
    struct json_writer detail = begin_detail(writer);
    json_member_text(&detail, "to", saga_state_name(booking->saga));
    struct act act = act_on_booking(command, "payment.resumed", before);
    return append(writer, &detail, &act);
}

enum result writer_tell_sale(struct writer *writer, const struct ledger_command *command,
                             const struct kept_booking *before) {
    const struct booking *booking = command->booking.booking;
    enum result result = tell_resumed(writer, command, before);
    if (result != RESULT_OK)
        return result;
    struct json_writer detail = begin_detail(writer);
    put_seats(&detail, booking, before->seat_ids, before->seat_amounts);
    put_money(&detail, "amount", booking->amount, booking);
    struct act act = act_on_booking(command, "booking.confirmed", before);
    result = append(writer, &detail, &act);
    if (result != RESULT_OK)
        return result;
    return put_booking_event(writer, NOTICE_BOOKING_CONFIRMED, booking, before, before->seat_ids, before->seat_amounts);
}

enum result writer_tell_cancel(struct writer *writer, const struct ledger_command *command,
                               const struct kept_booking *before, struct bytes seat_ids, struct bytes amounts) {
    const struct booking *booking = command->booking.booking;
    bool whole = booking->status == BOOKING_CANCELLED;
    enum result result = tell_resumed(writer, command, before);
    if (result != RESULT_OK)
        return result;
    struct json_writer detail = begin_detail(writer);
    json_member_bool(&detail, "sold", true);
    put_seats(&detail, booking, seat_ids, amounts);
    put_money(&detail, "refunded", booking->refunded, booking);
    /* An operator's reason is somebody's words, even where it is one that looks like a code. */
    if (bytes_equal(command->actor, BYTES("operator")))
        json_member_text(&detail, "reason", NULL);
    else
        put_reason(&detail, booking);
    struct act act = act_on_booking(command, whole ? "booking.cancelled" : "booking.seats_cancelled", before);
    if (!act.why.length && !is_code(booking->reason))
        act.why = bytes_of(booking->reason);
    result = append(writer, &detail, &act);
    if (result == RESULT_OK)
        result = put_booking_event(writer, whole ? NOTICE_BOOKING_CANCELLED : NOTICE_BOOKING_SEATS_CANCELLED, booking,
                                   before, seat_ids, amounts);
    if (result == RESULT_OK)
        result = writer_tell_released(writer, &booking->show_id, seat_ids, "cancelled", booking->updated_ms);
    return result;
}

static enum result tell_given_up(struct writer *writer, const struct ledger_command *command,
                                 const struct kept_booking *before) {
    const struct booking *booking = command->booking.booking;
    struct json_writer detail = begin_detail(writer);
    json_member_bool(&detail, "sold", false);
    put_seats(&detail, booking, before->seat_ids, before->seat_amounts);
    put_money(&detail, "amount", booking->amount, booking);
    put_reason(&detail, booking);
    struct act act = act_on_booking(command, "booking.cancelled", before);
    enum result result = append(writer, &detail, &act);
    if (result != RESULT_OK)
        return result;
    return put_booking_event(writer, NOTICE_BOOKING_CANCELLED, booking, before, before->seat_ids, before->seat_amounts);
}

static enum result tell_refunded(struct writer *writer, const struct ledger_command *command,
                                 const struct kept_booking *before) {
    const struct booking *booking = command->booking.booking;
    struct json_writer detail = begin_detail(writer);
    put_money(&detail, "refunded", booking->refunded, booking);
    struct act act = act_on_booking(command, "payment.refunded", before);
    enum result result = append(writer, &detail, &act);
    if (result != RESULT_OK)
        return result;
    return put_booking_event(writer, NOTICE_BOOKING_REFUNDED, booking, before, before->seat_ids, before->seat_amounts);
}

/* A row that says no more than that it happened, and the money or the reason that it is about. */
static enum result tell_moved(struct writer *writer, const struct ledger_command *command,
                              const struct kept_booking *before, const char *action, bool with_money) {
    const struct booking *booking = command->booking.booking;
    struct json_writer detail = begin_detail(writer);
    if (with_money)
        put_money(&detail, "amount", booking->amount, booking);
    else
        put_reason(&detail, booking);
    struct act act = act_on_booking(command, action, before);
    return append(writer, &detail, &act);
}

/* Out of REVIEW a payment may come straight to its end. */
static bool is_captured(enum saga_state from, const struct booking *booking) {
    return booking->saga == SAGA_DONE && (from == SAGA_CAPTURING || (from == SAGA_REVIEW && booking->refunded == 0));
}

static bool is_refunded(enum saga_state from, const struct booking *booking) {
    if (booking->saga == SAGA_REFUNDED)
        return from != SAGA_REFUNDED;
    return booking->saga == SAGA_DONE && booking->refunded > 0 && (from == SAGA_REFUNDING || from == SAGA_REVIEW);
}

enum result writer_tell_step(struct writer *writer, const struct ledger_command *command,
                             const struct kept_booking *before) {
    const struct booking *booking = command->booking.booking;
    enum saga_state from = command->booking.from_saga, to = booking->saga;
    enum result result = tell_resumed(writer, command, before);
    if (result == RESULT_OK && before->is_pending && booking->status == BOOKING_CANCELLED)
        result = tell_given_up(writer, command, before);
    if (result == RESULT_OK && from == SAGA_CANCELLED && to == SAGA_CONFIRMING)
        result = tell_moved(writer, command, before, "booking.reopened", false);
    if (result == RESULT_OK && is_captured(from, booking))
        result = tell_moved(writer, command, before, "payment.captured", true);
    if (result == RESULT_OK && is_refunded(from, booking))
        result = tell_refunded(writer, command, before);
    if (result == RESULT_OK && from != SAGA_REVIEW && to == SAGA_REVIEW)
        result = tell_moved(writer, command, before, "payment.review", false);
    return result;
}
