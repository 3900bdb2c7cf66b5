/* Reads a plan document: tells which of the three it is, and builds the plan that its reader describes.
 *
 * plan_read() → plan_read_full(), _short() or _pretix() → reader_begin_section(), reader_begin_row(), reader_add_seat()
 * … → reader_finish(), which moves what has grown into exact arrays of the plan's arena, orders the rows, and names the
 * plan by the hash of its normalised text.
 *
 * What can go wrong: a member that is refused (RESULT_INVALID_FIELD, with pointer and detail), and memory running out
 * (RESULT_OVERLOADED). Either way nothing is left behind.
 *
 * Rows are ranked by the `rank` their document gives (rows that have one first), then by the distance of the row's
 * middle seats from the plan's focus, then in document order; plan->rows[].rank is the place in that order.
 */
#include "seats/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/panic.h"
#include "seats/plan_reader.h"

static bool out_of_memory(struct plan_reader *reader) {
    reader->result = RESULT_OVERLOADED;
    if (reader->pointer_size)
        reader->pointer[0] = '\0';
    snprintf(reader->detail, reader->detail_size, "there is no memory for this plan");
    return false;
}

/* ---- what grows ---- */

static void *vector_add(struct plan_reader *reader, struct vector *vector, size_t item_size) {
    if (vector->count == vector->capacity) {
        uint32_t capacity = vector->capacity ? vector->capacity * 2 : 64;
        void *at = reallocarray(vector->at, capacity, item_size);
        if (!at) {
            out_of_memory(reader);
            return NULL;
        }
        vector->at = at;
        vector->capacity = capacity;
    }
    return memset((char *)vector->at + vector->count++ * item_size, 0, item_size);
}

float *reader_scratch(struct plan_reader *reader, uint32_t count) {
    reader->distances.count = 0;
    while (reader->distances.count < count)
        if (!vector_add(reader, &reader->distances, sizeof(float)))
            return NULL;
    return reader->distances.at;
}

struct plan_seat_draft *reader_seats(const struct plan_reader *reader) {
    return reader->seats.at;
}

static bool keep(struct plan_reader *reader, struct bytes text, struct bytes *kept) {
    return plan_arena_copy(reader->plan->arena, text, kept) || out_of_memory(reader);
}

/* The slot of the label, or the free one where it belongs. */
static uint32_t label_slot(const struct bytes *labels, uint32_t mask, struct bytes label) {
    uint32_t slot = (uint32_t)hash_u64(label) & mask;
    while (labels[slot].at && !bytes_equal(labels[slot], label))
        slot = (slot + 1) & mask;
    return slot;
}

static bool grow_labels(struct plan_reader *reader) {
    uint32_t mask = reader->labels ? reader->label_mask * 2 + 1 : 255;
    struct bytes *labels = calloc((size_t)mask + 1, sizeof *labels);
    if (!labels)
        return out_of_memory(reader);
    for (uint32_t i = 0; reader->labels && i <= reader->label_mask; i++)
        if (reader->labels[i].at)
            labels[label_slot(labels, mask, reader->labels[i])] = reader->labels[i];
    free(reader->labels);
    reader->labels = labels;
    reader->label_mask = mask;
    return true;
}

/* Row labels and seat numbers repeat all over a venue: each is kept once. */
static bool keep_label(struct plan_reader *reader, struct bytes label, struct bytes *kept) {
    if ((!reader->labels || reader->label_count * 2 > reader->label_mask) && !grow_labels(reader))
        return false;
    struct bytes *slot = &reader->labels[label_slot(reader->labels, reader->label_mask, label)];
    if (!slot->at) {
        if (!keep(reader, label, slot))
            return false;
        reader->label_count++;
    }
    *kept = *slot;
    return true;
}

static uint32_t seat_slot(const struct plan_reader *reader, struct bytes seat_id) {
    const struct plan_seat_draft *seats = reader->seats.at;
    uint32_t slot = (uint32_t)hash_u64(seat_id) & reader->seat_slot_mask;
    while (reader->seat_slots[slot] != PLAN_NO_SEAT && !bytes_equal(seats[reader->seat_slots[slot]].seat_id, seat_id))
        slot = (slot + 1) & reader->seat_slot_mask;
    return slot;
}

