/* The grammar of requests: what is read, what is refused with which result, and that neither depends on how the bytes
 * were cut into reads. */
#include "net/http_parse.h"
#include "base/panic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct outcome {
    enum http_step step;
    struct http_fault fault;
    struct http_parse parse;
};

static struct http_request request;

/* Feeds the input up to `cut`, then all of it; every call sees a buffer of exactly the bytes that it may look at. */
static struct outcome parse_cut(struct bytes input, size_t cut) {
    struct outcome outcome = {.step = HTTP_STEP_MORE};
    size_t ends[] = {cut, input.length};
    for (int i = 0; i < 2 && outcome.step == HTTP_STEP_MORE; i++) {
        static char *exact;
        free(exact);
        exact = malloc(ends[i] ? ends[i] : 1);
        memcpy(exact, input.at, ends[i]);
        outcome.step = http_parse_head(&outcome.parse, (struct bytes){exact, ends[i]}, &request, &outcome.fault);
    }
    return outcome;
}

static struct outcome parse_whole(struct bytes input) {
    return parse_cut(input, input.length);
}

static void assert_same(struct bytes input, struct outcome whole, size_t cut) {
    struct outcome pieces = parse_cut(input, cut);
    if (pieces.step != whole.step || (whole.step == HTTP_STEP_FAULT && (pieces.fault.result != whole.fault.result ||
                                                                        pieces.fault.detail != whole.fault.detail)))
        fail_msg("cut at %zu of %zu: step %d for %d, '%s' for '%s', in: %.*s", cut, input.length, (int)pieces.step,
                 (int)whole.step, pieces.fault.detail, whole.fault.detail, (int)input.length, input.at);
    if (whole.step != HTTP_STEP_DONE)
        return;
    assert_memory_equal(&pieces.parse, &whole.parse, sizeof whole.parse);
}

static void assert_same_at_every_cut(struct bytes input) {
    struct outcome whole = parse_whole(input);
    for (size_t cut = 0; cut < input.length; cut++)
        assert_same(input, whole, cut);
    /* One byte after the other. */
    struct outcome trickle = {.step = HTTP_STEP_MORE};
    for (size_t length = 1; length <= input.length && trickle.step == HTTP_STEP_MORE; length++)
        trickle.step = http_parse_head(&trickle.parse, (struct bytes){input.at, length}, &request, &trickle.fault);
    assert_int_equal(trickle.step, whole.step);
    if (whole.step == HTTP_STEP_FAULT)
        assert_int_equal(trickle.fault.result, whole.fault.result);
}

#define LINE "GET /a HTTP/1.1\r\n"
#define HOST "Host: x\r\n"
#define POST "POST /a HTTP/1.1\r\nHost: x\r\n"

struct accepted {
    struct bytes input;
    enum http_method method;
    const char *path;
    const char *query;
    unsigned fields;
};

