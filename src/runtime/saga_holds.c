/* What a saga does to the hold that it pays for: pins it, sells it, lets it go, takes it again.
 *
 * What can go wrong: the hold is gone, or somebody else has its seats. Where they are sold the ledger has decided, and
 * memory follows it; before that it will decide. */
#include "runtime/open_saga.h"
#include "base/log.h"

#define RETAKEN_FOR_MS 60000

void open_saga_step_hold(struct open_saga *open, enum hold_step step, bool recovering,
                         void (*done)(struct hold_step_call *step)) {
    struct hold_store *holds = open->cashier->with.holds;
    open->step = (struct hold_step_call){.show = open->sale->show,
                                         .step = step,
                                         .reservation = open->saga.booking.reservation,
                                         .booking = open->saga.booking.id,
                                         .recovering = recovering,
                                         .now_ms = open->cashier->now_ms,
                                         .context = open,
                                         .done = done};
    holds->step(holds->engine, &open->step);
}

/* ---- the end of its payment ---- */

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

void open_saga_sell_hold(struct open_saga *open) {
    open_saga_step_hold(open, HOLD_STEP_SELL, false, sale_is_told);
}

static void hold_is_told(struct hold_step_call *step) {
    if (step->result != RESULT_OK)
        log_warn("a hold was gone when its payment ended", LOG_STRING("result", result_name(step->result)));
}

void open_saga_end_hold(struct open_saga *open, bool keep) {
    open_saga_step_hold(open, keep ? HOLD_STEP_KEEP : HOLD_STEP_DECLINE, false, hold_is_told);
}

/* ---- taken up again ---- */

/* The hold that a booking tells of; its payment is under way, so no clock is to end it. */
static struct hold hold_of(const struct open_saga *open, uint64_t fence, int64_t taken_ms, int64_t store_deadline_ms) {
    const struct booking *booking = &open->saga.booking;
    return (struct hold){.reservation = booking->reservation,
                         .fence = fence,
                         .taken_ms = taken_ms,
                         .deadline_ms = open->cashier->now_ms,
                         .store_deadline_ms = store_deadline_ms,
                         .amount = booking->amount,
                         .seat_count = booking->seat_count,
                         .user = booking->user};
}

/* The journal forgot the hold of a booking that is being paid: it is made anew from the booking. */
static enum result restore_hold(struct open_saga *open) {
    const struct booking *booking = &open->saga.booking;
    struct show *show = open->sale->show;
    struct hold hold = hold_of(open, booking->fence, booking->created_ms, open->cashier->now_ms);
    uint32_t slot;
    show_lock(show);
    enum result result = hold_find(show, &booking->reservation) == HOLD_NO_SLOT
                             ? hold_restore(show, &hold, open->seats, &slot)
                             : RESULT_OK;
    show_unlock(show);
    return result;
}

static void hold_is_pinned(struct hold_step_call *step) {
    struct open_saga *open = step->context;
    if (step->result == RESULT_OK)
        open->store_deadline_ms = step->hold.store_deadline_ms;
    else
        log_warn("a seat whose payment is open is not held; the ledger will decide",
                 LOG_STRING("result", result_name(step->result)));
}

void open_saga_pin_hold(struct open_saga *open) {
    if (restore_hold(open) != RESULT_OK)
        log_warn("the hold of an open payment cannot be put back: somebody else has a seat");
    open_saga_step_hold(open, HOLD_STEP_BEGIN_PAYMENT, true, hold_is_pinned);
}

/* The seats of a payment that had been given up, held for it again if nobody else has them. */
static enum result retake_hold(struct open_saga *open) {
    struct show *show = open->sale->show;
    int64_t now_ms = open->cashier->now_ms;
    enum result result = RESULT_OK;
    show_lock(show);
    uint32_t slot = hold_find(show, &open->saga.booking.reservation);
    if (slot != HOLD_NO_SLOT && hold_at(show, slot)->state == HOLD_HELD) {
        /* Kept for another try: this payment takes it, and leaves it to the fan if it comes to nothing after all. */
        uint32_t attempts = show_settings(show)->payment_attempts, begun = hold_at(show, slot)->payments_begun;
        open->attempts_left = attempts > begun ? attempts - begun : 0;
    } else {
        /* Until it is pinned, a clock could end it. */
        struct hold hold = hold_of(open, show_draw_fence(show), now_ms, now_ms + RETAKEN_FOR_MS);
        result = hold_retake(show, &hold, open->seats, &slot);
    }
    if (result == RESULT_OK)
        open->saga.booking.fence = hold_at(show, slot)->fence;
    show_unlock(show);
    return result;
}

static void seats_are_pinned(struct hold_step_call *step) {
    struct open_saga *open = step->context;
    open_saga_happen(open, step->result == RESULT_OK ? SAGA_SEATS_TAKEN : SAGA_SEAT_LOST);
}

void open_saga_take_seats_again(struct open_saga *open) {
    enum result result = retake_hold(open);
    open->is_settled = result != RESULT_OK;
    if (result == RESULT_OK)
        open_saga_step_hold(open, HOLD_STEP_BEGIN_PAYMENT, true, seats_are_pinned);
    else
        open_saga_happen(open, SAGA_SEAT_LOST);
}
