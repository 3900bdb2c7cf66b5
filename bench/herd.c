/* onsale-herd: drives one server from one thread, and prints one JSON line of what came of it.
 *
 *     onsale-herd MODE --server HOST:PORT [options]        (MODE and the options: herd_modes.c, usage below)
 *
 * Happy path: the connections are opened, each sends its batch; after the warm-up the window opens, in which requests,
 * statuses and times are counted and, with --pid, the CPU time of the server is taken at both ends, by the kernel's
 * clock of that process (utime + stime, in nanoseconds). When the window closes, what is under way is still awaited,
 * so that the next run meets a quiet server.
 *
 * What can go wrong: a lost connection is counted as broken and not opened again; with none left the run ends.
 */
#include "bench/herd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000LL
#define DRAIN_NS (5 * SECOND_NS)
#define SILENCE_NS (30 * SECOND_NS) /* a server that answers nothing for so long has ended the run */

static const char usage[] =
    "usage: onsale-herd get|join|reserve|sellout|checkout|idle --server HOST:PORT [options]\n"
    "  --connections N      (64)\n"
    "  --depth N            requests sent together on a connection (1)\n"
    "  --warm-up SECONDS    before anything is counted (0.5); none for sellout, checkout\n"
    "  --seconds SECONDS    that are counted (3); sellout, checkout end by themselves\n"
    "  --requests N         join: ends when so many are answered, all of them counted\n"
    "  --pid PID            the server's, to report its CPU time\n"
    "  --path PATH          get, idle: what to ask for\n"
    "  --if-none-match TAG  get\n"
    "  --accept-encoding E  get\n"
    "  --show UUID          reserve, sellout, checkout: whose seats; may be repeated; join: whose queue\n"
    "  --users-before N     join: the first fan is uN+1 (0)\n"
    "  --fans FILE          reserve: lines SHOW USER PASS (PASS -: none), who take turns\n"
    "  --seats-from H:P     reserve, sellout: whose list of seats is read (the server's own)\n"
    "  --token TOKEN        sellout, checkout: the payment_token\n"
    "  --spin               never sleep: the server is not charged for waking this core up\n"
    "  --best               sellout: best available instead of named seats\n";

static char receive_bytes[1 << 18];

/* --- one connection --- */

static void lose(struct connection *connection) {
    struct herd *herd = connection->herd;
    close(connection->descriptor);
    connection->descriptor = -1;
    herd->outstanding -= connection->outstanding;
    connection->outstanding = 0;
    herd->open--;
    herd->broken++;
}

