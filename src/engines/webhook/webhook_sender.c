/* The sender: a fixed set of transfers on one curl multi handle, and the thread that drives it.
 *
 * Happy path: send() puts the message into the inbox and wakes the thread → it gets a free transfer, or waits in order
 * for one → curl connects, sends, and hands over the answer's head and body, of which only the status is kept → `done`.
 *
 * What can go wrong: everything outside, and each of it ends one message. Nothing here tries again: curl itself would
 * when a kept connection dies under a request, which about_to_send() forbids, since whether the endpoint has seen the
 * first one is not known. An answer whose head came whole counts whatever happens to its body.
 */
#include "engines/webhook/webhook_sender.h"
#include "base/panic.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECTIONS 16
#define CONNECT_MS 5000
#define ANSWER_MS 10000
#define ANSWER_BYTES (64 * 1024) /* of its head, and of its body; over it the connection is closed */
#define FIELD_BYTES 1024         /* one line of a message's headers */
#define KEPT_IDLE_SECONDS 30L    /* a connection that may serve again */
#define SLEEP_MS 60000

struct message_queue {
    struct webhook_message *first, **last;
};

struct transfer {
    CURL *easy;
    struct webhook_message *message; /* NULL while it is free */
    struct curl_slist *fields;
    bool sent;     /* the request left */
    bool answered; /* the answer's head is there */
    size_t taken;  /* bytes of the answer so far */
    struct transfer *next_free;
};

struct webhook_sender {
    /* set once */
    CURLM *multi;
    struct transfer *transfers;
    uint32_t transfer_count;
    pthread_t thread;

    /* under lock */
    pthread_mutex_t lock;
    struct message_queue inbox;
    bool stopping;

    /* owned by the thread */
    struct message_queue waiting;
    struct transfer *free_transfers;
};

static void queue_init(struct message_queue *queue) {
    queue->first = NULL;
    queue->last = &queue->first;
}

static void queue_add(struct message_queue *queue, struct webhook_message *message) {
    message->next = NULL;
    *queue->last = message;
    queue->last = &message->next;
}

static struct webhook_message *queue_take(struct message_queue *queue) {
    struct webhook_message *message = queue->first;
    if (message) {
        queue->first = message->next;
        if (!queue->first)
            queue->last = &queue->first;
    }
    return message;
}

/* ---- which endpoints ---- */

static bool host_is_this_machine(const char *host) {
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

/* Over plain HTTP what is told, and to whom, could be read and changed on the way. A name and password in a URL would
 * end up in logs. */
enum result webhook_url_check(const char *url) {
    CURLU *parts = curl_url();
    char *scheme = NULL, *host = NULL;
    bool ok = parts && curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
              (strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && host_is_this_machine(host)));
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    return ok ? RESULT_OK : RESULT_INVALID_FIELD;
}

/* ---- an exchange ---- */

static int about_to_send(void *context, char *peer, char *self, int peer_port, int self_port) {
    (void)peer, (void)self, (void)peer_port, (void)self_port;
    struct transfer *transfer = context;
    if (transfer->sent)
        return CURL_PREREQFUNC_ABORT;
    transfer->sent = true;
    return CURL_PREREQFUNC_OK;
}

static size_t take(struct transfer *transfer, size_t length) {
    transfer->taken += length;
    return transfer->taken <= ANSWER_BYTES ? length : 0;
}

/* One line of the answer's head. An empty one ends it, unless it was only an interim answer's. */
static size_t take_line(char *line, size_t size, size_t count, void *context) {
    struct transfer *transfer = context;
    size_t length = size * count;
    bool empty = (length == 2 && line[0] == '\r') || (length == 1 && line[0] == '\n');
    if (empty && !transfer->answered) {
        long status = 0;
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
        transfer->answered = status >= 200;
        transfer->taken = transfer->answered ? 0 : transfer->taken;
    }
    return take(transfer, length);
}

static size_t drop_body(char *data, size_t size, size_t count, void *context) {
    (void)data;
    return take(context, size * count);
}

static const char *words_of(CURLcode code, bool sent) {
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return sent ? "timed out" : "timed out before it could be sent";
    case CURLE_COULDNT_CONNECT:
        return "could not connect";
    case CURLE_COULDNT_RESOLVE_HOST:
        return "its name was not found";
    case CURLE_PEER_FAILED_VERIFICATION:
        return "its certificate is not trusted";
    case CURLE_WRITE_ERROR:
        return "the head of its answer was too long";
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_ABORTED_BY_CALLBACK: /* the connection died, and nothing is sent twice */
        return "the connection was closed before the answer";
    default:
        return curl_easy_strerror(code);
    }
}

