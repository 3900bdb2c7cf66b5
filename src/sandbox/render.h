/* The sandbox's objects and errors as JSON, in Stripe's shape.
 *
 * A kept answer is made from its record alone, so that a replay is the first answer byte for byte, whatever became of
 * the object since: what is rendered may depend on nothing but the record.
 */
#ifndef ONSALE_SANDBOX_RENDER_H
#define ONSALE_SANDBOX_RENDER_H

#include "base/json.h"
#include "sandbox/objects.h"

#define STRIPE_API_VERSION "2025-09-30.clover" /* whose shapes these are */

enum gateway_error {
#define GATEWAY_ERROR(name, status, type, code) GATEWAY_ERROR_##name,
#include "sandbox/gateway_errors.def"
#undef GATEWAY_ERROR
};

unsigned gateway_error_status(enum gateway_error error);

/* {"error":{…}}; `param` may be ""; `about` is the record whose intent the error shows, or NULL. */
void render_error(struct buffer *out, enum gateway_error error, const char *param, struct bytes message,
                  const struct record *about);

void render_intent(struct json_writer *writer, const struct record *record, unsigned expansions);
void render_charge(struct json_writer *writer, const struct record *record);
void render_refund(struct json_writer *writer, const struct record *record, unsigned expansions);
/* The kinds of record that are events of that type, as bits: "payment_intent.created", "payment_intent.*". 0: none. */
uint32_t event_kinds(struct bytes type);
/* The record has to be an event. */
void render_event(struct json_writer *writer, const struct record *record);

/* The body of the record's kept answer. */
void render_answer(struct buffer *out, const struct record *record);

/* "requires_capture" … */
const char *status_name(uint8_t status);

extern const char *const cancellation_reasons[4], *const refund_reasons[3];

#endif
