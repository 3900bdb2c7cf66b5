/* A clerk: a thread that may block. It has a reader of the ledger, and does what reactors hand it, one job after the
 * other: reading bookings, reading a stadium's plan. */
#ifndef ONSALE_RUNTIME_CLERK_H
#define ONSALE_RUNTIME_CLERK_H

#include "api/api.h"

struct clerk;

MUST_USE enum result clerk_start(const struct ledger *ledger, struct clerk **clerk);
/* Any thread. The job is run, and the runner's, some time later. */
void clerk_run(struct clerk *clerk, struct clerk_job *job);
/* Does what was handed over before, then ends the thread. */
void clerk_stop(struct clerk *clerk);

#endif
