/* The ledger's thread: takes what waits, commits it as one group, answers, checkpoints, sleeps.
 *
 * Happy path: submit() pushes a command onto a lock-free stack and, if the ledger's thread sleeps, wakes it. The thread
 * takes the whole stack, oldest first, and commits up to a group of it (writer.h). What arrives meanwhile is the next
 * group, so that groups size themselves. After the commit's fsync `done` is called for each, in the order of
 * submission. When the write-ahead log has grown enough it is checkpointed, by this thread and connection, before the
 * next group and after the answers of the last one; also when nothing has come for a moment.
 *
 * What can go wrong: any failure of the engine (disk full, I/O error, a failed fsync, damage). The ledger is failed
 * from then on: it answers LEDGER_UNAVAILABLE to everything, writes nothing more, and leaves the write-ahead log as it
 * is for the next start to judge by its checksums. */
#include "engines/sqlite/sqlite_ledger.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "engines/sqlite/database.h"
#include "engines/sqlite/migrations.h"
#include "engines/sqlite/reader.h"
#include "engines/sqlite/rows.h"
#include "engines/sqlite/writer.h"

#define DEFAULT_BUSY_MS 5000
#define DEFAULT_CACHE_KIB (16 * 1024)
#define DEFAULT_CHECKPOINT_PAGES 4000
#define LONG_LOG_PAGES (16 * DEFAULT_CHECKPOINT_PAGES)
/* Nothing came for so long: what is in the write-ahead log is moved to the file. */
#define IDLE_CHECKPOINT_MS 200

/* A fence is an epoch shifted by 40 bits, and SQLite's integers have a sign. */
#define LAST_EPOCH ((1 << 23) - 1)

struct engine {
    /* set once */
    char path[PATH_MAX];
    sqlite3 *db;
    uint32_t group_limit;
    int checkpoint_pages;
    int busy_ms, cache_kib;
    const char *vfs;
    const struct ledger *ledger; /* the port, for what its owner wants to hear */
    pthread_t thread;

    /* any thread */
    _Atomic(struct ledger_command *) submitted; /* newest first */
    atomic_uint waiting;                        /* submitted and not answered */
    atomic_bool sleeping, stopping, failed;
    atomic_int readers;
    sem_t bell;

    /* owned by the ledger's thread */
    struct writer writer;
    struct ledger_command *oldest, *newest; /* taken from the stack, not yet in a group */
    int wal_pages;                          /* in the write-ahead log */
    int moved_pages;                        /* of them, already in the file as well */
    bool said_long;
};

/* ---- submitting ---- */

static bool submit(void *context, struct ledger_command *command) {
    struct engine *engine = context;
    assert(command->done && command->kind < LEDGER_KIND_COUNT);
    if (atomic_load_explicit(&engine->failed, memory_order_relaxed))
        return false;
    if (atomic_fetch_add(&engine->waiting, 1) >= LIMIT_LEDGER_QUEUE) {
        atomic_fetch_sub(&engine->waiting, 1);
        return false;
    }
    command->submitted_us = clock_monotonic_us();
    struct ledger_command *top = atomic_load_explicit(&engine->submitted, memory_order_relaxed);
    do
        command->next = top;
    while (!atomic_compare_exchange_weak(&engine->submitted, &top, command));
    /* Sequentially consistent with sleep_until_rung(): either we see it asleep, or it sees the command. */
    if (atomic_load(&engine->sleeping) && atomic_exchange(&engine->sleeping, false))
        sem_post(&engine->bell);
    return true;
}

static bool has_failed(void *context) {
    struct engine *engine = context;
    return atomic_load(&engine->failed);
}

/* ---- the thread ---- */

/* Moves what was submitted behind what waits already. True if anything waits. */
static bool take_submitted(struct engine *engine) {
    struct ledger_command *newest = atomic_exchange(&engine->submitted, NULL);
    struct ledger_command *reversed = NULL, *last = newest;
    while (newest) {
        struct ledger_command *next = newest->next;
        newest->next = reversed;
        reversed = newest;
        newest = next;
    }
    if (reversed && engine->oldest)
        engine->newest->next = reversed;
    else if (reversed)
        engine->oldest = reversed;
    if (reversed)
        engine->newest = last;
    return engine->oldest;
}

static struct ledger_command *take_one(struct engine *engine) {
    struct ledger_command *command = engine->oldest;
    engine->oldest = command->next;
    command->next = NULL;
    return command;
}

static void answer(struct engine *engine, struct ledger_command *command, int64_t now_us) {
    timing_observe(TIMING_LEDGER_COMMAND_SECONDS, now_us - command->submitted_us);
    atomic_fetch_sub(&engine->waiting, 1);
    command->done(command); /* from here the command is its owner's again */
}

