/* The two venues that come with onsale: they can be read, and they are places where people could sit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <math.h>

#include "base/hash.h"
#include "plan_equal.h"
#include "seats/plan.h"
#include "venues.h"

#define CELL 0.5F /* of the grid on which close seats are looked for */

static struct plan *venue(struct bytes text) {
    json_t *document = NULL;
    struct plan *plan = NULL;
    char pointer[256], detail[512];
    if (json_parse(text, &document, detail, sizeof detail) != RESULT_OK)
        fail_msg("%s", detail);
    if (plan_read(document, &plan, pointer, sizeof pointer, detail, sizeof detail) != RESULT_OK)
        fail_msg("%s: %s", pointer, detail);
    json_decref(document);
    return plan;
}

static float distance(const struct plan *plan, uint32_t a, uint32_t b) {
    return hypotf(plan->positions[a].x - plan->positions[b].x, plan->positions[a].y - plan->positions[b].y);
}

static void assert_neighbours_are_near(const struct plan *plan) {
    for (uint32_t i = 0; i < plan->row_count; i++)
        for (uint32_t k = 0; k + 1 < plan->rows[i].seat_count; k++) {
            uint32_t seat = plan->rows[i].first_seat + k;
            float apart = distance(plan, seat, seat + 1);
            if (plan_gap_after(plan, seat) ? apart < 0.9F || apart > 2 : apart < 0.45F || apart > 0.65F)
                fail_msg("%.*s and the next are %.2f apart", (int)plan->seat_ids[seat].length, plan->seat_ids[seat].at,
                         (double)apart);
        }
}

/* Seats by the cell they lie in; those of the nine cells around are compared. */
static void assert_no_seat_on_another(const struct plan *plan, uint32_t seats) {
    enum { COLUMNS = 1024 };
    uint32_t *first = malloc(COLUMNS * COLUMNS * sizeof *first), *next = malloc(seats * sizeof *next);
    assert_non_null(first);
    assert_non_null(next);
    memset(first, 0xff, COLUMNS * COLUMNS * sizeof *first);
    for (uint32_t i = 0; i < seats; i++) {
        int x = (int)floorf(plan->positions[i].x / CELL) + COLUMNS / 2;
        int y = (int)floorf(plan->positions[i].y / CELL) + COLUMNS / 2;
        assert_true(x > 0 && x < COLUMNS - 1 && y > 0 && y < COLUMNS - 1);
        for (int cell = 0; cell < 9; cell++)
            for (uint32_t other = first[(y + cell / 3 - 1) * COLUMNS + x + cell % 3 - 1]; other != PLAN_NO_SEAT;
                 other = next[other])
                if (distance(plan, i, other) < 0.3F)
                    fail_msg("%.*s and %.*s are on one another", (int)plan->seat_ids[i].length, plan->seat_ids[i].at,
                             (int)plan->seat_ids[other].length, plan->seat_ids[other].at);
        next[i] = first[y * COLUMNS + x];
        first[y * COLUMNS + x] = i;
    }
    free(first);
    free(next);
}

/* Unique seat_ids are what plan_read() refuses to go without; that each is found says so once more. */
static void assert_reads_back(const struct plan *plan) {
    struct buffer text;
    buffer_init(&text, LIMIT_PLAN_BYTES);
    plan_write(plan, &text);
    assert_true(buffer_ok(&text));
    struct plan *again = venue(buffer_bytes(&text));
    assert_true(plans_equal(plan, again));
    plan_free(again);
    buffer_release(&text);
}

static uint32_t seats_in(const struct plan *plan, bool areas) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->section_count; i++)
        if (plan->sections[i].is_area == areas)
            count += plan->sections[i].seat_count;
    return count;
}

static void the_stadium_has_50000_places(void **state) {
    /* Red if make_venues.mjs puts rows over one another, or loses places. */
    (void)state;
    struct plan *plan = venue(venue_stadium());
    assert_int_equal(plan->seat_count, 50000);
    assert_in_range(seats_in(plan, true), 8000, 10000);
    assert_in_range(plan->category_count, 6, 8);
    for (uint32_t i = 0; i < plan->category_count; i++)
        assert_in_range(plan->categories[i].seat_count, 1000, 15000);
    assert_int_not_equal(plan_find_seat(plan, BYTES("101-A1")), PLAN_NO_SEAT);
    assert_int_not_equal(plan_find_seat(plan, BYTES("329-N1")), PLAN_NO_SEAT);
    assert_int_not_equal(plan_find_area(plan, BYTES("Pitch")), PLAN_NO_SEAT);
    for (uint32_t i = 0; i < plan->section_count; i++)
        assert_non_null(plan->sections[i].outline);
    assert_neighbours_are_near(plan);
    assert_no_seat_on_another(plan, seats_in(plan, false));
    plan_free(plan);
}

static void the_stadium_reads_back_equal(void **state) {
    /* Red if a plan of this size does not survive plan_write(). */
    (void)state;
    struct plan *plan = venue(venue_stadium());
    assert_reads_back(plan);
    plan_free(plan);
}

static void the_theatre_has_600_seats(void **state) {
    /* Red if make_venues.mjs puts rows over one another, or loses seats or aisles. */
    (void)state;
    struct plan *plan = venue(venue_theatre());
    assert_int_equal(plan->seat_count, 600);
    assert_int_equal(seats_in(plan, true), 0);
    assert_true(plan_gap_after(plan, plan_find_seat(plan, BYTES("Stalls-A5"))));
    assert_int_not_equal(plan_find_seat(plan, BYTES("Left Box 1-A4")), PLAN_NO_SEAT);
    assert_neighbours_are_near(plan);
    assert_no_seat_on_another(plan, plan->seat_count);
    assert_reads_back(plan);
    plan_free(plan);
}

static void the_best_row_is_the_one_before_the_stage(void **state) {
    /* Red if the venues' focus is not where their stage is. */
    (void)state;
    struct plan *plan = venue(venue_theatre());
    const struct plan_row *front = &plan->rows[plan->seat_row[plan_find_seat(plan, BYTES("Stalls-A1"))]];
    const struct plan_row *back = &plan->rows[plan->seat_row[plan_find_seat(plan, BYTES("Circle-F1"))]];
    assert_true(front->rank < 3);
    assert_int_equal(back->rank, plan->row_count - 1);
    plan_free(plan);
}

static int set_up(void **state) {
    (void)state;
    hash_set_up();
    json_set_up();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stadium_has_50000_places),
        cmocka_unit_test(the_stadium_reads_back_equal),
        cmocka_unit_test(the_theatre_has_600_seats),
        cmocka_unit_test(the_best_row_is_the_one_before_the_stage),
    };
    return cmocka_run_group_tests_name("venues", tests, set_up, NULL);
}
