#include "naive_show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

void naive_init(struct naive_show *show, const struct plan *plan, const struct show_settings *settings,
                uint32_t epoch) {
    assert_true(plan->seat_count <= NAIVE_SEATS);
    memset(show->seats, 0, sizeof show->seats);
    show->hold_count = show->ended_count = 0;
    show->sequence = 0;
    show->plan = plan;
    show->settings = *settings;
    show->next_fence = ((uint64_t)epoch << 40) + 2;
}

/* ---- neighbours, orphans, best available ---- */

static bool are_neighbours(const struct plan *plan, uint32_t left, uint32_t right) {
    return right == left + 1 && plan->seat_row[left] != PLAN_NO_SEAT && plan->seat_row[left] == plan->seat_row[right] &&
           !plan_gap_after(plan, left);
}

static bool is_orphan(const struct plan *plan, const bool *free, uint32_t seat) {
    if (!free[seat] || plan->seat_row[seat] == PLAN_NO_SEAT)
        return false;
    bool left = seat > 0 && are_neighbours(plan, seat - 1, seat) && free[seat - 1];
    bool right = seat + 1 < plan->seat_count && are_neighbours(plan, seat, seat + 1) && free[seat + 1];
    return !left && !right;
}

/* The orphans after the seats are taken that were none before, ascending. */
static uint32_t new_orphans(const struct plan *plan, const bool *free, uint32_t count, const uint32_t *seats,
                            uint32_t *orphans) {
    bool after[NAIVE_SEATS];
    memcpy(after, free, sizeof after);
    for (uint32_t i = 0; i < count; i++)
        after[seats[i]] = false;
    uint32_t found = 0;
    for (uint32_t seat = 0; seat < plan->seat_count; seat++)
        if (is_orphan(plan, after, seat) && !is_orphan(plan, free, seat))
            orphans[found++] = seat;
    return found;
}

static bool is_place(const struct plan *plan, const bool *free, uint32_t start, uint32_t quantity, uint32_t category) {
    if (start + quantity > plan->seat_count || plan->seat_row[start] == PLAN_NO_SEAT)
        return false;
    for (uint32_t i = 0; i < quantity; i++) {
        if (!free[start + i] || (category != PLAN_NO_SEAT && plan->seat_category[start + i] != category))
            return false;
        if (i && !are_neighbours(plan, start + i - 1, start + i))
            return false;
    }
    return true;
}

static double square_to_focus(const struct plan *plan, uint32_t seat) {
    double x = (double)plan->positions[seat].x - plan->focus.x, y = (double)plan->positions[seat].y - plan->focus.y;
    return x * x + y * y;
}

static uint32_t off_centre(const struct plan *plan, uint32_t start, uint32_t quantity) {
    const struct plan_row *row = &plan->rows[plan->seat_row[start]];
    double nearest = square_to_focus(plan, row->first_seat);
    for (uint32_t i = 0; i < row->seat_count; i++)
        if (square_to_focus(plan, row->first_seat + i) < nearest)
            nearest = square_to_focus(plan, row->first_seat + i);
    int first = -1, last = -1;
    for (uint32_t i = 0; i < row->seat_count; i++)
        if (square_to_focus(plan, row->first_seat + i) <= nearest * 1.002) {
            first = first < 0 ? (int)i : first;
            last = (int)i;
        }
    int distance = (int)(2 * (start - row->first_seat) + quantity - 1) - (first + last);
    return (uint32_t)(distance < 0 ? -distance : distance);
}

/* Whether a is better than b, both being places of the quality. */
static bool is_better(const struct plan *plan, const bool *free, uint32_t quantity, uint32_t a, uint32_t b) {
    uint32_t of_a[NAIVE_SEATS], of_b[NAIVE_SEATS], seats_a[LIMIT_SEATS_PER_HOLD], seats_b[LIMIT_SEATS_PER_HOLD];
    for (uint32_t i = 0; i < quantity; i++) {
        seats_a[i] = a + i;
        seats_b[i] = b + i;
    }
    uint32_t orphans_a = new_orphans(plan, free, quantity, seats_a, of_a);
    uint32_t orphans_b = new_orphans(plan, free, quantity, seats_b, of_b);
    uint32_t rank_a = plan->rows[plan->seat_row[a]].rank, rank_b = plan->rows[plan->seat_row[b]].rank;
    uint32_t off_a = off_centre(plan, a, quantity), off_b = off_centre(plan, b, quantity);
    if (orphans_a != orphans_b)
        return orphans_a < orphans_b;
    if (rank_a != rank_b)
        return rank_a < rank_b;
    return off_a != off_b ? off_a < off_b : a < b;
}

