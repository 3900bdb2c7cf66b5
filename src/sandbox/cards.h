/* Payment methods by name: the table of cards.def. */
#ifndef ONSALE_SANDBOX_CARDS_H
#define ONSALE_SANDBOX_CARDS_H

#include "sandbox/objects.h"

enum card_behaviour {
    CARD_APPROVED,
    CARD_DECLINED,
    CARD_SLOW,          /* approved after card.number milliseconds */
    CARD_REPLY_LOST,    /* approved, but the connection is cut before the answer */
    CARD_ERROR_ONCE,    /* 500 at first */
    CARD_HANGING,       /* never answered; approved or declined by chance */
    CARD_CAPTURE_FAILS, /* approved; the capture fails card.number times */
    CARD_ACTION,        /* wants the card holder to do something */
};

struct card_kind {
    const char *token;
    enum card_behaviour behaviour;
    const char *code, *decline_code, *message; /* where it declines */
};

struct card card_of(struct bytes token);
bool card_is_known(struct card card);
const struct card_kind *card_kind(struct card card);

#endif
