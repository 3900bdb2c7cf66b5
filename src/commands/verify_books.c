#include "commands/verify_books.h"
#include "base/panic.h"
#include "bookings/saga.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_BYTES 600

/* What is wrong with one payment: words, joined by commas. */
struct findings {
    char text[240];
};

static void find(struct findings *findings, const char *what) {
    size_t length = strlen(findings->text);
    snprintf(findings->text + length, sizeof findings->text - length, "%s%s", length ? ", " : "", what);
}

void books_init(struct books *books, const struct audit_listener *listener) {
    *books = (struct books){.listener = *listener};
}

void books_release(struct books *books) {
    free(books->entries);
    free(books->by_intent);
    *books = (struct books){0};
}

static struct book_total *total_of(struct books *books, const char *currency) {
    for (size_t i = 0; i < books->total_count; i++)
        if (memcmp(books->totals[i].currency, currency, 3) == 0)
            return &books->totals[i];
    if (books->total_count == BOOKS_CURRENCIES)
        return &books->totals[BOOKS_CURRENCIES - 1];
    struct book_total *total = &books->totals[books->total_count++];
    memcpy(total->currency, currency, 3);
    return total;
}

/* ---- the ledger's side ---- */

bool books_add_booking(struct books *books, const struct booking *booking) {
    if (books->count == books->room) {
        size_t room = books->room ? books->room * 2 : 1024;
        struct book_entry *entries = realloc(books->entries, room * sizeof *entries);
        if (!entries)
            return false;
        books->entries = entries;
        books->room = room;
    }
    struct book_entry *entry = &books->entries[books->count++];
    *entry = (struct book_entry){.id = booking->id,
                                 .amount = booking->amount,
                                 .refunded = booking->refunded,
                                 .status = booking->status,
                                 .payment_state = booking->payment_state,
                                 .saga = booking->saga};
    memcpy(entry->currency, booking->currency, sizeof entry->currency);
    memcpy(entry->intent_id, booking->intent_id, sizeof entry->intent_id);
    memcpy(entry->reason, booking->reason, sizeof entry->reason);
    return true;
}

/* "booking b… (DONE, CONFIRMED, 5000 EUR, 0 given back)" */
static void say_entry(const struct book_entry *entry, char text[static LINE_BYTES]) {
    char id[ID_LETTER_TEXT];
    id_format_letter(&entry->id, 'b', id);
    snprintf(text, LINE_BYTES, "booking %.*s (%s, %s, %" PRId64 " %s, %" PRId64 " given back)", ID_LETTER_TEXT, id,
             saga_state_name(entry->saga), booking_status_name(entry->status), entry->amount, entry->currency,
             entry->refunded);
}

/* "intent pi_… (succeeded, 5000 EUR, 5000 taken, 0 given back)" */
static void say_intent(const struct payment_intent *intent, char text[static LINE_BYTES]) {
    snprintf(text, LINE_BYTES, "intent %s (%s, %" PRId64 " %s, %" PRId64 " taken, %" PRId64 " given back)", intent->id,
             intent_status_name(intent->status), intent->amount, intent->currency, intent->amount_received,
             intent->amount_refunded);
}

static void differ(const struct books *books, const struct book_entry *entry, const struct payment_intent *intent,
                   const char *what) {
    char ours[LINE_BYTES] = "", theirs[LINE_BYTES] = "", text[3 * LINE_BYTES];
    if (entry)
        say_entry(entry, ours);
    if (intent)
        say_intent(intent, theirs);
    snprintf(text, sizeof text, "%s%s%s: %s", ours, entry && intent ? ", at the gateway " : "", theirs, what);
    books->listener.difference(books->listener.context, text);
}

static int compare_ids(const void *a, const void *b) {
    return memcmp(&((const struct book_entry *)a)->id, &((const struct book_entry *)b)->id, sizeof(struct id));
}

static int compare_intents(const void *a, const void *b) {
    return strcmp((*(struct book_entry *const *)a)->intent_id, (*(struct book_entry *const *)b)->intent_id);
}

static bool is_settled(const struct book_entry *entry) {
    return saga_state_is_end(entry->saga) && entry->saga != SAGA_REVIEW;
}

/* What must have a payment: its saga is beyond OPENED, or its money is said to be somewhere. */
static void check_without_payment(struct books *books, const struct book_entry *entry) {
    bool needs_none = entry->amount == 0 || entry->saga == SAGA_OPENED || entry->saga == SAGA_CANCELLED;
    if (!needs_none)
        differ(books, entry, NULL, "it names no payment");
    else
        books->without_payment++;
}

