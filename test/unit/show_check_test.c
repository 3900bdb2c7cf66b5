/* Each invariant of a show (src/seats/README.md) refuses an object that breaks it. */
#include "show_world.h"

/* Seats A1 … A6 and an area of 4. Ann holds A1 A2, bob pays for A3, cat has bought A4, A5 is blocked, Floor-1 and
 * Floor-2 are held and two holds have ended. */
struct busy {
    struct world world;
    struct show *show;
    struct hold *held, *paying, *sold, *ended;
};

static struct busy busy_show(void) {
    struct busy busy = {.world = world_of_json("{'sections':[{'name':'','rows':1,'seats_per_row':6},"
                                               "{'name':'Floor','capacity':4}]}")};
    struct world *world = &busy.world;
    uint32_t ended = taken(world, "dan", "A6"), blocked = 4, floor;
    busy.show = world->show;
    assert_int_equal(hold_release(world->show, ended, NOW), RESULT_OK);
    busy.held = &busy.show->holds[taken(world, "ann", "A1 A2")];
    busy.paying = &busy.show->holds[paying(world, "bob", "A3")];
    busy.sold = &busy.show->holds[sold(world, "cat", "A4")];
    busy.ended = &busy.show->holds[ended];
    assert_int_equal(show_block(world->show, 1, &blocked, show_draw_fence(world->show), &world->refusal), RESULT_OK);
    assert_int_equal(take_places(world, "ann", "Floor", 2, &floor), RESULT_OK);
    return busy;
}

static void assert_found(const struct busy *busy, const char *number) {
    char why[200] = "";
    if (show_check(busy->show, why, sizeof why))
        fail_msg("the corrupted show passed; invariant %s was to fail", number);
    if (strncmp(why, number, strlen(number)) != 0)
        fail_msg("'%s' is not about invariant %s", why, number);
    assert_false(show_check(busy->show, NULL, 0));
}

/* Changes a field, expects the invariant to be refused, and puts the field back. */
#define CORRUPT(busy, number, field, value)                                                                            \
    do {                                                                                                               \
        __typeof__(field) kept = (field);                                                                              \
        (field) = (value);                                                                                             \
        assert_found((busy), (number));                                                                                \
        (field) = kept;                                                                                                \
        world_check(&(busy)->world);                                                                                   \
    } while (0)

static void a_bitmap_that_disagrees_with_the_states_is_found(void **state) {
    /* Red if check_bitmaps() leaves out the comparison that the line is about. */
    (void)state;
    struct busy busy = busy_show();
    CORRUPT(&busy, "1: seat 0", busy.show->available[0], busy.show->available[0] | 1);
    CORRUPT(&busy, "1: seat 5", busy.show->available[0], busy.show->available[0] & ~32ULL);
    CORRUPT(&busy, "1: seat 0", busy.show->blocked[0], busy.show->blocked[0] | 1);
    CORRUPT(&busy, "1: seat 0 has state 3", busy.show->states[0], busy.show->states[0] | 3);
    CORRUPT(&busy, "1: a bit", busy.show->available[0], busy.show->available[0] | 1ULL << 10);
    CORRUPT(&busy, "1: a bit", busy.show->untold[0], busy.show->untold[0] | 1ULL << 63);
    world_end(&busy.world);
}

static void a_sale_that_the_ledger_is_to_be_told_is_found(void **state) {
    /* Red if untold bits of BOOKED and BLOCKED seats are not looked at. */
    (void)state;
    struct busy busy = busy_show();
    CORRUPT(&busy, "2: seat 3", busy.show->untold[0], busy.show->untold[0] | 8);
    CORRUPT(&busy, "2: seat 4", busy.show->untold[0], busy.show->untold[0] | 16);
    world_end(&busy.world);
}

