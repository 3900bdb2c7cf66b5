/* The frames that a client sends (RFC 6455 5), read without memory of their own: what a client says is checked and
 * dropped, but for pings and the close, which somebody has to answer.
 *
 * The content of messages is taken as it comes. A frame's head, and a control frame (131 bytes at most), are looked at
 * again until they are whole, so that no pointer into the caller's buffer is kept; what is wrong is told at the first
 * byte that shows it. What a call finds depends on the bytes alone, never on how they were cut into reads.
 *
 * What can go wrong is a fault with the code to close with: 1002 (the protocol), 1007 (text that is not UTF-8), 1009
 * (a message over LIMIT_WEBSOCKET_MESSAGE_BYTES, told by the head of the frame that makes it too long). Nothing can be
 * read after a fault or a close.
 */
#ifndef ONSALE_NET_WEBSOCKET_FRAMES_H
#define ONSALE_NET_WEBSOCKET_FRAMES_H

#include "base/bytes.h"
#include "base/limits.h"
#include "net/websocket_rules.h"

/* Where the check of a text stands (RFC 3629): what the next byte has to lie between while `left` more are due. */
struct utf8_check {
    uint8_t left;
    uint8_t low;
    uint8_t high;
};

/* All zero at the start. */
struct websocket_frames {
    uint16_t payload_left;  /* of the data frame that is being read */
    uint16_t message_bytes; /* of the message: all its frames so far */
    uint8_t mask[4];
    uint8_t mask_at;
    struct utf8_check text;
    bool is_in_message : 1; /* begun and not at its end */
    bool is_text : 1;
    bool is_final : 1; /* the data frame that is being read */
};

enum websocket_step {
    WEBSOCKET_STEP_MORE,  /* all that is not consumed has to come again, with more behind it */
    WEBSOCKET_STEP_PING,  /* to be answered with `payload` */
    WEBSOCKET_STEP_CLOSE, /* with `code`, or WEBSOCKET_NO_CODE */
    WEBSOCKET_STEP_FAULT, /* close with `code` */
};

struct websocket_said {
    struct bytes payload; /* in the input */
    uint16_t code;
};

/* Reads on until there is something to be done. Adds to *consumed; unmasks in place what it tells. */
enum websocket_step websocket_frames_read(struct websocket_frames *frames, char *at, size_t length, size_t *consumed,
                                          struct websocket_said *said);

#endif
