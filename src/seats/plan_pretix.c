/* Reads the seating-plan JSON that pretix publishes (its seating-plan.schema.json): zones of rows of seats, positions
 * that are offsets (seat + row + zone), and shapes that decorate.
 *
 * Zones become sections, `seat_guid` the seat_id, `row_number` and `seat_number` the labels. A zone without seats is
 * left out. The format has no aisles: where two seats of a row are over 1.6 × the row's median spacing apart, there is
 * one. The format has no stage either: the focus is the middle of the top edge of all seats. Of the shapes of a zone,
 * the first that holds the ends of all its rows becomes the section's outline; stage, bars and texts are left out.
 */
#include "seats/plan_reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define AISLE_OVER_MEDIAN 1.6F
#define CURVE_POINTS 32    /* of a circle or ellipse as a polygon */
#define SHAPES_LOOKED_AT 8 /* a zone's; a bound on the work, since real zones have one that holds the seats */
#define PI 3.14159265358979323846

struct offset {
    double x, y;
};

static bool read_offset(struct plan_reader *reader, const json_t *entry, const struct where *where, bool required,
                        struct offset *offset) {
    double x, y;
    if (!required && !field_given(entry, "position"))
        return true;
    if (!field_point(reader, entry, where, "position", &x, &y))
        return false;
    offset->x += x;
    offset->y += y;
    return true;
}

/* ---- seats ---- */

static int compare_floats(const void *left, const void *right) {
    float a = *(const float *)left, b = *(const float *)right;
    return a < b ? -1 : a > b;
}

/* Of an even number the lower median, so that in a row of two pairs the way between the pairs is the aisle. */
static bool find_aisles(struct plan_reader *reader, struct plan_seat_draft *seats, uint32_t count) {
    if (count < 3)
        return true;
    float *spacing = reader_scratch(reader, count - 1);
    if (!spacing)
        return false;
    for (uint32_t i = 0; i + 1 < count; i++)
        spacing[i] =
            hypotf(seats[i + 1].position.x - seats[i].position.x, seats[i + 1].position.y - seats[i].position.y);
    qsort(spacing, count - 1, sizeof *spacing, compare_floats);
    float median = spacing[(count - 2) / 2];
    for (uint32_t i = 0; i + 1 < count; i++)
        seats[i].gap_after = hypotf(seats[i + 1].position.x - seats[i].position.x,
                                    seats[i + 1].position.y - seats[i].position.y) > AISLE_OVER_MEDIAN * median;
    return true;
}

static bool read_seat(struct plan_reader *reader, const json_t *entry, const struct where *where,
                      struct offset offset) {
    struct plan_seat_draft seat = {0};
    struct bytes category;
    char digits[LABEL_ROOM];
    if (!value_object(reader, entry, where) ||
        !field_text(reader, entry, where, "seat_guid", LIMIT_SEAT_ID_BYTES, &seat.seat_id) ||
        !field_label(reader, entry, where, "seat_number", digits, &seat.number) ||
        !read_offset(reader, entry, where, true, &offset) ||
        !field_text(reader, entry, where, "category", LIMIT_NAME_BYTES, &category) ||
        !reader_find_category(reader, MEMBER(where, "category"), category, &seat.category))
        return false;
    seat.position = point_round(offset.x, offset.y);
    return reader_add_seat(reader, where, &seat);
}

static bool read_row(struct plan_reader *reader, const json_t *entry, const struct where *where, struct offset offset) {
    struct bytes label;
    char digits[LABEL_ROOM];
    const json_t *seats;
    if (!value_object(reader, entry, where) || !field_list(reader, entry, where, "seats", &seats))
        return false;
    uint32_t count = (uint32_t)json_array_size(seats);
    if (count == 0)
        return true;
    if (!field_label(reader, entry, where, "row_number", digits, &label) ||
        !read_offset(reader, entry, where, false, &offset) || !reader_begin_row(reader, where, label, RANK_NONE))
        return false;
    uint32_t first = reader->seats.count;
    for (uint32_t i = 0; i < count; i++)
        if (!read_seat(reader, json_array_get(seats, i), ITEM(MEMBER(where, "seats"), i), offset))
            return false;
    return find_aisles(reader, reader_seats(reader) + first, count);
}

/* ---- shapes ---- */

/* A size or an offset of a shape; 0 if it is not a sensible number. */
static double shape_number(const json_t *object, const char *key) {
    double value = json_number_value(json_object_get(object, key));
    return isfinite(value) && fabs(value) <= LIMIT_PLAN_COORDINATE ? value : 0;
}

