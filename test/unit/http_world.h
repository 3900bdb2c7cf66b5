/* A reactor on its own thread, and clients that speak to it over loopback.
 *
 * What the world's service answers: /now, /echo (the body back), /blob (a large shared one), /small (a shared one short
 * enough to be copied), /peer (the client's address), /large (LARGE_BYTES, copied), /count (how many were handled
 * before), /empty (204), /unchanged (304), /park (put off until world_answer_parked()), /both (put off and answered in
 * one call), /close (closes after it). It admits bodies of up to 64 KiB, on /upload of up to 16 MiB, on /tiny of 8
 * bytes; /gone is not admitted. Refusals say
 * "<RESULT> <detail>".
 */
#ifndef ONSALE_TEST_HTTP_WORLD_H
#define ONSALE_TEST_HTTP_WORLD_H

#include "base/panic.h"
#include "net/blob.h"
#include "net/reactor.h"

#include <pthread.h>
#include <sys/types.h>

#define WORLD_PARKED 1024
#define BLOB_BYTES (8 * 1024 * 1024)
#define LARGE_BYTES 20000

struct world {
    struct reactor *reactor;
    pthread_t thread;
    uint16_t port;
    struct blob *blob;
    struct blob *small;
    atomic_uint handled_count;
    /* owned by the reactor's thread */
    struct exchange_ref parked[WORLD_PARKED];
    unsigned parked_count;
    unsigned answered_count;
};

/* Settings that no test runs into, unless it changes them. */
struct reactor_settings world_settings(void);
struct world *world_start(const struct reactor_settings *settings);
/* Stops the reactor and waits for its thread. */
void world_stop(struct world *world, int drain_ms);

/* On the reactor's thread; returns when it is done. */
void world_do(struct world *world, void (*act)(struct world *world));

/* Waits until that many exchanges were put off since the start. */
void world_wait_for_parked(struct world *world, unsigned count);
/* Answers the parked exchange that was put off first and is not answered yet: true if its client was still there. */
bool world_answer_parked(struct world *world);
/* Waits until so many connections are open. */
void world_wait_for_open(unsigned count);

struct client {
    int fd;
    struct buffer input; /* read and not used yet */
};

struct answer {
    unsigned status;
    char head[2048];
    struct buffer body;
};

struct client client_connect(const struct world *world);
void client_close(struct client *client);
void client_reset(struct client *client); /* closes with a reset */
void client_send(struct client *client, struct bytes bytes);
void client_say(struct client *client, const char *text);
/* Reads what is there into `input`: how much, 0 at the end, -1 after a reset. */
ssize_t client_more(struct client *client);
/* Reads one answer. `is_head`: to a HEAD, so that no body comes. Free with answer_release(). */
struct answer client_read(struct client *client, bool is_head);
void answer_release(struct answer *answer);
/* Reads one answer and checks status and body. */
void client_expect(struct client *client, unsigned status, const char *body);
/* Reads the answer to /blob and compares every byte. */
void client_expect_blob(struct client *client, const struct world *world);
/* The server closes, and sends nothing more before. */
void client_expect_end(struct client *client);
/* The same, where a reset is as good as an end. */
void client_expect_gone(struct client *client);
bool answer_has(const struct answer *answer, const char *line);

#endif
