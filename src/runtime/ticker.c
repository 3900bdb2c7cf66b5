#include "runtime/ticker.h"
#include "api/idempotency.h"
#include "api/mirror.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "feed/live_pace.h"
#include "runtime/bell.h"

#include <stdlib.h>

#define TICK_MS 100
#define SEATS_EVERY_MS 1000 /* how often the ledger is told of seats */
/* … and of how many. It costs the ledger's thread 2.5 µs a seat: so a hundredth of a core, however many are held; and
 * what is sold or let go before its turn comes need not be told at all. */
#define SEATS_A_SECOND 4096
#define ANSWERS_EVERY_MS 500  /* … of answers */
#define FORGET_EVERY_MS 60000 /* … of those it may forget, some thousands at a time: more in a day than come in one */
#define ANSWERS_AT_ONCE 256
#define RECONCILE_EVERY_MS 5000
#define RATE_SECONDS 10

/* What one show's seats became, on its way to the ledger. */
struct seats_command {
    struct ledger_command command;
    atomic_bool out;
    bool unsent; /* the ledger was full: the same command goes first next time */
    struct seat_change changes[SEATS_A_SECOND];
};

struct ticker {
    /* set once */
    struct ticker_settings with;
    pthread_t thread;

    struct bell bell;
    atomic_bool stopping;

    /* owned by the ticker; the ledger's while `out` */
    struct seats_command seats;
    struct ledger_command answers_command;
    atomic_bool answers_out;
    struct kept_answer answers[ANSWERS_AT_ONCE];
    uint32_t answer_count;
    atomic_bool answers_ok;
    struct ledger_command forget_command;
    atomic_bool forget_out;

    uint32_t seats_left; /* that may be told in this second */
    int64_t seats_due_ms, answers_due_ms, forget_due_ms, rate_due_ms, reconcile_due_ms;
    int64_t holds_before[RATE_SECONDS], bookings_before[RATE_SECONDS];
    unsigned rate_at;
    unsigned next_sale; /* whose seats are told next */
    struct live_pace pace;
    int64_t tend_due_ms;
};

/* ---- holds ---- */

static void expire(struct ticker *ticker, struct sale *sale, int64_t now_ms) {
    struct hold_store *holds = ticker->with.api->holds;
    while (holds->expire(holds->engine, sale->show, now_ms) && !atomic_load(&ticker->stopping))
        continue;
}

/* ---- the ledger's picture of seats ---- */

static void seats_done(struct ledger_command *command) {
    struct ticker *ticker = command->context;
    if (command->result != RESULT_OK && command->result != RESULT_LEDGER_UNAVAILABLE)
        log_warn("the ledger did not take the seats' states", LOG_STRING("result", result_name(command->result)));
    atomic_store(&ticker->seats.out, false);
}

static void send_seats(struct ticker *ticker) {
    struct ledger *ledger = ticker->with.api->ledger;
    atomic_store(&ticker->seats.out, true);
    ticker->seats.unsent = !ledger->submit(ledger->engine, &ticker->seats.command);
    if (ticker->seats.unsent)
        atomic_store(&ticker->seats.out, false);
}

/* One show a turn, so that one command is out at a time. True if there may be more to tell at once. */
static bool tell_seats(struct ticker *ticker) {
    struct api *api = ticker->with.api;
    unsigned count = atomic_load(&api->sales->count);
    if (atomic_load(&ticker->seats.out))
        return false;
    if (ticker->seats.unsent) {
        send_seats(ticker);
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        struct sale *sale = api->sales->sales[ticker->next_sale++ % count];
        show_lock(sale->show);
        uint32_t changed = show_take_changes(sale->show, ticker->seats.changes, ticker->seats_left);
        show_unlock(sale->show);
        if (!changed)
            continue;
        ticker->seats_left -= changed;
        ticker->seats.command =
            (struct ledger_command){.kind = LEDGER_WRITE_SEATS, .context = ticker, .done = seats_done};
        ticker->seats.command.seats.show_id = &sale->show_id;
        ticker->seats.command.seats.plan = sale->plan;
        ticker->seats.command.seats.count = changed;
        ticker->seats.command.seats.changes = ticker->seats.changes;
        ticker->seats.command.seats.now_ms = clock_now_ms();
        send_seats(ticker);
        return true;
    }
    return false;
}

