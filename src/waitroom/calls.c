/* Calls: how far `serving` moves, and when the windows of those called are over.
 *
 * Positions that were called at about the same time share a grain; the open grains are a ring of fixed size, and all
 * before them is `closed`, which is one comparison for each of a million places.
 *
 * How many are called is a control loop. Calls are due at the drip's rate divided by the share of those who come, a
 * little faster while nobody stands at the door and slower the more do; and only while those inside, at the door and
 * still to be expected fit max_active, less those who will have gone until the expected come. The share is that of the
 * grains that are old enough to tell, late comers included, the last hundreds of calls weighing most. So a wrong share
 * costs some at the door, or some seconds of the drip, and mends itself; the bounds are not this file's work but the
 * claim's.
 */
#include "waitroom/queue_private.h"

static_assert(QUEUE_GRAINS >= 2 * 1001, "all grains of a window, each a thousandth of it, and as many again");

static int64_t grain_width_ms(const struct queue *queue) {
    int64_t thousandth = claim_ms(queue) / 1000;
    return thousandth > QUEUE_GRAIN_LEAST_MS ? thousandth : QUEUE_GRAIN_LEAST_MS;
}

static int64_t learn_after_ms(const struct queue *queue) {
    int64_t quarter = claim_ms(queue) / 4;
    return quarter < QUEUE_LEARN_MOST_MS ? quarter : QUEUE_LEARN_MOST_MS;
}

struct grain *grain_of(struct queue *queue, uint32_t position) {
    if (position <= queue->closed || position > queue->serving)
        return NULL;
    uint32_t low = 0, high = queue->grain_count - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (grain_at(queue, middle)->last >= position)
            high = middle;
        else
            low = middle + 1;
    }
    return grain_at(queue, low);
}

/* ---- the share of those who come ---- */

static void share_forget(struct queue *queue) {
    const int64_t most = (int64_t)QUEUE_SHARE_MOST * QUEUE_SHARE_ONE;
    if (queue->share_called > most) {
        queue->share_shown = queue->share_shown * most / queue->share_called;
        queue->share_called = most;
    }
    if (queue->share_shown > queue->share_called)
        queue->share_shown = queue->share_called;
}

void share_count_late(struct queue *queue) {
    queue->share_shown += QUEUE_SHARE_ONE;
    share_forget(queue);
}

uint32_t share_permille(const struct queue *queue) {
    uint32_t share = (uint32_t)(queue->share_shown * QUEUE_SHARE_ONE / queue->share_called);
    return share > QUEUE_SHARE_LEAST ? share : QUEUE_SHARE_LEAST;
}

static void count_add(struct call_count *to, const struct call_count *count) {
    to->called += count->called;
    to->shown += count->shown;
    to->left += count->left;
}

static void count_subtract(struct call_count *from, const struct call_count *count) {
    from->called -= count->called;
    from->shown -= count->shown;
    from->left -= count->left;
}

static void learn_next(struct queue *queue) {
    struct grain *grain = grain_at(queue, queue->learned_count++);
    grain->is_learned = true;
    count_subtract(&queue->young, &grain->count);
    count_add(&queue->old, &grain->count);
    queue->share_called += (int64_t)grain->count.called * QUEUE_SHARE_ONE;
    queue->share_shown += (int64_t)grain->count.shown * QUEUE_SHARE_ONE;
    share_forget(queue);
}

static struct call_count *sum_of(struct queue *queue, const struct grain *grain) {
    return grain->is_learned ? &queue->old : &queue->young;
}

void grain_count_called(struct queue *queue, struct grain *grain) {
    grain->count.called++;
    sum_of(queue, grain)->called++;
}

void grain_count_left(struct queue *queue, struct grain *grain) {
    grain->count.left++;
    sum_of(queue, grain)->left++;
}

void grain_count_shown(struct queue *queue, struct grain *grain) {
    grain->count.shown++;
    sum_of(queue, grain)->shown++;
    queue->delay_sum += queue->open_ms - grain->open_ms - queue->delay_sum / QUEUE_DELAY_WEIGHT;
    if (grain->is_learned)
        share_count_late(queue);
}

/* ---- windows ---- */

static void close_first(struct queue *queue) {
    struct grain *grain = grain_at(queue, 0);
    assert(grain->is_learned);
    uint32_t over = grain->count.called - grain->count.shown - grain->count.left;
    count_subtract(&queue->old, &grain->count);
    queue->closed = grain->last;
    queue->waiting -= over;
    queue->missed += over;
    queue->grain_first = (queue->grain_first + 1) % QUEUE_GRAINS;
    queue->grain_count--;
    queue->learned_count--;
}

void calls_advance(struct queue *queue, int64_t open_ms) {
    if (open_ms <= queue->open_ms)
        return;
    queue->open_ms = open_ms;
    while (queue->learned_count < queue->grain_count &&
           open_ms - grain_at(queue, queue->learned_count)->open_ms >= learn_after_ms(queue))
        learn_next(queue);
    while (queue->grain_count && open_ms - grain_at(queue, 0)->open_ms > claim_ms(queue))
        close_first(queue);
}

