#include "base/panic.h"
#include "checks.h"
#include "memory.h"
#include "world.h"

#include <stdlib.h>

#define TOKEN 60000LL /* what a rate of 1 a minute fills in a minute of milliseconds */

static struct checked_place *place_at(struct world *world, uint32_t number) {
    struct checks *checks = &world->checks;
    uint32_t before = checks->place_room;
    checks->places = memory_grow(checks->places, &checks->place_room, (size_t)number + 1, sizeof *checks->places);
    if (checks->place_room > before)
        memset(checks->places + before, 0, (checks->place_room - before) * sizeof *checks->places);
    return &checks->places[number];
}

/* Where the number stands in line, by our own reckoning. */
static uint32_t position_of(const struct world *world, uint32_t number) {
    const struct opening *opening = &world->opening;
    if (opening->is_made && number <= opening->frozen)
        return opening->position[number - 1];
    return number;
}

/* ---- the shuffle, a second time ---- */

/* The stream and the permutation that shuffle.h describes, written down once more, naively. Promise 7: red if the
 * queue's order is another one. */
void checks_shuffled(struct world *world) {
    struct opening *opening = &world->opening;
    uint8_t block[32], input[40];
    uint64_t counter = 0;
    size_t used = sizeof block;
    memory_free(opening->position);
    opening->position = memory_new(opening->frozen, sizeof *opening->position);
    uint32_t *order = memory_new(opening->frozen, sizeof *order);
    for (uint32_t i = 0; i < opening->frozen; i++)
        order[i] = i;
    for (uint32_t i = opening->frozen; i-- > 1;) {
        uint64_t bound = i + 1, drawn, sure = (UINT64_C(1) << 32) / bound * bound;
        do {
            if (used == sizeof block) {
                memcpy(input, opening->key, 32);
                for (int k = 0; k < 8; k++)
                    input[32 + k] = (uint8_t)(counter >> (56 - 8 * k));
                counter++;
                crypto_hash_sha256(block, input, sizeof input);
                used = 0;
            }
            drawn = (uint64_t)block[used] << 24 | block[used + 1] << 16 | block[used + 2] << 8 | block[used + 3];
            used += 4;
        } while (drawn >= sure);
        uint32_t with = (uint32_t)(drawn % bound), kept = order[i];
        order[i] = order[with];
        order[with] = kept;
    }
    for (uint32_t i = 0; i < opening->frozen; i++) {
        opening->position[order[i]] = i + 1;
        if (order[i] != opening->order[i])
            world_broken(world, "position %u of the shuffle is number %u, and should be %u", i + 1,
                         opening->order[i] + 1, order[i] + 1);
    }
    memory_free(order);
}

/* ---- turns and windows ---- */

/* When the position was called, by our clock of the open show; INT64_MAX: it was not. */
static int64_t called_at(const struct checks *checks, uint32_t position) {
    uint32_t low = 0, high = checks->call_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (checks->calls[middle].serving >= position)
            high = middle;
        else
            low = middle + 1;
    }
    return low < checks->call_count ? checks->calls[low].open_ms : INT64_MAX;
}

/* Promise 5: a turn is missed only when claim_seconds have passed since the call, of time in which the show was open
 * and the server ran. Red if windows run while the show is closed or sold out, or end early after a restart. */
static void check_missed(struct world *world, uint32_t number) {
    struct checks *checks = &world->checks;
    int64_t called_ms = called_at(checks, position_of(world, number));
    if (called_ms == INT64_MAX || checks->open_ms - called_ms < (int64_t)world->terms.queue.claim_seconds * 1000)
        world_broken(world, "number %u, called at %lld ms of the open show, is said to have missed its turn at %lld ms",
                     number, (long long)called_ms, (long long)checks->open_ms);
}

static bool is_late(const struct world *world, const struct checked_place *place) {
    return place->was_late || world->now_ms > place->door_until_ms + QUEUE_DOOR_GRACE_MS;
}

/* Promise 5: who stands at the door and asks again whenever told to does not miss the turn. Red if the window of such a
 * fan runs. */
