/* A queue's record, written step by step, for tests: each `record_…` appends one record; heads are hashed and signed as
 * they must be, so that a test breaks the one rule that it is about. */
#ifndef ONSALE_TEST_RECORD_WORLD_H
#define ONSALE_TEST_RECORD_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"
#include "waitroom/record_check.h"
#include "waitroom/shuffle.h"

#define RECORD_BEGAN 1700000000000LL
#define RECORD_BEACON "drand quicknet, round 1000"

struct record_world {
    struct buffer bytes;
    struct id show_id;
    struct key_generation key;
    int64_t now_ms;
    uint32_t joins;
    uint8_t seed[SHUFFLE_BYTES];
    uint8_t head[RECORD_HASH_BYTES]; /* the last */
    size_t hashed;                   /* up to here in it */
};

static inline void record_put(struct record_world *world, struct record_event event) {
    uint8_t bytes[RECORD_MOST_BYTES];
    buffer_add(&world->bytes, bytes, record_write(&event, bytes));
    assert_true(buffer_ok(&world->bytes));
}

static inline struct record_world *record_world_empty(void) {
    assert_true(sodium_init() >= 0);
    struct record_world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    buffer_init(&world->bytes, 64 * 1024 * 1024);
    for (uint8_t i = 0; i < 16; i++)
        world->show_id.at[i] = (uint8_t)(0xa0 + i);
    world->key.id = 0x01020304;
    memset(world->key.seed, 7, sizeof world->key.seed);
    key_derive(&world->key);
    memset(world->seed, 9, sizeof world->seed);
    world->now_ms = RECORD_BEGAN;
    return world;
}

static inline void record_key(struct record_world *world, const struct key_generation *key) {
    struct record_event event = {.kind = RECORD_KEY, .number = key->id};
    memcpy(event.public_key, key->public_key, sizeof event.public_key);
    record_put(world, event);
}

static inline void record_start(struct record_world *world, bool shuffled, struct bytes beacon) {
    struct record_event event = {.kind = RECORD_START, .time_ms = world->now_ms};
    event.start.show_id = world->show_id;
    event.start.beacon_name = beacon;
    if (shuffled)
        shuffle_commitment(&world->show_id, world->seed, beacon, event.start.commitment);
    record_put(world, event);
}

static inline void record_terms(struct record_world *world, uint32_t rate, uint32_t active, uint32_t pass_seconds) {
    record_put(world, (struct record_event){.kind = RECORD_TERMS,
                                            .time_ms = world->now_ms,
                                            .terms = {.rate_per_minute = rate,
                                                      .max_active = active,
                                                      .claim_seconds = 60,
                                                      .pass_seconds = pass_seconds}});
}

/* The ticket that this number has. */
static inline struct queue_ticket record_ticket(const struct record_world *world, uint32_t number) {
    struct queue_ticket ticket = {.show_id = world->show_id, .number = number, .issued_ms = RECORD_BEGAN};
    for (uint8_t i = 0; i < 8; i++)
        ticket.salt[i] = (uint8_t)(number * 8 + i);
    ticket.user.length = 4;
    memcpy(ticket.user.text, "fan", 3);
    ticket.user.text[3] = (char)('a' + number % 26);
    return ticket;
}

static inline void record_joins(struct record_world *world, uint32_t count) {
    while (count--) {
        struct queue_ticket ticket = record_ticket(world, ++world->joins);
        struct record_event event = {.kind = RECORD_JOIN, .time_ms = world->now_ms};
        event.blinded = record_blind(&world->show_id, ticket.salt, user_bytes(&ticket.user));
        record_put(world, event);
    }
}

/* LEFT, DOOR, ADMIT, END, UNKNOWN, FREEZE; CALL. */
static inline void record_of(struct record_world *world, enum record_kind kind, uint32_t number) {
    record_put(world, (struct record_event){.kind = kind,
                                            .time_ms = world->now_ms,
                                            .number = number,
                                            .open_ms = kind == RECORD_CALL ? world->now_ms - RECORD_BEGAN : 0});
}

static inline void record_seal(struct record_world *world) {
    struct record_event head = {.kind = RECORD_HEAD, .time_ms = world->now_ms, .open_ms = world->now_ms - RECORD_BEGAN};
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, world->head, sizeof world->head);
    crypto_hash_sha256_update(&state, (const uint8_t *)world->bytes.at + world->hashed,
                              world->bytes.length - world->hashed);
    crypto_hash_sha256_final(&state, head.head.hash);
    record_head_sign(&world->key, &world->show_id, world->bytes.length, &head);
    record_put(world, head);
    memcpy(world->head, head.head.hash, sizeof world->head);
    world->hashed = world->bytes.length;
}

