/* What an upstream is made of: for this folder only. */
#ifndef ONSALE_ENGINES_UPSTREAM_UPSTREAM_PRIVATE_H
#define ONSALE_ENGINES_UPSTREAM_UPSTREAM_PRIVATE_H

#include "base/limits.h"
#include "engines/upstream/upstream.h"

#define UPSTREAM_CONNECT_MS 5000

struct upstream {
    /* set once */
    CURLM *multi;
    char url[LIMIT_UPSTREAM_URL_BYTES + 1];  /* without a slash at its end */
    char host[LIMIT_UPSTREAM_URL_BYTES + 1]; /* of the URL, with its port if it names one */

    struct upstream_line *lines; /* that are not CLOSED */
    uint32_t line_count;
    uint32_t wait_room; /* as many as lines, at least */
    struct curl_waitfd *waits;
    bool has_more; /* a line has: nothing is waited for */
};

/* A handle for the URL with that path behind it, with the settings that all have; NULL when memory ran out. `work` is
 * what it is for. */
CURL *upstream_easy(struct upstream *upstream, const char *path, void *work);

/* What the handle was for has ended. */
void upstream_get_end(struct upstream_get *get, CURLcode code);
void upstream_line_connected(struct upstream_line *line, CURLcode code);

/* The line's socket is ours. */
static inline bool upstream_line_is_ours(const struct upstream_line *line) {
    return line->state == LINE_SHAKING || line->state == LINE_OPEN;
}
/* Reads and writes what there is, if its socket is ready, and looks at the time; may end the line. */
void upstream_line_move(struct upstream_line *line, bool is_ready, int64_t now_ms);
/* In and out of the list of lines that are not CLOSED. False when memory ran out. */
bool upstream_line_join(struct upstream_line *line);
void upstream_line_leave(struct upstream_line *line);

#endif
