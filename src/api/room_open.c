/* Opening a room: its record is replayed, in the order in which it happened; then the ledger's admissions, which a
 * power loss spares, are laid over it. What the record says of an admission that the ledger has not, the process was
 * about to tell when it was killed: the fan has the place, and gets the pass on asking again.
 *
 * Where the record may have lost its end, numbers up to the ledger's ceiling may have been given out: they are unknown,
 * and whoever comes back with the ticket of one has it (queue_adopt). */
#include "api/room_private.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/panic.h"

#include <stdio.h>
#include <stdlib.h>

#define RETRY_MS 5000 /* after a room could not be opened */

struct unrecorded {
    enum record_kind kind; /* ADMIT or END */
    uint32_t number;
    int64_t time_ms;
};

struct restore {
    struct room *room;
    uint8_t head[RECORD_HASH_BYTES];
    uint32_t pass_seconds; /* as the record's terms are at this point */
    struct unrecorded *unrecorded;
    uint32_t unrecorded_count, unrecorded_room;
    bool out_of_memory;
    uint32_t foreign; /* rows of the ledger that make no sense here */
};

/* ---- the record ---- */

static bool make_room(void **array, uint32_t *room, uint32_t wanted, size_t size) {
    if (wanted <= *room)
        return true;
    uint32_t larger = *room ? *room : 1024;
    while (larger < wanted)
        larger *= 2;
    char *grown = realloc(*array, larger * size);
    if (!grown)
        return false;
    memset(grown + *room * size, 0, (larger - *room) * size);
    *array = grown;
    *room = larger;
    return true;
}

static void replay_admission(struct restore *restore, const struct record_event *event) {
    struct queue_pass pass = {.number = event->number,
                              .claimed_ms = event->time_ms,
                              .expires_ms = event->time_ms + restore->pass_seconds * 1000LL};
    if (!queue_restore_admission(restore->room->queue, &pass, false))
        restore->foreign++;
}

static void replay_freeze(struct restore *restore, const struct record_event *event) {
    struct room *room = restore->room;
    room->frozen = queue_freeze(room->queue);
    if (room->frozen != event->number)
        log_error("the queue's record froze other numbers than there are", LOG_INT("frozen", room->frozen));
    memcpy(room->frozen_head, restore->head, sizeof room->frozen_head);
    room->freeze_is_recorded = true;
    atomic_store(&room->is_frozen, true);
}

static void replay_opening(struct restore *restore, const struct record_event *event) {
    struct room *room = restore->room;
    uint32_t *order = malloc((room->frozen + 1) * sizeof *order);
    if (!order) {
        restore->out_of_memory = true;
        return;
    }
    uint8_t key[SHUFFLE_BYTES];
    shuffle_key(&room->sale->show_id, event->open.seed, room->frozen_head, event->open.beacon_value, key);
    shuffle_order(key, room->frozen, order);
    queue_place_shuffled(room->queue, 0, room->frozen, order);
    free(order);
    snprintf(room->beacon_value, sizeof room->beacon_value, "%.*s", (int)event->open.beacon_value.length,
             event->open.beacon_value.at);
    room->seed_is_recorded = true;
    atomic_store(&room->is_opened, true);
}

static void replay(void *context, const struct record_event *event, const struct place_secret *secret) {
    struct restore *restore = context;
    struct room *room = restore->room;
    switch (event->kind) {
    case RECORD_START:
        break;
    case RECORD_TERMS:
        room->recorded_terms = event->terms;
        restore->pass_seconds = event->terms.pass_seconds;
        queue_configure(room->queue, &event->terms, event->time_ms);
        break;
    case RECORD_KEY:
        room->recorded_key = event->number;
        break;
    case RECORD_JOIN:
        queue_restore_join(room->queue, secret->user);
        room->recorded++;
        break;
    case RECORD_UNKNOWN:
        queue_restore_unknown(room->queue, event->number);
        room->recorded = event->number;
        break;
    case RECORD_LEFT:
    case RECORD_END:
        queue_restore_left(room->queue, event->number);
        break;
    case RECORD_CALL:
        queue_restore_call(room->queue, event->number, event->open_ms);
        room->recorded_serving = event->number;
        break;
    case RECORD_DOOR:
        queue_restore_door(room->queue, event->number);
        break;
    case RECORD_ADMIT:
        replay_admission(restore, event);
        break;
    case RECORD_FREEZE:
        replay_freeze(restore, event);
        break;
    case RECORD_OPEN:
        replay_opening(restore, event);
        break;
    case RECORD_HEAD:
        queue_restore_clock(room->queue, event->open_ms);
        memcpy(restore->head, event->head.hash, sizeof restore->head);
        break;
    }
}

