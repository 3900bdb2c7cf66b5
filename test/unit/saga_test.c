/* The saga, step by step: what needs time or stubbornness that the small world (test/small/saga_world_test.c) has not.
 */
#include "bookings/saga.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define AMOUNT 5000
#define MINUTE 60000LL
#define HOUR (60 * MINUTE)
#define NOW 1700000000000LL

static struct booking booking_in(enum saga_state state) {
    struct booking booking = {.amount = AMOUNT, .attempt = 1, .saga = state, .updated_ms = NOW, .intent_id = "pi_1"};
    bool is_sold = state == SAGA_CAPTURING || state == SAGA_DONE;
    booking.status = is_sold ? BOOKING_CONFIRMED : BOOKING_PENDING;
    booking.confirmed_ms = is_sold ? NOW : 0;
    return booking;
}

/* Just written by this process. */
static struct saga saga_in(enum saga_state state, enum saga_action first) {
    struct saga saga = {.booking = booking_in(state), .target = state};
    assert_int_equal(saga_step(&saga, SAGA_WRITTEN, NOW, 0), first);
    return saga;
}

static void takes(struct saga *saga, enum saga_event event, int64_t now_ms, enum saga_action action) {
    assert_int_equal(saga_step(saga, event, now_ms, 0), action);
}

static void writes(struct saga *saga, enum saga_event event, int64_t now_ms, enum saga_state target) {
    takes(saga, event, now_ms, SAGA_DO_WRITE);
    assert_int_equal(saga->target, target);
}

static void key_is(const struct saga *saga, enum saga_action action, const char *after_attempt) {
    struct payment_call call = {0};
    saga_fill_call(saga, action, &call);
    const char *colon = strchr(call.idempotency_key, ':');
    assert_non_null(colon);
    assert_string_equal(colon + 1, after_attempt);
}

/* ---- deadlines ---- */

static void a_payment_past_its_deadline_is_cancelled_at_the_gateway_first(void **state) {
    /* Red if the deadline of the hold ends a payment without asking the gateway. */
    (void)state;
    struct saga saga = saga_in(SAGA_CONFIRMING, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_DEADLINE, NOW, SAGA_DO_NOTHING);
    writes(&saga, SAGA_UNKNOWN, NOW, SAGA_CANCELLING);
    takes(&saga, SAGA_WRITTEN, NOW, SAGA_DO_CANCEL);
    takes(&saga, SAGA_UNKNOWN, NOW, SAGA_DO_WAIT);
    takes(&saga, SAGA_TIMER, NOW + 100, SAGA_DO_RETRIEVE);
    writes(&saga, SAGA_VOIDED, NOW + 100, SAGA_CANCELLED);
}

static void past_the_deadline_no_payment_is_begun_any_more(void **state) {
    /* Red if a payment is begun, or tried again, once the hold's deadline has passed. */
    (void)state;
    struct saga saga = {.has_token = true, .deadline_passed = true, .booking = booking_in(SAGA_OPENED)};
    writes(&saga, SAGA_INTENT_CREATED, NOW, SAGA_CANCELLED);
    assert_string_equal(saga.booking.reason, "expired");

    saga = (struct saga){.has_token = true, .booking = booking_in(SAGA_OPENED)};
    takes(&saga, SAGA_NOT_SENT, NOW, SAGA_DO_WAIT);
    takes(&saga, SAGA_DEADLINE, NOW, SAGA_DO_NOTHING);
    writes(&saga, SAGA_TIMER, NOW, SAGA_CANCELLED);

    saga = (struct saga){.has_token = true, .booking = booking_in(SAGA_OPENED), .target = SAGA_CONFIRMING};
    takes(&saga, SAGA_WRITTEN, NOW, SAGA_DO_CONFIRM);
    takes(&saga, SAGA_NOT_SENT, NOW, SAGA_DO_WAIT);
    takes(&saga, SAGA_DEADLINE, NOW, SAGA_DO_NOTHING);
    writes(&saga, SAGA_TIMER, NOW, SAGA_CANCELLING);
    assert_string_equal(saga.booking.reason, "expired");
}

static void a_payment_authorized_past_its_deadline_is_sold(void **state) {
    /* Red if the deadline counts for more than what the gateway has done. */
    (void)state;
    struct saga saga = saga_in(SAGA_CONFIRMING, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_DEADLINE, NOW, SAGA_DO_NOTHING);
    takes(&saga, SAGA_AUTHORIZED, NOW, SAGA_DO_SELL);
    assert_int_equal(saga.target, SAGA_CAPTURING);
}

