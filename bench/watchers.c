/* onsale-watchers: WebSockets that watch, all in one process. Prints a JSON line when each has had its first frame,
 * goes on reading until its standard input ends, and prints another.
 *
 *     onsale-watchers --server HOST:PORT --path PATH [--connections N] [--marks seats:N | --marks issued:N]
 *
 * --marks  what the frames show is set at known times by who drives the bench (bench/marks.h): the last line tells of
 *          each mark how many have seen it, and when half and the last of them did.
 *
 * What can go wrong: a handshake that is not answered with 101, a connection that is lost, or a frame that is not what
 * marks are read from, ends the program with 1.
 */
#include "bench/herd.h"
#include "bench/marks.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES                                                                                                     \
    512 /* of the answer to a handshake, at most; of a frame's head far less, and as much of its body                  \
         */
#define FIRST_FRAMES_NS 60000000000LL

struct watcher {
    int descriptor;
    bool is_open;     /* the handshake is done */
    uint16_t pending; /* bytes in `head`: of a head, or of the body that is being read */
    uint32_t mark;    /* the latest that it was shown */
    uint64_t left;    /* of the frame that is being read */
    uint64_t frames;  /* whose end was seen */
    char head[HEAD_BYTES];
};

static struct watchers {
    const char *host, *path;
    uint16_t port;
    uint32_t count;
    struct watcher *of;
    int epoll;
    uint64_t frames, bytes;
    uint32_t served; /* had a frame */
    struct marks marks;
} watchers;

