/* Two fans at once against a journal that is being rewritten: what is on disk is what happened, in its order. */
#include "store_world.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "engines/memory/journal_read.h"

#define KEPT_AT_ONCE 8

struct contender {
    struct store_world *world;
    const char *fan;
    unsigned seed;
    int wanted; /* takes to try */
    int taken;
    struct id kept[KEPT_AT_ONCE]; /* the last ones that are still held */
    atomic_bool finished;
};

static bool contender_takes(struct contender *contender, struct id *reservation) {
    struct user_id user = user_named(contender->fan);
    uint32_t first = (uint32_t)rand_r(&contender->seed) % 79;
    uint32_t seats[2] = {first, first + 1};
    int done = 0;
    struct hold_take_call call = {.show = contender->world->show.show,
                                  .wish = {.user = &user, .seats = seats, .seat_count = 2},
                                  .now_ms = NOW,
                                  .context = &done,
                                  .done = nothing_more};
    contender->world->store.take(contender->world->store.engine, &call);
    *reservation = call.hold.reservation;
    return call.result == RESULT_OK;
}

static void contender_ends(struct contender *contender, struct id reservation) {
    int done = 0;
    bool pays = rand_r(&contender->seed) % 4 == 0;
    struct hold_step_call call = {.show = contender->world->show.show,
                                  .step = pays ? HOLD_STEP_BEGIN_PAYMENT : HOLD_STEP_RELEASE,
                                  .reservation = reservation,
                                  .booking = {{77}},
                                  .now_ms = NOW,
                                  .context = &done,
                                  .done = no_more_steps};
    contender->world->store.step(contender->world->store.engine, &call);
    call.step = HOLD_STEP_DECLINE;
    if (pays)
        contender->world->store.step(contender->world->store.engine, &call);
}

static void *contend(void *argument) {
    struct contender *contender = argument;
    for (int i = 0; i < contender->wanted; i++) {
        struct id reservation;
        if (!contender_takes(contender, &reservation))
            continue;
        if (contender->taken++ % 8 == 0) {
            struct id *oldest = &contender->kept[contender->taken / 8 % KEPT_AT_ONCE];
            struct id ended = *oldest;
            *oldest = reservation;
            reservation = ended;
        }
        if (!id_is_none(&reservation))
            contender_ends(contender, reservation);
    }
    atomic_store(&contender->finished, true);
    return NULL;
}

/* Who holds each seat, by the journal. */
struct holders {
    struct id of[80];
};

static enum result follow(void *context, const struct journal_header *header, const struct journal_record *record) {
    (void)header;
    struct holders *holders = context;
    struct journal_take take;
    struct journal_step step;
    if (record->kind == JOURNAL_TAKE && journal_read_take(record->payload, &take)) {
        for (uint32_t i = 0; i < take.hold.seat_count; i++) {
            struct id *holder = &holders->of[take.seats[i]];
            if (!id_is_none(holder) && !id_equal(holder, &take.hold.reservation))
                fail_msg("at record %llu seat %u has two holds", (unsigned long long)record->sequence, take.seats[i]);
            *holder = take.hold.reservation;
        }
    } else if (record->kind == JOURNAL_STEP && journal_read_step(record->payload, &step) &&
               step.what != JOURNAL_PAYING && step.what != JOURNAL_HELD_AGAIN) {
        for (uint32_t seat = 0; seat < 80; seat++)
            if (id_equal(&holders->of[seat], &step.reservation))
                holders->of[seat] = (struct id){{0}};
    }
    return RESULT_OK;
}

/* Wherever a crash cuts the journal, no seat is in two holds. */
static void check_every_prefix(struct store_world *world) {
    char folder[128];
    snprintf(folder, sizeof folder, "%s/holds", world->folder);
    struct holders holders = {.of = {{{0}}}};
    struct journal_reader reader = {.context = &holders, .record = follow};
    struct journal_found found;
    assert_int_equal(journal_read(folder, &reader, &found, world->detail, sizeof world->detail), RESULT_OK);
}

/* Two fans, as fast as they can, and a journal that is synced and rewritten as often as the disk allows. */
static void contend_for_seats(struct store_world *world, int takes) {
    struct contender contenders[2] = {{.world = world, .fan = "ada", .seed = 1, .wanted = takes},
                                      {.world = world, .fan = "bob", .seed = 2, .wanted = takes}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, contend, &contenders[i]), 0);
    while (!atomic_load(&contenders[0].finished) || !atomic_load(&contenders[1].finished))
        synced(world);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

static void two_threads_and_a_rewriting_journal_agree_with_memory(void **state) {
    /* Red when an end is journaled after the lock was left, so that the next take of its seats stands before it. (And
     * TSan's test.) */
    (void)state;
    struct store_world *world = store_world_new(2, 40);
    world->settings.compact_bytes = 4096;
    store_world_open(world);
    contend_for_seats(world, 40000);
    uint8_t before[20], after[20];
    uint64_t sequence;
    show_lock(world->show.show);
    show_copy_bits(world->show.show, before, &sequence);
    show_unlock(world->show.show);
    struct show_counts counts = counts_of(world);
    assert_true(counts.holds_held > 0);
    store_world_close(world);
    check_every_prefix(world);
    store_world_open(world);
    assert_int_equal(world->recovery.restored, counts.holds_held);
    assert_int_equal(world->recovery.lost, 0);
    show_lock(world->show.show);
    show_copy_bits(world->show.show, after, &sequence);
    show_unlock(world->show.show);
    assert_memory_equal(before, after, sizeof before);
    store_world_free(world);
}

