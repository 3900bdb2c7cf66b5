#include "api/call.h"
#include "api/idempotency.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/panic.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- where a call is ---- */

struct call *call_park(struct call *call) {
    if (call->parked)
        return call;
    size_t length = call->query.length + call->body.length + call->if_none_match.length + call->authorization.length;
    struct call *parked = malloc(sizeof *parked + length);
    if (!parked) {
        call_refuse(call, RESULT_OVERLOADED, NULL);
        return NULL;
    }
    *parked = *call;
    char *at = parked->copy;
    struct bytes *texts[] = {&parked->query, &parked->body, &parked->if_none_match, &parked->authorization};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!texts[i]->at)
            continue;
        if (texts[i]->length)
            memcpy(at, texts[i]->at, texts[i]->length);
        texts[i]->at = at;
        at += texts[i]->length;
    }
    parked->parked = true;
    parked->request = NULL;
    parked->ref = exchange_park(call->exchange);
    buffer_init(&parked->answer, 256 * 1024 * 1024);
    return parked;
}

void call_drop(struct call *call) {
    if (!call->parked)
        return;
    buffer_release(&call->answer);
    free(call);
}

void call_leave_reactor(struct call *call) {
    assert(call->parked);
    call->on_reactor = false;
    call->exchange = NULL;
}

void call_on_clerk(struct call *call, void (*work)(struct clerk_job *job, struct ledger_reader *reader)) {
    call_leave_reactor(call);
    call->job.run = work;
    call->api->services.clerk(call->api->services.runtime, &call->job,
                              call->route->side != SIDE_FAN ? CLERK_OPERATORS : CLERK_SALES);
}

static void run_picture_work(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    atomic_fetch_sub(&call->api->pictures_waiting, 1);
    call->picture_work(job, reader);
}

bool call_on_pictures_clerk(struct call *call, void (*work)(struct clerk_job *job, struct ledger_reader *reader)) {
    struct api *api = call->api;
    if (atomic_fetch_add(&api->pictures_waiting, 1) >= LIMIT_WAITING_PICTURES) {
        atomic_fetch_sub(&api->pictures_waiting, 1);
        call_refuse(call, RESULT_OVERLOADED, NULL);
        return false;
    }
    call_leave_reactor(call);
    call->picture_work = work;
    call->job.run = run_picture_work;
    api->services.clerk(api->services.runtime, &call->job, CLERK_PICTURES);
    return true;
}

struct call *call_of_job(struct clerk_job *job) {
    return CONTAINER_OF(job, struct call, job);
}

static void back_on_reactor(struct envelope *envelope, void *receiver) {
    (void)receiver;
    struct call *call = CONTAINER_OF(envelope, struct call, envelope);
    call->on_reactor = true;
    call->exchange = exchange_resume(call->ref);
    call->resume(call);
}

void call_on_reactor(struct call *call, void (*resume)(struct call *call)) {
    struct reactor *reactor = call->ref.reactor;
    call_leave_reactor(call);
    call->resume = resume;
    call->envelope.open = back_on_reactor;
    reactor_send(reactor, &call->envelope);
}

bool call_submit(struct call *call, void (*done)(struct ledger_command *command)) {
    struct ledger *ledger = call->api->ledger;
    call_leave_reactor(call);
    call->command.context = call;
    call->command.done = done;
    if (ledger->submit(ledger->engine, &call->command))
        return true;
    call_refuse(call, ledger->failed(ledger->engine) ? RESULT_LEDGER_UNAVAILABLE : RESULT_OVERLOADED, NULL);
    return false;
}

struct call *call_of_command(struct ledger_command *command) {
    return command->context;
}

struct buffer *call_scratch(struct call *call) {
    if (!call->parked)
        return exchange_scratch(call->exchange);
    call->answer.length = 0;
    return &call->answer;
}

/* ---- answering ---- */

