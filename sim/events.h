/* What will happen, in the order of virtual time; what comes at the same millisecond, in the order in which it was
 * planned.
 *
 * A million waiting fans have one thing planned each, far away mostly: those lie in buckets of WHEEL_MS (a timing wheel
 * without levels, four bytes a bucket), and come into the heap of events only when their bucket's time has come. So the
 * heap stays small.
 */
#ifndef ONSALE_SIM_EVENTS_H
#define ONSALE_SIM_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

enum event_kind {
    EVENT_FAN,        /* a: the fan; from the wheel */
    EVENT_SHOPPER,    /* a: the shopper's slot, b: which of its plans */
    EVENT_PASS,       /* a: the shopper's slot, b: its plan: the answer to its claim has come */
    EVENT_OUTCOME,    /* a: the shopper's slot, b: its plan: the answer to its confirm has come */
    EVENT_TICK,       /* … of the server */
    EVENT_SAGA,       /* a: the saga's slot, b: which of its timers */
    EVENT_COMMIT,     /* the ledger's disk has a group */
    EVENT_SEALED,     /* the record is on disk; a: how much of it */
    EVENT_SYNCED,     /* the journal is on disk; a: how much of it */
    EVENT_ARRIVES,    /* a: a call reaches the gateway */
    EVENT_ANSWERED,   /* a: the gateway's answer, or none in time, is known to whoever called */
    EVENT_SETTLES,    /* a: an intent that the gateway was still at */
    EVENT_COMES_LATE, /* a: an intent that was declined or voided, and is neither */
    EVENT_TAKEN_BACK, /* a: an intent, b: so much of its refunds that the fan's bank did not take */
    EVENT_WEBHOOK,    /* a: an intent that the gateway says has changed */
    EVENT_REFUND,     /* a: a booking's row, which somebody wants cancelled, or a part of it */
    EVENT_RESUME,     /* a: a booking's row in review, at which the operator has looked */
    EVENT_OPERATOR,   /* the operator turns a knob */
    EVENT_KILL,
    EVENT_POWER,
    EVENT_START
};

struct event {
    int64_t at_ms;
    uint64_t order;
    uint32_t kind; /* enum event_kind */
    uint32_t life; /* of the server it is meant for, 0: the world's */
    uint32_t a, b;
};

struct events {
    struct event *heap; /* from 0 */
    uint32_t count, room;
    uint64_t order;

    /* by fan: one plan each */
    uint32_t fans;
    uint32_t *due_ms; /* of virtual time */
    uint32_t *next;   /* in its bucket, one more than the fan; 0: the last */
    uint32_t *buckets;
    uint32_t bucket_count;
    uint32_t bucket_at; /* this one and those before it are in the heap */
    uint32_t in_buckets;
};

void events_init(struct events *events, uint32_t fans);
void events_release(struct events *events);
void events_add(struct events *events, int64_t at_ms, enum event_kind kind, uint32_t life, uint32_t a, uint32_t b);
/* The fan must have nothing planned. */
void events_add_fan(struct events *events, int64_t at_ms, uint32_t fan);
/* False: nothing is planned any more. */
bool events_next(struct events *events, struct event *event);

#endif
