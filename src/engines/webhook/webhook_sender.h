/* Sends messages to other people's HTTP endpoints: POSTs with a body, many at once, each with a deadline. Who signs
 * what, and what is tried again, is the caller's.
 *
 * A sender has a thread of its own, on which `done` is called; send() is for any thread and never blocks. One message
 * is one request: redirects are not followed, nothing is sent twice. What the endpoint answers is read and dropped (64
 * KiB at most); only its status counts. http:// is taken on this machine's own addresses only, https:// anywhere, its
 * certificate checked; no proxy of the environment is used.
 */
#ifndef ONSALE_ENGINES_WEBHOOK_SENDER_H
#define ONSALE_ENGINES_WEBHOOK_SENDER_H

#include "base/result.h"
#include "base/webhook_message.h"

struct webhook_sender;

struct webhook_sender_settings {
    uint32_t connections; /* messages under way at once; others wait in order. 0: 16 */
    int connect_ms;       /* 0: 5000 */
    int answer_ms;        /* a whole exchange; 0: 10000 */
};

/* Whether an endpoint may be sent to: INVALID_FIELD where it is no URL, or http:// to another machine. */
MUST_USE enum result webhook_url_check(const char *url);

MUST_USE enum result webhook_sender_new(const struct webhook_sender_settings *settings, struct webhook_sender **sender);
void webhook_sender_send(struct webhook_sender *sender, struct webhook_message *message);
/* Ends the thread; what is under way or waits is given up: `done` is called for each, with status 0.
 * NULL is allowed. */
void webhook_sender_free(struct webhook_sender *sender);

#endif
