/* A queue's log on a real disk, for tests: `log_world_open` is a start of the process, `log_world_close` its orderly
 * end, `log_world_drop` what is left of it after a kill. The folder and the boot live through restarts; what a start
 * replayed is counted, and each place's secret is compared with what its number must have. */
#ifndef ONSALE_TEST_QUEUE_LOG_WORLD_H
#define ONSALE_TEST_QUEUE_LOG_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/log.h"
#include "base/panic.h"
#include "engines/memory/queue_log.h"
#include "engines/memory/queue_log_state.h"
#include "waitroom/record_check.h"

#define WORLD_TIME 1700000000000LL
#define WORLD_SHOW_TEXT "01020304-0506-0708-090a-0b0c0d0e0f10"

struct log_world {
    char folder[64];
    struct queue_disk disk;
    struct id boot;
    struct record_event start;
    struct key_generation key;
    struct queue_logs logs;
    struct queue_log *log;
    bool is_whole;
    char fault[1024];

    /* what the last start replayed */
    uint32_t records, joins, numbers, heads, wrong_secrets, erased;
    bool was_in_order;
    struct record_event last;
};

static inline int remove_world_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)kind, (void)place;
    return remove(path);
}

/* The secret that each number has in these tests. */
static inline struct place_secret secret_of_number(uint32_t number) {
    struct place_secret secret = {.user = 0x1000000000ULL + number};
    memcpy(secret.salt, &number, sizeof number);
    secret.salt[7] = 1;
    return secret;
}

static inline struct record_event join_of_number(uint32_t number) {
    struct record_event join = {.kind = RECORD_JOIN, .time_ms = WORLD_TIME + number};
    memcpy(join.blinded.at, &number, sizeof number);
    join.blinded.at[15] = 7;
    return join;
}

static inline void note_replayed(void *context, const struct record_event *event, const struct place_secret *secret) {
    struct log_world *world = context;
    if (world->records++ == 0)
        world->was_in_order = event->kind == RECORD_START;
    if (event->kind == RECORD_JOIN) {
        struct place_secret wanted = secret_of_number(event->number);
        struct record_event join = join_of_number(event->number);
        if (event->number != ++world->numbers || !id_equal(&event->blinded, &join.blinded))
            world->was_in_order = false;
        world->joins++;
        if (secret->user == 0)
            world->erased++;
        else if (secret->user != wanted.user || memcmp(secret->salt, wanted.salt, sizeof wanted.salt) != 0)
            world->wrong_secrets++;
    } else if (secret) {
        world->was_in_order = false;
    }
    if (event->kind == RECORD_UNKNOWN)
        world->numbers = event->number;
    if (event->kind == RECORD_HEAD)
        world->heads++;
    world->last = *event;
}

