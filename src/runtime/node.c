#include "runtime/node.h"
#include "api/address_limits.h"
#include "api/mirror.h"
#include "api/room.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/panic.h"
#include "runtime/clerk.h"
#include "runtime/follower.h"
#include "runtime/usher.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define PASSES_KNOWN 65536 /* whose signatures need not be checked again */

/* Keys that were changed for others: a thread may still be reading them, so they stay till the end. */
struct old_keys {
    struct old_keys *next;
    const struct keyring *keys;
};

struct node {
    /* set once */
    struct node_settings with;
    char address[80], admin_address[80];
    struct api api;
    struct sale_list sales;
    struct reactor *reactors[LIMIT_REACTORS + 1]; /* the last one is the operator's */
    pthread_t threads[LIMIT_REACTORS + 1];
    unsigned reactor_count;
    struct clerk *clerks[CLERK_KIND_COUNT];
    struct cashier *cashier;
    struct courier *courier;
    struct ticker *ticker;
    struct usher *usher;
    struct follower *follower; /* NULL unless there is an upstream */
    struct api_mirror mirror;
    struct old_keys *old_keys;
    struct clerk_job reconcile; /* the clerk's while `reconcile_out` */
    atomic_bool reconcile_out;
    atomic_bool ready;
};

/* ---- what the API asks of the runtime ---- */

static bool service_confirm(void *runtime, struct confirm_call *call) {
    struct node *node = runtime;
    return cashier_confirm(node->cashier, call);
}

static bool service_refund(void *runtime, struct refund_call *call) {
    struct node *node = runtime;
    return cashier_refund(node->cashier, call);
}

static bool service_look(void *runtime, struct look_call *call) {
    struct node *node = runtime;
    return cashier_look(node->cashier, call);
}

static void service_clerk(void *runtime, struct clerk_job *job, enum clerk_kind kind) {
    struct node *node = runtime;
    clerk_run(node->clerks[kind], job);
}

static void service_wake_ticker(void *runtime) {
    struct node *node = runtime;
    ticker_wake(node->ticker);
}

static void service_wake_usher(void *runtime) {
    struct node *node = runtime;
    usher_wake(node->usher);
}

static bool service_is_ready(void *runtime) {
    struct node *node = runtime;
    return atomic_load_explicit(&node->ready, memory_order_acquire) &&
           (!node->follower || follower_is_ready(node->follower));
}

static bool service_is_current(void *runtime) {
    struct node *node = runtime;
    return !node->follower || follower_is_current(node->follower);
}

static enum result service_know_show(void *runtime, struct sale *sale) {
    struct node *node = runtime;
    const struct node_holds *holds = &node->with.holds;
    return holds->recover(holds->store, sale->show, clock_now_ms());
}

static enum result service_find_recent_answer(void *runtime, const struct id *key, struct kept_answer *answer,
                                              struct buffer *storage) {
    struct node *node = runtime;
    const struct node_holds *holds = &node->with.holds;
    return holds->find_answer(holds->store, key, answer, storage);
}

static enum result service_new_channel(void *runtime, const struct channel_service *service, struct channel **channel) {
    struct node *node = runtime;
    return channel_new(node->reactors, node->with.reactors, service, channel);
}

/* ---- what the ticker asks ---- */

static void look_through_ledger(struct clerk_job *job, struct ledger_reader *reader) {
    struct node *node = CONTAINER_OF(job, struct node, reconcile);
    cashier_reconcile(node->cashier, reader);
    atomic_store(&node->reconcile_out, false);
}

/* One look at a time: where the ledger has very much that is unfinished, a look takes longer than its turn. */
static void reconcile(void *runtime) {
    struct node *node = runtime;
    if (atomic_exchange(&node->reconcile_out, true))
        return;
    node->reconcile.run = look_through_ledger;
    clerk_run(node->clerks[CLERK_OPERATORS], &node->reconcile);
}

/* ---- starting ---- */

static void *run_reactor(void *context) {
    reactor_run(context);
    return NULL;
}

