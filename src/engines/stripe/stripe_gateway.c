/* The engine behind the payment port: a fixed set of transfers, each an easy handle with its buffers, on one curl multi
 * handle and one epoll.
 *
 * Happy path: submit() queues the call → run() gives it a free transfer, writes the request, hands it to curl → curl
 * tells which sockets it waits for (watch_socket) and until when (set_timer) → epoll says which are ready → curl moves
 * → its finished transfers become outcomes, and `done` is called.
 *
 * What can go wrong is told apart by one bit, `sent`, set by curl's last callback before the request leaves: a failure
 * before it is UNREACHED, any after it UNKNOWN. curl would repeat a request by itself when a kept connection dies under
 * it; for all but a question that second sending is forbidden here (about_to_send), since an outcome is never guessed
 * and a call is one request.
 */
#include "engines/stripe/stripe_gateway.h"
#include "engines/stripe/stripe_wire.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/panic.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define REPLY_BYTES (64 * 1024)
#define LIST_REPLY_BYTES (2 * 1024 * 1024) /* a page of intents, each with its charge */
#define REQUEST_BYTES (4 * 1024)
#define EVENTS 64
#define COMPLAINT_INTERVAL_US 1000000

struct engine;

struct transfer {
    CURL *easy;
    struct engine *engine;
    struct payment_call *call; /* NULL while it is free */
    struct buffer url, form, reply;
    char key_field[sizeof "Idempotency-Key: " + sizeof((struct payment_call *)0)->idempotency_key];
    struct curl_slist key_node; /* in front of the fields that all requests share */
    bool sent;
    int64_t started_us;
    struct transfer *next_free;
};

struct call_queue {
    struct payment_call *first;
    struct payment_call **last;
};

struct engine {
    CURLM *multi;
    int epoll;
    int bell;         /* eventfd: wake() */
    int64_t timer_us; /* when curl wants to be called; INT64_MAX: not */
    char *base_url;
    struct curl_slist *common_fields;
    struct transfer *transfers;
    uint32_t transfer_count;
    struct transfer *free_transfers;
    struct call_queue waiting;
    unsigned done_count; /* calls of `done` in this run() */
    int64_t complained_us;
    int64_t complaints_left_out;
};

static void queue_init(struct call_queue *queue) {
    queue->first = NULL;
    queue->last = &queue->first;
}

static void queue_add(struct call_queue *queue, struct payment_call *call) {
    call->next = NULL;
    call->link = queue->last;
    *queue->last = call;
    queue->last = &call->next;
}

static void queue_remove(struct call_queue *queue, struct payment_call *call) {
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    else
        queue->last = call->link;
    call->link = NULL;
}

static struct payment_call *queue_take(struct call_queue *queue) {
    struct payment_call *call = queue->first;
    if (call)
        queue_remove(queue, call);
    return call;
}

/* At most one line a second, whatever happens to the gateway. Says nothing that is a secret: the code is the gateway's
 * or curl's word, never what was sent. */
static void complain(struct engine *engine, const struct payment_call *call, const char *why, long http_status) {
    int64_t now_us = clock_monotonic_us();
    if (engine->complained_us && now_us - engine->complained_us < COMPLAINT_INTERVAL_US) {
        engine->complaints_left_out++;
        return;
    }
    log_warn("a call to the payment gateway went wrong",
             LOG_STRING("operation", payment_operation_name(call->operation)),
             LOG_STRING("outcome", payment_outcome_name(call->outcome)), LOG_INT("http_status", http_status),
             LOG_STRING("why", why), LOG_INT("left_out", engine->complaints_left_out));
    engine->complained_us = now_us;
    engine->complaints_left_out = 0;
}

static void finish(struct engine *engine, struct payment_call *call) {
    metric_add(METRIC_GATEWAY_CALLS, 1);
    if (call->outcome == PAYMENT_UNKNOWN)
        metric_add(METRIC_GATEWAY_UNKNOWN, 1);
    engine->done_count++;
    call->done(call);
}

static size_t take_reply(char *data, size_t size, size_t count, void *context) {
    struct transfer *transfer = context;
    buffer_add(&transfer->reply, data, size * count);
    return buffer_ok(&transfer->reply) ? size * count : 0;
}

static int about_to_send(void *context, char *peer, char *self, int peer_port, int self_port) {
    (void)peer, (void)self, (void)peer_port, (void)self_port;
    struct transfer *transfer = context;
    struct payment_call *call = transfer->call;
    if (transfer->sent && !payment_operation_is_question(call->operation))
        return CURL_PREREQFUNC_ABORT;
    transfer->sent = true;
    explicit_bzero(call->token, sizeof call->token);
    return CURL_PREREQFUNC_OK;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *registered) {
    (void)easy;
    struct engine *engine = context;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(engine->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    struct epoll_event event = {.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u),
                                .data.fd = fd};
    if (epoll_ctl(engine->epoll, registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event))
        return -1;
    curl_multi_assign(engine->multi, fd, engine);
    return 0;
}

