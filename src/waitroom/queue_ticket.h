/* A queue ticket: a fan's place in line, carried by the fan.
 *
 *     "q1." base64url( key id 4 | show 16 | number 4 | issued 6 (ms) | salt 8 | user 1…128 | MAC 16 )
 *
 * Integers are big-endian. The MAC is SipHash-2-4-128 under the key's MAC key, over length-prefixed parts with a
 * purpose label: no part can be shifted into another, and no MAC of another kind of token can stand for it. The text is
 * canonical: every other spelling of the same bytes (padding, other trailing bits, upper-case prefix) is refused.
 *
 * The salt is what the place's blinded id in the queue's record was made with: the ticket is all that a fan needs to
 * find their place there.
 */
#ifndef ONSALE_WAITROOM_QUEUE_TICKET_H
#define ONSALE_WAITROOM_QUEUE_TICKET_H

#include "waitroom/keys.h"

struct queue_ticket {
    struct id show_id;
    uint32_t number;
    int64_t issued_ms;
    uint8_t salt[8];
    struct user_id user;
};

/* Signs with the newest key; appends the text. */
void queue_ticket_write(const struct keyring *ring, const struct queue_ticket *ticket, struct buffer *out);
/* QUEUE_TICKET_INVALID: malformed, forged, or of a key that is gone. Compares in constant time. */
MUST_USE enum result queue_ticket_read(const struct keyring *ring, struct bytes text, struct queue_ticket *ticket);
/* The same without its MAC being checked: for who has no key (onsale verify --queue). */
MUST_USE enum result queue_ticket_read_unchecked(struct bytes text, struct queue_ticket *ticket);

#endif
