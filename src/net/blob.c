#include "net/blob.h"
#include "base/panic.h"

#include <stdlib.h>

static atomic_size_t live_bytes;

size_t blob_live_bytes(void) {
    return atomic_load_explicit(&live_bytes, memory_order_relaxed);
}

struct blob *blob_new(size_t length) {
    if (length > SIZE_MAX - sizeof(struct blob))
        return NULL;
    struct blob *blob = malloc(sizeof *blob + length);
    if (!blob)
        return NULL;
    atomic_init(&blob->references, 1);
    blob->version = 0;
    blob->length = length;
    atomic_fetch_add_explicit(&live_bytes, length, memory_order_relaxed);
    return blob;
}

struct blob *blob_copy(struct bytes content) {
    struct blob *blob = blob_new(content.length);
    if (blob && content.length)
        memcpy(blob->at, content.at, content.length);
    return blob;
}

struct blob *blob_take(struct blob *blob) {
    unsigned before = atomic_fetch_add_explicit(&blob->references, 1, memory_order_relaxed);
    assert(before > 0);
    return blob;
}

void blob_drop(struct blob *blob) {
    if (!blob)
        return;
    /* Acquire and release: whoever frees sees all that the other holders did with it. */
    unsigned before = atomic_fetch_sub_explicit(&blob->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1) {
        atomic_fetch_sub_explicit(&live_bytes, blob->length, memory_order_relaxed);
        free(blob);
    }
}
