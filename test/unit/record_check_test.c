/* The check of a queue's record: a good one is found good, and each rule is seen broken by a record that breaks it and
 * nothing else (all heads are hashed and signed as they must be). */
#include "record_world.h"

#include <stdio.h>
#include <string.h>

/* ---- good records ---- */

static void a_record_of_all_kinds_is_found_good(void **state) {
    // red when: any check is too strict
    (void)state;
    struct record_world *world = record_world_of_all_kinds();
    struct record_findings findings = found_good(world, NULL);
    assert_true(id_equal(&findings.show_id, &world->show_id));
    assert_true(findings.is_shuffled && findings.is_frozen && findings.is_opened);
    assert_int_equal(findings.frozen, 8);
    assert_int_equal(findings.frozen_ms, RECORD_BEGAN);
    assert_true(bytes_equal(findings.beacon_name, BYTES(RECORD_BEACON)));
    assert_int_equal(findings.joins, 11);
    assert_int_equal(findings.unknown, 2);
    assert_int_equal(findings.left, 1);
    assert_int_equal(findings.admitted, 3);
    assert_int_equal(findings.most_inside, 1);
    assert_int_equal(findings.called, 10);
    assert_int_equal(findings.heads, 4);
    assert_int_equal(findings.checked_bytes, world->bytes.length);
    assert_int_equal(findings.tail_bytes, 0);
    assert_memory_equal(findings.last_hash, world->head, sizeof world->head);
    assert_int_equal(findings.first_ms, RECORD_BEGAN);
    assert_int_equal(findings.last_ms, RECORD_BEGAN + 66000);
    assert_int_equal(findings.steps_back, 0);
    record_world_free(world);
}

static void what_no_head_covers_yet_is_said(void **state) {
    // red when: tail_bytes counts nothing
    (void)state;
    struct record_world *world = record_world_new();
    record_seal(world);
    size_t covered = world->bytes.length;
    record_joins(world, 3);
    struct record_findings findings = found_good(world, NULL);
    assert_int_equal(findings.checked_bytes, covered);
    assert_int_equal(findings.tail_bytes, 3 * 23);
    record_world_free(world);
}

static void zeros_behind_the_end_are_room_for_more(void **state) {
    // red when: a file that is still written to is found damaged
    (void)state;
    struct record_world *world = record_world_of_all_kinds();
    static const char zeros[5000];
    buffer_add(&world->bytes, zeros, sizeof zeros);
    struct record_findings findings = found_good(world, NULL);
    assert_int_equal(findings.tail_bytes, 0);
    record_world_free(world);
}

struct heads_seen {
    unsigned count;
    uint64_t last;
};

static void see_head(void *context, uint64_t offset, const struct record_event *head) {
    struct heads_seen *seen = context;
    assert_int_equal(head->kind, RECORD_HEAD);
    assert_true(seen->count++ == 0 || offset > seen->last);
    seen->last = offset;
}

static void every_head_is_told_in_order(void **state) {
    // red when: check_head() forgets to tell one
    (void)state;
    struct record_world *world = record_world_of_all_kinds();
    struct heads_seen seen = {0};
    struct record_findings findings;
    struct record_fault fault;
    assert_int_equal(record_check_heads(bytes_of_world(world), NULL, see_head, &seen, &findings, &fault), RESULT_OK);
    assert_int_equal(seen.count, 4);
    assert_int_equal(seen.last, world->bytes.length - 113);
    record_world_free(world);
}

/* ---- any change ---- */

static void every_changed_byte_is_found(void **state) {
    // red when: a field of a HEAD is not signed, or a byte is left out of the chain
    (void)state;
    struct record_world *world = record_world_of_all_kinds();
    for (size_t i = 0; i < world->bytes.length; i++)
        for (int change = 0; change < 3; change++) {
            char kept = world->bytes.at[i];
            const char changed[] = {(char)(kept ^ 1 << i % 8), (char)~kept, 0};
            struct record_findings findings;
            struct record_fault fault;
            world->bytes.at[i] = changed[change];
            enum result result = record_check(bytes_of_world(world), NULL, &findings, &fault);
            if (world->bytes.at[i] != kept && result != RESULT_CORRUPT)
                print_error("byte %zu, change %d\n", i, change);
            assert_true(world->bytes.at[i] == kept || result == RESULT_CORRUPT);
            world->bytes.at[i] = kept;
        }
    record_world_free(world);
}

