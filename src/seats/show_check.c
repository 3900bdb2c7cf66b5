/* Every invariant of a show, by the numbers of README.md. Changes nothing but the scratch field `recount` of a fan. */
#include "seats/show_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct finding {
    char *why;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static bool broken(struct finding *finding, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (finding->size)
        vsnprintf(finding->why, finding->size, format, arguments);
    va_end(arguments);
    return false;
}

static bool is_alive(const struct hold *hold) {
    return hold->state == HOLD_HELD || hold->state == HOLD_PAYING;
}

/* Invariants 1 and 2: the bitmaps agree with the states, and end where the seats end. */
static bool check_bitmaps(const struct show *show, struct finding *finding) {
    for (uint32_t seat = 0; seat < show->seat_count; seat++) {
        uint8_t state = pairs_get(show->states, seat);
        if (state > SEAT_BOOKED)
            return broken(finding, "1: seat %u has state %u", seat, state);
        if (bits_get(show->available, seat) != (state == SEAT_AVAILABLE))
            return broken(finding, "1: seat %u has state %u and a wrong bit of availability", seat, state);
        if (bits_get(show->blocked, seat) && state != SEAT_BOOKED)
            return broken(finding, "1: seat %u is blocked and has state %u", seat, state);
        if (bits_get(show->untold, seat) && state == SEAT_BOOKED)
            return broken(finding, "2: seat %u is booked, and the ledger is to be told", seat);
    }
    uint32_t end = bits_words(show->seat_count) * 64;
    if (bits_next(show->available, show->seat_count, end) != BITS_NONE ||
        bits_next(show->untold, show->seat_count, end) != BITS_NONE)
        return broken(finding, "1: a bit is set behind the last seat");
    return true;
}

/* Invariants 3 and 4: counts. */
static bool check_counts(const struct show *show, struct finding *finding) {
    struct show_counts counts = {.capacity = show->seat_count};
    uint32_t available_in[LIMIT_CATEGORIES_PER_SHOW] = {0};
    for (uint32_t seat = 0; seat < show->seat_count; seat++) {
        uint8_t state = pairs_get(show->states, seat);
        bool blocked = bits_get(show->blocked, seat);
        counts.available += state == SEAT_AVAILABLE;
        counts.held += state == SEAT_HELD;
        counts.booked += state == SEAT_BOOKED && !blocked;
        counts.blocked += blocked;
        available_in[show->plan->seat_category[seat]] += state == SEAT_AVAILABLE;
    }
    for (uint32_t slot = 0; slot < show->slots_used; slot++) {
        counts.holds_held += show->holds[slot].state == HOLD_HELD;
        counts.holds_paying += show->holds[slot].state == HOLD_PAYING;
    }
    if (memcmp(&counts, &show->counts, sizeof counts))
        return broken(finding, "3: the counts are wrong: %u available, %u held, %u booked, %u blocked were counted",
                      counts.available, counts.held, counts.booked, counts.blocked);
    for (uint32_t i = 0; i < LIMIT_CATEGORIES_PER_SHOW; i++)
        if (available_in[i] != show->available_in[i])
            return broken(finding, "4: category %u has %u seats available, not %u", i, available_in[i],
                          show->available_in[i]);
    return true;
}

/* Invariant 6: one hold's chain of seats. */
static bool check_chain(const struct show *show, uint32_t slot, struct finding *finding) {
    const struct hold *hold = &show->holds[slot];
    uint32_t seat = hold->first_seat;
    for (uint32_t i = 0; i < hold->seat_count; i++, seat = show->next_seats[seat])
        if (seat >= show->seat_count || pairs_get(show->states, seat) != SEAT_HELD || show->holders[seat] != slot ||
            show->versions[seat] != hold->fence)
            return broken(finding, "6: hold %u: its seat number %u (%u) is not held by it at its fence", slot, i, seat);
    if (seat != PLAN_NO_SEAT)
        return broken(finding, "6: hold %u has more seats than it counts", slot);
    return true;
}

/* Invariants 5 to 7: fences and versions; who holds a seat. */
static bool check_holding(const struct show *show, struct finding *finding) {
    if (show->next_fence % 2)
        return broken(finding, "5: the next fence is odd");
    for (uint32_t seat = 0; seat < show->seat_count; seat++) {
        if (show->versions[seat] >= show->next_fence)
            return broken(finding, "5: seat %u has a version above every fence drawn", seat);
        if (pairs_get(show->states, seat) == SEAT_HELD &&
            (show->holders[seat] >= show->slots_used || !is_alive(&show->holds[show->holders[seat]])))
            return broken(finding, "6: seat %u is held by nobody", seat);
    }
    uint32_t held = 0;
    for (uint32_t slot = 0; slot < show->slots_used; slot++) {
        const struct hold *hold = &show->holds[slot];
        if (hold->fence % 2 || hold->fence >= show->next_fence)
            return broken(finding, "5: hold %u has a fence that was never drawn", slot);
        if (hold->deadline_ms > hold->store_deadline_ms)
            return broken(finding, "7: hold %u ends before its fan's deadline", slot);
        if (!is_alive(hold))
            continue;
        held += hold->seat_count;
        if (hold->seat_count == 0 && !hold->lost_count)
            return broken(finding, "7: hold %u is alive and has no seats", slot);
        if (hold->state == HOLD_HELD && hold->lost_count)
            return broken(finding, "7: hold %u has lost a seat and is HELD", slot);
        if (id_is_none(&hold->booking) != (hold->state == HOLD_HELD))
            return broken(finding, "7: hold %u has a booking without a payment, or a payment without one", slot);
        if (!check_chain(show, slot, finding))
            return false;
    }
    if (held != show->counts.held)
        return broken(finding, "6: %u seats are held, and the holds have %u", show->counts.held, held);
    return true;
}

