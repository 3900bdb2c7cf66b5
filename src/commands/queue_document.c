#include "commands/queue_document.h"
#include "base/base64url.h"
#include "base/files.h"
#include "base/json.h"
#include "base/limits.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- members ---- */

struct reading {
    struct queue_document *document;
    char *fault;
    size_t fault_size;
};

static bool bad(struct reading *reading, const char *member, const char *what) {
    snprintf(reading->fault, reading->fault_size, "'%s' %s", member, what);
    return false;
}

/* A member that has to be there; *text is borrowed. NULL is allowed where `may_be_null`: then *text is empty. */
static bool get_text(struct reading *reading, const json_t *object, const char *name, bool may_be_null,
                     struct bytes *text) {
    const json_t *value = json_object_get(object, name);
    *text = BYTES("");
    if (may_be_null && json_is_null(value))
        return true;
    if (!json_is_string(value))
        return bad(reading, name, "is missing, or is no text");
    *text = (struct bytes){json_string_value(value), json_string_length(value)};
    return true;
}

static bool get_hex(struct reading *reading, const json_t *object, const char *name, uint8_t *data, size_t length) {
    struct bytes text;
    if (!get_text(reading, object, name, false, &text))
        return false;
    return hex_decode(text, data, length) || bad(reading, name, "is not as many lower-case hex digits as it should be");
}

static bool get_number(struct reading *reading, const json_t *object, const char *name, int64_t most, int64_t *number) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > most)
        return bad(reading, name, "is missing, or is no such number");
    *number = json_integer_value(value);
    return true;
}

static bool get_key_id(struct reading *reading, const json_t *object, uint32_t *id) {
    struct bytes text;
    return get_text(reading, object, "kid", false, &text) &&
           (key_id_parse(text, id) || bad(reading, "kid", "is not eight lower-case hex digits"));
}

static bool get_list(struct reading *reading, const json_t *object, const char *name, size_t most,
                     const json_t **list) {
    *list = json_object_get(object, name);
    if (!json_is_array(*list))
        return bad(reading, name, "is missing, or is no list");
    return json_array_size(*list) <= most || bad(reading, name, "is longer than any that onsale writes");
}

/* ---- parts ---- */

static bool get_show(struct reading *reading, const json_t *root) {
    struct bytes text;
    return get_text(reading, root, "show_id", false, &text) &&
           (id_parse_uuid(text, &reading->document->show_id) || bad(reading, "show_id", "is no UUID"));
}

static bool get_order(struct reading *reading, const json_t *root) {
    struct queue_document *document = reading->document;
    struct bytes order, beacon;
    if (!get_text(reading, root, "order", false, &order) || !get_text(reading, root, "beacon", true, &beacon))
        return false;
    document->is_shuffled = bytes_equal(order, BYTES("shuffle"));
    if (!document->is_shuffled && !bytes_equal(order, BYTES("arrival")))
        return bad(reading, "order", "is neither arrival nor shuffle");
    if (beacon.length > LIMIT_BEACON_BYTES)
        return bad(reading, "beacon", "is too long");
    memcpy(document->beacon, beacon.at, beacon.length);
    if (!document->is_shuffled)
        return true;
    document->is_revealed = !json_is_null(json_object_get(root, "seed"));
    return get_hex(reading, root, "commitment", document->commitment, sizeof document->commitment) &&
           (!document->is_revealed || get_hex(reading, root, "seed", document->seed, sizeof document->seed));
}

static bool get_keys(struct reading *reading, const json_t *root) {
    struct queue_document *document = reading->document;
    const json_t *list, *item;
    size_t i;
    if (!get_list(reading, root, "public_keys", QUEUE_DOCUMENT_KEYS, &list))
        return false;
    json_array_foreach(list, i, item) {
        struct public_key *key = &document->keys[i];
        struct bytes text;
        size_t length;
        if (!get_key_id(reading, item, &key->id) || !get_text(reading, item, "x", false, &text))
            return false;
        if (!base64url_decode(text, sizeof key->bytes, key->bytes, &length) || length != sizeof key->bytes)
            return bad(reading, "x", "is no Ed25519 key in base64url");
        document->key_count++;
    }
    return true;
}

