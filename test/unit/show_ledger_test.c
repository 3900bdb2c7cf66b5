/* A show and its ledger: restart, refunds, blocks, what the ledger is told, and what it knows better. */
#include "show_world.h"

static const struct id a_booking = {{7}};

static void load(struct world *world, const char *name, enum seat_status status, uint64_t version, const char *owner) {
    struct user_id user = user_named(owner);
    show_load_seat(world->show, seat_named(world, name), status, version, &user);
    world_check(world);
}

static void limit_seats(struct world *world, uint32_t most) {
    struct show_settings settings = *show_settings(world->show);
    settings.max_seats_per_user = most;
    show_configure(world->show, &settings);
}

static uint64_t version_of(struct world *world, const char *name) {
    return show_seat_version(world->show, seat_named(world, name));
}

static enum hold_state state_of(struct world *world, uint32_t slot) {
    return (enum hold_state)hold_at(world->show, slot)->state;
}

/* "A1 held 4, A2 available 7": what the ledger is told. Forgets the epoch in the numbers. */
static const char *changes_told(struct world *world, uint32_t room) {
    static const char *const words[] = {"available", "held", "booked", "blocked"};
    static char text[1024];
    struct seat_change changes[16];
    size_t used = 0;
    uint32_t count = show_take_changes(world->show, changes, room);
    text[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        struct bytes id = world->plan->seat_ids[changes[i].seat];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s %s %u", i ? ", " : "", (int)id.length, id.at,
                                 words[changes[i].status], (unsigned)changes[i].version);
    }
    world_check(world);
    return text;
}

/* ---- loading ---- */

