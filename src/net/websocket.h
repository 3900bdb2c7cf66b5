/* WebSocket (RFC 6455) for pushing: many sockets, the same few bytes for all of them.
 *
 * A handler takes a connection over with websocket_accept() instead of an answer. From then on it is subscribed to one
 * channel: something that changes, of which a viewer wants the newest state, and then every change. What clients say is
 * read, checked and ignored (4,096 bytes a message at most). No extension, no subprotocol.
 *
 * A channel has members on every reactor. websocket_publish() hands one frame to all of them: encoded once, the same
 * bytes (a blob) sent on each socket, from the reactor's thread, without a copy or an allocation a member. Who has not
 * taken the one before yet is behind: they get nothing now, and once their socket is empty again what catch_up() gives
 * them (for a status the newest frame, for a map a snapshot), so that a slow viewer costs no memory.
 *
 * A channel may also be a feed in which every frame builds on the one before (`every_frame_counts`). A viewer who says
 * what they have already (websocket_accept_from) is told what resume() gives, instead of catch_up(); who cannot be
 * brought up to date, since memory ran out, is closed (1013).
 *
 * Let catch_up() know of a change before you publish it: then nobody misses one, and who joins between the two is told
 * twice. Where that matters (a delta must not come behind a snapshot that has it), give the frames a rising
 * blob->version before they are shared: nobody is told what they know.
 *
 * Keeping alive: a member that has sent nothing for the reactor's idle_ms is pinged; if it is still silent after as
 * long again it is closed. One whose socket takes nothing for write_ms is cut off. When the reactor stops, members are
 * told (1001) and closed.
 *
 * Protocol faults close with 1002, bad UTF-8 in a text or a close reason with 1007, over 4,096 bytes with 1009 (by the
 * header alone); a close is echoed, then TCP ends (LIMIT_LINGER_MS at most).
 *
 * Cost: a member is its connection (256 bytes at most) and nothing else; a push is one send() a member.
 *
 * Threads: channels are made before the reactors run or under the caller's care, and outlive their members; publish
 * from any thread; accept, and the channel's functions, on the reactor's own.
 */
#ifndef ONSALE_NET_WEBSOCKET_H
#define ONSALE_NET_WEBSOCKET_H

#include "net/blob.h"
#include "net/http.h"

struct channel;
struct reactor;

/* What a viewer says that they have: whose frames, and up to which. What it means is the channel's own. */
struct websocket_known {
    uint64_t feed;
    uint64_t sequence;
};

struct channel_service {
    void *context;
    /* The frame that brings a member up to date: on joining, and after it was behind. A reference for the caller, or
     * NULL: nothing to tell now; where every frame counts, no memory. On the member's reactor's thread. */
    struct blob *(*catch_up)(void *context);
    /* The same for who has something already. May be NULL where nobody is accepted from somewhere. */
    struct blob *(*resume)(void *context, const struct websocket_known *known);
    bool every_frame_counts;
};

/* A channel with members on these reactors. OVERLOADED when memory ran out, or there are LIMIT_CHANNELS already. */
MUST_USE enum result channel_new(struct reactor *const *reactors, unsigned count, const struct channel_service *service,
                                 struct channel **channel);
/* After reactor_free() of them all, since a frame may be under way to each until then; or before anybody joined or
 * anything was published. */
void channel_free(struct channel *channel);
/* Members now. Any thread. */
uint32_t channel_members(const struct channel *channel);

/* A frame, whole: FIN, text or binary, unmasked, as RFC 6455 5.2 has it. NULL when memory ran out. */
struct blob *websocket_frame(bool is_text, struct bytes payload);
/* The same with room for so many bytes at *payload, for the caller to fill before the blob is shared. */
struct blob *websocket_frame_open(bool is_text, size_t length, char **payload);

/* Sends the frame to every member; takes over the caller's reference. Any thread; each reactor does its part soon, a
 * few hundred members at a time, so that others get their turn between. If the one before has not reached a member yet,
 * that one is told what catch_up() gives instead of both. */
void websocket_publish(struct channel *channel, struct blob *frame);

/* OK; UPGRADE_REQUIRED (no upgrade asked for, or another version: answer 426 with "Sec-WebSocket-Version: 13" and
 * "Upgrade: websocket"); BAD_REQUEST (an upgrade that is malformed). Only GET over HTTP/1.1. */
MUST_USE enum result websocket_check(const struct http_request *request);
/* Answers 101 to a request that websocket_check() found good, and makes its connection a member: counts as the
 * exchange's answer. In the handler; not after parking. */
void websocket_accept(struct exchange *exchange, const struct http_request *request, struct channel *channel);
/* The same for a viewer who has something already. */
void websocket_accept_from(struct exchange *exchange, const struct http_request *request, struct channel *channel,
                           const struct websocket_known *known);

/* What pushing has cost this process so far, on all reactors: processor time, and frames given to sockets. */
struct websocket_cost {
    uint64_t cpu_ns;
    uint64_t sends;
};
struct websocket_cost websocket_cost(void);

#endif
