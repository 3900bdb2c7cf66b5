#include "engines/upstream/handshake.h"
#include "base/limits.h"
#include "base/sha1.h"

#include <sodium.h>

#define ACCEPT_TEXT 28

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

static void accept_of(const struct handshake *handshake, char text[static ACCEPT_TEXT + 1]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char key[HANDSHAKE_KEY_TEXT + sizeof guid];
    uint8_t digest[SHA1_BYTES];
    memcpy(key, handshake->key, HANDSHAKE_KEY_TEXT);
    memcpy(key + HANDSHAKE_KEY_TEXT, guid, sizeof guid);
    sha1((struct bytes){key, sizeof key - 1}, digest);
    sodium_bin2base64(text, ACCEPT_TEXT + 1, digest, sizeof digest, sodium_base64_VARIANT_ORIGINAL);
}

static struct bytes trim(struct bytes text) {
    while (text.length && (*text.at == ' ' || *text.at == '\t'))
        text = (struct bytes){text.at + 1, text.length - 1};
    while (text.length && (text.at[text.length - 1] == ' ' || text.at[text.length - 1] == '\t'))
        text.length--;
    return text;
}

/* The part before `end`, which goes with it; all that is left if there is none. */
static struct bytes cut(struct bytes *text, struct bytes end) {
    const char *at = text->length ? memmem(text->at, text->length, end.at, end.length) : NULL;
    struct bytes part = {text->at, at ? (size_t)(at - text->at) : text->length};
    size_t used = at ? part.length + end.length : part.length;
    *text = (struct bytes){text->at + used, text->length - used};
    return part;
}

static bool list_has(struct bytes list, struct bytes token) {
    while (list.length)
        if (bytes_equal_nocase(trim(cut(&list, BYTES(","))), token))
            return true;
    return false;
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
    struct bytes name = cut(&line, BYTES(":")), value = trim(line);
    if (name.length == 0 || name.at[0] == ' ' || name.at[0] == '\t') {
        found->is_wrong = true; /* no field, or one that is folded */
    } else if (bytes_equal_nocase(name, BYTES("upgrade"))) {
        found->upgrades++;
        found->is_wrong |= !bytes_equal_nocase(value, BYTES("websocket"));
    } else if (bytes_equal_nocase(name, BYTES("connection"))) {
        found->connections += list_has(value, BYTES("upgrade"));
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
    char accept[ACCEPT_TEXT + 1];
    struct found found = {0};
    accept_of(handshake, accept);
    while (lines.length)
        take_field(cut(&lines, BYTES("\r\n")), (struct bytes){accept, ACCEPT_TEXT}, &found);
    if (found.is_wrong || found.upgrades != 1 || found.connections == 0 || found.accepts != 1)
        return HANDSHAKE_FAULT;
    *consumed = length;
    return HANDSHAKE_DONE;
}
