/* Immutable bytes shared by many connections, reference-counted: a snapshot or a page is made once and sent to all.
 * Any thread may take or drop a reference. What slow readers keep alive is counted, and bounded by who makes and who
 * sends blobs (LIMIT_BLOB_BYTES). */
#ifndef ONSALE_NET_BLOB_H
#define ONSALE_NET_BLOB_H

#include "base/bytes.h"

#include <stdatomic.h>

struct blob {
    atomic_uint references;
    uint32_t version; /* how new it is, if who makes it says so before sharing it, else 0; read by websocket.h */
    size_t length;
    char at[];
};

/* A new blob with one reference and room for `length` bytes, or NULL when memory ran out. Fill it before you share it.
 */
struct blob *blob_new(size_t length);
struct blob *blob_copy(struct bytes content);
struct blob *blob_take(struct blob *blob);
void blob_drop(struct blob *blob); /* NULL is allowed */

/* Bytes of all blobs that are alive in this process. */
size_t blob_live_bytes(void);

#endif