_Noreturn static void fail(const char *what) {
    fprintf(stderr, "onsale-watchers: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- one connection --- */

/* How long the head at the beginning of `head` is, and the payload behind it; 0: not whole yet. */
static size_t frame_head(const struct watcher *watcher, uint64_t *payload) {
    const unsigned char *head = (const unsigned char *)watcher->head;
    if (watcher->pending < 2)
        return 0;
    unsigned length = head[1] & 0x7f, more = length == 127 ? 8 : length == 126 ? 2 : 0;
    if (watcher->pending < 2 + more)
        return 0;
    *payload = more ? 0 : length;
    for (unsigned i = 0; i < more; i++)
        *payload = *payload << 8 | head[2 + i];
    return 2 + more;
}

static void end_frame(struct watcher *watcher) {
    uint32_t latest = watcher->mark;
    if (watchers.marks.kind && !marks_read(&watchers.marks, watcher->head, watcher->pending, &latest))
        fail("a frame makes no sense");
    if (watcher->frames > 0) /* what was so before is not seen to come */
        marks_seen(&watchers.marks, watcher->mark, latest);
    watcher->mark = latest;
    watcher->pending = 0;
    watchers.served += watcher->frames++ == 0;
    watchers.frames++;
}

static void take_body(struct watcher *watcher, const char *bytes, size_t count) {
    size_t room = HEAD_BYTES - (size_t)watcher->pending, kept = count < room ? count : room;
    memcpy(watcher->head + watcher->pending, bytes, kept);
    watcher->pending += (uint16_t)kept;
    watcher->left -= count;
    if (watcher->left == 0)
        end_frame(watcher);
}

static bool handshake_is_whole(const struct watcher *watcher) {
    bool is_whole = watcher->pending >= 4 && memcmp(watcher->head + watcher->pending - 4, "\r\n\r\n", 4) == 0;
    if (is_whole && memcmp(watcher->head, "HTTP/1.1 101 ", 13) != 0)
        fail("a handshake was refused");
    return is_whole;
}

static void take_byte(struct watcher *watcher, char byte) {
    if (watcher->pending == HEAD_BYTES)
        fail("a head is too long");
    watcher->head[watcher->pending++] = byte;
    if (!watcher->is_open) {
        if (handshake_is_whole(watcher)) {
            watcher->is_open = true;
            watcher->pending = 0;
        }
    } else if (frame_head(watcher, &watcher->left)) {
        watcher->pending = 0;
        if (watcher->left == 0)
            end_frame(watcher);
    }
}

static void read_watcher(struct watcher *watcher) {
    static char bytes[1 << 16];
    ssize_t n = recv(watcher->descriptor, bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        fail("a connection was lost");
    watchers.bytes += (uint64_t)n;
    for (size_t at = 0; at < (size_t)n;) {
        if (watcher->left == 0) {
            take_byte(watcher, bytes[at++]);
            continue;
        }
        uint64_t some = (size_t)n - at < watcher->left ? (size_t)n - at : watcher->left;
        take_body(watcher, bytes + at, some);
        at += some;
    }
}

static void open_watcher(struct watcher *watcher) {
    char request[HERD_REQUEST_BYTES];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                          watchers.path, watchers.host);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watcher};
    watcher->descriptor = herd_connect(watchers.host, watchers.port);
    if (watcher->descriptor < 0 || send(watcher->descriptor, request, (size_t)length, MSG_NOSIGNAL) != length ||
        fcntl(watcher->descriptor, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(watchers.epoll, EPOLL_CTL_ADD, watcher->descriptor, &event) != 0)
        fail("a connection cannot be opened");
}

/* --- the run --- */

/* False when standard input is at its end. */
static bool wait_once(int wait_ms) {
    struct epoll_event events[256];
    int count = epoll_wait(watchers.epoll, events, 256, wait_ms);
    for (int i = 0; i < count; i++) {
        char byte;
        if (events[i].data.ptr)
            read_watcher(events[i].data.ptr);
        else if (read(STDIN_FILENO, &byte, 1) <= 0)
            return false;
    }
    return true;
}

static void report(void) {
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < watchers.count; i++)
        if (watchers.of[i].frames < least)
            least = watchers.of[i].frames;
    printf("{\"watching\":%u,\"frames\":%llu,\"least_frames\":%llu,\"bytes\":%llu", watchers.served,
           (unsigned long long)watchers.frames, (unsigned long long)least, (unsigned long long)watchers.bytes);
    if (watchers.marks.kind)
        marks_print(&watchers.marks);
    puts("}");
    fflush(stdout);
}

static bool read_options(int count, char **words) {
    for (int i = 1; i + 1 < count; i += 2) {
        if (strcmp(words[i], "--path") == 0)
            watchers.path = words[i + 1];
        else if (strcmp(words[i], "--connections") == 0)
            watchers.count = (uint32_t)strtoul(words[i + 1], NULL, 10);
        else if (strcmp(words[i], "--marks") == 0 && !marks_read_option(&watchers.marks, words[i + 1]))
            return false;
        else if (strcmp(words[i], "--marks") == 0)
            continue;
        else if (strcmp(words[i], "--server") != 0 || !herd_read_address(words[i + 1], &watchers.host, &watchers.port))
            return false;
    }
    return count % 2 == 1 && watchers.host && watchers.path && strlen(watchers.path) < HERD_REQUEST_BYTES / 2 &&
           watchers.count >= 1 && watchers.count <= HERD_CONNECTIONS_MAX;
}

int main(int count, char **words) {
    watchers.count = 1000;
    if (!read_options(count, words)) {
        fputs("usage: onsale-watchers --server HOST:PORT --path PATH [--connections N] "
              "[--marks seats:N | --marks issued:N]\n",
              stderr);
        return 2;
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    struct epoll_event input = {.events = EPOLLIN};
    watchers.epoll = epoll_create1(EPOLL_CLOEXEC);
    watchers.of = calloc(watchers.count, sizeof *watchers.of);
    marks_init(&watchers.marks, watchers.count);
    if (watchers.epoll < 0 || !watchers.of || epoll_ctl(watchers.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0)
        fail("cannot begin");
    for (uint32_t i = 0; i < watchers.count; i++) {
        open_watcher(&watchers.of[i]);
        (void)wait_once(0);
    }
    int64_t late_ns = herd_now_ns() + FIRST_FRAMES_NS;
    while (watchers.served < watchers.count)
        if (!wait_once(100) || herd_now_ns() > late_ns)
            fail("not all have had a frame");
    report();
    while (wait_once(1000))
        continue;
    report();
    marks_release(&watchers.marks);
    free(watchers.of);
    return 0;
}
