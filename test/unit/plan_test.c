/* Seating plans: our two forms, prices, and the form that is written. */
#include "plan_world.h"

/* ---- the short form ---- */

#define SHORT                                                                                                          \
    "{'sections':[{'name':'','rows':2,'seats_per_row':20,'category':'Standard'}],"                                     \
    "'prices':{'Standard':{'amount':5000,'currency':'EUR'}}}"

static void the_short_form_names_its_seats_by_row_and_number(void **state) {
    /* Red if numbers start at 0, or rows are not in the order A, B. */
    (void)state;
    struct plan *plan = plan_from(SHORT);
    assert_int_equal(plan->seat_count, 40);
    assert_int_equal(plan->row_count, 2);
    assert_bytes(plan->seat_ids[0], "A1");
    assert_bytes(plan->seat_ids[39], "B20");
    assert_bytes(plan->seat_numbers[39], "20");
    assert_bytes(plan->rows[1].label, "B");
    assert_int_equal(plan->categories[0].seat_count, 40);
    plan_free(plan);
}

static void behind_row_z_come_aa_and_ab(void **state) {
    /* Red if letters are counted like digits, with A as a zero (BA behind Z). */
    (void)state;
    struct plan *plan = plan_from("{'sections':[{'rows':704,'seats_per_row':1}]}");
    assert_bytes(plan->rows[25].label, "Z");
    assert_bytes(plan->rows[26].label, "AA");
    assert_bytes(plan->rows[27].label, "AB");
    assert_bytes(plan->rows[701].label, "ZZ");
    assert_bytes(plan->rows[702].label, "AAA");
    plan_free(plan);
}

static void a_named_section_stands_before_its_seats(void **state) {
    /* Red if the section's name is left out of the seat_id. */
    (void)state;
    struct plan *plan = plan_from("{'sections':[{'name':'North','rows':1,'seats_per_row':2},"
                                  "{'name':'South','rows':1,'seats_per_row':2}]}");
    assert_bytes(plan->seat_ids[0], "North-A1");
    assert_bytes(plan->seat_ids[3], "South-A2");
    assert_int_equal(plan_find_seat(plan, BYTES("South-A1")), 2);
    plan_free(plan);
}

static void the_short_form_is_laid_out_before_a_stage(void **state) {
    /* Red if sections lie over one another, or the hall is not centred on the stage. */
    (void)state;
    struct plan *plan = plan_from("{'sections':[{'name':'L','rows':2,'seats_per_row':3},"
                                  "{'name':'R','rows':2,'seats_per_row':3}]}");
    assert_near(plan->positions[0].x, -1.75);
    assert_near(plan->positions[1].x, -1.25);
    assert_near(plan->positions[3].y, 0.9);
    assert_near(plan->positions[6].x, 0.75);
    assert_near(plan->positions[8].x, 1.75);
    assert_near(plan->focus.x, 0);
    assert_true(plan->focus.y < 0);
    plan_free(plan);
}

static void the_longest_row_of_all_still_fits_on_the_map(void **state) {
    /* Red if the layout starts at x = 0 and runs beyond the largest coordinate. */
    (void)state;
    struct plan *plan = plan_from("{'sections':[{'rows':1,'seats_per_row':250000}]}");
    assert_int_equal(plan->seat_count, 250000);
    assert_near(plan->positions[0].x, -62499.75);
    plan_free(plan);
}

static void an_area_has_places_behind_all_seats(void **state) {
    /* Red if areas keep the document's order, or their places count as neighbours. */
    (void)state;
    struct plan *plan = plan_from("{'sections':[{'name':'Floor','capacity':3,'category':'Pit'},"
                                  "{'name':'','rows':1,'seats_per_row':2,'category':'Standard'}],"
                                  "'areas':[{'name':'Lawn','capacity':2,'category':'Pit'}]}");
    assert_int_equal(plan->seat_count, 7);
    assert_bytes(plan->seat_ids[0], "A1");
    assert_bytes(plan->seat_ids[2], "Floor-1");
    assert_bytes(plan->seat_ids[6], "Lawn-2");
    assert_int_equal(plan->seat_row[2], PLAN_NO_SEAT);
    uint32_t floor = plan_find_area(plan, BYTES("Floor"));
    assert_int_equal(plan->sections[floor].first_seat, 2);
    assert_int_equal(plan->sections[floor].seat_count, 3);
    assert_true(plan->sections[floor].is_area);
    assert_true(plan_gap_after(plan, 2) && plan_gap_after(plan, 3) && plan_gap_after(plan, 6));
    assert_int_equal(plan->seat_category[2], plan_find_category(plan, BYTES("Pit")));
    assert_int_equal(plan_find_area(plan, BYTES("")), PLAN_NO_SEAT);
    plan_free(plan);
}

