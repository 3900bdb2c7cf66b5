/* What stands on a ticket beside names: its few words in each language, money and times as they are written there. */
#ifndef ONSALE_TICKETS_WORDS_H
#define ONSALE_TICKETS_WORDS_H

#include "base/bytes.h"

#define WORDS_MOST_OFFSET_MINUTES (18 * 60) /* from UTC, either way */

struct words {
    const char *language; /* as in xml:lang */
    const char *ticket, *of, *section, *row, *seat, *place, *category, *price, *free, *number, *code;
    char decimal, thousands;
    bool is_currency_first;
    const char *days[7]; /* from Sunday */
    const char *months[12];
    const char *time_pattern; /* %1 … %5: day of the week, day, month, year, time */
};

/* NULL: not one of those that there are. */
const struct words *words_find(struct bytes language);
/* What who asks for nothing gets. */
const struct words *words_default(void);

/* Minor units of an ISO 4217 currency. */
void words_write_money(const struct words *words, int64_t amount, const char *currency, struct buffer *out);
/* A time as clocks so many minutes before UTC show it, which is said with it: "Sat 12 June 2027, 20:30 (UTC+2)". */
void words_write_time(const struct words *words, int64_t ms, int offset_minutes, struct buffer *out);

#endif
