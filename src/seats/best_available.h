/* Best available: the best place for a party that wants to sit together. Private to src/seats.
 *
 * A place is `quantity` adjacent available seats of one row (neighbours share a row and no gap is between them), all of
 * the category asked for, if one was; a category is not asked for: any, and they may differ. What makes one better, in
 * this order:
 *
 *   1. The quality of its row. Rows have a rank (plan.h); let r be the best rank that has any place. Rows of rank r to
 *      r + row_count / BEST_QUALITY_STEPS are of the same quality, and no others count. (In a hall of fewer than
 *      BEST_QUALITY_STEPS rows that is the one row.)
 *   2. The fewest single seats left alone by it (orphan.h): 0, 1 or 2.
 *   3. The rank of its row.
 *   4. The distance of its middle from the row's centre line, counted in seats. The centre line is at the seat nearest
 *      to the plan's focus, or in the middle between the first and the last of those that are equally near (the
 *      square of the distance at most 1 in 500 larger): the middle of a straight row that faces the stage, and of a
 *      row curved around it.
 *   5. The lower seat index.
 *
 * Where no row has a place, general admission is looked at: the first area, in plan order, that has `quantity` places
 * left (of that category) gives its first ones. Failing that: SOLD_OUT if fewer than `quantity` seats and places are
 * left in all, else NO_ADJACENT_SEATS.
 *
 * How: rows are looked at in order of rank until one has a place, and then to the end of its quality, if single seats
 * are left. A row is cut into its runs of available seats by counting bits, a word at a time. O(rows + seats / 64) for
 * the whole house, and O(1) for each place in the rows of the quality that is found.
 *
 * The index depends on the plan alone and is immutable. Searching needs no lock of its own: it reads whatever bitmap it
 * is given, a copy made under the show's lock or, under the lock, the show's own.
 */
#ifndef ONSALE_SEATS_BEST_AVAILABLE_H
#define ONSALE_SEATS_BEST_AVAILABLE_H

#include "seats/plan.h"

#define BEST_QUALITY_STEPS 64

/* A row or, at the end of the list, an area. */
struct best_stretch {
    uint32_t first_seat, seat_count;
    uint32_t rank;          /* BEST_AREA: an area */
    uint32_t centre;        /* twice the index, within the row, of its centre line */
    uint64_t category_mask; /* which categories it has */
};
#define BEST_AREA UINT32_MAX

struct best_index {
    const struct plan *plan;
    struct best_stretch *stretches; /* rows by rank, then areas in plan order */
    uint32_t stretch_count;
    uint64_t *joined;          /* bit i: i and i + 1 are neighbours */
    uint64_t *joined_category; /* … of the same category */
};

/* How many stretches the plan needs. */
uint32_t best_stretch_count(const struct plan *plan);
/* Fills the index, whose pointers the caller has set: `stretches` for best_stretch_count(), the bitmaps zeroed. */
void best_index_fill(struct best_index *index, const struct plan *plan);

/* RESULT_OK and the seats, in plan order (room for `quantity`, 1 to LIMIT_SEATS_PER_HOLD), SOLD_OUT or
 * NO_ADJACENT_SEATS. category: PLAN_NO_SEAT for any. */
MUST_USE enum result best_find(const struct best_index *index, const uint64_t *available, uint32_t quantity,
                               uint32_t category, uint32_t *seats);

/* Whether some row, of any quality, has a place that leaves no single seat alone. */
bool best_has_tidy_place(const struct best_index *index, const uint64_t *available, uint32_t quantity,
                         uint32_t category);

#endif
