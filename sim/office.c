/* The seats: holds are taken, journalled, expired and put back as src/engines/memory does it. */
#include "base/panic.h"
#include "memory.h"
#include "world.h"

#define EXPIRE_BATCH 64
#define CHANGES_AT_ONCE 4096
#define SYNC_EVERY_MS 100

static const struct journal_taken *taken_of(const struct world *world, uint32_t slot) {
    return &world->disk.journal.taken[world->server.taken_of_slot[slot]];
}

static void end(struct world *world, uint32_t slot, enum hold_state state) {
    journal_append(world, world->server.taken_of_slot[slot], JOURNALLED_ENDED, 0);
    checks_hold_ended(world, taken_of(world, slot)->check, state);
}

static void journal_step(struct world *world, uint32_t slot, enum journal_word word) {
    const struct hold *hold = hold_at(world->server.show, slot);
    journal_append(world, world->server.taken_of_slot[slot], word, hold->payments_begun);
}

static void journal_take(struct world *world, uint32_t slot, uint32_t fan, uint32_t check) {
    struct journal_image *journal = &world->disk.journal;
    struct show *show = world->server.show;
    const struct hold *hold = hold_at(show, slot);
    journal->taken =
        memory_grow(journal->taken, &journal->taken_room, journal->taken_count + 1, sizeof *journal->taken);
    struct journal_taken *taken = &journal->taken[journal->taken_count];
    *taken = (struct journal_taken){.hold = *hold, .fan = fan, .check = check};
    uint32_t count = hold_seats(show, hold, taken->seats, WORLD_MOST_SEATS);
    assert(count == hold->seat_count);
    world->server.taken_of_slot[slot] = journal->taken_count++;
    journal_append(world, world->server.taken_of_slot[slot], JOURNALLED_TAKE, hold->payments_begun);
}

/* ---- taking ---- */

static struct id draw_reservation(struct world *world) {
    struct id id;
    uint64_t parts[2] = {chance_next(&world->server_chance), chance_next(&world->server_chance) | 1};
    memcpy(id.at, parts, sizeof id.at);
    return id;
}

/* Seats beside each other that look free to somebody whose map is not new. */
static uint32_t pick_seats(struct world *world, uint32_t quantity, uint32_t *seats) {
    uint32_t all = world->plan->seat_count;
    quantity = quantity < all ? quantity : all;
    uint32_t first = chance_below(&world->fans_chance, all - quantity + 1);
    for (uint32_t i = 0; i < quantity; i++)
        seats[i] = first + i;
    return quantity;
}

enum result office_hold(struct world *world, uint32_t fan, uint32_t quantity, bool picky, struct hold *hold) {
    struct show *show = world->server.show;
    struct user_id user = world_user(fan);
    uint32_t seats[WORLD_MOST_SEATS], slot;
    struct hold_wish wish = {.reservation = draw_reservation(world), .user = &user, .best_category = PLAN_NO_SEAT};
    struct hold_refusal refusal;
    struct hold_warning warning;
    enum result result;
    int64_t now_ms = server_now(world);
    if (picky) {
        wish.seats = seats;
        wish.seat_count = pick_seats(world, quantity, seats);
        show_lock(show);
        result = hold_take(show, &wish, now_ms, &slot, &warning, &refusal);
        if (result != RESULT_OK)
            show_unlock(show);
    } else {
        wish.best_quantity = quantity;
        result = hold_take_best(show, &wish, now_ms, &slot, &refusal);
    }
    if (result != RESULT_OK)
        return result;
    *hold = *hold_at(show, slot);
    uint32_t count = hold_seats(show, hold, seats, WORLD_MOST_SEATS);
    journal_take(world, slot, fan, checks_held(world, fan, hold, count, seats));
    show_unlock(show);
    return RESULT_OK;
}

/* ---- ending ---- */

enum result office_release(struct world *world, const struct id *reservation) {
    struct show *show = world->server.show;
    show_lock(show);
    uint32_t slot = hold_find(show, reservation);
    enum result result = RESULT_RESERVATION_NOT_FOUND;
    if (slot != HOLD_NO_SLOT)
        result = hold_release(show, slot, server_now(world));
    if (result == RESULT_OK)
        end(world, slot, HOLD_RELEASED);
    show_unlock(show);
    return result;
}

