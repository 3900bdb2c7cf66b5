/* The decisions of a simulated fan, without a server: answers by hand, time by hand. */
#include "crowd_world.h"

static const struct {
    unsigned status;
    const char *body;
} answers[] = {
    {0, NULL},
    {200, NULL},
    {200, "{}"},
    {200, "[]"},
    {200, "{\"queue_ticket\":1,\"pass\":2,\"reservation_id\":3,\"booking_id\":4,\"status\":5,\"position\":-1}"},
    {200, "{\"status\":\"ON_SALE\",\"serving\":1}"},
    {200, "{\"status\":\"PAUSED\",\"retry_after_seconds\":99999999,\"poll\":{\"max_seconds\":-5}}"},
    {200, "{\"status\":\"SOLD_OUT\"}"},
    {200, JOINED},
    {200, PASS},
    {201, HELD},
    {200, BOOKED("CONFIRMED")},
    {200, BOOKED("PENDING")},
    {200, BOOKED("CANCELLED")},
    {202, NULL},
    {202, BOOKED("PENDING")},
    {204, NULL},
    {302, NULL},
    {400, "{\"code\":\"bad_request\"}"},
    {401, "{\"code\":\"pass_expired\"}"},
    {402, "{\"code\":\"payment_declined\",\"attempts_left\":0}"},
    {402, "{\"code\":\"payment_declined\",\"attempts_left\":2}"},
    {403, "{\"code\":\"proof_required\"}"},
    {404, "{\"code\":\"reservation_not_found\"}"},
    {408, NULL},
    {409, "{\"code\":\"seat_unavailable\"}"},
    {409, "{\"code\":\"no_adjacent_seats\"}"},
    {409, "{\"code\":\"leaves_orphan\"}"},
    {409, "{\"code\":\"sold_out\"}"},
    {409, "{\"code\":\"sale_not_open\"}"},
    {409, "{\"code\":\"payment_in_progress\"}"},
    {409, "{\"code\":\"something_new\"}"},
    {409, NULL},
    {410, "{\"code\":\"turn_missed\"}"},
    {422, "{\"code\":\"too_many_seats\"}"},
    {425, "{\"code\":\"not_your_turn\",\"position\":9}"},
    {425, "{\"code\":\"at_the_door\"}"},
    {429, NULL},
    {500, NULL},
    {503, "{\"code\":\"overloaded\"}"},
};
#define ANSWERS (sizeof answers / sizeof answers[0])
#define LONGEST_MS 1800000

/* A fan in that state, as one is who came there. */
static void put_into(struct crowd_test *test, enum fan_state state) {
    fan_init(&test->fan, chance_of_fan(3, state), NOW);
    test->now_ms = NOW;
    test->fan.state = (uint8_t)state;
    memcpy(test->fan.user, "crowd-test-1", sizeof "crowd-test-1");
    memcpy(test->fan.queue_ticket, "q1.x", 5);
    memcpy(test->fan.pass, "ey.p", 5);
    memcpy(test->fan.reservation, RESERVATION, sizeof RESERVATION);
    memcpy(test->fan.booking, BOOKING, sizeof BOOKING);
    test->fan.position = 5000;
    test->fan.wanted_seats = 2;
}

static bool has_call(enum fan_state state) {
    return state != FAN_RESTING && state != FAN_THINKING;
}

static void in_every_state_every_answer_sets_the_next_step(void **state) {
    /* red when: a field of the table is left out, or an answer is believed to have what it has not */
    struct crowd_test *test = crowd_test_new();
    for (unsigned in = 0; in < FAN_STATES; in++) {
        for (unsigned i = 0; i < ANSWERS && has_call(in); i++) {
            put_into(test, in);
            assert_int_not_equal(next_call(test), CALL_NONE);
            hear(test, answers[i].status, answers[i].body);
            assert_in_range(test->fan.wakes.at_ms, test->now_ms, test->now_ms + LONGEST_MS);
            assert_int_not_equal(next_call(test), CALL_NONE);
        }
    }
    crowd_test_free(test);
    (void)state;
}

