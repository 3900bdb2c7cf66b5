/* The one clock of a process: milliseconds since the epoch that never step.
 *
 * Wall time is read once, at the first call; from there CLOCK_BOOTTIME carries on. So an operator or NTP that steps the
 * wall clock moves no deadline, and a suspended machine finds its holds expired when it wakes. The price: a wall clock
 * corrected while we run is followed only after a restart.
 *
 * Deciding modules never call this: they take `now_ms`. Any thread may.
 */
#ifndef ONSALE_BASE_CLOCK_H
#define ONSALE_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

int64_t clock_now_ms(void);

/* For durations only: microseconds from an arbitrary start, CLOCK_MONOTONIC. */
int64_t clock_monotonic_us(void);

#define CLOCK_TEXT_BYTES 25 /* "2026-11-24T08:47:58.123Z" and its NUL */

/* RFC 3339 in UTC with milliseconds; `text` takes CLOCK_TEXT_BYTES. Returns its length, 24. */
size_t clock_format(int64_t ms, char text[static CLOCK_TEXT_BYTES]);

/* RFC 3339 date-time with any offset, years 1970 to 9999; a fraction is cut to milliseconds. False if it is not one. */
bool clock_parse(struct bytes text, int64_t *ms);

#endif
