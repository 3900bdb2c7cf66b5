#include "runtime/clerk.h"
#include "base/container.h"
#include "base/log.h"
#include "base/panic.h"
#include "runtime/bell.h"

#include <pthread.h>
#include <stdlib.h>

struct clerk {
    /* set once */
    const struct ledger *ledger;
    pthread_t thread;
    struct ledger_reader *reader; /* owned by the thread once it runs */

    struct mailbox mailbox;
    struct bell bell;
    atomic_bool stopping;
};

static void open_job(struct envelope *envelope, void *receiver) {
    struct clerk *clerk = receiver;
    struct clerk_job *job = CONTAINER_OF(envelope, struct clerk_job, envelope);
    job->run(job, clerk->reader);
}

static void *work(void *context) {
    struct clerk *clerk = context;
    for (;;) {
        bool stopping = atomic_load(&clerk->stopping);
        unsigned done = mailbox_open_all(&clerk->mailbox, clerk);
        if (stopping && !done)
            break;
        if (!done)
            bell_wait(&clerk->bell, -1);
    }
    return NULL;
}

enum result clerk_start(const struct ledger *ledger, struct clerk **clerk) {
    struct clerk *made = calloc(1, sizeof *made);
    if (!made)
        return RESULT_OVERLOADED;
    made->ledger = ledger;
    enum result result = bell_init(&made->bell);
    if (result != RESULT_OK) {
        free(made);
        return result;
    }
    mailbox_init(&made->mailbox, bell_ring, &made->bell);
    result = ledger->reader_new(ledger->engine, &made->reader);
    if (result == RESULT_OK && pthread_create(&made->thread, NULL, work, made)) {
        ledger->reader_free(made->reader);
        result = RESULT_OVERLOADED;
    }
    if (result != RESULT_OK) {
        bell_release(&made->bell);
        free(made);
        return result;
    }
    pthread_setname_np(made->thread, "clerk");
    *clerk = made;
    return RESULT_OK;
}

void clerk_run(struct clerk *clerk, struct clerk_job *job) {
    job->envelope.open = open_job;
    mailbox_send(&clerk->mailbox, &job->envelope);
}

void clerk_stop(struct clerk *clerk) {
    if (!clerk)
        return;
    atomic_store(&clerk->stopping, true);
    bell_ring(&clerk->bell);
    pthread_join(clerk->thread, NULL);
    clerk->ledger->reader_free(clerk->reader);
    bell_release(&clerk->bell);
    free(clerk);
}
