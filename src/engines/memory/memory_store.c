#include "engines/memory/memory_store.h"
#include "base/files.h"
#include "base/log.h"
#include "base/panic.h"
#include "engines/memory/answers.h"
#include "engines/memory/recovery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COMPACT_BYTES (1024 * 1024)
#define EXPIRE_BATCH 64
#define LIVING_LIMIT ((size_t)2 << 30)

struct memory_store {
    /* set once */
    struct journal *journal; /* NULL: no journal */
    struct answers *answers;

    pthread_mutex_t lock;
    /* under lock */
    struct show *shows[LIMIT_SHOWS];
    uint32_t show_count;

    /* owned by who recovers, until the end of recovery */
    struct recovery *recovery;
};

/* ---- records ---- */

/* The seats of a hold that has some, under the show's lock; its record but for the answer. */
static void describe(const struct show *show, const struct hold *hold, struct journal_take *take) {
    take->show_id = *show_id(show);
    take->plan_hash = show_plan(show)->hash;
    take->hold = *hold;
    take->hold.seat_count = hold_seats(show, hold, take->seats, LIMIT_SEATS_PER_HOLD);
    take->answer = (struct journal_answer){.status = 0};
}

static uint64_t append_take(struct journal *journal, const struct journal_take *take) {
    uint8_t payload[JOURNAL_TAKE_BYTES];
    size_t length = journal_write_take(take, payload);
    return journal_append(journal, JOURNAL_TAKE, 0, (struct bytes){(const char *)payload, length}, take->answer.body);
}

static void append_step(struct journal *journal, const struct journal_step *step, size_t take_size) {
    uint8_t payload[JOURNAL_TAKE_BYTES];
    size_t length = journal_write_step(step, payload);
    journal_append(journal, JOURNAL_STEP, (uint32_t)(JOURNAL_FRAME_BYTES + length + take_size),
                   (struct bytes){(const char *)payload, length}, (struct bytes){0});
}

/* What became of a hold, under the show's lock, so that the record stands before that of whoever takes its seats next.
 */
static void tell(const struct memory_store *store, const struct show *show, const struct hold *hold,
                 enum journal_what what) {
    if (!store->journal)
        return;
    bool ends = what != JOURNAL_PAYING && what != JOURNAL_HELD_AGAIN;
    struct journal_step step = {.show_id = *show_id(show),
                                .reservation = hold->reservation,
                                .what = what,
                                .booking = hold->booking,
                                .payments_begun = hold->payments_begun};
    append_step(store->journal, &step, ends ? journal_take_size(hold) : 0);
}

/* ---- taking ---- */

static enum result take_from_show(struct hold_take_call *call) {
    struct show *show = call->show;
    if (id_is_none(&call->wish.reservation))
        call->wish.reservation = id_new_reservation(call->now_ms, id_show_tag(show_id(show)));
    uint32_t slot;
    enum result result;
    call->warning.orphan_count = 0;
    call->refusal.seat_count = 0;
    if (call->wish.best_quantity) {
        result = hold_take_best(show, &call->wish, call->now_ms, &slot, &call->refusal);
        if (result != RESULT_OK)
            return result;
    } else {
        show_lock(show);
        result = hold_take(show, &call->wish, call->now_ms, &slot, &call->warning, &call->refusal);
    }
    if (result == RESULT_OK) {
        call->hold = *hold_at(show, slot);
        hold_seats(show, &call->hold, call->seats, LIMIT_SEATS_PER_HOLD);
    }
    show_unlock(show);
    return result;
}

/* The answer belongs to the call that has just taken its hold. Nobody else knows the reservation yet, so the show need
 * not be locked for its record to come first. */
static void keep_take(struct memory_store *store, struct hold_take_call *call, struct answer *answer) {
    struct journal_take take;
    take.answer = (struct journal_answer){.status = 0};
    if (answer) {
        struct buffer body;
        buffer_init(&body, LIMIT_ANSWER_BODY_BYTES);
        call->render(call, &body);
        if (buffer_ok(&body)) {
            answers_fill(store->answers, answer, &body, call->now_ms);
            take.answer = answer_record(answer);
        } else {
            log_warn("an answer is too long to be kept under its key", LOG_INT("limit", LIMIT_ANSWER_BODY_BYTES));
            answers_abandon(store->answers, answer);
            answer = NULL;
        }
        buffer_release(&body);
    }
    uint64_t ticket = 0;
    if (store->journal) {
        take.show_id = *show_id(call->show);
        take.plan_hash = show_plan(call->show)->hash;
        take.hold = call->hold;
        memcpy(take.seats, call->seats, call->hold.seat_count * sizeof *call->seats);
        ticket = append_take(store->journal, &take);
    }
    if (answer)
        answers_land(store->answers, answer, ticket);
}

