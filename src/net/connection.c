#include "net/connection.h"
#include "net/reactor_state.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/panic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS_A_TURN 8       /* then the others get their turn */
#define INPUT_ROOM_BYTES 512 /* a read with less room is not worth its call */
#define OWN_INPUT_BYTES 1024 /* the smallest buffer of a connection's own */

static bool is_borrowed(const struct connection *connection) {
    return connection->input.at == connection->reactor->input;
}

static void drop_input(struct connection *connection) {
    if (!is_borrowed(connection))
        free(connection->input.at);
    connection->input = (struct input){0};
}

static size_t write_peer(const struct sockaddr_storage *peer, char text[static INET6_ADDRSTRLEN]) {
    const char *written = NULL;
    if (peer->ss_family == AF_INET) {
        written = inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, text, INET6_ADDRSTRLEN);
    } else if (peer->ss_family == AF_INET6) {
        const struct in6_addr *address = &((const struct sockaddr_in6 *)peer)->sin6_addr;
        /* One client, one text, whichever socket it came through. */
        written = IN6_IS_ADDR_V4MAPPED(address) ? inet_ntop(AF_INET, address->s6_addr + 12, text, INET6_ADDRSTRLEN)
                                                : inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN);
    }
    return written ? strlen(written) : 0;
}

void connection_open(struct connection *connection, int fd, uint8_t listener, const struct sockaddr_storage *peer) {
    assert(connection->state == CONNECTION_FREE);
    struct reactor *reactor = connection->reactor;
    connection->fd = fd;
    connection->listener = listener;
    connection->state = CONNECTION_WAITING;
    connection->peer_length = (uint8_t)write_peer(peer, connection->peer);
    connection->may_be_readable = connection->peer_is_done = connection->hung_up = false;
    connection->has_answered = connection->has_progressed = connection->is_stuck = connection->is_broken = false;
    connection->parse = (struct http_parse){0};
    wait_begin(&reactor->waits, connection->slot, WAIT_IDLE, reactor->now_us);
    metric_add(METRIC_CONNECTIONS_OPEN, 1);
}

void connection_close(struct connection *connection) {
    assert(connection->state != CONNECTION_FREE);
    struct reactor *reactor = connection->reactor;
    close(connection->fd);
    drop_input(connection);
    if (connection->output)
        output_free(&reactor->outputs, connection->output);
    connection->output = NULL;
    exchange_end(&connection->exchange);
    wait_begin(&reactor->waits, connection->slot, WAIT_NONE, 0);
    connection->state = CONNECTION_FREE;
    connection->generation++;
    metric_add(METRIC_CONNECTIONS_OPEN, -1);
    reactor_give_back(reactor, connection);
}

/* Closes without leaving the kernel to go on trying to send what nobody reads. */
static void abort_connection(struct connection *connection) {
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    connection_close(connection);
}

static const struct http_service *service_of(const struct connection *connection) {
    return &connection->reactor->listeners[connection->listener].service;
}

static void make_request_id(struct reactor *reactor, uint64_t sequence, char text[static 17]) {
    /* Sebastiano Vigna's splitmix64: one to one, so that no id of a reactor comes twice. */
    uint64_t x = reactor->id_seed + sequence * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    hex_encode((const uint8_t *)&x, sizeof x, text);
    text[16] = 0;
}

/* The exchange begins: from here on there will be an answer. */
static void begin_exchange(struct connection *connection) {
    struct reactor *reactor = connection->reactor;
    struct exchange *exchange = &connection->exchange;
    exchange_begin(exchange, ++reactor->sequence);
    exchange->is_head = connection->parse.has_request_line && connection->parse.method == HTTP_HEAD;
    exchange->close_after = connection->parse.wants_close;
    if (reactor->request.request_id[0])
        memcpy(exchange->request_id, reactor->request.request_id, sizeof exchange->request_id);
    else
        make_request_id(reactor, exchange->sequence, exchange->request_id);
}

