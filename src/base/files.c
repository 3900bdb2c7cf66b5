#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum result file_read(const char *path, struct buffer *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? RESULT_NOT_FOUND : RESULT_IO_ERROR;
    char chunk[16 * 1024];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        buffer_add(out, chunk, (size_t)n);
    int read_errno = errno;
    close(fd);
    errno = read_errno;
    if (n < 0)
        return RESULT_IO_ERROR;
    return buffer_ok(out) ? RESULT_OK : RESULT_BODY_TOO_LARGE;
}

enum result folder_sync(const char *folder) {
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return RESULT_IO_ERROR;
    int failed = fsync(fd);
    int sync_errno = errno;
    close(fd);
    errno = sync_errno;
    return failed ? RESULT_IO_ERROR : RESULT_OK;
}

static enum result write_and_sync(int fd, struct bytes content) {
    while (content.length) {
        ssize_t n = write(fd, content.at, content.length);
        if (n < 0)
            return RESULT_IO_ERROR;
        content.at += n;
        content.length -= (size_t)n;
    }
    return fsync(fd) ? RESULT_IO_ERROR : RESULT_OK;
}

enum result file_write_atomically(const char *path, struct bytes content, unsigned mode) {
    char fresh[PATH_MAX];
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh) {
        errno = ENAMETOOLONG;
        return RESULT_IO_ERROR;
    }
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return RESULT_IO_ERROR;
    enum result result = write_and_sync(fd, content);
    int write_errno = errno;
    close(fd);
    if (result == RESULT_OK && rename(fresh, path)) {
        write_errno = errno;
        result = RESULT_IO_ERROR;
    }
    if (result != RESULT_OK) {
        unlink(fresh);
        errno = write_errno;
        return result;
    }
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    return folder_sync(folder);
}

enum result folder_make(const char *path) {
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof part) {
        errno = length ? ENAMETOOLONG : ENOENT;
        return RESULT_IO_ERROR;
    }
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) && errno != EEXIST)
            return RESULT_IO_ERROR;
    }
    struct stat status;
    if (stat(path, &status))
        return RESULT_IO_ERROR;
    if (!S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
        return RESULT_IO_ERROR;
    }
    return RESULT_OK;
}

enum result folder_lock(const char *folder, int *fd) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/lock", folder) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return RESULT_IO_ERROR;
    }
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0)
        return RESULT_IO_ERROR;
    if (flock(lock, LOCK_EX | LOCK_NB)) {
        int lock_errno = errno;
        close(lock);
        errno = lock_errno;
        return lock_errno == EWOULDBLOCK ? RESULT_IN_USE : RESULT_IO_ERROR;
    }
    *fd = lock;
    return RESULT_OK;
}
