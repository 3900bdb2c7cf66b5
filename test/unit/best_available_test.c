/* Best available: the documented score, step by step, then against a search that tries every place. */
#include "naive_show.h"
#include "show_world.h"

#define STANDING                                                                                                       \
    "{'sections':[{'name':'','rows':1,'seats_per_row':4,'category':'Seated'},"                                         \
    "{'name':'Floor','capacity':5,'category':'Standing'},{'name':'Rear','capacity':9,'category':'Standing'}]}"

static void assert_best(struct world *world, uint32_t quantity, uint32_t category, const char *seats) {
    uint32_t slot;
    assert_int_equal(take_best(world, "ann", quantity, category, &slot), RESULT_OK);
    assert_string_equal(seats_of(world, slot), seats);
    assert_int_equal(hold_release(world->show, slot, NOW), RESULT_OK);
}

static void assert_none(struct world *world, uint32_t quantity, uint32_t category, enum result result) {
    uint32_t slot = 77;
    assert_int_equal(take_best(world, "ann", quantity, category, &slot), result);
    assert_int_equal(slot, 77);
}

static void a_party_sits_in_the_middle_of_the_best_row(void **state) {
    /* Red if rows are visited in plan order from the back, or places are measured from the row's left end. */
    (void)state;
    struct world world = show_with_rows(3, 11);
    assert_best(&world, 3, PLAN_NO_SEAT, "A5 A6 A7");
    assert_best(&world, 1, PLAN_NO_SEAT, "A6");
    assert_best(&world, 11, PLAN_NO_SEAT, "A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11");
    world_end(&world);
}

static void a_row_beside_the_stage_is_best_at_its_near_end(void **state) {
    /* Red if the centre line is the middle of the row instead of the place nearest to the focus. */
    (void)state;
    struct world world = world_of_json("{'focus':{'x':0,'y':0},'categories':[{'name':'C'}],'sections':[{'name':'',"
                                       "'rows':[{'label':'A','seats':8,'from':[2,3],'to':[9,3],'category':'C'}]}]}");
    assert_best(&world, 2, PLAN_NO_SEAT, "A1 A2");
    world_end(&world);
}

static void a_row_curved_around_the_stage_is_best_in_its_middle(void **state) {
    /* Red if only exactly equal distances count as the same: positions are rounded. */
    (void)state;
    struct world world = world_of_json(
        "{'focus':{'x':0,'y':0},'categories':[{'name':'C'}],'sections':[{'name':'','category':'C','rows':[{'label':"
        "'A','seats':[{'number':1,'x':-8,'y':6},{'number':2,'x':-6,'y':8},{'number':3,'x':-2.8,'y':9.6},{'number':4,"
        "'x':0,'y':10},{'number':5,'x':2.8,'y':9.6},{'number':6,'x':6,'y':8},{'number':7,'x':8,'y':5.99}]}]}]}");
    assert_best(&world, 3, PLAN_NO_SEAT, "A3 A4 A5");
    world_end(&world);
}

static void the_next_row_is_taken_when_the_best_has_no_place(void **state) {
    /* Red if the search ends at the first row that has enough seats, adjacent or not. */
    (void)state;
    struct world world = show_with_rows(2, 6);
    sold(&world, "bob", "A2 A5");
    assert_best(&world, 3, PLAN_NO_SEAT, "B1 B2 B3");
    assert_best(&world, 2, PLAN_NO_SEAT, "A3 A4");
    world_end(&world);
}

static void no_single_seat_is_left_where_the_row_has_another_place(void **state) {
    /* Red if the distance from the centre line is compared before the single seats. */
    (void)state;
    struct world world = show_with_rows(1, 5);
    assert_best(&world, 2, PLAN_NO_SEAT, "A1 A2");
    assert_best(&world, 3, PLAN_NO_SEAT, "A1 A2 A3");
    assert_best(&world, 4, PLAN_NO_SEAT, "A1 A2 A3 A4");
    world_end(&world);
}

