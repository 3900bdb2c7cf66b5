/* What is wrong with a folder of keys is said, with what to do, and without what is in it: damage, loss, carelessness.
 */
#include "key_files_world.h"

static void the_format_is_read_as_it_is_documented(void **state) {
    /* Red when a line, a unit or the checksum changes: nobody's keys could be read again. */
    struct world *world = *state;
    struct key_generation wanted = generation_of(1);
    struct keyring ring, other = keyring_of(1, 1);
    char path[200];
    static const char key[] = "onsale key 1\n"
                              "id 01010101\n"
                              "created 1970-01-01T00:00:01.000Z\n"
                              "mac 101112131415161718191a1b1c1d1e1f\n"
                              "seed 909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf\n"
                              "check 5399fc0d\n";
    static const char blinding[] = "onsale blinding key 1\n"
                                   "key c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7\n"
                                   "check 61790bbe\n";
    opened(world);
    assert_int_equal(nftw(world->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(mkdir(world->folder, 0755), 0);
    key_path(world, 0x01010101, path);
    write_whole(path, key, sizeof key - 1);
    path_in(world, "blinding", path);
    write_whole(path, blinding, sizeof blinding - 1);
    ring = opened(world);
    assert_int_equal(ring.count, 1);
    assert_memory_equal(&ring.of[0], &wanted, sizeof wanted);
    assert_memory_equal(ring.blinding, other.blinding, sizeof ring.blinding);
}

/* Each way to damage a file is refused, and said without a word of what is in it. */
static void damage(struct world *world, const char *path, const char *name) {
    char text[1000], secret[65];
    size_t length = read_whole(path, text);
    const char *line = strstr(text, "mac ") ? strstr(text, "mac ") + 4 : strstr(text, "\nkey ") + 5;
    snprintf(secret, sizeof secret, "%.64s", line);
    for (size_t i = 0; i < length; i++) {
        struct keyring ring;
        text[i] ^= 1;
        write_whole(path, text, length);
        assert_int_equal(open_at(world, NOW_MS, &ring), RESULT_CORRUPT);
        assert_non_null(strstr(world->fault, name));
        assert_null(strstr(world->fault, secret));
        text[i] ^= 1;
    }
    for (size_t cut = 0; cut < length; cut++) {
        write_whole(path, text, cut);
        assert_refused(world, RESULT_CORRUPT, "is damaged");
    }
    text[length] = '\n';
    write_whole(path, text, length + 1);
    assert_refused(world, RESULT_CORRUPT, "is damaged");
    write_whole(path, text, length);
    opened(world);
}

static void damage_anywhere_is_noticed(void **state) {
    /* Red when a byte of a file does not count, so that a node goes on with another key than the others. */
    struct world *world = *state;
    char path[200];
    uint32_t id = opened(world).of[0].id;
    key_path(world, id, path);
    damage(world, path, path);
    path_in(world, "blinding", path);
    damage(world, path, "blinding");
}

static void a_newer_version_is_said_to_be_one(void **state) {
    /* Red when a file of the next version is called damaged, and somebody throws it away. */
    struct world *world = *state;
    char path[200];
    static const char key[] = "onsale key 2\nid 01010101\n", blinding[] = "onsale blinding key 12\n";
    opened(world);
    key_path(world, 0x01010101, path);
    write_whole(path, key, sizeof key - 1);
    assert_refused(world, RESULT_NEWER_VERSION, "01010101.key' was written by a newer onsale");
    assert_int_equal(unlink(path), 0);
    path_in(world, "blinding", path);
    write_whole(path, blinding, sizeof blinding - 1);
    assert_refused(world, RESULT_NEWER_VERSION, "blinding' was written by a newer onsale");
}

static void a_copy_beside_the_key_is_noticed(void **state) {
    /* Red when one id is in the keyring twice. */
    struct world *world = *state;
    char path[200], copy[200], text[1000], longer[40];
    uint32_t id = opened(world).of[0].id;
    key_path(world, id, path);
    size_t length = read_whole(path, text);
    snprintf(longer, sizeof longer, "%08x-copy.key", id);
    const char *const names[] = {"copy.key", "0000000a.key", "01.key", longer};
    for (size_t i = 0; i < COUNT(names); i++) {
        path_in(world, names[i], copy);
        write_whole(copy, text, length);
        assert_refused(world, RESULT_CORRUPT, names[i]);
        assert_non_null(strstr(world->fault, "remove it if it is a copy"));
        assert_int_equal(unlink(copy), 0);
    }
    static const char *const harmless[] = {"README", "x.key.bak", ".hidden.key", ".key", "key"};
    for (size_t i = 0; i < COUNT(harmless); i++) {
        path_in(world, harmless[i], copy);
        write_whole(copy, text, length);
        assert_int_equal(opened(world).count, 1);
    }
}

static void keys_without_a_blinding_key_are_refused(void **state) {
    /* Red when a new blinding key is made where there was one: nobody in a queue would be known again. */
    struct world *world = *state;
    char path[200];
    opened(world);
    path_in(world, "blinding", path);
    assert_int_equal(unlink(path), 0);
    assert_refused(world, RESULT_CORRUPT, "'blinding' is gone");
    assert_false(exists(world, "blinding"));
}

static void a_blinding_key_without_keys_is_refused_until_one_is_made_on_purpose(void **state) {
    /* Red when a new key is made by itself, which voids every place, or there is no way on. */
    struct world *world = *state;
    char path[200];
    struct keyring before = opened(world), after;
    key_path(world, before.of[0].id, path);
    assert_int_equal(unlink(path), 0);
    assert_refused(world, RESULT_CORRUPT, "no key");
    assert_non_null(strstr(world->fault, "onsale keys rotate"));
    uint32_t id = rotated(world, NOW_MS);
    after = opened(world);
    assert_int_equal(after.count, 1);
    assert_int_equal(after.of[0].id, id);
    assert_memory_equal(after.blinding, before.blinding, sizeof before.blinding);
}

static void what_others_can_read_or_write_is_refused(void **state) {
    /* Red when a key that somebody else may have, or may have put there, is used. */
    struct world *world = *state;
    static const mode_t open_modes[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666};
    char paths[2][200];
    key_path(world, opened(world).of[0].id, paths[0]);
    path_in(world, "blinding", paths[1]);
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < COUNT(open_modes); k++) {
            assert_int_equal(chmod(paths[i], open_modes[k]), 0);
            assert_refused(world, RESULT_FORBIDDEN, "chmod 600");
        }
        assert_int_equal(chmod(paths[i], 0400), 0);
        opened(world);
    }
    assert_int_equal(chmod(world->folder, 0720), 0);
    assert_refused(world, RESULT_FORBIDDEN, "chmod 700");
    assert_int_equal(chmod(world->folder, 0702), 0);
    assert_refused(world, RESULT_FORBIDDEN, "chmod 700");
    assert_int_equal(chmod(world->folder, 0755), 0);
    opened(world);
}

