/* The promises, watched from outside: what fans, gateway and disks saw is kept in plain tables, and every answer is
 * held against them. Each check says in its comment what break of the code turns it red; `promise` numbers are those of
 * docs/simulator.md.
 *
 * checks_room.c   places, calls, passes, the drip
 * checks_sales.c  seats, holds, money; and the end of a world
 */
#ifndef ONSALE_SIM_CHECKS_H
#define ONSALE_SIM_CHECKS_H

#include "disk.h"
#include "waitroom/queue.h"

enum place_mark {
    MARK_GRANTED = 1,   /* its turn was used */
    MARK_ENDED = 2,     /* and its pass ended before its time */
    MARK_LEFT = 4,      /* it was given up before */
    MARK_MISSED = 8,    /* the queue has said so */
    MARK_FORGOTTEN = 16 /* a power failure lost who it was; its ticket may come back */
};

struct checked_place {
    uint32_t fan;           /* one more than; 0: nobody was told of the number */
    uint32_t door_asked_ms; /* when it was last told to wait at the door; 0: never, or let in */
    uint32_t door_until_ms; /* and until when it was told to ask again */
    uint8_t marks;
    bool was_late; /* at the door, it once asked later than it was told to */
};

struct checked_call {
    uint32_t serving;
    int64_t open_ms; /* by our own clock */
};

struct checked_stay {
    uint32_t number;
    int64_t expires_ms; /* by the wall clock */
};

struct checked_hold {
    uint32_t fan, seat_count;
    uint32_t seats[WORLD_MOST_SEATS];
    struct id reservation;
    int64_t taken_ms, deadline_ms, store_deadline_ms; /* virtual: what the fan was told */
    int64_t ended_ms;                                 /* 0: it lives */
    bool is_forgotten;
};

struct checks {
    /* places, by number */
    uint32_t place_room, highest;
    struct checked_place *places;
    uint32_t *number_of_fan; /* the newest */

    uint32_t call_count, call_room;
    struct checked_call *calls;
    int64_t open_ms;   /* how long the show has been open, at most */
    int64_t ticked_ms; /* 0: not in this life */
    bool ran;
    uint32_t serving;

    uint32_t door_count, door_room;
    uint32_t *door; /* numbers */

    int64_t drip_level, drip_ms; /* in 1/60000 of a token */
    uint32_t drip_rate;

    uint32_t stay_first, stay_count, stay_room;
    struct checked_stay *stays; /* by end */
    uint32_t inside, most_inside;
    uint32_t pending_count, pending_room;
    struct checked_stay *pending; /* granted, and not in the ledger yet */
    uint64_t granted;
    int64_t first_grant_ms, last_grant_ms;

    /* seats */
    uint32_t *hold_of_seat; /* one more than; 0: none */
    uint32_t *sold_to;      /* one more than the row; 0: nobody */
    uint32_t hold_count, hold_room;
    struct checked_hold *holds;
    int64_t died_ms;
    uint32_t captured_room;
    uint8_t *captured; /* by row */
    int64_t deep_ms;
};

struct world;

void checks_init(struct world *world);
void checks_release(struct checks *checks);

void checks_joined(struct world *world, uint32_t fan, const struct place *place, bool is_new);
/* The queue took the fan's ticket. */
void checks_adopted(struct world *world, uint32_t fan, uint32_t number);
void checks_claimed(struct world *world, uint32_t fan, uint32_t number, enum result result,
                    const struct queue_pass *pass, bool is_new, const struct queue_counts *before);
/* The fan waits at the door, and was told to ask again after so long. */
void checks_at_the_door(struct world *world, uint32_t number, int64_t told_ms);
void checks_left(struct world *world, uint32_t number);
void checks_pass_ended(struct world *world, uint32_t number);
/* A fan shows the pass; `passes`: it is taken. */
void checks_pass_shown(struct world *world, uint32_t number, bool passes);
void checks_terms(struct world *world);
void checks_shuffled(struct world *world);
void checks_put_back(struct world *world, uint32_t number, uint32_t fan);
void checks_put_left(struct world *world, uint32_t number);
void checks_room_ticked(struct world *world);
void checks_room_died(struct world *world);
void checks_room_restarted(struct world *world);
void checks_room_deep(struct world *world);
void checks_admitted(struct world *world, uint32_t number);

void checks_ticked(struct world *world);
void checks_died(struct world *world);
void checks_restarted(struct world *world);

/* Returns what it is known as. */
uint32_t checks_held(struct world *world, uint32_t fan, const struct hold *hold, uint32_t count, const uint32_t *seats);
uint32_t checks_hold_made_anew(struct world *world, const struct hold *hold, const uint32_t *seats);
/* A hold that had ended is there again, for a payment that came late. */
uint32_t checks_held_again(struct world *world, const struct hold *hold);
void checks_hold_ended(struct world *world, uint32_t check, enum hold_state state);
void checks_no_hold_is_overdue(struct world *world, int64_t next_deadline_ms);
/* The server says that the hold is gone. */
void checks_hold_is_gone(struct world *world, uint32_t check);
void checks_committed(struct world *world, const struct ledger_write *write);
void checks_seat_lost(struct world *world, const struct ledger_write *write);
void checks_captured(struct world *world, uint32_t intent);
void checks_told_confirmed(struct world *world, uint32_t fan, uint32_t row);
void checks_end(struct world *world);

#endif
