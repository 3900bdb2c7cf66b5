/* The id of an event that others are told of: "evt_" with twelve digits of the ledger that it comes from, its number in
 * that ledger's outbox, and its time. The same at every delivery. Two shops may report to one receiver; and a ledger
 * put back from a backup, which gives numbers again, gives no id again, or a receiver would take new events for old
 * ones.
 */
#ifndef ONSALE_API_EVENT_ID_H
#define ONSALE_API_EVENT_ID_H

#include "bookings/ledger.h"

/* In front of the ledger's words for its kinds of events, where others see them. */
#define EVENT_TYPE_PREFIX "onsale."

#define EVENT_ID_BYTES (sizeof "evt_0123456789ab_18446744073709551615_9223372036854775807")

void event_id_format(const struct ledger *ledger, const struct outbox_event *event, char text[static EVENT_ID_BYTES]);
/* False unless it may be the id of an event of this ledger. */
bool event_id_parse(const struct ledger *ledger, struct bytes text, uint64_t *number);

#endif
