/* Counters, gauges and timings of the process; the list is metrics.def. Lock-free; any thread may call. */
#ifndef ONSALE_BASE_METRICS_H
#define ONSALE_BASE_METRICS_H

#include "base/bytes.h"
#include "base/result.h"

enum metric {
#define COUNTER(name, metric, help) METRIC_##name,
#define GAUGE(name, metric, help) METRIC_##name,
#define TIMING(name, metric, help)
#include "base/metrics.def"
#undef COUNTER
#undef GAUGE
#undef TIMING
    METRIC_COUNT
};

enum timing {
#define COUNTER(name, metric, help)
#define GAUGE(name, metric, help)
#define TIMING(name, metric, help) TIMING_##name,
#include "base/metrics.def"
#undef COUNTER
#undef GAUGE
#undef TIMING
    TIMING_COUNT
};

void metric_add(enum metric metric, int64_t n);
void metric_set(enum metric metric, int64_t value);
int64_t metric_value(enum metric metric);

/* Refusals, by outcome. */
void metric_refused(enum result result);
int64_t metric_refusals(enum result result);

void timing_observe(enum timing timing, int64_t microseconds);
/* The quantile (0 to 1) of all that was observed, in microseconds, at most 1/16 too large. 0 if nothing was. */
int64_t timing_quantile(enum timing timing, double quantile);
int64_t timing_count(enum timing timing);
/* How many took longer than that; counted by the histogram's steps, a sixteenth wide. */
int64_t timing_count_over(enum timing timing, int64_t microseconds);

/* Prometheus text exposition, version 0.0.4. */
void metrics_write(struct buffer *out);

#endif
