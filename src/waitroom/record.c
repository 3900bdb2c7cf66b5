#include "waitroom/record.h"
#include "base/panic.h"

#define OPENSSL_SUPPRESS_DEPRECATED /* the plain functions: EVP costs as much as the hash of such short texts */
#include <openssl/sha.h>
#include <sodium.h>

#define VERSION 1
#define TIME_BYTES 6
#define TIME_MOST ((1LL << 48) - 1)

static_assert(1 + 1 + 16 + TIME_BYTES + 32 + 1 + LIMIT_BEACON_BYTES <= RECORD_MOST_BYTES, "a START has room");
static_assert(1 + TIME_BYTES + 4 + 32 + 1 + LIMIT_BEACON_BYTES <= RECORD_MOST_BYTES, "an OPEN has room");
static_assert(LIMIT_BEACON_BYTES <= 255, "a text's length is one byte");

/* ---- fields ---- */

static uint8_t *put_uint(uint8_t *at, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    return at + bytes;
}

static uint8_t *put_time(uint8_t *at, int64_t ms) {
    assert(ms >= 0 && ms <= TIME_MOST);
    return put_uint(at, (uint64_t)ms, TIME_BYTES);
}

static uint8_t *put_data(uint8_t *at, const void *data, size_t length) {
    memcpy(at, data, length);
    return at + length;
}

static uint8_t *put_text(uint8_t *at, struct bytes text) {
    assert(text.length <= LIMIT_BEACON_BYTES);
    *at++ = (uint8_t)text.length;
    return text.length ? put_data(at, text.at, text.length) : at;
}

/* What is left to be read; `short_of`: something was asked for that is not there. */
struct reader {
    const uint8_t *at, *end;
    bool short_of;
};

static const uint8_t *take(struct reader *reader, size_t length) {
    static const uint8_t nothing[64];
    if (length > (size_t)(reader->end - reader->at)) {
        reader->short_of = true;
        return nothing;
    }
    const uint8_t *at = reader->at;
    reader->at += length;
    return at;
}

