/* What a queue costs: memory is taken in queue_new() alone, and of that the pages that the fans need. */
#include "queue_world.h"

#include "base/pages.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define FANS 1000000

static unsigned asked;   /* for memory, so far */
static unsigned failing; /* the how manieth fails; 0: none */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_pages_reserve(size_t bytes);
void *__wrap_pages_reserve(size_t bytes);

void *__wrap_calloc(size_t count, size_t size) {
    return ++asked == failing ? NULL : __real_calloc(count, size);
}

void *__wrap_pages_reserve(size_t bytes) {
    return ++asked == failing ? NULL : __real_pages_reserve(bytes);
}

static size_t touched(const void *pages, size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = (bytes + page - 1) / page, resident = 0;
    unsigned char *flags = malloc(count);
    assert_non_null(flags);
    assert_int_equal(mincore((void *)(uintptr_t)pages, bytes, flags), 0);
    for (size_t i = 0; i < count; i++)
        resident += flags[i] & 1;
    free(flags);
    return resident * page;
}

static size_t bytes_of_queue(const struct queue *queue) {
    return touched(queue, sizeof *queue) + touched(queue->places, LIMIT_PLACES * sizeof *queue->places) +
           touched(queue->heads, LIMIT_PLACES * sizeof *queue->heads) +
           touched(queue->order, LIMIT_PLACES * sizeof *queue->order) +
           touched(queue->stays, LIMIT_ACTIVE * sizeof *queue->stays) +
           touched(queue->door, LIMIT_DOOR * sizeof *queue->door);
}

static void join_a_million(struct world *world) {
    struct place place;
    for (uint64_t fan = 1; fan <= FANS; fan++)
        assert_int_equal(queue_join(world->queue, hash_of(fan), NOW, &place, &world->is_new), RESULT_OK);
}

static void a_queue_that_nobody_joined_costs_some_pages(void **state) {
    /* Red if a table is written to when it is made. */
    (void)state;
    struct world world = world_of(6000, 1000);
    assert_true(bytes_of_queue(world.queue) < 128 * 1024);
    world_end(&world);
}

static void a_fan_costs_twenty_bytes(void **state) {
    /* Red if a place grows, or the table by user gets larger than it has users. */
    (void)state;
    struct world world = world_of(6000, 1000);
    join_a_million(&world);
    join_a_million(&world);
    assert_int_equal(counts_of(&world).issued, FANS);
    assert_true(bytes_of_queue(world.queue) < 20 * FANS + 128 * 1024);
    world_end(&world);
}

static void a_shuffled_fan_costs_twenty_four(void **state) {
    /* Red if the order takes more than a number each. */
    (void)state;
    static uint32_t order[FANS];
    struct world world = world_of(6000, 1000);
    join_a_million(&world);
    for (uint32_t i = 0; i < FANS; i++)
        order[i] = FANS - 1 - i;
    assert_int_equal(queue_freeze(world.queue), FANS);
    for (uint32_t first = 0; first < FANS; first += 1000)
        queue_place_shuffled(world.queue, first, 1000, order + first);
    assert_true(bytes_of_queue(world.queue) < 24 * FANS + 128 * 1024);
    world_end(&world);
}

static void no_memory_is_asked_for_after_the_start(void **state) {
    /* Red if anything is allocated on the way. */
    (void)state;
    struct world world = world_of(60000, 1000);
    unsigned before = asked;
    join_all(&world, 2000);
    pass_time(&world, 3000);
    world.settings.max_active = 500;
    configure(&world);
    uint32_t inside = 0;
    for (uint32_t number = 1; number <= 1000; number++)
        inside += claim(&world, number) == RESULT_OK;
    assert_int_equal(inside, 500);
    assert_int_equal(counts_of(&world).door, 500);
    assert_int_equal(asked, before);
    world_end(&world);
}

static void without_memory_there_is_no_queue(void **state) {
    /* Red if one of the tables is not asked about; if one is not given back (found by the sanitizer build). */
    (void)state;
    const struct queue_settings settings = {60, 10, 120, 600};
    asked = 0;
    struct queue *queue = queue_new(&settings, NOW);
    unsigned all = asked;
    assert_true(all >= 7);
    queue_free(queue);
    for (failing = 1; failing <= all; failing++) {
        asked = 0;
        assert_null(queue_new(&settings, NOW));
    }
    failing = 0;
    queue_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_that_nobody_joined_costs_some_pages),
        cmocka_unit_test(a_fan_costs_twenty_bytes),
        cmocka_unit_test(a_shuffled_fan_costs_twenty_four),
        cmocka_unit_test(no_memory_is_asked_for_after_the_start),
        cmocka_unit_test(without_memory_there_is_no_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
