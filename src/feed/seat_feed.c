#include "feed/seat_feed.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "base/random.h"

#include <stdlib.h>
#include <zlib.h>

struct seat_feed {
    /* set once */
    struct show *show;
    uint64_t start; /* a random number: this process's */
    size_t bits_length;
    size_t json_limit;
    struct live_feed *live;

    pthread_mutex_t lock;
    /* under lock */
    struct {
        struct blob *blob;
        struct feed_moment moment;
    } newest[FEED_FORM_COUNT];
    struct feed_waiter *waiters;

    /* owned by the ticker */
    int64_t built_us, pushed_us;
    uint64_t pushed_sequence; /* the show's, in the last frame */
};

static size_t json_size(const struct plan *plan) {
    size_t size = 2;
    for (uint32_t seat = 0; seat < plan->seat_count; seat++)
        size += 6 * plan->seat_ids[seat].length + sizeof "{\"seat_id\":\"\",\"status\":\"AVAILABLE\"},";
    return size;
}

enum result feed_new(struct show *show, struct seat_feed **feed) {
    struct seat_feed *made = calloc(1, sizeof *made);
    if (!made)
        return RESULT_OVERLOADED;
    made->show = show;
    made->start = random_u64();
    made->bits_length = (show_plan(show)->seat_count + 3) / 4;
    made->json_limit = json_size(show_plan(show));
    made->built_us = made->pushed_us = INT64_MIN / 2;
    pthread_mutex_init(&made->lock, NULL);
    if (live_feed_new(show_plan(show)->seat_count, show_plan(show)->seat_ids, &made->live) != RESULT_OK) {
        feed_free(made);
        return RESULT_OVERLOADED;
    }
    *feed = made;
    return RESULT_OK;
}

void feed_free(struct seat_feed *feed) {
    if (!feed)
        return;
    for (int form = 0; form < FEED_FORM_COUNT; form++)
        blob_drop(feed->newest[form].blob);
    live_feed_free(feed->live);
    pthread_mutex_destroy(&feed->lock);
    free(feed);
}

void feed_etag(const struct seat_feed *feed, enum feed_form form, uint64_t sequence,
               char text[static FEED_ETAG_BYTES]) {
    static const char letters[FEED_FORM_COUNT] = {'j', 'z', 'b'};
    uint8_t start[6];
    char digits[2 * sizeof start];
    for (unsigned i = 0; i < sizeof start; i++)
        start[i] = (uint8_t)(feed->start >> (40 - 8 * i));
    hex_encode(start, sizeof start, digits);
    struct buffer out = {.at = text, .capacity = FEED_ETAG_BYTES, .limit = FEED_ETAG_BYTES};
    buffer_add_char(&out, '"');
    buffer_add(&out, digits, sizeof digits);
    buffer_add_char(&out, '-');
    buffer_add_u64(&out, sequence);
    buffer_add(&out, (char[]){letters[form], '"', '\0'}, 3);
    assert(buffer_ok(&out));
}

struct live_feed *feed_live(const struct seat_feed *feed) {
    return feed->live;
}

struct blob *feed_get(struct seat_feed *feed, enum feed_form form, struct feed_moment *moment) {
    /* Read before the lock is taken: a snapshot of at least this sequence holds what any answer before this request
     * did. */
    uint64_t wanted = show_sequence(feed->show);
    struct blob *blob = NULL;
    pthread_mutex_lock(&feed->lock);
    if (feed->newest[form].blob && feed->newest[form].moment.sequence >= wanted) {
        blob = blob_take(feed->newest[form].blob);
        *moment = feed->newest[form].moment;
    }
    pthread_mutex_unlock(&feed->lock);
    return blob;
}

bool feed_wait(struct seat_feed *feed, struct feed_waiter *waiter) {
    pthread_mutex_lock(&feed->lock);
    bool first = !feed->waiters;
    waiter->next = feed->waiters;
    feed->waiters = waiter;
    pthread_mutex_unlock(&feed->lock);
    return first;
}

/* NULL when memory ran out, or so much is kept alive by slow readers that they have to be cut off first. */
static struct blob *bits_copy(struct seat_feed *feed, uint64_t *sequence) {
    if (blob_live_bytes() > 2 * (size_t)LIMIT_BLOB_BYTES)
        return NULL;
    struct blob *bits = blob_new(feed->bits_length);
    if (!bits)
        return NULL;
    show_lock(feed->show);
    show_copy_bits(feed->show, (uint8_t *)bits->at, sequence);
    show_unlock(feed->show);
    return bits;
}

static struct blob *json_of(const struct seat_feed *feed, const struct blob *bits) {
    static const char *const words[] = {"AVAILABLE", "HELD", "BOOKED", "BOOKED"};
    const struct plan *plan = show_plan(feed->show);
    struct buffer text;
    buffer_init(&text, feed->json_limit);
    buffer_reserve(&text,
                   40 * (size_t)plan->seat_count < feed->json_limit ? 40 * (size_t)plan->seat_count : feed->json_limit);
    struct json_writer writer = json_writer(&text);
    json_open(&writer, '[');
    for (uint32_t seat = 0; seat < plan->seat_count; seat++) {
        unsigned status = (uint8_t)bits->at[seat / 4] >> (seat % 4 * 2) & 3;
        json_put_raw(&writer, BYTES("{\"seat_id\":"));
        writer.comma = false;
        json_put_string(&writer, plan->seat_ids[seat]);
        buffer_add(&text, ",\"status\":\"", 11);
        buffer_add_text(&text, words[status]);
        buffer_add(&text, "\"}", 2);
    }
    json_close(&writer, ']');
    struct blob *blob = buffer_ok(&text) ? blob_copy(buffer_bytes(&text)) : NULL;
    buffer_release(&text);
    return blob;
}

