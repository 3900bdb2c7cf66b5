#include "base/bytes.h"
#include "base/panic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool bytes_equal_nocase(struct bytes a, struct bytes b) {
    if (a.length != b.length)
        return false;
    for (size_t i = 0; i < a.length; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

bool bytes_start_with(struct bytes a, struct bytes prefix) {
    return prefix.length == 0 || (a.length >= prefix.length && memcmp(a.at, prefix.at, prefix.length) == 0);
}

bool bytes_to_u64(struct bytes text, uint64_t max, uint64_t *value) {
    if (text.length < 1 || text.length > 19)
        return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        sum = sum * 10 + (uint64_t)(text.at[i] - '0');
    }
    if (sum > max)
        return false;
    *value = sum;
    return true;
}

bool bytes_are_utf8(struct bytes text) {
    if (text.length == 0)
        return true;
    const uint8_t *p = (const uint8_t *)text.at;
    const uint8_t *end = p + text.length;
    while (p < end) {
        uint8_t c = *p++;
        if (c == 0)
            return false;
        if (c < 0x80)
            continue;
        int more = c >= 0xc2 && c <= 0xdf ? 1 : (c & 0xf0) == 0xe0 ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 0;
        if (more == 0 || end - p < more)
            return false;
        if ((c == 0xe0 && p[0] < 0xa0) || (c == 0xed && p[0] > 0x9f) || (c == 0xf0 && p[0] < 0x90) ||
            (c == 0xf4 && p[0] > 0x8f))
            return false;
        for (int i = 0; i < more; i++)
            if ((*p++ & 0xc0) != 0x80)
                return false;
    }
    return true;
}

void buffer_release(struct buffer *buffer) {
    free(buffer->at);
    buffer->at = NULL;
    buffer->length = buffer->capacity = 0;
}

char *buffer_grow(struct buffer *buffer, size_t more) {
    if (buffer->full || more > buffer->limit - buffer->length) {
        buffer->full = true;
        return NULL;
    }
    size_t need = buffer->length + more;
    if (need > buffer->capacity || !buffer->at) {
        size_t capacity = buffer->capacity ? buffer->capacity : 256;
        while (capacity < need)
            capacity *= 2;
        if (capacity > buffer->limit)
            capacity = buffer->limit;
        char *at = realloc(buffer->at, capacity + 1); /* a byte more, for the NUL of vsnprintf() */
        if (!at) {
            buffer->full = true;
            return NULL;
        }
        buffer->at = at;
        buffer->capacity = capacity;
    }
    return buffer->at + buffer->length;
}

void buffer_add_text(struct buffer *buffer, const char *text) {
    buffer_add(buffer, text, strlen(text));
}

void buffer_add_u64(struct buffer *buffer, uint64_t value) {
    char digits[20];
    size_t n = sizeof digits;
    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buffer_add(buffer, digits + n, sizeof digits - n);
}

void buffer_add_i64(struct buffer *buffer, int64_t value) {
    if (value < 0)
        buffer_add_char(buffer, '-');
    buffer_add_u64(buffer, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void buffer_printf(struct buffer *buffer, const char *format, ...) {
    va_list list;
    va_start(list, format);
    va_list again;
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    assert(length >= 0);
    char *room = buffer_reserve(buffer, (size_t)length);
    if (room) {
        (void)vsnprintf(room, (size_t)length + 1, format, again);
        buffer->length += (size_t)length;
    }
    va_end(again);
}

void hex_encode(const uint8_t *data, size_t length, char *text) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        text[2 * i] = digits[data[i] >> 4];
        text[2 * i + 1] = digits[data[i] & 15];
    }
}

static int hex_value(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct bytes text, uint8_t *data, size_t length) {
    if (text.length != 2 * length)
        return false;
    for (size_t i = 0; i < length; i++) {
        int high = hex_value(text.at[2 * i]);
        int low = hex_value(text.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        data[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
