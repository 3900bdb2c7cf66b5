#include "runtime/key_files.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/files.h"
#include "base/panic.h"
#include "base/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_TRIES 500
#define LOCK_PAUSE_US (20 * 1000)
#define SECRET_MOST_BYTES 32
#define FILE_BYTES 300 /* more than either kind has */
#define NAME_SUFFIX ".key"
#define NAME_BYTES (KEY_ID_TEXT + sizeof NAME_SUFFIX)

/* What is found in a folder, and where to say what is wrong with it. */
struct folder {
    const char *path;
    int fd;   /* -1: there is none */
    int lock; /* -1: not held */
    bool has_blinding;
    struct key_files files;
    struct keyring ring; /* the same, with what is in them */
    char *fault;
    size_t fault_size;
};

__attribute__((format(printf, 3, 4))) static enum result fail(struct folder *folder, enum result result,
                                                              const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(folder->fault, folder->fault_size, format, list);
    va_end(list);
    return result;
}

/* ---- the texts ---- */

/* Appends "check " and the checksum of what stands before it. */
static void add_check(struct buffer *text) {
    char check[KEY_ID_TEXT];
    key_id_format(crc32c(0, text->at, text->length), check);
    buffer_add_text(text, "check ");
    buffer_add(text, check, sizeof check);
    buffer_add_char(text, '\n');
}

static void add_secret(struct buffer *text, const char *name, const uint8_t *secret, size_t length) {
    char hex[2 * SECRET_MOST_BYTES];
    assert(length <= SECRET_MOST_BYTES);
    hex_encode(secret, length, hex);
    buffer_add_text(text, name);
    buffer_add_char(text, ' ');
    buffer_add(text, hex, 2 * length);
    buffer_add_char(text, '\n');
    sodium_memzero(hex, sizeof hex);
}

static void write_generation(const struct key_generation *key, struct buffer *text) {
    char id[KEY_ID_TEXT], created[CLOCK_TEXT_BYTES];
    key_id_format(key->id, id);
    clock_format(key->created_ms, created);
    buffer_add_text(text, "onsale key 1\nid ");
    buffer_add(text, id, sizeof id);
    buffer_add_text(text, "\ncreated ");
    buffer_add_text(text, created);
    buffer_add_char(text, '\n');
    add_secret(text, "mac", key->mac, sizeof key->mac);
    add_secret(text, "seed", key->seed, sizeof key->seed);
    add_check(text);
}

static void write_blinding(const uint8_t blinding[static SECRET_MOST_BYTES], struct buffer *text) {
    buffer_add_text(text, "onsale blinding key 1\n");
    add_secret(text, "key", blinding, SECRET_MOST_BYTES);
    add_check(text);
}

/* Each line's value by its name; whatever else is there does not come out the same when it is written again. */
static bool line_value(struct bytes text, const char *name, struct bytes *value) {
    size_t name_length = strlen(name);
    while (text.length) {
        const char *end = memchr(text.at, '\n', text.length);
        size_t length = end ? (size_t)(end - text.at) : text.length;
        if (length > name_length && memcmp(text.at, name, name_length) == 0 && text.at[name_length] == ' ') {
            *value = (struct bytes){text.at + name_length + 1, length - name_length - 1};
            return true;
        }
        text.at += length + (end != NULL);
        text.length -= length + (end != NULL);
    }
    return false;
}

static bool read_secret(struct bytes text, const char *name, uint8_t *secret, size_t length) {
    struct bytes value;
    return line_value(text, name, &value) && hex_decode(value, secret, length);
}

static bool read_generation(struct bytes text, struct key_generation *key) {
    struct bytes id, created;
    return line_value(text, "id", &id) && key_id_parse(id, &key->id) && key->id != 0 &&
           line_value(text, "created", &created) && clock_parse(created, &key->created_ms) &&
           read_secret(text, "mac", key->mac, sizeof key->mac) &&
           read_secret(text, "seed", key->seed, sizeof key->seed);
}

