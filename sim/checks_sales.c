#include "checks.h"
#include "memory.h"
#include "world.h"

#include <stdio.h>

#define MAY_FORGET_MS 500 /* so long a hold may be lost after it was answered */
#define DEEP_EVERY_MS 5000

void checks_init(struct world *world) {
    struct checks *checks = &world->checks;
    uint32_t seats = world->plan->seat_count;
    *checks = (struct checks){.drip_rate = world->terms.queue.rate_per_minute};
    checks->number_of_fan = memory_new(world->terms.fans, sizeof *checks->number_of_fan);
    checks->hold_of_seat = memory_new(seats, sizeof *checks->hold_of_seat);
    checks->sold_to = memory_new(seats, sizeof *checks->sold_to);
    checks->drip_level = INT64_MAX / 4; /* full: cut down at the first look */
}

void checks_release(struct checks *checks) {
    memory_free(checks->places);
    memory_free(checks->number_of_fan);
    memory_free(checks->calls);
    memory_free(checks->door);
    memory_free(checks->stays);
    memory_free(checks->pending);
    memory_free(checks->hold_of_seat);
    memory_free(checks->sold_to);
    memory_free(checks->holds);
    memory_free(checks->captured);
}

/* ---- holds ---- */

static void give_seats(struct world *world, uint32_t check) {
    struct checks *checks = &world->checks;
    const struct checked_hold *hold = &checks->holds[check];
    for (uint32_t i = 0; i < hold->seat_count; i++) {
        uint32_t seat = hold->seats[i];
        /* Promise 1: red if a seat is held twice, or held when it is sold; if a paying hold is let go by a clock. */
        if (checks->hold_of_seat[seat] || checks->sold_to[seat])
            world_broken(world, "seat %u goes to fan %u, and is %s already", seat, hold->fan,
                         checks->sold_to[seat] ? "sold" : "held");
        checks->hold_of_seat[seat] = check + 1;
    }
}

uint32_t checks_held(struct world *world, uint32_t fan, const struct hold *hold, uint32_t count,
                     const uint32_t *seats) {
    struct checks *checks = &world->checks;
    int64_t offset_ms = server_now(world) - world->now_ms;
    checks->holds = memory_grow(checks->holds, &checks->hold_room, checks->hold_count + 1, sizeof *checks->holds);
    struct checked_hold *checked = &checks->holds[checks->hold_count];
    *checked = (struct checked_hold){.fan = fan,
                                     .seat_count = count,
                                     .reservation = hold->reservation,
                                     .taken_ms = world->now_ms,
                                     .deadline_ms = hold->deadline_ms - offset_ms,
                                     .store_deadline_ms = hold->store_deadline_ms - offset_ms};
    memcpy(checked->seats, seats, count * sizeof *seats);
    /* Promise 2: red if a hold has more or fewer seats than it says. */
    if (count != hold->seat_count || hold->amount != (int64_t)count * WORLD_PRICE)
        world_broken(world, "fan %u holds %u seats for %lld, and is told of %u", fan, count, (long long)hold->amount,
                     hold->seat_count);
    give_seats(world, checks->hold_count);
    return checks->hold_count++;
}

/* After a crash that forgot it, or that forgot that it had ended, a hold is there again because it is being paid. */
uint32_t checks_hold_made_anew(struct world *world, const struct hold *hold, const uint32_t *seats) {
    struct checks *checks = &world->checks;
    for (uint32_t i = checks->hold_count; i-- > 0;)
        if (id_equal(&checks->holds[i].reservation, &hold->reservation)) {
            checks->holds[i].is_forgotten = true; /* its deadline is */
            return i;
        }
    world_broken(world, "seat %u is held for a booking whose hold nobody was told of", seats[0]);
}

uint32_t checks_held_again(struct world *world, const struct hold *hold) {
    struct checks *checks = &world->checks;
    for (uint32_t i = checks->hold_count; i-- > 0;) {
        if (!id_equal(&checks->holds[i].reservation, &hold->reservation))
            continue;
        checks->holds[i].is_forgotten = true; /* its deadline is */
        if (!checks->holds[i].ended_ms)
            world_broken(world, "the hold of fan %u is taken again, and has not ended", checks->holds[i].fan);
        checks->holds[i].ended_ms = 0;
        give_seats(world, i);
        return i;
    }
    world_broken(world, "a hold that nobody was told of is taken again");
}

