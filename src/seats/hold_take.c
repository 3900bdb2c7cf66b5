/* Taking a hold: all the seats wished for, or none.
 *
 * The happy path: hold_take() claims the seats by clearing their bits in `available` (the two-bit states still say
 * AVAILABLE, so a cleared bit there means "named twice"), judges orphans, draws a slot, and only then moves the seats.
 * Until that point everything can be put back by setting the bits again.
 *
 * What can go wrong: a seat is taken, the fan has enough, the rule of orphans forbids it; no slot, where payments keep
 * holds alive whose seats the ledger gave to others.
 */
#include "seats/orphan.h"
#include "seats/show_private.h"

/* The seats being taken: claimed in `available`, not moved yet. */
struct claim {
    uint32_t count;
    uint32_t seats[LIMIT_SEATS_PER_HOLD];
};

static void claim_put_back(struct show *show, const struct claim *claim) {
    for (uint32_t i = 0; i < claim->count; i++) {
        bits_put(show->available, claim->seats[i], true);
        area_hint_lower(show, claim->seats[i]);
    }
}

static void claim_seat(struct show *show, struct claim *claim, uint32_t seat) {
    bits_put(show->available, seat, false);
    claim->seats[claim->count++] = seat;
}

static bool refusal_has(const struct hold_refusal *refusal, uint32_t seat) {
    for (uint32_t i = 0; i < refusal->seat_count; i++)
        if (refusal->seats[i] == seat)
            return true;
    return false;
}

static enum result claim_named(struct show *show, const struct hold_wish *wish, struct claim *claim,
                               struct hold_refusal *refusal) {
    struct hold_refusal unavailable;
    unavailable.seat_count = 0;
    for (uint32_t i = 0; i < wish->seat_count; i++) {
        uint32_t seat = wish->seats[i];
        assert(seat < show->seat_count);
        if (pairs_get(show->states, seat) == SEAT_AVAILABLE) {
            if (!bits_get(show->available, seat))
                return RESULT_DUPLICATE_SEAT;
            claim_seat(show, claim, seat);
        } else {
            if (refusal_has(&unavailable, seat))
                return RESULT_DUPLICATE_SEAT;
            unavailable.seats[unavailable.seat_count++] = seat;
        }
    }
    refusal->seat_count = unavailable.seat_count;
    memcpy(refusal->seats, unavailable.seats, unavailable.seat_count * sizeof *unavailable.seats);
    return refusal->seat_count ? RESULT_SEAT_UNAVAILABLE : RESULT_OK;
}

static enum result claim_areas(struct show *show, const struct hold_wish *wish, struct claim *claim) {
    for (uint32_t i = 0; i < wish->area_count; i++) {
        assert(wish->areas[i].section < show->plan->section_count);
        const struct plan_section *area = &show->plan->sections[wish->areas[i].section];
        assert(area->is_area);
        uint32_t *hint = &show->area_hints[wish->areas[i].section];
        uint32_t end = area->first_seat + area->seat_count, from = *hint;
        for (uint32_t wanted = wish->areas[i].quantity; wanted > 0; wanted--) {
            uint32_t seat = bits_next(show->available, from, end);
            if (seat == BITS_NONE)
                return RESULT_SOLD_OUT;
            claim_seat(show, claim, seat);
            from = seat + 1;
        }
        *hint = from;
    }
    return RESULT_OK;
}

/* Whether as many seats are to be had elsewhere without an orphan: in each category of the claim, before the claim. */
static bool has_tidy_choice(struct show *show, const struct claim *claim, uint32_t named_count) {
    uint64_t categories = 0;
    uint32_t in_rows = 0;
    for (uint32_t i = 0; i < named_count; i++)
        if (show->plan->seat_row[claim->seats[i]] != PLAN_NO_SEAT) {
            categories |= 1ULL << show->plan->seat_category[claim->seats[i]];
            in_rows++;
        }
    for (; categories; categories &= categories - 1)
        if (!best_has_tidy_place(&show->best, show->available, in_rows, (uint32_t)__builtin_ctzll(categories)))
            return false;
    return true;
}

static enum result judge_orphans(struct show *show, const struct claim *claim, uint32_t named_count,
                                 struct hold_warning *warning, struct hold_refusal *refusal) {
    if (show->settings.orphan_rule == ORPHAN_OFF || named_count == 0)
        return RESULT_OK;
    warning->orphan_count =
        orphans_of_take(show->plan, show->states, show->available, named_count, claim->seats, warning->orphans);
    if (warning->orphan_count == 0 || show->settings.orphan_rule == ORPHAN_WARN)
        return RESULT_OK;
    claim_put_back(show, claim);
    bool refused = has_tidy_choice(show, claim, named_count);
    for (uint32_t i = 0; i < claim->count; i++)
        bits_put(show->available, claim->seats[i], false);
    if (!refused)
        return RESULT_OK;
    uint32_t told = warning->orphan_count < LIMIT_SEATS_PER_HOLD ? warning->orphan_count : LIMIT_SEATS_PER_HOLD;
    refusal->seat_count = told;
    memcpy(refusal->seats, warning->orphans, told * sizeof *refusal->seats);
    return RESULT_LEAVES_ORPHAN;
}

