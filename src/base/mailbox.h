/* A mailbox between threads: many send, one receives. Unbounded, intrusive, never blocks a sender.
 *
 * A sender pushes an envelope onto a lock-free stack; the receiver takes the whole stack and reads it in the order of
 * sending. The first envelope into an empty mailbox rings the bell, so that a burst costs one wake-up.
 *
 * The envelope is a member of what is sent, which stays the receiver's from send until it is read.
 */
#ifndef ONSALE_BASE_MAILBOX_H
#define ONSALE_BASE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

struct envelope {
    struct envelope *next;
    void (*open)(struct envelope *envelope, void *receiver); /* called by the receiver, on its thread */
};

struct mailbox {
    _Atomic(struct envelope *) top;
    void (*ring)(void *context); /* wakes the receiver; any thread calls it */
    void *context;
};

void mailbox_init(struct mailbox *mailbox, void (*ring)(void *context), void *context);
void mailbox_send(struct mailbox *mailbox, struct envelope *envelope);

/* Opens everything that was sent before the call, in order. Returns how many. The receiver's thread only. */
unsigned mailbox_open_all(struct mailbox *mailbox, void *receiver);

#endif
