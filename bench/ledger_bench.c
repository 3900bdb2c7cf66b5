/* What the ledger costs over the SQLite below it, and what group commit gains. Run by bench/run.mjs.
 *
 *     ledger_bench [--rounds 5] [--folder DIR] [--scattered] [--paid]
 *
 * Each round runs, one after the other, on fresh files in DIR (an ordinary disk, not a memory file system):
 *   ledger 256, 16   free bookings of 2 seats through the ledger's port, that many in flight, submitted by one thread
 *   bare loop        the same statements by one thread in transactions of the same size, texts made beforehand
 *   one a commit     the bare loop with one booking a transaction
 *   pessimistic      the ledger with the other strategy of locking; both also where everybody wants the same few seats
 * or, with --paid, nothing but
 *   paid 256         bookings with the four commits of a saga that goes well, and no gateway between them
 *
 * Shows of 50,000 seats are sold one after the other. A booking's seats are neighbours, the pairs in random order; with
 * --scattered, any two seats. One JSON
 * line a figure: median, lowest and highest of the rounds; then the ratios, each taken within a round. */
#include <ftw.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "base/random.h"
#include "engines/sqlite/sqlite_ledger.h"

#define SHOW_SEATS 50000
#define SHOWS 2
#define SEATS (SHOWS * SHOW_SEATS)
#define HOT_SEATS 200
#define MAX_ROUNDS 31
#define MAX_BOOKINGS (SEATS / 2)
#define CHECKPOINT_PAGES "4000" /* what sqlite_ledger.c takes by default */

struct bench {
    const char *parent;
    bool scattered, paid;
    char folder[256];
    struct plan *plan;
    struct id shows[SHOWS];
    uint32_t seats[SEATS]; /* booking i takes 2i and 2i + 1; a number is show × SHOW_SEATS + seat */
    int64_t times_us[MAX_BOOKINGS];
};

struct outcome {
    double per_second;
    double p50_ms, p99_ms;
    double group; /* bookings in a commit, on average */
    uint32_t sold;
};

static _Noreturn void give_up(const char *what, const char *why) {
    fprintf(stderr, "ledger_bench: %s: %s\n", what, why);
    exit(1);
}

/* ---- the world ---- */

static struct plan *make_plan(void) {
    static const char text[] =
        "{\"sections\":[{\"name\":\"North\",\"rows\":500,\"seats_per_row\":50,\"category\":\"S\"},"
        "{\"name\":\"South\",\"rows\":500,\"seats_per_row\":50,\"category\":\"S\"}]}";
    char pointer[256], detail[256];
    json_t *document;
    struct plan *plan;
    if (json_parse(bytes_of(text), &document, detail, sizeof detail) != RESULT_OK ||
        plan_read(document, &plan, pointer, sizeof pointer, detail, sizeof detail) != RESULT_OK)
        give_up("the plan", detail);
    json_decref(document);
    assert(plan->seat_count == SHOW_SEATS);
    return plan;
}

static uint32_t random_below(uint32_t bound) {
    return (uint32_t)(random_u64() % bound);
}

