#include "api/idempotency.h"
#include "base/hash.h"
#include "base/id_map.h"
#include "base/panic.h"

#include <stdlib.h>

#define MOST_UNDER_WAY 65536

struct under_way {
    struct id body_hash;
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

static enum result put_under_way(struct idempotency *idempotency, const struct hold_answer_key *key) {
    struct under_way *fresh = malloc(sizeof *fresh);
    if (!fresh)
        return RESULT_OVERLOADED;
    fresh->body_hash = key->body_hash;
    enum result result = RESULT_OK;
    pthread_mutex_lock(&idempotency->lock);
    const struct under_way *first = id_map_find(&idempotency->keys, &key->key);
    if (first)
        result = id_equal(&first->body_hash, &key->body_hash) ? RESULT_IDEMPOTENCY_IN_PROGRESS
                                                              : RESULT_IDEMPOTENCY_KEY_REUSED;
    else if (!id_map_add(&idempotency->keys, &key->key, fresh))
        result = RESULT_OVERLOADED;
    pthread_mutex_unlock(&idempotency->lock);
    if (result != RESULT_OK)
        free(fresh);
    return result;
}

void idempotency_end(struct idempotency *idempotency, const struct id *key) {
    pthread_mutex_lock(&idempotency->lock);
    void *entry = id_map_find(&idempotency->keys, key);
    if (entry)
        id_map_remove(&idempotency->keys, key);
    pthread_mutex_unlock(&idempotency->lock);
    free(entry);
}

/* Whose key it is: the user's for reserve, the reservation's for confirm, the place's in a queue. A body that cannot be
 * read has no scope, and will be refused by its handler before it does anything. */
static json_t *scope_of(struct bytes body) {
    char detail[160];
    json_t *document;
    if (json_parse(body, &document, detail, sizeof detail) != RESULT_OK)
        return NULL;
    json_t *scope = json_object_get(document, "reservation_id");
    if (!scope)
        scope = json_object_get(document, "user_id");
    if (!scope)
        scope = json_object_get(document, "queue_ticket");
    json_incref(scope);
    json_decref(document);
    return scope;
}

static void name_key(struct call *call, struct bytes key) {
    json_t *scope = call->route->side == SIDE_FAN ? scope_of(call->body) : NULL;
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
    call->route->handle(call);
}

/* On the reactor: it was answered before; the answer is in call->answer. */
static void replay(struct call *call) {
    idempotency_end(call->api->idempotency, &call->answer_key.key);
    call->answer_key = (struct hold_answer_key){0};
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
    idempotency_end(call->api->idempotency, &call->answer_key.key);
    call->answer_key = (struct hold_answer_key){0};
    call_refuse(call, RESULT_IDEMPOTENCY_KEY_REUSED, NULL);
}

static void refuse_unreadable(struct call *call) {
    call_refuse(call, RESULT_LEDGER_UNAVAILABLE, NULL);
}

static void look_up(struct clerk_job *job, struct ledger_reader *reader) {
    struct call *call = call_of_job(job);
    struct api *api = call->api;
    struct kept_answer answer = {0};
    enum result result =
        api->services.find_recent_answer(api->services.runtime, &call->answer_key.key, &answer, &call->answer);
    if (result == RESULT_NOT_FOUND)
        result = api->ledger->read_answer(reader, &call->answer_key.key, &answer, &call->answer);
    if (result == RESULT_NOT_FOUND || (result == RESULT_OK && answer.created_ms + IDEMPOTENCY_KEEP_MS < call->now_ms)) {
        call->answer.length = 0;
        call_on_reactor(call, go_on);
    } else if (result != RESULT_OK) {
        call_on_reactor(call, refuse_unreadable);
    } else if (!id_equal(&answer.body_hash, &call->answer_key.body_hash)) {
        call->answer.length = 0;
        call_on_reactor(call, refuse_reused);
    } else {
        call->status = answer.status;
        call_on_reactor(call, replay);
    }
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
    enum result result = put_under_way(call->api->idempotency, &call->answer_key);
    if (result != RESULT_OK) {
        call->answer_key = (struct hold_answer_key){0};
        call_refuse(call, result, NULL);
        return;
    }
    struct id kept_key = call->answer_key.key;
    struct idempotency *table = call->api->idempotency;
    struct call *parked = call_park(call);
    if (!parked) {
        idempotency_end(table, &kept_key);
        return;
    }
    call_on_clerk(parked, look_up);
}
