/* A queue's log at its beginning and end: made, judged (queue_log.h says what is trusted), cut, replayed; closed. */
#include "engines/memory/queue_log_state.h"
#include "base/log.h"
#include "base/panic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What open() goes through; files are open once `log` has them. */
struct opening {
    struct queue_log *log;
    const struct record_event *start;
    char record_path[PATH_BYTES], secrets_path[PATH_BYTES];
    struct queue_mark mark;
    queue_log_replay *replay;
    void *context;
    char *fault;
    size_t fault_size;

    /* while the chain is checked */
    crypto_hash_sha256_state hash;
    uint64_t good; /* where the last HEAD that verifies ends */
    struct {
        uint32_t id;
        uint8_t public_key[KEY_PUBLIC_BYTES];
    } keys[LIMIT_KEY_GENERATIONS]; /* the newest */
    unsigned key_count;

    uint64_t unhashed; /* at the replay: where the last HEAD ends */
};

#define fault_says(opening, ...) snprintf((opening)->fault, (opening)->fault_size, __VA_ARGS__)

static enum result disk_fault(struct opening *opening, const char *what, const char *path) {
    fault_says(opening, "cannot %s '%s': %s", what, path, strerror(errno));
    return RESULT_IO_ERROR;
}

#define WHAT_TO_DO                                                                                                     \
    "Keep a copy; then put both files of this queue (.record and .private) back from a backup, or move both away: "    \
    "the "                                                                                                             \
    "queue then begins anew, above all numbers that were given out"

static enum result damage(struct opening *opening, uint64_t at) {
    fault_says(opening, "'%s' is damaged at byte %llu, which had been on disk. " WHAT_TO_DO, opening->record_path,
               (unsigned long long)at);
    return RESULT_CORRUPT;
}

/* ---- the files ---- */

static struct opening begin_opening(struct queue_log *log, const struct record_event *start) {
    struct opening opening = {.log = log, .start = start};
    char show[ID_UUID_TEXT];
    id_format_uuid(&start->start.show_id, show);
    snprintf(opening.record_path, PATH_BYTES, "%s/%.*s.record", log->store->folder, ID_UUID_TEXT, show);
    snprintf(opening.secrets_path, PATH_BYTES, "%s/%.*s.private", log->store->folder, ID_UUID_TEXT, show);
    return opening;
}

/* The record last: it being there says that the log is made. */
static enum result make_files(struct opening *opening) {
    const struct queue_disk *disk = &opening->log->store->disk;
    uint8_t start[RECORD_MOST_BYTES], bytes[QUEUE_MARK_BYTES];
    size_t length = record_write(opening->start, start);
    struct queue_mark mark = {.length = length}; /* of no boot: until it is settled, it may be in another's place */
    queue_mark_write(&mark, bytes);
    if (disk->create(disk->context, opening->secrets_path, (struct bytes){(const char *)bytes, sizeof bytes}))
        return disk_fault(opening, "make", opening->secrets_path);
    if (disk->create(disk->context, opening->record_path, (struct bytes){(const char *)start, length}))
        return disk_fault(opening, "make", opening->record_path);
    return RESULT_OK;
}

static enum result open_files(struct opening *opening) {
    struct queue_log *log = opening->log;
    const struct queue_disk *disk = &log->store->disk;
    uint64_t secrets_most = queue_secret_offset(LIMIT_PLACES + 1);
    enum result result = queue_file_open(&log->record, disk, opening->record_path, LIMIT_RECORD_BYTES);
    if (result != RESULT_OK && errno == ENOENT) {
        result = make_files(opening);
        if (result != RESULT_OK)
            return result;
        result = queue_file_open(&log->record, disk, opening->record_path, LIMIT_RECORD_BYTES);
    }
    if (result != RESULT_OK)
        return disk_fault(opening, "open", opening->record_path);
    if (queue_file_open(&log->secrets, disk, opening->secrets_path, secrets_most) == RESULT_OK)
        return RESULT_OK;
    result = RESULT_IO_ERROR;
    if (errno == ENOENT) {
        fault_says(opening, "'%s' is there, but '%s' is missing. " WHAT_TO_DO, opening->record_path,
                   opening->secrets_path);
        result = RESULT_CORRUPT;
    } else {
        (void)disk_fault(opening, "open", opening->secrets_path);
    }
    queue_file_release(&log->record, UINT64_MAX);
    return result;
}

