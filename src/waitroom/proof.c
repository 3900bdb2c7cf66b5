#include "waitroom/proof.h"
#include "base/panic.h"

#include <sodium.h>

#define MINUTE_MS 60000
#define NONCE_MOST 32
#define MINUTE_AT 3 /* in the text: behind "p1." */
#define MAC_AT 12   /* behind the minute and a dot */

static_assert(MAC_AT + 2 * KEY_MAC_SIZE == PROOF_CHALLENGE_TEXT, "a challenge ends with its MAC");

static void write_challenge(const struct key_generation *key, const struct id *show_id, uint32_t minute,
                            char text[static PROOF_CHALLENGE_TEXT]) {
    uint8_t mac[KEY_MAC_SIZE], bytes[4];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(minute >> (24 - 8 * i));
    const struct bytes parts[] = {BYTES("onsale proof challenge 1"),
                                  {(const char *)show_id->at, sizeof show_id->at},
                                  {(const char *)bytes, sizeof bytes}};
    key_mac(key_mac_key(key), parts, sizeof parts / sizeof parts[0], mac);
    memcpy(text, "p1.", MINUTE_AT);
    hex_encode(bytes, sizeof bytes, text + MINUTE_AT);
    text[MAC_AT - 1] = '.';
    hex_encode(mac, sizeof mac, text + MAC_AT);
}

void proof_challenge(const struct keyring *ring, const struct id *show_id, int64_t now_ms,
                     char text[static PROOF_CHALLENGE_TEXT]) {
    write_challenge(keyring_newest(ring), show_id, (uint32_t)(now_ms / MINUTE_MS), text);
}

/* Of the minute that it says, which is one of the last ones; or of the next, by the clock of a node that is ahead. Any
 * key will do, so that a rotation wastes nobody's work. */
static bool is_ours(const struct keyring *ring, const struct id *show_id, struct bytes challenge, int64_t now_ms) {
    uint8_t bytes[4];
    if (challenge.length != PROOF_CHALLENGE_TEXT ||
        !hex_decode((struct bytes){challenge.at + MINUTE_AT, 2 * sizeof bytes}, bytes, sizeof bytes))
        return false;
    uint32_t minute = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    int64_t age = now_ms / MINUTE_MS - (int64_t)minute;
    if (age < -1 || age >= PROOF_MINUTES)
        return false;
    for (uint32_t i = ring->count; i-- > 0;) {
        char wanted[PROOF_CHALLENGE_TEXT];
        write_challenge(&ring->of[i], show_id, minute, wanted);
        if (sodium_memcmp(wanted, challenge.at, sizeof wanted) == 0)
            return true;
    }
    return false;
}

static bool is_nonce(struct bytes nonce) {
    if (nonce.length < 1 || nonce.length > NONCE_MOST)
        return false;
    for (size_t i = 0; i < nonce.length; i++)
        if (nonce.at[i] <= ' ' || nonce.at[i] > '~' || nonce.at[i] == '.')
            return false;
    return true;
}

static uint32_t zero_bits(const uint8_t *hash, size_t length) {
    uint32_t bits = 0;
    for (size_t i = 0; i < length; i++) {
        if (hash[i])
            return bits + (uint32_t)__builtin_clz(hash[i]) - 24;
        bits += 8;
    }
    return bits;
}

enum result proof_check(const struct keyring *ring, const struct id *show_id, uint32_t bits, struct bytes challenge,
                        struct bytes user, struct bytes nonce, int64_t now_ms) {
    assert(bits <= LIMIT_PROOF_BITS);
    if (user.length > LIMIT_USER_ID_BYTES || !is_nonce(nonce) || !is_ours(ring, show_id, challenge, now_ms))
        return RESULT_PROOF_REQUIRED;
    uint8_t message[PROOF_CHALLENGE_TEXT + 1 + LIMIT_USER_ID_BYTES + 1 + NONCE_MOST], hash[crypto_hash_sha256_BYTES];
    struct buffer text = {.at = (char *)message, .capacity = sizeof message, .limit = sizeof message};
    buffer_add_bytes(&text, challenge);
    buffer_add_char(&text, '.');
    buffer_add_bytes(&text, user);
    buffer_add_char(&text, '.');
    buffer_add_bytes(&text, nonce);
    assert(buffer_ok(&text));
    crypto_hash_sha256(hash, message, text.length);
    return zero_bits(hash, sizeof hash) >= bits ? RESULT_OK : RESULT_PROOF_REQUIRED;
}
