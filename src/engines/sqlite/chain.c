#include "engines/sqlite/chain.h"

#include <sodium.h>

static void add_u32(crypto_generichash_state *state, uint32_t value) {
    uint8_t bytes[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    crypto_generichash_update(state, bytes, sizeof bytes);
}

static void add_part(crypto_generichash_state *state, struct bytes part) {
    if (!part.at) {
        add_u32(state, UINT32_MAX);
        return;
    }
    add_u32(state, (uint32_t)part.length);
    crypto_generichash_update(state, (const uint8_t *)part.at, part.length);
}

static void hash_parts(size_t count, const struct bytes *parts, uint8_t hash[static CHAIN_HASH_BYTES]) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, CHAIN_HASH_BYTES);
    for (size_t i = 0; i < count; i++)
        add_part(&state, parts[i]);
    crypto_generichash_final(&state, hash, CHAIN_HASH_BYTES);
}

void chain_person(struct bytes salt, struct bytes user_id, uint8_t hash[static CHAIN_HASH_BYTES]) {
    const struct bytes parts[] = {BYTES("onsale audit person 1"), salt, user_id};
    hash_parts(sizeof parts / sizeof parts[0], parts, hash);
}

void chain_why(struct bytes salt, struct bytes reason, uint8_t hash[static CHAIN_HASH_BYTES]) {
    const struct bytes parts[] = {BYTES("onsale audit reason 1"), salt, reason};
    hash_parts(sizeof parts / sizeof parts[0], parts, hash);
}

void chain_hash(const uint8_t before[static CHAIN_HASH_BYTES], const struct chain_row *row,
                uint8_t hash[static CHAIN_HASH_BYTES]) {
    const struct bytes parts[] = {row->at,         row->actor,  row->action, row->show_id,
                                  row->booking_id, row->detail, row->person, row->why};
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, CHAIN_HASH_BYTES);
    add_part(&state, BYTES("onsale audit row 1"));
    crypto_generichash_update(&state, before, CHAIN_HASH_BYTES);
    add_u32(&state, (uint32_t)(row->number >> 32));
    add_u32(&state, (uint32_t)row->number);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        add_part(&state, parts[i]);
    crypto_generichash_final(&state, hash, CHAIN_HASH_BYTES);
}
