/* Private to src/seats: what the three readers of plan documents share.
 *
 * A reader walks a document once and adds what it finds, in plan order: begin_section, begin_row, add_seat …, add_area.
 * `struct where` says where in the document that was, as a chain on the C stack that becomes text (an RFC 6901 pointer)
 * only when something is refused. Every function that returns a bool returns false once something went wrong, with
 * `reader->result` set; a reader passes that on and stops.
 */
#ifndef ONSALE_SEATS_PLAN_READER_H
#define ONSALE_SEATS_PLAN_READER_H

#include "seats/plan.h"

struct where {
    const struct where *parent; /* NULL: the document itself */
    const char *key;            /* NULL: the item `index` of a list */
    size_t index;
};

#define MEMBER(of, name) (&(struct where){.parent = (of), .key = (name)})
#define ITEM(of, number) (&(struct where){.parent = (of), .index = (number)})

#define PLAN_DEFAULT_CATEGORY "Standard" /* of a short form that names none */
#define RANK_NONE INT64_MAX

struct vector {
    void *at;
    uint32_t count, capacity;
};

struct plan_row_draft {
    struct plan_row row;
    int64_t rank; /* as the document has it, or RANK_NONE */
};

struct plan_seat_draft {
    struct bytes seat_id; /* empty: made of section, row and number */
    struct bytes number;
    struct plan_point position;
    uint32_t section, row;
    uint8_t category;
    bool gap_after;
};

struct plan_reader {
    enum result result;
    char *pointer, *detail;
    size_t pointer_size, detail_size;
    struct plan *plan;

    /* what grows while the document is read; reader_finish() moves it into the plan's arena */
    struct vector categories; /* struct plan_category */
    struct vector sections;   /* struct plan_section */
    struct vector rows;       /* struct plan_row_draft */
    struct vector seats;      /* struct plan_seat_draft */
    struct vector distances;  /* float: scratch */
    uint32_t *seat_slots;     /* open addressing, by hash_u64 of the seat_id */
    uint32_t seat_slot_mask;
    struct bytes *labels; /* the same: every label once, for "12" is in each row */
    uint32_t label_mask, label_count;
};

/* ---- plan_fields.c: members of the document, checked ---- */

/* Always false, so that a reader can return it. */
bool refuse(struct plan_reader *reader, const struct where *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The member must be there and be what is asked for; `*_or` takes the default if it is missing or null. Texts are 1 to
 * `max` bytes without control characters, borrowed from the document. A label is a text or a whole number. */
bool field_text(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                size_t max, struct bytes *text);
bool field_text_or(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                   size_t max, struct bytes otherwise, struct bytes *text);
bool field_integer(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                   int64_t min, int64_t max, int64_t *value);
bool field_integer_or(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                      int64_t min, int64_t max, int64_t otherwise, int64_t *value);
bool field_number(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                  double limit, double *value);
bool field_flag(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                bool *value);
bool field_list(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                const json_t **list);
/* [x, y] or {"x": …, "y": …} */
bool field_point(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                 double *x, double *y);
/* The same, of a value that is in hand. */
bool value_point(struct plan_reader *reader, const json_t *value, const struct where *where, double *x, double *y);
bool value_object(struct plan_reader *reader, const json_t *value, const struct where *where);
/* `room` takes the digits if the label is a number. */
#define LABEL_ROOM 24
bool field_label(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                 char room[static LABEL_ROOM], struct bytes *label);
/* "#rgb" or "#rrggbb", written in full and in lower case. */
bool color_read(struct bytes text, char color[static 8]);
/* Whether the member is there and not null. */
bool field_given(const json_t *object, const char *key);

/* ---- plan_read.c: what is added to the plan ---- */

bool reader_add_category(struct plan_reader *reader, const struct where *where, struct bytes name, const char *color);
/* False, refusing nothing, if there is none of that name. */
bool reader_has_category(const struct plan_reader *reader, struct bytes name, uint8_t *category);
/* Refuses at `where`, naming those that there are. */
bool reader_find_category(struct plan_reader *reader, const struct where *where, struct bytes name, uint8_t *category);
/* `where` is the entry's; its member "name" is what is refused if there is one of that name. */
bool reader_begin_section(struct plan_reader *reader, const struct where *where, struct bytes name);
bool reader_begin_row(struct plan_reader *reader, const struct where *where, struct bytes label, int64_t rank);
/* Into the row begun last. */
bool reader_add_seat(struct plan_reader *reader, const struct where *where, const struct plan_seat_draft *seat);
bool reader_add_area(struct plan_reader *reader, const struct where *where, struct bytes name, uint32_t capacity,
                     uint8_t category);
/* The section or area begun last gets this outline. */
bool reader_set_outline(struct plan_reader *reader, uint32_t count, const struct plan_point *points);
/* Room for `count` floats, to be used at once. NULL when memory ran out. */
float *reader_scratch(struct plan_reader *reader, uint32_t count);
struct plan_seat_draft *reader_seats(const struct plan_reader *reader);
/* Two decimals are kept, so that what is written reads back equal. */
struct plan_point point_round(double x, double y);

/* ---- the three documents ---- */

bool plan_read_full(struct plan_reader *reader, const json_t *document);
bool plan_read_short(struct plan_reader *reader, const json_t *document);
bool plan_read_pretix(struct plan_reader *reader, const json_t *document);
/* "capacity" entries of "sections", then the list "areas". Shared by full and short form. `new_categories`: a category
 * is made when it is first named. */
bool plan_read_areas(struct plan_reader *reader, const json_t *document, bool new_categories);

/* ---- plan.c: memory that lives as long as the plan ---- */

struct plan_arena;
struct plan_arena *plan_arena_new(void);
/* Zeroed, aligned for any of the plan's types; NULL when memory ran out. */
void *plan_arena_take(struct plan_arena *arena, size_t size);
bool plan_arena_copy(struct plan_arena *arena, struct bytes text, struct bytes *copy);
void plan_arena_free(struct plan_arena *arena);

#endif
