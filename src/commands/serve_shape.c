#include "commands/serve_shape.h"
#include "base/log.h"

#include <sched.h>
#include <sys/resource.h>

#define FILES_APART 256 /* descriptors that are not connections */

static uint32_t connections_allowed(const struct settings *settings) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_NOFILE, &files);
    uint64_t possible = files.rlim_cur > 2 * FILES_APART ? files.rlim_cur - 2 * FILES_APART : FILES_APART;
    uint64_t wanted = (uint64_t)settings->number[SETTING_max_connections];
    if (wanted > possible)
        log_warn("the open-file limit allows fewer connections than were asked for", LOG_INT("asked", wanted),
                 LOG_INT("allowed", possible));
    if (wanted == 0 || wanted > possible)
        wanted = possible;
    return wanted > 4000000 ? 4000000 : (uint32_t)wanted;
}

/* One a core that this process may run on: taskset and containers leave it fewer than the machine has. */
static unsigned reactors_wanted(const struct settings *settings) {
    cpu_set_t cores;
    if (settings->number[SETTING_reactors])
        return (unsigned)settings->number[SETTING_reactors];
    if (sched_getaffinity(0, sizeof cores, &cores) != 0)
        return 1;
    int count = CPU_COUNT(&cores);
    return count > LIMIT_REACTORS ? LIMIT_REACTORS : (unsigned)count;
}

void serve_shape(const struct settings *settings, struct node_settings *node) {
    const int64_t *number = settings->number;
    node->listen = settings->text[SETTING_listen];
    node->admin_listen = settings->text[SETTING_admin_listen];
    node->reactors = reactors_wanted(settings);
    node->live_share = (unsigned)number[SETTING_live_share];
    node->max_connections = connections_allowed(settings);
    node->waits = (struct reactor_waits){.head_ms = (int)number[SETTING_head_seconds] * 1000,
                                         .body_ms = (int)number[SETTING_body_seconds] * 1000,
                                         .write_ms = (int)number[SETTING_write_seconds] * 1000,
                                         .idle_ms = (int)number[SETTING_idle_seconds] * 1000};
    node->drain_ms = (int)number[SETTING_drain_seconds] * 1000;
}
