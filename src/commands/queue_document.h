/* What GET …/queue/record answers, read from a file: a JSON document while the sale runs and after it, or the bare
 * record (it begins with 'S'). Whoever made the file is not trusted: sizes are bounded, every member is checked for its
 * form.
 */
#ifndef ONSALE_COMMANDS_QUEUE_DOCUMENT_H
#define ONSALE_COMMANDS_QUEUE_DOCUMENT_H

#include "waitroom/queue_log.h"

#define QUEUE_DOCUMENT_KEYS LIMIT_KEY_GENERATIONS
#define QUEUE_DOCUMENT_HEADS 64

struct public_key {
    uint32_t id;
    uint8_t bytes[KEY_PUBLIC_BYTES];
};

struct queue_document {
    bool is_bare; /* the record alone: only `chain` is known */
    struct id show_id;
    bool is_shuffled, is_revealed;
    uint8_t commitment[32], seed[32];
    char beacon[LIMIT_BEACON_BYTES + 1]; /* empty: none */
    unsigned key_count, head_count;
    struct public_key keys[QUEUE_DOCUMENT_KEYS];
    struct record_head heads[QUEUE_DOCUMENT_HEADS];
    bool has_chain;
    struct buffer chain;
};

/* OK; IO_ERROR (errno), BODY_TOO_LARGE, CORRUPT: what is wrong is in `fault`. Release it in any case. */
MUST_USE enum result queue_document_read(const char *path, struct queue_document *document, char *fault,
                                         size_t fault_size);
void queue_document_release(struct queue_document *document);

/* NULL: no such key. */
const uint8_t *queue_document_key(const struct queue_document *document, uint32_t id);

#endif
