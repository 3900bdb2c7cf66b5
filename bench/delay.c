/* onsale-delay: a line to a server that takes its time. What clients send passes at once, what the server answers is
 * held back, so that every answer takes so long as if the server were far away and otherwise idle.
 *
 *     onsale-delay --server HOST:PORT --delay MS
 *
 * Prints {"address":"127.0.0.1:PORT"} when it listens; ends when its standard input does.
 *
 * Happy path: a client connects → a connection of its own to the server is made for it → bytes from the client go on as
 * they come → bytes from the server stand in one queue, in the order in which they came, until they are due.
 *
 * What can go wrong: either side closes, and both are closed, what is still held back for the client with them.
 */
#include "bench/herd.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINES_MAX 4096 /* in all; none is used again, so that what is held back never meets another */
#define MILLISECOND_NS 1000000LL

struct line;

struct end {
    struct line *line;
    int descriptor;
};

struct line {
    struct end client, server;
    bool is_open;
};

struct held {
    struct held *next;
    struct line *line;
    int64_t due_ns;
    size_t length;
    char bytes[];
};

static struct delay {
    const char *host;
    uint16_t port;
    int64_t delay_ns;
    int epoll, listener;
    struct line lines[LINES_MAX];
    size_t line_count;
    struct held *first, **last;
} delay;

_Noreturn static void fail(const char *what) {
    fprintf(stderr, "onsale-delay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void line_close(struct line *line) {
    if (!line->is_open)
        return;
    line->is_open = false;
    close(line->client.descriptor);
    close(line->server.descriptor);
}

static void pass_on(struct line *line, int descriptor, const char *bytes, size_t length) {
    /* A payment call is far shorter than a socket's buffer, and each line has one at a time. */
    if (line->is_open && send(descriptor, bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
        line_close(line);
}

static void hold_back(struct line *line, const char *bytes, size_t length) {
    struct held *held = herd_realloc(NULL, sizeof *held + length);
    *held = (struct held){.line = line, .due_ns = herd_now_ns() + delay.delay_ns, .length = length};
    memcpy(held->bytes, bytes, length);
    *delay.last = held;
    delay.last = &held->next;
}

static void let_go(void) {
    int64_t now_ns = herd_now_ns();
    while (delay.first && delay.first->due_ns <= now_ns) {
        struct held *held = delay.first;
        delay.first = held->next;
        if (!delay.first)
            delay.last = &delay.first;
        pass_on(held->line, held->line->client.descriptor, held->bytes, held->length);
        free(held);
    }
}

static void read_end(struct end *end) {
    static char bytes[1 << 16];
    struct line *line = end->line;
    if (!line->is_open)
        return;
    ssize_t n = recv(end->descriptor, bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        line_close(line);
    else if (end == &line->client)
        pass_on(line, line->server.descriptor, bytes, (size_t)n);
    else
        hold_back(line, bytes, (size_t)n);
}

static void watch(int descriptor, void *context) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = context};
    if (epoll_ctl(delay.epoll, EPOLL_CTL_ADD, descriptor, &event) != 0)
        fail("cannot watch a socket");
}

static void take_client(void) {
    int on = 1, client = accept4(delay.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0)
        return;
    int server = herd_connect(delay.host, delay.port);
    if (server < 0 || delay.line_count == LINES_MAX || fcntl(server, F_SETFL, O_NONBLOCK) != 0 ||
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        fail("cannot reach the server");
    struct line *line = &delay.lines[delay.line_count++];
    *line = (struct line){.client = {line, client}, .server = {line, server}, .is_open = true};
    watch(client, &line->client);
    watch(server, &line->server);
}

/* False when standard input is at its end. */
static bool wait_once(void) {
    struct epoll_event events[256];
    int64_t wait_ns = delay.first ? delay.first->due_ns - herd_now_ns() : -1;
    struct timespec wait = {.tv_nsec = wait_ns > 0 ? wait_ns % (1000 * MILLISECOND_NS) : 0,
                            .tv_sec = wait_ns > 0 ? wait_ns / (1000 * MILLISECOND_NS) : 0};
    int count = epoll_pwait2(delay.epoll, events, 256, delay.first ? &wait : NULL, NULL);
    for (int i = 0; i < count; i++) {
        char byte;
        if (events[i].data.ptr == &delay.listener)
            take_client();
        else if (events[i].data.ptr)
            read_end(events[i].data.ptr);
        else if (read(STDIN_FILENO, &byte, 1) <= 0)
            return false;
    }
    let_go();
    return true;
}

static void begin_listening(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    delay.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (delay.listener < 0 || bind(delay.listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(delay.listener, SOMAXCONN) != 0 ||
        getsockname(delay.listener, (struct sockaddr *)&address, &length) != 0)
        fail("cannot listen");
    watch(delay.listener, &delay.listener);
    printf("{\"address\":\"127.0.0.1:%u\"}\n", ntohs(address.sin_port));
    fflush(stdout);
}

int main(int count, char **words) {
    if (count != 5 || strcmp(words[1], "--server") != 0 || !herd_read_address(words[2], &delay.host, &delay.port) ||
        strcmp(words[3], "--delay") != 0) {
        fputs("usage: onsale-delay --server HOST:PORT --delay MS\n", stderr);
        return 2;
    }
    delay.delay_ns = strtol(words[4], NULL, 10) * MILLISECOND_NS;
    delay.last = &delay.first;
    delay.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (delay.epoll < 0)
        fail("cannot begin");
    watch(STDIN_FILENO, NULL);
    begin_listening();
    while (wait_once())
        continue;
    return 0;
}
