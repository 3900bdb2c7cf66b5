/* The format of the audit's chain: what a row's hash is over, and how people and reasons stand in it.
 *
 * Each row's hash is BLAKE2b-256 over a label, the hash of the row before (32 zero bytes before the first), the row's
 * number as eight bytes, and its columns in their order as parts. A part is its length as four bytes, big-endian, and
 * its bytes; of NULL it is four bytes of 255. So no two rows, and no two ways to cut a row into columns, give the same
 * bytes.
 *
 *     row hash  part("onsale audit row 1") before number part(at) part(actor) part(action) part(show_id)
 *               part(booking_id) part(detail) part(person) part(why)
 *     person    part("onsale audit person 1") part(the booking's salt) part(user_id)
 *     why       part("onsale audit reason 1") part(a salt of its own) part(reason)
 *
 * The salts stand outside of the chain. When one is erased nobody can tell any more whom, or what, the hash is of, and
 * the chain is as whole as before.
 */
#ifndef ONSALE_ENGINES_SQLITE_CHAIN_H
#define ONSALE_ENGINES_SQLITE_CHAIN_H

#include "base/bytes.h"

#define CHAIN_HASH_BYTES 32
#define CHAIN_SALT_BYTES 16

/* A row's columns as they are in the table. A text or blob whose `at` is NULL is NULL. */
struct chain_row {
    uint64_t number;
    struct bytes at, actor, action, show_id, booking_id, detail, person, why;
};

void chain_hash(const uint8_t before[static CHAIN_HASH_BYTES], const struct chain_row *row,
                uint8_t hash[static CHAIN_HASH_BYTES]);
void chain_person(struct bytes salt, struct bytes user_id, uint8_t hash[static CHAIN_HASH_BYTES]);
void chain_why(struct bytes salt, struct bytes reason, uint8_t hash[static CHAIN_HASH_BYTES]);

#endif
