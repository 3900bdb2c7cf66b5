/* What a damaged or failing disk does to the journal of holds: a start finds a state that there was, or is refused with
 * advice; a running store stops taking, and never gives what it has not.
 *
 * A history is a run of the store whose state (which holds live) is known after every step; its file is then cut,
 * flipped and torn, and given to a fresh start. Each step is one record, so that every prefix of the journal is one of
 * the states. */
#include "../unit/store_world.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>

#include "base/files.h"
#include "base/log.h"

#define STEPS 12
#define HOLDS 6

/* Every offset, but where a start costs thirty times as much. */
#ifdef __SANITIZE_THREAD__
#define STRIDE 17
#else
#define STRIDE 1
#endif

struct history {
    struct store_world *world;
    struct id holds[HOLDS];     /* none: not taken */
    uint32_t states[STEPS + 1]; /* after n steps; bit i: hold i lives */
    size_t ends[STEPS + 1];     /* of the file, where each step was synced */
    struct buffer file;         /* the journal as it was at the end */
    unsigned steps, synced_steps;
};

static int no_sync(void *context, int fd) {
    (void)context, (void)fd;
    return 0;
}

static int no_folder_sync(void *context, const char *folder) {
    (void)context, (void)folder;
    return 0;
}

/* The real disk but for the waiting: what is tested is what is in the files, some ten thousand times. */
static struct journal_disk hasty_disk(void) {
    struct journal_disk disk = journal_real_disk;
    disk.sync = no_sync;
    disk.sync_folder = no_folder_sync;
    return disk;
}

static const char *journal_name(const struct store_world *world, unsigned number) {
    static char path[128];
    snprintf(path, sizeof path, "%s/holds/%08u.journal", world->folder, number);
    return path;
}

/* ---- a history ---- */

static uint32_t living_now(const struct history *history) {
    uint32_t now = 0;
    for (unsigned i = 0; i < HOLDS; i++) {
        enum hold_state state =
            id_is_none(&history->holds[i]) ? HOLD_FREE : state_of(history->world, history->holds[i]);
        if (state == HOLD_HELD || state == HOLD_PAYING)
            now |= 1U << i;
    }
    return now;
}

static void try_take(struct history *history, unsigned hold, const char *names) {
    struct hold_take_call call = {.render = NULL};
    enum result result = store_takes(history->world, "ada", names, &call);
    if (result == RESULT_OK)
        history->holds[hold] = call.hold.reservation;
    else
        assert_int_equal(result, RESULT_HOLD_STORE_UNAVAILABLE);
}

static void try_step(struct history *history, enum hold_step what, unsigned hold) {
    if (!id_is_none(&history->holds[hold]))
        assert_int_equal(step(history->world, what, history->holds[hold]), RESULT_OK);
}

/* One record each; some seats change hands, so that a state that never was could not be told from the journal alone. */
static void history_step(struct history *history) {
    static const struct {
        unsigned hold;
        const char *take; /* or NULL: */
        enum hold_step step;
    } steps[STEPS] = {{0, "A1 A2", 0},
                      {1, "A3 A4", 0},
                      {0, NULL, HOLD_STEP_RELEASE},
                      {2, "A2 A1", 0},
                      {1, NULL, HOLD_STEP_BEGIN_PAYMENT},
                      {3, "B1 B2", 0},
                      {1, NULL, HOLD_STEP_DECLINE},
                      {4, "A4 A3", 0},
                      {3, NULL, HOLD_STEP_BEGIN_PAYMENT},
                      {3, NULL, HOLD_STEP_SELL},
                      {5, "B5 B6 B7", 0},
                      {2, NULL, HOLD_STEP_RELEASE}};
    unsigned n = history->steps++;
    if (steps[n].take)
        try_take(history, steps[n].hold, steps[n].take);
    else
        try_step(history, steps[n].step, steps[n].hold);
    history->states[n + 1] = living_now(history);
}

static void take_file(struct history *history) {
    buffer_release(&history->file);
    buffer_init(&history->file, 1 << 20);
    assert_int_equal(file_read(journal_name(history->world, 1), &history->file), RESULT_OK);
}

/* A run of all steps; `sync_each`: each in a batch of its own. The world is left stopped. */
static struct history history_new(const struct journal_disk *disk, bool sync_each) {
    struct history history = {.world = store_world_new(2, 20)};
    history.world->settings.disk = disk;
    store_world_open(history.world);
    synced(history.world);
    take_file(&history);
    history.ends[0] = history.file.length;
    while (history.steps < STEPS) {
        history_step(&history);
        if (!sync_each)
            continue;
        synced(history.world);
        take_file(&history);
        history.ends[history.steps] = history.file.length;
    }
    synced(history.world);
    take_file(&history);
    store_world_close(history.world);
    return history;
}

