/* JSON log lines on stderr: {"time":…,"level":"info","message":…, fields…}.
 *
 *     log_info("booking confirmed", LOG_INT("seats", 2), LOG_STRING("request_id", id));
 *
 * At most LOG_LINES_PER_SECOND lines of info and warn are written a second; what is left out is counted
 * (onsale_log_lines_dropped_total). Debug and error are never left out.
 *
 * One line is one write(2), so that lines of several threads don't mix. Never log what is a secret: tokens, passes,
 * reservation and booking ids (to know one is to own it), the admin token, payment tokens. Any thread may call.
 */
#ifndef ONSALE_BASE_LOG_H
#define ONSALE_BASE_LOG_H

#include "base/bytes.h"

#define LOG_LINES_PER_SECOND 200

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

struct log_field {
    const char *key; /* NULL ends the list */
    bool is_int;
    int64_t integer;
    struct bytes text;
};

#define LOG_INT(key, value) ((struct log_field){(key), true, (int64_t)(value), {NULL, 0}})
#define LOG_BYTES(key, value) ((struct log_field){(key), false, 0, (value)})
#define LOG_STRING(key, value) LOG_BYTES(key, bytes_of(value))

/* Lines below this level are not written. LOG_LEVEL_INFO at first. */
void log_set_level(enum log_level level);
bool log_level_parse(struct bytes text, enum log_level *level);

/* Whether a line of that level would be written: ask before making what is costly to say. */
bool log_is_on(enum log_level level);

void log_write(enum log_level level, const char *message, const struct log_field *fields);

#define log_at(level, message, ...) log_write(level, message, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
#define log_debug(message, ...) log_at(LOG_LEVEL_DEBUG, message __VA_OPT__(, ) __VA_ARGS__)
#define log_info(message, ...) log_at(LOG_LEVEL_INFO, message __VA_OPT__(, ) __VA_ARGS__)
#define log_warn(message, ...) log_at(LOG_LEVEL_WARN, message __VA_OPT__(, ) __VA_ARGS__)
#define log_error(message, ...) log_at(LOG_LEVEL_ERROR, message __VA_OPT__(, ) __VA_ARGS__)

#endif
