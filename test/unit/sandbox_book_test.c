/* What the sandbox decides and remembers, without its HTTP side: random walks in a small world, memory that runs out,
 * keys and records that grow old.
 *
 * malloc, calloc and reallocarray go through here (the linker's --wrap), to fail.
 */
#include "gateway_world.h"
#include "base/clock.h"
#include "base/hash.h"
#include "sandbox/book.h"
#include "sandbox/operations.h"
#include "sandbox/tape.h"

#include <sys/stat.h>
#include <unistd.h>

static int allocation_to_fail; /* counts down; fails at 1 */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *at, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *at, size_t count, size_t size);

static bool fails(void) {
    return allocation_to_fail && --allocation_to_fail == 0;
}

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_reallocarray(void *at, size_t count, size_t size) {
    return fails() ? NULL : __real_reallocarray(at, count, size);
}

struct world {
    struct book book;
    struct verdict verdict;
    struct form form;
    struct buffer storage;
    struct buffer tape; /* all records, each behind its length */
    int64_t now_ms;
};

static void world_init(struct world *world) {
    book_init(&world->book);
    verdict_init(&world->verdict);
    buffer_init(&world->storage, 1024 * 1024);
    buffer_init(&world->tape, 64 * 1024 * 1024);
    world->now_ms = 1000000;
}

static void world_release(struct world *world) {
    book_release(&world->book);
    verdict_release(&world->verdict);
    buffer_release(&world->storage);
    buffer_release(&world->tape);
}

static void commit(struct world *world) {
    struct record *record = &world->verdict.record;
    if (record->head.kind >= RECORD_CREATED)
        record->head.event = world->book.next_event + 1;
    struct buffer bytes;
    buffer_init(&bytes, LIMIT_SANDBOX_RECORD_BYTES);
    object_record_write(&bytes, record);
    uint32_t length = (uint32_t)bytes.length;
    assert_int_equal(book_apply(&world->book, record, world->tape.length), RESULT_OK);
    buffer_add(&world->tape, &length, sizeof length);
    buffer_add_bytes(&world->tape, buffer_bytes(&bytes));
    buffer_release(&bytes);
}

/* Calls the operation with a form, printf-like, charging the card at once; the verdict stays in the world. */
__attribute__((format(printf, 4, 5))) static void run(struct world *world, enum route route, const char *id,
                                                      const char *form, ...) {
    char text[512], detail[160];
    va_list arguments;
    va_start(arguments, form);
    vsnprintf(text, sizeof text, form, arguments);
    va_end(arguments);
    uint8_t expansions;
    world->storage.length = 0;
    verdict_reset(&world->verdict);
    assert_true(form_read(bytes_of(text), &world->storage, &world->form, detail, sizeof detail));
    assert_true(operation_check(route, &world->form, &world->verdict, &expansions));
    operation_run(&world->book, route, bytes_of(id), &world->form, expansions, world->now_ms, &world->verdict);
    if (world->verdict.kind == VERDICT_ATTEMPT) {
        struct attempt attempt = world->verdict.attempt;
        if (world->verdict.record.head.parts)
            commit(world);
        verdict_reset(&world->verdict);
        operation_charge(&world->book, &attempt, world->now_ms, &world->verdict);
    }
    if (world->verdict.kind == VERDICT_RECORD)
        commit(world);
}

static void assert_money_is_sound(const struct book *book) {
    for (uint32_t i = 0; i < book->intent_count; i++) {
        const struct intent *intent = &book->intents[i].intent;
        assert_in_range(intent->amount_received, 0, intent->amount);
        assert_int_equal(intent->amount_received > 0, intent->status == STATUS_SUCCEEDED);
        if (intent->status == STATUS_REQUIRES_CAPTURE || intent->status == STATUS_SUCCEEDED) {
            const struct charge *charge = &book->charges[intent->charge - 1].charge;
            assert_false(charge->failed);
            assert_int_equal(charge->amount_captured, intent->amount_received);
            int64_t refunded = 0;
            for (uint32_t k = 0; k < book->refund_count; k++)
                refunded += book->refunds[k].refund.charge == charge->number ? book->refunds[k].refund.amount : 0;
            assert_int_equal(charge->amount_refunded, refunded);
            assert_in_range(refunded, 0, charge->amount_captured);
        }
    }
}

