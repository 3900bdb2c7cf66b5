#include "net/output.h"
#include "base/limits.h"
#include "base/panic.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SPARE_OUTPUTS 16
#define FIRST_TEXT_BYTES 4096
#define SPARE_TEXT_BYTES (64 * 1024) /* a text that grew over it is not kept */
#define COPIED_BLOB_BYTES 1024

struct output *output_new(struct output_pool *pool) {
    struct output *output = pool->spare;
    if (output) {
        pool->spare = output->next;
        pool->spare_count--;
        return output;
    }
    output = malloc(sizeof *output);
    if (!output)
        return NULL;
    buffer_init(&output->text, SIZE_MAX / 4);
    (void)buffer_reserve(&output->text, FIRST_TEXT_BYTES); /* tried again, and told, when it is used */
    output->text.full = false;
    output->pending = 0;
    output->first = output->count = 0;
    output->failed = false;
    return output;
}

void output_free(struct output_pool *pool, struct output *output) {
    for (unsigned i = output->first; i < output->count; i++)
        blob_drop(output->segments[i].blob);
    if (pool->spare_count == SPARE_OUTPUTS) {
        buffer_release(&output->text);
        free(output);
        return;
    }
    if (output->text.capacity > SPARE_TEXT_BYTES)
        buffer_release(&output->text);
    output->text.length = 0;
    output->text.full = false;
    output->pending = 0;
    output->first = output->count = 0;
    output->failed = false;
    output->next = pool->spare;
    pool->spare = output;
    pool->spare_count++;
}

void output_pool_release(struct output_pool *pool) {
    while (pool->spare) {
        struct output *output = pool->spare;
        pool->spare = output->next;
        buffer_release(&output->text);
        free(output);
    }
    pool->spare_count = 0;
}

char *output_reserve(struct output *output, size_t most) {
    char *room = buffer_reserve(&output->text, most);
    if (!room)
        output->failed = true;
    return room;
}

static struct output_segment *add_segment(struct output *output) {
    if (output->count == OUTPUT_SEGMENTS) {
        /* Segments that were sent make room. Callers stop at output_is_full(), which leaves some. */
        assert(output->first > 0);
        output->count -= output->first;
        memmove(output->segments, output->segments + output->first, output->count * sizeof output->segments[0]);
        output->first = 0;
    }
    return &output->segments[output->count++];
}

void output_commit(struct output *output, size_t length) {
    if (length == 0)
        return;
    struct output_segment *last = output->count > output->first ? &output->segments[output->count - 1] : NULL;
    if (last && !last->blob)
        last->length += length;
    else
        *add_segment(output) = (struct output_segment){NULL, output->text.length, length};
    output->text.length += length;
    output->pending += length;
}

void output_add_blob(struct output *output, struct blob *blob) {
    if (blob->length <= COPIED_BLOB_BYTES) {
        char *room = output_reserve(output, blob->length);
        if (room) {
            memcpy(room, blob->at, blob->length);
            output_commit(output, blob->length);
        }
        return;
    }
    output_add_blob_rest(output, blob, 0);
}

void output_add_blob_rest(struct output *output, struct blob *blob, size_t sent) {
    *add_segment(output) = (struct output_segment){blob_take(blob), sent, blob->length - sent};
    output->pending += blob->length - sent;
}

bool output_is_full(const struct output *output) {
    return output->pending >= LIMIT_OUTPUT_BYTES || output->count - output->first > OUTPUT_SEGMENTS - 4;
}

static void mark_sent(struct output *output, size_t sent) {
    output->pending -= sent;
    while (sent) {
        struct output_segment *segment = &output->segments[output->first];
        size_t part = sent < segment->length ? sent : segment->length;
        segment->start += part;
        segment->length -= part;
        sent -= part;
        if (segment->length == 0) {
            blob_drop(segment->blob);
            output->first++;
        }
    }
}

enum output_sent output_send(struct output *output, int fd, bool *progress) {
    while (output->pending) {
        struct iovec parts[OUTPUT_SEGMENTS];
        struct msghdr message = {.msg_iov = parts};
        for (unsigned i = output->first; i < output->count; i++) {
            const struct output_segment *segment = &output->segments[i];
            char *base = segment->blob ? segment->blob->at : output->text.at;
            parts[message.msg_iovlen++] = (struct iovec){base + segment->start, segment->length};
        }
        ssize_t sent = message.msg_iovlen == 1 ? send(fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
                                               : sendmsg(fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? OUTPUT_SOME : OUTPUT_BROKEN;
        *progress = *progress || sent > 0;
        mark_sent(output, (size_t)sent);
    }
    return OUTPUT_ALL;
}
