/* What the usher does for a room, a few times a second: calls, the opening of a shuffled pre-queue, the record's seals,
 * the status, and a look at the booking path that sets the pace.
 *
 * A shuffled opening, in steps, so that nobody waits for it. At its time the record is sealed and the numbers are
 * frozen: who comes later queues behind. When the beacon has spoken, or at once where none was named, the seed is
 * revealed; the permutation is computed without the lock, and laid over the queue some thousand places at a time.
 */
#include "api/room_private.h"
#include "base/log.h"
#include "base/metrics.h"

#include <stdlib.h>

#define SEAL_MS 2000
#define WORK_MS 200
#define PUBLISH_MS 1000 /* … or as the crowd allows */
#define ADAPT_MS 1000
#define PLACES_AT_ONCE 16384

/* ---- the record ---- */

const struct key_generation *room_record_key(struct room *room, int64_t now_ms) {
    const struct key_generation *key = keyring_newest(atomic_load(&room->api->keys));
    if (room->recorded_key == key->id)
        return key;
    struct record_event event = {.kind = RECORD_KEY, .time_ms = now_ms, .number = key->id};
    memcpy(event.public_key, key->public_key, sizeof event.public_key);
    if (room_record_event(room, &event, NULL))
        room->recorded_key = key->id;
    return key;
}

bool room_seal(struct room *room, int64_t now_ms) {
    struct queue_counts counts;
    queue_count(room->queue, &counts);
    const struct key_generation *key = room_record_key(room, now_ms);
    enum result result = room->api->queue_logs->seal(room->log, key, now_ms, counts.open_ms);
    if (result != RESULT_OK) {
        metric_add(METRIC_QUEUE_UNRECORDED, 1);
        log_error("the queue's record could not be sealed: is the disk full?");
    }
    room->sealed_ms = now_ms;
    room->sealed_length = room->api->queue_logs->length(room->log);
    return result == RESULT_OK;
}

void room_settle(struct room *room) {
    struct queue_counts counts;
    pthread_mutex_lock(&room->lock);
    queue_count(room->queue, &counts);
    bool is_recorded = room->recorded >= counts.issued;
    pthread_mutex_unlock(&room->lock);
    if (is_recorded && !room->is_settled) {
        room->is_settled = true;
        room->api->queue_logs->settle(room->log);
    }
}

/* True if what was sealed is on disk, and there is room for more. */
static bool work_on_disk(struct room *room) {
    bool is_well = room->api->queue_logs->work(room->log); /* says in the log what is wrong */
    if (is_well) {
        pthread_mutex_lock(&room->lock);
        room->record_is_full = false;
        pthread_mutex_unlock(&room->lock);
        room_settle(room);
    }
    return is_well;
}

static void keep_record(struct room *room, int64_t now_ms) {
    if (now_ms >= room->worked_ms + WORK_MS) {
        room->worked_ms = now_ms;
        (void)work_on_disk(room);
    }
    pthread_mutex_lock(&room->lock);
    if (now_ms >= room->sealed_ms + SEAL_MS && room->api->queue_logs->length(room->log) != room->sealed_length)
        (void)room_seal(room, now_ms);
    pthread_mutex_unlock(&room->lock);
}

/* ---- the opening ---- */

/* Freezes the numbers: what decides about their order is fixed, and recorded, before anybody can know it. False: not
 * now. The caller holds the room's lock. */
static bool freeze(struct room *room, int64_t now_ms) {
    struct queue_counts counts;
    queue_count(room->queue, &counts);
    struct record_event gap = {.kind = RECORD_UNKNOWN, .time_ms = now_ms, .number = counts.issued};
    struct record_event frozen = {.kind = RECORD_FREEZE, .time_ms = now_ms, .number = counts.issued};
    if (room->recorded < counts.issued && !room_record_event(room, &gap, NULL))
        return false;
    room->recorded = counts.issued;
    if (!room_seal(room, now_ms))
        return false;
    room->api->queue_logs->head(room->log, room->frozen_head);
    if (!room_record_event(room, &frozen, NULL))
        return false;
    room->frozen = queue_freeze(room->queue);
    room->freeze_is_recorded = true;
    return true;
}

/* The seed and the beacon's value, for everybody to see. The caller holds the room's lock. */
static bool reveal(struct room *room, int64_t now_ms) {
    struct record_event open = {.kind = RECORD_OPEN, .time_ms = now_ms, .number = room->frozen};
    if (room->beacon[0])
        memcpy(room->beacon_value, room->terms.beacon_value, sizeof room->beacon_value);
    memcpy(open.open.seed, room->seed, sizeof open.open.seed);
    open.open.beacon_value = bytes_of(room->beacon_value);
    if (!room_record_event(room, &open, NULL))
        return false;
    room->seed_is_recorded = true;
    return true;
}

static void lay_order(struct room *room, const uint32_t *order) {
    uint32_t placed = 0;
    do {
        uint32_t some = room->frozen - placed < PLACES_AT_ONCE ? room->frozen - placed : PLACES_AT_ONCE;
        pthread_mutex_lock(&room->lock);
        queue_place_shuffled(room->queue, placed, some, order + placed);
        pthread_mutex_unlock(&room->lock);
        placed += some;
    } while (placed < room->frozen);
}