static bool best_in_areas(const struct plan *plan, const bool *free, uint32_t quantity, uint32_t category,
                          uint32_t *seats) {
    for (uint32_t i = 0; i < plan->section_count; i++) {
        const struct plan_section *section = &plan->sections[i];
        uint32_t places[NAIVE_SEATS], count = 0;
        for (uint32_t seat = section->first_seat; seat < section->first_seat + section->seat_count; seat++)
            if (free[seat] && (category == PLAN_NO_SEAT || plan->seat_category[seat] == category))
                places[count++] = seat;
        if (section->is_area && count >= quantity) {
            memcpy(seats, places, quantity * sizeof *seats);
            return true;
        }
    }
    return false;
}

enum result naive_best(const struct plan *plan, const bool *free, uint32_t quantity, uint32_t category,
                       uint32_t *seats) {
    uint32_t best_rank = UINT32_MAX, best = PLAN_NO_SEAT, left = 0;
    for (uint32_t start = 0; start < plan->seat_count; start++)
        if (is_place(plan, free, start, quantity, category) && plan->rows[plan->seat_row[start]].rank < best_rank)
            best_rank = plan->rows[plan->seat_row[start]].rank;
    for (uint32_t start = 0; start < plan->seat_count; start++) {
        if (!is_place(plan, free, start, quantity, category) ||
            plan->rows[plan->seat_row[start]].rank > best_rank + plan->row_count / 64)
            continue;
        if (best == PLAN_NO_SEAT || is_better(plan, free, quantity, start, best))
            best = start;
    }
    if (best != PLAN_NO_SEAT) {
        for (uint32_t i = 0; i < quantity; i++)
            seats[i] = best + i;
        return RESULT_OK;
    }
    if (best_in_areas(plan, free, quantity, category, seats))
        return RESULT_OK;
    for (uint32_t seat = 0; seat < plan->seat_count; seat++)
        left += free[seat] && (category == PLAN_NO_SEAT || plan->seat_category[seat] == category);
    return left < quantity ? RESULT_SOLD_OUT : RESULT_NO_ADJACENT_SEATS;
}

/* ---- taking ---- */

static uint32_t seats_of_user(const struct naive_show *show, const struct user_id *user) {
    uint32_t count = 0;
    for (uint32_t seat = 0; seat < show->plan->seat_count && user->length; seat++) {
        const struct naive_seat *it = &show->seats[seat];
        if (it->status == SEAT_HELD)
            count += bytes_equal(user_bytes(&show->holds[it->hold].hold.user), user_bytes(user));
        else if (it->status == SEAT_BOOKED)
            count += bytes_equal(user_bytes(&it->buyer), user_bytes(user));
    }
    return count;
}

static bool has(const uint32_t *list, uint32_t count, uint32_t seat) {
    for (uint32_t i = 0; i < count; i++)
        if (list[i] == seat)
            return true;
    return false;
}

static enum result pick_named(const struct naive_show *show, const struct hold_wish *wish, const bool *free,
                              uint32_t *seats, uint32_t *count, struct hold_refusal *refusal) {
    for (uint32_t i = 0; i < wish->seat_count; i++)
        if (has(wish->seats, i, wish->seats[i]))
            return RESULT_DUPLICATE_SEAT;
    for (uint32_t i = 0; i < wish->seat_count; i++) {
        seats[(*count)++] = wish->seats[i];
        if (!free[wish->seats[i]])
            refusal->seats[refusal->seat_count++] = wish->seats[i];
    }
    if (refusal->seat_count)
        return RESULT_SEAT_UNAVAILABLE;
    for (uint32_t i = 0; i < wish->area_count; i++) {
        const struct plan_section *area = &show->plan->sections[wish->areas[i].section];
        uint32_t wanted = wish->areas[i].quantity;
        for (uint32_t seat = area->first_seat; seat < area->first_seat + area->seat_count && wanted; seat++)
            if (free[seat] && !has(seats, *count, seat)) {
                seats[(*count)++] = seat;
                wanted--;
            }
        if (wanted)
            return RESULT_SOLD_OUT;
    }
    return RESULT_OK;
}

