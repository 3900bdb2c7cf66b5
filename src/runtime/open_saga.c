/* One saga, driven: it opens, does what saga_step() says, sleeps, ends. saga_holds.c has its hold, saga_writes.c what
 * it writes, saga_answers.c who waits for it. */
#include "runtime/open_saga.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "base/random.h"

#include <sodium.h>
#include <stdlib.h>

#define RETRIES_PER_SECOND 200

void open_saga_happen(struct open_saga *open, enum saga_event event) {
    open_saga_act(open, saga_step(&open->saga, event, open->cashier->now_ms, random_u64()));
}

/* ---- opening and closing ---- */

struct open_saga *open_saga_new(struct cashier *cashier, struct sale *sale, const struct id *reservation) {
    if (id_map_find(&cashier->by_reservation, reservation))
        return NULL;
    struct open_saga *open = cashier->free;
    if (open)
        cashier->free = open->next_free;
    else if (!(open = malloc(sizeof *open)))
        return NULL;
    memset(open, 0, sizeof *open);
    open->cashier = cashier;
    open->sale = sale;
    open->store_deadline_ms = INT64_MAX;
    buffer_init(&open->kept_body, 16 * 1024);
    pthread_mutex_lock(&cashier->drives_lock);
    bool added = id_map_add(&cashier->by_reservation, reservation, open);
    pthread_mutex_unlock(&cashier->drives_lock);
    if (!added) {
        open->next_free = cashier->free;
        cashier->free = open;
        return NULL;
    }
    metric_set(METRIC_SAGAS_OPEN, atomic_fetch_add(&cashier->open, 1) + 1);
    return open;
}

void open_saga_end(struct open_saga *open) {
    struct cashier *cashier = open->cashier;
    assert(!open->waiters && !open->refund && !open->looks);
    deadlines_set(&cashier->timers, &open->timer, INT64_MAX);
    struct id reservation = open->saga.booking.reservation;
    pthread_mutex_lock(&cashier->drives_lock);
    id_map_remove(&cashier->by_reservation, &reservation);
    pthread_mutex_unlock(&cashier->drives_lock);
    sodium_memzero(open->token, sizeof open->token);
    buffer_release(&open->kept_body);
    open->next_free = cashier->free;
    cashier->free = open;
    metric_set(METRIC_SAGAS_OPEN, atomic_fetch_sub(&cashier->open, 1) - 1);
    cashier_go_on_refunding(cashier, &reservation);
}

void open_saga_sleep(struct open_saga *open, int64_t at_ms) {
    int64_t next = open->store_deadline_ms < at_ms ? open->store_deadline_ms : at_ms;
    deadlines_set(&open->cashier->timers, &open->timer, next);
}

/* ---- the gateway ---- */

/* "create" … is the moment before the call, these are those after its answer. */
static const char *const answered_points[] = {
    [PAYMENT_CREATE] = "created",   [PAYMENT_CONFIRM] = "confirmed", [PAYMENT_CAPTURE] = "captured",
    [PAYMENT_CANCEL] = "cancelled", [PAYMENT_REFUND] = "refunded",   [PAYMENT_RETRIEVE] = "retrieved",
};

/* A refusal is an answer too: the gateway is there. */
static void tell_breaker(struct cashier *cashier, const struct payment_call *call) {
    struct breaker *breaker = &cashier->breaker;
    enum breaker_state before = breaker->state;
    if (call->http_status != 0 && call->http_status < 500)
        breaker_answered(breaker);
    else
        breaker_failed(breaker, cashier->now_ms, random_u64());
    metric_set(METRIC_GATEWAY_LEFT_ALONE, breaker->state != BREAKER_CLOSED);
    if (before == BREAKER_CLOSED && breaker->state == BREAKER_OPEN)
        log_error(
            "the payment gateway answers nothing: it is left alone for a while, and confirms are refused meanwhile",
            LOG_INT("milliseconds", breaker_wait_ms(breaker, cashier->now_ms)));
    else if (before != BREAKER_CLOSED && breaker->state == BREAKER_CLOSED)
        log_info("the payment gateway answers again");
}

static void gateway_answered(struct payment_call *call) {
    struct open_saga *open = call->context;
    struct saga *saga = &open->saga;
    open->cashier->now_ms = clock_now_ms();
    crash_point(answered_points[call->operation]);
    tell_breaker(open->cashier, call);
    open->is_probe = false;
    if (call->operation != PAYMENT_RETRIEVE)
        saga->answer_read = call->outcome != PAYMENT_DONE && call->http_status != 0;
    if (call->outcome == PAYMENT_DONE && call->operation == PAYMENT_CREATE)
        memcpy(saga->booking.intent_id, call->result_id, sizeof saga->booking.intent_id);
    if (call->outcome == PAYMENT_DONE && call->operation == PAYMENT_RETRIEVE)
        saga->already_refunded = call->amount_refunded;
    if ((call->outcome == PAYMENT_DECLINED || call->outcome == PAYMENT_REFUSED) && saga->booking.reason[0] == '\0' &&
        !open->is_sold)
        memcpy(saga->booking.reason, call->code, sizeof saga->booking.reason);
    open_saga_happen(open, saga_event_of(call));
}

