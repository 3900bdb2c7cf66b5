/* A pass: a JSON Web Token (RFC 7519), EdDSA only (RFC 8037), that lets its holder into the shop for a while. Its keys
 * are published (JWKS), so that a CDN, a gate or another site can check it without asking us.
 *
 *     {"alg":"EdDSA","typ":"JWT","kid":"…"} . {"iss":"onsale","aud":show,"sub":user,"jti":…,"iat":…,"exp":…}
 *
 * Read strictly, as waitroom/jws.h says: no token can choose how it is checked, and a ticket (tickets/ticket.h) is no
 * pass. Ed25519 is deterministic: the same claims give the same text again, so nothing is stored.
 *
 * jti: 32 hex digits, the place's number in the first 8, then 24 that only we can make (a MAC of show, number and
 * issue time under the generation's MAC key): a pass names its place.
 *
 * A signature check costs as much as eight requests, so passes that were checked (or made) here are remembered by a
 * keyed hash of their text, 16 bytes each: pass_cache. What they say is read from the text each time; whether the pass
 * has ended is asked of the clock and the queue.
 */
#ifndef ONSALE_WAITROOM_PASS_H
#define ONSALE_WAITROOM_PASS_H

#include "waitroom/jws.h"

#define PASS_LAST_S JWS_LAST_S

struct pass {
    struct id show_id;
    struct user_id user;
    uint32_t number;
    int64_t issued_s, expires_s; /* seconds since the epoch, 0 … PASS_LAST_S */
};

/* Signs with the newest key; with the key `id` instead, if it is not 0 and still there. Appends the text. */
void pass_write(const struct keyring *ring, uint32_t id, const struct pass *pass, struct buffer *out);
/* PASS_INVALID: malformed, forged, of a key that is gone, issued by somebody else. The caller compares `expires_s`,
 * show and user. */
MUST_USE enum result pass_read(const struct keyring *ring, struct bytes text, struct pass *pass);

/* The two halves of pass_read(): what a text says, of a key that is there; and whether we said it. pass_verify() makes
 * the claims again and compares, jti's MAC among them, before it looks at the signature: what was made without one of
 * our passes at hand costs no signature check. `checked` out, in any case: it came to that. */
MUST_USE enum result pass_read_unchecked(const struct keyring *ring, struct bytes text, struct pass *pass);
MUST_USE enum result pass_verify(const struct keyring *ring, struct bytes text, const struct pass *pass, bool *checked);

/* Remembered passes: a table of fixed size, four ways a bucket, the oldest of a bucket goes first. Any thread may call;
 * it has locks of its own, one a group of buckets. Room for at least `room`, a power of two; OVERLOADED: no memory. */
struct pass_cache;
MUST_USE enum result pass_cache_new(uint32_t room, struct pass_cache **cache);
void pass_cache_free(struct pass_cache *cache);
/* pass_read(), without the signature check if this text was read or added before. `checked` out, in any case: a
 * signature was checked. */
MUST_USE enum result pass_cache_read(struct pass_cache *cache, const struct keyring *ring, struct bytes text,
                                     struct pass *pass, bool *checked);
/* We made it ourselves. */
void pass_cache_add(struct pass_cache *cache, struct bytes text);
/* The keys have changed: forgets all. */
void pass_cache_clear(struct pass_cache *cache);

#endif
