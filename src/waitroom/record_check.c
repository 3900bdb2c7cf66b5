#include "waitroom/record_check.h"
#include "base/panic.h"
#include "waitroom/shuffle.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TIME_JITTER_MS 1000
#define FULL_AFTER_MS 60000 /* at any rate: the slowest fills its one token in a minute */
#define STAYS_AT_FIRST 1024
#define MARKS_AT_FIRST 4096

static_assert(SHUFFLE_BYTES == RECORD_HASH_BYTES, "a HEAD's hash goes into the shuffle's key");

/* What befell a number. */
enum { MARK_ADMITTED = 1, MARK_INSIDE = 2, MARK_ENDED = 4, MARK_LEFT = 8 };

struct stay {
    int64_t expires_ms;
    uint32_t number;
};

struct check {
    struct bytes record;
    uint64_t at; /* of the record that is looked at */
    const struct queue_ticket *ticket;
    record_head_seen *seen;
    void *context;
    struct record_findings findings;
    struct record_fault *fault;
    enum result result; /* of the first fault */

    /* chain */
    uint64_t hashed; /* up to here in the hash */
    crypto_hash_sha256_state hash;
    enum record_kind previous;
    struct {
        uint32_t id;
        uint8_t public_key[KEY_PUBLIC_BYTES];
    } keys[RECORD_CHECK_KEYS];
    uint64_t key_count;

    /* shuffle */
    uint8_t commitment[SHUFFLE_BYTES];
    uint8_t frozen_head[RECORD_HASH_BYTES]; /* the hash of the HEAD right before FREEZE */
    uint32_t *positions;                    /* of the numbers that were frozen; NULL: as they came */

    /* order */
    uint8_t *marks;       /* by number */
    uint32_t marks_count; /* of them there is room for */
    uint32_t issued, serving;

    /* drip and room */
    bool has_terms;
    struct queue_settings terms;
    int64_t level;      /* of the bucket, in 1/DRIP_TOKEN */
    int64_t now_ms;     /* goes back only with a step of the clock */
    struct stay *stays; /* a heap, the first to end at the top */
    uint32_t stay_count, stay_room, inside;
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct check *check, const char *format, ...) {
    if (check->result != RESULT_OK)
        return false;
    check->result = RESULT_CORRUPT;
    check->fault->offset = check->at;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(check->fault->words, sizeof check->fault->words, format, arguments);
    va_end(arguments);
    return false;
}

static bool no_memory(struct check *check) {
    check->result = RESULT_OVERLOADED;
    return false;
}

/* ---- the clock and the bucket ---- */

static int64_t bucket_size(const struct check *check) {
    int64_t second = (int64_t)check->terms.rate_per_minute * 1000 * 1000;
    return second > DRIP_TOKEN ? second : DRIP_TOKEN;
}

static void bucket_fill(struct check *check, int64_t passed_ms) {
    int64_t flow = (int64_t)check->terms.rate_per_minute * 1000, size = bucket_size(check);
    check->level = passed_ms >= FULL_AFTER_MS ? size : check->level + flow * passed_ms;
    if (check->level > size)
        check->level = size;
}

/* Admissions have the queue's own time, which never goes back while a process lives. */
static void see_time(struct check *check, const struct record_event *event) {
    int64_t passed_ms = event->time_ms - check->now_ms;
    bool is_exact = event->kind == RECORD_ADMIT || event->kind == RECORD_TERMS;
    if (event->time_ms > check->findings.last_ms)
        check->findings.last_ms = event->time_ms;
    if (passed_ms >= 0) {
        if (check->has_terms)
            bucket_fill(check, passed_ms);
    } else if (is_exact || passed_ms < -TIME_JITTER_MS) {
        check->findings.steps_back++;
        if (-passed_ms > check->findings.most_back_ms)
            check->findings.most_back_ms = -passed_ms;
        if (check->has_terms)
            check->level = bucket_size(check);
    } else {
        return;
    }
    check->now_ms = event->time_ms;
}

/* ---- who is inside ---- */

static bool ends_before(const struct stay *a, const struct stay *b) {
    return a->expires_ms < b->expires_ms;
}

