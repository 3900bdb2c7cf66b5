/* What a failing or full disk does to a queue's log: every disk operation fails in turn, once and for good. After each:
 * no crash, answers that say so, and everything that was appended is there at the next start. */
#include "../unit/queue_log_world.h"

#include <errno.h>

/* Every n, but where a start costs thirty times as much. */
#ifdef __SANITIZE_THREAD__
#define STRIDE 7
#else
#define STRIDE 1
#endif

enum operation { CREATE, OPEN, CUT, RESERVE, MAP, TOUCH, READ, WRITE, SYNC, OPERATION_COUNT };

/* Counts operations down to the one that fails. */
static struct {
    int until;     /* negative: none fails */
    bool for_good; /* all after it, too */
    int error;
    unsigned kinds;    /* a bit a kind that counts and may fail */
    unsigned failures; /* so many did */
} faulty;

static bool fails(enum operation operation) {
    if (!(faulty.kinds & 1U << operation) || faulty.until < 0)
        return false;
    bool now = faulty.until == 0;
    if (faulty.until > 0)
        faulty.until--;
    else if (!faulty.for_good)
        faulty.until = -1;
    if (now) {
        faulty.failures++;
        errno = faulty.error;
    }
    return now;
}

static int faulty_create(void *context, const char *path, struct bytes content) {
    return fails(CREATE) ? -1 : queue_real_disk.create(context, path, content);
}

static int faulty_open(void *context, const char *path) {
    return fails(OPEN) ? -1 : queue_real_disk.open(context, path);
}

static int faulty_cut(void *context, int fd, uint64_t length) {
    return fails(CUT) ? -1 : queue_real_disk.cut(context, fd, length);
}

static int faulty_reserve(void *context, int fd, uint64_t from, uint64_t length) {
    return fails(RESERVE) ? -1 : queue_real_disk.reserve(context, fd, from, length);
}

static int faulty_map(void *context, int fd, void *at, size_t length, uint64_t from) {
    return fails(MAP) ? -1 : queue_real_disk.map(context, fd, at, length, from);
}

static int faulty_touch(void *context, void *at, size_t length) {
    return fails(TOUCH) ? -1 : queue_real_disk.touch(context, at, length);
}

static ssize_t faulty_read(void *context, int fd, void *data, size_t length, uint64_t from) {
    return fails(READ) ? -1 : queue_real_disk.read(context, fd, data, length, from);
}

static ssize_t faulty_write(void *context, int fd, const void *data, size_t length, uint64_t from) {
    return fails(WRITE) ? -1 : queue_real_disk.write(context, fd, data, length, from);
}

/* What a sync would do is not seen here; that it is asked for is. */
static int faulty_sync(void *context, int fd) {
    (void)context, (void)fd;
    return fails(SYNC) ? -1 : 0;
}

static const struct queue_disk faulty_disk = {.create = faulty_create,
                                              .open = faulty_open,
                                              .cut = faulty_cut,
                                              .reserve = faulty_reserve,
                                              .map = faulty_map,
                                              .touch = faulty_touch,
                                              .read = faulty_read,
                                              .write = faulty_write,
                                              .sync = faulty_sync};

static void nothing_fails(void) {
    faulty.until = -1;
}

static void fail_at(int n, bool for_good, int error, unsigned kinds) {
    faulty.until = n;
    faulty.for_good = for_good;
    faulty.error = error;
    faulty.kinds = kinds;
    faulty.failures = 0;
}

#define ALL_KINDS ((1U << OPERATION_COUNT) - 1)

/* Some of everything, over what may fail; *joined counts the joins that were answered. */
static void live_a_while(struct log_world *world, uint32_t *joined) {
    for (int i = 0; i < 4; i++) {
        *joined += log_world_joins(world, 12000);
        (void)log_world_seal(world);
        (void)world->logs.work(world->log);
        struct place_secret secret;
        struct buffer part;
        buffer_init(&part, 4096);
        (void)world->logs.secret(world->log, *joined, &secret);
        if (world->logs.read(world->log, 57, 1000, &part) == RESULT_OK && *joined >= 44)
            assert_int_equal(part.length, 1000);
        buffer_release(&part);
    }
}

static void is_all_there(struct log_world *world, uint32_t joined) {
    nothing_fails();
    log_world_open(world);
    assert_true(world->is_whole || joined == 0);
    assert_int_equal(world->joins, joined);
    assert_true(world->logs.work(world->log));
    assert_int_equal(log_world_joins(world, 1), 1);
    assert_int_equal(log_world_seal(world), RESULT_OK);
    assert_int_equal(checked(world).joins, joined + 1);
    log_world_close(world);
}

static void whatever_fails_what_was_answered_is_there_again(void **state) {
    // red when: a result of the disk is not looked at (let queue_file_prepare() ignore reserve(): SIGBUS)
    (void)state;
    static const int errors[] = {EIO, ENOSPC};
    for (int round = 0; round < 4; round++) {
        bool hit = true;
        for (int n = 0; hit; n += STRIDE) {
            struct log_world *world = log_world_new();
            uint32_t joined = 0;
            world->disk = faulty_disk;
            fail_at(n, round & 1, errors[round / 2], ALL_KINDS);
            enum result result = log_world_try(world);
            if (result == RESULT_OK) {
                world->logs.settle(world->log);
                live_a_while(world, &joined);
                if (n % 2)
                    log_world_close(world);
                else
                    killed(world);
            } else {
                assert_int_equal(result, RESULT_IO_ERROR);
                assert_true(strlen(world->fault) > 10);
            }
            hit = faulty.failures > 0;
            is_all_there(world, joined);
            log_world_free(world);
            assert_true(n < 1000);
        }
    }
}

