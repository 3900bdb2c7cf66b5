/* Reading a plan while memory runs out: each allocation fails once, for itself and for good. */
#include "plan_world.h"

#define FULL                                                                                                           \
    "{'name':'Hall','categories':[{'name':'Gold'}],'sections':[{'outline':[[0,0],[4,0],[4,2]],'category':'Gold',"      \
    "'rows':[{'label':'A','seats':3,'from':[0,0],'to':[1,0]}]}],'areas':[{'name':'Floor','capacity':2,"                \
    "'category':'Gold'}]}"
#define PRETIX                                                                                                         \
    "{'name':'Hall','categories':[{'name':'Gold'}],'zones':[{'position':{'x':0,'y':0},'rows':[{'row_number':'1',"      \
    "'seats':[{'seat_guid':'a','seat_number':'1','position':{'x':0,'y':0},'category':'Gold'},"                         \
    "{'seat_guid':'b','seat_number':'2','position':{'x':25,'y':0},'category':'Gold'},"                                 \
    "{'seat_guid':'c','seat_number':'3','position':{'x':50,'y':0},'category':'Gold'}]}]}]}"

/* The linker sends the library's allocations here (--wrap). The countdown's zero fails one, or all that follow too. */
static int64_t allocations_until_failure = -1;
static bool fails_for_good;

static bool allocation_fails(void) {
    if (allocations_until_failure < 0)
        return false;
    if (allocations_until_failure > 0) {
        allocations_until_failure--;
        return false;
    }
    if (!fails_for_good)
        allocations_until_failure = -1;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__real_reallocarray(void *at, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_reallocarray(void *at, size_t count, size_t size);

void *__wrap_malloc(size_t size) {
    return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size) {
    return allocation_fails() ? NULL : __real_realloc(at, size);
}

void *__wrap_reallocarray(void *at, size_t count, size_t size) {
    return allocation_fails() ? NULL : __real_reallocarray(at, count, size);
}

static void assert_any_allocation_may_fail(const char *text, bool for_good) {
    json_t *document = json(text);
    struct plan *plan = NULL;
    enum result result = RESULT_OVERLOADED;
    int64_t failed = 0;
    for (; result == RESULT_OVERLOADED && failed < 1000; failed++) {
        allocations_until_failure = failed;
        fails_for_good = for_good;
        result = plan_read(document, &plan, pointer, sizeof pointer, detail, sizeof detail);
        allocations_until_failure = -1;
        if (result == RESULT_OVERLOADED) {
            assert_null(plan);
            assert_string_equal(detail, "there is no memory for this plan");
        }
    }
    assert_int_equal(result, RESULT_OK);
    assert_in_range(failed, 10, 999);
    plan_free(plan);
    json_decref(document);
}

static void without_memory_at_any_point_nothing_is_left_behind(void **state) {
    /* Red if an allocation is not checked; in a sanitizer build, if one is not freed. */
    (void)state;
    for (int for_good = 0; for_good < 2; for_good++) {
        assert_any_allocation_may_fail("{'sections':[{'rows':60,'seats_per_row':20}]}", for_good);
        assert_any_allocation_may_fail(FULL, for_good);
        assert_any_allocation_may_fail(PRETIX, for_good);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_at_any_point_nothing_is_left_behind),
    };
    return cmocka_run_group_tests_name("plan_memory", tests, set_up, NULL);
}
