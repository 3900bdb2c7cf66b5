#include "sandbox/faults.h"
#include "base/panic.h"
#include "sandbox/cards.h"

#include <stdio.h>

#define WHOLE 1000000000u
#define LEAST_SLOW_MS 200
#define MOST_SLOW_MS 3000

static const char *const names[] = {
#define FAULT(name, help) #name,
#include "sandbox/faults.def"
#undef FAULT
};

/* "0.05", "1", "0": at most nine decimals. */
static bool read_rate(struct bytes text, uint32_t *rate) {
    const char *dot = memchr(text.at, '.', text.length);
    struct bytes whole = {text.at, dot ? (size_t)(dot - text.at) : text.length};
    struct bytes decimals = {dot ? dot + 1 : NULL, dot ? text.length - whole.length - 1 : 0};
    uint64_t before, behind = 0;
    if (!bytes_to_u64(whole, 1, &before) || decimals.length > 9 || (dot && !bytes_to_u64(decimals, WHOLE - 1, &behind)))
        return false;
    for (size_t i = decimals.length; i < 9; i++)
        behind *= 10;
    *rate = (uint32_t)(before * WHOLE + behind);
    return before * WHOLE + behind <= WHOLE;
}

static bool read_one(struct bytes text, struct faults *faults, char *detail, size_t detail_size) {
    const char *sign = memchr(text.at, '=', text.length);
    struct bytes name = {text.at, sign ? (size_t)(sign - text.at) : text.length};
    int fault = 0;
    while (fault < FAULT_NONE && !bytes_equal(name, bytes_of(names[fault])))
        fault++;
    if (fault == FAULT_NONE) {
        snprintf(detail, detail_size, "there is no fault '%.*s'; onsale sandbox --help lists them", (int)name.length,
                 name.at);
        return false;
    }
    struct bytes rate = {sign ? sign + 1 : text.at, sign ? text.length - name.length - 1 : 0};
    if (!read_rate(rate, &faults->rates[fault])) {
        snprintf(detail, detail_size, "'%.*s' needs a rate from 0 to 1, as in %s=0.1", (int)text.length, text.at,
                 names[fault]);
        return false;
    }
    return true;
}

bool faults_read(const char *text, uint64_t seed, struct faults *faults, char *detail, size_t detail_size) {
    struct faults read = {.chance = seed, .any = true};
    uint64_t sum = 0;
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ",");
        if (!read_one((struct bytes){at, length}, &read, detail, detail_size))
            return false;
        at += length;
        if (!*at)
            break;
    }
    for (int i = 0; i < FAULT_NONE; i++)
        sum += i == FAULT_slow ? 0 : read.rates[i];
    if (sum > WHOLE) {
        snprintf(detail, detail_size, "the rates of '%s', but for slow, add up to more than 1", text);
        return false;
    }
    *faults = read;
    return true;
}

/* SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014). */
static uint64_t next(struct faults *faults) {
    uint64_t z = faults->chance += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static bool goes_with(enum fault fault, enum route route) {
    switch (route) {
    case ROUTE_INTENT_CREATE:
    case ROUTE_INTENT_CONFIRM:
        return fault != FAULT_capture_fails;
    case ROUTE_INTENT_CAPTURE:
        return fault != FAULT_decline;
    case ROUTE_INTENT_CANCEL:
    case ROUTE_REFUND_CREATE:
        return fault != FAULT_decline && fault != FAULT_capture_fails;
    default:
        return fault == FAULT_cut || fault == FAULT_error;
    }
}

struct fault_draw faults_draw(struct faults *faults, enum route route) {
    struct fault_draw draw = {.fault = FAULT_NONE};
    if (!faults->any)
        return draw;
    /* As many numbers for every call, so that one call's luck does not shift the others'. */
    uint64_t which = next(faults) % WHOLE, slow = next(faults) % WHOLE, rest = next(faults);
    uint64_t sum = 0;
    for (int i = 0; i < FAULT_NONE && draw.fault == FAULT_NONE; i++) {
        sum += i == FAULT_slow ? 0 : faults->rates[i];
        if (which < sum)
            draw.fault = (enum fault)i;
    }
    if (draw.fault != FAULT_NONE && !goes_with(draw.fault, route))
        draw.fault = FAULT_NONE;
    draw.coin = rest & 1;
    if (slow < faults->rates[FAULT_slow])
        draw.slow_ms = LEAST_SLOW_MS + (int64_t)((rest >> 1) % (MOST_SLOW_MS - LEAST_SLOW_MS + 1));
    return draw;
}

/* Makes an error the record's answer. */
static void answer_error(struct verdict *verdict, enum gateway_error error, const char *message) {
    struct record *record = &verdict->record;
    verdict_refuse(verdict, error, "", "%s", message);
    buffer_clear(&verdict->body);
    render_error(&verdict->body, error, "", bytes_of(verdict->message), NULL);
    record->body = buffer_bytes(&verdict->body);
    record->head.answer = ANSWER_BODY;
    record->head.status = (uint16_t)gateway_error_status(error);
    record->head.ending = ENDING_ANSWER;
    verdict->kind = VERDICT_RECORD;
}

static void undo(struct verdict *verdict, int64_t now_ms) {
    verdict->record = (struct record){.head = {.time_ms = now_ms, .kind = RECORD_ANSWERED}};
}

void fault_refuse(struct verdict *verdict, int64_t now_ms, bool keep) {
    undo(verdict, now_ms);
    answer_error(verdict, GATEWAY_ERROR_SERVER, "An unknown error occurred.");
    if (!keep)
        verdict->kind = VERDICT_REFUSED;
}

void fault_decline(const struct fault_draw *draw, struct verdict *verdict) {
    if (draw->fault != FAULT_decline || verdict->kind != VERDICT_ATTEMPT)
        return;
    verdict->attempt.card = card_of(BYTES("tok_declined"));
    verdict->delay_ms = 0;
}

void fault_spoil(const struct fault_draw *draw, struct verdict *verdict) {
    struct record_head *head = &verdict->record.head;
    assert(verdict->kind == VERDICT_RECORD);
    if (draw->fault == FAULT_error_after) {
        answer_error(verdict, GATEWAY_ERROR_SERVER, "An unknown error occurred.");
    } else if (draw->fault == FAULT_capture_fails && head->kind == RECORD_SUCCEEDED) {
        undo(verdict, head->time_ms);
        if (draw->coin)
            answer_error(verdict, GATEWAY_ERROR_SERVER, "An unknown error occurred.");
        else
            answer_error(verdict, GATEWAY_ERROR_CAPTURE_REFUSED, "Your card was declined.");
    }
}
