/* The sheet: names stay text whatever they say, its style is the one that its policy names, money and times as written.
 */
#include "token_world.h"
#include "tickets/sheet.h"
#include "tickets/svg_text.h"

#include <sodium.h>

static char drawn[512 * 1024];
static char accent[8]; /* of the show; "" at first */

/* A sheet of `count` cards, all alike, in `drawn`. */
static void draw(struct bytes name, struct bytes label, uint32_t count) {
    struct keyring ring = keyring_of(1, 1);
    struct id id = show_number(1);
    struct card cards[3];
    struct sheet sheet = {.ring = &ring, .words = words_default(), .event_name = name, .start_ms = NOW_MS};
    struct buffer out;
    memcpy(sheet.accent, accent, sizeof sheet.accent);
    assert_in_range(count, 1, 3);
    for (uint32_t i = 0; i < count; i++)
        cards[i] = (struct card){.ticket = ticket_for_seat(&ring, &id, &id, BYTES("A1"), NOW_MS, NOW_MS),
                                 .ordinal = i + 1,
                                 .total = count,
                                 .section = label,
                                 .row = label,
                                 .number = label,
                                 .category = label,
                                 .amount = 5000,
                                 .currency = "EUR"};
    buffer_init(&out, sizeof drawn - 1);
    sheet_write(&sheet, count, cards, &out);
    assert_true(buffer_ok(&out));
    memcpy(drawn, out.at, out.length);
    drawn[out.length] = 0;
    buffer_release(&out);
}

static unsigned count_of(const char *what) {
    unsigned count = 0;
    for (const char *at = drawn; (at = strstr(at, what)); at += strlen(what))
        count++;
    return count;
}