struct blob *blob_gzip(struct bytes content) {
    z_stream stream = {0};
    /* 15 + 16: the gzip format. Level 1: made anew many times a minute, and seat lists compress well anyway. */
    if (deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    size_t bound = deflateBound(&stream, content.length);
    struct blob *blob = NULL;
    unsigned char *packed = malloc(bound);
    if (packed) {
        stream.next_in = (z_const Bytef *)content.at;
        stream.avail_in = (uInt)content.length;
        stream.next_out = packed;
        stream.avail_out = (uInt)bound;
        if (deflate(&stream, Z_FINISH) == Z_STREAM_END)
            blob = blob_copy((struct bytes){(const char *)packed, stream.total_out});
        free(packed);
    }
    deflateEnd(&stream);
    return blob;
}

static void publish(struct seat_feed *feed, enum feed_form form, struct blob *blob, const struct feed_moment *moment) {
    if (!blob)
        return;
    pthread_mutex_lock(&feed->lock);
    struct blob *before = feed->newest[form].blob;
    feed->newest[form].blob = blob;
    feed->newest[form].moment = *moment;
    pthread_mutex_unlock(&feed->lock);
    blob_drop(before);
}

void feed_give_up(struct seat_feed *feed) {
    pthread_mutex_lock(&feed->lock);
    struct feed_waiter *waiter = feed->waiters;
    feed->waiters = NULL;
    pthread_mutex_unlock(&feed->lock);
    while (waiter) {
        struct feed_waiter *next = waiter->next;
        waiter->blob = NULL;
        waiter->ready(waiter);
        waiter = next;
    }
}

/* The seats as of that sequence of the show's. */
static void advance(struct seat_feed *feed, const struct blob *bits, uint64_t sequence, int64_t now_us) {
    if (!live_feed_advance(feed->live, (const uint8_t *)bits->at))
        return;
    feed->pushed_us = now_us;
    feed->pushed_sequence = sequence;
}

int64_t feed_build(struct seat_feed *feed, int64_t now_us, int64_t interval_ms) {
    pthread_mutex_lock(&feed->lock);
    if (!feed->waiters) {
        pthread_mutex_unlock(&feed->lock);
        return INT64_MAX;
    }
    if (now_us < feed->built_us + FEED_INTERVAL_MS * 1000) {
        pthread_mutex_unlock(&feed->lock);
        return feed->built_us + FEED_INTERVAL_MS * 1000;
    }
    struct feed_waiter *waiters = feed->waiters;
    feed->waiters = NULL;
    pthread_mutex_unlock(&feed->lock);

    bool wanted[FEED_FORM_COUNT] = {false};
    for (const struct feed_waiter *waiter = waiters; waiter; waiter = waiter->next)
        wanted[waiter->form] = true;

    feed->built_us = now_us;
    struct feed_moment moment = {0};
    struct blob *made[FEED_FORM_COUNT] = {NULL};
    made[FEED_BITS] = bits_copy(feed, &moment.sequence);
    if (made[FEED_BITS] && interval_ms <= FEED_INTERVAL_MS)
        advance(feed, made[FEED_BITS], moment.sequence, now_us);
    if (made[FEED_BITS])
        moment.place = live_feed_shown(feed->live, (const uint8_t *)made[FEED_BITS]->at);
    if (made[FEED_BITS] && (wanted[FEED_JSON] || wanted[FEED_JSON_GZIP]))
        made[FEED_JSON] = json_of(feed, made[FEED_BITS]);
    if (made[FEED_JSON] && wanted[FEED_JSON_GZIP])
        made[FEED_JSON_GZIP] = blob_gzip((struct bytes){made[FEED_JSON]->at, made[FEED_JSON]->length});
    metric_add(METRIC_SNAPSHOTS_BUILT, 1);

    for (struct feed_waiter *waiter = waiters, *next; waiter; waiter = next) {
        next = waiter->next;
        waiter->blob = made[waiter->form] ? blob_take(made[waiter->form]) : NULL;
        waiter->moment = moment;
        waiter->ready(waiter);
    }
    for (int form = 0; form < FEED_FORM_COUNT; form++)
        publish(feed, (enum feed_form)form, made[form], &moment);
    return INT64_MAX;
}

int64_t feed_push(struct seat_feed *feed, int64_t now_us, int64_t interval_ms) {
    if (show_sequence(feed->show) == feed->pushed_sequence && !live_feed_owes(feed->live))
        return INT64_MAX;
    if (now_us < feed->pushed_us + interval_ms * 1000)
        return feed->pushed_us + interval_ms * 1000;
    uint64_t sequence;
    struct blob *bits = bits_copy(feed, &sequence);
    if (bits)
        advance(feed, bits, sequence, now_us);
    blob_drop(bits);
    return INT64_MAX;
}
