/* What a room is made of; for room.c, room_open.c, room_tick.c, room_status.c and room_record.c only. */
#ifndef ONSALE_API_ROOM_PRIVATE_H
#define ONSALE_API_ROOM_PRIVATE_H

#include "api/room.h"
#include "waitroom/shuffle.h"

#include <pthread.h>

#define ROOM_BUILDS_A_SECOND 50 /* of the status, on request */

struct room {
    /* set once */
    struct api *api;
    struct sale *sale;
    enum room_order order;
    char beacon[LIMIT_BEACON_BYTES + 1];
    uint8_t seed[SHUFFLE_BYTES], commitment[SHUFFLE_BYTES];
    struct queue_log *log;
    struct channel *channel;

    pthread_mutex_t lock;
    pthread_cond_t raised; /* the ledger has answered `raise` */
    /* under lock */
    struct queue *queue;
    struct queue_settings recorded_terms; /* as the record has them */
    uint32_t recorded;                    /* numbers in the record */
    uint32_t recorded_serving;
    uint32_t recorded_key; /* the id of the last KEY */
    uint32_t frozen;       /* numbers that are to be shuffled */
    bool freeze_is_recorded;
    int64_t sealed_ms;
    uint64_t sealed_length;                 /* of the record then */
    uint8_t frozen_head[RECORD_HASH_BYTES]; /* of the record when its numbers were frozen */
    bool seed_is_recorded;
    bool record_is_full; /* an append was refused since the usher made room */
    char beacon_value[LIMIT_BEACON_BYTES + 1];
    struct room_terms terms;

    /* any thread */
    atomic_bool is_frozen; /* who comes now queues behind those to be shuffled; it is on disk */
    atomic_bool is_opened;
    atomic_uint proof_bits;
    atomic_uint seconds_a_thousand; /* as the status says: who is a thousand behind asks so much later */
    atomic_bool is_raising;         /* the ledger is writing a higher ceiling */
    atomic_bool has_changed;        /* the status is not what it was */
    struct ledger_command raise;

    pthread_mutex_t status_lock;
    /* under status_lock */
    struct blob *status; /* the document */
    struct blob *frame;  /* the same, for WebSockets */
    char etag[ETAG_BYTES];
    int64_t status_ms;
    uint32_t builds_left; /* on request, until the usher's next second */

    pthread_mutex_t record_lock;
    /* under record_lock */
    struct blob *record; /* the document; kept while it is asked for */
    char record_etag[ETAG_BYTES];
    uint64_t record_length;
    enum sale_status record_status;
    unsigned record_stage; /* of the shuffle */
    int64_t record_used_ms;

    /* the usher's */
    int64_t worked_ms, published_ms, adapted_ms;
    bool is_settled;
    char published_etag[ETAG_BYTES];
    struct drip_look looked; /* the counters at the last look */
};

/* Appends to the record. False, counted and said, where it has no room. The caller holds the room's lock. */
bool room_record_event(struct room *room, const struct record_event *event, const struct place_secret *secret);
/* What the queue has to know of the show. The caller does not hold the room's lock. Returns whether `serving` moved. */
bool room_take_conditions(struct room *room, int64_t now_ms);
/* The record says that what may have been lost is unknown: the log need not know it any more. */
void room_settle(struct room *room);
/* Draws more numbers from the ledger, if it is time. The caller does not hold the room's lock. */
void room_raise(struct room *room);
/* Waits for the ledger's answer to it, some seconds at most. */
void room_await_numbers(struct room *room);

/* The key that signs heads, in the record. The caller holds the room's lock. */
const struct key_generation *room_record_key(struct room *room, int64_t now_ms);
/* Closes the record's chain so far with a signed head. False, counted and said, where it could not. The caller holds
 * the room's lock. */
bool room_seal(struct room *room, int64_t now_ms);

/* How much later who is so far behind asks again, by the status' rule. */
uint32_t room_poll_seconds(const struct room *room, uint32_t ahead);
/* Lets go of the record's document when nobody has asked for it for a while. */
void room_forget_record(struct room *room, int64_t now_ms);
/* The frame that brings a viewer up to date: a reference, or NULL. */
struct blob *room_status_frame(struct room *room, int64_t now_ms);
/* Tells the viewers, if something has changed. The usher's, once a second. */
void room_publish(struct room *room, int64_t now_ms);

#endif
