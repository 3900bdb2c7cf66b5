/* One curl multi handle, the gets on it, and the wait that they share with the WebSockets. */
#include "engines/upstream/upstream.h"
#include "engines/upstream/upstream_private.h"
#include "base/clock.h"
#include "base/panic.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define KEPT_CONNECTIONS 8192L /* no line may lose its connection to a newer one */

/* ---- which upstreams ---- */

/* The URL's scheme, host and port, as libcurl would have them; false if there is more in it, or something is missing. A
 * name and password would end up in logs. */
static bool parse_url(const char *url, char *base, char *host, size_t room) {
    CURLU *parts = curl_url();
    char *scheme = NULL, *name = NULL, *port = NULL, *path = NULL, *query = NULL, *fragment = NULL;
    bool ok = parts && strlen(url) <= LIMIT_UPSTREAM_URL_BYTES &&
              curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_HOST, &name, 0) == CURLUE_OK && name[0] &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    if (ok) {
        (void)curl_url_get(parts, CURLUPART_PORT, &port, 0);
        (void)curl_url_get(parts, CURLUPART_PATH, &path, 0);
        (void)curl_url_get(parts, CURLUPART_QUERY, &query, 0);
        (void)curl_url_get(parts, CURLUPART_FRAGMENT, &fragment, 0);
        ok = (!path || !path[0] || strcmp(path, "/") == 0) && !query && !fragment;
    }
    if (ok && base) {
        snprintf(host, room, "%s%s%s", name, port ? ":" : "", port ? port : "");
        snprintf(base, room, "%.8s://%s", scheme, host);
    }
    curl_free(scheme);
    curl_free(name);
    curl_free(port);
    curl_free(path);
    curl_free(query);
    curl_free(fragment);
    curl_url_cleanup(parts);
    return ok;
}

enum result upstream_check_url(const char *url) {
    return parse_url(url, NULL, NULL, 0) ? RESULT_OK : RESULT_INVALID_FIELD;
}

/* ---- its life ---- */

enum result upstream_new(const char *url, struct upstream **upstream) {
    struct upstream *made = calloc(1, sizeof *made);
    if (!made)
        return RESULT_OVERLOADED;
    made->multi = curl_multi_init();
    if (!made->multi || !parse_url(url, made->url, made->host, sizeof made->host) ||
        curl_multi_setopt(made->multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS) != CURLM_OK) {
        upstream_free(made);
        return RESULT_OVERLOADED;
    }
    *upstream = made;
    return RESULT_OK;
}

void upstream_free(struct upstream *upstream) {
    if (!upstream)
        return;
    assert(!upstream->lines);
    if (upstream->multi)
        curl_multi_cleanup(upstream->multi);
    free(upstream->waits);
    free(upstream);
}

/* As programs that use OpenSSL do: that file instead of the system's. */
static bool set_trust(CURL *easy) {
    const char *file = getenv("SSL_CERT_FILE");
    return !file || !file[0] || !curl_easy_setopt(easy, CURLOPT_CAINFO, file);
}

CURL *upstream_easy(struct upstream *upstream, const char *path, void *work) {
    char url[sizeof upstream->url + UPSTREAM_PATH_BYTES];
    CURL *easy = curl_easy_init();
    snprintf(url, sizeof url, "%s%s", upstream->url, path);
    if (easy && set_trust(easy) && !curl_easy_setopt(easy, CURLOPT_URL, url) &&
        !curl_easy_setopt(easy, CURLOPT_PRIVATE, work) &&
        !curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") && !curl_easy_setopt(easy, CURLOPT_PROXY, "") &&
        !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) && !curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) &&
        !curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
        !curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)UPSTREAM_CONNECT_MS))
        return easy;
    curl_easy_cleanup(easy);
    return NULL;
}

/* ---- documents ---- */

static size_t take_body(char *data, size_t size, size_t count, void *context) {
    struct upstream_get *get = context;
    buffer_add(&get->taken, data, size * count);
    return buffer_ok(&get->taken) ? size * count : 0;
}

/* Of all the answer's fields only its ETag counts. */
static size_t take_field(char *line, size_t size, size_t count, void *context) {
    struct upstream_get *get = context;
    size_t length = size * count;
    if (length > 5 && strncasecmp(line, "HTTP/", 5) == 0)
        get->new_etag[0] = '\0';
    if (length < 5 || strncasecmp(line, "etag:", 5) != 0)
        return length;
    size_t from = 5, to = length;
    while (from < to && (line[from] == ' ' || line[from] == '\t'))
        from++;
    while (to > from && (line[to - 1] == '\r' || line[to - 1] == '\n' || line[to - 1] == ' '))
        to--;
    if (to - from < sizeof get->new_etag)
        snprintf(get->new_etag, sizeof get->new_etag, "%.*s", (int)(to - from), line + from);
    return length;
}