/* The two oldest become one, whose windows end with the later one's. Only settings that were changed again and again
 * make so many grains. */
static void join_oldest(struct queue *queue) {
    struct grain *first = grain_at(queue, 0), *second = grain_at(queue, 1);
    if (first->is_learned && !second->is_learned)
        learn_next(queue);
    count_add(&second->count, &first->count);
    second->from_ms = first->from_ms;
    queue->learned_count -= second->is_learned;
    queue->grain_first = (queue->grain_first + 1) % QUEUE_GRAINS;
    queue->grain_count--;
}

static struct grain *grain_for_calls(struct queue *queue) {
    struct grain *last = queue->grain_count ? grain_at(queue, queue->grain_count - 1) : NULL;
    if (last && !last->is_learned && queue->open_ms - last->from_ms < grain_width_ms(queue))
        return last;
    if (queue->grain_count == QUEUE_GRAINS)
        join_oldest(queue);
    struct grain *grain = grain_at(queue, queue->grain_count++);
    *grain = (struct grain){.from_ms = queue->open_ms, .open_ms = queue->open_ms};
    return grain;
}

void calls_next(struct queue *queue) {
    struct grain *grain = grain_for_calls(queue);
    uint32_t number = number_at(queue, queue->serving + 1);
    grain->last = ++queue->serving;
    grain->open_ms = queue->open_ms;
    if (place_entry(queue, number)->state == PLACE_WAITING)
        grain_count_called(queue, grain);
}

/* ---- how many are due ---- */

static uint32_t expected_of(const struct call_count *count, uint32_t share) {
    uint64_t come = (uint64_t)(count->called - count->left) * share / QUEUE_SHARE_ONE;
    return come > count->shown ? (uint32_t)come - count->shown : 0;
}

static void see_leaving(struct queue *queue, int64_t passed_ms) {
    uint64_t done = queue->admitted - queue->active;
    queue->leaving -= queue->leaving * passed_ms / QUEUE_LEAVING_MS;
    if (passed_ms > 0)
        queue->leaving += (int64_t)(done - queue->done_seen) * 1000;
    queue->done_seen = done;
}

/* Who will have left until somebody called now comes; at most an eighth of those who may be inside. */
static uint32_t soon_gone(const struct queue *queue) {
    int64_t gone = queue->leaving * (queue->delay_sum / QUEUE_DELAY_WEIGHT) / QUEUE_LEAVING_MS / 1000;
    int64_t most = queue->settings.max_active / 8;
    return (uint32_t)(gone < most ? gone : most);
}

static bool has_headroom(const struct queue *queue, uint32_t share, uint32_t gone) {
    uint64_t wanted = (uint64_t)queue->active + queue->door_asking;
    return wanted + expected_of(&queue->young, share) + expected_of(&queue->old, share) <
           (uint64_t)queue->settings.max_active + gone;
}

/* Thousandths of the drip's rate that the door asks for: a twentieth more than all while it is empty, so that chance
 * leaves no token unused; all of it with a second's worth at it; nothing with ten more. */
static int64_t door_permille(const struct queue *queue, int64_t flow) {
    int64_t second = flow * 1000 / DRIP_TOKEN;
    int64_t enough = second + 1, too_many = 10 * second + 10, asking = queue->door_asking;
    if (asking <= enough)
        return 1050 - asking * 50 / enough;
    return asking - enough < too_many ? 1000 - (asking - enough) * 1000 / too_many : 0;
}

static void add_credit(struct queue *queue, int64_t passed_ms, uint32_t share) {
    int64_t flow = (int64_t)queue->drip.rate_per_minute * queue->drip.factor;
    int64_t most = flow * 1000 * QUEUE_SHARE_ONE / share;
    queue->credit += flow * passed_ms * QUEUE_SHARE_ONE / share * door_permille(queue, flow) / 1000;
    if (most < DRIP_TOKEN)
        most = DRIP_TOKEN;
    if (queue->credit > most)
        queue->credit = most;
}

void calls_make(struct queue *queue, int64_t passed_ms) {
    uint32_t share = share_permille(queue);
    add_credit(queue, passed_ms, share);
    see_leaving(queue, passed_ms);
    uint32_t gone = soon_gone(queue);
    for (int looked = 0; looked < QUEUE_CALLS_A_TICK && queue->serving < queue->issued; looked++) {
        uint32_t number = number_at(queue, queue->serving + 1);
        if (place_entry(queue, number)->state == PLACE_WAITING) {
            if (queue->credit < DRIP_TOKEN || !has_headroom(queue, share, gone))
                return;
            queue->credit -= DRIP_TOKEN;
        }
        calls_next(queue);
    }
}
