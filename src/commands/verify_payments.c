/* Reads both books for verify_books.h: the ledger's in one go, the gateway's page by page, newest first; payments that
 * the pages did not tell of are asked about one by one.
 *
 * What can go wrong: the gateway does not answer. Questions change nothing, so each is asked again a few times; then
 * the comparison is given up and that is said, since half a comparison looks like a whole one. */
#include "commands/verify_payments.h"
#include "commands/common.h"
#include "commands/gateway_child.h"
#include "commands/verify_books.h"
#include "engines/sqlite/reader.h"
#include "engines/sqlite/sqlite_ledger.h"
#include "engines/stripe/stripe_gateway.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TRIES 5
#define FIRST_WAIT_MS 200
#define PROGRESS_EVERY 10000

struct inquiry {
    struct books books;
    struct payments payments;
    struct payment_call call;
    bool is_answered;
    struct payment_page page;
    uint64_t told; /* intents */
};

static void answered(struct payment_call *call) {
    struct inquiry *inquiry = call->context;
    inquiry->is_answered = true;
}

/* RESULT_OK, NOT_FOUND (the gateway knows of no such thing) or GATEWAY_UNAVAILABLE, which was said. */
static enum result ask(struct inquiry *inquiry, enum payment_operation operation, const char *intent_id) {
    struct payments *payments = &inquiry->payments;
    struct payment_call *call = &inquiry->call;
    for (int i = 0; i < TRIES; i++) {
        *call =
            (struct payment_call){.operation = operation, .page = &inquiry->page, .context = inquiry, .done = answered};
        memcpy(call->intent_id, intent_id, sizeof call->intent_id);
        inquiry->is_answered = false;
        payments->submit(payments->engine, call);
        while (!inquiry->is_answered) /* the engine ends every call in time */
            payments->run(payments->engine, 1000);
        if (call->outcome == PAYMENT_DONE)
            return RESULT_OK;
        if (call->outcome == PAYMENT_REFUSED && strcmp(call->code, "resource_missing") == 0)
            return RESULT_NOT_FOUND;
        if (call->outcome == PAYMENT_REFUSED)
            break;
        usleep((useconds_t)(FIRST_WAIT_MS << i) * 1000);
    }
    say_failure("the payment gateway does not answer (%s%s%s)", payment_outcome_name(call->outcome),
                call->code[0] ? ", " : "", call->code);
    return RESULT_GATEWAY_UNAVAILABLE;
}

static void tell_progress(struct inquiry *inquiry) {
    if (++inquiry->told % PROGRESS_EVERY == 0)
        fprintf(stderr, "  … %llu payments compared\n", (unsigned long long)inquiry->told);
}

static bool read_gateway(struct inquiry *inquiry) {
    const struct payment_page *page = &inquiry->page;
    char after[PAYMENT_ID_BYTES] = "";
    do {
        if (ask(inquiry, PAYMENT_LIST, after) != RESULT_OK)
            return false;
        for (uint32_t i = 0; i < page->count; i++) {
            books_take_intent(&inquiry->books, &page->intents[i]);
            tell_progress(inquiry);
        }
        if (page->count)
            memcpy(after, page->intents[page->count - 1].id, sizeof after);
    } while (page->has_more);
    return true;
}

static bool ask_about_missing(struct inquiry *inquiry) {
    struct book_entry *entry;
    while ((entry = books_next_missing(&inquiry->books))) {
        enum result result = ask(inquiry, PAYMENT_RETRIEVE, entry->intent_id);
        if (result == RESULT_OK)
            books_take_intent(&inquiry->books, &inquiry->page.intents[0]);
        else if (result == RESULT_NOT_FOUND)
            books_intent_is_unknown(&inquiry->books, entry);
        else
            return false;
        tell_progress(inquiry);
    }
    return true;
}

static bool collect(void *context, const struct booking *booking) {
    struct inquiry *inquiry = context;
    return books_add_booking(&inquiry->books, booking);
}

static bool read_ledger(struct inquiry *inquiry, const char *folder) {
    char path[3300];
    atomic_int readers = 0;
    struct ledger ledger = {0};
    struct ledger_reader *reader;
    struct booking_filter filter = {0};
    snprintf(path, sizeof path, "%s/%s", folder, SQLITE_LEDGER_FILE);
    if (reader_open(path, NULL, 5000, &readers, &reader) != RESULT_OK) {
        say_failure("cannot read '%s'", path);
        return false;
    }
    reader_fill_port(&ledger);
    enum result result = ledger.read_bookings(reader, &filter, collect, inquiry);
    ledger.reader_free(reader);
    if (result != RESULT_OK) {
        say_failure("the bookings in '%s' cannot be read: %s", path, result_words(result));
        return false;
    }
    if (!books_close_ledger(&inquiry->books)) {
        say_failure("not enough memory for the bookings in '%s'", path);
        return false;
    }
    return true;
}

/* The URL and key to use: those of the environment, or the sandbox's on the folder's own state. */
static int open_gateway(struct inquiry *inquiry, const char *folder, struct gateway_child *child) {
    const char *url = getenv("ONSALE_PAYMENTS");
    const char *key = getenv("ONSALE_PAYMENTS_KEY");
    char fault[4000], sandbox_url[120];
    if (!url || strcmp(url, "sandbox") == 0) {
        if (gateway_child_start(folder, child, fault, sizeof fault) != RESULT_OK)
            return say_failure("%s", fault);
        snprintf(sandbox_url, sizeof sandbox_url, "http://%s", child->address);
        url = sandbox_url;
        key = "sk_test_sandbox";
    }
    struct stripe_settings settings = {.url = url, .secret_key = key ? key : ""};
    if (stripe_gateway_new(&settings, &inquiry->payments) != RESULT_OK)
        return say_failure("the payment gateway '%s' cannot be used", url);
    return 0;
}

int verify_payments(const char *folder, const struct audit_listener *listener) {
    struct gateway_child child = {0};
    struct inquiry *inquiry = calloc(1, sizeof *inquiry);
    if (!inquiry)
        return say_failure("not enough memory");
    books_init(&inquiry->books, listener);
    int code = open_gateway(inquiry, folder, &child);
    if (code == 0) {
        code = 1;
        if (read_ledger(inquiry, folder) && read_gateway(inquiry) && ask_about_missing(inquiry)) {
            books_compare_totals(&inquiry->books);
            code = 0;
        }
        inquiry->payments.free(inquiry->payments.engine);
    }
    gateway_child_stop(&child);
    books_release(&inquiry->books);
    free(inquiry);
    return code;
}
