/* What the tests of plans share: documents from C strings, plans from documents, and what is refused where. */
#ifndef ONSALE_TEST_PLAN_WORLD_H
#define ONSALE_TEST_PLAN_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <math.h>

#include "base/hash.h"
#include "plan_equal.h"
#include "seats/plan.h"

static char pointer[256], detail[512];

static inline json_t *parsed(struct bytes text) {
    json_t *document = NULL;
    if (json_parse(text, &document, detail, sizeof detail) != RESULT_OK)
        fail_msg("the test's JSON: %s", detail);
    return document;
}

/* Test documents are written with ' for ". */
static inline json_t *json(const char *text) {
    char copy[8192];
    size_t length = strlen(text);
    assert_true(length < sizeof copy);
    for (size_t i = 0; i < length; i++)
        copy[i] = text[i] == '\'' ? '"' : text[i];
    return parsed((struct bytes){copy, length});
}

static inline struct plan *plan_of(json_t *document) {
    struct plan *plan = NULL;
    if (plan_read(document, &plan, pointer, sizeof pointer, detail, sizeof detail) != RESULT_OK)
        fail_msg("refused at '%s': %s", pointer, detail);
    json_decref(document);
    return plan;
}

static inline struct plan *plan_from(const char *text) {
    return plan_of(json(text));
}

static inline void assert_bytes(struct bytes found, const char *wanted) {
    if (!bytes_equal(found, bytes_of(wanted)))
        fail_msg("'%.*s' is not '%s'", (int)found.length, found.at, wanted);
}

static inline void assert_near(float found, double wanted) {
    if (fabs((double)found - wanted) > 0.005)
        fail_msg("%f is not %f", (double)found, wanted);
}

static inline void assert_refused_document(json_t *document, const char *where, const char *words) {
    struct plan *untouched = (struct plan *)pointer, *plan = untouched;
    enum result result = plan_read(document, &plan, pointer, sizeof pointer, detail, sizeof detail);
    json_decref(document);
    if (result != RESULT_INVALID_FIELD)
        fail_msg("it was not refused at '%s': %s", where, result_name(result));
    assert_string_equal(pointer, where);
    if (!strstr(detail, words))
        fail_msg("'%s' does not say '%s'", detail, words);
    assert_ptr_equal(plan, untouched);
}

static inline void assert_refused(const char *text, const char *where, const char *words) {
    assert_refused_document(json(text), where, words);
}

static inline struct buffer written(const struct plan *plan) {
    struct buffer text;
    buffer_init(&text, LIMIT_PLAN_BYTES);
    plan_write(plan, &text);
    assert_true(buffer_ok(&text));
    return text;
}

static inline void assert_round_trip(const char *text) {
    struct plan *plan = plan_from(text);
    struct buffer first = written(plan);
    struct plan *again = plan_of(parsed(buffer_bytes(&first)));
    assert_true(plans_equal(plan, again));
    struct buffer second = written(again);
    assert_true(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    buffer_release(&first);
    buffer_release(&second);
    plan_free(plan);
    plan_free(again);
}

static inline int set_up(void **state) {
    (void)state;
    hash_set_up();
    json_set_up();
    return 0;
}

#endif
