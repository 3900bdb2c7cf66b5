/* Money back: the operator's refund, a fan's cancel; of the whole booking, or of some of its seats.
 *
 * Happy path: the seats go free in the ledger, and what is to be given back is written with them, in one command →
 * whoever asked is answered → the saga gives the money back (saga.h, REFUNDING). A payment that is still under way is
 * waited for, and then the booking is read again, since it may have changed. */
#include "runtime/cashier.h"
#include "base/container.h"
#include "net/reactor.h"
#include "runtime/open_saga.h"

static void refuse_refund(struct refund_call *refund, enum result result) {
    refund->result = result;
    refund->envelope.open = refund->answered;
    reactor_send(refund->reactor, &refund->envelope);
}

bool open_saga_find_seats(struct open_saga *open) {
    struct booking *booking = &open->saga.booking;
    for (uint32_t i = 0; i < booking->seat_count; i++) {
        open->seats[i] = plan_find_seat(open->sale->plan, booking->seat_ids[i]);
        if (open->seats[i] == PLAN_NO_SEAT)
            return false;
        booking->seat_ids[i] = open->sale->plan->seat_ids[open->seats[i]];
    }
    return true;
}

/* What the operator will be told, once it is so; kept in the same transaction. */
static void promise_refund(struct open_saga *open, struct refund_call *refund) {
    refund->booking.status = open->written.status;
    refund->booking.refunded = open->written.refunded;
    refund->booking.updated_ms = open->written.updated_ms;
    memcpy(refund->booking.reason, open->written.reason, sizeof refund->booking.reason);
    if (id_is_none(&refund->answer_key.key))
        return;
    open->kept_body.length = 0;
    refund->render(refund, &open->kept_body);
    open->command.answer = (struct kept_answer){.key = refund->answer_key.key,
                                                .body_hash = refund->answer_key.body_hash,
                                                .status = 200,
                                                .body = buffer_bytes(&open->kept_body),
                                                .created_ms = open->cashier->now_ms};
}

static void write_refund(struct open_saga *open, struct refund_call *refund) {
    struct booking *booking = &open->saga.booking;
    int64_t back = 0;
    for (uint32_t i = 0; i < (refund->seat_count ? refund->seat_count : booking->seat_count); i++)
        back += booking->seat_amounts[refund->seat_count ? refund->seats[i] : i];
    bool whole = refund->seat_count == 0;
    open->saga.target = booking->amount == 0 ? (whole ? SAGA_CANCELLED : SAGA_DONE) : SAGA_REFUNDING;
    open_saga_prepare(open, LEDGER_CANCEL_SOLD);
    open->written.refunded = booking->refunded + back;
    if (whole)
        open->written.status = BOOKING_CANCELLED;
    memcpy(open->written.reason, refund->reason, sizeof refund->reason);
    promise_refund(open, refund);
    show_lock(open->sale->show);
    open->command.booking.seat_version = show_draw_fence(open->sale->show);
    show_unlock(open->sale->show);
    open->command.booking.cancel_count = refund->seat_count;
    open->command.booking.cancel = refund->seats;
    open->command.actor = refund->by_fan ? BYTES("fan") : BYTES("operator");
    if (!refund->by_fan)
        open->command.why = bytes_of(open->written.reason);
    open_saga_submit(open);
}

static void wait_for_payment(struct cashier *cashier, struct refund_call *refund) {
    refund->next = NULL;
    *cashier->last_refund = refund;
    cashier->last_refund = &refund->next;
}

/* Takes out those of a reservation (NULL: of any) that have waited until `until_ms`; in order. */
static struct refund_call *take_waiting(struct cashier *cashier, const struct id *reservation, int64_t until_ms) {
    struct refund_call *taken = NULL, **last = &taken, **at = &cashier->first_refund;
    while (*at) {
        struct refund_call *refund = *at;
        if (refund->give_up_ms <= until_ms && (!reservation || id_equal(reservation, &refund->booking.reservation))) {
            *at = refund->next;
            refund->next = NULL;
            *last = refund;
            last = &refund->next;
        } else {
            at = &refund->next;
        }
    }
    cashier->last_refund = at;
    return taken;
}

void cashier_go_on_refunding(struct cashier *cashier, const struct id *reservation) {
    struct refund_call *next, *refund = take_waiting(cashier, reservation, INT64_MAX);
    for (; refund; refund = next) {
        next = refund->next;
        refund->again(refund);
    }
}

void cashier_give_up_refunds(struct cashier *cashier, bool all) {
    struct refund_call *next, *refund = take_waiting(cashier, NULL, all ? INT64_MAX : cashier->now_ms);
    for (; refund; refund = next) {
        next = refund->next;
        refuse_refund(refund, RESULT_PAYMENT_IN_PROGRESS);
    }
}

static void open_refund(struct envelope *envelope, void *receiver) {
    struct cashier *cashier = receiver;
    struct refund_call *refund = CONTAINER_OF(envelope, struct refund_call, envelope);
    const struct booking *booking = &refund->booking;
    if (id_map_find(&cashier->by_reservation, &booking->reservation)) {
        if (booking->status == BOOKING_PENDING)
            refuse_refund(refund, RESULT_PAYMENT_IN_PROGRESS);
        else
            wait_for_payment(cashier, refund);
        return;
    }
    if (booking->status != BOOKING_CONFIRMED || booking->saga != SAGA_DONE) {
        refuse_refund(refund, RESULT_BOOKING_NOT_REFUNDABLE);
        return;
    }
    struct open_saga *open = open_saga_new(cashier, refund->sale, &booking->reservation);
    if (!open) {
        refuse_refund(refund, RESULT_OVERLOADED);
        return;
    }
    open->saga.booking = *booking;
    open->is_sold = true;
    open->refund = refund;
    if (!open_saga_find_seats(open)) {
        open_saga_answer_refund(open, RESULT_UNKNOWN_SEAT);
        open_saga_end(open);
        return;
    }
    write_refund(open, refund);
}

bool cashier_refund(struct cashier *cashier, struct refund_call *refund) {
    if (atomic_load(&cashier->open) >= LIMIT_OPEN_SAGAS || atomic_load(&cashier->stopping))
        return false;
    refund->envelope.open = open_refund;
    mailbox_send(&cashier->mailbox, &refund->envelope);
    return true;
}