static enum result open_listener(const char *address, char *taken, size_t size, int *fd, char *fault,
                                 size_t fault_size) {
    uint16_t port;
    enum result result = listener_open(address, fd, &port);
    if (result == RESULT_OK) {
        char with_port[80]; /* `address` may be `taken` itself */
        snprintf(with_port, sizeof with_port, "%.*s:%u", (int)(strrchr(address, ':') - address), address, port);
        snprintf(taken, size, "%s", with_port);
    } else if (result == RESULT_INVALID_FIELD) {
        snprintf(fault, fault_size, "'%s' is not an address to listen on: write 127.0.0.1:8080 or [::1]:8080", address);
    } else if (result == RESULT_IN_USE) {
        snprintf(fault, fault_size, "cannot listen on %s: another program does; stop it, or give another port",
                 address); /* it came between our look and now */
    } else {
        snprintf(fault, fault_size, "cannot listen on %s: %m", address);
    }
    return result;
}

static enum result add_reactor(struct node *node, const char *address, char *taken, size_t size,
                               const struct http_service *service, uint32_t max_connections, char *fault,
                               size_t fault_size) {
    struct reactor_settings settings = {.waits = node->with.waits, .max_connections = max_connections};
    int fd;
    enum result result = open_listener(address, taken, size, &fd, fault, fault_size);
    if (result != RESULT_OK)
        return result;
    result = reactor_new(&settings, &node->reactors[node->reactor_count]);
    if (result != RESULT_OK) {
        snprintf(fault, fault_size, "cannot start a reactor: %s", result_words(result));
        return result;
    }
    reactor_listen(node->reactors[node->reactor_count++], fd, service);
    return RESULT_OK;
}

/* The reactors of this node share an address, and nobody else is to: neither another server nor the other listener. */
static enum result check_free(const char *address, char *fault, size_t fault_size) {
    if (!listener_is_taken(address))
        return RESULT_OK;
    snprintf(fault, fault_size,
             "cannot listen on %s: it is in use already; stop what listens there, or give another port", address);
    return RESULT_IN_USE;
}

static enum result open_reactors(struct node *node, char *fault, size_t fault_size) {
    struct http_service fans = api_fan_service(&node->api), operators = api_operator_service(&node->api);
    uint32_t each = node->with.max_connections / node->with.reactors;
    const char *address = node->with.listen;
    enum result result = check_free(address, fault, fault_size);
    for (unsigned i = 0; i < node->with.reactors && result == RESULT_OK; i++) {
        result =
            add_reactor(node, address, node->address, sizeof node->address, &fans, each ? each : 1, fault, fault_size);
        address = node->address; /* the port that the first one picked */
    }
    if (result == RESULT_OK)
        result = check_free(node->with.admin_listen, fault, fault_size);
    if (result == RESULT_OK)
        result = add_reactor(node, node->with.admin_listen, node->admin_address, sizeof node->admin_address, &operators,
                             256, fault, fault_size);
    return result;
}

static enum result start_sellers(struct node *node) {
    struct cashier_settings cashier = {node->with.ledger, node->with.holds.store, node->with.payments, &node->sales};
    enum result result = cashier_new(&cashier, &node->cashier);
    if (result == RESULT_OK && node->with.courier)
        result = courier_start(node->with.courier, &node->courier);
    for (int kind = 0; kind < CLERK_KIND_COUNT && result == RESULT_OK; kind++)
        result = clerk_start(node->with.ledger, &node->clerks[kind]);
    return result;
}

static enum result start_threads(struct node *node, char *fault, size_t fault_size) {
    enum result result = node->with.upstream ? RESULT_OK : start_sellers(node);
    for (unsigned i = 0; i < node->reactor_count && result == RESULT_OK; i++) {
        if (pthread_create(&node->threads[i], NULL, run_reactor, node->reactors[i]))
            result = RESULT_OVERLOADED;
        else
            pthread_setname_np(node->threads[i], i + 1 == node->reactor_count ? "operator" : "reactor");
    }
    if (result != RESULT_OK)
        snprintf(fault, fault_size, "cannot start the threads: %s", result_words(result));
    return result;
}

