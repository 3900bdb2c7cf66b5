/* A command of this program as a child process of `onsale serve`: started again where it ends, ended with the server.
 *
 * It dies with its parent, however that ends (PR_SET_PDEATHSIG). Main thread only: a child is told of the death of the
 * thread that made it. */
#ifndef ONSALE_COMMANDS_CHILD_H
#define ONSALE_COMMANDS_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
    pid_t pid; /* 0: none runs */
    int64_t started_ms;
    int64_t wait_ms; /* before the next start, since the last ones came to nothing */
    int64_t again_ms;
};

/* `arguments` as for execv(), from the program's own name on. */
void child_start(struct child *child, const char *const *arguments);
/* True once it has ended, which then is forgotten. */
bool child_has_ended(struct child *child);
/* Starts it again if it has ended: at once, or ever more rarely where it does not come to run. `name` is for the log.
 */
void child_watch(struct child *child, const char *name, const char *const *arguments);
/* SIGTERM, and SIGKILL if that is not enough; waits for its end. */
void child_stop(struct child *child);

#endif
