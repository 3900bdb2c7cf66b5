/* Assertions, by kind.
 *
 *   assert(x)         cheap; kept in release builds: a wrong state must stop before it is written anywhere
 *   assert_deep(x)    checks a whole object; only in sanitizer builds and tests
 *   impossible("why") a branch that no input, peer or disk can reach
 *
 * Never for what a user, a peer or a disk can cause: that is a result. A panic writes one JSON line with the place, the
 * build and the context set by panic_context(), then aborts; every promise holds through it, as through kill -9.
 */
#ifndef ONSALE_BASE_PANIC_H
#define ONSALE_BASE_PANIC_H

#include <stdbool.h>

#ifdef assert
#undef assert
#endif

#define assert(x) ((x) ? (void)0 : panic_at(__FILE__, __LINE__, __func__, #x))
#define impossible(why) panic_at(__FILE__, __LINE__, __func__, "impossible: " why)

#ifdef ONSALE_DEEP_ASSERTIONS
#define assert_deep(x) assert(x)
#else
#define assert_deep(x) ((void)sizeof(x))
#endif

__attribute__((noreturn, cold)) void panic_at(const char *file, int line, const char *function, const char *what);

/* What this thread works on just now, said in a panic: a show, a request id. The string must outlive its use. */
void panic_context(const char *what);

#endif
