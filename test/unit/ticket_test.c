/* Tickets: what we wrote is one, under whichever of our keys; nothing else is, not even under our own signature. */
#include "token_world.h"
#include "base/base64url.h"
#include "dies.h"
#include "tickets/ticket.h"

#include <sodium.h>

#define HEADER "{\"alg\":\"EdDSA\",\"typ\":\"ticket+jwt\",\"kid\":\"01010101\"}"
#define SHOW "01020304-0506-0708-090a-0b0c0d0e0f10"
#define CLAIMS_OF(seat, number, rest)                                                                                  \
    "{\"iss\":\"onsale\",\"aud\":\"entry\",\"show\":\"" SHOW "\",\"seat\":\"" seat "\",\"jti\":\"" number "\"" rest "}"
#define NUMBER "0123456789ABCDEF"
#define RESTS_MS (TICKET_KEY_RESTS_S * INT64_C(1000))

static struct ticket a_ticket(const struct keyring *ring, const char *seat, int64_t sold_ms) {
    struct id show = show_number(1), booking = show_number(77);
    return ticket_for_seat(ring, &show, &booking, bytes_of(seat), sold_ms, NOW_MS + 86400000);
}

static struct text written(const struct keyring *ring, const struct ticket *ticket) {
    struct buffer out;
    buffer_init(&out, LIMIT_TICKET_BYTES);
    ticket_write(ring, ticket, &out);
    return text_of(&out);
}

/* The verdict; what is not good leaves its output alone. */
static enum ticket_verdict verdict_on(const struct keyring *ring, struct bytes text) {
    struct ticket ticket, untouched;
    memset(&ticket, 0x5a, sizeof ticket);
    memset(&untouched, 0x5a, sizeof untouched);
    enum ticket_verdict verdict = ticket_read(ring, text, &ticket);
    if (verdict != TICKET_GOOD)
        assert_memory_equal(&ticket, &untouched, sizeof ticket);
    return verdict;
}

static void assert_reads(const struct keyring *ring, const struct text *text, const struct ticket *wanted) {
    struct ticket ticket;
    assert_int_equal(ticket_read(ring, text_bytes(text), &ticket), TICKET_GOOD);
    assert_true(id_equal(&ticket.show_id, &wanted->show_id) && bytes_equal(ticket_seat(&ticket), ticket_seat(wanted)));
    assert_memory_equal(ticket.number, wanted->number, sizeof ticket.number);
    assert_int_equal(ticket.sold_s, wanted->sold_s);
    assert_int_equal(ticket.starts_s, wanted->starts_s);
}

static void add_base64url(struct text *text, struct bytes data) {
    assert_in_range(text->length + BASE64URL_TEXT(data.length), 0, sizeof text->at);
    base64url_encode(data.at, data.length, text->at + text->length);
    text->length += BASE64URL_TEXT(data.length);
}

/* Any header and claims, signed by the key as it should be. */
static struct text signed_token(const struct key_generation *key, struct bytes header, struct bytes claims) {
    struct text text = {0};
    uint8_t signature[KEY_SIGNATURE_BYTES];
    add_base64url(&text, header);
    text.at[text.length++] = '.';
    add_base64url(&text, claims);
    crypto_sign_detached(signature, NULL, (const uint8_t *)text.at, text.length, key->secret_key);
    text.at[text.length++] = '.';
    add_base64url(&text, (struct bytes){(const char *)signature, sizeof signature});
    return text;
}

static uint32_t kid_of(const struct text *text) {
    struct jws jws;
    assert_true(jws_split(text_bytes(text), BYTES("ticket+jwt"), &jws));
    return jws.kid;
}

/* ---- what is a ticket ---- */

