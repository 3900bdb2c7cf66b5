#include "crowd/house.h"

#include <assert.h>
#include <stdlib.h>

#define FEW_SEATS_LEFT 20 /* of a section: another one is read in its stead */

void house_init(struct house *house) {
    *house = (struct house){.most_seats = 1};
    buffer_init(&house->bits, LIMIT_SEATS_PER_SHOW / 4 + 1);
}

static void section_release(struct house_section *section) {
    free(section->seats);
    free(section->text);
    *section = (struct house_section){0};
}

static void forget_plan(struct house *house) {
    for (uint32_t i = 0; i < HOUSE_SECTIONS; i++)
        section_release(&house->sections[i]);
    free(house->by_popularity);
    house->by_popularity = NULL;
    house->section_count = house->next_popular = 0;
    house->plan_hash[0] = '\0';
}

void house_release(struct house *house) {
    forget_plan(house);
    buffer_release(&house->bits);
}

/* ---- the show ---- */

static enum house_state state_of(const char *status, bool has_room) {
    if (strcmp(status, "ON_SALE") == 0)
        return HOUSE_OPEN;
    if (strcmp(status, "PRE_QUEUE") == 0)
        return has_room ? HOUSE_GATHERING : HOUSE_SHUT;
    return strcmp(status, "SOLD_OUT") == 0 ? HOUSE_SOLD_OUT : HOUSE_SHUT;
}

/* The smaller the sooner it is worth going there. */
static unsigned patience_for(const char *status) {
    static const char *const wanted[] = {"ON_SALE", "PRE_QUEUE", "SOLD_OUT", "PAUSED", "SCHEDULED"};
    for (unsigned i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strcmp(status, wanted[i]) == 0)
            return i;
    return UINT32_MAX;
}

bool house_choose_show(struct house *house, const json_t *list) {
    const char *best = NULL;
    unsigned least = UINT32_MAX;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *show = json_string_value(json_object_get(item, "show_id"));
        const char *status = json_string_value(json_object_get(item, "status"));
        if (show && status && strlen(show) == ID_UUID_TEXT && patience_for(status) < least) {
            least = patience_for(status);
            best = show;
        }
    }
    if (best)
        memcpy(house->show, best, sizeof house->show);
    return best;
}

static uint32_t number_of(const json_t *object, const char *key, uint32_t most, uint32_t otherwise) {
    const json_t *member = json_object_get(object, key);
    json_int_t value = json_integer_value(member);
    return json_is_integer(member) && value >= 0 && value <= most ? (uint32_t)value : otherwise;
}

static void read_categories(struct house *house, const json_t *list) {
    house->category_count = 0;
    for (size_t i = 0; i < json_array_size(list) && house->category_count < LIMIT_CATEGORIES_PER_SHOW; i++) {
        const json_t *item = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(item, "name"));
        struct house_category *category = &house->categories[house->category_count];
        if (!name || strlen(name) >= sizeof category->name)
            continue;
        memcpy(category->name, name, strlen(name) + 1);
        category->available = number_of(item, "available", LIMIT_SEATS_PER_SHOW, 0);
        house->category_count++;
    }
}

bool house_take_show(struct house *house, const json_t *document) {
    const char *status = json_string_value(json_object_get(document, "status"));
    const char *hash = json_string_value(json_object_get(json_object_get(document, "plan"), "hash"));
    if (!status || strlen(status) >= sizeof house->status || !hash || strlen(hash) >= sizeof house->plan_hash)
        return false;
    if (strcmp(hash, house->plan_hash) != 0)
        forget_plan(house);
    memcpy(house->status, status, strlen(status) + 1);
    house->has_room = json_is_true(json_object_get(json_object_get(document, "waiting_room"), "enabled"));
    house->may_cancel = json_is_true(json_object_get(json_object_get(document, "cancellation"), "allowed"));
    uint32_t of_user = number_of(document, "max_seats_per_user", UINT32_MAX, 0);
    house->most_seats = number_of(document, "max_seats_per_reservation", UINT32_MAX, 1);
    if (of_user && of_user < house->most_seats)
        house->most_seats = of_user;
    if (house->most_seats < 1)
        house->most_seats = 1;
    if (house->most_seats > HOUSE_MOST_PICKS)
        house->most_seats = HOUSE_MOST_PICKS;
    read_categories(house, json_object_get(document, "categories"));
    house->state = state_of(house->status, house->has_room);
    return true;
}

/* ---- what is left ---- */

