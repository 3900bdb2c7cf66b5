#include "gateway.h"
#include "memory.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

#define CALL_MS 10000 /* so long the server waits for an answer */

void gateway_init(struct gateway *gateway) {
    *gateway = (struct gateway){.key_mask = 1023};
    gateway->keys = memory_new(gateway->key_mask + 1, sizeof *gateway->keys);
}

void gateway_release(struct gateway *gateway) {
    memory_free(gateway->intents);
    memory_free(gateway->keys);
    memory_free(gateway->flights);
}

/* ---- idempotency keys ---- */

static struct gateway_key *find_key(struct gateway_key *keys, uint32_t mask, uint64_t hash) {
    uint32_t at = (uint32_t)hash & mask;
    while (keys[at].hash && keys[at].hash != hash)
        at = (at + 1) & mask;
    return &keys[at];
}

static struct gateway_key *key_of(struct gateway *gateway, const char *text) {
    uint64_t hash = 1;
    for (; *text; text++)
        hash = chance_mix(hash ^ (uint8_t)*text);
    if (gateway->key_count * 2 > gateway->key_mask) {
        uint32_t mask = gateway->key_mask * 2 + 1;
        struct gateway_key *keys = memory_new((size_t)mask + 1, sizeof *keys);
        for (uint32_t i = 0; i <= gateway->key_mask; i++)
            if (gateway->keys[i].hash)
                *find_key(keys, mask, gateway->keys[i].hash) = gateway->keys[i];
        memory_free(gateway->keys);
        gateway->keys = keys;
        gateway->key_mask = mask;
    }
    struct gateway_key *key = find_key(gateway->keys, gateway->key_mask, hash | 1);
    if (!key->hash) {
        key->hash = hash | 1;
        key->effect = KEY_RUNNING;
        gateway->key_count++;
        return key;
    }
    return key;
}

/* ---- webhooks ---- */

/* They come in any order, now and then twice. */
static void tell(struct world *world, uint32_t index) {
    struct chance *chance = &world->gateway_chance;
    uint32_t count = world_has(world, FAULT_gateway) && chance_permille(chance, 50) ? 2 : 1;
    for (uint32_t i = 0; i < count; i++) {
        world->gateway.webhooks++;
        events_add(&world->events, world->now_ms + 20 + chance_exponential(chance, 1500), EVENT_WEBHOOK, 0, index, 0);
    }
}

void gateway_calls(struct world *world, uint32_t index) {
    struct chance *chance = &world->gateway_chance;
    bool is_lost = world_has(world, FAULT_gateway) && chance_permille(chance, 200);
    if (!is_lost && world->server.is_up) {
        sagas_hint(world, world->gateway.intents[index].row, index);
        return;
    }
    gateway_webhook_refused(world, index);
}

void gateway_webhook_refused(struct world *world, uint32_t index) {
    struct chance *chance = &world->gateway_chance;
    events_add(&world->events, world->now_ms + 1000 + chance_exponential(chance, 20000), EVENT_WEBHOOK, 0, index, 0);
}

void gateway_webhook_taken(struct world *world) {
    world->gateway.webhooks--;
}

/* What was told to be at its end may not be. */
static void perhaps_come_late(struct world *world, uint32_t index) {
    struct chance *chance = &world->gateway_chance;
    if (world_has(world, FAULT_gateway) && chance_permille(chance, 60))
        events_add(&world->events, world->now_ms + chance_exponential(chance, 120000), EVENT_COMES_LATE, 0, index, 0);
}

/* ---- effects ---- */

static uint32_t intent_of(const struct payment_call *call) {
    unsigned index = 0;
    return sscanf(call->intent_id, "pi_%u", &index) == 1 ? index : 0;
}

static enum key_effect create(struct world *world, struct flight *flight, uint32_t *made) {
    struct gateway *gateway = &world->gateway;
    gateway->intents =
        memory_grow(gateway->intents, &gateway->intent_room, gateway->intent_count + 1, sizeof *gateway->intents);
    *made = gateway->intent_count++;
    gateway->intents[*made] =
        (struct intent){.status = INTENT_REQUIRES_PAYMENT_METHOD, .row = flight->row, .amount = flight->call.amount};
    world_note(world, HAPPENED_INTENT, *made, flight->row);
    return KEY_DONE;
}

