#include "http_world.h"
#include "base/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define PATIENCE_SECONDS 20 /* until a test is given up */

static enum result admit(void *context, const struct http_request *head, size_t *max_body) {
    (void)context;
    if (bytes_equal(head->path, BYTES("/gone")))
        return RESULT_NOT_FOUND;
    *max_body = bytes_equal(head->path, BYTES("/upload")) ? 16 * 1024 * 1024
                : bytes_equal(head->path, BYTES("/tiny")) ? 8
                                                          : 64 * 1024;
    return RESULT_OK;
}

static void handle(void *context, struct exchange *exchange, const struct http_request *request) {
    struct world *world = context;
    unsigned before = atomic_fetch_add(&world->handled_count, 1);
    static const struct bytes plain = BYTES("Content-Type: text/plain\r\n");
    static const struct bytes none = {NULL, 0};
    if (bytes_equal(request->path, BYTES("/now"))) {
        exchange_reply(exchange, 200, plain, BYTES("now"));
    } else if (bytes_equal(request->path, BYTES("/echo")) || bytes_equal(request->path, BYTES("/upload"))) {
        struct buffer *scratch = exchange_scratch(exchange);
        buffer_add_bytes(scratch, request->body);
        if (!buffer_ok(scratch))
            exchange_close_after(exchange);
        exchange_reply(exchange, buffer_ok(scratch) ? 200 : 503, none, buffer_bytes(scratch));
    } else if (bytes_equal(request->path, BYTES("/count"))) {
        buffer_add_u64(exchange_scratch(exchange), before);
        exchange_reply(exchange, 200, none, buffer_bytes(exchange_scratch(exchange)));
    } else if (bytes_equal(request->path, BYTES("/large"))) {
        exchange_reply(exchange, 200, none, (struct bytes){world->blob->at, LARGE_BYTES});
    } else if (bytes_equal(request->path, BYTES("/blob"))) {
        exchange_reply_blob(exchange, 200, none, world->blob);
    } else if (bytes_equal(request->path, BYTES("/small"))) {
        exchange_reply_blob(exchange, 200, none, world->small);
    } else if (bytes_equal(request->path, BYTES("/empty"))) {
        exchange_reply(exchange, 204, none, none);
    } else if (bytes_equal(request->path, BYTES("/unchanged"))) {
        exchange_reply(exchange, 304, BYTES("ETag: \"a\"\r\n"), BYTES("left out"));
    } else if (bytes_equal(request->path, BYTES("/close"))) {
        exchange_close_after(exchange);
        exchange_reply(exchange, 503, none, BYTES("close"));
    } else if (bytes_equal(request->path, BYTES("/peer"))) {
        exchange_reply(exchange, 200, none, request->peer);
    } else if (bytes_equal(request->path, BYTES("/park"))) {
        assert(world->parked_count < WORLD_PARKED);
        world->parked[world->parked_count++] = exchange_park(exchange);
    } else if (bytes_equal(request->path, BYTES("/both"))) {
        struct exchange *resumed = exchange_resume(exchange_park(exchange));
        assert(resumed == exchange);
        exchange_reply(resumed, 200, plain, BYTES("both"));
    } else {
        exchange_reply(exchange, 404, plain, BYTES("no such path"));
    }
}

static unsigned status_of(enum result result) {
    switch (result) {
    case RESULT_NOT_FOUND:
        return 404;
    case RESULT_REQUEST_TIMEOUT:
        return 408;
    case RESULT_LENGTH_REQUIRED:
        return 411;
    case RESULT_BODY_TOO_LARGE:
        return 413;
    case RESULT_TARGET_TOO_LONG:
        return 414;
    case RESULT_HEADERS_TOO_LARGE:
        return 431;
    case RESULT_NOT_IMPLEMENTED:
        return 501;
    case RESULT_HTTP_VERSION_NOT_SUPPORTED:
        return 505;
    default:
        return 400;
    }
}

