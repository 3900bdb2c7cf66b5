/* The saga in a small world: one booking, a gateway with Stripe's memory for keys, a ledger with one row, and every
 * order of up to FAULTS faults. A fault is a call that never arrives, one whose answer is lost before or after it took
 * effect, a stored 500, a decline, a seat lost to somebody else, a crash. Once the faults are used up, all goes well,
 * and the end must be one of the promised ones. */
#include "bookings/saga.h"
#include "base/panic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define FAULTS 3
#define MOST_STEPS 200
#define MOST_KEYS 64
#define AMOUNT 5000

enum effect { EFFECT_NONE, EFFECT_DONE, EFFECT_FAILED, EFFECT_DECLINED };

struct gateway {
    enum intent_status intent;
    int64_t captured, refunded;
    unsigned captures;
    unsigned key_count;
    struct {
        char key[96];
        enum effect effect; /* what the first call with it came to: replayed to the others */
    } keys[MOST_KEYS];
};

struct world {
    struct saga saga;
    struct gateway gateway;
    enum saga_state ledger_state; /* the row */
    enum booking_status ledger_status;
    int64_t ledger_refunded;
    char ledger_intent[PAYMENT_ID_BYTES];
    bool tickets;   /* sold in the ledger */
    bool seat_lost; /* somebody else has the seat */
    bool told_confirmed;
    unsigned faults_left;
    unsigned steps;
    int64_t now_ms;
};

static uint64_t ends_seen[SAGA_STATE_COUNT];
static uint64_t worlds;

/* ---- the gateway ---- */

static enum effect take_effect(struct gateway *gateway, const struct payment_call *call) {
    switch (call->operation) {
    case PAYMENT_CREATE:
        gateway->intent = INTENT_REQUIRES_PAYMENT_METHOD;
        return EFFECT_DONE;
    case PAYMENT_CONFIRM:
        if (gateway->intent != INTENT_REQUIRES_PAYMENT_METHOD)
            return EFFECT_FAILED;
        gateway->intent = INTENT_REQUIRES_CAPTURE;
        return EFFECT_DONE;
    case PAYMENT_CAPTURE:
        if (gateway->intent != INTENT_REQUIRES_CAPTURE)
            return EFFECT_FAILED;
        gateway->intent = INTENT_SUCCEEDED;
        gateway->captured = call->amount;
        gateway->captures++;
        return EFFECT_DONE;
    case PAYMENT_CANCEL:
        if (gateway->intent == INTENT_SUCCEEDED || gateway->intent == INTENT_CANCELED)
            return EFFECT_FAILED;
        gateway->intent = INTENT_CANCELED;
        return EFFECT_DONE;
    case PAYMENT_REFUND:
        if (gateway->refunded + call->amount > gateway->captured)
            return EFFECT_FAILED;
        gateway->refunded += call->amount;
        return EFFECT_DONE;
    case PAYMENT_RETRIEVE:
    case PAYMENT_OPERATION_COUNT:
        break;
    }
    fail_msg("not an effect");
    return EFFECT_NONE;
}

static enum effect *remembered(struct gateway *gateway, const char *key) {
    for (unsigned i = 0; i < gateway->key_count; i++)
        if (strcmp(gateway->keys[i].key, key) == 0)
            return &gateway->keys[i].effect;
    return NULL;
}

static void remember(struct gateway *gateway, const char *key, enum effect effect) {
    assert_true(gateway->key_count < MOST_KEYS);
    snprintf(gateway->keys[gateway->key_count].key, sizeof gateway->keys[0].key, "%s", key);
    gateway->keys[gateway->key_count++].effect = effect;
}

static void answer(const struct gateway *gateway, struct payment_call *call, enum effect effect, bool server_error) {
    call->http_status = 200;
    call->outcome = PAYMENT_DONE;
    call->status = gateway->intent;
    if (effect == EFFECT_DECLINED) {
        call->outcome = PAYMENT_DECLINED;
        call->http_status = 402;
    } else if (effect == EFFECT_FAILED) {
        call->outcome = server_error ? PAYMENT_UNKNOWN : PAYMENT_REFUSED;
        call->http_status = server_error ? 500 : 400;
    } else if (call->operation == PAYMENT_CREATE) {
        snprintf(call->result_id, sizeof call->result_id, "pi_1");
    }
}

