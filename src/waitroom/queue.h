/* A show's queue: who comes when, who is called, who is inside. Decides; does no I/O, reads no clock, has no chance,
 * takes no memory after queue_new() but pages of what it reserved there.
 *
 * A fan's place:
 *
 *                   position ≤ serving            claim, and the room has room
 *     WAITING ───────────called──────────┬───────────────────────────────────▶ INSIDE ──pass ends──▶ DONE
 *        │                               ├─ claim, room full ─▶ DOOR ─ claim ─▶ INSIDE
 *        │ leave                         │                        │
 *        ▼                               ▼ claim_seconds are over ▼
 *       LEFT                           MISSED ◀───────────────────┘
 *
 * UNKNOWN is the place of a number that may have been given out before a power loss; whoever comes back with its
 * ticket takes it as WAITING (queue_adopt). A user has at most one place that is WAITING, called, DOOR or INSIDE:
 * joining again gives it back. Who is LEFT, MISSED or DONE gets a new place, at the end.
 *
 * Numbers are given out in the order of joins, from 1, without holes, and never twice: up to a ceiling that the ledger
 * has (queue_allow_numbers). A place's position is its number; after a shuffled opening the positions of the numbers
 * that were there are permuted (queue_place_shuffled), later ones queue behind. Before it, positions are not known (0).
 *
 * Called are the places with a position up to `serving`. It moves by the drip's rate divided by the share of called
 * fans that really come (learned from what it sees, so that fans who left cost nobody time), as long as those inside,
 * at the door and expected fit max_active; dead places are passed over at no cost. It stands still while the show is
 * not open or has no seat to give (struct queue_conditions); so do the claim windows.
 *
 * The claim enforces the bounds: a token of the drip and a free place of max_active, or the fan waits at the door: the
 * lowest position first, the claim window standing still while the room is full for them. A fan at the door who does
 * not ask again when told to (QUEUE_DOOR_GRACE_MS later) is passed over until they do, and after
 * QUEUE_DOOR_PATIENCE_MS the window runs again.
 *
 * Memory: 16 bytes a place and 4 for the table by user, 4 more if the pre-queue was shuffled: at most 24 a fan; passes
 * beside it grow with those inside.
 *
 * Thread rules: none of its own; the caller holds one lock for all calls on a queue (api/room.h).
 */
#ifndef ONSALE_WAITROOM_QUEUE_H
#define ONSALE_WAITROOM_QUEUE_H

#include "base/limits.h"
#include "base/result.h"
#include "waitroom/drip.h"

#include <stddef.h>

#define QUEUE_DOOR_GRACE_MS 2000
#define QUEUE_DOOR_PATIENCE_MS 15000
#define QUEUE_TICK_MOST_MS 5000 /* more between two ticks counts as that much: a machine that slept costs no turn */

struct queue_settings {
    uint32_t rate_per_minute; /* 1 … LIMIT_RATE_PER_MINUTE */
    uint32_t max_active;      /* 1 … LIMIT_ACTIVE */
    uint32_t claim_seconds;   /* 1 … LIMIT_CLAIM_SECONDS */
    uint32_t pass_seconds;    /* 1 … LIMIT_PASS_SECONDS */
};

/* What the owner knows of the show. */
struct queue_conditions {
    bool is_open;   /* it is on sale: calls go out, claims are taken, windows run */
    bool has_seats; /* held + sold is less than the capacity; always true where there are no seats to count */
    bool gathers;   /* a pre-queue whose order is to be shuffled: positions are not known yet */
};

enum place_state {
    PLACE_UNKNOWN,
    PLACE_WAITING, /* called or not */
    PLACE_DOOR,
    PLACE_INSIDE,
    PLACE_DONE,
    PLACE_MISSED,
    PLACE_LEFT,
    PLACE_STATE_COUNT
};

struct place {
    uint32_t number;
    uint32_t position; /* 0: not known before the opening */
    enum place_state state;
    bool is_called;
};

/* A pass as it was given: the same again for who claims again while it lasts. */
struct queue_pass {
    uint32_t number;
    uint32_t position;
    int64_t claimed_ms;
    int64_t expires_ms;
};

struct queue;

/* NULL when memory ran out. `now_ms` as in every call: the caller's clock, milliseconds since the epoch. */
struct queue *queue_new(const struct queue_settings *settings, int64_t now_ms);
void queue_free(struct queue *queue);
/* Live: from now on. Passes that were given keep their end; claim windows that run are as long as the new ones. */
void queue_configure(struct queue *queue, const struct queue_settings *settings, int64_t now_ms);
const struct queue_settings *queue_settings(const struct queue *queue);

/* The ledger has the ceiling: numbers up to it may be given out. Only rises. */
void queue_allow_numbers(struct queue *queue, uint32_t ceiling);
/* Numbers that may still be given out: under half of what one draw gives, it is time for the next. */
uint32_t queue_numbers_left(const struct queue *queue);

/* The user's place: the one they have, or a new one at the end (*is_new). `user`: a keyed 64-bit hash of who it is,
 * never 0. OVERLOADED when no number is left. O(1). */
