/* `onsale ticket check`: what a door asks. Offline: the keys are in a file, or in the shop's own folder of them.
 *
 * Tickets come as arguments, or a line each on the standard input, as a scanner types them; each is answered at once
 * with a line. Who was here before is remembered for as long as it runs. */
#include "base/base64url.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/hash.h"
#include "commands/commands.h"
#include "commands/common.h"
#include "runtime/key_files.h"
#include "tickets/key_set.h"
#include "tickets/ticket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "usage: onsale ticket check [--jwks FILE | --keys FOLDER] [--show ID] [TICKET ...]\n\n"
    "Checks tickets without asking a server: the texts of their QR codes, given here or a line each on the standard "
    "input.\n"
    "Prints a line for each: what is to be said of it, show, seat_id, and ticket number, between tabs; '-' where "
    "nothing "
    "is known.\n\n"
    "  valid               let them in\n"
    "  seen before         this ticket was checked before, in this run\n"
    "  seat seen before    another ticket for the same seat was: one of the two was given back\n"
    "  another show        it is good, and not for the show of --show\n"
    "  unknown key         signed by a key that is not among these: take the file anew\n"
    "  forged              its signature is wrong\n"
    "  a pass              of the waiting room, which opens no door here\n"
    "  no ticket           none of the above\n\n"
    "  --jwks FILE     the public keys, as /.well-known/jwks.json answers\n"
    "  --keys FOLDER   the shop's folder of keys (default onsale-data/keys)\n"
    "  --show ID       the show at whose door this is\n\n"
    "Ends with 0 if all were valid, with 1 if one was not.\n";

/* Hashes of tickets and seats that came by. Open addressing; doubled when it is three quarters full. */
struct memory {
    struct id *slots; /* none: free */
    size_t count, room;
};

struct door {
    struct keyring keys;
    bool has_show;
    struct id show_id;
    struct memory tickets, seats;
    bool all_valid;
};

/* ---- who was here before ---- */

static struct id *slot_of(const struct memory *memory, const struct id *hash) {
    size_t at;
    memcpy(&at, hash->at, sizeof at);
    for (at &= memory->room - 1; !id_is_none(&memory->slots[at]) && !id_equal(&memory->slots[at], hash);)
        at = (at + 1) & (memory->room - 1);
    return &memory->slots[at];
}

static bool memory_grow(struct memory *memory) {
    struct memory larger = {.count = memory->count, .room = memory->room ? 2 * memory->room : 1024};
    larger.slots = calloc(larger.room, sizeof *larger.slots);
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < memory->room; i++)
        if (!id_is_none(&memory->slots[i]))
            *slot_of(&larger, &memory->slots[i]) = memory->slots[i];
    free(memory->slots);
    *memory = larger;
    return true;
}

/* True if it was there; then or else it is now. A door that cannot remember any more must not go on. */
static bool was_here(struct memory *memory, const struct ticket *ticket, struct bytes what) {
    const struct bytes parts[] = {{(const char *)ticket->show_id.at, sizeof ticket->show_id.at}, what};
    struct id hash = hash_128(parts, sizeof parts / sizeof parts[0]);
    if (4 * memory->count >= 3 * memory->room && !memory_grow(memory)) {
        say_failure("there is no memory left to know a ticket again");
        exit(1);
    }
    struct id *slot = slot_of(memory, &hash);
    if (id_equal(slot, &hash))
        return true;
    *slot = hash;
    memory->count++;
    return false;
}

/* ---- one ticket ---- */

static const char *judge(struct door *door, const struct ticket *ticket) {
    struct bytes number = {(const char *)ticket->number, sizeof ticket->number};
    if (door->has_show && !id_equal(&door->show_id, &ticket->show_id))
        return "another show";
    if (was_here(&door->tickets, ticket, number))
        return "seen before";
    return was_here(&door->seats, ticket, ticket_seat(ticket)) ? "seat seen before" : "valid";
}

static const char *words_of(enum ticket_verdict verdict) {
    switch (verdict) {
    case TICKET_UNKNOWN_KEY:
        return "unknown key";
    case TICKET_FORGED:
        return "forged";
    case TICKET_IS_A_PASS:
        return "a pass";
    case TICKET_MALFORMED:
    case TICKET_GOOD:
        break;
    }
    return "no ticket";
}

/* A seat_id has no control characters where a plan was read by us; whoever has the keys could sign one that has. */
static void print_seat(struct bytes seat) {
    for (size_t i = 0; i < seat.length; i++)
        putchar((unsigned char)seat.at[i] < 0x20 || seat.at[i] == 0x7f ? '?' : seat.at[i]);
}