static void a_bank_that_thinks_and_says_no_has_declined(void **state) {
    /* Red if the fan is told that the gateway was not there. */
    (void)state;
    struct saga saga = {.has_token = true, .booking = booking_in(SAGA_OPENED), .target = SAGA_CONFIRMING};
    takes(&saga, SAGA_WRITTEN, NOW, SAGA_DO_CONFIRM);
    takes(&saga, SAGA_INTENT_BUSY, NOW, SAGA_DO_WAIT);
    takes(&saga, SAGA_TIMER, NOW, SAGA_DO_RETRIEVE);
    writes(&saga, SAGA_INTENT_UNPAID, NOW, SAGA_CANCELLING);
    assert_string_equal(saga.booking.reason, "declined");
}

/* ---- what goes to a human ---- */

/* So many calls whose answers are lost: each time the gateway says that nothing has happened yet. */
static int64_t lose_answers(struct saga *saga, unsigned count, enum saga_event asked, enum saga_action call,
                            int64_t now_ms) {
    for (unsigned i = 0; i < count; i++) {
        takes(saga, SAGA_UNKNOWN, now_ms, SAGA_DO_WAIT);
        now_ms = saga->retry_ms;
        takes(saga, SAGA_TIMER, now_ms, SAGA_DO_RETRIEVE);
        takes(saga, asked, now_ms, call);
    }
    return now_ms;
}

static void a_refusal_after_lost_answers_is_asked_about(void **state) {
    /* Red if failures of another kind count as refusals: then one refusal is taken for final without asking. */
    (void)state;
    struct saga saga = saga_in(SAGA_CAPTURING, SAGA_DO_CAPTURE);
    int64_t now_ms = lose_answers(&saga, 600, SAGA_AUTHORIZED, SAGA_DO_CAPTURE, NOW);
    takes(&saga, SAGA_REFUSED, now_ms, SAGA_DO_WAIT);
    takes(&saga, SAGA_TIMER, now_ms, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_VOIDED, now_ms, SAGA_DO_UNSELL);
    assert_int_equal(saga.target, SAGA_CANCELLED);

    saga = saga_in(SAGA_REFUNDING, SAGA_DO_RETRIEVE);
    saga.booking.refunded = AMOUNT;
    takes(&saga, SAGA_CAPTURED, NOW, SAGA_DO_REFUND);
    now_ms = lose_answers(&saga, 600, SAGA_CAPTURED, SAGA_DO_REFUND, NOW);
    takes(&saga, SAGA_REFUSED, now_ms, SAGA_DO_WAIT);
    takes(&saga, SAGA_TIMER, now_ms, SAGA_DO_RETRIEVE);
    saga.already_refunded = AMOUNT;
    writes(&saga, SAGA_CAPTURED, now_ms, SAGA_REFUNDED);
}

/* What comes of `failure`, time and again, while the gateway says that nothing has changed. Returns after how long it
 * went to a human; 0: never. */
static int64_t review_after(enum saga_state state, enum saga_event failure, enum saga_event asked, bool answered) {
    struct saga saga = {.booking = booking_in(state), .target = state};
    saga.booking.refunded = state == SAGA_REFUNDING ? AMOUNT : 0;
    int64_t now_ms = NOW;
    enum saga_action action = saga_step(&saga, SAGA_WRITTEN, now_ms, 0);
    for (int i = 0; i < 20000; i++) {
        switch (action) {
        case SAGA_DO_WAIT:
            now_ms = saga.retry_ms;
            action = saga_step(&saga, SAGA_TIMER, now_ms, 0);
            break;
        case SAGA_DO_RETRIEVE:
            action = saga_step(&saga, asked, now_ms, 0);
            break;
        case SAGA_DO_WRITE:
            assert_int_equal(saga.target, SAGA_REVIEW);
            return now_ms - NOW;
        default:
            saga.answer_read = answered;
            action = saga_step(&saga, failure, now_ms, 0);
        }
    }
    return 0;
}