bool books_close_ledger(struct books *books) {
    qsort(books->entries, books->count, sizeof *books->entries, compare_ids);
    books->by_intent = calloc(books->count + 1, sizeof(struct book_entry *));
    if (!books->by_intent)
        return false;
    for (size_t i = 0; i < books->count; i++) {
        struct book_entry *entry = &books->entries[i];
        if (entry->saga == SAGA_DONE)
            total_of(books, entry->currency)->revenue += entry->amount - entry->refunded;
        if (entry->intent_id[0])
            books->by_intent[books->intent_count++] = entry;
        else
            check_without_payment(books, entry);
    }
    qsort(books->by_intent, books->intent_count, sizeof(struct book_entry *), compare_intents);
    for (size_t i = 1; i < books->intent_count; i++)
        if (strcmp(books->by_intent[i - 1]->intent_id, books->by_intent[i]->intent_id) == 0)
            differ(books, books->by_intent[i], NULL, "another booking names the same payment");
    return true;
}

static struct book_entry *entry_of_intent(const struct books *books, const char *intent_id) {
    struct book_entry wanted, *key = &wanted;
    memcpy(wanted.intent_id, intent_id, sizeof wanted.intent_id);
    struct book_entry **found =
        bsearch(&key, books->by_intent, books->intent_count, sizeof(struct book_entry *), compare_intents);
    return found ? *found : NULL;
}

static const struct book_entry *entry_of_booking(const struct books *books, const struct id *booking) {
    struct book_entry key = {.id = *booking};
    return bsearch(&key, books->entries, books->count, sizeof *books->entries, compare_ids);
}

/* ---- one payment ---- */

#define ONE_OF(status) (1u << (status))
#define UNPAID                                                                                                         \
    (ONE_OF(INTENT_REQUIRES_PAYMENT_METHOD) | ONE_OF(INTENT_REQUIRES_CONFIRMATION) | ONE_OF(INTENT_REQUIRES_ACTION))

/* Which statuses a payment may have while its saga stands there: of a saga under way, those of this step and the next.
 */
static unsigned statuses_of(const struct book_entry *entry) {
    bool came_late = entry->payment_state == PAYMENT_STATE_CAPTURED;
    switch (entry->saga) {
    case SAGA_OPENED:
        return UNPAID;
    case SAGA_CONFIRMING:
    case SAGA_CANCELLING:
        return UNPAID | ONE_OF(INTENT_PROCESSING) | ONE_OF(INTENT_REQUIRES_CAPTURE) | ONE_OF(INTENT_CANCELED) |
               (came_late ? ONE_OF(INTENT_SUCCEEDED) : 0);
    case SAGA_CAPTURING:
        return UNPAID | ONE_OF(INTENT_PROCESSING) | ONE_OF(INTENT_REQUIRES_CAPTURE) | ONE_OF(INTENT_CANCELED) |
               ONE_OF(INTENT_SUCCEEDED);
    case SAGA_REFUNDING:
        return ONE_OF(INTENT_SUCCEEDED) | (entry->status == BOOKING_CONFIRMED ? 0 : ONE_OF(INTENT_CANCELED));
    case SAGA_DONE:
        return ONE_OF(INTENT_SUCCEEDED);
    case SAGA_CANCELLED:
    case SAGA_REFUNDED:
        return UNPAID | ONE_OF(INTENT_CANCELED) | ONE_OF(INTENT_SUCCEEDED);
    case SAGA_REVIEW:
    case SAGA_STATE_COUNT:
        break;
    }
    return UINT32_MAX;
}

static void find_status(const struct book_entry *entry, const struct payment_intent *intent,
                        struct findings *findings) {
    if (statuses_of(entry) & ONE_OF(intent->status))
        return;
    if (intent->status == INTENT_REQUIRES_CAPTURE && saga_state_is_end(entry->saga) && entry->saga != SAGA_DONE)
        find(findings, "money is still reserved");
    else if (intent->status == INTENT_SUCCEEDED)
        find(findings, "money was taken");
    else if (entry->saga == SAGA_DONE || entry->saga == SAGA_REFUNDING)
        find(findings, "no money was taken");
    else
        find(findings, "its payment cannot stand there");
}

/* What was taken is all or nothing; what was given back is what the ledger says, or at an end without a sale all. */
static void find_money(const struct book_entry *entry, const struct payment_intent *intent, struct findings *findings) {
    int64_t expected = intent->status == INTENT_SUCCEEDED ? entry->amount : 0;
    if (intent->amount_received != expected)
        find(findings, "another amount was taken");
    switch (entry->saga) {
    case SAGA_OPENED:
    case SAGA_CONFIRMING:
    case SAGA_CAPTURING:
    case SAGA_DONE:
        if (intent->amount_refunded != entry->refunded)
            find(findings, "another amount was given back");
        break;
    case SAGA_CANCELLING:
        if (intent->amount_refunded > intent->amount_received)
            find(findings, "another amount was given back");
        break;
    case SAGA_REFUNDING:
        if (intent->amount_refunded > entry->refunded)
            find(findings, "more was given back");
        break;
    case SAGA_CANCELLED:
    case SAGA_REFUNDED:
        if (intent->amount_refunded != intent->amount_received)
            find(findings, intent->amount_refunded ? "not all was given back" : "nothing was given back");
        break;
    case SAGA_REVIEW:
    case SAGA_STATE_COUNT:
        break;
    }
}