void checks_hold_ended(struct world *world, uint32_t check, enum hold_state state) {
    struct checks *checks = &world->checks;
    struct checked_hold *hold = &checks->holds[check];
    /* Promise 2: red if a hold expires before its time, with clocks that step over restarts. */
    if (state == HOLD_EXPIRED && !hold->is_forgotten && world->now_ms < hold->store_deadline_ms)
        world_broken(world, "the hold of fan %u expires %lld ms before its time", hold->fan,
                     (long long)(hold->store_deadline_ms - world->now_ms));
    if (hold->ended_ms)
        world_broken(world, "the hold of fan %u ends twice", hold->fan);
    hold->ended_ms = world->now_ms;
    for (uint32_t i = 0; i < hold->seat_count; i++)
        checks->hold_of_seat[hold->seats[i]] = 0;
}

/* Promise 2: red if an unpaid hold outlives its deadline. */
void checks_no_hold_is_overdue(struct world *world, int64_t next_deadline_ms) {
    if (next_deadline_ms <= server_now(world))
        world_broken(world, "a hold was to end %lld ms ago", (long long)(server_now(world) - next_deadline_ms));
}

void checks_hold_is_gone(struct world *world, uint32_t check) {
    const struct checked_hold *hold = &world->checks.holds[check];
    /* Promise 2: red if a hold is lost that was answered half a second before a crash, or without any. */
    if (!hold->ended_ms && !hold->is_forgotten && world->now_ms <= hold->deadline_ms)
        world_broken(world, "the hold of fan %u is gone, %lld ms before its deadline", hold->fan,
                     (long long)(hold->deadline_ms - world->now_ms));
}

/* ---- the ledger and the gateway ---- */

static unsigned intent_of(const struct row *row) {
    unsigned index = UINT32_MAX;
    (void)!sscanf(row->intent_id, "pi_%u", &index);
    return index;
}

static void check_sale(struct world *world, const struct ledger_write *write) {
    struct checks *checks = &world->checks;
    const struct row *row = &world->disk.ledger.rows[write->row];
    world_note(world, HAPPENED_SOLD, row->fan, write->row);
    unsigned intent = intent_of(row);
    /* Promise 8: red if anything is sold before it is paid for. */
    if (intent >= world->gateway.intent_count || (world->gateway.intents[intent].status != INTENT_REQUIRES_CAPTURE &&
                                                  world->gateway.intents[intent].status != INTENT_SUCCEEDED))
        world_broken(world, "booking %u is sold, and nothing is authorized for it", write->row);
    for (uint32_t i = 0; i < row->seat_count; i++) {
        /* Promise 1: red if the ledger sells a seat twice. */
        if (checks->sold_to[row->seats[i]])
            world_broken(world, "seat %u is sold to booking %u, and was to %u", row->seats[i], write->row,
                         checks->sold_to[row->seats[i]] - 1);
        checks->sold_to[row->seats[i]] = write->row + 1;
    }
}

static void check_given_back(struct world *world, const struct ledger_write *write) {
    const struct row *row = &world->disk.ledger.rows[write->row];
    for (uint32_t i = 0; i < write->gone_count; i++)
        world->checks.sold_to[write->gone[i]] = 0;
    world_note(world, HAPPENED_GIVEN_BACK, row->fan, write->row);
}

void checks_committed(struct world *world, const struct ledger_write *write) {
    if (write->result != RESULT_OK)
        return;
    if (write->kind == LEDGER_SELL)
        check_sale(world, write);
    else if (write->kind == LEDGER_CANCEL_SOLD)
        check_given_back(world, write);
    else if (write->kind == LEDGER_ADMIT)
        checks_admitted(world, write->admission.number);
}

/* Promise 1: who has paid for a hold that lives gets the seats. Red if holds overlap, where no crash has forgotten one.
 */
void checks_seat_lost(struct world *world, const struct ledger_write *write) {
    if (!world->crashes)
        world_broken(world, "booking %u lost a seat, and no hold was ever forgotten", write->row);
}

