/* The drip: `level` rises by rate × factor a millisecond, up to one second's worth or one token, whichever is more.
 * `filled_ms` never goes back, so no millisecond fills twice, however the clock steps. */
#include "waitroom/drip.h"
#include "base/panic.h"

/* What a millisecond fills. */
static int64_t flow(const struct drip *drip) {
    return (int64_t)drip->rate_per_minute * drip->factor;
}

static int64_t most(const struct drip *drip) {
    int64_t second = flow(drip) * 1000;
    return second > DRIP_TOKEN ? second : DRIP_TOKEN;
}

static void cap(struct drip *drip) {
    if (drip->level > most(drip))
        drip->level = most(drip);
}

void drip_init(struct drip *drip, uint32_t rate_per_minute, int64_t now_ms) {
    assert(rate_per_minute >= 1 && rate_per_minute <= LIMIT_RATE_PER_MINUTE);
    *drip = (struct drip){.rate_per_minute = rate_per_minute, .factor = DRIP_FACTOR_ONE, .filled_ms = now_ms};
}

void drip_fill(struct drip *drip, int64_t now_ms) {
    if (now_ms <= drip->filled_ms)
        return;
    int64_t full_after_ms = (most(drip) - drip->level) / flow(drip) + 1;
    /* A clock that leaps over the whole range must not overflow. */
    uint64_t passed_ms = (uint64_t)now_ms - (uint64_t)drip->filled_ms;
    drip->level = passed_ms >= (uint64_t)full_after_ms ? most(drip) : drip->level + flow(drip) * (int64_t)passed_ms;
    drip->filled_ms = now_ms;
}

void drip_set_rate(struct drip *drip, uint32_t rate_per_minute, int64_t now_ms) {
    assert(rate_per_minute >= 1 && rate_per_minute <= LIMIT_RATE_PER_MINUTE);
    drip_fill(drip, now_ms);
    drip->rate_per_minute = rate_per_minute;
    cap(drip);
}

uint32_t drip_tokens(const struct drip *drip) {
    return (uint32_t)(drip->level / DRIP_TOKEN);
}

void drip_take(struct drip *drip) {
    assert(drip->level >= DRIP_TOKEN);
    drip->level -= DRIP_TOKEN;
}

int64_t drip_wait_ms(const struct drip *drip) {
    if (drip->level >= DRIP_TOKEN)
        return 0;
    return (DRIP_TOKEN - drip->level + flow(drip) - 1) / flow(drip);
}

void drip_adapt(struct drip *drip, const struct drip_look *look, uint32_t most_percent, int64_t now_ms) {
    drip_fill(drip, now_ms);
    uint64_t bad = (uint64_t)look->slow + look->failed;
    if (bad >= 3 && bad * 100 > (uint64_t)most_percent * look->answers)
        drip->factor = drip->factor / 2 > DRIP_FACTOR_LEAST ? drip->factor / 2 : DRIP_FACTOR_LEAST;
    else
        drip->factor =
            drip->factor + DRIP_FACTOR_STEP < DRIP_FACTOR_ONE ? drip->factor + DRIP_FACTOR_STEP : DRIP_FACTOR_ONE;
    cap(drip);
}
