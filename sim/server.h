/* The server: what one life of the process keeps in memory, and loses.
 *
 * server.c   starting, from what the disk has; dying; the tick
 * room.c     the waiting room: the queue, and what is written of it
 * office.c   seats: holds and their journal, the ledger's picture of seats
 * sagas.c    payments: drives each booking's saga as src/runtime/open_saga.c does
 */
#ifndef ONSALE_SIM_SERVER_H
#define ONSALE_SIM_SERVER_H

#include "base/id_map.h"
#include "bookings/saga.h"
#include "disk.h"
#include "payments/breaker.h"
#include "waitroom/queue.h"

#define SERVER_NO_SAGA UINT32_MAX

struct open_saga {
    bool in_use;
    struct saga saga;
    struct booking written; /* what the write under way writes */
    uint32_t row;           /* in the ledger */
    uint32_t fan;
    uint32_t seats[WORLD_MOST_SEATS];
    int64_t store_deadline_ms; /* INT64_MAX once it has passed or does not count */
    uint32_t timer;            /* the one that counts */
    bool waiting, resumed, is_sold, is_settled;
    bool is_looked_at;   /* taken up at its end */
    uint32_t hint;       /* one more than the intent of the webhook that is taken when the look has ended */
    uint32_t gone_count; /* seats that the write under way gives back */
    uint32_t gone[WORLD_MOST_SEATS];
    uint32_t attempts_left;
    uint32_t card;    /* enum card; what the fan's token stands for */
    uint32_t shopper; /* who waits for it, one more than the slot; 0: nobody */
    uint32_t plan;    /* the shopper's, when it began to wait */
    uint32_t next_free;
};

/* What everyone may know of the waiting room; as old as an edge cache keeps it. */
struct room_status {
    uint32_t serving, issued;
    uint32_t retry_seconds;
    uint32_t per_thousand_seconds, max_seconds;
    bool is_up, is_open, is_sold_out;
};

struct server {
    bool is_up;
    uint32_t life;          /* from 1 */
    int64_t wall_offset_ms; /* what its clock is off by */
    int64_t wall_moved_ms;  /* … more than in the life before */
    bool is_same_boot;      /* the machine has not lost its power since then */

    struct queue *queue;
    struct queue_conditions conditions;
    struct room_status status;
    int64_t status_ms, looked_ms;
    bool is_raising; /* the ceiling, in the ledger */
    uint32_t placed; /* of the shuffled */
    bool is_sealing;
    struct drip_look look; /* at the booking path, since the last one */

    struct show *show;
    uint32_t *taken_of_slot; /* by hold: which of the journal's */
    bool seats_are_told;     /* a write of seats is under way */

    uint32_t saga_count, saga_room, free_saga; /* one more than the slot */
    struct open_saga *sagas;
    uint32_t sagas_open;
    struct id_map saga_of_reservation; /* one more than the slot, as a pointer */
    struct breaker breaker;
};

/* The shuffled opening: what its line in the record stands for. */
struct opening {
    bool is_frozen;           /* the line that says who is shuffled is in the record */
    bool is_frozen_on_disk;   /* … and was sealed: the beacon may speak */
    bool is_made;             /* the seed's line is in the record */
    bool is_on_disk;          /* … and was sealed: positions may be told */
    int64_t beacon_speaks_ms; /* drawn once it may */
    uint32_t frozen;
    uint8_t key[32];
    uint32_t *order;    /* by position - 1: number - 1 */
    uint32_t *position; /* by number - 1; by our own reckoning (checks_room.c) */
};

struct world;

/* What the server's own clock says. */
int64_t server_now(const struct world *world);
void server_start(struct world *world);
void server_die(struct world *world, bool power);
void server_tick(struct world *world);
/* The ledger has done it. */
void server_written(struct world *world, struct ledger_write *write);

/* ---- the waiting room ---- */

enum room_answer { ROOM_DOWN, ROOM_OK, ROOM_BUSY, ROOM_NOT_YOUR_TURN, ROOM_AT_THE_DOOR, ROOM_MISSED, ROOM_UNKNOWN };

void room_start(struct world *world);
void room_tick(struct world *world);
enum room_answer room_join(struct world *world, uint32_t fan, struct place *place);
/* ROOM_BUSY: the ledger is at it. On ROOM_OK the pass is on its way to shopper and plan, behind the ledger's commit if
 * it is new. On ROOM_AT_THE_DOOR *retry_ms is when to ask again. */
enum room_answer room_claim(struct world *world, uint32_t fan, uint32_t number, uint32_t shopper, uint32_t plan,
                            int64_t *retry_ms);
/* Where the ticket's place stands; 0: not known. */
uint32_t room_position(const struct world *world, uint32_t number);
enum room_answer room_leave(struct world *world, uint32_t fan, uint32_t number);
bool room_lets_pass(const struct world *world, uint32_t number);
void room_has_booked(struct world *world, uint32_t fan);
void room_written(struct world *world, const struct ledger_write *write);
void room_sealed(struct world *world, uint32_t count);
/* Anybody may read it at any time. */
const struct room_status *room_status(struct world *world);
void room_turn_knobs(struct world *world);

/* ---- the seats ---- */

void office_start(struct world *world);
void office_tick(struct world *world);
enum result office_hold(struct world *world, uint32_t fan, uint32_t quantity, bool picky, struct hold *hold);
enum result office_release(struct world *world, const struct id *reservation);
/* After a restart: a hold that the journal forgot, made anew; nothing where it is there, or cannot be. */
void office_restore_hold(struct world *world, uint32_t fan, const struct hold *hold, const uint32_t *seats);
/* Pins the hold for a payment; its copy and seats out. */
enum result office_begin_payment(struct world *world, const struct id *reservation, const struct id *booking,
                                 bool recovering, struct hold *hold, uint32_t *seats);
/* Holds the seats of a booking whose payment came late again; the hold's fence out. */
enum result office_retake(struct world *world, uint32_t fan, const struct booking *booking, const uint32_t *seats,
                          uint64_t *fence);
/* The payment has ended. CONFLICT: the hold is not PAYING for that booking. */
enum result office_end_payment(struct world *world, const struct id *reservation, const struct id *booking, bool sold,
                               bool keep);

/* ---- the payments ---- */

void sagas_start(struct world *world);
/* What came of it goes to shopper and plan, once. */
void sagas_confirm(struct world *world, uint32_t fan, const struct id *reservation, uint32_t card, uint32_t shopper,
                   uint32_t plan);
/* All of it, or some seats. False: not now. */
bool sagas_refund(struct world *world, uint32_t row);
/* The operator has looked at what is in review. False: not now. */
bool sagas_resume(struct world *world, uint32_t row);
/* The gateway says that an intent has changed. */
void sagas_hint(struct world *world, uint32_t row, uint32_t intent);
/* Webhooks that were not answered come again. */
void sagas_die(struct world *world);
void sagas_timer(struct world *world, uint32_t slot, uint32_t timer);
void sagas_written(struct world *world, struct ledger_write *write);
void sagas_answered(struct world *world, uint32_t slot, const struct payment_call *call);
void saga_booking_of_row(const struct world *world, const struct row *row, struct booking *booking);

#endif
