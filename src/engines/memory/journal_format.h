/* The bytes of the journal of holds: how a segment's header and its records are written and read. No I/O.
 *
 * A segment is a header (JOURNAL_HEADER_BYTES) and records, each behind a frame, all integers little-endian:
 *
 *     frame    length u32 of the payload, CRC-32C u32 (over all that follows, and the length), sequence u64, kind u32
 *     MARK     now i64. First in all that is written between two syncs, so that a MARK proves everything before it
 *     BASE     (nothing) All that lives is in this segment: older ones are obsolete
 *     TAKE     a whole hold, as it is, and the answer to its keyed call if the ledger may not have it yet
 *     STEP     what became of a hold
 *     ANSWER   the answer to a keyed call without a hold
 *     KEPT     keys of answers that the ledger has
 *
 * Sequence numbers rise by one over records and segments. A record says what is, never what to add, so that reading one
 * twice changes nothing.
 */
#ifndef ONSALE_ENGINES_MEMORY_JOURNAL_FORMAT_H
#define ONSALE_ENGINES_MEMORY_JOURNAL_FORMAT_H

#include "base/bytes.h"
#include "seats/hold_store.h"

#define JOURNAL_VERSION 1
#define JOURNAL_HEADER_BYTES 64
#define JOURNAL_FRAME_BYTES 20
#define JOURNAL_MARK_BYTES (JOURNAL_FRAME_BYTES + 8)
#define JOURNAL_KEPT_KEYS 256

enum journal_kind {
    JOURNAL_MARK = 1,
    JOURNAL_BASE,
    JOURNAL_TAKE,
    JOURNAL_STEP,
    JOURNAL_ANSWER,
    JOURNAL_KEPT,
};

struct journal_header {
    uint64_t number; /* the file's name */
    uint64_t first_sequence;
    struct id boot;             /* of the machine: while it is the same, so is the clock below */
    int64_t wall_minus_boot_ms; /* every time in the segment, less this, is one of the machine's CLOCK_BOOTTIME */
};

struct journal_answer {
    struct hold_answer_key key; /* none: there is no answer */
    uint32_t status;
    int64_t created_ms;
    struct bytes body; /* borrowed */
};

struct journal_take {
    struct id show_id;
    struct id plan_hash; /* what the seats' indices are indices of */
    struct hold hold;    /* HELD or PAYING */
    uint32_t seats[LIMIT_SEATS_PER_HOLD];
    struct journal_answer answer;
};

enum journal_what { /* what became of a hold */
                    JOURNAL_RELEASED = 1,
                    JOURNAL_EXPIRED,
                    JOURNAL_PAYING,
                    JOURNAL_HELD_AGAIN,
                    JOURNAL_DECLINED,
                    JOURNAL_SOLD,
                    JOURNAL_LOST, /* found at recovery: the ledger has given its seats away */
};

struct journal_step {
    struct id show_id;
    struct id reservation;
    enum journal_what what;
    struct id booking;      /* PAYING */
    uint8_t payments_begun; /* PAYING, HELD_AGAIN: how many in all */
};

struct journal_record {
    enum journal_kind kind;
    uint64_t sequence;
    struct bytes payload; /* borrowed */
};

/* The longest payload but for an answer's body. */
#define JOURNAL_TAKE_BYTES (3 * 16 + 16 + 5 * 8 + 4 + LIMIT_USER_ID_BYTES + 4 * LIMIT_SEATS_PER_HOLD + 48)
#define JOURNAL_PAYLOAD_LIMIT (JOURNAL_TAKE_BYTES + LIMIT_ANSWER_BODY_BYTES)
static_assert(16 * JOURNAL_KEPT_KEYS <= JOURNAL_PAYLOAD_LIMIT, "a KEPT record is not the longest");

void journal_write_header(const struct journal_header *header, uint8_t out[static JOURNAL_HEADER_BYTES]);
/* OK, NEWER_VERSION, or CORRUPT. */
MUST_USE enum result journal_read_header(struct bytes segment, struct journal_header *header);

/* Payloads. An answer's body is not copied: it goes behind what is returned. */
size_t journal_write_take(const struct journal_take *take, uint8_t out[static JOURNAL_TAKE_BYTES]);
size_t journal_write_step(const struct journal_step *step, uint8_t out[static JOURNAL_TAKE_BYTES]);
size_t journal_write_answer(const struct journal_answer *answer, uint8_t out[static JOURNAL_TAKE_BYTES]);
void journal_write_mark(int64_t now_ms, uint8_t out[static 8]);

/* False when the payload is not what its kind says. */
MUST_USE bool journal_read_take(struct bytes payload, struct journal_take *take);
MUST_USE bool journal_read_step(struct bytes payload, struct journal_step *step);
MUST_USE bool journal_read_answer(struct bytes payload, struct journal_answer *answer);
MUST_USE bool journal_read_mark(struct bytes payload, int64_t *now_ms);

/* About how many bytes a TAKE of this hold has in the file: what is dead when it ends. */
size_t journal_take_size(const struct hold *hold);

/* A frame is begun by who appends, and sealed by who writes it out. `dead`: how many bytes of earlier records this one
 * makes worthless, itself included if it is; in the frame until it is sealed. */
void journal_begin_frame(uint8_t *frame, enum journal_kind kind, size_t payload_length, uint32_t dead);
/* Gives the frame its sequence and its checksum. Returns its whole length. */
size_t journal_seal_frame(uint8_t *frame, uint64_t sequence, enum journal_kind *kind, uint32_t *dead);

/* The record at the front of `bytes`; false if there is no good one. `bytes` goes on behind it. */
MUST_USE bool journal_next_record(struct bytes *bytes, struct journal_record *record);

#endif
