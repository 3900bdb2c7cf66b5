/* `onsale sandbox`: the payment gateway alone, in a process of its own. */
#include "sandbox/sandbox.h"
#include "commands/commands.h"
#include "commands/common.h"

#include <stdio.h>
#include <string.h>

static const char help[] = "usage: onsale sandbox [SETTING ...]\n\n"
                           "A payment gateway of Stripe's shape that takes no money. `onsale serve` starts one by "
                           "itself; alone it serves tests and\n"
                           "several servers. Its state survives kill -9. Tokens decide what happens to a payment: "
                           "docs/sandbox.md lists them.\n\n"
                           "  --listen ADDRESS  default 127.0.0.1:0 (a free port; FOLDER/listen.json says which)\n"
                           "  --data FOLDER     where its state is kept (default onsale-sandbox)\n";

int command_sandbox(int count, char **arguments) {
    struct sandbox_settings settings = {.listen = "127.0.0.1:0", .folder = "onsale-sandbox"};
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (strcmp(arguments[i], "--listen") == 0 && i + 1 < count) {
            settings.listen = arguments[++i];
        } else if (strcmp(arguments[i], "--data") == 0 && i + 1 < count) {
            settings.folder = arguments[++i];
        } else {
            say_failure("'%s' is not understood, or lacks its value; onsale sandbox --help lists the settings",
                        arguments[i]);
            return 2;
        }
    }
    return sandbox_run(&settings) == RESULT_OK ? 0 : 1;
}
