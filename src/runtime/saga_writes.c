/* What a saga writes, and what came of it: commands to the ledger, and the hold and the fans who are told when they are
 * done.
 *
 * Happy path: open_saga_prepare() copies the booking as it is to be → the ledger commits → ledger_answered() makes
 * memory agree, answers who waits, and tells the saga. What can go wrong: the ledger is full (submitted again in a
 * moment), a seat is somebody else's (the saga is told), the row is not as we left it (another driver has it: the saga
 * ends here), or the ledger has failed (everybody is told so; the next start goes on from what is on disk). */
#include "runtime/open_saga.h"
#include "api/room.h"
#include "base/container.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/panic.h"

#include <stdio.h>
#include <stdlib.h>

#define LEDGER_RETRY_MS 100

/* ---- what came of it ---- */

/* A hold whose payment came to nothing goes free, unless the fan may try again: with another card where the show allows
 * it, or because it was not the fan's fault. */
static bool hold_is_kept(const struct open_saga *open, const struct confirm_outcome *outcome) {
    if (outcome->result == RESULT_PAYMENT_DECLINED)
        return open->attempts_left > 0;
    return outcome->result == RESULT_GATEWAY_UNAVAILABLE;
}

static void seats_are_sold(struct open_saga *open) {
    const struct booking *booking = &open->saga.booking;
    open->is_sold = true;
    open->store_deadline_ms = INT64_MAX;
    open_saga_sell_hold(open);
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
    open_saga_outcome_of_failure(open, outcome);
    bool keep = hold_is_kept(open, outcome);
    open_saga_end_hold(open, keep);
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

/* ---- the ledger ---- */

static void ledger_answered(struct envelope *envelope, void *receiver);

/* On the ledger's thread. */
static void command_done(struct ledger_command *command) {
    struct open_saga *open = command->context;
    open->envelope.open = ledger_answered;
    mailbox_send(&open->cashier->mailbox, &open->envelope);
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
        open_saga_sleep(open, open->cashier->now_ms + LEDGER_RETRY_MS);
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
    open->command.actor = open->actor;
    open->command.why = bytes_of(open->why);
}

void open_saga_write_step(struct open_saga *open) {
    open_saga_prepare(open, LEDGER_STEP_BOOKING);
    if (open->saga.booking.saga == SAGA_CANCELLED)
        open->command.actor = BYTES("gateway"); /* its payment came late */
    if (open->saga.target == SAGA_CANCELLED && open->waiters) {
        struct confirm_outcome *outcome = malloc(sizeof *outcome);
        if (outcome) {
            open_saga_outcome_of_failure(open, outcome);
            keep_answer(open, outcome);
            free(outcome);
        }
    }
    open_saga_submit(open);
}

void open_saga_write_sale(struct open_saga *open) {
    open_saga_prepare(open, LEDGER_SELL);
    open->written.confirmed_ms = open->cashier->now_ms;
    open->command.booking.insert = open->saga.booking.amount == 0;
    bool is_late = open->saga.booking.attempt > 1; /* it was taken up after it had been given up (saga.h) */
    open->command.booking.late = is_late;
    if (!open->actor.length) /* the fan who confirms, or a payment that the gateway let through late */
        open->command.actor = is_late ? BYTES("gateway") : BYTES("fan");
    keep_answer(open, &(struct confirm_outcome){.result = RESULT_OK, .booking = open->written.id});
    open_saga_submit(open);
}

void open_saga_write_capture_refused(struct open_saga *open) {
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
    open_saga_answer_looks(open, RESULT_LEDGER_UNAVAILABLE);
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
    if (open->command.booking.from_saga == SAGA_REVIEW)
        metric_add(METRIC_SAGAS_REVIEW, -1);
    if (open->saga.target == SAGA_REVIEW) {
        char id[ID_UUID_TEXT];
        id_format_uuid(&booking->id, id);
        metric_add(METRIC_SAGAS_REVIEW, 1);
        log_error("a payment needs a human", LOG_BYTES("booking", ((struct bytes){id, sizeof id})),
                  LOG_STRING("reason", booking->reason));
    }
    booking->saga = open->written.saga;
    open->actor = (struct bytes){NULL, 0};
    open->why[0] = '\0';
    open_saga_answer_refund(open, RESULT_OK);
    if (open->is_look)
        open_saga_answer_looks(open, RESULT_OK);
    open->is_look = false;
}

static const char *const written_points[SAGA_STATE_COUNT] = {
#define SAGA_STATE(name, words) "written." #name,
#include "bookings/saga_states.def"
#undef SAGA_STATE
};

/* What we took the booking for was out of date. If its hold was pinned for that, it is as it was before. */
static void let_hold_go_on(struct open_saga *open) {
    if (!open->is_sold && !open->is_settled)
        open_saga_end_hold(open, true);
}

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
            open_saga_answer_looks(open, RESULT_PAYMENT_IN_PROGRESS);
            let_hold_go_on(open);
            open_saga_happen(open, SAGA_WRITE_REFUSED);
        }
    }
}
