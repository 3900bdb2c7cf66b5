#include "base/result.h"
#include "base/panic.h"

static const char *const names[RESULT_COUNT] = {
#define RESULT(name, words) #name,
#include "base/result.def"
#undef RESULT
};

static const char *const words_of[RESULT_COUNT] = {
#define RESULT(name, words) words,
#include "base/result.def"
#undef RESULT
};

const char *result_name(enum result result) {
    assert((unsigned)result < RESULT_COUNT);
    return names[result];
}

const char *result_words(enum result result) {
    assert((unsigned)result < RESULT_COUNT);
    return words_of[result];
}
