#include "events.h"
#include "base/panic.h"
#include "memory.h"

#include <string.h>

#define WHEEL_MS 128

void events_init(struct events *events, uint32_t fans) {
    *events = (struct events){.fans = fans};
    events->due_ms = memory_new(fans, sizeof *events->due_ms);
    events->next = memory_new(fans, sizeof *events->next);
}

void events_release(struct events *events) {
    memory_free(events->heap);
    memory_free(events->due_ms);
    memory_free(events->next);
    memory_free(events->buckets);
}

static bool is_before(const struct event *a, const struct event *b) {
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

void events_add(struct events *events, int64_t at_ms, enum event_kind kind, uint32_t life, uint32_t a, uint32_t b) {
    events->heap = memory_grow(events->heap, &events->room, events->count + 1, sizeof *events->heap);
    struct event event = {.at_ms = at_ms, .order = events->order++, .kind = kind, .life = life, .a = a, .b = b};
    uint32_t at = events->count++;
    while (at > 0 && is_before(&event, &events->heap[(at - 1) / 2])) {
        events->heap[at] = events->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    events->heap[at] = event;
}

static void take_first(struct events *events, struct event *first) {
    struct event *heap = events->heap;
    *first = heap[0];
    struct event last = heap[--events->count];
    uint32_t at = 0, child;
    while ((child = 2 * at + 1) < events->count) {
        if (child + 1 < events->count && is_before(&heap[child + 1], &heap[child]))
            child++;
        if (!is_before(&heap[child], &last))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
}

void events_add_fan(struct events *events, int64_t at_ms, uint32_t fan) {
    assert(fan < events->fans && at_ms >= 0 && at_ms < UINT32_MAX);
    uint32_t bucket = (uint32_t)(at_ms / WHEEL_MS);
    events->due_ms[fan] = (uint32_t)at_ms;
    if (bucket <= events->bucket_at) {
        events_add(events, at_ms, EVENT_FAN, 0, fan, 0);
        return;
    }
    uint32_t before = events->bucket_count;
    if (bucket >= before) {
        events->buckets = memory_grow(events->buckets, &events->bucket_count, bucket + 1, sizeof *events->buckets);
        memset(events->buckets + before, 0, (events->bucket_count - before) * sizeof *events->buckets);
    }
    events->next[fan] = events->buckets[bucket];
    events->buckets[bucket] = fan + 1;
    events->in_buckets++;
}

/* The next bucket's fans come into the heap. */
static void open_bucket(struct events *events) {
    events->bucket_at++;
    if (events->bucket_at >= events->bucket_count)
        return;
    for (uint32_t link = events->buckets[events->bucket_at]; link; link = events->next[link - 1]) {
        events_add(events, events->due_ms[link - 1], EVENT_FAN, 0, link - 1, 0);
        events->in_buckets--;
    }
    events->buckets[events->bucket_at] = 0;
}

bool events_next(struct events *events, struct event *event) {
    for (;;) {
        int64_t opened_up_to_ms = ((int64_t)events->bucket_at + 1) * WHEEL_MS;
        bool is_near = events->count > 0 && events->heap[0].at_ms < opened_up_to_ms;
        if (is_near || (events->count > 0 && events->in_buckets == 0)) {
            take_first(events, event);
            return true;
        }
        if (events->in_buckets == 0)
            return false;
        open_bucket(events);
    }
}
