/* Serves the embedded pages.
 *
 * Happy path: a route names its document, or the path names a part; the shortest form that the browser takes goes out
 * from the blob that is part of the program. Parts are named by their hash and kept for good; documents are asked for
 * anew and mostly answered with 304. A document whose address holds a booking's id, which is a secret, is kept by
 * nobody.
 *
 * Each answer carries the Content-Security-Policy under which a text that somebody smuggles into an event's name stays
 * a text: no inline script or style, nothing from elsewhere. 'self' does not cover WebSockets in Safari before
 * 15.4, so the host that was asked is named once more; the front has checked that it is made of the characters of a
 * host's name.
 */
#include "api/pages.h"
#include "api/handlers.h"
#include "api/negotiation.h"
#include "base/panic.h"

#include <stdlib.h>

static_assert(offsetof(struct blob, references) == 0 && sizeof(atomic_uint) == 4, "as web/embed.mjs lays a blob out");
static_assert(offsetof(struct blob, version) == 4 && offsetof(struct blob, length) == 8, "the same");
static_assert(offsetof(struct blob, at) == 16 && sizeof(size_t) == 8, "the same");

#define KEPT_FOR_GOOD "public, max-age=31536000, immutable"
#define KEPT_FOR_A_DAY "public, max-age=86400"
#define ASKED_FOR_ANEW "no-cache"
#define KEPT_BY_NOBODY "no-store"
#define LONGEST_HOST 255

static const char without_pages[] =
    "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>onsale</title></head>\n<body>\n"
    "<h1>onsale</h1>\n<p>This server was built without its pages. script/build makes them, with Node and npm.</p>\n"
    "<p>Its interface is here all the same: <a href=\"/openapi.json\">openapi.json</a>, "
    "<a href=\"/api/v1/shows\">the shows</a>.</p>\n</body>\n</html>\n";

static int by_path(const void *wanted, const void *page) {
    const struct bytes *path = wanted;
    struct bytes here = bytes_of(((const struct embedded_page *)page)->path);
    size_t shared = path->length < here.length ? path->length : here.length;
    int order = memcmp(path->at, here.at, shared);
    if (order != 0)
        return order;
    return path->length < here.length ? -1 : path->length > here.length;
}

static size_t count_pages(void) {
    return (size_t)(embedded_pages_end - embedded_pages);
}

/* NULL: there is none. */
static const struct embedded_page *find_page(struct bytes path) {
    return path.length == 0 ? NULL : bsearch(&path, embedded_pages, count_pages(), sizeof embedded_pages[0], by_path);
}

struct bytes pages_demo_picture(void) {
    const struct embedded_page *page = find_page(BYTES("/demo.jpg"));
    return page ? (struct bytes){page->bodies[PAGE_PLAIN]->at, page->bodies[PAGE_PLAIN]->length}
                : (struct bytes){NULL, 0};
}

/* The shortest form of a page that the client takes. */
static enum page_coding choose(const struct embedded_page *page, bool takes_gzip, bool takes_brotli) {
    if (takes_brotli && page->bodies[PAGE_BROTLI])
        return PAGE_BROTLI;
    return takes_gzip && page->bodies[PAGE_GZIP] ? PAGE_GZIP : PAGE_PLAIN;
}

static void add_policy(struct buffer *headers, const struct http_request *request) {
    struct bytes host = http_field(request, "host");
    buffer_add_bytes(headers, BYTES("Content-Security-Policy: default-src 'self'; connect-src 'self'"));
    if (host.length > 0 && host.length <= LONGEST_HOST) {
        buffer_add_bytes(headers, BYTES(" ws://"));
        buffer_add_bytes(headers, host);
        buffer_add_bytes(headers, BYTES(" wss://"));
        buffer_add_bytes(headers, host);
    }
    buffer_add_bytes(headers, BYTES("; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
                                    "frame-ancestors 'none'; form-action 'self'\r\n"
                                    "X-Content-Type-Options: nosniff\r\n"
                                    "Referrer-Policy: no-referrer\r\n"
                                    "Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n"
                                    "Cross-Origin-Opener-Policy: same-origin\r\n"));
}

/* ---- documents ---- */

static void answer_without_pages(struct call *call) {
    char room[1536];
    struct buffer headers = {.at = room, .capacity = sizeof room, .limit = sizeof room};
    buffer_add_bytes(&headers, BYTES("Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"));
    add_policy(&headers, call->request);
    assert(buffer_ok(&headers));
    exchange_reply(call->exchange, 200, buffer_bytes(&headers),
                   (struct bytes){without_pages, sizeof without_pages - 1});
    call->exchange = NULL;
}

