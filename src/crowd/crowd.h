/* A crowd of simulated buyers: N fans (fan.h) over the HTTP API that real ones use, on one thread and a bounded number
 * of kept connections.
 *
 * Runs until SIGTERM or SIGINT, which the caller has blocked. A server that is not there, or has nothing to sell, is
 * waited for. */
#ifndef ONSALE_CROWD_CROWD_H
#define ONSALE_CROWD_CROWD_H

#include "crowd/fan.h"

struct crowd_settings {
    const char *url;  /* "http://host:port", checked by crowd_url_check() */
    const char *show; /* its UUID, or NULL: the first that sells */
    uint32_t fans;
    uint64_t seed; /* of the fans' decisions */
    struct crowd_habits habits;
    bool is_quiet; /* no summary, no notice */
};

/* OK, or INVALID_FIELD: not http:// or https:// with a host, or more than that. */
MUST_USE enum result crowd_url_check(const char *url);

/* OK once a signal ended it; OVERLOADED: out of memory or descriptors. Main thread only. */
MUST_USE enum result crowd_run(const struct crowd_settings *settings);

#endif
