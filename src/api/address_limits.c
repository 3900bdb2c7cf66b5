#include "api/address_limits.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/panic.h"

#define SHARDS 64
#define WAYS 8 /* buckets of a set: two cache lines */
#define SETS (LIMIT_ADDRESS_BUCKETS / SHARDS / WAYS)
#define US_PER_MINUTE 60000000
#define US_PER_SECOND 1000000

struct bucket {
    uint64_t tag;    /* the hash of kind and address; 0: nobody's */
    int64_t full_us; /* when it will be full again, or was */
};

struct shard {
    pthread_mutex_t lock;
    struct bucket sets[SETS][WAYS]; /* under lock */
};

struct rate {
    int64_t token_us; /* the time that a token takes */
    uint32_t burst;
};

struct address_limits {
    struct rate rates[LIMIT_KIND_COUNT]; /* set once */
    struct shard shards[SHARDS];
};

static_assert(sizeof(struct bucket) == 16, "a bucket has 16 bytes");
static_assert(SETS * WAYS * SHARDS == LIMIT_ADDRESS_BUCKETS, "the sets fill the shards");

struct description {
    const char *words;
    uint32_t burst, per_minute;
};

static const struct description descriptions[LIMIT_KIND_COUNT] = {
#define LIMIT_KIND(name, words, burst, per_minute) [LIMIT_KIND_##name] = {words, burst, per_minute},
#include "api/address_limits.def"
#undef LIMIT_KIND
};

void address_limits_set_rate(struct address_limits *limits, enum limit_kind kind, uint32_t per_minute) {
    assert(kind < LIMIT_KIND_COUNT && per_minute >= 1 && per_minute <= LIMIT_RATE_PER_MINUTE);
    const struct description *is = &descriptions[kind];
    uint64_t burst = (uint64_t)is->burst * per_minute / is->per_minute;
    limits->rates[kind] =
        (struct rate){.token_us = (US_PER_MINUTE + per_minute - 1) / per_minute, .burst = burst ? (uint32_t)burst : 1};
}

struct address_limits *address_limits_new(void) {
    struct address_limits *limits = calloc(1, sizeof *limits);
    if (!limits)
        return NULL;
    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_init(&limits->shards[i].lock, NULL);
    for (int kind = 0; kind < LIMIT_KIND_COUNT; kind++)
        address_limits_set_rate(limits, (enum limit_kind)kind, descriptions[kind].per_minute);
    return limits;
}

void address_limits_free(struct address_limits *limits) {
    if (!limits)
        return;
    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&limits->shards[i].lock);
    free(limits);
}

static uint64_t tag_of(enum limit_kind kind, struct client_key key) {
    char text[1 + sizeof key.at];
    text[0] = (char)kind;
    memcpy(text + 1, key.at, sizeof key.at);
    uint64_t tag = hash_u64((struct bytes){text, sizeof text});
    return tag ? tag : 1;
}

/* The bucket of that tag, or the one of its set whose loss costs the least, made its own. */
static struct bucket *find_bucket(struct bucket set[static WAYS], uint64_t tag) {
    struct bucket *fullest = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].tag == tag)
            return &set[i];
        if (set[i].full_us < fullest->full_us)
            fullest = &set[i];
    }
    *fullest = (struct bucket){.tag = tag};
    return fullest;
}

static int64_t round_up(int64_t value, int64_t unit) {
    return (value + unit - 1) / unit;
}

/* Moves the bucket if a token is there. */
static struct limit_verdict take(struct bucket *bucket, const struct rate *rate, int64_t now_us) {
    int64_t window_us = rate->burst * rate->token_us, emptiest_us = now_us + window_us;
    int64_t full_us = bucket->full_us < now_us ? now_us : bucket->full_us;
    if (full_us > emptiest_us)
        full_us = emptiest_us; /* the clock was set back */
    struct limit_verdict verdict = {.limit = rate->burst,
                                    .window_seconds = (uint32_t)round_up(window_us, US_PER_SECOND)};
    verdict.is_allowed = full_us + rate->token_us <= emptiest_us;
    if (verdict.is_allowed)
        full_us += rate->token_us;
    bucket->full_us = full_us;
    verdict.remaining = (uint32_t)((emptiest_us - full_us) / rate->token_us);
    verdict.reset_seconds = (uint32_t)round_up(full_us - now_us, US_PER_SECOND);
    if (!verdict.is_allowed) {
        verdict.wait_seconds = (uint32_t)round_up(full_us + rate->token_us - emptiest_us, US_PER_SECOND);
        verdict.reset_seconds = verdict.wait_seconds;
    }
    return verdict;
}

enum result address_limits_take(struct address_limits *limits, enum limit_kind kind, struct client_key key,
                                int64_t now_ms, struct limit_verdict *verdict) {
    assert(kind < LIMIT_KIND_COUNT);
    uint64_t tag = tag_of(kind, key);
    struct shard *shard = &limits->shards[tag % SHARDS];
    pthread_mutex_lock(&shard->lock);
    struct bucket *bucket = find_bucket(shard->sets[tag / SHARDS % SETS], tag);
    *verdict = take(bucket, &limits->rates[kind], now_ms * 1000);
    pthread_mutex_unlock(&shard->lock);
    verdict->kind = kind;
    return verdict->is_allowed ? RESULT_OK : RESULT_RATE_LIMITED;
}

void limit_verdict_write(const struct limit_verdict *verdict, struct buffer *headers) {
    const char *words = descriptions[verdict->kind].words;
    buffer_printf(headers, "RateLimit-Policy: \"%s\";q=%u;w=%u\r\n", words, verdict->limit, verdict->window_seconds);
    buffer_printf(headers, "RateLimit: \"%s\";r=%u;t=%u\r\n", words, verdict->remaining, verdict->reset_seconds);
}
