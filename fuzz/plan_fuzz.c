/* Any bytes as a plan document: reading must not go wrong, and a plan that was read must read back equal from what
 * plan_write() makes of it. */
#include "base/hash.h"
#include "base/panic.h"
#include "seats/plan.h"

#include "../test/unit/plan_equal.h"

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count, (void)arguments;
    hash_set_up();
    json_set_up();
    return 0;
}

static struct plan *read(struct bytes text) {
    json_t *document;
    char pointer[256], detail[512];
    struct plan *plan = NULL;
    if (json_parse(text, &document, detail, sizeof detail) != RESULT_OK)
        return NULL;
    enum result result = plan_read(document, &plan, pointer, sizeof pointer, detail, sizeof detail);
    if (result != RESULT_OK) {
        assert(result == RESULT_INVALID_FIELD && plan == NULL);
    } else {
        struct plan_prices prices;
        result = plan_read_prices(plan, json_object_get(document, "prices"), &prices, pointer, sizeof pointer, detail,
                                  sizeof detail);
        assert(result == RESULT_OK || result == RESULT_INVALID_FIELD);
    }
    json_decref(document);
    return plan;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct plan *plan = read((struct bytes){(const char *)data, size});
    if (!plan)
        return 0;
    struct buffer text;
    buffer_init(&text, LIMIT_PLAN_BYTES);
    plan_write(plan, &text);
    assert(buffer_ok(&text));
    struct plan *again = read(buffer_bytes(&text));
    assert(again && plans_equal(plan, again));
    buffer_release(&text);
    plan_free(again);
    plan_free(plan);
    return 0;
}