bool house_take_bits(struct house *house, struct bytes bits) {
    if (bits.length == 0 || bits.length > house->bits.limit)
        return false;
    buffer_clear(&house->bits);
    buffer_add_bytes(&house->bits, bits);
    if (!buffer_ok(&house->bits)) {
        house->seats = 0;
        return false;
    }
    uint32_t booked = 0, held = 0;
    for (size_t i = 0; i < bits.length; i++) {
        unsigned byte = (uint8_t)bits.at[i];
        held += (unsigned)__builtin_popcount(byte & 0x55);
        booked += (unsigned)__builtin_popcount(byte & 0xaa);
    }
    house->seats = (uint32_t)bits.length * 4;
    house->held = held;
    house->booked = booked;
    return true;
}

unsigned house_sold_permille(const struct house *house) {
    return house->seats ? (unsigned)((uint64_t)house->booked * 1000 / house->seats) : 0;
}

static bool is_free(const struct house *house, uint32_t seat) {
    return seat < house->seats && ((uint8_t)house->bits.at[seat / 4] >> (seat % 4 * 2) & 3) == 0;
}

uint32_t house_draw_category(const struct house *house, struct chance *chance) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < house->category_count; i++)
        sum += house->categories[i].available;
    if (sum == 0)
        return UINT32_MAX;
    uint64_t at = (uint64_t)(chance_unit(chance) * (double)sum);
    for (uint32_t i = 0; i < house->category_count; i++) {
        if (at < house->categories[i].available)
            return i;
        at -= house->categories[i].available;
    }
    return UINT32_MAX;
}

/* ---- the plan ---- */

struct ranked {
    double distance;
    uint32_t index;
};

static int compare_ranked(const void *a, const void *b) {
    const struct ranked *left = a, *right = b;
    if (left->distance != right->distance)
        return left->distance < right->distance ? -1 : 1;
    return left->index < right->index ? -1 : left->index > right->index;
}

/* From the focus to the middle of the outline, squared; what has no outline comes in the document's order. */
static double distance_of(const json_t *section, double focus_x, double focus_y) {
    const json_t *outline = json_object_get(section, "outline");
    size_t count = json_array_size(outline);
    double x = 0, y = 0;
    for (size_t i = 0; i < count; i++) {
        x += json_number_value(json_array_get(json_array_get(outline, i), 0));
        y += json_number_value(json_array_get(json_array_get(outline, i), 1));
    }
    if (count == 0)
        return 0;
    x = x / (double)count - focus_x;
    y = y / (double)count - focus_y;
    return x * x + y * y;
}

/* A full plan has "sections" too, but no "box". */
bool house_take_overview(struct house *house, const json_t *document) {
    const json_t *sections = json_object_get(document, "sections"), *focus = json_object_get(document, "focus");
    const char *hash = json_string_value(json_object_get(document, "hash"));
    size_t count = json_array_size(sections);
    if (!hash || strlen(hash) >= sizeof house->plan_hash || !json_is_array(json_object_get(document, "box")) ||
        count > LIMIT_SECTIONS_PER_SHOW)
        return false;
    struct ranked *ranked = calloc(count + 1, sizeof *ranked);
    uint32_t *order = calloc(count + 1, sizeof *order);
    if (!ranked || !order) {
        free(ranked);
        free(order);
        return false;
    }
    double x = json_number_value(json_object_get(focus, "x")), y = json_number_value(json_object_get(focus, "y"));
    for (size_t i = 0; i < count; i++)
        ranked[i] = (struct ranked){distance_of(json_array_get(sections, i), x, y), (uint32_t)i};
    qsort(ranked, count, sizeof *ranked, compare_ranked);
    for (size_t i = 0; i < count; i++)
        order[i] = ranked[i].index;
    free(ranked);
    forget_plan(house);
    memcpy(house->plan_hash, hash, strlen(hash) + 1);
    house->by_popularity = order;
    house->section_count = (uint32_t)count;
    return true;
}

static uint32_t seats_left_in(const struct house *house, const struct house_section *section) {
    uint32_t left = 0;
    for (uint32_t i = 0; i < section->seat_count; i++)
        left += is_free(house, section->first + i);
    return left;
}

/* Where a section would be kept: a place that is free, or whose section has hardly anything left. */
static uint32_t place_for_section(const struct house *house) {
    uint32_t count = house->section_count < HOUSE_SECTIONS ? house->section_count : HOUSE_SECTIONS;
    for (uint32_t i = 0; i < count; i++)
        if (!house->sections[i].seats ||
            (house->section_count > HOUSE_SECTIONS && seats_left_in(house, &house->sections[i]) < FEW_SEATS_LEFT))
            return i;
    return UINT32_MAX;
}

static bool is_kept(const struct house *house, uint32_t index) {
    for (uint32_t i = 0; i < HOUSE_SECTIONS; i++)
        if (house->sections[i].seats && house->sections[i].index == index)
            return true;
    return false;
}

