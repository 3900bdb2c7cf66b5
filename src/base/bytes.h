/* Borrowed byte ranges and bounded output buffers.
 *
 * struct bytes   a borrowed range, not NUL-terminated; lives as long as what it points into
 * struct buffer  an output buffer that grows up to `limit`. Appending past it sets `full` and drops the rest, so that a
 *                writer checks once, at the end (buffer_ok). Freed with buffer_release().
 */
#ifndef ONSALE_BASE_BYTES_H
#define ONSALE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const char *at;
    size_t length;
};

#define BYTES(literal) ((struct bytes){"" literal, sizeof(literal) - 1})

static inline struct bytes bytes_of(const char *text) {
    return (struct bytes){text, text ? strlen(text) : 0};
}

static inline bool bytes_equal(struct bytes a, struct bytes b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

/* ASCII only, as HTTP field names and tokens are. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);
bool bytes_start_with(struct bytes a, struct bytes prefix);

/* Strict decimal: 1 to 19 digits, no sign, no space, at most `max`. False if it is anything else. */
bool bytes_to_u64(struct bytes text, uint64_t max, uint64_t *value);

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms), without NUL. */
bool bytes_are_utf8(struct bytes text);

struct buffer {
    char *at;
    size_t length;
    size_t capacity;
    size_t limit;
    bool full; /* something did not fit, or memory ran out */
};

static inline void buffer_init(struct buffer *buffer, size_t limit) {
    *buffer = (struct buffer){.limit = limit};
}

void buffer_release(struct buffer *buffer);

/* Empty again, its memory kept. */
static inline void buffer_clear(struct buffer *buffer) {
    buffer->length = 0;
    buffer->full = false;
}

/* Makes room for `more` bytes where there is none yet. */
char *buffer_grow(struct buffer *buffer, size_t more);

/* Room for `more` bytes behind the content, or NULL (and `full`). The caller adds to `length` what it wrote. */
static inline char *buffer_reserve(struct buffer *buffer, size_t more) {
    if (buffer->at && !buffer->full && more <= buffer->capacity - buffer->length)
        return buffer->at + buffer->length;
    return buffer_grow(buffer, more);
}

static inline void buffer_add(struct buffer *buffer, const void *data, size_t length) {
    char *room = length ? buffer_reserve(buffer, length) : NULL;
    if (!room)
        return;
    memcpy(room, data, length);
    buffer->length += length;
}

void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_add_u64(struct buffer *buffer, uint64_t value);
void buffer_add_i64(struct buffer *buffer, int64_t value);
void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline void buffer_add_bytes(struct buffer *buffer, struct bytes bytes) {
    buffer_add(buffer, bytes.at, bytes.length);
}

static inline void buffer_add_char(struct buffer *buffer, char c) {
    char *room = buffer_reserve(buffer, 1);
    if (!room)
        return;
    *room = c;
    buffer->length++;
}

static inline bool buffer_ok(const struct buffer *buffer) {
    return !buffer->full;
}

static inline struct bytes buffer_bytes(const struct buffer *buffer) {
    return (struct bytes){buffer->at, buffer->length};
}

/* Lower-case hex. `text` takes 2 × length characters and no NUL. */
void hex_encode(const uint8_t *data, size_t length, char *text);
/* False unless text is exactly 2 × length lower-case hex digits. */
bool hex_decode(struct bytes text, uint8_t *data, size_t length);

#endif
