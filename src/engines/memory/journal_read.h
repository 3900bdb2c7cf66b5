/* Reading a journal of holds back: which segments count, where a torn tail is cut, what is refused.
 *
 * Segments are looked at from the newest down to the first with a BASE record; what is older is obsolete. Only the
 * newest may end in something bad. If a good MARK follows that, the bad part was once synced, so the disk lost what it
 * had promised to keep: refused. Else it is the batch that was being written when the process or the machine stopped:
 * its records are read up to the first bad one, and the rest is cut, and said in the log.
 */
#ifndef ONSALE_ENGINES_MEMORY_JOURNAL_READ_H
#define ONSALE_ENGINES_MEMORY_JOURNAL_READ_H

#include "engines/memory/journal_format.h"

struct journal_reader {
    void *context;
    /* Called with every record, oldest first; what it borrows is valid during the call. Any result but OK stops, and is
     * returned; CORRUPT gets its detail written here. */
    enum result (*record)(void *context, const struct journal_header *header, const struct journal_record *record);
};

struct journal_found {
    uint64_t oldest_number; /* of any segment there; 0: there is none */
    uint64_t newest_number;
    uint64_t next_sequence;
    uint64_t cut_bytes;
};

/* OK, IO_ERROR, CORRUPT, NEWER_VERSION, OVERLOADED, with what to do about it in `detail`. Changes nothing on disk. */
MUST_USE enum result journal_read(const char *folder, const struct journal_reader *reader, struct journal_found *found,
                                  char *detail, size_t detail_size);

#endif