static enum result claim_wish(struct show *show, const struct hold_wish *wish, struct claim *claim,
                              struct hold_warning *warning, struct hold_refusal *refusal) {
    if (wish->best_quantity) {
        enum result result =
            best_find(&show->best, show->available, wish->best_quantity, wish->best_category, claim->seats);
        if (result == RESULT_OK)
            claim->count = wish->best_quantity;
        return result;
    }
    enum result result = claim_named(show, wish, claim, refusal);
    if (result == RESULT_OK)
        result = claim_areas(show, wish, claim);
    if (result == RESULT_OK)
        result = judge_orphans(show, claim, wish->seat_count, warning, refusal);
    return result;
}

/* Checked before a seat is looked at, so that a claim always has room. */
static enum result check_size(const struct show *show, const struct hold_wish *wish) {
    assert(wish->user->length <= LIMIT_USER_ID_BYTES);
    uint64_t count = wish->best_quantity ? wish->best_quantity : wish->seat_count;
    if (!wish->best_quantity)
        for (uint32_t i = 0; i < wish->area_count; i++)
            count += wish->areas[i].quantity;
    if (count == 0)
        return RESULT_INVALID_FIELD;
    uint32_t most = show->settings.max_seats_per_user;
    if (count > LIMIT_SEATS_PER_HOLD || (most && count > most))
        return RESULT_TOO_MANY_SEATS;
    if (most && fans_seat_count(&show->fans, user_bytes(wish->user)) + count > most)
        return RESULT_TOO_MANY_SEATS;
    return RESULT_OK;
}

static struct hold hold_from_wish(struct show *show, const struct hold_wish *wish, const struct claim *claim,
                                  int64_t now_ms) {
    struct hold hold = {.reservation = wish->reservation, .fence = show_draw_fence(show), .taken_ms = now_ms};
    hold.deadline_ms = now_ms + show->settings.hold_seconds * INT64_C(1000);
    hold.store_deadline_ms = hold.deadline_ms + show->settings.grace_seconds * INT64_C(1000);
    for (uint32_t i = 0; i < claim->count; i++)
        hold.amount += show->settings.price[show->plan->seat_category[claim->seats[i]]];
    hold.user.length = wish->user->length;
    memcpy(hold.user.text, wish->user->text, wish->user->length);
    return hold;
}

static enum result open_claim(struct show *show, const struct hold_wish *wish, const struct claim *claim,
                              int64_t now_ms, uint32_t *slot) {
    uint32_t drawn = hold_slot_draw(show);
    if (drawn == HOLD_NO_SLOT)
        return RESULT_OVERLOADED;
    struct hold hold = hold_from_wish(show, wish, claim, now_ms);
    hold_open(show, drawn, &hold, claim->count, claim->seats, HOLD_TAKE);
    *slot = drawn;
    return RESULT_OK;
}

enum result hold_take(struct show *show, const struct hold_wish *wish, int64_t now_ms, uint32_t *slot,
                      struct hold_warning *warning, struct hold_refusal *refusal) {
    assert_locked(show);
    assert(!id_is_none(&wish->reservation));
    id_map_prefetch(&show->reservations, &wish->reservation);
    struct claim claim = {.count = 0};
    struct hold_warning told;
    told.orphan_count = 0;
    refusal->seat_count = 0;
    enum result result = check_size(show, wish);
    if (result == RESULT_OK)
        result = claim_wish(show, wish, &claim, &told, refusal);
    if (result == RESULT_OK)
        result = open_claim(show, wish, &claim, now_ms, slot);
    if (result != RESULT_OK) {
        claim_put_back(show, &claim);
        return result;
    }
    warning->orphan_count = told.orphan_count;
    memcpy(warning->orphans, told.orphans, told.orphan_count * sizeof *told.orphans);
    return RESULT_OK;
}

/* ---- best available, searched without the lock ---- */

/* Tries before the search is made under the lock. */
#define BEST_TRIES 4

/* One for each thread that ever searches: 31 KB beside its stack, of which a show of 50,000 seats touches 6. */
static _Thread_local uint64_t available_copy[LIMIT_SEATS_PER_SHOW / 64 + 1];