static void check_door_window(struct world *world, uint32_t number) {
    const struct checked_place *place = place_at(world, number);
    if (place->door_asked_ms && !is_late(world, place))
        world_broken(world, "number %u asked at the door whenever it was told to, and has missed its turn", number);
}

static void leave_door(struct world *world, uint32_t number) {
    struct checks *checks = &world->checks;
    place_at(world, number)->door_asked_ms = 0;
    for (uint32_t i = 0; i < checks->door_count; i++)
        if (checks->door[i] == number)
            checks->door[i] = checks->door[--checks->door_count];
}

/* Whether the place has ended, as far as anybody outside can tell. */
static bool may_be_dead(struct world *world, uint32_t number) {
    const struct checked_place *place = place_at(world, number);
    if (place->marks & (MARK_ENDED | MARK_LEFT | MARK_MISSED | MARK_FORGOTTEN))
        return true;
    if (place->marks & MARK_GRANTED)
        return !room_lets_pass(world, number);
    check_missed(world, number);
    return true;
}

/* ---- joining ---- */

/* Promises 3 and 4: a number is given to one fan, once, and later joins get higher ones; who has a live place gets
 * that. Red if numbers repeat after a crash, if the ceiling is not respected, or if a user gets two places. */
void checks_joined(struct world *world, uint32_t fan, const struct place *place, bool is_new) {
    struct checks *checks = &world->checks;
    uint32_t before = checks->number_of_fan[fan], number = place->number;
    if (!is_new) {
        if (number != before)
            world_broken(world, "fan %u has number %u, and joins again as number %u", fan, before, number);
        return;
    }
    if (number <= checks->highest)
        world_broken(world, "fan %u gets number %u, after %u was given out", fan, number, checks->highest);
    if (number > world->disk.ledger.ceiling)
        world_broken(world, "fan %u gets number %u, over the ledger's ceiling %u", fan, number,
                     world->disk.ledger.ceiling);
    /* Red if numbers are skipped without a power failure. */
    if (number != checks->highest + 1 && !world->power_losses)
        world_broken(world, "fan %u gets number %u, and %u was the last", fan, number, checks->highest);
    if (before && !may_be_dead(world, before))
        world_broken(world, "fan %u has the live number %u, and gets %u too", fan, before, number);
    if (before && !(place_at(world, before)->marks & MARK_GRANTED))
        place_at(world, before)->marks |= MARK_MISSED;
    if (before)
        leave_door(world, before);
    *place_at(world, number) = (struct checked_place){.fan = fan + 1};
    checks->highest = number;
    checks->number_of_fan[fan] = number;
}

/* Promise 4: a ticket is good for whoever got it. */
void checks_adopted(struct world *world, uint32_t fan, uint32_t number) {
    struct checked_place *place = place_at(world, number);
    if (place->fan != fan + 1)
        world_broken(world, "number %u is fan %u's, and fan %u is taken for its owner", number, place->fan - 1, fan);
    if (!(place->marks & MARK_FORGOTTEN))
        return;
    world_note(world, HAPPENED_ADOPTED, fan, number);
    place->marks &= (uint8_t)~MARK_FORGOTTEN;
    if (world->checks.number_of_fan[fan] != number && !(place->marks & MARK_GRANTED))
        place->marks |= MARK_MISSED;
}

void checks_left(struct world *world, uint32_t number) {
    place_at(world, number)->marks |= MARK_LEFT;
    leave_door(world, number);
}

/* ---- the drip ---- */

static int64_t drip_most(uint32_t rate) {
    return (int64_t)rate * 1000 > TOKEN ? (int64_t)rate * 1000 : TOKEN;
}

static void fill_drip(struct world *world) {
    struct checks *checks = &world->checks;
    int64_t most = drip_most(checks->drip_rate);
    checks->drip_level += checks->drip_rate * (world->now_ms - checks->drip_ms);
    checks->drip_level = checks->drip_level > most ? most : checks->drip_level;
    checks->drip_ms = world->now_ms;
}

