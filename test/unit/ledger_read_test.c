/* What the ledger keeps beside the sales, and how it is read: shows, bookings, totals, answers to keyed requests. */
#include "ledger_world.h"

#include "bookings/saga.h"

struct shows_seen {
    unsigned count;
    struct show_record record;
    char name[64], plan[64], settings[64];
};

static bool see_show(void *context, const struct show_record *record) {
    struct shows_seen *seen = context;
    seen->count++;
    seen->record = *record;
    snprintf(seen->name, sizeof seen->name, "%.*s", (int)record->event_name.length, record->event_name.at);
    snprintf(seen->plan, sizeof seen->plan, "%.*s", (int)record->plan_json.length, record->plan_json.at);
    snprintf(seen->settings, sizeof seen->settings, "%.*s", (int)record->settings_json.length,
             record->settings_json.at);
    return true;
}

static void a_show_is_kept_as_it_was_made(void **state) {
    /* red when: a column is written or read in another's place */
    (void)state;
    struct world world;
    struct shows_seen seen = {0};
    struct ledger_reader *reader;
    world_start(&world, LEDGER_OPTIMISTIC);
    assert_int_equal(world_create_show(&world), RESULT_CONFLICT);
    struct show_record change = {.show_id = world.show,
                                 .event_name = BYTES("Another Evening"),
                                 .settings_json = BYTES("{}"),
                                 .updated_ms = NOW + 5};
    struct ledger_command command = {.kind = LEDGER_CHANGE_SHOW};
    command.show.record = &change;
    assert_int_equal(world.ledger.reader_new(world.ledger.engine, &reader), RESULT_OK);
    assert_int_equal(world.ledger.read_shows(reader, see_show, &seen), RESULT_OK);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.name, "An Evening");
    assert_string_equal(seen.plan, "{\"plan\":1}");
    assert_string_equal(seen.settings, "{\"hold_seconds\":600}");
    assert_int_equal(seen.record.start_ms, NOW + 86400000);
    assert_int_equal(seen.record.created_ms, NOW);
    struct id hash = world_id(77);
    assert_true(id_equal(&seen.record.plan_hash, &hash));

    assert_int_equal(world_do(&world, &command), RESULT_OK);
    assert_int_equal(world.ledger.read_shows(reader, see_show, &seen), RESULT_OK);
    assert_string_equal(seen.name, "Another Evening");
    assert_string_equal(seen.settings, "{}");
    assert_int_equal(seen.record.start_ms, 0);
    assert_int_equal(seen.record.updated_ms, NOW + 5);
    world.ledger.reader_free(reader);
    change.show_id = world_id(5);
    assert_int_equal(world_do(&world, &command), RESULT_SHOW_NOT_FOUND);
    world_remove(&world);
}

static enum result change_picture(struct world *world, unsigned hash, struct bytes content) {
    struct show_image image = {.hash = world_id(hash), .type = BYTES("image/png"), .bytes = content};
    struct show_record change = {
        .show_id = world->show, .event_name = BYTES("An Evening"), .settings_json = BYTES("{}"), .updated_ms = NOW};
    struct ledger_command command = {.kind = LEDGER_CHANGE_SHOW};
    command.show.record = &change;
    command.show.image = &image;
    return world_do(world, &command);
}

static void a_show_has_one_picture_which_is_found_by_its_hash(void **state) {
    /* red when: a picture is added beside the one before it, or one that was taken away is found */
    (void)state;
    struct world world;
    struct ledger_reader *reader;
    struct buffer content;
    struct id first = world_id(1), second = world_id(2);
    buffer_init(&content, 100);
    world_start(&world, LEDGER_OPTIMISTIC);
    assert_int_equal(world.ledger.reader_new(world.ledger.engine, &reader), RESULT_OK);
    assert_int_equal(world.ledger.read_image(reader, &first, &content), RESULT_NOT_FOUND);
    assert_int_equal(change_picture(&world, 1, BYTES("one\0picture")), RESULT_OK);
    assert_int_equal(world.ledger.read_image(reader, &first, &content), RESULT_OK);
    assert_true(bytes_equal(buffer_bytes(&content), BYTES("one\0picture")));
    assert_int_equal(change_picture(&world, 2, BYTES("another")), RESULT_OK);
    assert_int_equal(world.ledger.read_image(reader, &first, &content), RESULT_NOT_FOUND);
    assert_int_equal(world.ledger.read_image(reader, &second, &content), RESULT_OK);
    assert_true(bytes_equal(buffer_bytes(&content), BYTES("another")));
    assert_int_equal(change_picture(&world, 2, BYTES("")), RESULT_OK);
    assert_int_equal(world.ledger.read_image(reader, &second, &content), RESULT_NOT_FOUND);
    world.ledger.reader_free(reader);
    buffer_release(&content);
    world_remove(&world);
}

