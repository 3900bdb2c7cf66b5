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

void connection_drop_input(struct connection *connection) {
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
    struct reactor *reactor = connection->reactor;
    connection->fd = fd;
    connection->listener = listener;
    connection_move(connection, CONNECTION_ACCEPTED);
    connection->peer_length = (uint8_t)write_peer(peer, connection->peer);
    connection->may_be_readable = connection->peer_is_done = connection->hung_up = false;
    connection->has_answered = connection->has_progressed = connection->is_stuck = connection->is_broken = false;
    connection->parse = (struct http_parse){0};
    wait_begin(&reactor->waits, connection->slot, WAIT_IDLE, reactor->now_us);
    metric_add(METRIC_CONNECTIONS_OPEN, 1);
}

void connection_close(struct connection *connection) {
    struct reactor *reactor = connection->reactor;
    connection_move(connection, CONNECTION_CLOSED);
    close(connection->fd);
    connection_drop_input(connection);
    if (connection->output)
        output_free(&reactor->outputs, connection->output);
    connection->output = NULL;
    connection->is_stuck = false;
    exchange_end(&connection->exchange);
    wait_begin(&reactor->waits, connection->slot, WAIT_NONE, 0);
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
    connection_drop_input(connection);
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
    if (got > 0 && connection->state == CONNECTION_MEMBER)
        member_heard(connection);
    input->end += (uint32_t)got;
    /* A read that came back short has emptied the socket, and what comes later makes a new edge: no second call. */
    if (got == 0 || ((size_t)got < room && !connection->hung_up))
        connection->may_be_readable = false;
    connection->reactor->now_us = clock_monotonic_us();
    return true;
}

struct output *connection_output(struct connection *connection) {
    if (!connection->output)
        connection->output = output_new(&connection->reactor->outputs);
    if (!connection->output)
        connection->is_broken = true;
    return connection->output;
}

bool connection_send_output(struct connection *connection) {
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
    connection_move(connection, CONNECTION_SHUT);
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
        connection_drop_input(connection);
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

bool connection_goes_on(const struct connection *connection) {
    return connection->has_progressed && blob_live_bytes() <= LIMIT_BLOB_BYTES;
}

static void wait_for_what_is_next(struct connection *connection) {
    if (connection->state == CONNECTION_MEMBER) {
        member_wait(connection);
        return;
    }
    static const uint8_t waits_in[] = {
        [CONNECTION_WAITING] = WAIT_IDLE, [CONNECTION_HEAD] = WAIT_HEAD,     [CONNECTION_BODY] = WAIT_BODY,
        [CONNECTION_PARKED] = WAIT_NONE,  [CONNECTION_CLOSING] = WAIT_WRITE,
    };
    struct reactor *reactor = connection->reactor;
    enum wait_kind kind = connection->output ? WAIT_WRITE : (enum wait_kind)waits_in[connection->state];
    bool is_another = kind != connection->wait.kind;
    if (is_another || (kind == WAIT_WRITE ? connection_goes_on(connection) : connection->has_answered))
        wait_begin(&reactor->waits, connection->slot, kind, reactor->now_us);
    connection->has_answered = connection->has_progressed = false;
}

/* The end of a turn: nothing borrowed is kept, and the connection waits for something, or closes. */
static void settle(struct connection *connection) {
    if (connection->peer_is_done) {
        /* Its end was read behind all the rest: what came whole is answered and sent; half a request stays half. */
        connection_move(connection, CONNECTION_ENDED);
        connection_drop_input(connection);
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
    return connection->may_be_readable && !connection->peer_is_done && connection_hears(connection);
}

/* False if the connection is lost. */
static bool catch_up(struct connection *connection) {
    bool can = connection->state == CONNECTION_MEMBER && connection->member.is_behind && !connection->output;
    return !can || member_catch_up(connection);
}

static void take_turn(struct connection *connection) {
    if (connection->state == CONNECTION_LINGERING) {
        linger(connection);
        return;
    }
    if (connection->state == CONNECTION_PARKED && connection->exchange.state == EXCHANGE_ANSWERED)
        connection_finish_exchange(connection);
    unsigned reads = 0;
    while (!connection->is_stuck) {
        bool waits_for_output = connection_handle_input(connection);
        if (!connection_send_output(connection) || !catch_up(connection)) {
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

void connection_turn(struct connection *connection) {
    take_turn(connection);
    assert_deep(connection_is_sound(connection));
}

void connection_event(struct connection *connection, uint32_t events) {
    /* Both sides shut, or a reset. Who lingers reads to the end first: closing over unread bytes would be a reset. */
    if ((events & (EPOLLERR | EPOLLHUP)) && connection->state != CONNECTION_LINGERING) {
        connection_close(connection);
        return;
    }
    if (events & EPOLLRDHUP)
        connection->hung_up = true;
    if (events & (EPOLLIN | EPOLLRDHUP))
        connection->may_be_readable = true;
    if (events & EPOLLOUT)
        connection->is_stuck = false;
    if (connection->output || connection->may_be_readable || connection->state == CONNECTION_LINGERING)
        connection_turn(connection);
}

void connection_timed_out(struct connection *connection) {
    switch ((enum wait_kind)connection->wait.kind) {
    case WAIT_HEAD:
    case WAIT_BODY:
        metric_add(METRIC_CONNECTIONS_TIMED_OUT, 1);
        connection_refuse_and_close(connection, (struct http_fault){RESULT_REQUEST_TIMEOUT, NULL});
        connection_turn(connection);
        return;
    case WAIT_WRITE:
        metric_add(METRIC_CONNECTIONS_TIMED_OUT, 1);
        abort_connection(connection);
        return;
    case WAIT_SILENT:
        member_ping(connection);
        connection_turn(connection);
        return;
    case WAIT_PONG:
        metric_add(METRIC_CONNECTIONS_TIMED_OUT, 1);
        member_close(connection, WEBSOCKET_GOING_AWAY);
        connection_turn(connection);
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
    if (connection->state == CONNECTION_MEMBER) {
        member_close(connection, WEBSOCKET_GOING_AWAY);
        connection_turn(connection);
        return;
    }
    if (connection->state == CONNECTION_WAITING || connection->state == CONNECTION_HEAD) {
        /* A request that is already in the socket is still answered. */
        connection->may_be_readable = true;
        uint32_t generation = connection->generation;
        connection_turn(connection);
        if (connection->generation != generation)
            return;
    }
    if (connection->state == CONNECTION_WAITING || connection->state == CONNECTION_HEAD) {
        connection_move(connection, CONNECTION_ENDED);
        connection_drop_input(connection);
        if (!connection->output)
            connection_close(connection);
    }
}
