#include "runtime/follower.h"
#include "api/mirror.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "base/random.h"
#include "engines/upstream/retry.h"
#include "engines/upstream/upstream.h"

#include <stdio.h>
#include <stdlib.h>

#define TURN_MS 100
#define SHOWS_EVERY_MS 1000
#define SHOW_EVERY_MS 2000
#define KEYS_EVERY_MS 60000
#define GET_MS 10000
#define PLAN_MS 120000
#define STALE_MS 10000      /* without word from the upstream: not current any more */
#define LIST_WAITS_MS 10000 /* for its shows to be there, before it is shown without them */
#define CONNECTING 64       /* WebSockets at once */
#define NEVER INT64_MAX

struct followed;

/* Something that is asked for again and again. */
struct document {
    struct upstream_get get;
    struct follower *follower;
    struct followed *show; /* NULL: the node's */
    /* What came: false if it makes no sense. It may say when it is due again. */
    bool (*take)(struct document *document, struct bytes body);
    int every_ms;
    int64_t due_ms;
    struct retry retry;
};

/* Something that is listened to. */
struct subscription {
    struct upstream_line line;
    struct followed *show;
    bool is_wanted;
    int64_t due_ms;
    int64_t heard_ms; /* when it last worked; 0: never */
    struct retry retry;
};

struct followed {
    struct follower *follower;
    struct id show_id;
    char name[ID_UUID_TEXT + 1];
    struct document show, plan, queue;
    struct subscription seats, status;
    struct sale_mirror *mirror; /* the sale's, once there is one */
    struct sale *sale;          /* NULL: its plan is not there yet */
    char plan_hash[33];
    uint32_t seat_count; /* as its document says */
    bool is_in_list;     /* the upstream's newest */
    bool has_room;
    bool is_served; /* in the api's list */
};

struct follower {
    /* set once */
    struct api *api;
    struct upstream *upstream;
    pthread_t thread;
    atomic_bool stopping;

    /* for all */
    atomic_bool is_ready;
    atomic_bool is_current;

    /* owned by the thread */
    struct document shows, keys;
    struct buffer list; /* the newest, until its shows are there */
    int64_t list_since_ms;
    bool has_list;
    int64_t heard_ms; /* when the list last came */
    bool is_lost;
    bool is_full; /* said that there are too many shows */
    struct followed *followed[LIMIT_SHOWS];
    unsigned count;
    unsigned next; /* whose documents are looked at first */
    unsigned gets, connecting;
    uint64_t seats; /* of all */
};

static int64_t now_ms(void) {
    return clock_monotonic_us() / 1000;
}

/* ---- documents ---- */

static void document_done(struct upstream_get *get) {
    struct document *document = CONTAINER_OF(get, struct document, get);
    document->follower->gets--;
    bool is_same = get->status == 304;
    document->due_ms = now_ms() + document->every_ms;
    bool is_good = is_same || (get->status == 200 && document->take(document, get->body));
    if (is_good) {
        document->retry = (struct retry){0};
        if (document == &document->follower->shows)
            document->follower->heard_ms = now_ms();
        return;
    }
    if (get->status == 200) { /* it made no sense: it is to be seen again */
        get->etag[0] = '\0';
        metric_add(METRIC_UPSTREAM_FAULTS, 1);
        if (document->retry.failures == 0)
            log_warn("the upstream's document makes no sense", LOG_STRING("path", get->path));
    }
    document->due_ms = now_ms() + retry_wait_ms(&document->retry, random_u64());
}

static void document_init(struct document *document, struct follower *follower, struct followed *show, size_t most,
                          int every_ms, bool (*take)(struct document *document, struct bytes body)) {
    document->follower = follower;
    document->show = show;
    document->take = take;
    document->every_ms = every_ms;
    document->get.most = most;
    document->get.timeout_ms = GET_MS;
    document->get.done = document_done;
}