static void others_find_the_columns_that_they_know(void **state) {
    /* red when: a base table loses a column, or shows an id as anything but text */
    (void)state;
    struct world world;
    char text[128];
    world_start(&world, LEDGER_OPTIMISTIC);
    assert_int_equal(world_sell(&world, 1, "A1 A2", 100), RESULT_OK);
    world_ask_text(&world, "SELECT show_id || event_name || start_time FROM shows", text, sizeof text);
    assert_string_equal(text, "01930000-0000-7000-8000-000000000000An Evening2027-01-16T08:00:00.000Z");
    world_ask_text(&world,
                   "SELECT show_id || seat_id || status || version FROM show_seats WHERE seat_id = 'A2' AND show_id = "
                   "'01930000-0000-7000-8000-000000000000'",
                   text, sizeof text);
    assert_string_equal(text, "01930000-0000-7000-8000-000000000000A2BOOKED101");
    world_ask_text(&world, "SELECT booking_id || user_id || seat_ids || status FROM bookings", text, sizeof text);
    assert_string_equal(text, "01930000-0000-7000-8000-000000000001fan-1[\"A1\",\"A2\"]CONFIRMED");
    world_remove(&world);
}

static void an_answer_is_kept_with_what_it_answers_or_not_at_all(void **state) {
    /* red when: a refused command keeps its answer, or a kept one loses it */
    (void)state;
    for (enum ledger_locking locking = LEDGER_OPTIMISTIC; locking <= LEDGER_PESSIMISTIC; locking++) {
        struct world world;
        struct ledger_reader *reader;
        struct buffer storage;
        struct kept_answer read;
        world_start(&world, locking);
        buffer_init(&storage, 4096);
        struct booking first = world_booking(&world, 1, "A1 A2", 100), second = world_booking(&world, 2, "A3 A2", 200);
        struct ledger_command commands[] = {command_sell(&first, SAGA_OPENED, true),
                                            command_sell(&second, SAGA_OPENED, true)};
        commands[0].answer = answer_of(50, "{\"first\":1}");
        commands[1].answer = answer_of(60, "{\"second\":2}");
        world_do_together(&world, commands, 2);
        assert_int_equal(world.ledger.reader_new(world.ledger.engine, &reader), RESULT_OK);
        struct id key = world_id(50), hash = world_id(51), none = world_id(60);
        assert_int_equal(world.ledger.read_answer(reader, &key, &read, &storage), RESULT_OK);
        assert_true(bytes_equal(read.body, BYTES("{\"first\":1}")));
        assert_true(id_equal(&read.body_hash, &hash));
        assert_int_equal(read.status, 200);
        assert_int_equal(read.created_ms, NOW);
        assert_int_equal(world.ledger.read_answer(reader, &none, &read, &storage), RESULT_NOT_FOUND);
        world.ledger.reader_free(reader);
        buffer_release(&storage);
        world_remove(&world);
    }
}

static void the_first_answer_to_a_key_stays(void **state) {
    /* red when: a second answer replaces the first, or fails its command */
    (void)state;
    struct world world;
    world_start(&world, LEDGER_OPTIMISTIC);
    struct kept_answer answers[] = {answer_of(50, "first"), answer_of(60, "other"), answer_of(50, "second")};
    struct ledger_command command = {.kind = LEDGER_KEEP_ANSWERS};
    command.answers.count = 3;
    command.answers.answers = answers;
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    assert_int_equal(
        world_ask(&world, "SELECT count(*) FROM kept_answers WHERE body IN (x'6669727374', x'6f74686572')"), 2);
    assert_int_equal(world_ask(&world, "SELECT count(*) FROM kept_answers"), 2);
    world_remove(&world);
}

