/* `onsale sandbox`: the payment gateway alone, in a process of its own. */
#include "sandbox/sandbox.h"
#include "base/bytes.h"
#include "base/random.h"
#include "commands/commands.h"
#include "commands/common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CLOCK_OFFSET_S 315360000 /* ten years */

static const char help_begin[] =
    "usage: onsale sandbox [SETTING ...]\n\n"
    "A payment gateway of Stripe's shape that takes no money. `onsale serve` starts one by itself; alone it serves "
    "tests and\n"
    "several servers. Its state survives kill -9. Tokens decide what happens to a payment: docs/sandbox.md lists "
    "them.\n\n"
    "  --listen ADDRESS         default 127.0.0.1:0 (a free port; FOLDER/listen.json says which)\n"
    "  --data FOLDER            where its state is kept (default onsale-sandbox)\n"
    "  --webhook URL            where each event is POSTed: https://…, or http:// on this machine\n"
    "  --webhook-secret SECRET  what signs it. The variable ONSALE_SANDBOX_WEBHOOK_SECRET does it too, and does not "
    "show "
    "in ps\n"
    "  --clock-offset SECONDS   its clock is so far ahead (0): keys older than 24 hours are forgotten\n"
    "  --fault NAME=RATE,…      what goes wrong by chance, in so many of all calls, from 0 to 1:\n";

static const char help_end[] = "  --fault-seed N           the same calls in the same order meet the same faults "
                               "(default: one by chance, which the "
                               "log tells)\n";

static void write_help(void) {
    fputs(help_begin, stdout);
#define FAULT(name, help) printf("                             %-13s  %s\n", #name, help);
#include "sandbox/faults.def"
#undef FAULT
    fputs(help_end, stdout);
}

/* Takes one setting with its value. False: there is none of that name, or the value is none. */
static bool take(struct sandbox_settings *settings, const char *name, const char *value) {
    uint64_t number;
    if (strcmp(name, "--listen") == 0) {
        settings->listen = value;
    } else if (strcmp(name, "--data") == 0) {
        settings->folder = value;
    } else if (strcmp(name, "--webhook") == 0) {
        settings->webhook_url = value;
    } else if (strcmp(name, "--webhook-secret") == 0) {
        settings->webhook_secret = value;
    } else if (strcmp(name, "--fault") == 0) {
        settings->faults = value;
    } else if (strcmp(name, "--fault-seed") == 0 && bytes_to_u64(bytes_of(value), INT64_MAX, &number)) {
        settings->fault_seed = number;
    } else if (strcmp(name, "--clock-offset") == 0 && bytes_to_u64(bytes_of(value), MOST_CLOCK_OFFSET_S, &number)) {
        settings->clock_offset_s = (int64_t)number;
    } else {
        return false;
    }
    return true;
}

int command_sandbox(int count, char **arguments) {
    struct sandbox_settings settings = {.listen = "127.0.0.1:0",
                                        .folder = "onsale-sandbox",
                                        .fault_seed = random_u64() >> 1,
                                        .webhook_secret = getenv("ONSALE_SANDBOX_WEBHOOK_SECRET")};
    for (int i = 0; i < count; i++)
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            write_help();
            return 0;
        }
    for (int i = 0; i < count; i += 2)
        if (i + 1 == count || !take(&settings, arguments[i], arguments[i + 1])) {
            say_failure("'%s' is not understood, or lacks its value; onsale sandbox --help lists the settings",
                        arguments[i]);
            return 2;
        }
    if (settings.webhook_url && (!settings.webhook_secret || !settings.webhook_secret[0])) {
        say_failure("--webhook needs --webhook-secret, or ONSALE_SANDBOX_WEBHOOK_SECRET: what signs the events");
        return 2;
    }
    return sandbox_run(&settings) == RESULT_OK ? 0 : 1;
}