static void what_is_refused_for_a_while_goes_to_a_human(void **state) {
    /* Red if what is refused for good is asked for for ever, or the mistake of a minute fills the list. */
    (void)state;
    assert_in_range(review_after(SAGA_CAPTURING, SAGA_REFUSED, SAGA_AUTHORIZED, true), 5 * MINUTE, HOUR);
    assert_in_range(review_after(SAGA_CANCELLING, SAGA_REFUSED, SAGA_AUTHORIZED, true), 5 * MINUTE, HOUR);
    assert_in_range(review_after(SAGA_REFUNDING, SAGA_REFUSED, SAGA_CAPTURED, true), 5 * MINUTE, HOUR);
    assert_in_range(review_after(SAGA_CANCELLING, SAGA_REFUSED, SAGA_REFUSED, true), 2 * MINUTE, HOUR);
}

static void what_fails_for_hours_goes_to_a_human(void **state) {
    /* Red if a gateway that answers each time with an error keeps it for ever. */
    (void)state;
    assert_in_range(review_after(SAGA_CAPTURING, SAGA_UNKNOWN, SAGA_AUTHORIZED, true), HOUR, 12 * HOUR);
    assert_in_range(review_after(SAGA_CANCELLING, SAGA_UNKNOWN, SAGA_AUTHORIZED, true), HOUR, 12 * HOUR);
    assert_in_range(review_after(SAGA_REFUNDING, SAGA_UNKNOWN, SAGA_CAPTURED, true), HOUR, 12 * HOUR);
}

static void a_silent_gateway_is_waited_for(void **state) {
    /* Red if silence alone fills the list that a human has to work off. */
    (void)state;
    assert_int_equal(review_after(SAGA_CAPTURING, SAGA_UNKNOWN, SAGA_UNKNOWN, false), 0);
    assert_int_equal(review_after(SAGA_CAPTURING, SAGA_UNKNOWN, SAGA_AUTHORIZED, false), 0);
    assert_int_equal(review_after(SAGA_CANCELLING, SAGA_UNKNOWN, SAGA_NOT_SENT, false), 0);
    assert_int_equal(review_after(SAGA_CANCELLING, SAGA_UNKNOWN, SAGA_AUTHORIZED, false), 0);
    assert_int_equal(review_after(SAGA_REFUNDING, SAGA_NOT_SENT, SAGA_CAPTURED, true), 0);
    assert_int_equal(review_after(SAGA_REFUNDING, SAGA_UNKNOWN, SAGA_INTENT_BUSY, false), 0);
}

/* ---- keys ---- */

static void a_call_whose_own_answer_says_that_nothing_happened_is_not_repeated_at_once(void **state) {
    /* Red if a gateway that says "done, and not captured" is asked thousands of times a second. */
    (void)state;
    struct saga saga = saga_in(SAGA_CAPTURING, SAGA_DO_CAPTURE);
    takes(&saga, SAGA_AUTHORIZED, NOW, SAGA_DO_WAIT);
    saga = saga_in(SAGA_CANCELLING, SAGA_DO_CANCEL);
    takes(&saga, SAGA_AUTHORIZED, NOW, SAGA_DO_WAIT);
    saga = (struct saga){.has_token = true, .booking = booking_in(SAGA_OPENED), .target = SAGA_CONFIRMING};
    takes(&saga, SAGA_WRITTEN, NOW, SAGA_DO_CONFIRM);
    takes(&saga, SAGA_INTENT_UNPAID, NOW, SAGA_DO_WAIT);
}

static void busy_is_not_the_end_of_the_call_that_keeps_the_key_busy(void **state) {
    /* Red if the next round's refund is made while the first is under way. */
    (void)state;
    struct saga saga = saga_in(SAGA_REFUNDING, SAGA_DO_RETRIEVE);
    saga.booking.refunded = 2000;
    takes(&saga, SAGA_CAPTURED, NOW, SAGA_DO_REFUND);
    key_is(&saga, SAGA_DO_REFUND, "1:refund:2000:0");
    takes(&saga, SAGA_UNKNOWN, NOW, SAGA_DO_WAIT);
    takes(&saga, SAGA_TIMER, NOW, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_CAPTURED, NOW, SAGA_DO_REFUND);
    saga.answer_read = true; /* 409 */
    takes(&saga, SAGA_NOT_SENT, NOW, SAGA_DO_WAIT);
    takes(&saga, SAGA_TIMER, NOW, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_CAPTURED, NOW, SAGA_DO_REFUND);
    key_is(&saga, SAGA_DO_REFUND, "1:refund:2000:0");
}

