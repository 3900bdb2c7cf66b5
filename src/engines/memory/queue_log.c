#include "engines/memory/queue_log.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/panic.h"
#include "engines/memory/queue_log_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROOM_LEAST (1024 * 1024) /* of the record: 45,000 joins, before there is a speed to go by */
#define ROOM_MOST (8 * 1024 * 1024)
#define ROOM_SECONDS 2          /* at the speed of the last second */
#define HASH_PIECE (16 * 1024)  /* under hash_lock at once: some 80 us */
#define FRESH_AHEAD (64 * 1024) /* pages behind the end that are made writable again after a sync */
#define KEY_BYTES (1 + 4 + KEY_PUBLIC_BYTES)
#define HEAD_BYTES (1 + 6 + 6 + RECORD_HASH_BYTES + 4 + KEY_SIGNATURE_BYTES)
#define JOIN_BYTES (1 + 6 + 16)

/* ---- appending: under the caller's lock ---- */

static uint64_t length_of(const struct queue_log *log) {
    return atomic_load_explicit(&log->length, memory_order_acquire);
}

static uint32_t numbers_of(const struct queue_log *log) {
    return atomic_load_explicit(&log->numbers, memory_order_acquire);
}

void queue_log_note_key(struct queue_log *log, uint32_t id) {
    log->keys[log->key_count++ % LIMIT_KEY_GENERATIONS] = id;
}

static bool has_key(const struct queue_log *log, uint32_t id) {
    for (unsigned i = 0; i < log->key_count && i < LIMIT_KEY_GENERATIONS; i++)
        if (log->keys[i] == id)
            return true;
    return false;
}

/* There is room. The kind comes last: until it is there, the record ends before it. */
static void put(struct queue_log *log, const uint8_t *bytes, size_t length) {
    uint64_t end = atomic_load_explicit(&log->length, memory_order_relaxed);
    uint8_t *at = log->record.base + end;
    memcpy(at + 1, bytes + 1, length - 1);
    atomic_store_explicit((_Atomic uint8_t *)at, bytes[0], memory_order_release);
    atomic_store_explicit(&log->length, end + length, memory_order_release);
}

static bool has_room(const struct queue_log *log, size_t length) {
    return atomic_load_explicit(&log->length, memory_order_relaxed) + length <= queue_file_room(&log->record);
}

/* The salt before the user: a secret is there when its user is. */
static bool put_secret(struct queue_log *log, uint32_t number, const struct place_secret *secret) {
    uint64_t offset = queue_secret_offset(number), user;
    uint8_t bytes[QUEUE_SECRET_BYTES];
    if (number > LIMIT_PLACES || offset + QUEUE_SECRET_BYTES > queue_file_room(&log->secrets))
        return false;
    queue_secret_write(secret, bytes);
    memcpy(&user, bytes + sizeof secret->salt, sizeof user);
    uint8_t *at = log->secrets.base + offset;
    memcpy(at, bytes, sizeof secret->salt);
    atomic_store_explicit((_Atomic uint64_t *)(void *)(at + sizeof secret->salt), user, memory_order_release);
    return true;
}

static enum result append(struct queue_log *log, const struct record_event *event, const struct place_secret *secret) {
    uint8_t bytes[RECORD_MOST_BYTES];
    assert(event->kind != RECORD_START && event->kind != RECORD_HEAD && (event->kind == RECORD_JOIN) == !!secret);
    size_t length = record_write(event, bytes);
    uint32_t numbers = atomic_load_explicit(&log->numbers, memory_order_relaxed);
    if (!has_room(log, length))
        return RESULT_OVERLOADED;
    if (event->kind == RECORD_JOIN) {
        if (!put_secret(log, ++numbers, secret))
            return RESULT_OVERLOADED;
    } else if (event->kind == RECORD_UNKNOWN) {
        if (event->number > LIMIT_PLACES)
            return RESULT_OVERLOADED;
        assert(event->number > numbers);
        numbers = event->number;
    } else if (event->kind == RECORD_KEY) {
        queue_log_note_key(log, event->number);
    }
    /* In this order: who syncs looks at the length first, and has then the secret of every JOIN in it. */
    atomic_store_explicit(&log->numbers, numbers, memory_order_release);
    put(log, bytes, length);
    return RESULT_OK;
}

/* ---- sealing ---- */

