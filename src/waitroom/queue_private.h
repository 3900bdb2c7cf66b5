/* What a queue is made of: for the files of queue.h, and for tests that corrupt one. */
#ifndef ONSALE_WAITROOM_QUEUE_PRIVATE_H
#define ONSALE_WAITROOM_QUEUE_PRIVATE_H

#include "base/container.h"
#include "base/deadlines.h"
#include "base/machine.h"
#include "base/panic.h"
#include "waitroom/queue.h"

#define QUEUE_GRAINS 2048
#define QUEUE_BUCKETS 1024        /* at the beginning; a power of two */
#define QUEUE_CALLS_A_TICK 16384  /* places looked at */
#define QUEUE_ENDS_A_TICK 2048    /* passes ended */
#define QUEUE_ENDS_A_CLAIM 8      /* passes ended so that one may go in */
#define QUEUE_DOOR_WALK 2048      /* so many at the door are looked at in every tick, more of them … */
#define QUEUE_DOOR_WALK_MS 1000   /* … so often */
#define QUEUE_GRAIN_LEAST_MS 100  /* or a thousandth of claim_seconds */
#define QUEUE_LEARN_MOST_MS 30000 /* or a quarter of claim_seconds */
#define QUEUE_SHARE_ONE 1000      /* the share of those who come, in thousandths */
#define QUEUE_SHARE_LEAST 50
#define QUEUE_SHARE_FIRST 20 /* calls that the share at the beginning stands for */
#define QUEUE_DELAY_WEIGHT 64
#define QUEUE_LEAVING_MS 10000
#define QUEUE_SHARE_MOST 600 /* calls that are remembered */

/* A place: 16 bytes of which there may be millions. */
struct place_entry {
    uint64_t user;      /* 0: nobody known */
    uint32_t next : 28; /* number of the next in its bucket; 0: none */
    uint32_t state : 4; /* enum place_state; but WAITING behind `closed` is MISSED, and INSIDE behind its end is DONE */
    uint32_t at;        /* its position; while INSIDE the slot of its stay, which has the position then */
};

/* Somebody inside. */
struct stay {
    struct deadline end; /* when the pass ends, in queue.ends; not in use: place 0 */
    int64_t claimed_ms;
    uint32_t number; /* not in use: the next slot that is not, plus one */
    uint32_t position;
};

/* Somebody at the door. Everyone here has shown up in the grain that called them. */
struct door_fan {
    uint32_t number;
    uint32_t position;
    int64_t asked_ms; /* last */
    int32_t hold_ms;  /* so long after that nobody is let in before them: until they were told to ask again */
    int32_t used_ms;  /* of the claim window, at the last walk */
    bool is_asking;   /* asked within QUEUE_DOOR_PATIENCE_MS of the last look */
};

struct call_count {
    uint32_t called; /* live places passed by `serving` */
    uint32_t shown;  /* of them, those who claimed: went in or came to the door */
    uint32_t left;   /* of them, those who gave up the place before that */
};

/* Places that were called at about the same time: those behind the grain before it up to `last`. */
struct grain {
    uint32_t last; /* position */
    struct call_count count;
    bool is_learned; /* counted into the share of those who come */
    int64_t from_ms; /* its first and its last call, by open_ms */
    int64_t open_ms;
};

struct queue {
    /* set once; pages_reserve()d */
    struct place_entry *places; /* by number - 1 */
    uint32_t *heads;            /* of the buckets of the table by user: numbers */
    uint32_t *order;            /* of the shuffled: by position - 1, number - 1 */
    struct stay *stays;
    struct door_fan *door; /* by position */

    struct queue_settings settings;
    struct queue_conditions conditions; /* at the last tick */
    struct drip drip;
    int64_t now_ms;    /* never goes back */
    int64_t ticked_ms; /* the last tick's */
    int64_t open_ms;

    uint32_t issued, allowed;
    uint32_t bucket_base, bucket_split; /* there are base + split, base a power of two, split < base */
    uint32_t user_count;                /* in the table */

    bool is_frozen;
    uint32_t frozen, placed;

    uint32_t serving;
    int64_t credit;  /* calls that are due, in 1/DRIP_TOKEN */
    uint32_t closed; /* positions up to it have had their time */
    uint32_t grain_first, grain_count;
    uint32_t learned_count;            /* the first so many grains are learned */
    struct call_count young, old;      /* of the grains that are not learned, and of those that are */
    int64_t share_called, share_shown; /* what was learned, in thousandths of a call */
    int64_t delay_sum;                 /* from call to claim, on average, times QUEUE_DELAY_WEIGHT */
    int64_t leaving;                   /* ends of the last QUEUE_LEAVING_MS, in thousandths, fading */
    uint64_t done_seen;                /* ends at the last tick */

    uint32_t active, stays_used, stay_free; /* slot plus one */
    struct deadlines ends;

    uint32_t door_count, door_asking;
    int64_t door_walked_ms, door_walked_open_ms;

