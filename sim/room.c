/* The waiting room: what is done around the queue, so that it outlives the process. Numbers are drawn from the ledger
 * in ranges; joins, calls and places that were left go into the record; a pass is told when the ledger has it. */
#include "base/panic.h"
#include "memory.h"
#include "waitroom/shuffle.h"
#include "world.h"

#define SEAL_EVERY_MS 2000
#define STATUS_EVERY_MS 1000
#define LOOK_EVERY_MS 1000
#define MOST_PERCENT 20 /* of the answers may be bad before the drip slows */
#define PLACED_AT_ONCE 65536
#define POLL_MOST_SECONDS 600
#define BEACON_MOST_MS 60000

static void draw_numbers(struct world *world) {
    struct server *server = &world->server;
    struct queue_counts counts;
    uint32_t draw = world->terms.numbers_drawn_at_once;
    if (server->is_raising || queue_numbers_left(server->queue) >= draw / 2)
        return;
    queue_count(server->queue, &counts);
    server->is_raising = true;
    ledger_submit(world, &(struct ledger_write){.kind = LEDGER_RAISE_QUEUE, .ceiling = counts.issued + draw});
}

static void seal(struct world *world) {
    struct queue_counts counts;
    queue_count(world->server.queue, &counts);
    record_append(world, RECORD_HEAD, 0, counts.open_ms);
    world->server.is_sealing = true;
    events_add(&world->events, world->now_ms + 5 + chance_below(&world->server_chance, 40), EVENT_SEALED,
               world->server.life, world->disk.record.count, 0);
}

static bool is_among(const struct world *world, uint32_t count, enum record_kind kind) {
    bool is_there = false;
    for (uint32_t i = count; i > 0 && !is_there; i--)
        is_there = world->disk.record.lines[i - 1].kind == kind;
    return is_there;
}

/* Every second world has no beacon: there nothing is waited for. */
static void let_beacon_speak(struct world *world) {
    uint64_t drawn = chance_mix(world->history.seed ^ RECORD_FREEZE);
    world->opening.is_frozen_on_disk = true;
    world->opening.beacon_speaks_ms = world->now_ms + (drawn & 1 ? (int64_t)(drawn / 2 % BEACON_MOST_MS) : 0);
}

void room_sealed(struct world *world, uint32_t count) {
    world->server.is_sealing = false;
    world->disk.record.sealed = count;
    struct opening *opening = &world->opening;
    if (opening->is_frozen && !opening->is_frozen_on_disk && is_among(world, count, RECORD_FREEZE))
        let_beacon_speak(world);
    if (opening->is_made && !opening->is_on_disk)
        opening->is_on_disk = is_among(world, count, RECORD_OPEN);
}

void room_written(struct world *world, const struct ledger_write *write) {
    struct server *server = &world->server;
    if (write->kind == LEDGER_RAISE_QUEUE) {
        server->is_raising = false;
        queue_allow_numbers(server->queue, write->ceiling);
    } else if (write->kind == LEDGER_ADMIT) {
        events_add(&world->events, world->now_ms + 10 + chance_below(&world->fans_chance, 80), EVENT_PASS, 0,
                   write->slot, write->plan);
    }
}

/* ---- the opening ---- */

/* Freezes what is to be shuffled, and fixes the key by what happened so far. */
static void freeze(struct world *world) {
    struct opening *opening = &world->opening;
    struct queue_counts counts;
    uint8_t seed[SHUFFLE_BYTES], head[SHUFFLE_BYTES] = {0};
    for (size_t i = 0; i < sizeof seed; i += 8)
        memcpy(seed + i, &(uint64_t){chance_mix(world->history.seed + i)}, 8);
    history_digest(&world->history, head);
    shuffle_key(&world->show_id, seed, head, (struct bytes){0}, opening->key);
    queue_count(world->server.queue, &counts);
    opening->frozen = queue_freeze(world->server.queue);
    memory_free(opening->order);
    opening->order = memory_new(opening->frozen, sizeof *opening->order);
    shuffle_order(opening->key, opening->frozen, opening->order);
    opening->is_frozen = true;
    opening->is_frozen_on_disk = false;
    record_append(world, RECORD_HEAD, 0, counts.open_ms);
    record_append(world, RECORD_FREEZE, opening->frozen, 0);
    seal(world);
    world_tempt(world, 100);
}

static void reveal(struct world *world) {
    world->opening.is_made = true;
    world->opening.is_on_disk = false;
    record_append(world, RECORD_OPEN, world->opening.frozen, 0);
    checks_shuffled(world);
    seal(world);
    world_tempt(world, 100);
}

