/* The outcome of an operation.
 *
 * Every function that can fail returns an `enum result` marked MUST_USE; its outputs come last and are left untouched
 * on failure. The list of outcomes is result.def; there is no "unknown error".
 */
#ifndef ONSALE_BASE_RESULT_H
#define ONSALE_BASE_RESULT_H

#define MUST_USE __attribute__((warn_unused_result))

enum result {
#define RESULT(name, words) RESULT_##name,
#include "base/result.def"
#undef RESULT
    RESULT_COUNT
};

/* The outcome's name ("SEAT_UNAVAILABLE") and its words ("a seat is held or sold"). Static strings. */
const char *result_name(enum result result);
const char *result_words(enum result result);

#endif
