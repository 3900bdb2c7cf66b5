/* A show's live feed: one snapshot for who comes, then the same delta for every viewer.
 *
 * The feed has a state: two bits a seat, and a sequence that rises by one with each frame. A frame brings whoever has
 * the state before it to the state behind it. Its writer, one thread, hands it what the seats are now
 * (live_feed_advance) or, on a node that follows another's feed, the frames of that one (live_feed_follow); a frame is
 * encoded once in each form that somebody watches, and goes to all of the form's channel.
 *
 * For each seat the feed knows the sequence in which it changed last. So who lost their connection at any sequence of
 * this feed is given one delta from there, whatever happened meanwhile, for four bytes a seat and without a log of
 * frames; unless it were longer than a snapshot.
 *
 * A snapshot may be shown beside the frames that is newer than the last of them (GET …/seats.bits): it is told with the
 * last frame's sequence, and those of its seats that are not as in that frame are in the next delta even if they have
 * changed back by then (live_feed_shown).
 *
 * Happy path: live_feed_channel() → the viewer joins and gets catch_up's snapshot, or from where they were → the writer
 * advances → everybody gets the delta. A viewer who is behind gets a snapshot again.
 *
 * What can go wrong: memory. A frame that cannot be made is not made: the state stays and the next one holds its
 * changes. A viewer whose snapshot cannot be made is closed (1013), and comes again.
 *
 * Threads: advance, follow, shown and tend on the writer's thread; everything else on any.
 */
#ifndef ONSALE_FEED_LIVE_FEED_H
#define ONSALE_FEED_LIVE_FEED_H

#include "feed/live_frame.h"
#include "net/websocket.h"

struct live_feed;

/* Where a viewer is. */
struct live_place {
    uint64_t feed; /* names a run of a feed; sequences of two runs say nothing of each other */
    uint64_t sequence;
};

/* A feed of seats that are all available, with a name drawn at random and sequence 1. `ids` are the seats' in plan
 * order, and outlive the feed. */
MUST_USE enum result live_feed_new(uint32_t seat_count, const struct bytes *ids, struct live_feed **feed);
/* After its reactors. NULL is allowed. */
void live_feed_free(struct live_feed *feed);

/* The channel of that form, made when it is first asked for by `make`, as api_services.new_channel does. */
typedef enum result live_channel_maker(void *runtime, const struct channel_service *service, struct channel **channel);
MUST_USE enum result live_feed_channel(struct live_feed *feed, enum live_form form, live_channel_maker *make,
                                       void *runtime, struct channel **channel);

struct live_place live_feed_place(struct live_feed *feed);
uint32_t live_feed_viewers(const struct live_feed *feed);

/* ---- the writer's ---- */

/* The seats are like this now, (seat_count + 3) / 4 bytes of them: one frame more if that is news, or a snapshot was
 * shown that the next frame has to make up for. False when memory ran out: nothing has happened. */
bool live_feed_advance(struct live_feed *feed, const uint8_t *bits);
/* There is something to tell though the seats are as in the last frame. */
bool live_feed_owes(const struct live_feed *feed);
/* Somebody is shown these seats: they are told that it is this place. */
struct live_place live_feed_shown(struct live_feed *feed, const uint8_t *bits);
/* Lets go of what nobody asked for in a while. About once a second. */
void live_feed_tend(struct live_feed *feed);

/* A frame of the feed that this one follows: from here on it has that one's name and sequences, and viewers may go from
 * one to the other. OK, also for what is known already; CONFLICT for a delta that does not begin at or before where we
 * are, or of another feed (ask for a snapshot); OVERLOADED: nothing has happened. A snapshot that leaves a gap is told
 * to all viewers as a snapshot, and who was before it gets no delta. */
MUST_USE enum result live_feed_follow(struct live_feed *feed, const struct live_frame *frame);

/* The seats as in the last frame, for who shows them without the writer: (seat_count + 3) / 4 bytes. */
struct live_place live_feed_copy(struct live_feed *feed, uint8_t *bits);

#endif