/* ---- the ledger ---- */

/* What the ledger has and the record lost with the power: written into it in the order in which it happened. */
static void remember_unrecorded(struct restore *restore, enum record_kind kind, uint32_t number, int64_t time_ms) {
    void *events = restore->unrecorded;
    if (!make_room(&events, &restore->unrecorded_room, restore->unrecorded_count + 1, sizeof *restore->unrecorded))
        restore->out_of_memory = true;
    restore->unrecorded = events;
    if (!restore->out_of_memory)
        restore->unrecorded[restore->unrecorded_count++] = (struct unrecorded){kind, number, time_ms};
}

/* A claim that the ledger has. What the record has of it, too, is restored already. */
static bool restore_row(void *context, const struct admission *row) {
    struct restore *restore = context;
    struct queue *queue = restore->room->queue;
    const struct keyring *keys = atomic_load(&restore->room->api->keys);
    uint64_t user = keyring_user_hash(keys, &restore->room->sale->show_id, user_bytes(&row->user));
    struct queue_pass pass = {.number = row->number, .claimed_ms = row->claimed_ms, .expires_ms = row->expires_ms};
    struct place place;
    if (queue_adopt(queue, row->number, user) != RESULT_OK ||
        queue_look(queue, row->number, row->claimed_ms, &place) != RESULT_OK) {
        restore->foreign++;
        return true;
    }
    bool is_recorded = place.state == PLACE_INSIDE || place.state == PLACE_DONE;
    if (!is_recorded) {
        if (!queue_restore_admission(queue, &pass, row->ended_ms != 0))
            restore->foreign++;
        remember_unrecorded(restore, RECORD_ADMIT, row->number, row->claimed_ms);
    }
    if (row->ended_ms != 0 && place.state != PLACE_DONE) {
        queue_restore_left(queue, row->number);
        remember_unrecorded(restore, RECORD_END, row->number, row->ended_ms);
    }
    return true;
}

static int by_time(const void *left, const void *right) {
    const struct unrecorded *a = left, *b = right;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    return (a->kind == RECORD_END) - (b->kind == RECORD_END); /* let in, then ended */
}

static void record_unrecorded(struct restore *restore) {
    struct room *room = restore->room;
    struct queue_counts counts;
    if (!restore->unrecorded_count)
        return;
    qsort(restore->unrecorded, restore->unrecorded_count, sizeof *restore->unrecorded, by_time);
    queue_count(room->queue, &counts);
    struct record_event call = {.kind = RECORD_CALL,
                                .time_ms = restore->unrecorded[0].time_ms,
                                .number = counts.serving,
                                .open_ms = counts.open_ms};
    if (counts.serving > room->recorded_serving && room_record_event(room, &call, NULL))
        room->recorded_serving = counts.serving;
    for (uint32_t i = 0; i < restore->unrecorded_count; i++) {
        const struct unrecorded *event = &restore->unrecorded[i];
        (void)room_record_event(
            room, &(struct record_event){.kind = event->kind, .time_ms = event->time_ms, .number = event->number},
            NULL);
    }
}

static bool ignore_row(void *context, const struct admission *row) {
    uint32_t *highest = context;
    if (row->number > *highest)
        *highest = row->number;
    return true;
}

