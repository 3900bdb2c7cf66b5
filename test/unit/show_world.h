/* A show and its fans for tests: `show_with_rows(2, 20)` is a show of rows A and B with seats A1 … B20, on a lock that
 * the test holds from start to end; steps drive it by seat and fan names; after each, the whole show is checked. */
#ifndef ONSALE_TEST_SHOW_WORLD_H
#define ONSALE_TEST_SHOW_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "seats/show_private.h"

#define NOW INT64_C(1800000000000)
#define HOLD_MS INT64_C(600000)
#define GRACE_MS INT64_C(60000)

struct world {
    struct show *show;
    struct plan *plan;
    uint64_t reservations_drawn;
    struct hold_refusal refusal;
    struct hold_warning warning;
};

/* Test documents are written with ' for ". */
static inline struct plan *plan_of_json(const char *text) {
    static char copy[64 * 1024];
    char pointer[256], detail[512];
    size_t length = strlen(text);
    json_t *document;
    struct plan *plan;
    hash_set_up();
    assert_true(length < sizeof copy);
    for (size_t i = 0; i < length; i++)
        copy[i] = text[i] == '\'' ? '"' : text[i];
    if (json_parse((struct bytes){copy, length}, &document, detail, sizeof detail) != RESULT_OK)
        fail_msg("the test's JSON: %s", detail);
    if (plan_read(document, &plan, pointer, sizeof pointer, detail, sizeof detail) != RESULT_OK)
        fail_msg("the test's plan: %s %s", pointer, detail);
    json_decref(document);
    return plan;
}

static inline struct show_settings world_settings(void) {
    struct show_settings settings = {
        .hold_seconds = 600, .grace_seconds = 60, .payment_attempts = 1, .currency = "EUR"};
    for (int i = 0; i < LIMIT_CATEGORIES_PER_SHOW; i++)
        settings.price[i] = 1000 * (i + 1);
    return settings;
}

static inline struct world world_of_plan(struct plan *plan) {
    static const struct id show_id = {{1, 2, 3, 14, 15, 16}};
    struct show_settings settings = world_settings();
    struct world world = {.plan = plan, .show = show_new(&show_id, plan, &settings, 1)};
    assert_non_null(world.show);
    show_lock(world.show);
    return world;
}

static inline struct world world_of_json(const char *text) {
    return world_of_plan(plan_of_json(text));
}

static inline struct world show_with_rows(unsigned rows, unsigned seats) {
    char text[256];
    snprintf(text, sizeof text, "{'sections':[{'name':'','rows':%u,'seats_per_row':%u,'category':'Standard'}]}", rows,
             seats);
    return world_of_json(text);
}

static inline void world_check(const struct world *world) {
    char why[200];
    if (!show_check(world->show, why, sizeof why))
        fail_msg("invariant %s", why);
}

static inline void world_set_orphan_rule(const struct world *world, enum orphan_rule rule) {
    struct show_settings settings = *show_settings(world->show);
    settings.orphan_rule = rule;
    show_configure(world->show, &settings);
}

static inline void world_end(struct world *world) {
    world_check(world);
    show_unlock(world->show);
    show_free(world->show);
    plan_free(world->plan);
}

static inline struct user_id user_named(const char *name) {
    struct user_id user = {.length = (uint8_t)strlen(name)};
    memcpy(user.text, name, user.length);
    return user;
}

/* "A1 A2" */
static inline uint32_t seats_named(const struct world *world, const char *names, uint32_t *seats) {
    uint32_t count = 0;
    for (const char *at = names; *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        seats[count] = plan_find_seat(world->plan, (struct bytes){at, length});
        if (seats[count++] == PLAN_NO_SEAT)
            fail_msg("there is no seat %.*s", (int)length, at);
        at += length;
    }
    return count;
}

static inline uint32_t seat_named(const struct world *world, const char *name) {
    uint32_t seat;
    assert_int_equal(seats_named(world, name, &seat), 1);
    return seat;
}

static inline struct id next_reservation(struct world *world) {
    struct id reservation = {{0}};
    uint64_t number = ++world->reservations_drawn * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(reservation.at + 8, &number, sizeof number);
    return reservation;
}

static inline enum result take(struct world *world, const char *fan, const char *names, int64_t now_ms,
                               uint32_t *slot) {
    uint32_t seats[2 * LIMIT_SEATS_PER_HOLD];
    struct user_id user = user_named(fan);
    struct hold_wish wish = {.reservation = next_reservation(world),
                             .user = &user,
                             .seats = seats,
                             .seat_count = seats_named(world, names, seats)};
    enum result result = hold_take(world->show, &wish, now_ms, slot, &world->warning, &world->refusal);
    world_check(world);
    return result;
}

static inline enum result take_best(struct world *world, const char *fan, uint32_t quantity, uint32_t category,
                                    uint32_t *slot) {
    struct user_id user = user_named(fan);
    struct hold_wish wish = {
        .reservation = next_reservation(world), .user = &user, .best_quantity = quantity, .best_category = category};
    enum result result = hold_take(world->show, &wish, NOW, slot, &world->warning, &world->refusal);
    world_check(world);
    return result;
}

static inline enum result take_places(struct world *world, const char *fan, const char *area, uint32_t quantity,
                                      uint32_t *slot) {
    struct user_id user = user_named(fan);
    struct area_wish place = {plan_find_area(world->plan, bytes_of(area)), quantity};
    assert_int_not_equal(place.section, PLAN_NO_SEAT);
    struct hold_wish wish = {.reservation = next_reservation(world), .user = &user, .areas = &place, .area_count = 1};
    enum result result = hold_take(world->show, &wish, NOW, slot, &world->warning, &world->refusal);
    world_check(world);
    return result;
}

/* Takes, and it must work. */
static inline uint32_t taken(struct world *world, const char *fan, const char *names) {
    uint32_t slot = HOLD_NO_SLOT;
    assert_int_equal(take(world, fan, names, NOW, &slot), RESULT_OK);
    return slot;
}

static inline uint32_t paying(struct world *world, const char *fan, const char *names) {
    static const struct id booking = {{7}};
    uint32_t slot = taken(world, fan, names);
    assert_int_equal(hold_begin_payment(world->show, slot, &booking, false, NOW), RESULT_OK);
    world_check(world);
    return slot;
}

static inline uint32_t sold(struct world *world, const char *fan, const char *names) {
    uint32_t slot = paying(world, fan, names);
    hold_sell(world->show, slot);
    world_check(world);
    return slot;
}

/* The hold's seats, "A1 A2". Borrowed until the next call. */
static inline const char *seats_of(const struct world *world, uint32_t slot) {
    static char text[LIMIT_SEATS_PER_HOLD * (LIMIT_SEAT_ID_BYTES + 1) + 1];
    uint32_t seats[LIMIT_SEATS_PER_HOLD];
    uint32_t count = hold_seats(world->show, hold_at(world->show, slot), seats, LIMIT_SEATS_PER_HOLD);
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        struct bytes id = world->plan->seat_ids[seats[i]];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", i ? " " : "", (int)id.length, id.at);
    }
    return text;
}

/* Every seat of the names has the status. */
static inline void assert_seats(const struct world *world, const char *names, enum seat_status status) {
    uint32_t seats[LIMIT_SEATS_PER_HOLD], count = seats_named(world, names, seats);
    for (uint32_t i = 0; i < count; i++)
        if (show_seat_status(world->show, seats[i]) != status)
            fail_msg("seat number %u of %s has status %d", i + 1, names, show_seat_status(world->show, seats[i]));
}

#endif
