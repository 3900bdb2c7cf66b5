/* Queue tickets: the fan's own comes back as it was made, and nothing else is one. */
#include "token_vectors.h"
#include "token_world.h"
#include "base/base64url.h"
#include "base/random.h"
#include "dies.h"

#define DATA_MOST 190

static void assert_refused(const struct keyring *ring, struct bytes text) {
    struct queue_ticket ticket, untouched;
    memset(&ticket, 0x5a, sizeof ticket);
    memset(&untouched, 0x5a, sizeof untouched);
    assert_int_equal(queue_ticket_read(ring, text, &ticket), RESULT_QUEUE_TICKET_INVALID);
    assert_memory_equal(&ticket, &untouched, sizeof ticket);
}

static void assert_same(const struct queue_ticket *a, const struct queue_ticket *b) {
    assert_true(id_equal(&a->show_id, &b->show_id) && same_user(&a->user, &b->user));
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->issued_ms, b->issued_ms);
    assert_memory_equal(a->salt, b->salt, sizeof a->salt);
}

/* The text of these bytes, as a forger writes it. */
static struct text text_with(const uint8_t *data, size_t length) {
    struct text text = {.length = 3 + BASE64URL_TEXT(length)};
    memcpy(text.at, "q1.", 3);
    base64url_encode(data, length, text.at + 3);
    return text;
}

static size_t data_of(const struct text *text, uint8_t data[static DATA_MOST]) {
    size_t length;
    assert_true(base64url_decode((struct bytes){text->at + 3, text->length - 3}, DATA_MOST, data, &length));
    return length;
}

static void the_text_is_the_same_everywhere(void **state) {
    /* Red when a field moves, changes its size or byte order, or leaves the MAC: old tickets would be void. */
    (void)state;
    struct keyring ring = keyring_of(1, 2);
    struct queue_ticket ticket = ticket_of(VECTOR_USER, VECTOR_NUMBER), again;
    struct text text = ticket_text(&ring, &ticket);
    assert_true(bytes_equal(text_bytes(&text), BYTES(VECTOR_TICKET)));
    assert_int_equal(queue_ticket_read(&ring, BYTES(VECTOR_TICKET), &again), RESULT_OK);
    assert_same(&ticket, &again);
}

static void every_ticket_comes_back_as_it_was_made(void **state) {
    /* Red when a length of the user or an end of a field's range is lost on the way. */
    (void)state;
    struct keyring ring = keyring_of(1, 3);
    for (unsigned length = 1; length <= LIMIT_USER_ID_BYTES; length++) {
        struct queue_ticket ticket, again;
        random_bytes(&ticket, sizeof ticket);
        ticket.issued_ms = length % 3 == 0 ? 0 : length % 3 == 1 ? (1LL << 48) - 1 : NOW_MS;
        ticket.number = length % 5 == 0 ? 0 : length % 5 == 1 ? UINT32_MAX : ticket.number;
        ticket.user.length = (uint8_t)length;
        struct text text = ticket_text(&ring, &ticket);
        assert_in_range(text.length, 1, LIMIT_QUEUE_TICKET_BYTES);
        assert_int_equal(queue_ticket_read(&ring, text_bytes(&text), &again), RESULT_OK);
        assert_same(&ticket, &again);
    }
}

static void old_keys_are_read_until_they_are_gone(void **state) {
    /* Red when a rotation voids tickets, or a retired key's are still taken. */
    (void)state;
    struct keyring old = keyring_of(1, 1), rotated = keyring_of(1, 2), retired = keyring_of(2, 2);
    struct queue_ticket ticket = ticket_of("alice", 1), again;
    struct text text = ticket_text(&old, &ticket), fresh = ticket_text(&rotated, &ticket);
    assert_int_equal(queue_ticket_read(&rotated, text_bytes(&text), &again), RESULT_OK);
    assert_refused(&retired, text_bytes(&text));
    assert_int_equal(queue_ticket_read(&retired, text_bytes(&fresh), &again), RESULT_OK);
    assert_refused(&old, text_bytes(&fresh));
}

