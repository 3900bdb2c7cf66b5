/* What wakes a thread that sleeps until work or time comes: an eventfd that is waited for with a limit.
 *
 * bell_ring() from any thread; bell_wait() by the one that sleeps. A ring before the wait is not lost. */
#ifndef ONSALE_RUNTIME_BELL_H
#define ONSALE_RUNTIME_BELL_H

#include "base/result.h"

struct bell {
    int fd;
};

MUST_USE enum result bell_init(struct bell *bell);
void bell_release(struct bell *bell);
void bell_ring(void *bell);
/* Returns when it was rung, or after timeout_ms (negative: never). */
void bell_wait(struct bell *bell, int timeout_ms);

#endif
