#include "engines/memory/recovery.h"
#include "base/hash.h"
#include "base/panic.h"

#include <stdlib.h>

#define STORAGE_LIMIT ((size_t)2 << 30)
#define SAME_CLOCK_MS 1000 /* the wall clock wanders by less than this, and nobody is to see it */
#define NOBODY UINT32_MAX

struct recovered {
    struct id reservation;
    struct id show_id;
    size_t at, length; /* its TAKE's payload, in storage */
    bool lives;
    bool paying;
    uint8_t payments_begun;
    uint32_t base;
    struct id booking;
};

/* The clock that wrote a segment, and when it was last read. */
struct base {
    struct id boot;
    int64_t wall_minus_boot_ms;
    int64_t last_ms;
};

struct recovery {
    struct answers *answers;
    struct id boot;
    int64_t now_ms, wall_minus_boot_ms;
    struct buffer storage;
    struct recovered *holds;
    uint32_t count, room;
    uint32_t *slots; /* by reservation: an index into holds, or NOBODY */
    uint32_t slot_mask;
    struct base *bases;
    uint32_t base_count;
};

struct recovery *recovery_new(const struct journal_clock *clock, struct answers *answers) {
    struct recovery *recovery = calloc(1, sizeof *recovery);
    if (!recovery)
        return NULL;
    recovery->answers = answers;
    recovery->boot = clock->boot(clock->context);
    recovery->now_ms = clock->now_ms(clock->context);
    recovery->wall_minus_boot_ms = recovery->now_ms - clock->boot_ms(clock->context);
    buffer_init(&recovery->storage, STORAGE_LIMIT);
    return recovery;
}

void recovery_free(struct recovery *recovery) {
    if (!recovery)
        return;
    buffer_release(&recovery->storage);
    free(recovery->holds);
    free(recovery->slots);
    free(recovery->bases);
    free(recovery);
}

/* ---- the table of holds ---- */

static uint32_t *slot_of(const struct recovery *recovery, const struct id *reservation) {
    uint64_t hash = hash_u64((struct bytes){(const char *)reservation->at, sizeof reservation->at});
    uint32_t at = (uint32_t)hash & recovery->slot_mask;
    while (recovery->slots[at] != NOBODY && !id_equal(&recovery->holds[recovery->slots[at]].reservation, reservation))
        at = (at + 1) & recovery->slot_mask;
    return &recovery->slots[at];
}

/* Twice as many slots as holds, at least. */
static bool grow(struct recovery *recovery) {
    uint32_t room = recovery->room ? 2 * recovery->room : 1024;
    struct recovered *holds = realloc(recovery->holds, room * sizeof *holds);
    if (!holds)
        return false;
    recovery->holds = holds;
    uint32_t *slots = malloc(2 * room * sizeof *slots);
    if (!slots)
        return false;
    free(recovery->slots);
    recovery->slots = slots;
    recovery->slot_mask = 2 * room - 1;
    recovery->room = room;
    memset(slots, 0xff, 2 * room * sizeof *slots);
    for (uint32_t i = 0; i < recovery->count; i++)
        *slot_of(recovery, &recovery->holds[i].reservation) = i;
    return true;
}

static struct recovered *find(const struct recovery *recovery, const struct id *reservation) {
    if (recovery->count == 0)
        return NULL;
    uint32_t index = *slot_of(recovery, reservation);
    return index == NOBODY ? NULL : &recovery->holds[index];
}

/* ---- records ---- */

/* The clock of the segment that is being read. */
static struct base *base_of(struct recovery *recovery, const struct journal_header *header) {
    for (uint32_t i = 0; i < recovery->base_count; i++)
        if (id_equal(&recovery->bases[i].boot, &header->boot) &&
            recovery->bases[i].wall_minus_boot_ms == header->wall_minus_boot_ms)
            return &recovery->bases[i];
    struct base *bases = realloc(recovery->bases, (recovery->base_count + 1) * sizeof *bases);
    if (!bases)
        return NULL;
    recovery->bases = bases;
    bases[recovery->base_count] =
        (struct base){.boot = header->boot, .wall_minus_boot_ms = header->wall_minus_boot_ms, .last_ms = INT64_MIN};
    return &bases[recovery->base_count++];
}

static enum result read_take(struct recovery *recovery, const struct base *base, struct bytes payload) {
    struct journal_take take;
    if (!journal_read_take(payload, &take))
        return RESULT_CORRUPT;
    if (recovery->count == recovery->room && !grow(recovery))
        return RESULT_OVERLOADED;
    struct recovered *hold = find(recovery, &take.hold.reservation);
    if (!hold) {
        *slot_of(recovery, &take.hold.reservation) = recovery->count;
        hold = &recovery->holds[recovery->count++];
    }
    *hold = (struct recovered){.reservation = take.hold.reservation,
                               .show_id = take.show_id,
                               .at = recovery->storage.length,
                               .length = payload.length,
                               .lives = true,
                               .paying = take.hold.state == HOLD_PAYING,
                               .payments_begun = take.hold.payments_begun,
                               .booking = take.hold.booking,
                               .base = (uint32_t)(base - recovery->bases)};
    buffer_add_bytes(&recovery->storage, payload);
    if (!buffer_ok(&recovery->storage))
        return RESULT_OVERLOADED;
    return id_is_none(&take.answer.key.key) ? RESULT_OK : answers_restore(recovery->answers, &take.answer);
}

