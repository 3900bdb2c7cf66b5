#include "runtime/open_saga.h"
#include "api/room.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "base/random.h"
#include "net/reactor.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define LEDGER_RETRY_MS 100

void open_saga_happen(struct open_saga *open, enum saga_event event) {
    open_saga_act(open, saga_step(&open->saga, event, open->cashier->now_ms, random_u64()));
}

/* ---- who waits ---- */

void confirm_answer(struct confirm_call *call) {
    struct cashier *cashier = call->cashier;
    atomic_fetch_sub(&cashier->confirms, 1);
    sodium_memzero(call->token, sizeof call->token);
    call->envelope.open = call->answered;
    reactor_send(call->reactor, &call->envelope);
}

static void unlink_waiter(struct cashier *cashier, struct confirm_call *call) {
    *call->in_time = call->next_in_time;
    if (call->next_in_time)
        call->next_in_time->in_time = call->in_time;
    else
        cashier->last_waiter = call->in_time;
}

void open_saga_add_waiter(struct open_saga *open, struct confirm_call *call) {
    struct cashier *cashier = open->cashier;
    call->saga = open;
    call->next_waiter = open->waiters;
    open->waiters = call;
    call->give_up_ms = cashier->now_ms + CASHIER_PATIENCE_MS;
    call->next_in_time = NULL;
    call->in_time = cashier->last_waiter;
    *cashier->last_waiter = call;
    cashier->last_waiter = &call->next_in_time;
}

void open_saga_answer_all(struct open_saga *open, const struct confirm_outcome *outcome) {
    while (open->waiters) {
        struct confirm_call *call = open->waiters;
        open->waiters = call->next_waiter;
        unlink_waiter(open->cashier, call);
        call->outcome = *outcome;
        call->answer_kept = call == open->keeper;
        confirm_answer(call);
    }
    open->keeper = NULL;
}

void confirm_answer_pending(struct confirm_call *call) {
    struct open_saga *open = call->saga;
    struct confirm_call **at = &open->waiters;
    while (*at != call)
        at = &(*at)->next_waiter;
    *at = call->next_waiter;
    if (open->keeper == call)
        open->keeper = NULL;
    unlink_waiter(open->cashier, call);
    call->outcome = (struct confirm_outcome){.result = RESULT_OK, .pending = true, .booking = open->saga.booking.id};
    confirm_answer(call);
}

/* ---- opening and closing ---- */

struct open_saga *open_saga_new(struct cashier *cashier, struct sale *sale, const struct id *reservation) {
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
    if (!id_map_add(&cashier->by_reservation, reservation, open)) {
        open->next_free = cashier->free;
        cashier->free = open;
        return NULL;
    }
    metric_set(METRIC_SAGAS_OPEN, atomic_fetch_add(&cashier->open, 1) + 1);
    return open;
}

void open_saga_end(struct open_saga *open) {
    struct cashier *cashier = open->cashier;
    assert(!open->waiters && !open->refund);
    deadlines_set(&cashier->timers, &open->timer, INT64_MAX);
    id_map_remove(&cashier->by_reservation, &open->saga.booking.reservation);
    sodium_memzero(open->token, sizeof open->token);
    buffer_release(&open->kept_body);
    open->next_free = cashier->free;
    cashier->free = open;
    metric_set(METRIC_SAGAS_OPEN, atomic_fetch_sub(&cashier->open, 1) - 1);
}

/* ---- what came of it ---- */

static void fill_lost_seats(struct open_saga *open, struct confirm_outcome *outcome) {
    struct show *show = open->sale->show;
    show_lock(show);
    for (uint32_t i = 0; i < open->saga.booking.seat_count; i++)
        if (show_seat_status(show, open->seats[i]) == SEAT_BOOKED)
            outcome->lost[outcome->lost_count++] = open->sale->plan->seat_ids[open->seats[i]];
    show_unlock(show);
}

