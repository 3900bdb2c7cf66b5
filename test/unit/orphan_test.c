/* The rule of single seats: off, warn, refuse. */
#include "show_world.h"

static struct world ruled(struct world world, enum orphan_rule rule) {
    world_set_orphan_rule(&world, rule);
    return world;
}

/* "A1 A3": the orphans that the last take was warned of. */
static const char *orphans_told(const struct world *world) {
    static char text[1024];
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < world->warning.orphan_count; i++) {
        struct bytes id = world->plan->seat_ids[world->warning.orphans[i]];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", i ? " " : "", (int)id.length, id.at);
    }
    return text;
}

static void assert_refused_for(struct world *world, const char *names, const char *orphan) {
    uint32_t slot = 77;
    assert_int_equal(take(world, "ann", names, NOW, &slot), RESULT_LEAVES_ORPHAN);
    assert_int_equal(slot, 77);
    assert_int_equal(world->refusal.seat_count, 1);
    assert_int_equal(world->refusal.seats[0], seat_named(world, orphan));
    assert_seats(world, names, SEAT_AVAILABLE);
}

static void without_the_rule_nobody_is_told(void **state) {
    /* Red if ORPHAN_OFF is judged like ORPHAN_WARN. */
    (void)state;
    struct world world = show_with_rows(1, 5);
    taken(&world, "ann", "A2");
    assert_string_equal(orphans_told(&world), "");
    world_end(&world);
}

static void a_warning_names_the_seats_left_alone(void **state) {
    /* Red if one side of a taken seat is not looked at, or the seat is not given. */
    (void)state;
    struct world world = ruled(show_with_rows(1, 6), ORPHAN_WARN);
    taken(&world, "ann", "A2 A5");
    assert_string_equal(orphans_told(&world), "A1 A6");
    world_end(&world);
}

static void a_seat_between_two_that_are_taken_is_named_once(void **state) {
    /* Red if both of its neighbours report it. */
    (void)state;
    struct world world = ruled(show_with_rows(1, 3), ORPHAN_WARN);
    taken(&world, "ann", "A3 A1");
    assert_string_equal(orphans_told(&world), "A2");
    world_end(&world);
}

static void a_seat_between_a_taken_and_a_sold_one_is_named(void **state) {
    /* Red if "already taken" on its left is mistaken for "taken now". */
    (void)state;
    struct world world = ruled(show_with_rows(1, 5), ORPHAN_WARN);
    sold(&world, "bob", "A1");
    taken(&world, "ann", "A3");
    assert_string_equal(orphans_told(&world), "A2");
    world_end(&world);
}

static void the_whole_take_is_judged_in_whatever_order_it_is_named(void **state) {
    /* Red if each seat is judged alone: A2 by itself would leave A1. */
    (void)state;
    struct world world = ruled(show_with_rows(2, 6), ORPHAN_REFUSE);
    taken(&world, "ann", "A2 A1");
    taken(&world, "ann", "A3");
    world_end(&world);
}

static void who_takes_a_seat_that_was_alone_is_not_blamed(void **state) {
    /* Red if orphans from before the take are counted. */
    (void)state;
    struct world world = ruled(show_with_rows(2, 5), ORPHAN_REFUSE);
    world_set_orphan_rule(&world, ORPHAN_OFF);
    sold(&world, "bob", "A2 A4");
    world_set_orphan_rule(&world, ORPHAN_REFUSE);
    taken(&world, "ann", "A3");
    assert_string_equal(orphans_told(&world), "");
    world_end(&world);
}

static void aisles_and_blocked_seats_are_no_company(void **state) {
    /* Red if a gap or a blocked seat counts as an available neighbour. */
    (void)state;
    struct world world =
        ruled(world_of_json("{'categories':[{'name':'C'}],'sections':[{'name':'','rows':[{'label':'A','seats':9,"
                            "'from':[0,0],'to':[8,0],'category':'C','gaps_after':[3]}]}]}"),
              ORPHAN_WARN);
    uint32_t last = seat_named(&world, "A9");
    assert_int_equal(show_block(world.show, 1, &last, show_draw_fence(world.show), &world.refusal), RESULT_OK);
    taken(&world, "ann", "A2 A5 A7");
    assert_string_equal(orphans_told(&world), "A1 A3 A4 A6 A8");
    world_end(&world);
}

static void a_choice_that_leaves_a_single_seat_is_refused(void **state) {
    /* Red if ORPHAN_REFUSE only warns, or leaves the claim's bits cleared. */
    (void)state;
    struct world world = ruled(show_with_rows(1, 20), ORPHAN_REFUSE);
    assert_refused_for(&world, "A2", "A1");
    assert_refused_for(&world, "A18 A19", "A20");
    assert_refused_for(&world, "A2", "A1");
    taken(&world, "ann", "A1 A2");
    assert_string_equal(orphans_told(&world), "");
    world_end(&world);
}

static void the_last_run_of_one_more_may_be_broken_up(void **state) {
    /* Red if the rule refuses although no other choice of as many seats is left. */
    (void)state;
    struct world world = ruled(show_with_rows(1, 3), ORPHAN_REFUSE);
    taken(&world, "ann", "A1 A2");
    assert_string_equal(orphans_told(&world), "A3");
    world_end(&world);
}

static void runs_that_all_leave_a_single_seat_are_no_other_choice(void **state) {
    /* Red if any run of as many seats counts as another choice. */
    (void)state;
    struct world world = ruled(show_with_rows(4, 3), ORPHAN_REFUSE);
    taken(&world, "ann", "A2 A3");
    assert_string_equal(orphans_told(&world), "A1");
    world_end(&world);
}

