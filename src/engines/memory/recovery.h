/* What a journal says at start: the holds that lived when it ended, with the time they have left.
 *
 * Records come in order (recovery_read); a TAKE adds or replaces a hold, a STEP changes or ends it. Then each hold is
 * given its new deadlines:
 *
 * - On the same boot of the machine CLOCK_BOOTTIME has gone on, so what is left is known to the millisecond, whatever
 *   became of the wall clock in between.
 * - After another boot only the wall clock and the journal's last MARK speak of the time. A stepped clock must not take
 *   a hold away early: it is given the longer of what the wall clock says is left, and what was left at that MARK, but
 *   never more than its full time.
 */
#ifndef ONSALE_ENGINES_MEMORY_RECOVERY_H
#define ONSALE_ENGINES_MEMORY_RECOVERY_H

#include "engines/memory/answers.h"
#include "engines/memory/journal.h"
#include "engines/memory/journal_read.h"

struct recovery;

/* NULL when memory ran out. Answers go to `answers`. */
struct recovery *recovery_new(const struct journal_clock *clock, struct answers *answers);
void recovery_free(struct recovery *recovery);

/* To be given to journal_read(). */
struct journal_reader recovery_reader(struct recovery *recovery);

/* How many live, of all shows; `show_id` NULL: all. */
uint32_t recovery_count(const struct recovery *recovery, const struct id *show_id);

/* Each hold of the show that lives (`show_id` NULL: of all shows), in the order in which they were taken, with its new
 * times; those whose payment was under way are PAYING. The answer is not set. */
void recovery_each(const struct recovery *recovery, const struct id *show_id,
                   void (*each)(void *context, const struct journal_take *take), void *context);

#endif
