/* A feed that follows another one, and the pace of both; and what is no frame. */
#include "live_world.h"

#include "feed/live_pace.h"

static struct live_world origin, node;

static void start(uint32_t seat_count) {
    live_world_start(&origin, seat_count);
    live_world_start(&node, seat_count);
}

static void stop(void) {
    live_world_stop(&origin);
    live_world_stop(&node);
}

static enum result follow(struct blob *frame) {
    assert_non_null(frame);
    struct live_frame read = live_world_read(&origin, frame);
    enum result result = live_feed_follow(node.feed, &read);
    blob_drop(frame);
    return result;
}

static void assert_same_state(void) {
    uint8_t one[LIVE_BITS_BYTES(SEATS_MOST)] = {0}, other[LIVE_BITS_BYTES(SEATS_MOST)] = {0};
    struct live_place at = live_feed_copy(origin.feed, one), there = live_feed_copy(node.feed, other);
    assert_int_equal(at.feed, there.feed);
    assert_int_equal(at.sequence, there.sequence);
    assert_memory_equal(one, other, sizeof one);
}

static void change(uint32_t seat, unsigned status) {
    live_world_set(&origin, seat, status);
    assert_true(live_feed_advance(origin.feed, origin.bits));
}

/* Red when a node's frames are other bytes than those that it follows. */
static void a_node_tells_the_same_bytes(void **state) {
    (void)state;
    start(9);
    assert_int_equal(follow(live_world_joins(&origin, LIVE_BINARY)), RESULT_OK);
    assert_same_state();
    change(4, 1);
    struct blob *frame = live_world_published(&origin, LIVE_BINARY);
    assert_int_equal(follow(blob_take(frame)), RESULT_OK);
    assert_same_state();
    struct blob *told = live_world_published(&node, LIVE_BINARY);
    assert_int_equal(told->length, frame->length);
    assert_memory_equal(told->at, frame->at, frame->length);
    blob_drop(told);
    assert_int_equal(follow(frame), RESULT_OK); /* once more: known */
    assert_same_state();
    stop();
}

/* Red when a delta that does not fit is applied. */
static void a_gap_is_a_conflict(void **state) {
    (void)state;
    start(9);
    assert_int_equal(follow(live_world_joins(&origin, LIVE_BINARY)), RESULT_OK);
    struct live_place before = live_feed_place(origin.feed);
    change(4, 1);
    change(5, 2);
    assert_int_equal(follow(live_world_published(&origin, LIVE_BINARY)), RESULT_CONFLICT);
    assert_int_equal(live_feed_place(node.feed).sequence, before.sequence);
    assert_int_equal(follow(live_world_resumes(&origin, LIVE_BINARY, before)), RESULT_OK);
    assert_same_state();
    stop();
}

/* Red when a sequence that no feed comes to, which a peer may well say, is taken. */
static void a_sequence_out_of_reach_is_a_conflict(void **state) {
    (void)state;
    start(9);
    assert_int_equal(follow(live_world_joins(&origin, LIVE_BINARY)), RESULT_OK);
    struct live_place at = live_feed_place(node.feed);
    struct live_frame frame = {LIVE_DELTA, 0, {at.feed, at.sequence + UINT32_MAX, at.sequence}, NULL};
    assert_int_equal(live_feed_follow(node.feed, &frame), RESULT_CONFLICT);
    frame.head.sequence = UINT64_MAX;
    assert_int_equal(live_feed_follow(node.feed, &frame), RESULT_CONFLICT);
    frame.head.sequence = at.sequence + UINT32_MAX - 2;
    assert_int_equal(live_feed_follow(node.feed, &frame), RESULT_OK);
    assert_int_equal(live_feed_place(node.feed).sequence, frame.head.sequence);
    stop();
}

/* Red when who was before a gap is given a delta over it. */
static void over_a_gap_there_are_snapshots_only(void **state) {
    (void)state;
    start(9);
    assert_int_equal(follow(live_world_joins(&origin, LIVE_BINARY)), RESULT_OK);
    struct live_place before = live_feed_place(node.feed);
    change(4, 1);
    change(4, 0);
    assert_int_equal(follow(live_world_joins(&origin, LIVE_BINARY)), RESULT_OK);
    assert_same_state();
    struct blob *told = live_world_published(&node, LIVE_BINARY);
    assert_int_equal(live_world_read(&node, told).kind, LIVE_SNAPSHOT);
    blob_drop(told);
    struct blob *frame = live_world_resumes(&node, LIVE_BINARY, before);
    assert_int_equal(live_world_read(&node, frame).kind, LIVE_SNAPSHOT);
    blob_drop(frame);
    change(1, 1);
    assert_int_equal(follow(live_world_published(&origin, LIVE_BINARY)), RESULT_OK);
    assert_same_state();
    stop();
}

/* Red when an origin that began anew, at a lower sequence, is not followed, or its viewers are not told. */
static void an_origin_that_began_anew_is_followed(void **state) {
    (void)state;
    start(9);
    for (unsigned i = 0; i < 5; i++)
        change(i, 1);
    assert_int_equal(follow(live_world_joins(&origin, LIVE_BINARY)), RESULT_OK);
    struct blob *before = live_world_joins(&node, LIVE_BINARY);
    live_world_stop(&origin);
    live_world_start(&origin, 9);
    change(8, 2);
    assert_int_equal(follow(live_world_published(&origin, LIVE_BINARY)), RESULT_CONFLICT);
    assert_int_equal(follow(live_world_joins(&origin, LIVE_BINARY)), RESULT_OK);
    assert_same_state();
    struct blob *told = live_world_published(&node, LIVE_BINARY);
    assert_true(told->version > before->version);
    blob_drop(told);
    blob_drop(before);
    stop();
}

