/* Puts the sandbox together: folder, tape, book, reactor, and the threads that wake it.
 *
 * The reactor's thread owns everything. The tape's thread and the alarm's send it envelopes, each at most one at a
 * time.
 */
#include "sandbox/sandbox.h"
#include "base/container.h"
#include "sandbox/sandbox_state.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/panic.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DRAIN_MS 5000
#define REWRITE_BYTES (8 * 1024 * 1024) /* a tape with less to gain is left as it is */

#define OWNER(envelope, member) CONTAINER_OF(envelope, struct sandbox, member)

static void open_synced(struct envelope *envelope, void *reactor) {
    (void)reactor;
    struct sandbox *sandbox = OWNER(envelope, synced_envelope);
    atomic_store(&sandbox->synced_sent, false);
    if (sandbox->closing)
        return;
    pending_synced(sandbox);
    if (sandbox->deliveries) {
        deliveries_due(sandbox->deliveries);
        sandbox_set_alarm(sandbox);
    }
}

static void open_alarm(struct envelope *envelope, void *reactor) {
    (void)reactor;
    struct sandbox *sandbox = OWNER(envelope, alarm_envelope);
    atomic_store(&sandbox->alarm_sent, false);
    if (sandbox->closing)
        return;
    pending_due(sandbox);
    if (sandbox->deliveries)
        deliveries_due(sandbox->deliveries);
    sandbox_set_alarm(sandbox);
}

void sandbox_set_alarm(struct sandbox *sandbox) {
    struct deadline *first = deadlines_first(&sandbox->deadlines);
    int64_t at_ms = first ? first->at_ms : INT64_MAX;
    int64_t delivery_ms = sandbox->deliveries ? deliveries_next_ms(sandbox->deliveries) : INT64_MAX;
    at_ms = delivery_ms < at_ms ? delivery_ms : at_ms;
    alarm_set(sandbox->alarm, at_ms == INT64_MAX ? INT64_MAX : at_ms * 1000);
}

static void open_stop(struct envelope *envelope, void *reactor) {
    struct sandbox *sandbox = OWNER(envelope, stop_envelope);
    pending_abandon(sandbox);
    reactor_stop(reactor, DRAIN_MS);
}

static void send_once(struct sandbox *sandbox, struct envelope *envelope, atomic_bool *sent) {
    if (!atomic_exchange(sent, true))
        reactor_send(sandbox->reactor, envelope);
}

static void tape_synced(void *context) {
    struct sandbox *sandbox = context;
    send_once(sandbox, &sandbox->synced_envelope, &sandbox->synced_sent);
}

static void alarm_rang(void *context) {
    struct sandbox *sandbox = context;
    send_once(sandbox, &sandbox->alarm_envelope, &sandbox->alarm_sent);
}

static void tape_failed(void *context) {
    struct sandbox *sandbox = context;
    atomic_store(&sandbox->failed, true);
    sandbox_stop(sandbox);
}

static enum result take_over(void *context, uint64_t place, struct bytes bytes) {
    struct sandbox *sandbox = context;
    struct record record;
    return object_record_read(bytes, &record) ? book_apply(&sandbox->book, &record, place) : RESULT_CORRUPT;
}

struct keeping {
    struct sandbox *sandbox;
    int64_t now_ms;
    uint64_t dropped; /* bytes */
};

static bool keep(void *context, uint64_t place, struct bytes bytes) {
    struct keeping *keeping = context;
    struct record record;
    bool kept =
        object_record_read(bytes, &record) && book_needs(&keeping->sandbox->book, &record, place, keeping->now_ms);
    keeping->dropped += kept ? 0 : bytes.length;
    return kept;
}

static enum result weigh(void *context, uint64_t place, struct bytes bytes) {
    (void)keep(context, place, bytes);
    return RESULT_OK;
}

