/* The shuffle: SHA-256 over length-prefixed parts for commitment and key, SHA-256 in counter mode for the draws. */
#include "waitroom/shuffle.h"
#include "base/panic.h"

#include <sodium.h>

#define DRAWS_IN_A_BLOCK (SHUFFLE_BYTES / 4)

_Static_assert(SHUFFLE_BYTES == crypto_hash_sha256_BYTES, "seed, head and key are SHA-256's");

static void add_part(crypto_hash_sha256_state *state, struct bytes part) {
    assert(part.length <= UINT32_MAX);
    uint8_t length[4] = {(uint8_t)(part.length >> 24), (uint8_t)(part.length >> 16), (uint8_t)(part.length >> 8),
                         (uint8_t)part.length};
    crypto_hash_sha256_update(state, length, sizeof length);
    crypto_hash_sha256_update(state, (const uint8_t *)part.at, part.length);
}

static struct bytes bytes_at(const uint8_t *at, size_t length) {
    return (struct bytes){(const char *)at, length};
}

void shuffle_commitment(const struct id *show_id, const uint8_t seed[static SHUFFLE_BYTES], struct bytes beacon_name,
                        uint8_t commitment[static SHUFFLE_BYTES]) {
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    add_part(&state, BYTES("onsale shuffle commitment 1"));
    add_part(&state, bytes_at(show_id->at, sizeof show_id->at));
    add_part(&state, bytes_at(seed, SHUFFLE_BYTES));
    add_part(&state, beacon_name);
    crypto_hash_sha256_final(&state, commitment);
}

void shuffle_key(const struct id *show_id, const uint8_t seed[static SHUFFLE_BYTES],
                 const uint8_t head[static SHUFFLE_BYTES], struct bytes beacon_value,
                 uint8_t key[static SHUFFLE_BYTES]) {
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    add_part(&state, BYTES("onsale shuffle key 1"));
    add_part(&state, bytes_at(show_id->at, sizeof show_id->at));
    add_part(&state, bytes_at(seed, SHUFFLE_BYTES));
    add_part(&state, bytes_at(head, SHUFFLE_BYTES));
    add_part(&state, beacon_value);
    crypto_hash_sha256_final(&state, key);
}

struct stream {
    uint8_t input[SHUFFLE_BYTES + 8]; /* the key and the counter */
    uint8_t block[SHUFFLE_BYTES];
    uint64_t blocks;
    unsigned used; /* draws of the block */
};

static uint32_t stream_draw(struct stream *stream) {
    if (stream->used == DRAWS_IN_A_BLOCK) {
        for (int i = 0; i < 8; i++)
            stream->input[SHUFFLE_BYTES + i] = (uint8_t)(stream->blocks >> (56 - 8 * i));
        crypto_hash_sha256(stream->block, stream->input, sizeof stream->input);
        stream->blocks++;
        stream->used = 0;
    }
    const uint8_t *at = &stream->block[4 * stream->used++];
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Uniform in 0 … count - 1. */
static uint32_t stream_draw_below(struct stream *stream, uint32_t count) {
    const uint64_t all = UINT64_C(1) << 32;
    uint32_t draw;
    do
        draw = stream_draw(stream);
    while (draw >= all - all % count);
    return draw % count;
}

void shuffle_order(const uint8_t key[static SHUFFLE_BYTES], uint32_t n, uint32_t *order) {
    struct stream stream = {.used = DRAWS_IN_A_BLOCK};
    memcpy(stream.input, key, SHUFFLE_BYTES);
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i-- > 1;) {
        uint32_t j = stream_draw_below(&stream, i + 1);
        uint32_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