static void old_answers_are_forgotten(void **state) {
    /* red when: the time is not compared, or younger answers go too */
    (void)state;
    struct world world;
    world_start(&world, LEDGER_OPTIMISTIC);
    struct kept_answer answers[] = {answer_of(50, "old"), answer_of(60, "young")};
    answers[1].created_ms = NOW + 10;
    struct ledger_command command = {.kind = LEDGER_KEEP_ANSWERS};
    command.answers.count = 2;
    command.answers.answers = answers;
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    struct ledger_command forget = {.kind = LEDGER_FORGET_ANSWERS};
    forget.answers.before_ms = NOW + 10;
    assert_int_equal(world_do(&world, &forget), RESULT_OK);
    assert_int_equal(world_ask(&world, "SELECT count(*) FROM kept_answers"), 1);
    assert_int_equal(world_ask(&world, "SELECT count(*) FROM kept_answers WHERE body = x'796f756e67'"), 1);
    world_remove(&world);
}

struct list {
    unsigned count, stop_at;
    struct id ids[16];
};

static bool add_to_list(void *context, const struct booking *booking) {
    struct list *list = context;
    list->ids[list->count++] = booking->id;
    return list->count != list->stop_at;
}

static void assert_list(const struct list *list, unsigned count, const unsigned *numbers) {
    assert_int_equal(list->count, count);
    for (unsigned i = 0; i < count; i++) {
        struct id id = world_id(numbers[i]);
        assert_true(id_equal(&id, &list->ids[i]));
    }
}

static void bookings_are_listed_newest_first_by_pages(void **state) {
    /* red when: order, page, show or status are not looked at */
    (void)state;
    struct world world;
    struct ledger_reader *reader;
    struct list list;
    world_start(&world, LEDGER_OPTIMISTIC);
    assert_int_equal(world_sell(&world, 1, "A1", 100), RESULT_OK);
    assert_int_equal(world_sell(&world, 3, "A3", 110), RESULT_OK);
    struct booking pending = world_booking(&world, 2, "A2", 120);
    struct ledger_command command = command_open(&pending);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    assert_int_equal(world.ledger.reader_new(world.ledger.engine, &reader), RESULT_OK);
    struct ledger *ledger = &world.ledger;

    list = (struct list){0};
    assert_int_equal(ledger->read_bookings(reader, &(struct booking_filter){0}, add_to_list, &list), RESULT_OK);
    assert_list(&list, 3, (unsigned[]){3, 2, 1});
    list = (struct list){0};
    struct booking_filter page = {.show_id = &world.show, .after = world_id(3), .limit = 1};
    assert_int_equal(ledger->read_bookings(reader, &page, add_to_list, &list), RESULT_OK);
    assert_list(&list, 1, (unsigned[]){2});
    list = (struct list){0};
    struct booking_filter confirmed = {.status = "CONFIRMED"};
    assert_int_equal(ledger->read_bookings(reader, &confirmed, add_to_list, &list), RESULT_OK);
    assert_list(&list, 2, (unsigned[]){3, 1});
    list = (struct list){.stop_at = 1};
    assert_int_equal(ledger->read_bookings(reader, &confirmed, add_to_list, &list), RESULT_OK);
    assert_list(&list, 1, (unsigned[]){3});
    list = (struct list){0};
    struct id other = world_id(9);
    struct booking_filter elsewhere = {.show_id = &other};
    assert_int_equal(ledger->read_bookings(reader, &elsewhere, add_to_list, &list), RESULT_OK);
    assert_int_equal(list.count, 0);
    world.ledger.reader_free(reader);
    world_remove(&world);
}

