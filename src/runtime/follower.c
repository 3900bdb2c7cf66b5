#include "runtime/follower.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "runtime/follower_private.h"

#include <stdio.h>
#include <stdlib.h>

#define TURN_MS 100
#define SHOWS_EVERY_MS 1000
#define KEYS_EVERY_MS 60000
#define STALE_MS 10000      /* without word from the upstream: not current any more */
#define LIST_WAITS_MS 10000 /* for its shows to be there, before it is shown without them */

/* ---- the list ---- */

static struct followed *find(struct follower *follower, const struct id *show_id) {
    for (unsigned i = 0; i < follower->count; i++)
        if (id_equal(&follower->followed[i]->show_id, show_id))
            return follower->followed[i];
    return NULL;
}

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
            show = followed_add(follower, &show_id);
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
    json_t *value = document_parse(body);
    bool is_good = json_is_array(value) && take_list_value(follower, value);
    json_decref(value);
    if (!is_good)
        return false;
    if (!follower->list.length)
        follower->list_since_ms = follower_now_ms();
    buffer_clear(&follower->list);
    buffer_add_bytes(&follower->list, body);
    if (!buffer_ok(&follower->list))
        buffer_clear(&follower->list);
    follower->has_list = true;
    return true;
}

static bool take_keys(struct document *document, struct bytes body) {
    json_t *value = document_parse(body);
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

static void turn(struct follower *follower) {
    int64_t time_ms = follower_now_ms();
    follower->connecting = 0;
    document_ask(&follower->shows, time_ms);
    document_ask(&follower->keys, time_ms);
    for (unsigned i = 0; i < follower->count; i++)
        followed_ask(follower->followed[(follower->next + i) % follower->count], time_ms);
    follower->next += follower->gets >= LIMIT_UPSTREAM_GETS; /* who comes last today comes first tomorrow */
    for (unsigned i = 0; i < follower->count; i++) {
        subscription_keep(&follower->followed[i]->seats, time_ms);
        subscription_keep(&follower->followed[i]->status, time_ms);
    }
    upstream_run(follower->upstream, TURN_MS);
    take_stock(follower, follower_now_ms());
}

static void drop_all(struct follower *follower) {
    upstream_get_drop(&follower->shows.get);
    upstream_get_drop(&follower->keys.get);
    for (unsigned i = 0; i < follower->count; i++)
        followed_drop(follower->followed[i]);
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
    for (unsigned i = 0; i < follower->count; i++)
        followed_free(follower->followed[i]);
    upstream_free(follower->upstream);
    buffer_release(&follower->list);
    free(follower);
}