static bool all_available(const struct show *show, const struct claim *claim) {
    for (uint32_t i = 0; i < claim->count; i++)
        if (!bits_get(show->available, claim->seats[i]))
            return false;
    return true;
}

/* One search on a copy. Takes what it found if that is still to be had, which is version check enough: the seats were
 * the best when they were looked up. Sets `beaten` if they are not. Leaves the lock held. */
static enum result try_best(struct show *show, const struct hold_wish *wish, int64_t now_ms, uint32_t *slot,
                            bool *beaten) {
    show_lock(show);
    enum result result = check_size(show, wish);
    if (result != RESULT_OK)
        return result;
    memcpy(available_copy, show->available, bits_words(show->seat_count) * sizeof *show->available);
    show_unlock(show);
    struct claim claim = {.count = wish->best_quantity};
    enum result found = best_find(&show->best, available_copy, wish->best_quantity, wish->best_category, claim.seats);
    show_lock(show);
    if (found != RESULT_OK)
        return found;
    *beaten = !all_available(show, &claim);
    if (*beaten)
        return RESULT_SEAT_UNAVAILABLE;
    result = check_size(show, wish);
    return result == RESULT_OK ? open_claim(show, wish, &claim, now_ms, slot) : result;
}

enum result hold_take_best(struct show *show, const struct hold_wish *wish, int64_t now_ms, uint32_t *slot,
                           struct hold_refusal *refusal) {
    assert(!id_is_none(&wish->reservation) && wish->best_quantity > 0);
    refusal->seat_count = 0;
    for (int i = 0; i < BEST_TRIES; i++) {
        bool beaten = false;
        enum result result = try_best(show, wish, now_ms, slot, &beaten);
        if (result == RESULT_OK)
            return result; /* with the lock */
        show_unlock(show);
        if (!beaten)
            return result;
    }
    struct hold_warning none;
    show_lock(show);
    enum result result = hold_take(show, wish, now_ms, slot, &none, refusal);
    if (result != RESULT_OK)
        show_unlock(show);
    return result;
}

/* ---- restart ---- */

/* A journal is read from disk: what it says is checked, never believed. */
static bool can_restore(const struct show *show, const struct hold *hold, const uint32_t *seats) {
    if (id_is_none(&hold->reservation) || id_map_find(&show->reservations, &hold->reservation))
        return false;
    if (hold->seat_count == 0 || hold->seat_count > LIMIT_SEATS_PER_HOLD || hold->fence % 2 || !hold->fence ||
        hold->user.length > LIMIT_USER_ID_BYTES || hold->deadline_ms > hold->store_deadline_ms ||
        hold->store_deadline_ms == INT64_MAX)
        return false;
    for (uint32_t i = 0; i < hold->seat_count; i++)
        if (seats[i] >= show->seat_count || show->versions[seats[i]] > hold->fence)
            return false;
    return true;
}

/* All the seats, or none: none is named twice, and all are available. */
static bool claim_all(struct show *show, const struct hold *hold, const uint32_t *seats, struct claim *claim) {
    for (uint32_t i = 0; i < hold->seat_count && bits_get(show->available, seats[i]); i++)
        claim_seat(show, claim, seats[i]);
    if (claim->count == hold->seat_count)
        return true;
    claim_put_back(show, claim);
    return false;
}

enum result hold_restore(struct show *show, const struct hold *hold, const uint32_t *seats, uint32_t *slot) {
    assert_locked(show);
    struct claim claim = {.count = 0};
    if (!can_restore(show, hold, seats) || !claim_all(show, hold, seats, &claim))
        return RESULT_CONFLICT;
    uint32_t drawn = hold_slot_draw(show);
    if (drawn == HOLD_NO_SLOT) {
        claim_put_back(show, &claim);
        return RESULT_OVERLOADED;
    }
    fence_seen(show, hold->fence);
    hold_open(show, drawn, hold, claim.count, claim.seats, HOLD_RESTORE);
    *slot = drawn;
    return RESULT_OK;
}

enum result hold_retake(struct show *show, const struct hold *hold, const uint32_t *seats, uint32_t *slot) {
    assert_locked(show);
    uint32_t ended = hold_find(show, &hold->reservation);
    if (ended == HOLD_NO_SLOT)
        return hold_restore(show, hold, seats, slot);
    enum hold_state state = show->holds[ended].state;
    struct claim claim = {.count = 0};
    if (state == HOLD_HELD || state == HOLD_PAYING || state == HOLD_SOLD || !claim_all(show, hold, seats, &claim))
        return RESULT_CONFLICT;
    *slot = hold_slot_draw_again(show, ended);
    hold_open(show, *slot, hold, claim.count, claim.seats, HOLD_RESTORE);
    return RESULT_OK;
}