enum result node_start(const struct node_settings *settings, struct node **node, char *fault, size_t fault_size) {
    struct node *made = calloc(1, sizeof *made);
    if (!made)
        return RESULT_OVERLOADED;
    made->with = *settings;
    sale_list_init(&made->sales);
    made->api = (struct api){
        .sales = &made->sales,
        .holds = settings->holds.store,
        .ledger = settings->ledger,
        .admin_token_hash = settings->admin_token_hash,
        .webhook_secrets = settings->webhook_secrets,
        .services = {made, service_confirm, service_refund, service_look, service_clerk, service_wake_ticker,
                     service_wake_usher, service_is_ready, service_is_current, service_know_show,
                     service_find_recent_answer, service_new_channel},
        .roles = settings->roles,
        .keys = settings->keys,
        .queue_logs = settings->queue_logs,
        .limits = settings->limits,
        .proxies = settings->proxies,
    };
    mirrored_init(&made->mirror.shows);
    mirrored_init(&made->mirror.keys);
    if (settings->upstream)
        made->api.mirror = &made->mirror;
    enum result result = api_init(&made->api);
    if (result == RESULT_OK)
        result = pass_cache_new(PASSES_KNOWN, &made->api.passes);
    if (result == RESULT_OK)
        result = open_reactors(made, fault, fault_size);
    if (result == RESULT_OK)
        result = start_threads(made, fault, fault_size);
    *node = made; /* a node that did not start is ended with the process */
    return result;
}

/* ---- reading everything back ---- */

struct recovery {
    struct node *node;
    struct ledger_reader *reader;
    struct sale *sale;
    char *fault;
    size_t fault_size;
    enum result result;
    uint64_t seats_unknown;
    unsigned sagas;
};

static bool load_seat(void *context, struct bytes seat_id, enum seat_status status, uint64_t version,
                      struct bytes owner) {
    struct recovery *recovery = context;
    uint32_t seat = plan_find_seat(recovery->sale->plan, seat_id);
    if (seat == PLAN_NO_SEAT || owner.length > LIMIT_USER_ID_BYTES) {
        recovery->seats_unknown++;
        return true;
    }
    struct user_id user = {.length = (uint8_t)owner.length};
    if (owner.length)
        memcpy(user.text, owner.at, owner.length);
    show_load_seat(recovery->sale->show, seat, status, version, &user);
    return true;
}

static enum result read_sale(const struct show_record *record, uint32_t epoch, struct sale **sale,
                             struct sale_fault *fault) {
    json_t *plan_document = NULL, *settings_document = NULL;
    struct plan *plan = NULL;
    enum result result = json_parse(record->plan_json, &plan_document, fault->detail, sizeof fault->detail);
    if (result == RESULT_OK)
        result =
            plan_read(plan_document, &plan, fault->pointer, sizeof fault->pointer, fault->detail, sizeof fault->detail);
    json_decref(plan_document);
    if (result == RESULT_OK)
        result = json_parse(record->settings_json, &settings_document, fault->detail, sizeof fault->detail);
    struct sale_terms terms;
    sale_default_terms(&terms);
    terms.start_ms = record->start_ms;
    snprintf(terms.event_name, sizeof terms.event_name, "%.*s", (int)record->event_name.length, record->event_name.at);
    if (result == RESULT_OK)
        result = sale_read_terms(settings_document, plan, &terms, fault);
    if (result == RESULT_OK)
        sale_read_image(settings_document, &terms);
    json_decref(settings_document);
    if (result != RESULT_OK) {
        plan_free(plan);
        return result;
    }
    result = sale_new(&record->show_id, plan, &terms, epoch, record->created_ms, sale);
    if (result == RESULT_OK)
        (*sale)->updated_ms = record->updated_ms;
    return result;
}

