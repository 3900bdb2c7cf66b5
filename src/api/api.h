/* The HTTP contract (docs/openapi.yaml): routes, identity, what is said when something is refused.
 *
 * What is in routes.def is dispatched here; a handler a route, one file a resource. Two services are offered to the
 * reactors: the fans' listener and the operator's; a route of one is not there on the other.
 *
 * Handlers run on reactors and never block: what takes long is handed to the services below, which the runtime
 * provides.
 */
#ifndef ONSALE_API_API_H
#define ONSALE_API_API_H

#include "api/answers.h"
#include "api/sale.h"
#include "base/mailbox.h"
#include "bookings/ledger.h"
#include "net/forwarded.h"
#include "net/http.h"
#include "net/websocket.h"
#include "seats/hold_store.h"
#include "waitroom/pass.h"
#include "waitroom/queue_log.h"

/* Work for the clerk's thread, which may block and has a reader of the ledger. A member of what is handed over. */
struct clerk_job {
    struct envelope envelope; /* private */
    void (*run)(struct clerk_job *job,
                struct ledger_reader *reader); /* on the clerk's thread; the job is the runner's again */
};

/* A call that waits in one of the cashier's lists, oldest first, and not beyond a time. Private to the cashier. */
struct waiting {
    struct waiting *next, **link;
    int64_t give_up_ms;
};

/* A fan pays for a reservation. The cashier answers by sending `envelope` to the exchange's reactor. */
struct confirm_call {
    struct envelope envelope;
    struct reactor *reactor;
    void (*answered)(struct envelope *envelope, void *reactor); /* opens the envelope that comes back */
    struct sale *sale;
    struct id reservation;
    struct id token_hash; /* to tell a repeated call from one with another card */
    bool has_token;
    char token[LIMIT_PAYMENT_TOKEN_BYTES + 1]; /* wiped as soon as it is not needed */
    struct hold_answer_key answer_key;

    /* set by the cashier */
    struct confirm_outcome outcome;
    bool answer_kept; /* the outcome's answer was kept with what it did */

    /* private to the cashier */
    void *cashier;
    struct waiting waiting;
    struct confirm_call *next_waiter; /* on the same saga */
    void *saga;
};

/* A booking's money goes back, all or a part of it: the operator gives it, or the fan cancels. */
struct refund_call {
    struct envelope envelope;
    struct reactor *reactor;
    void (*answered)(struct envelope *envelope, void *reactor);
    struct sale *sale;
    struct booking booking; /* as the ledger has it; its texts point into `storage` */
    struct buffer storage;
    uint32_t seat_count;                  /* 0: all */
    uint32_t seats[LIMIT_SEATS_PER_HOLD]; /* indices into booking.seat_ids */
    bool by_fan;
    char reason[PAYMENT_CODE_BYTES]; /* the operator's, or a code */
    int64_t give_up_ms;              /* a payment that is under way is waited for until then */
    struct hold_answer_key answer_key;
    /* Writes the answer, with `booking` as it will be: kept in one step with the refund. */
    void (*render)(const struct refund_call *refund, struct buffer *body);
    /* The payment that was waited for is over: the booking is to be read again. On the cashier's thread; the call is
     * the caller's again. */
    void (*again)(struct refund_call *refund);

    enum result result; /* OK: the seats are free, the money is on its way */

    struct refund_call *next; /* private to the cashier */
};

/* A booking that the ledger has is looked at again: the gateway says that something has changed (a hint, which nobody
 * needs to believe: the gateway is asked), or a human has looked at a payment in review, and it is to go on. */
struct look_call {
    struct envelope envelope;
    void *context;
    void (*done)(struct look_call *look); /* on the cashier's thread */
    struct booking booking; /* as the ledger has it; its texts point into `storage`. As it has become, in `done` */
    struct buffer storage;
    bool by_operator; /* a human, who says why */
    char reason[PAYMENT_CODE_BYTES];

    enum result result; /* OK; PAYMENT_IN_PROGRESS (of another attempt, or just written: later); CONFLICT (not in
                           review); GATEWAY_UNAVAILABLE (it does not say); OVERLOADED; LEDGER_UNAVAILABLE */