/* ---- answers to keyed calls ---- */

static void answers_done(struct ledger_command *command) {
    struct ticker *ticker = command->context;
    atomic_store(&ticker->answers_ok, command->result == RESULT_OK);
    atomic_store(&ticker->answers_out, false);
    bell_ring(&ticker->bell);
}

static bool move_answers(struct ticker *ticker) {
    struct api *api = ticker->with.api;
    if (!ticker->with.pending_answers || atomic_load(&ticker->answers_out))
        return false;
    if (ticker->answer_count) {
        ticker->with.answers_kept(api->holds, ticker->answers, ticker->answer_count, atomic_load(&ticker->answers_ok));
        ticker->answer_count = 0;
    }
    uint32_t count = ticker->with.pending_answers(api->holds, ticker->answers, ANSWERS_AT_ONCE);
    if (!count)
        return false;
    ticker->answer_count = count;
    ticker->answers_command =
        (struct ledger_command){.kind = LEDGER_KEEP_ANSWERS, .context = ticker, .done = answers_done};
    ticker->answers_command.answers.count = count;
    ticker->answers_command.answers.answers = ticker->answers;
    atomic_store(&ticker->answers_ok, false);
    atomic_store(&ticker->answers_out, true);
    if (!api->ledger->submit(api->ledger->engine, &ticker->answers_command))
        atomic_store(&ticker->answers_out, false);
    return true;
}

static void forget_done(struct ledger_command *command) {
    struct ticker *ticker = command->context;
    atomic_store(&ticker->forget_out, false);
}

static void forget_answers(struct ticker *ticker, int64_t now_ms) {
    struct ledger *ledger = ticker->with.api->ledger;
    if (atomic_load(&ticker->forget_out))
        return;
    ticker->forget_command =
        (struct ledger_command){.kind = LEDGER_FORGET_ANSWERS, .context = ticker, .done = forget_done};
    ticker->forget_command.answers.before_ms = now_ms - IDEMPOTENCY_KEEP_MS;
    atomic_store(&ticker->forget_out, true);
    if (!ledger->submit(ledger->engine, &ticker->forget_command))
        atomic_store(&ticker->forget_out, false);
}

/* ---- rates ---- */

static void take_rates(struct ticker *ticker) {
    struct api *api = ticker->with.api;
    unsigned at = ticker->rate_at++ % RATE_SECONDS;
    int64_t holds = metric_value(METRIC_HOLDS_TAKEN), bookings = metric_value(METRIC_BOOKINGS_CONFIRMED);
    atomic_store(&api->holds_per_minute, (holds - ticker->holds_before[at]) * 60 / RATE_SECONDS);
    atomic_store(&api->bookings_per_minute, (bookings - ticker->bookings_before[at]) * 60 / RATE_SECONDS);
    ticker->holds_before[at] = holds;
    ticker->bookings_before[at] = bookings;
}

/* ---- the seat maps ---- */

/* How long the maps' frames are apart now. */
static int64_t take_pace(struct ticker *ticker) {
    struct api *api = ticker->with.api;
    live_pace_learn(&ticker->pace, websocket_cost());
    int64_t watching = metric_value(METRIC_WEBSOCKETS_OPEN);
    int64_t interval_ms = live_pace_interval_ms(&ticker->pace, watching > 0 ? (uint64_t)watching : 0);
    atomic_store_explicit(&api->live_tick_ms, interval_ms, memory_order_relaxed);
    metric_set(METRIC_LIVE_TICK_MS, interval_ms);
    metric_set(METRIC_LIVE_SEND_NS, (int64_t)ticker->pace.send_ns);
    return interval_ms;
}

static void tend_feeds(const struct sale_list *sales, unsigned count) {
    int64_t viewers = 0;
    for (unsigned i = 0; i < count; i++) {
        struct live_feed *live = feed_live(sales->sales[i]->feed);
        live_feed_tend(live);
        viewers += live_feed_viewers(live);
    }
    metric_set(METRIC_LIVE_VIEWERS, viewers);
}

/* ---- the thread ---- */

static bool is_due(int64_t *due_ms, int64_t now_ms, int64_t every_ms) {
    if (now_ms < *due_ms)
        return false;
    *due_ms = now_ms + every_ms;
    return true;
}

