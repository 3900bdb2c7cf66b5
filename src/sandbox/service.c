/* The sandbox's HTTP side: who calls, what they want, and whether they have asked it before.
 *
 * Happy path of a POST: key of the caller → route → form → idempotency key new → parameters known → operation_run()
 * decides → the record is applied to the book and appended to the tape → the answer is made from the record and leaves
 * when the tape is synced. A key that is known replays its record's answer, byte for byte; one whose call still runs,
 * or whose record is not synced yet, is 409.
 *
 * Nothing is kept for a request that was refused before anything was executed: a missing parameter, an unknown id.
 */
#include "sandbox/sandbox_state.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/panic.h"

#include <sodium.h>
#include <stdio.h>

#define MOST_AUTHORIZATION_BYTES 512

struct call {
    struct sandbox *sandbox;
    struct exchange *exchange;
    const struct http_request *request;
    struct pending *pending;
    enum route route;
    struct bytes id; /* of the path */
    uint8_t expansions;
    int64_t now_ms;
};

/* The answer from a record, the first time or again. */
static void write_kept(struct pending *pending, const struct record *record) {
    pending->status = record->head.status;
    /* As Stripe says it: a kept 500 stays one. */
    if (pending->status == 500)
        buffer_add_text(&pending->headers, "Stripe-Should-Retry: false\r\n");
    render_answer(&pending->body, record);
}

static void write_ending(struct pending *pending, enum ending ending) {
    if (ending == ENDING_ANSWER && pending->draw.fault == FAULT_lost_reply)
        ending = ENDING_CUT;
    else if (ending == ENDING_ANSWER && pending->draw.fault == FAULT_hang)
        ending = ENDING_HANG;
    pending->ending = ending;
}

void sandbox_write_answer(struct sandbox *sandbox, struct pending *pending) {
    struct verdict *verdict = &sandbox->verdict;
    if (verdict->kind == VERDICT_REFUSED) {
        pending->status = gateway_error_status(verdict->error);
        /* Stripe's client asks again after a 409 by itself, after a 429 where it is told to. */
        if (verdict->error == GATEWAY_ERROR_LOCK_TIMEOUT)
            buffer_add_text(&pending->headers, "Stripe-Should-Retry: true\r\n");
        render_error(&pending->body, verdict->error, verdict->param, bytes_of(verdict->message), NULL);
        write_ending(pending, ENDING_ANSWER);
        return;
    }
    pending->position = tape_end(sandbox->tape);
    write_kept(pending, &verdict->record);
    write_ending(pending, (enum ending)verdict->record.head.ending);
}

static void settle(struct call *call) {
    struct pending *pending = call->pending;
    if (pending->draw.slow_ms == 0 || pending->ending == ENDING_HANG ||
        !pending_delay_answer(call->sandbox, pending, call->exchange))
        pending_settle(call->sandbox, pending, call->exchange);
}

static void refuse(struct call *call) {
    sandbox_write_answer(call->sandbox, call->pending);
    settle(call);
}

bool sandbox_commit(struct sandbox *sandbox, const struct id *key, const struct id *request) {
    struct verdict *verdict = &sandbox->verdict;
    struct record_head *head = &verdict->record.head;
    assert(verdict->kind != VERDICT_REFUSED);
    if (head->answer != ANSWER_NONE) {
        head->key = *key;
        head->request = *request;
    }
    if (head->kind >= RECORD_CREATED) {
        head->event = sandbox->book.next_event + 1;
        head->owed = sandbox->deliveries != NULL;
    }
    sandbox->encoded.length = 0;
    sandbox->encoded.full = false;
    object_record_write(&sandbox->encoded, &verdict->record);
    uint64_t place = tape_end(sandbox->tape);
    if (!buffer_ok(&sandbox->encoded) || book_apply(&sandbox->book, &verdict->record, place) != RESULT_OK) {
        verdict_refuse(verdict, GATEWAY_ERROR_FULL, "", "The sandbox is full.");
        return false;
    }
    uint64_t appended = tape_append(sandbox->tape, buffer_bytes(&sandbox->encoded));
    assert(appended == place);
    return true;
}

