/* One call: a request on its way through a handler, here or parked.
 *
 * A handler gets a call that lives on the reactor's stack, its request borrowed. It answers with call_reply…, or moves
 * the call to the heap with call_park() and answers later, from any thread, with the same functions; call_on_reactor()
 * brings a parked call back to its reactor. Answering frees a parked call.
 *
 * A POST with an Idempotency-Key arrives parked, after the key was looked up (idempotency.h); a final answer is kept
 * before it is sent, unless `answer_kept` says that it was kept in one step with what it did.
 */
#ifndef ONSALE_API_CALL_H
#define ONSALE_API_CALL_H

#include "api/address_limits.h"
#include "api/api.h"
#include "api/problem.h"
#include "net/reactor.h"

enum route_side { SIDE_FAN, SIDE_PAGE, SIDE_OPERATOR, SIDE_PROBE };
enum route_body { BODY_NONE, BODY_JSON, BODY_BYTES };

struct call;

struct route {
    const char *name;
    enum route_side side;
    enum http_method method;
    const char *pattern;
    enum route_body body;
    size_t max_body;
    unsigned roles; /* of enum role: any of them */
    void (*handle)(struct call *call);
};

extern const struct route api_routes[];
extern const unsigned api_route_count;

struct call {
    struct api *api;
    const struct route *route;
    struct sale *sale; /* of "{show}" */
    struct id subject; /* "{reservation}" or "{booking}" */
    struct bytes query;
    struct bytes body;
    struct bytes if_none_match;
    struct bytes authorization;         /* of a fan; at NULL: none */
    const struct http_request *request; /* NULL once parked */
    bool takes_gzip, takes_brotli;
    bool wants_csv;
    int64_t now_ms;
    int64_t arrived_us;
    struct hold_answer_key answer_key; /* none: no Idempotency-Key */
    bool answer_kept;
    bool is_interim;              /* what is answered is not the end: not kept, whatever its status */
    int timing;                   /* enum timing to observe when answered, or -1 */
    struct id pass_user;          /* a hash of whose pass it carries; none: none, or not looked at */
    struct client client;         /* who joins, for limits by address */
    struct limit_verdict verdict; /* 429: what is said of the limit */
    uint32_t retry_seconds;       /* 425, 429, 503: said as Retry-After; 0: one second */
    const char *cache_control;    /* NULL: no-store */
    const char *headers;          /* further header lines of a good answer; NULL: none. Not copied */

    /* on the reactor */
    bool on_reactor;           /* this thread is the call's reactor */
    struct exchange *exchange; /* NULL while elsewhere, or when the client has gone */

    /* while parked */
    bool parked;
    struct exchange_ref ref;
    struct envelope envelope;
    struct clerk_job job;
    void (*picture_work)(struct clerk_job *job, struct ledger_reader *reader); /* what the job is, on that clerk */
    void (*resume)(struct call *call);
    void *context;             /* the handler's own */
    struct call *next_waiting; /* private to idempotency.c */
    struct ledger_command command;
    struct kept_answer keep;
    unsigned status;
    struct buffer answer;
    char content_type[40];
    char copy[]; /* query, body, if_none_match, authorization */
};

/* Moves the call to the heap, so that it outlives the handler; the same call if it is there already. NULL when memory
 * ran out (answered 503). */
MUST_USE struct call *call_park(struct call *call);

/* The parked call goes to another thread, which will answer it or bring it back. */
void call_leave_reactor(struct call *call);

/* Runs `work` on the clerk's thread with a reader of the ledger. The call must be parked. */
void call_on_clerk(struct call *call, void (*work)(struct clerk_job *job, struct ledger_reader *reader));
/* The same on the thread for what may wait (CLERK_PICTURES). False: too many wait there; answered 503. */
bool call_on_pictures_clerk(struct call *call, void (*work)(struct clerk_job *job, struct ledger_reader *reader));
struct call *call_of_job(struct clerk_job *job);

/* Runs `resume` on the call's reactor, with call->exchange set (NULL if the client has gone). From any thread; the call
 * must be parked. */
void call_on_reactor(struct call *call, void (*resume)(struct call *call));

/* Submits call->command, filled in but for `done` and `context`. `done` runs on the ledger's thread. False when the
 * ledger cannot take it: the call is answered by then (LEDGER_UNAVAILABLE, OVERLOADED). */
bool call_submit(struct call *call, void (*done)(struct ledger_command *command));
struct call *call_of_command(struct ledger_command *command);

/* What call->command does is answered with the body that was written into call_scratch(): it is kept in the command's
 * transaction, under the call's Idempotency-Key. Before call_submit(); the call must be parked. */
void call_promise(struct call *call, unsigned status);
/* The command has done it: answers what was promised. */
void call_keep_promise(struct call *call);

/* Answers, on the reactor or off it. */
void call_reply(struct call *call, unsigned status, struct bytes json);
void call_refuse(struct call *call, enum result result, const char *detail);
/* 422 invalid_field with its pointer. */
void call_refuse_field(struct call *call, const char *pointer, const char *detail);
void call_reply_text(struct call *call, unsigned status, const char *content_type, struct bytes body);

/* Answers with 101: the connection is a member of the channel from here on. The request was found good by
 * websocket_check(); not once parked. */
void call_upgrade(struct call *call, struct channel *channel);
/* The same for a viewer who has something already. */
void call_upgrade_from(struct call *call, struct channel *channel, const struct websocket_known *known);

/* A prepared answer that is the same for everyone. On the reactor only. */
struct prepared {
    struct blob *body; /* a reference that the call takes over */
    const char *content_type;
    const char *cache_control;
    const char *etag; /* quotes included; NULL: none */
    bool gzip, brotli;
    const struct live_place *place; /* told as X-Feed and X-Sequence; NULL: not told */
    struct bytes more;              /* further header lines, each ended by CRLF */
};
/* 304 where the client has it already: no body is needed then. */
void call_reply_prepared(struct call *call, const struct prepared *prepared);
/* If-None-Match names this ETag (or is "*"); weak comparison, RFC 9110 section 13.1.2. For who has a body to make. */
bool call_has_etag(const struct call *call, const char *etag);

/* The body as JSON, an object. False: it was refused, the call is answered. The caller owns *document. */
MUST_USE bool call_read_json(struct call *call, json_t **document);

/* Frees a parked call without an answer. */
void call_drop(struct call *call);

/* A buffer to write an answer into: the reactor's scratch where the call is on its stack, else call->answer. */
struct buffer *call_scratch(struct call *call);

#endif