static void refuse(void *context, struct exchange *exchange, const struct http_request *request, enum result result,
                   const char *detail) {
    (void)context;
    assert(request && request->peer.length);
    struct buffer *scratch = exchange_scratch(exchange);
    buffer_printf(scratch, "%s %s", result_name(result), detail ? detail : "-");
    exchange_reply(exchange, status_of(result), BYTES("Content-Type: application/problem+json\r\n"),
                   buffer_bytes(scratch));
}

struct reactor_settings world_settings(void) {
    return (struct reactor_settings){.waits = {60000, 60000, 60000, 60000}, .max_connections = 1000};
}

static void *run(void *context) {
    reactor_run(context);
    return NULL;
}

struct world *world_start(const struct reactor_settings *settings) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->blob = blob_new(BLOB_BYTES);
    for (size_t i = 0; i < BLOB_BYTES; i++)
        world->blob->at[i] = (char)('a' + i % 23);
    world->small = blob_copy(BYTES("small"));
    struct http_service service = {world, admit, handle, refuse};
    int fd;
    assert_int_equal(listener_open("127.0.0.1:0", &fd, &world->port), RESULT_OK);
    assert_int_equal(reactor_new(settings, &world->reactor), RESULT_OK);
    reactor_listen(world->reactor, fd, &service);
    assert_int_equal(pthread_create(&world->thread, NULL, run, world->reactor), 0);
    return world;
}

void world_stop(struct world *world, int drain_ms) {
    reactor_stop(world->reactor, drain_ms);
    assert_int_equal(pthread_join(world->thread, NULL), 0);
    reactor_free(world->reactor);
    assert_int_equal(atomic_load(&world->blob->references), 1);
    assert_int_equal(atomic_load(&world->small->references), 1);
    blob_drop(world->blob);
    blob_drop(world->small);
    free(world);
}

struct deed {
    struct envelope envelope;
    struct world *world;
    void (*act)(struct world *world);
    sem_t done;
};

static void open_deed(struct envelope *envelope, void *receiver) {
    struct deed *deed = (struct deed *)envelope;
    assert(receiver == deed->world->reactor);
    deed->act(deed->world);
    sem_post(&deed->done);
}

void world_do(struct world *world, void (*act)(struct world *world)) {
    struct deed deed = {.envelope = {.open = open_deed}, .world = world, .act = act};
    sem_init(&deed.done, 0, 0);
    reactor_send(world->reactor, &deed.envelope);
    while (sem_wait(&deed.done) < 0)
        assert_int_equal(errno, EINTR);
    sem_destroy(&deed.done);
}

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static unsigned seen_parked;

static void count_parked(struct world *world) {
    seen_parked = world->parked_count;
}

void world_wait_for_parked(struct world *world, unsigned count) {
    for (int i = 0; i < PATIENCE_SECONDS * 1000; i++) {
        world_do(world, count_parked);
        if (seen_parked >= count)
            return;
        nap();
    }
    fail_msg("only %u of %u exchanges were put off", seen_parked, count);
}

static bool was_there;

static void answer_oldest(struct world *world) {
    assert(world->answered_count < world->parked_count);
    struct exchange_ref ref = world->parked[world->answered_count++];
    struct exchange *exchange = exchange_resume(ref);
    was_there = exchange != NULL;
    if (!exchange)
        return;
    exchange_reply(exchange, 200, (struct bytes){NULL, 0}, BYTES("parked"));
    assert(!exchange_resume(ref));
}

bool world_answer_parked(struct world *world) {
    world_do(world, answer_oldest);
    return was_there;
}

void world_wait_for_open(unsigned count) {
    for (int i = 0; i < PATIENCE_SECONDS * 1000; i++) {
        if (metric_value(METRIC_CONNECTIONS_OPEN) == count)
            return;
        nap();
    }
    fail_msg("%d connections are open, not %u", (int)metric_value(METRIC_CONNECTIONS_OPEN), count);
}

