/* Bytes of an upstream that is not to be trusted: the answer to a handshake, and what a WebSocket's server sends.
 *
 * The first byte says which of the two, the second how the rest is cut. The oracle: in one piece or in many, the same
 * is found; a message is never longer than was allowed, and costs no more memory than came.
 */
#include "engines/upstream/handshake.h"
#include "engines/upstream/server_frames.h"
#include "base/limits.h"
#include "base/panic.h"

#include <sodium.h>

#define MOST 300

/* Reads all of it, so many bytes at a time, and notes what was found. */
static void read_frames(struct bytes stream, size_t piece, struct buffer *found) {
    struct server_frames frames;
    struct server_said said = {0};
    enum server_step step = SERVER_STEP_MORE;
    server_frames_init(&frames, MOST);
    for (size_t at = 0; at < stream.length && step != SERVER_STEP_CLOSE && step != SERVER_STEP_FAULT;) {
        size_t length = stream.length - at < piece ? stream.length - at : piece, used = 0;
        said = (struct server_said){0};
        step = server_frames_read(&frames, (struct bytes){stream.at + at, length}, &used, &said);
        assert(used <= length && (step != SERVER_STEP_MORE || used == length));
        assert(said.payload.length <= MOST && frames.message.capacity <= 2 * MOST + 4096);
        at += used;
        if (step == SERVER_STEP_MORE)
            continue;
        buffer_printf(found, "%d %d %u ", step, said.is_text, said.code);
        if (step != SERVER_STEP_FAULT)
            buffer_add_bytes(found, said.payload);
        buffer_add_char(found, '\n');
    }
    server_frames_release(&frames);
}

/* As its head grows, an answer is not whole until it is judged, and never judged otherwise. */
static void read_answer(struct bytes answer) {
    struct handshake handshake;
    size_t used = 0;
    unsigned status = 0;
    handshake_init(&handshake, (const uint8_t *)"the sample nonce");
    enum handshake_step whole = handshake_read(&handshake, answer, &used, &status);
    assert(whole != HANDSHAKE_DONE || (used > 0 && used <= answer.length && used <= LIMIT_UPSTREAM_HEAD_BYTES));
    assert(whole != HANDSHAKE_REFUSED || (status >= 100 && status <= 999 && status != 101));
    for (size_t length = 0; length < answer.length && length < 512; length++) {
        enum handshake_step part = handshake_read(&handshake, (struct bytes){answer.at, length}, &used, &status);
        assert(part == HANDSHAKE_MORE || part == whole);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    struct bytes rest = {(const char *)data + 2, size - 2};
    if (data[0] & 1) {
        read_answer(rest);
        return 0;
    }
    struct buffer whole, pieces;
    buffer_init(&whole, SIZE_MAX / 4);
    buffer_init(&pieces, SIZE_MAX / 4);
    read_frames(rest, SIZE_MAX, &whole);
    read_frames(rest, 1 + data[1] % 64, &pieces);
    assert(bytes_equal(buffer_bytes(&whole), buffer_bytes(&pieces)));
    buffer_release(&whole);
    buffer_release(&pieces);
    return 0;
}
