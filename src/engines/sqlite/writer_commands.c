/* What each kind of command does (those on bookings: writer_bookings.c), in the group's transaction. The transaction
 * holds the only write lock, so what was read in it stays true until it commits.
 *
 * What may be refused comes first in each command, so that a refusal has mostly written nothing. Every guarded UPDATE's
 * row count is used. */
#include "engines/sqlite/writer.h"

#include "base/json.h"
#include "base/panic.h"
#include "engines/sqlite/rows.h"
#include "engines/sqlite/writer_tell.h"

/* Rows that one LEDGER_FORGET_ANSWERS deletes at most, so that it never keeps a sale waiting (a few ms). */
#define FORGET_AT_ONCE 5000

/* ---- answers ---- */

static enum result keep_answer(struct writer *writer, const struct kept_answer *answer) {
    if (id_is_none(&answer->key))
        return RESULT_OK;
    char created[CLOCK_TEXT_BYTES], outlived[CLOCK_TEXT_BYTES];
    sqlite3_stmt *keep = writer_statement(writer, WRITE_KEEP_ANSWER);
    bind_blob(keep, 1, (struct bytes){(const char *)answer->key.at, sizeof answer->key.at});
    bind_blob(keep, 2, (struct bytes){(const char *)answer->body_hash.at, sizeof answer->body_hash.at});
    bind_int(keep, 3, answer->status);
    bind_blob(keep, 4, answer->body);
    bind_time(keep, 5, answer->created_ms, created);
    /* The first answer stays, unless its time is over and only its row is still there. */
    bind_time(keep, 6, answer->created_ms - LEDGER_ANSWER_KEEP_MS, outlived);
    return writer_run(writer, WRITE_KEEP_ANSWER);
}

static enum result keep_answers(struct writer *writer, const struct ledger_command *command) {
    for (uint32_t i = 0; i < command->answers.count; i++) {
        enum result result = keep_answer(writer, &command->answers.answers[i]);
        if (result != RESULT_OK)
            return result;
    }
    return RESULT_OK;
}

static enum result forget_answers(struct writer *writer, const struct ledger_command *command) {
    char before[CLOCK_TEXT_BYTES];
    sqlite3_stmt *forget = writer_statement(writer, WRITE_FORGET_ANSWERS);
    bind_time(forget, 1, command->answers.before_ms, before);
    bind_int(forget, 2, FORGET_AT_ONCE);
    return writer_run(writer, WRITE_FORGET_ANSWERS);
}

/* ---- shows ---- */

static enum result insert_seats(struct writer *writer, const struct id *show_id, const struct plan *plan) {
    char show[ID_UUID_TEXT];
    sqlite3_stmt *insert = writer_statement(writer, WRITE_INSERT_SEAT);
    bind_uuid(insert, 1, show_id, show);
    for (uint32_t seat = 0; seat < plan->seat_count; seat++) {
        bind_bytes(insert, 2, plan->seat_ids[seat]);
        enum result result = writer_run(writer, WRITE_INSERT_SEAT);
        if (result != RESULT_OK)
            return result;
    }
    return RESULT_OK;
}

static enum result write_image(struct writer *writer, const struct ledger_command *command) {
    const struct show_image *image = command->show.image;
    if (!image)
        return RESULT_OK;
    enum write_statement statement = image->bytes.length ? WRITE_PUT_IMAGE : WRITE_DELETE_IMAGE;
    char id[ID_UUID_TEXT], hash[2 * sizeof image->hash.at];
    sqlite3_stmt *write = writer_statement(writer, statement);
    bind_uuid(write, 1, &command->show.record->show_id, id);
    if (image->bytes.length) {
        hex_encode(image->hash.at, sizeof image->hash.at, hash);
        bind_bytes(write, 2, (struct bytes){hash, sizeof hash});
        bind_bytes(write, 3, image->type);
        bind_blob(write, 4, image->bytes);
    }
    return writer_run(writer, statement);
}

