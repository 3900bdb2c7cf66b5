/* Memory that is reserved whole and taken page by page as it is first written to: for tables whose greatest size is
 * known and whose usual size is far below it. So they grow without moving, without a stall and without an allocation
 * on the way. Fresh pages are zero. */
#ifndef ONSALE_BASE_PAGES_H
#define ONSALE_BASE_PAGES_H

#include <stddef.h>

/* NULL when there is no room for it. */
void *pages_reserve(size_t bytes);
/* NULL is allowed. */
void pages_release(void *pages, size_t bytes);

#endif
