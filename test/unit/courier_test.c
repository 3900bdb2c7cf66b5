/* The courier between a ledger and a post of the test's own: the ledger keeps an outbox in memory and commits on a
 * thread of its own; the post answers when, and what, the test says. */
#include "runtime/courier.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EVENTS 400
#define MINUTE_MS 60000
#define DAY_MS 86400000LL
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OTHER_SECRET "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

/* ---- a ledger ---- */

struct row {
    struct outbox_event event;
    bool is_there;
    char subject[64], why[120];
};

struct world {
    struct ledger ledger;
    struct courier *courier;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct row rows[EVENTS];
    uint32_t row_count;
    bool hurry; /* every event is due, whatever its next time: the test does not wait for it */
    bool full;  /* takes no commands */
    bool fails; /* takes them, and cannot write them */
    struct ledger_command *commands;
    unsigned settled; /* commands */
    bool closing;
    pthread_t thread;

    /* the post */
    struct webhook_message *under_way[2 * LIMIT_WEBHOOK_WINDOW];
    unsigned under_way_count, most_under_way;
    unsigned sent[EVENTS + 1]; /* by number */
    bool is_out[EVENTS + 1];
    bool freed;
};

static void apply(struct world *world, const struct outbox_outcome *outcome) {
    struct row *row = &world->rows[outcome->number - 1];
    if (!row->is_there)
        return;
    row->is_there = !outcome->delivered;
    row->event.attempts++;
    row->event.dead = outcome->dead;
    row->event.next_ms = outcome->next_ms;
    snprintf(row->why, sizeof row->why, "%s", outcome->why);
}

static void *commit_all(void *context) {
    struct world *world = context;
    pthread_mutex_lock(&world->lock);
    while (!world->closing || world->commands) {
        struct ledger_command *command = world->commands;
        if (!command) {
            pthread_cond_wait(&world->changed, &world->lock);
            continue;
        }
        world->commands = command->next;
        for (uint32_t i = 0; i < command->outbox.count && !world->fails; i++)
            apply(world, &command->outbox.outcomes[i]);
        world->settled++;
        command->result = world->fails ? RESULT_LEDGER_UNAVAILABLE : RESULT_OK;
        bool hurry = world->hurry;
        pthread_cond_broadcast(&world->changed);
        pthread_mutex_unlock(&world->lock);
        command->done(command);
        if (hurry)
            world->ledger.outbox_filled(world->ledger.outbox_context);
        pthread_mutex_lock(&world->lock);
    }
    pthread_mutex_unlock(&world->lock);
    return NULL;
}

static bool ledger_submit(void *engine, struct ledger_command *command) {
    struct world *world = engine;
    assert_int_equal(command->kind, LEDGER_SETTLE_OUTBOX);
    pthread_mutex_lock(&world->lock);
    bool taken = !world->full;
    if (taken) {
        assert_null(world->commands); /* the courier has one command */
        command->next = NULL;
        world->commands = command;
    }
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->lock);
    return taken;
}

static enum result ledger_reader_new(void *engine, struct ledger_reader **reader) {
    *reader = engine;
    return RESULT_OK;
}

static void ledger_reader_free(struct ledger_reader *reader) {
    (void)reader;
}

static enum result ledger_read_outbox(struct ledger_reader *reader, bool dead, uint64_t after, int64_t due_ms,
                                      uint32_t limit, bool (*take)(void *context, const struct outbox_event *event),
                                      void *context) {
    struct world *world = (void *)reader;
    static struct outbox_event found[EVENTS];
    uint32_t count = 0;
    pthread_mutex_lock(&world->lock);
    for (uint32_t i = (uint32_t)after; i < world->row_count && count < limit; i++) {
        const struct row *row = &world->rows[i];
        if (row->is_there && row->event.dead == dead && (dead || world->hurry || row->event.next_ms <= due_ms))
            found[count++] = row->event;
    }
    pthread_mutex_unlock(&world->lock);
    for (uint32_t i = 0; i < count && take(context, &found[i]); i++)
        continue;
    return RESULT_OK;
}

