/* What several subcommands need. */
#ifndef ONSALE_COMMANDS_COMMON_H
#define ONSALE_COMMANDS_COMMON_H

#include "api/sale.h"
#include "base/bytes.h"
#include "base/result.h"
#include "bookings/ledger.h"

/* Prints "onsale: …" on stderr; returns 1, to be returned from the command. */
int say_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Submits and waits. The ledger's own result. */
MUST_USE enum result ledger_do(struct ledger *ledger, struct ledger_command *command);

/* Writes a new show to the ledger: the plan (read from its document) and the terms. */
MUST_USE enum result ledger_make_show(struct ledger *ledger, const struct plan *plan, const struct sale_terms *terms,
                                      const struct show_image *image, struct id *show_id);

/* Reads a plan's document and the prices in it. `fault`: what is wrong and where. */
MUST_USE enum result read_plan_text(struct bytes text, struct plan **plan, struct sale_terms *terms,
                                    struct sale_fault *fault);

#endif