static int set_timer(CURLM *multi, long timeout_ms, void *context) {
    (void)multi;
    struct engine *engine = context;
    engine->timer_us = timeout_ms < 0 ? INT64_MAX : clock_monotonic_us() + (int64_t)timeout_ms * 1000;
    return 0;
}

static void give_back(struct transfer *transfer) {
    if (transfer->form.at)
        explicit_bzero(transfer->form.at, transfer->form.length);
    transfer->call = NULL;
    transfer->next_free = transfer->engine->free_transfers;
    transfer->engine->free_transfers = transfer;
}

/* Hands the call to curl. What fails here was never sent. */
static bool start(struct transfer *transfer, struct payment_call *call) {
    struct engine *engine = transfer->engine;
    transfer->call = call;
    transfer->sent = false;
    transfer->started_us = clock_monotonic_us();
    transfer->url.length = transfer->form.length = transfer->reply.length = 0;
    transfer->url.full = transfer->form.full = transfer->reply.full = false;
    buffer_add_text(&transfer->url, engine->base_url);
    if (!stripe_write_request(call, &transfer->url, &transfer->form)) {
        call->outcome = PAYMENT_REFUSED;
        snprintf(call->code, sizeof call->code, "invalid_intent_id");
        return false;
    }
    buffer_add_char(&transfer->url, '\0');
    buffer_add_char(&transfer->form, '\0');
    call->outcome = PAYMENT_UNREACHED;
    call->http_status = 0;
    if (!buffer_ok(&transfer->url) || !buffer_ok(&transfer->form))
        return false;
    curl_easy_setopt(transfer->easy, CURLOPT_URL, transfer->url.at);
    transfer->reply.limit = call->operation == PAYMENT_LIST ? LIST_REPLY_BYTES : REPLY_BYTES;
    if (payment_operation_is_question(call->operation)) {
        curl_easy_setopt(transfer->easy, CURLOPT_HTTPGET, 1L);
        curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, engine->common_fields);
    } else {
        snprintf(transfer->key_field, sizeof transfer->key_field, "Idempotency-Key: %s", call->idempotency_key);
        curl_easy_setopt(transfer->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, transfer->form.at);
        curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE, (long)transfer->form.length - 1);
        curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, &transfer->key_node);
    }
    return curl_multi_add_handle(engine->multi, transfer->easy) == CURLM_OK;
}

static void start_waiting(struct engine *engine) {
    while (engine->free_transfers && engine->waiting.first) {
        struct transfer *transfer = engine->free_transfers;
        struct payment_call *call = queue_take(&engine->waiting);
        engine->free_transfers = transfer->next_free;
        if (start(transfer, call))
            continue;
        give_back(transfer);
        complain(engine, call, call->code[0] ? call->code : "out of memory", 0);
        finish(engine, call);
    }
}

static void end(struct transfer *transfer, CURLcode code) {
    struct engine *engine = transfer->engine;
    struct payment_call *call = transfer->call;
    long http_status = 0;
    if (code == CURLE_OK) {
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &http_status);
        stripe_read_reply(call, http_status, buffer_bytes(&transfer->reply));
    } else {
        call->http_status = 0;
        call->outcome = transfer->sent ? PAYMENT_UNKNOWN : PAYMENT_UNREACHED;
    }
    timing_observe(TIMING_GATEWAY_CALL_SECONDS, clock_monotonic_us() - transfer->started_us);
    if (call->outcome == PAYMENT_UNKNOWN || call->outcome == PAYMENT_UNREACHED || call->outcome == PAYMENT_REFUSED)
        complain(engine, call, code == CURLE_OK ? call->code : curl_easy_strerror(code), http_status);
    curl_multi_remove_handle(engine->multi, transfer->easy);
    give_back(transfer);
    finish(engine, call);
}

static void end_finished(struct engine *engine) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(engine->multi, &left))) {
        struct transfer *transfer = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        assert(transfer && transfer->call);
        end(transfer, message->data.result);
    }
}