/* Invariant 8: the heap has the HELD, and only those, earliest first. */
static bool check_deadlines(const struct show *show, struct finding *finding) {
    const struct deadlines *heap = &show->deadlines;
    if (heap->count != show->counts.holds_held)
        return broken(finding, "8: %u deadlines for %u holds", heap->count, show->counts.holds_held);
    for (uint32_t place = 2; place <= heap->count; place++)
        if (heap->heap[place]->at_ms < heap->heap[place / 2]->at_ms)
            return broken(finding, "8: deadline %u is earlier than its parent in the heap", place);
    for (uint32_t slot = 0; slot < show->slots_used; slot++) {
        const struct hold *hold = &show->holds[slot];
        uint32_t place = hold->deadline.place;
        if (hold->state != HOLD_HELD) {
            if (place)
                return broken(finding, "8: hold %u is not HELD and has a deadline", slot);
        } else if (place == 0 || place > heap->count || heap->heap[place] != &hold->deadline ||
                   hold->deadline.at_ms != hold->store_deadline_ms) {
            return broken(finding, "8: hold %u is HELD without its deadline", slot);
        }
    }
    return true;
}

/* Invariants 9 and 10: every hold is found by its reservation, and the ended are in the list, once. */
static bool check_memory(const struct show *show, struct finding *finding) {
    uint32_t ended = 0, listed = 0;
    for (uint32_t slot = 0; slot < show->slots_used; slot++) {
        const struct hold *hold = &show->holds[slot];
        if (hold->state == HOLD_FREE || hold->state >= HOLD_STATE_COUNT)
            return broken(finding, "9: slot %u was used and is free", slot);
        if (id_is_none(&hold->reservation) || id_map_find(&show->reservations, &hold->reservation) != hold)
            return broken(finding, "9: hold %u is not found by its reservation", slot);
        ended += !is_alive(hold);
    }
    if (show->reservations.count != show->slots_used)
        return broken(finding, "9: %u reservations for %u holds", show->reservations.count, show->slots_used);
    uint32_t last = HOLD_NO_SLOT;
    for (uint32_t slot = show->first_ended; slot != HOLD_NO_SLOT; slot = show->holds[slot].next_ended) {
        if (slot >= show->slots_used || is_alive(&show->holds[slot]) || listed++ >= ended)
            return broken(finding, "10: the list of ended holds has one that is not, or goes round");
        last = slot;
    }
    if (listed != ended || last != show->last_ended)
        return broken(finding, "10: %u holds have ended, %u are listed", ended, listed);
    return true;
}

/* Invariant 11: a fan's count is the number of seats that fan holds or has booked. */
static bool check_fans(const struct show *show, struct finding *finding) {
    const struct fans *fans = &show->fans;
    uint32_t live = 0;
    for (uint32_t i = 0; i < fans->used; i++)
        fans->entries[i].recount = 0;
    for (uint32_t seat = 0; seat < show->seat_count; seat++) {
        uint8_t state = pairs_get(show->states, seat);
        if (state == SEAT_AVAILABLE || bits_get(show->blocked, seat))
            continue;
        uint32_t fan = state == SEAT_HELD ? show->holds[show->holders[seat]].fan : show->holders[seat];
        if (fan == FAN_NONE)
            continue;
        if (fan >= fans->used)
            return broken(finding, "11: seat %u belongs to a fan who is not there", seat);
        fans->entries[fan].recount++;
    }
    for (uint32_t i = 0; i < fans->used; i++) {
        const struct fan *fan = &fans->entries[i];
        live += fan->hash != 0;
        if (fan->recount != (fan->hash ? fan->seat_count : 0) || (fan->hash && fan->seat_count == 0))
            return broken(finding, "11: fan %u has %u seats and counts %u", i, fan->recount, fan->seat_count);
    }
    if (live != fans->by_user.count)
        return broken(finding, "11: %u fans have seats, %u are in the table", live, fans->by_user.count);
    return true;
}

/* Invariant 12: no place of an area is available below the area's hint. */
static bool check_hints(const struct show *show, struct finding *finding) {
    for (uint32_t i = 0; i < show->plan->section_count; i++) {
        const struct plan_section *section = &show->plan->sections[i];
        if (section->is_area && bits_next(show->available, section->first_seat, show->area_hints[i]) != BITS_NONE)
            return broken(finding, "12: area %u has places below its hint", i);
    }
    return true;
}

bool show_check(const struct show *show, char *why, size_t why_size) {
    assert_locked(show);
    struct finding finding = {why, why_size};
    return check_bitmaps(show, &finding) && check_counts(show, &finding) && check_holding(show, &finding) &&
           check_deadlines(show, &finding) && check_memory(show, &finding) && check_fans(show, &finding) &&
           check_hints(show, &finding);
}
