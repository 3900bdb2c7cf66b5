/* Holds: who gets which seats, for how long, and what becomes of them. */
#include "dies.h"
#include "show_world.h"

static const struct id a_booking = {{7}};

static const char *const two_categories = "{'sections':[{'name':'','rows':1,'seats_per_row':6,'category':'Seated'},"
                                          "{'name':'Floor','capacity':5,'category':'Standing'}]}";

static void assert_refused(struct world *world, const char *fan, const char *names, enum result result) {
    uint32_t slot = 77;
    struct show_counts before, after;
    show_count(world->show, &before);
    assert_int_equal(take(world, fan, names, NOW, &slot), result);
    show_count(world->show, &after);
    assert_int_equal(slot, 77);
    assert_memory_equal(&before, &after, sizeof before);
}

static void limit_seats(struct world *world, uint32_t most) {
    struct show_settings settings = *show_settings(world->show);
    settings.max_seats_per_user = most;
    show_configure(world->show, &settings);
}

/* ---- taking ---- */

static void a_seat_wanted_by_two_is_given_to_the_first(void **state) {
    /* Red if claim_named() does not look at the seat's state. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t ann = taken(&world, "ann", "A1 A2");
    assert_refused(&world, "bob", "A2 A3", RESULT_SEAT_UNAVAILABLE);
    assert_string_equal(seats_of(&world, ann), "A1 A2");
    assert_seats(&world, "A1 A2", SEAT_HELD);
    world_end(&world);
}

static void a_take_gets_all_its_seats_or_none(void **state) {
    /* Red if what was claimed before the refusal is not put back. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    taken(&world, "ann", "A3");
    assert_refused(&world, "bob", "A1 A2 A3 A4", RESULT_SEAT_UNAVAILABLE);
    assert_seats(&world, "A1 A2 A4", SEAT_AVAILABLE);
    taken(&world, "bob", "A1 A2 A4");
    world_end(&world);
}

static void a_refusal_names_every_seat_that_was_not_to_be_had(void **state) {
    /* Red if the search ends at the first such seat. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    taken(&world, "ann", "A1");
    sold(&world, "ann", "B3");
    assert_refused(&world, "bob", "B3 A2 A1", RESULT_SEAT_UNAVAILABLE);
    assert_int_equal(world.refusal.seat_count, 2);
    assert_int_equal(world.refusal.seats[0], seat_named(&world, "B3"));
    assert_int_equal(world.refusal.seats[1], seat_named(&world, "A1"));
    world_end(&world);
}

static void a_seat_named_twice_is_refused_taken_or_not(void **state) {
    /* Red if only seats that are available are checked for duplicates, or only the others. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    assert_refused(&world, "bob", "A1 A2 A1", RESULT_DUPLICATE_SEAT);
    taken(&world, "ann", "A1");
    assert_refused(&world, "bob", "A1 A2 A1", RESULT_DUPLICATE_SEAT);
    assert_int_equal(world.refusal.seat_count, 0);
    world_end(&world);
}

static void a_hold_has_its_seats_in_the_order_asked_for(void **state) {
    /* Red if the chain of seats is built from its end. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    assert_string_equal(seats_of(&world, taken(&world, "ann", "B7 A2 A9")), "B7 A2 A9");
    world_end(&world);
}

static void a_wish_for_nothing_is_refused(void **state) {
    /* Red if the size is not checked from below. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    assert_refused(&world, "bob", "", RESULT_INVALID_FIELD);
    world_end(&world);
}

static void a_hold_has_at_most_a_hundred_seats(void **state) {
    /* Red if the limit of a hold is off by one, or areas are not added up. */
    (void)state;
    struct world world =
        world_of_json("{'sections':[{'name':'','rows':1,'seats_per_row':150},{'name':'Floor','capacity':150}]}");
    uint32_t slot, seats[101];
    struct user_id user = user_named("ann");
    for (uint32_t i = 0; i < 101; i++)
        seats[i] = i;
    struct area_wish areas[2] = {{1, UINT32_MAX}, {1, 2}};
    struct hold_wish wish = {.reservation = next_reservation(&world), .user = &user, .seats = seats, .seat_count = 101};
    assert_int_equal(hold_take(world.show, &wish, NOW, &slot, &world.warning, &world.refusal), RESULT_TOO_MANY_SEATS);
    wish.seat_count = 99;
    wish.areas = areas;
    wish.area_count = 2;
    assert_int_equal(hold_take(world.show, &wish, NOW, &slot, &world.warning, &world.refusal), RESULT_TOO_MANY_SEATS);
    areas[0].quantity = 1;
    wish.area_count = 1;
    assert_int_equal(hold_take(world.show, &wish, NOW, &slot, &world.warning, &world.refusal), RESULT_OK);
    assert_int_equal(hold_at(world.show, slot)->seat_count, 100);
    world_end(&world);
}

