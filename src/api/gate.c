#include "api/gate.h"
#include "api/handlers.h"
#include "api/mirror.h"
#include "api/room.h"
#include "base/metrics.h"

/* The token of "Bearer …"; at NULL if there is none. */
static struct bytes bearer(struct bytes authorization) {
    if (authorization.length > 7 && bytes_equal_nocase((struct bytes){authorization.at, 7}, BYTES("Bearer ")))
        return (struct bytes){authorization.at + 7, authorization.length - 7};
    return (struct bytes){NULL, 0};
}

static enum result read_pass(struct call *call, struct bytes text, struct pass *pass) {
    bool checked;
    if (!text.at)
        return call->authorization.at ? RESULT_PASS_INVALID : RESULT_PASS_REQUIRED;
    enum result result = pass_cache_read(call->api->passes, atomic_load(&call->api->keys), text, pass, &checked);
    if (checked)
        metric_add(METRIC_PASSES_CHECKED, 1);
    if (result == RESULT_OK && !id_equal(&pass->show_id, &call->sale->show_id))
        return RESULT_PASS_FOR_ANOTHER_SHOW;
    return result;
}

bool gate_read_pass(struct call *call, struct pass *pass) {
    enum result result = read_pass(call, bearer(call->authorization), pass);
    if (result == RESULT_OK)
        return true;
    call_refuse(call, result, NULL);
    return false;
}

/* Only the room knows whether a pass has been used up. */
static enum result check_time(struct call *call, const struct pass *pass) {
    struct room *room = atomic_load_explicit(&call->sale->room, memory_order_acquire);
    if (call->now_ms / 1000 >= pass->expires_s)
        return RESULT_PASS_EXPIRED;
    if (room)
        return room_check_pass(room, pass->number, call->now_ms);
    room_want(call->api, call->sale);
    return RESULT_OVERLOADED;
}

static bool check_pass(struct call *call, struct bytes text, struct pass *pass) {
    enum result result = read_pass(call, text, pass);
    if (result == RESULT_OK)
        result = check_time(call, pass);
    if (result == RESULT_OK)
        return true;
    call_refuse(call, result, NULL);
    return false;
}

bool gate_check_pass(struct call *call, struct pass *pass) {
    if (atomic_load_explicit(&call->sale->has_room, memory_order_relaxed))
        return check_pass(call, bearer(call->authorization), pass);
    pass->user.length = 0;
    return true;
}

bool gate_check_user(struct call *call, const struct pass *pass, const struct user_id *user) {
    if (pass->user.length == 0 || bytes_equal(user_bytes(user), user_bytes(&pass->user)))
        return true;
    call_refuse(call, RESULT_PASS_FOR_ANOTHER_USER, NULL);
    return false;
}

bool gate_take_join(struct call *call) {
    struct address_limits *limits = call->api->limits;
    if (!limits || call->client.is_exempt ||
        address_limits_take(limits, LIMIT_KIND_JOIN, call->client.key, call->now_ms, &call->verdict) == RESULT_OK)
        return true;
    call->retry_seconds = call->verdict.wait_seconds;
    call_refuse(call, RESULT_RATE_LIMITED, "too many joined from this network address: try again in a moment");
    return false;
}

/* The value of the cookie onsale_pass, which a browser sends where a page cannot set Authorization. */
static struct bytes cookie_pass(const struct http_request *request) {
    struct bytes cookies = http_field(request, "cookie"), name = BYTES("onsale_pass=");
    for (size_t at = 0; at < cookies.length;) {
        const char *semicolon = memchr(cookies.at + at, ';', cookies.length - at);
        size_t end = semicolon ? (size_t)(semicolon - cookies.at) : cookies.length;
        struct bytes pair = {cookies.at + at, end - at};
        if (bytes_start_with(pair, name))
            return (struct bytes){pair.at + name.length, pair.length - name.length};
        at = end + 1;
        while (at < cookies.length && cookies.at[at] == ' ')
            at++;
    }
    return (struct bytes){NULL, 0};
}

/* For a proxy that guards another site: 204 for who has a pass that lasts (nginx: auth_request). */
void handle_check_pass(struct call *call) {
    if (!atomic_load_explicit(&call->sale->has_room, memory_order_relaxed)) {
        call_refuse(call, RESULT_NOT_FOUND, "this show has no waiting room");
        return;
    }
    struct pass pass;
    struct bytes text = call->authorization.at ? bearer(call->authorization) : cookie_pass(call->request);
    if (check_pass(call, text, &pass))
        call_reply(call, 204, BYTES(""));
}

void handle_read_keys(struct call *call) {
    if (call->api->mirror) {
        mirrored_reply(call, &call->api->mirror->keys, "public, max-age=1", NULL);
        return;
    }
    struct buffer *body = call_scratch(call);
    keyring_write_jwks(atomic_load(&call->api->keys), body);
    reply_shared(call, buffer_bytes(body));
}
