/* The answers to keyed takes that the ledger may not have yet, in memory: by key, and in the order in which they were
 * given. What the journal has of them is the store's business; here is what is waiting, and what was handed out.
 *
 *     BEGUN ──fill──▶ FILLED ──land──▶ WAITING ──hand out──▶ HANDED ──kept──▶ (gone)
 *       └─abandon─▶ (gone)                ▲─────────not kept────┘
 *
 * An answer is begun before its hold is taken, so that a full table refuses the take; it lands when its record is in
 * the journal's memory, and is handed out once that is on disk. Any thread; one lock, held for O(1) a key.
 */
#ifndef ONSALE_ENGINES_MEMORY_ANSWERS_H
#define ONSALE_ENGINES_MEMORY_ANSWERS_H

#include "bookings/ledger.h"
#include "engines/memory/journal.h"

struct answer;
struct answers;

/* NULL when memory ran out. */
struct answers *answers_new(uint32_t limit);
void answers_free(struct answers *answers);

/* OK; IDEMPOTENCY_IN_PROGRESS if the key is here already; OVERLOADED when the table is full or memory ran out. */
MUST_USE enum result answers_begin(struct answers *answers, const struct hold_answer_key *key, struct answer **answer);
/* Takes the body over: `body` is empty afterwards. */
void answers_fill(struct answers *answers, struct answer *answer, struct buffer *body, int64_t created_ms);
/* `ticket`: of its record in the journal. */
void answers_land(struct answers *answers, struct answer *answer, uint64_t ticket);
void answers_abandon(struct answers *answers, struct answer *answer);

/* What the journal tells of a BEGUN or FILLED one. The body is borrowed until the answer lands. */
struct journal_answer answer_record(const struct answer *answer);

/* OK, its body appended to `storage`; or NOT_FOUND (as long as it is not FILLED, too). */
MUST_USE enum result answers_find(struct answers *answers, const struct id *key, struct kept_answer *answer,
                                  struct buffer *storage);
uint32_t answers_hand_out(struct answers *answers, uint64_t synced, uint32_t room, struct kept_answer *out);
/* When kept, says so to the journal (which may be NULL) under the lock: what answers_lives() said before is older. */
void answers_settle(struct answers *answers, const struct kept_answer *list, uint32_t count, bool kept,
                    struct journal *journal);
/* Whether the journal has to keep the answer with this key. */
bool answers_lives(struct answers *answers, const struct id *key);

/* At recovery: an answer that waits, whatever the limit. OVERLOADED only when memory ran out. */
MUST_USE enum result answers_restore(struct answers *answers, const struct journal_answer *answer);
/* At recovery: the ledger has it. */
void answers_forget(struct answers *answers, const struct id *key);
/* Calls `each` with all that wait, in order. */
void answers_each_waiting(struct answers *answers, void (*each)(void *context, const struct journal_answer *answer),
                          void *context);

#endif
