/* A channel over some reactors, each on its own thread with a port of its own, and WebSocket clients that speak to them
 * byte by byte.
 *
 * GET /live joins the channel, GET /live?from=N as one who has N already and is told "from N"; where the handshake is
 * not right the answer is the result's name, with 426 or 400. GET /now is answered with "now". What catch_up() gives is
 * what socket_world_set_newest() or socket_world_publish() said last.
 */
#ifndef ONSALE_TEST_SOCKET_WORLD_H
#define ONSALE_TEST_SOCKET_WORLD_H

#include "http_world.h"
#include "net/websocket.h"
#include "net/websocket_frames.h"

#define SOCKET_REACTORS 2

struct socket_world {
    struct world at[SOCKET_REACTORS]; /* reactor, thread and port of each */
    unsigned reactor_count;
    struct channel *channel;
    pthread_mutex_t lock;
    struct blob *newest;
    atomic_uint catch_ups;
};

struct socket_world *socket_world_start(const struct reactor_settings *settings, unsigned reactors);
void socket_world_stop(struct socket_world *world, int drain_ms);

/* A text frame. */
struct blob *text_frame(const char *text, uint32_t version);
void socket_world_set_newest(struct socket_world *world, struct blob *frame);
/* Makes the text the newest, and publishes it. */
void socket_world_publish(struct socket_world *world, const char *text);
/* A text of LARGE_TEXT_BYTES that begins with the number, in ten digits. Until the next call. */
#define LARGE_TEXT_BYTES 60000
const char *socket_large_text(unsigned number);
/* Publishes large texts, counted from 0, until a member does not take them any more. Returns how many. */
unsigned socket_world_publish_until_behind(struct socket_world *world);
/* By world_do(): so that every output has to be allocated. */
void socket_spend_spare_outputs(struct world *at);
/* Waits until the channel has so many members. */
void socket_world_wait_for_members(const struct socket_world *world, unsigned count);
/* Waits until no round is under way on any reactor, and nothing is left to open. */
void socket_world_settle(struct socket_world *world);

#define JOIN                                                                                                           \
    "GET /live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                                   \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

/* A member on that reactor; what it was told on joining is not read yet. */
struct client socket_join(const struct socket_world *world, unsigned reactor);

/* Sends a masked frame with this first byte. */
void socket_say(struct client *client, uint8_t first, struct bytes payload);
/* The same into a buffer. */
void socket_write(struct buffer *out, uint8_t first, struct bytes payload);

struct heard {
    uint8_t first;
    struct bytes payload; /* in the client's input, until socket_use() */
};

/* Reads one frame of the server's, which stays in the input until it is used. */
struct heard socket_hear(struct client *client);
void socket_use(struct client *client, const struct heard *heard);
void socket_expect(struct client *client, uint8_t first, struct bytes payload);
void socket_expect_text(struct client *client, const char *text);
/* A close with that code, and then the end; WEBSOCKET_NO_CODE: a close with none. */
void socket_expect_close(struct client *client, uint16_t code);

#endif
