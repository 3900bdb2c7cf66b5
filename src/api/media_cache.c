#include "api/media_cache.h"
#include "base/limits.h"

#include <pthread.h>
#include <stdlib.h>

struct kept_media {
    char name[MEDIA_NAME_BYTES];
    struct blob *blob; /* NULL: a free place */
    uint64_t used;     /* when it was asked for, in questions */
};

struct media_cache {
    pthread_mutex_t lock;
    /* under lock */
    uint64_t questions;
    struct kept_media kept[LIMIT_MEDIA_CACHED];
};

struct media_cache *media_cache_new(void) {
    struct media_cache *cache = calloc(1, sizeof *cache);
    if (cache)
        pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void media_cache_free(struct media_cache *cache) {
    if (!cache)
        return;
    for (int i = 0; i < LIMIT_MEDIA_CACHED; i++)
        blob_drop(cache->kept[i].blob);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* The caller holds the lock. */
static struct kept_media *find(struct media_cache *cache, const char *name) {
    for (int i = 0; i < LIMIT_MEDIA_CACHED; i++)
        if (cache->kept[i].blob && strcmp(cache->kept[i].name, name) == 0)
            return &cache->kept[i];
    return NULL;
}

struct blob *media_cache_find(struct media_cache *cache, const char *name) {
    struct blob *blob = NULL;
    pthread_mutex_lock(&cache->lock);
    struct kept_media *media = find(cache, name);
    if (media) {
        media->used = ++cache->questions;
        blob = blob_take(media->blob);
    }
    pthread_mutex_unlock(&cache->lock);
    return blob;
}

void media_cache_put(struct media_cache *cache, const char *name, struct blob *blob) {
    struct blob *dropped = NULL;
    pthread_mutex_lock(&cache->lock);
    if (!find(cache, name)) {
        struct kept_media *place = &cache->kept[0];
        for (int i = 1; i < LIMIT_MEDIA_CACHED && place->blob; i++)
            if (!cache->kept[i].blob || cache->kept[i].used < place->used)
                place = &cache->kept[i];
        dropped = place->blob;
        *place = (struct kept_media){.blob = blob_take(blob), .used = ++cache->questions};
        memcpy(place->name, name, strlen(name) + 1);
    }
    pthread_mutex_unlock(&cache->lock);
    blob_drop(dropped);
}

void media_cache_drop(struct media_cache *cache, const char *name) {
    struct blob *dropped = NULL;
    pthread_mutex_lock(&cache->lock);
    struct kept_media *media = find(cache, name);
    if (media) {
        dropped = media->blob;
        *media = (struct kept_media){0};
    }
    pthread_mutex_unlock(&cache->lock);
    blob_drop(dropped);
}
