/* A client's side of the handshake that opens a WebSocket (RFC 6455 4.1): the request, and a strict look at the answer,
 * which alone says that it is a WebSocket's server that answers, and this request.
 *
 * What can go wrong: the server answers with something else than 101, which is a refusal with its status, or with a 101
 * that is none (a field missing or twice, a key of another request, an extension that nobody asked for): a fault. */
#ifndef ONSALE_ENGINES_UPSTREAM_HANDSHAKE_H
#define ONSALE_ENGINES_UPSTREAM_HANDSHAKE_H

#include "base/bytes.h"

#define HANDSHAKE_KEY_BYTES 16
#define HANDSHAKE_KEY_TEXT 24 /* the same in base64 */

struct handshake {
    char key[HANDSHAKE_KEY_TEXT + 1];
};

/* `random`: never the same twice. */
void handshake_init(struct handshake *handshake, const uint8_t random[static HANDSHAKE_KEY_BYTES]);
/* `host` as it stands in the URL, with its port. */
void handshake_write(const struct handshake *handshake, const char *host, const char *path, struct buffer *out);

enum handshake_step {
    HANDSHAKE_MORE,    /* the answer's head is not whole: all of it has to come again, with more behind it */
    HANDSHAKE_DONE,    /* *consumed bytes were the head */
    HANDSHAKE_REFUSED, /* with *status */
    HANDSHAKE_FAULT,
};

enum handshake_step handshake_read(const struct handshake *handshake, struct bytes answer, size_t *consumed,
                                   unsigned *status);

#endif