static void categories_of_the_short_form_get_different_colours(void **state) {
    /* Red if all get the first colour. */
    (void)state;
    struct plan *plan = plan_from("{'sections':[{'name':'a','rows':1,'seats_per_row':1,'category':'A'},"
                                  "{'name':'b','rows':1,'seats_per_row':1,'category':'B'}]}");
    assert_int_equal(plan->category_count, 2);
    assert_string_not_equal(plan->categories[0].color, plan->categories[1].color);
    plan_free(plan);
}

static void the_short_form_refuses(void **state) {
    /* Red if any check of the short form is left out. */
    (void)state;
    assert_refused("[]", "", "an object");
    assert_refused("{}", "", "neither 'sections' nor 'areas'");
    assert_refused("{'sections':{}}", "/sections", "a list");
    assert_refused("{'sections':[]}", "", "at least one seat");
    assert_refused("{'sections':[7]}", "/sections/0", "an object");
    assert_refused("{'sections':[{'rows':0,'seats_per_row':1}]}", "/sections/0/rows", "from 1 to 32768");
    assert_refused("{'sections':[{'rows':-1,'seats_per_row':1}]}", "/sections/0/rows", "is -1");
    assert_refused("{'sections':[{'rows':1.5,'seats_per_row':1}]}", "/sections/0/rows", "a fraction");
    assert_refused("{'sections':[{'rows':'2','seats_per_row':1}]}", "/sections/0/rows", "is a text");
    assert_refused("{'sections':[{'rows':1}]}", "/sections/0/seats_per_row", "is missing");
    assert_refused("{'sections':[{'rows':1000,'seats_per_row':1000}]}", "/sections/0/rows", "more than the 250000");
    assert_refused("{'sections':[{'rows':1,'seats_per_row':1,'name':4}]}", "/sections/0/name", "a text");
    assert_refused("{'sections':[{'rows':1,'seats_per_row':1,'name':'a\\u0007'}]}", "/sections/0/name", "control");
    assert_refused("{'sections':[{'rows':1,'seats_per_row':1,'name':'a\\u0085'}]}", "/sections/0/name", "control");
    assert_refused("{'sections':[{'rows':1,'seats_per_row':1},{'rows':1,'seats_per_row':1}]}", "/sections/1/name",
                   "two sections");
    assert_refused("{'areas':[{'name':'F','capacity':0}]}", "/areas/0/capacity", "from 1");
    assert_refused("{'areas':[{'capacity':1}]}", "/areas/0/name", "missing");
    assert_refused("{'areas':[{'name':'F','capacity':1},{'name':'F','capacity':1}]}", "/areas/1/name", "two sections");
    assert_refused("{'areas':[{'name':'F','capacity':200000},{'name':'G','capacity':50001}]}", "/areas/1",
                   "at most 250000");
    assert_refused("{'areas':3}", "/areas", "a list");
}

/* ---- the full form ---- */

#define CATEGORIES "'categories':[{'name':'Gold','color':'#E69F00'},{'name':'Blue'}]"
#define FULL                                                                                                           \
    "{'name':'Hall','focus':{'x':0,'y':-5}," CATEGORIES ",'sections':["                                                \
    "{'name':'101','outline':[[0,0],[4,0],[4,2]],'rows':["                                                             \
    "{'label':'A','seats':[{'number':'1','x':0,'y':0,'category':'Gold'},"                                              \
    "{'number':2,'x':0.5,'y':0.123,'category':'Blue','gap_after':true},"                                               \
    "{'seat_id':'the third','number':'3','x':1,'y':0,'category':'Blue'}]},"                                            \
    "{'label':7,'category':'Blue','seats':3,'first':11,'from':[0,1],'to':[1,1]}]}],"                                   \
    "'areas':[{'name':'Floor','capacity':2,'category':'Gold','outline':[[0,5],{'x':4,'y':5},[4,9]]}]}"