/* The secret key, as Bearer or as the user of Basic with an empty password. */
static bool is_secret_key(struct bytes key) {
    return key.length > 8 && bytes_start_with(key, BYTES("sk_test_"));
}

static bool is_allowed(struct call *call) {
    struct verdict *verdict = &call->sandbox->verdict;
    struct bytes field = http_field(call->request, "Authorization");
    if (field.length > 7 && bytes_equal_nocase((struct bytes){field.at, 7}, BYTES("Bearer "))) {
        if (is_secret_key((struct bytes){field.at + 7, field.length - 7}))
            return true;
        verdict_refuse(verdict, GATEWAY_ERROR_INVALID_KEY, "", "Invalid API Key provided");
        return false;
    }
    if (field.length > 6 && field.length < MOST_AUTHORIZATION_BYTES &&
        bytes_equal_nocase((struct bytes){field.at, 6}, BYTES("Basic "))) {
        char decoded[MOST_AUTHORIZATION_BYTES];
        size_t length = 0;
        bool ok = sodium_base642bin((unsigned char *)decoded, sizeof decoded, field.at + 6, field.length - 6, NULL,
                                    &length, NULL, sodium_base64_VARIANT_ORIGINAL) == 0;
        const char *colon = ok ? memchr(decoded, ':', length) : NULL;
        ok = ok && is_secret_key((struct bytes){decoded, colon ? (size_t)(colon - decoded) : length});
        sodium_memzero(decoded, sizeof decoded);
        if (ok)
            return true;
        verdict_refuse(verdict, GATEWAY_ERROR_INVALID_KEY, "", "Invalid API Key provided");
        return false;
    }
    verdict_refuse(
        verdict, GATEWAY_ERROR_NO_KEY, "",
        "You did not provide an API key. You need to provide your API key in the Authorization header, using "
        "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). This sandbox takes any key that begins "
        "with sk_test_.");
    return false;
}

static const struct {
    enum http_method method;
    const char *before, *behind; /* the path around the id; `behind` is NULL where there is no id */
    enum route route;
} routes[] = {
    {HTTP_POST, "/v1/payment_intents", NULL, ROUTE_INTENT_CREATE},
    {HTTP_GET, "/v1/payment_intents", NULL, ROUTE_INTENT_LIST},
    {HTTP_GET, "/v1/payment_intents/", "", ROUTE_INTENT_RETRIEVE},
    {HTTP_POST, "/v1/payment_intents/", "/confirm", ROUTE_INTENT_CONFIRM},
    {HTTP_POST, "/v1/payment_intents/", "/capture", ROUTE_INTENT_CAPTURE},
    {HTTP_POST, "/v1/payment_intents/", "/cancel", ROUTE_INTENT_CANCEL},
    {HTTP_POST, "/v1/refunds", NULL, ROUTE_REFUND_CREATE},
    {HTTP_GET, "/v1/refunds", NULL, ROUTE_REFUND_LIST},
    {HTTP_GET, "/v1/refunds/", "", ROUTE_REFUND_RETRIEVE},
    {HTTP_GET, "/v1/charges/", "", ROUTE_CHARGE_RETRIEVE},
    {HTTP_GET, "/v1/events", NULL, ROUTE_EVENT_LIST},
    {HTTP_GET, "/v1/events/", "", ROUTE_EVENT_RETRIEVE},
};

static bool find_route(struct call *call) {
    struct bytes path = call->request->path;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        struct bytes before = bytes_of(routes[i].before), behind = bytes_of(routes[i].behind);
        if (routes[i].method != call->request->method || !bytes_start_with(path, before))
            continue;
        struct bytes rest = {path.at + before.length, path.length - before.length};
        if (!behind.at ? rest.length > 0
                       : rest.length <= behind.length ||
                             memcmp(rest.at + rest.length - behind.length, behind.at, behind.length) != 0)
            continue;
        call->id = (struct bytes){rest.at, rest.length - behind.length};
        if (memchr(call->id.at, '/', call->id.length))
            continue;
        call->route = routes[i].route;
        return true;
    }
    verdict_refuse(&call->sandbox->verdict, GATEWAY_ERROR_UNKNOWN_ROUTE, "", "Unrecognized request URL (%s: %.*s).",
                   http_method_name(call->request->method), (int)(path.length < 200 ? path.length : 200), path.at);
    return false;
}

