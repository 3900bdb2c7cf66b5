/* The settings of `onsale serve`: flags before variables before the file before the defaults, and refusals that say
 * what to write instead. */
#include "runtime/settings.h"

#include "net/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char fault[400];

/* Reads the settings from these words, and nothing else on the command line. */
#define READ(settings, ...) read_words(settings, (const char *[]){__VA_ARGS__, NULL})

static enum result read_words(struct settings *settings, const char **words) {
    int count = 0;
    while (words[count])
        count++;
    return settings_read(count, (char **)(uintptr_t)words, settings, fault, sizeof fault);
}
static char file[] = "/tmp/onsale-settings-XXXXXX";

static void write_file(const char *text) {
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static int make_file(void **state) {
    (void)state;
    int fd = mkstemp(file);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static int remove_file(void **state) {
    (void)state;
    return unlink(file);
}

/* Red if a default is not read from the list. */
static void what_nobody_says_is_the_default(void **state) {
    (void)state;
    struct settings settings;
    assert_int_equal(settings_read(0, NULL, &settings, fault, sizeof fault), RESULT_OK);
    assert_string_equal(settings.text[SETTING_listen], "127.0.0.1:8080");
    assert_int_equal(settings.number[SETTING_idle_seconds], 60);
    assert_int_equal(settings.number[SETTING_demo], 0);
    settings_release(&settings);
}

/* Red if the sources are read in another order, or a later one overwrites an earlier one. */
static void a_flag_goes_before_a_variable_and_that_before_the_file(void **state) {
    (void)state;
    struct settings settings;
    write_file("# a comment\nONSALE_IDLE_SECONDS=11\r\nONSALE_HEAD_SECONDS=12\nONSALE_BODY_SECONDS=13\n\n");
    setenv("ONSALE_IDLE_SECONDS", "21", 1);
    setenv("ONSALE_HEAD_SECONDS", "22", 1);
    enum result result = READ(&settings, "--config", file, "--idle-seconds=31");
    unsetenv("ONSALE_IDLE_SECONDS");
    unsetenv("ONSALE_HEAD_SECONDS");
    assert_int_equal(result, RESULT_OK);
    assert_int_equal(settings.number[SETTING_idle_seconds], 31);
    assert_int_equal(settings.number[SETTING_head_seconds], 22);
    assert_int_equal(settings.number[SETTING_body_seconds], 13);
    settings_release(&settings);
}

/* Red if a switch needs a value, or a choice is not looked up. */
static void switches_and_choices_are_words(void **state) {
    (void)state;
    struct settings settings;
    assert_int_equal(READ(&settings, "--demo", "--locking", "pessimistic"), RESULT_OK);
    assert_int_equal(settings.number[SETTING_demo], 1);
    assert_int_equal(settings.number[SETTING_locking], 1);
    settings_release(&settings);
}

/* Red if limits are off unless asked for, a load test cannot turn them off, or the proxies that are trusted by default
 * are no list of proxies. */
static void limits_by_address_are_on_and_trust_this_machine_only(void **state) {
    (void)state;
    struct settings settings;
    struct trusted_proxies proxies;
    assert_int_equal(settings_read(0, NULL, &settings, fault, sizeof fault), RESULT_OK);
    assert_int_equal(settings.number[SETTING_limits], 0);
    assert_int_equal(settings.number[SETTING_joins_per_minute], 600);
    assert_int_equal(
        trusted_proxies_parse(bytes_of(settings.text[SETTING_trusted_proxies]), &proxies, fault, sizeof fault),
        RESULT_OK);
    assert_int_equal(proxies.count, 2);
    settings_release(&settings);
    assert_int_equal(READ(&settings, "--limits", "off", "--trusted-proxies=", "--joins-per-minute=30000"), RESULT_OK);
    assert_int_equal(settings.number[SETTING_limits], 1);
    assert_int_equal(settings.number[SETTING_joins_per_minute], 30000);
    assert_string_equal(settings.text[SETTING_trusted_proxies], "");
    settings_release(&settings);
    assert_int_equal(READ(&settings, "--joins-per-minute", "0"), RESULT_INVALID_FIELD);
    assert_non_null(strstr(fault, "from 1 to 6000000"));
}

/* Red if a refusal does not name what was said and what may be. */
static void a_refusal_names_the_setting_and_what_it_takes(void **state) {
    (void)state;
    struct settings settings;
    assert_int_equal(READ(&settings, "--idle-seconds", "soon"), RESULT_INVALID_FIELD);
    assert_non_null(strstr(fault, "--idle-seconds"));
    assert_non_null(strstr(fault, "soon"));
    assert_non_null(strstr(fault, "seconds"));
    assert_int_equal(READ(&settings, "--locking", "brave"), RESULT_INVALID_FIELD);
    assert_non_null(strstr(fault, "optimistic|pessimistic"));
    assert_int_equal(READ(&settings, "--colour", "red"), RESULT_INVALID_FIELD);
    assert_non_null(strstr(fault, "--colour"));
    assert_int_equal(READ(&settings, "--listen"), RESULT_INVALID_FIELD);
    write_file("ONSALE_COLOUR=red\n");
    assert_int_equal(READ(&settings, "--config", file), RESULT_INVALID_FIELD);
    assert_non_null(strstr(fault, "ONSALE_COLOUR"));
    assert_non_null(strstr(fault, "line 1"));
    assert_int_equal(READ(&settings, "--config", "/nowhere/at/all"), RESULT_INVALID_FIELD);
    assert_non_null(strstr(fault, "/nowhere/at/all"));
}

/* Red if a secret gets a flag, which everybody on the machine could read. */
static void a_secret_has_no_flag(void **state) {
    (void)state;
    struct settings settings;
    assert_int_equal(READ(&settings, "--admin-token", "x"), RESULT_INVALID_FIELD);
    assert_int_equal(READ(&settings, "--payments-key", "x"), RESULT_INVALID_FIELD);
    setenv("ONSALE_ADMIN_TOKEN", "secret", 1);
    enum result result = settings_read(0, NULL, &settings, fault, sizeof fault);
    unsetenv("ONSALE_ADMIN_TOKEN");
    assert_int_equal(result, RESULT_OK);
    assert_string_equal(settings.text[SETTING_admin_token], "secret");
    settings_release(&settings);
}

/* Red if what may be a secret, behind a name that was mistyped, is repeated where the server's words go: into its log.
 */
static void a_value_of_no_setting_is_not_repeated(void **state) {
    (void)state;
    static const char *const lines[] = {"ONSALE_ADMIN_TOKN=hunter2", " ONSALE_ADMIN_TOKEN=hunter2",
                                        "ONSALE_ADMIN_TOKEN hunter2", "ONSALE_PAYMENTS_KEY: hunter2"};
    struct settings settings;
    assert_int_equal(READ(&settings, "--admin_token=hunter2"), RESULT_INVALID_FIELD);
    assert_null(strstr(fault, "hunter2"));
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "# a comment\n\n%s\n", lines[i]);
        write_file(text);
        assert_int_equal(READ(&settings, "--config", file), RESULT_INVALID_FIELD);
        assert_non_null(strstr(fault, "line 3"));
        assert_null(strstr(fault, "hunter2"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_says_is_the_default),
        cmocka_unit_test(switches_and_choices_are_words),
        cmocka_unit_test(a_flag_goes_before_a_variable_and_that_before_the_file),
        cmocka_unit_test(limits_by_address_are_on_and_trust_this_machine_only),
        cmocka_unit_test(a_refusal_names_the_setting_and_what_it_takes),
        cmocka_unit_test(a_secret_has_no_flag),
        cmocka_unit_test(a_value_of_no_setting_is_not_repeated),
    };
    return cmocka_run_group_tests_name("settings", tests, make_file, remove_file);
}