static void go_on_opening(struct world *world) {
    struct opening *opening = &world->opening;
    struct server *server = &world->server;
    if (!world->terms.is_shuffled || world->now_ms < world->terms.opens_ms)
        return;
    if (!opening->is_frozen) {
        freeze(world);
    } else if (!opening->is_made) {
        if (opening->is_frozen_on_disk && world->now_ms >= opening->beacon_speaks_ms)
            reveal(world);
    } else if (opening->is_on_disk && server->placed < opening->frozen) {
        uint32_t rest = opening->frozen - server->placed;
        uint32_t count = rest < PLACED_AT_ONCE ? rest : PLACED_AT_ONCE;
        queue_place_shuffled(server->queue, server->placed, count, opening->order + server->placed);
        server->placed += count;
        world_tempt(world, 50);
    }
}

/* ---- starting ---- */

static void restore_admission(struct world *world, const struct queue_pass *pass, bool has_ended) {
    /* Red if a granted pass is forgotten. */
    if (!queue_restore_admission(world->server.queue, pass, has_ended))
        world_broken(world, "the pass of number %u was granted, and the queue does not take it back", pass->number);
}

static void replay_freeze(struct world *world, uint32_t recorded) {
    uint32_t frozen = queue_freeze(world->server.queue);
    /* Red if a restart shuffles others than before. */
    if (frozen != recorded)
        world_broken(world, "%u numbers were frozen, and after a restart it is %u", recorded, frozen);
}

static void replay_opening(struct world *world, uint32_t frozen) {
    queue_place_shuffled(world->server.queue, 0, frozen, world->opening.order);
    world->server.placed = frozen;
    world->opening.is_on_disk = true;
}

static void replay_line(struct world *world, const struct record_line *line, uint32_t *number) {
    struct queue *queue = world->server.queue;
    switch ((enum record_kind)line->kind) {
    case RECORD_JOIN:
        queue_restore_join(queue, world_user_hash(line->number));
        checks_put_back(world, ++*number, line->number);
        break;
    case RECORD_UNKNOWN:
        queue_restore_unknown(queue, line->number);
        *number = line->number > *number ? line->number : *number;
        break;
    case RECORD_LEFT:
        queue_restore_left(queue, line->number);
        checks_put_left(world, line->number);
        break;
    case RECORD_CALL:
        queue_restore_call(queue, line->number, line->open_ms);
        break;
    case RECORD_HEAD:
        queue_restore_clock(queue, line->open_ms);
        break;
    case RECORD_FREEZE:
        replay_freeze(world, line->number);
        break;
    case RECORD_OPEN:
        replay_opening(world, line->number);
        break;
    case RECORD_DOOR:
        queue_restore_door(queue, line->number);
        break;
    case RECORD_ADMIT: {
        struct queue_pass pass = {.number = line->number,
                                  .claimed_ms = line->open_ms,
                                  .expires_ms = line->open_ms + world->terms.queue.pass_seconds * 1000LL};
        restore_admission(world, &pass, false);
        break;
    }
    case RECORD_END:
        queue_restore_left(queue, line->number);
        break;
    case RECORD_START:
    case RECORD_TERMS:
    case RECORD_KEY:
        break;
    }
}

/* What the ledger knows beside the record: who it was where a power failure took that, and what the record has lost. */
static void restore_from_ledger(struct world *world) {
    const struct ledger_image *ledger = &world->disk.ledger;
    const struct record_image *record = &world->disk.record;
    struct queue *queue = world->server.queue;
    bool *is_recorded = memory_new(ledger->admission_of_room + 1, sizeof *is_recorded);
    for (uint32_t i = 0; i < record->count; i++)
        if (record->lines[i].kind == RECORD_ADMIT && record->lines[i].number < ledger->admission_of_room)
            is_recorded[record->lines[i].number] = true;
    for (uint32_t number = 0; number < ledger->admission_of_room; number++) {
        const struct admission_row *row = ledger_admission(ledger, number);
        if (!row)
            continue;
        (void)!queue_adopt(queue, number, world_user_hash(row->fan));
        struct queue_pass pass = {.number = number, .claimed_ms = row->claimed_ms, .expires_ms = row->expires_ms};
        if (!is_recorded[number]) {
            restore_admission(world, &pass, row->ended_ms != 0);
            record_append(world, RECORD_ADMIT, number, row->claimed_ms);
            if (row->ended_ms)
                record_append(world, RECORD_END, number, 0);
        } else if (row->ended_ms) {
            queue_restore_left(queue, number);
        }
    }
    memory_free(is_recorded);
}

