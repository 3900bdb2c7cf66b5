/* GET …/queue/record: what the public gets to check a queue by. While the sale runs, the commitment, the seed once it
 * is revealed, and the signed heads of the chain; after it, the chain itself. `onsale verify --queue` reads the answer.
 */
#include "api/room_private.h"
#include "base/base64url.h"

#include <sodium.h>
#include <stdlib.h>

#define HEADS_SHOWN 64
#define KEPT_MS 60000                /* after it was asked for last */
#define PIECE_BYTES (3 * 256 * 1024) /* of the chain at a time: base64 takes threes */

static void write_hex(struct json_writer *writer, const char *key, const uint8_t *data, size_t length) {
    char text[2 * KEY_SIGNATURE_BYTES];
    hex_encode(data, length, text);
    json_member_string(writer, key, (struct bytes){text, 2 * length});
}

static void write_null(struct json_writer *writer, const char *key) {
    json_key(writer, key);
    json_put_null(writer);
}

static void write_key_id(struct json_writer *writer, uint32_t id) {
    char text[KEY_ID_TEXT];
    key_id_format(id, text);
    json_member_string(writer, "kid", (struct bytes){text, sizeof text});
}

static void write_keys(const struct keyring *keys, struct json_writer *writer) {
    json_key(writer, "public_keys");
    json_open(writer, '[');
    for (uint32_t i = 0; i < keys->count; i++) {
        char text[BASE64URL_TEXT(KEY_PUBLIC_BYTES)];
        base64url_encode(keys->of[i].public_key, KEY_PUBLIC_BYTES, text);
        json_open(writer, '{');
        write_key_id(writer, keys->of[i].id);
        json_member_string(writer, "x", (struct bytes){text, sizeof text});
        json_close(writer, '}');
    }
    json_close(writer, ']');
}

static void write_heads(struct room *room, struct json_writer *writer) {
    struct record_head heads[HEADS_SHOWN];
    unsigned count = room->api->queue_logs->heads(room->log, heads, HEADS_SHOWN);
    json_key(writer, "heads");
    json_open(writer, '[');
    for (unsigned i = 0; i < count; i++) {
        const struct record_event *event = &heads[i].event;
        json_open(writer, '{');
        json_member_int(writer, "offset", (int64_t)heads[i].offset);
        json_member_time(writer, "time", event->time_ms);
        json_member_int(writer, "time_ms", event->time_ms);
        json_member_int(writer, "open_ms", event->open_ms);
        write_hex(writer, "hash", event->head.hash, sizeof event->head.hash);
        write_key_id(writer, event->number);
        write_hex(writer, "signature", event->head.signature, sizeof event->head.signature);
        json_close(writer, '}');
    }
    json_close(writer, ']');
}

static void write_shuffle(struct room *room, struct json_writer *writer) {
    bool is_shuffled = room->order == ROOM_SHUFFLED, is_revealed = is_shuffled && room_is_opened(room);
    json_member_text(writer, "order", is_shuffled ? "shuffle" : "arrival");
    if (is_shuffled)
        write_hex(writer, "commitment", room->commitment, sizeof room->commitment);
    else
        write_null(writer, "commitment");
    json_member_text(writer, "beacon", is_shuffled && room->beacon[0] ? room->beacon : NULL);
    if (is_revealed)
        write_hex(writer, "seed", room->seed, sizeof room->seed);
    else
        write_null(writer, "seed");
    json_member_text(writer, "beacon_value", is_revealed && room->beacon_value[0] ? room->beacon_value : NULL);
    if (is_shuffled && room_is_frozen(room))
        json_member_int(writer, "frozen", room->frozen);
    else
        write_null(writer, "frozen");
}