static void a_fan_has_at_most_as_many_seats_as_the_show_allows(void **state) {
    /* Red if booked seats are not counted with the held ones, or another fan's are. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    limit_seats(&world, 4);
    sold(&world, "ann", "A1 A2");
    taken(&world, "ann", "A3");
    assert_refused(&world, "ann", "B1 B2", RESULT_TOO_MANY_SEATS);
    taken(&world, "bob", "B5 B6 B7 B8");
    taken(&world, "ann", "B1");
    assert_refused(&world, "ann", "B2", RESULT_TOO_MANY_SEATS);
    world_end(&world);
}

static void seats_that_are_given_back_may_be_taken_again(void **state) {
    /* Red if one of the ways in which a hold ends does not lower its fan's count. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    struct id ended[1];
    limit_seats(&world, 2);
    assert_int_equal(hold_release(world.show, taken(&world, "ann", "A1 A2"), NOW), RESULT_OK);
    hold_end_payment(world.show, paying(&world, "ann", "A1 A2"), false, NOW);
    taken(&world, "ann", "A1 A2");
    assert_int_equal(show_expire(world.show, NOW + HOLD_MS + GRACE_MS, 1, ended), 1);
    sold(&world, "ann", "A1 A2");
    uint32_t seats[] = {0, 1};
    assert_true(show_unsell(world.show, 2, seats, show_draw_fence(world.show)));
    taken(&world, "ann", "A1 A2");
    assert_refused(&world, "ann", "A3", RESULT_TOO_MANY_SEATS);
    world_end(&world);
}

static void a_limit_set_later_counts_what_was_taken_before(void **state) {
    /* Red if seats are counted only while there is a limit. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    taken(&world, "ann", "A1 A2 A3");
    limit_seats(&world, 4);
    assert_refused(&world, "ann", "A4 A5", RESULT_TOO_MANY_SEATS);
    taken(&world, "ann", "A4");
    world_end(&world);
}

static void the_amount_is_fixed_when_the_hold_is_taken(void **state) {
    /* Red if the price is that of category 0 for all, or is looked up later. */
    (void)state;
    struct world world = world_of_json(two_categories);
    uint32_t slot = taken(&world, "ann", "A1 A2 Floor-1");
    struct show_settings settings = world_settings();
    settings.price[0] = 1;
    show_configure(world.show, &settings);
    assert_int_equal(hold_at(world.show, slot)->amount, 1000 + 1000 + 2000);
    world_end(&world);
}

static void an_area_gives_its_first_places(void **state) {
    /* Red if the hint is not lowered when a place goes free below it. */
    (void)state;
    struct world world = world_of_json(two_categories);
    uint32_t first, second, third;
    assert_int_equal(take_places(&world, "ann", "Floor", 2, &first), RESULT_OK);
    assert_int_equal(take_places(&world, "bob", "Floor", 2, &second), RESULT_OK);
    assert_string_equal(seats_of(&world, second), "Floor-3 Floor-4");
    assert_int_equal(hold_release(world.show, first, NOW), RESULT_OK);
    assert_int_equal(take_places(&world, "cat", "Floor", 3, &third), RESULT_OK);
    assert_string_equal(seats_of(&world, third), "Floor-1 Floor-2 Floor-5");
    world_end(&world);
}