/* So many calls until the fan rests, whatever comes; `draw` says which answer. */
static unsigned calls_until_rest(struct crowd_test *test, const unsigned *allowed, unsigned count,
                                 struct chance *chance) {
    for (unsigned calls = 0; calls < 2000; calls++) {
        if (test->fan.state == FAN_RESTING)
            return calls;
        unsigned i = allowed[chance_below(chance, count)];
        if (next_call(test) == CALL_JOIN && test->fan.state == FAN_JOINING && calls && !test->fan.queue_ticket[0])
            return calls; /* rested, and came again */
        hear(test, answers[i].status, answers[i].body);
    }
    return UINT32_MAX;
}

static void no_state_is_without_an_exit_whatever_the_server_answers(void **state) {
    /* red when: come_back() does not count, or seats are tried for without end */
    struct crowd_test *test = crowd_test_new();
    struct chance chance = chance_of_fan(11, 0);
    unsigned all[ANSWERS];
    for (unsigned i = 0; i < ANSWERS; i++)
        all[i] = i;
    for (unsigned in = 0; in < FAN_STATES; in++) {
        for (unsigned round = 0; round < 50; round++) {
            put_into(test, in);
            assert_in_range(calls_until_rest(test, all, ANSWERS, &chance), 0, 1999);
        }
    }
    crowd_test_free(test);
    (void)state;
}

static bool is_a_wait_in_line(unsigned answer) {
    return answers[answer].status == 425 || (answers[answer].body && strstr(answers[answer].body, "PAUSED")) ||
           (answers[answer].body && strstr(answers[answer].body, "serving"));
}

static void one_answer_over_and_over_ends_every_visit_but_a_wait_in_line(void **state) {
    /* red when: a state takes an answer for ever */
    struct crowd_test *test = crowd_test_new();
    struct chance chance = chance_of_fan(12, 0);
    for (unsigned in = 0; in < FAN_STATES; in++) {
        for (unsigned i = 0; i < ANSWERS; i++) {
            if (is_a_wait_in_line(i))
                continue;
            put_into(test, in);
            assert_in_range(calls_until_rest(test, &i, 1, &chance), 0, 200);
        }
    }
    crowd_test_free(test);
    (void)state;
}

static void a_fan_goes_from_the_queue_to_a_booking(void **state) {
    /* red when: a step of the way is left out, or a call does not carry what the one before gave */
    struct crowd_test *test = crowd_test_new();
    assert_int_equal(next_call(test), CALL_JOIN);
    assert_string_equal(test->request.path, "/api/v1/shows/" SHOW "/queue");
    assert_string_equal(test->request.body, "{\"user_id\":\"crowd-test-1\"}");
    test->fan.has_bad_card = false;
    hear(test, 201, JOINED);
    expect(test, CALL_STATUS, 200, "{\"status\":\"ON_SALE\",\"serving\":5000}");
    assert_int_equal(next_call(test), CALL_CLAIM);
    assert_string_equal(test->request.body, "{\"queue_ticket\":\"q1.x\"}");
    hear(test, 200, PASS);
    expect(test, CALL_SEATS, 200, NULL);
    assert_int_equal(next_call(test), CALL_RESERVE);
    assert_string_equal(test->request.pass, "ey.pass");
    assert_string_equal(test->request.key, "crowd-test-1-1");
    hear(test, 201, HELD);
    assert_int_equal(next_call(test), CALL_CONFIRM);
    assert_string_equal(test->request.body,
                        "{\"reservation_id\":\"" RESERVATION "\",\"payment_token\":\"pm_card_visa\"}");
    hear(test, 200, BOOKED("CONFIRMED"));
    assert_int_equal(test->world.counts.seats_sold, 2);
    assert_int_equal(test->world.kept_count, 1);
    assert_int_equal(next_call(test), CALL_JOIN);
    assert_string_equal(test->request.body, "{\"user_id\":\"crowd-test-2\"}");
    crowd_test_free(test);
    (void)state;
}