static bool other_choice(const struct naive_show *show, const bool *free, uint32_t count, const uint32_t *seats) {
    uint32_t in_rows = 0;
    for (uint32_t i = 0; i < count; i++)
        in_rows += show->plan->seat_row[seats[i]] != PLAN_NO_SEAT;
    for (uint32_t i = 0; i < count; i++) {
        bool found = show->plan->seat_row[seats[i]] == PLAN_NO_SEAT;
        for (uint32_t start = 0; start < show->plan->seat_count && !found; start++) {
            uint32_t place[LIMIT_SEATS_PER_HOLD], orphans[NAIVE_SEATS];
            if (!is_place(show->plan, free, start, in_rows, show->plan->seat_category[seats[i]]))
                continue;
            for (uint32_t k = 0; k < in_rows; k++)
                place[k] = start + k;
            found = new_orphans(show->plan, free, in_rows, place, orphans) == 0;
        }
        if (!found)
            return false;
    }
    return true;
}

static enum result pick(const struct naive_show *show, const struct hold_wish *wish, uint32_t *seats, uint32_t *count,
                        struct hold_warning *warning, struct hold_refusal *refusal) {
    bool free[NAIVE_SEATS] = {false};
    for (uint32_t seat = 0; seat < show->plan->seat_count; seat++)
        free[seat] = show->seats[seat].status == SEAT_AVAILABLE;
    uint64_t wanted = wish->best_quantity;
    for (uint32_t i = 0; i < wish->area_count && !wish->best_quantity; i++)
        wanted += wish->areas[i].quantity;
    wanted += wish->best_quantity ? 0 : wish->seat_count;
    if (wanted == 0)
        return RESULT_INVALID_FIELD;
    uint32_t most = show->settings.max_seats_per_user;
    if (wanted > LIMIT_SEATS_PER_HOLD || (most && wanted + seats_of_user(show, wish->user) > most))
        return RESULT_TOO_MANY_SEATS;
    if (wish->best_quantity) {
        *count = wish->best_quantity;
        return naive_best(show->plan, free, wish->best_quantity, wish->best_category, seats);
    }
    enum result result = pick_named(show, wish, free, seats, count, refusal);
    if (result != RESULT_OK || show->settings.orphan_rule == ORPHAN_OFF)
        return result;
    uint32_t orphans[NAIVE_SEATS];
    uint32_t orphan_count = new_orphans(show->plan, free, wish->seat_count, wish->seats, orphans);
    if (show->settings.orphan_rule == ORPHAN_REFUSE && orphan_count &&
        other_choice(show, free, wish->seat_count, wish->seats)) {
        refusal->seat_count = orphan_count < LIMIT_SEATS_PER_HOLD ? orphan_count : LIMIT_SEATS_PER_HOLD;
        memcpy(refusal->seats, orphans, refusal->seat_count * sizeof *orphans);
        return RESULT_LEAVES_ORPHAN;
    }
    warning->orphan_count = orphan_count;
    memcpy(warning->orphans, orphans, orphan_count * sizeof *orphans);
    return RESULT_OK;
}

static bool is_alive(const struct naive_hold *it) {
    return it->hold.state == HOLD_HELD || it->hold.state == HOLD_PAYING;
}

/* There is memory for as many holds as seats; what ended first is forgotten first. False if all are alive. */
static bool make_room(struct naive_show *show) {
    uint32_t remembered = 0, oldest = HOLD_NO_SLOT;
    for (uint32_t i = 0; i < show->hold_count; i++) {
        if (show->holds[i].forgotten)
            continue;
        remembered++;
        if (show->holds[i].ended_as &&
            (oldest == HOLD_NO_SLOT || show->holds[i].ended_as < show->holds[oldest].ended_as))
            oldest = i;
    }
    if (remembered < show->plan->seat_count)
        return true;
    if (oldest == HOLD_NO_SLOT)
        return false;
    show->holds[oldest].forgotten = true;
    return true;
}

static void set_seat(struct naive_show *show, uint32_t seat, enum seat_status status, uint64_t version, bool untold) {
    show->seats[seat].status = status;
    show->seats[seat].version = version;
    show->seats[seat].untold = untold;
    show->sequence++;
}

