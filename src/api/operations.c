/* What the operator's monitoring asks, and the contract itself. */
#include "api/handlers.h"
#include "base/metrics.h"

void handle_metrics(struct call *call) {
    struct buffer *body = call_scratch(call);
    metrics_write(body);
    call_reply_text(call, 200, "text/plain; version=0.0.4; charset=utf-8", buffer_bytes(body));
}

static void reply_status(struct call *call, unsigned status, struct bytes body) {
    call_reply_text(call, status, "application/json", body);
}

/* Alive: a reactor answers. */
void handle_healthz(struct call *call) {
    reply_status(call, 200, BYTES("{\"status\":\"ok\"}"));
}

/* Ready: recovery is done, holds are taken, the ledger takes bookings. */
void handle_readyz(struct call *call) {
    if (!call->api->services.is_ready(call->api->services.runtime))
        call_refuse(call, RESULT_OVERLOADED, "the server is starting");
    else if (call->api->mirror && !call->api->services.is_current(call->api->services.runtime))
        call_refuse(call, RESULT_OVERLOADED, "nothing is heard from the upstream: what is shown may be old");
    else if (!call->api->mirror && call->api->ledger->failed(call->api->ledger->engine))
        call_refuse(call, RESULT_LEDGER_UNAVAILABLE,
                    "the ledger has failed: stop the server, mend the disk, start it again");
    else if (!call->api->mirror && !call->api->holds->takes(call->api->holds->engine))
        call_refuse(call, RESULT_HOLD_STORE_UNAVAILABLE,
                    "no hold can be taken: the journal of holds cannot be written; stop the server, mend the disk, "
                    "start it again");
    else
        reply_status(call, 200, BYTES("{\"status\":\"ready\"}"));
}

extern const char openapi_document[], openapi_document_end[];

void handle_read_openapi(struct call *call) {
    reply_shared(call, (struct bytes){openapi_document, (size_t)(openapi_document_end - openapi_document)});
}
