#include "feed/live_feed.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "base/random.h"

#include <pthread.h>
#include <stdlib.h>

#define FIRST_SEQUENCE 1
#define LOW_BITS 0x5555555555555555ull /* of 32 seats' pairs */
#define SHORT_DELTA_BYTES 4096         /* so long it is sent even where a snapshot is shorter */

/* A frame that is kept for who comes, of the version that it has. */
struct kept {
    struct blob *frame;
    uint64_t since; /* of a delta */
    bool is_used;   /* since the last look */
};

struct live_feed {
    /* set once */
    struct live_seats seats;
    size_t words; /* of 32 seats each */
    struct side {
        struct live_feed *feed;
        enum live_form form;
        _Atomic(struct channel *) channel;

        /* under lock */
        struct kept snapshot, delta;
    } sides[LIVE_FORM_COUNT];

    pthread_mutex_t lock;
    /* changed by the writer under lock */
    uint64_t name;
    uint64_t sequence;
    uint64_t floor;       /* deltas from this sequence on can be given */
    uint32_t version;     /* rises with every frame, whatever its sequence: of the blobs */
    uint64_t *bits;       /* as of the last frame, little-endian as in a frame */
    uint32_t *changed_at; /* by seat: the sequence of the frame that told it last, less `floor`; 0: none since */

    /* the writer's */
    uint64_t *owed; /* the low bit of a seat's pair: in the next frame, changed or not */
    bool owes;
};

static struct blob *catch_up(void *context);
static struct blob *resume(void *context, const struct websocket_known *known);

enum result live_feed_new(uint32_t seat_count, const struct bytes *ids, struct live_feed **feed) {
    struct live_feed *made = calloc(1, sizeof *made);
    if (!made)
        return RESULT_OVERLOADED;
    live_seats_init(&made->seats, seat_count, ids);
    made->words = LIVE_BITS_BYTES(seat_count) / 8;
    made->sequence = made->floor = FIRST_SEQUENCE;
    made->version = 1;
    while (made->name == 0)
        made->name = random_u64();
    for (int form = 0; form < LIVE_FORM_COUNT; form++) {
        made->sides[form].feed = made;
        made->sides[form].form = (enum live_form)form;
    }
    pthread_mutex_init(&made->lock, NULL);
    made->bits = calloc(made->words + 1, sizeof *made->bits);
    made->owed = calloc(made->words + 1, sizeof *made->owed);
    made->changed_at = calloc((size_t)seat_count + 1, sizeof *made->changed_at);
    if (!made->bits || !made->owed || !made->changed_at) {
        live_feed_free(made);
        return RESULT_OVERLOADED;
    }
    *feed = made;
    return RESULT_OK;
}

static void drop(struct kept *kept) {
    blob_drop(kept->frame);
    *kept = (struct kept){.frame = NULL};
}

void live_feed_free(struct live_feed *feed) {
    if (!feed)
        return;
    for (int form = 0; form < LIVE_FORM_COUNT; form++) {
        channel_free(atomic_load(&feed->sides[form].channel));
        drop(&feed->sides[form].snapshot);
        drop(&feed->sides[form].delta);
    }
    pthread_mutex_destroy(&feed->lock);
    free(feed->bits);
    free(feed->owed);
    free(feed->changed_at);
    free(feed);
}

enum result live_feed_channel(struct live_feed *feed, enum live_form form, live_channel_maker *make, void *runtime,
                              struct channel **channel) {
    struct side *side = &feed->sides[form];
    struct channel *made = atomic_load_explicit(&side->channel, memory_order_acquire);
    enum result result = RESULT_OK;
    if (!made) {
        struct channel_service service = {
            .context = side, .catch_up = catch_up, .resume = resume, .every_frame_counts = true};
        pthread_mutex_lock(&feed->lock);
        made = atomic_load(&side->channel);
        if (!made)
            result = make(runtime, &service, &made);
        if (result == RESULT_OK)
            atomic_store_explicit(&side->channel, made, memory_order_release);
        pthread_mutex_unlock(&feed->lock);
    }
    if (result == RESULT_OK)
        *channel = made;
    return result;
}

static uint32_t members_of(const struct side *side) {
    const struct channel *channel = atomic_load_explicit(&side->channel, memory_order_acquire);
    return channel ? channel_members(channel) : 0;
}

