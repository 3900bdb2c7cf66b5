/* Things with a deadline, the earliest first: an intrusive binary heap. Not locked: its owner's thread only. */
#ifndef ONSALE_BASE_DEADLINES_H
#define ONSALE_BASE_DEADLINES_H

#include "base/result.h"

#include <stdbool.h>
#include <stdint.h>

struct deadline {
    int64_t at_ms;
    uint32_t place; /* 1-based in the heap; 0: not in it */
};

struct deadlines {
    struct deadline **heap; /* heap[0] is unused */
    uint32_t count;
    uint32_t limit;
};

MUST_USE enum result deadlines_init(struct deadlines *deadlines, uint32_t limit);
void deadlines_release(struct deadlines *deadlines);

/* Sets, moves or (with INT64_MAX) takes out. The heap never overflows as long as at most `limit` things use it
 * (asserted). */
void deadlines_set(struct deadlines *deadlines, struct deadline *deadline, int64_t at_ms);
/* The earliest, or NULL. */
struct deadline *deadlines_first(const struct deadlines *deadlines);

#endif
