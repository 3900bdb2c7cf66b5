/* The Stripe engine against peers that misbehave in ways the sandbox never would, and its reading of replies. */
#include "stripe_world.h"
#include "engines/stripe/stripe_wire.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

/* A peer that gives every connection the same answer, whatever it is asked. */
struct peer {
    int listener;
    char url[64];
    pthread_t thread;
    const char *reply;
    size_t reply_length;
    bool hold; /* the connection stays open behind the reply, until the peer ends */
    atomic_uint connections;
    atomic_bool has_request; /* `request` is the main thread's until it asks for another */
    char request[8192];
};

static void answer_one(struct peer *peer, int fd) {
    size_t length = 0;
    const char *body = NULL;
    size_t wanted = 0;
    while (!body || length < wanted) {
        ssize_t n = recv(fd, peer->request + length, sizeof peer->request - 1 - length, 0);
        if (n <= 0)
            return;
        length += (size_t)n;
        peer->request[length] = '\0';
        body = strstr(peer->request, "\r\n\r\n");
        const char *told = strstr(peer->request, "Content-Length: ");
        wanted = body ? (size_t)(body + 4 - peer->request) + (told ? strtoul(told + 16, NULL, 10) : 0) : 0;
    }
    atomic_store(&peer->has_request, true);
    for (size_t sent = 0; sent < peer->reply_length;) {
        ssize_t n = send(fd, peer->reply + sent, peer->reply_length - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        sent += (size_t)n;
    }
}

static void *peer_run(void *context) {
    struct peer *peer = context;
    int held[64], count = 0, fd;
    while ((fd = accept(peer->listener, NULL, NULL)) >= 0) {
        atomic_fetch_add(&peer->connections, 1);
        answer_one(peer, fd);
        if (peer->hold && count < 64)
            held[count++] = fd;
        else
            close(fd);
    }
    while (count)
        close(held[--count]);
    return NULL;
}

static int listen_anywhere(char *url, size_t size, int backlog) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    snprintf(url, size, "http://127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

static void peer_start(struct peer *peer, const char *reply, size_t length, bool hold) {
    *peer = (struct peer){.reply = reply, .reply_length = length, .hold = hold};
    peer->listener = listen_anywhere(peer->url, sizeof peer->url, 16);
    assert_int_equal(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
}

static void peer_stop(struct peer *peer) {
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
}

#define INTENT "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"status\":\"requires_capture\",\"amount_received\":0}"

static void a_reply_that_is_none_is_unknown(void **state) {
    /* Red if anything but a whole, intelligible reply about the right intent is believed, or is waited for beyond its
     * time. */
    (void)state;
    static const struct {
        const char *status, *body;
        int missing; /* bytes of the body that never come */
        bool hold;
    } replies[] = {
        {"", "", 0, false},             /* cut before the answer */
        {"HTTP/1.1 200", "", 0, false}, /* cut in the head */
        {"200 OK", INTENT, 500, false}, /* cut in the body */
        {"200 OK", INTENT, 500, true},  /* the rest never comes */
        {"", "", 0, true},              /* nothing ever comes */
        {"200 OK", "{{{{", 0, false},   /* no JSON */
        {"200 OK", "{}", 0, false},     /* JSON that says nothing */
        {"503 Service Unavailable", INTENT, 0, false},
        {"302 Found\r\nLocation: /", INTENT, 0, false}, /* not followed */
        {"SMTP 1.0 hello\r\n\r\n", "", 0, false},       /* another protocol */
        {"200 OK", "{\"id\":\"pi_2\",\"object\":\"payment_intent\",\"status\":\"succeeded\",\"amount_received\":1}", 0,
         false}, /* another intent */
        {"200 OK", "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"status\":\"dreaming\",\"amount_received\":1}", 0,
         false}, /* a status that nobody knows */
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        struct peer peer;
        char reply[512];
        int length =
            replies[i].body[0]
                ? snprintf(reply, sizeof reply, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", replies[i].status,
                           strlen(replies[i].body) + (size_t)replies[i].missing, replies[i].body)
                : snprintf(reply, sizeof reply, "%s", replies[i].status);
        peer_start(&peer, reply, (size_t)length, replies[i].hold);
        struct payments payments = gateway_with(peer.url, 200, 1);
        struct payment_call call = call_of(PAYMENT_CAPTURE, "pi_1");
        assert_int_equal(perform(&payments, &call), PAYMENT_UNKNOWN);
        assert_string_equal(call.result_id, "");
        assert_int_equal(atomic_load(&peer.connections), 1);
        payments.free(payments.engine);
        peer_stop(&peer);
    }
}

static void a_list_that_says_less_than_all_is_unknown(void **state) {
    /* Red if an intent of a list is believed without one of its figures, or a list that never ends is. */
    (void)state;
#define HEAD "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"status\":\"succeeded\",\"currency\":\"eur\","
#define LIST(intents, more) "{\"object\":\"list\",\"has_more\":" more ",\"data\":[" intents "]}"
    static const struct {
        const char *body;
        bool good;
    } replies[] = {
        {LIST(HEAD "\"amount\":5,\"amount_received\":5,\"latest_charge\":{\"amount_refunded\":1}}", "false"), true},
        {LIST(HEAD "\"amount\":5,\"amount_received\":5,\"latest_charge\":null}", "true"), true},
        {LIST("", "false"), true},
        {LIST("", "true"), false},                                                                     /* without end */
        {LIST(HEAD "\"amount\":5,\"amount_received\":5,\"latest_charge\":\"ch_1\"}", "false"), false}, /* not told */
        {LIST(HEAD "\"amount\":5}", "false"), false},
        {LIST(HEAD "\"amount_received\":5}", "false"), false},
        {LIST(HEAD "\"amount\":\"5\",\"amount_received\":5}", "false"), false},
        {LIST("7", "false"), false},
        {"{\"object\":\"list\",\"data\":[]}", false}, /* the last page? */
        {HEAD "\"amount\":5,\"amount_received\":5}", false},
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        struct peer peer;
        char reply[512];
        static struct payment_page page;
        int length = snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                              strlen(replies[i].body), replies[i].body);
        peer_start(&peer, reply, (size_t)length, false);
        struct payments payments = gateway_with(peer.url, 5000, 1);
        struct payment_call call = call_of(PAYMENT_LIST, "");
        call.page = &page;
        assert_int_equal(perform(&payments, &call), replies[i].good ? PAYMENT_DONE : PAYMENT_UNKNOWN);
        payments.free(payments.engine);
        peer_stop(&peer);
    }
}

static void a_reply_too_long_is_unknown(void **state) {
    /* Red if a reply is taken into memory without bound. */
    (void)state;
    static char reply[8 * 1024 * 1024];
    int head =
        snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n" INTENT, sizeof reply - 200);
    memset(reply + head, ' ', sizeof reply - (size_t)head);
    struct peer peer;
    peer_start(&peer, reply, sizeof reply, false);
    struct payments payments = gateway_with(peer.url, 5000, 1);
    struct payment_call call = call_of(PAYMENT_CANCEL, "pi_1");
    assert_int_equal(perform(&payments, &call), PAYMENT_UNKNOWN);
    payments.free(payments.engine);
    peer_stop(&peer);
}

static void a_status_decides_what_a_reply_means(void **state) {
    /* Red if the table of README.md is not kept. */
    (void)state;
    static const struct {
        long status;
        const char *body;
        enum payment_outcome outcome;
        const char *code;
    } replies[] = {
        {402, "{\"error\":{\"code\":\"card_declined\",\"decline_code\":\"lost_card\"}}", PAYMENT_DECLINED, "lost_card"},
        {402, "{\"error\":{\"code\":\"card_declined\"}}", PAYMENT_DECLINED, "card_declined"},
        {402, "nonsense", PAYMENT_UNKNOWN, ""},
        {409, "{\"error\":{\"type\":\"idempotency_error\"}}", PAYMENT_BUSY, "idempotency_error"},
        {429, "", PAYMENT_BUSY, ""},
        {400, "{\"error\":{\"code\":\"amount_too_large\"}}", PAYMENT_REFUSED, "amount_too_large"},
        {401, "{\"error\":{\"type\":\"invalid_request_error\"}}", PAYMENT_BUSY, "invalid_request_error"},
        {403, "", PAYMENT_BUSY, ""},
        {404, "[1,2]", PAYMENT_REFUSED, ""},
        {404, "{\"error\":\"x\"}", PAYMENT_REFUSED, ""},
        {500, "{\"error\":{\"type\":\"api_error\"}}", PAYMENT_UNKNOWN, "api_error"},
        {502, "<html>", PAYMENT_UNKNOWN, ""},
        {301, "", PAYMENT_UNKNOWN, ""},
        {200, INTENT, PAYMENT_DONE, ""},
        {200, INTENT "x", PAYMENT_UNKNOWN, "unintelligible_reply"},
        {200, "{\"id\":\"pi_1\",\"object\":\"refund\",\"status\":\"succeeded\"}", PAYMENT_UNKNOWN,
         "unintelligible_reply"},
        {200, "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"status\":\"succeeded\",\"amount_received\":\"5\"}",
         PAYMENT_UNKNOWN, "unintelligible_reply"},
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        struct payment_call call = call_of(PAYMENT_CONFIRM, "pi_1");
        stripe_read_reply(&call, replies[i].status, bytes_of(replies[i].body));
        assert_int_equal(call.outcome, replies[i].outcome);
        assert_string_equal(call.code, replies[i].code);
    }
}

static void a_refund_may_be_under_way_or_fail(void **state) {
    /* Red if a pending refund is called done with the money back, or a failed one done at all. */
    (void)state;
    struct payment_call call = call_of(PAYMENT_REFUND, "pi_1");
    stripe_read_reply(&call, 200, BYTES("{\"id\":\"re_1\",\"object\":\"refund\",\"status\":\"pending\"}"));
    assert_int_equal(call.outcome, PAYMENT_DONE);
    assert_int_equal(call.status, INTENT_PROCESSING);
    assert_string_equal(call.result_id, "re_1");
    call = call_of(PAYMENT_REFUND, "pi_1");
    stripe_read_reply(&call, 200,
                      BYTES("{\"id\":\"re_1\",\"object\":\"refund\",\"status\":\"failed\",\"failure_reason\":"
                            "\"expired_or_canceled_card\"}"));
    assert_int_equal(call.outcome, PAYMENT_REFUSED);
    assert_string_equal(call.code, "expired_or_canceled_card");
}

static void assert_sent(struct peer *peer, const char *line, const char *key, const char *form) {
    assert_true(atomic_exchange(&peer->has_request, false));
    const char *body = strstr(peer->request, "\r\n\r\n");
    assert_non_null(body);
    assert_memory_equal(peer->request, line, strlen(line));
    assert_memory_equal(peer->request + strlen(line), " HTTP/1.1\r\n", 11);
    assert_non_null(strstr(peer->request, "\r\nAuthorization: Bearer " SECRET "\r\n"));
    assert_null(strstr(peer->request, "Expect:"));
    char field[128];
    snprintf(field, sizeof field, "\r\nIdempotency-Key: %s\r\n", key);
    assert_int_equal(strstr(peer->request, field) != NULL, *key != '\0');
    assert_int_equal(strstr(peer->request, "\r\nContent-Type: application/x-www-form-urlencoded\r\n") != NULL,
                     *key != 0);
    assert_string_equal(body + 4, form);
}

static void a_call_is_written_as_stripe_documents_it(void **state) {
    /* Red if a path, a parameter, the key or a header changes. */
    (void)state;
    struct peer peer;
    peer_start(&peer, "", 0, false);
    struct payments payments = gateway_with(peer.url, 5000, 1);
    struct payment_call call = call_of(PAYMENT_CREATE, "");
    perform(&payments, &call);
    assert_sent(&peer, "POST /v1/payment_intents", call.idempotency_key,
                "amount=5000&currency=eur&capture_method=manual&payment_method_types[]=card&metadata[booking_id]="
                "babababababababababababababababab");
    call = confirm_of("pi_1", "tok a&b=c%ü");
    perform(&payments, &call);
    assert_sent(&peer, "POST /v1/payment_intents/pi_1/confirm", call.idempotency_key,
                "error_on_requires_action=true&payment_method=tok%20a%26b%3Dc%25%C3%BC");
    call = call_of(PAYMENT_CAPTURE, "pi_1");
    perform(&payments, &call);
    assert_sent(&peer, "POST /v1/payment_intents/pi_1/capture", call.idempotency_key, "amount_to_capture=5000");
    call = call_of(PAYMENT_CANCEL, "pi_1");
    perform(&payments, &call);
    assert_sent(&peer, "POST /v1/payment_intents/pi_1/cancel", call.idempotency_key, "");
    call = call_of(PAYMENT_REFUND, "pi_1");
    perform(&payments, &call);
    assert_sent(&peer, "POST /v1/refunds", call.idempotency_key, "payment_intent=pi_1&amount=5000");
    call = call_of(PAYMENT_RETRIEVE, "pi_1");
    perform(&payments, &call);
    assert_sent(&peer, "GET /v1/payment_intents/pi_1?expand%5B%5D=latest_charge", "", "");
    struct payment_page page;
    call = call_of(PAYMENT_LIST, "");
    call.page = &page;
    perform(&payments, &call);
    assert_sent(&peer, "GET /v1/payment_intents?limit=100&expand%5B%5D=data.latest_charge", "", "");
    call = call_of(PAYMENT_LIST, "pi_1");
    call.page = &page;
    perform(&payments, &call);
    assert_sent(&peer, "GET /v1/payment_intents?limit=100&expand%5B%5D=data.latest_charge&starting_after=pi_1", "", "");
    payments.free(payments.engine);
    peer_stop(&peer);
}

static void what_was_never_sent_is_unreached(void **state) {
    /* Red if a refused or endless connection attempt is UNKNOWN, or takes the token away from who will try again. */
    (void)state;
    char url[64];
    close(listen_anywhere(url, sizeof url, 1));
    struct payments payments = gateway_with(url, 5000, 1);
    struct payment_call call = confirm_of("pi_1", "tok_fine");
    assert_int_equal(perform(&payments, &call), PAYMENT_UNREACHED);
    assert_string_equal(call.token, "tok_fine");
    payments.free(payments.engine);

    /* A backlog that is full lets nobody in and turns nobody away. */
    int full = listen_anywhere(url, sizeof url, 0), fillers[4];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(url + sizeof "http://127.0.0.1"));
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    payments = gateway_with(url, 2 * LONGEST_MS, 1);
    assert_int_equal(perform(&payments, &call), PAYMENT_UNREACHED);
    payments.free(payments.engine);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(full);
}

static void what_waits_to_be_sent_can_be_withdrawn(void **state) {
    /* Red if a call that is withdrawn is sent, or answered, or takes those behind it along; or one under way is. */
    (void)state;
    struct peer peer;
    static const char reply[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" INTENT;
    peer_start(&peer, reply, sizeof reply - 1, false);
    struct payments payments = gateway_with(peer.url, 5000, 1);
    bool is_done[5] = {false};
    struct payment_call calls[5];
    for (int i = 0; i < 5; i++) {
        calls[i] = call_of(PAYMENT_CREATE, "");
        calls[i].context = &is_done[i];
        calls[i].done = set_flag;
        payments.submit(payments.engine, &calls[i]);
    }
    assert_true(payments.withdraw(payments.engine, &calls[2])); /* within */
    assert_true(payments.withdraw(payments.engine, &calls[4])); /* the last */
    assert_true(payments.withdraw(payments.engine, &calls[0])); /* the first */
    assert_false(payments.withdraw(payments.engine, &calls[0]));
    payments.submit(payments.engine, &calls[4]);
    while (!is_done[1])
        payments.run(payments.engine, 1000);
    assert_false(payments.withdraw(payments.engine, &calls[1])); /* over */
    assert_false(payments.withdraw(payments.engine, &calls[3])); /* under way */
    while (!is_done[3] || !is_done[4])
        payments.run(payments.engine, 1000);
    assert_false(is_done[0] || is_done[2]);
    assert_int_equal(atomic_load(&peer.connections), 3);
    payments.free(payments.engine);
    peer_stop(&peer);
}

static void a_secret_is_not_kept_and_not_logged(void **state) {
    /* Red if the token outlives its sending, or a log line tells token or key. */
    (void)state;
    struct peer peer;
    char log[] = "/tmp/onsale-log-XXXXXX", text[4096];
    int fd = mkstemp(log), stderr_before = dup(STDERR_FILENO);
    peer_start(&peer, "", 0, false);
    struct payments payments = gateway_with(peer.url, 5000, 1);
    struct payment_call call = confirm_of("pi_1", "tok_top_secret");
    dup2(fd, STDERR_FILENO);
    enum payment_outcome outcome = perform(&payments, &call);
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    assert_int_equal(outcome, PAYMENT_UNKNOWN);
    for (size_t i = 0; i < sizeof call.token; i++)
        assert_int_equal(call.token[i], 0);
    ssize_t length = pread(fd, text, sizeof text - 1, 0);
    assert_true(length > 0);
    text[length] = '\0';
    assert_null(strstr(text, "tok_top_secret"));
    assert_null(strstr(text, SECRET));
    close(fd);
    unlink(log);
    payments.free(payments.engine);
    peer_stop(&peer);
}

static void *wake_it(void *context) {
    const struct payments *payments = context;
    payments->wake(payments->engine);
    return NULL;
}

static void a_wake_ends_a_run(void **state) {
    /* Red if the bell is not heard: the test hangs. */
    (void)state;
    struct payments payments = gateway_with("http://127.0.0.1:1", 5000, 1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_it, &payments), 0);
    payments.run(payments.engine, 1000000000);
    pthread_join(thread, NULL);
    payments.free(payments.engine);
}

static void a_gateway_freed_early_forgets_its_calls(void **state) {
    /* Red if free() leaks a transfer, or calls back into who is going away. */
    (void)state;
    struct peer peer;
    peer_start(&peer, "", 0, true);
    struct payments payments = gateway_with(peer.url, 5000, 1);
    bool is_done = false;
    struct payment_call calls[2] = {call_of(PAYMENT_CREATE, ""), call_of(PAYMENT_CREATE, "")};
    for (int i = 0; i < 2; i++) {
        calls[i].context = &is_done;
        calls[i].done = set_flag;
        payments.submit(payments.engine, &calls[i]);
    }
    while (!atomic_load(&peer.connections))
        payments.run(payments.engine, 10);
    assert_int_equal(atomic_load(&peer.connections), 1);
    payments.free(payments.engine);
    assert_false(is_done);
    peer_stop(&peer);
}

static void a_secret_key_crosses_no_network_in_the_clear(void **state) {
    /* Red if plain HTTP to another machine is accepted, or a key could smuggle a header in. */
    (void)state;
    static const struct {
        const char *url, *key;
        enum result result;
    } settings[] = {
        {"https://api.stripe.com", "sk_1", RESULT_OK},
        {"https://api.stripe.com/", "sk_1", RESULT_OK},
        {"http://127.0.0.1:80", "sk_1", RESULT_OK},
        {"http://[::1]:80", "sk_1", RESULT_OK},
        {"http://localhost", "sk_1", RESULT_OK},
        {"http://api.stripe.com", "sk_1", RESULT_INVALID_FIELD},
        {"http://127.0.0.1.example.com", "sk_1", RESULT_INVALID_FIELD},
        {"http://user:pass@127.0.0.1", "sk_1", RESULT_INVALID_FIELD},
        {"http://127.0.0.1/path", "sk_1", RESULT_INVALID_FIELD},
        {"file:///etc/passwd", "sk_1", RESULT_INVALID_FIELD},
        {"127.0.0.1:80", "sk_1", RESULT_INVALID_FIELD},
        {"", "sk_1", RESULT_INVALID_FIELD},
        {"https://api.stripe.com", "", RESULT_INVALID_FIELD},
        {"https://api.stripe.com", "sk_1\r\nX: y", RESULT_INVALID_FIELD},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct stripe_settings wanted = {.url = settings[i].url, .secret_key = settings[i].key, .max_connections = 1};
        struct payments payments;
        assert_int_equal(stripe_gateway_new(&wanted, &payments), settings[i].result);
        if (settings[i].result == RESULT_OK)
            payments.free(payments.engine);
    }
}

int main(int count, char **arguments) {
    gateway_child_main(count, arguments);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_key_crosses_no_network_in_the_clear),
        cmocka_unit_test(a_status_decides_what_a_reply_means),
        cmocka_unit_test(a_refund_may_be_under_way_or_fail),
        cmocka_unit_test(a_call_is_written_as_stripe_documents_it),
        cmocka_unit_test(a_reply_that_is_none_is_unknown),
        cmocka_unit_test(a_reply_too_long_is_unknown),
        cmocka_unit_test(a_list_that_says_less_than_all_is_unknown),
        cmocka_unit_test(what_was_never_sent_is_unreached),
        cmocka_unit_test(what_waits_to_be_sent_can_be_withdrawn),
        cmocka_unit_test(a_secret_is_not_kept_and_not_logged),
        cmocka_unit_test(a_wake_ends_a_run),
        cmocka_unit_test(a_gateway_freed_early_forgets_its_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
