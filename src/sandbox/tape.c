#include "sandbox/tape.h"
#include "base/crc32c.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/panic.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "onsale sandbox 1"
#define MAGIC_BYTES 16
#define GROUP_BYTES (64 * 1024 * 1024)

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the tape is little-endian and written as it is in memory");

struct head {
    uint32_t length;
    uint32_t crc;
    uint64_t synced_to;
};

struct tape {
    /* set once */
    int fd;
    char path[PATH_MAX];
    struct tape_listener listener;
    pthread_t thread;
    bool started;

    /* owned by the appending thread */
    uint64_t end;

    _Atomic uint64_t synced_to;

    pthread_mutex_t lock;
    pthread_cond_t wanted; /* something gathered, or it is time to stop */
    /* under lock */
    struct buffer gathered;
    bool stopping;
    bool idle; /* the thread waits at `wanted` */
};

static size_t padded(size_t length) {
    return (length + 7) & ~(size_t)7;
}

static uint32_t check_of(const struct head *head, const char *content) {
    uint32_t crc = crc32c(0, &head->length, sizeof head->length);
    crc = crc32c(crc, &head->synced_to, sizeof head->synced_to);
    return crc32c(crc, content, head->length);
}

/* The record at `place`, if it is whole. */
static bool record_at(struct bytes file, uint64_t place, struct head *head, struct bytes *content) {
    if (place > file.length || file.length - place < sizeof *head)
        return false;
    memcpy(head, file.at + place, sizeof *head);
    if (head->length == 0 || head->length > LIMIT_SANDBOX_RECORD_BYTES ||
        head->length > file.length - place - sizeof *head || head->synced_to > place)
        return false;
    *content = (struct bytes){file.at + place + sizeof *head, head->length};
    return check_of(head, content->at) == head->crc;
}

/* Does a whole record behind `broken` say that the file was synced beyond it? */
static bool was_synced(struct bytes file, uint64_t broken) {
    struct head head;
    struct bytes content;
    for (uint64_t place = broken + 8; place + sizeof head <= file.length; place += 8)
        if (record_at(file, place, &head, &content) && head.synced_to > broken)
            return true;
    return false;
}

static enum result visit_all(struct tape *tape, struct bytes file, tape_visit *visit, void *context, char *detail,
                             size_t detail_size) {
    struct head head;
    struct bytes content;
    uint64_t place = MAGIC_BYTES;
    while (record_at(file, place, &head, &content)) {
        enum result result = visit(context, place, content);
        if (result != RESULT_OK) {
            snprintf(detail, detail_size, "cannot take over '%s' at byte %llu: %s", tape->path,
                     (unsigned long long)place, result_words(result));
            return result;
        }
        place += padded(sizeof head + head.length);
    }
    if (place < file.length && was_synced(file, place)) {
        snprintf(detail, detail_size, "'%s' is damaged at byte %llu, before its end", tape->path,
                 (unsigned long long)place);
        return RESULT_CORRUPT;
    }
    tape->end = place;
    return RESULT_OK;
}

static enum result start_file(struct tape *tape) {
    char folder[PATH_MAX];
    const char *slash = strrchr(tape->path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - tape->path) + 1 : 1, slash ? tape->path : ".");
    if (pwrite(tape->fd, MAGIC, MAGIC_BYTES, 0) != MAGIC_BYTES || fsync(tape->fd))
        return RESULT_IO_ERROR;
    tape->end = MAGIC_BYTES;
    return folder_sync(folder);
}

static enum result load(struct tape *tape, tape_visit *visit, void *context, char *detail, size_t detail_size) {
    struct stat status;
    if (fstat(tape->fd, &status))
        return RESULT_IO_ERROR;
    size_t length = (size_t)status.st_size;
    if (length < MAGIC_BYTES)
        return ftruncate(tape->fd, 0) ? RESULT_IO_ERROR : start_file(tape);
    char *map = mmap(NULL, length, PROT_READ, MAP_PRIVATE, tape->fd, 0);
    if (map == MAP_FAILED)
        return RESULT_IO_ERROR;
    enum result result = RESULT_OK;
    if (memcmp(map, MAGIC, MAGIC_BYTES) != 0) {
        result = memcmp(map, MAGIC, MAGIC_BYTES - 1) == 0 ? RESULT_NEWER_VERSION : RESULT_CORRUPT;
        snprintf(detail, detail_size, "cannot take over '%s': %s", tape->path, result_words(result));
    } else {
        result = visit_all(tape, (struct bytes){map, length}, visit, context, detail, detail_size);
    }
    munmap(map, length);
    if (result == RESULT_OK && tape->end < length) {
        log_warn("cut off what a crash left unfinished", LOG_STRING("file", tape->path),
                 LOG_INT("bytes", length - tape->end));
        if (ftruncate(tape->fd, (off_t)tape->end) || fsync(tape->fd))
            result = RESULT_IO_ERROR;
    }
    return result;
}

