/* The sender against endpoints of all kinds, over real sockets. No test depends on how long anything takes: what must
 * not be waited for would take a minute. */
#include "engines/webhook/webhook_sender.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEER_CONNECTIONS 64
#define LONG_MS 60000
#define FLOOD_BYTES (64 * 1024 * 1024)

/* ---- an endpoint ---- */

/* Gives every request the same answer, each connection on a thread of its own. */
struct peer {
    int listener;
    char url[80]; /* "http://127.0.0.1:1234/hook?a=1" */
    pthread_t thread;

    /* set before it is spoken to */
    const char *reply;
    size_t reply_length;
    bool silent;           /* holds the connection after the reply, until the peer ends */
    const char *flood;     /* sent over and over behind the reply */
    unsigned a_connection; /* requests answered on one, the next is read and the connection closed; 0: all */
    unsigned gather;       /* nobody is answered until so many ask at once */

    atomic_uint connections, requests, open, most_open, flooded;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned asking;
    bool stopping;
    char request[16 * 1024]; /* the last one */
    struct {
        pthread_t thread;
        int fd;
        struct peer *peer;
    } at[PEER_CONNECTIONS];
};

/* The next request of a connection, whole. False at its end. */
static bool read_request(int fd, char *request, size_t room) {
    size_t length = 0, wanted = SIZE_MAX;
    while (length < wanted) {
        ssize_t n = recv(fd, request + length, room - 1 - length, 0);
        if (n <= 0)
            return false;
        length += (size_t)n;
        request[length] = '\0';
        const char *body = strstr(request, "\r\n\r\n"), *told = strstr(request, "Content-Length: ");
        if (body)
            wanted = (size_t)(body + 4 - request) + (told ? strtoul(told + 16, NULL, 10) : 0);
    }
    return true;
}

static void gather(struct peer *peer) {
    pthread_mutex_lock(&peer->lock);
    peer->asking++;
    pthread_cond_broadcast(&peer->changed);
    while (peer->asking < peer->gather && !peer->stopping)
        pthread_cond_wait(&peer->changed, &peer->lock);
    pthread_mutex_unlock(&peer->lock);
}

static bool send_all(int fd, const char *data, size_t length) {
    for (size_t at = 0; at < length;) {
        ssize_t n = send(fd, data + at, length - at, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static void *serve_connection(void *context) {
    struct peer *peer = *(struct peer **)context;
    char *request = malloc(sizeof peer->request);
    int fd = -1;
    for (unsigned i = 0; i < PEER_CONNECTIONS; i++)
        if ((void *)&peer->at[i].peer == context)
            fd = peer->at[i].fd;
    assert_non_null(request);
    for (unsigned answered = 0; read_request(fd, request, sizeof peer->request); answered++) {
        atomic_fetch_add(&peer->requests, 1);
        pthread_mutex_lock(&peer->lock);
        memcpy(peer->request, request, sizeof peer->request);
        pthread_mutex_unlock(&peer->lock);
        gather(peer);
        if (peer->a_connection && answered == peer->a_connection)
            break;
        bool sent = send_all(fd, peer->reply, peer->reply_length);
        while (sent && peer->flood && atomic_load(&peer->flooded) < FLOOD_BYTES) {
            sent = send_all(fd, peer->flood, strlen(peer->flood));
            atomic_fetch_add(&peer->flooded, (unsigned)strlen(peer->flood));
        }
        if (!sent || (!peer->silent && !strstr(peer->reply, "Content-Length") && !strstr(peer->reply, " 204 ")))
            break;
    }
    free(request);
    shutdown(fd, SHUT_RDWR);
    atomic_fetch_sub(&peer->open, 1);
    return NULL;
}

static void *accept_all(void *context) {
    struct peer *peer = context;
    int fd;
    while ((fd = accept(peer->listener, NULL, NULL)) >= 0) {
        unsigned i = atomic_fetch_add(&peer->connections, 1), open = atomic_fetch_add(&peer->open, 1) + 1;
        if (open > atomic_load(&peer->most_open))
            atomic_store(&peer->most_open, open);
        assert_true(i < PEER_CONNECTIONS);
        peer->at[i].fd = fd;
        peer->at[i].peer = peer;
        assert_int_equal(pthread_create(&peer->at[i].thread, NULL, serve_connection, &peer->at[i].peer), 0);
    }
    return NULL;
}

static struct peer *peer_new(const char *reply) {
    struct peer *peer = calloc(1, sizeof *peer);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    assert_non_null(peer);
    peer->reply = reply;
    peer->reply_length = strlen(reply);
    pthread_mutex_init(&peer->lock, NULL);
    pthread_cond_init(&peer->changed, NULL);
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(peer->listener, PEER_CONNECTIONS), 0);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&address, &length), 0);
    snprintf(peer->url, sizeof peer->url, "http://127.0.0.1:%u/hook?a=1", ntohs(address.sin_port));
    return peer;
}

