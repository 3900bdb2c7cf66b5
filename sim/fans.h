/* The fans: who comes when, and what they do then. A waiting one is 28 bytes (20 here, 8 in events.h); who is inside
 * has a shopper beside that.
 */
#ifndef ONSALE_SIM_FANS_H
#define ONSALE_SIM_FANS_H

#include "base/id.h"
#include "waitroom/queue.h"

enum fan_state { FAN_AWAY, FAN_WAITING, FAN_INSIDE, FAN_HOME };

enum trait {
    TRAIT_WALKS_AWAY = 1, /* joins, and is not seen again */
    TRAIT_LEAVES = 2,     /* gives up the place, if it takes long */
    TRAIT_TWO_TABS = 4,   /* does everything twice */
    TRAIT_RELOADS = 8,    /* joins again now and then */
    TRAIT_LATE = 16,      /* does not look often */
};

struct fan {
    uint32_t number;  /* of the queue ticket; 0: none */
    uint32_t shopper; /* one more than the slot; 0: none */
    uint32_t position;
    uint32_t polls;
    uint8_t state; /* enum fan_state */
    uint8_t traits;
    uint8_t places; /* had so far */
};

enum shopper_state { SHOPPER_CLAIMS, SHOPPER_LOOKS, SHOPPER_HOLDS, SHOPPER_PAYS };

struct shopper {
    bool in_use;
    uint8_t state; /* enum shopper_state */
    uint8_t tries, payments;
    uint32_t fan, number;
    uint32_t plan; /* counts: an event of another plan is of the past */
    struct id reservation;
    uint32_t check;      /* the hold, as checks.h knows it */
    uint32_t card;       /* enum card */
    enum result outcome; /* of the confirm, when it comes */
    uint32_t row;        /* the booking that it tells of */
    struct queue_pass pass;
    uint32_t next_free;
};

struct crowd {
    uint32_t count;
    struct fan *fans;
    uint32_t shopper_count, shopper_room, free_shopper; /* one more than the slot */
    struct shopper *shoppers;
    uint32_t home;
    uint64_t polls;
};

struct world;

void crowd_comes(struct world *world);
void crowd_release(struct crowd *crowd);
void fan_wakes(struct world *world, uint32_t fan);
void shopper_wakes(struct world *world, uint32_t slot, uint32_t plan);
/* The claim is answered with the pass. */
void shopper_has_pass(struct world *world, uint32_t slot, uint32_t plan);
/* The confirm is answered. */
void shopper_has_outcome(struct world *world, uint32_t slot, uint32_t plan);

#endif
