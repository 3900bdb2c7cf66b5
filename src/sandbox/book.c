#include "sandbox/book.h"
#include "base/hash.h"
#include "base/panic.h"
#include "sandbox/cards.h"
#include "sandbox/webhook.h"

#include <stdlib.h>

void book_init(struct book *book) {
    *book = (struct book){0};
}

void book_release(struct book *book) {
    for (uint32_t i = 0; i < book->intent_count; i++)
        free(book->intents[i].details);
    for (uint32_t i = 0; i < book->refund_count; i++)
        free(book->refunds[i].details);
    free(book->intents);
    free(book->charges);
    free(book->refunds);
    free(book->events);
    free(book->keys);
    book_init(book);
}

/* Room for one more of `size` bytes in the array at `*array`. */
static bool make_room(void *array, uint32_t count, uint32_t *room, size_t size, uint32_t limit) {
    if (count < *room)
        return true;
    if (count >= limit)
        return false;
    uint32_t more = *room ? *room * 2 : 256;
    void *fresh = reallocarray(*(void **)array, more, size);
    if (!fresh)
        return false;
    *(void **)array = fresh;
    *room = more;
    return true;
}

static struct bytes copy(struct bytes bytes) {
    char *at = malloc(bytes.length ? bytes.length : 1);
    if (at && bytes.length)
        memcpy(at, bytes.at, bytes.length);
    return (struct bytes){at, bytes.length};
}

static bool goes_with(const struct book *book, const struct record *record) {
    uint8_t parts = record->head.parts;
    if (parts & PART_INTENT && (record->intent.number > book->intent_count || !card_is_known(record->intent.card) ||
                                record->intent.status == 0 || record->intent.status >= STATUS_COUNT))
        return false;
    if (parts & PART_CHARGE && (record->charge.number > book->charge_count || !card_is_known(record->charge.card) ||
                                record->charge.intent > book->intent_count))
        return false;
    if (parts & PART_REFUND && (record->refund.number > book->refund_count || !(parts & PART_CHARGE)))
        return false;
    return true;
}

static bool make_all_room(struct book *book, uint8_t parts) {
    return (!(parts & PART_INTENT) || make_room(&book->intents, book->intent_count, &book->intent_room,
                                                sizeof *book->intents, LIMIT_SANDBOX_OBJECTS)) &&
           (!(parts & PART_CHARGE) || make_room(&book->charges, book->charge_count, &book->charge_room,
                                                sizeof *book->charges, LIMIT_SANDBOX_OBJECTS)) &&
           (!(parts & PART_REFUND) || make_room(&book->refunds, book->refund_count, &book->refund_room,
                                                sizeof *book->refunds, LIMIT_SANDBOX_OBJECTS)) &&
           make_room(&book->events, book->event_count, &book->event_room, sizeof *book->events, UINT32_MAX / 2);
}

static void set_intent(struct book *book, const struct record *record, struct bytes details, uint64_t place) {
    struct intent_entry *entry = &book->intents[record->intent.number];
    if (record->intent.number == book->intent_count) {
        book->intent_count++;
        *entry = (struct intent_entry){0};
    }
    free(entry->details);
    entry->intent = record->intent;
    entry->details = (char *)details.at;
    entry->details_length = (uint32_t)details.length;
    entry->place = place;
}

static void set_refund(struct book *book, const struct record *record, struct bytes details, uint64_t place) {
    struct refund_entry *entry = &book->refunds[record->refund.number];
    if (record->refund.number == book->refund_count) {
        book->refund_count++;
        *entry = (struct refund_entry){0};
    }
    free(entry->details);
    *entry = (struct refund_entry){.refund = record->refund,
                                   .details = (char *)details.at,
                                   .details_length = (uint32_t)details.length,
                                   .place = place};
}

static struct event_entry *event_of(const struct book *book, const struct record *record) {
    uint32_t index = book_event_index(book, record->head.event - 1);
    bool found =
        record->head.event && index < book->event_count && book->events[index].number == record->head.event - 1;
    return found ? &book->events[index] : NULL;
}

enum result book_apply(struct book *book, const struct record *record, uint64_t place) {
    const struct record_head *head = &record->head;
    if (head->kind == RECORD_DELIVERED) {
        struct event_entry *event = event_of(book, record);
        if (event)
            event->owed = false;
        return RESULT_OK;
    }
    if (!goes_with(book, record))
        return RESULT_CORRUPT;
    if (!make_all_room(book, head->parts))
        return RESULT_OVERLOADED;
    struct bytes details = {0}, refund_details = {0};
    if (head->parts & PART_INTENT && !(details = copy(record->details)).at)
        return RESULT_OVERLOADED;
    if (head->parts & PART_REFUND && !(refund_details = copy(record->refund_details)).at) {
        free((char *)details.at);
        return RESULT_OVERLOADED;
    }
    if (!id_is_none(&head->key)) {
        enum result result = book_set_key(book, &head->key, place, head->time_ms);
        if (result != RESULT_OK) {
            free((char *)details.at);
            free((char *)refund_details.at);
            return result;
        }
    }
    if (head->parts & PART_INTENT)
        set_intent(book, record, details, place);
    if (head->parts & PART_CHARGE) {
        if (record->charge.number == book->charge_count)
            book->charge_count++;
        book->charges[record->charge.number] = (struct charge_entry){.charge = record->charge, .place = place};
    }
    if (head->parts & PART_REFUND)
        set_refund(book, record, refund_details, place);
    if (head->event) {
        book->events[book->event_count++] = (struct event_entry){.number = head->event - 1,
                                                                 .kind = head->kind,
                                                                 .owed = head->owed,
                                                                 .time_ms = head->time_ms,
                                                                 .place = place};
        book->next_event = head->event;
    }
    return RESULT_OK;
}

