#include "base/crash_point.h"

#ifdef ONSALE_CRASH_POINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void crash_point(const char *name) {
    static atomic_long passed;
    const char *wanted = getenv("ONSALE_CRASH_POINT");
    size_t length = strlen(name);
    if (!wanted || strncmp(wanted, name, length) != 0 || (wanted[length] != '\0' && wanted[length] != ':'))
        return;
    long at = wanted[length] == ':' ? strtol(wanted + length + 1, NULL, 10) : 1;
    if (atomic_fetch_add(&passed, 1) + 1 == at)
        raise(SIGKILL);
}

#endif
