/* The keyring of the fuzzers of signed tokens, and tokens signed by it: the second generation of
 * test/unit/token_world.h, so that their corpora have texts of it. hash_set_up() first. */
#ifndef ONSALE_FUZZ_TOKEN_RING_H
#define ONSALE_FUZZ_TOKEN_RING_H

#include "base/base64url.h"
#include "waitroom/keys.h"

#include <sodium.h>

#define TOKEN_PARTS_BYTES 2000 /* of header and claims, at most */
#define TOKEN_TEXT_BYTES 3000

static struct keyring ring = {.count = 1, .of = {{.id = 0x02020202}}};

static inline void ring_set_up(void) {
    for (unsigned i = 0; i < KEY_MAC_BYTES; i++)
        ring.of[0].mac[i] = (uint8_t)(32 + i);
    for (unsigned i = 0; i < KEY_SEED_BYTES; i++) {
        ring.of[0].seed[i] = (uint8_t)(160 + i);
        ring.blinding[i] = (uint8_t)(200 + i);
    }
    key_derive(&ring.of[0]);
}

/* What stands before the first line's end is the header, what comes after it the claims: the token of both. False where
 * there is no line's end, or too much. */
static inline bool sign_parts(struct bytes text, char token[static TOKEN_TEXT_BYTES], struct bytes *made) {
    const char *end = text.length ? memchr(text.at, '\n', text.length) : NULL;
    if (!end || text.length > TOKEN_PARTS_BYTES)
        return false;
    struct bytes header = {text.at, (size_t)(end - text.at)};
    struct bytes claims = {end + 1, text.length - header.length - 1};
    uint8_t signature[KEY_SIGNATURE_BYTES];
    size_t length = BASE64URL_TEXT(header.length);
    base64url_encode(header.at, header.length, token);
    token[length++] = '.';
    base64url_encode(claims.at, claims.length, token + length);
    length += BASE64URL_TEXT(claims.length);
    crypto_sign_detached(signature, NULL, (uint8_t *)token, length, ring.of[0].secret_key);
    token[length++] = '.';
    base64url_encode(signature, sizeof signature, token + length);
    *made = (struct bytes){token, length + BASE64URL_TEXT(sizeof signature)};
    return true;
}

#endif