bool book_needs(const struct book *book, const struct record *record, uint64_t place, int64_t now_ms) {
    uint8_t parts = record->head.parts;
    int64_t age_ms = now_ms - record->head.time_ms;
    if (record->head.kind == RECORD_DELIVERED)
        return age_ms < WEBHOOK_LIFE_MS;
    const struct event_entry *event = event_of(book, record);
    return age_ms < KEY_LIFE_MS || (event && event->owed && age_ms < WEBHOOK_LIFE_MS) ||
           (parts & PART_INTENT && book->intents[record->intent.number].place == place) ||
           (parts & PART_CHARGE && book->charges[record->charge.number].place == place) ||
           (parts & PART_REFUND && book->refunds[record->refund.number].place == place);
}

struct intent_entry *book_intent(struct book *book, struct bytes id) {
    uint32_t number;
    uint64_t chance;
    if (!object_id_parse(id, "pi", &number, &chance) || number >= book->intent_count ||
        book->intents[number].intent.chance != chance)
        return NULL;
    return &book->intents[number];
}

struct charge_entry *book_charge(struct book *book, struct bytes id) {
    uint32_t number;
    uint64_t chance;
    if (!object_id_parse(id, "ch", &number, &chance) || number >= book->charge_count ||
        book->charges[number].charge.chance != chance)
        return NULL;
    return &book->charges[number];
}

struct refund_entry *book_refund(struct book *book, struct bytes id) {
    uint32_t number;
    uint64_t chance;
    if (!object_id_parse(id, "re", &number, &chance) || number >= book->refund_count ||
        book->refunds[number].refund.chance != chance)
        return NULL;
    return &book->refunds[number];
}

uint32_t book_event_index(const struct book *book, uint32_t number) {
    uint32_t low = 0, high = book->event_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (book->events[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t event_chance(const struct record *record) {
    struct bytes parts[] = {{(const char *)&record->head.event, sizeof record->head.event},
                            {(const char *)&record->intent.chance, sizeof record->intent.chance}};
    struct id id = hash_128(parts, 2);
    uint64_t chance;
    memcpy(&chance, id.at, sizeof chance);
    return chance;
}

/* The keys are hashes already: their first bytes are their hash. */
static uint32_t slot_of(const struct book *book, const struct id *key) {
    uint32_t hash;
    memcpy(&hash, key->at, sizeof hash);
    uint32_t slot = hash & book->key_mask;
    while (!id_is_none(&book->keys[slot].key) && !id_equal(&book->keys[slot].key, key))
        slot = (slot + 1) & book->key_mask;
    return slot;
}

struct key_entry *book_key(struct book *book, const struct id *key, int64_t now_ms) {
    if (!book->keys)
        return NULL;
    struct key_entry *entry = &book->keys[slot_of(book, key)];
    if (id_is_none(&entry->key) || (entry->place != KEY_RUNNING && now_ms - entry->time_ms >= KEY_LIFE_MS))
        return NULL;
    return entry;
}

/* A fresh table without the keys that have had their 24 hours, big enough to be at most half full. */
static bool grow_keys(struct book *book, int64_t now_ms) {
    struct book fresh = {0};
    uint32_t living = 0, old_room = book->keys ? book->key_mask + 1 : 0;
    for (uint32_t i = 0; i < old_room; i++)
        living += !id_is_none(&book->keys[i].key) &&
                  (book->keys[i].place == KEY_RUNNING || now_ms - book->keys[i].time_ms < KEY_LIFE_MS);
    if (living >= LIMIT_SANDBOX_KEYS)
        return false;
    uint32_t room = 1024;
    while (room < living * 2 + 2)
        room *= 2;
    fresh.keys = calloc(room, sizeof *fresh.keys);
    if (!fresh.keys)
        return false;
    fresh.key_mask = room - 1;
    for (uint32_t i = 0; i < old_room; i++) {
        struct key_entry *entry = &book->keys[i];
        if (!id_is_none(&entry->key) && book_key(book, &entry->key, now_ms))
            fresh.keys[slot_of(&fresh, &entry->key)] = *entry;
    }
    free(book->keys);
    book->keys = fresh.keys;
    book->key_mask = fresh.key_mask;
    book->key_count = living;
    return true;
}

enum result book_set_key(struct book *book, const struct id *key, uint64_t place, int64_t now_ms) {
    assert(!id_is_none(key));
    uint32_t slot = book->keys ? slot_of(book, key) : 0;
    if (!book->keys || id_is_none(&book->keys[slot].key)) {
        if ((!book->keys || book->key_count >= (book->key_mask + 1) / 4 * 3) && !grow_keys(book, now_ms))
            return RESULT_OVERLOADED;
        slot = slot_of(book, key);
        book->key_count += id_is_none(&book->keys[slot].key);
    }
    book->keys[slot] = (struct key_entry){.key = *key, .place = place, .time_ms = now_ms};
    return RESULT_OK;
}
