#include "api/idempotency.h"
#include "api/handlers.h"
#include "base/hash.h"
#include "base/id_map.h"
#include "base/panic.h"

#include <stdlib.h>

#define MOST_UNDER_WAY 65536

struct under_way {
    struct id body_hash;
    bool looks_up;        /* whether it was answered before; who comes meanwhile waits for that */
    struct call *waiting; /* parked */
};

struct idempotency {
    pthread_mutex_t lock;
    struct id_map keys; /* under lock: key → struct under_way */
};

enum result idempotency_new(struct idempotency **idempotency) {
    struct idempotency *made = calloc(1, sizeof *made);
    if (!made)
        return RESULT_OVERLOADED;
    enum result result = id_map_init(&made->keys, MOST_UNDER_WAY);
    if (result != RESULT_OK) {
        free(made);
        return result;
    }
    pthread_mutex_init(&made->lock, NULL);
    *idempotency = made;
    return RESULT_OK;
}

void idempotency_free(struct idempotency *idempotency) {
    if (!idempotency)
        return;
    pthread_mutex_destroy(&idempotency->lock);
    id_map_release(&idempotency->keys);
    free(idempotency);
}

/* OK: the call is the first. IN_PROGRESS with *waits: it was put to those that wait for the first one's look. */
static enum result put_under_way(struct idempotency *idempotency, struct call *call, bool *waits) {
    const struct hold_answer_key *key = &call->answer_key;
    struct under_way *fresh = malloc(sizeof *fresh);
    if (!fresh)
        return RESULT_OVERLOADED;
    *fresh = (struct under_way){.body_hash = key->body_hash, .looks_up = true};
    enum result result = RESULT_OK;
    pthread_mutex_lock(&idempotency->lock);
    struct under_way *first = id_map_find(&idempotency->keys, &key->key);
    *waits = first && first->looks_up;
    if (*waits) {
        call_leave_reactor(call);
        call->next_waiting = first->waiting;
        first->waiting = call;
        result = RESULT_IDEMPOTENCY_IN_PROGRESS;
    } else if (first) {
        result = id_equal(&first->body_hash, &key->body_hash) ? RESULT_IDEMPOTENCY_IN_PROGRESS
                                                              : RESULT_IDEMPOTENCY_KEY_REUSED;
    } else if (!id_map_add(&idempotency->keys, &key->key, fresh)) {
        result = RESULT_OVERLOADED;
    }
    pthread_mutex_unlock(&idempotency->lock);
    if (result != RESULT_OK)
        free(fresh);
    return result;
}

/* The look is over: those that waited for it. Only where nothing was found is the key under way any longer: between the
 * two, who comes would be told that the first call still runs. */
static struct call *end_look(struct idempotency *idempotency, const struct id *key, bool goes_on) {
    pthread_mutex_lock(&idempotency->lock);
    struct under_way *first = id_map_find(&idempotency->keys, key);
    assert(first);
    struct call *waiting = first->waiting;
    first->waiting = NULL;
    first->looks_up = false;
    if (!goes_on)
        id_map_remove(&idempotency->keys, key);
    pthread_mutex_unlock(&idempotency->lock);
    if (!goes_on)
        free(first);
    return waiting;
}

void idempotency_end(struct idempotency *idempotency, const struct id *key) {
    pthread_mutex_lock(&idempotency->lock);
    void *entry = id_map_find(&idempotency->keys, key);
    if (entry)
        id_map_remove(&idempotency->keys, key);
    pthread_mutex_unlock(&idempotency->lock);
    free(entry);
}

/* Whose key it is: the member of the body that the route is about. A body that cannot be read has no scope, and will be
 * refused by its handler before it does anything. */
static json_t *scope_of(const struct call *call) {
    static const struct {
        void (*handle)(struct call *call);
        const char *member;
    } scopes[] = {{handle_reserve, "user_id"},
                  {handle_join_queue, "user_id"},
                  {handle_confirm, "reservation_id"},
                  {handle_claim_turn, "queue_ticket"},
                  {handle_leave_queue, "queue_ticket"}};
    for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++) {
        char detail[160];
        json_t *document;
        if (scopes[i].handle != call->route->handle)
            continue;
        if (json_parse(call->body, &document, detail, sizeof detail) != RESULT_OK)
            return NULL;
        json_t *scope = json_object_get(document, scopes[i].member);
        json_incref(scope);
        json_decref(document);
        return scope;
    }
    return NULL;
}

static void name_key(struct call *call, struct bytes key) {
    json_t *scope = scope_of(call);
    char subject[ID_UUID_TEXT + ID_LETTER_TEXT];
    id_format_uuid(call->sale ? &call->sale->show_id : &(struct id){{0}}, subject);
    id_format_letter(&call->subject, 'x', subject + ID_UUID_TEXT);
    struct bytes parts[] = {
        bytes_of(call->route->name),
        {subject, sizeof subject},
        json_is_string(scope) ? (struct bytes){json_string_value(scope), json_string_length(scope)} : BYTES(""),
        key,
        {(const char *)call->pass_user.at, id_is_none(&call->pass_user) ? 0 : sizeof call->pass_user.at},
    };
    call->answer_key.key = hash_128(parts, sizeof parts / sizeof parts[0]);
    call->answer_key.body_hash = hash_128(&call->body, 1);
    json_decref(scope);
}

