/* The real queue and the naive one, given the same commands; after each, they are compared place by place. What a real
 * process would write down is kept, and a restart begins from that. */
#ifndef ONSALE_TEST_QUEUE_TWINS_H
#define ONSALE_TEST_QUEUE_TWINS_H

#include "naive_queue.h"
#include "queue_world.h"

#define MOST_NOTES 4096
#define MOST_ADMISSIONS 1024

enum note_kind {
    NOTE_JOIN,
    NOTE_UNKNOWN,
    NOTE_CALL,
    NOTE_CLOCK,
    NOTE_LEFT,
    NOTE_DOOR,
    NOTE_ADMIT,
    NOTE_TERMS,
    NOTE_OPEN
};

struct note {
    enum note_kind kind;
    uint32_t number;
    int64_t open_ms;
    uint64_t user;
    struct queue_pass pass;
    struct queue_settings terms;
};

struct twins {
    struct queue *queue;
    struct naive_queue naive;
    int64_t now_ms; /* the clock, wherever it steps */
    struct queue_conditions conditions;
    uint32_t order[NAIVE_PLACES];
    uint32_t note_count;
    struct note notes[MOST_NOTES];
    /* For each admission: what had been poured by then, and what the drip could hold. */
    uint32_t admission_count;
    struct {
        int64_t poured, most;
    } admissions[MOST_ADMISSIONS];
};

static inline void note_down(struct twins *twins, struct note note) {
    assert_true(twins->note_count < MOST_NOTES);
    twins->notes[twins->note_count++] = note;
}

static inline void twins_compare(struct twins *twins, bool has_ticked) {
    const struct naive_queue *naive = &twins->naive;
    char why[200];
    struct queue_counts real, plain;
    if (!queue_check(twins->queue, why, sizeof why))
        fail_msg("the queue is broken: %s", why);
    queue_count(twins->queue, &real);
    naive_count(naive, &plain);
    plain.show_permille = real.show_permille;
    if (!has_ticked)
        real.active = plain.active; /* passes that are over may not have been found yet */
    assert_int_equal(real.issued, plain.issued);
    assert_int_equal(real.serving, plain.serving);
    assert_int_equal(real.waiting, plain.waiting);
    assert_int_equal(real.called, plain.called);
    assert_int_equal(real.door, plain.door);
    assert_memory_equal(&real, &plain, sizeof real);
    for (uint32_t number = 1; number <= naive->count; number++) {
        struct place place;
        const struct naive_place *twin = &naive->places[number];
        bool knows = naive_knows_order(naive) || (naive->is_frozen && number > naive->frozen);
        assert_int_equal(queue_look(twins->queue, number, twins->now_ms, &place), RESULT_OK);
        assert_int_equal(place.state, twin->state);
        assert_int_equal(place.position, knows ? twin->position : 0);
        assert_int_equal(place.is_called, knows && twin->position <= naive->serving);
        assert_int_equal(queue_check_pass(twins->queue, number, twins->now_ms),
                         twin->state == PLACE_INSIDE ? RESULT_OK : RESULT_PASS_EXPIRED);
    }
}

static inline void twins_join(struct twins *twins, uint64_t user) {
    struct place place;
    bool is_new, is_new_too;
    naive_see_time(&twins->naive, twins->now_ms);
    assert_int_equal(queue_join(twins->queue, user, twins->now_ms, &place, &is_new), RESULT_OK);
    assert_int_equal(naive_join(&twins->naive, user, &is_new_too), place.number);
    assert_int_equal(is_new, is_new_too);
    if (is_new)
        note_down(twins, (struct note){.kind = NOTE_JOIN, .user = user});
    assert_int_equal(queue_find(twins->queue, user, twins->now_ms, &place), RESULT_OK);
    assert_int_equal(place.number, naive_live(&twins->naive, user));
    twins_compare(twins, false);
}

static inline void twins_note_admission(struct twins *twins, const struct queue_pass *pass) {
    struct queue_counts counts;
    naive_count(&twins->naive, &counts);
    assert_true(counts.active <= twins->naive.settings.max_active);
    note_down(twins, (struct note){.kind = NOTE_ADMIT, .pass = *pass});
    assert_true(twins->admission_count < MOST_ADMISSIONS);
    twins->admissions[twins->admission_count].poured = twins->naive.poured;
    twins->admissions[twins->admission_count++].most = naive_most(&twins->naive);
}

static inline enum result twins_claim(struct twins *twins, uint32_t number) {
    struct queue_pass pass;
    bool is_new = false, is_new_too = false;
    naive_see_time(&twins->naive, twins->now_ms);
    enum result result = queue_claim(twins->queue, number, twins->now_ms, &pass, &is_new);
    assert_int_equal(naive_claim(&twins->naive, number, &is_new_too), result);
    assert_int_equal(is_new, is_new_too);
    if (result == RESULT_OK) {
        const struct naive_place *place = &twins->naive.places[number];
        assert_int_equal(pass.number, number);
        assert_int_equal(pass.position, place->position);
        assert_int_equal(pass.claimed_ms, place->claimed_ms);
        assert_int_equal(pass.expires_ms, place->expires_ms);
    }
    if (result == RESULT_OK && is_new)
        twins_note_admission(twins, &pass);
    if (result == RESULT_AT_THE_DOOR && is_new)
        note_down(twins, (struct note){.kind = NOTE_DOOR, .number = number});
    twins_compare(twins, false);
    return result;
}

