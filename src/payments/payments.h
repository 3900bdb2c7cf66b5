/* The port to a payment gateway of Stripe's shape: what can be asked, and what an answer means.
 *
 * One call is one HTTP request. Calls are made and answered on one thread (the cashier's): submit() never blocks,
 * `done` is called from inside run(). The call's struct belongs to the gateway from submit() until `done`.
 *
 * An outcome is never guessed. UNKNOWN means: the request may or may not have had its effect (time-out, cut connection,
 * 5xx). Who gets it asks (PAYMENT_RETRIEVE) before anything else; a stored 5xx replayed under the same key is UNKNOWN
 * too. UNREACHED means that the request was certainly never sent (no connection): it may be sent again with the same
 * key.
 */
#ifndef ONSALE_PAYMENTS_PAYMENTS_H
#define ONSALE_PAYMENTS_PAYMENTS_H

#include "base/bytes.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/result.h"

enum payment_operation {
    PAYMENT_CREATE,   /* an intent with capture_method=manual, not confirmed; metadata: booking id */
    PAYMENT_CONFIRM,  /* by id, with the fan's payment token as payment_method: authorizes */
    PAYMENT_CAPTURE,  /* takes the authorized amount */
    PAYMENT_CANCEL,   /* voids an intent that is not captured */
    PAYMENT_REFUND,   /* gives `amount` of a captured intent back */
    PAYMENT_RETRIEVE, /* asks what became of an intent */
    PAYMENT_LIST,     /* asks for intents, newest first: the page after `intent_id`, "" from the newest on */
    PAYMENT_OPERATION_COUNT
};

enum payment_outcome {
    PAYMENT_DONE, /* it took effect; `status` is the intent's (for a refund: SUCCEEDED, or PROCESSING while it is under
                     way) */
    PAYMENT_DECLINED,  /* the card was refused (402): final for this attempt; `code` says why */
    PAYMENT_REFUSED,   /* the gateway refused the call itself (4xx: bad parameter, wrong state, unknown id): not to be
                          repeated; `code` */
    PAYMENT_BUSY,      /* 409 (key in use) or 429: nothing happened; again later with the same key */
    PAYMENT_UNREACHED, /* never sent */
    PAYMENT_UNKNOWN,   /* sent, outcome not known */
};

/* Stripe's words for an intent. */
enum intent_status {
    INTENT_NONE,
    INTENT_REQUIRES_PAYMENT_METHOD,
    INTENT_REQUIRES_CONFIRMATION,
    INTENT_REQUIRES_ACTION,
    INTENT_PROCESSING,
    INTENT_REQUIRES_CAPTURE,
    INTENT_SUCCEEDED,
    INTENT_CANCELED,
};

#define PAYMENT_ID_BYTES 64 /* an intent's or refund's id with its NUL */
#define PAYMENT_CODE_BYTES 64

/* "create" …, "done" …: for logs and tests. Static strings. */
const char *payment_operation_name(enum payment_operation operation);
const char *payment_outcome_name(enum payment_outcome outcome);

/* Whether it changes nothing at the gateway, and so may be sent again whatever became of it. */
bool payment_operation_is_question(enum payment_operation operation);

/* "requires_capture" …, as it stands in JSON; INTENT_NONE is "none" and is never parsed. */
const char *intent_status_name(enum intent_status status);
bool intent_status_parse(struct bytes text, enum intent_status *status);

#define PAYMENT_PAGE_INTENTS 100

/* An intent as the gateway tells it. */
struct payment_intent {
    char id[PAYMENT_ID_BYTES];
    enum intent_status status;
    int64_t amount, amount_received, amount_refunded;
    char currency[4];  /* "EUR" */
    struct id booking; /* what CREATE told as metadata; none: it is not ours */
};

struct payment_page {
    uint32_t count;
    bool has_more; /* never with a count of 0 */
    struct payment_intent intents[PAYMENT_PAGE_INTENTS];
};

struct payment_call {
    enum payment_operation operation;
    char idempotency_key[96];                  /* NUL-terminated; unused by RETRIEVE and LIST */
    char intent_id[PAYMENT_ID_BYTES];          /* all but CREATE; LIST: may be "" */
    struct id booking;                         /* CREATE: told to the gateway as metadata */
    int64_t amount;                            /* CREATE, CAPTURE, REFUND; minor units */
    char currency[4];                          /* CREATE */
    char token[LIMIT_PAYMENT_TOKEN_BYTES + 1]; /* CONFIRM; wiped by the gateway as soon as it is sent */
    struct payment_page *page; /* LIST: where the intents go; RETRIEVE: where the intent goes, or NULL */
    void *context;
    void (*done)(struct payment_call *call);

    /* set before done */
    enum payment_outcome outcome;
    uint32_t
        http_status; /* of the answer; 0: none was read. An answer, even a 500, means the call is over at the gateway */
    enum intent_status status;
    char result_id[PAYMENT_ID_BYTES];         /* CREATE: the intent's; REFUND: the refund's */
    int64_t amount_received, amount_refunded; /* RETRIEVE; DONE of CAPTURE */
    char code[PAYMENT_CODE_BYTES];            /* the gateway's error or decline code, or "" */

    struct payment_call *next;  /* private to the gateway */
    struct payment_call **link; /* private to the gateway: what points to it while it waits to be begun */
};

struct payments {
    void *engine;
    void (*submit)(void *engine, struct payment_call *call);
    /* Takes back a call that was submitted and has not been begun: nothing was sent, `done` is not called. False: it is
     * under way, or over. The one thread. */
    bool (*withdraw)(void *engine, struct payment_call *call);
    /* Sends, receives and calls `done` for at most `timeout_ms`; returns at once when wake() was called or something
     * was done. The one thread. */
    void (*run)(void *engine, int timeout_ms);
    /* Ends a run() that waits. Any thread. */
    void (*wake)(void *engine);
    /* Abandons what is under way, without calling `done`. */
    void (*free)(void *engine);
};

#endif
