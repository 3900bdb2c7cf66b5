/* Audits the ledger of a stopped server, or of a copy of its folder: what `onsale verify` runs. Reads only.
 *
 * Every check asks the base tables anew and trusts no constraint: what a primary key forbids is counted all the same.
 * The checks are listed in audit_checks.def. */
#ifndef ONSALE_ENGINES_SQLITE_AUDIT_H
#define ONSALE_ENGINES_SQLITE_AUDIT_H

#include <stddef.h>

#include "base/result.h"

struct audit_listener {
    void *context;
    void (*check)(void *context, const char *text);      /* what was checked, and on how much; one line */
    void (*difference)(void *context, const char *text); /* one finding; at most AUDIT_DIFFERENCES a check */
};

#define AUDIT_DIFFERENCES 50

/* RESULT_OK when everything could be looked at, whatever was found. Else NOT_FOUND (no ledger there), CORRUPT,
 * NEWER_VERSION, OLDER_VERSION or IO_ERROR, with the words in `fault`. */
MUST_USE enum result audit_run(const char *folder, const struct audit_listener *listener, char *fault,
                               size_t fault_size);

#endif