static void history_free(struct history *history) {
    buffer_release(&history->file);
    store_world_free(history->world);
}

/* A start on this file alone: the result, and which holds live. */
static enum result start_on(struct history *history, struct bytes file, uint32_t *lives) {
    struct store_world *world = history->world;
    for (unsigned number = 1; number <= 4; number++)
        remove(journal_name(world, number));
    int fd = open(journal_name(world, 1), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file.at, file.length), file.length);
    close(fd);
    store_world_start(world);
    if (world->opened == RESULT_OK) {
        memory_store_end_recovery(&world->store);
        *lives = living_now(history);
        assert_int_equal(world->recovery.lost, 0);
    } else {
        assert_true(strstr(world->detail, "00000001.journal'") &&
                    strstr(world->detail, world->opened == RESULT_CORRUPT ? "move it away" : "a newer one"));
    }
    enum result opened = world->opened;
    store_world_close(world); /* checks the whole show */
    return opened;
}

static bool was_a_state(const struct history *history, unsigned from, unsigned to, uint32_t lives) {
    for (unsigned n = from; n <= to; n++)
        if (history->states[n] == lives)
            return true;
    return false;
}

/* ---- damage ---- */

static void a_journal_cut_anywhere_gives_the_state_of_its_last_whole_record(void **state) {
    /* Red when a torn tail is refused, or read beyond its last good record. */
    (void)state;
    struct journal_disk disk = hasty_disk();
    struct history history = history_new(&disk, true);
    for (size_t cut = 0; cut <= history.file.length; cut += STRIDE) {
        uint32_t lives = 0;
        enum result result = start_on(&history, (struct bytes){history.file.at, cut}, &lives);
        unsigned whole = STEPS;
        while (whole > 0 && history.ends[whole] > cut)
            whole--;
        if (result != (cut < history.ends[0] ? RESULT_CORRUPT : RESULT_OK) ||
            (result == RESULT_OK && lives != history.states[whole]))
            fail_msg("cut at %zu of %zu: %s, holds %x, not %x", cut, history.file.length, result_name(result), lives,
                     history.states[whole]);
    }
    history_free(&history);
}

static void a_flipped_byte_is_refused_where_good_records_follow_and_cut_where_none_do(void **state) {
    /* Red when a checksum leaves a byte out, or what is behind a bad record is not looked at. */
    (void)state;
    struct journal_disk disk = hasty_disk();
    struct history history = history_new(&disk, true);
    size_t last_batch = history.ends[STEPS - 1];
    for (size_t at = 0; at < history.file.length; at += STRIDE) {
        char flip = at % 3 == 0 ? 1 : at % 3 == 1 ? (char)0x80 : (char)0xff;
        history.file.at[at] = (char)(history.file.at[at] ^ flip);
        uint32_t lives = 0;
        enum result result = start_on(&history, buffer_bytes(&history.file), &lives);
        history.file.at[at] = (char)(history.file.at[at] ^ flip);
        bool in_version = at >= 8 && at < 12;
        if (at >= last_batch ? result != RESULT_OK || lives != history.states[STEPS - 1]
                             : result != RESULT_CORRUPT && !(in_version && result == RESULT_NEWER_VERSION))
            fail_msg("flipped at %zu of %zu: %s, holds %x", at, history.file.length, result_name(result), lives);
    }
    history_free(&history);
}

static void a_batch_missing_in_the_middle_is_refused(void **state) {
    /* Red when sequence numbers are not followed from record to record. */
    (void)state;
    struct journal_disk disk = hasty_disk();
    struct history history = history_new(&disk, true);
    memmove(history.file.at + history.ends[3], history.file.at + history.ends[4],
            history.file.length - history.ends[4]);
    struct bytes shorter = {history.file.at, history.file.length - (history.ends[4] - history.ends[3])};
    uint32_t lives;
    assert_int_equal(start_on(&history, shorter, &lives), RESULT_CORRUPT);
    history_free(&history);
}

/* Where the last record of that kind starts; 0: of any. */
static size_t last_record(struct bytes file, enum journal_kind kind) {
    struct bytes rest = {file.at + JOURNAL_HEADER_BYTES, file.length - JOURNAL_HEADER_BYTES};
    struct journal_record record;
    size_t at = 0;
    for (size_t start = JOURNAL_HEADER_BYTES; journal_next_record(&rest, &record); start = file.length - rest.length)
        if (!kind || record.kind == kind)
            at = start;
    return at;
}

