/* What the sandbox knows of money: intents, charges, refunds; and the record of one change to them.
 *
 * The structs are written to the tape as they stand here, so their layout is a file format: no padding, and a changed
 * struct is a new version of the tape. An object's id says its number, which is its place in the book, and a chance
 * part that makes it unguessable: "pi_3", 8 hex digits, 16 hex digits.
 */
#ifndef ONSALE_SANDBOX_OBJECTS_H
#define ONSALE_SANDBOX_OBJECTS_H

#include "base/bytes.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/result.h"

#define OBJECT_ID_BYTES 32 /* with its NUL */

/* Of an intent, in Stripe's words; a list of our own, so that a mistake in the shop's is not made here too. The numbers
 * are stored: add, never change. */
enum status {
    STATUS_REQUIRES_PAYMENT_METHOD = 1,
    STATUS_REQUIRES_CONFIRMATION,
    STATUS_REQUIRES_ACTION,
    STATUS_PROCESSING,
    STATUS_REQUIRES_CAPTURE,
    STATUS_SUCCEEDED,
    STATUS_CANCELED,
    STATUS_COUNT
};

enum capture_method { CAPTURE_AUTOMATIC, CAPTURE_AUTOMATIC_ASYNC, CAPTURE_MANUAL };

/* A payment method: which kind of card it is (cards.def), and the number behind its name ("tok_slow_3000"). */
struct card {
    uint32_t kind;
    uint32_t number;
};

struct intent {
    uint64_t chance;
    int64_t created_ms;
    int64_t canceled_ms; /* 0: not */
    int64_t amount;
    int64_t amount_received;
    uint32_t number;
    uint32_t charge; /* the latest one's number + 1; 0: none yet */
    struct card card;
    uint32_t methods;               /* payment methods it has been given so far: part of their ids */
    uint32_t capture_failures_left; /* of tok_capture_fails_N */
    char currency[4];
    uint8_t status; /* enum status */
    uint8_t capture_method;
    uint8_t cancellation; /* 0: none; index + 1 of cancellation_reasons */
    uint8_t erred;        /* tok_error_once has had its error */
};
static_assert(sizeof(struct intent) == 72, "no padding: it stands on the tape");

struct charge {
    uint64_t chance;
    int64_t created_ms;
    int64_t amount;
    int64_t amount_captured;
    int64_t amount_refunded;
    uint32_t number;
    uint32_t intent;
    struct card card;
    uint32_t method; /* intent.methods when it was made */
    uint8_t failed;
    uint8_t captured;
    uint8_t reserved[2];
};
static_assert(sizeof(struct charge) == 64, "no padding: it stands on the tape");

struct refund {
    uint64_t chance;
    int64_t created_ms;
    int64_t amount;
    uint32_t number;
    uint32_t charge;
    uint32_t intent;
    uint32_t reason; /* 0: none; index + 1 of refund_reasons */
};
static_assert(sizeof(struct refund) == 40, "no padding: it stands on the tape");

/* What a record tells; each from RECORD_CREATED to RECORD_REFUNDED is an event too. The numbers are stored. */
enum record_kind {
    RECORD_ANSWERED, /* nothing changed; an answer to keep */
    RECORD_NOTED,    /* an intent's counters changed */
    RECORD_CREATED,
    RECORD_ACTION_REQUIRED,
    RECORD_AUTHORIZED,
    RECORD_FAILED,
    RECORD_SUCCEEDED,
    RECORD_CANCELED,
    RECORD_REFUNDED,
    RECORD_DELIVERED, /* `event` has reached the webhook */
    RECORD_KIND_COUNT
};

/* How the body of a kept answer is made again, byte for byte. */
enum answer_kind {
    ANSWER_NONE,    /* the record answers nobody */
    ANSWER_INTENT,  /* from the record's intent */
    ANSWER_DECLINE, /* the error of a refused card, from the record's intent and charge */
    ANSWER_REFUND,  /* from the record's refund */
    ANSWER_BODY,    /* the record's body as it is */
    ANSWER_KIND_COUNT
};

enum record_part { PART_INTENT = 1, PART_CHARGE = 2, PART_REFUND = 4 };

/* Expansions asked for, as the answer has to be rendered with them. */
enum expansion { EXPAND_LATEST_CHARGE = 1, EXPAND_CHARGE = 2, EXPAND_PAYMENT_INTENT = 4 };

/* What becomes of the answer. */
enum ending { ENDING_ANSWER, ENDING_CUT, ENDING_HANG };

struct record_head {
    int64_t time_ms;
    struct id key;     /* hash of the idempotency key; none: without one */
    struct id request; /* hash of route and parameters */
    uint32_t event;    /* its number + 1; 0: no event. Of RECORD_DELIVERED: which one */
    uint32_t body_length;
    uint32_t details_length;        /* of the intent */
    uint32_t refund_details_length; /* of the refund */
    uint16_t status;                /* of the answer */
    uint8_t kind;
    uint8_t answer;
    uint8_t expansions;
    uint8_t ending; /* of the first answer; a replay of ENDING_CUT is answered, one of ENDING_HANG never is */
    uint8_t parts;
    uint8_t owed; /* an event that the webhook is to have */
};
static_assert(sizeof(struct record_head) == 64, "no padding: it stands on the tape");

struct record {
    struct record_head head;
    struct intent intent;
    struct charge charge; /* the intent's latest, or the refund's */
    struct refund refund;
    struct bytes details; /* what the intent's maker told of it, as JSON members: "description":…,"metadata":… */
    struct bytes refund_details; /* likewise */
    struct bytes body;
};

/* Appends the record as it stands on the tape; sets the head's lengths and parts are the caller's. */
void object_record_write(struct buffer *out, const struct record *record);
/* The parts point into `bytes`. False if it is no record. */
bool object_record_read(struct bytes bytes, struct record *record);

/* "pi_3…", with its NUL. The prefix is "pi", "ch", "re" or "evt". */
void object_id(const char *prefix, uint32_t number, uint64_t chance, char text[static OBJECT_ID_BYTES]);
bool object_id_parse(struct bytes text, const char *prefix, uint32_t *number, uint64_t *chance);

#endif
