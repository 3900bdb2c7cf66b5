/* The window is a table of parcels, each an event on its way. A parcel moves
 *
 *     FREE → SENT (the post has it) → ANSWERED (its outcome is known) → SETTLING (the ledger has the outcome) → FREE
 *
 * and stays until its outcome is written, so that an event is in the table whenever a reader could still see it as due:
 * it is never sent twice at once. Post and ledger answer by envelopes; all else is this thread's alone.
 *
 * What can go wrong: the endpoint, which costs its own events time; the ledger, which is failed for good then: outcomes
 * stay where they are, and what they were about is delivered again after the restart.
 */
#include "runtime/courier.h"
#include "api/event_id.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "base/random.h"
#include "runtime/bell.h"
#include "runtime/event_letter.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOK_MS 1000   /* the outbox is looked at without being asked: for what has become due */
#define TOTALS_MS 5000 /* … and counted */
#define FIRST_WAIT_MS 5000
#define LONGEST_WAIT_MS 3600000
#define PATIENCE_MS 86400000 /* from the event's time */
#define STOP_MS 1000         /* for what is under way at the end */
#define COMPLAINT_MS 60000
#define HEADER_BYTES 2048
#define STATUS_GONE 410

enum parcel_state { PARCEL_FREE, PARCEL_SENT, PARCEL_ANSWERED, PARCEL_SETTLING };

struct parcel {
    enum parcel_state state;
    struct courier *courier;
    struct webhook_message message;
    struct envelope envelope; /* from the post */
    struct buffer headers, body;
    char event_id[EVENT_ID_BYTES];
    char type[64];
    char booking[ID_UUID_TEXT + 1]; /* that it is about; "": about none */
    int64_t at_ms;
    uint32_t attempts; /* that had failed before this one */
    struct outbox_outcome outcome;
};

struct courier {
    /* set once */
    struct courier_settings with;
    struct signing_keys keys;
    struct ledger_reader *reader;
    pthread_t thread;

    struct bell bell;
    struct mailbox mailbox;
    atomic_bool stopping;
    atomic_bool filled; /* the outbox has something new */

    /* owned by the thread */
    struct parcel parcels[LIMIT_WEBHOOK_WINDOW];
    unsigned free_parcels;
    bool has_more; /* there was more that is due than the last look could take */
    int64_t look_ms, totals_ms;
    int64_t complained_ms, complaints_left_out;

    /* the ledger's while `settling` */
    bool settling;
    struct ledger_command command;
    struct envelope command_envelope;
    struct outbox_outcome outcomes[LIMIT_WEBHOOK_WINDOW];
    int64_t settle_ms; /* not before: the ledger had no room */
};

/* ---- what became of an attempt ---- */

/* At most one line a minute, whatever happens to the endpoint. */
static void complain(struct courier *courier, const struct parcel *parcel, int64_t now_ms) {
    if (courier->complained_ms && now_ms - courier->complained_ms < COMPLAINT_MS) {
        courier->complaints_left_out++;
        return;
    }
    log_warn("a webhook was not taken; it is tried again", LOG_STRING("event_id", parcel->event_id),
             LOG_STRING("type", parcel->type), LOG_STRING("why", parcel->outcome.why),
             LOG_INT("attempts", parcel->attempts + 1), LOG_INT("left_out", courier->complaints_left_out));
    courier->complained_ms = now_ms;
    courier->complaints_left_out = 0;
}

/* Exponential backoff with full jitter: whoever failed together does not come back together. */
static int64_t wait_after(uint32_t failures) {
    int64_t most_ms = FIRST_WAIT_MS;
    for (uint32_t i = 1; i < failures && most_ms < LONGEST_WAIT_MS; i++)
        most_ms *= 2;
    if (most_ms > LONGEST_WAIT_MS)
        most_ms = LONGEST_WAIT_MS;
    return 1 + (int64_t)(random_u64() % (uint64_t)most_ms);
}

static void put_off(struct parcel *parcel, const char *why, bool for_good) {
    struct outbox_outcome *outcome = &parcel->outcome;
    int64_t now_ms = clock_now_ms(), end_ms = parcel->at_ms + PATIENCE_MS;
    snprintf(outcome->why, sizeof outcome->why, "%s", why);
    outcome->dead = for_good || now_ms >= end_ms;
    outcome->next_ms = now_ms + wait_after(parcel->attempts + 1);
    if (outcome->next_ms > end_ms && !outcome->dead)
        outcome->next_ms = end_ms; /* once more */
    metric_add(METRIC_WEBHOOKS_FAILED, 1);
    if (!outcome->dead)
        complain(parcel->courier, parcel, now_ms);
}

