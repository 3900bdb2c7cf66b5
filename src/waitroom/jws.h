/* What all that we sign for others to check has in common: a JSON Web Signature in its compact form (RFC 7515), EdDSA
 * only (RFC 8037), by a generation of the keyring, whose public keys are published.
 *
 *     {"alg":"EdDSA","typ":TYPE,"kid":KEY} . claims . signature
 *
 * Read strictly: exactly three parts of canonical base64url; the header is the one that we write, but for its kid, so
 * that no token can choose how it is checked, and none of another type stands for this one (RFC 8725, sections 3.1 and
 * 3.11). Claims are read as base/json writes them and no other way; whoever reads them writes them again and compares.
 */
#ifndef ONSALE_WAITROOM_JWS_H
#define ONSALE_WAITROOM_JWS_H

#include "base/base64url.h"
#include "waitroom/keys.h"

#define JWS_TYPE_MOST 16
#define JWS_HEADER_FRONT "{\"alg\":\"EdDSA\",\"typ\":\""
#define JWS_HEADER_MIDDLE "\",\"kid\":\""
#define JWS_HEADER_BACK "\"}"
#define JWS_HEADER_BYTES(type_length)                                                                                  \
    (sizeof JWS_HEADER_FRONT - 1 + (type_length) + sizeof JWS_HEADER_MIDDLE - 1 + KEY_ID_TEXT +                        \
     sizeof JWS_HEADER_BACK - 1)
#define JWS_SIGNATURE_TEXT BASE64URL_TEXT(KEY_SIGNATURE_BYTES)
/* How long the text of a token is. */
#define JWS_TEXT(type_length, claims_length)                                                                           \
    (BASE64URL_TEXT(JWS_HEADER_BYTES(type_length)) + 1 + BASE64URL_TEXT(claims_length) + 1 + JWS_SIGNATURE_TEXT)

#define JWS_LAST_S 253402300799 /* the end of the year 9999 */
#define JWS_TIME_DIGITS 12      /* of JWS_LAST_S */

/* Signs and appends the text. `type` is JWS_TYPE_MOST bytes at most, of those that JSON does not escape. */
void jws_write(const struct key_generation *key, struct bytes type, struct bytes claims, struct buffer *out);

/* A token taken to pieces, which point into its text. */
struct jws {
    uint32_t kid;
    struct bytes signed_text; /* header, dot, claims */
    struct bytes claims;      /* as base64url */
    struct bytes signature;   /* the same */
};

/* False: it has not the form, or not this type. Nothing is said of who made it, or of what the claims hold. */
MUST_USE bool jws_split(struct bytes text, struct bytes type, struct jws *jws);
/* False: the signature is not this key's. */
MUST_USE bool jws_is_signed_by(const struct jws *jws, const struct key_generation *key);

/* ---- claims, taken from the front of `from`; false leaves it anywhere ---- */

MUST_USE bool claims_take(struct bytes *from, struct bytes literal);
MUST_USE bool claims_take_many(struct bytes *from, size_t length, struct bytes *taken);
/* A string as base/json writes it, up to and with its closing quote: 1 to `room` bytes. */
MUST_USE bool claims_take_string(struct bytes *from, size_t room, char *text, size_t *length);
/* Seconds, 0 … JWS_LAST_S. */
MUST_USE bool claims_take_time(struct bytes *from, int64_t *time_s);

#endif
