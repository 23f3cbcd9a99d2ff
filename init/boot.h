/* The init of a machine: what there is to do before the configuration is read, between that and
 * the first service, and after the last one.
 *
 * All of it is outside the loop, so it may wait, but never without a limit: what can hang (a
 * disk, a dead server) is done by a child. May call: platform, mounts, seed, console, log. */
#ifndef SINIT_INIT_BOOT_H
#define SINIT_INIT_BOOT_H

#include "init/cmdline.h"
#include "init/machine_end.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct image;
struct sinit;

struct boot {
	int64_t began; /* CLOCK_MONOTONIC us of sinit's first line */
	bool console;  /* there is one that people see */
	struct cmdline cmdline;
};

/* Whether this process is the first of the machine: PID 1 of the kernel's initial PID
 * namespace. Works without /proc, too. */
bool boot_is_ours(void);

/* What such a process does. */
_Noreturn void boot_main(char **argv);

/* The configuration is there: host name, /etc/fstab, random seed, watchdog. */
void boot_configured(struct sinit *sinit, const struct image *image);

/* Every process is gone: file systems, then the end that was asked for. */
_Noreturn void boot_end(struct sinit *sinit);

/* --- emergency.c --- */

#define EMERGENCY_NAME "sinit: emergency"

/* From now on sinit's own crash (SEGV, BUS, ILL, FPE, ABRT, TRAP, SYS) does not end it, which
 * would be the end of the machine: it becomes emergency_main(). These signals must stay
 * unblocked (emergency_spare()). */
void emergency_catch_crashes(void);

/* Takes those signals out of a set. */
void emergency_spare(sigset_t *set);

/* The program that is the shell, instead of /bin/sh; NULL: no other. */
void emergency_shell(const char *path);

/* Becomes emergency_main() of a new image of the same program, since of this one nothing is
 * certain any more. */
_Noreturn void emergency_enter(const char *reason);

/* argv: EMERGENCY_NAME, the reason, the shell. A shell on the console; signals end the machine;
 * when the shell has ended, sinit begins again. Returns only if it is not PID 1. */
int emergency_main(char **argv);

#endif
