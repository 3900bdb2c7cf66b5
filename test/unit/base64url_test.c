/* base64url: one text for each byte string, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base64url.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void the_texts_are_those_of_the_rfc(void **state) {
    /* Red when a group is cut wrongly at any of its three lengths, or the alphabet is the other one. */
    (void)state;
    static const struct {
        const char *data, *text;
    } known[] = {{"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
                 {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"}};
    for (size_t i = 0; i < COUNT(known); i++) {
        char text[16] = "";
        uint8_t data[16];
        size_t length = 99;
        base64url_encode(known[i].data, strlen(known[i].data), text);
        assert_string_equal(text, known[i].text);
        assert_true(base64url_decode(bytes_of(text), sizeof data, data, &length));
        assert_int_equal(length, strlen(known[i].data));
        assert_memory_equal(data, known[i].data, length);
    }
}

static void every_length_comes_back(void **state) {
    /* Red when a byte more than there is gets written or read, at any length. */
    (void)state;
    for (size_t length = 0; length < 200; length++) {
        uint8_t *data = malloc(length + 1), *again = malloc(length + 1);
        char *text = malloc(BASE64URL_TEXT(length) + 1);
        size_t back = 0;
        assert_true(data && again && text);
        for (size_t i = 0; i < length; i++)
            data[i] = (uint8_t)(i * 151 + length);
        text[BASE64URL_TEXT(length)] = '!';
        base64url_encode(data, length, text);
        assert_int_equal(text[BASE64URL_TEXT(length)], '!');
        assert_true(base64url_decode((struct bytes){text, BASE64URL_TEXT(length)}, length, again, &back));
        assert_int_equal(back, length);
        assert_memory_equal(data, again, length);
        assert_true(length == 0 ||
                    !base64url_decode((struct bytes){text, BASE64URL_TEXT(length)}, length - 1, again, &back));
        free(data);
        free(again);
        free(text);
    }
}

static void two_characters_are_a_byte_in_one_way_only(void **state) {
    /* Red when spare bits that are not zero, or a character of no alphabet, are taken: more than 256 texts pass. */
    (void)state;
    unsigned accepted = 0;
    for (unsigned i = 0; i < 65536; i++) {
        char text[2] = {(char)(i >> 8), (char)i}, again[2];
        uint8_t data;
        size_t length;
        if (!base64url_decode((struct bytes){text, 2}, 1, &data, &length))
            continue;
        accepted++;
        base64url_encode(&data, 1, again);
        assert_memory_equal(text, again, 2);
    }
    assert_int_equal(accepted, 256);
}

static void three_characters_are_two_bytes_in_one_way_only(void **state) {
    /* Red when the two spare bits of a group of three are not looked at: more than 65,536 texts pass. */
    (void)state;
    unsigned accepted = 0;
    for (unsigned i = 0; i < 128 * 128 * 128; i++) {
        char text[3] = {(char)(i >> 14 & 127), (char)(i >> 7 & 127), (char)(i & 127)};
        uint8_t data[2];
        size_t length;
        accepted += base64url_decode((struct bytes){text, 3}, 2, data, &length);
    }
    assert_int_equal(accepted, 65536);
}

static void what_is_no_base64url_is_refused(void **state) {
    /* Red when padding, white space, a character of the other alphabet or a single one left over is let pass. */
    (void)state;
    static const char *const refused[] = {"A",    "Zg==", "Zm8=", "Zm9v\n", " Zm9v", "Zm 9v",    "Zm9vA",
                                          "+_-_", "-/-_", "Zm9=", "Zm9.",   "=",     "Zm9v====", "\xc3\xa9Zm"};
    for (size_t i = 0; i < COUNT(refused); i++) {
        uint8_t data[16];
        size_t length = 99;
        assert_false(base64url_decode(bytes_of(refused[i]), sizeof data, data, &length));
        assert_int_equal(length, 99);
    }
}

static void no_text_has_one_character_left_over(void **state) {
    /* Red when the character behind the text is read to make up for it. */
    (void)state;
    for (size_t length = 1; length < 32; length += 4) {
        uint8_t data[32];
        size_t decoded;
        assert_false(
            base64url_decode((struct bytes){"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", length}, sizeof data, data, &decoded));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_texts_are_those_of_the_rfc),
                                       cmocka_unit_test(every_length_comes_back),
                                       cmocka_unit_test(two_characters_are_a_byte_in_one_way_only),
                                       cmocka_unit_test(three_characters_are_two_bytes_in_one_way_only),
                                       cmocka_unit_test(what_is_no_base64url_is_refused),
                                       cmocka_unit_test(no_text_has_one_character_left_over)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