enum way { WAY_GOOD, WAY_NOT_SENT, WAY_LOST_BEFORE, WAY_LOST_AFTER, WAY_STORED_500, WAY_DECLINED, WAY_COUNT };

/* Makes the call go that way. False: that way is none for this call. */
static bool make_call(struct gateway *gateway, struct payment_call *call, enum way way) {
    if (call->operation == PAYMENT_RETRIEVE) {
        if (way == WAY_GOOD) {
            answer(gateway, call, EFFECT_DONE, false);
            call->amount_refunded = gateway->refunded;
        } else if (way == WAY_LOST_AFTER) {
            call->outcome = PAYMENT_UNKNOWN;
        }
        return way == WAY_GOOD || way == WAY_LOST_AFTER;
    }
    enum effect *before = remembered(gateway, call->idempotency_key);
    if (way == WAY_NOT_SENT || way == WAY_LOST_BEFORE) {
        call->outcome = way == WAY_NOT_SENT ? PAYMENT_UNREACHED : PAYMENT_UNKNOWN;
        return true;
    }
    if (before && (way == WAY_STORED_500 || way == WAY_DECLINED))
        return false;
    if (way == WAY_DECLINED && call->operation != PAYMENT_CONFIRM && call->operation != PAYMENT_CAPTURE)
        return false;
    enum effect effect = before                  ? *before
                         : way == WAY_STORED_500 ? EFFECT_FAILED
                         : way == WAY_DECLINED   ? EFFECT_DECLINED
                                                 : take_effect(gateway, call);
    bool server_error = way == WAY_STORED_500 || (before && effect == EFFECT_FAILED);
    if (!before)
        remember(gateway, call->idempotency_key, effect);
    if (way == WAY_LOST_AFTER)
        call->outcome = PAYMENT_UNKNOWN;
    else
        answer(gateway, call, effect, server_error);
    return true;
}

/* ---- the promises ---- */

static void check_end(const struct world *world) {
    const struct booking *booking = &world->saga.booking;
    const struct gateway *gateway = &world->gateway;
    int64_t kept = gateway->captured - gateway->refunded;
    ends_seen[world->ledger_state]++;
    assert_true(gateway->captures <= 1);
    switch (world->ledger_state) {
    case SAGA_DONE:
        assert_true(world->tickets && booking->status == BOOKING_CONFIRMED);
        assert_int_equal(kept, AMOUNT);
        break;
    case SAGA_CANCELLED:
        assert_false(world->tickets);
        assert_int_equal(kept, 0);
        assert_true(gateway->intent != INTENT_REQUIRES_CAPTURE);
        assert_int_equal(world->ledger_status, BOOKING_CANCELLED);
        break;
    case SAGA_REFUNDED:
        assert_false(world->tickets);
        assert_int_equal(kept, 0);
        break;
    default:
        fail_msg("ended in %s", saga_state_name(world->ledger_state));
    }
}

static void happen(struct world *world, enum saga_event event);

static void act(struct world *world, enum saga_action action);

/* The process dies, and another takes the booking up from the ledger: the token is gone, and what was in memory. */
static void crash(struct world *world) {
    struct booking booking = world->saga.booking;
    booking.saga = world->ledger_state;
    booking.status = world->ledger_status;
    booking.refunded = world->ledger_refunded;
    booking.reason[0] = '\0';
    memcpy(booking.intent_id, world->ledger_intent, sizeof booking.intent_id);
    world->saga = (struct saga){.booking = booking};
    happen(world, SAGA_STARTED);
}

static struct world *copy_of(const struct world *world) {
    struct world *copy = malloc(sizeof *copy);
    assert_non_null(copy);
    *copy = *world;
    worlds++;
    return copy;
}

/* Another world, in which the process died here. */
static void branch_crash(const struct world *world) {
    if (!world->faults_left)
        return;
    struct world *other = copy_of(world);
    other->faults_left--;
    crash(other);
    free(other);
}

