/* Proof of work: a cost for joining, for who wants to join a million times (Dwork and Naor 1992; as hashcash does it).
 *
 * The challenge is the same for everyone and changes each minute: "p1." + minute (8 hex) + "." + 32 hex of a MAC over
 * show and minute. A proof is a nonce (1 to 32 visible ASCII characters but '.') with
 *
 *     SHA-256(challenge "." user_id "." nonce) beginning with `bits` zero bits
 *
 * so it is worth something to one user only, who has one place anyway: no proof needs to be remembered. A challenge is
 * taken for PROOF_MINUTES. SHA-256, since every browser has it.
 */
#ifndef ONSALE_WAITROOM_PROOF_H
#define ONSALE_WAITROOM_PROOF_H

#include "waitroom/keys.h"

#define PROOF_MINUTES 10
#define PROOF_CHALLENGE_TEXT 44 /* without a NUL */

void proof_challenge(const struct keyring *ring, const struct id *show_id, int64_t now_ms,
                     char text[static PROOF_CHALLENGE_TEXT]);
/* OK, or PROOF_REQUIRED: not our challenge, too old, or not enough zeros. */
MUST_USE enum result proof_check(const struct keyring *ring, const struct id *show_id, uint32_t bits,
                                 struct bytes challenge, struct bytes user, struct bytes nonce, int64_t now_ms);

#endif