static void tape_free(struct tape *tape) {
    if (tape->fd >= 0)
        close(tape->fd);
    pthread_mutex_destroy(&tape->lock);
    pthread_cond_destroy(&tape->wanted);
    buffer_release(&tape->gathered);
    free(tape);
}

enum result tape_open(const char *path, tape_visit *visit, void *context, struct tape **tape, char *detail,
                      size_t detail_size) {
    struct tape *fresh = calloc(1, sizeof *fresh);
    if (!fresh) {
        snprintf(detail, detail_size, "cannot open '%s': out of memory", path);
        return RESULT_OVERLOADED;
    }
    pthread_mutex_init(&fresh->lock, NULL);
    pthread_cond_init(&fresh->wanted, NULL);
    buffer_init(&fresh->gathered, GROUP_BYTES);
    snprintf(fresh->path, sizeof fresh->path, "%s", path);
    fresh->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    detail[0] = '\0';
    enum result result = fresh->fd < 0 ? RESULT_IO_ERROR : load(fresh, visit, context, detail, detail_size);
    if (result != RESULT_OK) {
        if (!detail[0])
            snprintf(detail, detail_size, "cannot open '%s': %s", path, strerror(errno));
        tape_free(fresh);
        return result;
    }
    atomic_store(&fresh->synced_to, fresh->end);
    *tape = fresh;
    return RESULT_OK;
}

static bool write_all(int fd, struct bytes content) {
    while (content.length) {
        ssize_t n = write(fd, content.at, content.length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        content.at += n;
        content.length -= (size_t)n;
    }
    return true;
}

static void add_record(struct buffer *out, struct bytes record, uint64_t synced_to) {
    static const char zeros[8];
    struct head head = {.length = (uint32_t)record.length, .synced_to = synced_to};
    head.crc = check_of(&head, record.at);
    buffer_add(out, &head, sizeof head);
    buffer_add_bytes(out, record);
    buffer_add(out, zeros, padded(record.length) - record.length);
}

/* Copies what `keep` wants to `fd`. The new file is as synced as its records say: up to each one's own place. */
static enum result copy_kept(struct bytes file, int fd, bool (*keep)(void *, uint64_t, struct bytes), void *context) {
    struct buffer out;
    buffer_init(&out, GROUP_BYTES);
    buffer_add(&out, MAGIC, MAGIC_BYTES);
    struct head head;
    struct bytes content;
    uint64_t written = 0;
    bool ok = true;
    for (uint64_t place = MAGIC_BYTES; ok && record_at(file, place, &head, &content);
         place += padded(sizeof head + head.length)) {
        if (!keep(context, place, content))
            continue;
        add_record(&out, content, written + out.length);
        if (out.length > 1024 * 1024) {
            ok = buffer_ok(&out) && write_all(fd, buffer_bytes(&out));
            written += out.length;
            out.length = 0;
        }
    }
    ok = ok && buffer_ok(&out) && write_all(fd, buffer_bytes(&out)) && fsync(fd) == 0;
    buffer_release(&out);
    return ok ? RESULT_OK : RESULT_IO_ERROR;
}

enum result tape_rewrite(struct tape *tape, bool (*keep)(void *context, uint64_t place, struct bytes record),
                         void *context) {
    assert(!tape->started);
    char fresh[PATH_MAX + 8], folder[PATH_MAX];
    snprintf(fresh, sizeof fresh, "%s.new", tape->path);
    const char *slash = strrchr(tape->path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - tape->path) + 1 : 1, slash ? tape->path : ".");
    enum result result = RESULT_IO_ERROR;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char *map = mmap(NULL, tape->end, PROT_READ, MAP_PRIVATE, tape->fd, 0);
    if (fd >= 0 && map != MAP_FAILED)
        result = copy_kept((struct bytes){map, tape->end}, fd, keep, context);
    if (map != MAP_FAILED)
        munmap(map, tape->end);
    if (fd >= 0)
        close(fd);
    if (result == RESULT_OK)
        result = rename(fresh, tape->path) ? RESULT_IO_ERROR : folder_sync(folder);
    if (result != RESULT_OK)
        unlink(fresh);
    tape_free(tape);
    return result;
}

