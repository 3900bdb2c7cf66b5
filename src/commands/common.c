#include "commands/common.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

int say_failure(const char *format, ...) {
    va_list list;
    va_start(list, format);
    fputs("onsale: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    return 1;
}

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
};

static void command_is_done(struct ledger_command *command) {
    struct waiting *waiting = command->context;
    pthread_mutex_lock(&waiting->lock);
    waiting->done = true;
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->lock);
}

enum result ledger_do(struct ledger *ledger, struct ledger_command *command) {
    struct waiting waiting = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    command->context = &waiting;
    command->done = command_is_done;
    if (!ledger->submit(ledger->engine, command))
        return RESULT_LEDGER_UNAVAILABLE;
    pthread_mutex_lock(&waiting.lock);
    while (!waiting.done)
        pthread_cond_wait(&waiting.changed, &waiting.lock);
    pthread_mutex_unlock(&waiting.lock);
    return command->result;
}

enum result ledger_make_show(struct ledger *ledger, const struct plan *plan, const struct sale_terms *terms,
                             const struct show_image *image, struct id *show_id) {
    struct buffer plan_json, settings_json;
    int64_t now_ms = clock_now_ms();
    *show_id = id_new_uuid7(now_ms);
    buffer_init(&plan_json, LIMIT_PLAN_BYTES);
    buffer_init(&settings_json, 256 * 1024);
    plan_write(plan, &plan_json);
    sale_write_settings(terms, plan, &settings_json);
    struct show_record record = {.show_id = *show_id,
                                 .event_name = bytes_of(terms->event_name),
                                 .start_ms = terms->start_ms,
                                 .plan_hash = plan->hash,
                                 .plan_json = buffer_bytes(&plan_json),
                                 .settings_json = buffer_bytes(&settings_json),
                                 .created_ms = now_ms,
                                 .updated_ms = now_ms};
    struct ledger_command command = {.kind = LEDGER_CREATE_SHOW, .actor = BYTES("operator")};
    command.show.record = &record;
    command.show.plan = plan;
    command.show.image = image;
    enum result result = buffer_ok(&plan_json) ? ledger_do(ledger, &command) : RESULT_OVERLOADED;
    buffer_release(&plan_json);
    buffer_release(&settings_json);
    return result;
}

enum result read_plan_text(struct bytes text, struct plan **plan, struct sale_terms *terms, struct sale_fault *fault) {
    json_t *document;
    enum result result = json_parse(text, &document, fault->detail, sizeof fault->detail);
    if (result != RESULT_OK)
        return result;
    result = plan_read(document, plan, fault->pointer, sizeof fault->pointer, fault->detail, sizeof fault->detail);
    if (result == RESULT_OK) {
        result = sale_read_prices(document, *plan, terms, fault);
        if (result != RESULT_OK)
            plan_free(*plan);
    }
    json_decref(document);
    return result;
}
