/* Stripe's PaymentIntents on the wire: a payment_call as an HTTP request, and an HTTP reply as the call's outcome.
 *
 * No I/O here: what comes in is bytes, what goes out is bytes. The mapping of replies is the one that payments.h
 * promises, and never guesses: a 2xx that says nothing intelligible is UNKNOWN, not DONE. Wire form: Stripe's API
 * reference, "Payment Intents", "Refunds", "Errors".
 */
#ifndef ONSALE_ENGINES_STRIPE_WIRE_H
#define ONSALE_ENGINES_STRIPE_WIRE_H

#include "payments/payments.h"

/* Appends the target ("/v1/payment_intents/pi_1/confirm") to `target` and the form to `form`. False, and nothing is
 * appended, if the call's intent id is no id. A form of length 0 is still a POST, but for a question (payments.h). */
bool stripe_write_request(const struct payment_call *call, struct buffer *target, struct buffer *form);

/* Sets the call's outcome, and what else there is to know, from a reply that came in whole. */
void stripe_read_reply(struct payment_call *call, long http_status, struct bytes body);

#endif
