/* The port to a hold store: who keeps the holds of a show. In process (engines/memory), later Redis Cluster.
 *
 * Every call is asynchronous in form: the outcome comes to `done`, on the caller's thread before the call returns for
 * the store in process, from the store's own thread otherwise. The call's struct belongs to the store from the call
 * until `done`.
 */
#ifndef ONSALE_SEATS_HOLD_STORE_H
#define ONSALE_SEATS_HOLD_STORE_H

#include "seats/show.h"

/* The HTTP status of the answer to a taken hold. */
#define HOLD_ANSWER_STATUS 201

/* The answer to a keyed request, kept in one step with the hold, so that a crash forgets both or neither. */
struct hold_answer_key {
    struct id key;       /* hash_128 of route, user and Idempotency-Key; none: no key */
    struct id body_hash; /* hash_128 of the request's body */
};

struct hold_take_call {
    struct show *show;
    struct hold_wish wish;
    struct hold_answer_key answer_key;
    int64_t now_ms;
    void *context;
    /* Writes the answer to a keyed call, so that it is kept in one step with the hold: `hold`, `seats` and `warning`
     * are set; the show is not locked. Called once at most, before `done`, and only for a hold that was taken under an
     * answer key. */
    void (*render)(const struct hold_take_call *call, struct buffer *body);
    void (*done)(struct hold_take_call *call);

    /* set before done */
    enum result result;
    struct hold hold; /* a copy */
    uint32_t seats[LIMIT_SEATS_PER_HOLD];
    struct hold_warning warning;
    struct hold_refusal refusal;
};

enum hold_step { HOLD_STEP_RELEASE, HOLD_STEP_BEGIN_PAYMENT, HOLD_STEP_KEEP, HOLD_STEP_DECLINE, HOLD_STEP_SELL };

struct hold_step_call {
    struct show *show;
    enum hold_step step;
    struct id reservation;
    struct id booking; /* for BEGIN_PAYMENT */
    bool recovering;   /* for BEGIN_PAYMENT: deadlines do not count */
    int64_t now_ms;
    void *context;
    void (*done)(struct hold_step_call *call);

    /* set before done */
    enum result result; /* RESERVATION_NOT_FOUND too; CONFLICT for KEEP, DECLINE and SELL of a hold that is not PAYING,
                           or whose payment is another booking's than a booking that is named */
    struct hold hold;   /* a copy, as it is after the step (before it, for SELL and DECLINE: with its seats) */
    uint32_t seats[LIMIT_SEATS_PER_HOLD];
};

struct hold_store {
    void *engine;
    bool immediate; /* `done` is always called before take() and step() return */
    void (*take)(void *engine, struct hold_take_call *call);
    void (*step)(void *engine, struct hold_step_call *call);
    /* Ends what is due in the show, at most a batch; returns true if more is due. The ticker calls it. */
    bool (*expire)(void *engine, struct show *show, int64_t now_ms);
    /* Whether new holds can be taken; false: take() is HOLD_STORE_UNAVAILABLE, until the engine is well again. */
    bool (*takes)(void *engine);
};

#endif
