/* Long random runs on a show of some hundred seats, rows with aisles and mixed categories and two areas, against the
 * naive show: the same commands to both, and after each the same answers and the same state. Fixed seeds. */
#include "naive_show.h"
#include "show_world.h"

#include <stdlib.h>

#define STEPS 4000
#define FANS 12

static const char hall[] =
    "{'focus':{'x':9,'y':-3},'categories':[{'name':'Gold'},{'name':'Tin'}],"
    "'areas':[{'name':'Floor','capacity':30,'category':'Tin'},{'name':'Pit','capacity':7,'category':'Gold'}],"
    "'sections':[{'name':'','category':'Gold','rows':["
    "{'label':'A','seats':20,'from':[0,0],'to':[19,0],'gaps_after':[5,15]},"
    "{'label':'B','seats':20,'from':[0,1],'to':[19,1],'gaps_after':[10]},"
    "{'label':'C','seats':7,'from':[0,2],'to':[6,2]},{'label':'D','seats':70,'from':[0,3],'to':[40,3]}]},"
    "{'name':'Rear','category':'Tin','rows':[{'label':'A','seats':25,'from':[0,9],'to':[24,9]},"
    "{'label':'B','seats':3,'from':[0,10],'to':[2,10]},{'label':'C','seats':[{'number':1,'x':0,'y':11},"
    "{'number':2,'x':1,'y':11,'category':'Gold'},{'number':3,'x':2,'y':11,'category':'Gold'},"
    "{'number':4,'x':3,'y':11}]}]}]}";

static struct naive_show naive;
static struct show *show;
static struct plan *plan;
static uint64_t chance, reservations_drawn;
static uint32_t epoch;
static int64_t now_ms;

static uint32_t draw(uint32_t below) {
    chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(chance >> 33) % below;
}

static uint32_t draw_seat(void) {
    return draw(plan->seat_count);
}

/* A hold of the naive show that is in the state, or HOLD_NO_SLOT. */
static uint32_t draw_hold(enum hold_state state) {
    if (naive.hold_count == 0)
        return HOLD_NO_SLOT;
    uint32_t from = draw(naive.hold_count);
    for (uint32_t i = 0; i < naive.hold_count; i++) {
        uint32_t hold = (from + i) % naive.hold_count;
        if (!naive.holds[hold].forgotten && naive.holds[hold].hold.state == state)
            return hold;
    }
    return HOLD_NO_SLOT;
}

static uint32_t slot_of(uint32_t hold) {
    return hold_find(show, &naive.holds[hold].hold.reservation);
}