/* The chain as a base64 text. */
static enum result write_chain(struct room *room, uint64_t length, struct buffer *out) {
    struct buffer piece;
    enum result result = RESULT_OK;
    buffer_init(&piece, PIECE_BYTES);
    buffer_add_char(out, '"');
    for (uint64_t from = 0; from < length && result == RESULT_OK; from += piece.length) {
        buffer_clear(&piece);
        uint64_t left = length - from;
        result = room->api->queue_logs->read(room->log, from, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES, &piece);
        if (result != RESULT_OK || piece.length == 0)
            break;
        size_t text = sodium_base64_encoded_len(piece.length, sodium_base64_VARIANT_ORIGINAL);
        char *room_for_text = buffer_reserve(out, text);
        if (!room_for_text)
            break;
        sodium_bin2base64(room_for_text, text, (const uint8_t *)piece.at, piece.length, sodium_base64_VARIANT_ORIGINAL);
        out->length += text - 1; /* without its NUL */
    }
    buffer_add_char(out, '"');
    buffer_release(&piece);
    return result;
}

static enum result write_record(struct room *room, enum sale_status status, uint64_t length, struct buffer *out) {
    struct json_writer writer = json_writer(out);
    enum result result = RESULT_OK;
    json_open(&writer, '{');
    json_key(&writer, "show_id");
    json_put_uuid(&writer, &room->sale->show_id);
    json_member_text(&writer, "status", sale_status_name(status));
    write_shuffle(room, &writer);
    write_keys(atomic_load(&room->api->keys), &writer);
    write_heads(room, &writer);
    json_member_int(&writer, "chain_bytes", (int64_t)length);
    json_key(&writer, "chain");
    if (status == SALE_STATUS_CLOSED) {
        result = write_chain(room, length, out);
        writer.comma = true;
    } else {
        json_put_null(&writer);
    }
    json_close(&writer, '}');
    return result == RESULT_OK && !buffer_ok(out) ? RESULT_OVERLOADED : result;
}

/* How far the shuffle is, as the record tells it: that is told once it is on disk, after the chain has grown by it. */
static unsigned stage_of(const struct room *room) {
    return (unsigned)room_is_frozen(room) + (unsigned)room_is_opened(room);
}

/* The caller holds record_lock. */
static enum result make_record(struct room *room, enum sale_status status, uint64_t length) {
    struct buffer out;
    unsigned stage = stage_of(room); /* before it is written: what comes meanwhile is news */
    buffer_init(&out, LIMIT_BLOB_BYTES);
    enum result result = write_record(room, status, length, &out);
    struct bytes content = buffer_bytes(&out);
    struct blob *record = result == RESULT_OK ? blob_copy(content) : NULL;
    if (record) {
        etag_of(content, room->record_etag);
        blob_drop(room->record);
        room->record = record;
        room->record_length = length;
        room->record_status = status;
        room->record_stage = stage;
    } else if (result == RESULT_OK) {
        result = RESULT_OVERLOADED;
    }
    buffer_release(&out);
    return result;
}

enum result room_read_record(struct room *room, int64_t now_ms, struct room_record *record) {
    enum sale_status status = sale_status_now(room->sale, now_ms);
    enum result result = RESULT_OK;
    pthread_mutex_lock(&room->lock);
    if (status == SALE_STATUS_CLOSED && room->api->queue_logs->length(room->log) != room->sealed_length)
        (void)room_seal(room, now_ms); /* nothing of a whole record is left uncovered */
    uint64_t length = room->api->queue_logs->length(room->log);
    pthread_mutex_unlock(&room->lock);
    pthread_mutex_lock(&room->record_lock);
    if (!room->record || room->record_length != length || room->record_status != status ||
        room->record_stage != stage_of(room))
        result = make_record(room, status, length);
    if (result == RESULT_OK) {
        room->record_used_ms = now_ms;
        record->body = blob_take(room->record);
        memcpy(record->etag, room->record_etag, sizeof record->etag);
    }
    pthread_mutex_unlock(&room->record_lock);
    return result;
}

void room_forget_record(struct room *room, int64_t now_ms) {
    pthread_mutex_lock(&room->record_lock);
    if (room->record && now_ms > room->record_used_ms + KEPT_MS) {
        blob_drop(room->record);
        room->record = NULL;
    }
    pthread_mutex_unlock(&room->record_lock);
}