static void fail(struct engine *engine) {
    atomic_store(&engine->failed, true);
    metric_add(METRIC_LEDGER_FAILURES, 1);
    log_error("the ledger failed: selling stops, and this process has to be started again",
              LOG_STRING("file", engine->path), LOG_STRING("why", sqlite3_errmsg(engine->db)),
              LOG_INT("code", sqlite3_extended_errcode(engine->db)),
              LOG_INT("errno", sqlite3_system_errno(engine->db)));
}

static void commit_group(struct engine *engine) {
    struct ledger_command *group[LIMIT_LEDGER_GROUP];
    uint32_t count = 0;
    while (count < engine->group_limit && engine->oldest)
        group[count++] = take_one(engine);
    if (!atomic_load(&engine->failed)) {
        int64_t begun_us = clock_monotonic_us();
        if (writer_commit(&engine->writer, group, count) != RESULT_OK) {
            fail(engine);
        } else {
            timing_observe(TIMING_LEDGER_COMMIT_SECONDS, clock_monotonic_us() - begun_us);
            metric_add(METRIC_LEDGER_COMMITS, 1);
            metric_add(METRIC_LEDGER_COMMANDS, count);
        }
    }
    bool failed = atomic_load(&engine->failed);
    int64_t now_us = clock_monotonic_us();
    for (uint32_t i = 0; i < count; i++) {
        if (failed)
            group[i]->result = RESULT_LEDGER_UNAVAILABLE;
        answer(engine, group[i], now_us);
    }
    if (!failed && engine->writer.outbox_filled && engine->ledger->outbox_filled)
        engine->ledger->outbox_filled(engine->ledger->outbox_context);
    metric_set(METRIC_LEDGER_QUEUE, atomic_load(&engine->waiting));
}

/* Called by SQLite at each commit. Having it also switches SQLite's own automatic checkpoints off. */
static int note_wal_pages(void *context, sqlite3 *db, const char *name, int pages) {
    struct engine *engine = context;
    (void)db;
    (void)name;
    engine->wal_pages = pages;
    return SQLITE_OK;
}

/* Pages of the write-ahead log that are not in the file yet. */
static int unmoved_pages(struct engine *engine) {
    if (engine->wal_pages < engine->moved_pages)
        engine->moved_pages = 0; /* the log began again from its start */
    return engine->wal_pages - engine->moved_pages;
}

/* Moves pages to the file as far as readers let it, and waits for nobody. A reader that stays long keeps the log from
 * beginning again from its start, so it grows; that is said once. */
static void checkpoint(struct engine *engine) {
    int log_pages, moved_pages;
    int code = sqlite3_wal_checkpoint_v2(engine->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log_pages, &moved_pages);
    if (code == SQLITE_OK) {
        engine->wal_pages = log_pages;
        engine->moved_pages = moved_pages;
    } else if (code != SQLITE_BUSY) {
        fail(engine);
    }
    if (log_pages > LONG_LOG_PAGES && !engine->said_long) {
        engine->said_long = true;
        log_warn("a reader keeps the ledger's write-ahead log from being used again", LOG_INT("pages", log_pages));
    }
}

/* True if rung, false after `timeout_ms` (negative: never). */
static bool sleep_until_rung(struct engine *engine, int timeout_ms) {
    atomic_store(&engine->sleeping, true);
    if (atomic_load(&engine->submitted) || atomic_load(&engine->stopping)) {
        if (atomic_exchange(&engine->sleeping, false))
            return true;
        /* Somebody has rung, or is about to. */
        timeout_ms = -1;
    }
    struct timespec until;
    int failed = clock_gettime(CLOCK_MONOTONIC, &until);
    assert(!failed);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    for (;;) {
        int code = timeout_ms < 0 ? sem_wait(&engine->bell) : sem_clockwait(&engine->bell, CLOCK_MONOTONIC, &until);
        if (code == 0)
            return true;
        if (errno == EINTR)
            continue;
        assert(errno == ETIMEDOUT);
        if (atomic_exchange(&engine->sleeping, false))
            return false;
        timeout_ms = -1;
    }
}

static void *run(void *context) {
    struct engine *engine = context;
    panic_context("ledger");
    for (;;) {
        if (take_submitted(engine)) {
            commit_group(engine);
            if (unmoved_pages(engine) >= engine->checkpoint_pages && !atomic_load(&engine->failed))
                checkpoint(engine);
            continue;
        }
        if (atomic_load(&engine->stopping))
            return NULL;
        bool idle_work = unmoved_pages(engine) > 0 && !atomic_load(&engine->failed);
        if (!sleep_until_rung(engine, idle_work ? IDLE_CHECKPOINT_MS : -1))
            checkpoint(engine);
    }
}