static inline struct log_world *log_world_new(void) {
    assert_true(sodium_init() >= 0);
    struct log_world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    snprintf(world->folder, sizeof world->folder, "/tmp/queue-log-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    world->disk = queue_real_disk;
    world->boot.at[0] = 1;
    world->start = (struct record_event){.kind = RECORD_START, .time_ms = WORLD_TIME};
    for (uint8_t i = 0; i < 16; i++)
        world->start.start.show_id.at[i] = (uint8_t)(i + 1);
    world->key.id = 0x0a0b0c0d;
    memset(world->key.seed, 42, sizeof world->key.seed);
    key_derive(&world->key);
    return world;
}

static inline enum result log_world_try(struct log_world *world) {
    world->records = world->joins = world->numbers = world->heads = world->wrong_secrets = world->erased = 0;
    world->log = NULL;
    world->fault[0] = '\0';
    enum result result = queue_log_store_new_on(world->folder, &world->disk, &world->boot, &world->logs, world->fault,
                                                sizeof world->fault);
    if (result != RESULT_OK)
        return result;
    result = world->logs.open(world->logs.engine, &world->start, note_replayed, world, &world->is_whole, &world->log,
                              world->fault, sizeof world->fault);
    if (result != RESULT_OK)
        queue_log_store_free(&world->logs);
    return result;
}

static inline void log_world_open(struct log_world *world) {
    enum result result = log_world_try(world);
    if (result != RESULT_OK)
        print_error("%s\n", world->fault);
    assert_int_equal(result, RESULT_OK);
    assert_true(world->was_in_order);
    assert_int_equal(world->wrong_secrets, 0);
    world->logs.settle(world->log);
}

static inline void log_world_close(struct log_world *world) {
    world->logs.close(world->log);
    world->log = NULL;
    queue_log_store_free(&world->logs);
}

static inline void log_world_free(struct log_world *world) {
    if (world->log)
        log_world_close(world);
    nftw(world->folder, remove_world_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(world);
}

static inline const char *log_world_path(const struct log_world *world, const char *kind) {
    static char path[160];
    snprintf(path, sizeof path, "%s/queue/" WORLD_SHOW_TEXT ".%s", world->folder, kind);
    return path;
}

/* The next numbers join; how many did. */
static inline uint32_t log_world_joins(struct log_world *world, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        struct record_event join = join_of_number(world->numbers + 1);
        struct place_secret secret = secret_of_number(world->numbers + 1);
        enum result result = world->logs.append(world->log, &join, &secret);
        if (result != RESULT_OK) {
            assert_int_equal(result, RESULT_OVERLOADED);
            return i;
        }
        world->numbers++;
    }
    return count;
}

static inline enum result log_world_seal(struct log_world *world) {
    return world->logs.seal(world->log, &world->key, WORLD_TIME + world->numbers, 0);
}

static inline enum result log_world_append(struct log_world *world, enum record_kind kind, uint32_t number) {
    struct record_event event = {.kind = kind, .time_ms = WORLD_TIME, .number = number};
    return world->logs.append(world->log, &event, NULL);
}

/* ---- steps ---- */

/* Joins, until the room that was prepared is used up: then the worker makes more. */
static inline void joins(struct log_world *world, uint32_t count) {
    while (count) {
        uint32_t some = log_world_joins(world, count);
        count -= some;
        if (count)
            assert_true(world->logs.work(world->log));
    }
}

static inline void sealed(struct log_world *world) {
    assert_int_equal(log_world_seal(world), RESULT_OK);
}

static inline void worked(struct log_world *world) {
    assert_true(world->logs.work(world->log));
}

static inline struct buffer whole_record(struct log_world *world) {
    struct buffer record;
    buffer_init(&record, 1 << 28);
    assert_int_equal(world->logs.read(world->log, 0, SIZE_MAX, &record), RESULT_OK);
    assert_int_equal(record.length, world->logs.length(world->log));
    return record;
}

static inline struct record_findings checked(struct log_world *world) {
    struct buffer record = whole_record(world);
    struct record_findings findings;
    struct record_fault fault;
    enum result result = record_check(buffer_bytes(&record), NULL, &findings, &fault);
    if (result != RESULT_OK)
        print_error("at %llu: %s\n", (unsigned long long)fault.offset, fault.words);
    assert_int_equal(result, RESULT_OK);
    buffer_release(&record);
    return findings;
}

/* The process is gone, its files are as the kernel has them: nothing is closed in order, synced or cut. */
static inline void killed(struct log_world *world) {
    struct queue_log *log = world->log;
    queue_file_release(&log->record, UINT64_MAX);
    queue_file_release(&log->secrets, UINT64_MAX);
    pthread_mutex_destroy(&log->hash_lock);
    pthread_mutex_destroy(&log->heads_lock);
    free(log);
    world->log = NULL;
    queue_log_store_free(&world->logs);
}

static inline void another_boot(struct log_world *world) {
    world->boot.at[5]++;
}

static inline void overwritten(const struct log_world *world, const char *kind, uint64_t at, const void *data,
                               size_t length) {
    int fd = open(log_world_path(world, kind), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, length, (off_t)at), length);
    close(fd);
}

static inline void zeroed(const struct log_world *world, const char *kind, uint64_t at, size_t length) {
    static const char zeros[64 * 1024];
    assert_true(length <= sizeof zeros);
    overwritten(world, kind, at, zeros, length);
}

static inline uint64_t size_of(const struct log_world *world, const char *kind) {
    struct stat status;
    assert_int_equal(stat(log_world_path(world, kind), &status), 0);
    return (uint64_t)status.st_size;
}

#endif