static void take_step(struct world *world, unsigned choice) {
    static const char *const tokens[] = {"tok_fine",       "tok_declined",
                                         "tok_error_once", "tok_capture_fails_1",
                                         "tok_hang",       "pm_card_authenticationRequired"};
    char id[OBJECT_ID_BYTES] = "pi_none";
    if (world->book.intent_count) {
        const struct intent *intent = &world->book.intents[rand() % (int)world->book.intent_count].intent;
        object_id("pi", intent->number, intent->chance, id);
    }
    unsigned amount = 1 + (unsigned)rand() % 120;
    switch (choice % 6) {
    case 0:
        if (world->book.intent_count < 4)
            run(world, ROUTE_INTENT_CREATE, "", "amount=100&currency=eur&capture_method=%s&metadata[n]=%u%s",
                rand() % 3 ? "manual" : "automatic", amount, rand() % 2 ? "&confirm=true&payment_method=tok_fine" : "");
        return;
    case 1:
        run(world, ROUTE_INTENT_CONFIRM, id, "payment_method=%s&error_on_requires_action=%s", tokens[rand() % 6],
            rand() % 2 ? "true" : "false");
        return;
    case 2:
        run(world, ROUTE_INTENT_CAPTURE, id, "amount_to_capture=%u", amount);
        return;
    case 3:
        if (rand() % 4 == 0)
            run(world, ROUTE_INTENT_CANCEL, id, "%s", "");
        return;
    default:
        run(world, ROUTE_REFUND_CREATE, "", "payment_intent=%s&amount=%u&metadata[n]=%u", id, amount / 3 + 1, amount);
    }
}

static void render_all(struct book *book, struct buffer *out) {
    struct json_writer writer = json_writer(out);
    struct record record;
    json_open(&writer, '[');
    for (uint32_t i = 0; i < book->intent_count; i++) {
        operation_show_intent(book, &book->intents[i], &record);
        render_intent(&writer, &record, EXPAND_LATEST_CHARGE);
    }
    for (uint32_t i = 0; i < book->charge_count; i++) {
        operation_show_charge(book, &book->charges[i], &record);
        render_charge(&writer, &record);
    }
    for (uint32_t i = 0; i < book->refund_count; i++) {
        operation_show_refund(book, &book->refunds[i], &record);
        render_refund(&writer, &record, EXPAND_CHARGE | EXPAND_PAYMENT_INTENT);
    }
    json_put_int(&writer, book->event_count);
    json_close(&writer, ']');
}

/* Applies all records of the world's tape to a book. */
static void replay(const struct world *world, struct book *book) {
    for (size_t at = 0; at < world->tape.length;) {
        uint32_t length;
        struct record record;
        memcpy(&length, world->tape.at + at, sizeof length);
        assert_true(object_record_read((struct bytes){world->tape.at + at + sizeof length, length}, &record));
        assert_int_equal(book_apply(book, &record, at), RESULT_OK);
        at += sizeof length + length;
    }
}

