/* `onsale migrate`: brings the ledger of a stopped server to this version. */
#include "base/files.h"
#include "commands/commands.h"
#include "commands/common.h"
#include "engines/sqlite/sqlite_ledger.h"

#include <errno.h>
#include <stdio.h>

static const char help[] =
    "usage: onsale migrate [--data FOLDER] [--dry-run]\n\n"
    "Brings the ledger of a stopped server to this version, in one transaction. Copy the folder first.\n\n"
    "  --data FOLDER  the server's data folder (default onsale-data)\n"
    "  --dry-run      try it and take it back\n";

static void say_line(void *context, const char *text) {
    ++*(unsigned *)context;
    puts(text);
}

int command_migrate(int count, char **arguments) {
    const char *folder = "onsale-data";
    bool dry_run = false;
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (strcmp(arguments[i], "--data") == 0 && i + 1 < count) {
            folder = arguments[++i];
        } else if (strcmp(arguments[i], "--dry-run") == 0) {
            dry_run = true;
        } else {
            say_failure("'%s' is not understood, or lacks its value; onsale migrate --help lists the settings",
                        arguments[i]);
            return 2;
        }
    }
    int lock;
    enum result result = folder_lock(folder, &lock);
    if (result == RESULT_IN_USE)
        return say_failure("a server runs on '%s'; stop it first", folder);
    if (result != RESULT_OK)
        return say_failure("cannot use the data folder '%s': %s", folder, strerror(errno));
    char fault[500] = "";
    unsigned lines = 0;
    result = sqlite_ledger_migrate(folder, dry_run, say_line, &lines, fault, sizeof fault);
    if (result != RESULT_OK)
        return say_failure("%s", fault[0] ? fault : result_words(result));
    if (lines == 0)
        printf("the ledger in %s is of this version already\n", folder);
    return 0;
}
