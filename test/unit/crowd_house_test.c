/* What the crowd knows of a show, who looks it up, and what is drawn. */
#include "crowd_world.h"

#include <stdio.h>

static void the_first_show_that_sells_is_chosen(void **state) {
    /* red when: a closed show is chosen, or the order of the list decides alone */
    struct house house;
    house_init(&house);
    assert_false(take_text(house_choose_show, &house, "[]"));
    assert_false(take_text(house_choose_show, &house, "{\"a\":[1]}"));
    assert_false(take_text(house_choose_show, &house, "[{\"show_id\":\"" SHOW "\",\"status\":\"CLOSED\"},7]"));
    assert_true(take_text(house_choose_show, &house,
                          "[{\"show_id\":\"00000000-0000-7000-8000-000000000000\",\"status\":\"SCHEDULED\"},"
                          "{\"show_id\":\"short\",\"status\":\"ON_SALE\"},"
                          "{\"show_id\":\"" SHOW "\",\"status\":\"ON_SALE\"}]"));
    assert_string_equal(house.show, SHOW);
    house_release(&house);
    (void)state;
}

static void a_document_that_is_not_understood_changes_nothing(void **state) {
    /* red when: a member is used before it is checked */
    static const char *const shows[] = {"7",
                                        "[]",
                                        "{}",
                                        "{\"status\":\"ON_SALE\"}",
                                        "{\"status\":1,\"plan\":{\"hash\":\"a\"}}",
                                        "{\"status\":\"AVERYLONGSTATUSWORD\",\"plan\":{\"hash\":\"aa\"}}"};
    static const char *const overviews[] = {"7", "{}", "{\"hash\":\"aa\",\"sections\":[{\"rows\":[]}]}",
                                            "{\"box\":[]}"};
    static const char *const sections[] = {
        "7",
        "{}",
        "{\"section\":99,\"first\":0,\"rows\":[{\"seats\":[[\"A1\"]]}]}",
        "{\"section\":0,\"first\":-1,\"rows\":[{\"seats\":[[\"A1\"]]}]}",
        "{\"section\":0,\"first\":0,\"rows\":[]}",
        "{\"section\":1,\"first\":0,\"rows\":[{\"seats\":[[\"A1\"]]}]}",
    };
    struct house house;
    open_house(&house);
    for (unsigned i = 0; i < sizeof shows / sizeof shows[0]; i++)
        assert_false(take_text(house_take_show, &house, shows[i]));
    for (unsigned i = 0; i < sizeof overviews / sizeof overviews[0]; i++)
        assert_false(take_text(house_take_overview, &house, overviews[i]));
    for (unsigned i = 0; i < sizeof sections / sizeof sections[0]; i++)
        assert_false(take_text(house_take_section, &house, sections[i]));
    assert_false(house_take_bits(&house, BYTES("")));
    assert_int_equal(house.state, HOUSE_OPEN);
    assert_int_equal(house.sections[0].seat_count, 7);
    assert_int_equal(house.seats, 8);
    house_release(&house);
    (void)state;
}

static void bits_are_counted(void **state) {
    /* red when: held and booked are mixed up */
    struct house house;
    open_house(&house);
    assert_true(house_take_bits(&house, (struct bytes){"\x99\x01", 2})); /* held booked held booked, held */
    assert_int_equal(house.held, 3);
    assert_int_equal(house.booked, 2);
    assert_int_equal(house_sold_permille(&house), 250);
    house_release(&house);
    (void)state;
}

/* Whether the seat was ever picked among `count` neighbours. */
static bool ever_picked(const struct house *house, uint32_t count, const char *seat_id) {
    struct chance chance = chance_of_fan(1, count);
    const char *seat_ids[HOUSE_MOST_PICKS];
    for (unsigned round = 0; round < 200; round++) {
        if (!house_pick_neighbours(house, &chance, count, seat_ids))
            return false;
        for (uint32_t i = 0; i < count; i++)
            if (strcmp(seat_ids[i], seat_id) == 0)
                return true;
    }
    return false;
}

static void neighbours_share_a_row_without_a_gap_and_are_free(void **state) {
    /* red when: a pick crosses an aisle or a row's end, or takes a seat that is held */
    struct house house;
    struct chance chance = chance_of_fan(1, 1);
    const char *seat_ids[HOUSE_MOST_PICKS];
    open_house(&house);
    assert_true(ever_picked(&house, 2, "A1"));
    assert_true(ever_picked(&house, 2, "B2"));
    assert_true(ever_picked(&house, 3, "A5"));
    assert_false(ever_picked(&house, 3, "A2"));
    assert_false(house_pick_neighbours(&house, &chance, 4, seat_ids));
    assert_true(house_take_bits(&house, (struct bytes){"\x00\x01", 2})); /* A5 is held */
    assert_false(ever_picked(&house, 2, "A5"));
    assert_false(house_pick_neighbours(&house, &chance, 3, seat_ids));
    house_release(&house);
    (void)state;
}

static void sections_are_read_from_the_stage_outwards(void **state) {
    /* red when: the order is the document's */
    struct house house;
    house_init(&house);
    assert_int_equal(house_wanted_section(&house), UINT32_MAX);
    assert_true(take_text(house_take_overview, &house, OVERVIEW));
    assert_int_equal(house_wanted_section(&house), 1);
    assert_true(take_text(house_take_section, &house, NEAR_SECTION));
    assert_int_equal(house_wanted_section(&house), 0);
    house_release(&house);
    (void)state;
}

