#include "naive_queue.h"

static bool is_live(enum place_state state) {
    return state == PLACE_WAITING || state == PLACE_DOOR || state == PLACE_INSIDE;
}

bool naive_knows_order(const struct naive_queue *queue) {
    return queue->is_frozen || !queue->conditions.gathers;
}

bool naive_runs(const struct naive_queue *queue) {
    return queue->conditions.is_open && queue->conditions.has_seats && naive_knows_order(queue);
}

int64_t naive_most(const struct naive_queue *queue) {
    int64_t second = (int64_t)queue->settings.rate_per_minute * queue->factor * 1000;
    return second > DRIP_TOKEN ? second : DRIP_TOKEN;
}

static void cap(struct naive_queue *queue) {
    if (queue->level > naive_most(queue))
        queue->level = naive_most(queue);
}

void naive_init(struct naive_queue *queue, const struct queue_settings *settings, int64_t now_ms) {
    *queue =
        (struct naive_queue){.settings = *settings, .now_ms = now_ms, .ticked_ms = now_ms, .factor = DRIP_FACTOR_ONE};
}

void naive_see_time(struct naive_queue *queue, int64_t now_ms) {
    for (; queue->now_ms < now_ms; queue->now_ms++) {
        queue->level += queue->settings.rate_per_minute * queue->factor;
        queue->poured += queue->settings.rate_per_minute * queue->factor;
        cap(queue);
    }
    for (uint32_t number = 1; number <= queue->count; number++)
        if (queue->places[number].state == PLACE_INSIDE && queue->places[number].expires_ms <= queue->now_ms)
            queue->places[number].state = PLACE_DONE;
}

static uint32_t active(const struct naive_queue *queue) {
    uint32_t count = 0;
    for (uint32_t number = 1; number <= queue->count; number++)
        count += queue->places[number].state == PLACE_INSIDE;
    return count;
}

static bool is_called(const struct naive_queue *queue, uint32_t number) {
    return naive_knows_order(queue) && queue->places[number].position <= queue->serving;
}

static int64_t window_ms(const struct naive_queue *queue, uint32_t number) {
    return queue->open_ms - queue->grains[queue->places[number].grain].open_ms;
}

static bool window_is_over(const struct naive_queue *queue, uint32_t number) {
    return is_called(queue, number) && queue->grains[queue->places[number].grain].is_over;
}

static void miss(struct naive_queue *queue, uint32_t number) {
    queue->places[number].state = PLACE_MISSED;
    queue->missed++;
}

uint32_t naive_live(const struct naive_queue *queue, uint64_t user) {
    for (uint32_t number = 1; number <= queue->count; number++)
        if (queue->places[number].user == user && is_live(queue->places[number].state))
            return number;
    return 0;
}

uint32_t naive_join(struct naive_queue *queue, uint64_t user, bool *is_new) {
    uint32_t number = naive_live(queue, user);
    *is_new = !number;
    if (number)
        return number;
    number = ++queue->count;
    queue->places[number] = (struct naive_place){.user = user, .state = PLACE_WAITING, .position = number};
    return number;
}

static uint32_t room(const struct naive_queue *queue) {
    uint32_t inside = active(queue);
    if (!naive_runs(queue) || inside >= queue->settings.max_active)
        return 0;
    uint32_t tokens = (uint32_t)(queue->level / DRIP_TOKEN), places = queue->settings.max_active - inside;
    return tokens < places ? tokens : places;
}

static bool is_holding(const struct naive_queue *queue, const struct naive_place *place) {
    return place->is_asking && queue->now_ms - place->asked_ms <= place->hold_ms;
}

static int64_t hold_ms(const struct naive_queue *queue, uint32_t position) {
    int64_t before = 0;
    for (uint32_t number = 1; number <= queue->count; number++)
        before += queue->places[number].state == PLACE_DOOR && queue->places[number].position < position;
    int64_t seconds = 1 + before * DRIP_TOKEN / (queue->settings.rate_per_minute * queue->factor * 1000);
    if (seconds < 3 && active(queue) >= queue->settings.max_active)
        seconds = 3;
    if (seconds > 10 || !naive_runs(queue))
        seconds = 10;
    return seconds * 1000 + QUEUE_DOOR_GRACE_MS;
}

