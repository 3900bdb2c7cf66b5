/* A show that is followed: its document, then its plan, then its seats; its queue's status beside. */
#include "runtime/follower.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "runtime/follower_private.h"

#include <stdio.h>
#include <stdlib.h>

#define SHOW_EVERY_MS 2000
#define PLAN_MS 120000
#define HURRY_MS 500 /* within which all come back: not all at once */

/* ---- a show's seats ---- */

/* From where we are, or (not `goes_on`) from the beginning. */
static void set_seats_path(struct followed *show, bool goes_on) {
    struct live_place place;
    int used = snprintf(show->seats.line.path, sizeof show->seats.line.path, "/api/v1/shows/%s/live", show->name);
    if (used > 0 && goes_on && mirror_place(show->sale, &place))
        snprintf(show->seats.line.path + used, sizeof show->seats.line.path - (size_t)used, "?since=%016llx.%llu",
                 (unsigned long long)place.feed, (unsigned long long)place.sequence);
}

static void serve_when_whole(struct followed *show);

static bool seats_heard(struct upstream_line *line, bool is_text, struct bytes message) {
    struct subscription *seats = CONTAINER_OF(line, struct subscription, line);
    struct followed *show = seats->show;
    struct api *api = show->follower->api;
    struct live_frame frame;
    enum result result = is_text ? RESULT_BAD_REQUEST : live_frame_read(message, show->sale->plan->seat_count, &frame);
    if (result == RESULT_OK)
        result = mirror_take_frame(show->sale, &frame);
    if (result != RESULT_OK) { /* a frame that is none, or that does not go on from ours */
        metric_add(METRIC_UPSTREAM_FAULTS, 1);
        set_seats_path(show, false);
        subscription_lost(seats, "a frame makes no sense");
        return false;
    }
    metric_add(METRIC_UPSTREAM_FRAMES, 1);
    subscription_works(seats);
    set_seats_path(show, true);
    if (show->is_served)
        api->services.wake_ticker(api->services.runtime);
    else
        serve_when_whole(show);
    return true;
}

/* ---- a show's queue ---- */

static bool take_status(struct followed *show, struct bytes body) {
    json_t *value = document_parse(body);
    bool is_object = json_is_object(value);
    json_decref(value);
    if (!is_object || !mirror_take_status(show->mirror, body))
        return false;
    serve_when_whole(show);
    return true;
}

static bool take_queue(struct document *document, struct bytes body) {
    return take_status(document->show, body);
}

static bool status_heard(struct upstream_line *line, bool is_text, struct bytes message) {
    struct subscription *status = CONTAINER_OF(line, struct subscription, line);
    struct api *api = status->show->follower->api;
    if (!is_text || !take_status(status->show, message)) {
        metric_add(METRIC_UPSTREAM_FAULTS, 1);
        subscription_lost(status, "a status makes no sense");
        return false;
    }
    subscription_works(status);
    if (status->show->is_served)
        api->services.wake_ticker(api->services.runtime);
    return true;
}

/* Before its pre-queue nothing is pushed there: then, and while nothing is heard, it is asked for. */
static void follow_queue(struct followed *show, bool is_open) {
    if (!show->has_room)
        mirror_end_status(show->mirror);
    show->status.is_wanted = show->has_room && is_open && show->is_in_list;
}

/* ---- a show ---- */

/* All that fans ask of it is there: from here on they are answered. */
static void serve_when_whole(struct followed *show) {
    struct live_place place;
    struct follower *follower = show->follower;
    if (show->is_served || !show->sale || !mirrored_is_there(&show->mirror->show) ||
        (show->has_room && !mirrored_is_there(&show->mirror->queue)) || !mirror_place(show->sale, &place))
        return;
    mirror_push(show->sale, clock_monotonic_us(), 0); /* the ticker does not know it yet */
    enum result result = sale_list_add(follower->api->sales, show->sale);
    show->is_served = result == RESULT_OK;
    if (show->is_served)
        log_info("a show of the upstream is served", LOG_STRING("show", show->name),
                 LOG_INT("seats", show->sale->plan->seat_count));
}

/* The plan, if it is the one that the show's document names. NULL otherwise. */
static struct plan *read_plan(const struct followed *show, struct bytes body) {
    char pointer[200], detail[300], hash[32];
    struct plan *plan = NULL;
    json_t *document = document_parse(body);
    enum result result =
        document ? plan_read(document, &plan, pointer, sizeof pointer, detail, sizeof detail) : RESULT_BAD_JSON;
    json_decref(document);
    if (result != RESULT_OK)
        return NULL;
    hex_encode(plan->hash.at, sizeof plan->hash.at, hash);
    if (memcmp(hash, show->plan_hash, sizeof hash) == 0 && plan->seat_count == show->seat_count)
        return plan;
    plan_free(plan);
    return NULL;
}

static bool take_plan(struct document *document, struct bytes body) {
    struct followed *show = document->show;
    struct plan *plan = read_plan(show, body);
    struct sale_terms terms;
    if (!plan)
        return false;
    sale_default_terms(&terms);
    struct sale *sale;
    if (sale_new(&show->show_id, plan, &terms, 1, clock_now_ms(), &sale) != RESULT_OK)
        return false;
    if (mirror_attach(show->mirror, sale) != RESULT_OK) {
        sale_free(sale);
        return false;
    }
    show->sale = sale;
    show->seats.line.most = LIVE_HEAD_BYTES + 4 * (size_t)sale->plan->seat_count;
    show->seats.is_wanted = show->is_in_list;
    set_seats_path(show, false);
    document->due_ms = FOLLOWER_NEVER; /* it never changes */
    return true;
}

