/* The WebSocket of a live feed, whoever writes it. */
#ifndef ONSALE_API_LIVE_H
#define ONSALE_API_LIVE_H

#include "api/call.h"

/* Answers the call: its connection follows the feed, as its query says (`format`, `since`), or why it cannot. Not once
 * parked. */
void live_watch(struct call *call, struct live_feed *feed);

#endif
