/* What a ledger tells others: which commands put which events into the outbox, and how they leave it. */
#include "ledger_world.h"

#include <stdatomic.h>

#define EVENTS_KEPT 16

struct seen {
    unsigned count;
    struct outbox_event events[EVENTS_KEPT];
    char texts[EVENTS_KEPT][4][512]; /* type, subject, data, why */
};

static bool see_event(void *context, const struct outbox_event *event) {
    struct seen *seen = context;
    assert_true(seen->count < EVENTS_KEPT);
    const struct bytes texts[] = {event->type, event->subject, event->data, event->why};
    for (int i = 0; i < 4; i++)
        snprintf(seen->texts[seen->count][i], 512, "%.*s", (int)texts[i].length, texts[i].at);
    seen->events[seen->count++] = *event;
    return true;
}

static void look(struct world *world, bool dead, int64_t due_ms, struct seen *seen) {
    struct ledger_reader *reader;
    *seen = (struct seen){0};
    assert_int_equal(world->ledger.reader_new(world->ledger.engine, &reader), RESULT_OK);
    assert_int_equal(world->ledger.read_outbox(reader, dead, 0, due_ms, 0, see_event, seen), RESULT_OK);
    world->ledger.reader_free(reader);
}

/* The types of what waits, in one line. */
static void assert_waiting(struct world *world, const char *types) {
    struct seen seen;
    char line[1024] = "";
    look(world, false, NOW + 1000000, &seen);
    for (unsigned i = 0; i < seen.count; i++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s", i ? " " : "", seen.texts[i][0]);
    assert_string_equal(line, types);
}

static void start(struct world *world) {
    world_make(world);
    world->settings.outbox = true;
    world_open(world);
    assert_int_equal(world_create_show(world), RESULT_OK);
}

static void step(struct world *world, struct booking *booking, enum saga_state from, enum saga_state to,
                 enum booking_status status, enum payment_state payment) {
    booking->saga = to;
    booking->status = status;
    booking->payment_state = payment;
    struct ledger_command command = command_step(booking, from);
    assert_int_equal(world_do(world, &command), RESULT_OK);
}

static void settle(struct world *world, struct outbox_outcome outcome) {
    struct ledger_command command = {.kind = LEDGER_SETTLE_OUTBOX};
    command.outbox.count = 1;
    command.outbox.outcomes = &outcome;
    assert_int_equal(world_do(world, &command), RESULT_OK);
}

static void a_sale_is_told_with_all_that_a_shop_needs(void **state) {
    /* red when: a sale puts no event, or its data lacks something or says something else */
    (void)state;
    struct world world;
    struct seen seen;
    start(&world);
    assert_int_equal(world_sell(&world, 1, "A1 A2", 100), RESULT_OK);
    look(&world, false, NOW + 1000, &seen);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.texts[0][0], "booking.confirmed");
    assert_string_equal(seen.texts[0][1], "b01930000000070008000000000000001");
    assert_string_equal(
        seen.texts[0][2],
        "{\"booking_id\":\"b01930000000070008000000000000001\",\"show_id\":\"01930000-0000-7000-8000-000000000000\","
        "\"reservation_id\":\"r01930000000070008000000000000001\",\"user_id\":\"fan-1\",\"seat_ids\":[\"A1\",\"A2\"],"
        "\"seat_amounts\":[5000,5000],\"amount\":10000,\"refunded\":0,\"currency\":\"EUR\",\"status\":\"CONFIRMED\","
        "\"payment_state\":\"CAPTURED\",\"reason\":null,\"created_at\":\"2027-01-15T08:00:00.000Z\","
        "\"updated_at\":\"2027-01-15T08:00:01.000Z\",\"confirmed_at\":\"2027-01-15T08:00:01.000Z\"}");
    assert_int_equal(seen.events[0].number, 1);
    assert_int_equal(seen.events[0].at_ms, NOW + 1000);
    assert_int_equal(seen.events[0].next_ms, NOW + 1000);
    assert_int_equal(seen.events[0].attempts, 0);
    world_remove(&world);
}

static void without_an_outbox_nothing_is_put_into_one(void **state) {
    /* red when: a shop that tells nobody pays for it */
    (void)state;
    struct world world;
    world_start(&world, LEDGER_OPTIMISTIC);
    assert_int_equal(world_sell(&world, 1, "A1", 100), RESULT_OK);
    struct booking booking = world_booking(&world, 1, "A1", 100);
    struct ledger_command command = command_cancel(&booking, SAGA_DONE, 200, 0, NULL);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    assert_int_equal(world_ask(&world, "SELECT count(*) FROM outbox"), 0);
    world_remove(&world);
}

