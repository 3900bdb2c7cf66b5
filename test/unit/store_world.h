/* A hold store over a show with rows A, B …, for tests: `store_world_open` is a start of the process,
 * `store_world_close` its orderly end. The folder, the plan, the clock and the ledger (which seats are sold) live
 * through restarts. */
#ifndef ONSALE_TEST_STORE_WORLD_H
#define ONSALE_TEST_STORE_WORLD_H

#include "show_world.h"

#include <ftw.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "engines/memory/memory_store.h"

struct test_clock {
    atomic_llong now_ms, boot_ms;
    struct id boot;
};

struct store_world {
    char folder[64];
    struct world show; /* as show_world.h has it, but unlocked while the store is open */
    struct test_clock clock;
    struct journal_clock journal_clock;
    struct memory_store_settings settings;
    struct hold_store store;
    uint32_t epoch;
    uint32_t sold_count;
    uint32_t sold[64]; /* in the ledger */
    struct memory_recovery recovery;
    enum result opened;
    char detail[2048];
};

static inline int64_t clock_reads_now(void *context) {
    return atomic_load(&((struct test_clock *)context)->now_ms);
}

static inline int64_t clock_reads_boot(void *context) {
    return atomic_load(&((struct test_clock *)context)->boot_ms);
}

static inline struct id clock_reads_which_boot(void *context) {
    return ((struct test_clock *)context)->boot;
}

