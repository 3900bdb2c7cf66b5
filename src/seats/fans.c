#include "seats/fans.h"
#include "base/hash.h"
#include "base/panic.h"

enum result fans_init(struct fans *fans, struct fan *entries, uint32_t limit) {
    *fans = (struct fans){.entries = entries, .limit = limit, .first_free = FAN_NONE};
    return id_map_init(&fans->by_user, limit);
}

void fans_release(struct fans *fans) {
    id_map_release(&fans->by_user);
}

static uint64_t hash_of(struct bytes user) {
    uint64_t hash = hash_u64(user);
    return hash ? hash : 1;
}

/* The map takes its hash from an id's last bytes. */
static struct id key_of(uint64_t hash) {
    struct id key = {{0}};
    memcpy(key.at + 8, &hash, sizeof hash);
    return key;
}

static struct fan *find(const struct fans *fans, uint64_t hash) {
    struct id key = key_of(hash);
    return id_map_find(&fans->by_user, &key);
}

uint32_t fans_seat_count(const struct fans *fans, struct bytes user) {
    const struct fan *fan = user.length ? find(fans, hash_of(user)) : NULL;
    return fan ? fan->seat_count : 0;
}

static struct fan *entry_new(struct fans *fans, uint64_t hash) {
    struct fan *fan;
    if (fans->first_free != FAN_NONE) {
        fan = &fans->entries[fans->first_free];
        fans->first_free = fan->seat_count;
    } else {
        assert(fans->used < fans->limit);
        fan = &fans->entries[fans->used++];
    }
    *fan = (struct fan){.hash = hash};
    struct id key = key_of(hash);
    bool added = id_map_add(&fans->by_user, &key, fan);
    assert(added);
    return fan;
}

uint64_t fans_ask(const struct fans *fans, struct bytes user) {
    if (!user.length)
        return 0;
    uint64_t hash = hash_of(user);
    struct id key = key_of(hash);
    id_map_prefetch(&fans->by_user, &key);
    return hash;
}

uint32_t fans_add(struct fans *fans, uint64_t user_hash, uint32_t count) {
    if (!user_hash)
        return FAN_NONE;
    assert(count > 0);
    struct fan *fan = find(fans, user_hash);
    if (!fan)
        fan = entry_new(fans, user_hash);
    fan->seat_count += count;
    return (uint32_t)(fan - fans->entries);
}

void fans_remove_from(struct fans *fans, uint32_t number, uint32_t count) {
    if (number == FAN_NONE || count == 0)
        return;
    struct fan *fan = &fans->entries[number];
    assert(fan->hash && fan->seat_count >= count);
    fan->seat_count -= count;
    if (fan->seat_count)
        return;
    struct id key = key_of(fan->hash);
    id_map_remove(&fans->by_user, &key);
    fan->hash = 0;
    fan->seat_count = fans->first_free;
    fans->first_free = number;
}