static void bookings_are_found_by_where_their_money_is(void **state) {
    /* red when: the filter lets others in, or what needs a human is looked for where it is not */
    (void)state;
    static const enum payment_state states[] = {PAYMENT_STATE_CAPTURED, PAYMENT_STATE_REVIEW, PAYMENT_STATE_REVIEW,
                                                PAYMENT_STATE_VOIDED};
    struct world world;
    struct ledger_reader *reader;
    world_start(&world, LEDGER_OPTIMISTIC);
    for (unsigned i = 0; i < 4; i++) {
        struct booking booking = world_booking(&world, i + 1, "A1", 100);
        booking.payment_state = states[i];
        booking.saga = states[i] == PAYMENT_STATE_REVIEW ? SAGA_REVIEW : SAGA_DONE;
        struct ledger_command command = command_open(&booking);
        assert_int_equal(world_do(&world, &command), RESULT_OK);
    }
    assert_int_equal(world.ledger.reader_new(world.ledger.engine, &reader), RESULT_OK);
    struct list list = {0};
    struct booking_filter review = {.payment_state = "REVIEW"};
    assert_int_equal(world.ledger.read_bookings(reader, &review, add_to_list, &list), RESULT_OK);
    assert_list(&list, 2, (unsigned[]){3, 2});
    list = (struct list){0};
    review.after = world_id(3);
    review.show_id = &world.show;
    review.status = "PENDING";
    assert_int_equal(world.ledger.read_bookings(reader, &review, add_to_list, &list), RESULT_OK);
    assert_list(&list, 1, (unsigned[]){2});
    list = (struct list){0};
    struct booking_filter captured = {.payment_state = "CAPTURED"};
    assert_int_equal(world.ledger.read_bookings(reader, &captured, add_to_list, &list), RESULT_OK);
    assert_list(&list, 1, (unsigned[]){1});
    world.ledger.reader_free(reader);
    world_remove(&world);
}

static void what_is_unfinished_is_found_and_nothing_else(void **state) {
    /* red when: the partial index and the question about it disagree, or one that a human has to look at is left out */
    (void)state;
    struct world world;
    struct ledger_reader *reader;
    struct list list = {0};
    world_start(&world, LEDGER_OPTIMISTIC);
    unsigned expected[SAGA_STATE_COUNT], unfinished = 0;
    for (unsigned i = 0; i < SAGA_STATE_COUNT; i++) {
        struct booking booking = world_booking(&world, i + 1, "A1", 100);
        booking.saga = (enum saga_state)i;
        struct ledger_command command = command_open(&booking);
        assert_int_equal(world_do(&world, &command), RESULT_OK);
        if (!saga_state_is_end(booking.saga) || booking.saga == SAGA_REVIEW)
            expected[unfinished++] = i + 1;
    }
    assert_int_equal(world.ledger.reader_new(world.ledger.engine, &reader), RESULT_OK);
    assert_int_equal(world.ledger.read_unfinished(reader, add_to_list, &list), RESULT_OK);
    assert_list(&list, unfinished, expected);
    world.ledger.reader_free(reader);
    world_remove(&world);
}

static void a_reservations_newest_booking_is_found(void **state) {
    /* red when: an older booking of the same reservation is given */
    (void)state;
    struct world world;
    struct ledger_reader *reader;
    struct buffer storage;
    struct booking read;
    world_start(&world, LEDGER_OPTIMISTIC);
    buffer_init(&storage, 4096);
    for (unsigned number = 0; number < 3; number++) {
        static const unsigned ids[] = {2, 3, 1};
        struct booking booking = world_booking(&world, ids[number], "A1", 100);
        booking.reservation = world_id(8);
        struct ledger_command command = command_open(&booking);
        assert_int_equal(world_do(&world, &command), RESULT_OK);
    }
    assert_int_equal(world.ledger.reader_new(world.ledger.engine, &reader), RESULT_OK);
    struct id reservation = world_id(8), none = world_id(7), newest = world_id(3);
    assert_int_equal(world.ledger.read_booking_of(reader, &reservation, &read, &storage), RESULT_OK);
    assert_true(id_equal(&read.id, &newest));
    assert_int_equal(world.ledger.read_booking_of(reader, &none, &read, &storage), RESULT_BOOKING_NOT_FOUND);
    world.ledger.reader_free(reader);
    buffer_release(&storage);
    world_remove(&world);
}