static void the_text_is_what_the_documents_say(void **state) {
    /* Red when a claim, their order, the type or the number's making changes: tickets that were printed would be void,
     * and numbers at the door would not be those that were sold. The number was made again in Python. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    struct ticket ticket = a_ticket(&ring, "A1", NOW_MS);
    struct text text = written(&ring, &ticket), again = written(&ring, &ticket);
    struct text wanted =
        signed_token(&ring.of[0], BYTES(HEADER),
                     BYTES(CLAIMS_OF("A1", "JB0ET0QA3SMV73W4", ",\"iat\":1796644078,\"start\":1796730478")));
    assert_true(bytes_equal(text_bytes(&text), text_bytes(&wanted)));
    assert_true(bytes_equal(text_bytes(&text), text_bytes(&again)));
    assert_reads(&ring, &text, &ticket);
}

static void every_seat_comes_back(void **state) {
    /* Red when a character that JSON escapes, or one of many bytes, is lost on the way. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    char longest[LIMIT_SEAT_ID_BYTES + 1];
    memset(longest, 1, sizeof longest); /* six characters each */
    longest[LIMIT_SEAT_ID_BYTES] = 0;
    const char *const seats[] = {"A1", "Block \"12\" \\ Row <3>-4", "Z\xc3\xbcrich \xf0\x9f\x8e\xab-1", "\x7f",
                                 longest};
    for (size_t i = 0; i < COUNT(seats); i++) {
        struct ticket ticket = a_ticket(&ring, seats[i], NOW_MS);
        struct text text = written(&ring, &ticket);
        assert_in_range(text.length, 1, LIMIT_TICKET_BYTES);
        assert_reads(&ring, &text, &ticket);
    }
}

