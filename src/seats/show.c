/* A show and its seats: made once, in one piece of memory, and moved by one function (seat_move). Holds are in hold.c.
 *
 * What can go wrong: memory runs out in show_new(), and nowhere else.
 */
#include "seats/show.h"
#include "seats/show_private.h"

#include <stdlib.h>

/* ---- making ---- */

/* Gives the show's arrays their places in `memory`, each on a cache line; returns the room they need. With NULL only
 * that. */
static size_t lay_out(struct show *show, char *memory) {
    size_t seats = show->seat_count, words = bits_words(show->seat_count), used = 0;
#define PLACE(pointer, count)                                                                                          \
    do {                                                                                                               \
        if (memory)                                                                                                    \
            (pointer) = (void *)(memory + used);                                                                       \
        used += ((count) * sizeof *(pointer) + 63) / 64 * 64;                                                          \
    } while (0)
    PLACE(show->states, (seats + 3) / 4);
    PLACE(show->available, words);
    PLACE(show->blocked, words);
    PLACE(show->untold, words);
    PLACE(show->best.joined, words);
    PLACE(show->best.joined_category, words);
    PLACE(show->best.stretches, best_stretch_count(show->plan));
    PLACE(show->area_hints, show->plan->section_count);
    PLACE(show->versions, seats);
    PLACE(show->holders, seats);
    PLACE(show->next_seats, seats);
    PLACE(show->fans.entries, seats);
    PLACE(show->holds, show->slot_count);
#undef PLACE
    return used;
}

/* calloc, so that pages nobody has touched cost nothing. */
static bool get_memory(struct show *show) {
    char *memory = calloc(1, lay_out(show, NULL));
    if (!memory)
        return false;
    lay_out(show, memory);
    return fans_init(&show->fans, show->fans.entries, show->seat_count) == RESULT_OK &&
           id_map_init(&show->reservations, show->slot_count) == RESULT_OK &&
           deadlines_init(&show->deadlines, show->slot_count) == RESULT_OK;
}

static void make_all_available(struct show *show) {
    const struct plan *plan = show->plan;
    for (uint32_t seat = 0; seat < show->seat_count; seat++) {
        bits_put(show->available, seat, true);
        show->available_in[plan->seat_category[seat]]++;
    }
    for (uint32_t i = 0; i < plan->section_count; i++)
        show->area_hints[i] = plan->sections[i].first_seat;
    show->counts.capacity = show->counts.available = show->seat_count;
}

struct show *show_new(const struct id *show_id, const struct plan *plan, const struct show_settings *settings,
                      uint32_t epoch) {
    assert(plan->seat_count > 0 && plan->seat_count <= LIMIT_SEATS_PER_SHOW);
    assert(plan->category_count <= LIMIT_CATEGORIES_PER_SHOW);
    struct show *show = calloc(1, sizeof *show);
    if (!show)
        return NULL;
    show->id = *show_id;
    show->plan = plan;
    show->seat_count = show->slot_count = plan->seat_count;
    show->settings = *settings;
    show->next_fence = ((uint64_t)epoch << 40) + 2;
    show->first_ended = show->last_ended = HOLD_NO_SLOT;
    if (pthread_mutex_init(&show->mutex, NULL)) {
        free(show);
        return NULL;
    }
    if (!get_memory(show)) {
        show_free(show);
        return NULL;
    }
    best_index_fill(&show->best, plan);
    make_all_available(show);
    return show;
}

void show_free(struct show *show) {
    if (!show)
        return;
    deadlines_release(&show->deadlines);
    id_map_release(&show->reservations);
    fans_release(&show->fans);
    free(show->states);
    pthread_mutex_destroy(&show->mutex);
    free(show);
}

const struct id *show_id(const struct show *show) {
    return &show->id;
}

const struct plan *show_plan(const struct show *show) {
    return show->plan;
}

void show_lock(struct show *show) {
    int error = pthread_mutex_lock(&show->mutex);
    assert(!error);
    atomic_store_explicit(&show->owner, (uintptr_t)pthread_self(), memory_order_relaxed);
}

void show_unlock(struct show *show) {
    assert_locked(show);
    atomic_store_explicit(&show->owner, 0, memory_order_relaxed);
    pthread_mutex_unlock(&show->mutex);
}