static enum result ledger_read_totals(struct ledger_reader *reader, int64_t *waiting, int64_t *dead,
                                      int64_t *oldest_ms) {
    struct world *world = (void *)reader;
    *waiting = *dead = *oldest_ms = 0;
    pthread_mutex_lock(&world->lock);
    for (uint32_t i = 0; i < world->row_count; i++) {
        *waiting += world->rows[i].is_there && !world->rows[i].event.dead;
        *dead += world->rows[i].is_there && world->rows[i].event.dead;
    }
    pthread_mutex_unlock(&world->lock);
    return RESULT_OK;
}

/* ---- a post ---- */

static uint64_t number_of(const struct webhook_message *message) {
    const char *at = memmem(message->headers.at, message->headers.length, "webhook-id: evt_", 16);
    assert_non_null(at);
    return strtoul(at + 16 + 13, NULL, 10);
}

static void post_send(void *engine, struct webhook_message *message) {
    struct world *world = engine;
    uint64_t number = number_of(message);
    pthread_mutex_lock(&world->lock);
    assert_false(world->is_out[number]);
    world->is_out[number] = true;
    world->sent[number]++;
    world->under_way[world->under_way_count++] = message;
    if (world->under_way_count > world->most_under_way)
        world->most_under_way = world->under_way_count;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->lock);
}

/* Answers the i-th of those under way. */
static void answer_at(struct world *world, unsigned i, unsigned status, const char *why) {
    pthread_mutex_lock(&world->lock);
    assert_true(i < world->under_way_count);
    struct webhook_message *message = world->under_way[i];
    memmove(&world->under_way[i], &world->under_way[i + 1],
            (world->under_way_count - i - 1) * sizeof world->under_way[0]);
    world->under_way_count--;
    world->is_out[number_of(message)] = false;
    pthread_mutex_unlock(&world->lock);
    message->status = status;
    snprintf(message->why, sizeof message->why, "%s", why);
    message->done(message);
}

static void post_free(void *engine) {
    struct world *world = engine;
    while (world->under_way_count)
        answer_at(world, 0, 0, "given up: stopping");
    world->freed = true;
}

/* ---- the world ---- */

static struct world *world_new(void) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    pthread_mutex_init(&world->lock, NULL);
    pthread_cond_init(&world->changed, NULL);
    world->ledger = (struct ledger){.engine = world,
                                    .submit = ledger_submit,
                                    .installation = "0b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
                                    .reader_new = ledger_reader_new,
                                    .reader_free = ledger_reader_free,
                                    .read_outbox = ledger_read_outbox,
                                    .read_outbox_totals = ledger_read_totals};
    assert_int_equal(pthread_create(&world->thread, NULL, commit_all, world), 0);
    return world;
}

static void world_start(struct world *world) {
    struct courier_settings settings = {.ledger = &world->ledger,
                                        .url = "https://example.com/hook",
                                        .secrets = SECRET " " OTHER_SECRET,
                                        .post = {world, post_send, post_free}};
    assert_int_equal(courier_start(&settings, &world->courier), RESULT_OK);
}

static void world_end(struct world *world) {
    courier_stop(world->courier);
    assert_true(world->freed);
    pthread_mutex_lock(&world->lock);
    world->closing = true;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->lock);
    pthread_join(world->thread, NULL);
    courier_free(world->courier);
    free(world);
}

/* Puts an event into the outbox; about a booking where `subject` begins with b. */
static struct row *add(struct world *world, const char *subject, int64_t at_ms) {
    pthread_mutex_lock(&world->lock);
    assert_true(world->row_count < EVENTS);
    struct row *row = &world->rows[world->row_count++];
    snprintf(row->subject, sizeof row->subject, "%s", subject);
    row->is_there = true;
    row->event = (struct outbox_event){.number = world->row_count,
                                       .type = subject[0] == 'b' ? BYTES("booking.confirmed") : BYTES("seats.released"),
                                       .subject = bytes_of(row->subject),
                                       .at_ms = at_ms,
                                       .data = BYTES("{\"seat_ids\":[\"A1\"]}"),
                                       .next_ms = at_ms};
    pthread_mutex_unlock(&world->lock);
    if (world->courier)
        world->ledger.outbox_filled(world->ledger.outbox_context);
    return row;
}

static void add_many(struct world *world, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        char subject[64];
        snprintf(subject, sizeof subject, "b%032u", i);
        add(world, subject, clock_now_ms());
    }
}

