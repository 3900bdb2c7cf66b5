#include "runtime/usher.h"
#include "api/room.h"
#include "base/clock.h"
#include "runtime/bell.h"

#include <stdlib.h>

struct usher {
    /* set once */
    struct api *api;
    pthread_t thread;

    struct bell bell;
    atomic_bool stopping;
};

static void *work(void *context) {
    struct usher *usher = context;
    struct sale_list *sales = usher->api->sales;
    while (!atomic_load(&usher->stopping)) {
        int64_t began_ms = clock_now_ms();
        unsigned count = atomic_load_explicit(&sales->count, memory_order_acquire);
        for (unsigned i = 0; i < count; i++) {
            struct sale *sale = sales->sales[i];
            struct room *room = atomic_load_explicit(&sale->room, memory_order_acquire);
            if (room)
                room_tick(room, clock_now_ms());
            else if (room_is_wanted(sale, began_ms))
                room_want(usher->api, sale);
        }
        int64_t left_ms = began_ms + ROOM_TICK_MS - clock_now_ms();
        if (left_ms > 0)
            bell_wait(&usher->bell, (int)left_ms);
    }
    return NULL;
}

enum result usher_start(struct api *api, struct usher **usher) {
    struct usher *made = calloc(1, sizeof *made);
    if (!made)
        return RESULT_OVERLOADED;
    made->api = api;
    enum result result = bell_init(&made->bell);
    if (result == RESULT_OK && pthread_create(&made->thread, NULL, work, made)) {
        bell_release(&made->bell);
        result = RESULT_OVERLOADED;
    }
    if (result != RESULT_OK) {
        free(made);
        return result;
    }
    pthread_setname_np(made->thread, "usher");
    *usher = made;
    return RESULT_OK;
}

void usher_wake(struct usher *usher) {
    bell_ring(&usher->bell);
}

void usher_stop(struct usher *usher) {
    if (!usher)
        return;
    atomic_store(&usher->stopping, true);
    bell_ring(&usher->bell);
    pthread_join(usher->thread, NULL);
    bell_release(&usher->bell);
    free(usher);
}
