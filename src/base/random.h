/* Unpredictable bytes, from the kernel, drawn through a small buffer a thread (a system call an id would cost more than
 * the hold it names). Bytes handed out are wiped from the buffer. Any thread may call. */
#ifndef ONSALE_BASE_RANDOM_H
#define ONSALE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *data, size_t length);
uint64_t random_u64(void);

#endif
