/* What a node that only shows makes of its upstream's frames: one delta of several, under the upstream's own name. */
#include "api/mirror.h"
#include "base/hash.h"
#include "base/random.h"
#include "seats/bits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define SEATS 40
#define FEED 7
#define FRAMES 64

/* ---- a node with one show ---- */

struct world {
    struct api api;
    struct sale *sale;
    struct channel_service viewers; /* as the live feed serves them */
    int64_t now_us;
};

static enum result no_channel(void *runtime, const struct channel_service *service, struct channel **channel) {
    (void)runtime, (void)service;
    *channel = NULL; /* nobody watches the queue */
    return RESULT_OK;
}

static enum result keep_service(void *runtime, const struct channel_service *service, struct channel **channel) {
    struct world *world = runtime;
    (void)channel;
    world->viewers = *service;
    return RESULT_OVERLOADED; /* a channel needs reactors, and what it would be told is asked for below */
}

static struct world *world_new(void) {
    static const char text[] = "{\"sections\":[{\"name\":\"\",\"rows\":1,\"seats_per_row\":40,\"category\":\"All\"}]}";
    struct world *world = calloc(1, sizeof *world);
    struct plan *plan;
    struct sale_terms terms;
    struct id show_id = {{1}};
    struct sale_mirror *mirror;
    struct channel *channel;
    char pointer[200], detail[300];
    json_t *document = NULL;
    assert_non_null(world);
    world->api.services.new_channel = no_channel;
    assert_int_equal(json_parse(bytes_of(text), &document, detail, sizeof detail), RESULT_OK);
    assert_int_equal(plan_read(document, &plan, pointer, sizeof pointer, detail, sizeof detail), RESULT_OK);
    json_decref(document);
    sale_default_terms(&terms);
    assert_int_equal(sale_new(&show_id, plan, &terms, 1, 0, &world->sale), RESULT_OK);
    assert_int_equal(mirror_new(&world->api, &mirror), RESULT_OK);
    assert_int_equal(mirror_attach(mirror, world->sale), RESULT_OK);
    assert_int_equal(live_feed_channel(feed_live(world->sale->feed), LIVE_BINARY, keep_service, world, &channel),
                     RESULT_OVERLOADED);
    assert_non_null(world->viewers.resume);
    return world;
}

static void world_free(struct world *world) {
    sale_free(world->sale);
    free(world);
}

static void push(struct world *world) {
    world->now_us += 1000000;
    assert_int_equal(mirror_push(world->sale, world->now_us, 100), INT64_MAX);
}

/* ---- its upstream ---- */

static enum result tell_snapshot(struct world *world, uint64_t feed, uint64_t sequence, const uint8_t *bits) {
    struct live_frame frame = {LIVE_SNAPSHOT, SEATS, {feed, sequence, 0}, bits};
    return mirror_take_frame(world->sale, &frame);
}

static enum result tell(struct world *world, uint64_t feed, uint64_t since, uint64_t sequence, uint32_t seat,
                        unsigned status) {
    uint32_t change = live_change(seat, status);
    uint8_t body[4] = {(uint8_t)change, (uint8_t)(change >> 8), (uint8_t)(change >> 16), (uint8_t)(change >> 24)};
    struct live_frame frame = {LIVE_DELTA, 1, {feed, sequence, since}, body};
    return mirror_take_frame(world->sale, &frame);
}

/* ---- a viewer ---- */

/* What somebody is told who comes from there, applied to what they have. Returns the frame's kind. */
static enum live_kind resume(struct world *world, struct websocket_known *known, uint8_t *bits) {
    struct live_frame frame;
    struct blob *blob = world->viewers.resume(world->viewers.context, known);
    assert_non_null(blob);
    size_t head = (uint8_t)blob->at[1] < 126 ? 2 : 4;
    assert_int_equal(live_frame_read((struct bytes){blob->at + head, blob->length - head}, SEATS, &frame), RESULT_OK);
    if (frame.kind == LIVE_SNAPSHOT)
        memcpy(bits, frame.body, (SEATS + 3) / 4);
    else
        assert_true(frame.head.feed == known->feed && frame.head.since <= known->sequence);
    for (uint32_t i = 0; frame.kind == LIVE_DELTA && i < frame.count; i++)
        pairs_put(bits, live_frame_change(&frame, i) >> 2, live_frame_change(&frame, i) & 3);
    *known = (struct websocket_known){frame.head.feed, frame.head.sequence};
    blob_drop(blob);
    return frame.kind;
}