/* Why it came to nothing, in the fan's terms. */
static void outcome_of_failure(struct open_saga *open, struct confirm_outcome *outcome) {
    const char *reason = open->saga.booking.reason;
    *outcome = (struct confirm_outcome){.attempts_left = open->attempts_left};
    if (strcmp(reason, "seat_unavailable") == 0) {
        outcome->result = RESULT_SEAT_UNAVAILABLE;
        fill_lost_seats(open, outcome);
    } else if (strcmp(reason, "gateway_unavailable") == 0 || strcmp(reason, "interrupted") == 0) {
        outcome->result = RESULT_GATEWAY_UNAVAILABLE;
    } else if (strcmp(reason, "expired") == 0) {
        outcome->result = RESULT_RESERVATION_EXPIRED;
    } else {
        outcome->result = RESULT_PAYMENT_DECLINED;
        snprintf(outcome->reason, sizeof outcome->reason, "%s", reason);
    }
}

void open_saga_tell_failure(struct open_saga *open, struct confirm_call *call) {
    outcome_of_failure(open, &call->outcome);
    confirm_answer(call);
}

/* A hold whose payment came to nothing goes free, unless the fan may try again: with another card where the show allows
 * it, or because it was not the fan's fault. */
static bool hold_is_kept(const struct open_saga *open, const struct confirm_outcome *outcome) {
    if (outcome->result == RESULT_PAYMENT_DECLINED)
        return open->attempts_left > 0;
    return outcome->result == RESULT_GATEWAY_UNAVAILABLE;
}

static void step_done(struct hold_step_call *step) {
    if (step->result != RESULT_OK)
        log_warn("a hold was gone when its payment ended", LOG_STRING("result", result_name(step->result)));
}

/* The seats are sold in the ledger, whoever holds them here: after a crash the journal may have brought back a hold
 * that had ended, in place of the one that was paid. */
static void sale_is_told(struct hold_step_call *step) {
    struct open_saga *open = step->context;
    const struct booking *booking = &open->saga.booking;
    if (step->result == RESULT_OK)
        return;
    log_warn("what was sold had no hold any more", LOG_STRING("result", result_name(step->result)));
    show_lock(open->sale->show);
    for (uint32_t i = 0; i < booking->seat_count; i++)
        show_load_seat(open->sale->show, open->seats[i], SEAT_BOOKED, booking->fence + 1, &booking->user);
    show_unlock(open->sale->show);
}

static void step_hold(struct open_saga *open, enum hold_step step) {
    struct hold_store *holds = open->cashier->with.holds;
    open->step = (struct hold_step_call){.show = open->sale->show,
                                         .step = step,
                                         .reservation = open->saga.booking.reservation,
                                         .booking = open->saga.booking.id,
                                         .now_ms = open->cashier->now_ms,
                                         .context = open,
                                         .done = step == HOLD_STEP_SELL ? sale_is_told : step_done};
    holds->step(holds->engine, &open->step);
}

static void seats_are_sold(struct open_saga *open) {
    const struct booking *booking = &open->saga.booking;
    open->is_sold = true;
    open->store_deadline_ms = INT64_MAX;
    step_hold(open, HOLD_STEP_SELL);
    metric_add(METRIC_BOOKINGS_CONFIRMED, 1);
    metric_add(METRIC_TICKETS_SOLD, booking->seat_count);
    struct room *room = atomic_load(&open->sale->room);
    if (room) /* the buyer has what they came for: the next may come in */
        room_booked(room, &booking->user, open->cashier->now_ms);
    open_saga_answer_all(open, &(struct confirm_outcome){.result = RESULT_OK, .booking = booking->id});
}

static void nothing_is_sold(struct open_saga *open) {
    open->is_settled = true;
    struct confirm_outcome *outcome = malloc(sizeof *outcome);
    assert(outcome); /* half a kilobyte; without it no answer can be made at all */
    outcome_of_failure(open, outcome);
    bool keep = hold_is_kept(open, outcome);
    step_hold(open, keep ? HOLD_STEP_KEEP : HOLD_STEP_DECLINE);
    metric_add(METRIC_BOOKINGS_CANCELLED, 1);
    open_saga_answer_all(open, outcome);
    free(outcome);
}

