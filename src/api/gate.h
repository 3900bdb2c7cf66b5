/* The gate: who may go on. Passes of the waiting room, and how often one address may do what. */
#ifndef ONSALE_API_GATE_H
#define ONSALE_API_GATE_H

#include "api/call.h"
#include "waitroom/pass.h"

/* The pass that the call carries (Authorization: Bearer …), genuine and of the call's show; whether it has ended is not
 * asked. False: refused, and answered. */
MUST_USE bool gate_read_pass(struct call *call, struct pass *pass);

/* A show with a waiting room lets in only who has a pass that lasts. `pass` out: whose; no user where the show has no
 * waiting room. False: refused, and answered. */
MUST_USE bool gate_check_pass(struct call *call, struct pass *pass);
/* The pass is that user's. False: refused, and answered. */
MUST_USE bool gate_check_user(struct call *call, const struct pass *pass, const struct user_id *user);

/* Joins by address. False: refused, and answered. */
MUST_USE bool gate_take_join(struct call *call);

#endif
