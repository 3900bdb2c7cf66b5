/* A live feed: what a viewer has after any frames, snapshots and resumes that came to them. */
#include "live_world.h"

#include "base/json.h"

static struct live_world world;

/* A viewer as docs/live-map.md says that one behaves. */
struct viewer {
    struct live_place place;
    uint8_t bits[LIVE_BITS_BYTES(SEATS_MOST)];
    bool is_connected;
    bool is_pure; /* what they have is a frame's state; not so with a snapshot that was newer */
};

static void put(uint8_t *bits, uint32_t change) {
    unsigned shift = (change >> 2) % 4 * 2;
    uint8_t *pair = &bits[change >> 4];
    *pair = (uint8_t)((*pair & ~(3u << shift)) | (change & 3) << shift);
}

/* False: a gap. */
static bool apply(struct viewer *viewer, const struct live_frame *frame) {
    const struct live_head *head = &frame->head;
    if (frame->kind == LIVE_SNAPSHOT) {
        memcpy(viewer->bits, frame->body, (frame->count + 3) / 4);
        viewer->place = (struct live_place){head->feed, head->sequence};
        viewer->is_pure = true;
        return true;
    }
    if (head->feed != viewer->place.feed || head->since > viewer->place.sequence)
        return false;
    if (head->sequence <= viewer->place.sequence)
        return true;
    for (uint32_t i = 0; i < frame->count; i++)
        put(viewer->bits, live_frame_change(frame, i));
    viewer->place.sequence = head->sequence;
    viewer->is_pure = true;
    return true;
}

static void take(struct viewer *viewer, struct blob *frame) {
    assert_non_null(frame);
    struct live_frame read = live_world_read(&world, frame);
    assert_true(apply(viewer, &read));
    blob_drop(frame);
}

static void assert_sees(const struct viewer *viewer, const uint8_t *bits) {
    assert_memory_equal(viewer->bits, bits, (world.seat_count + 3) / 4);
}

/* Red when a snapshot is of other seats than the feed has, or a delta has not just what changed. */
static void a_viewer_gets_a_snapshot_and_then_what_changes(void **state) {
    (void)state;
    live_world_start(&world, 10);
    struct viewer viewer = {0};
    live_world_set(&world, 3, 1);
    assert_true(live_feed_advance(world.feed, world.bits));
    take(&viewer, live_world_joins(&world, LIVE_BINARY));
    assert_sees(&viewer, world.bits);
    live_world_set(&world, 3, 0);
    live_world_set(&world, 9, 2);
    assert_true(live_feed_advance(world.feed, world.bits));
    struct blob *frame = live_world_published(&world, LIVE_BINARY);
    struct live_frame read = live_world_read(&world, frame);
    assert_int_equal(read.kind, LIVE_DELTA);
    assert_int_equal(read.count, 2);
    assert_int_equal(live_frame_change(&read, 0), live_change(3, 0));
    assert_int_equal(live_frame_change(&read, 1), live_change(9, 2));
    assert_int_equal(read.head.since + 1, read.head.sequence);
    take(&viewer, frame);
    assert_sees(&viewer, world.bits);
    live_world_stop(&world);
}

/* Red when a frame is made of nothing. */
static void no_news_is_no_frame(void **state) {
    (void)state;
    live_world_start(&world, 5);
    uint64_t sequence = live_feed_place(world.feed).sequence;
    assert_true(live_feed_advance(world.feed, world.bits));
    assert_null(live_world_published(&world, LIVE_BINARY));
    assert_int_equal(live_feed_place(world.feed).sequence, sequence);
    live_world_stop(&world);
}

/* Red when a snapshot that was newer than the last frame is not made up for: whoever has it keeps a seat that has
 * changed back. */
static void what_a_newer_snapshot_showed_is_in_the_next_frame(void **state) {
    (void)state;
    live_world_start(&world, 5);
    live_world_set(&world, 2, 1);
    struct viewer viewer = {.place = live_feed_shown(world.feed, world.bits)};
    memcpy(viewer.bits, world.bits, sizeof viewer.bits);
    assert_true(live_feed_owes(world.feed));
    live_world_set(&world, 2, 0);
    assert_true(live_feed_advance(world.feed, world.bits));
    take(&viewer, live_world_published(&world, LIVE_BINARY));
    assert_sees(&viewer, world.bits);
    assert_false(live_feed_owes(world.feed));
    live_world_stop(&world);
}

