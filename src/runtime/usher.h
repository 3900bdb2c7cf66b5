/* The usher: one thread that runs the waiting rooms. Ten times a second it calls who is next, and when it is time it
 * puts a pre-queue in order, seals the records, tells the viewers, and sets the pace by how the shop is doing. What it
 * writes to disk is its own to wait for: nobody else does. */
#ifndef ONSALE_RUNTIME_USHER_H
#define ONSALE_RUNTIME_USHER_H

#include "api/api.h"

struct usher;

MUST_USE enum result usher_start(struct api *api, struct usher **usher);
/* Any thread: somebody waits whom it could call. */
void usher_wake(struct usher *usher);
/* NULL is allowed. */
void usher_stop(struct usher *usher);

#endif
