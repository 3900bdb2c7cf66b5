/* A WebSocket's client: over a connection that libcurl made, the handshake, then frames.
 *
 * Happy path: listen() → libcurl connects → the request is sent, the answer's head read (handshake.h) → OPEN: frames
 * are read as they come (server_frames.h), pings are answered. Whoever says nothing for ASK_MS is asked by a ping; who
 * is silent for LOST_MS is lost.
 *
 * What we send is a few bytes a minute. Where the peer does not even take those, the answer to a ping is left out: the
 * next one is as good (RFC 6455 5.5.3).
 */
#include "engines/upstream/upstream.h"
#include "engines/upstream/upstream_private.h"
#include "base/clock.h"
#include "base/panic.h"
#include "base/random.h"

#include <stdio.h>

#define WEBSOCKET_POLICY 1008 /* RFC 6455 7.4.1 */
#define SHAKE_MS 10000
#define ASK_MS 5000
#define LOST_MS 15000
#define READ_BYTES (64 * 1024)
#define OUT_BYTES 2048 /* a handshake's request, or some control frames */

static int64_t now_ms(void) {
    return clock_monotonic_us() / 1000;
}

/* ---- its end ---- */

static void close_line(struct upstream_line *line) {
    if (line->state == LINE_CLOSED)
        return;
    upstream_line_leave(line);
    if (line->easy) {
        curl_multi_remove_handle(line->upstream->multi, line->easy); /* the connection goes with it */
        curl_easy_cleanup(line->easy);
    }
    buffer_release(&line->in);
    buffer_release(&line->out);
    server_frames_release(&line->frames);
    line->easy = NULL;
    line->state = LINE_CLOSED;
}

static void end(struct upstream_line *line, const char *why) {
    close_line(line);
    line->ended(line, why);
}

/* ---- what we send ---- */

/* A control frame, masked, as all that a client sends (5.3). Left out where there is no room. */
static void add_frame(struct upstream_line *line, enum websocket_opcode opcode, struct bytes payload) {
    uint8_t head[6] = {(uint8_t)(WEBSOCKET_FINAL | opcode), (uint8_t)(0x80 | payload.length)}, *mask = head + 2;
    assert(payload.length <= WEBSOCKET_CONTROL_BYTES);
    if (line->out.length + sizeof head + payload.length > OUT_BYTES)
        return;
    random_bytes(mask, 4);
    buffer_add(&line->out, head, sizeof head);
    for (size_t i = 0; i < payload.length; i++)
        buffer_add_char(&line->out, (char)((uint8_t)payload.at[i] ^ mask[i & 3]));
}

static void add_close(struct upstream_line *line, uint16_t code) {
    char text[2] = {(char)(code >> 8), (char)code};
    add_frame(line, WEBSOCKET_CLOSE, code == WEBSOCKET_NO_CODE ? BYTES("") : (struct bytes){text, sizeof text});
}

/* Sends what the socket takes. False: the connection is gone. */
static bool flush(struct upstream_line *line) {
    if (!buffer_ok(&line->out))
        return false;
    size_t sent = 0;
    while (sent < line->out.length) {
        size_t part = 0;
        CURLcode code = curl_easy_send(line->easy, line->out.at + sent, line->out.length - sent, &part);
        if (code == CURLE_AGAIN)
            break;
        if (code != CURLE_OK)
            return false;
        sent += part;
    }
    memmove(line->out.at, line->out.at + sent, line->out.length - sent);
    line->out.length -= sent;
    return true;
}

/* Says why before it goes: nobody waits for an answer, so all of this may be lost. */
static void say_close(struct upstream_line *line, uint16_t code) {
    if (line->state != LINE_OPEN)
        return;
    add_close(line, code);
    (void)flush(line);
}

static void end_saying(struct upstream_line *line, uint16_t code, const char *why) {
    say_close(line, code);
    end(line, why);
}

void upstream_line_drop(struct upstream_line *line) {
    say_close(line, WEBSOCKET_GOING_AWAY);
    close_line(line);
}

/* ---- connecting ---- */

void upstream_listen(struct upstream *upstream, struct upstream_line *line) {
    assert(line->state == LINE_CLOSED && line->most > 0);
    line->work = UPSTREAM_LINE;
    line->upstream = upstream;
    line->has_more = line->is_asked = false;
    line->counted = 0;
    line->counted_ms = 0;
    buffer_init(&line->in, LIMIT_UPSTREAM_HEAD_BYTES + READ_BYTES);
    buffer_init(&line->out, OUT_BYTES);
    server_frames_init(&line->frames, line->most);
    if (!upstream_line_join(line)) {
        line->ended(line, "out of memory");
        return;
    }
    line->state = LINE_CONNECTING;
    line->easy = upstream_easy(upstream, "/", line);
    if (!line->easy || curl_easy_setopt(line->easy, CURLOPT_CONNECT_ONLY, 1L) ||
        curl_multi_add_handle(upstream->multi, line->easy) != CURLM_OK)
        end(line, "out of memory");
}