static uint32_t curve(struct plan_point *points, struct offset centre, double radius_x, double radius_y) {
    if (radius_x <= 0 || radius_y <= 0)
        return 0;
    for (uint32_t i = 0; i < CURVE_POINTS; i++)
        points[i] = point_round(centre.x + radius_x * cos(2 * PI * i / CURVE_POINTS),
                                centre.y + radius_y * sin(2 * PI * i / CURVE_POINTS));
    return CURVE_POINTS;
}

static uint32_t polygon(struct plan_point *points, struct offset at, const json_t *list) {
    size_t count = json_array_size(list);
    if (count < 3 || count > LIMIT_OUTLINE_POINTS)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *point = json_array_get(list, i);
        points[i] = point_round(at.x + shape_number(point, "x"), at.y + shape_number(point, "y"));
    }
    return (uint32_t)count;
}

/* The shape's outline around `at`, its position in the plan; 0 points if it has none. */
static uint32_t shape_points(const json_t *shape, struct offset at, struct plan_point points[LIMIT_OUTLINE_POINTS]) {
    const char *kind = json_string_value(json_object_get(shape, "shape"));
    struct bytes name = bytes_of(kind ? kind : "");
    const json_t *body = kind ? json_object_get(shape, kind) : NULL;
    if (bytes_equal(name, BYTES("polygon")))
        return polygon(points, at, json_object_get(body, "points"));
    if (bytes_equal(name, BYTES("circle")))
        return curve(points, at, shape_number(body, "radius"), shape_number(body, "radius"));
    if (bytes_equal(name, BYTES("ellipse"))) {
        const json_t *radius = json_object_get(body, "radius");
        return curve(points, at, shape_number(radius, "x"), shape_number(radius, "y"));
    }
    double width = shape_number(body, "width"), height = shape_number(body, "height");
    if (!bytes_equal(name, BYTES("rectangle")) || width <= 0 || height <= 0)
        return 0;
    points[0] = point_round(at.x, at.y);
    points[1] = point_round(at.x + width, at.y);
    points[2] = point_round(at.x + width, at.y + height);
    points[3] = point_round(at.x, at.y + height);
    return 4;
}

/* Clockwise in degrees around the shape's position, as the schema says; with y downwards that is the usual turn. */
static void rotate(struct plan_point *points, uint32_t count, struct offset at, double degrees) {
    double c = cos(degrees * PI / 180), s = sin(degrees * PI / 180);
    for (uint32_t i = 0; i < count; i++) {
        double x = (double)points[i].x - at.x, y = (double)points[i].y - at.y;
        points[i] = point_round(at.x + x * c - y * s, at.y + x * s + y * c);
    }
}

/* Counts the edges that a ray to the right crosses. */
static bool is_inside(const struct plan_point *points, uint32_t count, struct plan_point seat) {
    bool inside = false;
    for (uint32_t i = 0, j = count - 1; i < count; j = i++) {
        struct plan_point a = points[i], b = points[j];
        if ((a.y > seat.y) != (b.y > seat.y) && seat.x < (b.x - a.x) * (seat.y - a.y) / (b.y - a.y) + a.x)
            inside = !inside;
    }
    return inside;
}

static bool holds_rows(const struct plan_reader *reader, uint32_t first_row, const struct plan_point *points,
                       uint32_t count) {
    const struct plan_row_draft *rows = reader->rows.at;
    const struct plan_seat_draft *seats = reader_seats(reader);
    for (uint32_t i = first_row; i < reader->rows.count; i++) {
        uint32_t first = rows[i].row.first_seat, last = first + rows[i].row.seat_count - 1;
        if (!is_inside(points, count, seats[first].position) || !is_inside(points, count, seats[last].position))
            return false;
    }
    return true;
}

static bool is_within(const struct plan_point *points, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (!(fabsf(points[i].x) <= LIMIT_PLAN_COORDINATE && fabsf(points[i].y) <= LIMIT_PLAN_COORDINATE))
            return false;
    return count >= 3;
}

static bool find_outline(struct plan_reader *reader, const json_t *zone, struct offset offset, uint32_t first_row) {
    const json_t *areas = json_object_get(zone, "areas");
    struct plan_point points[LIMIT_OUTLINE_POINTS];
    for (size_t i = 0; i < json_array_size(areas) && i < SHAPES_LOOKED_AT; i++) {
        const json_t *shape = json_array_get(areas, i), *position = json_object_get(shape, "position");
        struct offset at = {offset.x + shape_number(position, "x"), offset.y + shape_number(position, "y")};
        uint32_t count = shape_points(shape, at, points);
        rotate(points, count, at, shape_number(shape, "rotation"));
        if (is_within(points, count) && holds_rows(reader, first_row, points, count))
            return reader_set_outline(reader, count, points);
    }
    return true;
}

