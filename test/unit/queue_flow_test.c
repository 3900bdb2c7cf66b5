/* How many are let in when not everybody comes: a crowd in virtual time. Each fan who comes looks again a while after
 * being called, claims, asks again at the door when told, and stays inside for a while. */
#include "queue_world.h"

#define MOST_FANS 120000

enum fan_state { FAN_WAITS, FAN_COMES, FAN_INSIDE, FAN_GONE };

struct fan {
    enum fan_state state;
    int64_t due_ms; /* acts again */
};

struct crowd {
    struct world world;
    struct fan fans[MOST_FANS + 1];
    uint64_t chance;
    uint32_t come_percent;
    int64_t delay_ms; /* at most, from the call to the claim */
    int64_t stay_ms;  /* inside, on average */
    uint32_t seen;    /* serving */
    uint32_t oldest;  /* no fan before is due to do anything */
    uint32_t most_at_the_door;
};

static uint32_t below(struct crowd *crowd, uint32_t limit) {
    return (uint32_t)((hash_of(++crowd->chance) >> 32) % limit);
}

static struct crowd *crowd_of(uint32_t rate_per_minute, uint32_t max_active, uint32_t fans, uint32_t come_percent) {
    static struct crowd crowd;
    crowd = (struct crowd){.world = world_of(rate_per_minute, max_active),
                           .come_percent = come_percent,
                           .delay_ms = 8000,
                           .stay_ms = 120000,
                           .oldest = 1};
    for (uint32_t fan = 1; fan <= fans; fan++) {
        struct place place;
        assert_int_equal(queue_join(crowd.world.queue, hash_of(fan), NOW, &place, &crowd.world.is_new), RESULT_OK);
    }
    return &crowd;
}

static void act(struct crowd *crowd, uint32_t number) {
    struct world *world = &crowd->world;
    struct fan *fan = &crowd->fans[number];
    if (fan->due_ms > world->now_ms)
        return;
    if (fan->state == FAN_INSIDE) {
        assert_int_equal(queue_leave(world->queue, number, world->now_ms), RESULT_OK);
        fan->state = FAN_GONE;
    } else if (fan->state == FAN_COMES) {
        enum result result = queue_claim(world->queue, number, world->now_ms, &world->pass, &world->is_new);
        if (result == RESULT_OK) {
            fan->state = FAN_INSIDE;
            fan->due_ms = world->now_ms + crowd->stay_ms / 2 + below(crowd, (uint32_t)crowd->stay_ms);
        } else {
            assert_int_equal(result, RESULT_AT_THE_DOOR);
            fan->due_ms = world->now_ms + (800 + below(crowd, 400)) * queue_retry_seconds_of(world->queue, number);
        }
    }
}

/* Runs the crowd for so long, and says how many were let in. */
static uint32_t admitted_in(struct crowd *crowd, int64_t ms) {
    struct world *world = &crowd->world;
    uint64_t before = counts_of(world).admitted;
    for (int64_t end_ms = world->now_ms + ms; world->now_ms < end_ms;) {
        world->now_ms += TICK_MS;
        queue_tick(world->queue, &world->conditions, world->now_ms);
        struct queue_counts counts = counts_of(world);
        for (; crowd->seen < counts.serving; crowd->seen++) {
            bool comes = below(crowd, 100) < crowd->come_percent;
            crowd->fans[crowd->seen + 1] = (struct fan){comes ? FAN_COMES : FAN_GONE,
                                                        world->now_ms + 500 + below(crowd, (uint32_t)crowd->delay_ms)};
        }
        while (crowd->oldest <= crowd->seen && crowd->fans[crowd->oldest].state == FAN_GONE)
            crowd->oldest++;
        for (uint32_t number = crowd->oldest; number <= crowd->seen; number++)
            act(crowd, number);
        if (counts.door > crowd->most_at_the_door)
            crowd->most_at_the_door = counts.door;
        assert_true(counts.active <= world->settings.max_active);
    }
    world_check(world);
    return (uint32_t)(counts_of(world).admitted - before);
}