static struct buffer buffer_in(char room[static FILE_BYTES]) {
    return (struct buffer){.at = room, .capacity = FILE_BYTES, .limit = FILE_BYTES};
}

/* OK if the text is what we would write; it is of the kind that `title` opens, version 1. */
static enum result judge(struct folder *folder, const char *name, const char *title, struct bytes text, bool is_read,
                         const struct buffer *again) {
    struct bytes version;
    if (is_read && bytes_equal(text, buffer_bytes(again)))
        return RESULT_OK;
    uint64_t number;
    if (line_value(text, title, &version) && bytes_to_u64(version, UINT32_MAX, &number) && number > 1)
        return fail(folder, RESULT_NEWER_VERSION, "'%s/%s' was written by a newer onsale", folder->path, name);
    return fail(folder, RESULT_CORRUPT,
                "'%s/%s' is damaged: put it back from a backup or from another node. A key that is lost for good is "
                "removed by hand, and what was made with it is void",
                folder->path, name);
}

/* ---- reading ---- */

/* NOT_FOUND: there is none. The caller wipes `room`. */
static enum result read_private_file(struct folder *folder, const char *name, char room[static FILE_BYTES],
                                     struct bytes *text) {
    int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT
                   ? RESULT_NOT_FOUND
                   : fail(folder, RESULT_IO_ERROR, "cannot read '%s/%s': %s", folder->path, name, strerror(errno));
    struct stat status;
    ssize_t length = fstat(fd, &status) ? -1 : read(fd, room, FILE_BYTES);
    int read_errno = errno;
    close(fd);
    if (length < 0)
        return fail(folder, RESULT_IO_ERROR, "cannot read '%s/%s': %s", folder->path, name, strerror(read_errno));
    if (!S_ISREG(status.st_mode))
        return fail(folder, RESULT_CORRUPT, "'%s/%s' is not a file", folder->path, name);
    if (status.st_mode & 077)
        return fail(folder, RESULT_FORBIDDEN,
                    "'%s/%s' is open to others than its owner: chmod 600 it. If somebody may have read it: onsale keys "
                    "rotate, then retire it",
                    folder->path, name);
    *text = (struct bytes){room, (size_t)length};
    return RESULT_OK;
}

/* Keeps both lists in order. */
static void insert(struct folder *folder, const struct key_generation *key) {
    struct key_files *files = &folder->files;
    struct keyring *ring = &folder->ring;
    unsigned at = files->count++;
    for (; at > 0; at--) {
        const struct key_file *before = &files->of[at - 1];
        if (before->created_ms < key->created_ms || (before->created_ms == key->created_ms && before->id < key->id))
            break;
        files->of[at] = *before;
    }
    files->of[at] = (struct key_file){key->id, key->created_ms};
    memmove(ring->of + at + 1, ring->of + at, (ring->count++ - at) * sizeof ring->of[0]);
    ring->of[at] = *key;
}

static enum result read_key(struct folder *folder, const char *name) {
    char room[FILE_BYTES], again_room[FILE_BYTES], id[KEY_ID_TEXT];
    struct buffer again = buffer_in(again_room);
    struct key_generation key = {0};
    struct bytes text;
    enum result result = read_private_file(folder, name, room, &text);
    if (result == RESULT_OK) {
        bool is_read = read_generation(text, &key);
        if (is_read)
            write_generation(&key, &again);
        result = judge(folder, name, "onsale key", text, is_read, &again);
    }
    if (result == RESULT_OK) {
        key_id_format(key.id, id);
        if (strlen(name) != NAME_BYTES - 1 || memcmp(name, id, sizeof id) != 0)
            result = fail(folder, RESULT_CORRUPT,
                          "'%s/%s' holds the key %.*s: rename it to %.*s.key, or remove it if "
                          "it is a copy",
                          folder->path, name, KEY_ID_TEXT, id, KEY_ID_TEXT, id);
        else if (folder->files.count == LIMIT_KEY_GENERATIONS)
            result = fail(folder, RESULT_CORRUPT,
                          "'%s' has more than %d keys: onsale keys retire those that nothing "
                          "needs any more",
                          folder->path, LIMIT_KEY_GENERATIONS);
    }
    if (result == RESULT_OK)
        insert(folder, &key);
    sodium_memzero(&key, sizeof key);
    sodium_memzero(room, sizeof room);
    sodium_memzero(again_room, sizeof again_room);
    return result == RESULT_NOT_FOUND ? RESULT_OK : result; /* retired just now */
}

