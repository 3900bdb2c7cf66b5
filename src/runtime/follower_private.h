/* What a follower is made of: what it asks for, what it listens to, and the shows that it follows. For follower*.c
 * only. */
#ifndef ONSALE_RUNTIME_FOLLOWER_PRIVATE_H
#define ONSALE_RUNTIME_FOLLOWER_PRIVATE_H

#include "api/mirror.h"
#include "engines/upstream/retry.h"
#include "engines/upstream/upstream.h"
#include "runtime/follower.h"

#define FOLLOWER_NEVER INT64_MAX

struct followed;

/* Something that is asked for again and again. */
struct document {
    struct upstream_get get;
    struct follower *follower;
    struct followed *show; /* NULL: the node's */
    /* What came: false if it makes no sense. It may say when it is due again. */
    bool (*take)(struct document *document, struct bytes body);
    int every_ms;
    int64_t due_ms;
    struct retry retry;
};

/* Something that is listened to. */
struct subscription {
    struct upstream_line line;
    struct followed *show;
    bool is_wanted;
    int64_t due_ms;
    int64_t heard_ms; /* when it last worked; 0: never */
    struct retry retry;
};

struct followed {
    struct follower *follower;
    struct id show_id;
    char name[ID_UUID_TEXT + 1];
    struct document show, plan, queue;
    struct subscription seats, status;
    struct sale_mirror *mirror; /* the sale's, once there is one */
    struct sale *sale;          /* NULL: its plan is not there yet */
    char plan_hash[33];
    uint32_t seat_count; /* as its document says */
    bool is_in_list;     /* the upstream's newest */
    bool has_room;
    bool is_served; /* in the api's list */
};

struct follower {
    /* set once */
    struct api *api;
    struct upstream *upstream;
    pthread_t thread;
    atomic_bool stopping;

    /* for all */
    atomic_bool is_ready;
    atomic_bool is_current;

    /* owned by the thread, as all that it follows */
    struct document shows, keys;
    struct buffer list; /* the newest, until its shows are there */
    int64_t list_since_ms;
    bool has_list;
    int64_t heard_ms; /* when the list last came */
    bool is_lost;
    bool is_full; /* said that there are too many shows */
    struct followed *followed[LIMIT_SHOWS];
    unsigned count;
    unsigned next; /* whose documents are looked at first */
    unsigned gets, connecting;
    uint64_t seats; /* of all whose plan is here or asked for */
};

int64_t follower_now_ms(void);

/* ---- follower_work.c: asking and listening, over and over ---- */

void document_init(struct document *document, struct follower *follower, struct followed *show, size_t most,
                   int every_ms, bool (*take)(struct document *document, struct bytes body));
/* Asks, if it is due and there is room for one more. */
void document_ask(struct document *document, int64_t time_ms);
/* A JSON text, or NULL. The caller owns it. */
json_t *document_parse(struct bytes body);

void subscription_init(struct subscription *line, struct followed *show,
                       bool (*heard)(struct upstream_line *line, bool is_text, struct bytes message));
/* Listens, or stops, as is wanted; tries again if it is due. */
void subscription_keep(struct subscription *line, int64_t time_ms);
/* Something was heard that makes sense. */
void subscription_works(struct subscription *line);
/* It is over: it is tried again after a while. */
void subscription_lost(struct subscription *line, const char *why);

/* ---- follower_show.c: a show ---- */

/* NULL when there is no room for one more. */
struct followed *followed_add(struct follower *follower, const struct id *show_id);
void followed_ask(struct followed *show, int64_t time_ms);
/* The upstream is back: nothing waits any more. */
void followed_hurry(struct followed *show);
void followed_drop(struct followed *show);
void followed_free(struct followed *show);

#endif