uint32_t house_wanted_section(const struct house *house) {
    if (house->section_count == 0 || place_for_section(house) == UINT32_MAX)
        return UINT32_MAX;
    for (uint32_t i = 0; i < house->section_count; i++) {
        uint32_t index = house->by_popularity[(house->next_popular + i) % house->section_count];
        if (!is_kept(house, index))
            return index;
    }
    return UINT32_MAX;
}

/* ["A1's seat_id", "number", x, y, category, gap_after] */
static const char *seat_id_of(const json_t *seat) {
    const char *seat_id = json_string_value(json_array_get(seat, 0));
    return seat_id && strlen(seat_id) <= LIMIT_SEAT_ID_BYTES ? seat_id : "";
}

/* How much room the seats take, and their ids. */
static void measure(const json_t *rows, size_t *seats, size_t *text) {
    *seats = *text = 0;
    for (size_t row = 0; row < json_array_size(rows); row++) {
        const json_t *list = json_object_get(json_array_get(rows, row), "seats");
        *seats += json_array_size(list);
        for (size_t i = 0; i < json_array_size(list); i++)
            *text += strlen(seat_id_of(json_array_get(list, i))) + 1;
    }
}

/* A row ends in a gap. */
static void read_rows(const json_t *rows, struct house_section *section) {
    char *text = section->text;
    for (size_t row = 0; row < json_array_size(rows); row++) {
        const json_t *list = json_object_get(json_array_get(rows, row), "seats");
        size_t count = json_array_size(list);
        for (size_t i = 0; i < count; i++) {
            const json_t *seat = json_array_get(list, i);
            size_t length = strlen(seat_id_of(seat)) + 1;
            memcpy(text, seat_id_of(seat), length);
            section->seats[section->seat_count++] = (struct house_seat){
                .seat_id = text, .gap_after = i + 1 == count || json_integer_value(json_array_get(seat, 5)) != 0};
            text += length;
        }
    }
}

/* The next to be read is the one behind it in the order, whether this one was of use or not. */
static void step_popular(struct house *house, uint32_t index) {
    for (uint32_t i = 0; i < house->section_count; i++)
        if (house->by_popularity[i] == index)
            house->next_popular = (i + 1) % house->section_count;
}

bool house_take_section(struct house *house, const json_t *document) {
    const json_t *rows = json_object_get(document, "rows");
    size_t seats, text;
    uint32_t place = place_for_section(house);
    struct house_section section = {.index = number_of(document, "section", LIMIT_SECTIONS_PER_SHOW, UINT32_MAX),
                                    .first = number_of(document, "first", LIMIT_SEATS_PER_SHOW, UINT32_MAX)};
    measure(rows, &seats, &text);
    if (section.index >= house->section_count || place == UINT32_MAX || is_kept(house, section.index))
        return false;
    step_popular(house, section.index);
    if (section.first == UINT32_MAX || seats == 0 || seats > LIMIT_SEATS_PER_SHOW)
        return false;
    section.seats = calloc(seats, sizeof *section.seats);
    section.text = malloc(text);
    if (!section.seats || !section.text) {
        section_release(&section);
        return false;
    }
    read_rows(rows, &section);
    section_release(&house->sections[place]);
    house->sections[place] = section;
    return true;
}

/* ---- picking by hand ---- */

/* The first seat of a run of `count` free neighbours, behind `skip` others that do not overlap. */
static bool find_run(const struct house *house, const struct house_section *section, uint32_t count, uint32_t skip,
                     uint32_t *found) {
    uint32_t length = 0;
    for (uint32_t i = 0; i < section->seat_count; i++) {
        length = is_free(house, section->first + i) ? length + 1 : 0;
        if (length == count && skip-- == 0) {
            *found = i + 1 - count;
            return true;
        }
        if (length == count || section->seats[i].gap_after)
            length = 0;
    }
    return false;
}

bool house_pick_neighbours(const struct house *house, struct chance *chance, uint32_t count,
                           const char *seat_ids[static HOUSE_MOST_PICKS]) {
    assert(count >= 1 && count <= HOUSE_MOST_PICKS);
    uint32_t start = chance_below(chance, HOUSE_SECTIONS), skip = 0, first;
    while (skip < 12 && chance_hits(chance, 700))
        skip++;
    for (uint32_t i = 0; i < HOUSE_SECTIONS; i++) {
        const struct house_section *section = &house->sections[(start + i) % HOUSE_SECTIONS];
        if (!section->seats ||
            (!find_run(house, section, count, skip, &first) && !find_run(house, section, count, 0, &first)))
            continue;
        for (uint32_t seat = 0; seat < count; seat++)
            seat_ids[seat] = section->seats[first + seat].seat_id;
        return true;
    }
    return false;
}
