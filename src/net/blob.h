/* Immutable bytes shared by many connections, reference-counted: a snapshot or a page is made once and sent to all.
 * Any thread may take or drop a reference. */
#ifndef ONSALE_NET_BLOB_H
#define ONSALE_NET_BLOB_H

#include "base/bytes.h"

#include <stdatomic.h>

struct blob {
    atomic_uint references;
    size_t length;
    char at[];
};

/* A new blob with one reference and room for `length` bytes, or NULL when memory ran out. Fill it before you share it.
 */
struct blob *blob_new(size_t length);
struct blob *blob_copy(struct bytes content);
struct blob *blob_take(struct blob *blob);
void blob_drop(struct blob *blob); /* NULL is allowed */

#endif
