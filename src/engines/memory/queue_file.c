#include "engines/memory/queue_file.h"
#include "base/files.h"
#include "base/panic.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 4096ULL             /* or a multiple of it, which mmap() says */
#define RESERVE_BYTES (1024ULL * 1024) /* blocks reserved at once, at least */

/* ---- the real disk ---- */

static int real_create(void *context, const char *path, struct bytes content) {
    (void)context;
    return file_write_atomically(path, content, 0600) == RESULT_OK ? 0 : -1;
}

static int real_open(void *context, const char *path) {
    (void)context;
    return open(path, O_RDWR | O_CLOEXEC);
}

static int real_cut(void *context, int fd, uint64_t length) {
    (void)context;
    return ftruncate(fd, (off_t)length);
}

static int real_reserve(void *context, int fd, uint64_t from, uint64_t length) {
    (void)context;
    int error;
    do {
        error = posix_fallocate(fd, (off_t)from, (off_t)length);
    } while (error == EINTR);
    errno = error;
    return error ? -1 : 0;
}

static int real_map(void *context, int fd, void *at, size_t length, uint64_t from) {
    (void)context;
    void *got = mmap(at, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)from);
    return got == MAP_FAILED ? -1 : 0;
}

/* Linux before 5.14 has no MADV_POPULATE_WRITE: there the pages are faulted in when they are first written. */
static int real_touch(void *context, void *at, size_t length) {
    (void)context;
    int failed;
    do {
        failed = madvise(at, length, MADV_POPULATE_WRITE);
    } while (failed && (errno == EINTR || errno == EAGAIN));
    return failed && errno != EINVAL ? -1 : 0;
}

static ssize_t real_read(void *context, int fd, void *data, size_t length, uint64_t from) {
    (void)context;
    return pread(fd, data, length, (off_t)from);
}

static ssize_t real_write(void *context, int fd, const void *data, size_t length, uint64_t from) {
    (void)context;
    return pwrite(fd, data, length, (off_t)from);
}

static int real_sync(void *context, int fd) {
    (void)context;
    return fdatasync(fd);
}

const struct queue_disk queue_real_disk = {.create = real_create,
                                           .open = real_open,
                                           .cut = real_cut,
                                           .reserve = real_reserve,
                                           .map = real_map,
                                           .touch = real_touch,
                                           .read = real_read,
                                           .write = real_write,
                                           .sync = real_sync};

/* ---- */

static uint64_t page_bytes(void) {
    long bytes = sysconf(_SC_PAGESIZE);
    return bytes > 0 ? (uint64_t)bytes : PAGE_BYTES;
}

static uint64_t down_to_page(uint64_t offset) {
    return offset & ~(page_bytes() - 1);
}

static uint64_t up_to_page(uint64_t offset) {
    return down_to_page(offset + page_bytes() - 1);
}

static int make_inaccessible(void *at, size_t length) {
    return mmap(at, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED
               ? -1
               : 0;
}

enum result queue_file_open(struct queue_file *file, const struct queue_disk *disk, const char *path, uint64_t most) {
    most = up_to_page(most);
    int fd = disk->open(disk->context, path);
    if (fd < 0)
        return RESULT_IO_ERROR;
    void *base = mmap(NULL, most, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        int map_errno = errno;
        close(fd);
        errno = map_errno;
        return RESULT_IO_ERROR;
    }
    *file = (struct queue_file){.disk = disk, .fd = fd, .most = most, .base = base};
    return RESULT_OK;
}

enum result queue_file_begin(struct queue_file *file, uint64_t end) {
    const struct queue_disk *disk = file->disk;
    assert(end < file->most && queue_file_room(file) == 0);
    if (disk->cut(disk->context, file->fd, end))
        return RESULT_IO_ERROR;
    file->mapped_from = down_to_page(end);
    file->reserved = file->mapped_from;
    atomic_store_explicit(&file->room, file->mapped_from, memory_order_release);
    return RESULT_OK;
}

enum result queue_file_prepare(struct queue_file *file, uint64_t to) {
    const struct queue_disk *disk = file->disk;
    uint64_t room = queue_file_room(file);
    to = up_to_page(to);
    if (to > file->most)
        to = file->most;
    if (to <= room)
        return RESULT_OK;
    if (to > file->reserved) {
        uint64_t up_to = to > file->reserved + RESERVE_BYTES ? to : file->reserved + RESERVE_BYTES;
        if (up_to > file->most)
            up_to = file->most;
        if (disk->reserve(disk->context, file->fd, file->reserved, up_to - file->reserved)) {
            /* A disk that is nearly full may still have what is needed now. */
            up_to = to;
            if (disk->reserve(disk->context, file->fd, file->reserved, up_to - file->reserved))
                return RESULT_IO_ERROR;
        }
        file->reserved = up_to;
    }
    uint8_t *at = file->base + room;
    if (disk->map(disk->context, file->fd, at, to - room, room) || disk->touch(disk->context, at, to - room))
        return RESULT_IO_ERROR;
    atomic_store_explicit(&file->room, to, memory_order_release);
    return RESULT_OK;
}

enum result queue_file_refresh(struct queue_file *file, uint64_t from, uint64_t to) {
    uint64_t room = queue_file_room(file);
    from = down_to_page(from);
    to = to < room ? up_to_page(to) : room;
    if (from >= to)
        return RESULT_OK;
    return file->disk->touch(file->disk->context, file->base + from, to - from) ? RESULT_IO_ERROR : RESULT_OK;
}

void queue_file_close_room(struct queue_file *file) {
    atomic_store_explicit(&file->room, 0, memory_order_release);
}

void queue_file_let_go(struct queue_file *file, uint64_t below) {
    below = down_to_page(below);
    if (below <= file->mapped_from)
        return;
    if (make_inaccessible(file->base + file->mapped_from, below - file->mapped_from) == 0)
        file->mapped_from = below;
}

void queue_file_release(struct queue_file *file, uint64_t end) {
    munmap(file->base, file->most);
    if (end != UINT64_MAX && end < file->reserved)
        (void)file->disk->cut(file->disk->context, file->fd, end);
    close(file->fd);
}
