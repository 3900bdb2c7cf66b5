#include "saga_world.h"
#include "base/panic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST_STEPS 400
#define MINUTE_MS 60000LL
#define LATEST_MS (9 * MINUTE_MS) /* a call arrives before that, or never */

uint64_t worlds_seen, ends_seen[SAGA_STATE_COUNT], reviews_left;

static void happen(struct small_world *world, enum saga_event event);

static struct small_world *copy_of(const struct small_world *world) {
    struct small_world *copy = malloc(sizeof *copy);
    assert_non_null(copy);
    *copy = *world;
    worlds_seen++;
    return copy;
}

/* A copy in which a fault happens; NULL: there were enough. */
static struct small_world *with_a_fault(const struct small_world *world) {
    if (!world->faults_left)
        return NULL;
    struct small_world *other = copy_of(world);
    other->faults_left--;
    return other;
}

/* ---- the gateway ---- */

static uint32_t intent_of(const char *id) {
    unsigned index = 0;
    return sscanf(id, "pi_%u", &index) == 1 ? index : UINT32_MAX;
}

static enum effect take_effect(struct small_gateway *gateway, const struct payment_call *call, uint32_t *index) {
    if (call->operation == PAYMENT_CREATE) {
        assert_true(gateway->intent_count < WORLD_MOST_INTENTS);
        *index = gateway->intent_count++;
        gateway->intents[*index] = (struct small_intent){.status = INTENT_REQUIRES_PAYMENT_METHOD};
        return EFFECT_DONE;
    }
    *index = intent_of(call->intent_id);
    assert_true(*index < gateway->intent_count);
    struct small_intent *intent = &gateway->intents[*index];
    switch (call->operation) {
    case PAYMENT_CONFIRM:
        if (intent->status != INTENT_REQUIRES_PAYMENT_METHOD)
            return EFFECT_FAILED;
        intent->status = INTENT_REQUIRES_CAPTURE;
        return EFFECT_DONE;
    case PAYMENT_CAPTURE:
        if (intent->status != INTENT_REQUIRES_CAPTURE)
            return EFFECT_FAILED;
        intent->status = INTENT_SUCCEEDED;
        intent->captured = call->amount;
        gateway->captures++;
        return EFFECT_DONE;
    case PAYMENT_CANCEL:
        if (intent->status == INTENT_SUCCEEDED || intent->status == INTENT_CANCELED)
            return EFFECT_FAILED;
        intent->status = INTENT_CANCELED;
        return EFFECT_DONE;
    case PAYMENT_REFUND:
        assert_true(call->amount > 0);
        if (intent->refunded + call->amount > intent->captured)
            return EFFECT_FAILED;
        intent->refunded += call->amount;
        return EFFECT_DONE;
    case PAYMENT_CREATE:
    case PAYMENT_RETRIEVE:
    case PAYMENT_LIST:
    case PAYMENT_OPERATION_COUNT:
        break;
    }
    fail_msg("not an effect");
    return EFFECT_FAILED;
}

static struct small_key *find_key(struct small_gateway *gateway, const char *key) {
    for (uint32_t i = 0; i < gateway->key_count; i++)
        if (strcmp(gateway->keys[i].key, key) == 0)
            return &gateway->keys[i];
    return NULL;
}

/* What a key stands for never changes, and it is not sent when the gateway may have forgotten it. */
static void check_key(const struct small_world *world, const struct small_key *key, const struct payment_call *call) {
    if (world->now_ms - key->first_ms > WORLD_DAY_MS)
        fail_msg("the key %s is sent after %lld s", key->key, (long long)(world->now_ms - key->first_ms) / 1000);
    if (key->operation != call->operation || key->amount != call->amount ||
        (call->operation != PAYMENT_CREATE && key->intent != intent_of(call->intent_id)))
        fail_msg("the key %s is sent again with other parameters", key->key);
}

enum way { /* of a call */
           WAY_GOOD,
           WAY_NOT_SENT,
           WAY_BUSY,
           WAY_LOST,
           WAY_ANSWER_LOST,
           WAY_LATE_BY_ONE, /* it arrives when nobody waits for it: before the next call but one */
           WAY_LATE_BY_TWO,
           WAY_ERROR,              /* a 500, stored */
           WAY_ERROR_AFTER_EFFECT, /* likewise, though it had its effect */
           WAY_DECLINED,
           WAY_COUNT
};