static void tell_ledger(struct ticker *ticker, int64_t now_ms) {
    if (is_due(&ticker->seats_due_ms, now_ms, SEATS_EVERY_MS))
        ticker->seats_left = SEATS_A_SECOND;
    if (ticker->seats_left && !tell_seats(ticker) && !atomic_load(&ticker->seats.out))
        ticker->seats_left = 0; /* nothing more to tell until the next second */
    if (is_due(&ticker->answers_due_ms, now_ms, ANSWERS_EVERY_MS) && move_answers(ticker))
        ticker->answers_due_ms = now_ms;
    if (is_due(&ticker->forget_due_ms, now_ms, FORGET_EVERY_MS))
        forget_answers(ticker, now_ms);
    if (is_due(&ticker->rate_due_ms, now_ms, 1000))
        take_rates(ticker);
    if (is_due(&ticker->reconcile_due_ms, now_ms, RECONCILE_EVERY_MS))
        ticker->with.reconcile(ticker->with.api->services.runtime);
}

/* Shows the seats to whoever is due, and returns when somebody is next. */
static int64_t show_seats(struct sale *sale, int64_t interval_ms) {
    int64_t pushed_us, built_us;
    if (sale->mirror) { /* the frames' sequences are another node's: no snapshot makes one of its own */
        pushed_us = mirror_push(sale, clock_monotonic_us(), interval_ms);
        built_us = feed_build(sale->feed, clock_monotonic_us(), INT64_MAX);
    } else {
        pushed_us = feed_push(sale->feed, clock_monotonic_us(), interval_ms);
        built_us = feed_build(sale->feed, clock_monotonic_us(), interval_ms);
    }
    return pushed_us < built_us ? pushed_us : built_us;
}

static int tick(struct ticker *ticker) {
    struct api *api = ticker->with.api;
    int64_t now_ms = clock_now_ms();
    int64_t next_us = INT64_MAX;
    int64_t interval_ms = take_pace(ticker);
    unsigned count = atomic_load(&api->sales->count);
    for (unsigned i = 0; i < count; i++) {
        struct sale *sale = api->sales->sales[i];
        if (!sale->mirror)
            expire(ticker, sale, now_ms);
        int64_t wanted_us = show_seats(sale, interval_ms);
        next_us = wanted_us < next_us ? wanted_us : next_us;
    }
    if (is_due(&ticker->tend_due_ms, now_ms, 1000))
        tend_feeds(api->sales, count);
    if (api->ledger)
        tell_ledger(ticker, now_ms);
    if (next_us == INT64_MAX)
        return TICK_MS;
    int64_t wait_ms = (next_us - clock_monotonic_us() + 999) / 1000;
    return wait_ms < 0 ? 0 : wait_ms > TICK_MS ? TICK_MS : (int)wait_ms;
}

static void *work(void *context) {
    struct ticker *ticker = context;
    while (!atomic_load(&ticker->stopping))
        bell_wait(&ticker->bell, tick(ticker));
    return NULL;
}

enum result ticker_start(const struct ticker_settings *settings, struct ticker **ticker) {
    struct ticker *made = calloc(1, sizeof *made);
    if (!made)
        return RESULT_OVERLOADED;
    made->with = *settings;
    live_pace_init(&made->pace, settings->live_share, settings->reactors);
    if (bell_init(&made->bell) != RESULT_OK) {
        free(made);
        return RESULT_IO_ERROR;
    }
    if (pthread_create(&made->thread, NULL, work, made)) {
        bell_release(&made->bell);
        free(made);
        return RESULT_OVERLOADED;
    }
    pthread_setname_np(made->thread, "ticker");
    *ticker = made;
    return RESULT_OK;
}

void ticker_wake(struct ticker *ticker) {
    bell_ring(&ticker->bell);
}

void ticker_stop(struct ticker *ticker) {
    if (!ticker)
        return;
    atomic_store(&ticker->stopping, true);
    bell_ring(&ticker->bell);
    pthread_join(ticker->thread, NULL);
}

void ticker_free(struct ticker *ticker) {
    if (!ticker)
        return;
    bell_release(&ticker->bell);
    free(ticker);
}
