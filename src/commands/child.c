#include "commands/child.h"
#include "base/clock.h"
#include "base/log.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_TRIES 50    /* of 20 ms */
#define RAN_WELL_MS 1000 /* a child that ends sooner than this cannot start, and is tried ever more rarely */
#define FIRST_WAIT_MS 200
#define LONGEST_WAIT_MS 10000

static pid_t spawn(const char *const *arguments) {
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Ctrl-C is for the server: what is under way is still to be finished while it stops. */
    setpgid(0, 0);
    if (getppid() != parent)
        _exit(1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv("/proc/self/exe", (char *const *)arguments);
    _exit(127);
}

void child_start(struct child *child, const char *const *arguments) {
    child->started_ms = clock_monotonic_us() / 1000;
    child->pid = spawn(arguments);
}

bool child_has_ended(struct child *child) {
    int status;
    if (child->pid <= 0 || waitpid(child->pid, &status, WNOHANG) != child->pid)
        return false;
    child->pid = 0;
    return true;
}

void child_watch(struct child *child, const char *name, const char *const *arguments) {
    int64_t now_ms = clock_monotonic_us() / 1000;
    if (child_has_ended(child)) {
        bool ran_well = now_ms - child->started_ms >= RAN_WELL_MS;
        child->wait_ms = ran_well ? 0 : child->wait_ms ? 2 * child->wait_ms : FIRST_WAIT_MS;
        if (child->wait_ms > LONGEST_WAIT_MS)
            child->wait_ms = LONGEST_WAIT_MS;
        child->again_ms = now_ms + child->wait_ms;
        char words[100];
        snprintf(words, sizeof words, "%s has ended; it is started again", name);
        log_error(words, LOG_INT("in_milliseconds", child->wait_ms));
    }
    if (child->pid <= 0 && now_ms >= child->again_ms)
        child_start(child, arguments);
}

void child_stop(struct child *child) {
    if (child->pid <= 0)
        return;
    kill(child->pid, SIGTERM);
    for (int i = 0; i < STOP_TRIES; i++) {
        if (child_has_ended(child))
            return;
        usleep(20000);
    }
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
    child->pid = 0;
}
