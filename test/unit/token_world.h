/* A keyring whose keys everybody can compute, and fans with places and passes of one show. */
#ifndef ONSALE_TEST_TOKEN_WORLD_H
#define ONSALE_TEST_TOKEN_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "waitroom/pass.h"
#include "waitroom/queue_ticket.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define NOW_MS INT64_C(1796644078120)
#define NOW_S (NOW_MS / 1000)

static inline void fill(uint8_t *bytes, size_t length, unsigned first) {
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(first + i);
}

/* Generation i (from 1): id i × 0x01010101, MAC key 16 i, 16 i + 1 …, seed 128 + 16 i … */
static inline struct key_generation generation_of(unsigned i) {
    struct key_generation key = {.id = i * 0x01010101u, .created_ms = (int64_t)i * 1000};
    fill(key.mac, sizeof key.mac, 16 * i);
    fill(key.seed, sizeof key.seed, 128 + 16 * i);
    key_derive(&key);
    return key;
}

/* Generations `first` … `last`. */
static inline struct keyring keyring_of(unsigned first, unsigned last) {
    struct keyring ring = {.count = last - first + 1};
    for (unsigned i = first; i <= last; i++)
        ring.of[i - first] = generation_of(i);
    fill(ring.blinding, sizeof ring.blinding, 200);
    return ring;
}

static inline struct id show_number(unsigned n) {
    struct id show_id;
    fill(show_id.at, sizeof show_id.at, n);
    return show_id;
}

static inline struct user_id user_of(struct bytes text) {
    struct user_id user = {.length = (uint8_t)text.length};
    assert_in_range(text.length, 1, LIMIT_USER_ID_BYTES);
    memcpy(user.text, text.at, text.length);
    return user;
}

static inline struct queue_ticket ticket_of(const char *user, uint32_t number) {
    struct queue_ticket ticket = {.show_id = show_number(1),
                                  .number = number,
                                  .issued_ms = NOW_MS,
                                  .salt = {1, 2, 3, 4, 5, 6, 7, 8},
                                  .user = user_of(bytes_of(user))};
    return ticket;
}

static inline struct pass pass_of(const char *user, uint32_t number) {
    struct pass pass = {.show_id = show_number(1),
                        .user = user_of(bytes_of(user)),
                        .number = number,
                        .issued_s = NOW_S,
                        .expires_s = NOW_S + 900};
    return pass;
}

struct text {
    size_t length;
    char at[2000];
};

static inline struct bytes text_bytes(const struct text *text) {
    return (struct bytes){text->at, text->length};
}

static inline struct text text_of(struct buffer *out) {
    struct text text = {.length = out->length};
    assert_true(buffer_ok(out) && out->length < sizeof text.at);
    memcpy(text.at, out->at, out->length);
    buffer_release(out);
    return text;
}

static inline struct text ticket_text(const struct keyring *ring, const struct queue_ticket *ticket) {
    struct buffer out;
    buffer_init(&out, LIMIT_QUEUE_TICKET_BYTES);
    queue_ticket_write(ring, ticket, &out);
    return text_of(&out);
}

static inline struct text pass_text(const struct keyring *ring, const struct pass *pass) {
    struct buffer out;
    buffer_init(&out, LIMIT_PASS_BYTES);
    pass_write(ring, 0, pass, &out);
    return text_of(&out);
}

static inline bool same_user(const struct user_id *a, const struct user_id *b) {
    return bytes_equal(user_bytes(a), user_bytes(b));
}

#endif
