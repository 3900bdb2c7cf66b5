/* Answers out of a stream of bytes, as cheaply as it can be done.
 *
 * Happy path: one recv holds whole answers; each is found in place and handed on, nothing is copied. Where bodies are
 * not wanted, the rest of a long body is only counted. What is not whole is stashed until more comes.
 *
 * What can go wrong: an answer without Content-Length (but 204 and 304) or that is no HTTP/1.1 ends the connection.
 */
#include "bench/herd.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct head {
    unsigned status;
    size_t head_bytes, body_bytes;
};

static bool read_length(const char *line, size_t n, size_t *length) {
    static const char name[] = "content-length:";
    if (n < sizeof name || (line[0] | 0x20) != 'c' || strncasecmp(line, name, sizeof name - 1) != 0)
        return false;
    size_t value = 0, digits = 0;
    for (size_t i = sizeof name - 1; i < n; i++) {
        if (line[i] >= '0' && line[i] <= '9') {
            value = value * 10 + (size_t)(line[i] - '0');
            digits++;
        } else if (line[i] != ' ') {
            break;
        }
    }
    *length = value;
    return digits > 0 && digits < 12;
}

/* NOT_FOUND: the head is not whole yet. */
static enum result read_head(const char *at, size_t n, struct head *head) {
    if (n < 13)
        return RESULT_NOT_FOUND;
    if (memcmp(at, "HTTP/1.1 ", 9) != 0)
        return RESULT_BAD_REQUEST;
    unsigned status = (unsigned)((at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0'));
    if (status < 100 || status >= HERD_STATUSES)
        return RESULT_BAD_REQUEST;
    bool has_length = false;
    size_t length = 0;
    const char *line = at, *end;
    for (;; line = end + 1) {
        end = memchr(line, '\n', n - (size_t)(line - at));
        if (!end)
            return RESULT_NOT_FOUND;
        if (end - line <= 1) /* the empty line */
            break;
        if (read_length(line, (size_t)(end - line), &length))
            has_length = true;
    }
    bool no_body = status == 304 || status == 204;
    if (!no_body && !has_length)
        return RESULT_BAD_REQUEST;
    *head = (struct head){status, (size_t)(end + 1 - at), no_body ? 0 : length};
    return RESULT_OK;
}

/* Makes room for `bytes` in all; what is stashed stays. */
static void make_room(struct reader *reader, size_t bytes) {
    if (bytes <= reader->stash_room)
        return;
    size_t room = bytes < 2048 ? 4096 : bytes * 2;
    reader->stash = herd_realloc(reader->stash, room);
    reader->stash_room = room;
}

/* Hands on what is whole of [at, at+n); *left is how many bytes at its end are not. */
static enum result read_answers(struct reader *reader, const char *at, size_t n, answer_seen *seen, void *context,
                                size_t *left) {
    while (n > 0) {
        struct head head;
        enum result result = read_head(at, n, &head);
        if (result == RESULT_NOT_FOUND)
            break;
        if (result != RESULT_OK)
            return result;
        struct answer answer = {head.status, head.head_bytes + head.body_bytes, NULL, head.body_bytes};
        if (n < answer.wire_bytes) {
            if (reader->wants_bodies)
                break;
            reader->skipped = answer;
            reader->body_left = answer.wire_bytes - n;
            n = 0;
            break;
        }
        if (reader->wants_bodies)
            answer.body = at + head.head_bytes;
        seen(context, &answer);
        at += answer.wire_bytes;
        n -= answer.wire_bytes;
    }
    *left = n;
    return RESULT_OK;
}

enum result reader_feed(struct reader *reader, const char *at, size_t n, answer_seen *seen, void *context) {
    if (reader->body_left > 0) {
        size_t skip = n < reader->body_left ? n : reader->body_left;
        reader->body_left -= skip;
        at += skip;
        n -= skip;
        if (reader->body_left > 0)
            return RESULT_OK;
        seen(context, &reader->skipped);
    }
    size_t left;
    if (reader->stash_bytes == 0) {
        enum result result = read_answers(reader, at, n, seen, context, &left);
        if (result != RESULT_OK || left == 0)
            return result;
        make_room(reader, left);
        memcpy(reader->stash, at + n - left, left);
        reader->stash_bytes = left;
        return RESULT_OK;
    }
    size_t have = reader->stash_bytes + n;
    make_room(reader, have);
    memcpy(reader->stash + reader->stash_bytes, at, n);
    reader->stash_bytes = have;
    enum result result = read_answers(reader, reader->stash, have, seen, context, &left);
    if (result != RESULT_OK)
        return result;
    memmove(reader->stash, reader->stash + have - left, left);
    reader->stash_bytes = left;
    return RESULT_OK;
}

void reader_release(struct reader *reader) {
    free(reader->stash);
    *reader = (struct reader){.wants_bodies = reader->wants_bodies};
}
