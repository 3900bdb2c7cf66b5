/* A seeded generator, and what a simulated fan draws from it: the same seed gives the same fan.
 *
 * SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014). Nothing that must not
 * be guessed comes from here. */
#ifndef ONSALE_CROWD_CHANCE_H
#define ONSALE_CROWD_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

/* A generator of its own for each `number` under one seed. */
struct chance chance_of_fan(uint64_t seed, uint64_t number);

uint64_t chance_next(struct chance *chance);
double chance_unit(struct chance *chance); /* 0 … below 1 */
uint32_t chance_below(struct chance *chance, uint32_t bound);
int64_t chance_between(struct chance *chance, int64_t least, int64_t most); /* both included */
bool chance_hits(struct chance *chance, unsigned permille);

/* How long a human takes: log-normal around the median, so that most are quick and a few take very long; `spread` is
 * the standard deviation of the logarithm. At most `most`. */
int64_t chance_log_normal(struct chance *chance, int64_t median, double spread, int64_t most);

#endif
