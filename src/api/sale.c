#include "api/sale.h"
#include "api/mirror.h"
#include "api/plan_parts.h"
#include "api/room.h"
#include "base/clock.h"
#include "base/panic.h"

#include <stdio.h>
#include <stdlib.h>

void sale_list_init(struct sale_list *list) {
    memset(list, 0, sizeof *list);
    pthread_mutex_init(&list->lock, NULL);
}

static uint32_t home_of(const struct id *show_id) {
    uint32_t hash;
    memcpy(&hash, show_id->at + 10, sizeof hash);
    return hash % (2 * LIMIT_SHOWS);
}

enum result sale_list_add(struct sale_list *list, struct sale *sale) {
    enum result result = RESULT_OK;
    pthread_mutex_lock(&list->lock);
    unsigned count = atomic_load(&list->count);
    if (sale_find(list, &sale->show_id)) {
        result = RESULT_CONFLICT;
    } else if (count == LIMIT_SHOWS) {
        result = RESULT_OVERLOADED;
    } else {
        list->sales[count] = sale;
        uint32_t at = home_of(&sale->show_id);
        while (atomic_load_explicit(&list->by_id[at], memory_order_relaxed))
            at = (at + 1) % (2 * LIMIT_SHOWS);
        atomic_store_explicit(&list->by_id[at], sale, memory_order_release);
        atomic_store_explicit(&list->count, count + 1, memory_order_release);
    }
    pthread_mutex_unlock(&list->lock);
    return result;
}

struct sale *sale_find(const struct sale_list *list, const struct id *show_id) {
    for (uint32_t at = home_of(show_id);; at = (at + 1) % (2 * LIMIT_SHOWS)) {
        struct sale *sale = atomic_load_explicit(&list->by_id[at], memory_order_acquire);
        if (!sale || id_equal(&sale->show_id, show_id))
            return sale;
    }
}

struct sale *sale_of_reservation(const struct sale_list *list, const struct id *reservation) {
    uint16_t tag = id_reservation_tag(reservation);
    unsigned count = atomic_load_explicit(&list->count, memory_order_acquire);
    for (unsigned i = 0; i < count; i++) {
        struct sale *sale = list->sales[i];
        if (id_show_tag(&sale->show_id) != tag)
            continue;
        show_lock(sale->show);
        bool known = hold_find(sale->show, reservation) != HOLD_NO_SLOT;
        show_unlock(sale->show);
        if (known)
            return sale;
    }
    return NULL;
}

static enum result make_plan_answer(struct sale *sale) {
    struct buffer text;
    buffer_init(&text, LIMIT_PLAN_BYTES);
    plan_write(sale->plan, &text);
    if (buffer_ok(&text)) {
        sale->plan_json = blob_copy(buffer_bytes(&text));
        sale->plan_json_gzip = blob_gzip(buffer_bytes(&text));
    }
    buffer_release(&text);
    etag_of_hash(&sale->plan->hash, sale->plan_etag);
    return sale->plan_json && sale->plan_json_gzip ? RESULT_OK : RESULT_OVERLOADED;
}

/* Without a waiting room nobody gathers before the opening. */
static int64_t pre_queue_begins_ms(const struct sale_terms *terms) {
    return terms->room.enabled ? terms->on_sale_ms - terms->room.pre_queue_seconds * 1000LL : terms->on_sale_ms;
}

/* What every request asks, as the terms have it. The caller holds the sale's lock, or has the sale alone. */
static void publish_terms(struct sale *sale) {
    const struct sale_terms *terms = &sale->terms;
    const struct room *room = atomic_load(&sale->room);
    bool is_to_be_shuffled = terms->room.enabled && terms->room.order == ROOM_SHUFFLED;
    atomic_store(&sale->gathers, is_to_be_shuffled && !(room && room_is_opened(room)));
    atomic_store(&sale->hand, (int)terms->hand);
    atomic_store(&sale->on_sale_ms, terms->on_sale_ms);
    atomic_store(&sale->pre_queue_ms, pre_queue_begins_ms(terms));
    atomic_store(&sale->has_room, terms->room.enabled);
}