static enum result read_blinding(struct folder *folder) {
    char room[FILE_BYTES], again_room[FILE_BYTES];
    struct buffer again = buffer_in(again_room);
    struct bytes text;
    enum result result = read_private_file(folder, "blinding", room, &text);
    if (result == RESULT_OK) {
        bool is_read = read_secret(text, "key", folder->ring.blinding, SECRET_MOST_BYTES);
        if (is_read)
            write_blinding(folder->ring.blinding, &again);
        result = judge(folder, "blinding", "onsale blinding key", text, is_read, &again);
        folder->has_blinding = result == RESULT_OK;
    }
    sodium_memzero(room, sizeof room);
    sodium_memzero(again_room, sizeof again_room);
    return result == RESULT_NOT_FOUND ? RESULT_OK : result;
}

static bool is_key_name(const char *name) {
    size_t length = strlen(name), suffix = sizeof NAME_SUFFIX - 1;
    return name[0] != '.' && length > suffix && strcmp(name + length - suffix, NAME_SUFFIX) == 0;
}

static enum result read_keys(struct folder *folder) {
    int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (!entries) {
        if (fd >= 0)
            close(fd);
        return fail(folder, RESULT_IO_ERROR, "cannot list '%s': %s", folder->path, strerror(errno));
    }
    enum result result = RESULT_OK;
    const struct dirent *entry;
    while (errno = 0, result == RESULT_OK && (entry = readdir(entries)))
        if (is_key_name(entry->d_name))
            result = read_key(folder, entry->d_name);
    if (result == RESULT_OK && errno)
        result = fail(folder, RESULT_IO_ERROR, "cannot list '%s': %s", folder->path, strerror(errno));
    closedir(entries);
    return result;
}

/* Reads all there is. OK with no `has_blinding`: nothing was made yet, or not all of it. */
static enum result look(struct folder *folder) {
    struct stat status;
    folder->files.count = folder->ring.count = 0;
    folder->has_blinding = false;
    if (folder->fd < 0)
        folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd < 0)
        return errno == ENOENT ? RESULT_OK
                               : fail(folder, RESULT_IO_ERROR, "cannot open '%s': %s", folder->path, strerror(errno));
    if (fstat(folder->fd, &status))
        return fail(folder, RESULT_IO_ERROR, "cannot open '%s': %s", folder->path, strerror(errno));
    if (status.st_mode & 022)
        return fail(folder, RESULT_FORBIDDEN,
                    "others than its owner can write in '%s', where the keys are: chmod 700 "
                    "it",
                    folder->path);
    enum result result = read_blinding(folder); /* first: a key is there before it */
    if (result == RESULT_OK)
        result = read_keys(folder);
    return result;
}

static void leave(struct folder *folder) {
    if (folder->fd >= 0)
        close(folder->fd);
    if (folder->lock >= 0)
        close(folder->lock);
    keyring_wipe(&folder->ring);
}

/* ---- making ---- */

static enum result lock_folder(struct folder *folder) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/keys.lock", folder->path) >= (int)sizeof path)
        return fail(folder, RESULT_IO_ERROR, "the name '%s' is too long", folder->path);
    folder->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (folder->lock < 0)
        return fail(folder, RESULT_IO_ERROR, "cannot open '%s': %s", path, strerror(errno));
    for (unsigned i = 0; flock(folder->lock, LOCK_EX | LOCK_NB); i++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail(folder, RESULT_IO_ERROR, "cannot lock '%s': %s", path, strerror(errno));
        if (i == LOCK_TRIES)
            return fail(folder, RESULT_IN_USE, "another process keeps '%s' locked", path);
        usleep(LOCK_PAUSE_US);
    }
    return RESULT_OK;
}