void checks_terms(struct world *world) {
    struct checks *checks = &world->checks;
    fill_drip(world);
    checks->drip_rate = world->terms.queue.rate_per_minute;
    fill_drip(world);
}

/* Passes whose time is over, by the wall clock of now. */
static void end_stays(struct world *world) {
    struct checks *checks = &world->checks;
    int64_t now_ms = server_now(world);
    while (checks->stay_first < checks->stay_count && checks->stays[checks->stay_first].expires_ms <= now_ms) {
        struct checked_place *place = place_at(world, checks->stays[checks->stay_first++].number);
        checks->inside -= !(place->marks & MARK_ENDED);
        place->marks |= MARK_ENDED;
    }
}

/* Keeps them in order: after a clock that stepped back, those from before end last. */
static void add_stay(struct checks *checks, uint32_t number, int64_t expires_ms) {
    checks->stays = memory_grow(checks->stays, &checks->stay_room, checks->stay_count + 1, sizeof *checks->stays);
    uint32_t at = checks->stay_count++;
    for (; at > checks->stay_first && checks->stays[at - 1].expires_ms > expires_ms; at--)
        checks->stays[at] = checks->stays[at - 1];
    checks->stays[at] = (struct checked_stay){.number = number, .expires_ms = expires_ms};
    checks->inside++;
}

void checks_pass_ended(struct world *world, uint32_t number) {
    struct checked_place *place = place_at(world, number);
    world->checks.inside -= !(place->marks & MARK_ENDED);
    place->marks |= MARK_ENDED;
}

/* Promise 5: a pass lasts until its time, and no longer. Red if the queue lets in whose pass has ended, or not who is
 * inside. */
void checks_pass_shown(struct world *world, uint32_t number, bool passes) {
    end_stays(world);
    bool is_inside = !(place_at(world, number)->marks & MARK_ENDED);
    if (is_inside != passes)
        world_broken(world, "the pass of number %u %s, and is %s", number, is_inside ? "lasts" : "has ended",
                     passes ? "taken" : "refused");
}

/* ---- claims ---- */

/* Promise 6: in every window at most rate × time + one second's worth go in, and max_active are inside at any time,
 * whatever crashes and clocks do. In true time: a bucket that is full at the beginning and never overdrawn is the same
 * as the bound on every window. Red if a restart begins with a full drip, if a clock's step fills it, if the claim
 * forgets either bound. */
static void check_bounds(struct world *world, uint32_t number) {
    struct checks *checks = &world->checks;
    fill_drip(world);
    if (checks->drip_level < TOKEN)
        world_broken(world, "number %u is let in over the rate of %u a minute", number, checks->drip_rate);
    checks->drip_level -= TOKEN;
    end_stays(world);
    if (checks->inside >= world->terms.queue.max_active)
        world_broken(world, "number %u is let in, and %u of %u are inside", number, checks->inside,
                     world->terms.queue.max_active);
}

/* Promise 5: at the door the lowest position goes first. Red if who comes later is let in while the room is too small
 * for all who stand before them. */
static void check_door(struct world *world, uint32_t number, uint32_t position) {
    struct checks *checks = &world->checks;
    int64_t tokens = checks->drip_level / TOKEN;
    int64_t places = (int64_t)world->terms.queue.max_active - checks->inside;
    int64_t room = tokens < places ? tokens : places;
    for (uint32_t i = 0; i < checks->door_count; i++) {
        uint32_t other = checks->door[i];
        const struct checked_place *place = place_at(world, other);
        if (other == number || place->marks || place->door_until_ms < world->now_ms ||
            position_of(world, other) > position)
            continue;
        if (room-- <= 0)
            world_broken(world, "number %u goes in before number %u, which stands at the door", number, other);
    }
}