static const struct accepted accepted[] = {
    {BYTES(LINE HOST "\r\n"), HTTP_GET, "/a", "", 1},
    {BYTES("HEAD /a?b=c&d HTTP/1.1\r\n" HOST "\r\n"), HTTP_HEAD, "/a", "b=c&d", 1},
    {BYTES("DELETE /api/v1/r~1 HTTP/1.1\r\n" HOST "\r\n"), HTTP_DELETE, "/api/v1/r~1", "", 1},
    {BYTES("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), HTTP_OPTIONS, "*", "", 1},
    {BYTES("TRACE /a HTTP/1.1\r\n" HOST "\r\n"), HTTP_TRACE, "/a", "", 1},
    {BYTES(POST "Content-Length: 0\r\n\r\n"), HTTP_POST, "/a", "", 2},
    {BYTES(POST "content-length:5\r\n\r\nhello"), HTTP_POST, "/a", "", 2},
    {BYTES(POST "Transfer-Encoding: Chunked\r\n\r\n"), HTTP_POST, "/a", "", 2},
    {BYTES("PUT / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n"), HTTP_PUT, "/", "", 2},
    {BYTES("PATCH / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n"), HTTP_PATCH, "/", "", 2},
    {BYTES(LINE HOST "Content-Length: 3\r\n\r\nabc"), HTTP_GET, "/a", "", 2},
    {BYTES("\r\n\r\n" LINE HOST "\r\n"), HTTP_GET, "/a", "", 1},
    {BYTES("GET http://example.com/a?b HTTP/1.1\r\n" HOST "\r\n"), HTTP_GET, "/a", "b", 1},
    {BYTES("GET HTTPS://Example.com:8443 HTTP/1.1\r\n" HOST "\r\n"), HTTP_GET, "/", "", 1},
    {BYTES("GET http://[::1]:80?q HTTP/1.1\r\n" HOST "\r\n"), HTTP_GET, "/", "q", 1},
    {BYTES("GET /a HTTP/1.0\r\n\r\n"), HTTP_GET, "/a", "", 0},
    {BYTES("GET /a HTTP/1.0\r\nConnection: keep-alive\r\nExpect: x\r\n\r\n"), HTTP_GET, "/a", "", 2},
    {BYTES(LINE "Host: a.b-c_d.example:65535\r\n\r\n"), HTTP_GET, "/a", "", 1},
    {BYTES(LINE "Host: [::1]\r\n\r\n"), HTTP_GET, "/a", "", 1},
    {BYTES(LINE HOST "Empty:\r\nA: \t b\tc \t\r\nUtf: \xc3\xa9\r\n\r\n"), HTTP_GET, "/a", "", 4},
    {BYTES("GET /%C3%A9/a:@!$&'()*+,= HTTP/1.1\r\n" HOST "\r\n"), HTTP_GET, "/%C3%A9/a:@!$&'()*+,=", "", 1},
    {BYTES("GET /...?a=/../%2f%00;\\{|} HTTP/1.1\r\n" HOST "\r\n"), HTTP_GET, "/...", "a=/../%2f%00;\\{|}", 1},
    {BYTES("GET /a/ HTTP/1.1\r\n" HOST "\r\n"), HTTP_GET, "/a/", "", 1},
    {BYTES("GET /a. HTTP/1.1\r\n" HOST "\r\n"), HTTP_GET, "/a.", "", 1},
};

/* Red when any accepted form is refused, or a slice of the request is cut wrongly. */
static void every_accepted_form_is_read(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        const struct accepted *row = &accepted[i];
        struct outcome outcome = parse_whole(row->input);
        if (outcome.step != HTTP_STEP_DONE)
            fail_msg("row %zu: step %d, '%s'", i, (int)outcome.step, outcome.fault.detail);
        assert_int_equal(request.method, row->method);
        assert_true(bytes_equal(request.path, bytes_of(row->path)));
        assert_true(bytes_equal(request.query, bytes_of(row->query)));
        assert_int_equal(request.field_count, row->fields);
        assert_false(outcome.parse.is_odd_path);
    }
}

/* Red when the resumed parse forgets or repeats what it has seen (try leaving `searched` behind). */
static void an_accepted_request_is_the_same_however_it_is_cut(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        assert_same_at_every_cut(accepted[i].input);
        struct outcome outcome = parse_cut(accepted[i].input, accepted[i].input.length / 2);
        assert_int_equal(outcome.step, HTTP_STEP_DONE);
        assert_true(bytes_equal(request.path, bytes_of(accepted[i].path)));
        assert_int_equal(request.field_count, accepted[i].fields);
    }
}

struct refused {
    struct bytes input;
    enum result result;
};

#define BAD(text)                                                                                                      \
    { BYTES(text), RESULT_BAD_REQUEST }
#define CODING(value) POST "Transfer-Encoding: " value "\r\n\r\n"