static void ask(struct document *document, int64_t time_ms) {
    struct follower *follower = document->follower;
    if (document->due_ms > time_ms || follower->gets >= LIMIT_UPSTREAM_GETS ||
        upstream_get_is_under_way(&document->get))
        return;
    follower->gets++;
    upstream_get(follower->upstream, &document->get);
}

static json_t *parse(struct bytes body) {
    char detail[200];
    json_t *value = NULL;
    return json_parse(body, &value, detail, sizeof detail) == RESULT_OK ? value : NULL;
}

/* ---- what is listened to ---- */

static void listen_again(struct subscription *line, const char *why) {
    int64_t wait_ms = retry_wait_ms(&line->retry, random_u64());
    line->due_ms = now_ms() + wait_ms;
    metric_add(METRIC_UPSTREAM_RECONNECTS, 1);
    log_debug("the upstream is listened to again", LOG_STRING("path", line->line.path), LOG_STRING("why", why),
              LOG_INT("milliseconds", wait_ms));
}

static void line_ended(struct upstream_line *line, const char *why) {
    listen_again(CONTAINER_OF(line, struct subscription, line), why);
}

static void line_opened(struct upstream_line *line) {
    (void)line; /* it works when something was heard */
}

static void line_works(struct subscription *line) {
    line->heard_ms = now_ms();
    line->retry = (struct retry){0};
}

static void listen_to(struct follower *follower, struct subscription *line, int64_t time_ms) {
    if (!line->is_wanted) {
        upstream_line_drop(&line->line);
        return;
    }
    if (line->line.state == LINE_OPEN)
        line->heard_ms = line->heard_ms ? time_ms : 0;
    if (line->line.state != LINE_CLOSED) {
        follower->connecting += line->line.state != LINE_OPEN;
        return;
    }
    if (time_ms < line->due_ms || follower->connecting >= CONNECTING)
        return;
    line->due_ms = time_ms + RETRY_MOST_MS; /* unless it ends before */
    follower->connecting++;
    upstream_listen(follower->upstream, &line->line);
}

/* ---- a show's seats ---- */

static void set_seats_path(struct followed *show) {
    struct live_place place;
    int used = snprintf(show->seats.line.path, sizeof show->seats.line.path, "/api/v1/shows/%s/live", show->name);
    if (used > 0 && show->sale && mirror_place(show->sale, &place))
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
        listen_again(seats, "a frame makes no sense");
        return false;
    }
    metric_add(METRIC_UPSTREAM_FRAMES, 1);
    line_works(seats);
    set_seats_path(show);
    if (show->is_served)
        api->services.wake_ticker(api->services.runtime);
    else
        serve_when_whole(show);
    return true;
}

/* ---- a show's queue ---- */

static bool take_status(struct followed *show, struct bytes body) {
    json_t *value = parse(body);
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
        listen_again(status, "a status makes no sense");
        return false;
    }
    line_works(status);
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
    json_t *document = parse(body);
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
    show->follower->seats += sale->plan->seat_count;
    show->seats.line.most = LIVE_HEAD_BYTES + 4 * (size_t)sale->plan->seat_count;
    show->seats.is_wanted = show->is_in_list;
    set_seats_path(show);
    document->due_ms = NEVER; /* it never changes */
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
    json_t *value = parse(body);
    bool is_good = json_is_object(value) && take_show_value(document->show, value, body);
    json_decref(value);
    return is_good;
}

static void line_init(struct subscription *line, struct followed *show,
                      bool (*heard)(struct upstream_line *line, bool is_text, struct bytes message)) {
    line->show = show;
    line->line.opened = line_opened;
    line->line.heard = heard;
    line->line.ended = line_ended;
}

/* NULL when there is no room for one more. */
static struct followed *follow(struct follower *follower, const struct id *show_id) {
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
    show->plan.due_ms = NEVER;
    line_init(&show->seats, show, seats_heard);
    line_init(&show->status, show, status_heard);
    show->status.line.most = LIMIT_UPSTREAM_STATUS_BYTES;
    follower->followed[follower->count++] = show;
    return show;
}

