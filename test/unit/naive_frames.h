/* What a stream of a client's frames means, worked out the slow way: from the first byte each time, every message put
 * together before its text is looked at. For tests and the fuzzer to compare websocket_frames.h with. */
#ifndef ONSALE_TEST_NAIVE_FRAMES_H
#define ONSALE_TEST_NAIVE_FRAMES_H

#include "net/websocket_frames.h"

/* What was to be done, one line each: "ping HEX", "close CODE", "fault CODE". Nothing comes after the last two. */
void naive_frames(struct bytes stream, struct buffer *lines);

/* The same by websocket_frames_read(), the stream cut before each byte for which `is_cut` says so. */
void frames_in_parts(struct bytes stream, bool (*is_cut)(void *context, size_t at), void *context,
                     struct buffer *lines);

#endif