static void each_end_of_a_paid_booking_is_told_once(void **state) {
    /* red when: a step that others have to know of puts no event, or one that they need not puts one */
    (void)state;
    static const uint32_t second[] = {1};
    struct world world;
    start(&world);
    struct booking booking = world_booking(&world, 1, "A1 A2", 100);
    struct ledger_command command = command_open(&booking);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    step(&world, &booking, SAGA_OPENED, SAGA_CONFIRMING, BOOKING_PENDING, PAYMENT_STATE_NONE);
    assert_waiting(&world, "");
    command = command_sell(&booking, SAGA_CONFIRMING, false);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    assert_waiting(&world, "booking.confirmed");
    step(&world, &booking, SAGA_CAPTURING, SAGA_DONE, BOOKING_CONFIRMED, PAYMENT_STATE_CAPTURED);
    assert_waiting(&world, "booking.confirmed");
    command = command_cancel(&booking, SAGA_DONE, 200, 1, second);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    assert_waiting(&world, "booking.confirmed booking.seats_cancelled seats.released");
    step(&world, &booking, SAGA_REFUNDING, SAGA_DONE, BOOKING_CONFIRMED, PAYMENT_STATE_CAPTURED);
    assert_int_equal(world_ask(&world, "SELECT count(*) FROM outbox WHERE type = 'booking.refunded' AND "
                                       "data ->> 'refunded' = 5000"),
                     1);
    booking.seat_count = 1;
    command = command_cancel(&booking, SAGA_DONE, 300, 0, NULL);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    step(&world, &booking, SAGA_REFUNDING, SAGA_REFUNDED, BOOKING_CANCELLED, PAYMENT_STATE_REFUNDED);
    assert_waiting(&world, "booking.confirmed booking.seats_cancelled seats.released booking.refunded "
                           "booking.cancelled seats.released booking.refunded");
    assert_int_equal(world_ask(&world, "SELECT count(*) FROM outbox WHERE number = 2 AND data ->> 'seat_ids' = "
                                       "'[\"A2\"]' AND data ->> 'refunded' = 5000"),
                     1);
    assert_int_equal(world_ask(&world, "SELECT count(*) FROM outbox WHERE number = 6 AND data ->> 'seat_ids' = "
                                       "'[\"A1\"]' AND data ->> 'cause' = 'cancelled'"),
                     1);
    world_remove(&world);
}

static void a_booking_that_is_given_up_is_told_with_its_reason(void **state) {
    /* red when: a PENDING booking that is cancelled puts no event, or one that was cancelled already puts another */
    (void)state;
    struct world world;
    struct seen seen;
    start(&world);
    struct booking booking = world_booking(&world, 1, "A1", 100);
    struct ledger_command command = command_open(&booking);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    snprintf(booking.reason, sizeof booking.reason, "declined");
    step(&world, &booking, SAGA_OPENED, SAGA_CANCELLED, BOOKING_CANCELLED, PAYMENT_STATE_NONE);
    look(&world, false, NOW, &seen);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.texts[0][0], "booking.cancelled");
    assert_non_null(strstr(seen.texts[0][2], "\"reason\":\"declined\""));
    step(&world, &booking, SAGA_CANCELLED, SAGA_CANCELLING, BOOKING_CANCELLED, PAYMENT_STATE_NONE);
    step(&world, &booking, SAGA_CANCELLING, SAGA_CANCELLED, BOOKING_CANCELLED, PAYMENT_STATE_VOIDED);
    assert_waiting(&world, "booking.cancelled");
    world_remove(&world);
}

