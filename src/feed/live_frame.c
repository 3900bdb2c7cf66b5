#include "feed/live_frame.h"
#include "base/json.h"
#include "base/panic.h"
#include "net/websocket.h"

static const struct bytes status_words[] = {BYTES("AVAILABLE"), BYTES("HELD"), BYTES("BOOKED"), BYTES("BOOKED")};

static const struct bytes before_id = BYTES("{\"seat_id\":");
static const struct bytes before_status = BYTES(",\"status\":\"");
static const struct bytes after_status = BYTES("\"}");

#define ID_TEXT_BYTES (6 * LIMIT_SEAT_ID_BYTES + 2) /* in JSON, each byte escaped, with quotes */

/* The id in JSON, with its quotes. Returns its length. */
static size_t write_id(struct bytes id, char text[static ID_TEXT_BYTES]) {
    struct buffer out = {.at = text, .capacity = ID_TEXT_BYTES, .limit = ID_TEXT_BYTES};
    struct json_writer writer = json_writer(&out);
    json_put_string(&writer, id);
    assert(buffer_ok(&out));
    return out.length;
}

void live_seats_init(struct live_seats *seats, uint32_t count, const struct bytes *ids) {
    *seats = (struct live_seats){.count = count, .ids = ids, .are_plain = true};
    for (uint32_t seat = 0; seat < count; seat++) {
        char text[ID_TEXT_BYTES];
        size_t length = write_id(ids[seat], text) - 2;
        seats->id_bytes += length;
        seats->are_plain = seats->are_plain && length == ids[seat].length;
    }
}

/* ---- numbers ---- */