void room_start(struct world *world) {
    struct server *server = &world->server;
    struct record_image *record = &world->disk.record;
    uint32_t ceiling = world->disk.ledger.ceiling;
    server->queue = queue_new(&world->terms.queue, server_now(world));
    assert(server->queue);
    uint32_t number = 0;
    for (uint32_t i = 0; i < record->count; i++)
        replay_line(world, &record->lines[i], &number);
    /* What is trusted is synced before anything follows from it. */
    record->sealed = record->count;
    if (world->opening.is_frozen && !world->opening.is_frozen_on_disk)
        let_beacon_speak(world);
    queue_allow_numbers(server->queue, ceiling);
    if (!record->is_whole) {
        queue_restore_unknown(server->queue, ceiling);
        record_append(world, RECORD_UNKNOWN, ceiling, 0);
        record->is_whole = true;
    }
    restore_from_ledger(world);
    queue_end_restore(server->queue, server_now(world));
    server->conditions = (struct queue_conditions){.gathers = world->terms.is_shuffled && !world->opening.is_made};
    (void)queue_tick(server->queue, &server->conditions, server_now(world));
    draw_numbers(world);
}

/* ---- living ---- */

static void look_at_show(const struct world *world, struct queue_conditions *conditions, bool *sold_out) {
    struct show_counts counts;
    show_lock(world->server.show);
    show_count(world->server.show, &counts);
    show_unlock(world->server.show);
    *conditions = (struct queue_conditions){.is_open = world->now_ms >= world->terms.opens_ms && !world->is_paused,
                                            .has_seats = counts.available > 0,
                                            .gathers = world->terms.is_shuffled && !world->opening.is_made};
    *sold_out = counts.available == 0 && counts.held == 0;
}

/* Who is far behind asks again after a quarter of the time that it takes until then. */
static void renew_status(struct world *world, bool sold_out) {
    struct server *server = &world->server;
    struct queue_counts counts;
    queue_count(server->queue, &counts);
    uint32_t a_thousand = 60000 / world->terms.queue.rate_per_minute / 4 + 1,
             retry = queue_retry_seconds(server->queue);
    uint32_t most = retry + a_thousand * (counts.waiting / 1000 + 1);
    server->status_ms = world->now_ms;
    server->status = (struct room_status){.serving = counts.serving,
                                          .issued = counts.issued,
                                          .retry_seconds = retry,
                                          .per_thousand_seconds = a_thousand,
                                          .max_seconds = most < POLL_MOST_SECONDS ? most : POLL_MOST_SECONDS,
                                          .is_up = true,
                                          .is_open = server->conditions.is_open,
                                          .is_sold_out = sold_out};
}

const struct room_status *room_status(struct world *world) {
    return &world->server.status;
}

void room_tick(struct world *world) {
    struct server *server = &world->server;
    struct queue_counts counts;
    bool sold_out;
    look_at_show(world, &server->conditions, &sold_out);
    go_on_opening(world);
    bool moved = queue_tick(server->queue, &server->conditions, server_now(world));
    if (moved) {
        queue_count(server->queue, &counts);
        record_append(world, RECORD_CALL, counts.serving, counts.open_ms);
        world_note(world, HAPPENED_CALLED, counts.serving, (uint64_t)counts.open_ms);
    }
    if (world->now_ms - server->looked_ms >= LOOK_EVERY_MS) {
        queue_adapt(server->queue, &server->look, MOST_PERCENT, server_now(world));
        server->look = (struct drip_look){0};
        server->looked_ms = world->now_ms;
    }
    if (world->now_ms / SEAL_EVERY_MS != (world->now_ms - 100) / SEAL_EVERY_MS && !server->is_sealing)
        seal(world);
    if (world->now_ms - server->status_ms >= STATUS_EVERY_MS)
        renew_status(world, sold_out);
    draw_numbers(world);
}

/* The operator's. */
void room_turn_knobs(struct world *world) {
    struct chance *chance = &world->faults_chance;
    struct queue_settings *settings = &world->terms.queue;
    if (!world_has(world, FAULT_operator)) {
        world->is_paused = false;
        return;
    }
    uint32_t choice = chance_below(chance, 4);
    if (choice == 0 && settings->rate_per_minute > 20)
        settings->rate_per_minute /= 2;
    else if (choice == 1 && settings->rate_per_minute < 10000)
        settings->rate_per_minute *= 2;
    else if (choice == 2)
        settings->max_active = (uint32_t)chance_between(chance, 5, 4 * (int64_t)settings->max_active + 5);
    else
        world->is_paused = !world->is_paused;
    if (settings->max_active > LIMIT_ACTIVE)
        settings->max_active = LIMIT_ACTIVE;
    if (choice == 3)
        world_note(world, HAPPENED_PAUSED, world->is_paused, 0);
    else
        world_note(world, HAPPENED_TERMS, settings->rate_per_minute, settings->max_active);
    checks_terms(world);
    if (world->server.is_up)
        queue_configure(world->server.queue, settings, server_now(world));
    int64_t next_ms = world->is_paused ? chance_between(chance, 1000, 30000) : chance_exponential(chance, 90000);
    events_add(&world->events, world->now_ms + next_ms, EVENT_OPERATOR, 0, 0, 0);
}