static void a_batch_torn_by_a_power_cut_is_read_up_to_the_tear(void **state) {
    /* Red when a good record behind a bad one is enough to refuse: pages of one batch come to the disk in any order. */
    (void)state;
    struct journal_disk disk = hasty_disk();
    struct history history = history_new(&disk, false);
    size_t batch = last_record(buffer_bytes(&history.file), JOURNAL_MARK), length = history.file.length - batch;
    char *whole = malloc(history.file.length);
    assert_non_null(whole);
    memcpy(whole, history.file.at, history.file.length);
    unsigned seed = 7, prefixes = 0;
    for (int round = 0; round < 1500 / STRIDE; round++) {
        size_t from = (size_t)rand_r(&seed) % length, until = from + 1 + (size_t)rand_r(&seed) % (length - from);
        memset(history.file.at + batch + from, 0, until - from);
        uint32_t lives = 0;
        enum result result = start_on(&history, buffer_bytes(&history.file), &lives);
        if (result != RESULT_OK || !was_a_state(&history, 0, STEPS, lives))
            fail_msg("torn from %zu to %zu: %s, holds %x", from, until, result_name(result), lives);
        prefixes += lives != history.states[STEPS] && lives != history.states[0];
        memcpy(history.file.at, whole, history.file.length);
    }
    assert_true(prefixes > 0);
    free(whole);
    history_free(&history);
}

static void a_newer_journal_is_left_alone(void **state) {
    /* Red when the checksum of a header that we do not know is checked before its version. */
    (void)state;
    struct journal_disk disk = hasty_disk();
    struct history history = history_new(&disk, true);
    history.file.at[8] = 2;
    uint32_t lives;
    assert_int_equal(start_on(&history, buffer_bytes(&history.file), &lives), RESULT_NEWER_VERSION);
    struct buffer after;
    buffer_init(&after, 1 << 20);
    assert_int_equal(file_read(journal_name(history.world, 1), &after), RESULT_OK);
    assert_true(bytes_equal(buffer_bytes(&after), buffer_bytes(&history.file)));
    assert_int_equal(access(journal_name(history.world, 2), F_OK), -1);
    buffer_release(&after);
    history_free(&history);
}

/* ---- a disk that fails ---- */

/* Counts down; at 0 an operation fails, once or from there on. */
struct failing_disk {
    atomic_int left;
    bool for_good;
    bool writes_little;
    bool syncs_only; /* nothing else is counted or fails */
};

static bool fails(void *context, bool is_sync) {
    struct failing_disk *failing = context;
    if (failing->syncs_only && !is_sync)
        return false;
    int left = atomic_fetch_sub(&failing->left, 1) - 1;
    if (left != 0 && !(left < 0 && failing->for_good))
        return false;
    errno = EIO;
    return true;
}

static int create_or_fail(void *context, const char *path) {
    return fails(context, false) ? -1 : journal_real_disk.create(NULL, path);
}

static ssize_t write_or_fail(void *context, int fd, const void *data, size_t length) {
    const struct failing_disk *failing = context;
    if (fails(context, false))
        return -1;
    return journal_real_disk.write(NULL, fd, data, failing->writes_little && length > 7 ? 7 : length);
}

static int sync_or_fail(void *context, int fd) {
    (void)fd;
    return fails(context, true) ? -1 : 0;
}

static int rename_or_fail(void *context, const char *from, const char *to) {
    return fails(context, false) ? -1 : journal_real_disk.rename(NULL, from, to);
}

static int remove_or_fail(void *context, const char *path) {
    return fails(context, false) ? -1 : journal_real_disk.remove(NULL, path);
}

static int sync_folder_or_fail(void *context, const char *folder) {
    (void)folder;
    return fails(context, false) ? -1 : 0;
}

static struct journal_disk disk_that_fails(struct failing_disk *failing) {
    return (struct journal_disk){failing,        create_or_fail, write_or_fail,      sync_or_fail,
                                 rename_or_fail, remove_or_fail, sync_folder_or_fail};
}

/* All steps, on a journal that is rewritten as often as can be. False when the store did not open. */
static bool run_all(struct history *history) {
    struct store_world *world = history->world;
    store_world_start(world);
    if (world->opened != RESULT_OK) {
        assert_int_equal(world->opened, RESULT_IO_ERROR);
        assert_non_null(strstr(world->detail, "Input/output error"));
        return false;
    }
    memory_store_end_recovery(&world->store);
    while (history->steps < STEPS) {
        history_step(history);
        enum result result = memory_store_sync(&world->store);
        if (result == RESULT_OK) {
            history->synced_steps = history->steps;
        } else {
            assert_int_equal(result, RESULT_HOLD_STORE_UNAVAILABLE);
            struct hold_take_call call = {.render = NULL};
            assert_int_equal(store_takes(world, "zoe", "B20", &call), RESULT_HOLD_STORE_UNAVAILABLE);
            assert_names(world, "B20", SEAT_AVAILABLE);
        }
    }
    return true;
}

