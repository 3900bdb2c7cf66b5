#include "api/mirror.h"
#include "base/panic.h"
#include "seats/bits.h"

#include <stdlib.h>

/* ---- documents ---- */

void mirrored_init(struct mirrored *mirrored) {
    memset(mirrored, 0, sizeof *mirrored);
    pthread_mutex_init(&mirrored->lock, NULL);
}

void mirrored_release(struct mirrored *mirrored) {
    blob_drop(mirrored->body);
    pthread_mutex_destroy(&mirrored->lock);
}

/* The caller holds the lock. Takes over the reference. */
static void put(struct mirrored *mirrored, struct blob *body) {
    blob_drop(mirrored->body);
    mirrored->body = body;
    etag_of((struct bytes){body->at, body->length}, mirrored->etag);
}

bool mirrored_set(struct mirrored *mirrored, struct bytes content) {
    struct blob *body = blob_copy(content);
    if (!body)
        return false;
    pthread_mutex_lock(&mirrored->lock);
    put(mirrored, body);
    pthread_mutex_unlock(&mirrored->lock);
    return true;
}

void mirrored_clear(struct mirrored *mirrored) {
    pthread_mutex_lock(&mirrored->lock);
    blob_drop(mirrored->body);
    mirrored->body = NULL;
    pthread_mutex_unlock(&mirrored->lock);
}

bool mirrored_is_there(struct mirrored *mirrored) {
    pthread_mutex_lock(&mirrored->lock);
    bool is_there = mirrored->body;
    pthread_mutex_unlock(&mirrored->lock);
    return is_there;
}

void mirrored_reply(struct call *call, struct mirrored *mirrored, const char *cache_control, const char *detail) {
    char etag[ETAG_BYTES];
    struct prepared prepared = {.content_type = "application/json", .cache_control = cache_control, .etag = etag};
    pthread_mutex_lock(&mirrored->lock);
    memcpy(etag, mirrored->etag, sizeof etag);
    prepared.body = mirrored->body ? blob_take(mirrored->body) : NULL;
    pthread_mutex_unlock(&mirrored->lock);
    if (prepared.body)
        call_reply_prepared(call, &prepared);
    else
        call_refuse(call, RESULT_NOT_FOUND, detail);
}

/* ---- its life ---- */

/* Who comes to watch the queue is told how it stands. */
static struct blob *catch_up(void *context) {
    struct sale_mirror *mirror = context;
    pthread_mutex_lock(&mirror->queue.lock);
    struct blob *frame = mirror->queue_frame ? blob_take(mirror->queue_frame) : NULL;
    pthread_mutex_unlock(&mirror->queue.lock);
    return frame;
}

enum result mirror_new(struct api *api, struct sale_mirror **mirror) {
    struct sale_mirror *made = calloc(1, sizeof *made);
    if (!made)
        return RESULT_OVERLOADED;
    mirrored_init(&made->show);
    mirrored_init(&made->queue);
    struct channel_service service = {.context = made, .catch_up = catch_up};
    enum result result = api->services.new_channel(api->services.runtime, &service, &made->channel);
    if (result != RESULT_OK) {
        mirror_free(made);
        return result;
    }
    *mirror = made;
    return RESULT_OK;
}

void mirror_free(struct sale_mirror *mirror) {
    if (!mirror)
        return;
    if (mirror->channel)
        channel_free(mirror->channel);
    mirrored_release(&mirror->show);
    mirrored_release(&mirror->queue);
    blob_drop(mirror->queue_frame);
    free(mirror->touched);
    free(mirror->body);
    free(mirror);
}

enum result mirror_attach(struct sale_mirror *mirror, struct sale *sale) {
    uint32_t seats = sale->plan->seat_count;
    free(mirror->touched);
    free(mirror->body);
    mirror->touched = calloc(bits_words(seats), sizeof *mirror->touched);
    mirror->body = malloc(4 * (size_t)seats); /* pages that no frame needs cost nothing */
    mirror->pushed_us = mirror->queue_pushed_us = INT64_MIN / 2;
    if (!mirror->touched || !mirror->body)
        return RESULT_OVERLOADED;
    sale->mirror = mirror;
    return RESULT_OK;
}

/* ---- the queue's status ---- */

bool mirror_take_status(struct sale_mirror *mirror, struct bytes status) {
    struct mirrored *queue = &mirror->queue;
    struct blob *body = blob_copy(status), *frame = websocket_frame(true, status);
    if (!body || !frame) {
        blob_drop(body);
        blob_drop(frame);
        return false;
    }
    pthread_mutex_lock(&queue->lock);
    bool is_news = !queue->body || !bytes_equal((struct bytes){queue->body->at, queue->body->length}, status);
    if (is_news) {
        put(queue, body);
        blob_drop(mirror->queue_frame);
        mirror->queue_frame = frame;
        mirror->queue_is_news = true;
    }
    pthread_mutex_unlock(&queue->lock);
    if (!is_news) {
        blob_drop(body);
        blob_drop(frame);
    }
    return true;
}

static int64_t push_status(struct sale_mirror *mirror, int64_t now_us, int64_t interval_ms) {
    bool is_due = now_us >= mirror->queue_pushed_us + interval_ms * 1000;
    struct blob *frame = NULL;
    pthread_mutex_lock(&mirror->queue.lock);
    bool is_news = mirror->queue_is_news && mirror->queue_frame;
    if (is_news && is_due) {
        frame = blob_take(mirror->queue_frame);
        mirror->queue_is_news = false;
    }
    pthread_mutex_unlock(&mirror->queue.lock);
    if (!is_news)
        return INT64_MAX;
    if (!is_due)
        return mirror->queue_pushed_us + interval_ms * 1000;
    mirror->queue_pushed_us = now_us;
    websocket_publish(mirror->channel, frame);
    return INT64_MAX;
}

