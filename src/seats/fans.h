/* Who has how many seats of a show: held and booked together, for max_seats_per_user. Private to src/seats.
 *
 * A fan who has at least one seat has an entry, whose number is stable until the last seat is gone; seats and holds
 * remember that number, so that each seat's end finds the count it belongs to without being told. At most as many
 * entries as seats can be needed. A user is known by the 64-bit keyed hash of the user id.
 *
 * Not locked: under the show's lock.
 */
#ifndef ONSALE_SEATS_FANS_H
#define ONSALE_SEATS_FANS_H

#include "base/id_map.h"

#define FAN_NONE UINT32_MAX

struct fan {
    uint64_t hash;       /* of the user id; 0: the entry is free */
    uint32_t seat_count; /* or, of a free entry, the next free one */
    uint32_t recount;    /* show_check() only */
};

struct fans {
    struct fan *entries;
    uint32_t limit;
    uint32_t used; /* entries below it were in use at some time */
    uint32_t first_free;
    struct id_map by_user;
};

/* `entries`: room for `limit` of them, zeroed; stays the caller's. OVERLOADED when memory ran out. */
MUST_USE enum result fans_init(struct fans *fans, struct fan *entries, uint32_t limit);
void fans_release(struct fans *fans);

uint32_t fans_seat_count(const struct fans *fans, struct bytes user);
/* The user's hash, to be handed to fans_add() after other work: the memory is asked for the entry meanwhile. 0 for the
 * empty user. */
uint64_t fans_ask(const struct fans *fans, struct bytes user);
/* The fan's entry, after `count` more seats. FAN_NONE for the empty user, whose seats are not counted. */
uint32_t fans_add(struct fans *fans, uint64_t user_hash, uint32_t count);
void fans_remove_from(struct fans *fans, uint32_t fan, uint32_t count);

#endif