/* Numbers that may have been given out, though the record has them not. */
static void mark_unknown(struct room *room, uint32_t ceiling, int64_t now_ms) {
    if (ceiling <= room->recorded)
        return;
    struct record_event event = {.kind = RECORD_UNKNOWN, .time_ms = now_ms, .number = ceiling};
    queue_restore_unknown(room->queue, ceiling);
    if (room_record_event(room, &event, NULL)) /* else the next join writes it, when there is room */
        room->recorded = ceiling;
}

static enum result restore_from_ledger(struct restore *restore, struct ledger_reader *reader, bool is_whole,
                                       int64_t now_ms) {
    struct room *room = restore->room;
    const struct ledger *ledger = room->api->ledger;
    const struct id *show_id = &room->sale->show_id;
    uint32_t ceiling, highest = 0;
    enum result result = ledger->read_queue(reader, show_id, &ceiling, ignore_row, &highest);
    if (result != RESULT_OK)
        return result;
    /* Admissions of numbers that the record does not know: it is older than the ledger, whatever it says of itself. */
    if (!is_whole || highest > room->recorded)
        mark_unknown(room, ceiling, now_ms);
    queue_allow_numbers(room->queue, ceiling);
    return ledger->read_queue(reader, show_id, &ceiling, restore_row, restore);
}

/* ---- opening ---- */

static struct blob *catch_up(void *context) {
    return room_status_frame(context, clock_now_ms());
}

static struct room *room_new(struct api *api, struct sale *sale) {
    struct sale_terms terms;
    struct room *room = calloc(1, sizeof *room);
    if (!room)
        return NULL;
    sale_begin_room(sale, &terms);
    room->api = api;
    room->sale = sale;
    room->terms = terms.room;
    room->order = terms.room.order;
    memcpy(room->beacon, terms.room.beacon, sizeof room->beacon);
    keyring_shuffle_seed(atomic_load(&api->keys), &sale->show_id, room->seed);
    if (room->order == ROOM_SHUFFLED)
        shuffle_commitment(&sale->show_id, room->seed, bytes_of(room->beacon), room->commitment);
    pthread_mutex_init(&room->lock, NULL);
    pthread_cond_init(&room->raised, NULL);
    pthread_mutex_init(&room->status_lock, NULL);
    pthread_mutex_init(&room->record_lock, NULL);
    room->builds_left = ROOM_BUILDS_A_SECOND;
    room->queue = queue_new(&terms.room.queue, clock_now_ms());
    if (!room->queue) {
        room_free(room);
        return NULL;
    }
    return room;
}

static enum result restore_room(struct room *room, struct ledger_reader *reader, char *fault, size_t fault_size) {
    struct restore restore = {.room = room};
    struct record_event start = {.kind = RECORD_START, .time_ms = clock_now_ms()};
    bool is_whole;
    int64_t now_ms = start.time_ms;
    start.start.show_id = room->sale->show_id;
    start.start.beacon_name = bytes_of(room->order == ROOM_SHUFFLED ? room->beacon : "");
    memcpy(start.start.commitment, room->commitment, sizeof start.start.commitment);
    const struct queue_logs *logs = room->api->queue_logs;
    enum result result = logs->open(logs->engine, &start, replay, &restore, &is_whole, &room->log, fault, fault_size);
    if (result == RESULT_OK)
        (void)logs->work(room->log); /* says in the log what is wrong */
    if (result == RESULT_OK)
        result = restore_from_ledger(&restore, reader, is_whole, now_ms);
    if (result == RESULT_OK) {
        record_unrecorded(&restore);
        queue_end_restore(room->queue, now_ms);
        room_settle(room);
        (void)room_record_key(room, now_ms);
        if (room->order == ROOM_BY_ARRIVAL)
            atomic_store(&room->is_opened, true);
        (void)room_take_conditions(room, now_ms);
        if (!is_whole && room->recorded)
            log_warn("a power loss may have cost the queue's record its end: places come back with their tickets",
                     LOG_INT("numbers", room->recorded));
        if (restore.foreign)
            log_error("the ledger and the queue's record do not agree", LOG_INT("admissions", restore.foreign));
    } else if (!fault[0]) {
        snprintf(fault, fault_size, "the waiting room cannot be read back: %s", result_words(result));
    }
    free(restore.unrecorded);
    return result == RESULT_OK && restore.out_of_memory ? RESULT_OVERLOADED : result;
}

