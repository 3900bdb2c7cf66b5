/* A message to somebody's HTTP endpoint: what those who have one to send (the courier, the sandbox) and what carries it
 * (engines/webhook) share. */
#ifndef ONSALE_BASE_WEBHOOK_MESSAGE_H
#define ONSALE_BASE_WEBHOOK_MESSAGE_H

#include "base/bytes.h"

/* The caller's until `done`, with all that it points to. */
struct webhook_message {
    const char *url;
    struct bytes
        headers; /* lines "Name: value\r\n", Content-Type among them. Content-Length and Host are the sender's */
    struct bytes body;
    void *context;
    void (*done)(struct webhook_message *message); /* on the sender's thread */

    /* set before done */
    unsigned status; /* of the answer; 0: none came. 2xx: it was taken */
    char why[120];   /* where it was not taken: "503", "timed out", "could not connect": for people, holds no secret */

    struct webhook_message *next; /* private to the sender */
};

static inline bool webhook_was_taken(const struct webhook_message *message) {
    return message->status >= 200 && message->status <= 299;
}

#endif