MUST_USE enum result queue_join(struct queue *queue, uint64_t user, int64_t now_ms, struct place *place, bool *is_new);
/* The user's newest place, dead ones included, or NOT_FOUND. */
MUST_USE enum result queue_find(const struct queue *queue, uint64_t user, int64_t now_ms, struct place *place);
/* The place of a number, or NOT_FOUND. */
MUST_USE enum result queue_look(const struct queue *queue, uint32_t number, int64_t now_ms, struct place *place);

/* A genuine ticket names this number for this user. OK if the place is theirs; an UNKNOWN one becomes theirs (unless
 * they have a live place: then it is MISSED). NOT_FOUND: the number was never given out, or is another user's. */
MUST_USE enum result queue_adopt(struct queue *queue, uint32_t number, uint64_t user);

/* Whether the place may go in. OK and the pass, a new one (*is_new: to be written down before the fan is told) or the
 * one it has; NOT_YOUR_TURN; AT_THE_DOOR (*is_new: the fan has just come there, see queue_restore_door()); TURN_MISSED
 * (the window is over, the turn was used and its pass has ended, or the place was left); NOT_FOUND. O(1), but for a
 * walk over the door that the drip's burst bounds. */
MUST_USE enum result queue_claim(struct queue *queue, uint32_t number, int64_t now_ms, struct queue_pass *pass,
                                 bool *is_new);
/* OK if that number is INSIDE and its pass lasts; else PASS_EXPIRED. */
MUST_USE enum result queue_check_pass(const struct queue *queue, uint32_t number, int64_t now_ms);

/* The place is given up: LEFT, or DONE if it was inside. OK; TURN_MISSED if it was dead already; NOT_FOUND. */
MUST_USE enum result queue_leave(struct queue *queue, uint32_t number, int64_t now_ms);
/* The user has booked: whoever is inside under that hash leaves; *number says which place. False if nobody is. */
bool queue_end_pass_of(struct queue *queue, uint64_t user, int64_t now_ms, uint32_t *number);

/* Some time has passed: fills the drip, ends passes and windows whose time is over, calls. Every 100 ms or so. True if
 * `serving` moved. At most some thousand places are looked at in one call. */
bool queue_tick(struct queue *queue, const struct queue_conditions *conditions, int64_t now_ms);
/* The booking path was looked at. */
void queue_adapt(struct queue *queue, const struct drip_look *look, uint32_t most_percent, int64_t now_ms);

/* The shuffled opening, in steps, so that the lock is never held for long. Freeze: the numbers given out so far are
 * those to be shuffled, returned is how many; later ones queue behind them, their positions known. Place: order[i] (the
 * part from `first` on of what shuffle_order made) is the number, less one, of who gets position first + i + 1. Once
 * all are placed, in order, positions are known and calls go out. */
uint32_t queue_freeze(struct queue *queue);
void queue_place_shuffled(struct queue *queue, uint32_t first, uint32_t count, const uint32_t *order);

struct queue_counts {
    uint32_t issued;                 /* the highest number given out, which is also how many */
    uint32_t serving;                /* the highest position called */
    uint32_t active;                 /* inside */
    uint32_t waiting;                /* live places that are not inside, those at the door included */
    uint32_t called;                 /* called, and neither inside, at the door, missed nor left */
    uint32_t door;                   /* at the door, and asking */
    uint64_t admitted, missed, left; /* in all */
    uint32_t show_permille;          /* of those called, how many come: what it learned */
    uint32_t factor_permille;        /* the drip's */
    int64_t open_ms;                 /* how long the show has been open: the clock of the claim windows */
};
void queue_count(const struct queue *queue, struct queue_counts *counts);
/* How long who comes to the door now, or is next in turn, should wait before asking again: 1 to 10 seconds. */
uint32_t queue_retry_seconds(const struct queue *queue);
/* The same for one place: at the door about as long as the drip needs for those before it. Who has to be refused should
 * be told this: were they all told the same, the first at the door would ask too seldom, and tokens be lost. */
uint32_t queue_retry_seconds_of(const struct queue *queue, uint32_t number);

/* ---- restart: what the record and the ledger have, in the order in which it happened; then queue_end_restore() ----
 */

void queue_restore_join(struct queue *queue, uint64_t user); /* the next number */
/* Numbers up to `ceiling` may have been given out: they are UNKNOWN. */
void queue_restore_unknown(struct queue *queue, uint32_t ceiling);
void queue_restore_call(struct queue *queue, uint32_t serving, int64_t open_ms);
void queue_restore_left(struct queue *queue, uint32_t number);
/* The place came to the door. It stands there again, with a claim window of its own: without this a fan who was kept
 * waiting longer than claim_seconds would lose the turn by the restart. */
void queue_restore_door(struct queue *queue, uint32_t number);
/* The clock of the windows had come this far. */
void queue_restore_clock(struct queue *queue, int64_t open_ms);
/* A claim that was granted. `ended`: before its time. False if it makes no sense (no such number, or claimed twice). */
bool queue_restore_admission(struct queue *queue, const struct queue_pass *pass, bool ended);
/* Windows that were over are MISSED; the drip starts empty. */
void queue_end_restore(struct queue *queue, int64_t now_ms);

/* Checks every invariant of the whole object; false and why in `why`. O(places). For tests and the simulator. */
bool queue_check(const struct queue *queue, char *why, size_t why_size);

#endif