void upstream_line_connected(struct upstream_line *line, CURLcode code) {
    uint8_t chance[HANDSHAKE_KEY_BYTES];
    curl_socket_t fd = CURL_SOCKET_BAD;
    assert(line->state == LINE_CONNECTING);
    if (code == CURLE_OK)
        code = curl_easy_getinfo(line->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (code != CURLE_OK || fd == CURL_SOCKET_BAD) {
        end(line, code != CURLE_OK ? curl_easy_strerror(code) : "the connection was closed at once");
        return;
    }
    random_bytes(chance, sizeof chance);
    line->fd = fd;
    line->wait = UINT32_MAX; /* waited for from the next round on */
    line->began_ms = line->heard_ms = now_ms();
    line->state = LINE_SHAKING;
    handshake_init(&line->handshake, chance);
    handshake_write(&line->handshake, line->upstream->host, line->path, &line->out);
    if (!flush(line))
        end(line, "the connection was closed during the handshake");
}

/* ---- what the server says ---- */

/* More frames in a second than anybody has use for, however small they are. */
static bool is_flood(struct upstream_line *line) {
    int64_t time_ms = now_ms();
    if (time_ms >= line->counted_ms + 1000) {
        line->counted_ms = time_ms;
        line->counted = line->frames.count;
    }
    return line->frames.count > line->counted + LIMIT_UPSTREAM_FRAMES;
}

/* Takes what came. False: the line has ended. */
static bool take_frames(struct upstream_line *line, struct bytes input) {
    while (line->state == LINE_OPEN && input.length) {
        size_t used = 0;
        struct server_said said;
        enum server_step step = server_frames_read(&line->frames, input, &used, &said);
        input = (struct bytes){input.at + used, input.length - used};
        if (step != SERVER_STEP_CLOSE && step != SERVER_STEP_FAULT && is_flood(line)) {
            end_saying(line, WEBSOCKET_POLICY, "it sends too much");
            return false;
        }
        switch (step) {
        case SERVER_STEP_MORE:
        case SERVER_STEP_PONG:
            break;
        case SERVER_STEP_MESSAGE:
            if (line->heard(line, said.is_text, said.payload))
                break;
            say_close(line, WEBSOCKET_PROTOCOL_FAULT);
            close_line(line);
            return false;
        case SERVER_STEP_PING:
            add_frame(line, WEBSOCKET_PONG, said.payload);
            break;
        case SERVER_STEP_CLOSE:
            end_saying(line, said.code, said.code == WEBSOCKET_GOING_AWAY ? "it goes away" : "it closed");
            return false;
        case SERVER_STEP_FAULT:
            end_saying(line, said.code,
                       said.code == WEBSOCKET_TOO_LARGE ? "a message was too long" : "its frames are malformed");
            return false;
        }
    }
    return line->state == LINE_OPEN;
}

static bool take_answer(struct upstream_line *line, struct bytes input) {
    char why[60];
    size_t used = 0;
    unsigned status = 0;
    buffer_add_bytes(&line->in, input);
    if (!buffer_ok(&line->in)) {
        end(line, "the head of its answer is too long");
        return false;
    }
    switch (handshake_read(&line->handshake, buffer_bytes(&line->in), &used, &status)) {
    case HANDSHAKE_MORE:
        return true;
    case HANDSHAKE_DONE:
        break;
    case HANDSHAKE_REFUSED:
        snprintf(why, sizeof why, "it answered the handshake with %u", status);
        end(line, why);
        return false;
    case HANDSHAKE_FAULT:
        end(line, "its answer to the handshake is not one");
        return false;
    }
    struct buffer in = line->in; /* what came behind the head */
    buffer_init(&line->in, LIMIT_UPSTREAM_HEAD_BYTES + READ_BYTES);
    line->state = LINE_OPEN;
    line->opened(line);
    bool goes_on = take_frames(line, (struct bytes){in.at + used, in.length - used});
    buffer_release(&in);
    return goes_on;
}

/* Reads a turn's worth. False: the line has ended. */
static bool read_turn(struct upstream_line *line) {
    static _Thread_local char room[READ_BYTES];
    for (size_t taken = 0; taken < LIMIT_UPSTREAM_TURN_BYTES;) {
        size_t length = 0;
        CURLcode code = curl_easy_recv(line->easy, room, sizeof room, &length);
        if (code == CURLE_AGAIN)
            return true;
        if (code != CURLE_OK || length == 0) {
            end(line, "the connection was closed");
            return false;
        }
        struct bytes input = {room, length};
        taken += length;
        line->heard_ms = now_ms();
        line->is_asked = false;
        if (!(line->state == LINE_OPEN ? take_frames(line, input) : take_answer(line, input)))
            return false;
    }
    line->has_more = line->upstream->has_more = true;
    return true;
}

void upstream_line_move(struct upstream_line *line, bool is_ready, int64_t time_ms) {
    line->has_more = false;
    if (is_ready && !read_turn(line))
        return;
    if (line->state == LINE_SHAKING && time_ms > line->began_ms + SHAKE_MS) {
        end(line, "it did not answer the handshake in time");
        return;
    }
    if (time_ms > line->heard_ms + LOST_MS) {
        end_saying(line, WEBSOCKET_GOING_AWAY, "it has been silent for too long");
        return;
    }
    if (line->state == LINE_OPEN && !line->is_asked && time_ms > line->heard_ms + ASK_MS) {
        line->is_asked = true;
        add_frame(line, WEBSOCKET_PING, BYTES(""));
    }
    if (line->out.length && !flush(line))
        end(line, "the connection was closed");
}