void queue_log_restart_hash(struct queue_log *log, const uint8_t hash[static RECORD_HASH_BYTES]) {
    memcpy(log->last_hash, hash, RECORD_HASH_BYTES);
    crypto_hash_sha256_init(&log->hash);
    crypto_hash_sha256_update(&log->hash, hash, RECORD_HASH_BYTES);
}

void queue_log_note_head(struct queue_log *log, uint64_t offset, const struct record_event *head) {
    pthread_mutex_lock(&log->heads_lock);
    log->heads[log->head_count++ % HEADS_KEPT] = (struct record_head){.offset = offset, .event = *head};
    pthread_mutex_unlock(&log->heads_lock);
}

static enum result seal(struct queue_log *log, const struct key_generation *key, int64_t time_ms, int64_t open_ms) {
    uint8_t bytes[RECORD_MOST_BYTES];
    struct record_event head = {.kind = RECORD_HEAD, .time_ms = time_ms, .open_ms = open_ms};
    if (!has_room(log, KEY_BYTES + HEAD_BYTES))
        return RESULT_OVERLOADED;
    if (!has_key(log, key->id)) {
        struct record_event event = {.kind = RECORD_KEY, .number = key->id};
        memcpy(event.public_key, key->public_key, sizeof event.public_key);
        put(log, bytes, record_write(&event, bytes));
        queue_log_note_key(log, key->id);
    }
    uint64_t offset = length_of(log);
    pthread_mutex_lock(&log->hash_lock);
    crypto_hash_sha256_update(&log->hash, log->record.base + log->hashed, offset - log->hashed);
    crypto_hash_sha256_final(&log->hash, head.head.hash);
    record_head_sign(key, &log->show_id, offset, &head);
    put(log, bytes, record_write(&head, bytes));
    queue_log_restart_hash(log, head.head.hash);
    log->hashed = length_of(log);
    pthread_mutex_unlock(&log->hash_lock);
    atomic_store_explicit(&log->sealed, log->hashed, memory_order_release);
    queue_log_note_head(log, offset, &head);
    return RESULT_OK;
}

static void last_head(const struct queue_log *log, uint8_t hash[static RECORD_HASH_BYTES]) {
    memcpy(hash, log->last_hash, RECORD_HASH_BYTES);
}

/* ---- the worker ---- */

/* How many bytes of room there should be, going by what came in the last seconds. */
static uint64_t room_wanted(struct queue_log *log) {
    int64_t now_us = clock_monotonic_us();
    uint64_t came = length_of(log) - log->second_began_length;
    if (now_us - log->second_began_us >= 1000 * 1000) {
        log->last_second = came * 1000 * 1000 / (uint64_t)(now_us - log->second_began_us);
        log->second_began_us = now_us;
        log->second_began_length += came;
    }
    uint64_t speed = came > log->last_second ? came : log->last_second;
    uint64_t wanted = speed * ROOM_SECONDS;
    return wanted < ROOM_LEAST ? ROOM_LEAST : wanted > ROOM_MOST ? ROOM_MOST : wanted;
}

/* The half that is left, made whole again. */
static enum result prepare(struct queue_file *file, uint64_t end, uint64_t wanted) {
    uint64_t room = queue_file_room(file);
    if (room > end && room - end >= wanted / 2)
        return RESULT_OK;
    return queue_file_prepare(file, end + wanted);
}

bool queue_log_make_room(struct queue_log *log) {
    if (log->has_failed)
        return false;
    uint64_t wanted = room_wanted(log);
    enum result result = prepare(&log->record, length_of(log), wanted);
    if (result == RESULT_OK)
        result =
            prepare(&log->secrets, queue_secret_offset(numbers_of(log) + 1), wanted / JOIN_BYTES * QUEUE_SECRET_BYTES);
    /* What follows a loss is an UNKNOWN: it may skip what two draws from the ledger gave. */
    if (result == RESULT_OK && !log->is_settled)
        result = queue_file_prepare(&log->secrets, queue_secret_offset(numbers_of(log) + 2 * LIMIT_PLACES_UNKNOWN));
    if ((result != RESULT_OK) != log->is_full) {
        log->is_full = result != RESULT_OK;
        if (log->is_full)
            log_error("there is no room on disk for the queue's record: joining ends when what is reserved is used up",
                      LOG_STRING("folder", log->store->folder), LOG_STRING("error", strerror(errno)));
        else
            log_info("there is room on disk for the queue's record again", LOG_STRING("folder", log->store->folder));
    }
    return !log->is_full;
}

