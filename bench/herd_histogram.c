/* Times as counts in buckets whose width is 1/64 of their power of two (as HdrHistogram does), so that a quantile is
 * right to within 1.6 % from nanoseconds to hours, at the cost of one increment.
 */
#include "bench/herd.h"

#define FINE_BITS 6
#define FINE (1U << FINE_BITS)

static unsigned bucket_of(uint64_t ns) {
    if (ns < FINE)
        return (unsigned)ns;
    unsigned shift = 63U - (unsigned)__builtin_clzll(ns) - FINE_BITS;
    unsigned bucket = (shift + 1) * FINE + (unsigned)((ns >> shift) - FINE);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static double middle_ns(unsigned bucket) {
    if (bucket < FINE)
        return bucket;
    unsigned shift = bucket / FINE - 1;
    uint64_t least = (uint64_t)(FINE + bucket % FINE) << shift;
    return (double)least + (double)(1ULL << shift) / 2;
}

void histogram_add(struct histogram *histogram, int64_t ns) {
    uint64_t time = ns > 0 ? (uint64_t)ns : 0;
    histogram->counts[bucket_of(time)]++;
    histogram->total++;
    if (time > histogram->most_ns)
        histogram->most_ns = time;
}

double histogram_quantile_us(const struct histogram *histogram, double share) {
    uint64_t below = (uint64_t)((double)histogram->total * share), seen = 0;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen > below)
            return middle_ns(bucket) / 1000;
    }
    return (double)histogram->most_ns / 1000;
}