static void the_best_row_is_kept_even_if_a_single_seat_is_left(void **state) {
    /* Red if rows of lower quality are searched for a place that leaves none. */
    (void)state;
    struct world world = show_with_rows(2, 3);
    sold(&world, "bob", "B3");
    assert_best(&world, 2, PLAN_NO_SEAT, "A1 A2");
    world_end(&world);
}

static void rows_of_one_quality_are_searched_for_a_place_that_leaves_none(void **state) {
    /* Red if only the best row is searched in a hall of many rows, or a row one rank beyond the quality is. */
    (void)state;
    struct world world = show_with_rows(128, 3);
    sold(&world, "bob", "D3");
    assert_best(&world, 2, PLAN_NO_SEAT, "A1 A2");
    sold(&world, "bob", "C3");
    assert_best(&world, 2, PLAN_NO_SEAT, "C1 C2");
    world_end(&world);
}

static void a_standing_place_is_never_better_than_a_seat(void **state) {
    /* Red if the rows of one quality reach beyond the last row, where the areas are. */
    (void)state;
    struct world world =
        world_of_json("{'sections':[{'name':'','rows':64,'seats_per_row':2},{'name':'Floor','capacity':5}]}");
    for (uint32_t seat = 0; seat < 126; seat++)
        show_load_seat(world.show, seat, SEAT_BOOKED, 3, NULL);
    assert_best(&world, 1, PLAN_NO_SEAT, "BL1");
    world_end(&world);
}

static void seats_across_an_aisle_are_not_together(void **state) {
    /* Red if gap_after is not looked at. */
    (void)state;
    struct world world = world_of_json("{'categories':[{'name':'C'}],'sections':[{'name':'','rows':[{'label':'A',"
                                       "'seats':6,'from':[0,0],'to':[5,0],'category':'C','gaps_after':[2]}]}]}");
    assert_best(&world, 3, PLAN_NO_SEAT, "A3 A4 A5");
    assert_best(&world, 2, PLAN_NO_SEAT, "A3 A4");
    assert_none(&world, 5, PLAN_NO_SEAT, RESULT_NO_ADJACENT_SEATS);
    world_end(&world);
}

static void a_category_is_never_mixed_with_another(void **state) {
    /* Red if a run may start in the category and end in another. */
    (void)state;
    struct world world = world_of_json(
        "{'categories':[{'name':'Gold'},{'name':'Tin'}],'sections':[{'name':'','category':'Tin','rows':[{'label':'A',"
        "'seats':[{'number':1,'x':0,'y':0},{'number':2,'x':1,'y':0,'category':'Gold'},{'number':3,'x':2,'y':0,"
        "'category':'Gold'},{'number':4,'x':3,'y':0},{'number':5,'x':4,'y':0}]}]}]}");
    assert_best(&world, 2, 0, "A2 A3");
    assert_best(&world, 2, 1, "A4 A5");
    assert_best(&world, 1, 1, "A1");
    assert_none(&world, 3, 0, RESULT_SOLD_OUT);
    assert_none(&world, 3, 1, RESULT_NO_ADJACENT_SEATS);
    assert_best(&world, 5, PLAN_NO_SEAT, "A1 A2 A3 A4 A5");
    world_end(&world);
}

static void standing_places_are_given_where_no_row_has_any(void **state) {
    /* Red if areas are left out, if a party is split over two of them, or if they come before the rows. */
    (void)state;
    struct world world = world_of_json(STANDING);
    uint32_t standing = plan_find_category(world.plan, BYTES("Standing"));
    assert_best(&world, 2, standing, "Floor-1 Floor-2");
    assert_best(&world, 6, standing, "Rear-1 Rear-2 Rear-3 Rear-4 Rear-5 Rear-6");
    assert_best(&world, 4, PLAN_NO_SEAT, "A1 A2 A3 A4");
    assert_best(&world, 5, PLAN_NO_SEAT, "Floor-1 Floor-2 Floor-3 Floor-4 Floor-5");
    assert_none(&world, 10, standing, RESULT_NO_ADJACENT_SEATS);
    assert_none(&world, 15, standing, RESULT_SOLD_OUT);
    world_end(&world);
}