static void send_batch(struct connection *connection) {
    struct herd *herd = connection->herd;
    char bytes[HERD_DEPTH_MAX * HERD_REQUEST_BYTES];
    size_t length = 0;
    if (herd->stopping)
        return;
    for (unsigned i = 0; i < herd->options.depth; i++) {
        size_t written = herd->options.mode->compose(herd, connection, bytes + length);
        if (written == 0)
            break;
        length += written;
        connection->outstanding++;
    }
    if (length == 0)
        return;
    herd->outstanding += connection->outstanding;
    herd->sent += connection->outstanding;
    connection->sent_ns = herd_now_ns();
    /* Nothing is under way on this connection, so the socket's buffer takes it all. */
    if (send(connection->descriptor, bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
        lose(connection);
}

static void see_answer(void *context, const struct answer *answer) {
    struct connection *connection = context;
    struct herd *herd = connection->herd;
    if (connection->outstanding == 0)
        return; /* one too many; reading goes on to find the connection closed */
    connection->outstanding--;
    herd->outstanding--;
    int64_t took_ns = herd_now_ns() - connection->sent_ns;
    if (herd->counting) {
        herd->requests++;
        herd->statuses[answer->status]++;
        herd->answer_bytes = answer->wire_bytes;
        histogram_add(&herd->latency, took_ns);
    }
    herd->options.mode->answered(herd, connection, answer, took_ns);
    if (connection->wake_ns)
        herd->waiting++;
}

static void read_connection(struct connection *connection) {
    ssize_t n = recv(connection->descriptor, receive_bytes, sizeof receive_bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || reader_feed(&connection->reader, receive_bytes, (size_t)n, see_answer, connection) != RESULT_OK) {
        lose(connection);
        return;
    }
    if (connection->outstanding == 0 && !connection->wake_ns)
        send_batch(connection);
}

static void wake_connections(struct herd *herd, int64_t now_ns) {
    for (unsigned i = 0; i < herd->options.connections && herd->waiting > 0; i++) {
        struct connection *connection = &herd->connections[i];
        if (!connection->wake_ns || connection->wake_ns > now_ns)
            continue;
        connection->wake_ns = 0;
        herd->waiting--;
        if (connection->descriptor >= 0)
            send_batch(connection);
    }
}

static bool open_connections(struct herd *herd) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    herd->epoll = epoll_create1(EPOLL_CLOEXEC);
    herd->connections = calloc(herd->options.connections, sizeof *herd->connections);
    if (herd->epoll < 0 || !herd->connections)
        return false;
    for (unsigned i = 0; i < herd->options.connections; i++) {
        struct connection *connection = &herd->connections[i];
        *connection = (struct connection){.herd = herd, .reader.wants_bodies = herd->options.mode->wants_bodies};
        connection->descriptor = herd_connect(herd->options.host, herd->options.port);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        if (connection->descriptor < 0 || fcntl(connection->descriptor, F_SETFL, O_NONBLOCK) != 0 ||
            epoll_ctl(herd->epoll, EPOLL_CTL_ADD, connection->descriptor, &event) != 0) {
            fprintf(stderr, "onsale-herd: connection %u to %s:%u failed: %s\n", i, herd->options.host,
                    herd->options.port, strerror(errno));
            return false;
        }
        herd->open++;
    }
    return true;
}

/* --- the run --- */

/* The CPU time that the server has used, all its threads together. */
static int64_t server_cpu_ns(const struct herd *herd) {
    clockid_t clock;
    struct timespec used;
    if (herd->options.server_pid == 0 || clock_getcpuclockid(herd->options.server_pid, &clock) != 0 ||
        clock_gettime(clock, &used) != 0)
        return 0;
    return used.tv_sec * SECOND_NS + used.tv_nsec;
}

static void poll_once(struct herd *herd) {
    struct epoll_event events[256];
    int wait_ms = herd->options.spin ? 0 : herd->waiting ? 2 : 20;
    int count = epoll_wait(herd->epoll, events, 256, wait_ms);
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (connection->descriptor >= 0)
            read_connection(connection);
    }
    if (herd->waiting > 0)
        wake_connections(herd, herd_now_ns());
}

static void open_window(struct herd *herd) {
    herd->counting = true;
    herd->requests = 0;
    memset(herd->statuses, 0, sizeof herd->statuses);
    memset(&herd->latency, 0, sizeof herd->latency);
}

struct outcome {
    double seconds, server_cpu_seconds;
};

static struct outcome run(struct herd *herd) {
    const struct options *options = &herd->options;
    bool timed = !options->mode->ends_by_itself && options->requests_most == 0;
    int64_t start_ns = herd_now_ns(), window_ns = start_ns, cpu_ns = 0;
    int64_t opens_ns = timed ? start_ns + (int64_t)(options->warm_up_seconds * SECOND_NS) : start_ns;
    int64_t closes_ns = opens_ns + (int64_t)(options->seconds * SECOND_NS);
    if (!timed) {
        cpu_ns = server_cpu_ns(herd);
        open_window(herd);
    }
    for (unsigned i = 0; i < options->connections; i++)
        send_batch(&herd->connections[i]);
    int64_t now_ns = herd_now_ns(), heard_ns = now_ns;
    uint64_t heard = 0;
    for (;; now_ns = herd_now_ns()) {
        if (timed && !herd->counting && now_ns >= opens_ns) {
            open_window(herd);
            cpu_ns = server_cpu_ns(herd);
            window_ns = now_ns;
        }
        bool over = timed ? now_ns >= closes_ns || herd->exhausted : herd->outstanding == 0 && herd->waiting == 0;
        if (herd->requests != heard) {
            heard = herd->requests;
            heard_ns = now_ns;
        }
        if (over || herd->open == 0 || now_ns - heard_ns > SILENCE_NS)
            break;
        poll_once(herd);
    }
    struct outcome outcome = {(double)(now_ns - window_ns) / SECOND_NS,
                              (double)(server_cpu_ns(herd) - cpu_ns) / SECOND_NS};
    herd->counting = false;
    herd->stopping = true;
    while (herd->outstanding > 0 && herd_now_ns() - now_ns < DRAIN_NS)
        poll_once(herd);
    return outcome;
}