static int compare_seats(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static void take_as_wished(struct hold_wish *wish) {
    char name[8];
    snprintf(name, sizeof name, "fan%u", draw(FANS));
    struct user_id user = user_named(draw(30) ? name : "");
    struct hold_warning warning, naive_warning;
    struct hold_refusal refusal, naive_refusal;
    uint32_t slot, hold;
    uint64_t number = ++reservations_drawn * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(wish->reservation.at + 8, &number, sizeof number);
    wish->user = &user;
    enum result expected = naive_take(&naive, wish, now_ms, &hold, &naive_warning, &naive_refusal);
    enum result result;
    if (wish->best_quantity && draw(2)) {
        show_unlock(show);
        result = hold_take_best(show, wish, now_ms, &slot, &refusal);
        warning.orphan_count = 0;
        if (result != RESULT_OK)
            show_lock(show);
    } else {
        result = hold_take(show, wish, now_ms, &slot, &warning, &refusal);
    }
    if (result != expected)
        fail_msg("%s, not %s", result_name(result), result_name(expected));
    qsort(refusal.seats, refusal.seat_count, sizeof *refusal.seats, compare_seats);
    qsort(naive_refusal.seats, naive_refusal.seat_count, sizeof *refusal.seats, compare_seats);
    assert_int_equal(refusal.seat_count, naive_refusal.seat_count);
    assert_memory_equal(refusal.seats, naive_refusal.seats, refusal.seat_count * sizeof *refusal.seats);
    if (result != RESULT_OK)
        return;
    qsort(warning.orphans, warning.orphan_count, sizeof *warning.orphans, compare_seats);
    assert_int_equal(warning.orphan_count, naive_warning.orphan_count);
    assert_memory_equal(warning.orphans, naive_warning.orphans, warning.orphan_count * sizeof *warning.orphans);
}

static void step_take(void) {
    uint32_t seats[8], start = draw_seat();
    struct area_wish areas[2];
    struct hold_wish wish = {.seats = seats, .areas = areas, .seat_count = draw(6)};
    for (uint32_t i = 0; i < wish.seat_count; i++)
        seats[i] = draw(10) ? (start + i) % plan->seat_count : draw_seat();
    wish.area_count = draw(4) ? 0 : 1 + draw(2);
    for (uint32_t i = 0; i < wish.area_count; i++)
        areas[i] = (struct area_wish){2 + draw(2), draw(4)};
    take_as_wished(&wish);
}

static void step_take_best(void) {
    struct hold_wish wish = {.best_quantity = 1 + draw(draw(8) ? 5 : 80), .best_category = draw(2)};
    if (draw(3) == 0)
        wish.best_category = PLAN_NO_SEAT;
    take_as_wished(&wish);
}

static void step_release(void) {
    uint32_t hold = draw_hold((enum hold_state)(1 + draw(HOLD_STATE_COUNT - 1)));
    if (hold != HOLD_NO_SLOT) {
        enum result result = hold_release(show, slot_of(hold), now_ms);
        assert_int_equal(result, naive_release(&naive, hold, now_ms));
    }
}

static void step_begin(void) {
    uint32_t hold = draw_hold(draw(5) ? HOLD_HELD : (enum hold_state)(1 + draw(HOLD_STATE_COUNT - 1)));
    const struct id booking = {{(uint8_t)(1 + draw(200))}};
    bool recovering = draw(4) == 0;
    if (hold != HOLD_NO_SLOT) {
        enum result result = hold_begin_payment(show, slot_of(hold), &booking, recovering, now_ms);
        assert_int_equal(result, naive_begin_payment(&naive, hold, &booking, recovering, now_ms));
    }
}

static void step_end_payment(void) {
    uint32_t hold = draw_hold(HOLD_PAYING), how = draw(4);
    if (hold == HOLD_NO_SLOT)
        return;
    if (how < 2) {
        hold_sell(show, slot_of(hold));
        naive_sell(&naive, hold);
    } else {
        hold_end_payment(show, slot_of(hold), how == 2, now_ms);
        naive_end_payment(&naive, hold, how == 2, now_ms);
    }
}

static void step_expire(void) {
    struct id ended[8];
    uint32_t batch = 1 + draw(8);
    now_ms += draw(HOLD_MS / 4);
    uint32_t count = show_expire(show, now_ms, batch, ended);
    assert_int_equal(count, naive_expire(&naive, now_ms, batch));
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(naive.holds[naive_find(&naive, &ended[i])].hold.state, HOLD_EXPIRED);
}

static void step_configure(void) {
    struct show_settings settings = naive.settings;
    settings.orphan_rule = (enum orphan_rule)draw(3);
    settings.max_seats_per_user = draw(2) ? 0 : draw(40);
    settings.price[draw(2)] = draw(9000);
    show_configure(show, &settings);
    naive.settings = settings;
}

static void step_load(void) {
    struct user_id user = user_named("fan1");
    uint32_t seat = draw_seat(), status = draw(4);
    uint64_t version = naive.seats[seat].version + draw(4);
    if (draw(4) == 0)
        version = naive.next_fence - draw(20);
    const struct user_id *owner = draw(2) ? &user : NULL;
    show_load_seat(show, seat, (enum seat_status)status, version, owner);
    naive_load_seat(&naive, seat, (enum seat_status)status, version, owner);
}

static void step_operator(void) {
    uint32_t seats[6], count = 1 + draw(5), start = draw_seat(), what = draw(3);
    bool is_late = draw(9) == 0;
    uint64_t version = is_late ? naive.next_fence - 40 : naive_draw_fence(&naive);
    struct hold_refusal refusal;
    bool done;
    if (!is_late)
        assert_int_equal(show_draw_fence(show), version);
    for (uint32_t i = 0; i < count; i++)
        seats[i] = draw(6) ? (start + i) % plan->seat_count : start;
    if (what == 0) {
        done = show_unsell(show, count, seats, version);
        assert_int_equal(done, naive_unsell(&naive, count, seats, version));
    } else if (what == 1) {
        done = show_block(show, count, seats, version, &refusal) == RESULT_OK;
        assert_int_equal(done, naive_change(&naive, SEAT_AVAILABLE, SEAT_BLOCKED, count, seats, version));
    } else {
        done = show_unblock(show, count, seats, version, &refusal) == RESULT_OK;
        assert_int_equal(done, naive_change(&naive, SEAT_BLOCKED, SEAT_AVAILABLE, count, seats, version));
    }
}

/* Many refunds at once, so that the run goes on. */
static void step_refund(void) {
    uint32_t seats[NAIVE_SEATS], count = 0, from = draw_seat();
    for (uint32_t i = 0; i < plan->seat_count && count < 40; i++)
        if (naive.seats[(from + i) % plan->seat_count].status == SEAT_BOOKED)
            seats[count++] = (from + i) % plan->seat_count;
    uint64_t version = naive_draw_fence(&naive);
    assert_int_equal(show_draw_fence(show), version);
    assert_true(naive_unsell(&naive, count, seats, version));
    assert_true(show_unsell(show, count, seats, version));
}

static void step_tell(void) {
    struct seat_change changes[40], expected[40];
    uint32_t room = 1 + draw(40), count = show_take_changes(show, changes, room);
    assert_int_equal(count, naive_take_changes(&naive, expected, room));
    for (uint32_t i = 0; i < count; i++)
        assert_true(changes[i].seat == expected[i].seat && changes[i].status == expected[i].status &&
                    changes[i].version == expected[i].version);
}

static void (*const steps[])(void) = {
    step_take,      step_take,     step_take,    step_take,        step_take_best,   step_take_best,
    step_begin,     step_begin,    step_release, step_end_payment, step_end_payment, step_expire,
    step_configure, step_operator, step_tell,    step_load,
};

static void new_show(void) {
    static const struct id show_id = {{9}};
    struct show_settings settings = epoch ? naive.settings : world_settings();
    show = show_new(&show_id, plan, &settings, ++epoch);
    assert_non_null(show);
    show_lock(show);
    naive_init(&naive, plan, &settings, epoch);
}

static void old_show(void) {
    show_unlock(show);
    show_free(show);
}

struct journal_hold {
    struct hold hold;
    uint32_t seats[LIMIT_SEATS_PER_HOLD];
};

/* What the journal has: holds alive, with the seats that are still theirs. */
static uint32_t read_journal(struct journal_hold *journal) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < naive.hold_count; i++) {
        const struct naive_hold *it = &naive.holds[i];
        if (it->hold.state != HOLD_HELD && it->hold.state != HOLD_PAYING)
            continue;
        uint32_t kept = 0;
        for (uint32_t k = 0; k < it->hold.seat_count; k++)
            if (naive.seats[it->seats[k]].status == SEAT_HELD && naive.seats[it->seats[k]].hold == i)
                journal[count].seats[kept++] = it->seats[k];
        journal[count].hold = it->hold;
        journal[count].hold.seat_count = kept;
        count += kept > 0;
    }
    return count;
}