static unsigned status_now(struct world *world, uint32_t seat) {
    show_lock(world->sale->show);
    unsigned status = (unsigned)show_seat_status(world->sale->show, seat);
    show_unlock(world->sale->show);
    return status;
}

/* Red if a snapshot or a delta is not taken into the show at once, or the feed has a name of its own. */
static void frames_are_seen_under_their_own_name(void **state) {
    (void)state;
    struct world *world = world_new();
    uint8_t bits[(SEATS + 3) / 4] = {0}, seen[(SEATS + 3) / 4] = {0};
    pairs_put(bits, 3, SEAT_BOOKED);
    struct live_place place;
    assert_false(mirror_place(world->sale, &place));
    assert_int_equal(tell_snapshot(world, FEED, 5, bits), RESULT_OK);
    assert_int_equal(tell(world, FEED, 5, 6, 4, SEAT_HELD), RESULT_OK);
    assert_int_equal(status_now(world, 3), SEAT_BOOKED);
    assert_int_equal(status_now(world, 4), SEAT_HELD);
    push(world);
    struct websocket_known known = {1, 1};
    assert_int_equal(resume(world, &known, seen), LIVE_SNAPSHOT);
    assert_true(known.feed == FEED && known.sequence == 6);
    assert_int_equal(pairs_get(seen, 3), SEAT_BOOKED);
    assert_int_equal(pairs_get(seen, 4), SEAT_HELD);
    world_free(world);
}

/* Red if only what is different in the end is told: who saw the seat held on another node would see it held for ever.
 */
static void a_seat_that_changed_and_changed_back_is_told(void **state) {
    (void)state;
    struct world *world = world_new();
    uint8_t bits[(SEATS + 3) / 4] = {0}, seen[(SEATS + 3) / 4] = {0};
    assert_int_equal(tell_snapshot(world, FEED, 5, bits), RESULT_OK);
    push(world);
    assert_int_equal(tell(world, FEED, 5, 6, 4, SEAT_HELD), RESULT_OK);
    assert_int_equal(tell(world, FEED, 6, 7, 4, SEAT_AVAILABLE), RESULT_OK);
    push(world);
    pairs_put(seen, 4, SEAT_HELD);
    struct websocket_known known = {FEED, 6};
    assert_int_equal(resume(world, &known, seen), LIVE_DELTA);
    assert_int_equal(known.sequence, 7);
    assert_int_equal(pairs_get(seen, 4), SEAT_AVAILABLE);
    world_free(world);
}

/* Each line red if a frame that does not go on from ours is applied, or one that we know is refused. */
static void only_what_goes_on_from_ours_is_taken(void **state) {
    (void)state;
    struct world *world = world_new();
    uint8_t bits[(SEATS + 3) / 4] = {0};
    assert_int_equal(tell(world, FEED, 1, 2, 4, SEAT_HELD), RESULT_CONFLICT); /* before any snapshot */
    assert_int_equal(tell_snapshot(world, FEED, 5, bits), RESULT_OK);
    assert_int_equal(tell(world, FEED, 6, 7, 4, SEAT_HELD), RESULT_CONFLICT);     /* a gap */
    assert_int_equal(tell(world, FEED + 1, 5, 6, 4, SEAT_HELD), RESULT_CONFLICT); /* another feed */
    assert_int_equal(tell(world, FEED, 3, 5, 4, SEAT_HELD), RESULT_OK);           /* known */
    assert_int_equal(status_now(world, 4), SEAT_AVAILABLE);
    assert_int_equal(tell(world, FEED, 3, 6, 4, SEAT_HELD), RESULT_OK); /* reaches beyond ours */
    assert_int_equal(status_now(world, 4), SEAT_HELD);
    assert_int_equal(tell_snapshot(world, FEED, 6, bits), RESULT_OK); /* no newer than ours */
    assert_int_equal(status_now(world, 4), SEAT_HELD);
    assert_int_equal(tell_snapshot(world, FEED + 1, 1, bits), RESULT_OK); /* another run of the upstream */
    assert_int_equal(status_now(world, 4), SEAT_AVAILABLE);
    world_free(world);
}

