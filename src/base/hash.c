#include "base/hash.h"
#include "base/panic.h"
#include "base/random.h"

#include <sodium.h>

static uint8_t key[crypto_shorthash_KEYBYTES];
static uint8_t tag_key[crypto_shorthash_siphashx24_KEYBYTES];

void hash_set_up(void) {
    int status = sodium_init();
    assert(status >= 0);
    random_bytes(key, sizeof key);
    random_bytes(tag_key, sizeof tag_key);
}

uint64_t hash_u64(struct bytes data) {
    uint64_t hash;
    _Static_assert(sizeof hash == crypto_shorthash_BYTES, "SipHash-2-4 gives 64 bits");
    crypto_shorthash((uint8_t *)&hash, (const uint8_t *)data.at, data.length, key);
    return hash;
}

struct id hash_tag(struct bytes data) {
    struct id tag;
    _Static_assert(sizeof tag.at == crypto_shorthash_siphashx24_BYTES, "a tag is as long as an id");
    crypto_shorthash_siphashx24(tag.at, (const uint8_t *)data.at, data.length, tag_key);
    return tag;
}

struct id hash_128(const struct bytes *parts, size_t count) {
    crypto_generichash_state state;
    struct id hash;
    crypto_generichash_init(&state, NULL, 0, sizeof hash.at);
    for (size_t i = 0; i < count; i++) {
        uint64_t length = parts[i].length;
        crypto_generichash_update(&state, (const uint8_t *)&length, sizeof length);
        crypto_generichash_update(&state, (const uint8_t *)parts[i].at, parts[i].length);
    }
    crypto_generichash_final(&state, hash.at, sizeof hash.at);
    return hash;
}
