/* The handlers of routes.def, and what several of them share. */
#ifndef ONSALE_API_HANDLERS_H
#define ONSALE_API_HANDLERS_H

#include "api/call.h"

#define ROUTE(name, side, method, pattern, body, max_body, role) void handle_##name(struct call *call);
#include "api/routes.def"
#undef ROUTE

/* A member "user_id". False: refused, and answered. */
MUST_USE bool read_user(struct call *call, const json_t *document, struct user_id *user);

/* A list of seat ids of the call's show under `key`, each once. `most` is the room in `seats`. False: refused, and
 * answered. */
MUST_USE bool read_seats(struct call *call, const json_t *document, const char *key, uint32_t most, uint32_t *seats,
                         uint32_t *count);

/* A member "reason", which an operator's act on somebody's booking needs. False: refused, and answered. */
MUST_USE bool read_reason(struct call *call, const json_t *document, char reason[static PAYMENT_CODE_BYTES]);

/* The most that the texts of a booking's row take, as the ledger reads it. */
#define BOOKING_STORAGE_BYTES (1024 * 1024)

/* Refuses with the seats that it is about. */
void refuse_seats(struct call *call, enum result result, uint32_t count, const uint32_t *seats);

/* Writes the booking as its owner sees it, or as the operator does. */
void write_booking(struct json_writer *writer, const struct booking *booking, bool for_operator);

/* An answer made for this request, yet the same for everyone: with an ETag of its content. */
void reply_shared(struct call *call, struct bytes content);

#endif