/* What the parser does not know of a request. */
static void complete_request(struct connection *connection, struct bytes body) {
    struct reactor *reactor = connection->reactor;
    struct http_request *request = &reactor->request;
    request->body = body;
    request->peer = (struct bytes){connection->peer, connection->peer_length};
    memcpy(request->request_id, connection->exchange.request_id, sizeof request->request_id);
    request->sequence = connection->exchange.sequence;
    request->arrived_us = reactor->now_us;
}

static void finish_exchange(struct connection *connection) {
    assert(connection->exchange.state == EXCHANGE_ANSWERED);
    connection->exchange.state = EXCHANGE_NONE;
    connection->state = connection->exchange.close_after ? CONNECTION_CLOSING : CONNECTION_WAITING;
    connection->has_answered = true;
    connection->parse = (struct http_parse){0};
    if (connection->state == CONNECTION_CLOSING)
        drop_input(connection);
}

static void refuse(struct connection *connection, enum result result, const char *detail) {
    const struct http_service *service = service_of(connection);
    reactor_empty_scratch(connection->reactor);
    service->refuse(service->context, &connection->exchange, &connection->reactor->request, result, detail);
    assert(connection->exchange.state == EXCHANGE_ANSWERED);
    finish_exchange(connection);
}

/* After a fault nobody knows where the next request would begin: one answer, then the end. */
static void refuse_and_close(struct connection *connection, struct http_fault fault) {
    metric_add(METRIC_HTTP_MALFORMED, 1);
    http_request_clear(&connection->reactor->request);
    if (connection->exchange.state == EXCHANGE_NONE)
        begin_exchange(connection);
    complete_request(connection, (struct bytes){NULL, 0});
    connection->exchange.close_after = true;
    refuse(connection, fault.result, fault.detail);
}

/* Hands the whole request over. `next` is where the bytes behind it begin. */
static void handle(struct connection *connection, struct bytes body, uint32_t next) {
    struct reactor *reactor = connection->reactor;
    struct exchange *exchange = &connection->exchange;
    const struct http_service *service = service_of(connection);
    complete_request(connection, body);
    reactor_empty_scratch(reactor);
    reactor->requests_not_counted++;
    reactor->handling = connection;
    panic_context(exchange->request_id);
    service->handle(service->context, exchange, &reactor->request);
    panic_context(NULL);
    reactor->handling = NULL;
    connection->input.start = next;
    if (exchange->state == EXCHANGE_PARKED) {
        connection->state = CONNECTION_PARKED;
        return;
    }
    assert(exchange->state == EXCHANGE_ANSWERED); /* a handler answers or parks */
    finish_exchange(connection);
}

static void send_continue(struct connection *connection) {
    static const struct bytes line = BYTES("HTTP/1.1 100 Continue\r\n\r\n");
    struct reactor *reactor = connection->reactor;
    if (!connection->output)
        connection->output = output_new(&reactor->outputs);
    char *room = connection->output ? output_reserve(connection->output, line.length) : NULL;
    if (!room) {
        connection->is_broken = true;
        return;
    }
    memcpy(room, line.at, line.length);
    output_commit(connection->output, line.length);
}

/* The handlers below return false when they need more bytes. */

static bool body_is_not_whole(struct connection *connection, bool is_first_look, bool is_empty) {
    if (is_first_look && is_empty && connection->parse.expects_continue)
        send_continue(connection);
    return false;
}

