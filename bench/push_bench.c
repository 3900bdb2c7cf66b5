/* What one push of a frame to many WebSockets costs the server: through a channel, and by a bare send() loop over the
 * very same sockets on the same thread, round by round, who is first changing.
 *
 * The clients are another process, which counts every byte. For the costs it reads between the rounds only, so that the
 * thread's CPU time is that of sending. For how long it takes until the last one has the frame it reads all the while:
 * from the beginning of the push to the last client's last byte. And what a member that lives adds to the server's
 * resident memory. One JSON line a figure, over all rounds.
 *
 * usage: push_bench [sockets] [rounds] [bytes of payload]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "net/reactor.h"
#include "net/websocket.h"

#define SOCKETS 18000
#define FIRST_SOCKETS 1000 /* have joined before memory is measured */
#define ROUNDS 15
#define MOST_ROUNDS 1000
#define PAYLOAD_BYTES 300
#define MOST_PAYLOAD_BYTES 65536
#define FRAMES_AWAITED (1ULL << 63) /* told to the clients beside a number of bytes: read till then */
#define ANSWER_BYTES 1024
#define PATIENCE_SECONDS 60

struct bare_loop {
    struct envelope envelope;
    const struct blob *frame;
    const int *fds;
    unsigned count;
    sem_t done;
};

struct bench {
    struct reactor *reactor;
    struct channel *channel;
    pthread_t thread;
    struct blob *frame;
    int *fds; /* of the members, ours */
    unsigned socket_count;
    uint16_t port;
    int to_clients;
    int from_clients;
    pid_t clients;
};

static void join(int fd, uint16_t port) {
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int connected = connect(fd, (struct sockaddr *)&address, sizeof address);
    assert(connected == 0);
    ssize_t sent = send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
    assert(sent == sizeof request - 1);
    char answer[ANSWER_BYTES];
    size_t length = 0;
    while (length < 4 || memcmp(answer + length - 4, "\r\n\r\n", 4) != 0) {
        ssize_t got = recv(fd, answer + length, sizeof answer - length, 0);
        assert(got > 0);
        length += (size_t)got;
    }
    assert(memcmp(answer, "HTTP/1.1 101 ", 13) == 0);
}

static uint64_t read_all(const int *fds, unsigned count) {
    static char waste[65536];
    uint64_t sum = 0;
    for (unsigned i = 0; i < count; i++)
        for (ssize_t got; (got = recv(fds[i], waste, sizeof waste, MSG_DONTWAIT)) > 0;)
            sum += (uint64_t)got;
    return sum;
}

/* Reads as it comes until so much is there. */
static void read_until(int epoll, uint64_t wanted) {
    static char waste[65536];
    static struct epoll_event ready[1024];
    for (uint64_t sum = 0; sum < wanted;) {
        int count = epoll_wait(epoll, ready, 1024, PATIENCE_SECONDS * 1000);
        assert(count > 0);
        for (int i = 0; i < count; i++) {
            ssize_t got = recv(ready[i].data.fd, waste, sizeof waste, MSG_DONTWAIT);
            assert(got > 0);
            sum += (uint64_t)got;
        }
    }
}

/* Told a number: joins until there are so many, and answers when all are there. Told 0: reads, and answers how much.
 * Told FRAMES_AWAITED and a number of bytes: answers at once, and again when it has read them. */
