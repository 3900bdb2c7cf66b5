/* The crowd's loop: fans and the scout in, calls out, on one curl multi handle.
 *
 * Happy path: the fan whose time has come is woken and gives a call → the call waits for a free transfer and for the
 * next slot of the crowd's pace → curl sends it over a kept connection → the fan hears the answer, which sets the next
 * time.
 *
 * What can go wrong: everything outside, and the fan who hears of it decides. Two bounds hold whatever the server
 * answers: so many connections, and so many calls a second. A call that a slot is not free for waits in line, so that a
 * crowd behind its time becomes slower and never a burst.
 */
#include "crowd/crowd.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/panic.h"
#include "base/random.h"
#include "crowd/request.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define CONNECT_MS 5000L
#define ANSWER_MS 20000L
#define SUMMARY_MS 10000
#define FIRST_VISITS_MS 75000 /* in which the first fans come: as many a second as later on */
#define EAGER_PERMILLE 100    /* of them: those who have waited for it */
#define EAGER_MS 2000
#define KEPT_ANSWER_BYTES (32 * 1024) /* of memory, for the next answer */
#define SCOUT NULL                    /* who calls when it is no fan */

struct transfer {
    CURL *easy;
    struct fan *fan; /* or SCOUT */
    enum fan_call call;
    struct curl_slist *fields;
    struct crowd_request request;
    struct buffer answer;
    struct transfer *next_free;
};

/* A fan who has a call to make and waits for a slot. */
struct waiting_call {
    struct fan *fan;
    enum fan_call call;
};

struct crowd {
    const struct crowd_settings *settings;
    struct crowd_world world;
    struct scout scout;
    bool scout_calls; /* its call is under way */
    struct fan *fans;
    struct deadlines deadlines;
    struct waiting_call *line; /* a ring: each fan is in it once at most */
    uint32_t line_first, line_count;

    CURLM *multi;
    struct transfer *transfers, *free_transfers;
    uint32_t transfer_count;

    double slots, slots_a_second; /* calls that may be made now, and how they come back */
    int64_t slots_ms, summary_ms;
    uint64_t calls, calls_told;
};

/* ---- where ---- */

enum result crowd_url_check(const char *url) {
    CURLU *parts = curl_url();
    char *scheme = NULL, *path = NULL, *query = NULL, *fragment = NULL;
    bool ok = parts && curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0) &&
              curl_url_get(parts, CURLUPART_PATH, &path, 0) == CURLUE_OK && strcmp(path, "/") == 0 &&
              curl_url_get(parts, CURLUPART_QUERY, &query, 0) == CURLUE_NO_QUERY &&
              curl_url_get(parts, CURLUPART_FRAGMENT, &fragment, 0) == CURLUE_NO_FRAGMENT;
    curl_free(scheme);
    curl_free(path);
    curl_free(query);
    curl_free(fragment);
    curl_url_cleanup(parts);
    return ok ? RESULT_OK : RESULT_INVALID_FIELD;
}

/* ---- an exchange ---- */

static size_t take_body(char *data, size_t size, size_t count, void *context) {
    struct transfer *transfer = context;
    buffer_add(&transfer->answer, data, size * count);
    return buffer_ok(&transfer->answer) ? size * count : 0;
}

static bool add_field(struct transfer *transfer, const char *name, const char *value) {
    char field[FAN_PASS_BYTES + 64];
    snprintf(field, sizeof field, "%s%s", name, value);
    struct curl_slist *list = curl_slist_append(transfer->fields, field);
    if (list)
        transfer->fields = list;
    return list;
}

static bool set_fields(struct transfer *transfer) {
    const struct crowd_request *request = &transfer->request;
    return add_field(transfer, "Expect:", "") &&
           add_field(transfer, "Content-Type:", request->body[0] ? " application/json" : "") &&
           (!request->pass[0] || add_field(transfer, "Authorization: Bearer ", request->pass)) &&
           (!request->key[0] || add_field(transfer, "Idempotency-Key: ", request->key));
}

static bool set_method(CURL *easy, const struct crowd_request *request) {
    if (strcmp(request->method, "GET") == 0)
        return !curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    if (strcmp(request->method, "DELETE") == 0)
        return !curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) && !curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
    return !curl_easy_setopt(easy, CURLOPT_POST, 1L) &&
           !curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(request->body)) &&
           !curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
}

