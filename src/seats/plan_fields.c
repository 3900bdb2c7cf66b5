/* Members of a plan document, taken out and checked.
 *
 * Each function says what it wanted in words for the venue's clerk who wrote the document, and where, as an RFC 6901
 * pointer. Nothing is repaired: a member of another type, out of range or too long is refused.
 */
#include "seats/plan_reader.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* As much of the pointer as fits; a cut one is still a pointer to something above. */
static size_t write_pointer(const struct where *where, char *at, size_t size) {
    if (!where || !where->parent)
        return 0;
    size_t length = write_pointer(where->parent, at, size);
    char step[LIMIT_NAME_BYTES * 2 + 32];
    size_t used = 0;
    step[used++] = '/';
    if (!where->key) {
        used += (size_t)snprintf(step + used, sizeof step - used, "%zu", where->index);
    } else {
        for (const char *c = where->key; *c && used + 2 < sizeof step; c++) {
            if (*c == '~' || *c == '/') {
                step[used++] = '~';
                step[used++] = *c == '~' ? '0' : '1';
            } else {
                step[used++] = *c;
            }
        }
    }
    if (length + used >= size)
        return length;
    memcpy(at + length, step, used);
    return length + used;
}

bool refuse(struct plan_reader *reader, const struct where *where, const char *format, ...) {
    reader->result = RESULT_INVALID_FIELD;
    if (reader->pointer_size)
        reader->pointer[write_pointer(where, reader->pointer, reader->pointer_size)] = '\0';
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->detail, reader->detail_size, format, arguments);
    va_end(arguments);
    return false;
}

bool field_given(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return value && !json_is_null(value);
}

static const char *type_words(const json_t *value) {
    if (!value)
        return "missing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a text";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    case JSON_NULL:
        return "null";
    }
    return "unknown";
}

static bool refuse_type(struct plan_reader *reader, const struct where *where, const json_t *value,
                        const char *wanted) {
    return refuse(reader, where, "must be %s, and is %s", wanted, type_words(value));
}

/* C0 and C1 controls and DEL; jansson has made sure of the UTF-8. */
static bool has_controls(struct bytes text) {
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && i + 1 < text.length && (unsigned char)text.at[i + 1] < 0xa0))
            return true;
    }
    return false;
}

static bool value_text(struct plan_reader *reader, const json_t *value, const struct where *where, size_t max,
                       struct bytes *text) {
    if (!json_is_string(value))
        return refuse_type(reader, where, value, "a text");
    struct bytes found = {json_string_value(value), json_string_length(value)};
    if (found.length < 1 || found.length > max)
        return refuse(reader, where, "must be 1 to %zu bytes long, and has %zu", max, found.length);
    if (has_controls(found))
        return refuse(reader, where, "must not contain control characters");
    *text = found;
    return true;
}

bool field_text(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                size_t max, struct bytes *text) {
    return value_text(reader, json_object_get(object, key), MEMBER(where, key), max, text);
}

bool field_text_or(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                   size_t max, struct bytes otherwise, struct bytes *text) {
    const json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0)) {
        *text = otherwise;
        return true;
    }
    return value_text(reader, value, MEMBER(where, key), max, text);
}

bool field_label(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                 char room[static LABEL_ROOM], struct bytes *label) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value))
        return value_text(reader, value, MEMBER(where, key), LIMIT_LABEL_BYTES, label);
    int length = snprintf(room, LABEL_ROOM, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    *label = (struct bytes){room, (size_t)length};
    return true;
}

bool field_integer(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                   int64_t min, int64_t max, int64_t *value) {
    const json_t *found = json_object_get(object, key);
    if (!json_is_integer(found))
        return refuse(reader, MEMBER(where, key), "must be a whole number, and is %s",
                      json_is_real(found) ? "a fraction" : type_words(found));
    int64_t number = json_integer_value(found);
    if (number < min || number > max)
        return refuse(reader, MEMBER(where, key), "must be from %lld to %lld, and is %lld", (long long)min,
                      (long long)max, (long long)number);
    *value = number;
    return true;
}

bool field_integer_or(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                      int64_t min, int64_t max, int64_t otherwise, int64_t *value) {
    if (field_given(object, key))
        return field_integer(reader, object, where, key, min, max, value);
    *value = otherwise;
    return true;
}

static bool value_number(struct plan_reader *reader, const json_t *value, const struct where *where, double limit,
                         double *number) {
    if (!json_is_number(value))
        return refuse_type(reader, where, value, "a number");
    double found = json_number_value(value);
    if (!isfinite(found) || fabs(found) > limit)
        return refuse(reader, where, "must be from -%.0f to %.0f", limit, limit);
    *number = found;
    return true;
}

bool field_number(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                  double limit, double *value) {
    return value_number(reader, json_object_get(object, key), MEMBER(where, key), limit, value);
}

bool field_flag(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                bool *value) {
    const json_t *found = json_object_get(object, key);
    if (found && !json_is_null(found) && !json_is_boolean(found))
        return refuse_type(reader, MEMBER(where, key), found, "true or false");
    *value = json_is_true(found);
    return true;
}

bool field_list(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                const json_t **list) {
    const json_t *found = json_object_get(object, key);
    if (!json_is_array(found))
        return refuse_type(reader, MEMBER(where, key), found, "a list");
    *list = found;
    return true;
}

bool value_object(struct plan_reader *reader, const json_t *value, const struct where *where) {
    return json_is_object(value) || refuse_type(reader, where, value, "an object");
}

bool value_point(struct plan_reader *reader, const json_t *value, const struct where *where, double *x, double *y) {
    if (json_is_array(value) && json_array_size(value) == 2)
        return value_number(reader, json_array_get(value, 0), ITEM(where, 0), LIMIT_PLAN_COORDINATE, x) &&
               value_number(reader, json_array_get(value, 1), ITEM(where, 1), LIMIT_PLAN_COORDINATE, y);
    if (json_is_object(value))
        return field_number(reader, value, where, "x", LIMIT_PLAN_COORDINATE, x) &&
               field_number(reader, value, where, "y", LIMIT_PLAN_COORDINATE, y);
    return refuse_type(reader, where, value, "a point, [x, y]");
}

bool field_point(struct plan_reader *reader, const json_t *object, const struct where *where, const char *key,
                 double *x, double *y) {
    return value_point(reader, json_object_get(object, key), MEMBER(where, key), x, y);
}

static bool hex_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool color_read(struct bytes text, char color[static 8]) {
    if ((text.length != 4 && text.length != 7) || text.at[0] != '#')
        return false;
    char found[8] = "#";
    size_t repeat = text.length == 4 ? 2 : 1;
    for (size_t i = 0; i < 6; i++) {
        char c = text.at[1 + i / repeat];
        if (!hex_digit(c))
            return false;
        found[1 + i] = c >= 'A' && c <= 'F' ? (char)(c + ('a' - 'A')) : c;
    }
    memcpy(color, found, 8);
    return true;
}