static void call_gateway(struct world *world, enum saga_action action) {
    for (int way = WAY_COUNT - 1; way >= WAY_GOOD; way--) {
        if (way != WAY_GOOD && !world->faults_left)
            continue;
        struct world *other = copy_of(world);
        struct payment_call call = {0};
        saga_fill_call(&other->saga, action, &call);
        if (make_call(&other->gateway, &call, (enum way)way)) {
            other->faults_left -= way != WAY_GOOD;
            branch_crash(other);
            struct saga *saga = &other->saga;
            if (call.operation != PAYMENT_RETRIEVE)
                saga->answer_read = call.outcome != PAYMENT_DONE && call.http_status != 0;
            if (call.outcome == PAYMENT_DONE && call.operation == PAYMENT_CREATE)
                memcpy(saga->booking.intent_id, call.result_id, sizeof saga->booking.intent_id);
            if (call.operation == PAYMENT_RETRIEVE)
                saga->already_refunded = call.amount_refunded;
            happen(other, saga_event_of(&call));
        }
        free(other);
    }
}

static void write_row(struct world *world) {
    world->ledger_state = world->saga.target;
    world->ledger_status = world->saga.booking.status;
    world->ledger_refunded = world->saga.booking.refunded;
    memcpy(world->ledger_intent, world->saga.booking.intent_id, sizeof world->ledger_intent);
}

static void sell(struct world *world) {
    if (world->faults_left && !world->seat_lost) {
        struct world *other = copy_of(world);
        other->faults_left--;
        other->seat_lost = true;
        happen(other, SAGA_SEAT_LOST);
        free(other);
    }
    if (world->seat_lost) {
        happen(world, SAGA_SEAT_LOST);
        return;
    }
    assert_int_equal(world->gateway.intent == INTENT_REQUIRES_CAPTURE || world->gateway.intent == INTENT_SUCCEEDED, 1);
    world->tickets = true;
    write_row(world);
    branch_crash(world);
    happen(world, SAGA_WRITTEN);
}

static void act(struct world *world, enum saga_action action) {
    if (++world->steps > MOST_STEPS)
        fail_msg("no end in sight: in %s", saga_state_name(world->ledger_state));
    switch (action) {
    case SAGA_DO_NOTHING:
        fail_msg("it waits for nothing, in %s", saga_state_name(world->ledger_state));
        break;
    case SAGA_DO_WRITE:
        branch_crash(world);
        write_row(world);
        branch_crash(world);
        happen(world, SAGA_WRITTEN);
        break;
    case SAGA_DO_SELL:
        branch_crash(world);
        sell(world);
        break;
    case SAGA_DO_UNSELL:
        world->tickets = false;
        write_row(world);
        happen(world, SAGA_WRITTEN);
        break;
    case SAGA_DO_WAIT:
        assert_true(world->saga.retry_ms >= world->now_ms);
        world->now_ms = world->saga.retry_ms;
        branch_crash(world);
        happen(world, SAGA_TIMER);
        break;
    case SAGA_DO_END:
        check_end(world);
        break;
    default:
        call_gateway(world, action);
    }
}

static void happen(struct world *world, enum saga_event event) {
    act(world, saga_step(&world->saga, event, world->now_ms, 7));
}

static struct world *new_world(void) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->faults_left = FAULTS;
    world->now_ms = 1000000;
    world->saga.has_token = true;
    world->saga.booking = (struct booking){.amount = AMOUNT, .currency = "EUR", .attempt = 1, .seat_count = 1};
    world->saga.booking.id.at[0] = 1;
    memset(ends_seen, 0, sizeof ends_seen);
    return world;
}

/* Red if the round of a key rises while in doubt, if a capture is asked for before the sale is written, if a cancel is
 * taken as done unread. */
static void every_order_of_faults_ends_with_money_and_seats_agreeing(void **state) {
    (void)state;
    struct world *world = new_world();
    world->ledger_state = SAGA_OPENED;
    happen(world, SAGA_STARTED);
    assert_true(ends_seen[SAGA_DONE] > 0 && ends_seen[SAGA_CANCELLED] > 0);
    print_message("%llu worlds, %llu sold, %llu cancelled\n", (unsigned long long)worlds,
                  (unsigned long long)ends_seen[SAGA_DONE], (unsigned long long)ends_seen[SAGA_CANCELLED]);
    free(world);
}