static void one_more_than_is_left_is_sold_out(void **state) {
    /* Red if fewer seats than asked for are called NO_ADJACENT_SEATS, or as many SOLD_OUT. */
    (void)state;
    struct world world = show_with_rows(2, 2);
    assert_none(&world, 3, PLAN_NO_SEAT, RESULT_NO_ADJACENT_SEATS);
    sold(&world, "bob", "A1");
    assert_none(&world, 3, PLAN_NO_SEAT, RESULT_NO_ADJACENT_SEATS);
    sold(&world, "bob", "B1");
    assert_none(&world, 3, PLAN_NO_SEAT, RESULT_SOLD_OUT);
    world_end(&world);
}

static void a_party_as_large_as_a_hold_may_be_sits_in_one_row(void **state) {
    /* Red if shifting does not carry over from the next word. */
    (void)state;
    struct world world = show_with_rows(2, 130);
    sold(&world, "bob", "A64");
    uint32_t slot;
    assert_int_equal(take_best(&world, "ann", 100, PLAN_NO_SEAT, &slot), RESULT_OK);
    assert_memory_equal(seats_of(&world, slot), "B16 ", 4);
    world_end(&world);
}

/* ---- against trying everything ---- */

struct chance {
    uint64_t state;
};

static unsigned draw(struct chance *chance, unsigned below) {
    chance->state = chance->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(chance->state >> 33) % below;
}

static size_t put_row(char *text, size_t room, struct chance *chance, unsigned row) {
    unsigned seats = 1 + draw(chance, draw(chance, 4) ? 9 : 40);
    size_t used = (size_t)snprintf(text, room, "%s{'label':'%u','seats':[", row ? "," : "", row);
    unsigned category = draw(chance, 3);
    for (unsigned i = 0; i < seats; i++) {
        if (draw(chance, 6) == 0)
            category = draw(chance, 3);
        used +=
            (size_t)snprintf(text + used, room - used, "%s{'number':%u,'x':%u,'y':%u,'category':'%u'%s}", i ? "," : "",
                             i, i + draw(chance, 2), row, category, draw(chance, 12) == 0 ? ",'gap_after':true" : "");
    }
    return used + (size_t)snprintf(text + used, room - used, "]}");
}

static struct plan *random_hall(struct chance *chance) {
    static char text[60 * 1024];
    unsigned rows = draw(chance, 5) ? 1 + draw(chance, 8) : 64 + draw(chance, 20);
    size_t used = (size_t)snprintf(text, sizeof text,
                                   "{'focus':{'x':%u,'y':-2},'categories':[{'name':'0'},{'name':'1'},"
                                   "{'name':'2'}],'areas':[{'name':'Floor','capacity':%u,'category':'%u'}],"
                                   "'sections':[{'name':'','rows':[",
                                   draw(chance, 12), 1 + draw(chance, 9), draw(chance, 3));
    for (unsigned row = 0; row < rows; row++)
        used += put_row(text + used, sizeof text - used, chance, row);
    used += (size_t)snprintf(text + used, sizeof text - used, "]}]}");
    assert_true(used < sizeof text);
    return plan_of_json(text);
}

static void compare_with_trying_everything(struct world *world, struct chance *chance) {
    bool free[NAIVE_SEATS] = {false};
    for (uint32_t seat = 0; seat < world->plan->seat_count; seat++)
        free[seat] = show_seat_status(world->show, seat) == SEAT_AVAILABLE;
    for (unsigned tries = 0; tries < 12; tries++) {
        uint32_t quantity = 1 + draw(chance, 7), found[LIMIT_SEATS_PER_HOLD], wanted[LIMIT_SEATS_PER_HOLD];
        uint32_t category = draw(chance, 3) ? draw(chance, 3) : PLAN_NO_SEAT;
        enum result expected = naive_best(world->plan, free, quantity, category, wanted);
        enum result result = best_find(&world->show->best, world->show->available, quantity, category, found);
        assert_int_equal(result, expected);
        if (result == RESULT_OK)
            assert_memory_equal(found, wanted, quantity * sizeof *found);
    }
}