static void the_totals_of_a_show_add_up(void **state) {
    /* red when: a total counts another status, or revenue keeps what was given back */
    (void)state;
    struct world world;
    struct ledger_reader *reader;
    struct ledger_totals totals;
    static const uint32_t first[] = {0};
    world_start(&world, LEDGER_OPTIMISTIC);
    assert_int_equal(world_sell(&world, 1, "A1 A2", 100), RESULT_OK);
    assert_int_equal(world_sell(&world, 2, "A3", 110), RESULT_OK);
    struct booking pending = world_booking(&world, 3, "A4", 120);
    struct ledger_command command = command_open(&pending);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    struct booking part = world_booking(&world, 1, "A1 A2", 100), whole = world_booking(&world, 2, "A3", 110);
    part.status = BOOKING_CONFIRMED;
    command = command_cancel(&part, SAGA_DONE, 300, 1, first);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    command = command_cancel(&whole, SAGA_DONE, 310, 0, NULL);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    assert_int_equal(world.ledger.reader_new(world.ledger.engine, &reader), RESULT_OK);
    assert_int_equal(world.ledger.read_totals(reader, &world.show, &totals), RESULT_OK);
    world.ledger.reader_free(reader);
    assert_int_equal(totals.confirmed, 1);
    assert_int_equal(totals.cancelled, 1);
    assert_int_equal(totals.pending, 1);
    assert_int_equal(totals.tickets, 1);
    assert_int_equal(totals.revenue, PRICE);
    assert_int_equal(totals.refunded, 2 * PRICE);
    world_remove(&world);
}

static void odd_names_are_kept_to_the_letter(void **state) {
    /* red when: a seat id or user is not escaped, or cut */
    (void)state;
    struct world world;
    struct booking read;
    struct ledger_reader *reader;
    struct buffer storage;
    world_start(&world, LEDGER_OPTIMISTIC);
    struct booking booking = world_booking(&world, 1, "A1 A2", 100);
    booking.seat_ids[0] = BYTES("\"quoted\\\xc3\xa9\x01'");
    booking.user.length = LIMIT_USER_ID_BYTES;
    memset(booking.user.text, '\'', sizeof booking.user.text);
    struct ledger_command command = command_open(&booking);
    assert_int_equal(world_do(&world, &command), RESULT_OK);
    buffer_init(&storage, 4096);
    assert_int_equal(world.ledger.reader_new(world.ledger.engine, &reader), RESULT_OK);
    assert_int_equal(world.ledger.read_booking(reader, &booking.id, &read, &storage), RESULT_OK);
    world.ledger.reader_free(reader);
    assert_true(bytes_equal(read.seat_ids[0], booking.seat_ids[0]));
    assert_true(bytes_equal(read.seat_ids[1], BYTES("A2")));
    assert_true(bytes_equal(user_bytes(&read.user), user_bytes(&booking.user)));
    buffer_release(&storage);
    world_remove(&world);
}

static void the_first_answer_of_a_key_stays_until_its_time_is_over(void **state) {
    /* red when: a later answer takes the place of one that is still good, or none that is not */
    (void)state;
    struct world world;
    world_start(&world, LEDGER_OPTIMISTIC);
    static const struct {
        int64_t later_ms;
        const char *body;
        const char *kept;
    } steps[] = {{0, "first", "first"},
                 {LEDGER_ANSWER_KEEP_MS, "second", "first"},
                 {LEDGER_ANSWER_KEEP_MS + 1, "third", "third"}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char kept[32];
        struct kept_answer answer = answer_of(1, steps[i].body);
        answer.created_ms += steps[i].later_ms;
        struct ledger_command command = {.kind = LEDGER_KEEP_ANSWERS, .answers = {.count = 1, .answers = &answer}};
        assert_int_equal(world_do(&world, &command), RESULT_OK);
        world_ask_text(&world, "SELECT CAST(body AS TEXT) FROM kept_answers", kept, sizeof kept);
        assert_string_equal(kept, steps[i].kept);
    }
    world_remove(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_answer_of_a_key_stays_until_its_time_is_over),
        cmocka_unit_test(a_show_is_kept_as_it_was_made),
        cmocka_unit_test(a_show_has_one_picture_which_is_found_by_its_hash),
        cmocka_unit_test(others_find_the_columns_that_they_know),
        cmocka_unit_test(an_answer_is_kept_with_what_it_answers_or_not_at_all),
        cmocka_unit_test(the_first_answer_to_a_key_stays),
        cmocka_unit_test(old_answers_are_forgotten),
        cmocka_unit_test(bookings_are_listed_newest_first_by_pages),
        cmocka_unit_test(bookings_are_found_by_where_their_money_is),
        cmocka_unit_test(what_is_unfinished_is_found_and_nothing_else),
        cmocka_unit_test(a_reservations_newest_booking_is_found),
        cmocka_unit_test(the_totals_of_a_show_add_up),
        cmocka_unit_test(odd_names_are_kept_to_the_letter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
