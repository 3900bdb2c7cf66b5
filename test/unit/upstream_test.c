/* The client of another node against servers of all kinds, over real sockets. No test depends on how long anything
 * takes. */
#include "engines/upstream/upstream.h"
#include "base/clock.h"
#include "base/sha1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENOUGH_MS 20000
#define MOST 1000

/* ---- a server ---- */

/* Answers every connection with `reply`, in which "ACCEPT" stands for the proof of the handshake, then with `flood`
 * over and over, and keeps what it is told until the client goes. One connection after the other. */
struct peer {
    int listener;
    char url[80];
    pthread_t thread;

    bool closes; /* behind the reply; set once */

    pthread_mutex_t lock;
    /* under lock */
    struct bytes reply;
    const char *flood;

    char request[4096]; /* the last one; written by the server's thread under lock, which alone reads it without */
    char told[65536];   /* behind the request */
    atomic_size_t told_length;
    atomic_uint connections;
};

static void write_all(int fd, struct bytes bytes) {
    while (bytes.length) {
        ssize_t sent = send(fd, bytes.at, bytes.length, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes = (struct bytes){bytes.at + sent, bytes.length - (size_t)sent};
    }
}

static void write_accept(int fd, const char *request) {
    char text[128], accept[32];
    uint8_t digest[SHA1_BYTES];
    const char *key = strstr(request, "Sec-WebSocket-Key: ");
    if (!key)
        return;
    snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + 19);
    sha1(bytes_of(text), digest);
    sodium_bin2base64(accept, sizeof accept, digest, sizeof digest, sodium_base64_VARIANT_ORIGINAL);
    write_all(fd, bytes_of(accept));
}

static void peer_say(struct peer *peer, struct bytes reply) {
    pthread_mutex_lock(&peer->lock);
    peer->reply = reply;
    pthread_mutex_unlock(&peer->lock);
}

static void peer_flood(struct peer *peer, const char *flood) {
    pthread_mutex_lock(&peer->lock);
    peer->flood = flood;
    pthread_mutex_unlock(&peer->lock);
}

static bool peer_was_asked(struct peer *peer, const char *text) {
    pthread_mutex_lock(&peer->lock);
    bool was_asked = strstr(peer->request, text) != NULL;
    pthread_mutex_unlock(&peer->lock);
    return was_asked;
}

static struct bytes flood_of(struct peer *peer) {
    pthread_mutex_lock(&peer->lock);
    struct bytes flood = peer->flood ? bytes_of(peer->flood) : BYTES("");
    pthread_mutex_unlock(&peer->lock);
    return flood;
}

static void reply(struct peer *peer, int fd) {
    pthread_mutex_lock(&peer->lock);
    struct bytes left = peer->reply;
    pthread_mutex_unlock(&peer->lock);
    const char *place = left.length ? memmem(left.at, left.length, "ACCEPT", 6) : NULL;
    if (place) {
        write_all(fd, (struct bytes){left.at, (size_t)(place - left.at)});
        write_accept(fd, peer->request);
        left = (struct bytes){place + 6, left.length - (size_t)(place + 6 - left.at)};
    }
    write_all(fd, left);
}

/* The request's head. False at the connection's end. */
static bool read_request(struct peer *peer, int fd) {
    char head[sizeof peer->request];
    size_t length = 0;
    do {
        ssize_t n = length < sizeof head - 1 ? recv(fd, head + length, 1, 0) : 0;
        if (n <= 0)
            return false;
        head[++length] = '\0';
    } while (length < 4 || memcmp(head + length - 4, "\r\n\r\n", 4) != 0);
    pthread_mutex_lock(&peer->lock);
    memcpy(peer->request, head, length + 1);
    pthread_mutex_unlock(&peer->lock);
    return true;
}

static void serve_connection(struct peer *peer, int fd) {
    while (read_request(peer, fd)) {
        reply(peer, fd);
        for (struct bytes flood; (flood = flood_of(peer)).length;)
            if (send(fd, flood.at, flood.length, MSG_NOSIGNAL) <= 0)
                break;
        if (peer->closes)
            return;
        if (!strstr(peer->request, "websocket"))
            continue;
        size_t length = 0;
        for (ssize_t n; (n = recv(fd, peer->told + length, sizeof peer->told - length, 0)) > 0;) {
            length += (size_t)n;
            atomic_store(&peer->told_length, length);
        }
        return;
    }
}

