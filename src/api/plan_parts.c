/* Writes the plan's overview and its sections.
 *
 * The overview has for each section a polygon to draw it by: the plan's own outline or, where it gives none, the convex
 * hull of its seats (A. M. Andrew, "Another efficient algorithm for convex hulls in two dimensions", 1979: the lower
 * chain from left to right, then the upper one back). `first` tells where a section's seats begin in plan order, which
 * is how seats.bits and the live feed number them; a seat's place in its section's part follows from that. What can go
 * wrong is memory, at set-up only.
 */
#include "api/plan_parts.h"
#include "feed/seat_feed.h"

#include <math.h>
#include <stdlib.h>

/* ---- outlines ---- */

static int by_place(const void *left, const void *right) {
    const struct plan_point *a = left, *b = right;
    if (a->x != b->x)
        return a->x < b->x ? -1 : 1;
    return a->y < b->y ? -1 : a->y > b->y;
}

/* Whether the way from a over b to c turns clockwise on the screen; going straight on is no turn. */
static bool turns(struct plan_point a, struct plan_point b, struct plan_point c) {
    double way_x = (double)b.x - (double)a.x, way_y = (double)b.y - (double)a.y;
    return way_x * ((double)c.y - (double)a.y) - way_y * ((double)c.x - (double)a.x) > 0;
}

/* The corners of the hull of `count` sorted points, at least one; room for count + 1. */
static uint32_t make_hull(const struct plan_point *points, uint32_t count, struct plan_point *hull) {
    uint32_t length = 0;
    for (uint32_t i = 0; i < count; i++) {
        while (length >= 2 && !turns(hull[length - 2], hull[length - 1], points[i]))
            length--;
        hull[length++] = points[i];
    }
    uint32_t lower = length + 1;
    for (uint32_t i = count - 1; i-- > 0;) {
        while (length >= lower && !turns(hull[length - 2], hull[length - 1], points[i]))
            length--;
        hull[length++] = points[i];
    }
    /* Back at the first, which is there already. */
    return length > 1 ? length - 1 : length;
}

/* `scratch` has room for 2 * seat_count + 1 points. */
static void put_outline(struct json_writer *writer, const struct plan *plan, const struct plan_section *section,
                        struct plan_point *scratch) {
    json_key(writer, "outline");
    if (section->outline) {
        plan_put_points(writer, section->outline, section->outline_count);
    } else if (section->is_area) {
        json_put_null(writer);
    } else {
        memcpy(scratch, plan->positions + section->first_seat, section->seat_count * sizeof *scratch);
        qsort(scratch, section->seat_count, sizeof *scratch, by_place);
        struct plan_point *hull = scratch + section->seat_count;
        plan_put_points(writer, hull, make_hull(scratch, section->seat_count, hull));
    }
}

/* ---- the overview ---- */

struct box {
    bool is_empty;
    struct plan_point least, most;
};

static void widen(struct box *box, const struct plan_point *points, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (box->is_empty)
            *box = (struct box){.least = points[i], .most = points[i]};
        box->least.x = fminf(box->least.x, points[i].x);
        box->least.y = fminf(box->least.y, points[i].y);
        box->most.x = fmaxf(box->most.x, points[i].x);
        box->most.y = fmaxf(box->most.y, points[i].y);
    }
}

/* Around all that can be drawn; around the focus where there is nothing. */
static void put_box(struct json_writer *writer, const struct plan *plan) {
    struct box box = {.is_empty = true};
    for (uint32_t i = 0; i < plan->section_count; i++) {
        const struct plan_section *section = &plan->sections[i];
        if (section->outline)
            widen(&box, section->outline, section->outline_count);
        if (!section->is_area)
            widen(&box, plan->positions + section->first_seat, section->seat_count);
    }
    if (box.is_empty)
        widen(&box, &plan->focus, 1);
    json_key(writer, "box");
    json_open(writer, '[');
    plan_put_coordinate(writer, box.least.x);
    plan_put_coordinate(writer, box.least.y);
    plan_put_coordinate(writer, box.most.x);
    plan_put_coordinate(writer, box.most.y);
    json_close(writer, ']');
}

static void put_section_categories(struct json_writer *writer, const struct plan *plan,
                                   const struct plan_section *section) {
    bool occurs[LIMIT_CATEGORIES_PER_SHOW] = {false};
    for (uint32_t i = 0; i < section->seat_count; i++)
        occurs[plan->seat_category[section->first_seat + i]] = true;
    json_key(writer, "categories");
    json_open(writer, '[');
    for (uint32_t i = 0; i < plan->category_count; i++)
        if (occurs[i])
            json_put_int(writer, i);
    json_close(writer, ']');
}

static void put_section(struct json_writer *writer, const struct plan *plan, const struct plan_section *section,
                        struct plan_point *scratch) {
    json_open(writer, '{');
    json_member_string(writer, "name", section->name);
    put_outline(writer, plan, section, scratch);
    json_member_int(writer, "first", section->first_seat);
    if (section->is_area) {
        json_member_int(writer, "capacity", section->seat_count);
        json_member_int(writer, "category", plan->seat_category[section->first_seat]);
    } else {
        json_member_int(writer, "seats", section->seat_count);
        json_member_int(writer, "rows", section->row_count);
        put_section_categories(writer, plan, section);
    }
    json_close(writer, '}');
}

