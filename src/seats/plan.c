/* A plan in memory: its arena, and finding by name.
 *
 * Everything that a plan points to lies in one arena, a list of chunks that is freed as a whole. Small things share
 * chunks; an array that would waste one has a chunk of its own, so a 50,000-seat plan takes about 3 MB and no more.
 * Seats are found in a table of open addressing with linear probing, at most half full, keyed by SipHash so that nobody
 * who uploads a plan can choose what collides.
 */
#include "seats/plan.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/panic.h"
#include "seats/plan_reader.h"

#define CHUNK_BYTES (64 * 1024)
#define ALIGNMENT 16

struct chunk {
    struct chunk *next;
    _Alignas(ALIGNMENT) char at[];
};

struct plan_arena {
    struct chunk *chunks;
    char *free_at; /* in a shared chunk */
    size_t free_bytes;
};

struct plan_arena *plan_arena_new(void) {
    return calloc(1, sizeof(struct plan_arena));
}

static char *chunk_new(struct plan_arena *arena, size_t size) {
    struct chunk *chunk = calloc(1, sizeof *chunk + size);
    if (!chunk)
        return NULL;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk->at;
}

static void *take(struct plan_arena *arena, size_t size) {
    if (size > arena->free_bytes) {
        if (size > CHUNK_BYTES / 8)
            return chunk_new(arena, size);
        char *at = chunk_new(arena, CHUNK_BYTES);
        if (!at)
            return NULL;
        arena->free_at = at;
        arena->free_bytes = CHUNK_BYTES;
    }
    void *taken = arena->free_at;
    arena->free_at += size;
    arena->free_bytes -= size;
    return taken;
}

void *plan_arena_take(struct plan_arena *arena, size_t size) {
    size_t padding = -(uintptr_t)arena->free_at % ALIGNMENT;
    if (padding > 0 && padding <= arena->free_bytes) {
        arena->free_at += padding;
        arena->free_bytes -= padding;
    } else if (padding > 0) {
        arena->free_bytes = 0;
    }
    return take(arena, size ? size : 1);
}

bool plan_arena_copy(struct plan_arena *arena, struct bytes text, struct bytes *copy) {
    if (text.length == 0) {
        *copy = BYTES("");
        return true;
    }
    char *at = take(arena, text.length);
    if (!at)
        return false;
    memcpy(at, text.at, text.length);
    *copy = (struct bytes){at, text.length};
    return true;
}

void plan_arena_free(struct plan_arena *arena) {
    struct chunk *next;
    for (struct chunk *chunk = arena->chunks; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(arena);
}

void plan_free(struct plan *plan) {
    if (plan)
        plan_arena_free(plan->arena);
}

static uint32_t find_from(const struct plan *plan, uint32_t slot, struct bytes seat_id) {
    for (;; slot++) {
        uint32_t seat = plan->seat_slots[slot & plan->seat_slot_mask];
        if (seat == PLAN_NO_SEAT || bytes_equal(plan->seat_ids[seat], seat_id))
            return seat;
    }
}

uint32_t plan_find_seat(const struct plan *plan, struct bytes seat_id) {
    return find_from(plan, (uint32_t)hash_u64(seat_id), seat_id);
}

void plan_find_seats(const struct plan *plan, size_t count, const struct bytes *seat_ids, uint32_t *seats) {
    for (size_t i = 0; i < count; i++) {
        seats[i] = (uint32_t)hash_u64(seat_ids[i]) & plan->seat_slot_mask;
        __builtin_prefetch(&plan->seat_slots[seats[i]]);
    }
    for (size_t i = 0; i < count; i++)
        seats[i] = find_from(plan, seats[i], seat_ids[i]);
}

uint32_t plan_find_area(const struct plan *plan, struct bytes name) {
    for (uint32_t i = 0; i < plan->section_count; i++)
        if (plan->sections[i].is_area && bytes_equal(plan->sections[i].name, name))
            return i;
    return PLAN_NO_SEAT;
}

uint32_t plan_find_category(const struct plan *plan, struct bytes name) {
    for (uint32_t i = 0; i < plan->category_count; i++)
        if (bytes_equal(plan->categories[i].name, name))
            return i;
    return PLAN_NO_SEAT;
}