static void add_headers(const struct call *call, struct buffer *headers, unsigned status, const char *content_type) {
    buffer_printf(headers, "Content-Type: %s\r\nCache-Control: %s\r\n", content_type,
                  call->cache_control && status < 300 ? call->cache_control : "no-store");
    if (call->headers && status < 300)
        buffer_add_text(headers, call->headers);
    if (status == 425 || status == 429 || status == 503)
        buffer_printf(headers, "Retry-After: %u\r\n", call->retry_seconds ? call->retry_seconds : 1);
    if (status == 429 && call->verdict.limit)
        limit_verdict_write(&call->verdict, headers);
    if (status == 401)
        buffer_add_text(headers, "WWW-Authenticate: Bearer\r\n");
    if (status == 426)
        buffer_add_text(headers, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
}

/* Each call at debug, what the server could not do at warn, with the id that the client has in its X-Request-Id. Ids of
 * reservations and bookings are secrets: the route is named, not the path. */
static void log_answer(const struct call *call, unsigned status) {
    enum log_level level = status >= 500 ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;
    if (!call->exchange || !log_is_on(level))
        return;
    log_at(level, "answered", LOG_STRING("route", call->route->name), LOG_INT("status", status),
           LOG_INT("microseconds", clock_monotonic_us() - call->arrived_us),
           LOG_STRING("request_id", exchange_request_id(call->exchange)));
}

static void send(struct call *call, unsigned status, const char *content_type, struct bytes body) {
    static const char json_headers[] = "Content-Type: application/json\r\nCache-Control: no-store\r\n";
    if (call->timing >= 0) {
        timing_observe((enum timing)call->timing, clock_monotonic_us() - call->arrived_us);
        metric_add(METRIC_SHOP_ANSWERS, 1);
        metric_add(METRIC_SHOP_FAILURES, status >= 500);
    }
    log_answer(call, status);
    if (!id_is_none(&call->answer_key.key))
        idempotency_end(call->api->idempotency, &call->answer_key.key);
    bool is_plain =
        status < 300 && !call->cache_control && !call->headers && strcmp(content_type, "application/json") == 0;
    if (call->exchange && is_plain) {
        exchange_reply(call->exchange, status, (struct bytes){json_headers, sizeof json_headers - 1}, body);
    } else if (call->exchange) {
        struct buffer headers;
        buffer_init(&headers, 1024);
        add_headers(call, &headers, status, content_type);
        exchange_reply(call->exchange, status, buffer_bytes(&headers), body);
        buffer_release(&headers);
    }
    call->exchange = NULL;
    call_drop(call);
}

static void send_stored(struct call *call) {
    send(call, call->status, call->content_type, buffer_bytes(&call->answer));
}

/* Keeps what is to be said in the parked call itself. */
static void store(struct call *call, unsigned status, const char *content_type, struct bytes body) {
    call->status = status;
    snprintf(call->content_type, sizeof call->content_type, "%s", content_type);
    if (body.at == call->answer.at) {
        call->answer.length = body.length;
        return;
    }
    call->answer.length = 0;
    buffer_add_bytes(&call->answer, body);
}

static void answer_was_kept(struct ledger_command *command) {
    struct call *call = call_of_command(command);
    call->answer_kept = true;
    if (command->result == RESULT_OK)
        call_on_reactor(call, send_stored);
    else
        call_refuse(call, RESULT_LEDGER_UNAVAILABLE, NULL);
}

static void keep(struct call *call) {
    call->keep = (struct kept_answer){.key = call->answer_key.key,
                                      .body_hash = call->answer_key.body_hash,
                                      .status = call->status,
                                      .body = buffer_bytes(&call->answer),
                                      .created_ms = call->now_ms};
    call->command = (struct ledger_command){.kind = LEDGER_KEEP_ANSWERS};
    call->command.answers.count = 1;
    call->command.answers.answers = &call->keep;
    (void)call_submit(call, answer_was_kept);
}

void call_promise(struct call *call, unsigned status) {
    store(call, status, "application/json", buffer_bytes(&call->answer));
    if (id_is_none(&call->answer_key.key))
        return;
    call->command.answer = (struct kept_answer){.key = call->answer_key.key,
                                                .body_hash = call->answer_key.body_hash,
                                                .status = status,
                                                .body = buffer_bytes(&call->answer),
                                                .created_ms = call->now_ms};
}

void call_keep_promise(struct call *call) {
    call->answer_kept = true;
    call_on_reactor(call, send_stored);
}

void call_reply_text(struct call *call, unsigned status, const char *content_type, struct bytes body) {
    bool keyed = !id_is_none(&call->answer_key.key);
    if (keyed && !call->answer_kept && !call->is_interim && answer_is_final(status)) {
        store(call, status, content_type, body);
        keep(call);
    } else if (call->on_reactor) {
        send(call, status, content_type, body);
    } else {
        store(call, status, content_type, body);
        call_on_reactor(call, send_stored);
    }
}

void call_upgrade(struct call *call, struct channel *channel) {
    log_answer(call, 101);
    websocket_accept(call->exchange, call->request, channel);
    call->exchange = NULL;
}

void call_upgrade_from(struct call *call, struct channel *channel, const struct websocket_known *known) {
    log_answer(call, 101);
    websocket_accept_from(call->exchange, call->request, channel, known);
    call->exchange = NULL;
}

void call_reply(struct call *call, unsigned status, struct bytes json) {
    call_reply_text(call, status, status >= 400 ? "application/problem+json" : "application/json", json);
}

void call_refuse(struct call *call, enum result result, const char *detail) {
    call->is_interim = result == RESULT_PAYMENT_IN_PROGRESS;
    metric_refused(result);
    struct buffer *body = call_scratch(call);
    problem_write(body, result, detail);
    call_reply(call, problem_status(result), buffer_bytes(body));
}

void call_refuse_field(struct call *call, const char *pointer, const char *detail) {
    metric_refused(RESULT_INVALID_FIELD);
    struct buffer *body = call_scratch(call);
    struct json_writer writer = problem_open(body, RESULT_INVALID_FIELD, detail);
    json_member_text(&writer, "pointer", pointer);
    json_close(&writer, '}');
    call_reply(call, problem_status(RESULT_INVALID_FIELD), buffer_bytes(body));
}

bool call_has_etag(const struct call *call, const char *etag) {
    struct bytes list = call->if_none_match;
    if (bytes_equal(list, BYTES("*")))
        return true;
    size_t length = strlen(etag);
    for (size_t at = 0; at + length <= list.length; at++)
        if (memcmp(list.at + at, etag, length) == 0)
            return true;
    return false;
}

/* Every viewer of a seat map gets these, so they are put together without printf, which would cost more than all else
 * that is done for a 304. */
static void add_prepared_headers(struct buffer *headers, const struct prepared *prepared) {
    buffer_add_bytes(headers, BYTES("Cache-Control: "));
    buffer_add_text(headers, prepared->cache_control);
    if (prepared->etag) {
        buffer_add_bytes(headers, BYTES("\r\nETag: "));
        buffer_add_text(headers, prepared->etag);
    }
    buffer_add_bytes(headers, BYTES("\r\nVary: Accept-Encoding\r\n"));
    if (prepared->place) {
        uint64_t feed = htobe64(prepared->place->feed);
        char name[LIVE_FEED_TEXT];
        hex_encode((const uint8_t *)&feed, sizeof feed, name);
        buffer_add_bytes(headers, BYTES("X-Feed: "));
        buffer_add(headers, name, sizeof name);
        buffer_add_bytes(headers, BYTES("\r\nX-Sequence: "));
        buffer_add_u64(headers, prepared->place->sequence);
        buffer_add_bytes(headers, BYTES("\r\n"));
    }
    buffer_add_bytes(headers, prepared->more);
}

static void send_prepared(struct call *call, const struct prepared *prepared, bool is_known) {
    char room[2048];
    struct buffer headers = {.at = room, .capacity = sizeof room, .limit = sizeof room};
    if (!is_known) {
        buffer_add_bytes(&headers, BYTES("Content-Type: "));
        buffer_add_text(&headers, prepared->content_type);
        buffer_add_bytes(&headers, prepared->brotli ? BYTES("\r\nContent-Encoding: br\r\n")
                                   : prepared->gzip ? BYTES("\r\nContent-Encoding: gzip\r\n")
                                                    : BYTES("\r\n"));
    }
    add_prepared_headers(&headers, prepared);
    assert(buffer_ok(&headers));
    log_answer(call, is_known ? 304 : 200);
    if (is_known)
        exchange_reply(call->exchange, 304, buffer_bytes(&headers), (struct bytes){NULL, 0});
    else
        exchange_reply_blob(call->exchange, 200, buffer_bytes(&headers), prepared->body);
}

void call_reply_prepared(struct call *call, const struct prepared *prepared) {
    if (call->exchange)
        send_prepared(call, prepared, prepared->etag && call_has_etag(call, prepared->etag));
    blob_drop(prepared->body);
    call->exchange = NULL;
    call_drop(call);
}

bool call_read_json(struct call *call, json_t **document) {
    char detail[200];
    json_t *read;
    if (json_parse(call->body, &read, detail, sizeof detail) != RESULT_OK) {
        call_refuse(call, RESULT_BAD_JSON, detail);
        return false;
    }
    if (!json_is_object(read)) {
        json_decref(read);
        call_refuse_field(call, "", "the body has to be a JSON object");
        return false;
    }
    *document = read;
    return true;
}
