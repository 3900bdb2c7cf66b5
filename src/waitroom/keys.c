#include "waitroom/keys.h"
#include "base/base64url.h"
#include "base/json.h"
#include "base/panic.h"

#include <sodium.h>

_Static_assert(KEY_SEED_BYTES == crypto_sign_SEEDBYTES && KEY_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES &&
                   KEY_SECRET_BYTES == crypto_sign_SECRETKEYBYTES && KEY_SIGNATURE_BYTES == crypto_sign_BYTES,
               "libsodium's Ed25519 keys have our sizes");
_Static_assert(KEY_MAC_SIZE == crypto_shorthash_siphashx24_BYTES, "a MAC is SipHash's longer tag");
/* Two uses, two halves: what is known of the one says nothing of the other. */
_Static_assert(sizeof((struct keyring *)0)->blinding == crypto_shorthash_KEYBYTES + crypto_generichash_KEYBYTES_MIN,
               "the blinding key is a key for SipHash and one for BLAKE2b");

void key_derive(struct key_generation *key) {
    crypto_sign_seed_keypair(key->public_key, key->secret_key, key->seed);
}

void key_mac(struct bytes key, const struct bytes *parts, size_t count, uint8_t mac[static KEY_MAC_SIZE]) {
    uint8_t message[512];
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        assert(parts[i].length <= UINT8_MAX && length + 1 + parts[i].length <= sizeof message);
        message[length++] = (uint8_t)parts[i].length;
        memcpy(message + length, parts[i].at, parts[i].length);
        length += parts[i].length;
    }
    /* A fan's join waits for this: it costs a sixth of what keyed BLAKE2b does. */
    assert(key.length == crypto_shorthash_siphashx24_KEYBYTES);
    crypto_shorthash_siphashx24(mac, message, length, (const uint8_t *)key.at);
}

const struct key_generation *keyring_find(const struct keyring *ring, uint32_t id) {
    for (uint32_t i = ring->count; i-- > 0;)
        if (ring->of[i].id == id)
            return &ring->of[i];
    return NULL;
}

void keyring_wipe(struct keyring *ring) {
    sodium_memzero(ring, sizeof *ring);
}

uint64_t keyring_user_hash(const struct keyring *ring, const struct id *show_id, struct bytes user) {
    uint8_t message[sizeof show_id->at + LIMIT_USER_ID_BYTES], hash[crypto_shorthash_BYTES];
    assert(user.length <= LIMIT_USER_ID_BYTES);
    memcpy(message, show_id->at, sizeof show_id->at); /* of fixed size: nothing can be shifted between the two */
    memcpy(message + sizeof show_id->at, user.at, user.length);
    crypto_shorthash(hash, message, sizeof show_id->at + user.length, ring->blinding);
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof hash; i++)
        value = value << 8 | hash[i];
    return value ? value : 1;
}

void keyring_shuffle_seed(const struct keyring *ring, const struct id *show_id, uint8_t seed[static 32]) {
    static const char label[] = "onsale shuffle seed 1";
    uint8_t message[sizeof label - 1 + sizeof show_id->at];
    memcpy(message, label, sizeof label - 1);
    memcpy(message + sizeof label - 1, show_id->at, sizeof show_id->at);
    crypto_generichash(seed, 32, message, sizeof message, ring->blinding + crypto_shorthash_KEYBYTES,
                       sizeof ring->blinding - crypto_shorthash_KEYBYTES);
}

void keyring_ticket_number(const struct keyring *ring, const struct id *booking, struct bytes seat_id,
                           uint8_t number[static KEY_TICKET_NUMBER_BYTES]) {
    static const char label[] = "onsale ticket number 1";
    uint8_t message[sizeof label - 1 + sizeof booking->at + LIMIT_SEAT_ID_BYTES], hash[crypto_generichash_BYTES_MIN];
    assert(seat_id.length <= LIMIT_SEAT_ID_BYTES);
    memcpy(message, label, sizeof label - 1);
    memcpy(message + sizeof label - 1, booking->at, sizeof booking->at); /* of fixed size: nothing can be shifted */
    memcpy(message + sizeof label - 1 + sizeof booking->at, seat_id.at, seat_id.length);
    crypto_generichash(hash, sizeof hash, message, sizeof label - 1 + sizeof booking->at + seat_id.length,
                       ring->blinding + crypto_shorthash_KEYBYTES, sizeof ring->blinding - crypto_shorthash_KEYBYTES);
    memcpy(number, hash, KEY_TICKET_NUMBER_BYTES);
}

void key_id_format(uint32_t id, char text[static KEY_ID_TEXT]) {
    const uint8_t bytes[4] = {(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    hex_encode(bytes, sizeof bytes, text);
}

bool key_id_parse(struct bytes text, uint32_t *id) {
    uint8_t bytes[4];
    if (!hex_decode(text, bytes, sizeof bytes))
        return false;
    *id = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return true;
}

void keyring_write_jwks(const struct keyring *ring, struct buffer *out) {
    struct json_writer writer = json_writer(out);
    json_open(&writer, '{');
    json_key(&writer, "keys");
    json_open(&writer, '[');
    for (uint32_t i = ring->count; i-- > 0;) {
        char kid[KEY_ID_TEXT], x[BASE64URL_TEXT(KEY_PUBLIC_BYTES)];
        key_id_format(ring->of[i].id, kid);
        base64url_encode(ring->of[i].public_key, KEY_PUBLIC_BYTES, x);
        json_open(&writer, '{');
        json_member_text(&writer, "kty", "OKP");
        json_member_text(&writer, "crv", "Ed25519");
        json_member_text(&writer, "use", "sig");
        json_member_text(&writer, "alg", "EdDSA");
        json_member_string(&writer, "kid", (struct bytes){kid, sizeof kid});
        json_member_string(&writer, "x", (struct bytes){x, sizeof x});
        json_close(&writer, '}');
    }
    json_close(&writer, ']');
    json_close(&writer, '}');
}