static void a_run_of_exactly_the_size_is_another_choice(void **state) {
    /* Red if the search for another choice wants more than the seats themselves. */
    (void)state;
    struct world world = ruled(show_with_rows(2, 3), ORPHAN_OFF);
    sold(&world, "bob", "B3");
    world_set_orphan_rule(&world, ORPHAN_REFUSE);
    assert_refused_for(&world, "A2 A3", "A1");
    taken(&world, "ann", "B1 B2");
    taken(&world, "ann", "A2 A3");
    world_end(&world);
}

static void another_choice_may_share_seats_with_the_one_refused(void **state) {
    /* Red if the other choice is looked for after the take instead of before it. */
    (void)state;
    struct world world = ruled(show_with_rows(1, 4), ORPHAN_REFUSE);
    uint32_t slot;
    assert_int_equal(take(&world, "ann", "A2 A3", NOW, &slot), RESULT_LEAVES_ORPHAN);
    assert_int_equal(world.refusal.seat_count, 2);
    taken(&world, "ann", "A1 A2");
    world_end(&world);
}

static void a_party_larger_than_any_run_may_leave_single_seats(void **state) {
    /* Red if the other choice is looked for with fewer seats than the take has. */
    (void)state;
    struct world world = ruled(show_with_rows(2, 4), ORPHAN_REFUSE);
    taken(&world, "ann", "A1 A2 A3 B1 B2 B3");
    assert_string_equal(orphans_told(&world), "A4 B4");
    world_end(&world);
}

static void seats_of_another_category_are_no_other_choice(void **state) {
    /* Red if the other choice is looked for in every category. */
    (void)state;
    struct world world = ruled(world_of_json("{'sections':[{'name':'','rows':1,'seats_per_row':3,'category':'Gold'},"
                                             "{'name':'Rear','rows':3,'seats_per_row':9,'category':'Tin'}]}"),
                               ORPHAN_REFUSE);
    taken(&world, "ann", "A1 A2");
    assert_string_equal(orphans_told(&world), "A3");
    assert_refused_for(&world, "Rear-A2 Rear-A3", "Rear-A1");
    world_end(&world);
}

static void standing_places_are_never_alone(void **state) {
    /* Red if places of an area are taken for neighbours. */
    (void)state;
    struct world world =
        ruled(world_of_json("{'sections':[{'name':'','rows':1,'seats_per_row':9},{'name':'Floor','capacity':5}]}"),
              ORPHAN_REFUSE);
    taken(&world, "ann", "Floor-2 A9 A8");
    assert_string_equal(orphans_told(&world), "");
    world_end(&world);
}

static void best_available_is_not_judged(void **state) {
    /* Red if the rule refuses what best available chose. */
    (void)state;
    struct world world = ruled(show_with_rows(2, 3), ORPHAN_OFF);
    uint32_t slot;
    sold(&world, "bob", "B3");
    world_set_orphan_rule(&world, ORPHAN_REFUSE);
    assert_int_equal(take_best(&world, "ann", 2, PLAN_NO_SEAT, &slot), RESULT_OK);
    assert_string_equal(seats_of(&world, slot), "A1 A2");
    world_end(&world);
}

static void more_single_seats_than_a_refusal_holds_are_cut_off(void **state) {
    /* Red if 101 orphans are written where there is room for 100. */
    (void)state;
    struct world world = ruled(show_with_rows(2, 201), ORPHAN_REFUSE);
    uint32_t seats[100], slot;
    struct user_id user = user_named("ann");
    for (uint32_t i = 0; i < 100; i++)
        seats[i] = 2 * i + 1;
    struct hold_wish wish = {.reservation = next_reservation(&world), .user = &user, .seats = seats, .seat_count = 100};
    assert_int_equal(hold_take(world.show, &wish, NOW, &slot, &world.warning, &world.refusal), RESULT_LEAVES_ORPHAN);
    assert_int_equal(world.refusal.seat_count, 100);
    world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_rule_nobody_is_told),
        cmocka_unit_test(a_warning_names_the_seats_left_alone),
        cmocka_unit_test(a_seat_between_two_that_are_taken_is_named_once),
        cmocka_unit_test(a_seat_between_a_taken_and_a_sold_one_is_named),
        cmocka_unit_test(the_whole_take_is_judged_in_whatever_order_it_is_named),
        cmocka_unit_test(who_takes_a_seat_that_was_alone_is_not_blamed),
        cmocka_unit_test(aisles_and_blocked_seats_are_no_company),
        cmocka_unit_test(a_choice_that_leaves_a_single_seat_is_refused),
        cmocka_unit_test(the_last_run_of_one_more_may_be_broken_up),
        cmocka_unit_test(runs_that_all_leave_a_single_seat_are_no_other_choice),
        cmocka_unit_test(a_run_of_exactly_the_size_is_another_choice),
        cmocka_unit_test(another_choice_may_share_seats_with_the_one_refused),
        cmocka_unit_test(a_party_larger_than_any_run_may_leave_single_seats),
        cmocka_unit_test(seats_of_another_category_are_no_other_choice),
        cmocka_unit_test(standing_places_are_never_alone),
        cmocka_unit_test(best_available_is_not_judged),
        cmocka_unit_test(more_single_seats_than_a_refusal_holds_are_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