static void a_section_that_is_sold_out_gives_way_to_the_next(void **state) {
    /* red when: fans pick for ever where nothing is left */
    struct house house;
    char text[300];
    house_init(&house);
    assert_true(take_text(house_take_overview, &house,
                          "{\"hash\":\"aa\",\"box\":[],\"sections\":[{},{},{},{},{},{},{},{},{},{}]}"));
    assert_true(house_take_bits(&house, (struct bytes){"\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa", 10}));
    for (unsigned i = 0; i < 12; i++) {
        unsigned wanted = house_wanted_section(&house);
        assert_int_equal(wanted, i % 10);
        snprintf(text, sizeof text, "{\"section\":%u,\"first\":%u,\"rows\":[{\"seats\":[[\"S%u\"]]}]}", wanted, wanted,
                 wanted);
        assert_true(take_text(house_take_section, &house, text));
    }
    house_release(&house);
    (void)state;
}

static void a_category_without_seats_is_not_wished_for(void **state) {
    /* red when: what is left does not weigh */
    struct house house;
    struct chance chance = chance_of_fan(1, 1);
    open_house(&house);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(house_draw_category(&house, &chance), 0);
    house.categories[0].available = 0;
    house.categories[1].available = 3;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(house_draw_category(&house, &chance), 1);
    house.categories[1].available = 0;
    assert_int_equal(house_draw_category(&house, &chance), UINT32_MAX);
    house_release(&house);
    (void)state;
}

static void most_humans_are_quick_and_none_takes_for_ever(void **state) {
    /* red when: the median is the mean, or the tail has no end */
    struct chance chance = chance_of_fan(1, 1);
    unsigned below = 0;
    for (unsigned i = 0; i < 10000; i++) {
        int64_t ms = chance_log_normal(&chance, 8000, 0.8, 64000);
        assert_in_range(ms, 0, 64000);
        below += ms < 8000;
    }
    assert_in_range(below, 4800, 5200);
    (void)state;
}

static const char *scout_step(struct scout *scout, struct house *house, unsigned status, const char *body) {
    json_t *document = body && body[0] == '{' ? document_of(body) : body && body[0] == '[' ? document_of(body) : NULL;
    struct fan_answer answer = {.status = status, .body = document};
    const char *said = scout_hear(scout, house, &answer, (struct bytes){"\0\0", 2}, NOW);
    json_decref(document);
    assert_true(scout->at_ms > NOW);
    return said;
}

static void the_scout_looks_at_the_show_then_its_plan_then_its_seats_and_says_each_state_once(void **state) {
    /* red when: the plan is read each time, or the same is said again */
    struct house house;
    struct scout scout;
    house_init(&house);
    scout_init(&scout, chance_of_fan(1, 0), &house, NULL);
    assert_non_null(scout_step(&scout, &house, 0, NULL));
    assert_null(scout_step(&scout, &house, 0, NULL));
    assert_non_null(scout_step(&scout, &house, 200, "[]"));
    assert_null(scout_step(&scout, &house, 200, "[]"));
    assert_int_equal(scout.call, SCOUT_LIST);
    assert_null(scout_step(&scout, &house, 200, "[{\"show_id\":\"" SHOW "\",\"status\":\"ON_SALE\"}]"));
    assert_string_equal(scout_step(&scout, &house, 200, SHOW_DOCUMENT("ON_SALE")), "show " SHOW " is on sale");
    assert_int_equal(scout.call, SCOUT_OVERVIEW);
    assert_null(scout_step(&scout, &house, 200, OVERVIEW));
    assert_null(scout_step(&scout, &house, 200, NULL));
    assert_int_equal(house.seats, 8);
    assert_int_equal(scout.call, SCOUT_SECTION);
    assert_int_equal(scout.section, 1);
    assert_null(scout_step(&scout, &house, 200, NEAR_SECTION));
    assert_null(scout_step(&scout, &house, 404, NULL));
    assert_int_equal(scout.call, SCOUT_SHOW);
    assert_null(scout_step(&scout, &house, 200, SHOW_DOCUMENT("ON_SALE")));
    assert_int_equal(scout.call, SCOUT_SEATS);
    assert_non_null(scout_step(&scout, &house, 503, NULL));
    scout.call = SCOUT_SHOW;
    assert_non_null(scout_step(&scout, &house, 200, SHOW_DOCUMENT("CLOSED")));
    house_release(&house);
    (void)state;
}

static void a_show_that_the_operator_named_is_waited_for(void **state) {
    /* red when: the crowd goes to another show */
    struct house house;
    struct scout scout;
    house_init(&house);
    scout_init(&scout, chance_of_fan(1, 0), &house, SHOW);
    assert_non_null(scout_step(&scout, &house, 404, NULL));
    assert_null(scout_step(&scout, &house, 404, NULL));
    assert_int_equal(scout.call, SCOUT_SHOW);
    assert_int_equal(house.state, HOUSE_UNKNOWN);
    house_release(&house);
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_show_that_sells_is_chosen),
        cmocka_unit_test(a_document_that_is_not_understood_changes_nothing),
        cmocka_unit_test(bits_are_counted),
        cmocka_unit_test(neighbours_share_a_row_without_a_gap_and_are_free),
        cmocka_unit_test(sections_are_read_from_the_stage_outwards),
        cmocka_unit_test(a_section_that_is_sold_out_gives_way_to_the_next),
        cmocka_unit_test(a_category_without_seats_is_not_wished_for),
        cmocka_unit_test(most_humans_are_quick_and_none_takes_for_ever),
        cmocka_unit_test(the_scout_looks_at_the_show_then_its_plan_then_its_seats_and_says_each_state_once),
        cmocka_unit_test(a_show_that_the_operator_named_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