/* One wait at epoll, and what it brought. True if the bell rang. */
static bool turn(struct engine *engine, int timeout_ms) {
    struct epoll_event events[EVENTS];
    int running;
    bool woken = false;
    int n = epoll_wait(engine->epoll, events, EVENTS, timeout_ms);
    assert(n >= 0 || errno == EINTR);
    for (int i = 0; i < n; i++) {
        if (events[i].data.fd == engine->bell) {
            uint64_t count;
            woken = read(engine->bell, &count, sizeof count) == sizeof count || woken;
            continue;
        }
        int ready = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                    (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                    (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(engine->multi, events[i].data.fd, ready, &running);
    }
    if (clock_monotonic_us() >= engine->timer_us) {
        engine->timer_us = INT64_MAX;
        curl_multi_socket_action(engine->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    end_finished(engine);
    return woken;
}

static void gateway_submit(void *context, struct payment_call *call) {
    struct engine *engine = context;
    assert(call->done && (size_t)call->operation < PAYMENT_OPERATION_COUNT);
    assert(memchr(call->idempotency_key, '\0', sizeof call->idempotency_key) &&
           !strpbrk(call->idempotency_key, "\r\n"));
    call->status = INTENT_NONE;
    call->result_id[0] = call->code[0] = '\0';
    call->amount_received = call->amount_refunded = 0;
    queue_add(&engine->waiting, call);
}

static bool gateway_withdraw(void *context, struct payment_call *call) {
    struct engine *engine = context;
    if (!call->link)
        return false;
    queue_remove(&engine->waiting, call);
    return true;
}

static void gateway_run(void *context, int timeout_ms) {
    struct engine *engine = context;
    int64_t end_us = clock_monotonic_us() + (int64_t)timeout_ms * 1000;
    engine->done_count = 0;
    for (;;) {
        start_waiting(engine);
        int64_t now_us = clock_monotonic_us();
        int64_t until_us = engine->done_count ? now_us : end_us < engine->timer_us ? end_us : engine->timer_us;
        int wait_ms = until_us > now_us ? (int)((until_us - now_us + 999) / 1000) : 0;
        bool woken = turn(engine, wait_ms);
        if (woken || engine->done_count || clock_monotonic_us() >= end_us)
            break;
    }
    /* What `done` submitted leaves now, not at the next run. */
    start_waiting(engine);
    if (engine->timer_us <= clock_monotonic_us())
        turn(engine, 0);
}

static void gateway_wake(void *context) {
    struct engine *engine = context;
    uint64_t one = 1;
    ssize_t written = write(engine->bell, &one, sizeof one);
    assert(written == sizeof one || errno == EAGAIN); /* full: it rings already */
}

static void gateway_free(void *context) {
    struct engine *engine = context;
    for (uint32_t i = 0; i < engine->transfer_count; i++) {
        struct transfer *transfer = &engine->transfers[i];
        if (transfer->call)
            curl_multi_remove_handle(engine->multi, transfer->easy);
        if (transfer->form.at)
            explicit_bzero(transfer->form.at, transfer->form.capacity);
        curl_easy_cleanup(transfer->easy);
        buffer_release(&transfer->url);
        buffer_release(&transfer->form);
        buffer_release(&transfer->reply);
    }
    curl_multi_cleanup(engine->multi);
    for (struct curl_slist *field = engine->common_fields; field; field = field->next)
        explicit_bzero(field->data, strlen(field->data));
    curl_slist_free_all(engine->common_fields);
    if (engine->epoll >= 0)
        close(engine->epoll);
    if (engine->bell >= 0)
        close(engine->bell);
    free(engine->transfers);
    free(engine->base_url);
    free(engine);
}

/* Splits hairs for a reason: over plain HTTP the secret key would cross the network in the clear. */
static bool url_is_safe(const char *url) {
    CURLU *parts = curl_url();
    char *scheme = NULL, *host = NULL, *path = NULL, *query = NULL, *user = NULL;
    bool safe = parts && curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_PATH, &path, 0) == CURLUE_OK && strcmp(path, "/") == 0 &&
                curl_url_get(parts, CURLUPART_QUERY, &query, 0) != CURLUE_OK;
    if (safe && strcmp(scheme, "http") == 0)
        safe = strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
               (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
    else if (safe)
        safe = strcmp(scheme, "https") == 0;
    curl_free(scheme);
    curl_free(host);
    curl_free(path);
    curl_free(query);
    curl_free(user);
    curl_url_cleanup(parts);
    return safe;
}

static bool add_field(struct engine *engine, const char *field) {
    struct curl_slist *list = curl_slist_append(engine->common_fields, field);
    if (list)
        engine->common_fields = list;
    return list;
}

static bool set_up_fields(struct engine *engine, const char *secret_key) {
    struct buffer authorization;
    buffer_init(&authorization, REQUEST_BYTES);
    buffer_add_text(&authorization, "Authorization: Bearer ");
    buffer_add_text(&authorization, secret_key);
    buffer_add_char(&authorization, '\0');
    bool ok = buffer_ok(&authorization) && add_field(engine, authorization.at) && add_field(engine, "Expect:") &&
              add_field(engine, "Accept: application/json");
    if (authorization.at)
        explicit_bzero(authorization.at, authorization.length);
    buffer_release(&authorization);
    return ok;
}

static bool set_up_transfer(struct engine *engine, struct transfer *transfer, const struct stripe_settings *settings) {
    bool plain = strncmp(settings->url, "http:", 5) == 0;
    transfer->engine = engine;
    transfer->key_node = (struct curl_slist){.data = transfer->key_field, .next = engine->common_fields};
    buffer_init(&transfer->url, REQUEST_BYTES);
    buffer_init(&transfer->form, REQUEST_BYTES);
    buffer_init(&transfer->reply, REPLY_BYTES);
    CURL *easy = transfer->easy = curl_easy_init();
    if (!easy)
        return false;
    return !curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) &&
           !curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https") &&
           !curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) &&
           /* A gateway on this machine is never to be looked for behind a proxy of the environment. */
           !(plain && curl_easy_setopt(easy, CURLOPT_PROXY, "")) &&
           !curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) && !curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L) &&
           !curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L) && !curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 30L) &&
           !curl_easy_setopt(easy, CURLOPT_USERAGENT, "onsale/" ONSALE_VERSION) &&
           !curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                             (long)(settings->connect_ms ? settings->connect_ms : 2000)) &&
           !curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(settings->call_ms ? settings->call_ms : 10000)) &&
           !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_reply) &&
           !curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) &&
           !curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, about_to_send) &&
           !curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
}

