/* What a show is made of: for show.c, hold.c, hold_take.c, show_check.c and for tests that corrupt one. */
#ifndef ONSALE_SEATS_SHOW_PRIVATE_H
#define ONSALE_SEATS_SHOW_PRIVATE_H

#include "base/machine.h"
#include "base/panic.h"
#include "seats/best_available.h"
#include "seats/bits.h"
#include "seats/fans.h"
#include "seats/show.h"

struct show {
    /* set once */
    struct id id;
    const struct plan *plan;
    uint32_t seat_count;
    uint32_t slot_count; /* as many as seats: a hold that is alive has one at least (but see hold.lost_count) */
    struct best_index best;
    pthread_mutex_t mutex;

    /* read without the lock */
    atomic_ullong sequence;
    atomic_uintptr_t owner; /* the thread that holds the lock, or 0 */

    /* under lock */
    struct show_settings settings;
    struct show_counts counts;
    uint32_t available_in[LIMIT_CATEGORIES_PER_SHOW];
    uint64_t next_fence;

    /* under lock, by seat */
    uint8_t *states;      /* two bits as fans see them: BLOCKED is BOOKED here */
    uint64_t *available;  /* the same in one bit, for searching */
    uint64_t *blocked;    /* which of the BOOKED are BLOCKED */
    uint64_t *untold;     /* the ledger's show_seats has not been told */
    uint64_t *versions;   /* HELD: the hold's fence */
    uint32_t *holders;    /* HELD: the hold's slot; BOOKED: the buyer's entry in fans, or FAN_NONE */
    uint32_t *next_seats; /* HELD: the next seat of the hold, or PLAN_NO_SEAT; and so it stays while SOLD, as long as
                             the version is the hold's fence + 1 */

    /* under lock, by section */
    uint32_t *area_hints; /* of an area: no place below it is available */

    /* under lock */
    struct fans fans;
    struct hold *holds; /* by slot */
    uint32_t slots_used;
    uint32_t first_ended, last_ended; /* the ended holds that are remembered, oldest first; or HOLD_NO_SLOT */
    struct id_map reservations;
    struct deadlines deadlines; /* of the HELD */
};

/* What befalls a hold. */
enum hold_event {
    HOLD_TAKE,
    HOLD_RESTORE, /* from the journal */
    HOLD_BEGIN_PAYMENT,
    HOLD_KEEP,       /* the payment came to nothing, and the hold goes on */
    HOLD_SELL,       /* the ledger has sold it */
    HOLD_LEARN_SOLD, /* the ledger turns out to have sold it */
    HOLD_DECLINE,
    HOLD_RELEASE,
    HOLD_EXPIRE,
    HOLD_LOSE, /* the ledger gave a seat of it to somebody else */
    HOLD_FORGET,
    HOLD_EVENT_COUNT
};

extern const struct machine hold_machine;

enum ledger_news { LEDGER_TO_BE_TOLD, LEDGER_KNOWS };

static inline void assert_locked(const struct show *show) {
    assert(atomic_load_explicit(&show->owner, memory_order_relaxed) == (uintptr_t)pthread_self());
}

/* The one mover of seats: keeps states, bitmaps, counts, hints and the sequence in step. */
void seat_move(struct show *show, uint32_t seat, enum seat_status status, uint64_t version, enum ledger_news news);

/* A free slot: one never used, or that of the hold that ended first, which is forgotten. HOLD_NO_SLOT if all live. */
uint32_t hold_slot_draw(struct show *show);
/* The slot of this hold, which has ended: it is forgotten. O(ended holds). */
uint32_t hold_slot_draw_again(struct show *show, uint32_t ended);
/* Moves available seats to a hold in that slot, HELD from now. `like` has everything but what is private. */
void hold_open(struct show *show, uint32_t slot, const struct hold *like, uint32_t count, const uint32_t *seats,
               enum hold_event event);

/* Takes the seat, HELD, from its hold, because the ledger has it otherwise. The seat is AVAILABLE then, or still HELD
 * by nobody (the caller moves it on at once) where a payment keeps the rest of the hold. */
void hold_lose_seat(struct show *show, uint32_t seat);
/* The hold, HELD, turns out to have been sold. */
void hold_learn_sold(struct show *show, struct hold *hold);

/* The seat is available, or about to be: if it is a place of an area, the area is searched from it on. */
static inline void area_hint_lower(struct show *show, uint32_t seat) {
    if (show->plan->seat_row[seat] != PLAN_NO_SEAT)
        return;
    uint32_t *hint = &show->area_hints[show->plan->seat_section[seat]];
    *hint = seat < *hint ? seat : *hint;
}

static inline void fence_seen(struct show *show, uint64_t version) {
    if (version >= show->next_fence)
        show->next_fence = (version | 1) + 1;
}

#endif