static bool start(struct crowd *crowd, struct transfer *transfer) {
    const struct crowd_request *request = &transfer->request;
    char url[2300];
    size_t length = strlen(crowd->settings->url);
    while (length && crowd->settings->url[length - 1] == '/')
        length--;
    buffer_clear(&transfer->answer);
    return snprintf(url, sizeof url, "%.*s%s", (int)length, crowd->settings->url, request->path) < (int)sizeof url &&
           !curl_easy_setopt(transfer->easy, CURLOPT_CUSTOMREQUEST, NULL) && set_fields(transfer) &&
           set_method(transfer->easy, request) && !curl_easy_setopt(transfer->easy, CURLOPT_URL, url) &&
           !curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->fields) &&
           curl_multi_add_handle(crowd->multi, transfer->easy) == CURLM_OK;
}

static void say(const struct crowd *crowd, const char *words) {
    if (words && !crowd->settings->is_quiet)
        fprintf(stderr, "onsale crowd: %s\n", words);
}

static void hear(struct crowd *crowd, struct transfer *transfer, unsigned status, int64_t retry_after_seconds) {
    int64_t now_ms = clock_monotonic_us() / 1000;
    struct bytes raw = status ? buffer_bytes(&transfer->answer) : BYTES("");
    char detail[100];
    json_t *body = NULL;
    bool is_json = raw.length && (raw.at[0] == '{' || raw.at[0] == '[');
    if (is_json && json_parse(raw, &body, detail, sizeof detail) != RESULT_OK)
        body = NULL;
    struct fan_answer answer = {
        .status = status, .retry_after_seconds = retry_after_seconds > 600 ? 600 : retry_after_seconds, .body = body};
    if (transfer->fan == SCOUT) {
        crowd->scout_calls = false;
        say(crowd, scout_hear(&crowd->scout, &crowd->world.house, &answer, raw, now_ms));
    } else {
        if (transfer->call == CALL_SEATS && status == 200 && !house_take_bits(&crowd->world.house, raw))
            answer.status = 0;
        fan_hear(transfer->fan, &crowd->world, &answer, now_ms);
        deadlines_set(&crowd->deadlines, &transfer->fan->wakes, transfer->fan->wakes.at_ms);
    }
    json_decref(body);
}

static void give_back(struct crowd *crowd, struct transfer *transfer) {
    curl_slist_free_all(transfer->fields);
    transfer->fields = NULL;
    if (transfer->answer.capacity > KEPT_ANSWER_BYTES) {
        size_t limit = transfer->answer.limit;
        buffer_release(&transfer->answer);
        buffer_init(&transfer->answer, limit);
    }
    transfer->next_free = crowd->free_transfers;
    crowd->free_transfers = transfer;
}

static void end(struct crowd *crowd, struct transfer *transfer, CURLcode code) {
    long status = 0;
    curl_off_t retry_after = 0;
    if (code == CURLE_OK) {
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after);
    }
    curl_multi_remove_handle(crowd->multi, transfer->easy);
    hear(crowd, transfer, (unsigned)status, retry_after);
    give_back(crowd, transfer);
}