static void a_kill_amid_rewriting_leaves_no_seat_in_two_holds(void **state) {
    /* Red when old segments are removed before the BASE record is on disk, or (now and then) when what is copied comes
     * behind the record of the hold's end. */
    (void)state;
    struct store_world *world = store_world_new(2, 40);
    world->settings.compact_bytes = 4096;
    for (unsigned round = 0; round < 12; round++) {
        int report[2];
        assert_int_equal(pipe(report), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            store_world_open(world);
            if (write(report[1], "o", 1) == 1)
                contend_for_seats(world, INT32_MAX);
            _exit(1);
        }
        char byte;
        close(report[1]);
        assert_int_equal(read(report[0], &byte, 1), 1);
        usleep(10000 + 4000 * round); /* how far it got does not matter */
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        close(report[0]);
        check_every_prefix(world);
        store_world_open(world);
        assert_int_equal(world->recovery.lost, 0);
        store_world_close(world);
    }
    store_world_free(world);
}

/* An owner whose one hold ends just after it was said to live. */
struct hasty_owner {
    struct journal *journal;
    atomic_int copied;
    uint64_t last_take, last_step;
};

static struct bytes step_payload(uint8_t *room) {
    struct journal_step step = {.reservation = {{7}}, .what = JOURNAL_RELEASED};
    return (struct bytes){(const char *)room, journal_write_step(&step, room)};
}

static void copy_and_end(void *context, const struct journal_record *record, struct buffer *out) {
    struct hasty_owner *owner = context;
    uint8_t room[JOURNAL_TAKE_BYTES];
    if (atomic_fetch_add(&owner->copied, 1))
        return;
    journal_put(out, record->kind, 0, record->payload, (struct bytes){0});
    journal_append(owner->journal, JOURNAL_STEP, 0, step_payload(room), (struct bytes){0});
}

static enum result note_order(void *context, const struct journal_header *header, const struct journal_record *record) {
    (void)header;
    struct hasty_owner *owner = context;
    if (record->kind == JOURNAL_TAKE)
        owner->last_take = record->sequence;
    else if (record->kind == JOURNAL_STEP)
        owner->last_step = record->sequence;
    return RESULT_OK;
}

static void a_hold_that_ends_while_it_is_copied_ends_behind_its_copy(void **state) {
    /* Red when the writer writes what gathered between asking what lives and writing the copy. */
    (void)state;
    char folder[] = "/tmp/onsale-store-test-XXXXXX", detail[1024];
    assert_non_null(mkdtemp(folder));
    struct hasty_owner owner = {.copied = 0};
    struct journal_settings settings = {.folder = folder,
                                        .disk = &journal_real_disk,
                                        .clock = &journal_real_clock,
                                        .owner = {&owner, copy_and_end},
                                        .compact_bytes = 1,
                                        .first_number = 1,
                                        .first_sequence = 1,
                                        .oldest_number = 1};
    struct buffer base;
    journal_begin_batch(&base, 1024);
    journal_put(&base, JOURNAL_BASE, 0, (struct bytes){0}, (struct bytes){0});
    assert_int_equal(journal_open(&settings, &base, &owner.journal, detail, sizeof detail), RESULT_OK);
    buffer_release(&base);
    uint8_t room[JOURNAL_TAKE_BYTES];
    struct journal_take take = {.hold = {.reservation = {{7}}, .seat_count = 1}};
    struct bytes payload = {(const char *)room, journal_write_take(&take, room)};
    journal_append(owner.journal, JOURNAL_TAKE, 10000, payload, (struct bytes){0}); /* as good as all is dead */
    journal_allow_compaction(owner.journal);
    for (int i = 0; i < 1000 && !atomic_load(&owner.copied); i++) {
        struct bytes key = {(const char *)take.hold.reservation.at, 16};
        journal_append(owner.journal, JOURNAL_KEPT, 36, key, (struct bytes){0});
        assert_int_equal(journal_sync(owner.journal), RESULT_OK);
    }
    journal_close(owner.journal);
    struct journal_found found;
    struct journal_reader reader = {&owner, note_order};
    assert_int_equal(journal_read(folder, &reader, &found, detail, sizeof detail), RESULT_OK);
    assert_true(atomic_load(&owner.copied) > 0 && owner.last_take > 0);
    assert_true(owner.last_step > owner.last_take);
    remove_tree(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hold_that_ends_while_it_is_copied_ends_behind_its_copy),
        cmocka_unit_test(two_threads_and_a_rewriting_journal_agree_with_memory),
        cmocka_unit_test(a_kill_amid_rewriting_leaves_no_seat_in_two_holds),
    };
    return cmocka_run_group_tests_name("memory_store_race", tests, NULL, NULL);
}
