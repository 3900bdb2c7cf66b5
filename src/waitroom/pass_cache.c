/* A bucket is one cache line of four tags (hash_tag(), which nobody outside can aim at), the newest first; zeros are
 * free places. What is remembered is only that a text was once found to be ours: what it says, and whether its key is
 * still there, is read again each time. So a thread that looks with an older keyring while the keys change can leave
 * nothing behind that a newer keyring would not refuse. */
#include "waitroom/pass.h"
#include "base/hash.h"
#include "base/pages.h"
#include "base/panic.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdlib.h>

#define WAYS 4
#define LOCKS 64
#define LINE 64

struct bucket {
    struct id tag[WAYS];
};

struct lock {
    alignas(LINE) pthread_mutex_t mutex; /* guards the buckets whose number is its own modulo LOCKS */
};

struct pass_cache {
    struct lock *locks;     /* set once */
    struct bucket *buckets; /* under lock */
    uint64_t count;         /* set once: of buckets, a power of two */
};

static_assert(sizeof(struct bucket) == LINE, "a look touches one cache line");

enum result pass_cache_new(uint32_t room, struct pass_cache **cache) {
    assert(room > 0);
    struct pass_cache *made = calloc(1, sizeof *made);
    if (!made)
        return RESULT_OVERLOADED;
    made->count = 1;
    while (made->count * WAYS < room)
        made->count *= 2;
    made->locks = aligned_alloc(LINE, LOCKS * sizeof *made->locks);
    made->buckets = pages_reserve(made->count * sizeof *made->buckets);
    if (!made->locks || !made->buckets) {
        pages_release(made->buckets, made->count * sizeof *made->buckets);
        free(made->locks);
        free(made);
        return RESULT_OVERLOADED;
    }
    for (unsigned i = 0; i < LOCKS; i++)
        pthread_mutex_init(&made->locks[i].mutex, NULL);
    *cache = made;
    return RESULT_OK;
}

void pass_cache_free(struct pass_cache *cache) {
    if (!cache)
        return;
    for (unsigned i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&cache->locks[i].mutex);
    pages_release(cache->buckets, cache->count * sizeof *cache->buckets);
    free(cache->locks);
    free(cache);
}

static uint64_t bucket_of(const struct pass_cache *cache, const struct id *tag) {
    uint64_t low;
    memcpy(&low, tag->at, sizeof low);
    return low & (cache->count - 1);
}

static bool has(const struct bucket *bucket, const struct id *tag) {
    for (unsigned i = 0; i < WAYS; i++)
        if (id_equal(&bucket->tag[i], tag))
            return true;
    return false;
}

static bool is_remembered(struct pass_cache *cache, const struct id *tag) {
    uint64_t number = bucket_of(cache, tag);
    pthread_mutex_t *mutex = &cache->locks[number % LOCKS].mutex;
    pthread_mutex_lock(mutex);
    bool found = has(&cache->buckets[number], tag);
    pthread_mutex_unlock(mutex);
    return found && !id_is_none(tag);
}

static void remember(struct pass_cache *cache, const struct id *tag) {
    uint64_t number = bucket_of(cache, tag);
    struct bucket *bucket = &cache->buckets[number];
    pthread_mutex_t *mutex = &cache->locks[number % LOCKS].mutex;
    pthread_mutex_lock(mutex);
    if (!has(bucket, tag)) {
        memmove(bucket->tag + 1, bucket->tag, (WAYS - 1) * sizeof bucket->tag[0]);
        bucket->tag[0] = *tag;
    }
    pthread_mutex_unlock(mutex);
}

enum result pass_cache_read(struct pass_cache *cache, const struct keyring *ring, struct bytes text, struct pass *pass,
                            bool *checked) {
    struct pass said;
    *checked = false;
    enum result result = pass_read_unchecked(ring, text, &said);
    if (result != RESULT_OK)
        return result;
    struct id tag = hash_tag(text);
    if (!is_remembered(cache, &tag)) {
        result = pass_verify(ring, text, &said, checked);
        if (result != RESULT_OK)
            return result;
        remember(cache, &tag);
    }
    *pass = said;
    return RESULT_OK;
}

void pass_cache_add(struct pass_cache *cache, struct bytes text) {
    struct id tag = hash_tag(text);
    remember(cache, &tag);
}

void pass_cache_clear(struct pass_cache *cache) {
    for (unsigned i = 0; i < LOCKS; i++) {
        pthread_mutex_lock(&cache->locks[i].mutex);
        for (uint64_t number = i; number < cache->count; number += LOCKS)
            memset(&cache->buckets[number], 0, sizeof cache->buckets[number]);
        pthread_mutex_unlock(&cache->locks[i].mutex);
    }
}