uint32_t live_feed_viewers(const struct live_feed *feed) {
    return members_of(&feed->sides[LIVE_BINARY]) + members_of(&feed->sides[LIVE_JSON]);
}

struct live_place live_feed_place(struct live_feed *feed) {
    pthread_mutex_lock(&feed->lock);
    struct live_place place = {feed->name, feed->sequence};
    pthread_mutex_unlock(&feed->lock);
    return place;
}

struct live_place live_feed_copy(struct live_feed *feed, uint8_t *bits) {
    pthread_mutex_lock(&feed->lock);
    memcpy(bits, feed->bits, ((size_t)feed->seats.count + 3) / 4);
    struct live_place place = {feed->name, feed->sequence};
    pthread_mutex_unlock(&feed->lock);
    return place;
}

/* ---- what who comes is given ---- */

/* So much is kept alive by slow readers that they have to be cut off before more is made. */
static bool memory_is_short(void) {
    return blob_live_bytes() > 2 * (size_t)LIMIT_BLOB_BYTES;
}

/* The caller holds the lock. */
static struct blob *give_snapshot(struct live_feed *feed, struct side *side) {
    struct kept *kept = &side->snapshot;
    if (!kept->frame && !memory_is_short()) {
        struct live_head head = {.feed = feed->name, .sequence = feed->sequence};
        kept->frame = live_frame_snapshot(side->form, &feed->seats, &head, (const uint8_t *)feed->bits);
        if (kept->frame)
            kept->frame->version = feed->version;
        metric_add(METRIC_LIVE_SNAPSHOTS, 1);
    }
    kept->is_used = true;
    return kept->frame ? blob_take(kept->frame) : NULL;
}

static struct blob *catch_up(void *context) {
    struct side *side = context;
    pthread_mutex_lock(&side->feed->lock);
    struct blob *frame = give_snapshot(side->feed, side);
    pthread_mutex_unlock(&side->feed->lock);
    return frame;
}

/* A delta of so many seats is better told as a snapshot. */
static bool is_too_long(const struct live_feed *feed, size_t count) {
    return 4 * count > SHORT_DELTA_BYTES && 16 * count > feed->seats.count;
}

static unsigned status_of(const struct live_feed *feed, uint32_t seat) {
    return ((const uint8_t *)feed->bits)[seat / 4] >> seat % 4 * 2 & 3;
}

/* What has changed since; NULL if that is better told as a snapshot, or memory ran out. The caller holds the lock. */
static struct blob *make_delta_since(const struct live_feed *feed, enum live_form form, uint64_t since) {
    uint32_t after = (uint32_t)(since - feed->floor);
    uint32_t count = 0;
    for (uint32_t seat = 0; seat < feed->seats.count; seat++)
        count += feed->changed_at[seat] > after;
    uint32_t *changes = is_too_long(feed, count) ? NULL : malloc(((size_t)count + 1) * sizeof *changes);
    if (!changes)
        return NULL;
    uint32_t listed = 0;
    for (uint32_t seat = 0; listed < count; seat++)
        if (feed->changed_at[seat] > after)
            changes[listed++] = live_change(seat, status_of(feed, seat));
    struct live_head head = {feed->name, feed->sequence, since};
    struct blob *frame = live_frame_delta(form, &feed->seats, &head, count, changes);
    free(changes);
    if (frame)
        frame->version = feed->version;
    return frame;
}

static struct blob *resume(void *context, const struct websocket_known *known) {
    struct side *side = context;
    struct live_feed *feed = side->feed;
    struct kept *kept = &side->delta;
    struct blob *frame = NULL;
    pthread_mutex_lock(&feed->lock);
    if (known->feed == feed->name && known->sequence >= feed->floor && known->sequence <= feed->sequence) {
        if (kept->frame && kept->since != known->sequence)
            drop(kept);
        if (!kept->frame && !memory_is_short())
            kept->frame = make_delta_since(feed, side->form, known->sequence);
        kept->since = known->sequence;
        kept->is_used = true;
        frame = kept->frame ? blob_take(kept->frame) : NULL;
    }
    if (!frame)
        frame = give_snapshot(feed, side);
    pthread_mutex_unlock(&feed->lock);
    return frame;
}

