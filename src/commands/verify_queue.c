/* The public's check of a queue: what was promised (signed heads, a commitment) against what was done (the chain).
 *
 * Happy path: the document is read; its heads' signatures are checked with the keys that it publishes; if the chain is
 * there, record_check() goes through it, each head of the document has to stand in it, and so has each head of an
 * earlier document; a ticket is looked up. What was checked is said in lines that a fan understands; the first thing
 * that is wrong ends it. */
#include "commands/verify_queue.h"
#include "base/clock.h"
#include "base/limits.h"
#include "commands/common.h"
#include "commands/queue_document.h"
#include "waitroom/record_check.h"
#include "waitroom/shuffle.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LAST_TIME_TOLD 253402300799999 /* the year 9999 */

struct verify_queue {
    const char *file, *ticket_text, *earlier_file;
    struct queue_document document, earlier;
    struct queue_ticket ticket;
    char fault[400];
};

__attribute__((format(printf, 1, 2))) static int is_wrong(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("  WRONG: ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    return 1;
}

static const char *said(int64_t ms, char text[static CLOCK_TEXT_BYTES]) {
    if (ms > LAST_TIME_TOLD)
        return "a time after the year 9999";
    clock_format(ms, text);
    return text;
}

/* ---- the document by itself ---- */

static int check_signatures(const struct queue_document *document, const char *file) {
    for (unsigned i = 0; i < document->head_count; i++) {
        const struct record_head *head = &document->heads[i];
        const uint8_t *key = queue_document_key(document, head->event.number);
        char time[CLOCK_TEXT_BYTES];
        if (!key)
            return is_wrong("'%s': the head of %s is signed with key %08x, which is not among the published ones", file,
                            said(head->event.time_ms, time), head->event.number);
        if (!record_head_is_signed(key, &document->show_id, head->offset, &head->event))
            return is_wrong("'%s': the signature of the head of %s is not good", file, said(head->event.time_ms, time));
    }
    return 0;
}

static int check_commitment(const struct queue_document *document) {
    uint8_t commitment[SHUFFLE_BYTES];
    if (!document->is_revealed)
        return 0;
    shuffle_commitment(&document->show_id, document->seed, bytes_of(document->beacon), commitment);
    if (memcmp(commitment, document->commitment, sizeof commitment) != 0)
        return is_wrong("the shuffle's seed is not the one that was committed to");
    printf("  shuffle: the seed is the one that was committed to before the opening\n");
    return 0;
}

static int check_document(const struct queue_document *document, const char *file) {
    int code = check_signatures(document, file);
    if (code == 0)
        code = check_commitment(document);
    if (code == 0 && document->head_count)
        printf("  %u signed heads are published, all signatures are good\n", document->head_count);
    return code;
}

/* ---- the chain ---- */

/* Heads that have to be met in the chain, in order. */
struct expected {
    const struct record_head *heads;
    unsigned count, next;
    bool is_missing; /* `next` is not in it as it was published */
};

struct expectations {
    struct expected published, earlier;
    struct record_head last;
};

static bool same_head(const struct record_event *a, const struct record_event *b) {
    return a->time_ms == b->time_ms && a->open_ms == b->open_ms && a->number == b->number &&
           memcmp(a->head.hash, b->head.hash, sizeof a->head.hash) == 0 &&
           memcmp(a->head.signature, b->head.signature, sizeof a->head.signature) == 0;
}

static void meet(struct expected *expected, uint64_t offset, const struct record_event *head) {
    if (expected->is_missing || expected->next == expected->count)
        return;
    const struct record_head *next = &expected->heads[expected->next];
    if (next->offset > offset)
        return;
    if (next->offset < offset || !same_head(&next->event, head))
        expected->is_missing = true;
    else
        expected->next++;
}

static void see_head(void *context, uint64_t offset, const struct record_event *head) {
    struct expectations *expectations = context;
    meet(&expectations->published, offset, head);
    meet(&expectations->earlier, offset, head);
    expectations->last = (struct record_head){.offset = offset, .event = *head};
}

static int check_met(const struct expected *expected, const char *file, const char *what_then) {
    char time[CLOCK_TEXT_BYTES];
    if (!expected->is_missing && expected->next == expected->count)
        return 0;
    return is_wrong("'%s' has a signed head of %s that is not in the chain%s", file,
                    said(expected->heads[expected->next].event.time_ms, time), what_then);
}

/* A chain brings its own keys: the one that signed last, and so vouches for all before it, has to be a published one.
 */
static int check_signer(const struct queue_document *document, const struct record_findings *findings,
                        const struct record_head *last) {
    if (findings->heads == 0)
        return is_wrong("nobody has signed the record: it has no head");
    if (document->is_bare) {
        printf("  signed with key %08x: compare it with the published ones, a bare record cannot\n",
               last->event.number);
        return 0;
    }
    const uint8_t *key = queue_document_key(document, last->event.number);
    if (!key || !record_head_is_signed(key, &document->show_id, last->offset, &last->event))
        return is_wrong("the chain is signed with key %08x, which is not among the published ones", last->event.number);
    return 0;
}

/* The chain has to begin as the document says. */
static int check_beginning(const struct queue_document *document) {
    struct record_event start;
    static const uint8_t zeros[32];
    size_t length = record_read(buffer_bytes(&document->chain), &start);
    if (document->is_bare || length == 0 || length == SIZE_MAX || start.kind != RECORD_START)
        return 0; /* the check of the record will say it */
    if (!id_equal(&start.start.show_id, &document->show_id))
        return is_wrong("the chain is another show's");
    if (memcmp(start.start.commitment, document->is_shuffled ? document->commitment : zeros, sizeof zeros) != 0 ||
        !bytes_equal(start.start.beacon_name, bytes_of(document->beacon)))
        return is_wrong("the chain has another commitment, or names another beacon, than the document");
    return 0;
}

static void say_clock(const struct record_findings *findings) {
    if (findings->steps_back)
        printf("  clock: it went back %u times, by %.3f s at most (restarts follow a corrected clock)\n",
               findings->steps_back, (double)findings->most_back_ms / 1000);
}

/* A text out of the record: whoever wrote that may not steer the terminal. */
static void say_text(struct bytes text) {
    for (size_t i = 0; i < text.length; i++)
        putchar((unsigned char)text.at[i] < ' ' || text.at[i] == 0x7f ? '?' : text.at[i]);
}

/* A shuffle cannot be rigged if the list was fixed before chance spoke. When the beacon spoke is not in the record. */
static void say_shuffle(const struct record_findings *findings) {
    char time[CLOCK_TEXT_BYTES];
    if (findings->is_frozen)
        printf("  shuffle: the list was frozen at %s, with %u in it\n", said(findings->frozen_ms, time),
               findings->frozen);
    if (findings->is_frozen && findings->beacon_name.length) {
        printf("  shuffle: the beacon '");
        say_text(findings->beacon_name);
        printf("' must have spoken after that moment: compare its value and time with what it published\n");
    }
    if (findings->is_opened)
        printf("  shuffle: made once, by the seed that was committed to; everyone's position was computed again\n");
    else if (findings->is_shuffled)
        printf("  shuffle: promised, and not made yet\n");
}

static void say_findings(const struct record_findings *findings) {
    char show[ID_UUID_TEXT], from[CLOCK_TEXT_BYTES], to[CLOCK_TEXT_BYTES], hash[2 * RECORD_HASH_BYTES];
    id_format_uuid(&findings->show_id, show);
    hex_encode(findings->last_hash, sizeof findings->last_hash, hash);
    printf("  show %.*s, from %s to %s\n", ID_UUID_TEXT, show, said(findings->first_ms, from),
           said(findings->last_ms, to));
    printf("  %u joined, %u left the line, %u were let in, at most %u at once\n", findings->joins, findings->left,
           findings->admitted, findings->most_inside);
    if (findings->unknown)
        printf("  %u numbers are not accounted for: a power loss or a full disk took their joins\n", findings->unknown);
    printf("  chain: %u signed heads, unbroken; the last hash is %.*s\n", findings->heads, (int)sizeof hash, hash);
    if (findings->tail_bytes)
        printf("  the last %llu bytes are not signed yet\n", (unsigned long long)findings->tail_bytes);
    say_shuffle(findings);
    printf("  order: nobody was let in before being called, twice, or after leaving\n");
    printf("  drip: never more were let in than the rate and the room allowed\n");
    say_clock(findings);
}

static int check_chain(const struct verify_queue *verify, struct record_findings *findings) {
    struct record_fault fault = {0};
    struct expectations expectations = {
        .published = {.heads = verify->document.heads, .count = verify->document.head_count},
        .earlier = {.heads = verify->earlier.heads, .count = verify->earlier.head_count}};
    int code = check_beginning(&verify->document);
    if (code)
        return code;
    enum result result =
        record_check_heads(buffer_bytes(&verify->document.chain), verify->ticket_text ? &verify->ticket : NULL,
                           see_head, &expectations, findings, &fault);
    if (result == RESULT_OVERLOADED)
        return say_failure("there is not enough memory for a record of this size");
    if (result != RESULT_OK)
        return is_wrong("at byte %llu of the record: %s", (unsigned long long)fault.offset, fault.words);
    code = check_signer(&verify->document, findings, &expectations.last);
    if (code == 0)
        code = check_met(&expectations.published, verify->file, "");
    if (code == 0 && verify->earlier_file)
        code = check_met(&expectations.earlier, verify->earlier_file, ": the record was changed afterwards");
    if (code == 0 && verify->earlier_file && !verify->earlier.is_bare &&
        !id_equal(&verify->earlier.show_id, &findings->show_id))
        code = is_wrong("the earlier document is another show's");
    return code;
}

/* ---- an earlier document ---- */

static int check_same_promise(const struct queue_document *now, const struct queue_document *earlier) {
    if (now->is_bare || earlier->is_bare)
        return 0;
    if (!id_equal(&now->show_id, &earlier->show_id))
        return is_wrong("the earlier document is another show's");
    if (now->is_shuffled != earlier->is_shuffled || strcmp(now->beacon, earlier->beacon) != 0 ||
        memcmp(now->commitment, earlier->commitment, sizeof now->commitment) != 0)
        return is_wrong(
            "the order that was promised earlier (arrival, or a shuffle's commitment and beacon) was changed");
    return 0;
}

/* Without the chain: what both documents have has to be the same. */
static int check_common_heads(const struct queue_document *now, const struct queue_document *earlier) {
    unsigned common = 0;
    for (unsigned i = 0; i < earlier->head_count; i++)
        for (unsigned k = 0; k < now->head_count; k++) {
            if (earlier->heads[i].offset != now->heads[k].offset)
                continue;
            if (!same_head(&earlier->heads[i].event, &now->heads[k].event))
                return is_wrong("a head that both documents have is not the same in both: the record was changed");
            common++;
        }
    printf("  earlier: %u of its heads are in this document, unchanged; the others can be compared after the sale\n",
           common);
    return 0;
}

static int check_earlier(const struct verify_queue *verify) {
    const struct queue_document *now = &verify->document, *earlier = &verify->earlier;
    int code = check_same_promise(now, earlier);
    if (code == 0)
        code = check_signatures(earlier, verify->earlier_file);
    if (code || !now->has_chain)
        return code ? code : check_common_heads(now, earlier);
    if (!earlier->has_chain)
        return 0;
    if (earlier->chain.length > now->chain.length ||
        memcmp(earlier->chain.at, now->chain.at, earlier->chain.length) != 0)
        return is_wrong("the earlier chain is not how this one begins: the record was changed afterwards");
    return 0;
}

/* ---- a ticket ---- */

static void say_when(const char *what, int64_t ms) {
    char time[CLOCK_TEXT_BYTES];
    if (ms)
        printf(", %s %s", what, said(ms, time));
}

static int say_ticket(const struct verify_queue *verify, const struct record_findings *findings) {
    const struct queue_ticket *ticket = &verify->ticket;
    if (findings->is_ticket_unknown) {
        printf("  ticket: number %u is one whose join was lost (a power loss, or a full disk)\n", ticket->number);
        return 0;
    }
    if (!findings->has_ticket)
        return is_wrong("the ticket is not of this record: no place in it has its show, number, salt and user");
    printf("  ticket: number %u", ticket->number);
    if (findings->position)
        printf(", position %u", findings->position);
    say_when("joined", findings->joined_ms);
    say_when("called", findings->called_ms);
    say_when("let in", findings->admitted_ms);
    say_when("left", findings->left_ms);
    say_when("its pass was given up", findings->ended_ms);
    printf("%s\n", findings->called_ms || findings->left_ms ? "" : ", not called");
    return 0;
}

/* ---- */

static int run_on_chain(const struct verify_queue *verify) {
    struct record_findings findings;
    int code = check_chain(verify, &findings);
    if (code)
        return code;
    say_findings(&findings);
    if (verify->earlier_file)
        printf("  earlier: all that '%s' has is in this chain; nothing was changed since\n", verify->earlier_file);
    return verify->ticket_text ? say_ticket(verify, &findings) : 0;
}

static int run_without_chain(const struct verify_queue *verify) {
    if (verify->ticket_text && !id_equal(&verify->ticket.show_id, &verify->document.show_id))
        return is_wrong("the ticket is another show's");
    printf("  the sale is not closed yet: its chain is published, and can be checked, after it.\n"
           "  Keep this file; with --earlier it will show then whether anything was changed\n");
    if (verify->ticket_text)
        printf("  ticket: number %u; its place can be looked up then\n", verify->ticket.number);
    return 0;
}

static int run(struct verify_queue *verify) {
    printf("verifying the queue's record '%s'\n", verify->file);
    if (queue_document_read(verify->file, &verify->document, verify->fault, sizeof verify->fault) != RESULT_OK)
        return say_failure("'%s': %s", verify->file, verify->fault);
    if (verify->earlier_file &&
        queue_document_read(verify->earlier_file, &verify->earlier, verify->fault, sizeof verify->fault) != RESULT_OK)
        return say_failure("'%s': %s", verify->earlier_file, verify->fault);
    if (verify->ticket_text && queue_ticket_read_unchecked(bytes_of(verify->ticket_text), &verify->ticket) != RESULT_OK)
        return say_failure("that is no queue ticket");
    int code = check_document(&verify->document, verify->file);
    if (code == 0 && verify->earlier_file)
        code = check_earlier(verify);
    if (code == 0)
        code = verify->document.has_chain ? run_on_chain(verify) : run_without_chain(verify);
    if (code == 0)
        printf("everything that was checked is in order\n");
    return code;
}

bool verify_queue_is_asked(int count, char **arguments) {
    for (int i = 0; i < count; i++)
        if (strcmp(arguments[i], "--queue") == 0)
            return true;
    return false;
}

int verify_queue(int count, char **arguments) {
    struct verify_queue *verify = calloc(1, sizeof *verify);
    if (!verify || sodium_init() < 0) {
        free(verify);
        return say_failure("there is no memory");
    }
    for (int i = 0; i < count; i++) {
        bool has_value = i + 1 < count;
        if (strcmp(arguments[i], "--queue") == 0 && has_value) {
            verify->file = arguments[++i];
        } else if (strcmp(arguments[i], "--ticket") == 0 && has_value) {
            verify->ticket_text = arguments[++i];
        } else if (strcmp(arguments[i], "--earlier") == 0 && has_value) {
            verify->earlier_file = arguments[++i];
        } else {
            say_failure("'%s' is not understood beside --queue, or lacks its value; see onsale verify --help",
                        arguments[i]);
            free(verify);
            return 2;
        }
    }
    int code = run(verify);
    queue_document_release(&verify->document);
    queue_document_release(&verify->earlier);
    free(verify);
    return code;
}
