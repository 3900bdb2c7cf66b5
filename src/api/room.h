/* A show's waiting room as this server runs it: the queue (waitroom/queue.h) with its lock, its record (the log), the
 * ledger's part, and the one status that everybody gets.
 *
 * Happy path: room_open() reads the record and the ledger back → fans join (room_join: memory work and an append) → the
 * usher's room_tick() calls them, a few times a second → they claim (room_claim: the ledger has it before the fan does)
 * → they book, leave or run out of time, and the next are called.
 *
 * A room is opened when it is first needed: on the clerk's thread, which may block, or at start. It is never closed
 * before the process ends.
 *
 * Threads: one lock a room, held for memory work only; it may be taken while the sale's lock is held, and the show's
 * never while it is. join, claim, leave and their like from any thread; tick from the usher's only.
 *
 * What can go wrong: a full disk. Joining is then 503, since a place that is not recorded would be lost; what was
 * recorded stays, and claims go on.
 */
#ifndef ONSALE_API_ROOM_H
#define ONSALE_API_ROOM_H

#include "api/api.h"
#include "api/etag.h"
#include "waitroom/pass.h"
#include "waitroom/queue_log.h"
#include "waitroom/queue_ticket.h"

struct room;

/* Makes sale->room if it is not there: reads everything back. Blocks. Where it cannot, the log says why, and for
 * some seconds it is not tried again. */
void room_open(struct api *api, struct sale *sale, struct ledger_reader *reader);
/* Fans may join, or will have joined: its room is to be there. */
bool room_is_wanted(const struct sale *sale, int64_t now_ms);
/* Asks the clerk to open it, once. */
void room_want(struct api *api, struct sale *sale);
/* After a restart: whether its record has begun already. */
void room_recall(struct api *api, struct sale *sale);
/* Seals the record and closes it. No other call on the room comes later. NULL is allowed. */
void room_free(struct room *room);

/* The operator has changed its settings. The caller holds the sale's lock. */
void room_configure(struct room *room, const struct room_terms *terms, int64_t now_ms);
/* The proof of work that joining takes now; 0: none. */
uint32_t room_proof_bits(struct room *room);
/* Its pre-queue has been put in order; or there was none to be shuffled. */
bool room_is_opened(const struct room *room);
/* Nobody can come in among those who will be shuffled any more: from here on a beacon may say what it says. */
bool room_is_frozen(const struct room *room);
/* A place and the queue ticket that proves it. */
struct room_place {
    struct place place;
    uint32_t ahead; /* positions between who is called and this one */
    bool is_new;
    struct queue_ticket ticket;
};
/* OVERLOADED; the place otherwise. */
MUST_USE enum result room_join(struct room *room, const struct user_id *user, int64_t now_ms,
                               struct room_place *joined);

struct room_turn {
    struct queue_pass pass;
    bool is_new;
    uint32_t position, serving, retry_seconds; /* when refused */
};
/* As queue_claim(); whose the place is, was asked before (room_adopt). */
MUST_USE enum result room_claim(struct room *room, uint32_t number, int64_t now_ms, struct room_turn *turn);
/* The place is given up. *was_inside: its pass ended, which the ledger has to be told. OK too if it was before. */
MUST_USE enum result room_leave(struct room *room, uint32_t number, int64_t now_ms, bool *was_inside);
/* As queue_adopt(); QUEUE_TICKET_INVALID for a place that is not the ticket's user's. */
MUST_USE enum result room_adopt(struct room *room, const struct queue_ticket *ticket);
/* As queue_check_pass(). */
MUST_USE enum result room_check_pass(struct room *room, uint32_t number, int64_t now_ms);
/* The user has a confirmed booking: their pass has done its work. Never blocks. */
void room_booked(struct room *room, const struct user_id *user, int64_t now_ms);

/* ---- what everybody gets ---- */

/* The status document, at most 50 ms old unless a great many ask: a reference, and its ETag. NULL: no memory. */
struct blob *room_status(struct room *room, int64_t now_ms, char etag[static ETAG_BYTES]);
struct channel *room_channel(struct room *room);
/* "queue" of the operator's stats. */
void room_write_stats(struct room *room, struct json_writer *writer);
/* The same for a show whose pre-queue has not begun, and that has no room yet. */
void room_write_status_before(const struct api *api, struct sale *sale, int64_t now_ms, struct buffer *out);

/* What GET …/queue/record answers: the chain is in it once the sale is closed. Made once, then the same for all until
 * something has changed. Reads from disk: on the clerk's thread. */
struct room_record {
    struct blob *body; /* a reference for the caller */
    char etag[ETAG_BYTES];
};
MUST_USE enum result room_read_record(struct room *room, int64_t now_ms, struct room_record *record);

/* ---- the usher ---- */

/* Calls, opens, seals, publishes: whatever is due. Every ROOM_TICK_MS. */
#define ROOM_TICK_MS 100
void room_tick(struct room *room, int64_t now_ms);

#endif