static enum result create_show(struct writer *writer, const struct ledger_command *command) {
    const struct show_record *record = command->show.record;
    char id[ID_UUID_TEXT], hash[2 * sizeof record->plan_hash.at];
    char start[CLOCK_TEXT_BYTES], created[CLOCK_TEXT_BYTES], updated[CLOCK_TEXT_BYTES];
    hex_encode(record->plan_hash.at, sizeof record->plan_hash.at, hash);
    struct bytes hash_bytes = {hash, sizeof hash};

    /* The plan is in its table before the show names it; a show that is refused leaves a plan that nobody names. */
    sqlite3_stmt *insert = writer_statement(writer, WRITE_INSERT_SHOW);
    bind_uuid(insert, 1, &record->show_id, id);
    bind_bytes(insert, 2, record->event_name);
    bind_time_or_null(insert, 3, record->start_ms, start);
    bind_bytes(insert, 4, hash_bytes);
    bind_bytes(insert, 5, record->settings_json);
    bind_time(insert, 6, record->created_ms, created);
    bind_time(insert, 7, record->updated_ms, updated);
    enum result result = writer_run(writer, WRITE_INSERT_SHOW);
    if (result != RESULT_OK)
        return result;
    sqlite3_stmt *insert_plan = writer_statement(writer, WRITE_INSERT_PLAN);
    bind_bytes(insert_plan, 1, hash_bytes);
    bind_bytes(insert_plan, 2, record->plan_json);
    result = writer_run(writer, WRITE_INSERT_PLAN);
    if (result == RESULT_OK)
        result = insert_seats(writer, &record->show_id, command->show.plan);
    if (result == RESULT_OK)
        result = write_image(writer, command);
    return result == RESULT_OK ? writer_tell_show(writer, command) : result;
}

static enum result change_show(struct writer *writer, const struct ledger_command *command) {
    const struct show_record *record = command->show.record;
    char id[ID_UUID_TEXT], start[CLOCK_TEXT_BYTES], updated[CLOCK_TEXT_BYTES];
    sqlite3_stmt *change = writer_statement(writer, WRITE_CHANGE_SHOW);
    bind_uuid(change, 1, &record->show_id, id);
    bind_bytes(change, 2, record->event_name);
    bind_time_or_null(change, 3, record->start_ms, start);
    bind_bytes(change, 4, record->settings_json);
    bind_time(change, 5, record->updated_ms, updated);
    enum result result = writer_run_for_one(writer, WRITE_CHANGE_SHOW);
    if (result == RESULT_CONFLICT)
        return RESULT_SHOW_NOT_FOUND;
    if (result == RESULT_OK)
        result = write_image(writer, command);
    return result == RESULT_OK ? writer_tell_show(writer, command) : result;
}

/* ---- seats ---- */

static void bind_seat(sqlite3_stmt *statement, struct bytes show, const struct plan *plan,
                      const struct seat_change *change) {
    bind_bytes(statement, 1, show);
    bind_bytes(statement, 2, plan->seat_ids[change->seat]);
    bind_int(statement, 3, (int64_t)change->version);
}

/* A lazy picture: what comes late or concerns a sold seat touches nothing, and that is well. `freed` is set when the
 * seat was held and goes on sale: others are told, so it is looked at only where somebody is. */
static enum result write_seat_change(struct writer *writer, const struct ledger_command *command, struct bytes show,
                                     const struct seat_change *change, bool *freed) {
    *freed = false;
    if (writer->has_outbox && change->status == SEAT_AVAILABLE) {
        bind_seat(writer_statement(writer, WRITE_END_HOLD), show, command->seats.plan, change);
        enum result result = writer_run(writer, WRITE_END_HOLD);
        *freed = result == RESULT_OK && sqlite3_changes(writer->db) == 1;
        if (result != RESULT_OK || *freed)
            return result;
    }
    sqlite3_stmt *write = writer_statement(writer, WRITE_WRITE_SEAT);
    bind_seat(write, show, command->seats.plan, change);
    bind_text(write, 4, seat_status_text(change->status));
    return writer_run(writer, WRITE_WRITE_SEAT);
}

