/* Reads the short form: sections as a number of rows and of seats in each, and areas. Nothing in it has a place, so the
 * hall is laid out here: the sections side by side, centred on x = 0, row A at y = 0 and the others behind it, the
 * stage (the focus) in front of the middle of the first row.
 */
#include "seats/plan_reader.h"

#include <stdio.h>

#define SEAT_SPACING 0.5
#define ROW_SPACING 0.9
#define SECTION_SPACING 1.5
#define STAGE_DISTANCE 3

static bool has_rows(const json_t *entry) {
    return !field_given(entry, "capacity");
}

/* A … Z, AA, AB …: counting in letters, without a zero. */
static struct bytes row_label(uint32_t row, char room[static LABEL_ROOM]) {
    size_t at = LABEL_ROOM;
    for (uint32_t left = row + 1; left > 0; left = (left - 1) / 26)
        room[--at] = (char)('A' + (left - 1) % 26);
    return (struct bytes){room + at, LABEL_ROOM - at};
}

static bool read_row(struct plan_reader *reader, const struct where *where, uint32_t row, int64_t seats, double left,
                     uint8_t category) {
    char letters[LABEL_ROOM];
    if (!reader_begin_row(reader, MEMBER(where, "rows"), row_label(row, letters), RANK_NONE))
        return false;
    for (int64_t i = 0; i < seats; i++) {
        char digits[LABEL_ROOM];
        int length = snprintf(digits, sizeof digits, "%lld", (long long)(i + 1));
        struct plan_seat_draft seat = {.number = {digits, (size_t)length},
                                       .position = point_round(left + (double)i * SEAT_SPACING, row * ROW_SPACING),
                                       .category = category};
        if (!reader_add_seat(reader, where, &seat))
            return false;
    }
    return true;
}

/* *left moves to the left edge of the next section. */
static bool read_section(struct plan_reader *reader, const json_t *entry, const struct where *where, double *left) {
    struct bytes name, category_name;
    int64_t rows, seats;
    uint8_t category;
    if (!field_text_or(reader, entry, where, "name", LIMIT_NAME_BYTES, BYTES(""), &name) ||
        !field_integer(reader, entry, where, "rows", 1, LIMIT_ROWS_PER_SHOW, &rows) ||
        !field_integer(reader, entry, where, "seats_per_row", 1, LIMIT_SEATS_PER_SHOW, &seats) ||
        !field_text_or(reader, entry, where, "category", LIMIT_NAME_BYTES, BYTES(PLAN_DEFAULT_CATEGORY),
                       &category_name))
        return false;
    if (!reader_has_category(reader, category_name, &category)) {
        if (!reader_add_category(reader, MEMBER(where, "category"), category_name, NULL))
            return false;
        category = (uint8_t)(reader->categories.count - 1);
    }
    if (rows * seats > LIMIT_SEATS_PER_SHOW)
        return refuse(reader, MEMBER(where, "rows"),
                      "%lld rows of %lld seats are more than the %d that a plan may have", (long long)rows,
                      (long long)seats, LIMIT_SEATS_PER_SHOW);
    if (!reader_begin_section(reader, where, name))
        return false;
    for (uint32_t row = 0; row < rows; row++)
        if (!read_row(reader, where, row, seats, *left, category))
            return false;
    *left += (double)(seats - 1) * SEAT_SPACING + SECTION_SPACING;
    return true;
}

/* As wide as the sections say; what they say wrong is refused when they are read. */
static double hall_width(const json_t *sections) {
    double width = -SECTION_SPACING;
    for (size_t i = 0; i < json_array_size(sections); i++) {
        const json_t *entry = json_array_get(sections, i);
        json_int_t seats = json_integer_value(json_object_get(entry, "seats_per_row"));
        if (has_rows(entry) && seats >= 1 && seats <= LIMIT_SEATS_PER_SHOW)
            width += (double)(seats - 1) * SEAT_SPACING + SECTION_SPACING;
    }
    return width;
}

bool plan_read_short(struct plan_reader *reader, const json_t *document) {
    const struct where top = {0};
    const json_t *sections = NULL;
    if (!field_given(document, "sections") && !field_given(document, "areas"))
        return refuse(reader, &top,
                      "is no seating plan: there are neither 'sections' nor 'areas' (or 'zones', in a pretix plan)");
    if (field_given(document, "sections") && !field_list(reader, document, &top, "sections", &sections))
        return false;
    double left = -hall_width(sections) / 2;
    for (size_t i = 0; i < json_array_size(sections); i++) {
        const json_t *entry = json_array_get(sections, i);
        const struct where *where = ITEM(MEMBER(&top, "sections"), i);
        if (!value_object(reader, entry, where) || (has_rows(entry) && !read_section(reader, entry, where, &left)))
            return false;
    }
    reader->plan->focus = (struct plan_point){0, -STAGE_DISTANCE};
    return plan_read_areas(reader, document, true);
}