static void peer_listen(struct peer *peer) {
    assert_int_equal(pthread_create(&peer->thread, NULL, accept_all, peer), 0);
}

static struct peer *peer_start(const char *reply) {
    struct peer *peer = peer_new(reply);
    peer_listen(peer);
    return peer;
}

static void peer_stop(struct peer *peer) {
    pthread_mutex_lock(&peer->lock);
    peer->stopping = true;
    pthread_cond_broadcast(&peer->changed);
    pthread_mutex_unlock(&peer->lock);
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
    for (unsigned i = 0; i < atomic_load(&peer->connections); i++) {
        shutdown(peer->at[i].fd, SHUT_RDWR);
        pthread_join(peer->at[i].thread, NULL);
        close(peer->at[i].fd);
    }
    free(peer);
}

/* ---- messages ---- */

struct letter {
    struct webhook_message message;
    atomic_uint done; /* how often */
};

static void count_done(struct webhook_message *message) {
    struct letter *letter = message->context;
    atomic_fetch_add(&letter->done, 1);
}

static void letter_init(struct letter *letter, const char *url) {
    *letter = (struct letter){0};
    letter->message = (struct webhook_message){.url = url,
                                               .headers = BYTES("Content-Type: text/plain\r\nX-Number: 7\r\n"),
                                               .body = BYTES("hello"),
                                               .context = letter,
                                               .done = count_done};
}

static void wait_for(struct letter *letter) {
    for (int i = 0; i < LONG_MS && !atomic_load(&letter->done); i++)
        usleep(1000);
    assert_int_equal(atomic_load(&letter->done), 1);
}

static struct webhook_sender *sender_with(uint32_t connections, int answer_ms) {
    struct webhook_sender_settings settings = {.connections = connections, .answer_ms = answer_ms};
    struct webhook_sender *sender;
    assert_int_equal(webhook_sender_new(&settings, &sender), RESULT_OK);
    return sender;
}

static unsigned status_of(struct webhook_sender *sender, const char *url, char why[static 120]) {
    struct letter letter;
    letter_init(&letter, url);
    webhook_sender_send(sender, &letter.message);
    wait_for(&letter);
    memcpy(why, letter.message.why, 120);
    return letter.message.status;
}

#define NO_CONTENT "HTTP/1.1 204 No Content\r\n\r\n"

