/* The queue in a small world: three fans, every order of up to DEPTH commands (joins, claims, leaving, ends, ticks, a
 * pause, another max_active, a restart), each compared with the naive queue and checked whole. Worlds are not made anew
 * for each order: what a command may change is put back after it. */
#include "queue_twins.h"

#define DEPTH 5
#define KEPT_PLACES 16
#define KEPT_GRAINS 16

enum command {
    JOIN_1,
    JOIN_2,
    JOIN_3,
    CLAIM_1,
    CLAIM_2,
    CLAIM_3,
    LEAVE_1,
    LEAVE_2,
    END_PASS_1,
    TICK,
    SLEEP,
    PAUSE,
    ROOM,
    RESTART,
    COMMANDS
};

/* All of a queue that so small a world can change. */
struct kept {
    struct place_entry places[KEPT_PLACES];
    uint32_t heads[KEPT_PLACES];
    struct stay stays[KEPT_PLACES];
    struct door_fan door[KEPT_PLACES];
    struct deadline *ends[KEPT_PLACES];
    struct grain grains[KEPT_GRAINS];
    char rest[offsetof(struct queue, grains)];
};

static struct kept fresh;
static uint64_t orders, admissions, at_the_door, missed;

static void keep(struct kept *kept, const struct queue *queue) {
    memcpy(kept->places, queue->places, sizeof kept->places);
    memcpy(kept->heads, queue->heads, sizeof kept->heads);
    memcpy(kept->stays, queue->stays, sizeof kept->stays);
    memcpy(kept->door, queue->door, sizeof kept->door);
    memcpy(kept->ends, queue->ends.heap, sizeof kept->ends);
    memcpy(kept->grains, queue->grains, sizeof kept->grains);
    memcpy(kept->rest, queue, sizeof kept->rest);
}

static void put_back(struct queue *queue, const struct kept *kept) {
    memcpy(queue, kept->rest, sizeof kept->rest);
    memcpy(queue->places, kept->places, sizeof kept->places);
    memcpy(queue->heads, kept->heads, sizeof kept->heads);
    memcpy(queue->stays, kept->stays, sizeof kept->stays);
    memcpy(queue->door, kept->door, sizeof kept->door);
    memcpy(queue->ends.heap, kept->ends, sizeof kept->ends);
    memcpy(queue->grains, kept->grains, sizeof kept->grains);
}

static void restart(struct twins *twins) {
    put_back(twins->queue, &fresh);
    twins_restore(twins, 0);
}

static void obey(struct twins *twins, enum command command) {
    struct queue_settings settings = twins->naive.settings;
    switch (command) {
    case JOIN_1:
    case JOIN_2:
    case JOIN_3:
        twins_join(twins, 1 + command - JOIN_1);
        break;
    case CLAIM_1:
    case CLAIM_2:
    case CLAIM_3:
        at_the_door += twins_claim(twins, 1 + command - CLAIM_1) == RESULT_AT_THE_DOOR;
        break;
    case LEAVE_1:
    case LEAVE_2:
        twins_leave(twins, 1 + command - LEAVE_1);
        break;
    case END_PASS_1:
        twins_end_pass_of(twins, 1);
        break;
    case TICK:
        twins->now_ms += 500;
        twins_tick(twins);
        break;
    case SLEEP:
        twins->now_ms += 2100;
        twins_tick(twins);
        break;
    case PAUSE:
        twins->conditions.is_open = !twins->conditions.is_open;
        twins_tick(twins);
        break;
    case ROOM:
        settings.max_active = 3 - settings.max_active;
        twins_configure(twins, &settings);
        break;
    case RESTART:
        restart(twins);
        break;
    case COMMANDS:
        break;
    }
}

/* What is put back of the twins; their notes only get fewer again. */
struct kept_twins {
    struct kept queue;
    char naive[offsetof(struct naive_queue, places)];
    struct naive_place places[KEPT_PLACES];
    char grains[KEPT_GRAINS * sizeof(((struct naive_queue *)0)->grains[0])];
    struct queue_conditions conditions;
    int64_t now_ms;
    uint32_t note_count, admission_count;
};