static void keys_are_used_for_less_than_a_day(void **state) {
    /* Red if old keys are sent, if the next era's are while a call is in doubt, or without asking after that. */
    (void)state;
    struct saga saga = saga_in(SAGA_REFUNDING, SAGA_DO_RETRIEVE);
    saga.booking.refunded = 2000;
    takes(&saga, SAGA_CAPTURED, NOW, SAGA_DO_REFUND);
    takes(&saga, SAGA_UNKNOWN, NOW + 22 * HOUR - MINUTE, SAGA_DO_WAIT);
    takes(&saga, SAGA_TIMER, NOW + 22 * HOUR, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_CAPTURED, NOW + 22 * HOUR, SAGA_DO_REFUND);
    key_is(&saga, SAGA_DO_REFUND, "1:refund:2000:0");
    int64_t sent_ms = NOW + 22 * HOUR;
    takes(&saga, SAGA_UNKNOWN, sent_ms, SAGA_DO_WAIT);
    takes(&saga, SAGA_TIMER, sent_ms + 1, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_CAPTURED, sent_ms + 1, SAGA_DO_WAIT);
    assert_true(saga.retry_ms >= sent_ms + 10 * MINUTE);
    takes(&saga, SAGA_HINT, sent_ms + MINUTE, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_CAPTURED, sent_ms + MINUTE, SAGA_DO_WAIT);
    int64_t later_ms = saga.retry_ms;
    takes(&saga, SAGA_TIMER, later_ms, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_CAPTURED, later_ms, SAGA_DO_REFUND);
    key_is(&saga, SAGA_DO_REFUND, "1:refund:2000:0:22");
}

static void the_next_era_is_not_begun_by_a_retrieve_that_was_not_sent(void **state) {
    /* Red if what follows a question that was never put takes it for answered. */
    (void)state;
    struct saga saga = saga_in(SAGA_CANCELLING, SAGA_DO_CANCEL);
    takes(&saga, SAGA_NOT_SENT, NOW, SAGA_DO_WAIT);
    takes(&saga, SAGA_TIMER, NOW + 23 * HOUR, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_NOT_SENT, NOW + 23 * HOUR, SAGA_DO_WAIT);
    takes(&saga, SAGA_TIMER, NOW + 23 * HOUR, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_AUTHORIZED, NOW + 23 * HOUR, SAGA_DO_CANCEL);
    key_is(&saga, SAGA_DO_CANCEL, "1:cancel:0:0:23");
}

static void after_a_restart_the_last_call_of_the_life_before_is_in_doubt(void **state) {
    /* Red if the next era's refund is made while the last one's may be on its way. */
    (void)state;
    struct saga saga = {.booking = booking_in(SAGA_REFUNDING)};
    saga.booking.refunded = 2000;
    int64_t now_ms = NOW + 30 * HOUR;
    takes(&saga, SAGA_STARTED, now_ms, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_CAPTURED, now_ms, SAGA_DO_WAIT);
    assert_true(saga.retry_ms >= now_ms + 10 * MINUTE);
    now_ms = saga.retry_ms;
    takes(&saga, SAGA_TIMER, now_ms, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_CAPTURED, now_ms, SAGA_DO_REFUND);
    key_is(&saga, SAGA_DO_REFUND, "1:refund:2000:0:30");

    /* In the same era its key is sent again, at once: the gateway makes one of them. */
    saga = (struct saga){.booking = booking_in(SAGA_REFUNDING)};
    saga.booking.refunded = 2000;
    takes(&saga, SAGA_STARTED, NOW + HOUR, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_CAPTURED, NOW + HOUR, SAGA_DO_REFUND);
    key_is(&saga, SAGA_DO_REFUND, "1:refund:2000:0");
}

static void no_payment_is_begun_with_an_old_key(void **state) {
    /* Red if an intent is created, or confirmed, a day after it was first tried. */
    (void)state;
    struct saga saga = {.has_token = true, .booking = booking_in(SAGA_OPENED), .target = SAGA_OPENED};
    takes(&saga, SAGA_WRITTEN, NOW, SAGA_DO_CREATE);
    takes(&saga, SAGA_NOT_SENT, NOW, SAGA_DO_WAIT);
    writes(&saga, SAGA_TIMER, NOW + 25 * HOUR, SAGA_CANCELLED);
    saga.target = SAGA_CONFIRMING;
    takes(&saga, SAGA_WRITTEN, NOW, SAGA_DO_CONFIRM);
    takes(&saga, SAGA_NOT_SENT, NOW, SAGA_DO_WAIT);
    writes(&saga, SAGA_TIMER, NOW + 25 * HOUR, SAGA_CANCELLING);
}

