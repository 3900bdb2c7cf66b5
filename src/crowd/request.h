/* The calls of a crowd as HTTP: the table of request.c. No I/O. */
#ifndef ONSALE_CROWD_REQUEST_H
#define ONSALE_CROWD_REQUEST_H

#include "crowd/scout.h"

struct crowd_request {
    const char *method;
    char path[200];
    char pass[FAN_PASS_BYTES + 1]; /* "": none is sent */
    char key[FAN_USER_BYTES + 16]; /* the Idempotency-Key; "": none */
    char body[FAN_WISH_BYTES + 400];
};

/* The call that fan_wake() gave. */
void request_of_fan(const struct fan *fan, enum fan_call call, const struct house *house,
                    struct crowd_request *request);
void request_of_scout(const struct scout *scout, const struct house *house, struct crowd_request *request);

#endif