static void the_full_form_says_where_each_seat_is(void **state) {
    /* Red if any member is taken from the wrong place, or a position keeps more than two decimals. */
    (void)state;
    struct plan *plan = plan_from(FULL);
    assert_bytes(plan->name, "Hall");
    assert_near(plan->focus.y, -5);
    assert_int_equal(plan->seat_count, 8);
    assert_bytes(plan->seat_ids[0], "101-A1");
    assert_bytes(plan->seat_ids[1], "101-A2");
    assert_bytes(plan->seat_ids[2], "the third");
    assert_true(plan->positions[1].y > 0.119F && plan->positions[1].y < 0.121F);
    assert_true(!plan_gap_after(plan, 0) && plan_gap_after(plan, 1) && plan_gap_after(plan, 2));
    assert_string_equal(plan->categories[0].color, "#e69f00");
    assert_int_equal(plan->seat_category[0], 0);
    assert_int_equal(plan->seat_category[1], 1);
    assert_int_equal(plan->sections[0].outline_count, 3);
    assert_int_equal(plan->sections[1].outline_count, 3);
    assert_near(plan->sections[1].outline[1].x, 4);
    plan_free(plan);
}

static void a_row_labelled_by_a_number_keeps_its_seats_apart(void **state) {
    /* Red if row 1 seat 12 and row 11 seat 2 get the same seat_id. */
    (void)state;
    struct plan *plan = plan_from("{" CATEGORIES ",'sections':[{'name':'N','category':'Gold','rows':["
                                  "{'label':1,'seats':12,'from':[0,0],'to':[6,0]},"
                                  "{'label':11,'seats':2,'from':[0,1],'to':[1,1]}]}]}");
    assert_bytes(plan->seat_ids[11], "N-1-12");
    assert_bytes(plan->seat_ids[13], "N-11-2");
    plan_free(plan);
}

static void a_compact_row_runs_straight_from_first_to_last(void **state) {
    /* Red if the last seat is not at `to`, or numbers do not begin with `first`. */
    (void)state;
    struct plan *plan = plan_from(FULL);
    const struct plan_row *row = &plan->rows[1];
    assert_int_equal(row->seat_count, 3);
    assert_bytes(plan->seat_ids[row->first_seat], "101-7-11");
    assert_near(plan->positions[row->first_seat].x, 0);
    assert_near(plan->positions[row->first_seat + 1].x, 0.5);
    assert_near(plan->positions[row->first_seat + 2].x, 1);
    assert_near(plan->positions[row->first_seat + 2].y, 1);
    plan_free(plan);
}

static void a_bent_row_lies_on_its_circle(void **state) {
    /* Red if the sagitta goes to the wrong side, or the seats are not evenly spread on one circle. */
    (void)state;
    struct plan *plan = plan_from("{" CATEGORIES ",'sections':[{'category':'Gold','rows':["
                                  "{'label':'A','seats':5,'from':[-4,0],'to':[4,0],'bend':2},"
                                  "{'label':'B','seats':5,'from':[-4,5],'to':[4,5],'bend':-2}]}]}");
    assert_near(plan->positions[0].x, -4);
    assert_near(plan->positions[2].x, 0);
    assert_near(plan->positions[2].y, 2);
    assert_near(plan->positions[4].x, 4);
    assert_near(plan->positions[7].y, 3);
    for (uint32_t i = 0; i < 5; i++)
        assert_near(hypotf(plan->positions[i].x, plan->positions[i].y + 3), 5);
    for (uint32_t i = 0; i + 1 < 5; i++)
        assert_true(fabsf(hypotf(plan->positions[i + 1].x - plan->positions[i].x,
                                 plan->positions[i + 1].y - plan->positions[i].y) -
                          2.3F) < 0.02F);
    plan_free(plan);
}

static void an_aisle_in_a_compact_row_is_one_seat_wide(void **state) {
    /* Red if gaps_after only cuts the neighbours and leaves no room. */
    (void)state;
    struct plan *plan = plan_from("{" CATEGORIES ",'sections':[{'category':'Gold','rows':["
                                  "{'label':'A','seats':5,'from':[0,0],'to':[5,0],'gaps_after':[2]}]}]}");
    assert_near(plan->positions[1].x, 1);
    assert_near(plan->positions[2].x, 3);
    assert_near(plan->positions[4].x, 5);
    assert_true(!plan_gap_after(plan, 0) && plan_gap_after(plan, 1) && !plan_gap_after(plan, 2));
    plan_free(plan);
}

