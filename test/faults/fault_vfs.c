#include "fault_vfs.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/panic.h"

#define SECTOR 512
#define MAX_FILES 8

/* What was done to a file since it was last synced. */
struct change {
    struct change *next;
    bool truncates; /* to `offset` */
    int64_t offset;
    int length;
    uint8_t data[];
};

struct tracked {
    char path[256]; /* "": free */
    uint8_t *durable;
    int64_t durable_length;
    struct change *first, *last;
};

struct fault_file {
    sqlite3_file base;
    struct tracked *tracked; /* NULL: not a file whose survival matters */
    sqlite3_file *real;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tracked files[MAX_FILES]; /* under lock */
static struct fault armed;
static atomic_int counted;
static atomic_bool met;

/* ---- deciding ---- */

static int decide(enum fault_kind kind, int code) {
    if (armed.at == 0)
        return SQLITE_OK;
    if (atomic_load(&met) && !armed.once)
        return code;
    if (kind != armed.kind || atomic_fetch_add(&counted, 1) + 1 != armed.at)
        return SQLITE_OK;
    atomic_store(&met, true);
    return code;
}

static int full_or(int code) {
    return armed.code == SQLITE_FULL ? SQLITE_FULL : code;
}

/* ---- what a disk would hold ---- */

static void forget(struct tracked *tracked) {
    while (tracked->first) {
        struct change *next = tracked->first->next;
        free(tracked->first);
        tracked->first = next;
    }
    free(tracked->durable);
    *tracked = (struct tracked){0};
}

static struct tracked *find(const char *path) {
    for (int i = 0; i < MAX_FILES; i++)
        if (strcmp(files[i].path, path) == 0)
            return &files[i];
    return NULL;
}

static void apply(struct tracked *tracked, bool truncates, int64_t offset, const uint8_t *data, int64_t length) {
    int64_t end = truncates ? offset : offset + length;
    if (end > tracked->durable_length || truncates) {
        if (end > tracked->durable_length) {
            tracked->durable = realloc(tracked->durable, (size_t)end);
            assert(tracked->durable);
            memset(tracked->durable + tracked->durable_length, 0, (size_t)(end - tracked->durable_length));
        }
        tracked->durable_length = end;
    }
    if (!truncates && length)
        memcpy(tracked->durable + offset, data, (size_t)length);
}

/* The file as it is when it is first opened counts as durable. */
static struct tracked *track(const char *path, sqlite3_file *real) {
    struct tracked *tracked = find(path);
    if (tracked)
        return tracked;
    sqlite3_int64 size = 0;
    tracked = find("");
    assert(tracked && strlen(path) < sizeof tracked->path);
    memcpy(tracked->path, path, strlen(path) + 1);
    int code = real->pMethods->xFileSize(real, &size);
    if (code == SQLITE_OK && size > 0) {
        tracked->durable = malloc((size_t)size);
        assert(tracked->durable);
        tracked->durable_length = size;
        code = real->pMethods->xRead(real, tracked->durable, (int)size, 0);
    }
    assert(code == SQLITE_OK);
    return tracked;
}

static void remember(struct tracked *tracked, bool truncates, int64_t offset, const void *data, int length) {
    struct change *change = malloc(sizeof *change + (size_t)length);
    assert(change);
    *change = (struct change){.truncates = truncates, .offset = offset, .length = length};
    if (length)
        memcpy(change->data, data, (size_t)length);
    pthread_mutex_lock(&lock);
    if (tracked->first)
        tracked->last->next = change;
    else
        tracked->first = change;
    tracked->last = change;
    pthread_mutex_unlock(&lock);
}

/* What waited for a sync is on the disk, or, when the sync failed, may have left the page cache without ever getting
 * there. */
static void end_wait(struct tracked *tracked, bool synced) {
    pthread_mutex_lock(&lock);
    while (tracked->first) {
        struct change *change = tracked->first;
        if (synced)
            apply(tracked, change->truncates, change->offset, change->data, change->length);
        tracked->first = change->next;
        free(change);
    }
    pthread_mutex_unlock(&lock);
}

/* ---- a file ---- */

static sqlite3_file *real_of(sqlite3_file *file) {
    return ((struct fault_file *)file)->real;
}

static int file_close(sqlite3_file *file) {
    sqlite3_file *real = real_of(file);
    int code = real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
    free(real);
    return code;
}

static int file_read(sqlite3_file *file, void *data, int length, sqlite3_int64 offset) {
    int code = decide(FAULT_READS, SQLITE_IOERR_READ);
    return code != SQLITE_OK ? code : real_of(file)->pMethods->xRead(real_of(file), data, length, offset);
}

static int file_write(sqlite3_file *file, const void *data, int length, sqlite3_int64 offset) {
    struct tracked *tracked = ((struct fault_file *)file)->tracked;
    int code = decide(FAULT_WRITES, full_or(SQLITE_IOERR_WRITE));
    if (code != SQLITE_OK)
        return code;
    if (tracked)
        remember(tracked, false, offset, data, length);
    return real_of(file)->pMethods->xWrite(real_of(file), data, length, offset);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
    struct tracked *tracked = ((struct fault_file *)file)->tracked;
    int code = decide(FAULT_WRITES, SQLITE_IOERR_TRUNCATE);
    if (code != SQLITE_OK)
        return code;
    if (tracked)
        remember(tracked, true, size, NULL, 0);
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int file_sync(sqlite3_file *file, int flags) {
    struct tracked *tracked = ((struct fault_file *)file)->tracked;
    (void)flags;
    int code = decide(FAULT_WRITES, SQLITE_IOERR_FSYNC);
    if (tracked)
        end_wait(tracked, code == SQLITE_OK);
    return code;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int file_lock(sqlite3_file *file, int level) {
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int file_unlock(sqlite3_file *file, int level) {
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int file_check_lock(sqlite3_file *file, int *reserved) {
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), reserved);
}

static int file_control(sqlite3_file *file, int operation, void *argument) {
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int file_sector_size(sqlite3_file *file) {
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int file_characteristics(sqlite3_file *file) {
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **at) {
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, at);
}

static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *file) {
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int file_shm_unmap(sqlite3_file *file, int delete_it) {
    return real_of(file)->pMethods->xShmUnmap(real_of(file), delete_it);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* ---- the VFS ---- */

static sqlite3_vfs vfs;

static sqlite3_vfs *system_vfs(void) {
    return vfs.pAppData;
}

static int vfs_open(sqlite3_vfs *self, const char *path, sqlite3_file *file, int flags, int *out_flags) {
    struct fault_file *fault_file = (struct fault_file *)file;
    (void)self;
    *fault_file = (struct fault_file){.real = calloc(1, (size_t)system_vfs()->szOsFile)};
    if (!fault_file->real)
        return SQLITE_NOMEM;
    int code = system_vfs()->xOpen(system_vfs(), path, fault_file->real, flags, out_flags);
    if (code != SQLITE_OK) {
        free(fault_file->real);
        return code;
    }
    if (path && flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) {
        pthread_mutex_lock(&lock);
        fault_file->tracked = track(path, fault_file->real);
        pthread_mutex_unlock(&lock);
    }
    file->pMethods = &methods;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *self, const char *path, int sync_folder) {
    (void)self;
    int code = decide(FAULT_WRITES, SQLITE_IOERR_DELETE);
    if (code != SQLITE_OK)
        return code;
    pthread_mutex_lock(&lock);
    struct tracked *tracked = find(path);
    if (tracked)
        forget(tracked);
    pthread_mutex_unlock(&lock);
    return system_vfs()->xDelete(system_vfs(), path, sync_folder);
}

void fault_vfs_register(void) {
    if (sqlite3_vfs_find(FAULT_VFS))
        return;
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    assert(real);
    vfs = *real; /* time, randomness, names and the rest are the system's */
    vfs.pNext = NULL;
    vfs.zName = FAULT_VFS;
    vfs.pAppData = real;
    vfs.szOsFile = sizeof(struct fault_file);
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    int code = sqlite3_vfs_register(&vfs, 0);
    assert(code == SQLITE_OK);
}

void fault_vfs_arm(const struct fault *fault) {
    for (int i = 0; i < MAX_FILES; i++)
        forget(&files[i]);
    armed = *fault;
    atomic_store(&counted, 0);
    atomic_store(&met, false);
}

int fault_vfs_count(void) {
    return atomic_load(&counted);
}

bool fault_vfs_met(void) {
    return atomic_load(&met);
}

static uint32_t draw(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

/* Half of the unsynced changes arrive, a quarter of those torn: only some of their sectors. */
static void settle(struct tracked *tracked, uint64_t *state) {
    for (struct change *change = tracked->first; change; change = change->next) {
        if (draw(state) % 2)
            continue;
        if (change->truncates || draw(state) % 4) {
            apply(tracked, change->truncates, change->offset, change->data, change->length);
            continue;
        }
        for (int at = 0; at < change->length; at += SECTOR) {
            int length = change->length - at < SECTOR ? change->length - at : SECTOR;
            if (draw(state) % 2)
                apply(tracked, false, change->offset + at, change->data + at, length);
        }
    }
}

void fault_vfs_cut_power(unsigned seed) {
    uint64_t state = seed;
    for (int i = 0; i < MAX_FILES; i++) {
        if (!files[i].path[0])
            continue;
        settle(&files[i], &state);
        int fd = open(files[i].path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
        assert(fd >= 0 && (files[i].durable_length == 0 ||
                           write(fd, files[i].durable, (size_t)files[i].durable_length) == files[i].durable_length));
        close(fd);
        forget(&files[i]);
    }
}
