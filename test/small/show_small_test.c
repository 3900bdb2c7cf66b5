/* A small world, all orders: two fans, three seats in one row, and every sequence of takes, payments, sales, releases,
 * expiries, ticks of the clock and crashes up to DEPTH steps; then random walks that go farther. After each step the
 * show's invariants hold, the show says what the naive one says, and the ledger would have taken every sale.
 *
 * A crash makes a new show from what a ledger and a journal would have: seats sold, seats as they were last told, holds
 * alive. */
#include "naive_show.h"
#include "show_world.h"

#define DEPTH 5
#define WALKS 5000
#define WALK_STEPS 60
#define TICK_MS 1000 /* a hold has two, and one of grace */

enum step {
    TAKE_1,
    TAKE_2_1,
    TAKE_2_3,
    TAKE_ALL,
    BEGIN,
    SELL,
    KEEP,
    DECLINE,
    RELEASE,
    STEPS_OF_A_FAN,
    TICK = 2 * STEPS_OF_A_FAN,
    EXPIRE,
    TELL, /* the ledger is told */
    CRASH,
    STEP_COUNT
};

static const char *const step_names[STEPS_OF_A_FAN] = {"take A1", "take A2 A1", "take A2 A3", "take all", "begin",
                                                       "sell",    "keep",       "decline",    "release"};

struct small_world {
    const struct plan *plan;
    struct show *show;
    struct naive_show naive;
    uint32_t epoch;
    uint64_t reservations_drawn;
    int64_t now_ms;
    struct id last[2];            /* each fan's newest reservation */
    struct seat_change ledger[3]; /* show_seats */
};

static struct small_world world;
static char path_text[WALK_STEPS * 20 + 1];

static struct show *new_show(uint32_t epoch) {
    static const struct id show_id = {{9}};
    struct show_settings settings = world_settings();
    settings.hold_seconds = 2;
    settings.grace_seconds = 1;
    struct show *show = show_new(&show_id, world.plan, &settings, epoch);
    assert_non_null(show);
    show_lock(show);
    naive_init(&world.naive, world.plan, &settings, epoch);
    return show;
}

static void world_begin(void) {
    world.epoch = 1;
    world.show = new_show(1);
    world.reservations_drawn = 0;
    world.now_ms = NOW;
    memset(world.last, 0, sizeof world.last);
    memset(world.ledger, 0, sizeof world.ledger);
}

static void world_close(void) {
    show_unlock(world.show);
    show_free(world.show);
}

static void do_take(unsigned fan, enum step step) {
    static const uint32_t seats[4][3] = {{0}, {1, 0}, {1, 2}, {0, 1, 2}};
    static const uint32_t counts[4] = {1, 2, 2, 3};
    struct user_id user = user_named(fan ? "bob" : "ann");
    struct hold_wish wish = {.user = &user, .seats = seats[step - TAKE_1], .seat_count = counts[step - TAKE_1]};
    uint64_t number = ++world.reservations_drawn * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(wish.reservation.at + 8, &number, sizeof number);
    struct hold_warning warning, naive_warning;
    struct hold_refusal refusal, naive_refusal;
    uint32_t slot, naive_slot;
    enum result result = hold_take(world.show, &wish, world.now_ms, &slot, &warning, &refusal);
    enum result expected = naive_take(&world.naive, &wish, world.now_ms, &naive_slot, &naive_warning, &naive_refusal);
    assert_int_equal(result, expected);
    assert_int_equal(refusal.seat_count, naive_refusal.seat_count);
    assert_memory_equal(refusal.seats, naive_refusal.seats, refusal.seat_count * sizeof *refusal.seats);
    if (result == RESULT_OK)
        world.last[fan] = wish.reservation;
}

/* What the ledger's guard demands of a sale. */
static void sell_in_ledger(const struct naive_hold *hold) {
    for (uint32_t i = 0; i < hold->hold.seat_count; i++) {
        struct seat_change *row = &world.ledger[hold->seats[i]];
        assert_true(row->version < hold->hold.fence + 1 && row->status != SEAT_BOOKED);
        *row = (struct seat_change){hold->seats[i], SEAT_BOOKED, hold->hold.fence + 1};
    }
}

static void tell_ledger(void) {
    struct seat_change changes[3], expected[3];
    uint32_t count = show_take_changes(world.show, changes, 3);
    assert_int_equal(count, naive_take_changes(&world.naive, expected, 3));
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(changes[i].seat, expected[i].seat);
        assert_int_equal(changes[i].status, expected[i].status);
        assert_int_equal(changes[i].version, expected[i].version);
        struct seat_change *row = &world.ledger[changes[i].seat];
        if (row->version < changes[i].version && row->status != SEAT_BOOKED)
            *row = changes[i];
    }
}

static void do_step_of_fan(unsigned fan, enum step step) {
    static const struct id bookings[2] = {{{1}}, {{2}}};
    uint32_t slot = hold_find(world.show, &world.last[fan]), naive = naive_find(&world.naive, &world.last[fan]);
    switch (step) {
    case BEGIN:
        assert_int_equal(hold_begin_payment(world.show, slot, &bookings[fan], false, world.now_ms),
                         naive_begin_payment(&world.naive, naive, &bookings[fan], false, world.now_ms));
        break;
    case SELL:
        sell_in_ledger(&world.naive.holds[naive]);
        hold_sell(world.show, slot);
        naive_sell(&world.naive, naive);
        break;
    case KEEP:
    case DECLINE:
        hold_end_payment(world.show, slot, step == KEEP, world.now_ms);
        naive_end_payment(&world.naive, naive, step == KEEP, world.now_ms);
        break;
    case RELEASE:
        assert_int_equal(hold_release(world.show, slot, world.now_ms),
                         naive_release(&world.naive, naive, world.now_ms));
        break;
    default:
        do_take(fan, step);
    }
}

