/* Checks a queue's record, offline and without any key: the chain and its signatures, the shuffle, the order, the drip,
 * and one fan's ticket. What is checked:
 *
 *   chain    every HEAD's hash is that of what stands before it, and is signed by a KEY that stands before it
 *   shuffle  OPEN's seed fits the commitment; the positions are those of shuffle.h
 *   order    nobody is admitted before they are called; calls only go forward; nobody is admitted twice, or after
 * leaving drip     in no window are more admitted than rate × time + one second's worth (or one), rates as in force;
 * never are more than max_active inside times    never go back by more than a restart's clock may (reported, not a
 * fault) ticket   its number's blinded id is that of its salt and user; and what became of the place
 *
 * Memory is the caller's: room for a number and a position a fan.
 */
#ifndef ONSALE_WAITROOM_RECORD_CHECK_H
#define ONSALE_WAITROOM_RECORD_CHECK_H

#include "waitroom/queue_ticket.h"
#include "waitroom/record.h"

struct record_fault {
    uint64_t offset; /* of the record that is wrong */
    char words[240];
};

struct record_findings {
    struct id show_id;
    bool is_shuffled; /* a shuffle was committed to */
    bool is_opened;   /* and has been made */
    uint32_t joins, unknown, left, admitted, most_inside, called, heads;
    uint64_t checked_bytes; /* up to the last good HEAD; what comes after it is not covered yet */
    uint64_t tail_bytes;
    uint8_t last_hash[RECORD_HASH_BYTES];
    int64_t first_ms, last_ms;

    /* of the ticket */
    bool has_ticket;
    uint32_t position;                                  /* 0: not known yet */
    int64_t joined_ms, called_ms, admitted_ms, left_ms; /* 0: not */
};

/* OK; or CORRUPT and the first thing that is wrong; OVERLOADED without memory. `ticket` may be NULL. */
MUST_USE enum result record_check(struct bytes record, const struct queue_ticket *ticket,
                                  struct record_findings *findings, struct record_fault *fault);

#endif
