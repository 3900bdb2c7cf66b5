/* Bytes of a stranger taken for a message of a live feed (a node that follows another one reads such).
 *
 * The first byte says of how many seats. The oracle: what is read can be told again in the same bytes, and a feed that
 * follows it comes to that state, whatever it was before.
 */
#include "base/panic.h"
#include "feed/live_feed.h"

#include <stdlib.h>

#define SEATS_MOST 64

/* The same message, made anew. */
static struct blob *tell(const struct live_frame *frame, const struct live_seats *seats) {
    uint8_t bits[LIVE_BITS_BYTES(SEATS_MOST)] = {0};
    uint32_t changes[SEATS_MOST];
    if (frame->kind == LIVE_SNAPSHOT) {
        memcpy(bits, frame->body, (seats->count + 3) / 4);
        return live_frame_snapshot(LIVE_BINARY, seats, &frame->head, bits);
    }
    for (uint32_t i = 0; i < frame->count; i++)
        changes[i] = live_frame_change(frame, i);
    return live_frame_delta(LIVE_BINARY, seats, &frame->head, frame->count, changes);
}

static void follow(const struct live_frame *frame, struct bytes *ids, uint32_t seat_count) {
    struct live_feed *feed;
    enum result result = live_feed_new(seat_count, ids, &feed);
    assert(result == RESULT_OK);
    result = live_feed_follow(feed, frame);
    if (frame->kind == LIVE_SNAPSHOT) {
        uint8_t bits[LIVE_BITS_BYTES(SEATS_MOST)] = {0};
        struct live_place place = live_feed_copy(feed, bits);
        assert(result == RESULT_OK && place.feed == frame->head.feed && place.sequence == frame->head.sequence);
        assert(memcmp(bits, frame->body, (seat_count + 3) / 4) == 0);
    } else {
        assert(result == RESULT_CONFLICT || result == RESULT_OK);
    }
    live_feed_free(feed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes ids[SEATS_MOST];
    struct live_frame frame;
    if (size < 1)
        return 0;
    uint32_t seat_count = data[0] % (SEATS_MOST + 1);
    for (uint32_t seat = 0; seat < seat_count; seat++)
        ids[seat] = BYTES("seat");
    struct bytes message = {(const char *)data + 1, size - 1};
    if (live_frame_read(message, seat_count, &frame) != RESULT_OK)
        return 0;
    struct live_seats seats;
    live_seats_init(&seats, seat_count, ids);
    struct blob *again = tell(&frame, &seats);
    assert(again && again->length >= message.length);
    assert(memcmp(again->at + again->length - message.length, message.at, message.length) == 0);
    blob_drop(again);
    follow(&frame, ids, seat_count);
    return 0;
}
