#include "commands/gateway_child.h"
#include "base/files.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define START_TRIES 100 /* of 100 ms */

/* Valid until the child moves. */
struct arguments {
    const char *of[8];
};

static struct arguments arguments_of(struct gateway_child *child) {
    return (struct arguments){{"onsale", "sandbox", "--listen", child->address, "--data", child->folder, NULL}};
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
    child_start(&child->process, arguments_of(child).of);
    for (int i = 0; i < START_TRIES && child->process.pid > 0; i++) {
        if (read_address(child))
            return RESULT_OK;
        usleep(100000);
        (void)child_has_ended(&child->process);
    }
    snprintf(fault, fault_size, "the payment sandbox does not start on '%s'; its own words are above", child->folder);
    gateway_child_stop(child);
    return RESULT_IO_ERROR;
}

void gateway_child_watch(struct gateway_child *child) {
    if (child->address[0])
        child_watch(&child->process, "the payment sandbox", arguments_of(child).of);
}

void gateway_child_stop(struct gateway_child *child) {
    child_stop(&child->process);
}
