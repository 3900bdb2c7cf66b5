/* How often the seat maps move: the more watch, the less often, so that pushing takes no more of the processor than it
 * may, and reserving a seat stays as quick as with nobody watching.
 *
 *     interval = max(100 ms, viewers x cost of a send / (share x reactors))
 *
 * The cost is what rounds have taken of the reactors' processor time, a frame and socket, smoothed: whatever the
 * frames' length, the machine and the network card make of it. All viewers of all shows and of queues share the budget.
 */
#ifndef ONSALE_FEED_LIVE_PACE_H
#define ONSALE_FEED_LIVE_PACE_H

#include "net/websocket.h"

#define LIVE_LEAST_MS 100
#define LIVE_MOST_MS 10000 /* whatever was measured */

struct live_pace {
    /* set once */
    unsigned share_percent; /* of a core, on each reactor */
    unsigned reactors;

    struct websocket_cost seen;
    double send_ns;
};

void live_pace_init(struct live_pace *pace, unsigned share_percent, unsigned reactors);
/* What was spent up to now. */
void live_pace_learn(struct live_pace *pace, struct websocket_cost cost);
int64_t live_pace_interval_ms(const struct live_pace *pace, uint64_t viewers);

#endif