/* Milliseconds until the next poll, of who is at 5000. */
static int64_t poll_after(struct crowd_test *test, const char *status) {
    put_into(test, FAN_QUEUEING);
    assert_int_equal(next_call(test), CALL_STATUS);
    hear(test, 200, status);
    assert_int_equal(test->fan.state, FAN_QUEUEING);
    return test->fan.wakes.at_ms - test->now_ms;
}

static void who_waits_asks_again_as_the_status_tells(void **state) {
    /* red when: the thousands ahead, the most, or the 20 % of chance are left out of the rule */
    struct crowd_test *test = crowd_test_new();
    assert_in_range(poll_after(test, "{\"status\":\"ON_SALE\",\"serving\":1000,\"retry_after_seconds\":4,\"poll\":{"
                                     "\"per_thousand_ahead_seconds\":10,\"max_seconds\":60}}"),
                    35200, 52800);
    assert_in_range(poll_after(test, "{\"status\":\"ON_SALE\",\"serving\":1000,\"retry_after_seconds\":4,\"poll\":{"
                                     "\"per_thousand_ahead_seconds\":10,\"max_seconds\":20}}"),
                    16000, 24000);
    assert_in_range(poll_after(test, "{\"status\":\"PRE_QUEUE\",\"serving\":0,\"retry_after_seconds\":60}"), 48000,
                    72000);
    crowd_test_free(test);
    (void)state;
}

static void a_place_drawn_at_the_opening_is_learnt_by_joining_again(void **state) {
    /* red when: a fan without a position waits for `serving` to reach it */
    struct crowd_test *test = crowd_test_new();
    expect(test, CALL_JOIN, 201, "{\"queue_ticket\":\"q1.x\",\"position\":null,\"place\":\"waiting\"}");
    expect(test, CALL_STATUS, 200, "{\"status\":\"PRE_QUEUE\",\"retry_after_seconds\":5}");
    expect(test, CALL_STATUS, 200, "{\"status\":\"ON_SALE\",\"serving\":0}");
    expect(test, CALL_JOIN, 201, CALLED);
    assert_string_equal(test->fan.user, "crowd-test-1");
    assert_int_equal(next_call(test), CALL_CLAIM);
    crowd_test_free(test);
    (void)state;
}

static void at_the_door_a_fan_knocks_again_and_before_it_waits_for_the_turn(void **state) {
    /* red when: both kinds of 425 are taken for the same, or Retry-After is not kept */
    struct crowd_test *test = crowd_test_new();
    expect(test, CALL_JOIN, 201, CALLED);
    assert_int_equal(next_call(test), CALL_CLAIM);
    hear_later(test, 425, "{\"code\":\"at_the_door\"}", 9);
    assert_in_range(test->fan.wakes.at_ms - test->now_ms, 9000, 10800);
    assert_int_equal(next_call(test), CALL_CLAIM);
    hear_later(test, 425, "{\"code\":\"not_your_turn\",\"position\":12}", 9);
    assert_int_equal(test->fan.position, 12);
    assert_int_equal(next_call(test), CALL_STATUS);
    crowd_test_free(test);
    (void)state;
}

static void who_is_told_to_come_later_is_not_there_earlier_and_gives_up_in_the_end(void **state) {
    /* red when: Retry-After is not the floor, there is no jitter, or no end */
    struct crowd_test *test = crowd_test_new();
    int64_t least = INT64_MAX, most = 0;
    for (unsigned round = 0; round < 9; round++) {
        assert_int_equal(next_call(test), CALL_JOIN);
        hear_later(test, round % 2 ? 429 : 503, NULL, 7);
        int64_t after = test->fan.wakes.at_ms - test->now_ms;
        assert_in_range(after, 7000, 37000);
        least = after < least ? after : least;
        most = after > most ? after : most;
    }
    assert_true(most > least);
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(next_call(test), CALL_JOIN);
        hear_later(test, 429, NULL, 7);
    }
    assert_int_equal(test->fan.state, FAN_RESTING);
    assert_int_equal(test->world.counts.gave_up, 1);
    crowd_test_free(test);
    (void)state;
}

