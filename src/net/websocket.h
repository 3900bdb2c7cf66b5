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

struct channel_service {
    void *context;
    /* The frame that brings a member up to date: on joining, and after it was behind. A reference for the caller, or
     * NULL: nothing to tell now. On the member's reactor's thread. */
    struct blob *(*catch_up)(void *context);
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

#endif