enum result office_begin_payment(struct world *world, const struct id *reservation, const struct id *booking,
                                 bool recovering, struct hold *hold, uint32_t *seats) {
    struct show *show = world->server.show;
    show_lock(show);
    uint32_t slot = hold_find(show, reservation);
    enum result result = RESULT_RESERVATION_NOT_FOUND;
    if (slot != HOLD_NO_SLOT)
        result = hold_begin_payment(show, slot, booking, recovering, server_now(world));
    if (result == RESULT_OK) {
        *hold = *hold_at(show, slot);
        hold_seats(show, hold, seats, WORLD_MOST_SEATS);
        journal_step(world, slot, JOURNALLED_PAYING);
    }
    show_unlock(show);
    return result;
}

enum result office_retake(struct world *world, uint32_t fan, const struct booking *booking, const uint32_t *seats,
                          uint64_t *fence) {
    struct show *show = world->server.show;
    int64_t now_ms = server_now(world);
    show_lock(show);
    struct hold hold = {.reservation = booking->reservation,
                        .fence = show_draw_fence(show),
                        .taken_ms = now_ms,
                        .deadline_ms = now_ms,
                        .store_deadline_ms = now_ms,
                        .amount = booking->amount,
                        .seat_count = booking->seat_count,
                        .user = booking->user};
    uint32_t slot = hold_find(show, &booking->reservation);
    bool is_kept = slot != HOLD_NO_SLOT && hold_at(show, slot)->state == HOLD_HELD;
    enum result result = is_kept ? RESULT_OK : hold_retake(show, &hold, seats, &slot);
    if (result == RESULT_OK && !is_kept)
        journal_take(world, slot, fan, checks_held_again(world, &hold));
    if (result == RESULT_OK)
        *fence = hold_at(show, slot)->fence;
    show_unlock(show);
    return result;
}

enum result office_end_payment(struct world *world, const struct id *reservation, const struct id *booking, bool sold,
                               bool keep) {
    struct show *show = world->server.show;
    show_lock(show);
    uint32_t slot = hold_find(show, reservation);
    enum result result = slot == HOLD_NO_SLOT ? RESULT_RESERVATION_NOT_FOUND : RESULT_OK;
    if (result == RESULT_OK &&
        (hold_at(show, slot)->state != HOLD_PAYING || !id_equal(&hold_at(show, slot)->booking, booking)))
        result = RESULT_CONFLICT;
    if (result == RESULT_OK) {
        if (sold)
            hold_sell(show, slot);
        else
            hold_end_payment(show, slot, keep, server_now(world));
        enum hold_state state = (enum hold_state)hold_at(show, slot)->state;
        if (state == HOLD_HELD)
            journal_step(world, slot, JOURNALLED_HELD_AGAIN);
        else
            end(world, slot, state);
    }
    show_unlock(show);
    return result;
}

static void expire(struct world *world, int64_t now_ms) {
    struct show *show = world->server.show;
    struct id ended[EXPIRE_BATCH];
    uint32_t count;
    while ((count = show_expire(show, now_ms, EXPIRE_BATCH, ended)) > 0) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t slot = hold_find(show, &ended[i]);
            assert(slot != HOLD_NO_SLOT);
            world_note(world, HAPPENED_EXPIRED, taken_of(world, slot)->fan, taken_of(world, slot)->seats[0]);
            end(world, slot, HOLD_EXPIRED);
        }
    }
}

/* ---- the disk ---- */

static void tell_seats(struct world *world) {
    struct seat_change *changes = memory_new(CHANGES_AT_ONCE, sizeof *changes);
    uint32_t count = show_take_changes(world->server.show, changes, CHANGES_AT_ONCE);
    if (!count) {
        memory_free(changes);
        return;
    }
    world->server.seats_are_told = true;
    ledger_submit(world, &(struct ledger_write){.kind = LEDGER_WRITE_SEATS, .change_count = count, .changes = changes});
}

void office_tick(struct world *world) {
    struct show *show = world->server.show;
    struct journal_image *journal = &world->disk.journal;
    int64_t now_ms = server_now(world);
    show_lock(show);
    expire(world, now_ms);
    checks_no_hold_is_overdue(world, show_next_deadline(show));
    if (world->now_ms / 1000 != (world->now_ms - SYNC_EVERY_MS) / 1000 && !world->server.seats_are_told)
        tell_seats(world);
    show_unlock(show);
    if (journal->synced < journal->count)
        events_add(&world->events, world->now_ms + 1 + chance_below(&world->server_chance, 20), EVENT_SYNCED,
                   world->server.life, journal->count, 0);
}

