/* The payments: each saga is driven as src/runtime/cashier.c and open_saga.c drive it, step by step the same; what is
 * left out is who waits on which thread. */
#include "base/panic.h"
#include "memory.h"
#include "sagas.h"
#include "world.h"

#include <stdio.h>

struct open_saga *sagas_at(struct world *world, uint32_t slot) {
    return &world->server.sagas[slot];
}

static void act(struct world *world, uint32_t slot, enum saga_action action);

void sagas_happen(struct world *world, uint32_t slot, enum saga_event event) {
    struct saga *saga = &sagas_at(world, slot)->saga;
    act(world, slot, saga_step(saga, event, server_now(world), chance_next(&world->server_chance)));
}

/* ---- rows and bookings ---- */

void saga_booking_of_row(const struct world *world, const struct row *row, struct booking *booking) {
    *booking = (struct booking){.id = row->id,
                                .show_id = world->show_id,
                                .reservation = row->reservation,
                                .user = world_user(row->fan),
                                .seat_count = row->seat_count,
                                .fence = row->fence,
                                .amount = row->amount,
                                .refunded = row->refunded,
                                .currency = "EUR",
                                .status = row->status,
                                .payment_state = row->payment_state,
                                .saga = row->saga,
                                .attempt = row->attempt,
                                .created_ms = row->created_ms,
                                .updated_ms = row->updated_ms,
                                .confirmed_ms = row->confirmed_ms};
    memcpy(booking->intent_id, row->intent_id, sizeof booking->intent_id);
    memcpy(booking->reason, row->reason, sizeof booking->reason);
    for (uint32_t i = 0; i < row->seat_count; i++) {
        booking->seat_ids[i] = world->plan->seat_ids[row->seats[i]];
        booking->seat_amounts[i] = row->amount / row->seat_count;
    }
}

static void row_of_written(const struct open_saga *open, struct row *row) {
    const struct booking *booking = &open->written;
    *row = (struct row){.id = booking->id,
                        .reservation = booking->reservation,
                        .fan = open->fan,
                        .seat_count = booking->seat_count,
                        .fence = booking->fence,
                        .amount = booking->amount,
                        .refunded = booking->refunded,
                        .status = booking->status,
                        .payment_state = booking->payment_state,
                        .saga = booking->saga,
                        .attempt = booking->attempt,
                        .created_ms = booking->created_ms,
                        .updated_ms = booking->updated_ms,
                        .confirmed_ms = booking->confirmed_ms};
    memcpy(row->seats, open->seats, sizeof row->seats);
    memcpy(row->intent_id, booking->intent_id, sizeof row->intent_id);
    memcpy(row->reason, booking->reason, sizeof row->reason);
}

/* ---- opening and closing ---- */

uint32_t sagas_open(struct world *world, const struct id *reservation) {
    struct server *server = &world->server;
    uint32_t slot = server->free_saga;
    if (slot) {
        server->free_saga = server->sagas[--slot].next_free;
    } else {
        server->sagas = memory_grow(server->sagas, &server->saga_room, server->saga_count + 1, sizeof *server->sagas);
        slot = server->saga_count++;
        server->sagas[slot].timer = 0;
    }
    uint32_t timer = server->sagas[slot].timer;
    server->sagas[slot] = (struct open_saga){.in_use = true, .store_deadline_ms = INT64_MAX, .timer = timer + 1};
    server->sagas[slot].saga.booking.reservation = *reservation;
    /* The map wants pointers that are not NULL. */
    bool added = id_map_add(&server->saga_of_reservation, reservation, (void *)(uintptr_t)(slot + 1));
    assert(added);
    server->sagas_open++;
    return slot;
}

static void open_saga_end(struct world *world, uint32_t slot) {
    struct server *server = &world->server;
    struct open_saga *open = sagas_at(world, slot);
    id_map_remove(&server->saga_of_reservation, &open->saga.booking.reservation);
    open->in_use = false;
    open->timer++;
    open->next_free = server->free_saga;
    server->free_saga = slot + 1;
    server->sagas_open--;
}

