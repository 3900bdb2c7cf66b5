/* The book: every intent, charge, refund and event, in memory, at its number; and the idempotency keys of the last 24
 * hours. It holds what the records say and decides nothing: operations.h decides.
 *
 * A record is applied whole or, when memory runs out, not at all. A record of an object that the book has replaces it;
 * a new object has the next number. Owned by one thread.
 */
#ifndef ONSALE_SANDBOX_BOOK_H
#define ONSALE_SANDBOX_BOOK_H

#include "sandbox/objects.h"

#define KEY_LIFE_MS 86400000 /* Stripe may forget a key after 24 hours; here it is exact */

struct intent_entry {
    struct intent intent;
    bool busy; /* an authorization is under way */
    uint32_t details_length;
    char *details;
    uint64_t place; /* of its latest record */
};

struct charge_entry {
    struct charge charge;
    uint64_t place;
};

struct refund_entry {
    struct refund refund;
    uint32_t details_length;
    char *details;
    uint64_t place;
};

struct event_entry {
    uint32_t number;
    uint16_t kind; /* enum record_kind */
    bool owed;     /* the webhook is still to have it */
    int64_t time_ms;
    uint64_t place;
};

struct key_entry {
    struct id key; /* none: free */
    uint64_t place;
    int64_t time_ms;
};

#define KEY_RUNNING UINT64_MAX /* instead of a place: its first call is still under way */

struct book {
    struct intent_entry *intents;
    uint32_t intent_count, intent_room;
    struct charge_entry *charges;
    uint32_t charge_count, charge_room;
    struct refund_entry *refunds;
    uint32_t refund_count, refund_room;
    struct event_entry *events; /* rising numbers */
    uint32_t event_count, event_room;
    uint32_t next_event;
    struct key_entry *keys; /* open addressing, linear probing; nothing is taken out but by growing */
    uint32_t key_count, key_mask;
};

void book_init(struct book *book);
void book_release(struct book *book);

/* OVERLOADED: no memory, or over a limit. CORRUPT: the record does not go with those before it. */
MUST_USE enum result book_apply(struct book *book, const struct record *record, uint64_t place);

/* Is the record at `place` still needed: by an object whose latest one it is, or by its age? */
bool book_needs(const struct book *book, const struct record *record, uint64_t place, int64_t now_ms);

/* By id; NULL where there is none. Valid until the next book_apply(). */
struct intent_entry *book_intent(struct book *book, struct bytes id);
struct charge_entry *book_charge(struct book *book, struct bytes id);
struct refund_entry *book_refund(struct book *book, struct bytes id);

/* The events' index of the first one with a number of at least `number`. */
uint32_t book_event_index(const struct book *book, uint32_t number);
/* The chance part of an event's id. */
uint64_t event_chance(const struct record *record);

/* A living key, or NULL. */
struct key_entry *book_key(struct book *book, const struct id *key, int64_t now_ms);
/* OVERLOADED: no memory, or LIMIT_SANDBOX_KEYS of them live. */
MUST_USE enum result book_set_key(struct book *book, const struct id *key, uint64_t place, int64_t now_ms);

#endif