static void check_grant(struct world *world, uint32_t fan, uint32_t number, const struct queue_pass *pass,
                        const struct queue_counts *before) {
    struct checks *checks = &world->checks;
    struct checked_place *place = place_at(world, number);
    uint32_t position = position_of(world, number);
    /* Promise 5: red if a turn is used twice, after a crash too; if a place that was given up is let in. */
    if (place->marks)
        world_broken(world, "fan %u is let in with number %u, whose turn is over (marks %u)", fan, number,
                     place->marks);
    /* Promise 5: red if somebody is let in who was not called, or while the show is closed or has nothing to sell. */
    if (pass->position != position || position > before->serving || called_at(checks, position) == INT64_MAX)
        world_broken(world, "number %u, at position %u, is let in at position %u; called are %u", number, position,
                     pass->position, before->serving);
    if (!world->server.conditions.is_open || !world->server.conditions.has_seats)
        world_broken(world, "number %u is let in, and there is nothing to buy", number);
    check_bounds(world, number);
    check_door(world, number, position);
    place->marks |= MARK_GRANTED;
    leave_door(world, number);
    add_stay(checks, number, pass->expires_ms);
    checks->most_inside = checks->inside > checks->most_inside ? checks->inside : checks->most_inside;
    checks->pending =
        memory_grow(checks->pending, &checks->pending_room, checks->pending_count + 1, sizeof *checks->pending);
    checks->pending[checks->pending_count++] = (struct checked_stay){number, pass->expires_ms};
    if (checks->granted++ == 0)
        checks->first_grant_ms = world->now_ms;
    checks->last_grant_ms = world->now_ms;
}

void checks_claimed(struct world *world, uint32_t fan, uint32_t number, enum result result,
                    const struct queue_pass *pass, bool is_new, const struct queue_counts *before) {
    struct checked_place *place = place_at(world, number);
    switch (result) {
    case RESULT_OK:
        if (is_new)
            check_grant(world, fan, number, pass, before);
        else if (!(place->marks & MARK_GRANTED))
            world_broken(world, "number %u is said to have its pass already, and was never let in", number);
        break;
    case RESULT_AT_THE_DOOR:
        /* Red if somebody is sent to the door who was not called. */
        if (position_of(world, number) > before->serving || place->marks)
            world_broken(world, "number %u is at the door, and %u are called", number, before->serving);
        break;
    case RESULT_TURN_MISSED:
        if (!(place->marks & (MARK_GRANTED | MARK_LEFT | MARK_MISSED))) {
            check_missed(world, number);
            check_door_window(world, number);
        }
        if (place->marks & MARK_GRANTED && !(place->marks & MARK_ENDED))
            checks_pass_shown(world, number, false);
        place->marks |= place->marks & MARK_GRANTED ? 0 : MARK_MISSED;
        leave_door(world, number);
        break;
    case RESULT_NOT_YOUR_TURN:
        /* Red if a called place is told to wait. */
        if (position_of(world, number) <= before->serving && world->server.placed >= world->opening.frozen)
            world_broken(world, "number %u is told to wait, and %u are called", number, before->serving);
        break;
    default:
        world_broken(world, "number %u is not known: %s", number, result_name(result));
    }
}

void checks_at_the_door(struct world *world, uint32_t number, int64_t told_ms) {
    struct checks *checks = &world->checks;
    struct checked_place *place = place_at(world, number);
    if (!place->door_asked_ms) {
        checks->door = memory_grow(checks->door, &checks->door_room, checks->door_count + 1, sizeof *checks->door);
        checks->door[checks->door_count++] = number;
    }
    place->was_late = place->door_asked_ms && is_late(world, place);
    place->door_asked_ms = (uint32_t)world->now_ms;
    place->door_until_ms = (uint32_t)(world->now_ms + told_ms);
}

void checks_admitted(struct world *world, uint32_t number) {
    struct checks *checks = &world->checks;
    for (uint32_t i = 0; i < checks->pending_count; i++)
        if (checks->pending[i].number == number)
            checks->pending[i] = checks->pending[--checks->pending_count];
}

/* ---- the tick ---- */

