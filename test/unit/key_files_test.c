/* The folder of keys: made once, whatever starts or dies at the same time; rotated and retired. */
#include "key_files_world.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/wait.h>

#define NODES 12

/* ---- the step at which the disk fails, or the process ends ---- */

static int steps_left = -1; /* -1: none */
static bool step_ends_the_process;

static bool step_fails(void) {
    if (steps_left < 0 || steps_left-- > 0)
        return false;
    if (step_ends_the_process)
        _exit(0);
    errno = EIO;
    return true;
}

ssize_t __real_write(int fd, const void *data, size_t length);
ssize_t __wrap_write(int fd, const void *data, size_t length);
ssize_t __wrap_write(int fd, const void *data, size_t length) {
    return step_fails() ? -1 : __real_write(fd, data, length);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd) {
    return step_fails() ? -1 : __real_fsync(fd);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to) {
    return step_fails() ? -1 : __real_rename(from, to);
}

int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to) {
    return step_fails() ? -1 : __real_renameat(from_fd, from, to_fd, to);
}

/* ---- making ---- */

static void the_first_start_makes_the_keys_for_good(void **state) {
    /* Red when a second start makes others, or what is made can be read by others. */
    struct world *world = *state;
    struct keyring first = opened(world), second = opened(world);
    struct stat status;
    char path[200];
    assert_int_equal(first.count, 1);
    assert_int_equal(first.of[0].created_ms, NOW_MS);
    assert_int_not_equal(first.of[0].id, 0);
    assert_true(same_ring(&first, &second));
    assert_int_equal(stat(world->folder, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    key_path(world, first.of[0].id, path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    path_in(world, "blinding", path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_false(exists(world, "blinding.new"));
}

static void two_installations_share_no_key(void **state) {
    /* Red when a secret is not drawn at random, or two of them are the same. */
    struct world *world = *state, other = *world;
    snprintf(other.folder, sizeof other.folder, "%s/other", world->root);
    struct keyring one = opened(world), two = opened(&other);
    assert_memory_not_equal(one.of[0].mac, two.of[0].mac, KEY_MAC_BYTES);
    assert_memory_not_equal(one.of[0].seed, two.of[0].seed, KEY_SEED_BYTES);
    assert_memory_not_equal(one.of[0].mac, one.of[0].seed, KEY_MAC_BYTES);
    assert_memory_not_equal(one.blinding, two.blinding, sizeof one.blinding);
    assert_memory_not_equal(one.blinding, one.of[0].mac, KEY_MAC_BYTES);
}

/* What a node has read: small enough to be written to a pipe in one piece. */
struct found {
    uint32_t count;
    struct key_generation first;
    uint8_t blinding[sizeof((struct keyring *)0)->blinding];
};

/* Processes that start at the same moment; what each of them has read. */
static void start_nodes(struct world *world, struct found rings[static NODES]) {
    int start[2], answers[2];
    pid_t nodes[NODES];
    assert_int_equal(pipe(start), 0);
    assert_int_equal(pipe(answers), 0);
    for (unsigned i = 0; i < NODES; i++) {
        nodes[i] = fork();
        assert_true(nodes[i] >= 0);
        if (nodes[i] == 0) {
            char go;
            struct keyring ring = {0};
            close(start[1]);
            if (read(start[0], &go, 1) != 0)
                _exit(1);
            if (open_at(world, NOW_MS + i, &ring) != RESULT_OK)
                _exit(2);
            struct found found = {.count = ring.count, .first = ring.of[0]};
            memcpy(found.blinding, ring.blinding, sizeof found.blinding);
            _exit(write(answers[1], &found, sizeof found) == sizeof found ? 0 : 3);
        }
    }
    close(start[0]);
    close(start[1]); /* go */
    close(answers[1]);
    for (unsigned i = 0; i < NODES; i++)
        assert_int_equal(read(answers[0], &rings[i], sizeof rings[i]), sizeof rings[i]);
    for (unsigned i = 0; i < NODES; i++) {
        int status;
        assert_int_equal(waitpid(nodes[i], &status, 0), nodes[i]);
        assert_int_equal(status, 0);
    }
    close(answers[0]);
}

static void nodes_that_start_at_once_agree(void **state) {
    /* Red when two of them make keys: without the lock, or without looking again under it. */
    struct world *world = *state;
    static struct found rings[NODES];
    for (unsigned round = 0; round < 20; round++) {
        snprintf(world->folder, sizeof world->folder, "%s/keys%u", world->root, round);
        start_nodes(world, rings);
        struct keyring now = opened(world);
        assert_int_equal(now.count, 1);
        for (unsigned i = 0; i < NODES; i++) {
            assert_int_equal(rings[i].count, 1);
            assert_memory_equal(&rings[i].first, &now.of[0], sizeof now.of[0]);
            assert_memory_equal(rings[i].blinding, now.blinding, sizeof now.blinding);
        }
    }
}

/* A first start that ends at its n-th step; false: it had fewer. */
static bool die_at(struct world *world, int step) {
    pid_t node = fork();
    int status;
    assert_true(node >= 0);
    if (node == 0) {
        struct keyring ring;
        steps_left = step;
        step_ends_the_process = true;
        _exit(open_at(world, NOW_MS, &ring) == RESULT_OK ? 77 : 1);
    }
    assert_int_equal(waitpid(node, &status, 0), node);
    assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77));
    return WEXITSTATUS(status) == 0;
}

static void a_first_start_that_died_is_finished_by_the_next(void **state) {
    /* Red when what was left half made is taken for lost keys, or makes a second generation. */
    struct world *world = *state;
    int step = 0;
    for (bool died = true; died; step++) {
        snprintf(world->folder, sizeof world->folder, "%s/keys%d", world->root, step);
        died = die_at(world, step);
        struct keyring first = opened(world), second = opened(world);
        assert_int_equal(first.count, 1);
        assert_true(same_ring(&first, &second));
    }
    assert_in_range(step, 9, 30);
}

static void a_first_start_whose_disk_fails_can_be_tried_again(void **state) {
    /* Red when a failure is not said, or leaves what no start can use. */
    struct world *world = *state;
    enum result result = RESULT_IO_ERROR;
    int step = 0;
    for (; result != RESULT_OK; step++) {
        struct keyring ring;
        snprintf(world->folder, sizeof world->folder, "%s/keys%d", world->root, step);
        steps_left = step;
        step_ends_the_process = false;
        result = open_at(world, NOW_MS, &ring);
        steps_left = -1;
        assert_true(result == RESULT_OK || (result == RESULT_IO_ERROR && strstr(world->fault, "Input/output error")));
        ring = opened(world);
        assert_int_equal(ring.count, 1);
    }
    assert_in_range(step, 9, 30);
}

static void who_finds_the_folder_locked_waits(void **state) {
    /* Red when a node does not wait for the one that makes the keys. */
    struct world *world = *state;
    struct keyring ring = opened(world);
    char path[200];
    path_in(world, "keys.lock", path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    pid_t node = fork();
    if (node == 0) {
        usleep(150 * 1000);
        _exit(flock(fd, LOCK_UN)); /* the lock is the open file's, which both have */
    }
    assert_int_not_equal(rotated(world, NOW_MS), ring.of[0].id);
    int status;
    assert_int_equal(waitpid(node, &status, 0), node);
    assert_int_equal(status, 0);
    close(fd);
}

static void reading_writes_nothing(void **state) {
    /* Red when a folder that is mounted read-only cannot be used: a lock is taken where nothing is missing. */
    struct world *world = *state;
    char path[200];
    opened(world);
    path_in(world, "keys.lock", path);
    assert_int_equal(unlink(path), 0);
    opened(world);
    assert_false(exists(world, "keys.lock"));
}

/* ---- rotating ---- */

static void a_rotation_adds_the_key_that_signs(void **state) {
    /* Red when the old key goes, the blinding key changes, or the new one is not the newest. */
    struct world *world = *state;
    struct keyring before = opened(world);
    uint32_t id = rotated(world, NOW_MS + 5000);
    struct keyring after = opened(world);
    assert_int_equal(after.count, 2);
    assert_memory_equal(&after.of[0], &before.of[0], sizeof before.of[0]);
    assert_int_equal(keyring_newest(&after)->id, id);
    assert_int_equal(after.of[1].created_ms, NOW_MS + 5000);
    assert_memory_equal(after.blinding, before.blinding, sizeof before.blinding);
}

static void a_clock_that_stepped_back_makes_no_old_key(void **state) {
    /* Red when a key made after another one is sorted before it, so that the old one goes on signing. */
    struct world *world = *state;
    opened(world);
    for (int64_t i = 0; i < 5; i++) {
        uint32_t id = rotated(world, NOW_MS - i * 100000);
        struct keyring ring = opened(world);
        assert_int_equal(keyring_newest(&ring)->id, id);
    }
}

static void every_key_is_used_the_oldest_first(void **state) {
    /* Red when one is left out, which would void tickets that it signed, or their order is that of the folder. */
    struct world *world = *state;
    uint32_t ids[40];
    struct keyring ring = opened(world);
    ids[0] = ring.of[0].id;
    for (unsigned i = 1; i < COUNT(ids); i++)
        ids[i] = rotated(world, NOW_MS + i);
    ring = opened(world);
    struct key_files files;
    assert_int_equal(key_files_list(world->folder, &files, world->fault, sizeof world->fault), RESULT_OK);
    assert_int_equal(ring.count, COUNT(ids));
    assert_int_equal(files.count, COUNT(ids));
    for (unsigned i = 0; i < COUNT(ids); i++) {
        assert_int_equal(ring.of[i].id, ids[i]);
        assert_true(files.of[i].id == ids[i] && files.of[i].created_ms == NOW_MS + i);
    }
}

static void there_is_a_bound_to_keys(void **state) {
    /* Red when the list runs over its end. */
    struct world *world = *state;
    uint32_t id = 0;
    char path[200];
    opened(world);
    for (unsigned i = 1; i < LIMIT_KEY_GENERATIONS; i++)
        id = rotated(world, NOW_MS + i);
    opened(world);
    assert_int_equal(key_files_rotate(world->folder, NOW_MS, &id, world->fault, sizeof world->fault),
                     RESULT_OVERLOADED);
    assert_non_null(strstr(world->fault, "retire"));
    char text[1000];
    key_path(world, id, path);
    size_t length = read_whole(path, text);
    assert_int_equal(key_files_retire(world->folder, opened(world).of[0].id, world->fault, sizeof world->fault),
                     RESULT_OK);
    assert_int_equal(unlink(path), 0);
    rotated(world, NOW_MS + 1000);
    rotated(world, NOW_MS + 1001);
    write_whole(path, text, length); /* the 257th, by hand */
    assert_refused(world, RESULT_CORRUPT, "more than 256 keys");
}

static void a_key_is_retired_unless_it_signs(void **state) {
    /* Red when the newest, or another than the one named, goes. */
    struct world *world = *state;
    struct keyring ring = opened(world);
    uint32_t old = ring.of[0].id, id = rotated(world, NOW_MS + 1);
    assert_int_equal(key_files_retire(world->folder, id, world->fault, sizeof world->fault), RESULT_CONFLICT);
    assert_non_null(strstr(world->fault, "rotate first"));
    assert_int_equal(key_files_retire(world->folder, id ^ old ^ 1, world->fault, sizeof world->fault),
                     RESULT_NOT_FOUND);
    assert_int_equal(key_files_retire(world->folder, old, world->fault, sizeof world->fault), RESULT_OK);
    ring = opened(world);
    assert_int_equal(ring.count, 1);
    assert_int_equal(ring.of[0].id, id);
}

static void a_folder_that_was_mistyped_gets_no_keys(void **state) {
    /* Red when listing, rotating or retiring makes a folder, or anything in one that has no keys. */
    struct world *world = *state;
    struct key_files files;
    uint32_t id;
    char *fault = world->fault;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(key_files_list(world->folder, &files, fault, sizeof world->fault), RESULT_NOT_FOUND);
        assert_int_equal(key_files_rotate(world->folder, NOW_MS, &id, fault, sizeof world->fault), RESULT_NOT_FOUND);
        assert_int_equal(key_files_retire(world->folder, 1, fault, sizeof world->fault), RESULT_NOT_FOUND);
        assert_non_null(strstr(fault, "no keys"));
        assert_int_equal(access(world->folder, F_OK), i == 0 ? -1 : 0);
        assert_false(exists(world, "keys.lock"));
        snprintf(world->folder, sizeof world->folder, "%s", world->root);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    hash_set_up();
    const struct CMUnitTest tests[] = {TEST(the_first_start_makes_the_keys_for_good),
                                       TEST(two_installations_share_no_key),
                                       TEST(nodes_that_start_at_once_agree),
                                       TEST(a_first_start_that_died_is_finished_by_the_next),
                                       TEST(a_first_start_whose_disk_fails_can_be_tried_again),
                                       TEST(who_finds_the_folder_locked_waits),
                                       TEST(reading_writes_nothing),
                                       TEST(a_rotation_adds_the_key_that_signs),
                                       TEST(a_clock_that_stepped_back_makes_no_old_key),
                                       TEST(every_key_is_used_the_oldest_first),
                                       TEST(there_is_a_bound_to_keys),
                                       TEST(a_key_is_retired_unless_it_signs),
                                       TEST(a_folder_that_was_mistyped_gets_no_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