static void money_adds_up_on_every_way_through_a_small_world(void **state) {
    /* Red if an operation takes, gives back or shows money that it should not, or a book made again from its records
     * is another. */
    (void)state;
    srand(1);
    for (int walk = 0; walk < 150; walk++) {
        struct world world;
        world_init(&world);
        for (int step = 0; step < 60; step++) {
            take_step(&world, (unsigned)rand());
            assert_money_is_sound(&world.book);
        }
        struct book again;
        struct buffer first, second;
        buffer_init(&first, 1024 * 1024);
        buffer_init(&second, 1024 * 1024);
        book_init(&again);
        replay(&world, &again);
        render_all(&world.book, &first);
        render_all(&again, &second);
        assert_true(buffer_ok(&first) && bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
        json_t *parsed = json_loadb(first.at, first.length, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(parsed);
        json_decref(parsed);
        buffer_release(&first);
        buffer_release(&second);
        book_release(&again);
        world_release(&world);
    }
}

static struct record keyed_record(struct world *world, int number) {
    struct record record = world->verdict.record;
    struct bytes name = {(const char *)&number, sizeof number};
    record.head.key = hash_128(&name, 1);
    return record;
}

static void a_record_that_finds_no_memory_changes_nothing(void **state) {
    /* Red if a part is applied before another's memory is there. */
    (void)state;
    struct world world;
    world_init(&world);
    run(&world, ROUTE_INTENT_CREATE, "", "amount=100&currency=eur&confirm=true&payment_method=tok_fine");
    char id[OBJECT_ID_BYTES];
    object_id("pi", 0, world.book.intents[0].intent.chance, id);
    run(&world, ROUTE_REFUND_CREATE, "", "payment_intent=%s&amount=10&metadata[a]=b", id);
    /* The refund's record, as the first of a book without any room: an intent, a charge, a refund, an event, a key. */
    struct record record = keyed_record(&world, 1);
    unsigned failed = 0;
    for (int n = 1;; n++) {
        struct book book;
        book_init(&book);
        allocation_to_fail = n;
        enum result result = book_apply(&book, &record, 16);
        bool was_hit = allocation_to_fail == 0;
        allocation_to_fail = 0;
        assert_int_equal(result, was_hit ? RESULT_OVERLOADED : RESULT_OK);
        if (was_hit) {
            failed++;
            assert_int_equal(book.intent_count + book.charge_count + book.refund_count + book.event_count, 0);
            assert_null(book_key(&book, &record.head.key, world.now_ms));
            assert_int_equal(book_apply(&book, &record, 16), RESULT_OK);
        }
        assert_int_equal(book.intent_count, 1);
        assert_int_equal(book.refunds[0].refund.amount, 10);
        assert_non_null(book_key(&book, &record.head.key, world.now_ms));
        book_release(&book);
        if (!was_hit)
            break;
    }
    assert_int_equal(failed, 7);
    world_release(&world);
}

static void a_record_that_does_not_go_with_the_book_is_refused(void **state) {
    /* Red if a record can leave a hole in the numbers, or point to a card or an object that is not there. */
    (void)state;
    struct world world;
    world_init(&world);
    run(&world, ROUTE_INTENT_CREATE, "", "amount=100&currency=eur&confirm=true&payment_method=tok_fine");
    struct record good = world.verdict.record;
    struct record wrong[5] = {good, good, good, good, good};
    wrong[0].intent.number = 2;
    wrong[1].charge.number = 2;
    wrong[2].intent.card.kind = 10000;
    wrong[3].charge.card.kind = 10000;
    wrong[4].head.parts = PART_REFUND;
    for (int i = 0; i < 5; i++)
        assert_int_equal(book_apply(&world.book, &wrong[i], 16), RESULT_CORRUPT);
    assert_int_equal(book_apply(&world.book, &good, 16), RESULT_OK);
    world_release(&world);
}

static void a_record_is_whole_or_none(void **state) {
    /* Red if a length is not checked against what is there. */
    (void)state;
    struct world world;
    world_init(&world);
    run(&world, ROUTE_INTENT_CREATE, "", "amount=100&currency=eur&metadata[a]=b");
    struct bytes whole = {world.tape.at + 4, world.tape.length - 4};
    struct record record;
    assert_true(object_record_read(whole, &record));
    for (size_t length = 0; length < whole.length; length++)
        assert_false(object_record_read((struct bytes){whole.at, length}, &record));
    buffer_add_char(&world.tape, 0);
    assert_false(object_record_read((struct bytes){world.tape.at + 4, world.tape.length - 4}, &record));
    world_release(&world);
}

static struct id key_number(int number) {
    struct bytes name = {(const char *)&number, sizeof number};
    return hash_128(&name, 1);
}

static void a_key_lives_24_hours_and_no_longer(void **state) {
    /* Red if a key is forgotten early, kept on, or forgotten while its call runs. */
    (void)state;
    struct book book;
    book_init(&book);
    struct id key = key_number(1), running = key_number(2);
    assert_int_equal(book_set_key(&book, &key, 16, 1000), RESULT_OK);
    assert_int_equal(book_set_key(&book, &running, KEY_RUNNING, 1000), RESULT_OK);
    assert_int_equal(book_key(&book, &key, 1000 + KEY_LIFE_MS - 1)->place, 16);
    assert_null(book_key(&book, &key, 1000 + KEY_LIFE_MS));
    assert_non_null(book_key(&book, &running, 1000 + 2 * KEY_LIFE_MS));
    assert_int_equal(book_set_key(&book, &key, 48, 1000 + KEY_LIFE_MS), RESULT_OK);
    assert_int_equal(book_key(&book, &key, 1000 + KEY_LIFE_MS)->place, 48);
    book_release(&book);
}

static void old_keys_make_room_for_new_ones(void **state) {
    /* Red if the table grows with all keys that ever were, or loses a living one when it grows. */
    (void)state;
    struct book book;
    book_init(&book);
    for (int i = 0; i < 200000; i++) {
        struct id key = key_number(i);
        assert_int_equal(book_set_key(&book, &key, (uint64_t)i, (int64_t)i * KEY_LIFE_MS / 1000), RESULT_OK);
        struct id older = key_number(i > 998 ? i - 998 : 0);
        assert_int_equal(book_key(&book, &older, (int64_t)i * KEY_LIFE_MS / 1000)->place, i > 998 ? i - 998 : 0);
    }
    assert_in_range(book.key_mask, 1, 4095);
    book_release(&book);
}

static void nothing(void *context) {
    (void)context;
}

static enum result no_record(void *context, uint64_t place, struct bytes record) {
    (void)context, (void)place, (void)record;
    return RESULT_CORRUPT;
}

static void append_to(struct tape *tape, const struct record *record) {
    struct buffer bytes;
    buffer_init(&bytes, LIMIT_SANDBOX_RECORD_BYTES);
    object_record_write(&bytes, record);
    tape_append(tape, buffer_bytes(&bytes));
    buffer_release(&bytes);
}

static void an_old_tape_is_written_anew(void **state) {
    /* Red if a start keeps what nobody needs, or forgets an object or a key of today. */
    struct gateway *gateway = *state;
    struct world world;
    char path[128], detail[256], id[OBJECT_ID_BYTES], route[128];
    struct tape *tape;
    struct tape_listener listener = {.synced = nothing, .failed = nothing};
    struct stat before, after;
    gateway_kill(gateway);
    gateway_file(gateway, "tape", path, sizeof path);
    unlink(path);
    assert_int_equal(tape_open(path, no_record, NULL, &tape, detail, sizeof detail), RESULT_OK);
    assert_int_equal(tape_start(tape, &listener), RESULT_OK);
    world_init(&world);
    world.now_ms = clock_now_ms() - 2 * KEY_LIFE_MS;
    run(&world, ROUTE_INTENT_CREATE, "", "amount=100&currency=eur&metadata[a]=old");
    append_to(tape, &world.verdict.record);
    object_id("pi", 0, world.book.intents[0].intent.chance, id);
    for (int i = 0; i < 10000; i++) { /* refusals: kept for a day, and no object's latest record */
        run(&world, ROUTE_INTENT_CAPTURE, id, "%s", "");
        append_to(tape, &world.verdict.record);
    }
    world.now_ms = clock_now_ms() - 1000;
    run(&world, ROUTE_INTENT_CAPTURE, id, "%s", ""); /* of today: its key still lives */
    snprintf(route, sizeof route, "/v1/payment_intents/%s/capture", id);
    world.verdict.record.head.key = hash_128(&BYTES("today"), 1);
    world.verdict.record.head.request = form_hash(&world.form, bytes_of(route));
    append_to(tape, &world.verdict.record);
    tape_close(tape);
    world_release(&world);
    assert_int_equal(stat(path, &before), 0);
    for (int i = 0; i < 2; i++) {
        gateway_start(gateway);
        assert_int_equal(stat(path, &after), 0);
        assert_true(before.st_size > 8 * 1024 * 1024 && after.st_size < 4096);
        assert_string_equal(ask_for(gateway, 200, "metadata.a", on(id, ""), NULL), "old");
        struct reply reply = ask(gateway, on(id, "capture"), "today", "");
        assert_int_equal(reply.status, 400);
        assert_non_null(strstr(reply.head, "Idempotent-Replayed: true"));
        reply_free(&reply);
        gateway_kill(gateway);
    }
    gateway_start(gateway);
}

int main(int count, char **arguments) {
    gateway_child_main(count, arguments);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_whole_or_none),
        cmocka_unit_test(a_record_that_does_not_go_with_the_book_is_refused),
        cmocka_unit_test(a_record_that_finds_no_memory_changes_nothing),
        cmocka_unit_test(money_adds_up_on_every_way_through_a_small_world),
        cmocka_unit_test(a_key_lives_24_hours_and_no_longer),
        cmocka_unit_test(old_keys_make_room_for_new_ones),
        cmocka_unit_test_setup_teardown(an_old_tape_is_written_anew, gateway_set_up, gateway_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
