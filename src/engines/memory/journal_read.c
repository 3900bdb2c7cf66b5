#include "engines/memory/journal_read.h"
#include "base/files.h"
#include "base/log.h"
#include "engines/memory/journal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SEGMENT_LIMIT ((size_t)4 << 30)
#define ADVICE                                                                                                         \
    "restore the folder from a copy, or move it away to start without open holds (what is sold is in the ledger)"

struct segment {
    struct journal_header header;
    struct buffer bytes;
    size_t good; /* how many of them hold together */
    uint64_t next_sequence;
    bool has_base;
};

struct reading {
    const char *folder;
    char *detail;
    size_t detail_size;
    uint64_t *numbers; /* of the files there, rising */
    size_t number_count;
    struct segment *segments; /* those that count, newest first */
    size_t segment_count;
    uint64_t cut_bytes;
};

static enum result refuse(const struct reading *reading, enum result result, uint64_t number, const char *what,
                          uint64_t at) {
    char path[JOURNAL_PATH_BYTES];
    journal_path(reading->folder, number, path);
    snprintf(reading->detail, reading->detail_size, "the journal of holds '%.1024s' %s (byte %llu): %s", path, what,
             (unsigned long long)at,
             result == RESULT_NEWER_VERSION ? "start the version that wrote it, or a newer one" : ADVICE);
    return result;
}

/* ---- the files ---- */

/* True for "00000012.journal". */
static bool read_name(const char *name, uint64_t *number) {
    struct bytes text = bytes_of(name);
    struct bytes ending = BYTES(".journal");
    if (text.length < 8 + ending.length)
        return false;
    struct bytes digits = {text.at, text.length - ending.length};
    return bytes_equal((struct bytes){text.at + digits.length, ending.length}, ending) &&
           bytes_to_u64(digits, UINT64_MAX - 1, number) && *number > 0;
}

static int by_number(const void *a, const void *b) {
    uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;
    return (first > second) - (first < second);
}

static enum result list_files(struct reading *reading) {
    DIR *folder = opendir(reading->folder);
    if (!folder) {
        snprintf(reading->detail, reading->detail_size, "cannot read the folder '%s': %s", reading->folder,
                 strerror(errno));
        return RESULT_IO_ERROR;
    }
    enum result result = RESULT_OK;
    for (const struct dirent *entry; result == RESULT_OK && (entry = readdir(folder));) {
        uint64_t number;
        if (!read_name(entry->d_name, &number))
            continue;
        uint64_t *more = realloc(reading->numbers, (reading->number_count + 1) * sizeof *more);
        if (more) {
            reading->numbers = more;
            reading->numbers[reading->number_count++] = number;
        } else {
            result = RESULT_OVERLOADED;
        }
    }
    closedir(folder);
    if (reading->number_count)
        qsort(reading->numbers, reading->number_count, sizeof *reading->numbers, by_number);
    return result;
}

/* ---- one segment ---- */

static struct bytes behind(const struct segment *segment, size_t offset) {
    return (struct bytes){segment->bytes.at + offset, segment->bytes.length - offset};
}

/* Whether a MARK of later than `sequence` stands anywhere behind `offset`. */
static bool mark_follows(const struct segment *segment, size_t offset, uint64_t sequence) {
    for (size_t at = offset; at + JOURNAL_MARK_BYTES <= segment->bytes.length; at++) {
        struct bytes rest = behind(segment, at);
        struct journal_record record;
        rest.length = JOURNAL_MARK_BYTES;
        if (journal_next_record(&rest, &record) && record.kind == JOURNAL_MARK && record.sequence > sequence)
            return true;
    }
    return false;
}

static enum result load(struct reading *reading, uint64_t number, struct segment *segment) {
    char path[JOURNAL_PATH_BYTES];
    journal_path(reading->folder, number, path);
    buffer_init(&segment->bytes, SEGMENT_LIMIT);
    enum result result = file_read(path, &segment->bytes);
    if (result != RESULT_OK) {
        snprintf(reading->detail, reading->detail_size, "cannot read '%.1024s': %s", path,
                 result == RESULT_BODY_TOO_LARGE ? "it is too large, or memory ran out" : strerror(errno));
        return result == RESULT_BODY_TOO_LARGE ? RESULT_OVERLOADED : RESULT_IO_ERROR;
    }
    result = journal_read_header(buffer_bytes(&segment->bytes), &segment->header);
    if (result == RESULT_NEWER_VERSION)
        return refuse(reading, result, number, "was written by a newer version", 8);
    if (result != RESULT_OK || segment->header.number != number)
        return refuse(reading, RESULT_CORRUPT, number, "has a damaged header", 0);
    return RESULT_OK;
}