static struct followed *find(struct follower *follower, const struct id *show_id) {
    for (unsigned i = 0; i < follower->count; i++)
        if (id_equal(&follower->followed[i]->show_id, show_id))
            return follower->followed[i];
    return NULL;
}

/* ---- the list ---- */

static bool take_list_value(struct follower *follower, const json_t *value) {
    size_t i;
    json_t *member;
    struct id show_id;
    json_array_foreach(value, i, member) {
        const char *id = json_string_value(json_object_get(member, "show_id"));
        if (!id || !id_parse_uuid(bytes_of(id), &show_id))
            return false;
    }
    for (unsigned at = 0; at < follower->count; at++)
        follower->followed[at]->is_in_list = false;
    json_array_foreach(value, i, member) {
        (void)id_parse_uuid(bytes_of(json_string_value(json_object_get(member, "show_id"))), &show_id);
        struct followed *show = find(follower, &show_id);
        if (!show)
            show = follow(follower, &show_id);
        if (show)
            show->is_in_list = true;
    }
    for (unsigned at = 0; at < follower->count; at++) {
        struct followed *show = follower->followed[at];
        show->seats.is_wanted = show->is_in_list && show->sale;
        show->status.is_wanted = show->status.is_wanted && show->is_in_list;
    }
    return true;
}

static bool take_shows(struct document *document, struct bytes body) {
    struct follower *follower = document->follower;
    json_t *value = parse(body);
    bool is_good = json_is_array(value) && take_list_value(follower, value);
    json_decref(value);
    if (!is_good)
        return false;
    if (!follower->list.length)
        follower->list_since_ms = now_ms();
    buffer_clear(&follower->list);
    buffer_add_bytes(&follower->list, body);
    if (!buffer_ok(&follower->list))
        buffer_clear(&follower->list);
    follower->has_list = true;
    return true;
}

static bool take_keys(struct document *document, struct bytes body) {
    json_t *value = parse(body);
    bool is_good = json_is_object(value) && mirrored_set(&document->follower->api->mirror->keys, body);
    json_decref(value);
    return is_good;
}

/* ---- how it stands ---- */

static bool all_are_served(const struct follower *follower) {
    for (unsigned i = 0; i < follower->count; i++)
        if (follower->followed[i]->is_in_list && !follower->followed[i]->is_served)
            return false;
    return true;
}

/* A list is shown when what it names can be asked for. */
static void show_list(struct follower *follower, int64_t time_ms) {
    bool is_whole = all_are_served(follower);
    bool is_late = time_ms > follower->list_since_ms + LIST_WAITS_MS && atomic_load(&follower->is_ready);
    if (follower->list.length && (is_whole || is_late) &&
        mirrored_set(&follower->api->mirror->shows, buffer_bytes(&follower->list)))
        buffer_clear(&follower->list);
    if (follower->has_list && is_whole && !follower->list.length && mirrored_is_there(&follower->api->mirror->keys) &&
        !atomic_exchange(&follower->is_ready, true))
        log_info("the upstream's shows are all here", LOG_INT("shows", atomic_load(&follower->api->sales->count)));
}

static bool is_current(const struct follower *follower, int64_t time_ms) {
    if (!follower->has_list || time_ms > follower->heard_ms + STALE_MS || !all_are_served(follower))
        return false;
    for (unsigned i = 0; i < follower->count; i++)
        if (follower->followed[i]->is_in_list && time_ms > follower->followed[i]->seats.heard_ms + STALE_MS)
            return false;
    return true;
}

static void take_stock(struct follower *follower, int64_t time_ms) {
    show_list(follower, time_ms);
    bool is_lost = !is_current(follower, time_ms);
    atomic_store(&follower->is_current, !is_lost);
    if (is_lost != follower->is_lost && atomic_load(&follower->is_ready)) {
        follower->is_lost = is_lost;
        if (is_lost)
            log_warn("nothing is heard from the upstream: what is shown may be old");
        else
            log_info("the upstream is heard again");
    }
    metric_set(METRIC_UPSTREAM_LOST, is_lost);
    metric_set(METRIC_UPSTREAM_SILENT_SECONDS, follower->has_list ? (time_ms - follower->heard_ms) / 1000 : 0);
}