static void categories_are_inherited_from_row_and_section(void **state) {
    /* Red if the section's category wins over the row's, or the row's over the seat's. */
    (void)state;
    struct plan *plan = plan_from("{'categories':[{'name':'S'},{'name':'R'},{'name':'T'}],"
                                  "'sections':[{'category':'S','rows':["
                                  "{'label':'A','seats':1,'from':[0,0]},"
                                  "{'label':'B','category':'R','seats':[{'number':'1','x':0,'y':1},"
                                  "{'number':'2','x':1,'y':1,'category':'T'}]}]}]}");
    assert_int_equal(plan->seat_category[0], 0);
    assert_int_equal(plan->seat_category[1], 1);
    assert_int_equal(plan->seat_category[2], 2);
    plan_free(plan);
}

static void the_nearest_row_is_the_best(void **state) {
    /* Red if rows are ranked in document order, or by their first seat. */
    (void)state;
    struct plan *plan = plan_from("{'focus':[0,0],'categories':[{'name':'S'}],'sections':[{'category':'S','rows':["
                                  "{'label':'far','seats':3,'from':[-1,9],'to':[1,9]},"
                                  "{'label':'near','seats':3,'from':[-8,2],'to':[8,2]},"
                                  "{'label':'also far','seats':3,'from':[-1,9],'to':[1,9],'first':5}]}]}");
    assert_int_equal(plan->rows[0].rank, 1);
    assert_int_equal(plan->rows[1].rank, 0);
    assert_int_equal(plan->rows[2].rank, 2);
    plan_free(plan);
}

static void a_given_rank_comes_before_distance(void **state) {
    /* Red if `rank` of row or section is ignored, or a row's does not win over its section's. */
    (void)state;
    struct plan *plan = plan_from("{'focus':[0,0],'categories':[{'name':'S'}],'sections':["
                                  "{'name':'near','category':'S','rows':[{'label':'A','seats':1,'from':[0,1]}]},"
                                  "{'name':'far','category':'S','rank':5,'rows':["
                                  "{'label':'A','seats':1,'from':[0,8]},{'label':'B','seats':1,'from':[0,9],'rank':4}]}"
                                  "]}");
    assert_int_equal(plan->rows[0].rank, 2);
    assert_int_equal(plan->rows[1].rank, 1);
    assert_int_equal(plan->rows[2].rank, 0);
    plan_free(plan);
}

#define ROW(members) "{" CATEGORIES ",'sections':[{'name':'N','rows':[{'label':'A'," members "}]}]}"
#define SEAT(members) ROW("'seats':[{'number':'1','x':0,'y':0,'category':'Gold'},{" members "}]")

static void the_full_form_refuses_a_wrong_seat(void **state) {
    /* Red if any check of a seat is left out. */
    (void)state;
    const char *seat = "/sections/0/rows/0/seats/1";
    char where[64];
#define AT(member) (snprintf(where, sizeof where, "%s" member, seat), where)
    assert_refused(SEAT("'number':'2','x':0,'y':0,'category':'Silver'"), AT("/category"),
                   "there is no category 'Silver'; there are 'Gold', 'Blue'");
    assert_refused(SEAT("'number':'2','x':0,'y':0"), AT("/category"), "missing");
    assert_refused(SEAT("'number':'2','x':0,'y':0,'category':3"), AT("/category"), "a text");
    assert_refused(SEAT("'number':'1','x':1,'y':0,'category':'Gold'"), AT(""),
                   "'N-A1' is used twice, first in section 'N', row 'A'");
    assert_refused(SEAT("'seat_id':'N-A1','number':'2','x':1,'y':0,'category':'Gold'"), AT(""), "used twice");
    assert_refused(SEAT("'x':1,'y':0,'category':'Gold'"), AT("/number"), "missing");
    assert_refused(SEAT("'number':'','x':1,'y':0,'category':'Gold'"), AT("/number"), "1 to 64");
    assert_refused(SEAT("'number':1.5,'x':1,'y':0,'category':'Gold'"), AT("/number"), "a text");
    assert_refused(SEAT("'number':'2','y':0,'category':'Gold'"), AT("/x"), "missing");
    assert_refused(SEAT("'number':'2','x':'1','y':0,'category':'Gold'"), AT("/x"), "a number");
    assert_refused(SEAT("'number':'2','x':0,'y':1e300,'category':'Gold'"), AT("/y"), "from -100000 to 100000");
    assert_refused(SEAT("'number':'2','x':-100001,'y':0,'category':'Gold'"), AT("/x"), "from -100000");
    assert_refused(SEAT("'number':'2','x':0,'y':0,'category':'Gold','gap_after':1"), AT("/gap_after"), "true or false");
    assert_refused(SEAT("'number':'2','x':0,'y':0,'category':'Gold','seat_id':7"), AT("/seat_id"), "a text");
    assert_refused(SEAT("'number':'2','x':0,'y':0,'category':'Gold','seat_id':'"
                        "0123456789012345678901234567890123456789012345678901234567890123x'"),
                   AT("/seat_id"), "1 to 64 bytes");
    assert_refused(SEAT("'number':'2','x':0,'y':0,'category':'Gold','seat_id':'a\\u007f'"), AT("/seat_id"), "control");
#undef AT
}