static bool get_heads(struct reading *reading, const json_t *root) {
    struct queue_document *document = reading->document;
    const json_t *list, *item;
    size_t i;
    if (!get_list(reading, root, "heads", QUEUE_DOCUMENT_HEADS, &list))
        return false;
    json_array_foreach(list, i, item) {
        struct record_head *head = &document->heads[i];
        struct record_event *event = &head->event;
        int64_t offset;
        *event = (struct record_event){.kind = RECORD_HEAD};
        if (!get_number(reading, item, "offset", LIMIT_RECORD_BYTES, &offset) ||
            !get_number(reading, item, "time_ms", (1LL << 48) - 1, &event->time_ms) ||
            !get_number(reading, item, "open_ms", (1LL << 48) - 1, &event->open_ms) ||
            !get_hex(reading, item, "hash", event->head.hash, sizeof event->head.hash) ||
            !get_key_id(reading, item, &event->number) ||
            !get_hex(reading, item, "signature", event->head.signature, sizeof event->head.signature))
            return false;
        head->offset = (uint64_t)offset;
        if (i && head->offset <= document->heads[i - 1].offset)
            return bad(reading, "heads", "are not in order");
        document->head_count++;
    }
    return true;
}

static bool get_chain(struct reading *reading, const json_t *root) {
    struct queue_document *document = reading->document;
    struct bytes text;
    int64_t length;
    size_t decoded = 0;
    const char *end;
    if (!get_number(reading, root, "chain_bytes", LIMIT_RECORD_BYTES, &length) ||
        !get_text(reading, root, "chain", true, &text))
        return false;
    if (json_is_null(json_object_get(root, "chain")))
        return true;
    size_t room = text.length / 4 * 3 + 3;
    buffer_init(&document->chain, room);
    char *to = buffer_reserve(&document->chain, room);
    if (!to)
        return bad(reading, "chain", "does not fit this machine's memory");
    if (sodium_base642bin((uint8_t *)to, room, text.at, text.length, NULL, &decoded, &end,
                          sodium_base64_VARIANT_ORIGINAL) ||
        end != text.at + text.length)
        return bad(reading, "chain", "is not base64");
    document->chain.length = decoded;
    document->has_chain = true;
    return decoded == (size_t)length || bad(reading, "chain", "is not as long as 'chain_bytes' says");
}

static bool read_members(struct reading *reading, const json_t *root) {
    if (!json_is_object(root)) {
        snprintf(reading->fault, reading->fault_size, "it is no JSON object");
        return false;
    }
    return get_show(reading, root) && get_order(reading, root) && get_keys(reading, root) && get_heads(reading, root) &&
           get_chain(reading, root);
}

/* ---- */

static enum result read_file(const char *path, struct buffer *content, char *fault, size_t fault_size) {
    buffer_init(content, LIMIT_RECORD_BYTES);
    enum result result = file_read(path, content);
    if (result == RESULT_NOT_FOUND || result == RESULT_IO_ERROR) {
        snprintf(fault, fault_size, "it cannot be read: %s", strerror(errno));
        return RESULT_IO_ERROR;
    }
    if (result == RESULT_BODY_TOO_LARGE)
        snprintf(fault, fault_size, "it is larger than any record of onsale, or than this machine's memory");
    return result;
}

enum result queue_document_read(const char *path, struct queue_document *document, char *fault, size_t fault_size) {
    struct buffer content;
    char detail[200];
    json_t *root = NULL;
    *document = (struct queue_document){0};
    enum result result = read_file(path, &content, fault, fault_size);
    if (result == RESULT_OK && content.length && content.at[0] == RECORD_START) {
        document->is_bare = document->has_chain = true;
        document->chain = content;
        return RESULT_OK;
    }
    if (result == RESULT_OK && content.length > LIMIT_QUEUE_DOCUMENT_BYTES) {
        snprintf(fault, fault_size, "it is larger than any document of onsale");
        result = RESULT_BODY_TOO_LARGE;
    }
    if (result == RESULT_OK && json_parse(buffer_bytes(&content), &root, detail, sizeof detail) != RESULT_OK) {
        snprintf(fault, fault_size, "it is neither JSON (%s) nor a bare record", detail);
        result = RESULT_CORRUPT;
    }
    buffer_release(&content);
    if (result != RESULT_OK)
        return result;
    struct reading reading = {document, fault, fault_size};
    if (!read_members(&reading, root))
        result = RESULT_CORRUPT;
    json_decref(root);
    return result;
}

void queue_document_release(struct queue_document *document) {
    buffer_release(&document->chain);
}

const uint8_t *queue_document_key(const struct queue_document *document, uint32_t id) {
    for (unsigned i = 0; i < document->key_count; i++)
        if (document->keys[i].id == id)
            return document->keys[i].bytes;
    return NULL;
}