static void end_finished(struct crowd *crowd) {
    CURLMsg *told;
    int left;
    while ((told = curl_multi_info_read(crowd->multi, &left))) {
        struct transfer *transfer = NULL;
        curl_easy_getinfo(told->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        assert(transfer);
        end(crowd, transfer, told->data.result);
    }
}

/* ---- who calls ---- */

static void refill_slots(struct crowd *crowd, int64_t now_ms) {
    crowd->slots += crowd->slots_a_second * (double)(now_ms - crowd->slots_ms) / 1000;
    if (crowd->slots > crowd->slots_a_second / 4 + 1)
        crowd->slots = crowd->slots_a_second / 4 + 1;
    crowd->slots_ms = now_ms;
}

/* The caller has filled the request in. */
static void call_now(struct crowd *crowd, struct transfer *transfer) {
    crowd->slots--;
    crowd->calls++;
    if (start(crowd, transfer))
        return;
    hear(crowd, transfer, 0, 0);
    give_back(crowd, transfer);
}

static struct transfer *take_transfer(struct crowd *crowd) {
    struct transfer *transfer = crowd->slots >= 1 ? crowd->free_transfers : NULL;
    if (transfer)
        crowd->free_transfers = transfer->next_free;
    return transfer;
}

static void wake_scout(struct crowd *crowd, int64_t now_ms) {
    struct transfer *transfer;
    if (crowd->scout_calls || crowd->scout.at_ms > now_ms || !(transfer = take_transfer(crowd)))
        return;
    crowd->scout_calls = true;
    transfer->fan = SCOUT;
    request_of_scout(&crowd->scout, &crowd->world.house, &transfer->request);
    call_now(crowd, transfer);
}

/* Those whose time has come go into the line. */
static void wake_fans(struct crowd *crowd, int64_t now_ms) {
    struct deadline *first;
    while ((first = deadlines_first(&crowd->deadlines)) && first->at_ms <= now_ms) {
        struct fan *fan = CONTAINER_OF(first, struct fan, wakes);
        deadlines_set(&crowd->deadlines, first, INT64_MAX);
        enum fan_call call = fan_wake(fan, &crowd->world, now_ms);
        if (call == CALL_NONE) {
            int64_t at_ms = fan->wakes.at_ms > now_ms ? fan->wakes.at_ms : now_ms + 1;
            deadlines_set(&crowd->deadlines, first, at_ms);
            continue;
        }
        assert(crowd->line_count < crowd->settings->fans);
        uint32_t at = (crowd->line_first + crowd->line_count++) % crowd->settings->fans;
        crowd->line[at] = (struct waiting_call){fan, call};
    }
}

static void serve_line(struct crowd *crowd) {
    struct transfer *transfer;
    while (crowd->line_count && (transfer = take_transfer(crowd))) {
        struct waiting_call *first = &crowd->line[crowd->line_first];
        crowd->line_first = (crowd->line_first + 1) % crowd->settings->fans;
        crowd->line_count--;
        transfer->fan = first->fan;
        transfer->call = first->call;
        request_of_fan(first->fan, first->call, &crowd->world.house, &transfer->request);
        call_now(crowd, transfer);
    }
}

/* ---- what is told ---- */

static void count_fans(const struct crowd *crowd, unsigned counts[static FAN_STATES]) {
    for (uint32_t i = 0; i < crowd->settings->fans; i++)
        counts[crowd->fans[i].state]++;
}

static void tell_summary(struct crowd *crowd) {
    const struct crowd_counts *all = &crowd->world.counts;
    unsigned in[FAN_STATES] = {0};
    count_fans(crowd, in);
    fprintf(
        stderr,
        "onsale crowd: %u fans: %u in the queue, %u at the map, %u with seats, %u paying; so far %llu visits, "
        "%llu seats held, %llu sold in %llu bookings, %llu given back, %llu let go, %llu cards declined, %llu "
        "collisions, %llu times asked to come later, %llu refused; %.1f calls a second; the house is %u.%u %% sold\n",
        crowd->settings->fans, in[FAN_JOINING] + in[FAN_QUEUEING] + in[FAN_CLAIMING],
        in[FAN_LOOKING] + in[FAN_CHOOSING], in[FAN_THINKING] + in[FAN_RELEASING], in[FAN_PAYING] + in[FAN_PENDING],
        (unsigned long long)all->visits, (unsigned long long)all->seats_held, (unsigned long long)all->seats_sold,
        (unsigned long long)all->bookings, (unsigned long long)all->returned,
        (unsigned long long)(all->let_go + all->walked_away), (unsigned long long)all->declined,
        (unsigned long long)all->collisions, (unsigned long long)all->busy, (unsigned long long)all->refused,
        (double)(crowd->calls - crowd->calls_told) * 1000 / SUMMARY_MS, house_sold_permille(&crowd->world.house) / 10,
        house_sold_permille(&crowd->world.house) % 10);
    crowd->calls_told = crowd->calls;
}

/* ---- the loop ---- */

static int until_next(const struct crowd *crowd, int64_t now_ms) {
    const struct deadline *first = deadlines_first(&crowd->deadlines);
    int64_t at_ms = crowd->summary_ms;
    if (first && first->at_ms < at_ms)
        at_ms = first->at_ms;
    if (!crowd->scout_calls && crowd->scout.at_ms < at_ms)
        at_ms = crowd->scout.at_ms;
    if (crowd->line_count && crowd->free_transfers) /* it is a slot that is waited for */
        at_ms = now_ms + (int64_t)((1 - crowd->slots) * 1000 / crowd->slots_a_second) + 1;
    return at_ms <= now_ms ? 1 : (int)(at_ms - now_ms);
}

static enum result loop(struct crowd *crowd, int signals) {
    struct curl_waitfd also = {.fd = signals, .events = CURL_WAIT_POLLIN};
    for (;;) {
        int running;
        int64_t now_ms = clock_monotonic_us() / 1000;
        refill_slots(crowd, now_ms);
        wake_scout(crowd, now_ms);
        wake_fans(crowd, now_ms);
        serve_line(crowd);
        if (curl_multi_perform(crowd->multi, &running) != CURLM_OK)
            return RESULT_OVERLOADED;
        end_finished(crowd);
        if (now_ms >= crowd->summary_ms) {
            crowd->summary_ms = now_ms + SUMMARY_MS;
            if (!crowd->settings->is_quiet)
                tell_summary(crowd);
        }
        also.revents = 0;
        if (curl_multi_poll(crowd->multi, &also, 1, until_next(crowd, now_ms), NULL) != CURLM_OK)
            return RESULT_OVERLOADED;
        if (also.revents)
            return RESULT_OK;
    }
}

/* ---- set-up ---- */

static bool set_up_transfer(struct transfer *transfer) {
    buffer_init(&transfer->answer, LIMIT_CROWD_ANSWER_BYTES);
    CURL *easy = transfer->easy = curl_easy_init();
    return easy && !curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) &&
           !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) &&
           !curl_easy_setopt(easy, CURLOPT_USERAGENT, "onsale-crowd") &&
           !curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") && !curl_easy_setopt(easy, CURLOPT_PROXY, "") &&
           !curl_easy_setopt(easy, CURLOPT_NETRC, 0L) &&
           !curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
           !curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) &&
           !curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ANSWER_MS) &&
           !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) &&
           !curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
}

