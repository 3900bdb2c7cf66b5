/* A reactor: one thread, one edge-triggered epoll, its own listeners (SO_REUSEPORT) and its connections for life.
 *
 * Happy path: accept in batches → read into the reactor's one big buffer → parse → admit → handle → all answers to this
 * event in one sendmsg. A connection that waits has no buffer: what is left of a partial request, or of an answer that
 * the socket did not take, moves to the heap until it is needed no more.
 *
 * Waits (struct reactor_waits) are kept in one list a kind, oldest first, since every wait of a kind is equally long: a
 * deadline costs O(1). A head that is not complete in `head_ms`, a body in `body_ms`, a reader that takes nothing for
 * `write_ms`: closed (408 first where an answer can still be sent). An idle connection: closed after `idle_ms`.
 *
 * Thread rules: reactor_new() before its thread starts; reactor_run() is the thread; reactor_send(), reactor_stop()
 * from any thread; everything else on the reactor's own thread.
 */
#ifndef ONSALE_NET_REACTOR_H
#define ONSALE_NET_REACTOR_H

#include "base/mailbox.h"
#include "net/http.h"

struct reactor_waits {
    int head_ms;  /* 10,000 */
    int body_ms;  /* 20,000 */
    int write_ms; /* 20,000 */
    int idle_ms;  /* 60,000 */
};

struct reactor_settings {
    struct reactor_waits waits;
    uint32_t max_connections; /* slots made at start-up; over it a new connection is closed at once */
};

/* A socket that listens on host:port with SO_REUSEPORT, non-blocking, close-on-exec. Port 0 picks one; `port` out.
 * `address` is "127.0.0.1:8080" or "[::1]:8080". RESULT_INVALID_FIELD: not an address; RESULT_IN_USE; RESULT_IO_ERROR,
 * both with the reason in errno. (SO_REUSEPORT shares a port with other processes of the same user too: RESULT_IN_USE
 * tells only of sockets without it.) */
MUST_USE enum result listener_open(const char *address, int *fd, uint16_t *port);
/* Whether somebody listens at the address already, by SO_REUSEPORT too: ask before the first listener_open(), lest two
 * servers are each dealt a part of the connections. */
bool listener_is_taken(const char *address);

MUST_USE enum result reactor_new(const struct reactor_settings *settings, struct reactor **reactor);
void reactor_free(struct reactor *reactor);

/* Serves what connects to `fd` (owned from here) with `service`. Before reactor_run(). A reactor takes up to 4
 * listeners, each with its own service. */
void reactor_listen(struct reactor *reactor, int fd, const struct http_service *service);

/* Runs until reactor_stop(), then: closes the listeners, lets answers under way finish (parked ones and requests whose
 * body is arriving too) for at most `drain_ms`, closes everything, returns. reactor_stop() may be called in a signal
 * handler. */
void reactor_run(struct reactor *reactor);
void reactor_stop(struct reactor *reactor, int drain_ms);

/* Opens the envelope on the reactor's thread with the reactor as its receiver. Envelopes sent before reactor_run()
 * returns are opened by it, later ones by reactor_free(); every exchange is stale by then. */
void reactor_send(struct reactor *reactor, struct envelope *envelope);

/* Bytes of ours that one idle connection costs. */
size_t reactor_connection_bytes(void);

#endif