static void arrive(struct small_world *world, const struct payment_call *call, enum way way,
                   struct small_key **stored) {
    struct small_gateway *gateway = &world->gateway;
    struct small_key *key = find_key(gateway, call->idempotency_key);
    if (!key) {
        assert_true(gateway->key_count < WORLD_MOST_KEYS);
        key = &gateway->keys[gateway->key_count++];
        *key = (struct small_key){
            .operation = call->operation, .amount = call->amount, .first_ms = world->now_ms, .intent = UINT32_MAX};
        snprintf(key->key, sizeof key->key, "%s", call->idempotency_key);
        key->intent = intent_of(call->intent_id);
        key->effect = way == WAY_ERROR      ? EFFECT_ERROR
                      : way == WAY_DECLINED ? EFFECT_DECLINED
                                            : take_effect(gateway, call, &key->intent);
        if (way == WAY_ERROR_AFTER_EFFECT)
            key->effect = EFFECT_ERROR;
        key->status = key->intent < gateway->intent_count ? gateway->intents[key->intent].status : INTENT_NONE;
    }
    *stored = key;
}

static void read_answer(struct payment_call *call, const struct small_key *key) {
    call->status = key->status;
    switch (key->effect) {
    case EFFECT_DONE:
        call->outcome = PAYMENT_DONE;
        call->http_status = 200;
        if (call->operation == PAYMENT_CREATE)
            snprintf(call->result_id, sizeof call->result_id, "pi_%u", key->intent);
        break;
    case EFFECT_FAILED:
        call->outcome = PAYMENT_REFUSED;
        call->http_status = 400;
        break;
    case EFFECT_DECLINED:
        call->outcome = PAYMENT_DECLINED;
        call->http_status = 402;
        break;
    case EFFECT_ERROR:
        call->outcome = PAYMENT_UNKNOWN;
        call->http_status = 500;
        break;
    }
}

static void retrieve(struct small_world *world, struct payment_call *call) {
    const struct small_intent *intent = &world->gateway.intents[intent_of(call->intent_id)];
    call->outcome = PAYMENT_DONE;
    call->http_status = 200;
    call->status = intent->status;
    call->amount_received = intent->captured;
    call->amount_refunded = intent->refunded;
}

static bool is_possible(struct small_world *world, const struct payment_call *call, enum way way) {
    const struct small_key *key = find_key(&world->gateway, call->idempotency_key);
    switch (way) {
    case WAY_GOOD:
    case WAY_NOT_SENT:
    case WAY_LOST:
        return true;
    case WAY_BUSY: /* of retrieving it says no more than NOT_SENT */
    case WAY_ANSWER_LOST:
        return call->operation != PAYMENT_RETRIEVE;
    case WAY_LATE_BY_ONE:
    case WAY_LATE_BY_TWO:
        return call->operation != PAYMENT_RETRIEVE && !key && !world->gateway.late_in;
    case WAY_ERROR:
    case WAY_ERROR_AFTER_EFFECT:
        return call->operation != PAYMENT_RETRIEVE && !key;
    case WAY_DECLINED:
        return (call->operation == PAYMENT_CONFIRM || call->operation == PAYMENT_CAPTURE) && !key;
    case WAY_COUNT:
        break;
    }
    return false;
}

static void late_call_arrives(struct small_world *world) {
    struct small_key *stored;
    world->gateway.late_in = 0;
    arrive(world, &world->gateway.late, WAY_GOOD, &stored);
}

static void make_call(struct small_world *world, struct payment_call *call, enum way way) {
    struct small_gateway *gateway = &world->gateway;
    const struct small_key *key = find_key(gateway, call->idempotency_key);
    if (call->operation != PAYMENT_RETRIEVE && key)
        check_key(world, key, call);
    call->outcome = way == WAY_NOT_SENT ? PAYMENT_UNREACHED : PAYMENT_UNKNOWN;
    if (gateway->late_in && (--gateway->late_in == 0 || world->now_ms - gateway->late_sent_ms > LATEST_MS))
        late_call_arrives(world);
    struct small_key *stored;
    switch (way) {
    case WAY_NOT_SENT:
    case WAY_LOST:
        return;
    case WAY_BUSY:
        call->outcome = PAYMENT_BUSY;
        call->http_status = 409;
        return;
    case WAY_LATE_BY_ONE:
    case WAY_LATE_BY_TWO:
        gateway->late = *call;
        gateway->late_in = way == WAY_LATE_BY_ONE ? 2 : 3;
        gateway->late_sent_ms = world->now_ms;
        return;
    default:
        break;
    }
    if (call->operation == PAYMENT_RETRIEVE) {
        retrieve(world, call);
        return;
    }
    arrive(world, call, way, &stored);
    if (way != WAY_ANSWER_LOST)
        read_answer(call, stored);
}

