/* What RFC 6455 says of either side's frames and handshake: for who reads a client's frames (websocket_frames.h), and
 * for who is a client itself.
 *
 * A frame's first two bytes are looked at as they come, so that what is wrong is told at the first byte that shows it.
 */
#ifndef ONSALE_NET_WEBSOCKET_RULES_H
#define ONSALE_NET_WEBSOCKET_RULES_H

#include "base/bytes.h"

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0x0,
    WEBSOCKET_TEXT = 0x1,
    WEBSOCKET_BINARY = 0x2,
    WEBSOCKET_CLOSE = 0x8,
    WEBSOCKET_PING = 0x9,
    WEBSOCKET_PONG = 0xa,
};

/* In a frame's first byte: */
#define WEBSOCKET_FINAL 0x80
#define WEBSOCKET_OPCODE_BITS 0x0f
/* In its second: */
#define WEBSOCKET_MASKED 0x80
#define WEBSOCKET_LENGTH_BITS 0x7f

/* Why a connection is closed (7.4.1). */
#define WEBSOCKET_GOING_AWAY 1001
#define WEBSOCKET_PROTOCOL_FAULT 1002
#define WEBSOCKET_NO_CODE 1005 /* a close without a code; never sent */
#define WEBSOCKET_BAD_TEXT 1007
#define WEBSOCKET_TOO_LARGE 1009
#define WEBSOCKET_TRY_AGAIN 1013

#define WEBSOCKET_CONTROL_BYTES 125 /* the payload of a control frame, at most (5.5) */

bool websocket_is_control(uint8_t opcode);
bool websocket_first_byte_is_right(uint8_t byte, bool is_in_message);
/* `is_masked`: whether the side that sends has to mask (5.1). */
bool websocket_second_byte_is_right(uint8_t opcode, uint8_t byte, bool is_masked);

/* How many bytes more than these two tell the length: 0, 2 or 8. */
size_t websocket_length_bytes(uint8_t second_byte);
/* The length, of the second byte or of the bytes behind it; false unless it takes all of them. */
bool websocket_read_length(uint8_t second_byte, const uint8_t *more, uint64_t *length);

/* What either side may give as its reason to close (7.4). */
bool websocket_is_close_code(uint16_t code);

#define WEBSOCKET_KEY_TEXT 24 /* 16 bytes in base64 */
#define WEBSOCKET_ACCEPT_TEXT 28

/* The server's proof that it has understood the key (4.2.2); ends with NUL. */
void websocket_accept_of(const char key[static WEBSOCKET_KEY_TEXT], char accept[static WEBSOCKET_ACCEPT_TEXT + 1]);

#endif