static void a_human_who_is_quick_does_not_give_back_twice(void **state) {
    /* Red if the keys of the attempt after REVIEW are used while those of the one before are in doubt. */
    (void)state;
    struct saga saga = {.booking = booking_in(SAGA_REVIEW), .is_resumed = true};
    saga.booking.status = BOOKING_CONFIRMED;
    saga.booking.refunded = 2000;
    takes(&saga, SAGA_STARTED, NOW + MINUTE, SAGA_DO_RETRIEVE);
    writes(&saga, SAGA_CAPTURED, NOW + MINUTE, SAGA_REFUNDING);
    assert_int_equal(saga.booking.attempt, 2);
    takes(&saga, SAGA_WRITTEN, NOW + MINUTE, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_CAPTURED, NOW + MINUTE, SAGA_DO_WAIT);
    assert_int_equal(saga.retry_ms, NOW + 10 * MINUTE);
    takes(&saga, SAGA_TIMER, saga.retry_ms, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_CAPTURED, saga.retry_ms, SAGA_DO_REFUND);
    key_is(&saga, SAGA_DO_REFUND, "2:refund:2000:0");
}

/* ---- hints ---- */

static void a_hint_makes_who_waits_ask_at_once_and_once_a_second_at_most(void **state) {
    /* Red if hints make the saga spin, are lost, or disturb a call that is under way. */
    (void)state;
    struct saga saga = saga_in(SAGA_CAPTURING, SAGA_DO_CAPTURE);
    takes(&saga, SAGA_HINT, NOW, SAGA_DO_NOTHING);
    for (int i = 0; i < 12; i++) {
        takes(&saga, SAGA_UNKNOWN, NOW, SAGA_DO_WAIT);
        takes(&saga, SAGA_TIMER, NOW, SAGA_DO_RETRIEVE);
    }
    takes(&saga, SAGA_UNKNOWN, NOW, SAGA_DO_WAIT);
    takes(&saga, SAGA_HINT, NOW, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_UNKNOWN, NOW, SAGA_DO_WAIT);
    takes(&saga, SAGA_HINT, NOW + 10, SAGA_DO_WAIT);
    assert_int_equal(saga.retry_ms, NOW + 1000);
    takes(&saga, SAGA_HINT, NOW + 20, SAGA_DO_NOTHING);
    takes(&saga, SAGA_TIMER, NOW + 1000, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_UNKNOWN, NOW + 1000, SAGA_DO_WAIT);
    takes(&saga, SAGA_HINT, NOW + 1010, SAGA_DO_WAIT);
    assert_int_equal(saga.retry_ms, NOW + 2000);
}

static void what_has_no_intent_yet_has_nothing_to_ask_about(void **state) {
    /* Red if a hint asks about an intent without a name. */
    (void)state;
    struct saga saga = {.has_token = true, .booking = booking_in(SAGA_OPENED), .target = SAGA_OPENED};
    saga.booking.intent_id[0] = '\0';
    takes(&saga, SAGA_WRITTEN, NOW, SAGA_DO_CREATE);
    takes(&saga, SAGA_NOT_SENT, NOW, SAGA_DO_WAIT);
    takes(&saga, SAGA_HINT, NOW, SAGA_DO_NOTHING);
    saga = (struct saga){.booking = booking_in(SAGA_DONE), .looks_again = true};
    saga.booking.intent_id[0] = '\0'; /* it was free */
    takes(&saga, SAGA_STARTED, NOW, SAGA_DO_END);
}

/* ---- ends ---- */

/* What a look at an end comes to: the first action after the gateway was asked. */
static enum saga_action look(struct saga *saga, enum saga_state end, enum saga_event event, int64_t refunded,
                             int64_t already, int64_t confirmed_ms) {
    *saga = (struct saga){.booking = booking_in(end), .looks_again = true};
    saga->booking.status = end == SAGA_DONE ? BOOKING_CONFIRMED : BOOKING_CANCELLED;
    saga->booking.refunded = refunded;
    saga->booking.confirmed_ms = confirmed_ms;
    snprintf(saga->booking.reason, sizeof saga->booking.reason, "%s",
             end == SAGA_CANCELLED  ? "declined"
             : end == SAGA_REFUNDED ? "operator"
                                    : "");
    takes(saga, SAGA_STARTED, NOW + HOUR, SAGA_DO_RETRIEVE);
    saga->already_refunded = already;
    return saga_step(saga, event, NOW + HOUR, 0);
}