static enum result write_file(struct folder *folder, const char *name, struct buffer *text) {
    char path[PATH_MAX];
    assert(buffer_ok(text));
    if (snprintf(path, sizeof path, "%s/%s", folder->path, name) >= (int)sizeof path)
        return fail(folder, RESULT_IO_ERROR, "the name '%s' is too long", folder->path);
    if (file_write_atomically(path, buffer_bytes(text), 0600) != RESULT_OK)
        return fail(folder, RESULT_IO_ERROR, "cannot write '%s': %s", path, strerror(errno));
    return RESULT_OK;
}

static bool has_id(const struct key_files *files, uint32_t id) {
    for (unsigned i = 0; i < files->count; i++)
        if (files->of[i].id == id)
            return true;
    return false;
}

static enum result make_generation(struct folder *folder, int64_t now_ms, uint32_t *id) {
    const struct key_files *files = &folder->files;
    char room[FILE_BYTES], name[NAME_BYTES] = {0};
    struct buffer text = buffer_in(room);
    struct key_generation key = {.created_ms = now_ms};
    if (files->count && files->of[files->count - 1].created_ms >= now_ms)
        key.created_ms = files->of[files->count - 1].created_ms + 1;
    do {
        random_bytes(&key.id, sizeof key.id);
    } while (key.id == 0 || has_id(files, key.id));
    random_bytes(key.mac, sizeof key.mac);
    random_bytes(key.seed, sizeof key.seed);
    write_generation(&key, &text);
    key_id_format(key.id, name);
    memcpy(name + KEY_ID_TEXT, NAME_SUFFIX, sizeof NAME_SUFFIX);
    enum result result = write_file(folder, name, &text);
    if (result == RESULT_OK)
        *id = key.id;
    sodium_memzero(&key, sizeof key);
    sodium_memzero(room, sizeof room);
    return result;
}

static enum result make_fresh_blinding(struct folder *folder) {
    char room[FILE_BYTES];
    uint8_t blinding[32];
    struct buffer text = buffer_in(room);
    random_bytes(blinding, sizeof blinding);
    write_blinding(blinding, &text);
    enum result result = write_file(folder, "blinding.new", &text);
    sodium_memzero(blinding, sizeof blinding);
    sodium_memzero(room, sizeof room);
    return result;
}

/* The first keys, or what of them a crash left to be made. The lock is held. */
static enum result make_first(struct folder *folder, int64_t now_ms) {
    uint32_t id;
    bool is_begun = faccessat(folder->fd, "blinding.new", F_OK, 0) == 0;
    if (folder->files.count && !is_begun)
        return fail(folder, RESULT_CORRUPT,
                    "'%s' has keys, and the file 'blinding' is gone: put it back from a backup "
                    "or from another node. Without it nobody in a queue would be known again",
                    folder->path);
    enum result result = make_fresh_blinding(folder); /* nobody has seen the one of who died */
    if (result == RESULT_OK && !folder->files.count)
        result = make_generation(folder, now_ms, &id);
    if (result != RESULT_OK)
        return result;
    if (renameat(folder->fd, "blinding.new", folder->fd, "blinding") || fsync(folder->fd))
        return fail(folder, RESULT_IO_ERROR, "cannot write '%s/blinding': %s", folder->path, strerror(errno));
    return RESULT_OK;
}

static enum result open_or_make(struct folder *folder, int64_t now_ms) {
    enum result result = look(folder);
    if (result != RESULT_OK || folder->has_blinding)
        return result;
    if (folder_make(folder->path) != RESULT_OK)
        return fail(folder, RESULT_IO_ERROR, "cannot make '%s': %s", folder->path, strerror(errno));
    result = lock_folder(folder);
    if (result == RESULT_OK)
        result = look(folder); /* somebody else may have made them meanwhile */
    if (result == RESULT_OK && !folder->has_blinding) {
        result = make_first(folder, now_ms);
        if (result == RESULT_OK)
            result = look(folder);
    }
    return result;
}