static enum result write_seat_changes(struct writer *writer, const struct ledger_command *command, struct bytes show) {
    buffer_clear(&writer->seat_ids);
    struct json_writer list = json_writer(&writer->seat_ids);
    json_open(&list, '[');
    bool any = false;
    for (uint32_t i = 0; i < command->seats.count; i++) {
        const struct seat_change *change = &command->seats.changes[i];
        bool freed;
        enum result result = write_seat_change(writer, command, show, change, &freed);
        if (result != RESULT_OK)
            return result;
        if (freed)
            json_put_string(&list, command->seats.plan->seat_ids[change->seat]);
        any |= freed;
    }
    json_close(&list, ']');
    if (!any)
        return RESULT_OK;
    if (!buffer_ok(&writer->seat_ids))
        return RESULT_LEDGER_UNAVAILABLE;
    int64_t at_ms = command->seats.now_ms ? command->seats.now_ms : clock_now_ms();
    return writer_tell_released(writer, command->seats.show_id, buffer_bytes(&writer->seat_ids), "hold_ended", at_ms);
}

/* One seat off sale, or back: the block's row and the seat's version. */
static enum result change_block(struct writer *writer, const struct ledger_command *command, struct bytes show,
                                struct bytes at, const struct seat_change *change) {
    bool block = command->kind == LEDGER_BLOCK_SEATS;
    enum write_statement statement = block ? WRITE_INSERT_BLOCK : WRITE_DELETE_BLOCK;
    sqlite3_stmt *row = writer_statement(writer, statement);
    bind_seat(row, show, command->seats.plan, change);
    if (block) {
        bind_bytes(row, 4, command->why);
        bind_bytes(row, 5, at);
    }
    enum result result = writer_run_for_one(writer, statement);
    if (result != RESULT_OK)
        return result;
    sqlite3_stmt *seat = writer_statement(writer, WRITE_WRITE_SEAT);
    bind_seat(seat, show, command->seats.plan, change);
    bind_text(seat, 4, seat_status_text(SEAT_AVAILABLE));
    return writer_run_for_one(writer, WRITE_WRITE_SEAT);
}

static enum result change_blocks(struct writer *writer, const struct ledger_command *command, struct bytes show) {
    char at[CLOCK_TEXT_BYTES];
    clock_format(command->seats.now_ms, at);
    buffer_clear(&writer->seat_ids);
    struct json_writer list = json_writer(&writer->seat_ids);
    json_open(&list, '[');
    for (uint32_t i = 0; i < command->seats.count; i++) {
        const struct seat_change *change = &command->seats.changes[i];
        enum result result = change_block(writer, command, show, (struct bytes){at, CLOCK_TEXT_BYTES - 1}, change);
        if (result != RESULT_OK)
            return result;
        json_put_string(&list, command->seats.plan->seat_ids[change->seat]);
    }
    json_close(&list, ']');
    bool block = command->kind == LEDGER_BLOCK_SEATS;
    if (!buffer_ok(&writer->seat_ids))
        return RESULT_LEDGER_UNAVAILABLE;
    enum result result = writer_tell_blocks(writer, command, buffer_bytes(&writer->seat_ids));
    if (result == RESULT_OK)
        writer->now.blocked_seats += block ? command->seats.count : -(int64_t)command->seats.count;
    return result;
}

static enum result seats(struct writer *writer, const struct ledger_command *command) {
    char show[ID_UUID_TEXT];
    id_format_uuid(command->seats.show_id, show);
    struct bytes show_bytes = {show, sizeof show};
    return command->kind == LEDGER_WRITE_SEATS ? write_seat_changes(writer, command, show_bytes)
                                               : change_blocks(writer, command, show_bytes);
}

