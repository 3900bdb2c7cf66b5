/* onsale-pollers: fans who wait, each asking for the queue's status again when the last one told them to, in real time.
 * Prints one JSON line of what came of it.
 *
 *     onsale-pollers --server HOST:PORT --path PATH [--fans N] [--connections N] [--seconds S]
 *
 * The one idea: fans are numbers, connections are few. A fan has a position and the time of their next poll, in a wheel
 * of milliseconds as long as the run; when it comes, the poll goes out on whichever connection is idle.
 *
 * Happy path: the status is read once, and each fan's first poll falls anywhere in the pause that it asks for, as if
 * all had been polling for long. After each answer the fan's next poll is due in retry_after_seconds + N ×
 * poll.per_thousand_ahead_seconds, N being the thousands ahead of them, at most poll.max_seconds, ± 20 % at random.
 * Who has been called has no more to ask.
 *
 * What can go wrong: a lost connection, or an answer that is no status, ends the run; that polls went out late is told.
 */
#include "bench/herd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS_NS 1000000LL
#define FANS_MAX (1U << 24)
#define CONNECTIONS_MAX 1024
#define JITTER 0.2

struct status {
    uint32_t serving;
    double retry_seconds, per_thousand_seconds, most_seconds;
};

struct line {
    int descriptor;
    uint32_t fan; /* who waits for an answer on it; 0: nobody */
    int64_t sent_ns;
    struct reader reader;
    struct line *next_idle;
};

static struct pollers {
    const char *host, *path;
    uint16_t port;
    uint32_t fans, connections;
    double seconds;

    struct line lines[CONNECTIONS_MAX], *idle;
    int epoll;
    char request[HERD_REQUEST_BYTES];
    size_t request_bytes;

    int64_t start_ns;
    uint32_t slots, slot; /* milliseconds of the run, and those that are over */
    uint32_t *first;      /* by slot: the first fan who is due in it; 0: none */
    uint32_t *next;       /* by fan: the next of the slot */
    uint32_t due;         /* whose time has come, in order: the first and the last */
    uint32_t due_last;

    char body[1 << 14]; /* the last answer's, which most are the same as */
    size_t body_bytes;
    struct status status;
    uint64_t bodies; /* that were not the same */

    uint64_t polls, answers, called;
    struct histogram late, latency;
} pollers;

_Noreturn static void fail(const char *what) {
    fprintf(stderr, "onsale-pollers: %s\n", what);
    exit(1);
}

/* --- when a fan asks again --- */

/* Uniform in 0 … 1 (xorshift64*, Vigna 2016): the same fans in every run. */
static double random_share(void) {
    static uint64_t state = 0x9e3779b97f4a7c15;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (double)((state * 0x2545f4914f6cdd1d) >> 11) / (double)(1ULL << 53);
}

static double pause_seconds(uint32_t position) {
    const struct status *status = &pollers.status;
    double seconds = status->retry_seconds + (position - status->serving) / 1000.0 * status->per_thousand_seconds;
    return seconds < status->most_seconds ? seconds : status->most_seconds;
}

/* Behind the end of the run it does not matter when. */
static void ask_in(uint32_t fan, double seconds) {
    double ms = (double)((herd_now_ns() - pollers.start_ns) / MS_NS) + seconds * 1000;
    if (ms >= pollers.slots)
        return;
    uint32_t slot = (uint32_t)ms < pollers.slot ? pollers.slot : (uint32_t)ms;
    pollers.next[fan] = pollers.first[slot];
    pollers.first[slot] = fan;
}

static void ask_again(uint32_t fan) {
    if (fan <= pollers.status.serving)
        pollers.called++;
    else
        ask_in(fan, pause_seconds(fan) * (1 - JITTER + 2 * JITTER * random_share()));
}

static double number_of(const char *body, const char *member) {
    const char *at = strstr(body, member);
    if (!at)
        fail("an answer is not a queue's status");
    return strtod(at + strlen(member), NULL);
}

static void read_status(const struct answer *answer) {
    if (answer->status != 200 || answer->body_bytes >= sizeof pollers.body)
        fail("an answer is not a queue's status");
    if (answer->body_bytes == pollers.body_bytes && memcmp(answer->body, pollers.body, answer->body_bytes) == 0)
        return;
    memcpy(pollers.body, answer->body, answer->body_bytes);
    pollers.body[answer->body_bytes] = 0;
    pollers.body_bytes = answer->body_bytes;
    pollers.bodies++;
    pollers.status = (struct status){
        .serving = (uint32_t)number_of(pollers.body, "\"serving\":"),
        .retry_seconds = number_of(pollers.body, "\"retry_after_seconds\":"),
        .per_thousand_seconds = number_of(pollers.body, "\"per_thousand_ahead_seconds\":"),
        .most_seconds = number_of(pollers.body, "\"max_seconds\":"),
    };
}

/* --- the connections --- */

static void send_request(struct line *line, uint32_t fan) {
    line->fan = fan;
    line->sent_ns = herd_now_ns();
    if (send(line->descriptor, pollers.request, pollers.request_bytes, MSG_NOSIGNAL) != (ssize_t)pollers.request_bytes)
        fail("a connection was lost");
}

static void see_answer(void *context, const struct answer *answer) {
    struct line *line = context;
    read_status(answer);
    pollers.answers++;
    histogram_add(&pollers.latency, herd_now_ns() - line->sent_ns);
    if (line->fan)
        ask_again(line->fan);
    line->fan = 0;
    line->next_idle = pollers.idle;
    pollers.idle = line;
}

static void read_line(struct line *line) {
    static char bytes[1 << 16];
    ssize_t n = recv(line->descriptor, bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || reader_feed(&line->reader, bytes, (size_t)n, see_answer, line) != RESULT_OK)
        fail("a connection was lost");
}

