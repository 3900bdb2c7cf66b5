/* Keyed hashes, so that nobody outside can choose what collides.
 *
 * hash_u64()   SipHash-2-4 under a key drawn at start: for tables in memory, never stored
 * hash_tag()   the same with 128 bits, under another such key: where to be equal must mean to be the same text, whoever
 *              made it; never stored, never shown
 * hash_128()   BLAKE2b-128, unkeyed, over length-prefixed parts: for what is stored (idempotency keys, body digests)
 *
 * All are libsodium's. hash_set_up() once, before any thread starts.
 */
#ifndef ONSALE_BASE_HASH_H
#define ONSALE_BASE_HASH_H

#include "base/bytes.h"
#include "base/id.h"

void hash_set_up(void);
uint64_t hash_u64(struct bytes data);
struct id hash_tag(struct bytes data);
struct id hash_128(const struct bytes *parts, size_t count);

#endif