static bool grow_seat_slots(struct plan_reader *reader) {
    uint32_t mask = reader->seat_slots ? reader->seat_slot_mask * 2 + 1 : 1023;
    uint32_t *slots = malloc(((size_t)mask + 1) * sizeof *slots);
    if (!slots)
        return out_of_memory(reader);
    memset(slots, 0xff, ((size_t)mask + 1) * sizeof *slots);
    free(reader->seat_slots);
    reader->seat_slots = slots;
    reader->seat_slot_mask = mask;
    const struct plan_seat_draft *seats = reader->seats.at;
    for (uint32_t i = 0; i < reader->seats.count; i++)
        slots[seat_slot(reader, seats[i].seat_id)] = i;
    return true;
}

/* ---- categories ---- */

/* Told apart by the colour-blind too (Okabe and Ito, 2008), then in lighter and darker shades of the same. */
static const char *const palette[] = {"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00",
                                      "#f0e442", "#555555", "#66aad1", "#f0c566", "#66c5ab", "#e0afca"};

bool reader_has_category(const struct plan_reader *reader, struct bytes name, uint8_t *category) {
    const struct plan_category *categories = reader->categories.at;
    for (uint32_t i = 0; i < reader->categories.count; i++)
        if (bytes_equal(categories[i].name, name)) {
            *category = (uint8_t)i;
            return true;
        }
    return false;
}

bool reader_add_category(struct plan_reader *reader, const struct where *where, struct bytes name, const char *color) {
    uint8_t known;
    if (reader_has_category(reader, name, &known))
        return refuse(reader, where, "there are two categories named '%.*s'", (int)name.length, name.at);
    if (reader->categories.count == LIMIT_CATEGORIES_PER_SHOW)
        return refuse(reader, where, "a plan has at most %d categories", LIMIT_CATEGORIES_PER_SHOW);
    uint32_t index = reader->categories.count;
    struct plan_category *category = vector_add(reader, &reader->categories, sizeof *category);
    if (!category || !keep(reader, name, &category->name))
        return false;
    memcpy(category->color, color ? color : palette[index % (sizeof palette / sizeof *palette)], 8);
    return true;
}

bool reader_find_category(struct plan_reader *reader, const struct where *where, struct bytes name, uint8_t *category) {
    if (reader_has_category(reader, name, category))
        return true;
    char list[256] = "";
    size_t length = 0;
    const struct plan_category *categories = reader->categories.at;
    for (uint32_t i = 0; i < reader->categories.count; i++) {
        int more = snprintf(list + length, sizeof list - length, "%s'%.*s'", i ? ", " : "",
                            (int)categories[i].name.length, categories[i].name.at);
        if ((size_t)more >= sizeof list - length) {
            list[length] = '\0';
            return refuse(reader, where, "there is no category '%.*s'; there are %s and others", (int)name.length,
                          name.at, list);
        }
        length += (size_t)more;
    }
    return refuse(reader, where, "there is no category '%.*s'; there %s %s", (int)name.length, name.at,
                  reader->categories.count == 1 ? "is" : "are", length ? list : "none");
}

/* ---- sections, rows, seats ---- */

bool reader_begin_section(struct plan_reader *reader, const struct where *where, struct bytes name) {
    const struct plan_section *sections = reader->sections.at;
    for (uint32_t i = 0; i < reader->sections.count; i++)
        if (bytes_equal(sections[i].name, name))
            return refuse(reader, MEMBER(where, "name"), "there are two sections or areas named '%.*s'",
                          (int)name.length, name.at);
    if (reader->sections.count == LIMIT_SECTIONS_PER_SHOW)
        return refuse(reader, where, "a plan has at most %d sections and areas", LIMIT_SECTIONS_PER_SHOW);
    struct plan_section *section = vector_add(reader, &reader->sections, sizeof *section);
    if (!section)
        return false;
    section->first_row = reader->rows.count;
    section->first_seat = reader->seats.count;
    return keep(reader, name, &section->name);
}

static struct plan_section *last_section(const struct plan_reader *reader) {
    assert(reader->sections.count > 0);
    return (struct plan_section *)reader->sections.at + reader->sections.count - 1;
}