static void put_little(uint8_t *at, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get_little(const uint8_t *at, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static void put_head(uint8_t *at, enum live_kind kind, uint32_t count, const struct live_head *head) {
    at[0] = (uint8_t)kind;
    at[1] = LIVE_FORMAT_VERSION;
    put_little(at + 2, 0, 2);
    put_little(at + 4, count, 4);
    put_little(at + 8, head->feed, 8);
    put_little(at + 16, head->sequence, 8);
    put_little(at + 24, kind == LIVE_DELTA ? head->since : 0, 8);
}

/* ---- JSON ---- */

static char *put(char *at, struct bytes text) {
    memcpy(at, text.at, text.length);
    return at + text.length;
}

static char *put_seat(char *at, const struct live_seats *seats, uint32_t seat, unsigned status) {
    at = put(at, before_id);
    if (seats->are_plain) {
        *at++ = '"';
        at = put(at, seats->ids[seat]);
        *at++ = '"';
    } else {
        char text[ID_TEXT_BYTES];
        at = put(at, (struct bytes){text, write_id(seats->ids[seat], text)});
    }
    at = put(at, before_status);
    at = put(at, status_words[status]);
    return put(at, after_status);
}

#define JSON_HEAD_BYTES 160

static struct bytes write_json_head(enum live_kind kind, const struct live_head *head,
                                    char text[static JSON_HEAD_BYTES]) {
    struct buffer out = {.at = text, .capacity = JSON_HEAD_BYTES, .limit = JSON_HEAD_BYTES};
    buffer_printf(&out, "{\"type\":\"%s\",\"feed\":\"%016llx\"", kind == LIVE_SNAPSHOT ? "snapshot" : "delta",
                  (unsigned long long)head->feed);
    if (kind == LIVE_DELTA)
        buffer_printf(&out, ",\"since\":%llu", (unsigned long long)head->since);
    buffer_printf(&out, ",\"sequence\":%llu,\"seats\":[", (unsigned long long)head->sequence);
    assert(buffer_ok(&out));
    return buffer_bytes(&out);
}

/* The frame's text but for the seats, of which `seat_bytes` with their commas come at *seats_at. */
static struct blob *begin_json(enum live_kind kind, const struct live_head *head, size_t seat_bytes, char **seats_at) {
    char text[JSON_HEAD_BYTES];
    struct bytes begin = write_json_head(kind, head, text);
    char *at;
    struct blob *frame = websocket_frame_open(true, begin.length + seat_bytes + 2, &at);
    if (!frame)
        return NULL;
    *seats_at = put(at, begin);
    (void)put(*seats_at + seat_bytes, BYTES("]}"));
    return frame;
}

#define SEAT_FIXED_BYTES (sizeof "{\"seat_id\":\"\",\"status\":\"\"}" - 1)

static unsigned status_at(const uint8_t *bits, uint32_t seat) {
    return bits[seat / 4] >> seat % 4 * 2 & 3;
}

static struct blob *json_snapshot(const struct live_seats *seats, const struct live_head *head, const uint8_t *bits) {
    size_t size = seats->id_bytes + seats->count * SEAT_FIXED_BYTES + (seats->count ? seats->count - 1 : 0);
    for (uint32_t seat = 0; seat < seats->count; seat++)
        size += status_words[status_at(bits, seat)].length;
    char *at = NULL;
    struct blob *frame = begin_json(LIVE_SNAPSHOT, head, size, &at);
    if (!frame)
        return NULL;
    const char *end = at + size;
    for (uint32_t seat = 0; seat < seats->count; seat++) {
        if (seat)
            *at++ = ',';
        at = put_seat(at, seats, seat, status_at(bits, seat));
    }
    assert(at == end);
    return frame;
}

static struct blob *json_delta(const struct live_seats *seats, const struct live_head *head, uint32_t count,
                               const uint32_t *changes) {
    size_t size = count * SEAT_FIXED_BYTES + (count ? count - 1 : 0);
    for (uint32_t i = 0; i < count; i++) {
        char text[ID_TEXT_BYTES];
        struct bytes id = seats->ids[changes[i] >> 2];
        size += seats->are_plain ? id.length : write_id(id, text) - 2;
        size += status_words[changes[i] & 3].length;
    }
    char *at = NULL;
    struct blob *frame = begin_json(LIVE_DELTA, head, size, &at);
    if (!frame)
        return NULL;
    const char *end = at + size;
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            *at++ = ',';
        at = put_seat(at, seats, changes[i] >> 2, changes[i] & 3);
    }
    assert(at == end);
    return frame;
}

/* ---- both ---- */

struct blob *live_frame_snapshot(enum live_form form, const struct live_seats *seats, const struct live_head *head,
                                 const uint8_t *bits) {
    if (form == LIVE_JSON)
        return json_snapshot(seats, head, bits);
    size_t length = ((size_t)seats->count + 3) / 4;
    char *at;
    struct blob *frame = websocket_frame_open(false, LIVE_HEAD_BYTES + length, &at);
    if (!frame)
        return NULL;
    put_head((uint8_t *)at, LIVE_SNAPSHOT, seats->count, head);
    memcpy(at + LIVE_HEAD_BYTES, bits, length);
    return frame;
}

struct blob *live_frame_delta(enum live_form form, const struct live_seats *seats, const struct live_head *head,
                              uint32_t count, const uint32_t *changes) {
    if (form == LIVE_JSON)
        return json_delta(seats, head, count, changes);
    char *at;
    struct blob *frame = websocket_frame_open(false, LIVE_HEAD_BYTES + (size_t)count * 4, &at);
    if (!frame)
        return NULL;
    put_head((uint8_t *)at, LIVE_DELTA, count, head);
    for (uint32_t i = 0; i < count; i++)
        put_little((uint8_t *)at + LIVE_HEAD_BYTES + 4 * (size_t)i, changes[i], 4);
    return frame;
}

/* ---- reading ---- */

uint32_t live_frame_change(const struct live_frame *frame, uint32_t i) {
    assert(frame->kind == LIVE_DELTA && i < frame->count);
    return (uint32_t)get_little(frame->body + 4 * (size_t)i, 4);
}

static bool snapshot_is_sound(const struct live_frame *frame, size_t length, uint32_t seat_count) {
    if (frame->count != seat_count || length != ((size_t)seat_count + 3) / 4 || frame->head.since)
        return false;
    for (size_t i = 0; i < length; i++)
        if (frame->body[i] & frame->body[i] >> 1 & 0x55)
            return false;
    return seat_count % 4 == 0 || frame->body[length - 1] >> seat_count % 4 * 2 == 0;
}

static bool delta_is_sound(const struct live_frame *frame, size_t length, uint32_t seat_count) {
    const struct live_head *head = &frame->head;
    if (length != 4 * (size_t)frame->count || head->since > head->sequence ||
        (head->since == head->sequence && frame->count))
        return false;
    uint32_t least = 0;
    for (uint32_t i = 0; i < frame->count; i++) {
        uint32_t change = live_frame_change(frame, i), seat = change >> 2;
        if (seat < least || seat >= seat_count || (change & 3) == 3)
            return false;
        least = seat + 1;
    }
    return true;
}

enum result live_frame_read(struct bytes message, uint32_t seat_count, struct live_frame *frame) {
    const uint8_t *at = (const uint8_t *)message.at;
    if (message.length < LIVE_HEAD_BYTES || at[1] != LIVE_FORMAT_VERSION || get_little(at + 2, 2) != 0)
        return RESULT_BAD_REQUEST;
    struct live_frame read = {
        .kind = (enum live_kind)at[0],
        .count = (uint32_t)get_little(at + 4, 4),
        .head = {get_little(at + 8, 8), get_little(at + 16, 8), get_little(at + 24, 8)},
        .body = at + LIVE_HEAD_BYTES,
    };
    size_t length = message.length - LIVE_HEAD_BYTES;
    bool is_sound = read.kind == LIVE_SNAPSHOT ? snapshot_is_sound(&read, length, seat_count)
                    : read.kind == LIVE_DELTA  ? delta_is_sound(&read, length, seat_count)
                                               : false;
    if (!is_sound)
        return RESULT_BAD_REQUEST;
    *frame = read;
    return RESULT_OK;
}