static bool recover_show(void *context, const struct show_record *record) {
    struct recovery *recovery = context;
    struct node *node = recovery->node;
    struct ledger *ledger = node->with.ledger;
    struct sale_fault fault = {0};
    recovery->result = read_sale(record, ledger->epoch, &recovery->sale, &fault);
    if (recovery->result != RESULT_OK) {
        snprintf(recovery->fault, recovery->fault_size, "the show '%.*s' in the ledger cannot be read: %s %s",
                 (int)record->event_name.length, record->event_name.at, fault.pointer, fault.detail);
        return false;
    }
    struct show *show = recovery->sale->show;
    show_lock(show);
    recovery->result = ledger->read_seats(recovery->reader, &record->show_id, load_seat, recovery);
    show_unlock(show);
    if (recovery->result == RESULT_OK)
        recovery->result = node->with.holds.recover(node->with.holds.store, show, clock_now_ms());
    if (recovery->result == RESULT_OK)
        recovery->result = sale_list_add(&node->sales, recovery->sale);
    if (recovery->result != RESULT_OK)
        snprintf(recovery->fault, recovery->fault_size, "the seats of '%.*s' cannot be read: %s",
                 (int)record->event_name.length, record->event_name.at, result_words(recovery->result));
    return recovery->result == RESULT_OK;
}

/* A waiting room that may have begun is read back at once, so that its first fan does not wait. One that cannot be read
 * costs its own show only: the log says why, and it is tried again. */
static void recover_rooms(struct node *node, struct ledger_reader *reader) {
    unsigned count = atomic_load(&node->sales.count);
    for (unsigned i = 0; i < count; i++) {
        struct sale *sale = node->sales.sales[i];
        room_recall(&node->api, sale);
        if (room_is_wanted(sale, clock_now_ms()))
            room_open(&node->api, sale, reader);
    }
}

static bool recover_saga(void *context, const struct booking *booking) {
    struct recovery *recovery = context;
    enum result result = cashier_adopt(recovery->node->cashier, booking, clock_now_ms());
    recovery->sagas++;
    if (result != RESULT_OK)
        log_error("an unfinished booking cannot be taken up", LOG_STRING("result", result_name(result)));
    return true;
}

static void say_unreadable(enum result result, char *fault, size_t fault_size) {
    snprintf(fault, fault_size,
             "the ledger cannot be read: %s; keep a copy of the data folder, run `onsale verify` on it, and put the "
             "ledger back from a backup",
             result_words(result));
}

/* Instead of reading anything back. */
static enum result start_following(struct node *node, char *fault, size_t fault_size) {
    struct ticker_settings ticker = {
        .api = &node->api, .live_share = node->with.live_share, .reactors = node->with.reactors};
    enum result result = ticker_start(&ticker, &node->ticker);
    if (result == RESULT_OK)
        result = follower_start(&node->api, node->with.upstream, &node->follower);
    if (result != RESULT_OK) {
        snprintf(fault, fault_size, "cannot start the threads: %s", result_words(result));
        return result;
    }
    atomic_store_explicit(&node->ready, true, memory_order_release); /* once the follower is */
    return RESULT_OK;
}

enum result node_recover(struct node *node, char *fault, size_t fault_size) {
    if (node->with.upstream)
        return start_following(node, fault, fault_size);
    struct ledger *ledger = node->with.ledger;
    int64_t began_us = clock_monotonic_us();
    struct recovery recovery = {.node = node, .fault = fault, .fault_size = fault_size};
    enum result result = ledger->reader_new(ledger->engine, &recovery.reader);
    if (result != RESULT_OK) {
        say_unreadable(result, fault, fault_size);
        return result;
    }
    result = ledger->read_shows(recovery.reader, recover_show, &recovery);
    if (result == RESULT_OK && recovery.result == RESULT_OK)
        result = ledger->read_unfinished(recovery.reader, recover_saga, &recovery);
    if (result != RESULT_OK)
        say_unreadable(result, fault, fault_size);
    else
        result = recovery.result; /* recover_show() said why */
    if (result == RESULT_OK)
        recover_rooms(node, recovery.reader);
    ledger->reader_free(recovery.reader);
    if (result != RESULT_OK)
        return result;
    node->with.holds.end_recovery(node->with.holds.store);
    malloc_trim(0);