static bool store_takes(void *engine) {
    const struct memory_store *store = engine;
    return !store->journal || journal_takes(store->journal);
}

static void store_take(void *engine, struct hold_take_call *call) {
    struct memory_store *store = engine;
    struct answer *answer = NULL;
    call->result = RESULT_OK;
    if (!store_takes(store))
        call->result = RESULT_HOLD_STORE_UNAVAILABLE;
    if (call->result == RESULT_OK && !id_is_none(&call->answer_key.key))
        call->result = answers_begin(store->answers, &call->answer_key, &answer);
    if (call->result == RESULT_OK) {
        call->result = take_from_show(call);
        if (call->result == RESULT_OK)
            keep_take(store, call, answer);
        else if (answer)
            answers_abandon(store->answers, answer);
    }
    call->done(call);
}

/* ---- the other steps ---- */

static enum result check_payment(const struct hold_step_call *call, const struct hold *hold) {
    bool is_its = id_is_none(&call->booking) || id_equal(&call->booking, &hold->booking);
    return hold->state == HOLD_PAYING && is_its ? RESULT_OK : RESULT_CONFLICT;
}

/* Under the show's lock; call->hold is what it was before. */
static enum result step_in_show(struct memory_store *store, struct hold_step_call *call, uint32_t slot) {
    struct show *show = call->show;
    const struct hold *hold = hold_at(show, slot);
    enum result result = RESULT_OK;
    enum journal_what what = JOURNAL_RELEASED;
    switch (call->step) {
    case HOLD_STEP_RELEASE:
        result = hold_release(show, slot, call->now_ms);
        break;
    case HOLD_STEP_BEGIN_PAYMENT:
        what = JOURNAL_PAYING;
        result = hold_begin_payment(show, slot, &call->booking, call->recovering, call->now_ms);
        break;
    case HOLD_STEP_KEEP:
        what = JOURNAL_HELD_AGAIN;
        result = check_payment(call, hold);
        if (result == RESULT_OK)
            hold_end_payment(show, slot, true, call->now_ms);
        break;
    case HOLD_STEP_DECLINE:
        what = JOURNAL_DECLINED;
        result = check_payment(call, hold);
        if (result == RESULT_OK)
            hold_end_payment(show, slot, false, call->now_ms);
        break;
    case HOLD_STEP_SELL:
        what = JOURNAL_SOLD;
        result = check_payment(call, hold);
        if (result == RESULT_OK)
            hold_sell(show, slot);
        break;
    }
    if (result == RESULT_OK)
        tell(store, show, hold, what);
    if (call->step != HOLD_STEP_SELL && call->step != HOLD_STEP_DECLINE)
        call->hold = *hold;
    return result;
}

static void store_step(void *engine, struct hold_step_call *call) {
    struct memory_store *store = engine;
    show_lock(call->show);
    uint32_t slot = hold_find(call->show, &call->reservation);
    if (slot == HOLD_NO_SLOT) {
        call->result = RESULT_RESERVATION_NOT_FOUND;
    } else {
        call->hold = *hold_at(call->show, slot);
        hold_seats(call->show, &call->hold, call->seats, LIMIT_SEATS_PER_HOLD);
        call->result = step_in_show(store, call, slot);
    }
    show_unlock(call->show);
    call->done(call);
}

static bool store_expire(void *engine, struct show *show, int64_t now_ms) {
    struct memory_store *store = engine;
    struct id ended[EXPIRE_BATCH];
    show_lock(show);
    uint32_t count = show_expire(show, now_ms, EXPIRE_BATCH, ended);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = hold_find(show, &ended[i]);
        assert(slot != HOLD_NO_SLOT);
        tell(store, show, hold_at(show, slot), JOURNAL_EXPIRED);
    }
    bool more = show_next_deadline(show) <= now_ms;
    show_unlock(show);
    return more;
}

/* ---- what the journal copies ---- */

static struct show *find_show(struct memory_store *store, const struct id *wanted) {
    struct show *found = NULL;
    pthread_mutex_lock(&store->lock);
    for (uint32_t i = 0; i < store->show_count && !found; i++)
        if (id_equal(show_id(store->shows[i]), wanted))
            found = store->shows[i];
    pthread_mutex_unlock(&store->lock);
    return found;
}

/* The hold as it is now, if it still lives. */
static bool describe_living(struct memory_store *store, const struct id *wanted_show, const struct id *reservation,
                            struct journal_take *take) {
    struct show *show = find_show(store, wanted_show);
    if (!show)
        return false;
    show_lock(show);
    uint32_t slot = hold_find(show, reservation);
    const struct hold *hold = slot == HOLD_NO_SLOT ? NULL : hold_at(show, slot);
    bool lives = hold && (hold->state == HOLD_HELD || hold->state == HOLD_PAYING);
    if (lives)
        describe(show, hold, take);
    show_unlock(show);
    return lives && take->hold.seat_count > 0;
}

