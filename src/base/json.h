/* JSON, in and out.
 *
 * In: json_parse() is jansson, made strict: one value and nothing behind it, no duplicate members, valid UTF-8, no NUL
 * in strings, at most LIMIT_JSON_DEPTH deep. Out: a writer that appends to a buffer and keeps no tree; it places the
 * commas, and escapes.
 *
 *     json_open(w, '{'); json_key(w, "seats"); json_open(w, '['); json_put_string(w, id); json_close(w, ']'); …
 */
#ifndef ONSALE_BASE_JSON_H
#define ONSALE_BASE_JSON_H

#include <jansson.h>

#include "base/bytes.h"
#include "base/id.h"
#include "base/result.h"

/* Seeds the hash tables of parsed objects; once, before any thread starts. */
void json_set_up(void);

/* RESULT_OK and a value that the caller owns (json_decref), or RESULT_BAD_JSON with what and where in `detail`. */
MUST_USE enum result json_parse(struct bytes text, json_t **value, char *detail, size_t detail_size);

struct json_writer {
    struct buffer *out;
    bool comma; /* the next value in this place needs a comma before it */
};

static inline struct json_writer json_writer(struct buffer *out) {
    return (struct json_writer){.out = out};
}

void json_open(struct json_writer *writer, char bracket);
void json_close(struct json_writer *writer, char bracket);
void json_key(struct json_writer *writer, const char *key);         /* a name of ours, that needs no escape */
void json_key_string(struct json_writer *writer, struct bytes key); /* any */
void json_put_string(struct json_writer *writer, struct bytes text);
void json_put_text(struct json_writer *writer, const char *text); /* NULL writes null */
void json_put_int(struct json_writer *writer, int64_t value);
void json_put_float(struct json_writer *writer, double value); /* the shortest of at most 6 decimals */
void json_put_bool(struct json_writer *writer, bool value);
void json_put_null(struct json_writer *writer);
void json_put_time(struct json_writer *writer, int64_t ms); /* RFC 3339; 0 writes null */
void json_put_uuid(struct json_writer *writer, const struct id *id);
void json_put_letter_id(struct json_writer *writer, char letter, const struct id *id);
void json_put_raw(struct json_writer *writer, struct bytes json); /* a value that is JSON already */

/* A key and its value in one call. */
void json_member_string(struct json_writer *writer, const char *key, struct bytes text);
void json_member_text(struct json_writer *writer, const char *key, const char *text);
void json_member_int(struct json_writer *writer, const char *key, int64_t value);
void json_member_bool(struct json_writer *writer, const char *key, bool value);
void json_member_time(struct json_writer *writer, const char *key, int64_t ms);

#endif
