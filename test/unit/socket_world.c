#include "socket_world.h"
#include "base/metrics.h"
#include "net/reactor_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#define PATIENCE_SECONDS 20

static enum result admit(void *context, const struct http_request *head, size_t *max_body) {
    (void)context, (void)head;
    *max_body = 1024;
    return RESULT_OK;
}

static void handle(void *context, struct exchange *exchange, const struct http_request *request) {
    struct socket_world *world = context;
    if (bytes_equal(request->path, BYTES("/now"))) {
        exchange_reply(exchange, 200, (struct bytes){NULL, 0}, BYTES("now"));
        return;
    }
    enum result result = websocket_check(request);
    struct websocket_known known = {.feed = 7};
    if (result == RESULT_OK && bytes_to_u64(http_query(request->query, "from"), INT64_MAX, &known.sequence))
        websocket_accept_from(exchange, request, world->channel, &known);
    else if (result == RESULT_OK)
        websocket_accept(exchange, request, world->channel);
    else
        exchange_reply(exchange, result == RESULT_UPGRADE_REQUIRED ? 426 : 400, (struct bytes){NULL, 0},
                       bytes_of(result_name(result)));
}

static void refuse(void *context, struct exchange *exchange, const struct http_request *request, enum result result,
                   const char *detail) {
    (void)context, (void)request, (void)detail;
    exchange_reply(exchange, 400, (struct bytes){NULL, 0}, bytes_of(result_name(result)));
}

static struct blob *catch_up(void *context) {
    struct socket_world *world = context;
    atomic_fetch_add(&world->catch_ups, 1);
    pthread_mutex_lock(&world->lock);
    struct blob *newest = world->newest ? blob_take(world->newest) : NULL;
    pthread_mutex_unlock(&world->lock);
    return newest;
}

static struct blob *resume(void *context, const struct websocket_known *known) {
    (void)context;
    char text[40];
    assert_int_equal(known->feed, 7);
    snprintf(text, sizeof text, "from %u", (unsigned)known->sequence);
    return text_frame(text, 0);
}

static void *run(void *context) {
    reactor_run(context);
    return NULL;
}

struct socket_world *socket_world_start(const struct reactor_settings *settings, unsigned reactors) {
    struct socket_world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    pthread_mutex_init(&world->lock, NULL);
    world->reactor_count = reactors;
    struct http_service service = {world, admit, handle, refuse};
    struct reactor *made[SOCKET_REACTORS];
    for (unsigned i = 0; i < reactors; i++) {
        int fd;
        assert_int_equal(listener_open("127.0.0.1:0", &fd, &world->at[i].port), RESULT_OK);
        assert_int_equal(reactor_new(settings, &made[i]), RESULT_OK);
        world->at[i].reactor = made[i];
        reactor_listen(made[i], fd, &service);
    }
    struct channel_service channel_service = {.context = world, .catch_up = catch_up, .resume = resume};
    assert_int_equal(channel_new(made, reactors, &channel_service, &world->channel), RESULT_OK);
    for (unsigned i = 0; i < reactors; i++)
        assert_int_equal(pthread_create(&world->at[i].thread, NULL, run, made[i]), 0);
    return world;
}

void socket_world_stop(struct socket_world *world, int drain_ms) {
    for (unsigned i = 0; i < world->reactor_count; i++)
        reactor_stop(world->at[i].reactor, drain_ms);
    for (unsigned i = 0; i < world->reactor_count; i++)
        assert_int_equal(pthread_join(world->at[i].thread, NULL), 0);
    assert_int_equal(channel_members(world->channel), 0);
    for (unsigned i = 0; i < world->reactor_count; i++)
        reactor_free(world->at[i].reactor);
    channel_free(world->channel);
    blob_drop(world->newest);
    assert_int_equal(blob_live_bytes(), 0);
    pthread_mutex_destroy(&world->lock);
    free(world);
}

struct blob *text_frame(const char *text, uint32_t version) {
    struct blob *frame = websocket_frame(true, bytes_of(text));
    assert_non_null(frame);
    frame->version = version;
    return frame;
}

void socket_world_set_newest(struct socket_world *world, struct blob *frame) {
    pthread_mutex_lock(&world->lock);
    struct blob *old = world->newest;
    world->newest = frame;
    pthread_mutex_unlock(&world->lock);
    blob_drop(old);
}

void socket_world_publish(struct socket_world *world, const char *text) {
    struct blob *frame = text_frame(text, 0);
    socket_world_set_newest(world, blob_take(frame));
    websocket_publish(world->channel, frame);
}

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

void socket_world_wait_for_members(const struct socket_world *world, unsigned count) {
    for (int i = 0; i < PATIENCE_SECONDS * 1000; i++) {
        if (channel_members(world->channel) == count)
            return;
        nap();
    }
    fail_msg("the channel has %u members, not %u", channel_members(world->channel), count);
}

