/* `onsale keys`: what signs passes, queue tickets and tickets. Says what each step ends, and asks nothing. */
#include "base/clock.h"
#include "commands/commands.h"
#include "commands/common.h"
#include "runtime/key_files.h"

#include <limits.h>
#include <stdio.h>

static const char help[] =
    "usage: onsale keys list|rotate [--data FOLDER | --keys FOLDER]\n"
    "       onsale keys retire ID [--data FOLDER | --keys FOLDER]\n\n"
    "The keys that passes, queue tickets and tickets are made with. The newest one makes new ones, all of them check "
    "old ones.\n"
    "Nodes of one installation share the folder, or have copies of it; they take up what has changed on SIGHUP, or "
    "when they start "
    "again.\n\n"
    "  list            each key, when it was made, and which one signs\n"
    "  rotate          make a key that signs from now on\n"
    "  retire ID       remove an old key: every place and pass that was made with it is void, and\n"
    "                  tickets have to be asked for again\n"
    "  --data FOLDER   the server's data folder, where they are in keys/ (default onsale-data)\n"
    "  --keys FOLDER   where they are, if they are elsewhere\n";

static int list(const char *folder) {
    static struct key_files files;
    char fault[4000];
    if (key_files_list(folder, &files, fault, sizeof fault) != RESULT_OK)
        return say_failure("%s", fault);
    for (unsigned i = files.count; i-- > 0;) {
        char id[KEY_ID_TEXT], created[CLOCK_TEXT_BYTES];
        key_id_format(files.of[i].id, id);
        clock_format(files.of[i].created_ms, created);
        printf("%.*s  %s%s\n", KEY_ID_TEXT, id, created, i + 1 == files.count ? "  signs" : "");
    }
    return 0;
}

static int rotate(const char *folder) {
    char fault[4000], id[KEY_ID_TEXT];
    uint32_t fresh;
    if (key_files_rotate(folder, clock_now_ms(), &fresh, fault, sizeof fault) != RESULT_OK)
        return say_failure("%s", fault);
    key_id_format(fresh, id);
    printf(
        "%.*s is made. Nodes take it up on SIGHUP, or when they start again: tell all of them now.\n"
        "Tickets are under it that are sold from an hour on. What was made with the older keys stays good as long as "
        "they stay: until\nevery queue that they gave places in is over, every pass has ended, and every show that "
        "they signed tickets for is over.\nAfter that: onsale keys retire ID\n",
        KEY_ID_TEXT, id);
    return 0;
}

static int retire(const char *folder, const char *text) {
    char fault[4000];
    uint32_t id;
    if (!key_id_parse(bytes_of(text), &id)) {
        say_failure("'%s' is no key id: onsale keys list shows them", text);
        return 2;
    }
    if (key_files_retire(folder, id, fault, sizeof fault) != RESULT_OK)
        return say_failure("%s", fault);
    printf(
        "%s is gone. Once nodes have taken that up (SIGHUP, or a start), every queue ticket and pass that was made "
        "with it is refused:\nwho still waits with one has to join again, at the end. Tickets that it signed do not "
        "pass the door any more, once that has the\npublished keys of now: their holders get new ones, with the same "
        "numbers, by asking for them again.\n",
        text);
    return 0;
}

int command_keys(int count, char **arguments) {
    const char *data = "onsale-data", *folder = NULL, *words[2] = {"", NULL};
    char inside[PATH_MAX];
    int given = 0;
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (strcmp(arguments[i], "--keys") == 0 && i + 1 < count) {
            folder = arguments[++i];
        } else if (strcmp(arguments[i], "--data") == 0 && i + 1 < count) {
            data = arguments[++i];
        } else if (arguments[i][0] != '-' && given < 2) {
            words[given++] = arguments[i];
        } else {
            say_failure("'%s' is not understood, or lacks its value; onsale keys --help lists what is", arguments[i]);
            return 2;
        }
    }
    if (!folder) {
        snprintf(inside, sizeof inside, "%s/keys", data);
        folder = inside;
    }
    if (strcmp(words[0], "list") == 0 && given == 1)
        return list(folder);
    if (strcmp(words[0], "rotate") == 0 && given == 1)
        return rotate(folder);
    if (strcmp(words[0], "retire") == 0 && given == 2)
        return retire(folder, words[1]);
    fputs(help, stderr);
    return 2;
}