static void finish(struct webhook_message *message, unsigned status, const char *why) {
    message->status = status;
    if (why)
        snprintf(message->why, sizeof message->why, "%s", why);
    else if (!webhook_was_taken(message))
        snprintf(message->why, sizeof message->why, "%u", status);
    else
        message->why[0] = '\0';
    message->done(message);
}

static void give_back(struct webhook_sender *sender, struct transfer *transfer) {
    curl_slist_free_all(transfer->fields);
    transfer->fields = NULL;
    transfer->message = NULL;
    transfer->next_free = sender->free_transfers;
    sender->free_transfers = transfer;
}

static bool add_field(struct transfer *transfer, const char *field) {
    struct curl_slist *list = curl_slist_append(transfer->fields, field);
    if (list)
        transfer->fields = list;
    return list;
}

/* The message's lines, and none of curl's own about how to go on with a long body. */
static bool set_fields(struct transfer *transfer, struct bytes headers) {
    while (headers.length) {
        const char *end = memmem(headers.at, headers.length, "\r\n", 2);
        size_t length = end ? (size_t)(end - headers.at) : headers.length;
        char field[FIELD_BYTES];
        assert(end && length < sizeof field);
        memcpy(field, headers.at, length);
        field[length] = '\0';
        if (!add_field(transfer, field))
            return false;
        headers.at += length + 2;
        headers.length -= length + 2;
    }
    return add_field(transfer, "Expect:");
}

static bool start(struct webhook_sender *sender, struct transfer *transfer, struct webhook_message *message) {
    CURL *easy = transfer->easy;
    transfer->message = message;
    transfer->sent = transfer->answered = false;
    transfer->taken = 0;
    return set_fields(transfer, message->headers) && !curl_easy_setopt(easy, CURLOPT_URL, message->url) &&
           !curl_easy_setopt(easy, CURLOPT_POST, 1L) &&
           !curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)message->body.length) &&
           !curl_easy_setopt(easy, CURLOPT_POSTFIELDS, message->body.length ? message->body.at : "") &&
           !curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->fields) &&
           curl_multi_add_handle(sender->multi, easy) == CURLM_OK;
}

static void start_waiting(struct webhook_sender *sender) {
    while (sender->free_transfers && sender->waiting.first) {
        struct webhook_message *message = queue_take(&sender->waiting);
        if (webhook_url_check(message->url) != RESULT_OK) {
            finish(message, 0, "its URL is neither https:// nor on this machine");
            continue;
        }
        struct transfer *transfer = sender->free_transfers;
        sender->free_transfers = transfer->next_free;
        if (start(sender, transfer, message))
            continue;
        give_back(sender, transfer);
        finish(message, 0, "out of memory");
    }
}

static void end(struct webhook_sender *sender, struct transfer *transfer, CURLcode code) {
    struct webhook_message *message = transfer->message;
    long status = 0;
    if (transfer->answered)
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    const char *why = transfer->answered ? NULL : words_of(code, transfer->sent);
    curl_multi_remove_handle(sender->multi, transfer->easy);
    give_back(sender, transfer);
    finish(message, (unsigned)status, why);
}

/* ---- the thread ---- */

static void end_finished(struct webhook_sender *sender) {
    CURLMsg *told;
    int left;
    while ((told = curl_multi_info_read(sender->multi, &left))) {
        struct transfer *transfer = NULL;
        curl_easy_getinfo(told->easy_handle, CURLINFO_PRIVATE, &transfer);
        assert(transfer && transfer->message);
        end(sender, transfer, told->data.result);
    }
}

/* False once it is to stop. */
static bool read_inbox(struct webhook_sender *sender) {
    pthread_mutex_lock(&sender->lock);
    if (sender->inbox.first) {
        *sender->waiting.last = sender->inbox.first;
        sender->waiting.last = sender->inbox.last;
        queue_init(&sender->inbox);
    }
    bool goes_on = !sender->stopping;
    pthread_mutex_unlock(&sender->lock);
    return goes_on;
}

static void give_up(struct webhook_sender *sender) {
    for (uint32_t i = 0; i < sender->transfer_count; i++) {
        struct transfer *transfer = &sender->transfers[i];
        struct webhook_message *message = transfer->message;
        if (!message)
            continue;
        curl_multi_remove_handle(sender->multi, transfer->easy);
        give_back(sender, transfer);
        finish(message, 0, "given up: stopping");
    }
    do {
        struct webhook_message *message;
        while ((message = queue_take(&sender->waiting)))
            finish(message, 0, "given up: stopping");
        read_inbox(sender); /* `done` may have sent more */
    } while (sender->waiting.first);
}

