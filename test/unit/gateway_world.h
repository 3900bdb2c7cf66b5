/* A world with a sandbox in a process of its own, which can be killed, and a plain client that sees every byte. */
#ifndef ONSALE_TEST_GATEWAY_WORLD_H
#define ONSALE_TEST_GATEWAY_WORLD_H

#include "base/bytes.h"

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <cmocka.h>

struct gateway {
    char folder[64];
    pid_t pid;
    uint16_t port;
    char url[64];
    const char *faults;       /* of the next start: "lost_reply=1"; NULL: none */
    const char *clock_offset; /* of the next start, in seconds; NULL: 0 */
};

/* To be called first in main(): in the child that gateway_start() makes of this program it runs the sandbox and never
 * returns. */
void gateway_child_main(int count, char **arguments);

/* cmocka's setup and teardown: a sandbox on a fresh folder; ended with SIGTERM, and its exit status checked. */
int gateway_set_up(void **state);
int gateway_tear_down(void **state);

void gateway_start(struct gateway *gateway);
void gateway_kill(struct gateway *gateway); /* -9 */
void gateway_stop(struct gateway *gateway); /* SIGTERM; exit 0 */
/* Starts it where it must refuse; returns its exit status. */
int gateway_start_refused(struct gateway *gateway);
void gateway_file(const struct gateway *gateway, const char *name, char *path, size_t size);

struct reply {
    int status; /* 0: the connection was cut without an answer */
    char head[2048];
    char *body; /* malloc, NUL-terminated */
    json_t *json;
};

/* "POST /v1/refunds" with a form, or "GET …" with form NULL. `key` may be NULL. */
struct reply ask(const struct gateway *gateway, const char *request, const char *key, const char *form);
/* The same with the whole Authorization field ("" for none) as given. */
struct reply ask_as(const struct gateway *gateway, const char *authorization, const char *request, const char *key,
                    const char *form);
/* In two steps, for what answers late or never. */
int ask_begin(const struct gateway *gateway, const char *request, const char *key, const char *form);
struct reply ask_end(int fd);
/* Did nothing come for `ms`? */
bool is_silent(int fd, int ms);
void reply_free(struct reply *reply);

/* "amount", "error.code", "latest_charge.amount_refunded": "" where it is null or missing; an integer as its digits. */
const char *reply_get(const struct reply *reply, const char *path);

/* Asks, checks the status, and keeps one value of the answer ("" for `path` NULL). The text lives until the next 4,096.
 */
const char *ask_for(const struct gateway *gateway, int status, const char *path, const char *request, const char *form);
/* The id of a fresh intent over 5000 EUR, to be captured by hand. */
const char *fresh_intent(const struct gateway *gateway);
/* The same, confirmed with `token`, which has to succeed. */
const char *confirmed_intent(const struct gateway *gateway, const char *token);
/* "POST /v1/payment_intents/ID/ACTION"; "GET /v1/payment_intents/ID" where action is "". Lives as long. */
const char *on(const char *intent, const char *action);

#endif
