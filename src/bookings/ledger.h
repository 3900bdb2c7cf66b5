/* The port to the ledger: who decides what is sold. SQLite (engines/sqlite), later PostgreSQL.
 *
 * Writing is asynchronous. A command is submitted from any thread; what arrives while a commit is under way shares the
 * next one (group commit), and `done` is called on the ledger's thread after the commit's fsync, in the order of
 * submission. One command's refusal never fails another's. The command's struct, and all that it points to, belongs to
 * the ledger from submit() until `done`.
 *
 * When a write or an fsync fails, the ledger is failed for good: every command from then on ends with
 * LEDGER_UNAVAILABLE, ledger->failed turns true, selling stops, and the process exits non-zero after saying so (no
 * retry of a failed fsync can be trusted).
 *
 * Reading is synchronous, on a read-only connection (struct ledger_reader) that one thread at a time owns; it sees
 * every command whose `done` was called.
 *
 * "Sold" is a primary key: LEDGER_SELL inserts one `tickets` row a seat (PRIMARY KEY (show_id, seat_id)), updates
 * show_seats under `version < number AND status <> 'BOOKED'` with the row count checked, and writes the booking: all or
 * nothing.
 */
#ifndef ONSALE_BOOKINGS_LEDGER_H
#define ONSALE_BOOKINGS_LEDGER_H

#include "base/bytes.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/user_id.h"
#include "payments/payments.h"
#include "seats/show.h"

enum booking_status { BOOKING_PENDING, BOOKING_CONFIRMED, BOOKING_CANCELLED };

/* Where the money is. */
enum payment_state {
    PAYMENT_STATE_NONE,       /* nothing authorized (or a free booking) */
    PAYMENT_STATE_AUTHORIZED, /* authorized, not taken */
    PAYMENT_STATE_CAPTURED,
    PAYMENT_STATE_VOIDED,
    PAYMENT_STATE_REFUNDED,
    PAYMENT_STATE_REVIEW, /* a human has to look */
};

/* Where a saga stands; what was written before each step is taken (saga.h has the machine). */
enum saga_state {
#define SAGA_STATE(name, words) SAGA_##name,
#include "bookings/saga_states.def"
#undef SAGA_STATE
    SAGA_STATE_COUNT
};

/* A booking with its payment attempt, as the ledger keeps it. */
struct booking {
    struct id id;
    struct id show_id;
    struct id reservation;
    struct user_id user;
    uint32_t seat_count;
    struct bytes seat_ids[LIMIT_SEATS_PER_HOLD]; /* point into a plan, or into the reader's row (valid until the
                                                    callback returns) */
    int64_t seat_amounts[LIMIT_SEATS_PER_HOLD];
    uint64_t fence; /* of the hold; the sale writes fence + 1 */
    int64_t amount;
    int64_t refunded; /* minor units given back so far */
    char currency[4];
    enum booking_status status;
    enum payment_state payment_state;
    enum saga_state saga;
    uint32_t attempt;                 /* 1, 2 …: part of the idempotency keys */
    char intent_id[PAYMENT_ID_BYTES]; /* "" until created */
    char reason[PAYMENT_CODE_BYTES];  /* why it was cancelled or needs review: a code, or "" */
    int64_t created_ms, updated_ms, confirmed_ms;
};

#define LEDGER_ANSWER_KEEP_MS (8 * 86400000LL)

/* The final answer to a keyed request. A key that has one keeps it for LEDGER_ANSWER_KEEP_MS: another is not taken. */
struct kept_answer {
    struct id key; /* none: do not keep */
    struct id body_hash;
    uint32_t status;
    struct bytes body;
    int64_t created_ms;
};

/* A claim that the waiting room granted: a pass for one place. */
struct admission {
    uint32_t number; /* of the place */
    struct user_id user;
    int64_t claimed_ms, expires_ms;
    int64_t ended_ms; /* 0: not before it expires */
};

struct show_record {
    struct id show_id;
    struct bytes event_name;
    int64_t start_ms; /* 0: not set */
    struct id plan_hash;
    struct bytes plan_json;     /* for LEDGER_CREATE_SHOW; kept once a hash */
    struct bytes settings_json; /* all else: opaque to the ledger */
    int64_t created_ms, updated_ms;
};

/* A show's picture. */
struct show_image {
    struct id hash;     /* of its bytes */
    struct bytes type;  /* "image/png" … */
    struct bytes bytes; /* none: the show has no picture any more */
};

/* An event for others (notice.h), as it waits in the outbox. */
struct outbox_event {
    uint64_t number; /* rises, never used again */
    struct bytes type;
    struct bytes subject; /* what it is about: a booking's or a show's id */
    int64_t at_ms;
    struct bytes data; /* JSON */
    uint32_t attempts; /* deliveries that failed */
    int64_t next_ms;   /* not tried again before */
    bool dead;         /* given up: kept until an operator has it tried again, or drops it */
    struct bytes why;  /* the last attempt failed; "" at first */
};

