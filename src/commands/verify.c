/* `onsale verify`: audits the ledger of a stopped server, or of a copy of its data folder; with --payments, the
 * gateway's books too.
 *
 * Everything that was checked is said and counted; each difference is named. Exit code 0: nothing found; 1: something
 * was, or it could not be looked at. */
#include "base/clock.h"
#include "base/files.h"
#include "bookings/saga.h"
#include "commands/commands.h"
#include "commands/common.h"
#include "commands/gateway_child.h"
#include "commands/verify_queue.h"
#include "engines/sqlite/audit.h"
#include "engines/sqlite/reader.h"
#include "engines/sqlite/sqlite_ledger.h"
#include "engines/stripe/stripe_gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define CALLS_AT_ONCE 32
#define PATIENCE_MS 60000

static const char help[] =
    "usage: onsale verify [--data FOLDER] [--payments]\n"
    "       onsale verify --queue FILE [--ticket TICKET] [--earlier FILE]\n\n"
    "Audits the ledger of a stopped server, or of a copy of its data folder: each seat in at most one confirmed "
    "booking, tickets,\n"
    "bookings and money agree, versions only rise. Says what it checked. Exits 0, or 1 with each difference named.\n\n"
    "  --data FOLDER  the data folder (default onsale-data)\n"
    "  --payments     ask the payment gateway about every payment too; the sandbox is started on the folder's own "
    "state.\n"
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

/* ---- payments ---- */

struct question {
    struct question *next;
    struct booking booking; /* without its seats */
    struct payment_call call;
    struct inquiry *inquiry;
};

struct inquiry {
    struct verify *verify;
    struct question *waiting; /* to be asked */
    unsigned out, asked, agreed, open;
    int64_t taken, given_back;
};

static void differ(struct inquiry *inquiry, const struct booking *booking, const char *what) {
    char id[ID_LETTER_TEXT], text[300];
    id_format_letter(&booking->id, 'b', id);
    snprintf(text, sizeof text, "booking %.*s is %s with its payment %s, but at the gateway %s", ID_LETTER_TEXT, id,
             booking_status_name(booking->status), payment_state_name(booking->payment_state), what);
    say_difference(inquiry->verify, text);
}

/* What the gateway says against what the ledger says. A saga that is not at its end may be between two steps: counted
 * apart, but its money must not be more than one step ahead. */
static void compare(struct inquiry *inquiry, const struct question *question) {
    const struct booking *booking = &question->booking;
    const struct payment_call *call = &question->call;
    bool captured = call->status == INTENT_SUCCEEDED;
    if (call->outcome != PAYMENT_DONE) {
        differ(inquiry, booking, "it cannot be read");
        return;
    }
    inquiry->taken += captured ? call->amount_received : 0;
    inquiry->given_back += call->amount_refunded;
    if (!saga_state_is_end(booking->saga)) {
        inquiry->open++;
        return;
    }
    if (captured && call->amount_received != booking->amount)
        differ(inquiry, booking, "another amount was taken");
    else if (booking->saga == SAGA_DONE && !captured)
        differ(inquiry, booking, "no money was taken");
    else if (captured && call->amount_refunded != booking->refunded)
        differ(inquiry, booking, "another amount was given back");
    else if (booking->saga == SAGA_CANCELLED && captured)
        differ(inquiry, booking, "money was taken");
    else if (booking->saga == SAGA_CANCELLED && call->status == INTENT_REQUIRES_CAPTURE)
        differ(inquiry, booking, "money is still reserved");
    else if (booking->saga == SAGA_REFUNDED && captured && call->amount_refunded != call->amount_received)
        differ(inquiry, booking, "not all was given back");
    else
        inquiry->agreed++;
}

static void answered(struct payment_call *call) {
    struct question *question = call->context;
    question->inquiry->out--;
    compare(question->inquiry, question);
    free(question);
}

