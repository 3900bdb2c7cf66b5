/* A second queue, written from the documentation alone and in the plainest way: arrays and loops, every count made new
 * each time, time gone through by the millisecond. What the real one answers is compared with what this one answers.
 * How far `serving` moves in a tick is the real one's choice, which this one is told; that it may move is checked. */
#ifndef ONSALE_TEST_NAIVE_QUEUE_H
#define ONSALE_TEST_NAIVE_QUEUE_H

#include "waitroom/queue.h"

#define NAIVE_PLACES 160
#define NAIVE_GRAINS 1024

struct naive_place {
    uint64_t user;
    enum place_state state;
    uint32_t position; /* as it will be once it is known */
    uint32_t grain;
    bool is_adopted;
    /* at the door */
    bool has_come, is_asking;
    int64_t asked_ms, hold_ms, used_ms;
    /* inside */
    int64_t claimed_ms, expires_ms;
    uint32_t admission; /* 1 for the first … */
    bool was_ended;     /* before its time */
};

struct naive_queue {
    struct queue_settings settings;
    struct queue_conditions conditions;
    uint32_t count, serving, frozen, admissions;
    bool is_frozen;
    int64_t now_ms, ticked_ms, open_ms;
    /* the drip */
    int64_t level, factor;
    int64_t poured; /* all that was ever filled in, or would have been if it held everything */
    uint64_t missed, left;
    uint32_t grain_count;
    struct naive_place places[NAIVE_PLACES + 1]; /* by number */
    struct {
        int64_t from_ms, open_ms;
        bool is_over;
    } grains[NAIVE_GRAINS];
};

void naive_init(struct naive_queue *queue, const struct queue_settings *settings, int64_t now_ms);
void naive_see_time(struct naive_queue *queue, int64_t now_ms);
bool naive_knows_order(const struct naive_queue *queue);
bool naive_runs(const struct naive_queue *queue);
/* What the drip holds at most. */
int64_t naive_most(const struct naive_queue *queue);
/* The number of the user's live place, or 0. */
uint32_t naive_live(const struct naive_queue *queue, uint64_t user);
uint32_t naive_join(struct naive_queue *queue, uint64_t user, bool *is_new);
enum result naive_claim(struct naive_queue *queue, uint32_t number, bool *is_new);
enum result naive_leave(struct naive_queue *queue, uint32_t number);
bool naive_end_pass_of(struct naive_queue *queue, uint64_t user, uint32_t *number);
enum result naive_adopt(struct naive_queue *queue, uint32_t number, uint64_t user);
void naive_unknown(struct naive_queue *queue, uint32_t ceiling);
void naive_configure(struct naive_queue *queue, const struct queue_settings *settings);
void naive_adapt(struct naive_queue *queue, const struct drip_look *look, uint32_t most_percent);
void naive_shuffle(struct naive_queue *queue, const uint32_t *order);
/* The tick up to the calls; then how far those went. */
void naive_tick(struct naive_queue *queue, const struct queue_conditions *conditions);
void naive_call(struct naive_queue *queue, uint32_t serving);
/* What a new process makes of what was written down. */
void naive_restart(struct naive_queue *queue, int64_t now_ms);
void naive_count(const struct naive_queue *queue, struct queue_counts *counts);

#endif
