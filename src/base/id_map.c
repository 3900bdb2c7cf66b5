#include "base/id_map.h"
#include "base/panic.h"

#include <stdlib.h>

static uint32_t home_of(const struct id_map *map, const struct id *id) {
    uint32_t hash;
    memcpy(&hash, id->at + 12, sizeof hash);
    return hash & map->mask;
}

enum result id_map_init(struct id_map *map, uint32_t limit) {
    uint32_t size = 16;
    while (size < limit + limit / 2)
        size *= 2;
    struct id_map_slot *slots = calloc(size, sizeof *slots);
    if (!slots)
        return RESULT_OVERLOADED;
    *map = (struct id_map){.slots = slots, .mask = size - 1, .limit = limit};
    return RESULT_OK;
}

void id_map_release(struct id_map *map) {
    free(map->slots);
    map->slots = NULL;
}

void *id_map_find(const struct id_map *map, const struct id *id) {
    for (uint32_t at = home_of(map, id);; at = (at + 1) & map->mask) {
        const struct id_map_slot *slot = &map->slots[at];
        if (id_is_none(&slot->id))
            return NULL;
        if (id_equal(&slot->id, id))
            return slot->value;
    }
}

bool id_map_add(struct id_map *map, const struct id *id, void *value) {
    assert(!id_is_none(id) && value);
    if (map->count == map->limit)
        return false;
    uint32_t at = home_of(map, id);
    for (; !id_is_none(&map->slots[at].id); at = (at + 1) & map->mask)
        assert(!id_equal(&map->slots[at].id, id));
    map->slots[at] = (struct id_map_slot){*id, value};
    map->count++;
    return true;
}

void id_map_remove(struct id_map *map, const struct id *id) {
    uint32_t hole = home_of(map, id);
    for (; !id_equal(&map->slots[hole].id, id); hole = (hole + 1) & map->mask)
        if (id_is_none(&map->slots[hole].id))
            return;
    for (uint32_t at = (hole + 1) & map->mask; !id_is_none(&map->slots[at].id); at = (at + 1) & map->mask) {
        uint32_t home = home_of(map, &map->slots[at].id);
        if (((at - home) & map->mask) >= ((at - hole) & map->mask)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole] = (struct id_map_slot){0};
    map->count--;
}
