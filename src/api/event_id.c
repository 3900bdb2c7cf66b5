#include "api/event_id.h"

#include <stdio.h>

/* A UUID's last twelve digits, which are chance in every version that a ledger may have. */
#define LEDGER_DIGITS 12

void event_id_format(const struct ledger *ledger, const struct outbox_event *event, char text[static EVENT_ID_BYTES]) {
    snprintf(text, EVENT_ID_BYTES, "evt_%.*s_%llu_%lld", LEDGER_DIGITS,
             ledger->installation + ID_UUID_TEXT - LEDGER_DIGITS, (unsigned long long)event->number,
             (long long)event->at_ms);
}

bool event_id_parse(const struct ledger *ledger, struct bytes text, uint64_t *number) {
    char prefix[EVENT_ID_BYTES];
    size_t length = (size_t)snprintf(prefix, sizeof prefix, "evt_%.*s_", LEDGER_DIGITS,
                                     ledger->installation + ID_UUID_TEXT - LEDGER_DIGITS);
    if (!bytes_start_with(text, (struct bytes){prefix, length}))
        return false;
    struct bytes rest = {text.at + length, text.length - length};
    const char *end = memchr(rest.at, '_', rest.length);
    if (!end)
        return false;
    struct bytes digits = {rest.at, (size_t)(end - rest.at)};
    struct bytes time = {end + 1, rest.length - digits.length - 1};
    uint64_t read, at_ms;
    if (!bytes_to_u64(digits, INT64_MAX, &read) || digits.at[0] == '0' || !bytes_to_u64(time, INT64_MAX, &at_ms))
        return false;
    *number = read;
    return true;
}
