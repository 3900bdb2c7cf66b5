/* What the herd asks for: one table entry a mode.
 *
 * get      the same GET again and again
 * join     a place in the queue, each request another fan's
 * reserve  two named seats, each request others, until the time is over or the shows are full
 * sellout  reserve two seats, confirm, and the next two, until nothing is left: what a sale is made of
 * checkout reserve two seats, confirm, once a connection, whatever the answer
 * idle     one GET a connection (or none), then nothing
 *
 * What can go wrong in a sell-out: a refusal that may pass (409, 429, 503, a payment that ended the hold) is tried
 * again after a pause, SALE_TRIES times; then the seats are given up and counted.
 */
#include "bench/herd.h"
#include <stdio.h>
#include <string.h>

#define SALE_TRIES 200
#define SALE_PAUSE_NS 20000000

static char *put(char *at, const char *text) {
    size_t length = strlen(text);
    memcpy(at, text, length);
    return at + length;
}

static char *put_number(char *at, uint64_t number) {
    char digits[20];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

/* Each request is another fan's. */
static char *put_user(char *at, struct herd *herd) {
    *at++ = 'u';
    return put_number(at, ++herd->users);
}

static size_t put_post(const struct herd *herd, char *out, const char *before_id, const char *id, const char *after_id,
                       const char *pass, const char *body, size_t body_bytes) {
    char *at = put(out, "POST ");
    at = put(at, before_id);
    at = put(at, id);
    at = put(at, after_id);
    at = put(at, " HTTP/1.1\r\nHost: ");
    at = put(at, herd->options.host);
    if (pass[0])
        at = put(put(at, "\r\nAuthorization: Bearer "), pass);
    at = put(at, "\r\nContent-Type: application/json\r\nContent-Length: ");
    at = put_number(at, body_bytes);
    at = put(at, "\r\n\r\n");
    memcpy(at, body, body_bytes);
    return (size_t)(at - out) + body_bytes;
}

static size_t put_get(const struct herd *herd, char *out, const char *path, const char *id) {
    char *at = put(out, "GET ");
    at = put(at, path);
    at = put(at, id);
    at = put(at, " HTTP/1.1\r\nHost: ");
    at = put(at, herd->options.host);
    at = put(at, "\r\n");
    if (herd->options.if_none_match)
        at = put(put(put(at, "If-None-Match: "), herd->options.if_none_match), "\r\n");
    if (herd->options.accept_encoding)
        at = put(put(put(at, "Accept-Encoding: "), herd->options.accept_encoding), "\r\n");
    at = put(at, "\r\n");
    return (size_t)(at - out);
}

static size_t put_reserve(struct herd *herd, char *out, const struct seat_pair *pair) {
    const struct fan *fan = herd->options.fans_path ? fans_next(&herd->fans, pair->show_id) : NULL;
    char body[512];
    char *at = put(body, "{\"seat_ids\":[\"");
    at = put(at, pair->seat[0]);
    at = put(at, "\",\"");
    at = put(at, pair->seat[1]);
    at = put(at, "\"],\"user_id\":\"");
    at = fan ? put(at, fan->user) : put_user(at, herd);
    at = put(at, "\"}");
    return put_post(herd, out, "/api/v1/shows/", pair->show_id, "/seats/reserve", fan ? fan->pass : "", body,
                    (size_t)(at - body));
}

static struct seat_pair *take_pair(struct herd *herd) {
    if (herd->pairs.next == herd->pairs.count)
        return NULL;
    return &herd->pairs.pairs[herd->pairs.next++];
}

/* --- get, idle, join, reserve --- */

static size_t get_compose(struct herd *herd, struct connection *connection, char *out) {
    (void)connection;
    return put_get(herd, out, herd->options.path, "");
}

static void count_only(struct herd *herd, struct connection *connection, const struct answer *answer, int64_t took_ns) {
    (void)herd, (void)connection, (void)answer, (void)took_ns;
}

static size_t idle_compose(struct herd *herd, struct connection *connection, char *out) {
    if (!herd->options.path || connection->step == SALE_DONE)
        return 0;
    connection->step = SALE_DONE;
    return put_get(herd, out, herd->options.path, "");
}

static size_t join_compose(struct herd *herd, struct connection *connection, char *out) {
    (void)connection;
    const struct options *options = &herd->options;
    if (options->requests_most && herd->users - options->users_before == options->requests_most)
        return 0;
    char body[64];
    char *at = put(body, "{\"user_id\":\"");
    at = put_user(at, herd);
    at = put(at, "\"}");
    return put_post(herd, out, "/api/v1/shows/", options->shows[0], "/queue", "", body, (size_t)(at - body));
}

static size_t reserve_compose(struct herd *herd, struct connection *connection, char *out) {
    (void)connection;
    const struct seat_pair *pair = take_pair(herd);
    if (!pair) {
        herd->exhausted = true;
        return 0;
    }
    return put_reserve(herd, out, pair);
}

/* --- sellout --- */

static size_t put_reserve_best(struct herd *herd, char *out) {
    char body[256];
    char *at = put(body, "{\"best_available\":{\"quantity\":2},\"user_id\":\"");
    at = put_user(at, herd);
    at = put(at, "\"}");
    return put_post(herd, out, "/api/v1/shows/", herd->options.shows[0], "/seats/reserve", "", body,
                    (size_t)(at - body));
}

static size_t put_confirm(const struct herd *herd, char *out, const char *reservation_id) {
    char body[512];
    char *at = put(body, "{\"reservation_id\":\"");
    at = put(at, reservation_id);
    if (herd->options.payment_token)
        at = put(put(at, "\",\"payment_token\":\""), herd->options.payment_token);
    at = put(at, "\"}");
    return put_post(herd, out, "/api/v1/bookings/confirm", "", "", "", body, (size_t)(at - body));
}

static size_t sellout_compose(struct herd *herd, struct connection *connection, char *out) {
    switch (connection->step) {
    case SALE_RESERVE:
        if (herd->options.best_available)
            return put_reserve_best(herd, out);
        if (!connection->pair)
            connection->pair = take_pair(herd);
        if (connection->pair)
            return put_reserve(herd, out, connection->pair);
        connection->step = SALE_DONE;
        herd->exhausted = true;
        return 0;
    case SALE_CONFIRM:
        return put_confirm(herd, out, connection->id);
    case SALE_POLL:
        return put_get(herd, out, "/api/v1/bookings/", connection->id);
    case SALE_DONE:
        break;
    }
    return 0;
}

/* Copies the value of a string member of an answer's body; the herd knows its servers, so a search does. */
static bool read_member(const struct answer *answer, const char *member, char *value, size_t room) {
    char name[32];
    int length = snprintf(name, sizeof name, "\"%s\":\"", member);
    const char *at = memmem(answer->body, answer->body_bytes, name, (size_t)length);
    if (!at)
        return false;
    at += length;
    const char *end = memchr(at, '"', answer->body_bytes - (size_t)(at - answer->body));
    if (!end || (size_t)(end - at) >= room)
        return false;
    memcpy(value, at, (size_t)(end - at));
    value[end - at] = 0;
    return true;
}

static void next_sale(struct connection *connection) {
    connection->pair = NULL;
    connection->tries = 0;
    connection->step = SALE_RESERVE;
}

static void try_again(struct herd *herd, struct connection *connection, enum sale_step step) {
    connection->step = step;
    if (++connection->tries > SALE_TRIES) {
        herd->given_up++;
        next_sale(connection);
        return;
    }
    connection->wake_ns = herd_now_ns() + SALE_PAUSE_NS;
}

static void reserve_answered(struct herd *herd, struct connection *connection, const struct answer *answer) {
    char code[40] = "";
    if (answer->status == 201 && read_member(answer, "reservation_id", connection->id, sizeof connection->id)) {
        connection->step = SALE_CONFIRM;
        return;
    }
    bool has_code = read_member(answer, "code", code, sizeof code);
    if (has_code && (strcmp(code, "sold_out") == 0 || strcmp(code, "no_adjacent_seats") == 0)) {
        connection->step = SALE_DONE;
        herd->exhausted = true;
        return;
    }
    try_again(herd, connection, SALE_RESERVE);
}

static void confirm_answered(struct herd *herd, struct connection *connection, const struct answer *answer) {
    char status[16] = "";
    if (answer->status == 200 && read_member(answer, "status", status, sizeof status)) {
        if (strcmp(status, "CONFIRMED") == 0) {
            herd->bookings++;
            next_sale(connection);
        } else {
            try_again(herd, connection, strcmp(status, "PENDING") == 0 ? SALE_POLL : SALE_RESERVE);
        }
    } else if (answer->status == 202 && read_member(answer, "booking_id", connection->id, sizeof connection->id)) {
        herd->pending++;
        try_again(herd, connection, SALE_POLL);
    } else {
        bool may_pass = answer->status == 409 || answer->status == 429 || answer->status == 503;
        try_again(herd, connection, may_pass ? connection->step : SALE_RESERVE);
    }
}

static void sellout_answered(struct herd *herd, struct connection *connection, const struct answer *answer,
                             int64_t took_ns) {
    if (connection->step == SALE_RESERVE) {
        histogram_add(&herd->reserve_latency, took_ns);
        reserve_answered(herd, connection, answer);
    } else {
        if (connection->step == SALE_CONFIRM)
            histogram_add(&herd->confirm_latency, took_ns);
        confirm_answered(herd, connection, answer);
    }
}

/* A confirm that is still pending is what this is for: it is left alone. */
static void checkout_answered(struct herd *herd, struct connection *connection, const struct answer *answer,
                              int64_t took_ns) {
    bool was_confirm = connection->step == SALE_CONFIRM;
    sellout_answered(herd, connection, answer, took_ns);
    if (!was_confirm)
        return;
    connection->step = SALE_DONE;
    connection->wake_ns = 0;
}

const struct mode mode_get = {.name = "get", .compose = get_compose, .answered = count_only};
const struct mode mode_join = {.name = "join", .wants_show = true, .compose = join_compose, .answered = count_only};
const struct mode mode_reserve = {
    .name = "reserve", .wants_show = true, .wants_pairs = true, .compose = reserve_compose, .answered = count_only};
const struct mode mode_sellout = {.name = "sellout",
                                  .wants_bodies = true,
                                  .wants_show = true,
                                  .wants_pairs = true,
                                  .ends_by_itself = true,
                                  .compose = sellout_compose,
                                  .answered = sellout_answered};
const struct mode mode_checkout = {.name = "checkout",
                                   .wants_bodies = true,
                                   .wants_show = true,
                                   .wants_pairs = true,
                                   .ends_by_itself = true,
                                   .compose = sellout_compose,
                                   .answered = checkout_answered};
const struct mode mode_idle = {.name = "idle", .ends_by_itself = true, .compose = idle_compose, .answered = count_only};