static void every_cut_is_found_or_covers_less(void **state) {
    // red when: a record that breaks off is taken for its end
    (void)state;
    struct record_world *world = record_world_of_all_kinds();
    for (size_t cut = 0; cut < world->bytes.length; cut++) {
        struct record_findings findings;
        struct record_fault fault;
        char *exactly = malloc(cut ? cut : 1);
        assert_non_null(exactly);
        memcpy(exactly, world->bytes.at, cut);
        enum result result = record_check((struct bytes){exactly, cut}, NULL, &findings, &fault);
        if (result == RESULT_OK) {
            assert_true(findings.checked_bytes < world->bytes.length);
            assert_int_equal(findings.checked_bytes + findings.tail_bytes, cut);
        } else {
            assert_int_equal(result, RESULT_CORRUPT);
        }
        free(exactly);
    }
    record_world_free(world);
}

static void what_stands_behind_the_end_is_found(void **state) {
    // red when: check_rest() looks at nothing
    (void)state;
    struct record_world *world = record_world_of_all_kinds();
    struct record_findings findings;
    struct record_fault fault;
    buffer_add(&world->bytes, "\0\0\0x\0", 5);
    assert_int_equal(record_check(bytes_of_world(world), NULL, &findings, &fault), RESULT_CORRUPT);
    assert_non_null(strstr(fault.words, "behind the record's end"));
    record_world_free(world);
}

/* ---- chain ---- */

static void a_head_over_other_bytes_is_found(void **state) {
    // red when: the hash is not compared
    (void)state;
    struct record_world *world = record_world_new();
    world->hashed = 1;
    is_found_bad(world, "chain is broken");
}

static void a_head_of_a_key_that_is_not_in_the_record_is_found(void **state) {
    // red when: any key may sign
    (void)state;
    struct record_world *world = record_world_new();
    world->key.id++;
    is_found_bad(world, "not in the record");
}

static void a_head_signed_by_somebody_else_is_found(void **state) {
    // red when: signatures are not checked
    (void)state;
    struct record_world *world = record_world_new();
    memset(world->key.seed, 8, sizeof world->key.seed);
    key_derive(&world->key);
    is_found_bad(world, "signature");
}

static void another_key_under_a_known_id_is_found(void **state) {
    // red when: a KEY replaces one of the same id
    (void)state;
    struct record_world *world = record_world_new();
    struct key_generation other = world->key;
    memset(other.seed, 8, sizeof other.seed);
    key_derive(&other);
    record_key(world, &other);
    is_found_bad(world, "a second time");
}

static void a_rotated_key_signs_on(void **state) {
    // red when: only the first KEY counts
    (void)state;
    struct record_world *world = record_world_new();
    for (uint32_t i = 0; i < 3 * RECORD_CHECK_KEYS; i++) {
        world->key.id++;
        memset(world->key.seed, (int)i + 20, sizeof world->key.seed);
        key_derive(&world->key);
        record_key(world, &world->key);
        record_seal(world);
    }
    is_found_good(world);
}

static void a_second_beginning_is_found(void **state) {
    // red when: a START may stand anywhere
    (void)state;
    struct record_world *world = record_world_new();
    record_start(world, false, BYTES(""));
    is_found_bad(world, "second beginning");
}

static void another_beginning_is_found(void **state) {
    // red when: a record may begin with anything
    (void)state;
    struct record_world *world = record_world_empty();
    record_key(world, &world->key);
    is_found_bad(world, "begin");
}

/* ---- order ---- */

static void whoever_is_let_in_before_they_are_called_is_found(void **state) {
    // red when: positions are not compared with what was called
    (void)state;
    struct record_world *world = called(5, 2);
    record_of(world, RECORD_ADMIT, 3);
    is_found_bad(world, "before it is called");
}

static void whoever_is_let_in_twice_is_found(void **state) {
    // red when: a turn may be used again
    (void)state;
    struct record_world *world = called(5, 5);
    record_of(world, RECORD_ADMIT, 3);
    record_of(world, RECORD_END, 3);
    record_of(world, RECORD_ADMIT, 3);
    is_found_bad(world, "let in a second time");
}

