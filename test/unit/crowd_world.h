/* A crowd without a server: a house made of documents, and answers by hand. */
#ifndef ONSALE_TEST_CROWD_WORLD_H
#define ONSALE_TEST_CROWD_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "crowd/request.h"

#include <stdlib.h>

#define SHOW "7f3c0c9e-0000-7000-8000-00000000000a"
#define NOW 1000000

static inline json_t *document_of(const char *text) {
    json_t *document = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(document);
    return document;
}

static inline bool take_text(bool (*take)(struct house *, const json_t *), struct house *house, const char *text) {
    json_t *document = document_of(text);
    bool taken = take(house, document);
    json_decref(document);
    return taken;
}

#define SHOW_DOCUMENT(status)                                                                                          \
    "{\"status\":\"" status "\",\"max_seats_per_user\":6,\"max_seats_per_reservation\":100,"                           \
    "\"cancellation\":{\"allowed\":true},\"waiting_room\":{\"enabled\":true},\"plan\":{\"hash\":\"aa\"},"              \
    "\"categories\":[{\"name\":\"Near\",\"available\":10},{\"name\":\"Far\",\"available\":0}]}"

#define OVERVIEW                                                                                                       \
    "{\"hash\":\"aa\",\"box\":[0,0,9,9],\"focus\":{\"x\":0,\"y\":0},\"sections\":["                                    \
    "{\"name\":\"Far\",\"outline\":[[8,8],[9,9]]},{\"name\":\"Near\",\"outline\":[[1,1],[2,2]]}]}"

/* Near: A1 A2 | A3 A4 A5, then B1 B2; seats 0 to 6 of the plan. */
#define NEAR_SECTION                                                                                                   \
    "{\"section\":1,\"first\":0,\"rows\":[{\"label\":\"A\",\"seats\":[[\"A1\",\"1\",0,0,0,0],[\"A2\",\"2\",0,0,0,1],"  \
    "[\"A3\",\"3\",0,0,0,0],[\"A4\",\"4\",0,0,0,0],[\"A5\",\"5\",0,0,0,0]]},"                                          \
    "{\"label\":\"B\",\"seats\":[[\"B1\",\"1\",0,0,0,0],[\"B2\",\"2\",0,0,0,0]]}]}"

/* A house that is open, its seats all free. */
static inline void open_house(struct house *house) {
    house_init(house);
    memcpy(house->show, SHOW, sizeof SHOW);
    assert_true(take_text(house_take_show, house, SHOW_DOCUMENT("ON_SALE")));
    assert_true(take_text(house_take_overview, house, OVERVIEW));
    assert_true(take_text(house_take_section, house, NEAR_SECTION));
    assert_true(house_take_bits(house, (struct bytes){"\0\0", 2}));
}

struct crowd_test {
    struct crowd_world world;
    struct fan fan;
    struct crowd_request request;
    int64_t now_ms;
};

static inline struct crowd_test *crowd_test_new(void) {
    struct crowd_test *test = calloc(1, sizeof *test);
    assert_non_null(test);
    test->world.habits =
        (struct crowd_habits){.pace = 1, .buyers_permille = 1000, .think_ms = 8000, .least_seats = 1, .most_seats = 6};
    memcpy(test->world.tag, "test", 5);
    test->world.kept_bookings = calloc(CROWD_KEPT_BOOKINGS, sizeof *test->world.kept_bookings);
    assert_non_null(test->world.kept_bookings);
    open_house(&test->world.house);
    test->now_ms = NOW;
    fan_init(&test->fan, chance_of_fan(7, 1), NOW);
    return test;
}

static inline void crowd_test_free(struct crowd_test *test) {
    house_release(&test->world.house);
    free(test->world.kept_bookings);
    free(test);
}

/* Time goes on to when the fan wakes: its call, written down in test->request. */
static inline enum fan_call next_call(struct crowd_test *test) {
    enum fan_call call = CALL_NONE;
    for (int i = 0; i < 100 && call == CALL_NONE; i++) {
        test->now_ms = test->fan.wakes.at_ms;
        call = fan_wake(&test->fan, &test->world, test->now_ms);
    }
    if (call != CALL_NONE)
        request_of_fan(&test->fan, call, &test->world.house, &test->request);
    return call;
}

static inline void hear_later(struct crowd_test *test, unsigned status, const char *body, int64_t retry_seconds) {
    json_t *document = body ? document_of(body) : NULL;
    struct fan_answer answer = {.status = status, .retry_after_seconds = retry_seconds, .body = document};
    fan_hear(&test->fan, &test->world, &answer, test->now_ms);
    json_decref(document);
}

static inline void hear(struct crowd_test *test, unsigned status, const char *body) {
    hear_later(test, status, body, 0);
}

#define JOINED "{\"queue_ticket\":\"q1.x\",\"position\":5000,\"place\":\"waiting\"}"
#define CALLED "{\"queue_ticket\":\"q1.x\",\"position\":7,\"place\":\"called\"}"
#define PASS "{\"pass\":\"ey.pass\"}"
#define RESERVATION "r00000000000000000000000000000001"
#define BOOKING "b00000000000000000000000000000002"
#define HELD "{\"reservation_id\":\"" RESERVATION "\",\"expires_in_seconds\":600,\"seat_ids\":[\"A1\",\"A2\"]}"
#define BOOKED(status) "{\"booking_id\":\"" BOOKING "\",\"status\":\"" status "\"}"

/* The fan makes that call next, and is answered. */
static inline void expect(struct crowd_test *test, enum fan_call call, unsigned status, const char *body) {
    assert_int_equal(next_call(test), call);
    hear(test, status, body);
}

/* Through the queue, in front of the map. */
static inline void let_in(struct crowd_test *test) {
    expect(test, CALL_JOIN, 201, CALLED);
    expect(test, CALL_CLAIM, 200, PASS);
    expect(test, CALL_SEATS, 200, NULL);
}

static inline void with_seats(struct crowd_test *test) {
    let_in(test);
    expect(test, CALL_RESERVE, 201, HELD);
}

#endif
