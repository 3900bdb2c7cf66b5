#include "payments/breaker.h"
#include "base/panic.h"

void breaker_init(struct breaker *breaker) {
    *breaker = (struct breaker){.state = BREAKER_CLOSED};
}

/* Doubled each time, spread over its upper half: what waits for the gateway does not come back all at once. */
static void open_for_a_while(struct breaker *breaker, int64_t now_ms, uint64_t jitter) {
    int64_t wait_ms = BREAKER_FIRST_WAIT_MS;
    for (uint32_t i = 0; i < breaker->opened && wait_ms < BREAKER_LONGEST_WAIT_MS; i++)
        wait_ms *= 2;
    if (wait_ms > BREAKER_LONGEST_WAIT_MS)
        wait_ms = BREAKER_LONGEST_WAIT_MS;
    breaker->state = BREAKER_OPEN;
    breaker->opened++;
    breaker->probing = false;
    breaker->until_ms = now_ms + wait_ms / 2 + (int64_t)(jitter % (uint64_t)(wait_ms / 2 + 1));
}

bool breaker_allows(struct breaker *breaker, int64_t now_ms) {
    if (breaker->state == BREAKER_OPEN && now_ms >= breaker->until_ms)
        breaker->state = BREAKER_HALF_OPEN;
    switch (breaker->state) {
    case BREAKER_CLOSED:
        return true;
    case BREAKER_OPEN:
        return false;
    case BREAKER_HALF_OPEN:
        break;
    }
    if (breaker->probing)
        return false;
    breaker->probing = true;
    return true;
}

int64_t breaker_wait_ms(const struct breaker *breaker, int64_t now_ms) {
    if (breaker->state == BREAKER_OPEN && now_ms < breaker->until_ms)
        return breaker->until_ms - now_ms;
    return breaker->probing ? BREAKER_FIRST_WAIT_MS : 0;
}

/* A call of before it opened may be answered late: that is an answer too. */
void breaker_answered(struct breaker *breaker) {
    breaker_init(breaker);
}

void breaker_failed(struct breaker *breaker, int64_t now_ms, uint64_t jitter) {
    switch (breaker->state) {
    case BREAKER_CLOSED:
        if (++breaker->failures >= BREAKER_FAILURES)
            open_for_a_while(breaker, now_ms, jitter);
        break;
    case BREAKER_OPEN: /* a call of before it opened: known already */
        break;
    case BREAKER_HALF_OPEN:
        open_for_a_while(breaker, now_ms, jitter);
        break;
    }
}

void breaker_withdrawn(struct breaker *breaker) {
    breaker->probing = false;
}
