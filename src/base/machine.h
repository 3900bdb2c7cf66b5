/* State machines: one table a machine, indexed by state and event, and the one function that moves.
 *
 * What is not in the table cannot happen: machine_move() panics and names the machine, the state and the event. Whoever
 * may be refused asks machine_allows() first. Each move is counted under its event's metric. Not locked: the mover of
 * the object asserts its own lock.
 */
#ifndef ONSALE_BASE_MACHINE_H
#define ONSALE_BASE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* An entry of the table; entries left out are 0, which is no move. */
#define MACHINE_TO(state) ((uint8_t)((state) + 1))
#define MACHINE_NOT_COUNTED (-1)

struct machine_event {
    const char *name;
    int metric; /* enum metric, or MACHINE_NOT_COUNTED */
};

struct machine {
    const char *name;
    uint8_t state_count, event_count;
    const char *const *states; /* their names */
    const struct machine_event *events;
    const uint8_t *to; /* [state_count][event_count] of MACHINE_TO() or 0 */
};

bool machine_allows(const struct machine *machine, uint8_t state, uint8_t event);
void machine_move(const struct machine *machine, uint8_t *state, uint8_t event);

#endif
