/* Chance that can be had again: everything random in a simulated world comes from one seed.
 *
 * xoshiro256** (Blackman and Vigna 2018), seeded by splitmix64; each part of the world has a stream of its own, so that
 * a change of one leaves the others as they were. Whole numbers only: what is drawn is the same with every compiler.
 */
#ifndef ONSALE_SIM_CHANCE_H
#define ONSALE_SIM_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
    uint64_t state[4];
};

void chance_seed(struct chance *chance, uint64_t seed, uint64_t stream);
uint64_t chance_next(struct chance *chance);
/* 0 … bound-1; bound is not 0. */
uint32_t chance_below(struct chance *chance, uint32_t bound);
/* Both included. */
int64_t chance_between(struct chance *chance, int64_t least, int64_t most);
bool chance_permille(struct chance *chance, uint32_t permille);
/* As waiting times are: many short ones, few long. A straight line between the powers of two of the true curve. */
int64_t chance_exponential(struct chance *chance, int64_t mean);
/* splitmix64's step, as a mixing function. */
uint64_t chance_mix(uint64_t value);

#endif