static void a_wrong_count_is_found(void **state) {
    /* Red if that count is left out. */
    (void)state;
    struct busy busy = busy_show();
    struct show_counts *counts = &busy.show->counts;
    CORRUPT(&busy, "3", counts->capacity, counts->capacity + 1);
    CORRUPT(&busy, "3", counts->available, counts->available + 1);
    CORRUPT(&busy, "3", counts->held, counts->held - 1);
    CORRUPT(&busy, "3", counts->booked, counts->booked + 1);
    CORRUPT(&busy, "3", counts->blocked, counts->blocked + 1);
    CORRUPT(&busy, "3", counts->holds_held, counts->holds_held + 1);
    CORRUPT(&busy, "3", counts->holds_paying, counts->holds_paying + 1);
    world_end(&busy.world);
}

static void a_wrong_count_of_a_category_is_found(void **state) {
    /* Red if categories are not counted, or only as many as the plan has. */
    (void)state;
    struct busy busy = busy_show();
    CORRUPT(&busy, "4: category 0", busy.show->available_in[0], busy.show->available_in[0] + 1);
    CORRUPT(&busy, "4: category 63", busy.show->available_in[63], 1);
    world_end(&busy.world);
}

static void a_number_that_was_never_drawn_is_found(void **state) {
    /* Red if seats' versions or holds' fences are not compared with the next fence. */
    (void)state;
    struct busy busy = busy_show();
    CORRUPT(&busy, "5: the next", busy.show->next_fence, busy.show->next_fence + 1);
    CORRUPT(&busy, "5: seat 5", busy.show->versions[5], busy.show->next_fence);
    CORRUPT(&busy, "5: hold", busy.sold->fence, busy.show->next_fence);
    CORRUPT(&busy, "5: hold", busy.sold->fence, busy.sold->fence + 1);
    world_end(&busy.world);
}

static void a_seat_that_its_hold_does_not_know_is_found(void **state) {
    /* Red if check_chain() leaves out the comparison that the line is about. */
    (void)state;
    struct busy busy = busy_show();
    CORRUPT(&busy, "6: seat 0", busy.show->holders[0], HOLD_NO_SLOT);
    CORRUPT(&busy, "6: seat 0", busy.show->holders[0], 0);
    CORRUPT(&busy, "6: hold", busy.show->holders[0], busy.show->holders[2]);
    CORRUPT(&busy, "6: hold", busy.show->versions[1], busy.show->versions[1] + 1);
    CORRUPT(&busy, "6: hold", busy.show->next_seats[0], 0);
    CORRUPT(&busy, "6: hold", busy.show->next_seats[1], 0);
    CORRUPT(&busy, "6: hold", busy.held->first_seat, 1);
    CORRUPT(&busy, "6: hold", busy.held->seat_count, 1);
    world_end(&busy.world);
}

static void a_seat_that_no_chain_reaches_is_found(void **state) {
    /* Red if the seats of the holds are not added up. */
    (void)state;
    struct busy busy = busy_show();
    uint32_t kept = busy.show->next_seats[0];
    busy.held->seat_count = 1;
    busy.show->next_seats[0] = PLAN_NO_SEAT;
    assert_found(&busy, "6: 5 seats");
    busy.held->seat_count = 2;
    busy.show->next_seats[0] = kept;
    world_end(&busy.world);
}

static void a_hold_in_a_state_that_it_cannot_be_in_is_found(void **state) {
    /* Red if that state is not looked at. */
    (void)state;
    struct busy busy = busy_show();
    CORRUPT(&busy, "7", busy.held->store_deadline_ms, busy.held->deadline_ms - 1);
    CORRUPT(&busy, "7", busy.held->lost_count, 1);
    CORRUPT(&busy, "7", busy.paying->seat_count, 0);
    CORRUPT(&busy, "7", busy.held->booking, (struct id){{1}});
    CORRUPT(&busy, "7", busy.paying->booking, (struct id){{0}});
    world_end(&busy.world);
}