static void put_sections(struct json_writer *writer, const struct plan *plan, bool areas, struct plan_point *scratch) {
    json_key(writer, areas ? "areas" : "sections");
    json_open(writer, '[');
    for (uint32_t i = 0; i < plan->section_count; i++)
        if (plan->sections[i].is_area == areas)
            put_section(writer, plan, &plan->sections[i], scratch);
    json_close(writer, ']');
}

static void write_overview(const struct plan *plan, struct plan_point *scratch, struct buffer *out) {
    struct json_writer writer = json_writer(out);
    char hash[32];
    hex_encode(plan->hash.at, sizeof plan->hash.at, hash);
    json_open(&writer, '{');
    json_member_string(&writer, "name", plan->name);
    json_member_string(&writer, "hash", (struct bytes){hash, sizeof hash});
    plan_put_focus(&writer, plan);
    json_member_int(&writer, "seats", plan->seat_count);
    put_box(&writer, plan);
    plan_put_categories(&writer, plan);
    put_sections(&writer, plan, false, scratch);
    put_sections(&writer, plan, true, scratch);
    json_close(&writer, '}');
}

/* ---- a section ---- */

static void put_seat(struct json_writer *writer, const struct plan *plan, uint32_t seat, bool last_of_row) {
    json_open(writer, '[');
    json_put_string(writer, plan->seat_ids[seat]);
    json_put_string(writer, plan->seat_numbers[seat]);
    plan_put_coordinate(writer, plan->positions[seat].x);
    plan_put_coordinate(writer, plan->positions[seat].y);
    json_put_int(writer, plan->seat_category[seat]);
    json_put_int(writer, plan_gap_after(plan, seat) && !last_of_row);
    json_close(writer, ']');
}

static void write_section(const struct plan *plan, uint32_t number, struct buffer *out) {
    struct json_writer writer = json_writer(out);
    const struct plan_section *section = &plan->sections[number];
    json_open(&writer, '{');
    json_member_int(&writer, "section", number);
    json_member_string(&writer, "name", section->name);
    json_member_int(&writer, "first", section->first_seat);
    json_key(&writer, "rows");
    json_open(&writer, '[');
    for (uint32_t i = 0; i < section->row_count; i++) {
        const struct plan_row *row = &plan->rows[section->first_row + i];
        json_open(&writer, '{');
        json_member_string(&writer, "label", row->label);
        json_key(&writer, "seats");
        json_open(&writer, '[');
        for (uint32_t seat = 0; seat < row->seat_count; seat++)
            put_seat(&writer, plan, row->first_seat + seat, seat + 1 == row->seat_count);
        json_close(&writer, ']');
        json_close(&writer, '}');
    }
    json_close(&writer, ']');
    json_close(&writer, '}');
}

/* ---- all of them ---- */

/* Takes what was written, and empties it. */
static bool prepare(struct buffer *text, struct plan_part *part) {
    if (buffer_ok(text)) {
        part->plain = blob_copy(buffer_bytes(text));
        part->gzip = blob_gzip(buffer_bytes(text));
    }
    buffer_clear(text);
    return part->plain && part->gzip;
}

static bool write_parts(const struct plan *plan, struct plan_point *scratch, struct plan_parts *parts) {
    struct buffer text;
    buffer_init(&text, LIMIT_PLAN_BYTES);
    write_overview(plan, scratch, &text);
    bool is_made = prepare(&text, &parts->overview);
    for (uint32_t i = 0; is_made && i < parts->count; i++) {
        write_section(plan, i, &text);
        is_made = prepare(&text, &parts->sections[i]);
    }
    buffer_release(&text);
    return is_made;
}

/* Areas come last in a plan (plan.h), so that a section's index is its number here. */
static uint32_t count_sections(const struct plan *plan) {
    uint32_t count = 0;
    while (count < plan->section_count && !plan->sections[count].is_area)
        count++;
    return count;
}

enum result plan_parts_new(const struct plan *plan, struct plan_parts **parts) {
    uint32_t count = count_sections(plan);
    struct plan_parts *made = calloc(1, sizeof *made + count * sizeof made->sections[0]);
    struct plan_point *scratch = malloc((2 * (size_t)plan->seat_count + 1) * sizeof *scratch);
    if (made)
        made->count = count;
    bool is_made = made && scratch && write_parts(plan, scratch, made);
    free(scratch);
    if (!is_made) {
        plan_parts_free(made);
        return RESULT_OVERLOADED;
    }
    *parts = made;
    return RESULT_OK;
}

void plan_parts_free(struct plan_parts *parts) {
    if (!parts)
        return;
    blob_drop(parts->overview.plain);
    blob_drop(parts->overview.gzip);
    for (uint32_t i = 0; i < parts->count; i++) {
        blob_drop(parts->sections[i].plain);
        blob_drop(parts->sections[i].gzip);
    }
    free(parts);
}

enum result plan_parts_find(const struct plan_parts *parts, struct bytes name, const struct plan_part **part) {
    uint64_t number;
    if (bytes_equal(name, BYTES("overview"))) {
        *part = &parts->overview;
        return RESULT_OK;
    }
    /* One spelling a part: caches keep each once. */
    if (!bytes_to_u64(name, INT64_MAX, &number) || (name.length > 1 && name.at[0] == '0'))
        return RESULT_INVALID_FIELD;
    if (number >= parts->count)
        return RESULT_NOT_FOUND;
    *part = &parts->sections[number];
    return RESULT_OK;
}
