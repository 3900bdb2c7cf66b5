/* The frames that a server sends (RFC 6455 5), read by a client: unmasked, put together to whole messages.
 *
 * The server is trusted less than our own memory. A length is only a claim: memory grows with the bytes that came, and
 * a message that would be longer than `most` is refused by the head of the frame that makes it so. What a call finds
 * depends on the bytes alone, never on how they were cut into reads.
 *
 * What can go wrong is a fault with the code to close with: 1002 (the protocol), 1007 (text that is not UTF-8), 1009
 * (too long), 1011 (memory ran out here). Nothing can be read after a fault or a close.
 */
#ifndef ONSALE_ENGINES_UPSTREAM_SERVER_FRAMES_H
#define ONSALE_ENGINES_UPSTREAM_SERVER_FRAMES_H

#include "base/bytes.h"
#include "net/websocket_rules.h"

#define WEBSOCKET_OUT_OF_MEMORY 1011
#define SERVER_HEAD_BYTES 10 /* of a frame, at most */

struct server_frames {
    struct buffer message; /* all of it that came so far */
    uint8_t head[SERVER_HEAD_BYTES];
    uint8_t head_length;    /* of the head that is being read */
    uint8_t control_length; /* of the control frame that is being read */
    char control[WEBSOCKET_CONTROL_BYTES];
    uint64_t payload_left; /* of the frame that is being read */
    bool is_in_payload;
    bool is_in_message; /* begun, and not at its end */
    bool is_text;
    uint64_t count; /* of all frames so far */
    bool is_told;   /* the message was handed out: the next one begins anew */
};

enum server_step {
    SERVER_STEP_MORE,    /* all was consumed */
    SERVER_STEP_MESSAGE, /* `payload`, of the kind `is_text` */
    SERVER_STEP_PING,    /* to be answered with `payload` */
    SERVER_STEP_PONG,
    SERVER_STEP_CLOSE, /* with `code`, or WEBSOCKET_NO_CODE */
    SERVER_STEP_FAULT, /* close with `code` */
};

struct server_said {
    struct bytes payload; /* until the next call */
    bool is_text;
    uint16_t code;
};

void server_frames_init(struct server_frames *frames, size_t most);
void server_frames_release(struct server_frames *frames);

/* Reads on until there is something to be done. *consumed: how much of the input is not to come again. */
enum server_step server_frames_read(struct server_frames *frames, struct bytes input, size_t *consumed,
                                    struct server_said *said);

#endif
