/* Asking and listening: what fails is tried again, each for itself. */
#include "runtime/follower.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "runtime/follower_private.h"

#define GET_MS 10000
#define CONNECTING 64       /* WebSockets at once */
#define SHOWS_RETRY_MS 2000 /* the list is one call for all: it is tried again soon, and all else after it */

int64_t follower_now_ms(void) {
    return clock_monotonic_us() / 1000;
}

/* ---- documents ---- */

/* The list came, which is heard of first when the upstream comes back: then nothing else waits for its turn. */
static void list_came(struct follower *follower, bool was_lost) {
    follower->heard_ms = follower_now_ms();
    for (unsigned i = 0; was_lost && i < follower->count; i++)
        followed_hurry(follower->followed[i]);
}

static void try_again(struct document *document) {
    int64_t wait_ms = retry_wait_ms(&document->retry, random_u64());
    if (document == &document->follower->shows && wait_ms > SHOWS_RETRY_MS)
        wait_ms = SHOWS_RETRY_MS;
    document->due_ms = follower_now_ms() + wait_ms;
}

static void document_done(struct upstream_get *get) {
    struct document *document = CONTAINER_OF(get, struct document, get);
    bool was_lost = document->retry.failures > 0;
    document->follower->gets--;
    document->due_ms = follower_now_ms() + document->every_ms;
    if (get->status == 304 || (get->status == 200 && document->take(document, get->body))) {
        document->retry = (struct retry){0};
        if (document == &document->follower->shows)
            list_came(document->follower, was_lost);
        return;
    }
    if (get->status == 200) { /* it made no sense: it is to be seen again */
        get->etag[0] = '\0';
        metric_add(METRIC_UPSTREAM_FAULTS, 1);
        if (!was_lost)
            log_warn("the upstream's document makes no sense", LOG_STRING("path", get->path));
    }
    try_again(document);
}

void document_init(struct document *document, struct follower *follower, struct followed *show, size_t most,
                   int every_ms, bool (*take)(struct document *document, struct bytes body)) {
    document->follower = follower;
    document->show = show;
    document->take = take;
    document->every_ms = every_ms;
    document->get.most = most;
    document->get.timeout_ms = GET_MS;
    document->get.done = document_done;
}

void document_ask(struct document *document, int64_t time_ms) {
    struct follower *follower = document->follower;
    if (document->due_ms > time_ms || follower->gets >= LIMIT_UPSTREAM_GETS ||
        upstream_get_is_under_way(&document->get))
        return;
    follower->gets++;
    upstream_get(follower->upstream, &document->get);
}

json_t *document_parse(struct bytes body) {
    char detail[200];
    json_t *value = NULL;
    return json_parse(body, &value, detail, sizeof detail) == RESULT_OK ? value : NULL;
}

/* ---- what is listened to ---- */

void subscription_lost(struct subscription *line, const char *why) {
    int64_t wait_ms = retry_wait_ms(&line->retry, random_u64());
    line->due_ms = follower_now_ms() + wait_ms;
    metric_add(METRIC_UPSTREAM_RECONNECTS, 1);
    log_debug("the upstream is listened to again", LOG_STRING("path", line->line.path), LOG_STRING("why", why),
              LOG_INT("milliseconds", wait_ms));
}

static void line_ended(struct upstream_line *line, const char *why) {
    subscription_lost(CONTAINER_OF(line, struct subscription, line), why);
}

static void line_opened(struct upstream_line *line) {
    (void)line; /* it works when something was heard */
}

void subscription_works(struct subscription *line) {
    line->heard_ms = follower_now_ms();
    line->retry = (struct retry){0};
}

void subscription_keep(struct subscription *line, int64_t time_ms) {
    struct follower *follower = line->show->follower;
    if (!line->is_wanted) {
        upstream_line_drop(&line->line);
        return;
    }
    if (line->line.state == LINE_OPEN)
        line->heard_ms = line->heard_ms ? time_ms : 0;
    if (line->line.state != LINE_CLOSED) {
        follower->connecting += line->line.state != LINE_OPEN;
        return;
    }
    if (time_ms < line->due_ms || follower->connecting >= CONNECTING)
        return;
    line->due_ms = time_ms + RETRY_MOST_MS; /* unless it ends before */
    follower->connecting++;
    upstream_listen(follower->upstream, &line->line);
}

void subscription_init(struct subscription *line, struct followed *show,
                       bool (*heard)(struct upstream_line *line, bool is_text, struct bytes message)) {
    line->show = show;
    line->line.opened = line_opened;
    line->line.heard = heard;
    line->line.ended = line_ended;
}
