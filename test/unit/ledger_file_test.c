/* The ledger's file: setting it up, refusing what is not ours, bringing it forward, and finding everything again after
 * a kill. */
#include "ledger_world.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "engines/sqlite/audit.h"
#include "engines/sqlite/migrations.h"

static void write_file(const char *path, const char *text, unsigned times) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (unsigned i = 0; i < times; i++)
        fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void the_epoch_rises_at_every_start(void **state) {
    /* red when: the epoch is not written, or not before the ledger is served */
    (void)state;
    struct world world;
    world_make(&world);
    for (unsigned start = 1; start <= 3; start++) {
        world_open(&world);
        assert_int_equal(world.ledger.epoch, start);
        assert_int_equal(world_ask(&world, "SELECT epoch FROM meta"), start);
        world_close(&world);
    }
    world_remove(&world);
}

static void a_closed_ledger_is_one_file(void **state) {
    /* red when: closing does not checkpoint, so that a copy of the one file lacks sales */
    (void)state;
    struct world world;
    char log[128];
    world_start(&world, LEDGER_OPTIMISTIC);
    assert_int_equal(world_sell(&world, 1, "A1", 100), RESULT_OK);
    world_close(&world);
    snprintf(log, sizeof log, "%s-wal", world.file);
    assert_int_not_equal(access(log, F_OK), 0);
    world_open(&world);
    assert_int_equal(world_seat(&world, "A1").status, SEAT_BOOKED);
    world_remove(&world);
}

