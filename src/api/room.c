/* A room's hot path: joining, claiming, leaving; each is memory work under the room's lock, with what is costly
 * (hashes, MACs) outside of it. */
#include "api/room_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/panic.h"
#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RAISE_SECONDS 5

/* ---- the record ---- */

bool room_record_event(struct room *room, const struct record_event *event, const struct place_secret *secret) {
    if (room->api->queue_logs->append(room->log, event, secret) == RESULT_OK)
        return true;
    metric_add(METRIC_QUEUE_UNRECORDED, 1);
    room->record_is_full = true; /* the usher, who makes room, says so in the log */
    return false;
}

/* ---- numbers ---- */

static void ceiling_is_raised(struct ledger_command *command) {
    struct room *room = command->context;
    pthread_mutex_lock(&room->lock);
    if (command->result == RESULT_OK)
        queue_allow_numbers(room->queue, command->queue.ceiling);
    atomic_store(&room->is_raising, false);
    pthread_cond_broadcast(&room->raised);
    pthread_mutex_unlock(&room->lock);
}

void room_await_numbers(struct room *room) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RAISE_SECONDS;
    pthread_mutex_lock(&room->lock);
    while (atomic_load(&room->is_raising) && pthread_cond_timedwait(&room->raised, &room->lock, &until) == 0)
        continue;
    pthread_mutex_unlock(&room->lock);
}

void room_raise(struct room *room) {
    struct ledger *ledger = room->api->ledger;
    struct queue_counts counts;
    if (atomic_exchange(&room->is_raising, true))
        return;
    pthread_mutex_lock(&room->lock);
    queue_count(room->queue, &counts);
    uint32_t left = queue_numbers_left(room->queue);
    pthread_mutex_unlock(&room->lock);
    uint64_t ceiling = (uint64_t)counts.issued + LIMIT_PLACES_UNKNOWN;
    if (ceiling > LIMIT_PLACES)
        ceiling = LIMIT_PLACES;
    if (left >= LIMIT_PLACES_UNKNOWN / 2 || counts.issued + left >= ceiling) {
        atomic_store(&room->is_raising, false);
        return;
    }
    room->raise = (struct ledger_command){.kind = LEDGER_RAISE_QUEUE, .context = room, .done = ceiling_is_raised};
    room->raise.queue.show_id = &room->sale->show_id;
    room->raise.queue.ceiling = (uint32_t)ceiling;
    if (!ledger->submit(ledger->engine, &room->raise))
        atomic_store(&room->is_raising, false);
}

/* ---- joining ---- */

/* The record has the new place, or nobody has it. */
static enum result record_join(struct room *room, uint32_t number, const struct id *blinded,
                               const struct place_secret *secret, int64_t now_ms) {
    if (room->recorded + 1 < number) { /* what was given up below, when there was no room */
        struct record_event gap = {.kind = RECORD_UNKNOWN, .time_ms = now_ms, .number = number - 1};
        if (!room_record_event(room, &gap, NULL))
            return RESULT_OVERLOADED;
        room->recorded = number - 1;
    }
    struct record_event join = {.kind = RECORD_JOIN, .time_ms = now_ms, .blinded = *blinded};
    if (!room_record_event(room, &join, secret))
        return RESULT_OVERLOADED;
    room->recorded = number;
    return RESULT_OK;
}

static uint32_t ahead_of(const struct place *place, uint32_t serving) {
    return place->position > serving + 1 ? place->position - serving - 1 : 0;
}

static bool has_live_place(const struct room *room, uint64_t user, int64_t now_ms) {
    struct place place;
    return queue_find(room->queue, user, now_ms, &place) == RESULT_OK &&
           (place.state == PLACE_WAITING || place.state == PLACE_DOOR || place.state == PLACE_INSIDE);
}

static enum result join_under_lock(struct room *room, const struct id *blinded, const struct place_secret *secret,
                                   int64_t now_ms, struct room_place *joined, bool *numbers_are_low) {
    struct queue_counts counts;
    enum result result = RESULT_OVERLOADED; /* no number is drawn for what could not be recorded */
    if (!room->record_is_full || has_live_place(room, secret->user, now_ms))
        result = queue_join(room->queue, secret->user, now_ms, &joined->place, &joined->is_new);
    if (result == RESULT_OK && joined->is_new) {
        result = record_join(room, joined->place.number, blinded, secret, now_ms);
        if (result != RESULT_OK && queue_leave(room->queue, joined->place.number, now_ms) != RESULT_OK)
            impossible("a place that was just given can be given up");
    }
    *numbers_are_low = queue_numbers_left(room->queue) < LIMIT_PLACES_UNKNOWN / 2;
    queue_count(room->queue, &counts);
    if (room->order == ROOM_SHUFFLED && !room_is_frozen(room))
        joined->place.position =
            0; /* until the freeze is on disk, a power loss may shuffle this place with the others */
    joined->ahead = ahead_of(&joined->place, counts.serving);
    return result;
}

