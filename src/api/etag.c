#include "api/etag.h"
#include "base/hash.h"

void etag_of_hash(const struct id *hash, char etag[static ETAG_BYTES]) {
    etag[0] = etag[ETAG_BYTES - 2] = '"';
    hex_encode(hash->at, sizeof hash->at, etag + 1);
    etag[ETAG_BYTES - 1] = '\0';
}

void etag_of(struct bytes content, char etag[static ETAG_BYTES]) {
    struct id hash = hash_128(&content, 1);
    etag_of_hash(&hash, etag);
}