/* What became of an attempt to deliver one. */
struct outbox_outcome {
    uint64_t number;
    bool delivered; /* its row goes */
    bool dead;
    int64_t next_ms;
    char why[120];
};

/* A row of the audit, without its hash. */
struct audit_row {
    uint64_t number;
    int64_t at_ms;
    struct bytes actor, action;
    struct id show_id, booking_id; /* none: about none */
    struct bytes detail;           /* JSON */
    struct bytes why;              /* the operator's reason; "" where there is none, or it was erased */
};

enum ledger_kind {
    LEDGER_CREATE_SHOW,  /* shows + one show_seats row a seat, AVAILABLE, version 0. CONFLICT if it exists */
    LEDGER_CHANGE_SHOW,  /* event_name, start_ms, settings_json, and the picture if one is given. SHOW_NOT_FOUND */
    LEDGER_OPEN_BOOKING, /* insert a PENDING booking, saga OPENED */
    LEDGER_STEP_BOOKING, /* status, payment_state, saga, attempt, intent_id, reason, refunded, fence of a booking;
                            guarded by `from_saga`. One that had ended may be taken up again: money came late, or a
                            human has looked */
    LEDGER_SELL, /* the selling transaction; `insert` true: the booking's row is inserted (free tickets), else updated
                    from `from_saga` */
    LEDGER_CANCEL_SOLD, /* CONFIRMED → CANCELLED (or part of it): its tickets move to ticket_history, seats AVAILABLE at
                           seat_version; booking updated; audit line. Seats given back in part leave the booking's
                           lists; its amount stays what all of them cost. CONFLICT too where the booking has not as many
                           seats any more as in `booking` */
    LEDGER_WRITE_SEATS, /* show_seats rows as they are in memory now: WHERE version < number AND status <> 'BOOKED' (a
                           lazy picture; never decides) */
    LEDGER_BLOCK_SEATS, /* seat_blocks rows in, with an audit line */
    LEDGER_UNBLOCK_SEATS,
    LEDGER_KEEP_ANSWERS,   /* answers that no other command carries */
    LEDGER_FORGET_ANSWERS, /* older than `before_ms`; some thousand at a time, the oldest first */
    LEDGER_RAISE_QUEUE,    /* numbers up to `ceiling` may be given out in the show's queue; only rises */
    LEDGER_ADMIT,          /* a claim is granted. The same place again is OK and changes nothing */
    LEDGER_END_PASS,       /* admission.number's pass ends at ended_ms, if it has not ended before */
    LEDGER_SETTLE_OUTBOX,  /* what became of attempts to deliver; a number that is not there changes nothing */
    LEDGER_REVIVE_OUTBOX,  /* dead events are tried again at once (`number` 0: all). NOT_FOUND when there is none */
    LEDGER_KIND_COUNT
};

struct ledger_command {
    enum ledger_kind kind;
    void *context;
    void (*done)(struct ledger_command *command); /* on the ledger's thread */
    enum result result; /* OK; CONFLICT (a guard did not match, a seat is sold, a key is taken); BOOKING_NOT_FOUND;
                           SHOW_NOT_FOUND; LEDGER_UNAVAILABLE */

    /* Kept in the same transaction when the command succeeds; answer.key none: nothing is kept. Any kind may carry one.
     */
    struct kept_answer answer;

    /* For the audit: who ("operator", "fan", "gateway", "shop"; none: "shop"), and the reason of an operator's act. */
    struct bytes actor, why;

    union {
        struct {
            const struct show_record *record;
            const struct plan *plan;
            struct bytes action;            /* CHANGE_SHOW, for the audit: "show.changed", "show.opened" … */
            const struct show_image *image; /* NULL: stays as it is */
        } show;
        struct {
            struct booking *booking; /* the new content; SELL sets updated_ms and confirmed_ms from it as given */
            enum saga_state
                from_saga; /* the row must be in this state (STEP_BOOKING, SELL without insert, CANCEL_SOLD) */
            bool insert;
            uint64_t seat_version; /* CANCEL_SOLD: an even fence drawn for it */
            uint32_t
                cancel_count; /* CANCEL_SOLD: these of the booking's seats (indices into booking->seat_ids); 0: all */
            const uint32_t *cancel;
            bool late; /* SELL: the booking had been given up. CONFLICT too where its reservation was sold meanwhile */
        } booking;
        struct {
            const struct id *show_id;
            const struct plan *plan;
            uint32_t count;
            const struct seat_change *changes;
            int64_t now_ms;
        } seats;
        struct {
            uint32_t count;
            const struct kept_answer *answers;
            int64_t before_ms;
        } answers;
        struct {
            const struct id *show_id;
            uint32_t ceiling;
            struct admission admission;
        } queue;
        struct {
            uint32_t count;
            const struct outbox_outcome *outcomes; /* SETTLE */
            uint64_t number;                       /* REVIVE */
            int64_t now_ms;
        } outbox;
    };

    struct ledger_command *next; /* private to the ledger */
    int64_t submitted_us;        /* private to the ledger */
};

