/* A folder of keys that is made for a test and taken away after it, and what is in it. */
#ifndef ONSALE_TEST_KEY_FILES_WORLD_H
#define ONSALE_TEST_KEY_FILES_WORLD_H

#include "token_world.h"
#include "runtime/key_files.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

struct world {
    char root[40];
    char folder[80]; /* not there yet */
    char fault[4000];
};

static inline int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw) {
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static inline int set_up(void **state) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    strcpy(world->root, "/tmp/onsale-keys-XXXXXX");
    assert_non_null(mkdtemp(world->root));
    snprintf(world->folder, sizeof world->folder, "%s/deep/keys", world->root);
    *state = world;
    return 0;
}

static inline int tear_down(void **state) {
    struct world *world = *state;
    nftw(world->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(world);
    return 0;
}

static inline enum result open_at(struct world *world, int64_t now_ms, struct keyring *ring) {
    world->fault[0] = '\0';
    return key_files_open(world->folder, now_ms, ring, world->fault, sizeof world->fault);
}

static inline struct keyring opened(struct world *world) {
    struct keyring ring;
    enum result result = open_at(world, NOW_MS, &ring);
    if (result != RESULT_OK)
        print_error("%s\n", world->fault);
    assert_int_equal(result, RESULT_OK);
    return ring;
}

static inline void assert_refused(struct world *world, enum result wanted, const char *words) {
    struct keyring ring, untouched;
    memset(&ring, 0x5a, sizeof ring);
    memset(&untouched, 0x5a, sizeof untouched);
    assert_int_equal(open_at(world, NOW_MS, &ring), wanted);
    assert_memory_equal(&ring, &untouched, sizeof ring);
    if (!strstr(world->fault, words))
        print_error("'%s' is not in '%s'\n", words, world->fault);
    assert_non_null(strstr(world->fault, words));
}

static inline uint32_t rotated(struct world *world, int64_t now_ms) {
    uint32_t id = 0;
    assert_int_equal(key_files_rotate(world->folder, now_ms, &id, world->fault, sizeof world->fault), RESULT_OK);
    return id;
}

static inline void path_in(const struct world *world, const char *name, char path[static 200]) {
    snprintf(path, 200, "%s/%s", world->folder, name);
}

static inline void key_path(const struct world *world, uint32_t id, char path[static 200]) {
    snprintf(path, 200, "%s/%08x.key", world->folder, id);
}

static inline bool exists(const struct world *world, const char *name) {
    char path[200];
    path_in(world, name, path);
    return access(path, F_OK) == 0;
}

static inline size_t read_whole(const char *path, char text[static 1000]) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(text, 1, 1000, file);
    fclose(file);
    return length;
}

static inline void write_whole(const char *path, const char *text, size_t length) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, text, length) == (ssize_t)length);
    close(fd);
}

static inline bool same_ring(const struct keyring *a, const struct keyring *b) {
    return a->count == b->count && memcmp(a->of, b->of, a->count * sizeof a->of[0]) == 0 &&
           memcmp(a->blinding, b->blinding, sizeof a->blinding) == 0;
}

#endif
