/* What viewers see of a show's seats: snapshots, made at most once in FEED_INTERVAL_MS and never on a reactor.
 *
 * A snapshot carries the show's sequence. A viewer whose request came after a change must see it, so who asks while the
 * snapshot is older than the show waits for the next one (feed_wait), at most about FEED_INTERVAL_MS; who asks with the
 * ETag of the show's present sequence is answered 304 and no snapshot is made at all. Nothing is built that nobody
 * asked for.
 *
 * Who pushes is the live feed (live_feed.h), of which the ticker is the writer: feed_push() hands it the seats when its
 * next frame is due. A snapshot is told with the live sequence of its moment, so that deltas can go on from it.
 *
 * Threads: feed_get() and feed_wait() from any; feed_build() and feed_push() from the ticker only.
 */
#ifndef ONSALE_FEED_SEAT_FEED_H
#define ONSALE_FEED_SEAT_FEED_H

#include "base/mailbox.h"
#include "feed/live_feed.h"
#include "net/blob.h"
#include "seats/show.h"

#define FEED_INTERVAL_MS 100

enum feed_form { FEED_JSON, FEED_JSON_GZIP, FEED_BITS, FEED_FORM_COUNT };

#define FEED_ETAG_BYTES 48

struct seat_feed;

/* What a snapshot is of. */
struct feed_moment {
    uint64_t sequence;       /* the show's: its ETag */
    struct live_place place; /* deltas from here on go on from it */
};

/* Somebody who waits for a snapshot; a member of what the viewer's side allocates. */
struct feed_waiter {
    struct feed_waiter *next;
    enum feed_form form;
    /* set before ready() is called, on the ticker's thread; the waiter owns the reference. NULL: memory ran out */
    struct blob *blob;
    struct feed_moment moment;
    void (*ready)(struct feed_waiter *waiter);
};

MUST_USE enum result feed_new(struct show *show, struct seat_feed **feed);
void feed_free(struct seat_feed *feed);

/* The ETag of a form at a sequence, quotes included. It names the start of the process too, since sequences begin
 * again. */
void feed_etag(const struct seat_feed *feed, enum feed_form form, uint64_t sequence, char text[static FEED_ETAG_BYTES]);

/* A reference to the newest snapshot of that form if it shows the show as it is now, else NULL. */
struct blob *feed_get(struct seat_feed *feed, enum feed_form form, struct feed_moment *moment);
struct live_feed *feed_live(const struct seat_feed *feed);
/* Calls waiter->ready when the next snapshot is there. Returns true if the ticker has to be woken. */
bool feed_wait(struct seat_feed *feed, struct feed_waiter *waiter);
/* Builds what is waited for, if it is due; answers the waiters. Where frames are as frequent as snapshots may be, a
 * snapshot that is news is a frame as well, so that its sequence rises with what it shows. Returns when it wants to be
 * called again: a clock_monotonic_us() time, or INT64_MAX. */
int64_t feed_build(struct seat_feed *feed, int64_t now_us, int64_t interval_ms);

/* Has the live feed make a frame, if something has changed and the last one was `interval_ms` ago. Returns when it
 * wants to be called again, as feed_build(). */
int64_t feed_push(struct seat_feed *feed, int64_t now_us, int64_t interval_ms);

/* Answers who still waits with nothing: the ticker has stopped. */
void feed_give_up(struct seat_feed *feed);

/* gzip of `content`, or NULL. For the plan and other prepared answers. Slow: never on a reactor. */
struct blob *blob_gzip(struct bytes content);

#endif
