/* Single seats left alone. Private to src/seats.
 *
 * A seat is an orphan if it is available and has no available neighbour in its row: taken, blocked, a gap or the row's
 * end on both sides. A take makes an orphan of a seat that was not one before it; that seat is always the neighbour of
 * a taken one. General admission has no neighbours and so no orphans.
 *
 * The rule for picked seats (show_settings.orphan_rule), judged on the whole take:
 *
 *   off      nothing
 *   warn     the orphans it makes are told, and it is taken
 *   refuse   it is refused, if it makes orphans and another choice is left: somewhere in the show, as it was before
 *            the take, as many adjacent seats of the same category are to be had without making an orphan
 *            (best_has_tidy_place; of each of the categories, if the take mixes them). Otherwise it is taken, and the
 *            orphans are told.
 *
 * So the rule never loses the last possible sale: a run of exactly the seats asked for makes no orphan, a run of one
 * more that is the last one left may be broken up, and so may what is left when a party is larger than any run.
 */
#ifndef ONSALE_SEATS_ORPHAN_H
#define ONSALE_SEATS_ORPHAN_H

#include "seats/plan.h"

/* How many orphans (0 to 2) are made by taking the run [first, first + count) of available seats of a row. */
uint32_t orphans_of_run(const struct plan *plan, const uint64_t *available, uint32_t first, uint32_t count);

/* The orphans that a take has made, each once. `states`: two bits a seat from before the take; `available`: the bitmap
 * after it. Returns how many; `orphans` has room for 2 × count. */
uint32_t orphans_of_take(const struct plan *plan, const uint8_t *states, const uint64_t *available, uint32_t count,
                         const uint32_t *seats, uint32_t *orphans);

#endif
