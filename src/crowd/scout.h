/* Who looks at the show for the whole crowd: one call at a time, every few seconds.
 *
 * Happy path: the list of shows (unless the operator named one) → the show → its plan's overview, once → its seats →
 * the popular sections that are missing → a pause, and the show again. Whatever is refused is asked again later, and
 * what the crowd waits for is said once.
 *
 * Decides; no I/O, no clock.
 */
#ifndef ONSALE_CROWD_SCOUT_H
#define ONSALE_CROWD_SCOUT_H

#include "crowd/fan.h"

enum scout_call { SCOUT_LIST, SCOUT_SHOW, SCOUT_OVERVIEW, SCOUT_SEATS, SCOUT_SECTION };

struct scout {
    struct chance chance;
    int64_t at_ms; /* when it goes on */
    enum scout_call call;
    uint32_t section;   /* of SCOUT_SECTION */
    bool show_is_given; /* by the operator: no other is looked for */
    bool plan_is_known; /* its overview was asked for */
    uint8_t setbacks;
    unsigned sections_read; /* in this round */
    char told[120];         /* what was last said */
};

/* `show`: the one that the operator names, or NULL. */
void scout_init(struct scout *scout, struct chance chance, struct house *house, const char *show);
/* The answer to scout->call; `raw` is its body as it came. What is to be said now, once, or NULL; it lives until the
 * next call. */
const char *scout_hear(struct scout *scout, struct house *house, const struct fan_answer *answer, struct bytes raw,
                       int64_t now_ms);

#endif