void mirror_end_status(struct sale_mirror *mirror) {
    pthread_mutex_lock(&mirror->queue.lock);
    blob_drop(mirror->queue.body);
    blob_drop(mirror->queue_frame);
    mirror->queue.body = NULL;
    mirror->queue_frame = NULL;
    pthread_mutex_unlock(&mirror->queue.lock);
}

/* ---- the seats ---- */

static void take_snapshot(struct sale *sale, const struct live_frame *frame) {
    for (uint32_t seat = 0; seat < frame->count; seat++)
        show_mirror_seat(sale->show, seat, (enum seat_status)pairs_get(frame->body, seat));
    sale->mirror->needs_snapshot = true;
}

static void take_delta(struct sale *sale, const struct live_frame *frame) {
    for (uint32_t i = 0; i < frame->count; i++) {
        uint32_t change = live_frame_change(frame, i);
        show_mirror_seat(sale->show, change >> 2, (enum seat_status)(change & 3));
        bits_put(sale->mirror->touched, change >> 2, true);
    }
    sale->mirror->is_touched |= frame->count > 0;
}

/* The caller holds the show's lock. */
static enum result take_frame(struct sale *sale, const struct live_frame *frame) {
    struct sale_mirror *mirror = sale->mirror;
    const struct live_head *head = &frame->head;
    bool is_same_feed = mirror->has_place && head->feed == mirror->place.feed;
    if (frame->kind == LIVE_DELTA && (!is_same_feed || head->since > mirror->place.sequence))
        return RESULT_CONFLICT;
    if (is_same_feed && head->sequence <= mirror->place.sequence)
        return RESULT_OK;
    if (frame->kind == LIVE_SNAPSHOT)
        take_snapshot(sale, frame);
    else
        take_delta(sale, frame);
    mirror->place = (struct live_place){head->feed, head->sequence};
    mirror->has_place = true;
    return RESULT_OK;
}

enum result mirror_take_frame(struct sale *sale, const struct live_frame *frame) {
    assert(frame->kind == LIVE_DELTA || frame->count == sale->plan->seat_count);
    show_lock(sale->show);
    enum result result = take_frame(sale, frame);
    show_unlock(sale->show);
    return result;
}

bool mirror_place(struct sale *sale, struct live_place *place) {
    show_lock(sale->show);
    bool has_place = sale->mirror->has_place;
    *place = sale->mirror->place;
    show_unlock(sale->show);
    return has_place;
}

static void put_u32(uint8_t *at, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* The frame that brings our feed from `from` to where the mirror is; nothing is touched from here on. The caller holds
 * the show's lock. */
static struct live_frame make_frame(struct sale *sale, const struct live_place *from) {
    struct sale_mirror *mirror = sale->mirror;
    uint32_t seats = sale->plan->seat_count;
    uint64_t sequence;
    struct live_frame frame = {
        .kind = LIVE_DELTA, .head = {mirror->place.feed, mirror->place.sequence, from->sequence}, .body = mirror->body};
    if (mirror->needs_snapshot || from->feed != mirror->place.feed) {
        frame.kind = LIVE_SNAPSHOT;
        frame.head.since = 0;
        frame.count = seats;
        show_copy_bits(sale->show, mirror->body, &sequence);
    } else {
        for (uint32_t seat = bits_next(mirror->touched, 0, seats); seat != BITS_NONE;
             seat = bits_next(mirror->touched, seat + 1, seats))
            put_u32(mirror->body + 4 * (size_t)frame.count++,
                    live_change(seat, (unsigned)show_seat_status(sale->show, seat)));
    }
    if (mirror->is_touched)
        memset(mirror->touched, 0, bits_words(seats) * sizeof *mirror->touched);
    mirror->is_touched = mirror->needs_snapshot = false;
    return frame;
}

static int64_t push_seats(struct sale *sale, int64_t now_us, int64_t interval_ms) {
    struct sale_mirror *mirror = sale->mirror;
    struct live_feed *live = feed_live(sale->feed);
    struct live_place from = live_feed_place(live);
    show_lock(sale->show);
    bool is_there = !mirror->has_place || (!mirror->needs_snapshot && from.feed == mirror->place.feed &&
                                           from.sequence == mirror->place.sequence);
    bool is_due = now_us >= mirror->pushed_us + interval_ms * 1000;
    struct live_frame frame = {0};
    if (!is_there && is_due)
        frame = make_frame(sale, &from);
    show_unlock(sale->show);
    if (is_there)
        return INT64_MAX;
    if (!is_due)
        return mirror->pushed_us + interval_ms * 1000;
    mirror->pushed_us = now_us;
    if (live_feed_follow(live, &frame) != RESULT_OK) {
        show_lock(sale->show);
        mirror->needs_snapshot = true; /* what was touched is forgotten */
        show_unlock(sale->show);
    }
    return INT64_MAX;
}

int64_t mirror_push(struct sale *sale, int64_t now_us, int64_t interval_ms) {
    int64_t seats_us = push_seats(sale, now_us, interval_ms);
    int64_t status_us = push_status(sale->mirror, now_us, interval_ms);
    return seats_us < status_us ? seats_us : status_us;
}
