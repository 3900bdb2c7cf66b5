/* POST /api/v1/bookings/confirm, and a booking read by who knows its id.
 *
 * Confirm: a hold that is known here goes to the cashier, which answers when the selling commit is on disk (or after
 * five seconds, PENDING). A reservation that is not, was sold before a restart or never was: the ledger is asked. So it
 * is about one that is sold, since its booking may have been cancelled. */
#include "api/handlers.h"
#include "base/container.h"
#include "base/hash.h"
#include "base/metrics.h"
#include "bookings/saga.h"

#include <sodium.h>
#include <stdlib.h>

static void write_amounts(struct json_writer *writer, const struct booking *booking) {
    json_member_int(writer, "amount", booking->amount);
    json_member_int(writer, "refunded", booking->refunded);
    json_member_text(writer, "currency", booking->currency);
}

void write_booking(struct json_writer *writer, const struct booking *booking, bool for_operator) {
    json_open(writer, '{');
    json_key(writer, "booking_id");
    json_put_letter_id(writer, 'b', &booking->id);
    json_key(writer, "show_id");
    json_put_uuid(writer, &booking->show_id);
    json_member_string(writer, "user_id", user_bytes(&booking->user));
    json_member_text(writer, "status", booking_status_name(booking->status));
    json_member_text(writer, "payment_state", payment_state_name(booking->payment_state));
    json_key(writer, "seat_ids");
    json_open(writer, '[');
    for (uint32_t i = 0; i < booking->seat_count; i++)
        json_put_string(writer, booking->seat_ids[i]);
    json_close(writer, ']');
    write_amounts(writer, booking);
    json_member_text(writer, "reason", booking->reason[0] ? booking->reason : NULL);
    json_member_time(writer, "created_at", booking->created_ms);
    json_member_time(writer, "updated_at", booking->updated_ms);
    json_member_time(writer, "confirmed_at", booking->confirmed_ms);
    if (for_operator)
        json_member_text(writer, "payment_intent", booking->intent_id[0] ? booking->intent_id : NULL);
    json_close(writer, '}');
}

/* ---- reading ---- */

static void read_on_clerk(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    struct booking *booking = malloc(sizeof *booking);
    struct buffer storage;
    buffer_init(&storage, BOOKING_STORAGE_BYTES);
    enum result result =
        booking ? call->api->ledger->read_booking(reader, &call->subject, booking, &storage) : RESULT_OVERLOADED;
    if (result == RESULT_OK) {
        struct buffer *body = call_scratch(call);
        struct json_writer writer = json_writer(body);
        write_booking(&writer, booking, false);
        call_reply(call, 200, buffer_bytes(body));
    } else {
        call_refuse(call,
                    result == RESULT_BOOKING_NOT_FOUND || result == RESULT_OVERLOADED ? result
                                                                                      : RESULT_LEDGER_UNAVAILABLE,
                    NULL);
    }
    buffer_release(&storage);
    free(booking);
}

void handle_read_booking(struct call *call) {
    call = call_park(call);
    if (call)
        call_on_clerk(call, read_on_clerk);
}

/* ---- confirming ---- */

struct confirmation {
    struct confirm_call confirm;
    struct call *call;
};

static void reply_outcome(struct call *call, const struct confirm_outcome *outcome) {
    if (outcome->result != RESULT_OK)
        metric_refused(outcome->result);
    struct buffer *body = call_scratch(call);
    call->is_interim = outcome->result == RESULT_PAYMENT_IN_PROGRESS;
    unsigned status = answer_confirm(outcome, body);
    call_reply(call, status, buffer_bytes(body));
}

/* On the reactor: the cashier has answered. */
static void cashier_answered(struct envelope *envelope, void *receiver) {
    (void)receiver;
    struct confirmation *confirmation = CONTAINER_OF(envelope, struct confirmation, confirm.envelope);
    struct call *call = confirmation->call;
    call->on_reactor = true;
    call->exchange = exchange_resume(call->ref);
    call->answer_kept = confirmation->confirm.answer_kept;
    reply_outcome(call, &confirmation->confirm.outcome);
    free(confirmation);
}

/* What a booking that the ledger has means to who confirms its reservation again. */
static void outcome_of(const struct booking *booking, struct confirm_outcome *outcome) {
    *outcome = (struct confirm_outcome){.result = RESULT_OK, .booking = booking->id};
    if (booking->status == BOOKING_PENDING)
        outcome->pending = true;
    else if (booking->status == BOOKING_CANCELLED)
        outcome->result = RESULT_RESERVATION_EXPIRED;
}