static void seats_that_somebody_else_has_are_followed_by_the_next_best(void **state) {
    /* red when: the same seats are asked for again, or the new wish goes under the old key */
    struct crowd_test *test = crowd_test_new();
    let_in(test);
    test->fan.by_hand = true;
    test->fan.wanted_seats = 3;
    assert_int_equal(next_call(test), CALL_RESERVE);
    assert_string_equal(test->request.body, "{\"seat_ids\":[\"A3\",\"A4\",\"A5\"],\"user_id\":\"crowd-test-1\"}");
    hear(test, 409, "{\"code\":\"seat_unavailable\",\"seat_ids\":[\"A4\"]}");
    assert_int_equal(next_call(test), CALL_RESERVE);
    assert_non_null(strstr(test->request.body, "\"best_available\":{\"quantity\":3"));
    assert_string_equal(test->request.key, "crowd-test-1-2");
    assert_int_equal(test->world.counts.collisions, 1);
    for (unsigned tries = 1; tries < 5; tries++) {
        hear(test, 409, "{\"code\":\"no_adjacent_seats\"}");
        assert_int_equal(next_call(test), tries < 4 ? CALL_RESERVE : CALL_LEAVE);
    }
    assert_string_equal(test->request.pass, "ey.pass");
    crowd_test_free(test);
    (void)state;
}

static void a_wish_whose_answer_was_lost_is_the_same_wish_again(void **state) {
    /* red when: seats are drawn anew, or a new key is used, so that a fan gets two holds */
    struct crowd_test *test = crowd_test_new();
    let_in(test);
    assert_int_equal(next_call(test), CALL_RESERVE);
    struct crowd_request first = test->request;
    hear(test, 0, NULL);
    assert_int_equal(next_call(test), CALL_RESERVE);
    assert_string_equal(test->request.key, first.key);
    assert_string_equal(test->request.body, first.body);
    crowd_test_free(test);
    (void)state;
}

static void after_a_declined_card_another_one_pays(void **state) {
    /* red when: the bad card is tried again, or seats that are still held are let go */
    struct crowd_test *test = crowd_test_new();
    with_seats(test);
    test->fan.has_bad_card = true;
    assert_int_equal(next_call(test), CALL_CONFIRM);
    assert_non_null(strstr(test->request.body, "tok_declined"));
    hear(test, 402, "{\"code\":\"payment_declined\",\"attempts_left\":1}");
    assert_int_equal(next_call(test), CALL_CONFIRM);
    assert_non_null(strstr(test->request.body, "pm_card_visa"));
    hear(test, 402, "{\"code\":\"payment_declined\",\"attempts_left\":0}");
    expect(test, CALL_SEATS, 200, NULL);
    assert_int_equal(next_call(test), CALL_RESERVE);
    crowd_test_free(test);
    (void)state;
}

static void a_payment_under_way_is_asked_for_until_it_is_over(void **state) {
    /* red when: 202 is taken for a booking, or PENDING for an end */
    struct crowd_test *test = crowd_test_new();
    with_seats(test);
    expect(test, CALL_CONFIRM, 202, BOOKED("PENDING"));
    assert_int_equal(next_call(test), CALL_BOOKING);
    assert_string_equal(test->request.path, "/api/v1/bookings/" BOOKING);
    hear(test, 200, BOOKED("PENDING"));
    assert_int_equal(test->world.counts.bookings, 0);
    expect(test, CALL_BOOKING, 200, BOOKED("CONFIRMED"));
    assert_int_equal(test->world.counts.bookings, 1);
    assert_int_equal(test->fan.state, FAN_RESTING);
    crowd_test_free(test);
    (void)state;
}

