/* Whether two plans are equal in everything that plan.h shows. For the tests and the fuzzer. */
#ifndef ONSALE_TEST_PLAN_EQUAL_H
#define ONSALE_TEST_PLAN_EQUAL_H

#include "seats/plan.h"

static inline bool points_equal(const struct plan_point *a, const struct plan_point *b, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (a[i].x < b[i].x || a[i].x > b[i].x || a[i].y < b[i].y || a[i].y > b[i].y)
            return false;
    return true;
}

static inline bool sections_equal(const struct plan_section *a, const struct plan_section *b) {
    return bytes_equal(a->name, b->name) && a->is_area == b->is_area && a->first_row == b->first_row &&
           a->row_count == b->row_count && a->first_seat == b->first_seat && a->seat_count == b->seat_count &&
           a->outline_count == b->outline_count && points_equal(a->outline, b->outline, a->outline_count);
}

static inline bool rows_equal(const struct plan_row *a, const struct plan_row *b) {
    return bytes_equal(a->label, b->label) && a->section == b->section && a->first_seat == b->first_seat &&
           a->seat_count == b->seat_count && a->rank == b->rank;
}

static inline bool seats_equal(const struct plan *a, const struct plan *b, uint32_t i) {
    return bytes_equal(a->seat_ids[i], b->seat_ids[i]) && bytes_equal(a->seat_numbers[i], b->seat_numbers[i]) &&
           points_equal(&a->positions[i], &b->positions[i], 1) && a->seat_category[i] == b->seat_category[i] &&
           a->seat_row[i] == b->seat_row[i] && a->seat_section[i] == b->seat_section[i] &&
           plan_gap_after(a, i) == plan_gap_after(b, i) && plan_find_seat(b, a->seat_ids[i]) == i;
}

static inline bool plans_equal(const struct plan *a, const struct plan *b) {
    if (!bytes_equal(a->name, b->name) || !id_equal(&a->hash, &b->hash) || !points_equal(&a->focus, &b->focus, 1) ||
        a->category_count != b->category_count || a->section_count != b->section_count ||
        a->row_count != b->row_count || a->seat_count != b->seat_count)
        return false;
    for (uint32_t i = 0; i < a->category_count; i++)
        if (!bytes_equal(a->categories[i].name, b->categories[i].name) ||
            strcmp(a->categories[i].color, b->categories[i].color) != 0 ||
            a->categories[i].seat_count != b->categories[i].seat_count)
            return false;
    for (uint32_t i = 0; i < a->section_count; i++)
        if (!sections_equal(&a->sections[i], &b->sections[i]))
            return false;
    for (uint32_t i = 0; i < a->row_count; i++)
        if (!rows_equal(&a->rows[i], &b->rows[i]))
            return false;
    for (uint32_t i = 0; i < a->seat_count; i++)
        if (!seats_equal(a, b, i))
            return false;
    return true;
}

#endif