/* ---- */

enum result key_files_open(const char *path, int64_t now_ms, struct keyring *ring, char *fault, size_t fault_size) {
    struct folder folder = {.path = path, .fd = -1, .lock = -1, .fault = fault, .fault_size = fault_size};
    enum result result = open_or_make(&folder, now_ms);
    if (result == RESULT_OK && folder.ring.count == 0)
        result = fail(&folder, RESULT_CORRUPT,
                      "'%s' has the file 'blinding' and no key: put ID.key back from a backup "
                      "or from another node, or make a new one (onsale keys rotate): then every place and pass that "
                      "was given out is void",
                      path);
    if (result == RESULT_OK) {
        for (uint32_t i = 0; i < folder.ring.count; i++)
            key_derive(&folder.ring.of[i]);
        *ring = folder.ring;
    }
    leave(&folder);
    return result;
}

static enum result need_keys(struct folder *folder) {
    enum result result = look(folder);
    if (result == RESULT_OK && !folder->has_blinding)
        return fail(folder, RESULT_NOT_FOUND, "there are no keys in '%s'; onsale serve makes them at its first start",
                    folder->path);
    return result;
}

enum result key_files_list(const char *path, struct key_files *files, char *fault, size_t fault_size) {
    struct folder folder = {.path = path, .fd = -1, .lock = -1, .fault = fault, .fault_size = fault_size};
    enum result result = need_keys(&folder);
    if (result == RESULT_OK)
        *files = folder.files;
    leave(&folder);
    return result;
}

/* The keys, and the lock. Looked at before it, so that a folder that was mistyped does not get one. */
static enum result need_keys_locked(struct folder *folder) {
    enum result result = need_keys(folder);
    if (result == RESULT_OK)
        result = lock_folder(folder);
    return result == RESULT_OK ? need_keys(folder) : result;
}

enum result key_files_rotate(const char *path, int64_t now_ms, uint32_t *id, char *fault, size_t fault_size) {
    struct folder folder = {.path = path, .fd = -1, .lock = -1, .fault = fault, .fault_size = fault_size};
    enum result result = need_keys_locked(&folder);
    if (result == RESULT_OK && folder.files.count == LIMIT_KEY_GENERATIONS)
        result = fail(&folder, RESULT_OVERLOADED,
                      "'%s' has %d keys already: onsale keys retire those that nothing "
                      "needs any more",
                      path, LIMIT_KEY_GENERATIONS);
    if (result == RESULT_OK)
        result = make_generation(&folder, now_ms, id);
    leave(&folder);
    return result;
}

static enum result remove_key(struct folder *folder, uint32_t id) {
    char name[NAME_BYTES] = {0};
    key_id_format(id, name);
    memcpy(name + KEY_ID_TEXT, NAME_SUFFIX, sizeof NAME_SUFFIX);
    if (!has_id(&folder->files, id))
        return fail(folder, RESULT_NOT_FOUND, "there is no key %.*s in '%s'", KEY_ID_TEXT, name, folder->path);
    if (folder->files.of[folder->files.count - 1].id == id)
        return fail(folder, RESULT_CONFLICT, "%.*s is the newest key, which signs: onsale keys rotate first",
                    KEY_ID_TEXT, name);
    if (unlinkat(folder->fd, name, 0) || fsync(folder->fd))
        return fail(folder, RESULT_IO_ERROR, "cannot remove '%s/%s': %s", folder->path, name, strerror(errno));
    return RESULT_OK;
}

enum result key_files_retire(const char *path, uint32_t id, char *fault, size_t fault_size) {
    struct folder folder = {.path = path, .fd = -1, .lock = -1, .fault = fault, .fault_size = fault_size};
    enum result result = need_keys_locked(&folder);
    if (result == RESULT_OK)
        result = remove_key(&folder, id);
    leave(&folder);
    return result;
}
