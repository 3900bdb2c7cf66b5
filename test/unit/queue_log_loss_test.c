/* The queue's log after a power loss (another boot than the one that wrote it, pages of its end lost or garbled): it
 * keeps what the chain vouches for and what is known to have been on disk. And what no start may go on with is refused.
 */
#include "queue_log_world.h"

/* ---- power loss ---- */

static void a_power_loss_keeps_what_the_chain_vouches_for(void **state) {
    // red when: an end that no HEAD covers is believed; or the record is said to be whole
    (void)state;
    struct log_world *world = log_world_new();
    log_world_open(world);
    joins(world, 100);
    sealed(world);
    joins(world, 50);
    killed(world);
    another_boot(world);
    log_world_open(world);
    assert_false(world->is_whole);
    assert_int_equal(world->joins, 100);
    assert_int_equal(world->last.kind, RECORD_HEAD);
    assert_int_equal(log_world_append(world, RECORD_UNKNOWN, 100 + 2 * LIMIT_PLACES_UNKNOWN - 100), RESULT_OK);
    world->numbers = 2 * LIMIT_PLACES_UNKNOWN;
    joins(world, 1);
    sealed(world);
    assert_int_equal(checked(world).joins, 101);
    log_world_free(world);
}

static void what_was_on_disk_is_kept_even_behind_the_last_head(void **state) {
    // red when: the mark's length is not used
    (void)state;
    struct log_world *world = log_world_new();
    log_world_open(world);
    joins(world, 100);
    sealed(world);
    joins(world, 10);
    worked(world); /* puts all of it on disk, and says so in the mark */
    joins(world, 10);
    killed(world);
    another_boot(world);
    log_world_open(world);
    assert_false(world->is_whole);
    assert_int_equal(world->joins, 110);
    log_world_free(world);
}

static void wherever_pages_are_lost_the_record_is_a_true_beginning_of_it(void **state) {
    // red when: a HEAD is believed without its hash, or without its signature; or a damaged end makes the start fail
    (void)state;
    struct log_world *world = log_world_new();
    log_world_open(world);
    joins(world, 20);
    sealed(world);
    worked(world);
    uint64_t on_disk = world->logs.length(world->log);
    for (int i = 0; i < 60; i++) {
        joins(world, 17);
        if (i % 4 == 0)
            assert_int_equal(log_world_append(world, RECORD_LEFT, (uint32_t)i + 1), RESULT_OK);
        sealed(world);
    }
    uint64_t end = world->logs.length(world->log);
    struct buffer before = whole_record(world);
    killed(world);
    for (uint64_t at = on_disk; at < end; at += 331) {
        char lost[512] = {0};
        size_t length = at % 3 ? sizeof lost : 3; /* a little damage leaves a record that can be read */
        for (size_t i = 0; i < length && at % 2; i++)
            lost[i] = (char)(at * 31 + i * 7);
        overwritten(world, "record", 0, before.at, before.length);
        overwritten(world, "record", at, lost, length);
        uint64_t good = at; /* what is overwritten with the same is not lost */
        while (good < at + length && good < end && before.at[good] == lost[good - at])
            good++;
        if (good == at + length)
            good = end;
        another_boot(world);
        log_world_open(world);
        assert_false(world->is_whole);
        struct buffer after = whole_record(world);
        assert_true(after.length >= on_disk && after.length <= good);
        assert_memory_equal(after.at, before.at, after.length);
        assert_int_equal(world->last.kind, RECORD_HEAD);
        struct record_findings findings = checked(world);
        assert_int_equal(findings.tail_bytes, 0);
        buffer_release(&after);
        killed(world);
        /* As at the first loss: this start has put on disk less than the record had. */
        struct queue_mark mark = {.boot = world->boot, .length = on_disk, .numbers = 20};
        uint8_t bytes[QUEUE_MARK_BYTES];
        queue_mark_write(&mark, bytes);
        overwritten(world, "private", 0, bytes, sizeof bytes);
        for (uint32_t number = 1; number <= 20 + 60 * 17; number++) {
            struct place_secret secret = secret_of_number(number);
            uint8_t kept[QUEUE_SECRET_BYTES];
            queue_secret_write(&secret, kept);
            overwritten(world, "private", queue_secret_offset(number), kept, sizeof kept);
        }
    }
    buffer_release(&before);
    log_world_free(world);
}