static enum result read_mark(struct opening *opening) {
    struct queue_log *log = opening->log;
    char bytes[QUEUE_MARK_BYTES];
    ssize_t n = queue_read_all(log->secrets.disk, log->secrets.fd, bytes, sizeof bytes, 0);
    if (n < 0)
        return disk_fault(opening, "read", opening->secrets_path);
    enum result result = queue_mark_read((struct bytes){bytes, (size_t)n}, &opening->mark);
    if (result == RESULT_CORRUPT)
        fault_says(opening, "'%s' is damaged in its first bytes. " WHAT_TO_DO, opening->secrets_path);
    else if (result == RESULT_NEWER_VERSION)
        fault_says(opening, "'%s' was written by a newer version of onsale: use that one", opening->secrets_path);
    return result;
}

/* It has to be this show's, with what was committed to. */
static enum result check_start(struct opening *opening) {
    struct queue_log *log = opening->log;
    char bytes[RECORD_MOST_BYTES];
    struct record_event start;
    const struct record_event *wanted = opening->start;
    ssize_t n = queue_read_all(log->record.disk, log->record.fd, bytes, sizeof bytes, 0);
    if (n < 0)
        return disk_fault(opening, "read", opening->record_path);
    if (n >= 2 && bytes[0] == RECORD_START && (uint8_t)bytes[1] > 1) {
        fault_says(opening, "'%s' was written by a newer version of onsale: use that one", opening->record_path);
        return RESULT_NEWER_VERSION;
    }
    size_t length = record_read((struct bytes){bytes, (size_t)n}, &start);
    if (length == 0 || length == SIZE_MAX || start.kind != RECORD_START)
        return damage(opening, 0);
    if (!id_equal(&start.start.show_id, &wanted->start.show_id)) {
        fault_says(opening, "'%s' is the record of another show. " WHAT_TO_DO, opening->record_path);
        return RESULT_CORRUPT;
    }
    if (memcmp(start.start.commitment, wanted->start.commitment, sizeof start.start.commitment) != 0 ||
        !bytes_equal(start.start.beacon_name, wanted->start.beacon_name)) {
        fault_says(opening,
                   "'%s' was begun with another order, beacon or key than the show has now: fans were promised that "
                   "one. Give the show its old settings, and the folder of keys its old blinding key, back",
                   opening->record_path);
        return RESULT_CORRUPT;
    }
    return RESULT_OK;
}

/* ---- where it ends, after a power loss ---- */

static void note_public_key(struct opening *opening, const struct record_event *event) {
    unsigned at = opening->key_count++ % LIMIT_KEY_GENERATIONS;
    opening->keys[at].id = event->number;
    memcpy(opening->keys[at].public_key, event->public_key, KEY_PUBLIC_BYTES);
}

static bool is_signed(const struct opening *opening, uint64_t offset, const struct record_event *head) {
    for (unsigned i = 0; i < opening->key_count && i < LIMIT_KEY_GENERATIONS; i++)
        if (opening->keys[i].id == head->number)
            return record_head_is_signed(opening->keys[i].public_key, &opening->log->show_id, offset, head);
    return false;
}

/* A HEAD's own bytes are in no hash before the next one's, so its signature is looked at too. */
static bool check_record(void *context, uint64_t offset, struct bytes bytes, const struct record_event *event,
                         const struct place_secret *secret) {
    struct opening *opening = context;
    bool was_on_disk = offset < opening->mark.length;
    if (event->kind == RECORD_JOIN && secret->user == 0 && event->number > opening->mark.numbers)
        return false;
    if (event->kind == RECORD_KEY)
        note_public_key(opening, event);
    if (event->kind != RECORD_HEAD) {
        crypto_hash_sha256_update(&opening->hash, (const uint8_t *)bytes.at, bytes.length);
        return true;
    }
    uint8_t hash[RECORD_HASH_BYTES];
    crypto_hash_sha256_final(&opening->hash, hash);
    if (memcmp(hash, event->head.hash, sizeof hash) != 0 || (!was_on_disk && !is_signed(opening, offset, event)))
        return false;
    crypto_hash_sha256_init(&opening->hash);
    crypto_hash_sha256_update(&opening->hash, hash, sizeof hash);
    if (!was_on_disk)
        opening->good = offset + bytes.length;
    return true;
}