static void the_full_form_refuses_a_wrong_row(void **state) {
    /* Red if any check of a row is left out. */
    (void)state;
    const char *row = "/sections/0/rows/0";
    char where[64];
#define AT(member) (snprintf(where, sizeof where, "%s" member, row), where)
    assert_refused(ROW("'seats':[]"), AT("/seats"), "a list of seats");
    assert_refused(ROW("'seats':'9'"), AT("/seats"), "a list of seats");
    assert_refused(ROW("'seats':[null]"), AT("/seats/0"), "an object");
    assert_refused(ROW("'seats':2,'from':[0,0],'to':[1,0]"), AT("/category"), "missing");
    assert_refused(ROW("'category':'Gold','seats':0,'from':[0,0],'to':[1,0]"), AT("/seats"), "from 1 to");
    assert_refused(ROW("'category':'Gold','seats':-5,'from':[0,0],'to':[1,0]"), AT("/seats"), "from 1 to");
    assert_refused(ROW("'category':'Gold','seats':250001,'from':[0,0],'to':[1,0]"), AT("/seats"), "from 1 to");
    assert_refused(ROW("'category':'Gold','seats':2,'to':[1,0]"), AT("/from"), "is missing");
    assert_refused(ROW("'category':'Gold','seats':2,'from':[0],'to':[1,0]"), AT("/from"), "a point");
    assert_refused(ROW("'category':'Gold','seats':2,'from':[0,'0'],'to':[1,0]"), AT("/from/1"), "a number");
    assert_refused(ROW("'category':'Gold','seats':2,'from':[0,0]"), AT("/to"), "is missing");
    assert_refused(ROW("'category':'Gold','seats':2,'from':[0,0],'to':[0,0]"), AT("/to"), "another point");
    assert_refused(ROW("'category':'Gold','seats':2,'from':[0,0],'to':[1,0],'bend':1.1"), AT("/bend"), "1.00");
    assert_refused(ROW("'category':'Gold','seats':2,'from':[0,0],'to':[1,0],'first':-1"), AT("/first"), "from 0");
    assert_refused(ROW("'category':'Gold','seats':2,'from':[0,0],'to':[1,0],'rank':-1"), AT("/rank"), "from 0");
    assert_refused(ROW("'category':'Gold','seats':3,'from':[0,0],'to':[1,0],'gaps_after':[2,1]"), AT("/gaps_after/1"),
                   "rising");
    assert_refused(ROW("'category':'Gold','seats':3,'from':[0,0],'to':[1,0],'gaps_after':[3]"), AT("/gaps_after/0"),
                   "below 3");
    assert_refused(ROW("'category':'Gold','seats':3,'from':[0,0],'to':[1,0],'gaps_after':1"), AT("/gaps_after"),
                   "a list");
    assert_refused(ROW("'category':'Gold','seats':3,'from':[-100000,99999],'to':[100000,99999],'bend':10"), AT(""),
                   "farther out");
#undef AT
    assert_refused("{" CATEGORIES ",'sections':[{'rows':[{'seats':1,'from':[0,0]}]}]}", "/sections/0/rows/0/label",
                   "missing");
}

