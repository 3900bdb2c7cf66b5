/* Checks a queue's record, offline and without any key: the chain and its signatures, the shuffle, the order, the drip,
 * and one fan's ticket. What is checked:
 *
 *   chain     every HEAD's hash is that of what stands before it, and is signed by a KEY that stands before it
 *   shuffle   FREEZE comes right behind a HEAD, once, and counts all who were there then; OPEN comes after it, once,
 *             with the same count; its seed fits the commitment; those frozen are shuffled, positions are those of
 *             shuffle.h. Nobody is called before it
 *   order     nobody is let in before they are called, nor twice, nor after leaving; calls only go forward, and to
 *             places that there are
 *   drip      in no window of time are more let in than rate × length + one second's worth (or one), rates as in force
 *   room      nobody is let in while max_active are inside
 *   ticket    its number's blinded id is that of its salt and user; and what became of the place
 *
 * Times may go back: reactors read the clock a moment before they are served (up to a second is let pass for all but
 * admissions), and a restart follows a corrected clock. Such a step is counted, not a fault; the drip's window begins
 * anew with it.
 *
 * Behind an UNKNOWN, which says that a power loss took the end of the record, an END of a place whose ADMIT was lost is
 * let pass.
 *
 * O(n), for admissions O(n log n); takes up to 10 bytes a fan of memory and 16 for each who is inside. A million fans
 * are checked in some 200 ms.
 */
#ifndef ONSALE_WAITROOM_RECORD_CHECK_H
#define ONSALE_WAITROOM_RECORD_CHECK_H

#include "waitroom/queue_ticket.h"
#include "waitroom/record.h"

#define RECORD_CHECK_KEYS 64 /* of the newest keys a HEAD may be signed with */

struct record_fault {
    uint64_t offset; /* of the record that is wrong */
    char words[240];
};

struct record_findings {
    struct id show_id;
    bool is_shuffled; /* a shuffle was committed to */
    bool is_frozen;   /* those whom it is about are fixed, */
    bool is_opened;   /* and it has been made */
    int64_t frozen_ms;
    uint32_t frozen;          /* how many they are */
    struct bytes beacon_name; /* that was committed to; points into the record */
    uint32_t joins, unknown, left, admitted, most_inside, called, heads;
    uint64_t checked_bytes; /* up to the last good HEAD; what comes after it is not covered yet */
    uint64_t tail_bytes;
    uint8_t last_hash[RECORD_HASH_BYTES];
    int64_t first_ms, last_ms;
    uint32_t steps_back; /* of the clock … */
    int64_t most_back_ms;

    /* of the ticket */
    bool has_ticket;                           /* the record has it: number, salt and user fit */
    bool is_ticket_unknown;                    /* its number is one whose JOIN a power loss took */
    uint32_t position;                         /* 0: not known yet */
    int64_t joined_ms, called_ms, admitted_ms; /* 0: not */
    int64_t left_ms, ended_ms;                 /* 0: not */
};

/* Told of every HEAD that is good, in order. May be NULL. */
typedef void record_head_seen(void *context, uint64_t offset, const struct record_event *head);

/* OK; or CORRUPT and the first thing that is wrong, or OVERLOADED without memory: `findings` are then untouched.
 * `ticket` may be NULL. */
MUST_USE enum result record_check(struct bytes record, const struct queue_ticket *ticket,
                                  struct record_findings *findings, struct record_fault *fault);
MUST_USE enum result record_check_heads(struct bytes record, const struct queue_ticket *ticket, record_head_seen *seen,
                                        void *context, struct record_findings *findings, struct record_fault *fault);

#endif
