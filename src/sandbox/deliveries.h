/* The webhook: brings each event to the shop, and keeps on until the shop has taken it or three days are over.
 *
 * Happy path: an event is committed while there is a webhook, so its record says that it is owed → the tape is synced
 * up to it → deliveries_due() takes it up, reads it from the tape, signs it and hands it to the sender → 2xx: a record
 * on the tape says that it was delivered.
 *
 * What can go wrong: it is not taken: it waits (webhook.h) and comes again with a fresh signature. The process dies:
 * the tape tells what is still owed, and quick tries begin anew; what was taken just before may come twice. The
 * endpoint is slow or dead: FLIGHTS messages are under way at most and read from the tape only then, and after one
 * that failed they are begun one by one, so that nobody waits for it and neither memory nor time is spent on it; so
 * many wait, LIMIT_SANDBOX_DELIVERIES, and those behind them stay on the tape.
 *
 * All on the reactor's thread, but for the sender's, which sends an envelope.
 */
#ifndef ONSALE_SANDBOX_DELIVERIES_H
#define ONSALE_SANDBOX_DELIVERIES_H

#include "base/result.h"

#include <stdbool.h>
#include <stdint.h>

struct sandbox;
struct deliveries;

/* `url` and `secret` are copied. INVALID_FIELD: it may not be sent there. OVERLOADED: no memory, no thread. */
MUST_USE enum result deliveries_new(struct sandbox *sandbox, const char *url, const char *secret,
                                    struct deliveries **deliveries);
/* Takes up what is synced by now, and sends what is due. */
void deliveries_due(struct deliveries *deliveries);
/* When to call deliveries_due() next, in milliseconds of clock_monotonic_us(); INT64_MAX: not until an event is synced.
 */
int64_t deliveries_next_ms(const struct deliveries *deliveries);
/* In this order, the reactor's end between them. What is under way is given up, to come again at the next start. NULL
 * is allowed. */
void deliveries_stop(struct deliveries *deliveries);
void deliveries_free(struct deliveries *deliveries);

#endif