/* True if the show is to open, and its pre-queue is to be put in order first. */
static bool is_to_be_opened(const struct room *room, int64_t now_ms) {
    const struct sale *sale = room->sale;
    if (room_is_opened(room) || !atomic_load(&sale->has_room))
        return false;
    enum sale_hand hand = (enum sale_hand)atomic_load(&sale->hand);
    return hand == SALE_OPENED || (hand == SALE_AUTO && now_ms >= atomic_load(&sale->on_sale_ms));
}

/* Fixes who will be shuffled. With a beacon, its value may be told from here on, since nobody can come in among them
 * any more; no power loss may undo that. */
static void freeze_numbers(struct room *room, int64_t now_ms) {
    pthread_mutex_lock(&room->lock);
    /* What is sealed is what work_on_disk() puts there. */
    bool is_recorded = (room->freeze_is_recorded || freeze(room, now_ms)) && room_seal(room, now_ms);
    pthread_mutex_unlock(&room->lock);
    if (is_recorded && work_on_disk(room)) /* else tried again at the next tick */
        atomic_store(&room->is_frozen, true);
}

/* Nobody is told a position before the opening is on disk: no power loss may draw the lots again. */
static void open_shuffled(struct room *room, int64_t now_ms) {
    uint8_t key[SHUFFLE_BYTES];
    pthread_mutex_lock(&room->lock);
    bool is_known = !room->beacon[0] || room->terms.beacon_value[0];
    bool is_recorded = (room->seed_is_recorded || (is_known && reveal(room, now_ms))) && room_seal(room, now_ms);
    pthread_mutex_unlock(&room->lock);
    uint32_t *order = is_recorded && work_on_disk(room) ? malloc((room->frozen + 1) * sizeof *order) : NULL;
    if (!order)
        return; /* the beacon has not spoken; or tried again at the next tick */
    shuffle_key(&room->sale->show_id, room->seed, room->frozen_head, bytes_of(room->beacon_value), key);
    shuffle_order(key, room->frozen, order);
    lay_order(room, order);
    free(order);
    atomic_store(&room->is_opened, true);
    sale_end_gathering(room->sale);
    atomic_store(&room->has_changed, true);
    log_info("the pre-queue was put in order", LOG_INT("numbers", room->frozen));
}

/* ---- the pace ---- */

static uint32_t since(uint32_t *before, int64_t now) {
    uint32_t difference = (uint32_t)now - *before;
    *before = (uint32_t)now;
    return difference;
}

static void adapt(struct room *room, int64_t now_ms) {
    pthread_mutex_lock(&room->lock);
    struct room_terms terms = room->terms;
    pthread_mutex_unlock(&room->lock);
    struct drip_look look = {
        .answers = since(&room->looked.answers, metric_value(METRIC_SHOP_ANSWERS)),
        .failed = since(&room->looked.failed, metric_value(METRIC_SHOP_FAILURES)),
        .slow = since(&room->looked.slow, timing_count_over(TIMING_CONFIRM_SECONDS, terms.slow_confirm_ms * 1000LL)),
    };
    bool is_first = room->adapted_ms == 0;
    if (is_first || !terms.is_adaptive)
        look = (struct drip_look){0}; /* a good look: back to the full rate */
    pthread_mutex_lock(&room->lock);
    queue_adapt(room->queue, &look, terms.most_percent, now_ms);
    pthread_mutex_unlock(&room->lock);
    room->adapted_ms = now_ms;
}

/* ---- the tick ---- */

static struct queue_conditions conditions_of(const struct room *room, int64_t now_ms) {
    struct show_counts seats = {.available = 1};
    if (room->api->roles & ROLE_SEATS) {
        show_lock(room->sale->show);
        show_count(room->sale->show, &seats);
        show_unlock(room->sale->show);
    }
    return (struct queue_conditions){
        /* Switched off, it takes no claims: so nobody is called, and no window runs. */
        .is_open = atomic_load(&room->sale->has_room) && sale_phase(room->sale, now_ms) == SALE_STATUS_ON_SALE,
        .has_seats = seats.available > 0,
        .gathers = !room_is_opened(room),
    };
}

bool room_take_conditions(struct room *room, int64_t now_ms) {
    struct queue_conditions conditions = conditions_of(room, now_ms);
    pthread_mutex_lock(&room->lock);
    bool has_moved = queue_tick(room->queue, &conditions, now_ms);
    struct queue_counts counts;
    queue_count(room->queue, &counts);
    if (counts.serving != room->recorded_serving) {
        struct record_event call = {
            .kind = RECORD_CALL, .time_ms = now_ms, .number = counts.serving, .open_ms = counts.open_ms};
        if (room_record_event(room, &call, NULL))
            room->recorded_serving = counts.serving;
    }
    pthread_mutex_unlock(&room->lock);
    return has_moved;
}

void room_tick(struct room *room, int64_t now_ms) {
    if (is_to_be_opened(room, now_ms) && !room_is_frozen(room))
        freeze_numbers(room, now_ms);
    if (is_to_be_opened(room, now_ms) && room_is_frozen(room))
        open_shuffled(room, now_ms);
    if (room_take_conditions(room, now_ms))
        atomic_store(&room->has_changed, true);
    room_raise(room);
    keep_record(room, now_ms);
    if (now_ms >= room->adapted_ms + ADAPT_MS)
        adapt(room, now_ms);
    int64_t tick_ms = atomic_load_explicit(&room->api->live_tick_ms, memory_order_relaxed);
    if (now_ms >= room->published_ms + (tick_ms > PUBLISH_MS ? tick_ms : PUBLISH_MS)) {
        room->published_ms = now_ms;
        room_publish(room, now_ms);
        room_forget_record(room, now_ms);
    }
}
