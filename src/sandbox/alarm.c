#include "sandbox/alarm.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>

struct alarm {
    /* set once */
    void (*ring)(void *context);
    void *context;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under lock */
    int64_t at_us;
    bool stopping;
};

static void *run(void *context) {
    struct alarm *alarm = context;
    pthread_mutex_lock(&alarm->lock);
    while (!alarm->stopping) {
        if (alarm->at_us == INT64_MAX) {
            pthread_cond_wait(&alarm->changed, &alarm->lock);
        } else if (clock_monotonic_us() < alarm->at_us) {
            struct timespec until = {.tv_sec = alarm->at_us / 1000000, .tv_nsec = alarm->at_us % 1000000 * 1000};
            pthread_cond_timedwait(&alarm->changed, &alarm->lock, &until);
        } else {
            alarm->at_us = INT64_MAX;
            pthread_mutex_unlock(&alarm->lock);
            alarm->ring(alarm->context);
            pthread_mutex_lock(&alarm->lock);
        }
    }
    pthread_mutex_unlock(&alarm->lock);
    return NULL;
}

enum result alarm_new(void (*ring)(void *context), void *context, struct alarm **alarm) {
    struct alarm *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return RESULT_OVERLOADED;
    fresh->ring = ring;
    fresh->context = context;
    fresh->at_us = INT64_MAX;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&fresh->lock, NULL);
    pthread_cond_init(&fresh->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&fresh->thread, NULL, run, fresh)) {
        free(fresh);
        return RESULT_OVERLOADED;
    }
    *alarm = fresh;
    return RESULT_OK;
}

void alarm_set(struct alarm *alarm, int64_t at_us) {
    pthread_mutex_lock(&alarm->lock);
    alarm->at_us = at_us;
    pthread_mutex_unlock(&alarm->lock);
    pthread_cond_signal(&alarm->changed);
}

void alarm_free(struct alarm *alarm) {
    if (!alarm)
        return;
    pthread_mutex_lock(&alarm->lock);
    alarm->stopping = true;
    pthread_mutex_unlock(&alarm->lock);
    pthread_cond_signal(&alarm->changed);
    pthread_join(alarm->thread, NULL);
    pthread_mutex_destroy(&alarm->lock);
    pthread_cond_destroy(&alarm->changed);
    free(alarm);
}
