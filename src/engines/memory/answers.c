#include "engines/memory/answers.h"
#include "base/hash.h"
#include "base/panic.h"

#include <pthread.h>
#include <stdlib.h>

enum answer_state { ANSWER_BEGUN, ANSWER_FILLED, ANSWER_WAITING, ANSWER_HANDED };

struct answer {
    struct hold_answer_key key;
    enum answer_state state;
    int64_t created_ms;
    uint64_t ticket;
    struct buffer body;
    struct answer *next_in_slot;
    struct answer *before, *after; /* in the list of its state; BEGUN and FILLED are in none */
};

struct answer_list {
    struct answer *oldest, *newest;
};

struct answers {
    /* set once */
    uint32_t limit;
    uint32_t mask;

    pthread_mutex_t lock;
    /* under lock */
    struct answer **slots;
    uint32_t count;
    size_t body_bytes;
    struct answer_list waiting, handed;
};

struct answers *answers_new(uint32_t limit) {
    struct answers *answers = calloc(1, sizeof *answers);
    if (!answers)
        return NULL;
    uint32_t slots = 64;
    while (slots < limit)
        slots *= 2;
    answers->slots = calloc(slots, sizeof *answers->slots);
    if (!answers->slots) {
        free(answers);
        return NULL;
    }
    answers->limit = limit;
    answers->mask = slots - 1;
    pthread_mutex_init(&answers->lock, NULL);
    return answers;
}

static void answer_free(struct answer *answer) {
    buffer_release(&answer->body);
    free(answer);
}

void answers_free(struct answers *answers) {
    if (!answers)
        return;
    for (uint32_t i = 0; i <= answers->mask; i++) {
        for (struct answer *answer = answers->slots[i]; answer;) {
            struct answer *next = answer->next_in_slot;
            answer_free(answer);
            answer = next;
        }
    }
    pthread_mutex_destroy(&answers->lock);
    free(answers->slots);
    free(answers);
}

/* ---- under the lock ---- */

/* A fan chooses the text behind the key, so the table is hashed under a key of ours. */
static struct answer **slot_of(struct answers *answers, const struct id *key) {
    struct bytes bytes = {(const char *)key->at, sizeof key->at};
    return &answers->slots[hash_u64(bytes) & answers->mask];
}

static struct answer *look(struct answers *answers, const struct id *key) {
    struct answer *answer = *slot_of(answers, key);
    while (answer && !id_equal(&answer->key.key, key))
        answer = answer->next_in_slot;
    return answer;
}

static void enter(struct answers *answers, struct answer *answer) {
    struct answer **slot = slot_of(answers, &answer->key.key);
    answer->next_in_slot = *slot;
    *slot = answer;
    answers->count++;
}

static void list_add(struct answer_list *list, struct answer *answer) {
    answer->before = list->newest;
    answer->after = NULL;
    if (list->newest)
        list->newest->after = answer;
    else
        list->oldest = answer;
    list->newest = answer;
}

static void list_remove(struct answer_list *list, struct answer *answer) {
    if (answer->before)
        answer->before->after = answer->after;
    else
        list->oldest = answer->after;
    if (answer->after)
        answer->after->before = answer->before;
    else
        list->newest = answer->before;
}

static void discard(struct answers *answers, struct answer *answer) {
    if (answer->state == ANSWER_WAITING)
        list_remove(&answers->waiting, answer);
    else if (answer->state == ANSWER_HANDED)
        list_remove(&answers->handed, answer);
    struct answer **link = slot_of(answers, &answer->key.key);
    while (*link != answer)
        link = &(*link)->next_in_slot;
    *link = answer->next_in_slot;
    answers->count--;
    answers->body_bytes -= answer->body.length;
    answer_free(answer);
}

static struct kept_answer kept(const struct answer *answer) {
    return (struct kept_answer){.key = answer->key.key,
                                .body_hash = answer->key.body_hash,
                                .status = HOLD_ANSWER_STATUS,
                                .body = buffer_bytes(&answer->body),
                                .created_ms = answer->created_ms};
}

/* ---- the life of an answer ---- */

static struct answer *answer_new(const struct hold_answer_key *key) {
    struct answer *answer = calloc(1, sizeof *answer);
    if (answer)
        answer->key = *key;
    return answer;
}

enum result answers_begin(struct answers *answers, const struct hold_answer_key *key, struct answer **answer) {
    struct answer *fresh = answer_new(key);
    if (!fresh)
        return RESULT_OVERLOADED;
    enum result result = RESULT_OK;
    pthread_mutex_lock(&answers->lock);
    if (look(answers, &key->key))
        result = RESULT_IDEMPOTENCY_IN_PROGRESS;
    else if (answers->count >= answers->limit || answers->body_bytes >= LIMIT_WAITING_ANSWER_BYTES)
        result = RESULT_OVERLOADED;
    else
        enter(answers, fresh);
    pthread_mutex_unlock(&answers->lock);
    if (result == RESULT_OK)
        *answer = fresh;
    else
        free(fresh);
    return result;
}

void answers_fill(struct answers *answers, struct answer *answer, struct buffer *body, int64_t created_ms) {
    pthread_mutex_lock(&answers->lock);
    assert(answer->state == ANSWER_BEGUN);
    answer->body = *body;
    answer->created_ms = created_ms;
    answer->state = ANSWER_FILLED;
    answers->body_bytes += answer->body.length;
    pthread_mutex_unlock(&answers->lock);
    buffer_init(body, body->limit);
}

