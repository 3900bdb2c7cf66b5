/* When to try again what failed: after a random part of a time that doubles with every failure (full jitter), so that
 * many who lost the same peer at once do not come back to it at once.
 *
 * Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. */
#ifndef ONSALE_ENGINES_UPSTREAM_RETRY_H
#define ONSALE_ENGINES_UPSTREAM_RETRY_H

#include <stdint.h>

#define RETRY_FIRST_MS 500
#define RETRY_MOST_MS 20000

/* All zero at first, and after a success. */
struct retry {
    unsigned failures;
};

/* It failed, again. How long to wait: 0 to RETRY_FIRST_MS × 2^failures, RETRY_MOST_MS at most. `random`: any number. */
static inline int64_t retry_wait_ms(struct retry *retry, uint64_t random) {
    int64_t most = RETRY_MOST_MS;
    if (retry->failures < 16 && ((int64_t)RETRY_FIRST_MS << retry->failures) < RETRY_MOST_MS)
        most = (int64_t)RETRY_FIRST_MS << retry->failures;
    retry->failures += retry->failures < 16;
    return (int64_t)(random % (uint64_t)(most + 1));
}

#endif
