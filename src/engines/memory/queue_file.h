/* A file that is appended to through memory: what is stored there survives the end of the process at once, whatever
 * ends it, without a system call.
 *
 * A range of addresses as long as the file may ever get is reserved (no memory stands behind it), and pages of the file
 * are mapped into it where they are needed: from where it is being written up to the room that was prepared. So a byte
 * keeps its address, a record may lie across pages, and little memory is resident however long the file gets. What lies
 * behind is read with pread.
 *
 *     0 ─────────────▶ mapped_from ──────▶ end ─────────────▶ room ─────────▶ reserved
 *       not mapped                 written     prepared: zeros,       blocks on disk,
 *                                              may be written         not mapped yet
 *
 * Room is prepared (queue_file_prepare) by reserving blocks (posix_fallocate), mapping them and faulting them in
 * (MADV_POPULATE_WRITE), each with an error that can be told: to touch a page that the disk has no block for would end
 * the process with SIGBUS. A write-back makes pages read-only again until the next touch; queue_file_refresh() takes
 * that small cost from whoever appends, and finds out early when a file system has been made read-only. On a file
 * system that copies on write (btrfs, zfs) a block that was reserved may still not be had when it is written again.
 *
 * What can go wrong: a full disk, an I/O error. The operation is then refused, what is prepared stays usable.
 *
 * Threads: whoever appends reads `room` and writes to memory below it; all functions are called by one thread at a
 * time, beside that.
 */
#ifndef ONSALE_ENGINES_MEMORY_QUEUE_FILE_H
#define ONSALE_ENGINES_MEMORY_QUEUE_FILE_H

#include <stdatomic.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/result.h"

/* What touches the disk; each returns -1 with errno. */
struct queue_disk {
    void *context;
    int (*create)(void *context, const char *path, struct bytes content); /* whole and on disk, or not there */
    int (*open)(void *context, const char *path);                         /* to read and write */
    int (*cut)(void *context, int fd, uint64_t length);
    int (*reserve)(void *context, int fd, uint64_t from, uint64_t length);
    int (*map)(void *context, int fd, void *at, size_t length, uint64_t from); /* shared, over what is mapped there */
    int (*touch)(void *context, void *at, size_t length);                      /* faults pages in, to be written */
    ssize_t (*read)(void *context, int fd, void *data, size_t length, uint64_t from);
    ssize_t (*write)(void *context, int fd, const void *data, size_t length, uint64_t from);
    int (*sync)(void *context, int fd); /* fdatasync */
};

extern const struct queue_disk queue_real_disk;

struct queue_file {
    /* set once */
    const struct queue_disk *disk;
    int fd;
    uint64_t most; /* bytes; a multiple of a page */
    uint8_t *base;

    /* owned by whoever prepares */
    uint64_t mapped_from, reserved;

    /* atomic: whoever prepares moves it up */
    _Atomic uint64_t room;
};

/* Opens the file and reserves addresses for `most` bytes of it. IO_ERROR with errno. */
MUST_USE enum result queue_file_open(struct queue_file *file, const struct queue_disk *disk, const char *path,
                                     uint64_t most);
/* Cuts the file at `end`, so that zeros follow it; to be called before any room is prepared. */
MUST_USE enum result queue_file_begin(struct queue_file *file, uint64_t end);
/* Room up to `to`, or to the file's greatest length. */
MUST_USE enum result queue_file_prepare(struct queue_file *file, uint64_t to);
/* Touches the pages from `from` to `to`, or to the end of the room. */
MUST_USE enum result queue_file_refresh(struct queue_file *file, uint64_t from, uint64_t to);
/* No more room than there is written: something is wrong with the disk. */
void queue_file_close_room(struct queue_file *file);
/* Pages that lie wholly below `below` need not be mapped any more. */
void queue_file_let_go(struct queue_file *file, uint64_t below);
/* Unmaps, and gives back what was reserved behind `end` if that can be done; UINT64_MAX: leaves the file as it is. */
void queue_file_release(struct queue_file *file, uint64_t end);

static inline uint64_t queue_file_room(const struct queue_file *file) {
    return atomic_load_explicit(&file->room, memory_order_acquire);
}

#endif
