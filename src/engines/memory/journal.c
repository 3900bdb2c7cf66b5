#include "engines/memory/journal.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/panic.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FIRST_CAPACITY (64 * 1024)
#define WRITE_FROM (1024 * 1024)      /* gathered bytes that do not wait for the interval's end */
#define WRITES_FROM (1024 * 1024)     /* gathered bytes from which on the writer does not wait for its time */
#define TAKES_UP_TO (8 * 1024 * 1024) /* … and from which on new takes are refused: the disk does not keep up */
#define GATHER_LIMIT (32 * 1024 * 1024)
#define COPY_BYTES (512 * 1024) /* of an old segment between two looks at what gathered */
static_assert(COPY_BYTES > 2 * (JOURNAL_FRAME_BYTES + JOURNAL_PAYLOAD_LIMIT), "a piece has a record in it");

/* Frames that wait to be written, behind room for a MARK. */
struct gathering {
    struct buffer frames;
    uint64_t last_ticket; /* of the last frame in it, or before it */
};

/* The writer's way through the old segments. */
struct copying {
    bool under_way;
    int fd;          /* of segment `number`, or -1 */
    uint64_t number; /* the segment being read, from `oldest` up to `last` */
    uint64_t oldest, last;
    uint64_t offset;
    uint8_t *piece;
};

struct journal {
    /* set once */
    char folder[JOURNAL_PATH_BYTES];
    struct journal_disk disk;
    struct journal_clock clock;
    struct journal_owner owner;
    struct journal_header header; /* but for its numbers, which are the writer's */
    size_t compact_bytes;
    pthread_t writer;

    /* atomic */
    atomic_bool failed;
    atomic_int error; /* the errno of the first failure */
    atomic_bool full;
    atomic_bool may_compact;
    atomic_llong waiting_since_us; /* since when the first frame of what is gathered waits; 0: nothing does */
    atomic_ullong synced;

    pthread_mutex_t lock;
    pthread_cond_t wake;   /* the writer: there is something to write, or to stop for */
    pthread_cond_t landed; /* everybody: something was synced, or all is lost */
    /* under lock */
    struct gathering *gathering;
    bool hurry; /* somebody waits in journal_sync(), or much has gathered */
    bool stop;

    /* owned by the writer */
    struct gathering gatherings[2];
    int fd;
    uint64_t next_sequence;
    size_t file_bytes, dead_bytes;
    int64_t holds; /* about how many live in it */
    int64_t synced_us;
    struct copying copying;
};

/* ---- the real disk and clock ---- */

static int real_create(void *context, const char *path) {
    (void)context;
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
}

static ssize_t real_write(void *context, int fd, const void *data, size_t length) {
    (void)context;
    return write(fd, data, length);
}

static int real_sync(void *context, int fd) {
    (void)context;
    return fdatasync(fd);
}

static int real_rename(void *context, const char *from, const char *to) {
    (void)context;
    return rename(from, to);
}

static int real_remove(void *context, const char *path) {
    (void)context;
    return unlink(path);
}

static int real_sync_folder(void *context, const char *folder) {
    (void)context;
    return folder_sync(folder) == RESULT_OK ? 0 : -1;
}

const struct journal_disk journal_real_disk = {.create = real_create,
                                               .write = real_write,
                                               .sync = real_sync,
                                               .rename = real_rename,
                                               .remove = real_remove,
                                               .sync_folder = real_sync_folder};

static int64_t real_now_ms(void *context) {
    (void)context;
    return clock_now_ms();
}

