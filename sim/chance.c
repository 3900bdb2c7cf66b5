#include "chance.h"

uint64_t chance_mix(uint64_t value) {
    value += 0x9e3779b97f4a7c15;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
}

void chance_seed(struct chance *chance, uint64_t seed, uint64_t stream) {
    uint64_t value = chance_mix(seed) ^ chance_mix(~stream);
    for (int i = 0; i < 4; i++)
        chance->state[i] = value = chance_mix(value);
}

static uint64_t rotate(uint64_t value, int by) {
    return value << by | value >> (64 - by);
}

uint64_t chance_next(struct chance *chance) {
    uint64_t *state = chance->state;
    uint64_t result = rotate(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate(state[3], 45);
    return result;
}

uint32_t chance_below(struct chance *chance, uint32_t bound) {
    return (uint32_t)((chance_next(chance) >> 32) * bound >> 32);
}

int64_t chance_between(struct chance *chance, int64_t least, int64_t most) {
    return least + (int64_t)(chance_next(chance) % (uint64_t)(most - least + 1));
}

bool chance_permille(struct chance *chance, uint32_t permille) {
    return chance_below(chance, 1000) < permille;
}

int64_t chance_exponential(struct chance *chance, int64_t mean) {
    uint64_t drawn = chance_next(chance) | 1;
    int64_t halvings = __builtin_clzll(drawn);
    int64_t part = (int64_t)(chance_next(chance) >> 48); /* of 65,536 */
    return mean * 693 / 1000 * (halvings * 65536 + part) / 65536;
}
