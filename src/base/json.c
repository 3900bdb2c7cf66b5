#include "base/json.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/panic.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>

void json_set_up(void) {
    json_object_seed((size_t)random_u64());
}

/* jansson recurses as deep as 2,048 levels and allocates on the way: what is too deep is refused before it starts. */
static bool too_deep(struct bytes text) {
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > LIMIT_JSON_DEPTH)
                return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

enum result json_parse(struct bytes text, json_t **value, char *detail, size_t detail_size) {
    if (too_deep(text)) {
        snprintf(detail, detail_size, "the JSON is nested more than %d deep", LIMIT_JSON_DEPTH);
        return RESULT_BAD_JSON;
    }
    /* jansson 2.14 overlooks one that follows a token. */
    if (text.length && memchr(text.at, '\0', text.length)) {
        snprintf(detail, detail_size, "the JSON has a NUL byte");
        return RESULT_BAD_JSON;
    }
    json_error_t error;
    json_t *parsed = json_loadb(text.at ? text.at : "", text.length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!parsed) {
        snprintf(detail, detail_size, "%s (line %d, column %d)", error.text, error.line, error.column);
        return RESULT_BAD_JSON;
    }
    *value = parsed;
    return RESULT_OK;
}

static void before_value(struct json_writer *writer) {
    if (writer->comma)
        buffer_add_char(writer->out, ',');
    writer->comma = true;
}

void json_open(struct json_writer *writer, char bracket) {
    assert(bracket == '{' || bracket == '[');
    before_value(writer);
    buffer_add_char(writer->out, bracket);
    writer->comma = false;
}

void json_close(struct json_writer *writer, char bracket) {
    assert(bracket == '}' || bracket == ']');
    buffer_add_char(writer->out, bracket);
    writer->comma = true;
}

/* How many bytes more a byte takes inside a string. */
static size_t escape_bytes(unsigned char c) {
    return c < 0x20 ? 5 : c == '"' || c == '\\';
}

static char *put_escaped(char *at, unsigned char c) {
    static const char digits[] = "0123456789abcdef";
    *at++ = '\\';
    if (c >= 0x20) {
        *at++ = (char)c;
        return at;
    }
    memcpy(at, (char[]){'u', '0', '0', digits[c >> 4], digits[c & 15]}, 5);
    return at + 5;
}

/* Measured first, so that the room is looked at once, and what needs no escape is copied in one go. */
static void add_escaped(struct buffer *out, struct bytes text) {
    size_t more = 0;
    for (size_t i = 0; i < text.length; i++)
        more += escape_bytes((unsigned char)text.at[i]);
    char *at = buffer_reserve(out, text.length + more + 2);
    if (!at)
        return;
    out->length += text.length + more + 2;
    *at++ = '"';
    if (more == 0 && text.length > 0) {
        memcpy(at, text.at, text.length);
        at += text.length;
    }
    for (size_t i = 0; more > 0 && i < text.length; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (escape_bytes(c))
            at = put_escaped(at, c);
        else
            *at++ = (char)c;
    }
    *at = '"';
}

void json_key(struct json_writer *writer, const char *key) {
    before_value(writer);
    add_escaped(writer->out, bytes_of(key));
    buffer_add_char(writer->out, ':');
    writer->comma = false;
}

void json_put_string(struct json_writer *writer, struct bytes text) {
    before_value(writer);
    add_escaped(writer->out, text);
}

void json_put_text(struct json_writer *writer, const char *text) {
    if (text)
        json_put_string(writer, bytes_of(text));
    else
        json_put_null(writer);
}

void json_put_int(struct json_writer *writer, int64_t value) {
    before_value(writer);
    buffer_add_i64(writer->out, value);
}

void json_put_float(struct json_writer *writer, double value) {
    assert(isfinite(value));
    before_value(writer);
    char text[64];
    bool is_large = fabs(value) >= 1e15; /* has no decimals that count, and may have hundreds of digits */
    int length = snprintf(text, sizeof text, is_large ? "%.17g" : "%.6f", value);
    assert(length > 0 && (size_t)length < sizeof text);
    while (!is_large && text[length - 1] == '0')
        length--;
    if (text[length - 1] == '.')
        length--;
    buffer_add(writer->out, text, (size_t)length);
}

void json_put_bool(struct json_writer *writer, bool value) {
    json_put_raw(writer, value ? BYTES("true") : BYTES("false"));
}

void json_put_null(struct json_writer *writer) {
    json_put_raw(writer, BYTES("null"));
}

void json_put_time(struct json_writer *writer, int64_t ms) {
    if (ms == 0) {
        json_put_null(writer);
        return;
    }
    char text[CLOCK_TEXT_BYTES];
    json_put_string(writer, (struct bytes){text, clock_format(ms, text)});
}

void json_put_uuid(struct json_writer *writer, const struct id *id) {
    char text[ID_UUID_TEXT];
    id_format_uuid(id, text);
    json_put_string(writer, (struct bytes){text, sizeof text});
}

void json_put_letter_id(struct json_writer *writer, char letter, const struct id *id) {
    char text[ID_LETTER_TEXT];
    id_format_letter(id, letter, text);
    json_put_string(writer, (struct bytes){text, sizeof text});
}

void json_put_raw(struct json_writer *writer, struct bytes json) {
    before_value(writer);
    buffer_add_bytes(writer->out, json);
}

void json_member_string(struct json_writer *writer, const char *key, struct bytes text) {
    json_key(writer, key);
    json_put_string(writer, text);
}

void json_member_text(struct json_writer *writer, const char *key, const char *text) {
    json_key(writer, key);
    json_put_text(writer, text);
}

void json_member_int(struct json_writer *writer, const char *key, int64_t value) {
    json_key(writer, key);
    json_put_int(writer, value);
}

void json_member_bool(struct json_writer *writer, const char *key, bool value) {
    json_key(writer, key);
    json_put_bool(writer, value);
}

void json_member_time(struct json_writer *writer, const char *key, int64_t ms) {
    json_key(writer, key);
    json_put_time(writer, ms);
}