/* ---- the process ---- */

/* It dies, and another takes the booking up from the ledger: the token is gone, and what was in memory. A hold that
 * belongs to no open payment ends by its time. */
static void crash(struct small_world *world) {
    world->is_held &= world->row.booking.status == BOOKING_PENDING;
    world->saga = (struct saga){.booking = world->row.booking, .looks_again = world->is_looking};
    happen(world, SAGA_STARTED);
}

static void branch_crash(const struct small_world *world) {
    struct small_world *other = with_a_fault(world);
    if (!other)
        return;
    crash(other);
    free(other);
}

static void call_gateway_that_way(struct small_world *world, struct payment_call *call, enum way way) {
    struct saga *saga = &world->saga;
    make_call(world, call, way);
    branch_crash(world);
    if (call->operation != PAYMENT_RETRIEVE)
        saga->answer_read = call->outcome != PAYMENT_DONE && call->http_status != 0;
    if (call->outcome == PAYMENT_DONE && call->operation == PAYMENT_CREATE)
        memcpy(saga->booking.intent_id, call->result_id, sizeof saga->booking.intent_id);
    if (call->outcome == PAYMENT_DONE && call->operation == PAYMENT_RETRIEVE)
        saga->already_refunded = call->amount_refunded;
    happen(world, saga_event_of(call));
}

static void call_gateway(struct small_world *world, enum saga_action action) {
    struct payment_call call = {0};
    saga_fill_call(&world->saga, action, &call);
    for (int way = WAY_COUNT - 1; way > WAY_GOOD; way--) {
        if (!is_possible(world, &call, (enum way)way))
            continue;
        struct small_world *other = with_a_fault(world);
        if (!other)
            break;
        struct payment_call same = call;
        call_gateway_that_way(other, &same, (enum way)way);
        free(other);
    }
    call_gateway_that_way(world, &call, WAY_GOOD);
}

static void write_row(struct small_world *world) {
    struct booking *written = &world->saga.booking, *row = &world->row.booking;
    written->updated_ms = world->now_ms;
    *row = *written;
    row->saga = world->saga.target;
    if (row->status == BOOKING_CANCELLED)
        world->is_held = false;
}

static void write(struct small_world *world) {
    branch_crash(world);
    write_row(world);
    branch_crash(world);
    happen(world, SAGA_WRITTEN);
}

static void lose_seat(struct small_world *world) {
    world->is_seat_lost = true;
    world->is_held = false;
    happen(world, SAGA_SEAT_LOST);
}

static void sell(struct small_world *world) {
    enum intent_status status = world->gateway.intents[intent_of(world->saga.booking.intent_id)].status;
    assert_true(status == INTENT_REQUIRES_CAPTURE || status == INTENT_SUCCEEDED);
    struct small_world *other = world->is_seat_lost ? NULL : with_a_fault(world);
    if (other)
        lose_seat(other);
    free(other);
    if (world->is_seat_lost) {
        lose_seat(world);
        return;
    }
    branch_crash(world);
    assert_false(world->row.tickets);
    world->saga.booking.confirmed_ms = world->now_ms;
    world->row.tickets = true;
    world->is_held = false;
    write_row(world);
    branch_crash(world);
    happen(world, SAGA_WRITTEN);
}

static void take_seats(struct small_world *world) {
    assert_false(world->is_held || world->row.tickets);
    struct small_world *other = world->is_seat_lost ? NULL : with_a_fault(world);
    if (other)
        lose_seat(other);
    free(other);
    if (world->is_seat_lost) {
        lose_seat(world);
        return;
    }
    world->is_held = true;
    happen(world, SAGA_SEATS_TAKEN);
}

static void unsell(struct small_world *world) {
    assert_true(world->row.tickets);
    world->row.tickets = false;
    write_row(world);
    branch_crash(world);
    happen(world, SAGA_WRITTEN);
}

static void pause_until(struct small_world *world, int64_t at_ms) {
    world->now_ms = world->saga.retry_ms > at_ms ? world->saga.retry_ms : at_ms;
    happen(world, SAGA_TIMER);
}

static void hint(struct small_world *world) {
    enum saga_action action = saga_step(&world->saga, SAGA_HINT, world->now_ms, 7);
    if (action == SAGA_DO_RETRIEVE)
        call_gateway(world, SAGA_DO_RETRIEVE);
}

static void deadline(struct small_world *world) {
    assert_int_equal(saga_step(&world->saga, SAGA_DEADLINE, world->now_ms, 7), SAGA_DO_NOTHING);
    pause_until(world, world->now_ms);
}