static void an_area_with_fewer_places_is_sold_out(void **state) {
    /* Red if the places of the refused take are not put back, or the hint stays behind them. */
    (void)state;
    struct world world = world_of_json(two_categories);
    uint32_t slot, seats[2] = {0, plan_find_seat(world.plan, BYTES("Floor-1"))};
    struct user_id user = user_named("ann");
    struct area_wish areas[2] = {{1, 3}, {1, 2}};
    struct hold_wish wish = {.reservation = next_reservation(&world),
                             .user = &user,
                             .seats = seats,
                             .seat_count = 2,
                             .areas = areas,
                             .area_count = 2};
    assert_int_equal(hold_take(world.show, &wish, NOW, &slot, &world.warning, &world.refusal), RESULT_SOLD_OUT);
    world_check(&world);
    assert_int_equal(show_available_in(world.show, 1), 5);
    areas[1].quantity = 1;
    assert_int_equal(hold_take(world.show, &wish, NOW, &slot, &world.warning, &world.refusal), RESULT_OK);
    assert_string_equal(seats_of(&world, slot), "A1 Floor-1 Floor-2 Floor-3 Floor-4 Floor-5");
    world_end(&world);
}

static void a_show_whose_holds_are_all_alive_is_overloaded(void **state) {
    /* Red if a hold that is alive is forgotten for the sake of a new one, or the claim is not put back. */
    (void)state;
    struct world world = show_with_rows(1, 3);
    world.show->slot_count = 1;
    taken(&world, "ann", "A1");
    assert_refused(&world, "bob", "A2", RESULT_OVERLOADED);
    assert_seats(&world, "A2", SEAT_AVAILABLE);
    world_end(&world);
}

/* ---- time ---- */

