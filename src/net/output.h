/* The answers of one connection that are not sent yet: copied text and shared blobs, in order.
 *
 * A connection has an output only while it has something to send; it comes from its reactor's pool and goes back when
 * all is sent, so that the same warm memory serves one connection after the other, and what a slow socket did not take
 * stays where it was written.
 *
 * What can go wrong: memory. The answer is then lost (`failed`), and the connection has to be closed.
 */
#ifndef ONSALE_NET_OUTPUT_H
#define ONSALE_NET_OUTPUT_H

#include "base/bytes.h"
#include "net/blob.h"

#define OUTPUT_SEGMENTS 64

struct output_segment {
    struct blob *blob; /* NULL: our own text */
    size_t start;      /* in the text or the blob */
    size_t length;
};

struct output {
    struct output *next; /* in the pool */
    struct buffer text;
    size_t pending; /* bytes not sent */
    unsigned first; /* segments before it are sent */
    unsigned count;
    bool failed;
    struct output_segment segments[OUTPUT_SEGMENTS];
};

struct output_pool {
    struct output *spare;
    unsigned spare_count;
};

enum output_sent { OUTPUT_ALL, OUTPUT_SOME, OUTPUT_BROKEN };

/* NULL when memory ran out. */
struct output *output_new(struct output_pool *pool);
void output_free(struct output_pool *pool, struct output *output);
void output_pool_release(struct output_pool *pool);

/* Room for `most` bytes of text, or NULL and `failed`. Then output_commit() says how many were written. */
char *output_reserve(struct output *output, size_t most);
void output_commit(struct output *output, size_t length);

/* Adds the blob with a reference of its own; short ones are copied, since that is cheaper. */
void output_add_blob(struct output *output, struct blob *blob);

/* Adds what lies behind the first `sent` bytes of the blob, by reference. */
void output_add_blob_rest(struct output *output, struct blob *blob, size_t sent);

/* Nothing more should be added before it is sent. */
bool output_is_full(const struct output *output);

/* Sends as much as the socket takes. OUTPUT_SOME: it took all that it could, and epoll will say when it takes more.
 * *progress is set if it took anything. */
enum output_sent output_send(struct output *output, int fd, bool *progress);

#endif