uint32_t sagas_find(const struct world *world, const struct id *reservation) {
    uintptr_t found = (uintptr_t)id_map_find(&world->server.saga_of_reservation, reservation);
    return found ? (uint32_t)found - 1 : SERVER_NO_SAGA;
}

/* ---- who waits ---- */

static void tell(struct world *world, uint32_t shopper, uint32_t plan, enum result outcome, uint32_t row) {
    struct shopper *fan = &world->crowd.shoppers[shopper];
    if (fan->plan != plan)
        return;
    if (world_has(world, FAULT_network) && chance_permille(&world->fans_chance, 20))
        return;
    fan->outcome = outcome;
    fan->row = row;
    events_add(&world->events, world->now_ms + 10 + chance_below(&world->fans_chance, 100), EVENT_OUTCOME, 0, shopper,
               plan);
}

static void answer_waiter(struct world *world, struct open_saga *open, enum result outcome) {
    if (open->shopper)
        tell(world, open->shopper - 1, open->plan, outcome, open->row);
    open->shopper = 0;
}

static void wait_for_it(struct open_saga *open, uint32_t shopper, uint32_t plan) {
    open->shopper = shopper + 1;
    open->plan = plan;
}

/* ---- what came of it ---- */

static enum result result_of_failure(const struct open_saga *open) {
    const char *reason = open->saga.booking.reason;
    if (strcmp(reason, "seat_unavailable") == 0)
        return RESULT_SEAT_UNAVAILABLE;
    if (strcmp(reason, "gateway_unavailable") == 0 || strcmp(reason, "interrupted") == 0)
        return RESULT_GATEWAY_UNAVAILABLE;
    return strcmp(reason, "expired") == 0 ? RESULT_RESERVATION_EXPIRED : RESULT_PAYMENT_DECLINED;
}

static void seats_are_sold(struct world *world, struct open_saga *open) {
    const struct booking *booking = &open->saga.booking;
    open->is_sold = true;
    open->store_deadline_ms = INT64_MAX;
    if (office_end_payment(world, &booking->reservation, &booking->id, true, false) != RESULT_OK) {
        show_lock(world->server.show);
        for (uint32_t i = 0; i < booking->seat_count; i++)
            show_load_seat(world->server.show, open->seats[i], SEAT_BOOKED, booking->fence + 1, &booking->user);
        show_unlock(world->server.show);
    }
    room_has_booked(world, open->fan);
    answer_waiter(world, open, RESULT_OK);
}

static void nothing_is_sold(struct world *world, struct open_saga *open) {
    open->is_settled = true;
    enum result result = result_of_failure(open);
    bool keep = result == RESULT_PAYMENT_DECLINED ? open->attempts_left > 0 : result == RESULT_GATEWAY_UNAVAILABLE;
    /* A crash may have forgotten the hold: then there is nothing to end. */
    (void)!office_end_payment(world, &open->saga.booking.reservation, &open->saga.booking.id, false, keep);
    world->server.look.failed += result == RESULT_GATEWAY_UNAVAILABLE;
    world_note(world, HAPPENED_CANCELLED, open->fan, open->row);
    answer_waiter(world, open, result);
}

static void seats_are_given_back(struct world *world, struct open_saga *open, uint64_t version) {
    show_lock(world->server.show);
    bool freed = show_unsell(world->server.show, open->gone_count, open->gone, version);
    show_unlock(world->server.show);
    /* Red if memory and ledger are not of one mind about what is sold. */
    if (!freed)
        world_broken(world, "booking %u was given back in the ledger, and its seats were not booked in memory",
                     open->row);
}

/* ---- the ledger ---- */

void sagas_submit(struct world *world, uint32_t slot, enum ledger_kind kind) {
    struct open_saga *open = sagas_at(world, slot);
    open->written = open->saga.booking;
    open->written.saga = open->saga.target;
    open->written.updated_ms = server_now(world);
    if (kind == LEDGER_SELL)
        open->written.confirmed_ms = server_now(world);
    struct ledger_write write = {.kind = kind, .slot = slot, .row = open->row, .from = open->saga.booking.saga};
    if (kind == LEDGER_CANCEL_SOLD) {
        show_lock(world->server.show);
        write.seat_version = show_draw_fence(world->server.show);
        show_unlock(world->server.show);
        write.gone_count = open->gone_count;
        memcpy(write.gone, open->gone, sizeof write.gone);
    }
    row_of_written(open, &write.content);
    ledger_submit(world, &write);
}

