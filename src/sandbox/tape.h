/* The tape: everything that the sandbox ever did, in order, in one append-only file that is synced in groups.
 *
 * Happy path: tape_append() copies a record into memory and says where it will stand → the tape's own thread writes all
 * that has gathered and syncs it once → `synced` is called on that thread. What came meanwhile shares the next sync, so
 * a group sizes itself. Nobody is answered before tape_synced_to() has passed what the answer rests on.
 *
 * On disk: 16 bytes that name the format, then records, each at a multiple of 8: length, CRC-32C of all that follows,
 * how far the file was synced when the record was made, content. What a crash left behind the last whole record is cut
 * off: it was never answered. But a broken record that a later one proves to have been synced is damage, and refused
 * (CORRUPT), for cutting there would forget payments.
 *
 * A write or sync that fails ends the tape: `failed` is called once, and nothing is ever synced again.
 *
 * Threads: one appends and reads; synced_to from any.
 */
#ifndef ONSALE_SANDBOX_TAPE_H
#define ONSALE_SANDBOX_TAPE_H

#include "base/bytes.h"
#include "base/result.h"

struct tape;

struct tape_listener {
    void *context;
    void (*synced)(void *context); /* on the tape's thread */
    void (*failed)(void *context); /* on the tape's thread, once */
};

/* Called for each record on file, oldest first. Another result than OK ends the reading with it. */
typedef enum result tape_visit(void *context, uint64_t place, struct bytes record);

/* Reads the file at `path` (made if it is not there) through `visit`. CORRUPT, NEWER_VERSION, IO_ERROR, or what `visit`
 * returned; then a message that quotes the file stands in `detail`. tape_start() before the first append. */
MUST_USE enum result tape_open(const char *path, tape_visit *visit, void *context, struct tape **tape, char *detail,
                               size_t detail_size);
/* Before tape_start(): replaces the file by one that holds only the records that `keep` wants, and leaves `tape` closed
 * and freed: open it again. */
MUST_USE enum result tape_rewrite(struct tape *tape, bool (*keep)(void *context, uint64_t place, struct bytes record),
                                  void *context);
MUST_USE enum result tape_start(struct tape *tape, const struct tape_listener *listener);

/* Where the record will stand. Memory running out fails the tape as a disk would. */
uint64_t tape_append(struct tape *tape, struct bytes record);
/* The end of all that was appended, and of all that was synced. */
uint64_t tape_end(const struct tape *tape);
uint64_t tape_synced_to(const struct tape *tape);
/* Appends to `out` the record that stands at a place below tape_synced_to(). CORRUPT, IO_ERROR. */
MUST_USE enum result tape_read(struct tape *tape, uint64_t place, struct buffer *out);

/* Syncs what waits and frees. */
void tape_close(struct tape *tape);

#endif