/* Red if the pace is not kept: the crowd is this node's own, and so is its tick. */
static void what_is_not_due_waits(void **state) {
    (void)state;
    struct world *world = world_new();
    uint8_t bits[(SEATS + 3) / 4] = {0};
    assert_int_equal(tell_snapshot(world, FEED, 5, bits), RESULT_OK);
    push(world);
    int64_t pushed_us = world->now_us;
    assert_int_equal(tell(world, FEED, 5, 6, 4, SEAT_HELD), RESULT_OK);
    assert_int_equal(mirror_push(world->sale, pushed_us + 1, 3000), pushed_us + 3000000);
    assert_int_equal(live_feed_place(feed_live(world->sale->feed)).sequence, 5);
    assert_int_equal(mirror_push(world->sale, pushed_us + 3000000, 3000), INT64_MAX);
    assert_int_equal(live_feed_place(feed_live(world->sale->feed)).sequence, 6);
    world_free(world);
}

/* Red if there are an upstream's history, times to push and a viewer's wanderings after which they see something else
 * than what was. */
static void whoever_comes_from_another_node_sees_the_truth(void **state) {
    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        struct world *world = world_new();
        uint8_t history[FRAMES][(SEATS + 3) / 4] = {{0}};
        uint64_t pushed = 0;
        for (uint64_t sequence = 1; sequence < FRAMES; sequence++) {
            uint64_t chance = random_u64();
            uint32_t seat = (uint32_t)(chance % SEATS);
            unsigned status = chance >> 8 & 3 ? (unsigned)(chance >> 16) % 2 : SEAT_BOOKED;
            memcpy(history[sequence], history[sequence - 1], sizeof history[0]);
            pairs_put(history[sequence], seat, (uint8_t)status);
            if (sequence == 1 || chance >> 32 & 31) {
                enum result result = sequence == 1 || !(chance >> 40 & 15)
                                         ? tell_snapshot(world, FEED, sequence, history[sequence])
                                         : tell(world, FEED, sequence - 1, sequence, seat, status);
                if (result == RESULT_CONFLICT) /* a frame was lost before: as the follower does */
                    result = tell_snapshot(world, FEED, sequence, history[sequence]);
                assert_int_equal(result, RESULT_OK);
            }
            if (chance >> 48 & 1)
                push(world);
            pushed = live_feed_place(feed_live(world->sale->feed)).feed == FEED
                         ? live_feed_place(feed_live(world->sale->feed)).sequence
                         : 0;
            uint64_t from = pushed ? 1 + (chance >> 50) % pushed : 0;
            if (!from)
                continue;
            struct websocket_known known = {FEED, from};
            uint8_t seen[(SEATS + 3) / 4];
            memcpy(seen, history[from], sizeof seen);
            (void)resume(world, &known, seen);
            assert_int_equal(known.sequence, pushed);
            assert_memory_equal(seen, history[pushed], sizeof seen);
        }
        world_free(world);
    }
}

/* Red if a status is handed on that is none any more, or an ETag stays. */
static void a_document_is_there_until_it_is_gone(void **state) {
    (void)state;
    struct world *world = world_new();
    struct sale_mirror *mirror = world->sale->mirror;
    assert_false(mirrored_is_there(&mirror->queue));
    assert_true(mirror_take_status(mirror, BYTES("{}")));
    assert_true(mirrored_is_there(&mirror->queue));
    assert_non_null(mirror->queue_frame);
    mirror_end_status(mirror);
    assert_false(mirrored_is_there(&mirror->queue));
    assert_null(mirror->queue_frame);
    assert_true(mirrored_set(&mirror->show, BYTES("{\"a\":1}")));
    char etag[ETAG_BYTES];
    memcpy(etag, mirror->show.etag, sizeof etag);
    assert_true(mirrored_set(&mirror->show, BYTES("{\"a\":2}")));
    assert_string_not_equal(etag, mirror->show.etag);
    world_free(world);
}

int main(void) {
    hash_set_up();
    json_set_up();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_seen_under_their_own_name),
        cmocka_unit_test(a_seat_that_changed_and_changed_back_is_told),
        cmocka_unit_test(only_what_goes_on_from_ours_is_taken),
        cmocka_unit_test(what_is_not_due_waits),
        cmocka_unit_test(whoever_comes_from_another_node_sees_the_truth),
        cmocka_unit_test(a_document_is_there_until_it_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