void sagas_show_to_operator(struct world *world, uint32_t row) {
    events_add(&world->events, world->now_ms + 1000 + chance_exponential(&world->fans_chance, 120000), EVENT_RESUME, 0,
               row, 0);
}

static void apply_written(struct world *world, uint32_t slot, const struct ledger_write *write) {
    struct open_saga *open = sagas_at(world, slot);
    struct booking *booking = &open->saga.booking;
    open->row = write->row;
    booking->status = open->written.status;
    booking->payment_state = open->written.payment_state;
    booking->refunded = open->written.refunded;
    booking->updated_ms = open->written.updated_ms;
    booking->confirmed_ms = open->written.confirmed_ms;
    memcpy(booking->reason, open->written.reason, sizeof booking->reason);
    if (open->saga.target == SAGA_REVIEW)
        sagas_show_to_operator(world, write->row);
    if (write->kind == LEDGER_SELL)
        seats_are_sold(world, open);
    else if (write->kind == LEDGER_CANCEL_SOLD)
        seats_are_given_back(world, open, write->seat_version);
    else if (open->written.status == BOOKING_CANCELLED && !open->is_sold && !open->is_settled)
        nothing_is_sold(world, open);
}

void sagas_written(struct world *world, struct ledger_write *write) {
    uint32_t slot = write->slot;
    if (write->result == RESULT_OK) {
        apply_written(world, slot, write);
        sagas_happen(world, slot, SAGA_WRITTEN);
    } else if (write->kind == LEDGER_SELL) {
        world_note(world, HAPPENED_SEAT_LOST, sagas_at(world, slot)->fan, write->row);
        checks_seat_lost(world, write);
        sagas_happen(world, slot, SAGA_SEAT_LOST);
    } else {
        /* Red if a saga takes a step twice, or one that it has not written. One process drives them all here. */
        world_broken(world, "booking %u is in state %s in the ledger, not in %s where its saga left it", write->row,
                     saga_state_name(world->disk.ledger.rows[write->row].saga), saga_state_name(write->from));
    }
}

/* ---- the gateway ---- */

/* A refusal is an answer too: the gateway is there. */
static void tell_breaker(struct world *world, const struct payment_call *call) {
    struct breaker *breaker = &world->server.breaker;
    if (call->http_status != 0 && call->http_status < 500)
        breaker_answered(breaker);
    else
        breaker_failed(breaker, server_now(world), chance_next(&world->server_chance));
}

void sagas_answered(struct world *world, uint32_t slot, const struct payment_call *call) {
    struct open_saga *open = sagas_at(world, slot);
    struct saga *saga = &open->saga;
    tell_breaker(world, call);
    if (call->operation != PAYMENT_RETRIEVE)
        saga->answer_read = call->outcome != PAYMENT_DONE && call->http_status != 0;
    if (call->outcome == PAYMENT_DONE && call->operation == PAYMENT_CREATE)
        memcpy(saga->booking.intent_id, call->result_id, sizeof saga->booking.intent_id);
    if (call->outcome == PAYMENT_DONE && call->operation == PAYMENT_RETRIEVE)
        saga->already_refunded = call->amount_refunded;
    if ((call->outcome == PAYMENT_DECLINED || call->outcome == PAYMENT_REFUSED) && saga->booking.reason[0] == '\0' &&
        !open->is_sold)
        memcpy(saga->booking.reason, call->code, sizeof saga->booking.reason);
    world->server.look.answers++;
    world->server.look.slow += call->outcome == PAYMENT_UNKNOWN;
    sagas_happen(world, slot, saga_event_of(call));
}

/* ---- acting ---- */