static void a_message_arrives_as_it_is(void **state) {
    /* Red if a header, the target or the body is lost, another Content-Type is made up, or a proxy of the environment
     * is asked (main() names one where nobody listens). */
    (void)state;
    struct peer *peer = peer_start(NO_CONTENT);
    struct webhook_sender *sender = sender_with(0, LONG_MS);
    char why[120];
    assert_int_equal(status_of(sender, peer->url, why), 204);
    assert_string_equal(why, "");
    assert_memory_equal(peer->request, "POST /hook?a=1 HTTP/1.1\r\n", 25);
    assert_non_null(strstr(peer->request, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(peer->request, "\r\nX-Number: 7\r\n"));
    assert_non_null(strstr(peer->request, "\r\nContent-Length: 5\r\n"));
    assert_null(strstr(peer->request, "urlencoded"));
    assert_non_null(strstr(peer->request, "\r\n\r\nhello"));
    webhook_sender_free(sender);
    peer_stop(peer);
}

static void of_an_answer_only_the_status_counts(void **state) {
    /* Red if a redirect is followed, a body's fate changes what the head said, or an answer that never came is taken
     * for one. */
    (void)state;
    static const struct {
        const char *reply;
        bool silent;
        unsigned status;
        const char *why;
    } answers[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, 200, ""},
        {"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", false, 202,
         ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\ncut", true, 200, ""}, /* the rest never comes */
        {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", false, 503, "503"},
        {"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", false, 410, "410"},
        {"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", false, 302, "302"},
        {"", false, 0, "the connection was closed before the answer"},
        {"", true, 0, "timed out"},
        {"HTTP/1.1 200 OK\r\nContent-Le", true, 0, "timed out"}, /* cut in the head */
        {"HTTP/1.1 100 Continue\r\n\r\n", true, 0, "timed out"},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct peer *peer = peer_new(answers[i].reply);
        peer->silent = answers[i].silent;
        peer_listen(peer);
        struct webhook_sender *sender = sender_with(1, answers[i].silent ? 300 : LONG_MS);
        char why[120];
        assert_int_equal(status_of(sender, peer->url, why), answers[i].status);
        assert_string_equal(why, answers[i].why);
        assert_int_equal(atomic_load(&peer->requests), 1);
        webhook_sender_free(sender);
        peer_stop(peer);
    }
}

static void an_answer_without_end_is_cut_off(void **state) {
    /* Red if an endpoint may send as much as it likes, in the body or in the head. */
    (void)state;
    static const struct {
        const char *reply, *flood;
        unsigned status;
    } answers[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 200},
        {"HTTP/1.1 200 OK\r\n", "X-Field: 0123456789012345678\r\n", 0},
    };
    for (int i = 0; i < 2; i++) {
        struct peer *peer = peer_new(answers[i].reply);
        peer->silent = true;
        peer->flood = answers[i].flood;
        peer_listen(peer);
        struct webhook_sender *sender = sender_with(1, LONG_MS);
        char why[120];
        assert_int_equal(status_of(sender, peer->url, why), answers[i].status);
        assert_true(atomic_load(&peer->flooded) < FLOOD_BYTES);
        webhook_sender_free(sender);
        peer_stop(peer);
    }
}

static void nobody_there_is_said(void **state) {
    /* Red if a refused connection, a foreign plain-text endpoint or no URL at all is anything but status 0 with its
     * reason. */
    (void)state;
    struct peer *peer = peer_start("");
    char url[80], why[120];
    snprintf(url, sizeof url, "%s", peer->url);
    peer_stop(peer);
    struct webhook_sender *sender = sender_with(1, LONG_MS);
    assert_int_equal(status_of(sender, url, why), 0);
    assert_string_equal(why, "could not connect");
    assert_int_equal(status_of(sender, "http://192.0.2.1/", why), 0);
    assert_string_equal(why, "its URL is neither https:// nor on this machine");
    assert_int_equal(status_of(sender, "no url", why), 0);
    webhook_sender_free(sender);
}

static void nothing_is_sent_twice(void **state) {
    /* Red if curl may repeat a request by itself when a kept connection dies under it: the peer would see three. */
    (void)state;
    struct peer *peer = peer_new("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    peer->a_connection = 1;
    peer_listen(peer);
    struct webhook_sender *sender = sender_with(1, LONG_MS);
    char why[120];
    assert_int_equal(status_of(sender, peer->url, why), 200);
    assert_int_equal(status_of(sender, peer->url, why), 0);
    assert_string_equal(why, "the connection was closed before the answer");
    assert_int_equal(atomic_load(&peer->requests), 2);
    webhook_sender_free(sender);
    peer_stop(peer);
}

static void many_go_at_once_but_no_more_than_allowed(void **state) {
    /* Red if messages go one by one (the peer answers nobody until eight ask), or over more connections than set. */
    (void)state;
    static struct letter letters[40];
    struct peer *peer = peer_new("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    peer->gather = 8;
    peer_listen(peer);
    struct webhook_sender *sender = sender_with(8, LONG_MS);
    for (size_t i = 0; i < 40; i++) {
        letter_init(&letters[i], peer->url);
        webhook_sender_send(sender, &letters[i].message);
    }
    for (size_t i = 0; i < 40; i++) {
        wait_for(&letters[i]);
        assert_int_equal(letters[i].message.status, 200);
    }
    assert_int_equal(atomic_load(&peer->requests), 40);
    assert_int_equal(atomic_load(&peer->most_open), 8);
    webhook_sender_free(sender);
    peer_stop(peer);
}

static void a_silent_endpoint_costs_another_nothing(void **state) {
    /* Red if a message waits for one that gets no answer. */
    (void)state;
    struct peer *quiet = peer_new(""), *quick = peer_start(NO_CONTENT);
    quiet->silent = true;
    peer_listen(quiet);
    struct webhook_sender *sender = sender_with(2, 10 * LONG_MS);
    struct letter stuck;
    char why[120];
    letter_init(&stuck, quiet->url);
    webhook_sender_send(sender, &stuck.message);
    for (int i = 0; i < 10; i++)
        assert_int_equal(status_of(sender, quick->url, why), 204);
    assert_int_equal(atomic_load(&stuck.done), 0);
    webhook_sender_free(sender);
    assert_int_equal(atomic_load(&stuck.done), 1);
    assert_int_equal(stuck.message.status, 0);
    assert_string_equal(stuck.message.why, "given up: stopping");
    peer_stop(quiet);
    peer_stop(quick);
}

/* Sends itself again as long as the sender takes it, three times in all. */
static struct webhook_sender *sender_of_again;

static void send_again(struct webhook_message *message) {
    struct letter *letter = message->context;
    if (atomic_fetch_add(&letter->done, 1) < 2)
        webhook_sender_send(sender_of_again, message);
}

static void at_the_end_everything_is_given_back(void **state) {
    /* Red if a message that waited, was under way, or was sent by another's `done`, never gets its own, or the end
     * waits for answers. */
    (void)state;
    struct letter letters[6];
    struct peer *quiet = peer_new("");
    quiet->silent = true;
    peer_listen(quiet);
    sender_of_again = sender_with(2, 10 * LONG_MS);
    for (size_t i = 0; i < 6; i++) {
        letter_init(&letters[i], quiet->url);
        letters[i].message.done = send_again;
        webhook_sender_send(sender_of_again, &letters[i].message);
    }
    webhook_sender_free(sender_of_again);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(atomic_load(&letters[i].done), 3);
        assert_int_equal(letters[i].message.status, 0);
    }
    peer_stop(quiet);
}

static void plain_http_stays_on_this_machine(void **state) {
    /* Red if an endpoint is taken that plain text would reach over a network, or a good one is not. */
    (void)state;
    static const char *const good[] = {"https://example.com/hook",   "https://10.0.0.1:8443/a?b=c",
                                       "http://127.0.0.1:8080/hook", "http://localhost/",
                                       "http://[::1]:80/hook",       "HTTPS://EXAMPLE.COM"};
    static const char *const bad[] = {"",
                                      "hook",
                                      "http://example.com/",
                                      "http://127.0.0.1.example.com/",
                                      "http://localhost.example.com/",
                                      "http://10.0.0.1/",
                                      "https://user:secret@example.com/",
                                      "ftp://127.0.0.1/",
                                      "file:///etc/passwd",
                                      "https://",
                                      "https://exa mple.com/"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(webhook_url_check(good[i]), RESULT_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(webhook_url_check(bad[i]), RESULT_INVALID_FIELD);
}

int main(void) {
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    setenv("all_proxy", "http://127.0.0.1:9", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_http_stays_on_this_machine),
        cmocka_unit_test(a_message_arrives_as_it_is),
        cmocka_unit_test(of_an_answer_only_the_status_counts),
        cmocka_unit_test(an_answer_without_end_is_cut_off),
        cmocka_unit_test(nobody_there_is_said),
        cmocka_unit_test(nothing_is_sent_twice),
        cmocka_unit_test(many_go_at_once_but_no_more_than_allowed),
        cmocka_unit_test(a_silent_endpoint_costs_another_nothing),
        cmocka_unit_test(at_the_end_everything_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