/* The parameters, of the body or the query. */
static bool read_form(struct call *call) {
    struct sandbox *sandbox = call->sandbox;
    const struct http_request *request = call->request;
    bool is_post = request->method == HTTP_POST;
    char detail[160];
    static const struct bytes type = BYTES("application/x-www-form-urlencoded");
    if (is_post && request->body.length &&
        (request->content_type.length < type.length ||
         !bytes_equal_nocase((struct bytes){request->content_type.at, type.length}, type))) {
        verdict_refuse(&sandbox->verdict, GATEWAY_ERROR_CONTENT_TYPE, "",
                       "Invalid request (check that your POST content type is application/x-www-form-urlencoded).");
        return false;
    }
    if (!form_read(is_post ? request->body : request->query, exchange_scratch(call->exchange), &sandbox->form, detail,
                   sizeof detail)) {
        verdict_refuse(&sandbox->verdict, GATEWAY_ERROR_MALFORMED, "", "%s", detail);
        return false;
    }
    return true;
}

static bool knows_parameters(struct call *call) {
    return operation_check(call->route, &call->sandbox->form, &call->sandbox->verdict, &call->expansions);
}

static void refuse_missing(struct call *call, const char *what) {
    verdict_refuse(&call->sandbox->verdict, GATEWAY_ERROR_RESOURCE_MISSING,
                   call->route == ROUTE_INTENT_RETRIEVE ? "intent" : "id", "No such %s: '%.*s'", what,
                   (int)(call->id.length < 100 ? call->id.length : 100), call->id.at);
}

static bool find_event(struct call *call, struct record *record) {
    struct sandbox *sandbox = call->sandbox;
    struct book *book = &sandbox->book;
    uint32_t number;
    uint64_t chance;
    if (!object_id_parse(call->id, "evt", &number, &chance))
        return false;
    uint32_t index = book_event_index(book, number);
    return index < book->event_count && book->events[index].number == number &&
           book->events[index].place < tape_synced_to(sandbox->tape) &&
           sandbox_read_record(sandbox, book->events[index].place, record) && event_chance(record) == chance;
}

/* Writes what a GET asks for; false: refused. */
static bool write_object(struct call *call) {
    struct sandbox *sandbox = call->sandbox;
    struct json_writer writer = json_writer(&call->pending->body);
    struct record record;
    if (call->route == ROUTE_INTENT_RETRIEVE) {
        const struct intent_entry *entry = book_intent(&sandbox->book, call->id);
        if (!entry) {
            refuse_missing(call, "payment_intent");
            return false;
        }
        operation_show_intent(&sandbox->book, entry, &record);
        render_intent(&writer, &record, call->expansions);
    } else if (call->route == ROUTE_CHARGE_RETRIEVE) {
        const struct charge_entry *entry = book_charge(&sandbox->book, call->id);
        if (!entry) {
            refuse_missing(call, "charge");
            return false;
        }
        operation_show_charge(&sandbox->book, entry, &record);
        render_charge(&writer, &record);
    } else if (call->route == ROUTE_REFUND_RETRIEVE) {
        const struct refund_entry *entry = book_refund(&sandbox->book, call->id);
        if (!entry) {
            refuse_missing(call, "refund");
            return false;
        }
        operation_show_refund(&sandbox->book, entry, &record);
        render_refund(&writer, &record, call->expansions);
    } else if (call->route == ROUTE_EVENT_RETRIEVE) {
        if (!find_event(call, &record)) {
            refuse_missing(call, "event");
            return false;
        }
        render_event(&writer, &record);
    } else {
        return sandbox_list(sandbox, call->route, call->expansions, &call->pending->body);
    }
    return true;
}

static void answer_get(struct call *call) {
    if (!knows_parameters(call) || !write_object(call)) {
        refuse(call);
        return;
    }
    call->pending->position = tape_end(call->sandbox->tape);
    settle(call);
}

