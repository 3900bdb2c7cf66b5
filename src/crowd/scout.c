#include "crowd/scout.h"

#include <stdio.h>

#define ROUND_MS 8000 /* and up to half of it more */
#define STEP_MS 250   /* between the calls of a round */
#define SECTIONS_A_ROUND 4

void scout_init(struct scout *scout, struct chance chance, struct house *house, const char *show) {
    *scout = (struct scout){.chance = chance, .call = show ? SCOUT_SHOW : SCOUT_LIST, .show_is_given = show};
    if (show)
        snprintf(house->show, sizeof house->show, "%s", show);
}

static void step(struct scout *scout, enum scout_call call, int64_t now_ms) {
    scout->call = call;
    scout->at_ms = now_ms + STEP_MS;
}

static void end_round(struct scout *scout, const struct house *house, int64_t now_ms) {
    bool is_over = strcmp(house->status, "CLOSED") == 0 || house->state == HOUSE_UNKNOWN;
    scout->call = is_over && !scout->show_is_given ? SCOUT_LIST : SCOUT_SHOW;
    scout->at_ms = now_ms + ROUND_MS + chance_between(&scout->chance, 0, ROUND_MS / 2);
    scout->sections_read = 0;
}

/* Another section, or the end of the round. */
static void next_section(struct scout *scout, const struct house *house, int64_t now_ms) {
    scout->section = scout->sections_read++ < SECTIONS_A_ROUND ? house_wanted_section(house) : UINT32_MAX;
    if (scout->section != UINT32_MAX)
        step(scout, SCOUT_SECTION, now_ms);
    else
        end_round(scout, house, now_ms);
}

/* NULL where it was said before. */
static const char *say(struct scout *scout, const char *before, const char *subject, const char *behind) {
    char text[sizeof scout->told];
    snprintf(text, sizeof text, "%s%s%s", before, subject, behind);
    if (strcmp(text, scout->told) == 0)
        return NULL;
    memcpy(scout->told, text, sizeof text);
    return scout->told;
}

static const char *say_state(struct scout *scout, const struct house *house) {
    switch (house->state) {
    case HOUSE_OPEN:
        return say(scout, "show ", house->show, " is on sale");
    case HOUSE_GATHERING:
        return say(scout, "show ", house->show, " is not yet on sale, and its waiting room is open");
    case HOUSE_SOLD_OUT:
        return say(scout, "show ", house->show, " is sold out: waiting until seats come back");
    default:
        return say(scout, "the show is ", house->status, ": waiting until it sells");
    }
}

static const char *hear_trouble(struct scout *scout, const struct fan_answer *answer, int64_t now_ms) {
    scout->setbacks = (uint8_t)(scout->setbacks + (scout->setbacks < 6));
    scout->at_ms = now_ms + 1000 + crowd_backoff_ms(&scout->chance, scout->setbacks, answer->retry_after_seconds);
    return answer->status
               ? say(scout, "the server ", answer->status == 429 ? "asks to come less often" : "is in trouble",
                     ": waiting until it does better")
               : say(scout, "", "nobody", " answers at this address: waiting");
}

static const char *hear_list(struct scout *scout, struct house *house, const json_t *list, int64_t now_ms) {
    if (house_choose_show(house, list)) {
        step(scout, SCOUT_SHOW, now_ms);
        return NULL;
    }
    house->state = HOUSE_UNKNOWN;
    end_round(scout, house, now_ms);
    return say(scout, "there is no show", "", ": waiting for one");
}

static const char *hear_show(struct scout *scout, struct house *house, const struct fan_answer *answer, bool ok,
                             int64_t now_ms) {
    char before[sizeof house->plan_hash];
    memcpy(before, house->plan_hash, sizeof before);
    if (!ok || !house_take_show(house, answer->body)) {
        house->state = HOUSE_UNKNOWN;
        end_round(scout, house, now_ms);
        return say(scout, "there is no show ", house->show, " here: waiting for it");
    }
    if (strcmp(before, house->plan_hash) != 0)
        scout->plan_is_known = false;
    step(scout, scout->plan_is_known ? SCOUT_SEATS : SCOUT_OVERVIEW, now_ms);
    return say_state(scout, house);
}

const char *scout_hear(struct scout *scout, struct house *house, const struct fan_answer *answer, struct bytes raw,
                       int64_t now_ms) {
    enum fan_answer_kind kind = fan_answer_kind(answer);
    bool ok = kind == ANSWER_OK;
    if (kind == ANSWER_BUSY && scout->call != SCOUT_OVERVIEW && scout->call != SCOUT_SECTION)
        return hear_trouble(scout, answer, now_ms);
    scout->setbacks = 0;
    switch (scout->call) {
    case SCOUT_LIST:
        return hear_list(scout, house, answer->body, now_ms);
    case SCOUT_SHOW:
        return hear_show(scout, house, answer, ok, now_ms);
    case SCOUT_OVERVIEW: /* without it nobody picks by hand */
        scout->plan_is_known = kind != ANSWER_BUSY;
        ok = ok && house_take_overview(house, answer->body);
        step(scout, SCOUT_SEATS, now_ms);
        return NULL;
    case SCOUT_SEATS:
        ok = ok && house_take_bits(house, raw);
        next_section(scout, house, now_ms);
        return NULL;
    case SCOUT_SECTION:
        if (ok && house_take_section(house, answer->body))
            next_section(scout, house, now_ms);
        else
            end_round(scout, house, now_ms);
        return NULL;
    }
    return NULL;
}