/* Seats that were sold are free again: the operator's refund, or a capture refused for good. */
static void seats_are_given_back(struct open_saga *open) {
    uint32_t seats[LIMIT_SEATS_PER_HOLD], count = 0;
    const struct ledger_command *command = &open->command;
    if (command->booking.cancel_count == 0)
        for (; count < open->saga.booking.seat_count; count++)
            seats[count] = open->seats[count];
    for (uint32_t i = 0; i < command->booking.cancel_count; i++)
        seats[count++] = open->seats[command->booking.cancel[i]];
    show_lock(open->sale->show);
    bool freed = show_unsell(open->sale->show, count, seats, command->booking.seat_version);
    show_unlock(open->sale->show);
    if (!freed)
        log_error("seats given back in the ledger were not booked in memory", LOG_INT("seats", count));
    metric_add(METRIC_BOOKINGS_CANCELLED, open->written.status == BOOKING_CANCELLED);
}

void open_saga_answer_refund(struct open_saga *open, enum result result) {
    struct refund_call *refund = open->refund;
    if (!refund)
        return;
    open->refund = NULL;
    refund->result = result;
    refund->envelope.open = refund->answered;
    reactor_send(refund->reactor, &refund->envelope);
}

/* ---- the ledger ---- */

static void ledger_answered(struct envelope *envelope, void *receiver);

/* On the ledger's thread. */
static void command_done(struct ledger_command *command) {
    struct open_saga *open = command->context;
    open->envelope.open = ledger_answered;
    mailbox_send(&open->cashier->mailbox, &open->envelope);
}

static void sleep_until(struct open_saga *open, int64_t at_ms) {
    int64_t next = open->store_deadline_ms < at_ms ? open->store_deadline_ms : at_ms;
    deadlines_set(&open->cashier->timers, &open->timer, next);
}

static const char *const writing_points[SAGA_STATE_COUNT] = {
#define SAGA_STATE(name, words) "writing." #name,
#include "bookings/saga_states.def"
#undef SAGA_STATE
};

void open_saga_submit(struct open_saga *open) {
    struct ledger *ledger = open->cashier->with.ledger;
    open->command.context = open;
    open->command.done = command_done;
    crash_point(writing_points[open->saga.target]);
    open->put_off = !ledger->submit(ledger->engine, &open->command);
    if (open->put_off)
        sleep_until(open, open->cashier->now_ms + LEDGER_RETRY_MS);
}

/* The answer of a keyed confirm is kept by the command that makes it true. */
static void keep_answer(struct open_saga *open, const struct confirm_outcome *outcome) {
    struct confirm_call *call = open->waiters;
    while (call && id_is_none(&call->answer_key.key))
        call = call->next_waiter;
    open->keeper = call;
    open->kept_body.length = 0;
    if (!call)
        return;
    unsigned status = answer_confirm(outcome, &open->kept_body);
    if (!answer_is_final(status)) {
        open->keeper = NULL;
        return;
    }
    open->command.answer = (struct kept_answer){.key = call->answer_key.key,
                                                .body_hash = call->answer_key.body_hash,
                                                .status = status,
                                                .body = buffer_bytes(&open->kept_body),
                                                .created_ms = open->cashier->now_ms};
}

void open_saga_prepare(struct open_saga *open, enum ledger_kind kind) {
    open->written = open->saga.booking;
    open->written.saga = open->saga.target;
    open->written.updated_ms = open->cashier->now_ms;
    open->command = (struct ledger_command){.kind = kind};
    open->command.booking.booking = &open->written;
    open->command.booking.from_saga = open->saga.booking.saga;
}

static void write_step(struct open_saga *open) {
    open_saga_prepare(open, LEDGER_STEP_BOOKING);
    if (open->saga.target == SAGA_CANCELLED && open->waiters) {
        struct confirm_outcome *outcome = malloc(sizeof *outcome);
        if (outcome) {
            outcome_of_failure(open, outcome);
            keep_answer(open, outcome);
            free(outcome);
        }
    }
    open_saga_submit(open);
}

