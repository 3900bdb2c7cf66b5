/* A connection: from accept to close, one request after the other, or from some request on as a WebSocket.
 *
 * Happy path: the socket is readable → connection_turn() borrows the reactor's buffer, reads, handles every request
 * that is whole, and sends all their answers in one send → nothing is left, the buffer goes back, the connection waits.
 *
 *   WAITING ──bytes──▶ HEAD ──complete──▶ BODY ──complete──▶ (handler) ──answered──▶ WAITING
 *                       │                  │                     ├─put off─▶ PARKED ─answered─┘
 *                       │                  │                     └─taken over─▶ MEMBER ─close─┐
 *                       └──────fault───────┴──▶ CLOSING ──all sent──▶ LINGERING ──▶ FREE      │
 *                                                  ▲──────────────────────────────────────────┘
 *
 *   state      what is guaranteed in it                                               it waits at most
 *   FREE       no socket, no buffer; only generation and exchange.generation count    -
 *   WAITING    no exchange; no input buffer, but for requests behind stuck output     idle_ms, then closed silently
 *   HEAD       part of a head is in `input`; parse says how much is checked           head_ms, then 408
 *   BODY       the head was admitted; exchange has begun; part of the body is here    body_ms, then 408
 *   PARKED     the handler will answer later; nothing is read or handled meanwhile    as long as the handler takes
 *   MEMBER     a WebSocket, in its channel's list on this reactor; no exchange;       idle_ms, then a ping; after it
 *              `member` is in use, `parse` and `chunks` are not; in `input` at most   idle_ms again, then closed
 *              a frame that is not whole, but for frames behind stuck output
 *   CLOSING    the last answer, or the close, is made; nothing is read or handled     write_ms without progress
 *              any more
 *   LINGERING  all is sent and our side is shut; what still comes is dropped, so that LIMIT_LINGER_MS and _BYTES
 *              the client can read the answer before a reset could destroy it (RFC 9112 9.6)
 *
 * In each state but FREE and LINGERING there can be an output that the socket did not take yet: then nothing is read or
 * handled either, and the wait is for the client to take some (write_ms), whatever the state. Nothing is pushed then to
 * a member either: it `is_behind`.
 *
 * What can go wrong: the peer resets, or memory for a buffer runs out: the connection is closed, and a parked exchange
 * becomes stale (exchange_resume() says NULL).
 */
#ifndef ONSALE_NET_CONNECTION_H
#define ONSALE_NET_CONNECTION_H

#include "net/http.h"
#include "net/http_chunks.h"
#include "net/member.h"
#include "net/output.h"
#include "net/waits.h"

#include <netinet/in.h>

enum exchange_state { EXCHANGE_NONE, EXCHANGE_OPEN, EXCHANGE_PARKED, EXCHANGE_ANSWERED };

struct exchange {
    uint32_t magic;
    uint32_t generation; /* rises with each answer and with the connection's end; outlives them */
    uint64_t sequence;
    uint8_t state;
    bool is_head : 1; /* HEAD: the body is left out */
    bool close_after : 1;
    char request_id[37];
};

enum connection_state {
    CONNECTION_FREE,
    CONNECTION_WAITING,
    CONNECTION_HEAD,
    CONNECTION_BODY,
    CONNECTION_PARKED,
    CONNECTION_MEMBER,
    CONNECTION_CLOSING,
    CONNECTION_LINGERING,
    CONNECTION_STATE_COUNT
};

enum connection_event {
    CONNECTION_ACCEPTED,
    CONNECTION_BEGAN,         /* part of a head came */
    CONNECTION_EMPTIED,       /* it was only empty lines */
    CONNECTION_ADMITTED,      /* the head is whole and welcome */
    CONNECTION_PUT_OFF,       /* the handler parked the exchange */
    CONNECTION_JOINED,        /* the handler made it a member of a channel */
    CONNECTION_ANSWERED,      /* by handler or refusal */
    CONNECTION_ANSWERED_LAST, /* the same, and the connection is to close */
    CONNECTION_ENDED,         /* nothing more is to be answered */
    CONNECTION_SHUT,          /* all is sent, and so is our end */
    CONNECTION_CLOSED,
    CONNECTION_EVENT_COUNT
};

