/* The ticker: one thread for what happens by itself. It ends holds whose time is over, builds the snapshots that
 * somebody waits for, makes the seat maps' frames as often as the crowd allows, tells the ledger in groups what became
 * of seats (show_seats is a lazy picture), moves the answers to keyed calls from the hold store's journal to the
 * ledger, and forgets them after eight days.
 */
#ifndef ONSALE_RUNTIME_TICKER_H
#define ONSALE_RUNTIME_TICKER_H

#include "api/api.h"

struct ticker;

struct ticker_settings {
    struct api *api;
    /* Answers kept by the hold store that the ledger has not been told; both may be NULL. */
    uint32_t (*pending_answers)(struct hold_store *holds, struct kept_answer *answers, uint32_t room);
    void (*answers_kept)(struct hold_store *holds, const struct kept_answer *answers, uint32_t count, bool kept);
    /* Has the ledger's unfinished bookings looked through; every few seconds. */
    void (*reconcile)(void *runtime);
    unsigned live_share; /* percent of a core that pushing may take, on each reactor */
    unsigned reactors;
};

MUST_USE enum result ticker_start(const struct ticker_settings *settings, struct ticker **ticker);
/* Any thread: somebody waits for a snapshot. */
void ticker_wake(struct ticker *ticker);
void ticker_stop(struct ticker *ticker);
/* After the ledger was closed: it may still have had a command of ours. */
void ticker_free(struct ticker *ticker);

#endif
