/* What the steps of a saga are made of: waiting, writing, and calls with their keys. Private to bookings/saga*.c.
 *
 * saga.c        the states on the way, and events
 * saga_ends.c   the states at an end, looked at again or resumed
 * saga_moves.c  waits and writes
 * saga_keys.c   which key a call has, and when it may have another
 * saga_names.c  words
 */
#ifndef ONSALE_BOOKINGS_SAGA_MOVES_H
#define ONSALE_BOOKINGS_SAGA_MOVES_H

#include "bookings/saga.h"

/* So long after we have given up waiting for its answer a call may still take effect at the gateway: no other key is
 * used for the same step before. */
#define SAGA_DOUBT_MS (10 * 60000LL)

/* Waits, then does `after`. Exponential, from 100 ms to 30 s, each wait spread over its upper half. */
enum saga_action saga_wait(struct saga *saga, enum saga_action after, int64_t now_ms, uint64_t jitter);
enum saga_action saga_wait_until(struct saga *saga, enum saga_action after, int64_t at_ms);

/* Sets what the booking's row is to say, and where it is to stand. The first reason stays: what follows is only how it
 * comes to its end. */
enum saga_action saga_write(struct saga *saga, enum saga_state target, const char *reason);
/* Why a human has to look counts for more than why it was cancelled before. */
enum saga_action saga_review(struct saga *saga, const char *reason);

bool saga_has_key(enum saga_action action);
/* What the end of a call tells of its key. */
void saga_note_key(struct saga *saga, enum saga_event event, int64_t now_ms);
/* The last call is over at the gateway and did not take effect: the next one needs a key of its own. */
void saga_next_round_if_answered(struct saga *saga);
/* A call that needs a key. Where it cannot be one that was used for the same step before, calls that are in doubt have
 * to have come to their end first, and the gateway to have been asked since then. */
enum saga_action saga_call(struct saga *saga, enum saga_action action, int64_t now_ms);
/* The gateway, asked, says that the step has no effect so far: it is taken, or taken again. Where the call itself said
 * so, the gateway is asked first. */
enum saga_action saga_take_step(struct saga *saga, enum saga_action action, int64_t now_ms, uint64_t jitter);
/* Nothing was sent: the same again, later. */
enum saga_action saga_send_later(struct saga *saga, int64_t now_ms, uint64_t jitter);

/* Asked about a booking that had ended. */
enum saga_action saga_at_end(struct saga *saga, enum saga_event event, int64_t now_ms, uint64_t jitter);

#endif
