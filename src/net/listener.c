/* Opening a socket that listens. Several may share one address (SO_REUSEPORT): the kernel then deals new connections
 * out among them, one socket a reactor, without a lock between the reactors. */
#include "net/reactor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* "127.0.0.1:8080" or "[::1]:8080". */
static bool parse_address(struct bytes text, union address *address, socklen_t *length) {
    size_t colon = text.length;
    while (colon && text.at[colon - 1] != ':')
        colon--;
    uint64_t port;
    if (colon < 2 || !bytes_to_u64((struct bytes){text.at + colon, text.length - colon}, 65535, &port))
        return false;
    struct bytes host = {text.at, colon - 1};
    bool is_v6 = host.length > 2 && host.at[0] == '[' && host.at[host.length - 1] == ']';
    if (is_v6)
        host = (struct bytes){host.at + 1, host.length - 2};
    char name[INET6_ADDRSTRLEN];
    if (host.length >= sizeof name)
        return false;
    memcpy(name, host.at, host.length);
    name[host.length] = 0;
    memset(address, 0, sizeof *address);
    if (is_v6) {
        address->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        *length = sizeof address->v6;
        return inet_pton(AF_INET6, name, &address->v6.sin6_addr) == 1;
    }
    address->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    *length = sizeof address->v4;
    return inet_pton(AF_INET, name, &address->v4.sin_addr) == 1;
}

static bool set(int fd, int level, int option) {
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

enum result listener_open(const char *address, int *fd, uint16_t *port) {
    union address bound;
    socklen_t length;
    if (!parse_address(bytes_of(address), &bound, &length))
        return RESULT_INVALID_FIELD;
    int opened = socket(bound.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (opened < 0)
        return RESULT_IO_ERROR;
    /* TCP_NODELAY goes over to every accepted socket: an answer is one send and has nothing to wait for. */
    if (!set(opened, SOL_SOCKET, SO_REUSEADDR) || !set(opened, SOL_SOCKET, SO_REUSEPORT) ||
        !set(opened, IPPROTO_TCP, TCP_NODELAY) || bind(opened, &bound.any, length) < 0 || listen(opened, BACKLOG) < 0 ||
        getsockname(opened, &bound.any, &length) < 0) {
        enum result result = errno == EADDRINUSE ? RESULT_IN_USE : RESULT_IO_ERROR;
        int why = errno;
        close(opened);
        errno = why;
        return result;
    }
    *port = ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
    *fd = opened;
    return RESULT_OK;
}

bool listener_is_taken(const char *address) {
    union address bound;
    socklen_t length;
    if (!parse_address(bytes_of(address), &bound, &length))
        return false;
    int probe = socket(bound.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return false;
    /* Without SO_REUSEPORT the address is not shared; SO_REUSEADDR lets pass what only lingers there. */
    bool taken = set(probe, SOL_SOCKET, SO_REUSEADDR) && bind(probe, &bound.any, length) < 0 && errno == EADDRINUSE;
    close(probe);
    return taken;
}
