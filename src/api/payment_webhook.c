/* POST /api/v1/payments/webhook: the payment gateway says that something has happened to a payment.
 *
 * Happy path: the signature is checked over the raw body → the event names a booking → the ledger is asked for it → the
 * cashier looks at it again, with the gateway's answer → 200 once what came of it is on disk. Until then the gateway
 * would send the event again, which does no harm.
 *
 * What can go wrong: a signature that is not the gateway's or too old is 400; an event that is none of ours is 200, so
 * that it does not come again; 503 where it cannot be looked at now. */
#include "api/handlers.h"
#include "base/log.h"
#include "base/metrics.h"
#include "payments/webhook.h"

#include <stdlib.h>

#define STORAGE_BYTES (1024 * 1024)

struct hinted {
    struct look_call look;
    struct call *call;
};

static void hinted_free(struct hinted *hinted) {
    buffer_release(&hinted->look.storage);
    free(hinted);
}

static void reply_received(struct call *call) {
    call_reply(call, 200, BYTES("{\"received\":true}"));
}

/* On the cashier's thread. */
static void looked(struct look_call *look) {
    struct hinted *hinted = look->context;
    struct call *call = hinted->call;
    if (look->result == RESULT_OK || look->result == RESULT_CONFLICT)
        reply_received(call);
    else
        call_refuse(call, look->result == RESULT_LEDGER_UNAVAILABLE ? look->result : RESULT_OVERLOADED, NULL);
    hinted_free(hinted);
}

static void find_booking(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    struct api *api = call->api;
    struct hinted *hinted = calloc(1, sizeof *hinted);
    if (!hinted) {
        call_refuse(call, RESULT_OVERLOADED, NULL);
        return;
    }
    struct look_call *look = &hinted->look;
    hinted->call = call;
    look->context = hinted;
    look->done = looked;
    buffer_init(&look->storage, STORAGE_BYTES);
    enum result result = api->ledger->read_booking(reader, &call->subject, &look->booking, &look->storage);
    if (result == RESULT_OK && api->services.look(api->services.runtime, look))
        return;
    hinted_free(hinted);
    if (result == RESULT_BOOKING_NOT_FOUND) /* of another shop on the same account */
        reply_received(call);
    else
        call_refuse(call, result == RESULT_OK ? RESULT_OVERLOADED : RESULT_LEDGER_UNAVAILABLE, NULL);
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
        call_on_clerk(call, find_booking);
}
