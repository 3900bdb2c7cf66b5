/* FIPS 180-4, 6.1: the message is padded to blocks of 64 bytes, each of which is mixed into five words. */
#include "base/sha1.h"

#define BLOCK_BYTES 64

static uint32_t rotate(uint32_t word, int by) {
    return word << by | word >> (32 - by);
}

static void mix(uint32_t state[static 5], const uint8_t block[static BLOCK_BYTES]) {
    uint32_t schedule[80];
    for (int i = 0; i < 16; i++)
        schedule[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
                      (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        schedule[i] = rotate(schedule[i - 3] ^ schedule[i - 8] ^ schedule[i - 14] ^ schedule[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 80; i++) {
        uint32_t chosen = i < 20   ? (b & c) | (~b & d)
                          : i < 40 ? b ^ c ^ d
                          : i < 60 ? (b & c) | (b & d) | (c & d)
                                   : b ^ c ^ d;
        uint32_t constant = i < 20 ? 0x5a827999u : i < 40 ? 0x6ed9eba1u : i < 60 ? 0x8f1bbcdcu : 0xca62c1d6u;
        uint32_t next = rotate(a, 5) + chosen + e + constant + schedule[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void sha1(struct bytes text, uint8_t digest[static SHA1_BYTES]) {
    uint32_t state[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u};
    size_t at = 0;
    for (; text.length - at >= BLOCK_BYTES; at += BLOCK_BYTES)
        mix(state, (const uint8_t *)text.at + at);
    uint8_t last[2 * BLOCK_BYTES] = {0};
    size_t left = text.length - at;
    if (left)
        memcpy(last, text.at + at, left);
    last[left] = 0x80;
    size_t padded = left + 9 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    for (size_t i = 0; i < 8; i++)
        last[padded - 1 - i] = (uint8_t)((uint64_t)text.length * 8 >> 8 * i);
    for (size_t block = 0; block < padded; block += BLOCK_BYTES)
        mix(state, last + block);
    for (size_t i = 0; i < SHA1_BYTES; i++)
        digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}
