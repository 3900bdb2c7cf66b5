/* `onsale forget`: erases a person from the data folder of a stopped server. Sales and the audit stay whole; who it was
 * can not be told from them any more.
 *
 * The ledger comes first: it is what refuses, where a payment is not at its end. Then the journal of holds and the
 * queues' salts. Each step may be made again: what was interrupted is finished by the same command. */
#include "base/files.h"
#include "commands/commands.h"
#include "commands/common.h"
#include "engines/memory/journal_erase.h"
#include "engines/memory/queue_erase.h"
#include "engines/sqlite/forget.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: onsale forget --user USER_ID [--data FOLDER] [--dry-run]\n\n"
    "Erases a person from the data folder of a stopped server: a pseudonym takes their place in bookings and "
    "admissions; "
    "the salts\n"
    "that tie the audit and the queues' records to them go, and so do the reasons of acts on their bookings, events "
    "about "
    "them\n"
    "that wait to be delivered, and answers kept for them. What was sold, for how much, and the audit's chain stay as "
    "they are.\n\n"
    "  --user USER_ID  who\n"
    "  --data FOLDER   the server's data folder (default onsale-data)\n"
    "  --dry-run       say what would be erased, and erase nothing\n\n"
    "Not reached: copies and backups of the folder, the payment gateway, whoever was told by webhooks, and logs.\n";

struct wish {
    const char *folder;
    struct user_id user;
    bool dry_run;
};

static void say(const char *what, int64_t count) {
    printf("  %lld %s\n", (long long)count, what);
}

static int forget(const struct wish *wish) {
    char fault[4200] = "";
    struct erasure erased;
    int64_t holds, places;
    enum result result = sqlite_ledger_forget(wish->folder, &wish->user, wish->dry_run, &erased, fault, sizeof fault);
    if (result == RESULT_OK)
        result = journal_erase(wish->folder, &wish->user, wish->dry_run, &holds, fault, sizeof fault);
    if (result == RESULT_OK)
        result = queue_erase(wish->folder, &wish->user, wish->dry_run, &places, fault, sizeof fault);
    if (result != RESULT_OK)
        return say_failure("%s", fault[0] ? fault : result_words(result));
    puts(wish->dry_run ? "would be erased:" : "erased:");
    say("bookings, which keep their seats and money under a pseudonym", erased.bookings);
    say("admissions from the waiting room, the same", erased.admissions);
    say("places in queues, whose salts are gone", places);
    say("records of holds", holds);
    say("reasons in the audit", erased.reasons);
    say("events that waited to be delivered", erased.events);
    say("kept answers", erased.answers);
    if (!wish->dry_run)
        puts("not reached: copies and backups of this folder, the payment gateway, whoever was told by webhooks, and "
             "logs");
    return 0;
}

static int run(const struct wish *wish) {
    int lock;
    enum result result = folder_lock(wish->folder, &lock);
    if (result == RESULT_IN_USE)
        return say_failure("a server runs on '%s'; stop it first", wish->folder);
    if (result != RESULT_OK)
        return say_failure("cannot use the data folder '%s': %s", wish->folder, strerror(errno));
    return forget(wish);
}

int command_forget(int count, char **arguments) {
    struct wish wish = {.folder = "onsale-data"};
    for (int i = 0; i < count; i++) {
        bool has_value = i + 1 < count;
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (strcmp(arguments[i], "--data") == 0 && has_value) {
            wish.folder = arguments[++i];
        } else if (strcmp(arguments[i], "--user") == 0 && has_value && arguments[i + 1][0] &&
                   strlen(arguments[i + 1]) <= LIMIT_USER_ID_BYTES) {
            wish.user.length = (uint8_t)strlen(arguments[++i]);
            memcpy(wish.user.text, arguments[i], wish.user.length);
        } else if (strcmp(arguments[i], "--dry-run") == 0) {
            wish.dry_run = true;
        } else {
            say_failure("'%s' is not understood, or lacks its value; onsale forget --help lists the settings",
                        arguments[i]);
            return 2;
        }
    }
    if (wish.user.length == 0) {
        say_failure("whom to forget is not said: --user USER_ID; onsale forget --help lists the settings");
        return 2;
    }
    return run(&wish);
}