/* Looks at the body as far as it came; handles the request if it is whole. */
static bool handle_body(struct connection *connection, bool is_first_look) {
    struct input *input = &connection->input;
    uint32_t body_start = input->start + connection->parse.examined;
    uint32_t undecoded = body_start + connection->body_bytes;
    uint32_t arrived = input->end - undecoded;
    uint32_t next;
    if (connection->parse.is_chunked) {
        size_t consumed = 0;
        size_t decoded = 0;
        struct http_fault fault;
        enum http_step step =
            http_chunks_decode(&connection->chunks, input->at + undecoded, arrived, &consumed, &decoded, &fault);
        connection->body_bytes += (uint32_t)decoded;
        if (step == HTTP_STEP_FAULT) {
            refuse_and_close(connection, fault);
            return true;
        }
        if (step == HTTP_STEP_MORE) {
            input->end = body_start + connection->body_bytes;
            return body_is_not_whole(connection, is_first_look, arrived == 0);
        }
        next = undecoded + (uint32_t)consumed;
    } else {
        if (arrived < connection->parse.content_length)
            return body_is_not_whole(connection, is_first_look, arrived == 0);
        connection->body_bytes = (uint32_t)connection->parse.content_length;
        next = body_start + connection->body_bytes;
    }
    if (!is_first_look) {
        struct http_parse again = {0};
        struct http_fault fault;
        enum http_step step =
            http_parse_head(&again, (struct bytes){input->at + input->start, connection->parse.examined},
                            &connection->reactor->request, &fault);
        assert(step == HTTP_STEP_DONE);
    }
    handle(connection, (struct bytes){input->at + body_start, connection->body_bytes}, next);
    return true;
}

/* The head is whole: asks whether, and with how long a body, it is welcome. */
static bool admit(struct connection *connection) {
    struct reactor *reactor = connection->reactor;
    const struct http_service *service = service_of(connection);
    const struct http_parse *parse = &connection->parse;
    begin_exchange(connection);
    complete_request(connection, (struct bytes){NULL, 0});
    size_t max_body = 0;
    enum result result =
        parse->is_odd_path ? RESULT_NOT_FOUND : service->admit(service->context, &reactor->request, &max_body);
    assert(max_body <= UINT32_MAX / 4);
    if (result == RESULT_OK && parse->has_length && parse->content_length > max_body)
        result = RESULT_BODY_TOO_LARGE;
    if (result != RESULT_OK) {
        if (http_parse_has_body(parse))
            connection->exchange.close_after = true;
        connection->input.start += parse->examined;
        reactor->requests_not_counted++;
        refuse(connection, result, NULL);
        return true;
    }
    connection->state = CONNECTION_BODY;
    connection->body_bytes = 0;
    if (parse->is_chunked)
        http_chunks_init(&connection->chunks, max_body);
    return handle_body(connection, true);
}

static bool handle_head(struct connection *connection) {
    struct input *input = &connection->input;
    struct http_parse *parse = &connection->parse;
    struct http_fault fault;
    switch (http_parse_head(parse, (struct bytes){input->at + input->start, input->end - input->start},
                            &connection->reactor->request, &fault)) {
    case HTTP_STEP_DONE:
        return admit(connection);
    case HTTP_STEP_FAULT:
        refuse_and_close(connection, fault);
        return true;
    case HTTP_STEP_FOREIGN:
        metric_add(METRIC_HTTP_MALFORMED, 1);
        connection->peer_is_done = true; /* nobody there to linger for */
        connection->state = CONNECTION_CLOSING;
        drop_input(connection);
        return true;
    case HTTP_STEP_MORE:
        break;
    }
    if (!parse->has_request_line && parse->examined == input->end - input->start) {
        /* Empty lines are nothing of a request: no buffer, no new deadline; only their count is kept. */
        *parse = (struct http_parse){.empty_lines = parse->empty_lines};
        connection->state = CONNECTION_WAITING;
        drop_input(connection);
    } else {
        connection->state = CONNECTION_HEAD;
    }
    return false;
}

/* Handles what is here, in order. True if it stopped only because there are too many answers to send first. */
static bool handle_input(struct connection *connection) {
    struct input *input = &connection->input;
    for (;;) {
        if (connection->state != CONNECTION_WAITING && connection->state != CONNECTION_HEAD &&
            connection->state != CONNECTION_BODY)
            return false;
        if (input->start == input->end) {
            drop_input(connection);
            return false;
        }
        if (connection->output && output_is_full(connection->output))
            return true;
        if (!(connection->state == CONNECTION_BODY ? handle_body(connection, false) : handle_head(connection)))
            return false;
    }
}

