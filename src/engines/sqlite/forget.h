/* Erases a person from the ledger of a stopped server: what `onsale forget` runs.
 *
 * Sales stay, and who bought does not: bookings and admissions get a pseudonym in place of the user, the same in all of
 * them. The bookings' salts go, so that nobody can tell any more whom the audit's hashes are of; so do the reasons of
 * acts on these bookings, events about them that wait in the outbox, and kept answers that name the user, the bookings,
 * or carry a ticket or a pass of the user's. The audit says of each booking that its user was erased, and its chain
 * stays whole. Then the file is written anew, without what was in it, and its log is emptied.
 *
 * A booking whose payment is under way, or needs a human, is not touched, nor is anything else then: CONFLICT. */
#ifndef ONSALE_ENGINES_SQLITE_FORGET_H
#define ONSALE_ENGINES_SQLITE_FORGET_H

#include "base/result.h"
#include "base/user_id.h"

struct erasure {
    int64_t bookings, admissions, events, reasons, answers;
};

#define PSEUDONYM_PREFIX "forgotten-"

/* `dry_run`: all of it is tried and taken back. Fails as sqlite_ledger_open() does, with the words in `fault`;
 * NOT_FOUND where there is no ledger. That there is nothing of the user is no failure: all is 0. */
MUST_USE enum result sqlite_ledger_forget(const char *folder, const struct user_id *user, bool dry_run,
                                          struct erasure *erased, char *fault, size_t fault_size);

#endif
