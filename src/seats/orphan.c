#include "seats/orphan.h"
#include "seats/bits.h"

/* The neighbour's index, or PLAN_NO_SEAT. */
static uint32_t left_of(const struct plan *plan, uint32_t seat) {
    return seat > 0 && !plan_gap_after(plan, seat - 1) ? seat - 1 : PLAN_NO_SEAT;
}

static uint32_t right_of(const struct plan *plan, uint32_t seat) {
    return plan_gap_after(plan, seat) ? PLAN_NO_SEAT : seat + 1;
}

static bool is_free(const uint64_t *available, uint32_t seat) {
    return seat != PLAN_NO_SEAT && bits_get(available, seat);
}

uint32_t orphans_of_run(const struct plan *plan, const uint64_t *available, uint32_t first, uint32_t count) {
    uint32_t left = left_of(plan, first), right = right_of(plan, first + count - 1);
    uint32_t orphans = 0;
    if (is_free(available, left) && !is_free(available, left_of(plan, left)))
        orphans++;
    if (is_free(available, right) && !is_free(available, right_of(plan, right)))
        orphans++;
    return orphans;
}

uint32_t orphans_of_take(const struct plan *plan, const uint8_t *states, const uint64_t *available, uint32_t count,
                         const uint32_t *seats, uint32_t *orphans) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t left = left_of(plan, seats[i]), right = right_of(plan, seats[i]);
        if (is_free(available, left)) {
            uint32_t beyond = left_of(plan, left);
            /* One between two taken seats is counted by the seat on its left. */
            bool taken_now = beyond != PLAN_NO_SEAT && !bits_get(available, beyond) && pairs_get(states, beyond) == 0;
            if (!is_free(available, beyond) && !taken_now)
                orphans[found++] = left;
        }
        if (is_free(available, right) && !is_free(available, right_of(plan, right)))
            orphans[found++] = right;
    }
    return found;
}