static void parcel_answered(struct envelope *envelope, void *receiver) {
    (void)receiver;
    struct parcel *parcel = CONTAINER_OF(envelope, struct parcel, envelope);
    assert(parcel->state == PARCEL_SENT);
    parcel->state = PARCEL_ANSWERED;
    parcel->outcome.delivered = webhook_was_taken(&parcel->message);
    if (!parcel->outcome.delivered)
        put_off(parcel, parcel->message.why, parcel->message.status == STATUS_GONE);
}

static void message_done(struct webhook_message *message) {
    struct parcel *parcel = message->context;
    mailbox_send(&parcel->courier->mailbox, &parcel->envelope);
}

/* ---- writing it down ---- */

/* Not inlined: in a sanitizer build gcc 12 then takes the texts for empty ones, and warns. */
__attribute__((noinline)) static void say_settled(const struct parcel *parcel) {
    if (parcel->outcome.delivered) {
        metric_add(METRIC_WEBHOOKS_DELIVERED, 1);
        return;
    }
    if (!parcel->outcome.dead)
        return;
    log_error("a webhook was given up; the operator can have it tried again", LOG_STRING("event_id", parcel->event_id),
              LOG_STRING("type", parcel->type), LOG_STRING("why", parcel->outcome.why),
              LOG_INT("attempts", parcel->attempts + 1));
}

static void outcomes_written(struct envelope *envelope, void *receiver) {
    (void)envelope;
    struct courier *courier = receiver;
    bool written = courier->command.result == RESULT_OK;
    courier->settling = false;
    if (!written)
        courier->settle_ms = clock_now_ms() + LOOK_MS;
    for (unsigned i = 0; i < LIMIT_WEBHOOK_WINDOW; i++) {
        struct parcel *parcel = &courier->parcels[i];
        if (parcel->state != PARCEL_SETTLING)
            continue;
        parcel->state = written ? PARCEL_FREE : PARCEL_ANSWERED;
        if (!written)
            continue;
        courier->free_parcels++;
        courier->totals_ms = parcel->outcome.dead ? 0 : courier->totals_ms;
        say_settled(parcel);
    }
}

static void command_done(struct ledger_command *command) {
    struct courier *courier = command->context;
    mailbox_send(&courier->mailbox, &courier->command_envelope);
}

/* All outcomes that are known go into one command. */
static void settle(struct courier *courier, int64_t now_ms) {
    struct ledger *ledger = courier->with.ledger;
    uint32_t count = 0;
    if (courier->settling || now_ms < courier->settle_ms)
        return;
    for (unsigned i = 0; i < LIMIT_WEBHOOK_WINDOW; i++)
        if (courier->parcels[i].state == PARCEL_ANSWERED)
            courier->outcomes[count++] = courier->parcels[i].outcome;
    if (count == 0)
        return;
    courier->command = (struct ledger_command){.kind = LEDGER_SETTLE_OUTBOX, .context = courier, .done = command_done};
    courier->command.outbox.count = count;
    courier->command.outbox.outcomes = courier->outcomes;
    courier->command.outbox.now_ms = now_ms;
    courier->settling = ledger->submit(ledger->engine, &courier->command);
    if (!courier->settling) {
        courier->settle_ms = now_ms + LOOK_MS;
        return;
    }
    for (unsigned i = 0; i < LIMIT_WEBHOOK_WINDOW; i++)
        if (courier->parcels[i].state == PARCEL_ANSWERED)
            courier->parcels[i].state = PARCEL_SETTLING;
}

/* ---- sending ---- */

static bool is_under_way(const struct courier *courier, uint64_t number) {
    for (unsigned i = 0; i < LIMIT_WEBHOOK_WINDOW; i++)
        if (courier->parcels[i].state != PARCEL_FREE && courier->parcels[i].outcome.number == number)
            return true;
    return false;
}

