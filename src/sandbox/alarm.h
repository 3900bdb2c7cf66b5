/* An alarm clock: a thread that sleeps until a moment and then rings, so that a reactor can keep its own deadlines. */
#ifndef ONSALE_SANDBOX_ALARM_H
#define ONSALE_SANDBOX_ALARM_H

#include "base/result.h"

#include <stdint.h>

struct alarm;

/* `ring` is called on the alarm's thread. OVERLOADED: no memory, no thread. */
MUST_USE enum result alarm_new(void (*ring)(void *context), void *context, struct alarm **alarm);
/* Rings once, at that moment of clock_monotonic_us(); INT64_MAX: not at all. Replaces what was set. Any thread. */
void alarm_set(struct alarm *alarm, int64_t at_us);
void alarm_free(struct alarm *alarm); /* NULL is allowed */

#endif