static void wherever_the_disk_fails_the_next_start_finds_what_was_synced(void **state) {
    /* Red when a failed operation is not noticed, is tried again, takes the old segments with it, or leaves a journal
     * that cannot be read. */
    (void)state;
    unsigned hit = 0;
    for (int variant = 0; variant<4; variant += STRIDE> 1 ? 3 : 1) {
        for (int nth = 1;; nth++) {
            struct failing_disk failing = {.for_good = variant % 2, .writes_little = variant / 2};
            atomic_init(&failing.left, nth);
            struct journal_disk disk = disk_that_fails(&failing), hasty = hasty_disk();
            struct history history = {.world = store_world_new(2, 20)};
            history.world->settings.disk = &disk;
            history.world->settings.compact_bytes = 1;
            run_all(&history);
            store_world_close(history.world);
            bool was_hit = atomic_load(&failing.left) <= 0;
            history.world->settings.disk = &hasty;
            store_world_open(history.world);
            uint32_t lives = living_now(&history);
            if (!was_a_state(&history, history.synced_steps, history.steps, lives))
                fail_msg("variant %d, operation %d fails: holds %x after %u synced steps", variant, nth, lives,
                         history.synced_steps);
            history_free(&history);
            hit += was_hit;
            if (!was_hit)
                break;
            assert_in_range(nth, 1, 2000);
        }
    }
    assert_true(hit > 100);
}

static void holds_go_on_and_are_sold_when_the_journal_has_failed(void **state) {
    /* Red when a failed write or sync is passed over, or stops more than new takes. */
    (void)state;
    for (int syncs_only = 0; syncs_only < 2; syncs_only++) {
        struct failing_disk failing = {.syncs_only = syncs_only};
        atomic_init(&failing.left, 1 << 30);
        struct journal_disk disk = disk_that_fails(&failing);
        struct store_world *world = store_world_new(2, 20);
        world->settings.disk = &disk;
        store_world_open(world);
        struct id sold = store_took(world, "ada", "A1 A2"), released = store_took(world, "bob", "A3"),
                  expiring = store_took(world, "cy", "A4");
        synced(world);
        atomic_store(&failing.left, 1);
        store_took(world, "dee", "A5"); /* nobody knows yet */
        for (int again = 0; again < 2; again++) {
            struct hold_take_call call = {.render = NULL};
            assert_int_equal(memory_store_sync(&world->store), RESULT_HOLD_STORE_UNAVAILABLE);
            assert_int_equal(store_takes(world, "eve", "A6", &call), RESULT_HOLD_STORE_UNAVAILABLE);
        }
        assert_int_equal(step(world, HOLD_STEP_BEGIN_PAYMENT, sold), RESULT_OK);
        assert_int_equal(step(world, HOLD_STEP_SELL, sold), RESULT_OK);
        assert_int_equal(step(world, HOLD_STEP_RELEASE, released), RESULT_OK);
        time_passes(world, HOLD_MS + GRACE_MS);
        assert_false(world->store.expire(world->store.engine, world->show.show, world_now(world)));
        assert_int_equal(state_of(world, expiring), HOLD_EXPIRED);
        assert_names(world, "A1 A2", SEAT_BOOKED);
        assert_names(world, "A3 A4 A5", SEAT_AVAILABLE);
        store_world_free(world);
    }
}

/* ---- a disk that stalls ---- */

struct stalling_disk {
    atomic_bool stalls;
    sem_t entered, go_on;
};

static int sync_when_allowed(void *context, int fd) {
    struct stalling_disk *stalling = context;
    (void)fd;
    if (atomic_load(&stalling->stalls)) {
        sem_post(&stalling->entered);
        sem_wait(&stalling->go_on);
    }
    return 0;
}

static void fill_the_answer(const struct hold_take_call *call, struct buffer *body) {
    (void)call;
    char *room = buffer_reserve(body, LIMIT_ANSWER_BODY_BYTES);
    assert_non_null(room);
    memset(room, 'x', LIMIT_ANSWER_BODY_BYTES);
    body->length = LIMIT_ANSWER_BODY_BYTES;
}