static void a_hold_ends_at_the_stores_deadline_and_not_before(void **state) {
    /* Red if a hold expires at the fan's deadline, or one millisecond after the store's. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    struct id ended[5];
    uint32_t slot = taken(&world, "ann", "A1 A2");
    assert_int_equal(hold_at(world.show, slot)->deadline_ms, NOW + HOLD_MS);
    assert_int_equal(show_next_deadline(world.show), NOW + HOLD_MS + GRACE_MS);
    assert_int_equal(show_expire(world.show, NOW + HOLD_MS + GRACE_MS - 1, 5, ended), 0);
    assert_seats(&world, "A1 A2", SEAT_HELD);
    assert_int_equal(show_expire(world.show, NOW + HOLD_MS + GRACE_MS, 5, ended), 1);
    assert_true(id_equal(&ended[0], &hold_at(world.show, slot)->reservation));
    assert_seats(&world, "A1 A2", SEAT_AVAILABLE);
    assert_int_equal(show_next_deadline(world.show), INT64_MAX);
    world_end(&world);
}

static void holds_expire_in_the_order_of_their_deadlines_and_in_batches(void **state) {
    /* Red if the batch is not kept to, or the heap gives another than the earliest. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    struct id ended[5];
    uint32_t late, early, middle;
    assert_int_equal(take(&world, "ann", "A1", NOW + 300, &late), RESULT_OK);
    assert_int_equal(take(&world, "bob", "A2", NOW + 100, &early), RESULT_OK);
    assert_int_equal(take(&world, "cat", "A3", NOW + 200, &middle), RESULT_OK);
    assert_int_equal(show_expire(world.show, NOW + HOLD_MS + GRACE_MS + 300, 2, ended), 2);
    assert_true(id_equal(&ended[0], &hold_at(world.show, early)->reservation));
    assert_true(id_equal(&ended[1], &hold_at(world.show, middle)->reservation));
    assert_seats(&world, "A1", SEAT_HELD);
    world_end(&world);
}

static void a_payment_begins_up_to_the_fans_deadline(void **state) {
    /* Red if the comparison with the deadline is off by one, or the store's deadline is used. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t late = taken(&world, "ann", "A1"), in_time = taken(&world, "bob", "A2");
    assert_int_equal(hold_begin_payment(world.show, late, &a_booking, false, NOW + HOLD_MS + 1),
                     RESULT_RESERVATION_EXPIRED);
    assert_int_equal(hold_begin_payment(world.show, in_time, &a_booking, false, NOW + HOLD_MS), RESULT_OK);
    world_end(&world);
}

static void after_a_crash_a_payment_goes_on_whatever_the_time(void **state) {
    /* Red if `recovering` is not looked at. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t slot = taken(&world, "ann", "A1");
    assert_int_equal(hold_begin_payment(world.show, slot, &a_booking, true, NOW + 10 * HOLD_MS), RESULT_OK);
    world_end(&world);
}

static void a_seat_with_an_open_payment_is_never_released_by_a_clock(void **state) {
    /* Red if begin_payment leaves the hold in the heap. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    struct id ended[5];
    uint32_t slot = paying(&world, "ann", "A1 A2");
    assert_int_equal(show_expire(world.show, NOW + 1000 * HOLD_MS, 5, ended), 0);
    assert_int_equal(hold_release(world.show, slot, NOW), RESULT_PAYMENT_IN_PROGRESS);
    assert_int_equal(hold_begin_payment(world.show, slot, &a_booking, false, NOW), RESULT_PAYMENT_IN_PROGRESS);
    assert_seats(&world, "A1 A2", SEAT_HELD);
    world_end(&world);
}

static void a_hold_kept_after_a_declined_payment_ends_at_its_old_deadline(void **state) {
    /* Red if keeping a hold starts its time anew, or does not put it back into the heap. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    struct id ended[5];
    uint32_t slot = paying(&world, "ann", "A1");
    hold_end_payment(world.show, slot, true, NOW + HOLD_MS);
    world_check(&world);
    assert_int_equal(hold_at(world.show, slot)->state, HOLD_HELD);
    assert_int_equal(hold_at(world.show, slot)->payments_begun, 1);
    assert_true(id_is_none(&hold_at(world.show, slot)->booking));
    assert_int_equal(show_expire(world.show, NOW + HOLD_MS + GRACE_MS, 5, ended), 1);
    world_end(&world);
}

static void a_hold_kept_after_its_time_has_expired(void **state) {
    /* Red if it is HELD again until the next sweep. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t slot = paying(&world, "ann", "A1");
    hold_end_payment(world.show, slot, true, NOW + HOLD_MS + GRACE_MS);
    assert_int_equal(hold_at(world.show, slot)->state, HOLD_EXPIRED);
    assert_seats(&world, "A1", SEAT_AVAILABLE);
    world_end(&world);
}

static void a_fan_lets_go_only_while_the_hold_is_theirs(void **state) {
    /* Red if a release past the fan's deadline, or of what has ended, is taken. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t slot = taken(&world, "ann", "A1");
    assert_int_equal(hold_release(world.show, slot, NOW + HOLD_MS + 1), RESULT_RESERVATION_EXPIRED);
    assert_seats(&world, "A1", SEAT_HELD);
    assert_int_equal(hold_release(world.show, slot, NOW + HOLD_MS), RESULT_OK);
    assert_seats(&world, "A1", SEAT_AVAILABLE);
    assert_int_equal(hold_release(world.show, slot, NOW), RESULT_RESERVATION_EXPIRED);
    assert_int_equal(hold_begin_payment(world.show, slot, &a_booking, false, NOW), RESULT_RESERVATION_EXPIRED);
    world_end(&world);
}

/* ---- numbers ---- */

static void fences_are_even_and_rise_from_the_ledgers_epoch(void **state) {
    /* Red if two holds get the same number, or the epoch is not in the high bits. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint64_t first = hold_at(world.show, taken(&world, "ann", "A1"))->fence;
    uint64_t second = hold_at(world.show, taken(&world, "ann", "A2"))->fence;
    uint64_t third = show_draw_fence(world.show);
    assert_true(first >> 40 == 1 && first % 2 == 0 && second % 2 == 0 && third % 2 == 0);
    assert_true(first < second && second < third);
    world_end(&world);
}

static void a_seat_is_held_at_the_fence_and_ends_at_the_number_after_it(void **state) {
    /* Red if an end is written at the fence itself. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t slot = taken(&world, "ann", "A1"), booked = paying(&world, "bob", "A2");
    uint64_t fence = hold_at(world.show, slot)->fence, booked_fence = hold_at(world.show, booked)->fence;
    assert_int_equal(show_seat_version(world.show, 0), fence);
    assert_int_equal(hold_release(world.show, slot, NOW), RESULT_OK);
    assert_int_equal(show_seat_version(world.show, 0), fence + 1);
    hold_sell(world.show, booked);
    assert_int_equal(show_seat_version(world.show, 1), booked_fence + 1);
    assert_seats(&world, "A2", SEAT_BOOKED);
    world_end(&world);
}

static void the_sequence_rises_with_every_seat_that_changes(void **state) {
    /* Red if it rises once an operation. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t slot = taken(&world, "ann", "A1 A2");
    assert_int_equal(show_sequence(world.show), 2);
    assert_int_equal(hold_begin_payment(world.show, slot, &a_booking, false, NOW), RESULT_OK);
    assert_int_equal(show_sequence(world.show), 2);
    hold_sell(world.show, slot);
    assert_int_equal(show_sequence(world.show), 4);
    assert_refused(&world, "bob", "A2 A3", RESULT_SEAT_UNAVAILABLE);
    assert_int_equal(show_sequence(world.show), 4);
    world_end(&world);
}

/* ---- remembering ---- */

static void what_became_of_a_hold_is_told_until_its_slot_is_needed(void **state) {
    /* Red if an ended hold's slot is used before those never used, or the newest is forgotten first. */
    (void)state;
    struct world world = show_with_rows(1, 3);
    uint32_t slots[3];
    struct id names[3];
    for (int i = 0; i < 3; i++) {
        slots[i] = taken(&world, "ann", "A1");
        names[i] = hold_at(world.show, slots[i])->reservation;
        assert_int_equal(hold_release(world.show, slots[i], NOW), RESULT_OK);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(hold_at(world.show, hold_find(world.show, &names[i]))->state, HOLD_RELEASED);
    taken(&world, "ann", "A2");
    assert_int_equal(hold_find(world.show, &names[0]), HOLD_NO_SLOT);
    assert_int_equal(hold_find(world.show, &names[1]), slots[1]);
    world_end(&world);
}

static void nobody_finds_a_reservation_without_a_name(void **state) {
    /* Red if the none id is looked up in the table, where it marks a free place. */
    (void)state;
    struct world world = show_with_rows(1, 3);
    const struct id none = {{0}}, unknown = {{1, 2, 3}};
    assert_int_equal(hold_find(world.show, &none), HOLD_NO_SLOT);
    assert_int_equal(hold_find(world.show, &unknown), HOLD_NO_SLOT);
    world_end(&world);
}

static void only_holds_that_have_seats_list_them(void **state) {
    /* Red if a hold that ended still shows the chain that begins where it began. */
    (void)state;
    struct world world = show_with_rows(1, 6);
    uint32_t seat, slot = taken(&world, "ann", "A1 A2"), booked = sold(&world, "bob", "A3 A4");
    assert_int_equal(hold_seats(world.show, hold_at(world.show, slot), &seat, 1), 1);
    assert_int_equal(hold_release(world.show, slot, NOW), RESULT_OK);
    assert_string_equal(seats_of(&world, slot), "");
    assert_string_equal(seats_of(&world, booked), "A3 A4");
    seat = seat_named(&world, "A4");
    assert_true(show_unsell(world.show, 1, &seat, show_draw_fence(world.show)));
    taken(&world, "cat", "A4 A5");
    assert_string_equal(seats_of(&world, booked), "");
    world_end(&world);
}

/* ---- the lock ---- */

static void count_without_the_lock(void *context) {
    struct world *world = context;
    struct show_counts counts;
    show_unlock(world->show);
    show_count(world->show, &counts);
}

static void *count_on_another_thread(void *context) {
    struct show_counts counts;
    show_count(((struct world *)context)->show, &counts);
    return NULL;
}

static void count_with_somebody_elses_lock(void *context) {
    pthread_t thread;
    if (!pthread_create(&thread, NULL, count_on_another_thread, context))
        pthread_join(thread, NULL);
}

static void who_has_not_the_lock_panics(void **state) {
    /* Red if the owner is not asked for, or is any thread. */
    (void)state;
    struct world world = show_with_rows(1, 3);
    assert_dies(count_without_the_lock, &world);
    assert_dies(count_with_somebody_elses_lock, &world);
    world_end(&world);
}

static void sell_an_unpaid_hold(void *context) {
    struct world *world = context;
    hold_sell(world->show, taken(world, "ann", "A1"));
}

static void a_hold_that_is_not_paying_cannot_be_sold(void **state) {
    /* Red if the machine's table lets HELD be sold. */
    (void)state;
    struct world world = show_with_rows(1, 3);
    assert_dies(sell_an_unpaid_hold, &world);
    world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seat_wanted_by_two_is_given_to_the_first),
        cmocka_unit_test(a_take_gets_all_its_seats_or_none),
        cmocka_unit_test(a_refusal_names_every_seat_that_was_not_to_be_had),
        cmocka_unit_test(a_seat_named_twice_is_refused_taken_or_not),
        cmocka_unit_test(a_hold_has_its_seats_in_the_order_asked_for),
        cmocka_unit_test(a_wish_for_nothing_is_refused),
        cmocka_unit_test(a_hold_has_at_most_a_hundred_seats),
        cmocka_unit_test(a_fan_has_at_most_as_many_seats_as_the_show_allows),
        cmocka_unit_test(seats_that_are_given_back_may_be_taken_again),
        cmocka_unit_test(a_limit_set_later_counts_what_was_taken_before),
        cmocka_unit_test(the_amount_is_fixed_when_the_hold_is_taken),
        cmocka_unit_test(an_area_gives_its_first_places),
        cmocka_unit_test(an_area_with_fewer_places_is_sold_out),
        cmocka_unit_test(a_show_whose_holds_are_all_alive_is_overloaded),
        cmocka_unit_test(a_hold_ends_at_the_stores_deadline_and_not_before),
        cmocka_unit_test(holds_expire_in_the_order_of_their_deadlines_and_in_batches),
        cmocka_unit_test(a_payment_begins_up_to_the_fans_deadline),
        cmocka_unit_test(after_a_crash_a_payment_goes_on_whatever_the_time),
        cmocka_unit_test(a_seat_with_an_open_payment_is_never_released_by_a_clock),
        cmocka_unit_test(a_hold_kept_after_a_declined_payment_ends_at_its_old_deadline),
        cmocka_unit_test(a_hold_kept_after_its_time_has_expired),
        cmocka_unit_test(a_fan_lets_go_only_while_the_hold_is_theirs),
        cmocka_unit_test(fences_are_even_and_rise_from_the_ledgers_epoch),
        cmocka_unit_test(a_seat_is_held_at_the_fence_and_ends_at_the_number_after_it),
        cmocka_unit_test(the_sequence_rises_with_every_seat_that_changes),
        cmocka_unit_test(what_became_of_a_hold_is_told_until_its_slot_is_needed),
        cmocka_unit_test(nobody_finds_a_reservation_without_a_name),
        cmocka_unit_test(only_holds_that_have_seats_list_them),
        cmocka_unit_test(who_has_not_the_lock_panics),
        cmocka_unit_test(a_hold_that_is_not_paying_cannot_be_sold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
