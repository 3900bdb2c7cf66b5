/* A second show, written from the documentation alone and in the plainest way: arrays, loops, no bitmaps, no tables.
 * What the real one answers is compared with what this one answers. */
#ifndef ONSALE_TEST_NAIVE_SHOW_H
#define ONSALE_TEST_NAIVE_SHOW_H

#include "seats/show.h"

#define NAIVE_SEATS 1024
#define NAIVE_HOLDS 8192

struct naive_seat {
    enum seat_status status;
    uint64_t version;
    uint32_t hold; /* HELD: its place in holds */
    struct user_id buyer;
    bool untold;
};

struct naive_hold {
    struct hold hold; /* private fields unused */
    uint32_t seats[LIMIT_SEATS_PER_HOLD];
    bool forgotten;
    uint32_t ended_as; /* 1 for the first hold that ended, 2 …; 0: has not */
};

struct naive_show {
    const struct plan *plan;
    struct show_settings settings;
    struct naive_seat seats[NAIVE_SEATS];
    struct naive_hold holds[NAIVE_HOLDS];
    uint32_t hold_count, ended_count;
    uint64_t next_fence, sequence;
};

void naive_init(struct naive_show *show, const struct plan *plan, const struct show_settings *settings, uint32_t epoch);

/* As those of show.h. A hold is named by its place in holds, which is never used again. */
enum result naive_take(struct naive_show *show, const struct hold_wish *wish, int64_t now_ms, uint32_t *hold,
                       struct hold_warning *warning, struct hold_refusal *refusal);
/* HOLD_NO_SLOT where there is none, or it is forgotten. */
uint32_t naive_find(const struct naive_show *show, const struct id *reservation);
enum result naive_release(struct naive_show *show, uint32_t hold, int64_t now_ms);
enum result naive_begin_payment(struct naive_show *show, uint32_t hold, const struct id *booking, bool recovering,
                                int64_t now_ms);
void naive_end_payment(struct naive_show *show, uint32_t hold, bool keep, int64_t now_ms);
void naive_sell(struct naive_show *show, uint32_t hold);
/* Ends at most `batch`, the earliest deadline first. */
uint32_t naive_expire(struct naive_show *show, int64_t now_ms, uint32_t batch);
enum result naive_restore(struct naive_show *show, const struct hold *hold, const uint32_t *seats, uint32_t *number);
void naive_load_seat(struct naive_show *show, uint32_t seat, enum seat_status status, uint64_t version,
                     const struct user_id *owner);
bool naive_unsell(struct naive_show *show, uint32_t count, const uint32_t *seats, uint64_t version);
bool naive_change(struct naive_show *show, enum seat_status from, enum seat_status to, uint32_t count,
                  const uint32_t *seats, uint64_t version);
uint64_t naive_draw_fence(struct naive_show *show);
uint32_t naive_take_changes(struct naive_show *show, struct seat_change *changes, uint32_t room);

/* best_available.h, by trying every place. `free` is one flag a seat. */
enum result naive_best(const struct plan *plan, const bool *free, uint32_t quantity, uint32_t category,
                       uint32_t *seats);

/* Fails the test, naming the first difference between the two. */
void naive_compare(const struct naive_show *naive, struct show *show, const char *after);

#endif
