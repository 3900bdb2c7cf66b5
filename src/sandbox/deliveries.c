#include "sandbox/deliveries.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/panic.h"
#include "base/random.h"
#include "engines/webhook/webhook_sender.h"
#include "sandbox/sandbox_state.h"
#include "sandbox/webhook.h"

#include <stdlib.h>

#define FLIGHTS 16
#define HEADERS_BYTES 512
#define KEPT_BODY_BYTES (16 * 1024)
#define PROBE_MS 20 /* while the last one was not taken: fifty tries a second, whatever waits */

/* An event that is owed. */
struct delivery {
    struct deadline deadline; /* of the next try; in the heap while it is not under way */
    uint32_t index;           /* among the book's events */
    uint32_t failures;
};

/* A message under way, from here to the sender and back. */
struct flight {
    struct webhook_message message;
    struct envelope envelope;
    struct deliveries *deliveries;
    struct delivery *delivery; /* NULL: free */
    struct buffer headers, body;
};

struct deliveries {
    /* set once */
    struct sandbox *sandbox;
    char *url, *secret;
    struct webhook_sender *sender;

    struct deadlines waiting;
    uint32_t count;      /* taken up: waiting or under way */
    uint32_t next_index; /* of the book's first event that was not looked at yet */
    struct flight flights[FLIGHTS];
    bool failing;     /* the last one was not taken */
    int64_t probe_ms; /* then: none is begun before */
};

static void drop(struct deliveries *deliveries, struct delivery *delivery) {
    deliveries->count--;
    free(delivery);
}

static bool is_too_old(const struct deliveries *deliveries, const struct delivery *delivery) {
    const struct sandbox *sandbox = deliveries->sandbox;
    return sandbox_now_ms(sandbox) - sandbox->book.events[delivery->index].time_ms >= WEBHOOK_LIFE_MS;
}

/* Not owed any more, for good. The mark need not be synced: without it the event comes once more. */
static void mark_delivered(struct deliveries *deliveries, const struct delivery *delivery) {
    struct sandbox *sandbox = deliveries->sandbox;
    struct record record = {.head = {.time_ms = sandbox_now_ms(sandbox),
                                     .kind = RECORD_DELIVERED,
                                     .event = sandbox->book.events[delivery->index].number + 1}};
    buffer_clear(&sandbox->encoded);
    object_record_write(&sandbox->encoded, &record);
    if (!buffer_ok(&sandbox->encoded))
        return;
    uint64_t place = tape_append(sandbox->tape, buffer_bytes(&sandbox->encoded));
    if (book_apply(&sandbox->book, &record, place) != RESULT_OK)
        impossible("a mark asks for no memory");
}

static void try_again_later(struct deliveries *deliveries, struct delivery *delivery, const char *why) {
    if (!deliveries->failing)
        log_warn("the webhook is not taken; it is tried again", LOG_STRING("why", why));
    deliveries->failing = true;
    delivery->failures++;
    if (is_too_old(deliveries, delivery)) {
        log_warn("a webhook is given up after three days");
        drop(deliveries, delivery);
        return;
    }
    deadlines_set(&deliveries->waiting, &delivery->deadline,
                  clock_monotonic_us() / 1000 + webhook_wait_ms(delivery->failures, random_u64()));
}

/* On the reactor's thread: the sender is through with it. */
static void open_done(struct envelope *envelope, void *reactor) {
    (void)reactor;
    struct flight *flight = CONTAINER_OF(envelope, struct flight, envelope);
    struct deliveries *deliveries = flight->deliveries;
    if (deliveries->sandbox->closing)
        return;
    struct delivery *delivery = flight->delivery;
    flight->delivery = NULL;
    if (flight->body.capacity > KEPT_BODY_BYTES)
        buffer_release(&flight->body);
    if (flight->message.status / 100 == 2) {
        if (deliveries->failing)
            log_info("the webhook is taken again");
        deliveries->failing = false;
        mark_delivered(deliveries, delivery);
        drop(deliveries, delivery);
    } else {
        try_again_later(deliveries, delivery, flight->message.why);
    }
    deliveries_due(deliveries);
    sandbox_set_alarm(deliveries->sandbox);
}

static void done(struct webhook_message *message) {
    struct flight *flight = message->context;
    reactor_send(flight->deliveries->sandbox->reactor, &flight->envelope);
}

static bool write_message(struct flight *flight) {
    const struct deliveries *deliveries = flight->deliveries;
    struct sandbox *sandbox = deliveries->sandbox;
    struct record record;
    char signature[WEBHOOK_SIGNATURE_BYTES];
    if (!sandbox_read_record(sandbox, sandbox->book.events[flight->delivery->index].place, &record))
        return false;
    buffer_clear(&flight->body);
    buffer_clear(&flight->headers);
    struct json_writer writer = json_writer(&flight->body);
    render_event(&writer, &record);
    /* The receiver checks the stamp against its own clock, so it is the true time, whatever --clock-offset says. */
    webhook_sign(bytes_of(deliveries->secret), clock_now_ms() / 1000, buffer_bytes(&flight->body), signature);
    buffer_add_text(&flight->headers, "Content-Type: application/json; charset=utf-8\r\nUser-Agent: onsale-sandbox\r\n"
                                      "Stripe-Signature: ");
    buffer_add_text(&flight->headers, signature);
    buffer_add_text(&flight->headers, "\r\n");
    return buffer_ok(&flight->body) && buffer_ok(&flight->headers);
}

