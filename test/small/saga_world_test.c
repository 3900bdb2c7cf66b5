/* The saga in a small world (saga_world.h), in every order of up to FAULTS faults: calls that never arrive, arrive
 * late, whose answers are lost, that are busy, stored errors before and after their effect, declines, a seat lost to
 * somebody else, hints, the hold's deadline, a day of silence, crashes, and a gateway that is of another mind
 * afterwards. Then all goes well, and the end must be one of the promised ones: money is kept for what is confirmed and
 * for nothing else, no more than one capture, no key sent after a day or with other parameters. */
#include "saga_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint32_t faults = 4; /* or as the first argument says: with 5 it takes half a minute */

static void say(const char *what) {
    print_message("%s: %llu worlds, %llu sold, %llu cancelled, %llu refunded, %llu left in review\n", what,
                  (unsigned long long)worlds_seen, (unsigned long long)ends_seen[SAGA_DONE],
                  (unsigned long long)ends_seen[SAGA_CANCELLED], (unsigned long long)ends_seen[SAGA_REFUNDED],
                  (unsigned long long)reviews_left);
}

/* Red if the round of a key rises while in doubt, if a capture is asked for before the sale is written, if a cancel is
 * taken as done unread, if leaving an end keeps its keys (a stored "canceled" is then taken for news). */
static void a_payment_ends_with_money_and_seats_agreeing(void **state) {
    (void)state;
    struct small_world *world = world_new(faults);
    world_open(world);
    say("paying");
    assert_true(ends_seen[SAGA_DONE] > 0 && ends_seen[SAGA_CANCELLED] > 0 && ends_seen[SAGA_REFUNDED] > 0);
    free(world);
}

/* Red if "busy" counts as the end of the call that keeps the key busy, if the keys of a new era or attempt are used
 * while a call may be on its way, if a refund forgets what was given back already. */
static void a_refund_gives_back_once(void **state) {
    (void)state;
    struct small_world *world = world_sold(faults);
    world_refund(world, WORLD_AMOUNT);
    say("refund of all");
    assert_true(ends_seen[SAGA_REFUNDED] > 0 && ends_seen[SAGA_DONE] == 0);
    free(world);
}

/* Red likewise; a part given back twice takes no more than there is, so that no gateway would refuse it. */
static void a_refund_of_a_part_gives_back_once(void **state) {
    (void)state;
    struct small_world *world = world_sold(faults);
    world_refund(world, 2000);
    say("refund of a part");
    assert_true(ends_seen[SAGA_DONE] > 0);
    free(world);
}

/* Red if the second part is taken for the first. */
static void a_second_part_is_given_back_beside_the_first(void **state) {
    (void)state;
    struct small_world *world = world_sold(faults);
    world->gateway.intents[0].refunded = 1500;
    world->saga.booking.refunded = world->row.booking.refunded = 1500;
    world_refund(world, 3500);
    say("refund of a second part");
    assert_true(ends_seen[SAGA_DONE] > 0);
    free(world);
}

int main(int count, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payment_ends_with_money_and_seats_agreeing),
        cmocka_unit_test(a_refund_gives_back_once),
        cmocka_unit_test(a_refund_of_a_part_gives_back_once),
        cmocka_unit_test(a_second_part_is_given_back_beside_the_first),
    };
    if (count > 1)
        faults = (uint32_t)atoi(arguments[1]);
    return cmocka_run_group_tests_name("saga world", tests, NULL, NULL);
}