static void a_deadline_that_is_missing_or_misplaced_is_found(void **state) {
    /* Red if the heap is not compared with the holds, or its order not checked. */
    (void)state;
    struct busy busy = busy_show();
    struct deadline **heap = busy.show->deadlines.heap;
    CORRUPT(&busy, "8", busy.show->deadlines.count, 1);
    CORRUPT(&busy, "8", busy.held->deadline.place, 0);
    CORRUPT(&busy, "8", busy.held->deadline.place, 3);
    CORRUPT(&busy, "8", busy.held->store_deadline_ms, busy.held->store_deadline_ms + 1);
    CORRUPT(&busy, "8", busy.paying->deadline.place, 1);
    CORRUPT(&busy, "8", busy.sold->deadline.place, 1);
    CORRUPT(&busy, "8: deadline 2", heap[2]->at_ms, heap[1]->at_ms - 1);
    CORRUPT(&busy, "8", heap[1], heap[2]);
    struct deadline stray = {.at_ms = INT64_MAX};
    heap[3] = &stray;
    CORRUPT(&busy, "8", busy.show->deadlines.count, 3);
    world_end(&busy.world);
}

static void a_hold_that_nobody_finds_is_found(void **state) {
    /* Red if reservations are not looked up. */
    (void)state;
    struct busy busy = busy_show();
    CORRUPT(&busy, "9", busy.held->reservation, (struct id){{1}});
    CORRUPT(&busy, "9", busy.ended->reservation, (struct id){{0}});
    CORRUPT(&busy, "9", busy.show->reservations.count, 1);
    CORRUPT(&busy, "9", busy.ended->state, HOLD_FREE);
    world_end(&busy.world);
}

static void an_ended_hold_that_is_not_remembered_in_its_place_is_found(void **state) {
    /* Red if the list is not walked, or its length and end not compared. */
    (void)state;
    struct busy busy = busy_show();
    CORRUPT(&busy, "10", busy.show->first_ended, busy.ended->next_ended);
    CORRUPT(&busy, "10", busy.show->last_ended, busy.show->first_ended);
    CORRUPT(&busy, "10", busy.sold->next_ended, busy.show->first_ended);
    CORRUPT(&busy, "10", busy.ended->next_ended, (uint32_t)(busy.held - busy.show->holds));
    world_end(&busy.world);
}

static void a_fan_with_a_wrong_count_is_found(void **state) {
    /* Red if a fan's seats are not counted again. */
    (void)state;
    struct busy busy = busy_show();
    struct fan *fans = busy.show->fans.entries;
    CORRUPT(&busy, "11: fan", fans[busy.held->fan].seat_count, 5);
    CORRUPT(&busy, "11: fan", busy.show->holders[3], busy.held->fan);
    CORRUPT(&busy, "11: fan", busy.paying->fan, busy.held->fan);
    CORRUPT(&busy, "11: seat 3", busy.show->holders[3], 9);
    CORRUPT(&busy, "11", fans[busy.paying->fan].hash, 0);
    CORRUPT(&busy, "11", busy.show->fans.by_user.count, 1);
    world_end(&busy.world);
}

static void a_hint_behind_a_free_place_is_found(void **state) {
    /* Red if hints are not checked. */
    (void)state;
    struct busy busy = busy_show();
    CORRUPT(&busy, "12", busy.show->area_hints[1], 9);
    world_end(&busy.world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bitmap_that_disagrees_with_the_states_is_found),
        cmocka_unit_test(a_sale_that_the_ledger_is_to_be_told_is_found),
        cmocka_unit_test(a_wrong_count_is_found),
        cmocka_unit_test(a_wrong_count_of_a_category_is_found),
        cmocka_unit_test(a_number_that_was_never_drawn_is_found),
        cmocka_unit_test(a_seat_that_its_hold_does_not_know_is_found),
        cmocka_unit_test(a_seat_that_no_chain_reaches_is_found),
        cmocka_unit_test(a_hold_in_a_state_that_it_cannot_be_in_is_found),
        cmocka_unit_test(a_deadline_that_is_missing_or_misplaced_is_found),
        cmocka_unit_test(a_hold_that_nobody_finds_is_found),
        cmocka_unit_test(an_ended_hold_that_is_not_remembered_in_its_place_is_found),
        cmocka_unit_test(a_fan_with_a_wrong_count_is_found),
        cmocka_unit_test(a_hint_behind_a_free_place_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
