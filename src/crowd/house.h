/* What the crowd knows of the show: what anybody can read of it.
 *
 * The show's document says whether it is open and what may be bought, `seats.bits` what is left. Of the plan only the
 * most popular sections are kept (those nearest to the stage that still have seats), which is where fans pick seats by
 * hand and get in each other's way. Everything here may be old or missing: the server decides, and says no. What comes
 * from outside is checked: an answer that is not understood changes nothing.
 *
 * Decides; no I/O, no clock. Memory only for what the documents say.
 */
#ifndef ONSALE_CROWD_HOUSE_H
#define ONSALE_CROWD_HOUSE_H

#include "base/bytes.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/result.h"
#include "crowd/chance.h"

#define HOUSE_SECTIONS 8    /* kept at once */
#define HOUSE_MOST_PICKS 10 /* seats that a fan picks by hand */

enum house_state {
    HOUSE_UNKNOWN,   /* no show was found yet */
    HOUSE_SHUT,      /* not yet open, paused, or closed */
    HOUSE_GATHERING, /* its waiting room takes people in */
    HOUSE_OPEN,
    HOUSE_SOLD_OUT
};

struct house_category {
    char name[LIMIT_NAME_BYTES + 1];
    uint32_t available;
};

struct house_seat {
    const char *seat_id; /* into the section's text */
    bool gap_after;      /* no neighbour to its right */
};

struct house_section {
    struct house_seat *seats; /* NULL: nothing is kept here */
    char *text;
    uint32_t seat_count;
    uint32_t index; /* in the plan's list */
    uint32_t first; /* its first seat, in plan order */
};

struct house {
    char show[ID_UUID_TEXT + 1]; /* "": not known yet */
    enum house_state state;
    char status[16]; /* the show's own word */
    bool has_room;
    bool may_cancel;
    uint32_t most_seats; /* in one hold, and for one fan */
    uint32_t category_count;
    struct house_category categories[LIMIT_CATEGORIES_PER_SHOW];

    char plan_hash[33]; /* "": not known; of the plan that the sections are of */
    uint32_t section_count;
    uint32_t *by_popularity; /* the plan's sections that have seats, the nearest to the stage first */
    uint32_t next_popular;   /* the next to be read */
    struct house_section sections[HOUSE_SECTIONS];

    struct buffer bits;
    uint32_t seats, booked, held; /* as the bits say */
};

void house_init(struct house *house);
void house_release(struct house *house);

/* Reads the answers. False: not understood, and nothing has changed. */
/* GET /api/v1/shows: takes the first that sells, else the first that will. False: there is none. */
MUST_USE bool house_choose_show(struct house *house, const json_t *list);
MUST_USE bool house_take_show(struct house *house, const json_t *document);
MUST_USE bool house_take_overview(struct house *house, const json_t *document);
MUST_USE bool house_take_section(struct house *house, const json_t *document);
MUST_USE bool house_take_bits(struct house *house, struct bytes bits);

/* The section to be read next, or UINT32_MAX: enough of them are kept that have seats left. */
uint32_t house_wanted_section(const struct house *house);

/* So many of a thousand seats are sold. */
unsigned house_sold_permille(const struct house *house);

/* A category with seats left, the fuller ones likelier; UINT32_MAX: none is known to have any. */
uint32_t house_draw_category(const struct house *house, struct chance *chance);

/* `count` neighbours that were free at the last look, of a popular section: mostly among the first that there are, as
 * everybody picks those. The pointers live until the house takes a section. False: there are none. */
bool house_pick_neighbours(const struct house *house, struct chance *chance, uint32_t count,
                           const char *seat_ids[static HOUSE_MOST_PICKS]);

#endif
