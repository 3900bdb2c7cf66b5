/* The lists of deadlines: who waits longest comes first, and who begins anew comes last. */
#include "net/connection.h"
#include "base/panic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct connection connections[4];
static struct waits waits;

static void begin(void) {
    memset(connections, 0, sizeof connections);
    waits_init(&waits, connections);
    waits_set_length(&waits, WAIT_IDLE, 10);
    waits_set_length(&waits, WAIT_HEAD, 2);
}

static uint32_t take_due(int64_t now_us) {
    uint32_t slot = waits_due(&waits, now_us);
    if (slot != WAIT_END)
        wait_begin(&waits, slot, WAIT_NONE, now_us);
    return slot;
}

/* Red when a wait ends early, late, or in another order than it began. */
static void waits_end_in_the_order_in_which_they_began(void **state) {
    (void)state;
    begin();
    assert_true(waits_next_us(&waits) == INT64_MAX);
    wait_begin(&waits, 2, WAIT_IDLE, 0);
    wait_begin(&waits, 0, WAIT_IDLE, 1);
    wait_begin(&waits, 1, WAIT_IDLE, 1);
    assert_int_equal(waits_next_us(&waits), 10000);
    assert_int_equal(take_due(9999), WAIT_END);
    assert_int_equal(take_due(10001), 2);
    assert_int_equal(take_due(10001), 0);
    assert_int_equal(take_due(10001), 1);
    assert_int_equal(take_due(INT64_MAX), WAIT_END);
}

/* Red when a connection keeps its old place, or loses its neighbours, when it begins to wait anew. */
static void who_begins_anew_comes_last(void **state) {
    (void)state;
    for (uint32_t again = 0; again < 4; again++) {
        begin();
        for (uint32_t slot = 0; slot < 4; slot++)
            wait_begin(&waits, slot, WAIT_IDLE, slot);
        wait_begin(&waits, again, WAIT_IDLE, 10);
        for (uint32_t slot = 0; slot < 4; slot++)
            if (slot != again)
                assert_int_equal(take_due(20000), slot);
        assert_int_equal(waits_next_us(&waits), 10010);
        assert_int_equal(take_due(20000), again);
        assert_int_equal(take_due(20000), WAIT_END);
    }
}

/* Red when a connection is in two lists, or a shorter wait stands behind a longer one. */
static void one_waits_for_one_thing_at_a_time(void **state) {
    (void)state;
    begin();
    wait_begin(&waits, 0, WAIT_IDLE, 0);
    wait_begin(&waits, 1, WAIT_IDLE, 0);
    wait_begin(&waits, 1, WAIT_HEAD, 5000);
    assert_int_equal(waits_next_us(&waits), 7000);
    assert_int_equal(take_due(9000), 1);
    assert_int_equal(waits_next_us(&waits), 10000);
    wait_begin(&waits, 0, WAIT_NONE, 0);
    assert_int_equal(take_due(INT64_MAX), WAIT_END);
}

/* Red when who waits in another list is named, or one who has not waited long enough. */
static void the_longest_wait_of_a_kind_is_known(void **state) {
    (void)state;
    begin();
    assert_int_equal(waits_longest(&waits, WAIT_IDLE, 0, 5000), WAIT_END);
    wait_begin(&waits, 2, WAIT_HEAD, 0);
    wait_begin(&waits, 1, WAIT_IDLE, 1000);
    wait_begin(&waits, 0, WAIT_IDLE, 2000);
    assert_int_equal(waits_longest(&waits, WAIT_IDLE, 4001, 5000), WAIT_END);
    assert_int_equal(waits_longest(&waits, WAIT_IDLE, 4000, 5000), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_end_in_the_order_in_which_they_began),
        cmocka_unit_test(who_begins_anew_comes_last),
        cmocka_unit_test(one_waits_for_one_thing_at_a_time),
        cmocka_unit_test(the_longest_wait_of_a_kind_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
