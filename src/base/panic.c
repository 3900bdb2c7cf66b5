#include "base/panic.h"

#include <stdio.h>
#include <stdlib.h>

static _Thread_local const char *context = "";

void panic_context(const char *what) {
    context = what ? what : "";
}

void panic_at(const char *file, int line, const char *function, const char *what) {
    fprintf(
        stderr,
        "{\"level\":\"panic\",\"message\":\"%s\",\"at\":\"%s:%d\",\"in\":\"%s\",\"context\":\"%s\",\"build\":\"%s\"}\n",
        what, file, line, function, context, ONSALE_VERSION);
    fflush(stderr);
    abort();
}