/* ---- what fans ask ---- */

enum room_answer room_join(struct world *world, uint32_t fan, struct place *place) {
    struct server *server = &world->server;
    bool is_new;
    if (!server->is_up)
        return ROOM_DOWN;
    if (queue_join(server->queue, world_user_hash(fan), server_now(world), place, &is_new) != RESULT_OK)
        return ROOM_BUSY;
    if (is_new)
        record_append(world, RECORD_JOIN, fan, 0);
    world_note(world, is_new ? HAPPENED_JOINED : HAPPENED_JOINED_AGAIN, fan, place->number);
    checks_joined(world, fan, place, is_new);
    draw_numbers(world);
    return ROOM_OK;
}

uint32_t room_position(const struct world *world, uint32_t number) {
    struct place place;
    if (!world->server.is_up || queue_look(world->server.queue, number, server_now(world), &place) != RESULT_OK)
        return 0;
    return place.position;
}

static void admit(struct world *world, uint32_t fan, const struct queue_pass *pass, uint32_t shopper, uint32_t plan) {
    struct admission_row row = {
        .number = pass->number, .fan = fan, .claimed_ms = pass->claimed_ms, .expires_ms = pass->expires_ms};
    ledger_submit(world, &(struct ledger_write){.kind = LEDGER_ADMIT, .slot = shopper, .plan = plan, .admission = row});
    world_tempt(world, 2);
}

enum room_answer room_claim(struct world *world, uint32_t fan, uint32_t number, uint32_t shopper, uint32_t plan,
                            int64_t *retry_ms) {
    struct server *server = &world->server;
    if (!server->is_up)
        return ROOM_DOWN;
    if (queue_adopt(server->queue, number, world_user_hash(fan)) != RESULT_OK)
        return ROOM_UNKNOWN;
    checks_adopted(world, fan, number);
    struct queue_counts before;
    struct queue_pass pass = {0};
    bool is_new = false;
    queue_count(server->queue, &before);
    enum result result = queue_claim(server->queue, number, server_now(world), &pass, &is_new);
    checks_claimed(world, fan, number, result, &pass, is_new, &before);
    switch (result) {
    case RESULT_OK:
        if (is_new) {
            world_note(world, HAPPENED_GRANTED, fan, number);
            record_append(world, RECORD_ADMIT, number, pass.claimed_ms);
        }
        admit(world, fan, &pass, shopper, plan);
        world->crowd.shoppers[shopper].pass = pass;
        return ROOM_OK;
    case RESULT_NOT_YOUR_TURN:
        return ROOM_NOT_YOUR_TURN;
    case RESULT_AT_THE_DOOR:
        if (is_new)
            record_append(world, RECORD_DOOR, number, 0);
        *retry_ms = queue_retry_seconds_of(server->queue, number) * 1000LL;
        checks_at_the_door(world, number, *retry_ms);
        world_note(world, HAPPENED_AT_THE_DOOR, fan, number);
        return ROOM_AT_THE_DOOR;
    case RESULT_TURN_MISSED:
        world_note(world, HAPPENED_MISSED, fan, number);
        return ROOM_MISSED;
    default:
        return ROOM_UNKNOWN;
    }
}

static void end_pass(struct world *world, uint32_t number) {
    struct admission_row row = {.number = number, .ended_ms = server_now(world)};
    record_append(world, RECORD_END, number, 0);
    ledger_submit(world, &(struct ledger_write){.kind = LEDGER_END_PASS, .admission = row});
    checks_pass_ended(world, number);
}

enum room_answer room_leave(struct world *world, uint32_t fan, uint32_t number) {
    struct server *server = &world->server;
    if (!server->is_up)
        return ROOM_DOWN;
    if (queue_adopt(server->queue, number, world_user_hash(fan)) != RESULT_OK)
        return ROOM_UNKNOWN;
    checks_adopted(world, fan, number);
    bool was_inside = queue_check_pass(server->queue, number, server_now(world)) == RESULT_OK;
    if (queue_leave(server->queue, number, server_now(world)) != RESULT_OK)
        return ROOM_MISSED;
    world_note(world, HAPPENED_LEFT, fan, number);
    if (was_inside) {
        end_pass(world, number);
    } else {
        record_append(world, RECORD_LEFT, number, 0);
        checks_left(world, number);
    }
    return ROOM_OK;
}

bool room_lets_pass(const struct world *world, uint32_t number) {
    return queue_check_pass(world->server.queue, number, server_now(world)) == RESULT_OK;
}

void room_has_booked(struct world *world, uint32_t fan) {
    uint32_t number;
    if (queue_end_pass_of(world->server.queue, world_user_hash(fan), server_now(world), &number)) {
        world_note(world, HAPPENED_PASS_ENDED, fan, number);
        end_pass(world, number);
    }
}
