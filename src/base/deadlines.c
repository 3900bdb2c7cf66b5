#include "base/deadlines.h"
#include "base/panic.h"

#include <stdlib.h>

enum result deadlines_init(struct deadlines *deadlines, uint32_t limit) {
    struct deadline **heap = calloc((size_t)limit + 1, sizeof *heap);
    if (!heap)
        return RESULT_OVERLOADED;
    *deadlines = (struct deadlines){.heap = heap, .limit = limit};
    return RESULT_OK;
}

void deadlines_release(struct deadlines *deadlines) {
    free(deadlines->heap);
    deadlines->heap = NULL;
}

static void put(struct deadlines *deadlines, struct deadline *deadline, uint32_t place) {
    deadlines->heap[place] = deadline;
    deadline->place = place;
}

static void sift_up(struct deadlines *deadlines, struct deadline *deadline) {
    uint32_t place = deadline->place;
    for (; place > 1 && deadlines->heap[place / 2]->at_ms > deadline->at_ms; place /= 2)
        put(deadlines, deadlines->heap[place / 2], place);
    put(deadlines, deadline, place);
}

static void sift_down(struct deadlines *deadlines, struct deadline *deadline) {
    uint32_t place = deadline->place;
    for (uint32_t child; (child = 2 * place) <= deadlines->count; place = child) {
        if (child < deadlines->count && deadlines->heap[child + 1]->at_ms < deadlines->heap[child]->at_ms)
            child++;
        if (deadlines->heap[child]->at_ms >= deadline->at_ms)
            break;
        put(deadlines, deadlines->heap[child], place);
    }
    put(deadlines, deadline, place);
}

static void take_out(struct deadlines *deadlines, struct deadline *deadline) {
    struct deadline *last = deadlines->heap[deadlines->count--];
    if (last != deadline) {
        put(deadlines, last, deadline->place);
        sift_up(deadlines, last);
        sift_down(deadlines, last);
    }
    deadline->place = 0;
}

void deadlines_set(struct deadlines *deadlines, struct deadline *deadline, int64_t at_ms) {
    if (at_ms == INT64_MAX) {
        if (deadline->place)
            take_out(deadlines, deadline);
        return;
    }
    deadline->at_ms = at_ms;
    if (!deadline->place) {
        assert(deadlines->count < deadlines->limit);
        put(deadlines, deadline, ++deadlines->count);
    }
    sift_up(deadlines, deadline);
    sift_down(deadlines, deadline);
}

struct deadline *deadlines_first(const struct deadlines *deadlines) {
    return deadlines->count ? deadlines->heap[1] : NULL;
}