struct client client_connect(const struct world *world) {
    struct client client = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    buffer_init(&client.input, SIZE_MAX / 4);
    assert_true(client.fd >= 0);
    struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    assert_int_equal(setsockopt(client.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(setsockopt(client.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
    /* What a test cuts in two arrives in two. */
    int on = 1;
    assert_int_equal(setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(world->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(client.fd, (struct sockaddr *)&address, sizeof address), 0);
    return client;
}

void client_close(struct client *client) {
    close(client->fd);
    buffer_release(&client->input);
}

void client_reset(struct client *client) {
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    client_close(client);
}

void client_send(struct client *client, struct bytes bytes) {
    while (bytes.length) {
        ssize_t sent = send(client->fd, bytes.at, bytes.length, MSG_NOSIGNAL);
        if (sent < 0)
            fail_msg("cannot send: %s", strerror(errno));
        bytes = (struct bytes){bytes.at + sent, bytes.length - (size_t)sent};
    }
}

void client_say(struct client *client, const char *text) {
    client_send(client, bytes_of(text));
}

ssize_t client_more(struct client *client) {
    char *room = buffer_reserve(&client->input, 65536);
    assert_non_null(room);
    ssize_t got = recv(client->fd, room, 65536, 0);
    if (got > 0)
        client->input.length += (size_t)got;
    return got;
}

static void need_more(struct client *client) {
    ssize_t got = client_more(client);
    if (got <= 0)
        fail_msg("the server %s after %zu bytes: %.*s", got ? strerror(errno) : "closed", client->input.length,
                 (int)client->input.length, client->input.at);
}

static void use(struct client *client, size_t length) {
    client->input.length -= length;
    memmove(client->input.at, client->input.at + length, client->input.length);
}

bool answer_has(const struct answer *answer, const char *line) {
    return strstr(answer->head, line) != NULL;
}

struct answer client_read(struct client *client, bool is_head) {
    struct answer answer = {0};
    const char *end = NULL;
    while (!(end = client->input.length ? memmem(client->input.at, client->input.length, "\r\n\r\n", 4) : NULL))
        need_more(client);
    size_t head = (size_t)(end - client->input.at) + 4;
    assert_true(head < sizeof answer.head);
    memcpy(answer.head, client->input.at, head);
    assert_int_equal(sscanf(answer.head, "HTTP/1.1 %u ", &answer.status), 1);
    use(client, head);
    size_t length = 0;
    const char *field = strstr(answer.head, "\r\nContent-Length: ");
    if (field)
        assert_int_equal(sscanf(field, "\r\nContent-Length: %zu\r\n", &length), 1);
    if (is_head)
        length = 0;
    buffer_init(&answer.body, SIZE_MAX / 4);
    while (client->input.length < length)
        need_more(client);
    buffer_add(&answer.body, client->input.at, length);
    use(client, length);
    return answer;
}

void answer_release(struct answer *answer) {
    buffer_release(&answer->body);
}

void client_expect(struct client *client, unsigned status, const char *body) {
    struct answer answer = client_read(client, false);
    if (answer.status != status || !bytes_equal(buffer_bytes(&answer.body), bytes_of(body)))
        fail_msg("not %u '%s' but: %s%.*s", status, body, answer.head, (int)answer.body.length, answer.body.at);
    answer_release(&answer);
}

void client_expect_blob(struct client *client, const struct world *world) {
    struct answer answer = client_read(client, false);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body.length, BLOB_BYTES);
    assert_memory_equal(answer.body.at, world->blob->at, BLOB_BYTES);
    answer_release(&answer);
}

void client_expect_end(struct client *client) {
    ssize_t got = client->input.length ? 1 : client_more(client);
    if (got < 0)
        fail_msg("no end but: %s", strerror(errno));
    if (got > 0)
        fail_msg("no end but: %.*s", (int)client->input.length, client->input.at);
}

void client_expect_gone(struct client *client) {
    ssize_t got;
    do {
        got = client_more(client);
    } while (got > 0);
    assert_true(got == 0 || errno == ECONNRESET);
}
