#include "net_system.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

struct net_system net_system;
static _Thread_local bool is_reactor;

ssize_t __real_send(int fd, const void *data, size_t length, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __real_recv(int fd, void *data, size_t length, int flags);
int __real_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
void *__real_malloc(size_t size);
void *__real_realloc(void *at, size_t size);
ssize_t __wrap_send(int fd, const void *data, size_t length, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t length, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *at, size_t size);

/* True if this is the call that is to fail. */
static bool counts_down(atomic_int *countdown) {
    int left = atomic_load(countdown);
    while (left > 0 && !atomic_compare_exchange_weak(countdown, &left, left - 1))
        continue;
    return left == 1;
}

static bool send_fails(void) {
    atomic_fetch_add(&net_system.sends, 1);
    bool fails = counts_down(&net_system.send_to_fail);
    if (fails)
        errno = ECONNRESET;
    return fails;
}

ssize_t __wrap_send(int fd, const void *data, size_t length, int flags) {
    if (!is_reactor)
        return __real_send(fd, data, length, flags);
    if (send_fails())
        return -1;
    size_t most = atomic_load(&net_system.most_of_one_send);
    return __real_send(fd, data, most && length > most ? most : length, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags) {
    if (send_fails())
        return -1;
    size_t most = atomic_load(&net_system.most_of_one_send);
    if (!most)
        return __real_sendmsg(fd, message, flags);
    size_t length = message->msg_iov[0].iov_len;
    return __real_send(fd, message->msg_iov[0].iov_base, length > most ? most : length, flags);
}

ssize_t __wrap_recv(int fd, void *data, size_t length, int flags) {
    if (!is_reactor)
        return __real_recv(fd, data, length, flags);
    atomic_fetch_add(&net_system.receives, 1);
    size_t most = atomic_load(&net_system.most_of_one_receive);
    return __real_recv(fd, data, most && length > most ? most : length, flags);
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
    is_reactor = true;
    atomic_fetch_add(&net_system.accepts, 1);
    unsigned left = atomic_load(&net_system.accepts_to_fail);
    if (left) {
        atomic_store(&net_system.accepts_to_fail, left - 1);
        errno = EMFILE;
        return -1;
    }
    return __real_accept4(fd, address, length, flags);
}

static bool allocation_fails(void) {
    if (!is_reactor)
        return false;
    atomic_fetch_add(&net_system.allocations, 1);
    return counts_down(&net_system.allocation_to_fail);
}

void *__wrap_malloc(size_t size) {
    return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *at, size_t size) {
    return allocation_fails() ? NULL : __real_realloc(at, size);
}
