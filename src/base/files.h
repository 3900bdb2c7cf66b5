/* Small files: read whole, written whole (atomically and durably), and a lock on a directory. */
#ifndef ONSALE_BASE_FILES_H
#define ONSALE_BASE_FILES_H

#include "base/bytes.h"
#include "base/result.h"

/* Appends the file to `out`. RESULT_NOT_FOUND, RESULT_BODY_TOO_LARGE (over out->limit) or RESULT_IO_ERROR with errno.
 */
MUST_USE enum result file_read(const char *path, struct buffer *out);

/* Writes path.new, syncs it, renames it over `path`, syncs the folder. RESULT_IO_ERROR with errno. */
MUST_USE enum result file_write_atomically(const char *path, struct bytes content, unsigned mode);

/* Makes the folder (mode 0700) and its parents where missing. */
MUST_USE enum result folder_make(const char *path);

/* Takes `folder`/lock for as long as the process lives; RESULT_IN_USE if another process has it. `fd` out: keep it. */
MUST_USE enum result folder_lock(const char *folder, int *fd);

/* Syncs a folder's entries, so that a rename or a new file in it is durable. */
MUST_USE enum result folder_sync(const char *folder);

#endif