static void what_is_no_file_is_said_to_be_none(void **state) {
    /* Red when a pipe by that name stops the start for ever. */
    struct world *world = *state;
    char path[200];
    opened(world);
    path_in(world, "aaaaaaaa.key", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(world, RESULT_CORRUPT, "is not a file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    struct keyring ring;
    assert_int_not_equal(open_at(world, NOW_MS, &ring), RESULT_OK);
    assert_non_null(strstr(world->fault, path));
    assert_int_equal(rmdir(path), 0);
    snprintf(world->folder, sizeof world->folder, "%s/file", world->root);
    write_whole(world->folder, "", 0);
    assert_refused(world, RESULT_IO_ERROR, "Not a directory");
}

static void a_symbolic_link_to_a_key_is_read(void **state) {
    /* Red when keys that a deployment mounts as links cannot be used. */
    struct world *world = *state;
    char path[200], away[200];
    struct keyring before = opened(world), after;
    key_path(world, before.of[0].id, path);
    snprintf(away, sizeof away, "%s/away", world->root);
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(symlink(away, path), 0);
    after = opened(world);
    assert_true(same_ring(&before, &after));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    hash_set_up();
    const struct CMUnitTest tests[] = {TEST(the_format_is_read_as_it_is_documented),
                                       TEST(damage_anywhere_is_noticed),
                                       TEST(a_newer_version_is_said_to_be_one),
                                       TEST(a_copy_beside_the_key_is_noticed),
                                       TEST(keys_without_a_blinding_key_are_refused),
                                       TEST(a_blinding_key_without_keys_is_refused_until_one_is_made_on_purpose),
                                       TEST(what_others_can_read_or_write_is_refused),
                                       TEST(what_is_no_file_is_said_to_be_none),
                                       TEST(a_symbolic_link_to_a_key_is_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
