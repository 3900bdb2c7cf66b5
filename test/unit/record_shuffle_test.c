/* What the check of a queue's record holds the promised shuffle to: who is in it is fixed before chance speaks, it is
 * made once, of the seed that was committed to, and it alone gives the positions. */
#include "record_world.h"

#include <string.h>

/* Sealed, ready for a FREEZE. */
static struct record_world *gathered(struct bytes beacon) {
    struct record_world *world = record_world_empty();
    record_start(world, true, beacon);
    record_key(world, &world->key);
    record_terms(world, 600, 3, 60);
    record_joins(world, 5);
    record_seal(world);
    return world;
}

/* Ready for an OPEN. */
static struct record_world *frozen(struct bytes beacon) {
    struct record_world *world = gathered(beacon);
    record_of(world, RECORD_FREEZE, 5);
    return world;
}

static void a_shuffle_with_another_seed_is_found(void **state) {
    // red when: the commitment is not recomputed
    (void)state;
    struct record_world *world = frozen(BYTES(""));
    world->seed[0] ^= 1;
    record_open(world, 5, BYTES(""));
    is_found_bad(world, "seed");
}

static void a_freeze_of_others_than_were_there_is_found(void **state) {
    // red when: the operator may choose how many are shuffled
    (void)state;
    for (uint32_t number = 4; number <= 6; number += 2) {
        struct record_world *world = gathered(BYTES(""));
        record_of(world, RECORD_FREEZE, number);
        is_found_bad(world, "are frozen, and 5");
    }
}

static void a_shuffle_of_others_than_were_frozen_is_found(void **state) {
    // red when: those who joined after the beacon spoke may be shuffled in
    (void)state;
    for (uint32_t number = 4; number <= 6; number += 2) {
        struct record_world *world = frozen(BYTES("a beacon"));
        record_joins(world, 1);
        record_open(world, number, BYTES("spoken"));
        is_found_bad(world, "are shuffled, and 5 were frozen");
    }
}

static void a_freeze_with_joins_behind_its_head_is_found(void **state) {
    // red when: the last head counts, wherever it stands
    (void)state;
    struct record_world *world = gathered(BYTES(""));
    record_joins(world, 1);
    record_of(world, RECORD_FREEZE, 6);
    is_found_bad(world, "right behind");
}

static void a_second_freeze_is_found(void **state) {
    // red when: one may freeze again, with more in the list, once the beacon has spoken
    (void)state;
    struct record_world *world = frozen(BYTES("a beacon"));
    record_joins(world, 1);
    record_seal(world);
    record_of(world, RECORD_FREEZE, 6);
    is_found_bad(world, "frozen a second time");
}

static void a_freeze_that_nobody_promised_is_found(void **state) {
    // red when: FREEZE is taken in a queue by arrival
    (void)state;
    struct record_world *world = record_world_new();
    record_joins(world, 5);
    record_seal(world);
    record_of(world, RECORD_FREEZE, 5);
    is_found_bad(world, "none was committed");
}

static void a_shuffle_without_a_freeze_is_found(void **state) {
    // red when: the head behind which the seed is told decides, and the list grows until the beacon has spoken
    (void)state;
    struct record_world *world = gathered(BYTES(""));
    record_open(world, 5, BYTES(""));
    is_found_bad(world, "not frozen before");
}

static void a_second_shuffle_is_found(void **state) {
    // red when: one may shuffle until the order pleases
    (void)state;
    struct record_world *world = frozen(BYTES(""));
    record_open(world, 5, BYTES(""));
    record_seal(world);
    record_open(world, 5, BYTES(""));
    is_found_bad(world, "second shuffle");
}

static void a_shuffle_that_nobody_promised_is_found(void **state) {
    // red when: OPEN is taken in a queue by arrival
    (void)state;
    struct record_world *world = record_world_new();
    record_joins(world, 5);
    record_seal(world);
    record_open(world, 5, BYTES(""));
    is_found_bad(world, "none was committed");
}

static void a_beacon_that_was_not_named_is_found(void **state) {
    // red when: a value may be chosen although no beacon was named: then the order can be chosen
    (void)state;
    struct record_world *world = frozen(BYTES(""));
    record_open(world, 5, BYTES("chosen"));
    is_found_bad(world, "none was committed");
}

static void a_beacon_without_its_value_is_found(void **state) {
    // red when: a named beacon may be left out
    (void)state;
    struct record_world *world = frozen(BYTES("a beacon"));
    record_open(world, 5, BYTES(""));
    is_found_bad(world, "lacks the value");
}

static void a_call_before_the_promised_shuffle_is_found(void **state) {
    // red when: calls may go out in a pre-queue that gathers, or that waits for its beacon
    (void)state;
    for (int is_frozen = 0; is_frozen < 2; is_frozen++) {
        struct record_world *world = is_frozen ? frozen(BYTES("")) : gathered(BYTES(""));
        record_of(world, RECORD_CALL, 1);
        is_found_bad(world, "before the promised shuffle");
    }
}