static struct queue_walk walk_over(struct opening *opening) {
    struct queue_log *log = opening->log;
    return (struct queue_walk){.disk = log->record.disk,
                               .record = log->record.fd,
                               .secrets = log->secrets.fd,
                               .limit = UINT64_MAX,
                               .context = opening};
}

static enum result walk_failed(struct opening *opening, enum result result) {
    if (result == RESULT_IO_ERROR)
        return disk_fault(opening, "read", opening->record_path);
    fault_says(opening, "there is no memory to read '%s'", opening->record_path);
    return result;
}

static enum result find_end(struct opening *opening, uint64_t *end) {
    static const uint8_t zeros[RECORD_HASH_BYTES];
    struct queue_walk walk = walk_over(opening);
    walk.visit = check_record;
    crypto_hash_sha256_init(&opening->hash);
    crypto_hash_sha256_update(&opening->hash, zeros, sizeof zeros);
    enum result result = queue_walk(&walk);
    if (result != RESULT_OK)
        return walk_failed(opening, result);
    if (walk.end < opening->mark.length)
        return damage(opening, walk.end);
    *end = opening->good > opening->mark.length ? opening->good : opening->mark.length;
    if (walk.why != QUEUE_WALK_AT_END || walk.end > *end)
        log_warn("the end of a queue's record was lost with the power: what the chain does not vouch for is cut off",
                 LOG_STRING("path", opening->record_path), LOG_INT("from_byte", *end));
    return RESULT_OK;
}

/* ---- replay ---- */

static bool replay_record(void *context, uint64_t offset, struct bytes bytes, const struct record_event *event,
                          const struct place_secret *secret) {
    struct opening *opening = context;
    struct queue_log *log = opening->log;
    if (event->kind == RECORD_HEAD) {
        atomic_store(&log->sealed, offset + bytes.length);
        queue_log_note_head(log, offset, event);
        queue_log_restart_hash(log, event->head.hash);
        opening->unhashed = offset + bytes.length;
    } else if (event->kind == RECORD_KEY) {
        queue_log_note_key(log, event->number);
    }
    opening->replay(opening->context, event, secret);
    return true;
}

/* What stands behind the last HEAD goes into the running hash. */
static enum result hash_tail(struct opening *opening, uint64_t end) {
    struct queue_log *log = opening->log;
    char piece[16 * 1024];
    for (uint64_t at = opening->unhashed; at < end;) {
        size_t wanted = end - at < sizeof piece ? (size_t)(end - at) : sizeof piece;
        ssize_t n = queue_read_all(log->record.disk, log->record.fd, piece, wanted, at);
        if (n != (ssize_t)wanted)
            return disk_fault(opening, "read", opening->record_path);
        crypto_hash_sha256_update(&log->hash, (const uint8_t *)piece, wanted);
        at += wanted;
    }
    log->hashed = end;
    return RESULT_OK;
}

static enum result replay_all(struct opening *opening, uint64_t limit) {
    static const uint8_t zeros[RECORD_HASH_BYTES];
    struct queue_log *log = opening->log;
    struct queue_walk walk = walk_over(opening);
    walk.limit = limit;
    walk.visit = replay_record;
    queue_log_restart_hash(log, zeros);
    enum result result = queue_walk(&walk);
    if (result != RESULT_OK)
        return walk_failed(opening, result);
    if (walk.why == QUEUE_WALK_AT_DAMAGE || walk.end < opening->mark.length)
        return damage(opening, walk.end);
    if (walk.end > LIMIT_RECORD_BYTES - RECORD_MOST_BYTES)
        return damage(opening, LIMIT_RECORD_BYTES - RECORD_MOST_BYTES);
    atomic_store(&log->length, walk.end);
    atomic_store(&log->numbers, walk.numbers);
    return hash_tail(opening, walk.end);
}

/* ---- ready to go on ---- */

