/* Soft limits by client address: a token bucket for each address that did something of late.
 *
 * A bucket is one number, the time at which it would be full again (the "generic cell rate algorithm" of ITU-T I.371):
 * each call moves it by the time that one token takes, and a call that would move it further than a whole burst ahead
 * is refused and moves nothing. Who is refused may call again after the time that is told.
 *
 * Memory is fixed: LIMIT_ADDRESS_BUCKETS of 16 bytes in sets of eight. An address without a bucket takes the one of its
 * set that is full for the longest, or would be the soonest; that one's address begins anew when it comes again. So
 * strangers in any number only push out those who hardly called.
 *
 * Addresses stand for many: universities, offices and mobile networks share one. The limits are there against a single
 * machine that joins ten thousand times, not to tell people apart.
 *
 * A clock that steps back makes nobody wait longer than for one token; one that steps forward fills buckets.
 */
#ifndef ONSALE_API_ADDRESS_LIMITS_H
#define ONSALE_API_ADDRESS_LIMITS_H

#include "base/bytes.h"
#include "base/result.h"
#include "net/forwarded.h"

enum limit_kind {
#define LIMIT_KIND(name, words, burst, per_minute) LIMIT_KIND_##name,
#include "api/address_limits.def"
#undef LIMIT_KIND
    LIMIT_KIND_COUNT
};

struct limit_verdict {
    enum limit_kind kind;
    bool is_allowed;
    uint32_t wait_seconds;   /* until one call is allowed, at least 1; 0 where this one was */
    uint32_t limit;          /* calls at once, by who did none of late */
    uint32_t remaining;      /* calls that are left of it */
    uint32_t reset_seconds;  /* until all are there again; where refused: wait_seconds */
    uint32_t window_seconds; /* in which as many as `limit` come anew */
};

struct address_limits;

/* With the rates of address_limits.def. NULL when memory ran out. */
struct address_limits *address_limits_new(void);
void address_limits_free(struct address_limits *limits);

/* 1 … LIMIT_RATE_PER_MINUTE. Before any thread calls address_limits_take(). */
void address_limits_set_rate(struct address_limits *limits, enum limit_kind kind, uint32_t per_minute);

/* Takes a token from the address's bucket, if there is one. OK or RATE_LIMITED, and the verdict either way. Any thread;
 * O(1), waits for others of its shard only. `now_ms`: milliseconds since the epoch, from the caller's clock. */
MUST_USE enum result address_limits_take(struct address_limits *limits, enum limit_kind kind, struct client_key key,
                                         int64_t now_ms, struct limit_verdict *verdict);

/* RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10), each line with its CRLF. Retry-After is
 * the caller's: it is `wait_seconds`. */
void limit_verdict_write(const struct limit_verdict *verdict, struct buffer *headers);

#endif
