#include "engines/memory/journal_format.h"
#include "base/crc32c.h"
#include "base/panic.h"

static_assert(LIMIT_SEATS_PER_HOLD <= UINT8_MAX, "a hold's seat count has one byte");
static_assert(LIMIT_USER_ID_BYTES <= UINT8_MAX, "a user's length has one byte");

static const char magic[8] = {'o', 'n', 's', 'a', 'l', 'e', 'j', '\n'};

/* ---- integers and ranges ---- */

static uint8_t *put_int(uint8_t *at, uint64_t value, int width) {
    for (int i = 0; i < width; i++)
        at[i] = (uint8_t)(value >> (8 * i));
    return at + width;
}

static uint8_t *put_range(uint8_t *at, const void *data, size_t length) {
    if (length)
        memcpy(at, data, length);
    return at + length;
}

static uint8_t *put_id(uint8_t *at, const struct id *id) {
    return put_range(at, id->at, sizeof id->at);
}

static uint64_t int_at(const uint8_t *at, int width) {
    uint64_t value = 0;
    for (int i = 0; i < width; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

/* A reader that runs dry says so once, at the end. */
struct reader {
    const uint8_t *at;
    size_t left;
    bool dry;
};

static struct reader reader_of(struct bytes payload) {
    return (struct reader){.at = (const uint8_t *)payload.at, .left = payload.length};
}

static const uint8_t *take_range(struct reader *reader, size_t length) {
    static const uint8_t nothing[LIMIT_USER_ID_BYTES];
    if (length > reader->left) {
        reader->dry = true;
        reader->left = 0;
        return nothing;
    }
    const uint8_t *at = reader->at;
    reader->at += length;
    reader->left -= length;
    return at;
}

static uint64_t take_int(struct reader *reader, int width) {
    return int_at(take_range(reader, (size_t)width), width);
}

static struct id take_id(struct reader *reader) {
    struct id id;
    memcpy(id.at, take_range(reader, sizeof id.at), sizeof id.at);
    return id;
}

/* ---- the header ---- */

void journal_write_header(const struct journal_header *header, uint8_t out[static JOURNAL_HEADER_BYTES]) {
    memset(out, 0, JOURNAL_HEADER_BYTES);
    uint8_t *at = put_range(out, magic, sizeof magic);
    at = put_int(at, JOURNAL_VERSION, 4);
    uint8_t *checksum = at;
    at = put_int(at, 0, 4);
    at = put_int(at, header->number, 8);
    at = put_int(at, header->first_sequence, 8);
    at = put_id(at, &header->boot);
    put_int(at, (uint64_t)header->wall_minus_boot_ms, 8);
    put_int(checksum, crc32c(0, out, JOURNAL_HEADER_BYTES), 4);
}

enum result journal_read_header(struct bytes segment, struct journal_header *header) {
    uint8_t copy[JOURNAL_HEADER_BYTES];
    if (segment.length < sizeof copy || memcmp(segment.at, magic, sizeof magic) != 0)
        return RESULT_CORRUPT;
    memcpy(copy, segment.at, sizeof copy);
    uint32_t version = (uint32_t)int_at(copy + 8, 4);
    if (version > JOURNAL_VERSION)
        return RESULT_NEWER_VERSION;
    uint32_t checksum = (uint32_t)int_at(copy + 12, 4);
    put_int(copy + 12, 0, 4);
    if (version != JOURNAL_VERSION || checksum != crc32c(0, copy, sizeof copy))
        return RESULT_CORRUPT;
    struct reader reader = {.at = copy + 16, .left = sizeof copy - 16};
    header->number = take_int(&reader, 8);
    header->first_sequence = take_int(&reader, 8);
    header->boot = take_id(&reader);
    header->wall_minus_boot_ms = (int64_t)take_int(&reader, 8);
    return RESULT_OK;
}

/* ---- payloads ---- */

static uint8_t *put_answer(uint8_t *at, const struct journal_answer *answer) {
    at = put_id(at, &answer->key.key);
    at = put_id(at, &answer->key.body_hash);
    at = put_int(at, answer->status, 4);
    at = put_int(at, (uint64_t)answer->created_ms, 8);
    return put_int(at, answer->body.length, 4);
}

static void take_answer(struct reader *reader, struct journal_answer *answer) {
    answer->key.key = take_id(reader);
    answer->key.body_hash = take_id(reader);
    answer->status = (uint32_t)take_int(reader, 4);
    answer->created_ms = (int64_t)take_int(reader, 8);
    size_t length = (size_t)take_int(reader, 4);
    const char *body = (const char *)reader->at;
    take_range(reader, length);
    answer->body = (struct bytes){body, length};
}

size_t journal_write_take(const struct journal_take *take, uint8_t out[static JOURNAL_TAKE_BYTES]) {
    const struct hold *hold = &take->hold;
    assert(hold->seat_count > 0 && hold->seat_count <= LIMIT_SEATS_PER_HOLD);
    uint8_t *at = put_id(out, &take->show_id);
    at = put_id(at, &take->plan_hash);
    at = put_id(at, &hold->reservation);
    at = put_id(at, &hold->booking);
    at = put_int(at, hold->fence, 8);
    at = put_int(at, (uint64_t)hold->taken_ms, 8);
    at = put_int(at, (uint64_t)hold->deadline_ms, 8);
    at = put_int(at, (uint64_t)hold->store_deadline_ms, 8);
    at = put_int(at, (uint64_t)hold->amount, 8);
    at = put_int(at, hold->state == HOLD_PAYING, 1);
    at = put_int(at, hold->payments_begun, 1);
    at = put_int(at, hold->user.length, 1);
    at = put_int(at, hold->seat_count, 1);
    at = put_range(at, hold->user.text, hold->user.length);
    for (uint32_t i = 0; i < hold->seat_count; i++)
        at = put_int(at, take->seats[i], 4);
    at = put_answer(at, &take->answer);
    return (size_t)(at - out);
}

bool journal_read_take(struct bytes payload, struct journal_take *take) {
    struct reader reader = reader_of(payload);
    struct hold *hold = &take->hold;
    *take = (struct journal_take){.show_id = take_id(&reader)};
    take->plan_hash = take_id(&reader);
    hold->reservation = take_id(&reader);
    hold->booking = take_id(&reader);
    hold->fence = take_int(&reader, 8);
    hold->taken_ms = (int64_t)take_int(&reader, 8);
    hold->deadline_ms = (int64_t)take_int(&reader, 8);
    hold->store_deadline_ms = (int64_t)take_int(&reader, 8);
    hold->amount = (int64_t)take_int(&reader, 8);
    uint8_t paying = (uint8_t)take_int(&reader, 1);
    hold->state = paying ? HOLD_PAYING : HOLD_HELD;
    hold->payments_begun = (uint8_t)take_int(&reader, 1);
    hold->user.length = (uint8_t)take_int(&reader, 1);
    hold->seat_count = (uint32_t)take_int(&reader, 1);
    if (hold->user.length > LIMIT_USER_ID_BYTES || hold->seat_count == 0 || hold->seat_count > LIMIT_SEATS_PER_HOLD)
        return false;
    memcpy(hold->user.text, take_range(&reader, hold->user.length), hold->user.length);
    for (uint32_t i = 0; i < hold->seat_count; i++)
        take->seats[i] = (uint32_t)take_int(&reader, 4);
    take_answer(&reader, &take->answer);
    return !reader.dry && reader.left == 0 && paying <= 1 && !id_is_none(&hold->reservation) &&
           hold->taken_ms <= hold->deadline_ms && hold->deadline_ms <= hold->store_deadline_ms;
}

size_t journal_write_step(const struct journal_step *step, uint8_t out[static JOURNAL_TAKE_BYTES]) {
    uint8_t *at = put_id(out, &step->show_id);
    at = put_id(at, &step->reservation);
    at = put_int(at, step->what, 1);
    at = put_int(at, step->payments_begun, 1);
    if (step->what == JOURNAL_PAYING)
        at = put_id(at, &step->booking);
    return (size_t)(at - out);
}

bool journal_read_step(struct bytes payload, struct journal_step *step) {
    struct reader reader = reader_of(payload);
    *step = (struct journal_step){.show_id = take_id(&reader)};
    step->reservation = take_id(&reader);
    uint8_t what = (uint8_t)take_int(&reader, 1);
    step->what = (enum journal_what)what;
    step->payments_begun = (uint8_t)take_int(&reader, 1);
    if (what == JOURNAL_PAYING)
        step->booking = take_id(&reader);
    return !reader.dry && reader.left == 0 && what >= JOURNAL_RELEASED && what <= JOURNAL_LOST;
}

size_t journal_write_answer(const struct journal_answer *answer, uint8_t out[static JOURNAL_TAKE_BYTES]) {
    return (size_t)(put_answer(out, answer) - out);
}

bool journal_read_answer(struct bytes payload, struct journal_answer *answer) {
    struct reader reader = reader_of(payload);
    take_answer(&reader, answer);
    return !reader.dry && reader.left == 0 && !id_is_none(&answer->key.key);
}

void journal_write_mark(int64_t now_ms, uint8_t out[static 8]) {
    put_int(out, (uint64_t)now_ms, 8);
}

bool journal_read_mark(struct bytes payload, int64_t *now_ms) {
    struct reader reader = reader_of(payload);
    int64_t ms = (int64_t)take_int(&reader, 8);
    if (reader.dry || reader.left)
        return false;
    *now_ms = ms;
    return true;
}

size_t journal_take_size(const struct hold *hold) {
    return JOURNAL_FRAME_BYTES + JOURNAL_TAKE_BYTES - LIMIT_USER_ID_BYTES - 4 * LIMIT_SEATS_PER_HOLD +
           hold->user.length + 4 * (size_t)hold->seat_count;
}

/* ---- frames ---- */

void journal_begin_frame(uint8_t *frame, enum journal_kind kind, size_t payload_length, uint32_t dead) {
    assert(payload_length <= JOURNAL_PAYLOAD_LIMIT);
    frame = put_int(frame, payload_length, 4);
    frame = put_int(frame, 0, 4);
    frame = put_int(frame, dead, 8);
    put_int(frame, kind, 4);
}

/* Over the length, and then all behind the checksum. */
static uint32_t checksum_of(const uint8_t *frame, size_t whole) {
    return crc32c(crc32c(0, frame, 4), frame + 8, whole - 8);
}

size_t journal_seal_frame(uint8_t *frame, uint64_t sequence, enum journal_kind *kind, uint32_t *dead) {
    size_t whole = JOURNAL_FRAME_BYTES + (size_t)int_at(frame, 4);
    *dead = (uint32_t)int_at(frame + 8, 8);
    *kind = (enum journal_kind)int_at(frame + 16, 4);
    put_int(frame + 8, sequence, 8);
    put_int(frame + 4, checksum_of(frame, whole), 4);
    return whole;
}

bool journal_next_record(struct bytes *bytes, struct journal_record *record) {
    if (bytes->length < JOURNAL_FRAME_BYTES)
        return false;
    const uint8_t *frame = (const uint8_t *)bytes->at;
    uint64_t length = int_at(frame, 4);
    uint64_t kind = int_at(frame + 16, 4);
    if (length > JOURNAL_PAYLOAD_LIMIT || length > bytes->length - JOURNAL_FRAME_BYTES || kind < JOURNAL_MARK ||
        kind > JOURNAL_KEPT)
        return false;
    size_t whole = JOURNAL_FRAME_BYTES + (size_t)length;
    if (int_at(frame + 4, 4) != checksum_of(frame, whole))
        return false;
    *record = (struct journal_record){.kind = (enum journal_kind)kind,
                                      .sequence = int_at(frame + 8, 8),
                                      .payload = {bytes->at + JOURNAL_FRAME_BYTES, (size_t)length}};
    bytes->at += whole;
    bytes->length -= whole;
    return true;
}