enum result room_join(struct room *room, const struct user_id *user, int64_t now_ms, struct room_place *joined) {
    const struct keyring *keys = atomic_load_explicit(&room->api->keys, memory_order_acquire);
    const struct id *show_id = &room->sale->show_id;
    struct place_secret secret = {.user = keyring_user_hash(keys, show_id, user_bytes(user))};
    random_bytes(secret.salt, sizeof secret.salt);
    struct id blinded = record_blind(show_id, secret.salt, user_bytes(user));
    bool numbers_are_low;
    pthread_mutex_lock(&room->lock);
    enum result result = join_under_lock(room, &blinded, &secret, now_ms, joined, &numbers_are_low);
    pthread_mutex_unlock(&room->lock);
    if (numbers_are_low)
        room_raise(room);
    if (result != RESULT_OK)
        return result;
    if (joined->is_new) {
        metric_add(METRIC_QUEUE_JOINS, 1);
        atomic_store_explicit(&room->has_changed, true, memory_order_relaxed);
    } else if (!room->api->queue_logs->secret(room->log, joined->place.number, &secret)) {
        memset(secret.salt, 0, sizeof secret.salt); /* it was erased: the place stands, its proof is gone */
    }
    joined->ticket =
        (struct queue_ticket){.show_id = *show_id, .number = joined->place.number, .issued_ms = now_ms, .user = *user};
    memcpy(joined->ticket.salt, secret.salt, sizeof secret.salt);
    return RESULT_OK;
}

/* ---- claiming ---- */

enum result room_adopt(struct room *room, const struct queue_ticket *ticket) {
    const struct keyring *keys = atomic_load_explicit(&room->api->keys, memory_order_acquire);
    uint64_t user = keyring_user_hash(keys, &ticket->show_id, user_bytes(&ticket->user));
    pthread_mutex_lock(&room->lock);
    enum result result = queue_adopt(room->queue, ticket->number, user);
    pthread_mutex_unlock(&room->lock);
    return result == RESULT_OK ? RESULT_OK : RESULT_QUEUE_TICKET_INVALID;
}

static enum result claim_under_lock(struct room *room, uint32_t number, int64_t now_ms, struct room_turn *turn) {
    struct queue_counts counts;
    struct place place;
    enum result result = queue_claim(room->queue, number, now_ms, &turn->pass, &turn->is_new);
    if (result == RESULT_OK && turn->is_new) {
        struct record_event admit = {.kind = RECORD_ADMIT, .time_ms = turn->pass.claimed_ms, .number = number};
        (void)room_record_event(room, &admit, NULL); /* the ledger gets it too, before the fan does */
    }
    if (result == RESULT_AT_THE_DOOR && turn->is_new) {
        struct record_event door = {.kind = RECORD_DOOR, .time_ms = now_ms, .number = number};
        (void)room_record_event(room, &door, NULL); /* so that a restart lets them stand there */
    }
    if (result != RESULT_OK) {
        queue_count(room->queue, &counts);
        turn->serving = counts.serving;
        turn->position = queue_look(room->queue, number, now_ms, &place) == RESULT_OK ? place.position : 0;
        turn->retry_seconds = queue_retry_seconds_of(room->queue, number);
        if (result == RESULT_NOT_YOUR_TURN && turn->position > counts.serving)
            turn->retry_seconds += room_poll_seconds(room, turn->position - counts.serving);
    }
    return result;
}

enum result room_claim(struct room *room, uint32_t number, int64_t now_ms, struct room_turn *turn) {
    pthread_mutex_lock(&room->lock);
    enum result result = claim_under_lock(room, number, now_ms, turn);
    pthread_mutex_unlock(&room->lock);
    if (result == RESULT_OK && turn->is_new) {
        metric_add(METRIC_QUEUE_ADMISSIONS, 1);
        atomic_store_explicit(&room->has_changed, true, memory_order_relaxed);
    }
    return result;
}

enum result room_check_pass(struct room *room, uint32_t number, int64_t now_ms) {
    pthread_mutex_lock(&room->lock);
    enum result result = queue_check_pass(room->queue, number, now_ms);
    pthread_mutex_unlock(&room->lock);
    return result;
}

/* ---- leaving ---- */

