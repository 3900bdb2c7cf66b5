/* How long best available takes on the stadium's 50,000 places with 95 % sold, and a plain hold of two named seats.
 *
 * Each search runs on the next of SNAPSHOTS different evenings, so that no answer is found in the cache of the one
 * before, and alternates with its peer: the same score found by walking the rows seat by seat, a byte a seat, as one
 * would write it first. Both must find the same seats. Prints a line of JSON a measurement.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "base/panic.h"
#include "plans/venues.h"
#include "seats/show_private.h"

#define SNAPSHOTS 64
#define SEARCHES 4096
#define HOLDS 20000
#define RING 256
#define NOW INT64_C(1800000000000)

static struct plan *plan;
static uint64_t evenings[SNAPSHOTS][LIMIT_SEATS_PER_SHOW / 64 + 1];
static uint8_t *seat_is_free[SNAPSHOTS];
static uint32_t rows_by_rank[LIMIT_ROWS_PER_SHOW];
static uint64_t chance = 20261124;

static uint32_t draw(uint32_t below) {
    chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(chance >> 33) % below;
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int compare_times(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

struct times {
    int64_t ns[HOLDS];
    uint32_t count;
};

static int64_t quantile(struct times *times, double part) {
    qsort(times->ns, times->count, sizeof *times->ns, compare_times);
    return times->ns[(size_t)(part * (times->count - 1))];
}

static struct show *stadium_show(void) {
    static const struct id show_id = {{1}};
    struct show_settings settings = {.hold_seconds = 600, .grace_seconds = 60, .payment_attempts = 1};
    struct show *show = show_new(&show_id, plan, &settings, 1);
    assert(show);
    return show;
}

/* Parties of one to six have bought next to each other, the better rows first, until 95 % are sold. */
static void sell_most(struct show *show) {
    uint32_t sold = 0, areas = show->seat_count - (plan->rows[plan->row_count - 1].first_seat +
                                                   plan->rows[plan->row_count - 1].seat_count);
    for (uint32_t i = 0; i < areas; i++, sold++)
        show_load_seat(show, show->seat_count - 1 - i, SEAT_BOOKED, 3, NULL);
    while (sold < show->seat_count / 100 * 95) {
        uint32_t one = draw(plan->row_count), other = draw(plan->row_count);
        const struct plan_row *row = &plan->rows[rows_by_rank[one < other ? one : other]];
        uint32_t seat = row->first_seat + draw(row->seat_count), party = 1 + draw(6);
        for (uint32_t i = seat; i < seat + party && i < row->first_seat + row->seat_count; i++)
            if (show_seat_status(show, i) == SEAT_AVAILABLE) {
                show_load_seat(show, i, SEAT_BOOKED, 3, NULL);
                sold++;
            }
    }
}

static void make_evenings(void) {
    for (uint32_t i = 0; i < plan->row_count; i++)
        rows_by_rank[plan->rows[i].rank] = i;
    for (uint32_t i = 0; i < SNAPSHOTS; i++) {
        struct show *show = stadium_show();
        show_lock(show);
        sell_most(show);
        memcpy(evenings[i], show->available, bits_words(show->seat_count) * sizeof *show->available);
        seat_is_free[i] = malloc(show->seat_count);
        assert(seat_is_free[i]);
        for (uint32_t seat = 0; seat < show->seat_count; seat++)
            seat_is_free[i][seat] = bits_get(show->available, seat);
        show_unlock(show);
        show_free(show);
    }
}

/* ---- the peer ---- */

static bool joined(uint32_t left) {
    return !plan_gap_after(plan, left);
}

static uint32_t peer_orphans(const uint8_t *is_free, uint32_t start, uint32_t quantity) {
    uint32_t orphans = 0, last = start + quantity - 1;
    if (start > 0 && joined(start - 1) && is_free[start - 1])
        orphans += start < 2 || !joined(start - 2) || !is_free[start - 2];
    if (joined(last) && is_free[last + 1])
        orphans += !joined(last + 1) || !is_free[last + 2];
    return orphans;
}

/* The first seat of the best place, of any category, or PLAN_NO_SEAT. */
static uint32_t peer_best(const struct best_index *index, const uint8_t *is_free, uint32_t quantity) {
    uint32_t best = PLAN_NO_SEAT, best_orphans = 0, best_distance = 0, best_row = 0, last = plan->row_count;
    for (uint32_t rank = 0; rank < last; rank++) {
        const struct plan_row *row = &plan->rows[rows_by_rank[rank]];
        for (uint32_t seat = row->first_seat, run = 0; seat < row->first_seat + row->seat_count; seat++) {
            run = is_free[seat] ? (run && joined(seat - 1) ? run + 1 : 1) : 0;
            if (run < quantity)
                continue;
            uint32_t start = seat + 1 - quantity, orphans = peer_orphans(is_free, start, quantity);
            int64_t middle = 2 * (int64_t)(start - row->first_seat) + quantity - 1;
            uint32_t distance = (uint32_t)llabs(middle - index->stretches[rank].centre);
            if (best == PLAN_NO_SEAT && rank + plan->row_count / BEST_QUALITY_STEPS + 1 < last)
                last = rank + plan->row_count / BEST_QUALITY_STEPS + 1;
            if (best == PLAN_NO_SEAT || orphans < best_orphans ||
                (orphans == best_orphans && rank == best_row && distance < best_distance)) {
                best = start;
                best_orphans = orphans;
                best_distance = distance;
                best_row = rank;
            }
        }
        if (best != PLAN_NO_SEAT && best_orphans == 0)
            break;
    }
    return best;
}

