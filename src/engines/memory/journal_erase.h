/* Erases a person from the journal of holds of a stopped server: in the record of each of their holds random letters
 * take the place of the user, as many as there were, so that nothing else moves. What stands behind the last good
 * record (a torn end) is looked at too. A segment that is changed is written anew. */
#ifndef ONSALE_ENGINES_MEMORY_JOURNAL_ERASE_H
#define ONSALE_ENGINES_MEMORY_JOURNAL_ERASE_H

#include "base/result.h"
#include "base/user_id.h"

/* `folder`: the server's data folder. `records`: how many named the user. With `dry_run` nothing is written. IO_ERROR
 * or OVERLOADED with the words in `fault`. No journal is no failure. */
MUST_USE enum result journal_erase(const char *folder, const struct user_id *user, bool dry_run, int64_t *records,
                                   char *fault, size_t fault_size);

#endif
