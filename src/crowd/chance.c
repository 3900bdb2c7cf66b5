#include "crowd/chance.h"

#include <assert.h>
#include <math.h>

struct chance chance_of_fan(uint64_t seed, uint64_t number) {
    struct chance chance = {seed};
    chance.state = chance_next(&chance) ^ number * 0xd1342543de82ef95ull;
    return chance;
}

uint64_t chance_next(struct chance *chance) {
    uint64_t mixed = chance->state += 0x9e3779b97f4a7c15ull;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ull;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebull;
    return mixed ^ mixed >> 31;
}

double chance_unit(struct chance *chance) {
    return (double)(chance_next(chance) >> 11) * 0x1p-53;
}

/* The bias of a multiplication without a second draw is below 2^-32: nobody sees it here. */
uint32_t chance_below(struct chance *chance, uint32_t bound) {
    assert(bound > 0);
    return (uint32_t)((chance_next(chance) >> 32) * bound >> 32);
}

int64_t chance_between(struct chance *chance, int64_t least, int64_t most) {
    return most <= least ? least : least + (int64_t)(chance_unit(chance) * (double)(most - least + 1));
}

bool chance_hits(struct chance *chance, unsigned permille) {
    return chance_below(chance, 1000) < permille;
}

/* The normal deviate by Box and Muller (1958). */
int64_t chance_log_normal(struct chance *chance, int64_t median, double spread, int64_t most) {
    double radius = sqrt(-2 * log(1 - chance_unit(chance)));
    double normal = radius * cos(6.283185307179586 * chance_unit(chance));
    double value = (double)median * exp(spread * normal);
    return value < (double)most ? (int64_t)value : most;
}