void live_feed_tend(struct live_feed *feed) {
    pthread_mutex_lock(&feed->lock);
    for (int form = 0; form < LIVE_FORM_COUNT; form++) {
        struct kept *all[] = {&feed->sides[form].snapshot, &feed->sides[form].delta};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            if (!all[i]->is_used)
                drop(all[i]);
            all[i]->is_used = false;
        }
    }
    pthread_mutex_unlock(&feed->lock);
}

/* ---- a frame ---- */

/* What the next state is, and how it is told. */
struct step {
    uint64_t name, sequence;
    const uint64_t *bits;
    uint32_t count;
    const uint32_t *changes; /* rising; not of a snapshot */
    bool is_snapshot;        /* what came between is not known: nobody is told of it in parts */
    struct blob *frames[LIVE_FORM_COUNT];
};

/* The frames for who watches now. False when memory ran out. */
static bool encode(const struct live_feed *feed, struct step *step) {
    struct live_head head = {step->name, step->sequence, feed->sequence};
    for (int form = 0; form < LIVE_FORM_COUNT; form++) {
        if (step->frames[form] || !members_of(&feed->sides[form]))
            continue;
        bool is_snapshot = step->is_snapshot || (form == LIVE_BINARY && is_too_long(feed, step->count));
        const uint8_t *bits = (const uint8_t *)step->bits;
        struct blob *frame =
            is_snapshot ? live_frame_snapshot((enum live_form)form, &feed->seats, &head, bits)
                        : live_frame_delta((enum live_form)form, &feed->seats, &head, step->count, step->changes);
        if (!frame)
            return false;
        frame->version = feed->version + 1;
        step->frames[form] = frame;
    }
    return true;
}

/* Everybody who watches has a frame of the step. The caller holds the lock, under which who comes is given what there
 * is: so whoever was given the state before is among the members by now. */
static bool reaches_all(const struct live_feed *feed, const struct step *step) {
    for (int form = 0; form < LIVE_FORM_COUNT; form++)
        if (!step->frames[form] && members_of(&feed->sides[form]))
            return false;
    return true;
}

/* The caller holds the lock. */
static void commit(struct live_feed *feed, const struct step *step) {
    if (step->is_snapshot) {
        feed->floor = step->sequence;
        memset(feed->changed_at, 0, feed->seats.count * sizeof *feed->changed_at);
    }
    assert(step->sequence - feed->floor < UINT32_MAX && feed->version < UINT32_MAX);
    for (uint32_t i = 0; i < step->count && !step->is_snapshot; i++)
        feed->changed_at[step->changes[i] >> 2] = (uint32_t)(step->sequence - feed->floor);
    memcpy(feed->bits, step->bits, feed->words * sizeof *feed->bits);
    feed->name = step->name;
    feed->sequence = step->sequence;
    feed->version++;
    for (int form = 0; form < LIVE_FORM_COUNT; form++) {
        drop(&feed->sides[form].snapshot);
        drop(&feed->sides[form].delta);
    }
}

/* False when memory ran out: nothing has happened. */
static bool take_step(struct live_feed *feed, struct step *step) {
    for (;;) {
        if (!encode(feed, step)) {
            for (int form = 0; form < LIVE_FORM_COUNT; form++)
                blob_drop(step->frames[form]);
            return false;
        }
        pthread_mutex_lock(&feed->lock);
        if (reaches_all(feed, step))
            break;
        pthread_mutex_unlock(&feed->lock); /* somebody came first of all meanwhile */
    }
    commit(feed, step);
    pthread_mutex_unlock(&feed->lock);
    memset(feed->owed, 0, feed->words * sizeof *feed->owed);
    feed->owes = false;
    for (int form = 0; form < LIVE_FORM_COUNT; form++)
        if (step->frames[form])
            websocket_publish(atomic_load(&feed->sides[form].channel), step->frames[form]);
    metric_add(METRIC_LIVE_FRAMES, 1);
    return true;
}

/* ---- the writer's ---- */

/* The low bits of those pairs that are not the same. */
static uint64_t differing(uint64_t one, uint64_t other) {
    uint64_t bits = one ^ other;
    return (bits | bits >> 1) & LOW_BITS;
}

/* The i-th word of the seats as a number whose lowest pair is the first seat. */
static uint64_t word_at(const uint64_t *bits, size_t i) {
    return le64toh(bits[i]);
}

/* A copy in whole words, or NULL. */
static uint64_t *copy_bits(const struct live_feed *feed, const uint8_t *bits) {
    uint64_t *copy = calloc(feed->words + 1, sizeof *copy);
    if (copy)
        memcpy(copy, bits, ((size_t)feed->seats.count + 3) / 4);
    return copy;
}