static void call_gateway(struct open_saga *open, enum saga_action action) {
    struct payments *payments = open->cashier->with.payments;
    struct breaker *breaker = &open->cashier->breaker;
    if (!breaker_allows(breaker, open->cashier->now_ms)) {
        open_saga_happen(open, SAGA_NOT_SENT);
        return;
    }
    open->is_probe = breaker->state == BREAKER_HALF_OPEN;
    memset(&open->call, 0, sizeof open->call);
    saga_fill_call(&open->saga, action, &open->call);
    if (action == SAGA_DO_CONFIRM)
        memcpy(open->call.token, open->token, sizeof open->call.token);
    open->call.context = open;
    open->call.done = gateway_answered;
    crash_point(payment_operation_name(open->call.operation));
    payments->submit(payments->engine, &open->call);
}

/* When the wait is over. Where so many wait that they would ask the gateway more often than RETRIES_PER_SECOND
 * together, each waits longer, but for those whose fan is there: a gateway in trouble costs everybody else a few
 * hundredths of a core, and is not pushed further down (bench: open_sagas). */
static int64_t retry_at(const struct open_saga *open) {
    const struct cashier *cashier = open->cashier;
    int64_t spread_ms = (int64_t)atomic_load(&cashier->open) * 1000 / RETRIES_PER_SECOND;
    int64_t earliest_ms = cashier->now_ms + spread_ms / 2 + (int64_t)(random_u64() % (uint64_t)(spread_ms + 1));
    return open->waiters || open->saga.retry_ms > earliest_ms ? open->saga.retry_ms : earliest_ms;
}

void open_saga_act(struct open_saga *open, enum saga_action action) {
    if (action != SAGA_DO_NOTHING)
        open->waiting = false;
    switch (action) {
    case SAGA_DO_NOTHING:
        break;
    case SAGA_DO_CREATE:
    case SAGA_DO_CONFIRM:
    case SAGA_DO_RETRIEVE:
    case SAGA_DO_CAPTURE:
    case SAGA_DO_CANCEL:
    case SAGA_DO_REFUND:
        open_saga_sleep(open, INT64_MAX);
        call_gateway(open, action);
        break;
    case SAGA_DO_WRITE:
        open_saga_write_step(open);
        break;
    case SAGA_DO_SELL:
        open_saga_write_sale(open);
        break;
    case SAGA_DO_UNSELL:
        open_saga_write_capture_refused(open);
        break;
    case SAGA_DO_TAKE_SEATS:
        open_saga_take_seats_again(open);
        break;
    case SAGA_DO_WAIT:
        open->waiting = true;
        open_saga_sleep(open, retry_at(open));
        if (open->looks && !open->is_look) {
            /* It is in the ledger as unfinished: what the hint is about will be asked for, whatever happens to us. */
            open_saga_answer_looks(open, RESULT_OK);
            open_saga_happen(open, SAGA_HINT);
        }
        break;
    case SAGA_DO_END:
        /* Where a human has to look, nobody knows yet what to tell who still waits. */
        while (open->waiters)
            confirm_answer_pending(open->waiters);
        if (open->is_look)
            open_saga_answer_looks(open, open->saga.looked_in_vain ? RESULT_GATEWAY_UNAVAILABLE : RESULT_OK);
        if (open->looks) {
            open_saga_look_again(open);
            break;
        }
        open_saga_end(open);
        break;
    }
}

/* The hold's time is over. A call that is still queued behind others, the gateway being slow, would keep its seats for
 * as long as the queue is: it is taken back, and was not sent. */
static void deadline_has_come(struct open_saga *open) {
    struct payments *payments = open->cashier->with.payments;
    open->store_deadline_ms = INT64_MAX;
    open_saga_happen(open, SAGA_DEADLINE);
    if (!payments->withdraw(payments->engine, &open->call))
        return;
    if (open->is_probe)
        breaker_withdrawn(&open->cashier->breaker);
    open->is_probe = false;
    open_saga_happen(open, SAGA_NOT_SENT);
}

void open_saga_fire(struct open_saga *open) {
    bool waiting = open->waiting;
    if (open->cashier->now_ms >= open->store_deadline_ms)
        deadline_has_come(open);
    if (open->resumed) {
        open->resumed = false;
        open_saga_happen(open, SAGA_STARTED);
    } else if (open->put_off)
        open_saga_submit(open);
    else if (waiting)
        open_saga_happen(open, SAGA_TIMER);
}
