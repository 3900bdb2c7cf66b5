/* HTTP/1.1 as this server speaks it (RFC 9110, RFC 9112): what is ambiguous is refused, never repaired.
 *
 * This header is what a handler sees; the grammar is http_parse.h, the connections are reactor.h.
 *
 * A request reaches a handler whole: head and body. It is borrowed: every pointer in it dies when the handler returns.
 * A handler either answers before it returns (exchange_reply…), or parks the exchange (exchange_park), keeps the
 * `struct exchange_ref`, and answers later on the same reactor's thread (exchange_resume, then exchange_reply…).
 * Requests of one connection are handled one at a time, in order, so pipelined answers never change places; all the
 * answers made in one readable event leave in one send.
 */
#ifndef ONSALE_NET_HTTP_H
#define ONSALE_NET_HTTP_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"

struct reactor;
struct exchange; /* one request and its answer; lives in the connection */
struct blob;     /* blob.h: immutable shared bytes, reference-counted */

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_TRACE, /* this and the next are known, so that no route taking them is 405, not 501 */
    HTTP_QUERY,
    HTTP_METHOD_COUNT
};

/* "GET" … */
const char *http_method_name(enum http_method method);

struct http_field {
    struct bytes name; /* as sent; compare with bytes_equal_nocase */
    struct bytes value;
};

struct http_request {
    enum http_method method;
    struct bytes target; /* as sent */
    struct bytes path;   /* of the target, percent-decoding NOT done; canonical form is checked by the parser */
    struct bytes query;  /* behind '?', or empty */
    struct http_field fields[LIMIT_HEADER_FIELDS];
    unsigned field_count;
    struct bytes body;         /* dechunked */
    struct bytes content_type; /* or empty */
    struct bytes peer;         /* the client's address as text, without its port */
    bool is_http_1_0;
    char request_id[37]; /* the client's X-Request-Id if it is 1 to 36 of [A-Za-z0-9._-], else one made here */
    uint64_t sequence;   /* reactor-local, for logs */
    int64_t arrived_us;  /* clock_monotonic_us() when its last byte was read */
};

/* The value of the first field of that name, or an empty range with at == NULL. */
struct bytes http_field(const struct http_request *request, const char *name);
/* How many fields have that name. */
unsigned http_field_count(const struct http_request *request, const char *name);
/* Without the spaces and tabs around it. */
struct bytes http_trim(struct bytes text);
/* A list names the token, in any case: what stands between commas, spaces around it left out (RFC 9110 5.6.1). */
bool http_list_has(struct bytes list, struct bytes token);
/* The value of `name` in a query "a=1&b=2", not decoded; at == NULL if it is not there. */
struct bytes http_query(struct bytes query, const char *name);

/* Called when the head is complete, before any body is read; never for a path that is not in canonical form (the front
 * refuses those: NOT_FOUND). Sets *max_body to the most that this route takes (under 1 GiB) and returns RESULT_OK, or
 * refuses (NOT_FOUND, METHOD_NOT_ALLOWED, UNAUTHORIZED, UNSUPPORTED_MEDIA_TYPE …): the exchange is then answered
 * through `refuse` and the connection is closed after it if a body was announced. */
typedef enum result http_admit(void *context, const struct http_request *head, size_t *max_body);

/* Answers the request, or parks it. On the reactor's thread. */
typedef void http_handle(void *context, struct exchange *exchange, const struct http_request *request);

/* Answers with the problem document for a refusal made by the front itself or by `admit` (framing faults included).
 * `detail` may be NULL. `request` may be NULL or incomplete (no method or path known yet). Must reply before it
 * returns. */
typedef void http_refuse(void *context, struct exchange *exchange, const struct http_request *request,
                         enum result result, const char *detail);

struct http_service {
    void *context;
    http_admit *admit;
    http_handle *handle;
    http_refuse *refuse;
};

/* Answers. `headers` is zero or more complete field lines, each ended by CRLF; Date, X-Request-Id, Content-Length and,
 * where needed, Connection are added here. For HEAD the body's length is told and the body left out. For 304 and 204
 * no body and no length are sent. One answer an exchange; a second one is a panic. */
void exchange_reply(struct exchange *exchange, unsigned status, struct bytes headers, struct bytes body);

/* The same with a body that is shared, not copied: the exchange holds a reference until it is sent. */
void exchange_reply_blob(struct exchange *exchange, unsigned status, struct bytes headers, struct blob *body);

/* Cuts the connection instead of an answer, whatever was still to be sent on it. Counts as the exchange's answer. */
void exchange_abort(struct exchange *exchange);

/* 429, 503 …: the connection is closed once this exchange is answered. */
void exchange_close_after(struct exchange *exchange);

/* The reactor that this exchange belongs to, its request id, and an arena-like scratch buffer that handlers may use to
 * build a body: one a reactor, limited to 4 MiB, emptied before each request, each refusal and by each
 * exchange_resume(). So a handler that resumes others answers its own exchange first. */
struct reactor *exchange_reactor(struct exchange *exchange);
const char *exchange_request_id(const struct exchange *exchange);
struct buffer *exchange_scratch(struct exchange *exchange);

/* Names an exchange over time: a connection that has gone, or gone on, makes it stale. */
struct exchange_ref {
    struct reactor *reactor;
    uint32_t slot;
    uint32_t generation;
};

/* Puts the exchange off: the connection reads no further request until it is answered. On the reactor's thread, inside
 * the handler. */
struct exchange_ref exchange_park(struct exchange *exchange);

/* The parked exchange, or NULL if its client has gone. On the reactor's thread only: other threads send the reactor an
 * envelope (reactor.h). */
struct exchange *exchange_resume(struct exchange_ref ref);

#endif
