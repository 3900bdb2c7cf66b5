/* The keys of an installation, on disk: a folder that its nodes share, or have copies of.
 *
 *     FOLDER/ID.key     a generation: its id, when it was made, MAC key, Ed25519 seed
 *     FOLDER/blinding   who is who in a queue; one for good
 *     FOLDER/keys.lock  held while something is made or removed
 *
 * The files are lines of text with a checksum, mode 0600; each is there whole or not at all. Reading takes no lock, so
 * a folder that cannot be written to will do once the keys are there. At the first start both kinds are made under the
 * lock: `blinding` is written as blinding.new, then a key, then it gets its name; so who sees `blinding` sees a key
 * too, nodes that start at once agree, and what a crash left half made is told from what somebody has lost.
 *
 * Faults: CORRUPT (damaged, misnamed, or one kind is missing), NEWER_VERSION, FORBIDDEN (others can read a file or
 * write in the folder), IN_USE (another process keeps the lock), IO_ERROR. `fault` says which file it is and what to
 * do, never what is in it. What was in memory is wiped.
 */
#ifndef ONSALE_RUNTIME_KEY_FILES_H
#define ONSALE_RUNTIME_KEY_FILES_H

#include "base/limits.h"
#include "waitroom/keys.h"

/* Reads the keys, all of them; makes the folder and the first ones if there is nothing yet. CORRUPT too if there are
 * more than LIMIT_KEY_GENERATIONS. */
MUST_USE enum result key_files_open(const char *folder, int64_t now_ms, struct keyring *ring, char *fault,
                                    size_t fault_size);

struct key_file {
    uint32_t id;
    int64_t created_ms;
};

struct key_files {
    unsigned count;
    struct key_file of[LIMIT_KEY_GENERATIONS]; /* oldest first: the last one signs */
};

/* What there is. NOT_FOUND: no keys were made yet. */
MUST_USE enum result key_files_list(const char *folder, struct key_files *files, char *fault, size_t fault_size);
/* Makes a generation that is newer than all, whatever the clock says. NOT_FOUND as above. */
MUST_USE enum result key_files_rotate(const char *folder, int64_t now_ms, uint32_t *id, char *fault, size_t fault_size);
/* Removes a generation. NOT_FOUND: no such; CONFLICT: it is the newest. */
MUST_USE enum result key_files_retire(const char *folder, uint32_t id, char *fault, size_t fault_size);

#endif
