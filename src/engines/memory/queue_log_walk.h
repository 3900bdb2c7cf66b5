/* Reads a queue's two files from their beginning, at the start of the process: each record in order, a JOIN with its
 * secret, up to where they end or are damaged. Reads in big pieces: a million places take some 50 ms.
 *
 *     SHOW.record    the record, as record.h has it; zeros or nothing behind its end
 *     SHOW.private   a mark (64 bytes), then salt (8) and user hash (8) of each number, from 1
 *
 * The mark says which boot of which machine wrote the files, whether they were closed in order, and how much of them
 * was on disk when it was written.
 */
#ifndef ONSALE_ENGINES_MEMORY_QUEUE_LOG_WALK_H
#define ONSALE_ENGINES_MEMORY_QUEUE_LOG_WALK_H

#include "engines/memory/queue_file.h"
#include "waitroom/queue_log.h"

#define QUEUE_MARK_BYTES 64
#define QUEUE_SECRET_BYTES 16

struct queue_mark {
    struct id boot;
    bool is_closed;   /* in order, with everything on disk */
    uint64_t length;  /* of the record: so much was on disk, a whole number of records */
    uint32_t numbers; /* secrets up to this one were on disk */
};

void queue_mark_write(const struct queue_mark *mark, uint8_t to[static QUEUE_MARK_BYTES]);
/* OK, CORRUPT or NEWER_VERSION. */
MUST_USE enum result queue_mark_read(struct bytes from, struct queue_mark *mark);

static_assert(QUEUE_MARK_BYTES % QUEUE_SECRET_BYTES == 0, "a secret lies in one page, and is aligned");

static inline uint64_t queue_secret_offset(uint32_t number) {
    return QUEUE_MARK_BYTES + (uint64_t)QUEUE_SECRET_BYTES * (number - 1);
}

/* Big-endian, as all of the record. Zeros if it was erased. */
void queue_secret_write(const struct place_secret *secret, uint8_t to[static QUEUE_SECRET_BYTES]);
void queue_secret_read(const uint8_t from[static QUEUE_SECRET_BYTES], struct place_secret *secret);

enum queue_walk_end {
    QUEUE_WALK_AT_END,
    QUEUE_WALK_AT_DAMAGE, /* what stands there is no record, or makes no sense there */
    QUEUE_WALK_STOPPED    /* by visit() */
};

struct queue_walk {
    const struct queue_disk *disk;
    int record, secrets;
    uint64_t limit; /* bytes of the record to look at; it ends there or earlier */
    /* `bytes` are the record as it is written. False: it goes no further, and ends before this record. */
    bool (*visit)(void *context, uint64_t offset, struct bytes bytes, const struct record_event *event,
                  const struct place_secret *secret);
    void *context;

    /* out */
    enum queue_walk_end why;
    uint64_t end; /* of the last record visited */
    uint32_t numbers;
};

/* IO_ERROR with errno, or OVERLOADED without memory. */
MUST_USE enum result queue_walk(struct queue_walk *walk);

/* Reads until `length` bytes are there or the file ends: how many, or -1 with errno. */
ssize_t queue_read_all(const struct queue_disk *disk, int fd, void *data, size_t length, uint64_t from);

#endif
