/* The order of a shuffled pre-queue: a permutation that nobody could choose and everybody can compute again.
 *
 * Before it opens the room publishes the commitment. At the opening the log of joins is frozen and its head taken. Once
 * the beacon has spoken (if one was named) the seed is revealed; that, head and beacon's value make the key:
 *
 *     commitment = SHA-256(part("onsale shuffle commitment 1") part(show_id) part(seed) part(beacon name))
 *     key        = SHA-256(part("onsale shuffle key 1") part(show_id) part(seed) part(head) part(beacon value))
 *     part(x)    = length of x as four bytes, big-endian, then x; show_id are the 16 bytes of the UUID; without a
 * beacon its name and its value are empty
 *
 * The permutation of 0 … n-1 is Fisher and Yates' shuffle (Durstenfeld, Algorithm 235, 1964), from the last element
 * down: for i = n-1 … 1, swap element i with element j, j uniform in 0 … i. Random bits are the stream
 * SHA-256(key, 0) SHA-256(key, 1) … (the counter as eight bytes, big-endian), taken as 32-bit big-endian numbers; one
 * that is not under the greatest multiple of i + 1 is thrown away, so that j has no bias.
 */
#ifndef ONSALE_WAITROOM_SHUFFLE_H
#define ONSALE_WAITROOM_SHUFFLE_H

#include "base/bytes.h"
#include "base/id.h"

#define SHUFFLE_BYTES 32

void shuffle_commitment(const struct id *show_id, const uint8_t seed[static SHUFFLE_BYTES], struct bytes beacon_name,
                        uint8_t commitment[static SHUFFLE_BYTES]);
void shuffle_key(const struct id *show_id, const uint8_t seed[static SHUFFLE_BYTES],
                 const uint8_t head[static SHUFFLE_BYTES], struct bytes beacon_value,
                 uint8_t key[static SHUFFLE_BYTES]);
/* Puts 0 … n-1 into `order`, shuffled: order[i] is who comes at place i. O(n), about 30 ns an element. */
void shuffle_order(const uint8_t key[static SHUFFLE_BYTES], uint32_t n, uint32_t *order);

#endif
