/* Marks: changes made at known times by who drives a bench, numbered from 1 in the order in which they are made; and
 * when those who watch were shown each of them.
 *
 * The one idea: the tiers between the change and who watches number their frames anew, so a mark is found in what a
 * frame says, not in its sequence. Of a seat map the first N seats are marks, put out of sale one after the other and
 * for good, so that they stand at the beginning of every frame; of a queue the number of those who have joined.
 */
#ifndef ONSALE_BENCH_MARKS_H
#define ONSALE_BENCH_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mark_kind { MARKS_NONE, MARKS_SEATS, MARKS_ISSUED };

struct mark {
    uint32_t seen;
    int64_t *at_ns; /* room for all who watch: when the first, the second … saw it */
};

struct marks {
    enum mark_kind kind;
    uint32_t count, watchers;
    struct mark *of; /* [mark - 1] */
};

/* "seats:N", "issued:N": of which kind, and how many at most. */
bool marks_read_option(struct marks *marks, const char *value);
void marks_init(struct marks *marks, uint32_t watchers);
void marks_release(struct marks *marks);
/* The latest mark that a frame of `bytes` (its beginning: a few hundred suffice) shows to who has seen *latest. False:
 * this is no such frame. */
bool marks_read(const struct marks *marks, const char *frame, size_t bytes, uint32_t *latest);
/* One who had seen `before` sees `latest` now. */
void marks_seen(struct marks *marks, uint32_t before, uint32_t latest);
/* As a member of a JSON object: "marks":[{"seen","half_ms","last_ms"},…], by the monotonic clock. */
void marks_print(const struct marks *marks);

#endif