static enum key_effect decline(struct world *world, uint32_t index) {
    world_note(world, HAPPENED_DECLINED, index, world->gateway.intents[index].row);
    tell(world, index);
    perhaps_come_late(world, index);
    return KEY_DECLINED;
}

static void authorize(struct world *world, uint32_t index) {
    struct intent *intent = &world->gateway.intents[index];
    intent->status = INTENT_REQUIRES_CAPTURE;
    if (world_has(world, FAULT_gateway) && chance_permille(&world->gateway_chance, 50))
        intent->capture_failures = (uint8_t)chance_between(&world->gateway_chance, 1, 5);
    world_note(world, HAPPENED_AUTHORIZED, index, intent->row);
    tell(world, index);
}

static enum key_effect confirm(struct world *world, uint32_t index, uint32_t card) {
    struct intent *intent = &world->gateway.intents[index];
    if (intent->status != INTENT_REQUIRES_PAYMENT_METHOD)
        return KEY_REFUSED;
    switch ((enum card)card) {
    case CARD_DECLINED:
        return decline(world, index);
    case CARD_WANTS_ACTION:
        intent->status = INTENT_REQUIRES_ACTION;
        return KEY_DONE;
    case CARD_IS_SLOW:
        intent->status = INTENT_PROCESSING;
        intent->settles_as =
            chance_permille(&world->gateway_chance, 800) ? INTENT_REQUIRES_CAPTURE : INTENT_REQUIRES_PAYMENT_METHOD;
        events_add(&world->events, world->now_ms + chance_exponential(&world->gateway_chance, 60000), EVENT_SETTLES, 0,
                   index, 0);
        return KEY_DONE;
    case CARD_GOOD:
        break;
    }
    authorize(world, index);
    return KEY_DONE;
}

void gateway_settles(struct world *world, uint32_t index) {
    struct intent *intent = &world->gateway.intents[index];
    if (intent->status != INTENT_PROCESSING)
        return;
    intent->status = intent->settles_as;
    if (intent->settles_as == INTENT_REQUIRES_CAPTURE)
        authorize(world, index);
    else
        decline(world, index);
}

static enum key_effect capture(struct world *world, uint32_t index) {
    struct gateway *gateway = &world->gateway;
    struct intent *intent = &gateway->intents[index];
    if (intent->status != INTENT_REQUIRES_CAPTURE)
        return KEY_REFUSED;
    if (intent->capture_failures) {
        intent->capture_failures--;
        return KEY_FAILED;
    }
    if (world_has(world, FAULT_gateway) && chance_permille(&world->gateway_chance, 3)) {
        intent->status = INTENT_CANCELED; /* the bank took the authorization back */
        world_note(world, HAPPENED_VOIDED, index, intent->row);
        tell(world, index);
        perhaps_come_late(world, index);
        return KEY_REFUSED;
    }
    intent->status = INTENT_SUCCEEDED;
    intent->captured = intent->amount;
    gateway->captured += intent->amount;
    world_note(world, HAPPENED_CAPTURED, index, intent->row);
    checks_captured(world, index);
    tell(world, index);
    return KEY_DONE;
}

static enum key_effect cancel(struct world *world, uint32_t index) {
    struct intent *intent = &world->gateway.intents[index];
    if (intent->status == INTENT_SUCCEEDED || intent->status == INTENT_CANCELED || intent->status == INTENT_PROCESSING)
        return KEY_REFUSED;
    intent->status = INTENT_CANCELED;
    world_note(world, HAPPENED_VOIDED, index, intent->row);
    tell(world, index);
    perhaps_come_late(world, index);
    return KEY_DONE;
}

static enum key_effect give_back(struct world *world, uint32_t index, int64_t amount) {
    struct intent *intent = &world->gateway.intents[index];
    if (amount <= 0 || intent->refunded + amount > intent->captured)
        return KEY_REFUSED;
    intent->refunded += amount;
    world->gateway.refunded += amount;
    world_note(world, HAPPENED_REFUNDED, index, (uint64_t)amount);
    tell(world, index);
    struct chance *chance = &world->gateway_chance;
    if (world_has(world, FAULT_gateway) && chance_permille(chance, 50))
        events_add(&world->events, world->now_ms + chance_exponential(chance, 60000), EVENT_TAKEN_BACK, 0, index,
                   (uint32_t)amount);
    return KEY_DONE;
}