    /* private to the cashier */
    struct waiting waiting;
    struct look_call *next; /* at the same saga */
    void *saga;
};

/* A job waits for those that the same clerk was handed before, and for nobody else's. */
enum clerk_kind {
    CLERK_SALES,     /* for fans: short reads that buying needs */
    CLERK_OPERATORS, /* long work, such as reading a stadium's plan */
    CLERK_PICTURES,  /* for fans: what takes long and may wait, tickets and shows' pictures */
    CLERK_KIND_COUNT
};

struct api_services {
    void *runtime;
    /* False: 503, the call stays the caller's. */
    bool (*confirm)(void *runtime, struct confirm_call *call);
    bool (*refund)(void *runtime, struct refund_call *call);
    bool (*look)(void *runtime, struct look_call *call);
    void (*clerk)(void *runtime, struct clerk_job *job, enum clerk_kind kind);
    void (*wake_ticker)(void *runtime);
    void (*wake_usher)(void *runtime);
    bool (*is_ready)(void *runtime);
    /* Of a node that only shows: it has heard from its upstream lately. */
    bool (*is_current)(void *runtime);
    /* A show that was just made: the hold store is told of it. */
    enum result (*know_show)(void *runtime, struct sale *sale);
    /* Answers to keyed reserve calls that the ledger has not been told yet: NOT_FOUND, or the answer with its body in
     * `storage`. */
    enum result (*find_recent_answer)(void *runtime, const struct id *key, struct kept_answer *answer,
                                      struct buffer *storage);
    /* A channel with members on all of the fans' reactors. */
    enum result (*new_channel)(void *runtime, const struct channel_service *service, struct channel **channel);
};

/* What this node does; routes of other roles are not there (routes.def names each route's). LIVE alone is a node that
 * shows what another one has (mirror.h) and has nothing of its own: it has no route of a SHOP's. */
enum role {
    ROLE_QUEUE = 1,
    ROLE_SEATS = 2,
    ROLE_BOOKINGS = 4,
    ROLE_LIVE = 8,
    ROLE_SHOP = ROLE_QUEUE | ROLE_SEATS | ROLE_BOOKINGS,
    ROLE_SEATS_OR_LIVE = ROLE_SEATS | ROLE_LIVE,
    ROLE_QUEUE_OR_LIVE = ROLE_QUEUE | ROLE_LIVE,
    ROLE_ALL = ROLE_SHOP | ROLE_LIVE
};

struct idempotency;
struct address_limits;
struct api_mirror;
struct media_cache;

struct api {
    struct sale_list *sales;
    struct hold_store *holds; /* NULL, as the ledger, on a node that only shows */
    struct ledger *ledger;
    struct api_mirror *mirror; /* NULL unless it only shows */
    unsigned roles;            /* of enum role */
    _Atomic(const struct keyring *) keys;
    struct pass_cache *passes;
    const struct queue_logs *queue_logs;
    struct address_limits *limits; /* NULL: none */
    struct trusted_proxies proxies;
    struct api_services services;
    struct id admin_token_hash;
    struct bytes webhook_secrets; /* of the payment gateway's webhooks, between spaces; none: no webhooks are taken */
    struct idempotency *idempotency;
    struct media_cache *media;
    atomic_bool stopped;                                /* the reactors have ended: nothing is begun any more */
    atomic_uint pictures_waiting;                       /* jobs of CLERK_PICTURES */
    atomic_uint shows_being_made;                       /* the clerks go on until they are */
    atomic_llong bookings_per_minute, holds_per_minute; /* set by the ticker */
    atomic_llong live_tick_ms; /* set by the ticker: how often the crowd allows everybody to be told something */
};

MUST_USE enum result api_init(struct api *api);
void api_release(struct api *api);

/* The two listeners' services; `context` is the api. */
struct http_service api_fan_service(struct api *api);
struct http_service api_operator_service(struct api *api);

/* The hash under which a bearer token is known: compared in constant time, so that the token itself need not be kept.
 */
struct id api_token_hash(struct bytes token);

#endif