static void who_does_not_buy_lets_go_or_walks_away(void **state) {
    /* red when: seats that are let go are not released, or who walks away tells somebody */
    struct crowd_test *test = crowd_test_new();
    with_seats(test);
    test->fan.intent = FAN_LETS_GO;
    assert_int_equal(next_call(test), CALL_RELEASE);
    assert_string_equal(test->request.method, "DELETE");
    assert_string_equal(test->request.path, "/api/v1/reservations/" RESERVATION);
    hear(test, 204, NULL);
    expect(test, CALL_LEAVE, 204, NULL);
    with_seats(test);
    test->fan.intent = FAN_WALKS_AWAY;
    assert_int_equal(next_call(test), CALL_JOIN);
    assert_int_equal(test->world.counts.walked_away, 1);
    crowd_test_free(test);
    (void)state;
}

static void nobody_thinks_longer_than_the_hold(void **state) {
    /* red when: a fan who thinks for long comes to pay after the end */
    struct crowd_test *test = crowd_test_new();
    test->world.habits.think_ms = 600000;
    for (unsigned round = 0; round < 20; round++) {
        put_into(test, FAN_CHOOSING);
        assert_int_equal(next_call(test), CALL_RESERVE);
        hear(test, 201, "{\"reservation_id\":\"" RESERVATION "\",\"expires_in_seconds\":10,\"seat_ids\":[]}");
        assert_in_range(test->fan.wakes.at_ms - test->now_ms, 0, 8000);
    }
    crowd_test_free(test);
    (void)state;
}

/* So many of a hundred fans who come give back a booking. */
static unsigned returns_of_a_hundred(struct crowd_test *test) {
    unsigned returns = 0;
    for (unsigned round = 0; round < 100; round++) {
        fan_init(&test->fan, chance_of_fan(99, round), NOW);
        test->world.kept_count = 1;
        assert_true(id_parse_letter(bytes_of(BOOKING), 'b', &test->world.kept_bookings[0]));
        returns += next_call(test) == CALL_CANCEL;
    }
    return returns;
}

static void in_a_full_house_bookings_come_back_where_that_is_allowed(void **state) {
    /* red when: they come back from an empty house, never, or against the show's terms */
    struct crowd_test *test = crowd_test_new();
    assert_int_equal(returns_of_a_hundred(test), 0);
    assert_true(house_take_bits(&test->world.house, (struct bytes){"\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\x2a", 10}));
    assert_in_range(returns_of_a_hundred(test), 60, 95);
    fan_init(&test->fan, chance_of_fan(99, 0), NOW);
    test->fan.state = FAN_RETURNING;
    test->fan.returned = test->world.kept_bookings[0];
    assert_int_equal(next_call(test), CALL_CANCEL);
    assert_string_equal(test->request.path, "/api/v1/bookings/" BOOKING "/cancel");
    hear(test, 202, NULL);
    assert_int_equal(test->world.counts.returned, 1);
    test->world.house.may_cancel = false;
    assert_int_equal(returns_of_a_hundred(test), 0);
    crowd_test_free(test);
    (void)state;
}

static void nobody_comes_to_a_show_that_is_shut(void **state) {
    /* red when: fans ask a show that they know to be closed */
    struct crowd_test *test = crowd_test_new();
    assert_true(take_text(house_take_show, &test->world.house, SHOW_DOCUMENT("PAUSED")));
    assert_int_equal(next_call(test), CALL_NONE);
    assert_int_equal(test->fan.state, FAN_RESTING);
    assert_true(take_text(house_take_show, &test->world.house, SHOW_DOCUMENT("PRE_QUEUE")));
    assert_int_equal(next_call(test), CALL_JOIN);
    crowd_test_free(test);
    (void)state;
}

