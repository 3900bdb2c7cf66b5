/* The bytes of the live feed (docs/live-map.md): a show's seats at a sequence, or what changed since one.
 *
 * A binary message is a head of 32 bytes, little-endian, and a body:
 *
 *     0  u8 kind (1 snapshot, 2 delta)   1  u8 format version (1)   2  u16 zero   4  u32 count
 *     8  u64 feed    16  u64 sequence    24  u64 since (snapshot: 0)
 *     32 snapshot: ceil(count / 4) bytes, two bits a seat in plan order; delta: count times u32, seat << 2 | status,
 *        rising
 *
 * The JSON form says the same in words. What is made here is a whole WebSocket frame in a blob, ready to be sent to
 * everybody. Seats' states are two bits a seat as in show_copy_bits(), padded with zeros to LIVE_BITS_BYTES(count).
 *
 * What can go wrong: memory. What a peer sends is not trusted by live_frame_read().
 */
#ifndef ONSALE_FEED_LIVE_FRAME_H
#define ONSALE_FEED_LIVE_FRAME_H

#include "base/result.h"
#include "net/blob.h"

enum live_kind { LIVE_SNAPSHOT = 1, LIVE_DELTA = 2 };
enum live_form { LIVE_BINARY, LIVE_JSON, LIVE_FORM_COUNT };

#define LIVE_FORMAT_VERSION 1
#define LIVE_HEAD_BYTES 32
#define LIVE_FEED_TEXT 16 /* a feed's name: so many lower-case hex digits */

/* So many bytes of two-bit states are worked on, 32 seats at a time. */
#define LIVE_BITS_BYTES(seat_count) (((size_t)(seat_count) + 31) / 32 * 8)

/* Who a seat is to a viewer who reads JSON. Set once. */
struct live_seats {
    uint32_t count;
    const struct bytes *ids; /* the caller's, as long as the frames are made */
    size_t id_bytes;         /* of all their texts in JSON, without quotes */
    bool are_plain;          /* none needs an escape */
};

/* Looks at the ids once. */
void live_seats_init(struct live_seats *seats, uint32_t count, const struct bytes *ids);

/* A change as a delta has it. */
static inline uint32_t live_change(uint32_t seat, unsigned status) {
    return seat << 2 | status;
}

struct live_head {
    uint64_t feed, sequence, since;
};

/* Whole WebSocket frames; NULL when memory ran out. `bits` has LIVE_BITS_BYTES. `since` of a snapshot is not told. */
struct blob *live_frame_snapshot(enum live_form form, const struct live_seats *seats, const struct live_head *head,
                                 const uint8_t *bits);
struct blob *live_frame_delta(enum live_form form, const struct live_seats *seats, const struct live_head *head,
                              uint32_t count, const uint32_t *changes);

/* A binary message that was read; it points into the message. */
struct live_frame {
    enum live_kind kind;
    uint32_t count;
    struct live_head head;
    const uint8_t *body;
};

/* OK, or BAD_REQUEST for what is no message of a feed of so many seats: a kind, version or length that is not there, a
 * status of 3, seats out of order or beyond the last, bits behind the last seat, a sequence that does not lie behind
 * `since` (but for an empty delta, which says that nothing has changed). */
MUST_USE enum result live_frame_read(struct bytes message, uint32_t seat_count, struct live_frame *frame);
/* The i-th change of a delta. */
uint32_t live_frame_change(const struct live_frame *frame, uint32_t i);

#endif
