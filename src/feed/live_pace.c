#include "feed/live_pace.h"
#include "base/panic.h"

#define FIRST_SEND_NS 12000.0 /* until something was measured */
#define LEAST_SEND_NS 1000.0
#define MOST_SEND_NS 1000000.0
#define ENOUGH_SENDS 64 /* for a mean that says something */
#define WEIGHT 0.2      /* of the newest mean */

void live_pace_init(struct live_pace *pace, unsigned share_percent, unsigned reactors) {
    assert(share_percent > 0 && reactors > 0);
    *pace = (struct live_pace){.share_percent = share_percent, .reactors = reactors, .send_ns = FIRST_SEND_NS};
}

void live_pace_learn(struct live_pace *pace, struct websocket_cost cost) {
    uint64_t sends = cost.sends - pace->seen.sends;
    if (sends < ENOUGH_SENDS)
        return;
    double mean_ns = (double)(cost.cpu_ns - pace->seen.cpu_ns) / (double)sends;
    mean_ns = mean_ns < LEAST_SEND_NS ? LEAST_SEND_NS : mean_ns > MOST_SEND_NS ? MOST_SEND_NS : mean_ns;
    pace->send_ns += WEIGHT * (mean_ns - pace->send_ns);
    pace->seen = cost;
}

int64_t live_pace_interval_ms(const struct live_pace *pace, uint64_t viewers) {
    double ms = (double)viewers * pace->send_ns / 1e6 / (pace->share_percent / 100.0 * pace->reactors);
    return ms < LIVE_LEAST_MS ? LIVE_LEAST_MS : ms > LIVE_MOST_MS ? LIVE_MOST_MS : (int64_t)ms;
}