static void a_join_whose_secret_was_lost_is_not_kept(void **state) {
    // red when: a JOIN is kept whose secret the power loss took: its owner could not be told from others
    (void)state;
    struct log_world *world = log_world_new();
    log_world_open(world);
    joins(world, 10);
    sealed(world);
    joins(world, 10);
    sealed(world);
    joins(world, 10);
    sealed(world);
    killed(world);
    zeroed(world, "private", queue_secret_offset(15), 3 * QUEUE_SECRET_BYTES);
    another_boot(world);
    log_world_open(world);
    assert_int_equal(world->joins, 10);
    assert_int_equal(world->erased, 0);
    log_world_free(world);
}

static void an_erased_secret_is_no_loss(void **state) {
    // red when: zeros that were on disk are taken for lost
    (void)state;
    struct log_world *world = log_world_new();
    log_world_open(world);
    joins(world, 30);
    sealed(world);
    worked(world);
    joins(world, 10);
    sealed(world);
    killed(world);
    zeroed(world, "private", queue_secret_offset(7), QUEUE_SECRET_BYTES);
    another_boot(world);
    log_world_open(world);
    assert_int_equal(world->joins, 40);
    assert_int_equal(world->erased, 1);
    struct place_secret secret;
    assert_false(world->logs.secret(world->log, 7, &secret));
    log_world_free(world);
}

static void an_unknown_boot_trusts_nothing_unclosed(void **state) {
    // red when: two boots that are not known are taken for the same one
    (void)state;
    struct log_world *world = log_world_new();
    world->boot = (struct id){{0}};
    log_world_open(world);
    joins(world, 10);
    killed(world);
    log_world_open(world);
    assert_false(world->is_whole);
    assert_int_equal(world->joins, 0);
    log_world_free(world);
}

static void until_a_loss_is_settled_every_start_tells_of_it(void **state) {
    // red when: a start that was killed before it had recorded what is unknown makes the next one believe all is there
    (void)state;
    struct log_world *world = log_world_new();
    for (int loss = 0; loss < 2; loss++) {
        for (int start = 0; start < 4; start++) {
            assert_int_equal(log_world_try(world), RESULT_OK);
            assert_false(world->is_whole);
            if (start % 2)
                log_world_close(world);
            else
                killed(world);
        }
        log_world_open(world);
        assert_false(world->is_whole);
        killed(world);
        log_world_open(world);
        assert_true(world->is_whole);
        log_world_close(world);
        log_world_open(world);
        assert_true(world->is_whole);
        killed(world);
        another_boot(world);
    }
    log_world_free(world);
}

/* ---- what is refused ---- */

static void refused(struct log_world *world, enum result wanted, const char *words) {
    struct log_world kept = *world;
    enum result result = log_world_try(world);
    if (result != wanted || !strstr(world->fault, words))
        print_error("wanted %s \"…%s…\", got %s \"%s\"\n", result_name(wanted), words, result_name(result),
                    world->fault);
    assert_int_equal(result, wanted);
    assert_non_null(strstr(world->fault, words));
    assert_null(world->log);
    kept.log = NULL;
    *world = kept;
}

/* A log with a hundred joins on disk, killed. */
static struct log_world *world_with_a_hundred(void) {
    struct log_world *world = log_world_new();
    log_world_open(world);
    joins(world, 100);
    sealed(world);
    worked(world);
    killed(world);
    return world;
}