static void reply_page(struct call *call, const struct embedded_page *page, const char *cache_control) {
    char room[1536];
    struct buffer more = {.at = room, .capacity = sizeof room, .limit = sizeof room};
    enum page_coding coding = choose(page, call->takes_gzip, call->takes_brotli);
    add_policy(&more, call->request);
    assert(buffer_ok(&more));
    struct prepared prepared = {.body = blob_take(page->bodies[coding]),
                                .content_type = page->content_type,
                                .cache_control = cache_control,
                                .etag = strcmp(cache_control, KEPT_BY_NOBODY) == 0 ? NULL : page->etags[coding],
                                .gzip = coding == PAGE_GZIP,
                                .brotli = coding == PAGE_BROTLI,
                                .more = buffer_bytes(&more)};
    call_reply_prepared(call, &prepared);
}

static void reply_document(struct call *call, struct bytes path, const char *cache_control) {
    const struct embedded_page *page = find_page(path);
    if (page)
        reply_page(call, page, cache_control);
    else
        call_refuse(call, RESULT_NOT_FOUND, "this server was built without its pages");
}

void handle_page_shows(struct call *call) {
    if (count_pages() == 0)
        answer_without_pages(call);
    else
        reply_document(call, BYTES("/index.html"), ASKED_FOR_ANEW);
}

void handle_page_show(struct call *call) {
    reply_document(call, BYTES("/index.html"), ASKED_FOR_ANEW);
}

void handle_page_seats(struct call *call) {
    reply_document(call, BYTES("/index.html"), ASKED_FOR_ANEW);
}

void handle_page_checkout(struct call *call) {
    reply_document(call, BYTES("/index.html"), ASKED_FOR_ANEW);
}

void handle_page_queue(struct call *call) {
    reply_document(call, BYTES("/queue.html"), ASKED_FOR_ANEW);
}

void handle_page_record(struct call *call) {
    reply_document(call, BYTES("/record.html"), ASKED_FOR_ANEW);
}

void handle_page_tickets(struct call *call) {
    reply_document(call, BYTES("/index.html"), ASKED_FOR_ANEW);
}

void handle_page_booking(struct call *call) {
    reply_document(call, BYTES("/index.html"), KEPT_BY_NOBODY);
}

/* Machines are told in a problem document, and so is whoever asks for data or for a part of a page. */
static bool is_question_of_browser(const struct http_request *request) {
    return (request->method == HTTP_GET || request->method == HTTP_HEAD) &&
           !bytes_start_with(request->path, BYTES("/api/")) && !bytes_start_with(request->path, BYTES("/assets/")) &&
           !bytes_start_with(request->path, BYTES("/media/")) &&
           !bytes_start_with(request->path, BYTES("/.well-known/")) &&
           negotiation_accepts(http_field(request, "accept"), "text/html");
}

bool pages_answer_not_found(struct exchange *exchange, const struct http_request *request) {
    static const char *const codings[] = {"", "Content-Encoding: gzip\r\n", "Content-Encoding: br\r\n"};
    const struct embedded_page *page = find_page(BYTES("/index.html"));
    if (!page || !is_question_of_browser(request))
        return false;
    struct bytes takes = http_field(request, "accept-encoding");
    enum page_coding coding = choose(page, negotiation_accepts(takes, "gzip"), negotiation_accepts(takes, "br"));
    char room[1536];
    struct buffer headers = {.at = room, .capacity = sizeof room, .limit = sizeof room};
    buffer_add_bytes(&headers, BYTES("Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"));
    buffer_add_text(&headers, codings[coding]);
    add_policy(&headers, request);
    assert(buffer_ok(&headers));
    exchange_reply_blob(exchange, 404, buffer_bytes(&headers), page->bodies[coding]);
    return true;
}

/* ---- parts ---- */

static void reply_part(struct call *call, const char *cache_control) {
    const struct embedded_page *page = find_page(call->request->path);
    if (page)
        reply_page(call, page, cache_control);
    else
        call_refuse(call, RESULT_NOT_FOUND, NULL);
}

void handle_page_asset(struct call *call) {
    reply_part(call, KEPT_FOR_GOOD);
}

void handle_page_icon(struct call *call) {
    reply_part(call, KEPT_FOR_A_DAY);
}

void handle_page_robots(struct call *call) {
    reply_part(call, KEPT_FOR_A_DAY);
}