static unsigned under_way(struct world *world) {
    pthread_mutex_lock(&world->lock);
    unsigned count = world->under_way_count;
    pthread_mutex_unlock(&world->lock);
    return count;
}

static void wait_for_under_way(struct world *world, unsigned count) {
    for (int i = 0; i < MINUTE_MS && under_way(world) != count; i++)
        usleep(1000);
    assert_int_equal(under_way(world), count);
}

static void wait_for_some(struct world *world, unsigned least) {
    for (int i = 0; i < MINUTE_MS && under_way(world) < least; i++)
        usleep(1000);
    assert_true(under_way(world) >= least);
}

static unsigned left(struct world *world) {
    unsigned count = 0;
    pthread_mutex_lock(&world->lock);
    for (uint32_t i = 0; i < world->row_count; i++)
        count += world->rows[i].is_there && !world->rows[i].event.dead;
    pthread_mutex_unlock(&world->lock);
    return count;
}

static unsigned world_settled(struct world *world) {
    pthread_mutex_lock(&world->lock);
    unsigned settled = world->settled;
    pthread_mutex_unlock(&world->lock);
    return settled;
}

static void wait_for_left(struct world *world, unsigned count) {
    for (int i = 0; i < MINUTE_MS && left(world) != count; i++)
        usleep(1000);
    assert_int_equal(left(world), count);
}

static void wait_for_attempts(struct world *world, const struct row *row, uint32_t attempts) {
    for (int i = 0; i < MINUTE_MS; i++) {
        pthread_mutex_lock(&world->lock);
        uint32_t now = row->event.attempts;
        pthread_mutex_unlock(&world->lock);
        if (now >= attempts)
            break;
        usleep(1000);
    }
    assert_int_equal(row->event.attempts, attempts);
}

/* ---- delivery ---- */

static void what_is_not_taken_comes_again_with_the_same_id(void **state) {
    /* Red if a refused event is lost, gets another id, or its failures are not written down. */
    (void)state;
    struct world *world = world_new();
    world->hurry = true;
    world_start(world);
    struct row *row = add(world, "b1", clock_now_ms());
    for (uint32_t i = 0; i < 3; i++) {
        wait_for_under_way(world, 1);
        int64_t before_ms = clock_now_ms();
        answer_at(world, 0, 503, "503");
        wait_for_attempts(world, row, i + 1);
        assert_string_equal(row->why, "503");
        assert_true(row->event.next_ms > before_ms && row->event.next_ms <= clock_now_ms() + (5000 << i));
    }
    wait_for_under_way(world, 1);
    assert_int_equal(world->sent[1], 4);
    answer_at(world, 0, 200, "");
    wait_for_left(world, 0);
    world_end(world);
}

static void a_wait_grows_to_an_hour_and_no_further(void **state) {
    /* Red if the wait does not double, is not random from nothing on, or outgrows its hour: the longest of 60 waits
     * after the 20th failure is beyond half an hour, unless chance is not chance (one in 2^60). */
    (void)state;
    struct world *world = world_new();
    for (unsigned i = 0; i < 60; i++) {
        struct row *row = add(world, "show", clock_now_ms());
        row->event.attempts = 19;
    }
    world_start(world);
    int64_t longest_ms = 0, shortest_ms = INT64_MAX;
    for (unsigned i = 0; i < 60; i++) {
        wait_for_some(world, 1);
        answer_at(world, 0, 0, "timed out");
    }
    for (unsigned i = 0; i < 60; i++) {
        wait_for_attempts(world, &world->rows[i], 20);
        int64_t wait_ms = world->rows[i].event.next_ms - clock_now_ms();
        assert_true(wait_ms <= 3600000);
        longest_ms = wait_ms > longest_ms ? wait_ms : longest_ms;
        shortest_ms = wait_ms < shortest_ms ? wait_ms : shortest_ms;
    }
    assert_true(longest_ms > 1800000 && shortest_ms < 1800000);
    world_end(world);
}

