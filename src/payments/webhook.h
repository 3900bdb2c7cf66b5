/* What a gateway's webhook says: that something has happened to a payment. It is a hint and nothing more: whoever gets
 * it asks the gateway. So a webhook that comes twice, late, or in another order than things happened, does no harm.
 *
 * Who sent it is checked first, over the body's bytes as they came (Stripe, "Verify webhook signatures"): the header
 * "t=UNIX,v1=HEX[,v1=HEX…]" holds HMAC-SHA256(secret, "UNIX.BODY"); several v1 while a secret is changed, other schemes
 * are left aside. Compared in constant time; a time that is more than WEBHOOK_TOLERANCE_SECONDS from ours is refused,
 * so that an old message cannot be sent again much later.
 */
#ifndef ONSALE_PAYMENTS_WEBHOOK_H
#define ONSALE_PAYMENTS_WEBHOOK_H

#include "payments/payments.h"

#define WEBHOOK_TOLERANCE_SECONDS 300

struct payment_hint {
    char event_id[PAYMENT_ID_BYTES];
    char type[PAYMENT_CODE_BYTES]; /* "payment_intent.succeeded" … */
    struct id booking;             /* of the payment's metadata; none: not a payment of ours */
};

/* `secrets`: one or more, between spaces. UNAUTHORIZED unless one of them signed the body, within the tolerance. */
MUST_USE enum result webhook_check(struct bytes header, struct bytes body, struct bytes secrets, int64_t now_ms);

/* BAD_JSON, or BAD_REQUEST where it is no event. What we do not know is no error: an event of another kind has no
 * booking. */
MUST_USE enum result webhook_read(struct bytes body, struct payment_hint *hint);

#endif