static void check(struct door *door, struct bytes text) {
    struct ticket ticket;
    enum ticket_verdict verdict = ticket_read(&door->keys, text, &ticket);
    const char *words = verdict == TICKET_GOOD ? judge(door, &ticket) : words_of(verdict);
    door->all_valid &= strcmp(words, "valid") == 0;
    if (verdict == TICKET_GOOD) {
        char show[ID_UUID_TEXT], number[TICKET_NUMBER_TEXT];
        id_format_uuid(&ticket.show_id, show);
        ticket_number_format(ticket.number, number);
        printf("%s\t%.*s\t", words, ID_UUID_TEXT, show);
        print_seat(ticket_seat(&ticket));
        printf("\t%.*s\n", TICKET_NUMBER_TEXT, number);
    } else {
        printf("%s\t-\t-\t-\n", words);
    }
    fflush(stdout); /* somebody waits at the door */
}

/* A line each, ended by LF or CR LF; empty ones are none. What is too long to be a ticket is read and forgotten. */
static int check_lines(struct door *door) {
    char line[LIMIT_TICKET_BYTES + 2];
    size_t length = 0;
    for (int c = getchar();; c = getchar()) {
        if (c != '\n' && c != EOF) {
            if (length < sizeof line)
                line[length++] = (char)c;
            continue;
        }
        if (length && length < sizeof line && line[length - 1] == '\r')
            length--;
        if (length)
            check(door, (struct bytes){line, length});
        length = 0;
        if (c == EOF)
            break;
    }
    if (ferror(stdin))
        return say_failure("cannot read the standard input: %s", strerror(errno));
    return 0;
}

/* ---- the keys ---- */

static int read_key_set(const char *path, struct keyring *ring) {
    char fault[300] = "";
    struct buffer text;
    buffer_init(&text, LIMIT_KEY_SET_BYTES);
    enum result result = file_read(path, &text);
    if (result == RESULT_BODY_TOO_LARGE)
        say_failure("'%s' is too large to be a JWK set", path);
    else if (result != RESULT_OK)
        say_failure("cannot read '%s': %s", path, strerror(errno));
    else if ((result = key_set_read(buffer_bytes(&text), ring, fault, sizeof fault)) != RESULT_OK)
        say_failure("'%s' is no JWK set to check tickets with: %s", path, fault);
    buffer_release(&text);
    return result == RESULT_OK ? 0 : 1;
}

/* Only what is there: nothing is made. */
static int read_folder(const char *path, struct keyring *ring) {
    static struct key_files files;
    char fault[4000];
    enum result result = key_files_list(path, &files, fault, sizeof fault);
    if (result == RESULT_OK)
        result = key_files_open(path, clock_now_ms(), ring, fault, sizeof fault);
    return result == RESULT_OK ? 0 : say_failure("%s", fault);
}

/* ---- */

struct wish {
    const char *key_set, *folder;
    int first; /* of the tickets among the arguments */
};

static int run(struct door *door, const struct wish *wish, int count, char **arguments) {
    int failed = wish->key_set ? read_key_set(wish->key_set, &door->keys)
                               : read_folder(wish->folder ? wish->folder : "onsale-data/keys", &door->keys);
    for (int i = wish->first; !failed && i < count; i++)
        check(door, bytes_of(arguments[i]));
    if (!failed && wish->first == count)
        failed = check_lines(door);
    keyring_wipe(&door->keys);
    free(door->tickets.slots);
    free(door->seats.slots);
    return failed ? failed : !door->all_valid;
}

/* False: not understood. */
static bool read_arguments(int count, char **arguments, struct door *door, struct wish *wish) {
    int i = 1;
    while (i < count && arguments[i][0] == '-' && strcmp(arguments[i], "--") != 0) {
        const char *value = i + 1 < count ? arguments[i + 1] : NULL;
        if (strcmp(arguments[i], "--jwks") == 0 && value) {
            wish->key_set = value;
        } else if (strcmp(arguments[i], "--keys") == 0 && value) {
            wish->folder = value;
        } else if (strcmp(arguments[i], "--show") == 0 && value && id_parse_uuid(bytes_of(value), &door->show_id)) {
            door->has_show = true;
        } else {
            say_failure("'%s' is not understood, or lacks its value; onsale ticket --help lists what is", arguments[i]);
            return false;
        }
        i += 2;
    }
    wish->first = i < count && strcmp(arguments[i], "--") == 0 ? i + 1 : i;
    if (wish->key_set && wish->folder) {
        say_failure("--jwks and --keys are two ways to say the same: give one of them");
        return false;
    }
    return true;
}

int command_ticket(int count, char **arguments) {
    static struct door door = {.all_valid = true};
    struct wish wish = {.first = count};
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            fputs(help, stdout);
            return 0;
        }
    }
    if (count == 0 || strcmp(arguments[0], "check") != 0) {
        fputs(help, stderr);
        return 2;
    }
    return read_arguments(count, arguments, &door, &wish) ? run(&door, &wish, count, arguments) : 2;
}