static void *work(void *context) {
    struct webhook_sender *sender = context;
    while (read_inbox(sender)) {
        int running;
        start_waiting(sender);
        CURLMcode code = curl_multi_perform(sender->multi, &running);
        assert(code == CURLM_OK);
        end_finished(sender);
        if (sender->waiting.first && sender->free_transfers)
            continue;
        code = curl_multi_poll(sender->multi, NULL, 0, SLEEP_MS, NULL);
        assert(code == CURLM_OK || code == CURLM_OUT_OF_MEMORY);
    }
    give_up(sender);
    return NULL;
}

/* ---- set-up ---- */

static bool set_up_transfer(struct transfer *transfer, const struct webhook_sender_settings *settings) {
    CURL *easy = transfer->easy = curl_easy_init();
    return easy && !curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) &&
           !curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
           !curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) && !curl_easy_setopt(easy, CURLOPT_PROXY, "") &&
           !curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           /* A slow name server is not waited for at the end. */
           !curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) && !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) &&
           !curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L) && !curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L) &&
           !curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, KEPT_IDLE_SECONDS) &&
           !curl_easy_setopt(easy, CURLOPT_USERAGENT, "onsale/" ONSALE_VERSION) &&
           !curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                             (long)(settings->connect_ms ? settings->connect_ms : CONNECT_MS)) &&
           !curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(settings->answer_ms ? settings->answer_ms : ANSWER_MS)) &&
           !curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_line) &&
           !curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer) &&
           !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_body) &&
           !curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) &&
           !curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, about_to_send) &&
           !curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
}

static bool set_up(struct webhook_sender *sender, const struct webhook_sender_settings *settings) {
    uint32_t count = settings->connections ? settings->connections : CONNECTIONS;
    sender->multi = curl_multi_init();
    sender->transfers = calloc(count, sizeof *sender->transfers);
    sender->transfer_count = sender->transfers ? count : 0;
    if (!sender->multi || !sender->transfers ||
        curl_multi_setopt(sender->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) ||
        curl_multi_setopt(sender->multi, CURLMOPT_MAXCONNECTS, (long)count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!set_up_transfer(&sender->transfers[i], settings))
            return false;
        give_back(sender, &sender->transfers[i]);
    }
    return true;
}

static void release(struct webhook_sender *sender) {
    for (uint32_t i = 0; i < sender->transfer_count; i++)
        curl_easy_cleanup(sender->transfers[i].easy);
    if (sender->multi)
        curl_multi_cleanup(sender->multi);
    free(sender->transfers);
    pthread_mutex_destroy(&sender->lock);
    free(sender);
}

static void set_up_curl(void) {
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    assert(code == CURLE_OK);
}

/* No signal is this thread's: not the program's own, nor the SIGPIPE of a TLS connection that was closed. */
static bool start_thread(struct webhook_sender *sender) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&sender->thread, NULL, work, sender) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started)
        pthread_setname_np(sender->thread, "webhook_sender");
    return started;
}

enum result webhook_sender_new(const struct webhook_sender_settings *settings, struct webhook_sender **sender) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_up_curl);
    struct webhook_sender *made = calloc(1, sizeof *made);
    if (!made)
        return RESULT_OVERLOADED;
    pthread_mutex_init(&made->lock, NULL);
    queue_init(&made->inbox);
    queue_init(&made->waiting);
    if (!set_up(made, settings) || !start_thread(made)) {
        release(made);
        return RESULT_OVERLOADED;
    }
    *sender = made;
    return RESULT_OK;
}

void webhook_sender_send(struct webhook_sender *sender, struct webhook_message *message) {
    assert(message->url && message->done);
    pthread_mutex_lock(&sender->lock);
    bool rings = !sender->inbox.first;
    queue_add(&sender->inbox, message);
    pthread_mutex_unlock(&sender->lock);
    if (rings)
        curl_multi_wakeup(sender->multi);
}

void webhook_sender_free(struct webhook_sender *sender) {
    if (!sender)
        return;
    pthread_mutex_lock(&sender->lock);
    sender->stopping = true;
    pthread_mutex_unlock(&sender->lock);
    curl_multi_wakeup(sender->multi);
    pthread_join(sender->thread, NULL);
    release(sender);
}