static void a_show_without_a_start_has_tickets_without_one(void **state) {
    /* Red when a start that is not set is told as 1970. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    struct ticket ticket = a_ticket(&ring, "A1", NOW_MS);
    ticket.starts_s = 0;
    struct text text = written(&ring, &ticket);
    assert_reads(&ring, &text, &ticket);
    struct text told =
        signed_token(&ring.of[0], BYTES(HEADER), BYTES(CLAIMS_OF("A1", NUMBER, ",\"iat\":1,\"start\":0")));
    assert_int_equal(verdict_on(&ring, text_bytes(&told)), TICKET_MALFORMED);
}

static void times_beyond_the_calendar_are_cut_off(void **state) {
    /* Red when such a time is written as it is: what was written could not be read. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    struct id id = show_number(1);
    struct ticket ticket = ticket_for_seat(&ring, &id, &id, BYTES("A1"), -1, INT64_MAX);
    assert_int_equal(ticket.sold_s, 0);
    assert_int_equal(ticket.starts_s, JWS_LAST_S);
    struct text text = written(&ring, &ticket);
    assert_reads(&ring, &text, &ticket);
}

/* ---- keys that come and go ---- */

static void a_rotation_changes_no_ticket(void **state) {
    /* Red when the newest key signs whatever is asked for: a fan who asks again would hold another text than the one
     * that was printed. */
    (void)state;
    struct keyring before = keyring_of(1, 2), after = keyring_of(1, 5);
    struct ticket ticket = a_ticket(&before, "A1", NOW_MS);
    for (int64_t made_ms = NOW_MS - RESTS_MS + 1000; made_ms <= NOW_MS + 1000; made_ms += 500) {
        for (unsigned i = 2; i < 5; i++)
            after.of[i].created_ms = made_ms;
        struct text first = written(&before, &ticket), later = written(&after, &ticket);
        assert_true(bytes_equal(text_bytes(&first), text_bytes(&later)));
        assert_int_equal(kid_of(&later), 0x02020202);
        assert_reads(&after, &first, &ticket);
    }
}

static void a_ticket_is_signed_by_the_newest_key_that_had_rested(void **state) {
    /* Red when the search goes one too far or not far enough, or the rest is not kept. */
    (void)state;
    struct keyring ring = keyring_of(1, 3);
    for (unsigned i = 0; i < 3; i++)
        ring.of[i].created_ms = NOW_MS / 1000 * 1000 + 10000 * i;
    static const struct {
        int64_t after_ms; /* the first key was made */
        uint32_t kid;
    } cases[] = {{-1000000, 0x01010101},         {0, 0x01010101},
                 {RESTS_MS + 9999, 0x01010101},  {RESTS_MS + 10000, 0x02020202},
                 {RESTS_MS + 19999, 0x02020202}, {RESTS_MS + 20000, 0x03030303},
                 {RESTS_MS * 100, 0x03030303}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ticket ticket = a_ticket(&ring, "A1", NOW_MS / 1000 * 1000 + cases[i].after_ms);
        struct text text = written(&ring, &ticket);
        assert_int_equal(kid_of(&text), cases[i].kid);
    }
}

static void after_its_key_is_retired_a_ticket_is_made_anew_with_the_same_number(void **state) {
    /* Red when a ticket of a key that is gone is still taken, cannot be had again, or gets another number. */
    (void)state;
    struct keyring before = keyring_of(1, 2), after = keyring_of(3, 4);
    struct ticket old = a_ticket(&before, "A1", 1500), fresh = a_ticket(&after, "A1", 1500);
    struct text printed = written(&before, &old), anew = written(&after, &fresh);
    assert_int_equal(verdict_on(&after, text_bytes(&printed)), TICKET_UNKNOWN_KEY);
    assert_reads(&after, &anew, &fresh);
    assert_memory_equal(old.number, fresh.number, sizeof old.number);
}

static void a_number_is_one_seats_of_one_booking_and_tells_neither(void **state) {
    /* Red when the seat, the booking or the secret is left out of it, or the booking's id is in it. */
    (void)state;
    struct keyring ring = keyring_of(1, 1), other = ring;
    struct id show = show_number(1), booking = show_number(77), another = show_number(78);
    other.blinding[31] ^= 1;
    struct ticket tickets[] = {ticket_for_seat(&ring, &show, &booking, BYTES("A1"), NOW_MS, 0),
                               ticket_for_seat(&ring, &show, &booking, BYTES("A2"), NOW_MS, 0),
                               ticket_for_seat(&ring, &show, &another, BYTES("A1"), NOW_MS, 0),
                               ticket_for_seat(&other, &show, &booking, BYTES("A1"), NOW_MS, 0)};
    for (size_t i = 0; i < COUNT(tickets); i++) {
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(tickets[i].number, tickets[j].number, KEY_TICKET_NUMBER_BYTES);
        struct text text = written(&ring, &tickets[i]);
        char hex[2 * sizeof booking.at];
        hex_encode(booking.at, sizeof booking.at, hex);
        assert_null(memmem(text.at, text.length, hex, sizeof hex));
        assert_memory_not_equal(tickets[i].number, booking.at, KEY_TICKET_NUMBER_BYTES);
    }
}

static void a_number_is_written_in_crockfords_base_32(void **state) {
    /* Red when a group of five bits is taken at another place. */
    (void)state;
    char text[TICKET_NUMBER_TEXT];
    uint8_t number[KEY_TICKET_NUMBER_BYTES] = {0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf};
    ticket_number_format(number, text);
    assert_memory_equal(text, "0123456789ABCDEF", sizeof text);
    memset(number, 0xff, sizeof number);
    ticket_number_format(number, text);
    assert_memory_equal(text, "ZZZZZZZZZZZZZZZZ", sizeof text);
}

/* ---- what is none ---- */

static void a_pass_is_no_ticket_and_a_ticket_no_pass(void **state) {
    /* Red when the type in the header is not looked at: the shop's pass would open the hall, or the other way round. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    struct pass pass = pass_of("ann", 1), read;
    struct ticket ticket = a_ticket(&ring, "A1", NOW_MS);
    struct text as_pass = pass_text(&ring, &pass), as_ticket = written(&ring, &ticket);
    assert_int_equal(verdict_on(&ring, text_bytes(&as_pass)), TICKET_IS_A_PASS);
    assert_int_equal(pass_read(&ring, text_bytes(&as_ticket), &read), RESULT_PASS_INVALID);
    assert_int_equal(pass_read_unchecked(&ring, text_bytes(&as_ticket), &read), RESULT_PASS_INVALID);
    struct queue_ticket place = (struct queue_ticket){
        .show_id = show_number(1), .number = 1, .issued_ms = NOW_MS, .user = user_of(BYTES("ann"))};
    struct text as_place = ticket_text(&ring, &place);
    assert_int_equal(verdict_on(&ring, text_bytes(&as_place)), TICKET_MALFORMED);
}

static void the_claims_of_one_under_the_header_of_the_other_are_neither(void **state) {
    /* Red when only the header tells a pass from a ticket, and the claims do not. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    struct pass read;
    struct text pass_claims = signed_token(&ring.of[0], BYTES(HEADER),
                                           BYTES("{\"iss\":\"onsale\",\"aud\":\"" SHOW "\",\"sub\":\"ann\",\"jti\":"
                                                 "\"00000001000000000000000000000000\",\"iat\":1,\"exp\":2}"));
    struct text ticket_claims =
        signed_token(&ring.of[0], BYTES("{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"01010101\"}"),
                     BYTES(CLAIMS_OF("A1", NUMBER, ",\"iat\":1")));
    assert_int_equal(verdict_on(&ring, text_bytes(&pass_claims)), TICKET_MALFORMED);
    assert_int_equal(pass_read(&ring, text_bytes(&ticket_claims), &read), RESULT_PASS_INVALID);
    assert_int_equal(pass_read_unchecked(&ring, text_bytes(&ticket_claims), &read), RESULT_PASS_INVALID);
}

static void every_bit_counts(void **state) {
    /* Red when a part of the text is not signed, not compared, or has a second spelling. */
    (void)state;
    struct keyring ring = keyring_of(1, 2);
    struct ticket ticket = a_ticket(&ring, "A1", NOW_MS);
    struct text text = written(&ring, &ticket);
    for (size_t bit = 0; bit < 8 * text.length; bit++) {
        struct text forged = text;
        forged.at[bit / 8] = (char)(forged.at[bit / 8] ^ 1 << bit % 8);
        assert_int_not_equal(verdict_on(&ring, text_bytes(&forged)), TICKET_GOOD);
    }
}

static void every_byte_counts_decoded(void **state) {
    /* Red when what base64url carries is changed within the alphabet and taken. */
    (void)state;
    static const char other[] = "AQ";
    struct keyring ring = keyring_of(1, 1);
    struct ticket ticket = a_ticket(&ring, "A1", NOW_MS);
    struct text text = written(&ring, &ticket);
    for (size_t at = 0; at < text.length; at++)
        for (size_t i = 0; i < sizeof other - 1; i++) {
            struct text forged = text;
            forged.at[at] = other[i];
            if (other[i] != text.at[at])
                assert_int_not_equal(verdict_on(&ring, text_bytes(&forged)), TICKET_GOOD);
        }
}

static void what_is_cut_off_or_goes_on_is_none(void **state) {
    /* Red when a length is not checked before what it promises is read (run under the address sanitizer, too). */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    struct ticket ticket = a_ticket(&ring, "A1", NOW_MS);
    struct text text = written(&ring, &ticket);
    for (size_t length = 0; length < text.length; length++) {
        char *exactly = malloc(length ? length : 1);
        assert_non_null(exactly);
        memcpy(exactly, text.at, length);
        assert_int_not_equal(verdict_on(&ring, (struct bytes){exactly, length}), TICKET_GOOD);
        free(exactly);
    }
    static const char *const behind[] = {".", "=", "A", " ", "\n", "\r", ".A", "\x80"};
    for (size_t i = 0; i < COUNT(behind); i++) {
        struct text longer = text, moved = text;
        size_t more = strlen(behind[i]);
        memcpy(longer.at + longer.length, behind[i], more);
        longer.length += more;
        assert_int_not_equal(verdict_on(&ring, text_bytes(&longer)), TICKET_GOOD);
        memmove(moved.at + more, moved.at, moved.length);
        memcpy(moved.at, behind[i], more);
        moved.length += more;
        assert_int_not_equal(verdict_on(&ring, text_bytes(&moved)), TICKET_GOOD);
    }
    struct bytes nothing = {NULL, 0};
    assert_int_equal(verdict_on(&ring, nothing), TICKET_MALFORMED);
}

static void no_other_header_is_taken_even_if_we_signed_it(void **state) {
    /* Red when the token has a say in how it is checked (RFC 8725). */
    (void)state;
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"typ\":\"ticket+jwt\",\"kid\":\"01010101\"}",
        "{\"alg\":\"HS256\",\"typ\":\"ticket+jwt\",\"kid\":\"01010101\"}",
        "{\"alg\":\"RS256\",\"typ\":\"ticket+jwt\",\"kid\":\"01010101\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"TICKET+JWT\",\"kid\":\"01010101\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"ticket\",\"kid\":\"01010101\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"01010101\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"ticket+jwt\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"ticket+jwt\",\"kid\":\"0101010A\"}",
        "{\"alg\":\"EdDSA\",\"typ\":\"ticket+jwt\",\"kid\":\"01010101\",\"crit\":[]}",
        "{\"alg\":\"EdDSA\",\"typ\":\"ticket+jwt\",\"kid\":\"01010101\",\"jku\":\"http://127.0.0.1/\"}",
        "{\"typ\":\"ticket+jwt\",\"alg\":\"EdDSA\",\"kid\":\"01010101\"}",
        " {\"alg\":\"EdDSA\",\"typ\":\"ticket+jwt\",\"kid\":\"01010101\"}",
        "{}",
        "",
    };
    struct keyring ring = keyring_of(1, 2);
    struct bytes claims = BYTES(CLAIMS_OF("A1", NUMBER, ",\"iat\":1"));
    struct text good = signed_token(&ring.of[0], BYTES(HEADER), claims);
    assert_int_equal(verdict_on(&ring, text_bytes(&good)), TICKET_GOOD);
    for (size_t i = 0; i < COUNT(headers); i++) {
        struct text text = signed_token(&ring.of[0], bytes_of(headers[i]), claims);
        assert_int_equal(verdict_on(&ring, text_bytes(&text)), TICKET_MALFORMED);
    }
}

