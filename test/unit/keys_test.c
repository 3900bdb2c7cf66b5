/* The keyring: what is derived from its keys is the same everywhere and for good. */
#include "token_vectors.h"
#include "token_world.h"
#include "dies.h"

static void a_seed_makes_the_key_pair_of_the_rfc(void **state) {
    /* Red when the key pair is not Ed25519's of that seed, or the JWK does not name it (RFC 8037, appendix A.1 and
     * A.2). */
    (void)state;
    struct keyring ring = {.count = 1, .of = {{.id = 0x00ab00cd}}};
    assert_true(hex_decode(bytes_of("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
                           ring.of[0].seed, KEY_SEED_BYTES));
    key_derive(&ring.of[0]);
    struct buffer out;
    buffer_init(&out, 1000);
    keyring_write_jwks(&ring, &out);
    buffer_add_char(&out, '\0');
    assert_string_equal(out.at,
                        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"sig\",\"alg\":\"EdDSA\",\"kid\":"
                        "\"00ab00cd\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}");
    buffer_release(&out);
}

static void all_generations_are_published_the_newest_first(void **state) {
    /* Red when one is left out, or a secret is in it. */
    (void)state;
    struct keyring ring = keyring_of(1, 2);
    struct buffer out;
    buffer_init(&out, 1000);
    keyring_write_jwks(&ring, &out);
    assert_true(bytes_equal(buffer_bytes(&out), BYTES(VECTOR_JWKS)));
    buffer_release(&out);
}

static void a_key_is_found_by_its_id(void **state) {
    /* Red when one is not found, or one that is not there is. */
    (void)state;
    struct keyring ring = keyring_of(1, LIMIT_KEY_GENERATIONS);
    for (unsigned i = 1; i <= LIMIT_KEY_GENERATIONS; i++)
        assert_ptr_equal(keyring_find(&ring, i * 0x01010101u), &ring.of[i - 1]);
    assert_ptr_equal(keyring_newest(&ring), &ring.of[LIMIT_KEY_GENERATIONS - 1]);
    assert_null(keyring_find(&ring, 0));
    assert_null(keyring_find(&ring, 0x01010102));
}

static void an_id_is_written_in_one_way(void **state) {
    /* Red when leading zeros are lost, or upper case is read. */
    (void)state;
    static const char *const refused[] = {"", "0000ab0", "0000ab0c0", "0000AB0C", "0x00ab0c", " 000ab0c", "0000ab0g"};
    char text[KEY_ID_TEXT];
    uint32_t id = 7;
    key_id_format(0x0000ab0c, text);
    assert_memory_equal(text, "0000ab0c", KEY_ID_TEXT);
    for (size_t i = 0; i < COUNT(refused); i++)
        assert_false(key_id_parse(bytes_of(refused[i]), &id));
    assert_int_equal(id, 7);
    assert_true(key_id_parse(BYTES("0000ab0c"), &id));
    assert_int_equal(id, 0x0000ab0c);
}

static void a_wiped_keyring_is_zeros(void **state) {
    /* Red when a key is left in memory. */
    (void)state;
    static const struct keyring zeros;
    struct keyring ring = keyring_of(1, 3);
    keyring_wipe(&ring);
    assert_memory_equal(&ring, &zeros, sizeof ring);
}

static void who_it_is_depends_on_show_user_and_blinding_key(void **state) {
    /* Red when one of the three is left out, or the hash is another one on another machine. */
    (void)state;
    struct keyring ring = keyring_of(1, 2), other = ring, rotated = keyring_of(2, 5);
    const struct id show = show_number(1), another = show_number(2);
    const struct bytes user = BYTES(VECTOR_USER);
    uint64_t hash = keyring_user_hash(&ring, &show, user);
    assert_true(hash == VECTOR_USER_HASH);
    assert_true(hash == keyring_user_hash(&rotated, &show, user));
    assert_true(hash != keyring_user_hash(&ring, &another, user));
    assert_true(hash != keyring_user_hash(&ring, &show, (struct bytes){user.at, user.length - 1}));
    other.blinding[0] ^= 1;
    assert_true(hash != keyring_user_hash(&other, &show, user));
}

static void a_shows_shuffle_seed_is_its_own_and_stays(void **state) {
    /* Red when a rotation or the other half of the blinding key changes it, or two shows have the same. */
    (void)state;
    struct keyring ring = keyring_of(1, 2), rotated = keyring_of(2, 5), other = ring;
    const struct id show = show_number(1), another = show_number(2);
    uint8_t seed[32], again[32], wanted[32];
    assert_true(hex_decode(BYTES(VECTOR_SHUFFLE_SEED), wanted, sizeof wanted));
    keyring_shuffle_seed(&ring, &show, seed);
    assert_memory_equal(seed, wanted, sizeof seed);
    keyring_shuffle_seed(&rotated, &show, again);
    assert_memory_equal(seed, again, sizeof seed);
    keyring_shuffle_seed(&ring, &another, again);
    assert_memory_not_equal(seed, again, sizeof seed);
    other.blinding[31] ^= 1;
    keyring_shuffle_seed(&other, &show, again);
    assert_memory_not_equal(seed, again, sizeof seed);
}

static void nothing_can_be_shifted_between_the_parts_of_a_mac(void **state) {
    /* Red when the parts are glued together without their lengths, or the first does not count. */
    (void)state;
    static const char *const split[][3] = {{"label", "ab", "c"}, {"label", "a", "bc"}, {"label", "abc", ""},
                                           {"label", "", "abc"}, {"labela", "b", "c"}, {"Label", "ab", "c"}};
    struct key_generation key = generation_of(1);
    uint8_t macs[COUNT(split)][KEY_MAC_SIZE], wanted[KEY_MAC_SIZE];
    for (size_t i = 0; i < COUNT(split); i++) {
        const struct bytes parts[] = {bytes_of(split[i][0]), bytes_of(split[i][1]), bytes_of(split[i][2])};
        key_mac(key_mac_key(&key), parts, COUNT(parts), macs[i]);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(macs[i], macs[k], KEY_MAC_SIZE);
    }
    assert_true(hex_decode(BYTES("d19f2a17b8de0ec8c9a9f873b3662e25"), wanted, sizeof wanted));
    assert_memory_equal(macs[0], wanted, sizeof wanted);
}

static void mac_of_a_long_part(void *length) {
    static const char zeros[600];
    struct key_generation key = generation_of(1);
    const struct bytes parts[] = {{zeros, *(size_t *)length}, {zeros, 3}};
    uint8_t mac[KEY_MAC_SIZE];
    key_mac(key_mac_key(&key), parts, COUNT(parts), mac);
}

static void a_part_whose_length_is_no_byte_is_a_panic(void **state) {
    /* Red when a length is cut to its last byte. */
    (void)state;
    size_t fits = 255, too_long = 256;
    mac_of_a_long_part(&fits);
    assert_dies(mac_of_a_long_part, &too_long);
}

int main(void) {
    hash_set_up();
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_seed_makes_the_key_pair_of_the_rfc),
                                       cmocka_unit_test(all_generations_are_published_the_newest_first),
                                       cmocka_unit_test(a_key_is_found_by_its_id),
                                       cmocka_unit_test(an_id_is_written_in_one_way),
                                       cmocka_unit_test(a_wiped_keyring_is_zeros),
                                       cmocka_unit_test(who_it_is_depends_on_show_user_and_blinding_key),
                                       cmocka_unit_test(a_shows_shuffle_seed_is_its_own_and_stays),
                                       cmocka_unit_test(nothing_can_be_shifted_between_the_parts_of_a_mac),
                                       cmocka_unit_test(a_part_whose_length_is_no_byte_is_a_panic)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