static uint64_t take_uint(struct reader *reader, unsigned bytes) {
    const uint8_t *at = take(reader, bytes);
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

static void take_data(struct reader *reader, void *data, size_t length) {
    memcpy(data, take(reader, length), length);
}

static struct bytes take_text(struct reader *reader) {
    size_t length = take_uint(reader, 1);
    if (length > LIMIT_BEACON_BYTES)
        reader->short_of = true;
    if (reader->short_of || length == 0)
        return BYTES("");
    const char *at = (const char *)take(reader, length);
    return reader->short_of ? BYTES("") : (struct bytes){at, length};
}

/* ---- records ---- */

static bool has_time(enum record_kind kind) {
    return kind != RECORD_START && kind != RECORD_KEY;
}

static uint8_t *put_fields(const struct record_event *event, uint8_t *at) {
    switch (event->kind) {
    case RECORD_START:
        *at++ = VERSION;
        at = put_data(at, event->start.show_id.at, sizeof event->start.show_id.at);
        at = put_time(at, event->time_ms);
        at = put_data(at, event->start.commitment, sizeof event->start.commitment);
        return put_text(at, event->start.beacon_name);
    case RECORD_TERMS:
        at = put_uint(at, event->terms.rate_per_minute, 4);
        at = put_uint(at, event->terms.max_active, 4);
        at = put_uint(at, event->terms.claim_seconds, 4);
        return put_uint(at, event->terms.pass_seconds, 4);
    case RECORD_KEY:
        at = put_uint(at, event->number, 4);
        return put_data(at, event->public_key, sizeof event->public_key);
    case RECORD_JOIN:
        return put_data(at, event->blinded.at, sizeof event->blinded.at);
    case RECORD_UNKNOWN:
    case RECORD_LEFT:
    case RECORD_DOOR:
    case RECORD_FREEZE:
    case RECORD_ADMIT:
    case RECORD_END:
        return put_uint(at, event->number, 4);
    case RECORD_CALL:
        at = put_uint(at, event->number, 4);
        return put_time(at, event->open_ms);
    case RECORD_OPEN:
        at = put_uint(at, event->number, 4);
        at = put_data(at, event->open.seed, sizeof event->open.seed);
        return put_text(at, event->open.beacon_value);
    case RECORD_HEAD:
        at = put_time(at, event->open_ms);
        at = put_data(at, event->head.hash, sizeof event->head.hash);
        at = put_uint(at, event->number, 4);
        return put_data(at, event->head.signature, sizeof event->head.signature);
    }
    impossible("a record of no kind");
}

size_t record_write(const struct record_event *event, uint8_t *to) {
    uint8_t *at = to;
    *at++ = (uint8_t)event->kind;
    if (has_time(event->kind))
        at = put_time(at, event->time_ms);
    return (size_t)(put_fields(event, at) - to);
}

/* False if it is of no kind that we know. */
static bool take_fields(struct reader *reader, struct record_event *event) {
    switch (event->kind) {
    case RECORD_START:
        if (take_uint(reader, 1) != VERSION)
            return false;
        take_data(reader, event->start.show_id.at, sizeof event->start.show_id.at);
        event->time_ms = (int64_t)take_uint(reader, TIME_BYTES);
        take_data(reader, event->start.commitment, sizeof event->start.commitment);
        event->start.beacon_name = take_text(reader);
        return true;
    case RECORD_TERMS:
        event->terms.rate_per_minute = (uint32_t)take_uint(reader, 4);
        event->terms.max_active = (uint32_t)take_uint(reader, 4);
        event->terms.claim_seconds = (uint32_t)take_uint(reader, 4);
        event->terms.pass_seconds = (uint32_t)take_uint(reader, 4);
        return true;
    case RECORD_KEY:
        event->number = (uint32_t)take_uint(reader, 4);
        take_data(reader, event->public_key, sizeof event->public_key);
        return true;
    case RECORD_JOIN:
        take_data(reader, event->blinded.at, sizeof event->blinded.at);
        return true;
    case RECORD_UNKNOWN:
    case RECORD_LEFT:
    case RECORD_DOOR:
    case RECORD_FREEZE:
    case RECORD_ADMIT:
    case RECORD_END:
        event->number = (uint32_t)take_uint(reader, 4);
        return true;
    case RECORD_CALL:
        event->number = (uint32_t)take_uint(reader, 4);
        event->open_ms = (int64_t)take_uint(reader, TIME_BYTES);
        return true;
    case RECORD_OPEN:
        event->number = (uint32_t)take_uint(reader, 4);
        take_data(reader, event->open.seed, sizeof event->open.seed);
        event->open.beacon_value = take_text(reader);
        return true;
    case RECORD_HEAD:
        event->open_ms = (int64_t)take_uint(reader, TIME_BYTES);
        take_data(reader, event->head.hash, sizeof event->head.hash);
        event->number = (uint32_t)take_uint(reader, 4);
        take_data(reader, event->head.signature, sizeof event->head.signature);
        return true;
    }
    return false;
}

size_t record_read(struct bytes from, struct record_event *event) {
    if (from.length == 0 || from.at[0] == 0)
        return 0;
    const uint8_t *begin = (const uint8_t *)from.at;
    struct reader reader = {begin + 1, begin + from.length, false};
    struct record_event read;
    read.kind = (enum record_kind) * begin;
    read.time_ms = 0;
    read.number = 0;
    read.open_ms = 0;
    if (has_time(read.kind))
        read.time_ms = (int64_t)take_uint(&reader, TIME_BYTES);
    if (!take_fields(&reader, &read) || reader.short_of)
        return SIZE_MAX;
    *event = read;
    return (size_t)(reader.at - begin);
}

/* ---- blinded ids and signatures ---- */

/* part() of shuffle.h: no bytes can move from one part into the next. */
static void add_part(SHA256_CTX *state, struct bytes part) {
    uint8_t length[4];
    put_uint(length, part.length, sizeof length);
    SHA256_Update(state, length, sizeof length);
    SHA256_Update(state, part.at, part.length);
}

/* Every fan who joins waits for this, so it is libcrypto's, which uses the processor's instructions: 0.1 µs, a quarter
 * of what libsodium needs. */
struct id record_blind(const struct id *show_id, const uint8_t salt[static 8], struct bytes user) {
    SHA256_CTX state;
    uint8_t hash[SHA256_DIGEST_LENGTH];
    SHA256_Init(&state);
    add_part(&state, BYTES("onsale place 1"));
    add_part(&state, (struct bytes){(const char *)show_id->at, sizeof show_id->at});
    add_part(&state, (struct bytes){(const char *)salt, 8});
    add_part(&state, user);
    SHA256_Final(hash, &state);
    struct id blinded;
    memcpy(blinded.at, hash, sizeof blinded.at);
    return blinded;
}

#define SIGNED_LABEL "onsale queue head 1"
#define SIGNED_BYTES (sizeof SIGNED_LABEL - 1 + 16 + 8 + TIME_BYTES + TIME_BYTES + RECORD_HASH_BYTES)

static void write_signed(const struct id *show_id, uint64_t offset, const struct record_event *head,
                         uint8_t to[static SIGNED_BYTES]) {
    uint8_t *at = put_data(to, SIGNED_LABEL, sizeof SIGNED_LABEL - 1);
    at = put_data(at, show_id->at, sizeof show_id->at);
    at = put_uint(at, offset, 8);
    at = put_time(at, head->time_ms);
    at = put_time(at, head->open_ms);
    at = put_data(at, head->head.hash, sizeof head->head.hash);
    assert(at == to + SIGNED_BYTES);
}

void record_head_sign(const struct key_generation *key, const struct id *show_id, uint64_t offset,
                      struct record_event *head) {
    uint8_t text[SIGNED_BYTES];
    assert(head->kind == RECORD_HEAD);
    write_signed(show_id, offset, head, text);
    head->number = key->id;
    crypto_sign_ed25519_detached(head->head.signature, NULL, text, sizeof text, key->secret_key);
}

bool record_head_is_signed(const uint8_t public_key[static KEY_PUBLIC_BYTES], const struct id *show_id, uint64_t offset,
                           const struct record_event *head) {
    uint8_t text[SIGNED_BYTES];
    write_signed(show_id, offset, head, text);
    return crypto_sign_ed25519_verify_detached(head->head.signature, text, sizeof text, public_key) == 0;
}
