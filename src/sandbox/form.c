#include "sandbox/form.h"
#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool decode(struct bytes text, struct buffer *storage, struct bytes *decoded) {
    char *out = storage->at + storage->length;
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            if (text.length - i < 3 || hex_digit(text.at[i + 1]) < 0 || hex_digit(text.at[i + 2]) < 0)
                return false;
            c = (char)(hex_digit(text.at[i + 1]) << 4 | hex_digit(text.at[i + 2]));
            i += 2;
        }
        out[length++] = c;
    }
    storage->length += length;
    *decoded = (struct bytes){out, length};
    return bytes_are_utf8(*decoded);
}

static bool is_list(struct bytes name) {
    return name.length > 2 && memcmp(name.at + name.length - 2, "[]", 2) == 0;
}

static bool read_pair(struct bytes text, struct buffer *storage, struct form *form, char *detail, size_t detail_size) {
    const char *equals = memchr(text.at, '=', text.length);
    struct bytes name = {text.at, equals ? (size_t)(equals - text.at) : text.length};
    struct bytes value = {equals ? equals + 1 : text.at + text.length, equals ? text.length - name.length - 1 : 0};
    if (form->count == FORM_PAIRS) {
        snprintf(detail, detail_size, "More than %d parameters", FORM_PAIRS);
        return false;
    }
    struct form_pair *pair = &form->pairs[form->count];
    if (!decode(name, storage, &pair->name) || !decode(value, storage, &pair->value)) {
        snprintf(detail, detail_size, "Invalid encoding in the parameters");
        return false;
    }
    if (!is_list(pair->name))
        for (unsigned i = 0; i < form->count; i++)
            if (bytes_equal(form->pairs[i].name, pair->name)) {
                snprintf(detail, detail_size, "Parameter given twice: %.*s",
                         (int)(pair->name.length < 100 ? pair->name.length : 100), pair->name.at);
                return false;
            }
    form->count++;
    return true;
}

bool form_read(struct bytes text, struct buffer *storage, struct form *form, char *detail, size_t detail_size) {
    form->count = 0;
    if (!text.length)
        return true;
    /* Reserved at once, so that what is decoded never moves. */
    if (!buffer_reserve(storage, text.length)) {
        snprintf(detail, detail_size, "The parameters are too long");
        return false;
    }
    while (text.length) {
        const char *end = memchr(text.at, '&', text.length);
        struct bytes pair = {text.at, end ? (size_t)(end - text.at) : text.length};
        if (pair.length && !read_pair(pair, storage, form, detail, detail_size))
            return false;
        size_t used = pair.length + (end ? 1 : 0);
        text.at += used;
        text.length -= used;
    }
    return true;
}

struct bytes form_value(const struct form *form, const char *name) {
    struct bytes wanted = bytes_of(name);
    for (unsigned i = 0; i < form->count; i++)
        if (bytes_equal(form->pairs[i].name, wanted))
            return form->pairs[i].value;
    return (struct bytes){0};
}

static int compare(struct bytes a, struct bytes b) {
    int order = memcmp(a.at, b.at, a.length < b.length ? a.length : b.length);
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_pairs(const void *a, const void *b) {
    const struct form_pair *left = *(const struct form_pair *const *)a, *right = *(const struct form_pair *const *)b;
    int order = compare(left->name, right->name);
    return order ? order : compare(left->value, right->value);
}

struct id form_hash(const struct form *form, struct bytes route) {
    const struct form_pair *sorted[FORM_PAIRS];
    struct bytes parts[1 + 2 * FORM_PAIRS];
    for (unsigned i = 0; i < form->count; i++)
        sorted[i] = &form->pairs[i];
    qsort(sorted, form->count, sizeof *sorted, compare_pairs);
    parts[0] = route;
    for (unsigned i = 0; i < form->count; i++) {
        parts[1 + 2 * i] = sorted[i]->name;
        parts[2 + 2 * i] = sorted[i]->value;
    }
    return hash_128(parts, 1 + 2 * (size_t)form->count);
}
