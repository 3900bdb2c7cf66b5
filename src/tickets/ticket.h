/* A ticket: the right to one seat of one show, as a text that a scanner checks without asking anybody. It is what a
 * ticket's QR code says.
 *
 *     {"alg":"EdDSA","typ":"ticket+jwt","kid":"…"} .
 *     {"iss":"onsale","aud":"entry","show":show,"seat":seat_id,"jti":number,"iat":sold,"start":begins}
 *
 * A JSON Web Token under the same published keys as passes (waitroom/jws.h); its type and its audience keep a pass from
 * opening the door of the hall, and a ticket from opening the shop's. It says nothing of who bought it, and not the
 * booking: to know that is to own it. `start` is there if the show's is set.
 *
 * Nothing is stored: the same booking under the same keys gives the same text again. The number is made from booking
 * and seat under the key that never changes (keyring_ticket_number), so it stays when a key is rotated and even when
 * the one that signed is retired; a seat that was given back and sold again has another.
 *
 * What a ticket cannot say offline: that its booking was cancelled since. docs/tickets.md says what a door does then.
 */
#ifndef ONSALE_TICKETS_TICKET_H
#define ONSALE_TICKETS_TICKET_H

#include "waitroom/jws.h"

#define TICKET_NUMBER_TEXT 16 /* Crockford's base 32 of KEY_TICKET_NUMBER_BYTES */

struct ticket {
    struct id show_id;
    uint8_t seat_length;
    char seat_id[LIMIT_SEAT_ID_BYTES];
    uint8_t number[KEY_TICKET_NUMBER_BYTES];
    int64_t sold_s;   /* seconds since the epoch, 0 … JWS_LAST_S */
    int64_t starts_s; /* the same; 0: not set */
};

static inline struct bytes ticket_seat(const struct ticket *ticket) {
    return (struct bytes){ticket->seat_id, ticket->seat_length};
}

/* Of a confirmed booking's seat. Times that no calendar has are cut off. */
struct ticket ticket_for_seat(const struct keyring *ring, const struct id *show_id, const struct id *booking,
                              struct bytes seat_id, int64_t sold_ms, int64_t starts_ms);
/* Writes exactly TICKET_NUMBER_TEXT characters and no NUL. */
void ticket_number_format(const uint8_t number[static KEY_TICKET_NUMBER_BYTES], char text[static TICKET_NUMBER_TEXT]);

/* So long a new key rests before it signs what is sold: by then every node has it, and no ticket is given out under one
 * key now and under another a moment later. */
#define TICKET_KEY_RESTS_S 3600

/* Signs with the newest key that had rested when the seat was sold, so that a rotation changes no ticket; with the next
 * older one if that is gone, or the oldest that is left. Appends the text, at most LIMIT_TICKET_BYTES. */
void ticket_write(const struct keyring *ring, const struct ticket *ticket, struct buffer *out);

enum ticket_verdict {
    TICKET_GOOD,
    TICKET_MALFORMED,   /* no token of ours, or claims that we would not write */
    TICKET_IS_A_PASS,   /* of the waiting room */
    TICKET_UNKNOWN_KEY, /* of a key that is not among these */
    TICKET_FORGED,      /* the signature is not that key's */
};

/* Needs the keys' ids and public halves only. `ticket` is untouched unless it is GOOD. */
MUST_USE enum ticket_verdict ticket_read(const struct keyring *ring, struct bytes text, struct ticket *ticket);

#endif