static bool is_pushing;

static void look_for_rounds(struct world *at) {
    is_pushing = at->reactor->first_push != NULL;
}

void socket_world_settle(struct socket_world *world) {
    for (unsigned i = 0; i < world->reactor_count; i++) {
        /* What is published is opened before this, and begins its round in the same turn. */
        world_do(&world->at[i], look_for_rounds);
        do {
            world_do(&world->at[i], look_for_rounds);
        } while (is_pushing);
    }
}

const char *socket_large_text(unsigned number) {
    static char text[LARGE_TEXT_BYTES + 1];
    memset(text, 'x', LARGE_TEXT_BYTES);
    (void)snprintf(text, 11, "%010u", number);
    text[10] = 'x';
    return text;
}

unsigned socket_world_publish_until_behind(struct socket_world *world) {
    int64_t before = metric_value(METRIC_WEBSOCKET_BEHIND);
    unsigned count = 0;
    while (metric_value(METRIC_WEBSOCKET_BEHIND) == before) {
        assert_true(count < 2000);
        socket_world_publish(world, socket_large_text(count++));
        socket_world_settle(world);
    }
    return count;
}

void socket_spend_spare_outputs(struct world *at) {
    output_pool_release(&at->reactor->outputs);
}

struct client socket_join(const struct socket_world *world, unsigned reactor) {
    struct client client = client_connect(&world->at[reactor]);
    client_say(&client, JOIN);
    struct answer answer = client_read(&client, false);
    assert_int_equal(answer.status, 101);
    answer_release(&answer);
    return client;
}

void socket_write(struct buffer *out, uint8_t first, struct bytes payload) {
    static const char mask[4] = {0x12, (char)0x9a, 0x00, 0x7f};
    buffer_add_char(out, (char)first);
    if (payload.length < 126) {
        buffer_add_char(out, (char)(0x80 | payload.length));
    } else if (payload.length <= UINT16_MAX) {
        buffer_add_char(out, (char)(0x80 | 126));
        buffer_add_char(out, (char)(payload.length >> 8));
        buffer_add_char(out, (char)payload.length);
    } else {
        buffer_add_char(out, (char)(0x80 | 127));
        for (int shift = 56; shift >= 0; shift -= 8)
            buffer_add_char(out, (char)((uint64_t)payload.length >> shift));
    }
    buffer_add(out, mask, sizeof mask);
    for (size_t i = 0; i < payload.length; i++)
        buffer_add_char(out, (char)(payload.at[i] ^ mask[i & 3]));
}

void socket_say(struct client *client, uint8_t first, struct bytes payload) {
    struct buffer text;
    buffer_init(&text, SIZE_MAX / 4);
    socket_write(&text, first, payload);
    client_send(client, buffer_bytes(&text));
    buffer_release(&text);
}

static void need(struct client *client, size_t length) {
    while (client->input.length < length)
        if (client_more(client) <= 0)
            fail_msg("the server closed %zu bytes into a frame", client->input.length);
}

struct heard socket_hear(struct client *client) {
    struct buffer *input = &client->input;
    need(client, 2);
    uint8_t second = (uint8_t)input->at[1];
    assert_true(second < 128); /* a server does not mask */
    size_t length = second;
    size_t head = 2;
    if (second >= 126) {
        head = second == 126 ? 4 : 10;
        need(client, head);
        length = 0;
        for (size_t i = 2; i < head; i++)
            length = length << 8 | (uint8_t)input->at[i];
    }
    need(client, head + length);
    return (struct heard){(uint8_t)input->at[0], {input->at + head, length}};
}

void socket_use(struct client *client, const struct heard *heard) {
    size_t length = (size_t)(heard->payload.at - client->input.at) + heard->payload.length;
    client->input.length -= length;
    memmove(client->input.at, client->input.at + length, client->input.length);
}

void socket_expect(struct client *client, uint8_t first, struct bytes payload) {
    struct heard heard = socket_hear(client);
    if (heard.first != first || !bytes_equal(heard.payload, payload))
        fail_msg("heard %02x '%.*s' (%zu bytes), not %02x '%.*s'", heard.first, (int)heard.payload.length,
                 heard.payload.at, heard.payload.length, first, (int)payload.length, payload.at);
    socket_use(client, &heard);
}

void socket_expect_text(struct client *client, const char *text) {
    socket_expect(client, WEBSOCKET_FINAL | WEBSOCKET_TEXT, bytes_of(text));
}

void socket_expect_close(struct client *client, uint16_t code) {
    char payload[2] = {(char)(code >> 8), (char)code};
    socket_expect(client, WEBSOCKET_FINAL | WEBSOCKET_CLOSE,
                  (struct bytes){payload, code == WEBSOCKET_NO_CODE ? 0 : sizeof payload});
    client_expect_end(client);
}
