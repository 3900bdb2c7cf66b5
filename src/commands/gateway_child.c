#include "commands/gateway_child.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_TRIES 100 /* of 100 ms */
#define STOP_TRIES 50
#define RAN_WELL_MS 1000 /* a child that ends sooner than this cannot start, and is tried ever more rarely */
#define FIRST_WAIT_MS 200
#define LONGEST_WAIT_MS 10000

static pid_t spawn(const struct gateway_child *child) {
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Ctrl-C is for the server: payments under way are still to be finished while it stops. */
    setpgid(0, 0);
    if (getppid() != parent)
        _exit(1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execl("/proc/self/exe", "onsale", "sandbox", "--listen", child->address, "--data", child->folder, (char *)NULL);
    _exit(127);
}

static bool read_address(struct gateway_child *child) {
    char path[3300];
    struct buffer text;
    bool found = false;
    snprintf(path, sizeof path, "%s/listen.json", child->folder);
    buffer_init(&text, 4096);
    if (file_read(path, &text) == RESULT_OK) {
        char detail[100];
        json_t *document;
        if (json_parse(buffer_bytes(&text), &document, detail, sizeof detail) == RESULT_OK) {
            const char *address = json_string_value(json_object_get(document, "sandbox"));
            found =
                address && snprintf(child->address, sizeof child->address, "%s", address) < (int)sizeof child->address;
            json_decref(document);
        }
    }
    buffer_release(&text);
    return found;
}

static bool has_ended(const struct gateway_child *child) {
    int status;
    return child->pid > 0 && waitpid(child->pid, &status, WNOHANG) == child->pid;
}

/* An earlier server's sandbox may still be ending. */
static enum result wait_for_folder(const char *folder) {
    int lock;
    enum result result = folder_lock(folder, &lock);
    for (int i = 0; i < START_TRIES && result == RESULT_IN_USE; i++) {
        usleep(100000);
        result = folder_lock(folder, &lock);
    }
    if (result == RESULT_OK)
        close(lock);
    return result;
}

enum result gateway_child_start(const char *folder, struct gateway_child *child, char *fault, size_t fault_size) {
    char path[3300];
    snprintf(child->folder, sizeof child->folder, "%s/sandbox", folder);
    snprintf(child->address, sizeof child->address, "127.0.0.1:0");
    if (folder_make(child->folder) != RESULT_OK) {
        snprintf(fault, fault_size, "cannot make '%s': %s", child->folder, strerror(errno));
        return RESULT_IO_ERROR;
    }
    if (wait_for_folder(child->folder) != RESULT_OK) {
        snprintf(fault, fault_size, "cannot take '%s': %s", child->folder,
                 errno == EWOULDBLOCK ? "another sandbox runs on it; stop that one first" : strerror(errno));
        return RESULT_IO_ERROR;
    }
    snprintf(path, sizeof path, "%s/listen.json", child->folder);
    unlink(path);
    child->started_ms = clock_monotonic_us() / 1000;
    child->pid = spawn(child);
    for (int i = 0; i < START_TRIES && child->pid > 0; i++) {
        if (read_address(child))
            return RESULT_OK;
        usleep(100000);
        if (has_ended(child))
            child->pid = 0;
    }
    snprintf(fault, fault_size, "the payment sandbox does not start on '%s'; its own words are above", child->folder);
    gateway_child_stop(child);
    return RESULT_IO_ERROR;
}

void gateway_child_watch(struct gateway_child *child) {
    int64_t now_ms = clock_monotonic_us() / 1000;
    if (has_ended(child)) {
        child->pid = 0;
        bool ran_well = now_ms - child->started_ms >= RAN_WELL_MS;
        child->wait_ms = ran_well ? 0 : child->wait_ms ? 2 * child->wait_ms : FIRST_WAIT_MS;
        if (child->wait_ms > LONGEST_WAIT_MS)
            child->wait_ms = LONGEST_WAIT_MS;
        child->again_ms = now_ms + child->wait_ms;
        log_error("the payment sandbox has ended; it is started again", LOG_INT("in_milliseconds", child->wait_ms));
    }
    if (child->pid <= 0 && child->address[0] && now_ms >= child->again_ms) {
        child->started_ms = now_ms;
        child->pid = spawn(child);
    }
}

void gateway_child_stop(struct gateway_child *child) {
    if (child->pid <= 0)
        return;
    kill(child->pid, SIGTERM);
    for (int i = 0; i < STOP_TRIES; i++) {
        if (has_ended(child)) {
            child->pid = 0;
            return;
        }
        usleep(20000);
    }
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
    child->pid = 0;
}
