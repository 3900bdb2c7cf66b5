#include "base/machine.h"
#include "base/metrics.h"
#include "base/panic.h"

#include <stdio.h>

static uint8_t entry_of(const struct machine *machine, uint8_t state, uint8_t event) {
    assert(state < machine->state_count && event < machine->event_count);
    return machine->to[state * machine->event_count + event];
}

bool machine_allows(const struct machine *machine, uint8_t state, uint8_t event) {
    return entry_of(machine, state, event) != 0;
}

__attribute__((noreturn, cold)) static void refuse(const struct machine *machine, uint8_t state, uint8_t event) {
    char what[128];
    snprintf(what, sizeof what, "%s cannot move from %s by %s", machine->name, machine->states[state],
             machine->events[event].name);
    panic_at(__FILE__, __LINE__, "machine_move", what);
}

void machine_move(const struct machine *machine, uint8_t *state, uint8_t event) {
    uint8_t entry = entry_of(machine, *state, event);
    if (!entry)
        refuse(machine, *state, event);
    *state = (uint8_t)(entry - 1);
    if (machine->events[event].metric != MACHINE_NOT_COUNTED)
        metric_add((enum metric)machine->events[event].metric, 1);
}
