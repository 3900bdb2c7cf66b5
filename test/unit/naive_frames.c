#include "naive_frames.h"
#include "base/panic.h"

#include <stdlib.h>

static void tell_ping(struct buffer *lines, struct bytes payload) {
    buffer_add_text(lines, "ping ");
    for (size_t i = 0; i < payload.length; i++)
        buffer_printf(lines, "%02x", (uint8_t)payload.at[i]);
    buffer_add_char(lines, '\n');
}

/* NUL is a character here, which base refuses. */
static bool is_text(const uint8_t *at, size_t length) {
    char *copy = malloc(length + 1);
    assert(copy);
    for (size_t i = 0; i < length; i++)
        copy[i] = (char)(at[i] ? at[i] : 'a');
    bool is = bytes_are_utf8((struct bytes){copy, length});
    free(copy);
    return is;
}

/* Whether some text begins like that: tried with every kind of byte behind it. */
static bool may_become_text(const uint8_t *at, size_t length) {
    static const uint8_t kinds[] = {0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf};
    uint8_t tail[8];
    if (is_text(at, length))
        return true;
    /* A character has 4 bytes at most: only the last 3 can be unfinished. */
    for (size_t start = length > 3 ? length - 3 : 0; start < length; start++) {
        if (!is_text(at, start))
            continue;
        size_t begun = length - start;
        memcpy(tail, at + start, begun);
        for (unsigned more = 1; more <= 4 - begun; more++)
            for (unsigned choice = 0; choice < 216; choice++) {
                unsigned left = choice;
                for (unsigned i = 0; i < more; i++, left /= 6)
                    tail[begun + i] = kinds[left % 6];
                if (is_text(tail, begun + more))
                    return true;
            }
    }
    return false;
}

struct message {
    bool is_open, is_text;
    uint8_t content[LIMIT_WEBSOCKET_MESSAGE_BYTES];
    size_t length;
};

static unsigned close_code(const uint8_t *payload, size_t length) {
    return length ? payload[0] * 256u + payload[1] : WEBSOCKET_NO_CODE;
}

static unsigned check_close(const uint8_t *payload, size_t length) {
    if (length == 0)
        return 0;
    unsigned code = close_code(payload, length);
    if (code < 1000 || code >= 5000 || (code > 1014 && code < 3000) || (code >= 1004 && code <= 1006))
        return 1002;
    return is_text(payload + 2, length - 2) ? 0 : 1007;
}

/* The code of what is wrong with the head so far, or 0. `whole` and the length of head and payload, if it is whole. */
static unsigned check_head(const uint8_t *at, size_t have, const struct message *message, size_t *head,
                           uint64_t *payload) {
    *head = 0;
    if (have < 1)
        return 0;
    unsigned opcode = at[0] & 15;
    bool is_known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
    if (at[0] & 0x70 || !is_known || (opcode >= 8 && at[0] < 0x80))
        return 1002;
    if (opcode < 8 && (opcode == 0) != message->is_open)
        return 1002;
    if (have < 2)
        return 0;
    unsigned seven = at[1] & 0x7f;
    if (at[1] < 0x80 || (opcode >= 8 && seven > 125) || (opcode == 8 && seven == 1))
        return 1002;
    size_t extended = seven < 126 ? 0 : seven == 126 ? 2 : 8;
    if (have < 2 + extended)
        return 0;
    uint64_t length = extended ? 0 : seven;
    for (size_t i = 0; i < extended; i++)
        length = length * 256 + at[2 + i];
    if ((extended == 2 && length < 126) || (extended == 8 && (length < 65536 || length >> 63)))
        return 1002;
    if (opcode < 8 && length + (message->is_open ? message->length : 0) > LIMIT_WEBSOCKET_MESSAGE_BYTES)
        return 1009;
    *head = have < 2 + extended + 4 ? 0 : 2 + extended + 4;
    *payload = length;
    return 0;
}

/* A data frame of which `have` bytes came. Returns the code of a fault, or 0. */
static unsigned take_data(struct message *message, uint8_t first, const uint8_t *content, size_t have,
                          uint64_t length) {
    if (!message->is_open)
        *message = (struct message){.is_open = true, .is_text = (first & 15) == WEBSOCKET_TEXT};
    memcpy(message->content + message->length, content, have);
    message->length += have;
    bool is_done = have == length && first & 0x80;
    if (message->is_text &&
        !(is_done ? is_text(message->content, message->length) : may_become_text(message->content, message->length)))
        return 1007;
    if (is_done)
        message->is_open = false;
    return 0;
}

void naive_frames(struct bytes stream, struct buffer *lines) {
    struct message *message = calloc(1, sizeof *message);
    assert(message);
    const uint8_t *at = (const uint8_t *)stream.at;
    size_t left = stream.length;
    for (;;) {
        size_t head;
        uint64_t length = 0;
        unsigned fault = check_head(at, left, message, &head, &length);
        if (fault || !head) {
            if (fault)
                buffer_printf(lines, "fault %u\n", fault);
            break;
        }
        uint8_t payload[LIMIT_WEBSOCKET_MESSAGE_BYTES];
        size_t have = left - head < length ? left - head : (size_t)length;
        for (size_t i = 0; i < have; i++)
            payload[i] = at[head + i] ^ at[head - 4 + i % 4];
        unsigned opcode = at[0] & 15;
        if (opcode < 8)
            fault = take_data(message, at[0], payload, have, length);
        else if (have == length && opcode == WEBSOCKET_PING)
            tell_ping(lines, (struct bytes){(const char *)payload, have});
        else if (have == length && opcode == WEBSOCKET_CLOSE)
            fault = check_close(payload, have);
        if (fault)
            buffer_printf(lines, "fault %u\n", fault);
        else if (have == length && opcode == WEBSOCKET_CLOSE)
            buffer_printf(lines, "close %u\n", close_code(payload, have));
        if (fault || have < length || opcode == WEBSOCKET_CLOSE)
            break;
        at += head + have;
        left -= head + have;
    }
    free(message);
}

void frames_in_parts(struct bytes stream, bool (*is_cut)(void *context, size_t at), void *context,
                     struct buffer *lines) {
    struct websocket_frames frames = {0};
    size_t start = 0;
    for (size_t end = 1; end <= stream.length; end++) {
        if (end < stream.length && !is_cut(context, end))
            continue;
        for (;;) {
            /* Of exactly the length that there is, so that a byte too far is seen. */
            char *copy = malloc(end - start + 1);
            assert(copy);
            char *input = copy + 1; /* and not aligned */
            if (end > start)
                memcpy(input, stream.at + start, end - start);
            size_t consumed = 0;
            struct websocket_said said = {0};
            enum websocket_step step = websocket_frames_read(&frames, input, end - start, &consumed, &said);
            assert(consumed <= end - start);
            assert(step != WEBSOCKET_STEP_MORE || end - start - consumed <= 2 + 4 + WEBSOCKET_CONTROL_BYTES);
            start += consumed;
            if (step == WEBSOCKET_STEP_PING)
                tell_ping(lines, said.payload);
            else if (step != WEBSOCKET_STEP_MORE)
                buffer_printf(lines, step == WEBSOCKET_STEP_CLOSE ? "close %u\n" : "fault %u\n", said.code);
            free(copy);
            if (step == WEBSOCKET_STEP_MORE)
                break;
            if (step != WEBSOCKET_STEP_PING)
                return;
        }
    }
}