static void the_policy_names_the_style_that_is_there(void **state) {
    /* Red when the style changes and SHEET_STYLE_HASH does not: browsers would draw the sheet without it. */
    (void)state;
    uint8_t hash[crypto_hash_sha256_BYTES];
    char text[sodium_base64_ENCODED_LEN(sizeof hash, sodium_base64_VARIANT_ORIGINAL)], wanted[80];
    draw(BYTES("A night"), BYTES("A"), 2);
    const char *from = strstr(drawn, "<style>"), *to = strstr(drawn, "</style>");
    assert_true(from && to);
    assert_int_equal(count_of("<style"), 1);
    from += strlen("<style>");
    crypto_hash_sha256(hash, (const uint8_t *)from, (size_t)(to - from));
    sodium_bin2base64(text, sizeof text, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
    snprintf(wanted, sizeof wanted, "sha256-%s", text);
    assert_string_equal(SHEET_STYLE_HASH, wanted);
    assert_int_equal(count_of(" style="), 0);
}

static void names_stay_text(void **state) {
    /* Red when one of the places forgets to escape. */
    (void)state;
    draw(BYTES("<script>x</script>"), BYTES("\"'>&<b>"), 1);
    assert_int_equal(count_of("<script"), 0);
    assert_int_equal(count_of("<b>"), 0);
    assert_int_equal(count_of("&lt;script&gt;"), 2); /* the title and the card */
    assert_int_equal(count_of("&quot;&#39;&gt;&amp;&lt;b&gt;"), 4);
}

static void every_card_is_there_with_its_place_among_them(void **state) {
    /* Red when cards lie upon each other, or one is left out. */
    (void)state;
    draw(BYTES("A night"), BYTES("A"), 3);
    assert_int_equal(count_of("class=\"card\""), 3);
    assert_int_equal(count_of(">Ticket 1 of 3<"), 1);
    assert_int_equal(count_of(">Ticket 3 of 3<"), 1);
    assert_int_equal(count_of("translate(8,8)"), 1);
    assert_int_equal(count_of("class=\"dots\""), 3);
}

static void a_show_may_have_a_colour_of_its_own(void **state) {
    /* Red when it is not drawn, or drawn where none is set. */
    (void)state;
    draw(BYTES("A night"), BYTES("A"), 1);
    assert_int_equal(count_of("class=\"mark\""), 1);
    memcpy(accent, "#ff0066", sizeof accent);
    draw(BYTES("A night"), BYTES("A"), 1);
    assert_int_equal(count_of("fill=\"#ff0066\""), 1);
    assert_int_equal(count_of("class=\"mark\""), 0);
    accent[0] = 0;
}

static void the_longest_names_are_drawn(void **state) {
    /* Red when lines or the width of what is cut have no end. */
    (void)state;
    char name[LIMIT_NAME_BYTES], label[LIMIT_LABEL_BYTES];
    memset(name, 'W', sizeof name);
    memset(label, 'm', sizeof label);
    draw((struct bytes){name, sizeof name}, (struct bytes){label, sizeof label}, 1);
    assert_int_equal(count_of("class=\"name\""), 3);
    assert_int_equal(count_of("\xe2\x80\xa6</text>"), 5); /* name, section, row, seat, category */
}

static void written(struct bytes text, const char *wanted) {
    struct buffer out;
    buffer_init(&out, 200);
    svg_write_text(text, &out);
    assert_true(bytes_equal(buffer_bytes(&out), bytes_of(wanted)));
    buffer_release(&out);
}

static void what_xml_cannot_hold_is_replaced(void **state) {
    /* Red when a control character, a noncharacter or broken UTF-8 makes the document unreadable. */
    (void)state;
    written(BYTES("a\x01\x1f\t\n z"), "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd z");
    written(BYTES("\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    written(BYTES("Z\xc3\xbcrich \xf0\x9f\x8e\xab"), "Z\xc3\xbcrich \xf0\x9f\x8e\xab");
    written(BYTES("broken \xc3"), "\xef\xbf\xbd");
}

static void lines_break_at_spaces_and_where_they_must(void **state) {
    /* Red when a word is cut that would have fitted the next line, or a character of several bytes is cut in two. */
    (void)state;
    struct svg_line lines[3];
    assert_int_equal(svg_break_lines(BYTES("  one two  three "), 71 * 8, 3, lines), 2);
    assert_true(bytes_equal(lines[0].text, BYTES("one two")) && bytes_equal(lines[1].text, BYTES("three")));
    assert_false(lines[1].is_cut);
    assert_int_equal(svg_break_lines(BYTES("\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"), 250, 2, lines),
                     2);
    assert_true(bytes_equal(lines[0].text, BYTES("\xc3\xbc\xc3\xbc\xc3\xbc")));
    assert_true(bytes_equal(lines[1].text, BYTES("\xc3\xbc")) && lines[1].is_cut);
    assert_int_equal(svg_break_lines(BYTES("   "), 500, 3, lines), 0);
    assert_int_equal(svg_break_lines(BYTES(""), 500, 3, lines), 0);
}

static void assert_money(const char *language, int64_t amount, const char *currency, const char *wanted) {
    char room[80];
    struct buffer out = {.at = room, .capacity = sizeof room, .limit = sizeof room};
    words_write_money(words_find(bytes_of(language)), amount, currency, &out);
    assert_true(bytes_equal(buffer_bytes(&out), bytes_of(wanted)));
}

static void money_has_its_currencys_decimals(void **state) {
    /* Red when yen get cents, dinars lose a digit, or a sum below one loses its zero. */
    (void)state;
    assert_money("en", 5000, "EUR", "EUR 50.00");
    assert_money("de", 5000, "EUR", "50,00 EUR");
    assert_money("en", 5, "EUR", "EUR 0.05");
    assert_money("en", 12345678, "USD", "USD 123,456.78");
    assert_money("de", 100000, "EUR", "1.000,00 EUR");
    assert_money("en", 99999, "EUR", "EUR 999.99");
    assert_money("en", 1500, "JPY", "JPY 1,500");
    assert_money("en", 7, "JPY", "JPY 7");
    assert_money("en", 1500, "KWD", "KWD 1.500");
    assert_money("en", 0, "EUR", "free");
    assert_money("en", LIMIT_PRICE_AMOUNT, "EUR", "EUR 100,000,000.00");
}

static void assert_time(const char *language, int64_t ms, int offset, const char *wanted) {
    char room[80];
    struct buffer out = {.at = room, .capacity = sizeof room, .limit = sizeof room};
    words_write_time(words_find(bytes_of(language)), ms, offset, &out);
    assert_true(bytes_equal(buffer_bytes(&out), bytes_of(wanted)));
}

static void times_are_told_by_the_clock_that_was_asked_for(void **state) {
    /* Red when the offset goes the wrong way, the day does not follow it, or it is not said which clock it is. */
    (void)state;
    const int64_t new_year = INT64_C(1798759800000); /* 2026-12-31T23:30:00Z */
    assert_time("en", new_year, 0, "Thu 31 December 2026, 23:30 (UTC)");
    assert_time("en", new_year, 60, "Fri 1 January 2027, 00:30 (UTC+1)");
    assert_time("en", new_year, -210, "Thu 31 December 2026, 20:00 (UTC-3:30)");
    assert_time("de", new_year, 345, "Fr., 1. Januar 2027, 05:15 Uhr (UTC+5:45)");
    assert_time("en", INT64_C(1825056000000), 0, "Mon 1 November 2027, 08:00 (UTC)");
    assert_time("en", 1, -600, "Thu 1 January 1970, 00:00 (UTC-10)");
}

static void there_are_two_languages(void **state) {
    /* Red when another is taken for one of them. */
    (void)state;
    assert_non_null(words_find(BYTES("en")));
    assert_non_null(words_find(BYTES("de")));
    assert_null(words_find(BYTES("")));
    assert_null(words_find(BYTES("de-CH")));
    assert_ptr_equal(words_default(), words_find(BYTES("en")));
}

int main(void) {
    hash_set_up();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_policy_names_the_style_that_is_there),
        cmocka_unit_test(names_stay_text),
        cmocka_unit_test(every_card_is_there_with_its_place_among_them),
        cmocka_unit_test(a_show_may_have_a_colour_of_its_own),
        cmocka_unit_test(the_longest_names_are_drawn),
        cmocka_unit_test(what_xml_cannot_hold_is_replaced),
        cmocka_unit_test(lines_break_at_spaces_and_where_they_must),
        cmocka_unit_test(money_has_its_currencys_decimals),
        cmocka_unit_test(times_are_told_by_the_clock_that_was_asked_for),
        cmocka_unit_test(there_are_two_languages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