/* Red when who resumes at the newest sequence is sent a snapshot, or nothing. */
static void who_has_missed_nothing_is_told_so(void **state) {
    (void)state;
    live_world_start(&world, 5);
    struct blob *frame = live_world_resumes(&world, LIVE_BINARY, live_feed_place(world.feed));
    struct live_frame read = live_world_read(&world, frame);
    assert_int_equal(read.kind, LIVE_DELTA);
    assert_int_equal(read.count, 0);
    assert_int_equal(read.head.since, read.head.sequence);
    blob_drop(frame);
    live_world_stop(&world);
}

static enum live_kind kind_for(struct live_place from) {
    struct blob *frame = live_world_resumes(&world, LIVE_BINARY, from);
    enum live_kind kind = live_world_read(&world, frame).kind;
    blob_drop(frame);
    return kind;
}

/* Red when a name or a sequence that is not this feed's is answered with a delta. */
static void who_was_elsewhere_gets_a_snapshot(void **state) {
    (void)state;
    live_world_start(&world, 5);
    live_world_set(&world, 2, 1);
    struct live_place before = live_feed_place(world.feed);
    assert_true(live_feed_advance(world.feed, world.bits));
    assert_int_equal(kind_for(before), LIVE_DELTA);
    assert_int_equal(kind_for((struct live_place){before.feed + 1, before.sequence}), LIVE_SNAPSHOT);
    assert_int_equal(kind_for((struct live_place){before.feed, before.sequence - 1}), LIVE_SNAPSHOT);
    assert_int_equal(kind_for((struct live_place){before.feed, before.sequence + 2}), LIVE_SNAPSHOT);
    live_world_stop(&world);
}

/* Red when a snapshot is encoded anew for everyone who comes, or an old one is given out. */
static void one_snapshot_serves_all_until_the_next_frame(void **state) {
    (void)state;
    live_world_start(&world, 5);
    struct blob *one = live_world_joins(&world, LIVE_JSON), *other = live_world_joins(&world, LIVE_JSON);
    assert_ptr_equal(one, other);
    live_world_set(&world, 0, 2);
    assert_true(live_feed_advance(world.feed, world.bits));
    struct blob *newer = live_world_joins(&world, LIVE_JSON);
    assert_ptr_not_equal(one, newer);
    assert_true(newer->version > one->version);
    live_feed_tend(world.feed);
    live_feed_tend(world.feed); /* nobody asked in between: let go */
    assert_int_equal(atomic_load(&newer->references), 1);
    blob_drop(one);
    blob_drop(other);
    blob_drop(newer);
    live_world_stop(&world);
}

/* ---- JSON ---- */

static void assert_json_says(const struct blob *json, const struct live_frame *frame) {
    static const char *const words[] = {"AVAILABLE", "HELD", "BOOKED"};
    char fault[200], name[LIVE_FEED_TEXT + 1];
    json_t *document;
    assert_int_equal(json_parse(live_world_payload(json), &document, fault, sizeof fault), RESULT_OK);
    bool is_delta = frame->kind == LIVE_DELTA;
    assert_string_equal(json_string_value(json_object_get(document, "type")), is_delta ? "delta" : "snapshot");
    snprintf(name, sizeof name, "%016llx", (unsigned long long)frame->head.feed);
    assert_string_equal(json_string_value(json_object_get(document, "feed")), name);
    assert_int_equal(json_integer_value(json_object_get(document, "sequence")), frame->head.sequence);
    assert_int_equal(json_integer_value(json_object_get(document, "since")), is_delta ? frame->head.since : 0);
    json_t *seats = json_object_get(document, "seats");
    assert_int_equal(json_array_size(seats), frame->count);
    for (uint32_t i = 0; i < frame->count; i++) {
        uint32_t change = is_delta ? live_frame_change(frame, i) : live_change(i, live_world_status(frame->body, i));
        json_t *seat = json_array_get(seats, i);
        const char *id = json_string_value(json_object_get(seat, "seat_id"));
        assert_true(bytes_equal(bytes_of(id), world.ids[change >> 2]));
        assert_string_equal(json_string_value(json_object_get(seat, "status")), words[change & 3]);
    }
    json_decref(document);
}