static int64_t real_boot_ms(void *context) {
    (void)context;
    struct timespec now;
    int failed = clock_gettime(CLOCK_BOOTTIME, &now);
    assert(!failed);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct id real_boot(void *context) {
    (void)context;
    struct id boot = {{0}};
    struct buffer text;
    buffer_init(&text, 64);
    if (file_read("/proc/sys/kernel/random/boot_id", &text) != RESULT_OK || text.length < ID_UUID_TEXT ||
        !id_parse_uuid((struct bytes){text.at, ID_UUID_TEXT}, &boot))
        log_warn(
            "the machine has no boot id: after a restart, holds are given the longer of what clock and journal say");
    buffer_release(&text);
    return boot;
}

const struct journal_clock journal_real_clock = {.now_ms = real_now_ms, .boot_ms = real_boot_ms, .boot = real_boot};

/* ---- appending: any thread ---- */

void journal_begin_batch(struct buffer *out, size_t limit) {
    buffer_init(out, limit);
    if (buffer_reserve(out, JOURNAL_MARK_BYTES))
        out->length = JOURNAL_MARK_BYTES;
}

void journal_put(struct buffer *out, enum journal_kind kind, uint32_t dead, struct bytes payload, struct bytes rest) {
    size_t length = payload.length + rest.length;
    uint8_t *frame = (uint8_t *)buffer_reserve(out, JOURNAL_FRAME_BYTES + length);
    if (!frame)
        return;
    journal_begin_frame(frame, kind, length, dead);
    out->length += JOURNAL_FRAME_BYTES;
    buffer_add_bytes(out, payload);
    buffer_add_bytes(out, rest);
}

bool journal_takes(const struct journal *journal) {
    if (atomic_load_explicit(&journal->failed, memory_order_relaxed) ||
        atomic_load_explicit(&journal->full, memory_order_relaxed))
        return false;
    int64_t since = atomic_load_explicit(&journal->waiting_since_us, memory_order_relaxed);
    return since == 0 || clock_monotonic_us() - since < JOURNAL_STALL_MS * 1000;
}

/* Says it once, whoever comes first. */
static void fail(struct journal *journal, const char *what, int error) {
    metric_add(METRIC_JOURNAL_FAILURES, 1);
    if (atomic_exchange(&journal->failed, true))
        return;
    atomic_store(&journal->error, error);
    log_error("the journal of holds cannot be written: no new holds until a restart; those that are can be paid for",
              LOG_STRING("step", what), LOG_STRING("error", strerror(error)), LOG_STRING("folder", journal->folder));
}

uint64_t journal_append(struct journal *journal, enum journal_kind kind, uint32_t dead, struct bytes payload,
                        struct bytes rest) {
    pthread_mutex_lock(&journal->lock);
    struct gathering *gathering = journal->gathering;
    bool first = gathering->frames.length == JOURNAL_MARK_BYTES;
    uint64_t ticket = ++gathering->last_ticket;
    bool overrun = false;
    if (!atomic_load_explicit(&journal->failed, memory_order_relaxed)) {
        size_t before = gathering->frames.length;
        journal_put(&gathering->frames, kind, dead, payload, rest);
        overrun = !buffer_ok(&gathering->frames);
        if (gathering->frames.length >= WRITES_FROM && !journal->hurry) {
            journal->hurry = true;
            pthread_cond_signal(&journal->wake);
        }
        if (gathering->frames.length >= TAKES_UP_TO)
            atomic_store_explicit(&journal->full, true, memory_order_relaxed);
        if (first)
            atomic_store_explicit(&journal->waiting_since_us, clock_monotonic_us(), memory_order_relaxed);
        if (first || (before < WRITE_FROM && gathering->frames.length >= WRITE_FROM))
            pthread_cond_signal(&journal->wake);
    }
    pthread_mutex_unlock(&journal->lock);
    if (overrun)
        fail(journal, "gather", ENOBUFS);
    return ticket;
}

uint64_t journal_synced(const struct journal *journal) {
    return atomic_load_explicit(&journal->synced, memory_order_acquire);
}

enum result journal_sync(struct journal *journal) {
    pthread_mutex_lock(&journal->lock);
    uint64_t ticket = journal->gathering->last_ticket;
    while (journal_synced(journal) < ticket && !atomic_load(&journal->failed)) {
        journal->hurry = true;
        pthread_cond_signal(&journal->wake);
        pthread_cond_wait(&journal->landed, &journal->lock);
    }
    pthread_mutex_unlock(&journal->lock);
    return atomic_load(&journal->failed) ? RESULT_HOLD_STORE_UNAVAILABLE : RESULT_OK;
}

void journal_allow_compaction(struct journal *journal) {
    atomic_store(&journal->may_compact, true);
}

/* ---- writing: the writer's thread (and journal_open, before it is there) ---- */

static void gathering_reset(struct gathering *gathering, uint64_t last_ticket) {
    gathering->frames.length = JOURNAL_MARK_BYTES;
    gathering->frames.full = false;
    gathering->last_ticket = last_ticket;
}

static bool ends_hold(const char *frame, size_t whole) {
    struct journal_step step;
    return journal_read_step((struct bytes){frame + JOURNAL_FRAME_BYTES, whole - JOURNAL_FRAME_BYTES}, &step) &&
           step.what != JOURNAL_PAYING && step.what != JOURNAL_HELD_AGAIN;
}

/* Gives each frame its sequence and checksum, and keeps the books of what lives and what is dead. */
static void seal_all(struct journal *journal, struct buffer *frames) {
    for (size_t at = 0; at < frames->length;) {
        char *frame = frames->at + at;
        enum journal_kind kind;
        uint32_t dead;
        size_t whole = journal_seal_frame((uint8_t *)frame, journal->next_sequence++, &kind, &dead);
        journal->dead_bytes += dead;
        if (kind == JOURNAL_TAKE)
            journal->holds++;
        else if (kind == JOURNAL_STEP && ends_hold(frame, whole))
            journal->holds--;
        at += whole;
    }
}

static bool write_all(struct journal *journal, int fd, struct bytes data) {
    while (data.length) {
        ssize_t n = journal->disk.write(journal->disk.context, fd, data.at, data.length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            fail(journal, "write", n ? errno : EIO);
            return false;
        }
        data.at += n;
        data.length -= (size_t)n;
        metric_add(METRIC_JOURNAL_BYTES, n);
    }
    if (journal->disk.sync(journal->disk.context, fd)) {
        fail(journal, "sync", errno);
        return false;
    }
    return true;
}

/* Frames behind room for a MARK: one write, one sync. */
static bool write_batch(struct journal *journal, struct buffer *frames) {
    uint8_t mark[8];
    journal_write_mark(journal->clock.now_ms(journal->clock.context), mark);
    journal_begin_frame((uint8_t *)frames->at, JOURNAL_MARK, sizeof mark, JOURNAL_MARK_BYTES);
    memcpy(frames->at + JOURNAL_FRAME_BYTES, mark, sizeof mark);
    seal_all(journal, frames);
    journal->file_bytes += frames->length;
    bool written = write_all(journal, journal->fd, buffer_bytes(frames));
    journal->synced_us = clock_monotonic_us();
    return written;
}

void journal_path(const char *folder, uint64_t number, char path[static JOURNAL_PATH_BYTES]) {
    snprintf(path, JOURNAL_PATH_BYTES, "%s/%08llu.journal", folder, (unsigned long long)number);
}

/* Makes a segment with `frames` in it: whole under its name, or not there. Writing goes on in it. */
static bool begin_segment(struct journal *journal, uint64_t number, struct buffer *frames) {
    const struct journal_disk *disk = &journal->disk;
    char path[JOURNAL_PATH_BYTES], fresh[JOURNAL_PATH_BYTES + 4];
    journal_path(journal->folder, number, path);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    (void)disk->remove(disk->context, fresh);
    int fd = disk->create(disk->context, fresh);
    if (fd < 0) {
        fail(journal, "create", errno);
        return false;
    }
    struct journal_header header = journal->header;
    header.number = number;
    header.first_sequence = journal->next_sequence;
    struct buffer start;
    buffer_init(&start, JOURNAL_HEADER_BYTES);
    char *room = buffer_reserve(&start, JOURNAL_HEADER_BYTES);
    bool made = room;
    if (made) {
        journal_write_header(&header, (uint8_t *)room);
        start.length = JOURNAL_HEADER_BYTES;
        journal->dead_bytes = JOURNAL_HEADER_BYTES;
        journal->file_bytes = JOURNAL_HEADER_BYTES;
        made = write_all(journal, fd, buffer_bytes(&start));
    } else {
        fail(journal, "gather", ENOMEM);
    }
    buffer_release(&start);
    if (made && journal->fd >= 0)
        close(journal->fd);
    if (!made) {
        close(fd);
        return false;
    }
    journal->fd = fd;
    if (!write_batch(journal, frames))
        return false;
    if (disk->rename(disk->context, fresh, path) || disk->sync_folder(disk->context, journal->folder)) {
        fail(journal, "rename", errno);
        return false;
    }
    return true;
}

/* What stays behind is removed at the next start. */
static void remove_segments(struct journal *journal, uint64_t first, uint64_t last) {
    char path[JOURNAL_PATH_BYTES];
    for (uint64_t number = first; number <= last; number++) {
        journal_path(journal->folder, number, path);
        if (journal->disk.remove(journal->disk.context, path) && errno != ENOENT)
            log_warn("an obsolete journal of holds cannot be removed", LOG_STRING("path", path),
                     LOG_STRING("error", strerror(errno)));
    }
}

/* ---- compaction: the writer's thread ---- */

static bool is_due(const struct journal *journal) {
    return !journal->copying.under_way && atomic_load(&journal->may_compact) &&
           journal->file_bytes >= journal->compact_bytes && journal->dead_bytes > journal->file_bytes / 2;
}

static void start_copying(struct journal *journal, uint64_t *number) {
    struct copying *copying = &journal->copying;
    struct buffer nothing;
    journal_begin_batch(&nothing, JOURNAL_MARK_BYTES);
    copying->piece = malloc(COPY_BYTES);
    if (!copying->piece || !buffer_ok(&nothing)) {
        log_warn("no memory to rewrite the journal of holds; it is tried again");
        free(copying->piece);
        copying->piece = NULL;
        buffer_release(&nothing);
        return;
    }
    *copying = (struct copying){
        .under_way = true, .fd = -1, .number = *number, .oldest = *number, .last = *number, .piece = copying->piece};
    if (begin_segment(journal, *number + 1, &nothing))
        ++*number;
    buffer_release(&nothing);
}

static void stop_copying(struct journal *journal) {
    struct copying *copying = &journal->copying;
    if (copying->fd >= 0)
        close(copying->fd);
    free(copying->piece);
    *copying = (struct copying){.fd = -1};
}

/* Reads the next piece of the segment; 0 at its end. */
static ssize_t read_piece(struct journal *journal) {
    struct copying *copying = &journal->copying;
    if (copying->fd < 0) {
        char path[JOURNAL_PATH_BYTES];
        journal_path(journal->folder, copying->number, path);
        copying->fd = open(path, O_RDONLY | O_CLOEXEC);
        copying->offset = JOURNAL_HEADER_BYTES;
        if (copying->fd < 0)
            return -1;
    }
    return pread(copying->fd, copying->piece, COPY_BYTES, (off_t)copying->offset);
}

/* Copies what lives of one piece. */
static void copy_piece(struct journal *journal) {
    struct copying *copying = &journal->copying;
    ssize_t n = read_piece(journal);
    if (n < 0) {
        fail(journal, "read", errno);
        return;
    }
    struct bytes rest = {(const char *)copying->piece, (size_t)n};
    struct journal_record record;
    struct buffer living;
    journal_begin_batch(&living, 2 * COPY_BYTES);
    while (journal_next_record(&rest, &record))
        if (record.kind == JOURNAL_TAKE || record.kind == JOURNAL_ANSWER)
            journal->owner.copy_living(journal->owner.context, &record, &living);
    size_t used = (size_t)n - rest.length;
    copying->offset += used;
    bool at_end = n == 0;
    if (at_end)
        journal_put(&living, JOURNAL_BASE, 0, (struct bytes){0}, (struct bytes){0});
    if (n > 0 && used == 0)
        fail(journal, "read back", EBADMSG);
    else if (!buffer_ok(&living))
        fail(journal, "gather", ENOMEM);
    else if (living.length > JOURNAL_MARK_BYTES) {
        int64_t holds = journal->holds; /* what is copied was counted when it was taken */
        if (write_batch(journal, &living) && at_end)
            remove_segments(journal, copying->oldest, copying->last);
        journal->holds = holds;
    }
    buffer_release(&living);
    if (at_end)
        stop_copying(journal);
}

/* ---- the writer ---- */

static void wait_until(struct journal *journal, int64_t us) {
    struct timespec until = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    pthread_cond_timedwait(&journal->wake, &journal->lock, &until);
}

/* Waits until it is time to write; under the lock. */
static void wait_for_work(struct journal *journal) {
    for (;;) {
        bool any = journal->gathering->frames.length > JOURNAL_MARK_BYTES;
        bool hurry = journal->hurry || journal->gathering->frames.length >= WRITE_FROM;
        int64_t now = clock_monotonic_us();
        int64_t next = journal->synced_us + JOURNAL_INTERVAL_MS * 1000;
        if (journal->stop || (hurry && any) || (any && now >= next) || journal->copying.under_way)
            return;
        if (!any && journal->holds > 0)
            next = journal->synced_us + JOURNAL_MARK_INTERVAL_MS * 1000;
        if (!any && journal->holds > 0 && now >= next)
            return;
        if (any || journal->holds > 0)
            wait_until(journal, next);
        else
            pthread_cond_wait(&journal->wake, &journal->lock);
    }
}

/* Swaps the gatherings, under the lock: what comes from here on is for the next batch. */
static struct gathering *swap(struct journal *journal) {
    struct gathering *batch = journal->gathering;
    struct gathering *other = &journal->gatherings[batch == &journal->gatherings[0]];
    gathering_reset(other, batch->last_ticket);
    journal->gathering = other;
    journal->hurry = false;
    atomic_store(&journal->full, false);
    atomic_store(&journal->waiting_since_us, 0);
    return batch;
}

static void *write_on(void *argument) {
    struct journal *journal = argument;
    uint64_t number = journal->header.number;
    pthread_mutex_lock(&journal->lock);
    bool stop;
    do {
        wait_for_work(journal);
        stop = journal->stop;
        struct gathering *batch = swap(journal);
        bool piece_only = journal->copying.under_way && batch->frames.length == JOURNAL_MARK_BYTES && !stop;
        pthread_mutex_unlock(&journal->lock);
        if (!atomic_load(&journal->failed)) {
            if (piece_only || write_batch(journal, &batch->frames))
                atomic_store_explicit(&journal->synced, batch->last_ticket, memory_order_release);
            if (!atomic_load(&journal->failed) && is_due(journal))
                start_copying(journal, &number);
            if (!atomic_load(&journal->failed) && journal->copying.under_way && !stop)
                copy_piece(journal);
        }
        if (atomic_load(&journal->failed) && journal->copying.under_way)
            stop_copying(journal);
        pthread_mutex_lock(&journal->lock);
        if (atomic_load(&journal->failed))
            journal->holds = 0;
        pthread_cond_broadcast(&journal->landed);
    } while (!stop);
    pthread_mutex_unlock(&journal->lock);
    stop_copying(journal);
    return NULL;
}

/* ---- open and close ---- */

static void journal_free(struct journal *journal) {
    if (journal->fd >= 0)
        close(journal->fd);
    for (int i = 0; i < 2; i++)
        buffer_release(&journal->gatherings[i].frames);
    pthread_cond_destroy(&journal->wake);
    pthread_cond_destroy(&journal->landed);
    pthread_mutex_destroy(&journal->lock);
    free(journal);
}

static struct journal *journal_new(const struct journal_settings *settings) {
    struct journal *journal = calloc(1, sizeof *journal);
    if (!journal)
        return NULL;
    snprintf(journal->folder, sizeof journal->folder, "%s", settings->folder);
    journal->disk = *settings->disk;
    journal->clock = *settings->clock;
    journal->owner = settings->owner;
    journal->compact_bytes = settings->compact_bytes;
    journal->next_sequence = settings->first_sequence;
    void *context = journal->clock.context;
    journal->header =
        (struct journal_header){.number = settings->first_number,
                                .boot = journal->clock.boot(context),
                                .wall_minus_boot_ms = journal->clock.now_ms(context) - journal->clock.boot_ms(context)};
    journal->fd = -1;
    journal->copying.fd = -1;
    pthread_mutex_init(&journal->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&journal->wake, &attributes);
    pthread_cond_init(&journal->landed, NULL);
    pthread_condattr_destroy(&attributes);
    bool made = true;
    for (int i = 0; i < 2; i++) {
        buffer_init(&journal->gatherings[i].frames, GATHER_LIMIT);
        made = made && buffer_reserve(&journal->gatherings[i].frames, FIRST_CAPACITY);
        gathering_reset(&journal->gatherings[i], 0);
    }
    journal->gathering = &journal->gatherings[0];
    if (!made) {
        journal_free(journal);
        return NULL;
    }
    return journal;
}

enum result journal_open(const struct journal_settings *settings, struct buffer *living, struct journal **journal,
                         char *detail, size_t detail_size) {
    struct journal *made = journal_new(settings);
    if (!made) {
        snprintf(detail, detail_size, "no memory for the journal of holds");
        return RESULT_OVERLOADED;
    }
    if (!begin_segment(made, settings->first_number, living)) {
        snprintf(detail, detail_size, "cannot write the journal of holds in '%s': %s", settings->folder,
                 strerror(atomic_load(&made->error)));
        journal_free(made);
        return RESULT_IO_ERROR;
    }
    remove_segments(made, settings->oldest_number, settings->first_number - 1);
    int error = pthread_create(&made->writer, NULL, write_on, made);
    if (error) {
        snprintf(detail, detail_size, "cannot start the journal's thread: %s", strerror(error));
        journal_free(made);
        return RESULT_OVERLOADED;
    }
    pthread_setname_np(made->writer, "journal");
    *journal = made;
    return RESULT_OK;
}

void journal_close(struct journal *journal) {
    pthread_mutex_lock(&journal->lock);
    journal->stop = true;
    pthread_cond_signal(&journal->wake);
    pthread_mutex_unlock(&journal->lock);
    pthread_join(journal->writer, NULL);
    journal_free(journal);
}
