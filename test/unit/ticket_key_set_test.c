/* The keys of a scanner: what we publish is read back; of anything else it is said what is wrong. */
#include "token_world.h"
#include "tickets/key_set.h"
#include "tickets/ticket.h"

#define X "0uuZO2MUNSjnDc3H65yiEBDddpvpUlDCxbq_rRXUWOI"
#define KEY(kid, x)                                                                                                    \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"sig\",\"alg\":\"EdDSA\",\"kid\":\"" kid "\",\"x\":\"" x "\"}"

static struct text published(const struct keyring *ring) {
    struct buffer out;
    buffer_init(&out, 2000);
    keyring_write_jwks(ring, &out);
    return text_of(&out);
}

static void what_we_publish_checks_our_tickets(void **state) {
    /* Red when a key is lost on the way, gets another name, or a secret has to be there too. */
    (void)state;
    struct keyring ring = keyring_of(1, 3), scanner;
    struct id id = show_number(1);
    char fault[200];
    struct text set = published(&ring);
    assert_int_equal(key_set_read(text_bytes(&set), &scanner, fault, sizeof fault), RESULT_OK);
    assert_int_equal(scanner.count, 3);
    for (unsigned i = 0; i < 3; i++) {
        struct ticket ticket = ticket_for_seat(&ring, &id, &id, BYTES("A1"), 1000 + 1000 * i, 0), read;
        struct buffer out;
        buffer_init(&out, LIMIT_TICKET_BYTES);
        ticket_write(&ring, &ticket, &out);
        assert_int_equal(ticket_read(&scanner, buffer_bytes(&out), &read), TICKET_GOOD);
        buffer_release(&out);
    }
}

static void keys_of_other_kinds_are_left_out(void **state) {
    /* Red when a set that holds an RSA key too is refused, or such a key is taken for ours. */
    (void)state;
    static const char text[] =
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"kid\":\"r\"},"
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"kid\":\"01010102\",\"x\":\"" X "\"},"
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"enc\",\"kid\":\"01010103\",\"x\":\"" X "\"},"
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"alg\":\"ES256\",\"kid\":\"01010104\",\"x\":\"" X
        "\"},7,null,{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"01010101\",\"x\":\"" X "\"}],\"more\":1}";
    struct keyring ring;
    char fault[200];
    assert_int_equal(key_set_read(bytes_of(text), &ring, fault, sizeof fault), RESULT_OK);
    assert_int_equal(ring.count, 1);
    assert_non_null(keyring_find(&ring, 0x01010101));
}

static void what_is_wrong_is_said(void **state) {
    /* Red when a damaged set is taken as if it had no such key, or the ring is written all the same. */
    (void)state;
    static const struct {
        const char *text;
        enum result result;
        const char *fault;
    } cases[] = {
        {"", RESULT_BAD_JSON, ""},
        {"{\"keys\":[", RESULT_BAD_JSON, ""},
        {"{\"keys\":[],\"keys\":[]}", RESULT_BAD_JSON, ""},
        {"[]", RESULT_INVALID_FIELD, "no list 'keys'"},
        {"{}", RESULT_INVALID_FIELD, "no list 'keys'"},
        {"{\"keys\":{}}", RESULT_INVALID_FIELD, "no list 'keys'"},
        {"{\"keys\":[]}", RESULT_INVALID_FIELD, "no Ed25519 key"},
        {"{\"keys\":[" KEY("0101010", X) "]}", RESULT_INVALID_FIELD, "/keys/0 has no kid"},
        {"{\"keys\":[" KEY("0101010A", X) "]}", RESULT_INVALID_FIELD, "/keys/0 has no kid"},
        {"{\"keys\":[" KEY("00000000", X) "]}", RESULT_INVALID_FIELD, "/keys/0 has no kid"},
        {"{\"keys\":[" KEY("01010101", X) "," KEY("02020202", "AAAA") "]}", RESULT_INVALID_FIELD, "/keys/1 has no x"},
        {"{\"keys\":[" KEY("01010101", X "A") "]}", RESULT_INVALID_FIELD, "/keys/0 has no x"},
        {"{\"keys\":[" KEY("01010101", X "=") "]}", RESULT_INVALID_FIELD, "/keys/0 has no x"},
        {"{\"keys\":[" KEY("01010101", X) "," KEY("01010101", X) "]}", RESULT_INVALID_FIELD, "/keys/1 has a kid that"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct keyring ring = {.count = 99};
        char fault[200] = "";
        assert_int_equal(key_set_read(bytes_of(cases[i].text), &ring, fault, sizeof fault), cases[i].result);
        assert_int_equal(ring.count, 99);
        assert_non_null(strstr(fault, cases[i].fault));
    }
}

static void as_many_as_there_may_be_are_read_and_no_more(void **state) {
    /* Red when the ring overflows. */
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        struct keyring ring;
        struct buffer text;
        char fault[200];
        buffer_init(&text, LIMIT_KEY_SET_BYTES);
        buffer_add_text(&text, "{\"keys\":[");
        for (unsigned i = 1; i <= LIMIT_KEY_GENERATIONS + more; i++)
            buffer_printf(&text, "%s{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%08x\",\"x\":\"" X "\"}",
                          i > 1 ? "," : "", i);
        buffer_add_text(&text, "]}");
        assert_int_equal(key_set_read(buffer_bytes(&text), &ring, fault, sizeof fault),
                         more ? RESULT_INVALID_FIELD : RESULT_OK);
        if (more)
            assert_non_null(strstr(fault, "one too many"));
        else
            assert_int_equal(ring.count, LIMIT_KEY_GENERATIONS);
        buffer_release(&text);
    }
}

int main(void) {
    hash_set_up();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_we_publish_checks_our_tickets),
        cmocka_unit_test(keys_of_other_kinds_are_left_out),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(as_many_as_there_may_be_are_read_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
