/* Reads our full form (docs/plans.md): categories, sections of rows, areas.
 *
 * A row is a list of seats, each with its place, or compact: a count of seats on a line or an arc from one point to
 * another. The arc of a chord c with sagitta s has the radius (c²/4 + s²) / 2s and spans 4·atan(2s/c); the seats are
 * spread evenly along it, an aisle taking the room of one seat.
 */
#include "seats/plan_reader.h"

#include <math.h>
#include <stdio.h>

static bool read_categories(struct plan_reader *reader, const json_t *document, const struct where *top) {
    const json_t *list;
    if (!field_list(reader, document, top, "categories", &list))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct where *where = ITEM(MEMBER(top, "categories"), i);
        const json_t *category = json_array_get(list, i);
        struct bytes name, color;
        char read[8];
        if (!value_object(reader, category, where) ||
            !field_text(reader, category, where, "name", LIMIT_NAME_BYTES, &name) ||
            !field_text_or(reader, category, where, "color", 16, BYTES(""), &color))
            return false;
        if (color.length && !color_read(color, read))
            return refuse(reader, MEMBER(where, "color"), "must be a colour like #0072b2, and is '%.*s'",
                          (int)color.length, color.at);
        if (!reader_add_category(reader, MEMBER(where, "name"), name, color.length ? read : NULL))
            return false;
    }
    return true;
}

static bool read_outline(struct plan_reader *reader, const json_t *entry, const struct where *entry_where) {
    if (!field_given(entry, "outline"))
        return true;
    const json_t *list;
    const struct where *where = MEMBER(entry_where, "outline");
    if (!field_list(reader, entry, entry_where, "outline", &list))
        return false;
    size_t count = json_array_size(list);
    if (count < 3 || count > LIMIT_OUTLINE_POINTS)
        return refuse(reader, where, "must have 3 to %d points, and has %zu", LIMIT_OUTLINE_POINTS, count);
    struct plan_point points[LIMIT_OUTLINE_POINTS];
    for (size_t i = 0; i < count; i++) {
        double x, y;
        if (!value_point(reader, json_array_get(list, i), ITEM(where, i), &x, &y))
            return false;
        points[i] = point_round(x, y);
    }
    return reader_set_outline(reader, (uint32_t)count, points);
}

/* ---- rows ---- */

/* The category that is given here, or else `inherited` if there is one. */
static bool read_category(struct plan_reader *reader, const json_t *entry, const struct where *where,
                          const uint8_t *inherited, uint8_t *category) {
    struct bytes name;
    if (inherited && !field_given(entry, "category")) {
        *category = *inherited;
        return true;
    }
    return field_text(reader, entry, where, "category", LIMIT_NAME_BYTES, &name) &&
           reader_find_category(reader, MEMBER(where, "category"), name, category);
}

static bool read_seat(struct plan_reader *reader, const json_t *entry, const struct where *where,
                      const uint8_t *row_category) {
    struct plan_seat_draft seat = {0};
    char digits[LABEL_ROOM];
    double x, y;
    if (!value_object(reader, entry, where) ||
        !field_text_or(reader, entry, where, "seat_id", LIMIT_SEAT_ID_BYTES, BYTES(""), &seat.seat_id) ||
        !field_label(reader, entry, where, "number", digits, &seat.number) ||
        !field_number(reader, entry, where, "x", LIMIT_PLAN_COORDINATE, &x) ||
        !field_number(reader, entry, where, "y", LIMIT_PLAN_COORDINATE, &y) ||
        !read_category(reader, entry, where, row_category, &seat.category) ||
        !field_flag(reader, entry, where, "gap_after", &seat.gap_after))
        return false;
    seat.position = point_round(x, y);
    return reader_add_seat(reader, where, &seat);
}

struct arc {
    double from_x, from_y, to_x, to_y, bend;
};

/* The point at `part` (0 to 1) of the way. Positive bends move the middle to the right of one who walks from `from` to
 * `to` with y growing downwards: a row seen from the stage above it, left to right, curves away in its middle. */
static struct plan_point arc_point(const struct arc *arc, double part) {
    double dx = arc->to_x - arc->from_x, dy = arc->to_y - arc->from_y;
    double chord = hypot(dx, dy);
    if (arc->bend == 0 || chord == 0)
        return point_round(arc->from_x + dx * part, arc->from_y + dy * part);
    double sagitta = fabs(arc->bend);
    double radius = (chord * chord / 4 + sagitta * sagitta) / (2 * sagitta);
    double half_angle = 2 * atan(2 * sagitta / chord);
    double angle = half_angle * (2 * part - 1);
    double along = 0.5 + radius * sin(angle) / chord;
    double height = (radius * cos(angle) - (radius - sagitta)) * (arc->bend < 0 ? -1 : 1) / chord;
    return point_round(arc->from_x + dx * along - dy * height, arc->from_y + dy * along + dx * height);
}