/* Writes and syncs one group. False: the disk failed, and with it the tape. */
static bool sync_group(struct tape *tape, struct buffer *group) {
    if (!buffer_ok(group) || !write_all(tape->fd, buffer_bytes(group)) || fdatasync(tape->fd)) {
        log_error("the sandbox's tape cannot be written", LOG_STRING("file", tape->path),
                  LOG_STRING("why", buffer_ok(group) ? strerror(errno) : "out of memory"));
        return false;
    }
    atomic_fetch_add_explicit(&tape->synced_to, group->length, memory_order_release);
    group->length = 0;
    return true;
}

static void *run(void *context) {
    struct tape *tape = context;
    struct buffer group;
    buffer_init(&group, GROUP_BYTES);
    bool good = true;
    pthread_mutex_lock(&tape->lock);
    for (;;) {
        while (tape->gathered.length == 0 && !tape->gathered.full && !tape->stopping) {
            tape->idle = true;
            pthread_cond_wait(&tape->wanted, &tape->lock);
            tape->idle = false;
        }
        if (tape->gathered.length == 0 && !tape->gathered.full)
            break;
        struct buffer full = tape->gathered;
        tape->gathered = group;
        group = full;
        pthread_mutex_unlock(&tape->lock);
        good = sync_group(tape, &group);
        if (good)
            tape->listener.synced(tape->listener.context);
        pthread_mutex_lock(&tape->lock);
        if (!good)
            break;
    }
    pthread_mutex_unlock(&tape->lock);
    buffer_release(&group);
    if (!good)
        tape->listener.failed(tape->listener.context);
    return NULL;
}

enum result tape_start(struct tape *tape, const struct tape_listener *listener) {
    assert(!tape->started);
    tape->listener = *listener;
    if (lseek(tape->fd, (off_t)tape->end, SEEK_SET) < 0)
        return RESULT_IO_ERROR;
    tape->started = pthread_create(&tape->thread, NULL, run, tape) == 0;
    return tape->started ? RESULT_OK : RESULT_OVERLOADED;
}

uint64_t tape_append(struct tape *tape, struct bytes record) {
    assert(tape->started && record.length > 0 && record.length <= LIMIT_SANDBOX_RECORD_BYTES);
    uint64_t place = tape->end;
    pthread_mutex_lock(&tape->lock);
    add_record(&tape->gathered, record, tape_synced_to(tape));
    bool wake = tape->idle;
    pthread_mutex_unlock(&tape->lock);
    if (wake)
        pthread_cond_signal(&tape->wanted);
    tape->end += padded(sizeof(struct head) + record.length);
    return place;
}

uint64_t tape_end(const struct tape *tape) {
    return tape->end;
}

uint64_t tape_synced_to(const struct tape *tape) {
    return atomic_load_explicit(&tape->synced_to, memory_order_acquire);
}

enum result tape_read(struct tape *tape, uint64_t place, struct buffer *out) {
    assert(place < tape_synced_to(tape));
    struct head head;
    if (pread(tape->fd, &head, sizeof head, (off_t)place) != sizeof head)
        return RESULT_IO_ERROR;
    if (head.length == 0 || head.length > LIMIT_SANDBOX_RECORD_BYTES)
        return RESULT_CORRUPT;
    char *room = buffer_reserve(out, head.length);
    if (!room)
        return RESULT_OVERLOADED;
    if (pread(tape->fd, room, head.length, (off_t)(place + sizeof head)) != (ssize_t)head.length)
        return RESULT_IO_ERROR;
    if (check_of(&head, room) != head.crc)
        return RESULT_CORRUPT;
    out->length += head.length;
    return RESULT_OK;
}

void tape_close(struct tape *tape) {
    if (tape->started) {
        pthread_mutex_lock(&tape->lock);
        tape->stopping = true;
        pthread_mutex_unlock(&tape->lock);
        pthread_cond_signal(&tape->wanted);
        pthread_join(tape->thread, NULL);
    }
    tape_free(tape);
}