/* Asks for the plan that the document names, once. False where that is another one than before, or too much. */
static bool want_plan(struct followed *show, const char *hash, json_int_t seats) {
    if (show->plan_hash[0])
        return strcmp(show->plan_hash, hash) == 0;
    if (seats < 1 || seats > LIMIT_SEATS_PER_SHOW || show->follower->seats + (uint64_t)seats > LIMIT_UPSTREAM_SEATS)
        return false;
    snprintf(show->plan_hash, sizeof show->plan_hash, "%s", hash);
    show->seat_count = (uint32_t)seats;
    show->follower->seats += show->seat_count; /* of which the plan will be asked for, and may come at any time */
    snprintf(show->plan.get.path, sizeof show->plan.get.path, "/api/v1/shows/%s/plan?hash=%s", show->name, hash);
    show->plan.due_ms = 0;
    return true;
}

static bool is_hash(const char *text) {
    return text && strlen(text) == 32 && strspn(text, "0123456789abcdef") == 32;
}

static bool take_show_value(struct followed *show, json_t *value, struct bytes body) {
    struct id show_id;
    const char *id = json_string_value(json_object_get(value, "show_id"));
    const char *status = json_string_value(json_object_get(value, "status"));
    json_t *plan = json_object_get(value, "plan");
    const char *hash = json_string_value(json_object_get(plan, "hash"));
    json_int_t seats = json_integer_value(json_object_get(plan, "seats"));
    bool has_room = json_is_true(json_object_get(json_object_get(value, "waiting_room"), "enabled"));
    if (!id || !id_parse_uuid(bytes_of(id), &show_id) || !id_equal(&show_id, &show->show_id) || !status ||
        !is_hash(hash) || !want_plan(show, hash, seats) || !mirrored_set(&show->mirror->show, body))
        return false;
    if (has_room && !show->has_room) {
        show->queue.due_ms = 0;
        show->queue.get.etag[0] = '\0';
    }
    show->has_room = has_room;
    follow_queue(show, strcmp(status, "SCHEDULED") != 0);
    serve_when_whole(show);
    return true;
}

static bool take_show(struct document *document, struct bytes body) {
    json_t *value = document_parse(body);
    bool is_good = json_is_object(value) && take_show_value(document->show, value, body);
    json_decref(value);
    return is_good;
}

struct followed *followed_add(struct follower *follower, const struct id *show_id) {
    struct followed *show = follower->count < LIMIT_SHOWS ? calloc(1, sizeof *show) : NULL;
    if (!show || mirror_new(follower->api, &show->mirror) != RESULT_OK) {
        free(show);
        if (!follower->is_full)
            log_error("the upstream has more shows than this node takes on");
        follower->is_full = true;
        return NULL;
    }
    show->follower = follower;
    show->show_id = *show_id;
    id_format_uuid(show_id, show->name);
    document_init(&show->show, follower, show, LIMIT_UPSTREAM_SHOW_BYTES, SHOW_EVERY_MS, take_show);
    document_init(&show->plan, follower, show, LIMIT_PLAN_BYTES, SHOW_EVERY_MS, take_plan);
    document_init(&show->queue, follower, show, LIMIT_UPSTREAM_STATUS_BYTES, SHOW_EVERY_MS, take_queue);
    snprintf(show->show.get.path, sizeof show->show.get.path, "/api/v1/shows/%s", show->name);
    snprintf(show->queue.get.path, sizeof show->queue.get.path, "/api/v1/shows/%s/queue", show->name);
    snprintf(show->status.line.path, sizeof show->status.line.path, "/api/v1/shows/%s/queue/live", show->name);
    show->plan.get.timeout_ms = PLAN_MS;
    show->plan.due_ms = FOLLOWER_NEVER;
    subscription_init(&show->seats, show, seats_heard);
    subscription_init(&show->status, show, status_heard);
    show->status.line.most = LIMIT_UPSTREAM_STATUS_BYTES;
    follower->followed[follower->count++] = show;
    return show;
}

/* ---- all of it ---- */

void followed_ask(struct followed *show, int64_t time_ms) {
    if (!show->is_in_list)
        return;
    document_ask(&show->show, time_ms);
    if (!show->sale)
        document_ask(&show->plan, time_ms);
    if (show->has_room && show->status.line.state != LINE_OPEN)
        document_ask(&show->queue, time_ms);
}

static int64_t soon_ms(void) {
    return follower_now_ms() + (int64_t)(random_u64() % HURRY_MS);
}

static void hurry(struct document *document) {
    document->retry = (struct retry){0};
    if (document->due_ms != FOLLOWER_NEVER)
        document->due_ms = soon_ms();
}

void followed_hurry(struct followed *show) {
    hurry(&show->show);
    hurry(&show->plan);
    hurry(&show->queue);
    show->seats.retry = show->status.retry = (struct retry){0};
    show->seats.due_ms = soon_ms();
    show->status.due_ms = soon_ms();
}

void followed_drop(struct followed *show) {
    upstream_get_drop(&show->show.get);
    upstream_get_drop(&show->plan.get);
    upstream_get_drop(&show->queue.get);
    upstream_line_drop(&show->seats.line);
    upstream_line_drop(&show->status.line);
}

void followed_free(struct followed *show) {
    if (!show->sale)
        mirror_free(show->mirror);
    else if (!show->is_served)
        sale_free(show->sale); /* and the mirror with it */
    free(show);
}