static bool read_arc(struct plan_reader *reader, const json_t *entry, const struct where *where, int64_t count,
                     struct arc *arc) {
    arc->bend = 0;
    if (!field_point(reader, entry, where, "from", &arc->from_x, &arc->from_y))
        return false;
    if (count == 1 && !field_given(entry, "to")) {
        arc->to_x = arc->from_x;
        arc->to_y = arc->from_y;
        return true;
    }
    if (!field_point(reader, entry, where, "to", &arc->to_x, &arc->to_y) ||
        (field_given(entry, "bend") && !field_number(reader, entry, where, "bend", LIMIT_PLAN_COORDINATE, &arc->bend)))
        return false;
    double chord = hypot(arc->to_x - arc->from_x, arc->to_y - arc->from_y);
    if (count > 1 && chord == 0)
        return refuse(reader, MEMBER(where, "to"), "must be another point than 'from' in a row of several seats");
    if (fabs(arc->bend) > chord)
        return refuse(reader, MEMBER(where, "bend"), "must not be more than the row's length of %.2f", chord);
    return true;
}

/* The checked list of seats behind which an aisle runs, or NULL. */
static bool read_aisles(struct plan_reader *reader, const json_t *entry, const struct where *row_where, int64_t seats,
                        const json_t **list) {
    *list = NULL;
    if (!field_given(entry, "gaps_after"))
        return true;
    if (!field_list(reader, entry, row_where, "gaps_after", list))
        return false;
    const struct where *where = MEMBER(row_where, "gaps_after");
    int64_t last = 0;
    for (size_t i = 0; i < json_array_size(*list); i++) {
        const json_t *value = json_array_get(*list, i);
        if (!json_is_integer(value) || json_integer_value(value) <= last || json_integer_value(value) >= seats)
            return refuse(reader, ITEM(where, i),
                          "must be a seat's place in the row, counted from 1, rising and below %lld", (long long)seats);
        last = json_integer_value(value);
    }
    return true;
}

static bool read_compact_row(struct plan_reader *reader, const json_t *entry, const struct where *where,
                             const uint8_t *row_category) {
    int64_t count, first;
    struct arc arc;
    const json_t *aisles;
    struct plan_seat_draft seat = {0};
    if (!field_integer(reader, entry, where, "seats", 1, LIMIT_SEATS_PER_SHOW, &count) ||
        !field_integer_or(reader, entry, where, "first", 0, 1000000, 1, &first) ||
        !read_category(reader, entry, where, row_category, &seat.category) ||
        !read_arc(reader, entry, where, count, &arc) || !read_aisles(reader, entry, where, count, &aisles))
        return false;
    size_t aisle_count = json_array_size(aisles), aisle = 0;
    double units = (double)(count - 1) + (double)aisle_count;
    for (int64_t i = 0; i < count; i++) {
        char digits[LABEL_ROOM];
        int length = snprintf(digits, sizeof digits, "%lld", (long long)(first + i));
        seat.number = (struct bytes){digits, (size_t)length};
        seat.position = arc_point(&arc, units > 0 ? ((double)i + (double)aisle) / units : 0);
        seat.gap_after = aisle < aisle_count && json_integer_value(json_array_get(aisles, aisle)) == i + 1;
        if (seat.gap_after)
            aisle++;
        if (!reader_add_seat(reader, where, &seat))
            return false;
    }
    return true;
}

static bool read_row(struct plan_reader *reader, const json_t *entry, const struct where *where,
                     const uint8_t *section_category, int64_t section_rank) {
    struct bytes label;
    char digits[LABEL_ROOM];
    int64_t rank;
    uint8_t category;
    if (!value_object(reader, entry, where) || !field_label(reader, entry, where, "label", digits, &label) ||
        !field_integer_or(reader, entry, where, "rank", 0, INT32_MAX, section_rank, &rank))
        return false;
    const uint8_t *row_category = section_category;
    if (field_given(entry, "category")) {
        if (!read_category(reader, entry, where, NULL, &category))
            return false;
        row_category = &category;
    }
    if (!reader_begin_row(reader, where, label, rank))
        return false;
    if (json_is_integer(json_object_get(entry, "seats")))
        return read_compact_row(reader, entry, where, row_category);
    const json_t *seats = json_object_get(entry, "seats");
    if (!json_is_array(seats) || json_array_size(seats) == 0)
        return refuse(reader, MEMBER(where, "seats"),
                      "must be a list of seats, or the number of seats from 'from' to 'to'");
    for (size_t i = 0; i < json_array_size(seats); i++)
        if (!read_seat(reader, json_array_get(seats, i), ITEM(MEMBER(where, "seats"), i), row_category))
            return false;
    return true;
}