static void seats_whose_hold_ended_are_told_in_one_event(void **state) {
    /* red when: a held seat that goes on sale is not told, or one that was not held is */
    (void)state;
    struct world world;
    struct seen seen;
    start(&world);
    struct seat_change held[] = {{world_seat_index(&world, "A1"), SEAT_HELD, 100},
                                 {world_seat_index(&world, "A2"), SEAT_HELD, 100},
                                 {world_seat_index(&world, "A3"), SEAT_HELD, 102}};
    struct ledger_command command = command_seats(&world, LEDGER_WRITE_SEATS, 3, held);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    assert_int_equal(world_sell(&world, 1, "A3", 102), RESULT_OK);
    struct seat_change ended[] = {{held[0].seat, SEAT_AVAILABLE, 200},
                                  {held[1].seat, SEAT_AVAILABLE, 200},
                                  {held[2].seat, SEAT_AVAILABLE, 200},
                                  {world_seat_index(&world, "A4"), SEAT_AVAILABLE, 200}};
    command = command_seats(&world, LEDGER_WRITE_SEATS, 4, ended);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    look(&world, false, NOW + 1000, &seen);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.texts[0][0], "seats.released");
    assert_string_equal(seen.texts[0][1], "01930000-0000-7000-8000-000000000000");
    assert_string_equal(seen.texts[0][2],
                        "{\"show_id\":\"01930000-0000-7000-8000-000000000000\",\"seat_ids\":[\"A1\",\"A2\"],"
                        "\"cause\":\"hold_ended\",\"released_at\":\"2027-01-15T08:00:00.000Z\"}");
    assert_int_equal(world_seat(&world, "A1").status, SEAT_AVAILABLE);
    assert_int_equal(world_seat(&world, "A4").version, 200);
    assert_int_equal(world_do(&world, &command), RESULT_OK); /* late: nothing changes, nothing is told */
    assert_waiting(&world, "seats.released booking.confirmed");
    world_remove(&world);
}

static void what_is_delivered_leaves_and_what_is_not_waits(void **state) {
    /* red when: an outcome is not written, or a number is given twice after its row has gone */
    (void)state;
    struct world world;
    struct seen seen;
    start(&world);
    assert_int_equal(world_sell(&world, 1, "A1", 100), RESULT_OK);
    assert_int_equal(world_sell(&world, 2, "A2", 100), RESULT_OK);
    settle(&world, (struct outbox_outcome){.number = 1, .next_ms = NOW + 90000, .why = "503"});
    look(&world, false, NOW + 89999, &seen);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.events[0].number, 2);
    look(&world, false, NOW + 90000, &seen);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.events[1].attempts, 1);
    assert_string_equal(seen.texts[1][3], "503");
    settle(&world, (struct outbox_outcome){.number = 2, .delivered = true});
    settle(&world, (struct outbox_outcome){.number = 2, .next_ms = NOW}); /* not there any more: nothing */
    settle(&world, (struct outbox_outcome){.number = 1, .delivered = true});
    world_close(&world);
    world_open(&world);
    assert_int_equal(world_sell(&world, 3, "A3", 100), RESULT_OK);
    look(&world, false, NOW + 90000, &seen);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.events[0].number, 3);
    world_remove(&world);
}

static void what_is_given_up_waits_for_an_operator(void **state) {
    /* red when: a dead event is tried again by itself, or cannot be revived, or reviving nothing is a success */
    (void)state;
    struct world world;
    struct seen seen;
    start(&world);
    assert_int_equal(world_sell(&world, 1, "A1", 100), RESULT_OK);
    assert_int_equal(world_sell(&world, 2, "A2", 100), RESULT_OK);
    settle(&world, (struct outbox_outcome){.number = 1, .dead = true, .next_ms = NOW, .why = "timed out"});
    settle(&world, (struct outbox_outcome){.number = 2, .dead = true, .next_ms = NOW, .why = "timed out"});
    look(&world, false, NOW + 90000, &seen);
    assert_int_equal(seen.count, 0);
    look(&world, true, 0, &seen);
    assert_int_equal(seen.count, 2);
    assert_true(seen.events[1].dead);
    struct ledger_command command = {
        .kind = LEDGER_REVIVE_OUTBOX, .actor = BYTES("operator"), .why = BYTES("repaired")};
    command.outbox.number = 2;
    command.outbox.now_ms = NOW + 5000;
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    assert_int_equal(world_do(&world, &command), RESULT_NOT_FOUND);
    look(&world, false, NOW + 5000, &seen);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.events[0].number, 2);
    assert_int_equal(seen.events[0].attempts, 0);
    command.outbox.number = 0;
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    assert_int_equal(world_ask(&world, "SELECT count(*) FROM audit WHERE action = 'outbox.revived'"), 2);
    struct ledger_reader *reader;
    int64_t waiting, dead, oldest_ms;
    assert_int_equal(world.ledger.reader_new(world.ledger.engine, &reader), RESULT_OK);
    assert_int_equal(world.ledger.read_outbox_totals(reader, &waiting, &dead, &oldest_ms), RESULT_OK);
    world.ledger.reader_free(reader);
    assert_int_equal(waiting, 2);
    assert_int_equal(dead, 0);
    assert_int_equal(oldest_ms, NOW + 1000);
    world_remove(&world);
}