/* Reads the tape; where most of it has had its time, writes it anew and reads that. */
static enum result open_tape(struct sandbox *sandbox, const char *folder, char *detail, size_t detail_size) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/tape", folder) >= (int)sizeof path)
        return RESULT_INVALID_FIELD;
    enum result result = tape_open(path, take_over, sandbox, &sandbox->tape, detail, detail_size);
    if (result != RESULT_OK || tape_end(sandbox->tape) < REWRITE_BYTES)
        return result;
    struct keeping keeping = {.sandbox = sandbox, .now_ms = sandbox_now_ms(sandbox)};
    struct tape *again;
    result = tape_open(path, weigh, &keeping, &again, detail, detail_size);
    if (result != RESULT_OK)
        return result;
    if (keeping.dropped < tape_end(again) / 2) {
        tape_close(again);
        return RESULT_OK;
    }
    tape_close(sandbox->tape);
    sandbox->tape = NULL;
    result = tape_rewrite(again, keep, &keeping);
    if (result != RESULT_OK) {
        snprintf(detail, detail_size, "cannot write '%s.new': %s", path, strerror(errno));
        return result;
    }
    book_release(&sandbox->book);
    return tape_open(path, take_over, sandbox, &sandbox->tape, detail, detail_size);
}

static enum result listen_at(struct sandbox *sandbox, const struct sandbox_settings *settings, char *detail,
                             size_t detail_size) {
    int fd;
    uint16_t port;
    enum result result = listener_open(settings->listen, &fd, &port);
    if (result != RESULT_OK) {
        snprintf(detail, detail_size, "cannot listen at '%s': %s", settings->listen,
                 result == RESULT_INVALID_FIELD ? "write 127.0.0.1:8090 or [::1]:8090" : strerror(errno));
        return result;
    }
    const char *colon = strrchr(settings->listen, ':');
    assert(colon);
    snprintf(sandbox->address, sizeof sandbox->address, "%.*s:%u", (int)(colon - settings->listen), settings->listen,
             port);
    struct http_service service = sandbox_service_template;
    service.context = sandbox;
    reactor_listen(sandbox->reactor, fd, &service);
    return RESULT_OK;
}

static enum result tell_where(const struct sandbox *sandbox, const char *folder, char *detail, size_t detail_size) {
    char path[PATH_MAX], text[128];
    int length = snprintf(text, sizeof text, "{\"sandbox\":\"%s\"}\n", sandbox->address);
    snprintf(path, sizeof path, "%s/listen.json", folder);
    enum result result = file_write_atomically(path, (struct bytes){text, (size_t)length}, 0644);
    if (result != RESULT_OK)
        snprintf(detail, detail_size, "cannot write '%s': %s", path, strerror(errno));
    return result;
}

/* What an earlier process still owed goes out as soon as the reactor runs. */
static enum result open_webhook(struct sandbox *sandbox, const struct sandbox_settings *settings, char *detail,
                                size_t detail_size) {
    enum result result = deliveries_new(sandbox, settings->webhook_url, settings->webhook_secret, &sandbox->deliveries);
    if (result == RESULT_INVALID_FIELD)
        snprintf(detail, detail_size,
                 "cannot send webhooks to '%s': it has to be https://…, or http:// on this machine",
                 settings->webhook_url);
    if (result == RESULT_OK)
        send_once(sandbox, &sandbox->alarm_envelope, &sandbox->alarm_sent);
    return result;
}

static enum result set_up(struct sandbox *sandbox, const struct sandbox_settings *settings, char *detail,
                          size_t detail_size) {
    struct reactor_settings reactor_settings = {
        .waits = {.head_ms = 10000, .body_ms = 20000, .write_ms = 20000, .idle_ms = 60000},
        .max_connections = LIMIT_SANDBOX_CONNECTIONS};
    struct tape_listener listener = {.context = sandbox, .synced = tape_synced, .failed = tape_failed};
    enum result result = folder_make(settings->folder);
    if (result == RESULT_OK)
        result = folder_lock(settings->folder, &sandbox->lock);
    if (result != RESULT_OK) {
        snprintf(detail, detail_size, "cannot take '%s': %s", settings->folder,
                 result == RESULT_IN_USE ? result_words(result) : strerror(errno));
        return result;
    }
    if (settings->faults && !faults_read(settings->faults, settings->fault_seed, &sandbox->faults, detail, detail_size))
        return RESULT_INVALID_FIELD;
    result = open_tape(sandbox, settings->folder, detail, detail_size);
    if (result == RESULT_OK)
        result = reactor_new(&reactor_settings, &sandbox->reactor);
    if (result == RESULT_OK)
        result = deadlines_init(&sandbox->deadlines, LIMIT_SANDBOX_DELAYED);
    if (result == RESULT_OK)
        result = alarm_new(alarm_rang, sandbox, &sandbox->alarm);
    if (result == RESULT_OK)
        result = tape_start(sandbox->tape, &listener);
    if (result == RESULT_OK && settings->webhook_url)
        result = open_webhook(sandbox, settings, detail, detail_size);
    if (result == RESULT_OK)
        result = listen_at(sandbox, settings, detail, detail_size);
    if (result == RESULT_OK)
        result = tell_where(sandbox, settings->folder, detail, detail_size);
    return result;
}

