/* Idempotency-Key: the same key, route, user and body give the first answer again, byte for byte.
 *
 * A key that is under way is in a table here (IDEMPOTENCY_IN_PROGRESS for who comes second, once it is known that the
 * first one has no answer yet: who comes while that is looked up waits for it); an answer that is final is in the
 * ledger, or still in the hold store's journal. So nothing is remembered here that must survive a crash, and memory
 * grows only with calls under way.
 *
 * The stored key is a hash of route, scope and key; the scope is the user for reserve and for joining a queue, the
 * reservation for confirm, the queue ticket for a turn, what the path names otherwise, so that nobody sees another's
 * answer by guessing a key.
 */
#ifndef ONSALE_API_IDEMPOTENCY_H
#define ONSALE_API_IDEMPOTENCY_H

#include "api/call.h"

#define IDEMPOTENCY_KEEP_MS LEDGER_ANSWER_KEEP_MS

MUST_USE enum result idempotency_new(struct idempotency **idempotency);
void idempotency_free(struct idempotency *idempotency);

/* Takes charge of a POST that carries a key: answers it (a replay, a refusal), or calls its route's handler with the
 * call parked. */
void idempotency_begin(struct call *call, struct bytes key);
/* The call with this key was answered, or given up. */
void idempotency_end(struct idempotency *idempotency, const struct id *key);

#endif
