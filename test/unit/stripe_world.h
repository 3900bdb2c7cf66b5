/* A Stripe engine, and calls to be performed with it one by one. */
#ifndef ONSALE_TEST_STRIPE_WORLD_H
#define ONSALE_TEST_STRIPE_WORLD_H

#include "gateway_world.h"
#include "engines/stripe/stripe_gateway.h"

#define SECRET "sk_test_very_secret"
#define LONGEST_MS 60000 /* no call of these tests may take so long */

struct payments gateway_with(const char *url, int call_ms, uint32_t connections);

/* `done` for a call whose context is a bool. */
void set_flag(struct payment_call *call);

/* Submits the call and runs, once: a run ends when something was done. */
enum payment_outcome perform(const struct payments *payments, struct payment_call *call);

/* Each with a key of its own, over 5000 EUR. */
struct payment_call call_of(enum payment_operation operation, const char *intent);
struct payment_call confirm_of(const char *intent, const char *token);

#endif