static inline void twins_leave(struct twins *twins, uint32_t number) {
    naive_see_time(&twins->naive, twins->now_ms);
    enum result result = queue_leave(twins->queue, number, twins->now_ms);
    assert_int_equal(naive_leave(&twins->naive, number), result);
    if (result == RESULT_OK)
        note_down(twins, (struct note){.kind = NOTE_LEFT, .number = number});
    twins_compare(twins, false);
}

static inline void twins_end_pass_of(struct twins *twins, uint64_t user) {
    uint32_t number = 0, number_too = 0;
    naive_see_time(&twins->naive, twins->now_ms);
    bool has_ended = queue_end_pass_of(twins->queue, user, twins->now_ms, &number);
    assert_int_equal(naive_end_pass_of(&twins->naive, user, &number_too), has_ended);
    assert_int_equal(number, number_too);
    if (has_ended)
        note_down(twins, (struct note){.kind = NOTE_LEFT, .number = number});
    twins_compare(twins, false);
}

static inline void twins_adopt(struct twins *twins, uint32_t number, uint64_t user) {
    /* Adopting takes no time: both know it already. */
    twins_end_pass_of(twins, UINT64_MAX);
    assert_int_equal(queue_adopt(twins->queue, number, user), naive_adopt(&twins->naive, number, user));
    twins_compare(twins, false);
}

static inline void twins_tick(struct twins *twins) {
    struct queue_counts counts;
    naive_see_time(&twins->naive, twins->now_ms);
    bool has_moved = queue_tick(twins->queue, &twins->conditions, twins->now_ms);
    naive_tick(&twins->naive, &twins->conditions);
    queue_count(twins->queue, &counts);
    assert_int_equal(has_moved, counts.serving > twins->naive.serving);
    assert_true(counts.serving >= twins->naive.serving);
    assert_true(!has_moved || naive_runs(&twins->naive));
    naive_call(&twins->naive, counts.serving);
    note_down(twins, (struct note){.kind = NOTE_CLOCK, .open_ms = counts.open_ms});
    if (has_moved)
        note_down(twins, (struct note){.kind = NOTE_CALL, .number = counts.serving, .open_ms = counts.open_ms});
    twins_compare(twins, true);
}

static inline void twins_configure(struct twins *twins, const struct queue_settings *settings) {
    naive_see_time(&twins->naive, twins->now_ms);
    queue_configure(twins->queue, settings, twins->now_ms);
    naive_configure(&twins->naive, settings);
    note_down(twins, (struct note){.kind = NOTE_TERMS, .terms = *settings});
    twins_compare(twins, false);
}

static inline void twins_adapt(struct twins *twins, const struct drip_look *look) {
    naive_see_time(&twins->naive, twins->now_ms);
    queue_adapt(twins->queue, look, 10, twins->now_ms);
    naive_adapt(&twins->naive, look, 10);
    twins_compare(twins, false);
}

/* By twins->order, which has an order for as many as there are. */
static inline void twins_open(struct twins *twins) {
    uint32_t frozen = queue_freeze(twins->queue);
    assert_int_equal(frozen, twins->naive.count);
    queue_place_shuffled(twins->queue, 0, frozen, twins->order);
    naive_shuffle(&twins->naive, twins->order);
    note_down(twins, (struct note){.kind = NOTE_OPEN});
    twins_compare(twins, false);
}

static inline void replay(struct twins *twins, const struct note *note) {
    struct queue *queue = twins->queue;
    switch (note->kind) {
    case NOTE_JOIN:
        queue_restore_join(queue, note->user);
        break;
    case NOTE_UNKNOWN:
        queue_restore_unknown(queue, note->number);
        break;
    case NOTE_CALL:
        queue_restore_call(queue, note->number, note->open_ms);
        break;
    case NOTE_CLOCK:
        queue_restore_clock(queue, note->open_ms);
        break;
    case NOTE_LEFT:
        queue_restore_left(queue, note->number);
        break;
    case NOTE_DOOR:
        queue_restore_door(queue, note->number);
        break;
    case NOTE_ADMIT:
        assert_true(queue_restore_admission(queue, &note->pass, false));
        break;
    case NOTE_TERMS:
        queue_configure(queue, &note->terms, twins->now_ms);
        break;
    case NOTE_OPEN: {
        uint32_t frozen = queue_freeze(queue);
        queue_place_shuffled(queue, 0, frozen, twins->order);
        break;
    }
    }
}

/* Into twins->queue, which is new. A power loss may have taken the joins up to `ceiling`. */
static inline void twins_restore(struct twins *twins, uint32_t ceiling) {
    for (uint32_t i = 0; i < twins->note_count; i++)
        replay(twins, &twins->notes[i]);
    naive_restart(&twins->naive, twins->now_ms);
    if (ceiling) {
        queue_restore_unknown(twins->queue, ceiling);
        naive_unknown(&twins->naive, ceiling);
        note_down(twins, (struct note){.kind = NOTE_UNKNOWN, .number = ceiling});
    }
    queue_end_restore(twins->queue, twins->now_ms);
    queue_allow_numbers(twins->queue, LIMIT_PLACES);
    twins_compare(twins, true);
}

/* Over every window, from each admission to each later one: no more than was poured in it, and one second's worth. */
static inline void twins_check_bounds(const struct twins *twins) {
    for (uint32_t i = 0; i < twins->admission_count; i++)
        for (uint32_t j = i; j < twins->admission_count; j++)
            assert_true((j - i + 1) * DRIP_TOKEN <=
                        twins->admissions[j].poured - twins->admissions[i].poured + twins->admissions[i].most);
}

#endif