/* --- the report --- */

static void print_statuses(const uint64_t *statuses) {
    const char *comma = "";
    printf(",\"statuses\":{");
    for (unsigned status = 0; status < HERD_STATUSES; status++) {
        if (statuses[status] > 0) {
            printf("%s\"%u\":%llu", comma, status, (unsigned long long)statuses[status]);
            comma = ",";
        }
    }
    printf("}");
}

static void print_latency(const char *name, const struct histogram *histogram) {
    printf(",\"%s\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name, histogram_quantile_us(histogram, 0.5),
           histogram_quantile_us(histogram, 0.9), histogram_quantile_us(histogram, 0.99),
           (double)histogram->most_ns / 1000);
}

static double own_cpu_seconds(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / SECOND_NS;
}

static void report(const struct herd *herd, struct outcome outcome) {
    double requests = herd->requests > 0 ? (double)herd->requests : 1;
    printf("{\"mode\":\"%s\",\"connections\":%u,\"depth\":%u,\"requests\":%llu,\"sent\":%llu,\"seconds\":%.4f,"
           "\"rate\":%.1f",
           herd->options.mode->name, herd->options.connections, herd->options.depth, (unsigned long long)herd->requests,
           (unsigned long long)herd->sent, outcome.seconds, (double)herd->requests / outcome.seconds);
    print_statuses(herd->statuses);
    printf(",\"broken\":%llu,\"exhausted\":%s,\"answer_bytes\":%zu", (unsigned long long)herd->broken,
           herd->exhausted ? "true" : "false", herd->answer_bytes);
    print_latency("latency_us", &herd->latency);
    printf(",\"server_cpu_seconds\":%.4f,\"server_cpu_us_per_request\":%.4f,\"herd_cpu_seconds\":%.4f",
           outcome.server_cpu_seconds, outcome.server_cpu_seconds * 1e6 / requests, own_cpu_seconds());
    if (herd->options.mode == &mode_sellout || herd->options.mode == &mode_checkout) {
        printf(",\"bookings\":%llu,\"pending\":%llu,\"given_up\":%llu", (unsigned long long)herd->bookings,
               (unsigned long long)herd->pending, (unsigned long long)herd->given_up);
        print_latency("reserve_us", &herd->reserve_latency);
        print_latency("confirm_us", &herd->confirm_latency);
    }
    printf("}\n");
    fflush(stdout);
}

/* --- the command line --- */

static const struct mode *mode_named(const char *name) {
    static const struct mode *const modes[] = {&mode_get,     &mode_join,     &mode_reserve,
                                               &mode_sellout, &mode_checkout, &mode_idle};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(modes[i]->name, name) == 0)
            return modes[i];
    return NULL;
}