/* ---- what is no frame ---- */

static enum result read_changed(const struct blob *frame, size_t at, uint8_t with, size_t length) {
    uint8_t copy[200];
    struct bytes payload = live_world_payload(frame);
    assert_true(payload.length <= sizeof copy && length <= sizeof copy);
    memset(copy, 0, sizeof copy);
    memcpy(copy, payload.at, payload.length);
    copy[at] = with;
    struct live_frame read;
    return live_frame_read((struct bytes){(const char *)copy, length}, 9, &read);
}

/* Red when a check of live_frame_read() is left out. */
static void what_is_no_frame_is_refused(void **state) {
    (void)state;
    start(9);
    struct blob *snapshot = live_world_joins(&origin, LIVE_BINARY);
    size_t whole = live_world_payload(snapshot).length;
    assert_int_equal(whole, LIVE_HEAD_BYTES + 3);
    assert_int_equal(read_changed(snapshot, 32, 0x1a, whole), RESULT_OK);
    assert_int_equal(read_changed(snapshot, 0, 0, whole), RESULT_BAD_REQUEST);
    assert_int_equal(read_changed(snapshot, 0, 3, whole), RESULT_BAD_REQUEST);
    assert_int_equal(read_changed(snapshot, 1, 2, whole), RESULT_BAD_REQUEST);
    assert_int_equal(read_changed(snapshot, 2, 1, whole), RESULT_BAD_REQUEST);
    assert_int_equal(read_changed(snapshot, 4, 8, whole), RESULT_BAD_REQUEST);
    assert_int_equal(read_changed(snapshot, 24, 1, whole), RESULT_BAD_REQUEST);
    assert_int_equal(read_changed(snapshot, 32, 3, whole), RESULT_BAD_REQUEST);
    assert_int_equal(read_changed(snapshot, 34, 4, whole), RESULT_BAD_REQUEST);
    assert_int_equal(read_changed(snapshot, 1, 1, whole - 1), RESULT_BAD_REQUEST);
    assert_int_equal(read_changed(snapshot, 1, 1, whole + 1), RESULT_BAD_REQUEST);
    assert_int_equal(read_changed(snapshot, 1, 1, 31), RESULT_BAD_REQUEST);
    blob_drop(snapshot);
    live_world_set(&origin, 3, 1);
    live_world_set(&origin, 7, 1);
    assert_true(live_feed_advance(origin.feed, origin.bits));
    struct blob *delta = live_world_published(&origin, LIVE_BINARY);
    whole = live_world_payload(delta).length;
    assert_int_equal(whole, LIVE_HEAD_BYTES + 8);
    assert_int_equal(read_changed(delta, 1, 1, whole), RESULT_OK);
    assert_int_equal(read_changed(delta, 4, 1, whole), RESULT_BAD_REQUEST);
    assert_int_equal(read_changed(delta, 24, 2, whole), RESULT_BAD_REQUEST);
    assert_int_equal(read_changed(delta, 24, 9, whole), RESULT_BAD_REQUEST);
    assert_int_equal(read_changed(delta, 32, 7 << 2, whole), RESULT_BAD_REQUEST);
    assert_int_equal(read_changed(delta, 36, 9 << 2, whole), RESULT_BAD_REQUEST);
    assert_int_equal(read_changed(delta, 36, 7 << 2 | 3, whole), RESULT_BAD_REQUEST);
    blob_drop(delta);
    stop();
}

/* ---- the pace ---- */

/* Red when the crowd, the cost or the share does not stretch the tick, or it has no bounds. */
static void the_tick_is_stretched_by_what_sending_costs(void **state) {
    (void)state;
    struct live_pace pace;
    live_pace_init(&pace, 50, 2);
    assert_int_equal(live_pace_interval_ms(&pace, 0), LIVE_LEAST_MS);
    struct websocket_cost cost = {0};
    for (unsigned i = 0; i < 100; i++) {
        cost.cpu_ns += 20000 * 1000;
        cost.sends += 1000;
        live_pace_learn(&pace, cost);
    }
    assert_int_equal(live_pace_interval_ms(&pace, 1000), LIVE_LEAST_MS);
    assert_in_range(live_pace_interval_ms(&pace, 100000), 1999, 2001); /* 100,000 of 20 us in half of two cores */
    live_pace_learn(&pace, (struct websocket_cost){cost.cpu_ns + 1000000000, cost.sends + 3});
    assert_in_range(live_pace_interval_ms(&pace, 100000), 1999, 2001); /* a few say nothing */
    assert_int_equal(live_pace_interval_ms(&pace, 4000000), LIVE_MOST_MS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_tells_the_same_bytes),
        cmocka_unit_test(a_gap_is_a_conflict),
        cmocka_unit_test(a_sequence_out_of_reach_is_a_conflict),
        cmocka_unit_test(over_a_gap_there_are_snapshots_only),
        cmocka_unit_test(an_origin_that_began_anew_is_followed),
        cmocka_unit_test(what_is_no_frame_is_refused),
        cmocka_unit_test(the_tick_is_stretched_by_what_sending_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
