/* Making a show with its 1st, 2nd … allocation failing, once and for good, until none fails. (Linked with
 * --wrap=calloc.) */
#include "show_world.h"

#include <stdlib.h>

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static int left = -1; /* allocations until one fails; below 0: none fails */
static bool for_good;

void *__wrap_calloc(size_t count, size_t size) {
    if (left == 0) {
        left = for_good ? 0 : -1;
        return NULL;
    }
    if (left > 0)
        left--;
    return __real_calloc(count, size);
}

static void make_a_show_until_nothing_fails(void) {
    static const struct id id = {{1}};
    struct plan *plan = plan_of_json("{'sections':[{'name':'','rows':2,'seats_per_row':20}]}");
    struct show_settings settings = world_settings();
    struct show *show = NULL;
    int tries = 0;
    for (; !show && tries < 100; tries++) {
        left = tries;
        show = show_new(&id, plan, &settings, 1);
    }
    left = -1;
    assert_non_null(show);
    assert_true(tries > 4);
    show_lock(show);
    assert_true(show_check(show, NULL, 0));
    show_unlock(show);
    show_free(show);
    plan_free(plan);
}

static void a_show_is_made_whole_or_not_at_all(void **state) {
    /* Red if an allocation is not checked, or what was allocated before it leaks (address sanitizer). */
    (void)state;
    for_good = false;
    make_a_show_until_nothing_fails();
    for_good = true;
    make_a_show_until_nothing_fails();
    show_free(NULL);
}

static void nothing_is_allocated_after_a_show_is_made(void **state) {
    /* Red if a take, a search, a sale or a check asks for memory. */
    (void)state;
    struct world world = show_with_rows(2, 20);
    uint32_t slot;
    struct id ended;
    for_good = true;
    left = 0;
    sold(&world, "ann", "A1 A2");
    paying(&world, "ann", "A3");
    assert_int_equal(take_best(&world, "bob", 4, PLAN_NO_SEAT, &slot), RESULT_OK);
    assert_int_equal(show_expire(world.show, NOW + HOLD_MS + GRACE_MS, 1, &ended), 1);
    left = -1;
    world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_show_is_made_whole_or_not_at_all),
        cmocka_unit_test(nothing_is_allocated_after_a_show_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
