#include "net/http_parse.h"
#include "base/panic.h"

#define METHOD_BYTES 24 /* longer than any method there is */
#define VERSION_BYTES 8 /* HTTP/1.1 */
#define LINE_EXTRA_BYTES (METHOD_BYTES + 1 + 1 + VERSION_BYTES)

/* What a byte may be part of. */
#define TOKEN 1 /* method, field name */
#define VALUE 2 /* field value */
#define PATH 4  /* path of a target: pchar and '/', and the two that make it odd, ';' and '\' */
#define QUERY 8 /* visible ASCII but for '#' */
#define HOST 16 /* unreserved: what the name of a host is made of */

static const uint8_t kinds[256] = {
    ['\t'] = VALUE,
    [' '] = VALUE,
    ['"'] = VALUE | QUERY,
    ['#'] = VALUE | TOKEN,
    ['('] = VALUE | QUERY | PATH,
    [')'] = VALUE | QUERY | PATH,
    [','] = VALUE | QUERY | PATH,
    ['/'] = VALUE | QUERY | PATH,
    [':'] = VALUE | QUERY | PATH,
    [';'] = VALUE | QUERY | PATH,
    ['<'] = VALUE | QUERY,
    ['='] = VALUE | QUERY | PATH,
    ['>'] = VALUE | QUERY,
    ['?'] = VALUE | QUERY,
    ['@'] = VALUE | QUERY | PATH,
    ['['] = VALUE | QUERY,
    ['\\'] = VALUE | QUERY | PATH,
    [']'] = VALUE | QUERY,
    ['{'] = VALUE | QUERY,
    ['}'] = VALUE | QUERY,
    ['!'] = VALUE | QUERY | PATH | TOKEN,
    ['$'] = VALUE | QUERY | PATH | TOKEN,
    ['%'] = VALUE | QUERY | PATH | TOKEN,
    ['&'] = VALUE | QUERY | PATH | TOKEN,
    ['\''] = VALUE | QUERY | PATH | TOKEN,
    ['*'] = VALUE | QUERY | PATH | TOKEN,
    ['+'] = VALUE | QUERY | PATH | TOKEN,
    ['^'] = VALUE | QUERY | TOKEN,
    ['`'] = VALUE | QUERY | TOKEN,
    ['|'] = VALUE | QUERY | TOKEN,
    ['-'] = VALUE | QUERY | PATH | TOKEN | HOST,
    ['.'] = VALUE | QUERY | PATH | TOKEN | HOST,
    ['_'] = VALUE | QUERY | PATH | TOKEN | HOST,
    ['~'] = VALUE | QUERY | PATH | TOKEN | HOST,
    ['0' ... '9'] = VALUE | QUERY | PATH | TOKEN | HOST,
    ['A' ... 'Z'] = VALUE | QUERY | PATH | TOKEN | HOST,
    ['a' ... 'z'] = VALUE | QUERY | PATH | TOKEN | HOST,
    [0x80 ... 0xff] = VALUE,
};

static bool is(char c, uint8_t kind) {
    return kinds[(uint8_t)c] & kind;
}

static bool all_are(struct bytes text, uint8_t kind) {
    for (size_t i = 0; i < text.length; i++)
        if (!is(text.at[i], kind))
            return false;
    return true;
}

bool http_is_token_char(char c) {
    return is(c, TOKEN);
}

bool http_is_value_char(char c) {
    return is(c, VALUE);
}

static enum http_step refuse(struct http_fault *fault, enum result result, const char *detail) {
    *fault = (struct http_fault){result, detail};
    return HTTP_STEP_FAULT;
}

static enum http_step malformed(struct http_fault *fault, const char *detail) {
    return refuse(fault, RESULT_BAD_REQUEST, detail);
}

static struct bytes from(struct bytes text, size_t start) {
    return (struct bytes){text.at + start, text.length - start};
}

