/* A channel on its reactors: who its members are, and how a frame reaches them.
 *
 * Each reactor has a part of the channel: the list of its own members, and the round under way, in which a frame is
 * brought to all of them. A round goes along the list as along a ring, some members a turn of the reactor's, so that
 * everybody else gets a turn between. A frame that comes before the round is over begins another one where the last one
 * stands: who was not reached has missed a frame, and is told what catch_up() gives; who was reached gets the new one.
 *
 * Invariant: `left` is the number of members whose round is not the part's.
 *
 * From another thread a frame comes by the part's one envelope, which is under way while `published` is not NULL; what
 * is published meanwhile takes its place there.
 *
 * For what is in this folder only; the public face is websocket.h.
 */
#ifndef ONSALE_NET_CHANNEL_H
#define ONSALE_NET_CHANNEL_H

#include "base/mailbox.h"
#include "net/websocket.h"

#include <pthread.h>

struct connection;

struct channel_part {
    /* set once */
    struct channel *channel;
    struct reactor *reactor;
    struct envelope envelope;

    /* under the channel's lock */
    struct blob *published;
    uint32_t published_count;

    /* owned by the reactor's thread */
    struct blob *frame; /* of the round under way; NULL: none is */
    uint32_t round;     /* how many frames were published by then */
    uint32_t first;     /* members, by slot */
    uint32_t last;
    uint32_t member_count;
    uint32_t left;
    uint32_t cursor; /* who is next in the round */
    bool is_listed;  /* in the reactor's list of those with a round under way */
    struct channel_part *next_push;
};

struct channel {
    struct channel_service service;
    atomic_uint member_count;
    pthread_mutex_t lock;
    unsigned part_count;
    struct channel_part parts[];
};

const struct channel_service *channel_service_of(const struct channel_part *part);

/* The channel's part on the reactor, which has to be one of its reactors. */
struct channel_part *channel_part_on(struct channel *channel, const struct reactor *reactor);

/* Adds the connection, whose `member` names the part; the round under way leaves it out. */
void channel_join(struct connection *connection);
void channel_leave(struct connection *connection);
/* The round under way leaves it out, if it has not been there yet. */
void channel_reached(struct connection *connection);

/* A part of every round under way on the reactor. */
void channels_push(struct reactor *reactor);

#endif