struct journal_answer answer_record(const struct answer *answer) {
    return (struct journal_answer){.key = answer->key,
                                   .status = HOLD_ANSWER_STATUS,
                                   .created_ms = answer->created_ms,
                                   .body = buffer_bytes(&answer->body)};
}

void answers_land(struct answers *answers, struct answer *answer, uint64_t ticket) {
    pthread_mutex_lock(&answers->lock);
    assert(answer->state == ANSWER_FILLED);
    answer->state = ANSWER_WAITING;
    answer->ticket = ticket;
    list_add(&answers->waiting, answer);
    pthread_mutex_unlock(&answers->lock);
}

void answers_abandon(struct answers *answers, struct answer *answer) {
    pthread_mutex_lock(&answers->lock);
    assert(answer->state == ANSWER_BEGUN || answer->state == ANSWER_FILLED);
    discard(answers, answer);
    pthread_mutex_unlock(&answers->lock);
}

enum result answers_find(struct answers *answers, const struct id *key, struct kept_answer *answer,
                         struct buffer *storage) {
    enum result result = RESULT_NOT_FOUND;
    pthread_mutex_lock(&answers->lock);
    const struct answer *found = look(answers, key);
    if (found && found->state != ANSWER_BEGUN) {
        size_t start = storage->length;
        buffer_add_bytes(storage, buffer_bytes(&found->body));
        result = buffer_ok(storage) ? RESULT_OK : RESULT_OVERLOADED;
        if (result == RESULT_OK) {
            *answer = kept(found);
            answer->body = (struct bytes){storage->at + start, storage->length - start};
        }
    }
    pthread_mutex_unlock(&answers->lock);
    return result;
}

uint32_t answers_hand_out(struct answers *answers, uint64_t synced, uint32_t room, struct kept_answer *out) {
    uint32_t count = 0;
    pthread_mutex_lock(&answers->lock);
    /* Two threads may land in another order than that of their tickets; who waits for the disk holds up who is behind,
     * for one batch at most. */
    while (count < room && answers->waiting.oldest && answers->waiting.oldest->ticket <= synced) {
        struct answer *answer = answers->waiting.oldest;
        list_remove(&answers->waiting, answer);
        list_add(&answers->handed, answer);
        answer->state = ANSWER_HANDED;
        out[count++] = kept(answer);
    }
    pthread_mutex_unlock(&answers->lock);
    return count;
}

static void tell_kept(struct journal *journal, const uint8_t *keys, size_t length, size_t dead) {
    if (journal && length)
        journal_append(journal, JOURNAL_KEPT, (uint32_t)(dead + JOURNAL_FRAME_BYTES + length),
                       (struct bytes){(const char *)keys, length}, (struct bytes){0});
}

void answers_settle(struct answers *answers, const struct kept_answer *list, uint32_t count, bool is_kept,
                    struct journal *journal) {
    uint8_t keys[16 * JOURNAL_KEPT_KEYS];
    size_t length = 0, dead = 0;
    pthread_mutex_lock(&answers->lock);
    for (uint32_t i = 0; i < count; i++) {
        struct answer *answer = look(answers, &list[i].key);
        assert(answer && answer->state == ANSWER_HANDED);
        if (!is_kept) {
            list_remove(&answers->handed, answer);
            list_add(&answers->waiting, answer);
            answer->state = ANSWER_WAITING;
            continue;
        }
        memcpy(keys + length, list[i].key.at, 16);
        length += 16;
        dead += answer->body.length;
        discard(answers, answer);
        if (length == sizeof keys) {
            tell_kept(journal, keys, length, dead);
            length = dead = 0;
        }
    }
    tell_kept(journal, keys, length, dead);
    pthread_mutex_unlock(&answers->lock);
}

bool answers_lives(struct answers *answers, const struct id *key) {
    pthread_mutex_lock(&answers->lock);
    bool lives = look(answers, key);
    pthread_mutex_unlock(&answers->lock);
    return lives;
}

/* ---- recovery ---- */

enum result answers_restore(struct answers *answers, const struct journal_answer *record) {
    pthread_mutex_lock(&answers->lock);
    enum result result = RESULT_OK;
    if (!look(answers, &record->key.key)) {
        struct answer *answer = answer_new(&record->key);
        result = RESULT_OVERLOADED;
        if (answer) {
            buffer_init(&answer->body, LIMIT_ANSWER_BODY_BYTES);
            buffer_add_bytes(&answer->body, record->body);
            result = buffer_ok(&answer->body) ? RESULT_OK : RESULT_OVERLOADED;
        }
        if (result == RESULT_OK) {
            answer->created_ms = record->created_ms;
            answer->state = ANSWER_WAITING;
            answers->body_bytes += answer->body.length;
            enter(answers, answer);
            list_add(&answers->waiting, answer);
        } else if (answer) {
            answer_free(answer);
        }
    }
    pthread_mutex_unlock(&answers->lock);
    return result;
}

void answers_forget(struct answers *answers, const struct id *key) {
    pthread_mutex_lock(&answers->lock);
    struct answer *answer = look(answers, key);
    if (answer)
        discard(answers, answer);
    pthread_mutex_unlock(&answers->lock);
}

void answers_each_waiting(struct answers *answers, void (*each)(void *context, const struct journal_answer *answer),
                          void *context) {
    pthread_mutex_lock(&answers->lock);
    for (const struct answer *answer = answers->waiting.oldest; answer; answer = answer->after) {
        struct journal_answer record = answer_record(answer);
        each(context, &record);
    }
    pthread_mutex_unlock(&answers->lock);
}