static void open_lines(void) {
    pollers.epoll = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < pollers.connections; i++) {
        struct line *line = &pollers.lines[i];
        *line = (struct line){.reader.wants_bodies = true, .next_idle = pollers.idle};
        line->descriptor = herd_connect(pollers.host, pollers.port);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = line};
        if (line->descriptor < 0 || fcntl(line->descriptor, F_SETFL, O_NONBLOCK) != 0 ||
            epoll_ctl(pollers.epoll, EPOLL_CTL_ADD, line->descriptor, &event) != 0)
            fail("a connection cannot be opened");
        pollers.idle = line;
    }
}

static void wait_for_answers(int wait_ms) {
    struct epoll_event events[256];
    int count = epoll_wait(pollers.epoll, events, 256, wait_ms);
    for (int i = 0; i < count; i++)
        read_line(events[i].data.ptr);
}

/* --- the run --- */

/* Moves on to now; who was due meanwhile stands in line, the slots in order. */
static void turn_wheel(void) {
    uint32_t now = (uint32_t)((herd_now_ns() - pollers.start_ns) / MS_NS);
    for (; pollers.slot <= now && pollers.slot < pollers.slots; pollers.slot++) {
        for (uint32_t fan = pollers.first[pollers.slot], after; fan; fan = after) {
            after = pollers.next[fan];
            pollers.next[fan] = 0;
            if (pollers.due)
                pollers.next[pollers.due_last] = fan;
            else
                pollers.due = fan;
            pollers.due_last = fan;
            histogram_add(&pollers.late, herd_now_ns() - pollers.start_ns - pollers.slot * MS_NS);
        }
    }
}

static void send_due(void) {
    while (pollers.due && pollers.idle) {
        struct line *line = pollers.idle;
        uint32_t fan = pollers.due;
        pollers.idle = line->next_idle;
        pollers.due = pollers.next[fan];
        pollers.polls++;
        send_request(line, fan);
    }
}

static void make_fans(void) {
    struct line *line = pollers.idle;
    pollers.idle = line->next_idle;
    send_request(line, 0);
    while (pollers.answers == 0)
        wait_for_answers(100);
    pollers.slots = (uint32_t)(pollers.seconds * 1000);
    pollers.first = calloc(pollers.slots, sizeof *pollers.first);
    pollers.next = calloc(pollers.fans + 1ULL, sizeof *pollers.next);
    if (!pollers.first || !pollers.next)
        fail("out of memory");
    pollers.start_ns = herd_now_ns();
    for (uint32_t fan = pollers.status.serving + 1; fan <= pollers.fans; fan++)
        ask_in(fan, pause_seconds(fan) * random_share());
    pollers.start_ns = herd_now_ns();
}

static void run(void) {
    make_fans();
    pollers.answers = pollers.bodies = 0;
    memset(&pollers.latency, 0, sizeof pollers.latency);
    while (pollers.slot < pollers.slots) {
        turn_wheel();
        send_due();
        wait_for_answers(1);
    }
    for (int tries = 0; pollers.answers < pollers.polls && tries < 5000; tries++)
        wait_for_answers(1);
}

static void report(void) {
    uint32_t waiting = 0;
    for (uint32_t fan = pollers.due; fan; fan = pollers.next[fan])
        waiting++;
    printf("{\"fans\":%u,\"seconds\":%.3f,\"polls\":%llu,\"rate\":%.1f,\"answers\":%llu,\"statuses_seen\":%llu,"
           "\"called\":%llu,\"never_sent\":%u,\"late_ms_p99\":%.3f,\"latency_us_p50\":%.1f,\"latency_us_p99\":%.1f}\n",
           pollers.fans, pollers.seconds, (unsigned long long)pollers.polls, (double)pollers.polls / pollers.seconds,
           (unsigned long long)pollers.answers, (unsigned long long)pollers.bodies, (unsigned long long)pollers.called,
           waiting, histogram_quantile_us(&pollers.late, 0.99) / 1000, histogram_quantile_us(&pollers.latency, 0.5),
           histogram_quantile_us(&pollers.latency, 0.99));
}

static bool read_options(int count, char **words) {
    for (int i = 1; i + 1 < count; i += 2) {
        const char *name = words[i], *value = words[i + 1];
        if (strcmp(name, "--path") == 0)
            pollers.path = value;
        else if (strcmp(name, "--fans") == 0)
            pollers.fans = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--connections") == 0)
            pollers.connections = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--seconds") == 0)
            pollers.seconds = strtod(value, NULL);
        else if (strcmp(name, "--server") != 0 || !herd_read_address(words[i + 1], &pollers.host, &pollers.port))
            return false;
    }
    return count % 2 == 1 && pollers.host && pollers.path && strlen(pollers.path) < HERD_REQUEST_BYTES / 2 &&
           pollers.fans >= 1 && pollers.fans <= FANS_MAX && pollers.connections >= 1 &&
           pollers.connections <= CONNECTIONS_MAX && pollers.seconds > 0;
}

int main(int count, char **words) {
    pollers.fans = 1000000;
    pollers.connections = 256;
    pollers.seconds = 15;
    if (!read_options(count, words)) {
        fputs("usage: onsale-pollers --server HOST:PORT --path PATH [--fans N] [--connections N] [--seconds S]\n",
              stderr);
        return 2;
    }
    pollers.request_bytes = (size_t)snprintf(pollers.request, sizeof pollers.request,
                                             "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", pollers.path, pollers.host);
    open_lines();
    run();
    report();
    for (uint32_t i = 0; i < pollers.connections; i++) {
        close(pollers.lines[i].descriptor);
        reader_release(&pollers.lines[i].reader);
    }
    free(pollers.first);
    free(pollers.next);
    return 0;
}
