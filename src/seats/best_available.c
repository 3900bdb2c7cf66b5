#include "seats/best_available.h"
#include "base/panic.h"
#include "seats/bits.h"
#include "seats/orphan.h"

#include <string.h>

uint32_t best_stretch_count(const struct plan *plan) {
    uint32_t areas = 0;
    for (uint32_t i = 0; i < plan->section_count; i++)
        areas += plan->sections[i].is_area;
    return plan->row_count + areas;
}

static uint64_t categories_of(const struct plan *plan, uint32_t first, uint32_t count) {
    uint64_t mask = 0;
    for (uint32_t i = 0; i < count; i++)
        mask |= 1ULL << plan->seat_category[first + i];
    return mask;
}

/* The factor between the squares of distances that count as the same. */
#define EQUALLY_NEAR 1.002

static double squared_distance(struct plan_point a, struct plan_point b) {
    double x = (double)a.x - b.x, y = (double)a.y - b.y;
    return x * x + y * y;
}

/* Twice the index, within the row, of its centre line. */
static uint32_t centre_of(const struct plan *plan, const struct plan_row *row) {
    const struct plan_point *at = plan->positions + row->first_seat;
    double nearest = squared_distance(at[0], plan->focus);
    for (uint32_t i = 1; i < row->seat_count; i++) {
        double distance = squared_distance(at[i], plan->focus);
        nearest = distance < nearest ? distance : nearest;
    }
    uint32_t first = 0, last = row->seat_count - 1;
    while (squared_distance(at[first], plan->focus) > nearest * EQUALLY_NEAR)
        first++;
    while (squared_distance(at[last], plan->focus) > nearest * EQUALLY_NEAR)
        last--;
    return first + last;
}

void best_index_fill(struct best_index *index, const struct plan *plan) {
    index->plan = plan;
    index->stretch_count = best_stretch_count(plan);
    for (uint32_t i = 0; i < plan->row_count; i++) {
        const struct plan_row *row = &plan->rows[i];
        assert(row->rank < plan->row_count && row->seat_count > 0);
        index->stretches[row->rank] =
            (struct best_stretch){row->first_seat, row->seat_count, row->rank, centre_of(plan, row),
                                  categories_of(plan, row->first_seat, row->seat_count)};
    }
    struct best_stretch *area = index->stretches + plan->row_count;
    for (uint32_t i = 0; i < plan->section_count; i++) {
        const struct plan_section *section = &plan->sections[i];
        if (section->is_area)
            *area++ = (struct best_stretch){section->first_seat, section->seat_count, BEST_AREA, 0,
                                            categories_of(plan, section->first_seat, section->seat_count)};
    }
    for (uint32_t i = 0; i + 1 < plan->seat_count; i++) {
        bool joined = !plan_gap_after(plan, i);
        bits_put(index->joined, i, joined);
        bits_put(index->joined_category, i, joined && plan->seat_category[i] == plan->seat_category[i + 1]);
    }
}

static bool may_have(const struct best_stretch *stretch, uint32_t category) {
    return category == PLAN_NO_SEAT || stretch->category_mask >> category & 1;
}

/* The last seat of the run of available seats that sit together from `first`, which is one. Whole words at a time: the
 * bits looked at are "available, and joined to the next, which is available too". */
static uint32_t run_last(const struct best_index *index, const uint64_t *available, uint32_t first, uint32_t category) {
    const uint64_t *joined = category == PLAN_NO_SEAT ? index->joined : index->joined_category;
    uint32_t words = bits_words(index->plan->seat_count);
    for (uint32_t seat = first, word = first / 64;; seat = ++word * 64) {
        uint64_t next = available[word] >> 1 | (word + 1 < words ? available[word + 1] << 63 : 0);
        uint64_t ends = ~(available[word] & next & joined[word]) >> (seat % 64);
        if (ends)
            return seat + (uint32_t)__builtin_ctzll(ends);
    }
}

/* A run of seats of one row that is long enough, from `from` on. */
struct run {
    uint32_t first, last; /* first: BITS_NONE, if there is none */
};

static struct run next_run(const struct best_index *index, const uint64_t *available, const struct best_stretch *row,
                           uint32_t from, uint32_t quantity, uint32_t category) {
    uint32_t end = row->first_seat + row->seat_count;
    for (struct run run = {from, 0}; (run.first = bits_next(available, run.first, end)) != BITS_NONE;
         run.first = run.last + 1) {
        run.last = run_last(index, available, run.first, category);
        if (run.last - run.first + 1 >= quantity &&
            (category == PLAN_NO_SEAT || index->plan->seat_category[run.first] == category))
            return run;
    }
    return (struct run){BITS_NONE, BITS_NONE};
}

struct place {
    uint32_t start;
    uint32_t orphans;
    uint32_t off_centre; /* twice the distance of its middle from the centre line */
};

