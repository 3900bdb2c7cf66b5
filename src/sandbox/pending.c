/* Answers that wait: for the tape, for a slow card's time, or for ever.
 *
 * An answer tells of what is on the tape, so it leaves when the tape is synced up to where it ended when the answer was
 * made: answers leave in the order in which they were made.
 */
#include "sandbox/sandbox_state.h"
#include "base/log.h"
#include "base/panic.h"

#include <stddef.h>
#include <stdlib.h>

#define HEADERS_BYTES 1024
#define KEPT_BODY_BYTES (16 * 1024)
#define SWEEP_AT_LEAST 64

struct pending *pending_new(struct sandbox *sandbox, struct exchange *exchange) {
    struct pending *pending = sandbox->free_pending;
    if (pending) {
        sandbox->free_pending = pending->next;
    } else {
        pending = calloc(1, sizeof *pending);
        if (!pending)
            return NULL;
        buffer_init(&pending->headers, HEADERS_BYTES);
        buffer_init(&pending->body, BODY_BYTES);
    }
    pending->headers.length = pending->body.length = 0;
    pending->headers.full = pending->body.full = false;
    pending->position = 0;
    pending->status = 200;
    pending->ending = ENDING_ANSWER;
    pending->draw = (struct fault_draw){.fault = FAULT_NONE};
    buffer_add_text(&pending->headers, "Content-Type: application/json\r\nRequest-Id: req_");
    buffer_add_text(&pending->headers, exchange_request_id(exchange));
    buffer_add_text(&pending->headers, "\r\nStripe-Version: " STRIPE_API_VERSION "\r\n");
    return pending;
}

void pending_free(struct sandbox *sandbox, struct pending *pending) {
    if (pending->body.capacity > KEPT_BODY_BYTES)
        buffer_release(&pending->body);
    pending->next = sandbox->free_pending;
    sandbox->free_pending = pending;
}

static void sweep(struct refs *refs) {
    size_t kept = 0;
    for (size_t i = 0; i < refs->count; i++)
        if (exchange_resume(refs->at[i]))
            refs->at[kept++] = refs->at[i];
    refs->count = kept;
    refs->sweep_at = kept * 2 < SWEEP_AT_LEAST ? SWEEP_AT_LEAST : kept * 2;
}

/* Remembered only so that a stop can cut it. */
static void hang(struct sandbox *sandbox, struct exchange_ref ref) {
    struct refs *refs = &sandbox->hung;
    if (refs->count >= refs->sweep_at)
        sweep(refs);
    if (refs->count == refs->room) {
        size_t room = refs->room ? refs->room * 2 : SWEEP_AT_LEAST;
        struct exchange_ref *at = reallocarray(refs->at, room, sizeof *at);
        if (!at)
            return;
        refs->at = at;
        refs->room = room;
    }
    refs->at[refs->count++] = ref;
}

/* The exchange is the pending one's, and not parked or just resumed. */
static void finish(struct sandbox *sandbox, struct pending *pending, struct exchange *exchange) {
    if (pending->ending == ENDING_CUT) {
        exchange_abort(exchange);
    } else if (buffer_ok(&pending->body) && buffer_ok(&pending->headers)) {
        exchange_reply(exchange, pending->status, buffer_bytes(&pending->headers), buffer_bytes(&pending->body));
    } else {
        log_error("an answer of the sandbox does not fit into memory");
        exchange_abort(exchange);
    }
    pending_free(sandbox, pending);
}

static void wait_for_tape(struct sandbox *sandbox, struct pending *pending) {
    pending->next = NULL;
    *sandbox->last_pending = pending;
    sandbox->last_pending = &pending->next;
}

void pending_settle(struct sandbox *sandbox, struct pending *pending, struct exchange *exchange) {
    bool synced = pending->position <= tape_synced_to(sandbox->tape);
    if (synced && pending->ending != ENDING_HANG) {
        finish(sandbox, pending, exchange);
        return;
    }
    pending->ref = exchange_park(exchange);
    if (!synced) {
        wait_for_tape(sandbox, pending);
    } else {
        hang(sandbox, pending->ref);
        pending_free(sandbox, pending);
    }
}

static void settle_synced(struct sandbox *sandbox, struct pending *pending) {
    struct exchange *exchange = exchange_resume(pending->ref);
    if (exchange && pending->ending != ENDING_HANG) {
        finish(sandbox, pending, exchange);
        return;
    }
    if (exchange)
        hang(sandbox, pending->ref);
    pending_free(sandbox, pending);
}

void pending_settle_parked(struct sandbox *sandbox, struct pending *pending) {
    if (pending->position <= tape_synced_to(sandbox->tape))
        settle_synced(sandbox, pending);
    else
        wait_for_tape(sandbox, pending);
}

