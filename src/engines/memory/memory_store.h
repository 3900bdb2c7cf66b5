/* The hold store in process: the shows' own memory, and a journal so that a restart finds the holds again.
 *
 * Taking and stepping is seats/show.h under the show's lock; behind each answer a record goes into the journal's memory
 * (journal.h), which its writer thread puts on disk within a tenth of a second. So a crash forgets at most what was
 * answered in the last half second, each hold whole.
 *
 * Start:  memory_store_open()               reads the journal
 *         memory_store_recover() a show     after its seats were loaded from the ledger: the ledger wins
 *         … the unfinished sagas pin their holds again (BEGIN_PAYMENT, recovering) …
 *         memory_store_end_recovery()       holds of shows that are no more are forgotten
 *         … and only then the ticker, since a hold that was PAYING comes back as HELD, due or not.
 *         A show made later is made known by memory_store_recover() too.
 *
 * When the journal cannot be written, new takes are HOLD_STORE_UNAVAILABLE until a restart; the holds that are stay,
 * can be sold, and end as ever.
 *
 * A keyed take (answer_key) keeps its answer in the same journal record. Until the ledger has it, it is found here; the
 * ticker moves it: memory_store_pending_answers(), LEDGER_KEEP_ANSWERS, memory_store_answers_kept(). So look for an
 * answer here first, in the ledger second. That no two calls with one key run at once is the caller's to see to.
 */
#ifndef ONSALE_ENGINES_MEMORY_STORE_H
#define ONSALE_ENGINES_MEMORY_STORE_H

#include "bookings/ledger.h"
#include "engines/memory/journal.h"
#include "seats/hold_store.h"

struct memory_store_settings {
    const char *folder;                /* the data folder; the journal is in folder/holds. NULL: no journal */
    const struct journal_disk *disk;   /* NULL: the real one */
    const struct journal_clock *clock; /* NULL: the process's */
    size_t compact_bytes;              /* a journal is rewritten from this size on; 0: 1 MiB */
    uint32_t max_answers;              /* answers in memory; 0: LIMIT_WAITING_ANSWERS */
};

/* IO_ERROR, CORRUPT, NEWER_VERSION, OVERLOADED (no memory), with what to do about it in `detail`. The folder is the
 * caller's alone (folder_lock). */
MUST_USE enum result memory_store_open(const struct memory_store_settings *settings, struct hold_store *store,
                                       char *detail, size_t detail_size);

/* Writes what is left and frees the store; no other call is under way or comes later. The shows are the caller's. */
void memory_store_close(struct hold_store *store);

struct memory_recovery {
    uint32_t restored;
    uint32_t ran_out; /* their time ended while the process was down */
    uint32_t lost;    /* the ledger has sold or blocked one of their seats */
    uint32_t foreign; /* taken on another plan than the show has now */
};

/* Makes the show known, and puts its holds back, with the time they had left. The show outlives the store. OVERLOADED
 * over LIMIT_SHOWS. */
MUST_USE enum result memory_store_recover(struct hold_store *store, struct show *show, int64_t now_ms,
                                          struct memory_recovery *recovery);
void memory_store_end_recovery(struct hold_store *store);

/* Waits until all that was answered before is on disk; HOLD_STORE_UNAVAILABLE if the journal failed. */
MUST_USE enum result memory_store_sync(struct hold_store *store);

/* ---- the answers to keyed takes ---- */

/* An answer that the ledger may not have yet: OK, its body appended to `storage`; or NOT_FOUND. Any thread. */
MUST_USE enum result memory_store_find_answer(struct hold_store *store, const struct id *key,
                                              struct kept_answer *answer, struct buffer *storage);

/* Hands out answers that the journal has on disk and the ledger does not have yet, oldest first, at most `room`;
 * returns how many. Their bodies stay valid until memory_store_answers_kept() is called with them. */
uint32_t memory_store_pending_answers(struct hold_store *store, struct kept_answer *answers, uint32_t room);

/* `kept`: the ledger has them (it may have had them before: after a crash an answer can be handed out twice). Else they
 * are handed out again later. */
void memory_store_answers_kept(struct hold_store *store, const struct kept_answer *answers, uint32_t count, bool kept);

#endif