static void *serve(void *context) {
    struct peer *peer = context;
    for (;;) {
        int fd = accept(peer->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        atomic_fetch_add(&peer->connections, 1);
        serve_connection(peer, fd);
        close(fd);
    }
}

static void peer_start(struct peer *peer) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    peer->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(peer->listener, 16), 0);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(peer->url, sizeof peer->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&peer->thread, NULL, serve, peer), 0);
}

static void peer_stop(struct peer *peer) {
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
}

/* ---- a client ---- */

struct client {
    struct peer peer;
    struct upstream *upstream;
    struct upstream_get get;
    struct upstream_line line;
    unsigned done, opened, ended, heard;
    unsigned status;
    char body[MOST + 1];
    char why[100];
    char message[MOST + 1]; /* the last one */
    bool was_text;
    bool refuses;
};

static void take_document(struct upstream_get *get) {
    struct client *client = get->context;
    client->done++;
    client->status = get->status;
    snprintf(client->body, sizeof client->body, "%.*s", (int)get->body.length, get->body.length ? get->body.at : "");
}

static void take_opening(struct upstream_line *line) {
    struct client *client = line->context;
    client->opened++;
}

static bool take_message(struct upstream_line *line, bool is_text, struct bytes message) {
    struct client *client = line->context;
    client->heard++;
    client->was_text = is_text;
    snprintf(client->message, sizeof client->message, "%.*s", (int)message.length, message.length ? message.at : "");
    return !client->refuses;
}

static void take_end(struct upstream_line *line, const char *why) {
    struct client *client = line->context;
    client->ended++;
    snprintf(client->why, sizeof client->why, "%s", why);
}

static struct client *client_of(struct bytes reply, bool closes) {
    struct client *client = calloc(1, sizeof *client);
    assert_non_null(client);
    pthread_mutex_init(&client->peer.lock, NULL);
    client->peer.reply = reply;
    client->peer.closes = closes;
    peer_start(&client->peer);
    assert_int_equal(upstream_new(client->peer.url, &client->upstream), RESULT_OK);
    client->get = (struct upstream_get){
        .path = "/x", .most = MOST, .timeout_ms = ENOUGH_MS, .context = client, .done = take_document};
    client->line = (struct upstream_line){.path = "/live",
                                          .most = MOST,
                                          .context = client,
                                          .opened = take_opening,
                                          .heard = take_message,
                                          .ended = take_end};
    return client;
}

static void client_stop(struct client *client) {
    upstream_get_drop(&client->get);
    upstream_line_drop(&client->line);
    upstream_free(client->upstream);
    peer_stop(&client->peer);
    free(client);
}

#define UNTIL(client, condition)                                                                                       \
    do {                                                                                                               \
        int64_t end_us = clock_monotonic_us() + ENOUGH_MS * 1000LL;                                                    \
        while (!(condition) && clock_monotonic_us() < end_us)                                                          \
            upstream_run((client)->upstream, 10);                                                                      \
        assert_true(condition);                                                                                        \
    } while (0)

static void get_it(struct client *client) {
    unsigned before = client->done;
    upstream_get(client->upstream, &client->get);
    UNTIL(client, client->done > before);
}

#define WEBSOCKET                                                                                                      \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT"    \
    "\r\n\r\n"

/* ---- documents ---- */

/* Red if the ETag is lost, or is not sent. */
static void a_document_is_got_and_asked_for_by_its_etag_again(void **state) {
    (void)state;
    struct client *client =
        client_of(BYTES("HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: 5\r\n\r\nhello"), false);
    get_it(client);
    assert_int_equal(client->status, 200);
    assert_string_equal(client->body, "hello");
    assert_string_equal(client->get.etag, "\"v1\"");
    assert_false(peer_was_asked(&client->peer, "If-None-Match"));
    peer_say(&client->peer, BYTES("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n"));
    get_it(client);
    assert_int_equal(client->status, 304);
    assert_string_equal(client->get.etag, "\"v1\"");
    assert_true(peer_was_asked(&client->peer, "If-None-Match: \"v1\"\r\n"));
    assert_int_equal(atomic_load(&client->peer.connections), 1);
    client_stop(client);
}

/* Red without the bound in take_body(): by what came, and whatever was announced. */
static void a_document_over_its_bound_is_none(void **state) {
    (void)state;
    struct client *client = client_of(BYTES("HTTP/1.1 200 OK\r\nETag: \"v2\"\r\n\r\n"), true);
    peer_flood(&client->peer, "0123456789");
    client->get.timeout_ms = 100 * ENOUGH_MS; /* it is the bound that ends it */
    get_it(client);
    assert_int_equal(client->status, 0);
    assert_string_equal(client->get.etag, "");
    peer_flood(&client->peer, NULL);
    client_stop(client);
}