static void whoever_is_let_in_after_leaving_is_found(void **state) {
    // red when: LEFT is only counted
    (void)state;
    struct record_world *world = called(5, 5);
    record_of(world, RECORD_LEFT, 3);
    record_of(world, RECORD_ADMIT, 3);
    is_found_bad(world, "after it has left");
}

static void whoever_is_let_in_without_a_number_is_found(void **state) {
    // red when: numbers are not compared with those given out
    (void)state;
    static const uint32_t numbers[] = {0, 6, LIMIT_PLACES, LIMIT_PLACES + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct record_world *world = called(5, 5);
        record_of(world, RECORD_ADMIT, numbers[i]);
        is_found_bad(world, "never given out");
        world = called(5, 5);
        record_of(world, RECORD_LEFT, numbers[i]);
        is_found_bad(world, "never given out");
        world = called(5, 5);
        record_of(world, RECORD_END, numbers[i]);
        is_found_bad(world, "never given out");
    }
}

static void whoever_is_at_the_door_was_called_and_is_neither_in_nor_gone(void **state) {
    // red when: DOOR is taken for anybody
    (void)state;
    struct record_world *world = called(5, 2);
    record_of(world, RECORD_DOOR, 3);
    is_found_bad(world, "at the door before it is called");
    world = called(5, 5);
    record_of(world, RECORD_DOOR, 6);
    is_found_bad(world, "at the door before it is called");
    world = called(5, 5);
    record_of(world, RECORD_LEFT, 3);
    record_of(world, RECORD_DOOR, 3);
    is_found_bad(world, "at the door after");
    world = called(5, 5);
    record_of(world, RECORD_ADMIT, 3);
    record_of(world, RECORD_DOOR, 3);
    is_found_bad(world, "at the door after");
    world = called(5, 5);
    record_of(world, RECORD_DOOR, 3);
    record_of(world, RECORD_DOOR, 3);
    record_of(world, RECORD_ADMIT, 3);
    is_found_good(world);
}

static void calls_that_go_back_are_found(void **state) {
    // red when: serving may fall
    (void)state;
    struct record_world *world = called(5, 3);
    record_of(world, RECORD_CALL, 2);
    is_found_bad(world, "go back");
}

static void calls_of_places_that_are_not_there_are_found(void **state) {
    // red when: everybody to come may be called beforehand, so that calls mean nothing
    (void)state;
    is_found_bad(called(5, 6), "there are only 5");
}

static void leaving_twice_or_when_inside_is_found(void **state) {
    // red when: marks are not looked at
    (void)state;
    struct record_world *world = called(5, 5);
    record_of(world, RECORD_LEFT, 1);
    record_of(world, RECORD_LEFT, 1);
    is_found_bad(world, "leaves the line");
    world = called(5, 5);
    record_of(world, RECORD_ADMIT, 1);
    record_of(world, RECORD_LEFT, 1);
    is_found_bad(world, "leaves the line");
}

static void an_end_without_a_beginning_or_twice_is_found(void **state) {
    // red when: END is taken for anybody, and makes room inside
    (void)state;
    struct record_world *world = called(5, 5);
    record_of(world, RECORD_END, 1);
    is_found_bad(world, "not let in");
    world = called(5, 5);
    record_of(world, RECORD_ADMIT, 1);
    record_of(world, RECORD_END, 1);
    record_of(world, RECORD_END, 1);
    is_found_bad(world, "ends a second time");
}

static void an_end_whose_admission_was_lost_with_the_power_is_let_pass(void **state) {
    // red when: a power loss makes a fault of what came through
    (void)state;
    struct record_world *world = called(5, 5);
    record_of(world, RECORD_UNKNOWN, 6);
    record_of(world, RECORD_END, 1);
    is_found_good(world);
}

static void unknown_numbers_only_go_up(void **state) {
    // red when: UNKNOWN may take numbers back, or give out more than there are
    (void)state;
    static const uint32_t numbers[] = {0, 4, 5, LIMIT_PLACES + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct record_world *world = called(5, 5);
        record_of(world, RECORD_UNKNOWN, numbers[i]);
        is_found_bad(world, "unknown");
    }
    struct record_world *world = called(5, 5);
    record_of(world, RECORD_UNKNOWN, LIMIT_PLACES);
    record_joins(world, 1);
    is_found_bad(world, "more people join");
}

/* ---- ticket ---- */

