#include "engines/upstream/server_frames.h"
#include "base/panic.h"

#define KEPT_BYTES (64 * 1024) /* of a message's memory, for the next one */

void server_frames_init(struct server_frames *frames, size_t most) {
    memset(frames, 0, sizeof *frames);
    buffer_init(&frames->message, most);
}

void server_frames_release(struct server_frames *frames) {
    buffer_release(&frames->message);
}

static enum server_step fault(struct server_said *said, uint16_t code) {
    said->code = code;
    return SERVER_STEP_FAULT;
}

/* ---- a frame's head ---- */

static uint8_t opcode_of(const struct server_frames *frames) {
    return frames->head[0] & WEBSOCKET_OPCODE_BITS;
}

static bool is_control(const struct server_frames *frames) {
    return websocket_is_control(opcode_of(frames));
}

static bool is_final(const struct server_frames *frames) {
    return frames->head[0] & WEBSOCKET_FINAL;
}

/* How long the head is, as far as its bytes so far tell. */
static size_t head_bytes(const struct server_frames *frames) {
    return frames->head_length < 2 ? 2 : 2 + websocket_length_bytes(frames->head[1]);
}

/* The last message was handed out: its memory is used again, unless it is a lot. */
static void begin_message(struct server_frames *frames) {
    size_t most = frames->message.limit;
    frames->is_told = false;
    if (frames->message.capacity > KEPT_BYTES) {
        buffer_release(&frames->message);
        buffer_init(&frames->message, most);
    }
    buffer_clear(&frames->message);
}

static enum server_step begin_payload(struct server_frames *frames, struct server_said *said) {
    uint64_t length;
    if (!websocket_read_length(frames->head[1], frames->head + 2, &length))
        return fault(said, WEBSOCKET_PROTOCOL_FAULT);
    if (!is_control(frames)) {
        if (frames->is_told)
            begin_message(frames);
        if (length > frames->message.limit - frames->message.length)
            return fault(said, WEBSOCKET_TOO_LARGE);
        if (opcode_of(frames) != WEBSOCKET_CONTINUATION)
            frames->is_text = opcode_of(frames) == WEBSOCKET_TEXT;
        frames->is_in_message = true;
    }
    frames->payload_left = length;
    frames->control_length = 0;
    frames->is_in_payload = true;
    return SERVER_STEP_MORE;
}

/* Takes one byte of the head; MORE also when that was its last. */
static enum server_step take_head_byte(struct server_frames *frames, uint8_t byte, struct server_said *said) {
    frames->head[frames->head_length++] = byte;
    if (frames->head_length == 1 && !websocket_first_byte_is_right(byte, frames->is_in_message))
        return fault(said, WEBSOCKET_PROTOCOL_FAULT);
    if (frames->head_length == 2 && !websocket_second_byte_is_right(opcode_of(frames), byte, false))
        return fault(said, WEBSOCKET_PROTOCOL_FAULT);
    return frames->head_length < head_bytes(frames) ? SERVER_STEP_MORE : begin_payload(frames, said);
}

/* ---- a frame's end ---- */

static enum server_step end_close(struct server_said *said) {
    if (said->payload.length == 0) {
        said->code = WEBSOCKET_NO_CODE;
        return SERVER_STEP_CLOSE;
    }
    uint16_t code = (uint16_t)((uint8_t)said->payload.at[0] << 8 | (uint8_t)said->payload.at[1]);
    if (!websocket_is_close_code(code))
        return fault(said, WEBSOCKET_PROTOCOL_FAULT);
    if (!bytes_are_utf8((struct bytes){said->payload.at + 2, said->payload.length - 2}))
        return fault(said, WEBSOCKET_BAD_TEXT);
    said->code = code;
    return SERVER_STEP_CLOSE;
}

static enum server_step end_control(struct server_frames *frames, struct server_said *said) {
    said->payload = (struct bytes){frames->control, frames->control_length};
    switch (opcode_of(frames)) {
    case WEBSOCKET_CLOSE:
        return end_close(said);
    case WEBSOCKET_PING:
        return SERVER_STEP_PING;
    default:
        return SERVER_STEP_PONG;
    }
}

static enum server_step end_frame(struct server_frames *frames, struct server_said *said) {
    frames->head_length = 0;
    frames->is_in_payload = false;
    frames->count++;
    if (is_control(frames))
        return end_control(frames, said);
    if (!is_final(frames))
        return SERVER_STEP_MORE;
    frames->is_in_message = false;
    frames->is_told = true;
    said->payload = buffer_bytes(&frames->message);
    said->is_text = frames->is_text;
    return frames->is_text && !bytes_are_utf8(said->payload) ? fault(said, WEBSOCKET_BAD_TEXT) : SERVER_STEP_MESSAGE;
}

/* ---- the stream ---- */

/* Takes as much of the payload as came. False when memory ran out. */
static bool take_payload(struct server_frames *frames, const char *at, size_t length) {
    frames->payload_left -= length;
    if (!is_control(frames)) {
        buffer_add(&frames->message, at, length);
        return buffer_ok(&frames->message);
    }
    assert(length <= sizeof frames->control - frames->control_length);
    if (length)
        memcpy(frames->control + frames->control_length, at, length);
    frames->control_length = (uint8_t)(frames->control_length + length);
    return true;
}

enum server_step server_frames_read(struct server_frames *frames, struct bytes input, size_t *consumed,
                                    struct server_said *said) {
    size_t used = 0;
    enum server_step step = SERVER_STEP_MORE;
    while (step == SERVER_STEP_MORE) {
        if (!frames->is_in_payload) {
            if (used == input.length)
                break;
            step = take_head_byte(frames, (uint8_t)input.at[used++], said);
            continue;
        }
        size_t part = input.length - used;
        if (part > frames->payload_left)
            part = (size_t)frames->payload_left;
        if (!take_payload(frames, input.at + used, part))
            step = fault(said, WEBSOCKET_OUT_OF_MEMORY);
        used += part;
        if (step == SERVER_STEP_MORE && frames->payload_left)
            break;
        if (step == SERVER_STEP_MORE)
            step = end_frame(frames, said);
    }
    *consumed = used;
    return step;
}
