/* A layer under SQLite for the connection that writes: gathers what it writes to the write-ahead log into few large
 * writes, each of which SQLite would else make in two system calls a page. A fifth to a quarter of the CPU of a booking
 * (bench/ledger_bench.c: 27 to 21 us).
 *
 * What is gathered is written before the log is synced, read, measured or cut, so that only its own connection can see
 * the difference. Others read no more of a log than what was committed, and with synchronous=FULL a commit is made
 * known to them behind its sync.
 *
 * A write that fails when it is made up for is told by whatever call made it up, and by every later write, read and
 * sync of that file: what was lost is never synced over.
 */
#ifndef ONSALE_ENGINES_SQLITE_LOG_VFS_H
#define ONSALE_ENGINES_SQLITE_LOG_VFS_H

/* The name of the layer over the VFS `base` (NULL: the system's), to open with; lives as long as the process. NULL when
 * there is no such VFS, or no room for another one. */
const char *log_vfs_over(const char *base);

#endif