static bool collect(void *context, const struct booking *booking) {
    struct inquiry *inquiry = context;
    if (!booking->intent_id[0])
        return true;
    struct question *question = calloc(1, sizeof *question);
    if (!question)
        return false;
    question->booking = *booking;
    question->inquiry = inquiry;
    question->next = inquiry->waiting;
    inquiry->waiting = question;
    return true;
}

static void ask_all(struct inquiry *inquiry, struct payments *payments) {
    int64_t give_up_us = clock_monotonic_us() + PATIENCE_MS * 1000LL;
    while (inquiry->waiting || inquiry->out) {
        while (inquiry->waiting && inquiry->out < CALLS_AT_ONCE) {
            struct question *question = inquiry->waiting;
            inquiry->waiting = question->next;
            question->call.operation = PAYMENT_RETRIEVE;
            memcpy(question->call.intent_id, question->booking.intent_id, sizeof question->call.intent_id);
            question->call.context = question;
            question->call.done = answered;
            inquiry->out++;
            if (++inquiry->asked % 10000 == 0)
                fprintf(stderr, "  … asked about %u payments\n", inquiry->asked);
            payments->submit(payments->engine, &question->call);
        }
        unsigned before = inquiry->out;
        payments->run(payments->engine, 1000);
        if (inquiry->out != before)
            give_up_us = clock_monotonic_us() + PATIENCE_MS * 1000LL;
        else if (clock_monotonic_us() > give_up_us)
            return;
    }
}

static int inquire(struct verify *verify, struct ledger_reader *reader, const struct ledger *ledger,
                   struct payments *payments) {
    struct inquiry inquiry = {.verify = verify};
    struct booking_filter filter = {0};
    if (ledger->read_bookings(reader, &filter, collect, &inquiry) != RESULT_OK)
        return say_failure("the ledger's bookings cannot be read");
    ask_all(&inquiry, payments);
    if (inquiry.waiting || inquiry.out)
        return say_failure("the payment gateway does not answer");
    printf("  %u payments asked about at the gateway: %u agree, %u are under way; taken %lld, given back %lld (minor "
           "units)\n",
           inquiry.asked, inquiry.agreed, inquiry.open, (long long)inquiry.taken, (long long)inquiry.given_back);
    return 0;
}

static int ask_gateway(struct verify *verify, struct gateway_child *child) {
    const char *url = getenv("ONSALE_PAYMENTS");
    const char *key = getenv("ONSALE_PAYMENTS_KEY");
    char fault[4000], path[3300], sandbox_url[120];
    atomic_int readers = 0;
    if (!url || strcmp(url, "sandbox") == 0) {
        if (gateway_child_start(verify->folder, child, fault, sizeof fault) != RESULT_OK)
            return say_failure("%s", fault);
        snprintf(sandbox_url, sizeof sandbox_url, "http://%s", child->address);
        url = sandbox_url;
        key = "sk_test_sandbox";
    }
    struct stripe_settings settings = {.url = url, .secret_key = key ? key : ""};
    struct payments payments;
    struct ledger ledger = {0};
    struct ledger_reader *reader;
    if (stripe_gateway_new(&settings, &payments) != RESULT_OK)
        return say_failure("the payment gateway '%s' cannot be used", url);
    int code;
    snprintf(path, sizeof path, "%s/%s", verify->folder, SQLITE_LEDGER_FILE);
    if (reader_open(path, NULL, 5000, &readers, &reader) == RESULT_OK) {
        reader_fill_port(&ledger);
        code = inquire(verify, reader, &ledger, &payments);
        ledger.reader_free(reader);
    } else {
        code = say_failure("cannot read '%s'", path);
    }
    payments.free(payments.engine);
    return code;
}

/* ---- */

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
    if (verify->payments) {
        struct gateway_child child = {0};
        int code = ask_gateway(verify, &child);
        gateway_child_stop(&child);
        if (code)
            return code;
    }
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