struct journal_hold {
    struct hold hold;
    uint32_t seats[3];
};

static uint32_t read_journal(struct journal_hold *journal) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < world.naive.hold_count; i++) {
        const struct naive_hold *it = &world.naive.holds[i];
        if (it->hold.state != HOLD_HELD && it->hold.state != HOLD_PAYING)
            continue;
        journal[count].hold = it->hold;
        memcpy(journal[count++].seats, it->seats, sizeof journal->seats);
    }
    return count;
}

static void do_crash(void) {
    struct journal_hold journal[3];
    uint32_t count = read_journal(journal), slot, naive;
    world_close();
    world.show = new_show(++world.epoch);
    for (uint32_t seat = 0; seat < 3; seat++) {
        const struct seat_change *row = &world.ledger[seat];
        show_load_seat(world.show, seat, row->status, row->version, NULL);
        naive_load_seat(&world.naive, seat, row->status, row->version, NULL);
    }
    for (uint32_t i = 0; i < count; i++) {
        enum result result = hold_restore(world.show, &journal[i].hold, journal[i].seats, &slot);
        assert_int_equal(result, RESULT_OK);
        assert_int_equal(naive_restore(&world.naive, &journal[i].hold, journal[i].seats, &naive), RESULT_OK);
        if (journal[i].hold.state != HOLD_PAYING)
            continue;
        const struct id *booking = &journal[i].hold.booking;
        assert_int_equal(hold_begin_payment(world.show, slot, booking, true, world.now_ms), RESULT_OK);
        assert_int_equal(naive_begin_payment(&world.naive, naive, booking, true, world.now_ms), RESULT_OK);
    }
}

static void do_step(unsigned step) {
    world.now_ms++; /* so that no two deadlines are the same */
    if (step < TICK) {
        do_step_of_fan(step / STEPS_OF_A_FAN, (enum step)(step % STEPS_OF_A_FAN));
    } else if (step == TICK) {
        world.now_ms += TICK_MS;
    } else if (step == EXPIRE) {
        struct id ended[3];
        uint32_t count = show_expire(world.show, world.now_ms, 3, ended);
        assert_int_equal(count, naive_expire(&world.naive, world.now_ms, 3));
    } else if (step == TELL) {
        tell_ledger();
    } else {
        do_crash();
    }
}

/* Steps that change nothing, or that no caller may take, are left out. */
static bool may_follow(unsigned step) {
    if (step >= TICK)
        return step != EXPIRE || show_next_deadline(world.show) <= world.now_ms + 1;
    unsigned of_fan = step % STEPS_OF_A_FAN;
    if (of_fan < BEGIN)
        return true;
    uint32_t slot = hold_find(world.show, &world.last[step / STEPS_OF_A_FAN]);
    if (slot == HOLD_NO_SLOT)
        return false;
    return of_fan == BEGIN || of_fan == RELEASE || hold_at(world.show, slot)->state == HOLD_PAYING;
}

static void describe(const unsigned *path, unsigned length) {
    static const char *const others[] = {"tick", "expire", "tell", "crash"};
    size_t used = 0;
    for (unsigned i = 0; i < length; i++)
        used += (size_t)snprintf(path_text + used, sizeof path_text - used, "%s%s; ",
                                 path[i] >= TICK ? "" : (path[i] / STEPS_OF_A_FAN ? "bob: " : "ann: "),
                                 path[i] >= TICK ? others[path[i] - TICK] : step_names[path[i] % STEPS_OF_A_FAN]);
}

static void check_world(const unsigned *path, unsigned length) {
    char why[200];
    describe(path, length);
    if (!show_check(world.show, why, sizeof why))
        fail_msg("after %s invariant %s", path_text, why);
    naive_compare(&world.naive, world.show, path_text);
}

static uint64_t explore(unsigned *path, unsigned length) {
    bool follows[STEP_COUNT];
    uint64_t sequences = 1;
    world_begin();
    for (unsigned i = 0; i < length; i++)
        do_step(path[i]);
    check_world(path, length);
    for (unsigned step = 0; step < STEP_COUNT; step++)
        follows[step] = may_follow(step);
    world_close();
    for (path[length] = 0; length < DEPTH && path[length] < STEP_COUNT; path[length]++)
        if (follows[path[length]])
            sequences += explore(path, length + 1);
    return sequences;
}

static struct plan *plan_of_three_seats(void) {
    return plan_of_json("{'sections':[{'name':'','rows':1,'seats_per_row':3,'category':'Standard'}]}");
}

static void every_order_of_steps_ends_as_the_documentation_says(void **state) {
    /* Red if hold_end() frees the seats at the fence itself instead of the number after it. */
    (void)state;
    struct plan *plan = plan_of_three_seats();
    unsigned path[DEPTH + 1];
    world.plan = plan;
    assert_true(explore(path, 0) > 100000);
    plan_free(plan);
}

static void walks_of_many_steps_end_as_the_documentation_says(void **state) {
    /* Red if the hold that ended last is forgotten instead of the first. */
    (void)state;
    struct plan *plan = plan_of_three_seats();
    world.plan = plan;
    for (uint64_t seed = 1; seed <= WALKS; seed++) {
        uint64_t chance = seed;
        unsigned path[WALK_STEPS], length = 0;
        world_begin();
        while (length < WALK_STEPS) {
            chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            path[length] = (unsigned)(chance >> 33) % STEP_COUNT;
            if (!may_follow(path[length]))
                continue;
            do_step(path[length++]);
            check_world(path, length);
        }
        world_close();
    }
    plan_free(plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_order_of_steps_ends_as_the_documentation_says),
                                       cmocka_unit_test(walks_of_many_steps_end_as_the_documentation_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
