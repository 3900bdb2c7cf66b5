/* Memory of the simulator: what runs out ends it, saying so. */
#ifndef ONSALE_SIM_MEMORY_H
#define ONSALE_SIM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Zeros. */
void *memory_new(size_t count, size_t size);
/* Room for `wanted` elements at least, doubled where there is none; new elements are not set. */
void *memory_grow(void *elements, uint32_t *room, size_t wanted, size_t size);
void memory_free(void *memory);

#endif
