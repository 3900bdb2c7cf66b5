/* A circuit breaker: when a gateway answers nothing any more, it is left alone, and asked again by one call at a time.
 *
 *     CLOSED ──BREAKER_FAILURES in a row──▶ OPEN ──its time is over──▶ HALF_OPEN (one call is let through)
 *        ▲                                   ▲                              │
 *        └──────────── answered ─────────────┼──────────────────────────────┤
 *                                            └──────── failed: longer ──────┘
 *
 * A call "answered" when any HTTP answer below 500 was read: a refusal and a decline are answers. It "failed" when it
 * was not sent, was cut or timed out, or got a 5xx. A call that hangs by its own card fails too, which is why only
 * failures in a row count: one answer between them begins anew.
 *
 * Decides only: no clock, no thread. The owner is one thread.
 * Source: M. Nygard, Release It!, "Circuit Breaker"; the waits as in bookings/saga.c, with jitter.
 */
#ifndef ONSALE_PAYMENTS_BREAKER_H
#define ONSALE_PAYMENTS_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_FAILURES 30
#define BREAKER_FIRST_WAIT_MS 1000
#define BREAKER_LONGEST_WAIT_MS 30000

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
    enum breaker_state state;
    uint32_t failures; /* in a row */
    uint32_t opened;   /* times in a row, without an answer between them: the wait doubles */
    int64_t until_ms;  /* OPEN: when one call may be tried */
    bool probing;      /* HALF_OPEN: that call is under way */
};

void breaker_init(struct breaker *breaker);
/* Whether a call may be made now. OPEN turns HALF_OPEN when its time is over; then true once, until the call is told
 * of. */
bool breaker_allows(struct breaker *breaker, int64_t now_ms);
/* How long until it is worth asking again; 0: now. */
int64_t breaker_wait_ms(const struct breaker *breaker, int64_t now_ms);
/* Told of every call that breaker_allows() let through. `jitter` is a random number. */
void breaker_answered(struct breaker *breaker);
void breaker_failed(struct breaker *breaker, int64_t now_ms, uint64_t jitter);
/* The call that was let through was taken back, and says nothing about the gateway. */
void breaker_withdrawn(struct breaker *breaker);

#endif