static bool read_option(const char *name, char *value, struct options *options) {
    if (strcmp(name, "--server") == 0)
        return herd_read_address(value, &options->host, &options->port);
    if (strcmp(name, "--seats-from") == 0)
        return herd_read_address(value, &options->seats_host, &options->seats_port);
    if (strcmp(name, "--connections") == 0)
        options->connections = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--depth") == 0)
        options->depth = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--warm-up") == 0)
        options->warm_up_seconds = strtod(value, NULL);
    else if (strcmp(name, "--seconds") == 0)
        options->seconds = strtod(value, NULL);
    else if (strcmp(name, "--pid") == 0)
        options->server_pid = (int)strtol(value, NULL, 10);
    else if (strcmp(name, "--requests") == 0)
        options->requests_most = strtoull(value, NULL, 10);
    else if (strcmp(name, "--users-before") == 0)
        options->users_before = strtoull(value, NULL, 10);
    else if (strcmp(name, "--fans") == 0)
        options->fans_path = value;
    else if (strcmp(name, "--path") == 0)
        options->path = value;
    else if (strcmp(name, "--if-none-match") == 0)
        options->if_none_match = value;
    else if (strcmp(name, "--accept-encoding") == 0)
        options->accept_encoding = value;
    else if (strcmp(name, "--token") == 0)
        options->payment_token = value;
    else if (strcmp(name, "--show") == 0 && options->show_count < LIMIT_SHOWS)
        options->shows[options->show_count++] = value;
    else
        return false;
    return true;
}

static bool read_options(int count, char **words, struct options *options) {
    if (count < 2 || !(options->mode = mode_named(words[1])))
        return false;
    for (int i = 2; i < count; i++) {
        bool *flag = strcmp(words[i], "--best") == 0   ? &options->best_available
                     : strcmp(words[i], "--spin") == 0 ? &options->spin
                                                       : NULL;
        if (flag) {
            *flag = true;
            continue;
        }
        if (i + 1 == count || !read_option(words[i], words[i + 1], options))
            return false;
        i++;
    }
    if (!options->seats_host) {
        options->seats_host = options->host;
        options->seats_port = options->port;
    }
    bool wants_path = options->mode == &mode_get;
    return options->host && options->connections >= 1 && options->connections <= HERD_CONNECTIONS_MAX &&
           options->depth >= 1 && options->depth <= HERD_DEPTH_MAX &&
           (options->depth == 1 || !options->mode->ends_by_itself) && (!wants_path || options->path) &&
           (!options->mode->wants_show || options->show_count > 0) &&
           (!options->requests_most || options->mode == &mode_join) &&
           (!options->fans_path || options->mode == &mode_reserve) &&
           (!options->path || strlen(options->path) < HERD_REQUEST_BYTES / 2);
}

int main(int count, char **words) {
    static struct herd herd = {
        .options = {.connections = 64, .depth = 1, .warm_up_seconds = 0.5, .seconds = 3},
    };
    if (!read_options(count, words, &herd.options)) {
        fputs(usage, stderr);
        return 2;
    }
    bool by_name = herd.options.mode->wants_pairs && !herd.options.best_available;
    for (size_t i = 0; by_name && i < herd.options.show_count; i++) {
        enum result result =
            pairs_read(&herd.pairs, herd.options.seats_host, herd.options.seats_port, herd.options.shows[i]);
        if (result != RESULT_OK) {
            fprintf(stderr, "onsale-herd: cannot read the seats of '%s': %s\n", herd.options.shows[i],
                    result_words(result));
            return 1;
        }
    }
    if (herd.options.fans_path && fans_read(&herd.fans, herd.options.fans_path) != RESULT_OK) {
        fprintf(stderr, "onsale-herd: cannot read the fans of '%s'\n", herd.options.fans_path);
        return 1;
    }
    herd.users = herd.options.users_before;
    if (!open_connections(&herd))
        return 1;
    struct outcome outcome = run(&herd);
    report(&herd, outcome);
    if (herd.options.mode == &mode_idle) {
        /* Stays until whoever started it closes its input, or ends. */
        char byte;
        while (read(STDIN_FILENO, &byte, 1) > 0)
            continue;
    }
    for (unsigned i = 0; i < herd.options.connections; i++) {
        if (herd.connections[i].descriptor >= 0)
            close(herd.connections[i].descriptor);
        reader_release(&herd.connections[i].reader);
    }
    free(herd.connections);
    pairs_release(&herd.pairs);
    fans_release(&herd.fans);
    return 0;
}
