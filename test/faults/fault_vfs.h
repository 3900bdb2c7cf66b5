/* A disk that fails when it is told to: an SQLite VFS over the system's own.
 *
 * Every write, sync, truncation and read of the files opened through it is counted; the n-th fails, once or from then
 * on. It also knows what a real disk would hold if the power failed now: what was synced, and of what was not, some
 * writes, in any selection, torn at 512-byte sectors. What a failed
 * sync was to write is lost. No write is really synced: the model decides what survives. */
#ifndef ONSALE_TEST_FAULT_VFS_H
#define ONSALE_TEST_FAULT_VFS_H

#include <stdbool.h>

#define FAULT_VFS "onsale-fault"

enum fault_kind {
    FAULT_WRITES, /* writes, syncs and truncations */
    FAULT_READS,
};

struct fault {
    enum fault_kind kind;
    int at;    /* the n-th operation of that kind fails, from 1; 0: none does */
    bool once; /* that one only; else all after it too, whatever their kind */
    int code;  /* with this: SQLITE_IOERR or SQLITE_FULL; a failed sync is SQLITE_IOERR_FSYNC */
};

void fault_vfs_register(void);
/* Forgets every file and counts from nothing. */
void fault_vfs_arm(const struct fault *fault);
/* Operations of the armed kind so far, and whether the fault was met. */
int fault_vfs_count(void);
bool fault_vfs_met(void);
/* After all connections are closed: makes of each file what a disk might hold after the power failed. */
void fault_vfs_cut_power(unsigned seed);

#endif
