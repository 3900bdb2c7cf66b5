/* Seating plans in the format of pretix: what each member becomes, and what is refused. */
#include "plan_world.h"

#define SEAT_AT(id, number, at_x, at_y)                                                                                \
    "{'seat_guid':'" id "','seat_number':'" number "','position':{'x':" at_x ",'y':" at_y                              \
    "},'category':'Stalls','uuid':'u','radius':10,'start_direction':null}"
#define PRETIX_HEAD                                                                                                    \
    "{'name':'Parish hall','size':{'width':800,'height':600},"                                                         \
    "'categories':[{'name':'Stalls','color':'#0AF'},{'name':'Side','color':'rgba(1,2,3,0.5)'}],"
#define PRETIX                                                                                                         \
    PRETIX_HEAD                                                                                                        \
    "'zones':[{'name':'Main','zone_id':'m','uuid':'z','position':{'x':100,'y':50},"                                    \
    "'areas':[{'shape':'text','text':{'text':'Stage','position':{'x':0,'y':0}}},"                                      \
    "{'shape':'circle','circle':{'radius':3},'position':{'x':0,'y':0}},"                                               \
    "{'shape':'rectangle','rectangle':{'width':300,'height':100},'position':{'x':-10,'y':-10},'rotation':0}],"         \
    "'rows':[{'row_number':'1','row_label':'Row %s','row_number_position':'both','uuid':'r',"                          \
    "'position':{'x':10,'y':20},'seats':[" SEAT_AT("m-1-1", "1", "0", "0") "," SEAT_AT(                                \
        "m-1-2", "2", "25",                                                                                            \
        "0") "," SEAT_AT("m-1-3", "3", "75",                                                                           \
                         "0") "," SEAT_AT("m-1-4", "4", "100.5",                                                       \
                                          "0") "]},"                                                                   \
                                               "{'row_number':'2','seats':[]}]},"                                      \
                                               "{'name':'Stage','position':{'x':0,'y':0},'rows':[],'areas':[]},"       \
                                               "{'name':'Main','position':{'x':0,'y':400},'rows':[{'row_number':'1','" \
                                               "seats':[" SEAT_AT("x", "1", "0",                                       \
                                                                  "0") "]}]},"                                         \
                                                                       "{'position':{'x':0,'y':500},'rows':[{'row_"    \
                                                                       "number':'1','seats':[" SEAT_AT(                \
                                                                           "y", "1", "0",                              \
                                                                           "0") "]}]},"                                \
                                                                                "{'position':{'x':0,'y':600},'rows':[" \
                                                                                "{'row_number':'1','seats':[" SEAT_AT( \
                                                                                    "z", "1", "0", "0") "]}]}]}"

static void a_pretix_seat_lies_where_zone_row_and_seat_add_up(void **state) {
    /* Red if the offset of zone or row is left out. */
    (void)state;
    struct plan *plan = plan_from(PRETIX);
    assert_bytes(plan->name, "Parish hall");
    assert_int_equal(plan->seat_count, 7);
    uint32_t seat = plan_find_seat(plan, BYTES("m-1-4"));
    assert_int_equal(seat, 3);
    assert_near(plan->positions[seat].x, 210.5);
    assert_near(plan->positions[seat].y, 70);
    assert_bytes(plan->seat_numbers[seat], "4");
    assert_bytes(plan->rows[0].label, "1");
    assert_string_equal(plan->categories[0].color, "#00aaff");
    assert_int_equal(strlen(plan->categories[1].color), 7);
    plan_free(plan);
}

static void a_wide_space_in_a_pretix_row_is_an_aisle(void **state) {
    /* Red if aisles are found by the largest or mean spacing in place of the median. */
    (void)state;
    struct plan *plan = plan_from(PRETIX);
    assert_true(!plan_gap_after(plan, 0) && plan_gap_after(plan, 1) && !plan_gap_after(plan, 2));
    plan_free(plan);
}

static void pretix_zones_get_names_of_their_own(void **state) {
    /* Red if zones of one name are refused, or zones without seats become sections. */
    (void)state;
    struct plan *plan = plan_from(PRETIX);
    assert_int_equal(plan->section_count, 4);
    assert_bytes(plan->sections[0].name, "Main");
    assert_bytes(plan->sections[1].name, "Main (2)");
    assert_bytes(plan->sections[2].name, "");
    assert_bytes(plan->sections[3].name, "Zone 5");
    plan_free(plan);
}

static void the_shape_around_a_pretix_zone_is_its_outline(void **state) {
    /* Red if the first shape is taken though it does not hold the seats. */
    (void)state;
    struct plan *plan = plan_from(PRETIX);
    assert_int_equal(plan->sections[0].outline_count, 4);
    assert_near(plan->sections[0].outline[0].x, 90);
    assert_near(plan->sections[0].outline[2].x, 390);
    assert_near(plan->sections[0].outline[2].y, 140);
    assert_null(plan->sections[1].outline);
    plan_free(plan);
}

#define SHAPE(body)                                                                                                    \
    PRETIX_HEAD "'zones':[{'name':'A','position':{'x':0,'y':0},'areas':[{" body "}],'rows':[{'row_number':'1',"        \
                "'seats':[" SEAT_AT("a", "1", "50", "50") "]}]}]}"

static uint32_t outline_points(const char *text, struct plan_point *first) {
    struct plan *plan = plan_from(text);
    uint32_t count = plan->sections[0].outline_count;
    if (count)
        *first = plan->sections[0].outline[0];
    plan_free(plan);
    return count;
}

