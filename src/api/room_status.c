/* The one status that everybody gets: made once, sent to all, so that a million fans who ask cost what one costs.
 *
 * It is made anew by the usher, and on request when something has changed, so that who has just joined sees it; but
 * only so often, whatever the crowd does. */
#include "api/room_private.h"
#include "base/panic.h"
#include "waitroom/proof.h"

#include <math.h>

#define POLLS_A_SECOND 5000.0 /* of all who wait, at most: an edge cache answers nearly all of them */
#define POLL_MOST_SECONDS 600
#define BEFORE_SECONDS 60 /* when to ask again before the pre-queue */

/* ---- when to ask again ---- */

/* Who is N thousand behind asks again after base + N × per_thousand seconds: so many requests a second if `waiting`
 * fans do. */
static double polls_a_second(double waiting, double base_seconds, double per_thousand) {
    return 1000 / per_thousand * log(1 + per_thousand * waiting / (1000 * base_seconds));
}

/* A quarter of how long a thousand take to be let in, and more where the crowd would ask too often. */
static uint32_t seconds_a_thousand(const struct queue_counts *counts, uint32_t pace_per_minute, uint32_t base_seconds) {
    double wanted = pace_per_minute ? 60000.0 / pace_per_minute / 4 : 60;
    if (wanted < 1)
        wanted = 1;
    while (wanted < POLL_MOST_SECONDS && polls_a_second(counts->waiting, base_seconds, wanted) > POLLS_A_SECOND)
        wanted *= 1.25;
    return wanted > POLL_MOST_SECONDS ? POLL_MOST_SECONDS : (uint32_t)ceil(wanted);
}

uint32_t room_poll_seconds(const struct room *room, uint32_t ahead) {
    uint64_t seconds = (uint64_t)ahead * atomic_load_explicit(&room->seconds_a_thousand, memory_order_relaxed) / 1000;
    return seconds < POLL_MOST_SECONDS ? (uint32_t)seconds : POLL_MOST_SECONDS;
}

static void write_poll(const struct queue_counts *counts, uint32_t per_thousand, uint32_t retry_seconds,
                       struct json_writer *writer) {
    uint64_t most = retry_seconds + (uint64_t)per_thousand * (counts->waiting / 1000 + 1);
    json_member_int(writer, "retry_after_seconds", retry_seconds);
    json_key(writer, "poll");
    json_open(writer, '{');
    json_member_int(writer, "per_thousand_ahead_seconds", per_thousand);
    json_member_int(writer, "max_seconds", most > POLL_MOST_SECONDS ? POLL_MOST_SECONDS : (int64_t)most);
    json_close(writer, '}');
}

/* ---- the document ---- */

static void write_seats(const struct api *api, struct sale *sale, struct json_writer *writer) {
    struct show_counts seats;
    if (!(api->roles & ROLE_SEATS)) {
        json_key(writer, "seats_left");
        json_put_null(writer);
        json_key(writer, "seats_held");
        json_put_null(writer);
        return;
    }
    show_lock(sale->show);
    show_count(sale->show, &seats);
    show_unlock(sale->show);
    json_member_int(writer, "seats_left", seats.available);
    json_member_int(writer, "seats_held", seats.held);
}

static void write_proof(const struct api *api, const struct sale *sale, uint32_t bits, int64_t now_ms,
                        struct json_writer *writer) {
    char challenge[PROOF_CHALLENGE_TEXT];
    json_key(writer, "proof_of_work");
    if (bits == 0) {
        json_put_null(writer);
        return;
    }
    proof_challenge(atomic_load(&api->keys), &sale->show_id, now_ms, challenge);
    json_open(writer, '{');
    json_member_string(writer, "challenge", (struct bytes){challenge, sizeof challenge});
    json_member_int(writer, "bits", bits);
    json_close(writer, '}');
}

static uint32_t pace_of(const struct room_terms *terms, const struct queue_counts *counts) {
    return (uint32_t)((uint64_t)terms->queue.rate_per_minute * counts->factor_permille / 1000);
}

/* What a status is made of. */
struct state {
    struct queue_counts counts;
    struct room_terms terms;
    uint32_t retry_seconds, seconds_a_thousand;
};

static void write_status(const struct api *api, struct sale *sale, const struct state *state, int64_t now_ms,
                         struct buffer *out) {
    const struct queue_counts *counts = &state->counts;
    const struct room_terms *terms = &state->terms;
    struct json_writer writer = json_writer(out);
    json_open(&writer, '{');
    json_member_text(&writer, "status", sale_status_name(sale_status_now(sale, now_ms)));
    json_member_int(&writer, "issued", counts->issued);
    json_member_int(&writer, "serving", counts->serving);
    json_member_int(&writer, "waiting", counts->waiting);
    json_member_int(&writer, "rate_per_minute", terms->queue.rate_per_minute);
    json_member_int(&writer, "pace_per_minute", pace_of(terms, counts));
    json_member_int(&writer, "active", counts->active);
    json_member_int(&writer, "max_active", terms->queue.max_active);
    write_seats(api, sale, &writer);
    json_member_time(&writer, "opens_at", atomic_load(&sale->on_sale_ms));
    json_member_int(&writer, "claim_seconds", terms->queue.claim_seconds);
    write_poll(counts, state->seconds_a_thousand, state->retry_seconds, &writer);
    write_proof(api, sale, terms->proof_bits, now_ms, &writer);
    json_close(&writer, '}');
}

