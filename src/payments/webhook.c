#include "payments/webhook.h"
#include "base/json.h"

#include <sodium.h>
#include <stdio.h>

#define MAC_BYTES crypto_auth_hmacsha256_BYTES

/* The first of `list` up to the separator; the rest stays in `list`. False: nothing is left. */
static bool take_item(struct bytes *list, char separator, struct bytes *item) {
    while (list->length && *list->at == separator)
        *list = (struct bytes){list->at + 1, list->length - 1};
    if (!list->length)
        return false;
    const char *end = memchr(list->at, separator, list->length);
    size_t length = end ? (size_t)(end - list->at) : list->length;
    *item = (struct bytes){list->at, length};
    *list = (struct bytes){list->at + length, list->length - length};
    return true;
}

static void sign(struct bytes secret, struct bytes time, struct bytes body, unsigned char mac[static MAC_BYTES]) {
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret.at, secret.length);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)time.at, time.length);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)".", 1);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)body.at, body.length);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_memzero(&state, sizeof state);
}

/* "t=…": exactly one, and near enough. */
static bool read_time(struct bytes header, int64_t now_ms, struct bytes *time) {
    struct bytes item;
    unsigned found = 0;
    while (take_item(&header, ',', &item)) {
        if (bytes_start_with(item, BYTES("t="))) {
            *time = (struct bytes){item.at + 2, item.length - 2};
            found++;
        }
    }
    uint64_t seconds;
    if (found != 1 || !bytes_to_u64(*time, INT64_MAX / 1000, &seconds))
        return false;
    int64_t apart = now_ms / 1000 - (int64_t)seconds;
    return apart <= WEBHOOK_TOLERANCE_SECONDS && apart >= -WEBHOOK_TOLERANCE_SECONDS;
}

/* Every signature of the header is compared, whatever the ones before it were. */
static bool is_signed_with(struct bytes header, const unsigned char mac[static MAC_BYTES]) {
    struct bytes item;
    bool found = false;
    while (take_item(&header, ',', &item)) {
        unsigned char said[MAC_BYTES];
        size_t length = 0;
        if (item.length != 3 + 2 * MAC_BYTES || !bytes_start_with(item, BYTES("v1=")) ||
            sodium_hex2bin(said, sizeof said, item.at + 3, item.length - 3, NULL, &length, NULL) != 0 ||
            length != sizeof said)
            continue;
        found |= sodium_memcmp(said, mac, sizeof said) == 0;
    }
    return found;
}

enum result webhook_check(struct bytes header, struct bytes body, struct bytes secrets, int64_t now_ms) {
    struct bytes time, secret;
    bool good = false;
    if (!read_time(header, now_ms, &time))
        return RESULT_UNAUTHORIZED;
    while (take_item(&secrets, ' ', &secret)) {
        unsigned char mac[MAC_BYTES];
        sign(secret, time, body, mac);
        good |= is_signed_with(header, mac);
        sodium_memzero(mac, sizeof mac);
    }
    return good ? RESULT_OK : RESULT_UNAUTHORIZED;
}

static void copy_word(const json_t *value, char *out, size_t size) {
    if (json_is_string(value) && json_string_length(value) < size)
        snprintf(out, size, "%s", json_string_value(value));
}

enum result webhook_read(struct bytes body, struct payment_hint *hint) {
    json_t *document;
    char detail[100];
    struct payment_hint read = {0};
    enum result result = json_parse(body, &document, detail, sizeof detail);
    if (result != RESULT_OK)
        return result;
    copy_word(json_object_get(document, "id"), read.event_id, sizeof read.event_id);
    copy_word(json_object_get(document, "type"), read.type, sizeof read.type);
    const json_t *object = json_object_get(json_object_get(document, "data"), "object");
    const json_t *booking = json_object_get(json_object_get(object, "metadata"), "booking_id");
    if (json_is_string(booking)) {
        struct bytes text = {json_string_value(booking), json_string_length(booking)};
        if (!id_parse_letter(text, 'b', &read.booking))
            read.booking = (struct id){{0}};
    }
    bool understood = read.event_id[0] && read.type[0] && json_is_object(object);
    json_decref(document);
    if (!understood)
        return RESULT_BAD_REQUEST;
    *hint = read;
    return RESULT_OK;
}
