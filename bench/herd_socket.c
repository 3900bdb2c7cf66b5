/* What every load generator needs: a clock, memory, and a connection to where it is told. */
#include "bench/herd.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000LL

int64_t herd_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

void *herd_realloc(void *old, size_t bytes) {
    void *grown = realloc(old, bytes);
    if (!grown) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    return grown;
}

int herd_connect(const char *host, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return -1;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (descriptor < 0)
        return -1;
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

bool herd_read_address(char *value, const char **host, uint16_t *port) {
    char *colon = strrchr(value, ':');
    if (!colon)
        return false;
    *colon = 0;
    *host = value;
    *port = (uint16_t)strtoul(colon + 1, NULL, 10);
    return *port > 0;
}
