/* A seating plan: the venue's sections, rows, seats, areas and price categories, in memory. Immutable once made; shared
 * by every show that uses it, read by any thread without a lock.
 *
 * Every place that can be sold is a seat with an index 0 … seat_count-1 ("plan order"): sections in the order of the
 * document, rows within them, seats within those, then the areas, whose places are seats without a position
 * ("Floor-1" … "Floor-2000"). The seats of a row, and the places of an area, are one contiguous range of indices, so
 * that "adjacent" is index arithmetic: seat i and i+1 are neighbours if they share a row and `gap_after` of i is false.
 *
 * Three documents are read: our full form and our short form (docs/plans.md), and the seating-plan JSON that pretix
 * publishes. One is written: our full form, normalised (plan_write), which reads back to an equal plan. A plan is named
 * by the hash of that text. Positions have two decimals. Category names are unique, and so are the names of sections
 * and areas (one section may have the empty name); there is at least one seat or place, and no row without seats.
 */
#ifndef ONSALE_SEATS_PLAN_H
#define ONSALE_SEATS_PLAN_H

#include "base/bytes.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/result.h"

#define PLAN_NO_SEAT UINT32_MAX

struct plan_category {
    struct bytes name;
    char color[8]; /* "#rrggbb" */
    uint32_t seat_count;
};

struct plan_point {
    float x, y; /* metres or any unit of the document; y grows downwards, as on a screen */
};

struct plan_row {
    struct bytes label;
    uint32_t section;
    uint32_t first_seat, seat_count;
    uint32_t rank; /* 0 is the best row: by the document's `rank`, then by distance of its middle from the focus */
};

struct plan_section {
    struct bytes name; /* may be empty */
    bool is_area;      /* general admission: no rows, places without positions */
    uint32_t first_row, row_count;
    uint32_t first_seat, seat_count;
    struct plan_point *outline; /* polygon for the map, or NULL */
    uint32_t outline_count;
};

struct plan {
    struct bytes name;
    struct id hash;
    struct plan_point focus; /* the stage or the middle of the pitch: what the good seats are near to */
    uint32_t category_count, section_count, row_count, seat_count;
    struct plan_category *categories;
    struct plan_section *sections;
    struct plan_row *rows;

    /* by seat index */
    struct bytes *seat_ids;
    struct bytes *seat_numbers;   /* the label within its row; empty in an area */
    struct plan_point *positions; /* zero in an area */
    uint8_t *seat_category;
    uint32_t *seat_row; /* PLAN_NO_SEAT in an area */
    uint32_t *seat_section;
    uint64_t *gap_after; /* bit i: seat i has no neighbour to its right (row end, aisle, or in an area) */

    /* private: the table that plan_find_seat() asks */
    uint32_t *seat_slots;
    uint32_t seat_slot_mask;
    void *arena; /* what all of the above points into */
};

/* What a plan document says about prices, where it says any (the short form may): by category. */
struct plan_prices {
    char currency[4]; /* ISO 4217, or "" if the document names none */
    uint32_t count;
    struct {
        struct bytes category; /* points into the plan */
        int64_t amount;        /* minor units; -1: no price given */
    } of[LIMIT_CATEGORIES_PER_SHOW];
};

/* Reads any of the three documents. On RESULT_INVALID_FIELD, `pointer` names the member (RFC 6901) and `detail` says
 * what is wrong with it, in words that help a venue's clerk; RESULT_OVERLOADED if memory ran out. The document stays
 * the caller's and is not needed afterwards; its own member "prices", if any, is for plan_read_prices(). The caller
 * owns *plan. hash_set_up() comes first. */
MUST_USE enum result plan_read(const json_t *document, struct plan **plan, char *pointer, size_t pointer_size,
                               char *detail, size_t detail_size);

/* Reads a "prices" object ({"Standard":{"amount":5000,"currency":"EUR"}}) against the plan's categories. Unknown
 * categories, negative amounts and two currencies are refused the same way, with a pointer into this document. What it
 * does not name stays -1; NULL names nothing. */
MUST_USE enum result plan_read_prices(const struct plan *plan, const json_t *document, struct plan_prices *prices,
                                      char *pointer, size_t pointer_size, char *detail, size_t detail_size);

void plan_free(struct plan *plan);

/* Our full form, normalised. Every seat with its seat_id, number, x, y and category. */
void plan_write(const struct plan *plan, struct buffer *out);

/* Parts of that form, for others that have them too: a coordinate, which reads back equal wherever it stands; an array
 * of [x, y]; the members "focus" and "categories". */
void plan_put_coordinate(struct json_writer *writer, float value);
void plan_put_points(struct json_writer *writer, const struct plan_point *points, uint32_t count);
void plan_put_focus(struct json_writer *writer, const struct plan *plan);
void plan_put_categories(struct json_writer *writer, const struct plan *plan);

/* The seat's index, or PLAN_NO_SEAT. O(1). */
uint32_t plan_find_seat(const struct plan *plan, struct bytes seat_id);
/* The same for several: the memory is asked for all of them before the first is looked at. */
void plan_find_seats(const struct plan *plan, size_t count, const struct bytes *seat_ids, uint32_t *seats);
/* The index in plan->sections of the area of that name, or PLAN_NO_SEAT; likewise a category. */
uint32_t plan_find_area(const struct plan *plan, struct bytes name);
uint32_t plan_find_category(const struct plan *plan, struct bytes name);

static inline bool plan_gap_after(const struct plan *plan, uint32_t seat) {
    return plan->gap_after[seat / 64] >> (seat % 64) & 1;
}

#endif
