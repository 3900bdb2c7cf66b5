/* ETags (RFC 9110 section 8.8.3) of documents that their content, or its hash, names. */
#ifndef ONSALE_API_ETAG_H
#define ONSALE_API_ETAG_H

#include "base/bytes.h"
#include "base/id.h"

#define ETAG_BYTES 35 /* 32 hex digits in quotes, and NUL */

void etag_of_hash(const struct id *hash, char etag[static ETAG_BYTES]);
void etag_of(struct bytes content, char etag[static ETAG_BYTES]);

#endif
