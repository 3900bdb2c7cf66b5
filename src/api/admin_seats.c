/* Seats taken off sale by the operator, and back: {"seat_ids":[…],"reason":"…"}.
 *
 * The seats change in memory first, so that nobody takes one meanwhile; the ledger is told, and if it cannot take it,
 * they change back. */
#include "api/handlers.h"
#include "base/panic.h"

#include <stdlib.h>

struct blocking {
    bool block;
    uint32_t count;
    uint64_t version;
    char reason[LIMIT_NAME_BYTES + 1];
    struct seat_change *changes;
    uint32_t *seats;
};

static void blocking_free(struct blocking *blocking) {
    free(blocking->changes);
    free(blocking->seats);
    free(blocking);
}

static void undo(struct call *call, const struct blocking *blocking) {
    struct show *show = call->sale->show;
    struct hold_refusal refusal;
    show_lock(show);
    uint64_t version = show_draw_fence(show);
    enum result result = blocking->block ? show_unblock(show, blocking->count, blocking->seats, version, &refusal)
                                         : show_block(show, blocking->count, blocking->seats, version, &refusal);
    (void)result; /* a seat that was unblocked may be held by now: then it stays so, and the ledger has failed anyway */
    show_unlock(show);
}

static void blocking_is_written(struct ledger_command *command) {
    struct call *call = call_of_command(command);
    struct blocking *blocking = call->context;
    if (command->result == RESULT_OK) {
        call_keep_promise(call);
    } else {
        undo(call, blocking);
        call_refuse(call, command->result == RESULT_CONFLICT ? RESULT_CONFLICT : RESULT_LEDGER_UNAVAILABLE, NULL);
    }
    blocking_free(blocking);
}

static void write_blocking(struct call *call, struct blocking *blocking) {
    for (uint32_t i = 0; i < blocking->count; i++)
        blocking->changes[i] = (struct seat_change){.seat = blocking->seats[i],
                                                    .status = blocking->block ? SEAT_BLOCKED : SEAT_AVAILABLE,
                                                    .version = blocking->version};
    call->context = blocking;
    call->command = (struct ledger_command){.kind = blocking->block ? LEDGER_BLOCK_SEATS : LEDGER_UNBLOCK_SEATS};
    call->command.seats.show_id = &call->sale->show_id;
    call->command.seats.plan = call->sale->plan;
    call->command.seats.count = blocking->count;
    call->command.seats.changes = blocking->changes;
    call->command.actor = BYTES("operator");
    call->command.why = bytes_of(blocking->reason);
    call->command.seats.now_ms = call->now_ms;
    struct json_writer writer = json_writer(call_scratch(call));
    json_open(&writer, '{');
    json_member_int(&writer, blocking->block ? "blocked" : "unblocked", blocking->count);
    json_close(&writer, '}');
    call_promise(call, 200);
    if (!call_submit(call, blocking_is_written)) {
        undo(call, blocking);
        blocking_free(blocking);
    }
}

static bool read_optional_reason(struct call *call, const json_t *document, char *reason) {
    const json_t *member = json_object_get(document, "reason");
    if (!member || json_is_null(member))
        return true;
    if (!json_is_string(member) || json_string_length(member) > LIMIT_NAME_BYTES) {
        call_refuse_field(call, "/reason", "reason has to be a text of at most 200 bytes");
        return false;
    }
    memcpy(reason, json_string_value(member), json_string_length(member) + 1);
    return true;
}

/* False: a seat is named twice; refused, and answered. `changes` is not in use yet, and zero: a place to mark seats. */
static bool are_different(struct call *call, const struct blocking *blocking) {
    bool different = true;
    for (uint32_t i = 0; i < blocking->count; i++) {
        struct seat_change *mark = &blocking->changes[blocking->seats[i]];
        if (mark->version && different) {
            different = false;
            refuse_seats(call, RESULT_DUPLICATE_SEAT, 1, &blocking->seats[i]);
        }
        mark->version = 1;
    }
    return different;
}

static bool read_blocking(struct call *call, struct blocking *blocking) {
    uint32_t most = call->sale->plan->seat_count;
    json_t *document;
    if (!call_read_json(call, &document))
        return false;
    bool understood = read_seats(call, document, "seat_ids", most, blocking->seats, &blocking->count) &&
                      read_optional_reason(call, document, blocking->reason) && are_different(call, blocking);
    json_decref(document);
    return understood;
}

static void block(struct call *call, bool on) {
    call = call_park(call);
    if (!call)
        return;
    struct show *show = call->sale->show;
    struct blocking *blocking = calloc(1, sizeof *blocking);
    size_t most = call->sale->plan->seat_count;
    if (blocking) {
        blocking->block = on;
        blocking->seats = calloc(most, sizeof *blocking->seats);
        blocking->changes = calloc(most, sizeof *blocking->changes);
    }
    if (!blocking || !blocking->seats || !blocking->changes) {
        if (blocking)
            blocking_free(blocking);
        call_refuse(call, RESULT_OVERLOADED, NULL);
        return;
    }
    if (!read_blocking(call, blocking)) {
        blocking_free(blocking);
        return;
    }
    struct hold_refusal refusal = {0};
    show_lock(show);
    blocking->version = show_draw_fence(show);
    enum result result = on ? show_block(show, blocking->count, blocking->seats, blocking->version, &refusal)
                            : show_unblock(show, blocking->count, blocking->seats, blocking->version, &refusal);
    show_unlock(show);
    if (result == RESULT_OK) {
        write_blocking(call, blocking);
        return;
    }
    blocking_free(blocking);
    refuse_seats(call, result, refusal.seat_count, refusal.seats);
}

void handle_admin_block_seats(struct call *call) {
    block(call, true);
}

void handle_admin_unblock_seats(struct call *call) {
    block(call, false);
}
