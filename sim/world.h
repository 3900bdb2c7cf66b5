/* A simulated world: what is in it, and who may change what.
 *
 *     fans ──▶ server (one life after the other) ──▶ disk        everything moves by events, on one thread,
 *                 │         ▲                                     in virtual time
 *                 ▼         │
 *               gateway ────┘      checks watch all of them from outside
 *
 * The server is made of the objects that serve: src/waitroom's queue, src/seats' show, src/bookings' saga. What drives
 * them here (room.c, office.c, sagas.c) does what src/api and src/runtime do, without threads and sockets.
 */
#ifndef ONSALE_SIM_WORLD_H
#define ONSALE_SIM_WORLD_H

#include "chance.h"
#include "checks.h"
#include "disk.h"
#include "events.h"
#include "fans.h"
#include "gateway.h"
#include "history.h"
#include "options.h"
#include "server.h"

#define WORLD_PRICE 5000
#define WORLD_WALL_MS 1767225600000LL /* what the wall clock says when virtual time begins */

struct world {
    const struct options *options;
    struct terms terms;
    int64_t now_ms; /* virtual time, from 0 */
    struct events events;
    struct history history;
    struct id show_id;
    struct plan *plan;

    struct chance faults_chance, fans_chance, gateway_chance, server_chance;
    uint32_t crashes_left, crashes, power_losses;
    bool has_clock_moved;
    bool is_paused; /* by the operator */

    struct disk disk;
    struct gateway gateway;
    struct opening opening;
    struct server server;
    struct crowd crowd;
    struct checks checks;
};

static inline bool world_has(const struct world *world, enum fault fault) {
    return world->options->faults >> fault & 1 && world->now_ms < world->terms.faults_end_ms;
}

static inline void world_note(struct world *world, enum happening what, uint64_t a, uint64_t b) {
    history_add(&world->history, world->now_ms, what, a, b);
}

#define world_broken(world, ...) history_broken(&(world)->history, (world)->now_ms, __VA_ARGS__)

/* Plays it to its end. The figures go to standard output, unless `quiet`. */
void world_play(const struct options *options, uint64_t seed);
/* A moment at which a crash would be interesting: perhaps one comes within the next milliseconds. */
void world_tempt(struct world *world, uint32_t permille);
/* Whose fan it is, as a name and as the hash that the queue knows. */
struct user_id world_user(uint32_t fan);
uint64_t world_user_hash(uint32_t fan);

#endif