static void what_is_found_is_what_trying_everything_finds(void **state) {
    /* Red if two of the five criteria change places in consider_row(), or a later row of the quality is not seen. */
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct chance chance = {seed};
        struct world world = world_of_plan(random_hall(&chance));
        unsigned of_ten = 1 + draw(&chance, 9);
        assert_true(world.plan->seat_count <= NAIVE_SEATS);
        for (uint32_t seat = 0; seat < world.plan->seat_count; seat++)
            if (draw(&chance, 10) < of_ten)
                show_load_seat(world.show, seat, SEAT_BOOKED, 3, NULL);
        compare_with_trying_everything(&world, &chance);
        world_end(&world);
    }
}

/* ---- without the lock ---- */

struct buyer {
    struct show *show;
    pthread_barrier_t *start;
    uint8_t name;
    uint32_t got;
    enum result last;
};

static void *buys_pairs_until_there_are_none(void *context) {
    struct buyer *buyer = context;
    struct user_id user = {.length = 1, .text = {(char)buyer->name}};
    struct hold_wish wish = {.user = &user, .best_quantity = 2, .best_category = PLAN_NO_SEAT};
    struct hold_refusal refusal;
    uint32_t slot;
    pthread_barrier_wait(buyer->start);
    for (uint32_t number = 1;; number++) {
        wish.reservation.at[0] = buyer->name;
        memcpy(wish.reservation.at + 12, &number, sizeof number);
        buyer->last = hold_take_best(buyer->show, &wish, NOW, &slot, &refusal);
        if (buyer->last != RESULT_OK)
            return NULL;
        buyer->got++;
        show_unlock(buyer->show);
    }
}

static void buyers_at_the_same_time_get_every_pair_once(void **state) {
    /* Red if the copy is taken from without looking again under the lock: the show asserts that a seat taken is free
     * (invariant 6 fails). */
    (void)state;
    struct world world = show_with_rows(200, 98);
    pthread_barrier_t start;
    assert_int_equal(pthread_barrier_init(&start, NULL, 3), 0);
    struct buyer buyers[3] = {{world.show, &start, 'a', 0, RESULT_OK},
                              {world.show, &start, 'b', 0, RESULT_OK},
                              {world.show, &start, 'c', 0, RESULT_OK}};
    pthread_t threads[3];
    show_unlock(world.show);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, buys_pairs_until_there_are_none, &buyers[i]), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    pthread_barrier_destroy(&start);
    show_lock(world.show);
    assert_int_equal(buyers[0].got + buyers[1].got + buyers[2].got, 9800);
    for (int i = 0; i < 3; i++)
        assert_int_equal(buyers[i].last, RESULT_SOLD_OUT);
    world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_party_sits_in_the_middle_of_the_best_row),
        cmocka_unit_test(a_row_beside_the_stage_is_best_at_its_near_end),
        cmocka_unit_test(a_row_curved_around_the_stage_is_best_in_its_middle),
        cmocka_unit_test(the_next_row_is_taken_when_the_best_has_no_place),
        cmocka_unit_test(no_single_seat_is_left_where_the_row_has_another_place),
        cmocka_unit_test(the_best_row_is_kept_even_if_a_single_seat_is_left),
        cmocka_unit_test(rows_of_one_quality_are_searched_for_a_place_that_leaves_none),
        cmocka_unit_test(a_standing_place_is_never_better_than_a_seat),
        cmocka_unit_test(seats_across_an_aisle_are_not_together),
        cmocka_unit_test(a_category_is_never_mixed_with_another),
        cmocka_unit_test(standing_places_are_given_where_no_row_has_any),
        cmocka_unit_test(one_more_than_is_left_is_sold_out),
        cmocka_unit_test(a_party_as_large_as_a_hold_may_be_sits_in_one_row),
        cmocka_unit_test(what_is_found_is_what_trying_everything_finds),
        cmocka_unit_test(buyers_at_the_same_time_get_every_pair_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
