/* A booking's payment is looked at again: POST /api/v1/payments/webhook, since the gateway says that something has
 * happened to it, and POST …/admin/bookings/{booking}/resume, since a human has put right what needed one. (What needs
 * one is GET …/admin/bookings?payment_state=REVIEW.)
 *
 * Happy path of a webhook: the signature is checked over the raw body → the event names a booking → the ledger is asked
 * for it → the cashier looks at it again, with the gateway's answer → 200 once what came of it is on disk. Until then
 * the gateway would send the event again, which does no harm. A resumption is the same, with a reason in place of a
 * signature.
 *
 * What can go wrong: a signature that is not the gateway's or too old is 400; an event that is none of ours is 200, so
 * that it does not come again; 503 where it cannot be looked at now. */
#include "api/handlers.h"
#include "base/log.h"
#include "base/metrics.h"
#include "payments/webhook.h"

#include <stdlib.h>

struct look {
    struct look_call look;
    struct call *call;
};

static void look_free(struct look *look) {
    buffer_release(&look->look.storage);
    free(look);
}

/* With the booking that the call is about, as the ledger has it. OK; BOOKING_NOT_FOUND; else it has been answered. */
static enum result look_new(struct call *call, struct ledger_reader *reader, void (*done)(struct look_call *look),
                            struct look **look) {
    struct look *made = calloc(1, sizeof *made);
    if (!made) {
        call_refuse(call, RESULT_OVERLOADED, NULL);
        return RESULT_OVERLOADED;
    }
    made->call = call;
    made->look.context = made;
    made->look.done = done;
    buffer_init(&made->look.storage, BOOKING_STORAGE_BYTES);
    enum result result =
        call->api->ledger->read_booking(reader, &call->subject, &made->look.booking, &made->look.storage);
    if (result == RESULT_OK) {
        *look = made;
        return result;
    }
    look_free(made);
    if (result != RESULT_BOOKING_NOT_FOUND)
        call_refuse(call, RESULT_LEDGER_UNAVAILABLE, NULL);
    return result;
}

/* Hands it to the cashier; or refuses, and frees. */
static void look_send(struct look *look) {
    struct call *call = look->call;
    if (call->api->services.look(call->api->services.runtime, &look->look))
        return;
    look_free(look);
    call_refuse(call, RESULT_OVERLOADED, NULL);
}

/* ---- the gateway's webhook ---- */

static void reply_received(struct call *call) {
    call_reply(call, 200, BYTES("{\"received\":true}"));
}

/* On the cashier's thread. */
static void hint_taken(struct look_call *done) {
    struct look *look = done->context;
    if (done->result == RESULT_OK || done->result == RESULT_CONFLICT)
        reply_received(look->call);
    else
        call_refuse(look->call, done->result == RESULT_LEDGER_UNAVAILABLE ? done->result : RESULT_OVERLOADED, NULL);
    look_free(look);
}

static void take_hint(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    struct look *look;
    enum result result = look_new(call, reader, hint_taken, &look);
    if (result == RESULT_OK)
        look_send(look);
    else if (result == RESULT_BOOKING_NOT_FOUND) /* of another shop on the same account */
        reply_received(call);
}

void handle_payment_webhook(struct call *call) {
    struct api *api = call->api;
    struct payment_hint hint;
    if (!api->webhook_secrets.length) {
        call_refuse(call, RESULT_NOT_FOUND, "this server takes no webhooks: ONSALE_PAYMENTS_WEBHOOK_SECRET is not set");
        return;
    }
    struct bytes header = call->request ? http_field(call->request, "stripe-signature") : (struct bytes){NULL, 0};
    if (webhook_check(header, call->body, api->webhook_secrets, call->now_ms) != RESULT_OK) {
        metric_add(METRIC_GATEWAY_WEBHOOKS_REFUSED, 1);
        call_refuse(call, RESULT_BAD_REQUEST, "Stripe-Signature is missing, is not of this body, or is too old");
        return;
    }
    enum result result = webhook_read(call->body, &hint);
    if (result != RESULT_OK) {
        call_refuse(call, result, "this is no event");
        return;
    }
    metric_add(METRIC_GATEWAY_WEBHOOKS, 1);
    log_debug("the gateway says that something has happened", LOG_STRING("event", hint.event_id),
              LOG_STRING("type", hint.type));
    if (id_is_none(&hint.booking)) {
        reply_received(call);
        return;
    }
    call->subject = hint.booking;
    call = call_park(call);
    if (call)
        call_on_clerk(call, take_hint);
}

/* ---- a payment in review goes on ---- */

/* On the cashier's thread: the first step is written, or nothing was to be done. */
static void resumed(struct look_call *done) {
    struct look *look = done->context;
    struct call *call = look->call;
    if (done->result == RESULT_OK) {
        struct buffer *body = call_scratch(call);
        struct json_writer writer = json_writer(body);
        write_booking(&writer, &done->booking, true);
        call_reply(call, 200, buffer_bytes(body));
    } else if (done->result == RESULT_CONFLICT) {
        call_refuse(call, RESULT_CONFLICT, "this booking's payment is not in review");
    } else {
        call_refuse(call, done->result, NULL);
    }
    look_free(look);
}

static bool read_resumption(struct call *call, struct look_call *look) {
    json_t *document;
    if (!call_read_json(call, &document))
        return false;
    look->by_operator = true;
    bool understood = read_reason(call, document, look->reason);
    json_decref(document);
    return understood;
}

static void resume(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    struct look *look;
    enum result result = look_new(call, reader, resumed, &look);
    if (result == RESULT_BOOKING_NOT_FOUND)
        call_refuse(call, result, NULL);
    if (result != RESULT_OK)
        return;
    if (read_resumption(call, &look->look))
        look_send(look);
    else
        look_free(look);
}

void handle_admin_resume_payment(struct call *call) {
    call = call_park(call);
    if (call)
        call_on_clerk(call, resume);
}
