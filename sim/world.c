/* A world is made, played event by event until nothing is left to happen, and looked at once more. */
#include "world.h"
#include "base/panic.h"
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>

#define LONGEST_MS (3 * 86400000LL) /* no on-sale takes so long */
#define ROW_SEATS 40

struct user_id world_user(uint32_t fan) {
    struct user_id user = {0};
    user.length = (uint8_t)snprintf(user.text, sizeof user.text, "u%u", fan);
    return user;
}

uint64_t world_user_hash(uint32_t fan) {
    uint64_t hash = chance_mix(fan);
    return hash ? hash : 1;
}

/* ---- making ---- */

/* Rows of 40, and a floor with the rest. */
static struct plan *make_plan(uint32_t seats) {
    char text[400], pointer[200], detail[200];
    uint32_t rows = seats * 4 / 5 / ROW_SEATS, floor = seats - rows * ROW_SEATS;
    if (rows && floor)
        snprintf(text, sizeof text,
                 "{\"sections\":[{\"name\":\"\",\"rows\":%u,\"seats_per_row\":%d,\"category\":\"Standard\"},"
                 "{\"name\":\"Floor\",\"capacity\":%u,\"category\":\"Standard\"}]}",
                 rows, ROW_SEATS, floor);
    else
        snprintf(text, sizeof text,
                 "{\"sections\":[{\"name\":\"\",\"rows\":1,\"seats_per_row\":%u,\"category\":\"Standard\"}]}", seats);
    json_t *document;
    struct plan *plan;
    enum result result = json_parse(bytes_of(text), &document, detail, sizeof detail);
    if (result == RESULT_OK)
        result = plan_read(document, &plan, pointer, sizeof pointer, detail, sizeof detail);
    if (result != RESULT_OK) {
        fprintf(stderr, "onsale-sim: no plan of %u seats: %s\n", seats, detail);
        exit(2);
    }
    json_decref(document);
    return plan;
}

/* When it crashes, and how often, is drawn beforehand; world_tempt() moves some of it to where it hurts. */
static void draw_crashes(struct world *world) {
    struct chance *chance = &world->faults_chance;
    int64_t end_ms = world->terms.faults_end_ms;
    if (world_has(world, FAULT_crash))
        for (int64_t i = chance_between(chance, 0, 5); i > 0; i--)
            events_add(&world->events, chance_between(chance, 1000, end_ms), EVENT_KILL, 0, 0, 0);
    if (world_has(world, FAULT_power))
        for (int64_t i = chance_between(chance, 0, 2); i > 0; i--)
            events_add(&world->events, chance_between(chance, 1000, end_ms), EVENT_POWER, 0, 0, 0);
    if (world_has(world, FAULT_crash) || world_has(world, FAULT_power))
        world->crashes_left = (uint32_t)chance_between(chance, 0, 6);
    if (world_has(world, FAULT_operator))
        events_add(&world->events, world->terms.opens_ms + chance_exponential(chance, 120000), EVENT_OPERATOR, 0, 0, 0);
}

static struct world *make(const struct options *options, uint64_t seed) {
    struct world *world = memory_new(1, sizeof *world);
    world->options = options;
    terms_draw(&world->terms, options, seed);
    history_init(&world->history, seed, options->trace);
    chance_seed(&world->faults_chance, seed, 2);
    chance_seed(&world->fans_chance, seed, 3);
    chance_seed(&world->gateway_chance, seed, 4);
    chance_seed(&world->server_chance, seed, 5);
    memcpy(world->show_id.at, (uint64_t[2]){chance_mix(seed), chance_mix(~seed)}, sizeof world->show_id.at);
    world->plan = make_plan(world->terms.seats);
    events_init(&world->events, world->terms.fans);
    disk_init(&world->disk, world->plan->seat_count);
    gateway_init(&world->gateway);
    checks_init(world);
    crowd_comes(world);
    draw_crashes(world);
    events_add(&world->events, 0, EVENT_START, 0, 0, 0);
    return world;
}

static void release(struct world *world) {
    queue_free(world->server.queue);
    show_free(world->server.show);
    memory_free(world->server.taken_of_slot);
    memory_free(world->server.sagas);
    id_map_release(&world->server.saga_of_reservation);
    memory_free(world->opening.order);
    memory_free(world->opening.position);
    crowd_release(&world->crowd);
    checks_release(&world->checks);
    gateway_release(&world->gateway);
    disk_release(&world->disk);
    events_release(&world->events);
    plan_free(world->plan);
    memory_free(world);
}

/* ---- playing ---- */

void world_tempt(struct world *world, uint32_t permille) {
    struct chance *chance = &world->faults_chance;
    if (!world->crashes_left || !chance_permille(chance, permille))
        return;
    bool power = world_has(world, FAULT_power) && chance_permille(chance, 300);
    if (!power && !world_has(world, FAULT_crash))
        return;
    world->crashes_left--;
    events_add(&world->events, world->now_ms + chance_below(chance, 8), power ? EVENT_POWER : EVENT_KILL, 0, 0, 0);
}

