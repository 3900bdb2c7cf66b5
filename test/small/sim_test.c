/* The simulator as a program: what it says, and that it says the same again. That its checks see what they are for is
 * tried by hand (docs/simulator.md). Its path comes as the first argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

static const char *program;

/* Runs it; returns its exit status, and in `last` its last line without the newline. */
static int run(const char *arguments, char last[static 400]) {
    char command[4600], line[400];
    snprintf(command, sizeof command, "'%s' %s 2>&1", program, arguments);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    last[0] = '\0';
    while (fgets(line, sizeof line, output))
        snprintf(last, 400, "%.*s", (int)strcspn(line, "\n"), line);
    int status = pclose(output);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void plays_well(const char *arguments, char last[static 400]) {
    if (run(arguments, last) != 0)
        fail_msg("%s: %s", arguments, last);
}

/* Red if the program takes what it does not know, or numbers that make no world. */
static void what_it_does_not_know_it_refuses(void **state) {
    (void)state;
    static const char *const wrong[] = {"--no-such", "--seed",       "--seed x",  "--fans 0",
                                        "--fans -1", "--faults sun", "--seats 0", "--order first",
                                        "--seeds 0", "--rate 0",     "1",         "--fans 100000000"};
    char last[400];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(run(wrong[i], last), 2);
    assert_int_equal(run("--help", last), 0);
}

/* Red if anything random does not come from the seed (a hash's key, an address, the clock). */
static void the_same_seed_is_the_same_history(void **state) {
    (void)state;
    char first[400], again[400], another[400];
    unsigned long long seed;
    char digest[40];
    plays_well("--seed 7 --fans 1000 --faults all", first);
    plays_well("--seed 7 --fans 1000 --faults all --quiet", again);
    plays_well("--seed 8 --fans 1000 --faults all", another);
    assert_string_equal(first, again);
    assert_string_not_equal(first, another);
    assert_int_equal(sscanf(first, "seed=%llu digest=%32[0-9a-f] ok", &seed, digest), 2);
    assert_int_equal(seed, 7);
    assert_int_equal(strlen(digest), 32);
    assert_string_equal(first + strlen(first) - 3, " ok");
}

/* Red if a part of the program breaks a promise on its own, without a fault or under one kind of them. */
static void no_kind_of_fault_breaks_a_promise(void **state) {
    (void)state;
    static const char *const faults[] = {"none",   "crash",   "power", "crash,clock", "gateway",
                                         "noshow", "network", "disk",  "operator"};
    char arguments[200], last[400];
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        snprintf(arguments, sizeof arguments, "--seed %zu --seeds 4 --fans 600 --quiet --faults %s", 1 + 10 * i,
                 faults[i]);
        plays_well(arguments, last);
    }
}

/* Red if they do so together. */
static void all_faults_together_break_no_promise(void **state) {
    (void)state;
    char last[400];
    plays_well("--seed 500 --seeds 15 --fans 1500 --quiet --faults all --order arrival", last);
    plays_well("--seed 600 --seeds 15 --fans 1500 --quiet --faults all --order shuffle", last);
    plays_well("--seed 700 --seeds 5 --fans 300 --seats 3000 --quiet --faults all", last);
    plays_well("--seed 800 --seeds 5 --fans 500 --rate 20 --max-active 3 --quiet --faults all", last);
}

int main(int count, char **arguments) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_does_not_know_it_refuses),
        cmocka_unit_test(the_same_seed_is_the_same_history),
        cmocka_unit_test(no_kind_of_fault_breaks_a_promise),
        cmocka_unit_test(all_faults_together_break_no_promise),
    };
    if (count < 2) {
        fprintf(stderr, "usage: sim_test PATH-OF-ONSALE-SIM\n");
        return 2;
    }
    program = arguments[1];
    return cmocka_run_group_tests_name("simulator", tests, NULL, NULL);
}