static void record_end(struct room *room, enum record_kind kind, uint32_t number, int64_t now_ms) {
    struct record_event event = {.kind = kind, .time_ms = now_ms, .number = number};
    (void)room_record_event(room, &event, NULL);
    atomic_store_explicit(&room->has_changed, true, memory_order_relaxed);
}

enum result room_leave(struct room *room, uint32_t number, int64_t now_ms, bool *was_inside) {
    struct place place;
    pthread_mutex_lock(&room->lock);
    enum result result = queue_look(room->queue, number, now_ms, &place);
    *was_inside = result == RESULT_OK && place.state == PLACE_INSIDE;
    if (result == RESULT_OK) {
        result = queue_leave(room->queue, number, now_ms);
        if (result == RESULT_OK)
            record_end(room, *was_inside ? RECORD_END : RECORD_LEFT, number, now_ms);
        else if (result == RESULT_TURN_MISSED)
            result = RESULT_OK; /* there is nothing to give up any more */
    }
    pthread_mutex_unlock(&room->lock);
    return result;
}

/* The end of a pass on its way to the ledger, which nobody waits for. */
struct pass_end {
    struct ledger_command command;
    struct id show_id;
};

static void pass_end_is_written(struct ledger_command *command) {
    if (command->result != RESULT_OK && command->result != RESULT_LEDGER_UNAVAILABLE)
        log_warn("the ledger did not take the end of a pass", LOG_STRING("result", result_name(command->result)));
    free(command->context);
}

/* Where it gets lost, the pass counts as inside until its time, no worse. */
static void tell_ledger_of_end(struct room *room, uint32_t number, const struct user_id *user, int64_t now_ms) {
    struct ledger *ledger = room->api->ledger;
    struct pass_end *end = calloc(1, sizeof *end);
    if (!end)
        return;
    end->show_id = room->sale->show_id;
    end->command = (struct ledger_command){.kind = LEDGER_END_PASS, .context = end, .done = pass_end_is_written};
    end->command.queue.show_id = &end->show_id;
    end->command.queue.admission = (struct admission){.number = number, .user = *user, .ended_ms = now_ms};
    if (!ledger->submit(ledger->engine, &end->command))
        free(end);
}

void room_booked(struct room *room, const struct user_id *user, int64_t now_ms) {
    const struct keyring *keys = atomic_load_explicit(&room->api->keys, memory_order_acquire);
    uint64_t hash = keyring_user_hash(keys, &room->sale->show_id, user_bytes(user));
    uint32_t number;
    pthread_mutex_lock(&room->lock);
    bool ended = queue_end_pass_of(room->queue, hash, now_ms, &number);
    if (ended)
        record_end(room, RECORD_END, number, now_ms);
    pthread_mutex_unlock(&room->lock);
    if (ended)
        tell_ledger_of_end(room, number, user, now_ms);
}

/* ---- settings ---- */

static bool are_recorded(const struct room *room, const struct queue_settings *settings) {
    const struct queue_settings *recorded = &room->recorded_terms;
    return recorded->rate_per_minute == settings->rate_per_minute && recorded->max_active == settings->max_active &&
           recorded->claim_seconds == settings->claim_seconds && recorded->pass_seconds == settings->pass_seconds;
}

void room_configure(struct room *room, const struct room_terms *terms, int64_t now_ms) {
    struct record_event event = {.kind = RECORD_TERMS, .time_ms = now_ms, .terms = terms->queue};
    struct queue_counts counts;
    pthread_mutex_lock(&room->lock);
    room->terms = *terms;
    atomic_store(&room->proof_bits, terms->proof_bits);
    queue_count(room->queue, &counts);
    /* How far the windows had run counts under the terms that they ran by. */
    struct record_event clock = {
        .kind = RECORD_CALL, .time_ms = now_ms, .number = room->recorded_serving, .open_ms = counts.open_ms};
    queue_configure(room->queue, &terms->queue, now_ms);
    if (!are_recorded(room, &terms->queue) && (counts.open_ms == 0 || room_record_event(room, &clock, NULL)) &&
        room_record_event(room, &event, NULL))
        room->recorded_terms = terms->queue;
    pthread_mutex_unlock(&room->lock);
    atomic_store(&room->has_changed, true);
}

uint32_t room_proof_bits(struct room *room) {
    return atomic_load_explicit(&room->proof_bits, memory_order_relaxed);
}

bool room_is_frozen(const struct room *room) {
    return atomic_load_explicit(&room->is_frozen, memory_order_acquire);
}

bool room_is_opened(const struct room *room) {
    return atomic_load_explicit(&room->is_opened, memory_order_acquire);
}

struct channel *room_channel(struct room *room) {
    return room->channel;
}