static enum result read_step(struct recovery *recovery, struct bytes payload) {
    struct journal_step step;
    if (!journal_read_step(payload, &step))
        return RESULT_CORRUPT;
    struct recovered *hold = find(recovery, &step.reservation);
    if (!hold)
        return RESULT_OK;
    switch (step.what) {
    case JOURNAL_PAYING:
    case JOURNAL_HELD_AGAIN:
        hold->paying = step.what == JOURNAL_PAYING;
        hold->booking = step.booking;
        hold->payments_begun = step.payments_begun;
        break;
    case JOURNAL_RELEASED:
    case JOURNAL_EXPIRED:
    case JOURNAL_DECLINED:
    case JOURNAL_SOLD:
    case JOURNAL_LOST:
        hold->lives = false;
        break;
    }
    return RESULT_OK;
}

static enum result read_kept(struct recovery *recovery, struct bytes keys) {
    if (keys.length % sizeof(struct id))
        return RESULT_CORRUPT;
    for (size_t at = 0; at < keys.length; at += sizeof(struct id)) {
        struct id key;
        memcpy(key.at, keys.at + at, sizeof key.at);
        answers_forget(recovery->answers, &key);
    }
    return RESULT_OK;
}

static enum result read_record(void *context, const struct journal_header *header,
                               const struct journal_record *record) {
    struct recovery *recovery = context;
    struct base *base = base_of(recovery, header);
    if (!base)
        return RESULT_OVERLOADED;
    struct journal_answer answer;
    int64_t now_ms;
    switch (record->kind) {
    case JOURNAL_MARK:
        if (!journal_read_mark(record->payload, &now_ms))
            return RESULT_CORRUPT;
        base->last_ms = now_ms;
        return RESULT_OK;
    case JOURNAL_BASE:
        return RESULT_OK;
    case JOURNAL_TAKE:
        return read_take(recovery, base, record->payload);
    case JOURNAL_STEP:
        return read_step(recovery, record->payload);
    case JOURNAL_ANSWER:
        return journal_read_answer(record->payload, &answer) ? answers_restore(recovery->answers, &answer)
                                                             : RESULT_CORRUPT;
    case JOURNAL_KEPT:
        return read_kept(recovery, record->payload);
    }
    return RESULT_CORRUPT;
}

struct journal_reader recovery_reader(struct recovery *recovery) {
    return (struct journal_reader){.context = recovery, .record = read_record};
}

/* ---- what lives ---- */

/* How much later, by the clock of now, the hold's times are. */
static int64_t shift_of(const struct recovery *recovery, const struct base *base, const struct hold *hold) {
    if (!id_is_none(&base->boot) && id_equal(&base->boot, &recovery->boot)) {
        int64_t shift = recovery->wall_minus_boot_ms - base->wall_minus_boot_ms;
        return shift > -SAME_CLOCK_MS && shift < SAME_CLOCK_MS ? 0 : shift;
    }
    int64_t left = hold->store_deadline_ms - recovery->now_ms;
    int64_t left_when_marked = hold->store_deadline_ms - base->last_ms;
    int64_t full = hold->store_deadline_ms - hold->taken_ms;
    if (left_when_marked > left)
        left = left_when_marked;
    if (left > full)
        left = full;
    return recovery->now_ms + left - hold->store_deadline_ms;
}

static bool is_wanted(const struct recovered *hold, const struct id *show_id) {
    return hold->lives && (!show_id || id_equal(&hold->show_id, show_id));
}

uint32_t recovery_count(const struct recovery *recovery, const struct id *show_id) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < recovery->count; i++)
        count += is_wanted(&recovery->holds[i], show_id);
    return count;
}

void recovery_each(const struct recovery *recovery, const struct id *show_id,
                   void (*each)(void *context, const struct journal_take *take), void *context) {
    for (uint32_t i = 0; i < recovery->count; i++) {
        const struct recovered *recovered = &recovery->holds[i];
        if (!is_wanted(recovered, show_id))
            continue;
        struct journal_take take;
        bool good = journal_read_take((struct bytes){recovery->storage.at + recovered->at, recovered->length}, &take);
        assert(good);
        take.answer = (struct journal_answer){.status = 0};
        take.hold.state = recovered->paying ? HOLD_PAYING : HOLD_HELD;
        take.hold.payments_begun = recovered->payments_begun;
        take.hold.booking = recovered->booking;
        int64_t shift = shift_of(recovery, &recovery->bases[recovered->base], &take.hold);
        take.hold.taken_ms += shift;
        take.hold.deadline_ms += shift;
        take.hold.store_deadline_ms += shift;
        each(context, &take);
    }
}