/* Up to where it was appended when this was called. */
static void hash_what_came(struct queue_log *log) {
    uint64_t end = length_of(log);
    bool is_done = false;
    while (!is_done) {
        pthread_mutex_lock(&log->hash_lock);
        uint64_t left = end > log->hashed ? end - log->hashed : 0;
        size_t piece = left < HASH_PIECE ? (size_t)left : HASH_PIECE;
        crypto_hash_sha256_update(&log->hash, log->record.base + log->hashed, piece);
        log->hashed += piece;
        is_done = left == piece;
        pthread_mutex_unlock(&log->hash_lock);
    }
    queue_file_let_go(&log->record, end);
    queue_file_let_go(&log->secrets, queue_secret_offset(numbers_of(log) + 1));
}

/* No retry of a failed sync can be trusted. The file system may be read-only from here on: what room there is must be
 * writable, or nothing is written any more. */
static void fail(struct queue_log *log, const char *step) {
    log->has_failed = true;
    log_error("the queue's record cannot be put on disk: joining ends when what is reserved is used up; mend the disk "
              "and start again",
              LOG_STRING("step", step), LOG_STRING("error", strerror(errno)), LOG_STRING("folder", log->store->folder));
    if (queue_file_refresh(&log->record, length_of(log), UINT64_MAX) != RESULT_OK ||
        queue_file_refresh(&log->secrets, queue_secret_offset(numbers_of(log) + 1), UINT64_MAX) != RESULT_OK) {
        queue_file_close_room(&log->record);
        queue_file_close_room(&log->secrets);
    }
}

enum result queue_log_put_mark(struct queue_log *log, bool is_closed, uint64_t length, uint32_t numbers) {
    const struct queue_disk *disk = log->secrets.disk;
    struct queue_mark mark = {
        .boot = log->boot, .is_closed = is_closed && log->is_settled, .length = length, .numbers = numbers};
    uint8_t bytes[QUEUE_MARK_BYTES];
    queue_mark_write(&mark, bytes);
    ssize_t n;
    do {
        n = disk->write(disk->context, log->secrets.fd, bytes, sizeof bytes, 0);
    } while (n < 0 && errno == EINTR);
    if (n >= 0 && n != sizeof bytes)
        errno = ENOSPC;
    return n == sizeof bytes ? RESULT_OK : RESULT_IO_ERROR;
}

/* The secrets before the record: a JOIN that a power loss leaves has its secret. The mark is on disk with the next
 * sync; until then the old one is true too. */
static void sync_what_was_sealed(struct queue_log *log) {
    const struct queue_disk *disk = log->record.disk;
    uint64_t length = length_of(log);
    uint32_t numbers = numbers_of(log);
    if (numbers != log->synced_numbers && disk->sync(disk->context, log->secrets.fd)) {
        fail(log, "sync of the secrets");
        return;
    }
    log->synced_numbers = numbers;
    if (disk->sync(disk->context, log->record.fd)) {
        fail(log, "sync of the record");
        return;
    }
    log->synced = length;
    if (queue_log_put_mark(log, false, length, numbers) != RESULT_OK)
        fail(log, "write of the mark");
    else if (queue_file_refresh(&log->record, length_of(log), length_of(log) + FRESH_AHEAD) != RESULT_OK ||
             queue_file_refresh(&log->secrets, queue_secret_offset(numbers_of(log) + 1),
                                queue_secret_offset(numbers_of(log) + 1) + FRESH_AHEAD) != RESULT_OK)
        fail(log, "touch");
}

static bool work(struct queue_log *log) {
    bool has_room = queue_log_make_room(log);
    hash_what_came(log);
    if (!log->has_failed && atomic_load_explicit(&log->sealed, memory_order_acquire) > log->synced) {
        sync_what_was_sealed(log);
        has_room = queue_log_make_room(log);
    }
    return has_room;
}

/* Written, not synced: a power loss makes another boot of it anyway. */
static void settle(struct queue_log *log) {
    log->is_settled = true;
    log->boot = log->store->boot;
    if (queue_log_put_mark(log, false, log->synced, log->synced_numbers) == RESULT_OK)
        return;
    /* The next start would not believe what is appended now. */
    fail(log, "write of the mark");
    queue_file_close_room(&log->record);
    queue_file_close_room(&log->secrets);
}

