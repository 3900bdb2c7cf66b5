/* The sandbox as a child process of `onsale serve` (child.h), started with the server, at an address of its own. */
#ifndef ONSALE_COMMANDS_GATEWAY_CHILD_H
#define ONSALE_COMMANDS_GATEWAY_CHILD_H

#include "base/result.h"
#include "commands/child.h"

struct gateway_child {
    struct child process;
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
