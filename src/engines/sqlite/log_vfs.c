#include "engines/sqlite/log_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATHERED_BYTES (64 * 1024) /* the system's VFS takes less than 128 KiB in one write */
#define LAYERS 4                   /* over different VFSes: the system's, and a test's */

/* A write-ahead log. The file below lies behind this struct, in the memory that SQLite gives. */
struct log_file {
    sqlite3_file base;
    sqlite3_file *below;
    int failed;           /* SQLite's code of the first write that failed */
    int length;           /* of what is gathered, */
    sqlite3_int64 offset; /* and where it belongs */
    char *gathered;
};

/* Other files are opened on the VFS below, and never come here. */
static struct log_file *log_of(sqlite3_file *file) {
    return (struct log_file *)file;
}

/* Writes what is gathered. */
static int make_up(struct log_file *log) {
    if (log->failed != SQLITE_OK || log->length == 0)
        return log->failed;
    log->failed = log->below->pMethods->xWrite(log->below, log->gathered, log->length, log->offset);
    log->length = 0;
    return log->failed;
}

static int log_close(sqlite3_file *file) {
    struct log_file *log = log_of(file);
    /* What is left belongs to no commit; as far as anybody can tell it was written or it was not. */
    (void)make_up(log);
    free(log->gathered);
    return log->below->pMethods->xClose(log->below);
}

static int log_read(sqlite3_file *file, void *data, int length, sqlite3_int64 offset) {
    struct log_file *log = log_of(file);
    int code = make_up(log);
    return code != SQLITE_OK ? code : log->below->pMethods->xRead(log->below, data, length, offset);
}

static int log_write(sqlite3_file *file, const void *data, int length, sqlite3_int64 offset) {
    struct log_file *log = log_of(file);
    if (log->failed != SQLITE_OK)
        return log->failed;
    if (offset != log->offset + log->length || log->length + length > GATHERED_BYTES) {
        int code = make_up(log);
        if (code != SQLITE_OK)
            return code;
        log->offset = offset;
    }
    if (length > GATHERED_BYTES) {
        log->failed = log->below->pMethods->xWrite(log->below, data, length, offset);
        return log->failed;
    }
    memcpy(log->gathered + log->length, data, (size_t)length);
    log->length += length;
    return SQLITE_OK;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size) {
    struct log_file *log = log_of(file);
    int code = make_up(log);
    return code != SQLITE_OK ? code : log->below->pMethods->xTruncate(log->below, size);
}

static int log_sync(sqlite3_file *file, int flags) {
    struct log_file *log = log_of(file);
    int code = make_up(log);
    return code != SQLITE_OK ? code : log->below->pMethods->xSync(log->below, flags);
}

static int log_size(sqlite3_file *file, sqlite3_int64 *size) {
    struct log_file *log = log_of(file);
    int code = make_up(log);
    return code != SQLITE_OK ? code : log->below->pMethods->xFileSize(log->below, size);
}

static int log_lock(sqlite3_file *file, int level) {
    return log_of(file)->below->pMethods->xLock(log_of(file)->below, level);
}

static int log_unlock(sqlite3_file *file, int level) {
    return log_of(file)->below->pMethods->xUnlock(log_of(file)->below, level);
}

static int log_check_lock(sqlite3_file *file, int *reserved) {
    return log_of(file)->below->pMethods->xCheckReservedLock(log_of(file)->below, reserved);
}

static int log_control(sqlite3_file *file, int operation, void *argument) {
    return log_of(file)->below->pMethods->xFileControl(log_of(file)->below, operation, argument);
}

static int log_sector_size(sqlite3_file *file) {
    return log_of(file)->below->pMethods->xSectorSize(log_of(file)->below);
}

static int log_characteristics(sqlite3_file *file) {
    return log_of(file)->below->pMethods->xDeviceCharacteristics(log_of(file)->below);
}

static const sqlite3_io_methods methods = {
    .iVersion = 1, /* shared memory and mapping are the database file's */
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_check_lock,
    .xFileControl = log_control,
    .xSectorSize = log_sector_size,
    .xDeviceCharacteristics = log_characteristics,
};

static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags) {
    sqlite3_vfs *below = vfs->pAppData;
    if (!(flags & SQLITE_OPEN_WAL))
        return below->xOpen(below, path, file, flags, out_flags);
    struct log_file *log = log_of(file);
    *log = (struct log_file){.below = (sqlite3_file *)(void *)(log + 1)};
    log->gathered = malloc(GATHERED_BYTES);
    if (!log->gathered)
        return SQLITE_NOMEM;
    memset(log->below, 0, (size_t)below->szOsFile);
    int code = below->xOpen(below, path, log->below, flags, out_flags);
    if (code == SQLITE_OK) {
        log->base.pMethods = &methods;
        return SQLITE_OK;
    }
    free(log->gathered);
    return code;
}

const char *log_vfs_over(const char *base) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct {
        sqlite3_vfs vfs;
        char name[64];
    } layers[LAYERS]; /* under lock, and for good once registered */
    const char *name = NULL;
    sqlite3_vfs *below = sqlite3_vfs_find(base);
    pthread_mutex_lock(&lock);
    for (int i = 0; below && !name && i < LAYERS; i++) {
        if (layers[i].vfs.pAppData == below) {
            name = layers[i].name;
        } else if (!layers[i].vfs.pAppData) {
            layers[i].vfs = *below; /* names, time, randomness and the rest are those of the VFS below */
            layers[i].vfs.pNext = NULL;
            layers[i].vfs.pAppData = below;
            layers[i].vfs.szOsFile = (int)sizeof(struct log_file) + below->szOsFile;
            layers[i].vfs.xOpen = open_file;
            (void)snprintf(layers[i].name, sizeof layers[i].name, "onsale-log-%s", below->zName);
            layers[i].vfs.zName = layers[i].name;
            if (sqlite3_vfs_register(&layers[i].vfs, 0) == SQLITE_OK)
                name = layers[i].name;
            else
                layers[i].vfs.pAppData = NULL;
        }
    }
    pthread_mutex_unlock(&lock);
    return name;
}
