#include "commands/demo_crowd.h"
#include "base/limits.h"

#include <stdio.h>

void demo_crowd_start(struct demo_crowd *crowd, const char *address, const struct id *show_id, int64_t fans) {
    snprintf(crowd->url, sizeof crowd->url, "http://%s", address);
    snprintf(crowd->fans, sizeof crowd->fans, "%lld", (long long)fans);
    id_format_uuid(show_id, crowd->show);
    const char *arguments[] = {"onsale",    "crowd",  "--url",     crowd->url, "--show",
                               crowd->show, "--fans", crowd->fans, "--quiet",  NULL};
    static_assert(sizeof arguments == sizeof crowd->arguments, "they are kept for the next start");
    memcpy(crowd->arguments, arguments, sizeof arguments);
    child_start(&crowd->process, crowd->arguments);
}

void demo_crowd_watch(struct demo_crowd *crowd) {
    if (crowd->arguments[0])
        child_watch(&crowd->process, "the demo's crowd", crowd->arguments);
}

void demo_crowd_stop(struct demo_crowd *crowd) {
    child_stop(&crowd->process);
}
