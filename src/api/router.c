/* From a request to its handler: which route, whose listener, what may stand in the body, which show.
 *
 * Happy path: admit() sees the head, finds the route and allows the body; handle() finds it again with the body there,
 * makes a call on the stack and runs the handler. What is wrong is answered by refuse() before any body is read. */
#include "api/gate.h"
#include "api/handlers.h"
#include "api/idempotency.h"
#include "api/negotiation.h"
#include "api/pages.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/metrics.h"
#include "base/panic.h"

#include <sodium.h>
#include <stdlib.h>

const struct route api_routes[] = {
#define ROUTE(name, side, method, pattern, body, max_body, role)                                                       \
    {#name, SIDE_##side, HTTP_##method, pattern, BODY_##body, max_body, ROLE_##role, handle_##name},
#include "api/routes.def"
#undef ROUTE
};
const unsigned api_route_count = sizeof api_routes / sizeof api_routes[0];

#define MOST_SEGMENTS 8

struct segments {
    unsigned count;
    struct bytes at[MOST_SEGMENTS];
};

/* "/a/b" → "a", "b". False if there are too many for any route. */
static bool split(struct bytes path, struct segments *segments) {
    segments->count = 0;
    for (size_t start = 1; start <= path.length;) {
        const char *slash = memchr(path.at + start, '/', path.length - start);
        size_t end = slash ? (size_t)(slash - path.at) : path.length;
        if (segments->count == MOST_SEGMENTS)
            return false;
        segments->at[segments->count++] = (struct bytes){path.at + start, end - start};
        start = end + 1;
    }
    return true;
}

static struct segments patterns[sizeof api_routes / sizeof api_routes[0]];
/* A pattern that spells out what this one takes for an id, or NULL: /bookings/confirm is no booking. */
static const struct segments *rivals[sizeof api_routes / sizeof api_routes[0]];

struct subjects {
    struct bytes show, reservation, booking; /* at NULL: not in the pattern */
};

/* The handler itself looks at what stands there. */
static bool is_wildcard(struct bytes segment) {
    return segment.length && segment.at[0] == '{';
}

static bool matches(const struct segments *pattern, const struct segments *path, struct subjects *subjects) {
    *subjects = (struct subjects){0};
    if (pattern->count != path->count)
        return false;
    for (unsigned i = 0; i < path->count; i++) {
        if (bytes_equal(pattern->at[i], BYTES("{show}")))
            subjects->show = path->at[i];
        else if (bytes_equal(pattern->at[i], BYTES("{reservation}")))
            subjects->reservation = path->at[i];
        else if (bytes_equal(pattern->at[i], BYTES("{booking}")))
            subjects->booking = path->at[i];
        else if (!is_wildcard(pattern->at[i]) && !bytes_equal(pattern->at[i], path->at[i]))
            return false;
    }
    return true;
}

static bool is_for(const struct route *route, bool operator_side) {
    return (route->side != SIDE_FAN && route->side != SIDE_PAGE) == operator_side;
}

static void split_patterns(void) {
    struct subjects subjects;
    for (unsigned i = 0; i < api_route_count; i++) {
        bool fits = split(bytes_of(api_routes[i].pattern), &patterns[i]);
        assert(fits);
    }
    for (unsigned i = 0; i < api_route_count; i++)
        for (unsigned other = 0; other < api_route_count; other++)
            if (strchr(api_routes[i].pattern, '{') && !strchr(api_routes[other].pattern, '{') &&
                is_for(&api_routes[i], !is_for(&api_routes[other], false)) &&
                matches(&patterns[i], &patterns[other], &subjects))
                rivals[i] = &patterns[other];
}

/* True if the path is one of that route, whatever the method. */
static bool is_of_route(unsigned route, bool operator_side, const struct segments *path, struct subjects *subjects) {
    struct subjects of_rival;
    return is_for(&api_routes[route], operator_side) && matches(&patterns[route], path, subjects) &&
           !(rivals[route] && matches(rivals[route], path, &of_rival));
}

/* NOT_FOUND, METHOD_NOT_ALLOWED, or the route and what its path names. What other nodes do is not found here, whatever
 * this one has at the same address. */
static enum result find_route(const struct api *api, const struct http_request *request, bool operator_side,
                              const struct route **route, struct subjects *subjects) {
    struct segments path;
    enum http_method method = request->method == HTTP_HEAD ? HTTP_GET : request->method;
    enum result result = RESULT_NOT_FOUND;
    if (!split(request->path, &path))
        return RESULT_NOT_FOUND;
    for (unsigned i = 0; i < api_route_count; i++) {
        if (!is_of_route(i, operator_side, &path, subjects))
            continue;
        bool is_here = api_routes[i].roles & api->roles;
        if (api_routes[i].method == method) {
            *route = &api_routes[i];
            return is_here ? RESULT_OK : RESULT_NOT_FOUND;
        }
        if (is_here)
            result = RESULT_METHOD_NOT_ALLOWED;
    }
    return result;
}

/* Why a call is not found that is one of another role's; NULL if it is nobody's. */
static const char *why_not_here(const struct api *api, const struct http_request *request, bool operator_side) {
    const struct route *route = NULL;
    struct subjects subjects;
    if (find_route(api, request, operator_side, &route, &subjects) == RESULT_OK || !route)
        return NULL;
    return api->mirror ? "this node only shows: ask the one that sells" : "this node does not do that (--roles)";
}

/* What admit() found for the request that handle() gets next, on the same reactor's thread: most need no second look.
 */
struct found {
    uint64_t sequence; /* 0: none */
    const char *path;  /* what the subjects point into */
    const struct route *route;
    struct subjects subjects;
};
static _Thread_local struct found found_last;

struct id api_token_hash(struct bytes token) {
    return hash_128((struct bytes[]){BYTES("admin token"), token}, 2);
}

static bool is_operator(const struct api *api, const struct http_request *request) {
    struct bytes value = http_field(request, "authorization");
    if (http_field_count(request, "authorization") != 1 || value.length < 7 ||
        !bytes_equal_nocase((struct bytes){value.at, 7}, BYTES("Bearer ")))
        return false;
    struct id hash = api_token_hash((struct bytes){value.at + 7, value.length - 7});
    return sodium_memcmp(hash.at, api->admin_token_hash.at, sizeof hash.at) == 0;
}

static bool is_json(struct bytes content_type) {
    struct bytes wanted = BYTES("application/json");
    if (content_type.length < wanted.length ||
        !bytes_equal_nocase((struct bytes){content_type.at, wanted.length}, wanted))
        return false;
    if (content_type.length == wanted.length)
        return true;
    char next = content_type.at[wanted.length];
    return next == ';' || next == ' ' || next == '\t';
}

static enum result admit(struct api *api, bool operator_side, const struct http_request *head, size_t *max_body) {
    const struct route *route;
    struct subjects subjects;
    if (operator_side && bytes_start_with(head->path, BYTES("/api/")) && !is_operator(api, head))
        return RESULT_UNAUTHORIZED;
    enum result result = find_route(api, head, operator_side, &route, &subjects);
    if (result != RESULT_OK)
        return result;
    if (route->body == BODY_JSON && head->content_type.length && !is_json(head->content_type))
        return RESULT_UNSUPPORTED_MEDIA_TYPE;
    found_last = (struct found){head->sequence, head->path.at, route, subjects};
    *max_body = route->max_body;
    return RESULT_OK;
}

/* Finds what the path names: OK, or what is not there. */
static enum result find_subjects(struct call *call, const struct subjects *subjects) {
    if (subjects->show.at) {
        struct id show_id;
        call->sale = id_parse_uuid(subjects->show, &show_id) ? sale_find(call->api->sales, &show_id) : NULL;
        if (!call->sale)
            return RESULT_SHOW_NOT_FOUND;
    }
    if (subjects->reservation.at && !id_parse_letter(subjects->reservation, 'r', &call->subject))
        return RESULT_RESERVATION_NOT_FOUND;
    if (subjects->booking.at && !id_parse_letter(subjects->booking, 'b', &call->subject))
        return RESULT_BOOKING_NOT_FOUND;
    return RESULT_OK;
}

/* What a fan shows to be let on. Where it counts it is looked at before all else, so that an answer kept under
 * an Idempotency-Key is given to nobody but its owner. False: refused, and answered. */
static bool read_authorization(struct call *call) {
    unsigned count = http_field_count(call->request, "authorization");
    struct pass pass;
    if (count > 0)
        call->authorization = count == 1 ? http_field(call->request, "authorization") : BYTES("");
    bool is_shown =
        call->route->handle == handle_reserve || (call->route->handle == handle_leave_queue && call->authorization.at);
    if (!is_shown || !atomic_load_explicit(&call->sale->has_room, memory_order_relaxed))
        return true;
    if (!gate_read_pass(call, &pass))
        return false;
    struct bytes user = user_bytes(&pass.user);
    call->pass_user = hash_128(&user, 1);
    return true;
}

static void handle(struct api *api, bool operator_side, struct exchange *exchange, const struct http_request *request) {
    struct subjects subjects;
    struct call call = {.api = api,
                        .exchange = exchange,
                        .on_reactor = true,
                        .request = request,
                        .query = request->query,
                        .body = request->body,
                        .arrived_us = request->arrived_us,
                        .now_ms = clock_now_ms(),
                        .timing = -1};
    if (found_last.sequence == request->sequence && found_last.path == request->path.at) {
        call.route = found_last.route;
        subjects = found_last.subjects;
    } else if (find_route(api, request, operator_side, &call.route, &subjects) != RESULT_OK) {
        impossible("admit() lets in only what has a route");
    }
    panic_context(call.route->name);
    if (call.route->side != SIDE_PROBE && !api->services.is_ready(api->services.runtime)) {
        call_refuse(&call, RESULT_OVERLOADED, "the server is starting");
        return;
    }
    enum result result = find_subjects(&call, &subjects);
    if (result != RESULT_OK) {
        if (!operator_side && pages_answer_not_found(exchange, request))
            metric_refused(result);
        else
            call_refuse(&call, result, NULL);
        return;
    }
    if (!operator_side && !read_authorization(&call))
        return;
    if (call.route->handle == handle_join_queue && api->limits)
        call.client = forwarded_client(&api->proxies, request);
    if (call.route->method == HTTP_GET) {
        call.if_none_match = http_field(request, "if-none-match");
        call.takes_gzip = negotiation_accepts(http_field(request, "accept-encoding"), "gzip");
        call.takes_brotli = negotiation_accepts(http_field(request, "accept-encoding"), "br");
        call.wants_csv = negotiation_accepts(http_field(request, "accept"), "text/csv");
    } else if (call.route->method == HTTP_POST) {
        struct bytes key = http_field(request, "idempotency-key");
        if (key.at) {
            if (http_field_count(request, "idempotency-key") > 1)
                call_refuse(&call, RESULT_BAD_REQUEST, "Idempotency-Key is there more than once");
            else
                idempotency_begin(&call, key);
            return;
        }
    }
    call.route->handle(&call);
}

static void add_allow(const struct api *api, struct buffer *headers, const struct http_request *request,
                      bool operator_side) {
    struct segments path;
    struct subjects subjects;
    const char *between = "Allow: ";
    if (!split(request->path, &path))
        return;
    for (unsigned i = 0; i < api_route_count; i++) {
        if (!(api_routes[i].roles & api->roles) || !is_of_route(i, operator_side, &path, &subjects))
            continue;
        buffer_printf(headers, "%s%s", between, http_method_name(api_routes[i].method));
        between = ", ";
    }
    buffer_add_text(headers, "\r\n");
}

static void refuse(const struct api *api, bool operator_side, struct exchange *exchange,
                   const struct http_request *request, enum result result, const char *detail) {
    metric_refused(result);
    if (result == RESULT_NOT_FOUND && !operator_side && request && pages_answer_not_found(exchange, request))
        return;
    char headers_room[512], body_room[2048];
    struct buffer headers = {.at = headers_room, .capacity = sizeof headers_room, .limit = sizeof headers_room};
    struct buffer body = {.at = body_room, .capacity = sizeof body_room, .limit = sizeof body_room};
    buffer_add_text(&headers, "Content-Type: application/problem+json\r\nCache-Control: no-store\r\n");
    if (result == RESULT_METHOD_NOT_ALLOWED && request)
        add_allow(api, &headers, request, operator_side);
    if (result == RESULT_UNAUTHORIZED)
        buffer_add_text(&headers, "WWW-Authenticate: Bearer\r\n");
    if (problem_status(result) == 503)
        buffer_add_text(&headers, "Retry-After: 1\r\n");
    if (result == RESULT_NOT_FOUND && !detail && request)
        detail = why_not_here(api, request, operator_side);
    problem_write(&body, result, detail);
    exchange_reply(exchange, problem_status(result), buffer_bytes(&headers), buffer_bytes(&body));
}

static enum result fan_admit(void *context, const struct http_request *head, size_t *max_body) {
    return admit(context, false, head, max_body);
}

static enum result operator_admit(void *context, const struct http_request *head, size_t *max_body) {
    return admit(context, true, head, max_body);
}

static void fan_handle(void *context, struct exchange *exchange, const struct http_request *request) {
    handle(context, false, exchange, request);
}

static void operator_handle(void *context, struct exchange *exchange, const struct http_request *request) {
    handle(context, true, exchange, request);
}

static void fan_refuse(void *context, struct exchange *exchange, const struct http_request *request, enum result result,
                       const char *detail) {
    refuse(context, false, exchange, request, result, detail);
}

static void operator_refuse(void *context, struct exchange *exchange, const struct http_request *request,
                            enum result result, const char *detail) {
    refuse(context, true, exchange, request, result, detail);
}

struct http_service api_fan_service(struct api *api) {
    return (struct http_service){api, fan_admit, fan_handle, fan_refuse};
}

struct http_service api_operator_service(struct api *api) {
    return (struct http_service){api, operator_admit, operator_handle, operator_refuse};
}

enum result api_init(struct api *api) {
    split_patterns();
    api->media = media_cache_new();
    return api->media ? idempotency_new(&api->idempotency) : RESULT_OVERLOADED;
}

void api_release(struct api *api) {
    idempotency_free(api->idempotency);
    api->idempotency = NULL;
    media_cache_free(api->media);
    api->media = NULL;
}