enum result sandbox_open(const struct sandbox_settings *settings, struct sandbox **sandbox, char *detail,
                         size_t detail_size) {
    detail[0] = '\0';
    struct sandbox *fresh = calloc(1, sizeof *fresh);
    if (!fresh) {
        snprintf(detail, detail_size, "out of memory");
        return RESULT_OVERLOADED;
    }
    fresh->lock = -1;
    fresh->clock_offset_ms = settings->clock_offset_s * 1000;
    fresh->last_pending = &fresh->first_pending;
    fresh->synced_envelope.open = open_synced;
    fresh->alarm_envelope.open = open_alarm;
    fresh->stop_envelope.open = open_stop;
    book_init(&fresh->book);
    verdict_init(&fresh->verdict);
    buffer_init(&fresh->encoded, LIMIT_SANDBOX_RECORD_BYTES);
    buffer_init(&fresh->replay, LIMIT_SANDBOX_RECORD_BYTES);
    enum result result = set_up(fresh, settings, detail, detail_size);
    if (result != RESULT_OK) {
        if (!detail[0])
            snprintf(detail, detail_size, "cannot start: %s", result_words(result));
        sandbox_close(fresh);
        return result;
    }
    *sandbox = fresh;
    return RESULT_OK;
}

const char *sandbox_address(const struct sandbox *sandbox) {
    return sandbox->address;
}

enum result sandbox_serve(struct sandbox *sandbox) {
    reactor_run(sandbox->reactor);
    return atomic_load(&sandbox->failed) ? RESULT_IO_ERROR : RESULT_OK;
}

void sandbox_stop(struct sandbox *sandbox) {
    send_once(sandbox, &sandbox->stop_envelope, &sandbox->stop_sent);
}

void sandbox_close(struct sandbox *sandbox) {
    sandbox->closing = true;
    alarm_free(sandbox->alarm);
    deliveries_stop(sandbox->deliveries);
    if (sandbox->tape)
        tape_close(sandbox->tape);
    if (sandbox->reactor) {
        pending_abandon(sandbox);
        reactor_free(sandbox->reactor);
    }
    deliveries_free(sandbox->deliveries);
    pending_release(sandbox);
    deadlines_release(&sandbox->deadlines);
    book_release(&sandbox->book);
    verdict_release(&sandbox->verdict);
    buffer_release(&sandbox->encoded);
    buffer_release(&sandbox->replay);
    if (sandbox->lock >= 0)
        close(sandbox->lock);
    free(sandbox);
}

static void *wait_for_signal(void *context) {
    sigset_t signals;
    int signal;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    while (sigwait(&signals, &signal))
        ;
    sandbox_stop(context);
    return NULL;
}

enum result sandbox_run(const struct sandbox_settings *settings) {
    char detail[512];
    struct sandbox *sandbox;
    sigset_t signals;
    pthread_t waiter;
    /* Before any thread is made, so that all of them leave the signals to the one that waits. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    enum result result = sandbox_open(settings, &sandbox, detail, sizeof detail);
    if (result != RESULT_OK) {
        log_error("the sandbox cannot start", LOG_STRING("why", detail));
        return result;
    }
    if (pthread_create(&waiter, NULL, wait_for_signal, sandbox)) {
        sandbox_close(sandbox);
        return RESULT_OVERLOADED;
    }
    log_info("the sandbox is ready", LOG_STRING("sandbox", sandbox_address(sandbox)),
             LOG_STRING("folder", settings->folder));
    if (settings->faults)
        log_info("the sandbox fails by chance", LOG_STRING("faults", settings->faults),
                 LOG_INT("fault_seed", settings->fault_seed));
    result = sandbox_serve(sandbox);
    pthread_kill(waiter, SIGTERM);
    pthread_join(waiter, NULL);
    log_info("the sandbox has stopped");
    sandbox_close(sandbox);
    return result;
}