#define MINUTE_MS 60000

static void the_rate_is_kept_when_everybody_comes(void **state) {
    /* Red if calls wait for those who were called to come. */
    (void)state;
    struct crowd *crowd = crowd_of(5000, 20000, 40000, 100);
    (void)admitted_in(crowd, MINUTE_MS / 2);
    assert_in_range(admitted_in(crowd, 2 * MINUTE_MS), 2 * 4900, 2 * 5000 + 84);
    assert_true(crowd->most_at_the_door < 1000);
    world_end(&crowd->world);
}

static void no_shows_cost_nobody_time(void **state) {
    /* Red if the share of those who come is not learned, or calls are not divided by it. */
    (void)state;
    for (uint32_t come_percent = 40; come_percent <= 70; come_percent += 30) {
        struct crowd *crowd = crowd_of(5000, 20000, 60000, come_percent);
        (void)admitted_in(crowd, MINUTE_MS);
        assert_in_range(admitted_in(crowd, 2 * MINUTE_MS), 2 * 4800, 2 * 5000 + 84);
        assert_in_range(counts_of(&crowd->world).show_permille, come_percent * 10 - 60, come_percent * 10 + 60);
        assert_true(crowd->most_at_the_door < 1000);
        world_end(&crowd->world);
    }
}

static void a_share_that_changes_is_followed(void **state) {
    /* Red if the first calls weigh as much as the last. */
    (void)state;
    struct crowd *crowd = crowd_of(5000, 20000, 60000, 90);
    (void)admitted_in(crowd, 2 * MINUTE_MS);
    crowd->come_percent = 50;
    (void)admitted_in(crowd, MINUTE_MS);
    assert_in_range(admitted_in(crowd, MINUTE_MS), 4700, 5084);
    world_end(&crowd->world);
}

static void those_who_come_late_are_counted(void **state) {
    /* Red if who comes after the share was learned does not mend it: then twice as many would be called. */
    (void)state;
    struct crowd *crowd = crowd_of(1000, 20000, 30000, 100);
    crowd->delay_ms = 100000;
    (void)admitted_in(crowd, 4 * MINUTE_MS);
    assert_in_range(admitted_in(crowd, 2 * MINUTE_MS), 2 * 900, 2 * 1000 + 17);
    assert_true(counts_of(&crowd->world).show_permille > 700);
    world_end(&crowd->world);
}

static void the_room_is_kept_full(void **state) {
    /* Red if those who have not come yet keep places empty, or the expected are not taken off. */
    (void)state;
    struct crowd *crowd = crowd_of(5000, 2000, 40000, 70);
    (void)admitted_in(crowd, 2 * MINUTE_MS);
    uint64_t active = 0, most = 0;
    for (int second = 0; second < 120; second++) {
        (void)admitted_in(crowd, 1000);
        active += counts_of(&crowd->world).active;
        most += crowd->world.settings.max_active;
    }
    assert_true(active * 100 >= most * 96);
    assert_true(crowd->most_at_the_door < 500);
    world_end(&crowd->world);
}

static void calls_go_on_when_nobody_comes(void **state) {
    /* Red if the expected are for ever expected, or the share falls to nothing. */
    (void)state;
    struct crowd *crowd = crowd_of(5000, 20, 20000, 0);
    (void)admitted_in(crowd, 10 * MINUTE_MS);
    assert_true(counts_of(&crowd->world).serving > 400);
    assert_int_equal(counts_of(&crowd->world).show_permille, QUEUE_SHARE_LEAST);
    crowd->come_percent = 100;
    (void)admitted_in(crowd, 5 * MINUTE_MS);
    assert_true(counts_of(&crowd->world).active > 15);
    world_end(&crowd->world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_is_kept_when_everybody_comes),
        cmocka_unit_test(no_shows_cost_nobody_time),
        cmocka_unit_test(a_share_that_changes_is_followed),
        cmocka_unit_test(those_who_come_late_are_counted),
        cmocka_unit_test(the_room_is_kept_full),
        cmocka_unit_test(calls_go_on_when_nobody_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