static void refuse_key_in_use(struct call *call, struct bytes key) {
    verdict_refuse(&call->sandbox->verdict, GATEWAY_ERROR_KEY_IN_USE, "",
                   "There is currently another in-progress request using this Idempotent Key (that probably means you "
                   "submitted twice, and the other request is still going through): %.*s. Please try again later.",
                   (int)(key.length < 100 ? key.length : 100), key.at);
    refuse(call);
}

/* The key was used before: its record is answered again, or the reuse is refused. */
static void replay(struct call *call, const struct key_entry *entry, const struct id *request, struct bytes key) {
    struct sandbox *sandbox = call->sandbox;
    struct record record;
    if (entry->place == KEY_RUNNING || entry->place >= tape_synced_to(sandbox->tape)) {
        refuse_key_in_use(call, key);
        return;
    }
    if (!sandbox_read_record(sandbox, entry->place, &record)) {
        verdict_refuse(&sandbox->verdict, GATEWAY_ERROR_SERVER, "", "The first answer cannot be read.");
        refuse(call);
        return;
    }
    if (!id_equal(&record.head.request, request)) {
        verdict_refuse(
            &sandbox->verdict, GATEWAY_ERROR_KEY_REUSED, "",
            "Keys for idempotent requests can only be used for the same endpoint and with the same parameters "
            "they were first used for. Try using a key other than '%.*s' if you meant to execute a different request.",
            (int)(key.length < 100 ? key.length : 100), key.at);
        refuse(call);
        return;
    }
    buffer_add_text(&call->pending->headers, "Idempotent-Replayed: true\r\n");
    write_kept(call->pending, &record);
    write_ending(call->pending, record.head.ending == ENDING_HANG ? ENDING_HANG : ENDING_ANSWER);
    settle(call);
}

/* Charges the card, now or when its time has come. */
static void begin_attempt(struct call *call, const struct id *key, const struct id *request) {
    struct sandbox *sandbox = call->sandbox;
    struct verdict *verdict = &sandbox->verdict;
    if (verdict->record.head.parts && !sandbox_commit(sandbox, key, request)) {
        refuse(call);
        return;
    }
    struct attempt attempt = verdict->attempt;
    verdict->delay_ms += call->pending->draw.slow_ms;
    call->pending->draw.slow_ms = 0;
    if (verdict->delay_ms > 0) {
        if ((!id_is_none(key) && book_set_key(&sandbox->book, key, KEY_RUNNING, call->now_ms) != RESULT_OK) ||
            !pending_delay(sandbox, call->pending, call->exchange, verdict->delay_ms, key, request)) {
            struct key_entry *entry = id_is_none(key) ? NULL : book_key(&sandbox->book, key, call->now_ms);
            if (entry)
                entry->place = entry->time_ms = 0;
            verdict_refuse(verdict, GATEWAY_ERROR_FULL, "", "The sandbox is full.");
            refuse(call);
            return;
        }
        sandbox->book.intents[attempt.intent].busy = true;
        return;
    }
    verdict_reset(verdict);
    operation_charge(&sandbox->book, &attempt, call->now_ms, verdict);
    fault_spoil(&call->pending->draw, verdict);
    (void)sandbox_commit(sandbox, key, request);
    refuse(call);
}

static void answer_post(struct call *call) {
    struct sandbox *sandbox = call->sandbox;
    struct verdict *verdict = &sandbox->verdict;
    const struct fault_draw *draw = &call->pending->draw;
    struct bytes key = http_field(call->request, "Idempotency-Key");
    struct id key_id = {0}, request_id = form_hash(&sandbox->form, call->request->path);
    if (http_field_count(call->request, "Idempotency-Key") > 1 || key.length > LIMIT_IDEMPOTENCY_KEY_BYTES) {
        verdict_refuse(verdict, GATEWAY_ERROR_KEY_TOO_LONG, "",
                       "Invalid Idempotency-Key: it takes one key of up to %d characters.",
                       LIMIT_IDEMPOTENCY_KEY_BYTES);
        refuse(call);
        return;
    }
    if (key.length) {
        key_id = hash_128(&key, 1);
        buffer_add_text(&call->pending->headers, "Idempotency-Key: ");
        buffer_add_bytes(&call->pending->headers, key);
        buffer_add_text(&call->pending->headers, "\r\n");
        const struct key_entry *entry = book_key(&sandbox->book, &key_id, call->now_ms);
        if (entry) {
            replay(call, entry, &request_id, key);
            return;
        }
    }
    if (!knows_parameters(call)) {
        refuse(call);
        return;
    }
    if (draw->fault == FAULT_error)
        fault_refuse(verdict, call->now_ms, key.length > 0);
    else
        operation_run(&sandbox->book, call->route, call->id, &sandbox->form, call->expansions, call->now_ms, verdict);
    fault_decline(draw, verdict);
    if (verdict->kind == VERDICT_ATTEMPT) {
        begin_attempt(call, &key_id, &request_id);
        return;
    }
    if (verdict->kind == VERDICT_RECORD) {
        fault_spoil(draw, verdict);
        (void)sandbox_commit(sandbox, &key_id, &request_id);
    }
    refuse(call);
}

