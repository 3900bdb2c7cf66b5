/* `onsale serve --roles live --upstream URL`: a node that only shows what another one has. */
#ifndef ONSALE_COMMANDS_SERVE_RELAY_H
#define ONSALE_COMMANDS_SERVE_RELAY_H

#include "base/result.h"
#include "runtime/settings.h"

#include <signal.h>

/* The settings go together: OK; else INVALID_FIELD and what to do in `fault`. */
MUST_USE enum result serve_relay_check(const struct settings *settings, char *fault, size_t fault_size);
/* Until a signal ends it. Returns the command's exit code. */
int serve_relay(const struct settings *settings, const sigset_t *signals);

#endif