/* ---- the queue ---- */

/* Where a statement touched no row: OK if there is such a show, and nothing had to change. */
static enum result look_for_show(struct writer *writer, const struct id *show_id) {
    char id[ID_UUID_TEXT];
    bool found = false;
    sqlite3_stmt *select = writer_statement(writer, WRITE_SELECT_SHOW);
    bind_uuid(select, 1, show_id, id);
    enum result result = writer_look(writer, WRITE_SELECT_SHOW, &found);
    sqlite3_reset(select);
    if (result != RESULT_OK)
        return result;
    return found ? RESULT_OK : RESULT_SHOW_NOT_FOUND;
}

static enum result raise_queue(struct writer *writer, const struct ledger_command *command) {
    char id[ID_UUID_TEXT];
    sqlite3_stmt *raise = writer_statement(writer, WRITE_RAISE_QUEUE);
    bind_uuid(raise, 1, command->queue.show_id, id);
    bind_int(raise, 2, command->queue.ceiling);
    enum result result = writer_run_for_one(writer, WRITE_RAISE_QUEUE);
    return result == RESULT_CONFLICT ? look_for_show(writer, command->queue.show_id) : result;
}

/* The place's row, where a statement touched none. OK and whether it says what the command says, or CONFLICT; without a
 * row CONFLICT or SHOW_NOT_FOUND. */
static enum result look_for_admission(struct writer *writer, const struct ledger_command *command, bool *same) {
    const struct admission *admission = &command->queue.admission;
    char id[ID_UUID_TEXT], claimed[CLOCK_TEXT_BYTES], expires[CLOCK_TEXT_BYTES];
    struct bytes claimed_bytes = {claimed, clock_format(admission->claimed_ms, claimed)};
    struct bytes expires_bytes = {expires, clock_format(admission->expires_ms, expires)};
    bool found = false;
    sqlite3_stmt *select = writer_statement(writer, WRITE_SELECT_ADMISSION);
    bind_uuid(select, 1, command->queue.show_id, id);
    bind_int(select, 2, admission->number);
    enum result result = writer_look(writer, WRITE_SELECT_ADMISSION, &found);
    if (result == RESULT_OK && found)
        *same = bytes_equal(column_bytes(select, 0), user_bytes(&admission->user)) &&
                bytes_equal(column_bytes(select, 1), claimed_bytes) &&
                bytes_equal(column_bytes(select, 2), expires_bytes);
    sqlite3_reset(select);
    if (result != RESULT_OK || found)
        return result;
    result = look_for_show(writer, command->queue.show_id);
    return result == RESULT_OK ? RESULT_CONFLICT : result;
}

static enum result admit(struct writer *writer, const struct ledger_command *command) {
    const struct admission *admission = &command->queue.admission;
    char id[ID_UUID_TEXT], claimed[CLOCK_TEXT_BYTES], expires[CLOCK_TEXT_BYTES];
    bool same = false;
    sqlite3_stmt *insert = writer_statement(writer, WRITE_INSERT_ADMISSION);
    bind_uuid(insert, 1, command->queue.show_id, id);
    bind_int(insert, 2, admission->number);
    bind_bytes(insert, 3, user_bytes(&admission->user));
    bind_time(insert, 4, admission->claimed_ms, claimed);
    bind_time(insert, 5, admission->expires_ms, expires);
    enum result result = writer_run_for_one(writer, WRITE_INSERT_ADMISSION);
    if (result != RESULT_CONFLICT)
        return result;
    result = look_for_admission(writer, command, &same);
    return result == RESULT_OK && !same ? RESULT_CONFLICT : result;
}

