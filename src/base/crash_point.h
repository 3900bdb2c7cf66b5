/* Named places where a test ends the process as SIGKILL would, in the middle of what it does.
 *
 * In a build with -Dcrash_points=true a process that has ONSALE_CRASH_POINT=NAME or NAME:N in its environment kills
 * itself with SIGKILL when it comes to the place NAME (for the N-th time). In any other build a crash point is nothing
 * at all.
 *
 * Any thread. The names stand where they are placed; grep finds them. */
#ifndef ONSALE_BASE_CRASH_POINT_H
#define ONSALE_BASE_CRASH_POINT_H

#ifdef ONSALE_CRASH_POINTS
void crash_point(const char *name);
#else
static inline void crash_point(const char *name) {
    (void)name;
}
#endif

#endif