void pending_synced(struct sandbox *sandbox) {
    uint64_t synced_to = tape_synced_to(sandbox->tape);
    while (sandbox->first_pending && sandbox->first_pending->position <= synced_to) {
        struct pending *pending = sandbox->first_pending;
        sandbox->first_pending = pending->next;
        if (!sandbox->first_pending)
            sandbox->last_pending = &sandbox->first_pending;
        settle_synced(sandbox, pending);
    }
}

static struct delayed *delay(struct sandbox *sandbox, struct pending *pending, struct exchange *exchange,
                             int64_t delay_ms) {
    struct delayed *delayed = sandbox->deadlines.count < LIMIT_SANDBOX_DELAYED ? calloc(1, sizeof *delayed) : NULL;
    if (!delayed)
        return NULL;
    delayed->answer = pending;
    delayed->next = sandbox->first_delayed;
    if (delayed->next)
        delayed->next->previous = delayed;
    sandbox->first_delayed = delayed;
    pending->ref = exchange_park(exchange);
    deadlines_set(&sandbox->deadlines, &delayed->deadline, clock_monotonic_us() / 1000 + delay_ms);
    sandbox_set_alarm(sandbox);
    return delayed;
}

bool pending_delay(struct sandbox *sandbox, struct pending *pending, struct exchange *exchange, int64_t delay_ms,
                   const struct id *key, const struct id *request) {
    struct delayed *delayed = delay(sandbox, pending, exchange, delay_ms);
    if (!delayed)
        return false;
    delayed->charges = true;
    delayed->attempt = sandbox->verdict.attempt;
    delayed->key = *key;
    delayed->request = *request;
    return true;
}

bool pending_delay_answer(struct sandbox *sandbox, struct pending *pending, struct exchange *exchange) {
    return delay(sandbox, pending, exchange, pending->draw.slow_ms) != NULL;
}

static void forget(struct sandbox *sandbox, struct delayed *delayed) {
    deadlines_set(&sandbox->deadlines, &delayed->deadline, INT64_MAX);
    if (delayed->next)
        delayed->next->previous = delayed->previous;
    if (delayed->previous)
        delayed->previous->next = delayed->next;
    else
        sandbox->first_delayed = delayed->next;
    free(delayed);
}

static void charge(struct sandbox *sandbox, const struct delayed *delayed) {
    sandbox->book.intents[delayed->attempt.intent].busy = false;
    verdict_reset(&sandbox->verdict);
    operation_charge(&sandbox->book, &delayed->attempt, sandbox_now_ms(sandbox), &sandbox->verdict);
    fault_spoil(&delayed->answer->draw, &sandbox->verdict);
    if (!sandbox_commit(sandbox, &delayed->key, &delayed->request) && !id_is_none(&delayed->key)) {
        /* Nothing happened: the key is free again, as if its time were over. */
        struct key_entry *entry = book_key(&sandbox->book, &delayed->key, sandbox_now_ms(sandbox));
        entry->place = entry->time_ms = 0;
    }
    sandbox_write_answer(sandbox, delayed->answer);
}

void pending_due(struct sandbox *sandbox) {
    struct deadline *first;
    while ((first = deadlines_first(&sandbox->deadlines)) && first->at_ms <= clock_monotonic_us() / 1000) {
        struct delayed *delayed = (struct delayed *)first;
        if (delayed->charges)
            charge(sandbox, delayed);
        pending_settle_parked(sandbox, delayed->answer);
        forget(sandbox, delayed);
    }
}

static void cut(struct exchange_ref ref) {
    struct exchange *exchange = exchange_resume(ref);
    if (exchange)
        exchange_abort(exchange);
}

void pending_abandon(struct sandbox *sandbox) {
    for (size_t i = 0; i < sandbox->hung.count; i++)
        cut(sandbox->hung.at[i]);
    sandbox->hung.count = 0;
    while (sandbox->first_delayed) {
        struct delayed *delayed = sandbox->first_delayed;
        cut(delayed->answer->ref);
        pending_free(sandbox, delayed->answer);
        forget(sandbox, delayed);
    }
    /* What waits for a tape that has failed waits in vain. */
    if (atomic_load(&sandbox->failed))
        for (struct pending *pending = sandbox->first_pending; pending; pending = pending->next)
            cut(pending->ref);
}

static void release_list(struct pending *pending) {
    while (pending) {
        struct pending *next = pending->next;
        buffer_release(&pending->headers);
        buffer_release(&pending->body);
        free(pending);
        pending = next;
    }
}

void pending_release(struct sandbox *sandbox) {
    release_list(sandbox->first_pending);
    release_list(sandbox->free_pending);
    free(sandbox->hung.at);
}
