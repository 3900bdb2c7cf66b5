/* Bitmaps over the seats of a plan, bit i of word i / 64 being seat i, and two-bit states, four to a byte. Private to
 * src/seats. */
#ifndef ONSALE_SEATS_BITS_H
#define ONSALE_SEATS_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BITS_NONE UINT32_MAX

static inline uint32_t bits_words(uint32_t count) {
    return (count + 63) / 64;
}

static inline bool bits_get(const uint64_t *bits, uint32_t i) {
    return bits[i / 64] >> (i % 64) & 1;
}

static inline void bits_put(uint64_t *bits, uint32_t i, bool value) {
    uint64_t bit = 1ULL << (i % 64);
    bits[i / 64] = value ? bits[i / 64] | bit : bits[i / 64] & ~bit;
}

/* The first set bit of [from, end), or BITS_NONE. */
static inline uint32_t bits_next(const uint64_t *bits, uint32_t from, uint32_t end) {
    if (from >= end)
        return BITS_NONE;
    uint32_t word = from / 64, last = (end - 1) / 64;
    uint64_t rest = bits[word] & ~0ULL << (from % 64);
    while (!rest) {
        if (word == last)
            return BITS_NONE;
        rest = bits[++word];
    }
    uint32_t found = word * 64 + (uint32_t)__builtin_ctzll(rest);
    return found < end ? found : BITS_NONE;
}

static inline uint8_t pairs_get(const uint8_t *pairs, uint32_t i) {
    return pairs[i / 4] >> (i % 4 * 2) & 3;
}

static inline void pairs_put(uint8_t *pairs, uint32_t i, uint8_t value) {
    unsigned shift = i % 4 * 2;
    pairs[i / 4] = (uint8_t)((pairs[i / 4] & ~(3u << shift)) | (unsigned)value << shift);
}

#endif