static void crash(void) {
    static struct journal_hold journal[NAIVE_SEATS];
    static struct naive_seat ledger[NAIVE_SEATS];
    uint32_t count = read_journal(journal), slot, hold;
    memcpy(ledger, naive.seats, sizeof ledger);
    old_show();
    new_show();
    for (uint32_t seat = 0; seat < plan->seat_count; seat++) {
        if (ledger[seat].untold && draw(2))
            continue;
        const struct user_id *buyer = ledger[seat].status == SEAT_BOOKED ? &ledger[seat].buyer : NULL;
        show_load_seat(show, seat, ledger[seat].status, ledger[seat].version, buyer);
        naive_load_seat(&naive, seat, ledger[seat].status, ledger[seat].version, buyer);
    }
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(hold_restore(show, &journal[i].hold, journal[i].seats, &slot), RESULT_OK);
        assert_int_equal(naive_restore(&naive, &journal[i].hold, journal[i].seats, &hold), RESULT_OK);
    }
}

static void long_runs_end_as_the_documentation_says(void **state) {
    /* Red if anything that the show answers differs from what the naive show answers. */
    static const uint64_t seeds[] = {1, 2, 3, 4, 5, 6, 7, 8};
    (void)state;
    plan = plan_of_json(hall);
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        char where[64], why[200];
        chance = seeds[i];
        epoch = 0;
        now_ms = NOW;
        new_show();
        for (unsigned step = 0; step < STEPS; step++) {
            now_ms += 1 + draw(2000);
            snprintf(where, sizeof where, "step %u of seed %u", step, (unsigned)seeds[i]);
            if (step % 1500 == 1499)
                crash();
            else if (step % 60 == 59)
                step_refund();
            else
                steps[draw(sizeof steps / sizeof *steps)]();
            if (!show_check(show, why, sizeof why))
                fail_msg("after %s invariant %s", where, why);
            naive_compare(&naive, show, where);
        }
        old_show();
    }
    plan_free(plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(long_runs_end_as_the_documentation_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
