#include "api/negotiation.h"

/* ";q=0", ";q=0.0" …: named in order to be refused (RFC 9110 section 12.4.2). */
static bool weighs_nothing(struct bytes parameters) {
    for (size_t i = 0; i + 1 < parameters.length; i++) {
        if ((parameters.at[i] != 'q' && parameters.at[i] != 'Q') || parameters.at[i + 1] != '=' || i == 0 ||
            !strchr("; \t", parameters.at[i - 1]))
            continue;
        for (size_t digit = i + 2; digit < parameters.length && strchr("0123456789.", parameters.at[digit]); digit++)
            if (parameters.at[digit] >= '1' && parameters.at[digit] <= '9')
                return false;
        return true;
    }
    return false;
}

bool negotiation_accepts(struct bytes list, const char *item) {
    size_t length = strlen(item);
    for (size_t at = 0; at < list.length;) {
        const char *comma = memchr(list.at + at, ',', list.length - at);
        size_t end = comma ? (size_t)(comma - list.at) : list.length;
        while (at < end && (list.at[at] == ' ' || list.at[at] == '\t'))
            at++;
        struct bytes one = {list.at + at, end - at};
        if (one.length >= length && bytes_equal_nocase((struct bytes){one.at, length}, bytes_of(item)) &&
            (one.length == length || strchr("; \t", one.at[length])))
            return !weighs_nothing((struct bytes){one.at + length, one.length - length});
        at = end + 1;
    }
    return false;
}