static void a_gateway_that_agrees_ends_the_look(void **state) {
    /* Red if a look changes anything where nothing has changed. */
    (void)state;
    struct saga saga;
    assert_int_equal(look(&saga, SAGA_DONE, SAGA_CAPTURED, 0, 0, NOW), SAGA_DO_END);
    assert_int_equal(look(&saga, SAGA_DONE, SAGA_CAPTURED, 700, 700, NOW), SAGA_DO_END);
    assert_int_equal(look(&saga, SAGA_CANCELLED, SAGA_VOIDED, 0, 0, 0), SAGA_DO_END);
    assert_int_equal(look(&saga, SAGA_CANCELLED, SAGA_INTENT_UNPAID, 0, 0, 0), SAGA_DO_END);
    assert_int_equal(look(&saga, SAGA_CANCELLED, SAGA_CAPTURED, 0, AMOUNT, 0), SAGA_DO_END);
    assert_int_equal(look(&saga, SAGA_REFUNDED, SAGA_CAPTURED, AMOUNT, AMOUNT, NOW), SAGA_DO_END);
    assert_int_equal(look(&saga, SAGA_REFUNDED, SAGA_VOIDED, AMOUNT, 0, NOW), SAGA_DO_END);
}

static void a_late_payment_gets_its_seats_again(void **state) {
    /* Red if it is sold before it holds its seats, or keeps the reason of its end. */
    (void)state;
    struct saga saga;
    assert_int_equal(look(&saga, SAGA_CANCELLED, SAGA_AUTHORIZED, 0, 0, 0), SAGA_DO_TAKE_SEATS);
    writes(&saga, SAGA_SEATS_TAKEN, NOW + HOUR, SAGA_CONFIRMING);
    assert_int_equal(saga.booking.status, BOOKING_PENDING);
    assert_int_equal(saga.booking.attempt, 2);
    assert_string_equal(saga.booking.reason, "");
    takes(&saga, SAGA_WRITTEN, NOW + HOUR, SAGA_DO_RETRIEVE);
    takes(&saga, SAGA_AUTHORIZED, NOW + HOUR, SAGA_DO_SELL);
    assert_int_equal(saga.booking.status, BOOKING_CONFIRMED);
    takes(&saga, SAGA_WRITTEN, NOW + HOUR, SAGA_DO_CAPTURE);
    key_is(&saga, SAGA_DO_CAPTURE, "2:capture:0:0");
}

static void a_late_payment_whose_seats_are_gone_is_undone(void **state) {
    /* Red if money stays where nothing can be sold for it. */
    (void)state;
    struct saga saga;
    assert_int_equal(look(&saga, SAGA_CANCELLED, SAGA_CAPTURED, 0, 0, 0), SAGA_DO_TAKE_SEATS);
    writes(&saga, SAGA_SEAT_LOST, NOW + HOUR, SAGA_CANCELLING);
    assert_string_equal(saga.booking.reason, "seat_unavailable");
    takes(&saga, SAGA_WRITTEN, NOW + HOUR, SAGA_DO_CANCEL);
    takes(&saga, SAGA_REFUSED, NOW + HOUR, SAGA_DO_WAIT);
    takes(&saga, SAGA_TIMER, NOW + HOUR, SAGA_DO_RETRIEVE);
    writes(&saga, SAGA_CAPTURED, NOW + HOUR, SAGA_REFUNDING);
    assert_int_equal(saga.booking.refunded, AMOUNT);

    assert_int_equal(look(&saga, SAGA_CANCELLED, SAGA_AUTHORIZED, 0, 0, NOW), SAGA_DO_WRITE); /* sold once */
    assert_int_equal(saga.target, SAGA_CANCELLING);
    assert_string_equal(saga.booking.reason, "declined");
}