/* Everything but telling it to the sale. */
static enum result open_room(struct api *api, struct sale *sale, struct ledger_reader *reader, struct room **room,
                             char *fault, size_t fault_size) {
    struct room *made = room_new(api, sale);
    if (!made)
        return RESULT_OVERLOADED;
    struct channel_service service = {.context = made, .catch_up = catch_up};
    enum result result = restore_room(made, reader, fault, fault_size);
    if (result == RESULT_OK)
        result = api->services.new_channel(api->services.runtime, &service, &made->channel);
    if (result != RESULT_OK) {
        room_free(made);
        return result;
    }
    room_raise(made); /* the first fan is not to be told that there is no number yet */
    room_await_numbers(made);
    atomic_store(&made->has_changed, true);
    *room = made;
    return RESULT_OK;
}

void room_open(struct api *api, struct sale *sale, struct ledger_reader *reader) {
    static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER; /* two clerks may be asked at once */
    struct room *room;
    char fault[600] = "";
    pthread_mutex_lock(&opening);
    int64_t now_ms = clock_now_ms();
    if (!atomic_load(&sale->room) && now_ms >= atomic_load(&sale->room_retry_ms)) {
        enum result result = open_room(api, sale, reader, &room, fault, sizeof fault);
        if (result == RESULT_OK) {
            sale_publish_room(sale, room, now_ms);
        } else {
            atomic_store(&sale->room_retry_ms, now_ms + RETRY_MS);
            log_error("a waiting room cannot be opened", LOG_STRING("why", fault[0] ? fault : result_words(result)));
        }
    }
    pthread_mutex_unlock(&opening);
}

/* ---- asking for it ---- */

bool room_is_wanted(const struct sale *sale, int64_t now_ms) {
    return atomic_load(&sale->has_room) && now_ms >= atomic_load(&sale->room_retry_ms) &&
           sale_takes_joins(sale, now_ms);
}

void room_recall(struct api *api, struct sale *sale) {
    struct sale_terms terms;
    if (api->queue_logs->exists(api->queue_logs->engine, &sale->show_id))
        sale_begin_room(sale, &terms);
}

struct room_request {
    struct clerk_job job;
    struct api *api;
    struct sale *sale;
};

static void open_wanted(struct clerk_job *job, struct ledger_reader *reader) {
    struct room_request *request = (struct room_request *)job;
    room_open(request->api, request->sale, reader); /* said in the log; tried again later */
    atomic_store(&request->sale->room_wanted, false);
    free(request);
}

void room_want(struct api *api, struct sale *sale) {
    if (atomic_load(&sale->room) || atomic_exchange(&sale->room_wanted, true))
        return;
    struct room_request *request = malloc(sizeof *request);
    if (!request) {
        atomic_store(&sale->room_wanted, false);
        return;
    }
    *request = (struct room_request){.job.run = open_wanted, .api = api, .sale = sale};
    api->services.clerk(api->services.runtime, &request->job, CLERK_OPERATORS);
}

void room_free(struct room *room) {
    if (!room)
        return;
    if (room->log) {
        pthread_mutex_lock(&room->lock);
        (void)room_seal(room, clock_now_ms());
        pthread_mutex_unlock(&room->lock);
        room->api->queue_logs->close(room->log);
    }
    queue_free(room->queue);
    channel_free(room->channel);
    blob_drop(room->status);
    blob_drop(room->frame);
    blob_drop(room->record);
    pthread_cond_destroy(&room->raised);
    pthread_mutex_destroy(&room->lock);
    pthread_mutex_destroy(&room->status_lock);
    pthread_mutex_destroy(&room->record_lock);
    free(room);
}
