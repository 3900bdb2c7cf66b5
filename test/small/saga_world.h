/* A small world for a saga: one booking, its row in a ledger, a gateway with Stripe's memory for keys, and a clock.
 *
 * It is driven as runtime/open_saga.c drives it. Wherever something can go another way, the world is copied and the
 * copy goes that way, to its end: so every order of up to `faults_left` faults is tried. At an end the promises are
 * checked, and the gateway may be found to be of another mind than the ledger.
 */
#ifndef ONSALE_TEST_SAGA_WORLD_H
#define ONSALE_TEST_SAGA_WORLD_H

#include "bookings/saga.h"

#define WORLD_AMOUNT 5000
#define WORLD_MOST_KEYS 40
#define WORLD_MOST_INTENTS 6
#define WORLD_DAY_MS 86400000LL
#define WORLD_START_MS 1700000000000LL

enum effect { EFFECT_DONE, EFFECT_FAILED, EFFECT_DECLINED, EFFECT_ERROR };

struct small_intent {
    enum intent_status status;
    int64_t captured, refunded;
};

struct small_key {
    char key[96];
    enum payment_operation operation;
    uint32_t intent;
    int64_t amount, first_ms;
    enum effect effect;        /* what the first call with it came to, and … */
    enum intent_status status; /* … how the intent was then: replayed to the others */
};

struct small_gateway {
    uint32_t intent_count, key_count, captures;
    struct small_intent intents[WORLD_MOST_INTENTS];
    struct small_key keys[WORLD_MOST_KEYS];
    struct payment_call late; /* a call that nobody waits for any more, and that has not arrived yet */
    uint32_t late_in;         /* … arrives before so many other calls have; 0: there is none */
    int64_t late_sent_ms;
};

struct small_row { /* what the ledger holds */
    struct booking booking;
    bool tickets;
};

struct small_world {
    struct saga saga;
    struct small_gateway gateway;
    struct small_row row;
    int64_t now_ms;
    uint32_t faults_left, steps;
    bool is_held;          /* the seats, for this booking */
    bool is_seat_lost;     /* somebody else has them */
    bool has_contradicted; /* the gateway was of another mind than it had been */
    int64_t given_beside;  /* by somebody at the gateway, while we were giving back */
    bool has_looked;
    bool is_looking; /* whoever gave the hint gives it again after a crash, until the look has come to its end */
    uint32_t resumed;
};

/* Of all worlds since world_new(). */
extern uint64_t worlds_seen, ends_seen[SAGA_STATE_COUNT], reviews_left;

/* A fan confirms. */
struct small_world *world_new(uint32_t faults);
/* As world_new(), but sold and paid. */
struct small_world *world_sold(uint32_t faults);
void world_open(struct small_world *world);
/* The operator gives so much back: of the whole, or of some seats. */
void world_refund(struct small_world *world, int64_t refunded);

#endif
