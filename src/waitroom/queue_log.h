/* The port to whoever keeps the queues' records (record.h) so that they outlive the process: engines/memory.
 *
 * Opening a log says whether it is whole. One that is not, or was just made, is taken for incomplete again at the next
 * start, whatever happens, until its caller has recorded what may be missing and says so (settle).
 *
 * Appending is memory work behind the answer and survives `kill -9` of the process the moment it returns. What power
 * loss takes is what was appended since the last seal, some seconds at most: the log then says that it is not whole,
 * and numbers go on above the ceiling that the ledger has.
 *
 * Threads: append, seal, head and length under the caller's lock of that queue; work by one thread at a time, without
 * the lock; secret, heads and read by any.
 */
#ifndef ONSALE_WAITROOM_QUEUE_LOG_H
#define ONSALE_WAITROOM_QUEUE_LOG_H

#include "waitroom/record.h"

/* What is kept of a place beside the public record: to give its ticket again, to know its user. Zeros: erased. */
struct place_secret {
    uint8_t salt[8];
    uint64_t user; /* keyring_user_hash() */
};

struct record_head {
    uint64_t offset; /* of the HEAD in the record */
    struct record_event event;
};

struct queue_log;

/* Called for each record there is, in order; a JOIN comes with its secret. */
typedef void queue_log_replay(void *context, const struct record_event *event, const struct place_secret *secret);

struct queue_logs {
    void *engine;
    /* Opens the show's log, made with `start` if there is none yet, and replays it. *is_whole: false if a power loss
     * may have taken its end, or it was just made where another may have been. `fault`: what is wrong and what to do.
     * IO_ERROR; CORRUPT (another show's, or another commitment than `start` has); NEWER_VERSION. */
    MUST_USE enum result (*open)(void *engine, const struct record_event *start, queue_log_replay *replay,
                                 void *context, bool *is_whole, struct queue_log **log, char *fault, size_t fault_size);
    /* Whether the show has a log. */
    bool (*exists)(void *engine, const struct id *show_id);
    /* What may be missing is recorded (an UNKNOWN was appended, or nothing was ever given out). On the worker's thread,
     * or before it. */
    void (*settle)(struct queue_log *log);
    /* OVERLOADED: no room was prepared (a disk that is full or too slow); nothing was appended. `secret`: of a JOIN,
     * else NULL. Never blocks. */
    MUST_USE enum result (*append)(struct queue_log *log, const struct record_event *event,
                                   const struct place_secret *secret);
    /* Closes the chain so far with a signed HEAD. `time_ms`, `open_ms`: as in the event. */
    MUST_USE enum result (*seal)(struct queue_log *log, const struct key_generation *key, int64_t time_ms,
                                 int64_t open_ms);
    /* The last HEAD's hash. */
    void (*head)(const struct queue_log *log, uint8_t hash[static RECORD_HASH_BYTES]);
    uint64_t (*length)(const struct queue_log *log);

    /* Hashes what was appended, makes room for what will be, puts what was sealed on disk. Blocks: some milliseconds.
     * False once the disk has failed or is full: append says OVERLOADED when the room that was there is used up. */
    bool (*work)(struct queue_log *log);

    /* False: no such place, or erased. */
    bool (*secret)(struct queue_log *log, uint32_t number, struct place_secret *secret);
    /* The newest heads, oldest first, at most `room` (and at most the last 64); returns how many. */
    unsigned (*heads)(struct queue_log *log, struct record_head *heads, unsigned room);
    /* The record from `from` on, at most `most` bytes, appended to `out`. */
    MUST_USE enum result (*read)(struct queue_log *log, uint64_t from, size_t most, struct buffer *out);

    /* Puts everything on disk and says so in the file (the next open is whole). */
    void (*close)(struct queue_log *log);
};

#endif