struct booking_filter {
    const struct id *show_id;  /* NULL: all */
    const char *status;        /* NULL: all; "CONFIRMED" … */
    const char *payment_state; /* NULL: all; "REVIEW" … */
    struct id after;           /* page: bookings with a smaller id than this one, newest first; none: from the newest */
    uint32_t limit;            /* 0: all */
};

struct ledger_totals { /* of a show */
    int64_t confirmed, cancelled, pending, tickets, revenue,
        refunded; /* revenue: minor units of CONFIRMED bookings less refunds */
};

struct ledger_reader;

struct ledger {
    void *engine;
    /* Any thread. False (and nothing happens, `done` is not called) when LIMIT_LEDGER_QUEUE commands wait, or it has
     * failed: 503. */
    bool (*submit)(void *engine, struct ledger_command *command);
    bool (*failed)(void *engine);
    uint32_t epoch;                      /* higher at every start */
    char installation[ID_UUID_TEXT + 1]; /* the ledger's own id, made with it: events say it as their source */

    /* Called on the ledger's thread after a commit that put events into the outbox, or revived some; set before the
     * first submit(), or NULL. */
    void (*outbox_filled)(void *context);
    void *outbox_context;

    /* Readers. One thread at a time uses a reader. Rows are borrowed by the callback; it returns false to stop. */
    MUST_USE enum result (*reader_new)(void *engine, struct ledger_reader **reader);
    void (*reader_free)(struct ledger_reader *reader);
    MUST_USE enum result (*read_shows)(struct ledger_reader *reader,
                                       bool (*row)(void *context, const struct show_record *record), void *context);
    /* Every show_seats row that is not (AVAILABLE at version 0), tickets' owners included: `owner` is empty unless
     * BOOKED; blocked seats come as SEAT_BLOCKED. */
    MUST_USE enum result (*read_seats)(struct ledger_reader *reader, const struct id *show_id,
                                       bool (*row)(void *context, struct bytes seat_id, enum seat_status status,
                                                   uint64_t version, struct bytes owner),
                                       void *context);
    MUST_USE enum result (*read_booking)(struct ledger_reader *reader, const struct id *booking_id,
                                         struct booking *booking, struct buffer *storage);
    /* The booking that a reservation was sold in, else the newest made from it. BOOKING_NOT_FOUND. */
    MUST_USE enum result (*read_booking_of)(struct ledger_reader *reader, const struct id *reservation,
                                            struct booking *booking, struct buffer *storage);
    MUST_USE enum result (*read_bookings)(struct ledger_reader *reader, const struct booking_filter *filter,
                                          bool (*row)(void *context, const struct booking *booking), void *context);
    /* Bookings whose saga is not at an end, oldest first; and those in REVIEW, since their seats may have to stay held.
     */
    MUST_USE enum result (*read_unfinished)(struct ledger_reader *reader,
                                            bool (*row)(void *context, const struct booking *booking), void *context);
    MUST_USE enum result (*read_totals)(struct ledger_reader *reader, const struct id *show_id,
                                        struct ledger_totals *totals);
    /* NOT_FOUND, or the bytes of a show's picture, by their hash, in `content`. */
    MUST_USE enum result (*read_image)(struct ledger_reader *reader, const struct id *hash, struct buffer *content);
    /* NOT_FOUND, or the answer, its body in `storage`. */
    MUST_USE enum result (*read_answer)(struct ledger_reader *reader, const struct id *key, struct kept_answer *answer,
                                        struct buffer *storage);

    /* The ceiling of the show's queue (0: never raised), and every admission, by number. */
    MUST_USE enum result (*read_queue)(struct ledger_reader *reader, const struct id *show_id, uint32_t *ceiling,
                                       bool (*row)(void *context, const struct admission *admission), void *context);

    /* Events that wait and are to be tried by `due_ms`, those due the longest first; or with `dead` those given up, by
     * number. At most `limit` (0: all), with numbers above `after`. */
    MUST_USE enum result (*read_outbox)(struct ledger_reader *reader, bool dead, uint64_t after, int64_t due_ms,
                                        uint32_t limit, bool (*row)(void *context, const struct outbox_event *event),
                                        void *context);
    /* How many wait, how many are dead, and the time of the oldest that waits (0: none). */
    MUST_USE enum result (*read_outbox_totals)(struct ledger_reader *reader, int64_t *waiting, int64_t *dead,
                                               int64_t *oldest_ms);
    /* The audit, newest first, with numbers below `before` (0: from the newest); of a show, a booking, or all (none).
     */
    MUST_USE enum result (*read_audit)(struct ledger_reader *reader, const struct id *show_id,
                                       const struct id *booking_id, uint64_t before, uint32_t limit,
                                       bool (*row)(void *context, const struct audit_row *row), void *context);
    /* The audit's newest row, and its hash: whoever keeps the two can tell later whether anything up to it was changed.
     */
    MUST_USE enum result (*read_audit_head)(struct ledger_reader *reader, uint64_t *number, uint8_t hash[static 32]);

    /* Commits what waits, checkpoints, closes. No submit after it. */
    void (*close)(void *engine);
};

#endif
