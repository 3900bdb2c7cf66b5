/* A connection as a member of a channel: what it hears, what it is told, and when it falls silent.
 *
 * Happy path: the handshake's handler returns → member_begin() → frames of the channel are sent as they are published,
 * straight from the shared blob → what the client says is read and dropped, its pings are answered → it closes, and so
 * do we.
 *
 * What a socket does not take of a frame waits in an output, by reference. Whoever has one when the next frame comes
 * `is_behind`: that costs the mark alone, and once all is sent the member is told what catch_up() gives, whatever was
 * published meanwhile.
 *
 * For connection.c, requests.c and channel.c only.
 */
#ifndef ONSALE_NET_MEMBER_H
#define ONSALE_NET_MEMBER_H

#include "base/result.h"
#include "net/websocket_frames.h"

struct blob;
struct channel_part;
struct connection;
struct websocket_known;

struct member {
    struct channel_part *part; /* its channel's, on its reactor */
    uint32_t previous;         /* slots, in that part's list */
    uint32_t next;
    uint32_t round;   /* the part's last that it was reached in */
    uint32_t version; /* of what it was told last; 0: not told */
    struct websocket_frames frames;
    bool is_pinged : 1; /* and has said nothing since */
    bool is_behind : 1; /* missed a frame */
    bool has_heard : 1; /* in this turn we heard something of it */
};

/* The exchange is answered with 101, and the connection is a WebSocket from here on. `known`: what its viewer has
 * already, or NULL. */
void member_begin(struct connection *connection, struct channel_part *part, const struct websocket_known *known);

/* Reads the input up to a frame that had to be answered, or to its end. False when it needs more bytes. */
bool member_hear(struct connection *connection);
void member_heard(struct connection *connection);

/* Sends the frame, unless the member knows it. There is no output. False if the connection is lost: the caller closes
 * it. */
MUST_USE bool member_tell(struct connection *connection, struct blob *frame);
/* The same with what catch_up() gives. Without memory for it, where every frame counts, the connection is lost. */
MUST_USE bool member_catch_up(struct connection *connection);
void member_fall_behind(struct connection *connection);

void member_ping(struct connection *connection);
/* Says why, unless it is WEBSOCKET_NO_CODE; the caller gives it a turn. */
void member_close(struct connection *connection, uint16_t code);

/* Begins to wait for what is next. */
void member_wait(struct connection *connection);

#endif