/* So that who reports a booking's sale and then its refund is not overtaken by itself. */
static bool booking_is_under_way(const struct courier *courier, struct bytes subject) {
    for (unsigned i = 0; i < LIMIT_WEBHOOK_WINDOW; i++)
        if (courier->parcels[i].state != PARCEL_FREE && bytes_equal(bytes_of(courier->parcels[i].booking), subject))
            return true;
    return false;
}

static struct parcel *free_parcel(struct courier *courier) {
    for (unsigned i = 0; i < LIMIT_WEBHOOK_WINDOW; i++)
        if (courier->parcels[i].state == PARCEL_FREE)
            return &courier->parcels[i];
    impossible("no parcel is free, and free_parcels says otherwise");
}

static void send_event(struct courier *courier, const struct outbox_event *event, bool about_booking) {
    struct parcel *parcel = free_parcel(courier);
    int64_t now_ms = clock_now_ms();
    courier->free_parcels--;
    parcel->outcome = (struct outbox_outcome){.number = event->number};
    parcel->at_ms = event->at_ms;
    parcel->attempts = event->attempts;
    snprintf(parcel->type, sizeof parcel->type, "%.*s", (int)event->type.length, event->type.at);
    snprintf(parcel->booking, sizeof parcel->booking, "%.*s", about_booking ? (int)event->subject.length : 0,
             event->subject.at);
    event_id_format(courier->with.ledger, event, parcel->event_id);
    buffer_clear(&parcel->body);
    buffer_clear(&parcel->headers);
    letter_write_body(event, parcel->event_id, courier->with.ledger->installation, &parcel->body);
    letter_write_headers(parcel->event_id, buffer_bytes(&parcel->body), &courier->keys, now_ms, &parcel->headers);
    if (!buffer_ok(&parcel->body) || !buffer_ok(&parcel->headers)) {
        parcel->state = PARCEL_ANSWERED;
        put_off(parcel, "too long to be sent, or memory ran out", false);
        return;
    }
    parcel->state = PARCEL_SENT;
    parcel->message = (struct webhook_message){.url = courier->with.url,
                                               .headers = buffer_bytes(&parcel->headers),
                                               .body = buffer_bytes(&parcel->body),
                                               .context = parcel,
                                               .done = message_done};
    courier->with.post.send(courier->with.post.engine, &parcel->message);
}

static bool take_event(void *context, const struct outbox_event *event) {
    struct courier *courier = context;
    if (is_under_way(courier, event->number))
        return true;
    bool about_booking = bytes_start_with(event->type, BYTES("booking."));
    if (courier->free_parcels == 0 || (about_booking && booking_is_under_way(courier, event->subject)))
        courier->has_more = true;
    else
        send_event(courier, event, about_booking);
    return courier->free_parcels > 0;
}

/* Twice the window is read: as many as the window are there already. */
static void look(struct courier *courier, int64_t now_ms) {
    struct ledger *ledger = courier->with.ledger;
    courier->look_ms = now_ms + LOOK_MS;
    courier->has_more = false;
    enum result result =
        ledger->read_outbox(courier->reader, false, 0, now_ms, 2 * LIMIT_WEBHOOK_WINDOW, take_event, courier);
    courier->has_more = courier->has_more || courier->free_parcels == 0;
    if (result != RESULT_OK)
        log_error("the outbox cannot be read", LOG_STRING("result", result_name(result)));
}

static void read_totals(struct courier *courier, int64_t now_ms) {
    struct ledger *ledger = courier->with.ledger;
    int64_t waiting, dead, oldest_ms;
    courier->totals_ms = now_ms + TOTALS_MS;
    if (ledger->read_outbox_totals(courier->reader, &waiting, &dead, &oldest_ms) != RESULT_OK)
        return;
    metric_set(METRIC_WEBHOOKS_WAITING, waiting);
    metric_set(METRIC_WEBHOOKS_DEAD, dead);
}

/* ---- the thread ---- */

static void turn(struct courier *courier) {
    unsigned free_before = courier->free_parcels;
    mailbox_open_all(&courier->mailbox, courier);
    bool freed = courier->free_parcels > free_before;
    int64_t now_ms = clock_now_ms();
    settle(courier, now_ms);
    bool asked = atomic_exchange(&courier->filled, false) || (courier->has_more && freed) || now_ms >= courier->look_ms;
    if (asked && courier->free_parcels > 0)
        look(courier, now_ms);
    else if (asked)
        courier->has_more = true;
    if (now_ms >= courier->totals_ms)
        read_totals(courier, now_ms);
}

