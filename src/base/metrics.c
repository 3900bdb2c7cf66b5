#include "base/metrics.h"
#include "base/panic.h"

#include <stdatomic.h>

/* A timing is log-linear, as an HDR histogram: 16 steps to each power of two, so that a value is known to 1/16. */
#define STEPS 16
#define BUCKETS (STEPS * 38) /* up to 2^41 µs */

struct timing_state {
    atomic_llong buckets[BUCKETS];
    atomic_llong sum;
    atomic_llong count;
};

static atomic_llong values[METRIC_COUNT];
static atomic_llong refusals[RESULT_COUNT];
static struct timing_state timings[TIMING_COUNT];

void metric_add(enum metric metric, int64_t n) {
    atomic_fetch_add_explicit(&values[metric], n, memory_order_relaxed);
}

void metric_set(enum metric metric, int64_t value) {
    atomic_store_explicit(&values[metric], value, memory_order_relaxed);
}

int64_t metric_value(enum metric metric) {
    return atomic_load_explicit(&values[metric], memory_order_relaxed);
}

void metric_refused(enum result result) {
    atomic_fetch_add_explicit(&refusals[result], 1, memory_order_relaxed);
}

int64_t metric_refusals(enum result result) {
    return atomic_load_explicit(&refusals[result], memory_order_relaxed);
}

static unsigned bucket_of(uint64_t value) {
    if (value < STEPS)
        return (unsigned)value;
    unsigned power = 63 - (unsigned)__builtin_clzll(value);
    unsigned bucket = (power - 3) * STEPS + (unsigned)(value >> (power - 4) & (STEPS - 1));
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static int64_t upper_end(unsigned bucket) {
    if (bucket < STEPS)
        return bucket;
    unsigned power = bucket / STEPS + 3;
    return (int64_t)(((uint64_t)(STEPS + bucket % STEPS + 1) << (power - 4)) - 1);
}

void timing_observe(enum timing timing, int64_t microseconds) {
    struct timing_state *state = &timings[timing];
    if (microseconds < 0)
        microseconds = 0;
    atomic_fetch_add_explicit(&state->buckets[bucket_of((uint64_t)microseconds)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&state->sum, microseconds, memory_order_relaxed);
    atomic_fetch_add_explicit(&state->count, 1, memory_order_relaxed);
}

int64_t timing_count(enum timing timing) {
    return atomic_load_explicit(&timings[timing].count, memory_order_relaxed);
}

int64_t timing_count_over(enum timing timing, int64_t microseconds) {
    int64_t count = 0;
    for (unsigned i = bucket_of((uint64_t)microseconds) + 1; i < BUCKETS; i++)
        count += atomic_load_explicit(&timings[timing].buckets[i], memory_order_relaxed);
    return count;
}

int64_t timing_quantile(enum timing timing, double quantile) {
    assert(quantile >= 0 && quantile <= 1);
    const struct timing_state *state = &timings[timing];
    int64_t total = 0;
    for (unsigned i = 0; i < BUCKETS; i++)
        total += atomic_load_explicit(&state->buckets[i], memory_order_relaxed);
    if (total == 0)
        return 0;
    int64_t wanted = (int64_t)(quantile * (double)(total - 1)) + 1;
    for (unsigned i = 0; i < BUCKETS; i++) {
        wanted -= atomic_load_explicit(&state->buckets[i], memory_order_relaxed);
        if (wanted <= 0)
            return upper_end(i);
    }
    return upper_end(BUCKETS - 1);
}

static void add_header(struct buffer *out, const char *metric, const char *help, const char *type) {
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
}

static void add_value(struct buffer *out, const char *metric, const char *help, const char *type, int64_t value) {
    add_header(out, metric, help, type);
    buffer_printf(out, "%s %lld\n", metric, (long long)value);
}

static void add_timing(struct buffer *out, const char *metric, const char *help, enum timing timing) {
    static const int64_t bounds_us[] = {100,   250,    500,    1000,   2500,    5000,    10000,   25000,
                                        50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};
    const struct timing_state *state = &timings[timing];
    add_header(out, metric, help, "histogram");
    int64_t below = 0;
    unsigned bucket = 0;
    for (size_t i = 0; i < sizeof bounds_us / sizeof bounds_us[0]; i++) {
        for (; bucket < BUCKETS && upper_end(bucket) <= bounds_us[i]; bucket++)
            below += atomic_load_explicit(&state->buckets[bucket], memory_order_relaxed);
        buffer_printf(out, "%s_bucket{le=\"%g\"} %lld\n", metric, (double)bounds_us[i] / 1e6, (long long)below);
    }
    for (; bucket < BUCKETS; bucket++)
        below += atomic_load_explicit(&state->buckets[bucket], memory_order_relaxed);
    buffer_printf(out, "%s_bucket{le=\"+Inf\"} %lld\n", metric, (long long)below);
    buffer_printf(out, "%s_sum %.6f\n%s_count %lld\n", metric, (double)atomic_load(&state->sum) / 1e6, metric,
                  (long long)below);
}

/* Problem codes are results' names in small letters (api/problems.def). */
static void add_refusals(struct buffer *out, enum result result) {
    if (!metric_refusals(result))
        return;
    buffer_add_text(out, "onsale_refusals_total{code=\"");
    for (const char *c = result_name(result); *c; c++)
        buffer_add_char(out, *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c);
    buffer_printf(out, "\"} %lld\n", (long long)metric_refusals(result));
}

void metrics_write(struct buffer *out) {
#define COUNTER(name, metric, help) add_value(out, metric, help, "counter", metric_value(METRIC_##name));
#define GAUGE(name, metric, help) add_value(out, metric, help, "gauge", metric_value(METRIC_##name));
#define TIMING(name, metric, help) add_timing(out, metric, help, TIMING_##name);
#include "base/metrics.def"
#undef COUNTER
#undef GAUGE
#undef TIMING
    add_header(out, "onsale_refusals_total", "Requests refused, by problem code.", "counter");
    for (int i = 0; i < RESULT_COUNT; i++)
        add_refusals(out, (enum result)i);
}