bool reader_begin_row(struct plan_reader *reader, const struct where *where, struct bytes label, int64_t rank) {
    if (reader->rows.count == LIMIT_ROWS_PER_SHOW)
        return refuse(reader, where, "a plan has at most %d rows", LIMIT_ROWS_PER_SHOW);
    struct plan_row_draft *draft = vector_add(reader, &reader->rows, sizeof *draft);
    if (!draft)
        return false;
    draft->rank = rank;
    draft->row.section = reader->sections.count - 1;
    draft->row.first_seat = reader->seats.count;
    last_section(reader)->row_count++;
    return keep_label(reader, label, &draft->row.label);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* "A1", behind "North-" in the section North. A hyphen keeps row 1 seat 12 and row 11 seat 2 apart. Returns the length,
 * which may be more than `size`. */
static size_t default_seat_id(struct bytes section, struct bytes row, struct bytes number, char *at, size_t size) {
    bool hyphen = row.length && number.length && is_digit(row.at[row.length - 1]) && is_digit(number.at[0]);
    int length = snprintf(at, size, "%.*s%s%.*s%s%.*s", (int)section.length, section.at, section.length ? "-" : "",
                          (int)row.length, row.at, hyphen ? "-" : "", (int)number.length, number.at);
    return (size_t)length;
}

/* Says where the seat_id was used before: by section and row, which a clerk finds sooner than an index. */
static bool refuse_twice(struct plan_reader *reader, const struct where *where, uint32_t seat) {
    const struct plan_seat_draft *first = (struct plan_seat_draft *)reader->seats.at + seat;
    struct bytes section = ((struct plan_section *)reader->sections.at)[first->section].name;
    if (first->row == PLAN_NO_SEAT)
        return refuse(reader, where, "the seat_id '%.*s' is a place of the area '%.*s' already",
                      (int)first->seat_id.length, first->seat_id.at, (int)section.length, section.at);
    struct bytes row = ((struct plan_row_draft *)reader->rows.at)[first->row].row.label;
    return refuse(reader, where, "the seat_id '%.*s' is used twice, first in section '%.*s', row '%.*s'",
                  (int)first->seat_id.length, first->seat_id.at, (int)section.length, section.at, (int)row.length,
                  row.at);
}

static bool add_place(struct plan_reader *reader, const struct where *where, const struct plan_seat_draft *wanted,
                      struct bytes seat_id) {
    if (seat_id.length > LIMIT_SEAT_ID_BYTES)
        return refuse(reader, where, "the seat_id '%.*s…' would be longer than %d bytes", 16, seat_id.at,
                      LIMIT_SEAT_ID_BYTES);
    if (reader->seats.count == LIMIT_SEATS_PER_SHOW)
        return refuse(reader, where, "a plan has at most %d seats and places", LIMIT_SEATS_PER_SHOW);
    if ((!reader->seat_slots || reader->seats.count * 2 >= reader->seat_slot_mask) && !grow_seat_slots(reader))
        return false;
    uint32_t slot = seat_slot(reader, seat_id);
    if (reader->seat_slots[slot] != PLAN_NO_SEAT)
        return refuse_twice(reader, where, reader->seat_slots[slot]);
    struct plan_seat_draft kept = *wanted;
    if (!keep(reader, seat_id, &kept.seat_id))
        return false;
    struct plan_seat_draft *seat = vector_add(reader, &reader->seats, sizeof *seat);
    if (!seat)
        return false;
    *seat = kept;
    reader->seat_slots[slot] = reader->seats.count - 1;
    ((struct plan_category *)reader->categories.at)[seat->category].seat_count++;
    last_section(reader)->seat_count++;
    return true;
}

bool reader_add_seat(struct plan_reader *reader, const struct where *where, const struct plan_seat_draft *seat) {
    struct plan_row_draft *draft = (struct plan_row_draft *)reader->rows.at + reader->rows.count - 1;
    if (fabsf(seat->position.x) > LIMIT_PLAN_COORDINATE || fabsf(seat->position.y) > LIMIT_PLAN_COORDINATE)
        return refuse(reader, where, "the seat would be farther out than %d", LIMIT_PLAN_COORDINATE);
    struct plan_seat_draft wanted = *seat;
    wanted.section = reader->sections.count - 1;
    wanted.row = reader->rows.count - 1;
    if (!keep_label(reader, seat->number, &wanted.number))
        return false;
    char made[LIMIT_NAME_BYTES + 2 * LIMIT_LABEL_BYTES + 4];
    struct bytes seat_id = seat->seat_id;
    if (seat_id.length == 0)
        seat_id = (struct bytes){
            made, default_seat_id(last_section(reader)->name, draft->row.label, seat->number, made, sizeof made)};
    if (!add_place(reader, where, &wanted, seat_id))
        return false;
    draft->row.seat_count++;
    return true;
}

bool reader_add_area(struct plan_reader *reader, const struct where *where, struct bytes name, uint32_t capacity,
                     uint8_t category) {
    if (!reader_begin_section(reader, where, name))
        return false;
    last_section(reader)->is_area = true;
    struct plan_seat_draft place = {.number = BYTES(""),
                                    .section = reader->sections.count - 1,
                                    .row = PLAN_NO_SEAT,
                                    .category = category,
                                    .gap_after = true};
    for (uint32_t i = 1; i <= capacity; i++) {
        char seat_id[LIMIT_NAME_BYTES + 16];
        int length = snprintf(seat_id, sizeof seat_id, "%.*s-%u", (int)name.length, name.at, i);
        if (!add_place(reader, where, &place, (struct bytes){seat_id, (size_t)length}))
            return false;
    }
    return true;
}

bool reader_set_outline(struct plan_reader *reader, uint32_t count, const struct plan_point *points) {
    struct plan_section *section = last_section(reader);
    struct plan_point *outline = plan_arena_take(reader->plan->arena, count * sizeof *outline);
    if (!outline)
        return out_of_memory(reader);
    memcpy(outline, points, count * sizeof *outline);
    section->outline = outline;
    section->outline_count = count;
    return true;
}

struct plan_point point_round(double x, double y) {
    return (struct plan_point){(float)(round(x * 100) / 100 + 0.0), (float)(round(y * 100) / 100 + 0.0)};
}

/* ---- finishing ---- */

struct rank_key {
    int64_t rank;
    double distance;
    uint32_t row;
};

static int compare_ranks(const void *left, const void *right) {
    const struct rank_key *a = left, *b = right;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->distance != b->distance)
        return a->distance < b->distance ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static bool rank_rows(struct plan_reader *reader) {
    struct plan *plan = reader->plan;
    const struct plan_row_draft *drafts = reader->rows.at;
    struct rank_key *keys = calloc((size_t)plan->row_count + 1, sizeof *keys);
    if (!keys)
        return out_of_memory(reader);
    for (uint32_t i = 0; i < plan->row_count; i++) {
        const struct plan_row *row = &plan->rows[i];
        struct plan_point left = plan->positions[row->first_seat + (row->seat_count - 1) / 2];
        struct plan_point right = plan->positions[row->first_seat + row->seat_count / 2];
        keys[i] = (struct rank_key){drafts[i].rank,
                                    hypot(((double)left.x + (double)right.x) / 2 - (double)plan->focus.x,
                                          ((double)left.y + (double)right.y) / 2 - (double)plan->focus.y),
                                    i};
    }
    qsort(keys, plan->row_count, sizeof *keys, compare_ranks);
    for (uint32_t i = 0; i < plan->row_count; i++)
        plan->rows[keys[i].row].rank = i;
    free(keys);
    return true;
}

static bool make_arrays(struct plan_reader *reader) {
    struct plan *plan = reader->plan;
    struct plan_arena *arena = plan->arena;
    plan->category_count = reader->categories.count;
    plan->section_count = reader->sections.count;
    plan->row_count = reader->rows.count;
    plan->seat_count = reader->seats.count;
    plan->seat_slot_mask = reader->seat_slot_mask;
    size_t seats = plan->seat_count, slots = (size_t)plan->seat_slot_mask + 1;
    plan->categories = plan_arena_take(arena, plan->category_count * sizeof *plan->categories);
    plan->sections = plan_arena_take(arena, plan->section_count * sizeof *plan->sections);
    plan->rows = plan_arena_take(arena, plan->row_count * sizeof *plan->rows);
    plan->seat_ids = plan_arena_take(arena, seats * sizeof *plan->seat_ids);
    plan->seat_numbers = plan_arena_take(arena, seats * sizeof *plan->seat_numbers);
    plan->positions = plan_arena_take(arena, seats * sizeof *plan->positions);
    plan->seat_category = plan_arena_take(arena, seats * sizeof *plan->seat_category);
    plan->seat_row = plan_arena_take(arena, seats * sizeof *plan->seat_row);
    plan->seat_section = plan_arena_take(arena, seats * sizeof *plan->seat_section);
    plan->gap_after = plan_arena_take(arena, (seats + 63) / 64 * sizeof *plan->gap_after);
    plan->seat_slots = plan_arena_take(arena, slots * sizeof *plan->seat_slots);
    return (plan->categories && plan->sections && plan->rows && plan->seat_ids && plan->seat_numbers &&
            plan->positions && plan->seat_category && plan->seat_row && plan->seat_section && plan->gap_after &&
            plan->seat_slots) ||
           out_of_memory(reader);
}

static void fill_arrays(struct plan_reader *reader) {
    struct plan *plan = reader->plan;
    const struct plan_row_draft *rows = reader->rows.at;
    const struct plan_seat_draft *seats = reader->seats.at;
    memcpy(plan->categories, reader->categories.at, plan->category_count * sizeof *plan->categories);
    memcpy(plan->sections, reader->sections.at, plan->section_count * sizeof *plan->sections);
    memcpy(plan->seat_slots, reader->seat_slots, ((size_t)plan->seat_slot_mask + 1) * sizeof *plan->seat_slots);
    for (uint32_t i = 0; i < plan->row_count; i++)
        plan->rows[i] = rows[i].row;
    for (uint32_t i = 0; i < plan->seat_count; i++) {
        plan->seat_ids[i] = seats[i].seat_id;
        plan->seat_numbers[i] = seats[i].number;
        plan->positions[i] = seats[i].position;
        plan->seat_category[i] = seats[i].category;
        plan->seat_row[i] = seats[i].row;
        plan->seat_section[i] = seats[i].section;
        bool row_ends = i + 1 == plan->seat_count || seats[i + 1].row != seats[i].row;
        if (seats[i].gap_after || row_ends)
            plan->gap_after[i / 64] |= 1ULL << (i % 64);
    }
}

/* Whether the text stopped growing because of its limit, and not for want of memory: no member is longer than this. */
#define LONGEST_MEMBER 4096

static bool name_by_hash(struct plan_reader *reader) {
    struct buffer text;
    buffer_init(&text, LIMIT_PLAN_BYTES);
    plan_write(reader->plan, &text);
    bool written = buffer_ok(&text), too_large = text.length + LONGEST_MEMBER > text.limit;
    if (written)
        reader->plan->hash = hash_128(&(struct bytes){text.at, text.length}, 1);
    buffer_release(&text);
    if (!written && too_large)
        return refuse(reader, &(struct where){0}, "the plan, written out, would be larger than %d MiB",
                      LIMIT_PLAN_BYTES / 1024 / 1024);
    return written || out_of_memory(reader);
}

static bool reader_finish(struct plan_reader *reader) {
    if (reader->seats.count == 0)
        return refuse(reader, &(struct where){0}, "a plan needs at least one seat or place");
    if (!make_arrays(reader))
        return false;
    fill_arrays(reader);
    if (!rank_rows(reader))
        return false;
    return name_by_hash(reader);
}

/* ---- the document ---- */

/* Only the full form has categories of its own, or rows that are listed. */
static bool is_full(const json_t *document) {
    if (json_object_get(document, "categories"))
        return true;
    size_t index;
    const json_t *section;
    json_array_foreach(json_object_get(document, "sections"), index, section) {
        if (json_is_array(json_object_get(section, "rows")))
            return true;
    }
    return false;
}

static bool read_document(struct plan_reader *reader, const json_t *document) {
    const struct where top = {0};
    if (!value_object(reader, document, &top))
        return false;
    struct bytes name;
    if (!field_text_or(reader, document, &top, "name", LIMIT_NAME_BYTES, BYTES(""), &name) ||
        !keep(reader, name, &reader->plan->name))
        return false;
    bool read = json_object_get(document, "zones") ? plan_read_pretix(reader, document)
                : is_full(document)                ? plan_read_full(reader, document)
                                                   : plan_read_short(reader, document);
    return read && reader_finish(reader);
}

enum result plan_read(const json_t *document, struct plan **plan, char *pointer, size_t pointer_size, char *detail,
                      size_t detail_size) {
    struct plan_reader reader = {
        .pointer = pointer, .pointer_size = pointer_size, .detail = detail, .detail_size = detail_size};
    struct plan_arena *arena = plan_arena_new();
    if (!arena || !(reader.plan = plan_arena_take(arena, sizeof *reader.plan))) {
        out_of_memory(&reader);
    } else {
        reader.plan->arena = arena;
        bool read = read_document(&reader, document);
        assert(read == (reader.result == RESULT_OK));
    }
    free(reader.categories.at);
    free(reader.sections.at);
    free(reader.rows.at);
    free(reader.seats.at);
    free(reader.distances.at);
    free(reader.seat_slots);
    free(reader.labels);
    if (reader.result != RESULT_OK) {
        if (arena)
            plan_arena_free(arena);
        return reader.result;
    }
    *plan = reader.plan;
    return RESULT_OK;
}