static unsigned parcels_in(const struct courier *courier, enum parcel_state state) {
    unsigned n = 0;
    for (unsigned i = 0; i < LIMIT_WEBHOOK_WINDOW; i++)
        n += courier->parcels[i].state == state;
    return n;
}

/* What is known by then is submitted, and written before the ledger closes. */
static void finish(struct courier *courier) {
    int64_t end_ms = clock_now_ms() + STOP_MS, now_ms;
    while ((now_ms = clock_now_ms()) < end_ms) {
        mailbox_open_all(&courier->mailbox, courier);
        settle(courier, now_ms);
        if (parcels_in(courier, PARCEL_SENT) == 0 && parcels_in(courier, PARCEL_ANSWERED) == 0)
            break;
        bell_wait(&courier->bell, (int)(end_ms - now_ms));
    }
}

static void *work(void *context) {
    struct courier *courier = context;
    while (!atomic_load(&courier->stopping)) {
        turn(courier);
        bell_wait(&courier->bell, LOOK_MS);
    }
    finish(courier);
    return NULL;
}

static void outbox_filled(void *context) {
    struct courier *courier = context;
    atomic_store(&courier->filled, true);
    bell_ring(&courier->bell);
}

/* ---- start and stop ---- */

enum result courier_check_secrets(const char *secrets) {
    struct signing_keys keys;
    enum result result = signing_keys_read(bytes_of(secrets), &keys);
    if (result == RESULT_OK)
        signing_keys_wipe(&keys);
    return result;
}

static void set_up(struct courier *courier, const struct courier_settings *settings) {
    courier->with = *settings;
    courier->with.secrets = NULL;
    courier->free_parcels = LIMIT_WEBHOOK_WINDOW;
    courier->command_envelope.open = outcomes_written;
    mailbox_init(&courier->mailbox, bell_ring, &courier->bell);
    for (unsigned i = 0; i < LIMIT_WEBHOOK_WINDOW; i++) {
        struct parcel *parcel = &courier->parcels[i];
        parcel->courier = courier;
        parcel->envelope.open = parcel_answered;
        buffer_init(&parcel->headers, HEADER_BYTES);
        buffer_init(&parcel->body, LIMIT_WEBHOOK_BYTES);
    }
}

enum result courier_start(const struct courier_settings *settings, struct courier **courier) {
    struct ledger *ledger = settings->ledger;
    struct courier *made = calloc(1, sizeof *made);
    if (!made)
        return RESULT_OVERLOADED;
    set_up(made, settings);
    enum result result = signing_keys_read(bytes_of(settings->secrets), &made->keys);
    if (result == RESULT_OK)
        result = ledger->reader_new(ledger->engine, &made->reader);
    if (result != RESULT_OK)
        goto no_reader;
    result = bell_init(&made->bell);
    if (result != RESULT_OK)
        goto no_bell;
    ledger->outbox_context = made;
    ledger->outbox_filled = outbox_filled;
    if (pthread_create(&made->thread, NULL, work, made)) {
        result = RESULT_OVERLOADED;
        goto no_thread;
    }
    pthread_setname_np(made->thread, "courier");
    *courier = made;
    return RESULT_OK;

no_thread:
    ledger->outbox_filled = NULL;
    bell_release(&made->bell);
no_bell:
    ledger->reader_free(made->reader);
no_reader:
    signing_keys_wipe(&made->keys);
    free(made);
    return result;
}

void courier_stop(struct courier *courier) {
    if (!courier)
        return;
    atomic_store(&courier->stopping, true);
    bell_ring(&courier->bell);
    pthread_join(courier->thread, NULL);
    courier->with.post.free(courier->with.post.engine);
    courier->with.ledger->reader_free(courier->reader);
}

void courier_free(struct courier *courier) {
    if (!courier)
        return;
    for (unsigned i = 0; i < LIMIT_WEBHOOK_WINDOW; i++) {
        buffer_release(&courier->parcels[i].headers);
        buffer_release(&courier->parcels[i].body);
    }
    bell_release(&courier->bell);
    signing_keys_wipe(&courier->keys);
    free(courier);
}