static bool stay_add(struct check *check, struct stay stay) {
    if (check->stay_count == check->stay_room) {
        uint32_t room = check->stay_room ? check->stay_room * 2 : STAYS_AT_FIRST;
        struct stay *more = reallocarray(check->stays, room, sizeof *more);
        if (!more)
            return no_memory(check);
        check->stays = more;
        check->stay_room = room;
    }
    uint32_t at = check->stay_count++;
    for (; at && ends_before(&stay, &check->stays[(at - 1) / 2]); at = (at - 1) / 2)
        check->stays[at] = check->stays[(at - 1) / 2];
    check->stays[at] = stay;
    return true;
}

static struct stay stay_take_first(struct check *check) {
    struct stay first = check->stays[0], last = check->stays[--check->stay_count];
    uint32_t at = 0;
    for (uint32_t child = 1; child < check->stay_count; child = 2 * at + 1) {
        if (child + 1 < check->stay_count && ends_before(&check->stays[child + 1], &check->stays[child]))
            child++;
        if (!ends_before(&check->stays[child], &last))
            break;
        check->stays[at] = check->stays[child];
        at = child;
    }
    check->stays[at] = last;
    return first;
}

static void end_stay(struct check *check, uint32_t number) {
    if (!(check->marks[number] & MARK_INSIDE))
        return;
    check->marks[number] &= (uint8_t)~MARK_INSIDE;
    check->inside--;
}

static void end_stays_over(struct check *check, int64_t now_ms) {
    while (check->stay_count && check->stays[0].expires_ms <= now_ms)
        end_stay(check, stay_take_first(check).number);
}

/* ---- records ---- */

static bool check_start(struct check *check, const struct record_event *event) {
    if (check->at != 0)
        return wrong(check, "a second beginning stands in the middle of the record");
    check->findings.show_id = event->start.show_id;
    check->findings.first_ms = check->findings.last_ms = check->now_ms = event->time_ms;
    check->findings.is_shuffled = !sodium_is_zero(event->start.commitment, sizeof event->start.commitment);
    memcpy(check->commitment, event->start.commitment, sizeof check->commitment);
    check->findings.beacon_name = event->start.beacon_name;
    return true;
}

static bool check_terms(struct check *check, const struct record_event *event) {
    const struct queue_settings *terms = &event->terms;
    if (terms->rate_per_minute < 1 || terms->rate_per_minute > LIMIT_RATE_PER_MINUTE || terms->max_active < 1 ||
        terms->max_active > LIMIT_ACTIVE || terms->claim_seconds < 1 || terms->claim_seconds > LIMIT_CLAIM_SECONDS ||
        terms->pass_seconds < 1 || terms->pass_seconds > LIMIT_PASS_SECONDS)
        return wrong(check, "the terms are none that a queue can have");
    check->terms = *terms;
    if (!check->has_terms)
        check->level = bucket_size(check); /* a lower rate takes what is too much at the next fill */
    check->has_terms = true;
    return true;
}

static const uint8_t *find_key(const struct check *check, uint32_t id) {
    for (uint64_t i = 0; i < check->key_count && i < RECORD_CHECK_KEYS; i++)
        if (check->keys[i].id == id)
            return check->keys[i].public_key;
    return NULL;
}

static bool check_key(struct check *check, const struct record_event *event) {
    const uint8_t *known = find_key(check, event->number);
    if (known && memcmp(known, event->public_key, KEY_PUBLIC_BYTES) != 0)
        return wrong(check, "key %08x is given a second time, and is another one", event->number);
    if (known)
        return true;
    uint64_t at = check->key_count++ % RECORD_CHECK_KEYS;
    check->keys[at].id = event->number;
    memcpy(check->keys[at].public_key, event->public_key, KEY_PUBLIC_BYTES);
    return true;
}

/* Numbers up to this one are given out. */
static bool issue(struct check *check, uint32_t number) {
    if (number >= check->marks_count) {
        uint32_t count = check->marks_count ? check->marks_count : MARKS_AT_FIRST;
        while (count <= number)
            count *= 2;
        uint8_t *more = realloc(check->marks, count);
        if (!more)
            return no_memory(check);
        memset(more + check->marks_count, 0, count - check->marks_count);
        check->marks = more;
        check->marks_count = count;
    }
    check->issued = number;
    return true;
}