/* Red if a part of a document is taken for the whole. */
static void a_document_that_breaks_off_is_none(void **state) {
    (void)state;
    struct client *client = client_of(BYTES("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"), true);
    get_it(client);
    assert_int_equal(client->status, 0);
    peer_say(&client->peer, BYTES(""));
    get_it(client);
    assert_int_equal(client->status, 0);
    peer_say(&client->peer, BYTES("220 mail.example ESMTP\r\n"));
    get_it(client);
    assert_int_equal(client->status, 0);
    client_stop(client);
}

/* Red if a get can be left behind in libcurl's hands (address sanitizer). */
static void a_get_that_is_dropped_is_not_heard_of_again(void **state) {
    (void)state;
    struct client *client = client_of(BYTES("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"), false);
    upstream_get(client->upstream, &client->get);
    UNTIL(client, atomic_load(&client->peer.connections) == 1);
    upstream_get_drop(&client->get);
    upstream_run(client->upstream, 0);
    assert_int_equal(client->done, 0);
    client_stop(client);
}

/* ---- WebSockets ---- */

/* Red if messages behind the handshake in the same read are lost, or the answer to a ping, or the echo of a close. */
static void messages_are_heard_and_pings_answered_until_the_server_closes(void **state) {
    (void)state;
    struct client *client = client_of(BYTES(WEBSOCKET "\x82\x05hello\x89\x02hi\x81\x03you\x88\x02\x03\xe9"), false);
    upstream_listen(client->upstream, &client->line);
    UNTIL(client, client->ended == 1);
    assert_int_equal(client->opened, 1);
    assert_int_equal(client->heard, 2);
    assert_string_equal(client->message, "you");
    assert_true(client->was_text);
    assert_string_equal(client->why, "it goes away");
    assert_true(peer_was_asked(&client->peer, "GET /live HTTP/1.1\r\n"));
    UNTIL(client, atomic_load(&client->peer.told_length) == 8 + 8);
    const uint8_t *told = (const uint8_t *)client->peer.told;
    assert_memory_equal(told, "\x8a\x82", 2);
    assert_int_equal(told[6] ^ told[2], 'h');
    assert_int_equal(told[7] ^ told[3], 'i');
    assert_memory_equal(told + 8, "\x88\x82", 2);
    assert_int_equal(told[14] ^ told[10], 0x03);
    assert_int_equal(told[15] ^ told[11], 0xe9);
    client_stop(client);
}

static void ends_with(struct bytes reply, bool closes, const char *why, unsigned heard) {
    struct client *client = client_of(reply, closes);
    upstream_listen(client->upstream, &client->line);
    UNTIL(client, client->ended == 1);
    assert_string_equal(client->why, why);
    assert_int_equal(client->heard, heard);
    assert_int_equal(client->line.state, LINE_CLOSED);
    /* and it can be listened to again */
    upstream_listen(client->upstream, &client->line);
    UNTIL(client, client->ended == 2);
    client_stop(client);
}

