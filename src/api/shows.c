/* What is the same for every fan: shows, the plan, the seats. */
#include "api/handlers.h"
#include "api/mirror.h"
#include "api/plan_parts.h"
#include "base/container.h"

#include <stdio.h>
#include <stdlib.h>

#define SHOWS_CACHE "public, max-age=1"

static struct buffer *write_list(struct call *call, bool for_operator) {
    struct buffer *body = call_scratch(call);
    struct json_writer writer = json_writer(body);
    unsigned count = atomic_load_explicit(&call->api->sales->count, memory_order_acquire);
    json_open(&writer, '[');
    for (unsigned i = 0; i < count; i++) {
        if (for_operator)
            sale_write_for_operator(call->api->sales->sales[i], call->now_ms, &writer);
        else
            sale_write(call->api->sales->sales[i], call->now_ms, true, &writer);
    }
    json_close(&writer, ']');
    return body;
}

void reply_shared(struct call *call, struct bytes content) {
    char etag[ETAG_BYTES];
    etag_of(content, etag);
    struct prepared prepared = {.content_type = "application/json", .cache_control = SHOWS_CACHE, .etag = etag};
    if (!call_has_etag(call, etag)) {
        prepared.body = blob_copy(content);
        if (!prepared.body) {
            call_refuse(call, RESULT_OVERLOADED, NULL);
            return;
        }
    }
    call_reply_prepared(call, &prepared);
}

void handle_list_shows(struct call *call) {
    if (call->api->mirror) {
        mirrored_reply(call, &call->api->mirror->shows, SHOWS_CACHE, NULL);
        return;
    }
    reply_shared(call, buffer_bytes(write_list(call, false)));
}

void handle_admin_list_shows(struct call *call) {
    call_reply(call, 200, buffer_bytes(write_list(call, true)));
}

void handle_read_show(struct call *call) {
    if (call->sale->mirror) {
        mirrored_reply(call, &call->sale->mirror->show, SHOWS_CACHE, NULL);
        return;
    }
    struct buffer *body = call_scratch(call);
    struct json_writer writer = json_writer(body);
    sale_write(call->sale, call->now_ms, false, &writer);
    reply_shared(call, buffer_bytes(body));
}

void handle_admin_read_show(struct call *call) {
    struct buffer *body = call_scratch(call);
    struct json_writer writer = json_writer(body);
    sale_write_for_operator(call->sale, call->now_ms, &writer);
    call_reply(call, 200, buffer_bytes(body));
}

/* A show's plan never changes, and its hash is its name: a cache may keep it for good. */
static void reply_plan(struct call *call, const struct plan_part *part, const char *etag) {
    struct prepared prepared = {.body = blob_take(call->takes_gzip ? part->gzip : part->plain),
                                .content_type = "application/json",
                                .cache_control = "public, max-age=31536000, immutable",
                                .etag = etag,
                                .gzip = call->takes_gzip};
    call_reply_prepared(call, &prepared);
}

void handle_read_plan(struct call *call) {
    const struct sale *sale = call->sale;
    struct bytes name = http_query(call->query, "part");
    if (!name.at) {
        struct plan_part whole = {sale->plan_json, sale->plan_json_gzip};
        reply_plan(call, &whole, sale->plan_etag);
        return;
    }
    const struct plan_part *part;
    char etag[64];
    switch (plan_parts_find(sale->plan_parts, name, &part)) {
    case RESULT_OK:
        snprintf(etag, sizeof etag, "\"%.32s.%.*s\"", sale->plan_etag + 1, (int)name.length, name.at);
        reply_plan(call, part, etag);
        break;
    case RESULT_NOT_FOUND:
        call_refuse(call, RESULT_NOT_FOUND, "the plan has no such section");
        break;
    default:
        call_refuse_field(call, "/part", "part has to be overview, or a section's number, counted from 0");
    }
}

/* ---- seats ---- */

/* A cache at the edge may answer for a second; a fan's own browser asks again each time, and is told 304. */
#define SEATS_CACHE "public, max-age=0, s-maxage=1"

/* A 304 carries where the snapshot stands, which a browser takes over for what it has: so it is that snapshot's. */
static void reply_seats(struct call *call, enum feed_form form, struct blob *blob, const struct feed_moment *moment) {
    char etag[FEED_ETAG_BYTES];
    feed_etag(call->sale->feed, form, moment->sequence, etag);
    struct prepared prepared = {.body = blob,
                                .content_type = form == FEED_BITS ? "application/octet-stream" : "application/json",
                                .cache_control = SEATS_CACHE,
                                .etag = etag,
                                .gzip = form == FEED_JSON_GZIP,
                                .place = &moment->place};
    call_reply_prepared(call, &prepared);
}

struct viewer {
    struct feed_waiter waiter;
    struct call *call;
};

static void show_seats(struct call *call) {
    struct viewer *viewer = call->context;
    struct feed_waiter waiter = viewer->waiter;
    free(viewer);
    if (waiter.blob)
        reply_seats(call, waiter.form, waiter.blob, &waiter.moment);
    else
        call_refuse(call, RESULT_OVERLOADED, NULL);
}

/* On the ticker's thread: the snapshot is there. */
static void snapshot_is_ready(struct feed_waiter *waiter) {
    struct viewer *viewer = CONTAINER_OF(waiter, struct viewer, waiter);
    call_on_reactor(viewer->call, show_seats);
}

/* Waits for the next snapshot, parked. */
static void wait_for_snapshot(struct call *call, enum feed_form form) {
    struct api *api = call->api;
    struct sale *sale = call->sale;
    struct viewer *viewer = malloc(sizeof *viewer);
    if (!viewer) {
        call_refuse(call, RESULT_OVERLOADED, NULL);
        return;
    }
    call = call_park(call);
    if (!call) {
        free(viewer);
        return;
    }
    *viewer = (struct viewer){.waiter = {.form = form, .ready = snapshot_is_ready}, .call = call};
    call->context = viewer;
    call_leave_reactor(call);
    if (feed_wait(sale->feed, &viewer->waiter))
        api->services.wake_ticker(api->services.runtime);
}

static void read_feed(struct call *call, enum feed_form form) {
    struct feed_moment moment;
    struct blob *blob = feed_get(call->sale->feed, form, &moment);
    if (blob)
        reply_seats(call, form, blob, &moment);
    else
        wait_for_snapshot(call, form);
}

void handle_read_seats(struct call *call) {
    read_feed(call, call->takes_gzip ? FEED_JSON_GZIP : FEED_JSON);
}

void handle_read_seat_bits(struct call *call) {
    read_feed(call, FEED_BITS);
}