void show_configure(struct show *show, const struct show_settings *settings) {
    assert_locked(show);
    show->settings = *settings;
    assert_deep(show_check(show, NULL, 0));
}

const struct show_settings *show_settings(const struct show *show) {
    assert_locked(show);
    return &show->settings;
}

/* ---- reading ---- */

uint64_t show_sequence(const struct show *show) {
    return atomic_load_explicit(&show->sequence, memory_order_acquire);
}

void show_count(const struct show *show, struct show_counts *counts) {
    assert_locked(show);
    *counts = show->counts;
}

uint32_t show_available_in(const struct show *show, uint32_t category) {
    assert_locked(show);
    assert(category < show->plan->category_count);
    return show->available_in[category];
}

static enum seat_status status_of(const struct show *show, uint32_t seat) {
    enum seat_status status = (enum seat_status)pairs_get(show->states, seat);
    return status == SEAT_BOOKED && bits_get(show->blocked, seat) ? SEAT_BLOCKED : status;
}

enum seat_status show_seat_status(const struct show *show, uint32_t seat) {
    assert_locked(show);
    assert(seat < show->seat_count);
    return status_of(show, seat);
}

uint64_t show_seat_version(const struct show *show, uint32_t seat) {
    assert_locked(show);
    assert(seat < show->seat_count);
    return show->versions[seat];
}

void show_copy_bits(const struct show *show, uint8_t *bits, uint64_t *sequence) {
    assert_locked(show);
    memcpy(bits, show->states, (show->seat_count + 3) / 4);
    *sequence = show_sequence(show);
}

/* ---- moving a seat ---- */

static uint32_t *count_of(struct show *show, enum seat_status status) {
    switch (status) {
    case SEAT_AVAILABLE:
        return &show->counts.available;
    case SEAT_HELD:
        return &show->counts.held;
    case SEAT_BOOKED:
        return &show->counts.booked;
    case SEAT_BLOCKED:
        return &show->counts.blocked;
    }
    impossible("a seat's status");
}

void seat_move(struct show *show, uint32_t seat, enum seat_status status, uint64_t version, enum ledger_news news) {
    assert_locked(show);
    assert(seat < show->seat_count && version >= show->versions[seat]);
    const struct plan *plan = show->plan;
    enum seat_status before = status_of(show, seat);
    bool is_free = status == SEAT_AVAILABLE;
    --*count_of(show, before);
    ++*count_of(show, status);
    show->available_in[plan->seat_category[seat]] += (uint32_t)is_free - (uint32_t)(before == SEAT_AVAILABLE);
    pairs_put(show->states, seat, status == SEAT_BLOCKED ? SEAT_BOOKED : (uint8_t)status);
    bits_put(show->available, seat, is_free);
    bits_put(show->blocked, seat, status == SEAT_BLOCKED);
    bits_put(show->untold, seat, news == LEDGER_TO_BE_TOLD);
    show->versions[seat] = version;
    if (is_free)
        area_hint_lower(show, seat);
    atomic_store_explicit(&show->sequence, atomic_load_explicit(&show->sequence, memory_order_relaxed) + 1,
                          memory_order_release);
}

/* ---- restart, refunds, the operator ---- */

uint64_t show_draw_fence(struct show *show) {
    assert_locked(show);
    uint64_t fence = show->next_fence;
    show->next_fence += 2;
    return fence;
}

static void forget_buyer(struct show *show, uint32_t seat) {
    if (status_of(show, seat) == SEAT_BOOKED)
        fans_remove_from(&show->fans, show->holders[seat], 1);
}

/* What the ledger has for a seat that nobody holds here. A HELD there is the picture of a hold that the journal may
 * still bring back (hold_restore); until then the seat is free, and the ledger is to hear of it. */
static void load_unheld(struct show *show, uint32_t seat, enum seat_status status, uint64_t version,
                        const struct user_id *owner) {
    bool is_newer = version > show->versions[seat];
    bool is_block = status == SEAT_BLOCKED && status_of(show, seat) != SEAT_BOOKED;
    if (status != SEAT_BOOKED && !is_block && !is_newer)
        return; /* older than what happened here */
    forget_buyer(show, seat);
    seat_move(show, seat, status == SEAT_HELD ? SEAT_AVAILABLE : status, is_newer ? version : show->versions[seat],
              status == SEAT_HELD ? LEDGER_TO_BE_TOLD : LEDGER_KNOWS);
    if (status == SEAT_BOOKED)
        show->holders[seat] = owner ? fans_add(&show->fans, fans_ask(&show->fans, user_bytes(owner)), 1) : FAN_NONE;
}