static void give_back(struct world *world, uint32_t row, uint32_t tries) {
    if (world->server.is_up && sagas_refund(world, row))
        return;
    if (tries < 3)
        events_add(&world->events, world->now_ms + 20000, EVENT_REFUND, 0, row, tries + 1);
}

static void resume(struct world *world, uint32_t row) {
    if (!world->server.is_up || !sagas_resume(world, row))
        events_add(&world->events, world->now_ms + 20000, EVENT_RESUME, 0, row, 0);
}

static void happen(struct world *world, const struct event *event) {
    if (event->life && (event->life != world->server.life || !world->server.is_up))
        return;
    switch ((enum event_kind)event->kind) {
    case EVENT_FAN:
        fan_wakes(world, event->a);
        break;
    case EVENT_SHOPPER:
        shopper_wakes(world, event->a, event->b);
        break;
    case EVENT_PASS:
        shopper_has_pass(world, event->a, event->b);
        break;
    case EVENT_OUTCOME:
        shopper_has_outcome(world, event->a, event->b);
        break;
    case EVENT_TICK:
        server_tick(world);
        break;
    case EVENT_SAGA:
        sagas_timer(world, event->a, event->b);
        break;
    case EVENT_COMMIT:
        ledger_committed(world);
        break;
    case EVENT_SEALED:
        room_sealed(world, event->a);
        break;
    case EVENT_SYNCED:
        world->disk.journal.synced = event->a;
        world->disk.journal.marked_ms = server_now(world);
        break;
    case EVENT_ARRIVES:
        gateway_arrives(world, event->a);
        break;
    case EVENT_ANSWERED:
        gateway_answered(world, event->a);
        break;
    case EVENT_SETTLES:
        gateway_settles(world, event->a);
        break;
    case EVENT_COMES_LATE:
        gateway_comes_late(world, event->a);
        break;
    case EVENT_TAKEN_BACK:
        gateway_takes_back(world, event->a, event->b);
        break;
    case EVENT_WEBHOOK:
        gateway_calls(world, event->a);
        break;
    case EVENT_REFUND:
        give_back(world, event->a, event->b);
        break;
    case EVENT_RESUME:
        resume(world, event->a);
        break;
    case EVENT_OPERATOR:
        room_turn_knobs(world);
        break;
    case EVENT_KILL:
    case EVENT_POWER:
        if (world->server.is_up)
            server_die(world, event->kind == EVENT_POWER);
        break;
    case EVENT_START:
        server_start(world);
        break;
    }
}

static void print_figures(const struct world *world) {
    const struct checks *checks = &world->checks;
    const struct terms *terms = &world->terms;
    const uint64_t *counts = world->history.counts;
    int64_t span_ms = checks->last_grant_ms - checks->first_grant_ms;
    printf("%u fans, %u seats, %u a minute, %u inside at most, %s; %lld s of virtual time, %llu events\n", terms->fans,
           terms->seats, terms->queue.rate_per_minute, terms->queue.max_active,
           terms->is_shuffled ? "shuffled" : "in order of arrival", (long long)(world->now_ms / 1000),
           (unsigned long long)world->events.order);
    printf("%u numbers, %llu let in over %lld s, %u inside at once, %llu missed, %llu polls\n", checks->highest,
           (unsigned long long)checks->granted, (long long)(span_ms / 1000), checks->most_inside,
           (unsigned long long)counts[HAPPENED_MISSED], (unsigned long long)world->crowd.polls);
    printf("%llu holds, %llu sales, %llu cancelled, %llu given back; %llu crashes, %llu of them of power\n",
           (unsigned long long)counts[HAPPENED_HELD], (unsigned long long)counts[HAPPENED_SOLD],
           (unsigned long long)counts[HAPPENED_CANCELLED], (unsigned long long)counts[HAPPENED_GIVEN_BACK],
           (unsigned long long)counts[HAPPENED_KILLED], (unsigned long long)counts[HAPPENED_POWER_LOST]);
    printf("%llu payments came late, %llu of them got their seats again; %llu resumed by the operator\n",
           (unsigned long long)counts[HAPPENED_CAME_LATE], (unsigned long long)counts[HAPPENED_HELD_AGAIN],
           (unsigned long long)counts[HAPPENED_RESUMED]);
}

void world_play(const struct options *options, uint64_t seed) {
    struct world *world = make(options, seed);
    struct event event;
    while (events_next(&world->events, &event)) {
        world->now_ms = event.at_ms;
        if (world->now_ms > LONGEST_MS)
            world_broken(world, "there is no end: %u fans are not home, %u payments are open",
                         world->crowd.count - world->crowd.home, world->server.sagas_open);
        happen(world, &event);
    }
    checks_end(world);
    if (!options->quiet)
        print_figures(world);
    uint8_t digest[HISTORY_DIGEST_BYTES];
    char text[2 * HISTORY_DIGEST_BYTES + 1] = "";
    history_digest(&world->history, digest);
    hex_encode(digest, sizeof digest, text);
    printf("seed=%llu digest=%s ok\n", (unsigned long long)seed, text);
    release(world);
}
