/* What a node that only shows (--roles live --upstream) has of another node: documents word by word, and the seats.
 *
 * Documents are kept as they came and handed out as they are, with an ETag of their content, so that a cache cannot
 * tell which node it asked. The seats go two ways: into the show (seats/show.h), where whoever asks for all of them
 * sees them at once; and into the live feed, as often as the crowd allows, under the upstream's own name and sequences,
 * so that a viewer may go from one node of the tier to another and on from where they were.
 *
 * The queue's status is pushed as often too.
 *
 * Happy path: a frame comes → mirror_take_frame() sets the seats and notes which were touched → mirror_push() makes one
 * delta of all of them, from the last one's sequence to the newest. A seat that changed and changed back is in it too,
 * since a viewer of another node may have seen it in between.
 *
 * What can go wrong: a frame that does not follow ours (CONFLICT: the caller asks for a snapshot); memory, whereupon
 * the viewers get a snapshot when there is some again.
 *
 * Threads: documents from any; mirror_take_frame() on the follower's; mirror_push() on the ticker's, and before the
 * sale is in the list on the follower's.
 */
#ifndef ONSALE_API_MIRROR_H
#define ONSALE_API_MIRROR_H

#include "api/call.h"
#include "api/etag.h"
#include "feed/live_frame.h"

/* A document of the upstream's. */
struct mirrored {
    pthread_mutex_t lock;
    struct blob *body; /* NULL: there is none */
    char etag[ETAG_BYTES];
};

void mirrored_init(struct mirrored *mirrored);
void mirrored_release(struct mirrored *mirrored);
/* False when memory ran out: it stays as it was. */
MUST_USE bool mirrored_set(struct mirrored *mirrored, struct bytes content);
void mirrored_clear(struct mirrored *mirrored);
bool mirrored_is_there(struct mirrored *mirrored);
/* Answers with it; 404 with `detail` if there is none. */
void mirrored_reply(struct call *call, struct mirrored *mirrored, const char *cache_control, const char *detail);

/* Of the whole upstream. */
struct api_mirror {
    struct mirrored shows, keys;
};

/* Of a show. */
struct sale_mirror {
    struct mirrored show, queue;
    struct blob *queue_frame; /* the status as a WebSocket frame; under queue.lock, as the next */
    bool queue_is_news;       /* to who watches */
    struct channel *channel;  /* of who watches the queue; set once */

    /* under the show's lock */
    struct live_place place; /* of the last frame that came */
    bool has_place;
    bool needs_snapshot; /* what was touched is not all that changed */
    bool is_touched;
    uint64_t *touched; /* one bit a seat: since the last push */

    /* owned by whoever pushes */
    int64_t pushed_us, queue_pushed_us;
    uint8_t *body; /* of the frame in the making: a snapshot's, or a delta's */
};

/* For a show whose plan is not there yet. OVERLOADED when memory ran out. */
MUST_USE enum result mirror_new(struct api *api, struct sale_mirror **mirror);
/* After the reactors, or before the sale was in the list. NULL is allowed. */
void mirror_free(struct sale_mirror *mirror);
/* The sale is made: it has its mirror, which goes with it. OVERLOADED when memory ran out: the mirror stays the
 * caller's. */
MUST_USE enum result mirror_attach(struct sale_mirror *mirror, struct sale *sale);

/* The queue's status, a JSON text: there for who asks, and for who watches with the next push. False when memory ran
 * out. */
MUST_USE bool mirror_take_status(struct sale_mirror *mirror, struct bytes status);
/* The show has no waiting room. */
void mirror_end_status(struct sale_mirror *mirror);

/* OK, also for what is known already; CONFLICT for a delta that does not go on from where we are. The frame is one of
 * a show with so many seats (live_frame_read). */
MUST_USE enum result mirror_take_frame(struct sale *sale, const struct live_frame *frame);
/* Where we are. False: nowhere yet. */
bool mirror_place(struct sale *sale, struct live_place *place);
/* Tells who watches the seats and the queue what is new, each if it is due; as feed_push(). */
int64_t mirror_push(struct sale *sale, int64_t now_us, int64_t interval_ms);

#endif