static void what_is_no_ledger_is_refused(void **state) {
    /* red when: a file that is not ours is overwritten, or the words do not say what to do */
    (void)state;
    struct world world;
    world_make(&world);
    write_file(world.file, "certainly not a database ", 400);
    world_is_refused(&world, RESULT_CORRUPT, "move it away");
    unlink(world.file);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(world.file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE theirs (x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    world_is_refused(&world, RESULT_CORRUPT, "another program's database");
    unlink(world.file);
    assert_int_equal(rmdir(world.folder), 0);
    world_is_refused(&world, RESULT_IO_ERROR, world.folder);
    assert_int_equal(symlink("/nowhere/at/all", world.folder), 0);
    world_is_refused(&world, RESULT_IO_ERROR, "can be read and written");
    world_remove(&world);
}

static void a_log_without_its_file_is_refused(void **state) {
    /* red when: SQLite is let throw away a log whose file is missing */
    (void)state;
    struct world world;
    char log[128];
    world_make(&world);
    snprintf(log, sizeof log, "%s-wal", world.file);
    write_file(log, "sales", 1000);
    world_is_refused(&world, RESULT_CORRUPT, "both back from the same backup");
    assert_int_equal(access(log, F_OK), 0);
    world_remove(&world);
}

static void damage_is_refused(void **state) {
    /* red when: the file is not checked at the start */
    (void)state;
    struct world world;
    world_start(&world, LEDGER_OPTIMISTIC);
    world_close(&world);
    int64_t page = world_ask(&world, "SELECT rootpage FROM sqlite_schema WHERE name = 'show_seats'");
    FILE *file = fopen(world.file, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (page - 1) * 4096, SEEK_SET), 0);
    for (int i = 0; i < 64; i++)
        fputc(0x7f, file);
    fclose(file);
    world_is_refused(&world, RESULT_CORRUPT, "from a backup");
    assert_int_equal(truncate(world.file, 50), 0);
    world_is_refused(&world, RESULT_CORRUPT, "backup");
    world_remove(&world);
}

static void a_newer_ledger_is_refused(void **state) {
    /* red when: the version is not compared */
    (void)state;
    struct world world;
    world_start(&world, LEDGER_OPTIMISTIC);
    world_close(&world);
    world_damage(&world, "PRAGMA user_version = 9999");
    world_is_refused(&world, RESULT_NEWER_VERSION, "newer onsale");
    assert_int_equal(world_ask(&world, "SELECT epoch FROM meta"), 1);
    world_remove(&world);
}

static void a_history_that_is_not_ours_is_refused(void **state) {
    /* red when: the checksums, or the numbers, of what was applied are not compared */
    (void)state;
    static const char *const damages[] = {
        "UPDATE migrations SET checksum = '00000000000000000000000000000000'",
        "DELETE FROM migrations",
        "INSERT INTO migrations SELECT max(number) + 1, name, checksum, applied_at FROM migrations",
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct world world;
        world_start(&world, LEDGER_OPTIMISTIC);
        world_close(&world);
        world_damage(&world, damages[i]);
        world_is_refused(&world, RESULT_CORRUPT, "not those of this program");
        world_remove(&world);
    }
}

static void a_locked_ledger_is_refused(void **state) {
    /* red when: another writer on the file is not noticed */
    (void)state;
    struct world world;
    sqlite3 *db;
    world_start(&world, LEDGER_OPTIMISTIC);
    world_close(&world);
    world.settings.busy_ms = 10;
    assert_int_equal(sqlite3_open(world.file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    world_is_refused(&world, RESULT_IO_ERROR, "another process uses it");
    sqlite3_close(db);
    world_open(&world);
    world_remove(&world);
}

/* ---- migrations ---- */

struct lines {
    unsigned count;
    char last[64];
};

static void note_line(void *context, const char *text) {
    struct lines *lines = context;
    lines->count++;
    snprintf(lines->last, sizeof lines->last, "%s", text);
}

/* A file as an onsale with only these migrations would have left it. */
static void make_oldest(struct world *world, const struct migration_list *list) {
    char words[256];
    struct detail detail = {words, sizeof words};
    sqlite3 *db;
    world_make(world);
    assert_int_equal(database_open_to_write(world->file, NULL, 100, &detail, &db), RESULT_OK);
    assert_int_equal(migrations_apply(db, world->file, list, false, NULL, NULL, &detail), RESULT_OK);
    sqlite3_close(db);
}

static void an_older_ledger_is_brought_forward_when_asked(void **state) {
    /* red when: an older file is served as it is, a dry run changes it, or the migration does not arrive */
    (void)state;
    struct world world;
    struct lines lines = {0};
    char detail[512], advice[128];
    make_oldest(&world, &(struct migration_list){NULL, 0});
    snprintf(advice, sizeof advice, "`onsale migrate --data %s`", world.folder);
    world_is_refused(&world, RESULT_OLDER_VERSION, advice);
    assert_int_equal(sqlite_ledger_migrate(world.folder, true, note_line, &lines, detail, sizeof detail), RESULT_OK);
    assert_int_equal(lines.count, ledger_migrations.count);
    world_is_refused(&world, RESULT_OLDER_VERSION, advice);
    assert_int_equal(sqlite_ledger_migrate(world.folder, false, note_line, &lines, detail, sizeof detail), RESULT_OK);
    assert_int_equal(lines.count, 2 * ledger_migrations.count);
    assert_string_equal(lines.last, ledger_migrations.at[ledger_migrations.count - 1].name);
    world_open(&world);
    world_close(&world);
    assert_int_equal(sqlite_ledger_migrate(world.folder, false, note_line, &lines, detail, sizeof detail), RESULT_OK);
    assert_int_equal(lines.count, 2 * ledger_migrations.count); /* nothing to do */
    world_remove(&world);
}

static void a_ledger_from_before_the_waiting_room_keeps_what_it_sold(void **state) {
    /* red when: the second migration is not applied to a file of the first, or touches what was there */
    (void)state;
    struct world world;
    struct lines lines = {0};
    char detail[512], seats[256];
    struct booking read;
    make_oldest(&world, &(struct migration_list){ledger_migrations.at, 1});
    world_damage(
        &world, "INSERT INTO plans VALUES ('0193000000007000800000000000004d', '{}');"
                "INSERT INTO shows VALUES ('01930000-0000-7000-8000-000000000000', 'An Evening', NULL, "
                "'0193000000007000800000000000004d', '{}', '2027-01-15T08:00:00.000Z', '2027-01-15T08:00:00.000Z');"
                "INSERT INTO show_seats SELECT show_id, 'A1', 'BOOKED', 3 FROM shows;"
                "INSERT INTO bookings SELECT '01930000-0000-7000-8000-000000000001', 'fan-1', '[\"A1\"]', 'CONFIRMED', "
                "show_id, 'r01930000000070008000000000000001', '[5000]', 5000, 0, 'EUR', 'CAPTURED', 'DONE', 1, '', 2, "
                "'', created_at, created_at, created_at FROM shows;"
                "INSERT INTO tickets SELECT show_id, 'A1', booking_id, 5000, 2 FROM bookings");
    world_is_refused(&world, RESULT_OLDER_VERSION, "(schema 1, this one needs 4): make a backup, then run");
    assert_int_equal(world_ask(&world, "SELECT user_version FROM pragma_user_version"), 1);
    assert_int_equal(sqlite_ledger_migrate(world.folder, false, note_line, &lines, detail, sizeof detail), RESULT_OK);
    assert_int_equal(lines.count, 3);
    assert_string_equal(lines.last, "0004_media.sql");
    world_open(&world);
    assert_int_equal(world_read(&world, 1, &read, seats), RESULT_OK);
    assert_string_equal(seats, "A1");
    struct ledger_command command = command_raise(&world, 10);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    command = command_admit(&world, 1, 1, 0);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    world_remove(&world);
}

static void a_migration_that_fails_leaves_the_file_as_it_was(void **state) {
    /* red when: migrations do not share one transaction */
    (void)state;
    struct world world;
    char words[256];
    struct detail detail = {words, sizeof words};
    sqlite3 *db;
    static const struct migration good[] = {{1, "0001_a.sql", "CREATE TABLE a (x INTEGER) STRICT"},
                                            {2, "0002_b.sql", "CREATE TABLE b (y INTEGER) STRICT"}};
    static const struct migration bad[] = {{1, "0001_a.sql", "CREATE TABLE a (x INTEGER) STRICT"},
                                           {2, "0002_b.sql", "CREATE TABLE b (y INTEGER) STRICT"},
                                           {3, "0003_c.sql", "CREATE TABLE c (z INTEGER) STRICT; NONSENSE"}};
    make_oldest(&world, &(struct migration_list){good, 1});
    assert_int_equal(database_open_to_write(world.file, NULL, 100, &detail, &db), RESULT_OK);
    struct migration_list list = {bad, 3};
    assert_int_equal(migrations_check(db, world.file, &list, &detail), RESULT_OLDER_VERSION);
    assert_int_equal(migrations_apply(db, world.file, &list, false, NULL, NULL, &detail), RESULT_IO_ERROR);
    assert_non_null(strstr(words, "NONSENSE"));
    assert_int_equal(world_ask(&world, "SELECT count(*) FROM sqlite_schema WHERE name IN ('b', 'c')"), 0);
    assert_int_equal(world_ask(&world, "SELECT user_version FROM pragma_user_version"), 1);
    list = (struct migration_list){good, 2};
    assert_int_equal(migrations_apply(db, world.file, &list, false, NULL, NULL, &detail), RESULT_OK);
    assert_int_equal(migrations_check(db, world.file, &list, &detail), RESULT_OK);
    sqlite3_close(db);
    world_remove(&world);
}

static void where_there_is_no_ledger_none_is_migrated(void **state) {
    /* red when: migrate makes a ledger where none was, or takes what open() refuses */
    (void)state;
    struct world world;
    char detail[512];
    world_make(&world);
    assert_int_equal(sqlite_ledger_migrate(world.folder, false, NULL, NULL, detail, sizeof detail), RESULT_NOT_FOUND);
    assert_int_not_equal(access(world.file, F_OK), 0);
    write_file(world.file, "certainly not a database ", 400);
    assert_int_equal(sqlite_ledger_migrate(world.folder, false, NULL, NULL, detail, sizeof detail), RESULT_CORRUPT);
    world_remove(&world);
}

/* ---- kill -9 ---- */

struct seller {
    struct ledger_command command;
    struct booking booking;
    int acknowledged;
};

/* On the ledger's thread: the fan was told. */
static void acknowledge(struct ledger_command *command) {
    struct seller *seller = command->context;
    if (command->result != RESULT_OK || write(seller->acknowledged, &seller->booking.id.at[15], 1) != 1)
        _exit(1);
}

/* Sells each seat of the show in a booking of its own, some at a time, until it is killed. */
static _Noreturn void sell_until_killed(struct world *world, int acknowledged) {
    static struct seller sellers[40];
    world_open(world);
    uint64_t base = (uint64_t)world->ledger.epoch << 40;
    for (unsigned i = 0; i < 40; i++) {
        sellers[i] = (struct seller){.acknowledged = acknowledged};
        sellers[i].booking = world_booking(world, i + 1, i < 20 ? "A1" : "B1", base + 2 * i);
        sellers[i].booking.seat_ids[0] = world->plan->seat_ids[i];
        sellers[i].command = command_sell(&sellers[i].booking, SAGA_OPENED, true);
        sellers[i].command.context = &sellers[i];
        sellers[i].command.done = acknowledge;
        if (!world->ledger.submit(world->ledger.engine, &sellers[i].command))
            _exit(1);
        if (i % 5 == 4)
            usleep(300);
    }
    for (;;)
        pause();
}

/* Reads acknowledgements until there are `enough`, or no more come. */
static unsigned read_acknowledged(int from, unsigned enough, bool acknowledged[static 41]) {
    unsigned char number;
    unsigned count = 0;
    while (count < enough && read(from, &number, 1) == 1) {
        acknowledged[number] = true;
        count++;
    }
    return count;
}

static void note_check(void *context, const char *text) {
    (void)context;
    (void)text;
}

static void fail_on_difference(void *context, const char *text) {
    (void)context;
    fail_msg("%s", text);
}

static void what_was_acknowledged_survives_a_kill(void **state) {
    /* red when: `done` is called before the commit is on disk, or a killed commit leaves half a booking */
    (void)state;
    char fault[512];
    for (unsigned round = 0; round < 12; round++) {
        struct world world;
        int pipe_ends[2];
        bool acknowledged[41] = {false};
        world_start(&world, round % 2 ? LEDGER_PESSIMISTIC : LEDGER_OPTIMISTIC);
        world_close(&world);
        assert_int_equal(pipe(pipe_ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(pipe_ends[0]);
            sell_until_killed(&world, pipe_ends[1]);
        }
        close(pipe_ends[1]);
        unsigned before = 1 + (unsigned)(random_u64() % 35);
        assert_int_equal(read_acknowledged(pipe_ends[0], before, acknowledged), before);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        (void)read_acknowledged(pipe_ends[0], 40, acknowledged);
        close(pipe_ends[0]);

        world_open(&world);
        for (unsigned number = 1; number <= 40; number++) {
            struct booking booking;
            if (acknowledged[number])
                assert_int_equal(world_read(&world, number, &booking, NULL), RESULT_OK);
        }
        world_close(&world);
        struct audit_listener listener = {.check = note_check, .difference = fail_on_difference};
        assert_int_equal(audit_run(world.folder, &listener, fault, sizeof fault), RESULT_OK);
        world_remove(&world);
    }
}

/* ---- the queue ---- */

struct flood {
    sem_t reached, released;
    atomic_int answered;
};

static void hold_up(struct ledger_command *command) {
    struct flood *flood = command->context;
    sem_post(&flood->reached);
    sem_wait(&flood->released);
    atomic_fetch_add(&flood->answered, 1);
}

static void count_answer(struct ledger_command *command) {
    struct flood *flood = command->context;
    atomic_fetch_add(&flood->answered, 1);
}

static void a_full_queue_takes_no_more(void **state) {
    /* red when: the queue is not bounded, or what was refused is answered */
    (void)state;
    static struct ledger_command commands[LIMIT_LEDGER_QUEUE + 1];
    struct world world;
    struct flood flood = {0};
    sem_init(&flood.reached, 0, 0);
    sem_init(&flood.released, 0, 0);
    world_start(&world, LEDGER_OPTIMISTIC);
    struct ledger_command first = {.kind = LEDGER_KEEP_ANSWERS, .context = &flood, .done = hold_up};
    assert_true(world.ledger.submit(world.ledger.engine, &first));
    sem_wait(&flood.reached);
    for (unsigned i = 0; i <= LIMIT_LEDGER_QUEUE; i++) {
        commands[i] = (struct ledger_command){.kind = LEDGER_KEEP_ANSWERS, .context = &flood, .done = count_answer};
        assert_int_equal(world.ledger.submit(world.ledger.engine, &commands[i]), i < LIMIT_LEDGER_QUEUE);
    }
    sem_post(&flood.released);
    world_close(&world);
    assert_int_equal(atomic_load(&flood.answered), LIMIT_LEDGER_QUEUE + 1);
    world_remove(&world);
}

struct submitter {
    struct world *world;
    struct flood *flood;
    struct ledger_command commands[500];
};

static void *submit_all(void *context) {
    struct submitter *submitter = context;
    for (unsigned i = 0; i < 500; i++) {
        submitter->commands[i] =
            (struct ledger_command){.kind = LEDGER_KEEP_ANSWERS, .context = submitter->flood, .done = count_answer};
        while (!submitter->world->ledger.submit(submitter->world->ledger.engine, &submitter->commands[i]))
            usleep(100);
        if (i % 50 == 0)
            usleep(500); /* lets the ledger fall asleep, so that it has to be woken */
    }
    return NULL;
}

static void every_command_of_many_threads_is_answered_once(void **state) {
    /* red when: a wake-up is lost, or the stack loses or repeats a command */
    (void)state;
    static struct submitter submitters[4];
    pthread_t threads[4];
    struct world world;
    struct flood flood = {0};
    world_start(&world, LEDGER_OPTIMISTIC);
    for (unsigned i = 0; i < 4; i++) {
        submitters[i] = (struct submitter){.world = &world, .flood = &flood};
        assert_int_equal(pthread_create(&threads[i], NULL, submit_all, &submitters[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (unsigned waits = 0; atomic_load(&flood.answered) < 2000 && waits < 5000; waits++)
        usleep(1000);
    assert_int_equal(atomic_load(&flood.answered), 2000);
    world_remove(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_epoch_rises_at_every_start),
        cmocka_unit_test(a_closed_ledger_is_one_file),
        cmocka_unit_test(what_is_no_ledger_is_refused),
        cmocka_unit_test(a_log_without_its_file_is_refused),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(a_newer_ledger_is_refused),
        cmocka_unit_test(a_history_that_is_not_ours_is_refused),
        cmocka_unit_test(a_locked_ledger_is_refused),
        cmocka_unit_test(an_older_ledger_is_brought_forward_when_asked),
        cmocka_unit_test(a_ledger_from_before_the_waiting_room_keeps_what_it_sold),
        cmocka_unit_test(a_migration_that_fails_leaves_the_file_as_it_was),
        cmocka_unit_test(where_there_is_no_ledger_none_is_migrated),
        cmocka_unit_test(what_was_acknowledged_survives_a_kill),
        cmocka_unit_test(a_full_queue_takes_no_more),
        cmocka_unit_test(every_command_of_many_threads_is_answered_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