static bool set_up_get(struct upstream *upstream, struct upstream_get *get) {
    char field[UPSTREAM_ETAG_BYTES + 20];
    get->easy = upstream_easy(upstream, get->path, get);
    if (!get->easy)
        return false;
    if (get->etag[0]) {
        snprintf(field, sizeof field, "If-None-Match: %s", get->etag);
        get->fields = curl_slist_append(NULL, field);
    }
    return !(get->etag[0] && !get->fields) && !curl_easy_setopt(get->easy, CURLOPT_HTTPHEADER, get->fields) &&
           !curl_easy_setopt(get->easy, CURLOPT_WRITEFUNCTION, take_body) &&
           !curl_easy_setopt(get->easy, CURLOPT_WRITEDATA, get) &&
           !curl_easy_setopt(get->easy, CURLOPT_HEADERFUNCTION, take_field) &&
           !curl_easy_setopt(get->easy, CURLOPT_HEADERDATA, get) &&
           !curl_easy_setopt(get->easy, CURLOPT_TIMEOUT_MS, (long)get->timeout_ms) &&
           curl_multi_add_handle(upstream->multi, get->easy) == CURLM_OK;
}

static void let_go(struct upstream_get *get) {
    if (get->easy) {
        curl_multi_remove_handle(get->upstream->multi, get->easy);
        curl_easy_cleanup(get->easy);
    }
    curl_slist_free_all(get->fields);
    get->easy = NULL;
    get->fields = NULL;
}

void upstream_get(struct upstream *upstream, struct upstream_get *get) {
    assert(!get->easy && get->most > 0 && get->timeout_ms > 0);
    get->work = UPSTREAM_GET;
    get->upstream = upstream;
    get->new_etag[0] = '\0';
    buffer_init(&get->taken, get->most);
    if (!set_up_get(upstream, get))
        upstream_get_end(get, CURLE_OUT_OF_MEMORY);
}

void upstream_get_end(struct upstream_get *get, CURLcode code) {
    long status = 0;
    if (get->easy && code == CURLE_OK)
        curl_easy_getinfo(get->easy, CURLINFO_RESPONSE_CODE, &status);
    let_go(get);
    get->status = (unsigned)status;
    get->body = buffer_bytes(&get->taken);
    if (status == 200)
        memcpy(get->etag, get->new_etag, sizeof get->etag);
    struct buffer taken = get->taken; /* `done` may begin the next one */
    buffer_init(&get->taken, get->most);
    get->done(get);
    buffer_release(&taken);
}

void upstream_get_drop(struct upstream_get *get) {
    if (!get->easy)
        return;
    let_go(get);
    buffer_release(&get->taken);
}

/* ---- the wait ---- */

/* Room for one line more than there are. */
static bool make_room(struct upstream *upstream) {
    if (upstream->line_count < upstream->wait_room)
        return true;
    uint32_t room = upstream->wait_room ? 2 * upstream->wait_room : 16;
    struct curl_waitfd *waits = reallocarray(upstream->waits, room, sizeof *waits);
    if (!waits)
        return false;
    upstream->waits = waits;
    upstream->wait_room = room;
    return true;
}

bool upstream_line_join(struct upstream_line *line) {
    struct upstream *upstream = line->upstream;
    if (!make_room(upstream))
        return false;
    line->next = upstream->lines;
    line->link = &upstream->lines;
    if (line->next)
        line->next->link = &line->next;
    upstream->lines = line;
    upstream->line_count++;
    return true;
}

void upstream_line_leave(struct upstream_line *line) {
    *line->link = line->next;
    if (line->next)
        line->next->link = line->link;
    line->link = NULL;
    line->upstream->line_count--;
}

static unsigned gather_waits(struct upstream *upstream) {
    unsigned count = 0;
    for (struct upstream_line *line = upstream->lines; line; line = line->next) {
        if (!upstream_line_is_ours(line))
            continue;
        short wanted = line->out.length ? CURL_WAIT_POLLIN | CURL_WAIT_POLLOUT : CURL_WAIT_POLLIN;
        line->wait = count;
        upstream->waits[count++] = (struct curl_waitfd){.fd = line->fd, .events = wanted};
    }
    return count;
}

static void end_works(struct upstream *upstream) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(upstream->multi, &left))) {
        void *work = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&work);
        assert(work);
        if (*(enum upstream_work *)work == UPSTREAM_GET)
            upstream_get_end(work, code);
        else if (*(enum upstream_work *)work == UPSTREAM_LINE)
            upstream_line_connected(work, code);
        else
            impossible("a handle is for a get or a line");
    }
}

void upstream_run(struct upstream *upstream, int wait_ms) {
    int running;
    unsigned count = gather_waits(upstream);
    curl_multi_poll(upstream->multi, upstream->waits, count, upstream->has_more ? 0 : wait_ms, NULL);
    curl_multi_perform(upstream->multi, &running);
    end_works(upstream);
    int64_t now_ms = clock_monotonic_us() / 1000;
    upstream->has_more = false;
    for (struct upstream_line *line = upstream->lines, *next; line; line = next) {
        next = line->next;
        if (upstream_line_is_ours(line))
            upstream_line_move(line, line->has_more || (line->wait < count && upstream->waits[line->wait].revents),
                               now_ms);
    }
}

void upstream_wake(struct upstream *upstream) {
    curl_multi_wakeup(upstream->multi);
}