static void look_up_booking(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    struct booking *booking = malloc(sizeof *booking);
    struct buffer storage;
    buffer_init(&storage, BOOKING_STORAGE_BYTES);
    enum result result =
        booking ? call->api->ledger->read_booking_of(reader, &call->subject, booking, &storage) : RESULT_OVERLOADED;
    if (result == RESULT_OK) {
        struct confirm_outcome *outcome = malloc(sizeof *outcome);
        if (outcome) {
            outcome_of(booking, outcome);
            reply_outcome(call, outcome);
            free(outcome);
        } else {
            call_refuse(call, RESULT_OVERLOADED, NULL);
        }
    } else if (result == RESULT_BOOKING_NOT_FOUND) {
        call_refuse(call, RESULT_RESERVATION_NOT_FOUND, NULL);
    } else {
        call_refuse(call, result == RESULT_OVERLOADED ? result : RESULT_LEDGER_UNAVAILABLE, NULL);
    }
    buffer_release(&storage);
    free(booking);
}

static bool read_reservation(struct call *call, const json_t *document) {
    const json_t *member = json_object_get(document, "reservation_id");
    struct bytes text = {json_string_value(member), json_string_length(member)};
    if (!json_is_string(member)) {
        call_refuse_field(call, "/reservation_id",
                          member ? "reservation_id has to be a text" : "reservation_id is missing");
        return false;
    }
    if (!id_parse_letter(text, 'r', &call->subject)) {
        call_refuse(call, RESULT_RESERVATION_NOT_FOUND, NULL);
        return false;
    }
    return true;
}

/* The gateway's name for the fan's card: visible ASCII, as it travels in a form. */
static bool read_token(struct call *call, const json_t *document, struct confirm_call *confirm) {
    const json_t *member = json_object_get(document, "payment_token");
    if (!member || json_is_null(member))
        return true;
    size_t length = json_string_length(member);
    bool good = json_is_string(member) && length >= 1 && length <= LIMIT_PAYMENT_TOKEN_BYTES;
    for (size_t i = 0; good && i < length; i++)
        good = json_string_value(member)[i] > 0x20 && json_string_value(member)[i] < 0x7f;
    if (!good) {
        call_refuse_field(call, "/payment_token", "payment_token has to be 1 to 255 visible ASCII characters");
        return false;
    }
    confirm->has_token = true;
    memcpy(confirm->token, json_string_value(member), length + 1);
    struct bytes token = {confirm->token, length};
    confirm->token_hash = hash_128(&token, 1);
    return true;
}

/* The payment token is not left in memory that is given back. */
static void confirmation_free(struct confirmation *confirmation) {
    if (confirmation)
        sodium_memzero(confirmation->confirm.token, sizeof confirmation->confirm.token);
    free(confirmation);
}

/* The body is not needed any more, and the token is in it: it is not copied, and wiped where it was. */
static struct call *park_without_body(struct call *call) {
    if (call->parked && call->body.length)
        sodium_memzero((char *)(uintptr_t)call->body.at, call->body.length);
    call->body = (struct bytes){NULL, 0};
    return call_park(call);
}

static void send_to_cashier(struct call *call, struct confirmation *confirmation) {
    struct api *api = call->api;
    struct confirm_call *confirm = &confirmation->confirm;
    confirmation->call = call;
    confirm->reactor = call->ref.reactor;
    confirm->answered = cashier_answered;
    confirm->sale = call->sale;
    confirm->reservation = call->subject;
    confirm->answer_key = call->answer_key;
    call_leave_reactor(call);
    if (!api->services.confirm(api->services.runtime, confirm)) {
        confirmation_free(confirmation);
        call_refuse(call, RESULT_OVERLOADED, NULL);
    }
}

/* Its booking may have been cancelled since: the ledger says. */
static bool is_booked(struct sale *sale, const struct id *reservation) {
    show_lock(sale->show);
    uint32_t slot = hold_find(sale->show, reservation);
    bool booked = slot != HOLD_NO_SLOT && hold_at(sale->show, slot)->state == HOLD_SOLD;
    show_unlock(sale->show);
    return booked;
}

void handle_confirm(struct call *call) {
    call->timing = TIMING_CONFIRM_SECONDS;
    json_t *document;
    if (!call_read_json(call, &document))
        return;
    struct confirmation *confirmation = calloc(1, sizeof *confirmation);
    bool understood = true;
    if (!confirmation) {
        understood = false;
        call_refuse(call, RESULT_OVERLOADED, NULL);
    } else {
        understood = read_reservation(call, document) && read_token(call, document, &confirmation->confirm);
    }
    json_decref(document);
    struct call *parked = understood ? park_without_body(call) : NULL;
    if (!parked) {
        confirmation_free(confirmation);
        return;
    }
    parked->sale = sale_of_reservation(parked->api->sales, &parked->subject);
    if (parked->sale && !is_booked(parked->sale, &parked->subject)) {
        send_to_cashier(parked, confirmation);
    } else {
        confirmation_free(confirmation);
        call_on_clerk(parked, look_up_booking);
    }
}
