/* A table from ids to pointers, of a size fixed when made: open addressing with linear probing, deletion by shifting
 * back (Knuth, The Art of Computer Programming, vol. 3, 6.4, Algorithm R). The ids' last eight bytes are random, so
 * they are their own hash. Not locked: its owner's thread only. */
#ifndef ONSALE_BASE_ID_MAP_H
#define ONSALE_BASE_ID_MAP_H

#include "base/id.h"
#include "base/result.h"

struct id_map_slot {
    struct id id; /* none: free */
    void *value;
};

struct id_map {
    struct id_map_slot *slots;
    uint32_t mask;
    uint32_t count;
    uint32_t limit;
};

/* Room for `limit` entries. OVERLOADED when memory ran out. */
MUST_USE enum result id_map_init(struct id_map *map, uint32_t limit);
void id_map_release(struct id_map *map);

/* Asks the memory for the id's place, for a find or an add that comes after other work. */
static inline void id_map_prefetch(const struct id_map *map, const struct id *id) {
    uint32_t hash;
    memcpy(&hash, id->at + 12, sizeof hash);
    __builtin_prefetch(&map->slots[hash & map->mask], 1);
}

void *id_map_find(const struct id_map *map, const struct id *id);
/* The id must be new (asserted). False when the table is full. */
MUST_USE bool id_map_add(struct id_map *map, const struct id *id, void *value);
void id_map_remove(struct id_map *map, const struct id *id);

#endif