/* ---- starting ---- */

struct recovered {
    bool lives, pays;
    uint8_t payments_begun;
};

/* By how much the hold's times move: on the same boot what the wall clock moved, on another one as
 * src/engines/memory/recovery.h says. */
static int64_t shift_of(const struct world *world, const struct hold *hold, int64_t wall_moved_ms, bool same_boot) {
    if (same_boot)
        return wall_moved_ms;
    int64_t now_ms = server_now(world), left = hold->store_deadline_ms - now_ms;
    int64_t left_when_marked = hold->store_deadline_ms - world->disk.journal.marked_ms;
    int64_t full = hold->store_deadline_ms - hold->taken_ms;
    left = left_when_marked > left ? left_when_marked : left;
    left = left > full ? full : left;
    return now_ms + left - hold->store_deadline_ms;
}

static void put_back(struct world *world, const struct journal_taken *taken, const struct recovered *recovered,
                     int64_t shift_ms) {
    struct show *show = world->server.show;
    struct hold hold = taken->hold;
    hold.taken_ms += shift_ms;
    hold.deadline_ms += shift_ms;
    hold.store_deadline_ms += shift_ms;
    hold.payments_begun = recovered->payments_begun;
    if (recovered->pays && hold.payments_begun > 0)
        hold.payments_begun--; /* the saga begins it again */
    hold.state = HOLD_HELD;
    hold.booking = (struct id){{0}};
    uint32_t slot;
    if (!recovered->pays && hold.store_deadline_ms <= server_now(world))
        return;
    if (hold_restore(show, &hold, taken->seats, &slot) == RESULT_OK)
        journal_take(world, slot, taken->fan, taken->check);
}

void office_restore_hold(struct world *world, uint32_t fan, const struct hold *hold, const uint32_t *seats) {
    struct show *show = world->server.show;
    uint32_t slot;
    show_lock(show);
    if (hold_find(show, &hold->reservation) == HOLD_NO_SLOT && hold_restore(show, hold, seats, &slot) == RESULT_OK)
        journal_take(world, slot, fan, checks_hold_made_anew(world, hold, seats));
    show_unlock(show);
}

static void load_seats(struct world *world) {
    const struct ledger_image *ledger = &world->disk.ledger;
    for (uint32_t seat = 0; seat < world->plan->seat_count; seat++) {
        struct user_id owner = {0};
        if (ledger->seat_row[seat])
            owner = world_user(ledger->rows[ledger->seat_row[seat] - 1].fan);
        if (ledger->seat_version[seat])
            show_load_seat(world->server.show, seat, ledger->seat_status[seat], ledger->seat_version[seat], &owner);
    }
}

void office_start(struct world *world) {
    struct server *server = &world->server;
    struct journal_image *journal = &world->disk.journal;
    server->show = show_new(&world->show_id, world->plan, &world->terms.show, ++world->disk.ledger.epoch);
    assert(server->show);
    server->taken_of_slot = memory_new(world->plan->seat_count, sizeof *server->taken_of_slot);
    server->seats_are_told = false;
    struct journal_image old = *journal;
    struct recovered *recovered = memory_new(old.taken_count, sizeof *recovered);
    for (uint32_t i = 0; i < old.count; i++) {
        struct recovered *hold = &recovered[old.lines[i].taken];
        hold->lives = old.lines[i].word != JOURNALLED_ENDED;
        hold->pays = old.lines[i].word == JOURNALLED_PAYING;
        hold->payments_begun = old.lines[i].payments_begun;
    }
    *journal = (struct journal_image){.marked_ms = old.marked_ms};
    show_lock(server->show);
    load_seats(world);
    for (uint32_t i = 0; i < old.taken_count; i++)
        if (recovered[i].lives)
            put_back(world, &old.taken[i], &recovered[i],
                     shift_of(world, &old.taken[i].hold, server->wall_moved_ms, server->is_same_boot));
    show_unlock(server->show);
    journal->synced = journal->count;
    journal->marked_ms = server_now(world);
    memory_free(recovered);
    memory_free(old.taken);
    memory_free(old.lines);
}