static unsigned open_fds(void) {
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void a_start_that_fails_can_be_repeated(void **state) {
    // red when: a failed start leaves a file that the next one refuses, or leaks what it opened
    (void)state;
    struct log_world *world = log_world_new();
    world->disk = faulty_disk;
    nothing_fails();
    log_world_open(world);
    uint32_t joined = 0;
    live_a_while(world, &joined);
    killed(world);
    bool hit = true;
    unsigned fds_before = open_fds();
    for (int n = 0; hit; n++) {
        fail_at(n, n % 2, EIO, ALL_KINDS);
        enum result result = log_world_try(world);
        hit = faulty.failures > 0;
        nothing_fails();
        if (result == RESULT_OK)
            log_world_close(world);
        else
            assert_int_equal(result, RESULT_IO_ERROR);
        assert_int_equal(open_fds(), fds_before);
        assert_true(n < 100);
    }
    is_all_there(world, joined);
    log_world_free(world);
}

static void a_full_disk_ends_joining_and_room_on_it_lets_it_go_on(void **state) {
    // red when: work() gives up for good when a reservation fails, or says that all is well
    (void)state;
    struct log_world *world = log_world_new();
    world->disk = faulty_disk;
    nothing_fails();
    log_world_open(world);
    fail_at(0, true, ENOSPC, 1U << RESERVE);
    uint32_t joined = 0;
    for (int i = 0; i < 20; i++) {
        joined += log_world_joins(world, 40000);
        if (world->logs.work(world->log))
            assert_int_equal(joined, 40000 * (i + 1));
    }
    assert_true(joined > 40000 && joined < 20 * 40000);
    assert_false(world->logs.work(world->log));
    assert_int_equal(log_world_joins(world, 1), 0);
    nothing_fails();
    assert_true(world->logs.work(world->log));
    assert_int_equal(log_world_joins(world, 1000), 1000);
    killed(world);
    is_all_there(world, joined + 1000);
    log_world_free(world);
}

static void a_failed_sync_is_never_tried_again(void **state) {
    // red when: the next work() syncs, is told that all is well, and believes it
    (void)state;
    struct log_world *world = log_world_new();
    world->disk = faulty_disk;
    nothing_fails();
    log_world_open(world);
    assert_int_equal(log_world_joins(world, 100), 100);
    assert_int_equal(log_world_seal(world), RESULT_OK);
    fail_at(0, false, EIO, 1U << SYNC);
    assert_false(world->logs.work(world->log));
    assert_int_equal(faulty.failures, 1);
    nothing_fails();
    assert_false(world->logs.work(world->log));
    /* The room that is there may be used up, and the end is not said to be orderly. */
    uint32_t joined = 100 + log_world_joins(world, 1000000);
    assert_true(joined > 40000 && joined < 100000);
    log_world_close(world);
    another_boot(world);
    log_world_open(world);
    assert_false(world->is_whole);
    assert_true(world->joins >= 100 || world->joins == 0);
    log_world_free(world);
}

static void a_file_system_that_has_become_read_only_takes_nothing_more(void **state) {
    // red when: append() goes on writing to pages that would end the process
    (void)state;
    struct log_world *world = log_world_new();
    world->disk = faulty_disk;
    nothing_fails();
    log_world_open(world);
    assert_int_equal(log_world_joins(world, 100), 100);
    assert_int_equal(log_world_seal(world), RESULT_OK);
    fail_at(0, true, EROFS, 1U << SYNC | 1U << TOUCH | 1U << WRITE);
    assert_false(world->logs.work(world->log));
    assert_int_equal(log_world_joins(world, 1), 0);
    assert_int_equal(log_world_seal(world), RESULT_OVERLOADED);
    killed(world);
    is_all_there(world, 100);
    log_world_free(world);
}

static void a_start_that_cannot_say_that_it_goes_on_does_not(void **state) {
    // red when: an old mark ("closed in order") stays while the record grows: a power loss would be taken for none
    (void)state;
    struct log_world *world = log_world_new();
    world->disk = faulty_disk;
    nothing_fails();
    log_world_open(world);
    log_world_close(world);
    fail_at(0, true, EIO, 1U << WRITE);
    assert_int_equal(log_world_try(world), RESULT_IO_ERROR);
    nothing_fails();
    log_world_free(world);
}

static void room_that_cannot_be_touched_is_none(void **state) {
    // red when: queue_file_prepare() does not look at what touch() says, and a join ends the process
    (void)state;
    for (int operation = MAP; operation <= TOUCH; operation++) {
        struct log_world *world = log_world_new();
        world->disk = faulty_disk;
        nothing_fails();
        log_world_open(world);
        uint32_t joined = log_world_joins(world, 40000);
        fail_at(0, true, EIO, 1U << operation);
        assert_false(world->logs.work(world->log));
        joined += log_world_joins(world, 1000000);
        assert_true(joined < 50000);
        nothing_fails();
        assert_true(world->logs.work(world->log));
        assert_int_equal(log_world_joins(world, 40000), 40000);
        log_world_free(world);
    }
}

int main(void) {
    log_set_level(LOG_LEVEL_ERROR); /* it says what fails, which is what is tested */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_ends_joining_and_room_on_it_lets_it_go_on),
        cmocka_unit_test(a_failed_sync_is_never_tried_again),
        cmocka_unit_test(a_file_system_that_has_become_read_only_takes_nothing_more),
        cmocka_unit_test(room_that_cannot_be_touched_is_none),
        cmocka_unit_test(a_start_that_cannot_say_that_it_goes_on_does_not),
        cmocka_unit_test(a_start_that_fails_can_be_repeated),
        cmocka_unit_test(whatever_fails_what_was_answered_is_there_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