void checks_captured(struct world *world, uint32_t index) {
    struct checks *checks = &world->checks;
    uint32_t row = world->gateway.intents[index].row, before = checks->captured_room;
    checks->captured = memory_grow(checks->captured, &checks->captured_room, (size_t)row + 1, 1);
    if (checks->captured_room > before)
        memset(checks->captured + before, 0, checks->captured_room - before);
    /* Promise 8: red if a booking is captured twice, over two intents. */
    if (checks->captured[row]++)
        world_broken(world, "booking %u is captured twice", row);
    const struct row *booking = &world->disk.ledger.rows[row];
    /* Promise 8: red if money is taken before the sale is on disk. */
    if (booking->status != BOOKING_CONFIRMED || booking->saga != SAGA_CAPTURING)
        world_broken(world, "booking %u is captured in state %s", row, saga_state_name(booking->saga));
}

/* Promise 1: what a fan was told is so, for good. Red if a confirm is answered before its commit. */
void checks_told_confirmed(struct world *world, uint32_t fan, uint32_t index) {
    const struct row *row = &world->disk.ledger.rows[index];
    bool was_given_back = row->status == BOOKING_CANCELLED && row->reason[0] != '\0';
    if (index >= world->disk.ledger.row_count || row->fan != fan ||
        (row->status != BOOKING_CONFIRMED && !was_given_back))
        world_broken(world, "fan %u is told of booking %u, which is not confirmed", fan, index);
}

/* ---- the whole ---- */

static void check_deep(struct world *world) {
    char why[240] = "";
    show_lock(world->server.show);
    bool is_good = show_check(world->server.show, why, sizeof why);
    show_unlock(world->server.show);
    if (!is_good)
        world_broken(world, "the show: %s", why);
    checks_room_deep(world);
}

/* A look at everything costs by seats and places: the larger the world, the rarer. */
void checks_ticked(struct world *world) {
    checks_room_ticked(world);
    int64_t every_ms = DEEP_EVERY_MS + world->terms.fans / 5 + world->plan->seat_count / 5;
    if (world->now_ms - world->checks.deep_ms < every_ms)
        return;
    world->checks.deep_ms = world->now_ms;
    check_deep(world);
}

void checks_died(struct world *world) {
    world->checks.died_ms = world->now_ms;
    checks_room_died(world);
}

static bool is_sold_to(const struct world *world, const struct checked_hold *hold) {
    uint32_t row = world->checks.sold_to[hold->seats[0]];
    return row && id_equal(&world->disk.ledger.rows[row - 1].reservation, &hold->reservation);
}

/* A hold that lived when the server died: there again, or there is a reason. */
static void check_hold_after(struct world *world, uint32_t check) {
    struct checks *checks = &world->checks;
    struct checked_hold *hold = &checks->holds[check];
    uint32_t slot = hold_find(world->server.show, &hold->reservation);
    enum hold_state state =
        slot == HOLD_NO_SLOT ? HOLD_FREE : (enum hold_state)hold_at(world->server.show, slot)->state;
    bool is_back = state == HOLD_HELD || state == HOLD_PAYING;
    bool was_alive = !hold->ended_ms;
    if (is_back && !was_alive && hold->ended_ms < checks->died_ms - MAY_FORGET_MS)
        /* Promise 2: red if a restart brings back what ended long ago. */
        world_broken(world, "the hold of fan %u ended, and is back after a restart", hold->fan);
    if (!is_back && was_alive) {
        bool is_young = hold->taken_ms >= checks->died_ms - MAY_FORGET_MS;
        bool is_over = world->now_ms >= hold->store_deadline_ms;
        /* Promise 2: red if the journal loses a hold that was answered half a second before. */
        if (!is_young && !is_over && !is_sold_to(world, hold))
            world_broken(world, "a restart has lost the hold of fan %u, answered %lld ms before", hold->fan,
                         (long long)(checks->died_ms - hold->taken_ms));
        hold->is_forgotten = true;
        world_note(world, HAPPENED_FORGOTTEN, hold->fan, hold->seats[0]);
    }
    if (is_back)
        hold->ended_ms = 0;
    else if (was_alive)
        hold->ended_ms = world->now_ms;
}

void checks_restarted(struct world *world) {
    struct checks *checks = &world->checks;
    memset(checks->hold_of_seat, 0, world->plan->seat_count * sizeof *checks->hold_of_seat);
    show_lock(world->server.show);
    for (uint32_t i = 0; i < checks->hold_count; i++) {
        check_hold_after(world, i);
        if (!checks->holds[i].ended_ms)
            give_seats(world, i);
    }
    show_unlock(world->server.show);
    checks_room_restarted(world);
    check_deep(world);
}