/* Draws, and does what the draw says before anything else is done. True: that was all. */
static bool fails_at_once(struct call *call) {
    struct verdict *verdict = &call->sandbox->verdict;
    struct fault_draw *draw = &call->pending->draw;
    *draw = faults_draw(&call->sandbox->faults, call->route);
    if (draw->fault == FAULT_cut) {
        pending_free(call->sandbox, call->pending);
        exchange_abort(call->exchange);
    } else if (draw->fault == FAULT_hang && draw->coin) {
        call->pending->ending = ENDING_HANG;
        settle(call);
    } else if (draw->fault == FAULT_busy && draw->coin) {
        operation_refuse_busy(verdict);
        refuse(call);
    } else if (draw->fault == FAULT_busy) {
        refuse_key_in_use(call, http_field(call->request, "Idempotency-Key"));
    } else if (draw->fault == FAULT_error && call->request->method == HTTP_GET) {
        fault_refuse(verdict, call->now_ms, false);
        refuse(call);
    } else {
        return false;
    }
    return true;
}

static void handle(void *context, struct exchange *exchange, const struct http_request *request) {
    struct sandbox *sandbox = context;
    struct call call = {
        .sandbox = sandbox, .exchange = exchange, .request = request, .now_ms = sandbox_now_ms(sandbox)};
    call.pending = pending_new(sandbox, exchange);
    if (!call.pending) {
        exchange_abort(exchange);
        return;
    }
    verdict_reset(&sandbox->verdict);
    if (!is_allowed(&call) || !find_route(&call) || !read_form(&call))
        refuse(&call);
    else if (fails_at_once(&call))
        return;
    else if (request->method == HTTP_GET)
        answer_get(&call);
    else
        answer_post(&call);
}

static enum result admit(void *context, const struct http_request *head, size_t *max_body) {
    (void)context, (void)head;
    *max_body = LIMIT_SANDBOX_BODY_BYTES;
    return RESULT_OK;
}

static unsigned status_of(enum result result) {
    switch (result) {
    case RESULT_NOT_FOUND:
        return 404;
    case RESULT_REQUEST_TIMEOUT:
        return 408;
    case RESULT_LENGTH_REQUIRED:
        return 411;
    case RESULT_BODY_TOO_LARGE:
        return 413;
    case RESULT_TARGET_TOO_LONG:
        return 414;
    case RESULT_HEADERS_TOO_LARGE:
        return 431;
    case RESULT_NOT_IMPLEMENTED:
        return 501;
    case RESULT_HTTP_VERSION_NOT_SUPPORTED:
        return 505;
    default:
        return 400;
    }
}

static void refuse_framing(void *context, struct exchange *exchange, const struct http_request *request,
                           enum result result, const char *detail) {
    (void)context, (void)request;
    struct buffer body;
    buffer_init(&body, BODY_BYTES);
    render_error(&body, GATEWAY_ERROR_MALFORMED, "", bytes_of(detail ? detail : result_words(result)), NULL);
    exchange_reply(exchange, status_of(result), BYTES("Content-Type: application/json\r\n"), buffer_bytes(&body));
    buffer_release(&body);
}

const struct http_service sandbox_service_template = {.admit = admit, .handle = handle, .refuse = refuse_framing};