enum result naive_take(struct naive_show *show, const struct hold_wish *wish, int64_t now_ms, uint32_t *hold,
                       struct hold_warning *warning, struct hold_refusal *refusal) {
    uint32_t seats[NAIVE_SEATS + LIMIT_SEATS_PER_HOLD], count = 0;
    warning->orphan_count = 0;
    refusal->seat_count = 0;
    enum result result = pick(show, wish, seats, &count, warning, refusal);
    if (result != RESULT_OK)
        return result;
    if (!make_room(show))
        return RESULT_OVERLOADED;
    assert_true(show->hold_count < NAIVE_HOLDS);
    *hold = show->hold_count++;
    struct naive_hold *it = &show->holds[*hold];
    *it = (struct naive_hold){.hold = {.reservation = wish->reservation,
                                       .fence = naive_draw_fence(show),
                                       .taken_ms = now_ms,
                                       .seat_count = count,
                                       .state = HOLD_HELD,
                                       .user = *wish->user}};
    it->hold.deadline_ms = now_ms + show->settings.hold_seconds * 1000;
    it->hold.store_deadline_ms = it->hold.deadline_ms + show->settings.grace_seconds * 1000;
    for (uint32_t i = 0; i < count; i++) {
        it->seats[i] = seats[i];
        it->hold.amount += show->settings.price[show->plan->seat_category[seats[i]]];
        show->seats[seats[i]].hold = *hold;
        set_seat(show, seats[i], SEAT_HELD, it->hold.fence, true);
    }
    return RESULT_OK;
}

/* ---- ending ---- */

uint32_t naive_find(const struct naive_show *show, const struct id *reservation) {
    for (uint32_t i = 0; i < show->hold_count; i++)
        if (!show->holds[i].forgotten && id_equal(&show->holds[i].hold.reservation, reservation))
            return i;
    return HOLD_NO_SLOT;
}

static bool still_holds(const struct naive_show *show, uint32_t hold, uint32_t seat) {
    return show->seats[seat].status == SEAT_HELD && show->seats[seat].hold == hold;
}

static void end(struct naive_show *show, uint32_t hold, enum hold_state state) {
    struct naive_hold *it = &show->holds[hold];
    for (uint32_t i = 0; i < it->hold.seat_count; i++)
        if (still_holds(show, hold, it->seats[i]))
            set_seat(show, it->seats[i], SEAT_AVAILABLE, it->hold.fence + 1, true);
    it->hold.state = (uint8_t)state;
    it->ended_as = ++show->ended_count;
}

static void book(struct naive_show *show, uint32_t hold) {
    struct naive_hold *it = &show->holds[hold];
    for (uint32_t i = 0; i < it->hold.seat_count; i++)
        if (still_holds(show, hold, it->seats[i])) {
            show->seats[it->seats[i]].buyer = it->hold.user;
            set_seat(show, it->seats[i], SEAT_BOOKED, it->hold.fence + 1, false);
        }
    it->hold.state = HOLD_SOLD;
    it->ended_as = ++show->ended_count;
}

enum result naive_release(struct naive_show *show, uint32_t hold, int64_t now_ms) {
    const struct hold *it = &show->holds[hold].hold;
    if (it->state == HOLD_PAYING)
        return RESULT_PAYMENT_IN_PROGRESS;
    if (it->state != HOLD_HELD || now_ms > it->deadline_ms)
        return RESULT_RESERVATION_EXPIRED;
    end(show, hold, HOLD_RELEASED);
    return RESULT_OK;
}

enum result naive_begin_payment(struct naive_show *show, uint32_t hold, const struct id *booking, bool recovering,
                                int64_t now_ms) {
    struct hold *it = &show->holds[hold].hold;
    if (it->state == HOLD_PAYING)
        return RESULT_PAYMENT_IN_PROGRESS;
    if (it->state != HOLD_HELD || (!recovering && now_ms > it->deadline_ms))
        return RESULT_RESERVATION_EXPIRED;
    it->state = HOLD_PAYING;
    it->booking = *booking;
    it->payments_begun++;
    return RESULT_OK;
}

void naive_end_payment(struct naive_show *show, uint32_t hold, bool keep, int64_t now_ms) {
    struct hold *it = &show->holds[hold].hold;
    it->booking = (struct id){{0}};
    if (!keep || it->lost_count)
        end(show, hold, HOLD_DECLINED);
    else if (it->store_deadline_ms <= now_ms)
        end(show, hold, HOLD_EXPIRED);
    else
        it->state = HOLD_HELD;
}

void naive_sell(struct naive_show *show, uint32_t hold) {
    book(show, hold);
}

