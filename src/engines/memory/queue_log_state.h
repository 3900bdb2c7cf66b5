/* The inside of a queue's log, shared by its two halves: queue_log.c (append, seal, work, reading) and queue_log_open.c
 * (start, replay, the end). */
#ifndef ONSALE_ENGINES_MEMORY_QUEUE_LOG_STATE_H
#define ONSALE_ENGINES_MEMORY_QUEUE_LOG_STATE_H

#include <pthread.h>
#include <sodium.h>

#include "engines/memory/queue_log.h"
#include "engines/memory/queue_log_walk.h"

#define HEADS_KEPT 64
#define PATH_BYTES 4096

struct queue_log_store {
    char folder[PATH_BYTES - 64]; /* …/queue */
    struct queue_disk disk;
    struct id boot;
};

struct queue_log {
    /* set once */
    const struct queue_log_store *store;
    struct id show_id;
    struct queue_file record, secrets;

    /* under the caller's lock; length, numbers and sealed are read by any */
    _Atomic uint64_t length;
    _Atomic uint32_t numbers;
    _Atomic uint64_t sealed; /* where the last HEAD ends; 0: there is none */
    uint8_t last_hash[RECORD_HASH_BYTES];
    uint32_t keys[LIMIT_KEY_GENERATIONS]; /* the newest that are in the record */
    unsigned key_count;

    pthread_mutex_t hash_lock;
    /* under hash_lock: the chain from the last HEAD up to `hashed` */
    crypto_hash_sha256_state hash;
    uint64_t hashed;

    pthread_mutex_t heads_lock;
    /* under heads_lock: a ring */
    struct record_head heads[HEADS_KEPT];
    uint64_t head_count;

    /* owned by the worker */
    struct id boot; /* what the mark says: none, until the log is settled */
    bool is_settled;
    uint64_t synced;
    uint32_t synced_numbers;
    bool is_full, has_failed;
    int64_t second_began_us;
    uint64_t second_began_length; /* of the record then */
    uint64_t last_second;         /* bytes that came in the second before */
};

/* The chain goes on from this hash. */
void queue_log_restart_hash(struct queue_log *log, const uint8_t hash[static RECORD_HASH_BYTES]);
void queue_log_note_head(struct queue_log *log, uint64_t offset, const struct record_event *head);
void queue_log_note_key(struct queue_log *log, uint32_t id);
/* Room for what will come, as much as the last seconds need. */
MUST_USE bool queue_log_make_room(struct queue_log *log);
/* Says in the mark how much is on disk; not yet synced itself. */
MUST_USE enum result queue_log_put_mark(struct queue_log *log, bool is_closed, uint64_t length, uint32_t numbers);

enum result queue_log_open(void *engine, const struct record_event *start, queue_log_replay *replay, void *context,
                           bool *is_whole, struct queue_log **log, char *fault, size_t fault_size);
void queue_log_close(struct queue_log *log);

#endif
