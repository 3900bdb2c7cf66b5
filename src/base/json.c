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

/* jansson makes some eighty bytes of each value, be it two bytes long: what has too many is refused before it starts.
 * Brackets and commas in texts count too, so this is a little strict. */
static bool too_many(struct bytes text) {
    size_t values = 1;
    for (size_t i = 0; i < text.length; i++)
        values += text.at[i] == '{' || text.at[i] == '[' || text.at[i] == ',';
    return values > LIMIT_JSON_VALUES;
}

/* jansson recurses as deep as 2,048 levels and allocates on the way: what is too deep is refused before it starts. */
static bool too_deep(struct bytes text) {
    size_t brackets = 0;
    for (size_t i = 0; i < text.length; i++)
        brackets += text.at[i] == '{' || text.at[i] == '[';
    if (brackets <= LIMIT_JSON_DEPTH)
        return false;
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
    if (text.length > LIMIT_JSON_VALUES && too_many(text)) {
        snprintf(detail, detail_size, "the JSON has more than %d values", LIMIT_JSON_VALUES);
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

/* True if one of eight bytes is a control character, a quote or a backslash: "Determine if a word has a byte less than
 * n" and "equal to n" of Sean Eron Anderson's Bit Twiddling Hacks. */
static bool word_needs_escape(uint64_t word) {
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
    uint64_t found = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);
    return found & highs;
}

static bool needs_escape(struct bytes text) {
    uint64_t word = UINT64_C(0x2020202020202020);
    if (text.length < sizeof word) {
        memcpy(&word, text.at, text.length);
        return word_needs_escape(word);
    }
    bool found = false;
    for (size_t at = 0; at + sizeof word <= text.length && !found; at += sizeof word) {
        memcpy(&word, text.at + at, sizeof word);
        found = word_needs_escape(word);
    }
    memcpy(&word, text.at + text.length - sizeof word, sizeof word);
    return found || word_needs_escape(word);
}

static void add_escape(struct buffer *out, unsigned char c) {
    static const char digits[] = "0123456789abcdef";
    if (c == '"' || c == '\\')
        buffer_add(out, (char[]){'\\', (char)c}, 2);
    else
        buffer_add(out, (char[]){'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, 6);
}

/* Names and most texts need no escape, and are copied in one go. */
static void add_escaped(struct buffer *out, struct bytes text) {
    if (text.length && needs_escape(text)) {
        buffer_add_char(out, '"');
        for (size_t i = 0; i < text.length; i++) {
            unsigned char c = (unsigned char)text.at[i];
            if (c < 0x20 || c == '"' || c == '\\')
                add_escape(out, c);
            else
                buffer_add_char(out, (char)c);
        }
        buffer_add_char(out, '"');
        return;
    }
    char *at = buffer_reserve(out, text.length + 2);
    if (!at)
        return;
    *at = '"';
    if (text.length)
        memcpy(at + 1, text.at, text.length);
    at[text.length + 1] = '"';
    out->length += text.length + 2;
}

void json_key(struct json_writer *writer, const char *key) {
    size_t length = strlen(key), comma = writer->comma;
    char *at = buffer_reserve(writer->out, comma + length + 3);
    writer->comma = false;
    if (!at)
        return;
    at[0] = ',';
    at[comma] = '"';
    memcpy(at + comma + 1, key, length);
    memcpy(at + comma + 1 + length, "\":", 2);
    writer->out->length += comma + length + 3;
}

void json_key_string(struct json_writer *writer, struct bytes key) {
    before_value(writer);
    add_escaped(writer->out, key);
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