    uint32_t waiting; /* WAITING and not over, or at the door */
    uint64_t admitted, missed, left;

    struct grain grains[QUEUE_GRAINS]; /* a ring from grain_first on */
};

/* What befalls a place. */
enum place_event {
    PLACE_JOIN, /* or be adopted */
    PLACE_COME, /* to the door */
    PLACE_ENTER,
    PLACE_END,
    PLACE_MISS,
    PLACE_LEAVE,
    PLACE_RESTORE_ENTER,
    PLACE_RESTORE_LEFT,
    PLACE_EVENT_COUNT
};

extern const struct machine place_machine;

/* ---- places.c ---- */

static inline struct place_entry *place_entry(const struct queue *queue, uint32_t number) {
    assert(number >= 1 && number <= queue->issued);
    return &queue->places[number - 1];
}

static inline bool place_is_issued(const struct queue *queue, uint32_t number) {
    return number >= 1 && number <= queue->issued;
}

/* False while a shuffle is to come or under way. */
static inline bool order_is_known(const struct queue *queue) {
    return queue->is_frozen ? queue->placed == queue->frozen : !queue->conditions.gathers;
}

static inline uint32_t number_at(const struct queue *queue, uint32_t position) {
    return position <= queue->frozen ? queue->order[position - 1] + 1 : position;
}

/* Calls go out and windows run. */
static inline bool queue_runs(const struct queue *queue) {
    return queue->conditions.is_open && queue->conditions.has_seats && order_is_known(queue);
}

static inline int64_t claim_ms(const struct queue *queue) {
    return (int64_t)queue->settings.claim_seconds * 1000;
}

static inline bool place_is_live(enum place_state state) {
    return state == PLACE_WAITING || state == PLACE_DOOR || state == PLACE_INSIDE;
}

/* Goes forward only. */
void queue_see_time(struct queue *queue, int64_t now_ms);
uint32_t place_position(const struct queue *queue, uint32_t number);
/* What it is at that time, whatever has been written down yet. */
enum place_state place_state(const struct queue *queue, uint32_t number, int64_t now_ms);
struct place place_view(const struct queue *queue, uint32_t number, int64_t now_ms);
/* Writes down what is over by queue->now_ms. */
void place_settle(struct queue *queue, uint32_t number);
/* The mover: keeps the counts and the grains in step. The place is settled. */
void place_move(struct queue *queue, uint32_t number, enum place_event event);

/* The next number, WAITING or UNKNOWN. */
uint32_t place_issue(struct queue *queue);
uint32_t table_bucket(const struct queue *queue, uint64_t user);
/* The number of the user's place in the table; 0: none. */
uint32_t table_find(const struct queue *queue, uint64_t user);
/* The place is its user's now; `before`: the one that was, or 0. */
void table_put(struct queue *queue, uint32_t number, uint32_t before);

/* ---- calls.c ---- */

static inline struct grain *grain_at(struct queue *queue, uint32_t index) {
    return &queue->grains[(queue->grain_first + index) % QUEUE_GRAINS];
}

/* The open grain that called the position; NULL if it is closed, or not called. */
struct grain *grain_of(struct queue *queue, uint32_t position);
void grain_count_shown(struct queue *queue, struct grain *grain);
void grain_count_left(struct queue *queue, struct grain *grain);
void grain_count_called(struct queue *queue, struct grain *grain);
/* Somebody came late, after the share was learned from the grain. */
void share_count_late(struct queue *queue);
uint32_t share_permille(const struct queue *queue);
/* The clock of the windows goes on: learns the share, closes windows. */
void calls_advance(struct queue *queue, int64_t open_ms);
/* `serving` moves on by one. */
void calls_next(struct queue *queue);
/* Calls as many as are due after so long a time. */
void calls_make(struct queue *queue, int64_t passed_ms);

/* ---- door.c ---- */

/* Fans that may go in just now. */
uint32_t door_room(const struct queue *queue);
/* Index of the first at the door with that position or a higher one. */
uint32_t door_index(const struct queue *queue, uint32_t position);
/* Called, not over, and there is room at the door: it comes there, asking. */
void door_add(struct queue *queue, uint32_t number);
void door_remove(struct queue *queue, uint32_t index);
/* Lets the windows run that have to, and finds who has gone away or has missed the turn. */
void door_walk(struct queue *queue);

/* ---- stays.c ---- */

static inline struct stay *stay_of(const struct queue *queue, const struct place_entry *entry) {
    return &queue->stays[entry->at];
}

/* False: nobody else fits in, whatever the settings say. */
MUST_USE bool stay_begin(struct queue *queue, uint32_t number, enum place_event event, int64_t claimed_ms,
                         int64_t expires_ms);
void stay_end(struct queue *queue, uint32_t number);
/* Ends at most `most` of those whose passes are over. */
void stays_end_over(struct queue *queue, int64_t now_ms, uint32_t most);

#endif
