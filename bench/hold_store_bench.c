/* What a hold costs in process: take two adjacent seats of 50,000 and release them again, over and over, through the
 * port; without a journal, with it, and with a keyed answer beside the hold; by one thread, and by two that contend for
 * one show. Bursts are timed, by the wall clock and per thread; between them the journal is synced, so that what is
 * measured is the caller's cost and not the disk. One JSON line a figure, over all bursts.
 *
 * usage: hold_store_bench [folder for the journal]
 */
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "base/panic.h"
#include "base/random.h"
#include "engines/memory/memory_store.h"

#define SEATS 50000
#define MOST_THREADS 2
#define ROUNDS 200
#define BURST 2000

struct fan {
    struct show *show;
    struct hold_store *store;
    pthread_barrier_t *barrier;
    bool keyed;
    uint64_t chance;
    double ns[ROUNDS];
    long long refused;
};

static uint64_t next_chance(struct fan *fan) { /* xorshift64: Marsaglia, "Xorshift RNGs", 2003 */
    fan->chance ^= fan->chance << 13;
    fan->chance ^= fan->chance >> 7;
    fan->chance ^= fan->chance << 17;
    return fan->chance;
}

static void took(struct hold_take_call *call) {
    (void)call;
}

static void stepped(struct hold_step_call *call) {
    (void)call;
}

static void render(const struct hold_take_call *call, struct buffer *body) {
    buffer_add_text(body, "{\"reservation_id\":\"");
    char *room = buffer_reserve(body, ID_LETTER_TEXT);
    assert(room);
    id_format_letter(&call->hold.reservation, 'r', room);
    body->length += ID_LETTER_TEXT;
    buffer_add_text(body,
                    "\",\"expires_in_seconds\":600,\"seat_ids\":[\"North-A101\",\"North-A102\"],\"amount\":10000}");
}

static void take_and_release(struct fan *fan, const struct user_id *user) {
    uint32_t first = (uint32_t)(next_chance(fan) % (SEATS - 1)), seats[2] = {first, first + 1};
    static _Thread_local struct hold_take_call take;
    take.show = fan->show;
    take.wish = (struct hold_wish){.user = user, .seats = seats, .seat_count = 2};
    take.answer_key = (struct hold_answer_key){{{0}}, {{0}}};
    if (fan->keyed)
        random_bytes(take.answer_key.key.at, sizeof take.answer_key.key.at);
    take.now_ms = 1800000000000;
    take.render = render;
    take.done = took;
    fan->store->take(fan->store->engine, &take);
    if (take.result != RESULT_OK) {
        assert(take.result == RESULT_SEAT_UNAVAILABLE); /* the other fan's */
        fan->refused++;
        return;
    }
    static _Thread_local struct hold_step_call step;
    step.show = fan->show;
    step.step = HOLD_STEP_RELEASE;
    step.reservation = take.hold.reservation;
    step.now_ms = take.now_ms;
    step.done = stepped;
    fan->store->step(fan->store->engine, &step);
    assert(step.result == RESULT_OK);
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void *run_fan(void *argument) {
    struct fan *fan = argument;
    struct user_id user = {.length = 8, .text = "u1234567"};
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(fan->barrier);
        int64_t start = now_ns();
        for (int i = 0; i < BURST; i++)
            take_and_release(fan, &user);
        fan->ns[round] = (double)(now_ns() - start) / BURST;
        pthread_barrier_wait(fan->barrier);
    }
    return NULL;
}

/* What the writer and the ticker do, between the bursts: the records go to the disk, the answers to the ledger. */
static void settle(struct hold_store *store) {
    static struct kept_answer answers[1024];
    enum result result = memory_store_sync(store);
    assert(result == RESULT_OK);
    for (uint32_t count; (count = memory_store_pending_answers(store, answers, 1024)) > 0;)
        memory_store_answers_kept(store, answers, count, true);
    result = memory_store_sync(store);
    assert(result == RESULT_OK);
}

static int compare(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void report(const char *name, struct fan *fans, int threads) {
    static double all[MOST_THREADS * ROUNDS];
    long long refused = 0;
    for (int i = 0; i < threads; i++) {
        memcpy(all + i * ROUNDS, fans[i].ns, sizeof fans[i].ns);
        refused += fans[i].refused;
    }
    size_t count = (size_t)threads * ROUNDS;
    qsort(all, count, sizeof *all, compare);
    printf("{\"bench\":\"hold_store\",\"name\":\"%s\",\"threads\":%d,\"ns_per_take_and_release\":"
           "{\"p10\":%.0f,\"p50\":%.0f,\"p90\":%.0f},\"refused\":%lld}\n",
           name, threads, all[count / 10], all[count / 2], all[count * 9 / 10], refused);
    fflush(stdout);
}

static void measure(const char *name, struct show *show, const char *folder, bool keyed, int threads) {
    struct memory_store_settings settings = {.folder = folder};
    struct hold_store store;
    struct memory_recovery recovery;
    char detail[1024];
    if (memory_store_open(&settings, &store, detail, sizeof detail) != RESULT_OK ||
        memory_store_recover(&store, show, 0, &recovery) != RESULT_OK) {
        fprintf(stderr, "hold_store_bench: %s\n", detail);
        exit(1);
    }
    memory_store_end_recovery(&store);
    static struct fan fans[MOST_THREADS];
    pthread_t handles[MOST_THREADS];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
    for (int i = 0; i < threads; i++) {
        fans[i] = (struct fan){.show = show,
                               .store = &store,
                               .barrier = &barrier,
                               .keyed = keyed,
                               .chance = UINT64_C(88172645463325252) + (uint64_t)i * 7777};
        int error = pthread_create(&handles[i], NULL, run_fan, &fans[i]);
        assert(!error);
    }
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        settle(&store);
    }
    for (int i = 0; i < threads; i++)
        pthread_join(handles[i], NULL);
    pthread_barrier_destroy(&barrier);
    report(name, fans, threads);
    memory_store_close(&store);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static struct plan *stadium(void) {
    static const char text[] = "{\"sections\":[{\"name\":\"North\",\"rows\":250,\"seats_per_row\":200,"
                               "\"category\":\"Standard\"}]}";
    char pointer[64], detail[256];
    json_t *document = json_loads(text, 0, NULL);
    struct plan *plan = NULL;
    enum result result = plan_read(document, &plan, pointer, sizeof pointer, detail, sizeof detail);
    assert(result == RESULT_OK && plan->seat_count == SEATS);
    json_decref(document);
    return plan;
}

int main(int count, char **arguments) {
    char folder[] = "/tmp/onsale-hold-store-bench-XXXXXX";
    char *parent = count > 1 ? arguments[1] : mkdtemp(folder);
    assert(parent);
    hash_set_up();
    struct plan *plan = stadium();
    static const struct id show_id = {{1}};
    struct show_settings settings = {.hold_seconds = 600, .grace_seconds = 60, .payment_attempts = 1};
    struct show *show = show_new(&show_id, plan, &settings, 1);
    assert(show);
    for (int threads = 1; threads <= MOST_THREADS; threads++) {
        measure("no_journal", show, NULL, false, threads);
        measure("journal", show, parent, false, threads);
        measure("journal_and_answer", show, parent, true, threads);
    }
    show_free(show);
    plan_free(plan);
    if (count <= 1)
        nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}
