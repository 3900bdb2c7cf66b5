#include "seats/best_available.h"
#include "base/panic.h"
#include "seats/bits.h"
#include "seats/orphan.h"

#include <string.h>

/* Where runs start; one word more than the seats need, for the carry. */
static _Thread_local uint64_t run_starts[LIMIT_SEATS_PER_SHOW / 64 + 2];

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

/* run_starts &= run_starts >> by, over all words; by is 1 to 63. */
static void fold(uint32_t words, uint32_t by) {
    static_assert(LIMIT_SEATS_PER_HOLD <= 128, "the longest run is folded by less than a word");
    for (uint32_t i = 0; i < words; i++) {
        uint64_t next = i + 1 < words ? run_starts[i + 1] : 0;
        run_starts[i] &= run_starts[i] >> by | next << (64 - by);
    }
}

/* Leaves in run_starts the seats at which `quantity` adjacent available ones start. A run of n seats is a run of n - 1
 * bits of "available, and joined to the next, which is available too". */
static void find_runs(const struct best_index *index, const uint64_t *available, uint32_t quantity,
                      const uint64_t *joined) {
    uint32_t words = bits_words(index->plan->seat_count);
    if (quantity == 1) {
        memcpy(run_starts, available, words * sizeof *available);
        return;
    }
    for (uint32_t i = 0; i < words; i++) {
        uint64_t next = available[i] >> 1 | (i + 1 < words ? available[i + 1] << 63 : 0);
        run_starts[i] = available[i] & next & joined[i];
    }
    for (uint32_t length = 1; length < quantity - 1;) {
        uint32_t by = length < quantity - 1 - length ? length : quantity - 1 - length;
        fold(words, by);
        length += by;
    }
}

/* The next start of a run in the stretch that is of the category, from `from` on, or BITS_NONE. */
static uint32_t next_start(const struct best_index *index, const struct best_stretch *stretch, uint32_t from,
                           uint32_t category) {
    uint32_t end = stretch->first_seat + stretch->seat_count;
    uint32_t start = bits_next(run_starts, from, end);
    if (category == PLAN_NO_SEAT || stretch->category_mask == 1ULL << category)
        return start;
    while (start != BITS_NONE && index->plan->seat_category[start] != category)
        start = bits_next(run_starts, start + 1, end);
    return start;
}

static bool may_have(const struct best_stretch *stretch, uint32_t category) {
    return category == PLAN_NO_SEAT || stretch->category_mask >> category & 1;
}

static const uint64_t *joined_for(const struct best_index *index, uint32_t category) {
    return category == PLAN_NO_SEAT ? index->joined : index->joined_category;
}

struct place {
    uint32_t start;
    uint32_t orphans;
    uint32_t off_centre; /* twice the distance of its middle from the centre line */
};

/* Improves `best` by the places of one row; ties keep what was found first, which has the lower rank and index. */
static void consider_row(const struct best_index *index, const uint64_t *available, const struct best_stretch *row,
                         uint32_t quantity, uint32_t category, struct place *best) {
    bool best_is_here = false;
    for (uint32_t start = next_start(index, row, row->first_seat, category); start != BITS_NONE;
         start = next_start(index, row, start + 1, category)) {
        int64_t middle = 2 * (int64_t)(start - row->first_seat) + quantity - 1;
        struct place place = {start, orphans_of_run(index->plan, available, start, quantity),
                              (uint32_t)(middle < row->centre ? row->centre - middle : middle - row->centre)};
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
    find_runs(index, available, quantity, joined_for(index, category));
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

bool best_has_tidy_place(const struct best_index *index, const uint64_t *available, uint32_t quantity,
                         uint32_t category) {
    find_runs(index, available, quantity, joined_for(index, category));
    for (uint32_t i = 0; i < index->plan->row_count; i++) {
        const struct best_stretch *row = &index->stretches[i];
        if (!may_have(row, category))
            continue;
        for (uint32_t start = next_start(index, row, row->first_seat, category); start != BITS_NONE;
             start = next_start(index, row, start + 1, category))
            if (orphans_of_run(index->plan, available, start, quantity) == 0)
                return true;
    }
    return false;
}
