#include "engines/memory/journal_erase.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "base/files.h"
#include "base/random.h"
#include "engines/memory/journal_format.h"

#define FOLDER_NAME "holds"
#define PATH_BYTES 4096
/* More than a journal ever has: it is rewritten when half of it is dead. */
#define SEGMENT_LIMIT (1u << 31)

struct erasing {
    struct bytes user;
    char letters[LIMIT_USER_ID_BYTES]; /* in place of the user */
    struct buffer segment;
    int64_t records;
};

static void overwrite(struct erasing *erasing, char *at) {
    memcpy(at, erasing->letters, erasing->user.length);
    erasing->records++;
}

/* The answer in it goes on behind what is written, and names no user. */
static void erase_take(struct erasing *erasing, const struct journal_record *record) {
    struct journal_take take;
    if (record->kind != JOURNAL_TAKE || !journal_read_take(record->payload, &take) ||
        !bytes_equal(user_bytes(&take.hold.user), erasing->user))
        return;
    memcpy(take.hold.user.text, erasing->letters, erasing->user.length);
    uint8_t fields[JOURNAL_TAKE_BYTES];
    size_t length = journal_write_take(&take, fields);
    uint8_t *payload = (uint8_t *)erasing->segment.at + (record->payload.at - erasing->segment.at);
    memcpy(payload, fields, length);
    enum journal_kind kind;
    uint32_t dead;
    (void)journal_seal_frame(payload - JOURNAL_FRAME_BYTES, record->sequence, &kind, &dead);
    erasing->records++;
}

/* Records one after the other; of what is none, each place that has the same letters. */
static void erase_segment(struct erasing *erasing) {
    struct bytes rest = buffer_bytes(&erasing->segment);
    struct journal_header header;
    struct journal_record record;
    if (journal_read_header(rest, &header) == RESULT_OK) {
        rest.at += JOURNAL_HEADER_BYTES;
        rest.length -= JOURNAL_HEADER_BYTES;
        while (journal_next_record(&rest, &record))
            erase_take(erasing, &record);
    }
    char *found;
    while (rest.length >= erasing->user.length &&
           (found = memmem(rest.at, rest.length, erasing->user.at, erasing->user.length))) {
        overwrite(erasing, found);
        rest.length -= (size_t)(found - rest.at) + erasing->user.length;
        rest.at = found + erasing->user.length;
    }
}

static enum result erase_file(struct erasing *erasing, const char *path, bool dry_run) {
    int64_t before = erasing->records;
    buffer_clear(&erasing->segment);
    enum result result = file_read(path, &erasing->segment);
    if (result != RESULT_OK)
        return result;
    erase_segment(erasing);
    if (dry_run || erasing->records == before)
        return RESULT_OK;
    return file_write_atomically(path, buffer_bytes(&erasing->segment), 0600);
}

static enum result erase_files(struct erasing *erasing, const char *path, DIR *files, bool dry_run, char *fault,
                               size_t fault_size) {
    for (const struct dirent *entry; (entry = readdir(files));) {
        char name[PATH_BYTES + 260];
        if (!strstr(entry->d_name, ".journal"))
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        errno = 0;
        enum result result = erase_file(erasing, name, dry_run);
        if (result != RESULT_OK) {
            (void)snprintf(fault, fault_size, "cannot rewrite the journal of holds '%s': %s", name,
                           errno ? strerror(errno) : result_words(result));
            return result;
        }
    }
    return RESULT_OK;
}

/* Letters, so that they may stand for a user. */
static void draw_letters(struct erasing *erasing) {
    uint8_t random[LIMIT_USER_ID_BYTES];
    random_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof erasing->letters; i++)
        erasing->letters[i] = (char)('a' + random[i] % 26);
}

enum result journal_erase(const char *folder, const struct user_id *user, bool dry_run, int64_t *records, char *fault,
                          size_t fault_size) {
    char path[PATH_BYTES];
    *records = 0;
    if (user->length == 0)
        return RESULT_OK;
    (void)snprintf(path, sizeof path, "%s/" FOLDER_NAME, folder);
    DIR *files = opendir(path);
    if (!files && errno == ENOENT)
        return RESULT_OK;
    if (!files) {
        (void)snprintf(fault, fault_size, "cannot read the folder '%s': %s", path, strerror(errno));
        return RESULT_IO_ERROR;
    }
    struct erasing erasing = {.user = user_bytes(user)};
    draw_letters(&erasing);
    buffer_init(&erasing.segment, SEGMENT_LIMIT);
    enum result result = erase_files(&erasing, path, files, dry_run, fault, fault_size);
    buffer_release(&erasing.segment);
    closedir(files);
    if (result == RESULT_OK)
        *records = erasing.records;
    return result;
}