static void what_cannot_be_at_an_end_goes_to_a_human(void **state) {
    /* Red if a difference between ledger and gateway is passed over, or told with another's reason. */
    (void)state;
    static const struct {
        enum saga_state end;
        enum saga_event event;
        int64_t refunded, already;
        const char *reason;
    } rows[] = {
        {SAGA_DONE, SAGA_CAPTURED, 0, 700, "refunded_at_gateway"},
        {SAGA_DONE, SAGA_CAPTURED, 700, 0, "refund_missing"},
        {SAGA_DONE, SAGA_AUTHORIZED, 0, 0, "not_captured_at_gateway"},
        {SAGA_DONE, SAGA_VOIDED, 0, 0, "not_captured_at_gateway"},
        {SAGA_REFUNDED, SAGA_CAPTURED, AMOUNT, 700, "refund_missing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct saga saga;
        assert_int_equal(look(&saga, rows[i].end, rows[i].event, rows[i].refunded, rows[i].already, NOW),
                         SAGA_DO_WRITE);
        assert_int_equal(saga.target, SAGA_REVIEW);
        assert_string_equal(saga.booking.reason, rows[i].reason);
        takes(&saga, SAGA_WRITTEN, NOW + HOUR, SAGA_DO_END);
    }
}

static void a_look_that_nobody_answers_ends(void **state) {
    /* Red if it waits for ever, and keeps the place of an open payment. */
    (void)state;
    struct saga saga;
    int64_t now_ms = NOW + HOUR;
    enum saga_action action = look(&saga, SAGA_CANCELLED, SAGA_UNKNOWN, 0, 0, 0);
    for (int i = 0; i < 20 && action == SAGA_DO_WAIT; i++) {
        now_ms = saga.retry_ms;
        takes(&saga, SAGA_TIMER, now_ms, SAGA_DO_RETRIEVE);
        action = saga_step(&saga, SAGA_NOT_SENT, now_ms, 0);
    }
    assert_int_equal(action, SAGA_DO_END);
    assert_true(saga.looked_in_vain);
    assert_in_range(now_ms - NOW - HOUR, 1000, 2 * MINUTE);
}

static void what_is_in_review_goes_on_from_what_the_gateway_says(void **state) {
    /* Red if a row of saga.h's picture is not as drawn. */
    (void)state;
    static const struct {
        enum booking_status status;
        enum saga_event event;
        int64_t refunded, already;
        enum saga_action action;
        enum saga_state target;
    } rows[] = {
        {BOOKING_CONFIRMED, SAGA_CAPTURED, 0, 0, SAGA_DO_WRITE, SAGA_DONE},
        {BOOKING_CONFIRMED, SAGA_CAPTURED, 700, 700, SAGA_DO_WRITE, SAGA_DONE},
        {BOOKING_CONFIRMED, SAGA_CAPTURED, 700, 0, SAGA_DO_WRITE, SAGA_REFUNDING},
        {BOOKING_CONFIRMED, SAGA_CAPTURED, 0, 700, SAGA_DO_WRITE, SAGA_REVIEW},
        {BOOKING_CONFIRMED, SAGA_AUTHORIZED, 0, 0, SAGA_DO_WRITE, SAGA_CAPTURING},
        {BOOKING_CONFIRMED, SAGA_VOIDED, 0, 0, SAGA_DO_UNSELL, SAGA_CANCELLED},
        {BOOKING_CONFIRMED, SAGA_INTENT_UNPAID, 0, 0, SAGA_DO_UNSELL, SAGA_CANCELLED},
        {BOOKING_CANCELLED, SAGA_CAPTURED, AMOUNT, 0, SAGA_DO_WRITE, SAGA_REFUNDING},
        {BOOKING_CANCELLED, SAGA_VOIDED, AMOUNT, 0, SAGA_DO_WRITE, SAGA_REFUNDING},
        {BOOKING_CANCELLED, SAGA_AUTHORIZED, AMOUNT, 0, SAGA_DO_WRITE, SAGA_CANCELLING},
        {BOOKING_PENDING, SAGA_AUTHORIZED, 0, 0, SAGA_DO_WRITE, SAGA_CANCELLING},
        {BOOKING_PENDING, SAGA_CAPTURED, 0, 0, SAGA_DO_WRITE, SAGA_CANCELLING},
        {BOOKING_PENDING, SAGA_REFUSED, 0, 0, SAGA_DO_END, SAGA_OPENED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct saga saga = {.booking = booking_in(SAGA_REVIEW), .is_resumed = true};
        saga.booking.status = rows[i].status;
        saga.booking.payment_state = PAYMENT_STATE_REVIEW;
        saga.booking.refunded = rows[i].refunded;
        snprintf(saga.booking.reason, sizeof saga.booking.reason, "capture_fails");
        takes(&saga, SAGA_STARTED, NOW + HOUR, SAGA_DO_RETRIEVE);
        saga.already_refunded = rows[i].already;
        takes(&saga, rows[i].event, NOW + HOUR, rows[i].action);
        assert_int_equal(saga.target, rows[i].target);
        bool has_left = rows[i].action != SAGA_DO_END && rows[i].target != SAGA_REVIEW;
        assert_int_equal(saga.booking.payment_state != PAYMENT_STATE_REVIEW, has_left);
    }
}

static void without_a_human_nothing_leaves_review(void **state) {
    /* Red if a restart, or a hint, drives on what a human is to look at. */
    (void)state;
    struct saga saga = {.booking = booking_in(SAGA_REVIEW)};
    takes(&saga, SAGA_STARTED, NOW, SAGA_DO_END);
    saga = (struct saga){.booking = booking_in(SAGA_REVIEW), .looks_again = true};
    takes(&saga, SAGA_STARTED, NOW, SAGA_DO_END);
}

/* ---- whatever comes ---- */

static void no_event_in_any_state_is_without_an_answer(void **state) {
    /* Red if a reply that nobody thought of stops the process, or ends a saga where it holds money. */
    (void)state;
    for (int at = 0; at < SAGA_STATE_COUNT; at++) {
        for (int event = SAGA_INTENT_CREATED; event < SAGA_EVENT_COUNT; event++) {
            struct saga saga = {.booking = booking_in((enum saga_state)at), .has_token = true, .looks_again = true};
            saga.is_resumed = at == SAGA_REVIEW;
            enum saga_action action = saga_step(&saga, SAGA_STARTED, NOW, 0);
            bool expected = event != SAGA_INTENT_CREATED && event != SAGA_REFUND_MADE;
            action = saga_step(&saga, (enum saga_event)event, NOW, 0);
            assert_true(action <= SAGA_DO_END);
            if (expected && at != SAGA_OPENED && !saga_state_is_end((enum saga_state)at))
                assert_true(action != SAGA_DO_NOTHING && action != SAGA_DO_END);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payment_past_its_deadline_is_cancelled_at_the_gateway_first),
        cmocka_unit_test(past_the_deadline_no_payment_is_begun_any_more),
        cmocka_unit_test(a_payment_authorized_past_its_deadline_is_sold),
        cmocka_unit_test(a_bank_that_thinks_and_says_no_has_declined),
        cmocka_unit_test(a_refusal_after_lost_answers_is_asked_about),
        cmocka_unit_test(what_is_refused_for_a_while_goes_to_a_human),
        cmocka_unit_test(what_fails_for_hours_goes_to_a_human),
        cmocka_unit_test(a_silent_gateway_is_waited_for),
        cmocka_unit_test(a_call_whose_own_answer_says_that_nothing_happened_is_not_repeated_at_once),
        cmocka_unit_test(busy_is_not_the_end_of_the_call_that_keeps_the_key_busy),
        cmocka_unit_test(keys_are_used_for_less_than_a_day),
        cmocka_unit_test(the_next_era_is_not_begun_by_a_retrieve_that_was_not_sent),
        cmocka_unit_test(after_a_restart_the_last_call_of_the_life_before_is_in_doubt),
        cmocka_unit_test(no_payment_is_begun_with_an_old_key),
        cmocka_unit_test(a_human_who_is_quick_does_not_give_back_twice),
        cmocka_unit_test(a_hint_makes_who_waits_ask_at_once_and_once_a_second_at_most),
        cmocka_unit_test(what_has_no_intent_yet_has_nothing_to_ask_about),
        cmocka_unit_test(a_gateway_that_agrees_ends_the_look),
        cmocka_unit_test(a_late_payment_gets_its_seats_again),
        cmocka_unit_test(a_late_payment_whose_seats_are_gone_is_undone),
        cmocka_unit_test(what_cannot_be_at_an_end_goes_to_a_human),
        cmocka_unit_test(a_look_that_nobody_answers_ends),
        cmocka_unit_test(what_is_in_review_goes_on_from_what_the_gateway_says),
        cmocka_unit_test(without_a_human_nothing_leaves_review),
        cmocka_unit_test(no_event_in_any_state_is_without_an_answer),
    };
    return cmocka_run_group_tests_name("saga", tests, NULL, NULL);
}
