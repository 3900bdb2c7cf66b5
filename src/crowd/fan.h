/* A simulated fan: what they do next, whatever the server answers.
 *
 *             ┌──────────────────────────── a pause, then somebody new ───────────────────────────┐
 *             ↓                                                                                    │
 *          RESTING → JOINING → QUEUEING ⇄ CLAIMING → LOOKING → CHOOSING → THINKING → PAYING → PENDING
 *             │                                                   ↑ taken: the next best │         │
 *             └→ RETURNING (a booking, where the house is nearly full)                  RELEASING → LEAVING
 *
 * The driver wakes a fan when its time has come (fan_wake), makes the call that this gives, and tells the answer
 * (fan_hear), which sets the next time. One call at most is under way for a fan. In each state, each kind of answer has
 * a row in the table of fan.c; who is told to come back does so as told, with full jitter, and gives up in the end, so
 * that no state is without an exit.
 *
 * Decides; no I/O, no clock, no memory.
 */
#ifndef ONSALE_CROWD_FAN_H
#define ONSALE_CROWD_FAN_H

#include "base/deadlines.h"
#include "crowd/house.h"

#define FAN_PASS_BYTES 800 /* a pass of our short user ids */
#define FAN_WISH_BYTES 800 /* the members of a reserve request that say which seats */
#define FAN_USER_BYTES 64
#define CROWD_KEPT_BOOKINGS 65536 /* of which some are given back later; over it the oldest is forgotten */

enum fan_call {
    CALL_NONE,
    CALL_JOIN,
    CALL_STATUS,
    CALL_CLAIM,
    CALL_SEATS,
    CALL_RESERVE,
    CALL_CONFIRM,
    CALL_BOOKING,
    CALL_RELEASE,
    CALL_LEAVE,
    CALL_CANCEL
};

enum fan_state {
    FAN_RESTING,
    FAN_JOINING,
    FAN_QUEUEING,
    FAN_CLAIMING,
    FAN_LOOKING,
    FAN_CHOOSING,
    FAN_THINKING,
    FAN_PAYING,
    FAN_PENDING,
    FAN_RELEASING,
    FAN_LEAVING,
    FAN_RETURNING,
    FAN_STATES
};

/* What an answer means to a fan. */
enum fan_answer_kind {
    ANSWER_OK,
    ANSWER_LATER, /* accepted, or not yet: come back */
    ANSWER_BUSY,  /* too many requests, a server in trouble, or nobody there */
    ANSWER_TAKEN, /* somebody else has the seats */
    ANSWER_SOLD_OUT,
    ANSWER_SHUT,     /* the sale is not open */
    ANSWER_DECLINED, /* the card is */
    ANSWER_GONE,     /* what the call was about is no more, or no longer the fan's */
    ANSWER_REFUSED,  /* anything else */
    ANSWER_KINDS
};

enum fan_intent { FAN_PAYS, FAN_LETS_GO, FAN_WALKS_AWAY };

struct fan_answer {
    unsigned status;             /* 0: none came */
    int64_t retry_after_seconds; /* 0: not said */
    const json_t *body;          /* NULL: none, or no JSON */
};

/* What an operator may set. */
struct crowd_habits {
    uint32_t pace;            /* humans are so many times as fast as they are */
    unsigned buyers_permille; /* of those who hold seats: how many go to pay */
    uint32_t think_ms;        /* with seats in hand, until the decision: the median */
    uint32_t least_seats, most_seats;
};

struct crowd_counts {
    uint64_t visits, admitted, holds, seats_held, bookings, seats_sold, let_go, walked_away, declined, returned;
    uint64_t collisions; /* seats that somebody else had first */
    uint64_t busy;       /* answers that say to come back later, and calls that nobody answered */
    uint64_t refused;    /* answers that a fan of this kind should not get */
    uint64_t gave_up;
};

/* What all fans of a crowd share. */
struct crowd_world {
    struct crowd_habits habits;
    struct house house;
    struct crowd_counts counts;
    char tag[20]; /* in all user ids of this run, so that no earlier run's fans come back */
    uint64_t visits;
    struct id *kept_bookings; /* CROWD_KEPT_BOOKINGS of them */
    uint32_t kept_count, kept_next;
};

struct fan {
    struct deadline wakes; /* at_ms: when it goes on */
    struct chance chance;
    uint8_t state;
    uint8_t setbacks;   /* answers in a row that said to come back later */
    uint8_t seat_tries; /* wishes that were not to be had */
    uint8_t intent;
    bool has_bad_card;
    bool wants_category, by_hand;
    uint32_t wanted_seats, held_seats;
    uint32_t position;    /* in the queue; 0: not known yet */
    uint32_t wish_number; /* each wish of a visit has its own Idempotency-Key */
    struct id returned;   /* the booking that is given back */
    char user[FAN_USER_BYTES];
    char queue_ticket[LIMIT_QUEUE_TICKET_BYTES + 1];
    char pass[FAN_PASS_BYTES + 1];
    char reservation[ID_LETTER_TEXT + 1];
    char booking[ID_LETTER_TEXT + 1];
    char wish[FAN_WISH_BYTES]; /* "": none yet */
};

/* At rest; the first visit begins by `first_ms`. */
void fan_init(struct fan *fan, struct chance chance, int64_t first_ms);

/* The time has come: the call to make now, or CALL_NONE where fan->wakes.at_ms was moved instead. */
MUST_USE enum fan_call fan_wake(struct fan *fan, struct crowd_world *world, int64_t now_ms);

/* What came back for the call. Bits of seats the caller gave to the house before. */
void fan_hear(struct fan *fan, struct crowd_world *world, const struct fan_answer *answer, int64_t now_ms);

enum fan_answer_kind fan_answer_kind(const struct fan_answer *answer);
const char *fan_state_name(enum fan_state state);

/* When to come back after the n-th setback in a row: not before the server says, and spread out behind it ("full
 * jitter": Brooker, Exponential Backoff and Jitter, 2015). */
int64_t crowd_backoff_ms(struct chance *chance, unsigned setbacks, int64_t retry_after_seconds);

#endif
