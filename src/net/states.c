/* The machine of a connection (its states and what they guarantee are in connection.h). */
#include "net/connection.h"
#include "net/channel.h"
#include "net/reactor_state.h"
#include "base/machine.h"
#include "base/metrics.h"

static const char *const state_names[CONNECTION_STATE_COUNT] = {"FREE",   "WAITING", "HEAD",    "BODY",
                                                                "PARKED", "MEMBER",  "CLOSING", "LINGERING"};

static const struct machine_event events[CONNECTION_EVENT_COUNT] = {
    [CONNECTION_ACCEPTED] = {"accepted", METRIC_CONNECTIONS_ACCEPTED},
    [CONNECTION_BEGAN] = {"began", MACHINE_NOT_COUNTED},
    [CONNECTION_EMPTIED] = {"emptied", MACHINE_NOT_COUNTED},
    [CONNECTION_ADMITTED] = {"admitted", MACHINE_NOT_COUNTED},
    [CONNECTION_PUT_OFF] = {"put off", MACHINE_NOT_COUNTED},
    [CONNECTION_JOINED] = {"joined", MACHINE_NOT_COUNTED},
    [CONNECTION_ANSWERED] = {"answered", MACHINE_NOT_COUNTED},
    [CONNECTION_ANSWERED_LAST] = {"answered last", MACHINE_NOT_COUNTED},
    [CONNECTION_ENDED] = {"ended", MACHINE_NOT_COUNTED},
    [CONNECTION_SHUT] = {"shut", MACHINE_NOT_COUNTED},
    [CONNECTION_CLOSED] = {"closed", MACHINE_NOT_COUNTED},
};

/* What a connection does while requests come, in WAITING, HEAD and BODY alike. */
#define WHILE_REQUESTS_COME                                                                                            \
    [CONNECTION_ANSWERED] = MACHINE_TO(CONNECTION_WAITING),                                                            \
    [CONNECTION_ANSWERED_LAST] = MACHINE_TO(CONNECTION_CLOSING), [CONNECTION_ENDED] = MACHINE_TO(CONNECTION_CLOSING),  \
    [CONNECTION_CLOSED] = MACHINE_TO(CONNECTION_FREE)

static const uint8_t to[CONNECTION_STATE_COUNT][CONNECTION_EVENT_COUNT] = {
    [CONNECTION_FREE] = {[CONNECTION_ACCEPTED] = MACHINE_TO(CONNECTION_WAITING)},
    [CONNECTION_WAITING] =
        {WHILE_REQUESTS_COME, [CONNECTION_BEGAN] = MACHINE_TO(CONNECTION_HEAD),
         [CONNECTION_EMPTIED] = MACHINE_TO(CONNECTION_WAITING), [CONNECTION_ADMITTED] = MACHINE_TO(CONNECTION_BODY)},
    [CONNECTION_HEAD] =
        {WHILE_REQUESTS_COME, [CONNECTION_BEGAN] = MACHINE_TO(CONNECTION_HEAD),
         [CONNECTION_EMPTIED] = MACHINE_TO(CONNECTION_WAITING), [CONNECTION_ADMITTED] = MACHINE_TO(CONNECTION_BODY)},
    [CONNECTION_BODY] = {WHILE_REQUESTS_COME, [CONNECTION_PUT_OFF] = MACHINE_TO(CONNECTION_PARKED),
                         [CONNECTION_JOINED] = MACHINE_TO(CONNECTION_MEMBER)},
    [CONNECTION_PARKED] = {[CONNECTION_ANSWERED] = MACHINE_TO(CONNECTION_WAITING),
                           [CONNECTION_ANSWERED_LAST] = MACHINE_TO(CONNECTION_CLOSING),
                           [CONNECTION_CLOSED] = MACHINE_TO(CONNECTION_FREE)},
    [CONNECTION_MEMBER] =
        {[CONNECTION_ENDED] = MACHINE_TO(CONNECTION_CLOSING), [CONNECTION_CLOSED] = MACHINE_TO(CONNECTION_FREE)},
    [CONNECTION_CLOSING] = {[CONNECTION_ENDED] = MACHINE_TO(CONNECTION_CLOSING),
                            [CONNECTION_SHUT] = MACHINE_TO(CONNECTION_LINGERING),
                            [CONNECTION_CLOSED] = MACHINE_TO(CONNECTION_FREE)},
    [CONNECTION_LINGERING] = {[CONNECTION_CLOSED] = MACHINE_TO(CONNECTION_FREE)},
};

static const struct machine machine = {
    "a connection", CONNECTION_STATE_COUNT, CONNECTION_EVENT_COUNT, state_names, events, &to[0][0]};

void connection_move(struct connection *connection, enum connection_event event) {
    bool was_member = connection->state == CONNECTION_MEMBER;
    machine_move(&machine, &connection->state, (uint8_t)event);
    if (was_member)
        channel_leave(connection);
}

static bool waits_for(const struct connection *connection, enum wait_kind kind) {
    return connection->wait.kind == (connection->output ? WAIT_WRITE : kind);
}

static bool input_is_sound(const struct connection *connection) {
    const struct input *input = &connection->input;
    if (!input->at)
        return input->start == 0 && input->end == 0 && input->capacity == 0;
    return input->at != connection->reactor->input && input->start < input->end && input->end <= input->capacity;
}

static bool output_is_sound(const struct connection *connection) {
    return connection->output ? connection->output->pending > 0 : !connection->is_stuck;
}

static bool member_is_sound(const struct connection *connection) {
    const struct member *member = &connection->member;
    return member->part && (!member->is_behind || connection->output) &&
           waits_for(connection, member->is_pinged ? WAIT_PONG : WAIT_SILENT);
}

bool connection_is_sound(const struct connection *connection) {
    const struct exchange *exchange = &connection->exchange;
    const struct input *input = &connection->input;
    if (!input_is_sound(connection) || !output_is_sound(connection))
        return false;
    switch ((enum connection_state)connection->state) {
    case CONNECTION_FREE:
        return !input->at && !connection->output && connection->wait.kind == WAIT_NONE &&
               exchange->state == EXCHANGE_NONE;
    case CONNECTION_WAITING:
        return exchange->state == EXCHANGE_NONE && (!input->at || connection->is_stuck) &&
               waits_for(connection, WAIT_IDLE);
    case CONNECTION_HEAD:
        return exchange->state == EXCHANGE_NONE && input->at && waits_for(connection, WAIT_HEAD);
    case CONNECTION_BODY:
        return exchange->state == EXCHANGE_OPEN && input->at &&
               (uint64_t)input->start + connection->parse.examined + connection->body_bytes <= input->end &&
               waits_for(connection, WAIT_BODY);
    case CONNECTION_PARKED:
        return (exchange->state == EXCHANGE_PARKED || (exchange->state == EXCHANGE_ANSWERED && connection->is_ready)) &&
               waits_for(connection, WAIT_NONE);
    case CONNECTION_MEMBER:
        return exchange->state == EXCHANGE_NONE && member_is_sound(connection);
    case CONNECTION_CLOSING:
        return exchange->state == EXCHANGE_NONE && !input->at && connection->output &&
               connection->wait.kind == WAIT_WRITE;
    case CONNECTION_LINGERING:
        return exchange->state == EXCHANGE_NONE && !input->at && !connection->output &&
               connection->wait.kind == WAIT_LINGER;
    case CONNECTION_STATE_COUNT:
        break;
    }
    return false;
}