static void sold_seats_are_sold_after_a_restart(void **state) {
    /* Red if a loaded seat stays available, or its buyer's seats are not counted. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t slot;
    load(&world, "A1", SEAT_BOOKED, 41, "ann");
    load(&world, "A2", SEAT_BOOKED, 41, "ann");
    limit_seats(&world, 3);
    assert_seats(&world, "A1 A2", SEAT_BOOKED);
    assert_int_equal(version_of(&world, "A1"), 41);
    assert_int_equal(take(&world, "ann", "B1 B2", NOW, &slot), RESULT_TOO_MANY_SEATS);
    taken(&world, "ann", "B1");
    world_end(&world);
}

static void a_seat_loaded_twice_is_counted_once(void **state) {
    /* Red if the buyer's count rises again when the same sale is loaded again. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    limit_seats(&world, 2);
    load(&world, "A1", SEAT_BOOKED, 41, "ann");
    load(&world, "A1", SEAT_BOOKED, 41, "ann");
    taken(&world, "ann", "B1");
    world_end(&world);
}

static void the_next_fence_is_above_every_number_loaded(void **state) {
    /* Red if loading does not raise the counter: an epoch that was lost would hand numbers out twice. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    load(&world, "A1", SEAT_BOOKED, (UINT64_C(5) << 40) + 7, "ann");
    assert_int_equal(show_draw_fence(world.show), (UINT64_C(5) << 40) + 8);
    world_end(&world);
}

static void a_picture_of_a_hold_is_no_hold(void **state) {
    /* Red if a seat loaded as HELD stays held although no journal brings its hold back, or the ledger is not told that
     * it ended. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    load(&world, "A1", SEAT_HELD, 44, "");
    assert_seats(&world, "A1", SEAT_AVAILABLE);
    assert_string_equal(changes_told(&world, 16), "A1 available 45");
    world_end(&world);
}

static void news_older_than_a_sale_or_a_refund_change_nothing(void **state) {
    /* Red if AVAILABLE from the ledger wins at a lower version. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    load(&world, "A1", SEAT_BOOKED, 41, "ann");
    load(&world, "A1", SEAT_AVAILABLE, 39, "");
    load(&world, "A1", SEAT_HELD, 40, "");
    load(&world, "A1", SEAT_BLOCKED, 40, "");
    assert_seats(&world, "A1", SEAT_BOOKED);
    load(&world, "A1", SEAT_AVAILABLE, 42, "");
    assert_seats(&world, "A1", SEAT_AVAILABLE);
    world_end(&world);
}

static void a_hold_whose_seat_the_ledger_sold_to_another_is_ended_whole(void **state) {
    /* Red if the hold keeps its other seats, or the sale is refused because the hold's number is higher. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t slot = taken(&world, "bob", "A1 A2");
    load(&world, "A1", SEAT_BOOKED, 5, "ann");
    assert_int_equal(state_of(&world, slot), HOLD_EXPIRED);
    assert_seats(&world, "A1", SEAT_BOOKED);
    assert_seats(&world, "A2", SEAT_AVAILABLE);
    world_end(&world);
}

static void a_hold_that_the_ledger_sold_is_sold(void **state) {
    /* Red if a hold's own sale ends it as if it were somebody else's. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t slot = taken(&world, "ann", "A1 A2");
    load(&world, "A2", SEAT_BOOKED, hold_at(world.show, slot)->fence + 1, "ann");
    assert_int_equal(state_of(&world, slot), HOLD_SOLD);
    assert_seats(&world, "A1 A2", SEAT_BOOKED);
    assert_string_equal(seats_of(&world, slot), "A1 A2");
    world_end(&world);
}

static void a_paying_hold_whose_own_sale_is_loaded_waits_for_whoever_pays(void **state) {
    /* Red if loading sells it: hold_sell() would then find it SOLD and panic. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t slot = paying(&world, "ann", "A1 A2");
    load(&world, "A1", SEAT_BOOKED, hold_at(world.show, slot)->fence + 1, "ann");
    assert_int_equal(state_of(&world, slot), HOLD_PAYING);
    hold_sell(world.show, slot);
    assert_seats(&world, "A1 A2", SEAT_BOOKED);
    world_end(&world);
}

static void a_paying_hold_that_loses_a_seat_keeps_the_others_until_its_payment_ends(void **state) {
    /* Red if the hold ends under its payment, or can be kept afterwards without the seat. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t slot = paying(&world, "bob", "A1 A2 A3");
    limit_seats(&world, 3);
    load(&world, "A2", SEAT_BOOKED, 5, "ann");
    assert_int_equal(state_of(&world, slot), HOLD_PAYING);
    assert_string_equal(seats_of(&world, slot), "A1 A3");
    assert_int_equal(hold_at(world.show, slot)->lost_count, 1);
    taken(&world, "bob", "B1");
    hold_end_payment(world.show, slot, true, NOW);
    assert_int_equal(state_of(&world, slot), HOLD_DECLINED);
    assert_seats(&world, "A1 A3", SEAT_AVAILABLE);
    assert_seats(&world, "A2", SEAT_BOOKED);
    world_end(&world);
}

static void a_paying_hold_may_lose_every_seat(void **state) {
    /* Red if the fan's entry is used after it went with the last seat, or the chain's first link is not mended. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t slot = paying(&world, "bob", "A1 A2");
    load(&world, "A1", SEAT_BLOCKED, 5, "");
    load(&world, "A2", SEAT_BOOKED, 5, "ann");
    assert_string_equal(seats_of(&world, slot), "");
    hold_end_payment(world.show, slot, false, NOW);
    assert_seats(&world, "A1", SEAT_BLOCKED);
    assert_seats(&world, "A2", SEAT_BOOKED);
    world_end(&world);
}

static void the_picture_of_an_earlier_hold_does_not_end_a_hold(void **state) {
    /* Red if HELD or AVAILABLE at a lower version ends a hold of now. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t slot = taken(&world, "ann", "A1");
    load(&world, "A1", SEAT_HELD, 4, "");
    load(&world, "A1", SEAT_AVAILABLE, 5, "");
    load(&world, "A1", SEAT_HELD, hold_at(world.show, slot)->fence, "");
    load(&world, "A1", SEAT_HELD, hold_at(world.show, slot)->fence + 4, "");
    assert_int_equal(state_of(&world, slot), HOLD_HELD);
    load(&world, "A1", SEAT_AVAILABLE, hold_at(world.show, slot)->fence + 9, "");
    assert_int_equal(state_of(&world, slot), HOLD_EXPIRED);
    world_end(&world);
}

/* ---- restoring ---- */

static struct hold journal_hold(uint64_t fence, uint32_t seat_count) {
    return (struct hold){.reservation = {{1, [15] = 9}},
                         .fence = fence,
                         .taken_ms = NOW,
                         .deadline_ms = NOW + 5,
                         .store_deadline_ms = NOW + 9,
                         .amount = 1234,
                         .seat_count = seat_count,
                         .state = HOLD_PAYING,
                         .booking = a_booking,
                         .payments_begun = 2,
                         .user = user_named("ann")};
}

static void a_hold_comes_back_from_the_journal_as_it_was(void **state) {
    /* Red if a field that the fan sees is made anew, or the next fence is not above the hold's. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t seats[2] = {7, 3}, slot;
    struct hold hold = journal_hold((UINT64_C(3) << 40) + 6, 2);
    load(&world, "A8", SEAT_HELD, hold.fence, "");
    assert_int_equal(hold_restore(world.show, &hold, seats, &slot), RESULT_OK);
    world_check(&world);
    const struct hold *restored = hold_at(world.show, slot);
    assert_int_equal(restored->state, HOLD_HELD);
    assert_int_equal(restored->fence, hold.fence);
    assert_int_equal(restored->deadline_ms, NOW + 5);
    assert_int_equal(restored->amount, 1234);
    assert_int_equal(restored->payments_begun, 2);
    assert_string_equal(seats_of(&world, slot), "A8 A4");
    assert_int_equal(show_next_deadline(world.show), NOW + 9);
    assert_int_equal(hold_find(world.show, &hold.reservation), slot);
    assert_string_equal(changes_told(&world, 16), "A4 held 6, A8 held 6");
    hold = journal_hold((UINT64_C(4) << 40) + 6, 1);
    hold.reservation.at[0] = 99;
    assert_int_equal(hold_restore(world.show, &hold, (uint32_t[]){1}, &slot), RESULT_OK);
    assert_int_equal(show_draw_fence(world.show), hold.fence + 2);
    world_end(&world);
}

static void a_hold_whose_seat_was_sold_or_moved_on_does_not_come_back(void **state) {
    /* Red if the seats are not checked before the first is claimed, or their versions are not looked at. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t seats[2] = {0, 1}, slot = 77;
    struct hold hold = journal_hold(44, 2);
    load(&world, "A2", SEAT_BOOKED, 45, "ann");
    assert_int_equal(hold_restore(world.show, &hold, seats, &slot), RESULT_CONFLICT);
    load(&world, "A2", SEAT_AVAILABLE, 46, "");
    assert_int_equal(hold_restore(world.show, &hold, seats, &slot), RESULT_CONFLICT);
    assert_seats(&world, "A1 A2", SEAT_AVAILABLE);
    assert_int_equal(slot, 77);
    world_end(&world);
}

static void nonsense_from_a_journal_is_refused(void **state) {
    /* Red if one of these is believed. */
    (void)state;
    struct world world = show_with_rows(1, 3);
    uint32_t seats[3] = {0, 1, 0}, outside[1] = {3}, slot;
    struct hold good = journal_hold(44, 2), bad = good;
    assert_int_equal(hold_restore(world.show, (bad.seat_count = 0, &bad), seats, &slot), RESULT_CONFLICT);
    assert_int_equal(hold_restore(world.show, (bad.seat_count = 101, &bad), seats, &slot), RESULT_CONFLICT);
    assert_int_equal(hold_restore(world.show, (bad.seat_count = 3, &bad), seats, &slot), RESULT_CONFLICT);
    assert_int_equal(hold_restore(world.show, (bad.seat_count = 1, &bad), outside, &slot), RESULT_CONFLICT);
    bad = good;
    assert_int_equal(hold_restore(world.show, (bad.fence = 45, &bad), seats, &slot), RESULT_CONFLICT);
    assert_int_equal(hold_restore(world.show, (bad.fence = 0, &bad), seats, &slot), RESULT_CONFLICT);
    bad = good;
    assert_int_equal(hold_restore(world.show, (bad.deadline_ms = NOW + 10, &bad), seats, &slot), RESULT_CONFLICT);
    bad = good;
    assert_int_equal(hold_restore(world.show, (bad.store_deadline_ms = INT64_MAX, &bad), seats, &slot),
                     RESULT_CONFLICT);
    bad = good;
    assert_int_equal(hold_restore(world.show, (bad.user.length = 129, &bad), seats, &slot), RESULT_CONFLICT);
    bad = good;
    assert_int_equal(hold_restore(world.show, (bad.reservation = (struct id){{0}}, &bad), seats, &slot),
                     RESULT_CONFLICT);
    world_check(&world);
    assert_int_equal(hold_restore(world.show, &good, seats, &slot), RESULT_OK);
    uint32_t other[1] = {2};
    assert_int_equal(hold_restore(world.show, (good.seat_count = 1, &good), other, &slot), RESULT_CONFLICT);
    world_end(&world);
}

/* ---- a payment that came late ---- */

/* The hold of a reservation as its booking tells it, under a number just drawn. */
static struct hold hold_of_booking(struct world *world, struct id reservation, uint32_t seat_count) {
    struct hold hold = journal_hold(show_draw_fence(world->show), seat_count);
    hold.reservation = reservation;
    return hold;
}

static void seats_that_went_free_are_held_again_for_a_late_payment(void **state) {
    /* Red if an ended hold bars its reservation, its slot is left in the list of the ended, or keeps its old number. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t before = taken(&world, "bob", "B1"), slot = taken(&world, "ann", "A1 A2"), after;
    after = taken(&world, "cid", "B2");
    struct id reservation = hold_at(world.show, slot)->reservation;
    uint32_t ended[] = {before, slot, after};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(hold_release(world.show, ended[i], NOW), RESULT_OK);
    struct hold hold = hold_of_booking(&world, reservation, 2);
    uint32_t seats[2] = {0, 1}, again;
    assert_int_equal(hold_retake(world.show, &hold, seats, &again), RESULT_OK);
    world_check(&world);
    assert_int_equal(hold_find(world.show, &reservation), again);
    assert_int_equal(state_of(&world, again), HOLD_HELD);
    assert_seats(&world, "A1 A2", SEAT_HELD);
    assert_int_equal(version_of(&world, "A1"), hold.fence);
    assert_int_equal(hold_retake(world.show, &hold, seats, &again), RESULT_CONFLICT);
    world_end(&world);
}

static void a_late_payment_takes_no_seat_from_anybody(void **state) {
    /* Red if one seat that somebody else holds is taken, or the others are kept. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t slot = taken(&world, "ann", "A1 A2"), again = 77;
    struct id reservation = hold_at(world.show, slot)->reservation;
    assert_int_equal(hold_release(world.show, slot, NOW), RESULT_OK);
    taken(&world, "bob", "A2");
    struct hold hold = hold_of_booking(&world, reservation, 2);
    assert_int_equal(hold_retake(world.show, &hold, (uint32_t[]){0, 1}, &again), RESULT_CONFLICT);
    world_check(&world);
    assert_int_equal(again, 77);
    assert_seats(&world, "A1", SEAT_AVAILABLE);
    world_end(&world);
}

static void a_late_payment_whose_hold_nobody_remembers_is_held_too(void **state) {
    /* Red if only holds that are still in the list can be held again. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t again;
    struct hold hold = hold_of_booking(&world, (struct id){{5}}, 1);
    assert_int_equal(hold_retake(world.show, &hold, (uint32_t[]){3}, &again), RESULT_OK);
    world_check(&world);
    assert_seats(&world, "A4", SEAT_HELD);
    world_end(&world);
}

/* ---- what the ledger is told ---- */

static void the_ledger_is_told_the_newest_state_of_each_seat_once(void **state) {
    /* Red if a change is told twice, in another order than the plan's, or the room is not kept to. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t slot = taken(&world, "ann", "A3 A1");
    taken(&world, "bob", "A2");
    assert_int_equal(hold_release(world.show, slot, NOW), RESULT_OK);
    assert_string_equal(changes_told(&world, 2), "A1 available 3, A2 held 4");
    assert_string_equal(changes_told(&world, 16), "A3 available 3");
    assert_string_equal(changes_told(&world, 16), "");
    world_end(&world);
}

static void what_its_own_transactions_wrote_the_ledger_is_not_told(void **state) {
    /* Red if a sale, a refund or a block is told again. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t booked = seat_named(&world, "A1"), blocked = seat_named(&world, "A2");
    sold(&world, "ann", "A1");
    assert_int_equal(show_block(world.show, 1, &blocked, show_draw_fence(world.show), &world.refusal), RESULT_OK);
    assert_string_equal(changes_told(&world, 16), "");
    assert_true(show_unsell(world.show, 1, &booked, show_draw_fence(world.show)));
    assert_int_equal(show_unblock(world.show, 1, &blocked, show_draw_fence(world.show), &world.refusal), RESULT_OK);
    assert_string_equal(changes_told(&world, 16), "");
    world_end(&world);
}

/* ---- refunds and blocks ---- */

static void a_refund_frees_the_seats_at_its_own_number(void **state) {
    /* Red if the seats keep the sale's version. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t seats[3] = {0, 1, 0};
    sold(&world, "ann", "A1 A2");
    uint64_t version = show_draw_fence(world.show);
    assert_true(show_unsell(world.show, 3, seats, version));
    world_check(&world);
    assert_seats(&world, "A1 A2", SEAT_AVAILABLE);
    assert_int_equal(version_of(&world, "A1"), version);
    world_end(&world);
}

static void a_refund_of_what_is_not_sold_changes_nothing(void **state) {
    /* Red if the seats before the one that is not BOOKED are freed, or a late refund undoes a newer sale. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t seats[2] = {0, 1};
    uint64_t old = show_draw_fence(world.show);
    sold(&world, "ann", "A1");
    assert_false(show_unsell(world.show, 2, seats, show_draw_fence(world.show)));
    assert_false(show_unsell(world.show, 1, seats, old));
    assert_seats(&world, "A1", SEAT_BOOKED);
    world_end(&world);
}

static void a_blocked_seat_looks_sold_and_is_not_to_be_had(void **state) {
    /* Red if a fan's bits show it as anything but BOOKED, or it may be taken. */
    (void)state;
    struct world world = show_with_rows(1, 5);
    uint32_t seat = seat_named(&world, "A2"), slot;
    uint8_t bits[2];
    uint64_t sequence;
    taken(&world, "ann", "A1");
    assert_int_equal(show_block(world.show, 1, &seat, show_draw_fence(world.show), &world.refusal), RESULT_OK);
    world_check(&world);
    show_copy_bits(world.show, bits, &sequence);
    assert_int_equal(bits[0], 1 | 2 << 2);
    assert_int_equal(bits[1], 0);
    assert_int_equal(sequence, show_sequence(world.show));
    assert_seats(&world, "A2", SEAT_BLOCKED);
    assert_int_equal(take(&world, "bob", "A2", NOW, &slot), RESULT_SEAT_UNAVAILABLE);
    assert_int_equal(show_unblock(world.show, 1, &seat, show_draw_fence(world.show), &world.refusal), RESULT_OK);
    taken(&world, "bob", "A2");
    world_end(&world);
}

static void only_available_seats_are_blocked_and_all_or_none(void **state) {
    /* Red if the seats before the first refusal are blocked, or a held seat is. */
    (void)state;
    struct world world = show_with_rows(1, 5);
    uint32_t seats[3] = {0, 1, 2};
    taken(&world, "ann", "A2");
    uint64_t version = show_draw_fence(world.show);
    assert_int_equal(show_block(world.show, 3, seats, version, &world.refusal), RESULT_SEAT_UNAVAILABLE);
    assert_int_equal(world.refusal.seat_count, 1);
    assert_int_equal(world.refusal.seats[0], 1);
    assert_int_equal(show_unblock(world.show, 1, seats, version, &world.refusal), RESULT_SEAT_UNAVAILABLE);
    assert_seats(&world, "A1 A3", SEAT_AVAILABLE);
    world_end(&world);
}

static void a_refund_does_not_touch_a_blocked_seat(void **state) {
    /* Red if BLOCKED is taken for BOOKED because fans see it so. */
    (void)state;
    struct world world = show_with_rows(1, 5);
    uint32_t seat = 0;
    assert_int_equal(show_block(world.show, 1, &seat, show_draw_fence(world.show), &world.refusal), RESULT_OK);
    assert_false(show_unsell(world.show, 1, &seat, show_draw_fence(world.show)));
    assert_seats(&world, "A1", SEAT_BLOCKED);
    world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sold_seats_are_sold_after_a_restart),
        cmocka_unit_test(a_seat_loaded_twice_is_counted_once),
        cmocka_unit_test(the_next_fence_is_above_every_number_loaded),
        cmocka_unit_test(a_picture_of_a_hold_is_no_hold),
        cmocka_unit_test(news_older_than_a_sale_or_a_refund_change_nothing),
        cmocka_unit_test(a_hold_whose_seat_the_ledger_sold_to_another_is_ended_whole),
        cmocka_unit_test(a_hold_that_the_ledger_sold_is_sold),
        cmocka_unit_test(a_paying_hold_whose_own_sale_is_loaded_waits_for_whoever_pays),
        cmocka_unit_test(a_paying_hold_that_loses_a_seat_keeps_the_others_until_its_payment_ends),
        cmocka_unit_test(a_paying_hold_may_lose_every_seat),
        cmocka_unit_test(the_picture_of_an_earlier_hold_does_not_end_a_hold),
        cmocka_unit_test(a_hold_comes_back_from_the_journal_as_it_was),
        cmocka_unit_test(a_hold_whose_seat_was_sold_or_moved_on_does_not_come_back),
        cmocka_unit_test(nonsense_from_a_journal_is_refused),
        cmocka_unit_test(seats_that_went_free_are_held_again_for_a_late_payment),
        cmocka_unit_test(a_late_payment_takes_no_seat_from_anybody),
        cmocka_unit_test(a_late_payment_whose_hold_nobody_remembers_is_held_too),
        cmocka_unit_test(the_ledger_is_told_the_newest_state_of_each_seat_once),
        cmocka_unit_test(what_its_own_transactions_wrote_the_ledger_is_not_told),
        cmocka_unit_test(a_refund_frees_the_seats_at_its_own_number),
        cmocka_unit_test(a_refund_of_what_is_not_sold_changes_nothing),
        cmocka_unit_test(a_blocked_seat_looks_sold_and_is_not_to_be_had),
        cmocka_unit_test(only_available_seats_are_blocked_and_all_or_none),
        cmocka_unit_test(a_refund_does_not_touch_a_blocked_seat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
