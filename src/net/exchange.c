/* Answers: an exchange from its request to its reply.
 *
 * Happy path: exchange_reply() writes head and body behind each other into the connection's output, where they join the
 * answers made before them; the connection sends them at the end of its turn. An exchange that was put off is answered
 * in the same way, and its connection then gets a turn of its own.
 *
 * What can go wrong: memory. The output is marked failed and the connection closed instead of sending half an answer.
 */
#include "net/reactor_state.h"
#include "base/container.h"
#include "base/panic.h"

#define EXCHANGE_MAGIC 0x45584348u
#define HEAD_EXTRA_BYTES 256 /* all of a head that is not the caller's: status line, date, request id, length */

static struct connection *exchange_connection(struct exchange *exchange) {
    assert(exchange && exchange->magic == EXCHANGE_MAGIC);
    return CONTAINER_OF(exchange, struct connection, exchange);
}

static struct bytes status_line(unsigned status) {
    switch (status) {
#define STATUS(code, words)                                                                                            \
    case code:                                                                                                         \
        return BYTES("HTTP/1.1 " #code " " words "\r\n");
        STATUS(101, "Switching Protocols")
        STATUS(200, "OK")
        STATUS(201, "Created")
        STATUS(202, "Accepted")
        STATUS(204, "No Content")
        STATUS(206, "Partial Content")
        STATUS(301, "Moved Permanently")
        STATUS(302, "Found")
        STATUS(303, "See Other")
        STATUS(304, "Not Modified")
        STATUS(307, "Temporary Redirect")
        STATUS(308, "Permanent Redirect")
        STATUS(400, "Bad Request")
        STATUS(401, "Unauthorized")
        STATUS(402, "Payment Required")
        STATUS(403, "Forbidden")
        STATUS(404, "Not Found")
        STATUS(405, "Method Not Allowed")
        STATUS(406, "Not Acceptable")
        STATUS(408, "Request Timeout")
        STATUS(409, "Conflict")
        STATUS(410, "Gone")
        STATUS(411, "Length Required")
        STATUS(412, "Precondition Failed")
        STATUS(413, "Content Too Large")
        STATUS(414, "URI Too Long")
        STATUS(415, "Unsupported Media Type")
        STATUS(416, "Range Not Satisfiable")
        STATUS(422, "Unprocessable Content")
        STATUS(425, "Too Early")
        STATUS(426, "Upgrade Required")
        STATUS(428, "Precondition Required")
        STATUS(429, "Too Many Requests")
        STATUS(431, "Request Header Fields Too Large")
        STATUS(500, "Internal Server Error")
        STATUS(501, "Not Implemented")
        STATUS(502, "Bad Gateway")
        STATUS(503, "Service Unavailable")
        STATUS(504, "Gateway Timeout")
        STATUS(505, "HTTP Version Not Supported")
#undef STATUS
    default:
        impossible("a handler answered with a status that this server does not know");
    }
}

static char *put(char *at, const void *data, size_t length) {
    memcpy(at, data, length);
    return at + length;
}

#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

static char *put_number(char *at, size_t value) {
    char digits[20];
    size_t n = sizeof digits;
    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return put(at, digits + n, sizeof digits - n);
}

/* The head, and room for `more` bytes behind it; NULL when memory ran out. The caller commits. */
static char *put_head(struct connection *connection, unsigned status, struct bytes headers, size_t body_length,
                      size_t more, char **start) {
    struct exchange *exchange = &connection->exchange;
    struct reactor *reactor = connection->reactor;
    char *at = output_reserve(connection->output, HEAD_EXTRA_BYTES + headers.length + more);
    if (!at)
        return NULL;
    *start = at;
    struct bytes line = status_line(status);
    at = put(at, line.at, line.length);
    at = put(at, reactor->date_line, DATE_LINE_BYTES);
    at = PUT(at, "X-Request-Id: ");
    at = put(at, exchange->request_id, strlen(exchange->request_id));
    at = PUT(at, "\r\n");
    if (headers.length)
        at = put(at, headers.at, headers.length);
    if (status != 101 && status != 204 && status != 304) {
        at = PUT(at, "Content-Length: ");
        at = put_number(at, body_length);
        at = PUT(at, "\r\n");
    }
    if (exchange->close_after && status != 101)
        at = PUT(at, "Connection: close\r\n");
    return PUT(at, "\r\n");
}

/* True if the answer can be written: false when memory ran out. */
static bool begin_reply(struct connection *connection, struct bytes headers) {
    struct exchange *exchange = &connection->exchange;
    assert(exchange->state == EXCHANGE_OPEN || exchange->state == EXCHANGE_PARKED);
    assert(headers.length == 0 ||
           (headers.length > 2 && headers.at[headers.length - 1] == '\n' && headers.at[headers.length - 2] == '\r'));
    if (exchange->state == EXCHANGE_PARKED)
        reactor_make_ready(connection->reactor, connection);
    exchange->state = EXCHANGE_ANSWERED;
    exchange->generation++;
    if (connection->reactor->is_stopping)
        exchange->close_after = true;
    return connection_output(connection) != NULL;
}

static bool has_body(const struct exchange *exchange, unsigned status) {
    return !exchange->is_head && status != 101 && status != 204 && status != 304;
}

void exchange_reply(struct exchange *exchange, unsigned status, struct bytes headers, struct bytes body) {
    struct connection *connection = exchange_connection(exchange);
    if (!begin_reply(connection, headers))
        return;
    size_t sent = has_body(exchange, status) ? body.length : 0;
    char *start;
    char *end = put_head(connection, status, headers, body.length, sent, &start);
    if (!end)
        return;
    if (sent)
        end = put(end, body.at, sent);
    output_commit(connection->output, (size_t)(end - start));
}

void exchange_reply_blob(struct exchange *exchange, unsigned status, struct bytes headers, struct blob *body) {
    struct connection *connection = exchange_connection(exchange);
    if (!begin_reply(connection, headers))
        return;
    char *start;
    char *end = put_head(connection, status, headers, body->length, 0, &start);
    if (!end)
        return;
    output_commit(connection->output, (size_t)(end - start));
    if (has_body(exchange, status))
        output_add_blob(connection->output, body);
}

void exchange_abort(struct exchange *exchange) {
    struct connection *connection = exchange_connection(exchange);
    if (begin_reply(connection, (struct bytes){NULL, 0}))
        connection->is_broken = true;
}

void exchange_close_after(struct exchange *exchange) {
    assert(exchange_connection(exchange)->exchange.state != EXCHANGE_ANSWERED);
    exchange->close_after = true;
}

struct reactor *exchange_reactor(struct exchange *exchange) {
    return exchange_connection(exchange)->reactor;
}

const char *exchange_request_id(const struct exchange *exchange) {
    assert(exchange->magic == EXCHANGE_MAGIC);
    return exchange->request_id;
}

struct buffer *exchange_scratch(struct exchange *exchange) {
    return &exchange_connection(exchange)->reactor->scratch;
}

void exchange_join(struct exchange *exchange, struct bytes headers, struct channel_part *part,
                   const struct websocket_known *known) {
    struct connection *connection = exchange_connection(exchange);
    assert(exchange->state == EXCHANGE_OPEN);
    assert(connection->reactor->handling == connection);
    exchange_reply(exchange, 101, headers, (struct bytes){NULL, 0});
    connection->reactor->joining = part;
    connection->reactor->joins_from = known != NULL;
    if (known)
        connection->reactor->joining_from = *known;
}

struct exchange_ref exchange_park(struct exchange *exchange) {
    struct connection *connection = exchange_connection(exchange);
    assert(exchange->state == EXCHANGE_OPEN);
    assert(connection->reactor->handling == connection);
    exchange->state = EXCHANGE_PARKED;
    return (struct exchange_ref){connection->reactor, connection->slot, exchange->generation};
}

struct exchange *exchange_resume(struct exchange_ref ref) {
    assert(ref.slot < ref.reactor->settings.max_connections);
    struct connection *connection = &ref.reactor->connections[ref.slot];
    struct exchange *exchange = &connection->exchange;
    if (exchange->state != EXCHANGE_PARKED || exchange->generation != ref.generation)
        return NULL;
    reactor_empty_scratch(ref.reactor);
    return exchange;
}

void exchange_begin(struct exchange *exchange, uint64_t sequence) {
    exchange->magic = EXCHANGE_MAGIC;
    exchange->sequence = sequence;
    exchange->state = EXCHANGE_OPEN;
    exchange->is_head = false;
    exchange->close_after = false;
    exchange->request_id[0] = 0;
}

void exchange_end(struct exchange *exchange) {
    exchange->state = EXCHANGE_NONE;
    exchange->generation++;
}
