#include "history.h"

#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[HAPPENING_COUNT] = {
#define HAPPENING(name, words) words,
#include "happenings.def"
#undef HAPPENING
};

void history_init(struct history *history, uint64_t seed, bool trace) {
    memset(history, 0, sizeof *history);
    history->seed = seed;
    history->trace = trace;
    crypto_generichash_init(&history->hash, NULL, 0, HISTORY_DIGEST_BYTES);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void print_line(FILE *to, const struct history_line *line) {
    fprintf(to, "%10lld.%03lld  ", (long long)(line->at_ms / 1000), (long long)(line->at_ms % 1000));
    fprintf(to, words[line->what], (unsigned long long)line->a, (unsigned long long)line->b);
    fputc('\n', to);
}
#pragma GCC diagnostic pop

void history_add(struct history *history, int64_t at_ms, enum happening what, uint64_t a, uint64_t b) {
    struct history_line *line = &history->batch[history->count % HISTORY_BATCH];
    *line = (struct history_line){.at_ms = at_ms, .what = what, .a = a, .b = b};
    history->counts[what]++;
    history->count++;
    if (history->count % HISTORY_BATCH == 0)
        crypto_generichash_update(&history->hash, (const uint8_t *)history->batch, sizeof history->batch);
    if (history->trace)
        print_line(stdout, line);
}

void history_digest(const struct history *history, uint8_t digest[static HISTORY_DIGEST_BYTES]) {
    crypto_generichash_state copy = history->hash;
    uint64_t rest = history->count % HISTORY_BATCH;
    crypto_generichash_update(&copy, (const uint8_t *)history->batch, rest * sizeof history->batch[0]);
    crypto_generichash_final(&copy, digest, HISTORY_DIGEST_BYTES);
}

_Noreturn void history_broken(const struct history *history, int64_t at_ms, const char *format, ...) {
    fprintf(stderr, "The last that happened (seconds of virtual time):\n");
    for (uint64_t i = history->count > HISTORY_KEPT ? history->count - HISTORY_KEPT : 0; i < history->count; i++)
        print_line(stderr, &history->batch[i % HISTORY_BATCH]);
    fflush(stderr);
    printf("seed=%llu broken at %lld.%03lld s: ", (unsigned long long)history->seed, (long long)(at_ms / 1000),
           (long long)(at_ms % 1000));
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
    exit(1);
}
