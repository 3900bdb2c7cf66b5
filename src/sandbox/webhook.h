/* What a webhook carries, and when one that was not taken comes again: as Stripe documents both
 * (docs.stripe.com/webhooks, "Verify webhook signatures manually" and "Retry behavior"). */
#ifndef ONSALE_SANDBOX_WEBHOOK_H
#define ONSALE_SANDBOX_WEBHOOK_H

#include "base/bytes.h"

#define WEBHOOK_LIFE_MS 259200000 /* an event is tried for three days */
#define WEBHOOK_SIGNATURE_BYTES 96

/* The Stripe-Signature of a body sent at that second: "t=SECONDS,v1=HEX", an HMAC-SHA256 under the secret as it is
 * written. With its NUL. */
void webhook_sign(struct bytes secret, int64_t now_s, struct bytes body, char text[static WEBHOOK_SIGNATURE_BYTES]);

/* How long to wait after `failures` (1 or more) tries in vain: about 1, 3, 8 and 20 seconds, then from a minute on
 * twice as long each time, an hour at most. `chance` is any 64 bits of it: a fifth more or less, so that what failed
 * together does not come again together. */
int64_t webhook_wait_ms(uint32_t failures, uint64_t chance);

#endif