static bool check_join(struct check *check, const struct record_event *event) {
    if (check->issued == LIMIT_PLACES)
        return wrong(check, "more people join than a queue has places");
    uint32_t number = check->issued + 1;
    if (!issue(check, number))
        return false;
    check->findings.joins++;
    if (!check->ticket || check->ticket->number != number)
        return true;
    struct id blinded = record_blind(&check->findings.show_id, check->ticket->salt, user_bytes(&check->ticket->user));
    if (!id_equal(&blinded, &event->blinded) || !id_equal(&check->ticket->show_id, &check->findings.show_id))
        return true;
    check->findings.has_ticket = true;
    check->findings.joined_ms = event->time_ms;
    if (!check->findings.is_shuffled || check->findings.is_frozen)
        check->findings.position = number;
    return true;
}

static bool check_unknown(struct check *check, const struct record_event *event) {
    if (event->number <= check->issued || event->number > LIMIT_PLACES)
        return wrong(check, "numbers up to %u are said to be unknown, after %u were given out", event->number,
                     check->issued);
    check->findings.unknown += event->number - check->issued;
    if (check->ticket && check->ticket->number > check->issued && check->ticket->number <= event->number)
        check->findings.is_ticket_unknown = id_equal(&check->ticket->show_id, &check->findings.show_id);
    return issue(check, event->number);
}

/* 0: there is no such number. */
static uint32_t position_of(const struct check *check, uint32_t number) {
    if (number == 0 || number > check->issued)
        return 0;
    return check->positions && number <= check->findings.frozen ? check->positions[number] : number;
}

static bool is_of_ticket(const struct check *check, uint32_t number) {
    return check->findings.has_ticket && check->ticket->number == number;
}

static bool check_left(struct check *check, const struct record_event *event) {
    uint32_t number = event->number;
    if (!position_of(check, number))
        return wrong(check, "number %u leaves and was never given out", number);
    if (check->marks[number] & (MARK_LEFT | MARK_ADMITTED))
        return wrong(check, "number %u leaves the line a second time, or after being let in", number);
    check->marks[number] |= MARK_LEFT;
    check->findings.left++;
    if (is_of_ticket(check, number))
        check->findings.left_ms = event->time_ms;
    return true;
}

static bool check_call(struct check *check, const struct record_event *event) {
    if (check->findings.is_shuffled && !check->findings.is_opened)
        return wrong(check, "people are called before the promised shuffle");
    if (event->number < check->serving)
        return wrong(check, "the calls go back from %u to %u", check->serving, event->number);
    if (event->number > check->issued)
        return wrong(check, "places up to %u are called, and there are only %u", event->number, check->issued);
    check->serving = event->number;
    check->findings.called = event->number;
    if (check->findings.has_ticket && !check->findings.called_ms && check->findings.position &&
        check->findings.position <= event->number)
        check->findings.called_ms = event->time_ms;
    return true;
}

static bool check_door(struct check *check, const struct record_event *event) {
    uint32_t number = event->number, position = position_of(check, number);
    if (!position || position > check->serving)
        return wrong(check, "number %u is at the door before it is called", number);
    if (check->marks[number] & (MARK_LEFT | MARK_ADMITTED))
        return wrong(check, "number %u is at the door after it has left, or was let in", number);
    return true;
}

static bool check_admit(struct check *check, const struct record_event *event) {
    uint32_t number = event->number, position = position_of(check, number);
    if (!position)
        return wrong(check, "number %u is let in and was never given out", number);
    if (position > check->serving)
        return wrong(check, "number %u is let in before it is called: it has position %u, and %u are called", number,
                     position, check->serving);
    if (check->marks[number] & MARK_ADMITTED)
        return wrong(check, "number %u is let in a second time", number);
    if (check->marks[number] & MARK_LEFT)
        return wrong(check, "number %u is let in after it has left", number);
    if (!check->has_terms)
        return wrong(check, "number %u is let in before there are any terms", number);
    if (check->level < DRIP_TOKEN)
        return wrong(check, "number %u is let in too early: more were let in than %u a minute allow", number,
                     check->terms.rate_per_minute);
    end_stays_over(check, event->time_ms);
    if (check->inside >= check->terms.max_active)
        return wrong(check, "number %u is let in while %u are inside, and the room is for %u", number, check->inside,
                     check->terms.max_active);
    struct stay stay = {.expires_ms = event->time_ms + (int64_t)check->terms.pass_seconds * 1000, .number = number};
    if (!stay_add(check, stay))
        return false;
    check->level -= DRIP_TOKEN;
    check->marks[number] |= MARK_ADMITTED | MARK_INSIDE;
    if (++check->inside > check->findings.most_inside)
        check->findings.most_inside = check->inside;
    check->findings.admitted++;
    if (is_of_ticket(check, number))
        check->findings.admitted_ms = event->time_ms;
    return true;
}