static void write_sale(struct open_saga *open) {
    open_saga_prepare(open, LEDGER_SELL);
    open->written.confirmed_ms = open->cashier->now_ms;
    open->command.booking.insert = open->saga.booking.amount == 0;
    keep_answer(open, &(struct confirm_outcome){.result = RESULT_OK, .booking = open->written.id});
    open_saga_submit(open);
}

static void write_capture_refused(struct open_saga *open) {
    open_saga_prepare(open, LEDGER_CANCEL_SOLD);
    show_lock(open->sale->show);
    open->command.booking.seat_version = show_draw_fence(open->sale->show);
    show_unlock(open->sale->show);
    open->command.actor = BYTES("gateway");
    open_saga_submit(open);
}

static void ledger_failed(struct open_saga *open) {
    open_saga_answer_all(open, &(struct confirm_outcome){.result = RESULT_LEDGER_UNAVAILABLE});
    open_saga_answer_refund(open, RESULT_LEDGER_UNAVAILABLE);
    deadlines_set(&open->cashier->timers, &open->timer, INT64_MAX);
}

/* The booking could not be opened, or free tickets not be sold: nothing is in the ledger, and the saga never was. */
static void drop_unwritten(struct open_saga *open) {
    open->saga.booking.status = BOOKING_CANCELLED;
    snprintf(open->saga.booking.reason, sizeof open->saga.booking.reason, "seat_unavailable");
    nothing_is_sold(open);
    open_saga_end(open);
}

static void apply_written(struct open_saga *open) {
    struct booking *booking = &open->saga.booking;
    enum ledger_kind kind = open->command.kind;
    booking->status = open->written.status;
    booking->payment_state = open->written.payment_state;
    booking->refunded = open->written.refunded;
    memcpy(booking->reason, open->written.reason, sizeof booking->reason);
    booking->confirmed_ms = open->written.confirmed_ms;
    booking->updated_ms = open->written.updated_ms;
    if (kind == LEDGER_SELL)
        seats_are_sold(open);
    else if (kind == LEDGER_CANCEL_SOLD)
        seats_are_given_back(open);
    else if (open->written.status == BOOKING_CANCELLED && !open->is_sold && !open->is_settled)
        nothing_is_sold(open);
    if (open->saga.target == SAGA_REVIEW) {
        char id[ID_UUID_TEXT];
        id_format_uuid(&booking->id, id);
        metric_add(METRIC_SAGAS_REVIEW, 1);
        log_error("a payment needs a human", LOG_BYTES("booking", ((struct bytes){id, sizeof id})),
                  LOG_STRING("reason", booking->reason));
    }
    open_saga_answer_refund(open, RESULT_OK);
}

static const char *const written_points[SAGA_STATE_COUNT] = {
#define SAGA_STATE(name, words) "written." #name,
#include "bookings/saga_states.def"
#undef SAGA_STATE
};

/* On the cashier's thread. */
static void ledger_answered(struct envelope *envelope, void *receiver) {
    (void)receiver;
    struct open_saga *open = CONTAINER_OF(envelope, struct open_saga, envelope);
    enum ledger_kind kind = open->command.kind;
    crash_point(written_points[open->saga.target]);
    bool fresh = kind == LEDGER_OPEN_BOOKING || (kind == LEDGER_SELL && open->command.booking.insert);
    switch (open->command.result) {
    case RESULT_OK:
        apply_written(open);
        open_saga_happen(open, SAGA_WRITTEN);
        break;
    case RESULT_LEDGER_UNAVAILABLE:
        ledger_failed(open);
        break;
    default:
        open->keeper = NULL;
        if (fresh) {
            drop_unwritten(open);
        } else if (kind == LEDGER_SELL) {
            open_saga_happen(open, SAGA_SEAT_LOST);
        } else {
            log_error("a booking was not in the state that its saga left it in",
                      LOG_STRING("result", result_name(open->command.result)));
            open_saga_answer_all(open, &(struct confirm_outcome){.result = RESULT_CONFLICT});
            open_saga_answer_refund(open, RESULT_BOOKING_NOT_REFUNDABLE);
            open_saga_happen(open, SAGA_WRITE_REFUSED);
        }
    }
}

