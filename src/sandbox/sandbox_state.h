/* What a running sandbox is made of; for sandbox.c, service.c, lists.c, pending.c and deliveries.c only. All but
 * `stopping` and `failed` is owned by the reactor's thread. */
#ifndef ONSALE_SANDBOX_STATE_H
#define ONSALE_SANDBOX_STATE_H

#include "base/deadlines.h"
#include "net/http.h"
#include "net/reactor.h"
#include "base/clock.h"
#include "sandbox/alarm.h"
#include "sandbox/deliveries.h"
#include "sandbox/faults.h"
#include "sandbox/operations.h"
#include "sandbox/tape.h"

#define BODY_BYTES (1024 * 1024) /* the longest answer: a list of a hundred objects */

/* An answer on its way: made, and waiting for the tape to be synced up to what it tells. */
struct pending {
    struct pending *next;
    struct exchange_ref ref;
    uint64_t position; /* of the tape's end when it was made */
    unsigned status;
    enum ending ending;
    struct fault_draw draw; /* of its call */
    struct buffer headers;
    struct buffer body;
};

/* A card that takes its time, or an answer that is ready and does. */
struct delayed {
    struct deadline deadline; /* first: the heap hands it back */
    struct delayed *previous, *next;
    bool charges;
    struct attempt attempt; /* where it charges */
    struct id key, request;
    struct pending *answer;
};

struct refs {
    struct exchange_ref *at;
    size_t count, room;
    size_t sweep_at; /* when so many, those whose client has gone are dropped */
};

struct sandbox {
    /* set once */
    int lock;
    char address[64];
    struct tape *tape;
    struct reactor *reactor;
    struct alarm *alarm;
    struct deliveries *deliveries; /* NULL: no webhook */
    int64_t clock_offset_ms;

    struct book book;
    struct verdict verdict;
    struct form form;
    struct faults faults;
    struct buffer encoded;                         /* a record on its way to the tape */
    struct buffer replay;                          /* a record from there */
    struct pending *first_pending, **last_pending; /* rising positions */
    struct pending *free_pending;
    struct deadlines deadlines;
    struct delayed *first_delayed;
    struct refs hung;
    bool closing; /* the tape is closed */

    struct envelope synced_envelope, alarm_envelope, stop_envelope;
    atomic_bool synced_sent, alarm_sent, stop_sent;
    atomic_bool failed;
};

/* The time that objects and keys live by. */
static inline int64_t sandbox_now_ms(const struct sandbox *sandbox) {
    return clock_now_ms() + sandbox->clock_offset_ms;
}

/* sandbox.c: wakes the reactor for the next slow card or webhook that is due. */
void sandbox_set_alarm(struct sandbox *sandbox);

/* service.c: the HTTP side. */
extern const struct http_service sandbox_service_template;

/* lists.c: GET of a list into `body`; false: refused in sandbox->verdict. */
bool sandbox_list(struct sandbox *sandbox, enum route route, uint8_t expansions, struct buffer *body);
/* Reads an event's record from the tape into sandbox->replay. NULL: it cannot be read; said in the log. */
bool sandbox_read_record(struct sandbox *sandbox, uint64_t place, struct record *record);

/* pending.c: a fresh answer to the exchange, with its headers begun. NULL: no memory. */
struct pending *pending_new(struct sandbox *sandbox, struct exchange *exchange);
/* Ends it: answers at once if the tape is synced that far, else parks the exchange until it is. */
void pending_settle(struct sandbox *sandbox, struct pending *pending, struct exchange *exchange);
/* The same for an exchange that was parked before; its client may have gone. */
void pending_settle_parked(struct sandbox *sandbox, struct pending *pending);
void pending_free(struct sandbox *sandbox, struct pending *pending);
/* The tape is synced further. */
void pending_synced(struct sandbox *sandbox);
/* Cuts what hangs or is delayed, or waits for a tape that has failed, so that a stop need not wait for it. */
void pending_abandon(struct sandbox *sandbox);
void pending_release(struct sandbox *sandbox);

/* Parks the exchange, whose answer is ready, and settles it later. False: too many. */
bool pending_delay_answer(struct sandbox *sandbox, struct pending *pending, struct exchange *exchange);
/* Parks the exchange and charges the card later. False: too many. */
bool pending_delay(struct sandbox *sandbox, struct pending *pending, struct exchange *exchange, int64_t delay_ms,
                   const struct id *key, const struct id *request);
/* Charges the cards, and settles the answers, whose time has come. */
void pending_due(struct sandbox *sandbox);

/* service.c: applies the verdict's record and appends it to the tape. False: refused in the verdict, for want of room.
 */
bool sandbox_commit(struct sandbox *sandbox, const struct id *key, const struct id *request);
/* Writes the verdict, which is committed or a refusal, into the answer, and what its draw makes of its ending. */
void sandbox_write_answer(struct sandbox *sandbox, struct pending *pending);

#endif