static void those_who_come_or_leave_before_the_beacon_speaks_change_no_order(void **state) {
    // red when: the head right before OPEN decides the order, or who joins after FREEZE is shuffled in
    (void)state;
    struct record_world *world = gathered(BYTES("a beacon"));
    uint8_t key[SHUFFLE_BYTES];
    uint32_t order[5];
    shuffle_key(&world->show_id, world->seed, world->head, BYTES("spoken"), key);
    shuffle_order(key, 5, order);
    record_of(world, RECORD_FREEZE, 5);
    record_seal(world);
    world->now_ms += 5000;
    record_joins(world, 1);
    record_of(world, RECORD_LEFT, order[0] + 1);
    record_seal(world);
    struct queue_ticket late = record_ticket(world, 6), early = record_ticket(world, order[2] + 1);
    struct record_findings findings = found_good(world, &late);
    assert_true(findings.is_frozen && !findings.is_opened);
    assert_int_equal(findings.frozen_ms, RECORD_BEGAN);
    assert_int_equal(findings.position, 6);
    assert_int_equal(found_good(world, &early).position, 0);
    record_open(world, 5, BYTES("spoken"));
    record_of(world, RECORD_CALL, 2);
    record_of(world, RECORD_ADMIT, order[1] + 1);
    record_seal(world);
    assert_int_equal(found_good(world, &late).position, 6);
    assert_int_equal(found_good(world, &early).position, 3);
    record_of(world, RECORD_ADMIT, 6);
    is_found_bad(world, "before it is called: it has position 6");
}

static void the_shuffled_order_is_the_one_that_counts(void **state) {
    // red when: positions are numbers after a shuffle too
    (void)state;
    for (uint32_t first = 0; first < 2; first++) {
        struct record_world *world = gathered(BYTES(""));
        uint8_t key[SHUFFLE_BYTES];
        uint32_t order[5];
        shuffle_key(&world->show_id, world->seed, world->head, BYTES(""), key);
        shuffle_order(key, 5, order);
        record_of(world, RECORD_FREEZE, 5);
        record_open(world, 5, BYTES(""));
        record_of(world, RECORD_CALL, 1);
        record_of(world, RECORD_ADMIT, order[first] + 1);
        if (first == 0)
            is_found_good(world);
        else
            is_found_bad(world, "before it is called: it has position 2");
    }
}

static void every_ticket_of_a_shuffle_gets_its_own_position(void **state) {
    // red when: the permutation is used the wrong way round
    (void)state;
    struct record_world *world = record_world_of_all_kinds();
    uint8_t key[SHUFFLE_BYTES];
    uint32_t order[8];
    struct record_findings findings = found_good(world, NULL);
    /* The head right before the freeze is the first one. */
    const char *head = memchr(world->bytes.at, 'H', world->bytes.length);
    while (head && memcmp(head + 1, "\x01\x8b", 2) != 0)
        head = memchr(head + 1, 'H', world->bytes.length - (size_t)(head + 1 - world->bytes.at));
    assert_non_null(head);
    shuffle_key(&world->show_id, world->seed, (const uint8_t *)head + 13, BYTES("beacon value"), key);
    shuffle_order(key, 8, order);
    for (uint32_t i = 0; i < 8; i++) {
        struct queue_ticket ticket = record_ticket(world, order[i] + 1);
        findings = found_good(world, &ticket);
        assert_true(findings.has_ticket);
        assert_int_equal(findings.position, i + 1);
        assert_int_equal(findings.called_ms != 0, true);
    }
    struct queue_ticket late = record_ticket(world, 9);
    assert_int_equal(found_good(world, &late).position, 9);
    struct queue_ticket lost = record_ticket(world, 12);
    findings = found_good(world, &lost);
    assert_true(findings.is_ticket_unknown && !findings.has_ticket);
    record_world_free(world);
}

static void a_position_is_not_known_before_the_shuffle(void **state) {
    // red when: the number is said to be the position
    (void)state;
    struct record_world *world = gathered(BYTES(""));
    struct queue_ticket ticket = record_ticket(world, 2);
    struct record_findings findings = found_good(world, &ticket);
    assert_true(findings.has_ticket);
    assert_int_equal(findings.position, 0);
    record_world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shuffle_with_another_seed_is_found),
        cmocka_unit_test(a_freeze_of_others_than_were_there_is_found),
        cmocka_unit_test(a_shuffle_of_others_than_were_frozen_is_found),
        cmocka_unit_test(a_freeze_with_joins_behind_its_head_is_found),
        cmocka_unit_test(a_second_freeze_is_found),
        cmocka_unit_test(a_freeze_that_nobody_promised_is_found),
        cmocka_unit_test(a_shuffle_without_a_freeze_is_found),
        cmocka_unit_test(a_second_shuffle_is_found),
        cmocka_unit_test(a_shuffle_that_nobody_promised_is_found),
        cmocka_unit_test(a_beacon_that_was_not_named_is_found),
        cmocka_unit_test(a_beacon_without_its_value_is_found),
        cmocka_unit_test(a_call_before_the_promised_shuffle_is_found),
        cmocka_unit_test(those_who_come_or_leave_before_the_beacon_speaks_change_no_order),
        cmocka_unit_test(the_shuffled_order_is_the_one_that_counts),
        cmocka_unit_test(every_ticket_of_a_shuffle_gets_its_own_position),
        cmocka_unit_test(a_position_is_not_known_before_the_shuffle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
