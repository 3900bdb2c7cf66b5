/* The keys of an installation, in memory: what signs passes, what authenticates queue tickets, what blinds.
 *
 * A generation has a key id, a MAC key (queue tickets) and an Ed25519 key (passes, heads of the queue's record). The
 * newest one makes new tokens; all of them check old ones, so that a rotation ends nobody's place. Nodes of one
 * installation have the same keyring. The blinding key is one for good: who is who in a queue depends on it.
 *
 * The keyring is read-only once made and shared by all threads; SIGHUP makes a new one (api/room.h says how it is
 * swapped). Where the keys are kept on disk is runtime/key_files.h.
 */
#ifndef ONSALE_WAITROOM_KEYS_H
#define ONSALE_WAITROOM_KEYS_H

#include "base/bytes.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/user_id.h"

#define KEY_MAC_BYTES 16
#define KEY_SEED_BYTES 32
#define KEY_PUBLIC_BYTES 32
#define KEY_SECRET_BYTES 64
#define KEY_SIGNATURE_BYTES 64
#define KEY_ID_TEXT 8 /* lower-case hex */
#define KEY_MAC_SIZE 16

struct key_generation {
    uint32_t id; /* drawn at random, unique in the keyring, never 0 */
    int64_t created_ms;
    uint8_t mac[KEY_MAC_BYTES];
    uint8_t seed[KEY_SEED_BYTES];
    uint8_t public_key[KEY_PUBLIC_BYTES]; /* from the seed */
    uint8_t secret_key[KEY_SECRET_BYTES]; /* from the seed */
};

struct keyring {
    uint32_t count;                                  /* from 1 */
    struct key_generation of[LIMIT_KEY_GENERATIONS]; /* oldest first */
    uint8_t blinding[32];
};

/* Fills in public and secret key from the seed. */
void key_derive(struct key_generation *key);
/* SipHash-2-4 with 128 bits (Aumasson and Bernstein 2012) under a key, over
 * parts of at most 255 bytes, each behind its length as one byte, so that nothing can be shifted from one into the
 * next. The first part is a label that says what the MAC is for. Room for 512 bytes. */
void key_mac(struct bytes key, const struct bytes *parts, size_t count, uint8_t mac[static KEY_MAC_SIZE]);
static inline struct bytes key_mac_key(const struct key_generation *key) {
    return (struct bytes){(const char *)key->mac, sizeof key->mac};
}
void key_id_format(uint32_t id, char text[static KEY_ID_TEXT]);
/* False unless it is eight lower-case hex digits. */
bool key_id_parse(struct bytes text, uint32_t *id);

static inline const struct key_generation *keyring_newest(const struct keyring *ring) {
    return &ring->of[ring->count - 1];
}
/* NULL: no such key. */
const struct key_generation *keyring_find(const struct keyring *ring, uint32_t id);
/* Overwrites the keys. */
void keyring_wipe(struct keyring *ring);

/* Who it is, for one show's queue: a 64-bit SipHash under the blinding key, never 0. */
uint64_t keyring_user_hash(const struct keyring *ring, const struct id *show_id, struct bytes user);
/* The seed of a show's shuffle: secret until the opening, the same on every node and after every restart. */
void keyring_shuffle_seed(const struct keyring *ring, const struct id *show_id, uint8_t seed[static 32]);

#define KEY_TICKET_NUMBER_BYTES 10
/* What a seat's ticket is called: who knows it learns nothing of the booking, and to know a booking is to own it. It
 * depends on the blinding key alone, so that it stays through every rotation. */
void keyring_ticket_number(const struct keyring *ring, const struct id *booking, struct bytes seat_id,
                           uint8_t number[static KEY_TICKET_NUMBER_BYTES]);

/* The public keys as a JWK set (RFC 7517, RFC 8037), the newest first. */
void keyring_write_jwks(const struct keyring *ring, struct buffer *out);

#endif