/* Somebody gives money back at the gateway, of what we are about to give back. */
static void give_beside(struct small_world *world) {
    struct small_intent *intent = &world->gateway.intents[intent_of(world->row.booking.intent_id)];
    world->has_contradicted = true;
    world->given_beside += 700;
    intent->refunded += 700;
    pause_until(world, world->now_ms);
}

/* A wait may be cut short, or something happen in it, or it may last: for some minutes, nearly as long as keys are
 * used, or for more than a day and nearly another hour. */
static void wait(struct small_world *world) {
    const struct booking *row = &world->row.booking;
    int64_t given = row->intent_id[0] ? world->gateway.intents[intent_of(row->intent_id)].refunded : 0;
    assert_true(world->saga.retry_ms >= world->now_ms);
    branch_crash(world);
    for (int how = 0; how < 6; how++) {
        bool is_possible = how == 1 ? !world->saga.deadline_passed
                           : how == 2
                               ? row->saga == SAGA_REFUNDING && !world->given_beside && given + 700 <= row->refunded
                               : true;
        struct small_world *other = is_possible ? with_a_fault(world) : NULL;
        if (!other)
            continue;
        switch (how) {
        case 0:
            hint(other);
            break;
        case 1:
            deadline(other);
            break;
        case 2:
            give_beside(other);
            break;
        case 3:
            pause_until(other, world->now_ms + 4 * MINUTE_MS);
            break;
        case 4:
            pause_until(other, world->now_ms + (22 * 60 - 2) * MINUTE_MS);
            break;
        default:
            pause_until(other, world->now_ms + (25 * 60 - 2) * MINUTE_MS);
        }
        free(other);
    }
    pause_until(world, world->now_ms);
}

/* ---- the promises ---- */

static void check_end(const struct small_world *world) {
    const struct booking *row = &world->row.booking;
    const struct small_gateway *gateway = &world->gateway;
    int64_t kept = 0;
    bool is_authorized = false;
    for (uint32_t i = 0; i < gateway->intent_count; i++) {
        const struct small_intent *intent = &gateway->intents[i];
        kept += intent->captured - intent->refunded;
        is_authorized |= intent->status == INTENT_REQUIRES_CAPTURE;
        if (intent->status != INTENT_REQUIRES_PAYMENT_METHOD)
            assert_int_equal(i, intent_of(row->intent_id));
    }
    ends_seen[row->saga]++;
    assert_true(gateway->captures <= 1);
    assert_int_equal(world->row.tickets, row->status == BOOKING_CONFIRMED);
    switch (row->saga) {
    case SAGA_DONE:
        assert_true(world->row.tickets && !world->is_held);
        assert_int_equal(row->payment_state, PAYMENT_STATE_CAPTURED);
        if (kept != WORLD_AMOUNT - row->refunded - world->given_beside)
            assert_int_equal(kept, WORLD_AMOUNT - row->refunded);
        break;
    case SAGA_CANCELLED:
    case SAGA_REFUNDED:
        assert_false(world->row.tickets || world->is_held || is_authorized);
        assert_int_equal(row->status, BOOKING_CANCELLED);
        assert_int_equal(kept, 0);
        break;
    case SAGA_REVIEW:
        /* Only where the gateway took back its own word. */
        assert_true(world->has_contradicted);
        assert_true(row->reason[0]);
        assert_int_equal(row->payment_state, PAYMENT_STATE_REVIEW);
        break;
    default:
        fail_msg("ended in %s", saga_state_name(row->saga));
    }
}

static void look(struct small_world *world, bool resume) {
    world->saga = (struct saga){.booking = world->row.booking, .looks_again = !resume, .is_resumed = resume};
    world->is_looking = !resume;
    happen(world, SAGA_STARTED);
}

/* The gateway is of another mind than the ledger. False: there is no such way. */
static bool contradict(struct small_world *world, int how) {
    const struct booking *row = &world->row.booking;
    if (!row->intent_id[0])
        return false;
    struct small_intent *intent = &world->gateway.intents[intent_of(row->intent_id)];
    world->has_contradicted = true;
    bool is_late = row->saga == SAGA_CANCELLED && (how == 0 || how == 1);
    if (is_late)
        *intent = (struct small_intent){.status = how == 0 ? INTENT_REQUIRES_CAPTURE : INTENT_SUCCEEDED,
                                        .captured = how == 0 ? 0 : WORLD_AMOUNT};
    else if (row->saga == SAGA_DONE && how == 0)
        intent->refunded += 700;
    else if (row->saga == SAGA_DONE && how == 1)
        *intent = (struct small_intent){.status = INTENT_CANCELED};
    else if (row->refunded >= 700 && intent->refunded && how == 2)
        intent->refunded -= 700; /* the fan's bank did not take it */
    else
        return false;
    /* The second capture of such a payment is its first. */
    world->gateway.captures = intent->status == INTENT_REQUIRES_CAPTURE ? 0 : world->gateway.captures;
    return true;
}

