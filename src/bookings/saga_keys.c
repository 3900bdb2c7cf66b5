/* The idempotency keys of a saga's calls: which one a call has, and when it may have another.
 *
 * A key is booking, attempt, step, round and, once a state has lasted for a day, era. The same key is sent again and
 * again while the outcome of its call is in doubt: the gateway makes one effect of them. Another is used
 *
 *   in the next round   when an answer was read, and the gateway, asked, said that the step had no effect;
 *   in the next era     when this one's keys are so old that the gateway may forget them;
 *   for another amount  when somebody else gave money back at the gateway while we were about to.
 *
 * In the latter two the call with the former key may be under way still. Where both could have an effect, which is so
 * only for a refund of a part, nothing is sent for SAGA_DOUBT_MS, then the gateway is asked, and what it says decides.
 * The same holds where who drove the saga before has died: its last call is in doubt.
 *
 * What can go wrong: our clock is set back by more than an hour within a day of a silent gateway; then a key may be
 * sent that is older than a day. */
#include "bookings/saga_moves.h"
#include "base/panic.h"

#include <stdio.h>

/* A gateway keeps a key for 24 h at least. We use it for 22: eras are told apart by the hour, so that a restart may
 * take the keys of its era to be an hour younger than they are, and a call may be queued, or our clock be off, for
 * another. */
#define HOUR_MS 3600000LL
#define KEYS_USED_MS (22 * HOUR_MS)

void saga_next_round_if_answered(struct saga *saga) {
    if (saga->answer_read)
        saga->round++;
    saga->answer_read = false;
}

bool saga_has_key(enum saga_action action) {
    return action >= SAGA_DO_CREATE && action <= SAGA_DO_REFUND && action != SAGA_DO_RETRIEVE;
}

void saga_note_key(struct saga *saga, enum saga_event event, int64_t now_ms) {
    if (!saga_has_key(saga->doing))
        return;
    /* "Busy" is an answer, but not the end of the call that keeps the key busy. */
    if (event == SAGA_NOT_SENT)
        saga->answer_read = false;
    if (event == SAGA_UNKNOWN && !saga->answer_read)
        saga->doubt_ends_ms = now_ms + SAGA_DOUBT_MS;
}

static void begin_era(struct saga *saga, int64_t now_ms) {
    int64_t hours = (now_ms - saga->since_ms) / HOUR_MS;
    saga->era = hours > saga->era ? (uint32_t)hours : saga->era + 1;
    saga->keys_since_ms = now_ms;
    saga->round = 0;
    saga->answer_read = false;
}

enum saga_action saga_call(struct saga *saga, enum saga_action action, int64_t now_ms) {
    if (!saga->keys_since_ms)
        saga->since_ms = saga->keys_since_ms = now_ms;
    bool is_old = now_ms - saga->keys_since_ms > KEYS_USED_MS;
    if (is_old && action == SAGA_DO_CREATE)
        return saga_write(saga, SAGA_CANCELLED, "expired");
    if (is_old && action == SAGA_DO_CONFIRM)
        return saga_write(saga, SAGA_CANCELLING, "expired");
    bool is_other =
        is_old || saga->keys_are_new || (action == SAGA_DO_REFUND && saga->already_refunded != saga->refunded_before);
    /* Two calls that are each for all that is left cannot both have an effect: the gateway gives back no more than it
     * took, and captures and cancels once. */
    bool could_be_twice = action == SAGA_DO_REFUND && saga->booking.refunded < saga->booking.amount;
    if (is_other && saga->doing != SAGA_DO_RETRIEVE)
        return SAGA_DO_RETRIEVE;
    if (is_other && could_be_twice && saga->asked_ms < saga->doubt_ends_ms)
        return saga_wait_until(saga, SAGA_DO_RETRIEVE, saga->doubt_ends_ms);
    if (is_old)
        begin_era(saga, now_ms);
    saga->keys_are_new = false;
    if (action == SAGA_DO_REFUND)
        saga->refunded_before = saga->already_refunded;
    return action;
}

enum saga_action saga_take_step(struct saga *saga, enum saga_action action, int64_t now_ms, uint64_t jitter) {
    if (saga->doing != SAGA_DO_RETRIEVE)
        return saga_wait(saga, SAGA_DO_RETRIEVE, now_ms, jitter);
    saga_next_round_if_answered(saga);
    return saga_call(saga, action, now_ms);
}

enum saga_action saga_send_later(struct saga *saga, int64_t now_ms, uint64_t jitter) {
    return saga_wait(saga, saga_has_key(saga->doing) ? saga->doing : SAGA_DO_RETRIEVE, now_ms, jitter);
}

static const char *step_word(enum saga_action action) {
    switch (action) {
    case SAGA_DO_CREATE:
        return "create";
    case SAGA_DO_CONFIRM:
        return "confirm";
    case SAGA_DO_CAPTURE:
        return "capture";
    case SAGA_DO_CANCEL:
        return "cancel";
    case SAGA_DO_REFUND:
        return "refund";
    default:
        return "retrieve";
    }
}

void saga_fill_call(const struct saga *saga, enum saga_action action, struct payment_call *call) {
    static const enum payment_operation operations[] = {
        [SAGA_DO_CREATE] = PAYMENT_CREATE,   [SAGA_DO_CONFIRM] = PAYMENT_CONFIRM, [SAGA_DO_RETRIEVE] = PAYMENT_RETRIEVE,
        [SAGA_DO_CAPTURE] = PAYMENT_CAPTURE, [SAGA_DO_CANCEL] = PAYMENT_CANCEL,   [SAGA_DO_REFUND] = PAYMENT_REFUND,
    };
    assert(action >= SAGA_DO_CREATE && action <= SAGA_DO_REFUND);
    const struct booking *booking = &saga->booking;
    char text[ID_LETTER_TEXT + 1] = "";
    id_format_letter(&booking->id, 'b', text);

    call->operation = operations[action];
    call->booking = booking->id;
    call->amount = action == SAGA_DO_REFUND ? booking->refunded - saga->already_refunded : booking->amount;
    memcpy(call->currency, booking->currency, sizeof call->currency);
    memcpy(call->intent_id, booking->intent_id, sizeof call->intent_id);
    /* What is "0" at first is left out, or has always been "0": a key stays the same over a change of this program. */
    char amounts[48] = "0", era[16] = "";
    if (action == SAGA_DO_REFUND && saga->already_refunded)
        snprintf(amounts, sizeof amounts, "%lld-%lld", (long long)saga->already_refunded, (long long)booking->refunded);
    else if (action == SAGA_DO_REFUND)
        snprintf(amounts, sizeof amounts, "%lld", (long long)booking->refunded);
    if (saga->era)
        snprintf(era, sizeof era, ":%u", saga->era);
    int length = snprintf(call->idempotency_key, sizeof call->idempotency_key, "%s:%u:%s:%s:%u%s", text,
                          booking->attempt, step_word(action), amounts, saga->round, era);
    assert(length > 0 && (size_t)length < sizeof call->idempotency_key);
}
