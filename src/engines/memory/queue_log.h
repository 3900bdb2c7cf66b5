/* The queues' records on disk: implements waitroom/queue_log.h in a folder of files, two a show (queue_log_walk.h).
 *
 * Happy path: open() replays what is there and reserves room behind it; append() writes into memory that is the file's
 * (queue_file.h), a few dozen nanoseconds, no lock and no system call; work(), on a thread of its own, hashes what came
 * (so that seal() has little left to do), reserves room ahead for as many bytes as came in the last two seconds, and
 * puts on disk what was sealed.
 *
 * A record is written from its second byte on; its kind is stored last, with release, and zeros follow it. So a process
 * killed at any instruction leaves whole records and then a zero byte: everything that was appended is there at the
 * next start. Pages that a power loss kept back can leave anything: when neither the boot is the same nor the files
 * were closed in order, the chain is checked with its signatures, and everything behind the last HEAD that verifies
 * (but nothing that is known to have been on disk) is cut off. What is damaged before that was on disk once: that is
 * CORRUPT.
 *
 * A place's secret is written before its JOIN, and put on disk before it, so that a JOIN that is kept has its secret.
 *
 * What can go wrong: a full disk (room is tried for again at each work()); a failed sync (nothing is retried, since no
 * retry can be trusted: no room is made any more until a restart); each is said in the log, once.
 */
#ifndef ONSALE_ENGINES_MEMORY_QUEUE_LOG_H
#define ONSALE_ENGINES_MEMORY_QUEUE_LOG_H

#include "engines/memory/queue_file.h"
#include "waitroom/queue_log.h"

/* Fills in the port; files are in `folder`/queue, which is made. `fault`: what is wrong. IO_ERROR or OVERLOADED. */
MUST_USE enum result queue_log_store_new(const char *folder, struct queue_logs *logs, char *fault, size_t fault_size);
/* The same on another disk, or in another boot of the machine (none: not known, nothing unclosed is trusted). */
MUST_USE enum result queue_log_store_new_on(const char *folder, const struct queue_disk *disk, const struct id *boot,
                                            struct queue_logs *logs, char *fault, size_t fault_size);
/* All logs are closed before. */
void queue_log_store_free(struct queue_logs *logs);

#endif
