/* The state machine's mover. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/machine.h"
#include "base/metrics.h"
#include "dies.h"

enum { CLOSED, OPEN };
enum { PUSH, PULL };

static const char *const states[] = {"CLOSED", "OPEN"};
static const struct machine_event events[] = {{"PUSH", METRIC_HOLDS_TAKEN}, {"PULL", MACHINE_NOT_COUNTED}};
static const uint8_t to[2][2] = {[CLOSED] = {[PUSH] = MACHINE_TO(OPEN)}, [OPEN] = {[PULL] = MACHINE_TO(CLOSED)}};
static const struct machine door = {"a door", 2, 2, states, events, &to[0][0]};

static void a_move_of_the_table_is_made_and_counted(void **state) {
    /* Red if the new state is off by the one that tells "no move" apart, or the metric is not counted. */
    (void)state;
    uint8_t at = CLOSED;
    int64_t before = metric_value(METRIC_HOLDS_TAKEN);
    machine_move(&door, &at, PUSH);
    assert_int_equal(at, OPEN);
    assert_int_equal(metric_value(METRIC_HOLDS_TAKEN), before + 1);
    machine_move(&door, &at, PULL);
    assert_int_equal(at, CLOSED);
}

static void what_is_not_in_the_table_is_not_allowed(void **state) {
    /* Red if machine_allows() looks at the wrong row. */
    (void)state;
    assert_true(machine_allows(&door, CLOSED, PUSH));
    assert_false(machine_allows(&door, CLOSED, PULL));
    assert_false(machine_allows(&door, OPEN, PUSH));
}

static void pull_a_closed_door(void *context) {
    (void)context;
    uint8_t at = CLOSED;
    machine_move(&door, &at, PULL);
}

static void what_is_not_in_the_table_panics(void **state) {
    /* Red if the mover ignores a move that is not in the table. */
    (void)state;
    assert_dies(pull_a_closed_door, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move_of_the_table_is_made_and_counted),
        cmocka_unit_test(what_is_not_in_the_table_is_not_allowed),
        cmocka_unit_test(what_is_not_in_the_table_panics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
