/* Times and JSON in the base: what is read, what is refused, what is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- time ---- */

static void times_are_written_as_the_calendar_has_them(void **state) {
    /* Red when a leap rule (2000 is one, 2100 is not) or the milliseconds are wrong. */
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } known[] = {{0, "1970-01-01T00:00:00.000Z"},
                 {951868799999, "2000-02-29T23:59:59.999Z"},
                 {1700000000123, "2023-11-14T22:13:20.123Z"},
                 {4107542400000, "2100-03-01T00:00:00.000Z"},
                 {253402300799999, "9999-12-31T23:59:59.999Z"}};
    for (size_t i = 0; i < COUNT(known); i++) {
        char text[CLOCK_TEXT_BYTES];
        int64_t ms = -1;
        assert_int_equal(clock_format(known[i].ms, text), CLOCK_TEXT_BYTES - 1);
        assert_string_equal(text, known[i].text);
        assert_true(clock_parse(bytes_of(text), &ms));
        assert_int_equal(ms, known[i].ms);
    }
}

static void every_day_agrees_with_the_c_library(void **state) {
    /* Red when the arithmetic of civil dates slips anywhere from 1970 to 9999. */
    (void)state;
    for (int64_t day = 0; day < 2932896; day += 13) {
        time_t seconds = day * 86400 + day % 86400;
        struct tm tm;
        char text[CLOCK_TEXT_BYTES], wanted[64];
        gmtime_r(&seconds, &tm);
        snprintf(wanted, sizeof wanted, "%04d-%02d-%02dT%02d:%02d:%02d.007Z", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        clock_format((int64_t)seconds * 1000 + 7, text);
        assert_string_equal(text, wanted);
        int64_t ms;
        assert_true(clock_parse(bytes_of(text), &ms) && ms == (int64_t)seconds * 1000 + 7);
    }
}

static void times_are_read_with_any_offset(void **state) {
    /* Red when an offset is added instead of taken off, or a fraction is scaled by its length. */
    (void)state;
    static const char *const same[] = {"2026-11-24T08:47:58.120Z", "2026-11-24T09:47:58.12+01:00",
                                       "2026-11-24t03:17:58.1209-05:30", "2026-11-24 08:47:58.12z",
                                       "2026-11-24T08:47:58.120999999999999999999999Z"};
    for (size_t i = 0; i < COUNT(same); i++) {
        int64_t ms = 0;
        assert_true(clock_parse(bytes_of(same[i]), &ms));
        assert_int_equal(ms, 1795510078120);
    }
}

static void what_is_not_a_time_is_refused(void **state) {
    /* Red when a day that the month has not, a missing offset, a bare point or something behind is taken. */
    (void)state;
    static const char *const refused[] = {
        "",
        "2026-11-24",
        "2026-11-24T08:47:58",
        "2026-11-24T08:47Z",
        "2026-11-24T08:47:58.Z",
        "2026-11-24T08:47:58Z ",
        "2026-11-31T08:47:58Z",
        "2026-02-29T08:47:58Z",
        "2100-02-29T08:47:58Z",
        "2026-00-24T08:47:58Z",
        "2026-13-24T08:47:58Z",
        "2026-11-00T08:47:58Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T08:60:00Z",
        "2026-11-24T08:47:61Z",
        "2026-11-24T08:47:58+0100",
        "2026-11-24T08:47:58+24:00",
        "2026-11-24T08:47:58+01:60",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "+2026-11-24T08:47:58Z",
        "2026/11/24T08:47:58Z",
        "2026-1-24T08:47:58Z",
    };
    int64_t ms = 7;
    for (size_t i = 0; i < COUNT(refused); i++)
        if (clock_parse(bytes_of(refused[i]), &ms) || ms != 7)
            fail_msg("'%s' was taken for a time", refused[i]);
    assert_false(clock_parse((struct bytes){"2026-11-24\0", 11}, &ms));
}

/* ---- JSON ---- */

static void assert_buffer(const struct buffer *buffer, const char *wanted) {
    if (!bytes_equal(buffer_bytes(buffer), bytes_of(wanted)))
        fail_msg("'%.*s' is not '%s'", (int)buffer->length, buffer->at ? buffer->at : "", wanted);
}

static enum result parse(struct bytes text, json_t **value) {
    char detail[160] = "";
    enum result result = json_parse(text, value, detail, sizeof detail);
    assert_true((result == RESULT_OK) == (detail[0] == '\0'));
    return result;
}

static void ambiguous_json_is_refused(void **state) {
    /* Red when duplicates, NUL, bad UTF-8, bad numbers or something behind the value pass. */
    (void)state;
    static const char *const refused[] = {"",
                                          " ",
                                          "{",
                                          "{}x",
                                          "{}{}",
                                          "{\"a\":1,\"a\":2}",
                                          "{\"a\":{\"b\":1,\"b\":1}}",
                                          "{\"a\":1,\"\\u0061\":2}",
                                          "[\"\\u0000\"]",
                                          "{\"\\u0000\":1}",
                                          "[\"\xff\"]",
                                          "[\"\xed\xa0\x80\"]",
                                          "[\"\\ud800\"]",
                                          "[\"\\udc00\"]",
                                          "[\"a\nb\"]",
                                          "[01]",
                                          "[+1]",
                                          "[.5]",
                                          "[NaN]",
                                          "[1e999]",
                                          "[99999999999999999999]",
                                          "['a']",
                                          "[1,]",
                                          "{\"a\":1,}",
                                          "[1 2]",
                                          "// x\n[]"};
    for (size_t i = 0; i < COUNT(refused); i++) {
        json_t *value = NULL;
        if (parse(bytes_of(refused[i]), &value) != RESULT_BAD_JSON || value)
            fail_msg("'%s' was taken", refused[i]);
    }
    json_t *value = NULL;
    assert_int_equal(parse((struct bytes){"[]\0", 3}, &value), RESULT_BAD_JSON);
    assert_int_equal(parse((struct bytes){"[1\0,2]", 6}, &value), RESULT_BAD_JSON);
    assert_int_equal(parse((struct bytes){NULL, 0}, &value), RESULT_BAD_JSON);
}

static void json_is_as_deep_as_the_limit_and_no_deeper(void **state) {
    /* Red when the limit is off by one, or a bracket in a string or behind a backslash counts. */
    (void)state;
    char text[4 * LIMIT_JSON_DEPTH];
    for (int depth = LIMIT_JSON_DEPTH; depth <= LIMIT_JSON_DEPTH + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        json_t *value = NULL;
        assert_int_equal(parse((struct bytes){text, 2 * (size_t)depth}, &value),
                         depth <= LIMIT_JSON_DEPTH ? RESULT_OK : RESULT_BAD_JSON);
        json_decref(value);
    }
    json_t *value = NULL;
    assert_int_equal(
        parse(BYTES("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\\\",1]"),
              &value),
        RESULT_OK);
    json_decref(value);
}

static void the_writer_places_commas_and_escapes(void **state) {
    /* Red when a comma is missing behind a nested value, stands before a first one, or a control byte is left as it is.
     */
    (void)state;
    struct buffer out;
    buffer_init(&out, 1024);
    struct json_writer writer = json_writer(&out);
    json_open(&writer, '{');
    json_key(&writer, "seats");
    json_open(&writer, '[');
    json_put_text(&writer, "A1");
    json_put_string(&writer, (struct bytes){"q\"b\\s/\x01\x1f\n\0\x7fü", 13});
    json_open(&writer, '{');
    json_close(&writer, '}');
    json_put_null(&writer);
    json_close(&writer, ']');
    json_member_int(&writer, "least", INT64_MIN);
    json_member_bool(&writer, "yes", true);
    json_member_text(&writer, "none", NULL);
    json_member_time(&writer, "at", 1700000000123);
    json_member_time(&writer, "never", 0);
    json_key(&writer, "numbers");
    json_open(&writer, '[');
    static const double floats[] = {1.5, 100, -0.000001, 0.30000000000000004, 1e15, -1e20, 1e300};
    for (size_t i = 0; i < COUNT(floats); i++)
        json_put_float(&writer, floats[i]);
    json_put_raw(&writer, BYTES("[1]"));
    json_close(&writer, ']');
    json_close(&writer, '}');
    assert_buffer(&out, "{\"seats\":[\"A1\",\"q\\\"b\\\\s/\\u0001\\u001f\\u000a\\u0000\x7fü\",{},null],"
                        "\"least\":-9223372036854775808,\"yes\":true,\"none\":null,"
                        "\"at\":\"2023-11-14T22:13:20.123Z\",\"never\":null,"
                        "\"numbers\":[1.5,100,-0.000001,0.3,1000000000000000,-1e+20,1.0000000000000001e+300,[1]]}");
    buffer_release(&out);
}

int main(void) {
    json_set_up();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_as_the_calendar_has_them),
        cmocka_unit_test(every_day_agrees_with_the_c_library),
        cmocka_unit_test(times_are_read_with_any_offset),
        cmocka_unit_test(what_is_not_a_time_is_refused),
        cmocka_unit_test(ambiguous_json_is_refused),
        cmocka_unit_test(json_is_as_deep_as_the_limit_and_no_deeper),
        cmocka_unit_test(the_writer_places_commas_and_escapes),
    };
    return cmocka_run_group_tests_name("base_text", tests, NULL, NULL);
}
