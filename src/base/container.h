/* From a member back to what it is a member of: how an intrusive envelope, deadline or waiter finds its owner. */
#ifndef ONSALE_BASE_CONTAINER_H
#define ONSALE_BASE_CONTAINER_H

#include <stddef.h>

#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
