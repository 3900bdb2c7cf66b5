#include "engines/upstream/handshake.h"
#include "base/limits.h"
#include "net/http.h"
#include "net/websocket_rules.h"

#include <sodium.h>

void handshake_init(struct handshake *handshake, const uint8_t random[static HANDSHAKE_KEY_BYTES]) {
    sodium_bin2base64(handshake->key, sizeof handshake->key, random, HANDSHAKE_KEY_BYTES,
                      sodium_base64_VARIANT_ORIGINAL);
}

void handshake_write(const struct handshake *handshake, const char *host, const char *path, struct buffer *out) {
    buffer_printf(out,
                  "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n",
                  path, host, handshake->key);
}

/* The part before `end`, which goes with it; all that is left if there is none. */
static struct bytes cut(struct bytes *text, struct bytes end) {
    const char *at = text->length ? memmem(text->at, text->length, end.at, end.length) : NULL;
    struct bytes part = {text->at, at ? (size_t)(at - text->at) : text->length};
    size_t used = at ? part.length + end.length : part.length;
    *text = (struct bytes){text->at + used, text->length - used};
    return part;
}

/* "HTTP/1.1 101 Switching Protocols" → 101; 0 if it is no status line. */
static unsigned status_of(struct bytes line) {
    uint64_t status;
    if (line.length < 12 || !bytes_start_with(line, BYTES("HTTP/1.1 ")) || (line.length > 12 && line.at[12] != ' ') ||
        !bytes_to_u64((struct bytes){line.at + 9, 3}, 999, &status) || status < 100)
        return 0;
    return (unsigned)status;
}

struct found {
    unsigned upgrades, connections, accepts;
    bool is_wrong;
};

static void take_field(struct bytes line, struct bytes accept, struct found *found) {
    struct bytes name = cut(&line, BYTES(":")), value = http_trim(line);
    if (name.length == 0 || name.at[0] == ' ' || name.at[0] == '\t') {
        found->is_wrong = true; /* no field, or one that is folded */
    } else if (bytes_equal_nocase(name, BYTES("upgrade"))) {
        found->upgrades++;
        found->is_wrong |= !bytes_equal_nocase(value, BYTES("websocket"));
    } else if (bytes_equal_nocase(name, BYTES("connection"))) {
        found->connections += http_list_has(value, BYTES("upgrade"));
    } else if (bytes_equal_nocase(name, BYTES("sec-websocket-accept"))) {
        found->accepts++;
        found->is_wrong |= !bytes_equal(value, accept);
    } else if (bytes_equal_nocase(name, BYTES("sec-websocket-extensions")) ||
               bytes_equal_nocase(name, BYTES("sec-websocket-protocol"))) {
        found->is_wrong = true; /* none was asked for */
    }
}

enum handshake_step handshake_read(const struct handshake *handshake, struct bytes answer, size_t *consumed,
                                   unsigned *status) {
    const char *end = answer.length ? memmem(answer.at, answer.length, "\r\n\r\n", 4) : NULL;
    size_t length = end ? (size_t)(end - answer.at) + 4 : answer.length;
    if (length > LIMIT_UPSTREAM_HEAD_BYTES)
        return HANDSHAKE_FAULT;
    if (!end)
        return HANDSHAKE_MORE;
    struct bytes lines = {answer.at, length - 4};
    unsigned said = status_of(cut(&lines, BYTES("\r\n")));
    if (said != 101) {
        if (said)
            *status = said;
        return said ? HANDSHAKE_REFUSED : HANDSHAKE_FAULT;
    }
    char accept[WEBSOCKET_ACCEPT_TEXT + 1];
    struct found found = {0};
    websocket_accept_of(handshake->key, accept);
    while (lines.length)
        take_field(cut(&lines, BYTES("\r\n")), (struct bytes){accept, WEBSOCKET_ACCEPT_TEXT}, &found);
    if (found.is_wrong || found.upgrades != 1 || found.connections == 0 || found.accepts != 1)
        return HANDSHAKE_FAULT;
    *consumed = length;
    return HANDSHAKE_DONE;
}
