#include "gateway_world.h"
#include "base/hash.h"
#include "base/json.h"
#include "sandbox/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY "sk_test_world"
#define TEXTS 4096
#define START_TRIES 2000 /* of 5 ms */

static char texts[TEXTS][256];
static unsigned next_text;

static char *fresh_text(void) {
    return texts[next_text++ % TEXTS];
}

void gateway_child_main(int count, char **arguments) {
    json_set_up();
    hash_set_up();
    if (count != 5 || strcmp(arguments[1], "sandbox") != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct sandbox_settings settings = {.listen = "127.0.0.1:0",
                                        .folder = arguments[2],
                                        .faults = arguments[3][0] ? arguments[3] : NULL,
                                        .fault_seed = 1,
                                        .clock_offset_s = atoi(arguments[4])};
    exit(sandbox_run(&settings) == RESULT_OK ? 0 : 1);
}

void gateway_file(const struct gateway *gateway, const char *name, char *path, size_t size) {
    snprintf(path, size, "%s/%s", gateway->folder, name);
}

static pid_t spawn(const struct gateway *gateway) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/proc/self/exe", "gateway", "sandbox", gateway->folder, gateway->faults ? gateway->faults : "",
              gateway->clock_offset ? gateway->clock_offset : "0", (char *)NULL);
        _exit(127);
    }
    return pid;
}

void gateway_start(struct gateway *gateway) {
    char path[128];
    gateway_file(gateway, "listen.json", path, sizeof path);
    unlink(path);
    gateway->pid = spawn(gateway);
    json_t *told = NULL;
    for (int i = 0; i < START_TRIES && !told; i++) {
        assert_int_equal(waitpid(gateway->pid, NULL, WNOHANG), 0);
        told = json_load_file(path, 0, NULL);
        usleep(5000);
    }
    assert_non_null(told);
    unsigned port;
    assert_int_equal(sscanf(json_string_value(json_object_get(told, "sandbox")), "127.0.0.1:%u", &port), 1);
    json_decref(told);
    gateway->port = (uint16_t)port;
    snprintf(gateway->url, sizeof gateway->url, "http://127.0.0.1:%u", port);
}

