/* Bookings that the ledger has and nobody drives: given back, hinted at by the gateway, resumed by the operator, or
 * unfinished when the server died; as src/runtime/cashier_refund.c and cashier_look.c take them up. */
#include "base/panic.h"
#include "sagas.h"

#include <stdio.h>

/* ---- refund ---- */

static uint32_t take_up(struct world *world, uint32_t index) {
    const struct row *row = &world->disk.ledger.rows[index];
    uint32_t slot = sagas_open(world, &row->reservation);
    struct open_saga *open = sagas_at(world, slot);
    saga_booking_of_row(world, row, &open->saga.booking);
    memcpy(open->seats, row->seats, sizeof open->seats);
    open->row = index;
    open->fan = row->fan;
    return slot;
}

/* The first of the booking's seats leave it. */
static void take_out(struct open_saga *open, uint32_t count) {
    struct booking *booking = &open->saga.booking;
    open->gone_count = count;
    memcpy(open->gone, open->seats, count * sizeof open->gone[0]);
    booking->seat_count -= count;
    for (uint32_t i = 0; i < booking->seat_count; i++) {
        open->seats[i] = open->seats[i + count];
        booking->seat_ids[i] = booking->seat_ids[i + count];
    }
}

bool sagas_refund(struct world *world, uint32_t index) {
    const struct row *row = &world->disk.ledger.rows[index];
    if (sagas_find(world, &row->reservation) != SERVER_NO_SAGA || row->status != BOOKING_CONFIRMED ||
        row->saga != SAGA_DONE)
        return false;
    uint32_t slot = take_up(world, index);
    struct open_saga *open = sagas_at(world, slot);
    struct booking *booking = &open->saga.booking, as_it_was = *booking;
    open->is_sold = true;
    open->saga.target = SAGA_REFUNDING;
    uint32_t count = booking->seat_count;
    bool is_part = count > 1 && chance_permille(&world->fans_chance, 400);
    if (is_part) /* the rest may follow */
        events_add(&world->events, world->now_ms + chance_exponential(&world->fans_chance, 200000), EVENT_REFUND, 0,
                   index, 1);
    if (is_part)
        take_out(open, count = 1 + chance_below(&world->fans_chance, count - 1));
    open->gone_count = count;
    if (!is_part)
        memcpy(open->gone, open->seats, sizeof open->gone);
    booking->refunded += (int64_t)count * WORLD_PRICE;
    booking->status = is_part ? BOOKING_CONFIRMED : BOOKING_CANCELLED;
    snprintf(booking->reason, sizeof booking->reason, "operator");
    sagas_submit(world, slot, LEDGER_CANCEL_SOLD);
    booking->refunded = as_it_was.refunded;
    booking->status = as_it_was.status;
    memcpy(booking->reason, as_it_was.reason, sizeof booking->reason);
    return true;
}

/* ---- looking again ---- */

static uint32_t look_again(struct world *world, uint32_t index) {
    uint32_t slot = take_up(world, index);
    struct open_saga *open = sagas_at(world, slot);
    open->is_sold = open->saga.booking.confirmed_ms != 0;
    open->is_settled = open->saga.booking.status == BOOKING_CANCELLED;
    open->is_looked_at = true;
    return slot;
}

bool sagas_resume(struct world *world, uint32_t index) {
    const struct row *row = &world->disk.ledger.rows[index];
    if (row->saga != SAGA_REVIEW)
        return true;
    if (sagas_find(world, &row->reservation) != SERVER_NO_SAGA)
        return false;
    world_note(world, HAPPENED_RESUMED, index, row->fan);
    uint32_t slot = look_again(world, index);
    sagas_at(world, slot)->saga.is_resumed = true;
    sagas_happen(world, slot, SAGA_STARTED);
    if (row->saga == SAGA_REVIEW) /* in vain, or not yet */
        sagas_show_to_operator(world, index);
    return true;
}

/* Taken when what came of it is on disk. Where it comes in between, it has to come again: what is about to be written
 * may be older than what it says. */
void sagas_hint(struct world *world, uint32_t index, uint32_t intent) {
    const struct row *row = &world->disk.ledger.rows[index];
    uint32_t slot = sagas_find(world, &row->reservation);
    if (slot == SERVER_NO_SAGA) {
        world_note(world, HAPPENED_LOOKED, index, row->saga);
        slot = look_again(world, index);
        sagas_at(world, slot)->hint = intent + 1;
        sagas_at(world, slot)->saga.looks_again = true;
        sagas_happen(world, slot, SAGA_STARTED);
        return;
    }
    struct open_saga *open = sagas_at(world, slot);
    if (open->row != index || !open->waiting) {
        gateway_webhook_refused(world, intent);
        return;
    }
    gateway_webhook_taken(world);
    sagas_happen(world, slot, SAGA_HINT);
}

void sagas_die(struct world *world) {
    for (uint32_t i = 0; i < world->server.saga_count; i++)
        if (world->server.sagas[i].in_use && world->server.sagas[i].hint)
            gateway_webhook_refused(world, world->server.sagas[i].hint - 1);
}

/* ---- after a restart ---- */

/* The journal forgot the hold of a booking that is being paid: it is made anew from the booking. */
static void pin_hold(struct world *world, uint32_t slot) {
    struct open_saga *open = sagas_at(world, slot);
    const struct booking *booking = &open->saga.booking;
    int64_t now_ms = server_now(world);
    struct hold hold = {.reservation = booking->reservation,
                        .fence = booking->fence,
                        .taken_ms = booking->created_ms,
                        .deadline_ms = now_ms,
                        .store_deadline_ms = now_ms,
                        .amount = booking->amount,
                        .seat_count = booking->seat_count,
                        .user = booking->user};
    office_restore_hold(world, open->fan, &hold, open->seats);
    uint32_t seats[WORLD_MOST_SEATS];
    if (office_begin_payment(world, &booking->reservation, &booking->id, true, &hold, seats) == RESULT_OK)
        open->store_deadline_ms = hold.store_deadline_ms;
}

void sagas_start(struct world *world) {
    struct server *server = &world->server;
    const struct ledger_image *ledger = &world->disk.ledger;
    enum result result = id_map_init(&server->saga_of_reservation, 2 * world->plan->seat_count + 64);
    assert(result == RESULT_OK);
    breaker_init(&server->breaker);
    for (uint32_t i = 0; i < ledger->row_count; i++) {
        const struct row *row = &ledger->rows[i];
        if (row->saga == SAGA_DONE || row->saga == SAGA_CANCELLED || row->saga == SAGA_REFUNDED)
            continue;
        if (row->saga == SAGA_REVIEW)
            sagas_show_to_operator(world, i);
        uint32_t slot = take_up(world, i);
        struct open_saga *open = sagas_at(world, slot);
        open->is_sold = row->status != BOOKING_PENDING;
        if (!open->is_sold)
            pin_hold(world, slot);
        open->resumed = true;
        sagas_sleep_until(world, slot, server_now(world));
    }
}