/* One show after the other; in each, pairs of neighbours in random order, or all seats in random order. */
static void shuffle_seats(struct bench *bench) {
    uint32_t step = bench->scattered ? 1 : 2;
    for (uint32_t i = 0; i < SEATS; i++)
        bench->seats[i] = i;
    for (uint32_t show = 0; show < SHOWS; show++) {
        uint32_t *seats = &bench->seats[show * SHOW_SEATS];
        for (uint32_t i = SHOW_SEATS / step; i-- > 1;) {
            uint32_t other = random_below(i + 1);
            for (uint32_t j = 0; j < step; j++) {
                uint32_t swapped = seats[i * step + j];
                seats[i * step + j] = seats[other * step + j];
                seats[other * step + j] = swapped;
            }
        }
    }
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void open_ledger(struct bench *bench, enum ledger_locking locking, struct ledger *ledger) {
    char detail[512] = "";
    struct sqlite_ledger_settings settings = {.locking = locking};
    if (sqlite_ledger_open(bench->folder, &settings, ledger, detail, sizeof detail) != RESULT_OK)
        give_up("cannot open the ledger", detail);
}

static void post(struct ledger_command *command) {
    sem_post(command->context);
}

/* A fresh folder with the shows in it, the ledger closed again. */
static void begin(struct bench *bench) {
    struct ledger ledger;
    sem_t done;
    sem_init(&done, 0, 0);
    snprintf(bench->folder, sizeof bench->folder, "%s/ledger-bench-XXXXXX", bench->parent);
    if (!mkdtemp(bench->folder))
        give_up("cannot make a folder in", bench->parent);
    shuffle_seats(bench);
    open_ledger(bench, LEDGER_OPTIMISTIC, &ledger);
    for (int i = 0; i < SHOWS; i++) {
        bench->shows[i] = id_new_uuid7(clock_now_ms());
        struct show_record record = {.show_id = bench->shows[i],
                                     .event_name = BYTES("Bench"),
                                     .plan_json = BYTES("{}"),
                                     .settings_json = BYTES("{}"),
                                     .created_ms = clock_now_ms(),
                                     .updated_ms = clock_now_ms()};
        struct ledger_command command = {.kind = LEDGER_CREATE_SHOW, .context = &done, .done = post};
        command.show.record = &record;
        command.show.plan = bench->plan;
        if (!ledger.submit(ledger.engine, &command))
            give_up("the ledger", "takes nothing");
        sem_wait(&done);
        if (command.result != RESULT_OK)
            give_up("cannot make a show", result_words(command.result));
    }
    ledger.close(ledger.engine);
    sem_destroy(&done);
}

static void end(struct bench *bench) {
    nftw(bench->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static int by_value(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static struct outcome outcome_of(struct bench *bench, uint32_t count, int64_t took_us) {
    qsort(bench->times_us, count, sizeof bench->times_us[0], by_value);
    return (struct outcome){.per_second = count * 1e6 / (double)took_us,
                            .p50_ms = (double)bench->times_us[count / 2] / 1e3,
                            .p99_ms = (double)bench->times_us[(uint64_t)count * 99 / 100] / 1e3};
}

/* ---- through the ledger ---- */

/* What a saga that goes well writes, one commit each. */
static const struct {
    enum ledger_kind kind;
    enum saga_state from, to;
    enum booking_status status;
    enum payment_state payment;
} paid_steps[] = {
    {LEDGER_OPEN_BOOKING, SAGA_OPENED, SAGA_OPENED, BOOKING_PENDING, PAYMENT_STATE_NONE},
    {LEDGER_STEP_BOOKING, SAGA_OPENED, SAGA_CONFIRMING, BOOKING_PENDING, PAYMENT_STATE_NONE},
    {LEDGER_SELL, SAGA_CONFIRMING, SAGA_CAPTURING, BOOKING_CONFIRMED, PAYMENT_STATE_AUTHORIZED},
    {LEDGER_STEP_BOOKING, SAGA_CAPTURING, SAGA_DONE, BOOKING_CONFIRMED, PAYMENT_STATE_CAPTURED},
};

#define PAID_STEPS (sizeof paid_steps / sizeof paid_steps[0])

struct slot {
    struct envelope envelope;
    unsigned step; /* of paid_steps */
    struct booking booking;
    struct ledger_command command;
    int64_t submitted_us, done_us;
    struct mailbox *finished;
};

struct run {
    struct bench *bench;
    struct ledger ledger;
    sem_t bell;
    bool hot, paid;
    uint32_t wanted, begun, ended, sold;
};

static void finish(struct ledger_command *command) {
    struct slot *slot = command->context;
    slot->done_us = clock_monotonic_us();
    mailbox_send(slot->finished, &slot->envelope);
}

static void submit(struct run *run, struct slot *slot) {
    struct booking *booking = &slot->booking;
    slot->command = (struct ledger_command){.kind = LEDGER_SELL, .context = slot, .done = finish};
    slot->command.booking.booking = booking;
    slot->command.booking.insert = !run->paid;
    if (run->paid) {
        slot->command.kind = paid_steps[slot->step].kind;
        slot->command.booking.from_saga = paid_steps[slot->step].from;
        booking->saga = paid_steps[slot->step].to;
        booking->status = paid_steps[slot->step].status;
        booking->payment_state = paid_steps[slot->step].payment;
        snprintf(booking->intent_id, sizeof booking->intent_id, "%s", slot->step > 0 ? "pi_000001234567890abcdef" : "");
    }
    if (!run->ledger.submit(run->ledger.engine, &slot->command))
        give_up("the ledger", "takes no more");
}

static void submit_next(struct run *run, struct slot *slot) {
    struct bench *bench = run->bench;
    uint32_t number = run->begun++, first = bench->seats[2 * number], second = bench->seats[2 * number + 1];
    if (run->hot) { /* everybody wants two of the same few seats */
        first = random_below(HOT_SEATS);
        second = (first + 1 + random_below(HOT_SEATS - 1)) % HOT_SEATS;
    }
    struct booking *booking = &slot->booking;
    int64_t now_ms = clock_now_ms();
    booking->id = id_new_uuid7(now_ms);
    booking->show_id = bench->shows[first / SHOW_SEATS];
    booking->reservation = id_new_reservation(now_ms, id_show_tag(&booking->show_id));
    booking->user.length = (uint8_t)snprintf(booking->user.text, sizeof booking->user.text, "fan-%u", number);
    booking->seat_ids[0] = bench->plan->seat_ids[first % SHOW_SEATS];
    booking->seat_ids[1] = bench->plan->seat_ids[second % SHOW_SEATS];
    booking->fence = ((uint64_t)run->ledger.epoch << 40) + 2 * (uint64_t)number;
    booking->created_ms = booking->updated_ms = booking->confirmed_ms = now_ms;
    slot->step = 0;
    slot->submitted_us = clock_monotonic_us();
    submit(run, slot);
}

static void open_finished(struct envelope *envelope, void *receiver) {
    struct run *run = receiver;
    struct slot *slot = (struct slot *)(void *)envelope;
    if (run->paid && slot->command.result == RESULT_OK && ++slot->step < PAID_STEPS) {
        submit(run, slot);
        return;
    }
    run->bench->times_us[run->ended++] = slot->done_us - slot->submitted_us;
    if (slot->command.result == RESULT_OK)
        run->sold++;
    else if (slot->command.result != RESULT_CONFLICT || !run->hot)
        give_up("a booking failed", result_words(slot->command.result));
    if (run->begun < run->wanted)
        submit_next(run, slot);
}

static void ring(void *context) {
    sem_post(context);
}

enum wish { ANY_SEATS, HOT_SEATS_ONLY, PAID_SEATS };

static struct outcome through_ledger(struct bench *bench, enum ledger_locking locking, uint32_t in_flight,
                                     uint32_t count, enum wish wish) {
    static struct slot slots[LIMIT_LEDGER_GROUP];
    struct run run = {.bench = bench, .hot = wish == HOT_SEATS_ONLY, .paid = wish == PAID_SEATS, .wanted = count};
    struct mailbox finished;
    begin(bench);
    open_ledger(bench, locking, &run.ledger);
    sem_init(&run.bell, 0, 0);
    mailbox_init(&finished, ring, &run.bell);
    int64_t commits = metric_value(METRIC_LEDGER_COMMITS);
    int64_t begun_us = clock_monotonic_us();
    for (uint32_t i = 0; i < in_flight; i++) {
        slots[i] = (struct slot){.envelope.open = open_finished, .finished = &finished};
        slots[i].booking = (struct booking){.seat_count = 2,
                                            .amount = run.paid ? 10000 : 0,
                                            .seat_amounts = {run.paid ? 5000 : 0, run.paid ? 5000 : 0},
                                            .currency = "EUR",
                                            .status = BOOKING_CONFIRMED,
                                            .saga = SAGA_DONE,
                                            .attempt = 1};
        submit_next(&run, &slots[i]);
    }
    while (run.ended < count) {
        sem_wait(&run.bell);
        mailbox_open_all(&finished, &run);
    }
    int64_t took_us = clock_monotonic_us() - begun_us;
    commits = metric_value(METRIC_LEDGER_COMMITS) - commits;
    run.ledger.close(run.ledger.engine);
    sem_destroy(&run.bell);
    end(bench);
    struct outcome outcome = outcome_of(bench, count, took_us);
    outcome.sold = run.sold;
    outcome.group = (double)count / (double)commits;
    return outcome;
}

/* ---- the bare loop ---- */

enum {
#define STATEMENT(name, sql) BARE_##name,
#include "engines/sqlite/write_statements.def"
#undef STATEMENT
    BARE_COUNT
};

static const char *const bare_texts[BARE_COUNT] = {
#define STATEMENT(name, sql) sql,
#include "engines/sqlite/write_statements.def"
#undef STATEMENT
};

struct bare {
    sqlite3 *db;
    sqlite3_stmt *statements[BARE_COUNT];
};

/* All that a booking binds, as text. */
struct made_booking {
    char id[ID_UUID_TEXT + 1], reservation[ID_LETTER_TEXT + 1], user[16], seat_ids[40], now[CLOCK_TEXT_BYTES];
    const char *show;
    struct bytes seats[2];
    int64_t fence;
};

static void bare_step(struct bare *bare, int statement) {
    if (sqlite3_step(bare->statements[statement]) != SQLITE_DONE)
        give_up(bare_texts[statement], sqlite3_errmsg(bare->db));
    sqlite3_reset(bare->statements[statement]);
}

static void bare_text(struct bare *bare, int statement, int at, const char *text, size_t length) {
    if (sqlite3_bind_text(bare->statements[statement], at, text, (int)length, SQLITE_STATIC) != SQLITE_OK)
        give_up("binding", sqlite3_errmsg(bare->db));
}

static void bare_int(struct bare *bare, int statement, int at, int64_t value) {
    if (sqlite3_bind_int64(bare->statements[statement], at, value) != SQLITE_OK)
        give_up("binding", sqlite3_errmsg(bare->db));
}

static void bare_open(struct bench *bench, struct bare *bare) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", bench->folder, SQLITE_LEDGER_FILE);
    if (sqlite3_open_v2(path, &bare->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        sqlite3_exec(bare->db,
                     "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = " CHECKPOINT_PAGES
                     "; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY",
                     NULL, NULL, NULL) != SQLITE_OK)
        give_up("the bare loop", sqlite3_errmsg(bare->db));
    for (int i = 0; i < BARE_COUNT; i++)
        if (sqlite3_prepare_v3(bare->db, bare_texts[i], -1, SQLITE_PREPARE_PERSISTENT, &bare->statements[i], NULL) !=
            SQLITE_OK)
            give_up(bare_texts[i], sqlite3_errmsg(bare->db));
}

static void bare_close(struct bare *bare) {
    for (int i = 0; i < BARE_COUNT; i++)
        sqlite3_finalize(bare->statements[i]);
    sqlite3_close(bare->db);
}

static void bare_book(struct bare *bare, const struct made_booking *made) {
    bare_text(bare, BARE_SELL_SEAT, 1, made->show, ID_UUID_TEXT);
    bare_int(bare, BARE_SELL_SEAT, 3, made->fence + 1);
    for (int i = 0; i < 2; i++) {
        bare_text(bare, BARE_SELL_SEAT, 2, made->seats[i].at, made->seats[i].length);
        bare_step(bare, BARE_SELL_SEAT);
        if (sqlite3_changes(bare->db) != 1)
            give_up("the bare loop", "a seat is sold");
    }
    bare_text(bare, BARE_INSERT_TICKET, 1, made->show, ID_UUID_TEXT);
    bare_text(bare, BARE_INSERT_TICKET, 3, made->id, ID_UUID_TEXT);
    bare_int(bare, BARE_INSERT_TICKET, 4, 0);
    bare_int(bare, BARE_INSERT_TICKET, 5, made->fence);
    for (int i = 0; i < 2; i++) {
        bare_text(bare, BARE_INSERT_TICKET, 2, made->seats[i].at, made->seats[i].length);
        bare_step(bare, BARE_INSERT_TICKET);
    }
    const char *texts[] = {[2] = "CONFIRMED", [3] = "NONE",      [4] = "DONE",      [6] = "",
                           [7] = "",          [9] = made->now,   [10] = made->now,  [12] = made->seat_ids,
                           [13] = "[0,0]",    [14] = made->user, [15] = made->show, [16] = made->reservation,
                           [18] = "EUR",      [19] = made->now};
    bare_text(bare, BARE_INSERT_BOOKING, 1, made->id, ID_UUID_TEXT);
    for (int i = 2; i <= 19; i++)
        if (texts[i])
            bare_text(bare, BARE_INSERT_BOOKING, i, texts[i], i == 15 ? ID_UUID_TEXT : strlen(texts[i]));
    bare_int(bare, BARE_INSERT_BOOKING, 5, 1);
    bare_int(bare, BARE_INSERT_BOOKING, 8, 0);
    bare_int(bare, BARE_INSERT_BOOKING, 11, made->fence);
    bare_int(bare, BARE_INSERT_BOOKING, 17, 0);
    bare_step(bare, BARE_INSERT_BOOKING);
}

static struct made_booking *make_bookings(struct bench *bench, uint32_t count) {
    static char shows[SHOWS][ID_UUID_TEXT];
    struct made_booking *made = calloc(count, sizeof *made);
    if (!made)
        give_up("the bookings", "out of memory");
    for (int i = 0; i < SHOWS; i++)
        id_format_uuid(&bench->shows[i], shows[i]);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = bench->seats[2 * i], second = bench->seats[2 * i + 1];
        int64_t now_ms = clock_now_ms();
        struct id id = id_new_uuid7(now_ms);
        struct id reservation = id_new_reservation(now_ms, id_show_tag(&bench->shows[first / SHOW_SEATS]));
        id_format_uuid(&id, made[i].id);
        id_format_letter(&reservation, 'r', made[i].reservation);
        made[i].show = shows[first / SHOW_SEATS];
        made[i].seats[0] = bench->plan->seat_ids[first % SHOW_SEATS];
        made[i].seats[1] = bench->plan->seat_ids[second % SHOW_SEATS];
        made[i].fence = ((int64_t)1 << 40) + 2 * (int64_t)i;
        snprintf(made[i].user, sizeof made[i].user, "fan-%u", i);
        snprintf(made[i].seat_ids, sizeof made[i].seat_ids, "[\"%.*s\",\"%.*s\"]", (int)made[i].seats[0].length,
                 made[i].seats[0].at, (int)made[i].seats[1].length, made[i].seats[1].at);
        clock_format(now_ms, made[i].now);
    }
    return made;
}

static struct outcome bare_loop(struct bench *bench, uint32_t group, uint32_t count) {
    struct bare bare;
    begin(bench);
    struct made_booking *made = make_bookings(bench, count);
    bare_open(bench, &bare);
    int64_t begun_us = clock_monotonic_us();
    for (uint32_t i = 0; i < count;) {
        uint32_t first = i;
        int64_t group_us = clock_monotonic_us();
        bare_step(&bare, BARE_BEGIN);
        for (; i < count && i < first + group; i++)
            bare_book(&bare, &made[i]);
        bare_step(&bare, BARE_COMMIT);
        for (uint32_t j = first; j < i; j++)
            bench->times_us[j] = clock_monotonic_us() - group_us;
    }
    int64_t took_us = clock_monotonic_us() - begun_us;
    bare_close(&bare);
    free(made);
    end(bench);
    return outcome_of(bench, count, took_us);
}

/* ---- figures ---- */

struct figure {
    double of[MAX_ROUNDS];
    unsigned count;
};

static int by_double(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static void add(struct figure *figure, double value) {
    figure->of[figure->count++] = value;
}

static void tell(const char *name, struct figure *figure, const char *unit) {
    qsort(figure->of, figure->count, sizeof figure->of[0], by_double);
    printf("{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\",\"low\":%.3f,\"high\":%.3f,\"rounds\":%u}\n", name,
           figure->of[figure->count / 2], unit, figure->of[0], figure->of[figure->count - 1], figure->count);
}

struct figures {
    struct figure group_256, group_16, ledger, bare, single, over_bare, over_single, p50_256, p99_256, p50_16, p99_16,
        rate_16;
    struct figure pessimistic, pessimistic_ratio, hot_optimistic, hot_pessimistic, hot_ratio;
    struct figure paid, paid_p99;
};

static void run_paid_round(struct bench *bench, struct figures *figures) {
    struct outcome paid = through_ledger(bench, LEDGER_OPTIMISTIC, 256, 10000, PAID_SEATS);
    add(&figures->paid, paid.per_second);
    add(&figures->paid_p99, paid.p99_ms);
}

static void run_round(struct bench *bench, struct figures *figures) {
    struct outcome ledger = through_ledger(bench, LEDGER_OPTIMISTIC, 256, 40000, ANY_SEATS);
    struct outcome bare = bare_loop(bench, 256, 40000);
    struct outcome single = bare_loop(bench, 1, 6000);
    struct outcome few = through_ledger(bench, LEDGER_OPTIMISTIC, 16, 20000, ANY_SEATS);
    struct outcome pessimistic = through_ledger(bench, LEDGER_PESSIMISTIC, 256, 40000, ANY_SEATS);
    struct outcome hot_optimistic = through_ledger(bench, LEDGER_OPTIMISTIC, 256, 40000, HOT_SEATS_ONLY);
    struct outcome hot_pessimistic = through_ledger(bench, LEDGER_PESSIMISTIC, 256, 40000, HOT_SEATS_ONLY);
    add(&figures->ledger, ledger.per_second);
    add(&figures->bare, bare.per_second);
    add(&figures->single, single.per_second);
    add(&figures->over_bare, ledger.per_second / bare.per_second);
    add(&figures->over_single, ledger.per_second / single.per_second);
    add(&figures->group_256, ledger.group);
    add(&figures->group_16, few.group);
    add(&figures->p50_256, ledger.p50_ms);
    add(&figures->p99_256, ledger.p99_ms);
    add(&figures->rate_16, few.per_second);
    add(&figures->p50_16, few.p50_ms);
    add(&figures->p99_16, few.p99_ms);
    add(&figures->pessimistic, pessimistic.per_second);
    add(&figures->pessimistic_ratio, pessimistic.per_second / ledger.per_second);
    add(&figures->hot_optimistic, hot_optimistic.per_second);
    add(&figures->hot_pessimistic, hot_pessimistic.per_second);
    add(&figures->hot_ratio, hot_pessimistic.per_second / hot_optimistic.per_second);
}

static void tell_all(struct figures *figures) {
    if (figures->paid.count > 0) {
        tell("paid_256", &figures->paid, "bookings/s");
        tell("paid_256_p99", &figures->paid_p99, "ms");
        return;
    }
    tell("ledger_256", &figures->ledger, "bookings/s");
    tell("ledger_256_p50", &figures->p50_256, "ms");
    tell("ledger_256_p99", &figures->p99_256, "ms");
    tell("ledger_256_group", &figures->group_256, "bookings/commit");
    tell("ledger_16_group", &figures->group_16, "bookings/commit");
    tell("ledger_16", &figures->rate_16, "bookings/s");
    tell("ledger_16_p50", &figures->p50_16, "ms");
    tell("ledger_16_p99", &figures->p99_16, "ms");
    tell("bare_loop_256", &figures->bare, "bookings/s");
    tell("one_a_commit", &figures->single, "bookings/s");
    tell("ledger_over_bare_loop", &figures->over_bare, "ratio");
    tell("ledger_over_one_a_commit", &figures->over_single, "ratio");
    tell("pessimistic_256", &figures->pessimistic, "bookings/s");
    tell("pessimistic_over_optimistic", &figures->pessimistic_ratio, "ratio");
    tell("contended_optimistic", &figures->hot_optimistic, "attempts/s");
    tell("contended_pessimistic", &figures->hot_pessimistic, "attempts/s");
    tell("contended_pessimistic_over_optimistic", &figures->hot_ratio, "ratio");
}

int main(int count, char **arguments) {
    static struct bench bench = {.parent = "."};
    static struct figures figures;
    unsigned long rounds = 5;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--rounds") == 0 && i + 1 < count)
            rounds = strtoul(arguments[++i], NULL, 10);
        else if (strcmp(arguments[i], "--folder") == 0 && i + 1 < count)
            bench.parent = arguments[++i];
        else if (strcmp(arguments[i], "--scattered") == 0)
            bench.scattered = true;
        else if (strcmp(arguments[i], "--paid") == 0)
            bench.paid = true;
        else
            give_up("unknown argument", arguments[i]);
    }
    if (rounds < 1 || rounds > MAX_ROUNDS)
        give_up("--rounds", "from 1 to 31");
    hash_set_up();
    json_set_up();
    bench.plan = make_plan();
    for (unsigned long i = 0; i < rounds; i++)
        (bench.paid ? run_paid_round : run_round)(&bench, &figures);
    plan_free(bench.plan);
    tell_all(&figures);
    return 0;
}