void checks_room_ticked(struct world *world) {
    struct checks *checks = &world->checks;
    struct queue_counts counts;
    const struct queue_conditions *now = &world->server.conditions;
    bool runs = now->is_open && now->has_seats;
    if (checks->ticked_ms && runs && checks->ran)
        checks->open_ms += world->now_ms - checks->ticked_ms;
    checks->ticked_ms = world->now_ms;
    checks->ran = runs;
    queue_count(world->server.queue, &counts);
    /* Promise 5: red if the clock of the claim windows goes faster than the show is open. */
    if (counts.open_ms > checks->open_ms)
        world_broken(world, "the show has been open for %lld ms, and the queue takes it for %lld",
                     (long long)checks->open_ms, (long long)counts.open_ms);
    /* Promise 5: red if a call is taken back, or goes to a number that nobody has. */
    if (counts.serving < checks->serving || counts.serving > counts.issued)
        world_broken(world, "called were %u, and are %u of %u", checks->serving, counts.serving, counts.issued);
    if (counts.serving == checks->serving)
        return;
    if (!runs || !now->is_open)
        world_broken(world, "positions up to %u are called while there is nothing to buy", counts.serving);
    checks->serving = counts.serving;
    checks->calls = memory_grow(checks->calls, &checks->call_room, checks->call_count + 1, sizeof *checks->calls);
    checks->calls[checks->call_count++] = (struct checked_call){counts.serving, checks->open_ms};
}

void checks_room_deep(struct world *world) {
    struct checks *checks = &world->checks;
    struct queue_counts counts;
    char why[240] = "";
    if (!queue_check(world->server.queue, why, sizeof why))
        world_broken(world, "the queue: %s", why);
    queue_count(world->server.queue, &counts);
    end_stays(world);
    /* Red if the queue loses count of who is inside. It counts passes out in its tick. */
    if (checks->ticked_ms == world->now_ms && counts.active != checks->inside)
        world_broken(world, "%u are inside, and the queue counts %u", checks->inside, counts.active);
}

/* ---- crashes ---- */

static bool is_recorded(const struct record_image *record, uint32_t number) {
    for (uint32_t i = record->count; i-- > 0;)
        if (record->lines[i].kind == RECORD_ADMIT && record->lines[i].number == number)
            return true;
    return false;
}

void checks_room_died(struct world *world) {
    struct checks *checks = &world->checks;
    checks->ticked_ms = 0;
    checks->door_count = 0;
    for (uint32_t number = 1; number <= checks->highest; number++)
        checks->places[number].marks = (checks->places[number].marks & (MARK_GRANTED | MARK_ENDED)) | MARK_FORGOTTEN;
    /* A grant that neither ledger nor record has was never told. */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < checks->pending_count; i++) {
        uint32_t number = checks->pending[i].number;
        if (is_recorded(&world->disk.record, number))
            checks->pending[kept++] = checks->pending[i];
        else if (!ledger_admission(&world->disk.ledger, number))
            place_at(world, number)->marks &= (uint8_t) ~(MARK_GRANTED | MARK_ENDED);
    }
    checks->pending_count = kept;
}

/* It was given up, and the record has it. What it has not, a power failure undoes. */
void checks_put_left(struct world *world, uint32_t number) {
    struct checked_place *place = place_at(world, number);
    place->marks |= place->marks & MARK_GRANTED ? 0 : MARK_LEFT;
}

void checks_put_back(struct world *world, uint32_t number, uint32_t fan) {
    struct checked_place *place = place_at(world, number);
    /* Red if a restart gives a place to somebody else. */
    if (place->fan && place->fan != fan + 1)
        world_broken(world, "number %u was fan %u's, and comes back as fan %u's", number, place->fan - 1, fan);
    place->marks &= (uint8_t)~MARK_FORGOTTEN;
}

