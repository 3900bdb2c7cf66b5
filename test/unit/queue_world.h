/* A queue and its fans for tests: `world_of(rate, max_active)` is a queue whose show is open; fans are numbers, steps
 * drive them; after each, the whole queue is checked. */
#ifndef ONSALE_TEST_QUEUE_WORLD_H
#define ONSALE_TEST_QUEUE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "waitroom/queue_private.h"

#define NOW INT64_C(1800000000000)
#define TICK_MS 100
#define CLAIM_MS INT64_C(120000)
#define PASS_MS INT64_C(600000)

struct world {
    struct queue *queue;
    struct queue_settings settings;
    struct queue_conditions conditions;
    int64_t now_ms;
    struct queue_pass pass; /* of the last claim that was granted */
    bool is_new;
};

/* A hash as good as any: SplitMix64's finalizer (Steele, Lea and Flood 2014). Never 0 for a fan from 1. */
static inline uint64_t hash_of(uint64_t fan) {
    fan ^= fan >> 30;
    fan *= UINT64_C(0xbf58476d1ce4e5b9);
    fan ^= fan >> 27;
    fan *= UINT64_C(0x94d049bb133111eb);
    return fan ^ fan >> 31;
}

static inline void world_check(const struct world *world) {
    char why[200] = "";
    if (!queue_check(world->queue, why, sizeof why))
        fail_msg("the queue is broken: %s", why);
}

static inline struct world world_of(uint32_t rate_per_minute, uint32_t max_active) {
    struct world world = {.settings = {rate_per_minute, max_active, CLAIM_MS / 1000, PASS_MS / 1000},
                          .conditions = {.is_open = true, .has_seats = true},
                          .now_ms = NOW};
    world.queue = queue_new(&world.settings, NOW);
    assert_non_null(world.queue);
    queue_allow_numbers(world.queue, LIMIT_PLACES);
    queue_tick(world.queue, &world.conditions, NOW);
    world_check(&world);
    return world;
}

static inline void world_end(struct world *world) {
    world_check(world);
    queue_free(world->queue);
}

/* In ticks, as the ticker does it. */
static inline void pass_time(struct world *world, int64_t ms) {
    for (int64_t end_ms = world->now_ms + ms; world->now_ms < end_ms;) {
        world->now_ms += end_ms - world->now_ms < TICK_MS ? end_ms - world->now_ms : TICK_MS;
        queue_tick(world->queue, &world->conditions, world->now_ms);
    }
    world_check(world);
}

static inline uint32_t join(struct world *world, uint64_t fan) {
    struct place place;
    assert_int_equal(queue_join(world->queue, hash_of(fan), world->now_ms, &place, &world->is_new), RESULT_OK);
    world_check(world);
    return place.number;
}

/* Fans 1 … count, with the numbers 1 … count. */
static inline void join_all(struct world *world, uint32_t count) {
    for (uint32_t fan = 1; fan <= count; fan++)
        assert_int_equal(join(world, fan), fan);
}

static inline enum result claim(struct world *world, uint32_t number) {
    enum result result = queue_claim(world->queue, number, world->now_ms, &world->pass, &world->is_new);
    world_check(world);
    return result;
}

static inline enum result leave(struct world *world, uint32_t number) {
    enum result result = queue_leave(world->queue, number, world->now_ms);
    world_check(world);
    return result;
}

static inline struct place look(const struct world *world, uint32_t number) {
    struct place place;
    assert_int_equal(queue_look(world->queue, number, world->now_ms, &place), RESULT_OK);
    return place;
}

static inline enum place_state state_of(const struct world *world, uint32_t number) {
    return look(world, number).state;
}

static inline struct queue_counts counts_of(const struct world *world) {
    struct queue_counts counts;
    queue_count(world->queue, &counts);
    return counts;
}

static inline void configure(struct world *world) {
    queue_configure(world->queue, &world->settings, world->now_ms);
    world_check(world);
}

#endif