static void put_take(struct buffer *out, const struct journal_take *take) {
    uint8_t payload[JOURNAL_TAKE_BYTES];
    size_t length = journal_write_take(take, payload);
    journal_put(out, JOURNAL_TAKE, 0, (struct bytes){(const char *)payload, length}, take->answer.body);
}

static void put_answer(void *context, const struct journal_answer *answer) {
    uint8_t payload[JOURNAL_TAKE_BYTES];
    size_t length = journal_write_answer(answer, payload);
    journal_put(context, JOURNAL_ANSWER, 0, (struct bytes){(const char *)payload, length}, answer->body);
}

static void copy_living(void *context, const struct journal_record *record, struct buffer *out) {
    struct memory_store *store = context;
    struct journal_answer answer = {.status = 0};
    struct journal_take old, take;
    bool lives = false;
    if (record->kind == JOURNAL_ANSWER) {
        if (!journal_read_answer(record->payload, &answer))
            return;
    } else {
        if (!journal_read_take(record->payload, &old))
            return;
        answer = old.answer;
        lives = describe_living(store, &old.show_id, &old.hold.reservation, &take);
    }
    bool waits = !id_is_none(&answer.key.key) && answers_lives(store->answers, &answer.key.key);
    if (lives) {
        if (waits)
            take.answer = answer;
        put_take(out, &take);
    } else if (waits) {
        put_answer(out, &answer);
    }
}

/* ---- open and close ---- */

static void put_recovered(void *context, const struct journal_take *take) {
    put_take(context, take);
}

/* Reads what is there, and begins a segment of our own with what of it lives. */
static enum result open_journal(struct memory_store *store, const struct memory_store_settings *settings, char *detail,
                                size_t detail_size) {
    struct journal_settings journal = {.folder = NULL,
                                       .disk = settings->disk ? settings->disk : &journal_real_disk,
                                       .clock = settings->clock ? settings->clock : &journal_real_clock,
                                       .owner = {.context = store, .copy_living = copy_living},
                                       .compact_bytes =
                                           settings->compact_bytes ? settings->compact_bytes : COMPACT_BYTES};
    char folder[JOURNAL_PATH_BYTES];
    if (snprintf(folder, sizeof folder, "%s/holds", settings->folder) > (int)sizeof folder - 32 ||
        folder_make(folder) != RESULT_OK) {
        snprintf(detail, detail_size, "cannot make the folder '%.1024s/holds': %s", settings->folder, strerror(errno));
        return RESULT_IO_ERROR;
    }
    journal.folder = folder;
    snprintf(detail, detail_size, "no memory to read the journal of holds");
    store->recovery = recovery_new(journal.clock, store->answers);
    if (!store->recovery)
        return RESULT_OVERLOADED;
    struct journal_reader reader = recovery_reader(store->recovery);
    struct journal_found found;
    enum result result = journal_read(folder, &reader, &found, detail, detail_size);
    if (result != RESULT_OK)
        return result;
    journal.first_number = found.newest_number + 1;
    journal.first_sequence = found.next_sequence;
    journal.oldest_number = found.oldest_number ? found.oldest_number : journal.first_number;
    struct buffer living;
    journal_begin_batch(&living, LIVING_LIMIT);
    recovery_each(store->recovery, NULL, put_recovered, &living);
    answers_each_waiting(store->answers, put_answer, &living);
    journal_put(&living, JOURNAL_BASE, 0, (struct bytes){0}, (struct bytes){0});
    if (buffer_ok(&living))
        result = journal_open(&journal, &living, &store->journal, detail, detail_size);
    else
        result = RESULT_OVERLOADED;
    buffer_release(&living);
    return result;
}