/* Red if a refund forgets what was given back already: here 20.00 of 50.00, before. */
static void every_order_of_faults_gives_a_refund_once(void **state) {
    (void)state;
    struct world *world = new_world();
    world->gateway = (struct gateway){.intent = INTENT_SUCCEEDED, .captured = AMOUNT, .refunded = 2000, .captures = 1};
    world->saga.has_token = false;
    world->saga.booking.status = world->ledger_status = BOOKING_CANCELLED;
    world->saga.booking.refunded = world->ledger_refunded = AMOUNT;
    world->saga.booking.saga = world->ledger_state = SAGA_REFUNDING;
    snprintf(world->saga.booking.intent_id, sizeof world->saga.booking.intent_id, "pi_1");
    memcpy(world->ledger_intent, world->saga.booking.intent_id, sizeof world->ledger_intent);
    happen(world, SAGA_STARTED);
    assert_true(ends_seen[SAGA_REFUNDED] > 0);
    free(world);
}

/* Red if the deadline of the hold ends a payment without asking the gateway. */
static void a_payment_past_its_deadline_is_cancelled_at_the_gateway_first(void **state) {
    (void)state;
    struct saga saga = {.has_token = true,
                        .booking = {.amount = AMOUNT, .attempt = 1, .saga = SAGA_CONFIRMING, .intent_id = "pi_1"}};
    assert_int_equal(saga_step(&saga, SAGA_DEADLINE, 1, 0), SAGA_DO_NOTHING);
    assert_int_equal(saga_step(&saga, SAGA_UNKNOWN, 1, 0), SAGA_DO_WRITE);
    assert_int_equal(saga.target, SAGA_CANCELLING);
    assert_int_equal(saga_step(&saga, SAGA_WRITTEN, 1, 0), SAGA_DO_CANCEL);
    assert_int_equal(saga_step(&saga, SAGA_UNKNOWN, 1, 0), SAGA_DO_WAIT);
    assert_int_equal(saga_step(&saga, SAGA_TIMER, 100, 0), SAGA_DO_RETRIEVE);
    assert_int_equal(saga_step(&saga, SAGA_VOIDED, 100, 0), SAGA_DO_WRITE);
    assert_int_equal(saga.target, SAGA_CANCELLED);
}

/* Red if a payment is begun, or tried again, once the hold's deadline has passed. */
static void past_the_deadline_no_payment_is_begun_any_more(void **state) {
    (void)state;
    const struct booking opened = {.amount = AMOUNT, .attempt = 1, .saga = SAGA_OPENED};
    struct saga saga = {.has_token = true, .deadline_passed = true, .booking = opened};
    assert_int_equal(saga_step(&saga, SAGA_INTENT_CREATED, 1, 0), SAGA_DO_WRITE);
    assert_int_equal(saga.target, SAGA_CANCELLED);
    assert_string_equal(saga.booking.reason, "expired");

    saga = (struct saga){.has_token = true, .booking = opened};
    assert_int_equal(saga_step(&saga, SAGA_NOT_SENT, 1, 0), SAGA_DO_WAIT);
    assert_int_equal(saga_step(&saga, SAGA_DEADLINE, 2, 0), SAGA_DO_NOTHING);
    assert_int_equal(saga_step(&saga, SAGA_TIMER, 2, 0), SAGA_DO_WRITE);
    assert_int_equal(saga.target, SAGA_CANCELLED);

    saga = (struct saga){.has_token = true, .booking = opened};
    saga.target = SAGA_CONFIRMING;
    assert_int_equal(saga_step(&saga, SAGA_WRITTEN, 1, 0), SAGA_DO_CONFIRM);
    assert_int_equal(saga_step(&saga, SAGA_NOT_SENT, 1, 0), SAGA_DO_WAIT);
    assert_int_equal(saga_step(&saga, SAGA_DEADLINE, 2, 0), SAGA_DO_NOTHING);
    assert_int_equal(saga_step(&saga, SAGA_TIMER, 2, 0), SAGA_DO_WRITE);
    assert_int_equal(saga.target, SAGA_CANCELLING);
    assert_string_equal(saga.booking.reason, "expired");
}