/* ---- zones ---- */

static size_t zone_seats(const json_t *zone) {
    const json_t *rows = json_object_get(zone, "rows");
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(rows); i++)
        count += json_array_size(json_object_get(json_array_get(rows, i), "seats"));
    return count;
}

/* How many zones before this one have seats and the same name (or no name, either). */
static uint32_t namesakes(const json_t *zones, size_t before, struct bytes name) {
    uint32_t count = 0;
    for (size_t i = 0; i < before; i++) {
        const json_t *zone = json_array_get(zones, i);
        const char *other = json_string_value(json_object_get(zone, "name"));
        if (bytes_equal(bytes_of(other ? other : ""), name) && zone_seats(zone) > 0)
            count++;
    }
    return count;
}

/* A zone's name may be missing or used again; ours are unique. "Balcony", "Balcony (2)"; "", "Zone 2". */
static bool zone_name(struct plan_reader *reader, const json_t *zones, size_t index, const struct where *where,
                      char *room, size_t size, struct bytes *name) {
    if (!field_text_or(reader, json_array_get(zones, index), where, "name", LIMIT_NAME_BYTES, BYTES(""), name))
        return false;
    uint32_t before = namesakes(zones, index, *name);
    if (before == 0)
        return true;
    int length = name->length ? snprintf(room, size, "%.*s (%u)", (int)name->length, name->at, before + 1)
                              : snprintf(room, size, "Zone %zu", index + 1);
    *name = (struct bytes){room, (size_t)length};
    return true;
}

static bool read_zone(struct plan_reader *reader, const json_t *zones, size_t index, const struct where *where) {
    const json_t *zone = json_array_get(zones, index), *rows;
    struct offset offset = {0};
    char room[LIMIT_NAME_BYTES + 16];
    struct bytes name;
    if (!value_object(reader, zone, where) || !read_offset(reader, zone, where, true, &offset) ||
        !field_list(reader, zone, where, "rows", &rows))
        return false;
    bool has_seats = zone_seats(zone) > 0;
    if (has_seats && (!zone_name(reader, zones, index, where, room, sizeof room, &name) ||
                      !reader_begin_section(reader, where, name)))
        return false;
    uint32_t first_row = reader->rows.count;
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (!read_row(reader, json_array_get(rows, i), ITEM(MEMBER(where, "rows"), i), offset))
            return false;
    return !has_seats || find_outline(reader, zone, offset, first_row);
}

/* A colour is optional there, and may be any that CSS knows: one that is not #rrggbb is replaced by one of ours. */
static bool read_categories(struct plan_reader *reader, const json_t *document, const struct where *top) {
    const json_t *list;
    if (!field_list(reader, document, top, "categories", &list))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct where *where = ITEM(MEMBER(top, "categories"), i);
        const json_t *category = json_array_get(list, i);
        struct bytes name, given;
        char color[8];
        if (!value_object(reader, category, where) ||
            !field_text(reader, category, where, "name", LIMIT_NAME_BYTES, &name) ||
            !field_text_or(reader, category, where, "color", LIMIT_NAME_BYTES, BYTES(""), &given) ||
            !reader_add_category(reader, MEMBER(where, "name"), name, color_read(given, color) ? color : NULL))
            return false;
    }
    return true;
}

static void set_focus(struct plan_reader *reader) {
    const struct plan_seat_draft *seats = reader_seats(reader);
    if (reader->seats.count == 0)
        return;
    float left = seats[0].position.x, right = left, top = seats[0].position.y;
    for (uint32_t i = 1; i < reader->seats.count; i++) {
        left = fminf(left, seats[i].position.x);
        right = fmaxf(right, seats[i].position.x);
        top = fminf(top, seats[i].position.y);
    }
    reader->plan->focus = point_round(((double)left + (double)right) / 2, (double)top);
}

bool plan_read_pretix(struct plan_reader *reader, const json_t *document) {
    const struct where top = {0};
    const json_t *zones;
    if (!read_categories(reader, document, &top) || !field_list(reader, document, &top, "zones", &zones))
        return false;
    if (json_array_size(zones) > LIMIT_SECTIONS_PER_SHOW)
        return refuse(reader, MEMBER(&top, "zones"), "a plan has at most %d sections and areas",
                      LIMIT_SECTIONS_PER_SHOW);
    for (size_t i = 0; i < json_array_size(zones); i++)
        if (!read_zone(reader, zones, i, ITEM(MEMBER(&top, "zones"), i)))
            return false;
    set_focus(reader);
    return true;
}