static bool read_section(struct plan_reader *reader, const json_t *entry, const struct where *where) {
    struct bytes name;
    int64_t rank;
    const json_t *rows;
    uint8_t category;
    if (!field_text_or(reader, entry, where, "name", LIMIT_NAME_BYTES, BYTES(""), &name) ||
        !field_integer_or(reader, entry, where, "rank", 0, INT32_MAX, RANK_NONE, &rank))
        return false;
    if (json_is_integer(json_object_get(entry, "rows")))
        return refuse(reader, MEMBER(where, "rows"),
                      "must be a list of rows; a number of rows belongs to the short form, which has no 'categories'");
    bool has_category = field_given(entry, "category");
    if (!field_list(reader, entry, where, "rows", &rows) ||
        (has_category && !read_category(reader, entry, where, NULL, &category)))
        return false;
    if (json_array_size(rows) == 0)
        return refuse(reader, MEMBER(where, "rows"), "must have at least one row");
    if (!reader_begin_section(reader, where, name) || !read_outline(reader, entry, where))
        return false;
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (!read_row(reader, json_array_get(rows, i), ITEM(MEMBER(where, "rows"), i), has_category ? &category : NULL,
                      rank))
            return false;
    return true;
}

/* ---- areas ---- */

static bool read_area(struct plan_reader *reader, const json_t *entry, const struct where *where, bool new_categories) {
    struct bytes name, category_name;
    int64_t capacity;
    uint8_t category;
    if (!value_object(reader, entry, where) || !field_text(reader, entry, where, "name", LIMIT_NAME_BYTES, &name) ||
        !field_integer(reader, entry, where, "capacity", 1, LIMIT_SEATS_PER_SHOW, &capacity) ||
        !(new_categories ? field_text_or(reader, entry, where, "category", LIMIT_NAME_BYTES,
                                         BYTES(PLAN_DEFAULT_CATEGORY), &category_name)
                         : field_text(reader, entry, where, "category", LIMIT_NAME_BYTES, &category_name)))
        return false;
    const struct where *category_where = MEMBER(where, "category");
    if (new_categories && !reader_has_category(reader, category_name, &category) &&
        !reader_add_category(reader, category_where, category_name, NULL))
        return false;
    return reader_find_category(reader, category_where, category_name, &category) &&
           reader_add_area(reader, where, name, (uint32_t)capacity, category) && read_outline(reader, entry, where);
}

bool plan_read_areas(struct plan_reader *reader, const json_t *document, bool new_categories) {
    const struct where top = {0};
    const json_t *sections = json_object_get(document, "sections"), *areas;
    for (size_t i = 0; i < json_array_size(sections); i++) {
        const json_t *entry = json_array_get(sections, i);
        if (field_given(entry, "capacity") &&
            !read_area(reader, entry, ITEM(MEMBER(&top, "sections"), i), new_categories))
            return false;
    }
    if (!field_given(document, "areas"))
        return true;
    if (!field_list(reader, document, &top, "areas", &areas))
        return false;
    for (size_t i = 0; i < json_array_size(areas); i++)
        if (!read_area(reader, json_array_get(areas, i), ITEM(MEMBER(&top, "areas"), i), new_categories))
            return false;
    return true;
}

/* ---- the document ---- */

/* Without a focus given, the middle of the first row. */
static void default_focus(struct plan_reader *reader) {
    const struct plan_row_draft *row = reader->rows.at;
    if (reader->rows.count == 0)
        return;
    const struct plan_seat_draft *first = reader_seats(reader), *last = first + row->row.seat_count - 1;
    reader->plan->focus = point_round(((double)first->position.x + (double)last->position.x) / 2,
                                      ((double)first->position.y + (double)last->position.y) / 2);
}

bool plan_read_full(struct plan_reader *reader, const json_t *document) {
    const struct where top = {0};
    double x = 0, y = 0;
    bool has_focus = field_given(document, "focus");
    if ((has_focus && !field_point(reader, document, &top, "focus", &x, &y)) ||
        !read_categories(reader, document, &top))
        return false;
    if (field_given(document, "sections")) {
        const json_t *sections;
        if (!field_list(reader, document, &top, "sections", &sections))
            return false;
        for (size_t i = 0; i < json_array_size(sections); i++) {
            const json_t *entry = json_array_get(sections, i);
            const struct where *where = ITEM(MEMBER(&top, "sections"), i);
            if (!value_object(reader, entry, where) ||
                (!field_given(entry, "capacity") && !read_section(reader, entry, where)))
                return false;
        }
    }
    if (!plan_read_areas(reader, document, false))
        return false;
    if (has_focus)
        reader->plan->focus = point_round(x, y);
    else
        default_focus(reader);
    return true;
}
