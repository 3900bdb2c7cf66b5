/* The system as the reactor sees it: what it calls goes through here (the linker's --wrap), to be counted and to fail.
 * Only the reactor's thread is counted; it gives itself away by its first accept. */
#ifndef ONSALE_TEST_NET_SYSTEM_H
#define ONSALE_TEST_NET_SYSTEM_H

#include <stdatomic.h>
#include <stddef.h>

struct net_system {
    atomic_uint sends;
    atomic_uint receives;
    atomic_uint allocations;
    atomic_uint accepts;
    atomic_uint accepts_to_fail;    /* the next so many find no descriptor left */
    atomic_int allocation_to_fail;  /* counts down; fails at 1 */
    atomic_int send_to_fail;        /* counts down; fails at 1, as after a reset */
    atomic_size_t most_of_one_send; /* 0: no bound */
    atomic_size_t most_of_one_receive;
};

extern struct net_system net_system;

#endif
