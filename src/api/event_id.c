#include "api/event_id.h"

#include <stdio.h>

/* A UUID's last twelve digits, which are chance in every version that a ledger may have. */
#define NODE_DIGITS 12

void event_id_format(const struct ledger *ledger, uint64_t number, char text[static EVENT_ID_BYTES]) {
    snprintf(text, EVENT_ID_BYTES, "evt_%.*s_%llu", NODE_DIGITS, ledger->installation + ID_UUID_TEXT - NODE_DIGITS,
             (unsigned long long)number);
}

bool event_id_parse(const struct ledger *ledger, struct bytes text, uint64_t *number) {
    char prefix[EVENT_ID_BYTES];
    size_t length = (size_t)snprintf(prefix, sizeof prefix, "evt_%.*s_", NODE_DIGITS,
                                     ledger->installation + ID_UUID_TEXT - NODE_DIGITS);
    uint64_t read;
    if (!bytes_start_with(text, (struct bytes){prefix, length}) ||
        !bytes_to_u64((struct bytes){text.at + length, text.length - length}, INT64_MAX, &read) || read == 0 ||
        text.at[length] == '0')
        return false;
    *number = read;
    return true;
}