/* ---- the thread ---- */

static void ask_for_show(struct followed *show, int64_t time_ms) {
    if (!show->is_in_list)
        return;
    ask(&show->show, time_ms);
    if (!show->sale)
        ask(&show->plan, time_ms);
    if (show->has_room && show->status.line.state != LINE_OPEN)
        ask(&show->queue, time_ms);
}

static void turn(struct follower *follower) {
    int64_t time_ms = now_ms();
    follower->connecting = 0;
    ask(&follower->shows, time_ms);
    ask(&follower->keys, time_ms);
    for (unsigned i = 0; i < follower->count; i++)
        ask_for_show(follower->followed[(follower->next + i) % follower->count], time_ms);
    follower->next += follower->gets >= LIMIT_UPSTREAM_GETS; /* who comes last today comes first tomorrow */
    for (unsigned i = 0; i < follower->count; i++) {
        listen_to(follower, &follower->followed[i]->seats, time_ms);
        listen_to(follower, &follower->followed[i]->status, time_ms);
    }
    upstream_run(follower->upstream, TURN_MS);
    take_stock(follower, now_ms());
}

static void drop_all(struct follower *follower) {
    upstream_get_drop(&follower->shows.get);
    upstream_get_drop(&follower->keys.get);
    for (unsigned i = 0; i < follower->count; i++) {
        struct followed *show = follower->followed[i];
        upstream_get_drop(&show->show.get);
        upstream_get_drop(&show->plan.get);
        upstream_get_drop(&show->queue.get);
        upstream_line_drop(&show->seats.line);
        upstream_line_drop(&show->status.line);
    }
}

static void *work(void *context) {
    struct follower *follower = context;
    while (!atomic_load(&follower->stopping))
        turn(follower);
    drop_all(follower);
    return NULL;
}

enum result follower_start(struct api *api, const char *url, struct follower **follower) {
    struct follower *made = calloc(1, sizeof *made);
    if (!made)
        return RESULT_OVERLOADED;
    made->api = api;
    buffer_init(&made->list, LIMIT_UPSTREAM_LIST_BYTES);
    document_init(&made->shows, made, NULL, LIMIT_UPSTREAM_LIST_BYTES, SHOWS_EVERY_MS, take_shows);
    document_init(&made->keys, made, NULL, LIMIT_UPSTREAM_STATUS_BYTES, KEYS_EVERY_MS, take_keys);
    snprintf(made->shows.get.path, sizeof made->shows.get.path, "/api/v1/shows");
    snprintf(made->keys.get.path, sizeof made->keys.get.path, "/.well-known/jwks.json");
    enum result result = upstream_new(url, &made->upstream);
    if (result == RESULT_OK && pthread_create(&made->thread, NULL, work, made))
        result = RESULT_OVERLOADED;
    if (result != RESULT_OK) {
        upstream_free(made->upstream);
        free(made);
        return result;
    }
    pthread_setname_np(made->thread, "follower");
    *follower = made;
    return RESULT_OK;
}

bool follower_is_ready(const struct follower *follower) {
    return atomic_load_explicit(&follower->is_ready, memory_order_acquire);
}

bool follower_is_current(const struct follower *follower) {
    return atomic_load_explicit(&follower->is_current, memory_order_acquire);
}

void follower_stop(struct follower *follower) {
    if (!follower)
        return;
    atomic_store(&follower->stopping, true);
    upstream_wake(follower->upstream);
    pthread_join(follower->thread, NULL);
}

void follower_free(struct follower *follower) {
    if (!follower)
        return;
    for (unsigned i = 0; i < follower->count; i++) {
        struct followed *show = follower->followed[i];
        if (!show->sale)
            mirror_free(show->mirror);
        else if (!show->is_served)
            sale_free(show->sale); /* and the mirror with it */
        free(show);
    }
    upstream_free(follower->upstream);
    buffer_release(&follower->list);
    free(follower);
}
