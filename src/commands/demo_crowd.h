/* The demo's simulated buyers: `onsale crowd` as a child process of `onsale serve` (child.h), on its own fan listener.
 */
#ifndef ONSALE_COMMANDS_DEMO_CROWD_H
#define ONSALE_COMMANDS_DEMO_CROWD_H

#include "base/id.h"
#include "commands/child.h"

struct demo_crowd {
    struct child process;
    char url[100], show[ID_UUID_TEXT + 1], fans[24];
    const char *arguments[10]; /* [0] NULL: there is none */
};

/* `address`: "host:port". */
void demo_crowd_start(struct demo_crowd *crowd, const char *address, const struct id *show_id, int64_t fans);
void demo_crowd_watch(struct demo_crowd *crowd);
void demo_crowd_stop(struct demo_crowd *crowd);

#endif
