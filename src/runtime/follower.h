/* The follower: one thread that keeps this node in step with another one, of which it is a client like any other.
 *
 * Happy path: the list of shows, a second after the other → of a new show its document, its plan, then its seats,
 * pushed → from its first snapshot on it is served here; documents are asked for every two seconds, by their ETag; the
 * queue's status is pushed, and asked for where it cannot be.
 *
 * What can go wrong: the upstream, in every way. Whatever fails is tried again with full jitter (retry.h), each for
 * itself; meanwhile the last that was known is served. A show whose plan is not what its document says, or that goes
 * beyond what a node takes on (LIMIT_UPSTREAM_SEATS), is not shown, and the log says so. Shows that the upstream no
 * longer lists are left as they were, and can still be asked for.
 *
 * Ready means that the list and all in it have been there once; current, that the upstream has been heard from in the
 * last ten seconds, all of it.
 */
#ifndef ONSALE_RUNTIME_FOLLOWER_H
#define ONSALE_RUNTIME_FOLLOWER_H

#include "api/api.h"

struct follower;

/* `url` has been found good (upstream_check_url). The api has a mirror. */
MUST_USE enum result follower_start(struct api *api, const char *url, struct follower **follower);
bool follower_is_ready(const struct follower *follower);
bool follower_is_current(const struct follower *follower);
/* No show is touched any more. NULL is allowed, also below. */
void follower_stop(struct follower *follower);
/* After the reactors. */
void follower_free(struct follower *follower);

#endif