static void damage_of_what_was_on_disk_is_refused(void **state) {
    // red when: damage is cut off like a torn end, and places are lost without a word
    (void)state;
    for (int boot = 0; boot < 2; boot++) {
        struct log_world *world = world_with_a_hundred();
        if (boot)
            another_boot(world);
        zeroed(world, "record", 57 + 23 * 50, 1);
        refused(world, RESULT_CORRUPT, "damaged at byte 1207");
        refused(world, RESULT_CORRUPT, "back from a backup");
        log_world_free(world);
    }
}

static void a_changed_join_that_was_on_disk_is_refused_after_a_power_loss(void **state) {
    // red when: what stands before the mark is not held to the chain when it is read anyway
    (void)state;
    struct log_world *world = world_with_a_hundred();
    overwritten(world, "record", 57 + 23 * 50 + 10, "changed", 7);
    another_boot(world);
    refused(world, RESULT_CORRUPT, "damaged at byte");
    log_world_free(world);
}

static void another_commitment_or_beacon_is_refused(void **state) {
    // red when: START is not compared: a queue that was promised one order would get another
    (void)state;
    struct log_world *world = world_with_a_hundred();
    world->start.start.commitment[3] = 1;
    refused(world, RESULT_CORRUPT, "promised");
    world->start.start.commitment[3] = 0;
    world->start.start.beacon_name = BYTES("another");
    refused(world, RESULT_CORRUPT, "promised");
    world->start.start.beacon_name = BYTES("");
    world->start.time_ms += 5000; /* the time is the first start's */
    log_world_open(world);
    log_world_free(world);
}

static void another_shows_record_is_refused(void **state) {
    // red when: the show in START is not compared
    (void)state;
    struct log_world *world = world_with_a_hundred();
    overwritten(world, "record", 2, "\xff", 1);
    refused(world, RESULT_CORRUPT, "another show");
    log_world_free(world);
}

static void a_newer_format_is_refused(void **state) {
    // red when: the version is not looked at
    (void)state;
    struct log_world *world = world_with_a_hundred();
    overwritten(world, "record", 1, "\2", 1);
    refused(world, RESULT_NEWER_VERSION, "newer version");
    log_world_free(world);
}

static void a_missing_or_damaged_private_file_is_refused(void **state) {
    // red when: a queue goes on without knowing whose its places are
    (void)state;
    struct log_world *world = world_with_a_hundred();
    overwritten(world, "private", 35, "x", 1);
    refused(world, RESULT_CORRUPT, "first bytes");
    assert_int_equal(unlink(log_world_path(world, "private")), 0);
    refused(world, RESULT_CORRUPT, "is missing");
    log_world_free(world);
}

static void a_start_that_was_cut_off_before_the_record_was_made_is_begun_again(void **state) {
    // red when: a private file alone stops the show
    (void)state;
    struct log_world *world = world_with_a_hundred();
    assert_int_equal(unlink(log_world_path(world, "record")), 0);
    log_world_open(world);
    assert_int_equal(world->records, 1);
    joins(world, 1);
    log_world_free(world);
}

int main(void) {
    log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_power_loss_keeps_what_the_chain_vouches_for),
        cmocka_unit_test(what_was_on_disk_is_kept_even_behind_the_last_head),
        cmocka_unit_test(wherever_pages_are_lost_the_record_is_a_true_beginning_of_it),
        cmocka_unit_test(a_join_whose_secret_was_lost_is_not_kept),
        cmocka_unit_test(an_erased_secret_is_no_loss),
        cmocka_unit_test(an_unknown_boot_trusts_nothing_unclosed),
        cmocka_unit_test(until_a_loss_is_settled_every_start_tells_of_it),
        cmocka_unit_test(damage_of_what_was_on_disk_is_refused),
        cmocka_unit_test(a_changed_join_that_was_on_disk_is_refused_after_a_power_loss),
        cmocka_unit_test(another_commitment_or_beacon_is_refused),
        cmocka_unit_test(another_shows_record_is_refused),
        cmocka_unit_test(a_newer_format_is_refused),
        cmocka_unit_test(a_missing_or_damaged_private_file_is_refused),
        cmocka_unit_test(a_start_that_was_cut_off_before_the_record_was_made_is_begun_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