/* On the reactor: nobody has answered this key before. */
static void go_on(struct call *call) {
    if (atomic_load(&call->api->stopped))
        call_refuse(call, RESULT_OVERLOADED, NULL); /* its client has gone; and who would do the work has, too */
    else
        call->route->handle(call);
}

/* On the reactor: it was answered before; the answer is in call->answer. The call has its key no more. */
static void replay(struct call *call) {
    if (call->exchange) {
        struct buffer headers;
        buffer_init(&headers, 256);
        buffer_add_text(&headers, call->status >= 400 ? "Content-Type: application/problem+json\r\n"
                                                      : "Content-Type: application/json\r\n");
        buffer_add_text(&headers, "Cache-Control: no-store\r\nIdempotency-Replayed: true\r\n");
        exchange_reply(call->exchange, call->status, buffer_bytes(&headers), buffer_bytes(&call->answer));
        buffer_release(&headers);
    }
    call->exchange = NULL;
    call_drop(call);
}

static void refuse_reused(struct call *call) {
    call_refuse(call, RESULT_IDEMPOTENCY_KEY_REUSED, NULL);
}

static void refuse_in_progress(struct call *call) {
    call_refuse(call, RESULT_IDEMPOTENCY_IN_PROGRESS, NULL);
}

static void refuse_unreadable(struct call *call) {
    call_refuse(call, RESULT_LEDGER_UNAVAILABLE, NULL);
}

/* What was found, for one that waited for it. */
static void tell_waiting(struct call *call, enum result result, const struct kept_answer *answer,
                         const struct id *first_body) {
    struct id body_hash = call->answer_key.body_hash;
    call->answer_key = (struct hold_answer_key){0};
    if (result == RESULT_OK && id_equal(&answer->body_hash, &body_hash)) {
        buffer_clear(&call->answer);
        buffer_add_bytes(&call->answer, answer->body);
        call->status = answer->status;
        call_on_reactor(call, replay);
    } else if (result == RESULT_OK || (result == RESULT_NOT_FOUND && !id_equal(first_body, &body_hash))) {
        call_on_reactor(call, refuse_reused);
    } else {
        call_on_reactor(call, result == RESULT_NOT_FOUND ? refuse_in_progress : refuse_unreadable);
    }
}

/* The first is told last: what it does ends what the others were told. */
static void tell_first(struct call *call, enum result result, const struct kept_answer *answer) {
    struct hold_answer_key key = call->answer_key;
    if (result == RESULT_NOT_FOUND) {
        buffer_clear(&call->answer);
        call_on_reactor(call, go_on);
        return;
    }
    call->answer_key = (struct hold_answer_key){0};
    if (result != RESULT_OK) {
        call_on_reactor(call, refuse_unreadable);
    } else if (!id_equal(&answer->body_hash, &key.body_hash)) {
        buffer_clear(&call->answer);
        call_on_reactor(call, refuse_reused);
    } else {
        call->status = answer->status;
        call_on_reactor(call, replay);
    }
}

static void look_up(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    struct api *api = call->api;
    struct kept_answer answer = {0};
    struct id first_body = call->answer_key.body_hash;
    enum result result =
        api->services.find_recent_answer(api->services.runtime, &call->answer_key.key, &answer, &call->answer);
    if (result == RESULT_NOT_FOUND)
        result = api->ledger->read_answer(reader, &call->answer_key.key, &answer, &call->answer);
    if (result == RESULT_OK && answer.created_ms + IDEMPOTENCY_KEEP_MS < call->now_ms)
        result = RESULT_NOT_FOUND;
    answer.body = buffer_bytes(&call->answer);
    struct call *next, *waiting = end_look(api->idempotency, &call->answer_key.key, result == RESULT_NOT_FOUND);
    for (; waiting; waiting = next) {
        next = waiting->next_waiting;
        tell_waiting(waiting, result, &answer, &first_body);
    }
    tell_first(call, result, &answer);
}

void idempotency_begin(struct call *call, struct bytes key) {
    for (size_t i = 0; i < key.length; i++) {
        if (key.at[i] < 0x21 || key.at[i] > 0x7e) {
            call_refuse(call, RESULT_BAD_REQUEST, "Idempotency-Key has to be visible ASCII without spaces");
            return;
        }
    }
    if (key.length < 1 || key.length > LIMIT_IDEMPOTENCY_KEY_BYTES) {
        call_refuse(call, RESULT_BAD_REQUEST, "Idempotency-Key has to be 1 to 255 characters");
        return;
    }
    name_key(call, key);
    struct call *parked = call_park(call);
    if (!parked)
        return;
    bool waits = false;
    enum result result = put_under_way(parked->api->idempotency, parked, &waits);
    if (waits)
        return;
    if (result != RESULT_OK) {
        parked->answer_key = (struct hold_answer_key){0};
        call_refuse(parked, result, NULL);
        return;
    }
    call_on_clerk(parked, look_up);
}
