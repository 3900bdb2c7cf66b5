/* Money back: POST …/admin/bookings/{booking}/refund by the operator, who has to say why, and POST
 * …/bookings/{booking}/cancel by the fan, where the show allows it. The whole booking, or some of its seats.
 *
 * Happy path: the booking is read from the ledger, the seats are found in it → the cashier frees them and writes what
 * is to be given back → 200. A payment that is still under way is waited for, five seconds at most, and the booking
 * read again. A cancel of what is cancelled is answered with it: who repeats the call learns what became of it. */
#include "api/handlers.h"
#include "base/container.h"

#include <stdlib.h>

#define PATIENCE_MS 5000 /* that a payment under way is waited for */

struct refund {
    struct refund_call refund;
    struct call *call;
};

static void refund_free(struct refund *refund) {
    buffer_release(&refund->refund.storage);
    free(refund);
}

static void write_refund(const struct refund_call *refund, struct buffer *body) {
    struct json_writer writer = json_writer(body);
    write_booking(&writer, &refund->booking, !refund->by_fan);
}

static bool is_by_fan(const struct call *call) {
    return call->route->side == SIDE_FAN;
}

/* On the reactor: the seats are free; the money may still be on its way back. */
static void refund_answered(struct envelope *envelope, void *receiver) {
    (void)receiver;
    struct refund *refund = CONTAINER_OF(envelope, struct refund, refund.envelope);
    struct call *call = refund->call;
    call->on_reactor = true;
    call->exchange = exchange_resume(call->ref);
    if (refund->refund.result == RESULT_OK) {
        struct buffer *body = call_scratch(call);
        write_refund(&refund->refund, body);
        call->answer_kept = true;
        call_reply(call, 200, buffer_bytes(body));
    } else {
        call_refuse(call, refund->refund.result, NULL);
    }
    refund_free(refund);
}

static bool find_booking_seat(const struct booking *booking, struct bytes name, uint32_t *index) {
    for (uint32_t i = 0; i < booking->seat_count; i++) {
        if (bytes_equal(booking->seat_ids[i], name)) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* "seat_ids": a part of the booking. False: refused, and answered. */
static bool read_part(struct call *call, const json_t *document, struct refund_call *refund) {
    const json_t *list = json_object_get(document, "seat_ids");
    if (!list || json_is_null(list))
        return true;
    if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > refund->booking.seat_count) {
        call_refuse_field(call, "/seat_ids", "seat_ids has to be a list of the booking's seats");
        return false;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        struct bytes name = {json_string_value(item), json_string_length(item)};
        uint32_t index;
        if (!json_is_string(item) || !find_booking_seat(&refund->booking, name, &index)) {
            call_refuse(call, RESULT_UNKNOWN_SEAT, "the booking has no such seat");
            return false;
        }
        for (uint32_t before = 0; before < refund->seat_count; before++) {
            if (refund->seats[before] == index) {
                call_refuse(call, RESULT_DUPLICATE_SEAT, NULL);
                return false;
            }
        }
        refund->seats[refund->seat_count++] = index;
    }
    if (refund->seat_count == refund->booking.seat_count)
        refund->seat_count = 0;
    return true;
}

bool read_reason(struct call *call, const json_t *document, char reason[static PAYMENT_CODE_BYTES]) {
    const json_t *member = json_object_get(document, "reason");
    size_t length = json_string_length(member);
    if (!json_is_string(member) || length < 1 || length >= PAYMENT_CODE_BYTES) {
        call_refuse_field(call, "/reason", "a reason is needed: a text of 1 to 63 bytes");
        return false;
    }
    memcpy(reason, json_string_value(member), length + 1);
    return true;
}

/* False: refused, and answered; or answered, since there is nothing left to do. */
static bool fan_may_cancel(struct call *call, const struct refund_call *refund) {
    const char *why;
    if (refund->booking.status == BOOKING_CANCELLED) {
        struct buffer *body = call_scratch(call);
        write_refund(refund, body);
        call_reply(call, 200, buffer_bytes(body));
        return false;
    }
    if (!sale_may_cancel(refund->sale, call->now_ms, &why)) {
        call_refuse(call, RESULT_FORBIDDEN, why);
        return false;
    }
    return true;
}

/* A fan's body may be left out. False: answered. */
static bool read_refund(struct call *call, struct refund_call *refund) {
    json_t *document = NULL;
    if ((!refund->by_fan || call->body.length) && !call_read_json(call, &document))
        return false;
    bool understood = refund->by_fan || read_reason(call, document, refund->reason);
    if (understood && document)
        understood = read_part(call, document, refund);
    json_decref(document);
    if (refund->by_fan)
        memcpy(refund->reason, "cancelled_by_fan", sizeof "cancelled_by_fan");
    return understood && (!refund->by_fan || fan_may_cancel(call, refund));
}

static void begin_refund(struct clerk_job *job, struct ledger_reader *reader);

/* The payment that was waited for is over. On the cashier's thread. */
static void refund_again(struct refund_call *refund) {
    struct refund *outer = CONTAINER_OF(refund, struct refund, refund);
    struct call *call = outer->call;
    refund_free(outer);
    call_on_clerk(call, begin_refund);
}

/* False: refused, and answered. */
static bool send_refund(struct call *call, struct refund_call *refund) {
    struct api *api = call->api;
    refund->reactor = call->ref.reactor;
    refund->answered = refund_answered;
    refund->again = refund_again;
    refund->give_up_ms = call->now_ms + PATIENCE_MS;
    refund->answer_key = call->answer_key;
    refund->render = write_refund;
    if (!api->services.refund(api->services.runtime, refund)) {
        call_refuse(call, RESULT_OVERLOADED, NULL);
        return false;
    }
    return true;
}

static void begin_refund(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    struct api *api = call->api;
    struct refund *refund = calloc(1, sizeof *refund);
    if (!refund) {
        call_refuse(call, RESULT_OVERLOADED, NULL);
        return;
    }
    struct refund_call *inner = &refund->refund;
    buffer_init(&inner->storage, BOOKING_STORAGE_BYTES);
    refund->call = call;
    inner->by_fan = is_by_fan(call);
    enum result result = api->ledger->read_booking(reader, &call->subject, &inner->booking, &inner->storage);
    inner->sale = result == RESULT_OK ? sale_find(api->sales, &inner->booking.show_id) : NULL;
    if (result != RESULT_OK)
        call_refuse(call, result == RESULT_BOOKING_NOT_FOUND ? result : RESULT_LEDGER_UNAVAILABLE, NULL);
    else if (!inner->sale)
        call_refuse(call, RESULT_SHOW_NOT_FOUND, NULL);
    else if (read_refund(call, inner) && send_refund(call, inner)) /* once it is refused the call is no longer ours */
        return;
    refund_free(refund);
}

static void refund_on_clerk(struct call *call) {
    call = call_park(call);
    if (call)
        call_on_clerk(call, begin_refund);
}

void handle_admin_refund(struct call *call) {
    refund_on_clerk(call);
}

void handle_cancel_booking(struct call *call) {
    refund_on_clerk(call);
}