uint32_t naive_expire(struct naive_show *show, int64_t now_ms, uint32_t batch) {
    uint32_t count = 0;
    for (; count < batch; count++) {
        uint32_t first = HOLD_NO_SLOT;
        for (uint32_t i = 0; i < show->hold_count; i++)
            if (show->holds[i].hold.state == HOLD_HELD && show->holds[i].hold.store_deadline_ms <= now_ms &&
                (first == HOLD_NO_SLOT ||
                 show->holds[i].hold.store_deadline_ms < show->holds[first].hold.store_deadline_ms))
                first = i;
        if (first == HOLD_NO_SLOT)
            break;
        end(show, first, HOLD_EXPIRED);
    }
    return count;
}

/* ---- the ledger, the operator ---- */

static void see_fence(struct naive_show *show, uint64_t version) {
    while (show->next_fence <= version)
        show->next_fence += 2;
}

enum result naive_restore(struct naive_show *show, const struct hold *hold, const uint32_t *seats, uint32_t *number) {
    for (uint32_t i = 0; i < hold->seat_count; i++)
        if (show->seats[seats[i]].status != SEAT_AVAILABLE || show->seats[seats[i]].version > hold->fence ||
            has(seats, i, seats[i]))
            return RESULT_CONFLICT;
    if (naive_find(show, &hold->reservation) != HOLD_NO_SLOT)
        return RESULT_CONFLICT;
    if (!make_room(show))
        return RESULT_OVERLOADED;
    see_fence(show, hold->fence);
    assert_true(show->hold_count < NAIVE_HOLDS);
    *number = show->hold_count++;
    struct naive_hold *it = &show->holds[*number];
    *it = (struct naive_hold){.hold = *hold};
    it->hold.state = HOLD_HELD;
    it->hold.booking = (struct id){{0}};
    it->hold.lost_count = 0;
    for (uint32_t i = 0; i < hold->seat_count; i++) {
        it->seats[i] = seats[i];
        show->seats[seats[i]].hold = *number;
        set_seat(show, seats[i], SEAT_HELD, hold->fence, true);
    }
    return RESULT_OK;
}

uint64_t naive_draw_fence(struct naive_show *show) {
    show->next_fence += 2;
    return show->next_fence - 2;
}

void naive_load_seat(struct naive_show *show, uint32_t seat, enum seat_status status, uint64_t version,
                     const struct user_id *owner) {
    struct naive_seat *it = &show->seats[seat];
    see_fence(show, version);
    if (it->status == SEAT_HELD) {
        struct hold *hold = &show->holds[it->hold].hold;
        if (status == SEAT_BOOKED && version == hold->fence + 1) {
            if (hold->state == HOLD_HELD)
                book(show, it->hold);
            return;
        }
        if (status == SEAT_HELD || (status == SEAT_AVAILABLE && version <= hold->fence))
            return;
        if (hold->state == HOLD_HELD)
            end(show, it->hold, HOLD_EXPIRED);
        else
            hold->lost_count++;
    }
    bool wins = status == SEAT_BOOKED || (status == SEAT_BLOCKED && it->status != SEAT_BOOKED) || version > it->version;
    if (!wins)
        return;
    uint64_t newest = version > it->version ? version : it->version;
    if (status == SEAT_BOOKED)
        it->buyer = owner ? *owner : (struct user_id){.length = 0};
    set_seat(show, seat, status == SEAT_HELD ? SEAT_AVAILABLE : status, newest, status == SEAT_HELD);
}

bool naive_unsell(struct naive_show *show, uint32_t count, const uint32_t *seats, uint64_t version) {
    return naive_change(show, SEAT_BOOKED, SEAT_AVAILABLE, count, seats, version);
}

bool naive_change(struct naive_show *show, enum seat_status from, enum seat_status to, uint32_t count,
                  const uint32_t *seats, uint64_t version) {
    for (uint32_t i = 0; i < count; i++)
        if (show->seats[seats[i]].status != from || show->seats[seats[i]].version >= version)
            return false;
    see_fence(show, version);
    for (uint32_t i = 0; i < count; i++)
        if (!has(seats, i, seats[i]))
            set_seat(show, seats[i], to, version, false);
    return true;
}

