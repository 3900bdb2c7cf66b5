#include "sandbox/cards.h"
#include "base/panic.h"

#define MOST_NUMBER 86400000 /* a day in milliseconds */

static const struct card_kind kinds[] = {
#define CARD(token, behaviour, code, decline_code, message) {token, CARD_##behaviour, code, decline_code, message},
#include "sandbox/cards.def"
#undef CARD
};

struct card card_of(struct bytes token) {
    for (uint32_t i = 1; i < sizeof kinds / sizeof *kinds; i++) {
        struct bytes name = bytes_of(kinds[i].token);
        uint64_t number = 0;
        if (name.at[name.length - 1] != '*') {
            if (bytes_equal(token, name))
                return (struct card){.kind = i};
            continue;
        }
        name.length--;
        if (bytes_start_with(token, name) &&
            bytes_to_u64((struct bytes){token.at + name.length, token.length - name.length}, MOST_NUMBER, &number))
            return (struct card){.kind = i, .number = (uint32_t)number};
    }
    return (struct card){0};
}

bool card_is_known(struct card card) {
    return card.kind < sizeof kinds / sizeof *kinds;
}

const struct card_kind *card_kind(struct card card) {
    assert(card_is_known(card));
    return &kinds[card.kind];
}
