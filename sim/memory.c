#include "memory.h"

#include <stdio.h>
#include <stdlib.h>

static void *there_is(void *memory) {
    if (!memory) {
        fputs("onsale-sim: out of memory; try fewer --fans\n", stderr);
        exit(2);
    }
    return memory;
}

void *memory_new(size_t count, size_t size) {
    return there_is(calloc(count ? count : 1, size));
}

void *memory_grow(void *elements, uint32_t *room, size_t wanted, size_t size) {
    if (wanted <= *room)
        return elements;
    size_t more = *room ? *room : 64;
    while (more < wanted)
        more *= 2;
    *room = (uint32_t)more;
    return there_is(reallocarray(elements, more, size));
}

void memory_free(void *memory) {
    free(memory);
}
