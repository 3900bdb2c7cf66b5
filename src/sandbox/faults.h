/* What goes wrong by chance, so that a shop meets every answer and every silence that a gateway can give.
 *
 * A call draws once, when its key and its parameters' form are in order: at most one fault, and apart from that whether
 * it is slow. So the rates of all but `slow` are exact, and add up to 1 at most. One that does not go with the call (a
 * capture has no card to decline) leaves it alone. The chance comes from a seed: the same calls in the same order meet
 * the same faults, in one run of the process.
 *
 * GETs meet `slow`, `cut` and `error` (not kept) only. A replay meets what happens on the way (`lost_reply`, `slow`,
 * `hang`, `busy`, `cut`), for what was decided stays decided.
 */
#ifndef ONSALE_SANDBOX_FAULTS_H
#define ONSALE_SANDBOX_FAULTS_H

#include "sandbox/operations.h"

enum fault {
#define FAULT(name, help) FAULT_##name,
#include "sandbox/faults.def"
#undef FAULT
    FAULT_NONE,
};

struct faults {
    uint32_t rates[FAULT_NONE]; /* in a thousand millionths */
    uint64_t chance;            /* the generator's state: at first the seed */
    bool any;
};

/* "lost_reply=0.1,error=0.05". False with the reason, quoting, in `detail`. */
bool faults_read(const char *text, uint64_t seed, struct faults *faults, char *detail, size_t detail_size);

struct fault_draw {
    enum fault fault;
    int64_t slow_ms; /* 0: at once */
    bool coin;       /* where a fault has two forms */
};

/* Nothing, where no rates are set. */
struct fault_draw faults_draw(struct faults *faults, enum route route);

/* Refuses with 500 and, for `keep`, as a record that can be kept under a key. */
void fault_refuse(struct verdict *verdict, int64_t now_ms, bool keep);
/* An attempt's card becomes one that is declined, where the draw says so. */
void fault_decline(const struct fault_draw *draw, struct verdict *verdict);
/* Changes a record that is about to be committed into what the draw makes of it. */
void fault_spoil(const struct fault_draw *draw, struct verdict *verdict);

#endif