static enum result come_in(struct naive_queue *queue, uint32_t claimer, bool *is_new) {
    struct naive_place *place = &queue->places[claimer];
    uint32_t before = 0;
    for (uint32_t number = 1; number <= queue->count; number++)
        before += queue->places[number].state == PLACE_DOOR && queue->places[number].position < place->position &&
                  is_holding(queue, &queue->places[number]);
    if (before < room(queue)) {
        queue->level -= DRIP_TOKEN;
        *is_new = true;
        place->state = PLACE_INSIDE;
        place->claimed_ms = queue->now_ms;
        place->expires_ms = queue->now_ms + queue->settings.pass_seconds * INT64_C(1000);
        place->admission = ++queue->admissions;
        return RESULT_OK;
    }
    *is_new = place->state == PLACE_WAITING;
    if (*is_new)
        place->used_ms = window_ms(queue, claimer);
    place->state = PLACE_DOOR;
    place->has_come = place->is_asking = true;
    place->asked_ms = queue->now_ms;
    place->hold_ms = hold_ms(queue, place->position);
    return RESULT_AT_THE_DOOR;
}

enum result naive_claim(struct naive_queue *queue, uint32_t number, bool *is_new) {
    if (number == 0 || number > queue->count || queue->places[number].state == PLACE_UNKNOWN)
        return RESULT_NOT_FOUND;
    if (!is_live(queue->places[number].state))
        return RESULT_TURN_MISSED;
    if (queue->places[number].state == PLACE_INSIDE) {
        *is_new = false;
        return RESULT_OK;
    }
    return is_called(queue, number) ? come_in(queue, number, is_new) : RESULT_NOT_YOUR_TURN;
}

enum result naive_leave(struct naive_queue *queue, uint32_t number) {
    if (number == 0 || number > queue->count || queue->places[number].state == PLACE_UNKNOWN)
        return RESULT_NOT_FOUND;
    struct naive_place *place = &queue->places[number];
    if (!is_live(place->state))
        return RESULT_TURN_MISSED;
    place->was_ended = place->state == PLACE_INSIDE;
    queue->left += !place->was_ended;
    place->state = place->was_ended ? PLACE_DONE : PLACE_LEFT;
    return RESULT_OK;
}

bool naive_end_pass_of(struct naive_queue *queue, uint64_t user, uint32_t *number) {
    uint32_t found = naive_live(queue, user);
    if (!found || queue->places[found].state != PLACE_INSIDE)
        return false;
    *number = found;
    return naive_leave(queue, found) == RESULT_OK;
}

enum result naive_adopt(struct naive_queue *queue, uint32_t number, uint64_t user) {
    if (number == 0 || number > queue->count)
        return RESULT_NOT_FOUND;
    struct naive_place *place = &queue->places[number];
    if (place->user)
        return place->user == user ? RESULT_OK : RESULT_NOT_FOUND;
    bool has_another = naive_live(queue, user) != 0;
    place->user = user;
    place->is_adopted = true;
    if (place->state == PLACE_INSIDE && has_another) {
        place->state = PLACE_DONE;
    } else if (place->state == PLACE_UNKNOWN) {
        place->state = PLACE_WAITING;
        if (has_another || window_is_over(queue, number))
            miss(queue, number);
    }
    return RESULT_OK;
}

void naive_unknown(struct naive_queue *queue, uint32_t ceiling) {
    for (; queue->count < ceiling; queue->count++)
        queue->places[queue->count + 1] = (struct naive_place){.position = queue->count + 1};
}

void naive_configure(struct naive_queue *queue, const struct queue_settings *settings) {
    queue->settings = *settings;
    cap(queue);
}

void naive_adapt(struct naive_queue *queue, const struct drip_look *look, uint32_t most_percent) {
    uint32_t bad = look->slow + look->failed;
    if (bad >= 3 && bad * 100 > most_percent * look->answers)
        queue->factor = queue->factor / 2 < DRIP_FACTOR_LEAST ? DRIP_FACTOR_LEAST : queue->factor / 2;
    else
        queue->factor = queue->factor + 50 > DRIP_FACTOR_ONE ? DRIP_FACTOR_ONE : queue->factor + 50;
    cap(queue);
}

void naive_shuffle(struct naive_queue *queue, const uint32_t *order) {
    queue->is_frozen = true;
    queue->frozen = queue->count;
    for (uint32_t i = 0; i < queue->frozen; i++)
        queue->places[order[i] + 1].position = i + 1;
}

static void walk_the_door(struct naive_queue *queue, int64_t passed_ms) {
    uint32_t let_in = room(queue), before = 0;
    for (uint32_t position = 1; position <= queue->count; position++) {
        for (uint32_t number = 1; number <= queue->count; number++) {
            struct naive_place *place = &queue->places[number];
            if (place->state != PLACE_DOOR || place->position != position)
                continue;
            bool is_early = is_holding(queue, place), may_go_in = before < let_in && !is_early;
            before += is_early;
            if (queue->now_ms - place->asked_ms > QUEUE_DOOR_PATIENCE_MS)
                place->is_asking = false;
            if (!may_go_in && place->is_asking)
                continue;
            place->used_ms += passed_ms;
            if (place->used_ms > queue->settings.claim_seconds * INT64_C(1000))
                miss(queue, number);
        }
    }
}

