/* A payment gateway of Stripe's shape, with all that such gateways do to their clients: it outlives the server.
 *
 * A call reaches it after a while, has its effect, and is answered; any of these may come late or not at all. An
 * idempotency key gives what its first call came to; while that is under way, or has not arrived, 409.
 */
#ifndef ONSALE_SIM_GATEWAY_H
#define ONSALE_SIM_GATEWAY_H

#include "payments/payments.h"

enum card { CARD_GOOD, CARD_DECLINED, CARD_WANTS_ACTION, CARD_IS_SLOW };

struct intent {
    enum intent_status status;
    enum intent_status settles_as; /* while PROCESSING */
    uint32_t row;                  /* of its booking */
    int64_t amount, captured, refunded;
    uint8_t capture_failures; /* still to come */
};

enum key_effect { KEY_RUNNING, KEY_DONE, KEY_DECLINED, KEY_REFUSED, KEY_FAILED };

struct gateway_key {
    uint64_t hash; /* 0: free */
    uint32_t intent;
    uint8_t effect; /* enum key_effect */
    uint8_t status; /* enum intent_status, as it was then: what is replayed */
};

struct flight { /* a call on its way */
    struct payment_call call;
    uint32_t life, saga, row;
    uint32_t card;
    bool is_answered; /* the caller knows an outcome, if only that none came in time */
    bool in_use;
    bool loses_answer;
    uint8_t pending; /* events that still name it */
    int64_t answer_ms;
    uint32_t next_free;
};

struct gateway {
    uint32_t intent_count, intent_room;
    struct intent *intents;
    uint32_t key_count, key_mask;
    struct gateway_key *keys;
    uint32_t flight_count, flight_room, free_flight; /* one more than the index */
    struct flight *flights;
    int64_t outage_ends_ms, slow_ends_ms;
    int64_t captured, refunded; /* in all */
    uint32_t webhooks;          /* that have not been taken */
};

struct world;

void gateway_init(struct gateway *gateway);
void gateway_release(struct gateway *gateway);
void gateway_submit(struct world *world, uint32_t saga, uint32_t row, uint32_t card, const struct payment_call *call);
void gateway_arrives(struct world *world, uint32_t flight);
void gateway_answered(struct world *world, uint32_t flight);
void gateway_settles(struct world *world, uint32_t intent);
/* A payment that was declined or voided comes through. */
void gateway_comes_late(struct world *world, uint32_t intent);
/* A refund turns out not to be possible. */
void gateway_takes_back(struct world *world, uint32_t intent, uint32_t amount);
/* Tells the server that an intent has changed; again and again until that is taken. */
void gateway_calls(struct world *world, uint32_t intent);
void gateway_webhook_taken(struct world *world);
void gateway_webhook_refused(struct world *world, uint32_t intent);

#endif
