/* A node: the threads of one `onsale serve`, and the order in which they start and stop.
 *
 *     start   listeners are open and answer 503 (healthz 200) → shows, seats and holds are read back → unfinished
 *             sagas pin their holds → waiting rooms that had begun → cashier, ticker, usher → ready
 *     stop    listeners close → answers under way finish → usher, ticker → cashier → clerks → courier → the ledger
 * commits what it has and closes → the hold store writes what is left of its journal and closes
 *
 * A node with an upstream only shows what that one has (follower.h): it has no engines, no keys and no operator's
 * calls, and only the reactors, the ticker and the follower run.
 *
 * The node knows ports only; which engine stands behind each is chosen by its caller. node_stop() closes the hold
 * store and the ledger, since their threads know the shows and the cashier; the payments are the caller's to free after
 * it.
 */
#ifndef ONSALE_RUNTIME_NODE_H
#define ONSALE_RUNTIME_NODE_H

#include "api/api.h"
#include "net/reactor.h"
#include "runtime/cashier.h"
#include "runtime/courier.h"
#include "runtime/ticker.h"

/* What a hold store offers beside its port. Its engine's own functions, bound by the caller. */
struct node_holds {
    struct hold_store *store;
    /* Puts a show's holds back, after its seats were loaded; and makes a new show known. */
    enum result (*recover)(struct hold_store *store, struct show *show, int64_t now_ms);
    void (*end_recovery)(struct hold_store *store);
    enum result (*find_answer)(struct hold_store *store, const struct id *key, struct kept_answer *answer,
                               struct buffer *storage);
    uint32_t (*pending_answers)(struct hold_store *store, struct kept_answer *answers, uint32_t room);
    void (*answers_kept)(struct hold_store *store, const struct kept_answer *answers, uint32_t count, bool kept);
    void (*close)(struct hold_store *store);
};

struct node_settings {
    const char *listen, *admin_listen;
    unsigned reactors;
    unsigned live_share;      /* percent of a core that pushing may take, on each reactor */
    uint32_t max_connections; /* of fans, over all reactors */
    struct reactor_waits waits;
    int drain_ms;
    const char *upstream; /* NULL: it sells. Else all of the engines below are NULL, and so are the keys */
    struct id admin_token_hash;
    struct bytes webhook_secrets; /* the caller's, until node_stop() has returned */
    struct node_holds holds;
    struct ledger *ledger;
    struct payments *payments;
    unsigned roles;                /* of enum role */
    const struct keyring *keys;    /* the node's from here on: from malloc() */
    struct address_limits *limits; /* NULL: none; the node's from here on */
    struct trusted_proxies proxies;
    const struct queue_logs *queue_logs;    /* open until node_stop() has returned */
    const struct courier_settings *courier; /* NULL: nobody is told of bookings; the ledger is the node's */
};

struct node;

/* Opens the listeners and starts the reactors. `fault`: what could not be done. */
MUST_USE enum result node_start(const struct node_settings *settings, struct node **node, char *fault,
                                size_t fault_size);
/* Reads everything back and begins to serve. */
MUST_USE enum result node_recover(struct node *node, char *fault, size_t fault_size);
/* The addresses that were taken, "127.0.0.1:8080". Valid as long as the node. */
const char *node_address(const struct node *node);
const char *node_admin_address(const struct node *node);
struct api *node_api(struct node *node);
/* The show with the most seats, or NULL: what a demo points at. */
struct sale *node_first_sale(struct node *node);

/* Other keys from now on; the ring is the node's. Old passes and queue tickets hold as long as their keys are in it. */
void node_change_keys(struct node *node, const struct keyring *keys);

/* Stops in order; closes the ledger; frees. */
void node_stop(struct node *node);

#endif
