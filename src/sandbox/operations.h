/* What the sandbox decides: a call's parameters and the book in, a verdict out. No I/O, no clock, and the book is not
 * changed: whoever calls applies the verdict's records.
 *
 *     requires_payment_method ─confirm──▶ requires_capture ─capture──▶ succeeded
 *       │  ▲ │ create or confirm with a payment method        (at once where capture_method is automatic)
 *       │  │ ▼
 *       │  requires_confirmation, requires_action (a card that wants its holder)
 *       ▼
 *     canceled (from every state but succeeded)
 *
 * Money: what is captured is at most what was authorized, what is refunded at most what was captured.
 */
#ifndef ONSALE_SANDBOX_OPERATIONS_H
#define ONSALE_SANDBOX_OPERATIONS_H

#include "sandbox/book.h"
#include "sandbox/form.h"
#include "sandbox/render.h"

enum route {
    ROUTE_INTENT_CREATE,
    ROUTE_INTENT_LIST,
    ROUTE_INTENT_RETRIEVE,
    ROUTE_INTENT_CONFIRM,
    ROUTE_INTENT_CAPTURE,
    ROUTE_INTENT_CANCEL,
    ROUTE_REFUND_CREATE,
    ROUTE_REFUND_LIST,
    ROUTE_REFUND_RETRIEVE,
    ROUTE_CHARGE_RETRIEVE,
    ROUTE_EVENT_LIST,
    ROUTE_EVENT_RETRIEVE,
    ROUTE_COUNT
};

/* A card about to be charged. */
struct attempt {
    uint32_t intent;
    struct card card;
    bool new_method;    /* the card came with this call */
    bool refuse_action; /* error_on_requires_action */
    uint8_t expansions;
};

enum verdict_kind {
    VERDICT_REFUSED, /* with `error`; nothing is kept */
    VERDICT_RECORD,  /* apply `record`, then answer from it */
    VERDICT_ATTEMPT, /* apply `record` if it has parts (a fresh intent), then charge the card: operation_charge() after
                        `delay_ms`; until then the intent is busy */
};

struct verdict {
    enum verdict_kind kind;
    enum gateway_error error;
    char message[320];
    char param[64];
    struct record record; /* head.key, request and event are the caller's to set */
    struct attempt attempt;
    int64_t delay_ms;
    struct buffer details, refund_details, body; /* what the record's ranges point into */
};

void verdict_init(struct verdict *verdict);
void verdict_reset(struct verdict *verdict); /* to use it again */
void verdict_release(struct verdict *verdict);

/* Refuses with a message, printf-like. */
void verdict_refuse(struct verdict *verdict, enum gateway_error error, const char *param, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Checks names, and expand[], against what the route takes. False: refused. */
bool operation_check(enum route route, const struct form *form, struct verdict *verdict, uint8_t *expansions);

/* Refuses as where another call is at the object. */
void operation_refuse_busy(struct verdict *verdict);

/* The calls that change something. `id` is the path's. */
void operation_run(struct book *book, enum route route, struct bytes id, const struct form *form, uint8_t expansions,
                   int64_t now_ms, struct verdict *verdict);
/* Charges the card of an attempt: always VERDICT_RECORD. */
void operation_charge(struct book *book, const struct attempt *attempt, int64_t now_ms, struct verdict *verdict);

/* An object as it is now, as a record that can be rendered; its ranges point into the book. */
void operation_show_intent(struct book *book, const struct intent_entry *entry, struct record *record);
void operation_show_charge(struct book *book, const struct charge_entry *entry, struct record *record);
void operation_show_refund(struct book *book, const struct refund_entry *entry, struct record *record);

#endif
