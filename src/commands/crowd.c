/* `onsale crowd`: simulated buyers, to see a sale live or to rehearse one. */
#include "crowd/crowd.h"
#include "base/random.h"
#include "commands/commands.h"
#include "commands/common.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#define MOST_PACE 1000
#define MOST_THINK_SECONDS 600

static const char help[] =
    "usage: onsale crowd --url URL [SETTING ...]\n\n"
    "Simulated buyers, over the calls that fans use: they queue, look, take seats, and pay, let go or walk away; then\n"
    "somebody new comes in their place. Ends by SIGTERM or Ctrl-C; what it still holds runs out. Never let it loose "
    "on\n"
    "a sale that is not a rehearsal: docs/crowd.md.\n\n"
    "  --url URL                where the server is: http://HOST:PORT or https://HOST\n"
    "  --show ID                the show they come for (default: the first that sells)\n"
    "  --fans N                 how many at a time, 1 to %u (100)\n"
    "  --buyers-share PERCENT   of those with seats in hand, how many go to pay (75)\n"
    "  --think-seconds N        how long they think before that: the median, 1 to %u (8)\n"
    "  --seats MIN-MAX          how many seats each wants, 1 to %u (1-6)\n"
    "  --pace N                 they are so many times as fast as humans are, 1 to %u (1)\n"
    "  --seed N                 the same decisions again (default: others each time)\n"
    "  --quiet                  no summary every ten seconds\n";

static bool take_number(const char *value, uint64_t least, uint64_t most, uint32_t *number) {
    uint64_t read;
    if (!bytes_to_u64(bytes_of(value), most, &read) || read < least)
        return false;
    *number = (uint32_t)read;
    return true;
}

/* "2-4", or "2" for exactly two. */
static bool take_range(const char *value, struct crowd_habits *habits) {
    struct bytes text = bytes_of(value), least = text, most = text;
    const char *dash = memchr(text.at, '-', text.length);
    uint64_t from, to;
    if (dash) {
        least.length = (size_t)(dash - text.at);
        most = bytes_of(dash + 1);
    }
    if (!bytes_to_u64(least, HOUSE_MOST_PICKS, &from) || !bytes_to_u64(most, HOUSE_MOST_PICKS, &to) || from < 1 ||
        from > to)
        return false;
    habits->least_seats = (uint32_t)from;
    habits->most_seats = (uint32_t)to;
    return true;
}

/* Takes one setting with its value. False: there is none of that name, or the value is none. */
static bool take(struct crowd_settings *settings, const char *name, const char *value) {
    struct crowd_habits *habits = &settings->habits;
    struct id show;
    uint32_t number;
    if (strcmp(name, "--url") == 0) {
        settings->url = value;
        return crowd_url_check(value) == RESULT_OK;
    }
    if (strcmp(name, "--show") == 0) {
        settings->show = value;
        return id_parse_uuid(bytes_of(value), &show);
    }
    if (strcmp(name, "--fans") == 0)
        return take_number(value, 1, LIMIT_CROWD_FANS, &settings->fans);
    if (strcmp(name, "--pace") == 0)
        return take_number(value, 1, MOST_PACE, &habits->pace);
    if (strcmp(name, "--seats") == 0)
        return take_range(value, habits);
    if (strcmp(name, "--seed") == 0)
        return bytes_to_u64(bytes_of(value), INT64_MAX, &settings->seed);
    if (strcmp(name, "--buyers-share") == 0 && take_number(value, 0, 100, &number)) {
        habits->buyers_permille = number * 10;
        return true;
    }
    if (strcmp(name, "--think-seconds") == 0 && take_number(value, 1, MOST_THINK_SECONDS, &number)) {
        habits->think_ms = number * 1000;
        return true;
    }
    return false;
}

/* 0, or the exit code. */
static int read_arguments(int count, char **arguments, struct crowd_settings *settings) {
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--quiet") == 0) {
            settings->is_quiet = true;
            continue;
        }
        if (i + 1 == count || !take(settings, arguments[i], arguments[i + 1])) {
            say_failure("'%s' is not understood, or lacks its value; onsale crowd --help lists the settings",
                        arguments[i]);
            return 2;
        }
        i++;
    }
    if (settings->url)
        return 0;
    say_failure("--url is missing: where the server is, http://HOST:PORT");
    return 2;
}

int command_crowd(int count, char **arguments) {
    struct crowd_settings settings = {
        .fans = 100,
        .seed = random_u64() >> 1,
        .habits = {.pace = 1, .buyers_permille = 750, .think_ms = 8000, .least_seats = 1, .most_seats = 6}};
    for (int i = 0; i < count; i++)
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            printf(help, LIMIT_CROWD_FANS, MOST_THINK_SECONDS, HOUSE_MOST_PICKS, MOST_PACE);
            return 0;
        }
    int code = read_arguments(count, arguments, &settings);
    if (code)
        return code;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (crowd_run(&settings) == RESULT_OK)
        return 0;
    return say_failure("the crowd cannot be made: out of memory or of descriptors");
}