void gateway_comes_late(struct world *world, uint32_t index) {
    struct intent *intent = &world->gateway.intents[index];
    bool is_over = intent->status == INTENT_REQUIRES_PAYMENT_METHOD || intent->status == INTENT_CANCELED;
    if (!is_over || !world_has(world, FAULT_gateway))
        return;
    intent->status = INTENT_REQUIRES_CAPTURE;
    if (chance_permille(&world->gateway_chance, 300)) {
        intent->status = INTENT_SUCCEEDED;
        intent->captured = intent->amount;
        world->gateway.captured += intent->amount;
    }
    world_note(world, HAPPENED_CAME_LATE, index, intent->status);
    tell(world, index);
}

void gateway_takes_back(struct world *world, uint32_t index, uint32_t amount) {
    if (!world_has(world, FAULT_gateway))
        return;
    world->gateway.intents[index].refunded -= amount;
    world->gateway.refunded -= amount;
    world_note(world, HAPPENED_TAKEN_BACK, index, amount);
    tell(world, index);
}

static enum key_effect take_effect(struct world *world, struct flight *flight, uint32_t *index) {
    const struct payment_call *call = &flight->call;
    if (call->operation == PAYMENT_CREATE)
        return create(world, flight, index);
    *index = intent_of(call);
    switch (call->operation) {
    case PAYMENT_CONFIRM:
        return confirm(world, *index, flight->card);
    case PAYMENT_CAPTURE:
        return capture(world, *index);
    case PAYMENT_CANCEL:
        return cancel(world, *index);
    case PAYMENT_REFUND:
        return give_back(world, *index, call->amount);
    case PAYMENT_CREATE:
    case PAYMENT_RETRIEVE:
    case PAYMENT_LIST:
    case PAYMENT_OPERATION_COUNT:
        break;
    }
    world_broken(world, "a call without an effect: %d", (int)call->operation);
}

/* ---- a call and its answer ---- */

/* What the answer says, once the call has come to that. */
static void word_answer(struct world *world, struct flight *flight, enum key_effect effect, uint32_t index,
                        enum intent_status status) {
    struct payment_call *call = &flight->call;
    call->status = status;
    if (index < world->gateway.intent_count) {
        call->amount_received = world->gateway.intents[index].captured;
        call->amount_refunded = world->gateway.intents[index].refunded;
    }
    call->http_status = 200;
    call->outcome = PAYMENT_DONE;
    switch (effect) {
    case KEY_RUNNING:
        call->http_status = 409;
        call->outcome = PAYMENT_BUSY;
        break;
    case KEY_DONE:
        if (call->operation == PAYMENT_CREATE)
            snprintf(call->result_id, sizeof call->result_id, "pi_%u", index);
        break;
    case KEY_DECLINED:
        call->http_status = 402;
        call->outcome = PAYMENT_DECLINED;
        snprintf(call->code, sizeof call->code, "card_declined");
        break;
    case KEY_REFUSED:
        call->http_status = 400;
        call->outcome = PAYMENT_REFUSED;
        snprintf(call->code, sizeof call->code, "payment_intent_unexpected_state");
        break;
    case KEY_FAILED:
        call->http_status = 500;
        call->outcome = PAYMENT_UNKNOWN;
        break;
    }
}

static void let_go(struct gateway *gateway, uint32_t index) {
    struct flight *flight = &gateway->flights[index];
    if (--flight->pending)
        return;
    flight->in_use = false;
    flight->next_free = gateway->free_flight;
    gateway->free_flight = index + 1;
}