static inline int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static inline void remove_tree(const char *folder) {
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static const struct id world_show_id = {{9, [14] = 0xab, [15] = 0xcd}};

/* A folder, a plan, a clock; nothing runs yet. */
static inline struct store_world *store_world_new(unsigned rows, unsigned seats) {
    struct store_world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    strcpy(world->folder, "/tmp/onsale-store-test-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    char text[256];
    snprintf(text, sizeof text,
             "{\"sections\":[{\"name\":\"\",\"rows\":%u,\"seats_per_row\":%u,\"category\":\"Standard\"}]}", rows,
             seats);
    world->show.plan = plan_of_json(text);
    world->clock.boot = (struct id){{1}};
    atomic_init(&world->clock.now_ms, NOW);
    atomic_init(&world->clock.boot_ms, 1000);
    world->journal_clock = (struct journal_clock){.context = &world->clock,
                                                  .now_ms = clock_reads_now,
                                                  .boot_ms = clock_reads_boot,
                                                  .boot = clock_reads_which_boot};
    world->settings = (struct memory_store_settings){.folder = world->folder, .clock = &world->journal_clock};
    return world;
}

static inline int64_t world_now(struct store_world *world) {
    return atomic_load(&world->clock.now_ms);
}

static inline void time_passes(struct store_world *world, int64_t ms) {
    atomic_fetch_add(&world->clock.now_ms, ms);
    atomic_fetch_add(&world->clock.boot_ms, ms);
}

static inline struct show *new_show(struct store_world *world, const struct id *show_id) {
    struct show_settings settings = world_settings();
    settings.payment_attempts = 3;
    struct show *show = show_new(show_id, world->show.plan, &settings, ++world->epoch);
    assert_non_null(show);
    return show;
}

/* Starts: the show's seats as the ledger has them, then the holds. The result is in world->opened. */
static inline void store_world_start(struct store_world *world) {
    world->show.show = new_show(world, &world_show_id);
    show_lock(world->show.show);
    struct user_id buyer = user_named("buyer");
    for (uint32_t i = 0; i < world->sold_count; i++)
        show_load_seat(world->show.show, world->sold[i], SEAT_BOOKED, 3, &buyer);
    show_unlock(world->show.show);
    world->detail[0] = '\0';
    world->recovery = (struct memory_recovery){0};
    world->opened = memory_store_open(&world->settings, &world->store, world->detail, sizeof world->detail);
    if (world->opened == RESULT_OK)
        world->opened = memory_store_recover(&world->store, world->show.show, world_now(world), &world->recovery);
}

static inline void store_world_open(struct store_world *world) {
    store_world_start(world);
    if (world->opened != RESULT_OK)
        fail_msg("%s: %s", result_name(world->opened), world->detail);
    memory_store_end_recovery(&world->store);
}

static inline void store_world_close(struct store_world *world) {
    if (world->store.engine)
        memory_store_close(&world->store);
    show_lock(world->show.show);
    world_check(&world->show);
    show_unlock(world->show.show);
    show_free(world->show.show);
    world->show.show = NULL;
}

static inline void store_world_restart(struct store_world *world) {
    store_world_close(world);
    store_world_open(world);
}

static inline void store_world_free(struct store_world *world) {
    if (world->show.show)
        store_world_close(world);
    plan_free(world->show.plan);
    remove_tree(world->folder);
    free(world);
}

/* ---- through the port ---- */

static inline void nothing_more(struct hold_take_call *call) {
    ++*(int *)call->context;
}

static inline void no_more_steps(struct hold_step_call *call) {
    ++*(int *)call->context;
}

/* Takes by seat names; the call's outputs are kept in *call. */
static inline enum result store_takes(struct store_world *world, const char *fan, const char *names,
                                      struct hold_take_call *call) {
    uint32_t seats[LIMIT_SEATS_PER_HOLD];
    struct user_id user = user_named(fan);
    int done = 0;
    call->show = world->show.show;
    call->wish =
        (struct hold_wish){.user = &user, .seats = seats, .seat_count = seats_named(&world->show, names, seats)};
    call->now_ms = world_now(world);
    call->context = &done;
    call->done = nothing_more;
    world->store.take(world->store.engine, call);
    assert_int_equal(done, 1);
    call->wish.user = NULL;
    call->wish.seats = NULL;
    return call->result;
}

static inline struct id store_took(struct store_world *world, const char *fan, const char *names) {
    struct hold_take_call call = {.render = NULL};
    assert_int_equal(store_takes(world, fan, names, &call), RESULT_OK);
    return call.hold.reservation;
}

static inline enum result store_steps(struct store_world *world, enum hold_step step, struct id reservation,
                                      struct hold_step_call *call) {
    int done = 0;
    call->show = world->show.show;
    call->step = step;
    call->reservation = reservation;
    call->now_ms = world_now(world);
    call->context = &done;
    call->done = no_more_steps;
    world->store.step(world->store.engine, call);
    assert_int_equal(done, 1);
    return call->result;
}

static inline enum result step(struct store_world *world, enum hold_step what, struct id reservation) {
    struct hold_step_call call = {.booking = {{what == HOLD_STEP_BEGIN_PAYMENT ? 77 : 0}}};
    return store_steps(world, what, reservation, &call);
}

static inline void synced(struct store_world *world) {
    assert_int_equal(memory_store_sync(&world->store), RESULT_OK);
}

/* The hold as the show has it; state HOLD_FREE if there is none. */
static inline struct hold hold_of(struct store_world *world, struct id reservation) {
    struct hold hold = {.state = HOLD_FREE};
    show_lock(world->show.show);
    uint32_t slot = hold_find(world->show.show, &reservation);
    if (slot != HOLD_NO_SLOT)
        hold = *hold_at(world->show.show, slot);
    show_unlock(world->show.show);
    return hold;
}

static inline enum hold_state state_of(struct store_world *world, struct id reservation) {
    return (enum hold_state)hold_of(world, reservation).state;
}

static inline void assert_names(struct store_world *world, const char *names, enum seat_status status) {
    show_lock(world->show.show);
    assert_seats(&world->show, names, status);
    show_unlock(world->show.show);
}

/* Of all segments. */
static inline uint64_t journal_bytes(const struct store_world *world) {
    char path[128];
    struct stat status;
    uint64_t bytes = 0;
    for (unsigned number = 1; number < 1000; number++) {
        snprintf(path, sizeof path, "%s/holds/%08u.journal", world->folder, number);
        if (stat(path, &status) == 0)
            bytes += (uint64_t)status.st_size;
    }
    return bytes;
}

static inline struct show_counts counts_of(struct store_world *world) {
    struct show_counts counts;
    show_lock(world->show.show);
    show_count(world->show.show, &counts);
    show_unlock(world->show.show);
    return counts;
}

#endif
