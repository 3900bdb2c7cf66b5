#include "net/member.h"
#include "net/channel.h"
#include "net/reactor_state.h"
#include "base/metrics.h"
#include "base/panic.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define UNSENT_BYTES (32 * 1024)

/* A control frame, behind what is to be sent already. */
static void say(struct connection *connection, uint8_t opcode, struct bytes payload) {
    assert(payload.length <= WEBSOCKET_CONTROL_BYTES);
    struct output *output = connection_output(connection);
    char *at = output ? output_reserve(output, 2 + payload.length) : NULL;
    if (!at)
        return;
    at[0] = (char)(WEBSOCKET_FINAL | opcode);
    at[1] = (char)payload.length;
    if (payload.length)
        memcpy(at + 2, payload.at, payload.length);
    output_commit(output, 2 + payload.length);
}

/* What brings the member up to date; NULL if it needs nothing. The caller drops it. False if there is no memory for
 * what it cannot do without. */
static bool find_newest(struct connection *connection, const struct websocket_known *known, struct blob **newest) {
    struct member *member = &connection->member;
    const struct channel_service *service = channel_service_of(member->part);
    channel_reached(connection);
    member->is_behind = false;
    struct blob *frame = known ? service->resume(service->context, known) : service->catch_up(service->context);
    bool is_known = frame && frame->version != 0 && frame->version <= member->version;
    if (is_known)
        blob_drop(frame);
    *newest = is_known ? NULL : frame;
    return frame || !service->every_frame_counts;
}

/* The kernel takes little more than what is on its way to a reader: of one that does not read, what is kept is old, and
 * ten thousand of them are many. Where it cannot be set, write_ms is the bound. */
static void limit_unsent(const struct connection *connection) {
    int most = UNSENT_BYTES;
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most);
}

void member_begin(struct connection *connection, struct channel_part *part, const struct websocket_known *known) {
    connection->exchange.state = EXCHANGE_NONE;
    connection_move(connection, CONNECTION_JOINED);
    connection->member = (struct member){.part = part};
    channel_join(connection);
    limit_unsent(connection);
    struct blob *newest;
    bool can_begin = find_newest(connection, known, &newest);
    if (newest && connection->output) {
        output_add_blob(connection->output, newest);
        connection->member.version = newest->version;
    }
    blob_drop(newest);
    if (connection->reactor->is_stopping)
        member_close(connection, WEBSOCKET_GOING_AWAY);
    else if (!can_begin)
        member_close(connection, WEBSOCKET_TRY_AGAIN);
}

bool member_hear(struct connection *connection) {
    struct input *input = &connection->input;
    struct websocket_said said;
    size_t consumed = 0;
    enum websocket_step step = websocket_frames_read(&connection->member.frames, input->at + input->start,
                                                     input->end - input->start, &consumed, &said);
    input->start += (uint32_t)consumed;
    switch (step) {
    case WEBSOCKET_STEP_MORE:
        return input->start == input->end;
    case WEBSOCKET_STEP_PING:
        say(connection, WEBSOCKET_PONG, said.payload);
        return true;
    case WEBSOCKET_STEP_CLOSE:
    case WEBSOCKET_STEP_FAULT:
        member_close(connection, said.code);
        return true;
    }
    impossible("a step that is none");
}

void member_heard(struct connection *connection) {
    connection->member.has_heard = true;
    connection->member.is_pinged = false;
}

/* What the socket did not take of the frame waits in an output. False if the connection is lost. */
static bool keep_rest(struct connection *connection, struct blob *frame, size_t sent) {
    struct output *output = connection_output(connection);
    if (!output)
        return false;
    output_add_blob_rest(output, frame, sent);
    connection->has_progressed = sent > 0;
    /* Until the socket says that it is full, or epoll would not tell when it is not any more. */
    return connection_send_output(connection);
}

void member_fall_behind(struct connection *connection) {
    if (!connection->member.is_behind)
        metric_add(METRIC_WEBSOCKET_BEHIND, 1);
    connection->member.is_behind = true;
}

bool member_tell(struct connection *connection, struct blob *frame) {
    struct member *member = &connection->member;
    if (frame->version != 0 && frame->version <= member->version)
        return true;
    member->version = frame->version;
    ssize_t sent;
    do {
        sent = send(connection->fd, frame->at, frame->length, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent == (ssize_t)frame->length)
        return true;
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
        return false;
    return keep_rest(connection, frame, sent < 0 ? 0 : (size_t)sent);
}

bool member_catch_up(struct connection *connection) {
    struct blob *newest;
    bool is_there = find_newest(connection, NULL, &newest);
    metric_add(METRIC_WEBSOCKET_CAUGHT_UP, newest != NULL);
    is_there = is_there && (!newest || member_tell(connection, newest));
    blob_drop(newest);
    return is_there;
}

void member_ping(struct connection *connection) {
    connection->member.is_pinged = true;
    say(connection, WEBSOCKET_PING, (struct bytes){NULL, 0});
}

void member_close(struct connection *connection, uint16_t code) {
    connection_move(connection, CONNECTION_ENDED);
    char payload[2] = {(char)(code >> 8), (char)code};
    say(connection, WEBSOCKET_CLOSE, (struct bytes){payload, code == WEBSOCKET_NO_CODE ? 0 : sizeof payload});
    connection_drop_input(connection);
}

void member_wait(struct connection *connection) {
    struct reactor *reactor = connection->reactor;
    struct member *member = &connection->member;
    enum wait_kind kind = connection->output ? WAIT_WRITE : member->is_pinged ? WAIT_PONG : WAIT_SILENT;
    bool is_anew = kind == WAIT_WRITE ? connection_goes_on(connection) : member->has_heard;
    if (is_anew || kind != connection->wait.kind)
        wait_begin(&reactor->waits, connection->slot, kind, reactor->now_us);
    connection->has_progressed = member->has_heard = false;
}