/* ---- closing ---- */

/* Whoever keeps these lines can tell later whether the audit up to here was changed. */
static void say_head(const struct engine *engine, const char *words) {
    char hash[2 * CHAIN_HASH_BYTES];
    hex_encode(engine->writer.now.audit_hash, CHAIN_HASH_BYTES, hash);
    log_info(words, LOG_INT("number", (int64_t)engine->writer.now.audit_number),
             LOG_BYTES("hash", ((struct bytes){hash, sizeof hash})));
}

static void release(struct engine *engine) {
    /* After a failure nothing may be moved out of a log that could not be synced. */
    if (atomic_load(&engine->failed))
        sqlite3_db_config(engine->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    writer_release(&engine->writer);
    sqlite3_close(engine->db);
    sem_destroy(&engine->bell);
    free(engine);
}

static void close_ledger(void *context) {
    struct engine *engine = context;
    atomic_store(&engine->stopping, true);
    if (atomic_exchange(&engine->sleeping, false))
        sem_post(&engine->bell);
    int joined = pthread_join(engine->thread, NULL);
    assert(joined == 0);
    assert(atomic_load(&engine->readers) == 0);
    assert(!atomic_load(&engine->submitted) && !engine->oldest);
    say_head(engine, "the audit ends with this row");
    release(engine);
}

/* ---- opening ---- */

static enum result reader_new(void *context, struct ledger_reader **reader) {
    struct engine *engine = context;
    return reader_open(engine->path, engine->vfs, engine->busy_ms, &engine->readers, reader);
}

static enum result name_file(const char *folder, char path[static PATH_MAX], const struct detail *detail) {
    if (snprintf(path, PATH_MAX, "%s/%s", folder, SQLITE_LEDGER_FILE) < PATH_MAX)
        return RESULT_OK;
    detail_set(detail, "the name of the folder '%s' is too long", folder);
    return RESULT_IO_ERROR;
}

/* Without its file a write-ahead log would be thrown away by SQLite, and what was sold with it. */
static enum result check_for_lost_file(const char *path, const struct detail *detail) {
    char log[PATH_MAX + 8];
    struct stat status;
    (void)snprintf(log, sizeof log, "%s-wal", path);
    if (stat(path, &status) == 0 || stat(log, &status) != 0 || status.st_size == 0)
        return RESULT_OK;
    detail_set(detail, "'%s' is missing, but its log '%s' is there: put both back from the same backup", path, log);
    return RESULT_CORRUPT;
}

/* Sets an empty file up, or looks a used one over. */
static enum result prepare_file(struct engine *engine, const struct detail *detail) {
    enum result result = migrations_check(engine->db, engine->path, &ledger_migrations, detail);
    if (result == RESULT_OK) {
        result = database_quick_check(engine->db, engine->path, detail);
        return result == RESULT_OK ? database_use_wal(engine->db, engine->path, engine->cache_kib, detail) : result;
    }
    if (result != RESULT_NOT_FOUND)
        return result;
    result = database_use_wal(engine->db, engine->path, engine->cache_kib, detail);
    return result == RESULT_OK
               ? migrations_apply(engine->db, engine->path, &ledger_migrations, false, NULL, NULL, detail)
               : result;
}

/* On disk before anything is served under it, so that no number of an epoch is ever drawn twice. */
static enum result raise_epoch(struct engine *engine, const struct detail *detail, uint32_t *epoch) {
    int64_t risen;
    enum result result = database_read_int(
        engine->db, engine->path, "UPDATE meta SET epoch = epoch + 1 WHERE one = 1 RETURNING epoch", detail, &risen);
    if (result != RESULT_OK)
        return result;
    if (risen < 1 || risen > LAST_EPOCH) {
        detail_set(detail, "'%s' is damaged (its epoch is %lld): put the ledger back from a backup", engine->path,
                   (long long)risen);
        return RESULT_CORRUPT;
    }
    *epoch = (uint32_t)risen;
    return RESULT_OK;
}

static bool start_thread(struct engine *engine) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&engine->thread, NULL, run, engine);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0)
        pthread_setname_np(engine->thread, "ledger");
    return code == 0;
}

