/* The drip: how many fans may be let in by now.
 *
 * A token bucket at rate × factor, filled in proportion to time and holding at most one second's worth (at least one
 * whole token). So in every window of time, however it is laid, at most rate × length + one second's worth (or one)
 * are taken. A new drip is empty: where a process starts again, what the one before it let in needs not be known, since
 * the bounds of the windows before and after add up.
 *
 * The factor adapts to the shop (additive increase, multiplicative decrease, as TCP does; Chiu and Jain 1989): a look
 * at the booking path that finds too many slow or failed answers halves it, a good one adds a twentieth, up to 1.
 *
 * Time comes in and may stand still or step back: then nothing is filled. Arithmetic is in whole units: a token is
 * DRIP_TOKEN, and rate × milliseconds never overflows.
 */
#ifndef ONSALE_WAITROOM_DRIP_H
#define ONSALE_WAITROOM_DRIP_H

#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define DRIP_TOKEN                                                                                                     \
    (60LL * 1000 * 1000)     /* what a rate of 1 a minute fills in a minute, by milliseconds and thousandths */
#define DRIP_FACTOR_ONE 1000 /* the factor is in thousandths */
#define DRIP_FACTOR_LEAST 50
#define DRIP_FACTOR_STEP 50

struct drip {
    uint32_t rate_per_minute;
    uint32_t factor;   /* DRIP_FACTOR_LEAST … DRIP_FACTOR_ONE */
    int64_t level;     /* in 1/DRIP_TOKEN */
    int64_t filled_ms; /* up to when */
};

void drip_init(struct drip *drip, uint32_t rate_per_minute, int64_t now_ms);
/* Fills at the old rate first, then goes on at the new one. */
void drip_set_rate(struct drip *drip, uint32_t rate_per_minute, int64_t now_ms);
void drip_fill(struct drip *drip, int64_t now_ms);
/* Whole tokens there are, after drip_fill(). */
uint32_t drip_tokens(const struct drip *drip);
/* Takes one; there must be one (asserted). */
void drip_take(struct drip *drip);
/* When the next token will be there, in milliseconds from `filled_ms`; 0 if there is one. */
int64_t drip_wait_ms(const struct drip *drip);

/* What was seen of the booking path since the last look. */
struct drip_look {
    uint32_t answers; /* reserve and confirm calls answered */
    uint32_t slow;    /* confirms that took longer than the threshold */
    uint32_t failed;  /* calls refused because something behind us did not answer or was at its limit (5xx) */
};
/* `most_percent`: more slow or failed answers than that, and at least three, is too many. No answers: a good look. */
void drip_adapt(struct drip *drip, const struct drip_look *look, uint32_t most_percent, int64_t now_ms);

#endif