void gateway_arrives(struct world *world, uint32_t index) {
    struct gateway *gateway = &world->gateway;
    struct flight *flight = &gateway->flights[index];
    uint32_t asked = intent_of(&flight->call);
    bool faulty = world_has(world, FAULT_gateway);
    bool is_busy = faulty && chance_permille(&world->gateway_chance, 10);
    bool fails = faulty && chance_permille(&world->gateway_chance, 10);
    bool errs = faulty && chance_permille(&world->gateway_chance, 10);
    if (world->now_ms < gateway->outage_ends_ms) {
        /* It was lost. */
    } else if (is_busy) {
        if (!flight->is_answered && asked < gateway->intent_count)
            word_answer(world, flight, KEY_RUNNING, asked, INTENT_NONE);
    } else if (flight->call.operation == PAYMENT_RETRIEVE) {
        if (!fails && !flight->is_answered)
            word_answer(world, flight, KEY_DONE, asked, gateway->intents[asked].status);
    } else {
        struct gateway_key *key = key_of(gateway, flight->call.idempotency_key);
        bool is_first = key->effect == KEY_RUNNING;
        if (is_first) {
            uint32_t made = asked;
            uint64_t hash = key->hash;
            enum key_effect effect = fails ? KEY_FAILED : take_effect(world, flight, &made);
            if (errs)
                effect = KEY_FAILED; /* after it */
            key = find_key(gateway->keys, gateway->key_mask, hash);
            key->effect = (uint8_t)effect;
            key->intent = made;
            key->status = made < gateway->intent_count ? (uint8_t)gateway->intents[made].status : INTENT_NONE;
        }
        flight = &gateway->flights[index];
        if (!flight->loses_answer && !flight->is_answered)
            word_answer(world, flight, (enum key_effect)key->effect, key->intent, (enum intent_status)key->status);
    }
    let_go(gateway, index);
}

void gateway_answered(struct world *world, uint32_t index) {
    struct flight *flight = &world->gateway.flights[index];
    flight->is_answered = true;
    uint32_t life = flight->life, saga = flight->saga;
    struct payment_call call = flight->call;
    let_go(&world->gateway, index);
    if (world->server.is_up && world->server.life == life)
        sagas_answered(world, saga, &call);
}

static void perhaps_fail(struct world *world) {
    struct gateway *gateway = &world->gateway;
    struct chance *chance = &world->gateway_chance;
    if (!world_has(world, FAULT_gateway) || world->now_ms < gateway->outage_ends_ms + 30000)
        return;
    if (chance_below(chance, 2000) == 0)
        gateway->outage_ends_ms = world->now_ms + chance_exponential(chance, 20000);
    if (chance_below(chance, 2000) == 0)
        gateway->slow_ends_ms = world->now_ms + chance_exponential(chance, 60000);
}

static uint32_t new_flight(struct gateway *gateway) {
    uint32_t index = gateway->free_flight;
    if (index) {
        gateway->free_flight = gateway->flights[--index].next_free;
        return index;
    }
    gateway->flights =
        memory_grow(gateway->flights, &gateway->flight_room, gateway->flight_count + 1, sizeof *gateway->flights);
    return gateway->flight_count++;
}

void gateway_submit(struct world *world, uint32_t saga, uint32_t row, uint32_t card, const struct payment_call *call) {
    struct gateway *gateway = &world->gateway;
    struct chance *chance = &world->gateway_chance;
    perhaps_fail(world);
    bool faulty = world_has(world, FAULT_gateway);
    int64_t there_ms = 5 + chance_exponential(chance, 60), back_ms = 5 + chance_exponential(chance, 200);
    if (world->now_ms < gateway->slow_ends_ms)
        there_ms += chance_exponential(chance, 6000);
    if (faulty && chance_permille(chance, 5))
        there_ms += chance_exponential(chance, 40000); /* its effect comes when nobody waits for it any more */
    uint32_t index = new_flight(gateway);
    struct flight *flight = &gateway->flights[index];
    *flight = (struct flight){.call = *call,
                              .life = world->server.life,
                              .saga = saga,
                              .row = row,
                              .card = card,
                              .in_use = true,
                              .loses_answer = faulty && chance_permille(chance, 10)};
    flight->call.outcome = PAYMENT_UNKNOWN;
    if (world->now_ms < gateway->outage_ends_ms && chance_permille(chance, 500)) {
        flight->call.outcome = PAYMENT_UNREACHED;
        flight->pending = 1;
        events_add(&world->events, world->now_ms + there_ms, EVENT_ANSWERED, 0, index, 0);
        return;
    }
    bool in_time = there_ms + back_ms < CALL_MS && !flight->loses_answer;
    flight->pending = 2;
    events_add(&world->events, world->now_ms + there_ms, EVENT_ARRIVES, 0, index, 0);
    events_add(&world->events, world->now_ms + (in_time ? there_ms + back_ms : CALL_MS), EVENT_ANSWERED, 0, index, 0);
}
