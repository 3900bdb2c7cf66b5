#include "net/websocket_frames.h"

struct frame_head {
    uint8_t opcode;
    bool is_final;
    uint8_t mask[4];
    size_t payload_length;
    size_t bytes; /* of the head itself */
};

/* False as soon as no text could go on like that. */
static bool utf8_take(struct utf8_check *check, uint8_t byte) {
    if (check->left) {
        if (byte < check->low || byte > check->high)
            return false;
        *check = (struct utf8_check){(uint8_t)(check->left - 1), 0x80, 0xbf};
        return true;
    }
    if (byte < 0x80)
        return true;
    if (byte < 0xc2 || byte > 0xf4)
        return false;
    uint8_t left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    /* No overlong forms, no surrogates, nothing above U+10FFFF: RFC 3629 4. */
    uint8_t low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    uint8_t high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    *check = (struct utf8_check){left, low, high};
    return true;
}

static enum websocket_step fault(struct websocket_said *said, uint16_t code) {
    said->code = code;
    return WEBSOCKET_STEP_FAULT;
}

/* MORE until the head is whole; then it is `done`. */
static enum websocket_step read_head(const struct websocket_frames *frames, const uint8_t *at, size_t length,
                                     struct frame_head *head, bool *done, struct websocket_said *said) {
    if (length < 1)
        return WEBSOCKET_STEP_MORE;
    head->opcode = at[0] & WEBSOCKET_OPCODE_BITS;
    head->is_final = at[0] & WEBSOCKET_FINAL;
    if (!websocket_first_byte_is_right(at[0], frames->is_in_message))
        return fault(said, WEBSOCKET_PROTOCOL_FAULT);
    if (length < 2)
        return WEBSOCKET_STEP_MORE;
    if (!websocket_second_byte_is_right(head->opcode, at[1], true))
        return fault(said, WEBSOCKET_PROTOCOL_FAULT);
    uint64_t payload;
    size_t more = websocket_length_bytes(at[1]);
    if (length < 2 + more)
        return WEBSOCKET_STEP_MORE;
    if (!websocket_read_length(at[1], at + 2, &payload))
        return fault(said, WEBSOCKET_PROTOCOL_FAULT);
    size_t before = head->opcode == WEBSOCKET_CONTINUATION ? frames->message_bytes : 0;
    if (payload > LIMIT_WEBSOCKET_MESSAGE_BYTES - before)
        return fault(said, WEBSOCKET_TOO_LARGE);
    head->bytes = 2 + more + sizeof head->mask;
    if (length < head->bytes)
        return WEBSOCKET_STEP_MORE;
    head->payload_length = (size_t)payload;
    memcpy(head->mask, at + 2 + more, sizeof head->mask);
    *done = true;
    return WEBSOCKET_STEP_MORE;
}

static enum websocket_step read_close(struct bytes payload, struct websocket_said *said) {
    if (payload.length == 0) {
        said->code = WEBSOCKET_NO_CODE;
        return WEBSOCKET_STEP_CLOSE;
    }
    uint16_t code = (uint16_t)((uint8_t)payload.at[0] << 8 | (uint8_t)payload.at[1]);
    if (!websocket_is_close_code(code))
        return fault(said, WEBSOCKET_PROTOCOL_FAULT);
    struct utf8_check reason = {0};
    for (size_t i = 2; i < payload.length; i++)
        if (!utf8_take(&reason, (uint8_t)payload.at[i]))
            return fault(said, WEBSOCKET_BAD_TEXT);
    if (reason.left)
        return fault(said, WEBSOCKET_BAD_TEXT);
    said->code = code;
    return WEBSOCKET_STEP_CLOSE;
}

/* A control frame that is whole. */
static enum websocket_step read_control(const struct frame_head *head, char *payload, struct websocket_said *said) {
    for (size_t i = 0; i < head->payload_length; i++)
        payload[i] = (char)(payload[i] ^ head->mask[i & 3]);
    said->payload = (struct bytes){payload, head->payload_length};
    if (head->opcode == WEBSOCKET_CLOSE)
        return read_close(said->payload, said);
    return head->opcode == WEBSOCKET_PING ? WEBSOCKET_STEP_PING : WEBSOCKET_STEP_MORE;
}

static void begin_data(struct websocket_frames *frames, const struct frame_head *head) {
    if (head->opcode != WEBSOCKET_CONTINUATION) {
        frames->is_text = head->opcode == WEBSOCKET_TEXT;
        frames->message_bytes = 0;
    }
    frames->is_in_message = true;
    frames->is_final = head->is_final;
    frames->message_bytes = (uint16_t)(frames->message_bytes + head->payload_length);
    frames->payload_left = (uint16_t)head->payload_length;
    memcpy(frames->mask, head->mask, sizeof frames->mask);
    frames->mask_at = 0;
}

/* Takes what has come of the data frame. False if it is text that is not UTF-8. */
static bool take_data(struct websocket_frames *frames, const char *at, size_t length) {
    for (size_t i = 0; frames->is_text && i < length; i++) {
        if (!utf8_take(&frames->text, (uint8_t)at[i] ^ frames->mask[frames->mask_at & 3]))
            return false;
        frames->mask_at++;
    }
    frames->payload_left = (uint16_t)(frames->payload_left - length);
    if (frames->payload_left || !frames->is_final)
        return true;
    frames->is_in_message = false;
    return !frames->text.left;
}

enum websocket_step websocket_frames_read(struct websocket_frames *frames, char *at, size_t length, size_t *consumed,
                                          struct websocket_said *said) {
    for (size_t used = 0;;) {
        size_t part = length - used < frames->payload_left ? length - used : frames->payload_left;
        if (part) {
            if (!take_data(frames, at + used, part))
                return fault(said, WEBSOCKET_BAD_TEXT);
            used += part;
            *consumed += part;
        }
        if (frames->payload_left)
            return WEBSOCKET_STEP_MORE;
        struct frame_head head = {0};
        bool done = false;
        enum websocket_step step = read_head(frames, (const uint8_t *)at + used, length - used, &head, &done, said);
        if (!done)
            return step;
        if (!websocket_is_control(head.opcode)) {
            begin_data(frames, &head);
            used += head.bytes;
            *consumed += head.bytes;
            if (head.payload_length == 0 && !take_data(frames, NULL, 0))
                return fault(said, WEBSOCKET_BAD_TEXT);
            continue;
        }
        if (length - used < head.bytes + head.payload_length)
            return WEBSOCKET_STEP_MORE;
        step = read_control(&head, at + used + head.bytes, said);
        used += head.bytes + head.payload_length;
        *consumed += head.bytes + head.payload_length;
        if (step != WEBSOCKET_STEP_MORE)
            return step;
    }
}