static void every_shape_of_pretix_can_be_an_outline(void **state) {
    /* Red if a kind of shape, its offset or its rotation is not understood. */
    (void)state;
    struct plan_point first = {0};
    assert_int_equal(
        outline_points(SHAPE("'shape':'circle','circle':{'radius':30},'position':{'x':40,'y':40}"), &first), 32);
    assert_near(first.x, 70);
    assert_int_equal(
        outline_points(SHAPE("'shape':'ellipse','ellipse':{'radius':{'x':30,'y':20}},'position':{'x':40,'y':40}"),
                       &first),
        32);
    assert_int_equal(outline_points(SHAPE("'shape':'polygon','position':{'x':10,'y':10},"
                                          "'polygon':{'points':[{'x':0,'y':0},{'x':90,'y':0},{'x':0,'y':90}]}"),
                                    &first),
                     3);
    assert_near(first.x, 10);
    /* A quarter turn clockwise: what lay to the right of its position lies below it, and to the left. */
    assert_int_equal(outline_points(SHAPE("'shape':'rectangle','rectangle':{'width':90,'height':20},"
                                          "'position':{'x':60,'y':0},'rotation':90"),
                                    &first),
                     4);
    assert_int_equal(outline_points(SHAPE("'shape':'rectangle','rectangle':{'width':90,'height':20},"
                                          "'position':{'x':60,'y':0}"),
                                    &first),
                     0);
    assert_int_equal(outline_points(SHAPE("'shape':'text','text':{'text':'Bar','position':{'x':0,'y':0}}"), &first), 0);
    assert_int_equal(outline_points(SHAPE("'shape':7,'polygon':'?','position':[]"), &first), 0);
}

static void the_stage_of_a_pretix_plan_is_its_top_middle(void **state) {
    /* Red if the focus is the middle of the seats, or 0, 0. */
    (void)state;
    struct plan *plan = plan_from(PRETIX);
    assert_near(plan->focus.x, 105.25);
    assert_near(plan->focus.y, 70);
    assert_int_equal(plan->rows[0].rank, 0);
    plan_free(plan);
}

static void the_format_of_pretix_refuses(void **state) {
    /* Red if what its schema requires may be missing. */
    (void)state;
#define ZONE(members) PRETIX_HEAD "'zones':[{" members "}]}"
#define ZONE_SEAT(members)                                                                                             \
    ZONE("'name':'A','position':{'x':0,'y':0},'rows':[{'row_number':'1','seats':[{" members "}]}]")
    assert_refused("{'zones':[]}", "/categories", "missing");
    assert_refused(PRETIX_HEAD "'zones':{}}", "/zones", "a list");
    assert_refused(PRETIX_HEAD "'zones':[]}", "", "at least one seat");
    assert_refused(PRETIX_HEAD "'zones':[1]}", "/zones/0", "an object");
    assert_refused(ZONE("'rows':[]"), "/zones/0/position", "missing");
    assert_refused(ZONE("'position':{'x':0,'y':0}"), "/zones/0/rows", "missing");
    assert_refused(ZONE("'position':{'x':0,'y':0},'rows':[{'row_number':'1'}]"), "/zones/0/rows/0/seats", "missing");
    assert_refused(ZONE("'position':{'x':0,'y':0},'rows':[{'seats':[" SEAT_AT("a", "1", "0", "0") "]}]"),
                   "/zones/0/rows/0/row_number", "missing");
    assert_refused(ZONE_SEAT("'seat_number':'1'"), "/zones/0/rows/0/seats/0/seat_guid", "missing");
    assert_refused(ZONE_SEAT("'seat_guid':'1'"), "/zones/0/rows/0/seats/0/seat_number", "missing");
    assert_refused(ZONE_SEAT("'seat_guid':'1','seat_number':'1'"), "/zones/0/rows/0/seats/0/position", "missing");
    assert_refused(ZONE_SEAT("'seat_guid':'1','seat_number':'1','position':{'x':0,'y':0},'category':'Nope'"),
                   "/zones/0/rows/0/seats/0/category", "no category 'Nope'");
    assert_refused(ZONE_SEAT("'seat_guid':'1','seat_number':'1','position':{'x':0,'y':0},'category':'Side'},{"
                             "'seat_guid':'1','seat_number':'2','position':{'x':9,'y':0},'category':'Side'"),
                   "/zones/0/rows/0/seats/1", "used twice");
#undef ZONE
#undef ZONE_SEAT
}

static void a_pretix_plan_reads_back_equal_from_our_form(void **state) {
    /* Red if what was found out about the zones (names, aisles, outlines, focus) is not written. */
    (void)state;
    assert_round_trip(PRETIX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pretix_seat_lies_where_zone_row_and_seat_add_up),
        cmocka_unit_test(a_wide_space_in_a_pretix_row_is_an_aisle),
        cmocka_unit_test(pretix_zones_get_names_of_their_own),
        cmocka_unit_test(the_shape_around_a_pretix_zone_is_its_outline),
        cmocka_unit_test(every_shape_of_pretix_can_be_an_outline),
        cmocka_unit_test(the_stage_of_a_pretix_plan_is_its_top_middle),
        cmocka_unit_test(the_format_of_pretix_refuses),
        cmocka_unit_test(a_pretix_plan_reads_back_equal_from_our_form),
    };
    return cmocka_run_group_tests_name("plan_pretix", tests, set_up, NULL);
}