static bool set_up_transfers(struct crowd *crowd) {
    uint32_t count = crowd->settings->fans / 8;
    count = count < 8 ? 8 : count > LIMIT_CROWD_CONNECTIONS ? LIMIT_CROWD_CONNECTIONS : count;
    crowd->multi = curl_multi_init();
    crowd->transfers = calloc(count, sizeof *crowd->transfers);
    if (!crowd->multi || !crowd->transfers ||
        curl_multi_setopt(crowd->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)count) != CURLM_OK ||
        curl_multi_setopt(crowd->multi, CURLMOPT_MAXCONNECTS, (long)count) != CURLM_OK)
        return false;
    for (crowd->transfer_count = 0; crowd->transfer_count < count; crowd->transfer_count++) {
        struct transfer *transfer = &crowd->transfers[crowd->transfer_count];
        if (!set_up_transfer(transfer)) {
            crowd->transfer_count++;
            return false;
        }
        give_back(crowd, transfer);
    }
    return true;
}

static bool set_up(struct crowd *crowd) {
    const struct crowd_settings *settings = crowd->settings;
    struct crowd_world *world = &crowd->world;
    int64_t now_ms = clock_monotonic_us() / 1000;
    uint64_t tag = random_u64();
    world->habits = settings->habits;
    hex_encode((const uint8_t *)&tag, 4, world->tag);
    house_init(&world->house);
    scout_init(&crowd->scout, chance_of_fan(settings->seed, 0), &world->house, settings->show);
    crowd->slots_a_second = settings->fans < 20 ? 20 : settings->fans;
    crowd->slots_ms = now_ms;
    crowd->summary_ms = now_ms + SUMMARY_MS;
    world->kept_bookings = calloc(CROWD_KEPT_BOOKINGS, sizeof *world->kept_bookings);
    crowd->fans = calloc(settings->fans, sizeof *crowd->fans);
    crowd->line = calloc(settings->fans, sizeof *crowd->line);
    if (!world->kept_bookings || !crowd->fans || !crowd->line ||
        deadlines_init(&crowd->deadlines, settings->fans) != RESULT_OK || !set_up_transfers(crowd))
        return false;
    for (uint32_t i = 0; i < settings->fans; i++) {
        struct chance chance = chance_of_fan(settings->seed, i + 1);
        int64_t within_ms = chance_hits(&chance, EAGER_PERMILLE) ? EAGER_MS : FIRST_VISITS_MS;
        int64_t first_ms = now_ms + chance_between(&chance, 0, within_ms / settings->habits.pace);
        fan_init(&crowd->fans[i], chance, first_ms);
        deadlines_set(&crowd->deadlines, &crowd->fans[i].wakes, first_ms);
    }
    return true;
}

static void release(struct crowd *crowd) {
    for (uint32_t i = 0; i < crowd->transfer_count; i++) {
        struct transfer *transfer = &crowd->transfers[i];
        if (transfer->easy)
            curl_multi_remove_handle(crowd->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
        curl_slist_free_all(transfer->fields);
        buffer_release(&transfer->answer);
    }
    curl_multi_cleanup(crowd->multi);
    free(crowd->transfers);
    deadlines_release(&crowd->deadlines);
    free(crowd->line);
    free(crowd->fans);
    free(crowd->world.kept_bookings);
    house_release(&crowd->world.house);
}

enum result crowd_run(const struct crowd_settings *settings) {
    assert(settings->fans >= 1 && settings->habits.pace >= 1);
    struct crowd *crowd = calloc(1, sizeof *crowd);
    if (!crowd || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(crowd);
        return RESULT_OVERLOADED;
    }
    crowd->settings = settings;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    enum result result = signals >= 0 && set_up(crowd) ? loop(crowd, signals) : RESULT_OVERLOADED;
    if (result == RESULT_OK && !settings->is_quiet)
        tell_summary(crowd);
    release(crowd);
    if (signals >= 0)
        close(signals);
    curl_global_cleanup();
    free(crowd);
    return result;
}
