/* The shows' pictures that were asked for last, so that a herd does not have the ledger read for each fan.
 *
 * A picture is named by its content ("HASH.png"), so what is here is never out of date; what was taken away is dropped.
 * LIMIT_MEDIA_CACHED of them, the one that was asked for the longest ago goes first. Any thread.
 */
#ifndef ONSALE_API_MEDIA_CACHE_H
#define ONSALE_API_MEDIA_CACHE_H

#include "net/blob.h"

/* 32 hex digits, a dot, the suffix, and the end. */
#define MEDIA_NAME_BYTES 40

struct media_cache;

struct media_cache *media_cache_new(void); /* NULL: memory ran out */
void media_cache_free(struct media_cache *cache);

/* A reference, or NULL. */
struct blob *media_cache_find(struct media_cache *cache, const char *name);
/* Keeps a reference of its own. */
void media_cache_put(struct media_cache *cache, const char *name, struct blob *blob);
void media_cache_drop(struct media_cache *cache, const char *name);

#endif