static void after_a_day_it_is_given_up_and_kept(void **state) {
    /* Red if an event is tried for ever, is given up before a day has passed, is dropped, or is not counted. */
    (void)state;
    struct world *world = world_new();
    struct row *old = add(world, "b1", clock_now_ms() - DAY_MS - 1);
    struct row *nearly = add(world, "b2", clock_now_ms() - DAY_MS + MINUTE_MS);
    nearly->event.attempts = 30;
    world_start(world);
    wait_for_under_way(world, 2);
    answer_at(world, 0, 500, "500");
    answer_at(world, 0, 500, "500");
    wait_for_attempts(world, old, 1);
    wait_for_attempts(world, nearly, 31);
    assert_true(old->is_there && old->event.dead);
    assert_true(nearly->is_there && !nearly->event.dead);
    assert_true(nearly->event.next_ms <= nearly->event.at_ms + DAY_MS);
    for (int i = 0; i < MINUTE_MS && metric_value(METRIC_WEBHOOKS_DEAD) != 1; i++)
        usleep(1000);
    assert_int_equal(metric_value(METRIC_WEBHOOKS_DEAD), 1);
    assert_int_equal(metric_value(METRIC_WEBHOOKS_WAITING), 1);
    world_end(world);
}

static void what_is_gone_is_given_up_at_once(void **state) {
    /* Red if 410 Gone is tried again like any failure, or another refusal is given up. */
    (void)state;
    struct world *world = world_new();
    struct row *gone = add(world, "b1", clock_now_ms()), *refused = add(world, "b2", clock_now_ms());
    world_start(world);
    wait_for_under_way(world, 2);
    answer_at(world, 0, 410, "410");
    answer_at(world, 0, 404, "404");
    wait_for_attempts(world, gone, 1);
    wait_for_attempts(world, refused, 1);
    assert_true(gone->event.dead);
    assert_false(refused->event.dead);
    world_end(world);
}

static void one_that_is_stuck_holds_up_nobody(void **state) {
    /* Red if events wait for one that gets no answer. */
    (void)state;
    struct world *world = world_new();
    add_many(world, 200);
    world_start(world);
    wait_for_some(world, 1);
    uint64_t stuck = number_of(world->under_way[0]);
    for (unsigned i = 0; i < 199; i++) {
        wait_for_some(world, 2);
        answer_at(world, 1, 204, "");
    }
    wait_for_left(world, 1);
    assert_true(world->is_out[stuck] && world->rows[stuck - 1].is_there);
    world_end(world);
}

static void only_so_many_are_under_way(void **state) {
    /* Red if the whole outbox is sent at once. */
    (void)state;
    struct world *world = world_new();
    add_many(world, 200);
    world_start(world);
    wait_for_under_way(world, LIMIT_WEBHOOK_WINDOW);
    for (unsigned i = 0; i < 200; i++) {
        wait_for_some(world, 1);
        answer_at(world, 0, 204, "");
    }
    wait_for_left(world, 0);
    assert_int_equal(world->most_under_way, LIMIT_WEBHOOK_WINDOW);
    world_end(world);
}

static void events_about_one_booking_follow_each_other(void **state) {
    /* Red if a booking's refund can overtake its sale on the way; or if events about a show wait for each other. */
    (void)state;
    const char *const booking = "b0190163d86947390aea5966c26f80ad0";
    struct world *world = world_new();
    for (int i = 0; i < 3; i++)
        add(world, booking, clock_now_ms());
    for (int i = 0; i < 3; i++)
        add(world, "0190163d-8694-739b-aea5-966c26f8ad00", clock_now_ms());
    world_start(world);
    for (uint64_t i = 1; i <= 3; i++) {
        wait_for_under_way(world, 4); /* one of the booking's, three of the show's */
        unsigned at = 0;
        while (number_of(world->under_way[at]) > 3)
            at++;
        assert_int_equal(number_of(world->under_way[at]), i);
        if (i == 3)
            break;
        answer_at(world, at, 200, "");
    }
    while (under_way(world))
        answer_at(world, 0, 200, "");
    wait_for_left(world, 0);
    world_end(world);
}

