/* The handshake (RFC 6455 4.2) and the frames that the server makes. */
#include "net/websocket.h"
#include "net/channel.h"
#include "net/connection.h"
#include "base/panic.h"

struct blob *websocket_frame_open(bool is_text, size_t length, char **payload) {
    size_t more = length <= WEBSOCKET_CONTROL_BYTES ? 0 : length <= UINT16_MAX ? 2 : 8;
    struct blob *frame = length > SIZE_MAX - 10 ? NULL : blob_new(2 + more + length);
    if (!frame)
        return NULL;
    frame->at[0] = (char)(WEBSOCKET_FINAL | (is_text ? WEBSOCKET_TEXT : WEBSOCKET_BINARY));
    frame->at[1] = (char)(more == 0 ? length : more == 2 ? 126 : 127);
    for (size_t i = 0; i < more; i++)
        frame->at[2 + i] = (char)((uint64_t)length >> 8 * (more - 1 - i));
    *payload = frame->at + 2 + more;
    return frame;
}

struct blob *websocket_frame(bool is_text, struct bytes payload) {
    char *at;
    struct blob *frame = websocket_frame_open(is_text, payload.length, &at);
    if (frame && payload.length)
        memcpy(at, payload.at, payload.length);
    return frame;
}

/* Any field of that name, since each is a list (RFC 9110 5.3). */
static bool fields_have(const struct http_request *request, struct bytes name, struct bytes token) {
    for (unsigned i = 0; i < request->field_count; i++)
        if (bytes_equal_nocase(request->fields[i].name, name) && http_list_has(request->fields[i].value, token))
            return true;
    return false;
}

static bool is_base64(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

static bool is_key(struct bytes text) {
    if (text.length != WEBSOCKET_KEY_TEXT || text.at[22] != '=' || text.at[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++)
        if (!is_base64(text.at[i]))
            return false;
    return true;
}

enum result websocket_check(const struct http_request *request) {
    if (request->is_http_1_0 || !fields_have(request, BYTES("upgrade"), BYTES("websocket")) ||
        !fields_have(request, BYTES("connection"), BYTES("upgrade")))
        return RESULT_UPGRADE_REQUIRED;
    unsigned versions = http_field_count(request, "sec-websocket-version");
    if (versions == 0 || (versions == 1 && !bytes_equal(http_field(request, "sec-websocket-version"), BYTES("13"))))
        return RESULT_UPGRADE_REQUIRED;
    bool is_right = versions == 1 && request->method == HTTP_GET && request->body.length == 0 &&
                    http_field_count(request, "sec-websocket-key") == 1 &&
                    is_key(http_field(request, "sec-websocket-key"));
    return is_right ? RESULT_OK : RESULT_BAD_REQUEST;
}

static void take_over(struct exchange *exchange, const struct http_request *request, struct channel *channel,
                      const struct websocket_known *known) {
    struct bytes key = http_field(request, "sec-websocket-key");
    assert(key.length == WEBSOCKET_KEY_TEXT); /* websocket_check() */
    char accept[WEBSOCKET_ACCEPT_TEXT + 1];
    websocket_accept_of(key.at, accept);

    static const char before[] = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
    char headers[sizeof before - 1 + WEBSOCKET_ACCEPT_TEXT + 2];
    memcpy(headers, before, sizeof before - 1);
    memcpy(headers + sizeof before - 1, accept, WEBSOCKET_ACCEPT_TEXT);
    memcpy(headers + sizeof headers - 2, "\r\n", 2);
    exchange_join(exchange, (struct bytes){headers, sizeof headers},
                  channel_part_on(channel, exchange_reactor(exchange)), known);
}

void websocket_accept(struct exchange *exchange, const struct http_request *request, struct channel *channel) {
    take_over(exchange, request, channel, NULL);
}

void websocket_accept_from(struct exchange *exchange, const struct http_request *request, struct channel *channel,
                           const struct websocket_known *known) {
    take_over(exchange, request, channel, known);
}