static enum result read_installation(struct engine *engine, const struct detail *detail, struct ledger *ledger) {
    sqlite3_stmt *statement = NULL;
    enum result result = RESULT_OK;
    if (sqlite3_prepare_v2(engine->db, "SELECT installation FROM meta", -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        result = detail_of_sqlite(detail, engine->db, engine->path, "reading its id");
    } else {
        struct id id;
        if (column_uuid(statement, 0, &id)) {
            id_format_uuid(&id, ledger->installation);
            ledger->installation[ID_UUID_TEXT] = '\0';
        } else {
            detail_set(detail, "'%s' is damaged (its id is none): put the ledger back from a backup", engine->path);
            result = RESULT_CORRUPT;
        }
    }
    sqlite3_finalize(statement);
    return result;
}

static struct engine *engine_new(const struct sqlite_ledger_settings *settings) {
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return NULL;
    sem_init(&engine->bell, 0, 0);
    engine->vfs = settings->vfs;
    engine->busy_ms = settings->busy_ms ? (int)settings->busy_ms : DEFAULT_BUSY_MS;
    engine->cache_kib = settings->cache_kib ? (int)settings->cache_kib : DEFAULT_CACHE_KIB;
    engine->group_limit = settings->group_limit ? settings->group_limit : LIMIT_LEDGER_GROUP;
    if (engine->group_limit > LIMIT_LEDGER_GROUP)
        engine->group_limit = LIMIT_LEDGER_GROUP;
    engine->checkpoint_pages = settings->checkpoint_pages ? (int)settings->checkpoint_pages : DEFAULT_CHECKPOINT_PAGES;
    return engine;
}

static enum result open_engine(struct engine *engine, const struct sqlite_ledger_settings *settings,
                               const struct detail *detail, struct ledger *ledger) {
    enum result result = prepare_file(engine, detail);
    if (result == RESULT_OK)
        result = raise_epoch(engine, detail, &ledger->epoch);
    if (result == RESULT_OK)
        result = read_installation(engine, detail, ledger);
    if (result != RESULT_OK)
        return result;
    if (writer_init(&engine->writer, engine->db, settings) != RESULT_OK)
        return detail_of_sqlite(detail, engine->db, engine->path, "preparing its statements");
    say_head(engine, "the audit goes on behind this row");
    sqlite3_wal_hook(engine->db, note_wal_pages, engine);
    if (!start_thread(engine)) {
        detail_set(detail, "cannot start the ledger's thread");
        return RESULT_OVERLOADED;
    }
    return RESULT_OK;
}

enum result sqlite_ledger_open(const char *folder, const struct sqlite_ledger_settings *settings, struct ledger *ledger,
                               char *detail_text, size_t detail_size) {
    struct detail detail = {detail_text, detail_size};
    struct engine *engine = engine_new(settings);
    if (!engine) {
        detail_set(&detail, "out of memory");
        return RESULT_OVERLOADED;
    }
    struct ledger opened = {
        .engine = engine, .submit = submit, .failed = has_failed, .reader_new = reader_new, .close = close_ledger};
    enum result result = name_file(folder, engine->path, &detail);
    if (result == RESULT_OK)
        result = check_for_lost_file(engine->path, &detail);
    if (result == RESULT_OK)
        result = database_open_to_write(engine->path, engine->vfs, engine->busy_ms, &detail, &engine->db);
    if (result == RESULT_OK)
        result = open_engine(engine, settings, &detail, &opened);
    if (result != RESULT_OK) {
        release(engine);
        return result;
    }
    reader_fill_port(&opened);
    *ledger = opened;
    engine->ledger = ledger; /* read when the first command was submitted, and so after this */
    return RESULT_OK;
}

enum result sqlite_ledger_migrate(const char *folder, bool dry_run, void (*line)(void *context, const char *text),
                                  void *context, char *detail_text, size_t detail_size) {
    struct detail detail = {detail_text, detail_size};
    char path[PATH_MAX];
    enum result result = name_file(folder, path, &detail);
    if (result != RESULT_OK)
        return result;
    if (access(path, F_OK) != 0) {
        detail_set(&detail, "there is no ledger in '%s'", folder);
        return RESULT_NOT_FOUND;
    }
    sqlite3 *db;
    result = database_open_to_write(path, NULL, DEFAULT_BUSY_MS, &detail, &db);
    if (result != RESULT_OK)
        return result;
    result = migrations_check(db, path, &ledger_migrations, &detail);
    if (result == RESULT_NOT_FOUND || result == RESULT_OLDER_VERSION) {
        result = database_use_wal(db, path, DEFAULT_CACHE_KIB, &detail);
        if (result == RESULT_OK)
            result = migrations_apply(db, path, &ledger_migrations, dry_run, line, context, &detail);
    }
    sqlite3_close(db);
    return result;
}
