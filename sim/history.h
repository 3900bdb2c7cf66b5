/* What happened in a simulated world, and whether it was right.
 *
 * Every event that matters goes into one hash (BLAKE2b, libsodium's), in order, with its virtual time: the same seed
 * gives the same digest on every machine. The last few events are kept, so that what breaks a promise can be told with
 * what led to it. A broken promise ends the program.
 */
#ifndef ONSALE_SIM_HISTORY_H
#define ONSALE_SIM_HISTORY_H

#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>

#define HISTORY_DIGEST_BYTES 16
#define HISTORY_KEPT 40
#define HISTORY_BATCH 1024

enum happening {
#define HAPPENING(name, words) HAPPENED_##name,
#include "happenings.def"
#undef HAPPENING
    HAPPENING_COUNT
};

struct history_line {
    int64_t at_ms;
    uint64_t what; /* enum happening */
    uint64_t a, b;
};

struct history {
    uint64_t seed;
    bool trace;
    uint64_t count;
    uint64_t counts[HAPPENING_COUNT];
    struct history_line batch[HISTORY_BATCH];
    crypto_generichash_state hash;
};

void history_init(struct history *history, uint64_t seed, bool trace);
void history_add(struct history *history, int64_t at_ms, enum happening what, uint64_t a, uint64_t b);
/* Of all that has happened so far. */
void history_digest(const struct history *history, uint8_t digest[static HISTORY_DIGEST_BYTES]);

/* A promise is broken: says which, after what, with which seed it can be seen again, and ends the program with 1. */
_Noreturn void history_broken(const struct history *history, int64_t at_ms, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