static void a_kid_names_the_key_and_no_other_key_is_tried(void **state) {
    /* Red when a signature of any of our keys will do. */
    (void)state;
    struct keyring ring = keyring_of(1, 2), stranger = keyring_of(7, 7);
    struct bytes claims = BYTES(CLAIMS_OF("A1", NUMBER, ",\"iat\":1"));
    struct text other_key = signed_token(&ring.of[1], BYTES(HEADER), claims);
    struct text forged = signed_token(&stranger.of[0], BYTES(HEADER), claims);
    struct text unknown =
        signed_token(&stranger.of[0], BYTES("{\"alg\":\"EdDSA\",\"typ\":\"ticket+jwt\",\"kid\":\"07070707\"}"), claims);
    assert_int_equal(verdict_on(&ring, text_bytes(&other_key)), TICKET_FORGED);
    assert_int_equal(verdict_on(&ring, text_bytes(&forged)), TICKET_FORGED);
    assert_int_equal(verdict_on(&ring, text_bytes(&unknown)), TICKET_UNKNOWN_KEY);
}

static void claims_that_we_would_not_write_are_none_even_if_we_signed_them(void **state) {
    /* Red when a second spelling of the same ticket is taken, or another kind of claims. */
    (void)state;
    static const char *const claims[] = {
        CLAIMS_OF("", NUMBER, ",\"iat\":1"),
        CLAIMS_OF("A1", "0123456789ABCDE", ",\"iat\":1"),
        CLAIMS_OF("A1", "0123456789abcdef", ",\"iat\":1"),
        CLAIMS_OF("A1", "0123456789ABCDEU", ",\"iat\":1"),
        CLAIMS_OF("A1", NUMBER, ""),
        CLAIMS_OF("A1", NUMBER, ",\"iat\":01"),
        CLAIMS_OF("A1", NUMBER, ",\"iat\":-1"),
        CLAIMS_OF("A1", NUMBER, ",\"iat\":1.0"),
        CLAIMS_OF("A1", NUMBER, ",\"iat\":253402300800"),
        CLAIMS_OF("A1", NUMBER, ",\"iat\":1,\"start\":01"),
        CLAIMS_OF("A1", NUMBER, ",\"iat\":1,\"start\":"),
        CLAIMS_OF("A1", NUMBER, ",\"iat\":1,\"exp\":9"),
        CLAIMS_OF("A1", NUMBER, ", \"iat\":1"),
        CLAIMS_OF("\\u0041", NUMBER, ",\"iat\":1"),
        CLAIMS_OF("A\\/1", NUMBER, ",\"iat\":1"),
        CLAIMS_OF("\xff", NUMBER, ",\"iat\":1"),
        CLAIMS_OF("A1", NUMBER, ",\"iat\":1") " ",
        "{\"iss\":\"others\",\"aud\":\"entry\",\"show\":\"" SHOW "\",\"seat\":\"A1\",\"jti\":\"" NUMBER "\",\"iat\":1}",
        "{\"iss\":\"onsale\",\"aud\":\"" SHOW "\",\"show\":\"" SHOW "\",\"seat\":\"A1\",\"jti\":\"" NUMBER
        "\",\"iat\":1}",
        "{}",
        "",
    };
    struct keyring ring = keyring_of(1, 1);
    for (size_t i = 0; i < COUNT(claims); i++) {
        struct text text = signed_token(&ring.of[0], BYTES(HEADER), bytes_of(claims[i]));
        assert_int_equal(verdict_on(&ring, text_bytes(&text)), TICKET_MALFORMED);
    }
}

