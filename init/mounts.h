/* The file systems of a machine whose first process is sinit: those that must be there before
 * anything else, those of /etc/fstab, and the end of all of them.
 *
 * All of it blocks as mount(2) does, and a dying disk can hold it for ever: mounts_early() runs
 * before the loop and touches no disk; the other two belong into a forked child with a bounded
 * wait. Each failure is told in one line (what, where, why) and survived. Nothing is allocated.
 *
 * Owns nothing. May call: base, pure, report. */
#ifndef SINIT_INIT_MOUNTS_H
#define SINIT_INIT_MOUNTS_H

#include "init/base.h"
#include "init/report.h"

#define MOUNTS_FSTAB "/etc/fstab"

/* Mounts what is missing of /proc, /sys, /dev, /dev/pts, /dev/shm, /run, cgroup2, and of the
 * small file systems that the kernel has (the table is in mounts_early.c), and makes the device
 * nodes without which nothing can be said, where /dev lacks them. What is a mount point already
 * is left alone. The first thing to do in boot mode: a console may not exist before.
 *
 * Each failure is a line, with its newline, in *faults; 4096 bytes hold all there can be.
 * Nothing is said of what the kernel does not have and a machine can do without. */
void mounts_early(struct text *faults);

/* How far it is; memory that a child shares with who waits for it. */
struct mounts_progress {
	unsigned line;   /* of MOUNTS_FSTAB: begun last; 0: none */
	char entry[256]; /* what it is about, while it is not done; "": nothing is being done */
	bool done;       /* there is no more */
};

/* Mounts what /etc/fstab says, in its order; without that file it does nothing. Which fields and
 * options are understood is in init/fstab.h. The entry for / is a remount: a root that is
 * read-only so far is writable after it unless the entry has `ro`. Swap is switched on.
 *
 * Levels: a failure is a warning, one of an entry with `nofail` and what is skipped are infos.
 * Begins behind line progress->line, and ends when all is done, or behind an entry that took long:
 * then a caller that limits its time calls again, so that each entry has about all of that time.
 * Which one hangs, if it does, stands in *progress.
 *
 * For a forked child; it changes no state but the mounts and *progress. */
void mounts_configured(const struct report *report, struct mounts_progress *progress);

/* Ends all file systems, when all processes are gone: switches swap off, unmounts in reverse
 * order everything but / and the kernel's own below /proc, /sys and /dev, detaches loop devices,
 * and makes read-only what will not go, then /. Network file systems come last and are forced,
 * for their server may be gone. At its end everything that can be is on the disk.
 *
 * For a forked child, since it can hang; it changes its directory to /. What still holds a file
 * system is then PID 1's own: its working directory, its log file; see to them before.
 * The number of file systems that stayed writable; each was told as a warning. */
int mounts_end(const struct report *report);

#endif