void sagas_sleep_until(struct world *world, uint32_t slot, int64_t at_ms) {
    struct open_saga *open = sagas_at(world, slot);
    int64_t next = open->store_deadline_ms < at_ms ? open->store_deadline_ms : at_ms;
    open->timer++;
    if (next == INT64_MAX)
        return;
    next -= server_now(world) - world->now_ms;
    events_add(&world->events, next > world->now_ms ? next : world->now_ms, EVENT_SAGA, world->server.life, slot,
               open->timer);
}

static void call_gateway(struct world *world, uint32_t slot, enum saga_action action) {
    struct open_saga *open = sagas_at(world, slot);
    struct payment_call call = {0};
    if (!breaker_allows(&world->server.breaker, server_now(world))) {
        sagas_happen(world, slot, SAGA_NOT_SENT);
        return;
    }
    saga_fill_call(&open->saga, action, &call);
    gateway_submit(world, slot, open->row, open->card, &call);
}

static void take_seats_again(struct world *world, uint32_t slot) {
    struct open_saga *open = sagas_at(world, slot);
    struct booking *booking = &open->saga.booking;
    struct hold hold;
    uint32_t seats[WORLD_MOST_SEATS];
    enum result result = office_retake(world, open->fan, booking, open->seats, &booking->fence);
    if (result == RESULT_OK)
        result = office_begin_payment(world, &booking->reservation, &booking->id, true, &hold, seats);
    open->is_settled = result != RESULT_OK;
    if (result == RESULT_OK)
        world_note(world, HAPPENED_HELD_AGAIN, open->fan, open->row);
    sagas_happen(world, slot, result == RESULT_OK ? SAGA_SEATS_TAKEN : SAGA_SEAT_LOST);
}

/* The webhook is answered: what came of it is on disk. */
static void end_hint(struct world *world, struct open_saga *open) {
    if (open->saga.looked_in_vain)
        gateway_webhook_refused(world, open->hint - 1);
    else
        gateway_webhook_taken(world);
    open->hint = 0;
}

static void act(struct world *world, uint32_t slot, enum saga_action action) {
    struct open_saga *open = sagas_at(world, slot);
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
        sagas_sleep_until(world, slot, INT64_MAX);
        call_gateway(world, slot, action);
        break;
    case SAGA_DO_WRITE:
        sagas_submit(world, slot, LEDGER_STEP_BOOKING);
        break;
    case SAGA_DO_SELL:
        sagas_submit(world, slot, LEDGER_SELL);
        world_tempt(world, 3);
        break;
    case SAGA_DO_UNSELL:
        open->gone_count = open->saga.booking.seat_count;
        memcpy(open->gone, open->seats, sizeof open->gone);
        sagas_submit(world, slot, LEDGER_CANCEL_SOLD);
        break;
    case SAGA_DO_TAKE_SEATS:
        take_seats_again(world, slot);
        break;
    case SAGA_DO_WAIT:
        open->waiting = true;
        sagas_sleep_until(world, slot, open->saga.retry_ms);
        break;
    case SAGA_DO_END:
        world_note(world, HAPPENED_SAGA_ENDED, open->row, open->saga.booking.saga);
        if (open->hint)
            end_hint(world, open);
        open_saga_end(world, slot);
        break;
    }
}

void sagas_timer(struct world *world, uint32_t slot, uint32_t timer) {
    struct open_saga *open = sagas_at(world, slot);
    if (!open->in_use || open->timer != timer)
        return;
    bool waiting = open->waiting;
    if (server_now(world) >= open->store_deadline_ms) {
        open->store_deadline_ms = INT64_MAX;
        sagas_happen(world, slot, SAGA_DEADLINE);
    }
    if (open->resumed) {
        open->resumed = false;
        sagas_happen(world, slot, SAGA_STARTED);
    } else if (waiting) {
        sagas_happen(world, slot, SAGA_TIMER);
    }
}

/* ---- confirm ---- */