static void write_without_a_seat(void *context) {
    struct buffer out;
    struct ticket ticket = {.seat_length = 0};
    buffer_init(&out, LIMIT_TICKET_BYTES);
    ticket_write(context, &ticket, &out);
}

static void a_ticket_for_no_seat_is_a_panic(void **state) {
    /* Red when it is written: it could not be read. */
    (void)state;
    struct keyring ring = keyring_of(1, 1);
    assert_dies(write_without_a_seat, &ring);
}

int main(void) {
    hash_set_up();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_what_the_documents_say),
        cmocka_unit_test(every_seat_comes_back),
        cmocka_unit_test(a_show_without_a_start_has_tickets_without_one),
        cmocka_unit_test(times_beyond_the_calendar_are_cut_off),
        cmocka_unit_test(a_rotation_changes_no_ticket),
        cmocka_unit_test(a_ticket_is_signed_by_the_newest_key_that_had_rested),
        cmocka_unit_test(after_its_key_is_retired_a_ticket_is_made_anew_with_the_same_number),
        cmocka_unit_test(a_number_is_one_seats_of_one_booking_and_tells_neither),
        cmocka_unit_test(a_number_is_written_in_crockfords_base_32),
        cmocka_unit_test(a_pass_is_no_ticket_and_a_ticket_no_pass),
        cmocka_unit_test(the_claims_of_one_under_the_header_of_the_other_are_neither),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(every_byte_counts_decoded),
        cmocka_unit_test(what_is_cut_off_or_goes_on_is_none),
        cmocka_unit_test(no_other_header_is_taken_even_if_we_signed_it),
        cmocka_unit_test(a_kid_names_the_key_and_no_other_key_is_tried),
        cmocka_unit_test(claims_that_we_would_not_write_are_none_even_if_we_signed_them),
        cmocka_unit_test(a_ticket_for_no_seat_is_a_panic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