void show_load_seat(struct show *show, uint32_t seat, enum seat_status status, uint64_t version,
                    const struct user_id *owner) {
    assert_locked(show);
    assert(seat < show->seat_count);
    fence_seen(show, version);
    if (status_of(show, seat) == SEAT_HELD) {
        struct hold *hold = &show->holds[show->holders[seat]];
        if (status == SEAT_BOOKED && version == hold->fence + 1) {
            if (hold->state == HOLD_HELD)
                hold_learn_sold(show, hold);
            return; /* if PAYING, whoever began the payment sells it */
        }
        bool decides = status == SEAT_BOOKED || status == SEAT_BLOCKED || version > hold->fence;
        if (status == SEAT_HELD || !decides)
            return; /* a lazy picture of this hold, or of one before it */
        hold_lose_seat(show, seat);
    }
    load_unheld(show, seat, status, version, owner);
}

bool show_unsell(struct show *show, uint32_t count, const uint32_t *seats, uint64_t version) {
    assert_locked(show);
    for (uint32_t i = 0; i < count; i++) {
        assert(seats[i] < show->seat_count);
        if (status_of(show, seats[i]) != SEAT_BOOKED || show->versions[seats[i]] >= version)
            return false;
    }
    fence_seen(show, version);
    for (uint32_t i = 0; i < count; i++) {
        forget_buyer(show, seats[i]);
        if (status_of(show, seats[i]) == SEAT_BOOKED) /* not yet, where a seat is named twice */
            seat_move(show, seats[i], SEAT_AVAILABLE, version, LEDGER_KNOWS);
    }
    return true;
}

static enum result change_all(struct show *show, enum seat_status from, enum seat_status to, uint32_t count,
                              const uint32_t *seats, uint64_t version, struct hold_refusal *refusal) {
    assert_locked(show);
    struct hold_refusal refused = {.seat_count = 0};
    for (uint32_t i = 0; i < count; i++) {
        assert(seats[i] < show->seat_count);
        bool fits = status_of(show, seats[i]) == from && show->versions[seats[i]] < version;
        if (!fits && refused.seat_count < LIMIT_SEATS_PER_HOLD)
            refused.seats[refused.seat_count++] = seats[i];
    }
    if (refused.seat_count) {
        *refusal = refused;
        return RESULT_SEAT_UNAVAILABLE;
    }
    fence_seen(show, version);
    for (uint32_t i = 0; i < count; i++)
        if (status_of(show, seats[i]) == from)
            seat_move(show, seats[i], to, version, LEDGER_KNOWS);
    return RESULT_OK;
}

enum result show_block(struct show *show, uint32_t count, const uint32_t *seats, uint64_t version,
                       struct hold_refusal *refusal) {
    return change_all(show, SEAT_AVAILABLE, SEAT_BLOCKED, count, seats, version, refusal);
}

enum result show_unblock(struct show *show, uint32_t count, const uint32_t *seats, uint64_t version,
                         struct hold_refusal *refusal) {
    return change_all(show, SEAT_BLOCKED, SEAT_AVAILABLE, count, seats, version, refusal);
}

uint32_t show_take_changes(struct show *show, struct seat_change *changes, uint32_t room) {
    assert_locked(show);
    uint32_t taken = 0;
    for (uint32_t seat = bits_next(show->untold, 0, show->seat_count); seat != BITS_NONE && taken < room;
         seat = bits_next(show->untold, seat + 1, show->seat_count)) {
        enum seat_status status = status_of(show, seat);
        if (status == SEAT_AVAILABLE)
            show->versions[seat] |= 1; /* the end of a hold whose picture was loaded and which never came back */
        bits_put(show->untold, seat, false);
        changes[taken++] = (struct seat_change){seat, status, show->versions[seat]};
    }
    return taken;
}

/* ---- a show that is only looked at ---- */

void show_mirror_seat(struct show *show, uint32_t seat, enum seat_status status) {
    assert_locked(show);
    assert(seat < show->seat_count && status != SEAT_BLOCKED && show->slots_used == 0);
    if (status_of(show, seat) != status)
        seat_move(show, seat, status, show->versions[seat], LEDGER_KNOWS);
}