static void a_ticket_is_told_what_became_of_its_place(void **state) {
    // red when: a time or the position is not noted
    (void)state;
    struct record_world *world = record_world_new();
    record_joins(world, 2);
    world->now_ms += 1000;
    record_joins(world, 1);
    world->now_ms += 1000;
    record_of(world, RECORD_CALL, 3);
    world->now_ms += 1000;
    record_of(world, RECORD_ADMIT, 3);
    world->now_ms += 1000;
    record_of(world, RECORD_END, 3);
    record_of(world, RECORD_LEFT, 2);
    record_seal(world);
    struct queue_ticket ticket = record_ticket(world, 3);
    struct record_findings findings = found_good(world, &ticket);
    assert_true(findings.has_ticket);
    assert_int_equal(findings.position, 3);
    assert_int_equal(findings.joined_ms, RECORD_BEGAN + 1000);
    assert_int_equal(findings.called_ms, RECORD_BEGAN + 2000);
    assert_int_equal(findings.admitted_ms, RECORD_BEGAN + 3000);
    assert_int_equal(findings.ended_ms, RECORD_BEGAN + 4000);
    assert_int_equal(findings.left_ms, 0);
    ticket = record_ticket(world, 2);
    findings = found_good(world, &ticket);
    assert_int_equal(findings.left_ms, RECORD_BEGAN + 4000);
    assert_int_equal(findings.admitted_ms, 0);
    record_world_free(world);
}

static void a_ticket_of_another_salt_user_number_or_show_is_not_of_it(void **state) {
    // red when: only the number is compared
    (void)state;
    struct record_world *world = record_world_new();
    record_joins(world, 3);
    record_seal(world);
    struct queue_ticket ticket = record_ticket(world, 2);
    ticket.salt[0] ^= 1;
    assert_false(found_good(world, &ticket).has_ticket);
    ticket = record_ticket(world, 2);
    ticket.user.text[0] = 'F';
    assert_false(found_good(world, &ticket).has_ticket);
    ticket = record_ticket(world, 2);
    ticket.number = 3;
    assert_false(found_good(world, &ticket).has_ticket);
    ticket.number = 4;
    assert_false(found_good(world, &ticket).has_ticket);
    ticket = record_ticket(world, 2);
    ticket.show_id.at[0] ^= 1;
    assert_false(found_good(world, &ticket).has_ticket);
    record_world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_of_all_kinds_is_found_good),
        cmocka_unit_test(what_no_head_covers_yet_is_said),
        cmocka_unit_test(zeros_behind_the_end_are_room_for_more),
        cmocka_unit_test(every_head_is_told_in_order),
        cmocka_unit_test(every_changed_byte_is_found),
        cmocka_unit_test(every_cut_is_found_or_covers_less),
        cmocka_unit_test(what_stands_behind_the_end_is_found),
        cmocka_unit_test(a_head_over_other_bytes_is_found),
        cmocka_unit_test(a_head_of_a_key_that_is_not_in_the_record_is_found),
        cmocka_unit_test(a_head_signed_by_somebody_else_is_found),
        cmocka_unit_test(another_key_under_a_known_id_is_found),
        cmocka_unit_test(a_rotated_key_signs_on),
        cmocka_unit_test(a_second_beginning_is_found),
        cmocka_unit_test(another_beginning_is_found),
        cmocka_unit_test(whoever_is_let_in_before_they_are_called_is_found),
        cmocka_unit_test(whoever_is_let_in_twice_is_found),
        cmocka_unit_test(whoever_is_let_in_after_leaving_is_found),
        cmocka_unit_test(whoever_is_let_in_without_a_number_is_found),
        cmocka_unit_test(whoever_is_at_the_door_was_called_and_is_neither_in_nor_gone),
        cmocka_unit_test(calls_that_go_back_are_found),
        cmocka_unit_test(calls_of_places_that_are_not_there_are_found),
        cmocka_unit_test(leaving_twice_or_when_inside_is_found),
        cmocka_unit_test(an_end_without_a_beginning_or_twice_is_found),
        cmocka_unit_test(an_end_whose_admission_was_lost_with_the_power_is_let_pass),
        cmocka_unit_test(unknown_numbers_only_go_up),
        cmocka_unit_test(a_ticket_is_told_what_became_of_its_place),
        cmocka_unit_test(a_ticket_of_another_salt_user_number_or_show_is_not_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
