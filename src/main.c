#include "base/hash.h"
#include "base/json.h"
#include "commands/commands.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    const char *name;
    int (*run)(int count, char **arguments);
    const char *help;
} commands[] = {
    {"serve", command_serve, "sell tickets: the API for fans, and the operator's"},
    {"import", command_import, "make a show from a seating plan"},
    {"verify", command_verify, "audit the ledger: no seat sold twice, money and bookings agree"},
    {"migrate", command_migrate, "bring an older ledger to this version"},
    {"forget", command_forget, "erase a person: sales stay, and who bought does not"},
    {"keys", command_keys, "list, rotate and retire the keys of passes and tickets"},
    {"ticket", command_ticket, "check tickets at the door, offline"},
    {"crowd", command_crowd, "simulated buyers, to see a sale live or to rehearse one"},
    {"sandbox", command_sandbox, "a payment gateway of Stripe's shape that takes no money"},
    {"version", command_version, "say which version this is"},
};

static void write_help(FILE *out) {
    fputs("onsale " ONSALE_VERSION ", a ticket on-sale engine\n\nusage: onsale COMMAND [SETTING ...]\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(out, "  %-8s  %s\n", commands[i].name, commands[i].help);
    fputs("\n`onsale COMMAND --help` lists its settings. To begin: onsale serve --demo\n", out);
}

int main(int count, char **arguments) {
    signal(SIGPIPE, SIG_IGN);
    /* Snapshots of seats come and go by the megabyte: from here on each is mapped, and given back when it is freed. */
    mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
    umask(077); /* what is kept is nobody else's to read */
    hash_set_up();
    json_set_up();
    const char *wanted = count > 1 ? arguments[1] : "";
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(wanted, commands[i].name) == 0)
            return commands[i].run(count - 2, arguments + 2);
    if (strcmp(wanted, "--help") == 0 || strcmp(wanted, "-h") == 0 || strcmp(wanted, "help") == 0) {
        write_help(stdout);
        return 0;
    }
    if (strcmp(wanted, "--version") == 0)
        return command_version(0, NULL);
    if (count > 1)
        fprintf(stderr, "onsale: there is no command '%s'\n\n", wanted);
    write_help(stderr);
    return 2;
}
