#include "engines/memory/queue_erase.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "engines/memory/queue_log_walk.h"

#define FOLDER_NAME "queue"
#define PATH_BYTES 4096

struct erasing {
    struct bytes user;
    bool dry_run;
    char *fault;
    size_t fault_size;
    int64_t places;

    /* of the queue that is looked at */
    struct id show_id;
    int secrets;
    bool has_failed;
};

static bool is_erased(const struct place_secret *secret) {
    static const struct place_secret none;
    return memcmp(secret->salt, none.salt, sizeof none.salt) == 0 && secret->user == 0;
}

/* A place is theirs if its blinded id is what its salt makes of them. */
static bool visit(void *context, uint64_t offset, struct bytes bytes, const struct record_event *event,
                  const struct place_secret *secret) {
    static const uint8_t zeros[QUEUE_SECRET_BYTES];
    struct erasing *erasing = context;
    (void)offset;
    (void)bytes;
    if (event->kind == RECORD_START)
        erasing->show_id = event->start.show_id;
    if (event->kind != RECORD_JOIN || is_erased(secret))
        return true;
    struct id blinded = record_blind(&erasing->show_id, secret->salt, erasing->user);
    if (!id_equal(&blinded, &event->blinded))
        return true;
    erasing->places++;
    if (!erasing->dry_run && pwrite(erasing->secrets, zeros, sizeof zeros, (off_t)queue_secret_offset(event->number)) !=
                                 (ssize_t)sizeof zeros)
        erasing->has_failed = true;
    return !erasing->has_failed;
}

static enum result says(const struct erasing *erasing, enum result result, const char *path, const char *what) {
    (void)snprintf(erasing->fault, erasing->fault_size, "the queue's record '%s' %s", path, what);
    return result;
}

/* Only where all is on disk is a secret of zeros known to be an erased one. */
static enum result check_mark(struct erasing *erasing, const char *path, struct queue_mark *mark) {
    char bytes[QUEUE_MARK_BYTES];
    ssize_t n = pread(erasing->secrets, bytes, sizeof bytes, 0);
    if (n < 0)
        return says(erasing, RESULT_IO_ERROR, path, strerror(errno));
    enum result result = queue_mark_read((struct bytes){bytes, (size_t)n}, mark);
    if (result != RESULT_OK)
        return says(erasing, result, path,
                    result == RESULT_CORRUPT ? "is damaged: put it back from a backup"
                                             : "was written by a newer version of onsale: use that one");
    if (!mark->is_closed)
        return says(erasing, RESULT_IN_USE, path,
                    "was not closed in order: start the server and stop it, then try again");
    return RESULT_OK;
}

static enum result erase_open(struct erasing *erasing, const char *path, int record) {
    struct queue_mark mark;
    enum result result = check_mark(erasing, path, &mark);
    if (result != RESULT_OK)
        return result;
    struct queue_walk walk = {.disk = &queue_real_disk,
                              .record = record,
                              .secrets = erasing->secrets,
                              .limit = mark.length,
                              .visit = visit,
                              .context = erasing};
    int64_t before = erasing->places;
    result = queue_walk(&walk);
    if (result != RESULT_OK)
        return says(erasing, result, path, "cannot be read");
    if (walk.end < mark.length && !erasing->has_failed)
        return says(erasing, RESULT_CORRUPT, path, "is damaged: put it back from a backup");
    if (erasing->has_failed || (erasing->places != before && !erasing->dry_run && fdatasync(erasing->secrets)))
        return says(erasing, RESULT_IO_ERROR, path, strerror(errno));
    return RESULT_OK;
}

/* `path` ends in ".record"; its secrets are beside it. */
static enum result erase_queue(struct erasing *erasing, const char *path) {
    char beside[PATH_BYTES + 300];
    (void)snprintf(beside, sizeof beside, "%.*sprivate", (int)(strlen(path) - strlen("record")), path);
    int record = open(path, O_RDONLY | O_CLOEXEC);
    if (record < 0)
        return says(erasing, RESULT_IO_ERROR, path, strerror(errno));
    enum result result;
    erasing->secrets = open(beside, (erasing->dry_run ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (erasing->secrets < 0) {
        result = says(erasing, RESULT_IO_ERROR, beside, strerror(errno));
    } else {
        result = erase_open(erasing, path, record);
        close(erasing->secrets);
    }
    close(record);
    return result;
}

enum result queue_erase(const char *folder, const struct user_id *user, bool dry_run, int64_t *places, char *fault,
                        size_t fault_size) {
    char path[PATH_BYTES], name[PATH_BYTES + 260];
    struct erasing erasing = {.user = user_bytes(user), .dry_run = dry_run, .fault = fault, .fault_size = fault_size};
    *places = 0;
    (void)snprintf(path, sizeof path, "%s/" FOLDER_NAME, folder);
    DIR *files = opendir(path);
    if (!files)
        return errno == ENOENT ? RESULT_OK : says(&erasing, RESULT_IO_ERROR, path, strerror(errno));
    enum result result = RESULT_OK;
    for (const struct dirent *entry; result == RESULT_OK && (entry = readdir(files));) {
        size_t length = strlen(entry->d_name);
        if (length <= strlen(".record") || strcmp(entry->d_name + length - strlen(".record"), ".record") != 0)
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        result = erase_queue(&erasing, name);
    }
    closedir(files);
    if (result == RESULT_OK)
        *places = erasing.places;
    return result;
}