/* Bytes read and not handled yet: in a buffer of the connection's own or, during a turn, in the reactor's. */
struct input {
    char *at;
    uint32_t start;
    uint32_t end;
    uint32_t capacity;
};

struct connection {
    struct reactor *reactor;
    uint32_t slot;
    uint32_t generation; /* of the slot; what epoll hands back is checked against it */
    int fd;
    uint8_t listener; /* whose service answers */
    uint8_t state;
    uint8_t peer_length;
    bool may_be_readable : 1; /* there was an edge, and no read has come back short since */
    bool peer_is_done : 1;    /* the client will send no more */
    bool hung_up : 1;         /* epoll said so: read on until the end is reached */
    bool is_ready : 1;        /* in the reactor's list of those that go on without an event */
    bool has_answered : 1;    /* in this turn */
    bool has_progressed : 1;  /* in this turn the socket took something */
    bool is_stuck : 1;        /* the socket did not take all the output: epoll tells when it takes more */
    bool is_broken : 1;       /* memory for an answer ran out */
    uint32_t next_ready;      /* in that list */
    uint32_t body_bytes;      /* BODY, chunked: decoded so far; LINGERING: dropped so far */
    struct input input;
    struct output *output; /* NULL: nothing to send */
    struct wait wait;
    union {
        struct {
            struct http_parse parse;
            struct http_chunks chunks;
        };
        struct member member; /* MEMBER */
    };
    struct exchange exchange;
    char peer[INET6_ADDRSTRLEN];
};

static_assert(sizeof(struct connection) <= 256, "an idle connection stays small");

/* A connection for the accepted socket, in a slot of its own. */
void connection_open(struct connection *connection, int fd, uint8_t listener, const struct sockaddr_storage *peer);

/* Goes on as far as input, output, parking and fairness allow. May close the connection. */
void connection_turn(struct connection *connection);

/* What epoll says happened. May close the connection. */
void connection_event(struct connection *connection, uint32_t events);

/* Its wait is over. */
void connection_timed_out(struct connection *connection);

/* The reactor stops: without an answer under way it ends at once, else after the answer; a member is told. */
void connection_stop(struct connection *connection);

void connection_close(struct connection *connection);

/* Sends what the output has, as far as the socket takes it. False if the connection is lost: the caller closes it. */
bool connection_send_output(struct connection *connection);
/* In this turn the socket took something, and that gives it its time again: not while slow readers keep too much alive,
 * where to take a little now and then would be a way to keep it for good. */
bool connection_goes_on(const struct connection *connection);
/* The output to write to. NULL when memory ran out: the connection is broken, and closed with its turn. */
struct output *connection_output(struct connection *connection);

/* states.c. connection_is_sound() holds between turns: what the table above guarantees of each state. */
void connection_move(struct connection *connection, enum connection_event event);
bool connection_is_sound(const struct connection *connection);

void connection_drop_input(struct connection *connection);

/* In a state in which what the client sends is read and handled. */
static inline bool connection_hears(const struct connection *connection) {
    return connection->state == CONNECTION_WAITING || connection->state == CONNECTION_HEAD ||
           connection->state == CONNECTION_BODY || connection->state == CONNECTION_MEMBER;
}

/* requests.c. Handles what is in the input, in order. True if it stopped only because there are too many answers to
 * send first. */
bool connection_handle_input(struct connection *connection);
/* The exchange is answered. */
void connection_finish_exchange(struct connection *connection);
/* After a fault nobody knows where the next request would begin: one answer, then the end. */
void connection_refuse_and_close(struct connection *connection, struct http_fault fault);

/* exchange.c: an exchange begins with its request and ends, answered or not, with it or with the connection. */
void exchange_begin(struct exchange *exchange, uint64_t sequence);
void exchange_end(struct exchange *exchange);
/* Answers 101 with these headers; once the handler has returned the connection is a member. */
void exchange_join(struct exchange *exchange, struct bytes headers, struct channel_part *part,
                   const struct websocket_known *known);

#endif
