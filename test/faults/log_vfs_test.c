/* The layer that gathers the ledger's writes to its log: nobody can see that it does, and what it lost stays lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engines/sqlite/log_vfs.h"
#include "fault_vfs.h"

struct log {
    char folder[64], database[96], path[96];
    sqlite3_vfs *vfs;
    sqlite3_file *file, *below; /* the same file through the layer and, as another connection has it, without */
};

static void make_log(struct log *log, const struct fault *fault) {
    fault_vfs_register();
    fault_vfs_arm(fault);
    snprintf(log->folder, sizeof log->folder, "/tmp/onsale-log-XXXXXX");
    assert_non_null(mkdtemp(log->folder));
    snprintf(log->database, sizeof log->database, "%s/x", log->folder);
    snprintf(log->path, sizeof log->path, "%s/x-wal", log->folder);
    FILE *database = fopen(log->database, "wb"); /* whose mode a log takes over */
    assert_non_null(database);
    fclose(database);
    const char *name = log_vfs_over(FAULT_VFS);
    assert_non_null(name);
    log->vfs = sqlite3_vfs_find(name);
    sqlite3_vfs *below = sqlite3_vfs_find(NULL);
    log->file = calloc(1, (size_t)log->vfs->szOsFile);
    log->below = calloc(1, (size_t)below->szOsFile);
    int flags = SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    assert_int_equal(log->vfs->xOpen(log->vfs, log->path, log->file, flags, NULL), SQLITE_OK);
    assert_int_equal(below->xOpen(below, log->path, log->below, flags, NULL), SQLITE_OK);
}

static void remove_log(struct log *log) {
    log->below->pMethods->xClose(log->below);
    log->file->pMethods->xClose(log->file);
    free(log->file);
    free(log->below);
    unlink(log->path);
    unlink(log->database);
    assert_int_equal(rmdir(log->folder), 0);
}

static int write_log(struct log *log, const char *text, int times, sqlite3_int64 offset) {
    int length = (int)strlen(text);
    for (int i = 0; i < times; i++) {
        int code = log->file->pMethods->xWrite(log->file, text, length, offset + (sqlite3_int64)i * length);
        if (code != SQLITE_OK)
            return code;
    }
    return SQLITE_OK;
}

static sqlite3_int64 size_below(struct log *log) {
    sqlite3_int64 size = -1;
    assert_int_equal(log->below->pMethods->xFileSize(log->below, &size), SQLITE_OK);
    return size;
}

static void writes_that_follow_each_other_arrive_as_one(void **state) {
    /* red when: every write is passed on, or the sync does not wait for what is gathered */
    (void)state;
    struct log log;
    make_log(&log, &(struct fault){FAULT_WRITES, 1000, true, SQLITE_IOERR});
    assert_int_equal(write_log(&log, "abcd", 1000, 0), SQLITE_OK);
    assert_int_equal(fault_vfs_count(), 0);
    assert_int_equal(size_below(&log), 0);
    assert_int_equal(log.file->pMethods->xSync(log.file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_int_equal(fault_vfs_count(), 2); /* a write and a sync */
    assert_int_equal(size_below(&log), 4000);
    remove_log(&log);
}

static void whoever_asks_the_layer_sees_what_was_written(void **state) {
    /* red when: reading, measuring or cutting does not wait, a write in between goes to the wrong place, or a full
     * buffer loses something */
    (void)state;
    struct log log;
    char read[9] = "";
    sqlite3_int64 size = 0;
    make_log(&log, &(struct fault){0});
    assert_int_equal(write_log(&log, "abcdefgh", 20000, 0), SQLITE_OK); /* more than is gathered at once */
    assert_int_equal(log.file->pMethods->xFileSize(log.file, &size), SQLITE_OK);
    assert_int_equal(size, 160000);
    assert_int_equal(write_log(&log, "XY", 1, 8), SQLITE_OK);
    assert_int_equal(write_log(&log, "Z", 1, 10), SQLITE_OK);
    assert_int_equal(write_log(&log, "END", 1, 160000), SQLITE_OK);
    assert_int_equal(log.file->pMethods->xRead(log.file, read, 8, 8), SQLITE_OK);
    assert_string_equal(read, "XYZdefgh");
    for (sqlite3_int64 at = 16; at < 160000; at += 8) {
        assert_int_equal(log.file->pMethods->xRead(log.file, read, 8, at), SQLITE_OK);
        assert_string_equal(read, "abcdefgh");
    }
    assert_int_equal(write_log(&log, "tail", 1, 160003), SQLITE_OK);
    assert_int_equal(log.file->pMethods->xTruncate(log.file, 4), SQLITE_OK);
    assert_int_equal(size_below(&log), 4);
    remove_log(&log);
}

static void one_large_write_goes_through(void **state) {
    /* red when: a write that is larger than the buffer overruns it, or is out of its order */
    (void)state;
    static char large[100000], read[100003];
    struct log log;
    memset(large, 'L', sizeof large);
    make_log(&log, &(struct fault){0});
    assert_int_equal(write_log(&log, "abc", 1, 0), SQLITE_OK);
    assert_int_equal(log.file->pMethods->xWrite(log.file, large, sizeof large, 2), SQLITE_OK);
    assert_int_equal(log.file->pMethods->xRead(log.file, read, 100002, 0), SQLITE_OK);
    assert_memory_equal(read, "abL", 3);
    assert_int_equal(read[100001], 'L');
    remove_log(&log);
}

static void what_could_not_be_written_is_never_synced_over(void **state) {
    /* red when: a failure is told once and then forgotten, although what was gathered is gone */
    (void)state;
    struct log log;
    char read[4];
    sqlite3_int64 size;
    make_log(&log, &(struct fault){FAULT_WRITES, 1, true, SQLITE_FULL});
    assert_int_equal(write_log(&log, "abcd", 10, 0), SQLITE_OK);
    assert_int_equal(log.file->pMethods->xSync(log.file, SQLITE_SYNC_NORMAL), SQLITE_FULL);
    assert_int_equal(log.file->pMethods->xSync(log.file, SQLITE_SYNC_NORMAL), SQLITE_FULL);
    assert_int_equal(write_log(&log, "abcd", 1, 0), SQLITE_FULL);
    assert_int_equal(log.file->pMethods->xRead(log.file, read, 4, 0), SQLITE_FULL);
    assert_int_equal(log.file->pMethods->xFileSize(log.file, &size), SQLITE_FULL);
    assert_int_equal(log.file->pMethods->xTruncate(log.file, 0), SQLITE_FULL);
    assert_int_equal(size_below(&log), 0);
    remove_log(&log);
}

static void a_layer_is_made_once_over_each_vfs(void **state) {
    /* red when: every opening registers another one, or two share one */
    (void)state;
    fault_vfs_register();
    const char *over_system = log_vfs_over(NULL), *over_fault = log_vfs_over(FAULT_VFS);
    assert_ptr_equal(log_vfs_over(NULL), over_system);
    assert_ptr_equal(log_vfs_over(FAULT_VFS), over_fault);
    assert_string_not_equal(over_system, over_fault);
    assert_null(log_vfs_over("no such vfs"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_that_follow_each_other_arrive_as_one),
        cmocka_unit_test(whoever_asks_the_layer_sees_what_was_written),
        cmocka_unit_test(one_large_write_goes_through),
        cmocka_unit_test(what_could_not_be_written_is_never_synced_over),
        cmocka_unit_test(a_layer_is_made_once_over_each_vfs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