static bool check_end(struct check *check, const struct record_event *event) {
    uint32_t number = event->number;
    if (!position_of(check, number))
        return wrong(check, "the pass of number %u ends, which was never given out", number);
    if (check->marks[number] & MARK_ENDED)
        return wrong(check, "the pass of number %u ends a second time", number);
    if (!(check->marks[number] & MARK_ADMITTED) && !check->findings.unknown)
        return wrong(check, "the pass of number %u ends, which was not let in", number);
    end_stay(check, number);
    check->marks[number] |= MARK_ENDED;
    if (is_of_ticket(check, number))
        check->findings.ended_ms = event->time_ms;
    return true;
}

static bool check_freeze(struct check *check, const struct record_event *event) {
    if (!check->findings.is_shuffled)
        return wrong(check, "the line is frozen for a shuffle, and none was committed to");
    if (check->findings.is_frozen)
        return wrong(check, "the line is frozen a second time");
    if (check->previous != RECORD_HEAD)
        return wrong(check, "the line is not frozen right behind a signed head");
    if (event->number != check->issued)
        return wrong(check, "%u are frozen, and %u were in the line", event->number, check->issued);
    memcpy(check->frozen_head, check->findings.last_hash, sizeof check->frozen_head);
    check->findings.frozen = event->number;
    check->findings.frozen_ms = event->time_ms;
    check->findings.is_frozen = true;
    return true;
}

static bool shuffle(struct check *check, const struct record_event *event) {
    uint8_t key[SHUFFLE_BYTES];
    uint32_t frozen = check->findings.frozen;
    uint32_t *order = reallocarray(NULL, (size_t)frozen + 1, sizeof *order);
    check->positions = reallocarray(NULL, (size_t)frozen + 1, sizeof *check->positions);
    if (!order || !check->positions) {
        free(order);
        return no_memory(check);
    }
    shuffle_key(&check->findings.show_id, event->open.seed, check->frozen_head, event->open.beacon_value, key);
    shuffle_order(key, frozen, order);
    for (uint32_t i = 0; i < frozen; i++)
        check->positions[order[i] + 1] = i + 1;
    free(order);
    return true;
}

static bool check_open(struct check *check, const struct record_event *event) {
    uint8_t commitment[SHUFFLE_BYTES];
    if (!check->findings.is_shuffled)
        return wrong(check, "there is a shuffle, and none was committed to");
    if (check->findings.is_opened)
        return wrong(check, "there is a second shuffle");
    if (!check->findings.is_frozen)
        return wrong(check, "there is a shuffle, and the line was not frozen before it");
    if (event->number != check->findings.frozen)
        return wrong(check, "%u are shuffled, and %u were frozen", event->number, check->findings.frozen);
    if (check->findings.beacon_name.length == 0 && event->open.beacon_value.length)
        return wrong(check, "the shuffle uses a beacon, and none was committed to");
    if (check->findings.beacon_name.length && event->open.beacon_value.length == 0)
        return wrong(check, "the shuffle lacks the value of the beacon that was committed to");
    shuffle_commitment(&check->findings.show_id, event->open.seed, check->findings.beacon_name, commitment);
    if (memcmp(commitment, check->commitment, sizeof commitment) != 0)
        return wrong(check, "the shuffle's seed is not the one that was committed to");
    check->findings.is_opened = true;
    if (!shuffle(check, event))
        return false;
    if (check->findings.has_ticket)
        check->findings.position = position_of(check, check->ticket->number);
    return true;
}

static void hash_up_to(struct check *check, uint64_t offset) {
    crypto_hash_sha256_update(&check->hash, (const uint8_t *)check->record.at + check->hashed, offset - check->hashed);
    check->hashed = offset;
}