static void be_the_clients(int from_server, int to_server, uint16_t port, unsigned most) {
    int *fds = calloc(most, sizeof *fds);
    assert(fds);
    unsigned count = 0;
    int epoll = epoll_create1(0);
    uint64_t told;
    while (read(from_server, &told, sizeof told) == sizeof told) {
        bool waits = told & FRAMES_AWAITED;
        for (; !waits && count < told; count++) {
            fds[count] = socket(AF_INET, SOCK_STREAM, 0);
            assert(fds[count] >= 0);
            struct linger at_once = {.l_onoff = 1, .l_linger = 0}; /* nothing is left in TIME_WAIT */
            (void)setsockopt(fds[count], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            join(fds[count], port);
            int failed = epoll_ctl(epoll, EPOLL_CTL_ADD, fds[count],
                                   &(struct epoll_event){.events = EPOLLIN, .data.fd = fds[count]});
            assert(!failed);
        }
        uint64_t answer = told ? count : read_all(fds, count);
        ssize_t written = write(to_server, &answer, sizeof answer);
        assert(written == sizeof answer);
        if (!waits)
            continue;
        read_until(epoll, told & ~FRAMES_AWAITED);
        written = write(to_server, &answer, sizeof answer);
        assert(written == sizeof answer);
    }
    _exit(0);
}

static uint64_t ask_clients(const struct bench *bench, uint64_t what) {
    uint64_t answer = 0;
    ssize_t written = write(bench->to_clients, &what, sizeof what);
    ssize_t got = read(bench->from_clients, &answer, sizeof answer);
    assert(written == sizeof what && got == sizeof answer);
    return answer;
}

static enum result admit(void *context, const struct http_request *head, size_t *max_body) {
    (void)context, (void)head;
    *max_body = 0;
    return RESULT_OK;
}

static void handle(void *context, struct exchange *exchange, const struct http_request *request) {
    struct bench *bench = context;
    enum result result = websocket_check(request);
    assert(result == RESULT_OK);
    websocket_accept(exchange, request, bench->channel);
}

static void refuse(void *context, struct exchange *exchange, const struct http_request *request, enum result result,
                   const char *detail) {
    (void)context, (void)request, (void)result, (void)detail;
    exchange_abort(exchange);
}

static struct blob *nothing_new(void *context) {
    (void)context;
    return NULL;
}

static void *run(void *context) {
    reactor_run(context);
    return NULL;
}

static void pin(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    (void)sched_setaffinity(0, sizeof set, &set); /* one core only: then they share it */
}

static void start(struct bench *bench) {
    struct reactor_settings settings = {.waits = {600000, 600000, 600000, 600000},
                                        .max_connections = bench->socket_count + 1};
    struct http_service service = {bench, admit, handle, refuse};
    struct channel_service channel_service = {.context = bench, .catch_up = nothing_new};
    int fd, down[2], up[2];
    enum result opened = listener_open("127.0.0.1:0", &fd, &bench->port);
    int piped = pipe(down) + pipe(up);
    assert(opened == RESULT_OK && piped == 0);
    bench->clients = fork();
    assert(bench->clients >= 0);
    if (bench->clients == 0) {
        close(fd);
        close(down[1]);
        pin(1);
        be_the_clients(down[0], up[1], bench->port, bench->socket_count);
    }
    close(down[0]);
    close(up[1]);
    bench->to_clients = down[1];
    bench->from_clients = up[0];
    pin(0);
    enum result made = reactor_new(&settings, &bench->reactor);
    assert(made == RESULT_OK);
    reactor_listen(bench->reactor, fd, &service);
    made = channel_new(&bench->reactor, 1, &channel_service, &bench->channel);
    assert(made == RESULT_OK);
    int failed = pthread_create(&bench->thread, NULL, run, bench->reactor);
    assert(!failed);
}

static void stop(struct bench *bench) {
    close(bench->to_clients);
    (void)waitpid(bench->clients, NULL, 0);
    reactor_stop(bench->reactor, 0);
    pthread_join(bench->thread, NULL);
    reactor_free(bench->reactor);
    channel_free(bench->channel);
    blob_drop(bench->frame);
    free(bench->fds);
}

/* The members' sockets: all of ours that are connected, on the port that we listen on. */
static void find_sockets(struct bench *bench) {
    unsigned count = 0;
    for (int fd = 0; count < bench->socket_count; fd++) {
        struct sockaddr_in peer, own;
        socklen_t peer_length = sizeof peer, own_length = sizeof own;
        assert(fd < 1 << 20);
        if (getpeername(fd, (struct sockaddr *)&peer, &peer_length) == 0 && peer.sin_family == AF_INET &&
            getsockname(fd, (struct sockaddr *)&own, &own_length) == 0 && ntohs(own.sin_port) == bench->port)
            bench->fds[count++] = fd;
    }
}

static size_t resident_bytes(void) {
    unsigned long size, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    assert(file);
    int read = fscanf(file, "%lu %lu", &size, &resident);
    assert(read == 2);
    (void)fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* CPU time of the reactor's thread. */
static double cpu_us(const struct bench *bench) {
    clockid_t clock;
    struct timespec now;
    int failed = pthread_getcpuclockid(bench->thread, &clock);
    assert(!failed);
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void run_bare_loop(struct envelope *envelope, void *receiver) {
    struct bare_loop *loop = (struct bare_loop *)envelope;
    (void)receiver;
    for (unsigned i = 0; i < loop->count; i++) {
        ssize_t sent = send(loop->fds[i], loop->frame->at, loop->frame->length, MSG_NOSIGNAL);
        assert(sent == (ssize_t)loop->frame->length);
    }
    sem_post(&loop->done);
}

static double push_bare(const struct bench *bench) {
    struct bare_loop loop = {{.open = run_bare_loop}, bench->frame, bench->fds, bench->socket_count, {{0}}};
    sem_init(&loop.done, 0, 0);
    double before = cpu_us(bench);
    reactor_send(bench->reactor, &loop.envelope);
    while (sem_wait(&loop.done) < 0)
        assert(errno == EINTR);
    double spent = cpu_us(bench) - before;
    sem_destroy(&loop.done);
    return spent;
}

static double push_through_channel(const struct bench *bench) {
    int64_t wanted = metric_value(METRIC_WEBSOCKET_FRAMES_SENT) + bench->socket_count;
    double before = cpu_us(bench);
    websocket_publish(bench->channel, blob_take(bench->frame));
    for (int i = 0; metric_value(METRIC_WEBSOCKET_FRAMES_SENT) < wanted; i++) {
        assert(i < PATIENCE_SECONDS * 1000);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return cpu_us(bench) - before;
}

/* What is large comes in parts, as its reader makes room. */
static void check_arrival(const struct bench *bench) {
    uint64_t arrived = 0, wanted = (uint64_t)bench->socket_count * bench->frame->length;
    for (int i = 0; arrived < wanted && i < PATIENCE_SECONDS; i++)
        arrived += ask_clients(bench, 0);
    assert(arrived == wanted);
}

/* Microseconds from the push's beginning until the last client has all of it. */
static double arrival_us(const struct bench *bench, double (*push)(const struct bench *bench)) {
    (void)ask_clients(bench, FRAMES_AWAITED | (uint64_t)bench->socket_count * bench->frame->length);
    int64_t begun = clock_monotonic_us();
    (void)push(bench);
    uint64_t answer;
    ssize_t got = read(bench->from_clients, &answer, sizeof answer);
    assert(got == sizeof answer);
    return (double)(clock_monotonic_us() - begun);
}

static int compare(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void tell(const char *name, double *values, unsigned count) {
    qsort(values, count, sizeof *values, compare);
    printf("{\"name\":\"%s\",\"value\":%.4f,\"low\":%.4f,\"high\":%.4f}\n", name, values[count / 2], values[0],
           values[count - 1]);
}

static void tell_one(const char *name, double value) {
    tell(name, &value, 1);
}

static void measure_pushes(const struct bench *bench, unsigned rounds) {
    static double ratios[MOST_ROUNDS], ours[MOST_ROUNDS], bare[MOST_ROUNDS];
    /* The first sends of a socket make its buffers. */
    (void)push_bare(bench);
    check_arrival(bench);
    (void)push_through_channel(bench);
    check_arrival(bench);
    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned turn = 0; turn < 2; turn++) {
            if (turn == i % 2)
                ours[i] = push_through_channel(bench) / bench->socket_count;
            else
                bare[i] = push_bare(bench) / bench->socket_count;
            check_arrival(bench);
        }
        ratios[i] = ours[i] / bare[i];
    }
    tell("push_over_bare_loop", ratios, rounds);
    tell("push_us_a_socket", ours, rounds);
    tell("bare_loop_us_a_socket", bare, rounds);
}

static void measure_arrivals(const struct bench *bench, unsigned rounds) {
    static double ratios[MOST_ROUNDS], ours[MOST_ROUNDS], bare[MOST_ROUNDS];
    for (unsigned i = 0; i < rounds; i++) {
        for (unsigned turn = 0; turn < 2; turn++) {
            if (turn == i % 2)
                ours[i] = arrival_us(bench, push_through_channel) / 1e3;
            else
                bare[i] = arrival_us(bench, push_bare) / 1e3;
        }
        ratios[i] = ours[i] / bare[i];
    }
    tell("last_arrival_over_bare_loop", ratios, rounds);
    tell("push_ms_to_the_last", ours, rounds);
    tell("bare_loop_ms_to_the_last", bare, rounds);
}

/* A number between 1 and `most`, which is also what it is when there is none. */
static unsigned number_of(const char *text, unsigned most) {
    uint64_t number;
    return text && bytes_to_u64(bytes_of(text), most, &number) && number ? (unsigned)number : most;
}

int main(int argument_count, char **arguments) {
    struct rlimit descriptors;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &descriptors);
    unsigned most = descriptors.rlim_cur < SOCKETS + 100 ? (unsigned)descriptors.rlim_cur - 100 : SOCKETS;
    struct bench bench = {.socket_count = number_of(argument_count > 1 ? arguments[1] : NULL, most)};
    unsigned rounds = argument_count > 2 ? number_of(arguments[2], MOST_ROUNDS) : ROUNDS;
    unsigned first = bench.socket_count > 2 * FIRST_SOCKETS ? FIRST_SOCKETS : bench.socket_count / 2;
    static char payload[MOST_PAYLOAD_BYTES];
    unsigned payload_bytes = argument_count > 3 ? number_of(arguments[3], MOST_PAYLOAD_BYTES) : PAYLOAD_BYTES;
    memset(payload, 'p', payload_bytes);
    bench.frame = websocket_frame(true, (struct bytes){payload, payload_bytes});
    bench.fds = calloc(bench.socket_count, sizeof *bench.fds);
    assert(bench.frame && bench.fds);
    memset(bench.fds, 0xff, bench.socket_count * sizeof *bench.fds); /* resident before anything is measured */
    start(&bench);
    size_t at_start = resident_bytes();
    (void)ask_clients(&bench, first);
    size_t with_first = resident_bytes();
    (void)ask_clients(&bench, bench.socket_count);
    assert(channel_members(bench.channel) == bench.socket_count);
    find_sockets(&bench);
    measure_pushes(&bench, rounds);
    measure_arrivals(&bench, rounds);
    size_t at_end = resident_bytes();
    tell_one("sockets", bench.socket_count);
    tell_one("member_bytes", (double)(at_end - with_first) / (bench.socket_count - first));
    tell_one("members_mib", (double)(at_end - at_start) / (1024 * 1024));
    stop(&bench);
    return 0;
}
