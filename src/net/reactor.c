#include "net/reactor.h"
#include "net/channel.h"
#include "net/reactor_state.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_A_WAIT 256
#define ACCEPTS_A_TURN 64
#define ACCEPT_PAUSE_US 100000 /* out of descriptors: until some were closed */
#define KEPT_SCRATCH_BYTES (256 * 1024)
#define ENDS_A_TURN 512 /* waits: many begin, and so end, at the same time */

/* What epoll hands back: a slot with its generation, or one of these instead of a slot. */
#define FIRST_LISTENER 0xffffff00u
#define BELL 0xfffffffeu

static uint64_t token_of(uint32_t slot, uint32_t generation) {
    return (uint64_t)generation << 32 | slot;
}

static bool watch(struct reactor *reactor, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return epoll_ctl(reactor->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Any thread. */
static void ring(void *context) {
    struct reactor *reactor = context;
    uint64_t one = 1;
    ssize_t written = write(reactor->bell, &one, sizeof one);
    /* Full: it has rung. A bell that were silent for another reason would leave the mailbox shut for good. */
    assert(written == sizeof one || errno == EAGAIN);
}

static size_t connections_size(const struct reactor *reactor) {
    return (size_t)reactor->settings.max_connections * sizeof(struct connection);
}

enum result reactor_new(const struct reactor_settings *settings, struct reactor **reactor) {
    assert(settings->max_connections > 0 && settings->max_connections < FIRST_LISTENER);
    struct reactor *made = calloc(1, sizeof *made);
    if (!made)
        return RESULT_OVERLOADED;
    made->settings = *settings;
    made->epoll = epoll_create1(EPOLL_CLOEXEC);
    made->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* Pages of slots that were never used cost nothing. */
    made->connections = mmap(NULL, connections_size(made), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made->connections == MAP_FAILED)
        made->connections = NULL;
    made->free_slots = made->first_ready = made->last_ready = NO_SLOT;
    made->id_seed = random_u64();
    made->stop_at_us = made->accept_again_us = INT64_MAX;
    atomic_init(&made->stop_drain_ms, -1);
    mailbox_init(&made->mailbox, ring, made);
    buffer_init(&made->scratch, LIMIT_SCRATCH_BYTES);
    waits_init(&made->waits, made->connections);
    waits_set_length(&made->waits, WAIT_HEAD, settings->waits.head_ms);
    waits_set_length(&made->waits, WAIT_BODY, settings->waits.body_ms);
    waits_set_length(&made->waits, WAIT_WRITE, settings->waits.write_ms);
    waits_set_length(&made->waits, WAIT_IDLE, settings->waits.idle_ms);
    waits_set_length(&made->waits, WAIT_SILENT, settings->waits.idle_ms);
    waits_set_length(&made->waits, WAIT_PONG, settings->waits.idle_ms);
    waits_set_length(&made->waits, WAIT_LINGER, LIMIT_LINGER_MS);
    /* Edge-triggered, so that the bell never has to be read: each ring is a new edge. */
    if (made->epoll < 0 || made->bell < 0 || !made->connections ||
        !watch(made, made->bell, EPOLLIN | EPOLLET, token_of(BELL, 0))) {
        reactor_free(made);
        return RESULT_IO_ERROR;
    }
    *reactor = made;
    return RESULT_OK;
}

void reactor_free(struct reactor *reactor) {
    if (!reactor)
        return;
    assert(reactor->open_count == 0);
    (void)mailbox_open_all(&reactor->mailbox, reactor);
    for (unsigned i = 0; i < reactor->listener_count; i++)
        if (reactor->listeners[i].fd >= 0)
            close(reactor->listeners[i].fd);
    if (reactor->bell >= 0)
        close(reactor->bell);
    if (reactor->epoll >= 0)
        close(reactor->epoll);
    if (reactor->connections)
        (void)munmap(reactor->connections, connections_size(reactor));
    output_pool_release(&reactor->outputs);
    buffer_release(&reactor->scratch);
    free(reactor);
}

void reactor_listen(struct reactor *reactor, int fd, const struct http_service *service) {
    assert(reactor->listener_count < LIMIT_LISTENERS);
    assert(service->admit && service->handle && service->refuse);
    unsigned index = reactor->listener_count++;
    reactor->listeners[index] = (struct listener){.fd = fd, .is_paused = true, .service = *service};
    reactor->accept_again_us = 0;
}

void reactor_make_ready(struct reactor *reactor, struct connection *connection) {
    if (connection->is_ready)
        return;
    connection->is_ready = true;
    connection->next_ready = NO_SLOT;
    if (reactor->last_ready == NO_SLOT)
        reactor->first_ready = connection->slot;
    else
        reactor->connections[reactor->last_ready].next_ready = connection->slot;
    reactor->last_ready = connection->slot;
}

void reactor_empty_scratch(struct reactor *reactor) {
    if (reactor->scratch.capacity > KEPT_SCRATCH_BYTES)
        buffer_release(&reactor->scratch);
    reactor->scratch.length = 0;
    reactor->scratch.full = false;
}

void reactor_give_back(struct reactor *reactor, struct connection *connection) {
    connection->wait.next = reactor->free_slots;
    reactor->free_slots = connection->slot;
    reactor->open_count--;
}

static struct connection *take_slot(struct reactor *reactor) {
    struct connection *connection;
    if (reactor->free_slots != NO_SLOT) {
        connection = &reactor->connections[reactor->free_slots];
        reactor->free_slots = connection->wait.next;
    } else if (reactor->slots_touched < reactor->settings.max_connections) {
        uint32_t slot = reactor->slots_touched++;
        connection = &reactor->connections[slot];
        connection->reactor = reactor;
        connection->slot = slot;
    } else {
        return NULL;
    }
    reactor->open_count++;
    return connection;
}

static bool has_been_idle(const struct reactor *reactor, const struct connection *connection) {
    int64_t since_us = connection->wait.until_us - reactor->waits.lists[WAIT_IDLE].length_us;
    return connection->wait.kind == WAIT_IDLE && since_us + LIMIT_KEPT_IDLE_MS * 1000 <= reactor->now_us;
}

/* At the limit who has been idle longest gives way to who comes, but not before the time that a connection is promised:
 * a crowd that only sits there takes nobody's place. Its request may be in the socket already; then that is answered,
 * and the next one is looked at. */
static bool close_an_idle_one(struct reactor *reactor) {
    for (;;) {
        uint32_t slot = reactor->waits.lists[WAIT_IDLE].first;
        if (slot == WAIT_END || !has_been_idle(reactor, &reactor->connections[slot]))
            return false;
        struct connection *connection = &reactor->connections[slot];
        uint32_t generation = connection->generation;
        connection->may_be_readable = true;
        connection_turn(connection);
        if (connection->generation == generation && has_been_idle(reactor, connection))
            connection_close(connection);
        if (connection->generation != generation)
            return true;
    }
}

static void add_connection(struct reactor *reactor, unsigned listener, int fd, const struct sockaddr_storage *peer) {
    struct connection *connection = take_slot(reactor);
    if (!connection && close_an_idle_one(reactor))
        connection = take_slot(reactor);
    if (!connection) {
        metric_add(METRIC_CONNECTIONS_REFUSED, 1);
        close(fd);
        return;
    }
    connection_open(connection, fd, (uint8_t)listener, peer);
    uint64_t token = token_of(connection->slot, connection->generation);
    if (!watch(reactor, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, token))
        connection_close(connection);
}

/* Out of descriptors or memory: the listener rests for a moment instead of waking us all the time. Those who connect
 * wait in the kernel meanwhile. */
static void pause_listener(struct reactor *reactor, struct listener *listener, int why) {
    (void)epoll_ctl(reactor->epoll, EPOLL_CTL_DEL, listener->fd, NULL);
    listener->is_paused = true;
    reactor->accept_again_us = reactor->now_us + ACCEPT_PAUSE_US;
    if (!reactor->is_out_of_descriptors)
        log_warn("cannot accept connections for now", LOG_STRING("reason", strerrorname_np(why)));
    reactor->is_out_of_descriptors = true;
}

static void accept_some(struct reactor *reactor, unsigned index) {
    struct listener *listener = &reactor->listeners[index];
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage peer;
        socklen_t length = sizeof peer;
        int fd = accept4(listener->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            reactor->is_out_of_descriptors = false;
            add_connection(reactor, index, fd, &peer);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_listener(reactor, listener, errno);
            return;
        }
        /* Anything else is the fault of that one connection (accept(2), "Error handling"). */
    }
}

static void resume_listeners(struct reactor *reactor) {
    reactor->accept_again_us = INT64_MAX;
    for (unsigned i = 0; i < reactor->listener_count; i++) {
        struct listener *listener = &reactor->listeners[i];
        if (!listener->is_paused || listener->fd < 0)
            continue;
        if (watch(reactor, listener->fd, EPOLLIN, token_of(FIRST_LISTENER + i, 0)))
            listener->is_paused = false;
        else
            reactor->accept_again_us = reactor->now_us + ACCEPT_PAUSE_US;
    }
}

/* RFC 9110 5.6.7, made once a second. */
static void set_date(struct reactor *reactor) {
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t now_ms = clock_now_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm t;
    struct tm *converted = gmtime_r(&seconds, &t);
    assert(converted);
    char line[96];
    int length = snprintf(line, sizeof line, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[t.tm_wday],
                          t.tm_mday, months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    assert(length == DATE_LINE_BYTES);
    memcpy(reactor->date_line, line, DATE_LINE_BYTES);
    reactor->date_until_us = reactor->now_us + (1000 - now_ms % 1000) * 1000;
}

static void dispatch(struct reactor *reactor, const struct epoll_event *event) {
    uint32_t slot = (uint32_t)event->data.u64;
    if (slot == BELL) {
        (void)mailbox_open_all(&reactor->mailbox, reactor);
        return;
    }
    if (slot >= FIRST_LISTENER) {
        unsigned index = slot - FIRST_LISTENER;
        if (!reactor->listeners[index].is_paused)
            accept_some(reactor, index);
        return;
    }
    struct connection *connection = &reactor->connections[slot];
    /* An event of a connection that was closed earlier in this batch has an old generation. */
    if (connection->generation == (uint32_t)(event->data.u64 >> 32) && connection->state != CONNECTION_FREE)
        connection_event(connection, event->events);
}

static void run_ready(struct reactor *reactor) {
    uint32_t slot = reactor->first_ready;
    reactor->first_ready = reactor->last_ready = NO_SLOT;
    while (slot != NO_SLOT) {
        struct connection *connection = &reactor->connections[slot];
        slot = connection->next_ready;
        connection->is_ready = false;
        /* Its slot may have been given up, or to another, since: a turn too many does nothing. */
        if (connection->state != CONNECTION_FREE)
            connection_turn(connection);
    }
}

/* Snapshots that slow readers keep alive: over the limit, who has been at the same one for longest is cut off. */
static void relieve_memory(struct reactor *reactor) {
    while (blob_live_bytes() > LIMIT_BLOB_BYTES) {
        uint32_t slot = waits_longest(&reactor->waits, WAIT_WRITE, LIMIT_STALL_MS * 1000LL, reactor->now_us);
        if (slot == WAIT_END)
            return;
        connection_timed_out(&reactor->connections[slot]);
    }
}

static void end_waits(struct reactor *reactor) {
    relieve_memory(reactor);
    for (int i = 0; i < ENDS_A_TURN; i++) {
        uint32_t slot = waits_due(&reactor->waits, reactor->now_us);
        if (slot == WAIT_END)
            return;
        connection_timed_out(&reactor->connections[slot]);
    }
}

static int timeout_ms(const struct reactor *reactor) {
    if (reactor->first_ready != NO_SLOT || reactor->first_push)
        return 0;
    int64_t next = waits_next_us(&reactor->waits);
    if (reactor->accept_again_us < next)
        next = reactor->accept_again_us;
    if (reactor->stop_at_us < next)
        next = reactor->stop_at_us;
    if (next == INT64_MAX)
        return -1;
    int64_t us = next - reactor->now_us;
    return us <= 0 ? 0 : us > 3600000000 ? 3600000 : (int)((us + 999) / 1000);
}

static void begin_to_stop(struct reactor *reactor, int drain_ms) {
    reactor->is_stopping = true;
    reactor->stop_at_us = reactor->now_us + (int64_t)drain_ms * 1000;
    for (unsigned i = 0; i < reactor->listener_count; i++) {
        /* Who is in the backlog was told that the connection stands. */
        accept_some(reactor, i);
        close(reactor->listeners[i].fd);
        reactor->listeners[i].fd = -1;
        reactor->listeners[i].is_paused = true;
    }
    reactor->accept_again_us = INT64_MAX;
    for (uint32_t slot = 0; slot < reactor->slots_touched; slot++)
        if (reactor->connections[slot].state != CONNECTION_FREE)
            connection_stop(&reactor->connections[slot]);
}

static void step(struct reactor *reactor) {
    struct epoll_event events[EVENTS_A_WAIT];
    int count = epoll_wait(reactor->epoll, events, EVENTS_A_WAIT, timeout_ms(reactor));
    assert(count >= 0 || errno == EINTR);
    reactor->now_us = clock_monotonic_us();
    if (reactor->now_us >= reactor->date_until_us)
        set_date(reactor);
    for (int i = 0; i < count; i++)
        dispatch(reactor, &events[i]);
    run_ready(reactor);
    channels_push(reactor);
    end_waits(reactor);
    if (reactor->now_us >= reactor->accept_again_us)
        resume_listeners(reactor);
    if (reactor->requests_not_counted) {
        metric_add(METRIC_HTTP_REQUESTS, (int64_t)reactor->requests_not_counted);
        reactor->requests_not_counted = 0;
    }
}

void reactor_run(struct reactor *reactor) {
    reactor->now_us = clock_monotonic_us();
    set_date(reactor);
    resume_listeners(reactor);
    while (!reactor->is_stopping || (reactor->open_count > 0 && reactor->now_us < reactor->stop_at_us)) {
        step(reactor);
        int drain_ms = atomic_load_explicit(&reactor->stop_drain_ms, memory_order_acquire);
        if (drain_ms >= 0 && !reactor->is_stopping)
            begin_to_stop(reactor, drain_ms);
    }
    for (uint32_t slot = 0; slot < reactor->slots_touched; slot++)
        if (reactor->connections[slot].state != CONNECTION_FREE)
            connection_close(&reactor->connections[slot]);
    (void)mailbox_open_all(&reactor->mailbox, reactor);
    channels_push(reactor); /* to nobody: frames under way are dropped */
}

void reactor_stop(struct reactor *reactor, int drain_ms) {
    assert(drain_ms >= 0);
    atomic_store_explicit(&reactor->stop_drain_ms, drain_ms, memory_order_release);
    ring(reactor);
}

void reactor_send(struct reactor *reactor, struct envelope *envelope) {
    mailbox_send(&reactor->mailbox, envelope);
}

size_t reactor_connection_bytes(void) {
    return sizeof(struct connection);
}
