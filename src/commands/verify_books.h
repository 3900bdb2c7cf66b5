/* Two books of the same money, compared: what the ledger says of each booking, and what the gateway says of each
 * intent.
 *
 * Happy path: books_add_booking() for every booking → books_close_ledger() → books_take_intent() for every intent of
 * the gateway's, in any order → books_next_missing() for those that a booking names and nobody told of →
 * books_compare_totals().
 *
 * What is compared, for a booking at its end: amount, currency, status, what was taken, what was given back, and whose
 * booking the gateway believes it to be. A saga that is under way may be one step ahead of the ledger at the gateway,
 * and not more. An intent with our metadata that no booking names is harmless as long as nothing was ever authorized
 * with it (a create whose answer was lost makes one). At last the sums: what the gateway has, less what belongs to
 * sagas under way or in REVIEW, is the ledger's revenue, currency by currency.
 *
 * Each difference is told with the figures of both sides. Two bookings that name one intent are a difference.
 *
 * No I/O here. Memory: some 250 bytes a booking. */
#ifndef ONSALE_COMMANDS_VERIFY_BOOKS_H
#define ONSALE_COMMANDS_VERIFY_BOOKS_H

#include "bookings/ledger.h"
#include "engines/sqlite/audit.h"

#define BOOKS_CURRENCIES 64 /* more are counted as one */

struct book_entry { /* a booking, as far as its money goes */
    struct id id;
    int64_t amount, refunded;
    char currency[4];
    char intent_id[PAYMENT_ID_BYTES];
    char reason[PAYMENT_CODE_BYTES];
    enum booking_status status;
    enum payment_state payment_state;
    enum saga_state saga;
    bool is_seen; /* its intent was told of */
};

struct book_total {
    char currency[4];
    int64_t taken, given_back; /* at the gateway */
    int64_t unsettled;         /* of these, what is left with sagas under way or in REVIEW */
    int64_t revenue;           /* in the ledger, of what is settled */
};

struct books {
    struct audit_listener listener;
    struct book_entry *entries; /* by id, once closed */
    struct book_entry **by_intent;
    size_t count, room, intent_count, missing_at;
    struct book_total totals[BOOKS_CURRENCIES];
    size_t total_count;
    uint64_t agreed, under_way, in_review, without_payment; /* bookings */
    uint64_t never_confirmed, not_ours;                     /* intents that no booking names */
};

void books_init(struct books *books, const struct audit_listener *listener);
void books_release(struct books *books);

/* False when memory ran out. */
MUST_USE bool books_add_booking(struct books *books, const struct booking *booking);
MUST_USE bool books_close_ledger(struct books *books);

void books_take_intent(struct books *books, const struct payment_intent *intent);

/* The next booking whose intent was not told of, or NULL. Whoever asks has to take its intent, or say that the gateway
 * has none. */
struct book_entry *books_next_missing(struct books *books);
void books_intent_is_unknown(struct books *books, struct book_entry *entry);

void books_compare_totals(struct books *books);

#endif