/* ---- the gateway ---- */

/* "create" … is the moment before the call, these are those after its answer. */
static const char *const answered_points[] = {
    [PAYMENT_CREATE] = "created",   [PAYMENT_CONFIRM] = "confirmed", [PAYMENT_CAPTURE] = "captured",
    [PAYMENT_CANCEL] = "cancelled", [PAYMENT_REFUND] = "refunded",   [PAYMENT_RETRIEVE] = "retrieved",
};

static void gateway_answered(struct payment_call *call) {
    struct open_saga *open = call->context;
    struct saga *saga = &open->saga;
    open->cashier->now_ms = clock_now_ms();
    crash_point(answered_points[call->operation]);
    if (call->outcome == PAYMENT_UNKNOWN)
        metric_add(METRIC_GATEWAY_UNKNOWN, 1);
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
    memset(&open->call, 0, sizeof open->call);
    saga_fill_call(&open->saga, action, &open->call);
    if (action == SAGA_DO_CONFIRM)
        memcpy(open->call.token, open->token, sizeof open->call.token);
    open->call.context = open;
    open->call.done = gateway_answered;
    crash_point(payment_operation_name(open->call.operation));
    metric_add(METRIC_GATEWAY_CALLS, 1);
    payments->submit(payments->engine, &open->call);
}

static void seats_are_pinned(struct hold_step_call *step) {
    struct open_saga *open = step->context;
    open_saga_happen(open, step->result == RESULT_OK ? SAGA_SEATS_TAKEN : SAGA_SEAT_LOST);
}

/* A payment came through that had been given up: its seats are held for it again, if nobody else has them. */
static void take_seats_again(struct open_saga *open) {
    struct booking *booking = &open->saga.booking;
    struct show *show = open->sale->show;
    int64_t now_ms = open->cashier->now_ms;
    uint32_t slot;
    show_lock(show);
    struct hold hold = {.reservation = booking->reservation,
                        .fence = show_draw_fence(show),
                        .taken_ms = now_ms,
                        .deadline_ms = now_ms,
                        .store_deadline_ms = now_ms,
                        .amount = booking->amount,
                        .seat_count = booking->seat_count,
                        .user = booking->user};
    slot = hold_find(show, &booking->reservation);
    enum result result = slot != HOLD_NO_SLOT && hold_at(show, slot)->state == HOLD_HELD
                             ? RESULT_OK /* kept for another try: this payment takes it */
                             : hold_retake(show, &hold, open->seats, &slot);
    if (result == RESULT_OK)
        booking->fence = hold_at(show, slot)->fence;
    show_unlock(show);
    if (result != RESULT_OK) {
        open_saga_happen(open, SAGA_SEAT_LOST);
        return;
    }
    open->step = (struct hold_step_call){.show = show,
                                         .step = HOLD_STEP_BEGIN_PAYMENT,
                                         .reservation = booking->reservation,
                                         .booking = booking->id,
                                         .recovering = true,
                                         .now_ms = now_ms,
                                         .context = open,
                                         .done = seats_are_pinned};
    open->cashier->with.holds->step(open->cashier->with.holds->engine, &open->step);
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
        sleep_until(open, INT64_MAX);
        call_gateway(open, action);
        break;
    case SAGA_DO_WRITE:
        write_step(open);
        break;
    case SAGA_DO_SELL:
        write_sale(open);
        break;
    case SAGA_DO_UNSELL:
        write_capture_refused(open);
        break;
    case SAGA_DO_TAKE_SEATS:
        take_seats_again(open);
        break;
    case SAGA_DO_WAIT:
        open->waiting = true;
        sleep_until(open, open->saga.retry_ms);
        break;
    case SAGA_DO_END:
        /* Where a human has to look, nobody knows yet what to tell who still waits. */
        while (open->waiters)
            confirm_answer_pending(open->waiters);
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
    if (payments->withdraw(payments->engine, &open->call))
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
