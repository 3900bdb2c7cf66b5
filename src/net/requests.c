/* From bytes to requests: what is in the input is parsed, admitted, handled or refused, one request after the other. */
#include "net/connection.h"
#include "net/reactor_state.h"
#include "base/metrics.h"
#include "base/panic.h"

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
    request->is_http_1_0 = connection->parse.is_http_1_0;
    request->sequence = connection->exchange.sequence;
    request->arrived_us = reactor->now_us;
}

void connection_finish_exchange(struct connection *connection) {
    assert(connection->exchange.state == EXCHANGE_ANSWERED);
    connection->exchange.state = EXCHANGE_NONE;
    connection_move(connection, connection->exchange.close_after ? CONNECTION_ANSWERED_LAST : CONNECTION_ANSWERED);
    connection->has_answered = true;
    connection->parse = (struct http_parse){0};
    if (connection->state == CONNECTION_CLOSING)
        connection_drop_input(connection);
}

static void refuse(struct connection *connection, enum result result, const char *detail) {
    const struct http_service *service = service_of(connection);
    reactor_empty_scratch(connection->reactor);
    service->refuse(service->context, &connection->exchange, &connection->reactor->request, result, detail);
    assert(connection->exchange.state == EXCHANGE_ANSWERED);
    connection_finish_exchange(connection);
}

void connection_refuse_and_close(struct connection *connection, struct http_fault fault) {
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
        connection_move(connection, CONNECTION_PUT_OFF);
        return;
    }
    assert(exchange->state == EXCHANGE_ANSWERED); /* a handler answers, parks or takes over */
    if (reactor->joining) {
        struct channel_part *part = reactor->joining;
        reactor->joining = NULL;
        member_begin(connection, part, reactor->joins_from ? &reactor->joining_from : NULL);
        return;
    }
    connection_finish_exchange(connection);
}

static void send_continue(struct connection *connection) {
    static const struct bytes line = BYTES("HTTP/1.1 100 Continue\r\n\r\n");
    struct output *output = connection_output(connection);
    char *room = output ? output_reserve(output, line.length) : NULL;
    if (!room)
        return;
    memcpy(room, line.at, line.length);
    output_commit(output, line.length);
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
            metric_add(METRIC_HTTP_MALFORMED, 1);
            connection_refuse_and_close(connection, fault);
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
    connection_move(connection, CONNECTION_ADMITTED);
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
        metric_add(METRIC_HTTP_MALFORMED, 1);
        connection_refuse_and_close(connection, fault);
        return true;
    case HTTP_STEP_FOREIGN:
        metric_add(METRIC_HTTP_MALFORMED, 1);
        connection->peer_is_done = true; /* nobody there to linger for */
        connection_move(connection, CONNECTION_ENDED);
        connection_drop_input(connection);
        return true;
    case HTTP_STEP_MORE:
        break;
    }
    if (!parse->has_request_line && parse->examined == input->end - input->start) {
        /* Empty lines are nothing of a request: no buffer, no new deadline; only their count is kept. */
        *parse = (struct http_parse){.empty_lines = parse->empty_lines};
        connection_move(connection, CONNECTION_EMPTIED);
        connection_drop_input(connection);
    } else {
        connection_move(connection, CONNECTION_BEGAN);
    }
    return false;
}

bool connection_handle_input(struct connection *connection) {
    struct input *input = &connection->input;
    for (;;) {
        /* Before the state: who is put off with nothing behind the request needs no buffer either. */
        if (input->start == input->end) {
            connection_drop_input(connection);
            return false;
        }
        if (!connection_hears(connection))
            return false;
        if (connection->output && output_is_full(connection->output))
            return true;
        bool goes_on = connection->state == CONNECTION_MEMBER ? member_hear(connection)
                       : connection->state == CONNECTION_BODY ? handle_body(connection, false)
                                                              : handle_head(connection);
        if (!goes_on)
            return false;
    }
}