static void a_refused_sale_tells_nothing(void **state) {
    /* red when: a refusal leaves an event behind, or uses a number up, in a group that is run twice or with savepoints
     */
    (void)state;
    struct world world;
    start(&world);
    for (unsigned round = 0; round < 3; round++) { /* at first the group is run twice, then with savepoints */
        char taken[8], both[16], other[8];
        snprintf(taken, sizeof taken, "A%u", 3 * round + 1);
        snprintf(both, sizeof both, "A%u A%u", 3 * round + 2, 3 * round + 1);
        snprintf(other, sizeof other, "A%u", 3 * round + 3);
        struct booking bookings[] = {world_booking(&world, 10 * round + 1, taken, 100),
                                     world_booking(&world, 10 * round + 2, both, 100),
                                     world_booking(&world, 10 * round + 3, other, 100)};
        struct ledger_command commands[] = {command_sell(&bookings[0], SAGA_OPENED, true),
                                            command_sell(&bookings[1], SAGA_OPENED, true),
                                            command_sell(&bookings[2], SAGA_OPENED, true)};
        world_do_together(&world, commands, 3);
        assert_int_equal(commands[0].result, RESULT_OK);
        assert_int_equal(commands[1].result, RESULT_CONFLICT);
        assert_int_equal(commands[2].result, RESULT_OK);
    }
    assert_int_equal(world_ask(&world, "SELECT count(*) FROM outbox"), 6);
    assert_int_equal(world_ask(&world, "SELECT max(number) FROM outbox"), 6);
    assert_int_equal(world_ask(&world, "SELECT outbox_number FROM meta"), 6);
    assert_int_equal(world_ask(&world, "SELECT max(number) - count(*) FROM audit"), 0);
    world_remove(&world);
}

static void count_call(void *context) {
    atomic_fetch_add((atomic_int *)context, 1);
}

static void who_delivers_is_told_that_there_is_something(void **state) {
    /* red when: events come without a call, or calls without events */
    (void)state;
    struct world world;
    atomic_int calls = 0;
    start(&world);
    world.ledger.outbox_filled = count_call;
    world.ledger.outbox_context = &calls;
    assert_int_equal(world_sell(&world, 1, "A1", 100), RESULT_OK);
    struct ledger_command command = command_raise(&world, 5);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    settle(&world, (struct outbox_outcome){.number = 1, .dead = true, .next_ms = NOW});
    world_close(&world); /* the call comes behind the answers */
    assert_int_equal(atomic_load(&calls), 1);
    world_open(&world);
    world.ledger.outbox_filled = count_call;
    world.ledger.outbox_context = &calls;
    command = (struct ledger_command){.kind = LEDGER_REVIVE_OUTBOX};
    command.outbox.now_ms = NOW;
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    world_close(&world);
    assert_int_equal(atomic_load(&calls), 2);
    world_remove(&world);
}

static void a_ledger_keeps_its_own_id(void **state) {
    /* red when: the id is made anew at a start, or two ledgers share one */
    (void)state;
    struct world world, other;
    char installation[ID_UUID_TEXT + 1];
    struct id id;
    start(&world);
    memcpy(installation, world.ledger.installation, sizeof installation);
    assert_true(id_parse_uuid(bytes_of(installation), &id));
    world_close(&world);
    world_open(&world);
    assert_string_equal(world.ledger.installation, installation);
    start(&other);
    assert_string_not_equal(other.ledger.installation, installation);
    world_remove(&other);
    world_remove(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sale_is_told_with_all_that_a_shop_needs),
        cmocka_unit_test(without_an_outbox_nothing_is_put_into_one),
        cmocka_unit_test(each_end_of_a_paid_booking_is_told_once),
        cmocka_unit_test(a_booking_that_is_given_up_is_told_with_its_reason),
        cmocka_unit_test(seats_whose_hold_ended_are_told_in_one_event),
        cmocka_unit_test(what_is_delivered_leaves_and_what_is_not_waits),
        cmocka_unit_test(what_is_given_up_waits_for_an_operator),
        cmocka_unit_test(a_refused_sale_tells_nothing),
        cmocka_unit_test(who_delivers_is_told_that_there_is_something),
        cmocka_unit_test(a_ledger_keeps_its_own_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
