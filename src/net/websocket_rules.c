#include "net/websocket_rules.h"
#include "base/sha1.h"

#include <sodium.h>

#define RESERVED_BITS 0x70
#define CONTROL_BIT 0x08
#define LENGTH_IN_2 126
#define LENGTH_IN_8 127

bool websocket_is_control(uint8_t opcode) {
    return opcode & CONTROL_BIT;
}

bool websocket_first_byte_is_right(uint8_t byte, bool is_in_message) {
    if (byte & RESERVED_BITS)
        return false;
    switch (byte & WEBSOCKET_OPCODE_BITS) {
    case WEBSOCKET_CONTINUATION:
        return is_in_message;
    case WEBSOCKET_TEXT:
    case WEBSOCKET_BINARY:
        return !is_in_message;
    case WEBSOCKET_CLOSE:
    case WEBSOCKET_PING:
    case WEBSOCKET_PONG:
        return byte & WEBSOCKET_FINAL;
    default:
        return false;
    }
}

bool websocket_second_byte_is_right(uint8_t opcode, uint8_t byte, bool is_masked) {
    uint8_t length = byte & WEBSOCKET_LENGTH_BITS;
    return (bool)(byte & WEBSOCKET_MASKED) == is_masked &&
           !(websocket_is_control(opcode) && length > WEBSOCKET_CONTROL_BYTES) &&
           !(opcode == WEBSOCKET_CLOSE && length == 1);
}

size_t websocket_length_bytes(uint8_t second_byte) {
    uint8_t length = second_byte & WEBSOCKET_LENGTH_BITS;
    return length == LENGTH_IN_2 ? 2 : length == LENGTH_IN_8 ? 8 : 0;
}

bool websocket_read_length(uint8_t second_byte, const uint8_t *more, uint64_t *length) {
    size_t bytes = websocket_length_bytes(second_byte);
    uint64_t value = bytes ? 0 : second_byte & WEBSOCKET_LENGTH_BITS;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | more[i];
    *length = value;
    return bytes == 0 || (bytes == 2 ? value >= LENGTH_IN_2 : value > UINT16_MAX && value <= INT64_MAX);
}

bool websocket_is_close_code(uint16_t code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

void websocket_accept_of(const char key[static WEBSOCKET_KEY_TEXT], char accept[static WEBSOCKET_ACCEPT_TEXT + 1]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[WEBSOCKET_KEY_TEXT + sizeof guid - 1];
    uint8_t digest[SHA1_BYTES];
    memcpy(text, key, WEBSOCKET_KEY_TEXT);
    memcpy(text + WEBSOCKET_KEY_TEXT, guid, sizeof guid - 1);
    sha1((struct bytes){text, sizeof text}, digest);
    (void)sodium_bin2base64(accept, WEBSOCKET_ACCEPT_TEXT + 1, digest, sizeof digest, sodium_base64_VARIANT_ORIGINAL);
}
