/* The courier: one thread that delivers the ledger's outbox to one endpoint of the operator's (docs/webhooks.md).
 *
 *     an event is due → its letter is written and signed → sent → taken: its row goes; not taken: its next time is
 *     written; given up: it stays, as dead, until the operator has it tried again
 *
 * What it knows is in the outbox, so that nothing is lost by a crash; what was taken but not yet written down is sent
 * again (at least once). The oldest go first, LIMIT_WEBHOOK_WINDOW at a time; what waits for its next time holds up
 * nobody. Events about one booking are not under way together.
 *
 * An event that is not taken is tried again after a random time of at most 5 s, 10 s, 20 s … 1 h, for a day from when
 * it happened; then, or at once where the endpoint says 410 Gone, it is given up.
 */
#ifndef ONSALE_RUNTIME_COURIER_H
#define ONSALE_RUNTIME_COURIER_H

#include "base/webhook_message.h"
#include "bookings/ledger.h"

struct courier;

/* What carries a message to its endpoint; its engine's own functions, bound by the caller. */
struct courier_post {
    void *engine;
    void (*send)(void *engine, struct webhook_message *message);
    void (*free)(void *engine); /* calls `done` for whatever it still has */
};

struct courier_settings {
    struct ledger *ledger; /* its outbox_filled becomes the courier's: so before the first submit() */
    const char *url;       /* the caller's, until courier_free() */
    const char *secrets;   /* courier_check_secrets(); wiped from the courier at its end */
    struct courier_post post;
};

/* INVALID_FIELD: not "whsec_" with 24 to 64 bytes in base64, or LIMIT_WEBHOOK_SECRETS of them between spaces. */
MUST_USE enum result courier_check_secrets(const char *secrets);

/* The post is the courier's from here on. INVALID_FIELD: the secrets; then, and whenever it is not OK, the post stays
 * the caller's. */
MUST_USE enum result courier_start(const struct courier_settings *settings, struct courier **courier);
/* Waits a moment for what is under way, writes down what became of it, ends the thread, frees the post. NULL is
 * allowed, here and below. */
void courier_stop(struct courier *courier);
/* After the ledger was closed: it may still have had a command of ours. */
void courier_free(struct courier *courier);

#endif