static void assert_forms_agree(struct blob *binary, struct blob *json) {
    struct live_frame frame = live_world_read(&world, binary);
    assert_json_says(json, &frame);
    blob_drop(binary);
    blob_drop(json);
}

/* Red when an id that needs an escape is written as it is, or its length is taken wrong. */
static void ids_are_escaped_in_json(void **state) {
    (void)state;
    static const char *const hostile[] = {"\"},{\"", "\\", "\x01\n", "<script>", "Stra\303\237e-1"};
    for (unsigned only = 0; only < 5; only++) {
        live_world_start(&world, 3);
        live_feed_free(world.feed);
        world.ids[1] = bytes_of(hostile[only]);
        assert_int_equal(live_feed_new(3, world.ids, &world.feed), RESULT_OK);
        for (int form = 0; form < LIVE_FORM_COUNT; form++) {
            world.making = (enum live_form)form;
            assert_int_equal(
                live_feed_channel(world.feed, (enum live_form)form, live_world_make, &world, &world.channels[form]),
                RESULT_OK);
            atomic_store(&world.channels[form]->member_count, 1);
        }
        live_world_set(&world, 1, 2);
        assert_true(live_feed_advance(world.feed, world.bits));
        assert_forms_agree(live_world_published(&world, LIVE_BINARY), live_world_published(&world, LIVE_JSON));
        assert_forms_agree(live_world_joins(&world, LIVE_BINARY), live_world_joins(&world, LIVE_JSON));
        live_world_stop(&world);
    }
}

/* Red when what changed is told seat by seat where all seats are shorter. */
static void a_very_long_delta_is_told_as_a_snapshot(void **state) {
    (void)state;
    enum { MANY = 40000 };
    struct bytes *ids = calloc(MANY, sizeof *ids);
    uint8_t *bits = calloc(1, MANY / 4);
    assert_true(ids && bits);
    for (uint32_t seat = 0; seat < MANY; seat++)
        ids[seat] = BYTES("x");
    live_world_start(&world, 1);
    live_feed_free(world.feed);
    world.seat_count = MANY;
    world.making = LIVE_BINARY;
    assert_int_equal(live_feed_new(MANY, ids, &world.feed), RESULT_OK);
    assert_int_equal(live_feed_channel(world.feed, LIVE_BINARY, live_world_make, &world, &world.channels[0]),
                     RESULT_OK);
    atomic_store(&world.channels[0]->member_count, 1);
    struct live_place before = live_feed_place(world.feed);
    memset(bits, 0x55, MANY / 16 / 4);
    assert_true(live_feed_advance(world.feed, bits));
    struct blob *frame = live_world_published(&world, LIVE_BINARY);
    assert_int_equal(live_world_read(&world, frame).kind, LIVE_DELTA);
    assert_int_equal(kind_for(before), LIVE_DELTA);
    blob_drop(frame);
    bits[MANY / 4 - 1] = 1;
    assert_true(live_feed_advance(world.feed, bits));
    assert_int_equal(kind_for(before), LIVE_SNAPSHOT);
    memset(bits, 0xaa, MANY / 4);
    assert_true(live_feed_advance(world.feed, bits));
    frame = live_world_published(&world, LIVE_BINARY);
    assert_int_equal(live_world_read(&world, frame).kind, LIVE_SNAPSHOT);
    blob_drop(frame);
    live_world_stop(&world);
    free(ids);
    free(bits);
}

/* ---- anything, in any order ---- */

#define VIEWERS 12
#define SEEDS 300
#define STEPS 300

static uint64_t chance;

static uint32_t below(uint32_t limit) {
    chance = chance * 6364136223846793005ull + 1442695040888963407ull; /* Knuth, MMIX */
    return (uint32_t)(chance >> 33) % limit;
}

static struct viewer viewers[VIEWERS];
static uint8_t last[LIVE_BITS_BYTES(SEATS_MOST)]; /* as in the last frame */
static bool owed[SEATS_MOST];