/* An end before the claim is a clock that was set back between the two; it is written as the claim's time. */
static enum result end_pass(struct writer *writer, const struct ledger_command *command) {
    char id[ID_UUID_TEXT], ended[CLOCK_TEXT_BYTES];
    bool same;
    sqlite3_stmt *end = writer_statement(writer, WRITE_END_ADMISSION);
    bind_uuid(end, 1, command->queue.show_id, id);
    bind_int(end, 2, command->queue.admission.number);
    bind_time(end, 3, command->queue.admission.ended_ms, ended);
    enum result result = writer_run_for_one(writer, WRITE_END_ADMISSION);
    return result == RESULT_CONFLICT ? look_for_admission(writer, command, &same) : result;
}

/* ---- the outbox ---- */

static enum result settle_event(struct writer *writer, const struct outbox_outcome *outcome) {
    enum write_statement statement = outcome->delivered ? WRITE_DELETE_EVENT : WRITE_PUT_EVENT_OFF;
    char next[CLOCK_TEXT_BYTES];
    sqlite3_stmt *settle = writer_statement(writer, statement);
    bind_int(settle, 1, (int64_t)outcome->number);
    if (!outcome->delivered) {
        bind_time(settle, 2, outcome->next_ms, next);
        bind_int(settle, 3, outcome->dead);
        bind_bytes(settle, 4, (struct bytes){outcome->why, strnlen(outcome->why, sizeof outcome->why)});
    }
    return writer_run(writer, statement);
}

static enum result settle_outbox(struct writer *writer, const struct ledger_command *command) {
    for (uint32_t i = 0; i < command->outbox.count; i++) {
        enum result result = settle_event(writer, &command->outbox.outcomes[i]);
        if (result != RESULT_OK)
            return result;
    }
    return RESULT_OK;
}

static enum result revive_outbox(struct writer *writer, const struct ledger_command *command) {
    char now[CLOCK_TEXT_BYTES];
    sqlite3_stmt *revive = writer_statement(writer, WRITE_REVIVE_EVENTS);
    bind_int(revive, 1, (int64_t)command->outbox.number);
    bind_time(revive, 2, command->outbox.now_ms, now);
    enum result result = writer_run(writer, WRITE_REVIVE_EVENTS);
    if (result != RESULT_OK)
        return result;
    int count = sqlite3_changes(writer->db);
    return count ? writer_tell_revived(writer, command, count) : RESULT_NOT_FOUND;
}

static enum result apply_kind(struct writer *writer, const struct ledger_command *command) {
    switch (command->kind) {
    case LEDGER_CREATE_SHOW:
        return create_show(writer, command);
    case LEDGER_CHANGE_SHOW:
        return change_show(writer, command);
    case LEDGER_OPEN_BOOKING:
        return writer_open_booking(writer, command);
    case LEDGER_STEP_BOOKING:
        return writer_step_booking(writer, command);
    case LEDGER_SELL:
        return writer_sell(writer, command);
    case LEDGER_CANCEL_SOLD:
        return writer_cancel_sold(writer, command);
    case LEDGER_WRITE_SEATS:
    case LEDGER_BLOCK_SEATS:
    case LEDGER_UNBLOCK_SEATS:
        return seats(writer, command);
    case LEDGER_KEEP_ANSWERS:
        return keep_answers(writer, command);
    case LEDGER_FORGET_ANSWERS:
        return forget_answers(writer, command);
    case LEDGER_RAISE_QUEUE:
        return raise_queue(writer, command);
    case LEDGER_ADMIT:
        return admit(writer, command);
    case LEDGER_END_PASS:
        return end_pass(writer, command);
    case LEDGER_SETTLE_OUTBOX:
        return settle_outbox(writer, command);
    case LEDGER_REVIVE_OUTBOX:
        return revive_outbox(writer, command);
    case LEDGER_KIND_COUNT:
        break;
    }
    impossible("a command has a kind");
}

enum result writer_apply(struct writer *writer, struct ledger_command *command) {
    enum result result = apply_kind(writer, command);
    return result == RESULT_OK ? keep_answer(writer, &command->answer) : result;
}