/* Begins one of the waiting. */
static void begin(struct deliveries *deliveries, struct flight *flight, struct delivery *delivery) {
    deadlines_set(&deliveries->waiting, &delivery->deadline, INT64_MAX);
    flight->delivery = delivery;
    if (!write_message(flight)) {
        flight->delivery = NULL;
        try_again_later(deliveries, delivery, "no memory, or it cannot be read from the tape");
        return;
    }
    flight->message = (struct webhook_message){.url = deliveries->url,
                                               .headers = buffer_bytes(&flight->headers),
                                               .body = buffer_bytes(&flight->body),
                                               .context = flight,
                                               .done = done};
    webhook_sender_send(deliveries->sender, &flight->message);
}

static void take_up(struct deliveries *deliveries) {
    struct sandbox *sandbox = deliveries->sandbox;
    const struct book *book = &sandbox->book;
    uint64_t synced_to = tape_synced_to(sandbox->tape);
    int64_t now_ms = clock_monotonic_us() / 1000;
    while (deliveries->next_index < book->event_count && book->events[deliveries->next_index].place < synced_to &&
           deliveries->count < LIMIT_SANDBOX_DELIVERIES) {
        struct delivery wanted = {.index = deliveries->next_index};
        if (book->events[wanted.index].owed && !is_too_old(deliveries, &wanted)) {
            struct delivery *delivery = malloc(sizeof *delivery);
            if (!delivery)
                return;
            *delivery = wanted;
            deliveries->count++;
            deadlines_set(&deliveries->waiting, &delivery->deadline, now_ms);
        }
        deliveries->next_index++;
    }
}

void deliveries_due(struct deliveries *deliveries) {
    int64_t now_ms = clock_monotonic_us() / 1000;
    take_up(deliveries);
    for (int i = 0; i < FLIGHTS; i++) {
        struct deadline *first = deadlines_first(&deliveries->waiting);
        if (!first || first->at_ms > now_ms)
            return;
        if (deliveries->flights[i].delivery)
            continue;
        if (deliveries->failing) {
            if (now_ms < deliveries->probe_ms)
                return;
            deliveries->probe_ms = now_ms + PROBE_MS;
        }
        begin(deliveries, &deliveries->flights[i], CONTAINER_OF(first, struct delivery, deadline));
    }
}

int64_t deliveries_next_ms(const struct deliveries *deliveries) {
    const struct deadline *first = deadlines_first(&deliveries->waiting);
    bool free_flight = false;
    for (int i = 0; i < FLIGHTS; i++)
        free_flight = free_flight || !deliveries->flights[i].delivery;
    /* With none free, the one that comes back looks again. */
    if (!first || !free_flight)
        return INT64_MAX;
    return deliveries->failing && first->at_ms < deliveries->probe_ms ? deliveries->probe_ms : first->at_ms;
}

enum result deliveries_new(struct sandbox *sandbox, const char *url, const char *secret,
                           struct deliveries **deliveries) {
    struct webhook_sender_settings settings = {.connections = FLIGHTS};
    enum result result = webhook_url_check(url);
    if (result != RESULT_OK)
        return result;
    struct deliveries *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return RESULT_OVERLOADED;
    fresh->sandbox = sandbox;
    fresh->url = strdup(url);
    fresh->secret = strdup(secret);
    for (int i = 0; i < FLIGHTS; i++) {
        fresh->flights[i].deliveries = fresh;
        fresh->flights[i].envelope.open = open_done;
        buffer_init(&fresh->flights[i].headers, HEADERS_BYTES);
        buffer_init(&fresh->flights[i].body, BODY_BYTES);
    }
    result =
        fresh->url && fresh->secret ? deadlines_init(&fresh->waiting, LIMIT_SANDBOX_DELIVERIES) : RESULT_OVERLOADED;
    if (result == RESULT_OK)
        result = webhook_sender_new(&settings, &fresh->sender);
    if (result != RESULT_OK) {
        deliveries_free(fresh);
        return result;
    }
    *deliveries = fresh;
    return RESULT_OK;
}

void deliveries_stop(struct deliveries *deliveries) {
    if (!deliveries)
        return;
    webhook_sender_free(deliveries->sender);
    deliveries->sender = NULL;
}

void deliveries_free(struct deliveries *deliveries) {
    if (!deliveries)
        return;
    struct deadline *first;
    assert(!deliveries->sender);
    while (deliveries->waiting.heap && (first = deadlines_first(&deliveries->waiting))) {
        deadlines_set(&deliveries->waiting, first, INT64_MAX);
        free(CONTAINER_OF(first, struct delivery, deadline));
    }
    deadlines_release(&deliveries->waiting);
    for (int i = 0; i < FLIGHTS; i++) {
        free(deliveries->flights[i].delivery);
        buffer_release(&deliveries->flights[i].headers);
        buffer_release(&deliveries->flights[i].body);
    }
    free(deliveries->url);
    free(deliveries->secret);
    free(deliveries);
}
