/* Deadlines of connections: one list a kind, oldest first. All waits of a kind are equally long, so who begins to wait
 * goes to the end, and only the front of each list can be due (as lwan keeps its timeouts). Begin, end and look: O(1).
 *
 * A connection waits for one thing at a time. Links are slot numbers, not pointers, to keep a connection small.
 */
#ifndef ONSALE_NET_WAITS_H
#define ONSALE_NET_WAITS_H

#include <stdint.h>

enum wait_kind {
    WAIT_NONE,
    WAIT_IDLE,
    WAIT_HEAD,
    WAIT_BODY,
    WAIT_SILENT, /* a member: until it says something */
    WAIT_PONG,   /* the same, after a ping */
    WAIT_WRITE,
    WAIT_LINGER,
    WAIT_KIND_COUNT
};

#define WAIT_END UINT32_MAX

/* A connection's place in its list. */
struct wait {
    int64_t until_us;
    uint32_t previous;
    uint32_t next;
    uint8_t kind;
};

struct wait_list {
    int64_t length_us;
    uint32_t first;
    uint32_t last;
};

struct connection;

struct waits {
    struct connection *connections; /* the slots */
    struct wait_list lists[WAIT_KIND_COUNT];
};

void waits_init(struct waits *waits, struct connection *connections);
void waits_set_length(struct waits *waits, enum wait_kind kind, int milliseconds);

/* The connection in `slot` waits for `kind` from now on, and for nothing else. WAIT_NONE: for nothing. */
void wait_begin(struct waits *waits, uint32_t slot, enum wait_kind kind, int64_t now_us);

/* A connection whose wait is over, or WAIT_END. It still waits: the caller changes that. */
uint32_t waits_due(const struct waits *waits, int64_t now_us);

/* The connection that has waited longest for `kind`, if for at least that long, or WAIT_END. */
uint32_t waits_longest(const struct waits *waits, enum wait_kind kind, int64_t at_least_us, int64_t now_us);

/* When the next wait ends, or INT64_MAX. */
int64_t waits_next_us(const struct waits *waits);

#endif
