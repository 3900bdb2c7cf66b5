/* A connection as a member of a channel: what it hears, what it is told, and when it falls silent.
 *
 * Happy path: the handshake's handler returns → member_begin() → frames of the channel are sent as they are published,
 * straight from the shared blob → what the client says is read and dropped, its pings are answered → it closes, and so
 * do we.
 *
 * A member whose socket takes nothing more `is_behind`: it costs nothing but that mark, and once the socket takes bytes
 * again it is told what catch_up() gives, whatever was published meanwhile.
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

enum member_told {
    MEMBER_TOLD,
    MEMBER_BEHIND, /* the socket took nothing, or takes the rest later */
    MEMBER_LOST,   /* the caller closes the connection */
};

/* The exchange is answered with 101, and the connection is a WebSocket from here on. */
void member_begin(struct connection *connection, struct channel_part *part);

/* Reads the input up to a frame that had to be answered, or to its end. False when it needs more bytes. */
bool member_hear(struct connection *connection);
void member_heard(struct connection *connection);

/* Sends the frame, unless the member knows it. Its socket has taken all that was sent before. */
MUST_USE enum member_told member_tell(struct connection *connection, struct blob *frame);
/* The same with what catch_up() gives. */
MUST_USE enum member_told member_catch_up(struct connection *connection);
void member_fall_behind(struct connection *connection);

void member_ping(struct connection *connection);
/* Says why, unless it is WEBSOCKET_NO_CODE; the caller gives it a turn. */
void member_close(struct connection *connection, uint16_t code);

/* Begins to wait for what is next. */
void member_wait(struct connection *connection);

#endif
