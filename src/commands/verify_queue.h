/* `onsale verify --queue FILE [--ticket TICKET] [--earlier FILE]`: checks a queue's public record, offline, without any
 * key and without trust in who made it. Returns the exit code: 0, 1 (something is wrong, and what), 2 (usage). */
#ifndef ONSALE_COMMANDS_VERIFY_QUEUE_H
#define ONSALE_COMMANDS_VERIFY_QUEUE_H

#include <stdbool.h>

/* Whether the arguments of `verify` ask for it. */
bool verify_queue_is_asked(int count, char **arguments);
int verify_queue(int count, char **arguments);

#endif
