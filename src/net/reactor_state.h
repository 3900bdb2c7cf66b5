/* What a reactor is made of; for reactor.c, connection.c and exchange.c only. */
#ifndef ONSALE_NET_REACTOR_STATE_H
#define ONSALE_NET_REACTOR_STATE_H

#include "net/connection.h"
#include "net/reactor.h"
#include "net/websocket.h"

#define DATE_LINE_BYTES 37 /* "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" */
#define NO_SLOT UINT32_MAX

struct listener {
    int fd;
    bool is_paused; /* out of descriptors or memory: not in epoll until accept_again_us */
    struct http_service service;
};

struct reactor {
    /* set once */
    struct reactor_settings settings;
    int epoll;
    int bell; /* eventfd */
    struct connection *connections;
    struct listener listeners[LIMIT_LISTENERS];
    unsigned listener_count;
    uint64_t id_seed;

    /* any thread */
    struct mailbox mailbox;
    atomic_int stop_drain_ms; /* -1: go on */

    /* owned by its thread */
    struct waits waits;
    uint32_t slots_touched; /* those from here on were never used */
    uint32_t free_slots;    /* list by wait.next */
    uint32_t open_count;
    uint32_t first_ready;
    uint32_t last_ready;
    bool is_stopping;
    bool is_out_of_descriptors;
    int64_t now_us;
    int64_t accept_again_us;
    int64_t stop_at_us;
    int64_t date_until_us;
    uint64_t sequence;
    uint64_t requests_not_counted;       /* in the metric yet */
    struct connection *handling;         /* whose handler runs */
    struct channel_part *joining;        /* what the handler makes that connection a member of; NULL: of nothing */
    struct websocket_known joining_from; /* what its viewer has, if it `joins_from` something */
    bool joins_from;
    struct channel_part *first_push; /* channels with members that a frame has not been sent to yet */
    struct channel_part *last_push;
    struct output_pool outputs;
    struct buffer scratch;
    struct http_request request;
    char date_line[DATE_LINE_BYTES + 1];
    char input[LIMIT_INPUT_BYTES];
};

/* The connection goes on after the events at hand, without an event of its own. */
void reactor_make_ready(struct reactor *reactor, struct connection *connection);

/* Before a body is built. */
void reactor_empty_scratch(struct reactor *reactor);

/* The slot may be used again. */
void reactor_give_back(struct reactor *reactor, struct connection *connection);

#endif