void naive_tick(struct naive_queue *queue, const struct queue_conditions *conditions) {
    bool ran = naive_runs(queue);
    int64_t passed_ms = queue->now_ms - queue->ticked_ms;
    if (passed_ms > QUEUE_TICK_MOST_MS)
        passed_ms = QUEUE_TICK_MOST_MS;
    queue->ticked_ms = queue->now_ms;
    queue->conditions = *conditions;
    if (!ran || !naive_runs(queue))
        passed_ms = 0;
    queue->open_ms += passed_ms;
    for (uint32_t i = 0; passed_ms && i < queue->grain_count; i++)
        queue->grains[i].is_over |=
            queue->open_ms - queue->grains[i].open_ms > queue->settings.claim_seconds * INT64_C(1000);
    for (uint32_t number = 1; number <= queue->count; number++)
        if (queue->places[number].state == PLACE_WAITING && window_is_over(queue, number))
            miss(queue, number);
    walk_the_door(queue, passed_ms);
}

void naive_call(struct naive_queue *queue, uint32_t serving) {
    if (serving == queue->serving)
        return;
    uint32_t last = queue->grain_count - 1;
    if (queue->grain_count == 0 || queue->open_ms - queue->grains[last].from_ms >= 100) {
        last = queue->grain_count++;
        queue->grains[last].from_ms = queue->open_ms;
    }
    queue->grains[last].open_ms = queue->open_ms;
    for (uint32_t number = 1; number <= queue->count; number++)
        if (queue->places[number].position > queue->serving && queue->places[number].position <= serving)
            queue->places[number].grain = last;
    queue->serving = serving;
}

static bool has_later(const struct naive_queue *queue, uint32_t of) {
    for (uint32_t number = 1; number <= queue->count; number++)
        if (number > of && queue->places[number].user == queue->places[of].user && queue->places[number].user &&
            !queue->places[number].is_adopted)
            return true;
    return false;
}

/* The pass had not ended by then, or by the time somebody else was let in later. */
static bool pass_lasts(const struct naive_queue *queue, uint32_t of) {
    for (uint32_t number = 1; number <= queue->count; number++)
        if (queue->places[number].admission > queue->places[of].admission &&
            queue->places[number].claimed_ms >= queue->places[of].expires_ms)
            return false;
    return queue->places[of].expires_ms > queue->now_ms;
}

void naive_restart(struct naive_queue *queue, int64_t now_ms) {
    queue->now_ms = queue->ticked_ms = now_ms;
    queue->conditions = (struct queue_conditions){0};
    queue->level = 0;
    queue->factor = DRIP_FACTOR_ONE;
    for (uint32_t number = 1; number <= queue->count; number++) {
        struct naive_place *place = &queue->places[number];
        if (place->is_adopted) {
            /* Whose it is was not written down. */
            place->user = 0;
            place->is_adopted = false;
            queue->missed -= place->state == PLACE_MISSED;
            if (place->state == PLACE_WAITING || place->state == PLACE_DOOR || place->state == PLACE_MISSED)
                place->state = PLACE_UNKNOWN;
        }
        place->is_asking = false;
        if (place->admission && !place->was_ended)
            place->state = pass_lasts(queue, number) && !has_later(queue, number) ? PLACE_INSIDE : PLACE_DONE;
    }
    for (uint32_t number = 1; number <= queue->count; number++) {
        struct naive_place *place = &queue->places[number];
        bool is_back = (place->state == PLACE_MISSED || place->state == PLACE_DOOR) && place->has_come;
        if (!is_back || has_later(queue, number))
            continue;
        queue->missed -= place->state == PLACE_MISSED;
        place->state = PLACE_DOOR;
        place->used_ms = 0;
    }
}

void naive_count(const struct naive_queue *queue, struct queue_counts *counts) {
    *counts = (struct queue_counts){.issued = queue->count,
                                    .serving = queue->serving,
                                    .active = active(queue),
                                    .admitted = queue->admissions,
                                    .missed = queue->missed,
                                    .left = queue->left,
                                    .factor_permille = (uint32_t)queue->factor,
                                    .open_ms = queue->open_ms};
    for (uint32_t number = 1; number <= queue->count; number++) {
        const struct naive_place *place = &queue->places[number];
        counts->waiting += place->state == PLACE_WAITING || place->state == PLACE_DOOR;
        counts->called += place->state == PLACE_WAITING && is_called(queue, number);
        counts->door += place->state == PLACE_DOOR && place->is_asking;
    }
}