static void the_full_form_refuses_a_wrong_section_or_category(void **state) {
    /* Red if any check of what stands above the rows is left out. */
    (void)state;
    assert_refused("{" CATEGORIES ",'sections':[{'rows':2}]}", "/sections/0/rows", "short form");
    assert_refused("{" CATEGORIES ",'sections':[{'rows':[]}]}", "/sections/0/rows", "at least one row");
    assert_refused("{" CATEGORIES ",'sections':[{}]}", "/sections/0/rows", "missing");
    assert_refused("{" CATEGORIES ",'sections':{}}", "/sections", "a list");
    assert_refused("{" CATEGORIES "}", "", "at least one seat");
    assert_refused("{" CATEGORIES ",'focus':3}", "/focus", "a point");
    assert_refused("{" CATEGORIES ",'focus':{'x':1}}", "/focus/y", "missing");
    assert_refused("{" CATEGORIES ",'name':7}", "/name", "a text");
    assert_refused("{" CATEGORIES ",'sections':[{'rank':'1','rows':[]}]}", "/sections/0/rank", "whole number");
    assert_refused("{" CATEGORIES ",'areas':[{'name':'F','capacity':9}]}", "/areas/0/category", "missing");
    assert_refused("{" CATEGORIES ",'areas':[{'name':'F','capacity':9,'category':'X'}]}", "/areas/0/category",
                   "no category 'X'");
    assert_refused("{" CATEGORIES ",'areas':[{'name':'F','capacity':9,'category':'Gold','outline':[[0,0],[1,1]]}]}",
                   "/areas/0/outline", "3 to 256 points");
    assert_refused("{'categories':{}}", "/categories", "a list");
    assert_refused("{'categories':[4]}", "/categories/0", "an object");
    assert_refused("{'categories':[{'name':''}]}", "/categories/0/name", "1 to 200");
    assert_refused("{'categories':[{'name':'a'},{'name':'a'}]}", "/categories/1/name", "two categories");
    assert_refused("{'categories':[{'name':'a','color':'red'}]}", "/categories/0/color", "like #0072b2");
    assert_refused("{'categories':[{'name':'a','color':'#12345g'}]}", "/categories/0/color", "like #0072b2");
    assert_refused("{'categories':[],'sections':[{'rows':[{'label':'A','category':'S','seats':1,'from':[0,0]}]}]}",
                   "/sections/0/rows/0/category", "there are none");
    assert_refused("{'sections':[{'rows':[]}]}", "/categories", "missing");
}

static void more_than_fits_is_refused(void **state) {
    /* Red if a limit on categories, sections, rows or seats is off by one or missing. */
    (void)state;
    json_t *full = json("{'categories':[],'areas':[{'name':'F','capacity':1,'category':'0'}]}");
    for (int i = 0; i < LIMIT_CATEGORIES_PER_SHOW; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        json_array_append_new(json_object_get(full, "categories"), json_pack("{s:s}", "name", name));
    }
    plan_free(plan_of(json_incref(full)));
    json_array_append_new(json_object_get(full, "categories"), json_pack("{s:s}", "name", "one more"));
    assert_refused_document(full, "/categories/64/name", "at most 64");

    json_t *areas = json("{'areas':[]}");
    for (int i = 0; i < LIMIT_SECTIONS_PER_SHOW; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        json_array_append_new(json_object_get(areas, "areas"), json_pack("{s:s,s:i}", "name", name, "capacity", 1));
    }
    plan_free(plan_of(json_incref(areas)));
    json_array_append_new(json_object_get(areas, "areas"), json_pack("{s:s,s:i}", "name", "more", "capacity", 1));
    assert_refused_document(areas, "/areas/4096", "at most 4096");

    assert_refused("{'sections':[{'name':'a','rows':32768,'seats_per_row':1},{'name':'b','rows':1,'seats_per_row':1}]}",
                   "/sections/1/rows", "at most 32768");
    assert_refused("{'sections':[{'name':'a','rows':1,'seats_per_row':250000},{'rows':1,'seats_per_row':1}]}",
                   "/sections/1", "at most 250000");
}

static void a_default_seat_id_that_is_too_long_is_refused(void **state) {
    /* Red if only the seat_ids that are written out are measured. */
    (void)state;
    assert_refused("{'sections':[{'name':'0123456789012345678901234567890123456789012345678901234567890',"
                   "'rows':1,'seats_per_row':10}]}",
                   "/sections/0", "longer than 64 bytes");
}

/* ---- finding, prices, writing ---- */