/* uri-host [ ":" port ] of RFC 9110 7.2, without what no host is called: percent-encoding, sub-delims, an empty name
 * and an empty port. */
static bool is_host(struct bytes host) {
    size_t end = 0;
    if (host.length && host.at[0] == '[') {
        for (end = 1; end < host.length && host.at[end] != ']'; end++)
            if (!is(host.at[end], HOST) && host.at[end] != ':')
                return false;
        if (end == 1 || end == host.length)
            return false;
        end++;
    } else {
        while (end < host.length && is(host.at[end], HOST))
            end++;
        if (end == 0)
            return false;
    }
    if (end == host.length)
        return true;
    uint64_t port;
    return host.at[end] == ':' && bytes_to_u64(from(host, end + 1), 65535, &port);
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* A path names one thing in one way: what could be read as another path (dot segments, empty segments, parameters,
 * encoded slashes, dots or controls) is odd. RFC 3986 6.2.2. False if it is no path at all. */
static bool check_path(struct bytes path, bool *odd) {
    for (size_t i = 0; i < path.length; i++) {
        char c = path.at[i];
        if (is(c, HOST))
            continue;
        if (!is(c, PATH))
            return false;
        if (c == ';' || c == '\\') {
            *odd = true;
        } else if (c == '/') {
            struct bytes rest = from(path, i + 1);
            size_t dots = 0;
            while (dots < rest.length && rest.at[dots] == '.')
                dots++;
            bool ends = dots == rest.length || rest.at[dots] == '/';
            if ((dots == 0 && rest.length && ends) || (ends && (dots == 1 || dots == 2)))
                *odd = true;
        } else if (c == '%') {
            int high = i + 2 < path.length ? hex_digit(path.at[i + 1]) : -1;
            int low = i + 2 < path.length ? hex_digit(path.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            int decoded = high << 4 | low;
            if (decoded <= ' ' || decoded == 0x7f || (decoded < 0x80 && (is((char)decoded, HOST))) ||
                memchr("/\\;%", decoded, 4))
                *odd = true;
        }
    }
    return true;
}

static enum http_step parse_target(struct http_parse *parse, struct bytes target, struct http_request *request,
                                   struct http_fault *fault) {
    struct bytes rest = target;
    if (target.at[0] != '/') {
        if (target.length == 1 && target.at[0] == '*' && parse->method == HTTP_OPTIONS) {
            request->path = target;
            return HTTP_STEP_MORE;
        }
        size_t scheme = 0;
        if (target.length > 7 && bytes_equal_nocase((struct bytes){target.at, 7}, BYTES("http://")))
            scheme = 7;
        else if (target.length > 8 && bytes_equal_nocase((struct bytes){target.at, 8}, BYTES("https://")))
            scheme = 8;
        else
            return malformed(fault, "the request target is neither a path nor an http URL");
        struct bytes authority = from(target, scheme);
        size_t end = 0;
        while (end < authority.length && authority.at[end] != '/' && authority.at[end] != '?')
            end++;
        if (!is_host((struct bytes){authority.at, end}))
            return malformed(fault, "the request target names no host");
        rest = from(authority, end);
    }
    const char *mark = memchr(rest.at, '?', rest.length);
    request->path = (struct bytes){rest.at, mark ? (size_t)(mark - rest.at) : rest.length};
    if (mark)
        request->query = from(rest, request->path.length + 1);
    bool odd = false;
    if (!check_path(request->path, &odd) || !all_are(request->query, QUERY))
        return malformed(fault, "the request target has a character that a URL cannot have");
    if (request->path.length == 0)
        request->path = BYTES("/");
    parse->is_odd_path = odd;
    return HTTP_STEP_MORE;
}

static bool find_method(struct bytes name, uint8_t *method) {
    for (int i = 0; i < HTTP_METHOD_COUNT; i++) {
        if (bytes_equal(name, bytes_of(http_method_name((enum http_method)i)))) {
            *method = (uint8_t)i;
            return true;
        }
    }
    return false;
}

static enum http_step parse_request_line(struct http_parse *parse, struct bytes line, struct http_request *request,
                                         struct http_fault *fault) {
    const char *space = memchr(line.at, ' ', line.length);
    struct bytes name = {line.at, space ? (size_t)(space - line.at) : line.length};
    if (!space || name.length == 0 || !all_are(name, TOKEN))
        return malformed(fault, "the request line does not begin with a method");
    struct bytes rest = from(line, name.length + 1);
    if (rest.length < 1 + 1 + VERSION_BYTES || rest.at[rest.length - VERSION_BYTES - 1] != ' ')
        return malformed(fault, "the request line does not end with a version");
    const char *version = rest.at + rest.length - VERSION_BYTES;
    if (memcmp(version, "HTTP/", 5) != 0 || version[5] < '0' || version[5] > '9' || version[6] != '.' ||
        version[7] < '0' || version[7] > '9')
        return malformed(fault, "the request line does not end with a version");
    if (version[5] != '1' || version[7] > '1')
        return refuse(fault, RESULT_HTTP_VERSION_NOT_SUPPORTED, NULL);
    struct bytes target = {rest.at, rest.length - VERSION_BYTES - 1};
    if (target.length > LIMIT_TARGET_BYTES)
        return refuse(fault, RESULT_TARGET_TOO_LONG, NULL);
    if (!find_method(name, &parse->method))
        return refuse(fault, RESULT_NOT_IMPLEMENTED, "this server does not implement that method");
    parse->is_http_1_0 = version[7] == '0';
    /* HTTP/1.0 has no framing to trust beyond one request. */
    parse->wants_close = parse->is_http_1_0;
    parse->has_request_line = true;
    request->method = (enum http_method)parse->method;
    request->target = target;
    return parse_target(parse, target, request, fault);
}

static enum http_step take_length(struct http_parse *parse, struct bytes value, struct http_fault *fault) {
    if (parse->has_length)
        return malformed(fault, "Content-Length is repeated");
    if (parse->is_chunked)
        return malformed(fault, "Content-Length beside Transfer-Encoding");
    if (!bytes_to_u64(value, UINT64_MAX, &parse->content_length))
        return malformed(fault, "Content-Length is not a number");
    parse->has_length = true;
    return HTTP_STEP_MORE;
}

static enum http_step take_coding(struct http_parse *parse, struct bytes value, struct http_fault *fault) {
    if (parse->is_chunked)
        return malformed(fault, "Transfer-Encoding is repeated");
    if (parse->has_length)
        return malformed(fault, "Content-Length beside Transfer-Encoding");
    if (parse->is_http_1_0)
        return malformed(fault, "Transfer-Encoding in HTTP/1.0");
    if (!bytes_equal_nocase(value, BYTES("chunked"))) {
        for (size_t i = 0; i < value.length; i++)
            if (!is(value.at[i], TOKEN) && !memchr(", \t", value.at[i], 3))
                return malformed(fault, "Transfer-Encoding is malformed");
        if (value.length == 0)
            return malformed(fault, "Transfer-Encoding is empty");
        return refuse(fault, RESULT_NOT_IMPLEMENTED, "this server implements no transfer coding but chunked");
    }
    parse->is_chunked = true;
    return HTTP_STEP_MORE;
}

static void take_request_id(struct bytes value, struct http_request *request) {
    if (request->request_id[0] || value.length < 1 || value.length >= sizeof request->request_id)
        return;
    for (size_t i = 0; i < value.length; i++)
        if (!is(value.at[i], HOST) || value.at[i] == '~')
            return;
    memcpy(request->request_id, value.at, value.length);
    request->request_id[value.length] = 0;
}

/* The fields that the front itself acts on. */
static enum http_step take_field(struct http_parse *parse, struct bytes name, struct bytes value,
                                 struct http_request *request, struct http_fault *fault) {
    switch (name.length) {
    case 4:
        if (bytes_equal_nocase(name, BYTES("host"))) {
            if (parse->has_host)
                return malformed(fault, "Host is repeated");
            if (!is_host(value))
                return malformed(fault, "Host is malformed");
            parse->has_host = true;
        }
        break;
    case 6:
        if (bytes_equal_nocase(name, BYTES("expect")) && !parse->is_http_1_0) {
            if (!bytes_equal_nocase(value, BYTES("100-continue")))
                return malformed(fault, "Expect is not 100-continue");
            parse->expects_continue = true;
        }
        break;
    case 10:
        if (bytes_equal_nocase(name, BYTES("connection")) && http_list_has(value, BYTES("close")))
            parse->wants_close = true;
        break;
    case 12:
        if (bytes_equal_nocase(name, BYTES("content-type"))) {
            if (parse->has_type)
                return malformed(fault, "Content-Type is repeated");
            parse->has_type = true;
            request->content_type = value;
        } else if (bytes_equal_nocase(name, BYTES("x-request-id"))) {
            take_request_id(value, request);
        }
        break;
    case 14:
        if (bytes_equal_nocase(name, BYTES("content-length")))
            return take_length(parse, value, fault);
        break;
    case 17:
        if (bytes_equal_nocase(name, BYTES("transfer-encoding")))
            return take_coding(parse, value, fault);
        break;
    default:
        break;
    }
    return HTTP_STEP_MORE;
}

static enum http_step parse_field(struct http_parse *parse, struct bytes line, struct http_request *request,
                                  struct http_fault *fault) {
    size_t colon = 0;
    while (colon < line.length && is(line.at[colon], TOKEN))
        colon++;
    if (colon == line.length || line.at[colon] != ':' || colon == 0) {
        bool space = colon < line.length && (line.at[colon] == ' ' || line.at[colon] == '\t');
        return malformed(fault, !space       ? "a field has no name"
                                : colon == 0 ? "a field goes over several lines"
                                             : "space before the colon of a field");
    }
    struct bytes name = {line.at, colon};
    struct bytes value = from(line, colon + 1);
    while (value.length && (value.at[0] == ' ' || value.at[0] == '\t'))
        value = from(value, 1);
    while (value.length && (value.at[value.length - 1] == ' ' || value.at[value.length - 1] == '\t'))
        value.length--;
    if (!all_are(value, VALUE))
        return malformed(fault, "a field has a control character");
    if (parse->field_count == LIMIT_HEADER_FIELDS)
        return refuse(fault, RESULT_HEADERS_TOO_LARGE, "there are too many fields");
    request->fields[parse->field_count++] = (struct http_field){name, value};
    return take_field(parse, name, value, request, fault);
}

static enum http_step parse_end(const struct http_parse *parse, struct http_request *request,
                                struct http_fault *fault) {
    if (!parse->has_host && !parse->is_http_1_0)
        return malformed(fault, "Host is missing");
    bool needs_length = parse->method == HTTP_POST || parse->method == HTTP_PUT || parse->method == HTTP_PATCH;
    if (needs_length && !parse->has_length && !parse->is_chunked)
        return refuse(fault, RESULT_LENGTH_REQUIRED, NULL);
    request->field_count = parse->field_count;
    return HTTP_STEP_DONE;
}

/* One whole line, without its LF. */
static enum http_step parse_line(struct http_parse *parse, struct bytes line, struct http_request *request,
                                 struct http_fault *fault) {
    if (line.length == 0 || line.at[line.length - 1] != '\r')
        return malformed(fault, "a line ends without CR");
    line.length--;
    if (line.length == 0) {
        if (parse->has_request_line)
            return parse_end(parse, request, fault);
        if (parse->empty_lines == LIMIT_EMPTY_LINES)
            return malformed(fault, "there are too many empty lines before the request");
        parse->empty_lines++;
        return HTTP_STEP_MORE;
    }
    if (parse->has_request_line)
        return parse_field(parse, line, request, fault);
    return parse_request_line(parse, line, request, fault);
}

/* A CR that has another byte than LF behind it. Any such line is a fault; this one goes before all others that the line
 * may have, since it can be seen before the line is whole. */
static bool has_bare_cr(struct bytes text) {
    while (text.length > 1) {
        const char *cr = memchr(text.at, '\r', text.length - 1);
        if (!cr)
            return false;
        if (cr[1] != '\n')
            return true;
        text = from(text, (size_t)(cr - text.at) + 1);
    }
    return false;
}

/* The bytes that the line at `examined` may have, its LF not counted. */
static size_t most_of_line(const struct http_parse *parse) {
    if (!parse->has_request_line)
        return LIMIT_TARGET_BYTES + LINE_EXTRA_BYTES;
    return parse->examined < LIMIT_HEAD_BYTES ? LIMIT_HEAD_BYTES - parse->examined - 1 : 0;
}

/* What can be said of the bytes from `examined` on before their line is whole, and of a line that is too long. Only its
 * first bytes up to the one that makes it too long count, so that the answer is the same however the bytes were cut. */
static enum http_step check_unfinished(const struct http_parse *parse, struct bytes text, struct http_fault *fault) {
    size_t most = most_of_line(parse);
    bool too_long = text.length > most;
    if (too_long)
        text.length = most + 1;
    if (has_bare_cr(text))
        return malformed(fault, "CR without LF");
    if (too_long)
        return refuse(fault, parse->has_request_line ? RESULT_HEADERS_TOO_LARGE : RESULT_TARGET_TOO_LONG, NULL);
    return HTTP_STEP_MORE;
}

/* A request begins with a printable character. What does not (TLS, a binary protocol) would not read an answer. */
static bool is_foreign(const struct http_parse *parse, struct bytes text) {
    return !parse->has_request_line && !is(text.at[0], TOKEN | VALUE) && text.at[0] != '\r' && text.at[0] != '\n';
}

static enum http_step parse_lines(struct http_parse *parse, struct bytes input, struct http_request *request,
                                  struct http_fault *fault) {
    for (;;) {
        struct bytes text = from(input, parse->examined);
        if (text.length == 0)
            return HTTP_STEP_MORE;
        const char *end = memchr(input.at + parse->searched, '\n', input.length - parse->searched);
        if (is_foreign(parse, text))
            return HTTP_STEP_FOREIGN;
        if (end)
            text.length = (size_t)(end - text.at);
        if (!end || text.length > most_of_line(parse)) {
            parse->searched = (uint32_t)input.length;
            return check_unfinished(parse, text, fault);
        }
        enum http_step step = parse_line(parse, text, request, fault);
        if (step == HTTP_STEP_FAULT) {
            if (has_bare_cr((struct bytes){text.at, text.length + 1}))
                return malformed(fault, "CR without LF");
            return step;
        }
        parse->examined += (uint32_t)text.length + 1;
        parse->searched = parse->examined;
        if (step == HTTP_STEP_DONE)
            return step;
    }
}

void http_request_clear(struct http_request *request) {
    request->method = HTTP_GET;
    request->target = request->path = request->query = request->body = request->content_type = (struct bytes){NULL, 0};
    request->field_count = 0;
    request->is_http_1_0 = false;
    request->request_id[0] = 0;
}

enum http_step http_parse_head(struct http_parse *parse, struct bytes input, struct http_request *request,
                               struct http_fault *fault) {
    bool resumed = parse->examined > 0;
    http_request_clear(request);
    enum http_step step = parse_lines(parse, input, request, fault);
    if (step == HTTP_STEP_DONE && resumed) {
        *parse = (struct http_parse){0};
        http_request_clear(request);
        step = parse_lines(parse, input, request, fault);
        assert(step == HTTP_STEP_DONE);
    }
    if (step != HTTP_STEP_DONE)
        http_request_clear(request);
    return step;
}