static const struct refused refused[] = {
    /* line ends */
    BAD("GET /a HTTP/1.1\nHost: x\n\n"),
    BAD(LINE "Host: x\n\r\n"),
    BAD(LINE HOST "\n"),
    BAD("\n" LINE HOST "\r\n"),
    BAD("GET /a HTTP/1.1\rHost: x\r\r"),
    BAD(LINE "Host: x\rA: b\r\n\r\n"),
    BAD(LINE HOST "A: b\r\r\n\r\n"),
    BAD(LINE HOST "\r\r\n"),
    BAD("\r" LINE HOST "\r\n"),
    BAD("GET /a\r HTTP/1.1\r\n" HOST "\r\n"),
    BAD("\r\n\r\n\r\n\r\n\r\n" LINE HOST "\r\n"),
    /* folding, spaces, names */
    BAD(LINE HOST "A: b\r\n c\r\n\r\n"),
    BAD(LINE HOST "A: b\r\n\tc\r\n\r\n"),
    BAD(LINE " Host: x\r\n\r\n"),
    BAD(LINE "Host : x\r\n\r\n"),
    BAD(LINE HOST "A\t: b\r\n\r\n"),
    BAD(LINE HOST ": b\r\n\r\n"),
    BAD(LINE HOST "A\r\n\r\n"),
    BAD(LINE HOST "A b: c\r\n\r\n"),
    BAD(LINE HOST "A(: c\r\n\r\n"),
    BAD(LINE HOST "\xc3\xa9: c\r\n\r\n"),
    /* controls */
    BAD(LINE HOST "A: b\0c\r\n\r\n"),
    BAD(LINE HOST "A\0: b\r\n\r\n"),
    BAD("GET /a\0b HTTP/1.1\r\n" HOST "\r\n"),
    BAD(LINE HOST "A: \x0b\r\n\r\n"),
    BAD(LINE HOST "A: \x7f\r\n\r\n"),
    /* the request line */
    BAD("GET /a\r\n"),
    BAD("GET\r\n"),
    BAD("GET  /a HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET /a  HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET /a HTTP/1.1 \r\n" HOST "\r\n"),
    BAD(" GET /a HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET /a b HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET\t/a\tHTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET /a http/1.1\r\n" HOST "\r\n"),
    BAD("GET /a HTTP/1,1\r\n" HOST "\r\n"),
    BAD("GET /a HTTP/11.1\r\n" HOST "\r\n"),
    BAD("GET /a HTTP/1.10\r\n" HOST "\r\n"),
    BAD("GET /a HTTP/x.1\r\n" HOST "\r\n"),
    BAD("G(T /a HTTP/1.1\r\n" HOST "\r\n"),
    BAD("{\"a\": 1}\r\n"),
    {BYTES("GET /a HTTP/2.0\r\n" HOST "\r\n"), RESULT_HTTP_VERSION_NOT_SUPPORTED},
    {BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), RESULT_HTTP_VERSION_NOT_SUPPORTED},
    {BYTES("GET /a HTTP/0.9\r\n" HOST "\r\n"), RESULT_HTTP_VERSION_NOT_SUPPORTED},
    {BYTES("GET /a HTTP/1.2\r\n" HOST "\r\n"), RESULT_HTTP_VERSION_NOT_SUPPORTED},
    {BYTES("get /a HTTP/1.1\r\n" HOST "\r\n"), RESULT_NOT_IMPLEMENTED},
    {BYTES("CONNECT x:80 HTTP/1.1\r\n" HOST "\r\n"), RESULT_NOT_IMPLEMENTED},
    {BYTES("BREW /a HTTP/1.1\r\n" HOST "\r\n"), RESULT_NOT_IMPLEMENTED},
    /* the target */
    BAD("GET a HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET * HTTP/1.1\r\n" HOST "\r\n"),
    BAD("OPTIONS ** HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET example.com:80 HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET ftp://x/a HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET http:// HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET http:///a HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET http://u@x/a HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET http://x:y/a HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET /a#b HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET /a?b#c HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET /a?\xff HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET /a\x01 HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET /<a> HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET /% HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET /%4 HTTP/1.1\r\n" HOST "\r\n"),
    BAD("GET /%zz HTTP/1.1\r\n" HOST "\r\n"),
    /* Host */
    BAD(LINE "\r\n"),
    BAD(LINE HOST HOST "\r\n"),
    BAD(LINE HOST "hOST: y\r\n\r\n"),
    BAD("GET / HTTP/1.0\r\n" HOST HOST "\r\n"),
    BAD(LINE "Host:\r\n\r\n"),
    BAD(LINE "Host: a b\r\n\r\n"),
    BAD(LINE "Host: a,b\r\n\r\n"),
    BAD(LINE "Host: a/b\r\n\r\n"),
    BAD(LINE "Host: u@a\r\n\r\n"),
    BAD(LINE "Host: a:\r\n\r\n"),
    BAD(LINE "Host: a:b\r\n\r\n"),
    BAD(LINE "Host: a:1:2\r\n\r\n"),
    BAD(LINE "Host: a:65536\r\n\r\n"),
    BAD(LINE "Host: :80\r\n\r\n"),
    BAD(LINE "Host: [::1\r\n\r\n"),
    BAD(LINE "Host: []\r\n\r\n"),
    BAD(LINE "Host: [::1]x\r\n\r\n"),
    BAD(LINE "Host: \xc3\xa9\r\n\r\n"),
    BAD("GET http://x/ HTTP/1.1\r\n\r\n"),
    /* Content-Length */
    BAD(POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"),
    BAD(POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
    BAD(POST "Content-Length: 1, 1\r\n\r\n"),
    BAD(POST "Content-Length: +1\r\n\r\n"),
    BAD(POST "Content-Length: -1\r\n\r\n"),
    BAD(POST "Content-Length: 0x1\r\n\r\n"),
    BAD(POST "Content-Length: 1 1\r\n\r\n"),
    BAD(POST "Content-Length: 1.0\r\n\r\n"),
    BAD(POST "Content-Length:\r\n\r\n"),
    BAD(POST "Content-Length: 18446744073709551617\r\n\r\n"),
    BAD(POST "Content-Length: 99999999999999999999999999\r\n\r\n"),
    BAD(POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD(POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"),
    BAD(LINE HOST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
    {BYTES(POST "\r\n"), RESULT_LENGTH_REQUIRED},
    {BYTES("PUT /a HTTP/1.1\r\n" HOST "\r\n"), RESULT_LENGTH_REQUIRED},
    {BYTES("PATCH /a HTTP/1.1\r\n" HOST "\r\n"), RESULT_LENGTH_REQUIRED},
    {BYTES("POST /a HTTP/1.0\r\n\r\n"), RESULT_LENGTH_REQUIRED},
    /* Transfer-Encoding */
    BAD(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD(CODING("")),
    BAD(CODING("\"chunked\"")),
    BAD(CODING("chunked;q=1")),
    BAD(CODING("chunked\x0b")),
    {BYTES(CODING("gzip")), RESULT_NOT_IMPLEMENTED},
    {BYTES(CODING("gzip, chunked")), RESULT_NOT_IMPLEMENTED},
    {BYTES(CODING("chunked, chunked")), RESULT_NOT_IMPLEMENTED},
    {BYTES(CODING("chunked, identity")), RESULT_NOT_IMPLEMENTED},
    {BYTES(CODING("xchunked")), RESULT_NOT_IMPLEMENTED},
    {BYTES(CODING("identity")), RESULT_NOT_IMPLEMENTED},
    {BYTES(LINE HOST "Transfer-Encoding: gzip\r\n\r\n"), RESULT_NOT_IMPLEMENTED},
    /* the rest */
    BAD(POST "Content-Length: 1\r\nExpect: 200-ok\r\n\r\n"),
    BAD(POST "Content-Length: 1\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n\r\n"),
};

/* Red when any of the refusals is taken out of the parser. */
static void every_ambiguity_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct outcome outcome = parse_whole(refused[i].input);
        if (outcome.step != HTTP_STEP_FAULT || outcome.fault.result != refused[i].result)
            fail_msg("row %zu: step %d, %s, in: %.*s", i, (int)outcome.step,
                     outcome.step == HTTP_STEP_FAULT ? result_name(outcome.fault.result) : "-",
                     (int)refused[i].input.length, refused[i].input.at);
        assert_int_equal(request.field_count, 0);
        assert_null(request.path.at);
    }
}

/* Red when a fault depends on what came together (try telling of a bare CR only after the other faults of its line). */
static void a_fault_is_the_same_however_the_request_is_cut(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_same_at_every_cut(refused[i].input);
    assert_same_at_every_cut(BYTES("BREW /a\rb HTTP/1.1\r\n" HOST "\r\n"));
    assert_same_at_every_cut(BYTES(LINE HOST "A: b\r\nB : c\rd\r\n\r\n"));
}

/* Red when faults are told only at the end of the head. */
static void a_fault_is_told_before_the_head_is_whole(void **state) {
    (void)state;
    assert_int_equal(parse_whole(BYTES("GET /a\r\n")).step, HTTP_STEP_FAULT);
    assert_int_equal(parse_whole(BYTES(LINE "Host : x\r\n")).step, HTTP_STEP_FAULT);
    assert_int_equal(parse_whole(BYTES(LINE "Host: x\ry")).step, HTTP_STEP_FAULT);
    assert_int_equal(parse_whole(BYTES(LINE "Host: x\r")).step, HTTP_STEP_MORE);
}

/* Red when the bytes of a line are searched again with each read: a client that trickles would make that quadratic. */
static void what_was_searched_is_not_searched_again(void **state) {
    (void)state;
    struct bytes text = BYTES(LINE "Host: x");
    struct outcome outcome = parse_whole(text);
    assert_int_equal(outcome.step, HTTP_STEP_MORE);
    assert_int_equal(outcome.parse.examined, sizeof(LINE) - 1);
    assert_int_equal(outcome.parse.searched, text.length);
}

/* Red when bytes of another protocol are answered. */
static void bytes_that_are_no_http_are_foreign(void **state) {
    (void)state;
    assert_int_equal(parse_whole(BYTES("\x16\x03\x01\x02\x00")).step, HTTP_STEP_FOREIGN);
    assert_int_equal(parse_whole(BYTES("\0")).step, HTTP_STEP_FOREIGN);
    assert_int_equal(parse_whole(BYTES("\r\n\x01\r\n")).step, HTTP_STEP_FOREIGN);
    assert_same_at_every_cut(BYTES("\r\n\x01GET / HTTP/1.1\r\n\r\n"));
}

static const char *const odd_paths[] = {
    "//",    "//a",  "/a//b", "/a//", "/.",    "/..",  "/./a",   "/../a", "/a/./b", "/a/../b",
    "/a/..", "/a/.", "/a;b",  "/;",   "/a\\b", "/%2f", "/a%2Fb", "/%00",  "/%0a",   "/%2e%2e/",
    "/%2E",  "/%5c", "/%3b",  "/%25", "/%41",  "/%7e", "/%20",   "/%7f",  "/a/%2e", "/.%2e/",
};

/* Red when a path that can be read as another one is called canonical. */
static void a_path_not_in_canonical_form_is_odd(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof odd_paths / sizeof odd_paths[0]; i++) {
        char text[128];
        for (int form = 0; form < 2; form++) {
            int length = snprintf(text, sizeof text, "GET %s%s?q HTTP/1.1\r\nHost: x\r\n\r\n", form ? "http://x" : "",
                                  odd_paths[i]);
            struct outcome outcome = parse_whole((struct bytes){text, (size_t)length});
            if (outcome.step != HTTP_STEP_DONE || !outcome.parse.is_odd_path)
                fail_msg("%s is not odd", odd_paths[i]);
        }
    }
}

static struct bytes text_of(struct buffer *buffer) {
    assert_true(buffer_ok(buffer));
    return buffer_bytes(buffer);
}

static void fill(struct buffer *buffer, size_t length) {
    while (length--)
        buffer_add_char(buffer, 'a');
}

static void add_target(struct buffer *buffer, size_t length, const char *end) {
    buffer_add_text(buffer, "GET /");
    fill(buffer, length - 1);
    buffer_add_text(buffer, end);
}

/* Red when the limit is off by one, or is found out only when the line ends. */
static void a_target_over_its_limit_is_414(void **state) {
    (void)state;
    struct buffer text;
    buffer_init(&text, 65536);
    add_target(&text, LIMIT_TARGET_BYTES, " HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(parse_whole(text_of(&text)).step, HTTP_STEP_DONE);
    assert_int_equal(request.path.length, LIMIT_TARGET_BYTES);
    text.length = 0;
    add_target(&text, LIMIT_TARGET_BYTES + 1, " HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(parse_whole(text_of(&text)).fault.result, RESULT_TARGET_TOO_LONG);
    text.length = 0;
    add_target(&text, LIMIT_TARGET_BYTES + 1000, "");
    assert_int_equal(parse_whole(text_of(&text)).fault.result, RESULT_TARGET_TOO_LONG);
    buffer_add_text(&text, "\r\r\r\n");
    assert_int_equal(parse_whole(text_of(&text)).fault.result, RESULT_TARGET_TOO_LONG);
    struct outcome whole = parse_whole(text_of(&text));
    for (size_t cut = LIMIT_TARGET_BYTES; cut < text.length; cut++)
        assert_same(text_of(&text), whole, cut);
    buffer_release(&text);
}

static void add_head(struct buffer *buffer, size_t length, const char *end) {
    buffer_add_text(buffer, LINE HOST "A: ");
    fill(buffer, length - buffer->length - 4);
    buffer_add_text(buffer, end);
}

/* Red when the limit is off by one, or is found out only when the head ends. */
static void a_head_over_its_limit_is_431(void **state) {
    (void)state;
    struct buffer text;
    buffer_init(&text, 65536);
    add_head(&text, LIMIT_HEAD_BYTES, "\r\n\r\n");
    assert_int_equal(text.length, LIMIT_HEAD_BYTES);
    struct outcome whole = parse_whole(text_of(&text));
    assert_int_equal(whole.step, HTTP_STEP_DONE);
    assert_int_equal(whole.parse.examined, LIMIT_HEAD_BYTES);
    for (int over = 1; over < 6; over++) {
        text.length = 0;
        add_head(&text, LIMIT_HEAD_BYTES + (size_t)over, "\r\n\r\n");
        whole = parse_whole(text_of(&text));
        assert_int_equal(whole.fault.result, RESULT_HEADERS_TOO_LARGE);
        for (size_t cut = LIMIT_HEAD_BYTES - 8; cut < text.length; cut++)
            assert_same(text_of(&text), whole, cut);
    }
    text.length = 0;
    add_head(&text, LIMIT_HEAD_BYTES + 100, "aaaa");
    assert_int_equal(parse_whole(text_of(&text)).fault.result, RESULT_HEADERS_TOO_LARGE);
    buffer_release(&text);
}

/* Red when a field too many is taken (the table behind it has no room) or one too few. */
static void a_field_too_many_is_431(void **state) {
    (void)state;
    struct buffer text;
    buffer_init(&text, 65536);
    buffer_add_text(&text, LINE HOST);
    for (int i = 1; i < LIMIT_HEADER_FIELDS; i++)
        buffer_add_text(&text, "a:b\r\n");
    size_t full = text.length;
    buffer_add_text(&text, "\r\n");
    assert_int_equal(parse_whole(text_of(&text)).step, HTTP_STEP_DONE);
    assert_int_equal(request.field_count, LIMIT_HEADER_FIELDS);
    text.length = full;
    buffer_add_text(&text, "a:b\r\n\r\n");
    assert_int_equal(parse_whole(text_of(&text)).fault.result, RESULT_HEADERS_TOO_LARGE);
    buffer_release(&text);
}

/* Red when the framing that the connection goes by is wrong. */
static void framing_is_told(void **state) {
    (void)state;
    struct outcome outcome = parse_whole(BYTES(POST "Content-Length: 9999999999999999999\r\n\r\n"));
    assert_true(outcome.parse.has_length && !outcome.parse.is_chunked && !outcome.parse.wants_close);
    assert_true(outcome.parse.content_length == 9999999999999999999u);
    assert_true(http_parse_has_body(&outcome.parse));
    outcome = parse_whole(BYTES(POST "Content-Length: 0\r\n\r\n"));
    assert_false(http_parse_has_body(&outcome.parse));
    outcome = parse_whole(BYTES(POST "Transfer-Encoding: CHUNKED\r\nExpect: 100-Continue\r\n\r\n"));
    assert_true(outcome.parse.is_chunked && outcome.parse.expects_continue);
    assert_true(http_parse_has_body(&outcome.parse));
    outcome = parse_whole(BYTES(LINE HOST "Connection: a, Close ,b\r\n\r\nGET"));
    assert_true(outcome.parse.wants_close);
    assert_int_equal(outcome.parse.examined, sizeof(LINE HOST "Connection: a, Close ,b\r\n\r\n") - 1);
    outcome = parse_whole(BYTES(LINE HOST "Connection: closed\r\n\r\n"));
    assert_false(outcome.parse.wants_close);
    outcome = parse_whole(BYTES("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"));
    assert_true(outcome.parse.wants_close && !outcome.parse.expects_continue);
}

/* Red when an id with other characters, or one too long, gets into answers and logs. */
static void a_request_id_is_taken_only_if_it_is_harmless(void **state) {
    (void)state;
    static const char *const ids[][2] = {
        {"abc-DEF_0.9", "abc-DEF_0.9"},
        {"7f3c0c9e-1b2d-4e5f-8a9b-0c1d2e3f4a5b", "7f3c0c9e-1b2d-4e5f-8a9b-0c1d2e3f4a5b"},
        {"7f3c0c9e-1b2d-4e5f-8a9b-0c1d2e3f4a5bx", ""},
        {"a b", ""},
        {"a\"b", ""},
        {"a~b", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char text[128];
        int length = snprintf(text, sizeof text, LINE HOST "X-Request-Id: %s\r\n\r\n", ids[i][0]);
        assert_int_equal(parse_whole((struct bytes){text, (size_t)length}).step, HTTP_STEP_DONE);
        assert_string_equal(request.request_id, ids[i][1]);
    }
    assert_int_equal(parse_whole(BYTES(LINE HOST "X-Request-Id: a\r\nx-request-id: b\r\n\r\n")).step, HTTP_STEP_DONE);
    assert_string_equal(request.request_id, "a");
}

/* Red when names are compared by case, or values keep the spaces around them. */
static void fields_are_found_by_name(void **state) {
    (void)state;
    assert_int_equal(parse_whole(BYTES(LINE HOST "A:  b c\t\r\na: d\r\nContent-Type: x/y\r\n\r\n")).step,
                     HTTP_STEP_DONE);
    assert_true(bytes_equal(http_field(&request, "a"), BYTES("b c")));
    assert_int_equal(http_field_count(&request, "A"), 2);
    assert_null(http_field(&request, "b").at);
    assert_true(bytes_equal(request.content_type, BYTES("x/y")));
}

/* Red when a name that begins with the one wanted is taken for it. */
static void query_members_are_found_by_name(void **state) {
    (void)state;
    struct bytes query = BYTES("ab=1&a=2&c&d=&a=3");
    assert_true(bytes_equal(http_query(query, "a"), BYTES("2")));
    assert_true(bytes_equal(http_query(query, "ab"), BYTES("1")));
    assert_non_null(http_query(query, "c").at);
    assert_int_equal(http_query(query, "c").length, 0);
    assert_non_null(http_query(query, "d").at);
    assert_null(http_query(query, "b").at);
    assert_null(http_query((struct bytes){NULL, 0}, "b").at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_accepted_form_is_read),
        cmocka_unit_test(an_accepted_request_is_the_same_however_it_is_cut),
        cmocka_unit_test(every_ambiguity_is_refused),
        cmocka_unit_test(a_fault_is_the_same_however_the_request_is_cut),
        cmocka_unit_test(a_fault_is_told_before_the_head_is_whole),
        cmocka_unit_test(what_was_searched_is_not_searched_again),
        cmocka_unit_test(bytes_that_are_no_http_are_foreign),
        cmocka_unit_test(a_path_not_in_canonical_form_is_odd),
        cmocka_unit_test(a_target_over_its_limit_is_414),
        cmocka_unit_test(a_head_over_its_limit_is_431),
        cmocka_unit_test(a_field_too_many_is_431),
        cmocka_unit_test(framing_is_told),
        cmocka_unit_test(a_request_id_is_taken_only_if_it_is_harmless),
        cmocka_unit_test(fields_are_found_by_name),
        cmocka_unit_test(query_members_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