static bool set_up(struct engine *engine, const struct stripe_settings *settings) {
    size_t length = strlen(settings->url);
    while (length && settings->url[length - 1] == '/')
        length--;
    engine->base_url = strndup(settings->url, length);
    uint32_t count = settings->max_connections ? settings->max_connections : LIMIT_GATEWAY_CONNECTIONS;
    engine->transfers = calloc(count, sizeof *engine->transfers);
    engine->transfer_count = engine->transfers ? count : 0;
    engine->multi = curl_multi_init();
    engine->epoll = epoll_create1(EPOLL_CLOEXEC);
    engine->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!engine->base_url || !engine->transfers || !engine->multi || engine->epoll < 0 || engine->bell < 0)
        return false;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = engine->bell};
    if (epoll_ctl(engine->epoll, EPOLL_CTL_ADD, engine->bell, &event) || !set_up_fields(engine, settings->secret_key) ||
        curl_multi_setopt(engine->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) ||
        curl_multi_setopt(engine->multi, CURLMOPT_SOCKETDATA, engine) ||
        curl_multi_setopt(engine->multi, CURLMOPT_TIMERFUNCTION, set_timer) ||
        curl_multi_setopt(engine->multi, CURLMOPT_TIMERDATA, engine) ||
        curl_multi_setopt(engine->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) ||
        curl_multi_setopt(engine->multi, CURLMOPT_MAXCONNECTS, (long)engine->transfer_count) ||
        curl_multi_setopt(engine->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)engine->transfer_count))
        return false;
    for (uint32_t i = 0; i < engine->transfer_count; i++) {
        if (!set_up_transfer(engine, &engine->transfers[i], settings))
            return false;
        give_back(&engine->transfers[i]);
    }
    return true;
}

static void set_up_curl(void) {
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    assert(code == CURLE_OK);
}

enum result stripe_gateway_new(const struct stripe_settings *settings, struct payments *payments) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_up_curl);
    assert(settings->max_connections <= LIMIT_GATEWAY_CONNECTIONS);
    if (!url_is_safe(settings->url) || !settings->secret_key[0])
        return RESULT_INVALID_FIELD;
    for (const char *c = settings->secret_key; *c; c++)
        if (*c <= ' ' || *c > '~')
            return RESULT_INVALID_FIELD;
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return RESULT_OVERLOADED;
    engine->epoll = engine->bell = -1;
    engine->timer_us = INT64_MAX;
    queue_init(&engine->waiting);
    if (!set_up(engine, settings)) {
        gateway_free(engine);
        return RESULT_OVERLOADED;
    }
    *payments = (struct payments){.engine = engine,
                                  .submit = gateway_submit,
                                  .withdraw = gateway_withdraw,
                                  .run = gateway_run,
                                  .wake = gateway_wake,
                                  .free = gateway_free};
    return RESULT_OK;
}
