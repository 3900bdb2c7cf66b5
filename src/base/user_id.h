/* A fan, by the name that the shop or its identity provider gave them: 1 to LIMIT_USER_ID_BYTES bytes of UTF-8. */
#ifndef ONSALE_BASE_USER_ID_H
#define ONSALE_BASE_USER_ID_H

#include "base/bytes.h"
#include "base/limits.h"

struct user_id {
    uint8_t length; /* 0: none */
    char text[LIMIT_USER_ID_BYTES];
};

static inline struct bytes user_bytes(const struct user_id *user) {
    return (struct bytes){user->text, user->length};
}

#endif