/* Each end is looked at once without a cause, and where it is still possible with each. A human resumes what is in
 * REVIEW, and again after that. */
static void end(struct small_world *world) {
    world->is_looking = false;
    if (world->gateway.late_in)
        late_call_arrives(world);
    check_end(world);
    for (int how = 0; how < 3 && world->row.booking.saga != SAGA_REVIEW; how++) {
        struct small_world *other = with_a_fault(world);
        if (other && contradict(other, how)) {
            other->has_looked = true;
            look(other, false);
        }
        free(other);
    }
    if (world->row.booking.saga == SAGA_REVIEW && world->resumed < 2) {
        world->resumed++;
        look(world, true);
    } else if (!world->has_looked) {
        world->has_looked = true;
        look(world, false);
    } else {
        reviews_left += world->row.booking.saga == SAGA_REVIEW;
    }
}

static void act(struct small_world *world, enum saga_action action) {
    if (++world->steps > MOST_STEPS)
        fail_msg("no end in sight: in %s", saga_state_name(world->row.booking.saga));
    switch (action) {
    case SAGA_DO_NOTHING:
        fail_msg("it waits for nothing, in %s", saga_state_name(world->row.booking.saga));
        break;
    case SAGA_DO_WRITE:
        write(world);
        break;
    case SAGA_DO_SELL:
        sell(world);
        break;
    case SAGA_DO_UNSELL:
        unsell(world);
        break;
    case SAGA_DO_TAKE_SEATS:
        take_seats(world);
        break;
    case SAGA_DO_WAIT:
        wait(world);
        break;
    case SAGA_DO_END:
        end(world);
        break;
    case SAGA_DO_CREATE:
    case SAGA_DO_CONFIRM:
    case SAGA_DO_RETRIEVE:
    case SAGA_DO_CAPTURE:
    case SAGA_DO_CANCEL:
    case SAGA_DO_REFUND:
        call_gateway(world, action);
    }
}

static void happen(struct small_world *world, enum saga_event event) {
    act(world, saga_step(&world->saga, event, world->now_ms, 7));
}

struct small_world *world_new(uint32_t faults) {
    struct small_world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->faults_left = faults;
    world->now_ms = WORLD_START_MS;
    world->is_held = true;
    world->saga.has_token = true;
    world->saga.booking = (struct booking){
        .amount = WORLD_AMOUNT, .currency = "EUR", .attempt = 1, .seat_count = 1, .updated_ms = world->now_ms};
    world->saga.booking.id.at[0] = 1;
    world->row.booking = world->saga.booking;
    worlds_seen = reviews_left = 0;
    memset(ends_seen, 0, sizeof ends_seen);
    return world;
}

struct small_world *world_sold(uint32_t faults) {
    struct small_world *world = world_new(faults);
    struct booking *booking = &world->row.booking;
    world->gateway.intent_count = 1;
    world->gateway.captures = 1;
    world->gateway.intents[0] = (struct small_intent){.status = INTENT_SUCCEEDED, .captured = WORLD_AMOUNT};
    world->is_held = false;
    world->row.tickets = true;
    booking->status = BOOKING_CONFIRMED;
    booking->payment_state = PAYMENT_STATE_CAPTURED;
    booking->saga = SAGA_DONE;
    booking->confirmed_ms = world->now_ms;
    snprintf(booking->intent_id, sizeof booking->intent_id, "pi_0");
    world->saga = (struct saga){.booking = *booking};
    return world;
}

void world_open(struct small_world *world) {
    world->saga.target = SAGA_OPENED;
    happen(world, SAGA_WRITTEN);
}

void world_refund(struct small_world *world, int64_t refunded) {
    struct booking *booking = &world->saga.booking;
    assert_true(booking->saga == SAGA_DONE);
    booking->refunded = refunded;
    if (refunded == WORLD_AMOUNT) {
        booking->status = BOOKING_CANCELLED;
        world->row.tickets = false;
    }
    world->saga.target = SAGA_REFUNDING;
    write_row(world);
    happen(world, SAGA_WRITTEN);
}
