/* Random pipelines: requests of every kind in any order, cut into reads at random, some answered by another thread. The
 * client keeps a list of what it asked and compares answer by answer. The seed is fixed; a failure names its round. */
#include "http_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <cmocka.h>

#define ROUNDS 150
#define REQUESTS 40

struct expected {
    unsigned status;
    bool is_head;
    bool is_blob;
    size_t body_start; /* in `bodies` */
    size_t body_length;
};

struct plan {
    struct buffer text; /* to send */
    struct buffer bodies;
    struct expected expected[REQUESTS];
    unsigned count;
};

static uint64_t random_state;
static unsigned current_round;

/* George Marsaglia's xorshift64. */
static uint32_t below(uint32_t bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % bound;
}

static void expect(struct plan *plan, unsigned status, const char *body) {
    plan->expected[plan->count++] = (struct expected){status, false, false, plan->bodies.length, strlen(body)};
    buffer_add_text(&plan->bodies, body);
}

/* A body of random length, in either framing, and the expectation that it comes back. */
static void add_echo(struct plan *plan) {
    size_t length = below(4) ? below(200) : below(60000);
    bool is_chunked = below(2);
    struct expected *expected = &plan->expected[plan->count++];
    *expected = (struct expected){200, false, false, plan->bodies.length, length};
    for (size_t i = 0; i < length; i++)
        buffer_add_char(&plan->bodies, "0123456789\r\nabcdef"[below(18)]);
    const char *body = plan->bodies.at + expected->body_start;
    if (!is_chunked) {
        buffer_printf(&plan->text, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", length);
        buffer_add(&plan->text, body, length);
        return;
    }
    buffer_add_text(&plan->text, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < length;) {
        size_t part = 1 + below(below(3) ? 50 : 20000);
        part = part > length - at ? length - at : part;
        buffer_printf(&plan->text, below(2) ? "%zx\r\n" : "%zX;a=b\r\n", part);
        buffer_add(&plan->text, body + at, part);
        buffer_add_text(&plan->text, "\r\n");
        at += part;
    }
    buffer_add_text(&plan->text, below(2) ? "0\r\n\r\n" : "0\r\nA: b\r\n\r\n");
}

static void add_request(struct plan *plan) {
    switch (below(12)) {
    case 0:
        buffer_add_text(&plan->text, "GET /park HTTP/1.1\r\nHost: x\r\n\r\n");
        expect(plan, 200, "parked");
        break;
    case 1:
        buffer_add_text(&plan->text, "\r\nGET /small HTTP/1.1\r\nHost: x\r\n\r\n");
        expect(plan, 200, "small");
        break;
    case 2:
        buffer_add_text(&plan->text, "HEAD /now HTTP/1.1\r\nHost: x\r\n\r\n");
        expect(plan, 200, "");
        plan->expected[plan->count - 1].is_head = true;
        break;
    case 3:
        buffer_add_text(&plan->text, "GET /empty HTTP/1.1\r\nHost: x\r\n\r\n");
        expect(plan, 204, "");
        break;
    case 4:
        buffer_add_text(&plan->text, "GET /both HTTP/1.1\r\nHost: x\r\n\r\n");
        expect(plan, 200, "both");
        break;
    case 5:
        buffer_add_text(&plan->text, "GET /gone HTTP/1.1\r\nHost: x\r\n\r\n");
        expect(plan, 404, "NOT_FOUND -");
        break;
    case 6:
        buffer_add_text(&plan->text, "GET /now HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nGET /");
        expect(plan, 200, "now");
        break;
    case 7:
        if (below(20) == 0) {
            buffer_add_text(&plan->text, "GET /blob HTTP/1.1\r\nHost: x\r\n\r\n");
            plan->expected[plan->count++] = (struct expected){200, false, true, 0, 0};
        }
        break;
    default:
        add_echo(plan);
    }
}

static void *send_plan(void *context) {
    const struct plan *plan = ((void **)context)[0];
    struct client *client = ((void **)context)[1];
    for (size_t at = 0; at < plan->text.length;) {
        size_t part = 1 + below(below(2) ? 40 : 30000);
        part = part > plan->text.length - at ? plan->text.length - at : part;
        client_send(client, (struct bytes){plan->text.at + at, part});
        at += part;
    }
    return NULL;
}

static void check_answer(struct world *world, struct client *client, const struct plan *plan, unsigned i) {
    const struct expected *expected = &plan->expected[i];
    struct answer answer = client_read(client, expected->is_head);
    struct bytes body = expected->is_blob
                            ? (struct bytes){world->blob->at, world->blob->length}
                            : (struct bytes){plan->bodies.at + expected->body_start, expected->body_length};
    if (answer.status != expected->status || !bytes_equal(buffer_bytes(&answer.body), body))
        fail_msg("round %u: answer %u is %u with %zu bytes, not %u with %zu", current_round, i, answer.status,
                 answer.body.length, expected->status, body.length);
    answer_release(&answer);
}

static void answer_all(struct world *world) {
    while (world->answered_count < world->parked_count) {
        struct exchange *exchange = exchange_resume(world->parked[world->answered_count++]);
        if (exchange)
            exchange_reply(exchange, 200, (struct bytes){NULL, 0}, BYTES("parked"));
    }
    world->answered_count = world->parked_count = 0;
}

static atomic_bool all_is_asked;

static void *answer_what_is_parked(void *context) {
    while (!atomic_load(&all_is_asked))
        world_do(context, answer_all);
    return NULL;
}

/* Red when any way of cutting, parking or framing loses, doubles or moves a byte or an answer. */
static void every_pipeline_is_answered_in_order(void **state) {
    (void)state;
    struct reactor_settings settings = world_settings();
    struct world *world = world_start(&settings);
    pthread_t answerer;
    assert_int_equal(pthread_create(&answerer, NULL, answer_what_is_parked, world), 0);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        current_round = round;
        random_state = round * 0x9e3779b97f4a7c15u;
        struct plan plan = {.count = 0};
        buffer_init(&plan.text, SIZE_MAX / 4);
        buffer_init(&plan.bodies, SIZE_MAX / 4);
        unsigned wanted = 1 + below(REQUESTS);
        while (plan.count < wanted)
            add_request(&plan);
        struct client client = client_connect(world);
        pthread_t sender;
        assert_int_equal(pthread_create(&sender, NULL, send_plan, (void *[]){&plan, &client}), 0);
        for (unsigned i = 0; i < plan.count; i++)
            check_answer(world, &client, &plan, i);
        assert_int_equal(pthread_join(sender, NULL), 0);
        assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
        client_expect_end(&client);
        client_close(&client);
        buffer_release(&plan.text);
        buffer_release(&plan.bodies);
    }
    atomic_store(&all_is_asked, true);
    assert_int_equal(pthread_join(answerer, NULL), 0);
    world_stop(world, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_pipeline_is_answered_in_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
