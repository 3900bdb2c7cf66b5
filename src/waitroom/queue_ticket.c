#include "waitroom/queue_ticket.h"
#include "base/base64url.h"
#include "base/panic.h"

#include <sodium.h>

/* Where each part lies; the MAC follows the user. */
enum {
    KEY_AT = 0,
    SHOW_AT = 4,
    NUMBER_AT = 20,
    ISSUED_AT = 24,
    SALT_AT = 30,
    USER_AT = 38,
    MOST_BYTES = USER_AT + LIMIT_USER_ID_BYTES + KEY_MAC_SIZE
};

static const struct bytes prefix = {"q1.", 3};

static_assert(3 + BASE64URL_TEXT(MOST_BYTES) <= LIMIT_QUEUE_TICKET_BYTES, "the longest ticket is within its limit");

static void put(uint8_t *to, unsigned bytes, uint64_t value) {
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

static uint64_t get(const uint8_t *from, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | from[i];
    return value;
}

static void sign(const struct key_generation *key, const uint8_t *data, size_t user, uint8_t mac[static KEY_MAC_SIZE]) {
    const char *at = (const char *)data;
    const struct bytes parts[] = {BYTES("onsale queue ticket 1"),
                                  {at + KEY_AT, SHOW_AT - KEY_AT},
                                  {at + SHOW_AT, NUMBER_AT - SHOW_AT},
                                  {at + NUMBER_AT, ISSUED_AT - NUMBER_AT},
                                  {at + ISSUED_AT, SALT_AT - ISSUED_AT},
                                  {at + SALT_AT, USER_AT - SALT_AT},
                                  {at + USER_AT, user}};
    key_mac(key_mac_key(key), parts, sizeof parts / sizeof parts[0], mac);
}

void queue_ticket_write(const struct keyring *ring, const struct queue_ticket *ticket, struct buffer *out) {
    assert(ticket->user.length >= 1 && ticket->user.length <= LIMIT_USER_ID_BYTES);
    assert(ticket->issued_ms >= 0 && ticket->issued_ms < 1LL << 48);
    const struct key_generation *key = keyring_newest(ring);
    uint8_t data[MOST_BYTES];
    size_t length = USER_AT + (size_t)ticket->user.length + KEY_MAC_SIZE;
    put(data + KEY_AT, 4, key->id);
    memcpy(data + SHOW_AT, ticket->show_id.at, sizeof ticket->show_id.at);
    put(data + NUMBER_AT, 4, ticket->number);
    put(data + ISSUED_AT, 6, (uint64_t)ticket->issued_ms);
    memcpy(data + SALT_AT, ticket->salt, sizeof ticket->salt);
    memcpy(data + USER_AT, ticket->user.text, ticket->user.length);
    sign(key, data, ticket->user.length, data + USER_AT + ticket->user.length);
    char *text = buffer_reserve(out, prefix.length + BASE64URL_TEXT(length));
    if (!text)
        return;
    memcpy(text, prefix.at, prefix.length);
    base64url_encode(data, length, text + prefix.length);
    out->length += prefix.length + BASE64URL_TEXT(length);
}

/* The bytes of a ticket that may be one; how long its user is. */
static bool decode(struct bytes text, uint8_t data[static MOST_BYTES], size_t *user) {
    size_t length;
    if (!bytes_start_with(text, prefix))
        return false;
    struct bytes rest = {text.at + prefix.length, text.length - prefix.length};
    if (!base64url_decode(rest, MOST_BYTES, data, &length) || length < USER_AT + 1 + KEY_MAC_SIZE)
        return false;
    *user = length - USER_AT - KEY_MAC_SIZE;
    return true;
}

static void take_apart(const uint8_t *data, size_t user, struct queue_ticket *ticket) {
    memcpy(ticket->show_id.at, data + SHOW_AT, sizeof ticket->show_id.at);
    ticket->number = (uint32_t)get(data + NUMBER_AT, 4);
    ticket->issued_ms = (int64_t)get(data + ISSUED_AT, 6);
    memcpy(ticket->salt, data + SALT_AT, sizeof ticket->salt);
    ticket->user.length = (uint8_t)user;
    memcpy(ticket->user.text, data + USER_AT, user);
}

enum result queue_ticket_read(const struct keyring *ring, struct bytes text, struct queue_ticket *ticket) {
    uint8_t data[MOST_BYTES], mac[KEY_MAC_SIZE];
    size_t user;
    if (!decode(text, data, &user))
        return RESULT_QUEUE_TICKET_INVALID;
    const struct key_generation *key = keyring_find(ring, (uint32_t)get(data + KEY_AT, 4));
    if (!key)
        return RESULT_QUEUE_TICKET_INVALID;
    sign(key, data, user, mac);
    if (sodium_memcmp(mac, data + USER_AT + user, sizeof mac) != 0)
        return RESULT_QUEUE_TICKET_INVALID;
    take_apart(data, user, ticket);
    return RESULT_OK;
}

enum result queue_ticket_read_unchecked(struct bytes text, struct queue_ticket *ticket) {
    uint8_t data[MOST_BYTES];
    size_t user;
    if (!decode(text, data, &user) || !bytes_are_utf8((struct bytes){(const char *)data + USER_AT, user}))
        return RESULT_QUEUE_TICKET_INVALID;
    take_apart(data, user, ticket);
    return RESULT_OK;
}
