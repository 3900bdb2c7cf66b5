/* A live feed with somebody at each of its channels, who are really this test: what is published is caught on its way
 * to the reactor, which never runs. */
#ifndef ONSALE_TEST_LIVE_WORLD_H
#define ONSALE_TEST_LIVE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "feed/live_feed.h"
#include "net/channel.h"
#include "net/reactor.h"

#include <stdio.h>
#include <stdlib.h>

#define SEATS_MOST 200

struct live_world {
    struct reactor *reactor;
    struct live_feed *feed;
    struct channel *channels[LIVE_FORM_COUNT];
    struct channel_service services[LIVE_FORM_COUNT];
    enum live_form making;
    uint32_t seat_count;
    char names[SEATS_MOST][8];
    struct bytes ids[SEATS_MOST];
    uint8_t bits[LIVE_BITS_BYTES(SEATS_MOST)]; /* the seats as they are */
};

static inline enum result live_world_make(void *runtime, const struct channel_service *service,
                                          struct channel **channel) {
    struct live_world *world = runtime;
    world->services[world->making] = *service;
    return channel_new(&world->reactor, 1, service, channel);
}

static inline void live_world_start(struct live_world *world, uint32_t seat_count) {
    *world = (struct live_world){.seat_count = seat_count};
    struct reactor_settings settings = {{1000, 1000, 1000, 1000}, 4};
    assert_int_equal(reactor_new(&settings, &world->reactor), RESULT_OK);
    for (uint32_t seat = 0; seat < seat_count; seat++) {
        snprintf(world->names[seat], sizeof world->names[seat], "A%u", seat + 1);
        world->ids[seat] = bytes_of(world->names[seat]);
    }
    assert_int_equal(live_feed_new(seat_count, world->ids, &world->feed), RESULT_OK);
    for (int form = 0; form < LIVE_FORM_COUNT; form++) {
        world->making = (enum live_form)form;
        assert_int_equal(
            live_feed_channel(world->feed, (enum live_form)form, live_world_make, world, &world->channels[form]),
            RESULT_OK);
        atomic_store(&world->channels[form]->member_count, 1);
    }
}

static inline void live_world_stop(struct live_world *world) {
    reactor_free(world->reactor);
    live_feed_free(world->feed);
}

static inline void live_world_set(struct live_world *world, uint32_t seat, unsigned status) {
    uint8_t *pair = &world->bits[seat / 4];
    *pair = (uint8_t)((*pair & ~(3u << seat % 4 * 2)) | status << seat % 4 * 2);
}

static inline unsigned live_world_status(const uint8_t *bits, uint32_t seat) {
    return bits[seat / 4] >> seat % 4 * 2 & 3;
}

/* What is in a WebSocket frame. */
static inline struct bytes live_world_payload(const struct blob *frame) {
    unsigned length = (uint8_t)frame->at[1];
    size_t head = length < 126 ? 2 : length == 126 ? 4 : 10;
    return (struct bytes){frame->at + head, frame->length - head};
}

/* The frame that everybody was sent last; a reference. NULL: none was. */
static inline struct blob *live_world_published(const struct live_world *world, enum live_form form) {
    struct blob *frame = world->channels[form]->parts[0].published;
    return frame ? blob_take(frame) : NULL;
}

static inline struct blob *live_world_joins(struct live_world *world, enum live_form form) {
    return world->services[form].catch_up(world->services[form].context);
}

static inline struct blob *live_world_resumes(struct live_world *world, enum live_form form, struct live_place from) {
    struct websocket_known known = {from.feed, from.sequence};
    return world->services[form].resume(world->services[form].context, &known);
}

static inline struct live_frame live_world_read(const struct live_world *world, const struct blob *frame) {
    struct live_frame read;
    assert_int_equal(live_frame_read(live_world_payload(frame), world->seat_count, &read), RESULT_OK);
    return read;
}

#endif