/* ---- the end of a world ---- */

struct balance {
    int64_t captured, refunded;
    bool is_authorized;
};

static void check_booking(struct world *world, uint32_t index, const struct balance *balance) {
    const struct row *row = &world->disk.ledger.rows[index];
    int64_t kept = balance->captured - balance->refunded;
    int64_t due = row->saga == SAGA_DONE ? row->amount - row->refunded : 0;
    /* Promise 8: red if a saga is forgotten, or ends where a human has to look although every fault has ended. */
    if (row->saga != SAGA_DONE && row->saga != SAGA_CANCELLED && row->saga != SAGA_REFUNDED)
        world_broken(world, "booking %u has not come to an end: %s, %s", index, saga_state_name(row->saga),
                     row->reason);
    /* Promise 8: red if money is kept for nothing, or missing. */
    if (kept != due || balance->is_authorized)
        world_broken(world, "booking %u is %s, and %lld of %lld is kept%s", index, saga_state_name(row->saga),
                     (long long)kept, (long long)row->amount, balance->is_authorized ? ", more is authorized" : "");
    if ((row->saga == SAGA_DONE) != (row->status == BOOKING_CONFIRMED))
        world_broken(world, "booking %u is %s and %s", index, saga_state_name(row->saga),
                     booking_status_name(row->status));
    /* Promise 1: red if a confirmed booking lacks a seat. */
    for (uint32_t i = 0; i < row->seat_count && row->saga == SAGA_DONE; i++)
        if (world->disk.ledger.seat_row[row->seats[i]] != index + 1)
            world_broken(world, "booking %u has no ticket for its seat %u", index, row->seats[i]);
}

static void check_money(struct world *world) {
    const struct ledger_image *ledger = &world->disk.ledger;
    const struct gateway *gateway = &world->gateway;
    struct balance *balances = memory_new(ledger->row_count, sizeof *balances);
    for (uint32_t i = 0; i < gateway->intent_count; i++) {
        const struct intent *intent = &gateway->intents[i];
        struct balance *balance = &balances[intent->row];
        balance->captured += intent->captured;
        balance->refunded += intent->refunded;
        balance->is_authorized |= intent->status == INTENT_REQUIRES_CAPTURE || intent->status == INTENT_PROCESSING;
    }
    for (uint32_t i = 0; i < ledger->row_count; i++)
        check_booking(world, i, &balances[i]);
    memory_free(balances);
}

static void check_seats(struct world *world) {
    const struct ledger_image *ledger = &world->disk.ledger;
    struct show *show = world->server.show;
    show_lock(show);
    for (uint32_t seat = 0; seat < world->plan->seat_count; seat++) {
        enum seat_status status = show_seat_status(show, seat);
        /* Promise 2: red if a seat stays held for good. Promise 1: red if memory and ledger part. */
        if (status == SEAT_HELD || (status == SEAT_BOOKED) != (ledger->seat_row[seat] != 0))
            world_broken(world, "in the end seat %u has status %d, and the ledger's ticket is %u", seat, (int)status,
                         ledger->seat_row[seat]);
        /* Promise 1: red if a booking is cancelled, and its seats are not given back. */
        if (ledger->seat_row[seat] && ledger->rows[ledger->seat_row[seat] - 1].status != BOOKING_CONFIRMED)
            world_broken(world, "in the end seat %u is sold to booking %u, which is %s", seat,
                         ledger->seat_row[seat] - 1,
                         booking_status_name(ledger->rows[ledger->seat_row[seat] - 1].status));
    }
    show_unlock(show);
}

void checks_end(struct world *world) {
    /* Liveness: red if the queue stands still while there are seats, or an answer never comes. */
    if (world->crowd.home != world->crowd.count)
        world_broken(world, "nothing happens any more, and %u fans are not home",
                     world->crowd.count - world->crowd.home);
    if (!world->server.is_up || world->server.sagas_open)
        world_broken(world, "nothing happens any more, and %u payments are open", world->server.sagas_open);
    check_deep(world);
    check_money(world);
    check_seats(world);
}
