/* The sandbox as a child process of `onsale serve`: started with the server, started again where it dies, ended with
 * it. It dies with its parent, however that ends. Main thread only (a child is told of the death of the thread that
 * made it). */
#ifndef ONSALE_COMMANDS_GATEWAY_CHILD_H
#define ONSALE_COMMANDS_GATEWAY_CHILD_H

#include "base/result.h"

#include <stdint.h>
#include <sys/types.h>

struct gateway_child {
    pid_t pid; /* 0: none runs */
    int64_t started_ms;
    int64_t wait_ms; /* before the next start, since the last ones came to nothing */
    int64_t again_ms;
    char folder[3200];
    char address[80]; /* "127.0.0.1:port" */
};

/* Starts it on `folder` and waits until it says where it listens. `fault`: what went wrong. */
MUST_USE enum result gateway_child_start(const char *folder, struct gateway_child *child, char *fault,
                                         size_t fault_size);
/* Starts it again at the same address if it has ended: at once, or ever more rarely where it does not come to run. */
void gateway_child_watch(struct gateway_child *child);
void gateway_child_stop(struct gateway_child *child);

#endif
