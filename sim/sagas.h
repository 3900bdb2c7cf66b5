/* What sim/sagas.c (a saga driven on) and sim/sagas_again.c (one taken up from the ledger) share. */
#ifndef ONSALE_SIM_SAGAS_H
#define ONSALE_SIM_SAGAS_H

#include "world.h"

/* Good until the next sagas_open(). */
struct open_saga *sagas_at(struct world *world, uint32_t slot);
uint32_t sagas_open(struct world *world, const struct id *reservation);
/* SERVER_NO_SAGA: none. */
uint32_t sagas_find(const struct world *world, const struct id *reservation);
/* Tells the saga, and does what it says. */
void sagas_happen(struct world *world, uint32_t slot, enum saga_event event);
void sagas_sleep_until(struct world *world, uint32_t slot, int64_t at_ms);
/* Writes the booking as it is now, in the state saga.target. */
void sagas_submit(struct world *world, uint32_t slot, enum ledger_kind kind);
/* It is on the list of what needs a human, who takes a while. */
void sagas_show_to_operator(struct world *world, uint32_t row);

#endif
