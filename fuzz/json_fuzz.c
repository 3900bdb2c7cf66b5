/* Bytes of a stranger through json_parse(), and what it accepts through the writer.
 *
 * The oracle: what is accepted is UTF-8, as deep as allowed at most, without NUL in a string, and has as many members
 * as it has colons outside of strings (so none was given twice); written again, by jansson and by our own writer, it is
 * accepted and equal. What is refused says why, and leaves no value.
 */
#include "base/json.h"
#include "base/limits.h"
#include "base/panic.h"

#include <math.h>
#include <stdlib.h>

struct seen {
    size_t members;
    int depth;
    bool has_floats;
};

/* Looks at a value, and writes it again. */
static void walk(const json_t *value, int depth, struct seen *seen, struct json_writer *writer) {
    if (depth > seen->depth)
        seen->depth = depth;
    const char *key;
    json_t *member;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        json_open(writer, '{');
        json_object_foreach((json_t *)value, key, member) {
            seen->members++;
            json_key_string(writer, bytes_of(key));
            walk(member, depth + 1, seen, writer);
        }
        json_close(writer, '}');
        return;
    case JSON_ARRAY:
        json_open(writer, '[');
        for (size_t i = 0; i < json_array_size(value); i++)
            walk(json_array_get(value, i), depth + 1, seen, writer);
        json_close(writer, ']');
        return;
    case JSON_STRING: {
        struct bytes text = {json_string_value(value), json_string_length(value)};
        assert(bytes_are_utf8(text));
        json_put_string(writer, text);
        return;
    }
    case JSON_INTEGER:
        json_put_int(writer, json_integer_value(value));
        return;
    case JSON_REAL:
        seen->has_floats = true;
        assert(isfinite(json_real_value(value)));
        json_put_float(writer, json_real_value(value));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        json_put_bool(writer, json_typeof(value) == JSON_TRUE);
        return;
    case JSON_NULL:
        json_put_null(writer);
        return;
    }
    impossible("a JSON value of another type");
}

static size_t colons_outside_strings(struct bytes text) {
    size_t count = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.length; i++) {
        if (in_string && text.at[i] == '\\')
            i++;
        else if (text.at[i] == '"')
            in_string = !in_string;
        else if (!in_string && text.at[i] == ':')
            count++;
    }
    return count;
}

static void check_again(struct bytes text, const json_t *wanted, bool exact) {
    char detail[200];
    json_t *again = NULL;
    enum result result = json_parse(text, &again, detail, sizeof detail);
    assert(result == RESULT_OK);
    assert(!exact || json_equal(wanted, again));
    json_decref(again);
}

static void check_accepted(struct bytes text, const json_t *value) {
    assert(bytes_are_utf8(text));
    struct buffer out;
    buffer_init(&out, 64 * text.length + 1024);
    struct json_writer writer = json_writer(&out);
    struct seen seen = {0};
    walk(value, 1, &seen, &writer);
    assert(buffer_ok(&out));
    assert(seen.depth <= LIMIT_JSON_DEPTH + 1); /* a scalar stands one deeper than the brackets around it */
    assert(seen.members == colons_outside_strings(text));
    check_again(buffer_bytes(&out), value, !seen.has_floats);
    buffer_release(&out);
    char *dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    assert(dumped);
    check_again(bytes_of(dumped), value, true);
    free(dumped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *exactly = malloc(size ? size : 1); /* so that a byte too far is seen */
    assert(exactly);
    if (size)
        memcpy(exactly, data, size);
    struct bytes text = {exactly, size};
    char detail[200] = "";
    json_t *value = NULL;
    if (json_parse(text, &value, detail, sizeof detail) == RESULT_OK) {
        assert(value && detail[0] == '\0');
        check_accepted(text, value);
        json_decref(value);
    } else {
        assert(!value && detail[0] != '\0' && memchr(detail, '\0', sizeof detail));
    }
    free(exactly);
    return 0;
}