/* Each line red if its kind of server is believed. */
static void servers_that_misbehave_are_left(void **state) {
    (void)state;
    ends_with(BYTES("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), false, "it answered the handshake with 404",
              0);
    ends_with(BYTES("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n\x81\x01x"),
              false, "its answer to the handshake is not one", 0);
    ends_with(BYTES(WEBSOCKET "\x81\x01x"), true, "the connection was closed", 1);
    ends_with(BYTES("HTTP/1.1 101 Swi"), true, "the connection was closed", 0);
    ends_with(BYTES(WEBSOCKET "\x81\x81"
                              "0000x"),
              false, "its frames are malformed", 0);
    ends_with(BYTES(WEBSOCKET "\x82\x7f\x00\x00\x00\xff\xff\xff\xff\xff"), false, "a message was too long", 0);
}

/* Red if a head without end is kept. */
static void a_handshake_that_never_ends_is_given_up(void **state) {
    (void)state;
    struct client *client = client_of(BYTES("HTTP/1.1 101 Switching Protocols\r\n"), true);
    peer_flood(&client->peer, "X-Field: more and more of it\r\n");
    upstream_listen(client->upstream, &client->line);
    UNTIL(client, client->ended == 1);
    assert_string_equal(client->why, "its answer to the handshake is not one");
    client_stop(client);
}

/* Red if messages that make no sense are listened to further, or the code is not told. */
static void a_line_whose_message_makes_no_sense_is_closed(void **state) {
    (void)state;
    struct client *client = client_of(BYTES(WEBSOCKET "\x82\x05hello\x82\x05hello"), false);
    client->refuses = true;
    upstream_listen(client->upstream, &client->line);
    UNTIL(client, client->heard == 1 && atomic_load(&client->peer.told_length) == 8);
    assert_int_equal(client->line.state, LINE_CLOSED);
    assert_int_equal(client->ended, 0);
    const uint8_t *told = (const uint8_t *)client->peer.told;
    assert_int_equal((told[6] ^ told[2]) << 8 | (told[7] ^ told[3]), 1002);
    client_stop(client);
}

/* Red if who floods is listened to for ever, or if the answers to the pings pile up. */
static void who_floods_is_left(void **state) {
    (void)state;
    static const char *const floods[] = {"\x89\x04ping", "\x8a\x04pong", "\x81\x04text"};
    for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++) {
        struct client *client = client_of(BYTES(WEBSOCKET), true);
        peer_flood(&client->peer, floods[i]);
        upstream_listen(client->upstream, &client->line);
        UNTIL(client, client->ended == 1 || client->line.out.length > 2048);
        assert_string_equal(client->why, "it sends too much");
        assert_true(client->heard <= 1001);
        client_stop(client);
    }
}

/* Red if a line can only be dropped once it is open, or says that it ended when it was dropped. */
static void a_line_can_be_dropped_at_any_time(void **state) {
    (void)state;
    for (int turns = 0; turns < 6; turns++) {
        struct client *client = client_of(BYTES(WEBSOCKET "\x81\x01x"), false);
        upstream_listen(client->upstream, &client->line);
        for (int i = 0; i < turns; i++)
            upstream_run(client->upstream, 1);
        upstream_line_drop(&client->line);
        upstream_line_drop(&client->line);
        upstream_run(client->upstream, 0);
        assert_int_equal(client->ended, 0);
        client_stop(client);
    }
}

/* Red if a connection that cannot be made is waited for. */
static void where_nobody_listens_it_ends_at_once(void **state) {
    (void)state;
    struct client *client = client_of(BYTES(""), true);
    struct upstream *nowhere;
    assert_int_equal(upstream_new("http://127.0.0.1:1", &nowhere), RESULT_OK);
    upstream_listen(nowhere, &client->line);
    upstream_get(nowhere, &client->get);
    for (int i = 0; i < 2000 && !(client->ended && client->done); i++)
        upstream_run(nowhere, 10);
    assert_int_equal(client->ended, 1);
    assert_int_equal(client->done, 1);
    assert_int_equal(client->status, 0);
    upstream_free(nowhere);
    client_stop(client);
}

/* Each line red without its check. */
static void only_a_bare_url_names_an_upstream(void **state) {
    (void)state;
    static const char *const good[] = {"http://127.0.0.1:8080", "http://node.example/", "https://node.example",
                                       "http://[::1]:80"};
    static const char *const bad[] = {"",
                                      "node.example:8080",
                                      "ws://node.example",
                                      "ftp://node.example",
                                      "http://",
                                      "http://user:secret@node.example",
                                      "http://node.example/path",
                                      "http://node.example/?query",
                                      "http://node.example/#fragment",
                                      "http://node.example:99999",
                                      "http://node example"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(upstream_check_url(good[i]), RESULT_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (upstream_check_url(bad[i]) != RESULT_INVALID_FIELD)
            fail_msg("'%s' was taken", bad[i]);
}

int main(void) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_got_and_asked_for_by_its_etag_again),
        cmocka_unit_test(a_document_over_its_bound_is_none),
        cmocka_unit_test(a_document_that_breaks_off_is_none),
        cmocka_unit_test(a_get_that_is_dropped_is_not_heard_of_again),
        cmocka_unit_test(messages_are_heard_and_pings_answered_until_the_server_closes),
        cmocka_unit_test(servers_that_misbehave_are_left),
        cmocka_unit_test(a_handshake_that_never_ends_is_given_up),
        cmocka_unit_test(a_line_whose_message_makes_no_sense_is_closed),
        cmocka_unit_test(who_floods_is_left),
        cmocka_unit_test(a_line_can_be_dropped_at_any_time),
        cmocka_unit_test(where_nobody_listens_it_ends_at_once),
        cmocka_unit_test(only_a_bare_url_names_an_upstream),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