static enum result check(struct reading *reading, struct segment *segment, bool newest) {
    struct bytes rest = behind(segment, JOURNAL_HEADER_BYTES);
    struct journal_record record;
    uint64_t sequence = segment->header.first_sequence;
    segment->good = JOURNAL_HEADER_BYTES;
    while (journal_next_record(&rest, &record) && record.sequence == sequence) {
        segment->has_base = segment->has_base || record.kind == JOURNAL_BASE;
        sequence++;
        segment->good = segment->bytes.length - rest.length;
    }
    segment->next_sequence = sequence;
    size_t bad = segment->bytes.length - segment->good;
    if (bad == 0)
        return RESULT_OK;
    if (!newest || mark_follows(segment, segment->good + 1, sequence))
        return refuse(reading, RESULT_CORRUPT, segment->header.number, "is damaged, and good records follow",
                      segment->good);
    reading->cut_bytes = bad;
    return RESULT_OK;
}

/* From the newest down to the first with a BASE. */
static enum result load_all(struct reading *reading) {
    reading->segments = calloc(reading->number_count, sizeof *reading->segments);
    if (!reading->segments)
        return RESULT_OVERLOADED;
    for (size_t i = reading->number_count; i-- > 0;) {
        struct segment *segment = &reading->segments[reading->segment_count];
        bool newest = reading->segment_count++ == 0;
        enum result result = load(reading, reading->numbers[i], segment);
        if (result == RESULT_OK)
            result = check(reading, segment, newest);
        if (result != RESULT_OK)
            return result;
        if (!newest && segment->next_sequence != segment[-1].header.first_sequence)
            return refuse(reading, RESULT_CORRUPT, segment->header.number, "does not lead up to the next one",
                          segment->good);
        if (segment->has_base)
            return RESULT_OK;
    }
    return refuse(reading, RESULT_CORRUPT, reading->numbers[0], "lacks its beginning", JOURNAL_HEADER_BYTES);
}

/* ---- the whole ---- */

static enum result replay(const struct reading *reading, const struct journal_reader *reader) {
    for (size_t i = reading->segment_count; i-- > 0;) {
        const struct segment *segment = &reading->segments[i];
        struct bytes rest = {segment->bytes.at + JOURNAL_HEADER_BYTES, segment->good - JOURNAL_HEADER_BYTES};
        struct journal_record record;
        while (journal_next_record(&rest, &record)) {
            enum result result = reader->record(reader->context, &segment->header, &record);
            if (result == RESULT_CORRUPT)
                return refuse(reading, result, segment->header.number, "has a record that makes no sense",
                              (uint64_t)(record.payload.at - segment->bytes.at));
            if (result != RESULT_OK)
                return result;
        }
    }
    return RESULT_OK;
}

static enum result read_all(struct reading *reading, const struct journal_reader *reader, struct journal_found *found) {
    *found = (struct journal_found){.next_sequence = 1};
    enum result result = list_files(reading);
    if (result != RESULT_OK || reading->number_count == 0)
        return result;
    result = load_all(reading);
    if (result == RESULT_OK)
        result = replay(reading, reader);
    if (result != RESULT_OK)
        return result;
    const struct segment *newest = &reading->segments[0];
    *found = (struct journal_found){.oldest_number = reading->numbers[0],
                                    .newest_number = newest->header.number,
                                    .next_sequence = newest->next_sequence,
                                    .cut_bytes = reading->cut_bytes};
    if (found->cut_bytes)
        log_warn("the journal of holds ends in a torn record, which is cut: holds answered in the last moment before "
                 "the stop may be forgotten",
                 LOG_INT("segment", found->newest_number), LOG_INT("at_byte", newest->good),
                 LOG_INT("cut_bytes", found->cut_bytes));
    return RESULT_OK;
}

enum result journal_read(const char *folder, const struct journal_reader *reader, struct journal_found *found,
                         char *detail, size_t detail_size) {
    struct reading reading = {.folder = folder, .detail = detail, .detail_size = detail_size};
    snprintf(detail, detail_size, "no memory to read the journal of holds in '%s'", folder);
    struct journal_found read;
    enum result result = read_all(&reading, reader, &read);
    for (size_t i = 0; i < reading.segment_count; i++)
        buffer_release(&reading.segments[i].bytes);
    free(reading.segments);
    free(reading.numbers);
    if (result == RESULT_OK)
        *found = read;
    return result;
}