/* From here on the files are this boot's, and what they have is on disk. */
static enum result go_on(struct opening *opening) {
    struct queue_log *log = opening->log;
    const struct queue_disk *disk = log->record.disk;
    uint64_t length = atomic_load(&log->length);
    uint32_t numbers = atomic_load(&log->numbers);
    if (queue_file_begin(&log->record, length) != RESULT_OK || disk->sync(disk->context, log->record.fd))
        return disk_fault(opening, "write", opening->record_path);
    if (queue_file_begin(&log->secrets, queue_secret_offset(numbers + 1)) != RESULT_OK ||
        disk->sync(disk->context, log->secrets.fd) || queue_log_put_mark(log, false, length, numbers) != RESULT_OK ||
        disk->sync(disk->context, log->secrets.fd))
        return disk_fault(opening, "write", opening->secrets_path);
    log->synced = length;
    log->synced_numbers = numbers;
    log->second_began_length = length;
    return RESULT_OK;
}

static enum result open_all(struct opening *opening, bool *is_whole) {
    struct queue_log *log = opening->log;
    uint64_t limit = UINT64_MAX;
    enum result result = read_mark(opening);
    if (result == RESULT_OK)
        result = check_start(opening);
    if (result != RESULT_OK)
        return result;
    bool same_boot = !id_is_none(&log->store->boot) && id_equal(&log->store->boot, &opening->mark.boot);
    *is_whole = same_boot || opening->mark.is_closed;
    log->is_settled = *is_whole;
    if (*is_whole)
        log->boot = log->store->boot;
    if (!*is_whole)
        result = find_end(opening, &limit);
    if (result == RESULT_OK)
        result = replay_all(opening, limit);
    if (result == RESULT_OK)
        result = go_on(opening);
    if (result == RESULT_OK && !queue_log_make_room(log))
        log_warn("nobody can join this queue until there is room on disk", LOG_STRING("path", opening->record_path));
    return result;
}

enum result queue_log_open(void *engine, const struct record_event *start, queue_log_replay *replay, void *context,
                           bool *is_whole, struct queue_log **log, char *fault, size_t fault_size) {
    struct queue_log *fresh = calloc(1, sizeof *fresh);
    if (!fresh) {
        snprintf(fault, fault_size, "there is no memory for a queue's record");
        return RESULT_OVERLOADED;
    }
    assert(start->kind == RECORD_START);
    fresh->store = engine;
    fresh->show_id = start->start.show_id;
    pthread_mutex_init(&fresh->hash_lock, NULL);
    pthread_mutex_init(&fresh->heads_lock, NULL);
    struct opening opening = begin_opening(fresh, start);
    opening.replay = replay;
    opening.context = context;
    opening.fault = fault;
    opening.fault_size = fault_size;
    bool whole;
    enum result result = open_files(&opening);
    if (result == RESULT_OK) {
        result = open_all(&opening, &whole);
        if (result == RESULT_OK) {
            *is_whole = whole;
            *log = fresh;
            return RESULT_OK;
        }
        queue_file_release(&fresh->record, UINT64_MAX);
        queue_file_release(&fresh->secrets, UINT64_MAX);
    }
    pthread_mutex_destroy(&fresh->hash_lock);
    pthread_mutex_destroy(&fresh->heads_lock);
    free(fresh);
    return result;
}

/* Says that it was closed in order only when everything is on disk. */
void queue_log_close(struct queue_log *log) {
    const struct queue_disk *disk = log->record.disk;
    uint64_t length = atomic_load(&log->length);
    uint32_t numbers = atomic_load(&log->numbers);
    bool is_on_disk = !log->has_failed && disk->sync(disk->context, log->record.fd) == 0 &&
                      disk->sync(disk->context, log->secrets.fd) == 0;
    if (is_on_disk &&
        (queue_log_put_mark(log, true, length, numbers) != RESULT_OK || disk->sync(disk->context, log->secrets.fd)))
        is_on_disk = false;
    if (!is_on_disk)
        log_warn("a queue's record could not be closed in order", LOG_STRING("folder", log->store->folder));
    queue_file_release(&log->record, length);
    queue_file_release(&log->secrets, queue_secret_offset(numbers + 1));
    pthread_mutex_destroy(&log->hash_lock);
    pthread_mutex_destroy(&log->heads_lock);
    free(log);
}