/* Room to read into. False when memory ran out. */
static bool make_room(struct connection *connection) {
    struct input *input = &connection->input;
    if (!input->at)
        *input = (struct input){.at = connection->reactor->input, .capacity = LIMIT_INPUT_BYTES};
    if (input->capacity - input->end >= INPUT_ROOM_BYTES)
        return true;
    uint32_t length = input->end - input->start;
    if (input->start >= INPUT_ROOM_BYTES) {
        memmove(input->at, input->at + input->start, length);
        input->start = 0;
        input->end = length;
        return true;
    }
    uint32_t capacity = input->capacity * 2;
    char *at = malloc(capacity);
    if (!at)
        return false;
    memcpy(at, input->at + input->start, length);
    drop_input(connection);
    *input = (struct input){.at = at, .end = length, .capacity = capacity};
    return true;
}

/* One read. False if the connection is lost. */
static bool receive(struct connection *connection) {
    if (!make_room(connection))
        return false;
    struct input *input = &connection->input;
    size_t room = input->capacity - input->end;
    ssize_t got;
    do {
        got = recv(connection->fd, input->at + input->end, room, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        connection->may_be_readable = false;
        return errno == EAGAIN || errno == EWOULDBLOCK;
    }
    if (got == 0)
        connection->peer_is_done = true;
    input->end += (uint32_t)got;
    /* A read that came back short has emptied the socket, and what comes later makes a new edge: no second call. */
    if (got == 0 || ((size_t)got < room && !connection->hung_up))
        connection->may_be_readable = false;
    connection->reactor->now_us = clock_monotonic_us();
    return true;
}

/* False if the connection is lost. */
static bool send_output(struct connection *connection) {
    struct output *output = connection->output;
    if (connection->is_broken || (output && output->failed))
        return false;
    if (!output)
        return true;
    bool progressed = false;
    enum output_sent sent = output_send(output, connection->fd, &progressed);
    if (progressed)
        connection->has_progressed = true;
    connection->is_stuck = sent == OUTPUT_SOME;
    if (sent == OUTPUT_ALL) {
        output_free(&connection->reactor->outputs, output);
        connection->output = NULL;
    }
    return sent != OUTPUT_BROKEN;
}

/* Drops what still comes, until the client has closed too. */
static void linger(struct connection *connection) {
    char *waste = connection->reactor->input;
    for (;;) {
        ssize_t got = recv(connection->fd, waste, LIMIT_INPUT_BYTES, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (got > 0)
            connection->body_bytes += (uint32_t)got;
        if (got <= 0 || connection->body_bytes > LIMIT_LINGER_BYTES) {
            connection_close(connection);
            return;
        }
    }
}

static void begin_to_linger(struct connection *connection) {
    struct reactor *reactor = connection->reactor;
    (void)shutdown(connection->fd, SHUT_WR);
    connection->state = CONNECTION_LINGERING;
    connection->body_bytes = 0;
    wait_begin(&reactor->waits, connection->slot, WAIT_LINGER, reactor->now_us);
    linger(connection);
}

/* What is left of the reactor's buffer moves to one of the connection's own. False when memory ran out. */
static bool keep_input(struct connection *connection) {
    struct input *input = &connection->input;
    if (!is_borrowed(connection))
        return true;
    uint32_t length = input->end - input->start;
    if (length == 0) {
        drop_input(connection);
        return true;
    }
    uint32_t capacity = OWN_INPUT_BYTES;
    while (capacity < length + INPUT_ROOM_BYTES)
        capacity *= 2;
    char *at = malloc(capacity);
    if (!at)
        return false;
    memcpy(at, input->at + input->start, length);
    *input = (struct input){.at = at, .end = length, .capacity = capacity};
    return true;
}

static void wait_for_what_is_next(struct connection *connection) {
    static const uint8_t waits_in[] = {
        [CONNECTION_WAITING] = WAIT_IDLE, [CONNECTION_HEAD] = WAIT_HEAD,     [CONNECTION_BODY] = WAIT_BODY,
        [CONNECTION_PARKED] = WAIT_NONE,  [CONNECTION_CLOSING] = WAIT_WRITE,
    };
    struct reactor *reactor = connection->reactor;
    enum wait_kind kind = connection->output ? WAIT_WRITE : (enum wait_kind)waits_in[connection->state];
    bool is_another = kind != connection->wait.kind;
    if (is_another || (kind == WAIT_WRITE ? connection->has_progressed : connection->has_answered))
        wait_begin(&reactor->waits, connection->slot, kind, reactor->now_us);
    connection->has_answered = connection->has_progressed = false;
}

/* The end of a turn: nothing borrowed is kept, and the connection waits for something, or closes. */
static void settle(struct connection *connection) {
    if (connection->peer_is_done && connection->state != CONNECTION_PARKED) {
        /* Half a request stays half. */
        connection->state = CONNECTION_CLOSING;
        drop_input(connection);
    }
    if (!keep_input(connection)) {
        connection_close(connection);
        return;
    }
    if (connection->state == CONNECTION_CLOSING && !connection->output) {
        if (connection->peer_is_done)
            connection_close(connection);
        else
            begin_to_linger(connection);
        return;
    }
    wait_for_what_is_next(connection);
}

static bool may_read(const struct connection *connection) {
    return connection->may_be_readable && !connection->peer_is_done &&
           (connection->state == CONNECTION_WAITING || connection->state == CONNECTION_HEAD ||
            connection->state == CONNECTION_BODY);
}

void connection_turn(struct connection *connection) {
    if (connection->state == CONNECTION_LINGERING) {
        linger(connection);
        return;
    }
    if (connection->state == CONNECTION_PARKED && connection->exchange.state == EXCHANGE_ANSWERED)
        finish_exchange(connection);
    unsigned reads = 0;
    while (!connection->is_stuck) {
        bool waits_for_output = handle_input(connection);
        if (!send_output(connection)) {
            connection_close(connection);
            return;
        }
        if (waits_for_output)
            continue;
        if (connection->is_stuck || !may_read(connection))
            break;
        if (reads++ == READS_A_TURN) {
            reactor_make_ready(connection->reactor, connection);
            break;
        }
        if (!receive(connection)) {
            connection_close(connection);
            return;
        }
    }
    settle(connection);
}

void connection_event(struct connection *connection, uint32_t events) {
    if (events & (EPOLLERR | EPOLLHUP)) {
        connection_close(connection);
        return;
    }
    if (events & EPOLLRDHUP)
        connection->hung_up = true;
    if (events & (EPOLLIN | EPOLLRDHUP))
        connection->may_be_readable = true;
    if (events & EPOLLOUT)
        connection->is_stuck = false;
    if (connection->output || connection->may_be_readable)
        connection_turn(connection);
}

void connection_timed_out(struct connection *connection) {
    switch ((enum wait_kind)connection->wait.kind) {
    case WAIT_HEAD:
    case WAIT_BODY:
        metric_add(METRIC_CONNECTIONS_TIMED_OUT, 1);
        refuse_and_close(connection, (struct http_fault){RESULT_REQUEST_TIMEOUT, NULL});
        connection_turn(connection);
        return;
    case WAIT_WRITE:
        metric_add(METRIC_CONNECTIONS_TIMED_OUT, 1);
        abort_connection(connection);
        return;
    case WAIT_IDLE:
    case WAIT_LINGER:
        connection_close(connection);
        return;
    case WAIT_NONE:
    case WAIT_KIND_COUNT:
        break;
    }
    impossible("the wait of a connection that waits for nothing is over");
}

void connection_stop(struct connection *connection) {
    if (connection->state == CONNECTION_WAITING || connection->state == CONNECTION_HEAD) {
        /* A request that is already in the socket is still answered. */
        connection->may_be_readable = true;
        uint32_t generation = connection->generation;
        connection_turn(connection);
        if (connection->generation != generation)
            return;
    }
    if (connection->state == CONNECTION_WAITING || connection->state == CONNECTION_HEAD) {
        connection->state = CONNECTION_CLOSING;
        drop_input(connection);
        if (!connection->output)
            connection_close(connection);
    }
}
