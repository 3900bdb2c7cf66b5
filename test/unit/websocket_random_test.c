/* Everything at once: clients join, read, idle, say things and go in every way on two reactors, while two threads
 * publish. Each frame carries the number of its publisher's change. Nobody may see a number twice or out of order, and
 * who stays sees the last one. The seeds are fixed; how the threads meet is not. */
#include "net_system.h"
#include "socket_world.h"
#include "base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define FANS 6
#define STAYS 200 /* each fan's, one after the other */
#define FRAME_BYTES 2000

static struct socket_world *world;
static atomic_uint fans_left;
static uint32_t last_number; /* under the world's lock */
static pthread_mutex_t publishing = PTHREAD_MUTEX_INITIALIZER;

/* George Marsaglia's xorshift64. */
static uint32_t below(uint64_t *state, uint32_t bound) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32) % bound;
}

/* The next number, known to catch_up() first and published then, as websocket.h asks for. */
static void publish_next(uint64_t *state) {
    char text[FRAME_BYTES + 1];
    pthread_mutex_lock(&publishing);
    uint32_t number = ++last_number;
    int length = snprintf(text, sizeof text, "%u ", number);
    memset(text + length, 'x', sizeof text - (size_t)length);
    text[(size_t)length + below(state, (uint32_t)(FRAME_BYTES - length))] = 0;
    struct blob *frame = text_frame(text, number);
    socket_world_set_newest(world, blob_take(frame));
    websocket_publish(world->channel, frame);
    pthread_mutex_unlock(&publishing);
}

static void *publish(void *context) {
    uint64_t state = 77 + (uint64_t)(uintptr_t)context;
    while (atomic_load(&fans_left)) {
        publish_next(&state);
        if (below(&state, 4) == 0)
            nanosleep(&(struct timespec){.tv_nsec = below(&state, 1000000)}, NULL);
    }
    return NULL;
}

/* Reads one frame; its number has to be higher than the last. */
static uint32_t hear_number(struct client *client, uint32_t before) {
    for (;;) {
        struct heard heard = socket_hear(client);
        if (heard.first == (WEBSOCKET_FINAL | WEBSOCKET_PONG)) {
            socket_use(client, &heard);
            continue;
        }
        assert_int_equal(heard.first, WEBSOCKET_FINAL | WEBSOCKET_TEXT);
        char digits[12] = {0};
        memcpy(digits, heard.payload.at, heard.payload.length < 11 ? heard.payload.length : 11);
        uint32_t number = (uint32_t)strtoul(digits, NULL, 10);
        if (number <= before)
            fail_msg("number %u came after %u", number, before);
        socket_use(client, &heard);
        return number;
    }
}

static void stay(uint64_t *state) {
    struct client client = socket_join(world, below(state, 2));
    uint32_t number = 0;
    for (unsigned i = below(state, 12); i > 0; i--) {
        switch (below(state, 4)) {
        case 0:
            socket_say(&client, WEBSOCKET_FINAL | WEBSOCKET_PING, BYTES("ping"));
            break;
        case 1:
            socket_say(&client, WEBSOCKET_FINAL | WEBSOCKET_TEXT, BYTES("hello"));
            break;
        case 2:
            client_send(&client, BYTES("\x89\x84\x00\x00"));
            client_send(&client, BYTES("\x00\x00slow"));
            break;
        default:
            /* Enough comes: the publishers go on while there is a fan. */
            number = hear_number(&client, number);
        }
    }
    switch (below(state, 3)) {
    case 0:
        socket_say(&client, WEBSOCKET_FINAL | WEBSOCKET_CLOSE, BYTES("\x03\xe8"));
        client_expect_gone(&client);
        client_close(&client);
        break;
    case 1:
        client_reset(&client);
        break;
    default:
        client_close(&client);
    }
}

static void *be_a_fan(void *context) {
    uint64_t state = 1234567 + 31 * (uint64_t)(uintptr_t)context;
    for (int i = 0; i < STAYS; i++)
        stay(&state);
    atomic_fetch_sub(&fans_left, 1);
    return NULL;
}

/* Red when a member misses the last state, sees one twice, or is lost between the lists of two threads. */
static void members_come_and_go_while_all_publish(void **state) {
    (void)state;
    struct reactor_settings settings = world_settings();
    world = socket_world_start(&settings, 2);
    atomic_store(&net_system.most_of_one_send, 1500);
    uint64_t chance = 5;
    publish_next(&chance);
    struct client steady[2] = {socket_join(world, 0), socket_join(world, 1)};
    atomic_store(&fans_left, FANS);
    pthread_t fans[FANS], publishers[2];
    for (uintptr_t i = 0; i < FANS; i++)
        assert_int_equal(pthread_create(&fans[i], NULL, be_a_fan, (void *)i), 0);
    for (uintptr_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&publishers[i], NULL, publish, (void *)i), 0);
    for (int i = 0; i < FANS; i++)
        pthread_join(fans[i], NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(publishers[i], NULL);
    publish_next(&chance);
    for (int i = 0; i < 2; i++) {
        for (uint32_t number = 0; number < last_number;)
            number = hear_number(&steady[i], number);
        client_close(&steady[i]);
    }
    socket_world_wait_for_members(world, 0);
    world_wait_for_open(0);
    assert_int_equal(metric_value(METRIC_WEBSOCKETS_OPEN), 0);
    atomic_store(&net_system.most_of_one_send, 0);
    socket_world_stop(world, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_and_go_while_all_publish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
