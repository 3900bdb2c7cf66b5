/* One life of the server after the other: it starts from what the disk has, ticks, and dies. */
#include "base/panic.h"
#include "memory.h"
#include "world.h"

#define TICK_MS 100

int64_t server_now(const struct world *world) {
    return WORLD_WALL_MS + world->server.wall_offset_ms + world->now_ms;
}

/* ---- starting ---- */

static void move_clock(struct world *world) {
    struct server *server = &world->server;
    struct chance *chance = &world->faults_chance;
    server->wall_moved_ms = 0;
    if (server->life == 0 || !world_has(world, FAULT_clock) || chance_permille(chance, 400))
        return;
    int64_t most_ms = chance_permille(chance, 500) ? 5000 : 4 * 3600000;
    server->wall_moved_ms = chance_between(chance, -most_ms, most_ms);
    server->wall_offset_ms += server->wall_moved_ms;
    world->has_clock_moved = true;
}

/* In the order of src/runtime/node.c: seats from the ledger, holds from the journal, unfinished sagas; and the queue.
 */
void server_start(struct world *world) {
    struct server *server = &world->server;
    move_clock(world);
    server->life++;
    server->is_up = true;
    world_note(world, HAPPENED_STARTED, server->life, (uint64_t)server->wall_offset_ms);
    office_start(world);
    sagas_start(world);
    room_start(world);
    checks_restarted(world);
    events_add(&world->events, world->now_ms, EVENT_TICK, server->life, 0, 0);
}

/* ---- dying ---- */

/* What was not on disk yet may be gone, from some record on. */
static uint32_t cut_journal(struct world *world) {
    struct journal_image *journal = &world->disk.journal;
    uint32_t unsynced = journal->count - journal->synced;
    uint32_t kept = journal->synced + chance_below(&world->faults_chance, unsynced + 1);
    uint32_t lost = journal->count - kept;
    journal->count = journal->synced = kept;
    return lost;
}

static uint32_t cut_record(struct world *world) {
    struct record_image *record = &world->disk.record;
    uint32_t left = record_left_after_power_loss(world), lost = record->count - left;
    for (uint32_t i = left; i < record->count; i++) {
        if (record->lines[i].kind == RECORD_OPEN) {
            world->opening.is_made = false;
        } else if (record->lines[i].kind == RECORD_FREEZE) {
            /* Red if a freeze is trusted before it is on disk: then those who come know what the beacon said. */
            if (world->opening.is_frozen_on_disk)
                world_broken(world, "a power loss undid the freeze of the pre-queue after its beacon could speak");
            world->opening.is_frozen = false;
        }
    }
    record->count = record->sealed = left;
    record->is_whole = false;
    return lost;
}

void server_die(struct world *world, bool power) {
    struct server *server = &world->server;
    world->crashes++;
    world->power_losses += power;
    ledger_crash(world);
    uint32_t lost = cut_journal(world);
    world_note(world, HAPPENED_KILLED, server->life, lost);
    if (power)
        world_note(world, HAPPENED_POWER_LOST, server->life, cut_record(world));
    checks_died(world);
    sagas_die(world);
    queue_free(server->queue);
    show_free(server->show);
    memory_free(server->taken_of_slot);
    memory_free(server->sagas);
    id_map_release(&server->saga_of_reservation);
    *server = (struct server){.life = server->life, .wall_offset_ms = server->wall_offset_ms, .is_same_boot = !power};
    int64_t down_ms = chance_exponential(&world->faults_chance, power ? 20000 : 3000);
    events_add(&world->events, world->now_ms + 200 + down_ms, EVENT_START, 0, 0, 0);
}

/* ---- living ---- */

void server_written(struct world *world, struct ledger_write *write) {
    switch (write->kind) {
    case LEDGER_OPEN_BOOKING:
    case LEDGER_STEP_BOOKING:
    case LEDGER_SELL:
    case LEDGER_CANCEL_SOLD:
        sagas_written(world, write);
        break;
    case LEDGER_WRITE_SEATS:
        world->server.seats_are_told = false;
        break;
    default:
        room_written(world, write);
    }
}

static bool is_over(const struct world *world) {
    struct show_counts counts;
    show_lock(world->server.show);
    show_count(world->server.show, &counts);
    show_unlock(world->server.show);
    return world->crowd.home == world->crowd.count && world->server.sagas_open == 0 && counts.held == 0 &&
           world->disk.ledger.count == 0 && world->gateway.webhooks == 0 && world->now_ms > world->terms.opens_ms;
}

void server_tick(struct world *world) {
    office_tick(world);
    room_tick(world);
    checks_ticked(world);
    if (!is_over(world))
        events_add(&world->events, world->now_ms + TICK_MS, EVENT_TICK, world->server.life, 0, 0);
}
