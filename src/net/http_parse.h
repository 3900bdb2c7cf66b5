/* The grammar of a request (RFC 9110, RFC 9112, RFC 3986), without I/O and without memory of its own.
 *
 * A head is read line by line, each as soon as it is whole, so that a fault is told at the line that has it and not
 * when the head is complete. What a call finds depends on the bytes alone, never on how they were cut into reads.
 * Nothing is examined more than twice: a head that came in pieces is read once more when it is whole, since no pointer
 * into the caller's buffer is kept between calls.
 *
 * What can go wrong: a fault is a result with words for the `detail` of a problem document; after it the connection
 * cannot be trusted any more and has to be closed. Bytes that cannot be the start of any request are `foreign` (TLS,
 * for one): they deserve no answer.
 */
#ifndef ONSALE_NET_HTTP_PARSE_H
#define ONSALE_NET_HTTP_PARSE_H

#include "net/http.h"

enum http_step { HTTP_STEP_MORE, HTTP_STEP_DONE, HTTP_STEP_FAULT, HTTP_STEP_FOREIGN };

struct http_fault {
    enum result result;
    const char *detail; /* a static string */
};

/* Where the parse of a head stands, and how its request is framed. All zero at the start of each request. */
struct http_parse {
    uint64_t content_length; /* valid if has_length */
    uint32_t examined;       /* the lines before it are whole and right; on DONE the length of the head */
    uint32_t searched;       /* no line ends between `examined` and here */
    uint8_t field_count;
    uint8_t empty_lines;
    uint8_t method; /* enum http_method */
    bool has_request_line : 1;
    bool is_http_1_0 : 1;
    bool has_host : 1;
    bool has_length : 1;
    bool has_type : 1;
    bool is_chunked : 1;
    bool wants_close : 1;      /* Connection: close, or HTTP/1.0 */
    bool expects_continue : 1; /* Expect: 100-continue */
    bool is_odd_path : 1;      /* not in canonical form: there is nothing at such an address */
};

/* Reads the head at the start of `input`.
 *
 * MORE   the head is not complete; call again with the same bytes and those that came since
 * DONE   `request` has method, target, path, query, fields, content_type, and request_id where the client's is usable
 *        (else it is empty); its slices point into `input` (but for the "/" of an empty path in absolute form)
 * FAULT  *fault says why; `request` is cleared, as on MORE
 */
enum http_step http_parse_head(struct http_parse *parse, struct bytes input, struct http_request *request,
                               struct http_fault *fault);

/* A request of which nothing is known. */
void http_request_clear(struct http_request *request);

/* True if a request with this head carries a body. */
static inline bool http_parse_has_body(const struct http_parse *parse) {
    return parse->is_chunked || (parse->has_length && parse->content_length > 0);
}

/* RFC 9110 5.6.2: what a method or a field name is made of. */
bool http_is_token_char(char c);
/* What a field value is made of: visible, space, tab, and bytes above 0x7f. */
bool http_is_value_char(char c);

#endif
