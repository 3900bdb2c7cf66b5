#include "runtime/bell.h"
#include "base/panic.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum result bell_init(struct bell *bell) {
    bell->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return bell->fd < 0 ? RESULT_IO_ERROR : RESULT_OK;
}

void bell_release(struct bell *bell) {
    close(bell->fd);
}

void bell_ring(void *context) {
    struct bell *bell = context;
    uint64_t one = 1;
    ssize_t written = write(bell->fd, &one, sizeof one);
    assert(written == sizeof one || errno == EAGAIN); /* full: it rings already */
}

void bell_wait(struct bell *bell, int timeout_ms) {
    struct pollfd wanted = {.fd = bell->fd, .events = POLLIN};
    if (poll(&wanted, 1, timeout_ms) > 0) {
        uint64_t rings;
        ssize_t got = read(bell->fd, &rings, sizeof rings);
        (void)got;
    }
}