static void keep_twins(struct kept_twins *kept, const struct twins *twins) {
    assert_true(twins->naive.count < KEPT_PLACES && twins->naive.grain_count <= KEPT_GRAINS);
    keep(&kept->queue, twins->queue);
    memcpy(kept->naive, &twins->naive, sizeof kept->naive);
    memcpy(kept->places, twins->naive.places, sizeof kept->places);
    memcpy(kept->grains, twins->naive.grains, sizeof kept->grains);
    kept->conditions = twins->conditions;
    kept->now_ms = twins->now_ms;
    kept->note_count = twins->note_count;
    kept->admission_count = twins->admission_count;
}

static void put_twins_back(struct twins *twins, const struct kept_twins *kept) {
    put_back(twins->queue, &kept->queue);
    memcpy(&twins->naive, kept->naive, sizeof kept->naive);
    memcpy(twins->naive.places, kept->places, sizeof kept->places);
    memcpy(twins->naive.grains, kept->grains, sizeof kept->grains);
    twins->conditions = kept->conditions;
    twins->now_ms = kept->now_ms;
    twins->note_count = kept->note_count;
    twins->admission_count = kept->admission_count;
}

static void try_all(struct twins *twins, unsigned depth) {
    static struct kept_twins kept[DEPTH + 1];
    if (depth == 0) {
        orders++;
        admissions += twins->admission_count;
        missed += twins->naive.missed;
        twins_check_bounds(twins);
        return;
    }
    keep_twins(&kept[depth], twins);
    for (enum command command = 0; command < COMMANDS; command++) {
        obey(twins, command);
        try_all(twins, depth - 1);
        put_twins_back(twins, &kept[depth]);
    }
}

/* One is let in a second; a turn lasts two, a pass three. The hashes are as small as the fans, so that they stand in
 * the first buckets. */
static struct twins *small_world(void) {
    static struct twins twins;
    const struct queue_settings settings = {60, 2, 2, 3};
    twins = (struct twins){.now_ms = NOW, .conditions = {.is_open = true, .has_seats = true}};
    twins.queue = queue_new(&settings, NOW);
    assert_non_null(twins.queue);
    queue_allow_numbers(twins.queue, LIMIT_PLACES);
    keep(&fresh, twins.queue);
    naive_init(&twins.naive, &settings, NOW);
    note_down(&twins, (struct note){.kind = NOTE_TERMS, .terms = settings});
    twins_tick(&twins);
    orders = admissions = at_the_door = missed = 0;
    return &twins;
}

static void obey_all(struct twins *twins, const char *commands) {
    static const char letters[] = "abc123xyetspro"; /* the commands, in their order */
    for (; *commands; commands++)
        obey(twins, (enum command)(strchr(letters, *commands) - letters));
}

static void all_orders_from_an_empty_queue(void **state) {
    /* Red as queue_random_test.c is; here no order is left out. */
    (void)state;
    struct twins *twins = small_world();
    try_all(twins, DEPTH);
    assert_int_equal(orders, (uint64_t)COMMANDS * COMMANDS * COMMANDS * COMMANDS * COMMANDS);
    assert_true(admissions > 0 && missed > 0);
    queue_free(twins->queue);
}

static void all_orders_from_where_two_are_called(void **state) {
    /* Red as queue_random_test.c is; here no order is left out. */
    (void)state;
    struct twins *twins = small_world();
    obey_all(twins, "abcttt");
    while (twins->naive.serving < 2)
        obey(twins, TICK);
    try_all(twins, DEPTH);
    assert_true(admissions > orders / 4 && missed > orders / 4 && at_the_door > orders / 100);
    queue_free(twins->queue);
}

static void all_orders_from_where_one_is_inside_and_one_at_the_door(void **state) {
    /* Red as queue_random_test.c is; here no order is left out. */
    (void)state;
    struct twins *twins = small_world();
    obey_all(twins, "abc");
    while (twins->naive.serving < 2)
        obey(twins, TICK);
    obey_all(twins, "1r2");
    assert_int_equal(twins->naive.places[1].state, PLACE_INSIDE);
    assert_int_equal(twins->naive.places[2].state, PLACE_DOOR);
    try_all(twins, DEPTH);
    assert_true(admissions > orders && at_the_door > orders / 100);
    queue_free(twins->queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_orders_from_an_empty_queue),
        cmocka_unit_test(all_orders_from_where_two_are_called),
        cmocka_unit_test(all_orders_from_where_one_is_inside_and_one_at_the_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