/* A frame has just what the naive model says. */
static void advance(void) {
    uint32_t expected = 0;
    uint64_t sequence = live_feed_place(world.feed).sequence;
    for (uint32_t seat = 0; seat < world.seat_count; seat++)
        expected += owed[seat] || live_world_status(world.bits, seat) != live_world_status(last, seat);
    assert_true(live_feed_advance(world.feed, world.bits));
    assert_int_equal(live_feed_place(world.feed).sequence, sequence + (expected > 0));
    if (!expected)
        return;
    struct blob *binary = live_world_published(&world, LIVE_BINARY);
    struct live_frame frame = live_world_read(&world, binary);
    assert_int_equal(frame.kind, LIVE_DELTA);
    assert_int_equal(frame.count, expected);
    for (uint32_t i = 0; i < frame.count; i++) {
        uint32_t seat = live_frame_change(&frame, i) >> 2;
        assert_true(owed[seat] || live_world_status(world.bits, seat) != live_world_status(last, seat));
    }
    memcpy(last, world.bits, sizeof last);
    memset(owed, 0, sizeof owed);
    for (unsigned i = 0; i < VIEWERS; i++)
        if (viewers[i].is_connected) {
            assert_true(apply(&viewers[i], &frame));
            assert_int_equal(viewers[i].place.sequence, frame.head.sequence);
            assert_sees(&viewers[i], world.bits);
        }
    assert_forms_agree(binary, live_world_published(&world, LIVE_JSON));
}

static void shows_a_newer_snapshot(struct viewer *viewer) {
    viewer->place = live_feed_shown(world.feed, world.bits);
    memcpy(viewer->bits, world.bits, sizeof viewer->bits);
    viewer->is_pure = false;
    for (uint32_t seat = 0; seat < world.seat_count; seat++)
        owed[seat] = owed[seat] || live_world_status(world.bits, seat) != live_world_status(last, seat);
}

static void resumes(struct viewer *viewer) {
    viewer->is_connected = true;
    take(viewer, live_world_resumes(&world, LIVE_BINARY, viewer->place));
    if (viewer->is_pure)
        assert_sees(viewer, last);
}

static void step(void) {
    struct viewer *viewer = &viewers[below(VIEWERS)];
    switch (below(8)) {
    case 0:
    case 1:
    case 2:
        for (uint32_t i = below(6); i > 0; i--)
            live_world_set(&world, below(world.seat_count), below(3));
        break;
    case 3:
    case 4:
        advance();
        break;
    case 5:
        viewer->is_connected = false;
        break;
    case 6:
        if (!viewer->is_connected)
            resumes(viewer);
        break;
    case 7:
        if (below(2)) {
            viewer->is_connected = false;
            shows_a_newer_snapshot(viewer);
        } else {
            viewer->is_connected = true;
            take(viewer, live_world_joins(&world, LIVE_BINARY));
            assert_sees(viewer, last);
        }
        break;
    }
}

/* Red when any frame, snapshot or resumed delta leaves a viewer with something else than the truth. */
static void everybody_ends_with_the_truth(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        chance = seed;
        live_world_start(&world, 1 + below(SEATS_MOST));
        memset(viewers, 0, sizeof viewers);
        memset(last, 0, sizeof last);
        memset(owed, 0, sizeof owed);
        for (unsigned i = 0; i < STEPS; i++)
            step();
        advance();
        for (unsigned i = 0; i < VIEWERS; i++) {
            resumes(&viewers[i]);
            assert_sees(&viewers[i], world.bits);
        }
        live_world_stop(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_viewer_gets_a_snapshot_and_then_what_changes),
        cmocka_unit_test(no_news_is_no_frame),
        cmocka_unit_test(what_a_newer_snapshot_showed_is_in_the_next_frame),
        cmocka_unit_test(who_has_missed_nothing_is_told_so),
        cmocka_unit_test(who_was_elsewhere_gets_a_snapshot),
        cmocka_unit_test(one_snapshot_serves_all_until_the_next_frame),
        cmocka_unit_test(ids_are_escaped_in_json),
        cmocka_unit_test(a_very_long_delta_is_told_as_a_snapshot),
        cmocka_unit_test(everybody_ends_with_the_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
