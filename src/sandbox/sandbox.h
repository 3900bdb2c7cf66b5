/* `onsale sandbox`: a payment gateway of Stripe's shape, in a process of its own. README.md tells how it works.
 *
 *     sandbox_open → sandbox_serve (until sandbox_stop, from any thread) → sandbox_close
 */
#ifndef ONSALE_SANDBOX_SANDBOX_H
#define ONSALE_SANDBOX_SANDBOX_H

#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

struct sandbox;

struct sandbox_settings {
    const char *listen;                       /* "127.0.0.1:0" */
    const char *folder;                       /* made if it is not there; one process a folder */
    const char *webhook_url, *webhook_secret; /* where events go; NULL: nowhere */
    const char *faults;                       /* "lost_reply=0.1,…" (faults.def); NULL: none */
    uint64_t fault_seed;
    int64_t clock_offset_s; /* so far ahead is the sandbox's clock */
};

/* Takes the folder, reads its tape, listens, and writes folder/listen.json. IN_USE: another process has the folder or
 * the address. CORRUPT, NEWER_VERSION, INVALID_FIELD, IO_ERROR, OVERLOADED. Then `detail` says why, quoting. */
MUST_USE enum result sandbox_open(const struct sandbox_settings *settings, struct sandbox **sandbox, char *detail,
                                  size_t detail_size);
/* "127.0.0.1:40123" */
const char *sandbox_address(const struct sandbox *sandbox);
/* OK after sandbox_stop(); IO_ERROR when the tape could not be written: what was not answered did not happen. */
MUST_USE enum result sandbox_serve(struct sandbox *sandbox);
void sandbox_stop(struct sandbox *sandbox);
void sandbox_close(struct sandbox *sandbox);

/* The command: all of the above, until SIGTERM or SIGINT, and a line on stderr that says where. */
MUST_USE enum result sandbox_run(const struct sandbox_settings *settings);

#endif