static void a_key_of_the_same_id_with_another_secret_refuses_it(void **state) {
    /* Red when the MAC is not looked at, or not made with that key. */
    (void)state;
    struct keyring ring = keyring_of(1, 1), other = ring;
    struct queue_ticket ticket = ticket_of("alice", 1);
    struct text text = ticket_text(&ring, &ticket);
    for (unsigned bit = 0; bit < 8 * KEY_MAC_BYTES; bit++) {
        other.of[0].mac[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_refused(&other, text_bytes(&text));
        other.of[0].mac[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void no_part_of_it_can_be_cut_off(void **state) {
    /* Red when a length is not checked before what it promises is read. */
    (void)state;
    struct keyring ring = keyring_of(1, 2);
    struct queue_ticket ticket = ticket_of("alice", 1), shortest = ticket_of("a", 1);
    struct text text = ticket_text(&ring, &ticket), other = ticket_text(&ring, &shortest);
    for (size_t length = 0; length < text.length; length++) {
        char *exactly = malloc(length + 1);
        assert_non_null(exactly);
        memcpy(exactly, text.at, length);
        assert_refused(&ring, (struct bytes){exactly, length});
        memcpy(exactly, text.at + text.length - length, length);
        assert_refused(&ring, (struct bytes){exactly, length});
        free(exactly);
    }
    for (size_t length = 0; length < other.length; length++)
        assert_refused(&ring, (struct bytes){other.at, length});
    assert_refused(&ring, (struct bytes){NULL, 0});
}

static void no_bit_of_its_bytes_can_be_turned(void **state) {
    /* Red when a field is not under the MAC. */
    (void)state;
    struct keyring ring = keyring_of(1, 3);
    struct queue_ticket ticket = ticket_of("alice", 1);
    struct text text = ticket_text(&ring, &ticket);
    uint8_t data[DATA_MOST];
    size_t length = data_of(&text, data);
    for (size_t bit = 0; bit < 8 * length; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct text forged = text_with(data, length);
        assert_refused(&ring, text_bytes(&forged));
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void no_character_of_its_text_can_be_changed(void **state) {
    /* Red when two texts stand for the same bytes: prefix, alphabet, spare bits. */
    (void)state;
    struct keyring ring = keyring_of(1, 2);
    struct queue_ticket ticket;
    for (const char *user = "abc"; *user; user++) { /* three lengths: no, two and four spare bits */
        ticket = ticket_of(user, 1);
        struct text text = ticket_text(&ring, &ticket);
        for (size_t i = 0; i < text.length; i++)
            for (unsigned c = 0; c < 256; c++) {
                char was = text.at[i];
                text.at[i] = (char)c;
                if (text.at[i] != was)
                    assert_refused(&ring, text_bytes(&text));
                text.at[i] = was;
            }
    }
}

static void nothing_can_be_put_around_it(void **state) {
    /* Red when padding, white space or a second token is let pass. */
    (void)state;
    static const char *const around[][2] = {{"", "="}, {"", "=="},   {"", " "},   {" ", ""},    {"", "\n"},
                                            {"", "."}, {"", "A"},    {"", "AA"},  {"", "AAAA"}, {"q1.", ""},
                                            {"Q", ""}, {"\"", "\""}, {"q1.A", ""}};
    struct keyring ring = keyring_of(1, 2);
    struct queue_ticket ticket = ticket_of("alice", 1);
    struct text text = ticket_text(&ring, &ticket);
    for (size_t i = 0; i < COUNT(around); i++) {
        char forged[600];
        int length = snprintf(forged, sizeof forged, "%s%.*s%s", around[i][0], (int)text.length, text.at, around[i][1]);
        assert_refused(&ring, (struct bytes){forged, (size_t)length});
        length = snprintf(forged, sizeof forged, "q1.%s%.*s", around[i][0], (int)text.length - 3, text.at + 3);
        if (around[i][0][0])
            assert_refused(&ring, (struct bytes){forged, (size_t)length});
    }
    memcpy(text.at, "Q1.", 3);
    assert_refused(&ring, text_bytes(&text));
    memcpy(text.at, "q2.", 3);
    assert_refused(&ring, text_bytes(&text));
}

static void two_genuine_ones_make_no_third(void **state) {
    /* Red when a part of one ticket goes with the rest, or the MAC, of another. */
    (void)state;
    static const struct {
        size_t from, to;
    } fields[] = {{0, 4}, {4, 20}, {20, 24}, {24, 30}, {30, 38}, {38, 43}, {43, 59}};
    struct keyring ring = keyring_of(1, 2), older = keyring_of(1, 1);
    struct queue_ticket one = ticket_of("alice", 1), two = ticket_of("barry", 2);
    two.show_id = show_number(9);
    two.issued_ms += 77;
    memcpy(two.salt, "saltsalt", 8);
    struct text first = ticket_text(&ring, &one), second = ticket_text(&older, &two);
    uint8_t a[DATA_MOST], b[DATA_MOST], mixed[DATA_MOST];
    size_t length = data_of(&first, a);
    assert_int_equal(data_of(&second, b), length);
    assert_int_equal(length, fields[COUNT(fields) - 1].to);
    for (unsigned choice = 1; choice + 1 < 1u << COUNT(fields); choice++) {
        for (size_t i = 0; i < COUNT(fields); i++)
            memcpy(mixed + fields[i].from, (choice >> i & 1 ? a : b) + fields[i].from, fields[i].to - fields[i].from);
        struct text forged = text_with(mixed, length);
        assert_refused(&ring, text_bytes(&forged));
    }
}

static void the_user_cannot_grow_or_shrink_into_its_neighbours(void **state) {
    /* Red when the MAC does not know where the user ends: "ab" and a byte of the MAC, or "a" and one of the salt. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    struct queue_ticket ticket = ticket_of("ab", 1);
    struct text text = ticket_text(&ring, &ticket);
    uint8_t data[DATA_MOST], forged[DATA_MOST];
    size_t length = data_of(&text, data);
    for (size_t at = 0; at <= length; at++) { /* a byte taken out, or put in, anywhere */
        if (at < length) {
            memcpy(forged, data, at);
            memcpy(forged + at, data + at + 1, length - at - 1);
            struct text shorter = text_with(forged, length - 1);
            assert_refused(&ring, text_bytes(&shorter));
        }
        for (unsigned byte = 0; byte < 256; byte++) {
            memcpy(forged, data, at);
            forged[at] = (uint8_t)byte;
            memcpy(forged + at + 1, data + at, length - at);
            struct text longer = text_with(forged, length + 1);
            assert_refused(&ring, text_bytes(&longer));
        }
    }
}

static void one_that_is_too_long_is_refused_and_costs_nothing(void **state) {
    /* Red when the user is not bounded: a byte past what a ticket has room for is written (ASan). */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    uint8_t data[400] = {1, 1, 1, 1};
    struct text text;
    for (size_t user = LIMIT_USER_ID_BYTES + 1; user < 300; user++) {
        text = text_with(data, 38 + user + KEY_MAC_SIZE);
        assert_refused(&ring, text_bytes(&text));
    }
    static char many[100000];
    memset(many, 'A', sizeof many);
    memcpy(many, "q1.", 3);
    assert_refused(&ring, (struct bytes){many, sizeof many});
}

static void without_a_key_it_can_be_read_and_not_trusted(void **state) {
    /* Red when the unchecked reading needs a key, or takes what no ticket can be. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    struct queue_ticket ticket = ticket_of("alice", 1), again;
    struct text text = ticket_text(&ring, &ticket);
    assert_int_equal(queue_ticket_read_unchecked(text_bytes(&text), &again), RESULT_OK);
    assert_same(&ticket, &again);
    uint8_t data[DATA_MOST];
    size_t length = data_of(&text, data);
    data[length - 1] ^= 1;
    struct text forged = text_with(data, length);
    assert_int_equal(queue_ticket_read_unchecked(text_bytes(&forged), &again), RESULT_OK);
    data[38] = 0xff; /* of no UTF-8 */
    forged = text_with(data, length);
    assert_int_equal(queue_ticket_read_unchecked(text_bytes(&forged), &again), RESULT_QUEUE_TICKET_INVALID);
    for (size_t cut = 0; cut < 38 + 1 + KEY_MAC_SIZE; cut++) {
        forged = text_with(data, cut);
        assert_int_equal(queue_ticket_read_unchecked(text_bytes(&forged), &again), RESULT_QUEUE_TICKET_INVALID);
    }
}

static void write_it(void *ticket) {
    struct keyring ring = keyring_of(1, 1);
    ticket_text(&ring, ticket);
}

static void what_does_not_fit_its_field_is_a_panic(void **state) {
    /* Red when a time of more than six bytes, or no user at all, makes a ticket of somebody else's. */
    (void)state;
    struct queue_ticket late = ticket_of("alice", 1), early = late, nobody = late, long_user = late;
    late.issued_ms = 1LL << 48;
    early.issued_ms = -1;
    nobody.user.length = 0;
    long_user.user.length = LIMIT_USER_ID_BYTES + 1;
    assert_dies(write_it, &late);
    assert_dies(write_it, &early);
    assert_dies(write_it, &nobody);
    assert_dies(write_it, &long_user);
}

static void a_full_buffer_gets_nothing(void **state) {
    /* Red when half a ticket is written where there is no room for one. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    struct queue_ticket ticket = ticket_of("alice", 1);
    struct buffer out;
    buffer_init(&out, 81);
    queue_ticket_write(&ring, &ticket, &out);
    assert_true(!buffer_ok(&out) && out.length == 0);
    buffer_release(&out);
}

int main(void) {
    hash_set_up();
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_text_is_the_same_everywhere),
                                       cmocka_unit_test(every_ticket_comes_back_as_it_was_made),
                                       cmocka_unit_test(old_keys_are_read_until_they_are_gone),
                                       cmocka_unit_test(a_key_of_the_same_id_with_another_secret_refuses_it),
                                       cmocka_unit_test(no_part_of_it_can_be_cut_off),
                                       cmocka_unit_test(no_bit_of_its_bytes_can_be_turned),
                                       cmocka_unit_test(no_character_of_its_text_can_be_changed),
                                       cmocka_unit_test(nothing_can_be_put_around_it),
                                       cmocka_unit_test(two_genuine_ones_make_no_third),
                                       cmocka_unit_test(the_user_cannot_grow_or_shrink_into_its_neighbours),
                                       cmocka_unit_test(one_that_is_too_long_is_refused_and_costs_nothing),
                                       cmocka_unit_test(without_a_key_it_can_be_read_and_not_trusted),
                                       cmocka_unit_test(what_does_not_fit_its_field_is_a_panic),
                                       cmocka_unit_test(a_full_buffer_gets_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