enum result sale_new(const struct id *show_id, struct plan *plan, const struct sale_terms *terms, uint32_t epoch,
                     int64_t now_ms, struct sale **sale) {
    struct sale *made = calloc(1, sizeof *made);
    if (!made) {
        plan_free(plan);
        return RESULT_OVERLOADED;
    }
    made->show_id = *show_id;
    made->plan = plan;
    made->terms = made->wanted = *terms;
    made->created_ms = made->updated_ms = now_ms;
    pthread_mutex_init(&made->lock, NULL);
    publish_terms(made);
    made->show = show_new(show_id, plan, &terms->seats, epoch);
    enum result result = made->show ? feed_new(made->show, &made->feed) : RESULT_OVERLOADED;
    if (result == RESULT_OK)
        result = make_plan_answer(made);
    if (result == RESULT_OK)
        result = plan_parts_new(plan, &made->plan_parts);
    if (result != RESULT_OK) {
        sale_free(made);
        return result;
    }
    *sale = made;
    return RESULT_OK;
}

void sale_free(struct sale *sale) {
    if (!sale)
        return;
    room_free(atomic_load(&sale->room));
    feed_free(sale->feed);
    mirror_free(sale->mirror);
    if (sale->show)
        show_free(sale->show);
    plan_parts_free(sale->plan_parts);
    plan_free(sale->plan);
    blob_drop(sale->plan_json);
    blob_drop(sale->plan_json_gzip);
    pthread_mutex_destroy(&sale->lock);
    free(sale);
}

void sale_set_terms(struct sale *sale, const struct sale_terms *terms, int64_t now_ms) {
    pthread_mutex_lock(&sale->lock);
    sale->terms = *terms;
    sale->updated_ms = now_ms;
    publish_terms(sale);
    show_lock(sale->show);
    show_configure(sale->show, &terms->seats);
    show_unlock(sale->show);
    if (atomic_load(&sale->room))
        room_configure(atomic_load(&sale->room), &terms->room, now_ms);
    pthread_mutex_unlock(&sale->lock);
}

void sale_copy_terms(struct sale *sale, struct sale_terms *terms, int64_t *updated_ms) {
    pthread_mutex_lock(&sale->lock);
    *terms = sale->terms;
    if (updated_ms)
        *updated_ms = sale->updated_ms;
    pthread_mutex_unlock(&sale->lock);
}

void sale_copy_wanted(struct sale *sale, struct sale_terms *terms) {
    pthread_mutex_lock(&sale->lock);
    *terms = sale->wanted;
    pthread_mutex_unlock(&sale->lock);
}

/* Told earlier, it would let whoever tells it choose who comes in after knowing it. */
static enum result check_beacon_value(const struct sale *sale, const struct room_terms *wanted,
                                      struct sale_fault *fault) {
    const struct room *room = atomic_load(&sale->room);
    if (wanted->order != ROOM_SHUFFLED || !wanted->beacon_value[0] || (room && room_is_frozen(room)) ||
        strcmp(wanted->beacon_value, sale->wanted.room.beacon_value) == 0)
        return RESULT_OK;
    snprintf(fault->pointer, sizeof fault->pointer, "/waiting_room/beacon_value");
    snprintf(fault->detail, sizeof fault->detail,
             "the beacon's value is told at the opening, when nobody can come in among those to be shuffled any more");
    return RESULT_CONFLICT;
}

static enum result check_room_change(const struct sale *sale, const struct room_terms *wanted,
                                     struct sale_fault *fault) {
    const struct room_terms *before = &sale->wanted.room;
    const struct room *room = atomic_load(&sale->room);
    bool is_shuffled = before->order == ROOM_SHUFFLED;
    const char *member = NULL;
    if (!sale->room_has_begun)
        return RESULT_OK;
    if (wanted->order != before->order)
        member = "pre_queue_order";
    else if (is_shuffled && strcmp(wanted->beacon, before->beacon) != 0)
        member = "beacon";
    else if (is_shuffled && room && room_is_opened(room) && strcmp(wanted->beacon_value, before->beacon_value) != 0)
        member = "beacon_value";
    if (!member)
        return RESULT_OK;
    snprintf(fault->pointer, sizeof fault->pointer, "/waiting_room/%s", member);
    snprintf(fault->detail, sizeof fault->detail,
             "the waiting room has begun, and its public record says otherwise: %s cannot be changed any more", member);
    return RESULT_CONFLICT;
}

enum result sale_want(struct sale *sale, const struct sale_terms *terms, struct sale_fault *fault) {
    pthread_mutex_lock(&sale->lock);
    enum result result = check_room_change(sale, &terms->room, fault);
    if (result == RESULT_OK)
        result = check_beacon_value(sale, &terms->room, fault);
    if (result == RESULT_OK)
        sale->wanted = *terms;
    pthread_mutex_unlock(&sale->lock);
    return result;
}

void sale_begin_room(struct sale *sale, struct sale_terms *terms) {
    pthread_mutex_lock(&sale->lock);
    sale->room_has_begun = true;
    *terms = sale->wanted;
    pthread_mutex_unlock(&sale->lock);
}

