/* Bytes of a stranger through the parser of WebSocket frames.
 *
 * The first two bytes say how the rest is cut. The oracle: in one piece or in many, the same pings, the same close, the
 * same fault, and all of it what a naive parser says; nothing is read but the input, nothing held back but one frame.
 */
#include "../test/unit/naive_frames.h"
#include "base/panic.h"

static bool is_cut(void *context, size_t at) {
    uint32_t *state = context;
    *state = *state * 1664525u + 1013904223u; /* Knuth's, by way of Numerical Recipes */
    (void)at;
    return *state >> 30 == 0;
}

static bool never(void *context, size_t at) {
    (void)context, (void)at;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    struct bytes stream = {(const char *)data + 2, size - 2};
    uint32_t cuts = (uint32_t)(data[0] << 8 | data[1]);
    struct buffer naive, whole, pieces;
    buffer_init(&naive, SIZE_MAX / 4);
    buffer_init(&whole, SIZE_MAX / 4);
    buffer_init(&pieces, SIZE_MAX / 4);
    naive_frames(stream, &naive);
    frames_in_parts(stream, never, NULL, &whole);
    frames_in_parts(stream, is_cut, &cuts, &pieces);
    assert(bytes_equal(buffer_bytes(&naive), buffer_bytes(&whole)));
    assert(bytes_equal(buffer_bytes(&naive), buffer_bytes(&pieces)));
    buffer_release(&naive);
    buffer_release(&whole);
    buffer_release(&pieces);
    return 0;
}
