/* What others are told: the events that a ledger puts into its outbox, by name, and their data as JSON. Both engines
 * say the same.
 *
 *   booking.confirmed        the seats are sold; the money is taken, or will be
 *   booking.cancelled        a booking was given up, or taken back whole: `reason`, `refunded`
 *   booking.seats_cancelled  some of its seats were taken back; `seat_ids` are those, `refunded` is the total so far
 *   booking.refunded         the gateway has given back what `refunded` says, the total of the booking
 *   seats.released           seats are on sale again: `cause` is "cancelled" or "hold_ended"
 *
 * A receiver may get one twice, or late: `updated_at` tells which is newer.
 */
#ifndef ONSALE_BOOKINGS_NOTICE_H
#define ONSALE_BOOKINGS_NOTICE_H

#include "bookings/ledger.h"

enum notice {
    NOTICE_BOOKING_CONFIRMED,
    NOTICE_BOOKING_CANCELLED,
    NOTICE_BOOKING_SEATS_CANCELLED,
    NOTICE_BOOKING_REFUNDED,
    NOTICE_SEATS_RELEASED,
    NOTICE_COUNT
};

const char *notice_type(enum notice notice);

/* Appends the data of an event about a booking; its subject is the booking's id as "b" and 32 digits. The seats are
 * those that the event is about, as JSON arrays: `seat_ids`, and what each cost. `user` is the booking's. */
void notice_write_booking(const struct booking *booking, struct bytes user, struct bytes seat_ids, struct bytes amounts,
                          struct buffer *out);

/* Appends the data of NOTICE_SEATS_RELEASED; its subject is the show's id. */
void notice_write_seats(const struct id *show_id, struct bytes seat_ids, const char *cause, int64_t at_ms,
                        struct buffer *out);

#endif