/* ---- measuring ---- */

static void search(const struct best_index *index, uint32_t quantity) {
    static struct times ours, peers;
    uint32_t found[LIMIT_SEATS_PER_HOLD];
    ours.count = peers.count = 0;
    for (uint32_t i = 0; i < SEARCHES; i++) {
        uint32_t evening = i % SNAPSHOTS;
        int64_t start = now_ns();
        enum result result = best_find(index, evenings[evening], quantity, PLAN_NO_SEAT, found);
        int64_t between = now_ns();
        uint32_t peer = peer_best(index, seat_is_free[evening], quantity);
        int64_t end = now_ns();
        assert(result == RESULT_OK && found[0] == peer);
        ours.ns[ours.count++] = between - start;
        peers.ns[peers.count++] = end - between;
    }
    int64_t median = quantile(&ours, 0.5), peer_median = quantile(&peers, 0.5);
    printf(
        "{\"name\":\"best_available_%u\",\"median_ns\":%lld,\"p99_ns\":%lld,\"peer_median_ns\":%lld,\"ratio\":%.3f}\n",
        quantity, (long long)median, (long long)quantile(&ours, 0.99), (long long)peer_median,
        (double)median / (double)peer_median);
}

/* A party that no row has room for: the whole house is searched. */
static void search_in_vain(const struct best_index *index) {
    static struct times times;
    uint32_t found[LIMIT_SEATS_PER_HOLD];
    times.count = 0;
    for (uint32_t i = 0; i < SEARCHES; i++) {
        int64_t start = now_ns();
        enum result result = best_find(index, evenings[i % SNAPSHOTS], 90, plan->seat_category[0], found);
        times.ns[times.count++] = now_ns() - start;
        assert(result != RESULT_OK);
    }
    int64_t median = quantile(&times, 0.5);
    printf("{\"name\":\"best_available_none\",\"median_ns\":%lld,\"p99_ns\":%lld}\n", (long long)median,
           (long long)quantile(&times, 0.99));
}

static struct hold_wish next_wish(const struct user_id *user) {
    static uint64_t drawn;
    struct hold_wish wish = {.user = user};
    drawn += UINT64_C(0x9e3779b97f4a7c15);
    memcpy(wish.reservation.at + 8, &drawn, sizeof drawn);
    return wish;
}

static void print_times(const char *name, struct times *times) {
    int64_t median = quantile(times, 0.5);
    printf("{\"name\":\"%s\",\"median_ns\":%lld,\"p99_ns\":%lld}\n", name, (long long)median,
           (long long)quantile(times, 0.99));
}

/* With lock, copy and take; the hold before the last RING ones is released meanwhile. */
static void take_best(struct show *show, const struct user_id *user) {
    static struct times times;
    uint32_t ring[RING] = {0}, slot;
    struct hold_refusal refusal;
    times.count = 0;
    for (uint32_t i = 0; i < SEARCHES; i++) {
        struct hold_wish wish = next_wish(user);
        wish.best_quantity = 2;
        wish.best_category = PLAN_NO_SEAT;
        int64_t start = now_ns();
        enum result result = hold_take_best(show, &wish, NOW, &slot, &refusal);
        times.ns[times.count++] = now_ns() - start;
        assert(result == RESULT_OK);
        if (i >= RING) {
            enum result released = hold_release(show, ring[i % RING], NOW);
            assert(released == RESULT_OK);
        }
        ring[i % RING] = slot;
        show_unlock(show);
    }
    print_times("hold_take_best_2", &times);
}

static void take_named(struct show *show, const struct user_id *user) {
    static struct times times;
    struct hold_refusal refusal;
    struct hold_warning warning;
    times.count = 0;
    for (uint32_t i = 0; i < HOLDS; i++) {
        struct hold_wish wish = next_wish(user);
        uint32_t seats[2], slot, first = draw(show->seat_count - 1);
        seats[0] = first;
        seats[1] = first + 1;
        wish.seats = seats;
        wish.seat_count = 2;
        int64_t start = now_ns();
        show_lock(show);
        enum result taken = hold_take(show, &wish, NOW, &slot, &warning, &refusal);
        enum result released = taken == RESULT_OK ? hold_release(show, slot, NOW) : RESULT_OK;
        show_unlock(show);
        times.ns[times.count++] = now_ns() - start;
        assert(taken == RESULT_OK && released == RESULT_OK);
    }
    print_times("hold_take_release_2", &times);
}

int main(void) {
    const struct user_id user = {3, "ann"};
    char pointer[256], detail[256];
    json_t *document;
    hash_set_up();
    json_set_up();
    enum result result = json_parse(venue_stadium(), &document, detail, sizeof detail);
    if (result == RESULT_OK)
        result = plan_read(document, &plan, pointer, sizeof pointer, detail, sizeof detail);
    if (result != RESULT_OK) {
        fprintf(stderr, "cannot read the stadium: %s\n", detail);
        return 1;
    }
    json_decref(document);
    make_evenings();
    struct show *empty = stadium_show(), *full = stadium_show();
    show_lock(full);
    sell_most(full);
    show_unlock(full);
    search(&empty->best, 2);
    search(&empty->best, 4);
    search_in_vain(&empty->best);
    take_best(full, &user);
    take_named(empty, &user);
    show_free(empty);
    show_free(full);
    plan_free(plan);
    for (uint32_t i = 0; i < SNAPSHOTS; i++)
        free(seat_is_free[i]);
    return 0;
}
