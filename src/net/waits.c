#include "net/waits.h"
#include "net/connection.h"
#include "base/panic.h"

void waits_init(struct waits *waits, struct connection *connections) {
    waits->connections = connections;
    for (int kind = 0; kind < WAIT_KIND_COUNT; kind++)
        waits->lists[kind] = (struct wait_list){.first = WAIT_END, .last = WAIT_END};
}

void waits_set_length(struct waits *waits, enum wait_kind kind, int milliseconds) {
    assert(milliseconds > 0);
    waits->lists[kind].length_us = (int64_t)milliseconds * 1000;
}

static void leave(struct waits *waits, struct wait *wait) {
    struct wait_list *list = &waits->lists[wait->kind];
    if (wait->previous == WAIT_END)
        list->first = wait->next;
    else
        waits->connections[wait->previous].wait.next = wait->next;
    if (wait->next == WAIT_END)
        list->last = wait->previous;
    else
        waits->connections[wait->next].wait.previous = wait->previous;
}

void wait_begin(struct waits *waits, uint32_t slot, enum wait_kind kind, int64_t now_us) {
    struct wait *wait = &waits->connections[slot].wait;
    if (wait->kind != WAIT_NONE)
        leave(waits, wait);
    wait->kind = (uint8_t)kind;
    if (kind == WAIT_NONE)
        return;
    struct wait_list *list = &waits->lists[kind];
    assert(list->length_us > 0);
    wait->until_us = now_us + list->length_us;
    wait->previous = list->last;
    wait->next = WAIT_END;
    if (list->last == WAIT_END)
        list->first = slot;
    else
        waits->connections[list->last].wait.next = slot;
    list->last = slot;
}

uint32_t waits_due(const struct waits *waits, int64_t now_us) {
    for (int kind = WAIT_NONE + 1; kind < WAIT_KIND_COUNT; kind++) {
        uint32_t first = waits->lists[kind].first;
        if (first != WAIT_END && waits->connections[first].wait.until_us <= now_us)
            return first;
    }
    return WAIT_END;
}

uint32_t waits_longest(const struct waits *waits, enum wait_kind kind, int64_t at_least_us, int64_t now_us) {
    const struct wait_list *list = &waits->lists[kind];
    if (list->first == WAIT_END ||
        now_us - (waits->connections[list->first].wait.until_us - list->length_us) < at_least_us)
        return WAIT_END;
    return list->first;
}

int64_t waits_next_us(const struct waits *waits) {
    int64_t next = INT64_MAX;
    for (int kind = WAIT_NONE + 1; kind < WAIT_KIND_COUNT; kind++) {
        uint32_t first = waits->lists[kind].first;
        if (first != WAIT_END && waits->connections[first].wait.until_us < next)
            next = waits->connections[first].wait.until_us;
    }
    return next;
}
