/* Another node, as its client sees it: documents are got over HTTP, WebSockets are listened to, all on the caller's
 * thread, which is lent by upstream_run(). Nothing here knows what is in them. An engine without a port: what follows a
 * node is a client of it, and there is no other kind.
 *
 * Happy path: upstream_new(url) → upstream_get(), upstream_listen(), both at once → upstream_run() over and over: it
 * waits, moves bytes, and calls `done`, `opened`, `heard` and `ended`, from within which anything may be begun, and
 * nothing but the line itself dropped.
 *
 * The upstream is trusted less than our own memory. Every document and message has a bound, and memory grows with what
 * came, never with what was announced. A peer that goes silent is asked (a ping) and then left; one that floods gets
 * its turn and no more.
 *
 * What can go wrong: everything outside, and each of it ends one get (status 0) or one WebSocket (`ended`, with the
 * reason in words). Nothing here tries again: when to is the caller's to say (retry.h).
 *
 * libcurl looks up names, connects, and speaks HTTP and, where the URL is https://, TLS; a WebSocket's bytes are ours
 * (handshake.h, server_frames.h), over the connection that libcurl made.
 */
#ifndef ONSALE_ENGINES_UPSTREAM_UPSTREAM_H
#define ONSALE_ENGINES_UPSTREAM_UPSTREAM_H

#include "base/bytes.h"
#include "base/result.h"
#include "engines/upstream/handshake.h"
#include "engines/upstream/server_frames.h"

#include <curl/curl.h>

struct upstream;

/* OK, or INVALID_FIELD: not http:// or https:// with a host, and perhaps a port, and nothing more. */
MUST_USE enum result upstream_check_url(const char *url);
/* The URL has been found good. OVERLOADED when memory ran out. */
MUST_USE enum result upstream_new(const char *url, struct upstream **upstream);
/* Everything that is under way has been dropped before. NULL is allowed. */
void upstream_free(struct upstream *upstream);

/* Waits until something moves, at most so long, and moves it. */
void upstream_run(struct upstream *upstream, int wait_ms);
/* Ends the wait. From any thread. */
void upstream_wake(struct upstream *upstream);

/* What libcurl's handle is for: the first member of what it hands back. */
enum upstream_work { UPSTREAM_GET = 0x67657421, UPSTREAM_LINE = 0x6c696e65 };

/* ---- documents ---- */

#define UPSTREAM_ETAG_BYTES 80
#define UPSTREAM_PATH_BYTES 120

/* One GET at a time; the caller's, all zero at first. */
struct upstream_get {
    enum upstream_work work; /* private */

    /* set by the caller */
    char path[UPSTREAM_PATH_BYTES];
    size_t most;                    /* of its body; over it, it is as if there had been no answer */
    char etag[UPSTREAM_ETAG_BYTES]; /* of what the caller has, or "" ; of the body that came, in `done` */
    int timeout_ms;
    void *context;
    void (*done)(struct upstream_get *get);

    /* for `done` */
    unsigned status;   /* 0: none that was whole */
    struct bytes body; /* until `done` returns */

    struct upstream *upstream; /* private, to the end */
    CURL *easy;                /* while under way */
    struct curl_slist *fields;
    struct buffer taken;
    char new_etag[UPSTREAM_ETAG_BYTES];
};

/* Not while it is under way. When it cannot even begin, `done` is called at once. */
void upstream_get(struct upstream *upstream, struct upstream_get *get);
static inline bool upstream_get_is_under_way(const struct upstream_get *get) {
    return get->easy;
}
/* Without `done`. Also when it is not under way. */
void upstream_get_drop(struct upstream_get *get);

/* ---- WebSockets ---- */

/*     CLOSED ──listen──▶ CONNECTING ──connected──▶ SHAKING ──101──▶ OPEN
 *       ▲                    │                        │               │
 *       └────────────────────┴─────── ended ──────────┴───────────────┘      */
enum upstream_line_state { LINE_CLOSED, LINE_CONNECTING, LINE_SHAKING, LINE_OPEN };

/* One WebSocket; the caller's, all zero at first. */
struct upstream_line {
    enum upstream_work work; /* private */

    /* set by the caller */
    char path[UPSTREAM_PATH_BYTES];
    size_t most; /* of a message */
    void *context;
    void (*opened)(struct upstream_line *line);
    /* A message, whole. False: it makes no sense, and the line is closed (1002), without `ended`. */
    bool (*heard)(struct upstream_line *line, bool is_text, struct bytes message);
    void (*ended)(struct upstream_line *line, const char *why);

    enum upstream_line_state state; /* to be read only */

    /* private */
    struct upstream *upstream;
    struct upstream_line *next, **link;
    CURL *easy;
    curl_socket_t fd;
    unsigned wait; /* its place in what is waited for */
    bool has_more; /* its turn ended before its bytes did */
    bool is_asked; /* a ping is out */
    int64_t heard_ms, began_ms;
    int64_t counted_ms; /* the second in which frames are counted: since then, from `counted` on */
    uint64_t counted;
    struct handshake handshake;
    struct buffer in; /* of the handshake's answer */
    struct buffer out;
    struct server_frames frames;
};

/* Not while it is not CLOSED. Where it cannot even begin, `ended` is called at once. */
void upstream_listen(struct upstream *upstream, struct upstream_line *line);
/* Closes it, politely where that costs nothing (1001), without `ended`. Also when it is closed. */
void upstream_line_drop(struct upstream_line *line);

#endif
