/* Erases a person from the queues' records of a stopped server: the salts of their places. The public record stays as
 * it is; that one of its blinded ids is theirs can then be said by nobody who has not kept their queue ticket. */
#ifndef ONSALE_ENGINES_MEMORY_QUEUE_ERASE_H
#define ONSALE_ENGINES_MEMORY_QUEUE_ERASE_H

#include "base/result.h"
#include "base/user_id.h"

/* `folder`: the server's data folder. `places`: how many were theirs. With `dry_run` nothing is written. IO_ERROR,
 * CORRUPT, NEWER_VERSION or OVERLOADED, and IN_USE where a queue was not closed in order (start and stop the server
 * first), with the words in `fault`. No queue is no failure. */
MUST_USE enum result queue_erase(const char *folder, const struct user_id *user, bool dry_run, int64_t *places,
                                 char *fault, size_t fault_size);

#endif