/* Seats that are not as they were, and those that are owed; from malloc(), or NULL. */
static uint32_t *list_changes(const struct live_feed *feed, const uint64_t *bits, uint32_t *count) {
    uint32_t total = 0, listed = 0;
    for (size_t i = 0; i < feed->words; i++)
        total += (uint32_t)__builtin_popcountll(differing(word_at(bits, i), word_at(feed->bits, i)) | feed->owed[i]);
    uint32_t *changes = malloc(((size_t)total + 1) * sizeof *changes);
    if (!changes)
        return NULL;
    for (size_t i = 0; i < feed->words && listed < total; i++) {
        uint64_t now = word_at(bits, i);
        uint64_t left = differing(now, word_at(feed->bits, i)) | feed->owed[i];
        for (; left; left &= left - 1) {
            unsigned at = (unsigned)__builtin_ctzll(left);
            changes[listed++] = live_change((uint32_t)(32 * i + at / 2), now >> at & 3);
        }
    }
    *count = total;
    return changes;
}

bool live_feed_advance(struct live_feed *feed, const uint8_t *bits) {
    struct step step = {.name = feed->name, .sequence = feed->sequence + 1};
    uint64_t *copy = copy_bits(feed, bits);
    uint32_t *changes = copy ? list_changes(feed, copy, &step.count) : NULL;
    step.bits = copy;
    step.changes = changes;
    bool is_told = changes && (step.count == 0 || take_step(feed, &step));
    free(changes);
    free(copy);
    return is_told;
}

bool live_feed_owes(const struct live_feed *feed) {
    return feed->owes;
}

struct live_place live_feed_shown(struct live_feed *feed, const uint8_t *bits) {
    size_t length = ((size_t)feed->seats.count + 3) / 4;
    for (size_t i = 0; 8 * i < length; i++) {
        uint64_t word = 0;
        memcpy(&word, bits + 8 * i, length - 8 * i < 8 ? length - 8 * i : 8);
        uint64_t more = differing(le64toh(word), word_at(feed->bits, i));
        feed->owed[i] |= more;
        feed->owes = feed->owes || more;
    }
    return (struct live_place){feed->name, feed->sequence};
}

static enum result follow_delta(struct live_feed *feed, const struct live_frame *frame) {
    const struct live_head *head = &frame->head;
    bool is_too_far = head->sequence > feed->floor && head->sequence - feed->floor >= UINT32_MAX;
    if (head->feed != feed->name || head->since > feed->sequence || is_too_far)
        return RESULT_CONFLICT;
    if (head->sequence <= feed->sequence)
        return RESULT_OK;
    uint64_t *bits = copy_bits(feed, (const uint8_t *)feed->bits);
    uint32_t *changes = malloc(((size_t)frame->count + 1) * sizeof *changes);
    struct step step = {head->feed, head->sequence, bits, frame->count, changes, false, {NULL}};
    for (uint32_t i = 0; bits && changes && i < frame->count; i++) {
        changes[i] = live_frame_change(frame, i);
        uint8_t *pair = (uint8_t *)bits + (changes[i] >> 4);
        unsigned shift = (changes[i] >> 2) % 4 * 2;
        *pair = (uint8_t)((*pair & ~(3u << shift)) | (changes[i] & 3) << shift);
    }
    bool is_taken = bits && changes && take_step(feed, &step);
    free(bits);
    free(changes);
    return is_taken ? RESULT_OK : RESULT_OVERLOADED;
}

static enum result follow_snapshot(struct live_feed *feed, const struct live_frame *frame) {
    if (frame->head.feed == feed->name && frame->head.sequence <= feed->sequence)
        return RESULT_OK;
    uint64_t *bits = copy_bits(feed, frame->body);
    struct step step = {.name = frame->head.feed, .sequence = frame->head.sequence, .bits = bits, .is_snapshot = true};
    bool is_taken = bits && take_step(feed, &step);
    free(bits);
    return is_taken ? RESULT_OK : RESULT_OVERLOADED;
}

enum result live_feed_follow(struct live_feed *feed, const struct live_frame *frame) {
    return frame->kind == LIVE_SNAPSHOT ? follow_snapshot(feed, frame) : follow_delta(feed, frame);
}