static bool check_head(struct check *check, const struct record_event *event, size_t length) {
    uint8_t hash[RECORD_HASH_BYTES];
    hash_up_to(check, check->at);
    crypto_hash_sha256_final(&check->hash, hash);
    if (memcmp(hash, event->head.hash, sizeof hash) != 0)
        return wrong(check, "the chain is broken: what stands before this head is not what was signed");
    const uint8_t *key = find_key(check, event->number);
    if (!key)
        return wrong(check, "the head is signed with key %08x, which is not in the record", event->number);
    if (!record_head_is_signed(key, &check->findings.show_id, check->at, event))
        return wrong(check, "the head's signature is not good");
    crypto_hash_sha256_init(&check->hash);
    crypto_hash_sha256_update(&check->hash, hash, sizeof hash);
    check->hashed = check->at + length;
    check->findings.heads++;
    check->findings.checked_bytes = check->hashed;
    memcpy(check->findings.last_hash, hash, sizeof hash);
    if (check->seen)
        check->seen(check->context, check->at, event);
    return true;
}

/* ---- */

static bool check_one(struct check *check, const struct record_event *event, size_t length) {
    if (check->at == 0 && event->kind != RECORD_START)
        return wrong(check, "it does not begin as a record does");
    if (event->kind != RECORD_START && event->kind != RECORD_KEY)
        see_time(check, event);
    switch (event->kind) {
    case RECORD_START:
        return check_start(check, event);
    case RECORD_TERMS:
        return check_terms(check, event);
    case RECORD_KEY:
        return check_key(check, event);
    case RECORD_JOIN:
        return check_join(check, event);
    case RECORD_UNKNOWN:
        return check_unknown(check, event);
    case RECORD_LEFT:
        return check_left(check, event);
    case RECORD_CALL:
        return check_call(check, event);
    case RECORD_DOOR:
        return check_door(check, event);
    case RECORD_ADMIT:
        return check_admit(check, event);
    case RECORD_END:
        return check_end(check, event);
    case RECORD_FREEZE:
        return check_freeze(check, event);
    case RECORD_OPEN:
        return check_open(check, event);
    case RECORD_HEAD:
        return check_head(check, event, length);
    }
    impossible("a record of no kind was read");
}

/* Behind the end of a file that is still written to stand zeros. */
static bool check_rest(struct check *check) {
    if (check->at == 0)
        return wrong(check, "it is empty");
    for (uint64_t i = check->at; i < check->record.length; i++)
        if (check->record.at[i] != 0)
            return wrong(check, "something stands behind the record's end (if a server was killed while it wrote, its "
                                "next start mends that)");
    return true;
}

static void check_all(struct check *check) {
    static const uint8_t zeros[RECORD_HASH_BYTES];
    crypto_hash_sha256_init(&check->hash);
    crypto_hash_sha256_update(&check->hash, zeros, sizeof zeros);
    for (;;) {
        struct record_event event;
        size_t length =
            record_read((struct bytes){check->record.at + check->at, check->record.length - check->at}, &event);
        if (length == 0)
            break;
        if (length == SIZE_MAX) {
            wrong(check, "what stands here is not a record, or breaks off");
            return;
        }
        if (!check_one(check, &event, length))
            return;
        check->previous = event.kind;
        check->at += length;
    }
    if (check_rest(check))
        check->findings.tail_bytes = check->at - check->findings.checked_bytes;
}

enum result record_check_heads(struct bytes record, const struct queue_ticket *ticket, record_head_seen *seen,
                               void *context, struct record_findings *findings, struct record_fault *fault) {
    struct check *check = calloc(1, sizeof *check);
    if (!check)
        return RESULT_OVERLOADED;
    check->record = record;
    check->ticket = ticket;
    check->seen = seen;
    check->context = context;
    check->fault = fault;
    check_all(check);
    enum result result = check->result;
    if (result == RESULT_OK)
        *findings = check->findings;
    free(check->marks);
    free(check->positions);
    free(check->stays);
    free(check);
    return result;
}

enum result record_check(struct bytes record, const struct queue_ticket *ticket, struct record_findings *findings,
                         struct record_fault *fault) {
    return record_check_heads(record, ticket, NULL, NULL, findings, fault);
}
