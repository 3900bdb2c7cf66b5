#include "base/random.h"
#include "base/panic.h"

#include <string.h>
#include <sys/random.h>

static void from_kernel(void *data, size_t length) {
    for (size_t got = 0; got < length;) {
        ssize_t n = getrandom((char *)data + got, length - got > 256 ? 256 : length - got, 0);
        assert(n > 0);
        got += (size_t)n;
    }
}

void random_bytes(void *data, size_t length) {
    static _Thread_local uint8_t pool[1024];
    static _Thread_local size_t used = sizeof pool;
    if (length > sizeof pool / 4) {
        from_kernel(data, length);
        return;
    }
    if (length > sizeof pool - used) {
        from_kernel(pool, sizeof pool);
        used = 0;
    }
    memcpy(data, pool + used, length);
    memset(pool + used, 0, length);
    used += length;
}

uint64_t random_u64(void) {
    uint64_t value;
    random_bytes(&value, sizeof value);
    return value;
}
