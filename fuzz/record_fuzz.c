/* Bytes of a stranger through record_read() and record_check().
 *
 * The oracle: what is read is written again as the same bytes; nothing is read but the input; a record that is found
 * good has heads that cover what is said to be covered, and is found good again, with the same findings, with a ticket;
 * one that is found bad has words, and a place within the input.
 *
 * The first byte says how the rest is used: as it is, or with its heads made good (hash and signature), so that what
 * stands behind a head is reached at all. */
#include "base/panic.h"
#include "waitroom/record_check.h"

#include <sodium.h>
#include <stdlib.h>

static void check_reading(struct bytes input) {
    for (size_t at = 0; at < input.length;) {
        struct record_event event;
        size_t length = record_read((struct bytes){input.at + at, input.length - at}, &event);
        if (length == 0 || length == SIZE_MAX)
            return;
        uint8_t again[RECORD_MOST_BYTES];
        assert(length <= input.length - at && length <= RECORD_MOST_BYTES);
        assert(record_write(&event, again) == length && memcmp(again, input.at + at, length) == 0);
        at += length;
    }
}

#define HEAD_BYTES 113

static void make_heads_good(char *record, size_t length) {
    struct key_generation key = {.id = 0x01020304};
    struct id show_id = {{0}};
    uint8_t hash[RECORD_HASH_BYTES] = {0}, bytes[RECORD_MOST_BYTES];
    size_t hashed = 0;
    memset(key.seed, 7, sizeof key.seed);
    key_derive(&key);
    for (size_t at = 0; at < length;) {
        struct record_event event;
        size_t part = record_read((struct bytes){record + at, length - at}, &event);
        if (part == 0 || part == SIZE_MAX)
            return;
        if (event.kind == RECORD_START)
            show_id = event.start.show_id;
        if (event.kind == RECORD_KEY) {
            event.number = key.id;
            memcpy(event.public_key, key.public_key, sizeof event.public_key);
            memcpy(record + at, bytes, record_write(&event, bytes));
        }
        if (event.kind == RECORD_HEAD) {
            crypto_hash_sha256_state state;
            crypto_hash_sha256_init(&state);
            crypto_hash_sha256_update(&state, hash, sizeof hash);
            crypto_hash_sha256_update(&state, (const uint8_t *)record + hashed, at - hashed);
            crypto_hash_sha256_final(&state, hash);
            memcpy(event.head.hash, hash, sizeof hash);
            record_head_sign(&key, &show_id, at, &event);
            memcpy(record + at, bytes, record_write(&event, bytes));
            hashed = at + part;
        }
        at += part;
    }
}

static void check_findings(const struct record_findings *findings, size_t length) {
    assert(findings->checked_bytes + findings->tail_bytes <= length);
    assert(findings->joins + findings->unknown <= LIMIT_PLACES);
    assert(findings->called <= findings->joins + findings->unknown);
    assert(findings->frozen <= findings->joins + findings->unknown);
    assert(findings->is_shuffled || !findings->is_frozen);
    assert(findings->is_frozen || !findings->is_opened);
    assert(findings->admitted <= findings->called && findings->most_inside <= findings->admitted);
    assert(findings->heads == 0 || findings->checked_bytes >= HEAD_BYTES);
}

static void check_checking(struct bytes input) {
    struct record_findings findings = {0}, again = {0};
    struct record_fault fault = {0};
    enum result result = record_check(input, NULL, &findings, &fault);
    if (result != RESULT_OK) {
        assert(result == RESULT_CORRUPT && fault.words[0] && memchr(fault.words, '\0', sizeof fault.words));
        assert(fault.offset <= input.length);
        return;
    }
    check_findings(&findings, input.length);
    struct queue_ticket ticket = {.show_id = findings.show_id, .number = 1, .user = {.length = 1, .text = "x"}};
    result = record_check(input, &ticket, &again, &fault);
    assert(result == RESULT_OK && again.joins == findings.joins && again.admitted == findings.admitted &&
           again.checked_bytes == findings.checked_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || sodium_init() < 0)
        return 0;
    char *exactly = malloc(size > 1 ? size - 1 : 1); /* so that a byte too far is seen */
    assert(exactly);
    memcpy(exactly, data + 1, size - 1);
    if (data[0] & 1)
        make_heads_good(exactly, size - 1);
    struct bytes input = {exactly, size - 1};
    check_reading(input);
    check_checking(input);
    free(exactly);
    return 0;
}
