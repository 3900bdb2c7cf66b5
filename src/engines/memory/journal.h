/* The journal of holds: appended to by any thread, written by one of its own.
 *
 * journal_append() copies a record into memory under a short lock. The writer swaps that memory for an empty one,
 * writes it with one write and syncs it, at most every JOURNAL_INTERVAL_MS. Nothing more is written before the sync is
 * through, so that a crash tears at most the last such batch.
 *
 * When more than half of what is on disk is dead, the writer turns to a new segment, and copies into it what lives of
 * the old ones, piece by piece between batches; at the end a BASE record says that the old ones are obsolete, and they
 * are removed. What lives is for the owner to say (journal_owner).
 *
 * What can go wrong: the first write, sync or new segment that fails ends the journal (no retry of a failed sync can be
 * trusted): journal_takes() turns false, and what is appended is dropped. A disk that stalls: journal_takes() turns
 * false while too much, or something too old, waits.
 */
#ifndef ONSALE_ENGINES_MEMORY_JOURNAL_H
#define ONSALE_ENGINES_MEMORY_JOURNAL_H

#include <sys/types.h>

#include "engines/memory/journal_format.h"

#define JOURNAL_INTERVAL_MS 100
#define JOURNAL_MARK_INTERVAL_MS 5000 /* how often a journal with holds in it notes the time when nothing happens */
#define JOURNAL_STALL_MS 2000         /* something that waits longer than this for the disk stops new takes */

/* What touches the disk; each returns -1 with errno. Like open(O_CREAT | O_EXCL | O_WRONLY | O_APPEND), write,
 * fdatasync, rename, unlink, and an fsync of a folder. */
struct journal_disk {
    void *context;
    int (*create)(void *context, const char *path);
    ssize_t (*write)(void *context, int fd, const void *data, size_t length);
    int (*sync)(void *context, int fd);
    int (*rename)(void *context, const char *from, const char *to);
    int (*remove)(void *context, const char *path);
    int (*sync_folder)(void *context, const char *folder);
};

struct journal_clock {
    void *context;
    int64_t (*now_ms)(void *context);  /* as clock_now_ms() */
    int64_t (*boot_ms)(void *context); /* CLOCK_BOOTTIME */
    struct id (*boot)(void *context);  /* which boot of which machine that is; none: not known */
};

extern const struct journal_disk journal_real_disk;
extern const struct journal_clock journal_real_clock;

struct journal_owner {
    void *context;
    /* Called by the writer with a TAKE or ANSWER of an old segment: appends to `out` (journal_put) what of it still
     * lives, as it is now. What is appended to the journal after it was asked comes behind in the file. */
    void (*copy_living)(void *context, const struct journal_record *record, struct buffer *out);
};

struct journal_settings {
    const char *folder;
    const struct journal_disk *disk;
    const struct journal_clock *clock;
    struct journal_owner owner;
    size_t compact_bytes;
    uint64_t first_number;   /* of the segment to begin with */
    uint64_t first_sequence; /* of its first record */
    uint64_t oldest_number;  /* segments from here up to first_number - 1 are obsolete once it is begun */
};

struct journal;

/* Begins a segment with `living` in it (a batch that ends with BASE), removes the older ones and starts the writer.
 * IO_ERROR or OVERLOADED. `living` is sealed on the way. */
MUST_USE enum result journal_open(const struct journal_settings *settings, struct buffer *living,
                                  struct journal **journal, char *detail, size_t detail_size);
/* Writes what is left, stops the writer, frees. */
void journal_close(struct journal *journal);

/* Whether what is answered now will soon be on disk. Any thread, no lock. */
bool journal_takes(const struct journal *journal);

/* Appends a record, its payload in two parts (the second may be empty); `dead` as in journal_begin_frame(). Returns its
 * ticket. Any thread; O(length), no I/O. */
uint64_t journal_append(struct journal *journal, enum journal_kind kind, uint32_t dead, struct bytes payload,
                        struct bytes rest);
/* Every ticket up to this one is on disk. */
uint64_t journal_synced(const struct journal *journal);

/* Waits until everything that was appended before is on disk. HOLD_STORE_UNAVAILABLE when the journal has failed. */
MUST_USE enum result journal_sync(struct journal *journal);

/* Old segments may be copied from now on: the owner knows what lives. */
void journal_allow_compaction(struct journal *journal);

/* A batch of frames, with room at its front for the MARK that whoever writes it puts there. */
void journal_begin_batch(struct buffer *out, size_t limit);
/* Appends a frame to a batch. */
void journal_put(struct buffer *out, enum journal_kind kind, uint32_t dead, struct bytes payload, struct bytes rest);

/* folder/00000001.journal into `path`, which has JOURNAL_PATH_BYTES. */
#define JOURNAL_PATH_BYTES 4096
void journal_path(const char *folder, uint64_t number, char path[static JOURNAL_PATH_BYTES]);

#endif