uint32_t naive_take_changes(struct naive_show *show, struct seat_change *changes, uint32_t room) {
    uint32_t count = 0;
    for (uint32_t seat = 0; seat < show->plan->seat_count && count < room; seat++) {
        struct naive_seat *it = &show->seats[seat];
        if (!it->untold)
            continue;
        it->untold = false;
        if (it->status == SEAT_AVAILABLE && it->version % 2 == 0)
            it->version++;
        changes[count++] = (struct seat_change){seat, it->status, it->version};
    }
    return count;
}

/* ---- comparing ---- */

static void compare_hold(const struct naive_show *naive, uint32_t number, struct show *show, const char *after) {
    const struct naive_hold *expected = &naive->holds[number];
    uint32_t slot = hold_find(show, &expected->hold.reservation);
    if ((slot == HOLD_NO_SLOT) != expected->forgotten)
        fail_msg("after %s: hold %u is %s", after, number, expected->forgotten ? "remembered" : "forgotten");
    if (expected->forgotten)
        return;
    const struct hold *hold = hold_at(show, slot);
    if (hold->state != expected->hold.state || hold->fence != expected->hold.fence ||
        hold->taken_ms != expected->hold.taken_ms || hold->deadline_ms != expected->hold.deadline_ms ||
        hold->store_deadline_ms != expected->hold.store_deadline_ms || hold->amount != expected->hold.amount ||
        hold->payments_begun != expected->hold.payments_begun || !id_equal(&hold->booking, &expected->hold.booking) ||
        hold->lost_count != expected->hold.lost_count ||
        !bytes_equal(user_bytes(&hold->user), user_bytes(&expected->hold.user)))
        fail_msg("after %s: hold %u is in state %d, not %d, or differs otherwise", after, number, hold->state,
                 expected->hold.state);
    uint32_t seats[LIMIT_SEATS_PER_HOLD], count = hold_seats(show, hold, seats, LIMIT_SEATS_PER_HOLD), wanted = 0;
    bool complete = true;
    for (uint32_t i = 0; i < expected->hold.seat_count; i++) {
        uint32_t seat = expected->seats[i];
        bool is_sold = expected->hold.state == HOLD_SOLD && naive->seats[seat].version == expected->hold.fence + 1;
        if (!is_sold && !(is_alive(expected) && still_holds(naive, number, seat))) {
            complete = false;
            continue;
        }
        if (is_alive(expected) && (wanted >= count || seats[wanted] != seat))
            fail_msg("after %s: hold %u has not seat %u in its place", after, number, seat);
        wanted++;
    }
    if (expected->hold.state == HOLD_SOLD && expected->hold.lost_count == 0)
        wanted = complete ? wanted : 0;
    if (count != wanted && expected->hold.lost_count == 0)
        fail_msg("after %s: hold %u has %u seats, not %u", after, number, count, wanted);
}

void naive_compare(const struct naive_show *naive, struct show *show, const char *after) {
    struct show_counts counts, expected = {.capacity = naive->plan->seat_count};
    for (uint32_t seat = 0; seat < naive->plan->seat_count; seat++) {
        const struct naive_seat *it = &naive->seats[seat];
        if (show_seat_status(show, seat) != it->status || show_seat_version(show, seat) != it->version)
            fail_msg("after %s: seat %u is %d at %llu, not %d at %llu", after, seat, show_seat_status(show, seat),
                     (unsigned long long)show_seat_version(show, seat), it->status, (unsigned long long)it->version);
        expected.available += it->status == SEAT_AVAILABLE;
        expected.held += it->status == SEAT_HELD;
        expected.booked += it->status == SEAT_BOOKED;
        expected.blocked += it->status == SEAT_BLOCKED;
    }
    int64_t next_deadline = INT64_MAX;
    for (uint32_t i = 0; i < naive->hold_count; i++) {
        const struct hold *hold = &naive->holds[i].hold;
        expected.holds_held += hold->state == HOLD_HELD;
        expected.holds_paying += hold->state == HOLD_PAYING;
        if (hold->state == HOLD_HELD && hold->store_deadline_ms < next_deadline)
            next_deadline = hold->store_deadline_ms;
        compare_hold(naive, i, show, after);
    }
    show_count(show, &counts);
    if (memcmp(&counts, &expected, sizeof counts))
        fail_msg("after %s: the counts differ", after);
    if (show_sequence(show) != naive->sequence)
        fail_msg("after %s: the sequence is %llu, not %llu", after, (unsigned long long)show_sequence(show),
                 (unsigned long long)naive->sequence);
    if (show_next_deadline(show) != next_deadline)
        fail_msg("after %s: the next deadline differs", after);
}
