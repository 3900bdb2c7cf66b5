/* The herd: one thread of load on a server, by keep-alive HTTP/1.1, made to cost less than what it drives.
 *
 * The one idea: a mode (herd_modes.c) says which request a connection sends next and what an answer means; the loop
 * (herd.c) sends a batch of requests a connection in one send, reads until all of its answers are here
 * (herd_reader.c), and sends the next. So the load is closed: connections × depth requests are under way at any time.
 */
#ifndef ONSALE_BENCH_HERD_H
#define ONSALE_BENCH_HERD_H

#include "base/limits.h"
#include "base/result.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HERD_CONNECTIONS_MAX 19000
#define HERD_DEPTH_MAX 64
#define HERD_REQUEST_BYTES 1024
#define HERD_STATUSES 600

/* --- herd_socket.c: of all load generators --- */

int64_t herd_now_ns(void);
/* realloc, or the end of the program: a load generator without memory measures nothing. */
void *herd_realloc(void *old, size_t bytes);
/* A connected socket, still blocking, or -1. */
int herd_connect(const char *host, uint16_t port);
/* Cuts "HOST:PORT" in two. */
bool herd_read_address(char *value, const char **host, uint16_t *port);

/* --- herd_reader.c: answers out of a stream of bytes --- */

struct answer {
    unsigned status;
    size_t wire_bytes; /* head and body */
    const char *body;  /* NULL unless bodies are wanted; lives until the callback returns */
    size_t body_bytes;
};

typedef void answer_seen(void *context, const struct answer *answer);

struct reader {
    bool wants_bodies;
    char *stash; /* what came of an answer that is not whole */
    size_t stash_bytes, stash_room;
    size_t body_left; /* of an answer whose body is skipped */
    struct answer skipped;
};

/* Reads n more bytes of the stream; calls `seen` for each answer that is now whole. BAD_REQUEST: this is not HTTP as
 * the herd speaks it (no Content-Length, say), and the connection is of no more use. */
MUST_USE enum result reader_feed(struct reader *reader, const char *at, size_t n, answer_seen *seen, void *context);
void reader_release(struct reader *reader);

/* --- herd_histogram.c: times, to within 1.6 % --- */

#define HISTOGRAM_BUCKETS 2048

struct histogram {
    uint64_t total, counts[HISTOGRAM_BUCKETS];
    uint64_t most_ns;
};

void histogram_add(struct histogram *histogram, int64_t ns);
/* The time that a share (0 to 1) of all stayed under, in microseconds. */
double histogram_quantile_us(const struct histogram *histogram, double share);

/* --- herd_seats.c: which seats to ask for --- */

struct seat_pair {
    const char *show_id; /* borrowed from the options */
    char *seat[2];       /* as they stand between the quotes in JSON */
};

struct pair_list {
    struct seat_pair *pairs;
    size_t count, room, next;
    char **texts; /* where the names lie */
    size_t text_count;
};

/* Adds the pairs of free seats of a show, in the plan's order, from its GET …/seats. */
MUST_USE enum result pairs_read(struct pair_list *list, const char *host, uint16_t port, const char *show_id);
void pairs_release(struct pair_list *list);

/* --- herd_fans.c: who reserves --- */

#define FAN_PASS_BYTES 512

struct fan {
    char show_id[40], user[40], pass[FAN_PASS_BYTES]; /* pass "": none */
};

struct fan_list {
    struct fan *fans;
    size_t count, room;
    /* those of the show that was asked for last, and whose turn it is of them */
    const char *show_id;
    size_t first, end, next;
};

/* Reads lines "SHOW USER PASS", PASS being - for none; a show's stand together. */
MUST_USE enum result fans_read(struct fan_list *list, const char *path);
/* The show's fans in turn; NULL: it has none. `show_id` is compared by its address first. */
const struct fan *fans_next(struct fan_list *list, const char *show_id);
void fans_release(struct fan_list *list);

/* --- herd_modes.c and herd.c --- */

struct herd;

/* Where a connection of the sell-out stands. */
enum sale_step { SALE_RESERVE, SALE_CONFIRM, SALE_POLL, SALE_DONE };

struct connection {
    int descriptor;
    uint32_t outstanding; /* answers of the last batch still to come */
    int64_t sent_ns;
    int64_t wake_ns; /* sends nothing before; 0: no wait */
    struct reader reader;
    struct herd *herd;
    enum sale_step step;
    struct seat_pair *pair;
    unsigned tries; /* of this step */
    char id[40];    /* the reservation's, then the booking's */
};

struct mode {
    const char *name;
    bool wants_bodies, wants_pairs, wants_show;
    bool ends_by_itself; /* when nothing is under way, rather than by the clock */
    /* Writes the connection's next request, HERD_REQUEST_BYTES at most; 0 when it has nothing to send now. */
    size_t (*compose)(struct herd *herd, struct connection *connection, char *out);
    /* An answer came, `took_ns` after its batch was sent. May set wake_ns. */
    void (*answered)(struct herd *herd, struct connection *connection, const struct answer *answer, int64_t took_ns);
};

extern const struct mode mode_get, mode_join, mode_reserve, mode_sellout, mode_checkout, mode_idle;

struct options {
    const struct mode *mode;
    const char *host;
    uint16_t port;
    const char *seats_host; /* reserve, sellout: where GET …/seats is asked */
    uint16_t seats_port;
    const char *path;            /* get, idle */
    const char *if_none_match;   /* get */
    const char *accept_encoding; /* get */
    const char *shows[LIMIT_SHOWS];
    size_t show_count;
    const char *fans_path;     /* reserve; NULL: each request is another fan's, without a pass */
    uint64_t users_before;     /* join: the first is the next after so many */
    uint64_t requests_most;    /* join: ends when so many are answered, instead of by the clock; 0: no such end */
    const char *payment_token; /* sellout; NULL: none is sent */
    bool best_available;       /* sellout: not by name */
    bool spin;                 /* never sleep */
    unsigned connections, depth;
    double warm_up_seconds, seconds;
    int server_pid; /* whose CPU time is reported; 0: none */
};

struct herd {
    struct options options;
    struct connection *connections;
    int epoll;
    unsigned open, waiting; /* connections: not lost; with a wake_ns */
    uint64_t outstanding;   /* answers still to come, on all of them */
    bool stopping;          /* send nothing more */
    struct pair_list pairs;
    struct fan_list fans;
    uint64_t users; /* made up so far */
    uint64_t sent;  /* requests, from the beginning on */
    bool exhausted; /* a connection found nothing more to ask for */

    /* the window that counts */
    bool counting;
    uint64_t requests, statuses[HERD_STATUSES];
    uint64_t broken; /* connections lost */
    size_t answer_bytes;
    struct histogram latency;

    /* the sell-out's own tally */
    uint64_t bookings, pending, given_up;
    struct histogram reserve_latency, confirm_latency;
};

#endif