int gateway_start_refused(struct gateway *gateway) {
    int status;
    pid_t pid = spawn(gateway);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

void gateway_kill(struct gateway *gateway) {
    int status;
    kill(gateway->pid, SIGKILL);
    assert_int_equal(waitpid(gateway->pid, &status, 0), gateway->pid);
    gateway->pid = 0;
}

void gateway_stop(struct gateway *gateway) {
    int status;
    kill(gateway->pid, SIGTERM);
    assert_int_equal(waitpid(gateway->pid, &status, 0), gateway->pid);
    gateway->pid = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int gateway_set_up(void **state) {
    struct gateway *gateway = calloc(1, sizeof *gateway);
    snprintf(gateway->folder, sizeof gateway->folder, "/tmp/onsale-sandbox-XXXXXX");
    if (!mkdtemp(gateway->folder))
        return -1;
    gateway_start(gateway);
    *state = gateway;
    return 0;
}

static int delete_entry(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

int gateway_tear_down(void **state) {
    struct gateway *gateway = *state;
    if (gateway->pid)
        gateway_stop(gateway);
    nftw(gateway->folder, delete_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(gateway);
    return 0;
}

static int connect_to(uint16_t port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int begin(const struct gateway *gateway, const char *authorization, const char *request, const char *key,
                 const char *form) {
    char *text = NULL;
    size_t body = form ? strlen(form) : 0;
    int length = asprintf(&text, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s%s%s%s%s%s", request, authorization,
                          authorization[0] ? "\r\n" : "", key ? "Idempotency-Key: " : "", key ? key : "",
                          key ? "\r\n" : "", form ? "" : "\r\n");
    assert_true(length > 0);
    int fd = connect_to(gateway->port);
    assert_int_equal(send(fd, text, (size_t)length, MSG_NOSIGNAL), length);
    free(text);
    if (!form)
        return fd;
    length =
        asprintf(&text, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n%s", body, form);
    assert_true(length > 0);
    assert_int_equal(send(fd, text, (size_t)length, MSG_NOSIGNAL), length);
    free(text);
    return fd;
}

int ask_begin(const struct gateway *gateway, const char *request, const char *key, const char *form) {
    return begin(gateway, "Authorization: Bearer " KEY, request, key, form);
}

struct reply ask_end(int fd) {
    struct reply reply = {0};
    struct buffer text;
    buffer_init(&text, 4 * 1024 * 1024);
    char chunk[16384];
    ssize_t n;
    while ((n = recv(fd, chunk, sizeof chunk, 0)) > 0)
        buffer_add(&text, chunk, (size_t)n);
    close(fd);
    buffer_add_char(&text, '\0');
    const char *body = text.length > 1 ? strstr(text.at, "\r\n\r\n") : NULL;
    if (body) {
        reply.status = atoi(text.at + sizeof "HTTP/1.1");
        snprintf(reply.head, sizeof reply.head, "%.*s", (int)(body + 2 - text.at), text.at);
        reply.body = strdup(body + 4);
        reply.json = json_loads(reply.body, JSON_REJECT_DUPLICATES, NULL);
    }
    buffer_release(&text);
    return reply;
}

struct reply ask_as(const struct gateway *gateway, const char *authorization, const char *request, const char *key,
                    const char *form) {
    return ask_end(begin(gateway, authorization, request, key, form));
}

struct reply ask(const struct gateway *gateway, const char *request, const char *key, const char *form) {
    return ask_end(ask_begin(gateway, request, key, form));
}

bool is_silent(int fd, int ms) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, ms) == 0;
}

void reply_free(struct reply *reply) {
    free(reply->body);
    json_decref(reply->json);
    *reply = (struct reply){0};
}

const char *reply_get(const struct reply *reply, const char *path) {
    const json_t *value = reply->json;
    char *text = fresh_text();
    char name[64];
    for (const char *at = path; *at;) {
        size_t length = strcspn(at, ".");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        value = json_is_array(value) ? json_array_get(value, (size_t)atoi(name)) : json_object_get(value, name);
        at += length + (at[length] == '.');
    }
    if (json_is_integer(value))
        snprintf(text, sizeof texts[0], "%lld", (long long)json_integer_value(value));
    else if (json_is_boolean(value))
        snprintf(text, sizeof texts[0], "%s", json_is_true(value) ? "true" : "false");
    else
        snprintf(text, sizeof texts[0], "%s", json_is_string(value) ? json_string_value(value) : "");
    return text;
}

const char *ask_for(const struct gateway *gateway, int status, const char *path, const char *request,
                    const char *form) {
    struct reply reply = ask(gateway, request, NULL, form);
    if (reply.status != status)
        print_error("%s %s: %s\n", request, form ? form : "", reply.body ? reply.body : "(cut)");
    assert_int_equal(reply.status, status);
    const char *text = path ? reply_get(&reply, path) : "";
    reply_free(&reply);
    return text;
}

const char *on(const char *intent, const char *action) {
    char *text = fresh_text();
    snprintf(text, sizeof texts[0], "%s /v1/payment_intents/%s%s%s", action[0] ? "POST" : "GET", intent,
             action[0] ? "/" : "", action);
    return text;
}

const char *fresh_intent(const struct gateway *gateway) {
    return ask_for(gateway, 200, "id", "POST /v1/payment_intents", "amount=5000&currency=eur&capture_method=manual");
}

const char *confirmed_intent(const struct gateway *gateway, const char *token) {
    char form[300];
    snprintf(form, sizeof form, "payment_method=%s", token);
    return ask_for(gateway, 200, "id", on(fresh_intent(gateway), "confirm"), form);
}