void room_write_status_before(const struct api *api, struct sale *sale, int64_t now_ms, struct buffer *out) {
    struct sale_terms terms;
    sale_copy_terms(sale, &terms, NULL);
    struct state state = {.counts = {.factor_permille = 1000},
                          .terms = terms.room,
                          .retry_seconds = BEFORE_SECONDS,
                          .seconds_a_thousand = 1};
    write_status(api, sale, &state, now_ms, out);
}

static struct state state_of(struct room *room) {
    struct state state;
    pthread_mutex_lock(&room->lock);
    queue_count(room->queue, &state.counts);
    state.retry_seconds = queue_retry_seconds(room->queue);
    state.terms = room->terms;
    pthread_mutex_unlock(&room->lock);
    state.seconds_a_thousand =
        seconds_a_thousand(&state.counts, pace_of(&state.terms, &state.counts), state.retry_seconds);
    atomic_store_explicit(&room->seconds_a_thousand, state.seconds_a_thousand, memory_order_relaxed);
    return state;
}

/* The caller holds status_lock. */
static void build(struct room *room, int64_t now_ms) {
    char text[2048];
    struct buffer out = {.at = text, .capacity = sizeof text, .limit = sizeof text};
    atomic_store(&room->has_changed, false); /* what changes from here on is for the next one */
    struct state state = state_of(room);
    write_status(room->api, room->sale, &state, now_ms, &out);
    assert(buffer_ok(&out));
    struct bytes content = buffer_bytes(&out);
    room->status_ms = now_ms;
    if (room->status && bytes_equal(content, (struct bytes){room->status->at, room->status->length}))
        return;
    struct blob *status = blob_copy(content), *frame = websocket_frame(true, content);
    if (!status || !frame) {
        blob_drop(status);
        blob_drop(frame);
        atomic_store(&room->has_changed, true);
        return;
    }
    blob_drop(room->status);
    blob_drop(room->frame);
    room->status = status;
    room->frame = frame;
    etag_of(content, room->etag);
}

/* The caller holds status_lock. */
static void refresh(struct room *room, int64_t now_ms) {
    bool changed = atomic_load_explicit(&room->has_changed, memory_order_relaxed);
    if (!room->status || (changed && room->builds_left > 0) || now_ms >= room->status_ms + 1000) {
        room->builds_left -= room->builds_left > 0;
        build(room, now_ms);
    }
}

struct blob *room_status(struct room *room, int64_t now_ms, char etag[static ETAG_BYTES]) {
    struct blob *status = NULL;
    pthread_mutex_lock(&room->status_lock);
    refresh(room, now_ms);
    if (room->status) {
        status = blob_take(room->status);
        memcpy(etag, room->etag, sizeof room->etag);
    }
    pthread_mutex_unlock(&room->status_lock);
    return status;
}

struct blob *room_status_frame(struct room *room, int64_t now_ms) {
    pthread_mutex_lock(&room->status_lock);
    refresh(room, now_ms);
    struct blob *frame = room->frame ? blob_take(room->frame) : NULL;
    pthread_mutex_unlock(&room->status_lock);
    return frame;
}

void room_publish(struct room *room, int64_t now_ms) {
    struct blob *frame = NULL;
    pthread_mutex_lock(&room->status_lock);
    room->builds_left = ROOM_BUILDS_A_SECOND;
    build(room, now_ms);
    if (room->frame && strcmp(room->published_etag, room->etag) != 0) {
        memcpy(room->published_etag, room->etag, sizeof room->etag);
        frame = blob_take(room->frame);
    }
    pthread_mutex_unlock(&room->status_lock);
    if (frame)
        websocket_publish(room->channel, frame);
}

/* ---- the operator's ---- */

void room_write_stats(struct room *room, struct json_writer *writer) {
    struct queue_counts counts;
    pthread_mutex_lock(&room->lock);
    queue_count(room->queue, &counts);
    uint32_t pace = pace_of(&room->terms, &counts);
    pthread_mutex_unlock(&room->lock);
    json_open(writer, '{');
    json_member_int(writer, "issued", counts.issued);
    json_member_int(writer, "serving", counts.serving);
    json_member_int(writer, "waiting", counts.waiting);
    json_member_int(writer, "called", counts.called);
    json_member_int(writer, "at_the_door", counts.door);
    json_member_int(writer, "active", counts.active);
    json_member_int(writer, "admitted", (int64_t)counts.admitted);
    json_member_int(writer, "missed", (int64_t)counts.missed);
    json_member_int(writer, "left", (int64_t)counts.left);
    json_key(writer, "show_share");
    json_put_float(writer, counts.show_permille / 1000.0);
    json_key(writer, "factor");
    json_put_float(writer, counts.factor_permille / 1000.0);
    json_member_int(writer, "pace_per_minute", pace);
    json_member_int(writer, "watching", channel_members(room->channel));
    json_close(writer, '}');
}
