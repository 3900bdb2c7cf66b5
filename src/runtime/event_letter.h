/* What is sent for an event of the outbox: a CloudEvents 1.0 document (structured mode), signed as Standard Webhooks
 * says. docs/webhooks.md is written for who receives it.
 *
 * The signature is an HMAC-SHA256 over "id.timestamp.body"; a receiver that knows one of the secrets checks it, and
 * refuses a timestamp that is minutes away. While a secret is changed there are two, and a signature by each.
 */
#ifndef ONSALE_RUNTIME_EVENT_LETTER_H
#define ONSALE_RUNTIME_EVENT_LETTER_H

#include "bookings/ledger.h"

#define SIGNING_KEY_LEAST 24
#define SIGNING_KEY_MOST 64

struct signing_keys {
    unsigned count;
    struct {
        uint8_t at[SIGNING_KEY_MOST];
        size_t length;
    } keys[LIMIT_WEBHOOK_SECRETS];
};

/* "whsec_BASE64", or several between spaces. INVALID_FIELD: there is none, too many, or one is malformed or has not 24
 * to 64 bytes. */
MUST_USE enum result signing_keys_read(struct bytes text, struct signing_keys *keys);
void signing_keys_wipe(struct signing_keys *keys);

/* Appends the document. */
void letter_write_body(const struct outbox_event *event, const char *event_id, const char *installation,
                       struct buffer *out);
/* Appends the header lines that go with it, signed for this moment. */
void letter_write_headers(const char *event_id, struct bytes body, const struct signing_keys *keys, int64_t now_ms,
                          struct buffer *out);

#endif