static struct place place_at(const struct best_index *index, const uint64_t *available, const struct best_stretch *row,
                             uint32_t start, uint32_t quantity) {
    int64_t middle = 2 * (int64_t)(start - row->first_seat) + quantity - 1;
    return (struct place){.start = start,
                          .orphans = orphans_of_run(index->plan, available, start, quantity),
                          .off_centre = (uint32_t)(middle < row->centre ? row->centre - middle : middle - row->centre)};
}

/* Improves `best` by the places of one row; ties keep what was found first, which has the lower rank and index. */
static void consider_row(const struct best_index *index, const uint64_t *available, const struct best_stretch *row,
                         uint32_t quantity, uint32_t category, struct place *best) {
    bool best_is_here = false;
    for (struct run run = next_run(index, available, row, row->first_seat, quantity, category); run.first != BITS_NONE;
         run = next_run(index, available, row, run.last + 1, quantity, category))
        for (uint32_t start = run.first; start + quantity - 1 <= run.last; start++) {
            struct place place = place_at(index, available, row, start, quantity);
            if (best->start == BITS_NONE || place.orphans < best->orphans ||
                (best_is_here && place.orphans == best->orphans && place.off_centre < best->off_centre)) {
                *best = place;
                best_is_here = true;
            }
        }
}

static struct place best_in_rows(const struct best_index *index, const uint64_t *available, uint32_t quantity,
                                 uint32_t category) {
    const struct plan *plan = index->plan;
    struct place best = {.start = BITS_NONE};
    uint32_t last = plan->row_count;
    for (uint32_t i = 0; i < last; i++) {
        const struct best_stretch *row = &index->stretches[i];
        if (!may_have(row, category))
            continue;
        bool first = best.start == BITS_NONE;
        consider_row(index, available, row, quantity, category, &best);
        if (best.start == BITS_NONE)
            continue;
        if (best.orphans == 0)
            break;
        if (first && i + plan->row_count / BEST_QUALITY_STEPS + 1 < last)
            last = i + plan->row_count / BEST_QUALITY_STEPS + 1;
    }
    return best;
}

/* The area's first `quantity` places of the category; false if it has fewer. */
static bool fill_from_area(const struct best_index *index, const uint64_t *available, const struct best_stretch *area,
                           uint32_t quantity, uint32_t category, uint32_t *seats) {
    uint32_t end = area->first_seat + area->seat_count, found = 0;
    for (uint32_t seat = bits_next(available, area->first_seat, end); seat != BITS_NONE && found < quantity;
         seat = bits_next(available, seat + 1, end))
        if (category == PLAN_NO_SEAT || index->plan->seat_category[seat] == category)
            seats[found++] = seat;
    return found == quantity;
}

static bool has_at_least(const struct best_index *index, const uint64_t *available, uint32_t quantity,
                         uint32_t category) {
    uint32_t end = index->plan->seat_count, found = 0;
    for (uint32_t seat = bits_next(available, 0, end); seat != BITS_NONE && found < quantity;
         seat = bits_next(available, seat + 1, end))
        found += category == PLAN_NO_SEAT || index->plan->seat_category[seat] == category;
    return found == quantity;
}

enum result best_find(const struct best_index *index, const uint64_t *available, uint32_t quantity, uint32_t category,
                      uint32_t *seats) {
    assert(quantity > 0 && quantity <= LIMIT_SEATS_PER_HOLD);
    assert(category == PLAN_NO_SEAT || category < index->plan->category_count);
    struct place best = best_in_rows(index, available, quantity, category);
    if (best.start != BITS_NONE) {
        for (uint32_t i = 0; i < quantity; i++)
            seats[i] = best.start + i;
        return RESULT_OK;
    }
    uint32_t places[LIMIT_SEATS_PER_HOLD];
    for (uint32_t i = index->plan->row_count; i < index->stretch_count; i++) {
        const struct best_stretch *area = &index->stretches[i];
        if (!may_have(area, category) || !fill_from_area(index, available, area, quantity, category, places))
            continue;
        memcpy(seats, places, quantity * sizeof *seats);
        return RESULT_OK;
    }
    return has_at_least(index, available, quantity, category) ? RESULT_NO_ADJACENT_SEATS : RESULT_SOLD_OUT;
}

static bool has_tidy_place(const struct best_index *index, const uint64_t *available, const struct best_stretch *row,
                           uint32_t quantity, uint32_t category) {
    for (struct run run = next_run(index, available, row, row->first_seat, quantity, category); run.first != BITS_NONE;
         run = next_run(index, available, row, run.last + 1, quantity, category))
        for (uint32_t start = run.first; start + quantity - 1 <= run.last; start++)
            if (orphans_of_run(index->plan, available, start, quantity) == 0)
                return true;
    return false;
}

bool best_has_tidy_place(const struct best_index *index, const uint64_t *available, uint32_t quantity,
                         uint32_t category) {
    for (uint32_t i = 0; i < index->plan->row_count; i++)
        if (may_have(&index->stretches[i], category) &&
            has_tidy_place(index, available, &index->stretches[i], quantity, category))
            return true;
    return false;
}
