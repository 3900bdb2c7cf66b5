/* What every kind of `onsale serve` has: where it listens, how many threads and connections it has, how long it waits.
 */
#ifndef ONSALE_COMMANDS_SERVE_SHAPE_H
#define ONSALE_COMMANDS_SERVE_SHAPE_H

#include "runtime/node.h"
#include "runtime/settings.h"

/* Raises the limit of open files as far as it goes. */
void serve_shape(const struct settings *settings, struct node_settings *node);

#endif
