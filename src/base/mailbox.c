#include "base/mailbox.h"

#include <stddef.h>

void mailbox_init(struct mailbox *mailbox, void (*ring)(void *context), void *context) {
    atomic_init(&mailbox->top, NULL);
    mailbox->ring = ring;
    mailbox->context = context;
}

void mailbox_send(struct mailbox *mailbox, struct envelope *envelope) {
    struct envelope *top = atomic_load_explicit(&mailbox->top, memory_order_relaxed);
    do {
        envelope->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->top, &top, envelope, memory_order_release,
                                                    memory_order_relaxed));
    if (!top)
        mailbox->ring(mailbox->context);
}

unsigned mailbox_open_all(struct mailbox *mailbox, void *receiver) {
    struct envelope *newest = atomic_exchange_explicit(&mailbox->top, NULL, memory_order_acquire);
    struct envelope *oldest = NULL;
    while (newest) {
        struct envelope *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    unsigned opened = 0;
    while (oldest) {
        struct envelope *next = oldest->next;
        oldest->open(oldest, receiver);
        oldest = next;
        opened++;
    }
    return opened;
}