    struct ticker_settings ticker = {&node->api,
                                     node->with.holds.pending_answers,
                                     node->with.holds.answers_kept,
                                     reconcile,
                                     node->with.live_share,
                                     node->with.reactors};
    result = cashier_start(node->cashier);
    if (result == RESULT_OK)
        result = ticker_start(&ticker, &node->ticker);
    if (result == RESULT_OK)
        result = usher_start(&node->api, &node->usher);
    if (result != RESULT_OK) {
        snprintf(fault, fault_size, "cannot start the threads: %s", result_words(result));
        return result;
    }
    if (recovery.seats_unknown)
        log_error("the ledger has seats that their show's plan does not", LOG_INT("seats", recovery.seats_unknown));
    log_info("recovered", LOG_INT("shows", atomic_load(&node->sales.count)),
             LOG_INT("unfinished_bookings", recovery.sagas),
             LOG_INT("milliseconds", (clock_monotonic_us() - began_us) / 1000));
    atomic_store_explicit(&node->ready, true, memory_order_release);
    return RESULT_OK;
}

const char *node_address(const struct node *node) {
    return node->address;
}

const char *node_admin_address(const struct node *node) {
    return node->admin_address;
}

struct api *node_api(struct node *node) {
    return &node->api;
}

struct sale *node_first_sale(struct node *node) {
    struct sale *largest = NULL;
    unsigned count = atomic_load(&node->sales.count);
    for (unsigned i = 0; i < count; i++)
        if (!largest || node->sales.sales[i]->plan->seat_count > largest->plan->seat_count)
            largest = node->sales.sales[i];
    return largest;
}

void node_change_keys(struct node *node, const struct keyring *keys) {
    struct old_keys *old = malloc(sizeof *old);
    assert(old); /* two pointers, while nothing is wrong */
    *old = (struct old_keys){node->old_keys, atomic_exchange(&node->api.keys, keys)};
    node->old_keys = old;
    pass_cache_clear(node->api.passes);
}

/* ---- stopping ---- */

/* The ledger's thread hands a show that it has written to a clerk: so that is done before the clerks go. */
static void await_new_shows(struct node *node) {
    const struct timespec moment = {0, 1000000};
    while (atomic_load(&node->api.shows_being_made))
        nanosleep(&moment, NULL);
}

static void free_keys(const struct keyring *keys) {
    if (!keys)
        return;
    keyring_wipe((struct keyring *)keys);
    free((struct keyring *)keys);
}

void node_stop(struct node *node) {
    for (unsigned i = 0; i < node->reactor_count; i++)
        reactor_stop(node->reactors[i], node->with.drain_ms);
    for (unsigned i = 0; i < node->reactor_count; i++)
        pthread_join(node->threads[i], NULL);
    atomic_store(&node->api.stopped, true);
    follower_stop(node->follower);
    usher_stop(node->usher);
    ticker_stop(node->ticker);
    await_new_shows(node);
    unsigned count = atomic_load(&node->sales.count);
    for (unsigned i = 0; i < count; i++)
        feed_give_up(node->sales.sales[i]->feed);
    cashier_stop(node->cashier); /* which has the clerks read again what waited for a payment */
    for (int kind = 0; kind < CLERK_KIND_COUNT; kind++)
        clerk_stop(node->clerks[kind]);
    courier_stop(node->courier);
    if (node->with.ledger) {
        node->with.ledger->close(node->with.ledger->engine);
        node->with.holds.close(node->with.holds.store);
    }
    ticker_free(node->ticker);
    cashier_free(node->cashier);
    courier_free(node->courier);
    for (unsigned i = 0; i < node->reactor_count; i++)
        reactor_free(node->reactors[i]);
    for (unsigned i = 0; i < count; i++)
        sale_free(node->sales.sales[i]);
    follower_free(node->follower);
    mirrored_release(&node->mirror.shows);
    mirrored_release(&node->mirror.keys);
    api_release(&node->api);
    pass_cache_free(node->api.passes);
    address_limits_free(node->api.limits);
    free_keys(atomic_load(&node->api.keys));
    while (node->old_keys) {
        struct old_keys *old = node->old_keys;
        node->old_keys = old->next;
        free_keys(old->keys);
        free(old);
    }
    free(node);
}