static void a_stalled_disk_stops_new_takes_until_it_goes_on(void **state) {
    /* Red when what gathers while the disk stalls has no bound, or the store does not take again afterwards. */
    (void)state;
    struct stalling_disk stalling;
    sem_init(&stalling.entered, 0, 0);
    sem_init(&stalling.go_on, 0, 0);
    atomic_init(&stalling.stalls, false);
    struct journal_disk disk = hasty_disk();
    disk.context = &stalling;
    disk.sync = sync_when_allowed;
    struct store_world *world = store_world_new(10, 20);
    world->settings.disk = &disk;
    store_world_open(world);
    synced(world);
    atomic_store(&stalling.stalls, true);
    store_took(world, "ada", "A1");
    sem_wait(&stalling.entered);
    enum result result = RESULT_OK;
    unsigned taken = 0;
    while (result == RESULT_OK && taken < 150) {
        char name[8];
        snprintf(name, sizeof name, "%c%u", 'B' + taken / 20, taken % 20 + 1);
        struct hold_take_call call = {.answer_key = {{{1, (uint8_t)taken}}, {{2}}}, .render = fill_the_answer};
        result = store_takes(world, "bob", name, &call);
        taken += result == RESULT_OK;
    }
    assert_int_equal(result, RESULT_HOLD_STORE_UNAVAILABLE);
    assert_in_range(taken, 10, 140);
    assert_int_equal(counts_of(world).held, taken + 1);
    atomic_store(&stalling.stalls, false);
    sem_post(&stalling.go_on);
    synced(world);
    store_took(world, "ada", "A2");
    store_world_restart(world);
    assert_int_equal(world->recovery.restored, taken + 2);
    store_world_free(world);
    sem_destroy(&stalling.entered);
    sem_destroy(&stalling.go_on);
}

/* ---- two segments ---- */

/* A journal whose rewriting was cut short: segment 1, and segment 2 without a BASE. */
static struct store_world *cut_short(void) {
    for (int nth = 1; nth < 200; nth++) {
        struct failing_disk failing = {.for_good = true};
        atomic_init(&failing.left, nth);
        struct journal_disk disk = disk_that_fails(&failing);
        struct history history = {.world = store_world_new(2, 20)};
        history.world->settings.disk = &disk;
        history.world->settings.compact_bytes = 1;
        run_all(&history);
        store_world_close(history.world);
        history.world->settings.disk = NULL;
        if (access(journal_name(history.world, 1), F_OK) == 0 && access(journal_name(history.world, 2), F_OK) == 0)
            return history.world;
        store_world_free(history.world);
    }
    fail_msg("the disk never failed between two segments");
    return NULL;
}

static void segments_that_do_not_fit_together_are_refused(void **state) {
    /* Red when a missing or shortened older segment is not noticed while its successor is not complete. */
    (void)state;
    struct store_world *world = cut_short();
    struct buffer file;
    buffer_init(&file, 1 << 20);
    assert_int_equal(file_read(journal_name(world, 1), &file), RESULT_OK);
    assert_int_equal(truncate(journal_name(world, 1), (off_t)last_record(buffer_bytes(&file), 0)), 0);
    buffer_release(&file);
    store_world_start(world);
    assert_int_equal(world->opened, RESULT_CORRUPT);
    assert_non_null(strstr(world->detail, "does not lead up"));
    store_world_close(world);
    assert_int_equal(remove(journal_name(world, 1)), 0);
    store_world_start(world);
    assert_int_equal(world->opened, RESULT_CORRUPT);
    assert_non_null(strstr(world->detail, "lacks its beginning"));
    store_world_free(world);
}

int main(void) {
    log_set_level(LOG_LEVEL_ERROR + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_journal_cut_anywhere_gives_the_state_of_its_last_whole_record),
        cmocka_unit_test(a_flipped_byte_is_refused_where_good_records_follow_and_cut_where_none_do),
        cmocka_unit_test(a_batch_missing_in_the_middle_is_refused),
        cmocka_unit_test(a_batch_torn_by_a_power_cut_is_read_up_to_the_tear),
        cmocka_unit_test(a_newer_journal_is_left_alone),
        cmocka_unit_test(wherever_the_disk_fails_the_next_start_finds_what_was_synced),
        cmocka_unit_test(holds_go_on_and_are_sold_when_the_journal_has_failed),
        cmocka_unit_test(a_stalled_disk_stops_new_takes_until_it_goes_on),
        cmocka_unit_test(segments_that_do_not_fit_together_are_refused),
    };
    return cmocka_run_group_tests_name("journal_faults", tests, NULL, NULL);
}