static int by_end(const void *a, const void *b) {
    const struct checked_stay *left = a, *right = b;
    if (left->expires_ms != right->expires_ms)
        return left->expires_ms < right->expires_ms ? -1 : 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

static void find_stay(struct world *world, uint32_t number, int64_t expires_ms) {
    struct checked_place *place = place_at(world, number);
    place->marks |= MARK_GRANTED | MARK_ENDED;
    place->marks &= (uint8_t) ~(MARK_MISSED | MARK_FORGOTTEN);
    if (!room_lets_pass(world, number))
        return;
    place->marks &= (uint8_t)~MARK_ENDED;
    add_stay(&world->checks, number, expires_ms);
}

/* Who is inside, by the ledger, the record and the clock of now: who has another place since is not. */
static void find_stays(struct world *world) {
    struct checks *checks = &world->checks;
    const struct ledger_image *ledger = &world->disk.ledger;
    checks->stay_first = checks->stay_count = checks->inside = 0;
    for (uint32_t i = 0; i < ledger->admission_count; i++) {
        const struct admission_row *row = &ledger->admissions[i];
        bool had_ended = place_at(world, row->number)->marks & MARK_ENDED;
        find_stay(world, row->number, row->expires_ms);
        bool is_inside = room_lets_pass(world, row->number);
        if (world->has_clock_moved)
            continue;
        /* Red if a restart ends a pass before its time, or forgets that it had ended. */
        if (!had_ended && !is_inside && row->expires_ms > server_now(world) &&
            checks->number_of_fan[row->fan] == row->number)
            world_broken(world, "fan %u was inside with number %u, and the restart has ended the pass", row->fan,
                         row->number);
        if (had_ended && is_inside && world->server.is_same_boot)
            world_broken(world, "the pass of number %u had ended, and the restart has brought it back", row->number);
    }
    for (uint32_t i = 0; i < checks->pending_count; i++)
        if (!ledger_admission(ledger, checks->pending[i].number))
            find_stay(world, checks->pending[i].number, checks->pending[i].expires_ms);
    if (checks->stay_count > 1)
        qsort(checks->stays, checks->stay_count, sizeof *checks->stays, by_end);
}

/* Promise 3: who has a place keeps it over a crash. */
static void check_places(struct world *world) {
    struct checks *checks = &world->checks;
    for (uint32_t number = 1; number <= checks->highest; number++) {
        struct checked_place *place = &checks->places[number];
        struct place found;
        if (!place->fan || place->marks || checks->number_of_fan[place->fan - 1] != number)
            continue;
        uint64_t user = world_user_hash(place->fan - 1);
        enum result result = queue_find(world->server.queue, user, server_now(world), &found);
        /* Red if a join that was answered is not in the record, or a restart loses it. */
        if (result != RESULT_OK || found.number != number)
            world_broken(world, "fan %u had number %u, and after the restart it is %u", place->fan - 1, number,
                         result == RESULT_OK ? found.number : 0);
        if (found.state != PLACE_MISSED)
            continue;
        /* Red if a restart takes the turn of who stood at the door. */
        if (place->door_asked_ms && checks->died_ms - place->door_asked_ms < QUEUE_DOOR_PATIENCE_MS)
            world_broken(world, "fan %u stood at the door with number %u, and the restart has taken the turn",
                         place->fan - 1, number);
        check_missed(world, number);
    }
}

void checks_room_restarted(struct world *world) {
    struct checks *checks = &world->checks;
    struct queue_counts counts;
    queue_count(world->server.queue, &counts);
    while (checks->call_count && checks->calls[checks->call_count - 1].serving > counts.serving)
        checks->call_count--;
    /* The call that was lost in part is taken for one that ended where the queue stands now. */
    if (checks->call_count == 0 || checks->calls[checks->call_count - 1].serving < counts.serving) {
        if (world->server.is_same_boot && checks->serving)
            world_broken(world, "called were %u, and after a restart without a power failure it is %u", checks->serving,
                         counts.serving);
        checks->calls = memory_grow(checks->calls, &checks->call_room, checks->call_count + 1, sizeof *checks->calls);
        checks->calls[checks->call_count++] = (struct checked_call){counts.serving, checks->open_ms};
    }
    checks->serving = counts.serving;
    check_places(world);
    find_stays(world);
    for (uint32_t number = 1; number <= checks->highest; number++)
        checks->places[number].door_asked_ms = 0;
    /* Promise 6: red if a clock that steps back brings passes to life again, so that too many are inside. */
    if (counts.active > world->terms.queue.max_active && counts.active > checks->most_inside)
        world_broken(world, "after a restart %u of %u are inside", counts.active, world->terms.queue.max_active);
}