void sale_publish_room(struct sale *sale, struct room *room, int64_t now_ms) {
    pthread_mutex_lock(&sale->lock);
    atomic_store(&sale->room, room);
    publish_terms(sale);
    room_configure(room, &sale->terms.room, now_ms);
    pthread_mutex_unlock(&sale->lock);
}

void sale_end_gathering(struct sale *sale) {
    pthread_mutex_lock(&sale->lock);
    publish_terms(sale);
    pthread_mutex_unlock(&sale->lock);
}

void sale_set_wanted(struct sale *sale, const struct sale_terms *terms) {
    pthread_mutex_lock(&sale->lock);
    sale->wanted = *terms;
    pthread_mutex_unlock(&sale->lock);
}

static enum sale_status status_by(enum sale_hand hand, int64_t on_sale_ms, int64_t pre_queue_ms, bool gathers,
                                  int64_t now_ms) {
    switch (hand) {
    case SALE_PAUSED:
        return SALE_STATUS_PAUSED;
    case SALE_CLOSED:
        return SALE_STATUS_CLOSED;
    case SALE_OPENED:
        return gathers ? SALE_STATUS_PRE_QUEUE : SALE_STATUS_ON_SALE;
    case SALE_AUTO:
        break;
    }
    if (now_ms >= on_sale_ms)
        return gathers ? SALE_STATUS_PRE_QUEUE : SALE_STATUS_ON_SALE;
    return now_ms >= pre_queue_ms ? SALE_STATUS_PRE_QUEUE : SALE_STATUS_SCHEDULED;
}

enum sale_status sale_phase(const struct sale *sale, int64_t now_ms) {
    return status_by((enum sale_hand)atomic_load_explicit(&sale->hand, memory_order_relaxed),
                     atomic_load_explicit(&sale->on_sale_ms, memory_order_relaxed),
                     atomic_load_explicit(&sale->pre_queue_ms, memory_order_relaxed),
                     atomic_load_explicit(&sale->gathers, memory_order_relaxed), now_ms);
}

enum result sale_is_open(const struct sale *sale, int64_t now_ms) {
    return sale_phase(sale, now_ms) == SALE_STATUS_ON_SALE ? RESULT_OK : RESULT_SALE_NOT_OPEN;
}

bool sale_takes_joins(const struct sale *sale, int64_t now_ms) {
    switch (sale_phase(sale, now_ms)) {
    case SALE_STATUS_PRE_QUEUE:
    case SALE_STATUS_ON_SALE:
    case SALE_STATUS_PAUSED:
    case SALE_STATUS_SOLD_OUT: /* a seat may come back */
        return true;
    case SALE_STATUS_SCHEDULED:
    case SALE_STATUS_CLOSED:
        break;
    }
    return false;
}

static enum sale_status or_sold_out(struct sale *sale, enum sale_status status) {
    if (status != SALE_STATUS_ON_SALE)
        return status;
    struct show_counts counts;
    show_lock(sale->show);
    show_count(sale->show, &counts);
    show_unlock(sale->show);
    return counts.available + counts.held == 0 ? SALE_STATUS_SOLD_OUT : status;
}

enum sale_status sale_status_now(struct sale *sale, int64_t now_ms) {
    return or_sold_out(sale, sale_phase(sale, now_ms));
}

enum sale_status sale_status_under(struct sale *sale, const struct sale_terms *terms, int64_t now_ms) {
    bool gathers = terms->room.enabled && atomic_load(&sale->gathers);
    return or_sold_out(sale, status_by(terms->hand, terms->on_sale_ms, pre_queue_begins_ms(terms), gathers, now_ms));
}

const char *sale_status_name(enum sale_status status) {
    static const char *const names[] = {"SCHEDULED", "PRE_QUEUE", "ON_SALE", "PAUSED", "SOLD_OUT", "CLOSED"};
    return names[status];
}

bool sale_has_image(struct sale *sale, const char *name) {
    pthread_mutex_lock(&sale->lock);
    bool has = strcmp(sale->terms.image, name) == 0;
    pthread_mutex_unlock(&sale->lock);
    return has;
}

bool sale_may_cancel(struct sale *sale, int64_t now_ms, const char **why) {
    struct sale_terms terms;
    sale_copy_terms(sale, &terms, NULL);
    *why = "this show's tickets cannot be given back";
    if (!terms.cancellation.allowed)
        return false;
    *why = "it is too late to give these tickets back";
    return terms.start_ms == 0 || now_ms <= terms.start_ms - terms.cancellation.until_seconds * 1000;
}
