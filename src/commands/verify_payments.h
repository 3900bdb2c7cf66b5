/* `onsale verify --payments`: the ledger's bookings and the payment gateway's intents, compared both ways, to the cent.
 */
#ifndef ONSALE_COMMANDS_VERIFY_PAYMENTS_H
#define ONSALE_COMMANDS_VERIFY_PAYMENTS_H

#include "engines/sqlite/audit.h"

/* Asks the gateway that ONSALE_PAYMENTS names, or the folder's own sandbox, and tells the listener what was compared
 * and each difference. The folder's lock is held by the caller. 0, or the exit code where it could not be looked at,
 * which was said. */
int verify_payments(const char *folder, const struct audit_listener *listener);

#endif