static void every_seat_is_found_and_no_other(void **state) {
    /* Red if the table loses a seat when it grows, or stops at a collision. */
    (void)state;
    struct plan *plan = plan_from("{'sections':[{'rows':100,'seats_per_row':100}]}");
    for (uint32_t i = 0; i < plan->seat_count; i++)
        assert_int_equal(plan_find_seat(plan, plan->seat_ids[i]), i);
    assert_int_equal(plan_find_seat(plan, BYTES("A101")), PLAN_NO_SEAT);
    assert_int_equal(plan_find_seat(plan, BYTES("")), PLAN_NO_SEAT);
    assert_int_equal(plan_find_seat(plan, BYTES("a1")), PLAN_NO_SEAT);
    plan_free(plan);
}

static enum result read_prices(const struct plan *plan, const char *text, struct plan_prices *prices) {
    json_t *document = text ? json(text) : NULL;
    enum result result = plan_read_prices(plan, document, prices, pointer, sizeof pointer, detail, sizeof detail);
    json_decref(document);
    return result;
}

static void prices_go_by_category(void **state) {
    /* Red if amounts are kept in the document's order, or what has no price is free. */
    (void)state;
    struct plan *plan = plan_from(FULL);
    struct plan_prices prices;
    assert_int_equal(read_prices(plan, "{'Blue':{'amount':0,'currency':'EUR'}}", &prices), RESULT_OK);
    assert_int_equal(prices.count, 2);
    assert_bytes(prices.of[0].category, "Gold");
    assert_int_equal(prices.of[0].amount, -1);
    assert_int_equal(prices.of[1].amount, 0);
    assert_string_equal(prices.currency, "EUR");
    assert_int_equal(read_prices(plan, NULL, &prices), RESULT_OK);
    assert_int_equal(prices.of[1].amount, -1);
    assert_string_equal(prices.currency, "");
    plan_free(plan);
}

static void wrong_prices_are_refused(void **state) {
    /* Red if any check of a price is left out, or the pointer does not escape the category's name. */
    (void)state;
    static const struct {
        const char *text, *pointer, *words;
    } cases[] = {
        {"[]", "", "an object"},
        {"{'a/b~':{}}", "/a~1b~0", "no category 'a/b~'"},
        {"{'Gold':5}", "/Gold", "an object"},
        {"{'Gold':{'currency':'EUR'}}", "/Gold/amount", "missing"},
        {"{'Gold':{'amount':-1,'currency':'EUR'}}", "/Gold/amount", "from 0"},
        {"{'Gold':{'amount':1.5,'currency':'EUR'}}", "/Gold/amount", "a fraction"},
        {"{'Gold':{'amount':10000000001,'currency':'EUR'}}", "/Gold/amount", "10000000000"},
        {"{'Gold':{'amount':1}}", "/Gold/currency", "missing"},
        {"{'Gold':{'amount':1,'currency':'eur'}}", "/Gold/currency", "like EUR"},
        {"{'Gold':{'amount':1,'currency':'EURO'}}", "/Gold/currency", "like EUR"},
        {"{'Gold':{'amount':1,'currency':'EUR'},'Blue':{'amount':1,'currency':'USD'}}", "/Blue/currency",
         "one currency"},
    };
    struct plan *plan = plan_from(FULL);
    struct plan_prices prices = {.count = 77};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(read_prices(plan, cases[i].text, &prices), RESULT_INVALID_FIELD);
        assert_string_equal(pointer, cases[i].pointer);
        if (!strstr(detail, cases[i].words))
            fail_msg("'%s' does not say '%s'", detail, cases[i].words);
        assert_int_equal(prices.count, 77);
    }
    plan_free(plan);
}

static void what_is_written_reads_back_equal(void **state) {
    /* Red if plan_write forgets anything, or a position changes on the way. */
    (void)state;
    assert_round_trip(SHORT);
    assert_round_trip(FULL);
    assert_round_trip("{'areas':[{'name':'\\\"\\u00e9\\\\','capacity':3}]}");
    assert_round_trip("{'focus':[-0.004,99999.99],'categories':[{'name':'S'}],'sections':[{'category':'S','rows':["
                      "{'label':'A','rank':3,'seats':7,'from':[-99999.99,-0.01],'to':[-99990.07,12.345],'bend':1.7},"
                      "{'label':'B','rank':9,'seats':7,'from':[65536.13,65537.77],'to':[65539.01,65539.99]}]}]}");
}

