/* Bodies of answers that are made in two places: on a reactor for the fan who asks, and where an answer is kept in one
 * step with what it says (the hold's journal, the selling transaction). Both must be the same bytes. */
#ifndef ONSALE_API_ANSWERS_H
#define ONSALE_API_ANSWERS_H

#include "bookings/ledger.h"
#include "seats/hold_store.h"

/* What became of a confirm. */
struct confirm_outcome {
    enum result result; /* OK: confirmed, or pending */
    bool pending;
    struct id booking;
    uint32_t attempts_left;                  /* PAYMENT_DECLINED */
    char reason[PAYMENT_CODE_BYTES];         /* PAYMENT_DECLINED: the gateway's code */
    uint32_t lost_count;                     /* SEAT_UNAVAILABLE */
    struct bytes lost[LIMIT_SEATS_PER_HOLD]; /* point into the plan */
};

/* The body, and the HTTP status as the result. */
unsigned answer_confirm(const struct confirm_outcome *outcome, struct buffer *body);

/* 201 for a hold just taken. */
unsigned answer_reserve(const struct hold *hold, const uint32_t *seats, const struct plan *plan, const char *currency,
                        const struct hold_warning *warning, struct buffer *body);

/* True for an answer that repeats under its Idempotency-Key: not 202, 401, 425, 429, 5xx. */
bool answer_is_final(unsigned status);

#endif