static void begin(struct world *world, uint32_t slot, const struct hold *hold) {
    struct open_saga *open = sagas_at(world, slot);
    struct booking *booking = &open->saga.booking;
    uint32_t attempts = world->terms.show.payment_attempts;
    open->store_deadline_ms = hold->store_deadline_ms;
    open->attempts_left = attempts > hold->payments_begun ? attempts - hold->payments_begun : 0;
    booking->show_id = world->show_id;
    booking->user = hold->user;
    booking->seat_count = hold->seat_count;
    booking->fence = hold->fence;
    booking->amount = hold->amount;
    booking->attempt = 1;
    booking->created_ms = server_now(world);
    memcpy(booking->currency, "EUR", 4);
    booking->status = BOOKING_PENDING;
    booking->saga = open->saga.target = SAGA_OPENED;
    sagas_submit(world, slot, LEDGER_OPEN_BOOKING);
}

static struct id draw_booking(struct world *world) {
    struct id id = id_new_uuid7(server_now(world));
    uint64_t parts[2] = {chance_next(&world->server_chance), chance_next(&world->server_chance) | 1};
    memcpy(id.at + 6, parts, 10);
    return id;
}

/* What a hold that is not to be paid says. OK: it is live. */
static enum result look_at_hold(struct world *world, const struct id *reservation, uint32_t *row) {
    struct show *show = world->server.show;
    enum result result = RESULT_OK;
    show_lock(show);
    uint32_t slot = hold_find(show, reservation);
    enum hold_state state = slot == HOLD_NO_SLOT ? HOLD_FREE : (enum hold_state)hold_at(show, slot)->state;
    show_unlock(show);
    if (state == HOLD_HELD || state == HOLD_PAYING)
        return RESULT_OK;
    result = slot == HOLD_NO_SLOT ? RESULT_RESERVATION_NOT_FOUND : RESULT_RESERVATION_EXPIRED;
    const struct ledger_image *ledger = &world->disk.ledger;
    for (uint32_t i = ledger->row_count; i-- > 0;) {
        if (!id_equal(&ledger->rows[i].reservation, reservation))
            continue;
        *row = i;
        return ledger->rows[i].status == BOOKING_CONFIRMED ? RESULT_CONFLICT : RESULT_RESERVATION_EXPIRED;
    }
    return result;
}

void sagas_confirm(struct world *world, uint32_t fan, const struct id *reservation, uint32_t card, uint32_t shopper,
                   uint32_t plan) {
    uint32_t slot = sagas_find(world, reservation), row = 0;
    if (slot != SERVER_NO_SAGA) {
        struct open_saga *open = sagas_at(world, slot);
        if (open->is_looked_at && open->is_settled)
            tell(world, shopper, plan, RESULT_PAYMENT_IN_PROGRESS, open->row);
        else if (open->is_settled)
            tell(world, shopper, plan, result_of_failure(open), open->row);
        else if (open->is_sold)
            tell(world, shopper, plan,
                 open->saga.booking.status == BOOKING_CANCELLED ? RESULT_RESERVATION_EXPIRED : RESULT_OK, open->row);
        else
            wait_for_it(open, shopper, plan);
        return;
    }
    enum result result = look_at_hold(world, reservation, &row);
    if (result != RESULT_OK) {
        if (result != RESULT_CONFLICT)
            checks_hold_is_gone(world, world->crowd.shoppers[shopper].check);
        tell(world, shopper, plan, result == RESULT_CONFLICT ? RESULT_OK : result, row);
        return;
    }
    slot = sagas_open(world, reservation);
    struct open_saga *open = sagas_at(world, slot);
    struct hold hold;
    open->fan = fan;
    open->card = card;
    open->saga.has_token = true;
    open->saga.booking.id = draw_booking(world);
    wait_for_it(open, shopper, plan);
    result = office_begin_payment(world, reservation, &open->saga.booking.id, false, &hold, open->seats);
    if (result != RESULT_OK) {
        checks_hold_is_gone(world, world->crowd.shoppers[shopper].check);
        answer_waiter(world, open, result);
        open_saga_end(world, slot);
        return;
    }
    world_note(world, HAPPENED_PAYS, fan, slot);
    for (uint32_t i = 0; i < hold.seat_count; i++)
        open->saga.booking.seat_ids[i] = world->plan->seat_ids[open->seats[i]];
    begin(world, slot, &hold);
}