static void what_the_ledger_has_no_room_for_is_written_later(void **state) {
    /* Red if an outcome is dropped when the ledger is full, or its event is sent again meanwhile (post_send checks). */
    (void)state;
    struct world *world = world_new();
    world->full = true;
    world->hurry = true;
    add_many(world, 40);
    world_start(world);
    wait_for_under_way(world, LIMIT_WEBHOOK_WINDOW);
    while (under_way(world))
        answer_at(world, 0, 200, "");
    world->ledger.outbox_filled(world->ledger.outbox_context);
    usleep(50000);
    assert_int_equal(under_way(world), 0);
    assert_int_equal(left(world), 40);
    pthread_mutex_lock(&world->lock);
    world->full = false;
    pthread_mutex_unlock(&world->lock);
    wait_for_under_way(world, 8);
    for (unsigned i = 1; i <= 40; i++)
        assert_int_equal(world->sent[i], 1);
    while (under_way(world))
        answer_at(world, 0, 200, "");
    wait_for_left(world, 0);
    world_end(world);
}

static void what_the_ledger_cannot_write_is_not_sent_again(void **state) {
    /* Red if an event whose outcome could not be written is taken for settled: it would be due again at once. */
    (void)state;
    struct world *world = world_new();
    world->fails = true;
    world->hurry = true;
    add_many(world, 2);
    world_start(world);
    wait_for_under_way(world, 2);
    answer_at(world, 0, 200, "");
    answer_at(world, 0, 200, "");
    for (int i = 0; i < MINUTE_MS && world_settled(world) == 0; i++)
        usleep(1000);
    usleep(50000);
    assert_int_equal(under_way(world), 0);
    pthread_mutex_lock(&world->lock);
    world->fails = false;
    pthread_mutex_unlock(&world->lock);
    wait_for_left(world, 0);
    assert_true(world->sent[1] == 1 && world->sent[2] == 1);
    world_end(world);
}

static void the_end_waits_for_no_answer_and_forgets_none(void **state) {
    /* Red if an unanswered event keeps the courier from ending or counts as failed, or an answer that came just before
     * the end is not written. */
    (void)state;
    struct world *world = world_new();
    struct row *stuck = add(world, "b1", clock_now_ms()), *taken = add(world, "b2", clock_now_ms());
    world_start(world);
    wait_for_under_way(world, 2);
    answer_at(world, number_of(world->under_way[0]) == 2 ? 0 : 1, 200, "");
    courier_stop(world->courier);
    pthread_mutex_lock(&world->lock);
    world->closing = true;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->lock);
    pthread_join(world->thread, NULL);
    courier_free(world->courier);
    assert_false(taken->is_there);
    assert_true(stuck->is_there && stuck->event.attempts == 0);
    free(world);
}

static void whatever_the_endpoint_does_each_event_arrives_or_is_dead(void **state) {
    /* Red if, among random answers, one is lost, or is under way twice (post_send checks). */
    (void)state;
    struct world *world = world_new();
    world->hurry = true;
    world_start(world);
    unsigned added = 0, gone = 0;
    while (added < 300 || left(world)) {
        if (added < 300 && random_u64() % 3 == 0) {
            char subject[64];
            snprintf(subject, sizeof subject, "b%032u", (unsigned)(random_u64() % 50));
            add(world, subject, clock_now_ms());
            added++;
        }
        unsigned count = under_way(world);
        if (!count) {
            usleep(100);
            continue;
        }
        unsigned roll = (unsigned)(random_u64() % 20);
        gone += roll == 0;
        answer_at(world, (unsigned)(random_u64() % count), roll == 0 ? 410 : roll < 8 ? 0 : 200, "");
    }
    unsigned dead = 0;
    for (unsigned i = 0; i < 300; i++) {
        assert_true(world->sent[i + 1] > 0);
        dead += world->rows[i].is_there;
    }
    assert_int_equal(dead, gone);
    world_end(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_taken_comes_again_with_the_same_id),
        cmocka_unit_test(a_wait_grows_to_an_hour_and_no_further),
        cmocka_unit_test(after_a_day_it_is_given_up_and_kept),
        cmocka_unit_test(what_is_gone_is_given_up_at_once),
        cmocka_unit_test(one_that_is_stuck_holds_up_nobody),
        cmocka_unit_test(only_so_many_are_under_way),
        cmocka_unit_test(events_about_one_booking_follow_each_other),
        cmocka_unit_test(what_the_ledger_has_no_room_for_is_written_later),
        cmocka_unit_test(what_the_ledger_cannot_write_is_not_sent_again),
        cmocka_unit_test(the_end_waits_for_no_answer_and_forgets_none),
        cmocka_unit_test(whatever_the_endpoint_does_each_event_arrives_or_is_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