/* A human has to look, and is told where. */
static void tell_review(const struct books *books, const struct book_entry *entry,
                        const struct payment_intent *intent) {
    char ours[LINE_BYTES], theirs[LINE_BYTES] = "no payment", text[3 * LINE_BYTES];
    say_entry(entry, ours);
    if (intent)
        say_intent(intent, theirs);
    snprintf(text, sizeof text, "REVIEW: %s, at the gateway %s: %s", ours, theirs, entry->reason);
    books->listener.check(books->listener.context, text);
}

static void compare(struct books *books, struct book_entry *entry, const struct payment_intent *intent) {
    struct findings findings = {""};
    entry->is_seen = true;
    if (!id_is_none(&intent->booking) && !id_equal(&intent->booking, &entry->id))
        find(&findings, "the gateway has it under another booking");
    else if (id_is_none(&intent->booking))
        find(&findings, "the gateway has it under no booking");
    if (memcmp(intent->currency, entry->currency, sizeof intent->currency) != 0)
        find(&findings, "another currency");
    if (intent->amount != entry->amount)
        find(&findings, "another amount");
    if (entry->saga == SAGA_REVIEW) {
        books->in_review++;
        tell_review(books, entry, intent);
    } else {
        find_status(entry, intent, &findings);
        find_money(entry, intent, &findings);
        books->under_way += !is_settled(entry);
    }
    if (findings.text[0])
        differ(books, entry, intent, findings.text);
    else
        books->agreed += is_settled(entry);
}

/* It carries our metadata, and no booking names it. */
static void check_unnamed(struct books *books, const struct payment_intent *intent) {
    const struct book_entry *entry = entry_of_booking(books, &intent->booking);
    bool is_harmless = intent->amount_received == 0 && intent->status != INTENT_REQUIRES_CAPTURE &&
                       intent->status != INTENT_PROCESSING;
    if (is_harmless) {
        books->never_confirmed++;
        return;
    }
    char id[ID_LETTER_TEXT], what[200];
    id_format_letter(&intent->booking, 'b', id);
    if (!entry)
        snprintf(what, sizeof what, "no booking names it; the ledger has no booking %.*s", ID_LETTER_TEXT, id);
    else if (entry->intent_id[0])
        snprintf(what, sizeof what, "no booking names it; its booking names another payment, %s", entry->intent_id);
    else
        snprintf(what, sizeof what, "no booking names it; its booking names none");
    differ(books, entry, intent, what);
}

void books_take_intent(struct books *books, const struct payment_intent *intent) {
    struct book_entry *entry = entry_of_intent(books, intent->id);
    if (entry ? entry->is_seen : id_is_none(&intent->booking)) {
        books->not_ours += !entry;
        return;
    }
    struct book_total *total = total_of(books, intent->currency);
    total->taken += intent->amount_received;
    total->given_back += intent->amount_refunded;
    if (entry && !is_settled(entry))
        total->unsettled += intent->amount_received - intent->amount_refunded;
    if (entry)
        compare(books, entry, intent);
    else
        check_unnamed(books, intent);
}

struct book_entry *books_next_missing(struct books *books) {
    while (books->missing_at < books->intent_count) {
        struct book_entry *entry = books->by_intent[books->missing_at++];
        if (!entry->is_seen)
            return entry;
    }
    return NULL;
}

void books_intent_is_unknown(struct books *books, struct book_entry *entry) {
    char what[200];
    snprintf(what, sizeof what, "the gateway does not know its payment, %s", entry->intent_id);
    differ(books, entry, NULL, what);
    entry->is_seen = true;
}

/* ---- the sums ---- */

void books_compare_totals(struct books *books) {
    char text[LINE_BYTES];
    for (size_t i = 0; i < books->total_count; i++) {
        const struct book_total *total = &books->totals[i];
        int64_t left = total->taken - total->given_back;
        snprintf(text, sizeof text,
                 "%s: taken %" PRId64 ", given back %" PRId64 ", left %" PRId64 " at the gateway, %" PRId64
                 " of it not settled; revenue %" PRId64 " in the ledger (minor units)",
                 total->currency, total->taken, total->given_back, left, total->unsettled, total->revenue);
        if (left - total->unsettled == total->revenue)
            books->listener.check(books->listener.context, text);
        else
            books->listener.difference(books->listener.context, text);
    }
    snprintf(text, sizeof text,
             "%zu payments compared with the gateway: %" PRIu64 " agree, %" PRIu64 " are under way, %" PRIu64
             " in REVIEW; %" PRIu64 " bookings have none",
             books->intent_count, books->agreed, books->under_way, books->in_review, books->without_payment);
    books->listener.check(books->listener.context, text);
    snprintf(text, sizeof text,
             "%" PRIu64 " intents at the gateway were never confirmed and no booking names them, which is harmless; "
             "%" PRIu64 " are not ours",
             books->never_confirmed, books->not_ours);
    books->listener.check(books->listener.context, text);
}
