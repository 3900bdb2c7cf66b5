/* Writes a plan: our full form, normalised, so that equal plans give equal bytes.
 *
 * No spaces, members always in the same order, every row with its rank and every seat with everything it has; what is
 * false or empty by default is left out (gap_after, outline). Positions have at most two decimals, which is what was
 * kept when they were read.
 */
#include "seats/plan.h"

#include <math.h>

/* 12.5, -3, 0.07: the shortest of at most two decimals. Half the time of a 50,000-seat plan would be snprintf's. */
void plan_put_coordinate(struct json_writer *writer, float value) {
    int64_t hundredths = llround((double)value * 100);
    char text[24];
    size_t at = sizeof text;
    uint64_t left = (uint64_t)(hundredths < 0 ? -hundredths : hundredths);
    unsigned decimals = (unsigned)(left % 100);
    if (decimals % 10)
        text[--at] = (char)('0' + decimals % 10);
    if (decimals) {
        text[--at] = (char)('0' + decimals / 10);
        text[--at] = '.';
    }
    left /= 100;
    do {
        text[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (hundredths < 0)
        text[--at] = '-';
    json_put_raw(writer, (struct bytes){text + at, sizeof text - at});
}

void plan_put_points(struct json_writer *writer, const struct plan_point *points, uint32_t count) {
    json_open(writer, '[');
    for (uint32_t i = 0; i < count; i++) {
        json_open(writer, '[');
        plan_put_coordinate(writer, points[i].x);
        plan_put_coordinate(writer, points[i].y);
        json_close(writer, ']');
    }
    json_close(writer, ']');
}

static void put_outline(struct json_writer *writer, const struct plan_section *section) {
    if (!section->outline)
        return;
    json_key(writer, "outline");
    plan_put_points(writer, section->outline, section->outline_count);
}

static void put_seat(struct json_writer *writer, const struct plan *plan, uint32_t seat, bool last_of_row) {
    json_open(writer, '{');
    json_member_string(writer, "seat_id", plan->seat_ids[seat]);
    json_member_string(writer, "number", plan->seat_numbers[seat]);
    json_key(writer, "x");
    plan_put_coordinate(writer, plan->positions[seat].x);
    json_key(writer, "y");
    plan_put_coordinate(writer, plan->positions[seat].y);
    json_member_string(writer, "category", plan->categories[plan->seat_category[seat]].name);
    if (plan_gap_after(plan, seat) && !last_of_row)
        json_member_bool(writer, "gap_after", true);
    json_close(writer, '}');
}

static void put_row(struct json_writer *writer, const struct plan *plan, const struct plan_row *row) {
    json_open(writer, '{');
    json_member_string(writer, "label", row->label);
    json_member_int(writer, "rank", row->rank);
    json_key(writer, "seats");
    json_open(writer, '[');
    for (uint32_t i = 0; i < row->seat_count; i++)
        put_seat(writer, plan, row->first_seat + i, i + 1 == row->seat_count);
    json_close(writer, ']');
    json_close(writer, '}');
}

static void put_section(struct json_writer *writer, const struct plan *plan, const struct plan_section *section) {
    json_open(writer, '{');
    json_member_string(writer, "name", section->name);
    put_outline(writer, section);
    json_key(writer, "rows");
    json_open(writer, '[');
    for (uint32_t i = 0; i < section->row_count; i++)
        put_row(writer, plan, &plan->rows[section->first_row + i]);
    json_close(writer, ']');
    json_close(writer, '}');
}

static void put_area(struct json_writer *writer, const struct plan *plan, const struct plan_section *area) {
    json_open(writer, '{');
    json_member_string(writer, "name", area->name);
    json_member_int(writer, "capacity", area->seat_count);
    json_member_string(writer, "category", plan->categories[plan->seat_category[area->first_seat]].name);
    put_outline(writer, area);
    json_close(writer, '}');
}

void plan_put_focus(struct json_writer *writer, const struct plan *plan) {
    json_key(writer, "focus");
    json_open(writer, '{');
    json_key(writer, "x");
    plan_put_coordinate(writer, plan->focus.x);
    json_key(writer, "y");
    plan_put_coordinate(writer, plan->focus.y);
    json_close(writer, '}');
}

void plan_put_categories(struct json_writer *writer, const struct plan *plan) {
    json_key(writer, "categories");
    json_open(writer, '[');
    for (uint32_t i = 0; i < plan->category_count; i++) {
        json_open(writer, '{');
        json_member_string(writer, "name", plan->categories[i].name);
        json_member_text(writer, "color", plan->categories[i].color);
        json_close(writer, '}');
    }
    json_close(writer, ']');
}

void plan_write(const struct plan *plan, struct buffer *out) {
    struct json_writer writer = json_writer(out);
    json_open(&writer, '{');
    json_member_string(&writer, "name", plan->name);
    plan_put_focus(&writer, plan);
    plan_put_categories(&writer, plan);
    json_key(&writer, "sections");
    json_open(&writer, '[');
    for (uint32_t i = 0; i < plan->section_count; i++)
        if (!plan->sections[i].is_area)
            put_section(&writer, plan, &plan->sections[i]);
    json_close(&writer, ']');
    json_key(&writer, "areas");
    json_open(&writer, '[');
    for (uint32_t i = 0; i < plan->section_count; i++)
        if (plan->sections[i].is_area)
            put_area(&writer, plan, &plan->sections[i]);
    json_close(&writer, ']');
    json_close(&writer, '}');
}
