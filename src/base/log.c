#include "base/log.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"

#include <stdatomic.h>
#include <unistd.h>

static atomic_int lowest = LOG_LEVEL_INFO;
static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_set_level(enum log_level level) {
    atomic_store(&lowest, (int)level);
}

bool log_is_on(enum log_level level) {
    return (int)level >= atomic_load_explicit(&lowest, memory_order_relaxed);
}

bool log_level_parse(struct bytes text, enum log_level *level) {
    for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++) {
        if (bytes_equal(text, bytes_of(level_names[i]))) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* A server in trouble says the same thing thousands of times a second, and the log is then the next trouble. */
static bool is_too_many(void) {
    static atomic_llong second;
    static atomic_int lines;
    int64_t now = clock_now_ms() / 1000;
    if (atomic_exchange_explicit(&second, now, memory_order_relaxed) != now)
        atomic_store_explicit(&lines, 0, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&lines, 1, memory_order_relaxed) < LOG_LINES_PER_SECOND)
        return false;
    metric_add(METRIC_LOG_LINES_DROPPED, 1);
    return true;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields) {
    if (!log_is_on(level) || ((level == LOG_LEVEL_INFO || level == LOG_LEVEL_WARN) && is_too_many()))
        return;
    struct buffer line;
    buffer_init(&line, 16 * 1024);
    struct json_writer writer = json_writer(&line);
    json_open(&writer, '{');
    json_member_time(&writer, "time", clock_now_ms());
    json_member_text(&writer, "level", level_names[level]);
    json_member_text(&writer, "message", message);
    for (; fields->key; fields++) {
        if (fields->is_int)
            json_member_int(&writer, fields->key, fields->integer);
        else if (bytes_are_utf8(fields->text))
            json_member_string(&writer, fields->key, fields->text);
        else
            json_member_text(&writer, fields->key, "(not UTF-8)");
    }
    json_close(&writer, '}');
    buffer_add_char(&line, '\n');
    if (buffer_ok(&line)) {
        /* Where stderr does not take it, there is nowhere left to say so. */
        ssize_t ignored = write(STDERR_FILENO, line.at, line.length);
        (void)ignored;
    }
    buffer_release(&line);
}