static bool exists(void *engine, const struct id *show_id) {
    const struct queue_log_store *store = engine;
    char path[PATH_BYTES], show[ID_UUID_TEXT];
    id_format_uuid(show_id, show);
    snprintf(path, sizeof path, "%s/%.*s.record", store->folder, ID_UUID_TEXT, show);
    return access(path, F_OK) == 0;
}

/* ---- reading: any thread ---- */

static bool secret_of(struct queue_log *log, uint32_t number, struct place_secret *secret) {
    uint8_t bytes[QUEUE_SECRET_BYTES];
    struct place_secret read;
    if (number == 0 || number > numbers_of(log) ||
        queue_read_all(log->secrets.disk, log->secrets.fd, bytes, sizeof bytes, queue_secret_offset(number)) !=
            (ssize_t)sizeof bytes)
        return false;
    queue_secret_read(bytes, &read);
    if (read.user == 0)
        return false;
    *secret = read;
    return true;
}

static unsigned newest_heads(struct queue_log *log, struct record_head *heads, unsigned room) {
    pthread_mutex_lock(&log->heads_lock);
    uint64_t kept = log->head_count < HEADS_KEPT ? log->head_count : HEADS_KEPT;
    unsigned count = room < kept ? room : (unsigned)kept;
    for (unsigned i = 0; i < count; i++)
        heads[i] = log->heads[(log->head_count - count + i) % HEADS_KEPT];
    pthread_mutex_unlock(&log->heads_lock);
    return count;
}

static enum result read_record(struct queue_log *log, uint64_t from, size_t most, struct buffer *out) {
    uint64_t length = length_of(log);
    if (from >= length || most == 0)
        return RESULT_OK;
    size_t wanted = length - from < most ? (size_t)(length - from) : most;
    char *at = buffer_reserve(out, wanted);
    if (!at)
        return RESULT_OVERLOADED;
    if (queue_read_all(log->record.disk, log->record.fd, at, wanted, from) != (ssize_t)wanted)
        return RESULT_IO_ERROR;
    out->length += wanted;
    return RESULT_OK;
}

/* ---- the store ---- */

static struct id boot_of_machine(void) {
    struct id boot = {{0}};
    struct buffer text;
    buffer_init(&text, 64);
    if (file_read("/proc/sys/kernel/random/boot_id", &text) != RESULT_OK || text.length < ID_UUID_TEXT ||
        !id_parse_uuid((struct bytes){text.at, ID_UUID_TEXT}, &boot))
        log_warn("the machine has no boot id: after a crash, the ends of queues are taken for lost");
    buffer_release(&text);
    return boot;
}

enum result queue_log_store_new_on(const char *folder, const struct queue_disk *disk, const struct id *boot,
                                   struct queue_logs *logs, char *fault, size_t fault_size) {
    struct queue_log_store *store = calloc(1, sizeof *store);
    if (!store) {
        snprintf(fault, fault_size, "there is no memory for the queues' records");
        return RESULT_OVERLOADED;
    }
    store->disk = *disk;
    store->boot = *boot;
    errno = ENAMETOOLONG;
    int length = snprintf(store->folder, sizeof store->folder, "%s/queue", folder);
    if (length >= (int)sizeof store->folder || folder_make(store->folder) != RESULT_OK) {
        snprintf(fault, fault_size, "cannot make the folder '%s/queue': %s", folder, strerror(errno));
        free(store);
        return RESULT_IO_ERROR;
    }
    *logs = (struct queue_logs){.engine = store,
                                .open = queue_log_open,
                                .exists = exists,
                                .settle = settle,
                                .append = append,
                                .seal = seal,
                                .head = last_head,
                                .length = length_of,
                                .work = work,
                                .secret = secret_of,
                                .heads = newest_heads,
                                .read = read_record,
                                .close = queue_log_close};
    return RESULT_OK;
}

enum result queue_log_store_new(const char *folder, struct queue_logs *logs, char *fault, size_t fault_size) {
    struct id boot = boot_of_machine();
    return queue_log_store_new_on(folder, &queue_real_disk, &boot, logs, fault, fault_size);
}

void queue_log_store_free(struct queue_logs *logs) {
    free(logs->engine);
    *logs = (struct queue_logs){0};
}