static inline void record_open(struct record_world *world, uint32_t frozen, struct bytes beacon_value) {
    struct record_event event = {.kind = RECORD_OPEN, .time_ms = world->now_ms, .number = frozen};
    memcpy(event.open.seed, world->seed, sizeof event.open.seed);
    event.open.beacon_value = beacon_value;
    record_put(world, event);
}

/* START, KEY, TERMS: as every record begins. Arrival order, 600 a minute, room for three, passes of a minute. */
static inline struct record_world *record_world_new(void) {
    struct record_world *world = record_world_empty();
    record_start(world, false, BYTES(""));
    record_key(world, &world->key);
    record_terms(world, 600, 3, 60);
    return world;
}

/* Everything that a record may have, ending with a HEAD: eight in a shuffled pre-queue, two late comers (one
 * before the beacon spoke), a power loss. */
static inline struct record_world *record_world_of_all_kinds(void) {
    struct record_world *world = record_world_empty();
    uint8_t key[SHUFFLE_BYTES];
    uint32_t order[8];
    record_start(world, true, BYTES(RECORD_BEACON));
    record_key(world, &world->key);
    record_terms(world, 600, 3, 60);
    record_joins(world, 8);
    record_of(world, RECORD_LEFT, 2);
    record_seal(world);
    shuffle_key(&world->show_id, world->seed, world->head, BYTES("beacon value"), key);
    record_of(world, RECORD_FREEZE, 8);
    record_seal(world);
    record_joins(world, 1);
    world->now_ms += 5000;
    record_open(world, 8, BYTES("beacon value"));
    shuffle_order(key, 8, order);
    record_joins(world, 1);
    record_of(world, RECORD_CALL, 4);
    for (int i = 0, let_in = 0; i < 4 && let_in < 2; i++) {
        if (order[i] + 1 == 2)
            continue;
        if (let_in == 1)
            record_of(world, RECORD_DOOR, order[i] + 1);
        record_of(world, RECORD_ADMIT, order[i] + 1);
        if (let_in++ == 0) {
            world->now_ms += 1000;
            record_of(world, RECORD_END, order[i] + 1);
        }
    }
    record_seal(world);
    world->now_ms += 60000;
    record_of(world, RECORD_UNKNOWN, 12);
    record_terms(world, 1200, 2, 30);
    record_of(world, RECORD_CALL, 10);
    record_of(world, RECORD_ADMIT, 9);
    world->joins = 12;
    record_joins(world, 1);
    record_seal(world);
    return world;
}

static inline void record_world_free(struct record_world *world) {
    buffer_release(&world->bytes);
    free(world);
}

/* Those who have joined, and how many of them are called. */
static inline struct record_world *called(uint32_t joins, uint32_t serving) {
    struct record_world *world = record_world_new();
    record_joins(world, joins);
    record_of(world, RECORD_CALL, serving);
    return world;
}

/* ---- verdicts ---- */

static inline struct bytes bytes_of_world(const struct record_world *world) {
    return buffer_bytes(&world->bytes);
}

static inline struct record_findings found_good(const struct record_world *world, const struct queue_ticket *ticket) {
    struct record_findings findings;
    struct record_fault fault = {0};
    enum result result = record_check(bytes_of_world(world), ticket, &findings, &fault);
    if (result != RESULT_OK)
        print_error("at %llu: %s\n", (unsigned long long)fault.offset, fault.words);
    assert_int_equal(result, RESULT_OK);
    return findings;
}

/* Seals, checks, and frees: the fault's words have to have `words` in them. */
static inline void is_found_bad(struct record_world *world, const char *words) {
    struct record_findings findings = {.joins = 4711};
    struct record_fault fault = {0};
    record_seal(world);
    enum result result = record_check(bytes_of_world(world), NULL, &findings, &fault);
    if (result != RESULT_CORRUPT || !strstr(fault.words, words))
        print_error("wanted \"…%s…\", got %s \"%s\"\n", words, result_name(result), fault.words);
    assert_int_equal(result, RESULT_CORRUPT);
    assert_non_null(strstr(fault.words, words));
    assert_true(fault.offset < world->bytes.length);
    assert_int_equal(findings.joins, 4711);
    record_world_free(world);
}

static inline void is_found_good(struct record_world *world) {
    record_seal(world);
    (void)found_good(world, NULL);
    record_world_free(world);
}

#endif