static void without_a_waiting_room_a_fan_goes_straight_to_the_map_and_leaves_nothing(void **state) {
    /* red when: a show without a room is joined, or a place that never was is given up */
    struct crowd_test *test = crowd_test_new();
    test->world.house.has_room = false;
    expect(test, CALL_SEATS, 200, NULL);
    expect(test, CALL_RESERVE, 409, "{\"code\":\"sold_out\"}");
    assert_int_equal(test->fan.state, FAN_RESTING);
    assert_string_equal(test->request.pass, "");
    crowd_test_free(test);
    (void)state;
}

static void the_same_seed_decides_the_same(void **state) {
    /* red when: something but the seed is drawn from */
    struct crowd_test *one = crowd_test_new(), *other = crowd_test_new();
    struct chance chance = chance_of_fan(5, 0);
    for (unsigned i = 0; i < 500; i++) {
        assert_int_equal(next_call(one), next_call(other));
        assert_int_equal(one->now_ms, other->now_ms);
        assert_string_equal(one->request.body, other->request.body);
        unsigned answer = chance_below(&chance, ANSWERS);
        hear(one, answers[answer].status, answers[answer].body);
        hear(other, answers[answer].status, answers[answer].body);
    }
    crowd_test_free(one);
    crowd_test_free(other);
    (void)state;
}

static void at_ten_times_the_pace_humans_take_a_tenth_and_the_server_is_waited_for_in_full(void **state) {
    /* red when: the pace shortens what the server asks for */
    struct crowd_test *test = crowd_test_new();
    test->world.habits.pace = 1000;
    expect(test, CALL_JOIN, 201, JOINED);
    assert_in_range(test->fan.wakes.at_ms - test->now_ms, 0, 20);
    assert_int_equal(next_call(test), CALL_STATUS);
    hear(test, 200, "{\"status\":\"ON_SALE\",\"serving\":1,\"retry_after_seconds\":10}");
    assert_in_range(test->fan.wakes.at_ms - test->now_ms, 8000, 12000);
    crowd_test_free(test);
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fan_goes_from_the_queue_to_a_booking),
        cmocka_unit_test(in_every_state_every_answer_sets_the_next_step),
        cmocka_unit_test(no_state_is_without_an_exit_whatever_the_server_answers),
        cmocka_unit_test(one_answer_over_and_over_ends_every_visit_but_a_wait_in_line),
        cmocka_unit_test(who_waits_asks_again_as_the_status_tells),
        cmocka_unit_test(a_place_drawn_at_the_opening_is_learnt_by_joining_again),
        cmocka_unit_test(at_the_door_a_fan_knocks_again_and_before_it_waits_for_the_turn),
        cmocka_unit_test(who_is_told_to_come_later_is_not_there_earlier_and_gives_up_in_the_end),
        cmocka_unit_test(seats_that_somebody_else_has_are_followed_by_the_next_best),
        cmocka_unit_test(a_wish_whose_answer_was_lost_is_the_same_wish_again),
        cmocka_unit_test(after_a_declined_card_another_one_pays),
        cmocka_unit_test(a_payment_under_way_is_asked_for_until_it_is_over),
        cmocka_unit_test(who_does_not_buy_lets_go_or_walks_away),
        cmocka_unit_test(nobody_thinks_longer_than_the_hold),
        cmocka_unit_test(in_a_full_house_bookings_come_back_where_that_is_allowed),
        cmocka_unit_test(nobody_comes_to_a_show_that_is_shut),
        cmocka_unit_test(without_a_waiting_room_a_fan_goes_straight_to_the_map_and_leaves_nothing),
        cmocka_unit_test(the_same_seed_decides_the_same),
        cmocka_unit_test(at_ten_times_the_pace_humans_take_a_tenth_and_the_server_is_waited_for_in_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
