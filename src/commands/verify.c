/* `onsale verify`: audits the ledger of a stopped server, or of a copy of its data folder; with --payments, the
 * gateway's books too.
 *
 * Everything that was checked is said and counted; each difference is named. Exit code 0: nothing found; 1: something
 * was, or it could not be looked at. */
#include "base/files.h"
#include "commands/commands.h"
#include "commands/common.h"
#include "commands/verify_payments.h"
#include "commands/verify_queue.h"
#include "engines/sqlite/audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "usage: onsale verify [--data FOLDER] [--payments]\n"
    "       onsale verify --queue FILE [--ticket TICKET] [--earlier FILE]\n\n"
    "Audits the ledger of a stopped server, or of a copy of its data folder: each seat in at most one confirmed "
    "booking, tickets,\n"
    "bookings and money agree, versions only rise. Says what it checked. Exits 0, or 1 with each difference named.\n\n"
    "  --data FOLDER  the data folder (default onsale-data)\n"
    "  --payments     compare with the payment gateway, both ways and to the cent; the sandbox is started on the "
    "folder's own state.\n"
    "                 Another gateway: ONSALE_PAYMENTS (its URL) and ONSALE_PAYMENTS_KEY\n\n"
    "With --queue it checks a queue's public record instead, offline: its signatures and chain, the shuffle, that "
    "nobody\n"
    "was let in out of order, and that never more were let in than the rate and the room allowed.\n\n"
    "  --queue FILE    what GET /api/v1/shows/SHOW/queue/record answered, or the bare record\n"
    "  --ticket TICKET a queue ticket: what became of its place\n"
    "  --earlier FILE  what the same address answered earlier: nothing of it may have been changed since\n";

struct verify {
    const char *folder;
    bool payments;
    uint64_t differences;
};

static void say_check(void *context, const char *text) {
    (void)context;
    printf("  %s\n", text);
}

static void say_difference(void *context, const char *text) {
    struct verify *verify = context;
    verify->differences++;
    printf("  DIFFERENCE: %s\n", text);
}

static int run(struct verify *verify) {
    char fault[4000] = "";
    int lock;
    enum result result = folder_lock(verify->folder, &lock);
    if (result == RESULT_IN_USE)
        return say_failure("a server runs on '%s'; stop it, or verify a copy of the folder", verify->folder);
    if (result != RESULT_OK)
        return say_failure("cannot use the data folder '%s': %s", verify->folder, strerror(errno));
    printf("verifying %s\n", verify->folder);
    struct audit_listener listener = {.context = verify, .check = say_check, .difference = say_difference};
    result = audit_run(verify->folder, &listener, fault, sizeof fault);
    if (result != RESULT_OK)
        return say_failure("%s", fault[0] ? fault : result_words(result));
    int code = verify->payments ? verify_payments(verify->folder, &listener) : 0;
    if (code)
        return code;
    if (verify->differences) {
        printf("%llu differences\n", (unsigned long long)verify->differences);
        return 1;
    }
    printf("no difference found\n");
    return 0;
}

int command_verify(int count, char **arguments) {
    struct verify verify = {.folder = "onsale-data"};
    if (verify_queue_is_asked(count, arguments))
        return verify_queue(count, arguments);
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (strcmp(arguments[i], "--data") == 0 && i + 1 < count) {
            verify.folder = arguments[++i];
        } else if (strcmp(arguments[i], "--payments") == 0) {
            verify.payments = true;
        } else {
            say_failure("'%s' is not understood, or lacks its value; onsale verify --help lists the settings",
                        arguments[i]);
            return 2;
        }
    }
    return run(&verify);
}
