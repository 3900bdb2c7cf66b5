#include "runtime/event_letter.h"
#include "api/event_id.h"
#include "base/json.h"

#include <sodium.h>
#include <stdio.h>

#define SIGNATURE_TEXT sodium_base64_ENCODED_LEN(crypto_auth_hmacsha256_BYTES, sodium_base64_VARIANT_ORIGINAL)

static bool read_key(struct bytes text, uint8_t key[static SIGNING_KEY_MOST], size_t *length) {
    const struct bytes prefix = BYTES("whsec_");
    return bytes_start_with(text, prefix) &&
           sodium_base642bin(key, SIGNING_KEY_MOST, text.at + prefix.length, text.length - prefix.length, NULL, length,
                             NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
           *length >= SIGNING_KEY_LEAST;
}

enum result signing_keys_read(struct bytes text, struct signing_keys *keys) {
    struct signing_keys read = {0};
    bool good = true;
    while (good && text.length) {
        const char *space = memchr(text.at, ' ', text.length);
        struct bytes word = {text.at, space ? (size_t)(space - text.at) : text.length};
        size_t used = word.length + (space ? 1 : 0);
        text = (struct bytes){text.at + used, text.length - used};
        if (word.length == 0)
            continue;
        good = read.count < LIMIT_WEBHOOK_SECRETS &&
               read_key(word, read.keys[read.count].at, &read.keys[read.count].length);
        read.count++;
    }
    good = good && read.count > 0;
    if (good)
        *keys = read;
    signing_keys_wipe(&read);
    return good ? RESULT_OK : RESULT_INVALID_FIELD;
}

void signing_keys_wipe(struct signing_keys *keys) {
    sodium_memzero(keys, sizeof *keys);
}

void letter_write_body(const struct outbox_event *event, const char *event_id, const char *installation,
                       struct buffer *out) {
    struct json_writer writer = json_writer(out);
    char words[160];
    json_open(&writer, '{');
    json_member_text(&writer, "specversion", "1.0");
    json_member_text(&writer, "id", event_id);
    snprintf(words, sizeof words, "urn:onsale:%s", installation);
    json_member_text(&writer, "source", words);
    snprintf(words, sizeof words, EVENT_TYPE_PREFIX "%.*s", (int)event->type.length, event->type.at);
    json_member_text(&writer, "type", words);
    json_member_string(&writer, "subject", event->subject);
    json_member_time(&writer, "time", event->at_ms);
    json_member_text(&writer, "datacontenttype", "application/json");
    /* CloudEvents' extension for the order in which things happened: as a text it sorts as the number does. */
    snprintf(words, sizeof words, "%020llu", (unsigned long long)event->number);
    json_member_text(&writer, "sequence", words);
    json_key(&writer, "data");
    json_put_raw(&writer, event->data);
    json_close(&writer, '}');
}

void letter_write_headers(const char *event_id, struct bytes body, const struct signing_keys *keys, int64_t now_ms,
                          struct buffer *out) {
    char signed_head[160];
    int64_t now_seconds = now_ms / 1000;
    int length = snprintf(signed_head, sizeof signed_head, "%s.%lld.", event_id, (long long)now_seconds);
    buffer_printf(out,
                  "Content-Type: application/cloudevents+json; charset=utf-8\r\nwebhook-id: %s\r\n"
                  "webhook-timestamp: %lld\r\nwebhook-signature:",
                  event_id, (long long)now_seconds);
    for (unsigned i = 0; i < keys->count; i++) {
        crypto_auth_hmacsha256_state state;
        uint8_t mac[crypto_auth_hmacsha256_BYTES];
        char text[SIGNATURE_TEXT];
        crypto_auth_hmacsha256_init(&state, keys->keys[i].at, keys->keys[i].length);
        crypto_auth_hmacsha256_update(&state, (const uint8_t *)signed_head, (unsigned long long)length);
        crypto_auth_hmacsha256_update(&state, (const uint8_t *)body.at, body.length);
        crypto_auth_hmacsha256_final(&state, mac);
        sodium_bin2base64(text, sizeof text, mac, sizeof mac, sodium_base64_VARIANT_ORIGINAL);
        buffer_printf(out, " v1,%s", text);
    }
    buffer_add_text(out, "\r\n");
}
