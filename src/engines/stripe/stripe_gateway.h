/* A payment gateway that speaks Stripe's PaymentIntents over HTTP: the port of payments/payments.h on libcurl's multi
 * interface, driven by one epoll on the thread that calls run(). README.md has its rules.
 */
#ifndef ONSALE_ENGINES_STRIPE_GATEWAY_H
#define ONSALE_ENGINES_STRIPE_GATEWAY_H

#include "payments/payments.h"

struct stripe_settings {
    const char *url;          /* "https://api.stripe.com", or "http://127.0.0.1:port" (plain HTTP to loopback only) */
    const char *secret_key;   /* "sk_…"; copied, never logged */
    int connect_ms;           /* 0: 2,000 */
    int call_ms;              /* the whole call, connecting included; 0: 10,000 */
    uint32_t max_connections; /* 0: LIMIT_GATEWAY_CONNECTIONS, which is also the most */
};

/* RESULT_INVALID_FIELD: the URL is none, is plain HTTP to another machine, or the key has characters that a header
 * cannot carry. RESULT_OVERLOADED: memory or descriptors ran out. Freed by payments->free(), which abandons what is
 * under way without calling `done`. */
MUST_USE enum result stripe_gateway_new(const struct stripe_settings *settings, struct payments *payments);

#endif