static void the_normalised_form_is_this(void **state) {
    /* Red if the written form changes, for its hash names the plans that are stored. */
    (void)state;
    struct plan *plan = plan_from("{'name':'N','focus':[0.5,-2],'categories':[{'name':'S','color':'#fff'}],"
                                  "'sections':[{'name':'','category':'S','rows':[{'label':'A','seats':2,"
                                  "'from':[-0.05,0],'to':[1,10.5],'gaps_after':[1]}]}],"
                                  "'areas':[{'name':'F','capacity':9,'category':'S','outline':[[0,0],[1,0],[1,1]]}]}");
    struct buffer text = written(plan);
    assert_bytes(
        buffer_bytes(&text),
        "{\"name\":\"N\",\"focus\":{\"x\":0.5,\"y\":-2},\"categories\":[{\"name\":\"S\",\"color\":\"#ffffff\"}],"
        "\"sections\":[{\"name\":\"\",\"rows\":[{\"label\":\"A\",\"rank\":0,\"seats\":["
        "{\"seat_id\":\"A1\",\"number\":\"1\",\"x\":-0.05,\"y\":0,\"category\":\"S\",\"gap_after\":true},"
        "{\"seat_id\":\"A2\",\"number\":\"2\",\"x\":1,\"y\":10.5,\"category\":\"S\"}]}]}],"
        "\"areas\":[{\"name\":\"F\",\"capacity\":9,\"category\":\"S\",\"outline\":[[0,0],[1,0],[1,1]]}]}");
    struct id hash = hash_128(&(struct bytes){text.at, text.length}, 1);
    assert_true(id_equal(&hash, &plan->hash));
    buffer_release(&text);
    plan_free(plan);
}

static void a_short_pointer_buffer_is_not_overrun(void **state) {
    /* Red if the pointer is written without looking at its room. */
    (void)state;
    char small[12] = "", words[8];
    struct plan *plan;
    json_t *document = json("{'sections':[{'rows':1,'seats_per_row':-1}]}");
    assert_int_equal(plan_read(document, &plan, small, sizeof small, words, sizeof words), RESULT_INVALID_FIELD);
    assert_string_equal(small, "/sections/0");
    assert_int_equal(strlen(words), sizeof words - 1);
    assert_int_equal(plan_read(document, &plan, NULL, 0, NULL, 0), RESULT_INVALID_FIELD);
    json_decref(document);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_short_form_names_its_seats_by_row_and_number),
        cmocka_unit_test(behind_row_z_come_aa_and_ab),
        cmocka_unit_test(a_named_section_stands_before_its_seats),
        cmocka_unit_test(the_short_form_is_laid_out_before_a_stage),
        cmocka_unit_test(the_longest_row_of_all_still_fits_on_the_map),
        cmocka_unit_test(an_area_has_places_behind_all_seats),
        cmocka_unit_test(categories_of_the_short_form_get_different_colours),
        cmocka_unit_test(the_short_form_refuses),
        cmocka_unit_test(the_full_form_says_where_each_seat_is),
        cmocka_unit_test(a_row_labelled_by_a_number_keeps_its_seats_apart),
        cmocka_unit_test(a_compact_row_runs_straight_from_first_to_last),
        cmocka_unit_test(a_bent_row_lies_on_its_circle),
        cmocka_unit_test(an_aisle_in_a_compact_row_is_one_seat_wide),
        cmocka_unit_test(categories_are_inherited_from_row_and_section),
        cmocka_unit_test(the_nearest_row_is_the_best),
        cmocka_unit_test(a_given_rank_comes_before_distance),
        cmocka_unit_test(the_full_form_refuses_a_wrong_seat),
        cmocka_unit_test(the_full_form_refuses_a_wrong_row),
        cmocka_unit_test(the_full_form_refuses_a_wrong_section_or_category),
        cmocka_unit_test(more_than_fits_is_refused),
        cmocka_unit_test(a_default_seat_id_that_is_too_long_is_refused),
        cmocka_unit_test(every_seat_is_found_and_no_other),
        cmocka_unit_test(prices_go_by_category),
        cmocka_unit_test(wrong_prices_are_refused),
        cmocka_unit_test(what_is_written_reads_back_equal),
        cmocka_unit_test(the_normalised_form_is_this),
        cmocka_unit_test(a_short_pointer_buffer_is_not_overrun),
    };
    return cmocka_run_group_tests_name("plan", tests, set_up, NULL);
}