static void store_free(struct memory_store *store) {
    recovery_free(store->recovery);
    answers_free(store->answers);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

enum result memory_store_open(const struct memory_store_settings *settings, struct hold_store *store, char *detail,
                              size_t detail_size) {
    struct memory_store *made = calloc(1, sizeof *made);
    if (!made) {
        snprintf(detail, detail_size, "no memory for the hold store");
        return RESULT_OVERLOADED;
    }
    pthread_mutex_init(&made->lock, NULL);
    made->answers = answers_new(settings->max_answers ? settings->max_answers : LIMIT_WAITING_ANSWERS);
    enum result result = RESULT_OVERLOADED;
    if (made->answers)
        result = settings->folder ? open_journal(made, settings, detail, detail_size) : RESULT_OK;
    else
        snprintf(detail, detail_size, "no memory for the hold store");
    if (result != RESULT_OK) {
        store_free(made);
        return result;
    }
    *store = (struct hold_store){.engine = made,
                                 .immediate = true,
                                 .take = store_take,
                                 .step = store_step,
                                 .expire = store_expire,
                                 .takes = store_takes};
    return RESULT_OK;
}

void memory_store_close(struct hold_store *store) {
    struct memory_store *memory = store->engine;
    if (memory->journal)
        journal_close(memory->journal);
    store_free(memory);
    *store = (struct hold_store){.engine = NULL};
}

enum result memory_store_sync(struct hold_store *store) {
    struct memory_store *memory = store->engine;
    return memory->journal ? journal_sync(memory->journal) : RESULT_OK;
}

/* ---- recovery ---- */

static bool add_show(struct memory_store *store, struct show *show) {
    pthread_mutex_lock(&store->lock);
    bool added = store->show_count < LIMIT_SHOWS;
    if (added)
        store->shows[store->show_count++] = show;
    pthread_mutex_unlock(&store->lock);
    return added;
}

struct restoring {
    struct memory_store *store;
    struct show *show;
    int64_t now_ms;
    struct memory_recovery counts;
};

/* Under the show's lock. */
static void restore(void *context, const struct journal_take *take) {
    struct restoring *restoring = context;
    struct show *show = restoring->show;
    const struct plan *plan = show_plan(show);
    bool fits = id_equal(&take->plan_hash, &plan->hash);
    for (uint32_t i = 0; fits && i < take->hold.seat_count; i++)
        fits = take->seats[i] < plan->seat_count;
    struct hold hold = take->hold;
    bool was_paying = hold.state == HOLD_PAYING;
    if (was_paying && hold.payments_begun > 0)
        hold.payments_begun--; /* the saga begins it again */
    hold.state = HOLD_HELD;
    hold.booking = (struct id){{0}};
    uint32_t slot;
    if (!fits) {
        restoring->counts.foreign++;
        tell(restoring->store, show, &hold, JOURNAL_LOST);
    } else if (!was_paying && hold.store_deadline_ms <= restoring->now_ms) {
        restoring->counts.ran_out++;
        tell(restoring->store, show, &hold, JOURNAL_EXPIRED);
    } else if (hold_restore(show, &hold, take->seats, &slot) != RESULT_OK) {
        restoring->counts.lost++;
        tell(restoring->store, show, &hold, JOURNAL_LOST);
    } else {
        restoring->counts.restored++;
    }
}

enum result memory_store_recover(struct hold_store *store, struct show *show, int64_t now_ms,
                                 struct memory_recovery *recovery) {
    struct memory_store *memory = store->engine;
    struct restoring restoring = {.store = memory, .show = show, .now_ms = now_ms};
    if (!add_show(memory, show))
        return RESULT_OVERLOADED;
    if (memory->recovery) {
        show_lock(show);
        recovery_each(memory->recovery, show_id(show), restore, &restoring);
        show_unlock(show);
    }
    *recovery = restoring.counts;
    return RESULT_OK;
}

/* Tells the journal that a hold is gone whose show nobody made known. */
static void forget(void *context, const struct journal_take *take) {
    struct memory_store *store = context;
    if (find_show(store, &take->show_id))
        return;
    struct journal_step step = {.show_id = take->show_id, .reservation = take->hold.reservation, .what = JOURNAL_LOST};
    append_step(store->journal, &step, journal_take_size(&take->hold));
}

void memory_store_end_recovery(struct hold_store *store) {
    struct memory_store *memory = store->engine;
    if (!memory->recovery)
        return;
    recovery_each(memory->recovery, NULL, forget, memory);
    recovery_free(memory->recovery);
    memory->recovery = NULL;
    journal_allow_compaction(memory->journal);
}

/* ---- answers ---- */

enum result memory_store_find_answer(struct hold_store *store, const struct id *key, struct kept_answer *answer,
                                     struct buffer *storage) {
    struct memory_store *memory = store->engine;
    return answers_find(memory->answers, key, answer, storage);
}

uint32_t memory_store_pending_answers(struct hold_store *store, struct kept_answer *answers, uint32_t room) {
    struct memory_store *memory = store->engine;
    uint64_t synced = memory->journal ? journal_synced(memory->journal) : UINT64_MAX;
    return answers_hand_out(memory->answers, synced, room, answers);
}

void memory_store_answers_kept(struct hold_store *store, const struct kept_answer *answers, uint32_t count, bool kept) {
    struct memory_store *memory = store->engine;
    answers_settle(memory->answers, answers, count, kept, memory->journal);
}
