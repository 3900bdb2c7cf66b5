/* The chunked transfer coding (RFC 9112 7.1), taken off in place: the content moves to the front of where it came in,
 * chunk extensions and trailers are read, bounded and dropped. Resumable at every byte.
 *
 * Stricter than the RFC: a size is 1 to 8 hex digits with nothing but CRLF or ';' behind it.
 */
#ifndef ONSALE_NET_HTTP_CHUNKS_H
#define ONSALE_NET_HTTP_CHUNKS_H

#include "net/http_parse.h"

struct http_chunks {
    uint64_t room;       /* bytes that the rest of the body may still have */
    uint32_t chunk_left; /* of the chunk being read; while its size is read: the size so far */
    uint16_t extension_bytes;
    uint16_t trailer_bytes;
    uint8_t size_digits;
    uint8_t state;
};

void http_chunks_init(struct http_chunks *chunks, uint64_t max_body);

/* Decodes what is in `at`. Adds to *decoded (the content at the front of `at`) and to *consumed.
 *
 * MORE   all `length` bytes are consumed
 * DONE   the body is complete; what is behind *consumed belongs to the next request
 * FAULT  BAD_REQUEST, or BODY_TOO_LARGE as soon as a chunk's size says so
 */
enum http_step http_chunks_decode(struct http_chunks *chunks, char *at, size_t length, size_t *consumed,
                                  size_t *decoded, struct http_fault *fault);

#endif
