/* What world is asked for on the command line, and what its seed makes of the rest. */
#ifndef ONSALE_SIM_OPTIONS_H
#define ONSALE_SIM_OPTIONS_H

#include "seats/show.h"
#include "waitroom/queue.h"

enum fault {
#define FAULT(name, words) FAULT_##name,
#include "faults.def"
#undef FAULT
    FAULT_COUNT
};

enum order { ORDER_DRAWN, ORDER_ARRIVAL, ORDER_SHUFFLE };

struct options {
    uint64_t seed;
    uint32_t seeds; /* so many worlds, one after the other */
    uint32_t fans;
    uint32_t seats;      /* 0: drawn */
    uint32_t rate;       /* a minute; 0: drawn */
    uint32_t max_active; /* 0: drawn */
    enum order order;
    uint32_t faults; /* a bit each */
    bool trace;
    bool quiet; /* the last line only */
};

/* What the operator has set, for this world. */
struct terms {
    uint32_t fans, seats;
    struct queue_settings queue;
    struct show_settings show;
    bool is_shuffled;
    int64_t opens_ms;      /* of virtual time */
    int64_t faults_end_ms; /* from here on nothing goes wrong any more */
    uint32_t numbers_drawn_at_once;
};

/* False: say_usage() has said why; *status is what to exit with. */
bool options_read(struct options *options, int count, char **arguments, int *status);
void terms_draw(struct terms *terms, const struct options *options, uint64_t seed);

#endif