/* Goes through so many calls of that kind whose answers are lost: each time the gateway says that nothing has happened
 * yet. */
static void lose_answers(struct saga *saga, unsigned count, enum saga_event asked, enum saga_action call) {
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(saga_step(saga, SAGA_UNKNOWN, i, 0), SAGA_DO_WAIT);
        assert_int_equal(saga_step(saga, SAGA_TIMER, i, 0), SAGA_DO_RETRIEVE);
        assert_int_equal(saga_step(saga, asked, i, 0), call);
    }
}

/* Red if failures of another kind count as refusals: then one refusal is taken for final without asking. */
static void a_capture_that_is_refused_after_lost_answers_is_asked_about(void **state) {
    (void)state;
    struct saga saga = {.booking = {.amount = AMOUNT, .attempt = 1, .saga = SAGA_CAPTURING, .intent_id = "pi_1"}};
    lose_answers(&saga, 6, SAGA_AUTHORIZED, SAGA_DO_CAPTURE);
    assert_int_equal(saga_step(&saga, SAGA_REFUSED, 7, 0), SAGA_DO_WAIT);
    assert_int_equal(saga_step(&saga, SAGA_TIMER, 8, 0), SAGA_DO_RETRIEVE);
    assert_int_equal(saga_step(&saga, SAGA_VOIDED, 9, 0), SAGA_DO_UNSELL);
    assert_int_equal(saga.target, SAGA_CANCELLED);
}

/* Red likewise. */
static void a_refund_that_is_refused_after_lost_answers_is_asked_about(void **state) {
    (void)state;
    struct saga saga = {.booking = {.amount = AMOUNT, .refunded = AMOUNT, .saga = SAGA_REFUNDING, .intent_id = "pi_1"}};
    lose_answers(&saga, 6, SAGA_CAPTURED, SAGA_DO_REFUND);
    assert_int_equal(saga_step(&saga, SAGA_REFUSED, 7, 0), SAGA_DO_WAIT);
    assert_int_equal(saga_step(&saga, SAGA_TIMER, 8, 0), SAGA_DO_RETRIEVE);
    saga.already_refunded = AMOUNT;
    assert_int_equal(saga_step(&saga, SAGA_CAPTURED, 9, 0), SAGA_DO_WRITE);
    assert_int_equal(saga.target, SAGA_REFUNDED);
}

/* Red if what is refused for good is asked for again and again. */
static void a_capture_that_is_always_refused_goes_to_a_human(void **state) {
    (void)state;
    struct saga saga = {.booking = {.amount = AMOUNT, .attempt = 1, .saga = SAGA_CAPTURING, .intent_id = "pi_1"}};
    enum saga_action action = saga_step(&saga, SAGA_REFUSED, 1, 0);
    for (unsigned i = 0; i < 100 && action == SAGA_DO_WAIT; i++) {
        assert_int_equal(saga_step(&saga, SAGA_TIMER, i, 0), SAGA_DO_RETRIEVE);
        assert_int_equal(saga_step(&saga, SAGA_AUTHORIZED, i, 0), SAGA_DO_CAPTURE);
        action = saga_step(&saga, SAGA_REFUSED, i, 0);
    }
    assert_int_equal(action, SAGA_DO_WRITE);
    assert_int_equal(saga.target, SAGA_REVIEW);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_capture_that_is_refused_after_lost_answers_is_asked_about),
        cmocka_unit_test(a_refund_that_is_refused_after_lost_answers_is_asked_about),
        cmocka_unit_test(a_capture_that_is_always_refused_goes_to_a_human),
        cmocka_unit_test(a_payment_past_its_deadline_is_cancelled_at_the_gateway_first),
        cmocka_unit_test(past_the_deadline_no_payment_is_begun_any_more),
        cmocka_unit_test(every_order_of_faults_gives_a_refund_once),
        cmocka_unit_test(every_order_of_faults_ends_with_money_and_seats_agreeing),
    };
    return cmocka_run_group_tests_name("saga world", tests, NULL, NULL);
}
